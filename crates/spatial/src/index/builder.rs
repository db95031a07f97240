//! Making a segment from features in ascending order of their key.

use std::sync::{Arc, OnceLock};

use model::world::{WorldBuf, WorldGeometry};
use model::{Envelope, Message, Value};
use rstar::{AABB, RTree};

use super::column::ColumnBuilder;
use super::part::Part;
use super::segment::{Arena, Leaf, MAX_ENDS, Piece, Segment};
use super::snapshot::Snapshot;
use crate::Error;
use model::ValueRef;

/// Loads an index at start.
pub struct Builder {
    segment: SegmentBuilder,
    stamp: u64,
    searchable: Box<[bool]>,
}

impl Builder {
    /// For features of `columns` values each; `searchable` says which columns [`Snapshot::search_text`] may look into
    /// (columns beyond its end are not).
    pub fn new(columns: usize, searchable: &[bool]) -> Self {
        let searchable: Box<[bool]> = searchable
            .iter()
            .copied()
            .chain(std::iter::repeat(false))
            .take(columns)
            .collect();
        Self {
            segment: SegmentBuilder::new(&searchable),
            stamp: Segment::next_stamp(),
            searchable,
        }
    }

    /// Adds a feature. A feature without geometry has no envelope and no geometries.
    ///
    /// # Errors
    /// When the key is not greater than the one before, the envelope is not finite or reversed, the number of values
    /// is another, or the index is full. The feature is not added then.
    pub fn push(
        &mut self,
        fid: i64,
        envelope: Option<Envelope>,
        geometries: &[WorldBuf],
        values: &[Value],
    ) -> Result<(), Error> {
        check(fid, envelope, values.len(), self.searchable.len())?;
        self.segment.push(
            (fid, self.stamp),
            envelope,
            geometries.iter().map(WorldBuf::view),
            values.iter().map(ValueRef::from),
        )
    }

    /// Sorts everything into the tree: about a second for 2 million parcels.
    pub fn finish(self) -> Snapshot {
        let part = self.segment.finish();
        Snapshot::new(part.into_iter().collect(), self.searchable, false)
    }
}

/// # Errors
/// When an envelope that would confuse the tree or a wrong number of values comes in.
pub(super) fn check(
    fid: i64,
    envelope: Option<Envelope>,
    values: usize,
    columns: usize,
) -> Result<(), Error> {
    if let Some(e) = envelope {
        let finite = e.min.iter().chain(&e.max).all(|x| x.is_finite());
        if !finite || e.min[0] > e.max[0] || e.min[1] > e.max[1] {
            return Err(Error::Invalid(
                Message::new("spatial.envelope-not-finite").with("fid", fid),
            ));
        }
    }
    if values != columns {
        let message = Message::new("spatial.index-values").with("fid", fid);
        return Err(Error::Invalid(
            message.with("values", values).with("columns", columns),
        ));
    }
    Ok(())
}

/// A segment under construction. What comes in has been checked.
pub(super) struct SegmentBuilder {
    fids: Vec<i64>,
    stamps: Vec<u64>,
    boxes: Vec<[f64; 4]>,
    arena: Arena,
    columns: Vec<ColumnBuilder>,
    codes: Vec<u32>,
}

impl SegmentBuilder {
    pub(super) fn new(searchable: &[bool]) -> Self {
        Self {
            fids: Vec::new(),
            stamps: Vec::new(),
            boxes: Vec::new(),
            arena: Arena {
                first_piece: vec![0],
                ..Arena::default()
            },
            columns: searchable.iter().map(|s| ColumnBuilder::new(*s)).collect(),
            codes: Vec::with_capacity(searchable.len()),
        }
    }

    /// `key` is the feature's own and the stamp of its state.
    pub(super) fn push<'a>(
        &mut self,
        key: (i64, u64),
        envelope: Option<Envelope>,
        geometries: impl Iterator<Item = WorldGeometry<'a>> + Clone,
        values: impl Iterator<Item = ValueRef<'a>>,
    ) -> Result<(), Error> {
        self.codes.clear();
        for (column, value) in self.columns.iter_mut().zip(values) {
            self.codes.push(column.code_of(value)?);
        }
        self.push_coded(key, envelope, geometries)
    }

    /// As [`Self::push`], with the codes that [`Self::code_of`] gave for the values.
    pub(super) fn push_codes<'a>(
        &mut self,
        key: (i64, u64),
        envelope: Option<Envelope>,
        geometries: impl Iterator<Item = WorldGeometry<'a>> + Clone,
        codes: impl Iterator<Item = u32>,
    ) -> Result<(), Error> {
        self.codes.clear();
        self.codes.extend(codes);
        self.push_coded(key, envelope, geometries)
    }

    pub(super) fn code_of(&mut self, column: usize, value: ValueRef<'_>) -> Result<u32, Error> {
        self.columns[column].code_of(value)
    }

    fn push_coded<'a>(
        &mut self,
        (fid, stamp): (i64, u64),
        envelope: Option<Envelope>,
        geometries: impl Iterator<Item = WorldGeometry<'a>> + Clone,
    ) -> Result<(), Error> {
        if self.fids.last().is_some_and(|last| *last >= fid) {
            return Err(Error::Invalid(
                Message::new("spatial.index-order").with("fid", fid),
            ));
        }
        let arena = &mut self.arena;
        let (coords, ends, pieces) = geometries.clone().fold(
            (arena.coords.len(), arena.ends.len(), arena.pieces.len()),
            |(coords, ends, pieces), g| (coords + g.coords.len(), ends + g.ends.len(), pieces + 1),
        );
        let max = u32::MAX as usize;
        if self.fids.len() >= max || coords > max || ends > MAX_ENDS || pieces > max {
            return Err(Error::Failed(Message::new("spatial.index-too-large")));
        }
        for geometry in geometries {
            let piece = Piece::new(
                arena.coords.len() as u32,
                arena.ends.len() as u32,
                geometry.kind,
            );
            arena.pieces.push(piece);
            arena.coords.extend_from_slice(geometry.coords);
            arena.ends.extend_from_slice(geometry.ends);
        }
        arena.first_piece.push(arena.pieces.len() as u32);
        self.fids.push(fid);
        self.stamps.push(stamp);
        self.boxes
            .push(envelope.map_or([f64::NAN; 4], |e| [e.min[0], e.min[1], e.max[0], e.max[1]]));
        for (column, code) in self.columns.iter_mut().zip(&self.codes) {
            column.push_code(*code);
        }
        Ok(())
    }

    /// `None` when nothing was pushed.
    pub(super) fn finish(mut self) -> Option<Part> {
        if self.fids.is_empty() {
            return None;
        }
        let leaves: Vec<Leaf> = self
            .boxes
            .iter()
            .enumerate()
            .filter(|(_, b)| !b[0].is_nan())
            .map(|(slot, [w, s, e, n])| Leaf {
                aabb: AABB::from_corners([*w, *s], [*e, *n]),
                slot: slot as u32,
            })
            .collect();
        let tree = RTree::bulk_load(leaves);
        let slots = 0..self.boxes.len() as u32;
        let is_unplaced =
            |slot: &u32| self.boxes[*slot as usize][0].is_nan() && self.arena.is_bare(*slot);
        let unplaced = slots.filter(is_unplaced).collect();
        let boxes = self.boxes.iter().filter(|b| !b[0].is_nan());
        let extent = boxes
            .map(|[w, s, e, n]| Envelope {
                min: [*w, *s],
                max: [*e, *n],
            })
            .reduce(Envelope::union);
        self.fids.shrink_to_fit();
        self.stamps.shrink_to_fit();
        self.boxes.shrink_to_fit();
        self.arena.first_piece.shrink_to_fit();
        self.arena.pieces.shrink_to_fit();
        self.arena.coords.shrink_to_fit();
        self.arena.ends.shrink_to_fit();
        Some(Part::new(Arc::new(Segment {
            id: Segment::next_id(),
            fids: self.fids,
            stamps: self.stamps,
            boxes: self.boxes,
            tree,
            unplaced,
            arena: self.arena,
            columns: self
                .columns
                .into_iter()
                .map(ColumnBuilder::finish)
                .collect(),
            extent,
            spans: OnceLock::new(),
        })))
    }
}
