//! How two geometries lie to each other: the relations of CQL2 (OGC 21-065r2 §7.8), by DE-9IM in the plane of longitude and
//! latitude.

use std::panic::{AssertUnwindSafe, catch_unwind};

use geo::orient::Direction;
use geo::{GeodesicArea, Intersects, Length, Orient, Relate};
use geo_types::{Geometry, LineString};
use model::{Envelope, SpatialRelation};

/// Whether two geometries are so related. An empty one is disjoint from all others and in no other relation; so is one on which
/// the geometry library fails.
pub fn relate(relation: SpatialRelation, a: &Geometry<f64>, b: &Geometry<f64>) -> bool {
    use SpatialRelation as Is;
    let none = relation == Is::Disjoint;
    let (Some(around_a), Some(around_b)) = (crate::envelope(a), crate::envelope(b)) else {
        return none;
    };
    if let Some(known) = by_envelopes(relation, &around_a, &around_b) {
        return known;
    }
    let exact = || match relation {
        // Cheaper than the whole matrix, and exact.
        Is::Intersects => a.intersects(b),
        Is::Disjoint => !a.intersects(b),
        _ => {
            let matrix = a.relate(b);
            match relation {
                Is::Equals => matrix.is_equal_topo(),
                Is::Touches => matrix.is_touches(),
                Is::Within => matrix.is_within(),
                Is::Contains => matrix.is_contains(),
                Is::Overlaps => matrix.is_overlaps(),
                Is::Crosses => matrix.is_crosses(),
                Is::Intersects | Is::Disjoint => none,
            }
        }
    };
    catch_unwind(AssertUnwindSafe(exact)).unwrap_or(none)
}

/// What the envelopes of two geometries tell of a relation; `None` where they can't.
pub fn by_envelopes(relation: SpatialRelation, a: &Envelope, b: &Envelope) -> Option<bool> {
    use SpatialRelation as Is;
    if !a.intersects(b) {
        return Some(relation == Is::Disjoint);
    }
    let can_be = match relation {
        Is::Within => b.contains(a),
        Is::Contains => a.contains(b),
        Is::Equals => a == b,
        _ => true,
    };
    (!can_be).then_some(false)
}

/// Square metres on the ellipsoid of WGS 84; 0 for points and lines.
pub fn area(geometry: &Geometry<f64>) -> f64 {
    // Of a ring that runs the other way around the library gives the rest of the Earth.
    let area = || match geometry {
        Geometry::Polygon(p) => p.orient(Direction::Default).geodesic_area_unsigned(),
        Geometry::MultiPolygon(all) => all.orient(Direction::Default).geodesic_area_unsigned(),
        Geometry::GeometryCollection(all) => all.iter().map(area).sum(),
        other => other.geodesic_area_unsigned(),
    };
    catch_unwind(AssertUnwindSafe(area)).unwrap_or(0.0)
}

/// Metres on the ellipsoid of WGS 84; of an area that of its boundary.
pub fn length(geometry: &Geometry<f64>) -> f64 {
    let ring = |line: &LineString<f64>| geo::Geodesic.length(line);
    let polygon = |p: &geo_types::Polygon<f64>| -> f64 {
        ring(p.exterior()) + p.interiors().iter().map(ring).sum::<f64>()
    };
    let length = || match geometry {
        Geometry::LineString(line) => ring(line),
        Geometry::MultiLineString(lines) => lines.iter().map(ring).sum(),
        Geometry::Line(line) => ring(&LineString::from(vec![line.start, line.end])),
        Geometry::Polygon(p) => polygon(p),
        Geometry::MultiPolygon(all) => all.iter().map(polygon).sum(),
        Geometry::Rect(rect) => polygon(&rect.to_polygon()),
        Geometry::Triangle(triangle) => polygon(&triangle.to_polygon()),
        Geometry::GeometryCollection(all) => all.iter().map(length).sum(),
        Geometry::Point(_) | Geometry::MultiPoint(_) => 0.0,
    };
    catch_unwind(AssertUnwindSafe(length)).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo_types::{MultiPolygon, polygon};

    #[test]
    fn an_area_is_the_same_whichever_way_its_rings_run() {
        let polygon = polygon![
            exterior: [(x: 24., y: 49.), (x: 24.01, y: 49.), (x: 24.01, y: 49.01), (x: 24., y: 49.01)],
            interiors: [[(x: 24.002, y: 49.002), (x: 24.008, y: 49.002), (x: 24.008, y: 49.008), (x: 24.002, y: 49.008)]],
        ];
        let reversed = polygon.orient(Direction::Reversed);
        // 731.4 m by 1112.2 m, less 36 %.
        for shape in [polygon.clone(), reversed.clone()] {
            let found = area(&Geometry::Polygon(shape.clone()));
            assert!((found - 520_600.0).abs() < 600.0, "{found}");
            let both = MultiPolygon(vec![shape.clone(), shape]);
            assert!((area(&Geometry::MultiPolygon(both)) - 2.0 * found).abs() < 1e-3);
        }
        let around = length(&Geometry::Polygon(polygon));
        assert!(
            (around - 1.6 * 2.0 * (731.4 + 1112.2)).abs() < 10.0,
            "{around}"
        );
    }
}
