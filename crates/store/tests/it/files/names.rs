//! What an administrator may write, and what names a file.

use std::path::PathBuf;

use store::{FileHash, FilesLocation};

use crate::support::key;

#[test]
fn a_location_is_a_path_or_a_bucket() {
    let folder = |text: &str| FilesLocation::Folder(PathBuf::from(text));
    let bucket = |endpoint: Option<&str>, region: Option<&str>, prefix: &str| FilesLocation::S3 {
        endpoint: endpoint.map(str::to_owned),
        region: region.map(str::to_owned),
        bucket: "town.files-1".to_owned(),
        prefix: prefix.to_owned(),
    };
    for (text, expected) in [
        ("/srv/files", folder("/srv/files")),
        ("files", folder("files")),
        ("s3://town.files-1", bucket(None, None, "")),
        ("s3://town.files-1/a/b_C/", bucket(None, None, "a/b_C")),
        (
            "s3://town.files-1/a?endpoint=http://minio:9000&region=eu-central-1",
            bucket(Some("http://minio:9000"), Some("eu-central-1"), "a"),
        ),
        (
            "s3://town.files-1?endpoint=https%3A%2F%2Fs3.example.org%2F",
            bucket(Some("https://s3.example.org"), None, ""),
        ),
    ] {
        assert_eq!(text.parse::<FilesLocation>().unwrap(), expected, "{text}");
    }
    assert_eq!(bucket(None, None, "a").to_string(), "s3://town.files-1/a");
}

#[test]
fn a_location_that_cannot_be_meant_is_refused_without_its_secrets() {
    for (text, expected) in [
        ("", "store.files-location-empty"),
        ("ftp://host/files", "store.files-location-scheme"),
        ("s3://", "store.files-location-bucket"),
        ("s3://AB", "store.files-location-bucket"),
        ("s3://Town", "store.files-location-bucket"),
        ("s3://town:80", "store.files-location-bucket"),
        ("s3://-town", "store.files-location-bucket"),
        ("s3://town/a//b", "store.files-location-prefix"),
        ("s3://town/a b", "store.files-location-prefix"),
        ("s3://town/a#b", "store.files-location-prefix"),
        ("s3://town?key=hidden", "store.files-location-parameter"),
        ("s3://town?region=", "store.files-location-parameter"),
        (
            "s3://town?region=a&region=b",
            "store.files-location-parameter",
        ),
        ("s3://id:hidden@town", "store.files-location-credentials"),
        (
            "s3://town?endpoint=http://id:hidden@host",
            "store.files-location-credentials",
        ),
        ("s3://town?endpoint=host", "store.files-location-endpoint"),
        (
            "s3://town?endpoint=ftp://host",
            "store.files-location-endpoint",
        ),
        (
            "s3://town?endpoint=http://host/path",
            "store.files-location-endpoint",
        ),
    ] {
        let refused = text.parse::<FilesLocation>().unwrap_err();
        assert_eq!(key(&refused), expected, "{text}");
        assert!(!refused.to_string().contains("hidden"), "{refused}");
    }
}

#[test]
fn a_hash_is_written_in_one_way() {
    // FIPS 180-4, the empty message.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(FileHash::of(b"").to_string(), empty);
    assert_eq!(empty.parse::<FileHash>().unwrap(), FileHash::of(b""));
    let wrong = [
        empty.to_uppercase(),
        empty[1..].to_owned(),
        format!("{empty}0"),
        empty.replace('e', "g"),
        "€".repeat(64),
        String::new(),
    ];
    for text in wrong {
        let refused = text.parse::<FileHash>().unwrap_err();
        assert_eq!(key(&refused), "store.files-hash-invalid", "{text}");
    }
}
