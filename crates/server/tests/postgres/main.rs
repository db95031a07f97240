//! The whole suite of the server on PostgreSQL, and what only shared stores do.
//!
//! Needs the server that `.ci/services` starts.

#![allow(clippy::unwrap_used)]

#[path = "../it/accounts.rs"]
mod accounts;
#[path = "../it/administration.rs"]
mod administration;
#[path = "../it/archives.rs"]
mod archives;
#[path = "../it/assets.rs"]
mod assets;
#[path = "../it/bad_requests.rs"]
mod bad_requests;
#[path = "../it/browser.rs"]
mod browser;
#[path = "../it/bulk.rs"]
mod bulk;
#[path = "../it/canary.rs"]
mod canary;
#[path = "../it/changes.rs"]
mod changes;
#[path = "../it/conditional.rs"]
mod conditional;
#[path = "../it/connection.rs"]
mod connection;
#[path = "../it/core.rs"]
mod core;
#[path = "../it/coverage.rs"]
mod coverage;
#[path = "../it/cql2.rs"]
mod cql2;
#[path = "../it/crawl.rs"]
mod crawl;
#[path = "../it/crs.rs"]
mod crs;
#[path = "../it/editing.rs"]
mod editing;
#[path = "../it/guarded.rs"]
mod guarded;
#[path = "../it/history.rs"]
mod history;
#[path = "../it/html.rs"]
mod html;
#[path = "../it/interference.rs"]
mod interference;
#[path = "../it/live.rs"]
mod live;
#[path = "../it/logged.rs"]
mod logged;
#[path = "../it/low_zooms.rs"]
mod low_zooms;
#[path = "../it/narrowed_tiles.rs"]
mod narrowed_tiles;
mod nodes;
#[path = "../it/openapi.rs"]
mod openapi;
#[path = "../it/operation.rs"]
mod operation;
#[path = "../it/outputs.rs"]
mod outputs;
#[path = "../it/paging.rs"]
mod paging;
#[path = "../it/planted.rs"]
mod planted;
#[allow(dead_code, reason = "the store's tests do more with it")]
mod proxy;
#[path = "../it/random_filters.rs"]
mod random_filters;
#[path = "../it/rights.rs"]
mod rights;
#[path = "../it/roles.rs"]
mod roles;
#[path = "../it/scan.rs"]
mod scan;
#[path = "../it/schemas.rs"]
mod schemas;
#[path = "../it/search.rs"]
mod search;
#[path = "../it/second_factor.rs"]
mod second_factor;
#[path = "../it/served_archives.rs"]
mod served_archives;
#[path = "../it/single_sign_on.rs"]
mod single_sign_on;
#[path = "../it/styles.rs"]
mod styles;
#[path = "../it/tilesets.rs"]
mod tilesets;
#[path = "../it/town.rs"]
mod town;
#[path = "../it/vector_tiles.rs"]
mod vector_tiles;
#[path = "../it/webhooks.rs"]
mod webhooks;

pub(crate) const ON_POSTGRES: bool = true;
