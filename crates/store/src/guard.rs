//! What is checked before a store is opened: the file system and the lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use model::Message;

use crate::Error;

/// File systems on which SQLite's WAL can't work or locks can't be trusted (`statfs(2)` magic numbers):
/// WAL needs memory shared between all programs that open the file.
const NETWORK_FILE_SYSTEMS: [(u64, &str); 9] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xfe53_4d42, "SMB2"),
    (0xff53_4d42, "CIFS"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
];

/// The file whose lock the writer holds.
pub(crate) const LOCK_NAME: &str = "hromada.lock";

/// Device and inode of a file, by which it is known again.
pub(crate) fn identity(file: &Path) -> std::io::Result<(u64, u64)> {
    let found = std::fs::metadata(file)?;
    Ok((found.dev(), found.ino()))
}

pub(crate) fn folder_refused(key: &'static str, folder: &Path, error: &std::io::Error) -> Error {
    Error::Refused(
        Message::new(key)
            .with("folder", folder.display())
            .with("reason", error),
    )
}

/// # Errors
/// [`Error::Refused`] on a network file system.
pub(crate) fn refuse_network_file_system(folder: &Path) -> Result<(), Error> {
    let status = rustix::fs::statfs(folder)
        .map_err(|e| folder_refused("store.folder-missing", folder, &e.into()))?;
    let kind = u64::try_from(status.f_type).unwrap_or(0) & 0xffff_ffff;
    match network_file_system(kind) {
        Some(name) => Err(Error::Refused(
            Message::new("store.network-file-system")
                .with("folder", folder.display())
                .with("kind", name),
        )),
        None => Ok(()),
    }
}

fn network_file_system(magic: u64) -> Option<&'static str> {
    NETWORK_FILE_SYSTEMS
        .iter()
        .find(|(m, _)| *m == magic)
        .map(|(_, name)| *name)
}

/// Takes the writer's lock of a data folder; it is free again when the file is closed, by a crash too.
///
/// # Errors
/// [`Error::Refused`] naming the process that holds it.
pub(crate) fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK_NAME);
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let mut file = open.map_err(|e| folder_refused("store.folder-not-writable", folder, &e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The number only helps the reader of the message; without it the message still stands.
            let _ = file.read_to_string(&mut holder);
            return Err(locked(folder, holder.trim()));
        }
        Err(TryLockError::Error(e)) => {
            return Err(folder_refused("store.folder-not-writable", folder, &e));
        }
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

/// The holder writes its number after it has the lock, so for a moment there is none.
fn locked(folder: &Path, pid: &str) -> Error {
    let key = if pid.is_empty() {
        "store.locked-by-another"
    } else {
        "store.locked"
    };
    let message = Message::new(key).with("folder", folder.display());
    Error::Refused(message.with("pid", pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_and_local_ones_pass() {
        for magic in [0x6969, 0xff53_4d42, 0x6573_5546] {
            assert!(network_file_system(magic).is_some());
        }
        // ext4, xfs, btrfs, tmpfs, overlay
        for magic in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert!(network_file_system(magic).is_none());
        }
    }

    #[test]
    fn a_holder_without_a_number_is_another_process() {
        let text = locked(Path::new("data"), "").to_string();
        assert!(text.contains("another process"), "{text}");
    }

    #[test]
    fn a_second_writer_is_told_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        let second = lock(folder.path()).unwrap_err().to_string();
        assert!(second.contains(&std::process::id().to_string()), "{second}");
        drop(first);
        lock(folder.path()).unwrap();
    }
}
