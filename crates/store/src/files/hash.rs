//! The name of a stored file: the SHA-256 of its content.

use std::fmt;
use std::str::FromStr;

use model::Message;
use sha2::{Digest, Sha256};

use crate::Error;

/// Folder of the files in the store; another hash would get another one.
pub(super) const FOLDER: &str = "sha256";

/// SHA-256 of a file's content (FIPS 180-4). Written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileHash(pub [u8; 32]);

impl FileHash {
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// `ab/abcdef…`: where the file is within the folder `sha256`. The first two digits keep folders small.
    pub(super) fn key(&self) -> String {
        let name = self.to_string();
        format!("{}/{name}", &name[..2])
    }

    /// The hash that a key names; `None` for what this store did not name.
    pub(super) fn from_key(key: &str) -> Option<Self> {
        let (folder, name) = key.split_once('/')?;
        let hash: Self = name.parse().ok()?;
        name.starts_with(folder)
            .then_some(hash)
            .filter(|_| folder.len() == 2)
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileHash({self})")
    }
}

impl FromStr for FileHash {
    type Err = Error;

    /// # Errors
    /// [`Error::Invalid`] unless these are 64 lower-case hexadecimal digits: one content has one name.
    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || {
            let shown: String = text.chars().take(80).collect();
            Error::Invalid(Message::new("store.files-hash-invalid").with("text", shown))
        };
        let digit = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        };
        let digits: Option<Vec<u8>> = text.bytes().map(digit).collect();
        let digits = digits.filter(|d| d.len() == 64).ok_or_else(invalid)?;
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(hash))
    }
}

/// A hash in the making, with the count of what went in.
#[derive(Default)]
pub(super) struct Hasher {
    state: Sha256,
    pub(super) bytes: u64,
}

impl Hasher {
    pub(super) fn update(&mut self, chunk: &[u8]) {
        self.state.update(chunk);
        self.bytes += chunk.len() as u64;
    }

    pub(super) fn finish(self) -> FileHash {
        FileHash(self.state.finalize().into())
    }
}
