//! An immutable run of features: a bulk-loaded tree, packed geometry and attribute columns.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use model::Envelope;
use model::world::{WorldGeometry, WorldKind, WorldPoint};
use rstar::{AABB, RTree, RTreeObject};

use super::column::Column;
use super::span::Spans;

/// Features in ascending order of their key; a slot is a position in that order.
#[derive(Debug)]
pub(super) struct Segment {
    /// Unique in the process: codes of columns hold within one segment.
    pub(super) id: u64,
    pub(super) fids: Vec<i64>,
    /// Of each slot, which state of the feature it holds: another one has another number, in the whole process.
    pub(super) stamps: Vec<u64>,
    /// West, south, east, north of each slot; NaN where the feature has no geometry.
    pub(super) boxes: Vec<[f64; 4]>,
    pub(super) tree: RTree<Leaf>,
    /// Slots of features without geometry, ascending; an empty geometry is one.
    pub(super) unplaced: Vec<u32>,
    pub(super) arena: Arena,
    pub(super) columns: Vec<Column>,
    pub(super) extent: Option<Envelope>,
    pub(super) spans: OnceLock<Spans>,
}

/// An entry of the tree.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) aabb: AABB<[f64; 2]>,
    pub(super) slot: u32,
}

impl RTreeObject for Leaf {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        self.aabb
    }
}

/// The geometries of all slots, one after the other.
#[derive(Debug, Default)]
pub(super) struct Arena {
    /// The first piece of each slot, and one more entry at the end.
    pub(super) first_piece: Vec<u32>,
    pub(super) pieces: Vec<Piece>,
    pub(super) coords: Vec<WorldPoint>,
    pub(super) ends: Vec<u32>,
}

/// A geometry of one kind: where its coordinates and its part ends begin; they reach to the next piece's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) coords: u32,
    /// The kind in the two high bits.
    pub(super) ends: u32,
}

/// Part ends in a segment at most, since two bits of their index hold the kind.
pub(super) const MAX_ENDS: usize = (1 << 30) - 1;

impl Piece {
    pub(super) fn new(coords: u32, ends: u32, kind: WorldKind) -> Self {
        let kind = match kind {
            WorldKind::Points => 0,
            WorldKind::Lines => 1,
            WorldKind::Polygons => 2,
        };
        Self {
            coords,
            ends: kind << 30 | ends,
        }
    }

    fn kind(self) -> WorldKind {
        match self.ends >> 30 {
            0 => WorldKind::Points,
            1 => WorldKind::Lines,
            _ => WorldKind::Polygons,
        }
    }

    fn first_end(self) -> usize {
        (self.ends & MAX_ENDS as u32) as usize
    }
}

impl Arena {
    /// Whether a slot has no piece at all.
    pub(super) fn is_bare(&self, slot: u32) -> bool {
        let slot = slot as usize;
        self.first_piece[slot] == self.first_piece[slot + 1]
    }

    #[inline]
    pub(super) fn geometries(&self, slot: u32) -> impl Iterator<Item = WorldGeometry<'_>> {
        let slot = slot as usize;
        let range = self.first_piece[slot] as usize..self.first_piece[slot + 1] as usize;
        range.map(|i| {
            let piece = self.pieces[i];
            let next = self.pieces.get(i + 1);
            let coords_end = next.map_or(self.coords.len(), |n| n.coords as usize);
            let ends_end = next.map_or(self.ends.len(), |n| n.first_end());
            WorldGeometry {
                kind: piece.kind(),
                coords: &self.coords[piece.coords as usize..coords_end],
                ends: &self.ends[piece.first_end()..ends_end],
            }
        })
    }
}

impl Segment {
    pub(super) fn next_id() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// A number that no state of a feature has yet.
    pub(super) fn next_stamp() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn envelope(&self, slot: u32) -> Option<Envelope> {
        let [w, s, e, n] = self.boxes[slot as usize];
        (!w.is_nan()).then_some(Envelope {
            min: [w, s],
            max: [e, n],
        })
    }

    pub(super) fn spans(&self) -> &Spans {
        self.spans.get_or_init(|| Spans::find(self))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let arena = &self.arena;
        // A tree node has the size of a leaf or of a parent, whichever is greater; parents are about a fifth of leaves.
        let node = size_of::<Leaf>().max(size_of::<AABB<[f64; 2]>>() + size_of::<Vec<u8>>());
        (self.fids.capacity() + self.stamps.capacity()) * 8
            + self.boxes.capacity() * 32
            + self.unplaced.capacity() * 4
            + self.tree.size() * node * 6 / 5
            + arena.first_piece.capacity() * 4
            + arena.pieces.capacity() * 8
            + arena.coords.capacity() * 8
            + arena.ends.capacity() * 4
            + self.columns.iter().map(Column::memory_bytes).sum::<usize>()
            + self.spans.get().map_or(0, Spans::memory_bytes)
    }
}
