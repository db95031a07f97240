//! Keys for records whose source gives them none, in a file that gives others theirs.

use super::{ImportMode, Loader, Prepared};
use crate::Error;
use crate::session::{Dialect, Session, statement};
use crate::sqlite;

/// Records without an id wait under keys from here on until all ids of the file are known; no source gives such a key
/// (see `MAX_ID` of `prepare`).
const WAITING: i64 = -(1 << 60);

impl Loader {
    /// Gives records without an id keys that no id of the file can have, as soon as the file has given one: SQLite
    /// would give them keys that later records name.
    pub(super) async fn give_keys(
        &mut self,
        session: &mut Session<'_>,
        chunk: &mut [Prepared],
    ) -> Result<(), Error> {
        let creates = matches!(self.mode, ImportMode::Create | ImportMode::Replace);
        if !creates || !(self.has_keys || chunk.iter().any(|row| row.fid.is_some())) {
            return Ok(());
        }
        if !self.has_keys {
            self.has_keys = true;
            if let Some(beside) = &mut self.beside {
                beside.copy.flush(session).await?;
            }
            // All that is stored so far came without ids.
            let table = &self.registered.table;
            let (key, name) = (&table.key, &table.name);
            let sql = format!("UPDATE {name} SET {key} = {key} + ?");
            session.execute(statement(sql).bind(WAITING)).await?;
            let sql = format!("SELECT coalesce(max({key}) - ?, 0) FROM {name}");
            let waiting = session.fetch_one(statement(sql).bind(WAITING)).await?;
            self.waiting = waiting.integer(0)?;
        }
        for row in chunk.iter_mut().filter(|row| row.fid.is_none()) {
            self.waiting += 1;
            row.fid = Some(WAITING + self.waiting);
        }
        Ok(())
    }

    /// Gives the records that wait their keys: in their order, after all others.
    pub(super) async fn settle_keys(&self, session: &mut Session<'_>) -> Result<(), Error> {
        if self.waiting == 0 {
            return Ok(());
        }
        let table = &self.registered.table;
        let (key, name) = (&table.key, &table.name);
        let last = WAITING + self.waiting;
        let sql = format!("SELECT coalesce(min({key}), 0) FROM {name} WHERE {key} <= ?");
        let first = session.fetch_one(statement(sql).bind(last)).await?;
        let first = first.integer(0)?;
        let sql = format!("SELECT coalesce(max({key}), 0) FROM {name}");
        let greatest = session.fetch_one(statement(sql)).await?.integer(0)?;
        let counter = match &self.beside {
            Some(beside) => beside.counter,
            None => sqlite::tables::counter(session, self.collection())
                .await?
                .unwrap_or(0),
        };
        let sql = format!("UPDATE {name} SET {key} = {key} - ? + ? WHERE {key} <= ?");
        let given = statement(sql)
            .bind(first)
            .bind(greatest.max(counter).max(0) + 1)
            .bind(last);
        session.execute(given).await?;
        if table.dialect == Dialect::Postgres {
            return Ok(());
        }
        // Only inserts move the counter by themselves.
        let sql = format!(
            "UPDATE sqlite_sequence SET seq = max(seq, (SELECT max({key}) FROM {name})) WHERE name = ?"
        );
        let moved = statement(sql).bind(self.collection().id.as_str());
        session.execute(moved).await?;
        Ok(())
    }
}
