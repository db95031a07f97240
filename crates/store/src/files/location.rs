//! Where files are kept, from a text that an administrator writes.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use model::Message;
use url::Url;

use crate::Error;

/// Where files are kept. Credentials are no part of it: they come from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesLocation {
    Folder(PathBuf),
    /// A bucket of Amazon S3 or of a service that speaks its protocol.
    S3 {
        /// `http://` or `https://`, host and port; `None` is Amazon's own. Plain HTTP only when it says so.
        endpoint: Option<String>,
        /// `None` takes `AWS_REGION`, then `us-east-1`.
        region: Option<String>,
        bucket: String,
        /// Without slashes at its ends; empty for the whole bucket.
        prefix: String,
    },
}

impl fmt::Display for FilesLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::S3 { bucket, prefix, .. } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix, .. } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl FromStr for FilesLocation {
    type Err = Error;

    /// A path, or `s3://bucket/prefix?endpoint=https://…&region=…`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another scheme, a name that no bucket can have, an unknown parameter, or credentials.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::Invalid(Message::new("store.files-location-empty")));
        }
        let Some((scheme, _)) = text.split_once("://") else {
            return Ok(Self::Folder(PathBuf::from(text)));
        };
        if scheme != "s3" {
            return Err(invalid("store.files-location-scheme", scheme));
        }
        let url = Url::parse(text).map_err(|_| invalid("store.files-location-bucket", ""))?;
        refuse_credentials(&url)?;
        let bucket = url.host_str().unwrap_or_default();
        if !is_bucket(bucket) || url.port().is_some() {
            return Err(invalid("store.files-location-bucket", bucket));
        }
        let prefix = url.path().trim_matches('/');
        if !prefix.is_empty() && !prefix.split('/').all(is_segment) || url.fragment().is_some() {
            return Err(invalid("store.files-location-prefix", prefix));
        }
        let (mut endpoint, mut region) = (None, None);
        for (name, value) in url.query_pairs() {
            match &*name {
                "endpoint" if endpoint.is_none() => endpoint = Some(checked_endpoint(&value)?),
                "region" if region.is_none() && is_segment(&value) => {
                    region = Some(value.into_owned());
                }
                // The value may be a secret and is not repeated.
                _ => return Err(invalid("store.files-location-parameter", &name)),
            }
        }
        Ok(Self::S3 {
            endpoint,
            region,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

fn invalid(key: &'static str, found: &str) -> Error {
    Error::Invalid(Message::new(key).with("found", found))
}

fn refuse_credentials(url: &Url) -> Result<(), Error> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err(Error::Invalid(Message::new(
        "store.files-location-credentials",
    )))
}

fn checked_endpoint(text: &str) -> Result<String, Error> {
    let wrong = || invalid("store.files-location-endpoint", text);
    let url = Url::parse(text).map_err(|_| wrong())?;
    refuse_credentials(&url)?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !["http", "https"].contains(&url.scheme()) || !url.has_host() || !plain {
        return Err(wrong());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The rules for names of buckets, <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
fn is_bucket(name: &str) -> bool {
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    (3..=63).contains(&name.len())
        && outer(name.chars().next())
        && outer(name.chars().last())
        && name
            .bytes()
            .all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
}

/// Letters that need no escaping in a URL, so that a key looks the same everywhere.
fn is_segment(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    !text.is_empty() && text != "." && text != ".." && text.bytes().all(plain)
}
