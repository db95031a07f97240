//! How large features are: what a low zoom draws by itself, and what it draws together.

use std::ops::Range;

use model::Envelope;
use model::world::WorldPoint;

use super::hit::Hit;
use super::part::Part;
use super::segment::Segment;
use super::snapshot::{Snapshot, is_box};

/// Where a feature lies and how large it is, in world units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The north-western corner of the box around it.
    pub corner: WorldPoint,
    /// The longer side of that box.
    pub side: u32,
}

/// The spans of a segment, found when they are first asked for.
#[derive(Debug)]
pub(super) struct Spans {
    /// By slot; of a slot without vertices nothing that means anything.
    of: Box<[Span]>,
    /// Slots with vertices, the smallest first.
    by_side: Box<[u32]>,
}

impl Spans {
    pub(super) fn find(segment: &Segment) -> Self {
        let mut by_side = Vec::with_capacity(segment.fids.len());
        let span = |slot: u32| {
            let (mut low, mut high) = ([u32::MAX; 2], [0; 2]);
            for p in segment.arena.geometries(slot).flat_map(|g| g.coords) {
                for k in 0..2 {
                    low[k] = low[k].min(p[k]);
                    high[k] = high[k].max(p[k]);
                }
            }
            let side = |k: usize| high[k].saturating_sub(low[k]);
            if low[0] <= high[0] {
                by_side.push(slot);
            }
            Span {
                corner: low,
                side: side(0).max(side(1)),
            }
        };
        let of: Box<[Span]> = (0..segment.fids.len() as u32).map(span).collect();
        by_side.sort_by_key(|slot| of[*slot as usize].side);
        let by_side = by_side.into();
        Self { of, by_side }
    }

    fn side(&self, slot: u32) -> u64 {
        u64::from(self.of[slot as usize].side)
    }

    /// Slots whose side is in the range.
    fn sized(&self, sides: &Range<u64>) -> &[u32] {
        let at = |side: u64| self.by_side.partition_point(|slot| self.side(*slot) < side);
        let (from, to) = (at(sides.start), at(sides.end));
        &self.by_side[from..to.max(from)]
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.of.len() * size_of::<Span>() + self.by_side.len() * 4
    }
}

impl Hit<'_> {
    /// O(vertices of all features) for the first such question.
    pub fn span(&self) -> Option<Span> {
        let arena = &self.part.segment.arena;
        let mut geometries = arena.geometries(self.slot);
        let has_vertices = geometries.any(|g| !g.coords.is_empty());
        has_vertices.then(|| self.part.segment.spans().of[self.slot as usize])
    }
}

impl Part {
    /// Live slots whose envelope intersects the box and whose side is in the range.
    fn sized(&self, envelope: Envelope, sides: &Range<u64>) -> Vec<u32> {
        let spans = self.segment.spans();
        let sized = spans.sized(sides);
        let meets = |slot: &u32| {
            let found = self.segment.envelope(*slot);
            found.is_some_and(|e| e.intersects(&envelope))
        };
        // As many as would be found if they lay evenly; a tree finds one in the time in which a list is passed over four.
        let share = self.extent().map_or(0.0, |all| shared(&all, &envelope));
        let in_box = self.live_with_envelope() as f64 * share * 4.0;
        if sized.len() as f64 <= in_box {
            let live = sized.iter().filter(|slot| self.is_live(**slot));
            live.copied().filter(meets).collect()
        } else {
            let found = self.search(envelope);
            found
                .filter(|slot| sides.contains(&spans.side(*slot)))
                .collect()
        }
    }
}

/// Which share of a box lies in the other one.
fn shared(all: &Envelope, part: &Envelope) -> f64 {
    let along = |k: usize| {
        let (low, high) = (all.min[k].max(part.min[k]), all.max[k].min(part.max[k]));
        let whole = all.max[k] - all.min[k];
        if whole > 0.0 {
            ((high - low) / whole).clamp(0.0, 1.0)
        } else {
            1.0
        }
    };
    along(0) * along(1)
}

impl Snapshot {
    /// Features whose envelope intersects the box, ends inclusive, and whose longer side in world units is in the range; in
    /// no order. O(those of that size) or O(those in the box), whichever seems less.
    pub fn sized<'a>(
        &'a self,
        envelope: &Envelope,
        sides: Range<u64>,
    ) -> impl Iterator<Item = Hit<'a>> + use<'a> {
        let envelope = *envelope;
        let parts: &[Part] = if is_box(&envelope) {
            &self.inner.parts
        } else {
            &[]
        };
        parts.iter().flat_map(move |part| {
            let slots = part.sized(envelope, &sides);
            slots.into_iter().map(move |slot| Hit { part, slot })
        })
    }
}
