//! What all requests share: id, language, links, log line, figures.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::body::HttpBody;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::header::{ALLOW, HOST, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use hyper::{Method, StatusCode};
use model::access::Principal;
use model::{Lang, Message};
use store::KeyHash;

use crate::app::App;
use crate::client::{Client, Peer};
use crate::edge::{self, Refused};
use crate::features::edit;
use crate::finish::{self, finish, keep_apart, rendered};
use crate::held::{self, Room};
use crate::identity::{self, By, Identity};
use crate::limits::MAX_URL;
use crate::link;
use crate::negotiate::{self, Wanted};
use crate::nodes;
use crate::origin;
use crate::params::Params;
use crate::policy;
use crate::problem::{Problem, shown};
use crate::request_id::{REQUEST_ID, request_id};
use crate::routes::{self, Guard};

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
    pub(crate) params: Params,
    pub(crate) wanted: Wanted,
    pub(crate) headers: HeaderMap,
    /// The id of the request.
    pub(crate) request: Box<str>,
    /// Whether the request only reads.
    pub(crate) is_read: bool,
    pub(crate) principal: Arc<Principal>,
    pub(crate) by: By,
    pub(crate) client: Client,
    /// Whether the policy was asked for this request.
    asked: AtomicBool,
    /// Whether the answer is about people.
    personal: AtomicBool,
    /// The key that the session of the browser has from now on, and the cookie that brings it.
    renewed: OnceLock<(KeyHash, HeaderValue)>,
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

    /// Notes that the policy is asked.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Notes that the answer is about people.
    pub(crate) fn note_personal(&self) {
        self.personal.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_personal(&self) -> bool {
        self.personal.load(Ordering::Relaxed)
    }

    /// Notes that the session of the browser has another key.
    pub(crate) fn renew(&self, hash: KeyHash, cookie: HeaderValue) {
        // Once a request; were it twice, the first cookie would be none any longer.
        let _ = self.renewed.set((hash, cookie));
    }

    /// The session of the browser that asks.
    pub(crate) fn session(&self) -> Option<&KeyHash> {
        let renewed = self.renewed.get().map(|(hash, _)| hash);
        renewed.or(match &self.by {
            By::Session(hash) => Some(hash),
            By::Token(_) | By::Nothing => None,
        })
    }

    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// The same request as one for another page, without parameters: a page that it makes links to that one.
    pub(crate) fn at(&self, path: &str) -> Self {
        let here = &self.inner;
        Self {
            inner: Arc::new(Inner {
                lang: here.lang,
                lang_in_url: here.lang_in_url,
                base: here.base.clone(),
                root: here.root.clone(),
                path: path.to_owned(),
                params: Params::default(),
                wanted: here.wanted.clone(),
                headers: here.headers.clone(),
                request: here.request.clone(),
                is_read: here.is_read,
                principal: Arc::clone(&here.principal),
                by: here.by.clone(),
                client: here.client,
                asked: AtomicBool::new(self.was_asked()),
                personal: AtomicBool::new(self.is_personal()),
                renewed: here.renewed.clone(),
            }),
        }
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

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// What is answered to whoever may not, or may not now.
const REFUSALS: [StatusCode; 3] = [
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::TOO_MANY_REQUESTS,
];

/// Wraps every request. The innermost answer may be a [`Problem`] without text: it gets its text here.
pub(crate) async fn layer(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    let started = Instant::now();
    let begun = app.ready.begin(&app, &request);
    let id = request_id(request.headers());
    if let Ok(value) = HeaderValue::try_from(id.as_str()) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let is_probe = path.starts_with("/health/") || path == "/metrics";
    let room = (!is_probe).then(|| Room::enter(&app, &client(&request)));
    let is_overloaded = room.as_ref().is_some_and(Option::is_none);
    // Who is refused already is not asked for: that may read the database.
    let is_refused = is_overloaded || request.extensions().get::<Refused>().is_some();
    let identity = if is_refused {
        Ok(Identity::anonymous())
    } else {
        identity::of(&app, request.headers()).await
    };
    let (context, refused) = match context(&app, &request, identity) {
        Ok(context) => (context, None),
        Err(problem) => (fallback(&app, &request), Some(problem)),
    };
    let response = if let Some(problem) = refused {
        problem.into_response()
    } else if is_overloaded {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Message::new("server.overloaded"),
        )
        .retry_later()
        .into_response()
    } else if let Err(problem) = nodes::wait_for_change(&app, &context).await {
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
    if method == Method::OPTIONS {
        name_methods(&app, &context, &route, response.headers_mut());
    }
    // Every page names who is signed in, whatever else it shows.
    if routes::guard(&route) != Some(Guard::Open) || finish::is_page(response.headers()) {
        keep_apart(response.headers_mut(), &context);
    }
    if let Some((_, cookie)) = context.renewed.get() {
        response.headers_mut().append(SET_COOKIE, cookie.clone());
    }
    finish(response.headers_mut(), &id);
    if let Some(begun) = begun {
        app.ready.keep(&app, &context, begun, &route, &response);
    }
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
    // Who was refused, and from where, so that attempts can be told from mistakes (ASVS 5.0 §16.3).
    let (person, client) = REFUSALS
        .contains(&response.status())
        .then(|| {
            (
                context.principal.actor(),
                context.client.network.to_string(),
            )
        })
        .unzip();
    tracing::info!(%method, %path, %route, parameters, status, bytes, elapsed_ms, person, client, request_id = %id, "request");
    Ok(held::until_sent(response, room.flatten()))
}

/// The methods that whoever asks may use on features, in the place of all that there are: QGIS offers editing by them.
fn name_methods(app: &App, context: &Context, route: &str, headers: &mut HeaderMap) {
    let place = match route {
        "/collections/{collection}/items" => 0,
        "/collections/{collection}/items/{feature}" => 1,
        _ => return,
    };
    let id = context.path.split('/').nth(2).unwrap_or_default();
    let known = app.methods(context, id);
    let mut methods = known.map_or_else(|| vec!["GET", "HEAD"], |methods| methods[place].clone());
    methods.push("OPTIONS");
    // What bodies are taken (RFC 5789 §3.1, Linked Data Platform §7.1).
    if methods.contains(&"POST") {
        headers.insert(ACCEPT_POST, HeaderValue::from_static(edit::POSTED));
    }
    if methods.contains(&"PATCH") {
        headers.insert(ACCEPT_PATCH, HeaderValue::from_static(link::MERGE_PATCH));
    }
    if let Ok(allow) = HeaderValue::try_from(methods.join(", ")) {
        headers.insert(ALLOW, allow);
    }
}

/// Tells the outer layer which route it was, and holds back what nobody has decided upon.
pub(crate) async fn name_route(
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let context = request.extensions().get::<Context>().cloned();
    let mut response = next.run(request).await;
    let guard = matched.as_ref().and_then(|m| routes::guard(m.as_str()));
    let is_decided = match guard {
        Some(Guard::Open) => true,
        Some(Guard::Permission(permission)) => {
            context.is_some_and(|context| context.was_asked() && policy::may(&context, permission))
        }
        Some(_) => context.is_some_and(|context| context.was_asked()),
        None => false,
    };
    let status = response.status();
    let tells = status.is_success() || status.is_redirection();
    if matched.is_some() && tells && !is_decided {
        response = Problem::internal("an answer that nobody has decided upon").into_response();
    }
    if let Some(matched) = matched {
        response.extensions_mut().insert(matched);
    }
    response
}

fn context(
    app: &App,
    request: &Request,
    identity: Result<Identity, Problem>,
) -> Result<Context, Problem> {
    if let Some(Refused(problem)) = request.extensions().get() {
        return Err(problem.clone());
    }
    // Two would be two servers for two readers of the same request (RFC 9112 §3.2).
    if request.headers().get_all(HOST).iter().nth(1).is_some() {
        return Err(Problem::bad_request(Message::new("server.host-invalid")));
    }
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
    let identity = identity?;
    let client = client(request);
    let is_private = client.is_secure || client.is_local || app.options.plain_sign_in;
    let signs_in = !request.method().is_safe() && uri.path().starts_with("/account");
    if !is_private && (identity.by != By::Nothing || signs_in) {
        // Whoever listens has it already; whoever goes on would only give them more.
        let detail = Message::new("server.plain-sign-in");
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let limit = app.requests_by.as_ref();
    if let Some(limit) = limit.filter(|_| !client.is_local && identity.by != By::Nothing) {
        let actor = identity.principal.actor().to_owned();
        limit
            .take(actor, 1, Instant::now())
            .map_err(edge::too_often)?;
    }
    origin::check(app, request, &identity)?;
    make(app, request, params, lang, identity)
}

/// A context for the answer to a request that could not be read.
fn fallback(app: &App, request: &Request) -> Context {
    let lang = negotiate::accepted_language(request.headers());
    let made = make(app, request, Params::default(), lang, Identity::anonymous());
    made.unwrap_or_else(|_| Context {
        inner: Arc::new(Inner {
            lang,
            lang_in_url: false,
            base: format!("{}://{}", scheme(request), app.options.listen),
            root: String::new(),
            path: String::new(),
            params: Params::default(),
            wanted: Wanted::new(None, request.headers()),
            headers: HeaderMap::new(),
            request: Box::default(),
            is_read: true,
            principal: Arc::new(Principal::anonymous()),
            by: By::Nothing,
            client: client(request),
            asked: AtomicBool::new(false),
            personal: AtomicBool::new(false),
            renewed: OnceLock::new(),
        }),
    })
}

fn make(
    app: &App,
    request: &Request,
    params: Params,
    lang: Lang,
    identity: Identity,
) -> Result<Context, Problem> {
    let given = app
        .options
        .base_url
        .as_deref()
        .and_then(|url| link::base_url(url).ok());
    let base = match given {
        Some(base) => base,
        None => format!("{}://{}", scheme(request), host(app, request)?),
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
        wanted: Wanted::new(params.get("f"), request.headers()),
        params,
        headers: request.headers().clone(),
        request: request_id(request.headers()).into(),
        is_read: request.method().is_safe(),
        principal: identity.principal,
        by: identity.by,
        client: client(request),
        asked: AtomicBool::new(false),
        personal: AtomicBool::new(false),
        renewed: OnceLock::new(),
    };
    Ok(Context {
        inner: Arc::new(inner),
    })
}

fn scheme(request: &Request) -> &'static str {
    if client(request).is_secure {
        "https"
    } else {
        "http"
    }
}

fn host(app: &App, request: &Request) -> Result<String, Problem> {
    let Some(host) = request.headers().get(HOST) else {
        return Ok(app.options.listen.to_string());
    };
    let host = host.to_str().ok().filter(|h| link::is_host(h));
    host.map(str::to_owned)
        .ok_or_else(|| Problem::bad_request(Message::new("server.host-invalid")))
}

/// Who the request is from; without the edge it is this program itself.
fn client(request: &Request) -> Client {
    let known = request.extensions().get().copied();
    known.unwrap_or_else(|| Client::new(Peer::default(), request.headers(), &[]))
}
