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
use crate::geometry::{Parts, Point, simple, unspike};

/// Rounds after which neighbours are left as they are; 20,000 random features and 200 random coverages needed
/// up to seven.
const ROUNDS: usize = 8;

/// Vertices above which a feature that was broken is not asked again whether it still is.
const LARGE: u32 = 256;

/// New edges up to which comparing each with the whole feature is quicker than sorting it into buckets.
const MAX_FRESH: usize = 64;

impl LayerBuilder {
    /// Makes every polygon valid; may be called again after more features were added.
    pub(super) fn settle(&mut self) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        self.repaired.clear();
        let rows = (0..self.rows.len()).filter(|&r| self.rows[r].broken);
        let mut broken: Vec<Broken> = rows.map(|row| Broken { row, fresh: None }).collect();
        let mut noding = Noding::Due;
        let mut budget = node::MAX_LAYER_STEPS;
        for _ in 0..ROUNDS {
            let nodes = self.nodes(&broken, &mut budget);
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
    fn nodes(&mut self, broken: &[Broken], budget: &mut u64) -> Vec<(EdgeKey, Point)> {
        let mut all = Vec::new();
        for broken in broken {
            let coords = &self.parts.coords;
            let parts = &self.parts.parts[self.rows[broken.row].parts.clone()];
            let nodes = match &broken.fresh {
                Some(fresh) => Ok(node::nodes_near(coords, parts, fresh)),
                None => node::nodes(coords, parts, budget),
            };
            match nodes {
                Ok(nodes) => all.extend(nodes),
                Err(TooTangled) => self.give_up(broken.row),
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
    fn bend(&mut self, nodes: &[(EdgeKey, Point)]) -> Vec<Broken> {
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
            let mut fresh = Vec::new();
            row.parts = bend_parts(&mut self.parts, parts, nodes, &mut fresh);
            let now = &self.parts.parts[row.parts.clone()];
            let size: u32 = now.iter().map(|p| p.end - p.start).sum();
            // A large feature that was broken is taken to be so still.
            if !(row.broken && size > LARGE) {
                row.broken = !now.is_empty() && !simple::certainly_valid(&self.parts.coords, now);
            }
            if row.broken {
                broken.push(Broken {
                    row: number,
                    fresh: Some(fresh).filter(|f| f.len() <= MAX_FRESH),
                });
            }
        }
        broken
    }
}

/// Adds the parts again with the vertices inserted; `fresh` gets the edges that were not there before.
fn bend_parts(
    parts: &mut Parts,
    old: std::ops::Range<usize>,
    nodes: &[(EdgeKey, Point)],
    fresh: &mut Vec<EdgeKey>,
) -> std::ops::Range<usize> {
    let first = parts.parts.len();
    let mut shell_stays = false;
    for part in old {
        let interior = parts.parts[part].interior;
        if interior && !shell_stays {
            continue;
        }
        let ring = parts.ring(part).to_vec();
        let start = parts.coords.len();
        insert(&ring, nodes, &mut parts.coords, fresh);
        unspike(&mut parts.coords, start);
        let stays = parts.coords.len() > start;
        if stays {
            parts.close(start, interior);
        }
        if !interior {
            shell_stays = stays;
        }
    }
    first..parts.parts.len()
}

/// A feature to be noded.
struct Broken {
    row: usize,
    /// The edges that are new since it was noded or valid; `None` for all.
    fresh: Option<Vec<EdgeKey>>,
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
