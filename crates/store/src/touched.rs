//! Where the newest changes of a collection were, so that what was made from an older index can be judged.

use std::sync::Arc;

use model::{ChangeSeq, Envelope};

/// Changes that are remembered. A cached tile that nobody asked for while so many changes came is cut again;
/// the list is copied with each write, which at this length costs about a microsecond.
const REMEMBERED: usize = 512;

/// The envelopes that the newest changes touched, published together with the index that holds the changes:
/// whoever has the one has the other, so no change can be missed between them.
#[derive(Debug, Clone)]
pub struct Touched {
    /// Every change after this one is remembered.
    since: ChangeSeq,
    /// By rising sequence number; a change has up to two envelopes, before and after.
    changes: Arc<[(ChangeSeq, Envelope)]>,
}

impl Touched {
    /// Nothing is known about changes up to `seq`.
    pub(crate) fn since(seq: ChangeSeq) -> Self {
        Self {
            since: seq,
            changes: Arc::new([]),
        }
    }

    /// After one more change.
    pub(crate) fn with(
        &self,
        seq: ChangeSeq,
        before: Option<Envelope>,
        after: Option<Envelope>,
    ) -> Self {
        let new = before.into_iter().chain(after.filter(|_| before != after));
        let mut changes: Vec<_> = self.changes.to_vec();
        changes.extend(new.map(|envelope| (seq, envelope)));
        let mut since = self.since;
        if changes.len() > REMEMBERED {
            let mut forget = changes.len() - REMEMBERED;
            since = changes[forget - 1].0;
            // A change is forgotten whole.
            forget += changes[forget..]
                .iter()
                .take_while(|(s, _)| *s == since)
                .count();
            changes.drain(..forget);
        }
        Self {
            since,
            changes: changes.into(),
        }
    }

    /// The envelopes of all changes after `seq`; `None` when some of them are forgotten.
    pub fn after(&self, seq: ChangeSeq) -> Option<impl Iterator<Item = &Envelope>> {
        if seq < self.since {
            return None;
        }
        let start = self.changes.partition_point(|(s, _)| *s <= seq);
        Some(self.changes[start..].iter().map(|(_, envelope)| envelope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f64) -> Option<Envelope> {
        Envelope::of([[x, x]])
    }

    #[test]
    fn changes_after_a_number_and_no_others() {
        let touched = Touched::since(ChangeSeq(5))
            .with(ChangeSeq(6), None, at(1.0))
            .with(ChangeSeq(9), at(1.0), at(2.0))
            .with(ChangeSeq(10), at(2.0), at(2.0));
        let count = |seq| touched.after(ChangeSeq(seq)).map(Iterator::count);
        assert_eq!(count(4), None);
        assert_eq!(
            [5, 6, 8, 9, 10, 11].map(count),
            [4, 3, 3, 1, 0, 0].map(Some)
        );
    }

    #[test]
    fn what_is_forgotten_is_said() {
        let mut touched = Touched::since(ChangeSeq(0));
        for seq in 1..=600 {
            touched = touched.with(ChangeSeq(seq), at(0.0), at(1.0));
            assert!(touched.changes.len() <= REMEMBERED);
            assert!(touched.after(ChangeSeq(seq)).is_some());
        }
        assert!(touched.after(ChangeSeq(343)).is_none());
        let rest = touched.after(ChangeSeq(344)).map(Iterator::count);
        assert_eq!(rest, Some(512));
    }
}
