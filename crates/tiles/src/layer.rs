//! Building one layer of a tile.

mod agree;
mod encode;

use model::world::{WorldGeometry, WorldKind, WorldPoint};

use crate::TileCoord;
use crate::generalise::STEP;
use crate::geometry::cut::{self, Cutter, Whole};
use crate::geometry::repair::Polygons;
use crate::geometry::{Parts, Point, index, simple};
use crate::value::{TileValue, ValueIndex, Values};

/// Vertices of one layer in one tile. A layer of this size is a tile of more than 100 MB, which no client
/// can show; features past it are left out and counted.
const MAX_VERTICES: usize = 1 << 26;

/// From this zoom on a tile and its buffer are less than half the world wide, which is as far as 32 bits with a sign reach.
const MIN_QUICK: u8 = 2;

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

/// What is known about where a feature lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Its envelope lies within the tile, so nothing of it need be cut off.
    Within,
    Unknown,
}

/// A feature that shows in the tile.
#[derive(Debug)]
struct Row {
    /// `None` for what stands for several features.
    id: Option<u64>,
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
        Self::with(Cutter::new(tile), name, keys)
    }

    /// For a low zoom: vertices lie on the steps of [`crate::generalise`], and what has no area there is left out.
    pub fn generalised(tile: TileCoord, name: &str, keys: &[&str]) -> Self {
        Self::with(Cutter::of_steps(tile), name, keys)
    }

    fn with(cutter: Cutter, name: &str, keys: &[&str]) -> Self {
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
            cutter,
            parts: Parts::default(),
            tags: Vec::new(),
            rows: Vec::new(),
            repaired: Vec::new(),
            settled: false,
            dropped: 0,
        }
    }

    /// Makes room at once for features with so many vertices and tags in all.
    pub fn reserve(&mut self, features: usize, vertices: usize, tags: usize) {
        let vertices = vertices.min(MAX_VERTICES);
        self.rows.reserve(features);
        self.parts.parts.reserve(features);
        self.parts.coords.reserve(vertices);
        self.tags.reserve(tags * 2);
        // As many features have a value of their own as do not.
        self.values.reserve(features);
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
        if self.cut(id, geometry, Reach::Unknown) {
            let tags = self.tag(values);
            if let Some(row) = self.rows.last_mut() {
                row.tags = tags;
            }
        }
    }

    /// As [`Self::add`] without values, which [`Self::tag_last`] adds. Whether the tile shows anything of the feature.
    pub fn cut(&mut self, id: u64, geometry: WorldGeometry<'_>, reach: Reach) -> bool {
        if self.parts.coords.len() + geometry.coords.len() > MAX_VERTICES {
            self.dropped += 1;
            return false;
        }
        self.settled = false;
        let first = self.parts.parts.len();
        let is_quick = reach == Reach::Within
            && geometry.kind == WorldKind::Polygons
            && self.cutter.zoom() >= MIN_QUICK;
        let whole = match is_quick {
            true => self.cutter.cut_within(geometry, &mut self.parts),
            false => self.cutter.cut(geometry, &mut self.parts),
        };
        let parts = first..self.parts.parts.len();
        if parts.is_empty() {
            return false;
        }
        let broken = geometry.kind == WorldKind::Polygons
            && !simple::certainly_valid(&self.parts.coords, &self.parts.parts[parts.clone()]);
        let anchor = self
            .parts
            .ring(first)
            .first()
            .copied()
            .filter(|_| whole == Whole::Yes);
        self.rows.push(Row {
            id: Some(id),
            kind: geometry.kind,
            parts,
            tags: 0..0,
            anchor,
            broken,
            given_up: false,
        });
        true
    }

    /// Adds values to what was cut last: each key once, with what [`Self::intern`] gave.
    #[inline]
    pub fn tag_last(&mut self, values: impl IntoIterator<Item = (usize, ValueIndex)>) {
        let start = self.tags.len();
        for (key, value) in values {
            let key = self.key_of.get(key).copied();
            self.tags
                .extend(key.into_iter().flat_map(|key| [key, value.get()]));
        }
        if let Some(row) = self.rows.last_mut() {
            row.tags = start..self.tags.len();
        }
    }

    /// Adds polygons that stand for several features each: rings in tile pixels, the exterior first, valid before they are
    /// clipped.
    pub fn add_blocks(&mut self, blocks: &[Vec<Vec<[i32; 2]>>]) {
        for rings in blocks {
            let first = self.parts.parts.len();
            let mut broken = false;
            for (number, ring) in rings.iter().enumerate() {
                match cut::clipped(ring, &mut self.parts, number > 0) {
                    Some(whole) => broken |= whole == Whole::No,
                    None if number == 0 => break,
                    None => {}
                }
            }
            let parts = first..self.parts.parts.len();
            let broken = broken
                && !simple::certainly_valid(&self.parts.coords, &self.parts.parts[parts.clone()]);
            self.push_together(WorldKind::Polygons, parts, broken);
        }
    }

    /// Adds lines that stand for several features each, in tile pixels.
    pub fn add_network(&mut self, lines: &[Vec<[i32; 2]>]) {
        for line in lines {
            let first = self.parts.parts.len();
            cut::clipped_line(line, &mut self.parts);
            self.push_together(WorldKind::Lines, first..self.parts.parts.len(), false);
        }
    }

    /// Adds a point that stands for several features.
    pub fn add_cluster<'v>(
        &mut self,
        at: WorldPoint,
        values: impl IntoIterator<Item = (usize, TileValue<'v>)>,
    ) {
        let rows = self.rows.len();
        let point = WorldGeometry {
            kind: WorldKind::Points,
            coords: &[at],
            ends: &[],
        };
        self.add(0, point, values);
        if let Some(row) = self.rows.get_mut(rows) {
            row.id = None;
        }
    }

    /// Adds a screen pixel, or a line of half of one, for features that are too small to be seen together.
    pub fn add_mark(&mut self, at: WorldPoint, kind: WorldKind) {
        let Some([x, y]) = self.cutter.pixel(at) else {
            return;
        };
        let far = STEP * 2;
        match kind {
            WorldKind::Lines => self.add_network(&[vec![[x, y], [x + STEP, y]]]),
            _ => self.add_blocks(&[vec![vec![
                [x, y],
                [x + far, y],
                [x + far, y + far],
                [x, y + far],
            ]]]),
        }
    }

    fn push_together(&mut self, kind: WorldKind, parts: std::ops::Range<usize>, broken: bool) {
        if parts.is_empty() {
            return;
        }
        self.settled = false;
        self.rows.push(Row {
            id: None,
            kind,
            parts,
            tags: 0..0,
            anchor: None,
            broken,
            given_up: false,
        });
    }

    /// A value's place in the layer, for callers that know which of their values are the same; `None` for
    /// what is not written (see [`TileValue`]).
    #[inline]
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
            let row = self.rows.len();
            if std::mem::replace(&mut self.seen[key as usize], row) != row {
                self.tags.extend([key, value.get()]);
            }
        }
        start..self.tags.len()
    }
}
