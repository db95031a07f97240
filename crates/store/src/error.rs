//! What can go wrong in the store, by what a caller does about it.

use model::Message;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store or a file can't be used as it is; the message names the remedy.
    #[error("{0}")]
    Refused(Message),
    /// A value given by the caller breaks a rule.
    #[error("{0}")]
    Invalid(Message),
    /// The caller may not do this here.
    #[error("{0}")]
    Denied(Message),
    /// There is no such collection or feature.
    #[error("{0}")]
    NotFound(Message),
    /// The id is taken already.
    #[error("{0}")]
    Conflict(Message),
    /// What is asked for can't be told any more.
    #[error("{0}")]
    Gone(Message),
    /// The feature has changed since the version that the caller saw.
    #[error("{0}")]
    PreconditionFailed(Message),
    /// The disk is full; nothing was written.
    #[error("{0}")]
    Full(Message),
    /// Writes have stopped: a commit failed and its outcome is not known.
    #[error("{0}")]
    Stopped(Message),
    /// The store is busy with another write for too long, or a service that keeps its files does not answer.
    /// The same call may go well later.
    #[error("{0}")]
    Busy(Message),
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
    #[error("reading or writing a file failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Result code of SQLite for a full disk, <https://sqlite.org/rescode.html#full>.
const SQLITE_FULL: i32 = 13;
const SQLITE_BUSY: i32 = 5;
const SQLITE_IOERR: i32 = 10;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            // All connections read for others: a load, not a defect.
            return Self::Busy(Message::new("store.busy"));
        }
        match primary_code(&error) {
            Some(SQLITE_FULL) => return Self::Full(Message::new("store.disk-full")),
            Some(SQLITE_BUSY) => return Self::Busy(Message::new("store.busy")),
            _ => {}
        }
        if crate::postgres::is_away(&error) {
            tracing::warn!(%error, "the database gives no answer");
            return Self::Busy(Message::new("store.database-away"));
        }
        match sqlstate(&error).as_deref() {
            // disk_full
            Some("53100") => Self::Full(Message::new("store.disk-full")),
            // serialization_failure, deadlock_detected, lock_not_available, query_canceled, out_of_memory
            Some("40001" | "40P01" | "55P03" | "57014" | "53200") => {
                Self::Busy(Message::new("store.busy"))
            }
            // undefined_table, undefined_column, datatype_mismatch, undefined_function: all that is asked for was there once.
            Some("42P01" | "42703" | "42804" | "42883") => {
                tracing::error!(%error, "a table is not what the registry says");
                let reason = error.as_database_error().map(|e| e.message().to_owned());
                Self::Refused(
                    Message::new("store.table-changed").with("reason", reason.unwrap_or_default()),
                )
            }
            // insufficient_privilege
            Some("42501") => {
                let reason = error.as_database_error().map(|e| e.message().to_owned());
                Self::Denied(
                    Message::new("store.denied").with("reason", reason.unwrap_or_default()),
                )
            }
            // Class 22: a value that its column can't take; 23…: one that a rule of the table refuses; P0001: one that a trigger
            // of the table refuses in words of its own.
            Some(code)
                if code.starts_with("22")
                    || matches!(
                        code,
                        "23001" | "23502" | "23503" | "23514" | "23P01" | "P0001"
                    ) =>
            {
                let reason = error.as_database_error().map(|e| e.message().to_owned());
                Self::Invalid(
                    Message::new("store.value-refused").with("reason", reason.unwrap_or_default()),
                )
            }
            _ => Self::Database(error),
        }
    }
}

impl From<model::Invalid> for Error {
    fn from(invalid: model::Invalid) -> Self {
        Self::Invalid(invalid.0)
    }
}

impl Error {
    /// Whether the database gives no answer, as opposed to one that nobody likes.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self, Self::Busy(message) if message.key() == "store.database-away")
    }

    /// Whether a request is refused for what it says; others say that nothing can be done now.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Invalid(_)
                | Self::Denied(_)
                | Self::NotFound(_)
                | Self::Conflict(_)
                | Self::PreconditionFailed(_)
        )
    }

    /// Whether the disk itself failed, after which nothing that was written can be trusted to be there.
    pub(crate) fn is_io(error: &sqlx::Error) -> bool {
        primary_code(error) == Some(SQLITE_IOERR)
    }

    pub(crate) fn is_unique_violation(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        let error = error.as_database_error();
        error.is_some_and(DatabaseError::is_unique_violation)
    }

    /// The text for people, where there is one; other errors are logged, not shown.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Refused(m)
            | Self::Invalid(m)
            | Self::Denied(m)
            | Self::NotFound(m)
            | Self::Conflict(m)
            | Self::Gone(m)
            | Self::PreconditionFailed(m)
            | Self::Full(m)
            | Self::Stopped(m)
            | Self::Busy(m) => Some(m),
            Self::Database(_) | Self::Io(_) => None,
        }
    }
}

/// The primary result code of SQLite: the low byte of its extended code.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let error = error.as_database_error()?;
    let code = error.try_downcast_ref::<SqliteError>()?.code()?;
    code.parse::<i32>().ok().map(|c| c & 0xff)
}

/// PostgreSQL's code (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    Some(error.code().to_owned())
}
