//! Making polygons valid.

use std::panic::{AssertUnwindSafe, catch_unwind};

use geo::{BooleanOps, Orient, orient::Direction, unary_union};
use geo_types::{Coord, Geometry, MultiPolygon, Polygon};

use super::check;
use super::segment::order;

/// Holes taken off one by one, which keeps what two overlapping holes have in common out; more of them are taken
/// off at once.
const MAX_SINGLE_HOLES: usize = 64;

/// A valid geometry with the same area: inside is what a shell's ring goes around an odd number of times, less the
/// holes; parts that overlap are joined. Given vertices stay bit for bit; new ones stand where edges cross.
/// A valid geometry comes back as it is. `None` when nothing with an area is left, when it holds lines or points that
/// are invalid, or when the overlay fails.
pub fn repair(geometry: &Geometry<f64>) -> Option<Geometry<f64>> {
    if check(geometry).is_empty() {
        return Some(geometry.clone());
    }
    let repaired = match geometry {
        Geometry::Polygon(p) => polygons(std::slice::from_ref(p))?,
        Geometry::MultiPolygon(m) => return polygons(&m.0).map(Geometry::MultiPolygon),
        Geometry::GeometryCollection(c) => {
            let members: Option<Vec<_>> = c.iter().map(repair).collect();
            return Some(Geometry::GeometryCollection(members?.into()));
        }
        _ => return None,
    };
    match <[Polygon<f64>; 1]>::try_from(repaired.0) {
        Ok([only]) => Some(Geometry::Polygon(only)),
        Err(parts) => Some(Geometry::MultiPolygon(MultiPolygon(parts))),
    }
}

fn polygons(given: &[Polygon<f64>]) -> Option<MultiPolygon<f64>> {
    let all = given
        .iter()
        .flat_map(|p| std::iter::once(p.exterior()).chain(p.interiors()));
    let mut vertices: Vec<Coord<f64>> = all.flat_map(|ring| ring.0.iter().copied()).collect();
    if vertices
        .iter()
        .any(|c| !c.x.is_finite() || !c.y.is_finite())
    {
        return None;
    }
    vertices.sort_unstable_by(|a, b| order(*a, *b));
    vertices.dedup();
    let exact = catch_unwind(AssertUnwindSafe(|| overlay(given))).ok()?;
    let tolerance = tolerance(&vertices);
    let snapped = snap(&exact, &vertices, tolerance);
    // Where moving a vertex back made an edge touch another one, the overlay's own vertices are taken.
    [snapped, exact]
        .into_iter()
        .find(|m| !m.0.is_empty() && check(&Geometry::MultiPolygon(m.clone())).is_empty())
}

fn overlay(given: &[Polygon<f64>]) -> MultiPolygon<f64> {
    let nothing = MultiPolygon::<f64>(Vec::new());
    let parts: Vec<MultiPolygon<f64>> = given
        .iter()
        .map(|polygon| {
            let shell = Polygon::new(polygon.exterior().clone(), Vec::new());
            let holes = polygon
                .interiors()
                .iter()
                .map(|hole| Polygon::new(hole.clone(), Vec::new()));
            if polygon.interiors().len() > MAX_SINGLE_HOLES {
                return shell.difference(&MultiPolygon(holes.collect()));
            }
            holes.fold(shell.union(&nothing), |left, hole| left.difference(&hole))
        })
        .collect();
    match <[MultiPolygon<f64>; 1]>::try_from(parts) {
        Ok([only]) => only,
        Err(parts) => {
            let parts: Vec<_> = parts
                .into_iter()
                .map(|part| part.orient(Direction::Default))
                .collect();
            unary_union(&parts)
        }
    }
}

/// The overlay works on a grid of 2^31 steps over the box of the geometry; it moves a vertex by less than two of them.
fn tolerance(vertices: &[Coord<f64>]) -> f64 {
    let span = |axis: fn(&Coord<f64>) -> f64| {
        let values = vertices.iter().map(axis);
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        });
        high - low
    };
    span(|c| c.x).max(span(|c| c.y)) / f64::from(1 << 29)
}

/// Moves vertices back to the given ones (sorted) that they come from.
fn snap(made: &MultiPolygon<f64>, given: &[Coord<f64>], tolerance: f64) -> MultiPolygon<f64> {
    use geo::MapCoords;
    made.map_coords(|c| {
        let first = given.partition_point(|g| g.x < c.x - tolerance);
        let near = given[first..].iter().take_while(|g| g.x <= c.x + tolerance);
        let distance = |g: &Coord<f64>| (g.x - c.x).abs().max((g.y - c.y).abs());
        let nearest = near.min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest
            .filter(|g| distance(g) <= tolerance)
            .copied()
            .unwrap_or(c)
    })
}
