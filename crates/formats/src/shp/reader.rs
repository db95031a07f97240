//! The stream of features: shapes and table rows side by side.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use encoding_rs::{Encoding, UTF_8};
use model::{Message, Property, PropertyType, Schema, SourceFeature, Value};

use super::dbf::{Field, Table, is_deleted};
use super::encoding::{from_cpg, from_language_driver};
use super::prj;
use super::shapes::{NO_DATA, ShapeType, read};
use super::source::{Part, Source};
use crate::Error;
use crate::error::file_name;
use crate::infer::{Seen, clean_names};
use crate::input::Bytes;
use crate::limits::{MAX_FEATURE_BYTES, shown};
use crate::reader::{Info, Record, Rejection, checked};
use crate::wkb::walk::Dims;

/// Reads a Shapefile from its first record on.
pub(crate) struct ShapefileReader {
    shapes: Shapes,
    table: Table,
    columns: Vec<(Field, PropertyType)>,
    encoding: Option<&'static Encoding>,
    dims: Dims,
    record: u64,
    wkb: Vec<u8>,
}

impl ShapefileReader {
    /// Reads the headers, and the whole table once when a column's type shows in its values only.
    pub(crate) fn open(
        path: &Path,
        encoding: Option<&'static Encoding>,
        inferred: Arc<AtomicU64>,
        read: Arc<AtomicU64>,
    ) -> Result<(Self, Info, u64), Error> {
        let source = Source::find(path)?;
        let mut notes = Vec::new();
        let shapes = Shapes::open(&source, Arc::clone(&read))?;
        if shapes.index.is_none() {
            notes.push(Message::new("formats.note-shx-missing").with("file", &source.name));
        }
        let table = open_table(&source, Arc::clone(&read))?;
        let columns = columns(&source, &table, inferred, &mut notes)?;
        let properties = columns
            .iter()
            .map(|(_, property)| property.clone())
            .collect();
        let encoding = encoding.or_else(|| table_encoding(&source, &table, &mut notes));
        let dims = Dims {
            z: shapes.shape.has_z(),
            m: shapes.has_m,
        };
        let crs = source.text(Part::Prj).and_then(|wkt| {
            let crs = prj::read(&wkt);
            if crs.is_none() {
                let name = wkt.split('"').nth(1).unwrap_or(&wkt);
                notes.push(Message::new("formats.note-crs-unreadable").with("crs", shown(name)));
            }
            crs
        });
        let info = Info {
            layer_name: source
                .name
                .rsplit_once('.')
                .map_or(source.name.clone(), |(stem, _)| stem.to_owned()),
            schema: Schema { properties },
            geometry_type: shapes.shape.kind,
            has_z: dims.z,
            has_m: dims.m,
            crs,
            feature_count: Some(u64::from(table.rows)),
            notes,
        };
        let total = [Part::Shp, Part::Shx, Part::Dbf]
            .map(|p| source.size(p))
            .iter()
            .sum();
        let reader = Self {
            shapes,
            columns: columns.into_iter().map(|(f, p)| (f, p.kind)).collect(),
            table,
            encoding,
            dims,
            record: 0,
            wkb: Vec::new(),
        };
        Ok((reader, info, total))
    }

    pub(crate) fn next(&mut self) -> Result<Option<Record>, Error> {
        let shape = self.shapes.shape;
        loop {
            let (content, row) = match (self.shapes.next()?, self.table.next()?) {
                (None, None) => return Ok(None),
                (Some(content), Some(row)) => (content, row),
                _ => {
                    return Err(Message::new("formats.shp-counts")
                        .with("file", file_name(&self.shapes.path))
                        .with("rows", self.table.rows)
                        .into());
                }
            };
            self.record += 1;
            if is_deleted(row) {
                continue;
            }
            let mut field = None;
            self.wkb.clear();
            let geometry =
                read(content, shape, self.dims, &mut self.wkb).and_then(|there| match there {
                    true => checked(&self.wkb).map(|_| Some(self.wkb.clone())),
                    false => Ok(None),
                });
            let result = geometry.and_then(|geometry| {
                let value = |(column, kind): &(Field, PropertyType)| {
                    column
                        .value(row, *kind, self.encoding)
                        .inspect_err(|_| field = Some(column.name.to_string()))
                };
                let properties: Vec<Value> =
                    self.columns.iter().map(value).collect::<Result<_, _>>()?;
                Ok((geometry, properties))
            });
            return Ok(Some(match result {
                Ok((geometry, properties)) => Record::Feature(SourceFeature {
                    record: self.record,
                    id: None,
                    geometry,
                    properties,
                }),
                Err(reason) => Record::Rejected(Rejection {
                    record: self.record,
                    field,
                    reason,
                }),
            }));
        }
    }
}

fn open_table(source: &Source, count: Arc<AtomicU64>) -> Result<Table, Error> {
    let bytes = source.open(Part::Dbf, count)?;
    Table::open(bytes, source.size(Part::Dbf), &source.path(Part::Dbf))
}

/// The columns that are kept, with names and types.
fn columns(
    source: &Source,
    table: &Table,
    inferred: Arc<AtomicU64>,
    notes: &mut Vec<Message>,
) -> Result<Vec<(Field, Property)>, Error> {
    let open: Vec<&Field> = table
        .fields
        .iter()
        .filter(|f| f.property_type() == Some(None))
        .collect();
    let mut seen = vec![Seen::default(); open.len()];
    if !open.is_empty() {
        let mut table = open_table(source, inferred)?;
        while let Some(row) = table.next()? {
            for (field, seen) in open.iter().zip(&mut seen) {
                seen.add(field.number_kind(row));
            }
        }
    }
    let mut wide = open.iter().zip(seen).map(|(field, seen)| {
        notes.extend(seen.note(&field.name));
        match seen == Seen::default() {
            // Without values it is still a number to whoever made the table.
            true => PropertyType::Integer,
            false => seen.property_type(),
        }
    });
    let mut kinds = Vec::new();
    for field in &table.fields {
        kinds.push(match field.property_type() {
            Some(Some(kind)) => Some(kind),
            Some(None) => wide.next(),
            None => None,
        });
    }
    drop(wide);
    let names: Vec<_> = table.fields.iter().map(|f| f.name.clone()).collect();
    let (clean, renamed) = clean_names(&names);
    notes.extend(renamed);
    let mut columns = Vec::new();
    for ((field, name), kind) in table.fields.iter().zip(clean).zip(kinds) {
        match kind {
            Some(kind) => columns.push((field.clone(), Property::new(name, kind))),
            None => {
                let note = Message::new("formats.note-column-left-out");
                notes.push(note.with("name", shown(&name)));
            }
        }
    }
    Ok(columns)
}

/// By `.cpg`, then by the table's language driver; `None` asks for UTF-8, and a value that is not is rejected.
fn table_encoding(
    source: &Source,
    table: &Table,
    notes: &mut Vec<Message>,
) -> Option<&'static Encoding> {
    if let Some(text) = source.text(Part::Cpg) {
        let found = from_cpg(&text);
        if found.is_none() {
            let note = Message::new("formats.note-encoding-unknown");
            notes.push(note.with("encoding", shown(text.trim())));
        }
        return found;
    }
    from_language_driver(table.language).filter(|e| *e != UTF_8)
}

/// The records of a `.shp`, by its index where there is one.
struct Shapes {
    bytes: Bytes,
    index: Option<Bytes>,
    path: PathBuf,
    pub(super) shape: ShapeType,
    pub(super) has_m: bool,
    /// Bytes of the main file as its header tells, and read so far.
    length: u64,
    at: u64,
    record: u64,
    content: Vec<u8>,
}

const HEADER: u64 = 100;

impl Shapes {
    fn open(source: &Source, count: Arc<AtomicU64>) -> Result<Self, Error> {
        let path = source.path(Part::Shp);
        let mut bytes = source.open(Part::Shp, Arc::clone(&count))?;
        let head = header(&mut bytes, &path)?;
        let length = 2 * u64::from(u32::from_be_bytes([head[24], head[25], head[26], head[27]]));
        if length < HEADER || length > source.size(Part::Shp) {
            return Err(Message::new("formats.truncated")
                .with("file", file_name(&path))
                .into());
        }
        let shape = ShapeType::new(i32::from_le_bytes([head[32], head[33], head[34], head[35]]))
            .map_err(|reason| reason.with("file", file_name(&path)))?;
        let m = [84, 92].map(|at| {
            head[at..]
                .first_chunk()
                .map_or(0.0, |eight| f64::from_le_bytes(*eight))
        });
        let used = m != [0.0, 0.0] && m.iter().all(|m| m.is_finite() && *m > NO_DATA);
        let index = if source.has(Part::Shx) {
            let mut index = source.open(Part::Shx, count)?;
            header(&mut index, &source.path(Part::Shx))?;
            Some(index)
        } else {
            None
        };
        Ok(Self {
            bytes,
            index,
            path,
            shape,
            has_m: shape.needs_m() || (shape.has_z() && used),
            length,
            at: HEADER,
            record: 0,
            content: Vec::new(),
        })
    }

    fn broken(&self, key: &'static str) -> Error {
        Message::new(key)
            .with("file", file_name(&self.path))
            .with("record", self.record + 1)
            .with("position", self.at)
            .into()
    }

    /// The content of the next record; `None` at the end.
    fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        if let Some(index) = &mut self.index {
            let mut entry = [0; 8];
            if read_whole(index, &mut entry).map_err(|e| Error::read(&self.path, e))? == 0 {
                return Ok(None);
            }
            let [a, b, c, d, ..] = entry;
            let wanted = 2 * u64::from(u32::from_be_bytes([a, b, c, d]));
            let gap = wanted
                .checked_sub(self.at)
                .ok_or_else(|| self.broken("formats.shp-order"))?;
            // Some programs leave room where a shape was rewritten elsewhere.
            let passed = std::io::copy(&mut (&mut self.bytes).take(gap), &mut std::io::sink())
                .map_err(|e| Error::read(&self.path, e))?;
            self.at += passed;
        }
        if self.at + 8 > self.length {
            // Without an index the end of the file is the end of the shapes.
            if self.at == self.length && self.index.is_none() {
                return Ok(None);
            }
            return Err(self.broken("formats.shp-truncated"));
        }
        let mut head = [0; 8];
        let io = |e| Error::read(&self.path, e);
        self.bytes.read_exact(&mut head).map_err(io)?;
        let [_, _, _, _, a, b, c, d] = head;
        let size = 2 * u64::from(u32::from_be_bytes([a, b, c, d]));
        if self.at + 8 + size > self.length {
            return Err(self.broken("formats.shp-truncated"));
        }
        if size > MAX_FEATURE_BYTES as u64 {
            return Err(self.broken("formats.feature-too-large-in-file"));
        }
        self.content.resize(size as usize, 0);
        let io = |e| Error::read(&self.path, e);
        self.bytes.read_exact(&mut self.content).map_err(io)?;
        self.at += 8 + size;
        self.record += 1;
        Ok(Some(&self.content))
    }
}

/// The 100 bytes that begin a `.shp` and a `.shx`.
fn header(bytes: &mut Bytes, path: &Path) -> Result<[u8; HEADER as usize], Error> {
    let mut head = [0; HEADER as usize];
    bytes
        .read_exact(&mut head)
        .map_err(|e| Error::read(path, e))?;
    if head[..4] != 9994_u32.to_be_bytes() || head[28..32] != 1000_u32.to_le_bytes() {
        return Err(Message::new("formats.shp-header")
            .with("file", file_name(path))
            .into());
    }
    Ok(head)
}

/// Fills the buffer, or gives 0 at a clean end.
fn read_whole(bytes: &mut Bytes, buf: &mut [u8]) -> std::io::Result<usize> {
    let first = loop {
        match bytes.read(buf) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    if first > 0 {
        bytes.read_exact(&mut buf[first..])?;
    }
    Ok(first)
}
