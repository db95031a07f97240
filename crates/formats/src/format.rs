//! The formats that hromada reads and writes, and their names for the world outside.

/// A format of features. Not every one is both read and written: see each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// RFC 7946.
    GeoJson,
    /// GeoJSON text sequence. Reading takes one feature a line or RFC 8142; [`crate::Stream`] writes RFC 8142, with a
    /// record separator before each feature.
    GeoJsonSeq,
    /// One GeoJSON feature a line, without record separators; [`crate::detect()`] calls it a sequence.
    NdJson,
    /// OGC Features and Geometries JSON 1.0 (OGC 21-045r1). Read as the GeoJSON that it also is.
    JsonFg,
    FlatGeobuf,
    /// Read only: its names and texts are too short for ours.
    Shapefile,
    Csv,
    /// Recognised only: it is read and written by SQL.
    GeoPackage,
    /// GeoParquet 1.1. Written only.
    GeoParquet,
}

impl Format {
    pub const ALL: [Format; 9] = [
        Self::GeoJson,
        Self::GeoJsonSeq,
        Self::NdJson,
        Self::JsonFg,
        Self::FlatGeobuf,
        Self::Shapefile,
        Self::Csv,
        Self::GeoPackage,
        Self::GeoParquet,
    ];

    /// The value of the parameter `f` that asks for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::GeoJson => "json",
            Self::GeoJsonSeq => "geojsonseq",
            Self::NdJson => "ndjson",
            Self::JsonFg => "jsonfg",
            Self::FlatGeobuf => "fgb",
            Self::Shapefile => "shp",
            Self::Csv => "csv",
            Self::GeoPackage => "gpkg",
            Self::GeoParquet => "parquet",
        }
    }

    /// By [`Format::name`], by the extension, or by another name in common use; any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let by_table = Self::ALL
            .into_iter()
            .find(|f| f.name() == name || f.extension() == name);
        by_table.or(match name.as_str() {
            "geojsons" | "jsonseq" => Some(Self::GeoJsonSeq),
            "jsonl" | "ndgeojson" => Some(Self::NdJson),
            "flatgeobuf" => Some(Self::FlatGeobuf),
            "geopackage" => Some(Self::GeoPackage),
            "geoparquet" => Some(Self::GeoParquet),
            _ => None,
        })
    }

    /// The media type, without parameters.
    ///
    /// JSON-FG has the type of its drafts, by which QGIS and others ask for it. The standard itself (OGC 21-045r1, clause
    /// 16) gives such a document the type of GeoJSON and tells the two apart by a profile; it lets the older type stand.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::GeoJson => "application/geo+json",
            Self::GeoJsonSeq => "application/geo+json-seq",
            Self::NdJson => "application/x-ndjson",
            Self::JsonFg => "application/fg+json",
            Self::FlatGeobuf => "application/flatgeobuf",
            // Its files travel together in an archive.
            Self::Shapefile => "application/zip",
            Self::Csv => "text/csv",
            Self::GeoPackage => "application/geopackage+sqlite3",
            Self::GeoParquet => "application/vnd.apache.parquet",
        }
    }

    /// By [`Format::media_type`]; parameters are passed over, case too (RFC 9110 §8.3.1).
    pub fn from_media_type(text: &str) -> Option<Self> {
        let plain = text.split(';').next().unwrap_or_default().trim();
        let by_table = Self::ALL
            .into_iter()
            .find(|f| *f != Self::Shapefile && f.media_type().eq_ignore_ascii_case(plain));
        by_table.or_else(|| match plain.to_ascii_lowercase().as_str() {
            "application/vnd.ogc.fg+json" => Some(Self::JsonFg),
            "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Some(Self::NdJson)
            }
            "application/x-parquet" => Some(Self::GeoParquet),
            _ => None,
        })
    }

    /// The extension of a file, without its dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::GeoJson => "geojson",
            Self::GeoJsonSeq => "geojsonseq",
            Self::NdJson => "geojsonl",
            Self::JsonFg => "jsonfg",
            Self::FlatGeobuf => "fgb",
            Self::Shapefile => "zip",
            Self::Csv => "csv",
            Self::GeoPackage => "gpkg",
            Self::GeoParquet => "parquet",
        }
    }

    /// Whether [`crate::Stream`] writes it.
    pub fn is_streamed(self) -> bool {
        !matches!(self, Self::Shapefile | Self::GeoPackage)
    }

    /// Whether its coordinates may be written y before x, as the axis order of a CRS asks (OGC 18-058r1 §6.2). FlatGeobuf,
    /// GeoParquet and our CSV are x first, whatever the CRS.
    pub fn follows_axis_order(self) -> bool {
        matches!(
            self,
            Self::GeoJson | Self::GeoJsonSeq | Self::NdJson | Self::JsonFg
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn every_name_and_media_type_leads_back() {
        for format in Format::ALL {
            assert_eq!(Format::from_name(format.name()), Some(format));
            assert_eq!(Format::from_name(format.extension()), Some(format));
            if format != Format::Shapefile {
                let with_parameter = format!("{}; a=b", format.media_type().to_uppercase());
                assert_eq!(Format::from_media_type(&with_parameter), Some(format));
            }
        }
        assert_eq!(Format::from_name("jsonl"), Some(Format::NdJson));
        assert_eq!(Format::from_name("html"), None);
        assert_eq!(Format::from_media_type("application/zip"), None);
        assert_eq!(Format::from_media_type("text/html"), None);
    }
}
