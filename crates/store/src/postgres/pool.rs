//! Connections, how long anybody waits for the database, and what its silence means.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt};
use model::Message;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::PostgresPlace;
use crate::Error;
use crate::session::Transaction;

/// Connections of one process at most. PostgreSQL takes 100 by default, and three servers may share it.
const READERS: u32 = 16;
const WRITERS: u32 = 8;
/// One that listens, one that reads the log, one that looks at published tables.
const FOLLOWERS: u32 = 3;

/// A request that finds no free connection for this long is answered with "busy".
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that nobody used for this long is asked whether it is still there before it is lent.
const ASK_AFTER: Duration = Duration::from_secs(1);

/// What a statement of a request may take at most; a page of 10,000 parcels takes some 100 ms.
const STATEMENT_TIMEOUT: &str = "20s";

/// How long a request waits for a row or table that another transaction holds.
const LOCK_TIMEOUT: &str = "5s";

/// A transaction whose client has gone quiet is ended by the server.
const IDLE_TIMEOUT: &str = "60s";

pub(super) const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// As [`READ`], for following the log: one table that somebody locks must not keep the index from the others for long.
pub(super) const FOLLOW: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '250ms'";

/// A request waits no longer for the database: the network may be cut without anybody telling.
const PATIENCE: Duration = Duration::from_secs(25);

/// A database that sends nothing more for this long, in the middle of an answer, is not there.
const ROW_PATIENCE: Duration = Duration::from_secs(30);

/// Connections that are made when somebody asks for one.
pub(super) struct Pools {
    pub(super) writer: PgPool,
    pub(super) reader: PgPool,
    pub(super) follower: PgPool,
}

impl Pools {
    pub(super) fn of(place: &PostgresPlace, path: &str) -> Result<Self, Error> {
        let lazy = |place: &PostgresPlace, connections| -> Result<PgPool, Error> {
            let path: Arc<str> = path.into();
            let pool = pool_options(connections).after_connect(move |connection, _| {
                let path = Arc::clone(&path);
                Box::pin(async move { set_up(connection, Some(&path)).await })
            });
            Ok(pool.connect_lazy_with(options(place)?))
        };
        Ok(Self {
            writer: lazy(place, WRITERS)?,
            reader: lazy(place.reading(), READERS)?,
            follower: lazy(place, FOLLOWERS)?,
        })
    }
}

/// What every session is set to; not as parameters of the connection, which poolers do not pass on.
pub(super) async fn set_up(
    connection: &mut PgConnection,
    path: Option<&str>,
) -> Result<(), sqlx::Error> {
    // Whoever asks later for times gets them in one form.
    let mut sql = format!(
        "SET statement_timeout = '{STATEMENT_TIMEOUT}'; SET lock_timeout = '{LOCK_TIMEOUT}';
         SET idle_in_transaction_session_timeout = '{IDLE_TIMEOUT}';
         SET timezone = 'UTC'; SET client_min_messages = warning"
    );
    if let Some(path) = path {
        sql += &format!("; SET search_path = {path}");
    }
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) fn options(place: &PostgresPlace) -> Result<PgConnectOptions, Error> {
    let options: PgConnectOptions = place.url.parse().map_err(|error: sqlx::Error| {
        Error::Refused(
            Message::new("store.database-url")
                .with("database", &place.shown)
                .with("reason", error),
        )
    })?;
    Ok(options
        .application_name("hromada")
        .disable_statement_logging())
}

fn pool_options(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for < ASK_AFTER {
                    return Ok(true);
                }
                let asked = tokio::time::timeout(ACQUIRE_TIMEOUT / 2, connection.ping()).await;
                Ok(matches!(asked, Ok(Ok(()))))
            })
        })
}

/// # Errors
/// [`Error::Busy`] when the database gives no answer.
pub(crate) async fn within_patience<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| Err(Error::Busy(Message::new("store.database-away"))))
}

/// Whether the database gives no answer, or none to us: the connection is lost, it is starting or ending, or has become a
/// replica.
pub(crate) fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => crate::error::sqlstate(error).is_some_and(|code| {
            // Class 08: connection; 57P01 to 57P03: shutdown, crash, starting; 25006: read only; 53300: too many connections.
            code.starts_with("08")
                || matches!(
                    code.as_str(),
                    "57P01" | "57P02" | "57P03" | "25006" | "53300"
                )
        }),
    }
}

/// Ends a transaction that writes.
///
/// # Errors
/// [`Error::Busy`] with words of its own when the commit was not answered: it may have been made or not. The index follows
/// the database either way; the client has to look before it tries again.
pub(super) async fn commit(transaction: Transaction<'_>) -> Result<(), Error> {
    let answered = tokio::time::timeout(PATIENCE, transaction.commit()).await;
    match answered {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if !is_away(&error) => Err(error.into()),
        lost => {
            let reason = lost.map_or_else(|e| e.to_string(), |e| format!("{e:?}"));
            tracing::error!(reason, "a commit was not answered");
            Err(Error::Busy(Message::new("store.outcome-unknown")))
        }
    }
}

/// Rows as they come; their end is an error when they stop coming.
pub(crate) fn while_they_come<'a>(
    rows: impl Stream<Item = Result<PgRow, sqlx::Error>> + Unpin + 'a,
) -> impl Stream<Item = Result<crate::session::Row, Error>> + 'a {
    stream::unfold(rows, |mut rows| async {
        let next = tokio::time::timeout(ROW_PATIENCE, rows.next()).await;
        let row = match next {
            Ok(row) => row?.map(crate::session::Row::Postgres).map_err(Error::from),
            Err(_) => Err(Error::Busy(Message::new("store.database-away"))),
        };
        Some((row, rows))
    })
}
