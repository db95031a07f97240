//! Where a dividing line meets the border, and the points both get there.

use super::node::node;
use super::rings::{Edge, Point, along, distance, edges, is_near, key};
use super::{Error, Parcel, check_points, place};
use crate::validity::segment::{Meeting, meet};
use hashbrown::{HashMap, HashSet};

/// Rounds after which it is given up: each noding or crossing moves edges by the rounding of a double, which could make
/// them meet others.
const MAX_ROUNDS: usize = 16;

/// Refuses a line that can't be used or meets itself; drops repeated points. A closed line is one.
pub(super) fn checked(line: &[Point]) -> Result<Vec<Point>, Error> {
    check_points(line)?;
    let mut path = line.to_vec();
    path.dedup();
    if path.len() < 2 {
        let at = path.first().map_or([0.0; 2], |p| place(*p));
        return Err(Error::InvalidInput { place: at });
    }
    let segments: Vec<Edge> = path.windows(2).map(|w| [w[0], w[1]]).collect();
    for (i, s) in segments.iter().enumerate() {
        for (j, t) in segments.iter().enumerate().skip(i + 1) {
            let joined =
                |p: Point| (j == i + 1 && p == s[1]) || (p == path[0] && p == t[1] && i == 0);
            match meet(*s, *t) {
                Meeting::Nothing => {}
                Meeting::Touch(p) if joined(p) => {}
                Meeting::Touch(p) | Meeting::Crossing(p) | Meeting::Overlap(p) => {
                    return Err(Error::LineCrossesItself { place: place(p) });
                }
            }
        }
    }
    Ok(path)
}

/// Puts the points where the line meets the border of the first parcel into the line and all parcels that have that
/// border. Afterwards line and border meet at common vertices alone.
pub(super) fn arrange(
    mut path: Vec<Point>,
    parcels: &mut [Parcel],
    tolerance: f64,
) -> Result<Vec<Point>, Error> {
    for p in &mut path {
        if let Some(v) = nearest(*p, &parcels[0], tolerance) {
            *p = v;
        }
    }
    path.dedup();
    for _ in 0..MAX_ROUNDS {
        let own: Vec<Edge> = edges(&parcels[0].geometry).collect();
        let vertices: HashSet<_> = own.iter().map(|e| key(e[0])).collect();
        if let Some(bent) = through_vertices(&path, &own, tolerance) {
            path = bent;
            continue;
        }
        let mut cuts: Vec<(Edge, Point)> = vec![];
        for p in path.iter().filter(|p| !vertices.contains(&key(**p))) {
            let near = own.iter().find(|e| is_near(*p, **e, tolerance));
            cuts.extend(near.map(|e| (*e, *p)));
        }
        let crossed = if cuts.is_empty() {
            crossings(&path, &own, &mut cuts)
        } else {
            path.clone()
        };
        if cuts.is_empty() {
            return once(path);
        }
        let cut: Vec<Edge> = cuts.iter().map(|(e, _)| *e).collect();
        let mut insertions = node(&cut, parcels, tolerance);
        // Noded first, the edges are others and the line is held against them anew.
        if insertions.is_empty() {
            cuts.iter().for_each(|(e, p)| insertions.add(*e, *p));
            path = crossed;
        }
        insertions.apply(parcels);
    }
    Err(Error::TooFine {
        place: place(path[0]),
    })
}

/// A line that came to pass a point twice by being bent.
fn once(path: Vec<Point>) -> Result<Vec<Point>, Error> {
    let mut seen: HashMap<_, usize> = HashMap::new();
    for (i, p) in path.iter().enumerate() {
        let closes = i + 1 == path.len() && *p == path[0];
        if seen.insert(key(*p), i).is_some() && !closes {
            return Err(Error::LineCrossesItself { place: place(*p) });
        }
    }
    Ok(path)
}

fn nearest(p: Point, parcel: &Parcel, tolerance: f64) -> Option<Point> {
    edges(&parcel.geometry)
        .map(|e| e[0])
        .filter(|v| distance(p, *v) <= tolerance)
        .min_by(|a, b| distance(p, *a).total_cmp(&distance(p, *b)))
}

/// The line with the vertices that it passes within the tolerance; none when there are no more.
fn through_vertices(path: &[Point], own: &[Edge], tolerance: f64) -> Option<Vec<Point>> {
    let mut bent = vec![path[0]];
    for w in path.windows(2) {
        let segment = [w[0], w[1]];
        let mut passed: Vec<Point> = own
            .iter()
            .map(|e| e[0])
            .filter(|v| !path.contains(v) && !bent.contains(v))
            .filter(|v| is_near(*v, segment, tolerance))
            .collect();
        passed.sort_by(|p, q| along(segment, *p).total_cmp(&along(segment, *q)));
        passed.dedup();
        bent.extend(passed);
        bent.push(w[1]);
    }
    (bent.len() > path.len()).then_some(bent)
}

/// The line with the points where it crosses edges, and these.
fn crossings(path: &[Point], own: &[Edge], cuts: &mut Vec<(Edge, Point)>) -> Vec<Point> {
    let mut new = vec![path[0]];
    for w in path.windows(2) {
        let segment = [w[0], w[1]];
        let mut found = vec![];
        for e in own {
            if let Meeting::Crossing(p) = meet(*e, segment) {
                found.push(p);
                cuts.push((*e, p));
            }
        }
        found.sort_by(|p, q| along(segment, *p).total_cmp(&along(segment, *q)));
        new.extend(found);
        new.push(w[1]);
    }
    new.dedup();
    new
}
