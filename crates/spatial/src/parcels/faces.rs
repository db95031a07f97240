//! Polygons from edges that have the inside on their left.

use std::cmp::Ordering;

use geo::winding_order::WindingOrder;
use geo::{Area, Winding};
use geo_types::{LineString, Polygon};
use hashbrown::{HashMap, HashSet};

use super::region::{Place, Region, clockwise};
use super::rings::{Edge, Point, PointKey, closed, key};

/// Rings, without the closing point, that pass no point twice: counter-clockwise around a face, clockwise around what
/// is cut out of it.
///
/// # Errors
/// A point of an edge that has the same face on both sides, or at which an edge ends.
pub(super) fn trace(edges: &[Edge]) -> Result<Vec<Vec<Point>>, Point> {
    let mut outgoing: HashMap<PointKey, Vec<usize>> = HashMap::new();
    for (i, e) in edges.iter().enumerate() {
        outgoing.entry(key(e[0])).or_default().push(i);
    }
    let mut used = vec![false; edges.len()];
    let mut rings = vec![];
    for first in 0..edges.len() {
        if used[first] {
            continue;
        }
        let mut walk = vec![];
        let mut at = first;
        while !used[at] {
            used[at] = true;
            walk.push(edges[at]);
            let [from, to] = edges[at];
            at = outgoing
                .get(&key(to))
                .into_iter()
                .flatten()
                .copied()
                .min_by(|i, j| clockwise(to, from, edges[*i][1], edges[*j][1]))
                .ok_or(to)?;
        }
        if at != first {
            return Err(edges[at][0]);
        }
        let there: HashSet<_> = walk.iter().map(|e| [key(e[0]), key(e[1])]).collect();
        let both = |e: &&Edge| there.contains(&[key(e[1]), key(e[0])]);
        if let Some(e) = walk.iter().find(both) {
            return Err(e[0]);
        }
        simple(&walk, &mut rings);
    }
    Ok(rings)
}

/// Parts a closed walk where it passes a point again.
pub(super) fn simple(walk: &[Edge], rings: &mut Vec<Vec<Point>>) {
    let mut path: Vec<Point> = vec![];
    let mut position: HashMap<PointKey, usize> = HashMap::new();
    for p in walk.iter().map(|e| e[0]).chain(walk.first().map(|e| e[0])) {
        if let Some(i) = position.get(&key(p)).copied() {
            let ring = path.split_off(i);
            for q in &ring {
                position.remove(&key(*q));
            }
            rings.push(ring);
        }
        position.insert(key(p), path.len());
        path.push(p);
    }
}

/// Puts clockwise rings as holes into the smallest counter-clockwise ring around them. Shells are turned like the first
/// of the old rings, holes the other way; a ring that is there as before is kept as it was written, and one that still
/// has the first vertex of an old one begins there.
pub(super) fn assemble(rings: Vec<Vec<Point>>, old: &[&LineString<f64>]) -> Vec<Polygon<f64>> {
    let turned = old.first().is_some_and(|r| r.is_cw());
    let mut orders = [WindingOrder::CounterClockwise, WindingOrder::Clockwise];
    if turned {
        orders.reverse();
    }
    let mut shells: Vec<(Polygon<f64>, f64)> = vec![];
    let mut holes = vec![];
    for ring in rings {
        let is_shell = LineString(ring.iter().chain(ring.first()).copied().collect()).is_ccw();
        let ring = as_before(ring, old, orders[usize::from(!is_shell)]);
        let polygon = Polygon::new(ring, vec![]);
        let area = polygon.unsigned_area();
        if is_shell {
            shells.push((polygon, area));
        } else {
            holes.push((polygon, area));
        }
    }
    let regions: Vec<_> = shells
        .iter()
        .map(|(p, _)| Region::new(std::slice::from_ref(p)))
        .collect();
    for (hole, area) in holes {
        let region = Region::new(std::slice::from_ref(&hole));
        let around = |i: &usize| {
            shells[*i].1 > area
                && regions[*i].overlap(&region).is_some()
                && hole
                    .exterior()
                    .0
                    .iter()
                    .all(|p| regions[*i].locate(*p) != Place::Outside)
        };
        let smallest = |i: &usize, j: &usize| -> Ordering { shells[*i].1.total_cmp(&shells[*j].1) };
        let shell = (0..shells.len()).filter(around).min_by(smallest);
        if let Some(shell) = shell {
            shells[shell].0.interiors_push(hole.into_inner().0);
        }
    }
    shells.into_iter().map(|(p, _)| p).collect()
}

fn as_before(
    mut ring: Vec<Point>,
    old: &[&LineString<f64>],
    order: WindingOrder,
) -> LineString<f64> {
    let position: HashMap<_, _> = ring.iter().enumerate().map(|(i, p)| (key(*p), i)).collect();
    let mut start = None;
    for before in old {
        let Some(first) = before.0.first().and_then(|p| position.get(&key(*p))) else {
            continue;
        };
        start = start.or(Some(*first));
        let mut points = before.0.clone();
        points.dedup();
        let n = ring.len();
        let same = |step: usize| {
            points.len() == n + 1
                && points
                    .iter()
                    .enumerate()
                    .all(|(i, p)| ring[(first + i * step) % n] == *p)
        };
        if same(1) || same(n - 1) {
            return (*before).clone();
        }
    }
    ring.rotate_left(start.unwrap_or(0));
    closed(ring, order)
}
