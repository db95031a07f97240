//! Writing features to a file.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use model::{Crs, Feature, FeatureId, GeometryType, Message, Schema};
use tempfile::NamedTempFile;

use crate::error::file_name;
use crate::fgb::FgbWriter;
use crate::{Error, Format, Stream, StreamOptions, geojson};

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
    /// A first column for the id, in CSV, FlatGeobuf and GeoParquet; `None` when a property of the schema holds it.
    pub id_column: Option<&'a str>,
}

impl<'a> From<&WriteOptions<'a>> for StreamOptions<'a> {
    fn from(options: &WriteOptions<'a>) -> Self {
        Self {
            layer_name: options.layer_name,
            geometry_type: options.geometry_type,
            has_z: options.has_z,
            has_m: options.has_m,
            crs: options.crs,
            byte_order_mark: options.byte_order_mark,
            id_column: options.id_column,
            ..Self::new(
                match options.format {
                    Format::GeoJsonSeq if !options.record_separators => Format::NdJson,
                    format => format,
                },
                options.schema,
            )
        }
    }
}

/// Writes to a temporary file beside the target; [`Writer::finish`] puts it in place, anything else leaves nothing.
pub struct Writer {
    path: PathBuf,
    out: BufWriter<NamedTempFile>,
    kind: Kind,
    buf: Vec<u8>,
}

enum Kind {
    Stream(Box<Stream>),
    /// With its index, which needs all features before the first byte.
    FlatGeobuf(Box<FgbWriter>),
}

impl Writer {
    /// # Errors
    /// When the folder cannot be written, the format is not one that is written (Shapefile cannot hold long names and
    /// texts, GeoPackage is written by SQL), or GeoJSON is asked for in another CRS than longitude/latitude.
    pub fn create(path: &Path, options: &WriteOptions<'_>) -> Result<Self, Error> {
        Self::create_as(path, &options.into())
    }

    /// As [`Writer::create`], with all that a [`Stream`] may be told. FlatGeobuf gets its index, and the number of its
    /// features by itself.
    ///
    /// # Errors
    /// As [`Writer::create`] and [`Stream::new`].
    pub fn create_as(path: &Path, options: &StreamOptions<'_>) -> Result<Self, Error> {
        let io = |e| Error::write(path, e);
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        if !options.format.is_streamed() {
            return Err(Message::new("formats.not-writable")
                .with("file", file_name(path))
                .into());
        }
        // A file has no header beside it that could tell another CRS.
        let json = matches!(
            options.format,
            Format::GeoJson | Format::GeoJsonSeq | Format::NdJson
        );
        if json && (!options.crs.is_wgs84() || options.y_first) {
            return Err(Message::new("formats.geojson-crs")
                .with("crs", options.crs)
                .into());
        }
        let mut buf = Vec::new();
        let kind = if options.format == Format::FlatGeobuf {
            Kind::FlatGeobuf(Box::new(FgbWriter::create(folder, options).map_err(io)?))
        } else {
            let mut stream = Stream::new(options)?;
            let mut name = br#""name":"#.to_vec();
            geojson::write_string(&mut name, options.layer_name);
            stream.begin(&mut buf, &String::from_utf8_lossy(&name))?;
            Kind::Stream(Box::new(stream))
        };
        let mut out = BufWriter::with_capacity(256 << 10, temporary(folder).map_err(io)?);
        out.write_all(&buf).map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            out,
            kind,
            buf,
        })
    }

    /// Writes one feature, whose values are in the schema's order.
    ///
    /// # Errors
    /// When the geometry is damaged or has Z or M that the layer was not told of, a value does not fit the type of its
    /// column, or the disk refuses.
    pub fn write(&mut self, id: &FeatureId, feature: &Feature) -> Result<(), Error> {
        self.buf.clear();
        match &mut self.kind {
            Kind::FlatGeobuf(writer) => writer
                .write(id, feature, &self.path)
                .map_err(|error| error.of_feature(id))?,
            Kind::Stream(stream) => stream.write(&mut self.buf, id, feature)?,
        }
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
            mut buf,
        } = self;
        let io = |e| Error::write(&path, e);
        match kind {
            Kind::FlatGeobuf(writer) => writer.finish(&mut out).map_err(io)?,
            Kind::Stream(mut stream) => {
                buf.clear();
                stream.end(&mut buf, "")?;
                out.write_all(&buf).map_err(io)?;
            }
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
