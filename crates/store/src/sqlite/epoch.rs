//! The life of a store: a new one begins when the database comes into the folder from elsewhere.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use sqlx::sqlite::SqliteConnection;

use super::meta;
use crate::{Error, guard};

/// Holds the epoch beside the database, so that a copy of the database alone is known as one.
pub(super) const FILE_NAME: &str = "hromada.epoch";

/// Begins a new epoch when the folder does not know the one of the database: the database is new, or was restored,
/// and its change numbers will be given a second time.
pub(super) async fn settle(connection: &mut SqliteConnection, folder: &Path) -> Result<(), Error> {
    let refused = |e: io::Error| guard::folder_refused("store.folder-not-writable", folder, &e);
    let known = read(folder).map_err(refused)?;
    if known.is_some() && known == meta(connection, "epoch").await? {
        return Ok(());
    }
    // Some that are in the database may have ended since it was copied. Tokens stay: programs can't sign in anew.
    sqlx::query("DELETE FROM hromada_keys WHERE kind <> 'token'")
        .execute(&mut *connection)
        .await?;
    // What they are told of is told by the store that this is a copy of.
    sqlx::query("UPDATE hromada_webhooks SET state = json_set(state, '$.off', json('true'))")
        .execute(&mut *connection)
        .await?;
    // The database first: when the file is not written after it, the next start begins another epoch.
    let epoch: String = sqlx::query_scalar(
        "INSERT INTO hromada_meta (key, value) VALUES ('epoch', lower(hex(randomblob(8))))
         ON CONFLICT (key) DO UPDATE SET value = excluded.value RETURNING value",
    )
    .fetch_one(connection)
    .await?;
    write(folder, &epoch).map_err(refused)
}

fn read(folder: &Path) -> io::Result<Option<String>> {
    match std::fs::read(folder.join(FILE_NAME)) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whole or not at all, and on disk.
fn write(folder: &Path, epoch: &str) -> io::Result<()> {
    let partial = folder.join(".hromada.epoch.partial");
    let mut file = File::create(&partial)?;
    file.write_all(format!("{epoch}\n").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&partial, folder.join(FILE_NAME))?;
    File::open(folder)?.sync_all()
}
