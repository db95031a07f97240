//! A feature's polygons as directed edges.

use std::sync::OnceLock;

use geo_types::{Coord, Geometry, LineString, MultiPolygon, Polygon};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree, RTreeObject};

use crate::validity::segment::{order, side};

/// From here on edges are looked up in a tree: a street's polygon may have tens of thousands.
const MANY_EDGES: usize = 256;

type EdgeTree = RTree<GeomWithData<Rectangle<[f64; 2]>, u32>>;

pub(super) struct Item {
    pub(super) fid: i64,
    /// Each with the inside on its left.
    edges: Vec<[Coord<f64>; 2]>,
    min: [f64; 2],
    max: [f64; 2],
    tree: OnceLock<EdgeTree>,
}

/// An item in the tree of all.
pub(super) struct Entry {
    pub(super) aabb: AABB<[f64; 2]>,
    pub(super) item: u32,
}

impl RTreeObject for Entry {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        self.aabb
    }
}

impl Item {
    /// `None` for what has no area or no finite coordinates.
    pub(super) fn new(fid: i64, geometry: &Geometry<f64>) -> Option<Self> {
        let mut item = Self {
            fid,
            edges: Vec::new(),
            min: [f64::INFINITY; 2],
            max: [f64::NEG_INFINITY; 2],
            tree: OnceLock::new(),
        };
        match geometry {
            Geometry::Polygon(p) => item.add(p),
            Geometry::MultiPolygon(m) => m.iter().for_each(|p| item.add(p)),
            _ => {}
        }
        let finite = item
            .edges
            .iter()
            .flatten()
            .all(|c| c.x.is_finite() && c.y.is_finite());
        (finite && !item.edges.is_empty()).then_some(item)
    }

    fn add(&mut self, polygon: &Polygon<f64>) {
        self.add_ring(polygon.exterior(), true);
        polygon
            .interiors()
            .iter()
            .for_each(|hole| self.add_ring(hole, false));
    }

    fn add_ring(&mut self, ring: &LineString<f64>, counter_clockwise: bool) {
        let Some(origin) = ring.0.first() else { return };
        let area: f64 = ring.lines().map(|l| cross(l.start, l.end, *origin)).sum();
        let turn = (area > 0.0) != counter_clockwise;
        for line in ring.lines().filter(|l| l.start != l.end) {
            self.edges.push(if turn {
                [line.end, line.start]
            } else {
                [line.start, line.end]
            });
            for c in [line.start, line.end] {
                self.min = [self.min[0].min(c.x), self.min[1].min(c.y)];
                self.max = [self.max[0].max(c.x), self.max[1].max(c.y)];
            }
        }
    }

    pub(super) fn edges(&self) -> &[[Coord<f64>; 2]] {
        &self.edges
    }

    pub(super) fn aabb(&self) -> AABB<[f64; 2]> {
        AABB::from_corners(self.min, self.max)
    }

    /// The box that two items have in common.
    pub(super) fn common(&self, other: &Self) -> Option<AABB<[f64; 2]>> {
        let min = [self.min[0].max(other.min[0]), self.min[1].max(other.min[1])];
        let max = [self.max[0].min(other.max[0]), self.max[1].min(other.max[1])];
        (min[0] <= max[0] && min[1] <= max[1]).then(|| AABB::from_corners(min, max))
    }

    /// Edges whose box meets a box.
    pub(super) fn edges_in(&self, aabb: &AABB<[f64; 2]>) -> Vec<[Coord<f64>; 2]> {
        let mut edges = Vec::new();
        self.for_edges_in(aabb, |edge| edges.push(edge));
        edges
    }

    fn for_edges_in(&self, aabb: &AABB<[f64; 2]>, run: impl FnMut([Coord<f64>; 2])) {
        let (min, max) = (aabb.lower(), aabb.upper());
        if self.edges.len() < MANY_EDGES {
            let meets = |[a, b]: &&[Coord<f64>; 2]| {
                a.x.min(b.x) <= max[0]
                    && a.x.max(b.x) >= min[0]
                    && a.y.min(b.y) <= max[1]
                    && a.y.max(b.y) >= min[1]
            };
            return self.edges.iter().filter(meets).copied().for_each(run);
        }
        let tree = self.tree.get_or_init(|| {
            let rectangle =
                |[a, b]: &[Coord<f64>; 2]| Rectangle::from_corners([a.x, a.y], [b.x, b.y]);
            let edges = self.edges.iter().enumerate();
            RTree::bulk_load(
                edges
                    .map(|(i, e)| GeomWithData::new(rectangle(e), i as u32))
                    .collect(),
            )
        });
        tree.locate_in_envelope_intersecting(aabb)
            .map(|e| self.edges[e.data as usize])
            .for_each(run);
    }

    /// Whether a point lies inside, not on an edge; by the even-odd rule.
    pub(super) fn surrounds(&self, p: Coord<f64>) -> bool {
        if p.x < self.min[0] || p.x > self.max[0] || p.y < self.min[1] || p.y > self.max[1] {
            return false;
        }
        let ray = AABB::from_corners([p.x, p.y], [self.max[0], p.y]);
        let (mut inside, mut on_edge) = (false, false);
        self.for_edges_in(&ray, |[a, b]| {
            let (low, high) = if a.y <= b.y { (a, b) } else { (b, a) };
            let turn = side(low, high, p);
            let (first, last) = if order(a, b).is_lt() { (a, b) } else { (b, a) };
            on_edge |= turn.is_eq() && order(p, first).is_ge() && order(p, last).is_le();
            // Left of the rising edge: the ray to the right crosses it.
            inside ^= low.y <= p.y && p.y < high.y && turn.is_gt();
        });
        inside && !on_edge
    }

    /// The part in a box in metres from an origin, even-odd.
    pub(super) fn plane(&self, plane: &Plane, aabb: &AABB<[f64; 2]>) -> MultiPolygon<f64> {
        let mut rings: Vec<Vec<Coord<f64>>> = Vec::new();
        let mut last = None;
        for [from, to] in &self.edges {
            // Edges stand in the order of their ring; a turned ring has each of them the other way round.
            let follows = last.is_some_and(|(a, b)| b == *from || a == *to);
            match rings.last_mut() {
                Some(ring) if follows => ring.push(*from),
                _ => rings.push(vec![*from]),
            }
            last = Some((*from, *to));
        }
        if self.edges.len() >= MANY_EDGES {
            rings = rings.into_iter().map(|ring| clipped(ring, aabb)).collect();
        }
        let planar = |ring: Vec<Coord<f64>>| ring.into_iter().map(|c| plane.to(c)).collect();
        MultiPolygon(
            rings
                .into_iter()
                .map(|ring| Polygon::new(LineString(planar(ring)), Vec::new()))
                .collect(),
        )
    }
}

/// A ring cut to a box (Sutherland and Hodgman 1974). It may run along the box's edge to and fro, which even-odd areas
/// do not mind.
fn clipped(ring: Vec<Coord<f64>>, aabb: &AABB<[f64; 2]>) -> Vec<Coord<f64>> {
    let ([w, s], [e, n]) = (aabb.lower(), aabb.upper());
    let west = |c: Coord<f64>| c.x - w;
    let east = |c: Coord<f64>| e - c.x;
    let south = |c: Coord<f64>| c.y - s;
    let north = |c: Coord<f64>| n - c.y;
    let sides: [&dyn Fn(Coord<f64>) -> f64; 4] = [&west, &east, &south, &north];
    sides.into_iter().fold(ring, |ring, inside| {
        let mut out = Vec::with_capacity(ring.len().min(64));
        let before = ring.iter().cycle().skip(ring.len().saturating_sub(1));
        for (a, b) in before.zip(&ring) {
            let (from, to) = (inside(*a), inside(*b));
            if (from < 0.0) != (to < 0.0) {
                let t = from / (from - to);
                out.push(Coord {
                    x: a.x + (b.x - a.x) * t,
                    y: a.y + (b.y - a.y) * t,
                });
            }
            if to >= 0.0 {
                out.push(*b);
            }
        }
        out
    })
}

/// Twice the signed area of a triangle.
pub(super) fn cross(a: Coord<f64>, b: Coord<f64>, origin: Coord<f64>) -> f64 {
    (a.x - origin.x) * (b.y - origin.y) - (b.x - origin.x) * (a.y - origin.y)
}

/// Metres east and north of a place, by the lengths of a degree on the WGS 84 ellipsoid there.
pub(super) struct Plane {
    origin: Coord<f64>,
    east: f64,
    north: f64,
}

impl Plane {
    pub(super) fn at(origin: Coord<f64>) -> Self {
        let phi = origin.y.clamp(-89.0, 89.0).to_radians();
        // Series of the meridian arc and of the parallel's radius; the next terms are under a decimetre.
        let north = 111_132.92 - 559.82 * (2.0 * phi).cos() + 1.175 * (4.0 * phi).cos();
        let east = 111_412.84 * phi.cos() - 93.5 * (3.0 * phi).cos();
        Self {
            origin,
            east,
            north,
        }
    }

    pub(super) fn to(&self, c: Coord<f64>) -> Coord<f64> {
        Coord {
            x: (c.x - self.origin.x) * self.east,
            y: (c.y - self.origin.y) * self.north,
        }
    }

    pub(super) fn back(&self, c: Coord<f64>) -> [f64; 2] {
        [
            c.x / self.east + self.origin.x,
            c.y / self.north + self.origin.y,
        ]
    }
}
