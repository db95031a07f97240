//! What ends a read or a write.

use std::io;
use std::path::Path;

use model::{FeatureId, Message};

use crate::limits::shown;

/// A failure that ends the reading or writing of a file, or makes one geometry or body unusable.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not what they should be, or go past a cap. The message says what, where and what helps.
    #[error("{0}")]
    Malformed(Message),
    /// The file is a GeoPackage: `store` reads it by SQL.
    #[error("{0}")]
    GeoPackage(Message),
    /// The operating system could not read or write.
    #[error("{message}")]
    Io {
        message: Message,
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// What to tell a person.
    pub fn message(&self) -> &Message {
        match self {
            Self::Malformed(message) | Self::GeoPackage(message) | Self::Io { message, .. } => {
                message
            }
        }
    }

    /// The same, naming the feature that could not be written.
    pub(crate) fn of_feature(self, id: &FeatureId) -> Self {
        match self {
            Self::Malformed(reason) => Message::new("formats.write-feature")
                .with("id", shown(&id.to_string()))
                .with_message("reason", reason)
                .into(),
            other => other,
        }
    }

    /// A failed read. `InvalidData` from the decompressor means a damaged file, not a failing disk.
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        let file = file_name(path);
        // The caps of an unpacked stream travel through `io::Read` as an error of ours.
        if let Some(Error::Malformed(message)) =
            source.get_ref().and_then(|e| e.downcast_ref::<Error>())
        {
            return Self::Malformed(message.clone());
        }
        match source.kind() {
            io::ErrorKind::UnexpectedEof => {
                Self::Malformed(Message::new("formats.truncated").with("file", file))
            }
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                Self::Malformed(Message::new("formats.unpack-failed").with("file", file))
            }
            _ => Self::Io {
                message: Message::new("formats.read-failed")
                    .with("file", file)
                    .with("reason", &source),
                source,
            },
        }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Io {
            message: Message::new("formats.write-failed")
                .with("file", file_name(path))
                .with("reason", &source),
            source,
        }
    }
}

impl From<Message> for Error {
    fn from(message: Message) -> Self {
        Self::Malformed(message)
    }
}

/// The last part of a path, for messages.
pub(crate) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
