//! What all requests and answers share: id, language, links, security headers, problem texts, log line, figures.

use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW,
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap,
    HeaderName, HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, StatusCode};
use model::{Lang, Message};

use crate::app::App;
use crate::limits::MAX_URL;
use crate::negotiate::{self, Wanted};
use crate::params::Params;
use crate::problem::{self, Problem, shown};
use crate::{conditional, html, link};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// For pages: everything from this server, nothing from elsewhere.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
     img-src 'self' data: blob:; font-src 'self'; worker-src 'self'; manifest-src 'self'; frame-ancestors 'self'; \
     base-uri 'none'; form-action 'self'",
);

/// Methods that a page of another origin may use: there is no sign-in yet, so a page elsewhere must not be able to
/// write through the browser of someone who can reach the server.
const CROSS_ORIGIN_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// A request as handlers see it.
#[derive(Clone)]
pub(crate) struct Context {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) lang: Lang,
    /// Whether the URL names the language, so that links of a page must too.
    pub(crate) lang_in_url: bool,
    /// The landing page without a slash at its end; all links of JSON begin with it.
    pub(crate) base: String,
    /// The path of `base`; all links of pages begin with it.
    pub(crate) root: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) params: Params,
    pub(crate) wanted: Wanted,
    pub(crate) headers: HeaderMap,
}

impl std::ops::Deref for Context {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl Context {
    /// A text of the catalogue in the language of the answer.
    pub(crate) fn text(&self, key: &'static str) -> String {
        Message::new(key).text(self.lang)
    }

    /// An absolute URL of this server.
    pub(crate) fn url(&self, path: impl std::fmt::Display) -> String {
        format!("{}{path}", self.base)
    }

    /// The URL of the request with a parameter set or, by `None`, taken out.
    pub(crate) fn url_with(&self, changes: &[(&str, Option<&str>)]) -> String {
        format!("{}{}{}", self.base, self.path, self.query_with(changes))
    }

    /// The query of the request with changes, `?` included; empty when nothing is left.
    pub(crate) fn query_with(&self, changes: &[(&str, Option<&str>)]) -> String {
        let kept = self
            .params
            .pairs()
            .filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let set = changes
            .iter()
            .filter_map(|(name, value)| value.map(|v| (*name, v)));
        let mut out = String::new();
        for (name, value) in kept.chain(set) {
            out.push(if out.is_empty() { '?' } else { '&' });
            out.push_str(&link::query_text(name));
            out.push('=');
            out.push_str(&link::query_text(value));
        }
        out
    }
}

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get()
            .cloned()
            .ok_or_else(|| Problem::internal("a route is outside of the context layer"))
    }
}

/// The path parameters, decoded; a path that is not UTF-8 is a problem like any other.
pub(crate) struct Segments<T>(pub(crate) T);

impl<S: Send + Sync, T: segments::FromSegments> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let unreadable = || Problem::bad_request(Message::new("server.url-unreadable"));
        let segments = axum::extract::RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| unreadable())?;
        let values: Vec<&str> = segments.iter().map(|(_, value)| value).collect();
        T::from_segments(&values)
            .ok_or_else(unreadable)
            .map(Segments)
    }
}

/// Path parameters as strings, by count.
pub(crate) mod segments {
    pub(crate) trait FromSegments: Sized {
        fn from_segments(values: &[&str]) -> Option<Self>;
    }

    impl FromSegments for String {
        fn from_segments(values: &[&str]) -> Option<Self> {
            values.first().map(|v| (*v).to_owned())
        }
    }

    impl<const N: usize> FromSegments for [String; N] {
        fn from_segments(values: &[&str]) -> Option<Self> {
            let owned: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
            owned.try_into().ok()
        }
    }
}

/// Wraps every request. The innermost answer may be a [`Problem`] without text: it gets its text here.
pub(crate) async fn layer(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let (context, refused) = match context(&app, &request) {
        Ok(context) => (context, None),
        Err(problem) => (fallback(&app, &request), Some(problem)),
    };
    let is_probe = path.starts_with("/health/") || path == "/metrics";
    let permit = if is_probe {
        None
    } else {
        app.requests.try_acquire().ok()
    };
    let response = if let Some(problem) = refused {
        problem.into_response()
    } else if permit.is_none() && !is_probe {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Message::new("server.overloaded"),
        )
        .retry_later()
        .into_response()
    } else {
        request.extensions_mut().insert(context.clone());
        next.run(request).await
    };
    drop(permit);
    let route = response
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |m| m.as_str().to_owned());
    let mut response = rendered(response, &context, &method, &id);
    finish(response.headers_mut(), &id);
    let (status, elapsed) = (response.status().as_u16(), started.elapsed());
    app.metrics
        .request(&route, method.as_str(), status, elapsed);
    let bytes = response.body().size_hint().exact();
    // Names of parameters without their values, which may be about a person.
    let names: Vec<String> = context
        .params
        .pairs()
        .map(|(name, _)| shown(name))
        .collect();
    let parameters = names.join(",");
    let elapsed_ms = elapsed.as_secs_f64() * 1000.0;
    tracing::info!(%method, %path, %route, parameters, status, bytes, elapsed_ms, request_id = %id, "request");
    Ok(response)
}

/// Tells the outer layer which route it was.
pub(crate) async fn name_route(
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if let Some(matched) = matched {
        response.extensions_mut().insert(matched);
    }
    response
}

fn context(app: &App, request: &Request) -> Result<Context, Problem> {
    let uri = request.uri();
    let query = uri.query().unwrap_or_default();
    if uri.path().len() + query.len() > MAX_URL {
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            Message::new("server.url-too-long").with("max", MAX_URL),
        ));
    }
    let params = Params::parse(query)?;
    let lang = negotiate::language(params.get("lang"), request.headers())?;
    make(app, request, params, lang)
}

/// A context for the answer to a request that could not be read.
fn fallback(app: &App, request: &Request) -> Context {
    let lang = negotiate::accepted_language(request.headers());
    let made = make(app, request, Params::default(), lang);
    made.unwrap_or_else(|_| Context {
        inner: Arc::new(Inner {
            lang,
            lang_in_url: false,
            base: format!("http://{}", app.options.listen),
            root: String::new(),
            path: String::new(),
            query: String::new(),
            params: Params::default(),
            wanted: Wanted::new(None, request.headers()),
            headers: HeaderMap::new(),
        }),
    })
}

fn make(app: &App, request: &Request, params: Params, lang: Lang) -> Result<Context, Problem> {
    let given = app
        .options
        .base_url
        .as_deref()
        .and_then(|url| link::base_url(url).ok());
    let base = match given {
        Some(base) => base,
        None => format!("http://{}", host(app, request)?),
    };
    let authority = base.find("://").map_or(0, |at| at + 3);
    let root = base[authority..]
        .find('/')
        .map_or("", |at| &base[authority + at..])
        .to_owned();
    let uri = request.uri();
    let inner = Inner {
        lang,
        lang_in_url: params.get("lang").is_some(),
        base,
        root,
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        wanted: Wanted::new(params.get("f"), request.headers()),
        params,
        headers: request.headers().clone(),
    };
    Ok(Context {
        inner: Arc::new(inner),
    })
}

fn host(app: &App, request: &Request) -> Result<String, Problem> {
    let Some(host) = request.headers().get(HOST) else {
        return Ok(app.options.listen.to_string());
    };
    let host = host.to_str().ok().filter(|h| link::is_host(h));
    host.map(str::to_owned)
        .ok_or_else(|| Problem::bad_request(Message::new("server.host-invalid")))
}

/// Gives a problem its text, a preflight its headers, and an answer of the router its form.
fn rendered(mut response: Response, context: &Context, method: &Method, id: &str) -> Response {
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
            "Accept, Accept-Language, Content-Type, If-None-Match, X-Request-Id",
        ),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

fn finish(headers: &mut HeaderMap, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "ETag, Link, Location, Content-Crs, Allow, X-Request-Id, Retry-After",
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

/// The client's id when it is a plain short word, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    const LONGEST: usize = 64;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let given = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok());
    match given {
        Some(id) if !id.is_empty() && id.len() <= LONGEST && id.bytes().all(plain) => id.to_owned(),
        _ => new_id(),
    }
}

/// A UUID of version 4 (RFC 9562 §5.4) from the process's random hash keys: unique, not secret.
fn new_id() -> String {
    static KEYS: OnceLock<[RandomState; 2]> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let [high, low] = KEYS
        .get_or_init(|| [RandomState::new(), RandomState::new()])
        .each_ref()
        .map(|state| {
            let mut hasher = state.build_hasher();
            hasher.write_u64(count);
            hasher.finish()
        });
    let bits = (u128::from(high) << 64) | u128::from(low);
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (4 << 76) | (2 << 62);
    let hex = format!("{bits:032x}");
    let mut id = String::with_capacity(36);
    for (i, part) in [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .into_iter()
    .enumerate()
    {
        let dash = if i > 0 { "-" } else { "" };
        // Writing to a string can't fail.
        let _ = write!(id, "{dash}{part}");
    }
    id
}

/// The occurrence that a problem is about, as a URI reference (RFC 9457 §3.1.5).
fn instance(id: &str) -> String {
    let is_uuid = id.len() == 36
        && id.bytes().enumerate().all(|(i, b)| {
            if matches!(i, 8 | 13 | 18 | 23) {
                b == b'-'
            } else {
                b.is_ascii_hexdigit()
            }
        });
    if is_uuid {
        format!("urn:uuid:{id}")
    } else {
        format!("#{id}")
    }
}

/// The headers of an answer that depends on what the client accepts.
pub(crate) fn vary(response: &mut Response) {
    response.headers_mut().insert(
        VARY,
        HeaderValue::from_static("Accept, Accept-Encoding, Accept-Language"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_ids_are_uuids_of_version_4() {
        let (a, b) = (new_id(), new_id());
        assert_ne!(a, b);
        assert!(instance(&a).starts_with("urn:uuid:"), "{a}");
        assert_eq!(a.as_bytes()[14], b'4');
        assert!(matches!(a.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{a}");
    }

    #[test]
    fn ids_of_clients_are_taken_when_they_are_harmless() {
        let id = |value: &str| {
            request_id(&HeaderMap::from_iter([(
                REQUEST_ID,
                HeaderValue::from_str(value).unwrap(),
            )]))
        };
        assert_eq!(id("job-7.1"), "job-7.1");
        assert_ne!(id("a b"), "a b");
        assert_ne!(id(&"x".repeat(65)), "x".repeat(65));
    }
}
