//! What a service's refusal means, and what to do about it.

use std::error::Error as Cause;

use model::Message;
use object_store::client::{HttpError, HttpErrorKind};

use crate::{Error, FileHash};

/// Codes of S3 for credentials that it does not accept; a refusal with status 403 means the same,
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
const DENIED: [&str; 10] = [
    "AccessDenied",
    "AccountProblem",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "NotSignedUp",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "AllAccessDisabled",
];

const OTHER_REGION: [&str; 4] = [
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
    "TemporaryRedirect",
];

/// What another try may mend: a request that was cut or changed on the way, or came at a bad moment.
const PASSING: [&str; 8] = [
    "BadDigest",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "XAmzContentSHA256Mismatch",
];

/// Of several services; Amazon's buckets have no end.
const FULL: [&str; 4] = [
    "InsufficientStorage",
    "QuotaExceeded",
    "StorageFull",
    "XMinioStorageFull",
];

/// Where `object_store` asks for the role of a machine or a container, and what it says of one without a token.
const ROLES: [&str; 4] = [
    "://169.254.169.254",
    "://169.254.170.",
    "://sts.",
    "token file",
];

pub(super) fn of_settings(location: &str, error: &object_store::Error) -> Error {
    let message = Message::new("store.files-bucket-settings").with("bucket", location);
    Error::Refused(message.with("reason", deepest(error)))
}

pub(super) fn of_request(location: &str, endpoint: &str, error: &object_store::Error) -> Error {
    let text = error.to_string();
    let code = element(&text, "Code").unwrap_or_default();
    let reason = match (code, element(&text, "Message")) {
        ("", _) => deepest(error),
        (code, None) => code.to_owned(),
        (code, Some(words)) => format!("{code}, {words}"),
    };
    let message = |key| {
        Message::new(key)
            .with("bucket", location)
            .with("endpoint", endpoint)
            .with("reason", &reason)
    };
    let denied = matches!(
        error,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
    );
    if ROLES.iter().any(|role| text.contains(role)) {
        Error::Refused(message("store.files-no-credentials"))
    } else if is_no_bucket(error) {
        Error::Refused(message("store.files-no-bucket"))
    } else if OTHER_REGION.contains(&code) || text.contains("incorrectly configured region") {
        Error::Refused(message("store.files-other-region"))
    } else if FULL.contains(&code) || text.contains("status code: 507") {
        Error::Full(message("store.files-bucket-full"))
    } else if denied || DENIED.contains(&code) {
        Error::Refused(message("store.files-denied"))
    } else if PASSING.contains(&code) || is_silent(error) || is_overloaded(&text) {
        Error::Busy(message("store.files-unreachable"))
    } else {
        Error::Refused(message("store.files-unexpected"))
    }
}

/// The service said "written", but has something else.
pub(super) fn unproven(location: &str, hash: FileHash) -> Error {
    let message = Message::new("store.files-unproven").with("bucket", location);
    Error::Refused(message.with("hash", hash))
}

pub(super) fn is_no_bucket(error: &object_store::Error) -> bool {
    element(&error.to_string(), "Code") == Some("NoSuchBucket")
}

/// Whether the service was not reached or fell silent.
fn is_silent(error: &object_store::Error) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<HttpError>())
        .any(|http| !matches!(http.kind(), HttpErrorKind::Decode))
}

/// By the words of `object_store`, which keeps the status to itself.
fn is_overloaded(text: &str) -> bool {
    text.contains("status code: 5") || text.contains("status code: 429")
}

fn causes<'a>(error: &'a (dyn Cause + 'static)) -> impl Iterator<Item = &'a (dyn Cause + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn Cause + 'static)| {
        let cause: &'a (dyn Cause + 'static) = *cause;
        cause.source()
    })
}

/// The first cause, without the words of the layers around it.
fn deepest(error: &object_store::Error) -> String {
    let last = causes(error).last().map(ToString::to_string);
    last.unwrap_or_default()
}

/// Text of the first element of a name in an error's XML.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(&format!("<{name}>"))?;
    Some(after.split_once('<')?.0)
}
