//! Nearest features by great-circle distance.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use model::Envelope;
use rstar::{AABB, RTreeNode};

use super::hit::Hit;
use super::part::Part;
use super::segment::Leaf;
use super::snapshot::Snapshot;

/// Mean radius of the earth in metres (IUGG).
const RADIUS: f64 = 6_371_008.8;

/// Metres by which rounding may make the distance to a box greater than that to a box inside: near the antipode the
/// arcsine of almost 1 keeps but half of the digits.
const SLACK: f64 = 1.0;

impl Snapshot {
    /// The `n` features whose envelopes are nearest to a point (longitude, latitude in degrees), nearest first,
    /// those at an equal distance by their keys. The distance is [`distance`]. A point with NaN has none.
    pub fn nearest(&self, [lon, lat]: [f64; 2], n: usize) -> Vec<Hit<'_>> {
        if !lon.is_finite() || !lat.is_finite() {
            return Vec::new();
        }
        let mut queue = BinaryHeap::new();
        let to = |aabb: &AABB<[f64; 2]>| meters([lon, lat], aabb.lower(), aabb.upper());
        for (part, segment) in self.inner.parts.iter().map(|p| (p, &p.segment)) {
            if segment.tree.size() > 0 {
                let root = segment.tree.root();
                queue.push(Candidate {
                    meters: 0.0,
                    part,
                    node: Node::Parent(root.children()),
                });
            }
        }
        let mut found = Vec::new();
        while found.len() < n
            && let Some(Candidate { part, node, .. }) = queue.pop()
        {
            match node {
                Node::Feature { slot, .. } => found.push(Hit { part, slot }),
                Node::Parent(children) => {
                    queue.extend(children.iter().filter_map(|child| match child {
                        RTreeNode::Parent(parent) => {
                            let node = Node::Parent(parent.children());
                            Some(Candidate {
                                meters: to(&parent.envelope()) - SLACK,
                                part,
                                node,
                            })
                        }
                        RTreeNode::Leaf(Leaf { aabb, slot }) if part.is_live(*slot) => {
                            let fid = part.segment.fids[*slot as usize];
                            Some(Candidate {
                                meters: to(aabb),
                                part,
                                node: Node::Feature { fid, slot: *slot },
                            })
                        }
                        RTreeNode::Leaf(_) => None,
                    }))
                }
            }
        }
        found
    }
}

/// Great-circle distance in metres from a point (longitude, latitude in degrees) to the nearest place of a box; 0
/// inside. On a sphere of the mean radius, so it is off the ellipsoid's by up to 0.6 %. Crosses the antimeridian
/// and the poles where that is shorter.
pub fn distance(point: [f64; 2], envelope: &Envelope) -> f64 {
    meters(point, envelope.min, envelope.max)
}

fn meters([lon, lat]: [f64; 2], min: [f64; 2], max: [f64; 2]) -> f64 {
    let east_of_min = (lon - min[0]).rem_euclid(360.0);
    let width = max[0] - min[0];
    if east_of_min <= width {
        let dlat = (min[1] - lat).max(lat - max[1]).max(0.0);
        return dlat.to_radians() * RADIUS;
    }
    // Outside the box's longitudes the nearest place is on its western or eastern edge, a piece of a meridian:
    // the one that is nearer in longitude.
    let dlon = (east_of_min - width).min(360.0 - east_of_min).to_radians();
    let (phi, south, north) = (lat.to_radians(), min[1].to_radians(), max[1].to_radians());
    // The foot of the perpendicular on the meridian's great circle.
    let foot = phi.sin().atan2(phi.cos() * dlon.cos());
    // When that lies off the edge, the nearer end counts; around the circle, since the foot may lie beyond a pole.
    let nearest = match (south..=north).contains(&foot) {
        true => foot,
        false if (south - foot).cos() > (north - foot).cos() => south,
        false => north,
    };
    let h = ((nearest - phi) / 2.0).sin().powi(2)
        + phi.cos() * nearest.cos() * (dlon / 2.0).sin().powi(2);
    2.0 * RADIUS * h.sqrt().min(1.0).asin()
}

struct Candidate<'a> {
    meters: f64,
    part: &'a Part,
    node: Node<'a>,
}

enum Node<'a> {
    Parent(&'a [RTreeNode<Leaf>]),
    Feature { fid: i64, slot: u32 },
}

impl Candidate<'_> {
    /// Boxes before features at an equal distance, so that all features of that distance are known; then by key.
    fn rank(&self) -> (f64, Option<i64>) {
        match self.node {
            Node::Parent(_) => (self.meters, None),
            Node::Feature { fid, .. } => (self.meters, Some(fid)),
        }
    }
}

impl Ord for Candidate<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((a, a_fid), (b, b_fid)) = (self.rank(), other.rank());
        // Reversed: the greatest of the heap is the nearest.
        b.total_cmp(&a).then(b_fid.cmp(&a_fid))
    }
}

impl PartialOrd for Candidate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn km(point: [f64; 2], w: f64, s: f64, e: f64, n: f64) -> f64 {
        distance(
            point,
            &Envelope {
                min: [w, s],
                max: [e, n],
            },
        ) / 1000.0
    }

    #[test]
    fn distances_are_those_of_the_sphere() {
        let degree = RADIUS * 1f64.to_radians() / 1000.0;
        assert_eq!(km([5.0, 5.0], 0.0, 0.0, 10.0, 10.0), 0.0);
        assert!((km([5.0, 12.0], 0.0, 0.0, 10.0, 10.0) - 2.0 * degree).abs() < 1e-6);
        assert!((km([12.0, 0.0], 0.0, -5.0, 10.0, 5.0) - 2.0 * degree).abs() < 1e-6);
        // Over the antimeridian.
        assert!((km([-179.0, 0.0], 170.0, -1.0, 179.0, 1.0) - 2.0 * degree).abs() < 1e-6);
        // Over the pole: from 80° N to 80° N on the other side are 20 degrees.
        assert!((km([0.0, 80.0], 180.0, 0.0, 180.0, 80.0) - 20.0 * degree).abs() < 1e-6);
        // A long way east the nearest place of a meridian lies poleward of the point.
        assert!(km([0.0, 60.0], 80.0, 40.0, 80.0, 89.0) < km([0.0, 60.0], 80.0, 60.0, 80.0, 60.0));
    }

    #[test]
    fn the_distance_is_the_least_over_the_box() {
        let mut state = 7_u64;
        let mut random = |low: f64, high: f64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            low + (high - low) * (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        for _ in 0..2_000 {
            let point = [random(-180.0, 180.0), random(-90.0, 90.0)];
            let (w, s) = (random(-180.0, 170.0), random(-90.0, 80.0));
            let (e, n) = (random(w, 180.0), random(s, 90.0));
            let mut least = f64::INFINITY;
            for i in 0..=40 {
                for j in 0..=40 {
                    let x = w + (e - w) * f64::from(i) / 40.0;
                    let y = s + (n - s) * f64::from(j) / 40.0;
                    least = least.min(km(point, x, y, x, y));
                }
            }
            let found = km(point, w, s, e, n);
            assert!(
                found <= least + 1e-6,
                "{point:?} {w} {s} {e} {n}: {found} {least}"
            );
            assert!(
                least <= found + 500.0,
                "{point:?} {w} {s} {e} {n}: {found} {least}"
            );
        }
    }
}
