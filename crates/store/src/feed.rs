//! What has changed in a collection between two moments, as somebody sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Bbox, ChangeSeq, Envelope, Operation, ValueRef};
use spatial::index::Hit;

use crate::live::{Live, LiveCollection};
use crate::session::statement;
use crate::{Error, Store, items, lens};

/// Features that are told one by one; who has missed more does better to ask anew.
const MAX_TOLD: usize = 10_000;

/// A collection at one moment, as it is and as somebody sees it.
#[derive(Clone)]
pub struct Look {
    source: LiveCollection,
    seen: LiveCollection,
}

/// What has changed between two looks.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// Features one by one.
    Features(Vec<Change>),
    /// So much, or the collection itself, or who sees what of it.
    Whole,
}

/// A feature that is another than it was, for whoever looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// As it stands in its URL.
    pub id: String,
    /// `Create` and `Delete` also where a feature came into sight, or out of it; otherwise `Replace`.
    pub operation: Operation,
    /// Longitude/latitude in degrees, over the place before and the place after.
    pub envelope: Option<Envelope>,
    /// Whether it had, or has, no geometry at all.
    is_unplaced: bool,
}

impl Look {
    /// `seen` is `source` through a lens, or as it is.
    pub fn new(source: LiveCollection, seen: LiveCollection) -> Self {
        Self { source, seen }
    }

    /// Whether it is of a collection as it is now.
    pub fn is_of(&self, live: &LiveCollection) -> bool {
        self.source.n == live.n
            && self.source.seq == live.seq
            && Arc::ptr_eq(&self.source.collection, &live.collection)
    }

    /// Whether the index of a collection is the one that is looked at: another one, with the same features, is one that was
    /// gathered since, and who goes on looking at this one keeps it in memory.
    pub fn is_at(&self, live: &LiveCollection) -> bool {
        self.source.index.number() == live.index.number()
    }

    /// Where a property that is seen stands in the index as it is, and how much of it is seen, by its position in what is seen.
    fn column(&self, position: usize) -> Option<(usize, Option<u8>)> {
        let (source, keep) = match &self.seen.lens {
            Some(lens) => lens.kept(position)?,
            None => (position, None),
        };
        Some((self.source.column_of(source)?, keep))
    }

    /// The id in the URL of a feature, by the feature as it is.
    fn id_of(&self, hit: &Hit<'_>) -> String {
        let seen = &self.seen.collection;
        let position = items::id_column(seen).and_then(|name| seen.schema.position(name));
        match position.and_then(|position| self.column(position)) {
            Some((column, _)) => match hit.value(column) {
                ValueRef::Text(text) => text.to_owned(),
                ValueRef::Real(x) => x.to_string(),
                ValueRef::Boolean(b) => i64::from(b).to_string(),
                ValueRef::Integer(_) | ValueRef::Null => hit.fid().to_string(),
            },
            None => hit.fid().to_string(),
        }
    }

    fn get(&self, fid: i64) -> Option<(Hit<'_>, Hit<'_>)> {
        // What is not seen is not compared.
        let seen = self.seen.index.get(fid)?;
        Some((self.source.index.get(fid)?, seen))
    }
}

impl Change {
    /// Whether it is about a box. A feature without geometry is in each (OGC 17-069r4 §7.15.3).
    pub fn is_in(&self, bbox: &Bbox) -> bool {
        let meets = |envelope: &Envelope| bbox.envelopes().any(|part| part.intersects(envelope));
        self.is_unplaced || self.envelope.as_ref().is_some_and(meets)
    }
}

impl Live {
    /// The last change such that this and all before it are in the indexes.
    pub fn reached(&self) -> ChangeSeq {
        let all = || self.collections.values();
        let last = all().map(|live| live.seq).max();
        // Changes of these wait, also where others have gone on.
        let held = all().filter(|live| self.held.contains(&live.n));
        held.map(|live| live.seq).min().or(last).unwrap_or_default()
    }
}

impl Store {
    /// What has changed between two looks at a collection. Several changes of one feature are one.
    ///
    /// # Errors
    /// When the database has to be asked and can't be read.
    pub async fn changed(&self, before: &Look, now: &Look) -> Result<Changed, Error> {
        let is_other = before.seen.appearance() != now.seen.appearance();
        if is_other || before.source.seq > now.source.seq {
            return Ok(Changed::Whole);
        }
        if before.source.seq == now.source.seq {
            return Ok(Changed::Features(Vec::new()));
        }
        let known = now.source.touched.features_after(before.source.seq);
        let fids = match known.map(BTreeSet::from_iter) {
            Some(fids) => fids,
            None => self.logged(&now.source, before.source.seq).await?,
        };
        if fids.len() <= MAX_TOLD {
            return Ok(compared(before, now, fids));
        }
        if now.seen.lens.is_none() {
            return Ok(Changed::Whole);
        }
        // Most of it may be hidden from whoever looks.
        let (before, now) = (before.clone(), now.clone());
        items::on_a_worker(move || {
            let gone = before.seen.index.iter().map(|hit| hit.fid());
            let gone = gone.filter(|fid| now.seen.index.get(*fid).is_none());
            let here = now.seen.index.iter().map(|hit| hit.fid());
            Ok(compared(&before, &now, gone.chain(here)))
        })
        .await
    }

    /// A collection as it was after a change; `None` when so much has changed since that it is not told one by one, or
    /// what was then is not known.
    ///
    /// # Errors
    /// When the database has to be asked and can't be read.
    pub async fn recent(
        &self,
        live: &LiveCollection,
        seq: ChangeSeq,
    ) -> Result<Option<LiveCollection>, Error> {
        let is_much = seq < live.seq
            && live.touched.features_after(seq).is_none()
            && self.logged(live, seq).await?.len() > MAX_TOLD;
        if is_much {
            return Ok(None);
        }
        match self.at(live, seq).await {
            Ok(then) => Ok(Some(then)),
            Err(Error::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The keys of the features that have changed since, as the log has them; one more than are told at most.
    async fn logged(&self, now: &LiveCollection, since: ChangeSeq) -> Result<BTreeSet<i64>, Error> {
        let (n, until) = (now.n, now.seq);
        let rows = self.reading_newest(move |session| {
            Box::pin(async move {
                // The sign keeps SQLite from looking at all changes of the collection.
                let sql = "SELECT DISTINCT fid FROM hromada_changes WHERE +collection = ? AND seq > ? AND seq <= ? LIMIT ?";
                let asked = statement(sql).bind(n).bind(since.0).bind(until.0);
                let rows = session.fetch_all(asked.bind(MAX_TOLD as i64 + 1)).await?;
                rows.iter().map(|row| row.integer(0)).collect()
            })
        });
        rows.await
    }
}

/// What is another about some features, or `Whole` when that is much.
fn compared(before: &Look, now: &Look, fids: impl IntoIterator<Item = i64>) -> Changed {
    let mut changes = Vec::new();
    for fid in fids {
        compare(before, now, fid, &mut changes);
        if changes.len() > MAX_TOLD {
            return Changed::Whole;
        }
    }
    Changed::Features(changes)
}

/// What is another about a feature.
fn compare(before: &Look, now: &Look, fid: i64, changes: &mut Vec<Change>) {
    let told = |look: &Look, (source, seen): (Hit<'_>, Hit<'_>), operation| Change {
        id: look.id_of(&source),
        operation,
        envelope: seen.envelope(),
        is_unplaced: seen.is_unplaced(),
    };
    match (before.get(fid), now.get(fid)) {
        (None, None) => {}
        (Some(was), None) => changes.push(told(before, was, Operation::Delete)),
        (None, Some(is)) => changes.push(told(now, is, Operation::Create)),
        (Some(was), Some(is)) => {
            if is_same((before, was), (now, is)) {
                return;
            }
            let old = told(before, was, Operation::Delete);
            let mut new = told(now, is, Operation::Replace);
            if old.id == new.id {
                let both = old.envelope.into_iter().chain(new.envelope);
                new.envelope = both.reduce(Envelope::union);
                new.is_unplaced |= old.is_unplaced;
            } else {
                // Its URL is another: whoever knows the old one has to hear that it is gone.
                changes.push(old);
                new.operation = Operation::Create;
            }
            changes.push(new);
        }
    }
}

/// Whether nobody who looks so can tell two states from one another: then they are not told that somebody wrote what they do
/// not see. Places are compared as the index has them, to a centimetre. The first of each two hits is of the collection as it
/// is, the second as it is seen.
fn is_same(
    (before, (was, was_seen)): (&Look, (Hit<'_>, Hit<'_>)),
    (now, (is, is_seen)): (&Look, (Hit<'_>, Hit<'_>)),
) -> bool {
    if was.stamp() == is.stamp() {
        return true;
    }
    if now.seen.lens.is_none() {
        return false;
    }
    let value = |position: usize| {
        let (a, keep) = before.column(position)?;
        let (b, _) = now.column(position)?;
        Some((was.value(a), is.value(b), keep))
    };
    let same_value = |position| match value(position) {
        Some((ValueRef::Text(a), ValueRef::Text(b), Some(keep))) => {
            lens::masked(a, keep) == lens::masked(b, keep)
        }
        Some((a, b, _)) => a == b,
        None => true,
    };
    was_seen.envelope() == is_seen.envelope()
        && was_seen.is_unplaced() == is_seen.is_unplaced()
        && was_seen.geometries().eq(is_seen.geometries())
        && (0..now.seen.collection.schema.properties.len()).all(same_value)
}
