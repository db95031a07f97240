//! A GeoJSON document: a `FeatureCollection` as a stream, or one Feature or geometry.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use encoding_rs::Encoding;
use model::{Crs, Message};

use super::decode::{Decoder, Inference, layer_type, text};
use super::geometry::from_type_name;
use super::json::{Json, Raw};
use crate::Error;
use crate::error::file_name;
use crate::input::{Slice, Window, open_bytes};
use crate::limits::{MAX_SIDE_BYTES, shown};
use crate::reader::{Info, Record};

/// The features of a document, second pass.
pub(crate) struct Document {
    scan: Scan,
    decoder: Decoder,
    single: bool,
    record: u64,
    encoding: Option<&'static Encoding>,
}

impl Document {
    /// Reads the whole file once for types, `crs` and faults of structure, then stands at its start again.
    pub(crate) fn open(
        path: &Path,
        encoding: Option<&'static Encoding>,
        inferred: Arc<AtomicU64>,
        read: Arc<AtomicU64>,
    ) -> Result<(Self, Info), Error> {
        let mut scan = Scan::open(path, inferred)?;
        let mut inference = Inference::default();
        while let Some(slice) = scan.next()? {
            let text = text(scan.window.bytes(&slice), slice.at, encoding, path)?;
            // A fault is told again, and counted, in the second pass.
            let _fault = inference.observe(&text)?;
        }
        let top = std::mem::take(&mut scan.top);
        let single = top.is_single(path)?;
        if single {
            let mut window = Window::new(open_bytes(path, Arc::default())?, path);
            skip_bom(&mut window)?;
            let slice = whole(&mut window)?;
            let text = text(window.bytes(&slice), slice.at, encoding, path)?;
            let _fault = inference.observe(&text)?;
        }
        let (crs, crs_note) = top.crs();
        let records = inference.records;
        let shape = std::mem::take(&mut inference.shape);
        let (decoder, schema, mut notes) = inference.finish();
        notes.extend(crs_note);
        let info = Info {
            layer_name: top.name.unwrap_or_default(),
            schema,
            geometry_type: layer_type(&shape),
            has_z: shape.has_z,
            has_m: false,
            crs,
            feature_count: Some(records),
            notes,
        };
        let document = Self {
            scan: Scan::open(path, read)?,
            decoder,
            single,
            record: 0,
            encoding,
        };
        Ok((document, info))
    }

    pub(crate) fn next(&mut self) -> Result<Option<Record>, Error> {
        let slice = if self.single {
            if self.record > 0 {
                return Ok(None);
            }
            skip_bom(&mut self.scan.window)?;
            Some(whole(&mut self.scan.window)?)
        } else {
            self.scan.next()?
        };
        let Some(slice) = slice else { return Ok(None) };
        self.record += 1;
        let window = &self.scan.window;
        let text = text(window.bytes(&slice), slice.at, self.encoding, window.path())?;
        Ok(Some(self.decoder.decode(&text, self.record, slice.at)))
    }
}

fn whole(window: &mut Window) -> Result<Slice, Error> {
    window.peek()?;
    window.value()
}

/// Passes a UTF-8 byte order mark (RFC 8259 §8.1 lets readers) and turns other encodings away.
pub(crate) fn skip_bom(window: &mut Window) -> Result<(), Error> {
    let start = window.start(4)?;
    let utf16 = matches!(
        start,
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, ..] | [_, 0, ..]
    );
    if utf16 {
        return Err(Message::new("formats.utf16")
            .with("file", file_name(window.path()))
            .into());
    }
    if start.starts_with(b"\xEF\xBB\xBF") {
        window.advance(3);
    }
    Ok(())
}

/// What a document says beside its features.
#[derive(Default)]
struct Top {
    kind: Option<String>,
    name: Option<String>,
    crs: CrsMember,
    has_features: bool,
    /// Members that only Esri's JSON has.
    esri: bool,
}

#[derive(Default)]
enum CrsMember {
    #[default]
    Absent,
    /// `null`: nothing may be assumed (the 2008 format's meaning).
    Null,
    Name(String),
    /// A linked CRS or another thing without a name.
    Unreadable,
}

impl Top {
    /// Whether the document is one Feature or geometry.
    ///
    /// # Errors
    /// When it is neither that nor a `FeatureCollection`.
    fn is_single(&self, path: &Path) -> Result<bool, Error> {
        let file = || file_name(path);
        let error = match self.kind.as_deref() {
            Some("FeatureCollection") if self.has_features => return Ok(false),
            Some("FeatureCollection") => Message::new("formats.features-missing"),
            Some(name) if name == "Feature" || from_type_name(name).is_some() => {
                if !self.has_features {
                    return Ok(true);
                }
                Message::new("formats.not-geojson")
            }
            Some("Topology") => Message::new("formats.topojson"),
            _ if self.esri => Message::new("formats.esri-json"),
            _ => Message::new("formats.not-geojson"),
        };
        Err(error.with("file", file()).into())
    }

    /// RFC 7946 §4: without a `crs` member coordinates are WGS 84, longitude first. Files of the 2008 format name
    /// another one; whatever the authority's axis order, their coordinates are x first.
    fn crs(&self) -> (Option<Crs>, Option<Message>) {
        let unreadable = |name: &str| {
            let note = Message::new("formats.note-crs-unreadable").with("crs", shown(name));
            (None, Some(note))
        };
        match &self.crs {
            CrsMember::Absent => (Some(Crs::CRS84), None),
            CrsMember::Null => (None, None),
            CrsMember::Name(name) => match Crs::parse(name) {
                Ok(crs) => (Some(crs), None),
                Err(_) => unreadable(name),
            },
            CrsMember::Unreadable => unreadable("crs"),
        }
    }
}

/// Steps through a document, giving the elements of `features` and remembering the rest.
struct Scan {
    window: Window,
    stage: Stage,
    top: Top,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Start,
    /// Before the first member, or after one.
    Members {
        first: bool,
    },
    Features {
        first: bool,
    },
    Done,
}

impl Scan {
    fn open(path: &Path, count: Arc<AtomicU64>) -> Result<Self, Error> {
        Ok(Self {
            window: Window::new(open_bytes(path, count)?, path),
            stage: Stage::Start,
            top: Top::default(),
        })
    }

    /// The next element of `features`, in any order of members; `None` at the end of a sound document.
    fn next(&mut self) -> Result<Option<Slice>, Error> {
        loop {
            match self.stage {
                Stage::Start => {
                    skip_bom(&mut self.window)?;
                    match self.window.peek()? {
                        Some(b'{') => self.window.advance(1),
                        _ => return Err(self.window.broken("formats.not-geojson", 0)),
                    }
                    self.stage = Stage::Members { first: true };
                }
                Stage::Members { first } => self.member(first)?,
                Stage::Features { first } => {
                    match self.peek()? {
                        b']' => {
                            self.window.advance(1);
                            self.stage = Stage::Members { first: false };
                            continue;
                        }
                        b',' if !first => self.window.advance(1),
                        _ if first => {}
                        _ => return Err(self.window.broken("formats.json-broken", 0)),
                    }
                    self.stage = Stage::Features { first: false };
                    if matches!(self.peek()?, b',' | b']' | b'}' | b':') {
                        return Err(self.window.broken("formats.json-broken", 0));
                    }
                    return self.window.value().map(Some);
                }
                Stage::Done => return Ok(None),
            }
        }
    }

    fn peek(&mut self) -> Result<u8, Error> {
        match self.window.peek()? {
            Some(byte) => Ok(byte),
            None => Err(self.window.broken("formats.json-truncated", 0)),
        }
    }

    fn member(&mut self, first: bool) -> Result<(), Error> {
        match self.peek()? {
            b'}' => {
                self.window.advance(1);
                if self.window.peek()?.is_some() {
                    return Err(self.window.broken("formats.json-trailing", 0));
                }
                self.stage = Stage::Done;
                return Ok(());
            }
            b',' if !first => self.window.advance(1),
            b'"' if first => {}
            _ => return Err(self.window.broken("formats.json-broken", 0)),
        }
        self.stage = Stage::Members { first: false };
        if self.peek()? != b'"' {
            return Err(self.window.broken("formats.json-broken", 0));
        }
        let name = self.side_value()?;
        let Some(Raw::String(name)) = parsed(&name) else {
            return Err(self.window.broken("formats.json-broken", 0));
        };
        if self.peek()? != b':' {
            return Err(self.window.broken("formats.json-broken", 0));
        }
        self.window.advance(1);
        let next = self.peek()?;
        match &*name {
            "features" if next == b'[' => {
                if self.top.has_features {
                    return Err(self.window.broken("formats.features-twice", 0));
                }
                self.window.advance(1);
                self.top.has_features = true;
                self.stage = Stage::Features { first: true };
            }
            "type" if next == b'"' => {
                let value = self.side_value()?;
                if let Some(Raw::String(kind)) = parsed(&value) {
                    self.top.kind = Some(kind.into_owned());
                }
            }
            "name" if next == b'"' => {
                let value = self.side_value()?;
                if let Some(Raw::String(name)) = parsed(&value) {
                    self.top.name = Some(name.into_owned());
                }
            }
            "crs" => {
                let value = self.side_value()?;
                self.top.crs = read_crs(&value);
            }
            other => {
                self.top.esri |= matches!(other, "geometryType" | "spatialReference");
                if matches!(next, b',' | b']' | b'}' | b':') {
                    return Err(self.window.broken("formats.json-broken", 0));
                }
                self.window.pass_value()?;
            }
        }
        Ok(())
    }

    /// A short value that is kept.
    fn side_value(&mut self) -> Result<String, Error> {
        let slice = self.window.value()?;
        let bytes = self.window.bytes(&slice);
        if bytes.len() > MAX_SIDE_BYTES {
            return Err(self.window.broken("formats.json-broken", 0));
        }
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

fn parsed(text: &str) -> Option<Raw<'_>> {
    let mut json = Json::new(text);
    let value = json.value().ok()?;
    json.finish().is_ok().then_some(value)
}

/// `{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::6382"}}` (the 2008 format, §3.1).
fn read_crs(text: &str) -> CrsMember {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else {
        return CrsMember::Unreadable;
    };
    if value.is_null() {
        return CrsMember::Null;
    }
    match value.pointer("/properties/name").and_then(|n| n.as_str()) {
        Some(name) => CrsMember::Name(name.to_owned()),
        None => CrsMember::Unreadable,
    }
}
