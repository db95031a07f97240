//! Esri Shapefile (ESRI Shapefile Technical Description, July 1998) with its dBASE table.
//!
//! Both are simple fixed layouts; they are read here by hand, because every size in them comes from the file and must
//! be held against the bytes that are there.

mod dbf;
mod encoding;
pub(crate) mod prj;
mod reader;
mod rings;
mod shapes;
mod source;

pub(crate) use reader::ShapefileReader;
