//! The change log, and what the file says of a collection beside its rows.

use model::{Collection, Message};

use super::{CheckReport, MAX_NAMED};
use crate::registry::{self, Registered};
use crate::session::{Dialect, Session, statement};
use crate::table::GEOMETRY;
use crate::{Error, postgres};

/// The numbers of the change log have no gap: a change that is gone can't be told to anybody. PostgreSQL leaves gaps where a
/// transaction was rolled back; there no change is without a number. A copy of such a log knows how many there were.
pub(super) async fn log(session: &mut Session<'_>, report: &mut CheckReport) -> Result<(), Error> {
    let sql = match session.dialect() {
        Dialect::Sqlite => {
            "SELECT count(*), max(coalesce(max(seq), 0),
               coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'hromada_changes'), 0))
               - coalesce((SELECT CAST(value AS INTEGER) FROM hromada_meta WHERE key = 'log_gaps'), 0) FROM hromada_changes"
        }
        Dialect::Postgres => "SELECT count(*), count(seq) FROM hromada_changes",
    };
    let row = session.fetch_one(statement(sql)).await?;
    let (changes, last) = (row.integer(0)?, row.integer(1)?);
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
    session: &mut Session<'_>,
    registered: &Registered,
    report: &mut CheckReport,
) -> Result<bool, Error> {
    let Registered {
        collection, table, ..
    } = registered;
    if !columns(session, registered, report).await? {
        return Ok(false);
    }
    match session.dialect() {
        Dialect::Sqlite => {
            registration(session, collection, report).await?;
            counter(session, registered, report).await?;
        }
        Dialect::Postgres if table.mark.is_some() => {}
        Dialect::Postgres => triggers(session, registered, report).await?,
    }
    if let Some(property) = &collection.id_property
        && let Some(position) = collection.schema.position(property)
    {
        let unique = registry::unique_columns(session, table).await?;
        if !unique.contains(&registry::unquoted(&table.columns[position])) {
            let text = Message::new("store.check-not-unique").with("property", property);
            report.error(Some(collection), None, text);
        }
    }
    logged(session, registered, report).await?;
    Ok(true)
}

/// The columns are those of the schema, in its types; false when there is no table with the key.
async fn columns(
    session: &mut Session<'_>,
    registered: &Registered,
    report: &mut CheckReport,
) -> Result<bool, Error> {
    let Registered {
        collection, table, ..
    } = registered;
    let found = registry::table_columns(session, table).await?;
    let missing = registry::missing_columns(session, table).await?;
    for column in &missing {
        let text = Message::new("store.check-column-missing").with("column", column);
        report.error(Some(collection), None, text);
    }
    for (property, column) in collection.schema.properties.iter().zip(&table.columns) {
        let declared = registry::column_type(table.dialect, property.kind);
        let column = registry::unquoted(column);
        let column = found.iter().find(|c| c.0 == column);
        if let Some((name, kind)) = column
            && table.is_own
            && !kind.eq_ignore_ascii_case(declared)
        {
            let text = Message::new("store.check-column-type")
                .with("column", name)
                .with("found", kind)
                .with("declared", declared);
            report.error(Some(collection), None, text);
        }
    }
    if table.is_own && table.dialect == Dialect::Postgres {
        geometry_column(collection, &found, report);
    }
    let key = registry::unquoted(&table.key);
    Ok(!missing.contains(&key))
}

/// A geometry column in another CRS than the collection's would be read as if it were in that.
fn geometry_column(collection: &Collection, found: &[(String, String)], report: &mut CheckReport) {
    let column = found.iter().find(|(name, _)| name == GEOMETRY);
    let Some((name, kind)) = column.filter(|(_, kind)| kind != "geometry") else {
        return;
    };
    let plain = |kind: &str| kind.replace(' ', "").to_lowercase();
    let declared = postgres::geometry_type(collection, false);
    if plain(kind) != plain(&declared) {
        let text = Message::new("store.check-column-type")
            .with("column", name)
            .with("found", kind)
            .with("declared", declared);
        report.error(Some(collection), None, text);
    }
}

/// Other programs find a collection by these two rows.
async fn registration(
    session: &mut Session<'_>,
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
        let listed = statement(sql).bind(collection.id.as_str());
        if session.fetch_one(listed).await?.integer(0)? == 0 {
            let text = Message::new("store.check-unregistered").with("table", table);
            report.error(Some(collection), None, text);
        }
    }
    Ok(())
}

/// A counter below the largest key would give a key a second time.
async fn counter(
    session: &mut Session<'_>,
    registered: &Registered,
    report: &mut CheckReport,
) -> Result<(), Error> {
    let Registered {
        collection, table, ..
    } = registered;
    let sql = format!(
        "SELECT coalesce(max({}), 0), coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0) FROM {}",
        table.key, table.name
    );
    let found = statement(sql).bind(collection.id.as_str());
    let row = session.fetch_one(found).await?;
    let (largest, counter) = (row.integer(0)?, row.integer(1)?);
    if counter < largest {
        let text = Message::new("store.check-counter")
            .with("counter", counter)
            .with("largest", largest);
        report.error(Some(collection), None, text);
    }
    Ok(())
}

/// What other programs write is logged by triggers that can be switched off.
async fn triggers(
    session: &mut Session<'_>,
    registered: &Registered,
    report: &mut CheckReport,
) -> Result<(), Error> {
    if postgres::triggers(session, registered).await?.on < postgres::TRIGGERS {
        let text = Message::new("store.check-triggers").with("table", &registered.table.name);
        report.error(Some(&registered.collection), None, text);
    }
    Ok(())
}

/// Each feature's last change made or replaced it; each other feature's last change deleted it.
async fn logged(
    session: &mut Session<'_>,
    registered: &Registered,
    report: &mut CheckReport,
) -> Result<(), Error> {
    let Registered {
        n,
        collection,
        table,
    } = registered;
    let last = match table.dialect {
        Dialect::Sqlite => {
            "SELECT fid, operation, max(seq) FROM hromada_changes WHERE collection = ? GROUP BY fid"
        }
        Dialect::Postgres => {
            "SELECT DISTINCT ON (fid) fid, operation, seq FROM hromada_changes WHERE collection = ? ORDER BY fid, seq DESC"
        }
    };
    // No collection can have the names that this query gives.
    let sql = format!(
        "WITH hromada_last AS ({last})
         SELECT hromada_t.{key}, 'store.check-not-logged'
           FROM {name} AS hromada_t LEFT JOIN hromada_last ON hromada_last.fid = hromada_t.{key}
           WHERE hromada_last.fid IS NULL OR hromada_last.operation = 'delete'
         UNION ALL
         SELECT hromada_last.fid, 'store.check-lost'
           FROM hromada_last LEFT JOIN {name} AS hromada_t ON hromada_last.fid = hromada_t.{key}
           WHERE hromada_t.{key} IS NULL AND hromada_last.operation <> 'delete'
         LIMIT {MAX_NAMED}",
        key = table.key,
        name = table.name,
    );
    let found = session.fetch_all(statement(sql).bind(*n)).await?;
    for row in found {
        // One without a key is named with its row.
        let Some(fid) = row.maybe_integer(0)? else {
            continue;
        };
        let key = row.text(1)?;
        let key = if key == "store.check-lost" {
            "store.check-lost"
        } else {
            "store.check-not-logged"
        };
        report.error(Some(collection), Some(fid), Message::new(key));
    }
    Ok(())
}
