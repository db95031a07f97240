//! Upsert: a record takes the place of the feature that it matches, or is added.

use std::collections::HashSet;

use formats::Rejection;
use model::{Message, Value};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

use super::{Id, Loader, Prepared, Unique, arguments, is_unique_violation};
use crate::import::report::ImportReport;
use crate::registry::{GEOMETRY, KEY, quoted};
use crate::{Error, row};

impl Loader {
    pub(super) async fn upsert(
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
        let matched = self.id(&prepared);
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
                let named = if id.0.is_empty() { &matched } else { &id };
                let reason = Message::new("store.duplicate-value").with("id", &named.0);
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
}

fn id_missing(record: u64, property: &str) -> Rejection {
    Rejection {
        record,
        field: Some(property.to_owned()),
        reason: Message::new("store.id-missing").with("property", property),
    }
}
