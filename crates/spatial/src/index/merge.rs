//! Walking several segments as one, in ascending order of the key, and making one segment of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::builder::SegmentBuilder;
use super::column::ValueRef;
use super::hit::Hit;
use super::segment::Part;
use super::snapshot::Put;
use crate::Error;

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
    // Codes of each part and column in the new segment, found when first met.
    let mut translated: Vec<Vec<Vec<u32>>> = vec![vec![Vec::new(); searchable.len()]; parts.len()];
    let mut codes = Vec::with_capacity(searchable.len());
    let mut puts = puts.iter().peekable();
    let push_put = |builder: &mut SegmentBuilder, put: &Put<'_>| {
        let geometries = put.geometries.iter().map(model::world::WorldBuf::view);
        builder.push(
            put.fid,
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
        codes.clear();
        for (column, known) in translated[index].iter_mut().enumerate() {
            let code = hit.code(column) as usize;
            if known.is_empty() {
                known.resize(hit.distinct(column), u32::MAX);
            }
            // u32::MAX is no code: a segment has fewer slots.
            if known[code] == u32::MAX {
                known[code] = builder.code_of(column, hit.value(column))?;
            }
            codes.push(known[code]);
        }
        let geometries: Vec<_> = hit.geometries().collect();
        builder.push_codes(
            hit.fid(),
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
