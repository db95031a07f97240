//! Publishing: a table, view or materialised view of others becomes a collection as it is.

mod discover;
mod poll;

use model::{Collection, Message, Schema, Text};
use serde_json::{Value as Json, json};

use super::sql::trigger_sql;
use super::{Database, tables};
use crate::backend::Backend;
use crate::import::CollectionSettings;
use crate::people::{self, AuditEntry, audit};
use crate::registry;
use crate::session::{Dialect, Session, quoted, statement};
use crate::table::Table;
use crate::{Error, Store};

use discover::{Geometry, Relation};
pub(super) use poll::look;
pub(crate) use poll::notice;

/// What to publish and how.
#[derive(Debug, Clone)]
pub struct PublishJob {
    /// `schema.table`, as SQL takes it.
    pub table: String,
    pub collection: model::CollectionId,
    /// The column that tells features apart; `None`: the primary key.
    pub key: Option<String>,
    /// The geometry column; `None`: the only one.
    pub geometry: Option<String>,
    /// Take writes over HTTP.
    pub is_editable: bool,
    /// A column that every writer sets anew, by which changes are found where no trigger may be; `None`: by the version
    /// that PostgreSQL gives each row, or by the whole row where there is none.
    pub version: Option<String>,
    /// Find changes by asking, though a trigger may be.
    pub poll: bool,
    pub settings: CollectionSettings,
}

/// How changes of a published table come to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// Triggers of the table log them in the transaction that makes them.
    ByTriggers,
    /// The table is compared with what it was, now and then.
    ByPolling,
}

/// What was published.
#[derive(Debug, Clone)]
pub struct Published {
    pub collection: Collection,
    pub features: u64,
    pub key: String,
    pub geometry: String,
    pub is_editable: bool,
    pub followed: Followed,
    /// Columns that are left out, and the like.
    pub notes: Vec<Message>,
}

impl Store {
    /// Makes a collection of a table that is there already; nothing in the table changes but for triggers.
    ///
    /// # Errors
    /// [`Error::Refused`] with the remedy when there is no such table, key or geometry, the CRS is unknown, or the role
    /// lacks a right; [`Error::Conflict`] for an id that is taken.
    pub async fn publish(&self, job: &PublishJob, actor: &str) -> Result<Published, Error> {
        let Backend::Postgres(database) = &self.inner.backend else {
            return Err(Error::Refused(Message::new("store.publish-needs-database")));
        };
        self.inner.backend.require_write()?;
        let mut writing = database.write(actor).await?;
        let mut session = writing.session();
        session.run(super::WITHOUT_LIMIT).await?;
        let published = publish(&mut session, database, job).await?;
        let id = job.collection.as_str();
        let access = job.settings.new_access();
        people::set_access(&mut session, id, Some(&access)).await?;
        let entry = AuditEntry::new("collection.publish", id)
            .with("table", job.table.as_str())
            .with("access", access.class.name());
        audit::lock(&mut session).await?;
        audit::append(&mut session, actor, &entry).await?;
        writing.commit(self).await?;
        self.note_rules().await;
        Ok(published)
    }

    /// Takes a published table out of the registry; the table stays as it is, without our triggers.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] for a collection that the store itself keeps.
    pub async fn withdraw(
        &self,
        collection: &model::CollectionId,
        actor: &str,
    ) -> Result<(), Error> {
        let Backend::Postgres(database) = &self.inner.backend else {
            return Err(Error::Refused(Message::new("store.publish-needs-database")));
        };
        self.inner.backend.require_write()?;
        let mut writing = database.write(actor).await?;
        let mut session = writing.session();
        let found = registry::find(&mut session, collection).await?;
        let registered = found.ok_or_else(|| {
            Error::NotFound(Message::new("store.no-collection").with("id", collection))
        })?;
        if registered.table.is_own {
            let message = Message::new("store.not-published").with("id", collection);
            return Err(Error::Refused(message));
        }
        let n = registered.n;
        // CASCADE takes the triggers, and nothing else can depend on the function.
        session
            .run(format!(
                "DROP FUNCTION IF EXISTS hromada_log_{n}() CASCADE;
                 DELETE FROM hromada_seen WHERE collection = {n};
                 DELETE FROM hromada_collections WHERE n = {n}"
            ))
            .await?;
        people::set_access(&mut session, collection.as_str(), None).await?;
        let entry = AuditEntry::new("collection.withdraw", collection.as_str());
        audit::lock(&mut session).await?;
        audit::append(&mut session, actor, &entry).await?;
        writing.commit(self).await?;
        self.note_rules().await;
        Ok(())
    }
}

async fn publish(
    session: &mut Session<'_>,
    database: &Database,
    job: &PublishJob,
) -> Result<Published, Error> {
    if registry::is_reserved(&job.collection) {
        let message = Message::new("store.collection-id-reserved").with("id", &job.collection);
        return Err(Error::Refused(message));
    }
    if registry::find(session, &job.collection).await?.is_some() {
        let message = Message::new("store.collection-exists").with("id", &job.collection);
        return Err(Error::Conflict(message));
    }
    let found = Found::of(session, job).await?;
    let sql =
        "INSERT INTO hromada_collections (id, definition, source) VALUES (?, ?, ?) RETURNING n";
    let added = statement(sql)
        .bind(found.collection.id.as_str())
        .bind(registry::definition_json(&found.collection).to_string())
        .bind(found.source(job).to_string());
    let n = session.fetch_one(added).await?.integer(0)?;
    // First: from here on no writer comes between the triggers and the log.
    found.follow(session, database, n).await?;
    let table = &found.table;
    let at = tables::moment(session).await?;
    let logged = tables::log_all(session, &at, n, "create", table, "NULL, NULL, NULL").await?;
    super::number(session).await?;
    Ok(Published {
        followed: match found.table.mark {
            None => Followed::ByTriggers,
            Some(_) => Followed::ByPolling,
        },
        collection: found.collection,
        features: logged,
        key: found.key,
        geometry: found.geometry,
        is_editable: job.is_editable,
        notes: found.notes,
    })
}

/// What a table is at this moment, as a collection.
struct Found {
    table: Table,
    collection: Collection,
    /// What tells the table from another of its name, or from itself with other columns.
    shape: String,
    key: String,
    geometry: String,
    notes: Vec<Message>,
}

impl Found {
    async fn of(session: &mut Session<'_>, job: &PublishJob) -> Result<Self, Error> {
        let relation = discover::relation(session, &job.table).await?;
        let shape = discover::shape(session, &relation.name).await?;
        let mut notes = Vec::new();
        let columns = discover::columns(session, &relation).await?;
        let key = discover::key(session, &relation, &columns, job).await?;
        let geometry = discover::geometry(session, &relation, &columns, job).await?;
        let (schema, mapped) = discover::properties(&columns, &key, &geometry, job, &mut notes)?;
        if job.is_editable {
            discover::require_rights(session, &relation).await?;
        }
        let mark = poll::mark(&relation, &columns, job)?;
        let is_polled = job.poll || !relation.takes_triggers;
        Ok(Self {
            table: Table {
                dialect: Dialect::Postgres,
                name: relation.name.clone(),
                key_out: format!("{}::bigint", quoted(&key)),
                key: quoted(&key),
                geometry: quoted(&geometry.column),
                geometry_read: geometry.read.clone(),
                geometry_place: geometry.place.clone(),
                srid: geometry.srid,
                columns: mapped.iter().map(|m| quoted(&m.name)).collect(),
                reads: mapped.iter().map(|m| m.read.clone()).collect(),
                places: mapped.iter().map(|m| m.place.clone()).collect(),
                mark: is_polled.then_some(mark),
                is_own: false,
                is_editable: job.is_editable,
            },
            collection: collection(job, &relation, &geometry, schema)?,
            shape: shape.unwrap_or_default(),
            key,
            geometry: geometry.column,
            notes,
        })
    }

    /// From here on changes come to be known: by triggers, or by what the rows are now.
    async fn follow(
        &self,
        session: &mut Session<'_>,
        database: &Database,
        n: i64,
    ) -> Result<(), Error> {
        match &self.table.mark {
            None => {
                let sql = trigger_sql(
                    &database.path,
                    &database.place.schema,
                    n,
                    &self.table,
                    &self.collection,
                    false,
                );
                session.run(sql).await
            }
            Some(mark) => {
                let sql = format!(
                    "INSERT INTO hromada_seen SELECT {n}, {}, {mark} FROM {} AS hromada_t",
                    self.table.key_out, self.table.name
                );
                session.execute(statement(sql)).await?;
                Ok(())
            }
        }
    }

    /// The table as the registry keeps it, with what was asked for.
    fn source(&self, job: &PublishJob) -> Json {
        let table = &self.table;
        json!({
            "table": table.name, "key": table.key, "keyOut": table.key_out,
            "geometry": table.geometry, "geometryRead": table.geometry_read, "geometryPlace": table.geometry_place,
            "srid": table.srid, "columns": table.columns, "reads": table.reads, "places": table.places,
            "editable": table.is_editable, "mark": table.mark, "shape": self.shape,
            "asked": {"key": job.key, "geometry": job.geometry, "version": job.version, "poll": job.poll},
        })
    }
}

fn collection(
    job: &PublishJob,
    relation: &Relation,
    geometry: &Geometry,
    schema: Schema,
) -> Result<Collection, Error> {
    let settings = &job.settings;
    let title = settings.title.clone().unwrap_or_else(|| {
        let text = relation
            .comment
            .clone()
            .unwrap_or_else(|| job.collection.as_str().replace(['-', '_'], " "));
        Text {
            uk: text.clone(),
            en: text,
        }
    });
    Ok(Collection {
        id: job.collection.clone(),
        title,
        description: settings.description.clone(),
        geometry_type: geometry.kind,
        has_z: geometry.has_z,
        has_m: geometry.has_m,
        storage_crs: geometry.crs,
        schema,
        id_property: None,
        label_property: settings.label_property.clone(),
        time_property: settings.time_property.clone(),
        theme: settings.theme.unwrap_or(model::Theme::Other),
        licence: settings.licence.clone(),
        attribution: settings.attribution.clone(),
        tiles: settings.tiles.clone().unwrap_or_default(),
    })
}

/// The table that [`Found::source`] told of.
pub(crate) fn table(source: &str) -> Option<Table> {
    let json: Json = serde_json::from_str(source).ok()?;
    let text = |name: &str| Some(json[name].as_str()?.to_owned());
    let texts = |name: &str| -> Option<Vec<String>> {
        let all = json[name].as_array()?.iter();
        all.map(|v| v.as_str().map(str::to_owned)).collect()
    };
    Some(Table {
        dialect: Dialect::Postgres,
        name: text("table")?,
        key: text("key")?,
        key_out: text("keyOut")?,
        geometry: text("geometry")?,
        geometry_read: text("geometryRead")?,
        geometry_place: text("geometryPlace")?,
        srid: u32::try_from(json["srid"].as_u64()?).ok()?,
        columns: texts("columns")?,
        reads: texts("reads")?,
        places: json["places"]
            .as_array()?
            .iter()
            .map(|place| place.as_str().map(str::to_owned))
            .collect(),
        mark: text("mark"),
        is_own: false,
        is_editable: json["editable"].as_bool()?,
    })
}
