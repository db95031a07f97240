//! An index at one moment, and the next one.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::world::WorldBuf;
use model::{Bbox, Envelope, Message, Value, ValueRef};

use super::builder::check;
use super::hit::Hit;
use super::merge::{Merged, merge};
use super::part::Part;
use crate::Error;

/// A change of one feature.
#[derive(Debug, Clone)]
pub enum Edit {
    /// Adds the feature or replaces the one of this key.
    Put {
        fid: i64,
        envelope: Option<Envelope>,
        geometries: Vec<WorldBuf>,
        values: Vec<Value>,
    },
    /// Takes the feature away; nothing happens when there is none.
    Remove { fid: i64 },
}

/// The feature of an [`Edit::Put`].
pub(super) struct Put<'a> {
    pub(super) fid: i64,
    pub(super) envelope: Option<Envelope>,
    pub(super) geometries: &'a [WorldBuf],
    pub(super) values: &'a [Value],
}

/// The index of a collection at one moment. Never changes; cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    /// Unique in the process; greater than that of the snapshot from which this one was made.
    pub(super) number: u64,
    /// From the greatest to the smallest, as far as deletes allow; about log2 of the features at most.
    pub(super) parts: Vec<Part>,
    len: usize,
    pub(super) searchable: Box<[bool]>,
    /// Whether it is beside those that follow each other: of another moment than now.
    pub(super) is_aside: bool,
}

/// One feature beside so many of the greatest part at most: features of several parts lie further from each other in memory, and
/// each part is asked. A tile took an eighth longer without this, a twentieth with 8.
const BESIDE: usize = 16;

/// While nobody writes, one of so many at most is beside the greatest part or dead. With less than that, all features would be
/// copied for a handful of edits.
const BESIDE_AT_REST: usize = 100;

impl Snapshot {
    pub(super) fn new(parts: Vec<Part>, searchable: Box<[bool]>, is_aside: bool) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let len = parts.iter().map(Part::live).sum();
        Self {
            inner: Arc::new(Inner {
                number: NEXT.fetch_add(1, Ordering::Relaxed),
                parts,
                len,
                searchable,
                is_aside,
            }),
        }
    }

    /// Features, those without geometry included.
    pub fn len(&self) -> usize {
        self.inner.len
    }

    pub fn is_empty(&self) -> bool {
        self.inner.len == 0
    }

    /// Values of each feature.
    pub fn columns(&self) -> usize {
        self.inner.searchable.len()
    }

    /// The exact box around all features, longitude/latitude; `None` when none has a geometry.
    /// After a delete at its edge the next call walks over the envelopes once.
    pub fn extent(&self) -> Option<Envelope> {
        let parts = self.inner.parts.iter().filter_map(Part::extent);
        let all = parts.reduce(Envelope::union)?;
        // Of the two zeros the same one, in whatever order features came.
        Some(Envelope {
            min: all.min.map(|x| x + 0.0),
            max: all.max.map(|x| x + 0.0),
        })
    }

    /// Features whose envelope intersects the box, ends inclusive, in no order. A reversed box or one
    /// with NaN holds nothing.
    pub fn search<'a>(&'a self, envelope: &Envelope) -> impl Iterator<Item = Hit<'a>> + use<'a> {
        let envelope = *envelope;
        let parts: &[Part] = if is_box(&envelope) {
            &self.inner.parts
        } else {
            &[]
        };
        parts
            .iter()
            .flat_map(move |part| part.search(envelope).map(move |slot| Hit { part, slot }))
    }

    /// As [`Self::search`] with a query box; a feature on both sides of the antimeridian comes once.
    pub fn search_bbox<'a>(&'a self, bbox: &Bbox) -> impl Iterator<Item = Hit<'a>> + use<'a> {
        let mut boxes = bbox.envelopes();
        let first = boxes.next();
        let second = boxes.next();
        let again = move |hit: &Hit<'_>| {
            hit.envelope()
                .zip(first)
                .is_some_and(|(e, first)| e.intersects(&first))
        };
        let in_first = first.into_iter().flat_map(|e| self.search(&e));
        let in_second = second
            .into_iter()
            .flat_map(|e| self.search(&e))
            .filter(move |hit| !again(hit));
        in_first.chain(in_second)
    }

    /// Features without geometry, in no order.
    pub fn unplaced(&self) -> impl Iterator<Item = Hit<'_>> {
        let parts = self.inner.parts.iter();
        parts.flat_map(|part| part.unplaced().map(move |slot| Hit { part, slot }))
    }

    /// How many features [`Self::search`] finds.
    pub fn count(&self, envelope: &Envelope) -> usize {
        if !is_box(envelope) {
            return 0;
        }
        let count = |part: &Part| match part.extent() {
            Some(all) if envelope.contains(&all) => part.live_with_envelope(),
            Some(all) if envelope.intersects(&all) => part.search(*envelope).count(),
            _ => 0,
        };
        self.inner.parts.iter().map(count).sum()
    }

    /// How many features [`Self::search_bbox`] finds.
    pub fn count_bbox(&self, bbox: &Bbox) -> usize {
        let mut boxes = bbox.envelopes();
        match (boxes.next(), boxes.next()) {
            (Some(only), None) => self.count(&only),
            _ => self.search_bbox(bbox).count(),
        }
    }

    pub fn get(&self, fid: i64) -> Option<Hit<'_>> {
        self.inner.parts.iter().find_map(|part| {
            Some(Hit {
                part,
                slot: part.find(fid)?,
            })
        })
    }

    /// Features whose value in a column is this one, of the same kind, in no order; none where the column is not seen.
    /// O(features) for the first such question to a column, and O(answers) after it.
    ///
    /// # Panics
    /// When the snapshot has fewer columns.
    pub fn equal<'a>(
        &'a self,
        column: usize,
        value: ValueRef<'_>,
    ) -> impl Iterator<Item = Hit<'a>> + use<'a> {
        let found = |part: &'a Part| {
            let slots = match part.sees(column) {
                true => part.segment.columns[column].slots_of(value),
                false => &[],
            };
            let live = slots.iter().filter(|slot| part.is_live(**slot));
            live.map(|slot| Hit { part, slot: *slot })
                .collect::<Vec<_>>()
        };
        let found: Vec<Vec<Hit<'a>>> = self.inner.parts.iter().map(found).collect();
        found.into_iter().flatten()
    }

    /// Whether [`Self::equal`] finds few features, and without having to look at all first.
    pub fn finds(&self, column: usize, value: ValueRef<'_>) -> bool {
        /// Slots of a segment that are looked at in no time.
        const FEW: usize = 1_000;
        self.inner.parts.iter().all(|part| {
            let values = &part.segment.columns[column];
            let is_ready = part.slots() <= FEW || values.is_indexed();
            is_ready && values.slots_of(value).len() <= FEW
        })
    }

    /// How many features have a geometry.
    pub fn placed(&self) -> usize {
        self.inner.parts.iter().map(Part::live_with_envelope).sum()
    }

    /// All features in ascending order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = Hit<'_>> {
        self.iter_after(None)
    }

    /// Features whose key is greater, in ascending order; all of them for `None`.
    pub fn iter_after(&self, fid: Option<i64>) -> impl Iterator<Item = Hit<'_>> {
        let parts = &self.inner.parts;
        Merged::new(parts, fid).map(|(index, slot)| Hit {
            part: &parts[index],
            slot,
        })
    }

    /// The next `n` keys after one, ascending.
    pub fn fids_after(&self, fid: i64, n: usize) -> Vec<i64> {
        self.iter_after(Some(fid))
            .take(n)
            .map(|hit| hit.fid())
            .collect()
    }

    /// The next snapshot. Of several edits of one feature the last one counts.
    /// On average O(log n) features are copied for an edit, [`BESIDE`] of them so that the others stay few.
    ///
    /// # Errors
    /// When a feature to put breaks a rule of [`super::Builder::push`]; this snapshot stays as it is in any case.
    pub fn with(&self, edits: &[Edit]) -> Result<Snapshot, Error> {
        self.made(edits, self.inner.is_aside)
    }

    /// As [`Self::with`], for a moment that is not the next one. As few features as can be are copied: the rest is shared
    /// with this snapshot.
    ///
    /// # Errors
    /// As [`Self::with`].
    pub fn aside(&self, edits: &[Edit]) -> Result<Snapshot, Error> {
        self.made(edits, true)
    }

    fn made(&self, edits: &[Edit], is_aside: bool) -> Result<Snapshot, Error> {
        caught(|| self.next(edits, is_aside))
    }

    fn next(&self, edits: &[Edit], is_aside: bool) -> Result<Snapshot, Error> {
        let mut last: BTreeMap<i64, Option<Put<'_>>> = BTreeMap::new();
        for edit in edits {
            match edit {
                Edit::Remove { fid } => last.insert(*fid, None),
                Edit::Put {
                    fid,
                    envelope,
                    geometries,
                    values,
                } => {
                    check(*fid, *envelope, values.len(), self.columns())?;
                    last.insert(
                        *fid,
                        Some(Put {
                            fid: *fid,
                            envelope: *envelope,
                            geometries,
                            values,
                        }),
                    )
                }
            };
        }
        let mut parts = self.inner.parts.clone();
        for fid in last.keys() {
            if let Some((part, slot)) = parts
                .iter_mut()
                .find_map(|p| p.find(*fid).map(|slot| (p, slot)))
            {
                part.kill(slot);
            }
        }
        let puts: Vec<Put<'_>> = last.into_values().flatten().collect();
        let searchable = &self.inner.searchable;
        parts.retain(|part| part.live() > 0);
        for part in &mut parts {
            if !is_aside && part.live() * 2 < part.slots() {
                // Most of it is dead: its memory is given back.
                let compact = merge(std::slice::from_ref(part), &[], searchable)?;
                *part = compact.expect("the part has live features");
            }
        }
        if !puts.is_empty() {
            let mut size = puts.len();
            let mut keep = parts.len();
            while keep > 0 && parts[keep - 1].live() <= size {
                keep -= 1;
                size += parts[keep].live();
            }
            let beside: usize = parts[..keep].iter().skip(1).map(Part::live).sum();
            if !is_aside && keep > 0 && (beside + size) * BESIDE > parts[0].live() {
                keep = 0;
            }
            let small = merge(&parts[keep..], &puts, searchable)?;
            parts.truncate(keep);
            parts.extend(small);
        }
        Ok(Snapshot::new(parts, searchable.clone(), is_aside))
    }

    /// Another for each snapshot of the process.
    pub fn number(&self) -> u64 {
        self.inner.number
    }

    /// Whether features would be found sooner in one part.
    pub fn is_scattered(&self) -> bool {
        self.strays() * BESIDE_AT_REST > self.len()
    }

    /// Features that are not in the greatest part, and those that are dead but still in memory.
    pub fn strays(&self) -> usize {
        let parts = &self.inner.parts;
        let slots: usize = parts.iter().map(Part::slots).sum();
        slots - parts.iter().map(Part::live).max().unwrap_or(0)
    }

    /// The same features in one part, for the time in which nobody writes. All are copied.
    ///
    /// # Errors
    /// When the features can't be in one part.
    pub fn gathered(&self) -> Result<Snapshot, Error> {
        caught(|| {
            let (searchable, is_aside) = (&self.inner.searchable, self.inner.is_aside);
            let all = merge(&self.inner.parts, &[], searchable)?;
            if let Some(all) = &all {
                let columns = 0..self.columns();
                columns
                    .filter(|column| self.is_asked_by_value(*column))
                    .for_each(|column| all.segment.columns[column].index());
            }
            let parts = Vec::from_iter(all);
            Ok(Snapshot::new(parts, searchable.clone(), is_aside))
        })
    }

    /// Whether features were found by a value of a column: what was made for that is made again before anybody waits for it.
    fn is_asked_by_value(&self, column: usize) -> bool {
        let mut parts = self.inner.parts.iter();
        parts.any(|part| part.segment.columns[column].is_indexed())
    }

    /// How many features are in memory for this snapshot that are not for the other one.
    pub fn beside(&self, other: &Snapshot) -> usize {
        let theirs = |part: &&Part| {
            let mut others = other.inner.parts.iter();
            others.any(|other| Arc::ptr_eq(&other.segment, &part.segment))
        };
        let own = self.inner.parts.iter().filter(|part| !theirs(part));
        own.map(Part::slots).sum()
    }

    /// Memory that the index takes, without what older snapshots still hold.
    pub fn memory_bytes(&self) -> usize {
        self.inner.parts.iter().map(Part::memory_bytes).sum()
    }
}

/// A snapshot that can't be made is an error, whatever the reason.
fn caught(make: impl FnOnce() -> Result<Snapshot, Error>) -> Result<Snapshot, Error> {
    catch_unwind(AssertUnwindSafe(make))
        .unwrap_or_else(|_panic| Err(Error::Failed(Message::new("spatial.index-failed"))))
}

/// Whether the corners are in order; false for NaN.
pub(super) fn is_box(envelope: &Envelope) -> bool {
    (0..2).all(|i| envelope.min[i] <= envelope.max[i])
}

#[cfg(test)]
mod tests {
    use super::super::Builder;
    use super::*;

    #[test]
    fn few_features_are_beside_the_greatest_part_however_many_are_edited() {
        let mut builder = Builder::new(0, &[]);
        for fid in 1..=4_000 {
            builder.push(fid, None, &[], &[]).unwrap();
        }
        let mut snapshot = builder.finish();
        for edit in 0..10_000 {
            // A stride that meets all of them, far from each other.
            let fid = 1 + edit * 1_447 % 4_000;
            let put = Edit::Put {
                fid,
                envelope: None,
                geometries: Vec::new(),
                values: Vec::new(),
            };
            snapshot = snapshot.with(&[put]).unwrap();
            let parts = &snapshot.inner.parts;
            let beside: usize = parts[1..].iter().map(Part::live).sum();
            assert!(beside * BESIDE <= parts[0].live(), "{edit}: {beside}");
        }
        assert_eq!(snapshot.len(), 4_000);
    }
}
