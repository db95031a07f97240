//! GeoJSON text sequences: newline-delimited, or with record separators (RFC 8142).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use encoding_rs::Encoding;
use model::{Crs, Message};

use super::decode::{Decoder, Inference, layer_type, text};
use super::document::skip_bom;
use super::json::Fault;
use crate::Error;
use crate::error::file_name;
use crate::input::{Slice, Window, open_bytes};
use crate::reader::{Info, Record};

/// RFC 7464 §2.2.
const RECORD_SEPARATOR: u8 = 0x1E;

/// The features of a sequence, second pass.
pub(crate) struct Sequence {
    lines: Lines,
    decoder: Decoder,
    record: u64,
    encoding: Option<&'static Encoding>,
}

impl Sequence {
    /// Reads the whole file once for types, then stands at its start again.
    pub(crate) fn open(
        path: &Path,
        encoding: Option<&'static Encoding>,
        inferred: Arc<AtomicU64>,
        read: Arc<AtomicU64>,
    ) -> Result<(Self, Info), Error> {
        let mut lines = Lines::open(path, inferred)?;
        let mut inference = Inference::default();
        while let Some(slice) = lines.next()? {
            let text = text(lines.window.bytes(&slice), slice.at, encoding, path)?;
            if let Err(fault) = inference.observe(&text)? {
                // Nothing marks the end of the last record, and the record itself ends in the middle.
                whole_or_cut(&slice, &fault, path)?;
            }
        }
        let records = inference.records;
        let shape = std::mem::take(&mut inference.shape);
        let (decoder, schema, notes) = inference.finish();
        let info = Info {
            layer_name: String::new(),
            schema,
            geometry_type: layer_type(&shape),
            has_z: shape.has_z,
            has_m: false,
            crs: Some(Crs::CRS84),
            feature_count: Some(records),
            notes,
        };
        let sequence = Self {
            lines: Lines::open(path, read)?,
            decoder,
            record: 0,
            encoding,
        };
        Ok((sequence, info))
    }

    pub(crate) fn next(&mut self) -> Result<Option<Record>, Error> {
        let Some(slice) = self.lines.next()? else {
            return Ok(None);
        };
        self.record += 1;
        let window = &self.lines.window;
        let text = text(window.bytes(&slice), slice.at, self.encoding, window.path())?;
        Ok(Some(self.decoder.decode(&text, self.record, slice.at)))
    }
}

fn whole_or_cut(slice: &Slice, fault: &Fault, path: &Path) -> Result<(), Error> {
    if slice.ended || fault.reason.key() != "formats.json-ends-early" {
        return Ok(());
    }
    Err(Message::new("formats.json-truncated")
        .with("file", file_name(path))
        .with("position", slice.at + fault.at as u64)
        .into())
}

/// The records of a sequence as text; blank ones are passed over.
struct Lines {
    window: Window,
    delimiter: Option<u8>,
}

impl Lines {
    fn open(path: &Path, count: Arc<AtomicU64>) -> Result<Self, Error> {
        Ok(Self {
            window: Window::new(open_bytes(path, count)?, path),
            delimiter: None,
        })
    }

    fn next(&mut self) -> Result<Option<Slice>, Error> {
        let delimiter = match self.delimiter {
            Some(delimiter) => delimiter,
            None => {
                skip_bom(&mut self.window)?;
                let first = self.window.peek()?;
                let separated = first == Some(RECORD_SEPARATOR);
                *self
                    .delimiter
                    .insert(if separated { RECORD_SEPARATOR } else { b'\n' })
            }
        };
        while let Some(slice) = self.window.until(delimiter)? {
            if !self.window.bytes(&slice).trim_ascii().is_empty() {
                return Ok(Some(slice));
            }
        }
        Ok(None)
    }
}
