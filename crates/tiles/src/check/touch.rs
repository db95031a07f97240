//! Where edges meet.

use super::{Defect, Point, Ring};
use crate::geometry::buckets::Buckets;
use crate::geometry::cross;

/// One edge: its ring, and the position of its first vertex there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) a: Point,
    pub(super) b: Point,
    ring: usize,
    at: usize,
}

/// Two rings that have the point in common, the lesser ring first, with the way each takes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Touch {
    pub(super) rings: [usize; 2],
    pub(super) point: Point,
    pub(super) ways: [Way; 2],
}

/// The vertices from which a ring comes to a point, and to which it goes on.
pub(super) type Way = [Point; 2];

/// All points where two rings touch, each once, sorted by the rings.
///
/// # Errors
/// When rings cross or overlap, or one meets itself.
pub(super) fn touches(rings: &[Ring<'_>]) -> Result<Vec<Touch>, Defect> {
    let edges = edges(rings);
    let ends: Vec<[Point; 2]> = edges.iter().map(|e| [e.a, e.b]).collect();
    let mut touches = Vec::new();
    for cell in Buckets::new(&ends).cells() {
        for (i, &e) in cell.iter().enumerate() {
            for &f in &cell[..i] {
                touches.extend(contact(rings, &edges[e as usize], &edges[f as usize])?);
            }
        }
    }
    touches.sort_unstable();
    touches.dedup();
    match touches.iter().find(|t| t.crosses()) {
        Some(t) => Err(Defect::Crossing(t.point)),
        None => Ok(touches),
    }
}

fn edges(rings: &[Ring<'_>]) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (number, ring) in rings.iter().enumerate() {
        let next = ring.points.iter().skip(1).chain(ring.points.first());
        edges.extend(
            ring.points
                .iter()
                .zip(next)
                .enumerate()
                .map(|(at, (&a, &b))| Edge {
                    a,
                    b,
                    ring: number,
                    at,
                }),
        );
    }
    edges
}

/// Where edges of two rings touch; edges of one ring may only follow each other.
fn contact(rings: &[Ring<'_>], e: &Edge, f: &Edge) -> Result<Option<Touch>, Defect> {
    match meeting(e, f) {
        Meeting::None => Ok(None),
        Meeting::Point(p) if e.ring != f.ring => Ok(Some(touch(rings, e, f, p))),
        Meeting::Point(p) if follow(rings[e.ring].points.len(), e, f, p) => Ok(None),
        Meeting::More(p) if e.ring != f.ring => Err(Defect::Crossing(p)),
        Meeting::Point(p) | Meeting::More(p) => Err(Defect::SelfContact(p)),
    }
}

enum Meeting {
    None,
    /// A point that is an end of one of the edges.
    Point(Point),
    /// A crossing or a common stretch.
    More(Point),
}

fn meeting(e: &Edge, f: &Edge) -> Meeting {
    let apart = (0..2).any(|k| {
        e.a[k].max(e.b[k]) < f.a[k].min(f.b[k]) || f.a[k].max(f.b[k]) < e.a[k].min(e.b[k])
    });
    if apart {
        return Meeting::None;
    }
    let (to_fa, to_fb) = (cross(e.a, e.b, f.a).signum(), cross(e.a, e.b, f.b).signum());
    let (to_ea, to_eb) = (cross(f.a, f.b, e.a).signum(), cross(f.a, f.b, e.b).signum());
    if to_fa * to_fb > 0 || to_ea * to_eb > 0 {
        return Meeting::None;
    }
    if to_fa == 0 && to_fb == 0 {
        // On one line, and their boxes meet: in a point, or in a stretch.
        let ends = |e: &Edge| if e.a <= e.b { (e.a, e.b) } else { (e.b, e.a) };
        let ((e_low, e_high), (f_low, f_high)) = (ends(e), ends(f));
        let (low, high) = (e_low.max(f_low), e_high.min(f_high));
        return match low.cmp(&high) {
            std::cmp::Ordering::Less => Meeting::More(low),
            std::cmp::Ordering::Equal => Meeting::Point(low),
            std::cmp::Ordering::Greater => Meeting::None,
        };
    }
    match [(to_fa, f.a), (to_fb, f.b), (to_ea, e.a), (to_eb, e.b)]
        .iter()
        .find(|(side, _)| *side == 0)
    {
        Some((_, p)) => Meeting::Point(*p),
        None => Meeting::More(e.a),
    }
}

/// Whether the edges follow each other in their ring and `p` is the vertex between them.
fn follow(len: usize, e: &Edge, f: &Edge, p: Point) -> bool {
    ((e.at + 1) % len == f.at && p == e.b) || ((f.at + 1) % len == e.at && p == f.b)
}

fn touch(rings: &[Ring<'_>], e: &Edge, f: &Edge, point: Point) -> Touch {
    let (e, f) = if e.ring < f.ring { (e, f) } else { (f, e) };
    Touch {
        rings: [e.ring, f.ring],
        point,
        ways: [way(rings, e, point), way(rings, f, point)],
    }
}

fn way(rings: &[Ring<'_>], e: &Edge, p: Point) -> Way {
    let ring = rings[e.ring].points;
    let len = ring.len();
    if p == e.a {
        [ring[(e.at + len - 1) % len], e.b]
    } else if p == e.b {
        [e.a, ring[(e.at + 2) % len]]
    } else {
        [e.a, e.b]
    }
}

impl Touch {
    fn crosses(&self) -> bool {
        let [first, second] = self.ways;
        right_of(self.point, first, second[0]) != right_of(self.point, first, second[1])
    }

    /// Whether ring 1 of the touch goes through the right side of ring 0 here (or, with `of` = 1, the
    /// other way round). On the right of an exterior ring, y down, lies its inside.
    pub(super) fn other_on_right(&self, of: usize) -> bool {
        right_of(self.point, self.ways[of], self.ways[1 - of][1])
    }
}

/// Whether `q` lies on the right hand (y down: where the cross product is positive) of one who walks from
/// `way[0]` over `p` to `way[1]`.
fn right_of(p: Point, way: Way, q: Point) -> bool {
    let [from, to] = way;
    let turn = cross(from, p, to);
    let (after_in, after_out) = (cross(from, p, q) > 0, cross(p, to, q) > 0);
    if turn >= 0 {
        after_in && after_out
    } else {
        after_in || after_out
    }
}
