//! Accounts, rules and the audit log at the command line, alone and beside a running server.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::moving::{psql, schema, sqlite};
use crate::support::{
    BINARY, Server, bearer, check, command, hromada, import, json, points, post_point, text, token,
    writer,
};

/// A store of its own in a folder or a database.
struct Town {
    folder: tempfile::TempDir,
    place: Vec<String>,
}

impl Town {
    fn in_folder() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            place: Vec::new(),
        }
    }

    fn in_database() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            place: vec!["--database".into(), schema().0],
        }
    }

    fn data(&self) -> &Path {
        self.folder.path()
    }

    fn args<'a>(&'a self, line: &'a str) -> Vec<&'a str> {
        let place = self.place.iter().map(String::as_str);
        line.split(' ').chain(place).collect()
    }

    /// A command that must end well; what it says as JSON. Words are parted by one space.
    fn json(&self, line: &str) -> Json {
        json(self.data(), &self.args(line))
    }

    /// A command that must end with this exit code; what it says.
    fn says(&self, code: i32, line: &str) -> String {
        let output = hromada(self.data(), &self.args(line));
        assert_eq!(
            output.status.code(),
            Some(code),
            "{line}: {}",
            text(&output)
        );
        text(&output)
    }

    fn refuses(&self, line: &str, words: &str) {
        let said = self.says(1, line);
        assert!(said.contains(words), "{line}: {said}");
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.data().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_string_lossy().into_owned()
    }

    fn with_points(self) -> Self {
        let file = self.data().join("points.geojsonl");
        points(&file, 1, 5);
        let place: Vec<&str> = self.place.iter().map(String::as_str).collect();
        let imported = import(self.data(), &file, "points", &place);
        assert!(imported.status.success(), "{}", text(&imported));
        self
    }

    /// The actions of the audit log, the oldest first.
    fn actions(&self) -> Vec<String> {
        let shown = self.json("audit show --limit 1000");
        let records = shown["records"].as_array().unwrap().iter().rev();
        records
            .map(|r| r["action"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[test]
fn accounts_are_made_shown_and_switched_off() {
    for town in [Town::in_folder(), Town::in_database()] {
        assert!(town.says(2, "user add clerk").contains("--name"));
        let made = town.json("user add clerk --name Клерк --email clerk@town.test --role operator");
        let link = made["link"].as_str().unwrap();
        let code = link
            .strip_prefix("http://127.0.0.1:8080/account/link?code=")
            .unwrap();
        assert_eq!(code.len(), 64);
        let again = town.json("user link clerk --base-url https://gis.town.test/");
        let link = again["link"].as_str().unwrap();
        assert!(link.starts_with("https://gis.town.test/account/link?code="));
        town.refuses("user add clerk --name Other", "no name is given to two");
        town.refuses("user add Клерк --name Other", "can't name an account");
        town.refuses("user add other --name Other --email town.test", "e-mail");
        town.refuses(
            "user add other --name Other --role planner --unit gas",
            "hromada unit add gas",
        );
        town.refuses(
            "user add other --name Other --role planner --until 2026-02-30",
            "no date",
        );
        town.refuses("user add other --name Other --unit gas", "add --role");
        town.says(2, "user add other --name Other --role mayor");
        town.refuses("user show other", "no account");
        town.refuses("user disable other", "no account");
        // A machine has no link, a person no password yet.
        town.says(0, "user add robot --name Robot --machine");
        town.refuses("user link robot", "hromada token new robot");
        let shown = town.json("user show clerk");
        assert_eq!(shown["roles"][0]["role"], "operator");
        assert_eq!(shown["password"], false);
        town.says(0, "token new clerk");
        assert_eq!(town.json("user show clerk")["tokens"], 1);
        town.says(0, "user disable clerk");
        let shown = town.json("user show clerk");
        assert_eq!(
            (&shown["disabled"], &shown["tokens"]),
            (&true.into(), &0.into())
        );
        town.refuses("user link clerk", "hromada user enable clerk");
        town.says(0, "user enable clerk");
        let listed = town.json("user list");
        assert_eq!(listed["people"].as_array().unwrap().len(), 2);
        assert_eq!(
            town.actions(),
            [
                "person.create",
                "link.create",
                "link.create",
                "person.create",
                "token.create",
                "person.disable",
                "person.enable"
            ]
        );
        let log = town.says(0, "audit show");
        assert!(log.contains("console:"), "{log}");
        assert!(!log.contains(code), "a secret is in the log: {log}");
        let people = town.json("audit show --action person --actor nobody");
        assert_eq!(people["records"], serde_json::json!([]));
        town.says(0, "audit verify");
    }
}

#[test]
fn roles_units_and_deputies_are_given_and_taken() {
    let town = Town::in_folder();
    let area = r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},
        "geometry":{"type":"Polygon","coordinates":[[[24,48],[25,48],[25,49],[24,48]]]}}]}"#;
    let area = town.file("area.geojson", area);
    let point = town.file("point.geojson", r#"{"type":"Point","coordinates":[24,48]}"#);
    town.says(0, "unit add works --title Works");
    town.says(0, "unit add water --title Water --parent works");
    town.refuses(
        "unit add gas --title Gas --parent roads",
        "no unit \"roads\"",
    );
    town.refuses("unit add works --title Works", "already");
    town.refuses("unit remove works", "water are parts of it");
    town.says(0, "user add clerk --name Clerk");
    town.says(0, "user add boss --name Boss");
    town.says(
        0,
        &format!("role give clerk planner --unit water --area {area} --from 2026-01-01 --until 2026-12-31"),
    );
    town.refuses(
        &format!("role give clerk planner --area {point}"),
        "no area",
    );
    town.refuses(
        "role give clerk planner --area nowhere.geojson",
        "nowhere.geojson",
    );
    town.refuses("role give nobody planner", "no account");
    town.refuses("role give clerk planner --unit roads", "no unit");
    let role = &town.json("user show clerk")["roles"][0];
    assert_eq!(
        (&role["unit"], &role["until"]),
        (&"water".into(), &"2026-12-31".into())
    );
    assert_eq!(role["area"]["type"], "Polygon");
    town.refuses("unit remove water", "roles for it are those of clerk");
    town.refuses("role take clerk planner --unit works", "no such role");
    town.says(0, "role take clerk planner");
    town.refuses("role take clerk planner", "no such role");
    town.says(0, "unit remove water");
    let units = town.json("unit list");
    assert_eq!(units["units"][0]["id"], "works");
    town.says(0, "user deputy boss --person clerk --from 2026-02-01");
    assert_eq!(town.json("user show clerk")["actsFor"][0], "boss");
    town.refuses("user deputy boss --person boss", "own deputy");
    town.refuses("user deputy boss --person nobody", "no account");
    town.says(0, "user deputy boss --person clerk --remove");
    town.refuses("user deputy boss --person clerk --remove", "no deputy");
    let roles = town.json("role list");
    let roles = roles["roles"].as_array().unwrap();
    let administrator = roles.iter().find(|r| r["id"] == "administrator").unwrap();
    let names = administrator["permissions"].as_array().unwrap();
    assert!(names.contains(&"manage-people".into()), "{administrator}");
    let taken = town.json("audit show --action role.take");
    let detail = &taken["records"][0]["detail"];
    assert_eq!(detail["before"][0]["role"], "planner");
    assert_eq!(detail["after"], serde_json::json!([]));
}

#[test]
fn rules_of_a_collection_are_checked_before_they_are_kept() {
    let town = Town::in_folder().with_points();
    town.says(0, "unit add works --title Works");
    town.says(0, "access set points staff");
    town.refuses("access set missing public", "missing");
    town.refuses("access set points unit", "--unit");
    town.refuses("access set points unit --unit gas", "hromada unit add gas");
    town.says(0, "access set points unit --unit works");
    town.says(2, "access set points secret");
    town.says(2, "access set points");
    for (rules, words) in [
        ("{", "not understood"),
        (r#"{"class":"open"}"#, "\"class\""),
        (r#"{"class":"staff","rule":1}"#, "\"rule\""),
        (r#"{"class":"staff","unit":"gas"}"#, "hromada unit add gas"),
        (
            r#"{"class":"staff","properties":{"name":{"from":"unit"}}}"#,
            "it has n",
        ),
        (
            r#"{"class":"staff","properties":{"n":{"from":"unit","keep":2}}}"#,
            "\"n\" is no text",
        ),
        (
            r#"{"class":"public","rows":[{"below":"staff","filter":"n >"}]}"#,
            "Filter, character",
        ),
        (
            r#"{"class":"public","rows":[{"below":"staff","filter":"m > 1"}]}"#,
            "no property “m”",
        ),
        (
            r#"{"class":"staff","twin":{"class":"staff","properties":[],"grid":9}}"#,
            "no effect",
        ),
        (
            r#"{"class":"staff","twin":{"class":"public","properties":["m"],"grid":9}}"#,
            "it has n",
        ),
    ] {
        let file = town.file("rules.json", rules);
        town.refuses(&format!("access set points --file {file}"), words);
    }
    let good = r#"{"class":"staff","unit":"works","rows":[{"below":"unit","filter":"n > 2"}],
        "twin":{"class":"public","properties":["n"],"grid":100}}"#;
    let file = town.file("rules.json", good);
    town.says(0, &format!("access set points --file {file}"));
    town.refuses("unit remove works", "collections points");
    let shown = town.json("access show points");
    let good: Json = serde_json::from_str(good).unwrap();
    assert_eq!(shown["access"]["points"], good);
    // What is shown is what is taken.
    let file = town.file("shown.json", &town.says(0, "access show points"));
    town.says(0, &format!("access set points --file {file}"));
    assert_eq!(town.json("access show")["access"]["points"], good);
    let server = Server::start(town.data(), &[]);
    let page = server.json("/collections/points/items?f=json&limit=100");
    assert_eq!(page["features"].as_array().unwrap().len(), 3);
}

#[test]
fn tokens_are_shown_once_listed_by_their_hash_and_revoked() {
    let town = Town::in_folder().with_points();
    town.says(0, "user add robot --name Robot --machine");
    let made = town.json("token new robot --label QGIS --scope read --scope write --days 30");
    let (secret, hash) = (
        made["token"].as_str().unwrap(),
        made["hash"].as_str().unwrap(),
    );
    assert!(secret.starts_with("hromada_"), "{made}");
    assert_eq!(made["scopes"], serde_json::json!(["read", "write"]));
    town.refuses("token new nobody", "no account");
    town.refuses("token new robot --collection missing", "missing");
    town.says(2, "token new robot --days 731");
    town.says(2, "token new robot --scope everything");
    town.says(0, "token new robot --collection points");
    let listed = town.says(0, "token list") + &town.json("token list robot").to_string();
    assert!(!listed.contains(secret), "{listed}");
    assert!(listed.contains(hash) && listed.contains("QGIS"), "{listed}");
    assert_eq!(
        town.json("token list other")["tokens"],
        serde_json::json!([])
    );
    town.refuses(
        &format!("token revoke {}", &hash[..7]),
        "at least the first 8",
    );
    town.says(0, &format!("token revoke {}", &hash[..8]));
    town.refuses(&format!("token revoke {hash}"), "no token");
    let only = hromada(town.data(), &["-q", "token", "new", "robot"]);
    let only = String::from_utf8(only.stdout).unwrap();
    assert!(
        only.starts_with("hromada_") && only.lines().count() == 1,
        "{only}"
    );
}

#[test]
fn an_import_says_who_sees_what_it_made_and_how_to_open_it() {
    let town = Town::in_folder();
    let file = town.data().join("points.geojsonl");
    points(&file, 1, 5);
    let path = file.to_string_lossy();
    let said = town.says(0, &format!("import {path} --collection points"));
    assert!(said.contains("hromada access set points public"), "{said}");
    let said = town.says(0, &format!("import {path} --collection points --replace"));
    assert!(!said.contains("access set"), "{said}");
    let said = text(&import(town.data(), &file, "open", &[]));
    assert!(!said.contains("access set"), "{said}");
    town.says(2, &format!("import {path} --access everybody"));
    let server = Server::start(town.data(), &[]);
    assert_eq!(server.get("/collections/open").status, 200);
    assert_eq!(server.get("/collections/points").status, 404);
}

/// Asks until the answer is as expected.
fn within(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < patience, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_is_changed_beside_a_running_server_holds_there_soon() {
    for town in [Town::in_folder(), Town::in_database()] {
        let town = town.with_points();
        town.says(0, "user add robot --name Robot --machine --role gis-editor");
        let place: Vec<&str> = town.place.iter().map(String::as_str).collect();
        let serve = [&["serve", "--listen", "127.0.0.1:0"], place.as_slice()].concat();
        let server = Server::from(command(town.data(), &serve));
        let shown = |token: &str, path: &str| {
            let headers = [("Authorization", &*bearer(token))];
            server.request("GET", path, &headers, b"").unwrap().status
        };
        let token = token(
            town.data(),
            &[&["robot", "--scope", "write"], place.as_slice()].concat(),
        );
        assert_eq!(post_point(&server.address, &token, 7).unwrap(), 201);
        let (points, patience) = ("/collections/points", Duration::from_secs(2));
        assert_eq!(shown(&token, points), 200);
        town.says(0, "access set points restricted");
        within(patience, "a closed collection is still seen", || {
            server.get(points).status == 404
        });
        let made = town.json("token new robot");
        let reading = made["token"].as_str().unwrap();
        assert_eq!(shown(reading, points), 200);
        town.says(
            0,
            &format!("token revoke {}", &made["hash"].as_str().unwrap()[..12]),
        );
        within(patience, "a revoked token is still good", || {
            shown(reading, points) == 401
        });
        town.says(0, "user disable robot");
        within(patience, "an account that is off still writes", || {
            post_point(&server.address, &token, 8).unwrap() == 401
        });
        drop(server);
        town.says(0, "audit verify");
    }
}

#[test]
fn the_audit_log_stays_whole_over_imports_edits_and_accounts_and_is_searched() {
    let town = Town::in_folder().with_points();
    let token = writer(town.data(), &[]);
    let server = Server::start(town.data(), &[]);
    for n in 10..13 {
        assert_eq!(post_point(&server.address, &token, n).unwrap(), 201);
    }
    town.says(0, "user disable writer");
    drop(server);
    let verified = town.json("audit verify");
    assert_eq!(verified["clean"], true);
    let last = verified["last"].as_str().unwrap();
    assert_eq!(
        last.split(':').next().unwrap(),
        verified["records"].to_string()
    );
    town.says(0, &format!("audit verify --noted {last}"));
    town.refuses("audit verify --noted 7", "N:SHA256");
    let count = |line: &str| town.json(line)["records"].as_array().unwrap().len();
    assert_eq!(count("audit show --action collection.import"), 1);
    assert_eq!(count("audit show --action person"), 2);
    assert_eq!(count("audit show --actor writer"), 3);
    assert_eq!(count("audit show --subject points --action collection"), 1);
    assert_eq!(count("audit show --limit 2"), 2);
    assert_eq!(count("audit show --until 2020-01-01"), 0);
    assert!(count("audit show --from 2020-01-01T00:00:00+02:00") >= 7);
    town.refuses("audit show --from yesterday", "no day and no time");
    check(town.data());
}

#[test]
fn whatever_is_done_to_the_audit_log_by_hand_is_found() {
    let town = Town::in_folder();
    for n in 1..=5 {
        town.says(0, &format!("user add clerk-{n} --name Clerk --machine"));
    }
    let noted = town.json("audit verify")["last"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(noted.starts_with("5:"), "{noted}");
    let insert = "INSERT INTO hromada_audit SELECT 2, at, actor, action, 'forged', detail, hash FROM hromada_audit WHERE n = 1";
    let make_room = "UPDATE hromada_audit SET n = -n - 1 WHERE n >= 2; UPDATE hromada_audit SET n = -n WHERE n < 0";
    for (what, sql, noted_only) in [
        (
            "changed",
            "UPDATE hromada_audit SET actor = 'x' WHERE n = 3",
            false,
        ),
        (
            "detail",
            "UPDATE hromada_audit SET detail = '{}' WHERE n = 5",
            false,
        ),
        ("removed", "DELETE FROM hromada_audit WHERE n = 3", false),
        (
            "first removed",
            "DELETE FROM hromada_audit WHERE n = 1",
            false,
        ),
        ("inserted", &*format!("{make_room}; {insert}"), false),
        ("cut off", "DELETE FROM hromada_audit WHERE n >= 4", true),
        ("emptied", "DELETE FROM hromada_audit", true),
    ] {
        let copy = Town::in_folder();
        let file = copy.data().join("hromada.gpkg");
        sqlite(town.data(), &format!("VACUUM INTO '{}'", file.display()));
        let drop = "DROP TRIGGER hromada_audit_stays; DROP TRIGGER hromada_audit_keeps";
        sqlite(copy.data(), &format!("{drop}; {sql}"));
        if !noted_only {
            let said = copy.says(1, "audit verify");
            assert!(said.contains("audit log"), "{what}: {said}");
        }
        let report = hromada(
            copy.data(),
            &["audit", "verify", "--noted", &noted, "--json"],
        );
        assert_eq!(report.status.code(), Some(1), "{what}");
        let report: Json = serde_json::from_slice(&report.stdout).unwrap();
        assert_eq!(report["clean"], false, "{what}: {report}");
    }
    town.says(0, &format!("audit verify --noted {noted}"));
}

#[test]
fn a_store_of_version_1_is_brought_up_to_date_and_stays_public() {
    let town = Town::in_folder();
    let old =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../store/tests/it/version-1/hromada.gpkg");
    std::fs::copy(old, town.data().join("hromada.gpkg")).unwrap();
    town.refuses("user list", "older release");
    town.says(0, "user add clerk --name Clerk --machine");
    assert_eq!(town.json("user list")["people"][0]["id"], "clerk");
    let access = town.json("access show");
    for id in ["parcels", "second"] {
        assert_eq!(access["access"][id]["class"], "public", "{access}");
    }
    let server = Server::start(town.data(), &[]);
    let listed = server.json("/collections?f=json");
    assert_eq!(listed["collections"].as_array().unwrap().len(), 2);
    for id in ["parcels", "second"] {
        let page = server.json(&format!("/collections/{id}/items?f=json"));
        assert!(page["numberMatched"].as_u64().unwrap() > 0, "{id}");
    }
    drop(server);
    check(town.data());
    town.says(0, "audit verify");
}

#[test]
fn a_database_of_version_1_is_brought_up_to_date_and_stays_public() {
    let town = Town::in_database().with_points();
    let name = town.place[1].split_once("schema=").unwrap().1;
    // The tables of version 1 are those of today without what the steps make.
    psql(
        name,
        "DROP TABLE hromada_directory, hromada_keys, hromada_audit, hromada_transactions, hromada_lineage, hromada_webhooks; DROP FUNCTION hromada_audit_stays(), hromada_moment();
         ALTER TABLE hromada_changes DROP COLUMN before_id;
         DROP TRIGGER hromada_begin_numbering ON hromada_changes; DROP FUNCTION hromada_begin_numbering();
         ALTER TABLE hromada_unnumbered DROP COLUMN first;
         DROP INDEX hromada_changes_seq_key; ALTER TABLE hromada_changes ADD UNIQUE (seq);
         DELETE FROM hromada_meta WHERE key = 'directory'; UPDATE hromada_meta SET value = '1' WHERE key = 'schema_version'",
    );
    town.refuses("user list", "older release");
    town.says(0, "user add clerk --name Clerk --machine");
    assert_eq!(
        town.json("access show")["access"]["points"]["class"],
        "public"
    );
    assert_eq!(town.json("check")["clean"], true);
    town.says(0, "audit verify");
}

#[test]
fn the_first_administrator_is_invited_on_the_terminal_only() {
    let town = Town::in_folder().with_points();
    // Into a pipe, as under a service manager, no link is shown.
    let mut serve = command(town.data(), &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = serve
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let waits = lines
        .map(Result::unwrap)
        .inspect(|line| assert!(!line.contains("code="), "{line}"))
        .find(|line| line.contains("hromada user link administrator"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(waits.is_some());
    let shown = town.json("user show administrator");
    assert_eq!(shown["roles"][0]["role"], "administrator");
    let links = "SELECT count(*) FROM hromada_keys WHERE kind = 'link'";
    assert_eq!(sqlite(town.data(), links), "0");
    let (first, second) = (invited(town.data()), invited(town.data()));
    assert_ne!(first, second);
    assert_eq!(
        sqlite(town.data(), links),
        "1",
        "the older link is good no more"
    );
    assert!(!town.says(0, "audit show").contains(&second));
    assert_eq!(
        town.json("user list")["people"].as_array().unwrap().len(),
        1
    );
}

/// The code that a server on a terminal shows.
fn invited(data: &Path) -> String {
    let line = format!(
        "{BINARY} --data {} serve --listen 127.0.0.1:0",
        data.display()
    );
    // Whatever the tests were started by: after `nohup` a hang-up would be ignored.
    let mut child = Command::new("env")
        .args(["--default-signal=HUP", "script", "-qec", &line, "/dev/null"])
        .env("HROMADA_LANG", "en")
        .env("RUST_LOG", "info")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let codes = lines.map_while(Result::ok).find_map(|line| {
        // The log is on the same terminal here, one JSON object a line.
        assert!(!line.starts_with('{') || !line.contains("code="), "{line}");
        let code = line.split_once("/account/link?code=")?.1;
        Some(code.trim().to_owned())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    // The server itself ends when it notices that its terminal is gone.
    let lock = std::fs::File::open(data.join("hromada.lock")).unwrap();
    within(Duration::from_secs(10), "the server goes on", || {
        lock.try_lock().is_ok()
    });
    codes.expect("a link is shown")
}
