//! Dividing a parcel by a line.

use std::collections::BTreeMap;

use geo::{Area, Euclidean, Length};
use geo_types::{Geometry, LineString, Polygon};
use hashbrown::HashSet;

use super::cut::{arrange, checked};
use super::region::{Place, Region};
use super::rings::{Edge, Point, borders, edge_key, edges, key, parts};
use super::{Error, Parcel, accept, changed, check_parcel, check_tolerance, faces, place};
use crate::validity;

/// A parcel in pieces.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Two or more from each part that the line divides, first the one that has the part's first vertex.
    pub pieces: Vec<Polygon<f64>>,
    /// Parts of a multi-polygon that the line does not divide. Which piece they go with, the caller knows.
    pub rest: Vec<Polygon<f64>>,
    /// The neighbours that got points, as they are now.
    pub neighbours: Vec<Parcel>,
}

/// Divides a parcel by a line from border to border, or cuts out the inside of a closed line.
///
/// The line may pass through several parts and holes, and begin and end beyond the border; what is outside of the parcel
/// does not count. Where it passes within `tolerance` of a vertex it goes through that vertex; where it has itself a
/// vertex that near the border, that becomes a vertex of the border. Each new vertex of the border goes also into
/// the neighbours; where a neighbour's border is divided otherwise, both get each other's vertices first. O(n m).
///
/// # Errors
/// The line does not divide the parcel, ends inside, crosses itself, or runs along the border; a piece is no wider than
/// `tolerance`; something given is not valid; or gaps or overlaps would come up, which is so where neighbours do not
/// fit.
pub fn split(
    parcel: &Parcel,
    line: &LineString<f64>,
    neighbours: &[Parcel],
    tolerance: f64,
) -> Result<Split, Error> {
    check_tolerance(tolerance)?;
    check_parcel(parcel)?;
    let path = checked(&line.0)?;
    let before: Vec<Parcel> = std::iter::once(parcel).chain(neighbours).cloned().collect();
    let mut after = before.clone();
    let path = arrange(path, &mut after, tolerance)?;
    let (own, beside) = (&after[0], &after[1..]);
    let cuts = inside(&path, &own.geometry)?;
    let mut split = Split {
        pieces: vec![],
        rest: vec![],
        neighbours: changed(neighbours, beside),
    };
    for (i, part) in parts(&own.geometry).iter().enumerate() {
        match cuts.get(&i) {
            Some(cuts) => split.pieces.extend(pieces(part, cuts)?),
            None => split.rest.push(part.clone()),
        }
    }
    for piece in &split.pieces {
        check_piece(piece, parcel.key, tolerance)?;
    }
    let geometries = split.pieces.iter().chain(&split.rest);
    let own = geometries.map(|p| Parcel {
        key: parcel.key,
        geometry: Geometry::Polygon(p.clone()),
    });
    let after: Vec<Parcel> = own.chain(beside.iter().cloned()).collect();
    accept(&before, &after)?;
    Ok(split)
}

/// The stretches of the line inside the parcel, by the number of the part.
fn inside(path: &[Point], geometry: &Geometry<f64>) -> Result<BTreeMap<usize, Vec<Edge>>, Error> {
    let border: HashSet<_> = edges(geometry).map(|e| edge_key(e).0).collect();
    let vertices: HashSet<_> = edges(geometry).map(|e| key(e[0])).collect();
    let regions: Vec<_> = parts(geometry)
        .iter()
        .map(|p| Region::new(std::slice::from_ref(p)))
        .collect();
    let is_inside = |region: &Region, [a, b]: Edge| match (region.locate(a), region.locate(b)) {
        (Place::Border, Place::Border) => region.enters(a, b),
        (a, b) => a == Place::Inside || b == Place::Inside,
    };
    let mut cuts: BTreeMap<usize, Vec<Edge>> = BTreeMap::new();
    let mut crossed = vec![false; path.len()];
    for (i, w) in path.windows(2).enumerate() {
        let segment = [w[0], w[1]];
        if border.contains(&edge_key(segment).0) {
            return Err(Error::LineRunsAlongBorder { place: place(w[0]) });
        }
        if let Some(part) = regions.iter().position(|r| is_inside(r, segment)) {
            cuts.entry(part).or_default().push(segment);
            crossed[i] = true;
        }
    }
    if cuts.is_empty() {
        return Err(Error::LineDoesNotCut {
            place: place(path[0]),
        });
    }
    let last = path.len() - 1;
    for (end, segment) in [(0, 0), (last, last - 1)] {
        let is_open = path[0] != path[last] && !vertices.contains(&key(path[end]));
        if is_open && crossed[segment] {
            return Err(Error::LineEndsInside {
                place: place(path[end]),
            });
        }
    }
    Ok(cuts)
}

/// Of a part that has the ends of the cuts as vertices. The first edge to be traced is the one from its first vertex.
fn pieces(part: &Polygon<f64>, cuts: &[Edge]) -> Result<Vec<Polygon<f64>>, Error> {
    let mut all: Vec<Edge> = borders(part).flatten().collect();
    for [a, b] in cuts {
        all.extend([[*a, *b], [*b, *a]]);
    }
    let not_cut = |p: Point| Error::LineDoesNotCut { place: place(p) };
    let rings = faces::trace(&all).map_err(not_cut)?;
    let old: Vec<_> = std::iter::once(part.exterior())
        .chain(part.interiors())
        .collect();
    let pieces = faces::assemble(rings, &old);
    if pieces.len() < 2 {
        return Err(not_cut(cuts[0][0]));
    }
    Ok(pieces)
}

fn check_piece(piece: &Polygon<f64>, key: i64, tolerance: f64) -> Result<(), Error> {
    let at = piece.exterior().0.first().map_or([0.0; 2], |p| place(*p));
    let area = piece.unsigned_area();
    let border: f64 = std::iter::once(piece.exterior())
        .chain(piece.interiors())
        .map(|r| Euclidean.length(r))
        .sum();
    if area <= 0.0 || 2.0 * area <= border * tolerance {
        return Err(Error::PieceTooSmall { place: at, area });
    }
    match validity::check(&Geometry::Polygon(piece.clone())).first() {
        Some(defect) => Err(Error::InvalidResult {
            key,
            kind: defect.kind,
            place: defect.location,
        }),
        None => Ok(()),
    }
}
