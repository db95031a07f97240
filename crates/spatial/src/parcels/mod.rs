//! Cadastral operations on the geometry of parcels: dividing, joining, moving border points, correcting borders.
//!
//! Pure functions on the coordinates of the collection's storage CRS, x first, taken as a plane; tolerances and areas
//! are in its units. A parcel is a polygon or a multi-polygon; neighbours share equal vertices along common borders.
//!
//! An operation leaves each coordinate that it need not change bit for bit as it was, and rings that it does not change
//! as they are written. It makes no gap and no overlap, however small: a point that comes to lie on a border goes into
//! every ring that has this border, and [`topology()`] proves the result with exact arithmetic before it is handed out.
//! Callers give all parcels around the place; about what they don't give nothing is known.

mod correct;
mod cut;
mod faces;
mod merge;
mod move_points;
mod node;
mod region;
mod rings;
mod split;
mod topology;

use geo::{Area, Winding};
use geo_types::{Geometry, Polygon};
use hashbrown::HashMap;

pub use correct::correct;
pub use merge::{MergeOptions, Merged, PartsOfMerged, merge};
pub use move_points::move_points;
pub use split::{Split, split};
pub use topology::{Defect, topology};

use crate::validity::{self, DefectKind};
use rings::{Point, all_rings, parts};

/// A parcel, by whatever number the caller knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parcel {
    pub key: i64,
    /// Polygon or multi-polygon.
    pub geometry: Geometry<f64>,
}

/// Why an operation is refused; nothing is changed then. Places are in the parcels' coordinates.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    #[error("parcel {key} is no polygon or is empty")]
    NotPolygon { key: i64 },
    #[error("parcel {key} is not valid at {place:?}: {}", kind.name())]
    InvalidParcel {
        key: i64,
        kind: DefectKind,
        place: [f64; 2],
    },
    #[error("parcel {key} would not be valid at {place:?}: {}", kind.name())]
    InvalidResult {
        key: i64,
        kind: DefectKind,
        place: [f64; 2],
    },
    /// A line of fewer than two points, a coordinate or tolerance that is no usable number.
    #[error("what was given can't be used, at {place:?}")]
    InvalidInput { place: [f64; 2] },
    #[error("the line does not divide the parcel, at {place:?}")]
    LineDoesNotCut { place: [f64; 2] },
    #[error("the line ends inside the parcel at {place:?}")]
    LineEndsInside { place: [f64; 2] },
    #[error("the line crosses or touches itself at {place:?}")]
    LineCrossesItself { place: [f64; 2] },
    #[error("the line runs along the border at {place:?}")]
    LineRunsAlongBorder { place: [f64; 2] },
    /// No wider on average than the tolerance.
    #[error("a piece of area {area} at {place:?} would be too small")]
    PieceTooSmall { place: [f64; 2], area: f64 },
    #[error("parcels {keys:?} are not contiguous, at {place:?}")]
    NotContiguous { place: [f64; 2], keys: Vec<i64> },
    #[error("between parcels {keys:?} there is a gap of area {area} at {place:?}")]
    GapBetween {
        place: [f64; 2],
        area: f64,
        keys: Vec<i64>,
    },
    #[error("parcels {keys:?} overlap at {place:?}")]
    OverlapBetween { place: [f64; 2], keys: Vec<i64> },
    #[error("no parcel has a vertex at {place:?}")]
    NoSuchVertex { place: [f64; 2] },
    /// The points do not follow each other in any ring.
    #[error("no parcel has this run of vertices, from {place:?}")]
    NoSuchRun { place: [f64; 2] },
    #[error("the new run does not begin and end where the old one does, at {place:?}")]
    EndsDiffer { place: [f64; 2] },
    /// The border of a parcel joins the run there but does not follow it to its end.
    #[error("the border of parcel {key} joins the run at {place:?}")]
    JunctionInside { place: [f64; 2], key: i64 },
    #[error("{0}")]
    Topology(Defect),
    /// Points lie so close together that doubles can't tell where they are.
    #[error("the coordinates are too fine to be decided at {place:?}")]
    TooFine { place: [f64; 2] },
}

/// The area of a polygon on the plane of its coordinates.
pub fn plane_area(polygon: &Polygon<f64>) -> f64 {
    polygon.unsigned_area()
}

fn place(p: Point) -> [f64; 2] {
    [p.x, p.y]
}

fn check_tolerance(tolerance: f64) -> Result<(), Error> {
    if tolerance.is_finite() && tolerance >= 0.0 {
        Ok(())
    } else {
        Err(Error::InvalidInput {
            place: [tolerance; 2],
        })
    }
}

fn check_points(points: &[Point]) -> Result<(), Error> {
    match points.iter().find(|p| !p.x.is_finite() || !p.y.is_finite()) {
        Some(p) => Err(Error::InvalidInput { place: place(*p) }),
        None => Ok(()),
    }
}

/// For parcels that are operated on.
fn check_parcel(parcel: &Parcel) -> Result<(), Error> {
    let key = parcel.key;
    if parts(&parcel.geometry).is_empty() || all_rings(&parcel.geometry).any(|r| r.0.is_empty()) {
        return Err(Error::NotPolygon { key });
    }
    match validity::check(&parcel.geometry).first() {
        Some(defect) => Err(Error::InvalidParcel {
            key,
            kind: defect.kind,
            place: defect.location,
        }),
        None => Ok(()),
    }
}

/// Lets a result pass if it is valid and no worse than before: `before` and `after` hold the same parcels and
/// neighbours.
fn accept(before: &[Parcel], after: &[Parcel]) -> Result<(), Error> {
    for parcel in but_for(after, before) {
        if let Some(defect) = validity::check(&parcel.geometry).first() {
            return Err(Error::InvalidResult {
                key: parcel.key,
                kind: defect.kind,
                place: defect.location,
            });
        }
    }
    match topology(before, after).into_iter().next() {
        Some(defect) => Err(Error::Topology(defect)),
        None => Ok(()),
    }
}

/// Parcels that are not in the others as they are.
fn but_for<'a>(parcels: &'a [Parcel], others: &'a [Parcel]) -> impl Iterator<Item = &'a Parcel> {
    let mut by_key: HashMap<i64, Vec<&Parcel>> = HashMap::new();
    for other in others {
        by_key.entry(other.key).or_default().push(other);
    }
    let there = move |p: &Parcel| by_key.get(&p.key).is_some_and(|same| same.contains(&p));
    parcels.iter().filter(move |p| !there(p))
}

/// Those that are not as before; both hold the same parcels in the same order.
fn changed(before: &[Parcel], after: &[Parcel]) -> Vec<Parcel> {
    let pairs = before.iter().zip(after);
    pairs
        .filter(|(b, a)| b != a)
        .map(|(_, a)| a.clone())
        .collect()
}

/// Refuses a ring that was turned over: its polygon would be valid and lie on the other side of its border.
fn check_turning(before: &Parcel, after: &Parcel) -> Result<(), Error> {
    let rings = all_rings(&before.geometry).zip(all_rings(&after.geometry));
    for (b, a) in rings {
        if let (Some(was), Some(is), Some(first)) =
            (b.winding_order(), a.winding_order(), a.0.first())
            && was != is
        {
            return Err(Error::InvalidResult {
                key: after.key,
                kind: DefectKind::SelfIntersection,
                place: place(*first),
            });
        }
    }
    Ok(())
}
