//! HTTP: OGC API Features, vector tiles, search, the web map, in JSON and HTML.
//!
//! Handlers are flat: read the request, ask the store, answer. Errors are one `problem::Problem`; what all
//! requests share (id, language, log line, figures) is in `context`, what all answers share in `finish`. All routes are
//! in `routes.rs`.

mod account;
mod admin;
mod answer;
mod app;
mod archive;
mod assets;
mod attempts;
mod bulk;
mod cache;
mod changes;
mod client;
mod collections;
mod common;
mod conditional;
mod context;
mod cors;
mod crs;
mod edge;
mod features;
mod finish;
mod fragments;
mod health;
mod held;
mod html;
mod identity;
mod layer_values;
mod layers;
mod limits;
mod link;
mod low_zoom;
mod matrix_sets;
mod metrics;
mod moment;
mod negotiate;
mod nodes;
mod openapi;
mod origin;
mod pack;
mod params;
mod places;
mod policy;
mod problem;
mod rate;
mod ready;
mod request_id;
mod retention;
mod routes;
mod schema;
mod seal;
mod search;
mod segments;
mod serve;
mod served_archives;
mod single_sign_on;
mod stamp;
mod stream;
mod styles;
mod tilesets;
mod tls;
mod vector;
mod webhooks;

use std::net::{Ipv4Addr, SocketAddr};

pub use archive::{ArchiveChoice, ArchiveFormat, ArchiveProgress, ArchiveReport, export_archive};
pub use client::parse_network;
pub use cors::parse_origin;
pub use ipnet::IpNet;
pub use routes::router;
#[doc(hidden)]
pub use routes::{Guard, guards};
pub use serve::{listen, serve};
pub use served_archives::ArchiveOption;
pub use single_sign_on::{Secret, SingleSignOn, parse_role};
pub use tls::Tls;
pub use webhooks::{parse_webhook_url, webhook_secret};

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address it listens on; names the server in links when a request has no usable `Host`.
    pub listen: SocketAddr,
    /// The public URL, such as `https://gis.example.ua`; `None` takes the `Host` of each request.
    /// `X-Forwarded-Host` is never read.
    pub base_url: Option<String>,
    /// Whether passwords and tokens are taken over connections that are not encrypted, from other machines than this one.
    pub plain_sign_in: bool,
    /// Whether those who work for the town need a second factor in the browser: without one they are known, and may no
    /// more than a citizen.
    pub require_second_factor: bool,
    /// Bytes of encoded tiles to keep; 0 keeps none.
    pub tile_cache_bytes: u64,
    /// Bytes of encoded features to keep; 0 keeps none.
    pub feature_cache_bytes: u64,
    /// Networks of proxies that are believed who their clients are (`X-Forwarded-For`) and how those are connected
    /// (`X-Forwarded-Proto`). Any client can send these headers, so nobody else is.
    pub trusted_proxies: Vec<IpNet>,
    /// Requests of one network, for some seconds more than that; 0 is no limit. Programs of this machine have none.
    pub requests_per_second: u32,
    /// Origins, by [`parse_origin`], whose pages may send `Authorization` and write.
    pub cors_origins: Vec<String>,
    /// Serves over TLS and nothing else.
    pub tls: Option<Tls>,
    /// People may sign in at a provider of OpenID Connect.
    pub single_sign_on: Option<SingleSignOn>,
    /// Archives of tiles that everybody sees.
    pub archives: Vec<ArchiveOption>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            base_url: None,
            plain_sign_in: false,
            require_second_factor: false,
            tile_cache_bytes: 64 * 1024 * 1024,
            feature_cache_bytes: 128 * 1024 * 1024,
            trusted_proxies: Vec::new(),
            requests_per_second: 100,
            cors_origins: Vec::new(),
            tls: None,
            single_sign_on: None,
            archives: Vec::new(),
        }
    }
}
