//! The values of a layer, each once.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use model::Value;

use crate::proto;

/// A property's value on its way into a tile.
///
/// Wire types (MVT 2.1 §4.1), fixed so that a column has one and the same value is stored once: booleans
/// `bool_value`, integers of any size and sign `int_value` (int64; readers in JavaScript lose what is past
/// 2^53, so the server adds a text beside such columns), reals `double_value`, texts `string_value`.
/// 1, 1.0 and "1" stay three values. -0.0 is written as 0.0. Null, NaN and the infinities have no
/// place in a tile: such a property is left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TileValue<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(&'a str),
    /// What [`crate::LayerBuilder::intern`] of the same builder gave.
    Interned(ValueIndex),
}

/// Place of a value in its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueIndex(u32);

impl<'a> From<&'a Value> for TileValue<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(v) => Self::Boolean(*v),
            Value::Integer(v) => Self::Integer(*v),
            Value::Real(v) => Self::Real(*v),
            Value::Text(v) => Self::Text(v),
        }
    }
}

impl ValueIndex {
    pub(crate) fn get(self) -> u32 {
        self.0
    }
}

/// Encoded values in the order of their first use. Two are equal when their bytes are, and so by type and bits.
pub(crate) struct Values {
    /// Field by field as they stand in the layer, lengths included.
    bytes: Vec<u8>,
    /// Start of each in `bytes`.
    starts: Vec<u32>,
    table: HashTable<u32>,
    hasher: hashbrown::DefaultHashBuilder,
}

impl Values {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            starts: Vec::new(),
            table: HashTable::new(),
            hasher: hashbrown::DefaultHashBuilder::default(),
        }
    }

    pub(crate) fn reserve(&mut self, values: usize) {
        /// Bytes of a cadastral number or a real.
        const USUAL: usize = 16;
        self.bytes.reserve(values * USUAL);
        self.starts.reserve(values);
        self.table.reserve(values, |_| 0);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends the value's bytes; `None` for what has no place in a tile, and for what is written already.
    fn write(&mut self, value: TileValue<'_>) -> Option<()> {
        match value {
            TileValue::Null | TileValue::Interned(_) => return None,
            TileValue::Real(v) if !v.is_finite() => return None,
            TileValue::Boolean(v) => proto::value_bool(&mut self.bytes, v),
            TileValue::Integer(v) => proto::value_int(&mut self.bytes, v),
            // Adding zero turns -0.0 into 0.0 and changes nothing else.
            TileValue::Real(v) => proto::value_double(&mut self.bytes, v + 0.0),
            TileValue::Text(v) => proto::value_text(&mut self.bytes, v),
        }
        Some(())
    }

    /// `None` for what has no place in a tile.
    pub(crate) fn intern(&mut self, value: TileValue<'_>) -> Option<ValueIndex> {
        if let TileValue::Interned(at) = value {
            return ((at.0 as usize) < self.starts.len()).then_some(at);
        }
        let start = self.bytes.len();
        self.write(value)?;
        let Self {
            bytes,
            starts,
            table,
            hasher,
        } = self;
        let at = |i: u32| {
            let from = starts[i as usize] as usize;
            let to = starts.get(i as usize + 1).map_or(start, |s| *s as usize);
            &bytes[from..to]
        };
        let new = &bytes[start..];
        let hash = hasher.hash_one(new);
        if let Some(&found) = table.find(hash, |&i| at(i) == new) {
            bytes.truncate(start);
            return Some(ValueIndex(found));
        }
        let (Ok(next), Ok(from)) = (u32::try_from(starts.len()), u32::try_from(start)) else {
            // 4 GiB of values: the tile is past any use.
            bytes.truncate(start);
            return None;
        };
        table.insert_unique(hash, next, |&i| hasher.hash_one(at(i)));
        starts.push(from);
        Some(ValueIndex(next))
    }
}
