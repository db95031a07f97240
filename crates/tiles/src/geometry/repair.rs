//! Making polygons valid on integers.
//!
//! What a ring winds around at all is its area (the non-zero rule), so both lobes of a figure of eight stay and
//! neighbours that were snapped over each other leave no gap: in a gap-free coverage the windings at any place add
//! up to one, whatever the snapping did, and so at least one of them is not zero.

use super::arrange::{self, Edges};
use super::node::{self, EdgeKey, TooTangled};
use super::{Part, Parts, Point, area2, unspike};
use crate::check;

/// Times that vertices may be inserted before a feature is given up. One suffices by the theorem of snap
/// rounding, another finds what the bent edges have come near to; 20,000 random features needed no more.
const ROUNDS: usize = 8;

/// Exterior and interior rings, directed as MVT wants them (§4.3.4.4).
pub(crate) type Polygons = Vec<Vec<Vec<Point>>>;

/// The polygons as valid ones, empty when nothing has an area; `None` when they cannot be made valid.
/// With [`Noding::Done`] edges must meet only at their ends.
pub(crate) fn repair(coords: &[Point], parts: &[Part], noding: Noding) -> Option<Polygons> {
    let as_it_is = directed(coords, parts);
    if check::polygons(&as_it_is).is_ok() {
        // Rings that only touch.
        return Some(as_it_is);
    }
    let polygons = match noding {
        Noding::Done => arranged(coords, parts),
        Noding::Due => arranged_after_noding(coords, parts)?,
    };
    // Keeps a mistake in this module from readers.
    check::polygons(&polygons).is_ok().then_some(polygons)
}

/// The rings as they are, each in the direction that MVT wants.
fn directed(coords: &[Point], parts: &[Part]) -> Polygons {
    let ring = |part: &Part| {
        let mut ring = part.of(coords).to_vec();
        if (area2(&ring) < 0) != part.interior {
            ring.reverse();
        }
        ring
    };
    let groups = parts.chunk_by(|_, next| next.interior);
    groups
        .map(|group| group.iter().map(ring).collect())
        .collect()
}

/// Whether [`node::nodes`] has nothing more to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noding {
    Done,
    Due,
}

/// Whether anything is left of a ring after repair.
pub(crate) fn covers_anything(ring: &[Point]) -> bool {
    let part = Part {
        start: 0,
        end: super::index(ring.len()),
        interior: false,
    };
    arranged_after_noding(ring, &[part]).is_none_or(|polygons| !polygons.is_empty())
}

fn arranged_after_noding(coords: &[Point], parts: &[Part]) -> Option<Polygons> {
    let rings = noded(coords, parts)?;
    Some(arranged(&rings.coords, &rings.parts))
}

/// Each exterior without its holes, all of them together.
fn arranged(coords: &[Point], parts: &[Part]) -> Polygons {
    let boundary = |group: &[Part]| {
        let mut edges = Edges::default();
        for part in group {
            edges.walk(part.of(coords), part.interior);
        }
        edges.boundary(|[shell, holes]| shell != 0 && holes == 0)
    };
    let mut groups = parts.chunk_by(|_, next| next.interior);
    let Some(first) = groups.next().map(boundary) else {
        return Vec::new();
    };
    let rest: Vec<_> = groups.map(boundary).collect();
    if rest.is_empty() {
        return arrange::polygons(&first);
    }
    let mut edges = Edges::default();
    for [a, b] in rest.into_iter().flatten().chain(first) {
        edges.step(a, b, false);
    }
    arrange::polygons(&edges.boundary(|[count, _]| count > 0))
}

/// The rings with vertices wherever they come near each other.
fn noded(coords: &[Point], parts: &[Part]) -> Option<Parts> {
    let mut rings = Parts {
        coords: coords.to_vec(),
        parts: parts.to_vec(),
    };
    let mut budget = node::MAX_STEPS;
    for _ in 0..ROUNDS {
        let nodes = node::nodes(&rings.coords, &rings.parts, &mut budget)
            .map_err(|TooTangled| ())
            .ok()?;
        if nodes.is_empty() {
            return Some(rings);
        }
        let mut bent = Parts::default();
        for part in &rings.parts {
            let start = bent.coords.len();
            insert(
                part.of(&rings.coords),
                &nodes,
                &mut bent.coords,
                &mut Vec::new(),
            );
            unspike(&mut bent.coords, start);
            // An exterior without vertices still has its holes behind it.
            bent.close(start, part.interior);
        }
        rings = bent;
    }
    None
}

/// Appends a ring with the vertices that `nodes` (sorted by edge) has for its edges; `fresh` gets the edges which
/// that makes.
pub(crate) fn insert(
    ring: &[Point],
    nodes: &[(EdgeKey, Point)],
    out: &mut Vec<Point>,
    fresh: &mut Vec<EdgeKey>,
) {
    let next = ring.iter().skip(1).chain(ring.first());
    for (&a, &b) in ring.iter().zip(next) {
        out.push(a);
        let edge = node::key(a, b);
        let first = nodes.partition_point(|(e, _)| *e < edge);
        let from = out.len();
        out.extend(
            nodes[first..]
                .iter()
                .take_while(|(e, _)| *e == edge)
                .map(|(_, p)| *p),
        );
        if out.len() > from {
            node::along(a, b, &mut out[from..]);
            fresh.extend(out[from - 1..].windows(2).map(|w| node::key(w[0], w[1])));
            fresh.extend(out.last().map(|&last| node::key(last, b)));
        }
    }
}
