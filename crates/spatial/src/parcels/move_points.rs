//! Moving border points.

use geo_types::{Coord, LineString};
use hashbrown::HashMap;

use super::node::node;
use super::rings::{Edge, Point, PointKey, edges, key, with_rings};
use super::{Error, Parcel, accept, changed, check_points, check_tolerance, check_turning};

/// Moves vertices, each from a place to a place, in all parcels that have them, all at once; gives the parcels that
/// changed. Where a parcel's edge runs along the border that moves but has not its vertices (up to `tolerance`), it
/// gets them first. A vertex that comes to lie on the next one of its ring becomes one with it. O(n m).
///
/// # Errors
/// No parcel has a vertex there, a ring would be turned over or a parcel not valid, or gaps or overlaps would come up. An
/// outer border may move over land that no parcel has.
pub fn move_points(
    moves: &[([f64; 2], [f64; 2])],
    parcels: &[Parcel],
    tolerance: f64,
) -> Result<Vec<Parcel>, Error> {
    check_tolerance(tolerance)?;
    let point = |p: [f64; 2]| Coord { x: p[0], y: p[1] };
    let mut targets: HashMap<PointKey, Point> = HashMap::new();
    for (from, to) in moves {
        check_points(&[point(*from), point(*to)])?;
        let target = targets.entry(key(point(*from))).or_insert(point(*to));
        if *target != point(*to) {
            return Err(Error::InvalidInput { place: *from });
        }
    }
    let moving: Vec<Edge> = parcels
        .iter()
        .flat_map(|p| edges(&p.geometry))
        .filter(|e| e.iter().any(|p| targets.contains_key(&key(*p))))
        .collect();
    for (from, _) in moves {
        if !moving.iter().flatten().any(|p| *p == point(*from)) {
            return Err(Error::NoSuchVertex { place: *from });
        }
    }
    let mut after = parcels.to_vec();
    node(&moving, parcels, tolerance).apply(&mut after);
    let mut turned = vec![];
    for (i, parcel) in after.iter_mut().enumerate() {
        if let Some(geometry) = with_rings(&parcel.geometry, |ring| moved(ring, &targets)) {
            parcel.geometry = geometry;
            turned.push(i);
        }
    }
    accept(parcels, &after)?;
    for i in turned {
        check_turning(&parcels[i], &after[i])?;
    }
    Ok(changed(parcels, &after))
}

fn moved(ring: &LineString<f64>, targets: &HashMap<PointKey, Point>) -> Option<LineString<f64>> {
    let target = |p: &Point| targets.get(&key(*p)).copied();
    ring.0.iter().find_map(target)?;
    let mut points: Vec<Point> = Vec::with_capacity(ring.0.len());
    let mut before = None;
    for p in &ring.0 {
        let new = target(p).unwrap_or(*p);
        // Points that were there twice stay so.
        let joined = points.last() == Some(&new) && before != Some(*p);
        if !joined {
            points.push(new);
        }
        before = Some(*p);
    }
    Some(LineString(points))
}
