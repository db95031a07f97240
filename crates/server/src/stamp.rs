//! Up to which change something that was made from a collection is good.

use std::borrow::Borrow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model::{ChangeSeq, Collection, Envelope};
use store::LiveCollection;

/// The collection that something was made from, and the change up to which it is known to be good.
pub(crate) struct Stamp {
    collection: Arc<Collection>,
    good_at: AtomicI64,
}

impl Stamp {
    pub(crate) fn of(live: &LiveCollection) -> Self {
        Self {
            collection: Arc::clone(&live.collection),
            good_at: AtomicI64::new(live.seq.0),
        }
    }

    pub(crate) fn copied(&self) -> Self {
        Self {
            collection: Arc::clone(&self.collection),
            good_at: AtomicI64::new(self.seq().0),
        }
    }

    /// Whether no change since then touches the boxes, which are asked for only where there was one.
    pub(crate) fn is_good<B: Borrow<Vec<Envelope>>>(
        &self,
        live: &LiveCollection,
        envelopes: impl FnOnce() -> B,
    ) -> bool {
        // One that was loaded anew may begin its numbers anew.
        if !Arc::ptr_eq(&self.collection, &live.collection) {
            return false;
        }
        let seq = self.seq();
        // What is of a newer index than ours shows all that ours has.
        if seq >= live.seq {
            return true;
        }
        let Some(mut changed) = live.touched.after(seq) else {
            return false;
        };
        let envelopes = envelopes();
        let touches = |changed: &Envelope| envelopes.borrow().iter().any(|e| e.intersects(changed));
        !changed.any(touches)
    }

    /// What was found good stays so up to the index at hand.
    pub(crate) fn note(&self, live: &LiveCollection) {
        self.good_at.fetch_max(live.seq.0, Ordering::AcqRel);
    }

    pub(crate) fn seq(&self) -> ChangeSeq {
        ChangeSeq(self.good_at.load(Ordering::Acquire))
    }
}
