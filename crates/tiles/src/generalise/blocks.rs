//! From the outlines of cells to the polygons of a tile.

use std::collections::BTreeMap;

use super::STEP;
use super::edge::{Edge, sum};
use super::frame::{self, FIRST, LAST};
use super::outline::Outline;
use crate::TileCoord;
use crate::geometry::arrange::{self, Edges};
use crate::geometry::node::{self, EdgeKey};
use crate::geometry::repair::Polygons;
use crate::geometry::{Point, area2};

/// Twice the area in steps below which a block is dust and a hole in one is closed: a screen pixel.
const DUST: i64 = 2 * 4;

/// Steps that a hole is wide on average, where it is not closed.
const MIN_WIDTH: f64 = 1.1;

/// Steps across the squares in which dust adds up; tiles and their buffers begin and end with one.
const HEAP: i32 = 16;

/// Times that vertices may be inserted where edges cross.
const ROUNDS: usize = 8;

/// The blocks that small polygons form in a tile and its buffer, in tile pixels: valid polygons, not clipped, with exterior
/// rings before their holes. Holes and blocks of less than a screen pixel are not among them; the area of such blocks adds
/// up, and where it makes a pixel there is one.
///
/// `cells`: those of the tile and one more on each side, as far as there are any.
pub fn blocks<'a>(
    tile: TileCoord,
    cells: impl IntoIterator<Item = &'a Outline>,
) -> Vec<Vec<Vec<[i32; 2]>>> {
    let mut edges = frame::gathered(tile, cells);
    sum(&mut edges);
    let Some(noded) = noded(&edges) else {
        return Vec::new();
    };
    let mut all = Edges::default();
    for (edge, count) in noded {
        all.count(edge, count);
    }
    let boundary = all.boundary(|[shell, _]| shell != 0);
    drawn(tile, arrange::polygons_with(&boundary, is_open))
}

/// Whether a hole is seen: a screen pixel large, and half of one wide. A street that is narrower is open in one place and
/// closed in the next, as the steps happen to fall.
fn is_open(hole: &[Point]) -> bool {
    let area = -area2(hole);
    let next = hole.iter().skip(1).chain(hole.first());
    let around: f64 = hole
        .iter()
        .zip(next)
        .map(|(a, b)| f64::from(a[0] - b[0]).hypot(f64::from(a[1] - b[1])))
        .sum();
    area >= DUST && area as f64 >= MIN_WIDTH * around
}

/// With vertices wherever edges cross or touch; `None` for a tangle that can't be sorted out.
fn noded(edges: &[Edge]) -> Option<Vec<(EdgeKey, i32)>> {
    let counted = |edge: &Edge| (edge.ends().map(|p| p.map(i32::from)), edge.count());
    let mut all: Vec<(EdgeKey, i32)> = edges.iter().map(counted).collect();
    for _ in 0..ROUNDS {
        let mut budget = node::MAX_LAYER_STEPS;
        let nodes = node::nodes_of(close(&all), node::MAX_LAYER_STEPS, &mut budget).ok()?;
        if nodes.is_empty() {
            break;
        }
        let mut bent = Vec::with_capacity(all.len() + nodes.len());
        let mut nodes = &nodes[..];
        for ([a, b], count) in all {
            let skip = nodes.iter().take_while(|(edge, _)| *edge < [a, b]).count();
            nodes = &nodes[skip..];
            let here = nodes.iter().take_while(|(edge, _)| *edge == [a, b]).count();
            let mut points: Vec<Point> = nodes[..here].iter().map(|(_, p)| *p).collect();
            node::along(a, b, &mut points);
            let mut last = a;
            for p in points.into_iter().chain([b]) {
                let way = if last < p { 1 } else { -1 };
                bent.push((node::key(last, p), way * count));
                last = p;
            }
        }
        bent.sort_unstable();
        bent.dedup_by(|(edge, count), (kept, sum)| {
            let same = edge == kept;
            if same {
                *sum += *count;
            }
            same
        });
        bent.retain(|(_, count)| *count != 0);
        all = bent;
    }
    Some(all)
}

/// The edges that may cross or touch another one between its ends: those that pass a step where another has a vertex or
/// passes as well, and those which have a vertex there.
fn close(edges: &[(EdgeKey, i32)]) -> Vec<EdgeKey> {
    const WIDTH: usize = (LAST - FIRST) as usize + 1;
    let at = |[x, y]: Point| {
        let from = i32::from(FIRST);
        (y - from) as usize * WIDTH + (x - from) as usize
    };
    // Of each step: whether there is a vertex (1), and whether one edge (2) or more (4) pass.
    let mut steps = vec![0_u8; WIDTH * WIDTH];
    for ([a, b], _) in edges {
        steps[at(*a)] |= 1;
        steps[at(*b)] |= 1;
        passed(*a, *b, |p| {
            let step = &mut steps[at(p)];
            *step |= if *step & 2 == 0 { 2 } else { 4 };
        });
    }
    let is_met = |p: Point| matches!(steps[at(p)], 3 | 4..);
    let is_close = |edge: &EdgeKey| {
        let mut met = edge.iter().any(|p| is_met(*p));
        passed(edge[0], edge[1], |p| met |= is_met(p));
        met
    };
    let edges = edges.iter().map(|(edge, _)| *edge);
    edges.filter(is_close).collect()
}

/// The steps that an edge may pass between its ends, without those; maybe some more beside it.
fn passed(a: Point, b: Point, mut step: impl FnMut(Point)) {
    let [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    // Along the longer way one step after the other.
    let long = usize::from(dx.abs() < dy.abs());
    let (len, other) = match long {
        0 => (dx, dy),
        _ => (dy, dx),
    };
    let way = len.signum();
    let len = len.abs();
    for i in 0..=len {
        // In half steps on the other axis, at the two ends of this step on the longer one.
        let end = |twice: i32| (twice.clamp(0, 2 * len)) * other;
        let (low, high) = (end(2 * i - 1), end(2 * i + 1));
        let (low, high) = (low.min(high), low.max(high));
        // From v - 1/2 to v + 1/2, both included.
        let from =
            (low - len).div_euclid(2 * len) + i32::from((low - len).rem_euclid(2 * len) != 0);
        let to = (high + len).div_euclid(2 * len);
        for v in from..=to {
            let mut p = a;
            p[long] += way * i;
            p[1 - long] += v;
            if p != a && p != b {
                step(p);
            }
        }
    }
}

/// In tile pixels, without holes and blocks under a screen pixel; their area is drawn where it adds up to one.
fn drawn(tile: TileCoord, polygons: Polygons) -> Polygons {
    let mut heaps: BTreeMap<Point, Vec<(Point, i64)>> = BTreeMap::new();
    let mut drawn = Vec::with_capacity(polygons.len());
    for rings in polygons {
        let size = area2(&rings[0]);
        if size < DUST {
            let at = rings[0].iter().min().copied().unwrap_or_default();
            let heap = at.map(|v| v.div_euclid(HEAP));
            heaps.entry(heap).or_default().push((at, size));
            continue;
        }
        drawn.push(rings);
    }
    for (heap, dust) in &mut heaps {
        dust.sort_unstable();
        let mut sum = 0;
        for &(at, size) in dust.iter() {
            sum += size;
            if sum >= DUST {
                sum -= DUST;
                drawn.push(vec![square(at)]);
            }
        }
        if let (true, Some(&(at, _))) = (sum > chance(tile, *heap), dust.last()) {
            drawn.push(vec![square(at)]);
        }
    }
    for ring in drawn.iter_mut().flatten() {
        straighten(ring);
        for p in ring {
            *p = p.map(|v| v * STEP + STEP / 2);
        }
    }
    drawn
}

/// What of a pixel is left over in a heap must be more than this to be drawn as one: less than a pixel, as often one size as
/// another, and the same in each tile that shows the heap.
fn chance(tile: TileCoord, heap: Point) -> i64 {
    let heaps = i64::from(super::STEPS) / i64::from(HEAP);
    let place = |tile: u32, heap: i32| (i64::from(tile) * heaps + i64::from(heap)).cast_unsigned();
    let [x, y] = [place(tile.x(), heap[0]), place(tile.y(), heap[1])];
    let mut mixed = (x << 32 ^ y).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 40) % DUST.cast_unsigned()).cast_signed()
}

/// A screen pixel.
fn square([x, y]: Point) -> Vec<Point> {
    vec![[x, y], [x + 2, y], [x + 2, y + 2], [x, y + 2]]
}

/// Takes away vertices on a straight way.
fn straighten(ring: &mut Vec<Point>) {
    let len = ring.len();
    let is_bend = |i: usize| {
        let (a, b, c) = (ring[(i + len - 1) % len], ring[i], ring[(i + 1) % len]);
        crate::geometry::cross(a, b, c) != 0
    };
    let kept: Vec<Point> = (0..len).filter(|&i| is_bend(i)).map(|i| ring[i]).collect();
    *ring = kept;
}
