//! Whole stores on the move: copies between folder and database, comparison, backups and what is made of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::{
    Server, bearer, check, command, hromada, import, json, points, sample, text, token, writer,
};

/// The address of a schema that nobody else uses.
pub(crate) fn schema() -> (String, String) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let server = std::env::var("HROMADA_TEST_POSTGRES")
        .expect("these tests need a PostgreSQL server: .ci/services cargo test …");
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("moving_{}_{n}", std::process::id());
    (format!("{server}?schema={name}"), name)
}

pub(crate) fn psql(schema: &str, sql: &str) -> String {
    let server = std::env::var("HROMADA_TEST_POSTGRES").unwrap();
    let output = Command::new("psql")
        .env("PGOPTIONS", format!("-c search_path={schema},public"))
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .arg(server)
        .output()
        .unwrap();
    assert!(output.status.success(), "{sql}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn sqlite(folder: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3")
        .args(["-cmd", ".timeout 5000"])
        .arg(folder.join("hromada.gpkg"))
        .arg(sql)
        .output()
        .unwrap();
    assert!(output.status.success(), "{sql}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The city, with a history: features made, replaced and deleted, the last key of a collection among them.
fn city() -> &'static Path {
    static CITY: OnceLock<PathBuf> = OnceLock::new();
    CITY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap().keep();
        let manifest = sample("samples.json");
        let imported = hromada(&folder, &["import", "--manifest", path(&manifest)]);
        assert!(
            matches!(imported.status.code(), Some(0 | 3)),
            "{}",
            text(&imported)
        );
        let typed = folder.join("typed.geojson");
        std::fs::write(&typed, TYPED).unwrap();
        for more in [
            ["--id", "code"].as_slice(),
            &["--replace", "--id", "code"],
            // Makes another unique index; the record without a name is rejected.
            &["--upsert-by", "name"],
        ] {
            let imported = import(&folder, &typed, "typed", more);
            assert!(
                matches!(imported.status.code(), Some(0 | 3)),
                "{}",
                text(&imported)
            );
        }
        let shown = bearer(&writer(&folder, &[]));
        let server = Server::start(&folder, &[]);
        let send = |method: &str, path: &str, body: &str| {
            let headers = [
                ("Content-Type", "application/geo+json"),
                ("Authorization", &*shown),
            ];
            let answer = server.request(method, path, &headers, body.as_bytes());
            answer.unwrap().status
        };
        for path in ["parcels/items/7", "parcels/items/13116", "zoning/items/1"] {
            let path = format!("/collections/{path}");
            assert_eq!(send("DELETE", &path, ""), 204, "{path}");
        }
        for (id, made) in [("x", r#"{"code":"x","name":"new","flag":true,"ratio":0.1,"day":"2026-02-03","at":"2026-02-03T04:05:06.789Z","n":9007199254740993}"#), ("y", r#"{"code":"y"}"#)] {
            let feature = |properties: &str| format!(
                r#"{{"type":"Feature","properties":{properties},"geometry":{{"type":"Point","coordinates":[24.5,48.5]}}}}"#
            );
            assert_eq!(send("POST", "/collections/typed/items", &feature(made)), 201, "{id}");
            let one = format!("/collections/typed/items/{id}");
            let other = made.replace("true", "false").replace("0.1", "1e300");
            assert_eq!(send("PUT", &one, &feature(&other)), 200, "{id}");
        }
        assert_eq!(send("DELETE", "/collections/typed/items/y", ""), 204);
        drop(server);
        check(&folder);
        folder
    })
}

/// A value of each type, and nulls.
const TYPED: &str = r#"{"type":"FeatureCollection","features":[
{"type":"Feature","properties":{"code":"a","name":"Стрий","flag":true,"ratio":0.30000000000000004,"day":"2026-01-31","at":"2026-01-31T10:00:00+02:00","n":-5},"geometry":{"type":"Point","coordinates":[24.1,48.1]}},
{"type":"Feature","properties":{"code":"b","name":"a'b\"c\\d","flag":false,"ratio":2.0,"day":"1900-12-31","at":"2026-01-31T10:00:00.123456Z","n":0},"geometry":{"type":"Point","coordinates":[24.2,48.2]}},
{"type":"Feature","properties":{"code":"c","name":null,"flag":null,"ratio":null,"day":null,"at":null,"n":null},"geometry":null}]}"#;

/// `hromada check --compare`, which must find both the same; the numbers of `compared`.
fn same(data: &Path, other: &str) -> Json {
    let report = json(data, &["check", "--compare", other]);
    assert_eq!(
        (&report["same"], &report["count"]),
        (&Json::Bool(true), &Json::from(0)),
        "{report:#}"
    );
    for part in report["collections"].as_object().unwrap().values() {
        assert_eq!(part["here"], part["there"]);
        assert_eq!(part["here"]["sha256"].as_str().unwrap().len(), 64);
    }
    report
}

fn copy(from: &str, to: &str) -> Json {
    json(Path::new("."), &["copy", "--from", from, "--to", to])
}

#[test]
fn the_city_comes_back_from_postgis_as_it_went() {
    let (there, name) = schema();
    let back = tempfile::tempdir().unwrap();
    let city = city();
    let report = copy(path(city), &there);
    assert_eq!(report["proof"]["same"], true);
    same(city, &there);
    // What was copied is not logged a second time; what is written from here on is.
    let last = psql(&name, "SELECT max(seq) FROM hromada_changes");
    assert_eq!(last, sqlite(city, "SELECT max(seq) FROM hromada_changes"));
    copy(&there, path(back.path()));
    let report = same(city, path(back.path()));
    assert!(report["log"]["here"]["rows"].as_u64().unwrap() > 29_000);
    check(back.path());
    let checked = json(Path::new("."), &["check", "--fast", "--database", &there]);
    assert_eq!(checked["clean"], true, "{checked:#}");
    // Each is a store of its own, and gives no key and no number of a change a second time.
    let epochs = [
        sqlite(city, EPOCH),
        psql(&name, EPOCH),
        sqlite(back.path(), EPOCH),
    ];
    assert!(
        epochs[0] != epochs[1] && epochs[1] != epochs[2] && epochs[0] != epochs[2],
        "{epochs:?}"
    );
    let sql = "INSERT INTO parcels (ml) VALUES ('new')";
    psql(&name, sql);
    assert_eq!(psql(&name, "SELECT max(fid) FROM parcels"), "13117");
    let next = psql(&name, "SELECT max(seq) FROM hromada_changes");
    assert_eq!(
        next.parse::<u64>().unwrap(),
        last.parse::<u64>().unwrap() + 1
    );
    sqlite(back.path(), sql);
    assert_eq!(sqlite(back.path(), "SELECT max(fid) FROM parcels"), "13117");
}

const EPOCH: &str = "SELECT value FROM hromada_meta WHERE key = 'epoch'";

#[test]
fn a_log_with_gaps_of_rollbacks_is_sound_in_a_folder_too() {
    let (there, name) = schema();
    let back = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    small(data.path());
    copy(path(data.path()), &there);
    psql(&name, "SELECT nextval('hromada_seq')");
    psql(&name, "DELETE FROM points WHERE fid = 3");
    copy(&there, path(back.path()));
    check(back.path());
    sqlite(back.path(), "DELETE FROM hromada_changes WHERE seq = 1");
    let report = hromada(back.path(), &["check", "--fast"]);
    assert_eq!(report.status.code(), Some(1), "a loss is still found");
}

fn small(data: &Path) {
    let file = data.join("points.geojsonl");
    points(&file, 1, 50);
    assert!(import(data, &file, "points", &[]).status.success());
    writer(data, &[]);
}

#[test]
fn every_mutation_of_a_copy_is_found() {
    let data = tempfile::tempdir().unwrap();
    small(data.path());
    let typed = data.path().join("typed.geojson");
    std::fs::write(&typed, TYPED).unwrap();
    for more in [["--id", "code"].as_slice(), &["--replace", "--id", "code"]] {
        assert!(import(data.path(), &typed, "typed", more).status.success());
    }
    let deleted = "SET session_replication_role = replica;";
    let of_database = [
        ("value", "UPDATE typed SET ratio = 0.3 WHERE code = 'a'"),
        ("value", "UPDATE typed SET flag = NULL WHERE code = 'b'"),
        (
            "value",
            "UPDATE typed SET at = at + interval '1 microsecond' WHERE code = 'b'",
        ),
        ("value", "UPDATE typed SET day = day + 1 WHERE code = 'b'"),
        ("value", "UPDATE typed SET name = '' WHERE code = 'c'"),
        (
            "geometry",
            "UPDATE points SET geom = ST_SetSRID(ST_MakePoint(ST_X(geom) + 1e-14, ST_Y(geom)), 4326) WHERE fid = 7",
        ),
        ("geometry", "UPDATE points SET geom = NULL WHERE fid = 7"),
        ("row-here", "DELETE FROM points WHERE fid = 50"),
        ("row-there", "INSERT INTO points (fid) VALUES (20000)"),
        (
            "change",
            "UPDATE hromada_changes SET actor = 'x' WHERE seq = 9",
        ),
        (
            "change",
            "UPDATE hromada_changes SET at = at + interval '1 ms' WHERE seq = 9",
        ),
        (
            "change",
            "UPDATE hromada_changes SET before_geometry = NULL WHERE seq = (SELECT max(seq) FROM hromada_changes WHERE before_geometry IS NOT NULL)",
        ),
        (
            "change",
            "UPDATE hromada_changes SET before_geometry = ST_SetSRID(before_geometry, 3857) WHERE before_geometry IS NOT NULL",
        ),
        (
            "change",
            "UPDATE hromada_changes SET before_properties = replace(before_properties::text, 'Стрий', 'Стрий ')::json WHERE before_properties IS NOT NULL",
        ),
        ("change-here", "DELETE FROM hromada_changes WHERE seq = 9"),
        (
            "change-there",
            "UPDATE hromada_changes SET seq = 1000 WHERE seq = 9",
        ),
        ("counter", "SELECT nextval('points_fid_seq')"),
        ("unique", "DROP INDEX \"hromada_typed.code\""),
        (
            "definition",
            "UPDATE hromada_collections SET definition = replace(definition, '\"label', '\"Label') WHERE id = 'typed'; UPDATE hromada_collections SET definition = replace(definition, '\"other\"', '\"cadastre\"')",
        ),
        (
            "collection-here",
            "DELETE FROM hromada_collections WHERE id = 'typed'",
        ),
    ];
    let (there, name) = schema();
    copy(path(data.path()), &there);
    for (key, sql) in of_database {
        found(data.path(), &there, key, sql, || {
            psql(&name, &format!("{deleted} {sql}"));
        });
        psql(&name, &format!("DROP SCHEMA {name} CASCADE"));
        copy(path(data.path()), &there);
        same(data.path(), &there);
    }
    for (key, sql) in [
        ("value", "UPDATE typed SET n = 1 WHERE n = 0"),
        ("value", "UPDATE typed SET name = x'00' WHERE code = 'a'"),
        (
            "geometry",
            "UPDATE points SET geom = (SELECT geom FROM points WHERE fid = 8) WHERE fid = 7",
        ),
        ("row-here", "DELETE FROM points WHERE fid = 1"),
        (
            "change",
            "UPDATE hromada_changes SET before_geometry = x'00' WHERE before_geometry IS NOT NULL",
        ),
        (
            "change",
            "UPDATE hromada_changes SET operation = 'delete' WHERE seq = 2",
        ),
        (
            "counter",
            "UPDATE sqlite_sequence SET seq = 51 WHERE name = 'points'",
        ),
    ] {
        let other = tempfile::tempdir().unwrap();
        copy(path(data.path()), path(other.path()));
        same(data.path(), path(other.path()));
        found(data.path(), path(other.path()), key, sql, || {
            sqlite(other.path(), sql);
        });
    }
}

fn found(data: &Path, other: &str, key: &str, sql: &str, mutate: impl FnOnce()) {
    mutate();
    let output = hromada(data, &["check", "--compare", other, "--json"]);
    if key == "change" && sql.contains("x'00'") {
        // What can't be read is told at once.
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output).contains("of the log can't be read"),
            "{}",
            text(&output)
        );
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{sql}: {}", text(&output));
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    let differences = report["differences"].as_array().unwrap();
    let wanted = format!("store.compare-{key}");
    assert!(
        differences.iter().any(|d| d["key"] == wanted.as_str()),
        "{sql}: {report:#}"
    );
    assert_eq!(report["same"], false, "{sql}");
}

/// Starts a copy, waits until some collections are there, and kills it.
fn killed_copy(from: &str, to: &str, done: impl Fn() -> u64) {
    let mut copying = command(Path::new("."), &["copy", "--from", from, "--to", to]);
    let mut child = copying
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while done() < 3 && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

const DONE: &str = "SELECT count(*) FROM hromada_meta WHERE substr(key, 1, 10) = 'copy_done_'";

#[test]
fn a_killed_copy_goes_on_and_nobody_opens_it_before_its_end() {
    let city = city();
    let (there, name) = schema();
    killed_copy(path(city), &there, || {
        let is_there = psql(
            "public",
            &format!("SELECT to_regclass('{name}.hromada_meta')"),
        );
        match is_there.as_str() {
            "" => 0,
            _ => psql(&name, DONE).parse().unwrap(),
        }
    });
    let refused = hromada(Path::new("."), &["collections", "--database", &there]);
    assert!(
        text(&refused).contains("did not come to its end"),
        "{}",
        text(&refused)
    );
    // A copy of something else is not mixed in.
    let other = tempfile::tempdir().unwrap();
    small(other.path());
    let mixed = hromada(
        Path::new("."),
        &["copy", "--from", path(other.path()), "--to", &there],
    );
    assert!(
        text(&mixed).contains("a copy of another store"),
        "{}",
        text(&mixed)
    );
    went_on(&copy(path(city), &there));
    same(city, &there);

    let back = tempfile::tempdir().unwrap();
    killed_copy(&there, path(back.path()), || {
        let file = back.path().join("hromada.gpkg");
        let asked = Command::new("sqlite3")
            .arg(file)
            .arg(DONE)
            .output()
            .unwrap();
        String::from_utf8_lossy(&asked.stdout)
            .trim()
            .parse()
            .unwrap_or(0)
    });
    let refused = hromada(back.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(
        text(&refused).contains("did not come to its end"),
        "{}",
        text(&refused)
    );
    // A collection that was copied and has changed since is copied anew.
    let changed = "UPDATE zoning SET geom = NULL WHERE fid = 2; UPDATE \"address-blocks\" SET geom = NULL WHERE fid = 2";
    psql(&name, changed);
    went_on(&copy(&there, path(back.path())));
    same(back.path(), &there);
    check(back.path());
}

fn went_on(report: &Json) {
    let collections = report["collections"].as_array().unwrap();
    let there = collections.iter().filter(|c| c["wasThere"] == true).count();
    assert!(there > 0 && there < collections.len(), "{report:#}");
}

#[test]
fn a_copy_into_something_else_is_refused() {
    let data = tempfile::tempdir().unwrap();
    small(data.path());
    let other = tempfile::tempdir().unwrap();
    small(other.path());
    let before = sqlite(other.path(), "SELECT count(*) FROM points");
    for (to, words) in [
        (other.path(), "a store with data already"),
        (data.path(), "the same store"),
    ] {
        let refused = hromada(
            Path::new("."),
            &["copy", "--from", path(data.path()), "--to", path(to)],
        );
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused).contains(words), "{}", text(&refused));
    }
    assert_eq!(sqlite(other.path(), "SELECT count(*) FROM points"), before);
    check(data.path());
}

#[test]
fn a_value_that_has_no_place_in_the_copy_is_named() {
    let data = tempfile::tempdir().unwrap();
    small(data.path());
    sqlite(data.path(), "UPDATE points SET n = 'many' WHERE fid = 9");
    let (there, _) = schema();
    let refused = hromada(
        Path::new("."),
        &["copy", "--from", path(data.path()), "--to", &there],
    );
    let said = text(&refused);
    assert!(said.contains("feature 9 in \"points\""), "{said}");
    sqlite(data.path(), "UPDATE points SET n = 9 WHERE fid = 9");
    copy(path(data.path()), &there);
    same(data.path(), &there);
}

/// Posts points until it is told to stop; gives how many were stored.
fn write_on<'a>(
    server: &'a Server,
    token: &'a str,
    stop: &'a AtomicBool,
) -> impl FnOnce() -> u64 + use<'a> {
    move || {
        let mut stored = 0;
        while !stop.load(Ordering::Relaxed) {
            let posted = crate::support::post_point(&server.address, token, 1_000_000 + stored);
            assert_eq!(posted.unwrap(), 201);
            stored += 1;
        }
        stored
    }
}

/// Backups that are made while a writer writes: each is sound and holds the log up to one moment.
fn backups_beside_a_writer(args: &[&str], data: &Path, mut look: impl FnMut(&Path) -> u64) {
    let token = token(data, &[&["writer", "--scope", "write"], args].concat());
    let more = [&["serve", "--listen", "127.0.0.1:0"], args].concat();
    let server = Server::from(command(data, &more));
    let stop = AtomicBool::new(false);
    let files: Vec<PathBuf> = std::thread::scope(|scope| {
        let writing = scope.spawn(write_on(&server, &token, &stop));
        // Also where something fails, which would wait for the writer for ever.
        let end = Ends(&stop);
        let files = (0..3)
            .map(|i| {
                let file = data.join(format!("backup-{i}"));
                let to = [&["backup", "--to", path(&file)], args].concat();
                let output = hromada(data, &to);
                assert!(output.status.success(), "{}", text(&output));
                file
            })
            .collect();
        drop(end);
        assert!(writing.join().unwrap() > 3);
        files
    });
    drop(server);
    let seqs: Vec<u64> = files.iter().map(|file| look(file)).collect();
    assert!(seqs.is_sorted() && seqs[0] < seqs[2], "{seqs:?}");
}

/// Says that it is over when it is dropped.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Of a log: how long it is and what is in it up to there.
const LOG: &str = "SELECT max(seq) FROM hromada_changes";

/// A link may have been used since a backup; a token stays, since programs can't sign in anew.
const LINKS: &str = "SELECT count(*) FROM hromada_keys WHERE kind <> 'token'";
const TOKENS: &str = "SELECT count(*) FROM hromada_keys WHERE kind = 'token'";

fn with_keys(data: &Path, args: &[&str]) {
    for said in [
        &["user", "add", "clerk", "--name", "Clerk"][..],
        &["token", "new", "clerk"][..],
        &[
            "webhook",
            "add",
            "office",
            "https://example.org/hook",
            "--as",
            "clerk",
        ][..],
    ] {
        let done = hromada(data, &[args, said].concat());
        assert!(done.status.success(), "{}", text(&done));
    }
}

/// Whether the webhook of a store waits until somebody turns it on.
fn is_off(data: &Path, more: &[&str]) -> bool {
    let listed = json(data, &[&["webhook", "list"], more].concat());
    listed["webhooks"][0]["off"].as_bool().unwrap()
}

fn mode(file: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_backup_of_a_folder_is_of_one_moment_and_restored_as_a_new_epoch() {
    let data = tempfile::tempdir().unwrap();
    small(data.path());
    let epoch = sqlite(data.path(), EPOCH);
    with_keys(data.path(), &[]);
    backups_beside_a_writer(&[], data.path(), |file| {
        let restored = tempfile::tempdir().unwrap();
        let report = json(restored.path(), &["restore", "--from", path(file)]);
        assert_eq!(mode(file), 0o600, "it has what the store has");
        assert_eq!(mode(&restored.path().join("hromada.gpkg")), 0o600);
        let links = [data.path(), restored.path()].map(|store| sqlite(store, LINKS));
        assert_eq!(links, ["1", "0"]);
        let tokens = [data.path(), restored.path()].map(|store| sqlite(store, TOKENS));
        assert!(tokens[0] == tokens[1] && tokens[0] != "0", "{tokens:?}");
        // It tells nobody beside the store that it is a copy of.
        let off = [data.path(), restored.path()].map(|store| is_off(store, &[]));
        assert_eq!(off, [false, true]);
        assert_eq!(report["clean"], true, "{report:#}");
        assert_ne!(sqlite(restored.path(), EPOCH), epoch);
        let last = sqlite(restored.path(), LOG);
        let rows = format!(
            "SELECT group_concat(seq || at || actor || fid || operation) FROM hromada_changes WHERE seq <= {last}"
        );
        assert_eq!(sqlite(restored.path(), &rows), sqlite(data.path(), &rows));
        let again = hromada(restored.path(), &["restore", "--from", path(file)]);
        assert!(
            text(&again).contains("restoring replaces nothing"),
            "{}",
            text(&again)
        );
        last.parse().unwrap()
    });
    let file = data.path().join("backup-0");
    let bytes = std::fs::read(&file).unwrap();
    let again = hromada(data.path(), &["backup", "--to", path(&file)]);
    assert!(
        text(&again).contains("replaces nothing"),
        "{}",
        text(&again)
    );
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    let named = json(data.path(), &["backup", "--to", path(data.path())]);
    assert!(
        named["file"].as_str().unwrap().ends_with(".gpkg"),
        "{named}"
    );
    let foreign = data.path().join("points.geojsonl");
    let empty = tempfile::tempdir().unwrap();
    let refused = hromada(empty.path(), &["restore", "--from", path(&foreign)]);
    assert!(
        text(&refused).contains("is not a store"),
        "{}",
        text(&refused)
    );
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn a_backup_of_a_database_is_of_one_moment_and_restored_as_a_new_epoch() {
    let data = tempfile::tempdir().unwrap();
    small(data.path());
    let (there, name) = schema();
    copy(path(data.path()), &there);
    let (epoch, args) = (psql(&name, EPOCH), ["--database", &there]);
    let aside = format!("{name}_aside");
    with_keys(data.path(), &args);
    backups_beside_a_writer(&args, data.path(), |file| {
        assert_eq!(mode(file), 0o600, "it has what the store has");
        if psql("public", &format!("SELECT to_regnamespace('{aside}')")).is_empty() {
            let refused = hromada(
                data.path(),
                &["restore", "--from", path(file), args[0], args[1]],
            );
            assert!(
                text(&refused).contains("restoring replaces nothing"),
                "{}",
                text(&refused)
            );
            psql("public", &format!("ALTER SCHEMA {name} RENAME TO {aside}"));
        }
        let report = json(
            data.path(),
            &["restore", "--from", path(file), args[0], args[1]],
        );
        assert_eq!(report["clean"], true, "{report:#}");
        assert_ne!(psql(&name, EPOCH), epoch);
        assert_eq!([psql(&aside, LINKS), psql(&name, LINKS)], ["1", "0"]);
        let tokens = [psql(&aside, TOKENS), psql(&name, TOKENS)];
        assert!(tokens[0] == tokens[1] && tokens[0] != "0", "{tokens:?}");
        assert!(
            is_off(data.path(), &args),
            "a webhook is told beside the store that was copied"
        );
        let last = psql(&name, LOG);
        let rows = format!(
            "SELECT string_agg(concat(seq, at, actor, fid, operation), ',' ORDER BY seq) FROM hromada_changes WHERE seq <= {last}"
        );
        assert_eq!(psql(&name, &rows), psql(&aside, &rows));
        let (other, _) = schema();
        let refused = hromada(
            data.path(),
            &["restore", "--from", path(file), "--database", &other],
        );
        assert!(
            text(&refused).contains("under its own name only"),
            "{}",
            text(&refused)
        );
        psql("public", &format!("DROP SCHEMA {name} CASCADE"));
        last.parse().unwrap()
    });
}
