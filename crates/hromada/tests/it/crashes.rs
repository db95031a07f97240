//! `kill -9` at random moments: the store opens, is sound, and holds every acknowledged write.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::moving::{psql, schema, sqlite};
use crate::support::{
    BINARY, Random, Server, check, command, hromada, import, json, points, text, writer,
};

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
                Command::new("kill")
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

/// A store with three states of many points, all but the last of them years old, and a rule that lets the old ones go.
fn aged(data: &std::path::Path, place: &[&str], sql: impl Fn(&str) -> String) {
    let source = data.join("points.geojsonl");
    for round in 0..4 {
        points(&source, round * 10_000 + 1, 3_000);
        let more: &[&str] = if round == 0 { &[] } else { &["--replace"] };
        let imported = import(data, &source, "points", &[more, place].concat());
        assert!(imported.status.success(), "{}", text(&imported));
        if round == 2 {
            sql("UPDATE hromada_changes SET at = '2010-05-01T10:00:00.000Z'");
        }
    }
    let rules = data.join("rules.json");
    let json = r#"{"class": "public", "history": "public", "retention": {"days": 365}}"#;
    std::fs::write(&rules, json).unwrap();
    let path = rules.to_string_lossy();
    let set = ["access", "set", "points", "--file", &path];
    let set = hromada(data, &[&set, place].concat());
    assert!(set.status.success(), "{}", text(&set));
}

/// What the points were before the last import.
fn then(data: &std::path::Path, place: &[&str]) -> serde_json::Value {
    let server = Server::start(data, place);
    let path = "/collections/points/items?f=json&limit=10000&as-of=";
    assert_eq!(server.get(&format!("{path}2010-01-01")).status, 410);
    let yesterday = json(data, &[&["history", "trim", "--dry-run"], place].concat());
    let since = yesterday["collections"][0]["since"].as_str().unwrap();
    server.json(&format!("{path}{since}"))["features"].clone()
}

/// Kills a trim after some time, looks at what it has left, and ends it.
fn kill_and_end(data: &std::path::Path, place: &[&str], after: u64) -> (u64, serde_json::Value) {
    let trim = ["history", "trim"];
    let mut child = command(data, &[&trim, place].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(after));
    child.kill().unwrap();
    child.wait().unwrap();
    let clean = || {
        let report = json(data, &[&["check", "--fast"], place].concat());
        assert_eq!(report["clean"], true, "{report:#}");
    };
    clean();
    let mut ended = None;
    // A database takes a moment to see that the process is gone, which held the lock.
    for _ in 0..100 {
        let done = hromada(data, &[&trim, place, &["--json"]].concat());
        if done.status.success() {
            ended = Some(done);
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let ended: serde_json::Value = serde_json::from_slice(&ended.unwrap().stdout).unwrap();
    let states = ended["collections"][0]["states"].as_u64().unwrap();
    clean();
    (states, then(data, place))
}

#[test]
fn a_killed_trim_leaves_each_kept_moment_as_it_was_and_is_ended_by_the_next() {
    let base = tempfile::tempdir().unwrap();
    aged(base.path(), &[], |sql| sqlite(base.path(), sql));
    let copied = || {
        let data = tempfile::tempdir().unwrap();
        for file in ["hromada.gpkg", "hromada.epoch"] {
            std::fs::copy(base.path().join(file), data.path().join(file)).unwrap();
        }
        data
    };
    let whole = copied();
    let begun = std::time::Instant::now();
    let trimmed = json(whole.path(), &["history", "trim"]);
    let whole_ms = u64::try_from(begun.elapsed().as_millis()).unwrap();
    assert_eq!(trimmed["collections"][0]["states"], 6_000);
    let first = copied();
    let server = Server::start(first.path(), &[]);
    let path = "/collections/points/items?f=json&limit=10000&as-of=2015-01-01";
    let expected = server.json(path)["features"].clone();
    assert_eq!(expected.as_array().unwrap().len(), 3_000);
    drop(server);
    let mut random = Random(13);
    let mut halfway = 0;
    for round in 0..8 {
        let data = copied();
        let (left, found) = kill_and_end(data.path(), &[], random.below(whole_ms));
        assert!(found == expected, "round {round}");
        let states = sqlite(
            data.path(),
            "SELECT count(*) FROM hromada_changes WHERE before_properties IS NOT NULL",
        );
        assert_eq!(
            states, "3000",
            "round {round}: those that the last import has replaced"
        );
        halfway += u64::from(left > 0 && left < 6_000);
    }
    assert!(halfway > 0, "no kill has met a trim in the middle");
}

#[test]
fn a_killed_trim_of_a_database_is_ended_by_the_next() {
    let mut random = Random(14);
    for round in 0..3 {
        let data = tempfile::tempdir().unwrap();
        let (address, name) = schema();
        let place = ["--database", address.as_str()];
        aged(data.path(), &place, |sql| psql(&name, sql));
        let (_, found) = kill_and_end(data.path(), &place, 100 + random.below(400));
        let features = found.as_array().unwrap();
        assert_eq!(features.len(), 3_000, "round {round}");
        let numbers = features
            .iter()
            .map(|f| f["properties"]["n"].as_u64().unwrap());
        assert!(numbers.eq(20_001..=23_000), "round {round}");
        let states = psql(
            &name,
            "SELECT count(*) FROM hromada_changes WHERE before_properties IS NOT NULL",
        );
        assert_eq!(states, "3000", "round {round}");
    }
}

/// What it has begun by then goes on in libraries of C, which must not be taken down meanwhile. strace holds the end of the
/// process after that for half a second, so that whoever goes on comes upon it.
#[test]
fn a_server_that_is_stopped_soon_after_its_start_ends_well() {
    let data = tempfile::tempdir().unwrap();
    let first = data.path().join("first.geojsonl");
    points(&first, 1, 1);
    assert!(import(data.path(), &first, "points", &[]).status.success());
    for round in 0..3 {
        let mut command = Command::new("strace");
        command
            .args(["-f", "--seccomp-bpf", "-o", "/dev/null"])
            .args(["-e", "trace=exit_group"])
            .args(["-e", "inject=exit_group:delay_enter=500000"])
            .args([BINARY, "--data", &data.path().to_string_lossy()])
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null());
        let mut server = Server::from(command);
        // strace ends as what it watches.
        let watcher = server.child.id().to_string();
        let asked = Command::new("pkill")
            .args(["-TERM", "-P", &watcher])
            .status();
        assert!(asked.unwrap().success());
        let ended = server.child.wait().unwrap();
        assert!(ended.success(), "round {round}: {ended}");
    }
}
