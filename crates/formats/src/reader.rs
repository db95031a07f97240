//! Reading a file of any format as a stream of features.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::Encoding;
use model::{Crs, GeometryType, Message, Schema, SourceFeature};

use crate::detect::detect;
use crate::error::file_name;
use crate::fgb::FgbReader;
use crate::geojson::{Document, Sequence};
use crate::limits::shown;
use crate::shp::ShapefileReader;
use crate::table::CsvReader;
use crate::{Error, Format, wkb};

/// Opens a file, recognises its format by content and extension, and reads it once to learn the types
/// where the format has no schema of its own (GeoJSON, sequences, CSV).
///
/// A Shapefile is given as its `.shp`, as a folder with one, or as a `.zip` with one.
///
/// # Errors
/// When the file cannot be read, is not what its format says, or is a GeoPackage ([`Error::GeoPackage`]: `store` reads it).
pub fn open(path: &Path, options: &ReadOptions) -> Result<Reader, Error> {
    let format = match options.format {
        Some(format) => format,
        None => detect(path)?,
    };
    let encoding = options.encoding.as_deref().map(encoding).transpose()?;
    let inferred = options.inferred.clone().unwrap_or_default();
    let read = Arc::<AtomicU64>::default();
    let mut total = size(path);
    let (source, mut info) = match format {
        Format::GeoJson | Format::JsonFg => {
            let (document, info) = Document::open(path, encoding, inferred, Arc::clone(&read))?;
            (Source::Document(document), info)
        }
        Format::GeoJsonSeq | Format::NdJson => {
            let (sequence, info) = Sequence::open(path, encoding, inferred, Arc::clone(&read))?;
            (Source::Sequence(sequence), info)
        }
        Format::FlatGeobuf => {
            let (reader, info) = FgbReader::open(path, inferred, Arc::clone(&read))?;
            (Source::FlatGeobuf(reader), info)
        }
        Format::Shapefile => {
            let read = Arc::clone(&read);
            let (reader, info, bytes) = ShapefileReader::open(path, encoding, inferred, read)?;
            total = bytes;
            (Source::Shapefile(reader), info)
        }
        Format::Csv => {
            let read = Arc::clone(&read);
            let (reader, info) = CsvReader::open(path, options, encoding, inferred, read)?;
            (Source::Csv(reader), info)
        }
        Format::GeoParquet => {
            return Err(Message::new("formats.not-readable")
                .with("file", file_name(path))
                .into());
        }
        Format::GeoPackage => {
            return Err(Error::GeoPackage(
                Message::new("formats.geopackage").with("file", file_name(path)),
            ));
        }
    };
    if info.layer_name.trim().is_empty() {
        info.layer_name = stem(path);
    }
    Ok(Reader {
        path: path.to_owned(),
        format,
        source,
        info,
        total,
        read,
        done: false,
    })
}

/// The file's name without its extensions.
fn stem(path: &Path) -> String {
    let name = file_name(path);
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if stem.is_empty() { name } else { stem }.to_owned()
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

/// By a WHATWG label. UTF-16 is none of them: records are found by their line ends.
fn encoding(label: &str) -> Result<&'static Encoding, Error> {
    Encoding::for_label(label.as_bytes())
        .filter(|e| e.is_ascii_compatible())
        .ok_or_else(|| {
            Message::new("formats.encoding-unknown")
                .with("encoding", shown(label))
                .into()
        })
}

/// What the caller knows beyond the file.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// `None` recognises it.
    pub format: Option<Format>,
    /// CRS of the coordinates in a CSV; the other formats have a place for it, so there the caller decides.
    pub crs: Option<Crs>,
    /// Column names of a CSV; `None` guesses by the usual names.
    pub lon: Option<String>,
    pub lat: Option<String>,
    pub x: Option<String>,
    pub y: Option<String>,
    pub wkt: Option<String>,
    /// Of a CSV; `None` recognises comma, semicolon and tab.
    pub delimiter: Option<char>,
    /// WHATWG name such as `windows-1251`, for CSV, GeoJSON and a `.dbf` that does not tell; `None`: UTF-8.
    pub encoding: Option<String>,
    /// Counts the bytes that the inference pass has read, for a progress bar while [`open`] works.
    pub inferred: Option<Arc<AtomicU64>>,
}

/// A file as a stream of [`Record`]s. After an `Err` the stream ends.
pub struct Reader {
    path: PathBuf,
    format: Format,
    source: Source,
    info: Info,
    total: u64,
    read: Arc<AtomicU64>,
    done: bool,
}

enum Source {
    Document(Document),
    Sequence(Sequence),
    FlatGeobuf(FgbReader),
    Shapefile(ShapefileReader),
    Csv(CsvReader),
}

/// What the geometries of a layer have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    pub(crate) kind: Option<GeometryType>,
    pub(crate) has_z: bool,
    pub(crate) has_m: bool,
}

impl Shape {
    /// Takes a sound geometry in.
    pub(crate) fn add(&mut self, wkb: &[u8]) {
        let Ok((kind, has_z, has_m)) = wkb::outer_type(wkb) else {
            return;
        };
        self.kind = Some(self.kind.map_or(kind, |k| k.union(kind)));
        self.has_z |= has_z;
        self.has_m |= has_m;
    }
}

/// What is known of a layer before its features are read.
#[derive(Debug, Clone)]
pub(crate) struct Info {
    pub(crate) layer_name: String,
    pub(crate) schema: Schema,
    pub(crate) geometry_type: GeometryType,
    pub(crate) has_z: bool,
    pub(crate) has_m: bool,
    pub(crate) crs: Option<Crs>,
    pub(crate) feature_count: Option<u64>,
    pub(crate) notes: Vec<Message>,
}

/// Holds the geometry of a binary format to what [`wkb::check`] asks, and rings to be rings.
pub(crate) fn checked(bytes: &[u8]) -> Result<wkb::Header, Message> {
    let header = wkb::check(bytes).map_err(|e| e.message().clone())?;
    if header.open_rings > 0 {
        return Err(Message::new("formats.ring-open"));
    }
    Ok(header)
}

/// One step of a reader.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    Feature(SourceFeature),
    Rejected(Rejection),
}

/// A record that could not be taken, while the rest of the file is read on.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejection {
    /// Position in the source, from 1.
    pub record: u64,
    /// The property at fault; `None` when it is the geometry or the whole record.
    pub field: Option<String>,
    pub reason: Message,
}

impl Reader {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// The name that the file gives its layer, else the file's name without extension.
    pub fn layer_name(&self) -> &str {
        &self.info.layer_name
    }

    /// The properties of the whole file. A property may be called `fid` or `geom`: names are the file's, and the store
    /// renames those that meet its own. Names differ from each other by more than case.
    pub fn schema(&self) -> &Schema {
        &self.info.schema
    }

    /// The narrowest type of all features where the file was read once, else what its header says.
    pub fn geometry_type(&self) -> GeometryType {
        self.info.geometry_type
    }

    pub fn has_z(&self) -> bool {
        self.info.has_z
    }

    pub fn has_m(&self) -> bool {
        self.info.has_m
    }

    /// `None`: the file does not say, or says it in a way that is not certain.
    pub fn crs(&self) -> Option<Crs> {
        self.info.crs
    }

    /// Whether the file names its coordinates longitude and latitude, whatever CRS the caller gave: the columns of a CSV.
    pub fn says_longitude_latitude(&self) -> bool {
        matches!(&self.source, Source::Csv(reader) if reader.is_geographic())
    }

    /// Records of the file, rejected ones included; `None` when only reading tells.
    pub fn feature_count(&self) -> Option<u64> {
        self.info.feature_count
    }

    /// Bytes that a whole pass reads (packed ones for a packed file).
    pub fn total_bytes(&self) -> u64 {
        self.total
    }

    /// Bytes read so far in the pass that gives features.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed).min(self.total)
    }

    /// What a person should know of the file: mixed types kept as text, columns renamed or left out.
    pub fn notes(&self) -> &[Message] {
        &self.info.notes
    }
}

impl Iterator for Reader {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let step = match &mut self.source {
            Source::Document(document) => document.next(),
            Source::Sequence(sequence) => sequence.next(),
            Source::FlatGeobuf(reader) => reader.next(),
            Source::Shapefile(reader) => reader.next(),
            Source::Csv(reader) => reader.next(),
        };
        self.done = !matches!(step, Ok(Some(_)));
        step.transpose()
    }
}
