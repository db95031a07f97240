//! Files of any size beside the tables, named by their content: attachments, archives of tiles.
//!
//! A file's name is the SHA-256 of its content, `sha256/ab/abcdef…`, in a local folder or a bucket of an
//! S3-compatible service. The same content is stored once, a name never changes its meaning, and what was damaged
//! is found whenever it is read.
//!
//! **Invariant:** under a content's name there is the whole content or nothing: an upload is collected without a
//! name and gets it when its hash is known. An acknowledged [`Files::put`] is on disk, or in the bucket by the
//! service's own word.

mod bucket;
mod folder;
mod hash;
mod location;
mod ranged;
mod scrub;
mod spool;

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::ready;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use model::Message;

use crate::Error;
use hash::Hasher;
use spool::Spool;

pub use hash::FileHash;
pub use location::FilesLocation;
pub use ranged::{FileVersion, Piece, RangedFile};
pub use scrub::{FileFinding, ScrubReport};

/// Folder of unfinished uploads, in the folder of the files (they are renamed into it) or the data folder.
const SPOOL: &str = "files-unfinished";

/// A file that is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredFile {
    pub hash: FileHash,
    pub bytes: u64,
}

/// Content of a file, piece by piece.
pub type FileStream = BoxStream<'static, Result<Bytes, Error>>;

/// An open file store. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    inner: Arc<Inner>,
}

struct Inner {
    place: Place,
    spool: Spool,
}

enum Place {
    Folder(folder::Folder),
    Bucket(bucket::Bucket),
}

/// What a listing comes upon.
enum Listed {
    File(StoredFile),
    /// A name that this store did not give, below `sha256/`.
    Other(String),
}

impl Files {
    /// Opens the store, tries that it can be used, and deletes uploads that a dead process left unfinished.
    /// Uploads to a bucket are collected in `scratch`, the data folder; a folder of files collects its own.
    ///
    /// Credentials of a bucket come from the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
    /// `AWS_SESSION_TOKEN`, or the role of the container or the machine.
    ///
    /// # Errors
    /// [`Error::Refused`] with the remedy for a folder that can't be written, a bucket that is not there, and
    /// credentials that it does not accept; [`Error::Busy`] for a service that does not answer.
    pub async fn open(location: &FilesLocation, scratch: &Path) -> Result<Self, Error> {
        Self::open_with(location, scratch, |name| std::env::var(name).ok()).await
    }

    /// [`Files::open`] with another environment than the process has.
    ///
    /// # Errors
    /// As there.
    pub async fn open_with(
        location: &FilesLocation,
        scratch: &Path,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let bucket = bucket::Bucket::connect(location, environment)?;
        let base = match location {
            FilesLocation::Folder(folder) => folder.clone(),
            FilesLocation::S3 { .. } => scratch.to_owned(),
        };
        let (base, spool) = blocking(move || {
            let spool = Spool::open(base.join(SPOOL))?;
            Ok((base, spool))
        })
        .await?;
        let place = match bucket {
            Some(bucket) => {
                bucket.probe().await?;
                Place::Bucket(bucket)
            }
            None => Place::Folder(blocking(move || folder::Folder::open(&base)).await?),
        };
        let inner = Inner { place, spool };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Stores a file and returns when it is safe. Memory does not grow with the file. A file that is there
    /// already is not written again. When the future is dropped, there is the whole file or nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the source fails, is longer than `max_bytes`, or is not what `expected` names;
    /// [`Error::Full`]; [`Error::Busy`] when a service does not answer, after which the call can be repeated.
    pub async fn put<S, E>(
        &self,
        source: S,
        expected: Option<FileHash>,
        max_bytes: u64,
    ) -> Result<StoredFile, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Display,
    {
        let spooled = self.inner.spool.collect(source, max_bytes).await?;
        let stored = StoredFile {
            hash: spooled.hash,
            bytes: spooled.bytes,
        };
        if let Some(expected) = expected.filter(|e| *e != stored.hash) {
            let message = Message::new("store.files-hash-differs")
                .with("expected", expected)
                .with("found", stored.hash);
            return Err(Error::Invalid(message));
        }
        match &self.inner.place {
            Place::Folder(folder) => {
                let folder = folder.clone();
                blocking(move || folder.place(&spooled)).await?;
            }
            Place::Bucket(bucket) => bucket.upload(&spooled).await?,
        }
        Ok(stored)
    }

    /// A file's length and content. The content is verified while it is read, and its last piece is given only
    /// when the whole has the right hash: a damaged file ends with an error, before its last byte.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] for a damaged file, in the stream.
    pub async fn get(&self, hash: FileHash) -> Result<(u64, FileStream), Error> {
        let (bytes, content) = self.read(hash).await?;
        Ok((bytes, verified(content, hash)))
    }

    async fn read(&self, hash: FileHash) -> Result<(u64, FileStream), Error> {
        match &self.inner.place {
            Place::Folder(folder) => folder.read(hash).await,
            Place::Bucket(bucket) => bucket.read(hash).await,
        }
    }

    /// # Errors
    /// When the folder or the bucket can't be reached.
    pub async fn contains(&self, hash: FileHash) -> Result<bool, Error> {
        match &self.inner.place {
            Place::Folder(folder) => folder.contains(hash).await,
            Place::Bucket(bucket) => Ok(bucket.find(hash).await?.is_some()),
        }
    }

    /// Deletes a file; one that is not there is no error. Whoever deletes knows that nothing refers to the file
    /// and that nobody is putting it: a put that finds it just before is acknowledged.
    ///
    /// # Errors
    /// When the folder or the bucket can't be reached or written.
    pub async fn delete(&self, hash: FileHash) -> Result<(), Error> {
        match &self.inner.place {
            Place::Folder(folder) => {
                let folder = folder.clone();
                blocking(move || folder.delete(hash)).await
            }
            Place::Bucket(bucket) => bucket.delete(hash).await,
        }
    }

    /// Every file, in no promised order. Names that are not the store's are left out and added to `others`.
    /// The content is not read; [`Files::scrub`] does that.
    pub fn list<'a>(
        &'a self,
        others: &'a mut u64,
    ) -> impl Stream<Item = Result<StoredFile, Error>> + Send + 'a {
        self.listed().try_filter_map(move |listed| {
            ready(Ok(match listed {
                Listed::File(file) => Some(file),
                Listed::Other(_) => {
                    *others += 1;
                    None
                }
            }))
        })
    }

    fn listed(&self) -> BoxStream<'static, Result<Listed, Error>> {
        match &self.inner.place {
            Place::Folder(folder) => folder.list(),
            Place::Bucket(bucket) => bucket.list(),
        }
    }
}

/// Lets a content through while it is hashed, one piece late.
fn verified(content: FileStream, hash: FileHash) -> FileStream {
    /// What is left to do; nothing after the last piece.
    struct Reading {
        content: FileStream,
        hasher: Hasher,
        held: Option<Bytes>,
    }
    let reading = Reading {
        content,
        hasher: Hasher::default(),
        held: None,
    };
    stream::try_unfold(Some(reading), move |reading| async move {
        let Some(mut reading) = reading else {
            return Ok(None);
        };
        while let Some(chunk) = reading.content.try_next().await? {
            if chunk.is_empty() {
                continue;
            }
            reading.hasher.update(&chunk);
            if let Some(earlier) = reading.held.replace(chunk) {
                return Ok(Some((earlier, Some(reading))));
            }
        }
        let found = reading.hasher.finish();
        if found != hash {
            return Err(Error::Refused(damaged(hash, found)));
        }
        Ok(reading.held.map(|last| (last, None)))
    })
    .boxed()
}

fn damaged(hash: FileHash, found: FileHash) -> Message {
    Message::new("store.files-damaged")
        .with("hash", hash)
        .with("found", found)
}

fn missing(hash: FileHash) -> Error {
    Error::NotFound(Message::new("store.files-missing").with("hash", hash))
}

fn folder_failed(path: &Path, error: &io::Error) -> Error {
    let full = [
        io::ErrorKind::StorageFull,
        io::ErrorKind::QuotaExceeded,
        io::ErrorKind::FileTooLarge,
    ];
    let is_full = full.contains(&error.kind());
    let message = Message::new(if is_full {
        "store.files-full"
    } else {
        "store.files-folder"
    });
    let message = message.with("path", path.display()).with("reason", error);
    if is_full {
        Error::Full(message)
    } else {
        Error::Refused(message)
    }
}

/// Runs what waits for a disk where it holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(Error::Io(io::Error::other(e))))
}
