//! Where the newest changes of a collection were, so that what was made from an older index can be judged.

use std::sync::Arc;

use model::{ChangeSeq, Envelope};

/// Changes that are remembered. A cached tile that nobody asked for while so many changes came is cut again;
/// the list is copied with each write, which at this length costs about a microsecond.
const REMEMBERED: usize = 512;

/// What the newest changes touched, published together with the index that holds the changes: whoever has the one has the
/// other, so no change can be missed between them.
#[derive(Debug, Clone)]
pub struct Touched {
    /// Every change after this one is remembered.
    since: ChangeSeq,
    /// By rising sequence number; a change has up to two envelopes, before and after.
    changes: Arc<[Touch]>,
}

#[derive(Debug, Clone, Copy)]
struct Touch {
    seq: ChangeSeq,
    fid: i64,
    envelope: Option<Envelope>,
}

impl Touched {
    /// Nothing is known about changes up to `seq`.
    pub(crate) fn since(seq: ChangeSeq) -> Self {
        Self {
            since: seq,
            changes: Arc::new([]),
        }
    }

    /// After one more change of a feature.
    pub(crate) fn with(
        &self,
        seq: ChangeSeq,
        fid: i64,
        before: Option<Envelope>,
        after: Option<Envelope>,
    ) -> Self {
        let touch = |envelope| Touch { seq, fid, envelope };
        let also = before.filter(|_| after.is_some() && before != after);
        let new = [Some(touch(after.or(before))), also.map(|b| touch(Some(b)))];
        let mut changes: Vec<Touch> = self.changes.to_vec();
        changes.extend(new.into_iter().flatten());
        let mut since = self.since;
        if changes.len() > REMEMBERED {
            let mut forget = changes.len() - REMEMBERED;
            since = changes[forget - 1].seq;
            // A change is forgotten whole.
            forget += changes[forget..]
                .iter()
                .take_while(|touch| touch.seq == since)
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
        let touched = self.touched_after(seq)?;
        Some(touched.iter().filter_map(|touch| touch.envelope.as_ref()))
    }

    /// The keys of all features that have changed after `seq`, some of them more than once; `None` when some changes are
    /// forgotten.
    pub(crate) fn features_after(&self, seq: ChangeSeq) -> Option<impl Iterator<Item = i64>> {
        Some(self.touched_after(seq)?.iter().map(|touch| touch.fid))
    }

    fn touched_after(&self, seq: ChangeSeq) -> Option<&[Touch]> {
        if seq < self.since {
            return None;
        }
        let start = self.changes.partition_point(|touch| touch.seq <= seq);
        Some(&self.changes[start..])
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
            .with(ChangeSeq(6), 1, None, at(1.0))
            .with(ChangeSeq(9), 1, at(1.0), at(2.0))
            .with(ChangeSeq(10), 2, at(2.0), at(2.0))
            .with(ChangeSeq(11), 3, None, None);
        let count = |seq| touched.after(ChangeSeq(seq)).map(Iterator::count);
        assert_eq!(count(4), None);
        assert_eq!(
            [5, 6, 8, 9, 10, 11].map(count),
            [4, 3, 3, 1, 0, 0].map(Some)
        );
        let features = |seq| touched.features_after(ChangeSeq(seq)).map(Vec::from_iter);
        assert_eq!(features(4), None);
        assert_eq!(features(8), Some(vec![1, 1, 2, 3]));
        assert_eq!(features(10), Some(vec![3]));
    }

    #[test]
    fn what_is_forgotten_is_said() {
        let mut touched = Touched::since(ChangeSeq(0));
        for seq in 1..=600 {
            touched = touched.with(ChangeSeq(seq), seq, at(0.0), at(1.0));
            assert!(touched.changes.len() <= REMEMBERED);
            assert!(touched.after(ChangeSeq(seq)).is_some());
        }
        assert!(touched.after(ChangeSeq(343)).is_none());
        let rest = touched.after(ChangeSeq(344)).map(Iterator::count);
        assert_eq!(rest, Some(512));
    }
}
