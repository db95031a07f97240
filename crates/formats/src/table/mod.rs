//! Delimited text (RFC 4180 and what spreadsheets make of it).

mod cell;
mod columns;
mod reader;
mod split;
mod wkt;
mod writer;

pub(crate) use reader::CsvReader;
use wkt::write as write_wkt;
pub(crate) use writer::CsvEncoder;
