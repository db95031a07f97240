//! The change log, and what the file says of a collection beside its rows.

use model::{Collection, Message};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

use super::{CheckReport, MAX_NAMED};
use crate::Error;
use crate::registry::{self, KEY, Registered, quoted};

/// The numbers of the change log have no gap: a change that is gone can't be told to anybody.
pub(super) async fn log(
    connection: &mut SqliteConnection,
    report: &mut CheckReport,
) -> Result<(), Error> {
    let row = sqlx::query(
        "SELECT count(*), max(coalesce(max(seq), 0),
           coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'hromada_changes'), 0)) FROM hromada_changes",
    )
    .fetch_one(connection)
    .await?;
    let (changes, last): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    report.changes = changes.unsigned_abs();
    if changes != last {
        let text = Message::new("store.check-log-gap")
            .with("last", last)
            .with("count", changes);
        report.error(None, None, text);
    }
    Ok(())
}

/// Checks table, registration and log of a collection; false when its rows can't be read at all.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    registered: &Registered,
    report: &mut CheckReport,
) -> Result<bool, Error> {
    let collection = &registered.collection;
    if !columns(connection, collection, report).await? {
        return Ok(false);
    }
    registration(connection, collection, report).await?;
    counter(connection, collection, report).await?;
    if let Some(property) = &collection.id_property {
        let unique = registry::unique_columns(connection, collection).await?;
        if !unique.contains(property) {
            let text = Message::new("store.check-not-unique").with("property", property);
            report.error(Some(collection), None, text);
        }
    }
    logged(connection, registered, report).await?;
    Ok(true)
}

/// The columns are those of the schema, in its types; false when there is no table with the key.
async fn columns(
    connection: &mut SqliteConnection,
    collection: &Collection,
    report: &mut CheckReport,
) -> Result<bool, Error> {
    let found = registry::table_columns(connection, collection).await?;
    let missing = registry::missing_columns(connection, collection).await?;
    for column in &missing {
        let text = Message::new("store.check-column-missing").with("column", column);
        report.error(Some(collection), None, text);
    }
    for property in &collection.schema.properties {
        let declared = registry::declared_type(property);
        let column = found.iter().find(|c| c.0 == property.name);
        if let Some((name, kind)) = column
            && !kind.eq_ignore_ascii_case(declared)
        {
            let text = Message::new("store.check-column-type")
                .with("column", name)
                .with("found", kind)
                .with("declared", declared);
            report.error(Some(collection), None, text);
        }
    }
    Ok(!missing.iter().any(|column| column == KEY))
}

/// Other programs find a collection by these two rows.
async fn registration(
    connection: &mut SqliteConnection,
    collection: &Collection,
    report: &mut CheckReport,
) -> Result<(), Error> {
    for (table, sql) in [
        (
            "gpkg_contents",
            "SELECT count(*) FROM gpkg_contents WHERE table_name = ?",
        ),
        (
            "gpkg_geometry_columns",
            "SELECT count(*) FROM gpkg_geometry_columns WHERE table_name = ?",
        ),
    ] {
        let rows: i64 = sqlx::query_scalar(sql)
            .bind(collection.id.as_str())
            .fetch_one(&mut *connection)
            .await?;
        if rows == 0 {
            let text = Message::new("store.check-unregistered").with("table", table);
            report.error(Some(collection), None, text);
        }
    }
    Ok(())
}

/// A counter below the largest key would give a key a second time.
async fn counter(
    connection: &mut SqliteConnection,
    collection: &Collection,
    report: &mut CheckReport,
) -> Result<(), Error> {
    let sql = format!(
        "SELECT coalesce(max({KEY}), 0), coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0) FROM {}",
        quoted(collection.id.as_str())
    );
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(collection.id.as_str())
        .fetch_one(connection)
        .await?;
    let (largest, counter): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if counter < largest {
        let text = Message::new("store.check-counter")
            .with("counter", counter)
            .with("largest", largest);
        report.error(Some(collection), None, text);
    }
    Ok(())
}

/// Each feature's last change made or replaced it; each other feature's last change deleted it.
async fn logged(
    connection: &mut SqliteConnection,
    registered: &Registered,
    report: &mut CheckReport,
) -> Result<(), Error> {
    let collection = &registered.collection;
    // No collection can have the names that this query gives.
    let sql = format!(
        "WITH hromada_last AS
           (SELECT fid, operation, max(seq) FROM hromada_changes WHERE collection = ?1 GROUP BY fid)
         SELECT hromada_t.{KEY}, 'store.check-not-logged' FROM {table} AS hromada_t LEFT JOIN hromada_last USING (fid)
           WHERE hromada_last.fid IS NULL OR hromada_last.operation = 'delete'
         UNION ALL
         SELECT hromada_last.fid, 'store.check-lost' FROM hromada_last LEFT JOIN {table} AS hromada_t USING (fid)
           WHERE hromada_t.{KEY} IS NULL AND hromada_last.operation <> 'delete'
         LIMIT {MAX_NAMED}",
        table = quoted(collection.id.as_str())
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(registered.n)
        .fetch_all(connection)
        .await?;
    for row in rows {
        let (fid, key): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        let key = if key == "store.check-lost" {
            "store.check-lost"
        } else {
            "store.check-not-logged"
        };
        report.error(Some(collection), Some(fid), Message::new(key));
    }
    Ok(())
}
