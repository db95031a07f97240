//! Pieces of an object where it lies.

use store::{Error, RangedFile};

use super::Place;
use super::service::{BUCKET, KEY_ID, SECRET};

fn file(place: &Place, key: &str, secret: &str) -> RangedFile {
    let endpoint = format!("http://{}", place.service().address);
    let text = format!("s3://{BUCKET}/{key}?endpoint={endpoint}");
    let environment = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some(KEY_ID.to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some(secret.to_owned()),
        _ => None,
    };
    RangedFile::with(&text, environment).unwrap()
}

#[tokio::test]
async fn an_object_is_read_by_pieces_of_one_version() {
    let place = Place::bucket().await;
    let folder = place
        .folder
        .path()
        .join("service")
        .join(BUCKET)
        .join("maps");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("base.pmtiles");
    std::fs::write(&path, b"0123456789").unwrap();
    let base = file(&place, "maps/base.pmtiles", SECRET);
    let first = base.read(2, 3, None).await.unwrap().unwrap();
    assert_eq!((&*first.bytes, first.length), (&b"234"[..], 10));
    let end = base.read(8, 100, Some(&first.version)).await.unwrap();
    assert_eq!(&*end.unwrap().bytes, b"89");
    std::fs::write(&path, b"abcdefghijk").unwrap();
    let other = base.read(0, 1, Some(&first.version)).await.unwrap();
    assert!(other.is_none(), "{other:?}");
    let missing = file(&place, "maps/other.pmtiles", SECRET)
        .read(0, 1, None)
        .await;
    assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
    let refused = file(&place, "maps/base.pmtiles", "wrong")
        .read(0, 1, None)
        .await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
}
