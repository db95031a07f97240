//! The field's nouns and rules: collections, features, envelopes, changes and the texts people read.
//!
//! Pure: no I/O, no async, no wire formats.

pub mod access;
mod bbox;
mod change;
mod collection;
pub mod cql2;
mod crs;
mod datetime;
mod feature;
mod filter;
mod message;
mod schema;
mod value;
pub mod world;

pub use bbox::{Bbox, Envelope};
pub use change::{ChangeSeq, Epoch, Operation};
pub use collection::{
    Collection, CollectionId, GeometryType, LowZooms, MAX_ID_LENGTH, MAX_ZOOM, Theme, TileSettings,
};
pub use crs::Crs;
pub use datetime::{
    Interval, date_of_days, date_time_of, days_of_date, is_date, is_date_time,
    microseconds_of_date_time, normalise_date_time,
};
pub use feature::{Feature, FeatureId, SourceFeature, SourceId};
pub use filter::{
    Argument, Filter, Function, GEOMETRY_PROPERTY, MAX_FILTER_LENGTH, Measure, Pattern, Place, Row,
    SpatialRelation, ValueType, functions,
};
pub use message::{Lang, Message, unit_name};
pub use schema::{Enumerated, Property, Schema, Text};
pub use value::{PropertyType, Value, ValueRef};

/// A value that breaks a rule of the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub Message);
