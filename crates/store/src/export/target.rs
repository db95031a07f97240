//! Where a file may be written: not over the store itself, nor over what is no file.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use model::Message;

use crate::guard::LOCK_NAME;
use crate::sqlite::FILE_NAME;
use crate::{Error, Place, Store};

/// Symbolic links followed to a file that is not there yet, as many as Linux follows (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

impl Store {
    /// The file that writing to `path` would make or replace, symbolic links followed.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is one of the store's own files, or no regular file: a rename would put a file in the
    /// place of a device.
    pub fn output_target(&self, path: &Path) -> Result<PathBuf, Error> {
        let target = resolved(path)?;
        let refused = |key| {
            Err(Error::Refused(
                Message::new(key).with("file", path.display()),
            ))
        };
        match std::fs::metadata(&target) {
            Ok(found) if !found.is_file() => refused("store.target-not-file"),
            Ok(found) if self.owns(&target, Some(&found)) => refused("store.target-is-store"),
            Err(_) if self.owns(&target, None) => refused("store.target-is-store"),
            _ => Ok(target),
        }
    }

    /// Puts a small file in its place, whole or not at all.
    ///
    /// # Errors
    /// When the disk refuses; what was there before still is.
    pub fn write_output(&self, target: &Path, content: &[u8]) -> Result<(), Error> {
        let partial = Partial::beside(target);
        std::fs::write(partial.path(), content)?;
        partial.persist(target)
    }

    /// Puts a whole file, which lies beside the target, in its place, with the rights that the target has: whoever opens the
    /// target has the old one or the new one, also after a power cut.
    ///
    /// # Errors
    /// When the disk refuses; the target is then as it was.
    pub fn put_output(&self, whole: &Path, target: &Path) -> Result<(), Error> {
        put(whole, target)
    }

    /// Whether the file is one of the store's, by inode, or would be by its name: SQLite makes and deletes `-wal` and
    /// `-shm` as it needs them.
    fn owns(&self, target: &Path, found: Option<&Metadata>) -> bool {
        let Place::Folder(folder) = self.place() else {
            return false;
        };
        if let Some(found) = found {
            let own = own_names().map(|name| std::fs::metadata(folder.join(name)));
            if own.into_iter().flatten().any(|own| same(&own, found)) {
                return true;
            }
        }
        let named = target
            .file_name()
            .is_some_and(|name| own_names().iter().any(|own| name == own.as_str()));
        let parent = parent(target);
        let there = std::fs::metadata(parent).and_then(|p| Ok((p, std::fs::metadata(folder)?)));
        named && there.is_ok_and(|(parent, folder)| same(&parent, &folder))
    }
}

fn own_names() -> [String; 5] {
    [
        FILE_NAME.to_owned(),
        format!("{FILE_NAME}-wal"),
        format!("{FILE_NAME}-shm"),
        format!("{FILE_NAME}-journal"),
        LOCK_NAME.to_owned(),
    ]
}

fn same(a: &Metadata, b: &Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// The path at the end of symbolic links; the last of them may lead to nothing yet.
fn resolved(path: &Path) -> Result<PathBuf, Error> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(next) = std::fs::read_link(&path) else {
            return Ok(path);
        };
        path = parent(&path).join(next);
    }
    Err(Error::Refused(
        Message::new("store.target-not-file").with("file", path.display()),
    ))
}

/// The folder of a file; `.` for a bare name.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn put(whole: &Path, target: &Path) -> Result<(), Error> {
    let file = std::fs::File::open(whole)?;
    if let Ok(old) = std::fs::metadata(target) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()?;
    std::fs::rename(whole, target)?;
    // The new name is on disk only when the folder is.
    std::fs::File::open(parent(target))?.sync_all()?;
    Ok(())
}

/// A file on its way to its place; what is not put there is gone.
pub(crate) struct Partial {
    path: PathBuf,
}

impl Partial {
    /// A name beside the target that no other export uses.
    pub(crate) fn beside(target: &Path) -> Self {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.{}.partial", std::process::id()));
        let partial = Self { path };
        partial.remove();
        partial
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the whole file in the target's place, with the rights that the target has.
    ///
    /// # Errors
    /// When the disk refuses; the target is then as it was.
    pub(super) fn persist(self, target: &Path) -> Result<(), Error> {
        put(&self.path, target)
    }

    /// Puts the whole file where no file is; false when there is one by now.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn persist_new(self, target: &Path) -> Result<bool, Error> {
        std::fs::File::open(&self.path)?.sync_all()?;
        // A link, unlike a rename, never takes the place of another file. Not every file system has links.
        match std::fs::hard_link(&self.path, target) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            Err(_) if target.symlink_metadata().is_ok() => return Ok(false),
            Err(_) => std::fs::rename(&self.path, target)?,
        }
        std::fs::File::open(parent(target))?.sync_all()?;
        Ok(true)
    }

    fn remove(&self) {
        // They are only there when something failed.
        for tail in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.path.as_os_str().to_owned();
            name.push(tail);
            let _ = std::fs::remove_file(name);
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.remove();
    }
}
