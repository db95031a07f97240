//! Keys for records whose source gives them none, in a file that gives others theirs.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::{ImportMode, Loader, Prepared};
use crate::Error;
use crate::registry::{KEY, quoted};

/// Records without an id wait under keys from here on until all ids of the file are known; no source gives such a key
/// (see `MAX_ID` of `prepare`).
const WAITING: i64 = -(1 << 60);

impl Loader {
    /// Gives records without an id keys that no id of the file can have, as soon as the file has given one: SQLite
    /// would give them keys that later records name.
    pub(super) async fn give_keys(
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
    pub(super) async fn settle_keys(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
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
}
