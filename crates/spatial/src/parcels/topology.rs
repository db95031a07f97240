//! New gaps and overlaps, found exactly.
//!
//! Take all edges with the inside on their left and let opposite ones cancel out: how often a place is covered is its
//! winding number in what is left. So coverage changes only where that sum does, and the difference of the sums is
//! empty when neighbours were changed alike. Otherwise it consists of closed rings around the places where coverage
//! grew (counter-clockwise) or shrank (clockwise), and only these have to be looked at.

mod rest;

use std::fmt;

use geo::{Area, BooleanOps, BoundingRect, Euclidean, Intersects, Length, Rect, Winding};
use geo_types::{Coord, LineString, MultiPolygon, Polygon};

use super::Parcel;
use super::region::Region;
use super::rings::{Edge, Point, edges, is_on, parts};
use crate::validity::{self, CoverageKind};
use rest::{Rest, Ring};

/// A gap or an overlap that was not there before.
#[derive(Debug, Clone, PartialEq)]
pub struct Defect {
    pub kind: CoverageKind,
    /// On its border or in it.
    pub place: [f64; 2],
    /// Of the place where the parcels' coverage changed, in square units of the coordinates; rounding may make it 0.
    pub area: f64,
    /// The parcels beside a gap; the two that overlap. Ascending.
    pub keys: Vec<i64>,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            CoverageKind::Gap => "a gap",
            CoverageKind::Overlap => "an overlap",
        };
        let Self {
            area, place, keys, ..
        } = self;
        write!(f, "{kind} of {area} at {place:?}, parcels {keys:?}")
    }
}

/// Gaps and overlaps of `after` that are not in `before`. Both hold the parcels operated on and the neighbours around
/// them, each geometry valid; keys may be new or come more than once.
///
/// A gap is a place that was covered, is not any more, and lies between parcels: it is enclosed, or a border that was
/// shared lies bare at it. An outer border may move, inwards or over land that nobody has. Where nothing but the
/// subdivision changes, O(n); else each change is compared with the parcels around it.
pub fn topology(before: &[Parcel], after: &[Parcel]) -> Vec<Defect> {
    let rest = Rest::new(before, after);
    if rest.edges.is_empty() {
        return vec![];
    }
    let rings = rest.rings(before);
    let mut defects = overlaps(&rings, before, after);
    defects.extend(gaps(&rings, before, after));
    defects
}

fn polygon(ring: &Ring) -> Polygon<f64> {
    let points = ring.edges.iter().map(|e| e.edge[0]).collect();
    Polygon::new(LineString(points), vec![])
}

/// Which way a ring turns; one that crosses itself, where an old border and a new one cross, turns both ways.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Grown,
    Shrunk,
    Both,
}

fn turn(polygon: &Polygon<f64>) -> Turn {
    if !validity::check(&polygon.clone().into()).is_empty() {
        Turn::Both
    } else if polygon.exterior().is_cw() {
        Turn::Shrunk
    } else {
        Turn::Grown
    }
}

fn overlaps(rings: &[Ring], before: &[Parcel], after: &[Parcel]) -> Vec<Defect> {
    let mut defects: Vec<Defect> = vec![];
    let places = rings.iter().map(polygon).map(|p| (turn(&p), p));
    let places: Vec<_> = places.filter(|(turn, _)| *turn != Turn::Shrunk).collect();
    for (n, (turn, place)) in places.iter().enumerate() {
        let there = match turn {
            Turn::Grown => {
                let others = places.iter().enumerate().filter(|(m, _)| *m != n);
                let grows_twice = || others.clone().any(|(_, other)| may_meet(place, other));
                // Nobody had it, so it is covered once.
                if covering(place, before).is_empty() && !grows_twice() {
                    continue;
                }
                covering(place, after)
            }
            _ => around(place, after).collect(),
        };
        let within = within(*turn, place);
        for (i, a) in there.iter().enumerate() {
            for b in &there[i + 1..] {
                let Some(at) = a.1.overlap_within(&b.1, &within) else {
                    continue;
                };
                let mut keys = vec![a.0.key, b.0.key];
                keys.sort_unstable();
                if was_there(a, b, place, before) || defects.iter().any(|d| d.keys == keys) {
                    continue;
                }
                defects.push(Defect {
                    kind: CoverageKind::Overlap,
                    place: [at.x, at.y],
                    area: common_area(&[a.0, b.0]).map_or(0.0, |(area, _)| area),
                    keys,
                });
            }
        }
    }
    defects
}

/// A place to be looked at; the box of one that crosses itself and so has no inside.
fn within(turn: Turn, place: &Polygon<f64>) -> Region {
    match place.bounding_rect() {
        Some(rect) if turn == Turn::Both => Region::new(&[rect.to_polygon()]),
        _ => Region::new(std::slice::from_ref(place)),
    }
}

type Covering<'a> = (&'a Parcel, Region);

/// Whether a valid place has a part of another.
fn may_meet(place: &Polygon<f64>, (turn, other): &(Turn, Polygon<f64>)) -> bool {
    let [a, b] = [place, other].map(|p| Region::new(std::slice::from_ref(p)));
    boxes_meet(place, other) && (*turn == Turn::Both || a.overlap(&b).is_some())
}

/// Parcels that have a part of a valid place.
fn covering<'a>(place: &Polygon<f64>, parcels: &'a [Parcel]) -> Vec<Covering<'a>> {
    let region = Region::new(std::slice::from_ref(place));
    around(place, parcels)
        .filter(|(_, r)| r.overlap(&region).is_some())
        .collect()
}

/// Parcels whose boxes meet that of a place.
fn around<'a, 'p>(
    place: &'p Polygon<f64>,
    parcels: &'a [Parcel],
) -> impl Iterator<Item = Covering<'a>> + use<'a, 'p> {
    let near = parcels
        .iter()
        .filter(move |p| boxes_meet(place, &p.geometry));
    near.map(|p| (p, Region::new(parts(&p.geometry))))
}

fn boxes_meet(
    place: &Polygon<f64>,
    other: &impl BoundingRect<f64, Output = Option<Rect<f64>>>,
) -> bool {
    let boxes = place.bounding_rect().zip(other.bounding_rect());
    boxes.is_some_and(|(a, b)| a.intersects(&b))
}

/// Whether two parcels that overlap in a place did so before around it, or those they were made from. Exact where there
/// was no such overlap; else the areas decide, with the precision of an overlay of that size: a border that lies in
/// another parcel can't get a point without moving by the rounding of a double.
fn was_there(a: &Covering<'_>, b: &Covering<'_>, place: &Polygon<f64>, before: &[Parcel]) -> bool {
    let Some(rect) = place.bounding_rect() else {
        return false;
    };
    let around = Region::new(&[rect.to_polygon()]);
    let meeting = |now: &Covering<'_>| -> Vec<usize> {
        let meets = |p: &Parcel| now.1.overlap(&Region::new(parts(&p.geometry))).is_some();
        (0..before.len()).filter(|i| meets(&before[*i])).collect()
    };
    let (of_a, of_b) = (meeting(a), meeting(b));
    let mut pairs: Vec<[usize; 2]> = vec![];
    for i in of_a {
        pairs.extend(
            of_b.iter()
                .filter(|j| **j != i)
                .map(|j| [i.min(*j), i.max(*j)]),
        );
    }
    pairs.sort_unstable();
    pairs.dedup();
    let mut is_near = false;
    let mut area = 0.0;
    for [p, q] in pairs.into_iter().map(|pair| pair.map(|i| &before[i])) {
        let [p_region, q_region] = [p, q].map(|p| Region::new(parts(&p.geometry)));
        if p_region.overlap(&q_region).is_some() {
            is_near |= p_region.overlap_within(&q_region, &around).is_some();
            area += common_area(&[a.0, b.0, p, q]).map_or(0.0, |(area, _)| area);
        }
    }
    let is_covered = |(now, rounding): (f64, f64)| now <= area * (1.0 + 1e-6) + rounding;
    is_near && common_area(&[a.0, b.0]).is_some_and(is_covered)
}

/// Of an intersection, and by how much it may be wrong; none where the overlay fails.
fn common_area(parcels: &[&Parcel]) -> Option<(f64, f64)> {
    let overlay = || {
        let mut rest = parcels
            .iter()
            .map(|p| MultiPolygon(parts(&p.geometry).to_vec()));
        let first = rest.next()?;
        Some(rest.fold(first, |a, b| a.intersection(&b)))
    };
    let common = std::panic::catch_unwind(std::panic::AssertUnwindSafe(overlay)).ok()??;
    let rects = parcels.iter().filter_map(|p| p.geometry.bounding_rect());
    let size = rects.fold(0.0, |size: f64, r| size.max(r.width()).max(r.height()));
    let border: f64 = common.iter().map(|p| Euclidean.length(p.exterior())).sum();
    // The overlay works on integers of 31 bits across both.
    Some((common.unsigned_area(), border * size / f64::from(1 << 29)))
}

fn gaps(rings: &[Ring], before: &[Parcel], after: &[Parcel]) -> Vec<Defect> {
    let polygons: Vec<_> = rings.iter().map(polygon).collect();
    let all_old = |r: &Ring| r.edges.iter().all(|e| e.was_outer);
    // Empty places inside that are no more.
    let filled: Vec<_> = (0..rings.len())
        .filter(|i| all_old(&rings[*i]) && !polygons[*i].exterior().is_cw())
        .map(|i| Region::new(std::slice::from_ref(&polygons[i])))
        .collect();
    let mut defects = vec![];
    for (ring, polygon) in rings.iter().zip(&polygons) {
        if turn(polygon) == Turn::Grown {
            continue;
        }
        let bared = ring.edges.iter().any(|e| e.was_shared);
        let enclosed = ring.edges.iter().all(|e| !e.was_outer);
        let moved_courtyard = || {
            let region = Region::new(std::slice::from_ref(polygon));
            filled.iter().any(|f| f.overlap(&region).is_some())
        };
        if bared || old_runs(ring) > 1 || (enclosed && !moved_courtyard()) {
            defects.push(Defect {
                kind: CoverageKind::Gap,
                place: longest_middle(ring),
                area: polygon.unsigned_area(),
                keys: beside(ring, before, after),
            });
        }
    }
    defects
}

/// How many stretches of the ring are outer border of before: two, when land was opened from border to border.
fn old_runs(ring: &Ring) -> usize {
    let n = ring.edges.len();
    (0..n)
        .filter(|i| ring.edges[*i].was_outer && !ring.edges[(i + 1) % n].was_outer)
        .count()
}

fn longest_middle(ring: &Ring) -> [f64; 2] {
    let length = |e: &Edge| super::rings::distance(e[0], e[1]);
    let longest = ring
        .edges
        .iter()
        .map(|e| e.edge)
        .max_by(|a, b| length(a).total_cmp(&length(b)));
    let [a, b] = longest.unwrap_or([Coord { x: 0.0, y: 0.0 }; 2]);
    [a.x.midpoint(b.x), a.y.midpoint(b.y)]
}

fn beside(ring: &Ring, before: &[Parcel], after: &[Parcel]) -> Vec<i64> {
    let new: Vec<Edge> = ring
        .edges
        .iter()
        .filter(|e| !e.was_outer)
        .map(|e| e.edge)
        .collect();
    let has = |parcel: &Parcel, ends: &Edge| {
        let holds = |e: Edge| ends.iter().all(|p: &Point| is_on(*p, e));
        edges(&parcel.geometry).any(holds)
    };
    let mut keys: Vec<i64> = before
        .iter()
        .chain(after)
        .filter(|p| new.iter().any(|e| has(p, e)))
        .map(|p| p.key)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
