//! Whether a feature lies in the part of the world that somebody has to do with.
//!
//! Decided in world units, as the index keeps geometry: so the index and a row that was just read give the same answer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use geo::{BoundingRect, Covers, Intersects};
use geo_types::{
    Coord, Geometry, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon, Rect,
};
use model::world::{WorldGeometry, WorldKind, WorldPoint, project};

/// An area in world units.
#[derive(Debug, Clone)]
pub struct WorldArea {
    polygons: MultiPolygon<f64>,
    around: Option<Rect<f64>>,
}

impl WorldArea {
    /// From polygons in longitude/latitude. Between two corners the border is straight on the map.
    pub fn new(polygons: &MultiPolygon<f64>) -> Self {
        let ring = |ring: &LineString<f64>| -> LineString<f64> {
            ring.coords().map(|c| coord(project(c.x, c.y))).collect()
        };
        let polygon = |p: &Polygon<f64>| {
            Polygon::new(ring(p.exterior()), p.interiors().iter().map(ring).collect())
        };
        let polygons = MultiPolygon(polygons.iter().map(polygon).collect());
        Self {
            around: polygons.bounding_rect(),
            polygons,
        }
    }

    /// Whether the area and a geometry have a point in common. A geometry that can't be judged is not in it.
    pub fn meets<'g>(&self, geometries: impl IntoIterator<Item = WorldGeometry<'g>>) -> bool {
        geometries
            .into_iter()
            .any(|geometry| self.judge(&geometry, |area, shape| area.intersects(shape)))
    }

    /// Whether the area covers geometries whole, borders included; false when there are none.
    pub fn covers<'g>(&self, geometries: impl IntoIterator<Item = WorldGeometry<'g>>) -> bool {
        let mut has_any = false;
        let all = geometries.into_iter().all(|geometry| {
            has_any = true;
            self.judge(&geometry, |area, shape| match shape {
                // `covers` of several areas at once asks one of them to cover the whole.
                Geometry::MultiPoint(points) => points.iter().all(|point| area.intersects(point)),
                shape => area.covers(shape),
            })
        });
        has_any && all
    }

    fn judge(
        &self,
        geometry: &WorldGeometry<'_>,
        relate: impl FnOnce(&MultiPolygon<f64>, &Geometry<f64>) -> bool,
    ) -> bool {
        let shape = shape(geometry);
        let near = |own: Rect<f64>| self.around.is_some_and(|around| around.intersects(&own));
        if !shape.bounding_rect().is_some_and(near) {
            return false;
        }
        // The geometry library may fail on a broken shape.
        catch_unwind(AssertUnwindSafe(|| relate(&self.polygons, &shape))).unwrap_or(false)
    }
}

fn coord([x, y]: WorldPoint) -> Coord<f64> {
    Coord {
        x: f64::from(x),
        y: f64::from(y),
    }
}

fn shape(geometry: &WorldGeometry<'_>) -> Geometry<f64> {
    shape_of(geometry, coord)
}

/// A geometry of the index, its points made by `coord`.
pub(crate) fn shape_of(
    geometry: &WorldGeometry<'_>,
    coord: impl Fn(WorldPoint) -> Coord<f64> + Copy,
) -> Geometry<f64> {
    let line =
        |part: &[WorldPoint]| -> LineString<f64> { part.iter().copied().map(coord).collect() };
    match geometry.kind {
        WorldKind::Points => {
            let points = geometry.coords.iter().copied().map(coord).map(Point);
            Geometry::MultiPoint(MultiPoint(points.collect()))
        }
        WorldKind::Lines => {
            let lines = geometry.parts().map(|(_, part)| line(part)).collect();
            Geometry::MultiLineString(MultiLineString(lines))
        }
        WorldKind::Polygons => {
            let mut polygons: Vec<Polygon<f64>> = Vec::new();
            for (is_hole, part) in geometry.parts() {
                match polygons.last_mut().filter(|_| is_hole) {
                    Some(polygon) => polygon.interiors_push(line(part)),
                    None => polygons.push(Polygon::new(line(part), Vec::new())),
                }
            }
            Geometry::MultiPolygon(MultiPolygon(polygons))
        }
    }
}

/// The centre of the cell of a grid that a position is in, longitude/latitude. The cells are `metres` high, and about as
/// wide; they are the same wherever the position in a cell is, and whatever else there is.
pub fn grid_center([lon, lat]: [f64; 2], metres: u32) -> [f64; 2] {
    /// Of latitude, everywhere within half a percent.
    const METRES_IN_A_DEGREE: f64 = 111_320.0;
    let height = f64::from(metres.max(1)) / METRES_IN_A_DEGREE;
    let row = (lat / height).floor();
    let lat = ((row + 0.5) * height).clamp(-90.0, 90.0);
    // Near a pole a cell goes around it.
    let width = (height / lat.to_radians().cos().max(1e-6)).min(360.0);
    let column = (lon / width).floor();
    [((column + 0.5) * width).clamp(-180.0, 180.0), lat]
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo_types::{line_string, point, polygon};
    use model::world::from_geometry;

    fn area() -> WorldArea {
        WorldArea::new(&MultiPolygon(vec![polygon![
            exterior: [(x: 24., y: 49.), (x: 25., y: 49.), (x: 25., y: 50.), (x: 24., y: 50.)],
            interiors: [[(x: 24.4, y: 49.4), (x: 24.6, y: 49.4), (x: 24.6, y: 49.6), (x: 24.4, y: 49.6)]],
        ]]))
    }

    #[test]
    fn what_meets_an_area_and_what_it_covers() {
        let polygon = |a: f64, b: f64| -> Geometry<f64> {
            polygon![(x: a, y: 49.1), (x: b, y: 49.1), (x: b, y: 49.2), (x: a, y: 49.2)].into()
        };
        for (geometry, meets, covers) in [
            (Geometry::Point(point!(x: 24.1, y: 49.1)), true, true),
            (Geometry::Point(point!(x: 24.5, y: 49.5)), false, false),
            (Geometry::Point(point!(x: 26.0, y: 49.5)), false, false),
            (polygon(24.1, 24.2), true, true),
            (polygon(24.9, 25.2), true, false),
            (polygon(25.1, 25.2), false, false),
            (
                line_string![(x: 24.45, y: 49.5), (x: 24.55, y: 49.5)].into(),
                false,
                false,
            ),
            (
                line_string![(x: 24.3, y: 49.5), (x: 24.7, y: 49.5)].into(),
                true,
                false,
            ),
            (
                line_string![(x: 24.1, y: 49.1), (x: 24.2, y: 49.3)].into(),
                true,
                true,
            ),
        ] {
            let world = from_geometry(&geometry);
            let views = || world.iter().map(|g| g.view());
            assert_eq!(area().meets(views()), meets, "{geometry:?}");
            assert_eq!(area().covers(views()), covers, "{geometry:?}");
        }
        assert!(!area().meets([]) && !area().covers([]));
    }

    #[test]
    fn all_positions_of_a_cell_have_one_center() {
        let first = grid_center([24.7110, 48.9226], 250);
        assert_eq!(first, grid_center(first, 250));
        let steps = (0..100).map(|i| f64::from(i) * 0.0001);
        let centers: std::collections::BTreeSet<[u64; 2]> = steps
            .map(|d| grid_center([24.71 + d, 48.92 + d], 250).map(f64::to_bits))
            .collect();
        // 0.01 degrees are 1.1 km north and 0.7 km east: five rows, and three or four columns.
        assert!((5..=10).contains(&centers.len()), "{}", centers.len());
        for [lon, lat] in [[180.0, 90.0], [-180.0, -90.0], [0.0, 0.0]] {
            let [x, y] = grid_center([lon, lat], 1_000_000);
            assert!((-180.0..=180.0).contains(&x) && (-90.0..=90.0).contains(&y));
        }
    }
}
