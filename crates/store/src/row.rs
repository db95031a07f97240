//! The row reader and writer: the edge at which stored geometry becomes longitude/latitude and back.

use std::borrow::Cow;
use std::collections::HashMap;

use geo_types::Geometry;
use model::{Collection, Crs, Envelope, Feature, GeometryType};

use crate::Error;
use crate::session::Row;

/// A row of [`crate::table::Table::select`] as a feature in the storage CRS.
pub(crate) fn feature(row: &Row, collection: &Collection) -> Result<Feature, Error> {
    let properties = collection
        .schema
        .properties
        .iter()
        .enumerate()
        .map(|(i, property)| row.value(i + 2, property.kind))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Feature {
        fid: row.integer(0)?,
        geometry: row.wkb(1)?.map(<[u8]>::to_vec),
        properties,
    })
}

/// Stored WKB as longitude/latitude.
pub(crate) fn to_wgs84(collection: &Collection, wkb: &[u8]) -> Result<Geometry<f64>, Error> {
    let geometry = formats::wkb::read(wkb).map_err(damaged)?;
    if collection.storage_crs.is_wgs84() {
        return Ok(geometry);
    }
    spatial::crs::to_wgs84(collection.storage_crs, &geometry).map_err(outside)
}

/// A feature with its geometry in longitude/latitude; bit for bit as stored where that is the storage CRS.
pub(crate) fn in_wgs84(collection: &Collection, mut feature: Feature) -> Result<Feature, Error> {
    if collection.storage_crs.is_wgs84() {
        return Ok(feature);
    }
    if let Some(wkb) = &feature.geometry {
        feature.geometry = Some(served(collection, wkb)?.into_owned());
    }
    Ok(feature)
}

/// A feature with its geometry in a CRS, for readers; bit for bit as stored where that is the storage CRS. What can't be shown
/// (another program may have written a coordinate that is no number) is null, as in the index; one row must not take a whole
/// page with it.
pub(crate) fn shown(collection: &Collection, mut feature: Feature, crs: Crs) -> Feature {
    feature.geometry = feature.geometry.take().and_then(|wkb| {
        if collection.storage_crs == crs {
            return formats::wkb::check(&wkb).is_ok().then_some(wkb);
        }
        in_crs(collection.storage_crs, crs, &wkb).ok()
    });
    feature
}

/// WKB in another CRS, Z and M as they are.
pub(crate) fn in_crs(from: Crs, to: Crs, wkb: &[u8]) -> Result<Vec<u8>, Error> {
    let mut xy = formats::wkb::xy(wkb).map_err(damaged)?;
    spatial::crs::transform(from, to, &mut xy).map_err(outside)?;
    formats::wkb::with_xy(wkb, &xy).map_err(damaged)
}

/// As [`served`], in another CRS.
fn served_in<'a>(collection: &Collection, crs: Crs, wkb: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
    if crs.is_wgs84() {
        return served(collection, wkb);
    }
    if collection.storage_crs == crs {
        return Ok(wkb.into());
    }
    in_crs(collection.storage_crs, crs, wkb).map(Cow::Owned)
}

/// Stored WKB as longitude/latitude WKB, Z and M as they are.
fn served<'a>(collection: &Collection, wkb: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
    if collection.storage_crs.is_wgs84() {
        return Ok(wkb.into());
    }
    in_crs(collection.storage_crs, Crs::CRS84, wkb).map(Cow::Owned)
}

/// Whether a client gives a geometry as it was served in a CRS: by its GeoJSON, which has no place for M. What is stored and
/// can't be served is never the same.
pub(crate) fn is_as_served(collection: &Collection, crs: Crs, stored: &[u8], given: &[u8]) -> bool {
    let text = |wkb: &[u8]| {
        let mut out = Vec::new();
        formats::geojson::write_geometry(&mut out, wkb)
            .ok()
            .map(|()| out)
    };
    let served = served_in(collection, crs, stored).ok();
    let served = served.and_then(|wkb| text(&wkb));
    served.is_some() && served == text(given)
}

/// Decimals that QGIS writes of each coordinate, whatever the CRS: a tenth of a metre in degrees.
const QGIS_DECIMALS: f64 = 1e6;

/// Decimals to which QGIS rounds in a PATCH. A double has fewer, but their last bit changes now and then.
const QGIS_ALL_DECIMALS: f64 = 1e17;

/// WKB from a client in a CRS as WKB in the storage CRS.
///
/// There and back a position moves by a fraction of a millimetre, and some clients round what they send. So one that is where a
/// position of the geometry `before` was served, or where it would be rounded, keeps its stored coordinates: an edit moves what
/// it moves and nothing else.
pub(crate) fn from_crs(
    collection: &Collection,
    crs: Crs,
    wkb: Vec<u8>,
    before: Option<&[u8]>,
) -> Result<Vec<u8>, Error> {
    let storage = collection.storage_crs;
    let is_same = crs == storage || crs.is_wgs84() && storage.is_wgs84();
    if is_same && before.is_none() {
        return Ok(wkb);
    }
    let invalid = |e: formats::Error| Error::Invalid(e.message().clone());
    let given = formats::wkb::xy(&wkb).map_err(invalid)?;
    let mut stored = given.clone();
    if !is_same {
        spatial::crs::transform(crs, storage, &mut stored)
            .map_err(|e| Error::Invalid(e.message()))?;
    }
    let is_rounded = given
        .iter()
        .all(|(x, y)| round(*x) == *x && round(*y) == *y);
    let known = before
        .map(|wkb| places(collection, crs, wkb, is_rounded))
        .unwrap_or_default();
    for (given, stored) in given.iter().zip(&mut stored) {
        if let Some(known) = known.get(&bits(*given)) {
            *stored = *known;
        }
    }
    formats::wkb::with_xy(&wkb, &stored).map_err(invalid)
}

fn round(x: f64) -> f64 {
    (x * QGIS_DECIMALS).round() / QGIS_DECIMALS
}

/// The stored coordinates of a geometry by those that are served, or by the same as QGIS rounds them; none where it can't be
/// served.
fn places(
    collection: &Collection,
    crs: Crs,
    wkb: &[u8],
    is_rounded: bool,
) -> HashMap<[u64; 2], (f64, f64)> {
    let Ok(stored) = formats::wkb::xy(wkb) else {
        return HashMap::new();
    };
    let mut served = stored.clone();
    if spatial::crs::transform(collection.storage_crs, crs, &mut served).is_err() {
        return HashMap::new();
    }
    let nearly = |(x, y): &(f64, f64)| {
        let again = |x: f64| (x * QGIS_ALL_DECIMALS).round() / QGIS_ALL_DECIMALS;
        bits((again(*x), again(*y)))
    };
    if !is_rounded {
        let near = served.iter().map(nearly).zip(stored.iter().copied());
        let mut places: HashMap<_, _> = near.collect();
        places.extend(served.into_iter().map(bits).zip(stored));
        return places;
    }
    let mut places: HashMap<_, Option<(f64, f64)>> = HashMap::new();
    for (served, stored) in served.iter().zip(&stored) {
        let key = bits((round(served.0), round(served.1)));
        let place = places.entry(key).or_insert(Some(*stored));
        // Where two meet when they are rounded, neither is meant for certain.
        if *place != Some(*stored) {
            *place = None;
        }
    }
    let mut places: HashMap<_, _> = places
        .into_iter()
        .filter_map(|(key, place)| Some((key, place?)))
        .collect();
    places.extend(served.into_iter().map(bits).zip(stored));
    places
}

fn bits((x, y): (f64, f64)) -> [u64; 2] {
    [x.to_bits(), y.to_bits()]
}

/// The GeoPackage blob of a geometry, with its envelope unless it is a point (whose coordinates are one).
pub(crate) fn blob(wkb: &[u8], header: &formats::wkb::Header, srs_id: u32) -> Vec<u8> {
    let envelope: Option<Envelope> = header
        .envelope
        .filter(|_| header.geometry_type != GeometryType::Point);
    let srs_id = i32::try_from(srs_id).unwrap_or(0);
    formats::gpkg::blob(wkb, srs_id, envelope, header.empty)
}

pub(crate) fn damaged(error: formats::Error) -> Error {
    Error::Database(sqlx::Error::Decode(error.to_string().into()))
}

fn outside(error: spatial::Error) -> Error {
    Error::Database(sqlx::Error::Decode(error.to_string().into()))
}
