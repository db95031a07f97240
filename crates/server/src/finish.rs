//! How answers leave: problems get their text, preflights their headers, all of them the common ones.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW,
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, REFERRER_POLICY, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, StatusCode};

use crate::context::Context;
use crate::problem::{self, Problem};
use crate::request_id::{REQUEST_ID, instance};
use crate::{conditional, html};

/// For pages, and for scripts, since a worker has the policy of its script: everything from this server, nothing from
/// elsewhere, nothing inline.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data: blob:; font-src 'self'; worker-src 'self'; manifest-src 'self'; frame-ancestors 'self'; \
     base-uri 'none'; form-action 'self'",
);

/// For all other answers: if a browser takes one for a document, it does nothing and is in no frame (ASVS 5.0 §3.2.1,
/// §3.4.3, §3.4.6).
const DATA_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'");

/// Maps elsewhere may load tiles, fonts and features also where their page isolates itself.
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// A page and those that it opens or is opened by can not reach each other unless they are ours (ASVS 5.0 §3.4.8).
const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");

/// What pages ask of the browser: where the user is, for the map.
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "geolocation=(self), camera=(), microphone=(), payment=(), usb=(), display-capture=()",
);

/// Methods that a page of another origin may use: none that could write through the browser of somebody who is signed in.
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
    // Only we write problems and pages: one that says what was wrong with a form stays as it is.
    let media_type = response.headers().get(CONTENT_TYPE);
    let is_problem = media_type.is_some_and(|given| given == problem::MEDIA_TYPE);
    if given.is_none() && (is_problem || is_page(response.headers())) {
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
    if problem.status == StatusCode::UNAUTHORIZED {
        challenge(out.headers_mut(), context);
    }
    out.headers_mut().remove(CONTENT_LENGTH);
    out.headers_mut().insert(CONTENT_TYPE, media_type);
    out.headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    out
}

/// How somebody may say who they are (RFC 9110 §11.6.1). A page that gets `Basic` makes the browser ask for a password in a
/// window of its own, which no page of ours wants: browsers name where a request comes from, programs do not.
fn challenge(headers: &mut HeaderMap, context: &Context) {
    const SITE: &str = "sec-fetch-site";
    headers.append(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"hromada\""),
    );
    if !context.headers.contains_key(SITE) {
        headers.append(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Basic realm=\"hromada\", charset=\"UTF-8\""),
        );
    }
}

/// What depends on who asks is kept by nobody else, and what somebody signed in got by their browser alone
/// (RFC 9111 §5.2.2.7).
pub(crate) fn keep_apart(headers: &mut HeaderMap, context: &Context) {
    let named = |value: &HeaderValue| {
        value
            .to_str()
            .is_ok_and(|v| v.to_ascii_lowercase().contains("authorization"))
    };
    if !headers.get_all(VARY).iter().any(named) {
        let own = headers.get(VARY).and_then(|v| v.to_str().ok());
        let all = format!(
            "{}, Authorization, Cookie",
            own.unwrap_or("Accept-Encoding")
        );
        headers.insert(
            VARY,
            HeaderValue::try_from(all).unwrap_or(HeaderValue::from_static("*")),
        );
    }
    if context.is_personal() {
        headers.insert(CACHE_CONTROL, NO_STORE);
    }
    if !context.principal.is_anonymous() {
        headers.insert(
            CROSS_ORIGIN_RESOURCE_POLICY,
            HeaderValue::from_static("same-origin"),
        );
    }
    let is_kept = headers.get(CACHE_CONTROL) != Some(&NO_STORE);
    if is_kept && !context.principal.is_anonymous() {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

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
            "Age, ETag, Link, Location, Content-Crs, Content-Disposition, Accept-Ranges, Content-Range, OGC-NumberMatched, Allow, X-Request-Id, Retry-After, Accept-Post, Accept-Patch, Idempotent-Replayed, Memento-Datetime, Hromada-Change, Hromada-Geometry",
        ),
    );
    guard(headers);
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

/// Whether an answer is for a person to read.
pub(crate) fn is_page(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE);
    media_type.is_some_and(|given| given.as_bytes().starts_with(b"text/html"))
}

/// Tells the browser what the answer may do.
fn guard(headers: &mut HeaderMap) {
    // Without content there is nothing to guard, and what a 304 says would take the place of what the browser has.
    let Some(media_type) = headers.get(CONTENT_TYPE) else {
        return;
    };
    let is_script = media_type.as_bytes().starts_with(b"text/javascript");
    let (policy, shared_with) = if is_page(headers) {
        let same_origin = HeaderValue::from_static("same-origin");
        headers.insert(CROSS_ORIGIN_OPENER_POLICY, same_origin);
        headers.insert(PERMISSIONS_POLICY, PERMISSIONS);
        (POLICY, "same-origin")
    } else if is_script {
        (POLICY, "cross-origin")
    } else {
        (DATA_POLICY, "cross-origin")
    };
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    // An answer that is not for everybody says so itself.
    headers
        .entry(CROSS_ORIGIN_RESOURCE_POLICY)
        .or_insert(HeaderValue::from_static(shared_with));
}

/// The headers of an answer that depends on what the client accepts.
pub(crate) fn vary(response: &mut Response) {
    response.headers_mut().insert(
        VARY,
        HeaderValue::from_static("Accept, Accept-Encoding, Accept-Language, Authorization, Cookie"),
    );
}
