//! How answers leave: problems get their text, preflights their headers, all of them the common ones.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW,
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, StatusCode};

use crate::context::Context;
use crate::problem::{self, Problem};
use crate::request_id::{REQUEST_ID, instance};
use crate::{conditional, html};

/// For pages: everything from this server, nothing from elsewhere.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
     img-src 'self' data: blob:; font-src 'self'; worker-src 'self'; manifest-src 'self'; frame-ancestors 'self'; \
     base-uri 'none'; form-action 'self'",
);

/// Methods that a page of another origin may use: there is no sign-in yet, so a page elsewhere must not be able to
/// write through the browser of someone who can reach the server.
const CROSS_ORIGIN_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// Gives a problem its text, a preflight its headers, and an answer of the router its form.
pub(crate) fn rendered(
    mut response: Response,
    context: &Context,
    method: &Method,
    id: &str,
) -> Response {
    let status = response.status();
    if *method == Method::OPTIONS && status == StatusCode::METHOD_NOT_ALLOWED {
        return options(&response);
    }
    let given = response.extensions_mut().remove::<Problem>();
    if given.is_none() && !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    if given.is_none()
        && response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|t| t == problem::MEDIA_TYPE)
    {
        return response;
    }
    let problem = given.unwrap_or_else(|| Problem::of(&response));
    let page = context
        .wanted
        .is_page()
        .then(|| html::problem_page(context, &problem, id))
        .flatten();
    let (media_type, body) = match page {
        Some(page) => (HeaderValue::from_static("text/html; charset=utf-8"), page),
        None => (
            HeaderValue::from_static(problem::MEDIA_TYPE),
            problem.json(context.lang, &instance(id)),
        ),
    };
    let mut out = Response::new(if *method == Method::HEAD {
        Body::empty()
    } else {
        Body::from(body)
    });
    *out.status_mut() = problem.status;
    out.headers_mut().extend(problem.headers);
    out.headers_mut().remove(CONTENT_LENGTH);
    out.headers_mut().insert(CONTENT_TYPE, media_type);
    out.headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    out
}

/// The answer to OPTIONS: the methods that the router has for the path.
fn options(refused: &Response) -> Response {
    let allowed = refused
        .headers()
        .get(ALLOW)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let mut methods: Vec<&str> = allowed
        .split(',')
        .map(str::trim)
        .filter(|m| !m.is_empty())
        .collect();
    methods.push("OPTIONS");
    let allow = HeaderValue::try_from(methods.join(", ")).unwrap_or(CROSS_ORIGIN_METHODS);
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(ALLOW, allow);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, CROSS_ORIGIN_METHODS);
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "Accept, Accept-Language, Content-Type, If-None-Match, X-Request-Id, Hromada-After",
        ),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

/// Sets what every answer has.
pub(crate) fn finish(headers: &mut HeaderMap, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "Age, ETag, Link, Location, Content-Crs, Allow, X-Request-Id, Retry-After, Hromada-Change",
        ),
    );
    let is_page = headers
        .get(CONTENT_TYPE)
        .is_some_and(|t| t.as_bytes().starts_with(b"text/html"));
    if is_page {
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    }
    conditional::mark_coding(headers);
    let named = |value: &HeaderValue| {
        value
            .to_str()
            .is_ok_and(|v| v.to_ascii_lowercase().contains("accept-encoding"))
    };
    if !headers.get_all(VARY).iter().any(named) {
        headers.append(VARY, HeaderValue::from(ACCEPT_ENCODING));
    }
}

/// The headers of an answer that depends on what the client accepts.
pub(crate) fn vary(response: &mut Response) {
    response.headers_mut().insert(
        VARY,
        HeaderValue::from_static("Accept, Accept-Encoding, Accept-Language"),
    );
}
