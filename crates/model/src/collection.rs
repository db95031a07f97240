//! A collection: its identity, schema and how it is published.

use std::fmt;

use crate::{Crs, Invalid, Message, Schema, Text};

/// Longest collection id: it stands in URLs, tile layer names and table names.
pub const MAX_ID_LENGTH: usize = 63;

/// Deepest zoom at which tiles are cut: world coordinates hold 32 bits, a tile pixel takes 12 of them.
pub const MAX_ZOOM: u8 = 20;

/// Everything about a collection but its features.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    pub id: CollectionId,
    pub title: Text,
    pub description: Text,
    pub geometry_type: GeometryType,
    /// Whether stored geometries carry Z or M values.
    pub has_z: bool,
    pub has_m: bool,
    /// The CRS in which geometry is kept, bit for bit as given.
    pub storage_crs: Crs,
    pub schema: Schema,
    /// The property whose value is the feature id; `None`: the integer key is.
    pub id_property: Option<String>,
    /// The property that names a feature to people.
    pub label_property: Option<String>,
    /// The property that `datetime` filters by.
    pub time_property: Option<String>,
    pub theme: Theme,
    pub licence: Option<String>,
    pub attribution: Option<String>,
    pub tiles: TileSettings,
}

/// How a collection appears in vector tiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileSettings {
    pub min_zoom: u8,
    pub max_zoom: u8,
    /// Properties that tiles carry, in order; `None`: all of them.
    pub properties: Option<Vec<String>>,
    /// `None`: points as [`LowZooms::Cluster`], all else as [`LowZooms::Merge`].
    pub low_zooms: Option<LowZooms>,
}

/// What becomes of features that are too small or too many to be drawn one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LowZooms {
    /// All are drawn one by one at every zoom.
    Keep,
    /// What is smaller than a screen pixel is drawn where together it makes one.
    Dust,
    /// Small polygons become blocks, short lines a network.
    Merge,
    /// Near features become a point with their count, some dozen pixels from the next.
    Cluster,
    /// As clusters, some pixels from each other: for a heat map.
    Heat,
}

impl LowZooms {
    pub const ALL: [LowZooms; 5] = [
        Self::Keep,
        Self::Dust,
        Self::Merge,
        Self::Cluster,
        Self::Heat,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Dust => "dust",
            Self::Merge => "merge",
            Self::Cluster => "cluster",
            Self::Heat => "heat",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == name)
    }
}

impl Default for TileSettings {
    fn default() -> Self {
        Self {
            min_zoom: 0,
            max_zoom: 18,
            properties: None,
            low_zooms: None,
        }
    }
}

/// The id of a collection: lower-case letters, digits, `-` and `_`, starting with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionId(Box<str>);

impl CollectionId {
    /// # Errors
    /// When the text is empty, longer than [`MAX_ID_LENGTH`] or has another character.
    pub fn new(id: &str) -> Result<Self, Invalid> {
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let starts_well = id.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !starts_well || id.len() > MAX_ID_LENGTH || !id.chars().all(allowed) {
            let shown: String = id.chars().take(MAX_ID_LENGTH + 1).collect();
            return Err(Invalid(
                Message::new("store.collection-id-invalid").with("id", shown),
            ));
        }
        Ok(Self(id.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CollectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Geometry type of a collection, by OGC Simple Features (OGC 06-103r4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GeometryType {
    /// Any geometry.
    Geometry,
    Point,
    LineString,
    Polygon,
    MultiPoint,
    MultiLineString,
    MultiPolygon,
    GeometryCollection,
}

impl GeometryType {
    pub const ALL: [GeometryType; 8] = [
        Self::Geometry,
        Self::Point,
        Self::LineString,
        Self::Polygon,
        Self::MultiPoint,
        Self::MultiLineString,
        Self::MultiPolygon,
        Self::GeometryCollection,
    ];

    /// The name that GeoPackage uses (OGC 12-128r19 Annex G).
    pub fn name(self) -> &'static str {
        match self {
            Self::Geometry => "GEOMETRY",
            Self::Point => "POINT",
            Self::LineString => "LINESTRING",
            Self::Polygon => "POLYGON",
            Self::MultiPoint => "MULTIPOINT",
            Self::MultiLineString => "MULTILINESTRING",
            Self::MultiPolygon => "MULTIPOLYGON",
            Self::GeometryCollection => "GEOMETRYCOLLECTION",
        }
    }

    /// Any case; `None` for curves, surfaces and unknown names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|t| t.name().eq_ignore_ascii_case(name))
    }

    /// The ISO WKB type code without Z and M (ISO/IEC 13249-3).
    pub fn wkb_code(self) -> u32 {
        match self {
            Self::Geometry => 0,
            Self::Point => 1,
            Self::LineString => 2,
            Self::Polygon => 3,
            Self::MultiPoint => 4,
            Self::MultiLineString => 5,
            Self::MultiPolygon => 6,
            Self::GeometryCollection => 7,
        }
    }

    pub fn from_wkb_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.wkb_code() == code)
    }

    /// The narrowest type that holds both.
    pub fn union(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Point, Self::MultiPoint) | (Self::MultiPoint, Self::Point) => Self::MultiPoint,
            (Self::LineString, Self::MultiLineString)
            | (Self::MultiLineString, Self::LineString) => Self::MultiLineString,
            (Self::Polygon, Self::MultiPolygon) | (Self::MultiPolygon, Self::Polygon) => {
                Self::MultiPolygon
            }
            _ => Self::Geometry,
        }
    }
}

/// The part of the town's business that a collection belongs to; the map groups by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Theme {
    Cadastre,
    Zoning,
    Networks,
    Addresses,
    Transport,
    Boundaries,
    Other,
}

impl Theme {
    pub const ALL: [Theme; 7] = [
        Self::Cadastre,
        Self::Zoning,
        Self::Networks,
        Self::Addresses,
        Self::Transport,
        Self::Boundaries,
        Self::Other,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Cadastre => "cadastre",
            Self::Zoning => "zoning",
            Self::Networks => "networks",
            Self::Addresses => "addresses",
            Self::Transport => "transport",
            Self::Boundaries => "boundaries",
            Self::Other => "other",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collection_ids_are_safe_in_urls_and_table_names() {
        for good in ["parcels", "street-lights", "2026_plan", "a"] {
            assert!(CollectionId::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in [
            "",
            "Parcels",
            "a b",
            "ділянки",
            "-a",
            "_a",
            "a/b",
            "a\"b",
            "a,b",
            long.as_str(),
        ] {
            assert!(CollectionId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mixed_single_and_multi_parts_are_multi() {
        use GeometryType::*;
        assert_eq!(Polygon.union(MultiPolygon), MultiPolygon);
        assert_eq!(Point.union(LineString), Geometry);
    }
}
