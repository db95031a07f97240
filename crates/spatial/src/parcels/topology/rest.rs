//! What is left when the edges of before are taken from those of after.

use geo::{BoundingRect, Intersects, Line};
use hashbrown::HashMap;

use crate::parcels::rings::{Edge, Point, PointKey, borders, edge_key, is_on, key, parts};
use crate::parcels::{Parcel, but_for, faces};
use crate::validity::segment::order;

/// Edges with coverage added on their left or taken from their right, each as often as that.
pub(super) struct Rest {
    pub(super) edges: Vec<Edge>,
}

pub(super) struct Ring {
    pub(super) edges: Vec<RestEdge>,
}

pub(super) struct RestEdge {
    pub(super) edge: Edge,
    /// It takes away an edge that only one parcel had, in the other direction.
    pub(super) was_outer: bool,
    /// Two parcels had it and one is left with it.
    pub(super) was_shared: bool,
}

impl Rest {
    pub(super) fn new(before: &[Parcel], after: &[Parcel]) -> Self {
        let mut sum = Sum::default();
        for (parcels, others, weight) in [(after, before, 1), (before, after, -1)] {
            for parcel in but_for(parcels, others) {
                for e in parts(&parcel.geometry).iter().flat_map(borders).flatten() {
                    sum.add(e, weight);
                }
            }
        }
        let edges = sum.edges();
        Self {
            edges: noded(&edges),
        }
    }

    pub(super) fn rings(&self, before: &[Parcel]) -> Vec<Ring> {
        let mut outgoing: HashMap<PointKey, Vec<usize>> = HashMap::new();
        for (i, e) in self.edges.iter().enumerate() {
            outgoing.entry(key(e[0])).or_default().push(i);
        }
        let mut used = vec![false; self.edges.len()];
        let mut rings = vec![];
        for first in 0..self.edges.len() {
            let mut walk = vec![];
            let mut at = Some(first).filter(|i| !used[*i]);
            while let Some(i) = at {
                used[i] = true;
                walk.push(self.edges[i]);
                // As many edges go out of each point as come in, so a walk ends where it began.
                at = outgoing.get_mut(&key(self.edges[i][1])).and_then(|out| {
                    out.retain(|i| !used[*i]);
                    out.pop()
                });
            }
            faces::simple(&walk, &mut rings);
        }
        rings
            .iter()
            .map(|points| Ring {
                edges: (0..points.len())
                    .map(|i| told([points[i], points[(i + 1) % points.len()]], before))
                    .collect(),
            })
            .collect()
    }
}

/// What an edge was before. Exact, also when it is a piece of an edge.
fn told(edge: Edge, before: &[Parcel]) -> RestEdge {
    let rect = Line::new(edge[0], edge[1]).bounding_rect();
    let (mut along, mut against) = (0, 0);
    for parcel in before {
        if !parcel
            .geometry
            .bounding_rect()
            .is_some_and(|r| r.intersects(&rect))
        {
            continue;
        }
        for e in parts(&parcel.geometry).iter().flat_map(borders).flatten() {
            if is_on(edge[0], e) && is_on(edge[1], e) {
                if order(e[0], e[1]) == order(edge[0], edge[1]) {
                    along += 1;
                } else {
                    against += 1;
                }
            }
        }
    }
    RestEdge {
        edge,
        was_outer: against > along,
        was_shared: along > 0 && along == against,
    }
}

/// Edges that cancel out, and how often each is left in the direction of its key.
#[derive(Default)]
struct Sum {
    edges: HashMap<[PointKey; 2], (Edge, i32)>,
    /// The keys in the order of coming, so that results do not depend on hashing.
    keys: Vec<[PointKey; 2]>,
}

impl Sum {
    fn add(&mut self, edge: Edge, weight: i32) {
        let (k, turned) = edge_key(edge);
        let straight = if turned { [edge[1], edge[0]] } else { edge };
        let entry = self.edges.entry(k).or_insert_with(|| {
            self.keys.push(k);
            (straight, 0)
        });
        entry.1 += if turned { -weight } else { weight };
    }

    fn edges(&self) -> Vec<Edge> {
        let mut left = vec![];
        for k in &self.keys {
            let Some(([a, b], n)) = self.edges.get(k) else {
                continue;
            };
            let edge = if *n < 0 { [*b, *a] } else { [*a, *b] };
            left.extend(std::iter::repeat_n(edge, n.unsigned_abs() as usize));
        }
        left
    }
}

/// Cut at each other's ends that lie exactly on them, and cancelled once more: all that run along each other are then
/// equal. O(n²).
fn noded(edges: &[Edge]) -> Vec<Edge> {
    let mut points: Vec<Point> = edges.iter().map(|e| e[0]).collect();
    points.sort_by(|p, q| order(*p, *q));
    points.dedup();
    let mut sum = Sum::default();
    for [a, b] in edges {
        let (low, high) = if order(*a, *b).is_le() {
            (a, b)
        } else {
            (b, a)
        };
        let from = points.partition_point(|p| order(*p, *low).is_lt());
        let to = points.partition_point(|p| order(*p, *high).is_le());
        let mut on: Vec<Point> = points[from..to]
            .iter()
            .copied()
            .filter(|p| is_on(*p, [*a, *b]))
            .collect();
        // Every end of an edge is also the start of one.
        if low != a {
            on.reverse();
        }
        for w in on.windows(2) {
            sum.add([w[0], w[1]], 1);
        }
    }
    sum.edges()
}
