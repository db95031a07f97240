//! The two databases that a store can be in, and the transactions that each gives.

use futures_util::future::BoxFuture;
use model::{Epoch, Message};
use sqlx::Acquire;

use crate::session::{Session, Transaction};
use crate::{Access, Error, Place, Store, postgres, sqlite};

#[expect(clippy::large_enum_variant, reason = "a store has one")]
pub(crate) enum Backend {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

/// What is read within one transaction.
pub(crate) trait Reading<T>:
    for<'a, 'c> FnOnce(&'a mut Session<'c>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static
{
}

impl<T, F> Reading<T> for F where
    F: for<'a, 'c> FnOnce(&'a mut Session<'c>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static
{
}

impl Backend {
    pub(crate) async fn open(place: &Place, access: Access) -> Result<(Self, Epoch), Error> {
        match place {
            Place::Folder(folder) => {
                let (database, epoch) = sqlite::open(folder, access).await?;
                Ok((Self::Sqlite(database), epoch))
            }
            Place::Postgres(place) => {
                let (database, epoch) = postgres::open(place, access).await?;
                Ok((Self::Postgres(database), epoch))
            }
        }
    }

    /// A transaction that sees one state of the database and writes nothing.
    pub(crate) async fn read(&self) -> Result<Transaction<'static>, Error> {
        Ok(match self {
            Self::Sqlite(database) => Transaction::Sqlite(database.reader.begin().await?),
            Self::Postgres(database) => Transaction::Postgres(database.read().await?),
        })
    }

    /// As [`Backend::read`], where the index comes from: a replica may be behind what is followed.
    pub(crate) async fn read_primary(&self) -> Result<Transaction<'static>, Error> {
        match self {
            Self::Sqlite(_) => self.read().await,
            Self::Postgres(database) => Ok(Transaction::Postgres(database.read_primary().await?)),
        }
    }

    /// Whether this store may be written to.
    ///
    /// # Errors
    /// [`Error::Refused`] when it was opened for reading.
    pub(crate) fn require_write(&self) -> Result<(), Error> {
        let can_write = match self {
            Self::Sqlite(database) => database.access == Access::Write,
            Self::Postgres(database) => database.can_write,
        };
        if can_write {
            return Ok(());
        }
        Err(Error::Refused(Message::new("store.read-only")))
    }
}

impl Store {
    /// Reads several things of one state.
    pub(crate) async fn reading<T: Send + 'static>(
        &self,
        work: impl Reading<T>,
    ) -> Result<T, Error> {
        let store = self.clone();
        self.undisturbed(async move {
            let mut transaction = store.inner.backend.read().await?;
            let read = work(&mut transaction.session()).await?;
            transaction.commit().await?;
            Ok(read)
        })
        .await
    }

    /// As [`Store::reading`], never from a replica.
    pub(crate) async fn reading_newest<T: Send + 'static>(
        &self,
        work: impl Reading<T>,
    ) -> Result<T, Error> {
        let store = self.clone();
        self.undisturbed(async move {
            let mut transaction = store.inner.backend.read_primary().await?;
            let read = work(&mut transaction.session()).await?;
            transaction.commit().await?;
            Ok(read)
        })
        .await
    }

    /// Reads by a single statement, which needs no transaction.
    pub(crate) async fn reading_once<T: Send + 'static>(
        &self,
        work: impl Reading<T>,
    ) -> Result<T, Error> {
        let store = self.clone();
        self.undisturbed(async move {
            match &store.inner.backend {
                Backend::Sqlite(database) => {
                    let mut connection = database.reader.acquire().await?;
                    work(&mut Session::Sqlite(connection.acquire().await?)).await
                }
                Backend::Postgres(database) => {
                    let mut connection = database.connection().await?;
                    work(&mut Session::Postgres(connection.acquire().await?)).await
                }
            }
        })
        .await
    }

    /// Runs to its end whoever hangs up meanwhile: a transaction of PostgreSQL that is dropped while it begins would go
    /// back to the pool open.
    async fn undisturbed<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        match self.inner.backend {
            Backend::Sqlite(_) => work.await,
            Backend::Postgres(_) => tokio::spawn(postgres::within_patience(work))
                .await
                .map_err(|e| Error::Io(std::io::Error::other(e)))?,
        }
    }
}

impl sqlite::Database {
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        if let Some(writer) = &self.writer {
            writer.lock().await.close().await;
        }
    }
}
