//! What all requests share: id, language, links, log line, figures.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::body::HttpBody;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{HOST, HeaderMap};
use model::{Lang, Message};

use crate::app::App;
use crate::finish::{finish, rendered};
use crate::held;
use crate::limits::MAX_URL;
use crate::link;
use crate::negotiate::{self, Wanted};
use crate::nodes;
use crate::origin;
use crate::params::Params;
use crate::problem::{Problem, shown};
use crate::request_id::request_id;

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
        Arc::clone(&app.requests).try_acquire_owned().ok()
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
    } else if let Err(problem) = nodes::wait_for_change(&app, request.headers()).await {
        problem.into_response()
    } else {
        request.extensions_mut().insert(context.clone());
        next.run(request).await
    };
    let route = response
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |m| m.as_str().to_owned());
    let mut response = rendered(response, &context, &method, &id);
    finish(response.headers_mut(), &id);
    if !is_probe {
        nodes::tell_age(&app, response.headers_mut());
    }
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
    Ok(held::until_sent(response, permit))
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
    origin::check(app, request)?;
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
