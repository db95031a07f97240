//! What a reader sees of an index who may see only a part of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use model::Envelope;
use model::world::WorldBuf;

use super::builder::{SegmentBuilder, check};
use super::hit::Hit;
use super::merge::Translation;
use super::part::Part;
use super::snapshot::Snapshot;
use super::tombstones::Tombstones;
use crate::Error;

/// Whether a feature is seen.
type Sees = Box<dyn Fn(&Hit<'_>) -> bool + Send + Sync>;

/// The envelope and geometries in whose form a feature is seen.
pub type Place = Box<dyn Fn(&Hit<'_>) -> (Option<Envelope>, Vec<WorldBuf>) + Send + Sync>;

/// What a reader sees of the index of one collection.
///
/// Whatever is asked of a snapshot that a view gives, the answer is that of an index which never had the other
/// features and has null in the columns that are not seen; but for how long it takes, [`Snapshot::memory_bytes`], and
/// the order of [`Snapshot::search`], which is none.
///
/// What is seen of a segment is found once, so after an edit only small new segments are looked at. A view keeps what it
/// found about the segments of the newest snapshot and of the last one of another moment ([`Snapshot::aside`]), and these
/// themselves, until it meets others or is dropped.
pub struct View {
    columns: Arc<[bool]>,
    sees: Sees,
    place: Option<Place>,
    kept: Mutex<Kept>,
}

/// What was found so far.
#[derive(Default)]
struct Kept {
    /// About the newest snapshot.
    newest: Found,
    /// About the last one that is beside those that follow each other.
    aside: Found,
}

/// What was found about a snapshot.
#[derive(Default)]
struct Found {
    number: u64,
    /// As it is seen.
    seen: Option<Snapshot>,
    /// By its segments.
    segments: HashMap<u64, Arc<SeenSegment>>,
}

/// What is seen of a segment.
#[derive(Clone)]
struct SeenSegment {
    /// With no tombstones but those of features that are not seen; `None` when no feature is seen.
    whole: Option<Part>,
    /// As it was last, with the tombstones that its source had.
    last: Option<Part>,
    source: Tombstones,
}

impl View {
    /// `columns` says which columns are seen, those beyond its end are not; `sees` which features; `place` in what form
    /// their geometry is seen, `None` is as it is. The functions get features with all of their values and must always
    /// answer the same for the same feature. A feature that is given an envelope against the rules of
    /// [`super::Builder::push`] is seen without geometry.
    ///
    /// Without `place` no geometry is copied; with it the seen features are copied.
    pub fn new(
        columns: &[bool],
        sees: impl Fn(&Hit<'_>) -> bool + Send + Sync + 'static,
        place: Option<Place>,
    ) -> Self {
        Self {
            columns: columns.into(),
            sees: Box::new(sees),
            place,
            kept: Mutex::new(Kept::default()),
        }
    }

    /// The snapshot as the reader sees it. O(features) the first time, later O(features that were edited) as a rule.
    /// The functions are called while nothing is locked; two threads may both find what is new.
    pub fn of(&self, snapshot: &Snapshot) -> Snapshot {
        let number = snapshot.inner.number;
        let is_aside = snapshot.inner.is_aside;
        let mut segments: HashMap<u64, Arc<SeenSegment>> = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let (like, other) = match is_aside {
                true => (&kept.aside, &kept.newest),
                false => (&kept.newest, &kept.aside),
            };
            if let Some(seen) = like.seen.as_ref().filter(|_| like.number == number) {
                return seen.clone();
            }
            let ids = snapshot.inner.parts.iter().map(|part| part.segment.id);
            let known = |id| like.segments.get(&id).or_else(|| other.segments.get(&id));
            ids.filter_map(|id| Some((id, Arc::clone(known(id)?))))
                .collect()
        };
        let searchable = &snapshot.inner.searchable;
        let mut parts = Vec::new();
        for part in &snapshot.inner.parts {
            let id = part.segment.id;
            let before = match segments.remove(&id) {
                Some(seen) => seen,
                None => Arc::new(SeenSegment::new(self.look(part, searchable))),
            };
            let now = before.at(part);
            parts.extend(now.last.clone().filter(|part| part.live() > 0));
            segments.insert(id, Arc::new(now));
        }
        let seen = Snapshot::new(parts, searchable.clone(), is_aside);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let like = match is_aside {
            true => &mut kept.aside,
            false => &mut kept.newest,
        };
        // A reader of an older snapshot leaves what readers of the newest one need.
        if is_aside || number >= like.number {
            *like = Found {
                number,
                seen: Some(seen.clone()),
                segments,
            };
        }
        seen
    }

    /// As [`View::of`], if it is known already: no feature is looked at, and nobody is waited for.
    pub fn at_hand(&self, snapshot: &Snapshot) -> Option<Snapshot> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let like = match snapshot.inner.is_aside {
            true => &kept.aside,
            false => &kept.newest,
        };
        let seen = like.seen.as_ref();
        seen.filter(|_| like.number == snapshot.inner.number)
            .cloned()
    }

    /// What is seen of a segment, whatever of it is dead by now; `None` when nothing is.
    fn look(&self, part: &Part, searchable: &[bool]) -> Option<Part> {
        let slots = 0..part.slots() as u32;
        let sees = |slot: &u32| (self.sees)(&Hit { part, slot: *slot });
        let Some(place) = &self.place else {
            let mut seen = Part::new(Arc::clone(&part.segment));
            for slot in slots.filter(|slot| !sees(slot)) {
                seen.kill(slot);
            }
            let seen = seen.with_columns(Arc::clone(&self.columns));
            return (seen.live() > 0).then_some(seen);
        };
        let masked = part.clone().with_columns(Arc::clone(&self.columns));
        let mut builder = SegmentBuilder::new(searchable);
        let mut translation = Translation::new(searchable);
        for slot in slots.filter(sees) {
            let placed = place(&Hit { part, slot });
            let hit = Hit {
                part: &masked,
                slot,
            };
            copy(&hit, &placed, &mut translation, &mut builder)
                .or_else(|_| copy(&hit, &(None, Vec::new()), &mut translation, &mut builder))
                .expect("a part of a segment without geometry is not larger than the segment");
        }
        builder.finish()
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl SeenSegment {
    fn new(whole: Option<Part>) -> Self {
        Self {
            last: whole.clone(),
            whole,
            source: Tombstones::default(),
        }
    }

    /// As it is with the tombstones of its source.
    fn at(&self, source: &Part) -> Self {
        let Some(whole) = &self.whole else {
            return self.clone();
        };
        let (mut last, died) = match (source.dead.since(&self.source), self.last.clone()) {
            (Some(died), Some(last)) => (last, died),
            // An older snapshot.
            _ => {
                let died = source.dead.since(&Tombstones::default());
                (whole.clone(), died.unwrap_or_default())
            }
        };
        let is_shared = Arc::ptr_eq(&last.segment, &source.segment);
        for slot in died {
            let seen = match is_shared {
                true => last.is_live(slot).then_some(slot),
                false => last.find(source.segment.fids[slot as usize]),
            };
            if let Some(seen) = seen {
                last.kill(seen);
            }
        }
        Self {
            whole: Some(whole.clone()),
            last: Some(last),
            source: source.dead.clone(),
        }
    }
}

/// Adds a feature with another geometry.
fn copy(
    hit: &Hit<'_>,
    (envelope, geometries): &(Option<Envelope>, Vec<WorldBuf>),
    translation: &mut Translation,
    builder: &mut SegmentBuilder,
) -> Result<(), Error> {
    check(hit.fid(), *envelope, 0, 0)?;
    let codes = translation.codes(hit, builder)?;
    builder.push_codes(
        (hit.fid(), hit.stamp()),
        *envelope,
        geometries.iter().map(WorldBuf::view),
        codes.iter().copied(),
    )
}
