//! The dBASE III+ table beside the shapes: a header of 32-byte field descriptors, then rows of fixed width.

use std::io::Read;

use encoding_rs::Encoding;
use model::{Message, PropertyType, Value, is_date};

use super::encoding::decode;
use crate::Error;
use crate::error::file_name;
use crate::infer::{Kind, too_many};
use crate::input::Bytes;
use crate::limits::{MAX_PROPERTIES, shown};

/// One column.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    kind: u8,
    /// Where the field lies in a row, the deletion mark included.
    start: usize,
    length: usize,
    decimals: u8,
}

impl Field {
    /// `None`: the column is left out. `Some(None)`: only its values show whether it is integer, real or text.
    pub(super) fn property_type(&self) -> Option<Option<PropertyType>> {
        Some(Some(match self.kind {
            b'C' => PropertyType::Text,
            b'L' => PropertyType::Boolean,
            b'D' => PropertyType::Date,
            b'I' | b'+' if self.length == 4 => PropertyType::Integer,
            b'O' | b'B' if self.length == 8 => PropertyType::Real,
            // 18 digits always fit 64 bits.
            b'N' if self.decimals == 0 && self.length <= 18 => PropertyType::Integer,
            b'N' if self.decimals == 0 => return Some(None),
            b'N' | b'F' => PropertyType::Real,
            _ => return None,
        }))
    }
}

/// The rows of a table, in order.
pub(super) struct Table {
    bytes: Bytes,
    file: String,
    pub(super) fields: Vec<Field>,
    pub(super) rows: u32,
    /// Language driver id.
    pub(super) language: u8,
    given: u32,
    row: Vec<u8>,
}

impl Table {
    /// Reads the header of a table of `size` bytes.
    ///
    /// # Errors
    /// When the header is damaged or promises more rows than the file has bytes.
    pub(super) fn open(mut bytes: Bytes, size: u64, path: &std::path::Path) -> Result<Self, Error> {
        let file = file_name(path);
        let damaged = || Error::from(Message::new("formats.dbf-header").with("file", &file));
        let io = |e| Error::read(path, e);
        let mut head = [0; 32];
        bytes.read_exact(&mut head).map_err(io)?;
        let rows = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let header_size = usize::from(u16::from_le_bytes([head[8], head[9]]));
        let row_size = usize::from(u16::from_le_bytes([head[10], head[11]]));
        if header_size < 33 || row_size < 1 {
            return Err(damaged());
        }
        if header_size as u64 + u64::from(rows) * row_size as u64 > size {
            return Err(Message::new("formats.truncated").with("file", &file).into());
        }
        let mut rest = vec![0; header_size - 32];
        bytes.read_exact(&mut rest).map_err(io)?;
        let mut fields = Vec::new();
        let mut start = 1;
        for descriptor in rest.chunks_exact(32).take_while(|d| d[0] != 0x0D) {
            let name = descriptor[..11]
                .split(|b| *b == 0)
                .next()
                .unwrap_or_default();
            let field = Field {
                name: String::from_utf8_lossy(name).into(),
                kind: descriptor[11].to_ascii_uppercase(),
                start,
                length: usize::from(descriptor[16]),
                decimals: descriptor[17],
            };
            start += field.length;
            if start > row_size {
                return Err(damaged());
            }
            fields.push(field);
        }
        if fields.len() > MAX_PROPERTIES {
            return Err(too_many());
        }
        Ok(Self {
            bytes,
            file,
            fields,
            rows,
            language: head[29],
            given: 0,
            row: vec![0; row_size],
        })
    }

    /// The next row's bytes, deletion mark first; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        if self.given == self.rows {
            return Ok(None);
        }
        self.bytes
            .read_exact(&mut self.row)
            .map_err(|e| Error::read(std::path::Path::new(&self.file), e))?;
        self.given += 1;
        Ok(Some(&self.row))
    }
}

/// Whether a row is marked as deleted: its shape is then none of the layer either.
pub(super) fn is_deleted(row: &[u8]) -> bool {
    row.first() == Some(&b'*')
}

impl Field {
    fn bytes<'a>(&self, row: &'a [u8]) -> &'a [u8] {
        row.get(self.start..self.start + self.length)
            .unwrap_or_default()
    }

    /// The number's text; `None` when the field is empty or full of `*`, which stands for a number that had no room.
    fn number<'a>(&self, row: &'a [u8]) -> Option<&'a str> {
        let text = std::str::from_utf8(self.bytes(row)).unwrap_or("?");
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0');
        (!text.is_empty() && !text.starts_with('*')).then_some(text)
    }

    /// What a wide number could be.
    pub(super) fn number_kind(&self, row: &[u8]) -> Kind {
        match self.number(row) {
            None => Kind::Null,
            Some(text) => Kind::of_number(text).unwrap_or(Kind::Text),
        }
    }

    /// The value in a row, of the type that was chosen for the column.
    pub(super) fn value(
        &self,
        row: &[u8],
        kind: PropertyType,
        encoding: Option<&'static Encoding>,
    ) -> Result<Value, Message> {
        let bytes = self.bytes(row);
        if matches!(self.kind, b'I' | b'+' | b'O' | b'B') {
            return binary(bytes);
        }
        match kind {
            PropertyType::Integer => self.number(row).map_or(Ok(Value::Null), integer),
            PropertyType::Real => self.number(row).map_or(Ok(Value::Null), real),
            PropertyType::Boolean => match bytes.first() {
                Some(b'T' | b't' | b'Y' | b'y') => Ok(Value::Boolean(true)),
                Some(b'F' | b'f' | b'N' | b'n') => Ok(Value::Boolean(false)),
                None | Some(b'?' | b' ' | 0) => Ok(Value::Null),
                Some(_) => Err(unreadable(bytes)),
            },
            PropertyType::Date => date(bytes),
            PropertyType::Text | PropertyType::DateTime => {
                let end = bytes
                    .iter()
                    .rposition(|b| !matches!(b, b' ' | 0))
                    .map_or(0, |last| last + 1);
                if end == 0 {
                    return Ok(Value::Null);
                }
                decode(&bytes[..end], encoding)
                    .map(Value::Text)
                    .ok_or_else(|| Message::new("formats.value-not-utf8"))
            }
        }
    }
}

fn unreadable(bytes: &[u8]) -> Message {
    let text = String::from_utf8_lossy(bytes);
    Message::new("formats.value-unreadable").with("value", shown(text.trim()))
}

fn binary(bytes: &[u8]) -> Result<Value, Message> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Ok(Value::Integer(i64::from(i32::from_le_bytes(four))));
    }
    let eight = <[u8; 8]>::try_from(bytes).map_err(|_other_length| unreadable(bytes))?;
    let value = f64::from_le_bytes(eight);
    if !value.is_finite() {
        return Err(Message::new("formats.number-not-finite"));
    }
    Ok(Value::Real(value))
}

/// Some writers put `12.` or `12.000` into a column without decimals.
fn integer(text: &str) -> Result<Value, Message> {
    if let Ok(value) = text.parse() {
        return Ok(Value::Integer(value));
    }
    let whole = text
        .split_once('.')
        .filter(|(_, decimals)| decimals.bytes().all(|b| b == b'0'));
    match whole.and_then(|(whole, _)| whole.parse().ok()) {
        Some(value) => Ok(Value::Integer(value)),
        None => Err(unreadable(text.as_bytes())),
    }
}

/// Some writers follow their locale and put a comma.
fn real(text: &str) -> Result<Value, Message> {
    let dotted = text.replacen(',', ".", 1);
    match dotted.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Value::Real(value)),
        Ok(_) => Err(Message::new("formats.number-not-finite")),
        Err(_) => Err(unreadable(text.as_bytes())),
    }
}

/// `YYYYMMDD`; blanks and zeros stand for none.
fn date(bytes: &[u8]) -> Result<Value, Message> {
    if bytes.iter().all(|b| matches!(b, b' ' | b'0' | 0)) {
        return Ok(Value::Null);
    }
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
    let dashed = match (text.len(), text.is_ascii()) {
        (8, true) => format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]),
        _ => return Err(unreadable(bytes)),
    };
    if !is_date(&dashed) {
        return Err(unreadable(bytes));
    }
    Ok(Value::Text(dashed.into()))
}
