//! A file on its way in: collected beside the store while it is hashed, and named only when it is whole.

use std::fmt::Display;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use model::Message;
use tokio::io::AsyncWriteExt;

use super::hash::Hasher;
use super::{blocking, folder_failed};
use crate::{Error, FileHash};

const ENDING: &str = ".part";

/// The folder of unfinished files.
#[derive(Clone)]
pub(super) struct Spool {
    folder: PathBuf,
}

/// A whole file without its name. It is deleted when dropped, unless it was moved away.
pub(super) struct Spooled {
    pub(super) path: PathBuf,
    /// Locked, which tells other processes that somebody works on it.
    pub(super) file: File,
    pub(super) hash: FileHash,
    pub(super) bytes: u64,
}

impl Spooled {
    /// Reads from the file where it holds up nobody.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&File) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let path = self.path.clone();
        let file = self
            .file
            .try_clone()
            .map_err(|e| folder_failed(&path, &e))?;
        blocking(move || work(&file).map_err(|e| folder_failed(&path, &e))).await
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        // After a move there is nothing under this name; what else stays is swept at the next opening.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Spool {
    /// Makes the folder, deletes what a process that died left in it, and tries that it can be written.
    pub(super) fn open(folder: PathBuf) -> Result<Self, Error> {
        create_folder(&folder)
            .and_then(|()| sweep(&folder))
            .map_err(|e| folder_failed(&folder, &e))?;
        let spool = Self { folder };
        drop(spool.create()?);
        Ok(spool)
    }

    fn create(&self) -> Result<Spooled, Error> {
        self.try_create()
            .map_err(|e| folder_failed(&self.folder, &e))
    }

    fn try_create(&self) -> io::Result<Spooled> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        loop {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = now.map_or(0, |d| d.as_nanos());
            let n = COUNTER.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{now}-{n}{ENDING}", std::process::id());
            let path = self.folder.join(name);
            let mut options = OpenOptions::new();
            let file = match options.read(true).write(true).create_new(true).open(&path) {
                // Another container may have the same process id and clock.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            match file.try_lock() {
                Ok(()) => {}
                // A sweeper came between and has it.
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(e)) => {
                    let _ = std::fs::remove_file(&path);
                    return Err(e);
                }
            }
            if file.metadata()?.nlink() > 0 {
                return Ok(Spooled {
                    path,
                    file,
                    hash: FileHash([0; 32]),
                    bytes: 0,
                });
            }
        }
    }

    /// Collects a stream. Memory: what the stream gives at once and a buffer.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is longer than `max_bytes` or breaks off; [`Error::Full`].
    pub(super) async fn collect<S, E>(&self, source: S, max_bytes: u64) -> Result<Spooled, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Display,
    {
        let spool = self.clone();
        let mut spooled = blocking(move || spool.create()).await?;
        let failed = |e: io::Error| folder_failed(&self.folder, &e);
        let mut writer = tokio::fs::File::from_std(spooled.file.try_clone().map_err(failed)?);
        let mut hasher = Hasher::default();
        let mut source = pin!(source);
        while let Some(chunk) = source.next().await {
            let chunk = chunk.map_err(|e| {
                Error::Invalid(Message::new("store.files-broken-off").with("reason", e))
            })?;
            hasher.update(&chunk);
            if hasher.bytes > max_bytes {
                return Err(Error::Invalid(
                    Message::new("store.files-too-large").with("limit", max_bytes),
                ));
            }
            writer.write_all(&chunk).await.map_err(failed)?;
        }
        writer.flush().await.map_err(failed)?;
        spooled.bytes = hasher.bytes;
        spooled.hash = hasher.finish();
        Ok(spooled)
    }
}

/// Deletes unfinished files that no process has locked.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.to_string_lossy().ends_with(ENDING) {
            continue;
        }
        let file = match File::open(&path) {
            // Its owner was quicker.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        match file.try_lock() {
            Ok(()) => match std::fs::remove_file(&path) {
                Ok(()) => {
                    tracing::info!(file = %path.display(), "an unfinished upload was deleted")
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            },
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(e)) => return Err(e),
        }
    }
    Ok(())
}

/// Makes a folder with those above it, on disk when it returns.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = match folder.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return std::fs::create_dir(folder),
    };
    create_folder(parent)?;
    match std::fs::create_dir(folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    sync_folder(parent)
}

/// Puts the names in a folder on disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
