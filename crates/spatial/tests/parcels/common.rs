//! Parcels written as rings of numbers.

use geo_types::{Coord, Geometry, LineString, MultiPolygon, Polygon};
use spatial::parcels::Parcel;

/// Of tests in small numbers.
pub(crate) const TOLERANCE: f64 = 1e-6;

pub(crate) fn line(points: &[(f64, f64)]) -> LineString<f64> {
    LineString(points.iter().map(|(x, y)| Coord { x: *x, y: *y }).collect())
}

/// Shell and holes, each without the closing point.
pub(crate) fn polygon(rings: &[&[(f64, f64)]]) -> Polygon<f64> {
    let mut rings = rings.iter().map(|r| line(r));
    let shell = rings.next().expect("a shell");
    Polygon::new(shell, rings.collect())
}

pub(crate) fn parcel(key: i64, points: &[(f64, f64)]) -> Parcel {
    with_holes(key, &[points])
}

pub(crate) fn with_holes(key: i64, rings: &[&[(f64, f64)]]) -> Parcel {
    Parcel {
        key,
        geometry: Geometry::Polygon(polygon(rings)),
    }
}

pub(crate) fn multi(key: i64, parts: &[&[(f64, f64)]]) -> Parcel {
    let parts = parts.iter().map(|p| polygon(&[p])).collect();
    Parcel {
        key,
        geometry: Geometry::MultiPolygon(MultiPolygon(parts)),
    }
}

/// Corners from the lower left, counter-clockwise.
pub(crate) fn square(x: f64, y: f64, size: f64) -> Vec<(f64, f64)> {
    vec![(x, y), (x + size, y), (x + size, y + size), (x, y + size)]
}

pub(crate) fn rings(geometry: &Geometry<f64>) -> Vec<LineString<f64>> {
    let polygons = match geometry {
        Geometry::Polygon(p) => vec![p.clone()],
        Geometry::MultiPolygon(m) => m.0.clone(),
        _ => vec![],
    };
    polygons
        .into_iter()
        .flat_map(|p| {
            let (shell, holes) = p.into_inner();
            std::iter::once(shell).chain(holes)
        })
        .collect()
}
