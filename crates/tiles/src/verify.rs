//! Whether a whole set of vector tiles is sound, whoever made it: [`Sweep`] takes tile after tile and counts what is
//! wrong in each, and where tiles of one zoom contradict each other.
//!
//! - **Each tile** is decoded, its polygons held against [`check`], and the area measured that polygons of a layer
//!   have in common ([`Report::overlap_share`]): none in a coverage, and what a producer's snapping and simplifying
//!   made of it otherwise.
//! - **Neighbours** hold a feature near their common edge both, because each is cut with a buffer. What both know
//!   whole must be the same, vertex by vertex ([`SeamCounts`]).
//! - **An id** means one feature: with the same properties in all tiles of a zoom.
//!
//! Gaps are not looked for, nor what a tile shows that its neighbour's buffer does not. Tiles beside the antimeridian
//! have no neighbours across it, and none touch at corners.

mod ids;
mod overlap;
mod report;
mod seam;

use std::collections::HashSet;

use crate::decode::{self, Feature, Geometry, Layer};
use crate::{TileCoord, check};

pub use report::{EXAMPLES, Example, LayerCounts, Problem, Report, SeamCounts};

/// Bytes of a tile, unpacked. No client shows a larger one.
pub const MAX_BYTES: usize = 64 << 20;

/// Deepest subdivision of a tile that is looked into; usual are 4096, 8192 at most. It keeps areas within 64 bits.
pub const MAX_EXTENT: u32 = 1 << 16;

/// Looks through tiles, zoom after zoom; those of a zoom in any order, each once. What an earlier zoom has is not
/// compared with what comes after another.
///
/// In memory there are 16 bytes for each id of a zoom, up to a cap that is counted beyond ([`Report::ids_not_compared`]),
/// and what lies near the edges of those tiles whose neighbours have not come: in the order of an archive or row by
/// row, a line of tiles.
#[derive(Debug, Default)]
pub struct Sweep {
    report: Report,
    zoom: Option<u8>,
    seams: seam::Seams,
    ids: ids::Ids,
}

impl Sweep {
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at a tile, which is not compressed.
    pub fn add(&mut self, tile: TileCoord, bytes: &[u8]) {
        self.report.bytes += bytes.len() as u64;
        if bytes.len() > MAX_BYTES {
            return self.add_unreadable(tile, "too large");
        }
        let layers = match decode::tile(bytes) {
            Ok(decoded) => decoded.layers,
            Err(why) => return self.add_unreadable(tile, &why.to_string()),
        };
        self.enter(tile);
        let mut names = HashSet::new();
        let mut sound = Vec::with_capacity(layers.len());
        for layer in &layers {
            if layer.extent == 0 || layer.extent > MAX_EXTENT {
                let problem = Problem::Extent(layer.extent);
                self.report.note(tile, &layer.name, None, problem);
                continue;
            }
            self.layer(tile, layer);
            if names.insert(layer.name.as_str()) {
                sound.push(layer);
            } else {
                let problem = Problem::DuplicateLayer;
                self.report.note(tile, &layer.name, None, problem);
            }
        }
        self.seams.add(tile, Some(&sound), &mut self.report);
    }

    /// Counts a tile that is there and cannot be read, as one that is broken before it is unpacked.
    pub fn add_unreadable(&mut self, tile: TileCoord, why: &str) {
        self.enter(tile);
        let problem = Problem::Unreadable(why.to_owned());
        self.report.note(tile, "", None, problem);
        self.seams.add(tile, None, &mut self.report);
    }

    /// What was found in all tiles.
    pub fn finish(mut self) -> Report {
        self.leave();
        self.report
    }

    fn enter(&mut self, tile: TileCoord) {
        if self.zoom != Some(tile.z()) {
            self.leave();
            self.zoom = Some(tile.z());
        }
        self.report.tiles += 1;
    }

    /// Ends a zoom.
    fn leave(&mut self) {
        self.seams.leave(&mut self.report);
        self.ids.clear();
    }

    fn layer(&mut self, tile: TileCoord, layer: &Layer) {
        let mut counts = LayerCounts {
            tiles: 1,
            ..LayerCounts::default()
        };
        let mut ids = HashSet::new();
        let mut areas = Vec::new();
        let properties = ids::Properties::new(layer);
        for feature in &layer.features {
            counts.features += 1;
            let problem = match feature.id {
                None => Some(Problem::MissingId),
                Some(id) if !ids.insert((id, kind(feature))) => Some(Problem::RepeatedId),
                Some(id) => self.ids.differ(&properties, id, feature, &mut self.report),
            };
            let wrong = shape(feature, layer.extent, &mut counts);
            for problem in [problem, wrong.clone()].into_iter().flatten() {
                self.report.note(tile, &layer.name, feature.id, problem);
            }
            if let Geometry::Rings(rings) = &feature.geometry
                && !matches!(wrong, Some(Problem::Outside(_)))
            {
                areas.push(rings.as_slice());
            }
        }
        match overlap::cover(&areas, layer.extent) {
            Some(cover) => {
                counts.area = cover.area;
                counts.overlap = cover.overlap;
                self.report.overlap(tile, &layer.name, cover.overlap);
            }
            None => self.report.not_measured += 1,
        }
        self.report.count(&layer.name, counts);
    }
}

fn kind(feature: &Feature) -> usize {
    match feature.geometry {
        Geometry::Points(_) => 0,
        Geometry::Lines(_) => 1,
        Geometry::Rings(_) => 2,
    }
}

/// The first thing wrong with a feature's geometry, whose polygons are counted.
fn shape(feature: &Feature, extent: u32, counts: &mut LayerCounts) -> Option<Problem> {
    // `MAX_EXTENT` is far below 2^31.
    let extent = i32::try_from(extent).ok()?;
    let far = |p: &&[i32; 2]| p.iter().any(|v| *v < -extent || *v > 2 * extent);
    let paths = match &feature.geometry {
        Geometry::Points(points) => std::slice::from_ref(points),
        Geometry::Lines(paths) | Geometry::Rings(paths) => paths,
    };
    let outside = paths.iter().flatten().find(far).copied();
    let Geometry::Rings(rings) = &feature.geometry else {
        return outside.map(Problem::Outside);
    };
    if let Some(outside) = outside {
        counts.polygons += 1;
        return Some(Problem::Outside(outside));
    }
    match check::group(rings) {
        Ok(polygons) => {
            counts.polygons += polygons.len() as u64;
            let invalid = check::polygons_anywhere(&polygons).err();
            invalid.map(Problem::Invalid)
        }
        Err(check::Defect::Winding(at)) => {
            counts.polygons += 1;
            Some(Problem::Winding(at))
        }
        Err(defect) => Some(Problem::Invalid(defect)),
    }
}
