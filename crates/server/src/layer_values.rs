//! Properties on their way from the index into a layer.

use spatial::index::{Coded, Hit, ValueRef};
use tiles::{LayerBuilder, TileValue, ValueIndex};

/// Codes of a column up to which each is remembered by its place: more would cost more to lay out than they save.
const FEW: usize = 1 << 12;

/// What a layer has of a column so far.
pub(crate) struct Column {
    column: usize,
    /// By segment, then by code.
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
        if coded.distinct > FEW {
            return layer.intern(tile_value(hit.value(self.column)));
        }
        // Values lie elsewhere in memory, so they are looked at only where the layer has not got them.
        if let Some(known) = *self.place(coded) {
            return Some(known);
        }
        let new = layer.intern(tile_value(hit.value(self.column)));
        *self.place(coded) = new;
        new
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

fn tile_value(value: ValueRef<'_>) -> TileValue<'_> {
    match value {
        ValueRef::Null => TileValue::Null,
        ValueRef::Boolean(b) => TileValue::Boolean(b),
        ValueRef::Integer(i) => TileValue::Integer(i),
        ValueRef::Real(x) => TileValue::Real(x),
        ValueRef::Text(t) => TileValue::Text(t),
    }
}
