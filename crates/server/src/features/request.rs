//! What a request that writes says beside its body: the state that it expects, why it is made, whether it may have been made
//! before.

use std::sync::Arc;

use axum::body::Body;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName};
use model::Message;
use model::access::Permission;
use store::{Cause, Expected, LiveCollection, Once};

use super::body::{self, Whole};
use super::item;
use crate::app::App;
use crate::conditional::{has_if_match, has_if_none_match};
use crate::context::Context;
use crate::crs::Reference;
use crate::limits::{MAX_KEY, MAX_REASON};
use crate::policy::Writable;
use crate::problem::Problem;

/// The key under which a client repeats a request whose outcome it does not know (draft-ietf-httpapi-idempotency-key-header).
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Why a change is made, for the history: UTF-8, as it is or percent-encoded.
const REASON: HeaderName = HeaderName::from_static("hromada-reason");

/// Of the headers of a request, the one that makes another request of the same body.
const CONTENT_CRS: HeaderName = HeaderName::from_static("content-crs");

/// A request that writes, its body in memory.
pub(super) struct Received {
    pub(super) whole: Whole,
    pub(super) writable: Writable,
    /// The CRS of its coordinates.
    pub(super) sent: Reference,
    pub(super) cause: Cause,
}

/// A cause with the reason that a body gives, where the headers give none.
///
/// # Errors
/// 400 for one that can't be kept.
pub(super) fn because(mut cause: Cause, text: Option<&str>) -> Result<Cause, Problem> {
    if let (Some(text), None) = (text, &cause.reason) {
        cause.reason = checked_reason(text)?;
    }
    Ok(cause)
}

/// Takes a request that writes into a collection.
///
/// # Errors
/// As [`body::read_of`]; 401 or 403 for whoever may not.
pub(super) async fn received(
    app: &App,
    context: &Context,
    collection: &str,
    (method, permission): (&str, Permission),
    body: Body,
    types: &[&str],
) -> Result<Received, Problem> {
    context.params.only(&[])?;
    app.writable(context, collection, permission)?;
    let whole = body::read_of(app, context, body, types).await?;
    // Again: a body may take a minute to come, and rights may have gone meanwhile.
    let writable = app.writable(context, collection, permission)?;
    Ok(Received {
        sent: body::crs(&context.headers, &writable.live)?,
        cause: cause(context, method, &whole.bytes)?,
        whole,
        writable,
    })
}

/// What the history keeps of a request with a body.
///
/// # Errors
/// 400 for a key or a reason that can't be kept.
pub(super) fn cause(context: &Context, method: &str, body: &[u8]) -> Result<Cause, Problem> {
    let once = key(&context.headers)?.map(|key| {
        let crs = context.headers.get(CONTENT_CRS);
        let crs = crs.map_or(&b""[..], |value| value.as_bytes());
        let request = [method.as_bytes(), context.path.as_bytes(), crs, body];
        Once::new(context.principal.actor(), &key, request)
    });
    Ok(Cause {
        kind: None,
        request: Some(context.request.to_string()),
        reason: reason(&context.headers)?,
        once,
    })
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(KEY) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    // The draft writes it as a string in quotes; those who do without mean the same.
    let quoted = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let text = quoted.unwrap_or(text);
    let is_plain = text.bytes().all(|b| b.is_ascii_graphic());
    if text.is_empty() || text.len() > MAX_KEY || !is_plain {
        let detail = Message::new("server.key-invalid").with("max", MAX_KEY);
        return Err(Problem::bad_request(detail));
    }
    Ok(Some(text.to_owned()))
}

fn reason(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(REASON) else {
        return Ok(None);
    };
    let text = decoded(value.as_bytes()).ok_or_else(reason_invalid)?;
    checked_reason(&text)
}

/// A reason as it is kept.
///
/// # Errors
/// 400 for one that is too long or has control characters.
fn checked_reason(text: &str) -> Result<Option<String>, Problem> {
    let text = text.trim();
    if text.len() > MAX_REASON || text.chars().any(char::is_control) {
        return Err(reason_invalid());
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn reason_invalid() -> Problem {
    Problem::bad_request(Message::new("server.reason-invalid").with("max", MAX_REASON))
}

/// UTF-8 in which `%C3` stands for a byte; what is no such escape stands for itself.
fn decoded(bytes: &[u8]) -> Option<String> {
    let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).ok()?);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

/// The state that a feature must have for a request to change it (RFC 9110 §13.1).
///
/// # Errors
/// 428 where the collection takes no change without a condition.
pub(super) fn expected(context: &Context, writable: &Writable) -> Result<Expected, Problem> {
    let headers = &context.headers;
    if !has_if_match(headers) && writable.rules.is_strict {
        return Err(condition_required(&writable.live));
    }
    if !has_if_match(headers) && !has_if_none_match(headers) {
        return Ok(Expected::Anything);
    }
    let (live, headers) = (writable.live.clone(), headers.clone());
    Ok(Expected::Like(Arc::new(move |found| {
        item::tag_of(&live, found).is_ok_and(|tag| tag.allows_write(&headers))
    })))
}

/// As [`expected`], of a tag that a body names.
pub(super) fn expected_tag(live: &LiveCollection, tag: &str) -> Expected {
    let (live, tag) = (live.clone(), tag.to_owned());
    Expected::Like(Arc::new(move |found| {
        tag == "*" || item::tag_of(&live, found).is_ok_and(|own| own.is_strongly(&tag))
    }))
}

pub(super) fn condition_required(live: &LiveCollection) -> Problem {
    let detail = Message::new("server.if-match-required");
    let detail = detail.with("collection", &live.collection.id);
    Problem::new(StatusCode::PRECONDITION_REQUIRED, detail)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_bytes(value.as_bytes()).unwrap())])
    }

    #[test]
    fn a_reason_comes_as_text_or_in_escapes() {
        let check = |value: &str, expect: Option<&str>| {
            let found = reason(&headers(REASON, value)).unwrap();
            assert_eq!(found.as_deref(), expect, "{value}");
        };
        check("рішення № 12", Some("рішення № 12"));
        check("%D1%80%D1%96k 100%", Some("ріk 100%"));
        check("  ", None);
        assert!(reason(&headers(REASON, "%FF")).is_err());
        assert!(reason(&headers(REASON, "a%0Ab")).is_err());
        assert!(reason(&headers(REASON, &"x".repeat(MAX_REASON + 1))).is_err());
    }

    #[test]
    fn a_key_is_the_same_with_and_without_quotes() {
        let found = |value: &str| key(&headers(KEY, value)).ok().flatten();
        assert_eq!(found("\"a-1\""), found("a-1"));
        assert_eq!(found(""), None);
        assert_eq!(found("a b"), None);
        assert!(key(&headers(KEY, &"x".repeat(MAX_KEY + 1))).is_err());
    }
}
