//! Writers of the file wait in a queue, and whoever gets the writer does the work of all who wait: one commit, which is what
//! takes the time, is on disk for all of them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use model::Message;
use sqlx::Connection;
use tokio::sync::oneshot;

use super::Cause;
use super::perform::{Edits, Failure, Performed, Receipt, Work, perform};
use crate::session::Transaction;
use crate::{Error, Store, sqlite};

/// Actions that share a commit at most, but for a single larger transaction: others wait for all of them.
const MAX_SHARED: usize = 256;

type Answer = Result<Receipt, Failure>;

struct Job {
    work: Work,
    cause: Cause,
    answer: oneshot::Sender<Answer>,
}

/// Transactions that wait for the writer.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<Job>>,
}

impl Queue {
    fn push(&self, job: Job) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back(job);
    }

    /// The next ones that share a commit.
    fn take(&self) -> Vec<Job> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut jobs, mut actions) = (Vec::new(), 0);
        while let Some(next) = waiting.front() {
            // An operation looks at the index, which has only what is committed.
            let is_alone = matches!(next.work, Work::Cadastral(_));
            actions += next.work.len();
            if !jobs.is_empty() && (is_alone || actions > MAX_SHARED) {
                break;
            }
            jobs.extend(waiting.pop_front());
            if is_alone {
                break;
            }
        }
        jobs
    }
}

impl Store {
    pub(super) async fn transact_in_file(
        &self,
        database: &sqlite::Database,
        work: Work,
        cause: Cause,
    ) -> Answer {
        let Some(writer) = &database.writer else {
            let message = Message::new("store.read-only");
            return Err(Failure::Whole(Error::Refused(message)));
        };
        let (answer, mut answered) = oneshot::channel();
        database.queue.push(Job {
            work,
            cause,
            answer,
        });
        loop {
            let mut writer = writer.lock().await;
            match answered.try_recv() {
                Ok(answer) => return answer,
                Err(oneshot::error::TryRecvError::Empty) => {}
                Err(oneshot::error::TryRecvError::Closed) => {
                    let gone = std::io::Error::other("the writer ended in the middle of a write");
                    return Err(Failure::Whole(Error::Io(gone)));
                }
            }
            let jobs = database.queue.take();
            self.do_all(database, &mut writer, jobs).await;
        }
    }

    /// Does what waits, and answers all who wait for it.
    async fn do_all(
        &self,
        database: &sqlite::Database,
        writer: &mut sqlite::Writer,
        jobs: Vec<Job>,
    ) {
        if jobs.len() > 1 {
            match self.share(database, writer, &jobs).await {
                Ok(answers) => {
                    for (job, answer) in jobs.into_iter().zip(answers) {
                        // Whoever hung up has a task that waits all the same.
                        let _ = job.answer.send(answer);
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "writes that shared a commit are done one by one");
                }
            }
        }
        for job in jobs {
            let answers = self.share(database, writer, std::slice::from_ref(&job));
            let answer = match answers.await {
                Ok(mut answers) => answers.pop().unwrap_or_else(|| {
                    Err(Failure::Whole(Error::Busy(Message::new("store.busy"))))
                }),
                Err(error) => Err(Failure::Whole(error)),
            };
            let _ = job.answer.send(answer);
        }
    }

    /// Does some transactions within one of the file. Those that are refused leave nothing behind; an error is one of the file,
    /// and nothing was done then.
    async fn share(
        &self,
        database: &sqlite::Database,
        writer: &mut sqlite::Writer,
        jobs: &[Job],
    ) -> Result<Vec<Answer>, Error> {
        if let Some(reason) = self.stopped() {
            return Err(Error::Stopped(reason));
        }
        self.still_there(database)?;
        let done = self.transact_all(writer, jobs).await;
        if let Err(error) = &done
            && self.stopped().is_some()
        {
            tracing::error!(%error, "a write has an unknown outcome; writes stop until the store is started again");
            self.reload().await;
        }
        let mut edits: Vec<Edits> = Vec::new();
        let mut answers = Vec::with_capacity(jobs.len());
        for done in done? {
            answers.push(done.map(|done| {
                Edits::join(&mut edits, done.edits);
                done.receipt
            }));
        }
        if !edits.is_empty() {
            self.show(edits).await;
        }
        Ok(answers)
    }

    async fn transact_all(
        &self,
        writer: &mut sqlite::Writer,
        jobs: &[Job],
    ) -> Result<Vec<Result<Performed, Failure>>, Error> {
        let begun = writer
            .connection()
            .await
            .map_err(|e| self.judged(e))?
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|e| self.judged(e.into()))?;
        let mut transaction = Transaction::Sqlite(begun);
        let worked = self.each(&mut transaction, jobs).await;
        let is_written = matches!(&worked, Ok(all) if all.iter().any(is_written));
        if is_written {
            self.commit(transaction).await?;
            return worked;
        }
        // Nothing of it stays. SQLite may have rolled back already, and then this fails; the writer looks before it takes the
        // connection again.
        if let Err(rollback) = transaction.rollback().await {
            tracing::warn!(error = %rollback, "there was nothing to roll back");
        }
        worked.map_err(|e| self.judged(e))
    }

    async fn each(
        &self,
        transaction: &mut Transaction<'_>,
        jobs: &[Job],
    ) -> Result<Vec<Result<Performed, Failure>>, Error> {
        let live = self.live();
        let is_alone = jobs.len() == 1;
        let mut all = Vec::with_capacity(jobs.len());
        for job in jobs {
            let mut session = transaction.session();
            if !is_alone {
                session.run("SAVEPOINT hromada_job").await?;
            }
            let actions = perform(&mut session, &live, &job.work, &job.cause).await;
            let end = match actions {
                Ok(_) => "RELEASE hromada_job",
                // One that is not about the request is about the file, and nothing more is done.
                Err(Failure::Whole(error)) if !error.is_refusal() => return Err(error),
                Err(_) => "ROLLBACK TO hromada_job; RELEASE hromada_job",
            };
            all.push(actions);
            if !is_alone {
                session.run(end).await?;
            }
        }
        Ok(all)
    }
}

fn is_written(done: &Result<Performed, Failure>) -> bool {
    matches!(done, Ok(done) if !done.receipt.is_repeated)
}
