//! Writing features to a file.

use std::path::Path;

use model::{Crs, Feature, FeatureId, GeometryType, Message, Schema};

use crate::{Error, Format};

/// What the file is told before its features.
#[derive(Debug, Clone, Copy)]
pub struct WriteOptions<'a> {
    pub format: Format,
    pub schema: &'a Schema,
    pub layer_name: &'a str,
    pub geometry_type: GeometryType,
    pub has_z: bool,
    pub has_m: bool,
    /// CRS of the geometries to come. GeoJSON and its sequences are always longitude/latitude: the caller converts.
    pub crs: Crs,
    /// RFC 8142 record separators instead of plain lines, for [`Format::GeoJsonSeq`].
    pub record_separators: bool,
    /// A first column for the id, in CSV and FlatGeobuf; `None` when a property of the schema holds it.
    pub id_column: Option<&'a str>,
}

/// Writes to a temporary file beside the target; [`Writer::finish`] puts it in place, anything else leaves nothing.
pub struct Writer {}

impl Writer {
    /// # Errors
    /// When the folder cannot be written, or the format is not one that is written (Shapefile, GeoPackage).
    pub fn create(path: &Path, options: &WriteOptions<'_>) -> Result<Self, Error> {
        let _ = (path, options);
        Err(Message::new("formats.not-writable").into())
    }

    /// # Errors
    /// When the geometry is damaged or the disk refuses.
    pub fn write(&mut self, id: &FeatureId, feature: &Feature) -> Result<(), Error> {
        let _ = (id, feature);
        Ok(())
    }

    /// Completes the file, syncs it and renames it over the target.
    ///
    /// # Errors
    /// When the disk refuses; the target is then as it was.
    pub fn finish(self) -> Result<(), Error> {
        Ok(())
    }
}
