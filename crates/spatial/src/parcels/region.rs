//! What is inside a polygon, decided exactly.

use std::cmp::Ordering;

use geo::{BoundingRect, Rect};
use geo_types::{Coord, Polygon};

use super::rings::{Edge, Point, borders, is_on};
use crate::validity::segment::{Meeting, meet, order, side};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Inside,
    Border,
    Outside,
}

/// The inside of valid polygons, one beside the other.
pub(super) struct Region {
    /// Edges with the inside on their left.
    rings: Vec<Vec<Edge>>,
    /// Around all; none when there is nothing.
    rect: Option<Rect<f64>>,
}

impl Region {
    pub(super) fn new(polygons: &[Polygon<f64>]) -> Self {
        Self {
            rings: polygons.iter().flat_map(borders).collect(),
            rect: polygons
                .iter()
                .filter_map(|p| p.bounding_rect())
                .reduce(joined),
        }
    }

    /// O(n).
    pub(super) fn locate(&self, p: Point) -> Place {
        let mut inside = false;
        for e in self.rings.iter().flatten() {
            if is_on(p, *e) {
                return Place::Border;
            }
            let [a, b] = *e;
            // Each edge holds its lower end, so a ray through a vertex counts once.
            if (a.y <= p.y) != (b.y <= p.y) && side(a, b, p).is_gt() == (a.y < b.y) {
                inside = !inside;
            }
        }
        if inside {
            Place::Inside
        } else {
            Place::Outside
        }
    }

    /// Whether the way from a point of the border to another point begins inside. It must not begin along an edge.
    pub(super) fn enters(&self, from: Point, to: Point) -> bool {
        // Ways along the border from here; on the left of an outgoing one is the inside.
        let ways = self.rings.iter().flatten().flat_map(|e| {
            let here = is_on(from, *e);
            let out = (here && from != e[1]).then_some((e[1], true));
            let back = (here && from != e[0]).then_some((e[0], false));
            [out, back].into_iter().flatten()
        });
        ways.min_by(|a, b| clockwise(from, to, a.0, b.0))
            .is_some_and(|(_, left_inside)| left_inside)
    }

    /// A place near which both insides are, if they meet; touching borders do not count. O(n m) over the edges that
    /// lie in the common box.
    pub(super) fn overlap(&self, other: &Region) -> Option<Point> {
        let common = common(self.rect?, other.rect?)?;
        self.border_inside(other, common, None)
            .or_else(|| other.border_inside(self, common, None))
    }

    /// Whether the common inside has a part in a third region, as far as the borders tell: it may be said to where two
    /// borders cross beside that region.
    pub(super) fn overlap_within(&self, other: &Region, within: &Region) -> Option<Point> {
        let common = common(self.rect?, other.rect?)?;
        self.border_inside(other, common, Some(within))
            .or_else(|| other.border_inside(self, common, Some(within)))
            .or_else(|| {
                // No border of the common inside passes: all of the third region is in it or nothing is.
                let edges = || within.rings.iter().flatten();
                let on_left = |r: &Region, e: &Edge| Some(r.along(*e).ok()?.first()?.1);
                let known = edges().find_map(|e| Some(on_left(self, e)? && on_left(other, e)?));
                let at = edges().next()?[0];
                let around = |p: Point| [self, other].iter().all(|r| r.locate(p) != Place::Outside);
                known
                    .unwrap_or_else(|| edges().all(|e| around(e[0])))
                    .then_some(at)
            })
    }

    /// Where a border is inside another region, crosses its border, or runs along it with both insides on one side;
    /// if `within` is given, where it is also in that. The other region's border cut at this one's vertices and this
    /// one's at the other's either coincide or meet at ends; so each stretch is inside or not as a whole, which its
    /// beginning tells.
    fn border_inside(
        &self,
        other: &Region,
        common: Rect<f64>,
        within: Option<&Region>,
    ) -> Option<Point> {
        let looked_at = match within {
            Some(within) => self::common(common, within.rect?)?,
            None => common,
        };
        let counts = |stretch: Edge| within.is_none_or(|r| r.has(stretch));
        let others = other.rings.iter().flatten().copied();
        let near: Vec<Edge> = others.filter(|e| in_rect(*e, common)).collect();
        for ring in &self.rings {
            // Whether the end of the edge before is inside, if it was looked at.
            let mut end = None;
            for edge in ring {
                if !in_rect(*edge, looked_at) {
                    end = None;
                    continue;
                }
                let stretches = match other.stretches(*edge, &near, end) {
                    Ok(stretches) => stretches,
                    Err(crossing) if counts(*edge) => return Some(crossing),
                    Err(_) => {
                        end = None;
                        continue;
                    }
                };
                end = stretches.last().map(|(_, inside)| *inside);
                let inside = stretches.into_iter().filter(|(_, inside)| *inside);
                for ([a, b], _) in inside {
                    if counts([a, b]) {
                        return Some(Coord {
                            x: a.x.midpoint(b.x),
                            y: a.y.midpoint(b.y),
                        });
                    }
                }
            }
        }
        None
    }

    /// Whether a segment is in part inside, or on the border with the inside on its left.
    fn has(&self, edge: Edge) -> bool {
        let inside = |stretches: Vec<(Edge, bool)>| stretches.iter().any(|(_, inside)| *inside);
        self.along(edge).map_or(true, inside)
    }

    fn along(&self, edge: Edge) -> Result<Vec<(Edge, bool)>, Point> {
        let rect = Rect::new(edge[0], edge[1]);
        let all = self.rings.iter().flatten().copied();
        let near: Vec<Edge> = all.filter(|e| in_rect(*e, rect)).collect();
        self.stretches(edge, &near, None)
    }

    /// An edge cut where it meets those near it, and whether each piece is inside, or on the border with the inside on
    /// its left. `start` tells whether the beginning is inside, where that is known.
    ///
    /// # Errors
    /// A place where the edge crosses the border.
    fn stretches(
        &self,
        edge: Edge,
        near: &[Edge],
        start: Option<bool>,
    ) -> Result<Vec<(Edge, bool)>, Point> {
        let nodes = nodes(edge, near)?;
        let mut stretches = vec![];
        if nodes[0] != edge[0] {
            let inside = start.unwrap_or_else(|| self.locate(edge[0]) == Place::Inside);
            stretches.push(([edge[0], nodes[0]], inside));
        }
        for w in nodes.windows(2) {
            let shared = near.iter().find(|e| is_on(w[0], **e) && is_on(w[1], **e));
            let inside = match shared {
                Some(e) => order(e[0], e[1]) == order(edge[0], edge[1]),
                None => self.enters(w[0], w[1]),
            };
            stretches.push(([w[0], w[1]], inside));
        }
        Ok(stretches)
    }
}

/// Where an edge meets others, in its direction, and its end.
///
/// # Errors
/// A place where it crosses one.
fn nodes(edge: Edge, others: &[Edge]) -> Result<Vec<Point>, Point> {
    let mut nodes = vec![];
    for e in others {
        match meet(edge, *e) {
            Meeting::Nothing => {}
            Meeting::Crossing(p) => return Err(p),
            Meeting::Touch(_) | Meeting::Overlap(_) => {
                nodes.extend(e.iter().copied().filter(|p| is_on(*p, edge)));
                nodes.extend(edge.iter().copied().filter(|p| is_on(*p, *e)));
            }
        }
    }
    nodes.push(edge[1]);
    nodes.sort_by(|p, q| order(*p, *q));
    if order(edge[0], edge[1]).is_gt() {
        nodes.reverse();
    }
    nodes.dedup();
    Ok(nodes)
}

fn common(a: Rect<f64>, b: Rect<f64>) -> Option<Rect<f64>> {
    let min = Coord {
        x: a.min().x.max(b.min().x),
        y: a.min().y.max(b.min().y),
    };
    let max = Coord {
        x: a.max().x.min(b.max().x),
        y: a.max().y.min(b.max().y),
    };
    (min.x <= max.x && min.y <= max.y).then(|| Rect::new(min, max))
}

fn joined(a: Rect<f64>, b: Rect<f64>) -> Rect<f64> {
    Rect::new(
        Coord {
            x: a.min().x.min(b.min().x),
            y: a.min().y.min(b.min().y),
        },
        Coord {
            x: a.max().x.max(b.max().x),
            y: a.max().y.max(b.max().y),
        },
    )
}

fn in_rect([a, b]: Edge, rect: Rect<f64>) -> bool {
    let (min, max) = (rect.min(), rect.max());
    a.x.max(b.x) >= min.x && a.x.min(b.x) <= max.x && a.y.max(b.y) >= min.y && a.y.min(b.y) <= max.y
}

/// Which of two ways from `at` comes first when turning clockwise from the way to `from`; that way itself is last.
/// Exact.
pub(super) fn clockwise(at: Point, from: Point, p: Point, q: Point) -> Ordering {
    let half = |h: Point| match side(at, from, h) {
        Ordering::Less => 0,
        Ordering::Equal if order(at, from) != order(at, h) => 1,
        Ordering::Greater => 2,
        Ordering::Equal => 3,
    };
    half(p).cmp(&half(q)).then_with(|| side(at, p, q))
}
