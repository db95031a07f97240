//! The body of a request that writes a feature.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use bytes::BytesMut;
use formats::geojson::ParsedFeature;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use model::{Collection, Envelope, Message, PropertyType, SourceId, Value};
use store::Draft;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::context::Context;
use crate::limits::{BODY_TIMEOUT, MAX_BODY};
use crate::link::{GEOJSON, JSON};
use crate::problem::{Problem, shown};

/// A body in memory.
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    /// Held while the bytes, or what was made of them, are in memory.
    pub(super) place: OwnedSemaphorePermit,
}

/// Reads the whole body, which has a feature.
///
/// # Errors
/// 400 for another CRS; as [`read_of`].
pub(super) async fn read(app: &App, context: &Context, body: Body) -> Result<Whole, Problem> {
    check_crs(&context.headers)?;
    read_of(app, context, body, &[GEOJSON, JSON]).await
}

/// Reads the whole body, which is of one of some media types.
///
/// # Errors
/// 415 for another media type or a content coding, 413 above [`MAX_BODY`], 408 after [`BODY_TIMEOUT`], 503 when too many
/// bodies are held already; as [`App::require_unchanged`].
pub(crate) async fn read_of(
    app: &App,
    context: &Context,
    mut body: Body,
    types: &[&str],
) -> Result<Whole, Problem> {
    let headers = &context.headers;
    check_type(headers, types)?;
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY) {
        return Err(too_large());
    }
    let collected = collect(app, &mut body);
    let slow = |_| {
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            Message::new("server.body-slow").with("seconds", BODY_TIMEOUT.as_secs()),
        )
    };
    let whole = tokio::time::timeout(BODY_TIMEOUT, collected).await;
    let whole = whole.map_err(slow)??;
    app.require_unchanged(context).await?;
    Ok(whole)
}

/// Room is taken for what has come, and not for what is announced: that would be had for nothing.
async fn collect(app: &App, body: &mut Body) -> Result<Whole, Problem> {
    let broken = |_| Problem::bad_request(Message::new("server.body-broken"));
    let mut place = place(app, 1)?;
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if bytes.len() + part.len() > MAX_BODY {
            return Err(too_large());
        }
        let (held, needed) = (kibibytes(bytes.len()), kibibytes(bytes.len() + part.len()));
        if needed > held {
            place.merge(self::place(app, ((needed - held) as usize) << 10)?);
        }
        bytes.extend_from_slice(&part);
    }
    Ok(Whole {
        bytes: bytes.freeze(),
        place,
    })
}

/// Room in memory for a body of some bytes at most.
///
/// # Errors
/// 503 when the bodies of others take it.
fn place(app: &App, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
    let overloaded = |_| {
        let detail = Message::new("server.overloaded");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_later()
    };
    Arc::clone(&app.bodies)
        .try_acquire_many_owned(kibibytes(bytes))
        .map_err(overloaded)
}

/// What a body counts for: many small ones may wait for the writer, few large ones.
fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX)
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        Message::new("server.body-too-large").with("max", MAX_BODY >> 20),
    )
}

fn check_type(headers: &HeaderMap, types: &[&str]) -> Result<(), Problem> {
    let unsupported = |key| {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Message::new(key).with("types", types.join(", ")),
        )
    };
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !types
        .iter()
        .any(|known| known.eq_ignore_ascii_case(essence))
    {
        return Err(unsupported("server.media-type"));
    }
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| coding != "identity")
    {
        return Err(unsupported("server.content-encoding"));
    }
    Ok(())
}

fn check_crs(headers: &HeaderMap) -> Result<(), Problem> {
    // With or without the angle brackets of OGC 20-002: QGIS leaves them out.
    let crs = headers
        .get("content-crs")
        .and_then(|v| v.to_str().ok())
        .map(|v| v.trim().trim_start_matches('<').trim_end_matches('>'));
    match crs {
        Some(crs) if !is_longitude_latitude(crs) => Err(Problem::bad_request(
            Message::new("server.content-crs").with("crs", shown(crs)),
        )),
        _ => Ok(()),
    }
}

/// CRS84 and, since GeoJSON fixes the order of its coordinates, EPSG:4326 too.
fn is_longitude_latitude(crs: &str) -> bool {
    model::Crs::parse(crs).is_ok_and(model::Crs::is_wgs84)
}

/// Longitude and latitude must be on the globe; a hair beyond, a centimetre on the ground, comes from rounding in
/// clients and is put onto the edge, since no box reaches beyond.
const SLACK: f64 = 1e-7;

/// The feature that a body describes; ids outside of the properties are for [`draft`]'s callers.
///
/// # Errors
/// 400 for what is not a GeoJSON feature, 422 for coordinates that are not longitude and latitude.
pub(super) fn parse(bytes: &[u8]) -> Result<ParsedFeature, Problem> {
    let mut parsed = formats::geojson::parse_feature(bytes)
        .map_err(|error| Problem::bad_request(error.message().clone()))?;
    let Some(wkb) = &parsed.geometry else {
        return Ok(parsed);
    };
    let invalid = |detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    let unreadable = |error: formats::Error| invalid(error.message().clone());
    let header = formats::wkb::check(wkb).map_err(unreadable)?;
    if header.open_rings > 0 {
        return Err(invalid(Message::new("server.ring-open")));
    }
    let beyond = header.envelope.map_or(0.0, beyond);
    if beyond > SLACK {
        return Err(invalid(Message::new("server.coordinates-out-of-range")));
    }
    if beyond > 0.0 {
        let mut xy = formats::wkb::xy(wkb).map_err(unreadable)?;
        for (x, y) in &mut xy {
            (*x, *y) = (x.clamp(-180.0, 180.0), y.clamp(-90.0, 90.0));
        }
        parsed.geometry = Some(formats::wkb::with_xy(wkb, &xy).map_err(unreadable)?);
    }
    Ok(parsed)
}

/// How far a box reaches beyond the globe, in degrees; 0 or less when it does not.
fn beyond(envelope: Envelope) -> f64 {
    let Envelope { min, max } = envelope;
    [
        -180.0 - min[0],
        max[0] - 180.0,
        -90.0 - min[1],
        max[1] - 90.0,
    ]
    .into_iter()
    .fold(f64::NEG_INFINITY, f64::max)
}

/// The parsed feature with its properties in the order of the schema; those that are missing are null.
///
/// # Errors
/// 422 naming the property that the schema does not have, or whose value has another type.
pub(super) fn draft(collection: &Collection, parsed: ParsedFeature) -> Result<Draft, Problem> {
    let invalid = |detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    let schema = &collection.schema;
    let mut properties = vec![Value::Null; schema.properties.len()];
    for (name, value) in parsed.properties {
        let Some(position) = schema.position(&name) else {
            return Err(invalid(
                Message::new("server.property-unknown").with("name", shown(&name)),
            ));
        };
        let kind = schema.properties[position].kind;
        let value = typed(kind, value);
        if !kind.accepts(&value) {
            return Err(invalid(
                Message::new("server.property-type")
                    .with("name", &name)
                    .with("type", kind.name()),
            ));
        }
        properties[position] = value;
    }
    Ok(Draft {
        geometry: parsed.geometry,
        properties,
    })
}

/// Fills the id property from the feature's `id` when the properties leave it out.
pub(super) fn fill_id(collection: &Collection, draft: &mut Draft, id: Option<&SourceId>) {
    let position = collection
        .id_property
        .as_ref()
        .and_then(|name| collection.schema.position(name));
    let (Some(position), Some(id)) = (position, id) else {
        return;
    };
    let kind = collection.schema.properties[position].kind;
    let value = match (kind, id) {
        (PropertyType::Integer, SourceId::Integer(i)) => Value::Integer(*i),
        (PropertyType::Text, SourceId::Text(t)) => Value::Text(t.clone()),
        (PropertyType::Text, SourceId::Integer(i)) => Value::Text(i.to_string().into()),
        _ => return,
    };
    if draft.properties[position] == Value::Null {
        draft.properties[position] = value;
    }
}

fn typed(kind: PropertyType, value: Value) -> Value {
    match (kind, value) {
        (PropertyType::DateTime, Value::Text(text)) => {
            Value::Text(model::normalise_date_time(&text).map_or(text, Into::into))
        }
        (PropertyType::Integer, Value::Real(real))
            if real.fract() == 0.0 && real.abs() <= 9_007_199_254_740_992.0 =>
        {
            // A whole number below 2^53, written as `5.0`.
            Value::Integer(real as i64)
        }
        (kind, value) => kind.widen(value),
    }
}
