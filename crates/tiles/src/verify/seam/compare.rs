//! One feature as two tiles have it.

use super::{Band, MARGIN, Place, Shape};

/// How far apart lines are that look the same: what was snapped twice is a pixel away at most.
const PIXEL: f64 = 1.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Finding {
    /// There is no strip that both tiles know, and the feature comes to the edge.
    NotComparable,
    /// Likewise, but the feature does not come to the edge.
    Elsewhere,
    Same,
    /// Some vertex or edge is in one tile only, and lies no more than a pixel from the other's.
    Different(Place),
    /// And lies more than a pixel from it.
    Apart(Place),
}

/// Compares a feature's edges in the first and the second tile.
pub(super) fn shapes(bands: [&Band; 2], kind: usize, shapes: [&Shape; 2]) -> Finding {
    let [first, second] = bands;
    let width = first.width();
    // The first tile is whole as far as it reaches beyond the edge, and the second likewise.
    let across = MARGIN - second.reach[kind]..=first.reach[kind].min(width) - MARGIN;
    if first.extent != second.extent || across.is_empty() {
        let reaches = |shape: &Shape, beyond: fn(i32) -> bool| {
            shape.iter().any(|[a, b]| beyond(a[0]) || beyond(b[0]))
        };
        let comes = reaches(shapes[0], |v| v >= 0) || reaches(shapes[1], |v| v <= 0);
        return if comes {
            Finding::NotComparable
        } else {
            Finding::Elsewhere
        };
    }
    let along = MARGIN..=first.extent - MARGIN;
    let inside = |p: &Place| across.contains(&p[0]) && along.contains(&p[1]);
    let known = shapes.map(|shape| {
        let mut vertices: Vec<Place> = shape.iter().flatten().copied().filter(inside).collect();
        vertices.sort_unstable();
        vertices.dedup();
        let whole = |edge: &&[Place; 2]| edge.iter().all(inside);
        let edges: Vec<[Place; 2]> = shape.iter().filter(whole).copied().collect();
        (vertices, edges)
    });
    let mut different = None;
    for (own, other) in [(0, 1), (1, 0)] {
        let (vertices, edges) = &known[own];
        let (other_vertices, other_edges) = &known[other];
        let vertices = vertices
            .iter()
            .filter(|p| other_vertices.binary_search(p).is_err())
            .map(|p| [*p, *p]);
        let edges = edges
            .iter()
            .filter(|e| other_edges.binary_search(e).is_err())
            .copied();
        for [a, b] in vertices.chain(edges) {
            let middle = [0, 1].map(|k| f64::midpoint(a[k].into(), b[k].into()));
            if !shapes[other].iter().any(|e| distance(middle, *e) <= PIXEL) {
                return Finding::Apart(a);
            }
            different.get_or_insert(a);
        }
    }
    different.map_or(Finding::Same, Finding::Different)
}

/// The part of an edge between two places along the seam, both included.
pub(super) fn between([a, b]: [Place; 2], low: f64, high: f64) -> Option<[[f64; 2]; 2]> {
    let (a, b) = (a.map(f64::from), b.map(f64::from));
    let (a, b) = if a[1] <= b[1] { (a, b) } else { (b, a) };
    if b[1] < low || a[1] > high {
        return None;
    }
    let at = |along: f64| {
        let part = (along - a[1]) / (b[1] - a[1]);
        [a[0] + part * (b[0] - a[0]), along]
    };
    Some([
        if a[1] < low { at(low) } else { a },
        if b[1] > high { at(high) } else { b },
    ])
}

fn distance(p: [f64; 2], [a, b]: [Place; 2]) -> f64 {
    let (a, b) = (a.map(f64::from), b.map(f64::from));
    let [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    let square = dx * dx + dy * dy;
    let along = (p[0] - a[0]) * dx + (p[1] - a[1]) * dy;
    let part = if square > 0.0 {
        (along / square).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (a[0] + part * dx - p[0]).hypot(a[1] + part * dy - p[1])
}
