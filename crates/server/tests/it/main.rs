//! The server through its router, one file a requirements class, tests named by requirement.

#![allow(clippy::unwrap_used)]

mod town;

mod assets;
mod bad_requests;
mod conditional;
mod connection;
mod core;
mod coverage;
mod editing;
mod html;
mod openapi;
mod operation;
mod paging;
mod schemas;
mod search;
mod tilesets;
mod vector_tiles;

/// Whether the stores of this program are in PostgreSQL: `tests/postgres` runs the same suite there.
pub(crate) const ON_POSTGRES: bool = false;
