//! Tiles from outside: world geometry in, decoded tiles out.

#![expect(clippy::unwrap_used, reason = "a test may fail by it")]

mod coords;
mod coverage;
mod encoding;
mod fuzz;
mod gdal;
mod generalise;
mod golden;
mod pmtiles;
mod support;
mod verify;
