//! Snap rounding: where edges of one feature cross or come within half a pixel of a vertex, both get a vertex.
//!
//! The method of hot pixels (Hobby, "Practical segment intersection with finite precision output", 1999): every
//! vertex and every rounded crossing is a hot pixel, and each edge that passes through one is bent to its
//! centre. Afterwards edges meet only at their ends. Because the outcome is told edge by edge, a
//! neighbour that has the same edge can bend it the same way and no gap opens.

use super::buckets::Buckets;
use super::{Part, Point, cross};

/// An edge without direction: the lesser end first.
pub(crate) type EdgeKey = [Point; 2];

/// Pairs that one feature may have compared, about 0.1 s with all that follows. A scribble whose edges all cross each other
/// would take minutes; it is left out instead.
pub(crate) const MAX_STEPS: u64 = 20_000_000;

/// What a crossing costs later, when the pieces are sorted and walked, in pairs compared.
const CROSSING_STEPS: u64 = 100;

/// Pairs that all broken features of a layer may have compared together, about a second: a tile full of
/// scribbles must not hold a thread for minutes.
pub(crate) const MAX_LAYER_STEPS: u64 = 100_000_000;

/// A feature whose edges cross too often to be sorted out.
#[derive(Debug)]
pub(crate) struct TooTangled;

pub(crate) fn key(a: Point, b: Point) -> EdgeKey {
    if a <= b { [a, b] } else { [b, a] }
}

/// The vertices to insert: edge and vertex, sorted, each once.
///
/// # Errors
/// [`TooTangled`] past [`MAX_STEPS`] or when less is left of the `budget`, from which the pairs are taken.
pub(crate) fn nodes(
    coords: &[Point],
    parts: &[Part],
    budget: &mut u64,
) -> Result<Vec<(EdgeKey, Point)>, TooTangled> {
    nodes_of(
        edges(coords, parts).collect(),
        MAX_STEPS.min(*budget),
        budget,
    )
}

/// As [`nodes`] of edges that are at hand.
///
/// # Errors
/// [`TooTangled`] past `limit`.
pub(crate) fn nodes_of(
    mut edges: Vec<EdgeKey>,
    limit: u64,
    budget: &mut u64,
) -> Result<Vec<(EdgeKey, Point)>, TooTangled> {
    edges.sort_unstable();
    edges.dedup();
    let buckets = Buckets::new(&edges);
    let mut steps = 0_u64;
    let mut hot: Vec<Point> = edges.iter().flatten().copied().collect();
    for cell in buckets.cells() {
        steps += (cell.len() * cell.len() / 2) as u64;
        if steps > limit {
            // Spent as well: a thousand such features must not take a thousand times the time.
            *budget -= limit;
            return Err(TooTangled);
        }
        for (i, &e) in cell.iter().enumerate() {
            let [a, b] = edges[e as usize];
            for &f in &cell[..i] {
                let [c, d] = edges[f as usize];
                if boxes_meet([a, b], [c, d]) {
                    hot.extend(crossing(a, b, c, d));
                }
            }
        }
    }
    hot.sort_unstable();
    hot.dedup();
    steps += CROSSING_STEPS * (hot.len() as u64).saturating_sub(edges.len() as u64);
    let mut found = Vec::new();
    for &p in &hot {
        let near = buckets.at(p);
        steps += near.len() as u64;
        if steps > limit {
            // Spent as well: a thousand such features must not take a thousand times the time.
            *budget -= limit;
            return Err(TooTangled);
        }
        for &e in near {
            let [a, b] = edges[e as usize];
            if in_box([a, b], p) && p != a && p != b && passes_through(a, b, p) {
                found.push(([a, b], p));
            }
        }
    }
    *budget -= steps;
    found.sort_unstable();
    Ok(found)
}

/// As [`nodes`], where only `fresh` edges can have come near others. Quick for few of them in a large
/// feature: compares each with all edges.
pub(crate) fn nodes_near(
    coords: &[Point],
    parts: &[Part],
    fresh: &[EdgeKey],
) -> Vec<(EdgeKey, Point)> {
    let mut hot: Vec<Point> = fresh.iter().flatten().copied().collect();
    for [c, d] in edges(coords, parts) {
        for &[a, b] in fresh.iter().filter(|f| boxes_meet(**f, [c, d])) {
            hot.extend(crossing(a, b, c, d));
            // An old vertex that a fresh edge passes.
            hot.extend([c, d].iter().filter(|p| in_box([a, b], **p)));
        }
    }
    hot.sort_unstable();
    hot.dedup();
    let mut found = Vec::new();
    let (low, high) =
        fresh
            .iter()
            .flatten()
            .fold(([i32::MAX; 2], [i32::MIN; 2]), |(low, high), p| {
                (
                    [low[0].min(p[0]), low[1].min(p[1])],
                    [high[0].max(p[0]), high[1].max(p[1])],
                )
            });
    for edge in edges(coords, parts).filter(|&[a, b]| {
        a[0] <= high[0] && b[0] >= low[0] && a[1].min(b[1]) <= high[1] && a[1].max(b[1]) >= low[1]
    }) {
        let [a, b] = edge;
        let near = hot
            .iter()
            .filter(|p| in_box(edge, **p) && **p != a && **p != b && passes_through(a, b, **p));
        found.extend(near.map(|p| (edge, *p)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn edges(coords: &[Point], parts: &[Part]) -> impl Iterator<Item = EdgeKey> {
    parts.iter().flat_map(|part| {
        let ring = part.of(coords);
        let next = ring.iter().skip(1).chain(ring.first());
        ring.iter().zip(next).map(|(&a, &b)| key(a, b))
    })
}

/// The lesser end is the western one.
fn in_box([a, b]: EdgeKey, p: Point) -> bool {
    a[0] <= p[0] && p[0] <= b[0] && a[1].min(b[1]) <= p[1] && p[1] <= a[1].max(b[1])
}

fn boxes_meet([a, b]: EdgeKey, [c, d]: EdgeKey) -> bool {
    d[0] >= a[0]
        && c[0] <= b[0]
        && c[1].max(d[1]) >= a[1].min(b[1])
        && c[1].min(d[1]) <= a[1].max(b[1])
}

/// The rounded point where two segments cross between their ends.
fn crossing(a: Point, b: Point, c: Point, d: Point) -> Option<Point> {
    let (to_c, to_d) = (cross(a, b, c), cross(a, b, d));
    let (to_a, to_b) = (cross(c, d, a), cross(c, d, b));
    if to_c.signum() * to_d.signum() >= 0 || to_a.signum() * to_b.signum() >= 0 {
        return None;
    }
    // From `a`, the share to_a / (to_a - to_b) of the way.
    let (num, den) = if to_a > to_b {
        (to_a, to_a - to_b)
    } else {
        (-to_a, to_b - to_a)
    };
    let at = |k: usize| {
        let way = i64::from(b[k]) - i64::from(a[k]);
        // Tile pixels: 2^13 times an area below 2^27 stays far below 2^63.
        let offset = (2 * num * way + den).div_euclid(2 * den);
        a[k] + i32::try_from(offset).expect("between the ends")
    };
    Some([at(0), at(1)])
}

/// Whether a segment has a point in the pixel `[p - 1/2, p + 1/2)` in both axes.
fn passes_through(a: Point, b: Point, p: Point) -> bool {
    // In half pixels, along t from 0 to 1 as fractions of a positive denominator.
    let mut low = Bound {
        num: 0,
        den: 1,
        open: false,
    };
    let mut high = Bound {
        num: 1,
        den: 1,
        open: false,
    };
    for k in 0..2 {
        let start = 2 * i64::from(a[k]);
        let way = 2 * (i64::from(b[k]) - i64::from(a[k]));
        let (from, to) = (
            2 * i64::from(p[k]) - 1 - start,
            2 * i64::from(p[k]) + 1 - start,
        );
        if way == 0 {
            if from > 0 || to <= 0 {
                return false;
            }
            continue;
        }
        let (enter, leave) = if way > 0 {
            (
                Bound {
                    num: from,
                    den: way,
                    open: false,
                },
                Bound {
                    num: to,
                    den: way,
                    open: true,
                },
            )
        } else {
            (
                Bound {
                    num: -to,
                    den: -way,
                    open: true,
                },
                Bound {
                    num: -from,
                    den: -way,
                    open: false,
                },
            )
        };
        low = low.tighter(enter, std::cmp::Ordering::Greater);
        high = high.tighter(leave, std::cmp::Ordering::Less);
    }
    match (low.num * high.den).cmp(&(high.num * low.den)) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Equal => !low.open && !high.open,
        std::cmp::Ordering::Greater => false,
    }
}

/// An end of a range of fractions.
#[derive(Clone, Copy)]
struct Bound {
    num: i64,
    den: i64,
    open: bool,
}

impl Bound {
    /// The one that lies on the given side of the other; of equal ones the open one.
    fn tighter(self, other: Self, side: std::cmp::Ordering) -> Self {
        match (other.num * self.den).cmp(&(self.num * other.den)) {
            std::cmp::Ordering::Equal => Self {
                open: self.open || other.open,
                ..self
            },
            order if order == side => other,
            _ => self,
        }
    }
}

/// Sorts vertices in the order in which the edge from `a` to `b` comes to them. Along an edge pixels never
/// go back in x nor in y, so the way in both together tells.
pub(crate) fn along(a: Point, b: Point, points: &mut [Point]) {
    let (sx, sy) = ((b[0] - a[0]).signum(), (b[1] - a[1]).signum());
    points.sort_unstable_by_key(|p| (sx * p[0] + sy * p[1], *p));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Parts;

    fn noded(ring: &[Point]) -> Vec<(EdgeKey, Point)> {
        let mut parts = Parts::default();
        parts.push(ring.iter().copied(), false);
        nodes(&parts.coords, &parts.parts, &mut MAX_STEPS.clone()).unwrap()
    }

    #[test]
    fn a_pixel_holds_its_western_and_northern_edge_only() {
        let (a, b) = ([0, 0], [2, 1]);
        // The edge passes (1, 1/2), which belongs to the pixel (1, 1).
        assert!(passes_through(a, b, [1, 1]));
        assert!(passes_through(b, a, [1, 1]));
        // It is in (1, 0) only before that.
        assert!(passes_through(a, b, [1, 0]));
        assert!(!passes_through([0, 0], [0, 9], [1, 4]));
        assert!(!passes_through([0, 0], [9, 9], [4, 5]));
        assert!(passes_through([0, 0], [9, 9], [4, 4]));
    }

    #[test]
    fn crossing_edges_get_the_rounded_crossing() {
        let m = [3, 1];
        let bow = [[0, 0], [5, 2], [5, 0], [0, 2]];
        assert_eq!(noded(&bow), [([[0, 0], [5, 2]], m), ([[0, 2], [5, 0]], m)]);
    }

    #[test]
    fn an_edge_bends_to_a_vertex_that_it_passes() {
        let ring = [[0, 0], [100, 1], [100, 9], [40, 1], [0, 9]];
        // At x = 40 the first edge is at y = 0.4: its pixel is (40, 0), so the vertex (40, 1) is free.
        assert_eq!(noded(&ring), []);
        let ring = [[0, 0], [100, 1], [100, 9], [60, 1], [0, 9]];
        assert_eq!(noded(&ring), [([[0, 0], [100, 1]], [60, 1])]);
    }

    #[test]
    fn rings_without_contact_stay() {
        assert_eq!(noded(&[[0, 0], [9, 0], [9, 9], [0, 9]]), []);
    }

    #[test]
    fn inserted_vertices_come_in_the_order_of_the_edge() {
        let mut points = [[5, 4], [2, 2], [8, 5]];
        along([0, 0], [10, 6], &mut points);
        assert_eq!(points, [[2, 2], [5, 4], [8, 5]]);
        along([10, 6], [0, 0], &mut points);
        assert_eq!(points, [[8, 5], [5, 4], [2, 2]]);
    }

    #[test]
    fn a_scribble_is_given_up() {
        let mut seed = 1_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            i32::try_from(seed >> 52).unwrap()
        };
        let ring: Vec<Point> = (0..20_000).map(|_| [random(), random()]).collect();
        let mut parts = Parts::default();
        parts.push(ring, false);
        assert!(nodes(&parts.coords, &parts.parts, &mut u64::MAX.clone()).is_err());
    }
}
