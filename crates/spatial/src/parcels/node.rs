//! Making borders that run along each other equal, vertex by vertex.

use hashbrown::{HashMap, HashSet};

use super::Parcel;
use super::rings::{Edge, Insertions, Point, PointKey, distance, edge_key, edges, is_near, is_on};

/// Points to be put into edges so that those of `wanted` are shared as a whole with whatever runs along them: where two
/// edges have more than a point in common, up to `tolerance`, each gets the ends of the other that lie inside it.
/// An edge that gets points so is then wanted, too. One that two rings have already is left alone, and so are vertices
/// of both sides that are nearer to each other than the tolerance: to join them, one would have to move. O(n m).
pub(super) fn node(wanted: &[Edge], parcels: &[Parcel], tolerance: f64) -> Insertions {
    node_where(wanted, parcels, tolerance, |_| true)
}

/// As [`node`] for the borders between the parcels alone: an edge that two of them have is settled, and what runs along it, as
/// the other side of a sliver does, is another border.
pub(super) fn node_open(wanted: &[Edge], parcels: &[Parcel], tolerance: f64) -> Insertions {
    node_where(wanted, parcels, tolerance, |count| count < 2)
}

/// `with` says by how many rings have an edge whether others are held against it.
fn node_where(
    wanted: &[Edge],
    parcels: &[Parcel],
    tolerance: f64,
    with: impl Fn(usize) -> bool,
) -> Insertions {
    let mut count: HashMap<[PointKey; 2], usize> = HashMap::new();
    let all: Vec<Edge> = parcels.iter().flat_map(|p| edges(&p.geometry)).collect();
    for e in &all {
        *count.entry(edge_key(*e).0).or_default() += 1;
    }
    let count = |e: &Edge| count.get(&edge_key(*e).0).copied().unwrap_or_default();
    let mut insertions = Insertions::default();
    let mut wanted = wanted.to_vec();
    let mut done = HashSet::new();
    while let Some(e) = wanted.pop() {
        if count(&e) >= 2 || !done.insert(edge_key(e).0) {
            continue;
        }
        for f in &all {
            let is_other = edge_key(*f).0 != edge_key(e).0 && with(count(f));
            if !is_other || !boxes_meet(e, *f, tolerance) {
                continue;
            }
            let on_e = f.iter().filter(|p| is_near(**p, e, tolerance));
            let on_f = e.iter().filter(|p| is_near(**p, *f, tolerance));
            let common: Vec<_> = on_e.clone().chain(on_f.clone()).collect();
            if common.iter().any(|p| far(**p, *common[0], tolerance)) {
                on_e.for_each(|p| add(&mut insertions, e, *p, tolerance));
                on_f.for_each(|p| add(&mut insertions, *f, *p, tolerance));
                wanted.push(*f);
            }
        }
    }
    insertions
}

/// Not where it would make an edge shorter than the tolerance, but for a point that is exactly on the edge.
fn add(insertions: &mut Insertions, edge: Edge, p: Point, tolerance: f64) {
    if edge.iter().all(|q| far(p, *q, tolerance)) || is_on(p, edge) {
        insertions.add(edge, p);
    }
}

fn far(p: Point, q: Point, tolerance: f64) -> bool {
    distance(p, q) > tolerance
}

fn boxes_meet(e: Edge, f: Edge, tolerance: f64) -> bool {
    let apart = |a: [f64; 2], b: [f64; 2]| {
        a[0].max(a[1]) + tolerance < b[0].min(b[1]) || b[0].max(b[1]) + tolerance < a[0].min(a[1])
    };
    !apart([e[0].x, e[1].x], [f[0].x, f[1].x]) && !apart([e[0].y, e[1].y], [f[0].y, f[1].y])
}
