//! One small ring: every pair of edges, without allocation.

use geo_types::Coord;

use super::DefectKind;
use super::segment::{Meeting, meet, order, side};

/// Up to here trying all pairs is faster than sweeping.
pub(super) const MAX_POINTS: usize = 80;

/// The first defect of a closed ring of finite points without repeated ones, at most [`MAX_POINTS`] of them.
pub(super) fn check(closed: &[Coord<f64>]) -> Option<(DefectKind, Coord<f64>)> {
    let edges = closed.len() - 1;
    if edges < 3 {
        return Some((DefectKind::TooFewPoints, closed[0]));
    }
    // West, south, east, north of each edge.
    let mut boxes = [[0.0; 4]; MAX_POINTS];
    for (i, edge) in closed.windows(2).enumerate() {
        let (a, b) = (edge[0], edge[1]);
        boxes[i] = [a.x.min(b.x), a.y.min(b.y), a.x.max(b.x), a.y.max(b.y)];
        let next = closed[if i + 2 > edges { 1 } else { i + 2 }];
        // Back along the edge just come.
        if side(a, b, next).is_eq() && order(a, b) == order(next, b) {
            return Some((overlap(closed), b));
        }
    }
    let mut touch = None;
    for i in 0..edges {
        let [w, s, e, n] = boxes[i];
        // The edge after the next one at first; the last edge is a neighbour of the first.
        let last = if i == 0 { edges - 1 } else { edges };
        for j in i + 2..last {
            let other = boxes[j];
            if other[0] > e || other[2] < w || other[1] > n || other[3] < s {
                continue;
            }
            match meet([closed[i], closed[i + 1]], [closed[j], closed[j + 1]]) {
                Meeting::Nothing => {}
                Meeting::Crossing(at) => return Some((DefectKind::SelfIntersection, at)),
                Meeting::Overlap(at) => return Some((overlap(closed), at)),
                Meeting::Touch(at) => touch = touch.or(Some((DefectKind::RingSelfTouch, at))),
            }
        }
    }
    touch
}

/// The kind of a ring with edges along each other.
fn overlap(ring: &[Coord<f64>]) -> DefectKind {
    let flat = ring.iter().all(|p| side(ring[0], ring[1], *p).is_eq());
    if flat {
        DefectKind::ZeroArea
    } else {
        DefectKind::SelfIntersection
    }
}
