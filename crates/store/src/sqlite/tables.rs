//! A collection's table in the GeoPackage: made, made anew for a replacement, or with another geometry type.

use model::{Collection, CollectionId, Envelope, Operation};

use crate::registry::{self, Registered};
use crate::session::{Parameter, Session, quoted, statement};
use crate::table::Table;
use crate::{Error, items};

/// Makes a collection's table, and lists it in the GeoPackage.
pub(crate) async fn create(
    session: &mut Session<'_>,
    collection: &Collection,
) -> Result<(), Error> {
    let srs_id = know_crs(session, collection).await?;
    make(session, collection).await?;
    let id = collection.id.as_str();
    let sql = "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id)
         VALUES (?, 'features', ?, ?, ?)";
    let listed = statement(sql)
        .bind(id)
        .bind(id)
        .bind(collection.title.en.as_str())
        .bind(srs_id);
    session.execute(listed).await?;
    let sql = "INSERT INTO gpkg_geometry_columns VALUES (?, ?, ?, ?, ?, ?)";
    let listed = statement(sql)
        .bind(id)
        .bind(crate::table::GEOMETRY)
        .bind(collection.geometry_type.name())
        .bind(srs_id)
        .bind(i64::from(collection.has_z))
        .bind(i64::from(collection.has_m));
    session.execute(listed).await?;
    Ok(())
}

/// Lists the collection's geometry type as it is now.
pub(crate) async fn describe(
    session: &mut Session<'_>,
    collection: &Collection,
) -> Result<(), Error> {
    let sql = "UPDATE gpkg_geometry_columns SET geometry_type_name = ?, z = ?, m = ? WHERE table_name = ?";
    let described = statement(sql)
        .bind(collection.geometry_type.name())
        .bind(i64::from(collection.has_z))
        .bind(i64::from(collection.has_m))
        .bind(collection.id.as_str());
    session.execute(described).await?;
    Ok(())
}

/// Lists the extent of the collection's geometries; where rows were there before, it is widened.
pub(crate) async fn write_extent(
    session: &mut Session<'_>,
    id: &CollectionId,
    envelope: Envelope,
    widens: bool,
) -> Result<(), Error> {
    // NULL means none yet.
    let sql = if widens {
        "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now'),
           min_x = min(coalesce(min_x, ?1), ?1), min_y = min(coalesce(min_y, ?2), ?2),
           max_x = max(coalesce(max_x, ?3), ?3), max_y = max(coalesce(max_y, ?4), ?4) WHERE table_name = ?5"
    } else {
        "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now'),
           min_x = ?1, min_y = ?2, max_x = ?3, max_y = ?4 WHERE table_name = ?5"
    };
    let [w, s] = envelope.min;
    let [e, n] = envelope.max;
    let extent = [w, s, e, n].map(|x| Parameter::Real(Some(x)));
    let update = statement(sql).bind_all(extent);
    session.execute(update.bind(id.as_str())).await?;
    Ok(())
}

/// Makes sure that the GeoPackage knows the collection's CRS; gives its number there.
async fn know_crs(session: &mut Session<'_>, collection: &Collection) -> Result<i64, Error> {
    let described =
        spatial::crs::describe(collection.storage_crs).map_err(|e| Error::Invalid(e.message()))?;
    let srs_id = i64::from(collection.storage_crs.code());
    let sql = "INSERT INTO gpkg_spatial_ref_sys (srs_name, srs_id, organization, organization_coordsys_id, definition)
         VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let known = statement(sql)
        .bind(described.name)
        .bind(srs_id)
        .bind(collection.storage_crs.authority())
        .bind(srs_id)
        .bind(described.wkt);
    session.execute(known).await?;
    Ok(srs_id)
}

async fn make(session: &mut Session<'_>, collection: &Collection) -> Result<(), Error> {
    let table = Table::of(session.dialect(), collection);
    session
        .run(registry::table_sql(session.dialect(), collection, &table))
        .await?;
    let id_property = collection.id_property.as_ref();
    let index = id_property.and_then(|p| registry::unique_index_sql(&table, collection, p));
    if let Some(sql) = index {
        session.run(sql).await?;
    }
    Ok(())
}

/// The greatest key that the table ever had.
pub(crate) async fn counter(
    session: &mut Session<'_>,
    collection: &Collection,
) -> Result<Option<i64>, Error> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?";
    let found = statement(sql).bind(collection.id.as_str());
    let row = session.fetch_optional(found).await?;
    row.map(|row| row.integer(0)).transpose()
}

/// Sets the greatest key that the table ever had, of which the next one is the successor.
pub(crate) async fn set_counter(
    session: &mut Session<'_>,
    id: &CollectionId,
    counter: i64,
) -> Result<(), Error> {
    let sql = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?";
    let set = statement(sql).bind(counter).bind(id.as_str());
    if session.execute(set).await? == 0 && counter > 0 {
        let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)";
        let added = statement(sql).bind(id.as_str()).bind(counter);
        session.execute(added).await?;
    }
    Ok(())
}

/// Makes a collection's table anew, empty; its features are logged as deleted before.
pub(crate) async fn replace(
    session: &mut Session<'_>,
    existing: Registered,
    collection: Collection,
) -> Result<Registered, Error> {
    let table = Table::of(session.dialect(), &collection);
    // Keys are never used again, so the counter outlives the table.
    let counter = counter(session, &collection).await?;
    session.run(format!("DROP TABLE {}", table.name)).await?;
    make(session, &collection).await?;
    if let Some(counter) = counter {
        set_counter(session, &collection.id, counter).await?;
    }
    if existing.collection.storage_crs != collection.storage_crs {
        let srs_id = know_crs(session, &collection).await?;
        for sql in [
            "UPDATE gpkg_contents SET srs_id = ? WHERE table_name = ?",
            "UPDATE gpkg_geometry_columns SET srs_id = ? WHERE table_name = ?",
        ] {
            let moved = statement(sql).bind(srs_id).bind(collection.id.as_str());
            session.execute(moved).await?;
        }
    }
    describe(session, &collection).await?;
    let registered = Registered {
        n: existing.n,
        collection,
        table,
    };
    registry::update(session, &registered).await?;
    Ok(registered)
}

/// Copies the table into one whose geometry column declares the collection's type: SQLite can't change it in place.
pub(crate) async fn retype(
    session: &mut Session<'_>,
    collection: &Collection,
) -> Result<(), Error> {
    let table = Table::of(session.dialect(), collection);
    let name = &table.name;
    let old = quoted(&format!("hromada_old_{}", collection.id));
    let columns = table.select();
    let counter = counter(session, collection).await?;
    let sql =
        "SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL";
    let rows = session
        .fetch_all(statement(sql).bind(collection.id.as_str()))
        .await?;
    let mut indexes = Vec::with_capacity(rows.len());
    for row in rows {
        indexes.push(row.text(0)?);
    }
    let copy = format!(
        "ALTER TABLE {name} RENAME TO {old}; {}; INSERT INTO {name} ({columns}) SELECT {columns} FROM {old};
         DROP TABLE {old}; {}",
        registry::table_sql(session.dialect(), collection, &table),
        indexes.join("; ")
    );
    // References from the GeoPackage tables name the table and must not follow the rename.
    session.run("PRAGMA legacy_alter_table = ON").await?;
    session.run(copy).await?;
    session.run("PRAGMA legacy_alter_table = OFF").await?;
    if let Some(counter) = counter {
        set_counter(session, &collection.id, counter).await?;
    }
    Ok(())
}

/// Logs features of a table; conditions are added with AND. Parameters: time, actor, collection number.
pub(crate) fn log_sql(
    collection: &Collection,
    table: &Table,
    operation: &str,
    with_before: bool,
) -> String {
    let before = if with_before {
        let properties = super::properties_json(&collection.schema);
        format!("{}, {properties}", table.geometry)
    } else {
        "NULL, NULL".to_owned()
    };
    let id = match operation == Operation::Delete.name() {
        true => items::id_text(collection, table),
        false => "NULL".to_owned(),
    };
    format!(
        "INSERT INTO hromada_changes (at, actor, collection, fid, operation, before_geometry, before_properties, before_id)
         SELECT ?, ?, ?, {}, '{operation}', {before}, {id} FROM {} WHERE TRUE",
        table.key, table.name
    )
}
