//! A copy of a whole store into another place: from a folder into PostgreSQL, back, or between two of a kind.
//!
//! The source is read in one transaction, so the copy is of one moment, whoever writes meanwhile. A collection is copied in one
//! transaction of the target, the change log in many; marks in the target's `hromada_meta` tell how far a copy has come, and
//! keep others from opening it before it is proven to be the same.

mod changes;
mod collection;
mod people;

use std::collections::HashMap;

use model::Message;
use sqlx::pool::PoolConnection;
use sqlx::postgres::Postgres;
use tokio::sync::MutexGuard;

use crate::backend::Backend;
use crate::compare::{self, CompareReport, Counters};
use crate::session::{Dialect, Session, statement};
use crate::{Access, Error, Place, Store, sqlite};
use crate::{facts, log, meta, registry};

use changes::{changes, set_counters};
use collection::{Copying, mark};

/// The source of a copy that has not come to its end: its epoch.
const FROM: &str = "copy_from";

/// Before the number of a collection that is copied; the value has its last change and its counter then.
const DONE: &str = "copy_done_";

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
        .reading_once(|session| Box::pin(meta::get(session, FROM)))
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
                let lock = "SELECT pg_advisory_lock(1752330097, hashtext(current_schema()))";
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
    facts::copy(&mut read, &mut write).await?;
    people::people(&mut read, &mut write).await?;
    report.proof = prove(target, &mut read, &counters, progress).await?;
    if !report.proof.is_same() {
        return Err(refuted(&mut write, &report.proof, target).await?);
    }
    finish(&mut write).await?;
    reading.commit().await?;
    Ok(report)
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
    match meta::get(write, FROM).await? {
        Some(from) if *from == *epoch.0 => Ok(()),
        Some(_) => refused("store.copy-of-another"),
        None => {
            let sql = "SELECT (SELECT count(*) FROM hromada_collections) + (SELECT count(*) FROM hromada_changes)
               + (SELECT count(*) FROM hromada_directory) + (SELECT count(*) FROM hromada_audit)";
            if write.fetch_one(statement(sql)).await?.integer(0)? > 0 {
                return refused("store.copy-not-empty");
            }
            meta::set(write, FROM, &epoch.0).await
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
    parts.extend((!proof.directory.is_same()).then(|| "hromada_directory".to_owned()));
    parts.extend((!proof.audit.is_same()).then(|| "hromada_audit".to_owned()));
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
