//! Replacing a stretch of border.

use geo_types::LineString;

use super::node::node;
use super::rings::{Edge, Point, all_rings, with_rings};
use super::{Error, Parcel, accept, changed, check_points, check_tolerance, check_turning, place};

/// Replaces a run of vertices that follow each other in a border by other points, in every ring that has it, in either
/// direction; gives the parcels that changed. First and last point stay. Where an edge of another parcel runs along the
/// stretch but has not its ends (up to `tolerance`), it gets them first. O(n m).
///
/// # Errors
/// No ring has the run, the ends differ, the border of a parcel joins the run between its ends and would be left
/// hanging, a ring would be turned over or a parcel not valid, or gaps or overlaps would come up.
pub fn correct(
    from: &LineString<f64>,
    to: &LineString<f64>,
    parcels: &[Parcel],
    tolerance: f64,
) -> Result<Vec<Parcel>, Error> {
    check_tolerance(tolerance)?;
    let (old, new) = (run(from)?, run(to)?);
    for (a, b) in [(old.first(), new.first()), (old.last(), new.last())] {
        if let (Some(a), Some(b)) = (a, b)
            && a != b
        {
            return Err(Error::EndsDiffer { place: place(*b) });
        }
    }
    let along: Vec<Edge> = old.windows(2).map(|w| [w[0], w[1]]).collect();
    if !parcels.iter().any(|p| has(p, &old)) {
        return Err(Error::NoSuchRun {
            place: place(old[0]),
        });
    }
    let nodes = node(&along, parcels, tolerance);
    if let Some(p) = along.iter().flat_map(|e| nodes.of(*e)).next() {
        return Err(hanging(*p, parcels));
    }
    let mut after = parcels.to_vec();
    nodes.apply(&mut after);
    let reversed = |points: &[Point]| points.iter().rev().copied().collect::<Vec<_>>();
    let (old_back, new_back) = (reversed(&old), reversed(&new));
    for parcel in &mut after {
        let there = with_rings(&parcel.geometry, |ring| {
            let forth = replaced(ring, &old, &new);
            let back = replaced(forth.as_ref().unwrap_or(ring), &old_back, &new_back);
            back.or(forth)
        });
        if let Some(geometry) = there {
            parcel.geometry = geometry;
        }
    }
    let inner = &old[1..old.len() - 1];
    for p in inner.iter().filter(|p| !new.contains(p)) {
        if after.iter().any(|parcel| has(parcel, &[*p])) {
            return Err(hanging(*p, &after));
        }
    }
    accept(parcels, &after)?;
    for (before, parcel) in parcels.iter().zip(&after) {
        check_turning(before, parcel)?;
    }
    Ok(changed(parcels, &after))
}

fn run(line: &LineString<f64>) -> Result<Vec<Point>, Error> {
    check_points(&line.0)?;
    let mut points = line.0.clone();
    points.dedup();
    if points.len() < 2 {
        let at = points.first().map_or([0.0; 2], |p| place(*p));
        return Err(Error::InvalidInput { place: at });
    }
    Ok(points)
}

fn hanging(p: Point, parcels: &[Parcel]) -> Error {
    let whose = parcels.iter().find(|parcel| has(parcel, &[p]));
    Error::JunctionInside {
        place: place(p),
        key: whose.map_or(0, |parcel| parcel.key),
    }
}

/// Whether a ring has the points one after the other, in either direction.
fn has(parcel: &Parcel, points: &[Point]) -> bool {
    let back: Vec<Point> = points.iter().rev().copied().collect();
    all_rings(&parcel.geometry).any(|ring| {
        [points, &back]
            .iter()
            .any(|run| position(ring, run).is_some())
    })
}

/// Where a run begins in a ring.
fn position(ring: &LineString<f64>, run: &[Point]) -> Option<usize> {
    let n = ring.0.len().checked_sub(1).filter(|n| run.len() <= n + 1)?;
    (0..n).find(|i| (0..run.len()).all(|k| ring.0[(i + k) % n] == run[k]))
}

/// The ring with another run. It begins where it did; if that vertex is taken away, at the run's first.
fn replaced(ring: &LineString<f64>, old: &[Point], new: &[Point]) -> Option<LineString<f64>> {
    let i = position(ring, old)?;
    let n = ring.0.len() - 1;
    let end = i + old.len() - 1;
    let mut points: Vec<Point> = vec![];
    if end <= n {
        points.extend(&ring.0[..i]);
        points.extend(new);
        points.extend(&ring.0[end + 1..]);
    } else {
        points.extend(new);
        points.extend(&ring.0[end % n + 1..=i]);
    }
    Some(LineString(points))
}
