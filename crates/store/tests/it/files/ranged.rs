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

/// A web server that gives the same answer to whatever is asked, and the heads of what was.
async fn web(answer: String) -> (String, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/a.pmtiles?key=secret",
        listener.local_addr().unwrap()
    );
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heads = std::sync::Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 8192];
            let length = stream.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            heads.lock().unwrap().push(head);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, seen)
}

fn partial(headers: &str) -> String {
    format!(
        "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Length: 3\r\n{headers}\r\n234"
    )
}

#[tokio::test]
async fn a_web_server_is_believed_only_what_fits() {
    let good = "ETag: \"v\"\r\nContent-Range: bytes 2-4/10\r\n";
    let (url, _) = web(partial(good)).await;
    let file: RangedFile = url.parse().unwrap();
    let piece = file.read(2, 3, None).await.unwrap().unwrap();
    assert_eq!((&*piece.bytes, piece.length), (&b"234"[..], 10));
    for (what, headers) in [
        ("no validator", "Content-Range: bytes 2-4/10\r\n"),
        (
            "another place",
            "ETag: \"v\"\r\nContent-Range: bytes 0-2/10\r\n",
        ),
        ("no place", "ETag: \"v\"\r\n"),
        ("no length", "ETag: \"v\"\r\nContent-Range: bytes 2-4/*\r\n"),
    ] {
        let (url, _) = web(partial(headers)).await;
        let file: RangedFile = url.parse().unwrap();
        let read = file.read(2, 3, None).await;
        assert!(matches!(read, Err(Error::Busy(_))), "{what}: {read:?}");
    }
    // Another length, or another tag, is another file.
    for headers in [
        "ETag: \"v\"\r\nContent-Range: bytes 2-4/11\r\n",
        "ETag: \"w\"\r\nContent-Range: bytes 2-4/10\r\n",
    ] {
        let (url, _) = web(partial(headers)).await;
        let file: RangedFile = url.parse().unwrap();
        let other = file.read(2, 3, Some(&piece.version)).await.unwrap();
        assert!(other.is_none(), "{headers}");
    }
    let more = "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Length: 5\r\nETag: \"v\"\r\nContent-Range: bytes 2-4/10\r\n\r\n23456";
    let (url, _) = web(more.to_owned()).await;
    let file: RangedFile = url.parse().unwrap();
    let read = file.read(2, 3, None).await;
    assert!(matches!(read, Err(Error::Busy(_))), "{read:?}");
}

#[tokio::test]
async fn where_a_web_server_points_to_is_not_asked() {
    let (inner, asked) = web(partial("ETag: \"v\"\r\nContent-Range: bytes 2-4/10\r\n")).await;
    let answer = format!(
        "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: {inner}\r\n\r\n"
    );
    let (url, _) = web(answer).await;
    let file: RangedFile = url.parse().unwrap();
    let read = file.read(2, 3, None).await;
    let Err(Error::Busy(told)) = read else {
        panic!("{read:?}");
    };
    assert!(!told.to_string().contains("secret"), "{told}");
    assert!(asked.lock().unwrap().is_empty());
}
