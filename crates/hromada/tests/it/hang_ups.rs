//! Clients that go away in the middle: all of a write or nothing, and a server that goes on.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::support::{
    Random, Server, check, connect, import, json, point_message, points, post_point, writer,
};

#[test]
fn ten_thousand_requests_cut_at_random_leave_no_half_change() {
    let data = tempfile::tempdir().unwrap();
    let first = data.path().join("first.geojsonl");
    points(&first, 1, 1);
    assert!(import(data.path(), &first, "points", &[]).status.success());
    let token = writer(data.path(), &[]);
    let mut server = Server::start(data.path(), &[]);
    let mut random = Random(13);
    for n in 0..10_000 {
        let bytes = if n % 4 == 0 {
            point_message(&server.address, &token, 1_000_000 + n)
        } else {
            let path = [
                "/collections/points/items?f=json&limit=1000",
                "/tiles/points/14/9316/5632",
                "/collections?f=html",
            ][(n % 3) as usize];
            crate::support::message(&server.address, "GET", path, &[], b"")
        };
        let cut = usize::try_from(random.below(bytes.len() as u64 + 1)).unwrap();
        let mut stream = connect(&server.address).unwrap();
        // The server may refuse at once; that is its right.
        let _ = stream.write_all(&bytes[..cut]);
        if random.below(2) == 0 {
            let mut few = [0; 64];
            if cut == bytes.len() {
                let _ = stream.read(&mut few);
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    }
    // The pool is whole: more requests at once than it has connections, all answered.
    let address = server.address.clone();
    let after: Vec<_> = (0..32)
        .map(|n| {
            let (address, token) = (address.clone(), token.clone());
            std::thread::spawn(move || post_point(&address, &token, 9_000_000 + n).unwrap())
        })
        .collect();
    assert!(after.into_iter().all(|t| t.join().unwrap() == 201));
    let ready = server.get("/health/ready");
    assert_eq!(ready.status, 200, "{}", ready.text());
    server.kill();
    let report = check(data.path());
    let collections = json(data.path(), &["collections"]);
    assert_eq!(
        report["features"],
        collections["collections"][0]["features"]
    );
    assert_eq!(
        report["changes"], report["features"],
        "each feature was made by one change"
    );
}
