//! The change log of a copy, and the counters behind it.

use futures_util::TryStreamExt;
use model::{Message, Value};

use super::{CopyPart, CopyProgress, TELL_EVERY, Tell};
use crate::Error;
use crate::fill::Fill;
use crate::log::{self, Entry};
use crate::postgres::WITHOUT_LIMIT;
use crate::session::{Dialect, Session};
use crate::{meta, retention};

/// Numbers that the log of the source had left out: PostgreSQL leaves some at a rollback. For `check`.
const GAPS: &str = "log_gaps";

/// Changes that are copied in one transaction: some seconds of work are lost when a copy is killed.
const CHANGES_AT_ONCE: u64 = 50_000;

/// Copies the changes that the target has not yet; gives their number, and that of all.
pub(super) async fn changes(
    read: &mut Session<'_>,
    write: &mut Session<'_>,
    progress: &mut Tell<'_>,
) -> Result<(u64, u64), Error> {
    let (last, there) = log::extent(write).await?;
    let total = log::extent(read).await?.1.unsigned_abs();
    let there = there.unsigned_abs();
    let marks = retention::marks(read).await?;
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
            let mut entry = Entry::of(&row)?;
            entry.forget(&marks);
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
pub(super) async fn set_counters(write: &mut Session<'_>) -> Result<(), Error> {
    match write.dialect() {
        Dialect::Sqlite => {
            // Its own counters are behind the greatest key by themselves; gaps are noted, so that `check` tells them from loss.
            let (last, count) = log::extent(write).await?;
            if last > count {
                meta::set(write, GAPS, &(last - count).to_string()).await?;
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
