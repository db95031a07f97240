//! A feature found in a snapshot.

use geo_types::{Coord, Geometry, GeometryCollection};
use model::Envelope;
use model::world::{WorldGeometry, unproject};

use super::part::Part;
use super::text::Rank;
use crate::area::shape_of;
use model::ValueRef;

/// A feature of a snapshot, borrowed from it.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'a> {
    pub(super) part: &'a Part,
    pub(super) slot: u32,
}

/// A value as its column keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coded {
    /// Equal codes of one segment are equal values.
    pub segment: u64,
    pub code: u32,
    /// Codes of the column in this segment, those of dead features included.
    pub distinct: usize,
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
    #[inline]
    pub fn fid(&self) -> i64 {
        self.part.segment.fids[self.slot as usize]
    }

    /// A number of the state that the feature is in: after a change it has another one, and no other feature that came
    /// in by an edit has the same. It holds within the process.
    pub fn stamp(&self) -> u64 {
        self.part.segment.stamps[self.slot as usize]
    }

    /// Longitude/latitude in degrees; `None` for a feature without geometry.
    #[inline]
    pub fn envelope(&self) -> Option<Envelope> {
        self.part.segment.envelope(self.slot)
    }

    /// Whether the feature has no geometry, which is another thing than an empty one.
    pub fn is_unplaced(&self) -> bool {
        self.envelope().is_none() && self.part.segment.arena.is_bare(self.slot)
    }

    /// At most one geometry of each kind, in world units; one without points where the feature's is empty.
    #[inline]
    pub fn geometries(&self) -> impl Iterator<Item = WorldGeometry<'a>> + use<'a> {
        self.part.segment.arena.geometries(self.slot)
    }

    /// Vertices of all geometries.
    #[inline]
    pub fn vertices(&self) -> usize {
        self.geometries()
            .map(|geometry| geometry.coords.len())
            .sum()
    }

    /// The geometry in longitude/latitude, as the index has it: vertices to a centimetre. `None` without one.
    pub fn geometry(&self) -> Option<Geometry<f64>> {
        if self.is_unplaced() {
            return None;
        }
        let coord = |point| {
            let [x, y] = unproject(point);
            Coord { x, y }
        };
        let shapes = self.geometries();
        let mut all: Vec<Geometry<f64>> = shapes.map(|shape| shape_of(&shape, coord)).collect();
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Some(only),
            (last, _) => {
                all.extend(last);
                Some(Geometry::GeometryCollection(GeometryCollection(all)))
            }
        }
    }

    /// The value of a column; null where the reader does not see the column.
    ///
    /// # Panics
    /// When the snapshot has fewer columns.
    #[inline]
    pub fn value(&self, column: usize) -> ValueRef<'a> {
        let values = &self.part.segment.columns[column];
        if self.part.sees(column) {
            values.value(values.code(self.slot))
        } else {
            ValueRef::Null
        }
    }

    /// The code of a column's value; `None` where the reader does not see the column.
    ///
    /// # Panics
    /// When the snapshot has fewer columns.
    #[inline]
    pub fn coded(&self, column: usize) -> Option<Coded> {
        let segment = &self.part.segment;
        let values = &segment.columns[column];
        self.part.sees(column).then(|| Coded {
            segment: segment.id,
            code: values.code(self.slot),
            distinct: values.distinct(),
        })
    }
}
