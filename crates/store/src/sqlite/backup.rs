//! A backup of the embedded store: one file, made by SQLite itself from one state of the database.

use std::fs::File;
use std::path::Path;

use model::Message;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::{
    BUSY_TIMEOUT, FILE_NAME, epoch, make_file, make_folder, refuse_foreign_header,
    refuse_foreign_tables,
};
use crate::{Access, Error, guard};

/// What belongs to a store beside its database: with a database from elsewhere it would be taken for a part of that.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Writes one state of the database to an empty file. `VACUUM INTO` reads within one transaction, so nobody waits for it, and
/// leaves out the pages of what was deleted.
pub(crate) async fn write(database: &Path, to: &Path) -> Result<(), Error> {
    let mut connection = reading(database).await?;
    sqlx::query("VACUUM INTO ?")
        .bind(to.to_string_lossy().into_owned())
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    // Read back before it gets its name.
    let mut connection = reading(to).await?;
    let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    if found != "ok" {
        return Err(damaged(to, &found));
    }
    Ok(())
}

async fn reading(file: &Path) -> Result<SqliteConnection, Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .disable_statement_logging();
    Ok(options.connect().await?)
}

fn damaged(file: &Path, reason: &str) -> Error {
    Error::Refused(
        Message::new("store.damaged")
            .with("file", file.display())
            .with("reason", reason),
    )
}

/// Puts a backup into a folder that holds no store.
pub(crate) async fn restore(from: &Path, folder: &Path) -> Result<(), Error> {
    let unwritable =
        |e: std::io::Error| guard::folder_refused("store.folder-not-writable", folder, &e);
    refuse_store(folder)?;
    recognise(from).await?;
    make_folder(folder).map_err(unwritable)?;
    let _lock = guard::lock(folder)?;
    guard::refuse_network_file_system(folder)?;
    // Again, now that nobody else can make one.
    refuse_store(folder)?;
    let partial = folder.join(".hromada.gpkg.partial");
    let placed = place(from, &partial, &folder.join(FILE_NAME));
    if placed.is_err() {
        // Nothing is left behind but what the error is about.
        let _ = std::fs::remove_file(&partial);
    }
    placed.map_err(unwritable)
}

fn place(from: &Path, partial: &Path, file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Not the rights of the backup: it may be read only, or everybody's.
    let mut copy = make_file(partial)?;
    std::io::copy(&mut File::open(from)?, &mut copy)?;
    copy.sync_all()?;
    std::fs::rename(partial, file)?;
    file.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// # Errors
/// [`Error::Refused`] when a store, or a rest of one, is in the folder.
fn refuse_store(folder: &Path) -> Result<(), Error> {
    let own = BESIDE.iter().map(|tail| format!("{FILE_NAME}{tail}"));
    for name in own.chain([epoch::FILE_NAME.to_owned()]) {
        let file = folder.join(name);
        if file.symlink_metadata().is_ok() {
            return Err(Error::Refused(
                Message::new("store.restore-not-empty")
                    .with("folder", folder.display())
                    .with("file", file.display()),
            ));
        }
    }
    Ok(())
}

/// # Errors
/// [`Error::Refused`] when the file is no store, is damaged, or is one in use, of which a part is in another file.
async fn recognise(file: &Path) -> Result<(), Error> {
    refuse_foreign_header(file)?;
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    if std::fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0) {
        return Err(Error::Refused(
            Message::new("store.restore-in-use").with("file", file.display()),
        ));
    }
    let looked = async {
        let mut connection = reading(file).await?;
        refuse_foreign_tables(&mut connection, file, Access::Read).await?;
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        if found == "ok" {
            Ok(())
        } else {
            Err(damaged(file, &found))
        }
    };
    looked.await.map_err(|error| match error {
        Error::Database(error) => super::unreadable(file, error),
        other => other,
    })
}
