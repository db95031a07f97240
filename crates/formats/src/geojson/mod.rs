//! GeoJSON (RFC 7946) and its text sequences (newline-delimited, RFC 8142).

mod change;
mod coordinates;
mod decode;
mod document;
mod encode;
mod feature;
mod fg;
mod geometry;
mod json;
mod sequence;
mod stream;

pub use change::{
    ParsedAction, ParsedFeatures, ParsedPatch, ParsedTransaction, parse_features, parse_patch,
    parse_transaction,
};
pub(crate) use coordinates::Coordinates;
pub(crate) use document::{Document, skip_bom};
pub(crate) use encode::type_name;
pub use encode::{
    write_feature, write_geometry, write_id, write_properties, write_string, write_value,
};
use feature::each_property;
pub use feature::{ParsedFeature, parse_feature};
pub(crate) use sequence::Sequence;
pub(crate) use stream::JsonEncoder;
