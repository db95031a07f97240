//! The writing side of an import: rows, change log, extent, within the import's transaction.

mod keys;
mod table;
mod upsert;

use std::collections::{HashMap, HashSet};

use formats::Rejection;
use model::{Collection, Envelope, GeometryType, Message, Value};
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, AssertSqlSafe};

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
    /// Whether the table holds other columns to be unique too: then rows go one by one, so that one that can't be
    /// stored is named and takes no other with it.
    other_unique: bool,
    rows_per_statement: usize,
    /// The greatest key before the import; new keys are greater unless the source gives them.
    before: i64,
    /// Whether the source has given a key.
    has_keys: bool,
    /// The last key that a record without an id waits under, counted from `WAITING` of `keys`.
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
                table::replace(connection, existing, collection, &job.actor).await?
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
            table::retype(connection, collection).await?;
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
