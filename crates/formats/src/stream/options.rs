//! What an encoder is told before its features.

use model::{Crs, GeometryType, Schema};

use crate::Format;

/// What a stream of features is to look like. [`StreamOptions::new`] gives the usual answer; the rest is told by
/// struct update.
#[derive(Debug, Clone, Copy)]
pub struct StreamOptions<'a> {
    pub format: Format,
    pub schema: &'a Schema,
    /// Positions in the schema of the properties that are written, in the order of the answer; `None`: all of them
    /// (`properties` and `exclude-properties`, OGC 24-019 draft).
    pub properties: Option<&'a [usize]>,
    /// Leaves geometry out (`skipGeometry`): null in GeoJSON and JSON-FG, no column in CSV and Parquet.
    pub skip_geometry: bool,
    /// The layer's name in FlatGeobuf.
    pub layer_name: &'a str,
    /// FlatGeobuf promises it to readers, so there it is held: a single part in a layer of multi parts becomes a multi
    /// part of one, another type is an error. [`GeometryType::Geometry`] allows all.
    pub geometry_type: GeometryType,
    /// Whether geometries may have Z or M, for FlatGeobuf and the columns of CSV.
    pub has_z: bool,
    pub has_m: bool,
    /// CRS of the geometries to come: the caller has transformed them, x first. GeoJSON and its sequences do not tell it
    /// (the response header `Content-Crs` does, OGC 18-058r1 §6.3), nor does CSV.
    pub crs: Crs,
    /// Whether GeoJSON and JSON-FG have y before x, as the CRS' own axis order asks (OGC 18-058r1 §6.2): EPSG:4326 is
    /// latitude first. With it, WGS 84 is EPSG:4326, without it CRS84. Formats that are always x first pass it over, see
    /// [`Format::follows_axis_order`].
    pub y_first: bool,
    /// Decimals of coordinates in GeoJSON, JSON-FG and CSV: seven tell degrees to a centimetre. `None`: the shortest text
    /// that reads back to the same number. Positions are rounded each by itself, so rings stay closed and none is lost.
    pub decimals: Option<u8>,
    /// A first column for the id, as text, in CSV, FlatGeobuf and GeoParquet; `None` when a property holds it.
    pub id_column: Option<&'a str>,
    /// How many features will come, where that is known: FlatGeobuf then tells readers. Another number in the end is an
    /// error, since such a file is damaged.
    pub count: Option<u64>,
    /// For CSV: a byte order mark, without which spreadsheets take it for a Windows code page.
    pub byte_order_mark: bool,
    /// For CSV.
    pub table_geometry: TableGeometry,
    /// For JSON-FG.
    pub json_fg: JsonFg<'a>,
    /// For JSON-FG: the URI of a CRS that has none by itself, which a local one is.
    pub crs_uri: Option<&'a str>,
    /// For GeoParquet: the CRS as a PROJJSON object. Not needed for WGS 84; without it, another CRS is told as unknown.
    pub projjson: Option<&'a str>,
}

/// How a table tells geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TableGeometry {
    /// A last column with well-known text.
    #[default]
    Wkt,
    /// For layers of points: last columns `lon` and `lat` (`x` and `y` in other CRSs), and `z` where the layer has it.
    Coordinates,
}

/// The members that JSON-FG has beyond GeoJSON (OGC 21-045r1).
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonFg<'a> {
    /// `featureType` (clause 13), such as the collection's id.
    pub feature_type: Option<&'a str>,
    /// `featureSchema`: the URI of the collection's schema.
    pub feature_schema: Option<&'a str>,
    /// What `time` is made of.
    pub time: Option<TimeProperties>,
}

/// Positions in the schema of the properties that tell when a feature was; they need not be selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeProperties {
    /// An instant, or the start of an interval.
    pub start: usize,
    /// `None`: an instant. A null at either side of an interval leaves it open.
    pub end: Option<usize>,
}

impl<'a> StreamOptions<'a> {
    /// All properties and any geometry in WGS 84, longitude first.
    pub fn new(format: Format, schema: &'a Schema) -> Self {
        Self {
            format,
            schema,
            properties: None,
            skip_geometry: false,
            layer_name: "",
            geometry_type: GeometryType::Geometry,
            has_z: false,
            has_m: false,
            crs: Crs::CRS84,
            y_first: false,
            decimals: None,
            id_column: None,
            count: None,
            byte_order_mark: false,
            table_geometry: TableGeometry::default(),
            json_fg: JsonFg::default(),
            crs_uri: None,
            projjson: None,
        }
    }
}
