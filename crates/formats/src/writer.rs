//! Writing features to a file.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use model::{Crs, Feature, FeatureId, GeometryType, Message, Schema};
use tempfile::NamedTempFile;

use crate::error::file_name;
use crate::fgb::FgbWriter;
use crate::table::{write_header, write_row};
use crate::{Error, Format, geojson};

/// What the file is told before its features.
#[derive(Debug, Clone, Copy)]
pub struct WriteOptions<'a> {
    pub format: Format,
    pub schema: &'a Schema,
    pub layer_name: &'a str,
    /// In FlatGeobuf a single part in a layer of multi parts becomes a multi part of one.
    pub geometry_type: GeometryType,
    pub has_z: bool,
    pub has_m: bool,
    /// CRS of the geometries to come. GeoJSON and its sequences are always longitude/latitude (RFC 7946 §4): the
    /// caller converts. CSV has no place to tell it.
    pub crs: Crs,
    /// RFC 8142 record separators instead of plain lines, for [`Format::GeoJsonSeq`].
    pub record_separators: bool,
    /// A byte order mark, without which spreadsheets take CSV for a Windows code page.
    pub byte_order_mark: bool,
    /// A first column for the id, in CSV and FlatGeobuf; `None` when a property of the schema holds it.
    pub id_column: Option<&'a str>,
}

/// Writes to a temporary file beside the target; [`Writer::finish`] puts it in place, anything else leaves nothing.
pub struct Writer {
    path: PathBuf,
    out: BufWriter<NamedTempFile>,
    schema: Schema,
    kind: Kind,
    has_id_column: bool,
    count: u64,
    buf: Vec<u8>,
}

enum Kind {
    Collection,
    Sequence { separators: bool },
    FlatGeobuf(Box<FgbWriter>),
    Csv,
}

impl Writer {
    /// # Errors
    /// When the folder cannot be written, the format is not one that is written (Shapefile cannot hold long names and
    /// texts, GeoPackage is written by SQL), or GeoJSON is asked for in another CRS than longitude/latitude.
    pub fn create(path: &Path, options: &WriteOptions<'_>) -> Result<Self, Error> {
        let io = |e| Error::write(path, e);
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let json = matches!(options.format, Format::GeoJson | Format::GeoJsonSeq);
        if json && !options.crs.is_wgs84() {
            return Err(Message::new("formats.geojson-crs")
                .with("crs", options.crs)
                .into());
        }
        let mut buf = Vec::new();
        let kind = match options.format {
            Format::GeoJson => {
                buf.extend_from_slice(br#"{"type":"FeatureCollection","name":"#);
                geojson::write_string(&mut buf, options.layer_name);
                buf.extend_from_slice(br#","features":["#);
                Kind::Collection
            }
            Format::GeoJsonSeq => Kind::Sequence {
                separators: options.record_separators,
            },
            Format::FlatGeobuf => {
                Kind::FlatGeobuf(Box::new(FgbWriter::create(folder, options).map_err(io)?))
            }
            Format::Csv => {
                if options.byte_order_mark {
                    buf.extend_from_slice("\u{FEFF}".as_bytes());
                }
                write_header(&mut buf, options.schema, options.id_column);
                Kind::Csv
            }
            Format::Shapefile | Format::GeoPackage => {
                return Err(Message::new("formats.not-writable")
                    .with("file", file_name(path))
                    .into());
            }
        };
        let mut out = BufWriter::with_capacity(256 << 10, temporary(folder).map_err(io)?);
        out.write_all(&buf).map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            out,
            schema: options.schema.clone(),
            kind,
            has_id_column: options.id_column.is_some(),
            count: 0,
            buf,
        })
    }

    /// Writes one feature, whose values are in the schema's order.
    ///
    /// # Errors
    /// When the geometry is damaged or has Z or M that the layer was not told of, or the disk refuses.
    pub fn write(&mut self, id: &FeatureId, feature: &Feature) -> Result<(), Error> {
        self.buf.clear();
        let buf = &mut self.buf;
        let (geometry, values) = (feature.geometry.as_deref(), &feature.properties);
        match &mut self.kind {
            Kind::FlatGeobuf(writer) => writer.write(id, feature, &self.path)?,
            Kind::Csv => {
                let id = self.has_id_column.then_some(id);
                write_row(buf, &self.schema, id, feature)?;
            }
            Kind::Collection => {
                buf.extend_from_slice(if self.count > 0 { b",\n" } else { b"\n" });
                geojson::write_feature(buf, id, geometry, &self.schema, values)?;
            }
            Kind::Sequence { separators } => {
                if *separators {
                    buf.push(0x1E);
                }
                geojson::write_feature(buf, id, geometry, &self.schema, values)?;
                buf.push(b'\n');
            }
        }
        self.count += 1;
        self.out
            .write_all(&self.buf)
            .map_err(|e| Error::write(&self.path, e))
    }

    /// Completes the file, syncs it and renames it over the target, which may exist.
    ///
    /// # Errors
    /// When the disk refuses; the target is then as it was.
    pub fn finish(self) -> Result<(), Error> {
        let Self {
            path,
            mut out,
            kind,
            ..
        } = self;
        let io = |e| Error::write(&path, e);
        match kind {
            Kind::Collection => out.write_all(b"\n]}\n").map_err(io)?,
            Kind::FlatGeobuf(writer) => writer.finish(&mut out).map_err(io)?,
            Kind::Sequence { .. } | Kind::Csv => {}
        }
        let file = out.into_inner().map_err(|e| io(e.into_error()))?;
        // Who might read the old file may read the new one.
        if let Ok(old) = std::fs::metadata(&path) {
            file.as_file()
                .set_permissions(old.permissions())
                .map_err(io)?;
        }
        file.as_file().sync_all().map_err(io)?;
        let kept = file.persist(&path).map_err(|e| io(e.error))?;
        drop(kept);
        // The new name is on disk only when the folder is.
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        std::fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io)
    }
}

/// A file that is gone when it is dropped, readable like any file that a person makes.
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new()
        .prefix(".hromada-")
        .suffix(".part")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
}
