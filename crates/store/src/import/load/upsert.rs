//! Upsert: a record takes the place of the feature that it matches, or is added. A feature that is as the record has it is not
//! written: what is imported each night makes a version only where something changed.

use std::collections::{HashMap, HashSet};

use formats::Rejection;
use futures_util::TryStreamExt;
use model::{Collection, Feature, Message, PropertyType, Value};

use super::{Id, Loader, Prepared, Unique, id_position};
use crate::import::report::ImportReport;
use crate::session::{Dialect, Parameter, Session, statement};
use crate::table::Table;
use crate::{Error, row};

impl Loader {
    pub(super) async fn upsert(
        &mut self,
        session: &mut Session<'_>,
        chunk: Vec<Prepared>,
        report: &mut ImportReport,
    ) -> Result<(), Error> {
        let Some(unique) = self.unique.clone() else {
            return Ok(());
        };
        let unique = &unique;
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
        let (rows, replaced) = self.changed(session, unique, rows, report).await?;
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
        if replaced > 0 {
            let condition = format!(" AND {known}");
            self.log(session, "replace", &condition, ids.clone())
                .await?;
        }
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

    /// The rows that are new or differ from what is stored, and how many of them differ.
    async fn changed(
        &mut self,
        session: &mut Session<'_>,
        unique: &Unique,
        rows: Vec<Prepared>,
        report: &mut ImportReport,
    ) -> Result<(Vec<Prepared>, u64), Error> {
        if rows.is_empty() {
            return Ok((rows, 0));
        }
        let collection = self.collection();
        let table = &self.registered.table;
        let kind = collection.schema.properties[unique.position].kind;
        let marks = vec!["?"; rows.len()].join(", ");
        let sql = format!(
            "SELECT {} FROM {} WHERE {} IN ({marks})",
            table.select(),
            table.name,
            unique.column
        );
        let ids = rows
            .iter()
            .map(|row| Parameter::of(kind, &row.values[unique.position]));
        let found = session.fetch_all(statement(sql).bind_all(ids)).await?;
        let mut stored = HashMap::with_capacity(found.len());
        for row in &found {
            let feature = row::feature(row, collection)?;
            let id = Id::of(&feature.properties[unique.position]);
            stored.insert(id, feature);
        }
        let (mut changed, mut replaced) = (Vec::with_capacity(rows.len()), 0);
        let mut seen = Vec::with_capacity(stored.len());
        for row in rows {
            let known = stored.get(&self.id(&row));
            if let Some(known) = known {
                seen.push(known.fid);
                if is_same(collection, table, known, &row) {
                    report.unchanged += 1;
                    continue;
                }
                replaced += 1;
            }
            changed.push(row);
        }
        self.seen.extend(seen);
        Ok((changed, replaced))
    }

    /// How many features that there were before the import stand in none of its records.
    pub(super) async fn gone(&self, session: &mut Session<'_>) -> Result<u64, Error> {
        let table = &self.registered.table;
        let sql = format!(
            "SELECT {} FROM {} WHERE {} <= ?",
            table.key_out, table.name, table.key
        );
        let mut gone = 0;
        let mut keys = session.stream(statement(sql).bind(self.before))?;
        while let Some(row) = keys.try_next().await? {
            gone += u64::from(!self.seen.contains(&row.integer(0)?));
        }
        Ok(gone)
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

/// Whether a stored feature is what a record says; a key that the record gives has to be its own.
fn is_same(collection: &Collection, table: &Table, stored: &Feature, given: &Prepared) -> bool {
    if given.fid.is_some_and(|fid| fid != stored.fid) {
        return false;
    }
    let geometry = match stored.geometry.as_deref() {
        None => None,
        Some(wkb) => match formats::wkb::check(wkb) {
            Ok(header) => Some(table.stored(wkb, &header)),
            // What can't be read is not what anybody gives.
            Err(_) => return false,
        },
    };
    let properties = collection.schema.properties.iter();
    let values = stored.properties.iter().zip(&given.values);
    geometry == given.blob
        && properties
            .zip(values)
            .all(|(p, (a, b))| is_equal(p.kind, a, b))
}

fn is_equal(kind: PropertyType, a: &Value, b: &Value) -> bool {
    match (kind, a, b) {
        (PropertyType::DateTime, Value::Text(a), Value::Text(b)) => {
            a == b
                || model::microseconds_of_date_time(a)
                    .is_some_and(|a| model::microseconds_of_date_time(b) == Some(a))
        }
        _ => a == b,
    }
}

fn id_missing(record: u64, property: &str) -> Rejection {
    Rejection {
        record,
        field: Some(property.to_owned()),
        reason: Message::new("store.id-missing").with("property", property),
    }
}
