//! What only a bucket does: parts, proofs, credentials, a service that fails.

use store::{Error, FileHash, Files, FilesLocation};

use super::service::{BUCKET, Fault, KEY_ID, SECRET};
use super::{MB, Place, content, listed, open, put, read};
use crate::support::key;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_goes_to_a_bucket_in_parts() {
    let place = Place::bucket().await;
    let files = place.open().await;
    put(&files, &content(1, 20 * MB)).await.unwrap();
    let seen = place.service().seen();
    let parts = seen.iter().filter(|r| r.contains("partNumber="));
    assert_eq!(parts.count(), 3, "{seen:?}");
    assert!(
        !seen
            .iter()
            .any(|r| r.starts_with("GET") && r.contains("/sha256/"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_dropped_upload_are_thrown_away() {
    let place = Place::bucket().await;
    let files = place.open().await;
    place.service().fault(Fault::SilentAtSecondPart);
    let content = content(5, 20 * MB);
    let second = |r: &str| r.contains("partNumber=2&");
    tokio::select! {
        put = put(&files, &content) => panic!("answered: {put:?}"),
        () = place.service().until(second) => {}
    }
    let ends = |r: &str| r.starts_with("DELETE") && r.contains("uploadId=");
    place.service().until(ends).await;
    assert!(place.unfinished().is_empty());
    assert!(!files.contains(FileHash::of(&content)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_dies_during_an_upload_is_told_and_the_retry_works() {
    let mut place = Place::bucket().await;
    let files = place.open().await;
    let content = content(8, 20 * MB);
    place.service().fault(Fault::DiesAtSecondPart);
    let failed = put(&files, &content).await.unwrap_err();
    assert!(matches!(failed, Error::Busy(_)), "{failed}");
    assert_eq!(key(&failed), "store.files-unreachable");
    let address = place.service().address.to_string();
    assert!(failed.to_string().contains(&address), "{failed}");
    assert!(place.unfinished().is_empty());
    place.service.as_mut().unwrap().revive().await;
    assert!(!files.contains(FileHash::of(&content)).await.unwrap());
    let stored = put(&files, &content).await.unwrap();
    read(&files, stored.hash).await.1.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_on_the_way_is_not_stored() {
    let place = Place::bucket().await;
    let files = place.open().await;
    place.service().fault(Fault::Transfer);
    for bytes in [1000, 9 * MB] {
        let failed = put(&files, &content(9, bytes)).await.unwrap_err();
        assert!(matches!(failed, Error::Busy(_)), "{failed}");
    }
    assert_eq!(listed(&files).await, (Vec::new(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_tags_prove_nothing_the_content_is_read_back() {
    let place = Place::bucket().await;
    let files = place.open().await;
    let content = content(10, MB);
    place.service().fault(Fault::Forgetful);
    let failed = put(&files, &content).await.unwrap_err();
    assert_eq!(key(&failed), "store.files-unproven");
    assert!(!files.contains(FileHash::of(&content)).await.unwrap());
    place.service().fault(Fault::OpaqueTags);
    place.service().seen();
    put(&files, &content).await.unwrap();
    let seen = place.service().seen();
    let read_back = |r: &&String| r.starts_with("GET") && r.contains("/sha256/");
    assert_eq!(seen.iter().filter(read_back).count(), 1, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_cannot_be_used_is_refused_with_the_reason() {
    let place = Place::bucket().await;
    let address = place.service().address;
    let there = format!("s3://{BUCKET}?endpoint=http://{address}");
    let no_bucket = format!("s3://not-there?endpoint=http://{address}");
    let encrypted = format!("s3://{BUCKET}?endpoint=https://{address}");
    let page = answering("hello").await;
    let not_s3 = format!("s3://{BUCKET}?endpoint={page}");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!(
        "s3://{BUCKET}?endpoint=http://{}",
        nobody.local_addr().unwrap()
    );
    drop(nobody);
    for (text, id, secret, expected) in [
        (&there, KEY_ID, "wrong", "store.files-denied"),
        (&there, "UNKNOWN", SECRET, "store.files-denied"),
        (&there, KEY_ID, "", "store.files-bucket-settings"),
        (&no_bucket, KEY_ID, SECRET, "store.files-no-bucket"),
        (&encrypted, KEY_ID, SECRET, "store.files-unreachable"),
        (&not_s3, KEY_ID, SECRET, "store.files-unexpected"),
        (&silent, KEY_ID, SECRET, "store.files-unreachable"),
    ] {
        let refused = open(text, &place.scratch(), id, secret).await.err();
        let refused = refused.unwrap_or_else(|| panic!("{text} was opened"));
        assert_eq!(key(&refused), expected, "{text}: {refused}");
        let told = refused.to_string();
        let named = told.contains(BUCKET) || told.contains("not-there");
        assert!(named && !told.contains(SECRET), "{told}");
    }
}

/// The address of a service that gives one answer to everything.
async fn answering(body: &'static str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let length = body.len();
            let head = format!("content-length: {length}\r\nconnection: close");
            let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_a_container_gives_the_credentials() {
    let place = Place::bucket().await;
    let location: FilesLocation = place.text.parse().unwrap();
    let role = r#"{"AccessKeyId":"KEYOFTHETEST","SecretAccessKey":"secret-of-the-test",
        "Token":"of the role","Expiration":"2999-01-01T00:00:00Z"}"#;
    let address = answering(role).await;
    let token = place.folder.path().join("token");
    let environment = |name: &str| match name {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI" => Some(address.clone()),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" => Some(token.to_string_lossy().into_owned()),
        _ => None,
    };
    let scratch = place.scratch();
    let without = Files::open_with(&location, &scratch, environment).await;
    assert_eq!(key(&without.err().unwrap()), "store.files-no-credentials");
    std::fs::write(&token, "of the container").unwrap();
    let files = Files::open_with(&location, &scratch, environment).await;
    put(&files.unwrap(), b"by role").await.unwrap();
}
