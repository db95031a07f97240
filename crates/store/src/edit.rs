//! The write path of single features: store, change log, commit, then index.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use model::{ChangeSeq, Collection, Envelope, Message, Operation, Value};
use spatial::index::Edit;
use sqlx::Connection;

use crate::backend::Backend;
use crate::import::MAX_ID;
use crate::live::{self, Live, LiveCollection};
use crate::session::{Dialect, Parameter, Session, Transaction, statement};
use crate::{Error, Item, Store, items, postgres, row, sqlite};

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
    pub async fn create(&self, collection: &str, draft: Draft, actor: &str) -> Result<Item, Error> {
        self.write(collection, None, actor, |change, session| {
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
        actor: &str,
    ) -> Result<Item, Error> {
        let named = Some(id.to_owned());
        let id = id.to_owned();
        self.write(collection, named, actor, move |change, session| {
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
        actor: &str,
    ) -> Result<ChangeSeq, Error> {
        let named = Some(id.to_owned());
        let id = id.to_owned();
        self.write(collection, named, actor, move |change, session| {
            Box::pin(async move { change.delete(session, &id, expected).await })
        })
        .await
    }

    /// Runs the write in a task of its own: a client that hangs up half-way gets all of it or nothing.
    async fn write<T: Send + 'static>(
        &self,
        collection: &str,
        id: Option<String>,
        actor: &str,
        work: impl Work<T>,
    ) -> Result<T, Error> {
        let (store, collection, actor) = (self.clone(), collection.to_owned(), actor.to_owned());
        let task = tokio::spawn(async move {
            if let Some(id) = id {
                store.notice(&collection, &id).await?;
            }
            store.write_here(&collection, &actor, work).await
        });
        task.await
            .map_err(|e| Error::Io(std::io::Error::other(e)))?
    }

    async fn write_here<T>(
        &self,
        collection: &str,
        actor: &str,
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
                let change = Change { live, actor };
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
                let change = Change { live, actor };
                let written = postgres::within_patience(async {
                    let mut writing = database.write(actor).await?;
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
    async fn notice(&self, collection: &str, id: &str) -> Result<(), Error> {
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
            let Some(item) = items::stored(&mut session, known, id).await? else {
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
        let reason = Message::new("store.file-gone").with("file", file.display());
        tracing::error!(%reason, "writes stop");
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

/// A geometry as its column holds it.
struct Stored {
    blob: Vec<u8>,
    /// In the storage CRS; `None` when it is empty.
    envelope: Option<Envelope>,
}

/// One write within a transaction.
struct Change<'a> {
    live: &'a LiveCollection,
    actor: &'a str,
}

impl Change<'_> {
    async fn create(&self, session: &mut Session<'_>, draft: Draft) -> Result<Done<Item>, Error> {
        let table = &self.live.table;
        let stored = self.geometry(draft.geometry, None)?;
        let (blob, envelope) = stored.map_or((None, None), |s| (Some(s.blob), s.envelope));
        let key = self.integer_id(&draft.properties)?;
        let written = table.columns.iter().zip(&table.places);
        let written = written.filter_map(|(column, place)| Some((column, place.as_ref()?)));
        let (names, marks): (String, String) = written
            .map(|(column, place)| (format!(", {column}"), format!(", {place}")))
            .unzip();
        let (key_name, key_mark) = match (table.dialect, key) {
            // A null would be taken for the key itself.
            (Dialect::Postgres, None) => (String::new(), ""),
            _ => (format!("{}, ", table.key), "?, "),
        };
        let sql = format!(
            "INSERT INTO {} ({key_name}{}{names}) VALUES ({key_mark}{}{marks}) RETURNING {}",
            table.name, table.geometry, table.geometry_place, table.key_out,
        );
        let mut insert = statement(sql);
        if !key_mark.is_empty() {
            insert = insert.bind(key);
        }
        let insert = insert
            .bind(Parameter::Geometry(blob))
            .bind_all(self.parameters(&draft.properties, |_| true));
        let inserted = session.fetch_optional(insert).await;
        let inserted = inserted.map_err(|e| self.taken(e))?;
        let fid = inserted.ok_or_else(|| self.not_taken())?.integer(0)?;
        let logged = self.log(session, fid, Operation::Create, None).await?;
        self.touch(session, envelope).await?;
        let version = self.version(session, fid, logged).await?;
        self.put(session, fid, version).await
    }

    async fn replace(
        &self,
        session: &mut Session<'_>,
        id: &str,
        draft: Draft,
        expected: Option<ChangeSeq>,
    ) -> Result<Done<Item>, Error> {
        let (collection, table) = (&self.live.collection, &self.live.table);
        let before = self.before(session, id, expected).await?;
        let fid = before.feature.fid;
        if self
            .integer_id(&draft.properties)?
            .is_some_and(|key| key != fid)
        {
            return Err(Error::Invalid(
                Message::new("store.id-changed").with("id", id),
            ));
        }
        let old = before.feature.geometry.as_deref();
        let is_kept = match (old, &draft.geometry) {
            (Some(old), Some(new)) => row::is_as_served(collection, old, new),
            // It was served as null because it can't be shown; nobody meant to take it away.
            (Some(old), None) => live::indexed(collection, Some(old)).is_err(),
            _ => false,
        };
        let stored = if is_kept {
            None
        } else {
            self.geometry(draft.geometry, old)?
        };
        let (blob, envelope) = stored.map_or((None, None), |s| (Some(s.blob), s.envelope));
        let logged = self
            .log(session, fid, Operation::Replace, Some(&before))
            .await?;
        // So does a value that comes back: what is stored may be more than what can be served.
        let is_new: Vec<bool> = draft
            .properties
            .iter()
            .zip(&before.feature.properties)
            .map(|(new, old)| new != old)
            .collect();
        let written = table.columns.iter().zip(&table.places).zip(&is_new);
        let names: String = written
            .filter(|(_, is_new)| **is_new)
            .filter_map(|((column, place), _)| Some(format!(", {column} = {}", place.as_ref()?)))
            .collect();
        let parameters = self.parameters(&draft.properties, |i| is_new[i]);
        // A geometry that comes back as it was served stays bit for bit.
        let sql = format!(
            "UPDATE {} SET {geometry} = CASE WHEN ? THEN {geometry} ELSE {} END{names} WHERE {} = ?",
            table.name,
            table.geometry_place,
            table.key,
            geometry = table.geometry,
        );
        let update = statement(sql)
            .bind(is_kept)
            .bind(Parameter::Geometry(blob))
            .bind_all(parameters)
            .bind(fid);
        let updated = session.execute(update).await.map_err(|e| self.taken(e))?;
        if updated == 0 {
            return Err(self.not_taken());
        }
        self.touch(session, envelope).await?;
        let version = self.version(session, fid, logged).await?;
        self.put(session, fid, version).await
    }

    async fn delete(
        &self,
        session: &mut Session<'_>,
        id: &str,
        expected: Option<ChangeSeq>,
    ) -> Result<Done<ChangeSeq>, Error> {
        let before = self.before(session, id, expected).await?;
        let fid = before.feature.fid;
        let logged = self
            .log(session, fid, Operation::Delete, Some(&before))
            .await?;
        let table = &self.live.table;
        let sql = format!("DELETE FROM {} WHERE {} = ?", table.name, table.key);
        if session.execute(statement(sql).bind(fid)).await? == 0 {
            return Err(self.not_taken());
        }
        self.touch(session, None).await?;
        let version = self.version(session, fid, logged).await?;
        Ok(Done {
            version,
            edit: Edit::Remove { fid },
            answer: version,
        })
    }

    /// The row as it is now: what the index takes, and what the client is told.
    async fn put(
        &self,
        session: &mut Session<'_>,
        fid: i64,
        version: ChangeSeq,
    ) -> Result<Done<Item>, Error> {
        let collection = &self.live.collection;
        let mut rows = items::by_keys(session, collection, &self.live.table, &[fid]).await?;
        // A trigger may have given the row another key.
        let feature = rows.pop().ok_or_else(|| self.not_taken())?;
        let edit = live::put_or_leave_out(self.live, &feature);
        let feature = row::shown(collection, feature);
        Ok(Done {
            version,
            edit,
            answer: Item { feature, version },
        })
    }

    /// Tells other programs that the table has changed, and how far it reaches now: the extent only grows, as after an
    /// import.
    async fn touch(
        &self,
        session: &mut Session<'_>,
        envelope: Option<Envelope>,
    ) -> Result<(), Error> {
        if session.dialect() == Dialect::Postgres {
            // Other programs ask PostGIS.
            return Ok(());
        }
        let [w, s, e, n] = match envelope {
            Some(e) => [e.min[0], e.min[1], e.max[0], e.max[1]].map(Some),
            None => [None; 4],
        };
        let update = statement(
            "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
               min_x = coalesce(min(min_x, ?1), min_x, ?1), min_y = coalesce(min(min_y, ?2), min_y, ?2),
               max_x = coalesce(max(max_x, ?3), max_x, ?3), max_y = coalesce(max(max_y, ?4), max_y, ?4)
             WHERE table_name = ?5",
        );
        let update = update.bind(w).bind(s).bind(e).bind(n);
        let id = self.live.collection.id.as_str();
        session.execute(update.bind(id)).await?;
        Ok(())
    }

    async fn before(
        &self,
        session: &mut Session<'_>,
        id: &str,
        expected: Option<ChangeSeq>,
    ) -> Result<Item, Error> {
        let collection = &self.live.collection.id;
        let fid = self.hold(session, id).await?;
        // Before the version is read: what another program has written has to be part of it.
        let unseen = match fid {
            Some(fid) if self.live.table.mark.is_some() => {
                let (n, table) = (self.live.n, &self.live.table);
                postgres::publish::notice(session, n, table, fid, None).await?
            }
            _ => 0,
        };
        let item = items::stored(session, self.live, id)
            .await?
            .ok_or_else(|| {
                Error::NotFound(
                    Message::new("store.no-feature")
                        .with("id", id)
                        .with("collection", collection),
                )
            })?;
        if expected.is_some_and(|version| version != item.version || unseen > 0) {
            return Err(Error::PreconditionFailed(
                Message::new("store.version-changed")
                    .with("id", id)
                    .with("collection", collection),
            ));
        }
        Ok(item)
    }

    /// Keeps others from the feature until the end: they write at the same time where the database is shared, and the version
    /// that is read after this is the one that stays.
    async fn hold(&self, session: &mut Session<'_>, id: &str) -> Result<Option<i64>, Error> {
        if session.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let Some((column, id)) = items::identified(self.live, id) else {
            return Ok(None);
        };
        let table = &self.live.table;
        let sql = format!(
            "SELECT {} FROM {} WHERE {column} = ? FOR UPDATE",
            table.key_out, table.name
        );
        let held = session.fetch_optional(statement(sql).bind(id)).await?;
        held.map(|row| row.integer(0)).transpose()
    }

    /// Adds to the change log, with the state before as SQL reads it; PostgreSQL does that by triggers.
    async fn log(
        &self,
        session: &mut Session<'_>,
        fid: i64,
        operation: Operation,
        before: Option<&Item>,
    ) -> Result<Option<ChangeSeq>, Error> {
        let table = &self.live.table;
        if table.dialect == Dialect::Postgres {
            return Ok(None);
        }
        let (geometry, properties) = match before {
            Some(_) => (
                table.geometry.clone(),
                sqlite::properties_json(&self.live.collection.schema),
            ),
            None => ("NULL".to_owned(), "NULL".to_owned()),
        };
        let sql = format!(
            "INSERT INTO hromada_changes (at, actor, collection, fid, operation, before_geometry, before_properties)
             SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?, ?, {key}, ?, {geometry}, {properties}
             FROM {} WHERE {key} = ? RETURNING seq",
            table.name,
            key = table.key,
        );
        let log = statement(sql)
            .bind(self.actor)
            .bind(self.live.n)
            .bind(operation.name())
            .bind(fid);
        Ok(Some(ChangeSeq(session.fetch_one(log).await?.integer(0)?)))
    }

    /// The number of the change: the log gave it, or the transaction's changes get theirs now, as its last step.
    async fn version(
        &self,
        session: &mut Session<'_>,
        fid: i64,
        logged: Option<ChangeSeq>,
    ) -> Result<ChangeSeq, Error> {
        if let Some(seq) = logged {
            return Ok(seq);
        }
        let (n, table) = (self.live.n, &self.live.table);
        let logged = postgres::publish::notice(session, n, table, fid, Some(self.actor)).await?;
        if logged == 0 && table.mark.is_some() {
            // By what rows are compared, the row is as it was.
            let sql = "INSERT INTO hromada_changes (at, actor, collection, fid, operation)
               VALUES (clock_timestamp(), ?, ?, ?, 'replace')";
            let log = statement(sql).bind(self.actor).bind(n).bind(fid);
            session.execute(log).await?;
        }
        let version = postgres::number(session).await?;
        if version == ChangeSeq(0) {
            // Nobody has logged it: the table has lost its triggers.
            let message = Message::new("store.check-triggers").with("table", &table.name);
            return Err(Error::Refused(message));
        }
        Ok(version)
    }

    /// Those values of a draft that are written, by their positions.
    fn parameters(
        &self,
        properties: &[Value],
        is_written: impl Fn(usize) -> bool,
    ) -> Vec<Parameter> {
        let schema = &self.live.collection.schema;
        let typed = schema.properties.iter().zip(properties);
        let written = typed.zip(&self.live.table.places).enumerate();
        written
            .filter(|(i, (_, place))| place.is_some() && is_written(*i))
            .map(|(_, ((p, value), _))| Parameter::of(p.kind, value))
            .collect()
    }

    /// The client's geometry checked and in the storage CRS; `before` is the stored one that it takes the place of.
    fn geometry(
        &self,
        geometry: Option<Vec<u8>>,
        before: Option<&[u8]>,
    ) -> Result<Option<Stored>, Error> {
        let Some(wkb) = geometry else {
            return Ok(None);
        };
        let collection: &Collection = &self.live.collection;
        let wkb = row::from_wgs84(collection, wkb, before)?;
        let header = formats::wkb::check(&wkb).map_err(|e| Error::Invalid(e.message().clone()))?;
        let declared = collection.geometry_type;
        if declared != model::GeometryType::Geometry && declared != header.geometry_type {
            return Err(Error::Invalid(
                Message::new("store.geometry-type")
                    .with("found", header.geometry_type.name())
                    .with("declared", declared.name()),
            ));
        }
        same_dimensions(collection, &header)?;
        Ok(Some(Stored {
            blob: self.live.table.stored(&wkb, &header),
            envelope: header.envelope,
        }))
    }

    /// The key that an integer id property gives.
    fn integer_id(&self, properties: &[Value]) -> Result<Option<i64>, Error> {
        let collection = &self.live.collection;
        let Some(name) = &collection.id_property else {
            return Ok(None);
        };
        let position = collection.schema.position(name);
        match position.and_then(|p| properties.get(p)) {
            Some(Value::Integer(key)) if key.unsigned_abs() > MAX_ID => Err(Error::Invalid(
                Message::new("store.id-too-large")
                    .with("id", key)
                    .with("limit", MAX_ID),
            )),
            Some(Value::Integer(key)) => Ok(Some(*key)),
            Some(Value::Text(text)) if !text.is_empty() => Ok(None),
            Some(Value::Null | Value::Text(_)) | None => Err(Error::Invalid(
                Message::new("store.id-missing").with("property", name),
            )),
            Some(_) => Ok(None),
        }
    }

    /// The database says that all is well and has written nothing.
    fn not_taken(&self) -> Error {
        Error::Denied(
            Message::new("store.write-ignored").with("collection", &self.live.collection.id),
        )
    }

    fn taken(&self, error: Error) -> Error {
        if error.is_unique_violation() {
            return Error::Conflict(
                Message::new("store.id-taken").with("collection", &self.live.collection.id),
            );
        }
        error
    }
}

/// GeoPackage and FlatGeobuf declare Z and M for a whole table, so a geometry with fewer or more of them would make
/// the declaration wrong.
fn same_dimensions(collection: &Collection, header: &formats::wkb::Header) -> Result<(), Error> {
    let declared = (collection.has_z, collection.has_m);
    let found = (header.has_z, header.has_m);
    if found == declared {
        return Ok(());
    }
    let name = |(z, m)| match (z, m) {
        (false, false) => "XY",
        (true, false) => "XYZ",
        (false, true) => "XYM",
        (true, true) => "XYZM",
    };
    Err(Error::Invalid(
        Message::new("store.geometry-dimensions")
            .with("found", name(found))
            .with("declared", name(declared)),
    ))
}
