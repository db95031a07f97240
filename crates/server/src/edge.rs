//! The outermost layer: who the client is, whether it may ask now, and the headers that depend on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{COOKIE, HeaderMap, HeaderValue, RETRY_AFTER, STRICT_TRANSPORT_SECURITY};
use ipnet::IpNet;
use model::Message;

use crate::app::App;
use crate::client::{Client, Peer, X_FORWARDED_FOR};
use crate::limits::{BURST_SECONDS, MAX_COOKIES, MAX_NETWORKS};
use crate::problem::Problem;
use crate::rate::{Buckets, Rate};
use crate::{Options, cors};

/// A year, the least that ASVS 5.0 §3.4.1 asks for. Not for subdomains, which may be other people's servers.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

#[derive(Clone)]
pub(crate) struct Edge {
    inner: Arc<Inner>,
}

struct Inner {
    trusted_proxies: Vec<IpNet>,
    cors_origins: Vec<String>,
    /// Whether a secure connection is all that the public URL allows.
    is_https_only: bool,
    /// `None` without a limit.
    requests: Option<Buckets<IpNet>>,
    has_told_of_proxy: AtomicBool,
}

/// Why a request is not looked at any further. In its extensions, for `context` gives the answer its form.
#[derive(Clone)]
pub(crate) struct Refused(pub(crate) Problem);

impl Edge {
    pub(crate) fn new(options: &Options) -> Self {
        let base = options.base_url.as_deref();
        Self {
            inner: Arc::new(Inner {
                trusted_proxies: options.trusted_proxies.clone(),
                cors_origins: options.cors_origins.clone(),
                is_https_only: base.is_none_or(|url| url.starts_with("https://")),
                requests: rate(options.requests_per_second)
                    .map(|rate| Buckets::new(rate, MAX_NETWORKS)),
                has_told_of_proxy: AtomicBool::new(false),
            }),
        }
    }

    /// # Errors
    /// 429 when the client's network has asked too often, 431 when its cookies are too large.
    fn admit(&self, client: &Client, headers: &HeaderMap, now: Instant) -> Result<(), Problem> {
        // Programs of this machine are the operator's own; a proxy here that is not named as one would share one
        // bucket among all its clients.
        if let Some(requests) = self.inner.requests.as_ref().filter(|_| !client.is_local) {
            requests.take(client.network, 1, now).map_err(too_often)?;
        }
        let cookies: usize = headers.get_all(COOKIE).iter().map(HeaderValue::len).sum();
        if cookies > MAX_COOKIES {
            return Err(Problem::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                Message::new("server.cookies-too-large").with("max", MAX_COOKIES),
            ));
        }
        Ok(())
    }

    /// Sets the headers that depend on the connection.
    fn dress(&self, client: &Client, response: &mut Response) {
        if client.is_secure && self.inner.is_https_only {
            let headers = response.headers_mut();
            headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
        }
    }

    /// Once: a proxy on this machine without `--trusted-proxy` would leave the limits without effect.
    fn tell_of_proxy(&self, client: &Client, headers: &HeaderMap) {
        if client.is_local
            && headers.contains_key(X_FORWARDED_FOR)
            && !self.inner.has_told_of_proxy.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                "a proxy on this machine is not among the trusted ones (--trusted-proxy): its clients are not told apart"
            );
        }
    }
}

pub(crate) fn rate(per_second: u32) -> Option<Rate> {
    let refill = Duration::from_secs(1).checked_div(per_second)?;
    Some(Rate {
        burst: per_second.saturating_mul(BURST_SECONDS),
        refill,
    })
}

pub(crate) fn too_often(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        Message::new("server.too-often").with("seconds", seconds),
    )
    .with(RETRY_AFTER, HeaderValue::from(seconds))
}

/// The answer that is ready for a request, as it leaves ([`crate::ready`]): it takes a place in the client's rate as others do.
pub(crate) fn ready<B>(
    edge: &Edge,
    app: &App,
    request: &axum::http::Request<B>,
) -> Option<Response> {
    let headers = request.headers();
    let peer = request.extensions().get().copied().unwrap_or_default();
    let client = Client::new(peer, headers, &edge.inner.trusted_proxies);
    let admits = || edge.admit(&client, headers, Instant::now()).is_ok();
    let mut response = app
        .ready
        .answer(app, request.method(), request.uri(), headers, admits)?;
    edge.dress(&client, &mut response);
    Some(response)
}

/// Around all others, `context` included.
pub(crate) async fn layer(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let peer = request
        .extensions()
        .get()
        .copied()
        .unwrap_or_else(Peer::default);
    let client = Client::new(peer, request.headers(), &edge.inner.trusted_proxies);
    edge.tell_of_proxy(&client, request.headers());
    let method = request.method().clone();
    let origin = cors::asked_by(&edge.inner.cors_origins, &request);
    if let Err(problem) = edge.admit(&client, request.headers(), Instant::now()) {
        request.extensions_mut().insert(Refused(problem));
    }
    request.extensions_mut().insert(client);
    let mut response = next.run(request).await;
    if let Some(origin) = origin {
        cors::answer_to(origin, &method, &mut response);
    }
    edge.dress(&client, &mut response);
    response
}
