//! Coordinate reference systems: transformation and description, by PROJ.
//!
//! Coordinates are x first on both sides (easting or longitude, then northing or latitude), whatever order the
//! CRS defines, as GIS files keep them. No network is used and no grid files are read: PROJ is built without both.
//! PROJ's database is compiled into the program; see [`isolate()`] for how a foreign one is kept out. Beside it stand the systems
//! of the municipality ([`System`]), which are PROJ's too once they are registered.

mod bent;
mod describe;
mod fit;
mod isolate;
mod known;
mod local;
mod operation;
mod transformer;

use std::cell::RefCell;

use geo::MapCoords;
use geo_types::{Coord, Geometry};
use model::{Crs, Message};

pub use crate::Error;
pub use bent::to_wgs84_bent;
pub use describe::{Area, CrsInfo, Outline, describe, outline, projjson};
pub use fit::{ControlPoint, Fit, Form, Residual};
pub use isolate::isolate;
pub use known::{local, locals, register};
pub use local::{MAX_DOCUMENT, System};
pub use operation::{Operation, operation, operations};

/// Transforms points in place, x first on both sides; longitude and latitude in the unit of the CRS (degrees).
/// The first call for a pair of CRSs takes tens of milliseconds in each thread, a later one about half a
/// microsecond a point. The same CRS on both sides changes nothing.
///
/// # Errors
/// - a code is unknown or stands for no horizontal CRS ([`Error::UnknownCrs`]);
/// - there is no transformation but a guess ("ballpark": as if the datums were equal), for instance since a grid
///   file would be needed ([`Error::NoTransformation`]);
/// - a coordinate is not finite or has no image; the points are then as they were ([`Error::Invalid`]).
pub fn transform(from: Crs, to: Crs, points: &mut [(f64, f64)]) -> Result<(), Error> {
    if from == to {
        return Ok(());
    }
    if let Some((x, y)) = points
        .iter()
        .find(|(x, y)| !x.is_finite() || !y.is_finite())
    {
        return Err(Error::Invalid(
            Message::new("spatial.coordinate-not-finite")
                .with("x", x)
                .with("y", y),
        ));
    }
    if from.is_wgs84()
        && let Some((x, y)) = points.iter().find(|(_, y)| y.abs() > 90.0)
    {
        // PROJ would say so too, but to the error stream.
        let message = Message::new("spatial.coordinate-without-image")
            .with("x", x)
            .with("y", y);
        return Err(Error::Invalid(
            message.with("from", from).with("to", to).with("reason", ""),
        ));
    }
    transformer::with(from, to, |transformer| transformer.apply(points))
}

/// A geometry with the two numbers of each position the other way around.
pub fn swapped(geometry: &Geometry<f64>) -> Geometry<f64> {
    geometry.map_coords(|c| Coord { x: c.y, y: c.x })
}

/// A geometry in longitude/latitude (WGS 84).
///
/// # Errors
/// As [`transform`].
pub fn to_wgs84(from: Crs, geometry: &Geometry<f64>) -> Result<Geometry<f64>, Error> {
    transform_geometry(from, Crs::CRS84, geometry)
}

/// A longitude/latitude (WGS 84) geometry in another CRS.
///
/// # Errors
/// As [`transform`].
pub fn from_wgs84(to: Crs, geometry: &Geometry<f64>) -> Result<Geometry<f64>, Error> {
    transform_geometry(Crs::CRS84, to, geometry)
}

/// A geometry in another CRS, vertex by vertex; no vertices are added.
///
/// # Errors
/// As [`transform`].
pub fn transform_geometry(
    from: Crs,
    to: Crs,
    geometry: &Geometry<f64>,
) -> Result<Geometry<f64>, Error> {
    if from == to {
        return Ok(geometry.clone());
    }
    // Two walks in one order: vertices out, vertices back in.
    let points = RefCell::new(Vec::new());
    geometry.map_coords(|c| {
        points.borrow_mut().push((c.x, c.y));
        c
    });
    let mut points = points.into_inner();
    transform(from, to, &mut points)?;
    let back = RefCell::new(points.into_iter());
    Ok(geometry.map_coords(|c| match back.borrow_mut().next() {
        Some((x, y)) => Coord { x, y },
        None => c,
    }))
}
