//! Answers in JSON and HTML with their validators.

use std::hash::Hash;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, HeaderValue};
use serde_json::Value as Json;
use store::{Live, LiveCollection};

use crate::app::App;
use crate::conditional::{REVALIDATE, Tag};
use crate::context::Context;
use crate::finish;
use crate::negotiate::Format;
use crate::problem::Problem;

/// The tag of a negotiated answer whose content depends on the request and a state of the data.
pub(crate) fn tag(app: &App, context: &Context, format: Format, state: impl Hash) -> Tag {
    let request = (
        &context.base,
        &context.path,
        &context.query,
        context.lang.tag(),
        format,
    );
    Tag::weak(
        &app.store.epoch(),
        (request, app.options.allow_edits, state),
    )
}

/// What an answer about collections depends on: which they are, their last changes and their definitions. A
/// definition may be replaced without a change to a feature, so neither alone is enough.
pub(crate) fn state<'a>(
    collections: impl IntoIterator<Item = &'a LiveCollection>,
) -> Vec<(&'a str, i64, u64)> {
    collections
        .into_iter()
        .map(|c| (c.collection.id.as_str(), c.seq.0, c.definition))
        .collect()
}

/// What the API definition depends on: no feature is in it.
pub(crate) fn definitions(live: &Live) -> Vec<(&str, u64)> {
    let collections = live.collections.iter();
    collections
        .map(|(id, collection)| (&**id, collection.definition))
        .collect()
}

/// 304 when the client has the answer already.
pub(crate) fn unchanged(context: &Context, tag: &Tag) -> Option<Response> {
    let mut response = tag.not_modified(&context.headers)?;
    finish::vary(&mut response);
    Some(response)
}

pub(crate) fn json(
    context: &Context,
    media_type: &'static str,
    body: &Json,
    tag: &Tag,
) -> Response {
    bytes(context, media_type, body.to_string().into_bytes(), tag)
}

pub(crate) fn bytes(
    context: &Context,
    media_type: &'static str,
    body: impl Into<Body>,
    tag: &Tag,
) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (ETAG, tag.header()),
        (CACHE_CONTROL, REVALIDATE),
    ];
    let mut response = (headers, body.into()).into_response();
    response.headers_mut().insert(
        CONTENT_LANGUAGE,
        HeaderValue::from_static(context.lang.tag()),
    );
    finish::vary(&mut response);
    response
}

/// # Errors
/// 500 when a template fails, which none does on the texts it is given.
pub(crate) fn page(
    context: &Context,
    template: &impl askama::Template,
    tag: &Tag,
) -> Result<Response, Problem> {
    let text = template.render().map_err(Problem::internal)?;
    Ok(bytes(context, "text/html; charset=utf-8", text, tag))
}
