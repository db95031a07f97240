//! Retention: what the features of a collection were is let go where its rules say so.
//!
//! The states before go, the changes stay: that a feature was changed, when, by whom, why, and the id that it had. So numbers
//! of changes and of versions stay what they were, an id that was given once is known for ever, lineage and the keys of
//! repeated requests go on to be found, and `check` has nothing to excuse. A mark says from when on states are known. It is
//! written first; what lies behind it counts as gone from then on, so that it does not matter when the rows are emptied, in
//! how many transactions, or whether a process dies in between.

use std::collections::BTreeMap;
use std::time::Duration;

use model::access::Retention;
use model::{CollectionId, Message};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor, Row as _};

use crate::backend::Backend;
use crate::people::{self, AuditEntry, audit};
use crate::registry::{self, Registered};
use crate::session::{Dialect, Session, statement};
use crate::{Error, Store, history, meta};

/// In `hromada_meta`, before the number of a collection: the last change of which the state after it is known but not the one
/// before, and the moment from which on the collection can be told.
const MARK: &str = "history.";

/// In `hromada_meta`, before the number of a collection: the change up to which all rows are emptied.
const DONE: &str = "history_emptied.";

/// Numbers of changes that are looked at in one read.
const LOOKED_AT: i64 = 20_000;

/// Rows that one transaction empties: somebody who writes waits some milliseconds for it.
const ROWS_AT_ONCE: usize = 500;

/// Bytes of states in one transaction, but for a single larger one.
const BYTES_AT_ONCE: u64 = 4 * 1024 * 1024;

/// Between two transactions others have at least so long.
const PAUSE: Duration = Duration::from_millis(10);

/// What a row of the log holds of the state before.
const HAS_STATE: &str = "(before_geometry IS NOT NULL OR before_properties IS NOT NULL)";

/// What stays of a row.
const COLUMNS: &str = "seq, at, actor, collection, fid, operation, before_id";

/// From which moment on a collection can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// States before changes up to this one are gone.
    pub(crate) seq: i64,
    /// Midnight in UTC, in the form of [`model::normalise_date_time`].
    pub(crate) at: String,
}

impl Mark {
    fn parse(text: &str) -> Option<Self> {
        let (seq, at) = text.split_once(' ')?;
        Some(Self {
            seq: seq.parse().ok()?,
            at: model::normalise_date_time(at)?,
        })
    }

    fn text(&self) -> String {
        format!("{} {}", self.seq, self.at)
    }

    /// Whether the moment is one that can't be told.
    fn is_after(&self, at: &str) -> bool {
        model::microseconds_of_date_time(at) < model::microseconds_of_date_time(&self.at)
    }

    pub(crate) fn gone(&self) -> Error {
        let day = self.at.get(..10).unwrap_or_default();
        Error::Gone(Message::new("store.history-not-kept").with("day", day))
    }
}

/// The mark of a collection; `None` where all of its history is kept.
pub(crate) async fn kept(session: &mut Session<'_>, n: i64) -> Result<Option<Mark>, Error> {
    match meta::get(session, &format!("{MARK}{n}")).await? {
        Some(text) => Ok(Some(read_mark(n, &text)?)),
        None => Ok(None),
    }
}

/// The marks of all collections, by their numbers.
pub(crate) async fn marks(session: &mut Session<'_>) -> Result<BTreeMap<i64, Mark>, Error> {
    let mut marks = BTreeMap::new();
    for (n, text) in meta::all(session, MARK).await? {
        let n = n.parse().map_err(|_| damaged(&format!("{MARK}{n}")))?;
        marks.insert(n, read_mark(n, &text)?);
    }
    Ok(marks)
}

fn read_mark(n: i64, text: &str) -> Result<Mark, Error> {
    Mark::parse(text).ok_or_else(|| damaged(&format!("{MARK}{n}")))
}

/// A mark that can't be read must not make anybody take what is gone for what was never there.
fn damaged(key: &str) -> Error {
    Error::Refused(Message::new("store.counter-damaged").with("key", key))
}

/// # Errors
/// [`Error::Gone`] for a moment that can't be told any more, by its last change or, where it is given, its time.
pub(crate) async fn require_kept(
    session: &mut Session<'_>,
    n: i64,
    seq: i64,
    at: Option<&str>,
) -> Result<(), Error> {
    match kept(session, n).await? {
        Some(kept) if seq < kept.seq || at.is_some_and(|at| kept.is_after(at)) => Err(kept.gone()),
        _ => Ok(()),
    }
}

/// Makes the marks of a copy those of its source, and empties what they say is gone: a copy that goes on may have got it
/// before.
pub(crate) async fn copy_marks(
    marks: &BTreeMap<i64, Mark>,
    write: &mut Session<'_>,
) -> Result<(), Error> {
    let length = MARK.len();
    let sql = format!("DELETE FROM hromada_meta WHERE substr(key, 1, {length}) = '{MARK}'");
    write.run(sql).await?;
    for (n, kept) in marks {
        meta::set(write, &format!("{MARK}{n}"), &kept.text()).await?;
        empty(write, *n, i64::MIN, kept.seq).await?;
    }
    Ok(())
}

/// What is let go.
#[derive(Debug, Clone, Default)]
pub struct Trim {
    /// All collections whose rules let something go when none is named.
    pub collections: Vec<CollectionId>,
    /// A day (RFC 3339), where less is let go than the rules say: from its beginning in UTC on everything stays.
    pub before: Option<String>,
    /// The day of now, which the rules count from.
    pub today: String,
}

impl Trim {
    /// What the rules let go now.
    pub fn by_rules() -> Self {
        Self {
            today: audit::now().get(..10).unwrap_or_default().to_owned(),
            ..Self::default()
        }
    }
}

/// What was let go of a collection, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trimmed {
    pub collection: String,
    /// From this moment on the collection can be told, in RFC 3339; `None` where it always could and can.
    pub since: Option<String>,
    /// States, each with a row of the log that stays.
    pub states: u64,
    /// What they took in the database.
    pub bytes: u64,
}

/// What is to be let go of a collection.
struct Cut {
    n: i64,
    collection: CollectionId,
    kept: Option<Mark>,
    /// All rows up to this change are empty.
    done: i64,
}

impl Cut {
    fn to(&self) -> i64 {
        self.kept.as_ref().map_or(0, |kept| kept.seq)
    }

    fn trimmed(&self, (states, bytes): (u64, u64)) -> Trimmed {
        Trimmed {
            collection: self.collection.to_string(),
            since: self.kept.as_ref().map(|kept| kept.at.clone()),
            states,
            bytes,
        }
    }
}

impl Store {
    /// Lets states go that the rules do not keep. Writers wait for a part of it at most; one that is killed is ended by the
    /// next one. `progress` gets the collection and the states that are done.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a collection without such a rule, or a day that the rule keeps; [`Error::Busy`] while another
    /// process is at it.
    pub async fn trim(
        &self,
        actor: &str,
        trim: &Trim,
        progress: &mut (dyn FnMut(&str, u64) + Send),
    ) -> Result<Vec<Trimmed>, Error> {
        let turn = Turn::of(self).await?;
        let trimmed = self.trimmed(actor, trim, progress).await;
        turn.end().await;
        trimmed
    }

    /// What [`Store::trim`] would let go. Here the day may be any.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a collection without such a rule where no day is given.
    pub async fn trimmable(&self, trim: &Trim) -> Result<Vec<Trimmed>, Error> {
        let mut all = Vec::new();
        for cut in self.cuts(trim, false).await? {
            let measured = self.measured(&cut).await?;
            all.push(cut.trimmed(measured));
        }
        Ok(all)
    }

    async fn trimmed(
        &self,
        actor: &str,
        trim: &Trim,
        progress: &mut (dyn FnMut(&str, u64) + Send),
    ) -> Result<Vec<Trimmed>, Error> {
        let mut all = Vec::new();
        for cut in self.cuts(trim, true).await? {
            let measured = self.measured(&cut).await?;
            if !self.mark(actor, trim, &cut, measured).await? {
                continue;
            }
            self.empty_all(actor, &cut, progress).await?;
            let trimmed = cut.trimmed(measured);
            if trimmed.states > 0 {
                let Trimmed {
                    collection,
                    since,
                    states,
                    bytes,
                } = &trimmed;
                tracing::info!(%collection, since, states, bytes, "states of the history were let go");
            }
            all.push(trimmed);
        }
        Ok(all)
    }

    /// Where each collection is cut. `is_bound`: not later than its rule says.
    async fn cuts(&self, trim: &Trim, is_bound: bool) -> Result<Vec<Cut>, Error> {
        let (trim, directory) = (trim.clone(), self.directory());
        self.reading_newest(move |session| {
            Box::pin(async move {
                let all = registry::all(session).await?;
                let there = |id: &CollectionId| all.iter().any(|r| r.collection.id == *id);
                if let Some(id) = trim.collections.iter().find(|id| !there(id)) {
                    let message = Message::new("store.no-collection").with("id", id);
                    return Err(Error::NotFound(message));
                }
                let mut cuts = Vec::new();
                for Registered { n, collection, .. } in all {
                    let id = collection.id;
                    let is_named = trim.collections.contains(&id);
                    if !is_named && !trim.collections.is_empty() {
                        continue;
                    }
                    let rule = directory.access(id.as_str()).retention;
                    let known = kept(session, n).await?;
                    let day = match day(&trim, &id, rule, is_bound) {
                        Ok(day) => day,
                        // One that has lost its rule in the middle of a trim: what is marked is gone all the same.
                        Err(_) if rule.is_none() && !is_named => None,
                        Err(error) => return Err(error),
                    };
                    if day.is_none() && known.is_none() {
                        continue;
                    }
                    let new = match day {
                        Some(at) => Some(Mark {
                            seq: history::seq_at(session, &at).await?.0,
                            at,
                        }),
                        None => None,
                    };
                    // What was marked once stays so, whatever a rule says later.
                    let kept = known
                        .into_iter()
                        .chain(new)
                        .max_by_key(|k| (k.seq, k.at.clone()));
                    cuts.push(Cut {
                        n,
                        collection: id,
                        kept,
                        done: done_to(session, n).await?,
                    });
                }
                Ok(cuts)
            })
        })
        .await
    }

    /// How many states there are to empty, and their bytes.
    async fn measured(&self, cut: &Cut) -> Result<(u64, u64), Error> {
        let (n, mut from, to) = (cut.n, cut.done, cut.to());
        let (mut states, mut bytes) = (0, 0);
        while from < to {
            let until = to.min(from + LOOKED_AT);
            let found = self.reading_newest(move |session| {
                Box::pin(async move {
                    let size = size(session.dialect());
                    let sql = format!(
                        "SELECT count(*), CAST(coalesce(sum({size}), 0) AS bigint) FROM hromada_changes WHERE {}",
                        within()
                    );
                    let row = session.fetch_one(statement(sql).bind(from).bind(until).bind(n));
                    let row = row.await?;
                    Ok((row.integer(0)?, row.integer(1)?))
                })
            });
            let found: (i64, i64) = found.await?;
            states += found.0.unsigned_abs();
            bytes += found.1.unsigned_abs();
            from = until;
        }
        Ok((states, bytes))
    }

    /// Says that the states are gone; from here on nobody is told of them. False where the rules have changed since the cut was
    /// chosen: then nothing is let go.
    async fn mark(
        &self,
        actor: &str,
        trim: &Trim,
        cut: &Cut,
        (states, bytes): (u64, u64),
    ) -> Result<bool, Error> {
        let Some(new) = cut.kept.clone() else {
            return Ok(false);
        };
        let (by, n, id) = (actor.to_owned(), cut.n, cut.collection.clone());
        let trim = trim.clone();
        self.recording(actor, move |session| {
            Box::pin(async move {
                audit::lock(session).await?;
                // Another process may have come further.
                let known = kept(session, n).await?;
                if known.is_some_and(|known| (known.seq, &known.at) >= (new.seq, &new.at)) {
                    return Ok(true);
                }
                let rule = people::directory(session)
                    .await?
                    .access(id.as_str())
                    .retention;
                let latest = day(&trim, &id, rule, true)?;
                if latest.is_none_or(|latest| new.is_after(&latest)) {
                    return Ok(false);
                }
                meta::set(session, &format!("{MARK}{n}"), &new.text()).await?;
                if states == 0 {
                    return Ok(true);
                }
                let entry = AuditEntry::new("history.trim", id.to_string())
                    .with("since", new.at.as_str())
                    .with("change", new.seq)
                    .with("states", states)
                    .with("bytes", bytes);
                audit::append(session, &by, &entry).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Empties the rows, some at a time.
    async fn empty_all(
        &self,
        actor: &str,
        cut: &Cut,
        progress: &mut (dyn FnMut(&str, u64) + Send),
    ) -> Result<(), Error> {
        let (n, mut from, to) = (cut.n, cut.done, cut.to());
        let (mut states, mut done) = (0, cut.done);
        while from < to {
            let until = to.min(from + LOOKED_AT);
            let next = self.reading_newest(move |session| {
                Box::pin(async move { next(session, n, from, until).await })
            });
            let rows = next.await?;
            let Some(last) = rows.last else {
                from = until;
                continue;
            };
            let begun = std::time::Instant::now();
            let emptied = self.recording(actor, move |session| {
                Box::pin(async move {
                    require_turn(session, n, to, done).await?;
                    let emptied = empty(session, n, from, last).await?;
                    meta::set(session, &format!("{DONE}{n}"), &last.to_string()).await?;
                    Ok(emptied)
                })
            });
            states += emptied.await?;
            progress(cut.collection.as_str(), states);
            (from, done) = (last, last);
            // Whoever writes has half of the time at least.
            tokio::time::sleep(PAUSE.max(begun.elapsed())).await;
        }
        if done < to {
            self.recording(actor, move |session| {
                Box::pin(async move {
                    require_turn(session, n, to, done).await?;
                    meta::set(session, &format!("{DONE}{n}"), &to.to_string()).await
                })
            })
            .await?;
        }
        Ok(())
    }
}

/// The change up to which all rows of a collection are emptied.
async fn done_to(session: &mut Session<'_>, n: i64) -> Result<i64, Error> {
    let done = meta::get(session, &format!("{DONE}{n}")).await?;
    Ok(done.and_then(|done| done.parse().ok()).unwrap_or(0))
}

/// # Errors
/// [`Error::Busy`] when the store is not as this process left it: another one is at it, or a database has taken over that does
/// not know all that was written.
async fn require_turn(session: &mut Session<'_>, n: i64, to: i64, done: i64) -> Result<(), Error> {
    let is_marked = kept(session, n).await?.is_some_and(|kept| kept.seq >= to);
    match is_marked && done_to(session, n).await? == done {
        true => Ok(()),
        false => Err(running()),
    }
}

fn running() -> Error {
    Error::Busy(Message::new("store.trim-running"))
}

/// The midnight before which states go; `None` where nothing does.
fn day(
    trim: &Trim,
    id: &CollectionId,
    rule: Option<Retention>,
    is_bound: bool,
) -> Result<Option<String>, Error> {
    let days = |text: &str| model::days_of_date(text).ok_or_else(|| not_a_day(text));
    let today = days(&trim.today)?;
    let latest = rule.map(|rule| today - i64::from(rule.days()));
    let wanted = trim.before.as_deref().map(days).transpose()?;
    let chosen = match (wanted, latest) {
        (None, Some(latest)) => latest,
        (Some(wanted), _) if !is_bound => wanted,
        (Some(wanted), Some(latest)) if wanted <= latest => wanted,
        (Some(_), Some(latest)) => {
            let message = Message::new("store.trim-too-late")
                .with("collection", id)
                .with("day", model::date_of_days(latest).unwrap_or_default());
            return Err(Error::Invalid(message));
        }
        (_, None) if trim.collections.is_empty() => return Ok(None),
        (_, None) => {
            let message = Message::new("store.trim-no-rule").with("collection", id);
            return Err(Error::Invalid(message));
        }
    };
    Ok(model::date_time_of(chosen, 0))
}

fn not_a_day(text: &str) -> Error {
    Error::Invalid(Message::new("store.trim-day").with("value", text))
}

/// Rows with a state of a stretch of the log. Parameters: number before the first, last number, collection. The sign keeps
/// SQLite from looking at all changes of the collection instead.
fn within() -> String {
    format!("seq > ? AND seq <= ? AND +collection = ? AND {HAS_STATE}")
}

/// Bytes of a state, as they lie in the database.
fn size(dialect: Dialect) -> String {
    let of = |column: &str| match dialect {
        Dialect::Sqlite => format!("coalesce(octet_length({column}), 0)"),
        Dialect::Postgres => format!("coalesce(pg_column_size({column}), 0)"),
    };
    format!(
        "CAST({} + {} AS bigint)",
        of("before_geometry"),
        of("before_properties")
    )
}

/// Rows that one transaction empties.
#[derive(Default)]
struct Rows {
    count: usize,
    bytes: u64,
    last: Option<i64>,
}

async fn next(session: &mut Session<'_>, n: i64, from: i64, until: i64) -> Result<Rows, Error> {
    let size = size(session.dialect());
    let sql = format!(
        "SELECT seq, {size} FROM hromada_changes WHERE {} ORDER BY seq LIMIT ?",
        within()
    );
    let found = statement(sql)
        .bind(from)
        .bind(until)
        .bind(n)
        .bind(ROWS_AT_ONCE as i64);
    let mut rows = Rows::default();
    for row in session.fetch_all(found).await? {
        let bytes = row.integer(1)?.unsigned_abs();
        if rows.count > 0 && rows.bytes + bytes > BYTES_AT_ONCE {
            break;
        }
        rows.count += 1;
        rows.bytes += bytes;
        rows.last = Some(row.integer(0)?);
    }
    Ok(rows)
}

/// Empties the rows after a number up to another; gives how many there were.
async fn empty(session: &mut Session<'_>, n: i64, from: i64, to: i64) -> Result<u64, Error> {
    let within = within();
    let bound = |sql: String| statement(sql).bind(from).bind(to).bind(n);
    if session.dialect() == Dialect::Postgres {
        let sql = format!(
            "UPDATE hromada_changes SET before_geometry = NULL, before_properties = NULL WHERE {within}"
        );
        return session.execute(bound(sql)).await;
    }
    // A row that gets smaller in its place leaves a page that nothing else comes into, since the log grows at its end; where
    // rows are taken out, SQLite joins pages and has some to give away.
    session
        .run(format!(
            "CREATE TEMP TABLE hromada_emptied AS SELECT {COLUMNS} FROM main.hromada_changes WHERE FALSE"
        ))
        .await?;
    let sql = format!(
        "INSERT INTO temp.hromada_emptied SELECT {COLUMNS} FROM main.hromada_changes WHERE {within}"
    );
    let emptied = session.execute(bound(sql)).await?;
    session
        .run(format!(
            "DELETE FROM main.hromada_changes WHERE seq IN (SELECT seq FROM temp.hromada_emptied);
             INSERT INTO main.hromada_changes ({COLUMNS}) SELECT {COLUMNS} FROM temp.hromada_emptied ORDER BY seq;
             DROP TABLE temp.hromada_emptied"
        ))
        .await?;
    Ok(emptied)
}

/// One process at a time trims: others would only do the same.
struct Turn<'a> {
    _here: tokio::sync::MutexGuard<'a, ()>,
    /// The lock is of this connection, and ends with it.
    among_nodes: Option<PgConnection>,
}

impl<'a> Turn<'a> {
    async fn of(store: &'a Store) -> Result<Self, Error> {
        let here = store.inner.trimming.try_lock().map_err(|_| running())?;
        let mut among_nodes = None;
        if let Backend::Postgres(database) = &store.inner.backend {
            let mut connection = database.pool.load().acquire().await?.detach();
            let lock = "SELECT pg_try_advisory_lock(1752330098, hashtext(current_schema()))";
            let row = connection.fetch_one(lock).await?;
            if !row.try_get::<bool, _>(0)? {
                return Err(running());
            }
            among_nodes = Some(connection);
        }
        Ok(Self {
            _here: here,
            among_nodes,
        })
    }

    async fn end(self) {
        if let Some(connection) = self.among_nodes
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the connection of a trim was not closed in order");
        }
    }
}
