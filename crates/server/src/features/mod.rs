//! OGC API Features: items (OGC 17-069r4 §7.15 and §7.16) and their editing (OGC 20-002 and 26-018, drafts).

pub(crate) mod body;
pub(crate) mod cursor;
pub(crate) mod edit;
pub(crate) mod filter;
pub(crate) mod item;
pub(crate) mod items;
pub(crate) mod output;
pub(crate) mod pages;
pub(crate) mod parcels;
pub(crate) mod query;
pub(crate) mod queryables;
mod request;
mod time;
pub(crate) mod transactions;
pub(crate) mod versions;

use model::{Collection, Feature, FeatureId, Value};

/// The id of a feature in URLs: the value of the collection's id property, or the integer key.
pub(crate) fn feature_id(collection: &Collection, feature: &Feature) -> FeatureId {
    id_of(collection, feature.fid, &feature.properties)
}

/// As [`feature_id`], from the parts.
pub(crate) fn id_of(collection: &Collection, fid: i64, properties: &[Value]) -> FeatureId {
    let position = collection
        .id_property
        .as_ref()
        .and_then(|name| collection.schema.position(name));
    match position.and_then(|p| properties.get(p)) {
        Some(value) => id_from(fid, value),
        None => FeatureId::Integer(fid),
    }
}

/// The id that a value of the id property gives.
pub(crate) fn id_from(fid: i64, value: &Value) -> FeatureId {
    match value {
        Value::Text(text) => FeatureId::Text(text.clone()),
        Value::Real(real) => FeatureId::Text(real.to_string().into()),
        Value::Boolean(b) => FeatureId::Text(b.to_string().into()),
        Value::Integer(_) | Value::Null => FeatureId::Integer(fid),
    }
}
