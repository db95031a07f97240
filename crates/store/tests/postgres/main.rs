//! The store's contract on PostgreSQL, and what only that store does.
//!
//! Needs the server that `.ci/services` starts.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test stops where it fails"
)]

#[path = "../it/edits.rs"]
mod edits;
#[path = "../it/exports.rs"]
mod exports;
#[path = "../it/history.rs"]
mod history;
#[path = "../it/ids.rs"]
mod ids;
#[path = "../it/imports.rs"]
mod imports;
#[path = "../it/manage.rs"]
mod manage;
mod moving;
#[path = "../it/parcels.rs"]
mod parcels;
#[allow(dead_code, reason = "the server's tests do more with it")]
#[path = "../../../server/tests/postgres/proxy.rs"]
mod proxy;
mod published;
#[path = "../it/reads.rs"]
mod reads;
mod refusals;
mod replica;
#[path = "../it/retention.rs"]
mod retention;
mod shared;
mod strangers;
#[path = "../it/support.rs"]
mod support;
#[path = "../it/systems.rs"]
mod systems;
#[path = "../it/times.rs"]
mod times;
#[path = "../it/transactions.rs"]
mod transactions;

pub(crate) const ON_POSTGRES: bool = true;
