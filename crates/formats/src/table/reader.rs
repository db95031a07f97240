//! The stream of features of a table.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use encoding_rs::Encoding;
use model::{Crs, GeometryType, Message, Property, PropertyType, Schema, SourceFeature};

use super::cell::{Style, unguarded};
use super::columns::Place;
use super::split::{Row, Rows, sniff};
use super::wkt;
use crate::error::file_name;
use crate::geojson::skip_bom;
use crate::infer::{Seen, clean_names, too_many};
use crate::input::{Window, open_bytes};
use crate::limits::{MAX_PROPERTIES, shown};
use crate::reader::{Info, Record, Rejection, Shape, checked};
use crate::wkb::Builder;
use crate::wkb::walk::Dims;
use crate::{Error, ReadOptions};

/// Reads a table from its first row after the header on.
pub(crate) struct CsvReader {
    rows: Rows,
    row: Row,
    layout: Layout,
    /// Column and type of each property.
    columns: Vec<(usize, PropertyType)>,
    record: u64,
    wkb: Vec<u8>,
}

/// How the table is laid out.
struct Layout {
    header: Vec<String>,
    place: Place,
    style: Style,
    encoding: Option<&'static Encoding>,
}

impl CsvReader {
    /// Reads the whole table once for types, then stands at its first row again.
    pub(crate) fn open(
        path: &Path,
        options: &ReadOptions,
        encoding: Option<&'static Encoding>,
        inferred: Arc<AtomicU64>,
        read: Arc<AtomicU64>,
    ) -> Result<(Self, Info), Error> {
        let (mut rows, layout) = start(path, options, encoding, inferred)?;
        let mut found = Found::new(layout.header.len());
        let mut row = Row::default();
        while rows.next(&mut row)? {
            found.records += 1;
            found.observe(&row, &layout, path)?;
        }
        let (clean, mut notes) = {
            let names: Vec<Box<str>> = layout.header.iter().map(|h| h.as_str().into()).collect();
            clean_names(&names)
        };
        let mut columns = Vec::new();
        let mut properties = Vec::new();
        for (i, (name, seen)) in clean.into_iter().zip(&found.seen).enumerate() {
            if layout.place.holds(i) {
                continue;
            }
            notes.extend(seen.note(&name));
            columns.push((i, seen.property_type()));
            properties.push(Property::new(name, seen.property_type()));
        }
        if properties.len() > MAX_PROPERTIES {
            return Err(too_many());
        }
        let crs = found.crs(layout.place, options, &mut notes);
        let info = Info {
            layer_name: String::new(),
            schema: Schema { properties },
            geometry_type: match layout.place {
                Place::Xy { .. } => GeometryType::Point,
                _ => found.shape.kind.unwrap_or(GeometryType::Geometry),
            },
            has_z: found.shape.has_z,
            has_m: found.shape.has_m,
            crs,
            feature_count: Some(found.records),
            notes,
        };
        let (rows, layout) = start(path, options, encoding, read)?;
        let reader = Self {
            rows,
            row,
            layout,
            columns,
            record: 0,
            wkb: Vec::new(),
        };
        Ok((reader, info))
    }

    /// Whether the columns of the coordinates are said to be longitude and latitude.
    pub(crate) fn is_geographic(&self) -> bool {
        matches!(self.layout.place, Place::Xy { geographic, .. } if geographic)
    }

    pub(crate) fn next(&mut self) -> Result<Option<Record>, Error> {
        if !self.rows.next(&mut self.row)? {
            return Ok(None);
        }
        self.record += 1;
        let path = self.rows.window().path().to_owned();
        Ok(Some(match self.feature(&path)? {
            Ok(feature) => Record::Feature(feature),
            Err(rejection) => Record::Rejected(rejection),
        }))
    }

    fn feature(&mut self, path: &Path) -> Result<Result<SourceFeature, Rejection>, Error> {
        let (row, layout, record) = (&self.row, &self.layout, self.record);
        let rejected = |field: Option<&str>, reason: Message| {
            Ok(Err(Rejection {
                record,
                field: field.map(str::to_owned),
                reason: reason.with("line", row.line),
            }))
        };
        if row.count != layout.header.len() {
            return rejected(None, layout.wrong_count(row));
        }
        let geometry = match layout.geometry(row, &mut self.wkb, path)? {
            Ok(_) => (!self.wkb.is_empty()).then(|| self.wkb.clone()),
            Err((field, reason)) => return rejected(field, reason),
        };
        let mut properties = Vec::with_capacity(self.columns.len());
        for &(column, kind) in &self.columns {
            let text = layout.text(row, column, path)?;
            match layout.style.value(kind, &text) {
                Some(value) => properties.push(value),
                None => {
                    let field = Some(layout.header[column].as_str());
                    return rejected(field, Message::new("formats.file-changed"));
                }
            }
        }
        Ok(Ok(SourceFeature {
            record,
            id: None,
            geometry,
            properties,
        }))
    }
}

/// Opens the table and reads its header.
fn start(
    path: &Path,
    options: &ReadOptions,
    encoding: Option<&'static Encoding>,
    count: Arc<AtomicU64>,
) -> Result<(Rows, Layout), Error> {
    let mut window = Window::new(open_bytes(path, count)?, path);
    skip_bom(&mut window)?;
    let given = match options.delimiter {
        Some(c) => Some(delimiter(c)?),
        None => None,
    };
    // Spreadsheets tell their delimiter in a line of its own, such as `sep=;`.
    let told = match window.start(5)? {
        [b's', b'e', b'p', b'=', told] if told.is_ascii_punctuation() || *told == b'\t' => {
            Some(*told)
        }
        _ => None,
    };
    if told.is_some() {
        window.advance(5);
    }
    let sniffed = sniff(window.start(64 << 10)?);
    let delimiter = given.or(told).unwrap_or(sniffed);
    let mut rows = Rows::new(window, delimiter);
    let mut row = Row::default();
    if !rows.next(&mut row)? {
        return Err(Message::new("formats.empty-file")
            .with("file", file_name(path))
            .into());
    }
    // Two geometry columns at most come on top.
    if row.count > MAX_PROPERTIES + 2 {
        return Err(too_many());
    }
    let mut layout = Layout {
        header: Vec::new(),
        place: Place::None,
        style: Style {
            decimal_comma: delimiter == b';',
        },
        encoding,
    };
    for i in 0..row.count {
        let name = layout.text(&row, i, path)?;
        layout.header.push(unguarded(&name).to_owned());
    }
    layout.place = Place::find(&layout.header, options, path)?;
    Ok((rows, layout))
}

fn delimiter(c: char) -> Result<u8, Error> {
    u8::try_from(c)
        .ok()
        .filter(|b| b.is_ascii() && !matches!(b, b'"' | b'\n' | b'\r'))
        .ok_or_else(|| {
            Message::new("formats.csv-delimiter")
                .with("delimiter", c)
                .into()
        })
}

type Fault<'a> = (Option<&'a str>, Message);

impl Layout {
    /// A cell as text.
    ///
    /// # Errors
    /// When it is not UTF-8 and no other encoding was named.
    fn text<'a>(&self, row: &'a Row, column: usize, path: &Path) -> Result<Cow<'a, str>, Error> {
        let bytes = row.field(column);
        if let Some(encoding) = self.encoding {
            return Ok(encoding.decode_without_bom_handling(bytes).0);
        }
        std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|_not_utf8| {
                Message::new("formats.csv-not-utf8")
                    .with("file", file_name(path))
                    .with("line", row.line)
                    .into()
            })
    }

    fn wrong_count(&self, row: &Row) -> Message {
        Message::new("formats.csv-field-count")
            .with("expected", self.header.len())
            .with("found", row.count)
    }

    /// Puts the row's geometry into `wkb`, nothing where it has none; gives the SRID that a text names.
    fn geometry<'a>(
        &'a self,
        row: &Row,
        wkb: &mut Vec<u8>,
        path: &Path,
    ) -> Result<Result<Option<u32>, Fault<'a>>, Error> {
        let name = |column: usize| Some(self.header[column].as_str());
        wkb.clear();
        match self.place {
            Place::None => Ok(Ok(None)),
            Place::Text(column) => {
                let text = self.text(row, column, path)?;
                // As an export writes a feature without geometry.
                if text.trim().is_empty() {
                    return Ok(Ok(None));
                }
                let srid = wkt::read(&text, wkb).and_then(|srid| checked(wkb).map(|_| srid));
                Ok(srid.map_err(|reason| (name(column), reason)))
            }
            Place::Xy { x, y, .. } => {
                let mut position = [0.0; 2];
                let texts = [self.text(row, x, path)?, self.text(row, y, path)?];
                if texts.iter().all(|t| t.trim().is_empty()) {
                    return Ok(Err((None, Message::new("formats.no-coordinates"))));
                }
                for ((text, column), number) in texts.iter().zip([x, y]).zip(&mut position) {
                    let Some(value) = self.style.coordinate(text) else {
                        let reason = Message::new("formats.coordinate-unreadable");
                        return Ok(Err((name(column), reason.with("value", shown(text)))));
                    };
                    *number = value;
                }
                let mut b = Builder::new(wkb);
                b.header(GeometryType::Point, Dims::default());
                b.number(position[0]);
                b.number(position[1]);
                Ok(Ok(None))
            }
        }
    }
}

/// What the first pass finds.
struct Found {
    seen: Vec<Seen>,
    shape: Shape,
    /// SRIDs of the geometries; rows without one count as `None`.
    srid: Option<Option<u32>>,
    srids_differ: bool,
    records: u64,
    wkb: Vec<u8>,
}

impl Found {
    fn new(columns: usize) -> Self {
        Self {
            seen: vec![Seen::default(); columns],
            shape: Shape::default(),
            srid: None,
            srids_differ: false,
            records: 0,
            wkb: Vec::new(),
        }
    }

    /// Looks at a row; one that the second pass rejects teaches nothing.
    fn observe(&mut self, row: &Row, layout: &Layout, path: &Path) -> Result<(), Error> {
        if row.count != layout.header.len() {
            return Ok(());
        }
        let Ok(srid) = layout.geometry(row, &mut self.wkb, path)? else {
            return Ok(());
        };
        if !self.wkb.is_empty() {
            self.shape.add(&self.wkb);
            let known = *self.srid.get_or_insert(srid);
            self.srids_differ |= known != srid;
        }
        for (i, seen) in self.seen.iter_mut().enumerate() {
            if !layout.place.holds(i) {
                seen.add(layout.style.kind(&layout.text(row, i, path)?));
            }
        }
        Ok(())
    }

    /// What the caller says, else what the texts or the column names say.
    fn crs(&self, place: Place, options: &ReadOptions, notes: &mut Vec<Message>) -> Option<Crs> {
        if options.crs.is_some() {
            return options.crs;
        }
        if self.srids_differ {
            notes.push(Message::new("formats.note-srids-differ"));
            return None;
        }
        match place {
            Place::Xy { geographic, .. } => geographic.then_some(Crs::CRS84),
            _ => self.srid.flatten().filter(|code| *code > 0).map(Crs::epsg),
        }
    }
}
