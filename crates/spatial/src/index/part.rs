//! A segment as one snapshot sees it.

use std::sync::{Arc, OnceLock};

use model::Envelope;
use rstar::AABB;

use super::haystack::Haystack;
use super::segment::Segment;
use super::tombstones::Tombstones;

/// A segment without what was replaced, removed or is not seen.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) segment: Arc<Segment>,
    pub(super) dead: Tombstones,
    dead_with_envelope: usize,
    /// Columns whose values are seen; `None` when all are.
    seen_columns: Option<Arc<[bool]>>,
    /// Shared by copies of the part that have the same tombstones.
    found: Arc<Found>,
}

/// What is found about the live features when it is asked for, since a delete may change it.
#[derive(Debug, Default)]
struct Found {
    extent: OnceLock<Option<Envelope>>,
    /// Codes of each column that a live feature has.
    codes: OnceLock<Box<[OnceLock<Codes>]>>,
}

/// A set of codes.
#[derive(Debug)]
pub(super) struct Codes(Box<[u64]>);

impl Codes {
    pub(super) fn contains(&self, code: u32) -> bool {
        self.0[(code / 64) as usize] >> (code % 64) & 1 == 1
    }
}

impl Part {
    pub(super) fn new(segment: Arc<Segment>) -> Self {
        let found = Found {
            extent: OnceLock::from(segment.extent),
            codes: OnceLock::new(),
        };
        Self {
            segment,
            dead: Tombstones::default(),
            dead_with_envelope: 0,
            seen_columns: None,
            found: Arc::new(found),
        }
    }

    /// The part with null in the place of all values of the other columns.
    pub(super) fn with_columns(self, seen: Arc<[bool]>) -> Self {
        Self {
            seen_columns: Some(seen),
            ..self
        }
    }

    #[inline]
    pub(super) fn sees(&self, column: usize) -> bool {
        let seen = self.seen_columns.as_ref();
        seen.is_none_or(|seen| seen.get(column) == Some(&true))
    }

    pub(super) fn slots(&self) -> usize {
        self.segment.fids.len()
    }

    pub(super) fn live(&self) -> usize {
        self.slots() - self.dead.count()
    }

    pub(super) fn live_with_envelope(&self) -> usize {
        self.segment.tree.size() - self.dead_with_envelope
    }

    #[inline]
    pub(super) fn is_live(&self, slot: u32) -> bool {
        self.dead.count() == 0 || !self.dead.contains(slot)
    }

    fn live_slots(&self) -> impl Iterator<Item = u32> {
        (0..self.slots() as u32).filter(|slot| self.is_live(*slot))
    }

    /// The slot of a live feature.
    pub(super) fn find(&self, fid: i64) -> Option<u32> {
        let slot = self.segment.fids.binary_search(&fid).ok()? as u32;
        self.is_live(slot).then_some(slot)
    }

    /// Marks a live slot dead.
    pub(super) fn kill(&mut self, slot: u32) {
        self.dead.insert(slot);
        let gone = self.segment.envelope(slot);
        self.dead_with_envelope += usize::from(gone.is_some());
        let inside = |all: &Envelope, gone: &Envelope| {
            (0..2).all(|i| all.min[i] < gone.min[i] && gone.max[i] < all.max[i])
        };
        let extent = self.found.extent.get().filter(|all| match (all, &gone) {
            (_, None) => true,
            (Some(all), Some(gone)) => inside(all, gone),
            (None, Some(_)) => false,
        });
        let extent = extent.map_or_else(OnceLock::new, |extent| OnceLock::from(*extent));
        let found = Found {
            extent,
            codes: OnceLock::new(),
        };
        match Arc::get_mut(&mut self.found) {
            Some(own) => *own = found,
            None => self.found = Arc::new(found),
        }
    }

    pub(super) fn extent(&self) -> Option<Envelope> {
        *self.found.extent.get_or_init(|| {
            let envelopes = self.live_slots().filter_map(|s| self.segment.envelope(s));
            envelopes.reduce(Envelope::union)
        })
    }

    /// Live slots whose envelope intersects the box, ends inclusive, in no order.
    pub(super) fn search(&self, envelope: Envelope) -> impl Iterator<Item = u32> {
        let aabb = AABB::from_corners(envelope.min, envelope.max);
        let found = self.segment.tree.locate_in_envelope_intersecting(&aabb);
        found
            .map(|leaf| leaf.slot)
            .filter(|slot| self.is_live(*slot))
    }

    /// Live slots of features without geometry, ascending.
    pub(super) fn unplaced(&self) -> impl Iterator<Item = u32> {
        let slots = self.segment.unplaced.iter().copied();
        slots.filter(|slot| self.is_live(*slot))
    }

    /// The text of a column, where it is seen and searchable. Texts of dead features are in it too.
    pub(super) fn haystack(&self, column: usize) -> Option<&Haystack> {
        let haystack = self.segment.columns[column].haystack();
        haystack.filter(|_| self.sees(column))
    }

    /// Codes of a column that a live feature has; `None` when no feature is dead. O(slots) the first time.
    pub(super) fn live_codes(&self, column: usize) -> Option<&Codes> {
        if self.dead.count() == 0 {
            return None;
        }
        let columns = self.segment.columns.len();
        let all = self
            .found
            .codes
            .get_or_init(|| (0..columns).map(|_| OnceLock::new()).collect());
        Some(all[column].get_or_init(|| {
            let column = &self.segment.columns[column];
            let mut bits = vec![0_u64; column.distinct().div_ceil(64)];
            for code in self.live_slots().map(|slot| column.code(slot)) {
                bits[(code / 64) as usize] |= 1 << (code % 64);
            }
            Codes(bits.into())
        }))
    }

    /// The first live slot of each code of a column, in the order of the codes. O(slots).
    pub(super) fn first_slots(&self, column: usize) -> Vec<Option<u32>> {
        let column = &self.segment.columns[column];
        let mut first = vec![None; column.distinct()];
        for slot in self.live_slots() {
            first[column.code(slot) as usize].get_or_insert(slot);
        }
        first
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.segment.memory_bytes() + self.dead.memory_bytes()
    }
}
