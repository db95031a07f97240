//! Answers in JSON and HTML with their validators.

use std::hash::Hash;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, HeaderValue};
use serde_json::Value as Json;
use store::Live;

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
    Tag::weak(app.store.epoch(), (request, app.options.allow_edits, state))
}

/// All collections with their last changes, as the state that an answer about all of them depends on.
pub(crate) fn state(live: &Live) -> Vec<(&str, i64)> {
    live.collections
        .iter()
        .map(|(id, collection)| (&**id, collection.seq.0))
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
