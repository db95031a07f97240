//! How directories, metadata and tiles are packed ("Header Design", `InternalCompression`).

use std::fmt;
use std::io::{Read, Write};

use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use super::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Unknown,
    None,
    Gzip,
    Brotli,
    Zstd,
}

impl Compression {
    pub(super) fn from_byte(byte: u8) -> Result<Self, Error> {
        Ok(match byte {
            0 => Self::Unknown,
            1 => Self::None,
            2 => Self::Gzip,
            3 => Self::Brotli,
            4 => Self::Zstd,
            _ => {
                return Err(Error::Malformed(
                    "a compression that version 3 does not have",
                ));
            }
        })
    }

    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::None => 1,
            Self::Gzip => 2,
            Self::Brotli => 3,
            Self::Zstd => 4,
        }
    }

    /// Unpacks bytes, up to `max` of them; `what` names them in errors.
    ///
    /// # Errors
    /// [`Error::Compression`] for anything but gzip and none, [`Error::TooLarge`] past `max`, [`Error::Malformed`]
    /// for bytes that are not of that compression.
    pub fn unpack(self, bytes: &[u8], what: &'static str, max: usize) -> Result<Vec<u8>, Error> {
        let mut unpacked = Vec::new();
        match self {
            Self::None if bytes.len() <= max => unpacked.extend_from_slice(bytes),
            Self::None => return Err(Error::TooLarge { what, max }),
            Self::Gzip => {
                GzDecoder::new(bytes)
                    .take(max as u64 + 1)
                    .read_to_end(&mut unpacked)
                    .map_err(|_not_gzip| Error::Malformed("bytes that are not whole gzip"))?;
                if unpacked.len() > max {
                    return Err(Error::TooLarge { what, max });
                }
            }
            by => return Err(Error::Compression { what, by }),
        }
        Ok(unpacked)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "something unknown",
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Brotli => "brotli",
            Self::Zstd => "zstd",
        })
    }
}

/// As gzip without a time or a name, so that the same bytes give the same.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
