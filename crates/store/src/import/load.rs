//! The writing side of an import: rows, change log, extent, within the import's transaction.

use std::collections::{HashMap, HashSet};

use formats::Rejection;
use model::{Collection, Envelope, GeometryType, Message, Value};
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, AssertSqlSafe, Row};

use super::prepare::{Batch, Prepared};
use super::report::ImportReport;
use super::{ImportJob, ImportMode, Target};
use crate::registry::{self, GEOMETRY, KEY, Registered, quoted};
use crate::{Error, row};

/// Parameters of a statement at most (`SQLITE_MAX_VARIABLE_NUMBER`).
const MAX_PARAMETERS: usize = 32_766;

/// Rows of an insert statement at most: beyond this a longer statement gains nothing.
const MAX_ROWS: usize = 128;

/// Records without an id wait under keys from here on until all ids of the file are known; no source gives such a key
/// (see `MAX_ID` of `prepare`).
const WAITING: i64 = -(1 << 60);

pub(crate) struct Loader {
    registered: Registered,
    mode: ImportMode,
    actor: String,
    /// The column whose value tells two records of one feature.
    unique: Option<Unique>,
    /// Whether the table holds other columns to be unique too: then rows go one by one, so that one that can't be
    /// stored is named and takes no other with it.
    other_unique: bool,
    rows_per_statement: usize,
    /// The greatest key before the import; new keys are greater unless the source gives them.
    before: i64,
    /// Whether the source has given a key.
    has_keys: bool,
    /// The last key that a record without an id waits under, counted from [`WAITING`].
    waiting: i64,
    envelope: Option<Envelope>,
    types: HashSet<(GeometryType, bool, bool)>,
    kept_extent: bool,
}

struct Unique {
    name: String,
    column: String,
    position: usize,
}

impl Loader {
    pub(crate) async fn begin(
        connection: &mut SqliteConnection,
        job: &ImportJob,
        target: Target,
    ) -> Result<Self, Error> {
        let Target {
            collection,
            existing,
        } = target;
        let mut kept_extent = false;
        let registered = match (existing, &job.mode) {
            (Some(existing), ImportMode::Replace) => {
                replace(connection, existing, collection, &job.actor).await?
            }
            (Some(existing), _) => {
                kept_extent = true;
                existing
            }
            (None, _) => {
                let described = spatial::crs::describe(collection.storage_crs)
                    .map_err(|e| Error::Invalid(e.message()))?;
                registry::create(connection, &collection, (&described.name, &described.wkt)).await?
            }
        };
        let collection = &registered.collection;
        let unique_property = match &job.mode {
            ImportMode::Upsert(property) => {
                let known = collection.schema.get(property).is_some();
                if !known {
                    let message = Message::new("store.no-property").with("property", property);
                    let names: Vec<&str> = collection
                        .schema
                        .properties
                        .iter()
                        .map(|p| p.name.as_str())
                        .collect();
                    return Err(Error::Invalid(message.with("known", names.join(", "))));
                }
                make_unique(connection, collection, property).await?;
                Some(property.clone())
            }
            _ => collection.id_property.clone(),
        };
        let unique = unique_property.and_then(|name| {
            collection.schema.position(&name).map(|position| Unique {
                column: quoted(&name),
                name,
                position,
            })
        });
        let sql = format!(
            "SELECT coalesce(max({KEY}), 0) FROM {}",
            quoted(collection.id.as_str())
        );
        let before: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut *connection)
            .await?;
        let parameters = collection.schema.properties.len() + 2;
        let name = unique.as_ref().map(|u: &Unique| u.name.as_str());
        let columns = registry::unique_columns(connection, collection).await?;
        let other_unique = columns
            .iter()
            .chain(&collection.id_property)
            .any(|column| Some(column.as_str()) != name);
        let rows = (MAX_PARAMETERS / parameters).clamp(1, MAX_ROWS);
        Ok(Self {
            rows_per_statement: if other_unique { 1 } else { rows },
            other_unique,
            has_keys: false,
            waiting: 0,
            registered,
            mode: job.mode.clone(),
            actor: job.actor.clone(),
            unique,
            before,
            envelope: None,
            types: HashSet::new(),
            kept_extent,
        })
    }

    pub(crate) fn collection(&self) -> &Collection {
        &self.registered.collection
    }

    pub(crate) async fn write(
        &mut self,
        connection: &mut SqliteConnection,
        batch: Batch,
        report: &mut ImportReport,
    ) -> Result<(), Error> {
        report.read += batch.read;
        report.repaired += batch.repaired;
        report.invalid += batch.invalid_features;
        report.out_of_range += batch.out_of_range;
        report.at_zero += batch.at_zero;
        report.without_geometry += batch.without_geometry;
        report.from_ewkb += batch.from_ewkb;
        report.lost_z += batch.lost_z;
        batch.rejections.into_iter().for_each(|r| report.reject(r));
        batch
            .invalid
            .into_iter()
            .for_each(|i| report.name_invalid(i));
        self.types.extend(batch.types);
        if let Some(envelope) = batch.envelope {
            self.envelope = Some(self.envelope.map_or(envelope, |e| e.union(envelope)));
        }
        let mut rows = batch.rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<Prepared> = rows.by_ref().take(self.rows_per_statement).collect();
            match self.mode {
                ImportMode::Upsert(_) => self.upsert(connection, chunk, report).await?,
                _ => self.insert(connection, chunk, report).await?,
            }
        }
        Ok(())
    }

    async fn insert(
        &mut self,
        connection: &mut SqliteConnection,
        mut chunk: Vec<Prepared>,
        report: &mut ImportReport,
    ) -> Result<(), Error> {
        self.give_keys(connection, &mut chunk).await?;
        if !self.has_keys && self.unique.is_none() && !self.other_unique {
            report.stored += chunk.len() as u64;
            let sql = self.insert_sql(chunk.len(), "");
            sqlx::query_with(AssertSqlSafe(sql), arguments(chunk)?)
                .persistent(true)
                .execute(connection)
                .await?;
            return Ok(());
        }
        let returned = match &self.unique {
            Some(unique) => unique.column.as_str(),
            None => KEY,
        };
        let sql = self.insert_sql(
            chunk.len(),
            &format!(" ON CONFLICT DO NOTHING RETURNING {returned}"),
        );
        let ids: Vec<(u64, Id)> = chunk.iter().map(|row| (row.record, self.id(row))).collect();
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments(chunk)?)
            .fetch_all(connection)
            .await?;
        report.stored += rows.len() as u64;
        if rows.len() < ids.len() {
            let mut stored: HashMap<Id, u64> = HashMap::new();
            for row in &rows {
                *stored
                    .entry(Id::of(&row::value(row, 0, model::PropertyType::Text)?))
                    .or_default() += 1;
            }
            for (record, id) in ids {
                match stored.get_mut(&id) {
                    Some(count) if *count > 0 => *count -= 1,
                    _ => self.reject_duplicate(record, &id, report),
                }
            }
        }
        Ok(())
    }

    /// Gives records without an id keys that no id of the file can have, as soon as the file has given one: SQLite
    /// would give them keys that later records name.
    async fn give_keys(
        &mut self,
        connection: &mut SqliteConnection,
        chunk: &mut [Prepared],
    ) -> Result<(), Error> {
        let creates = matches!(self.mode, ImportMode::Create | ImportMode::Replace);
        if !creates || !(self.has_keys || chunk.iter().any(|row| row.fid.is_some())) {
            return Ok(());
        }
        if !self.has_keys {
            self.has_keys = true;
            // All that is stored so far came without ids.
            let table = quoted(self.collection().id.as_str());
            let sql = format!("UPDATE {table} SET {KEY} = {KEY} + ?");
            sqlx::query(AssertSqlSafe(sql))
                .bind(WAITING)
                .execute(&mut *connection)
                .await?;
            let sql = format!("SELECT coalesce(max({KEY}) - ?, 0) FROM {table}");
            self.waiting = sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(WAITING)
                .fetch_one(&mut *connection)
                .await?;
        }
        for row in chunk.iter_mut().filter(|row| row.fid.is_none()) {
            self.waiting += 1;
            row.fid = Some(WAITING + self.waiting);
        }
        Ok(())
    }

    /// Gives the records that wait their keys: in their order, after all others.
    async fn settle_keys(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        if self.waiting == 0 {
            return Ok(());
        }
        let id = self.collection().id.as_str();
        let table = quoted(id);
        let last = WAITING + self.waiting;
        let sql = format!("SELECT coalesce(min({KEY}), 0) FROM {table} WHERE {KEY} <= ?");
        let first: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(last)
            .fetch_one(&mut *connection)
            .await?;
        let sql = format!(
            "SELECT max(coalesce((SELECT max({KEY}) FROM {table}), 0),
                        coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0))"
        );
        let greatest: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(id)
            .fetch_one(&mut *connection)
            .await?;
        let greatest = greatest.max(0);
        let sql = format!("UPDATE {table} SET {KEY} = {KEY} - ? + ? WHERE {KEY} <= ?");
        sqlx::query(AssertSqlSafe(sql))
            .bind(first)
            .bind(greatest + 1)
            .bind(last)
            .execute(&mut *connection)
            .await?;
        // Only inserts move the counter by themselves.
        let sql = format!(
            "UPDATE sqlite_sequence SET seq = max(seq, (SELECT max({KEY}) FROM {table})) WHERE name = ?"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(id)
            .execute(connection)
            .await?;
        Ok(())
    }

    fn reject_duplicate(&self, record: u64, id: &Id, report: &mut ImportReport) {
        report.duplicate_ids += 1;
        let field = self
            .unique
            .as_ref()
            .map(|u| self.collection().schema.properties[u.position].name.clone());
        let key = if id.0.is_empty() {
            "store.duplicate-value"
        } else {
            "store.duplicate-id"
        };
        let reason = Message::new(key).with("id", &id.0);
        report.reject(Rejection {
            record,
            field,
            reason,
        });
    }

    fn id(&self, row: &Prepared) -> Id {
        match &self.unique {
            Some(unique) => Id::of(&row.values[unique.position]),
            None => Id(row.fid.map(|f| f.to_string()).unwrap_or_default()),
        }
    }

    fn insert_sql(&self, rows: usize, tail: &str) -> String {
        let collection = self.collection();
        let names: String = collection
            .schema
            .properties
            .iter()
            .map(|p| format!(", {}", quoted(&p.name)))
            .collect();
        let one = format!("(?, ?{})", ", ?".repeat(collection.schema.properties.len()));
        let values = vec![one; rows].join(", ");
        let table = quoted(collection.id.as_str());
        format!("INSERT INTO {table} ({KEY}, {GEOMETRY}{names}) VALUES {values}{tail}")
    }

    async fn upsert(
        &self,
        connection: &mut SqliteConnection,
        chunk: Vec<Prepared>,
        report: &mut ImportReport,
    ) -> Result<(), Error> {
        let Some(unique) = &self.unique else {
            return Ok(());
        };
        // A statement may touch a row once only, so a second record of one id in the chunk is a duplicate.
        let mut seen = HashSet::new();
        let mut rows = Vec::with_capacity(chunk.len());
        for row in chunk {
            let id = self.id(&row);
            if row.values[unique.position] == Value::Null {
                report.reject(id_missing(row.record, &unique.name));
            } else if seen.insert(id.clone()) {
                rows.push(row);
            } else {
                self.reject_duplicate(row.record, &id, report);
            }
        }
        if self.other_unique {
            for row in rows {
                self.upsert_one(connection, unique, row, report).await?;
            }
            return Ok(());
        }
        if rows.is_empty() {
            return Ok(());
        }
        let marks = vec!["?"; rows.len()].join(", ");
        let known = format!("{} IN ({marks})", unique.column);
        let ids: Vec<Value> = rows
            .iter()
            .map(|row| row.values[unique.position].clone())
            .collect();
        let sql = format!("{} AND {known}", self.log_sql("replace", true));
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(self.actor.clone())
            .bind(self.registered.n);
        for id in &ids {
            query = row::bound(query, id);
        }
        let replaced = query.execute(&mut *connection).await?.rows_affected();
        let sets = self.columns().map(|c| format!("{c} = excluded.{c}"));
        let sets = sets.collect::<Vec<_>>().join(", ");
        let mut tail = format!(" ON CONFLICT ({}) DO UPDATE SET {sets}", unique.column);
        if rows.iter().any(|row| row.fid.is_some()) {
            // An integer id is the key too, so both clauses mean one row.
            tail += &format!(" ON CONFLICT ({KEY}) DO UPDATE SET {sets}");
        }
        let count = rows.len() as u64;
        let sql = self.insert_sql(rows.len(), &tail);
        sqlx::query_with(AssertSqlSafe(sql), arguments(rows)?)
            .execute(&mut *connection)
            .await?;
        let sql = format!(
            "{} AND {known} AND {}",
            self.log_sql("create", false),
            self.unlogged_sql()
        );
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(self.actor.clone())
            .bind(self.registered.n);
        for id in &ids {
            query = row::bound(query, id);
        }
        query.execute(connection).await?;
        report.stored += count;
        report.replaced += replaced;
        Ok(())
    }

    /// Upserts one record of a collection that has other unique columns; one that meets another feature in them, or would
    /// change a feature's id, is rejected.
    async fn upsert_one(
        &self,
        connection: &mut SqliteConnection,
        unique: &Unique,
        prepared: Prepared,
        report: &mut ImportReport,
    ) -> Result<(), Error> {
        let (record, id) = (prepared.record, self.feature_id(&prepared));
        let existing = self.existing(connection, unique, &prepared).await?;
        if let Some((_, old)) = &existing
            && *old != id
        {
            let reason = Message::new("store.id-changed").with("id", &old.0);
            report.reject(Rejection {
                record,
                field: self.collection().id_property.clone(),
                reason,
            });
            return Ok(());
        }
        sqlx::raw_sql("SAVEPOINT hromada_record")
            .execute(&mut *connection)
            .await?;
        let written = match &existing {
            Some((fid, _)) => self.update(connection, *fid, prepared).await,
            None => self.create(connection, prepared).await,
        };
        let end = match written {
            Ok(()) => "RELEASE hromada_record",
            Err(_) => "ROLLBACK TO hromada_record; RELEASE hromada_record",
        };
        sqlx::raw_sql(end).execute(connection).await?;
        match written {
            Ok(()) => {
                report.stored += 1;
                report.replaced += u64::from(existing.is_some());
                Ok(())
            }
            Err(Error::Database(e)) if is_unique_violation(&e) => {
                report.duplicate_ids += 1;
                let reason = Message::new("store.duplicate-value").with("id", &id.0);
                report.reject(Rejection {
                    record,
                    field: None,
                    reason,
                });
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Key and id of the feature that a record would replace.
    async fn existing(
        &self,
        connection: &mut SqliteConnection,
        unique: &Unique,
        prepared: &Prepared,
    ) -> Result<Option<(i64, Id)>, Error> {
        let collection = self.collection();
        let id = collection.id_property.as_deref().map(quoted);
        let sql = format!(
            "SELECT {KEY}, {} FROM {} WHERE {} = ?",
            id.as_deref().unwrap_or("NULL"),
            quoted(collection.id.as_str()),
            unique.column
        );
        let query = sqlx::query(AssertSqlSafe(sql));
        let found = row::bound(query, &prepared.values[unique.position])
            .fetch_optional(connection)
            .await?;
        found
            .map(|row| {
                let id = row::value(&row, 1, model::PropertyType::Text)?;
                Ok((row.try_get(0)?, Id::of(&id)))
            })
            .transpose()
    }

    /// The value of the id property; empty where the key is the id.
    fn feature_id(&self, prepared: &Prepared) -> Id {
        let collection = self.collection();
        let name = collection.id_property.as_ref();
        let position = name.and_then(|name| collection.schema.position(name));
        Id::of(position.map_or(&Value::Null, |at| &prepared.values[at]))
    }

    async fn update(
        &self,
        connection: &mut SqliteConnection,
        fid: i64,
        prepared: Prepared,
    ) -> Result<(), Error> {
        let sql = format!("{} AND {KEY} = ?", self.log_sql("replace", true));
        sqlx::query(AssertSqlSafe(sql))
            .bind(self.actor.clone())
            .bind(self.registered.n)
            .bind(fid)
            .execute(&mut *connection)
            .await?;
        let sets: Vec<String> = self.columns().map(|c| format!("{c} = ?")).collect();
        let table = quoted(self.collection().id.as_str());
        let sql = format!("UPDATE {table} SET {} WHERE {KEY} = ?", sets.join(", "));
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(prepared.blob);
        for value in &prepared.values {
            query = row::bound(query, value);
        }
        query.bind(fid).execute(connection).await?;
        Ok(())
    }

    async fn create(
        &self,
        connection: &mut SqliteConnection,
        prepared: Prepared,
    ) -> Result<(), Error> {
        let sql = self.insert_sql(1, &format!(" RETURNING {KEY}"));
        let row = sqlx::query_with(AssertSqlSafe(sql), arguments(vec![prepared])?)
            .fetch_one(&mut *connection)
            .await?;
        let fid: i64 = row.try_get(0)?;
        let sql = format!("{} AND {KEY} = ?", self.log_sql("create", false));
        sqlx::query(AssertSqlSafe(sql))
            .bind(self.actor.clone())
            .bind(self.registered.n)
            .bind(fid)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// The columns of a record beside its key.
    fn columns(&self) -> impl Iterator<Item = String> {
        let properties = &self.collection().schema.properties;
        std::iter::once(GEOMETRY.to_owned()).chain(properties.iter().map(|p| quoted(&p.name)))
    }

    /// Whether a row's last change is none or a deletion, that is, whether it is new. The names in it are such that no
    /// collection can have.
    fn unlogged_sql(&self) -> String {
        format!(
            "coalesce((SELECT hromada_x.operation FROM hromada_changes AS hromada_x
               WHERE hromada_x.collection = {} AND hromada_x.fid = {}.{KEY}
               ORDER BY hromada_x.seq DESC LIMIT 1), 'delete') = 'delete'",
            self.registered.n,
            quoted(self.collection().id.as_str())
        )
    }

    /// Logs features of the table; conditions are added with AND. Parameters: actor, collection number.
    fn log_sql(&self, operation: &str, with_before: bool) -> String {
        log_sql(self.collection(), operation, with_before)
    }

    /// The rest of the change log, the extent, and the definition as the records made it.
    pub(crate) async fn finish(
        mut self,
        connection: &mut SqliteConnection,
    ) -> Result<Collection, Error> {
        let n = self.registered.n;
        match self.mode {
            ImportMode::Upsert(_) => {}
            ImportMode::Append => {
                let sql = format!(
                    "{} AND ({KEY} > ? OR {})",
                    self.log_sql("create", false),
                    self.unlogged_sql()
                );
                sqlx::query(AssertSqlSafe(sql))
                    .bind(self.actor.clone())
                    .bind(n)
                    .bind(self.before)
                    .execute(&mut *connection)
                    .await?;
            }
            ImportMode::Create | ImportMode::Replace => {
                self.settle_keys(connection).await?;
                let sql = self.log_sql("create", false);
                sqlx::query(AssertSqlSafe(sql))
                    .bind(self.actor.clone())
                    .bind(n)
                    .execute(&mut *connection)
                    .await?;
            }
        }
        self.describe_geometry(connection).await?;
        self.write_extent(connection).await?;
        Ok(self.registered.collection)
    }

    /// Makes the declared geometry type that of the records: one type when all have it, else any.
    async fn describe_geometry(&mut self, connection: &mut SqliteConnection) -> Result<(), Error> {
        if self.types.is_empty() {
            return Ok(());
        }
        let declared = (
            self.collection().geometry_type,
            self.collection().has_z,
            self.collection().has_m,
        );
        let kinds: HashSet<GeometryType> = self.types.iter().map(|t| t.0).collect();
        let only = (kinds.len() == 1)
            .then(|| kinds.into_iter().next())
            .flatten()
            .unwrap_or(GeometryType::Geometry);
        let fits = declared.0 == GeometryType::Geometry || declared.0 == only;
        let kind = if self.kept_extent && fits {
            declared.0
        } else if self.kept_extent {
            GeometryType::Geometry
        } else {
            only
        };
        let has_z = self.types.iter().any(|t| t.1) || (self.kept_extent && declared.1);
        let has_m = self.types.iter().any(|t| t.2) || (self.kept_extent && declared.2);
        if (kind, has_z, has_m) == declared {
            return Ok(());
        }
        let collection = &mut self.registered.collection;
        collection.geometry_type = kind;
        collection.has_z = has_z;
        collection.has_m = has_m;
        if kind != declared.0 {
            retype(connection, collection).await?;
        }
        registry::update(connection, &self.registered).await
    }

    async fn write_extent(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        let Some(envelope) = self.envelope else {
            return Ok(());
        };
        // Added features widen the extent; NULL means none yet.
        let sql = if self.kept_extent {
            "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now'),
               min_x = min(coalesce(min_x, ?1), ?1), min_y = min(coalesce(min_y, ?2), ?2),
               max_x = max(coalesce(max_x, ?3), ?3), max_y = max(coalesce(max_y, ?4), ?4) WHERE table_name = ?5"
        } else {
            "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now'),
               min_x = ?1, min_y = ?2, max_x = ?3, max_y = ?4 WHERE table_name = ?5"
        };
        sqlx::query(sql)
            .bind(envelope.min[0])
            .bind(envelope.min[1])
            .bind(envelope.max[0])
            .bind(envelope.max[1])
            .bind(self.collection().id.as_str())
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// An id as text, to tell which rows of a statement were stored.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Id(String);

impl Id {
    fn of(value: &Value) -> Self {
        Self(match value {
            Value::Null => String::new(),
            Value::Boolean(b) => i64::from(*b).to_string(),
            Value::Integer(i) => i.to_string(),
            Value::Real(x) => x.to_string(),
            Value::Text(t) => t.to_string(),
        })
    }
}

fn id_missing(record: u64, property: &str) -> Rejection {
    Rejection {
        record,
        field: Some(property.to_owned()),
        reason: Message::new("store.id-missing").with("property", property),
    }
}

fn is_unique_violation(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Makes the database hold a property's values to be unique, where it does not already.
async fn make_unique(
    connection: &mut SqliteConnection,
    collection: &Collection,
    property: &str,
) -> Result<(), Error> {
    let known = registry::unique_columns(connection, collection).await?;
    if known.iter().any(|column| column == property) {
        return Ok(());
    }
    let sql = registry::unique_index_sql(&collection.id, property);
    let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    match made {
        Ok(_) => Ok(()),
        Err(e) if is_unique_violation(&e) => Err(Error::Invalid(
            Message::new("store.upsert-not-unique").with("property", property),
        )),
        Err(e) => Err(e.into()),
    }
}

fn arguments(rows: Vec<Prepared>) -> Result<SqliteArguments, Error> {
    let mut arguments = SqliteArguments::default();
    let per_row = rows.first().map_or(2, |r| r.values.len() + 2);
    arguments.reserve(rows.len() * per_row, 0);
    for prepared in rows {
        let added = arguments
            .add(prepared.fid)
            .and_then(|()| arguments.add(prepared.blob));
        added.map_err(|e| Error::Database(sqlx::Error::Encode(e)))?;
        for value in prepared.values {
            row::bind(&mut arguments, value)?;
        }
    }
    Ok(arguments)
}

fn log_sql(collection: &Collection, operation: &str, with_before: bool) -> String {
    let before = if with_before {
        format!(
            "{GEOMETRY}, {}",
            registry::properties_json_sql(&collection.schema)
        )
    } else {
        "NULL, NULL".to_owned()
    };
    format!(
        "INSERT INTO hromada_changes (at, actor, collection, fid, operation, before_geometry, before_properties)
         SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?, ?, {KEY}, '{operation}', {before} FROM {} WHERE TRUE",
        quoted(collection.id.as_str())
    )
}

/// Logs the features of a collection as deleted and makes its table anew.
async fn replace(
    connection: &mut SqliteConnection,
    existing: Registered,
    collection: Collection,
    actor: &str,
) -> Result<Registered, Error> {
    let sql = log_sql(&existing.collection, "delete", true);
    sqlx::query(AssertSqlSafe(sql))
        .bind(actor.to_owned())
        .bind(existing.n)
        .execute(&mut *connection)
        .await?;
    let table = quoted(collection.id.as_str());
    // Keys are never used again, so the counter outlives the table.
    let counter: Option<i64> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = ?")
        .bind(collection.id.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE {table}")))
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql(AssertSqlSafe(registry::table_sql(&collection)))
        .execute(&mut *connection)
        .await?;
    if let Some(counter) = counter {
        sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)")
            .bind(collection.id.as_str())
            .bind(counter)
            .execute(&mut *connection)
            .await?;
    }
    if let Some(property) = &collection.id_property {
        let sql = registry::unique_index_sql(&collection.id, property);
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut *connection)
            .await?;
    }
    if existing.collection.storage_crs != collection.storage_crs {
        let described = spatial::crs::describe(collection.storage_crs)
            .map_err(|e| Error::Invalid(e.message()))?;
        let srs_id = i64::from(collection.storage_crs.code());
        sqlx::query(
            "INSERT INTO gpkg_spatial_ref_sys (srs_name, srs_id, organization, organization_coordsys_id, definition)
             VALUES (?, ?, 'EPSG', ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(described.name)
        .bind(srs_id)
        .bind(srs_id)
        .bind(described.wkt)
        .execute(&mut *connection)
        .await?;
        for sql in [
            "UPDATE gpkg_contents SET srs_id = ? WHERE table_name = ?",
            "UPDATE gpkg_geometry_columns SET srs_id = ? WHERE table_name = ?",
        ] {
            sqlx::query(sql)
                .bind(srs_id)
                .bind(collection.id.as_str())
                .execute(&mut *connection)
                .await?;
        }
    }
    let registered = Registered {
        n: existing.n,
        collection,
    };
    registry::update(connection, &registered).await?;
    Ok(registered)
}

/// Copies the table into one whose geometry column declares the collection's type: SQLite can't change it in place.
async fn retype(connection: &mut SqliteConnection, collection: &Collection) -> Result<(), Error> {
    let table = quoted(collection.id.as_str());
    let old = quoted(&format!("hromada_old_{}", collection.id));
    let columns = row::columns(collection);
    let counter: Option<i64> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = ?")
        .bind(collection.id.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let mut indexes: Vec<String> = Vec::new();
    let rows = sqlx::query(
        "SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
    )
    .bind(collection.id.as_str())
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        indexes.push(row.try_get(0)?);
    }
    let copy = format!(
        "ALTER TABLE {table} RENAME TO {old}; {}; INSERT INTO {table} ({columns}) SELECT {columns} FROM {old};
         DROP TABLE {old}; {}",
        registry::table_sql(collection),
        indexes.join("; ")
    );
    // References from the GeoPackage tables name the table and must not follow the rename.
    sqlx::raw_sql("PRAGMA legacy_alter_table = ON")
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql(AssertSqlSafe(copy))
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql("PRAGMA legacy_alter_table = OFF")
        .execute(&mut *connection)
        .await?;
    if let Some(counter) = counter {
        sqlx::query("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?")
            .bind(counter)
            .bind(collection.id.as_str())
            .execute(connection)
            .await?;
    }
    Ok(())
}
