//! Which ring lies in which.

use std::collections::HashMap;

use super::touch::Touch;
use super::{Defect, Point, Ring};
use crate::geometry::cross;

/// Whether each polygon's interior is in one piece: rings and the points where they touch must form no loop.
///
/// # Errors
/// [`Defect::Disconnected`].
pub(super) fn connected(rings: &[Ring<'_>], touches: &[Touch]) -> Result<(), Defect> {
    let mut ends = Ends((0..rings.len()).collect());
    let mut points: HashMap<(usize, Point), usize> = HashMap::new();
    let mut joined = std::collections::HashSet::new();
    for touch in touches {
        let [r, s] = touch.rings;
        if rings[r].polygon != rings[s].polygon {
            continue;
        }
        let point = *points
            .entry((rings[r].polygon, touch.point))
            .or_insert_with(|| {
                ends.0.push(ends.0.len());
                ends.0.len() - 1
            });
        for ring in touch.rings {
            if joined.insert((ring, point)) && !ends.join(ring, point) {
                return Err(Defect::Disconnected(touch.point));
            }
        }
    }
    Ok(())
}

/// Whether holes lie in their exterior and not in each other, and polygons not in each other.
///
/// # Errors
/// [`Defect::HoleMisplaced`] or [`Defect::Overlap`].
pub(super) fn nested(rings: &[Ring<'_>], touches: &[Touch]) -> Result<(), Defect> {
    let boxes: Vec<[Point; 2]> = rings.iter().map(|r| bounds(r.points)).collect();
    let inside = |r: usize, s: usize| -> bool {
        let covers = (0..2).all(|k| boxes[s][0][k] <= boxes[r][0][k] && boxes[r][1][k] <= boxes[s][1][k]);
        covers && lies_in(rings, touches, r, s)
    };
    let shell_of: HashMap<usize, usize> = rings
        .iter()
        .enumerate()
        .filter(|(_, r)| !r.interior)
        .map(|(at, r)| (r.polygon, at))
        .collect();
    for (r, ring) in rings.iter().enumerate() {
        let at = ring.points[0];
        if ring.interior && !inside(r, shell_of[&ring.polygon]) {
            return Err(Defect::HoleMisplaced(at));
        }
        // How many exteriors less holes of each other polygon are around an exterior.
        let mut depths: HashMap<usize, i32> = HashMap::new();
        for (s, other) in rings.iter().enumerate() {
            let same = other.polygon == ring.polygon;
            if r == s || same != ring.interior || !inside(r, s) {
                continue;
            }
            if !ring.interior {
                *depths.entry(other.polygon).or_default() += if other.interior { -1 } else { 1 };
            } else if other.interior {
                return Err(Defect::HoleMisplaced(at));
            }
        }
        if depths.values().any(|d| *d != 0) {
            return Err(Defect::Overlap(at));
        }
    }
    Ok(())
}

/// Whether ring `r` lies in what ring `s` goes around. They do not cross.
fn lies_in(rings: &[Ring<'_>], touches: &[Touch], r: usize, s: usize) -> bool {
    let pair = [r.min(s), r.max(s)];
    let from = touches.partition_point(|t| t.rings < pair);
    if let Some(touch) = touches.get(from).filter(|t| t.rings == pair) {
        let right = touch.other_on_right(usize::from(r < s));
        // A hole runs the other way around.
        return right != rings[s].interior;
    }
    contains(rings[s].points, rings[r].points[0])
}

fn contains(ring: &[Point], p: Point) -> bool {
    let mut inside = false;
    for (&a, &b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        let (w, e) = if a[0] < b[0] { (a, b) } else { (b, a) };
        inside ^= w[0] <= p[0] && p[0] < e[0] && cross(w, e, p) > 0;
    }
    inside
}

fn bounds(ring: &[Point]) -> [Point; 2] {
    let mut low = ring[0];
    let mut high = ring[0];
    for p in ring {
        for k in 0..2 {
            low[k] = low[k].min(p[k]);
            high[k] = high[k].max(p[k]);
        }
    }
    [low, high]
}

/// Union-find.
struct Ends(Vec<usize>);

impl Ends {
    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    /// False when they were joined before.
    fn join(&mut self, a: usize, b: usize) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a] = b;
        a != b
    }
}
