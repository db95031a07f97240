//! Edges by the squares that they pass, so that only edges near each other are compared.

use super::{Point, index};

/// Squares along each axis at most; finer ones would cost more to fill than they save.
const MAX_CELLS: i64 = 256;

/// Entries for each edge on average, above which the squares are made larger: many long edges would fill
/// the memory.
const MAX_SHARE: usize = 24;

/// A square grid; each cell lists the edges that come within a pixel of it.
#[derive(Debug)]
pub(crate) struct Buckets {
    low: Point,
    shift: u32,
    columns: usize,
    /// Start of each cell in `items`, row by row, and the end of the last.
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Buckets {
    pub(crate) fn new(edges: &[[Point; 2]]) -> Self {
        let (mut low, mut high) = ([i32::MAX; 2], [i32::MIN; 2]);
        for p in edges.iter().flatten() {
            for k in 0..2 {
                low[k] = low[k].min(p[k]);
                high[k] = high[k].max(p[k]);
            }
        }
        if edges.is_empty() {
            (low, high) = ([0; 2], [0; 2]);
        }
        let size = [0, 1].map(|k| i64::from(high[k]) - i64::from(low[k]) + 1);
        // About two edges a cell.
        let wanted = (edges.len() as u64 / 2).isqrt().clamp(1, MAX_CELLS as u64);
        let longest = u64::try_from(size[0].max(size[1])).unwrap_or(1);
        let mut shift = (longest.div_ceil(wanted))
            .next_power_of_two()
            .trailing_zeros();
        loop {
            let cells = |k: usize| usize::try_from((size[k] - 1) >> shift).unwrap_or(0) + 1;
            let mut buckets = Self {
                low,
                shift,
                columns: cells(0),
                starts: vec![0; cells(0) * cells(1) + 1],
                items: Vec::new(),
            };
            if buckets.fill(edges) {
                return buckets;
            }
            shift += 1;
        }
    }

    /// The edges of each cell. Two edges that meet are together in some cell, maybe in several.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &[u32]> {
        self.starts
            .windows(2)
            .map(|w| &self.items[w[0] as usize..w[1] as usize])
    }

    /// The edges that may come within a pixel of a point in the box around all edges.
    pub(crate) fn at(&self, p: Point) -> &[u32] {
        let [column, row] = self.cell(p);
        self.list(column, row)
    }

    /// The edges that may come over a point on the way north from it, each once.
    pub(crate) fn north_of(&self, p: Point) -> Vec<u32> {
        let [column, row] = self.cell(p);
        let mut all: Vec<u32> = (0..=row)
            .flat_map(|row| self.list(column, row))
            .copied()
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn list(&self, column: usize, row: usize) -> &[u32] {
        let cell = row * self.columns + column;
        &self.items[self.starts[cell] as usize..self.starts[cell + 1] as usize]
    }

    fn cell(&self, p: Point) -> [usize; 2] {
        let at = |k: usize| ((p[k] - self.low[k]).max(0) >> self.shift) as usize;
        [at(0).min(self.columns - 1), at(1).min(self.rows() - 1)]
    }

    fn rows(&self) -> usize {
        (self.starts.len() - 1) / self.columns
    }

    /// False when the cells are too small for edges so long.
    fn fill(&mut self, edges: &[[Point; 2]]) -> bool {
        let limit = edges.len() * MAX_SHARE;
        let mut total = 0;
        for &edge in edges {
            self.each(edge, |starts, cell| {
                starts[cell + 1] += 1;
                total += 1;
            });
            if total > limit && self.starts.len() > 2 {
                return false;
            }
        }
        let mut sum = 0;
        for start in &mut self.starts {
            sum += *start;
            *start = sum;
        }
        // Filling moves each start to its cell's end, which is where the next one starts.
        self.items = vec![0; sum as usize];
        let mut items = std::mem::take(&mut self.items);
        for (number, &edge) in edges.iter().enumerate() {
            self.each(edge, |starts, cell| {
                items[starts[cell] as usize] = index(number);
                starts[cell] += 1;
            });
        }
        self.items = items;
        self.starts.rotate_right(1);
        self.starts[0] = 0;
        true
    }

    /// Calls `f` with each cell that the edge, a pixel thick on each side, passes.
    fn each(&mut self, [a, b]: [Point; 2], mut f: impl FnMut(&mut [u32], usize)) {
        let rows = self.rows();
        let clamp = |v: i64, count: usize| usize::try_from(v).unwrap_or(0).min(count - 1);
        let local = |p: Point| [0, 1].map(|k| i64::from(p[k]) - i64::from(self.low[k]));
        let (a, b) = (local(a), local(b));
        let (a, b) = if a[1] <= b[1] { (a, b) } else { (b, a) };
        let (first, last) = (
            clamp((a[1] - 1) >> self.shift, rows),
            clamp((b[1] + 1) >> self.shift, rows),
        );
        let (west, east) = (a[0].min(b[0]) - 1, a[0].max(b[0]) + 1);
        let (from, to) = (
            clamp(west >> self.shift, self.columns),
            clamp(east >> self.shift, self.columns),
        );
        if first == last && from == to {
            return f(&mut self.starts, first * self.columns + from);
        }
        let steep = b[1] - a[1];
        for row in first..=last {
            // Where the edge is while it passes this row, a pixel more on each side for the rounding.
            let (from, to) = if first == last || steep == 0 {
                (west, east)
            } else {
                let top = (((row as i64) << self.shift) - 1).clamp(a[1], b[1]);
                let bottom = (((row as i64 + 1) << self.shift) + 1).clamp(a[1], b[1]);
                let x = |y: i64| a[0] + (y - a[1]) * (b[0] - a[0]) / steep;
                let (p, q) = (x(top), x(bottom));
                (p.min(q) - 2, p.max(q) + 2)
            };
            let (from, to) = (
                clamp(from.max(west) >> self.shift, self.columns),
                clamp(to.min(east) >> self.shift, self.columns),
            );
            for column in from..=to {
                f(&mut self.starts, row * self.columns + column);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(seed: &mut u64, n: i32) -> i32 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i32::try_from((*seed >> 33) % u64::try_from(n).unwrap()).unwrap()
    }

    /// Everything within a pixel of an edge finds it, long edges and short.
    #[test]
    fn what_is_near_an_edge_finds_it() {
        let mut seed = 1;
        for round in 0..60 {
            let reach = [3, 40, 4000][round % 3];
            let edges: Vec<[Point; 2]> = (0..200)
                .map(|_| {
                    let a = [random(&mut seed, 4224) - 64, random(&mut seed, 4224) - 64];
                    let mut off = || random(&mut seed, 2 * reach + 1) - reach;
                    [a, [a[0] + off(), a[1] + off()]]
                })
                .collect();
            let buckets = Buckets::new(&edges);
            for (number, &[a, b]) in edges.iter().enumerate() {
                for k in 0..=20 {
                    // Less than a pixel beside the edge.
                    let p = [0, 1].map(|i| a[i] + (b[i] - a[i]) * k / 20);
                    assert!(buckets.at(p).contains(&index(number)), "{a:?} {b:?} {p:?}");
                    let south = buckets.north_of([p[0], p[1] + 30]);
                    assert!(south.contains(&index(number)), "{a:?} {b:?} {p:?}");
                }
            }
        }
    }

    #[test]
    fn long_edges_do_not_fill_the_memory() {
        let edges: Vec<[Point; 2]> = (0..20_000)
            .map(|i| [[i % 4096, 0], [4096 - i % 4096, 4096]])
            .collect();
        let buckets = Buckets::new(&edges);
        assert!(buckets.items.len() <= edges.len() * MAX_SHARE);
        assert_eq!(Buckets::new(&[]).at([0, 0]), [0; 0]);
    }
}
