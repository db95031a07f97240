//! Backups of a whole store, and stores made of them.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use model::Message;

use crate::backend::Backend;
use crate::export::Partial;
use crate::{Error, Place, Store, postgres, sqlite};

/// What a backup wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    pub file: PathBuf,
    pub bytes: u64,
}

impl Store {
    /// Writes the whole store, as it is at one moment, to a file that is not there yet: a GeoPackage of the store in a folder, a
    /// dump of `pg_dump` of one in PostgreSQL. In a folder the file gets a name from the time. It appears whole, on disk, or not
    /// at all; others go on writing meanwhile.
    ///
    /// # Errors
    /// [`Error::Refused`] when the file is there, can't be written, or the database's tool is missing or too old.
    pub async fn backup(&self, to: &Path) -> Result<BackupReport, Error> {
        let named = if to.is_dir() {
            to.join(self.backup_name())
        } else {
            to.to_owned()
        };
        // A link that leads nowhere is something too.
        if named.symlink_metadata().is_ok() {
            return Err(exists(&named));
        }
        let file = self.output_target(&named)?;
        let unwritable = |error: Error| match error {
            Error::Io(error) => Error::Refused(
                Message::new("store.backup-not-written")
                    .with("file", file.display())
                    .with("reason", error),
            ),
            other => other,
        };
        let partial = Partial::beside(&file);
        // Told before a long work, and by whom it concerns. Its owner's alone, as the store is.
        sqlite::make_file(partial.path()).map_err(|e| unwritable(e.into()))?;
        match &self.inner.backend {
            Backend::Sqlite(database) => {
                sqlite::backup::write(&database.file(), partial.path()).await?;
            }
            Backend::Postgres(database) => {
                postgres::dump::write(database, partial.path()).await?;
            }
        }
        let bytes = std::fs::metadata(partial.path())?.len();
        if !partial.persist_new(&file).map_err(unwritable)? {
            return Err(exists(&file));
        }
        Ok(BackupReport { file, bytes })
    }

    /// `hromada-20261127-101500.gpkg`, in UTC.
    fn backup_name(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = now.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(0));
        let time = model::date_time_of(seconds / 86_400, seconds % 86_400 * 1_000_000);
        let digits: String = time
            .unwrap_or_default()
            .chars()
            .filter(char::is_ascii_digit)
            .take(14)
            .collect();
        let (day, time) = digits.split_at(digits.len().min(8));
        let extension = match &self.inner.backend {
            Backend::Sqlite(_) => "gpkg",
            Backend::Postgres(_) => "dump",
        };
        format!("hromada-{day}-{time}.{extension}")
    }
}

fn exists(file: &Path) -> Error {
    Error::Refused(Message::new("store.backup-exists").with("file", file.display()))
}

/// Makes a store of a backup, in a folder without one or in a schema that is not there. The first opening for writing begins a new
/// epoch.
///
/// # Errors
/// [`Error::Refused`] when there is a store already, or the file is no backup of this kind of store.
pub async fn restore(from: &Path, place: &Place) -> Result<(), Error> {
    match place {
        Place::Folder(folder) => sqlite::backup::restore(from, folder).await,
        Place::Postgres(place) => postgres::dump::restore(from, place).await,
    }
}
