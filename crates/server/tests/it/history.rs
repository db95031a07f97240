//! The history over HTTP: versions, moments on items and tiles, differences, restoring, and who sees it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::Method;
use model::CollectionId;
use model::access::{Access, Class, Retention, RowRule};
use serde_json::{Value as Json, json};
use store::Trim;

use crate::connection::{exchange, start_with};
use crate::town::{Answer, Town, number};

const PATCH: (&str, &str) = ("content-type", "application/merge-patch+json");
const PARCELS: &str = "/collections/parcels/items";
const WELLS: &str = "/collections/wells/items";

async fn patch(town: &Town, path: &str, headers: &[(&str, &str)], body: &Json) -> Answer {
    let headers = [&[PATCH], headers].concat();
    town.request(Method::PATCH, path, &headers, body.to_string())
        .await
        .ok()
}

/// As the editor, who sees the history.
async fn read(town: &Town, path: &str) -> Answer {
    let by = format!("Bearer {}", town.editor);
    town.get_with(path, &[("authorization", &by)]).await
}

async fn versions(town: &Town, path: &str) -> Vec<Json> {
    let json = read(town, &format!("{path}/versions")).await.ok().json();
    json["versions"].as_array().unwrap().clone()
}

/// A moment between what was before and what comes: times of the history have milliseconds.
pub(crate) async fn moment() -> String {
    let now = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        i64::try_from(since.unwrap().as_millis()).unwrap()
    };
    let begun = now();
    while now() < begun + 2 {
        tokio::task::yield_now().await;
    }
    let (days, millis) = ((begun + 1) / 86_400_000, (begun + 1) % 86_400_000);
    model::date_time_of(days, millis * 1000).unwrap()
}

#[tokio::test]
async fn versions_say_who_when_why_and_by_which_request() {
    let town = Town::with_edits().await;
    let path = format!("{PARCELS}/{}", number(1, 1));
    let headers = [("hromada-reason", "survey"), ("x-request-id", "job-7")];
    let body = json!({ "properties": { "floors": 9 } });
    patch(&town, &path, &headers, &body).await;
    let all = versions(&town, &path).await;
    assert_eq!(all.len(), 2);
    let change = &all[1]["change"];
    assert_eq!(
        (&change["operation"], &change["actor"]),
        (&"replace".into(), &"editor".into())
    );
    assert_eq!(
        (&change["reason"], &change["request"]),
        (&"survey".into(), &"job-7".into())
    );
    assert_eq!(all[0]["until"], all[1]["from"]);
    assert!(all[1]["until"].is_null());
    let second = read(&town, &format!("{path}/versions/2")).await.ok();
    assert_eq!(second.json()["properties"]["floors"], 9);
    let first = read(&town, &format!("{path}/versions/1")).await.ok();
    assert_ne!(first.json()["properties"]["floors"], 9);
    let missing = read(&town, &format!("{path}/versions/3")).await;
    assert_eq!(
        (missing.status.as_u16(), missing.key().as_str()),
        (404, "server.no-version")
    );
    let difference = read(&town, &format!("{path}/versions/2?against=1"))
        .await
        .ok()
        .json();
    let floors = &first.json()["properties"]["floors"];
    assert_eq!(
        difference,
        json!({ "from": 1, "to": 2, "properties": { "floors": { "from": floors, "to": 9 } } })
    );
}

#[tokio::test]
async fn a_feature_is_asked_for_as_it_was() {
    let town = Town::with_edits().await;
    let path = format!("{PARCELS}/{}", number(1, 1));
    let before = town.json(&path).await;
    let t1 = moment().await;
    patch(&town, &path, &[], &json!({ "properties": { "floors": 9 } })).await;
    let t2 = moment().await;
    town.request(Method::DELETE, &path, &[], Body::empty())
        .await;
    let then = read(&town, &format!("{path}?datetime={t1}")).await.ok();
    assert_eq!(then.json()["properties"], before["properties"]);
    assert_eq!(then.json()["geometry"], before["geometry"]);
    assert!(then.header("memento-datetime").ends_with(" GMT"));
    let links = then.headers.get_all("link").iter();
    let links: String = links
        .map(|l| l.to_str().unwrap().to_owned() + "\n")
        .collect();
    for rel in [
        "original",
        "timemap",
        "version-history",
        "canonical",
        "successor-version",
    ] {
        assert!(links.contains(&format!("rel=\"{rel}\"")), "{rel}: {links}");
    }
    assert!(!links.contains("predecessor-version"), "{links}");
    let then = read(
        &town,
        &format!("{path}?as-of={t2}&crs=http://www.opengis.net/def/crs/EPSG/0/4326"),
    )
    .await
    .ok()
    .json();
    assert_eq!(then["properties"]["floors"], 9);
    let axis = &then["geometry"]["coordinates"][0][0];
    assert!(axis[0].as_f64().unwrap() > 48.0, "latitude first: {axis}");
    // Now, and before there was anything, it is not there.
    for when in [moment().await.as_str(), "1990-01-01"] {
        let gone = read(&town, &format!("{path}?datetime={when}")).await;
        assert_eq!(
            (gone.status.as_u16(), gone.key().as_str()),
            (410, "server.not-then"),
            "{when}"
        );
    }
    let never = read(&town, &format!("{PARCELS}/none?datetime={t1}")).await;
    assert_eq!(never.status, 404);
    let bad = read(&town, &format!("{path}?datetime=yesterday")).await;
    assert_eq!(
        (bad.status.as_u16(), bad.key().as_str()),
        (400, "server.as-of-unreadable")
    );
}

#[tokio::test]
async fn a_collection_is_asked_for_as_it_was() {
    let town = Town::with_edits().await;
    let all = town.json(&format!("{WELLS}?limit=100")).await;
    let count = all["numberMatched"].as_i64().unwrap();
    let features = all["features"].as_array().unwrap();
    let placed = features.iter().find(|f| !f["geometry"].is_null()).unwrap();
    let first = placed["id"].to_string();
    let t1 = moment().await;
    let moved = json!({ "properties": { "depth": 4321 }, "geometry": { "type": "Point", "coordinates": [10, 10] } });
    patch(&town, &format!("{WELLS}/{first}"), &[], &moved).await;
    let t2 = moment().await;
    for feature in features.iter().take(3) {
        let path = format!("{WELLS}/{}", feature["id"]);
        town.request(Method::DELETE, &path, &[], Body::empty())
            .await;
    }
    let at = async |when: &str, more: &str| {
        let path = format!("{WELLS}?as-of={when}&limit=100{more}");
        read(&town, &path).await.ok().json()
    };
    let then = at(&t1, "").await;
    assert_eq!(then["features"], all["features"]);
    let deep = "&filter=depth%3D4321";
    assert_eq!(at(&t1, deep).await["numberMatched"], 0);
    assert_eq!(at(&t2, deep).await["numberMatched"], 1);
    let near = "&bbox=9.9,9.9,10.1,10.1&filter=depth%3D4321";
    assert_eq!(at(&t2, near).await["numberMatched"], 1);
    let now = at(&moment().await, "").await;
    assert_eq!(now["numberMatched"], count - 3);
    // Wells have no time of their own, so `datetime` is the moment too.
    let by_datetime = read(&town, &format!("{WELLS}?datetime={t1}&limit=100")).await;
    assert_eq!(by_datetime.ok().json()["features"], all["features"]);
    // Pages of one moment.
    let mut found = Vec::new();
    let mut next = Some(format!("{WELLS}?as-of={t1}&limit=2"));
    while let Some(path) = next {
        let page = read(&town, &path).await.ok().json();
        found.extend(page["features"].as_array().unwrap().clone());
        let links = page["links"].as_array().unwrap();
        next = links
            .iter()
            .find(|l| l["rel"] == "next")
            .map(|l| l["href"].as_str().unwrap().replace("http://town.test", ""));
    }
    assert_eq!(&found, features);
}

#[tokio::test]
async fn tiles_are_cut_as_they_were() {
    let town = Town::with_edits().await;
    let made = json!({ "type": "Feature", "properties": { "depth": 1 }, "geometry": { "type": "Point", "coordinates": [30.0, 50.0] } });
    let t0 = moment().await;
    let made = town
        .request(
            Method::POST,
            WELLS,
            &[("content-type", "application/geo+json")],
            made.to_string(),
        )
        .await;
    let path = made.header("location").replace("http://town.test", "");
    let t1 = moment().await;
    // The tile of the place at zoom 12.
    let tile = "/tiles/wells/12/2389/1389";
    let with_it = town.get(tile).await.ok();
    town.request(Method::DELETE, &path, &[], Body::empty())
        .await;
    assert_eq!(town.get(tile).await.status, 204);
    for _ in 0..2 {
        let then = read(&town, &format!("{tile}?as-of={t1}")).await.ok();
        assert_eq!(then.body, with_it.body);
        let before = read(&town, &format!("{tile}?as-of={t0}")).await;
        assert_eq!(before.status, 204);
    }
    let ogc = format!("/collections/wells/tiles/WebMercatorQuad/12/1389/2389?as-of={t1}");
    assert_eq!(read(&town, &ogc).await.ok().body, with_it.body);
    let json = read(&town, &format!("/tiles/wells?as-of={t1}"))
        .await
        .ok()
        .json();
    let template = json["tiles"][0].as_str().unwrap();
    assert!(template.contains("?as-of="), "{template}");
}

#[tokio::test]
async fn a_version_is_made_the_state_again() {
    let town = Town::with_edits().await;
    let path = format!("{PARCELS}/{}", number(1, 1));
    let before = town.json(&path).await;
    patch(
        &town,
        &path,
        &[],
        &json!({ "properties": { "floors": 9 }, "geometry": null }),
    )
    .await;
    let tag = town.get(&path).await.ok().header("etag").to_owned();
    let restore = async |headers: &[(&str, &str)]| {
        let path = format!("{path}/versions/1/restore");
        town.request(Method::POST, &path, headers, Body::empty())
            .await
    };
    assert_eq!(restore(&[("if-match", "\"0\"")]).await.status, 412);
    let restored = restore(&[("if-match", &tag)]).await.ok().json();
    assert_eq!(restored["properties"], before["properties"]);
    assert_eq!(restored["geometry"], before["geometry"]);
    let all = versions(&town, &path).await;
    assert_eq!(
        (all.len(), &all[2]["change"]["kind"]),
        (3, &"restore".into())
    );
    town.request(Method::DELETE, &path, &[], Body::empty())
        .await;
    let back = restore(&[]).await;
    assert_eq!(back.status, 201, "{}", back.text());
    assert_eq!(town.json(&path).await["properties"], before["properties"]);
    let all = versions(&town, &path).await;
    assert_eq!(all[2]["end"]["operation"], "delete");
    assert!(town.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn the_history_is_for_those_whom_the_rules_name() {
    let town = Town::with_edits().await;
    let path = format!("{PARCELS}/{}", number(1, 1));
    let t1 = moment().await;
    patch(&town, &path, &[], &json!({ "properties": { "floors": 9 } })).await;
    let asked = [
        format!("{path}/versions"),
        format!("{path}/versions/1"),
        format!("{path}?datetime={t1}"),
        format!("{PARCELS}?as-of={t1}"),
        format!("/tiles/parcels/14/9316/5632?as-of={t1}"),
    ];
    for path in &asked {
        assert_eq!(town.get(path).await.status, 401, "{path}");
        let status = read(&town, path).await.status;
        assert!(status.is_success(), "{path}: {status}");
    }
    // Where the history is closed, an instant filters nothing, as before.
    let plain = town.json(&format!("{WELLS}?limit=100")).await;
    let instant = town
        .json(&format!("{WELLS}?limit=100&datetime=1990-01-01"))
        .await;
    assert_eq!(plain["features"], instant["features"]);
    let open = Access {
        history: Class::Public,
        ..Access::of(Class::Public)
    };
    let id = CollectionId::new("parcels").unwrap();
    town.store.set_access("test", &id, open).await.unwrap();
    for path in &asked {
        let status = town.get(path).await.status;
        assert!(status.is_success(), "{path}: {status}");
    }
    // Who made a change is told to those who work with them.
    let json = town.json(&asked[0]).await;
    let change = &json["versions"][1]["change"];
    assert_eq!(change, &json!({ "operation": "replace" }));
}

/// Makes all that has happened so far ten years old and more, with a rule that lets it go.
async fn outlive(town: &Town, collection: &str, class: Access) {
    let aged = "UPDATE hromada_changes SET at = '2010-05-01T10:00:00.000Z'";
    crate::town::sql(&town.store, aged);
    let access = Access {
        retention: Retention::of_days(365),
        ..class
    };
    let id = CollectionId::new(collection).unwrap();
    town.store.set_access("test", &id, access).await.unwrap();
}

async fn let_go(town: &Town, collection: &str, class: Access) {
    outlive(town, collection, class).await;
    let trim = Trim::by_rules();
    let done = town.store.trim("test", &trim, &mut |_, _| {}).await;
    assert!(done.unwrap()[0].states > 0);
}

#[tokio::test]
async fn a_server_lets_old_states_go_by_itself() {
    let town = Town::with_edits().await;
    let path = format!("{PARCELS}/{}", number(1, 1));
    let body = json!({ "properties": { "floors": 7 } });
    patch(&town, &path, &[], &body).await;
    outlive(&town, "parcels", Access::of(Class::Public)).await;
    let running = start_with(town.store.clone(), server::Options::default()).await;
    // It has begun when it answers, and a quarter of an hour later it looks.
    let live = "GET /health/live HTTP/1.1\r\nhost: localhost\r\nConnection: close\r\n\r\n";
    exchange(running.address, live.as_bytes()).await;
    let is_kept = async || {
        let all = versions(&town, &path).await;
        all[0]["kept"] != false
    };
    assert!(is_kept().await);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(15 * 60 + 1)).await;
    tokio::time::resume();
    tokio::time::timeout(Duration::from_secs(60), async {
        while is_kept().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("nothing is let go");
    running.end().await;
}

#[tokio::test]
async fn a_server_gathers_its_index_by_itself_and_answers_as_before() {
    let town = Town::with_edits().await;
    let path = format!("{PARCELS}/{}", number(1, 1));
    patch(&town, &path, &[], &json!({ "properties": { "floors": 7 } })).await;
    let strays = || {
        let live = town.store.live();
        live.get("parcels").unwrap().index.strays()
    };
    assert!(strays() > 0);
    let before = town.json(PARCELS).await["features"].clone();
    let running = start_with(town.store.clone(), server::Options::default()).await;
    tokio::time::timeout(Duration::from_secs(60), async {
        while strays() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("nothing is gathered");
    assert_eq!(town.json(PARCELS).await["features"], before);
    running.end().await;
}

#[tokio::test]
async fn a_version_that_was_let_go_keeps_its_number_and_nothing_takes_its_place() {
    let town = Town::with_edits().await;
    let path = format!("{PARCELS}/{}", number(1, 1));
    for floors in [7, 8, 9] {
        let reason = [("hromada-reason", "survey")];
        let body = json!({ "properties": { "floors": floors } });
        patch(&town, &path, &reason, &body).await;
    }
    let then = town.json(&path).await;
    let before = versions(&town, &path).await;
    let_go(&town, "parcels", Access::of(Class::Public)).await;
    patch(
        &town,
        &path,
        &[],
        &json!({ "properties": { "floors": 10 } }),
    )
    .await;
    let json = read(&town, &format!("{path}/versions")).await.ok().json();
    let since = json["keptSince"].as_str().unwrap();
    assert!(since.ends_with("T00:00:00.000Z"), "{since}");
    let all = json["versions"].as_array().unwrap();
    assert_eq!(all.len(), 5);
    for (i, version) in all.iter().enumerate() {
        assert_eq!(version["version"], i + 1);
        assert_eq!(version["kept"] == false, i < 3, "{version}");
        assert_eq!(version["href"].is_null(), i < 3, "{version}");
    }
    // What was done, and why, is known.
    assert_eq!(all[2]["change"], before[2]["change"]);
    assert_eq!(all[2]["change"]["reason"], "survey");
    let links = json["links"].as_array().unwrap();
    let mementos = links.iter().filter(|l| l["rel"] == "memento").count();
    assert_eq!(mementos, 2);
    let fourth = read(&town, &format!("{path}/versions/4")).await.ok();
    assert_eq!(fourth.json()["properties"], then["properties"]);
    assert!(!format!("{:?}", fourth.headers).contains("predecessor-version"));
    let gone = [
        format!("{path}/versions/3"),
        format!("{path}/versions/5?against=3"),
        format!("{path}?datetime=2010-04-30"),
        format!("{PARCELS}?as-of=2010-05-02"),
        "/tiles/parcels/14/9316/5632?as-of=2010-05-02".to_owned(),
    ];
    for path in &gone[..2] {
        let answer = read(&town, path).await;
        let found = (answer.status.as_u16(), answer.key());
        assert_eq!(found, (410, "store.history-not-kept".to_owned()), "{path}");
    }
    // It was not there before it was imported, which is known.
    let answer = read(&town, &gone[2]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.key().as_str()),
        (410, "server.not-then")
    );
    for path in &gone[3..] {
        let answer = read(&town, path).await;
        let found = (answer.status.as_u16(), answer.key());
        assert_eq!(found, (410, "store.history-not-kept".to_owned()), "{path}");
    }
    // The state that it had when the kept history begins.
    let at = read(&town, &format!("{path}?datetime={since}"))
        .await
        .ok()
        .json();
    assert_eq!(at["properties"], then["properties"]);
    let whole = read(&town, &format!("{PARCELS}?as-of={since}&limit=1000"))
        .await
        .ok()
        .json();
    let features = whole["features"].as_array().unwrap();
    assert!(
        features
            .iter()
            .any(|f| f["id"] == then["id"] && f["properties"] == then["properties"])
    );
    let restore = |n| format!("{path}/versions/{n}/restore");
    let refused = town
        .request(Method::POST, &restore(3), &[], Body::empty())
        .await;
    assert_eq!(refused.status, 410, "{}", refused.text());
    town.request(Method::POST, &restore(4), &[], Body::empty())
        .await
        .ok();
    assert_eq!(town.json(&path).await["properties"], then["properties"]);
    assert_eq!(versions(&town, &path).await.len(), 6);
}

#[tokio::test]
async fn whoever_does_not_see_all_is_told_no_numbers_that_nobody_can_count() {
    let town = Town::with_edits().await;
    let path = format!("{PARCELS}/{}", number(1, 1));
    for floors in [0, 8, 9] {
        patch(
            &town,
            &path,
            &[],
            &json!({ "properties": { "floors": floors } }),
        )
        .await;
    }
    let rules = || Access {
        history: Class::Public,
        rows: vec![RowRule {
            below: Class::Staff,
            filter: "floors > 5".to_owned(),
        }],
        ..Access::of(Class::Public)
    };
    let id = CollectionId::new("parcels").unwrap();
    town.store.set_access("test", &id, rules()).await.unwrap();
    let all = town.json(&format!("{path}/versions")).await;
    assert_eq!(all["versions"][0]["version"], 1);
    let_go(&town, "parcels", rules()).await;
    patch(
        &town,
        &path,
        &[],
        &json!({ "properties": { "floors": 10 } }),
    )
    .await;
    let all = town.json(&format!("{path}/versions")).await;
    let all = all["versions"].as_array().unwrap();
    assert_eq!(all.len(), 2, "those of before may have been seen or not");
    for (version, floors) in all.iter().zip([9, 10]) {
        assert!(version["version"].is_null() && version["kept"].is_null());
        let href = version["href"].as_str().unwrap();
        let then = town.json(&href.replace("http://town.test", "")).await;
        assert_eq!(then["properties"]["floors"], floors);
    }
    for asked in [
        "versions/1",
        "versions/2",
        "versions/77",
        "?datetime=2010-04-30",
    ] {
        let joint = if asked.starts_with('?') { "" } else { "/" };
        let answer = town.get(&format!("{path}{joint}{asked}")).await;
        let found = (answer.status.as_u16(), answer.key());
        assert_eq!(found, (410, "store.history-not-kept".to_owned()), "{asked}");
    }
    // Whoever sees all features counts all of them.
    assert_eq!(versions(&town, &path).await.len(), 5);
}
