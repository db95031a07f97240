//! From world units to valid integer geometry of one tile.

pub(crate) mod arrange;
pub(crate) mod buckets;
pub(crate) mod clip;
pub(crate) mod collapse;
pub(crate) mod cut;
pub(crate) mod node;
pub(crate) mod repair;
pub(crate) mod simple;

use crate::{BUFFER, LINE_BUFFER, TILE_EXTENT};

/// A vertex in tile pixels, y down.
pub(crate) type Point = [i32; 2];

/// First and last pixel of the buffered square, in x and in y; both inclusive.
pub(crate) const MIN: i32 = -(BUFFER as i32);
pub(crate) const MAX: i32 = TILE_EXTENT as i32 + BUFFER as i32;
/// The same for lines.
pub(crate) const LINE_MIN: i32 = -(LINE_BUFFER as i32);
pub(crate) const LINE_MAX: i32 = TILE_EXTENT as i32 + LINE_BUFFER as i32;

/// A line or a ring (open: the first vertex is not repeated) in [`Parts::coords`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) interior: bool,
}

impl Part {
    pub(crate) fn of(self, coords: &[Point]) -> &[Point] {
        &coords[self.start as usize..self.end as usize]
    }
}

/// Vertices of many features, one after another, and the parts which they form.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) coords: Vec<Point>,
    pub(crate) parts: Vec<Part>,
}

impl Parts {
    pub(crate) fn push(&mut self, points: impl IntoIterator<Item = Point>, interior: bool) {
        let start = self.coords.len();
        self.coords.extend(points);
        self.close(start, interior);
    }

    /// Makes a part of the vertices from `start` on.
    pub(crate) fn close(&mut self, start: usize, interior: bool) {
        self.parts.push(Part {
            start: index(start),
            end: index(self.coords.len()),
            interior,
        });
    }

    pub(crate) fn ring(&self, part: usize) -> &[Point] {
        self.parts[part].of(&self.coords)
    }
}

/// A position in a layer's vertices as `u32`.
pub(crate) fn index(at: usize) -> u32 {
    u32::try_from(at).expect("LayerBuilder stops at MAX_VERTICES, far below 2^32")
}

/// Twice the signed area by the surveyor's formula; positive for exterior rings (MVT 2.1 §4.3.3.3).
pub(crate) fn area2(ring: &[Point]) -> i64 {
    let mut sum = 0;
    let mut last = match ring.last() {
        Some(p) => *p,
        None => return 0,
    };
    for &p in ring {
        sum += i64::from(last[0]) * i64::from(p[1]) - i64::from(p[0]) * i64::from(last[1]);
        last = p;
    }
    sum
}

/// On which side of the line from `a` to `b` the point `c` is: 0 on the line.
pub(crate) fn cross(a: Point, b: Point, c: Point) -> i64 {
    let [abx, aby] = [
        i64::from(b[0]) - i64::from(a[0]),
        i64::from(b[1]) - i64::from(a[1]),
    ];
    let [acx, acy] = [
        i64::from(c[0]) - i64::from(a[0]),
        i64::from(c[1]) - i64::from(a[1]),
    ];
    abx * acy - aby * acx
}

/// Drops repeated vertices and spikes (A, B, A) of a closed ring; what stays is `ring[result..]`.
/// Neither changes the area anywhere, and neighbours lose the same ones.
pub(crate) fn unspike<P: Copy + PartialEq>(ring: &mut Vec<P>, from: usize) {
    let mut kept = from;
    for i in from..ring.len() {
        let p = ring[i];
        let len = kept - from;
        if len >= 1 && ring[kept - 1] == p {
            continue;
        }
        if len >= 2 && ring[kept - 2] == p {
            kept -= 1;
            continue;
        }
        ring[kept] = p;
        kept += 1;
    }
    let mut first = from;
    loop {
        let len = kept - first;
        if len >= 2 && ring[kept - 1] == ring[first] {
            kept -= 1;
        } else if len >= 3 && ring[kept - 2] == ring[first] {
            kept -= 2;
        } else if len >= 3 && ring[kept - 1] == ring[first + 1] {
            kept -= 1;
            first += 1;
        } else {
            break;
        }
    }
    ring.truncate(kept);
    if kept - first < 3 {
        ring.truncate(from);
    } else {
        ring.drain(from..first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unspiked(ring: &[i32]) -> Vec<i32> {
        let mut ring = ring.to_vec();
        unspike(&mut ring, 0);
        ring
    }

    #[test]
    fn repeated_vertices_and_spikes_go() {
        assert_eq!(unspiked(&[1, 1, 2, 3, 3, 1]), [1, 2, 3]);
        assert_eq!(unspiked(&[1, 2, 9, 2, 3]), [1, 2, 3]);
        assert_eq!(unspiked(&[1, 2, 9, 8, 9, 2, 3]), [1, 2, 3]);
        // The spike lies over the seam of the list.
        assert_eq!(unspiked(&[1, 2, 3, 1, 9]), [1, 2, 3]);
        assert_eq!(unspiked(&[9, 1, 2, 3, 1]), [1, 2, 3]);
        assert_eq!(unspiked(&[8, 9, 1, 2, 3, 1, 9]), [1, 2, 3]);
    }

    #[test]
    fn a_ring_that_is_only_a_spike_is_nothing() {
        assert_eq!(unspiked(&[1, 2]), [0; 0]);
        assert_eq!(unspiked(&[1, 2, 3, 2]), [0; 0]);
        assert_eq!(unspiked(&[5, 5, 5, 5]), [0; 0]);
    }

    #[test]
    fn exterior_rings_run_clockwise_on_the_screen() {
        assert_eq!(area2(&[[0, 0], [10, 0], [10, 10], [0, 10]]), 200);
        assert_eq!(area2(&[[0, 0], [0, 10], [10, 10], [10, 0]]), -200);
    }
}
