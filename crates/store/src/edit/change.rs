//! The statements of a write, within its transaction.

use model::{ChangeSeq, Collection, Envelope, Feature, Message, Operation, Value};
use spatial::index::Edit;

use super::{By, Done, Draft};
use crate::import::MAX_ID;
use crate::live::{self, LiveCollection};
use crate::people::AuditEntry;
use crate::people::audit;
use crate::session::{Dialect, Parameter, Session, statement};
use crate::{Error, Item, items, postgres, row, sqlite};

/// A geometry as its column holds it.
struct Stored {
    wkb: Vec<u8>,
    blob: Vec<u8>,
    /// In the storage CRS; `None` when it is empty.
    envelope: Option<Envelope>,
}

/// # Errors
/// [`Error::Invalid`] for a text that one of the databases can't keep: a store has to be copied into the other.
fn no_nul(draft: &Draft) -> Result<(), Error> {
    let has_nul = |value: &Value| matches!(value, Value::Text(text) if text.contains('\0'));
    match draft.properties.iter().any(has_nul) {
        true => Err(Error::Invalid(Message::new("store.text-nul"))),
        false => Ok(()),
    }
}

/// One write within a transaction.
pub(super) struct Change<'a> {
    pub(super) live: &'a LiveCollection,
    pub(super) by: &'a By,
}

impl Change<'_> {
    pub(super) async fn create(
        &self,
        session: &mut Session<'_>,
        draft: Draft,
    ) -> Result<Done<Item>, Error> {
        let table = &self.live.table;
        no_nul(&draft)?;
        let draft = self.whole(draft, None);
        let stored = self.geometry(draft.geometry, None)?;
        let key = self.integer_id(&draft.properties)?;
        // Before the table is asked, which would tell whether the id is taken to somebody who may not write this.
        let drafted = Feature {
            fid: key.unwrap_or(0),
            geometry: stored.as_ref().map(|s| s.wkb.clone()),
            properties: draft.properties,
        };
        self.by.require_reach(self.live, &drafted)?;
        let properties = drafted.properties;
        let (blob, envelope) = stored.map_or((None, None), |s| (Some(s.blob), s.envelope));
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
            .bind_all(self.parameters(&properties, |_| true));
        let inserted = session.fetch_optional(insert).await;
        let inserted = inserted.map_err(|e| self.taken(e))?;
        let fid = inserted.ok_or_else(|| self.not_taken())?.integer(0)?;
        let logged = self.log(session, fid, Operation::Create, None).await?;
        self.touch(session, envelope).await?;
        let version = self.version(session, fid, logged).await?;
        self.put(session, fid, version, None).await
    }

    pub(super) async fn replace(
        &self,
        session: &mut Session<'_>,
        id: &str,
        draft: Draft,
        expected: Option<ChangeSeq>,
    ) -> Result<Done<Item>, Error> {
        let (collection, table) = (&self.live.collection, &self.live.table);
        let before = self.before(session, id, expected).await?;
        let fid = before.feature.fid;
        let draft = self.whole(draft, Some(&before.feature.properties));
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
        self.put(session, fid, version, Some(&before.feature)).await
    }

    pub(super) async fn delete(
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
        self.audit(
            session,
            Operation::Delete,
            version,
            Some(&before.feature),
            None,
        )
        .await?;
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
        before: Option<&Feature>,
    ) -> Result<Done<Item>, Error> {
        let collection = &self.live.collection;
        let mut rows = items::by_keys(session, collection, &self.live.table, &[fid]).await?;
        // A trigger may have given the row another key.
        let feature = rows.pop().ok_or_else(|| self.not_taken())?;
        self.by.require_reach(self.live, &feature)?;
        let operation = match before {
            Some(_) => Operation::Replace,
            None => Operation::Create,
        };
        self.audit(session, operation, version, before, Some(&feature))
            .await?;
        let edit = live::put_or_leave_out(self.live, &feature);
        let feature = self.by.shown(self.live, feature);
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
        let stored = match self.by.identified(self.live, id) {
            Some(named) => items::named_so(session, self.live, named).await?,
            None => None,
        };
        let item = stored
            // What is not seen is not there.
            .filter(|item| self.by.sees(&item.feature))
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
        self.by.require_reach(self.live, &item.feature)?;
        Ok(item)
    }

    /// Keeps others from the feature until the end: they write at the same time where the database is shared, and the version
    /// that is read after this is the one that stays.
    async fn hold(&self, session: &mut Session<'_>, id: &str) -> Result<Option<i64>, Error> {
        if session.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let Some((column, id)) = self.by.identified(self.live, id) else {
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
            .bind(self.by.actor.as_str())
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
        let logged =
            postgres::publish::notice(session, n, table, fid, Some(&self.by.actor)).await?;
        if logged == 0 && table.mark.is_some() {
            // By what rows are compared, the row is as it was.
            let sql = "INSERT INTO hromada_changes (at, actor, collection, fid, operation)
               VALUES (clock_timestamp(), ?, ?, ?, 'replace')";
            let log = statement(sql)
                .bind(self.by.actor.as_str())
                .bind(n)
                .bind(fid);
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

    /// A draft with a value for each property that there is.
    fn whole(&self, draft: Draft, before: Option<&[Value]>) -> Draft {
        let properties = match &self.by.lens {
            Some(lens) => lens.whole(draft.properties, before),
            None => draft.properties,
        };
        Draft {
            properties,
            ..draft
        }
    }

    /// Says in the audit log what was written; the last thing before the commit, since others wait for it from here on.
    async fn audit(
        &self,
        session: &mut Session<'_>,
        operation: Operation,
        version: ChangeSeq,
        before: Option<&Feature>,
        after: Option<&Feature>,
    ) -> Result<(), Error> {
        let action = match operation {
            Operation::Create => "feature.create",
            Operation::Replace => "feature.replace",
            Operation::Delete => "feature.delete",
        };
        let fid = after.or(before).map(|feature| feature.fid);
        audit::lock(session).await?;
        let secret = audit::secret(session).await?;
        let named = |feature: &Feature| audit::digest(&secret, feature);
        let entry = AuditEntry::new(action, self.live.collection.id.to_string())
            .with("fid", fid)
            .with("change", version.0)
            .with("before", before.map(named))
            .with("after", after.map(named));
        audit::append(session, &self.by.actor, &entry).await
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
            wkb,
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
            // What they do not see they can't give, and are not told of.
            Some(Value::Null | Value::Text(_))
                if position.is_some_and(|p| !self.by.gives(self.live, p)) =>
            {
                Err(Error::Denied(
                    Message::new("store.write-unseen").with("collection", &collection.id),
                ))
            }
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
