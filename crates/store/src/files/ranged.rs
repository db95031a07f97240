//! A file that is read by pieces where it lies, and is never copied: archives of tiles, in a folder, a bucket, or at an
//! address of the web.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use model::Message;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE};
use url::Url;

use super::FilesLocation;
use super::bucket::Bucket;
use crate::Error;

/// Bytes of one piece: of a tile or a directory of the largest archives.
const MAX_PIECE: u64 = 128 << 20;

/// For a piece of a file on the web: somebody waits for it.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A file that is read by pieces. Cheap to clone.
#[derive(Clone)]
pub struct RangedFile {
    kind: Kind,
    /// How messages call it: without what may be a secret.
    name: String,
}

#[derive(Clone)]
enum Kind {
    Local(PathBuf),
    Bucket { bucket: Bucket, key: String },
    Web { client: reqwest::Client, url: Url },
}

/// Which content a file has: pieces of two versions do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileVersion {
    /// As the service gives it.
    tag: String,
    /// Bytes of the whole file.
    length: u64,
}

/// A piece of a file.
#[derive(Debug, Clone)]
pub struct Piece {
    pub bytes: Bytes,
    pub version: FileVersion,
    /// Bytes of the whole file.
    pub length: u64,
}

impl fmt::Display for RangedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for RangedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RangedFile").field(&self.name).finish()
    }
}

impl fmt::Display for FileVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.tag, self.length)
    }
}

impl FromStr for RangedFile {
    type Err = Error;

    /// A path, `s3://bucket/key?endpoint=https://…&region=…`, or `http://` and `https://`. Nothing is opened.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another scheme, and for credentials in the address, which come from the environment.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::with(text, |name| std::env::var(name).ok())
    }
}

impl RangedFile {
    /// As [`RangedFile::from_str`], with another environment than the process has: credentials of a bucket come from it, as
    /// those of [`super::Files`].
    ///
    /// # Errors
    /// As there.
    pub fn with(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        match text.split_once("://") {
            Some(("http" | "https", _)) => Self::on_the_web(text),
            Some(_) => Self::in_a_bucket(text, environment),
            None if text.is_empty() => Err(invalid(text)),
            None => Ok(Self {
                kind: Kind::Local(PathBuf::from(text)),
                name: text.to_owned(),
            }),
        }
    }

    fn on_the_web(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text).map_err(|_| invalid(text))?;
        let has_secret = !url.username().is_empty() || url.password().is_some();
        if has_secret || !url.has_host() {
            return Err(invalid(url.host_str().unwrap_or_default()));
        }
        // The client is built without a provider of its own; an error means that one is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(TIMEOUT)
            // Whoever keeps the file does not choose what else this server asks for, nor hear what is in the address.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .build()
            .map_err(|e| Error::Io(io::Error::other(e)))?;
        // A query may hold a key.
        let mut shown = url.clone();
        shown.set_query(None);
        Ok(Self {
            kind: Kind::Web { client, url },
            name: shown.into(),
        })
    }

    fn in_a_bucket(
        text: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let location: FilesLocation = text.parse()?;
        let FilesLocation::S3 { prefix: key, .. } = &location else {
            return Err(invalid(text));
        };
        if key.is_empty() {
            return Err(invalid(text));
        }
        let bucket = Bucket::connect(&location, environment)?;
        Ok(Self {
            kind: Kind::Bucket {
                bucket: bucket.ok_or_else(|| invalid(text))?,
                key: key.clone(),
            },
            name: location.to_string(),
        })
    }

    /// Where it is, if it is a file of this machine.
    pub fn path(&self) -> Option<&std::path::Path> {
        match &self.kind {
            Kind::Local(path) => Some(path),
            Kind::Bucket { .. } | Kind::Web { .. } => None,
        }
    }

    /// Bytes from `offset` on, fewer where the file ends before; `None` when the file has another version than `of` by now.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the file is not there, [`Error::Busy`] for a service that does not answer or can't give
    /// pieces, [`Error::Io`].
    pub async fn read(
        &self,
        offset: u64,
        length: u64,
        of: Option<&FileVersion>,
    ) -> Result<Option<Piece>, Error> {
        let length = length.min(MAX_PIECE);
        let piece = match &self.kind {
            Kind::Local(path) => {
                let path = path.clone();
                let reading = tokio::task::spawn_blocking(move || local(&path, offset, length));
                let read = reading.await.map_err(|e| Error::Io(io::Error::other(e)))?;
                read.map_err(|error| self.failed(error))?
            }
            Kind::Bucket { bucket, key } => {
                let end = offset.saturating_add(length);
                let Some((bytes, version, length)) = bucket
                    .piece(key, offset..end, of.map(|of| &*of.tag))
                    .await?
                else {
                    return Ok(None);
                };
                if version.is_empty() {
                    return Err(self.busy("store.ranged-no-ranges", "ETag"));
                }
                let tag = version;
                Piece {
                    bytes,
                    version: FileVersion { tag, length },
                    length,
                }
            }
            Kind::Web { client, url } => self.read_web(client, url, offset, length, of).await?,
        };
        Ok(Some(piece).filter(|piece| of.is_none_or(|of| *of == piece.version)))
    }

    async fn read_web(
        &self,
        client: &reqwest::Client,
        url: &Url,
        offset: u64,
        length: u64,
        of: Option<&FileVersion>,
    ) -> Result<Piece, Error> {
        let last = offset.saturating_add(length.max(1)) - 1;
        let mut request = client
            .get(url.clone())
            .header(RANGE, format!("bytes={offset}-{last}"));
        // Only a strong tag may stand there (RFC 9110 §13.1.5).
        if let Some(of) = of.filter(|of| of.tag.starts_with('"')) {
            request = request.header(IF_RANGE, &of.tag);
        }
        let silent = |error: reqwest::Error| {
            let reason = error.without_url();
            self.busy("store.ranged-unreachable", &reason.to_string())
        };
        let response = request.send().await.map_err(silent)?;
        let header = |name| {
            let value = response.headers().get(name);
            value.and_then(|value| value.to_str().ok().map(str::to_owned))
        };
        let tag = header(ETAG).or_else(|| header(LAST_MODIFIED));
        // Without one nobody could tell when another file has come.
        let tag = tag.ok_or_else(|| self.busy("store.ranged-no-ranges", "ETag"));
        let other = |tag: String| Piece {
            bytes: Bytes::new(),
            version: FileVersion { tag, length: 0 },
            length: 0,
        };
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {}
            // Another version: all of it would come now, or the piece is beyond its end.
            StatusCode::OK if of.is_some_and(|of| tag.as_ref().is_ok_and(|t| *t != of.tag)) => {
                return tag.map(other);
            }
            StatusCode::RANGE_NOT_SATISFIABLE if of.is_some() => return Ok(other(String::new())),
            StatusCode::OK => return Err(self.busy("store.ranged-no-ranges", "200")),
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(self.missing()),
            other => return Err(self.busy("store.ranged-unreachable", other.as_str())),
        }
        let tag = tag?;
        let begins = format!("bytes {offset}-");
        let given = header(CONTENT_RANGE).filter(|text| text.starts_with(&begins));
        let whole = given.and_then(|text| text.rsplit_once('/')?.1.parse().ok());
        let whole: u64 = whole.ok_or_else(|| self.busy("store.ranged-no-ranges", "206"))?;
        let mut response = response;
        let mut bytes = Vec::new();
        // A server that sends more than was asked for is not listened to.
        while let Some(part) = response.chunk().await.map_err(silent)? {
            if bytes.len() as u64 + part.len() as u64 > length {
                return Err(self.busy("store.ranged-no-ranges", "206"));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Piece {
            bytes: bytes.into(),
            version: FileVersion { tag, length: whole },
            length: whole,
        })
    }

    fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::NotFound => self.missing(),
            io::ErrorKind::PermissionDenied => {
                self.busy("store.ranged-unreachable", &error.to_string())
            }
            _ => Error::Io(error),
        }
    }

    fn missing(&self) -> Error {
        Error::NotFound(Message::new("store.ranged-missing").with("file", &self.name))
    }

    fn busy(&self, key: &'static str, reason: &str) -> Error {
        let message = Message::new(key).with("file", &self.name);
        Error::Busy(message.with("reason", reason))
    }
}

fn local(path: &std::path::Path, offset: u64, length: u64) -> io::Result<Piece> {
    // Anew each time, since another file may have come into its place.
    let file = File::open(path)?;
    let about = file.metadata()?;
    let end = about.len().min(offset.saturating_add(length));
    let wanted = usize::try_from(end.saturating_sub(offset)).map_err(io::Error::other)?;
    let mut bytes = vec![0; wanted];
    file.read_exact_at(&mut bytes, offset)?;
    let tag = format!(
        "\"{:x}-{:x}-{:x}-{:x}\"",
        about.dev(),
        about.ino(),
        about.len(),
        i128::from(about.mtime()) * 1_000_000_000 + i128::from(about.mtime_nsec()),
    );
    Ok(Piece {
        bytes: bytes.into(),
        version: FileVersion {
            tag,
            length: about.len(),
        },
        length: about.len(),
    })
}

fn invalid(found: &str) -> Error {
    Error::Invalid(Message::new("store.ranged-location").with("found", found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_by_pieces_of_one_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        std::fs::write(&path, b"0123456789").unwrap();
        let file: RangedFile = path.to_str().unwrap().parse().unwrap();
        let first = file.read(2, 3, None).await.unwrap().unwrap();
        assert_eq!((&*first.bytes, first.length), (&b"234"[..], 10));
        let version = first.version;
        let end = file.read(8, 100, Some(&version)).await.unwrap().unwrap();
        assert_eq!(&*end.bytes, b"89");
        let beyond = file.read(20, 1, Some(&version)).await.unwrap().unwrap();
        assert!(beyond.bytes.is_empty());
        // Another file in its place, as a rename brings it.
        std::fs::write(folder.path().join("b.bin"), b"abcdefghij").unwrap();
        std::fs::rename(folder.path().join("b.bin"), &path).unwrap();
        assert!(file.read(0, 1, Some(&version)).await.unwrap().is_none());
        std::fs::remove_file(&path).unwrap();
        let gone = file.read(0, 1, None).await;
        assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");
    }

    #[test]
    fn locations_name_no_secrets() {
        for (text, shown) in [
            ("/srv/base.pmtiles", "/srv/base.pmtiles"),
            (
                "https://t.test/a.pmtiles?key=secret",
                "https://t.test/a.pmtiles",
            ),
            (
                "s3://maps/ua/base.pmtiles?endpoint=https://s3.test",
                "s3://maps/ua/base.pmtiles",
            ),
        ] {
            let file: RangedFile = text.parse().unwrap();
            assert_eq!(file.to_string(), shown);
        }
        for bad in [
            "",
            "ftp://t.test/a",
            "https://u:p@t.test/a",
            "s3://maps",
            "https://",
        ] {
            assert!(bad.parse::<RangedFile>().is_err(), "{bad}");
        }
    }
}
