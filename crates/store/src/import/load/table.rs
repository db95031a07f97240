//! A collection's table made anew: emptied for a replacement, or with another geometry type.

use model::Collection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

use super::log_sql;
use crate::registry::{self, Registered, quoted};
use crate::{Error, row};

/// Logs the features of a collection as deleted and makes its table anew.
pub(super) async fn replace(
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
pub(super) async fn retype(
    connection: &mut SqliteConnection,
    collection: &Collection,
) -> Result<(), Error> {
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
