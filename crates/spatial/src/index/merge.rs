//! Walking several segments as one, in ascending order of the key, and making one segment of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use model::world::WorldBuf;

use super::builder::SegmentBuilder;
use super::hit::Hit;
use super::part::Part;
use super::segment::Segment;
use super::snapshot::Put;
use crate::Error;
use model::ValueRef;

/// The live features of several parts in ascending order of their keys.
pub(super) struct Merged<'a> {
    parts: &'a [Part],
    /// The next key, part and slot of each part that is not at its end.
    heads: BinaryHeap<Reverse<(i64, usize, u32)>>,
}

impl<'a> Merged<'a> {
    /// Starts behind a key, or at the first feature.
    pub(super) fn new(parts: &'a [Part], after: Option<i64>) -> Self {
        let mut merged = Self {
            parts,
            heads: BinaryHeap::with_capacity(parts.len()),
        };
        for (index, part) in parts.iter().enumerate() {
            let first = after.map_or(0, |after| {
                part.segment.fids.partition_point(|fid| *fid <= after)
            });
            merged.push_from(index, first);
        }
        merged
    }

    fn push_from(&mut self, index: usize, slot: usize) {
        let part = &self.parts[index];
        let slots = slot as u32..part.slots() as u32;
        if let Some(slot) = slots.into_iter().find(|slot| part.is_live(*slot)) {
            self.heads
                .push(Reverse((part.segment.fids[slot as usize], index, slot)));
        }
    }
}

impl Iterator for Merged<'_> {
    /// Part and slot.
    type Item = (usize, u32);

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((_, index, slot)) = self.heads.pop()?;
        self.push_from(index, slot as usize + 1);
        Some((index, slot))
    }
}

/// One part of the live features of several parts and of new ones, which none of the parts holds.
/// `puts` are in ascending order of their keys; `None` when nothing is left.
pub(super) fn merge(
    parts: &[Part],
    puts: &[Put<'_>],
    searchable: &[bool],
) -> Result<Option<Part>, Error> {
    let mut builder = SegmentBuilder::new(searchable);
    let mut translations: Vec<Translation> =
        parts.iter().map(|_| Translation::new(searchable)).collect();
    let mut puts = puts.iter().peekable();
    let stamp = Segment::next_stamp();
    let push_put = |builder: &mut SegmentBuilder, put: &Put<'_>| {
        let geometries = put.geometries.iter().map(WorldBuf::view);
        builder.push(
            (put.fid, stamp),
            put.envelope,
            geometries,
            put.values.iter().map(ValueRef::from),
        )
    };
    for (index, slot) in Merged::new(parts, None) {
        let hit = Hit {
            part: &parts[index],
            slot,
        };
        while let Some(put) = puts.next_if(|put| put.fid < hit.fid()) {
            push_put(&mut builder, put)?;
        }
        let codes = translations[index].codes(&hit, &mut builder)?;
        let geometries: Vec<_> = hit.geometries().collect();
        builder.push_codes(
            (hit.fid(), hit.stamp()),
            hit.envelope(),
            geometries.into_iter(),
            codes.iter().copied(),
        )?;
    }
    for put in puts {
        push_put(&mut builder, put)?;
    }
    Ok(builder.finish())
}

/// Codes of a segment and what they are in a new one, found when first met.
pub(super) struct Translation {
    columns: Vec<Vec<u32>>,
    /// Of the feature at hand.
    codes: Vec<u32>,
}

impl Translation {
    pub(super) fn new(searchable: &[bool]) -> Self {
        Self {
            columns: vec![Vec::new(); searchable.len()],
            codes: Vec::with_capacity(searchable.len()),
        }
    }

    /// The codes in the new segment of the values of a feature, as its part sees them.
    ///
    /// # Errors
    /// When a column of the new segment is full.
    pub(super) fn codes(
        &mut self,
        hit: &Hit<'_>,
        builder: &mut SegmentBuilder,
    ) -> Result<&[u32], Error> {
        self.codes.clear();
        for (column, known) in self.columns.iter_mut().enumerate() {
            let values = &hit.part.segment.columns[column];
            let code = values.code(hit.slot) as usize;
            if known.is_empty() {
                known.resize(values.distinct(), u32::MAX);
            }
            // u32::MAX is no code: a segment has fewer slots.
            if known[code] == u32::MAX {
                known[code] = builder.code_of(column, hit.value(column))?;
            }
            self.codes.push(known[code]);
        }
        Ok(&self.codes)
    }
}
