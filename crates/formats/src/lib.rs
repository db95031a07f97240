//! Bytes to features and back: GeoJSON, sequences, JSON-FG, FlatGeobuf, Shapefile, CSV, GeoParquet; WKB and the
//! GeoPackage blob.
//!
//! Synchronous and streaming: memory stays flat whatever the size of the file. Malformed input gives an [`Error`]
//! or a [`Rejection`], never a panic.

mod detect;
mod error;
mod fgb;
mod format;
pub mod geojson;
mod geoparquet;
pub mod gpkg;
mod infer;
mod input;
pub mod limits;
mod reader;
mod shp;
mod stream;
mod table;
pub mod wkb;
mod writer;

pub use detect::detect;
pub use error::Error;
pub use format::Format;
pub use reader::{ReadOptions, Reader, Record, Rejection, open};
pub use stream::{JsonFg, Stream, StreamOptions, TableGeometry, TimeProperties};
pub use writer::{WriteOptions, Writer};
