//! Answers that are ready as they leave: tiles that anybody sees, by what was asked.
//!
//! Most of what a hot tile costs is asking again what was decided a moment ago. So the whole answer is kept, head and body, with
//! the [`State`] that it was made in, and leaves once more only while that is still the state: the same indexes, rules and plans,
//! nothing else looked at. After any change the request goes its usual way, and that answer is kept in the place of this one.
//! Nothing is decided here: who sees what was decided on the usual way, for nobody in particular, and what depends on who asks or
//! from where is never kept.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use hyper::header::{
    ACCEPT_ENCODING, AGE, AUTHORIZATION, COOKIE, ETAG, HOST, HeaderMap, HeaderValue, IF_NONE_MATCH,
};
use hyper::{Method, StatusCode, Uri};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use store::Live;

use crate::app::App;
use crate::conditional::{self, Tag};
use crate::context::Context;
use crate::finish::{finish, keep_apart};
use crate::identity::By;
use crate::link;
use crate::metrics::Measure;
use crate::nodes;
use crate::request_id::{REQUEST_ID, request_id};

/// What an answer costs beside its body: heads, target and the cache's own entry, rounded up.
const OVERHEAD: u64 = 2 * 1024;

/// A guess at the size of an answer, from which the cache sizes its table.
const TYPICAL: u64 = 8 * 1024;

pub(crate) struct Ready {
    kept: Option<Cache<Asked, Arc<Answer>, Weight>>,
}

/// What an answer depends on beside the request: while it is equal, so is the answer.
#[derive(Clone)]
struct State {
    /// Weak, so that no index is held for it; the address is not used again as long.
    live: Weak<Live>,
    rules: i64,
    plans: u64,
}

/// In the extensions of an answer that is for everybody and would be made the same again.
#[derive(Clone)]
pub(crate) struct Steady {
    /// `None`: without a body.
    pub(crate) tile: Option<(Tag, Bytes)>,
}

/// Target and accepted codings, as they stand in the request.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    target: Box<str>,
    codings: Box<[u8]>,
}

#[derive(Clone, Copy)]
struct AskedNow<'a> {
    target: &'a str,
    codings: &'a [u8],
}

/// See [`Ready::begin`].
pub(crate) struct Begun {
    asked: Asked,
    state: State,
}

struct Answer {
    state: State,
    status: StatusCode,
    head: HeaderMap,
    body: Bytes,
    measure: Measure,
    /// What is said to whoever has the tile already.
    unchanged: Option<Unchanged>,
    route: Box<str>,
    /// Names of the parameters.
    parameters: Box<str>,
}

struct Unchanged {
    tag: Tag,
    head: HeaderMap,
    measure: Measure,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Asked, Arc<Answer>> for Weight {
    fn weight(&self, asked: &Asked, answer: &Arc<Answer>) -> u64 {
        (answer.body.len() + asked.target.len() + asked.codings.len()) as u64 + OVERHEAD
    }
}

impl Hash for Asked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (target, codings) = (&*self.target, &*self.codings);
        AskedNow { target, codings }.hash(state);
    }
}

impl Hash for AskedNow<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.target, self.codings).hash(state);
    }
}

impl Equivalent<Asked> for AskedNow<'_> {
    fn equivalent(&self, key: &Asked) -> bool {
        *self.target == *key.target && *self.codings == *key.codings
    }
}

impl State {
    fn now(app: &App) -> Self {
        Self {
            live: Arc::downgrade(&app.store.live()),
            rules: app.store.directory_version(),
            plans: app.low_zooms.version(),
        }
    }

    fn is_now(&self, app: &App) -> bool {
        self.rules == app.store.directory_version()
            && self.plans == app.low_zooms.version()
            && app.store.is_live(&self.live)
    }
}

impl Ready {
    /// `bytes`: how much may be kept; 0: nothing is.
    pub(crate) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / TYPICAL).unwrap_or(usize::MAX);
        Self {
            kept: (bytes > 0).then(|| Cache::with_weighter(items.max(16), bytes, Weight)),
        }
    }

    /// A request whose answer might be kept, before anything is asked.
    pub(crate) fn begin(&self, app: &App, request: &Request) -> Option<Begun> {
        self.kept.as_ref()?;
        let asked = AskedNow::of(request.method(), request.uri(), request.headers())?;
        Some(Begun {
            asked: Asked {
                target: asked.target.into(),
                codings: asked.codings.into(),
            },
            state: State::now(app),
        })
    }

    /// Keeps an answer as it is about to leave, if it says that it may be and the state is the one that it was begun in.
    pub(crate) fn keep(
        &self,
        app: &App,
        context: &Context,
        Begun { asked, state }: Begun,
        route: &str,
        response: &Response,
    ) {
        let (Some(kept), Some(steady)) = (&self.kept, response.extensions().get::<Steady>()) else {
            return;
        };
        if context.by != By::Nothing || context.is_personal() || !state.is_now(app) {
            return;
        }
        let head = |from: &HeaderMap| {
            let mut head = from.clone();
            head.remove(REQUEST_ID);
            head.remove(AGE);
            head
        };
        let mut body = Bytes::new();
        let mut unchanged = None;
        if let Some((tag, bytes)) = steady.tile.clone() {
            body = bytes;
            let mut of_unchanged = conditional::not_modified(tag.header())
                .into_parts()
                .0
                .headers;
            keep_apart(&mut of_unchanged, context);
            finish(&mut of_unchanged, "");
            unchanged = Some(Unchanged {
                head: head(&of_unchanged),
                measure: app
                    .metrics
                    .measure(route, "GET", StatusCode::NOT_MODIFIED.as_u16()),
                tag,
            });
        }
        let status = response.status();
        let names: Vec<&str> = context.params.pairs().map(|(name, _)| name).collect();
        let answer = Answer {
            state,
            status,
            head: head(response.headers()),
            body,
            measure: app.metrics.measure(route, "GET", status.as_u16()),
            unchanged,
            route: route.into(),
            parameters: names.join(",").into(),
        };
        kept.insert(asked, Arc::new(answer));
    }

    /// The answer to a request, if it is ready; `admits`: whether the client may ask now, which is asked only then.
    pub(crate) fn answer(
        &self,
        app: &App,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        admits: impl FnOnce() -> bool,
    ) -> Option<Response> {
        let asked = AskedNow::of(method, uri, headers)?;
        let answer = self.kept.as_ref()?.get(&asked)?;
        let started = Instant::now();
        if !answer.state.is_now(app) || !may_be_plain(app, headers) || !admits() {
            return None;
        }
        app.tiles.count_hit();
        let id = request_id(headers);
        let same = answer
            .unchanged
            .as_ref()
            .filter(|_| headers.contains_key(IF_NONE_MATCH));
        let same = same.and_then(|same| Some((same, same.tag.matching(headers)?)));
        let (status, mut head, body, measure) = match same {
            Some((same, tag)) => {
                let mut head = same.head.clone();
                head.insert(ETAG, tag);
                (StatusCode::NOT_MODIFIED, head, Bytes::new(), &same.measure)
            }
            None => (
                answer.status,
                answer.head.clone(),
                answer.body.clone(),
                &answer.measure,
            ),
        };
        if let Ok(id) = HeaderValue::from_str(&id) {
            head.insert(REQUEST_ID, id);
        }
        nodes::tell_age(app, &mut head);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = head;
        let elapsed = started.elapsed();
        measure.note(elapsed);
        let bytes = response.body().size_hint().exact();
        let (path, route, parameters) = (uri.path(), &answer.route, &answer.parameters);
        let (status, elapsed_ms) = (status.as_u16(), elapsed.as_secs_f64() * 1000.0);
        tracing::info!(target: "server::context", %method, %path, %route, %parameters, status, bytes, elapsed_ms, request_id = %id, "request");
        Some(response)
    }
}

impl<'a> AskedNow<'a> {
    /// `None` for a request whose answer is never kept.
    fn of(method: &Method, uri: &'a Uri, headers: &'a HeaderMap) -> Option<Self> {
        let target = uri.path_and_query()?.as_str();
        let is_of_tiles = target.starts_with("/tiles/") || target.starts_with("/collections/");
        if *method != Method::GET || !is_of_tiles {
            return None;
        }
        // Whoever shows something may see more than anybody.
        if [AUTHORIZATION, COOKIE, nodes::AFTER]
            .iter()
            .any(|name| headers.contains_key(name))
        {
            return None;
        }
        let mut lines = headers.get_all(ACCEPT_ENCODING).iter();
        let codings = lines.next().map_or(&b""[..], HeaderValue::as_bytes);
        lines.next().is_none().then_some(Self { target, codings })
    }
}

/// What the usual way holds against a request that an answer does not depend on.
fn may_be_plain(app: &App, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    let is_host = |host: &HeaderValue| host.to_str().is_ok_and(link::is_host);
    hosts.next().is_none() && (app.options.base_url.is_some() || host.is_none_or(is_host))
}

#[cfg(test)]
#[path = "ready_tests.rs"]
mod tests;
