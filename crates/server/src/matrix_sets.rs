//! Tile matrix sets (OGC 17-083r4): the grids that tiles are cut on, and how the index's geometry comes onto them.
//!
//! A set is a document of the standard's own form. Its matrices lie on one square that is 2^32 units wide, as the world of
//! [`model::world`] is, so everything that cuts tiles works on each of them alike: a matrix is a zoom of the square.

use std::sync::LazyLock;

use axum::response::Response;
use model::world::{self, WorldBuf, WorldGeometry, WorldPoint};
use model::{Crs, Envelope, MAX_ZOOM, Message};
use serde_json::{Value as Json, json};
use spatial::QueryBox;
use tiles::{LINE_BUFFER, TILE_EXTENT, TileCoord};

use crate::answer;
use crate::context::Context;
use crate::link::{JSON, link};
use crate::problem::{Problem, shown};
use crate::segments::Segments;

/// The sets that tiles are served in, the usual one first.
const DOCUMENTS: [&str; 3] = [
    include_str!("../data/tile-matrix-sets/WebMercatorQuad.json"),
    include_str!("../data/tile-matrix-sets/WorldCRS84Quad.json"),
    include_str!("../data/tile-matrix-sets/UCS2000Zone8Quad.json"),
];

static SETS: LazyLock<Vec<MatrixSet>> = LazyLock::new(|| {
    let read = |text: &&str| MatrixSet::read(text).expect("the documents are tested");
    DOCUMENTS.iter().map(read).collect()
});

/// Width of the square in units.
const SQUARE: f64 = 4_294_967_296.0;

/// Metres of a pixel of zoom 0 of the usual set, by which zooms of collections are meant.
const USUAL_CELL: f64 = 156_543.033_928_041;

const METRES_IN_A_DEGREE: f64 = 111_319.490_793;

/// Points along the edge of an extent that are projected to know where it lies.
const EDGE: usize = 16;

/// A tile matrix set.
pub(crate) struct MatrixSet {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) uri: Option<String>,
    pub(crate) crs_uri: String,
    document: Json,
    projection: Projection,
    /// The north-western corner of the square, x first.
    corner: [f64; 2],
    /// Width of the square in the CRS.
    width: f64,
    /// Columns and rows of each matrix.
    sizes: Vec<[u64; 2]>,
    /// The zoom of the square that the first matrix is.
    first: u8,
    /// What is to be added to a matrix to have the zoom of the usual set that shows as much.
    usual: i32,
}

/// How longitude and latitude come into the CRS of a set.
enum Projection {
    /// The index's own.
    Mercator,
    Degrees,
    Other(Crs),
}

/// The sets, the usual one first.
pub(crate) fn all() -> &'static [MatrixSet] {
    &SETS
}

pub(crate) fn usual() -> &'static MatrixSet {
    &SETS[0]
}

/// A set by its id.
pub(crate) fn named(id: &str) -> Option<&'static MatrixSet> {
    SETS.iter().find(|set| set.id == id)
}

/// # Errors
/// 404 when there is none of this id.
pub(crate) fn require(id: &str) -> Result<&'static MatrixSet, Problem> {
    named(id).ok_or_else(|| {
        let known: Vec<&str> = SETS.iter().map(|set| set.id.as_str()).collect();
        let detail = Message::new("server.matrix-set-unknown")
            .with("id", shown(id))
            .with("known", known.join(", "));
        Problem::not_found(detail)
    })
}

impl MatrixSet {
    /// `None` for a document that tiles can't be cut by: every matrix has squares of 256 pixels from one north-western corner,
    /// half as large as those of the matrix before.
    fn read(text: &str) -> Option<Self> {
        let document: Json = serde_json::from_str(text).ok()?;
        let string = |name: &str| document[name].as_str().map(str::to_owned);
        let crs_uri = string("crs")?;
        let crs = Crs::parse(&crs_uri).ok()?;
        let is_crs84 = crs_uri.ends_with("CRS84");
        let projection = match crs.code() {
            3857 => Projection::Mercator,
            4326 => Projection::Degrees,
            _ => Projection::Other(crs),
        };
        let y_first = match projection {
            Projection::Mercator => false,
            Projection::Degrees => !is_crs84,
            Projection::Other(crs) => spatial::crs::outline(crs).ok()?.y_first,
        };
        let matrices = document["tileMatrices"].as_array()?;
        let first = matrices.first()?;
        let number = |matrix: &Json, name: &str| matrix[name].as_f64();
        let (cell, corner) = (number(first, "cellSize")?, &first["pointOfOrigin"]);
        let mut sizes = Vec::new();
        for (zoom, matrix) in matrices.iter().enumerate() {
            let factor = 2_f64.powi(i32::try_from(zoom).ok()?);
            let is_half = (number(matrix, "cellSize")? * factor / cell - 1.0).abs() < 1e-9;
            let is_plain = matrix["id"] == zoom.to_string().as_str()
                && matrix["cornerOfOrigin"] == "topLeft"
                && matrix["tileWidth"] == 256
                && matrix["tileHeight"] == 256
                && &matrix["pointOfOrigin"] == corner;
            if !is_half || !is_plain {
                return None;
            }
            let size = |name: &str| matrix[name].as_u64();
            sizes.push([size("matrixWidth")?, size("matrixHeight")?]);
        }
        let [a, b] = [corner[0].as_f64()?, corner[1].as_f64()?];
        let across = sizes[0][0].max(sizes[0][1]);
        let first = u8::try_from(across.next_power_of_two().trailing_zeros()).ok()?;
        let metres = match projection {
            Projection::Degrees => cell * METRES_IN_A_DEGREE,
            _ => cell,
        };
        Some(Self {
            id: string("id")?,
            title: string("title")?,
            uri: string("uri"),
            crs_uri,
            corner: if y_first { [b, a] } else { [a, b] },
            width: cell * 256.0 * across.next_power_of_two() as f64,
            usual: (USUAL_CELL / metres).log2().round() as i32,
            projection,
            sizes,
            first,
            document,
        })
    }

    /// The place of the set among all, for what is kept by it.
    pub(crate) fn place(&self) -> u8 {
        let place = SETS.iter().position(|set| std::ptr::eq(set, self));
        place
            .and_then(|place| u8::try_from(place).ok())
            .unwrap_or(u8::MAX)
    }

    /// Tiles of the square by matrix, row and column.
    ///
    /// # Errors
    /// 404 outside of the set, or deeper than tiles are cut.
    pub(crate) fn tile(&self, matrix: u64, row: u64, column: u64) -> Result<TileCoord, Problem> {
        let found = || {
            let zoom = usize::try_from(matrix).ok()?;
            let [columns, rows] = self.sizes.get(zoom)?;
            if column >= *columns || row >= *rows {
                return None;
            }
            let z = self.first.checked_add(u8::try_from(zoom).ok()?)?;
            let (x, y) = (u32::try_from(column).ok()?, u32::try_from(row).ok()?);
            TileCoord::new(z, x, y).ok()
        };
        found().ok_or_else(|| {
            let max = self.matrices().last().unwrap_or(0);
            Problem::not_found(Message::new("server.tile-outside").with("zoom", max))
        })
    }

    /// The matrix of a tile of the square.
    pub(crate) fn matrix_of(&self, tile: TileCoord) -> u8 {
        tile.z() - self.first
    }

    /// The zoom of the usual set that shows as much as a matrix, by which collections say where they show.
    pub(crate) fn usual_zoom(&self, matrix: u8) -> u8 {
        u8::try_from((i32::from(matrix) + self.usual).max(0)).unwrap_or(u8::MAX)
    }

    /// The matrices that tiles are cut at.
    pub(crate) fn matrices(&self) -> impl Iterator<Item = u8> + use<'_> {
        let last = MAX_ZOOM.saturating_sub(self.first);
        (0..=last).take(self.sizes.len())
    }

    /// The geometry of the index on the square; `None` for one that has no image there.
    pub(crate) fn geometry(&self, geometry: &WorldGeometry<'_>) -> Option<WorldBuf> {
        let degrees = geometry.coords.iter().map(|point| world::unproject(*point));
        let mut points: Vec<(f64, f64)> = degrees.map(|[x, y]| (x, y)).collect();
        self.project(&mut points)?;
        Some(WorldBuf {
            kind: geometry.kind,
            coords: points.into_iter().map(|p| self.on_square(p)).collect(),
            ends: geometry.ends.to_vec(),
        })
    }

    /// Whether the square is the index's world.
    pub(crate) fn is_world(&self) -> bool {
        matches!(self.projection, Projection::Mercator)
    }

    fn project(&self, points: &mut [(f64, f64)]) -> Option<()> {
        match self.projection {
            Projection::Mercator => {
                let half = self.width / 2.0;
                for point in points {
                    let [x, y] = world::project(point.0, point.1);
                    *point = (
                        (f64::from(x) / SQUARE - 0.5) * self.width,
                        half - f64::from(y) / SQUARE * self.width,
                    );
                }
                Some(())
            }
            Projection::Degrees => Some(()),
            Projection::Other(crs) => spatial::crs::transform(Crs::CRS84, crs, points).ok(),
        }
    }

    fn on_square(&self, (x, y): (f64, f64)) -> WorldPoint {
        let unit = SQUARE / self.width;
        // `as` saturates: what lies outside goes to the edge.
        [
            ((x - self.corner[0]) * unit).round() as u32,
            ((self.corner[1] - y) * unit).round() as u32,
        ]
    }

    /// The boxes (longitude/latitude) in which features must be looked for, so that nothing is missing from the buffered tile.
    pub(crate) fn envelopes(&self, tile: TileCoord) -> Vec<Envelope> {
        if self.is_world() {
            return tile.query_envelopes().collect();
        }
        let own = self.bounds(tile);
        match self.projection {
            Projection::Other(crs) => {
                let around = QueryBox::new(crs, own).ok();
                let around = around.and_then(|query| query.around());
                around.map_or_else(Vec::new, |bbox| bbox.envelopes().collect())
            }
            _ => vec![own],
        }
    }

    /// What a tile shows, its buffer included, in the CRS.
    fn bounds(&self, tile: TileCoord) -> Envelope {
        let size = self.width / f64::from(1_u32 << tile.z().min(31));
        let buffer = size * f64::from(LINE_BUFFER + 1) / f64::from(TILE_EXTENT);
        let west = self.corner[0] + f64::from(tile.x()) * size;
        let north = self.corner[1] - f64::from(tile.y()) * size;
        Envelope {
            min: [west - buffer, north - size - buffer],
            max: [west + size + buffer, north + buffer],
        }
    }

    /// The first and last tile of a matrix in which a longitude/latitude extent lies; `None` when it lies outside.
    pub(crate) fn range(&self, matrix: u8, extent: &Envelope) -> Option<[TileCoord; 2]> {
        let z = self.first + matrix;
        let [columns, rows] = *self.sizes.get(usize::from(matrix))?;
        let [low, high] = self.corners(extent)?;
        let at = |point: WorldPoint| TileCoord::containing(z, point).ok();
        let (first, last) = (at(low)?, at(high)?);
        let within = |v: u32, size: u64| v.min(u32::try_from(size - 1).unwrap_or(u32::MAX));
        if u64::from(first.x()) >= columns || u64::from(first.y()) >= rows {
            return None;
        }
        let last = TileCoord::new(z, within(last.x(), columns), within(last.y(), rows)).ok()?;
        Some([first, last])
    }

    /// The corners of an extent on the square: north-west and south-east.
    fn corners(&self, extent: &Envelope) -> Option<[WorldPoint; 2]> {
        let [[west, south], [east, north]] = [extent.min, extent.max];
        let mut edge = Vec::with_capacity(4 * EDGE + 4);
        for i in 0..=EDGE {
            let t = i as f64 / EDGE as f64;
            let (x, y) = (west + (east - west) * t, south + (north - south) * t);
            edge.extend([(x, south), (x, north), (west, y), (east, y)]);
        }
        self.project(&mut edge)?;
        let all = Envelope::of(edge.into_iter().map(|(x, y)| [x, y]))?;
        let [end_x, end_y] = [self.corner[0] + self.width, self.corner[1] - self.width];
        let is_off = all.max[0] < self.corner[0]
            || all.min[0] > end_x
            || all.min[1] > self.corner[1]
            || all.max[1] < end_y;
        let at = |x: f64, y: f64| self.on_square((x, y));
        (!is_off).then(|| [at(all.min[0], all.max[1]), at(all.max[0], all.min[1])])
    }
}

/// `GET /tileMatrixSets`
pub(crate) async fn list(context: Context) -> Result<Response, Problem> {
    context.params.only(&[])?;
    context.wanted.json(JSON)?;
    let entry = |set: &MatrixSet| {
        let own = link(
            context.url(format_args!("/tileMatrixSets/{}", set.id)),
            "self",
            JSON,
            &*set.title,
        );
        // What the official suite looks for.
        let mut item = own.clone();
        item["rel"] = "item".into();
        let mut out = json!({ "id": set.id, "title": set.title });
        if let Some(uri) = &set.uri {
            out["uri"] = uri.as_str().into();
        }
        out["crs"] = set.crs_uri.as_str().into();
        out["links"] = json!([own, item]);
        out
    };
    let sets: Vec<Json> = all().iter().map(entry).collect();
    let body = json!({ "tileMatrixSets": sets });
    Ok(answer::json(&context, JSON, &body))
}

/// `GET /tileMatrixSets/{id}`
pub(crate) async fn one(
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    context.wanted.json(JSON)?;
    let set = require(&id)?;
    Ok(answer::json(&context, JSON, &set.document))
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo_types::{Geometry, point};

    #[test]
    fn every_document_is_one_that_tiles_can_be_cut_by() {
        let ids: Vec<&str> = all().iter().map(|set| set.id.as_str()).collect();
        assert_eq!(
            ids,
            ["WebMercatorQuad", "WorldCRS84Quad", "UCS2000Zone8Quad"]
        );
        for text in DOCUMENTS {
            assert!(MatrixSet::read(text).is_some());
            assert!(MatrixSet::read(&text.replace("topLeft", "bottomLeft")).is_none());
        }
        let zooms: Vec<i32> = all().iter().map(|set| set.usual).collect();
        assert_eq!(zooms, [0, 1, 5]);
    }

    fn at(set: &MatrixSet, lon: f64, lat: f64) -> WorldPoint {
        let shape = world::from_geometry(&Geometry::Point(point!(x: lon, y: lat)));
        set.geometry(&shape[0].view()).unwrap().coords[0]
    }

    #[test]
    fn positions_come_to_where_the_crs_has_them() {
        let world = usual();
        assert_eq!(at(world, 24.7, 48.9), world::project(24.7, 48.9));
        let degrees = named("WorldCRS84Quad").unwrap();
        let [x, y] = at(degrees, 24.7, 48.9).map(f64::from);
        assert!((x / SQUARE * 360.0 - 180.0 - 24.7).abs() < 2e-7);
        assert!((90.0 - y / SQUARE * 360.0 - 48.9).abs() < 2e-7);
        // Ivano-Frankivsk in EPSG:6382: north 5420475.98, east 352360.26.
        let zone = named("UCS2000Zone8Quad").unwrap();
        let [x, y] = at(zone, 24.712_713_9, 48.914_407_8).map(f64::from);
        let unit = zone.width / SQUARE;
        assert!((x * unit - 224_288.0 - 352_360.26).abs() < 0.02);
        assert!((5_898_240.0 - y * unit - 5_420_475.98).abs() < 0.02);
    }

    #[test]
    fn a_tile_is_looked_for_where_its_features_are() {
        let extent = Envelope {
            min: [24.70, 48.90],
            max: [24.72, 48.92],
        };
        for set in all() {
            for matrix in set.matrices().step_by(3) {
                let [first, last] = set.range(matrix, &extent).unwrap();
                let inside = |tile: TileCoord| {
                    let boxes = set.envelopes(tile);
                    boxes.iter().any(|e| e.intersects(&extent))
                };
                assert!(inside(first) && inside(last), "{} {matrix}", set.id);
                let row = u64::from(first.y());
                let tile = set.tile(matrix.into(), row, first.x().into()).unwrap();
                assert_eq!((tile, set.matrix_of(tile)), (first, matrix));
            }
            assert!(set.tile(0, 1_000_000, 0).is_err());
            assert!(set.tile(99, 0, 0).is_err());
        }
        let boston = Envelope {
            min: [-71.2, 42.3],
            max: [-71.0, 42.4],
        };
        assert!(
            named("UCS2000Zone8Quad")
                .unwrap()
                .range(5, &boston)
                .is_none()
        );
    }
}
