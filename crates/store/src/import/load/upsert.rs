//! Upsert: a record takes the place of the feature that it matches, or is added.

use std::collections::HashSet;

use formats::Rejection;
use model::{Message, Value};

use super::{Id, Loader, Prepared, Unique, id_position};
use crate::Error;
use crate::import::report::ImportReport;
use crate::session::{Dialect, Parameter, Session, statement};

impl Loader {
    pub(super) async fn upsert(
        &self,
        session: &mut Session<'_>,
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
                self.upsert_one(session, unique, row, report).await?;
            }
            return Ok(());
        }
        if rows.is_empty() {
            return Ok(());
        }
        let marks = vec!["?"; rows.len()].join(", ");
        let known = format!("{} IN ({marks})", unique.column);
        let kind = self.collection().schema.properties[unique.position].kind;
        let ids: Vec<Parameter> = rows
            .iter()
            .map(|row| Parameter::of(kind, &row.values[unique.position]))
            .collect();
        let table = &self.registered.table;
        let replaced = match table.dialect {
            Dialect::Sqlite => {
                let condition = format!(" AND {known}");
                self.log(session, "replace", &condition, ids.clone())
                    .await?
            }
            Dialect::Postgres => {
                let sql = format!("SELECT count(*) FROM {} WHERE {known}", table.name);
                let counted = statement(sql).bind_all(ids.clone());
                session.fetch_one(counted).await?.integer(0)?.unsigned_abs()
            }
        };
        let sets = self.columns().map(|c| format!("{c} = excluded.{c}"));
        let sets = sets.collect::<Vec<_>>().join(", ");
        let has_keys = rows.iter().any(|row| row.fid.is_some());
        // An integer id is the key too, so both clauses mean one row.
        let targets: &[&str] = match (has_keys, table.dialect) {
            (true, Dialect::Sqlite) => &[&unique.column, &table.key],
            (true, Dialect::Postgres) => &[&table.key],
            (false, _) => &[&unique.column],
        };
        let tail: String = targets
            .iter()
            .map(|target| format!(" ON CONFLICT ({target}) DO UPDATE SET {sets}"))
            .collect();
        let count = rows.len() as u64;
        session.execute(self.insertion(rows, &tail)).await?;
        let condition = format!(" AND {known} AND {}", self.unlogged_sql());
        self.log(session, "create", &condition, ids).await?;
        report.stored += count;
        report.replaced += replaced;
        Ok(())
    }

    /// Upserts one record of a collection that has other unique columns; one that meets another feature in them, or would
    /// change a feature's id, is rejected.
    async fn upsert_one(
        &self,
        session: &mut Session<'_>,
        unique: &Unique,
        prepared: Prepared,
        report: &mut ImportReport,
    ) -> Result<(), Error> {
        let (record, id) = (prepared.record, self.feature_id(&prepared));
        let matched = self.id(&prepared);
        let existing = self.existing(session, unique, &prepared).await?;
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
        session.run("SAVEPOINT hromada_record").await?;
        let written = match &existing {
            Some((fid, _)) => self.update(session, *fid, prepared).await,
            None => self.create(session, prepared).await,
        };
        let end = match written {
            Ok(()) => "RELEASE hromada_record",
            Err(_) => "ROLLBACK TO hromada_record; RELEASE hromada_record",
        };
        session.run(end).await?;
        match written {
            Ok(()) => {
                report.stored += 1;
                report.replaced += u64::from(existing.is_some());
                Ok(())
            }
            Err(error) if error.is_unique_violation() => {
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
        session: &mut Session<'_>,
        unique: &Unique,
        prepared: &Prepared,
    ) -> Result<Option<(i64, Id)>, Error> {
        let (collection, table) = (self.collection(), &self.registered.table);
        let id = id_position(collection);
        let sql = format!(
            "SELECT {}{} FROM {} WHERE {} = ?",
            table.key,
            id.map_or(String::new(), |at| format!(", {}", table.columns[at])),
            table.name,
            unique.column
        );
        let kind = collection.schema.properties[unique.position].kind;
        let value = Parameter::of(kind, &prepared.values[unique.position]);
        let found = session.fetch_optional(statement(sql).bind(value)).await?;
        let Some(row) = found else {
            return Ok(None);
        };
        let id = match id {
            Some(at) => row.value(1, collection.schema.properties[at].kind)?,
            None => Value::Null,
        };
        Ok(Some((row.integer(0)?, Id::of(&id))))
    }

    /// The value of the id property; empty where the key is the id.
    fn feature_id(&self, prepared: &Prepared) -> Id {
        let position = id_position(self.collection());
        Id::of(position.map_or(&Value::Null, |at| &prepared.values[at]))
    }

    async fn update(
        &self,
        session: &mut Session<'_>,
        fid: i64,
        prepared: Prepared,
    ) -> Result<(), Error> {
        let table = &self.registered.table;
        let condition = format!(" AND {} = ?", table.key);
        self.log(session, "replace", &condition, vec![fid.into()])
            .await?;
        let sets: Vec<String> = table.columns.iter().map(|c| format!("{c} = ?")).collect();
        let sets = [format!("{} = {}", table.geometry, table.dialect.geometry())]
            .into_iter()
            .chain(sets)
            .collect::<Vec<_>>()
            .join(", ");
        let sql = format!("UPDATE {} SET {sets} WHERE {} = ?", table.name, table.key);
        let schema = &self.collection().schema;
        let typed = schema.properties.iter().zip(&prepared.values);
        let update = statement(sql)
            .bind(Parameter::Geometry(prepared.blob))
            .bind_all(typed.map(|(p, value)| Parameter::of(p.kind, value)))
            .bind(fid);
        session.execute(update).await?;
        Ok(())
    }

    async fn create(&self, session: &mut Session<'_>, prepared: Prepared) -> Result<(), Error> {
        let key = &self.registered.table.key;
        let insert = self.insertion(vec![prepared], &format!(" RETURNING {key}"));
        let fid = session.fetch_one(insert).await?.integer(0)?;
        let condition = format!(" AND {key} = ?");
        self.log(session, "create", &condition, vec![fid.into()])
            .await?;
        Ok(())
    }

    /// The columns of a record beside its key.
    fn columns(&self) -> impl Iterator<Item = String> {
        let table = &self.registered.table;
        std::iter::once(table.geometry.clone()).chain(table.columns.iter().cloned())
    }
}

fn id_missing(record: u64, property: &str) -> Rejection {
    Rejection {
        record,
        field: Some(property.to_owned()),
        reason: Message::new("store.id-missing").with("property", property),
    }
}
