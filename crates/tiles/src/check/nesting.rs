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
    let shell_of: HashMap<usize, usize> = rings
        .iter()
        .enumerate()
        .filter(|(_, r)| !r.interior)
        .map(|(at, r)| (r.polygon, at))
        .collect();
    // Westernmost first; of those that begin together the wider one, which may hold the other.
    let mut order: Vec<usize> = (0..rings.len()).collect();
    order.sort_unstable_by_key(|&r| (boxes[r][0][0], -boxes[r][1][0]));
    let mut open: Vec<usize> = Vec::new();
    for group in order
        .chunk_by(|&r, &s| (boxes[r][0][0], boxes[r][1][0]) == (boxes[s][0][0], boxes[s][1][0]))
    {
        open.retain(|&s| boxes[s][1][0] >= boxes[group[0]][0][0]);
        open.extend(group);
        for &r in group {
            let around = |s: &usize| {
                let covers = (0..2).all(|k| {
                    boxes[*s][0][k] <= boxes[r][0][k] && boxes[r][1][k] <= boxes[*s][1][k]
                });
                *s != r && covers && lies_in(rings, touches, r, *s)
            };
            let around: Vec<usize> = open.iter().copied().filter(around).collect();
            placed_well(rings, r, shell_of[&rings[r].polygon], &around)?;
        }
    }
    Ok(())
}

/// `around`: the rings in which `r` lies.
fn placed_well(rings: &[Ring<'_>], r: usize, shell: usize, around: &[usize]) -> Result<(), Defect> {
    let ring = &rings[r];
    let at = ring.points[0];
    if ring.interior {
        let sibling = |s: &&usize| rings[**s].interior && rings[**s].polygon == ring.polygon;
        let misplaced = !around.contains(&shell) || around.iter().any(|s| sibling(&s));
        return if misplaced {
            Err(Defect::HoleMisplaced(at))
        } else {
            Ok(())
        };
    }
    // How many exteriors less holes of each other polygon are around an exterior.
    let mut depths: HashMap<usize, i32> = HashMap::new();
    for s in around
        .iter()
        .map(|&s| &rings[s])
        .filter(|s| s.polygon != ring.polygon)
    {
        *depths.entry(s.polygon).or_default() += if s.interior { -1 } else { 1 };
    }
    match depths.values().any(|d| *d != 0) {
        true => Err(Defect::Overlap(at)),
        false => Ok(()),
    }
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
