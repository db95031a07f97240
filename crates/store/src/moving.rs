//! A copy of a whole store into another place: from a folder into PostgreSQL, back, or between two of a kind.
//!
//! The source is read in one transaction, so the copy is of one moment, whoever writes meanwhile. A collection is copied in one
//! transaction of the target, the change log in many; marks in the target's `hromada_meta` tell how far a copy has come, and
//! keep others from opening it before it is proven to be the same.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use model::{Collection, Envelope, GeometryType, Message, Value};
use sqlx::pool::PoolConnection;
use sqlx::postgres::Postgres;
use tokio::sync::MutexGuard;

use crate::backend::Backend;
use crate::compare::{self, CompareReport, Counters};
use crate::fill::Fill;
use crate::log::{self, Entry};
use crate::postgres::WITHOUT_LIMIT;
use crate::registry::{self, Registered};
use crate::session::{Dialect, Session, statement};
use crate::table::Table;
use crate::{Access, Error, Place, Store, postgres, row, sqlite};

/// The source of a copy that has not come to its end: its epoch.
const FROM: &str = "copy_from";

/// Before the number of a collection that is copied; the value has its last change and its counter then.
const DONE: &str = "copy_done_";

/// Numbers that the log of the source had left out: PostgreSQL leaves some at a rollback. For `check`.
const GAPS: &str = "log_gaps";

/// Changes that are copied in one transaction: some seconds of work are lost when a copy is killed.
const CHANGES_AT_ONCE: u64 = 50_000;

/// After so many rows the caller is told how far it is.
const TELL_EVERY: u64 = 1000;

/// What a copy did.
#[derive(Debug)]
pub struct CopyReport {
    pub collections: Vec<CopiedCollection>,
    /// Changes in the log.
    pub changes: u64,
    /// Those that were copied by this call; others were there already.
    pub changes_copied: u64,
    /// The proof that target and source are the same.
    pub proof: CompareReport,
}

#[derive(Debug)]
pub struct CopiedCollection {
    pub id: String,
    pub features: u64,
    /// Whether an interrupted copy had brought it already.
    pub was_there: bool,
}

/// How far a copy has come.
#[derive(Debug, Clone, Copy)]
pub struct CopyProgress<'a> {
    pub part: CopyPart<'a>,
    pub done: u64,
    /// Rows of the part in all.
    pub total: u64,
}

/// What is being copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyPart<'a> {
    Collection(&'a str),
    Log,
    /// Reading both and comparing them.
    Proof,
}

type Tell<'a> = dyn FnMut(CopyProgress<'_>) + Send + 'a;

/// Copies a whole store into an empty place, or goes on with a copy of it that was interrupted.
///
/// # Errors
/// [`Error::Refused`] when the place holds something else, a value of the source has no place in the target, or both differ at the
/// end; the source is never written to.
pub async fn copy(
    source: &Store,
    place: impl Into<Place>,
    progress: &mut Tell<'_>,
) -> Result<CopyReport, Error> {
    let target = Store::open_unfinished(place, Access::Write).await?;
    let copied = copied(source, &target, progress).await;
    target.close().await;
    copied
}

/// # Errors
/// [`Error::Refused`] for a copy that has not come to its end: it lacks what was not copied yet.
pub(crate) async fn refuse_unfinished(store: &Store) -> Result<(), Error> {
    let mark = store
        .reading_once(|session| Box::pin(meta(session, FROM)))
        .await?;
    if mark.is_some() {
        return Err(Error::Refused(
            Message::new("store.copy-unfinished").with("place", store.place()),
        ));
    }
    Ok(())
}

/// The target's writing connection, and the lock that keeps other copies out.
enum Held<'a> {
    Sqlite(MutexGuard<'a, sqlite::Writer>),
    Postgres(PoolConnection<Postgres>),
}

impl<'a> Held<'a> {
    async fn of(target: &'a Store) -> Result<Self, Error> {
        match &target.inner.backend {
            Backend::Sqlite(database) => match &database.writer {
                Some(writer) => Ok(Self::Sqlite(writer.lock().await)),
                None => Err(Error::Refused(Message::new("store.read-only"))),
            },
            Backend::Postgres(database) => {
                let mut connection = database.pool.load().acquire().await?;
                let lock = "SELECT pg_advisory_lock(1752330096, hashtext(current_schema()))";
                // Waits as long as any lock: a copy that was killed holds it until the server has noticed.
                let mut session = Session::Postgres(&mut connection);
                match session.run(lock).await {
                    Err(Error::Busy(_)) => Err(Error::Busy(
                        Message::new("store.copy-running").with("place", target.place()),
                    )),
                    locked => locked.map(|()| Self::Postgres(connection)),
                }
            }
        }
    }

    async fn session(&mut self) -> Result<Session<'_>, Error> {
        Ok(match self {
            Self::Sqlite(writer) => Session::Sqlite(writer.connection().await?),
            Self::Postgres(connection) => Session::Postgres(&mut *connection),
        })
    }
}

async fn copied(
    source: &Store,
    target: &Store,
    progress: &mut Tell<'_>,
) -> Result<CopyReport, Error> {
    let mut reading = source.whole().await?;
    let mut read = reading.session();
    let mut held = Held::of(target).await?;
    let mut write = held.session().await?;
    begin(source, target, &mut write).await?;
    let mut report = CopyReport {
        collections: Vec::new(),
        changes: 0,
        changes_copied: 0,
        proof: CompareReport::default(),
    };
    let mut counters = Counters::new();
    for registered in registry::all(&mut read).await? {
        let copying = Copying::of(&mut read, &registered).await?;
        let known = mark(&mut write, registered.n).await?;
        let id = registered.collection.id.as_str();
        let was_there = copying.is_done(&mut write, known).await?;
        let counter = match known {
            Some(known) if was_there => known.counter,
            _ => copying.run(&mut read, &mut write, target, progress).await?,
        };
        counters.insert(registered.n, counter);
        report.collections.push(CopiedCollection {
            id: id.to_owned(),
            features: copying.features,
            was_there,
        });
    }
    let (copied, total) = changes(&mut read, &mut write, progress).await?;
    (report.changes_copied, report.changes) = (copied, total);
    set_counters(&mut write).await?;
    report.proof = prove(target, &mut read, &counters, progress).await?;
    if !report.proof.is_same() {
        return Err(refuted(&mut write, &report.proof, target).await?);
    }
    finish(&mut write).await?;
    reading.commit().await?;
    Ok(report)
}

async fn meta(session: &mut Session<'_>, key: &str) -> Result<Option<String>, Error> {
    let found = statement("SELECT value FROM hromada_meta WHERE key = ?").bind(key);
    let row = session.fetch_optional(found).await?;
    row.map(|row| row.text(0)).transpose()
}

async fn set_meta(session: &mut Session<'_>, key: &str, value: String) -> Result<(), Error> {
    let sql = "INSERT INTO hromada_meta (key, value) VALUES (?, ?)
       ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    session
        .execute(statement(sql).bind(key).bind(value))
        .await?;
    Ok(())
}

/// Marks an empty target as a copy of the source; knows one that was begun before.
async fn begin(source: &Store, target: &Store, write: &mut Session<'_>) -> Result<(), Error> {
    let refused = |key| {
        Err(Error::Refused(
            Message::new(key)
                .with("place", target.place())
                .with("source", source.place()),
        ))
    };
    let epoch = source.epoch();
    if *target.epoch() == *epoch {
        return refused("store.copy-itself");
    }
    match meta(write, FROM).await? {
        Some(from) if *from == *epoch.0 => Ok(()),
        Some(_) => refused("store.copy-of-another"),
        None => {
            let sql = "SELECT (SELECT count(*) FROM hromada_collections) + (SELECT count(*) FROM hromada_changes)";
            if write.fetch_one(statement(sql)).await?.integer(0)? > 0 {
                return refused("store.copy-not-empty");
            }
            set_meta(write, FROM, epoch.0.to_string()).await
        }
    }
}

/// What was noted of a collection when it was copied.
#[derive(Clone, Copy)]
struct Mark {
    /// Its last change in the source.
    seq: i64,
    /// The greatest key that it ever had.
    counter: i64,
}

async fn mark(write: &mut Session<'_>, n: i64) -> Result<Option<Mark>, Error> {
    let text = meta(write, &format!("{DONE}{n}")).await?;
    let numbers = text.as_deref().and_then(|text| text.split_once(' '));
    Ok(numbers.and_then(|(seq, counter)| {
        Some(Mark {
            seq: seq.parse().ok()?,
            counter: counter.parse().ok()?,
        })
    }))
}

/// A collection on its way.
struct Copying<'a> {
    registered: &'a Registered,
    /// Its last change in the source.
    seq: i64,
    features: u64,
}

impl<'a> Copying<'a> {
    async fn of(read: &mut Session<'_>, registered: &'a Registered) -> Result<Self, Error> {
        let Registered {
            n,
            collection,
            table,
        } = registered;
        let missing = registry::missing_columns(read, table).await?;
        if let Some(column) = missing.first() {
            let message = Message::new("store.compare-column-missing")
                .with("collection", &collection.id)
                .with("column", column);
            return Err(Error::Refused(message));
        }
        let sql = format!(
            "SELECT coalesce((SELECT max(seq) FROM hromada_changes WHERE collection = ?), 0), (SELECT count(*) FROM {})",
            table.name
        );
        let row = read.fetch_one(statement(sql).bind(*n)).await?;
        Ok(Self {
            registered,
            seq: row.integer(0)?,
            features: row.integer(1)?.unsigned_abs(),
        })
    }

    /// Whether an interrupted copy has brought it, and the source has not changed it since.
    async fn is_done(&self, write: &mut Session<'_>, known: Option<Mark>) -> Result<bool, Error> {
        if known.is_none_or(|known| known.seq != self.seq) {
            return Ok(false);
        }
        let collection = &self.registered.collection;
        let there = registry::find(write, &collection.id).await?;
        Ok(there.is_some_and(|there| there.collection == *collection))
    }

    fn failed(&self, error: Error) -> Error {
        match error {
            // They say what to do, and it is not about this collection.
            Error::Full(_) | Error::Stopped(_) | Error::Busy(_) | Error::Refused(_) => error,
            other => Error::Refused(
                Message::new("store.copy-failed")
                    .with("collection", &self.registered.collection.id)
                    .with("reason", other),
            ),
        }
    }

    /// Copies table, keys and definition in one transaction; gives the counter that goes with them.
    async fn run(
        &self,
        read: &mut Session<'_>,
        write: &mut Session<'_>,
        target: &Store,
        progress: &mut Tell<'_>,
    ) -> Result<i64, Error> {
        let counter = registry::counter(read, self.registered).await?;
        let unique = registry::unique_properties(read, self.registered).await?;
        let mut transaction = write.begin().await?;
        let mut session = transaction.session();
        let written = match &target.inner.backend {
            Backend::Sqlite(_) => self.to_sqlite(read, &mut session, counter, progress).await,
            Backend::Postgres(database) => {
                self.to_postgres(read, &mut session, database, counter, progress)
                    .await
            }
        };
        let table = written.map_err(|e| self.failed(e))?;
        self.add_unique(&mut session, &table, &unique).await?;
        let (key, seq) = (format!("{DONE}{}", self.registered.n), self.seq);
        set_meta(&mut session, &key, format!("{seq} {counter}")).await?;
        transaction.commit().await?;
        Ok(counter)
    }

    async fn to_sqlite(
        &self,
        read: &mut Session<'_>,
        session: &mut Session<'_>,
        counter: i64,
        progress: &mut Tell<'_>,
    ) -> Result<Table, Error> {
        let collection = &self.registered.collection;
        match registry::find(session, &collection.id).await? {
            Some(existing) => {
                sqlite::tables::replace(session, existing, collection.clone()).await?;
            }
            None => {
                sqlite::tables::create(session, collection).await?;
                registry::put(session, self.registered).await?;
            }
        }
        let table = Table::of(Dialect::Sqlite, collection);
        let mut rows = Rows::into(&table, collection);
        self.fill(read, session, &mut rows, progress).await?;
        sqlite::tables::set_counter(session, &collection.id, counter).await?;
        if let Some(extent) = rows.extent {
            sqlite::tables::write_extent(session, &collection.id, extent, false).await?;
        }
        Ok(table)
    }

    async fn to_postgres(
        &self,
        read: &mut Session<'_>,
        session: &mut Session<'_>,
        database: &postgres::Database,
        counter: i64,
        progress: &mut Tell<'_>,
    ) -> Result<Table, Error> {
        let collection = &self.registered.collection;
        let existing = registry::find(session, &collection.id).await?;
        postgres::tables::reserve(session, collection, existing.as_ref()).await?;
        let beside = postgres::tables::begin(session, collection).await?;
        let mut rows = Rows::into(&beside, collection);
        self.fill(read, session, &mut rows, progress).await?;
        if rows.is_untyped {
            postgres::tables::retype(session, collection, &beside, true).await?;
        }
        let table = Table::of(Dialect::Postgres, collection);
        let registered = Registered {
            n: self.registered.n,
            collection: collection.clone(),
            table: table.clone(),
        };
        postgres::tables::settle_copied(session, database, &beside, &registered, counter).await?;
        Ok(table)
    }

    async fn fill(
        &self,
        read: &mut Session<'_>,
        session: &mut Session<'_>,
        rows: &mut Rows<'_>,
        progress: &mut Tell<'_>,
    ) -> Result<(), Error> {
        let id = self.registered.collection.id.as_str();
        let mut tell = |done| {
            progress(CopyProgress {
                part: CopyPart::Collection(id),
                done,
                total: self.features,
            });
        };
        let mut done = 0;
        let mut found = read.stream(compare::all_rows(self.registered))?;
        while let Some(row) = found.try_next().await? {
            rows.add(session, &row).await?;
            done += 1;
            if done % TELL_EVERY == 0 {
                tell(done);
            }
        }
        tell(done);
        rows.fill.flush(session).await
    }

    /// Indexes that an import by another property has made; that of the id is there already.
    async fn add_unique(
        &self,
        session: &mut Session<'_>,
        table: &Table,
        unique: &[String],
    ) -> Result<(), Error> {
        let collection = &self.registered.collection;
        let id = collection.id_property.as_ref();
        for property in unique.iter().filter(|p| Some(*p) != id) {
            if let Some(sql) = registry::unique_index_sql(table, collection, property) {
                session.run(sql).await?;
            }
        }
        Ok(())
    }
}

/// Rows of a source on their way into the table of a target.
struct Rows<'a> {
    collection: &'a Collection,
    table: Table,
    fill: Fill,
    extent: Option<Envelope>,
    /// Whether PostGIS' column takes any geometry, since one came that the collection does not declare.
    is_untyped: bool,
}

impl<'a> Rows<'a> {
    fn into(table: &Table, collection: &'a Collection) -> Self {
        let kinds = collection.schema.properties.iter().map(|p| p.kind);
        Self {
            collection,
            table: table.clone(),
            fill: Fill::into(table, kinds.collect()),
            extent: None,
            is_untyped: false,
        }
    }

    async fn add(
        &mut self,
        session: &mut Session<'_>,
        row: &crate::session::Row,
    ) -> Result<(), Error> {
        let collection = self.collection;
        let fid = row.integer(0)?;
        for (i, property) in collection.schema.properties.iter().enumerate() {
            let fits = !row.is_blob(i + 2)? && {
                let value = row.value(i + 2, property.kind)?;
                property.kind.accepts(&value)
            };
            if !fits {
                let message = Message::new("store.copy-value")
                    .with("collection", &collection.id)
                    .with("fid", fid)
                    .with("property", &property.name)
                    .with("type", property.kind.name());
                return Err(Error::Refused(message));
            }
        }
        let damaged = |reason: &dyn std::fmt::Display| {
            Error::Refused(
                Message::new("store.copy-geometry")
                    .with("collection", &collection.id)
                    .with("fid", fid)
                    .with("reason", reason),
            )
        };
        let feature = row::feature(row, collection).map_err(|e| damaged(&e))?;
        let mut stored = None;
        if let Some(wkb) = &feature.geometry {
            let header = formats::wkb::check(wkb).map_err(|e| damaged(&e))?;
            if self.table.dialect == Dialect::Postgres {
                self.make_room(session, &header).await?;
            }
            if let Some(envelope) = header.envelope {
                self.extent = Some(self.extent.map_or(envelope, |e| e.union(envelope)));
            }
            stored = Some(self.table.stored(wkb, &header));
        }
        self.fill
            .add(session, fid, stored, feature.properties)
            .await
    }

    /// Lets the column take what it does not declare.
    async fn make_room(
        &mut self,
        session: &mut Session<'_>,
        header: &formats::wkb::Header,
    ) -> Result<(), Error> {
        let declared = self.collection.geometry_type;
        let fits = (declared == GeometryType::Geometry || declared == header.geometry_type)
            && (self.collection.has_z, self.collection.has_m) == (header.has_z, header.has_m);
        if fits || self.is_untyped {
            return Ok(());
        }
        self.fill.flush(session).await?;
        postgres::tables::untype(session, &self.table).await?;
        self.is_untyped = true;
        Ok(())
    }
}

/// Copies the changes that the target has not yet; gives their number, and that of all.
async fn changes(
    read: &mut Session<'_>,
    write: &mut Session<'_>,
    progress: &mut Tell<'_>,
) -> Result<(u64, u64), Error> {
    let (last, there) = log::extent(write).await?;
    let total = log::extent(read).await?.1.unsigned_abs();
    let there = there.unsigned_abs();
    let mut entries = read.stream(log::after(read.dialect(), last))?;
    let mut copied = 0;
    loop {
        let mut transaction = write.begin().await?;
        let mut session = transaction.session();
        let dialect = session.dialect();
        if dialect == Dialect::Postgres {
            session.run(WITHOUT_LIMIT).await?;
        }
        let mut fill = Fill::into(&log::table(dialect), log::kinds());
        let mut n = 0;
        while n < CHANGES_AT_ONCE
            && let Some(row) = entries.try_next().await?
        {
            let entry = Entry::of(&row)?;
            add_change(&mut session, &mut fill, entry).await?;
            n += 1;
            if n % TELL_EVERY == 0 {
                progress(CopyProgress {
                    part: CopyPart::Log,
                    done: there + copied + n,
                    total,
                });
            }
        }
        fill.flush(&mut session)
            .await
            .map_err(|error| match error {
                Error::Database(error) => {
                    Error::Refused(Message::new("store.copy-log-failed").with("reason", error))
                }
                other => other,
            })?;
        transaction.commit().await?;
        copied += n;
        if n < CHANGES_AT_ONCE {
            return Ok((copied, there + copied));
        }
    }
}

async fn add_change(
    session: &mut Session<'_>,
    fill: &mut Fill,
    mut entry: Entry,
) -> Result<(), Error> {
    let damaged = |reason: &dyn std::fmt::Display| {
        Error::Refused(
            Message::new("store.log-damaged")
                .with("seq", entry.seq)
                .with("reason", reason),
        )
    };
    let dialect = session.dialect();
    let mut stored = None;
    if let Some(wkb) = &entry.geometry {
        let header = formats::wkb::check(wkb).map_err(|e| damaged(&e))?;
        let crs = u32::try_from(entry.crs).unwrap_or(0);
        stored = Some(dialect.stored(wkb, &header, crs));
    }
    if dialect == Dialect::Sqlite
        && let Value::Text(at) = &entry.values[0]
        && let Some((days, micros)) = model::microseconds_of_date_time(at)
    {
        // Its times have milliseconds, and compare as texts.
        let at = model::date_time_of(days, micros - micros % 1000);
        entry.values[0] = at.map_or(Value::Null, |at| Value::Text(at.into()));
    }
    fill.add(session, entry.seq, stored, entry.values).await
}

/// What is given next, in the log and in the registry, comes after all that was copied.
async fn set_counters(write: &mut Session<'_>) -> Result<(), Error> {
    match write.dialect() {
        Dialect::Sqlite => {
            // Its own counters are behind the greatest key by themselves; gaps are noted, so that `check` tells them from loss.
            let (last, count) = log::extent(write).await?;
            if last > count {
                set_meta(write, GAPS, (last - count).to_string()).await?;
            }
            Ok(())
        }
        Dialect::Postgres => {
            let mut transaction = write.begin().await?;
            let mut session = transaction.session();
            session.run(WITHOUT_LIMIT).await?;
            session
                .run(
                    "SELECT setval('hromada_seq', max(seq)) FROM hromada_changes;
                     SELECT setval(pg_get_serial_sequence('hromada_collections', 'n'), max(n)) FROM hromada_collections;
                     ANALYZE hromada_changes",
                )
                .await?;
            Ok(transaction.commit().await?)
        }
    }
}

async fn prove(
    target: &Store,
    read: &mut Session<'_>,
    counters: &Counters,
    progress: &mut Tell<'_>,
) -> Result<CompareReport, Error> {
    let mut whole = target.whole().await?;
    let mut there = whole.session();
    let mut totals: HashMap<Option<String>, u64> = HashMap::new();
    for registered in registry::all(&mut there).await? {
        let count = registry::count(&mut there, &registered.table).await?;
        totals.insert(Some(registered.collection.id.to_string()), count);
    }
    let changes = log::extent(&mut there).await?.1.unsigned_abs();
    totals.insert(None, changes);
    let total = totals.values().sum();
    // Parts come one after the other, each from zero on.
    let (mut before, mut part, mut last) = (0, None, 0);
    let mut tell = |id: Option<&str>, done: u64| {
        let now = Some(id.map(str::to_owned));
        if now != part {
            before += last;
            part = now;
        }
        last = done;
        progress(CopyProgress {
            part: CopyPart::Proof,
            done: before + done,
            total,
        });
    };
    let proof = compare::compared(read, &mut there, counters, &mut tell).await?;
    whole.commit().await?;
    Ok(proof)
}

/// Says what is not as in the source; the next attempt copies these collections anew.
async fn refuted(
    write: &mut Session<'_>,
    proof: &CompareReport,
    target: &Store,
) -> Result<Error, Error> {
    let numbers: HashMap<String, i64> = registry::all(write)
        .await?
        .into_iter()
        .map(|r| (r.collection.id.to_string(), r.n))
        .collect();
    let mut parts = Vec::new();
    for (id, _) in proof.collections.iter().filter(|(_, c)| !c.is_same()) {
        parts.push(id.clone());
        if let Some(n) = numbers.get(id) {
            let forgotten = statement("DELETE FROM hromada_meta WHERE key = ?");
            write.execute(forgotten.bind(format!("{DONE}{n}"))).await?;
        }
    }
    let log = (!proof.log.is_same()).then(|| "hromada_changes".to_owned());
    parts.extend(log);
    let first = proof.differences.first();
    let mut message = Message::new("store.copy-differs")
        .with("place", target.place())
        .with("parts", parts.join(", "));
    message = match first {
        Some(first) => message
            .with(
                "fid",
                first.fid.map_or_else(String::new, |fid| format!(" {fid}")),
            )
            .with_message("first", first.text.clone()),
        None => message.with("fid", "").with("first", ""),
    };
    Ok(Error::Refused(message))
}

/// Takes the marks away: from here on the copy is a store like any other.
async fn finish(write: &mut Session<'_>) -> Result<(), Error> {
    write
        .run("DELETE FROM hromada_meta WHERE substr(key, 1, 5) = 'copy_'")
        .await?;
    if write.dialect() == Dialect::Sqlite {
        write.run("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    }
    Ok(())
}
