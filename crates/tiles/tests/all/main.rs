//! Tiles from outside: world geometry in, decoded tiles out.

mod coords;
mod coverage;
mod encoding;
mod fuzz;
mod gdal;
mod golden;
mod support;
