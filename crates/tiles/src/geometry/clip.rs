//! Clipping to the buffered square, with crossings rounded exactly.
//!
//! The crossing of an edge with a side depends on the edge alone and not on its direction, so two
//! neighbours get the same vertex.

use super::{LINE_MAX, LINE_MIN, MAX, MIN};

/// A snapped vertex before clipping; may lie 2^33 pixels away.
pub(crate) type Far = [i64; 2];

/// A square that is shown, its sides included.
#[derive(Clone, Copy)]
pub(crate) struct Square {
    low: i64,
    high: i64,
}

/// For points and polygons.
pub(crate) const SQUARE: Square = Square {
    low: MIN as i64,
    high: MAX as i64,
};

pub(crate) const LINE_SQUARE: Square = Square {
    low: LINE_MIN as i64,
    high: LINE_MAX as i64,
};

impl Square {
    /// (axis, limit, whether the inside is above it), in the order in which everything is clipped.
    const fn sides(self) -> [(usize, i64, Keep); 4] {
        [
            (0, self.low, Keep::Above),
            (0, self.high, Keep::Below),
            (1, self.low, Keep::Above),
            (1, self.high, Keep::Below),
        ]
    }

    pub(crate) fn holds(self, p: Far) -> bool {
        p.iter().all(|v| (self.low..=self.high).contains(v))
    }

    /// Whether nothing between two corners of a box is in the square.
    pub(crate) fn misses(self, low: Far, high: Far) -> bool {
        (0..2).any(|k| high[k] < self.low || low[k] > self.high)
    }
}

#[derive(Clone, Copy)]
enum Keep {
    Above,
    Below,
}

impl Keep {
    fn inside(self, value: i64, limit: i64) -> bool {
        match self {
            Self::Above => value >= limit,
            Self::Below => value <= limit,
        }
    }
}

/// Clips a ring by Sutherland and Hodgman's method; may leave edges that run along the sides and meet
/// each other there, which the repair removes.
pub(crate) fn ring(ring: &mut Vec<Far>, spare: &mut Vec<Far>) {
    for (axis, limit, keep) in SQUARE.sides() {
        let Some(&last) = ring.last() else { return };
        spare.clear();
        let mut previous = last;
        for &p in ring.iter() {
            let was_in = keep.inside(previous[axis], limit);
            let is_in = keep.inside(p[axis], limit);
            if was_in != is_in {
                let at = crossing(previous, p, axis, limit);
                if spare.last() != Some(&at) {
                    spare.push(at);
                }
            }
            if is_in && spare.last() != Some(&p) {
                spare.push(p);
            }
            previous = p;
        }
        std::mem::swap(ring, spare);
    }
}

/// Clips a line; calls `emit` with each vertex and whether it begins a new piece.
pub(crate) fn line(line: &[Far], mut emit: impl FnMut(Far, Begins)) {
    let mut open: Option<Far> = None;
    for edge in line.windows(2) {
        let Some([a, b]) = segment(edge[0], edge[1]) else {
            open = None;
            continue;
        };
        if open != Some(a) {
            emit(a, Begins::Piece);
        }
        if a != b {
            emit(b, Begins::Nothing);
        }
        // A clipped end is the end of its piece, even when the line comes back at the same pixel.
        open = (b == edge[1]).then_some(b);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    Piece,
    Nothing,
}

fn segment(mut a: Far, mut b: Far) -> Option<[Far; 2]> {
    for (axis, limit, keep) in LINE_SQUARE.sides() {
        let (a_in, b_in) = (keep.inside(a[axis], limit), keep.inside(b[axis], limit));
        match (a_in, b_in) {
            (true, true) => {}
            (false, false) => return None,
            (true, false) => b = crossing(a, b, axis, limit),
            (false, true) => a = crossing(a, b, axis, limit),
        }
    }
    Some([a, b])
}

/// Where the segment meets the line `axis = limit`, the other coordinate rounded half up.
fn crossing(a: Far, b: Far, axis: usize, limit: i64) -> Far {
    let other = 1 - axis;
    let run = i128::from(b[axis] - a[axis]);
    let num = i128::from(limit - a[axis]) * i128::from(b[other] - a[other]);
    let (num, run) = if run < 0 { (-num, -run) } else { (num, run) };
    let offset = (2 * num + run).div_euclid(2 * run);
    let mut at = [limit; 2];
    at[other] = a[other] + i64::try_from(offset).expect("it lies between the ends of its edge");
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clipped(points: &[Far]) -> Vec<Far> {
        let mut points = points.to_vec();
        ring(&mut points, &mut Vec::new());
        points
    }

    fn pieces(points: &[Far]) -> Vec<Vec<Far>> {
        let mut pieces: Vec<Vec<Far>> = Vec::new();
        line(points, |p, begins| match begins {
            Begins::Piece => pieces.push(vec![p]),
            Begins::Nothing => pieces.last_mut().unwrap().push(p),
        });
        pieces
    }

    #[test]
    fn a_ring_around_the_square_becomes_the_square() {
        let far = 1 << 33;
        let mut square = clipped(&[[-far, -far], [far, -far], [far, far], [-far, far]]);
        square.sort_unstable();
        assert_eq!(square, [[-64, -64], [-64, 4160], [4160, -64], [4160, 4160]]);
    }

    #[test]
    fn a_crossing_is_the_same_from_both_ends() {
        let (a, b) = ([-1000, 17], [1003, 1018]);
        let there = pieces(&[a, b]);
        let mut back = pieces(&[b, a]);
        back[0].reverse();
        // 17 + 744 * 1001 / 2003 = 388.81
        assert_eq!(there, [[[-256, 389], [1003, 1018]]]);
        assert_eq!(there, back);
    }

    #[test]
    fn halves_are_rounded_up_on_both_sides() {
        // y = 0.5 at x = -256, and y = -0.5.
        assert_eq!(pieces(&[[-257, 0], [-255, 1]])[0][0], [-256, 1]);
        assert_eq!(pieces(&[[-257, 0], [-255, -1]])[0][0], [-256, 0]);
    }

    #[test]
    fn a_line_that_leaves_and_comes_back_is_two_pieces() {
        let line = [[0, 0], [5000, 0], [5000, 100], [0, 100]];
        assert_eq!(
            pieces(&line),
            [vec![[0, 0], [4352, 0]], vec![[4352, 100], [0, 100]]]
        );
        // Even when it comes back where it left.
        assert_eq!(pieces(&[[0, 0], [5000, 0], [0, 0]]).len(), 2);
    }

    #[test]
    fn what_runs_past_a_corner_is_nothing() {
        assert_eq!(pieces(&[[-600, 0], [0, -600]]), [[[0; 2]; 0]; 0]);
        assert_eq!(clipped(&[[-200, 0], [0, -200], [-200, -200]]), [[0; 2]; 0]);
    }
}
