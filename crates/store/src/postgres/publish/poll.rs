//! Looking at published tables now and then: whether they are still what they were.

use model::Message;
use serde_json::Value as Json;

use super::discover::{self, Column, Relation};
use super::{Found, PublishJob};
use crate::Error;
use crate::import::CollectionSettings;
use crate::people;
use crate::postgres::sql::{TRIGGERS, trigger_sql, triggers};
use crate::postgres::{Database, WITHOUT_LIMIT};
use crate::registry::{self, Registered};
use crate::session::{Dialect, Session, Transaction, quoted, statement};
use crate::table::Table;

/// Who wrote what polling finds: nobody can tell.
const SOMEBODY: &str = "unknown";

/// What tells one state of a row from another, as SQL on `hromada_t`.
pub(super) fn mark(
    relation: &Relation,
    columns: &[Column],
    job: &PublishJob,
) -> Result<String, Error> {
    let Some(version) = &job.version else {
        return Ok(if relation.has_xmin {
            "hromada_t.xmin::text".to_owned()
        } else {
            "md5(hromada_t::text)".to_owned()
        });
    };
    if !columns.iter().any(|c| c.name == *version) {
        let known: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        let message = Message::new("store.no-property").with("property", version);
        return Err(Error::Invalid(message.with("known", known.join(", "))));
    }
    Ok(format!("coalesce(hromada_t.{}::text, '')", quoted(version)))
}

/// Looks at published tables: one that another program has made anew or given other columns is taken as it is now, and one
/// without triggers is compared with what it was. Tables of the store's own get the triggers that somebody has taken.
///
/// Each in a transaction of its own: writers must not wait for the end of all.
pub(crate) async fn look(database: &Database) -> Result<(), Error> {
    let sql = format!(
        "SELECT n FROM hromada_collections WHERE source IS NOT NULL
         OR (SELECT count(*) FROM pg_trigger WHERE tgfoid = to_regproc('hromada_log_' || n)::oid) < {TRIGGERS} ORDER BY n"
    );
    let pool = database.follower.load_full();
    let mut connection = pool.acquire().await?;
    let rows = Session::Postgres(&mut connection)
        .fetch_all(statement(sql))
        .await?;
    drop(connection);
    for row in rows {
        let n = row.integer(0)?;
        let mut transaction = Transaction::Postgres(pool.begin().await?);
        match look_at(&mut transaction.session(), database, n).await {
            Ok(()) => transaction.commit().await?,
            Err(error) if error.is_away() => return Err(error),
            // One table that is gone must not keep the others from being followed.
            Err(error) => {
                tracing::error!(collection = n, %error, "a table can't be followed");
                transaction.rollback().await?;
            }
        }
    }
    Ok(())
}

/// One server at a time looks at a table for all.
async fn look_at(session: &mut Session<'_>, database: &Database, n: i64) -> Result<(), Error> {
    let lock = format!("SELECT pg_try_advisory_xact_lock({})", lock_key(n));
    if !session.fetch_one(statement(lock)).await?.boolean(0)? {
        return Ok(());
    }
    // Read under the lock: another server may just have looked.
    let sql = "SELECT n, id, definition, source FROM hromada_collections WHERE n = ?";
    let found = session.fetch_optional(statement(sql).bind(n)).await?;
    let Some(row) = found else {
        return Ok(());
    };
    let registered = registry::registered(Dialect::Postgres, &row)?;
    let table = &registered.table;
    let has_triggers = triggers(session, &registered).await?.there == TRIGGERS;
    if table.is_own {
        if has_triggers {
            return Ok(());
        }
        tracing::warn!(collection = %registered.collection.id, "the table lacks the triggers of the change log and gets them again");
        session.run(WITHOUT_LIMIT).await?;
        let sql = trigger_sql(
            &database.path,
            &database.place.schema,
            n,
            table,
            &registered.collection,
            true,
        );
        session.run(sql).await?;
        return log_unseen(session, n, table).await;
    }
    let source: Json = serde_json::from_str(&row.text(3)?).unwrap_or_default();
    let shape = discover::shape(session, &table.name).await?;
    // Triggers are lost with a table, and do not come back with a backup: the table is not the store's.
    let is_followed = table.mark.is_some() || has_triggers;
    if shape.as_deref() != source["shape"].as_str() || !is_followed {
        return anew(session, database, &registered, &source).await;
    }
    let Some(mark) = &table.mark else {
        return Ok(());
    };
    if compare(session, n, table, mark, None, SOMEBODY).await? > 0 {
        crate::postgres::number(session).await?;
    }
    Ok(())
}

/// Compares one row of a polled table with what it was, and logs the change under a name; it is for the caller to number.
/// Nothing when triggers tell of changes.
pub(crate) async fn notice(
    session: &mut Session<'_>,
    n: i64,
    table: &Table,
    fid: i64,
    actor: Option<&str>,
) -> Result<u64, Error> {
    let Some(mark) = &table.mark else {
        return Ok(0);
    };
    let lock = format!("SELECT pg_advisory_xact_lock({})", lock_key(n));
    session.execute(statement(lock)).await?;
    compare(
        session,
        n,
        table,
        mark,
        Some(fid),
        actor.unwrap_or(SOMEBODY),
    )
    .await
}

/// The lock of whoever compares a table, as the arguments of a function.
fn lock_key(n: impl std::fmt::Display) -> String {
    format!("1752330096, hashtext(current_schema() || '.' || {n})")
}

/// Takes a table as it is now, after another program has made it anew (as `ogr2ogr -overwrite` does) or given it other columns.
async fn anew(
    session: &mut Session<'_>,
    database: &Database,
    registered: &Registered,
    source: &Json,
) -> Result<(), Error> {
    // A large table takes its time; but the other program may be at it still, and then there is a next time.
    session.run(WITHOUT_LIMIT).await?;
    session.run("SET LOCAL lock_timeout = '500ms'").await?;
    let columns = registry::table_columns(session, &registered.table).await?;
    let job = job(registered, source, &columns);
    let found = Found::of(session, &job).await?;
    let (n, name) = (registered.n, &found.table.name);
    tracing::warn!(collection = %job.collection, table = %name, "a published table is another now and is taken as it is");
    let sql = "UPDATE hromada_collections SET definition = ?, source = ? WHERE n = ?";
    let update = statement(sql)
        .bind(registry::definition_json(&found.collection).to_string())
        .bind(found.source(&job).to_string())
        .bind(n);
    session.execute(update).await?;
    let (before, after) = (&registered.collection.schema, &found.collection.schema);
    people::guard_new(session, job.collection.as_str(), before, after).await?;
    if let (Some(mark), true) = (&found.table.mark, registered.table.mark.is_some()) {
        if compare(session, n, &found.table, mark, None, SOMEBODY).await? > 0 {
            crate::postgres::number(session).await?;
        }
        return Ok(());
    }
    let forget = format!("DELETE FROM hromada_seen WHERE collection = {n}");
    session.run(forget).await?;
    found.follow(session, database, n).await?;
    log_unseen(session, n, &found.table).await
}

/// Logs what a table holds now against what the log knows, after changes went by unseen: what the rows were before is gone, so
/// each that is there may be another.
async fn log_unseen(session: &mut Session<'_>, n: i64, table: &Table) -> Result<(), Error> {
    let sql = format!(
        "WITH hromada_last AS (
           SELECT DISTINCT ON (fid) fid, operation FROM hromada_changes WHERE collection = {n} ORDER BY fid, seq DESC),
         hromada_was AS (SELECT fid FROM hromada_last WHERE operation <> 'delete'),
         hromada_is AS (SELECT {} AS fid FROM {})
         INSERT INTO hromada_changes (at, actor, collection, fid, operation)
         SELECT clock_timestamp(), ?, {n}, fid,
           CASE WHEN hromada_was.fid IS NULL THEN 'create' WHEN hromada_is.fid IS NULL THEN 'delete' ELSE 'replace' END
         FROM hromada_is FULL JOIN hromada_was USING (fid) ORDER BY fid",
        table.key_out, table.name,
    );
    if session.execute(statement(sql).bind(SOMEBODY)).await? > 0 {
        crate::postgres::number(session).await?;
    }
    Ok(())
}

/// What was asked for when the table was published, with what is known of the collection.
fn job(registered: &Registered, source: &Json, columns: &[(String, String)]) -> PublishJob {
    let is_there = |name: &String| columns.iter().any(|(column, _)| column == name);
    let (collection, asked) = (&registered.collection, &source["asked"]);
    let text = |name: &str| asked[name].as_str().map(str::to_owned);
    let properties = &collection.schema.properties;
    let searchable = properties.iter().filter(|p| p.searchable);
    PublishJob {
        table: registered.table.name.clone(),
        collection: collection.id.clone(),
        key: text("key"),
        geometry: text("geometry"),
        is_editable: registered.table.is_editable,
        version: text("version"),
        poll: asked["poll"].as_bool().unwrap_or_default(),
        settings: CollectionSettings {
            access: None,
            title: Some(collection.title.clone()),
            description: collection.description.clone(),
            theme: Some(collection.theme),
            licence: collection.licence.clone(),
            attribution: collection.attribution.clone(),
            label_property: collection.label_property.clone().filter(is_there),
            time_property: collection.time_property.clone().filter(is_there),
            searchable: Some(searchable.map(|p| p.name.clone()).collect()),
            properties: properties.clone(),
            tiles: Some(collection.tiles.clone()),
        },
    }
}

/// Rows that are not what they were, all or one, are logged; gives their number.
async fn compare(
    session: &mut Session<'_>,
    n: i64,
    table: &Table,
    mark: &str,
    only: Option<i64>,
    actor: &str,
) -> Result<u64, Error> {
    let (one, one_seen) = match only {
        Some(fid) => (
            format!(" WHERE {} = {fid}", table.key),
            format!(" AND fid = {fid}"),
        ),
        None => Default::default(),
    };
    let sql = format!(
        "WITH found AS (SELECT {} AS fid, {mark} AS mark FROM {} AS hromada_t{one}),
         different AS (
           SELECT coalesce(found.fid, seen.fid) AS fid, found.mark,
             CASE WHEN seen.fid IS NULL THEN 'create' WHEN found.fid IS NULL THEN 'delete' ELSE 'replace' END AS operation
           FROM found FULL JOIN (SELECT fid, mark FROM hromada_seen WHERE collection = {n}{one_seen}) AS seen USING (fid)
           WHERE found.mark IS DISTINCT FROM seen.mark),
         put AS (
           INSERT INTO hromada_seen SELECT {n}, fid, mark FROM different WHERE operation <> 'delete'
           ON CONFLICT (collection, fid) DO UPDATE SET mark = excluded.mark),
         gone AS (
           DELETE FROM hromada_seen WHERE collection = {n} AND fid IN (SELECT fid FROM different WHERE operation = 'delete'))
         INSERT INTO hromada_changes (at, actor, collection, fid, operation)
         SELECT clock_timestamp(), ?, {n}, fid, operation FROM different ORDER BY fid",
        table.key_out, table.name,
    );
    session.execute(statement(sql).bind(actor)).await
}
