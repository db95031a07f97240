//! Repairing broken polygons so that their neighbours still fit.
//!
//! A repair bends edges to new vertices. Every other feature that has the same edge gets the same
//! vertices, which may break it in turn; so it goes in rounds, over ever fewer features.

use hashbrown::HashSet;
use model::world::WorldKind;

use super::LayerBuilder;
use crate::geometry::collapse::placeholder;
use crate::geometry::node::{self, EdgeKey, TooTangled};
use crate::geometry::repair::{self, Noding, insert};
use crate::geometry::{Point, simple, unspike};

/// Rounds after which neighbours are left as they are; 20,000 random features and 200 random coverages needed
/// up to seven.
const ROUNDS: usize = 8;

impl LayerBuilder {
    /// Makes every polygon valid; may be called again after more features were added.
    pub(super) fn settle(&mut self) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        self.repaired.clear();
        let mut broken: Vec<usize> = (0..self.rows.len()).filter(|&r| self.rows[r].broken).collect();
        let mut noding = Noding::Due;
        for _ in 0..ROUNDS {
            let nodes = self.nodes(&broken);
            if nodes.is_empty() {
                noding = Noding::Done;
                break;
            }
            broken = self.bend(&nodes);
        }
        for row in 0..self.rows.len() {
            self.repair(row, noding);
        }
    }

    fn repair(&mut self, number: usize, noding: Noding) {
        let row = &self.rows[number];
        if row.kind != WorldKind::Polygons {
            return;
        }
        let parts = &self.parts.parts[row.parts.clone()];
        let polygons = if row.broken {
            match repair::repair(&self.parts.coords, parts, noding) {
                Some(polygons) => polygons,
                None => return self.give_up(number),
            }
        } else if parts.is_empty() && !row.given_up {
            Vec::new()
        } else {
            return;
        };
        if let (true, Some(anchor)) = (polygons.is_empty(), row.anchor) {
            let mark = vec![vec![placeholder(anchor).to_vec()]];
            self.repaired.push((number, mark));
        } else {
            self.repaired.push((number, polygons));
        }
    }

    /// The vertices that broken features need on their edges, sorted.
    fn nodes(&mut self, broken: &[usize]) -> Vec<(EdgeKey, Point)> {
        let mut all = Vec::new();
        for &row in broken {
            let parts = &self.parts.parts[self.rows[row].parts.clone()];
            match node::nodes(&self.parts.coords, parts) {
                Ok(nodes) => all.extend(nodes),
                Err(TooTangled) => self.give_up(row),
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    fn give_up(&mut self, row: usize) {
        self.dropped += 1;
        let row = &mut self.rows[row];
        row.broken = false;
        row.given_up = true;
        row.parts = 0..0;
    }

    /// Inserts vertices wherever a feature has their edge. Returns the features that changed and are broken.
    fn bend(&mut self, nodes: &[(EdgeKey, Point)]) -> Vec<usize> {
        let edges = Edges::of(nodes);
        let mut broken = Vec::new();
        for (number, row) in self.rows.iter_mut().enumerate() {
            let parts = row.parts.clone();
            let bent = |ring: &[Point]| {
                let next = ring.iter().skip(1).chain(ring.first());
                ring.iter().zip(next).any(|(&a, &b)| edges.contains(a, b))
            };
            if row.kind != WorldKind::Polygons || !parts.clone().any(|p| bent(self.parts.ring(p))) {
                continue;
            }
            let first = self.parts.parts.len();
            let mut shell_stays = false;
            for part in parts {
                let interior = self.parts.parts[part].interior;
                if interior && !shell_stays {
                    continue;
                }
                let ring = self.parts.ring(part).to_vec();
                let start = self.parts.coords.len();
                insert(&ring, nodes, &mut self.parts.coords);
                unspike(&mut self.parts.coords, start);
                let stays = self.parts.coords.len() > start;
                if stays {
                    self.parts.close(start, interior);
                }
                if !interior {
                    shell_stays = stays;
                }
            }
            row.parts = first..self.parts.parts.len();
            row.broken = !row.parts.is_empty()
                && !simple::certainly_valid(&self.parts.coords, &self.parts.parts[row.parts.clone()]);
            if row.broken {
                broken.push(number);
            }
        }
        broken
    }
}

/// A set of edges that says no quickly.
struct Edges {
    /// One bit for each hash.
    bits: Vec<u64>,
    edges: HashSet<EdgeKey>,
}

impl Edges {
    const BITS: u32 = 16;

    fn of(nodes: &[(EdgeKey, Point)]) -> Self {
        let mut bits = vec![0; 1 << (Self::BITS - 6)];
        for ([a, b], _) in nodes {
            let at = Self::bit(*a, *b);
            bits[at >> 6] |= 1 << (at & 63);
        }
        let edges = nodes.iter().map(|(edge, _)| *edge).collect();
        Self { bits, edges }
    }

    fn contains(&self, a: Point, b: Point) -> bool {
        let at = Self::bit(a, b);
        self.bits[at >> 6] >> (at & 63) & 1 == 1 && self.edges.contains(&node::key(a, b))
    }

    /// The same for both directions.
    fn bit(a: Point, b: Point) -> usize {
        let [x, y] = [0, 1].map(|k| (a[k] + b[k]).cast_unsigned());
        let mixed = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77);
        (mixed >> (32 - Self::BITS)) as usize
    }
}
