//! A GeoPackage that holds one collection and nothing else: no change log, no other collection.

use std::path::Path;

use futures_util::TryStreamExt;
use model::{Collection, Envelope};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::target::Partial;
use crate::registry::Registered;
use crate::session::{Dialect, Parameter, Session, quoted, statement};
use crate::table::{GEOMETRY, KEY, Table};
use crate::{Error, Store, row, sqlite};

pub(super) async fn write(
    store: &Store,
    source: &mut Session<'_>,
    registered: &Registered,
    file: &Path,
) -> Result<u64, Error> {
    let partial = Partial::beside(file);
    let features = copy(store, source, registered, partial.path()).await?;
    partial.persist(file)?;
    Ok(features)
}

async fn copy(
    store: &Store,
    source: &mut Session<'_>,
    registered: &Registered,
    partial: &Path,
) -> Result<u64, Error> {
    let collection = &registered.collection;
    let options = SqliteConnectOptions::new()
        .filename(partial)
        .create_if_missing(true)
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(sqlite::header_sql()))
        .execute(&mut connection)
        .await?;
    if let Some(live) = store.file() {
        sqlx::query("ATTACH ? AS live")
            .bind(live.to_string_lossy().into_owned())
            .execute(&mut connection)
            .await?;
    }
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(sqlite::GEOPACKAGE_SCHEMA)
        .execute(&mut *transaction)
        .await?;
    let mut session = Session::Sqlite(&mut transaction);
    sqlite::tables::create(&mut session, collection).await?;
    let table = Table::of(Dialect::Sqlite, collection);
    let features = match source {
        Session::Sqlite(_) => {
            let (columns, name, key) = (table.select(), &table.name, &table.key);
            let sql = format!(
                "INSERT INTO main.{name} ({columns}) SELECT {columns} FROM live.{name} ORDER BY {key}"
            );
            session.execute(statement(sql)).await?
        }
        Session::Postgres(_) => rows(source, registered, &mut session, &table).await?,
    };
    let boxes = boxes(&mut session, &table).await?;
    extent(&mut transaction, collection, &boxes).await?;
    spatial_index(&mut transaction, collection, &boxes).await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(features)
}

/// Copies the rows of another database.
async fn rows(
    source: &mut Session<'_>,
    registered: &Registered,
    session: &mut Session<'_>,
    table: &Table,
) -> Result<u64, Error> {
    let (collection, from) = (&registered.collection, &registered.table);
    let names = table.columns.iter().map(|c| format!(", {c}"));
    let sql = format!(
        "INSERT INTO {} ({KEY}, {GEOMETRY}{}) VALUES (?, ?{})",
        table.name,
        names.collect::<String>(),
        ", ?".repeat(table.columns.len())
    );
    let select = format!(
        "SELECT {} FROM {} ORDER BY {}",
        from.select(),
        from.name,
        from.key
    );
    let mut rows = source.stream(statement(select))?;
    let mut count = 0;
    while let Some(found) = rows.try_next().await? {
        let feature = row::feature(&found, collection)?;
        let blob = match &feature.geometry {
            Some(wkb) => {
                let header =
                    formats::wkb::check(wkb).map_err(|e| Error::Refused(e.message().clone()))?;
                Some(table.stored(wkb, &header))
            }
            None => None,
        };
        let typed = collection.schema.properties.iter().zip(&feature.properties);
        let insert = statement(sql.clone())
            .bind(feature.fid)
            .bind(Parameter::Geometry(blob))
            .bind_all(typed.map(|(p, value)| Parameter::of(p.kind, value)));
        session.execute(insert).await?;
        count += 1;
    }
    Ok(count)
}

/// The boxes of the geometries that have one, by key.
async fn boxes(session: &mut Session<'_>, table: &Table) -> Result<Vec<(i64, Envelope)>, Error> {
    let sql = format!(
        "SELECT {KEY}, {GEOMETRY} FROM main.{} ORDER BY {KEY}",
        table.name
    );
    let mut rows = session.stream(statement(sql))?;
    let mut boxes = Vec::new();
    while let Some(found) = rows.try_next().await? {
        let Some(wkb) = found.wkb(1)? else {
            continue;
        };
        let header = formats::wkb::check(wkb).map_err(|e| Error::Refused(e.message().clone()))?;
        if let Some(envelope) = header.envelope {
            boxes.push((found.integer(0)?, envelope));
        }
    }
    Ok(boxes)
}

/// Writes the extent of the rows: the store's own may be wider after deletions.
async fn extent(
    connection: &mut SqliteConnection,
    collection: &Collection,
    boxes: &[(i64, Envelope)],
) -> Result<(), Error> {
    let all = boxes.iter().map(|b| b.1).reduce(Envelope::union);
    sqlx::query("UPDATE main.gpkg_contents SET min_x = ?, min_y = ?, max_x = ?, max_y = ? WHERE table_name = ?")
        .bind(all.map(|e| e.min[0]))
        .bind(all.map(|e| e.min[1]))
        .bind(all.map(|e| e.max[0]))
        .bind(all.map(|e| e.max[1]))
        .bind(collection.id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Adds the R-tree that other programs look for, with the triggers that keep it when they edit (OGC 12-128r19, Annex F.3).
async fn spatial_index(
    connection: &mut SqliteConnection,
    collection: &Collection,
    boxes: &[(i64, Envelope)],
) -> Result<(), Error> {
    let id = collection.id.as_str();
    let tree = quoted(&format!("rtree_{id}_{GEOMETRY}"));
    let sql = format!(
        "CREATE TABLE main.gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL,
           definition TEXT NOT NULL, scope TEXT NOT NULL,
           CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
         CREATE VIRTUAL TABLE main.{tree} USING rtree(id, minx, maxx, miny, maxy)"
    );
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO main.gpkg_extensions VALUES
         (?, ?, 'gpkg_rtree_index', 'http://www.geopackage.org/spec/#extension_rtree', 'write-only')",
    )
    .bind(id)
    .bind(GEOMETRY)
    .execute(&mut *connection)
    .await?;
    let sql = format!("INSERT INTO main.{tree} VALUES (?, ?, ?, ?, ?)");
    for (fid, envelope) in boxes {
        sqlx::query(AssertSqlSafe(sql.clone()))
            .bind(fid)
            .bind(envelope.min[0])
            .bind(envelope.max[0])
            .bind(envelope.min[1])
            .bind(envelope.max[1])
            .execute(&mut *connection)
            .await?;
    }
    // The triggers name no schema: in a file of their own there is only one.
    sqlx::raw_sql(AssertSqlSafe(triggers_sql(id, &tree)))
        .execute(connection)
        .await?;
    Ok(())
}

fn triggers_sql(id: &str, tree: &str) -> String {
    let table = quoted(id);
    let trigger = |name: &str, on: &str, when: &str, action: &str| {
        let name = quoted(&format!("rtree_{id}_{GEOMETRY}_{name}"));
        format!(
            "CREATE TRIGGER main.{name} AFTER {on} ON {table} WHEN {when} BEGIN {action}; END;\n"
        )
    };
    let g = GEOMETRY;
    let full = |row: &str| format!("({row}.{g} NOTNULL AND NOT ST_IsEmpty({row}.{g}))");
    let empty = |row: &str| format!("({row}.{g} ISNULL OR ST_IsEmpty({row}.{g}))");
    let (same, moved) = (
        format!("OLD.{KEY} = NEW.{KEY} AND "),
        format!("OLD.{KEY} != NEW.{KEY} AND "),
    );
    let put = format!(
        "INSERT OR REPLACE INTO {tree} VALUES (NEW.{KEY}, ST_MinX(NEW.{g}), ST_MaxX(NEW.{g}), ST_MinY(NEW.{g}), ST_MaxY(NEW.{g}))"
    );
    let set = format!(
        "UPDATE {tree} SET minx = ST_MinX(NEW.{g}), maxx = ST_MaxX(NEW.{g}), miny = ST_MinY(NEW.{g}), maxy = ST_MaxY(NEW.{g}) WHERE id = NEW.{KEY}"
    );
    let delete = format!("DELETE FROM {tree} WHERE id = OLD.{KEY}");
    let of = format!("UPDATE OF {g}");
    [
        trigger("insert", "INSERT", &full("NEW"), &put),
        trigger("update2", &of, &(same.clone() + &empty("NEW")), &delete),
        trigger(
            "update4",
            "UPDATE",
            &(moved.clone() + &empty("NEW")),
            &format!("DELETE FROM {tree} WHERE id IN (OLD.{KEY}, NEW.{KEY})"),
        ),
        trigger(
            "update5",
            "UPDATE",
            &(moved + &full("NEW")),
            &format!("{delete}; {put}"),
        ),
        trigger(
            "update6",
            &of,
            &format!("{same}{} AND {}", full("NEW"), full("OLD")),
            &set,
        ),
        trigger(
            "update7",
            &of,
            &format!("{same}{} AND {}", full("NEW"), empty("OLD")),
            &put,
        ),
        trigger("delete", "DELETE", &format!("OLD.{g} NOT NULL"), &delete),
    ]
    .concat()
}
