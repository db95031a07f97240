//! GeoJSON (RFC 7946) and its text sequences (newline-delimited, RFC 8142).

mod decode;
mod document;
mod encode;
mod feature;
mod geometry;
mod json;
mod sequence;

pub(crate) use document::{Document, skip_bom};
pub use encode::{
    write_feature, write_geometry, write_id, write_properties, write_string, write_value,
};
pub use feature::{ParsedFeature, parse_feature};
pub(crate) use sequence::Sequence;
