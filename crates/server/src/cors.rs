//! What pages of other origins may do (Fetch §3.3).
//!
//! Any page may read what is public, without credentials. Pages of the origins that the operator names may also send
//! `Authorization` and write. Cookies are sent along for nobody: `Access-Control-Allow-Credentials` is never sent.

use axum::extract::Request;
use axum::response::Response;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, StatusCode};
use model::Message;

use crate::link;

const METHODS: HeaderValue =
    HeaderValue::from_static("GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "Accept, Accept-Language, Authorization, Content-Crs, Content-Type, Idempotency-Key, If-Match, If-None-Match, \
     Prefer, X-Request-Id, Hromada-After, Hromada-Reason",
);

/// An origin that was given by the operator, as browsers write it: lower case, without a default port.
///
/// # Errors
/// When it is not an `http` or `https` URL of a host alone.
pub fn parse_origin(text: &str) -> Result<String, Message> {
    let invalid = || Message::new("server.cors-origin").with("text", text);
    let lower = text.to_ascii_lowercase();
    let plain = lower.strip_suffix('/').unwrap_or(&lower);
    let (scheme, host) = plain.split_once("://").ok_or_else(invalid)?;
    let host = match scheme {
        "http" => host.strip_suffix(":80").unwrap_or(host),
        "https" => host.strip_suffix(":443").unwrap_or(host),
        _ => return Err(invalid()),
    };
    if link::is_host(host) {
        Ok(format!("{scheme}://{host}"))
    } else {
        Err(invalid())
    }
}

/// The origin of a request's page when it is one of those that were named.
fn named<'a>(origins: &[String], headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    origins
        .iter()
        .any(|named| origin == named)
        .then_some(origin)
}

/// Whether a page elsewhere may write: one of a named origin that shows who writes by itself. What a browser adds
/// unasked, a cookie, is not that.
pub(crate) fn may_write(origins: &[String], headers: &HeaderMap) -> bool {
    named(origins, headers).is_some()
        && headers.contains_key(AUTHORIZATION)
        && !headers.contains_key(COOKIE)
}

/// The origin that the answer is for, instead of for any. Plain reads stay the same for all pages, so that caches
/// keep one copy of each.
pub(crate) fn asked_by(origins: &[String], request: &Request) -> Option<HeaderValue> {
    let headers = request.headers();
    let is_plain = [Method::GET, Method::HEAD].contains(request.method())
        && !headers.contains_key(AUTHORIZATION);
    let origin = named(origins, headers).filter(|_| !is_plain);
    origin.cloned()
}

/// Makes an answer one for a page of a named origin.
pub(crate) fn answer_to(origin: HeaderValue, method: &Method, response: &mut Response) {
    let is_preflight = *method == Method::OPTIONS && response.status() == StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if is_preflight {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_held_as_browsers_write_them() {
        for (text, origin) in [
            ("https://map.example.ua", "https://map.example.ua"),
            ("https://Map.Example.UA:443/", "https://map.example.ua"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://localhost:80", "http://localhost"),
            ("https://localhost:80", "https://localhost:80"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(parse_origin(text).unwrap(), origin, "{text}");
        }
        for bad in [
            "",
            "*",
            "null",
            "map.example.ua",
            "ftp://map.example.ua",
            "https://",
            "https://map.example.ua/app",
            "https://*.example.ua",
            "https://u@map.example.ua",
        ] {
            assert!(parse_origin(bad).is_err(), "{bad}");
        }
    }
}
