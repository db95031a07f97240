//! The statements of a write, within its transaction.

use model::access::{Editing, InvalidRule};
use model::{
    ChangeSeq, Collection, Crs, Envelope, Feature, Message, Operation, PropertyType, Value,
};
use spatial::validity::{Defect, DefectKind};

use super::ids;
use super::perform::not_taken;
use super::{By, Draft, Expected, Patch, Step};
use crate::import::MAX_ID;
use crate::live::{self, LiveCollection};
use crate::session::{Dialect, Parameter, Session, statement};
use crate::{Error, Item, history, items, postgres, row, sqlite};

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
    pub(super) rules: &'a Editing,
    /// The time of the transaction, where its end does not give it.
    pub(super) at: Option<&'a str>,
}

/// How a state takes the place of another.
#[derive(Clone, Copy)]
enum How<'a> {
    /// Vertices that come back as they were served, or rounded, are those of before.
    AsGiven,
    KeepsGeometry,
    /// As [`How::KeepsGeometry`], with another id.
    Renamed(&'a str),
    /// The geometry is in the storage CRS and stays bit for bit.
    Exact,
}

/// What a write has done.
pub(super) struct Done {
    pub(super) operation: Operation,
    pub(super) fid: i64,
    pub(super) before: Option<Feature>,
    /// The number of the change, where the end of the transaction does not give it.
    pub(super) logged: Option<ChangeSeq>,
    /// Of the geometry that was written, in the storage CRS.
    pub(super) envelope: Option<Envelope>,
    /// What was wrong with the geometry that was given.
    pub(super) flaws: Vec<Flaw>,
}

impl Change<'_> {
    pub(super) async fn make(&self, session: &mut Session<'_>, step: &Step) -> Result<Done, Error> {
        match step {
            Step::Create(draft) => self.create(session, draft.clone()).await,
            Step::Replace {
                id,
                draft,
                expected,
            } => {
                let before = self.before(session, id, expected).await?;
                self.replace(session, id, draft.clone(), before, How::AsGiven)
                    .await
            }
            Step::Update {
                id,
                patch,
                expected,
            } => {
                let before = self.before(session, id, expected).await?;
                let draft = self.patched(patch, &before.feature);
                let how = match patch.geometry.is_some() {
                    true => How::AsGiven,
                    false => How::KeepsGeometry,
                };
                self.replace(session, id, draft, before, how).await
            }
            Step::Reshape {
                id,
                geometry,
                properties,
                renamed,
                expected,
            } => {
                let before = self.before(session, id, expected).await?;
                let patch = Patch {
                    geometry: geometry.clone().map(Some),
                    crs: self.live.collection.storage_crs,
                    properties: properties.clone(),
                };
                let draft = self.patched(&patch, &before.feature);
                let how = match (geometry, renamed) {
                    (_, Some(id)) => How::Renamed(id),
                    (Some(_), None) => How::Exact,
                    (None, None) => How::KeepsGeometry,
                };
                self.replace(session, id, draft, before, how).await
            }
            Step::Delete { id, expected } => self.delete(session, id, expected).await,
            Step::Restore {
                id,
                fid,
                seq,
                expected,
            } => self.restore(session, id, (*fid, *seq), expected).await,
        }
    }

    async fn create(&self, session: &mut Session<'_>, draft: Draft) -> Result<Done, Error> {
        no_nul(&draft)?;
        let mut draft = self.whole(draft, None);
        ids::fill(session, self.live, self.rules, &mut draft.properties).await?;
        let key = self.integer_id(&draft.properties)?;
        self.insert(session, key, draft).await
    }

    /// A feature as it was; one that is gone comes back under its own key, with what whoever writes does not see of it.
    async fn restore(
        &self,
        session: &mut Session<'_>,
        id: &str,
        (fid, seq): (i64, ChangeSeq),
        expected: &Expected,
    ) -> Result<Done, Error> {
        let state = history::state_after(session, self.live, fid, seq).await?;
        let state = state
            .filter(|state| self.by.sees(state))
            .ok_or_else(|| self.no_feature(id))?;
        let crs = self.live.collection.storage_crs;
        let geometry = state.geometry.clone();
        match self.before(session, id, expected).await {
            Ok(before) => {
                let seen = self.by.shown(self.live, state);
                let draft = Draft {
                    geometry,
                    crs,
                    properties: seen.properties,
                };
                self.replace(session, id, draft, before, How::Exact).await
            }
            Err(Error::NotFound(_)) if matches!(expected, Expected::Anything) => {
                let draft = Draft {
                    geometry,
                    crs,
                    properties: state.properties,
                };
                self.insert(session, Some(fid), draft).await
            }
            Err(error) => Err(error),
        }
    }

    /// Adds a feature that has all its values.
    async fn insert(
        &self,
        session: &mut Session<'_>,
        key: Option<i64>,
        draft: Draft,
    ) -> Result<Done, Error> {
        let table = &self.live.table;
        let (stored, flaws) = self.geometry(draft.geometry, draft.crs, None)?;
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
        let fid = inserted.ok_or_else(|| not_taken(self.live))?.integer(0)?;
        let logged = self
            .log(session, fid, Operation::Create, None, false)
            .await?;
        Ok(Done {
            operation: Operation::Create,
            fid,
            before: None,
            logged,
            envelope,
            flaws,
        })
    }

    /// A stored feature with some of it changed, as whoever writes gives features.
    fn patched(&self, patch: &Patch, before: &Feature) -> Draft {
        let seen = self.by.shown(self.live, before.clone());
        let mut properties = seen.properties;
        for (position, value) in &patch.properties {
            if let Some(place) = properties.get_mut(*position) {
                *place = value.clone();
            }
        }
        Draft {
            geometry: patch.geometry.clone().flatten(),
            crs: patch.crs,
            properties,
        }
    }

    async fn replace(
        &self,
        session: &mut Session<'_>,
        id: &str,
        draft: Draft,
        before: Item,
        how: How<'_>,
    ) -> Result<Done, Error> {
        let (collection, table) = (&self.live.collection, &self.live.table);
        no_nul(&draft)?;
        let fid = before.feature.fid;
        let mut draft = self.whole(draft, Some(&before.feature.properties));
        self.keep_id(id, &mut draft, &before.feature.properties)?;
        if let How::Renamed(new) = how {
            self.rename(id, &mut draft, new)?;
        }
        if self
            .integer_id(&draft.properties)?
            .is_some_and(|key| key != fid)
        {
            return Err(Error::Invalid(
                Message::new("store.id-changed").with("id", id),
            ));
        }
        let old = before.feature.geometry.as_deref();
        let is_kept = matches!(how, How::KeepsGeometry | How::Renamed(_))
            || match (old, &draft.geometry) {
                (Some(old), Some(new)) => row::is_as_served(collection, draft.crs, old, new),
                // It was served as null because it can't be shown; nobody meant to take it away.
                (Some(old), None) => live::indexed(collection, Some(old)).is_err(),
                _ => false,
            };
        let (stored, flaws) = if is_kept {
            (None, Vec::new())
        } else {
            // Where it is exact, no vertex is taken for one of before.
            let known = old.filter(|_| !matches!(how, How::Exact));
            self.geometry(draft.geometry, draft.crs, known)?
        };
        let (blob, envelope) = stored.map_or((None, None), |s| (Some(s.blob), s.envelope));
        let logged = self
            .log(
                session,
                fid,
                Operation::Replace,
                Some(&before),
                matches!(how, How::Renamed(_)),
            )
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
            return Err(not_taken(self.live));
        }
        Ok(Done {
            operation: Operation::Replace,
            fid,
            before: Some(before.feature),
            logged,
            envelope,
            flaws,
        })
    }

    async fn delete(
        &self,
        session: &mut Session<'_>,
        id: &str,
        expected: &Expected,
    ) -> Result<Done, Error> {
        let before = self.before(session, id, expected).await?;
        let fid = before.feature.fid;
        let logged = self
            .log(session, fid, Operation::Delete, Some(&before), true)
            .await?;
        let table = &self.live.table;
        let sql = format!("DELETE FROM {} WHERE {} = ?", table.name, table.key);
        if session.execute(statement(sql).bind(fid)).await? == 0 {
            return Err(not_taken(self.live));
        }
        Ok(Done {
            operation: Operation::Delete,
            fid,
            before: Some(before.feature),
            logged,
            envelope: None,
            flaws: Vec::new(),
        })
    }

    /// The id property stays as it is: left out it is filled in, another value is refused, since the feature's URL would change
    /// under its readers.
    fn keep_id(&self, id: &str, draft: &mut Draft, before: &[Value]) -> Result<(), Error> {
        let collection = &self.live.collection;
        let name = collection.id_property.as_deref();
        let Some(position) = name.and_then(|name| collection.schema.position(name)) else {
            return Ok(());
        };
        if draft.properties[position] == Value::Null {
            draft.properties[position] = before[position].clone();
        }
        if draft.properties[position] == before[position] {
            return Ok(());
        }
        let name = name.unwrap_or_default();
        let message = Message::new("store.id-changed");
        Err(Error::Invalid(message.with("id", id).with("name", name)))
    }

    /// Gives the feature another id, where the id is a text of its own.
    fn rename(&self, id: &str, draft: &mut Draft, new: &str) -> Result<(), Error> {
        let collection = &self.live.collection;
        let name = collection.id_property.as_deref();
        let position = name.and_then(|name| collection.schema.position(name));
        let position = position.filter(|p| {
            collection.schema.properties[*p].kind == PropertyType::Text
                && self.by.gives(self.live, *p)
        });
        let Some(position) = position.filter(|_| !new.is_empty()) else {
            let message = Message::new("store.no-renumber").with("id", id);
            return Err(Error::Invalid(message.with("collection", &collection.id)));
        };
        draft.properties[position] = Value::Text(new.into());
        Ok(())
    }

    async fn before(
        &self,
        session: &mut Session<'_>,
        id: &str,
        expected: &Expected,
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
            .ok_or_else(|| self.no_feature(id))?;
        let is_expected = match expected {
            Expected::Anything => true,
            Expected::Version(version) => *version == item.version && unseen == 0,
            Expected::Like(is_like) => {
                let feature = self.by.shown(self.live, item.feature.clone());
                let version = item.version;
                is_like(&Item { feature, version })
            }
        };
        if !is_expected {
            return Err(Error::PreconditionFailed(
                Message::new("store.version-changed")
                    .with("id", id)
                    .with("collection", collection),
            ));
        }
        self.by.require_reach(self.live, &item.feature)?;
        Ok(item)
    }

    fn no_feature(&self, id: &str) -> Error {
        let message = Message::new("store.no-feature").with("id", id);
        Error::NotFound(message.with("collection", &self.live.collection.id))
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
        loses_id: bool,
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
        let id = match loses_id {
            true => items::id_text(&self.live.collection, table),
            false => "NULL".to_owned(),
        };
        let sql = format!(
            "INSERT INTO hromada_changes (at, actor, collection, fid, operation, before_geometry, before_properties, before_id)
             SELECT ?, ?, ?, {key}, ?, {geometry}, {properties}, {id}
             FROM {} WHERE {key} = ? RETURNING seq",
            table.name,
            key = table.key,
        );
        let log = statement(sql)
            .bind(self.at.unwrap_or_default())
            .bind(self.by.actor.as_str())
            .bind(self.live.n)
            .bind(operation.name())
            .bind(fid);
        Ok(Some(ChangeSeq(session.fetch_one(log).await?.integer(0)?)))
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

    /// The client's geometry checked and in the storage CRS, with what was wrong with it; `before` is the stored one that it
    /// takes the place of.
    fn geometry(
        &self,
        geometry: Option<Vec<u8>>,
        crs: Crs,
        before: Option<&[u8]>,
    ) -> Result<(Option<Stored>, Vec<Flaw>), Error> {
        let Some(wkb) = geometry else {
            return Ok((None, Vec::new()));
        };
        let collection: &Collection = &self.live.collection;
        let wkb = row::from_crs(collection, crs, wkb, before)?;
        let unreadable = |e: formats::Error| Error::Invalid(e.message().clone());
        let header = formats::wkb::check(&wkb).map_err(unreadable)?;
        require_fit(collection, &header)?;
        require_on_globe(collection, &wkb)?;
        let (wkb, flaws) = self.valid(wkb)?;
        let header = formats::wkb::check(&wkb).map_err(unreadable)?;
        require_fit(collection, &header)?;
        let stored = Stored {
            blob: self.live.table.stored(&wkb, &header),
            envelope: header.envelope,
            wkb,
        };
        Ok((Some(stored), flaws))
    }

    /// The geometry as the rule for invalid ones has it.
    fn valid(&self, wkb: Vec<u8>) -> Result<(Vec<u8>, Vec<Flaw>), Error> {
        let collection = &self.live.collection;
        let geometry = formats::wkb::read(&wkb).map_err(row::damaged)?;
        let defects = spatial::validity::check(&geometry);
        let Some(first) = defects.first() else {
            return Ok((wkb, Vec::new()));
        };
        let flaw = |defect: &Defect, is_repaired| Flaw {
            kind: defect.kind,
            location: place(collection, defect.location),
            is_repaired,
        };
        let refused = || {
            let [x, y] = place(collection, first.location).unwrap_or(first.location);
            let message = Message::new("store.geometry-invalid");
            let message = message.with_message("kind", first.kind.message());
            Error::Invalid(message.with("x", x).with("y", y))
        };
        match self.rules.invalid {
            InvalidRule::Refuse => Err(refused()),
            InvalidRule::Flag => Ok((wkb, defects.iter().map(|d| flaw(d, false)).collect())),
            // What is made anew has neither Z nor M.
            InvalidRule::Repair if collection.has_z || collection.has_m => Err(refused()),
            InvalidRule::Repair => {
                let repaired = spatial::validity::repair(&geometry).ok_or_else(refused)?;
                let mut out = Vec::with_capacity(wkb.len());
                formats::wkb::write(&repaired, &mut out);
                Ok((out, defects.iter().map(|d| flaw(d, true)).collect()))
            }
        }
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

    fn taken(&self, error: Error) -> Error {
        if error.is_unique_violation() {
            return Error::Conflict(
                Message::new("store.id-taken").with("collection", &self.live.collection.id),
            );
        }
        error
    }
}

/// Tells other programs that a table of the file has changed, and how far it reaches now: the extent only grows, as after an
/// import.
pub(super) async fn touch(
    session: &mut Session<'_>,
    collection: &str,
    envelope: Option<Envelope>,
) -> Result<(), Error> {
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
    session.execute(update.bind(collection)).await?;
    Ok(())
}

/// What is wrong with a geometry that was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Flaw {
    pub kind: DefectKind,
    /// Longitude and latitude; `None` where the place has none.
    pub location: Option<[f64; 2]>,
    /// Whether a valid geometry was stored in its place.
    pub is_repaired: bool,
}

fn place(collection: &Collection, [x, y]: [f64; 2]) -> Option<[f64; 2]> {
    let mut place = [(x, y)];
    spatial::crs::transform(collection.storage_crs, Crs::CRS84, &mut place).ok()?;
    Some([place[0].0, place[0].1])
}

/// # Errors
/// [`Error::Invalid`] for a geometry that is of another kind than those of the collection.
fn require_fit(collection: &Collection, header: &formats::wkb::Header) -> Result<(), Error> {
    let declared = collection.geometry_type;
    if declared != model::GeometryType::Geometry && declared != header.geometry_type {
        return Err(Error::Invalid(
            Message::new("store.geometry-type")
                .with("found", header.geometry_type.name())
                .with("declared", declared.name()),
        ));
    }
    same_dimensions(collection, header)
}

/// What has no longitude and latitude could be stored and never be seen.
///
/// # Errors
/// [`Error::Invalid`].
fn require_on_globe(collection: &Collection, wkb: &[u8]) -> Result<(), Error> {
    let outside = || Error::Invalid(Message::new("store.geometry-outside"));
    let shown = row::to_wgs84(collection, wkb).map_err(|_| outside())?;
    let is_on_globe = live::envelope(&shown).is_none_or(|e| {
        e.min[0] >= -180.0 && e.max[0] <= 180.0 && e.min[1] >= -90.0 && e.max[1] <= 90.0
    });
    is_on_globe.then_some(()).ok_or_else(outside)
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
