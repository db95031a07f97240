//! How a geometry lies to a query box.

use std::panic::{AssertUnwindSafe, catch_unwind};

use geo::{CoordsIter, Intersects};
use geo_types::{Coord, Geometry, Line, Point, Rect};
use model::{Bbox, Envelope};

/// The box around a geometry, in its own units; `None` when it is empty.
pub fn envelope(geometry: &Geometry<f64>) -> Option<Envelope> {
    Envelope::of(geometry.coords_iter().map(|c| [c.x, c.y]))
}

/// Whether a longitude/latitude geometry and a query box have a point in common; edges belong to the box
/// (OGC 17-069r4 §7.15.3, /req/core/fc-bbox-response). Exact, by robust orientation tests. Of an invalid polygon
/// the inside is where a ray crosses its rings an odd number of times.
pub fn intersects(geometry: &Geometry<f64>, bbox: &Bbox) -> bool {
    bbox.envelopes().any(|part| meets(geometry, &part))
}

fn meets(geometry: &Geometry<f64>, part: &Envelope) -> bool {
    let Some(own) = envelope(geometry) else {
        return false;
    };
    if !own.intersects(part) {
        return false;
    }
    if part.contains(&own) {
        return true;
    }
    let [min, max] = [part.min, part.max].map(|[x, y]| Coord { x, y });
    meets_rect(geometry, min, max)
}

/// Whether a geometry and a box, whose corners are given, have a point in common.
pub(crate) fn meets_rect(geometry: &Geometry<f64>, min: Coord, max: Coord) -> bool {
    let exact = || match (min.x == max.x, min.y == max.y) {
        (true, true) => geometry.intersects(&Point(min)),
        (false, false) => geometry.intersects(&Rect::new(min, max)),
        _ => geometry.intersects(&Line::new(min, max)),
    };
    // Their boxes meet, which is what is left to say when the geometry library fails on a broken geometry.
    catch_unwind(AssertUnwindSafe(exact)).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo_types::{line_string, point, polygon};

    fn bbox(numbers: [f64; 4]) -> Bbox {
        Bbox::new(&numbers).unwrap()
    }

    #[test]
    fn a_box_is_met_by_what_touches_it_and_not_by_the_box_around_a_shape() {
        let triangle =
            Geometry::Polygon(polygon![(x: 0., y: 0.), (x: 10., y: 0.), (x: 0., y: 10.)]);
        for (numbers, expected) in [
            ([6.0, 6.0, 9.0, 9.0], false),
            ([5.0, 5.0, 9.0, 9.0], true),
            ([-5.0, -5.0, 0.0, 0.0], true),
            ([1.0, 1.0, 2.0, 2.0], true),
            ([-1.0, -1.0, 11.0, 11.0], true),
            ([2.0, 2.0, 2.0, 2.0], true),
            ([9.0, 9.0, 9.0, 9.0], false),
            ([9.0, -1.0, 9.0, 0.5], true),
            ([9.0, 1.5, 9.0, 9.0], false),
            ([10.0, 0.0, 10.0, 0.0], true),
        ] {
            assert_eq!(
                intersects(&triangle, &bbox(numbers)),
                expected,
                "{numbers:?}"
            );
        }
    }

    #[test]
    fn a_box_in_a_hole_is_not_met() {
        let ring = Geometry::Polygon(polygon![
            exterior: [(x: 0., y: 0.), (x: 9., y: 0.), (x: 9., y: 9.), (x: 0., y: 9.)],
            interiors: [[(x: 2., y: 2.), (x: 7., y: 2.), (x: 7., y: 7.), (x: 2., y: 7.)]],
        ]);
        assert!(!intersects(&ring, &bbox([3.0, 3.0, 4.0, 4.0])));
        assert!(!intersects(&ring, &bbox([3.0, 3.0, 3.0, 3.0])));
        assert!(intersects(&ring, &bbox([3.0, 3.0, 7.0, 7.0])));
    }

    #[test]
    fn a_box_over_the_antimeridian_has_two_sides() {
        let across = bbox([170.0, -10.0, -170.0, 10.0]);
        assert!(intersects(
            &Geometry::Point(point!(x: 175.0, y: 0.0)),
            &across
        ));
        assert!(intersects(
            &Geometry::Point(point!(x: -180.0, y: 0.0)),
            &across
        ));
        assert!(!intersects(
            &Geometry::Point(point!(x: 0.0, y: 0.0)),
            &across
        ));
        let diagonal = Geometry::LineString(line_string![(x: -175., y: 30.), (x: -160., y: 0.)]);
        assert!(!intersects(&diagonal, &across));
    }

    #[test]
    fn nothing_meets_an_empty_geometry() {
        let empty = Geometry::GeometryCollection(geo_types::GeometryCollection::default());
        assert_eq!(envelope(&empty), None);
        assert!(!intersects(&empty, &bbox([-180.0, -90.0, 180.0, 90.0])));
    }
}
