//! Features as they stand in answers, under a byte budget.
//!
//! A fragment is kept by the state that it shows ([`spatial::index::Hit::stamp`]), and by the lens and the CRS that it is shown
//! in. After a change the index has another state of the feature, so nobody asks for the old fragment again; nothing has to
//! be told to the cache.

use axum::body::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use store::{ItemKey, LiveCollection};

use crate::crs::Reference;

/// What a kept fragment costs beside its bytes.
const OVERHEAD: u64 = 96;

/// A parcel with some properties.
const TYPICAL: u64 = 700;

/// A fragment that is longer is made anew each time: few of them would drive out all others.
const LONGEST: usize = 256 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    fid: i64,
    stamp: u64,
    /// 0 is no lens.
    lens: u64,
    crs: Reference,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Bytes> for Weight {
    fn weight(&self, _: &Key, fragment: &Bytes) -> u64 {
        fragment.len() as u64 + OVERHEAD
    }
}

/// The kept fragments of all collections.
pub(crate) struct Fragments {
    kept: Option<Cache<Key, Bytes, Weight>>,
}

impl Fragments {
    pub(crate) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / TYPICAL)
            .unwrap_or(usize::MAX)
            .max(16);
        Self {
            kept: (bytes > 0).then(|| Cache::with_weighter(items, bytes, Weight)),
        }
    }

    pub(crate) fn get(
        &self,
        live: &LiveCollection,
        key: &ItemKey,
        crs: Reference,
    ) -> Option<Bytes> {
        self.kept.as_ref()?.get(&of(live, key, crs)?)
    }

    pub(crate) fn keep(
        &self,
        live: &LiveCollection,
        key: &ItemKey,
        crs: Reference,
        fragment: &[u8],
    ) {
        let (Some(kept), Some(key)) = (&self.kept, of(live, key, crs)) else {
            return;
        };
        if fragment.len() <= LONGEST {
            kept.insert(key, Bytes::copy_from_slice(fragment));
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.kept.as_ref().map_or(0, Cache::weight)
    }
}

/// `None` for a state that only the change log has.
fn of(live: &LiveCollection, key: &ItemKey, crs: Reference) -> Option<Key> {
    Some(Key {
        fid: key.fid,
        stamp: key.stamp?,
        lens: live.lens.as_ref().map_or(0, |lens| lens.id()),
        crs,
    })
}
