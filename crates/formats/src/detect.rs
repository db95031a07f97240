//! Recognising a format.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use model::Message;

use crate::error::file_name;
use crate::input::{first_value, open_bytes};
use crate::{Error, Format};

/// Bytes that are looked at; a first feature longer than this makes a `.geojson` a plain document.
const SNIFFED: u64 = 1 << 20;

/// Recognises a file by its content, then by its extension.
///
/// # Errors
/// When the file cannot be read, is empty or is none of the formats.
pub fn detect(path: &Path) -> Result<Format, Error> {
    if path.is_dir() {
        return Ok(Format::Shapefile);
    }
    let mut magic = Vec::new();
    let file = File::open(path).map_err(|e| Error::read(path, e))?;
    file.take(16)
        .read_to_end(&mut magic)
        .map_err(|e| Error::read(path, e))?;
    match magic.as_slice() {
        [] => return Err(empty(path)),
        m if m.starts_with(b"SQLite format 3\0") => return Ok(Format::GeoPackage),
        [b'f', b'g', b'b', _, b'f', b'g', b'b', ..] => return Ok(Format::FlatGeobuf),
        [0, 0, 0x27, 0x0A, ..] => return Ok(Format::Shapefile),
        [b'P', b'A', b'R', b'1', ..] => return Ok(Format::GeoParquet),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => return Ok(Format::Shapefile),
        _ => {}
    }
    let mut start = Vec::new();
    open_bytes(path, Arc::default())?
        .take(SNIFFED)
        .read_to_end(&mut start)
        .map_err(|e| Error::read(path, e))?;
    by_text(path, &start)
}

fn empty(path: &Path) -> Error {
    Message::new("formats.empty-file")
        .with("file", file_name(path))
        .into()
}

fn by_text(path: &Path, start: &[u8]) -> Result<Format, Error> {
    let extension = extension(path);
    let text = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    let text = text.trim_ascii_start();
    let sequence = matches!(
        extension.as_str(),
        "geojsonl" | "geojsons" | "geojsonseq" | "ndgeojson" | "ndjson" | "jsonl" | "jsonseq"
    );
    match text.first() {
        None => Err(empty(path)),
        Some(0x1E) => Ok(Format::GeoJsonSeq),
        Some(b'{') if sequence || several_values(text) => Ok(Format::GeoJsonSeq),
        Some(b'{') => Ok(Format::GeoJson),
        Some(_) => match extension.as_str() {
            "csv" | "tsv" | "tab" | "txt" => Ok(Format::Csv),
            "geojson" | "json" | "jsonfg" => Ok(Format::GeoJson),
            "shp" => Ok(Format::Shapefile),
            "fgb" => Ok(Format::FlatGeobuf),
            _ if sequence => Ok(Format::GeoJsonSeq),
            "dbf" | "shx" | "prj" | "cpg" | "sbn" | "qpj" => Err(Message::new("formats.side-file")
                .with("file", file_name(path))
                .into()),
            _ => Err(Message::new("formats.unknown")
                .with("file", file_name(path))
                .into()),
        },
    }
}

/// Lower case, without a `.gz` at the end.
fn extension(path: &Path) -> String {
    let name = file_name(path).to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.')
        .map_or(String::new(), |(_, extension)| extension.to_owned())
}

/// Whether another value follows the first object.
fn several_values(text: &[u8]) -> bool {
    first_value(text).is_some_and(|end| text[end..].trim_ascii_start().first() == Some(&b'{'))
}
