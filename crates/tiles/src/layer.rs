//! Building one layer of a tile.

mod agree;
mod encode;

use model::world::{WorldGeometry, WorldKind};

use crate::TileCoord;
use crate::geometry::cut::{Cutter, Whole};
use crate::geometry::repair::Polygons;
use crate::geometry::{Parts, Point, index, simple};
use crate::value::{TileValue, ValueIndex, Values};

/// Vertices of one layer in one tile. A layer of this size is a tile of more than 100 MB, which no client
/// can show; features past it are left out and counted.
const MAX_VERTICES: usize = 1 << 26;

/// Cuts features for one tile and encodes them as one layer, in the order in which they are added: the same
/// features in the same order give the same bytes.
pub struct LayerBuilder {
    name: String,
    keys: Vec<String>,
    /// For each of the caller's keys its index among the distinct ones.
    key_of: Vec<u32>,
    values: Values,
    cutter: Cutter,
    parts: Parts,
    tags: Vec<u32>,
    /// For each key the last row that has it, counted from 1.
    seen: Vec<usize>,
    rows: Vec<Row>,
    repaired: Vec<(usize, Polygons)>,
    settled: bool,
    dropped: u64,
}

/// A feature that shows in the tile.
#[derive(Debug)]
struct Row {
    id: u64,
    kind: WorldKind,
    /// Its parts in `LayerBuilder::parts`.
    parts: std::ops::Range<usize>,
    tags: std::ops::Range<usize>,
    /// Where a polygon that vanishes in repair is marked, when the tile has it whole.
    anchor: Option<Point>,
    /// Polygons that snapping or clipping made invalid, or which came so.
    broken: bool,
    given_up: bool,
}

impl LayerBuilder {
    /// `keys`: names of the properties, in an order that does not change from tile to tile.
    pub fn new(tile: TileCoord, name: &str, keys: &[&str]) -> Self {
        let mut distinct: Vec<String> = Vec::with_capacity(keys.len());
        let mut key_of = Vec::with_capacity(keys.len());
        for key in keys {
            let at = distinct.iter().position(|k| k == key).unwrap_or_else(|| {
                distinct.push((*key).to_owned());
                distinct.len() - 1
            });
            key_of.push(index(at));
        }
        let distinct_len = distinct.len();
        Self {
            name: name.to_owned(),
            keys: distinct,
            key_of,
            values: Values::new(),
            seen: vec![0; distinct_len],
            cutter: Cutter::new(tile),
            parts: Parts::default(),
            tags: Vec::new(),
            rows: Vec::new(),
            repaired: Vec::new(),
            settled: false,
            dropped: 0,
        }
    }

    /// Adds what the tile shows of a feature, if anything. A feature with several kinds of geometry is added
    /// once for each, with the same id and values.
    ///
    /// `values`: index into the keys and value; the first of several for one key counts, an index out
    /// of range is passed over.
    pub fn add<'v>(
        &mut self,
        id: u64,
        geometry: WorldGeometry<'_>,
        values: impl IntoIterator<Item = (usize, TileValue<'v>)>,
    ) {
        if self.parts.coords.len() + geometry.coords.len() > MAX_VERTICES {
            self.dropped += 1;
            return;
        }
        self.settled = false;
        let first = self.parts.parts.len();
        let whole = self.cutter.cut(geometry, &mut self.parts);
        let parts = first..self.parts.parts.len();
        if parts.is_empty() {
            return;
        }
        let broken = geometry.kind == WorldKind::Polygons
            && !simple::certainly_valid(&self.parts.coords, &self.parts.parts[parts.clone()]);
        let anchor = self
            .parts
            .ring(first)
            .first()
            .copied()
            .filter(|_| whole == Whole::Yes);
        let tags = self.tag(values);
        self.rows.push(Row {
            id,
            kind: geometry.kind,
            parts,
            tags,
            anchor,
            broken,
            given_up: false,
        });
    }

    /// A value's place in the layer, for callers that know which of their values are the same; `None` for
    /// what is not written (see [`TileValue`]).
    pub fn intern(&mut self, value: TileValue<'_>) -> Option<ValueIndex> {
        self.values.intern(value)
    }

    /// Features that show in the tile so far.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many features are left out because they could not be made valid or would not fit; settles how
    /// neighbours meet first, which [`LayerBuilder::finish`] does otherwise.
    pub fn dropped(&mut self) -> u64 {
        self.settle();
        self.dropped
    }

    /// The encoded layer, ready for [`crate::tile()`]; `None` when nothing shows.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        self.settle();
        self.encode()
    }

    fn tag<'v>(
        &mut self,
        values: impl IntoIterator<Item = (usize, TileValue<'v>)>,
    ) -> std::ops::Range<usize> {
        let start = self.tags.len();
        for (key, value) in values {
            let Some(&key) = self.key_of.get(key) else {
                continue;
            };
            let Some(value) = self.values.intern(value) else {
                continue;
            };
            let row = self.rows.len() + 1;
            if std::mem::replace(&mut self.seen[key as usize], row) != row {
                self.tags.extend([key, value.get()]);
            }
        }
        start..self.tags.len()
    }
}
