//! HTTP: OGC API Features, vector tiles, search, the web map, in JSON and HTML.
//!
//! Handlers are flat: read the request, ask the store, answer. Errors are one `problem::Problem`; what all
//! requests share (id, language, log line, figures) is in `context`, what all answers share in `finish`. All routes are
//! in `routes.rs`.

mod answer;
mod app;
mod assets;
mod cache;
mod collections;
mod common;
mod conditional;
mod context;
mod features;
mod finish;
mod health;
mod held;
mod html;
mod limits;
mod link;
mod metrics;
mod negotiate;
mod nodes;
mod openapi;
mod origin;
mod params;
mod problem;
mod request_id;
mod routes;
mod schema;
mod search;
mod segments;
mod serve;
mod stream;
mod tilesets;
mod vector;

use std::net::{Ipv4Addr, SocketAddr};

pub use routes::router;
pub use serve::serve;

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address it listens on; names the server in links when a request has no usable `Host`.
    pub listen: SocketAddr,
    /// Whether features may be created, replaced and deleted. There is no sign-in yet: anyone who can reach the
    /// server may.
    pub allow_edits: bool,
    /// The public URL, such as `https://gis.example.ua`; `None` takes the `Host` of each request. `X-Forwarded-*`
    /// headers are never read, since any client can send them.
    pub base_url: Option<String>,
    /// Bytes of encoded tiles to keep; 0 keeps none.
    pub tile_cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            allow_edits: false,
            base_url: None,
            tile_cache_bytes: 64 * 1024 * 1024,
        }
    }
}
