//! Opening: the server is asked who it is, and the store's tables are made where they are not there.

use std::time::Duration;

use arc_swap::ArcSwap;
use model::{Epoch, Message};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::sync::RwLock;

use super::pool::{self, Pools};
use super::sql::{self, NEW_EPOCH, channel, fill, literal};
use super::{Database, Following, PostgresPlace};
use crate::session::{Session, quoted};
use crate::{Access, Error, registry};

/// Schema of the store's own tables. An older store is brought up to date when it is opened for writing, a newer one is
/// refused.
const SCHEMA_VERSION: u32 = 6;

/// `server_version_num` of the oldest PostgreSQL that its own project still mends.
const OLDEST_POSTGRES: i32 = 140_000;

/// The oldest PostGIS that is tested: that of Debian 11.
const OLDEST_POSTGIS: (u32, u32) = (3, 1);

/// Version 1.
const SCHEMA: &str = include_str!("schema.sql");

/// What makes the next version of each, from version 1 on.
const STEPS: [&str; 5] = [
    include_str!("access.sql"),
    include_str!("styles.sql"),
    include_str!("transactions.sql"),
    include_str!("webhooks.sql"),
    include_str!("numbering.sql"),
];

/// A server that gives no answer for this long while a connection is made is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the store in a schema of a database; with the right to write it is made or brought up to date first.
///
/// # Errors
/// [`Error::Refused`] with the remedy when the server can't be reached or does not let us in, is too old, PostGIS is
/// missing, the role lacks a right, or the schema is that of something else or of a newer version.
pub(crate) async fn open(
    place: &PostgresPlace,
    access: Access,
) -> Result<(Database, Epoch), Error> {
    let mut connection = connect(place).await?;
    require_versions(place, &mut connection).await?;
    require_sessions(place, &mut connection).await?;
    let path = search_path(place, &mut connection).await?;
    if access == Access::Write || access == Access::Administer {
        migrate(place, &path, &mut connection).await?;
    }
    let version = recognised(place, &mut connection).await?;
    if version < SCHEMA_VERSION {
        return Err(refused(place, "store.older")
            .with("version", version)
            .with("known", SCHEMA_VERSION)
            .into());
    }
    if version > SCHEMA_VERSION {
        return Err(refused(place, "store.newer")
            .with("version", version)
            .with("known", SCHEMA_VERSION)
            .into());
    }
    let made_as = meta(place, &mut connection, "schema").await?;
    if made_as != place.schema {
        // The triggers write to where the schema was.
        return Err(refused(place, "store.schema-renamed")
            .with("made", made_as)
            .into());
    }
    if access == Access::Write {
        settle(place, &mut connection).await?;
    }
    let epoch: String = meta(place, &mut connection, "epoch").await?;
    let own = identity(place, &mut connection).await?;
    close(connection).await;
    if let Some(read) = &place.read {
        // Asked now, so that a mistake in the address is told at once.
        let mut connection = connect(read).await?;
        require_versions(read, &mut connection).await?;
        let is_same = recognised(read, &mut connection).await? == version
            && identity(read, &mut connection).await? == own;
        close(connection).await;
        if !is_same {
            let message = Message::new("store.replica-of-another").with("database", &read.shown);
            return Err(Error::Refused(message.with("primary", &place.shown)));
        }
    }
    let pools = Pools::of(place, &path)?;
    let database = Database {
        place: place.clone(),
        pool: ArcSwap::from_pointee(pools.writer),
        reader: ArcSwap::from_pointee(pools.reader),
        follower: ArcSwap::from_pointee(pools.follower),
        path,
        following: Following::default(),
        can_write: access != Access::Read,
        closed: RwLock::new(false),
    };
    Ok((database, Epoch(epoch.into())))
}

pub(super) async fn connect(place: &PostgresPlace) -> Result<PgConnection, Error> {
    let options = pool::options(place)?;
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, async {
        let mut connection = PgConnection::connect_with(&options).await?;
        pool::set_up(&mut connection, None).await?;
        Ok::<_, sqlx::Error>(connection)
    });
    match connected.await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(Error::Refused(
            Message::new("store.database-unreachable")
                .with("database", &place.shown)
                .with("reason", reason(&error)),
        )),
        Err(_) => Err(Error::Refused(
            Message::new("store.database-silent")
                .with("database", &place.shown)
                .with("seconds", CONNECT_TIMEOUT.as_secs()),
        )),
    }
}

/// The server's own words, which name the role or database that it does not know.
fn reason(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}

pub(super) async fn close(connection: PgConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "closing a connection failed");
    }
}

/// Something about a store that can't be used, with its name.
pub(super) struct Refusal(Message);

impl Refusal {
    fn with(self, name: &'static str, value: impl std::fmt::Display) -> Self {
        Self(self.0.with(name, value))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.0)
    }
}

pub(super) fn refused(place: &PostgresPlace, key: &'static str) -> Refusal {
    Refusal(
        Message::new(key)
            .with("file", &place.shown)
            .with("database", &place.shown)
            .with("schema", &place.schema),
    )
}

pub(super) async fn require_versions(
    place: &PostgresPlace,
    connection: &mut PgConnection,
) -> Result<(), Error> {
    let row = sqlx::query(
        "SELECT current_setting('server_version_num')::int4, current_setting('server_version'),
           current_setting('server_encoding')",
    )
    .fetch_one(connection)
    .await?;
    let (number, version, encoding): (i32, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if number < OLDEST_POSTGRES {
        let message = Message::new("store.postgres-too-old")
            .with("database", &place.shown)
            .with("version", version)
            .with("oldest", OLDEST_POSTGRES / 10_000);
        return Err(Error::Refused(message));
    }
    if encoding != "UTF8" {
        let message = Message::new("store.database-encoding")
            .with("database", &place.shown)
            .with("encoding", encoding);
        return Err(Error::Refused(message));
    }
    Ok(())
}

/// A pooler that gives each transaction another session would lose what sessions are set to, and every notification.
async fn require_sessions(
    place: &PostgresPlace,
    connection: &mut PgConnection,
) -> Result<(), Error> {
    sqlx::raw_sql("SET hromada.session = 'ours'")
        .execute(&mut *connection)
        .await?;
    // Another client takes the session that became free, if it became so.
    let mut other = connect(place).await?;
    let busy = other.begin().await?;
    let kept: Option<String> =
        sqlx::query_scalar("SELECT current_setting('hromada.session', true)")
            .fetch_one(&mut *connection)
            .await?;
    busy.rollback().await?;
    close(other).await;
    if kept.as_deref() == Some("ours") {
        return Ok(());
    }
    Err(refused(place, "store.pooler-by-transaction").into())
}

/// The store's schema and that of PostGIS, which is installed when it may be.
pub(super) async fn search_path(
    place: &PostgresPlace,
    connection: &mut PgConnection,
) -> Result<String, Error> {
    let found = match postgis(connection).await? {
        Some(found) => found,
        None => {
            let made = sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS postgis")
                .execute(&mut *connection)
                .await;
            match (made, postgis(connection).await?) {
                (Ok(_), Some(found)) => {
                    tracing::info!(database = %place.shown, "PostGIS is switched on in the database");
                    found
                }
                (Err(error), _) => {
                    let message = Message::new("store.postgis-missing")
                        .with("database", &place.shown)
                        .with("reason", reason(&error));
                    return Err(Error::Refused(message));
                }
                (Ok(_), None) => return Err(refused(place, "store.postgis-missing").into()),
            }
        }
    };
    let (version, schema) = found;
    let mut parts = version.split('.').map(|p| p.parse().unwrap_or(0));
    let number = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if number < OLDEST_POSTGIS {
        let message = Message::new("store.postgis-too-old")
            .with("database", &place.shown)
            .with("version", version)
            .with(
                "oldest",
                format!("{}.{}", OLDEST_POSTGIS.0, OLDEST_POSTGIS.1),
            );
        return Err(Error::Refused(message));
    }
    Ok(format!("{},{}", quoted(&place.schema), quoted(&schema)))
}

/// Version and schema of the extension.
async fn postgis(connection: &mut PgConnection) -> Result<Option<(String, String)>, Error> {
    let row = sqlx::query(
        "SELECT e.extversion, n.nspname::text FROM pg_extension AS e
         JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'postgis'",
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .transpose()
}

/// Makes the store's tables where they are not there. Two servers that start at once do it one after the other.
async fn migrate(
    place: &PostgresPlace,
    path: &str,
    connection: &mut PgConnection,
) -> Result<(), Error> {
    let schema = quoted(&place.schema);
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(1752330094, hashtext($1))")
        .bind(&place.schema)
        .execute(&mut *transaction)
        .await?;
    let is_there: bool = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
        .bind(&schema)
        .fetch_one(&mut *transaction)
        .await?;
    if !is_there {
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {schema}")))
            .execute(&mut *transaction)
            .await
            .map_err(|e| right_missing(place, e))?;
    }
    let run = async |template: &str, transaction: &mut PgConnection| {
        let sql = format!(
            "SET LOCAL search_path = {path}; {}",
            filled(place, path, template)
        );
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(transaction)
            .await
            .map_err(|e| right_missing(place, e))
    };
    if exists(place, &mut transaction).await? {
        let version = recognised(place, &mut transaction).await?;
        let first = version.max(1) as usize - 1;
        if version == 0 || first >= STEPS.len() {
            transaction.rollback().await?;
            return Ok(());
        }
        for step in &STEPS[first..] {
            run(step, &mut transaction).await?;
        }
        renew_triggers(place, path, &mut transaction).await?;
        transaction.commit().await?;
        tracing::info!(database = %place.shown, from = version, to = SCHEMA_VERSION, "the store's tables are brought up to date");
        return Ok(());
    }
    run(SCHEMA, &mut transaction).await?;
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {schema}.hromada_meta (key, value) VALUES
           ('schema_version', $1), ('epoch', {NEW_EPOCH}), ('registry', '0'), ('origin', $2), ('schema', $3)"
    )))
    .bind("1")
    .bind(origin(place, &mut transaction).await?)
    .bind(&place.schema)
    .execute(&mut *transaction)
    .await?;
    for step in STEPS {
        run(step, &mut transaction).await?;
    }
    transaction.commit().await?;
    tracing::info!(database = %place.shown, schema = %place.schema, "the store's tables are made");
    Ok(())
}

/// The functions that write the change log are made for the columns that it had; they are made anew after it got others.
async fn renew_triggers(
    place: &PostgresPlace,
    path: &str,
    connection: &mut PgConnection,
) -> Result<(), Error> {
    let mut session = Session::Postgres(connection);
    session
        .run(format!("SET LOCAL search_path = {path}"))
        .await?;
    for registered in registry::all(&mut session).await? {
        let table = &registered.table;
        // Those of others that are compared have none.
        if table.mark.is_some() || sql::triggers(&mut session, &registered).await?.there == 0 {
            continue;
        }
        let triggers = sql::trigger_sql(
            path,
            &place.schema,
            registered.n,
            table,
            &registered.collection,
            table.is_own,
        );
        session.run(triggers).await?;
    }
    Ok(())
}

fn filled(place: &PostgresPlace, path: &str, template: &str) -> String {
    fill(
        template,
        &[
            ("path", path),
            ("schema_text", &literal(&place.schema)),
            ("channel", &literal(&channel(place))),
        ],
    )
}

fn right_missing(place: &PostgresPlace, error: sqlx::Error) -> Error {
    /// `insufficient_privilege`
    const DENIED: &str = "42501";
    /// `read_only_sql_transaction`
    const READ_ONLY: &str = "25006";
    let code = error.as_database_error().and_then(|e| e.code());
    let key = match code.as_deref() {
        Some(DENIED) => "store.right-missing",
        Some(READ_ONLY) => "store.database-read-only",
        _ => return error.into(),
    };
    Error::Refused(
        Message::new(key)
            .with("database", &place.shown)
            .with("schema", &place.schema)
            .with("reason", reason(&error)),
    )
}

async fn exists(place: &PostgresPlace, connection: &mut PgConnection) -> Result<bool, Error> {
    let name = format!("{}.hromada_meta", quoted(&place.schema));
    Ok(sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(name)
        .fetch_one(connection)
        .await?)
}

/// The version of the store's tables.
async fn recognised(place: &PostgresPlace, connection: &mut PgConnection) -> Result<u32, Error> {
    if !exists(place, connection).await? {
        return Err(refused(place, "store.no-store-in-database").into());
    }
    let version = meta(place, connection, "schema_version").await?;
    version
        .parse()
        .map_err(|_| refused(place, "store.foreign-schema").into())
}

async fn meta(
    place: &PostgresPlace,
    connection: &mut PgConnection,
    key: &str,
) -> Result<String, Error> {
    let sql = format!(
        "SELECT value FROM {}.hromada_meta WHERE key = $1",
        quoted(&place.schema)
    );
    let value: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(key)
        .fetch_optional(connection)
        .await
        .map_err(|e| right_missing(place, e))?;
    value.ok_or_else(|| refused(place, "store.foreign-schema").into())
}

/// What a primary and its replicas have in common: the cluster, the database, the schema.
async fn identity(place: &PostgresPlace, connection: &mut PgConnection) -> Result<String, Error> {
    let sql = "SELECT concat_ws('/', system_identifier, pg_database.oid, to_regnamespace($1)::oid)
       FROM pg_control_system(), pg_database WHERE datname = current_database()";
    let asked = sqlx::query_scalar(sql).bind(quoted(&place.schema));
    Ok(asked.fetch_one(connection).await?)
}

/// What tells this very database from a copy of it: the cluster, its timeline (another one after a fail-over or a recovery to
/// a moment), and the schema, which a restored dump makes anew. The timeline is that of the log's file name: the control data
/// tells of a new one only with the next checkpoint.
async fn origin(place: &PostgresPlace, connection: &mut PgConnection) -> Result<String, Error> {
    let origin: String = sqlx::query_scalar(
        "SELECT concat_ws('/', system_identifier, substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8), to_regnamespace($1)::oid)
         FROM pg_control_system()",
    )
    .bind(quoted(&place.schema))
    .fetch_one(connection)
    .await?;
    Ok(origin)
}

/// Begins a new epoch when the database is not the one that the store was last opened in: numbers of changes that were lost
/// with the old one are given a second time. Sessions and links end: some that are in the database may have ended since it
/// was copied. Tokens stay, since programs can't sign in anew. Webhooks wait until somebody turns them on: what they are told of
/// is told by the store that this is a copy of.
pub(super) async fn settle(
    place: &PostgresPlace,
    connection: &mut PgConnection,
) -> Result<(), Error> {
    let origin = origin(place, connection).await?;
    let sql = format!(
        "WITH moved AS (UPDATE {0}.hromada_meta SET value = $1 WHERE key = 'origin' AND value <> $1 RETURNING 1),
         ended AS (DELETE FROM {0}.hromada_keys WHERE kind <> 'token' AND EXISTS (SELECT FROM moved)),
         off AS (UPDATE {0}.hromada_webhooks SET state = jsonb_set(state::jsonb, ARRAY['off'], 'true')::text WHERE EXISTS (SELECT FROM moved))
         UPDATE {0}.hromada_meta SET value = {NEW_EPOCH} WHERE key = 'epoch' AND EXISTS (SELECT FROM moved)",
        quoted(&place.schema)
    );
    let begun = sqlx::query(AssertSqlSafe(sql))
        .bind(origin)
        .execute(connection)
        .await
        .map_err(|e| right_missing(place, e))?;
    if begun.rows_affected() > 0 {
        tracing::warn!(database = %place.shown, "the database comes from elsewhere: a new epoch begins");
    }
    Ok(())
}
