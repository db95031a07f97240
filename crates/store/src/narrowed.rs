//! A collection of which only those features are seen that a filter holds for: for tiles, which are cut from the index alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use model::{Collection, Filter};
use spatial::index::{self, Builder, Hit};

use crate::Lens;
use crate::items;
use crate::live::{LiveCollection, hashed};

/// Features between two looks at the clock.
const LOOK_AT_THE_CLOCK: u32 = 256;

/// What a filter leaves of a collection as somebody sees it. Like a [`Lens`] it is kept up: after an edit only what has
/// changed is looked at.
///
/// The geometry that a filter is held against is that of the index, which knows vertices to a centimetre, seen where rules
/// make it coarse.
pub struct Narrowed {
    /// Unique in the process, with those of lenses.
    id: u64,
    /// What it is made of.
    source: Arc<Collection>,
    source_columns: Arc<[Option<usize>]>,
    source_lens: Option<u64>,
    index: index::View,
    appearance: u64,
    clock: Arc<Clock>,
}

/// How long the first look may take.
struct Clock {
    until: Instant,
    looked_at: AtomicU32,
    is_late: AtomicBool,
    /// Whether the first look is over.
    is_off: AtomicBool,
}

impl Clock {
    fn is_over(&self) -> bool {
        if self.is_off.load(Ordering::Relaxed) {
            return false;
        }
        let looked_at = self.looked_at.fetch_add(1, Ordering::Relaxed);
        if looked_at.is_multiple_of(LOOK_AT_THE_CLOCK) && Instant::now() > self.until {
            self.is_late.store(true, Ordering::Relaxed);
        }
        self.is_late.load(Ordering::Relaxed)
    }
}

impl Narrowed {
    /// Looks at all features. `text` says which filter it is. `None` when that takes too long.
    pub fn new(
        live: &LiveCollection,
        filter: Arc<Filter>,
        text: &str,
        until: Instant,
    ) -> Option<Arc<Self>> {
        let is_seen: Vec<bool> = live.columns.iter().map(Option::is_some).collect();
        let clock = Arc::new(Clock {
            until,
            looked_at: AtomicU32::new(0),
            is_late: AtomicBool::new(false),
            is_off: AtomicBool::new(false),
        });
        // Without its index, which would be held as long as the filter is known.
        let about = LiveCollection {
            index: Builder::new(0, &[]).finish(),
            ..live.clone()
        };
        let timed = Arc::clone(&clock);
        let sees =
            move |hit: &Hit<'_>| !timed.is_over() && items::holds_by_index(&about, &filter, hit);
        let narrowed = Arc::new(Self {
            id: Lens::next_id(),
            source: Arc::clone(&live.collection),
            source_columns: Arc::clone(&live.columns),
            source_lens: live.lens.as_ref().map(|lens| lens.id()),
            index: index::View::new(&is_seen, sees, None),
            appearance: hashed(&format!("{:?}/{text}", live.appearance())),
            clock,
        });
        narrowed.of(live);
        let is_late = narrowed.clock.is_late.load(Ordering::Relaxed);
        narrowed.clock.is_off.store(true, Ordering::Relaxed);
        (!is_late).then_some(narrowed)
    }

    /// Whether it was made of a collection as it is now, seen in the same way.
    pub fn fits(&self, live: &LiveCollection) -> bool {
        Arc::ptr_eq(&self.source, &live.collection)
            && Arc::ptr_eq(&self.source_columns, &live.columns)
            && self.source_lens == live.lens.as_ref().map(|lens| lens.id())
            && live.narrowed.is_none()
    }

    /// What it leaves of a collection, which must fit it.
    pub fn of(self: &Arc<Self>, live: &LiveCollection) -> LiveCollection {
        LiveCollection {
            index: self.index.of(&live.index),
            narrowed: Some(Arc::clone(self)),
            ..live.clone()
        }
    }

    /// The number of it: what was made through another one shows something else.
    pub fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn appearance(&self) -> u64 {
        self.appearance
    }
}
