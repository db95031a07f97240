//! One collection of a copy: its rows, keys and indexes.

use futures_util::TryStreamExt;
use model::{Collection, Envelope, GeometryType, Message};

use super::{CopyPart, CopyProgress, DONE, TELL_EVERY, Tell};
use crate::backend::Backend;
use crate::compare;
use crate::fill::Fill;
use crate::registry::{self, Registered};
use crate::session::{Dialect, Session, statement};
use crate::table::Table;
use crate::{Error, Store, meta, postgres, row, sqlite};

/// What was noted of a collection when it was copied.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    /// Its last change in the source.
    seq: i64,
    /// The greatest key that it ever had.
    pub(super) counter: i64,
}

pub(super) async fn mark(write: &mut Session<'_>, n: i64) -> Result<Option<Mark>, Error> {
    let text = meta::get(write, &format!("{DONE}{n}")).await?;
    let numbers = text.as_deref().and_then(|text| text.split_once(' '));
    Ok(numbers.and_then(|(seq, counter)| {
        Some(Mark {
            seq: seq.parse().ok()?,
            counter: counter.parse().ok()?,
        })
    }))
}

/// A collection on its way.
pub(super) struct Copying<'a> {
    registered: &'a Registered,
    /// Its last change in the source.
    seq: i64,
    pub(super) features: u64,
}

impl<'a> Copying<'a> {
    pub(super) async fn of(
        read: &mut Session<'_>,
        registered: &'a Registered,
    ) -> Result<Self, Error> {
        let Registered {
            n,
            collection,
            table,
        } = registered;
        let missing = registry::missing_columns(read, table).await?;
        if let Some(column) = missing.first() {
            let message = Message::new("store.compare-column-missing")
                .with("collection", &collection.id)
                .with("column", column);
            return Err(Error::Refused(message));
        }
        let sql = format!(
            "SELECT coalesce((SELECT max(seq) FROM hromada_changes WHERE collection = ?), 0), (SELECT count(*) FROM {})",
            table.name
        );
        let row = read.fetch_one(statement(sql).bind(*n)).await?;
        Ok(Self {
            registered,
            seq: row.integer(0)?,
            features: row.integer(1)?.unsigned_abs(),
        })
    }

    /// Whether an interrupted copy has brought it, and the source has not changed it since.
    pub(super) async fn is_done(
        &self,
        write: &mut Session<'_>,
        known: Option<Mark>,
    ) -> Result<bool, Error> {
        if known.is_none_or(|known| known.seq != self.seq) {
            return Ok(false);
        }
        let collection = &self.registered.collection;
        let there = registry::find(write, &collection.id).await?;
        Ok(there.is_some_and(|there| there.collection == *collection))
    }

    fn failed(&self, error: Error) -> Error {
        match error {
            // They say what to do, and it is not about this collection.
            Error::Full(_) | Error::Stopped(_) | Error::Busy(_) | Error::Refused(_) => error,
            other => Error::Refused(
                Message::new("store.copy-failed")
                    .with("collection", &self.registered.collection.id)
                    .with("reason", other),
            ),
        }
    }

    /// Copies table, keys and definition in one transaction; gives the counter that goes with them.
    pub(super) async fn run(
        &self,
        read: &mut Session<'_>,
        write: &mut Session<'_>,
        target: &Store,
        progress: &mut Tell<'_>,
    ) -> Result<i64, Error> {
        let counter = registry::counter(read, self.registered).await?;
        let unique = registry::unique_properties(read, self.registered).await?;
        let mut transaction = write.begin().await?;
        let mut session = transaction.session();
        let written = match &target.inner.backend {
            Backend::Sqlite(_) => self.to_sqlite(read, &mut session, counter, progress).await,
            Backend::Postgres(database) => {
                self.to_postgres(read, &mut session, database, counter, progress)
                    .await
            }
        };
        let table = written.map_err(|e| self.failed(e))?;
        self.add_unique(&mut session, &table, &unique).await?;
        let (key, seq) = (format!("{DONE}{}", self.registered.n), self.seq);
        meta::set(&mut session, &key, &format!("{seq} {counter}")).await?;
        transaction.commit().await?;
        Ok(counter)
    }

    async fn to_sqlite(
        &self,
        read: &mut Session<'_>,
        session: &mut Session<'_>,
        counter: i64,
        progress: &mut Tell<'_>,
    ) -> Result<Table, Error> {
        let collection = &self.registered.collection;
        match registry::find(session, &collection.id).await? {
            Some(existing) => {
                sqlite::tables::replace(session, existing, collection.clone()).await?;
            }
            None => {
                sqlite::tables::create(session, collection).await?;
                registry::put(session, self.registered).await?;
            }
        }
        let table = Table::of(Dialect::Sqlite, collection);
        let mut rows = Rows::into(&table, collection);
        self.fill(read, session, &mut rows, progress).await?;
        sqlite::tables::set_counter(session, &collection.id, counter).await?;
        if let Some(extent) = rows.extent {
            sqlite::tables::write_extent(session, &collection.id, extent, false).await?;
        }
        Ok(table)
    }

    async fn to_postgres(
        &self,
        read: &mut Session<'_>,
        session: &mut Session<'_>,
        database: &postgres::Database,
        counter: i64,
        progress: &mut Tell<'_>,
    ) -> Result<Table, Error> {
        let collection = &self.registered.collection;
        let existing = registry::find(session, &collection.id).await?;
        postgres::tables::reserve(session, collection, existing.as_ref()).await?;
        let beside = postgres::tables::begin(session, collection).await?;
        let mut rows = Rows::into(&beside, collection);
        self.fill(read, session, &mut rows, progress).await?;
        if rows.is_untyped {
            postgres::tables::retype(session, collection, &beside, true).await?;
        }
        let table = Table::of(Dialect::Postgres, collection);
        let registered = Registered {
            n: self.registered.n,
            collection: collection.clone(),
            table: table.clone(),
        };
        postgres::tables::settle_copied(session, database, &beside, &registered, counter).await?;
        Ok(table)
    }

    async fn fill(
        &self,
        read: &mut Session<'_>,
        session: &mut Session<'_>,
        rows: &mut Rows<'_>,
        progress: &mut Tell<'_>,
    ) -> Result<(), Error> {
        let id = self.registered.collection.id.as_str();
        let mut tell = |done| {
            progress(CopyProgress {
                part: CopyPart::Collection(id),
                done,
                total: self.features,
            });
        };
        let mut done = 0;
        let mut found = read.stream(compare::all_rows(self.registered))?;
        while let Some(row) = found.try_next().await? {
            rows.add(session, &row).await?;
            done += 1;
            if done % TELL_EVERY == 0 {
                tell(done);
            }
        }
        tell(done);
        rows.fill.flush(session).await
    }

    /// Indexes that an import by another property has made; that of the id is there already.
    async fn add_unique(
        &self,
        session: &mut Session<'_>,
        table: &Table,
        unique: &[String],
    ) -> Result<(), Error> {
        let collection = &self.registered.collection;
        let id = collection.id_property.as_ref();
        for property in unique.iter().filter(|p| Some(*p) != id) {
            if let Some(sql) = registry::unique_index_sql(table, collection, property) {
                session.run(sql).await?;
            }
        }
        Ok(())
    }
}

/// Rows of a source on their way into the table of a target.
struct Rows<'a> {
    collection: &'a Collection,
    table: Table,
    fill: Fill,
    extent: Option<Envelope>,
    /// Whether PostGIS' column takes any geometry, since one came that the collection does not declare.
    is_untyped: bool,
}

impl<'a> Rows<'a> {
    fn into(table: &Table, collection: &'a Collection) -> Self {
        let kinds = collection.schema.properties.iter().map(|p| p.kind);
        Self {
            collection,
            table: table.clone(),
            fill: Fill::into(table, kinds.collect()),
            extent: None,
            is_untyped: false,
        }
    }

    async fn add(
        &mut self,
        session: &mut Session<'_>,
        row: &crate::session::Row,
    ) -> Result<(), Error> {
        let collection = self.collection;
        let fid = row.integer(0)?;
        for (i, property) in collection.schema.properties.iter().enumerate() {
            let fits = !row.is_blob(i + 2)? && {
                let value = row.value(i + 2, property.kind)?;
                property.kind.accepts(&value)
            };
            if !fits {
                let message = Message::new("store.copy-value")
                    .with("collection", &collection.id)
                    .with("fid", fid)
                    .with("property", &property.name)
                    .with("type", property.kind.name());
                return Err(Error::Refused(message));
            }
        }
        let damaged = |reason: &dyn std::fmt::Display| {
            Error::Refused(
                Message::new("store.copy-geometry")
                    .with("collection", &collection.id)
                    .with("fid", fid)
                    .with("reason", reason),
            )
        };
        let feature = row::feature(row, collection).map_err(|e| damaged(&e))?;
        let mut stored = None;
        if let Some(wkb) = &feature.geometry {
            let header = formats::wkb::check(wkb).map_err(|e| damaged(&e))?;
            if self.table.dialect == Dialect::Postgres {
                self.make_room(session, &header).await?;
            }
            if let Some(envelope) = header.envelope {
                self.extent = Some(self.extent.map_or(envelope, |e| e.union(envelope)));
            }
            stored = Some(self.table.stored(wkb, &header));
        }
        self.fill
            .add(session, fid, stored, feature.properties)
            .await
    }

    /// Lets the column take what it does not declare.
    async fn make_room(
        &mut self,
        session: &mut Session<'_>,
        header: &formats::wkb::Header,
    ) -> Result<(), Error> {
        let declared = self.collection.geometry_type;
        let fits = (declared == GeometryType::Geometry || declared == header.geometry_type)
            && (self.collection.has_z, self.collection.has_m) == (header.has_z, header.has_m);
        if fits || self.is_untyped {
            return Ok(());
        }
        self.fill.flush(session).await?;
        postgres::tables::untype(session, &self.table).await?;
        self.is_untyped = true;
        Ok(())
    }
}
