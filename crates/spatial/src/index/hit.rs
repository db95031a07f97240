//! A feature found in a snapshot.

use model::Envelope;
use model::world::WorldGeometry;

use super::part::Part;
use super::text::Rank;
use model::ValueRef;

/// A feature of a snapshot, borrowed from it.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'a> {
    pub(super) part: &'a Part,
    pub(super) slot: u32,
}

/// A feature found by its text.
#[derive(Debug, Clone, Copy)]
pub struct TextHit<'a> {
    pub hit: Hit<'a>,
    /// The column whose value matched.
    pub column: usize,
    /// How well it matched.
    pub rank: Rank,
}

impl<'a> Hit<'a> {
    pub fn fid(&self) -> i64 {
        self.part.segment.fids[self.slot as usize]
    }

    /// A number of the state that the feature is in: after a change it has another one, and no other feature that came
    /// in by an edit has the same. It holds within the process.
    pub fn stamp(&self) -> u64 {
        self.part.segment.stamps[self.slot as usize]
    }

    /// Longitude/latitude in degrees; `None` for a feature without geometry.
    pub fn envelope(&self) -> Option<Envelope> {
        self.part.segment.envelope(self.slot)
    }

    /// Whether the feature has no geometry, which is another thing than an empty one.
    pub fn is_unplaced(&self) -> bool {
        self.envelope().is_none() && self.part.segment.arena.is_bare(self.slot)
    }

    /// At most one geometry of each kind, in world units; one without points where the feature's is empty.
    pub fn geometries(&self) -> impl Iterator<Item = WorldGeometry<'a>> + use<'a> {
        self.part.segment.arena.geometries(self.slot)
    }

    /// The value of a column; null where the reader does not see the column.
    ///
    /// # Panics
    /// When the snapshot has fewer columns.
    pub fn value(&self, column: usize) -> ValueRef<'a> {
        let values = &self.part.segment.columns[column];
        if self.part.sees(column) {
            values.value(values.code(self.slot))
        } else {
            ValueRef::Null
        }
    }
}
