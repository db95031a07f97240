//! What a tile takes of the cells in and around it.

use super::edge::{Edge, Step};
use super::outline::Outline;
use super::{BUFFER_STEPS, MAX_SMALL, STEPS};
use crate::TileCoord;

/// First and last step of a frame around a tile. It lies further out than what is drawn by more than the longest edge, so
/// it isn't seen what becomes of edges there.
pub(super) const FIRST: i16 = -(MAX_SMALL as i16 + BUFFER_STEPS);
pub(super) const LAST: i16 = STEPS as i16 - FIRST;

/// The edges of all cells, in steps from the tile's corner. Vertices outside of the frame are moved onto it, which keeps
/// each outline closed.
pub(super) fn gathered<'a>(
    tile: TileCoord,
    cells: impl IntoIterator<Item = &'a Outline>,
) -> Vec<Edge> {
    let mut all = Vec::new();
    let mut sides = Sides::default();
    for (ends, count) in cells.into_iter().flat_map(|cell| cell.drawn(tile)) {
        let [a, b] = ends.map(|p| p.map(|v| v.clamp(FIRST, LAST)));
        if !sides.take(a, b, count) {
            all.extend(Edge::new(a, b, count));
        }
    }
    sides.add_to(&mut all);
    all
}

/// What lies on the sides of the frame: many edges over each other, of which the sum of each step counts.
struct Sides([Vec<i32>; 4]);

impl Default for Sides {
    fn default() -> Self {
        Self([0; 4].map(|_| vec![0; (LAST - FIRST) as usize]))
    }
}

impl Sides {
    /// Whether the edge is on a side.
    fn take(&mut self, a: Step, b: Step, count: i32) -> bool {
        let is_on = |side: &usize| {
            let (axis, at) = (side / 2, [FIRST, LAST][side % 2]);
            a[axis] == at && b[axis] == at
        };
        let Some(side) = (0..4).find(is_on) else {
            return false;
        };
        let along = 1 - side / 2;
        let [from, to] = [a, b].map(|p| (p[along] - FIRST) as usize);
        let (range, count) = match from < to {
            true => (from..to, count),
            false => (to..from, -count),
        };
        self.0[side][range].iter_mut().for_each(|sum| *sum += count);
        true
    }

    fn add_to(self, edges: &mut Vec<Edge>) {
        for (side, sums) in self.0.iter().enumerate() {
            let mut from = 0;
            for run in sums.chunk_by(|a, b| a == b) {
                let to = from + run.len();
                let end = |at: usize| {
                    let mut p = [[FIRST, LAST][side % 2]; 2];
                    p[1 - side / 2] = FIRST + at as i16;
                    p
                };
                if run[0] != 0 {
                    edges.extend(Edge::new(end(from), end(to), run[0]));
                }
                from = to;
            }
        }
    }
}
