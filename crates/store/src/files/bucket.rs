//! Files in a bucket of Amazon S3 or a service that speaks its protocol.

mod failure;
mod proof;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use model::Message;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::path::Path as Key;
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, RetryConfig,
};

use super::hash::FOLDER;
use super::scrub::drained;
use super::spool::Spooled;
use super::{FileStream, FilesLocation, Listed, StoredFile, missing};
use crate::{Error, FileHash};

/// The names in the environment that credentials may come from.
const CREDENTIALS: [&str; 10] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

const DEFAULT_REGION: &str = "us-east-1";

/// One request without progress; an upload of one part must fit, so a link of 600 kbit/s is the slowest.
/// There is no limit on the whole: whoever fetches a large file may be slower than the service.
const SILENCE: Duration = Duration::from_secs(120);

/// A short failure is bridged; a longer one is told to the caller while somebody waits.
const RETRIES: usize = 4;

/// A file of at most this many bytes is one request, a larger one has parts of this size. It is held in memory.
const PART: u64 = 8 * 1024 * 1024;

/// Parts of one upload; the services allow 10,000.
const MAX_PARTS: u64 = 9_000;

#[derive(Clone)]
pub(super) struct Bucket {
    store: AmazonS3,
    /// `prefix/sha256`.
    root: Key,
    /// How messages call it.
    location: String,
    endpoint: String,
}

impl Bucket {
    /// Without a connection yet; `None` for a location that is no bucket.
    pub(super) fn connect(
        location: &FilesLocation,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Error> {
        let FilesLocation::S3 {
            endpoint,
            region,
            bucket,
            prefix,
        } = location
        else {
            return Ok(None);
        };
        // The HTTP client asks for the process's provider and is built without one of its own. An error means
        // that one is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let region = region.clone();
        let region = region
            .or_else(|| set("AWS_REGION"))
            .or_else(|| set("AWS_DEFAULT_REGION"))
            .unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let plain = endpoint.as_ref().is_some_and(|e| e.starts_with("http://"));
        let client = ClientOptions::new()
            .with_allow_http(plain)
            .with_timeout_disabled()
            .with_read_timeout(SILENCE)
            .with_connect_timeout(Duration::from_secs(10));
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&region)
            .with_client_options(client)
            .with_retry(retries())
            // Each request carries the SHA-256 of its body, which the service compares.
            .with_checksum_algorithm(Checksum::SHA256)
            // Not every service knows how to delete many at once.
            .with_disable_bulk_delete(true);
        for name in CREDENTIALS {
            let key = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>();
            if let (Ok(key), Some(value)) = (key, set(name)) {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let shown = location.to_string();
        let amazon = || format!("https://s3.{region}.amazonaws.com");
        let endpoint = endpoint.clone().unwrap_or_else(amazon);
        let store = builder
            .build()
            .map_err(|e| failure::of_settings(&shown, &e))?;
        let root = prefix.split('/').filter(|part| !part.is_empty());
        Ok(Some(Self {
            store,
            root: root.chain([FOLDER]).collect(),
            location: shown,
            endpoint,
        }))
    }

    /// Asks for one page of names: whether the bucket is there and the credentials fit.
    pub(super) async fn probe(&self) -> Result<(), Error> {
        let first = self.store.list(Some(&self.root)).try_next().await;
        first.map(drop).map_err(|e| self.failed(&e))
    }

    fn failed(&self, error: &object_store::Error) -> Error {
        failure::of_request(&self.location, &self.endpoint, error)
    }

    fn key(&self, hash: FileHash) -> Key {
        Key::from(format!("{}/{}", self.root, hash.key()))
    }

    pub(super) async fn find(&self, hash: FileHash) -> Result<Option<ObjectMeta>, Error> {
        match self.store.head(&self.key(hash)).await {
            Ok(found) => Ok(Some(found)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Puts a file into the bucket unless it is there; proven when it returns.
    pub(super) async fn upload(&self, spooled: &Spooled) -> Result<(), Error> {
        let part = PART.max(spooled.bytes.div_ceil(MAX_PARTS));
        let bytes = spooled.bytes;
        let expected = spooled
            .read(move |file| proof::tag(file, bytes, part))
            .await?;
        if let Some(found) = self.find(spooled.hash).await?
            && found.size == spooled.bytes
            && self.proven(spooled, found.e_tag, &expected).await?
        {
            return Ok(());
        }
        let tag = if spooled.bytes <= part {
            self.upload_whole(spooled).await?
        } else {
            self.upload_parts(spooled, part).await?
        };
        // A proof that breaks off proves nothing: what is there may be another put's, acknowledged already.
        if self.proven(spooled, tag, &expected).await? {
            return Ok(());
        }
        self.delete(spooled.hash).await?;
        Err(failure::unproven(&self.location, spooled.hash))
    }

    /// Whether the service has the content: by the MD5 that it made of what it received, or, where its tag is
    /// something else (a bucket encrypted with a key of its own), by reading all of it back.
    async fn proven(
        &self,
        spooled: &Spooled,
        tag: Option<String>,
        expected: &str,
    ) -> Result<bool, Error> {
        if tag.is_some_and(|tag| proof::is_same(&tag, expected)) {
            return Ok(true);
        }
        let (_, content) = self.read(spooled.hash).await?;
        let (found, _) = drained(content).await?;
        Ok(found == spooled.hash)
    }

    async fn upload_whole(&self, spooled: &Spooled) -> Result<Option<String>, Error> {
        let memory = BytesMut::zeroed(length(spooled.bytes)?);
        let content = piece(spooled, 0, memory).await?;
        let put = self
            .store
            .put(&self.key(spooled.hash), content.into())
            .await;
        Ok(put.map_err(|e| self.failed(&e))?.e_tag)
    }

    async fn upload_parts(&self, spooled: &Spooled, part: u64) -> Result<Option<String>, Error> {
        let begun = self.store.put_multipart(&self.key(spooled.hash)).await;
        let mut upload = Unfinished(Some(begun.map_err(|e| self.failed(&e))?));
        let mut at = 0;
        let mut memory = BytesMut::new();
        // One after the other, and in the same memory: an allocator keeps what each thread has freed.
        while at < spooled.bytes {
            let bytes = part.min(spooled.bytes - at);
            memory.resize(length(bytes)?, 0);
            let content = piece(spooled, at, memory).await?;
            let sent = upload.parts().put_part(content.clone().into()).await;
            sent.map_err(|e| self.failed(&e))?;
            memory = content.try_into_mut().unwrap_or_default();
            at += bytes;
        }
        let done = upload.parts().complete().await;
        let done = done.map_err(|e| self.failed(&e))?;
        upload.0 = None;
        Ok(done.e_tag)
    }

    /// A piece of any object, its version and the length of the whole; `None` when it is not of the version.
    pub(super) async fn piece(
        &self,
        key: &str,
        range: Range<u64>,
        of: Option<&str>,
    ) -> Result<Option<(Bytes, String, u64)>, Error> {
        let options = GetOptions {
            range: Some(range.into()),
            if_match: of.map(str::to_owned),
            ..GetOptions::default()
        };
        let found = match self.store.get_opts(&Key::from(key), options).await {
            Ok(found) => found,
            Err(object_store::Error::Precondition { .. }) => return Ok(None),
            Err(error @ object_store::Error::NotFound { .. }) if !failure::is_no_bucket(&error) => {
                let message = Message::new("store.ranged-missing");
                return Err(Error::NotFound(message.with("file", &self.location)));
            }
            Err(error) => return Err(self.failed(&error)),
        };
        let (version, length) = (found.meta.e_tag.clone(), found.meta.size);
        let bytes = found.bytes().await.map_err(|e| self.failed(&e))?;
        Ok(Some((bytes, version.unwrap_or_default(), length)))
    }

    /// The bytes as they are, not verified.
    pub(super) async fn read(&self, hash: FileHash) -> Result<(u64, FileStream), Error> {
        let found = match self.store.get(&self.key(hash)).await {
            Err(error @ object_store::Error::NotFound { .. }) if !failure::is_no_bucket(&error) => {
                return Err(missing(hash));
            }
            found => found.map_err(|e| self.failed(&e))?,
        };
        let bytes = found.meta.size;
        let bucket = self.clone();
        let content = found.into_stream().map_err(move |e| bucket.failed(&e));
        Ok((bytes, content.boxed()))
    }

    pub(super) async fn delete(&self, hash: FileHash) -> Result<(), Error> {
        match self.store.delete(&self.key(hash)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            deleted => deleted.map_err(|e| self.failed(&e)),
        }
    }

    /// One page of names at a time is in memory.
    pub(super) fn list(&self) -> BoxStream<'static, Result<Listed, Error>> {
        let bucket = self.clone();
        let found = self.store.list(Some(&self.root));
        found
            .map(move |found| {
                let found = found.map_err(|e| bucket.failed(&e))?;
                let name = found.location.as_ref();
                let below = name.strip_prefix(bucket.root.as_ref()).unwrap_or(name);
                let below = below.trim_start_matches('/');
                Ok(match FileHash::from_key(below) {
                    Some(hash) => Listed::File(StoredFile {
                        hash,
                        bytes: found.size,
                    }),
                    None => Listed::Other(below.to_owned()),
                })
            })
            .boxed()
    }
}

/// An upload in parts. Dropped before its end, it asks the service to throw the parts away: they are paid for.
/// After a crash only a rule of the bucket does that (`AbortIncompleteMultipartUpload`).
struct Unfinished(Option<Box<dyn MultipartUpload>>);

impl Unfinished {
    fn parts(&mut self) -> &mut dyn MultipartUpload {
        self.0.as_mut().expect("taken only at the end")
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let (Some(mut upload), Ok(runtime)) =
            (self.0.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        runtime.spawn(async move {
            if let Err(error) = upload.abort().await {
                tracing::warn!(%error, "the parts of an unfinished upload stay in the bucket");
            }
        });
    }
}

/// Fills memory of the wanted length from the file.
async fn piece(spooled: &Spooled, at: u64, mut memory: BytesMut) -> Result<Bytes, Error> {
    let read = move |file: &File| {
        file.read_exact_at(&mut memory, at)?;
        Ok(memory.freeze())
    };
    spooled.read(read).await
}

fn length(bytes: u64) -> Result<usize, Error> {
    usize::try_from(bytes).map_err(|e| Error::Io(io::Error::other(e)))
}

fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(3),
            base: 2.0,
        },
        max_retries: RETRIES,
        retry_timeout: Duration::from_secs(60),
    }
}
