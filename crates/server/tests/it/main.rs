//! The server through its router, one file a requirements class, tests named by requirement.

#![allow(clippy::unwrap_used)]

mod town;

mod accounts;
mod administration;
mod archives;
mod assets;
mod bad_requests;
mod browser;
mod bulk;
mod canary;
mod changes;
mod conditional;
mod connection;
mod core;
mod coverage;
mod cql2;
mod crawl;
mod crs;
mod edges;
mod editing;
mod guarded;
mod history;
mod html;
mod interference;
mod live;
mod logged;
mod low_zooms;
mod narrowed_tiles;
mod openapi;
mod operation;
mod outputs;
mod paging;
mod planted;
mod random_filters;
mod rights;
mod roles;
mod scan;
mod schemas;
mod search;
mod second_factor;
mod served_archives;
mod single_sign_on;
mod styles;
mod tilesets;
mod tls;
mod vector_tiles;
mod webhooks;

/// Whether the stores of this program are in PostgreSQL: `tests/postgres` runs the same suite there.
pub(crate) const ON_POSTGRES: bool = false;
