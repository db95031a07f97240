//! From the lines of cells to the network of a tile.

use super::STEP;
use super::edge::{Edge, Step, straightened, unite};
use super::frame::{FIRST, LAST};
use super::outline::Outline;
use crate::TileCoord;

/// The network that short lines form in a tile and its buffer, in tile pixels, not clipped: from where they end or meet
/// to where the next one does. Where several lie over each other there is one.
///
/// `cells`: as for [`super::blocks()`].
pub fn network<'a>(
    tile: TileCoord,
    cells: impl IntoIterator<Item = &'a Outline>,
) -> Vec<Vec<[i32; 2]>> {
    let edges = cells.into_iter().flat_map(|cell| cell.drawn(tile));
    let near = edges.filter(|([a, b], _)| {
        let is_beyond = |k: usize| a[k].max(b[k]) < FIRST || a[k].min(b[k]) > LAST;
        !is_beyond(0) && !is_beyond(1)
    });
    let held =
        |p: Step| p.map(|v| v.clamp(FIRST - super::MAX_OVERHANG, LAST + super::MAX_OVERHANG));
    let mut edges: Vec<Edge> = near
        .filter_map(|([a, b], _)| Edge::new(held(a), held(b), 1))
        .collect();
    unite(&mut edges);
    let edges = straightened(&edges);
    ways(&edges)
}

/// Walks along the edges, each once.
fn ways(edges: &[Edge]) -> Vec<Vec<[i32; 2]>> {
    // Each vertex with each edge that ends there.
    let mut meets: Vec<(Step, u32)> = Vec::with_capacity(edges.len() * 2);
    for (number, edge) in (0..).zip(edges) {
        meets.extend(edge.ends().map(|end| (end, number)));
    }
    meets.sort_unstable();
    let around = |v: Step| {
        let from = meets.partition_point(|(at, _)| *at < v);
        let len = meets[from..].iter().take_while(|(at, _)| *at == v).count();
        &meets[from..from + len]
    };
    let mut used = vec![false; edges.len()];
    let mut all = Vec::new();
    // From ends and crossings first; what is left are rings.
    let firsts = meets
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|all| all.len() != 2);
    let starts = firsts.flatten().chain(&meets);
    for &(start, first) in starts {
        if used[first as usize] {
            continue;
        }
        let mut way = vec![start];
        let (mut at, mut next) = (start, Some(first));
        while let Some(number) = next {
            used[number as usize] = true;
            let [a, b] = edges[number as usize].ends();
            at = if a == at { b } else { a };
            way.push(at);
            next = match around(at) {
                &[(_, e), (_, f)] => [e, f].into_iter().find(|e| !used[*e as usize]),
                _ => None,
            };
        }
        all.push(way.into_iter().map(pixel).collect());
    }
    all
}

fn pixel(step: Step) -> [i32; 2] {
    step.map(|v| i32::from(v) * STEP + STEP / 2)
}
