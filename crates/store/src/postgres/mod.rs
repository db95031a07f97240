//! The server store: a schema in a PostgreSQL database with PostGIS.
//!
//! A collection is a typed table in the store's schema. Triggers of each table write the change log, whoever writes the
//! table, and number its rows when the transaction ends.

pub(crate) mod copy;
pub(crate) mod dump;
mod follow;
mod place;
pub(crate) mod publish;
pub(crate) mod tables;
mod value;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::stream::{self, Stream, StreamExt};
use model::{ChangeSeq, Collection, Epoch, Message, PropertyType, Schema};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow, Postgres};
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::sync::{RwLock, RwLockReadGuard};

pub(crate) use follow::Following;
pub use follow::Lag;
pub use place::PostgresPlace;
pub(crate) use place::is_postgres;
pub use publish::{Followed, PublishJob, Published};
pub(crate) use value::{bind, ewkb, value, wkb};

use crate::session::{Session, Transaction, quoted, statement};
use crate::table::Table;
use crate::{Access, Error};

/// Schema of the store's own tables, the first that there is.
const SCHEMA_VERSION: u32 = 1;

/// `server_version_num` of the oldest PostgreSQL that its own project still mends.
const OLDEST_POSTGRES: i32 = 140_000;

/// The oldest PostGIS that is tested: that of Debian 11.
const OLDEST_POSTGIS: (u32, u32) = (3, 1);

const SCHEMA: &str = include_str!("schema.sql");
const TRIGGER: &str = include_str!("trigger.sql");

/// Connections of one server. PostgreSQL takes 100 by default, and several servers may share it.
const CONNECTIONS: u32 = 16;

/// A request that finds no free connection for this long is answered with "busy".
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that nobody used for this long is asked whether it is still there before it is lent.
const ASK_AFTER: Duration = Duration::from_secs(1);

/// A server that gives no answer for this long while a connection is made is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a statement of a request may take at most; a page of 10,000 parcels takes some 100 ms.
const STATEMENT_TIMEOUT: &str = "20s";
/// How long a request waits for a row or table that another transaction holds.
const LOCK_TIMEOUT: &str = "5s";
/// A transaction whose client has gone quiet is ended by the server.
const IDLE_TIMEOUT: &str = "60s";

/// Longest name of PostgreSQL, in bytes (`NAMEDATALEN - 1`).
const MAX_NAME: usize = 63;

pub(crate) struct Database {
    pub(crate) place: PostgresPlace,
    /// Reads and writes of requests.
    pub(crate) pool: ArcSwap<PgPool>,
    /// Reads that may be a little behind, where another server is named for them.
    pub(crate) reader: ArcSwap<PgPool>,
    pub(crate) path: String,
    pub(crate) following: Following,
    pub(crate) can_write: bool,
    /// Held by each write to its end; true when the store is closed.
    closed: RwLock<bool>,
}

impl Database {
    /// A connection for reading.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Postgres>, Error> {
        self.following.require_contact()?;
        Ok(self.reader.load().acquire().await?)
    }

    /// A transaction that sees one state of the database.
    pub(crate) async fn read(&self) -> Result<sqlx::Transaction<'static, Postgres>, Error> {
        self.following.require_contact()?;
        let begun = self.reader.load().begin_with(READ).await?;
        Ok(begun)
    }

    /// A transaction that writes.
    pub(crate) async fn write(&self) -> Result<sqlx::Transaction<'static, Postgres>, Error> {
        self.following.require_contact()?;
        Ok(self.pool.load().begin().await?)
    }

    /// Waits until the index holds a change, and the server that pages are read from, where that is another.
    pub(crate) async fn reached(&self, seq: ChangeSeq, patience: Duration) -> bool {
        if !self.following.reached(seq, patience).await {
            return false;
        }
        if self.place.read_url.is_none() {
            return true;
        }
        loop {
            let reader = self.reader.load_full();
            let asked = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM hromada_changes")
                .fetch_one(&*reader)
                .await;
            match asked {
                Ok(found) if seq.0 <= found => return true,
                Ok(_) => tokio::time::sleep(REPLICA_POLL).await,
                Err(error) => {
                    tracing::warn!(%error, "the replica can't be asked how far it is");
                    return false;
                }
            }
        }
    }

    /// New connections in the place of all that there are.
    pub(crate) fn renew(&self) {
        let renewed = pool(&self.place, &self.path).and_then(|new| {
            Ok([
                self.pool.swap(Arc::new(new)),
                self.reader.swap(Arc::new(reader(&self.place, &self.path)?)),
            ])
        });
        match renewed {
            Ok(old) => {
                for pool in old {
                    tokio::spawn(async move { pool.close().await });
                }
            }
            Err(error) => tracing::error!(%error, "the connections can't be made anew"),
        }
    }

    /// Leave to write; closing waits for its end.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the store is closed.
    pub(crate) async fn enter(&self) -> Result<RwLockReadGuard<'_, bool>, Error> {
        let closed = self.closed.read().await;
        if *closed {
            return Err(Error::Stopped(Message::new("store.closed")));
        }
        Ok(closed)
    }

    pub(crate) async fn close(&self) {
        self.following.end();
        *self.closed.write().await = true;
        self.reader.load().close().await;
        self.pool.load().close().await;
    }
}

/// For a transaction that reads or writes whole tables.
pub(crate) const WITHOUT_LIMIT: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// How often a replica is asked whether it has a change that somebody waits for.
const REPLICA_POLL: Duration = Duration::from_millis(20);

const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A request waits no longer for the database: the network may be cut without anybody telling.
const PATIENCE: Duration = Duration::from_secs(25);

/// # Errors
/// [`Error::Busy`] when the database gives no answer.
pub(crate) async fn within_patience<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| Err(Error::Busy(Message::new("store.database-away"))))
}

/// Opens the store in a schema of a database; with the right to write it is made or brought up to date first.
///
/// # Errors
/// [`Error::Refused`] with the remedy when the server can't be reached or does not let us in, is too old, PostGIS is
/// missing, the role lacks a right, or the schema is that of something else or of a newer version.
pub(crate) async fn open(
    place: &PostgresPlace,
    access: Access,
) -> Result<(Database, Epoch), Error> {
    let options = options(place, &place.url)?;
    let mut connection = connect(place, &options).await?;
    require_versions(place, &mut connection).await?;
    let path = search_path(place, &mut connection).await?;
    if access == Access::Write {
        migrate(place, &path, &mut connection).await?;
    }
    let version = recognised(place, &mut connection).await?;
    if version > SCHEMA_VERSION {
        return Err(refused(place, "store.newer")
            .with_version(version, SCHEMA_VERSION)
            .into());
    }
    if access == Access::Write {
        settle(place, &mut connection).await?;
    }
    let epoch: String = meta(place, &mut connection, "epoch").await?;
    close(connection).await;
    let database = Database {
        place: place.clone(),
        pool: ArcSwap::from_pointee(pool(place, &path)?),
        reader: ArcSwap::from_pointee(reader(place, &path)?),
        path,
        following: Following::default(),
        can_write: access == Access::Write,
        closed: RwLock::new(false),
    };
    if place.read_url.is_some() {
        // Asked now, so that a mistake in the address is told at once.
        database.reader.load().acquire().await?;
    }
    Ok((database, Epoch(epoch.into())))
}

fn pool(place: &PostgresPlace, path: &str) -> Result<PgPool, Error> {
    let options = options(place, &place.url)?;
    Ok(pool_options().connect_lazy_with(options.options([("search_path", path)])))
}

fn reader(place: &PostgresPlace, path: &str) -> Result<PgPool, Error> {
    let url = place.read_url.as_ref().unwrap_or(&place.url);
    let options = options(place, url)?;
    Ok(pool_options().connect_lazy_with(options.options([("search_path", path)])))
}

fn options(place: &PostgresPlace, url: &str) -> Result<PgConnectOptions, Error> {
    use sqlx::ConnectOptions;
    let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| {
        Error::Refused(
            Message::new("store.database-url")
                .with("database", &place.shown)
                .with("reason", error),
        )
    })?;
    Ok(options
        .application_name("hromada")
        .options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("lock_timeout", LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_TIMEOUT),
            // Whoever asks later for times and numbers gets them in one form.
            ("timezone", "UTC"),
            ("client_min_messages", "warning"),
        ])
        .disable_statement_logging())
}

async fn connect(place: &PostgresPlace, options: &PgConnectOptions) -> Result<PgConnection, Error> {
    let connected =
        tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(options)).await;
    match connected {
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

async fn close(connection: PgConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "closing a connection failed");
    }
}

fn pool_options() -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for < ASK_AFTER {
                    return Ok(true);
                }
                let asked = tokio::time::timeout(ACQUIRE_TIMEOUT / 2, connection.ping()).await;
                Ok(matches!(asked, Ok(Ok(()))))
            })
        })
}

/// Something about a store that can't be used, with its name.
struct Refusal(Message);

impl Refusal {
    fn with_version(self, version: u32, known: u32) -> Self {
        Self(self.0.with("version", version).with("known", known))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.0)
    }
}

fn refused(place: &PostgresPlace, key: &'static str) -> Refusal {
    Refusal(
        Message::new(key)
            .with("file", &place.shown)
            .with("database", &place.shown)
            .with("schema", &place.schema),
    )
}

async fn require_versions(
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

/// The store's schema and that of PostGIS, which is installed when it may be.
async fn search_path(
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
    if exists(place, &mut transaction).await? {
        // There is no older version to bring up to date.
        transaction.rollback().await?;
        return Ok(());
    }
    let sql = format!(
        "SET LOCAL search_path = {path}; {}",
        filled(place, path, SCHEMA)
    );
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut *transaction)
        .await
        .map_err(|e| right_missing(place, e))?;
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {schema}.hromada_meta (key, value) VALUES
           ('schema_version', $1), ('epoch', {NEW_EPOCH}), ('registry', '0'), ('origin', $2)"
    )))
    .bind(SCHEMA_VERSION.to_string())
    .bind(origin(place, &mut transaction).await?)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    tracing::info!(database = %place.shown, schema = %place.schema, "the store's tables are made");
    Ok(())
}

const NEW_EPOCH: &str = "substr(replace(gen_random_uuid()::text, '-', ''), 1, 16)";

fn filled(place: &PostgresPlace, path: &str, template: &str) -> String {
    template
        .replace("{path}", path)
        .replace("{schema_text}", &literal(&place.schema))
        .replace("{channel}", &literal(&channel(place)))
}

/// The channel on which changes of this store are told.
pub(crate) fn channel(place: &PostgresPlace) -> String {
    column_name(&format!("hromada_{}", place.schema))
}

/// A text in SQL. Only names that the store made itself get there.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn right_missing(place: &PostgresPlace, error: sqlx::Error) -> Error {
    /// `insufficient_privilege`
    const DENIED: &str = "42501";
    let code = error.as_database_error().and_then(|e| e.code());
    if code.as_deref() != Some(DENIED) {
        return error.into();
    }
    Error::Refused(
        Message::new("store.right-missing")
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

/// What tells this very database from a copy of it: the cluster, its timeline (another one after a fail-over or a recovery to
/// a moment), and the schema, which a restored dump makes anew.
async fn origin(place: &PostgresPlace, connection: &mut PgConnection) -> Result<String, Error> {
    let origin: String = sqlx::query_scalar(
        "SELECT concat_ws('/', s.system_identifier, c.timeline_id, to_regnamespace($1)::oid)
         FROM pg_control_system() AS s, pg_control_checkpoint() AS c",
    )
    .bind(quoted(&place.schema))
    .fetch_one(connection)
    .await?;
    Ok(origin)
}

/// Begins a new epoch when the database is not the one that the store was last opened in: numbers of changes that were lost
/// with the old one are given a second time.
pub(crate) async fn settle(
    place: &PostgresPlace,
    connection: &mut PgConnection,
) -> Result<(), Error> {
    let origin = origin(place, connection).await?;
    let sql = format!(
        "WITH moved AS (UPDATE {0}.hromada_meta SET value = $1 WHERE key = 'origin' AND value <> $1 RETURNING 1)
         UPDATE {0}.hromada_meta SET value = {NEW_EPOCH} WHERE key = 'epoch' AND EXISTS (SELECT FROM moved)",
        quoted(&place.schema)
    );
    let begun = sqlx::query(AssertSqlSafe(sql))
        .bind(origin)
        .execute(connection)
        .await?;
    if begun.rows_affected() > 0 {
        tracing::warn!(database = %place.shown, "the database comes from elsewhere: a new epoch begins");
    }
    Ok(())
}

/// The name of a property's column: cut to what PostgreSQL takes, told apart by a hash; not that of a system column.
pub(crate) fn column_name(property: &str) -> String {
    const SYSTEM: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];
    if property.len() <= MAX_NAME && !SYSTEM.contains(&property) {
        return property.to_owned();
    }
    // FNV-1a: the same on every machine and in every version.
    let hash = property
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let tail = format!("_{hash:016x}");
    let mut end = property.len().min(MAX_NAME - tail.len());
    while !property.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", &property[..end])
}

/// Says for whom a transaction writes; the change log keeps it.
pub(crate) async fn act_for(session: &mut Session<'_>, actor: &str) -> Result<(), Error> {
    let sql = "SELECT set_config('hromada.actor', ?, true)";
    session.execute(statement(sql).bind(actor)).await?;
    Ok(())
}

/// The declared type of a geometry column. Where some geometries have Z or M and others not, only a column without
/// dimensions takes both.
pub(crate) fn geometry_type(collection: &Collection, is_mixed: bool) -> String {
    if is_mixed {
        return "geometry".to_owned();
    }
    let dims = match (collection.has_z, collection.has_m) {
        (false, false) => "",
        (true, false) => "Z",
        (false, true) => "M",
        (true, true) => "ZM",
    };
    format!(
        "geometry({}{dims}, {})",
        collection.geometry_type.name(),
        collection.storage_crs.code()
    )
}

/// The state of a row as JSON, with the names that properties have in the schema.
pub(crate) fn properties_json(table: &Table, schema: &Schema) -> String {
    if schema.properties.is_empty() {
        return "'{}'::json".to_owned();
    }
    // Not `json_build_object`: a function of PostgreSQL takes 100 arguments.
    let pairs: Vec<String> = schema
        .properties
        .iter()
        .zip(table.columns.iter().zip(&table.reads))
        .map(|(property, (column, read))| {
            let value = match property.kind {
                PropertyType::DateTime => format!(
                    "to_json(to_char(({read}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))"
                ),
                _ => format!("to_json({column})"),
            };
            format!("({}, {value})", literal(&property.name))
        })
        .collect();
    format!(
        "(SELECT json_object_agg(k, v) FROM (VALUES {}) AS hromada_pairs (k, v))",
        pairs.join(", ")
    )
}

/// The triggers that log what is written to a collection's table.
pub(crate) fn trigger_sql(
    path: &str,
    n: i64,
    table: &Table,
    schema: &Schema,
    counts_keys: bool,
) -> String {
    let counter = if counts_keys {
        format!(
            "PERFORM setval(s, (SELECT max({key}) FROM hromada_new)) FROM pg_get_serial_sequence({table}, {column}) AS s
       WHERE (SELECT max({key}) FROM hromada_new) > pg_sequence_last_value(s::regclass);",
            key = table.key,
            table = literal(&table.name),
            column = literal(&table.key),
        )
    } else {
        String::new()
    };
    TRIGGER
        .replace("{path}", path)
        .replace("{n}", &n.to_string())
        .replace("{counter}", &counter)
        .replace("{properties}", &properties_json(table, schema))
        .replace("{geometry}", &table.geometry_read)
        .replace("{key}", &table.key)
        .replace("{table}", &table.name)
}

/// Numbers the changes of a transaction: its last step, since others wait for it from here on.
pub(crate) async fn number(session: &mut Session<'_>) -> Result<ChangeSeq, Error> {
    let row = session
        .fetch_one(statement("SELECT hromada_number()"))
        .await?;
    Ok(ChangeSeq(row.maybe_integer(0)?.unwrap_or(0)))
}

/// Whether the database gives no answer, or none to us: the connection is lost, it is starting or ending, or has become a
/// replica.
pub(crate) fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => crate::error::sqlstate(error).is_some_and(|code| {
            // Class 08: connection; 57P01 to 57P03: shutdown, crash, starting; 25006: read only; 53300: too many connections.
            code.starts_with("08")
                || matches!(
                    code.as_str(),
                    "57P01" | "57P02" | "57P03" | "25006" | "53300"
                )
        }),
    }
}

/// Ends a transaction that writes.
///
/// # Errors
/// [`Error::Busy`] with words of its own when the commit was not answered: it may have been made or not. The index follows
/// the database either way; the client has to look before it tries again.
pub(crate) async fn commit(transaction: Transaction<'_>) -> Result<(), Error> {
    let answered = tokio::time::timeout(PATIENCE, transaction.commit()).await;
    match answered {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if !is_away(&error) => Err(error.into()),
        lost => {
            let reason = lost.map_or_else(|e| e.to_string(), |e| format!("{e:?}"));
            tracing::error!(reason, "a commit was not answered");
            Err(Error::Busy(Message::new("store.outcome-unknown")))
        }
    }
}

/// A database that sends nothing more for this long, in the middle of an answer, is not there.
const ROW_PATIENCE: Duration = Duration::from_secs(30);

/// Rows as they come; their end is an error when they stop coming.
pub(crate) fn while_they_come<'a>(
    rows: impl Stream<Item = Result<PgRow, sqlx::Error>> + Unpin + 'a,
) -> impl Stream<Item = Result<crate::session::Row, Error>> + 'a {
    stream::unfold(rows, |mut rows| async {
        let next = tokio::time::timeout(ROW_PATIENCE, rows.next()).await;
        let row = match next {
            Ok(row) => row?.map(crate::session::Row::Postgres).map_err(Error::from),
            Err(_) => Err(Error::Busy(Message::new("store.database-away"))),
        };
        Some((row, rows))
    })
}
