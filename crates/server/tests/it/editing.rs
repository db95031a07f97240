//! Create, replace and delete (OGC API Features Part 4, OGC 20-002 draft), and locking by `ETag`.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value as Json, json};

use crate::town::{self, Answer, Town, holder, number};

const GEOJSON: (&str, &str) = ("content-type", "application/geo+json");
const WELLS: &str = "/collections/wells/items";

fn well(x: f64, depth: i64) -> String {
    json!({ "type": "Feature", "properties": { "depth": depth }, "geometry": { "type": "Point", "coordinates": [x, 50.25] } }).to_string()
}

async fn post(town: &Town, path: &str, body: impl Into<Body>) -> Answer {
    town.request(Method::POST, path, &[GEOJSON], body).await
}

async fn put(town: &Town, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    town.request(Method::PUT, path, &[&[GEOJSON], headers].concat(), body)
        .await
}

#[tokio::test]
async fn req_create_replace_delete_options_names_the_methods() {
    let town = Town::with_edits().await;
    let allow = async |path: &str| {
        let by = format!("Bearer {}", town.editor);
        town.bare(
            Method::OPTIONS,
            path,
            &[("authorization", &by)],
            Body::empty(),
        )
        .await
        .ok()
        .header("allow")
        .to_owned()
    };
    assert_eq!(allow(WELLS).await, "GET, HEAD, POST, OPTIONS");
    assert_eq!(
        allow("/collections/wells/items/unknown_id").await,
        "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"
    );
    assert_eq!(allow("/collections").await, "GET, HEAD, OPTIONS");
    // Nobody in particular may only read.
    let answer = town
        .bare(Method::OPTIONS, WELLS, &[], Body::empty())
        .await
        .ok();
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn req_create_replace_delete_insert_gives_201_and_the_place_of_the_new_feature() {
    let town = Town::with_edits().await;
    let before = town.json("/collections/wells").await;
    let made = post(&town, WELLS, well(30.0, 7)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let place = made.header("location").to_owned();
    assert!(
        place.starts_with("http://town.test/collections/wells/items/"),
        "{place}"
    );
    let read = town.follow(&place).await.ok();
    assert_eq!(read.header("etag"), made.header("etag"));
    assert_eq!(read.json(), made.json());
    assert_eq!(read.json()["geometry"]["coordinates"], json!([30, 50.25]));
    let after = town.json("/collections/wells").await;
    assert_eq!(
        after["itemCount"].as_i64().unwrap(),
        before["itemCount"].as_i64().unwrap() + 1
    );
    let found = town
        .json("/collections/wells/items?bbox=29.9,50,30.1,51")
        .await;
    // It, and the well without a place.
    assert_eq!(found["numberMatched"], 2);
}

#[tokio::test]
async fn req_create_replace_delete_update_replaces_all_and_ignores_the_id_of_the_body() {
    let town = Town::with_edits().await;
    let id = town.json("/collections/wells/items?limit=1").await["features"][0]["id"].to_string();
    let body =
        json!({ "type": "Feature", "id": 987, "properties": {}, "geometry": null }).to_string();
    let replaced = put(&town, &format!("{WELLS}/{id}"), &[], body).await.ok();
    assert_eq!(replaced.json()["id"].to_string(), id);
    let read = town.json(&format!("{WELLS}/{id}")).await;
    assert!(
        read["geometry"].is_null() && read["properties"]["depth"].is_null(),
        "{read}"
    );
    assert_eq!(town.get(&format!("{WELLS}/987")).await.status, 404);
    assert_eq!(
        put(&town, &format!("{WELLS}/987"), &[], well(1.0, 1))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn req_create_replace_delete_delete_takes_it_out() {
    let town = Town::with_edits().await;
    let path = format!("/collections/parcels/items/{}", number(2, 2));
    let gone = town
        .request(Method::DELETE, &path, &[], Body::empty())
        .await;
    assert_eq!((gone.status.as_u16(), gone.body.len()), (204, 0));
    assert_eq!(town.get(&path).await.status, 404);
    assert_eq!(
        town.request(Method::DELETE, &path, &[], Body::empty())
            .await
            .status,
        404
    );
    assert_eq!(
        town.json("/collections/parcels/items").await["numberMatched"],
        29
    );
}

#[tokio::test]
async fn req_optimistic_locking_a_change_of_another_version_is_refused() {
    let town = Town::with_edits().await;
    let path = format!("{WELLS}/1");
    let seen = town.get(&path).await.ok().header("etag").to_owned();
    assert!(!seen.starts_with("W/"), "{seen}");
    let changed = put(&town, &path, &[("if-match", &seen)], well(2.0, 1))
        .await
        .ok();
    let newer = changed.header("etag").to_owned();
    assert_ne!(newer, seen);
    let other_life = newer.replacen('"', "\"x", 1);
    let weak = format!("W/{newer}");
    for stale in [seen.as_str(), &other_life, &weak, "\"\"", "junk"] {
        for method in [Method::PUT, Method::DELETE] {
            let answer = town
                .request(
                    method.clone(),
                    &path,
                    &[GEOJSON, ("if-match", stale)],
                    well(3.0, 1),
                )
                .await;
            assert_eq!(
                (answer.status.as_u16(), answer.key().as_str()),
                (412, "server.version-changed"),
                "{method} {stale}"
            );
        }
    }
    assert_eq!(
        town.get(&path).await.header("etag"),
        newer,
        "nothing was changed"
    );
    put(
        &town,
        &path,
        &[("if-match", &format!("\"a\", {newer}"))],
        well(4.0, 1),
    )
    .await
    .ok();
    put(&town, &path, &[("if-match", "*")], well(5.0, 1))
        .await
        .ok();
    let missing = put(
        &town,
        &format!("{WELLS}/555"),
        &[("if-match", "*")],
        well(5.0, 1),
    )
    .await;
    assert_eq!(
        missing.status, 412,
        "a condition on what is not there fails"
    );
}

#[tokio::test]
async fn two_writers_with_one_version_one_wins() {
    let town = Town::with_edits().await;
    let path = format!("{WELLS}/2");
    let seen = town.get(&path).await.ok().header("etag").to_owned();
    let headers = [("if-match", seen.as_str())];
    let tries = futures_util::future::join_all(
        (0..8).map(|i| put(&town, &path, &headers, well(f64::from(i), 1))),
    )
    .await;
    let count = |status: u16| tries.iter().filter(|a| a.status.as_u16() == status).count();
    assert_eq!((count(200), count(412)), (1, 7));
}

#[tokio::test]
async fn text_ids_come_from_the_property_or_the_member_and_are_unique() {
    let town = Town::with_edits().await;
    let parcel = |member: Json, property: Json| {
        let mut body =
            json!({ "type": "Feature", "properties": { "floors": 2 }, "geometry": null });
        body["id"] = member;
        body["properties"]["number"] = property;
        body.to_string()
    };
    let items = "/collections/parcels/items";
    let made = post(&town, items, parcel(json!("a/b ї"), Json::Null)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(
        made.header("location"),
        "http://town.test/collections/parcels/items/a%2Fb%20%D1%97"
    );
    let read = town.follow(made.header("location")).await.ok().json();
    assert_eq!(
        (&read["id"], &read["properties"]["number"]),
        (&"a/b ї".into(), &"a/b ї".into())
    );
    let taken = post(&town, items, parcel(Json::Null, json!(number(0, 0)))).await;
    assert_eq!(taken.status, 409, "{}", taken.text());
    let renamed = put(
        &town,
        &format!("{items}/{}", number(0, 0)),
        &[],
        parcel(Json::Null, json!("another")),
    )
    .await;
    assert_eq!(
        (renamed.status.as_u16(), renamed.key().as_str()),
        (422, "store.id-changed")
    );
    let kept = put(
        &town,
        &format!("{items}/{}", number(0, 0)),
        &[],
        parcel(Json::Null, Json::Null),
    )
    .await
    .ok();
    assert_eq!(kept.json()["properties"]["number"], number(0, 0));
}

#[tokio::test]
async fn bodies_that_do_not_fit_are_refused_by_name() {
    let town = Town::with_edits().await;
    let before = town.json("/collections/parcels").await["changeSeq"].clone();
    let feature = |properties: &str, geometry: &str| {
        format!("{{\"type\":\"Feature\",\"properties\":{properties},\"geometry\":{geometry}}}")
    };
    let polygon = |ring: &str| format!("{{\"type\":\"Polygon\",\"coordinates\":[{ring}]}}");
    let good = polygon("[[1,1],[2,1],[2,2],[1,1]]");
    let table: Vec<(String, u16, &str)> = vec![
        (String::new(), 400, ""),
        ("{".to_owned(), 400, ""),
        ("[]".to_owned(), 400, ""),
        ("null".to_owned(), 400, ""),
        ("\u{0}".to_owned(), 400, ""),
        (
            r#"{"type":"Point","coordinates":[1,1]}"#.to_owned(),
            400,
            "",
        ),
        (feature(r#"{"number":"n"}"#, "5"), 400, ""),
        (
            feature(
                r#"{"number":"n"}"#,
                r#"{"type":"Circle","coordinates":[1,1]}"#,
            ),
            400,
            "",
        ),
        (
            feature(
                r#"{"number":"n"}"#,
                r#"{"type":"Point","coordinates":["a",1]}"#,
            ),
            400,
            "",
        ),
        (
            feature(
                r#"{"number":"n"}"#,
                r#"{"type":"Point","coordinates":[1e999,1]}"#,
            ),
            400,
            "",
        ),
        (
            feature(r#"{"number":"n"}"#, &polygon("[[1,1],[2,1],[2,2],[1,3]]")),
            400,
            "",
        ),
        (
            feature(
                r#"{"number":"n"}"#,
                &polygon("[[500,1],[501,1],[501,2],[500,1]]"),
            ),
            422,
            "server.coordinates-out-of-range",
        ),
        (
            feature(
                r#"{"number":"n"}"#,
                r#"{"type":"Point","coordinates":[1,1]}"#,
            ),
            422,
            "store.geometry-type",
        ),
        (
            feature(r#"{"number":"n","colour":"red"}"#, &good),
            422,
            "server.property-unknown",
        ),
        (
            feature(r#"{"number":"n","floors":"two"}"#, &good),
            422,
            "server.property-type",
        ),
        (
            feature(r#"{"number":"n","floors":1.5}"#, &good),
            422,
            "server.property-type",
        ),
        (
            feature(r#"{"number":"n","used":1}"#, &good),
            422,
            "server.property-type",
        ),
        (
            feature(r#"{"number":"n","built":"1.6.2003"}"#, &good),
            422,
            "server.property-type",
        ),
        (
            feature(r#"{"number":5}"#, &good),
            422,
            "server.property-type",
        ),
    ];
    for (body, status, key) in table {
        let answer = post(&town, "/collections/parcels/items", body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text());
        assert!(
            key.is_empty() || answer.key() == key,
            "{body}: {}",
            answer.text()
        );
        assert!(
            !answer.json()["detail"].as_str().unwrap().contains('{'),
            "{}",
            answer.text()
        );
    }
    let missing = post(&town, "/collections/nothing/items", well(1.0, 1)).await;
    assert_eq!(missing.status, 404);
    assert_eq!(
        town.json("/collections/parcels").await["changeSeq"],
        before,
        "nothing was written"
    );
    let whole = post(
        &town,
        "/collections/parcels/items",
        feature(r#"{"number":"n","floors":2.0,"area":7}"#, &good),
    )
    .await;
    assert_eq!(whole.status, 201, "{}", whole.text());
    assert_eq!(whole.json()["properties"]["floors"], 2);
}

#[tokio::test]
async fn headers_that_do_not_fit_are_refused() {
    let town = Town::with_edits().await;
    let send = async |headers: &[(&str, &str)]| {
        town.request(Method::POST, WELLS, headers, well(1.0, 1))
            .await
    };
    assert_eq!(send(&[]).await.status, 400);
    assert_eq!(
        send(&[("content-type", "text/plain")]).await.key(),
        "server.media-type"
    );
    assert_eq!(
        send(&[GEOJSON, ("content-encoding", "gzip")]).await.key(),
        "server.content-encoding"
    );
    let crs = async |crs: &str| send(&[GEOJSON, ("content-crs", crs)]).await.status.as_u16();
    assert_eq!(
        crs("<http://www.opengis.net/def/crs/EPSG/0/2180>").await,
        400
    );
    assert_eq!(crs("nonsense").await, 400);
    assert_eq!(
        crs("<http://www.opengis.net/def/crs/OGC/1.3/CRS84>").await,
        201
    );
    assert_eq!(crs("http://www.opengis.net/def/crs/EPSG/0/4326").await, 201);
    assert_eq!(
        send(&[("content-type", "application/json; charset=utf-8")])
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_by_its_length_and_by_its_bytes() {
    let town = Town::with_edits().await;
    let declared = town
        .request(
            Method::POST,
            WELLS,
            &[GEOJSON, ("content-length", "33554433")],
            Body::empty(),
        )
        .await;
    assert_eq!(
        (declared.status.as_u16(), declared.key().as_str()),
        (413, "server.body-too-large")
    );
    let sent = post(&town, WELLS, vec![b' '; 32 * 1024 * 1024 + 1]).await;
    assert_eq!(
        (sent.status.as_u16(), sent.key().as_str()),
        (413, "server.body-too-large")
    );
}

#[tokio::test]
async fn without_leave_nothing_can_be_written() {
    let town = Town::new().await;
    for (method, path) in [
        (Method::POST, WELLS),
        (Method::PUT, "/collections/wells/items/1"),
        (Method::DELETE, "/collections/wells/items/1"),
    ] {
        let answer = town
            .bare(method.clone(), path, &[GEOJSON], well(1.0, 1))
            .await;
        assert_eq!(answer.status, 401, "{method}");
        let asked: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(asked.len(), 2, "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_write_is_answered_with_its_own_state_and_version() {
    let town = Town::with_edits().await;
    let path = format!("{WELLS}/1");
    let mut tags = std::collections::HashSet::new();
    for round in 0..4 {
        let depths = (0..16).map(|i| round * 16 + i);
        let tries = depths.map(async |i| (i, put(&town, &path, &[], well(1.0, i)).await));
        for (i, answer) in futures_util::future::join_all(tries).await {
            let answer = answer.ok();
            assert_eq!(answer.json()["properties"]["depth"], i);
            assert!(tags.insert(answer.header("etag").to_owned()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn if_match_with_a_star_takes_any_version() {
    let town = Town::with_edits().await;
    let path = format!("{WELLS}/1");
    for _ in 0..4 {
        let any = [("if-match", "*")];
        let tries = (0..16).map(|i| put(&town, &path, &any, well(1.0, i)));
        for answer in futures_util::future::join_all(tries).await {
            answer.ok();
        }
    }
}

#[tokio::test]
async fn what_rounding_puts_beyond_the_antimeridian_is_found_on_it() {
    let town = Town::with_edits().await;
    let made = post(&town, WELLS, well(180.000_000_001, 7)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.json()["geometry"]["coordinates"], json!([180, 50.25]));
    let found = town
        .json("/collections/wells/items?bbox=179,50,180,51")
        .await;
    assert_eq!(found["numberMatched"], 2);
    let beyond = post(&town, WELLS, well(180.000_001, 7)).await;
    assert_eq!(
        (beyond.status.as_u16(), beyond.key().as_str()),
        (422, "server.coordinates-out-of-range")
    );
}

#[tokio::test]
async fn what_is_read_and_put_back_in_a_projected_collection_stays_where_it_is() {
    let town = Town::with_edits().await;
    let line = r#"{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"EPSG:6382"}},"features":[
        {"type":"Feature","properties":{"name":"a"},"geometry":{"type":"LineString","coordinates":
        [[300100.123,5420200.457,310.25],[300121.493,5420233.567,311.5],[300400.981,5420300.003,312]]}}]}"#;
    let (store, folder) = (&town.store, town.folder.path());
    town::import(
        store,
        folder,
        "pipes",
        line,
        None,
        store::CollectionSettings::default(),
    )
    .await;
    store.load().await.unwrap();
    let path = "/collections/pipes/items/1";
    let first = town.json(path).await;
    assert_eq!(first["geometry"]["coordinates"][1][2], 311.5);
    for name in ["b", "c", "d"] {
        let mut body = town.json(path).await;
        body["properties"]["name"] = name.into();
        let answer = put(&town, path, &[], body.to_string()).await.ok().json();
        assert_eq!(answer["geometry"], first["geometry"]);
        assert_eq!(answer["properties"]["name"], name);
    }
    let flat = json!({ "type": "Feature", "properties": {},
        "geometry": { "type": "LineString", "coordinates": [[24, 48], [25, 49]] } });
    let refused = put(&town, path, &[], flat.to_string()).await;
    assert_eq!(
        (refused.status.as_u16(), refused.key().as_str()),
        (422, "store.geometry-dimensions")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_clients_that_hung_up_count_until_they_are_written() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;
    use std::time::Duration;

    let town = Town::with_edits().await;
    // Another program holds the write lock, so that writes wait.
    let (mut other, hold) = holder(&town.store);
    let mut other = other
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut tell = other.stdin.take().unwrap();
    let mut told = BufReader::new(other.stdout.take().unwrap());
    writeln!(tell, "{hold}").unwrap();
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "held");

    // As large as a body may be, so that eight take all the room.
    let large = |i: i64| {
        let mut body = well(1.0, i);
        body.push_str(&" ".repeat(32 * 1024 * 1024 - body.len()));
        body
    };
    let waiting = futures_util::future::join_all((0..8).map(|i| post(&town, WELLS, large(i))));
    let gone = tokio::time::timeout(Duration::from_secs(2), waiting).await;
    assert!(gone.is_err(), "all wait, and then hang up");
    let refused = post(&town, WELLS, well(1.0, 9)).await;
    assert_eq!(
        (refused.status.as_u16(), refused.key().as_str()),
        (503, "server.overloaded")
    );
    writeln!(tell, "ROLLBACK;").unwrap();
    drop(tell);
    other.wait().unwrap();
    // The writes that waited are done, and make room.
    let later = async {
        while post(&town, WELLS, well(1.0, 10)).await.status != 201 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), later)
        .await
        .unwrap();
    assert_eq!(town.json(WELLS).await["numberMatched"], 8 + 8 + 1);
}
