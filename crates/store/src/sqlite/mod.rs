//! The embedded store: opening the GeoPackage file and its connections.

pub(crate) mod backup;
mod epoch;
pub(crate) mod tables;
mod value;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{Epoch, Message, Property, PropertyType, Schema};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row};

pub(crate) use value::{bind, blob_srs, is_blob, value, wkb};

use crate::edit::Queue;
use crate::session::quoted;

use crate::{Access, Error, guard};

/// The database in the data folder.
pub const FILE_NAME: &str = "hromada.gpkg";

/// Schema of the store's own tables. An older store is brought up to date when it is opened for writing, a newer one is
/// refused.
pub const SCHEMA_VERSION: u32 = 5;

/// The oldest SQLite that does not lose committed data when a WAL file is reset under load
/// (fixed in 3.51.3), as `sqlite_version()` parts.
pub const MINIMUM_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// `GPKG` in the file header (OGC 12-128r19 §1.1.1.1.1, requirement 2).
const APPLICATION_ID: i64 = 0x4750_4b47;
/// GeoPackage 1.3.
const USER_VERSION: i64 = 10_300;

/// Version 1.
const SCHEMA: &str = include_str!("schema.sql");

/// What makes the next version of each, from version 1 on.
const STEPS: [&str; 4] = [
    include_str!("access.sql"),
    include_str!("styles.sql"),
    include_str!("transactions.sql"),
    include_str!("webhooks.sql"),
];

/// The tables that make a SQLite file a GeoPackage.
pub(crate) const GEOPACKAGE_SCHEMA: &str = include_str!("geopackage.sql");

/// Readers wait this long for a lock. WAL readers wait only while the file is recovered after a crash.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Reading connections. A query runs in one thread, and the machines that this is made for have few cores.
const READERS: u32 = 6;

/// A request that finds no free connection for this long is answered with "busy".
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Rows that may wait between SQLite and their reader.
const ROW_BUFFER: usize = 1024;

/// The WAL file is cut back to this after a checkpoint, in bytes.
const JOURNAL_SIZE_LIMIT: i64 = 64 * 1024 * 1024;

/// The one connection that writes.
pub(crate) struct Writer {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    closed: bool,
}

impl Writer {
    async fn open(options: SqliteConnectOptions) -> Result<Self, Error> {
        Ok(Self {
            connection: Some(options.connect().await?),
            options,
            closed: false,
        })
    }

    /// The connection, outside of any transaction.
    ///
    /// After some errors SQLite rolls back by itself, and sqlx, whose own `ROLLBACK` then fails, takes the transaction
    /// for open ever after: such a connection is put away for a new one.
    ///
    /// # Errors
    /// When writing has ended, or a new connection can't be made.
    pub(crate) async fn connection(&mut self) -> Result<&mut SqliteConnection, Error> {
        if self.closed {
            return Err(Error::Stopped(Message::new("store.closed")));
        }
        if let Some(connection) = &mut self.connection {
            // The answer comes after the rollback of a transaction that was dropped.
            let is_sound = connection.ping().await.is_ok() && !connection.is_in_transaction();
            if !is_sound {
                tracing::warn!(
                    "a transaction was not ended in order; the writing connection is made anew"
                );
                self.put_away().await;
            }
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => writing(&self.options).await?,
        };
        Ok(self.connection.insert(connection))
    }

    pub(crate) async fn close(&mut self) {
        self.closed = true;
        self.put_away().await;
    }

    async fn put_away(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "closing the writing connection failed");
        }
    }
}

/// A connection that writes, to a file that is known to be a store.
async fn writing(options: &SqliteConnectOptions) -> Result<SqliteConnection, Error> {
    let mut connection = options.connect().await?;
    make_wal(&mut connection).await?;
    Ok(connection)
}

/// The journal mode belongs to the file, so this comes after the file has been recognised.
async fn make_wal(connection: &mut SqliteConnection) -> Result<(), Error> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(&mut *connection)
        .await?;
    assert_pragmas(connection, &mode, Role::Writer).await
}

/// An open file and its connections.
pub(crate) struct Database {
    pub(crate) folder: PathBuf,
    pub(crate) reader: SqlitePool,
    pub(crate) access: Access,
    /// `None` when opened for reading.
    pub(crate) writer: Option<tokio::sync::Mutex<Writer>>,
    /// Writes that wait for it.
    pub(crate) queue: Queue,
    /// Of the database file when it was opened.
    identity: Option<(u64, u64)>,
    /// Held for the life of the store; the lock goes with the file.
    _lock: Option<File>,
}

impl Database {
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    /// Whether the file is still the one that was opened: one that was deleted or replaced takes writes that nobody will
    /// find again.
    pub(crate) fn is_still_there(&self) -> bool {
        guard::identity(&self.file()).ok() == self.identity
    }
}

struct Opened {
    epoch: Epoch,
    reader: SqlitePool,
    writer: Option<Writer>,
}

pub(crate) async fn open(folder: &Path, access: Access) -> Result<(Database, Epoch), Error> {
    let lock = match access {
        Access::Write => {
            make_folder(folder)
                .map_err(|e| guard::folder_refused("store.folder-not-writable", folder, &e))?;
            Some(guard::lock(folder)?)
        }
        Access::Read | Access::Administer => None,
    };
    guard::refuse_network_file_system(folder)?;
    let path = folder.join(FILE_NAME);
    let opened = opened(folder, &path, access).await;
    let opened = opened.map_err(|error| match error {
        Error::Database(error) => unreadable(&path, error),
        other => other,
    })?;
    let database = Database {
        folder: folder.to_owned(),
        reader: opened.reader,
        access,
        writer: opened.writer.map(tokio::sync::Mutex::new),
        queue: Queue::default(),
        identity: guard::identity(&path).ok(),
        _lock: lock,
    };
    Ok((database, opened.epoch))
}

/// A folder that is made here is its owner's alone: what is in it is not for all who have an account on the machine.
pub(crate) fn make_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// An empty file for SQLite to begin with, its owner's alone; the files beside it get the same mode.
pub(crate) fn make_file(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

async fn opened(folder: &Path, path: &Path, access: Access) -> Result<Opened, Error> {
    let exists = path.exists();
    if access != Access::Write && !exists {
        return Err(Error::Refused(
            Message::new("store.missing").with("folder", folder.display()),
        ));
    }
    if exists {
        refuse_foreign_header(path)?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(access == Access::Write)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        // A store that somebody else could have written to runs no code of its own.
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        // Rows pass from SQLite's thread to ours in a channel; a longer one wakes the other side less often.
        .row_buffer_size(ROW_BUFFER)
        .disable_statement_logging();
    let mut writer = None;
    match access {
        Access::Write => {
            writer = Some(first_writer(&options, folder, path, exists).await?);
        }
        Access::Administer => writer = Some(second_writer(&options, path).await?),
        Access::Read => {}
    }
    let options = options.read_only(access == Access::Read);
    // Looked at once before the pool, which tries again and again and at last tells only that time ran out.
    let mut connection = options.connect().await?;
    require_sqlite(&mut connection).await?;
    refuse_foreign_tables(&mut connection, path, access).await?;
    let epoch = meta(&mut connection, "epoch").await?;
    connection.close().await?;
    let epoch = epoch.ok_or_else(|| foreign(path))?;
    Ok(Opened {
        epoch: Epoch(epoch.into()),
        reader: reader_pool(options, access).await?,
        writer,
    })
}

/// The writer of a file that is made here when it is absent.
async fn first_writer(
    options: &SqliteConnectOptions,
    folder: &Path,
    path: &Path,
    exists: bool,
) -> Result<Writer, Error> {
    if !exists {
        make_file(path)
            .map_err(|e| guard::folder_refused("store.folder-not-writable", folder, &e))?;
    }
    let mut writer = Writer::open(writing_options(options)).await?;
    let connection = writer.connection().await?;
    require_sqlite(connection).await?;
    if !exists {
        create(connection).await?;
    }
    refuse_foreign_tables(connection, path, Access::Write).await?;
    make_wal(connection).await?;
    epoch::settle(connection, folder).await?;
    Ok(writer)
}

/// The writer of a process that only changes people and rules, beside the one that holds the store.
async fn second_writer(options: &SqliteConnectOptions, path: &Path) -> Result<Writer, Error> {
    let mut writer = Writer::open(writing_options(options)).await?;
    let connection = writer.connection().await?;
    require_sqlite(connection).await?;
    refuse_foreign_tables(connection, path, Access::Administer).await?;
    make_wal(connection).await?;
    Ok(writer)
}

fn writing_options(options: &SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .clone()
        .synchronous(SqliteSynchronous::Full)
        .pragma("secure_delete", "ON")
        .pragma("journal_size_limit", JOURNAL_SIZE_LIMIT.to_string())
        .pragma("cache_size", "-65536")
}

async fn reader_pool(
    options: SqliteConnectOptions,
    access: Access,
) -> Result<SqlitePool, sqlx::Error> {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Kept for ever: while one connection is open, no other program can leave WAL mode.
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::query("PRAGMA query_only = ON")
                    .execute(&mut *connection)
                    .await?;
                let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
                    .fetch_one(&mut *connection)
                    .await?;
                let role = match access {
                    Access::Write => Role::Reader,
                    Access::Read | Access::Administer => Role::Guest,
                };
                assert_pragmas(connection, &mode, role)
                    .await
                    .map_err(|e| match e {
                        Error::Database(e) => e,
                        other => sqlx::Error::Configuration(other.to_string().into()),
                    })
            })
        })
        .connect_with(options)
        .await
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Writer,
    /// Beside the writer, in its process.
    Reader,
    /// Of a process that only reads: it takes the file as it is, so a copy in another journal mode can be read too.
    Guest,
}

/// # Errors
/// When a connection of the writing process is not in WAL mode, or the writing one does not synchronise fully: it
/// would acknowledge writes that a power cut takes away.
async fn assert_pragmas(
    connection: &mut SqliteConnection,
    mode: &str,
    role: Role,
) -> Result<(), Error> {
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(&mut *connection)
        .await?;
    let full = 2;
    let wal = role == Role::Guest || mode.eq_ignore_ascii_case("wal");
    if !wal || (role == Role::Writer && synchronous != full) {
        return Err(Error::Refused(
            Message::new("store.pragmas")
                .with("mode", mode)
                .with("synchronous", synchronous),
        ));
    }
    Ok(())
}

async fn require_sqlite(connection: &mut SqliteConnection) -> Result<(), Error> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection)
        .await?;
    let mut parts = version.split('.').map(|p| p.parse().unwrap_or(0));
    let found = (
        parts.next().unwrap_or(0),
        parts.next().unwrap_or(0),
        parts.next().unwrap_or(0),
    );
    if found < MINIMUM_SQLITE {
        return Err(Error::Refused(
            Message::new("store.sqlite-too-old").with("version", version),
        ));
    }
    Ok(())
}

/// What marks a file as a GeoPackage.
pub(crate) fn header_sql() -> String {
    format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {USER_VERSION};")
}

async fn create(connection: &mut SqliteConnection) -> Result<(), Error> {
    // The page size and the application id take effect before the first table.
    sqlx::raw_sql(sqlx::AssertSqlSafe(header_sql()))
        .execute(&mut *connection)
        .await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql(GEOPACKAGE_SCHEMA)
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    sqlx::query(
        "INSERT INTO hromada_meta (key, value)
         VALUES ('schema_version', '1'), ('epoch', lower(hex(randomblob(8))))",
    )
    .execute(&mut *transaction)
    .await?;
    for step in STEPS {
        sqlx::raw_sql(step).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// # Errors
/// [`Error::Refused`] when the file is not SQLite at all.
fn refuse_foreign_header(path: &Path) -> Result<(), Error> {
    let mut header = [0; 16];
    let mut file = File::open(path)
        .map_err(|e| guard::folder_refused("store.folder-not-writable", path, &e))?;
    let read = std::io::Read::read(&mut file, &mut header)?;
    // An empty file is one whose creation was cut short: SQLite makes it anew.
    if read > 0 && header != *b"SQLite format 3\0" {
        return Err(foreign(path));
    }
    Ok(())
}

async fn refuse_foreign_tables(
    connection: &mut SqliteConnection,
    path: &Path,
    access: Access,
) -> Result<(), Error> {
    let known = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = 'hromada_meta'");
    let known = known.fetch_optional(&mut *connection).await?;
    if known.is_none() {
        let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
            .fetch_one(&mut *connection)
            .await?;
        if tables == 0 && access == Access::Write {
            // Creation was cut short before its transaction was committed.
            return create(connection).await;
        }
        return Err(foreign(path));
    }
    let version = meta(connection, "schema_version").await?;
    let version: u32 = version
        .and_then(|v| v.parse().ok())
        .ok_or_else(|| foreign(path))?;
    if version == 0 {
        // No release ever wrote one.
        return Err(foreign(path));
    }
    if version < SCHEMA_VERSION {
        if access != Access::Write {
            return Err(Error::Refused(
                Message::new("store.older")
                    .with("file", path.display())
                    .with("version", version)
                    .with("known", SCHEMA_VERSION),
            ));
        }
        return upgrade(connection, version).await;
    }
    if version > SCHEMA_VERSION {
        return Err(Error::Refused(
            Message::new("store.newer")
                .with("file", path.display())
                .with("version", version)
                .with("known", SCHEMA_VERSION),
        ));
    }
    Ok(())
}

/// Brings an older store up to date, all steps or none.
async fn upgrade(connection: &mut SqliteConnection, version: u32) -> Result<(), Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for step in &STEPS[version as usize - 1..] {
        sqlx::raw_sql(*step).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    tracing::info!(
        from = version,
        to = SCHEMA_VERSION,
        "the store's tables are brought up to date"
    );
    Ok(())
}

async fn meta(connection: &mut SqliteConnection, key: &str) -> Result<Option<String>, Error> {
    let row = sqlx::query("SELECT value FROM hromada_meta WHERE key = ?")
        .bind(key)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|r| r.get(0)))
}

fn foreign(path: &Path) -> Error {
    Error::Refused(Message::new("store.foreign-file").with("file", path.display()))
}

fn unreadable(path: &Path, error: sqlx::Error) -> Error {
    /// `SQLITE_CORRUPT`, `SQLITE_NOTADB` (<https://sqlite.org/rescode.html>).
    const DAMAGED: [i32; 2] = [11, 26];
    match crate::error::primary_code(&error) {
        Some(code) if DAMAGED.contains(&code) => Error::Refused(
            Message::new("store.damaged")
                .with("file", path.display())
                .with("reason", error),
        ),
        _ => match &error {
            sqlx::Error::Configuration(reason) => Error::Refused(
                Message::new("store.unusable")
                    .with("file", path.display())
                    .with("reason", reason),
            ),
            _ => Error::from(error),
        },
    }
}

/// The state of a row as JSON, by SQL: the same text for single and bulk writes.
pub(crate) fn properties_json(schema: &Schema) -> String {
    let pairs: Vec<String> = schema
        .properties
        .iter()
        .map(|p| format!("'{}', {}", p.name.replace('\'', "''"), json(p)))
        .collect();
    format!("json_object({})", pairs.join(", "))
}

/// SQLite writes doubles into JSON with 15 digits; 17 bring each one back exactly.
fn json(property: &Property) -> String {
    let column = quoted(&property.name);
    if property.kind != PropertyType::Real {
        return column;
    }
    format!("iif(typeof({column}) = 'real', json(format('%!.17g', {column})), {column})")
}
