//! The body of a request that writes a feature.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use bytes::BytesMut;
use formats::geojson::{ParsedFeature, ParsedPatch};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use model::{Collection, Envelope, Message, PropertyType, SourceId, Value};
use store::{Draft, LiveCollection, Patch};
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::context::Context;
use crate::crs::{self, Reference};
use crate::limits::{BODY_TIMEOUT, MAX_BODY};
use crate::problem::{Flaw, Problem, shown};

/// A body in memory.
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    /// Held while the bytes, or what was made of them, are in memory.
    pub(super) place: OwnedSemaphorePermit,
}

impl Whole {
    /// Of a request without a body.
    ///
    /// # Errors
    /// 503 when the bodies of others take all room.
    pub(super) fn nothing(app: &App) -> Result<Self, Problem> {
        Ok(Self {
            bytes: Bytes::new(),
            place: place(app, 1)?,
        })
    }
}

/// What a body says; a long one is read on a blocking thread, since other requests would wait.
///
/// # Errors
/// 400 for what can't be read.
pub(super) async fn parsed<T: Send + 'static>(
    bytes: &Bytes,
    read: impl FnOnce(&[u8]) -> Result<T, formats::Error> + Send + 'static,
) -> Result<T, Problem> {
    /// A thousand positions, which take some hundred microseconds.
    const SHORT: usize = 32 * 1024;
    let unreadable = |error: formats::Error| Problem::bad_request(error.message().clone());
    if bytes.len() <= SHORT {
        return read(bytes).map_err(unreadable);
    }
    let bytes = bytes.clone();
    let task = tokio::task::spawn_blocking(move || read(&bytes));
    task.await.map_err(Problem::internal)?.map_err(unreadable)
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
    // OGC 20-002, /req/create-replace-delete/post-content-type B: 400 without one, 415 for another one.
    let Some(media_type) = headers.get(CONTENT_TYPE) else {
        let detail = Message::new("server.media-type").with("types", types.join(", "));
        return Err(Problem::bad_request(detail));
    };
    let media_type = media_type.to_str().unwrap_or_default();
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

/// The CRS in which a body's geometries are: that of `Content-Crs`, with or without the angle brackets of OGC 20-002, since QGIS
/// leaves them out; CRS84 without it.
///
/// # Errors
/// 400 for one that the collection is not offered in.
pub(super) fn crs(headers: &HeaderMap, live: &LiveCollection) -> Result<Reference, Problem> {
    let Some(value) = headers.get("content-crs") else {
        return Ok(Reference::CRS84);
    };
    let text = value.to_str().unwrap_or_default().trim();
    let text = text.trim_start_matches('<').trim_end_matches('>');
    crs::named(live, "Content-Crs", Some(text))
}

/// Longitude and latitude must be on the globe; a hair beyond, a centimetre on the ground, comes from rounding in
/// clients and is put onto the edge, since no box reaches beyond.
const SLACK: f64 = 1e-7;

/// A geometry of a body with x first.
fn geometry(wkb: Vec<u8>, sent: Reference) -> Result<Vec<u8>, Message> {
    let unreadable = |error: formats::Error| error.message().clone();
    let header = formats::wkb::check(&wkb).map_err(unreadable)?;
    if header.open_rings > 0 {
        return Err(Message::new("server.ring-open"));
    }
    let changed = |change: fn(&mut (f64, f64))| {
        let mut xy = formats::wkb::xy(&wkb)?;
        xy.iter_mut().for_each(change);
        formats::wkb::with_xy(&wkb, &xy)
    };
    if sent.y_first {
        return changed(|(x, y)| std::mem::swap(x, y)).map_err(unreadable);
    }
    if !sent.crs.is_wgs84() {
        return Ok(wkb);
    }
    let beyond = header.envelope.map_or(0.0, beyond);
    if beyond > SLACK {
        return Err(Message::new("server.coordinates-out-of-range"));
    }
    if beyond > 0.0 {
        let clamp =
            |(x, y): &mut (f64, f64)| (*x, *y) = (x.clamp(-180.0, 180.0), y.clamp(-90.0, 90.0));
        return changed(clamp).map_err(unreadable);
    }
    Ok(wkb)
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

/// The parsed feature with its properties in the order of the schema; those that are missing are null. Ids outside of the
/// properties are for [`fill_id`].
///
/// # Errors
/// All that is wrong: each property that the schema does not have or whose value has another type, and the geometry.
pub(super) fn draft(
    collection: &Collection,
    parsed: ParsedFeature,
    sent: Reference,
) -> Result<Draft, Vec<Flaw>> {
    let (typed, mut flaws) = typed_all(collection, parsed.properties);
    let geometry = parsed.geometry.map(|wkb| geometry(wkb, sent)).transpose();
    let geometry = geometry.unwrap_or_else(|detail| {
        flaws.push(Flaw::new("/geometry", detail));
        None
    });
    if !flaws.is_empty() {
        return Err(flaws);
    }
    let mut properties = vec![Value::Null; collection.schema.properties.len()];
    for (position, value) in typed {
        properties[position] = value;
    }
    Ok(Draft {
        geometry,
        crs: sent.crs,
        properties,
    })
}

/// As [`draft`], of a change.
///
/// # Errors
/// As [`draft`].
pub(super) fn patch(
    collection: &Collection,
    parsed: ParsedPatch,
    sent: Reference,
) -> Result<Patch, Vec<Flaw>> {
    let (properties, mut flaws) = typed_all(collection, parsed.properties);
    if let Some(name) = collection.id_property.as_deref() {
        let position = collection.schema.position(name);
        let is_unset = |(p, value): &(usize, Value)| Some(*p) == position && *value == Value::Null;
        if properties.iter().any(is_unset) {
            let detail = Message::new("server.id-unset").with("name", name);
            flaws.push(Flaw::new(pointer_of(name), detail));
        }
    }
    let geometry = match parsed.geometry {
        Some(Some(wkb)) => match geometry(wkb, sent) {
            Ok(wkb) => Some(Some(wkb)),
            Err(detail) => {
                flaws.push(Flaw::new("/geometry", detail));
                None
            }
        },
        other => other,
    };
    if !flaws.is_empty() {
        return Err(flaws);
    }
    Ok(Patch {
        geometry,
        crs: sent.crs,
        properties,
    })
}

/// The place of a property in a feature (RFC 6901).
pub(super) fn pointer_of(name: &str) -> String {
    format!("/properties/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Values by their positions in the schema, and what is wrong with others.
pub(super) fn typed_all(
    collection: &Collection,
    given: Vec<(String, Value)>,
) -> (Vec<(usize, Value)>, Vec<Flaw>) {
    let schema = &collection.schema;
    let (mut values, mut flaws) = (Vec::with_capacity(given.len()), Vec::new());
    for (name, value) in given {
        let pointer = || pointer_of(&name);
        let Some(position) = schema.position(&name) else {
            let detail = Message::new("server.property-unknown").with("name", shown(&name));
            flaws.push(Flaw::new(pointer(), detail));
            continue;
        };
        let kind = schema.properties[position].kind;
        let value = typed(kind, value);
        if kind.accepts(&value) {
            values.push((position, value));
            continue;
        }
        let detail = Message::new("server.property-type");
        let detail = detail.with("name", &name).with("type", kind.name());
        flaws.push(Flaw::new(pointer(), detail));
    }
    (values, flaws)
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
