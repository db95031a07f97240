//! Files in a local folder.
//!
//! `object_store` has a local store too, which would write each file a second time: it can't take over a file
//! that lies beside it already. Here an upload is written once, synchronised, and renamed.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::AsyncReadExt;

use super::hash::{FOLDER, Hasher};
use super::spool::{Spooled, create_folder, sync_folder};
use super::{FileStream, Listed, StoredFile, blocking, folder_failed, missing};
use crate::{Error, FileHash};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

#[derive(Clone)]
pub(super) struct Folder {
    /// `…/sha256`.
    root: PathBuf,
}

impl Folder {
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let root = folder.join(FOLDER);
        create_folder(&root).map_err(|e| folder_failed(&root, &e))?;
        Ok(Self { root })
    }

    fn path(&self, hash: FileHash) -> PathBuf {
        self.root.join(hash.key())
    }

    /// Gives a file its name; on disk when it returns. What is there already stays when it is whole.
    pub(super) fn place(&self, spooled: &Spooled) -> Result<(), Error> {
        let target = self.path(spooled.hash);
        let folder = target.parent().unwrap_or(&self.root);
        let placed = || -> io::Result<()> {
            if is_whole(&target, spooled)? {
                File::open(&target)?.sync_all()?;
            } else {
                spooled.file.sync_all()?;
                create_folder(folder)?;
                std::fs::rename(&spooled.path, &target)?;
            }
            // Also when nothing was made here: who made it may not have come so far.
            sync_folder(folder)?;
            sync_folder(&self.root)
        };
        placed().map_err(|e| folder_failed(&target, &e))
    }

    pub(super) async fn contains(&self, hash: FileHash) -> Result<bool, Error> {
        let path = self.path(hash);
        match tokio::fs::metadata(&path).await {
            Ok(found) => Ok(found.is_file()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(folder_failed(&path, &e)),
        }
    }

    /// The bytes as they are, not verified.
    pub(super) async fn read(&self, hash: FileHash) -> Result<(u64, FileStream), Error> {
        let path = self.path(hash);
        let file = match tokio::fs::File::open(&path).await {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(missing(hash)),
            Err(e) => return Err(folder_failed(&path, &e)),
        };
        let found = file.metadata().await;
        let bytes = found.map_err(|e| folder_failed(&path, &e))?.len();
        let chunks = stream::try_unfold((file, path), |(mut file, path)| async move {
            let mut chunk = Vec::with_capacity(CHUNK);
            let read = (&mut file).take(CHUNK as u64).read_to_end(&mut chunk).await;
            match read.map_err(|e| folder_failed(&path, &e))? {
                0 => Ok(None),
                _ => Ok(Some((Bytes::from(chunk), (file, path)))),
            }
        });
        Ok((bytes, chunks.boxed()))
    }

    pub(super) fn delete(&self, hash: FileHash) -> Result<(), Error> {
        let path = self.path(hash);
        let deleted = match std::fs::remove_file(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => Err(e),
            Ok(()) => sync_folder(path.parent().unwrap_or(&self.root)),
        };
        deleted.map_err(|e| folder_failed(&path, &e))
    }

    /// One folder of 256 at a time is in memory.
    pub(super) fn list(&self) -> BoxStream<'static, Result<Listed, Error>> {
        let root = self.root.clone();
        let first = blocking(move || names(&root, ""));
        let root = self.root.clone();
        stream::once(first)
            .map_ok(move |names| {
                let root = root.clone();
                let each = stream::iter(names).then(move |(name, kind)| {
                    let root = root.clone();
                    blocking(move || within(&root, name, kind))
                });
                each.map_ok(|listed| stream::iter(listed).map(Ok))
                    .try_flatten()
            })
            .try_flatten()
            .boxed()
    }
}

/// Whether the target has the content of the spooled file: one damaged on disk is healed by putting it again.
fn is_whole(target: &Path, spooled: &Spooled) -> io::Result<bool> {
    let found = match std::fs::symlink_metadata(target) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        found => found?,
    };
    if !found.is_file() || found.len() != spooled.bytes {
        return Ok(false);
    }
    let mut file = File::open(target)?;
    let mut hasher = Hasher::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hasher.finish() == spooled.hash),
            n => hasher.update(&chunk[..n]),
        }
    }
}

/// Names in a folder below the root, sorted, with what they are.
fn names(root: &Path, below: &str) -> Result<Vec<(String, std::fs::FileType)>, Error> {
    let folder = root.join(below);
    let read = || -> io::Result<Vec<_>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            names.push((name, entry.file_type()?));
        }
        names.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(names)
    };
    read().map_err(|e| folder_failed(&folder, &e))
}

/// What is in one folder of the root.
fn within(root: &Path, name: String, kind: std::fs::FileType) -> Result<Vec<Listed>, Error> {
    if !kind.is_dir() {
        return Ok(vec![Listed::Other(name)]);
    }
    let mut listed = Vec::new();
    for (file, kind) in names(root, &name)? {
        let key = format!("{name}/{file}");
        let Some(hash) = FileHash::from_key(&key).filter(|_| kind.is_file()) else {
            listed.push(Listed::Other(key));
            continue;
        };
        let path = root.join(&key);
        match std::fs::metadata(&path) {
            Ok(found) => listed.push(Listed::File(StoredFile {
                hash,
                bytes: found.len(),
            })),
            // Deleted since.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(folder_failed(&path, &e)),
        }
    }
    Ok(listed)
}
