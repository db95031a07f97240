//! Fewer vertices, for a map of a scale.

use std::cell::RefCell;
use std::collections::HashMap;

use geo::{CoordsIter, Intersects, MapCoords, SimplifyVwPreserve};
use geo_types::{Coord, Geometry, LineString, MultiPolygon, Polygon};

/// The side of a pixel at the equator in degrees at zoom 0, in tiles of 256 pixels (WebMercatorQuad, OGC 17-083r4 annex D).
const PIXEL: f64 = 360.0 / 256.0;

/// A geometry in longitude and latitude without the vertices that a map of a zoom of WebMercatorQuad can't show (OGC API Features Part 7,
/// draft): triangles smaller than half a square pixel are taken away one after another (Visvalingam and Whyatt), but none whose loss would
/// make lines cross. The type stays, no part is lost but holes that are passed by, and a ring keeps an area.
pub fn simplified(geometry: &Geometry<f64>, zoom: f64) -> Geometry<f64> {
    if let Geometry::GeometryCollection(all) = geometry {
        let parts: Vec<_> = all.iter().map(|part| simplified(part, zoom)).collect();
        return Geometry::GeometryCollection(parts.into());
    }
    let mut latitudes = geometry.coords_iter().map(|c| c.y);
    let Some(first) = latitudes.next() else {
        return geometry.clone();
    };
    let (low, high) = latitudes.fold((first, first), |(low, high), y| (low.min(y), high.max(y)));
    // As wide as high on the map, which stretches both by latitude: at the poles there is no map.
    let stretch = f64::midpoint(low, high)
        .clamp(-85.0, 85.0)
        .to_radians()
        .cos();
    // What stays is told as it was, to the last bit, by which neighbours share it.
    let originals = RefCell::new(HashMap::new());
    let flat = geometry.map_coords(|c| {
        let flat = Coord {
            x: c.x * stretch,
            y: c.y,
        };
        originals.borrow_mut().insert(bits(flat), c);
        flat
    });
    let side = PIXEL / zoom.exp2() * stretch;
    let area = side * side / 2.0;
    let simple = match flat {
        Geometry::LineString(g) => g.simplify_vw_preserve(area).into(),
        Geometry::MultiLineString(g) => g.simplify_vw_preserve(area).into(),
        Geometry::Polygon(g) => held(g.simplify_vw_preserve(area)).into(),
        Geometry::MultiPolygon(g) => {
            let simple = g.simplify_vw_preserve(area).into_iter();
            MultiPolygon(simple.map(held).collect()).into()
        }
        _ => return geometry.clone(),
    };
    let originals = originals.into_inner();
    let simple: Geometry<f64> = simple;
    simple.map_coords(|c| originals.get(&bits(c)).copied().unwrap_or(c))
}

fn bits(c: Coord<f64>) -> [u64; 2] {
    [c.x.to_bits(), c.y.to_bits()]
}

/// Without the holes that have come to lie outside: an outer ring that keeps but a few vertices may pass by a hole without crossing it.
fn held(polygon: Polygon<f64>) -> Polygon<f64> {
    let (exterior, holes) = polygon.into_inner();
    let whole = Polygon::new(exterior, Vec::new());
    let is_in = |hole: &LineString<f64>| hole.0.iter().all(|c| whole.intersects(c));
    let holes = holes.into_iter().filter(is_in).collect();
    let (exterior, _) = whole.into_inner();
    Polygon::new(exterior, holes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo::{Area, CoordsIter};

    /// A circle of a radius in degrees at the latitude of Kalush.
    fn circle(radius: f64, count: u32) -> Polygon<f64> {
        let at = |n: u32| {
            let angle = f64::from(n) * std::f64::consts::TAU / f64::from(count);
            (
                24.4 + radius * angle.cos() / 0.656,
                49.0 + radius * angle.sin(),
            )
        };
        let mut ring: Vec<(f64, f64)> = (0..count).map(at).collect();
        ring.push(ring[0]);
        Polygon::new(LineString::from(ring), vec![])
    }

    #[test]
    fn vertices_go_that_the_zoom_can_not_show_and_no_more() {
        let circle = circle(0.01, 1_000);
        let at = |zoom| match simplified(&circle.clone().into(), zoom) {
            Geometry::Polygon(polygon) => polygon,
            other => panic!("{other:?}"),
        };
        let vertices: Vec<usize> = [8.0, 12.0, 16.0, 24.0]
            .into_iter()
            .map(|zoom| at(zoom).coords_count())
            .collect();
        assert!(vertices.is_sorted(), "{vertices:?}");
        assert!(vertices[0] >= 4 && vertices[1] < 100, "{vertices:?}");
        assert_eq!(vertices[3], 1_001, "{vertices:?}");
        // What stays is as it was, to the last bit.
        assert!(
            at(12.0)
                .coords_iter()
                .all(|c| circle.exterior().0.contains(&c))
        );
        // At zoom 12 a pixel is 0.00034 degrees: an area that differs by a pixel along the edge at most.
        let (whole, simple) = (circle.unsigned_area(), at(12.0).unsigned_area());
        let edge = std::f64::consts::TAU * 0.01 / 0.656 * (360.0 / 256.0 / 4096.0);
        assert!((whole - simple).abs() < edge, "{whole} {simple}");
    }

    #[test]
    fn what_is_smaller_than_a_pixel_stays_what_it_is() {
        let speck = Geometry::from(circle(1e-7, 50));
        let collection = Geometry::GeometryCollection(vec![speck.clone()].into());
        for zoom in [0.0, 5.5, 30.0] {
            let Geometry::Polygon(simple) = simplified(&speck, zoom) else {
                panic!("another type")
            };
            assert!(simple.unsigned_area() > 0.0 && simple.exterior().is_closed());
            let Geometry::GeometryCollection(all) = simplified(&collection, zoom) else {
                panic!("another type")
            };
            assert_eq!(all.len(), 1);
        }
    }

    /// A hole in a bay that the outer ring leaves out at this zoom.
    #[test]
    fn holes_that_are_passed_by_go() {
        let ring = |points: &[(f64, f64)]| LineString::from(points.to_vec());
        let exterior = ring(&[
            (20., 40.),
            (30., 40.),
            (30., 50.),
            (25.2, 50.),
            (25.1, 50.2),
            (25., 50.),
            (20., 50.),
            (20., 40.),
        ]);
        let [inside, outside] = [(22., 42.), (25.08, 50.05)]
            .map(|(x, y)| ring(&[(x, y), (x + 0.04, y), (x + 0.02, y + 0.04), (x, y)]));
        let polygon = Polygon::new(exterior, vec![inside, outside]);
        let Geometry::Polygon(simple) = simplified(&polygon.into(), 0.0) else {
            panic!("a polygon stays one")
        };
        assert_eq!(simple.interiors().len(), 1, "{simple:?}");
        assert!(simple.interiors()[0].0[0].y < 43.0);
    }
}
