//! The write path of features: store, change log, commit, then index. What is written together is one transaction, of one
//! action or many.

mod action;
mod by;
mod cadastre;
mod cause;
mod change;
mod ids;
mod perform;
mod queue;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use model::access::Editing;
use model::{ChangeSeq, Message};
use spatial::index::Edit;

pub use action::{Action, Draft, Expected, Patch, Step};
pub use by::By;
pub use cadastre::{Operation as CadastralOperation, What as Cadastral};
pub(crate) use cause::moment;
pub use cause::{Cause, Once};
pub use change::Flaw;
pub(crate) use ids::COUNTERS;
use perform::Work;
use perform::perform;
pub use perform::{Failure, Receipt, Written};
pub(crate) use queue::Queue;

use crate::backend::Backend;
use crate::live::{Live, LiveCollection};
use crate::session::Transaction;
use crate::{Error, Item, Store, items, postgres, sqlite};

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
        self.written(collection, Step::Create(draft), by).await
    }

    /// Puts another state in a feature's place and gives it back as it is stored.
    ///
    /// # Errors
    /// As [`Store::create`], and [`Error::NotFound`], [`Error::PreconditionFailed`].
    pub async fn replace(
        &self,
        collection: &str,
        id: &str,
        draft: Draft,
        expected: impl Into<Expected>,
        by: impl Into<By>,
    ) -> Result<Item, Error> {
        let (id, expected) = (id.to_owned(), expected.into());
        let step = Step::Replace {
            id,
            draft,
            expected,
        };
        self.written(collection, step, by).await
    }

    /// Takes a feature out; its last state stays in the change log.
    ///
    /// # Errors
    /// As [`Store::replace`].
    pub async fn delete(
        &self,
        collection: &str,
        id: &str,
        expected: impl Into<Expected>,
        by: impl Into<By>,
    ) -> Result<ChangeSeq, Error> {
        let (id, expected) = (id.to_owned(), expected.into());
        let step = Step::Delete { id, expected };
        let receipt = self.one(collection, step, by).await?;
        Ok(receipt.last)
    }

    async fn written(
        &self,
        collection: &str,
        step: Step,
        by: impl Into<By>,
    ) -> Result<Item, Error> {
        let receipt = self.one(collection, step, by).await?;
        let item = receipt.written.into_iter().next().and_then(|w| w.item);
        item.ok_or_else(|| Error::Io(std::io::Error::other("a written feature was not read back")))
    }

    async fn one(&self, collection: &str, step: Step, by: impl Into<By>) -> Result<Receipt, Error> {
        let action = Action {
            collection: collection.to_owned(),
            by: by.into(),
            step,
            rules: Editing::default(),
        };
        let done = self.transact(vec![action], Cause::default()).await;
        done.map_err(Failure::into_error)
    }

    /// Does all actions or none, in their order, as one transaction of whoever the first is by. Runs in a task of its own: a
    /// client that hangs up half-way gets all of it or nothing.
    ///
    /// # Errors
    /// [`Failure::Actions`] names each action that can't be done, as far as was looked.
    pub async fn transact(&self, actions: Vec<Action>, cause: Cause) -> Result<Receipt, Failure> {
        if actions.is_empty() {
            let message = Message::new("store.nothing-to-do");
            return Err(Failure::Whole(Error::Invalid(message)));
        }
        self.work(Work::Actions(actions), cause).await
    }

    /// Does a cadastral operation as one transaction; what came of which parcel is kept as lineage.
    ///
    /// # Errors
    /// As [`Store::transact`]; [`Error::Invalid`] where gaps or overlaps would come up, with the place.
    pub async fn operate(
        &self,
        operation: CadastralOperation,
        mut cause: Cause,
    ) -> Result<Receipt, Failure> {
        cause.kind = Some(operation.what.name());
        self.work(Work::Cadastral(Box::new(operation)), cause).await
    }

    async fn work(&self, work: Work, cause: Cause) -> Result<Receipt, Failure> {
        let store = self.clone();
        let task = tokio::spawn(async move {
            if let Work::Actions(actions) = &work {
                store.notice(actions).await?;
            }
            match &store.inner.backend {
                Backend::Sqlite(database) => store.transact_in_file(database, work, cause).await,
                Backend::Postgres(database) => {
                    store.transact_in_postgres(database, work, cause).await
                }
            }
        });
        let failed = |e| Failure::Whole(Error::Io(std::io::Error::other(e)));
        task.await.map_err(failed)?
    }

    async fn transact_in_postgres(
        &self,
        database: &postgres::Database,
        work: Work,
        cause: Cause,
    ) -> Result<Receipt, Failure> {
        self.inner.backend.require_write()?;
        let actor = work.actor().to_owned();
        let mut failed = None;
        let written = postgres::within_patience(async {
            let mut writing = database.write(&actor).await?;
            if let Work::Cadastral(operation) = &work {
                let live = self.live();
                let live = known(&live, &operation.collection)?;
                cadastre::hold(&mut writing.session(), live).await?;
                // From here on nobody writes a parcel: the index is brought to what there is.
                self.catch_up().await?;
            }
            let live = self.live();
            match perform(&mut writing.session(), &live, &work, &cause).await {
                Ok(done) => Ok(Some((writing, done))),
                Err(Failure::Whole(error)) => Err(error),
                Err(actions) => {
                    failed = Some(actions);
                    Ok(None)
                }
            }
        });
        let written = written.await?;
        match (written, failed) {
            (Some((writing, done)), _) => {
                // Of what was done before as well: this server may not have followed it yet, and an answer is read after.
                writing.commit(self).await?;
                Ok(done.receipt)
            }
            (None, failed) => {
                Err(failed
                    .unwrap_or_else(|| Failure::Whole(Error::Busy(Message::new("store.busy")))))
            }
        }
    }

    /// Logs what another program has done to a feature of a table that no trigger watches: whoever writes it now is held to
    /// the version that it has, not to the one last seen.
    async fn notice(&self, actions: &[Action]) -> Result<(), Error> {
        self.inner.backend.require_write()?;
        let Backend::Postgres(database) = &self.inner.backend else {
            return Ok(());
        };
        let live = self.live();
        for action in actions {
            let Some(known) = live.get(&action.collection) else {
                continue;
            };
            if known.table.mark.is_none() || !known.table.is_editable {
                continue;
            }
            if let Some(id) = action.step.id() {
                self.notice_one(database, known, id, &action.by).await?;
            }
        }
        Ok(())
    }

    async fn notice_one(
        &self,
        database: &postgres::Database,
        known: &LiveCollection,
        id: &str,
        by: &By,
    ) -> Result<(), Error> {
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

    /// Shows committed changes to readers. Called with the writer held, so changes arrive in order.
    async fn show(&self, edits: Vec<perform::Edits>) {
        let mut live = Live::clone(&self.live());
        for edits in edits {
            let Some(before) = live.get(&edits.collection) else {
                continue;
            };
            // The change is on disk: whatever happens in the index, it has to be shown.
            let applied = std::panic::catch_unwind(AssertUnwindSafe(|| followed(before, &edits)));
            match applied {
                Ok(Ok(after)) => {
                    live.collections.insert(edits.collection.into(), after);
                    continue;
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "the index refused a committed change; it is loaded again");
                }
                Err(_) => {
                    tracing::error!("the index panicked in a committed change; it is loaded again");
                }
            }
            return self.reload().await;
        }
        self.put_live(live);
    }
}

fn known<'a>(live: &'a Live, collection: &str) -> Result<&'a LiveCollection, Error> {
    live.get(collection)
        .ok_or_else(|| Error::NotFound(Message::new("store.no-collection").with("id", collection)))
}

/// A collection after some changes. Snapshots are immutable, so one that fails half-way is only thrown away.
fn followed(
    before: &LiveCollection,
    edits: &perform::Edits,
) -> Result<LiveCollection, spatial::Error> {
    let index = before.index.with(&edits.last)?;
    let mut touched = before.touched.clone();
    for (edit, seq) in edits.last.iter().zip(&edits.seqs) {
        let (fid, after) = match edit {
            Edit::Put { fid, envelope, .. } => (*fid, *envelope),
            Edit::Remove { fid } => (*fid, None),
        };
        let was = before.index.get(fid).and_then(|hit| hit.envelope());
        touched = touched.with(*seq, fid, was, after);
    }
    Ok(LiveCollection {
        index,
        seq: edits.seqs.last().copied().unwrap_or(before.seq),
        touched,
        ..before.clone()
    })
}
