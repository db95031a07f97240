//! A collection's table in PostGIS: made beside the old one, filled, and put in its place.

use std::time::Duration;

use model::{Collection, Message};

use super::sql::{column_name, geometry_type, literal, properties_json, trigger_sql};
use super::{Database, WITHOUT_LIMIT};
use crate::registry::{self, Registered};
use crate::session::{Dialect, Session, statement};
use crate::table::{GEOMETRY, KEY, Table};
use crate::{Error, items};

/// The table that an import fills; it has no index and no trigger yet.
pub(crate) async fn begin(
    session: &mut Session<'_>,
    collection: &Collection,
) -> Result<Table, Error> {
    let name = column_name(&format!("hromada_new_{}", collection.id));
    let table = Table::of(Dialect::Postgres, collection).named(&name);
    session
        .run(registry::table_sql(Dialect::Postgres, collection, &table))
        .await?;
    Ok(table)
}

/// Keeps others from importing into the collection at the same time, and from editing the table that is to be replaced.
///
/// # Errors
/// [`Error::Busy`] when another import of it is running.
pub(crate) async fn reserve(
    session: &mut Session<'_>,
    collection: &Collection,
    existing: Option<&Registered>,
) -> Result<(), Error> {
    session.run(WITHOUT_LIMIT).await?;
    session.run("SET LOCAL lock_timeout = '30s'").await?;
    let sql =
        "SELECT pg_try_advisory_xact_lock(1752330095, hashtext(current_schema() || '.' || ?))";
    let asked = statement(sql).bind(collection.id.as_str());
    if !session.fetch_one(asked).await?.boolean(0)? {
        return Err(Error::Busy(
            Message::new("store.import-running").with("id", &collection.id),
        ));
    }
    match existing {
        Some(existing) => {
            let name = &existing.table.name;
            session
                .run(format!("LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE"))
                .await
        }
        None => refuse_foreign(session, collection).await,
    }
}

/// # Errors
/// [`Error::Conflict`] when the schema holds a table or view of the collection's name that is not ours.
async fn refuse_foreign(session: &mut Session<'_>, collection: &Collection) -> Result<(), Error> {
    let name = Table::of(Dialect::Postgres, collection).name;
    let sql = "SELECT to_regclass(quote_ident(current_schema()) || '.' || ?) IS NOT NULL";
    let is_there = session.fetch_one(statement(sql).bind(name)).await?;
    if is_there.boolean(0)? {
        return Err(Error::Conflict(
            Message::new("store.table-exists").with("id", &collection.id),
        ));
    }
    Ok(())
}

/// # Errors
/// [`Error::Refused`] when views or other tables depend on the table, which is to be replaced.
pub(crate) async fn refuse_dependents(
    session: &mut Session<'_>,
    existing: &Registered,
) -> Result<(), Error> {
    let sql = "SELECT string_agg(DISTINCT dependent::regclass::text, ', ') FROM (
         SELECT ev_class FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid
           WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = to_regclass(?)
         UNION ALL SELECT conrelid FROM pg_constraint WHERE contype = 'f' AND confrelid = to_regclass(?)
       ) AS found (dependent)";
    let name = existing.table.name.as_str();
    let found = session.fetch_one(statement(sql).bind(name).bind(name));
    if let Some(dependents) = found.await?.maybe_text(0)? {
        return Err(Error::Refused(
            Message::new("store.table-needed")
                .with("id", &existing.collection.id)
                .with("dependents", dependents),
        ));
    }
    Ok(())
}

/// The rights that others have on a table, as statements that give them on another.
async fn grants(session: &mut Session<'_>, from: &Table, to: &Table) -> Result<String, Error> {
    let sql = "SELECT string_agg(format('GRANT %s ON %s TO %s%s', privilege_type, ?::text,
           CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
           CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '; ')
       FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = to_regclass(?) AND grantee <> relowner";
    let found = statement(sql)
        .bind(to.name.as_str())
        .bind(from.name.as_str());
    session.fetch_one(found).await?.text(0)
}

/// The greatest key that the collection's table ever gave or had.
pub(crate) async fn counter(session: &mut Session<'_>, table: &Table) -> Result<i64, Error> {
    if !table.is_own {
        // Who gives the keys of a table of others is theirs to know.
        let sql = format!(
            "SELECT greatest(0, max({})) FROM {}",
            table.key_out, table.name
        );
        return session.fetch_one(statement(sql)).await?.integer(0);
    }
    let sql = format!(
        "SELECT greatest(0, (SELECT max({KEY}) FROM {}), pg_sequence_last_value(pg_get_serial_sequence(?, ?)::regclass))",
        table.name
    );
    let found = statement(sql).bind(table.name.as_str()).bind(KEY);
    session.fetch_one(found).await?.integer(0)
}

/// Lets the geometry column take any geometry.
pub(crate) async fn untype(session: &mut Session<'_>, table: &Table) -> Result<(), Error> {
    let sql = format!(
        "ALTER TABLE {} ALTER COLUMN {GEOMETRY} TYPE geometry",
        table.name
    );
    session.run(sql).await
}

/// Declares the collection's geometry type.
pub(crate) async fn retype(
    session: &mut Session<'_>,
    collection: &Collection,
    table: &Table,
    is_mixed: bool,
) -> Result<(), Error> {
    let kind = geometry_type(collection, is_mixed);
    let name = &table.name;
    let mut sql = format!(
        "ALTER TABLE {name} DROP CONSTRAINT IF EXISTS enforce_srid_geom;
         ALTER TABLE {name} ALTER COLUMN {GEOMETRY} TYPE {kind}"
    );
    if is_mixed {
        let code = collection.storage_crs.code();
        sql += &format!(
            "; ALTER TABLE {name} ADD CONSTRAINT enforce_srid_geom CHECK (ST_SRID({GEOMETRY}) = {code})"
        );
    }
    session.run(sql).await
}

/// Puts a filled table in its place, then logs what it replaces and what it holds.
pub(crate) async fn settle(
    session: &mut Session<'_>,
    database: &Database,
    filled: &Table,
    existing: Option<Registered>,
    collection: &Collection,
    counter: i64,
) -> Result<Registered, Error> {
    let table = Table::of(Dialect::Postgres, collection);
    give_key(session, filled, collection, counter).await?;
    let mut at = None;
    let registered = match existing {
        Some(existing) => {
            // From here on others wait for the table.
            let old = &existing.table;
            lock_whole(session, &old.name).await?;
            let properties = properties_json(old, &existing.collection.schema);
            let id = items::id_text(&existing.collection, old);
            let before = format!("{}, {properties}, {id}", old.geometry);
            let now = moment(session).await?;
            log_all(session, &now, existing.n, "delete", old, &before).await?;
            at = Some(now);
            let grants = grants(session, old, filled).await?;
            session.run(grants).await?;
            session.run(format!("DROP TABLE {}", old.name)).await?;
            Registered {
                n: existing.n,
                collection: collection.clone(),
                table,
            }
        }
        None => registry::add(session, collection).await?,
    };
    put_in_place(session, database, filled, &registered).await?;
    registry::update(session, &registered).await?;
    let at = match at {
        Some(at) => at,
        None => moment(session).await?,
    };
    log_all(
        session,
        &at,
        registered.n,
        "create",
        &registered.table,
        "NULL, NULL, NULL",
    )
    .await?;
    super::number(session).await?;
    Ok(registered)
}

/// Whoever waits for a table keeps all who come after waiting too, so this asks for a moment only, again and again.
async fn lock_whole(session: &mut Session<'_>, name: &str) -> Result<(), Error> {
    const ATTEMPTS: u32 = 60;
    let lock =
        format!("SET LOCAL lock_timeout = '300ms'; LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE");
    for attempt in 1.. {
        let mut part = session.begin().await?;
        match part.session().run(lock.clone()).await {
            Ok(()) => {
                part.commit().await?;
                break;
            }
            Err(error @ Error::Busy(_)) if attempt == ATTEMPTS => return Err(error),
            Err(Error::Busy(_)) => part.rollback().await?,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    Ok(())
}

/// Puts a filled table in its place under the number that the collection has in the store that it comes from, whose log comes
/// too: nothing is logged here.
pub(crate) async fn settle_copied(
    session: &mut Session<'_>,
    database: &Database,
    filled: &Table,
    registered: &Registered,
    counter: i64,
) -> Result<(), Error> {
    give_key(session, filled, &registered.collection, counter).await?;
    let old = &registered.table.name;
    session.run(format!("DROP TABLE IF EXISTS {old}")).await?;
    put_in_place(session, database, filled, registered).await?;
    registry::put(session, registered).await
}

/// The primary key, and the counter behind all keys that there ever were.
async fn give_key(
    session: &mut Session<'_>,
    filled: &Table,
    collection: &Collection,
    counter: i64,
) -> Result<(), Error> {
    let name = &filled.name;
    know_crs(session, collection).await?;
    session
        .run(format!("ALTER TABLE {name} ADD PRIMARY KEY ({KEY})"))
        .await?;
    let sql = format!(
        "SELECT setval(pg_get_serial_sequence(?, ?), greatest(1, ?, (SELECT max({KEY}) FROM {name})),
           greatest(0, ?, (SELECT max({KEY}) FROM {name})) > 0)"
    );
    let counted = statement(sql)
        .bind(name.as_str())
        .bind(KEY)
        .bind(counter)
        .bind(counter);
    session.execute(counted).await?;
    Ok(())
}

/// Gives a filled table the collection's name: indexes, comments, and the triggers that log from here on.
async fn put_in_place(
    session: &mut Session<'_>,
    database: &Database,
    filled: &Table,
    registered: &Registered,
) -> Result<(), Error> {
    let Registered {
        collection, table, ..
    } = registered;
    session
        .run(format!(
            "ALTER TABLE {name} RENAME TO {final_name};
             CREATE INDEX ON {final_name} USING gist ({GEOMETRY}); {}",
            comments(registered),
            name = filled.name,
            final_name = table.name,
        ))
        .await?;
    rename_key(session, &registry::unquoted(&table.name)).await?;
    let unique = collection.id_property.as_ref();
    let unique = unique.and_then(|p| registry::unique_index_sql(table, collection, p));
    if let Some(sql) = unique {
        session.run(sql).await?;
    }
    session
        .run(trigger_sql(
            &database.path,
            &database.place.schema,
            registered.n,
            table,
            collection,
            true,
        ))
        .await?;
    session.run(format!("ANALYZE {}", table.name)).await
}

/// The primary key and the counter get the names that PostgreSQL gives those of a new table.
async fn rename_key(session: &mut Session<'_>, name: &str) -> Result<(), Error> {
    let sql = "SELECT conname::text, pg_get_serial_sequence(quote_ident(?), ?) FROM pg_constraint
       WHERE conrelid = quote_ident(?)::regclass AND contype = 'p'";
    let found = statement(sql).bind(name).bind(KEY).bind(name);
    let row = session.fetch_one(found).await?;
    let key = crate::session::quoted(&row.text(0)?);
    let wanted = crate::session::quoted(&column_name(&format!("{name}_pkey")));
    let table = crate::session::quoted(name);
    let sequence = crate::session::quoted(&column_name(&format!("{name}_{KEY}_seq")));
    session
        .run(format!(
            "ALTER TABLE {table} RENAME CONSTRAINT {key} TO {wanted};
             ALTER SEQUENCE {} RENAME TO {sequence}",
            row.text(1)?
        ))
        .await
}

/// The time that the changes of this transaction get, under the lock of the change log.
pub(crate) async fn moment(session: &mut Session<'_>) -> Result<String, Error> {
    session.execute(statement("SELECT hromada_lock()")).await?;
    let row = session.fetch_one(statement("SELECT hromada_moment()::text"));
    row.await?.text(0)
}

/// Logs all rows of a table at a [`moment`], each with its number at once.
pub(crate) async fn log_all(
    session: &mut Session<'_>,
    at: &str,
    n: i64,
    operation: &str,
    table: &Table,
    before: &str,
) -> Result<u64, Error> {
    let sql = format!(
        "INSERT INTO hromada_changes (seq, at, actor, collection, fid, operation, before_geometry, before_properties, before_id)
         SELECT nextval('hromada_seq'), ?::timestamptz, (SELECT hromada_actor()), ?, {key_out}, '{operation}', {before}
         FROM (SELECT * FROM {} ORDER BY {key}) AS hromada_rows",
        table.name,
        key = table.key,
        key_out = table.key_out,
    );
    session.execute(statement(sql).bind(at).bind(n)).await
}

/// PostGIS knows most codes of EPSG; one that it lacks is added where the role may.
async fn know_crs(session: &mut Session<'_>, collection: &Collection) -> Result<(), Error> {
    let srid = i64::from(collection.storage_crs.code());
    let sql = "SELECT NOT EXISTS (SELECT FROM spatial_ref_sys WHERE srid = ?)
       AND has_table_privilege('spatial_ref_sys', 'INSERT')";
    let asked = session.fetch_one(statement(sql).bind(srid)).await?;
    if !asked.boolean(0)? {
        return Ok(());
    }
    let described =
        spatial::crs::describe(collection.storage_crs).map_err(|e| Error::Invalid(e.message()))?;
    let sql = "INSERT INTO spatial_ref_sys (srid, auth_name, auth_srid, srtext)
       VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let known = statement(sql)
        .bind(srid)
        .bind(collection.storage_crs.authority())
        .bind(srid)
        .bind(shortened(&described.wkt));
    session.execute(known).await?;
    Ok(())
}

/// Writes another definition of a local CRS where PostGIS has one and the role may.
pub(crate) async fn describe_crs(
    session: &mut Session<'_>,
    srid: i64,
    wkt: &str,
) -> Result<(), Error> {
    let sql = "SELECT has_table_privilege('spatial_ref_sys', 'UPDATE')";
    if !session.fetch_one(statement(sql)).await?.boolean(0)? {
        return Ok(());
    }
    let sql = "UPDATE spatial_ref_sys SET srtext = ? WHERE srid = ? AND auth_name = 'HROMADA'";
    let described = statement(sql).bind(shortened(wkt)).bind(srid);
    session.execute(described).await?;
    Ok(())
}

/// The definition in the room that PostGIS has for it. One that is longer is left out: PostGIS alone needs it, to transform.
fn shortened(wkt: &str) -> String {
    const ROOM: usize = 2048;
    let text: String = wkt.lines().map(str::trim_start).collect();
    match text.chars().count() > ROOM {
        true => String::new(),
        false => text,
    }
}

/// What the schema says of the table and its columns, for whoever opens the database.
fn comments(registered: &Registered) -> String {
    let Registered {
        collection, table, ..
    } = registered;
    let title = &collection.title;
    let both = |text: &model::Text| {
        if text.uk == text.en {
            text.en.clone()
        } else {
            format!("{} / {}", text.uk, text.en)
        }
    };
    let mut sql = format!(
        "COMMENT ON TABLE {} IS {}",
        table.name,
        literal(&both(title))
    );
    for (property, column) in collection.schema.properties.iter().zip(&table.columns) {
        let mut parts = Vec::new();
        if let Some(title) = &property.title {
            parts.push(both(title));
        }
        if let Some(unit) = &property.unit {
            parts.push(format!("[{unit}]"));
        }
        if registry::unquoted(column) != property.name {
            parts.push(property.name.clone());
        }
        if !parts.is_empty() {
            sql += &format!(
                "; COMMENT ON COLUMN {}.{column} IS {}",
                table.name,
                literal(&parts.join(" "))
            );
        }
    }
    sql
}
