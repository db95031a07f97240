//! A feature found in a snapshot.

use model::Envelope;
use model::world::WorldGeometry;

use super::column::ValueRef;
use super::segment::Part;
use super::text::Rank;

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

    /// Longitude/latitude in degrees; `None` for a feature without geometry.
    pub fn envelope(&self) -> Option<Envelope> {
        self.part.segment.envelope(self.slot)
    }

    /// At most one geometry of each kind, in world units.
    pub fn geometries(&self) -> impl Iterator<Item = WorldGeometry<'a>> + use<'a> {
        self.part.segment.arena.geometries(self.slot)
    }

    /// The value of a column.
    ///
    /// # Panics
    /// When the snapshot has fewer columns.
    pub fn value(&self, column: usize) -> ValueRef<'a> {
        let column = &self.part.segment.columns[column];
        column.value(column.code(self.slot))
    }

    /// The number of the value among the distinct values of its column: hits of one [`Hit::segment`] with equal
    /// codes have equal values, so a caller can translate each code once.
    ///
    /// # Panics
    /// When the snapshot has fewer columns.
    pub fn code(&self, column: usize) -> u32 {
        self.part.segment.columns[column].code(self.slot)
    }

    /// Codes of a column are below this number, within the hit's segment.
    ///
    /// # Panics
    /// When the snapshot has fewer columns.
    pub fn distinct(&self, column: usize) -> usize {
        self.part.segment.columns[column].distinct()
    }

    /// The value that a code of this hit's segment stands for.
    ///
    /// # Panics
    /// When the snapshot has fewer columns or the segment fewer codes.
    pub fn value_of_code(&self, column: usize, code: u32) -> ValueRef<'a> {
        self.part.segment.columns[column].value(code)
    }

    /// The segment that the feature stands in; unique in the process, never used again.
    pub fn segment(&self) -> u64 {
        self.part.segment.id
    }
}
