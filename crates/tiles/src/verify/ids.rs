//! Whether an id stands for one feature.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::report::{Problem, Report};
use crate::decode::{Feature, Layer, Value};

/// Ids of a zoom that are remembered: about 300 MB. The others are counted as not compared.
const MAX_IDS: usize = 8_000_000;

/// The ids of a zoom: hashes of layer and id, and of the properties. Of eight million, two have the same hash once
/// in half a million archives.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<u64, u64>);

/// A layer with a hash for each key and each value.
pub(super) struct Properties<'a> {
    layer: &'a str,
    keys: Vec<u64>,
    values: Vec<u64>,
}

impl<'a> Properties<'a> {
    pub(super) fn new(layer: &'a Layer) -> Self {
        Self {
            layer: &layer.name,
            keys: layer.keys.iter().map(hash).collect(),
            values: layer.values.iter().map(value).collect(),
        }
    }

    /// Of all properties, in whatever order they come. Tags are in range in what was decoded.
    fn of(&self, feature: &Feature) -> u64 {
        let one = |&(k, v): &(u32, u32)| (self.keys[k as usize], self.values[v as usize]);
        let mut all: Vec<(u64, u64)> = feature.tags.iter().map(one).collect();
        all.sort_unstable();
        hash(&all)
    }
}

impl Ids {
    /// The problem when the id has come with other properties before.
    pub(super) fn differ(
        &mut self,
        properties: &Properties<'_>,
        id: u64,
        feature: &Feature,
        report: &mut Report,
    ) -> Option<Problem> {
        let key = hash(&(properties.layer, id));
        let now = properties.of(feature);
        match self.0.get(&key) {
            Some(before) => (*before != now).then_some(Problem::DifferingId),
            None if self.0.len() < MAX_IDS => {
                self.0.insert(key, now);
                None
            }
            None => {
                report.ids_not_compared += 1;
                None
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn hash(what: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// Integers are equal however they are written, and so are numbers of 32 and 64 bits.
fn value(value: &Value) -> u64 {
    match value {
        Value::Text(text) => hash(&(0, text)),
        Value::Float(v) => hash(&(1, f64::from(*v).to_bits())),
        Value::Double(v) => hash(&(1, v.to_bits())),
        Value::Int(v) | Value::Sint(v) => hash(&(2, i128::from(*v))),
        Value::Uint(v) => hash(&(2, i128::from(*v))),
        Value::Bool(v) => hash(&(3, v)),
    }
}
