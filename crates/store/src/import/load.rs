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

pub(crate) struct Loader {
    registered: Registered,
    mode: ImportMode,
    actor: String,
    /// The column whose value tells two records of one feature.
    unique: Option<Unique>,
    rows_per_statement: usize,
    /// The greatest key before the import; new keys are greater unless the source gives them.
    before: i64,
    envelope: Option<Envelope>,
    types: HashSet<(GeometryType, bool, bool)>,
    kept_extent: bool,
}

struct Unique {
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
                let sql = registry::unique_index_sql(&collection.id, property);
                sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(&mut *connection)
                    .await
                    .map_err(|e| {
                        let unique = e
                            .as_database_error()
                            .is_some_and(sqlx::error::DatabaseError::is_unique_violation);
                        if unique {
                            return Error::Invalid(
                                Message::new("store.upsert-not-unique").with("property", property),
                            );
                        }
                        Error::from(e)
                    })?;
                Some(property.clone())
            }
            _ => collection.id_property.clone(),
        };
        let unique = unique_property.and_then(|name| {
            collection.schema.position(&name).map(|position| Unique {
                column: quoted(&name),
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
        Ok(Self {
            rows_per_statement: (MAX_PARAMETERS / parameters).clamp(1, MAX_ROWS),
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
        &self,
        connection: &mut SqliteConnection,
        chunk: Vec<Prepared>,
        report: &mut ImportReport,
    ) -> Result<(), Error> {
        let has_keys = chunk.iter().any(|row| row.fid.is_some());
        if !has_keys && self.unique.is_none() {
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

    fn reject_duplicate(&self, record: u64, id: &Id, report: &mut ImportReport) {
        report.duplicate_ids += 1;
        let field = self
            .unique
            .as_ref()
            .map(|u| self.collection().schema.properties[u.position].name.clone());
        let reason = Message::new("store.duplicate-id").with("id", &id.0);
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
        let collection = self.collection();
        let table = quoted(collection.id.as_str());
        // A statement may touch a row once only, so a second record of one id in the chunk is a duplicate.
        let mut seen = HashSet::new();
        let mut rows = Vec::with_capacity(chunk.len());
        for row in chunk {
            let id = self.id(&row);
            if row.values[unique.position] == Value::Null {
                let name = collection.schema.properties[unique.position].name.clone();
                let reason = Message::new("store.id-missing").with("property", &name);
                report.reject(Rejection {
                    record: row.record,
                    field: Some(name),
                    reason,
                });
            } else if seen.insert(id.clone()) {
                rows.push(Prepared { fid: None, ..row });
            } else {
                self.reject_duplicate(row.record, &id, report);
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let marks = vec!["?"; rows.len()].join(", ");
        let known = format!("{} IN ({marks})", unique.column);
        let sql = format!("{} AND {known}", self.log_sql("replace", true));
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(self.actor.clone())
            .bind(self.registered.n);
        for prepared in &rows {
            query = row::bound(query, &prepared.values[unique.position]);
        }
        let replaced = query.execute(&mut *connection).await?.rows_affected();
        let sets: Vec<String> = std::iter::once(GEOMETRY.to_owned())
            .chain(collection.schema.properties.iter().map(|p| quoted(&p.name)))
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let tail = format!(
            " ON CONFLICT ({}) DO UPDATE SET {}",
            unique.column,
            sets.join(", ")
        );
        let count = rows.len() as u64;
        let sql = self.insert_sql(rows.len(), &tail);
        sqlx::query_with(AssertSqlSafe(sql), arguments(rows)?)
            .execute(&mut *connection)
            .await?;
        // What is new has no change yet.
        let sql = format!(
            "{} AND NOT EXISTS (SELECT 1 FROM hromada_changes c WHERE c.collection = ? AND c.fid = {table}.{KEY})
             AND {KEY} > ?",
            self.log_sql("create", false)
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(self.actor.clone())
            .bind(self.registered.n)
            .bind(self.registered.n)
            .bind(self.before)
            .execute(connection)
            .await?;
        report.stored += count;
        report.replaced += replaced;
        Ok(())
    }

    /// Logs features of the table; conditions are added with AND. Parameters: actor, collection number.
    fn log_sql(&self, operation: &str, with_before: bool) -> String {
        log_sql(self.collection(), operation, with_before)
    }

    /// The rest of the change log, the extent, and the definition as the records made it.
    pub(crate) async fn finish(
        mut self,
        connection: &mut SqliteConnection,
        report: &mut ImportReport,
    ) -> Result<Collection, Error> {
        let n = self.registered.n;
        match self.mode {
            ImportMode::Upsert(_) => {}
            ImportMode::Append => {
                let sql = format!("{} AND {KEY} > ?", self.log_sql("create", false));
                let sql = format!(
                    "{sql} OR NOT EXISTS (SELECT 1 FROM hromada_changes c WHERE c.collection = ? AND c.fid = {}.{KEY})",
                    quoted(self.collection().id.as_str())
                );
                let query = sqlx::query(AssertSqlSafe(sql))
                    .bind(self.actor.clone())
                    .bind(n);
                query
                    .bind(self.before)
                    .bind(n)
                    .execute(&mut *connection)
                    .await?;
            }
            ImportMode::Create | ImportMode::Replace => {
                let sql = self.log_sql("create", false);
                sqlx::query(AssertSqlSafe(sql))
                    .bind(self.actor.clone())
                    .bind(n)
                    .execute(&mut *connection)
                    .await?;
            }
        }
        self.describe_geometry(connection, report).await?;
        self.write_extent(connection).await?;
        Ok(self.registered.collection)
    }

    /// Makes the declared geometry type that of the records: one type when all have it, else any.
    async fn describe_geometry(
        &mut self,
        connection: &mut SqliteConnection,
        _report: &mut ImportReport,
    ) -> Result<(), Error> {
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
