//! Geometries whose straight edges are bent in longitude/latitude.

use geo_types::{
    Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon, Point,
    Polygon,
};
use model::{Crs, Message};

use super::{Error, transform};

/// How far an edge of the answer may be from what it stands for: a centimetre on the ground, in degrees.
const NEAR: f64 = 1e-7;

/// An edge is cut in half so often at most: a tenth of the Earth's girth is then in pieces of four kilometres.
const ROUNDS: usize = 10;

/// Where looking is worth it: an edge may cross its chord in the middle.
const PARTS: [f64; 3] = [0.25, 0.5, 0.75];

/// Positions that may be added to a geometry; then its longest edges are less exact.
const MAX_ADDED: usize = 4_096;

/// How far a position may be from itself after the way there and back, in parts of its own numbers: where a CRS has no image of a
/// place, it may give that of another.
const BACK: f64 = 1e-6;

/// A geometry in longitude/latitude (WGS 84), with positions added to its edges where they are straight in their own
/// CRS and bent there.
///
/// # Errors
/// As [`transform`]; when a position comes back from longitude/latitude as another one.
pub fn to_wgs84_bent(from: Crs, geometry: &Geometry<f64>) -> Result<Geometry<f64>, Error> {
    let mut left = MAX_ADDED;
    bent(from, geometry, &mut left)
}

fn bent(from: Crs, geometry: &Geometry<f64>, left: &mut usize) -> Result<Geometry<f64>, Error> {
    Ok(match geometry {
        Geometry::Point(p) => Geometry::Point(point(from, p)?),
        Geometry::MultiPoint(m) => {
            let points = m.iter().map(|p| point(from, p));
            Geometry::MultiPoint(MultiPoint(points.collect::<Result<_, _>>()?))
        }
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

fn point(from: Crs, point: &Point<f64>) -> Result<Point<f64>, Error> {
    let images = true_images(from, &[(point.x(), point.y())])?;
    Ok(images[0].into())
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
    let mut done = pairs(own.clone(), true_images(from, &own)?);
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
        let is_off = |vertex: &Vertex| from_chord(vertex.image, a.image, b.image) > NEAR;
        let found = is_open.then(|| found.next()).flatten();
        let bent = found.filter(|found| *left > 0 && found.iter().any(is_off));
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

/// Images of positions that lie where the CRS can have them: beyond the edge of a map of the world they would be those of other places.
fn true_images(from: Crs, own: &[(f64, f64)]) -> Result<Vec<(f64, f64)>, Error> {
    let mut images = images(from, own.to_vec())?;
    let mut back = images.clone();
    transform(Crs::CRS84, from, &mut back)?;
    for ((own, back), image) in own.iter().zip(back).zip(&mut images) {
        let near = BACK * own.0.abs().max(own.1.abs()).max(1.0);
        let is_same = |back: (f64, f64)| (own.0 - back.0).hypot(own.1 - back.1) <= near;
        if is_same(back) {
            continue;
        }
        // The antimeridian is at both edges.
        let mut other = [(-image.0, image.1)];
        transform(Crs::CRS84, from, &mut other)?;
        if (image.0.abs() - 180.0).abs() > NEAR || !is_same(other[0]) {
            let message = Message::new("spatial.coordinate-without-image")
                .with("x", own.0)
                .with("y", own.1);
            let message = message.with("from", from).with("to", Crs::CRS84);
            return Err(Error::Invalid(message.with("reason", "")));
        }
        image.0 = -image.0;
    }
    Ok(images)
}

/// How far a position is from a straight edge.
fn from_chord(p: (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    let (along, to) = ((b.0 - a.0, b.1 - a.1), (p.0 - a.0, p.1 - a.1));
    let square = along.0 * along.0 + along.1 * along.1;
    let t = match square > 0.0 {
        true => ((to.0 * along.0 + to.1 * along.1) / square).clamp(0.0, 1.0),
        false => 0.0,
    };
    (to.0 - along.0 * t).hypot(to.1 - along.1 * t)
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
    use geo::CoordsIter;
    use geo_types::{Rect, coord};

    use super::*;
    use crate::crs::{from_wgs84, to_wgs84};

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

    /// Straight on the map of the world and in degrees: a rectangle of Web Mercator stays one.
    #[test]
    fn straight_edges_get_no_more_positions() {
        let own = Rect::new(
            coord! { x: -8_914_000., y: 4_215_000. },
            coord! { x: -6_914_000., y: 6_215_000. },
        );
        let image = to_wgs84_bent(Crs::epsg(3857), &own.to_polygon().into()).unwrap();
        assert_eq!(image.coords_count(), 5);
    }

    #[test]
    fn beyond_the_edge_of_the_world_there_is_nothing() {
        let edge = 20_037_508.342_789_244;
        let world = Rect::new(coord! { x: -edge, y: -1e7 }, coord! { x: edge, y: 1e7 });
        let image = to_wgs84_bent(Crs::epsg(3857), &world.to_polygon().into()).unwrap();
        assert_eq!(image.coords_count(), 5, "{image:?}");
        let extent = crate::envelope(&image).unwrap();
        assert!(
            (extent.min[0] + 180.0).abs() < NEAR && (extent.max[0] - 180.0).abs() < NEAR,
            "{extent:?}"
        );
        for (x, y) in [(42_748_079., 6_110_000.), (1e9, 1e9), (-2e8, 0.)] {
            let point = Geometry::Point((x, y).into());
            assert!(to_wgs84_bent(Crs::epsg(3857), &point).is_err(), "{x} {y}");
        }
    }
}
