//! Rings, their edges, and points put into edges.

use geo::Winding;
use geo::winding_order::WindingOrder;
use geo_types::{Coord, Geometry, LineString, MultiPolygon, Polygon};
use hashbrown::HashMap;

use super::Parcel;
use crate::validity::segment::side;

pub(super) type Point = Coord<f64>;
pub(super) type Edge = [Point; 2];

/// A point to be hashed: equal where the coordinates are (`-0.0` is `0.0`).
pub(super) type PointKey = [u64; 2];

pub(super) fn key(p: Point) -> PointKey {
    [(p.x + 0.0).to_bits(), (p.y + 0.0).to_bits()]
}

/// An edge in whichever direction, and whether it was turned for that.
pub(super) fn edge_key([a, b]: Edge) -> ([PointKey; 2], bool) {
    let (a, b) = (key(a), key(b));
    if a <= b {
        ([a, b], false)
    } else {
        ([b, a], true)
    }
}

/// The parts of a parcel; none when it is of another type.
pub(super) fn parts(geometry: &Geometry<f64>) -> &[Polygon<f64>] {
    match geometry {
        Geometry::Polygon(p) => std::slice::from_ref(p),
        Geometry::MultiPolygon(m) => &m.0,
        _ => &[],
    }
}

pub(super) fn all_rings(geometry: &Geometry<f64>) -> impl Iterator<Item = &LineString<f64>> {
    parts(geometry)
        .iter()
        .flat_map(|p| std::iter::once(p.exterior()).chain(p.interiors()))
}

/// As they are written, without those that are points.
pub(super) fn edges(geometry: &Geometry<f64>) -> impl Iterator<Item = Edge> {
    all_rings(geometry).flat_map(|ring| {
        ring.0
            .windows(2)
            .map(|w| [w[0], w[1]])
            .filter(|[a, b]| a != b)
    })
}

/// The edges of each ring, with the inside of the polygon on their left.
pub(super) fn borders(polygon: &Polygon<f64>) -> impl Iterator<Item = Vec<Edge>> {
    let turned = |ring: &LineString<f64>, hole: bool| {
        let mut points = ring.0.clone();
        points.dedup();
        if ring.is_cw() != hole {
            points.reverse();
        }
        points.windows(2).map(|w| [w[0], w[1]]).collect::<Vec<_>>()
    };
    std::iter::once(turned(polygon.exterior(), false))
        .chain(polygon.interiors().iter().map(move |r| turned(r, true)))
        .filter(|ring| !ring.is_empty())
}

/// The parcel with the rings for which there is another; none when there is no such ring.
pub(super) fn with_rings(
    geometry: &Geometry<f64>,
    mut other: impl FnMut(&LineString<f64>) -> Option<LineString<f64>>,
) -> Option<Geometry<f64>> {
    let mut changed = false;
    let polygons: Vec<_> = parts(geometry)
        .iter()
        .map(|p| {
            let mut new = |ring: &LineString<f64>| match other(ring) {
                Some(ring) => {
                    changed = true;
                    ring
                }
                None => ring.clone(),
            };
            let exterior = new(p.exterior());
            Polygon::new(exterior, p.interiors().iter().map(new).collect())
        })
        .collect();
    changed.then(|| match geometry {
        Geometry::MultiPolygon(_) => Geometry::MultiPolygon(MultiPolygon(polygons)),
        _ => polygons
            .into_iter()
            .next()
            .map_or_else(|| geometry.clone(), Geometry::Polygon),
    })
}

/// Whether a point is on a segment, its ends included. Exact.
pub(super) fn is_on(p: Point, [a, b]: Edge) -> bool {
    let between = |p: f64, a: f64, b: f64| a.min(b) <= p && p <= a.max(b);
    between(p.x, a.x, b.x) && between(p.y, a.y, b.y) && side(a, b, p).is_eq()
}

/// Whether a point is on a segment or not farther from it than `tolerance`.
pub(super) fn is_near(p: Point, [a, b]: Edge, tolerance: f64) -> bool {
    let outside = |p: f64, a: f64, b: f64| p < a.min(b) - tolerance || p > a.max(b) + tolerance;
    if outside(p.x, a.x, b.x) || outside(p.y, a.y, b.y) {
        return false;
    }
    let (d, w) = (b - a, p - a);
    let t = ((w.x * d.x + w.y * d.y) / (d.x * d.x + d.y * d.y)).clamp(0.0, 1.0);
    (w.x - d.x * t).hypot(w.y - d.y * t) <= tolerance || is_on(p, [a, b])
}

pub(super) fn distance(a: Point, b: Point) -> f64 {
    (a.x - b.x).hypot(a.y - b.y)
}

/// How far along a segment a point is; for sorting.
pub(super) fn along([a, b]: Edge, p: Point) -> f64 {
    (p.x - a.x) * (b.x - a.x) + (p.y - a.y) * (b.y - a.y)
}

/// A ring of points without the closing one, closed and turned as wanted.
pub(super) fn closed(mut points: Vec<Point>, order: WindingOrder) -> LineString<f64> {
    points.extend(points.first().copied());
    let mut ring = LineString(points);
    if ring.winding_order() != Some(order) {
        // The first vertex stays the first.
        ring.0.reverse();
    }
    ring
}

/// Points to be put into edges, in whichever ring and direction these are.
#[derive(Debug, Default)]
pub(super) struct Insertions {
    points: HashMap<[PointKey; 2], Vec<Point>>,
}

impl Insertions {
    pub(super) fn add(&mut self, edge: Edge, p: Point) {
        if p == edge[0] || p == edge[1] {
            return;
        }
        let points = self.points.entry(edge_key(edge).0).or_default();
        if !points.contains(&p) {
            points.push(p);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The edges that get points.
    pub(super) fn edges(&self) -> Vec<Edge> {
        let point = |k: PointKey| Point {
            x: f64::from_bits(k[0]),
            y: f64::from_bits(k[1]),
        };
        self.points
            .keys()
            .map(|[a, b]| [point(*a), point(*b)])
            .collect()
    }

    pub(super) fn extend(&mut self, other: &Insertions) {
        for edge in other.edges() {
            other.of(edge).iter().for_each(|p| self.add(edge, *p));
        }
    }

    /// Those to be put into an edge.
    pub(super) fn of(&self, edge: Edge) -> &[Point] {
        self.points.get(&edge_key(edge).0).map_or(&[], |p| p)
    }

    /// Puts the points into all rings that have the edges.
    pub(super) fn apply(&self, parcels: &mut [Parcel]) {
        if self.is_empty() {
            return;
        }
        for parcel in parcels {
            if let Some(geometry) = with_rings(&parcel.geometry, |ring| self.ring(ring)) {
                parcel.geometry = geometry;
            }
        }
    }

    fn ring(&self, ring: &LineString<f64>) -> Option<LineString<f64>> {
        let has = |w: &[Point]| self.points.get(&edge_key([w[0], w[1]]).0);
        ring.0.windows(2).find_map(has)?;
        let mut points = Vec::with_capacity(ring.0.len() + 2);
        points.extend(ring.0.first());
        for w in ring.0.windows(2) {
            if let Some(inner) = has(w) {
                let (keys, turned) = edge_key([w[0], w[1]]);
                debug_assert!(keys[0] != keys[1]);
                // The order must not depend on the direction, or two rings could disagree.
                let edge = if turned { [w[1], w[0]] } else { [w[0], w[1]] };
                let mut inner = inner.clone();
                inner.sort_by(|p, q| along(edge, *p).total_cmp(&along(edge, *q)));
                if turned {
                    inner.reverse();
                }
                points.extend(inner);
            }
            points.push(w[1]);
        }
        Some(LineString(points))
    }
}
