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
mod guards;
mod ids;
mod imports;
mod reads;
mod support;
mod times;
