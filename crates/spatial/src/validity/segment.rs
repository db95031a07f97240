//! Exact predicates on points and segments.

use std::cmp::Ordering;

use geo::algorithm::kernels::{Kernel, Orientation, RobustKernel};
use geo_types::Coord;

type Point = Coord<f64>;

/// On which side of the directed line from `a` to `b` a point lies: greater is left, equal is on it. Exact.
pub(crate) fn side(a: Point, b: Point, p: Point) -> Ordering {
    match RobustKernel::orient2d(a, b, p) {
        Orientation::CounterClockwise => Ordering::Greater,
        Orientation::Clockwise => Ordering::Less,
        Orientation::Collinear => Ordering::Equal,
    }
}

/// From left to right, then from below. For finite coordinates.
pub(crate) fn order(a: Point, b: Point) -> Ordering {
    a.x.partial_cmp(&b.x)
        .unwrap_or(Ordering::Equal)
        .then(a.y.partial_cmp(&b.y).unwrap_or(Ordering::Equal))
}

/// What two segments have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Meeting {
    Nothing,
    /// A point inside both; as near as doubles can say.
    Crossing(Point),
    /// One point, an end of at least one of them.
    Touch(Point),
    /// More than a point, from here.
    Overlap(Point),
}

/// Segments `a` and `b`, neither of them a point.
pub(crate) fn meet(a: [Point; 2], b: [Point; 2]) -> Meeting {
    let apart =
        |a0: f64, a1: f64, b0: f64, b1: f64| a0.max(a1) < b0.min(b1) || b0.max(b1) < a0.min(a1);
    if apart(a[0].x, a[1].x, b[0].x, b[1].x) || apart(a[0].y, a[1].y, b[0].y, b[1].y) {
        return Meeting::Nothing;
    }
    let of_b = [side(a[0], a[1], b[0]), side(a[0], a[1], b[1])];
    if of_b[0] == of_b[1] && of_b[0].is_ne() {
        return Meeting::Nothing;
    }
    let of_a = [side(b[0], b[1], a[0]), side(b[0], b[1], a[1])];
    if of_a[0] == of_a[1] && of_a[0].is_ne() {
        return Meeting::Nothing;
    }
    if of_a[0].is_eq() && of_a[1].is_eq() {
        return along(a, b);
    }
    if let Some(i) = of_b.iter().position(|o| o.is_eq()) {
        return Meeting::Touch(b[i]);
    }
    if let Some(i) = of_a.iter().position(|o| o.is_eq()) {
        return Meeting::Touch(a[i]);
    }
    Meeting::Crossing(crossing(a, b))
}

/// Of two segments on one line whose boxes meet.
fn along(a: [Point; 2], b: [Point; 2]) -> Meeting {
    let sorted = |[p, q]: [Point; 2]| if order(p, q).is_le() { [p, q] } else { [q, p] };
    let (a, b) = (sorted(a), sorted(b));
    let start = if order(a[0], b[0]).is_ge() {
        a[0]
    } else {
        b[0]
    };
    let end = if order(a[1], b[1]).is_le() {
        a[1]
    } else {
        b[1]
    };
    match order(start, end) {
        Ordering::Less => Meeting::Overlap(start),
        Ordering::Equal => Meeting::Touch(start),
        Ordering::Greater => Meeting::Nothing,
    }
}

/// Where two segments cross that are known to.
fn crossing(a: [Point; 2], b: [Point; 2]) -> Point {
    let (d, e) = (a[1] - a[0], b[1] - b[0]);
    let w = b[0] - a[0];
    let t = (w.x * e.y - w.y * e.x) / (d.x * e.y - d.y * e.x);
    let t = if t.is_finite() {
        t.clamp(0.0, 1.0)
    } else {
        0.5
    };
    Coord {
        x: a[0].x + d.x * t,
        y: a[0].y + d.y * t,
    }
}
