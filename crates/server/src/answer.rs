//! Answers in JSON and HTML with their validators.
//!
//! The tag of an answer is made from its bytes and from nothing else. One made from numbers of changes would be cheaper to
//! check, and would tell of writes to what the reader may not see.

use std::hash::{DefaultHasher, Hasher};

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use hyper::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, HeaderValue};
use serde_json::Value as Json;

use crate::conditional::{REVALIDATE, Tag};
use crate::context::Context;
use crate::finish;
use crate::problem::Problem;

/// A hash over the bytes of an answer.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish())
}

pub(crate) fn json(context: &Context, media_type: &'static str, body: &Json) -> Response {
    bytes(context, media_type, body.to_string())
}

/// An answer that is whole in memory; 304 when the client has it already.
pub(crate) fn bytes(
    context: &Context,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response {
    let body: Bytes = body.into();
    let tag = Tag::weak(digest(&body));
    tagged(context, media_type, body, &tag)
}

/// As [`bytes()`], with a tag of its own.
pub(crate) fn tagged(
    context: &Context,
    media_type: &'static str,
    body: impl Into<Body>,
    tag: &Tag,
) -> Response {
    if let Some(mut unchanged) = tag.not_modified(&context.headers) {
        finish::vary(&mut unchanged);
        return unchanged;
    }
    let mut response = untagged(context, media_type, body);
    response.headers_mut().insert(ETAG, tag.header());
    response
}

/// An answer without a validator: its end is not known when its head is sent.
pub(crate) fn untagged(
    context: &Context,
    media_type: &'static str,
    body: impl Into<Body>,
) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
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

/// As [`page`], without a validator.
///
/// # Errors
/// As [`page`].
pub(crate) fn page_untagged(
    context: &Context,
    template: &impl askama::Template,
) -> Result<Response, Problem> {
    let text = template.render().map_err(Problem::internal)?;
    Ok(untagged(context, HTML_UTF8, text))
}

/// The tag of a page, whose links have the cursor of its own address in them.
fn page_tag(context: &Context, text: &str) -> Tag {
    let cursor = context.params.get("cursor").filter(|text| !text.is_empty());
    Tag::weak(match cursor {
        Some(cursor) => digest(text.replace(cursor, "").as_bytes()),
        None => digest(text.as_bytes()),
    })
}

const HTML_UTF8: &str = "text/html; charset=utf-8";

/// # Errors
/// 500 when a template fails, which none does on the texts it is given.
pub(crate) fn page(
    context: &Context,
    template: &impl askama::Template,
) -> Result<Response, Problem> {
    let text = template.render().map_err(Problem::internal)?;
    let tag = page_tag(context, &text);
    Ok(tagged(context, HTML_UTF8, text, &tag))
}
