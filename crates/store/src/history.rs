//! The history: the versions of a feature, and collections as they were at a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::TryStreamExt;
use model::{ChangeSeq, Collection, Crs, Feature, Message, Operation, PropertyType, Value};
use spatial::index::Edit;

use crate::items::past;
use crate::live::{self, Live, LiveCollection};
use crate::postgres::WITHOUT_LIMIT;
use crate::retention::Mark;
use crate::session::{Dialect, Row, Session, statement};
use crate::touched::Touched;
use crate::{Error, Store, items, retention};

/// Versions of one feature at most: somebody who counts in a feature makes as many.
pub const MAX_VERSIONS: usize = 10_000;

/// States that go into the index of a moment at a time.
const AT_ONCE: usize = 8_192;

/// States of then that an index of a moment may have beside those of now; beyond it the collection as it was is another one.
const MAX_STATES: usize = 1_000_000;

/// So many changes of all collections are looked through faster than all changes of one.
const NEAR: i64 = 50_000;

/// Indexes of moments that are kept: somebody who moves a slider asks for the same few again.
const KEPT: usize = 8;

/// Features that are in memory for all kept indexes and not for those of now, about half a gigabyte; what the index of now no
/// longer shares since it was gathered is counted when the next one is kept.
const MAX_KEPT_FEATURES: usize = 1_000_000;

/// One version of a feature.
#[derive(Debug, Clone)]
pub struct Version {
    pub fid: i64,
    /// The change that made it.
    pub seq: ChangeSeq,
    /// RFC 3339 in UTC.
    pub at: String,
    pub actor: String,
    pub operation: Operation,
    /// The transaction that the change was a part of.
    pub cause: Recorded,
    /// As whoever asks sees it, in longitude/latitude; `None` for the end of a feature.
    pub feature: Option<Feature>,
    /// Whether there was a state that is not known any more.
    pub is_forgotten: bool,
}

/// The versions of a feature that somebody sees.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    /// The oldest first.
    pub all: Vec<Version>,
    /// Whether their places are numbers that stay: where states were let go, nobody can count any more how many of them were
    /// seen by those who do not see all features.
    pub are_numbered: bool,
    /// Since when all states of the collection are kept, in RFC 3339; `None` when none was let go.
    pub kept_since: Option<String>,
}

/// What the history keeps of a transaction beside its changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    pub kind: Option<String>,
    pub request: Option<String>,
    pub reason: Option<String>,
}

/// Collections as they were, the one asked for last first.
#[derive(Default)]
pub(crate) struct Moments {
    kept: std::sync::Mutex<Vec<LiveCollection>>,
    /// One is made at a time: each reads a part of the log.
    turn: tokio::sync::Mutex<()>,
}

impl Moments {
    fn get(&self, live: &LiveCollection, seq: ChangeSeq) -> Option<LiveCollection> {
        let mut kept = self
            .kept
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let found = kept.iter().position(|one| {
            one.n == live.n && one.seq == seq && Arc::ptr_eq(&one.collection, &live.collection)
        })?;
        kept[..=found].rotate_right(1);
        Some(kept[0].clone())
    }

    /// `now` is what they may share memory with.
    fn keep(&self, new: LiveCollection, now: &Live) {
        let mut kept = self
            .kept
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.insert(0, new);
        let mut features = 0;
        let mut n = 0;
        kept.retain(|one| {
            let now = now.get(one.collection.id.as_str());
            features += now.map_or(one.index.len(), |now| one.index.beside(&now.index));
            n += 1;
            n == 1 || n <= KEPT && features <= MAX_KEPT_FEATURES
        });
    }
}

impl Store {
    /// The last change that a moment holds, `at` in the fixed form of [`model::normalise_date_time`]; 0 before the first.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn seq_at(&self, at: &str) -> Result<ChangeSeq, Error> {
        let at = at.to_owned();
        self.reading_newest(move |session| Box::pin(async move { seq_at(session, &at).await }))
            .await
    }

    /// A collection as it was right after a change, as it is stored: through a lens it is seen afterwards.
    ///
    /// # Errors
    /// [`Error::Gone`] when the states of then are not known, or more than can be held.
    pub async fn at(&self, live: &LiveCollection, seq: ChangeSeq) -> Result<LiveCollection, Error> {
        self.as_of(live, seq, None).await
    }

    /// A collection as it was at a time, whose last change is `seq`. When states are kept from is a matter of time: numbers of
    /// changes would tell whoever tries moment after moment of changes that they do not see.
    ///
    /// # Errors
    /// As [`Store::at`].
    pub async fn then(
        &self,
        live: &LiveCollection,
        at: &str,
        seq: ChangeSeq,
    ) -> Result<LiveCollection, Error> {
        self.as_of(live, seq, Some(at.to_owned())).await
    }

    async fn as_of(
        &self,
        live: &LiveCollection,
        seq: ChangeSeq,
        at: Option<String>,
    ) -> Result<LiveCollection, Error> {
        if seq >= live.seq && at.is_none() {
            return Ok(live.clone());
        }
        let n = live.n;
        // Asked each time: an index that was made before may be of a moment that can't be told any more.
        self.reading_newest(move |session| {
            Box::pin(async move { retention::require_kept(session, n, seq.0, at.as_deref()).await })
        })
        .await?;
        if seq >= live.seq {
            return Ok(live.clone());
        }
        let moments = &self.inner.moments;
        if let Some(known) = moments.get(live, seq) {
            return Ok(known);
        }
        let _turn = moments.turn.lock().await;
        if let Some(known) = moments.get(live, seq) {
            return Ok(known);
        }
        let made = {
            let live = live.clone();
            self.reading_newest(move |session| {
                Box::pin(async move { made(session, live, seq).await })
            })
        };
        let then = made.await?;
        moments.keep(then.clone(), &self.live());
        Ok(then)
    }

    /// The versions of a feature by the id of its URL, as whoever asks sees them; those that they do not see are left out.
    /// `None` when there never was such a feature for them.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn versions(
        &self,
        live: &LiveCollection,
        id: &str,
    ) -> Result<Option<Versions>, Error> {
        let (found, id) = (live.clone(), id.to_owned());
        let stored = self.reading_newest(move |session| {
            Box::pin(async move {
                let kept = retention::kept(session, found.n).await?;
                let mut all = Vec::new();
                for fid in fids_of(session, &found, &id).await? {
                    all.extend(versions(session, &found, fid, kept.as_ref()).await?);
                }
                // An import in the place of all gives the same feature another key.
                all.sort_by_key(|version| version.seq);
                Ok((all, kept))
            })
        });
        let (stored, kept) = stored.await?;
        let sees_all = live.lens.as_ref().is_none_or(|lens| lens.shows_all());
        let mut seen = Vec::new();
        let mut is_there = false;
        for mut version in stored {
            version.feature = version
                .feature
                .and_then(|feature| items::seen_in(live, feature, Crs::CRS84));
            if version.is_forgotten && !sees_all {
                // Whether they saw it can't be told any more, nor what they saw before.
                seen.clear();
                is_there = false;
                continue;
            }
            // An end is told to those who saw what ended, and once.
            let is_state = version.feature.is_some() || version.is_forgotten;
            let was_there = std::mem::replace(&mut is_there, is_state);
            if is_state {
                seen.push(version);
            } else if was_there {
                version.operation = Operation::Delete;
                seen.push(version);
            }
        }
        Ok((!seen.is_empty()).then_some(Versions {
            all: seen,
            are_numbered: sees_all || kept.is_none(),
            kept_since: kept.map(|kept| kept.at),
        }))
    }
}

/// A parcel that came of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descent {
    /// `split`, `merge`, `renumber`.
    pub kind: String,
    /// RFC 3339 in UTC.
    pub at: String,
    pub old_id: String,
    pub new_id: String,
}

/// Steps of a lineage at most: more are no lineage of one parcel that anybody reads.
const MAX_STEPS: usize = 1_000;

impl Store {
    /// All that a parcel came of, and all that came of it, by its id of now or of once, up to a change; in the order of time.
    /// `None` for a parcel that never was.
    ///
    /// # Errors
    /// [`Error::Denied`] for those who do not see all parcels: it would name what they do not see.
    pub async fn lineage(
        &self,
        live: &LiveCollection,
        id: &str,
        until: Option<ChangeSeq>,
    ) -> Result<Option<Vec<Descent>>, Error> {
        if self.versions(live, id).await?.is_none() {
            return Ok(None);
        }
        let sees_all = live.lens.as_ref().is_none_or(|lens| {
            let (seen, source) = (lens.seen_as().0, lens.source().0);
            lens.shows_all() && seen.id_property == source.id_property
        });
        if !sees_all {
            let message = Message::new("store.lineage-unseen");
            return Err(Error::Denied(
                message.with("collection", &live.collection.id),
            ));
        }
        let (live, id) = (live.clone(), id.to_owned());
        let until = until.map_or(i64::MAX, |seq| seq.0);
        let steps = self.reading_newest(move |session| {
            Box::pin(async move {
                let begin = fids_of(session, &live, &id).await?;
                let mut steps = BTreeMap::new();
                for (own, other) in [("new_fid", "old_fid"), ("old_fid", "new_fid")] {
                    follow(session, live.n, &begin, (own, other), until, &mut steps).await?;
                }
                Ok(steps.into_values().collect())
            })
        });
        Ok(Some(steps.await?))
    }
}

/// Follows the lineage in one direction, from the parcels in the column `own` to those in `other`.
async fn follow(
    session: &mut Session<'_>,
    n: i64,
    begin: &BTreeSet<i64>,
    (own, other): (&str, &str),
    until: i64,
    steps: &mut BTreeMap<(i64, i64, i64), Descent>,
) -> Result<(), Error> {
    let sql = format!(
        "SELECT l.seq, l.old_fid, l.new_fid, l.kind, l.old_id, l.new_id, l.{other}, c.at FROM hromada_lineage AS l
         LEFT JOIN hromada_changes AS c ON c.seq = l.seq WHERE l.collection = ? AND l.{own} = ? AND l.seq <= ?"
    );
    let mut waiting: Vec<i64> = begin.iter().copied().collect();
    let mut seen = begin.clone();
    while let Some(fid) = waiting.pop() {
        let asked = statement(sql.as_str()).bind(n).bind(fid).bind(until);
        for row in session.fetch_all(asked).await? {
            let key = (row.integer(0)?, row.integer(1)?, row.integer(2)?);
            let at = match row.value(7, PropertyType::DateTime)? {
                Value::Text(at) => at.to_string(),
                _ => String::new(),
            };
            let step = Descent {
                kind: row.text(3)?,
                at,
                old_id: row.text(4)?,
                new_id: row.text(5)?,
            };
            steps.insert(key, step);
            let next = row.integer(6)?;
            if seen.insert(next) {
                waiting.push(next);
            }
        }
        if steps.len() > MAX_STEPS {
            return Err(past::too_old());
        }
    }
    Ok(())
}

async fn last(session: &mut Session<'_>) -> Result<i64, Error> {
    let sql = "SELECT coalesce(max(seq), 0) FROM hromada_changes";
    session.fetch_one(statement(sql)).await?.integer(0)
}

/// The last change up to a time; 0 before the first.
pub(crate) async fn seq_at(session: &mut Session<'_>, at: &str) -> Result<ChangeSeq, Error> {
    let wanted = model::microseconds_of_date_time(at);
    let (mut below, mut above) = (0, 1 + last(session).await?);
    // Times rise with the numbers.
    while below + 1 < above {
        let middle = below + (above - below) / 2;
        let sql = "SELECT seq, at FROM hromada_changes WHERE seq >= ? ORDER BY seq LIMIT 1";
        let row = session.fetch_optional(statement(sql).bind(middle)).await?;
        let Some(row) = row else {
            above = middle;
            continue;
        };
        let Value::Text(time) = row.value(1, PropertyType::DateTime)? else {
            above = middle;
            continue;
        };
        if model::microseconds_of_date_time(&time) <= wanted {
            below = row.integer(0)?;
        } else {
            above = middle;
        }
    }
    Ok(ChangeSeq(below))
}

async fn made(
    session: &mut Session<'_>,
    live: LiveCollection,
    seq: ChangeSeq,
) -> Result<LiveCollection, Error> {
    if session.dialect() == Dialect::Postgres {
        session.run(WITHOUT_LIMIT).await?;
    }
    retention::require_kept(session, live.n, seq.0, None).await?;
    let select = match last(session).await? - seq.0 <= NEAR {
        true => past::select_along(session.dialect()),
        false => past::select(session.dialect()),
    };
    // Of each feature that has changed since, its first change tells the state of then.
    let sql = format!(
        "{select} AND seq > ? AND seq = (SELECT min(hromada_first.seq) FROM hromada_changes AS hromada_first
           WHERE hromada_first.collection = hromada_changes.collection AND hromada_first.fid = hromada_changes.fid
             AND hromada_first.seq > ?)"
    );
    let statement = statement(sql).bind(live.n).bind(seq.0).bind(seq.0);
    let mut index = live.index.clone();
    let (mut edits, mut states) = (Vec::with_capacity(AT_ONCE), 0);
    let mut rows = session.stream(statement)?;
    while let Some(row) = rows.try_next().await? {
        let fid = row.integer(0)?;
        let edit = match past::state(&row, fid, &live.collection)? {
            Some(feature) => live::put_or_leave_out(&live, &feature),
            None => Edit::Remove { fid },
        };
        edits.push(edit);
        states += 1;
        if states > MAX_STATES {
            return Err(past::too_old());
        }
        if edits.len() == AT_ONCE {
            index = index.aside(&edits).map_err(live::index_failed)?;
            edits.clear();
        }
    }
    drop(rows);
    let index = index.aside(&edits).map_err(live::index_failed)?;
    Ok(LiveCollection {
        index,
        seq,
        touched: Touched::since(seq),
        ..live
    })
}

/// The keys of the features that have, or once had, an id.
async fn fids_of(
    session: &mut Session<'_>,
    live: &LiveCollection,
    id: &str,
) -> Result<BTreeSet<i64>, Error> {
    let (collection, table) = match &live.lens {
        Some(lens) => lens.seen_as(),
        None => (&*live.collection, &*live.table),
    };
    let Some((column, value)) = items::identified(collection, table, id) else {
        return Ok(BTreeSet::new());
    };
    if items::id_column(collection).is_none() {
        // The id is the key.
        return Ok(id.parse().into_iter().collect());
    }
    let mut fids = BTreeSet::new();
    let sql = format!(
        "SELECT {} FROM {} WHERE {column} = ?",
        table.key_out, table.name
    );
    let now = session.fetch_all(statement(sql).bind(value)).await?;
    let sql = "SELECT fid FROM hromada_changes WHERE collection = ? AND before_id = ? LIMIT ?";
    let before = statement(sql)
        .bind(live.n)
        .bind(id)
        .bind(MAX_VERSIONS as i64);
    for row in now.iter().chain(&session.fetch_all(before).await?) {
        fids.insert(row.integer(0)?);
    }
    Ok(fids)
}

/// All versions that the log has of a feature, as they were stored.
async fn versions(
    session: &mut Session<'_>,
    live: &LiveCollection,
    fid: i64,
    kept: Option<&Mark>,
) -> Result<Vec<Version>, Error> {
    let collection = past::source(live);
    let sql = format!(
        "{} AND fid = ? ORDER BY seq LIMIT ?",
        past::select_with_cause(session.dialect())
    );
    let limit = MAX_VERSIONS as i64 + 1;
    let rows = statement(sql).bind(live.n).bind(fid).bind(limit);
    let rows = session.fetch_all(rows).await?;
    if rows.len() > MAX_VERSIONS {
        return Err(past::too_old());
    }
    let mut versions: Vec<Version> = Vec::with_capacity(rows.len());
    for row in &rows {
        // What was before a change is what the change before it made.
        match (
            state_before(row, fid, collection, kept),
            versions.last_mut(),
        ) {
            (Ok(before), Some(last)) => last.feature = before,
            (Err(Error::Gone(_)), Some(last)) => {
                last.is_forgotten = last.operation != Operation::Delete;
            }
            (Ok(_) | Err(Error::Gone(_)), None) => {}
            (Err(error), _) => return Err(error),
        }
        let name = row.text(2)?;
        let operation = Operation::ALL.into_iter().find(|o| o.name() == name);
        let Value::Text(at) = row.value(6, PropertyType::DateTime)? else {
            return Err(Error::Refused(
                Message::new("store.log-damaged")
                    .with("seq", row.integer(5)?)
                    .with("reason", "at"),
            ));
        };
        versions.push(Version {
            fid,
            seq: ChangeSeq(row.integer(5)?),
            at: at.to_string(),
            actor: row.text(7)?,
            operation: operation.unwrap_or(Operation::Replace),
            cause: Recorded {
                kind: row.maybe_text(8)?,
                request: row.maybe_text(9)?,
                reason: row.maybe_text(10)?,
            },
            feature: None,
            is_forgotten: false,
        });
    }
    if let Some(last) = versions.last_mut()
        && last.operation != Operation::Delete
    {
        let table = past::source_table(live);
        let mut now = items::by_keys(session, collection, table, &[fid]).await?;
        last.feature = now.pop();
    }
    Ok(versions)
}

/// The state before a change, in a row of [`past::select_with_cause`].
///
/// # Errors
/// [`Error::Gone`] when it is not known any more, or counts as gone.
fn state_before(
    row: &Row,
    fid: i64,
    collection: &Collection,
    kept: Option<&Mark>,
) -> Result<Option<Feature>, Error> {
    let state = past::state(row, fid, collection)?;
    match kept {
        Some(kept) if state.is_some() && row.integer(5)? <= kept.seq => Err(kept.gone()),
        _ => Ok(state),
    }
}

/// The state of a feature right after a change, as it was stored; `None` when there was none.
///
/// # Errors
/// [`Error::Gone`] when it is not known any more.
pub(crate) async fn state_after(
    session: &mut Session<'_>,
    live: &LiveCollection,
    fid: i64,
    seq: ChangeSeq,
) -> Result<Option<Feature>, Error> {
    let kept = retention::kept(session, live.n).await?;
    let sql = format!(
        "{} AND fid = ? AND seq > ? ORDER BY seq LIMIT 1",
        past::select_with_cause(session.dialect())
    );
    let next = statement(sql).bind(live.n).bind(fid).bind(seq.0);
    if let Some(row) = session.fetch_optional(next).await? {
        return state_before(&row, fid, &live.collection, kept.as_ref());
    }
    let mut now = items::by_keys(session, &live.collection, &live.table, &[fid]).await?;
    Ok(now.pop())
}
