//! Joining parcels.

use geo::{Area, Euclidean, Length};
use geo_types::{Geometry, MultiPolygon, Polygon};
use hashbrown::{HashMap, HashSet};

use super::node::{node, node_open};
use super::region::Region;
use super::rings::{Edge, PointKey, all_rings, borders, edges, key, parts};
use super::{Error, Parcel, accept, changed, check_parcel, check_tolerance, faces, place};

/// Rounds of making borders equal; each may bring up new edges to compare.
const MAX_ROUNDS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartsOfMerged {
    /// A polygon, or an error.
    One,
    /// A multi-polygon where they do not hang together.
    Several,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MergeOptions {
    /// Borders that are no farther apart are made equal, vertex by vertex.
    pub tolerance: f64,
    /// What two or more of the parcels enclose and no neighbour has is a gap if it is no wider than this on average;
    /// else it becomes a hole.
    pub max_gap_width: f64,
    pub parts: PartsOfMerged,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// Polygon, or multi-polygon when there are several parts.
    pub geometry: Geometry<f64>,
    /// The neighbours that got points, as they are now.
    pub neighbours: Vec<Parcel>,
}

/// Joins two or more parcels by taking away the edges that two of them have in opposite directions. All other vertices
/// are kept, since neighbours may have them. Touching at a point does not join.
///
/// # Errors
/// The parcels overlap, there is a narrow gap between them, they are not contiguous and several parts were not asked for,
/// or one of them is not valid.
pub fn merge(
    parcels: &[Parcel],
    neighbours: &[Parcel],
    options: &MergeOptions,
) -> Result<Merged, Error> {
    check_tolerance(options.tolerance)?;
    check_tolerance(options.max_gap_width)?;
    parcels.iter().try_for_each(check_parcel)?;
    let keys: Vec<i64> = parcels.iter().map(|p| p.key).collect();
    let Some(first) = parcels.first().filter(|_| parcels.len() > 1) else {
        return Err(Error::InvalidInput { place: [0.0; 2] });
    };
    let before: Vec<Parcel> = parcels.iter().chain(neighbours).cloned().collect();
    let mut after = before.clone();
    equalise(&mut after, parcels.len(), options.tolerance)?;
    let (own, beside) = after.split_at(parcels.len());
    check_overlaps(own)?;
    let left = uncancelled(own);
    let rings = faces::trace(&left.iter().map(|l| l.0).collect::<Vec<_>>())
        .map_err(|p| Error::TooFine { place: place(p) })?;
    let old: Vec<_> = own.iter().flat_map(|p| all_rings(&p.geometry)).collect();
    let mut polygons = faces::assemble(rings, &old);
    check_holes(&polygons, &left, beside, options.max_gap_width)?;
    if polygons.len() > 1 && options.parts == PartsOfMerged::One {
        let at = polygons[1].exterior().0[0];
        return Err(Error::NotContiguous {
            place: place(at),
            keys,
        });
    }
    let geometry = match polygons.pop() {
        Some(only) if polygons.is_empty() => Geometry::Polygon(only),
        Some(last) => {
            polygons.push(last);
            Geometry::MultiPolygon(MultiPolygon(polygons))
        }
        None => return Err(Error::NotPolygon { key: first.key }),
    };
    let merged = Parcel {
        key: first.key,
        geometry: geometry.clone(),
    };
    let all: Vec<Parcel> = std::iter::once(merged)
        .chain(beside.iter().cloned())
        .collect();
    accept(&before, &all)?;
    Ok(Merged {
        geometry,
        neighbours: changed(neighbours, beside),
    })
}

/// Makes borders between the first `own` parcels equal; neighbours follow.
fn equalise(all: &mut [Parcel], own: usize, tolerance: f64) -> Result<(), Error> {
    for _ in 0..MAX_ROUNDS {
        let mut borders = vec![];
        for parcel in &all[..own] {
            borders.extend(edges(&parcel.geometry));
        }
        let mut insertions = node_open(&borders, &all[..own], tolerance);
        if insertions.is_empty() {
            return Ok(());
        }
        insertions.extend(&node(&insertions.edges(), all, tolerance));
        insertions.apply(all);
    }
    let at = edges(&all[0].geometry)
        .next()
        .map_or([0.0; 2], |e| place(e[0]));
    Err(Error::TooFine { place: at })
}

fn check_overlaps(own: &[Parcel]) -> Result<(), Error> {
    let regions: Vec<_> = own
        .iter()
        .map(|p| Region::new(parts(&p.geometry)))
        .collect();
    for (i, a) in regions.iter().enumerate() {
        for (j, b) in regions.iter().enumerate().skip(i + 1) {
            if let Some(at) = a.overlap(b) {
                return Err(Error::OverlapBetween {
                    place: place(at),
                    keys: vec![own[i].key, own[j].key],
                });
            }
        }
    }
    Ok(())
}

/// The edges that no other of the parcels has in the opposite direction, and whose they are.
fn uncancelled(own: &[Parcel]) -> Vec<(Edge, i64)> {
    let all: Vec<(Edge, i64)> = own
        .iter()
        .flat_map(|p| {
            let edges = parts(&p.geometry).iter().flat_map(borders).flatten();
            edges.map(|e| (e, p.key))
        })
        .collect();
    let there: HashSet<_> = all.iter().map(|(e, _)| [key(e[0]), key(e[1])]).collect();
    all.into_iter()
        .filter(|(e, _)| !there.contains(&[key(e[1]), key(e[0])]))
        .collect()
}

fn check_holes(
    polygons: &[Polygon<f64>],
    left: &[(Edge, i64)],
    beside: &[Parcel],
    max_width: f64,
) -> Result<(), Error> {
    let owners: HashMap<[PointKey; 2], i64> = left
        .iter()
        .map(|(e, owner)| (super::rings::edge_key(*e).0, *owner))
        .collect();
    let others: HashSet<_> = beside
        .iter()
        .flat_map(|p| edges(&p.geometry))
        .map(|e| super::rings::edge_key(e).0)
        .collect();
    for hole in polygons.iter().flat_map(|p| p.interiors()) {
        let keys = hole
            .0
            .windows(2)
            .map(|w| super::rings::edge_key([w[0], w[1]]).0);
        let mut around: Vec<i64> = keys
            .clone()
            .filter_map(|k| owners.get(&k).copied())
            .collect();
        around.sort_unstable();
        around.dedup();
        let taken = keys.clone().any(|k| others.contains(&k));
        let area = Polygon::new(hole.clone(), vec![]).unsigned_area();
        if around.len() > 1 && !taken && 2.0 * area <= max_width * Euclidean.length(hole) {
            return Err(Error::GapBetween {
                place: place(hole.0[0]),
                area,
                keys: around,
            });
        }
    }
    Ok(())
}
