//! Features, as stored and as read from a source.

use std::fmt;

use crate::Value;

/// A stored feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// The integer key: stable, never reused; the feature's id in tiles.
    pub fid: i64,
    /// ISO WKB in the collection's storage CRS, exactly as given; `None` for null.
    pub geometry: Option<Vec<u8>>,
    /// One value for each property of the schema, in its order.
    pub properties: Vec<Value>,
}

/// A feature as a file or a client gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceFeature {
    /// Position in the source, from 1.
    pub record: u64,
    pub id: Option<SourceId>,
    /// ISO WKB; `None` for null.
    pub geometry: Option<Vec<u8>>,
    /// In the order of the reader's schema.
    pub properties: Vec<Value>,
}

/// An id that the source gives outside the properties (GeoJSON `id`, GeoPackage key).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceId {
    Integer(i64),
    Text(Box<str>),
}

/// A feature's id in URLs: the value of the collection's id property, or the integer key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FeatureId {
    Integer(i64),
    Text(Box<str>),
}

impl fmt::Display for FeatureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(i) => write!(f, "{i}"),
            Self::Text(t) => f.write_str(t),
        }
    }
}
