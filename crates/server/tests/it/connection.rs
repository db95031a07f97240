//! The server on a port: clients that hang up, dawdle or send nonsense.

use std::net::SocketAddr;
use std::time::Duration;

use store::{Access, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::town::Town;

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub(crate) async fn end(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

async fn start(store: Store) -> Running {
    let options = server::Options {
        ..server::Options::default()
    };
    start_with(store, options).await
}

pub(crate) async fn start_with(store: Store, options: server::Options) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let options = server::Options {
        listen: address,
        ..options
    };
    let task = tokio::spawn(server::serve(store, options, listener, stopped));
    Running {
        address,
        stop,
        task,
    }
}

/// Sends bytes and reads what comes until the other side closes.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(town: &Town, body: &str) -> String {
    format!(
        "POST /collections/wells/items HTTP/1.1\r\nhost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/geo+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        town.editor,
        body.len()
    )
}

const BODY: &str = r#"{"type":"Feature","properties":{"depth":1},"geometry":{"type":"Point","coordinates":[3,3]}}"#;

#[tokio::test]
async fn names_of_headers_are_written_as_qgis_looks_for_them() {
    let town = Town::with_edits().await;
    let running = start(town.store.clone()).await;
    let made = exchange(running.address, post(&town, BODY).as_bytes()).await;
    assert!(made.starts_with("HTTP/1.1 201 "), "{made}");
    // QGIS 3.40 in these letters only; without it, a feature that was stored counts as one that was not.
    assert!(made.contains("\r\nLocation: http"), "{made}");
    running.end().await;
}

#[tokio::test]
async fn a_304_does_not_give_a_body_that_is_not_there_a_length() {
    let town = Town::new().await;
    let server = start(town.store.clone()).await;
    for path in ["/collections/wells/items/1?f=json", "/tiles/wells/0/0/0"] {
        let ask = async |more: &str| {
            let head = format!(
                "GET {path} HTTP/1.1\r\nhost: localhost\r\n{more}Connection: close\r\n\r\n"
            );
            exchange(server.address, head.as_bytes()).await
        };
        // The later ones are ready.
        for _ in 0..3 {
            let whole = ask("").await;
            assert!(whole.starts_with("HTTP/1.1 200"), "{whole}");
            assert!(whole.contains("Content-Length: "), "{whole}");
            let line = whole.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .starts_with("etag: ")
                    .then(|| &line[6..])
            });
            let tag = line.unwrap_or_else(|| panic!("{whole}"));
            let same = ask(&format!("If-None-Match: {tag}\r\n")).await;
            assert!(same.starts_with("HTTP/1.1 304"), "{same}");
            assert!(!same.contains("Content-Length"), "{same}");
            assert!(same.contains(tag), "{same}");
        }
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_clients_that_hang_up_are_whole_or_nothing() {
    let town = Town::with_edits().await;
    let running = start(town.store.clone()).await;
    let request = post(&town, BODY);
    let before = town.json("/collections/wells").await["itemCount"]
        .as_u64()
        .unwrap();
    for cut in (0..request.len()).step_by(7) {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(&request.as_bytes()[..cut]).await.unwrap();
        drop(stream);
    }
    // Whole requests whose senders do not wait for the answer: stored or not, but never half.
    for _ in 0..20 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        drop(stream);
    }
    let answered = exchange(running.address, request.as_bytes()).await;
    assert!(answered.starts_with("HTTP/1.1 201 "), "{answered}");
    running.stop.send(()).unwrap();
    running.task.await.unwrap().unwrap();
    let after = town.json("/collections/wells/items?limit=1000").await;
    let stored = after["numberMatched"].as_u64().unwrap();
    assert!(
        (before + 1..=before + 21).contains(&stored),
        "{before} {stored}"
    );
    for feature in after["features"]
        .as_array()
        .unwrap()
        .iter()
        .skip(usize::try_from(before).unwrap())
    {
        assert_eq!(
            feature["geometry"]["coordinates"],
            serde_json::json!([3, 3])
        );
    }
    // Writes go on after their clients are gone; closing lets the one in progress end and refuses the rest.
    town.store.close().await;
    let in_memory = town.store.live().get("wells").unwrap().index.len();
    drop(town.router);
    let place = town.store.place().clone();
    drop(town.store);
    let again = Store::open(place, Access::Write).await.unwrap();
    again.load().await.unwrap();
    assert_eq!(
        again.live().get("wells").unwrap().index.len(),
        in_memory,
        "the file and the index agree"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_gets_an_answer_or_an_end_and_the_server_goes_on() {
    let town = Town::new().await;
    let running = start(town.store.clone()).await;
    let long_header = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\nX: {}\r\n\r\n",
        "a".repeat(200_000)
    );
    let many_headers = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
        "A: b\r\n".repeat(200)
    );
    for large in [&long_header, &many_headers] {
        let answer = exchange(running.address, large.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
            "{answer}"
        );
    }
    let requests: [&[u8]; 8] = [
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
        b"POST /collections/wells/items HTTP/1.1\r\nhost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
        b"GET http://other.test/collections HTTP/1.1\r\nhost: localhost\r\nConnection: close\r\n\r\n",
        long_header.as_bytes(),
        many_headers.as_bytes(),
    ];
    for bytes in requests {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        // The server may close while the rest is still being sent.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.starts_with("HTTP/1.1 5"), "{text}");
    }
    let answer = exchange(
        running.address,
        b"GET /collections HTTP/1.1\r\nhost: localhost\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    running.stop.send(()).unwrap();
    running.task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_ends_the_connection() {
    let town = Town::new().await;
    let running = start(town.store.clone()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    let mut answer = Vec::new();
    let ended =
        tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the connection is still open");
    running.stop.send(()).unwrap();
    running.task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_in_progress_are_finished_when_the_server_stops() {
    let town = Town::new().await;
    let running = start(town.store.clone()).await;
    let body = BODY.as_bytes();
    // RFC 9110 §10.1.1: the server asks for the body once it reads it, and so is in the middle of the request.
    let head = post(&town, BODY).replacen("\r\n", "\r\nexpect: 100-continue\r\n", 1);
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let split = head.len() - body.len() / 2;
    stream.write_all(&head.as_bytes()[..split]).await.unwrap();
    let mut asked = *b"HTTP/1.1 100 Continue\r\n\r\n";
    stream.read_exact(&mut asked).await.unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100"), "{asked:?}");
    running.stop.send(()).unwrap();
    stream.write_all(&head.as_bytes()[split..]).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(
        String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 201"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    running.task.await.unwrap().unwrap();
    assert!(
        TcpStream::connect(running.address).await.is_err(),
        "the port is closed"
    );
}

#[tokio::test]
async fn a_public_url_that_is_none_is_refused_at_the_start() {
    let town = Town::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = server::Options {
        base_url: Some("gis.example.ua".to_owned()),
        ..server::Options::default()
    };
    let error = server::serve(
        town.store.clone(),
        options,
        listener,
        std::future::pending::<()>(),
    )
    .await
    .unwrap_err();
    assert!(error.to_string().contains("gis.example.ua"), "{error}");
}
