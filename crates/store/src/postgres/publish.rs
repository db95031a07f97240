//! Publishing: a table, view or materialised view of others becomes a collection as it is.

use model::{Collection, Crs, GeometryType, Message, Property, PropertyType, Schema, Text};
use serde_json::{Value as Json, json};

use super::{Database, literal, tables, trigger_sql};
use crate::backend::Backend;
use crate::import::{CollectionSettings, MAX_ID};
use crate::registry::{self, MAX_PROPERTIES};
use crate::session::{Dialect, Row, Session, Transaction, quoted, statement};
use crate::table::Table;
use crate::{Error, Store};

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

/// Who wrote what polling finds: nobody can tell.
const SOMEBODY: &str = "unknown";

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
        let _entered = database.enter().await?;
        let mut transaction = Transaction::Postgres(database.write().await?);
        let mut session = transaction.session();
        super::act_for(&mut session, actor).await?;
        session.run(super::WITHOUT_LIMIT).await?;
        let published = publish(&mut session, database, job).await?;
        super::commit(transaction).await?;
        if let Err(error) = database.following.catch_up(self, database).await {
            tracing::warn!(%error, "the table is published, but the index has not followed it yet");
        }
        Ok(published)
    }

    /// Takes a published table out of the registry; the table stays as it is, without our triggers.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] for a collection that the store itself keeps.
    pub async fn withdraw(&self, collection: &model::CollectionId) -> Result<(), Error> {
        let Backend::Postgres(database) = &self.inner.backend else {
            return Err(Error::Refused(Message::new("store.publish-needs-database")));
        };
        self.inner.backend.require_write()?;
        let _entered = database.enter().await?;
        let mut transaction = Transaction::Postgres(database.write().await?);
        let mut session = transaction.session();
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
        super::commit(transaction).await?;
        database.following.catch_up(self, database).await
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
    let relation = relation(session, &job.table).await?;
    let mut notes = Vec::new();
    let columns = columns(session, &relation).await?;
    let key = key(session, &relation, &columns, job).await?;
    let geometry = geometry(session, &relation, &columns, job).await?;
    let (schema, mapped) = properties(&columns, &key, &geometry, job, &mut notes)?;
    if job.is_editable {
        require_rights(session, &relation).await?;
    }
    let table = Table {
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
        is_own: false,
        is_editable: job.is_editable,
    };
    let followed = if relation.takes_triggers && !job.poll {
        Followed::ByTriggers
    } else {
        Followed::ByPolling
    };
    let mark = mark(&relation, &columns, job)?;
    let collection = collection(job, &relation, &geometry, schema)?;
    let sql =
        "INSERT INTO hromada_collections (id, definition, source) VALUES (?, ?, ?) RETURNING n";
    let mark = (followed == Followed::ByPolling).then_some(mark);
    let added = statement(sql)
        .bind(collection.id.as_str())
        .bind(registry::definition_json(&collection).to_string())
        .bind(source(&table, mark.as_deref()).to_string());
    let n = session.fetch_one(added).await?.integer(0)?;
    match &mark {
        None => {
            // Taken first: from here on no writer comes between the triggers and the log.
            let sql = trigger_sql(&database.path, n, &table, &collection.schema, false);
            session.run(sql).await?;
        }
        Some(mark) => {
            let sql = format!(
                "INSERT INTO hromada_seen SELECT {n}, {}, {mark} FROM {} AS hromada_t",
                table.key_out, table.name
            );
            session.execute(statement(sql)).await?;
        }
    }
    let logged = tables::log_all(session, n, "create", &table, "NULL, NULL").await?;
    super::number(session).await?;
    Ok(Published {
        collection,
        features: logged,
        key,
        geometry: geometry.column,
        is_editable: job.is_editable,
        followed,
        notes,
    })
}

struct Relation {
    /// Quoted, with its schema.
    name: String,
    shown: String,
    comment: Option<String>,
    takes_triggers: bool,
    /// Each row has a version of PostgreSQL's own.
    has_xmin: bool,
}

async fn relation(session: &mut Session<'_>, given: &str) -> Result<Relation, Error> {
    let unknown = || Error::NotFound(Message::new("store.no-table").with("table", given));
    // What is no name at all is refused by the database in other words.
    let parts: Vec<&str> = given.split('.').collect();
    let is_name = (1..=2).contains(&parts.len()) && parts.iter().all(|p| !p.trim().is_empty());
    if !is_name {
        return Err(unknown());
    }
    let names: Vec<String> = parts
        .iter()
        .map(|part| quoted(part.trim().trim_matches('"')))
        .collect();
    let sql = "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text,
         obj_description(c.oid, 'pg_class'), has_table_privilege(c.oid, 'SELECT'),
         has_table_privilege(c.oid, 'TRIGGER'), n.nspname || '.' || c.relname
       FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(?)";
    let found = statement(sql).bind(names.join("."));
    let row = session.fetch_optional(found).await?.ok_or_else(unknown)?;
    let kind = row.text(1)?;
    if !["r", "p", "v", "m", "f"].contains(&kind.as_str()) {
        return Err(unknown());
    }
    if !row.boolean(3)? {
        let message = Message::new("store.table-denied").with("table", given);
        return Err(Error::Refused(message.with("right", "SELECT")));
    }
    Ok(Relation {
        name: row.text(0)?,
        shown: row.text(5)?,
        comment: row.maybe_text(2)?,
        takes_triggers: ["r", "p"].contains(&kind.as_str()) && row.boolean(4)?,
        has_xmin: kind == "r",
    })
}

struct Column {
    name: String,
    /// Of the base type behind a domain.
    kind: String,
    declared: String,
    comment: Option<String>,
    /// The database fills it itself.
    is_generated: bool,
    /// PostGIS' type, SRID and dimensions, where they are declared.
    geometry: Option<(String, i64, i64)>,
}

async fn columns(session: &mut Session<'_>, relation: &Relation) -> Result<Vec<Column>, Error> {
    let sql = "SELECT a.attname::text, coalesce(b.typname, t.typname)::text, format_type(a.atttypid, a.atttypmod),
         col_description(a.attrelid, a.attnum), a.attgenerated <> '' OR a.attidentity = 'a',
         CASE WHEN a.atttypmod > 0 AND t.typname IN ('geometry', 'geography') THEN postgis_typmod_type(a.atttypmod) END,
         CASE WHEN t.typname IN ('geometry', 'geography') THEN postgis_typmod_srid(a.atttypmod)::bigint END,
         CASE WHEN t.typname IN ('geometry', 'geography') THEN postgis_typmod_dims(a.atttypmod)::bigint END
       FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid LEFT JOIN pg_type AS b ON b.oid = t.typbasetype
       WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let found = statement(sql).bind(relation.name.as_str());
    let column = |row: &Row| {
        let geometry = match row.maybe_text(5)? {
            Some(kind) => Some((kind, row.integer(6)?, row.integer(7)?)),
            None => None,
        };
        Ok(Column {
            name: row.text(0)?,
            kind: row.text(1)?,
            declared: row.text(2)?,
            comment: row.maybe_text(3)?,
            is_generated: row.boolean(4)?,
            geometry,
        })
    };
    session.fetch_all(found).await?.iter().map(column).collect()
}

/// The integer column that tells features apart.
async fn key(
    session: &mut Session<'_>,
    relation: &Relation,
    columns: &[Column],
    job: &PublishJob,
) -> Result<String, Error> {
    let table = &relation.shown;
    let name = match &job.key {
        Some(name) => name.clone(),
        None => {
            let sql = "SELECT a.attname::text FROM pg_index AS i
               JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
               WHERE i.indrelid = to_regclass(?) AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
                 AND i.indpred IS NULL AND i.indexprs IS NULL AND a.attnotnull
               ORDER BY i.indisprimary DESC, a.attnum LIMIT 1";
            let found = statement(sql).bind(relation.name.as_str());
            let row = session.fetch_optional(found).await?;
            let row = row
                .ok_or_else(|| Error::Refused(Message::new("store.no-key").with("table", table)))?;
            row.text(0)?
        }
    };
    let column = columns.iter().find(|c| c.name == name);
    let is_integer = column.is_some_and(|c| ["int2", "int4", "int8"].contains(&c.kind.as_str()));
    if !is_integer {
        let message = Message::new("store.key-not-integer")
            .with("table", table)
            .with("column", &name);
        return Err(Error::Refused(message));
    }
    let key = quoted(&name);
    let sql = format!(
        "SELECT count(*), count({key}), count(DISTINCT {key}), coalesce(min({key}), 0)::bigint, coalesce(max({key}), 0)::bigint FROM {}",
        relation.name
    );
    let row = session.fetch_one(statement(sql)).await?;
    let (all, given, distinct) = (row.integer(0)?, row.integer(1)?, row.integer(2)?);
    if given != all || distinct != all {
        let message = Message::new("store.key-not-unique")
            .with("table", table)
            .with("column", &name);
        return Err(Error::Refused(message));
    }
    for id in [row.integer(3)?, row.integer(4)?] {
        if id.unsigned_abs() > MAX_ID {
            let message = Message::new("store.id-too-large").with("id", id);
            return Err(Error::Refused(message.with("limit", MAX_ID)));
        }
    }
    Ok(name)
}

struct Geometry {
    column: String,
    read: String,
    place: String,
    srid: u32,
    crs: Crs,
    kind: GeometryType,
    has_z: bool,
    has_m: bool,
}

async fn geometry(
    session: &mut Session<'_>,
    relation: &Relation,
    columns: &[Column],
    job: &PublishJob,
) -> Result<Geometry, Error> {
    let is_geometry = |c: &&Column| ["geometry", "geography"].contains(&c.kind.as_str());
    let candidates: Vec<&Column> = columns
        .iter()
        .filter(is_geometry)
        .filter(|c| job.geometry.as_ref().is_none_or(|name| *name == c.name))
        .collect();
    let [column] = candidates.as_slice() else {
        let names: Vec<&str> = candidates.iter().map(|c| c.name.as_str()).collect();
        let key = if candidates.is_empty() {
            "store.no-geometry-column"
        } else {
            "store.several-geometry-columns"
        };
        let message = Message::new(key).with("table", &relation.shown);
        return Err(Error::Refused(message.with("columns", names.join(", "))));
    };
    let name = quoted(&column.name);
    let is_geography = column.kind == "geography";
    let plain = if is_geography {
        format!("{name}::geometry")
    } else {
        name
    };
    // What is there decides, since a view or an older column declares nothing.
    let sql = format!(
        "SELECT GeometryType({plain}), ST_SRID({plain})::bigint, bool_or(ST_Zmflag({plain}) >= 2), bool_or(ST_Zmflag({plain}) IN (1, 3))
         FROM {} WHERE {plain} IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2",
        relation.name
    );
    let rows = session.fetch_all(statement(sql)).await?;
    let declared = column.geometry.as_ref();
    let mut srids: Vec<i64> = declared.iter().map(|(_, srid, _)| *srid).collect();
    srids.retain(|srid| *srid != 0);
    let mut kinds: Vec<String> = Vec::new();
    let (mut has_z, mut has_m) = declared.map_or((false, false), |(kind, ..)| {
        let upper = kind.to_uppercase();
        (
            upper.ends_with('Z') || upper.ends_with("ZM"),
            upper.ends_with('M'),
        )
    });
    for row in &rows {
        kinds.push(row.text(0)?.trim_end_matches('M').to_owned());
        srids.push(row.integer(1)?);
        has_z |= row.boolean(2)?;
        has_m |= row.boolean(3)?;
    }
    srids.sort_unstable();
    srids.dedup();
    let [srid] = srids.as_slice() else {
        let shown: Vec<String> = srids.iter().map(i64::to_string).collect();
        let message = Message::new("store.srid-unclear").with("table", &relation.shown);
        return Err(Error::Refused(message.with("srids", shown.join(", "))));
    };
    let crs = crs(session, relation, *srid).await?;
    if let Some((kind, ..)) = declared {
        let kind = kind.trim_end_matches(['Z', 'M', 'z', 'm']).to_uppercase();
        if kinds.is_empty() || kind != "GEOMETRY" {
            kinds.push(kind);
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    let is_curved = kinds
        .iter()
        .any(|kind| kind.contains("CURVE") || kind.contains("CIRCULAR"));
    let kind = match kinds.as_slice() {
        [one] => GeometryType::from_name(one).unwrap_or(GeometryType::Geometry),
        _ => GeometryType::Geometry,
    };
    Ok(Geometry {
        column: column.name.clone(),
        // Curves become lines, which all clients draw.
        read: if is_curved {
            format!("ST_CurveToLine({plain})")
        } else {
            plain
        },
        place: if is_geography {
            "ST_GeomFromEWKB(?)::geography".to_owned()
        } else {
            "ST_GeomFromEWKB(?)".to_owned()
        },
        srid: u32::try_from(*srid).unwrap_or(0),
        crs,
        kind,
        has_z,
        has_m,
    })
}

/// The code of EPSG that PostGIS knows an SRID by.
async fn crs(session: &mut Session<'_>, relation: &Relation, srid: i64) -> Result<Crs, Error> {
    let sql = "SELECT auth_srid::bigint FROM spatial_ref_sys WHERE srid = ? AND upper(auth_name) = 'EPSG'";
    let row = session.fetch_optional(statement(sql).bind(srid)).await?;
    let code = match row {
        Some(row) => row.maybe_integer(0)?,
        None => None,
    };
    let code = code.and_then(|code| u32::try_from(code).ok());
    let unknown = || {
        let message = Message::new("store.srid-unknown").with("table", &relation.shown);
        Error::Refused(message.with("srid", srid))
    };
    let crs = Crs::epsg(code.ok_or_else(unknown)?);
    spatial::crs::describe(crs).map_err(|_| unknown())?;
    Ok(crs)
}

/// A property's column.
struct Mapped {
    name: String,
    read: String,
    place: Option<String>,
}

fn properties(
    columns: &[Column],
    key: &str,
    geometry: &Geometry,
    job: &PublishJob,
    notes: &mut Vec<Message>,
) -> Result<(Schema, Vec<Mapped>), Error> {
    let settings = &job.settings;
    let mut schema = Schema {
        properties: Vec::new(),
    };
    let mut mapped = Vec::new();
    for column in columns {
        if column.name == key || column.name == geometry.column {
            continue;
        }
        let name = quoted(&column.name);
        let (kind, read, place) = match column.kind.as_str() {
            "bool" => (PropertyType::Boolean, name, "?".to_owned()),
            "int2" | "int4" | "int8" => (PropertyType::Integer, name, "?".to_owned()),
            "float8" => (PropertyType::Real, name, "?".to_owned()),
            // By its text: the nearest double of 0.1 as a float is 0.10000000149011612.
            "float4" => (
                PropertyType::Real,
                format!("{name}::text::float8"),
                "?".to_owned(),
            ),
            "numeric" => (
                PropertyType::Real,
                format!("{name}::float8"),
                "?".to_owned(),
            ),
            "date" => (PropertyType::Date, name, "?".to_owned()),
            "timestamptz" => (PropertyType::DateTime, name, "?".to_owned()),
            // Without a zone it is taken for UTC, as the change log does.
            "timestamp" => (
                PropertyType::DateTime,
                format!("{name} AT TIME ZONE 'UTC'"),
                "? AT TIME ZONE 'UTC'".to_owned(),
            ),
            "text" | "varchar" | "bpchar" | "name" => {
                (PropertyType::Text, format!("{name}::text"), "?".to_owned())
            }
            "bytea" | "geometry" | "geography" | "raster" => {
                let note = Message::new("store.note-column-left-out");
                notes.push(
                    note.with("column", &column.name)
                        .with("type", &column.declared),
                );
                continue;
            }
            _ => (
                PropertyType::Text,
                format!("{name}::text"),
                format!("CAST(? AS {})", column.declared),
            ),
        };
        let described = settings.properties.iter().find(|p| p.name == column.name);
        let label = settings.label_property.as_ref() == Some(&column.name);
        let searchable = match &settings.searchable {
            Some(names) => names.contains(&column.name),
            None => label && kind == PropertyType::Text,
        };
        let title = column.comment.clone().map(|text| Text {
            uk: text.clone(),
            en: text,
        });
        schema.properties.push(Property {
            title: described.and_then(|d| d.title.clone()).or(title),
            searchable,
            ..Property::new(&column.name, kind)
        });
        mapped.push(Mapped {
            name: column.name.clone(),
            read,
            place: (!column.is_generated).then_some(place),
        });
    }
    if mapped.len() > MAX_PROPERTIES {
        let message = Message::new("store.too-many-properties").with("count", mapped.len());
        return Err(Error::Refused(message.with("limit", MAX_PROPERTIES)));
    }
    for name in [&settings.label_property, &settings.time_property]
        .into_iter()
        .flatten()
    {
        if schema.position(name).is_none() {
            let known: Vec<&str> = mapped.iter().map(|m| m.name.as_str()).collect();
            let message = Message::new("store.no-property").with("property", name);
            return Err(Error::Invalid(message.with("known", known.join(", "))));
        }
    }
    Ok((schema, mapped))
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

async fn require_rights(session: &mut Session<'_>, relation: &Relation) -> Result<(), Error> {
    for right in ["INSERT", "UPDATE", "DELETE"] {
        let sql = "SELECT has_table_privilege(to_regclass(?)::oid, ?)";
        let asked = statement(sql).bind(relation.name.as_str()).bind(right);
        if !session.fetch_one(asked).await?.boolean(0)? {
            let message = Message::new("store.table-denied").with("table", &relation.shown);
            return Err(Error::Refused(message.with("right", right)));
        }
    }
    Ok(())
}

/// What tells one state of a row from another, as SQL on `hromada_t`.
fn mark(relation: &Relation, columns: &[Column], job: &PublishJob) -> Result<String, Error> {
    let Some(version) = &job.version else {
        return Ok(if relation.has_xmin {
            "hromada_t.xmin::text".to_owned()
        } else {
            "md5(hromada_t::text)".to_owned()
        });
    };
    if !columns.iter().any(|c| c.name == *version) {
        let known: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        let message = Message::new("store.no-property").with("property", version);
        return Err(Error::Invalid(message.with("known", known.join(", "))));
    }
    Ok(format!("coalesce(hromada_t.{}::text, '')", quoted(version)))
}

/// A published table as the registry keeps it.
fn source(table: &Table, mark: Option<&str>) -> Json {
    json!({
        "table": table.name, "key": table.key, "keyOut": table.key_out,
        "geometry": table.geometry, "geometryRead": table.geometry_read, "geometryPlace": table.geometry_place,
        "srid": table.srid, "columns": table.columns, "reads": table.reads, "places": table.places,
        "editable": table.is_editable, "mark": mark,
    })
}

/// The table that [`source`] told of.
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
        is_own: false,
        is_editable: json["editable"].as_bool()?,
    })
}

/// Compares polled tables with what they were, and logs what is new; one server at a time does it for all.
pub(crate) async fn poll(session: &mut Session<'_>) -> Result<(), Error> {
    let sql = "SELECT n, source FROM hromada_collections
       WHERE source IS NOT NULL AND source::json->>'mark' IS NOT NULL AND pg_try_advisory_xact_lock(1752330096, n::int)";
    for row in session.fetch_all(statement(sql)).await? {
        let (n, source) = (row.integer(0)?, row.text(1)?);
        let json: Json = serde_json::from_str(&source).unwrap_or_default();
        let (Some(table), Some(mark)) = (table(&source), json["mark"].as_str()) else {
            continue;
        };
        let mut part = session.begin().await?;
        match compare(&mut part.session(), n, &table, mark).await {
            Ok(()) => part.commit().await?,
            Err(error) if matches!(error, Error::Busy(_)) => return Err(error),
            // One table that is gone must not keep the others from being followed.
            Err(error) => {
                tracing::error!(table = %table.name, %error, "a published table can't be compared");
                part.rollback().await?;
            }
        }
    }
    Ok(())
}

async fn compare(
    session: &mut Session<'_>,
    n: i64,
    table: &Table,
    mark: &str,
) -> Result<(), Error> {
    let sql = format!(
        "WITH found AS (SELECT {} AS fid, {mark} AS mark FROM {} AS hromada_t),
         different AS (
           SELECT coalesce(found.fid, seen.fid) AS fid, found.mark,
             CASE WHEN seen.fid IS NULL THEN 'create' WHEN found.fid IS NULL THEN 'delete' ELSE 'replace' END AS operation
           FROM found FULL JOIN (SELECT fid, mark FROM hromada_seen WHERE collection = {n}) AS seen USING (fid)
           WHERE found.mark IS DISTINCT FROM seen.mark),
         put AS (
           INSERT INTO hromada_seen SELECT {n}, fid, mark FROM different WHERE operation <> 'delete'
           ON CONFLICT (collection, fid) DO UPDATE SET mark = excluded.mark),
         gone AS (
           DELETE FROM hromada_seen WHERE collection = {n} AND fid IN (SELECT fid FROM different WHERE operation = 'delete'))
         INSERT INTO hromada_changes (at, actor, collection, fid, operation)
         SELECT clock_timestamp(), {}, {n}, fid, operation FROM different ORDER BY fid",
        table.key_out,
        table.name,
        literal(SOMEBODY),
    );
    if session.execute(statement(sql)).await? > 0 {
        super::number(session).await?;
    }
    Ok(())
}
