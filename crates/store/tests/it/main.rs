//! The store's contract: what every backend must do, through the public API only.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test stops where it fails"
)]

mod checks;
mod edits;
mod exports;
mod files;
mod geopackage;
mod guards;
mod history;
mod ids;
mod imports;
mod manage;
mod mbtiles;
mod parcels;
mod reads;
mod retention;
mod support;
mod systems;
mod times;
mod transactions;

/// Whether the stores of this program are in PostgreSQL: `tests/postgres` runs the same contract there.
pub(crate) const ON_POSTGRES: bool = false;
