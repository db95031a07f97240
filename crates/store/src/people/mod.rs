//! People, rules of collections, the keys by which people are known, and the audit log.
//!
//! The directory (people, units, rules) is small and in memory; the tables are the truth. A number in `hromada_meta`
//! grows with each change of it or of keys, so that other processes know that they have to look again.

pub(crate) mod audit;
mod keys;
mod manage;
mod styles;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use model::access::{Class, Directory, PropertyRule, Shown};
use model::{Message, Schema};
use sqlx::Connection;

pub use audit::{AuditEntry, AuditFilter, AuditFinding, AuditRecord, Verified};
pub use keys::{Key, KeyHash, KeyKind};
pub use manage::{MAX_TOKEN_DAYS, NewToken, TOKEN_DAYS};
pub use wire::{access_from_json, access_from_text, access_json};

use crate::backend::{Backend, Reading};
use crate::session::{Session, Transaction, statement};
use crate::{Error, Store, meta};

/// The directory as it was read, and its number then.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) version: i64,
    pub(crate) directory: Arc<Directory>,
}

/// Keys of a person that end at once: their sessions and links, but for one.
#[derive(Debug, Clone)]
pub struct Ended {
    pub person: String,
    /// The session that stays.
    pub kept: Option<KeyHash>,
    /// Whether tokens end too.
    pub tokens: bool,
    /// A link that this is done by, and that is good once.
    pub spent: Option<KeyHash>,
}

impl Ended {
    /// How many there were.
    async fn take(self, session: &mut Session<'_>) -> Result<u64, Error> {
        if let Some(spent) = self.spent {
            let sql = "DELETE FROM hromada_keys WHERE hash = ?";
            if session.execute(statement(sql).bind(spent.as_str())).await? == 0 {
                let message = Message::new("access.link-spent");
                return Err(Error::Denied(message));
            }
        }
        let kept = self.kept.as_ref().map_or("", KeyHash::as_str);
        let sql = match self.tokens {
            true => "DELETE FROM hromada_keys WHERE person = ? AND hash <> ?",
            false => "DELETE FROM hromada_keys WHERE person = ? AND hash <> ? AND kind <> 'token'",
        };
        session
            .execute(statement(sql).bind(self.person).bind(kept))
            .await
    }
}

/// What is done to the store's own records within one transaction.
pub(crate) trait Recording<T>:
    for<'a, 'c> FnOnce(&'a mut Session<'c>) -> BoxFuture<'a, Result<T, Error>> + Send
{
}

impl<T, F> Recording<T> for F where
    F: for<'a, 'c> FnOnce(&'a mut Session<'c>) -> BoxFuture<'a, Result<T, Error>> + Send
{
}

impl Store {
    /// People, units and rules, as this process last read them: at most a second ago where another one has changed them
    /// ([`Store::refresh_directory`]).
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.inner.directory.load().directory)
    }

    /// The directory with its number.
    pub fn directory_at(&self) -> (i64, Arc<Directory>) {
        let read = self.inner.directory.load();
        (read.version, Arc::clone(&read.directory))
    }

    /// The number of the directory in memory: another one after each change of it, or of keys.
    pub fn directory_version(&self) -> i64 {
        self.inner.directory.load().version
    }

    /// Reads the directory again if another process has changed it.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn refresh_directory(&self) -> Result<(), Error> {
        let known = self.directory_version();
        let read = self
            .reading_primary(move |session| {
                Box::pin(async move {
                    let version = version(session).await?;
                    if version == known {
                        return Ok(None);
                    }
                    Ok(Some(read(session, version).await?))
                })
            })
            .await?;
        if let Some(read) = read {
            self.put_directory(read);
        }
        Ok(())
    }

    /// Changes people, units or rules, and says so in the audit log, in one transaction. `change` gets what is stored now
    /// and gives what the log is told.
    ///
    /// # Errors
    /// Those of `change`; when the database can't be written.
    pub async fn amend<T: Send + 'static>(
        &self,
        actor: &str,
        change: impl FnOnce(&mut Directory) -> Result<(AuditEntry, T), Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.amend_with(actor, None, |directory| {
            let (entry, done) = change(directory)?;
            Ok((vec![entry], done))
        })
        .await
    }

    /// As [`Store::amend`], and ends sessions of a person in the same transaction, with all that has begun to become one.
    ///
    /// # Errors
    /// As [`Store::amend`].
    pub async fn amend_ending(
        &self,
        actor: &str,
        ended: Ended,
        change: impl FnOnce(&mut Directory) -> Result<AuditEntry, Error> + Send + 'static,
    ) -> Result<(), Error> {
        self.amend_with(actor, Some(ended), |directory| {
            Ok((vec![change(directory)?], ()))
        })
        .await
    }

    /// As [`Store::amend`], for several things that are done together or not at all. Without an entry nothing is changed.
    ///
    /// # Errors
    /// As [`Store::amend`].
    pub async fn amend_all<T: Send + 'static>(
        &self,
        actor: &str,
        change: impl FnOnce(&mut Directory) -> Result<(Vec<AuditEntry>, T), Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.amend_with(actor, None, change).await
    }

    /// As [`Store::amend_all`], and takes keys of a person in the same transaction.
    pub(crate) async fn amend_with<T: Send + 'static>(
        &self,
        actor: &str,
        ended: Option<Ended>,
        change: impl FnOnce(&mut Directory) -> Result<(Vec<AuditEntry>, T), Error> + Send + 'static,
    ) -> Result<T, Error> {
        let by = actor.to_owned();
        let recorded = self.recording(actor, move |session| {
            Box::pin(async move {
                audit::lock(session).await?;
                let version = version(session).await?;
                let before = read(session, version).await?.directory;
                let mut after = Directory::clone(&before);
                let (mut entries, done) = change(&mut after)?;
                if entries.is_empty() {
                    let directory = before;
                    return Ok((Read { version, directory }, done));
                }
                if let Some(ended) = &ended
                    && let Some(person) = after.people.get_mut(&ended.person)
                {
                    person.generation += 1;
                }
                write(session, &before, &after).await?;
                if let Some(ended) = ended {
                    let keys = ended.take(session).await?;
                    let last = entries.pop().expect("there is one entry at least");
                    entries.push(last.with("keys", keys));
                }
                for entry in &entries {
                    audit::append(session, &by, entry).await?;
                }
                let version = grow(session).await?;
                let directory = Arc::new(after);
                Ok((Read { version, directory }, done))
            })
        });
        let (read, done) = recorded.await?;
        self.put_directory(read);
        Ok(done)
    }

    /// Of two that come at once the newer one stays.
    fn put_directory(&self, read: Read) {
        let read = Arc::new(read);
        self.inner.directory.rcu(|known| {
            let is_newer = read.version > known.version || known.version == 0;
            Arc::clone(if is_newer { &read } else { known })
        });
        self.inner.news.send_replace(());
    }

    /// Reads the directory again after a write that has changed the rules of a collection. The write is stored, whatever
    /// happens here; the server looks again by itself.
    pub(crate) async fn note_rules(&self) {
        if let Err(error) = self.refresh_directory().await {
            tracing::warn!(%error, "the rules of collections could not be read again");
        }
    }

    /// Reads the directory without a look at what the index carries.
    pub(crate) async fn load_directory(&self) -> Result<(), Error> {
        let read = self
            .reading_primary(|session| {
                Box::pin(async move {
                    let version = version(session).await?;
                    read(session, version).await
                })
            })
            .await?;
        // Whatever was known: the database may have begun another life.
        self.inner.directory.store(Arc::new(read));
        Ok(())
    }

    /// Reads what decides who somebody is: never from a replica, which may not know yet what was taken away.
    pub(crate) async fn reading_primary<T: Send + 'static>(
        &self,
        work: impl Reading<T>,
    ) -> Result<T, Error> {
        match &self.inner.backend {
            Backend::Sqlite(_) => self.reading_once(work).await,
            Backend::Postgres(_) => {
                let store = self.clone();
                let read = crate::postgres::within_patience(async move {
                    let Backend::Postgres(database) = &store.inner.backend else {
                        return Err(Error::Refused(Message::new("store.closed")));
                    };
                    let mut connection = database.primary_connection().await?;
                    work(&mut Session::Postgres(&mut connection)).await
                });
                // To its end whoever hangs up, as all reads of PostgreSQL.
                tokio::spawn(read)
                    .await
                    .map_err(|e| Error::Io(std::io::Error::other(e)))?
            }
        }
    }

    /// Writes the store's own records, beside the features.
    pub(crate) async fn recording<T>(
        &self,
        actor: &str,
        work: impl Recording<T>,
    ) -> Result<T, Error> {
        match &self.inner.backend {
            Backend::Sqlite(database) => {
                let Some(writer) = &database.writer else {
                    return Err(Error::Refused(Message::new("store.read-only")));
                };
                let mut writer = writer.lock().await;
                if let Some(reason) = self.stopped() {
                    return Err(Error::Stopped(reason));
                }
                let connection = writer.connection().await?;
                let begun = connection.begin_with("BEGIN IMMEDIATE").await?;
                let mut transaction = Transaction::Sqlite(begun);
                let done = work(&mut transaction.session()).await;
                match done {
                    Ok(done) => {
                        self.commit(transaction).await?;
                        Ok(done)
                    }
                    Err(error) => {
                        if let Err(rollback) = transaction.rollback().await {
                            tracing::warn!(error = %rollback, "there was nothing to roll back");
                        }
                        Err(error)
                    }
                }
            }
            Backend::Postgres(database) => {
                self.inner.backend.require_write()?;
                let written = crate::postgres::within_patience(async {
                    let mut writing = database.write(actor).await?;
                    let done = work(&mut writing.session()).await?;
                    Ok((writing, done))
                });
                let (writing, done) = written.await?;
                writing.commit(self).await?;
                Ok(done)
            }
        }
    }
}

/// The number that grows with each change.
async fn version(session: &mut Session<'_>) -> Result<i64, Error> {
    let text = meta::get(session, "directory").await?;
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        Error::Refused(Message::new("store.directory-damaged").with("id", "directory"))
    })
}

/// The directory within a transaction.
pub(crate) async fn directory(session: &mut Session<'_>) -> Result<Arc<Directory>, Error> {
    let version = version(session).await?;
    Ok(read(session, version).await?.directory)
}

/// Tells other processes that something has changed.
pub(crate) async fn grow(session: &mut Session<'_>) -> Result<i64, Error> {
    let next = version(session).await? + 1;
    let sql = "UPDATE hromada_meta SET value = ? WHERE key = 'directory'";
    session
        .execute(statement(sql).bind(next.to_string()))
        .await?;
    Ok(next)
}

async fn read(session: &mut Session<'_>, version: i64) -> Result<Read, Error> {
    let sql = "SELECT kind, id, body FROM hromada_directory ORDER BY kind, id";
    let mut directory = Directory::default();
    for row in session.fetch_all(statement(sql)).await? {
        let (kind, id, body) = (row.text(0)?, row.text(1)?, row.text(2)?);
        wire::add(&mut directory, &kind, &id, &body).ok_or_else(|| {
            Error::Refused(
                Message::new("store.directory-damaged").with("id", format!("{kind} {id}")),
            )
        })?;
    }
    Ok(Read {
        version,
        directory: Arc::new(directory),
    })
}

/// Writes what is different.
async fn write(
    session: &mut Session<'_>,
    before: &Directory,
    after: &Directory,
) -> Result<(), Error> {
    let (before, after) = (bodies(before), bodies(after));
    let keys: BTreeSet<&(&str, String)> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let (kind, id) = key;
        match (before.get(key), after.get(key)) {
            (old, Some(new)) if old != Some(new) => {
                let sql = "INSERT INTO hromada_directory (kind, id, body) VALUES (?, ?, ?)
                   ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body";
                let put = statement(sql)
                    .bind(*kind)
                    .bind(id.as_str())
                    .bind(new.as_str());
                session.execute(put).await?;
            }
            (Some(_), None) => {
                let sql = "DELETE FROM hromada_directory WHERE kind = ? AND id = ?";
                let take = statement(sql).bind(*kind).bind(id.as_str());
                session.execute(take).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Every record as it is stored.
fn bodies(directory: &Directory) -> BTreeMap<(&'static str, String), String> {
    let people = directory
        .people
        .iter()
        .map(|(id, person)| (("person", id.clone()), wire::person(person).to_string()));
    let units = directory
        .units
        .iter()
        .map(|(id, unit)| (("unit", id.clone()), wire::unit(unit).to_string()));
    let access = directory
        .access
        .iter()
        .map(|(id, access)| (("access", id.clone()), access_json(access).to_string()));
    let styles = directory
        .styles
        .iter()
        .map(|(id, style)| (("style", id.clone()), wire::style(style).to_string()));
    people.chain(units).chain(access).chain(styles).collect()
}

/// Keeps properties that a collection gets later for those who work for the town, until somebody says otherwise: rules name
/// what is hidden, and nobody has said anything about these.
pub(crate) async fn guard_new(
    session: &mut Session<'_>,
    collection: &str,
    before: &Schema,
    after: &Schema,
) -> Result<(), Error> {
    let version = version(session).await?;
    let mut access = read(session, version).await?.directory.access(collection);
    if access.class >= Class::Staff {
        return Ok(());
    }
    let mut has_any = false;
    for property in &after.properties {
        let is_new = before.position(&property.name).is_none();
        if is_new && !access.properties.contains_key(&property.name) {
            has_any = true;
            let rule = PropertyRule {
                from: Class::Staff,
                is_personal: false,
                otherwise: Shown::Not,
            };
            access.properties.insert(property.name.clone(), rule);
        }
    }
    if has_any {
        set_access(session, collection, Some(&access)).await?;
    }
    Ok(())
}

/// Sets the rules of a collection within a transaction that makes or takes it.
pub(crate) async fn set_access(
    session: &mut Session<'_>,
    collection: &str,
    access: Option<&model::access::Access>,
) -> Result<(), Error> {
    let version = version(session).await?;
    let before = read(session, version).await?.directory;
    let mut after = Directory::clone(&before);
    match access {
        Some(access) => after.access.insert(collection.to_owned(), access.clone()),
        None => after.access.remove(collection),
    };
    write(session, &before, &after).await?;
    grow(session).await?;
    Ok(())
}
