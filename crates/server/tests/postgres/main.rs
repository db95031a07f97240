//! The whole suite of the server on PostgreSQL, and what only shared stores do.
//!
//! Needs the server that `.ci/services` starts.

#![allow(clippy::unwrap_used)]

#[path = "../it/assets.rs"]
mod assets;
#[path = "../it/bad_requests.rs"]
mod bad_requests;
#[path = "../it/conditional.rs"]
mod conditional;
#[path = "../it/connection.rs"]
mod connection;
#[path = "../it/core.rs"]
mod core;
#[path = "../it/coverage.rs"]
mod coverage;
#[path = "../it/editing.rs"]
mod editing;
#[path = "../it/html.rs"]
mod html;
mod nodes;
#[path = "../it/openapi.rs"]
mod openapi;
#[path = "../it/operation.rs"]
mod operation;
#[path = "../it/paging.rs"]
mod paging;
#[allow(dead_code, reason = "the store's tests do more with it")]
mod proxy;
#[path = "../it/schemas.rs"]
mod schemas;
#[path = "../it/search.rs"]
mod search;
#[path = "../it/tilesets.rs"]
mod tilesets;
#[path = "../it/town.rs"]
mod town;
#[path = "../it/vector_tiles.rs"]
mod vector_tiles;

pub(crate) const ON_POSTGRES: bool = true;
