//! `kill -9` at random moments: the store opens, is sound, and holds every acknowledged write.

use std::process::Stdio;
use std::time::Duration;

use crate::support::{Random, Server, check, command, import, json, points, writer};

#[test]
fn a_killed_import_leaves_the_store_as_before_or_whole() {
    let data = tempfile::tempdir().unwrap();
    let first = data.path().join("first.geojsonl");
    points(&first, 1, 100);
    assert!(import(data.path(), &first, "points", &[]).status.success());
    let large = data.path().join("large.geojsonl");
    points(&large, 1, 60_000);
    let whole = std::time::Instant::now();
    assert!(import(data.path(), &large, "timed", &[]).status.success());
    let whole_ms = u64::try_from(whole.elapsed().as_millis()).unwrap();
    let mut random = Random(11);
    let path = large.to_string_lossy().into_owned();
    for round in 0..10 {
        let mut import = command(
            data.path(),
            &["import", &path, "--collection", "points", "--replace"],
        );
        let mut child = import
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(random.below(whole_ms)));
        child.kill().unwrap();
        child.wait().unwrap();
        check(data.path());
        let collections = json(data.path(), &["collections"]);
        let count = collections["collections"][0]["features"].as_u64().unwrap();
        assert!(
            count == 100 || count == 60_000,
            "round {round}: {count} features, neither before nor after"
        );
        if count == 60_000 {
            assert!(import_first(data.path(), &first), "round {round}");
        }
    }
}

fn import_first(data: &std::path::Path, first: &std::path::Path) -> bool {
    import(data, first, "points", &["--replace"])
        .status
        .success()
}

#[test]
fn every_acknowledged_write_survives_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let first = data.path().join("first.geojsonl");
    points(&first, 1, 1);
    assert!(import(data.path(), &first, "points", &[]).status.success());
    let token = writer(data.path(), &[]);
    let mut random = Random(12);
    let mut acknowledged: Vec<u64> = vec![1];
    let mut next = 2;
    for round in 0..10 {
        let mut server = Server::start(data.path(), &[]);
        let deadline = std::time::Instant::now() + Duration::from_millis(100 + random.below(300));
        let address = server.address.clone();
        let killer = std::thread::spawn({
            let pid = server.child.id();
            move || {
                std::thread::sleep(deadline.saturating_duration_since(std::time::Instant::now()));
                std::process::Command::new("kill")
                    .args(["-9", &pid.to_string()])
                    .status()
                    .unwrap();
            }
        });
        // Several clients write until the server is gone.
        let writers: Vec<_> = (0..4_u64)
            .map(|writer| {
                let (address, token) = (address.clone(), token.clone());
                let base = next + writer * 100_000;
                std::thread::spawn(move || write_until_gone(&address, &token, base))
            })
            .collect();
        for writer in writers {
            acknowledged.extend(writer.join().unwrap());
        }
        next += 1_000_000;
        killer.join().unwrap();
        server.kill();
        check(data.path());
        let server = Server::start(data.path(), &[]);
        let stored = all_numbers(&server);
        let lost: Vec<_> = acknowledged
            .iter()
            .filter(|n| !stored.contains(n))
            .collect();
        assert!(
            lost.is_empty(),
            "round {round}: acknowledged writes are gone: {lost:?}"
        );
    }
    assert!(
        acknowledged.len() > 100,
        "too few writes to mean anything: {}",
        acknowledged.len()
    );
}

fn write_until_gone(address: &str, token: &str, base: u64) -> Vec<u64> {
    let mut done = Vec::new();
    for n in base.. {
        match crate::support::post_point(address, token, n) {
            Ok(201) => done.push(n),
            Ok(other) => panic!("a write was answered with {other}"),
            Err(_) => break,
        }
    }
    done
}

fn all_numbers(server: &Server) -> std::collections::HashSet<u64> {
    let mut numbers = std::collections::HashSet::new();
    let mut path = "/collections/points/items?f=json&limit=10000".to_owned();
    loop {
        let page = server.json(&path);
        numbers.extend(
            page["features"]
                .as_array()
                .unwrap()
                .iter()
                .map(|f| f["properties"]["n"].as_u64().unwrap()),
        );
        let next = page["links"]
            .as_array()
            .unwrap()
            .iter()
            .find(|l| l["rel"] == "next");
        let Some(next) = next else { return numbers };
        path = next["href"]
            .as_str()
            .unwrap()
            .splitn(4, '/')
            .nth(3)
            .map(|p| format!("/{p}"))
            .unwrap();
    }
}
