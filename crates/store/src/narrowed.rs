//! A collection of which only those features are seen that a filter holds for: for tiles, which are cut from the index alone.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::{Collection, Filter};
use spatial::index::{self, Builder, Hit, Snapshot};

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
    /// Held by whoever looks.
    turn: Mutex<()>,
}

/// How long a look may take.
struct Clock {
    until: Mutex<Instant>,
    looked_at: AtomicU32,
    is_late: AtomicBool,
}

impl Clock {
    fn is_over(&self) -> bool {
        let looked_at = self.looked_at.fetch_add(1, Ordering::Relaxed);
        if looked_at.is_multiple_of(LOOK_AT_THE_CLOCK) {
            let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
            if Instant::now() > until {
                self.is_late.store(true, Ordering::Relaxed);
            }
        }
        self.is_late.load(Ordering::Relaxed)
    }
}

impl Narrowed {
    /// Looks at no feature yet. `text` says which filter it is.
    pub fn new(live: &LiveCollection, filter: Arc<Filter>, text: &str) -> Arc<Self> {
        let is_seen: Vec<bool> = live.columns.iter().map(Option::is_some).collect();
        let clock = Arc::new(Clock {
            until: Mutex::new(Instant::now()),
            looked_at: AtomicU32::new(0),
            is_late: AtomicBool::new(false),
        });
        // Without its index, which would be held as long as the filter is known.
        let about = LiveCollection {
            index: Builder::new(0, &[]).finish(),
            ..live.clone()
        };
        let timed = Arc::clone(&clock);
        let sees =
            move |hit: &Hit<'_>| !timed.is_over() && items::holds_by_index(&about, &filter, hit);
        Arc::new(Self {
            id: Lens::next_id(),
            source: Arc::clone(&live.collection),
            source_columns: Arc::clone(&live.columns),
            source_lens: live.lens.as_ref().map(|lens| lens.id()),
            index: index::View::new(&is_seen, sees, None),
            appearance: hashed(&format!("{:?}/{text}", live.appearance())),
            clock,
            turn: Mutex::new(()),
        })
    }

    /// What it leaves of a collection, which must fit it, if that is known already: nobody is waited for.
    pub fn at_hand(self: &Arc<Self>, live: &LiveCollection) -> Option<LiveCollection> {
        Some(self.seen(live, self.index.at_hand(&live.index)?))
    }

    fn seen(self: &Arc<Self>, live: &LiveCollection, index: Snapshot) -> LiveCollection {
        LiveCollection {
            index,
            narrowed: Some(Arc::clone(self)),
            ..live.clone()
        }
    }

    /// Whether it was made of a collection as it is now, seen in the same way.
    pub fn fits(&self, live: &LiveCollection) -> bool {
        Arc::ptr_eq(&self.source, &live.collection)
            && Arc::ptr_eq(&self.source_columns, &live.columns)
            && self.source_lens == live.lens.as_ref().map(|lens| lens.id())
            && live.narrowed.is_none()
    }

    /// What it leaves of a collection, which must fit it. O(features that were not looked at before), one after the other.
    /// `None` when that takes longer than `most`: then it is of no use any more.
    pub fn of(self: &Arc<Self>, live: &LiveCollection, most: Duration) -> Option<LiveCollection> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + most;
        *self
            .clock
            .until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = until;
        let index = self.index.of(&live.index);
        let is_late = self.clock.is_late.load(Ordering::Relaxed);
        (!is_late).then(|| self.seen(live, index))
    }

    /// The number of it: what was made through another one shows something else.
    pub fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn appearance(&self) -> u64 {
        self.appearance
    }
}
