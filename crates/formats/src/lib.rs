//! Bytes to features and back: GeoJSON, sequences, FlatGeobuf, Shapefile, CSV; WKB and the GeoPackage blob.
//!
//! Synchronous and streaming: memory stays flat whatever the size of the file. Malformed input gives an [`Error`]
//! or a [`Rejection`], never a panic.

mod detect;
mod error;
mod fgb;
pub mod geojson;
pub mod gpkg;
mod infer;
mod input;
pub mod limits;
mod reader;
mod shp;
mod table;
pub mod wkb;
mod writer;

pub use detect::{Format, detect};
pub use error::Error;
pub use reader::{ReadOptions, Reader, Record, Rejection, open};
pub use writer::{WriteOptions, Writer};
