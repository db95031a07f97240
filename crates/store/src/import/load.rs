//! The writing side of an import: rows, change log, extent, within the import's transaction.

mod keys;
mod upsert;

use std::collections::{HashMap, HashSet};

use formats::Rejection;
use model::{Collection, Envelope, GeometryType, Message, PropertyType, Value};

use super::prepare::{Batch, Prepared};
use super::report::ImportReport;
use super::{ImportJob, ImportMode, Target};
use crate::backend::Backend;
use crate::fill::{self, NewRow};
use crate::postgres::copy::Copy;
use crate::registry::{self, Registered};
use crate::session::{Dialect, Parameter, Session, Statement, statement};
use crate::table::Table;
use crate::{Error, edit, postgres, sqlite};

pub(crate) struct Loader {
    /// As it will be; its table is the one that is filled.
    registered: Registered,
    /// In PostgreSQL a new table is filled beside the old one, which is here until the end.
    beside: Option<Beside>,
    mode: ImportMode,
    actor: String,
    /// The time of the transaction, where its end does not give it.
    at: String,
    /// The column whose value tells two records of one feature.
    unique: Option<Unique>,
    /// Whether the table holds other columns to be unique too: then rows go one by one, so that one that can't be
    /// stored is named and takes no other with it.
    other_unique: bool,
    rows_per_statement: usize,
    /// The greatest key before the import; new keys are greater unless the source gives them.
    before: i64,
    /// Keys of features that records of an upsert have met.
    seen: HashSet<i64>,
    /// Whether the source has given a key.
    has_keys: bool,
    /// The last key that a record without an id waits under, counted from `WAITING` of `keys`.
    waiting: i64,
    envelope: Option<Envelope>,
    types: HashSet<(GeometryType, bool, bool)>,
    kept_extent: bool,
}

/// A new table that is filled by COPY.
struct Beside {
    copy: Copy,
    existing: Option<Registered>,
    /// The greatest key that the collection ever had.
    counter: i64,
    /// The last key that was given.
    last: i64,
    /// Whether the geometry column takes any geometry, since one came that it did not declare.
    is_untyped: bool,
}

#[derive(Clone)]
struct Unique {
    name: String,
    column: String,
    position: usize,
}

impl Loader {
    pub(crate) async fn begin(
        session: &mut Session<'_>,
        job: &ImportJob,
        target: Target,
    ) -> Result<Self, Error> {
        let Target {
            collection,
            existing,
        } = target;
        let creates = matches!(job.mode, ImportMode::Create | ImportMode::Replace);
        let kept_extent = existing.is_some() && !creates;
        let dialect = session.dialect();
        let at = match dialect {
            Dialect::Sqlite => edit::moment(session).await?,
            Dialect::Postgres => String::new(),
        };
        if dialect == Dialect::Postgres {
            postgres::tables::reserve(session, &collection, existing.as_ref()).await?;
        }
        let mut beside = None;
        let registered = match existing {
            Some(existing) if !creates => existing,
            existing if dialect == Dialect::Postgres => {
                let counter = match &existing {
                    Some(existing) => {
                        postgres::tables::refuse_dependents(session, existing).await?;
                        postgres::tables::counter(session, &existing.table).await?
                    }
                    None => 0,
                };
                let table = postgres::tables::begin(session, &collection).await?;
                let kinds = collection.schema.properties.iter().map(|p| p.kind);
                beside = Some(Beside {
                    copy: Copy::into(&table, kinds.collect()),
                    existing,
                    counter,
                    last: counter,
                    is_untyped: false,
                });
                Registered {
                    n: 0,
                    collection,
                    table,
                }
            }
            Some(existing) => {
                let sql =
                    sqlite::tables::log_sql(&existing.collection, &existing.table, "delete", true);
                let log = statement(sql)
                    .bind(at.as_str())
                    .bind(job.actor.as_str())
                    .bind(existing.n);
                session.execute(log).await?;
                sqlite::tables::replace(session, existing, collection).await?
            }
            None => {
                sqlite::tables::create(session, &collection).await?;
                registry::add(session, &collection).await?
            }
        };
        let Registered {
            collection, table, ..
        } = &registered;
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
                make_unique(session, collection, table, property).await?;
                Some(property.clone())
            }
            _ => collection.id_property.clone(),
        };
        let unique = unique_property.and_then(|name| {
            collection.schema.position(&name).map(|position| Unique {
                column: table.columns[position].clone(),
                name,
                position,
            })
        });
        let sql = format!("SELECT coalesce(max({}), 0) FROM {}", table.key, table.name);
        let before = session.fetch_one(statement(sql)).await?.integer(0)?;
        let own = unique
            .as_ref()
            .map(|u: &Unique| registry::unquoted(&u.column));
        let mut columns = registry::unique_columns(session, table).await?;
        if let Some(position) = id_position(collection) {
            columns.push(registry::unquoted(&table.columns[position]));
        }
        let other_unique = columns.iter().any(|column| Some(column) != own.as_ref());
        let rows = fill::rows_per_statement(table.columns.len());
        Ok(Self {
            rows_per_statement: if other_unique { 1 } else { rows },
            other_unique,
            has_keys: false,
            seen: HashSet::new(),
            waiting: 0,
            registered,
            beside,
            mode: job.mode.clone(),
            actor: job.actor.clone(),
            at,
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
        session: &mut Session<'_>,
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
        self.make_room(session).await?;
        if let Some(envelope) = batch.envelope {
            self.envelope = Some(self.envelope.map_or(envelope, |e| e.union(envelope)));
        }
        let mut rows = batch.rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<Prepared> = rows.by_ref().take(self.rows_per_statement).collect();
            match self.mode {
                ImportMode::Upsert(_) => self.upsert(session, chunk, report).await?,
                _ if self.beside.is_some() => self.copy(session, chunk, report).await?,
                _ => self.insert(session, chunk, report).await?,
            }
        }
        Ok(())
    }

    async fn insert(
        &mut self,
        session: &mut Session<'_>,
        mut chunk: Vec<Prepared>,
        report: &mut ImportReport,
    ) -> Result<(), Error> {
        self.give_keys(session, &mut chunk).await?;
        if !self.has_keys && self.unique.is_none() && !self.other_unique {
            report.stored += chunk.len() as u64;
            session.execute(self.insertion(chunk, "")).await?;
            return Ok(());
        }
        let returned = match &self.unique {
            Some(unique) => &unique.column,
            None => &self.registered.table.key,
        };
        let kind = match &self.unique {
            Some(unique) => self.collection().schema.properties[unique.position].kind,
            None => PropertyType::Integer,
        };
        let tail = format!(" ON CONFLICT DO NOTHING RETURNING {returned}");
        let ids: Vec<(u64, Id)> = chunk.iter().map(|row| (row.record, self.id(row))).collect();
        let rows = session.fetch_all(self.insertion(chunk, &tail)).await?;
        report.stored += rows.len() as u64;
        if rows.len() < ids.len() {
            let mut stored: HashMap<Id, u64> = HashMap::new();
            for row in &rows {
                *stored.entry(Id::of(&row.value(0, kind)?)).or_default() += 1;
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

    /// Adds rows to a table that is filled by COPY.
    async fn copy(
        &mut self,
        session: &mut Session<'_>,
        mut chunk: Vec<Prepared>,
        report: &mut ImportReport,
    ) -> Result<(), Error> {
        self.give_keys(session, &mut chunk).await?;
        for row in chunk {
            let has_id = self.unique.is_some() || self.has_keys;
            let id = self.id(&row);
            let Some(beside) = &mut self.beside else {
                return Ok(());
            };
            if has_id && !beside.copy.is_new(&id.0) {
                self.reject_duplicate(row.record, &id, report);
                continue;
            }
            let fid = match row.fid {
                Some(fid) => fid,
                None => {
                    beside.last += 1;
                    beside.last
                }
            };
            beside
                .copy
                .add(session, fid, row.blob.as_deref(), &row.values)
                .await?;
            report.stored += 1;
        }
        Ok(())
    }

    /// Lets PostGIS' column take geometries that it does not declare, as soon as the first comes.
    async fn make_room(&mut self, session: &mut Session<'_>) -> Result<(), Error> {
        let Registered {
            collection, table, ..
        } = &self.registered;
        if session.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let fits = self.types.iter().all(|(kind, z, m)| {
            (collection.geometry_type == GeometryType::Geometry
                || collection.geometry_type == *kind)
                && (collection.has_z, collection.has_m) == (*z, *m)
        });
        match &mut self.beside {
            _ if fits => {}
            Some(beside) if beside.is_untyped => {}
            Some(beside) => {
                beside.copy.flush(session).await?;
                postgres::tables::untype(session, table).await?;
                beside.is_untyped = true;
            }
            None => postgres::tables::untype(session, table).await?,
        }
        Ok(())
    }

    /// A statement that adds rows.
    fn insertion(&self, rows: Vec<Prepared>, tail: &str) -> Statement {
        let Registered {
            collection, table, ..
        } = &self.registered;
        let kinds: Vec<PropertyType> = collection
            .schema
            .properties
            .iter()
            .map(|p| p.kind)
            .collect();
        let rows = rows.into_iter().map(|row| NewRow {
            key: row.fid,
            geometry: row.blob,
            values: row.values,
        });
        fill::insertion(table, &kinds, rows, tail)
    }

    /// Whether a row's last change is none or a deletion, that is, whether it is new. The names in it are such that no
    /// collection can have.
    fn unlogged_sql(&self) -> String {
        let Registered { n, table, .. } = &self.registered;
        format!(
            "coalesce((SELECT hromada_x.operation FROM hromada_changes AS hromada_x
               WHERE hromada_x.collection = {n} AND hromada_x.fid = {}.{}
               ORDER BY hromada_x.seq DESC LIMIT 1), 'delete') = 'delete'",
            table.name, table.key
        )
    }

    /// Logs features of the table that meet a condition; PostgreSQL does that by triggers.
    async fn log(
        &self,
        session: &mut Session<'_>,
        operation: &str,
        condition: &str,
        parameters: Vec<Parameter>,
    ) -> Result<u64, Error> {
        let Registered {
            n,
            collection,
            table,
        } = &self.registered;
        if table.dialect == Dialect::Postgres {
            return Ok(0);
        }
        let with_before = operation != "create";
        let sql = sqlite::tables::log_sql(collection, table, operation, with_before);
        let log = statement(sql + condition)
            .bind(self.at.as_str())
            .bind(self.actor.as_str())
            .bind(*n)
            .bind_all(parameters);
        session.execute(log).await
    }

    /// The rest of the change log, the extent, and the definition as the records made it.
    pub(crate) async fn finish(
        mut self,
        session: &mut Session<'_>,
        backend: &Backend,
        report: &mut ImportReport,
    ) -> Result<Collection, Error> {
        if let Some(beside) = &mut self.beside {
            beside.copy.flush(session).await?;
        }
        match self.mode {
            ImportMode::Upsert(_) => {
                report.gone = self.gone(session).await?;
                if report.stored == 0 {
                    return Ok(self.registered.collection);
                }
            }
            ImportMode::Append => {
                let key = &self.registered.table.key;
                let condition =
                    format!(" AND ({key} > ? OR {}) ORDER BY {key}", self.unlogged_sql());
                self.log(session, "create", &condition, vec![self.before.into()])
                    .await?;
            }
            ImportMode::Create | ImportMode::Replace => {
                self.settle_keys(session).await?;
                // Without an order SQLite may walk along the index of the id.
                let order = format!(" ORDER BY {}", self.registered.table.key);
                self.log(session, "create", &order, Vec::new()).await?;
            }
        }
        self.describe_geometry(session).await?;
        self.write_extent(session).await?;
        match (self.beside, backend) {
            (Some(beside), Backend::Postgres(database)) => {
                let Registered {
                    collection, table, ..
                } = &self.registered;
                let placed = postgres::tables::settle(
                    session,
                    database,
                    table,
                    beside.existing,
                    collection,
                    beside.counter,
                );
                Ok(placed.await?.collection)
            }
            (_, Backend::Postgres(_)) => {
                postgres::number(session).await?;
                Ok(self.registered.collection)
            }
            (_, Backend::Sqlite(_)) => Ok(self.registered.collection),
        }
    }

    /// Makes the declared geometry type that of the records: one type when all have it, else any.
    async fn describe_geometry(&mut self, session: &mut Session<'_>) -> Result<(), Error> {
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
        let is_postgres = session.dialect() == Dialect::Postgres;
        let dims: HashSet<(bool, bool)> = self.types.iter().map(|t| (t.1, t.2)).collect();
        let mut is_mixed = dims.len() > 1;
        if self.kept_extent {
            is_mixed |= dims.iter().any(|d| *d != (declared.1, declared.2));
        }
        let untyped =
            is_postgres && (is_mixed || self.beside.as_ref().is_some_and(|b| b.is_untyped));
        if (kind, has_z, has_m) == declared && !untyped {
            return Ok(());
        }
        let collection = &mut self.registered.collection;
        collection.geometry_type = kind;
        collection.has_z = has_z;
        collection.has_m = has_m;
        let collection = &self.registered.collection;
        if is_postgres {
            let table = &self.registered.table;
            postgres::tables::retype(session, collection, table, is_mixed).await?;
        } else {
            if kind != declared.0 {
                sqlite::tables::retype(session, collection).await?;
            }
            sqlite::tables::describe(session, collection).await?;
        }
        if self.beside.is_some() {
            return Ok(());
        }
        registry::update(session, &self.registered).await
    }

    async fn write_extent(&self, session: &mut Session<'_>) -> Result<(), Error> {
        let Some(envelope) = self.envelope else {
            return Ok(());
        };
        if session.dialect() == Dialect::Postgres {
            return Ok(());
        }
        let id = &self.collection().id;
        sqlite::tables::write_extent(session, id, envelope, self.kept_extent).await
    }
}

fn id_position(collection: &Collection) -> Option<usize> {
    collection.schema.position(collection.id_property.as_ref()?)
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

/// Makes the database hold a property's values to be unique, where it does not already.
async fn make_unique(
    session: &mut Session<'_>,
    collection: &Collection,
    table: &Table,
    property: &str,
) -> Result<(), Error> {
    let Some(position) = collection.schema.position(property) else {
        return Ok(());
    };
    let column = registry::unquoted(&table.columns[position]);
    let known = registry::unique_columns(session, table).await?;
    if known.contains(&column) {
        return Ok(());
    }
    let Some(sql) = registry::unique_index_sql(table, collection, property) else {
        return Ok(());
    };
    match session.run(sql).await {
        Err(e) if e.is_unique_violation() => Err(Error::Invalid(
            Message::new("store.upsert-not-unique").with("property", property),
        )),
        other => other,
    }
}
