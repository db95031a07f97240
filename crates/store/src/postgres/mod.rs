//! The server store: a schema in a PostgreSQL database with PostGIS.
//!
//! A collection is a typed table in the store's schema. Triggers of each table write the change log, whoever writes the
//! table, and number its rows when the transaction ends.

pub(crate) mod copy;
pub(crate) mod dump;
mod follow;
mod open;
mod place;
mod pool;
pub(crate) mod publish;
mod sql;
pub(crate) mod tables;
mod value;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use model::{ChangeSeq, Message};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, Postgres};
use tokio::sync::{RwLock, RwLockReadGuard};

pub(crate) use follow::Following;
pub use follow::Lag;
pub(crate) use open::open;
pub use place::PostgresPlace;
pub(crate) use place::is_postgres;
use pool::Pools;
pub(crate) use pool::{is_away, while_they_come, within_patience};
pub use publish::{Followed, PublishJob, Published};
pub(crate) use sql::{
    TRIGGERS, WITHOUT_LIMIT, column_name, geometry_type, number, numbered, triggers,
};
pub(crate) use value::{bind, ewkb, value, wkb};

use crate::session::{Session, Transaction};
use crate::{Error, Store};

/// How often a replica is asked whether it has a change that somebody waits for.
const REPLICA_POLL: Duration = Duration::from_millis(20);

pub(crate) struct Database {
    pub(crate) place: PostgresPlace,
    /// Reads and writes of requests.
    pub(crate) pool: ArcSwap<PgPool>,
    /// Reads that may be a little behind, where another server is named for them.
    pub(crate) reader: ArcSwap<PgPool>,
    /// Following the change log, which must go on when all others wait for a row that somebody holds.
    pub(crate) follower: ArcSwap<PgPool>,
    pub(crate) path: String,
    pub(crate) following: Following,
    pub(crate) can_write: bool,
    /// Held by each write to its end; true when the store is closed.
    closed: RwLock<bool>,
}

impl Database {
    /// A connection for reading.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Postgres>, Error> {
        self.following.require_contact()?;
        Ok(self.reader.load().acquire().await?)
    }

    /// A connection for reading from the server that is written to.
    pub(crate) async fn primary_connection(&self) -> Result<PoolConnection<Postgres>, Error> {
        self.following.require_contact()?;
        Ok(self.pool.load().acquire().await?)
    }

    /// A transaction that sees one state of the database.
    pub(crate) async fn read(&self) -> Result<sqlx::Transaction<'static, Postgres>, Error> {
        self.following.require_contact()?;
        let begun = self.reader.load().begin_with(pool::READ).await?;
        Ok(begun)
    }

    /// As [`Database::read`], of the server that is written to.
    pub(crate) async fn read_primary(&self) -> Result<sqlx::Transaction<'static, Postgres>, Error> {
        self.following.require_contact()?;
        Ok(self.pool.load().begin_with(pool::READ).await?)
    }

    /// Begins to write for somebody, whom the change log names.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the store is closed; [`Error::Busy`] when the database gives no answer.
    pub(crate) async fn write(&self, actor: &str) -> Result<Writing<'_>, Error> {
        let entered = self.closed.read().await;
        if *entered {
            return Err(Error::Stopped(Message::new("store.closed")));
        }
        self.following.require_contact()?;
        let mut transaction = Transaction::Postgres(self.pool.load().begin().await?);
        sql::act_for(&mut transaction.session(), actor).await?;
        Ok(Writing {
            database: self,
            transaction,
            _entered: entered,
        })
    }

    /// Waits until the index holds a change, and the server that pages are read from, where that is another.
    pub(crate) async fn reached(&self, seq: ChangeSeq, patience: Duration) -> bool {
        if !self.following.reached(seq, patience).await {
            return false;
        }
        if self.place.read.is_none() {
            return true;
        }
        loop {
            let reader = self.reader.load_full();
            let asked = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM hromada_changes")
                .fetch_one(&*reader)
                .await;
            match asked {
                Ok(found) if seq.0 <= found => return true,
                Ok(_) => tokio::time::sleep(REPLICA_POLL).await,
                Err(error) => {
                    tracing::warn!(%error, "the replica can't be asked how far it is");
                    return false;
                }
            }
        }
    }

    /// New connections in the place of all that there are.
    pub(crate) fn renew(&self) {
        match Pools::of(&self.place, &self.path) {
            Ok(new) => {
                for old in [
                    self.pool.swap(Arc::new(new.writer)),
                    self.reader.swap(Arc::new(new.reader)),
                    self.follower.swap(Arc::new(new.follower)),
                ] {
                    tokio::spawn(async move { old.close().await });
                }
            }
            Err(error) => tracing::error!(%error, "the connections can't be made anew"),
        }
    }

    pub(crate) async fn close(&self) {
        self.following.end();
        *self.closed.write().await = true;
        self.reader.load().close().await;
        self.pool.load().close().await;
        self.follower.load().close().await;
    }
}

/// A transaction that writes; closing the store waits for its end. Dropped, it is rolled back.
pub(crate) struct Writing<'a> {
    database: &'a Database,
    transaction: Transaction<'static>,
    _entered: RwLockReadGuard<'a, bool>,
}

impl Writing<'_> {
    pub(crate) fn session(&mut self) -> Session<'_> {
        self.transaction.session()
    }

    /// Commits, and brings the index of this process to it.
    ///
    /// # Errors
    /// [`Error::Busy`] with words of its own when the commit was not answered: it may have been made or not.
    pub(crate) async fn commit(self, store: &Store) -> Result<(), Error> {
        pool::commit(self.transaction).await?;
        // It is stored; where the index can't be brought to it now, it is a moment later.
        let following = &self.database.following;
        if let Err(error) = following.catch_up(store, self.database).await {
            tracing::warn!(%error, "a write is stored, but the index has not followed it yet");
        }
        Ok(())
    }
}
