//! Properties on their way from the index into a layer.

use spatial::index::{Coded, Hit, ValueRef};
use tiles::{LayerBuilder, TileValue, ValueIndex};

/// Codes of a column up to which each is remembered by its place: more would cost more to lay out than they save.
const FEW: usize = 1 << 12;

/// What a layer has of a column so far.
pub(crate) struct Column {
    column: usize,
    /// By segment, then by code; an index into the layer's values, counted from 1.
    known: Vec<(u64, Vec<Option<ValueIndex>>)>,
}

impl Column {
    pub(crate) fn new(column: usize) -> Self {
        Self {
            column,
            known: Vec::new(),
        }
    }

    /// The value of a feature, in the layer from now on; `None` for what a tile has no place for.
    pub(crate) fn put(&mut self, hit: &Hit<'_>, layer: &mut LayerBuilder) -> Option<ValueIndex> {
        let coded = hit.coded(self.column)?;
        // Values lie elsewhere in memory, so they are looked at only where the layer has not got them.
        if coded.distinct <= FEW
            && let Some(known) = *self.place(coded)
        {
            return Some(known);
        }
        let value = tile_value(hit.value(self.column));
        if coded.distinct <= FEW {
            let new = layer.intern(value);
            *self.place(coded) = new;
            return new;
        }
        // Numbers of parcels: no two are the same.
        match coded.distinct * 2 > coded.features {
            true => layer.intern_new(value),
            false => layer.intern(value),
        }
    }

    fn place(&mut self, coded: Coded) -> &mut Option<ValueIndex> {
        let found = self.known.iter().position(|(id, _)| *id == coded.segment);
        let at = found.unwrap_or_else(|| {
            self.known.push((coded.segment, vec![None; coded.distinct]));
            self.known.len() - 1
        });
        &mut self.known[at].1[coded.code as usize]
    }
}

pub(crate) fn tile_value(value: ValueRef<'_>) -> TileValue<'_> {
    match value {
        ValueRef::Null => TileValue::Null,
        ValueRef::Boolean(b) => TileValue::Boolean(b),
        ValueRef::Integer(i) => TileValue::Integer(i),
        ValueRef::Real(x) => TileValue::Real(x),
        ValueRef::Text(t) => TileValue::Text(t),
    }
}
