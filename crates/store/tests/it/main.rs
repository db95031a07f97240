//! The store's contract: what every backend must do, through the public API only.

mod edits;
mod guards;
mod imports;
mod reads;
mod support;
