//! Geometries whose straight edges are bent in longitude/latitude.

use geo_types::{Geometry, GeometryCollection, LineString, MultiLineString, MultiPolygon, Polygon};
use model::Crs;

use super::{Error, to_wgs84, transform};

/// How far an edge of the answer may be from what it stands for: a centimetre on the ground, in degrees.
const NEAR: f64 = 1e-7;

/// An edge is cut in half so often at most: a tenth of the Earth's girth is then in pieces of four kilometres.
const ROUNDS: usize = 10;

/// Where looking is worth it: an edge may cross its chord in the middle.
const PARTS: [f64; 3] = [0.25, 0.5, 0.75];

/// Positions that may be added to a geometry; then its longest edges are less exact.
const MAX_ADDED: usize = 100_000;

/// A geometry in longitude/latitude (WGS 84), with positions added to its edges where they are straight in their own
/// CRS and bent there.
///
/// # Errors
/// As [`transform`].
pub fn to_wgs84_bent(from: Crs, geometry: &Geometry<f64>) -> Result<Geometry<f64>, Error> {
    let mut left = MAX_ADDED;
    bent(from, geometry, &mut left)
}

fn bent(from: Crs, geometry: &Geometry<f64>, left: &mut usize) -> Result<Geometry<f64>, Error> {
    Ok(match geometry {
        Geometry::Point(_) | Geometry::MultiPoint(_) => return to_wgs84(from, geometry),
        Geometry::Line(l) => Geometry::LineString(line(from, &(*l).into(), left)?),
        Geometry::LineString(l) => Geometry::LineString(line(from, l, left)?),
        Geometry::MultiLineString(m) => {
            let lines = m.iter().map(|l| line(from, l, left));
            Geometry::MultiLineString(MultiLineString(lines.collect::<Result<_, _>>()?))
        }
        Geometry::Polygon(p) => Geometry::Polygon(polygon(from, p, left)?),
        Geometry::MultiPolygon(m) => {
            let polygons = m.iter().map(|p| polygon(from, p, left));
            Geometry::MultiPolygon(MultiPolygon(polygons.collect::<Result<_, _>>()?))
        }
        Geometry::Rect(r) => Geometry::Polygon(polygon(from, &r.to_polygon(), left)?),
        Geometry::Triangle(t) => Geometry::Polygon(polygon(from, &t.to_polygon(), left)?),
        Geometry::GeometryCollection(c) => {
            let parts = c.iter().map(|g| bent(from, g, left));
            Geometry::GeometryCollection(GeometryCollection(parts.collect::<Result<_, _>>()?))
        }
    })
}

fn polygon(from: Crs, polygon: &Polygon<f64>, left: &mut usize) -> Result<Polygon<f64>, Error> {
    let exterior = line(from, polygon.exterior(), left)?;
    let holes = polygon.interiors().iter();
    let holes: Result<Vec<_>, _> = holes.map(|ring| line(from, ring, left)).collect();
    Ok(Polygon::new(exterior, holes?))
}

/// A position in its own CRS and in longitude/latitude.
#[derive(Clone, Copy)]
struct Vertex {
    own: (f64, f64),
    image: (f64, f64),
}

fn line(from: Crs, line: &LineString<f64>, left: &mut usize) -> Result<LineString<f64>, Error> {
    let own: Vec<(f64, f64)> = line.coords().map(|c| (c.x, c.y)).collect();
    let mut done = pairs(own.clone(), images(from, own)?);
    // For the edge from each vertex, whether it is to be looked at.
    let mut is_open = vec![true; done.len().saturating_sub(1)];
    for _ in 0..ROUNDS {
        if !is_open.contains(&true) {
            break;
        }
        (done, is_open) = cut(from, &done, &is_open, left)?;
    }
    Ok(done.iter().map(|vertex| vertex.image).collect())
}

/// Cuts those edges in half that are open and bent.
fn cut(
    from: Crs,
    line: &[Vertex],
    is_open: &[bool],
    left: &mut usize,
) -> Result<(Vec<Vertex>, Vec<bool>), Error> {
    let edges = || line.windows(2).zip(is_open);
    let looked = edges().filter(|(_, open)| **open);
    let own: Vec<(f64, f64)> = looked
        .flat_map(|(ends, _)| PARTS.map(|t| between(ends[0].own, ends[1].own, t)))
        .collect();
    let found = pairs(own.clone(), images(from, own)?);
    let mut found = found.chunks_exact(PARTS.len());
    let mut out = Vec::with_capacity(line.len());
    let mut open = Vec::with_capacity(line.len());
    for (ends, is_open) in edges() {
        let [a, b] = [ends[0], ends[1]];
        out.push(a);
        let is_off = |(vertex, t): (&Vertex, f64)| {
            let chord = between(a.image, b.image, t);
            let (x, y) = (vertex.image.0 - chord.0, vertex.image.1 - chord.1);
            x.abs() > NEAR || y.abs() > NEAR
        };
        let found = is_open.then(|| found.next()).flatten();
        let bent = found.filter(|found| *left > 0 && found.iter().zip(PARTS).any(is_off));
        if let Some(found) = bent {
            *left -= 1;
            out.push(found[1]);
            open.push(true);
        }
        open.push(bent.is_some());
    }
    out.extend(line.last());
    Ok((out, open))
}

fn images(from: Crs, mut points: Vec<(f64, f64)>) -> Result<Vec<(f64, f64)>, Error> {
    transform(from, Crs::CRS84, &mut points)?;
    Ok(points)
}

fn pairs(own: Vec<(f64, f64)>, images: Vec<(f64, f64)>) -> Vec<Vertex> {
    let pairs = own.into_iter().zip(images);
    pairs.map(|(own, image)| Vertex { own, image }).collect()
}

fn between(a: (f64, f64), b: (f64, f64), t: f64) -> (f64, f64) {
    (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t)
}

#[cfg(test)]
mod tests {
    use geo_types::{Rect, coord};

    use super::*;
    use crate::crs::from_wgs84;

    /// Zone 8 of UCS-2000, a box of an oblast's size.
    const ZONE: u32 = 6382;

    fn zone() -> Crs {
        Crs::epsg(ZONE)
    }

    #[test]
    fn edges_of_a_large_box_stay_straight_in_their_own_crs() {
        let (min, max) = (
            coord! { x: 5_280_000., y: 5_300_000. },
            coord! { x: 5_480_000., y: 5_450_000. },
        );
        let own = Geometry::Rect(Rect::new(min, max));
        let Geometry::Polygon(image) = to_wgs84_bent(zone(), &own).unwrap() else {
            panic!("a box is a polygon")
        };
        assert!(
            image.exterior().0.len() > 100,
            "{}",
            image.exterior().0.len()
        );
        // Halfway between two positions the way back is still on the side of the box.
        for edge in image.exterior().lines() {
            let middle = Geometry::Point(((edge.start + edge.end) / 2.0).into());
            let Geometry::Point(there) = from_wgs84(zone(), &middle).unwrap() else {
                panic!("a point stays one")
            };
            let off = [
                there.x() - min.x,
                there.x() - max.x,
                there.y() - min.y,
                there.y() - max.y,
            ];
            let off = off
                .iter()
                .fold(f64::INFINITY, |least, d| least.min(d.abs()));
            assert!(off < 0.02, "{off} m");
        }
    }

    #[test]
    fn a_small_polygon_gets_no_more_positions_and_points_stay() {
        let (min, max) = (
            coord! { x: 5_422_000., y: 5_422_000. },
            coord! { x: 5_422_030., y: 5_422_020. },
        );
        let own = Rect::new(min, max).to_polygon();
        let image = to_wgs84_bent(zone(), &own.clone().into()).unwrap();
        assert_eq!(image, to_wgs84(zone(), &own.into()).unwrap());
        let point = Geometry::Point(min.into());
        assert_eq!(
            to_wgs84_bent(zone(), &point).unwrap(),
            to_wgs84(zone(), &point).unwrap()
        );
    }

    /// 10,000 positions to and fro across the zone would be a million.
    #[test]
    fn the_positions_added_are_bounded() {
        let to_and_fro = (0..10_000).map(|i| match i % 2 {
            0 => (5_200_000., 5_300_000. + f64::from(i)),
            _ => (5_600_000., 5_500_000. + f64::from(i)),
        });
        let line = Geometry::LineString(to_and_fro.collect());
        let Geometry::LineString(image) = to_wgs84_bent(zone(), &line).unwrap() else {
            panic!("a line stays one")
        };
        assert!(image.0.len() <= 10_000 + MAX_ADDED, "{}", image.0.len());
    }
}
