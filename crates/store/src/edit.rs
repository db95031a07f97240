//! The write path of single features: store, change log, commit, then index.

mod by;
mod change;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use model::{ChangeSeq, Message, Value};
use spatial::index::Edit;
use sqlx::Connection;

pub use by::By;
use change::Change;

use crate::backend::Backend;
use crate::live::{Live, LiveCollection};
use crate::session::{Session, Transaction};
use crate::{Error, Item, Store, items, postgres, sqlite};

/// A feature as a client wants it to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// WKB in longitude/latitude; `None` for null.
    pub geometry: Option<Vec<u8>>,
    /// One value for each property of the schema, in its order.
    pub properties: Vec<Value>,
}

impl Store {
    /// Adds a feature, and gives it back as it is stored.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value or geometry that does not fit, [`Error::Conflict`] for an id that is taken,
    /// [`Error::Full`], [`Error::Stopped`].
    pub async fn create(
        &self,
        collection: &str,
        draft: Draft,
        by: impl Into<By>,
    ) -> Result<Item, Error> {
        self.write(collection, None, by.into(), |change, session| {
            Box::pin(async move { change.create(session, draft).await })
        })
        .await
    }

    /// Puts another state in a feature's place and gives it back as it is stored; `expected` is the version that the
    /// feature must still have.
    ///
    /// # Errors
    /// As [`Store::create`], and [`Error::NotFound`], [`Error::PreconditionFailed`].
    pub async fn replace(
        &self,
        collection: &str,
        id: &str,
        draft: Draft,
        expected: Option<ChangeSeq>,
        by: impl Into<By>,
    ) -> Result<Item, Error> {
        let named = Some(id.to_owned());
        let id = id.to_owned();
        self.write(collection, named, by.into(), move |change, session| {
            Box::pin(async move { change.replace(session, &id, draft, expected).await })
        })
        .await
    }

    /// Takes a feature out; its last state stays in the change log.
    ///
    /// # Errors
    /// As [`Store::replace`].
    pub async fn delete(
        &self,
        collection: &str,
        id: &str,
        expected: Option<ChangeSeq>,
        by: impl Into<By>,
    ) -> Result<ChangeSeq, Error> {
        let named = Some(id.to_owned());
        let id = id.to_owned();
        self.write(collection, named, by.into(), move |change, session| {
            Box::pin(async move { change.delete(session, &id, expected).await })
        })
        .await
    }

    /// Runs the write in a task of its own: a client that hangs up half-way gets all of it or nothing.
    async fn write<T: Send + 'static>(
        &self,
        collection: &str,
        id: Option<String>,
        by: By,
        work: impl Work<T>,
    ) -> Result<T, Error> {
        let (store, collection) = (self.clone(), collection.to_owned());
        let task = tokio::spawn(async move {
            if let Some(id) = id {
                store.notice(&collection, &id, &by).await?;
            }
            store.write_here(&collection, &by, work).await
        });
        task.await
            .map_err(|e| Error::Io(std::io::Error::other(e)))?
    }

    async fn write_here<T>(
        &self,
        collection: &str,
        by: &By,
        work: impl Work<T>,
    ) -> Result<T, Error> {
        self.inner.backend.require_write()?;
        match &self.inner.backend {
            Backend::Sqlite(database) => {
                let Some(writer) = &database.writer else {
                    return Err(Error::Refused(Message::new("store.read-only")));
                };
                let mut writer = writer.lock().await;
                if let Some(reason) = self.stopped() {
                    return Err(Error::Stopped(reason));
                }
                self.still_there(database)?;
                let live = self.live();
                let live = known(&live, collection)?;
                by.require_fit(live)?;
                let change = Change { live, by };
                let done = self.transact(&mut writer, change, work).await;
                if let Err(error) = &done
                    && self.stopped().is_some()
                {
                    tracing::error!(%error, "a write has an unknown outcome; writes stop until the store is started again");
                    self.reload().await;
                }
                let done = done?;
                self.show(live, done.version, &done.edit).await;
                Ok(done.answer)
            }
            Backend::Postgres(database) => {
                let live = self.live();
                let live = known(&live, collection)?;
                if !live.table.is_editable {
                    let message = Message::new("store.collection-read-only");
                    return Err(Error::Denied(message.with("id", collection)));
                }
                by.require_fit(live)?;
                let change = Change { live, by };
                let written = postgres::within_patience(async {
                    let mut writing = database.write(&by.actor).await?;
                    let done = work(change, &mut writing.session()).await?;
                    Ok((writing, done))
                });
                let (writing, done) = written.await?;
                writing.commit(self).await?;
                Ok(done.answer)
            }
        }
    }

    /// Logs what another program has done to a feature of a table that no trigger watches: whoever writes it now is held to
    /// the version that it has, not to the one last seen.
    async fn notice(&self, collection: &str, id: &str, by: &By) -> Result<(), Error> {
        self.inner.backend.require_write()?;
        let Backend::Postgres(database) = &self.inner.backend else {
            return Ok(());
        };
        let live = self.live();
        let known = known(&live, collection)?;
        if known.table.mark.is_none() || !known.table.is_editable {
            return Ok(());
        }
        let noticed = postgres::within_patience(async {
            let mut writing = database.write("").await?;
            let mut session = writing.session();
            let Some(named) = by.identified(known, id) else {
                return Ok(None);
            };
            let Some(item) = items::named_so(&mut session, known, named).await? else {
                return Ok(None);
            };
            let (n, table, fid) = (known.n, &known.table, item.feature.fid);
            let seen = postgres::publish::notice(&mut session, n, table, fid, None).await?;
            if seen > 0 {
                postgres::number(&mut session).await?;
            }
            Ok((seen > 0).then_some(writing))
        });
        match noticed.await? {
            Some(writing) => writing.commit(self).await,
            None => Ok(()),
        }
    }

    /// A file that was deleted or replaced while it is open takes writes that nobody will find again.
    fn still_there(&self, database: &sqlite::Database) -> Result<(), Error> {
        if database.is_still_there() {
            return Ok(());
        }
        let file = database.file();
        // Whoever asks may read the reason: where the file is belongs into the log only.
        let name = file.file_name().unwrap_or_default();
        let reason = Message::new("store.file-gone").with("file", name.display());
        tracing::error!(file = %file.display(), %reason, "writes stop");
        self.inner.stopped.store(Arc::new(Some(reason.clone())));
        Err(Error::Stopped(reason))
    }

    async fn transact<T>(
        &self,
        writer: &mut sqlite::Writer,
        change: Change<'_>,
        work: impl Work<T>,
    ) -> Result<Done<T>, Error> {
        let begun = writer
            .connection()
            .await
            .map_err(|e| self.judged(e))?
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|e| self.judged(e.into()))?;
        let mut transaction = Transaction::Sqlite(begun);
        match work(change, &mut transaction.session()).await {
            Ok(done) => {
                self.commit(transaction).await?;
                Ok(done)
            }
            Err(error) => {
                let error = self.judged(error);
                // The statement failed before the commit: nothing of it stays. SQLite may have rolled back already,
                // and then this fails; the writer looks before it takes the connection again.
                if let Err(rollback) = transaction.rollback().await {
                    tracing::warn!(error = %rollback, "there was nothing to roll back");
                }
                Err(error)
            }
        }
    }

    /// # Errors
    /// [`Error::Stopped`] when the commit failed: it may or may not be on disk, so writes stop.
    pub(crate) async fn commit(&self, transaction: Transaction<'_>) -> Result<(), Error> {
        transaction
            .commit()
            .await
            .map_err(|error| match Error::from(error) {
                // A full disk is found before the commit record is written, and SQLite rolls back.
                full @ Error::Full(_) => full,
                other => {
                    tracing::error!(error = %other, "a commit failed");
                    Error::Stopped(self.stop())
                }
            })
    }

    /// An I/O error stops writes, since nothing written before it can be trusted to be on disk.
    fn judged(&self, error: Error) -> Error {
        match error {
            Error::Database(inner) if Error::is_io(&inner) => {
                tracing::error!(error = %inner, "the disk failed");
                Error::Stopped(self.stop())
            }
            other => other,
        }
    }

    fn stop(&self) -> Message {
        let reason = Message::new("store.stopped");
        self.inner.stopped.store(Arc::new(Some(reason.clone())));
        reason
    }

    /// The index as the store has it, after a write of unknown outcome. Without it readers would be shown what
    /// is no longer so: writes stop, and the server is not ready.
    async fn reload(&self) {
        if let Err(error) = self.load().await {
            tracing::error!(%error, "the index could not be loaded again");
            self.stop();
        }
    }

    /// Shows a committed change to readers. Called with the writer held, so changes arrive in order.
    async fn show(&self, before: &LiveCollection, seq: ChangeSeq, edit: &Edit) {
        // The change is on disk: whatever happens in the index, it has to be shown.
        let applied = std::panic::catch_unwind(AssertUnwindSafe(|| followed(before, seq, edit)));
        match applied {
            Ok(Ok(after)) => {
                let mut live = Live::clone(&self.live());
                live.collections
                    .insert(before.collection.id.as_str().into(), after);
                self.inner.live.store(Arc::new(live));
                return;
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the index refused a committed change; it is loaded again");
            }
            Err(_) => {
                tracing::error!("the index panicked in a committed change; it is loaded again");
            }
        }
        self.reload().await;
    }
}

fn known<'a>(live: &'a Live, collection: &str) -> Result<&'a LiveCollection, Error> {
    live.get(collection)
        .ok_or_else(|| Error::NotFound(Message::new("store.no-collection").with("id", collection)))
}

/// A collection after a change. Snapshots are immutable, so one that fails half-way is only thrown away.
fn followed(
    before: &LiveCollection,
    seq: ChangeSeq,
    edit: &Edit,
) -> Result<LiveCollection, spatial::Error> {
    let index = before.index.with(std::slice::from_ref(edit))?;
    let (fid, after) = match edit {
        Edit::Put { fid, envelope, .. } => (*fid, *envelope),
        Edit::Remove { fid } => (*fid, None),
    };
    let was = before.index.get(fid).and_then(|hit| hit.envelope());
    Ok(LiveCollection {
        index,
        seq,
        touched: before.touched.with(seq, was, after),
        ..before.clone()
    })
}

/// What a write has done in its transaction.
struct Done<T> {
    version: ChangeSeq,
    edit: Edit,
    /// What the caller is told; made before the commit, after which nothing may fail.
    answer: T,
}

/// The statements of a write.
trait Work<T>:
    for<'c, 's> FnOnce(Change<'c>, &'c mut Session<'s>) -> BoxFuture<'c, Result<Done<T>, Error>>
    + Send
    + 'static
{
}

impl<T, F> Work<T> for F where
    F: for<'c, 's> FnOnce(Change<'c>, &'c mut Session<'s>) -> BoxFuture<'c, Result<Done<T>, Error>>
        + Send
        + 'static
{
}
