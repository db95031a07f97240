//! The cells of the plan as rings of vertices. Every vertex comes from one function of its place on the plan, so cells that touch
//! share vertices exactly: the plane is partitioned without gaps and overlaps.
//!
//! Rings are counter-clockwise and not closed. "Right" is the side of lower bearing for one who looks away from the square.

use super::block::{Block, SCALE};
use super::ground::{Ground, Metres, Vertex};
use super::plan::{MAIN, Plan};

/// Vertices of the square's edge in one sector, besides its first one.
const SQUARE_SHAPE: usize = 4;

pub(super) struct Land {
    pub(super) plan: Plan,
    pub(super) ground: Ground,
}

/// A block with the vertices of its three lines, by cut.
pub(super) struct Lot {
    pub(super) block: Block,
    pub(super) inner: Vec<(u16, Vertex)>,
    pub(super) mid: Vec<(u16, Vertex)>,
    pub(super) outer: Vec<(u16, Vertex)>,
}

impl Land {
    pub(super) fn new(plan: Plan) -> Self {
        let ground = Ground::new(plan.seed);
        Self { plan, ground }
    }

    /// Turns that `metres` take at the distance `rho`.
    fn turns(rho: f64, metres: f64) -> f64 {
        metres / (std::f64::consts::TAU * rho)
    }

    /// Right and left edge of radial `i` (may be `sectors`) of band `k` at the distance `rho`, in turns.
    fn edge_bearings(&self, k: usize, i: usize, rho: f64) -> (f64, f64) {
        let i = i % self.plan.bands[k].sectors;
        let half = Self::turns(rho, self.plan.width(k, i) / 2.0);
        (
            self.plan.bearing(k, i) - half,
            self.plan.bearing(k, i) + half,
        )
    }

    pub(super) fn right(&self, k: usize, i: usize, rho: f64) -> Vertex {
        self.ground.vertex(rho, self.edge_bearings(k, i, rho).0)
    }

    pub(super) fn left(&self, k: usize, i: usize, rho: f64) -> Vertex {
        self.ground.vertex(rho, self.edge_bearings(k, i, rho).1)
    }

    /// Bearing of a cut of block `i`: the block's own interpolation, never met by another way.
    pub(super) fn cut_bearing(&self, k: usize, i: usize, rho: f64, cut: f64) -> f64 {
        let from = self.edge_bearings(k, i, rho).1;
        let to = self.edge_bearings(k, i + 1, rho).0;
        let wrap = if i + 1 == self.plan.bands[k].sectors {
            1.0
        } else {
            0.0
        };
        from + (to + wrap - from) * cut / f64::from(SCALE)
    }

    fn line(&self, k: usize, i: usize, rho: f64, cuts: Vec<u16>) -> Vec<(u16, Vertex)> {
        let vertex = |cut: u16| match cut {
            0 => self.left(k, i, rho),
            SCALE => self.right(k, i + 1, rho),
            _ => self
                .ground
                .vertex(rho, self.cut_bearing(k, i, rho, f64::from(cut))),
        };
        cuts.into_iter().map(|cut| (cut, vertex(cut))).collect()
    }

    pub(super) fn middle(&self, k: usize) -> f64 {
        (self.plan.bands[k].inner + self.plan.bands[k].outer) / 2.0
    }

    pub(super) fn lot(&self, k: usize, i: usize) -> Lot {
        let (band, block) = (&self.plan.bands[k], self.plan.block(k, i));
        Lot {
            inner: self.line(k, i, band.inner, block.inner_edge()),
            mid: self.line(k, i, self.middle(k), block.mid_line()),
            outer: self.line(k, i, band.outer, block.outer_edge()),
            block,
        }
    }

    /// Radial street `i` of band `k`, between the blocks `before` (right of it) and `after`.
    pub(super) fn radial(&self, k: usize, i: usize, before: &Lot, after: &Lot) -> Vec<Vertex> {
        let mut ring = last(before);
        ring.extend(first(after).into_iter().rev());
        debug_assert_eq!(ring[0], self.right(k, i, self.plan.bands[k].inner));
        ring
    }

    /// Ring street `r` from radial `i` to `i + 1` of the band inside it; where the river meets it, the crossing first.
    /// `inside` is block `i` of band `r - 1`, `outside` are the blocks of band `r` along it.
    pub(super) fn ring(
        &self,
        r: usize,
        i: usize,
        inside: &Lot,
        outside: &[Lot],
    ) -> (Option<Vec<Vertex>>, Vec<Vertex>) {
        let (k, factor) = (r - 1, self.plan.factor(r));
        let (low, high) = (self.plan.bands[k].outer, self.plan.bands[r].inner);
        let here = [self.right(k, i, low), self.right(r, i * factor, high)];
        let bottom: Vec<Vertex> = inside.outer.iter().rev().map(|v| v.1).collect();
        let mut top = Vec::new();
        for lot in outside {
            top.extend(lot.inner.iter().map(|v| v.1));
        }
        // The last vertex of `top` is the right edge of the next radial; of `bottom`, the left edge of this one.
        let start = [self.left(k, i, low), self.left(r, i * factor, high)];
        let end = [
            self.right(r, (i + 1) * factor, high),
            self.right(k, i + 1, low),
        ];
        debug_assert_eq!(top.last(), Some(&end[0]));
        if self.plan.crossings(r) > 0 && self.plan.is_river(r, i * factor) {
            let crossing = vec![here[0], here[1], start[1], start[0]];
            return (Some(crossing), [top, bottom].concat());
        }
        (None, [here.to_vec(), top, bottom].concat())
    }

    /// Vertices of the square's edge in sector `s`, its first included, the next sector's excluded.
    fn square_edge(&self, s: usize) -> Vec<Vertex> {
        let rho = self.plan.bands[0].ring - self.plan.bands[0].ring_width / 2.0;
        let (from, mut to) = (
            self.edge_bearings(0, s, rho).0,
            self.edge_bearings(0, s + 1, rho).0,
        );
        if s + 1 == MAIN {
            to += 1.0;
        }
        let step = (to - from) / (SQUARE_SHAPE + 1) as f64;
        (0..=SQUARE_SHAPE)
            .map(|n| self.ground.vertex(rho, from + step * n as f64))
            .collect()
    }

    pub(super) fn square(&self) -> Vec<Vertex> {
        (0..MAIN).flat_map(|s| self.square_edge(s)).collect()
    }

    /// The street around the square in sector `s`.
    pub(super) fn square_ring(&self, s: usize, outside: &Lot) -> Vec<Vertex> {
        let mut ring = vec![
            self.square_edge(s)[0],
            self.right(0, s, self.plan.bands[0].inner),
        ];
        ring.extend(outside.inner.iter().map(|v| v.1));
        ring.push(self.square_edge((s + 1) % MAIN)[0]);
        ring.extend(self.square_edge(s).into_iter().skip(1).rev());
        ring
    }

    /// A hamlet without a street: so many wedges of a disc.
    pub(super) fn wedges(&self, count: u64) -> Vec<Vec<Vertex>> {
        let pieces = 24_u64.div_ceil(count).max(2);
        let all = count * pieces;
        let at = |n: u64| self.ground.vertex(62.0, (n % all) as f64 / all as f64);
        if count == 1 {
            return vec![(0..all).map(at).collect()];
        }
        let centre = self.ground.vertex(0.0, 0.0);
        let wedge = |w: u64| {
            std::iter::once(centre)
                .chain((w * pieces..=(w + 1) * pieces).map(at))
                .collect()
        };
        (0..count).map(wedge).collect()
    }

    /// Outline of the bands `bands` between the radials `from` and `to` of the first of them, streets along the outside included.
    pub(super) fn outline(
        &self,
        bands: std::ops::Range<usize>,
        from: usize,
        to: usize,
    ) -> Vec<Vertex> {
        let (mut at, mut until) = (from, to);
        let (mut right, mut left) = (Vec::new(), Vec::new());
        for k in bands.clone() {
            if k > bands.start {
                at *= self.plan.factor(k);
                until *= self.plan.factor(k);
            }
            right.extend(self.side(k, at));
            left.extend(self.side(k, until));
        }
        let mut ring = right;
        if bands.end < self.plan.bands.len() {
            let factor = self.plan.factor(bands.end);
            ring.extend(self.inner_rim(bands.end, at * factor, until * factor));
        } else {
            ring.extend(self.outer_rim(bands.end - 1, at, until));
        }
        ring.extend(left.into_iter().rev());
        ring.extend(self.inner_rim(bands.start, from, to).into_iter().rev());
        ring.dedup();
        if ring.first() == ring.last() {
            ring.pop();
        }
        ring
    }

    /// Outline of everything inside ring street `bands`, that street included; with all bands, of the town.
    pub(super) fn disc(&self, bands: usize) -> Vec<Vertex> {
        let mut ring = match self.plan.bands.get(bands) {
            Some(band) => self.inner_rim(bands, 0, band.sectors),
            None if bands == 0 => {
                return self
                    .wedges(self.plan.centre)
                    .into_iter()
                    .flat_map(skip_centre(self.plan.centre))
                    .collect();
            }
            None => self.outer_rim(bands - 1, 0, self.plan.bands[bands - 1].sectors),
        };
        ring.pop();
        ring
    }

    /// Right edge of radial `i`, outwards, with the vertices of the block to its right.
    fn side(&self, k: usize, i: usize) -> Vec<Vertex> {
        let band = &self.plan.bands[k];
        let before = (i + band.sectors - 1) % band.sectors;
        let mut side = vec![self.right(k, i, band.inner)];
        if self.plan.block(k, before).two_rows() {
            side.push(self.right(k, i, self.middle(k)));
        }
        side.push(self.right(k, i, band.outer));
        side
    }

    /// Inner edge of band `k` from the right edge of radial `from` to that of `to`.
    fn inner_rim(&self, k: usize, from: usize, to: usize) -> Vec<Vertex> {
        self.rim(k, self.plan.bands[k].inner, from, to, Block::inner_edge)
    }

    fn outer_rim(&self, k: usize, from: usize, to: usize) -> Vec<Vertex> {
        self.rim(k, self.plan.bands[k].outer, from, to, Block::outer_edge)
    }

    fn rim(
        &self,
        k: usize,
        rho: f64,
        from: usize,
        to: usize,
        edge: fn(&Block) -> Vec<u16>,
    ) -> Vec<Vertex> {
        let mut rim = vec![self.right(k, from, rho)];
        for i in from..to {
            let cuts = edge(&self.plan.block(k, i));
            rim.extend(self.line(k, i, rho, cuts).into_iter().map(|v| v.1));
        }
        rim
    }

    /// A place inside the block: `along` and `across` in 0..1, in metres.
    pub(super) fn place(&self, k: usize, i: usize, along: f64, across: f64) -> Metres {
        let band = &self.plan.bands[k];
        let rho = band.inner + (band.outer - band.inner) * across;
        self.ground
            .metres(rho, self.cut_bearing(k, i, rho, along * f64::from(SCALE)))
    }
}

/// Of each wedge only the rim is the outline's, without the vertex that the next wedge begins with.
fn skip_centre(count: u64) -> impl Fn(Vec<Vertex>) -> Vec<Vertex> {
    move |wedge| {
        if count == 1 {
            return wedge;
        }
        wedge[1..wedge.len() - 1].to_vec()
    }
}

/// The edge of a block towards the next radial, outwards.
fn last(lot: &Lot) -> Vec<Vertex> {
    [&lot.inner, &lot.mid, &lot.outer]
        .into_iter()
        .filter_map(|line| line.last())
        .map(|v| v.1)
        .collect()
}

fn first(lot: &Lot) -> Vec<Vertex> {
    [&lot.inner, &lot.mid, &lot.outer]
        .into_iter()
        .filter_map(|line| line.first())
        .map(|v| v.1)
        .collect()
}

impl Lot {
    /// Outline of the block.
    pub(super) fn outline(&self) -> Vec<Vertex> {
        // The right side of a block is its first cut.
        let mut ring = first(self);
        ring.extend(self.outer.iter().map(|v| v.1).skip(1));
        ring.extend(last(self).into_iter().rev().skip(1));
        ring.extend(self.inner.iter().map(|v| v.1).rev().skip(1));
        ring.pop();
        ring
    }

    /// Rings of the parcels with the cuts that bound them, and whether they are in the outer row: the inner row first.
    pub(super) fn parcels(&self) -> Vec<(Vec<Vertex>, u16, u16, bool)> {
        let mut out = Vec::with_capacity(self.block.count() as usize);
        let top = if self.block.two_rows() {
            &self.mid
        } else {
            &self.outer
        };
        for pair in self.block.inner.windows(2) {
            out.push((
                between(&self.inner, top, pair[0], pair[1]),
                pair[0],
                pair[1],
                false,
            ));
        }
        for pair in self.block.outer.windows(2) {
            out.push((
                between(&self.mid, &self.outer, pair[0], pair[1]),
                pair[0],
                pair[1],
                true,
            ));
        }
        out
    }
}

/// The ring between two lines and two cuts. Its right side is the lower cut.
fn between(low: &[(u16, Vertex)], high: &[(u16, Vertex)], from: u16, to: u16) -> Vec<Vertex> {
    let piece = |line: &[(u16, Vertex)]| {
        line.iter()
            .filter(|v| (from..=to).contains(&v.0))
            .map(|v| v.1)
            .collect::<Vec<_>>()
    };
    let mut ring = piece(high);
    ring.extend(piece(low).into_iter().rev());
    ring
}
