//! Changes of some properties, conditions, repeated requests, several changes as one (OGC 20-002 and 26-018, drafts).

use axum::body::Body;
use axum::http::Method;
use model::CollectionId;
use model::access::{Access, Class, Editing, IdPattern, InvalidRule};
use serde_json::{Value as Json, json};

use crate::town::{Answer, Town, number};

const GEOJSON: (&str, &str) = ("content-type", "application/geo+json");
const PATCH: (&str, &str) = ("content-type", "application/merge-patch+json");
const TX: (&str, &str) = ("content-type", "application/ogc-tx+json");
const WELLS: &str = "/collections/wells/items";
const PARCELS: &str = "/collections/parcels/items";

fn well(x: f64, depth: i64) -> Json {
    json!({ "type": "Feature", "properties": { "depth": depth }, "geometry": { "type": "Point", "coordinates": [x, 50.25] } })
}

async fn send(
    town: &Town,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &Json,
) -> Answer {
    town.request(method, path, headers, body.to_string()).await
}

async fn post(town: &Town, path: &str, headers: &[(&str, &str)], body: &Json) -> Answer {
    let headers = [&[GEOJSON], headers].concat();
    send(town, Method::POST, path, &headers, body).await
}

async fn patch(town: &Town, path: &str, headers: &[(&str, &str)], body: &Json) -> Answer {
    let headers = [&[PATCH], headers].concat();
    send(town, Method::PATCH, path, &headers, body).await
}

async fn transact(town: &Town, body: &Json) -> Answer {
    send(town, Method::POST, "/transactions", &[TX], body).await
}

async fn rule(town: &Town, collection: &str, editing: Editing) {
    let access = Access {
        editing,
        ..Access::of(Class::Public)
    };
    let id = CollectionId::new(collection).unwrap();
    town.store.set_access("test", &id, access).await.unwrap();
}

fn errors(answer: &Answer) -> Vec<(String, String)> {
    let json = answer.json();
    let all = json["errors"]
        .as_array()
        .unwrap_or_else(|| panic!("{json}"));
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    all.iter()
        .map(|e| (text(&e["pointer"]), text(&e["key"])))
        .collect()
}

async fn count(town: &Town, path: &str) -> i64 {
    town.json(path).await["numberMatched"].as_i64().unwrap()
}

#[tokio::test]
async fn req_update_a_patch_changes_what_it_names_and_null_unsets() {
    let town = Town::with_edits().await;
    let path = format!("{PARCELS}/{}", number(1, 1));
    let before = town.json(&path).await;
    let changed = patch(&town, &path, &[], &json!({ "properties": { "floors": 9 } }))
        .await
        .ok();
    assert_eq!(changed.json()["properties"]["floors"], 9);
    let after = town.json(&path).await;
    let mut expected = before.clone();
    expected["properties"]["floors"] = 9.into();
    assert_eq!(after, expected);
    let unset = json!({ "properties": { "floors": null } });
    let unset = patch(&town, &path, &[], &unset).await.ok();
    assert!(unset.json()["properties"]["floors"].is_null());
    let moved = json!({ "geometry": { "type": "Polygon", "coordinates": [[[1, 1], [2, 1], [2, 2], [1, 1]]] } });
    let moved = patch(&town, &path, &[], &moved).await.ok().json();
    assert_eq!(moved["geometry"]["coordinates"][0][1], json!([2, 1]));
    assert_eq!(
        moved["properties"]["number"],
        before["properties"]["number"]
    );
    let gone = patch(&town, &path, &[], &json!({ "geometry": null }))
        .await
        .ok();
    assert!(gone.json()["geometry"].is_null());
    // The id is part of the address.
    let renamed = json!({ "properties": { "number": "another" } });
    let renamed = patch(&town, &path, &[], &renamed).await;
    assert_eq!(
        (renamed.status.as_u16(), renamed.key().as_str()),
        (422, "store.id-changed")
    );
    let missing = patch(&town, &format!("{PARCELS}/none"), &[], &json!({})).await;
    assert_eq!(missing.status, 404);
    let as_geojson = send(&town, Method::PATCH, &path, &[GEOJSON], &json!({})).await;
    assert_eq!(as_geojson.status, 415);
    let unknown = patch(&town, &path, &[], &json!({ "propertys": {} })).await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.key().as_str()),
        (400, "formats.patch-member")
    );
}

#[tokio::test]
async fn all_that_is_wrong_with_a_body_is_said_at_once() {
    let town = Town::with_edits().await;
    let body = json!({
        "type": "Feature",
        "properties": { "floors": "many", "colour": "red", "number": 7, "a/b~c": 1 },
        "geometry": { "type": "Polygon", "coordinates": [[[1, 1], [200, 1], [2, 2], [1, 1]]] },
    });
    let answer = post(&town, PARCELS, &[], &body).await;
    assert_eq!(answer.status, 422);
    let mut found = errors(&answer);
    found.sort();
    let expected = [
        ("/geometry", "server.coordinates-out-of-range"),
        ("/properties/a~1b~0c", "server.property-unknown"),
        ("/properties/colour", "server.property-unknown"),
        ("/properties/floors", "server.property-type"),
        ("/properties/number", "server.property-type"),
    ];
    let expected = expected.map(|(place, key)| (place.to_owned(), key.to_owned()));
    assert_eq!(found, expected);
}

#[tokio::test]
async fn req_optimistic_locking_412_links_the_state_that_is_there() {
    let town = Town::with_edits().await;
    let path = format!("{PARCELS}/{}", number(0, 1));
    let first = town.get(&path).await.ok().header("etag").to_owned();
    let change = |floors: i64| json!({ "properties": { "floors": floors } });
    let changed = patch(&town, &path, &[("if-match", &first)], &change(3))
        .await
        .ok();
    let second = changed.header("etag").to_owned();
    assert_ne!(first, second);
    let stale = patch(&town, &path, &[("if-match", &first)], &change(4)).await;
    assert_eq!(
        (stale.status.as_u16(), stale.key().as_str()),
        (412, "server.version-changed")
    );
    assert_eq!(stale.header("etag"), second);
    let link = format!("<http://town.test{path}>; rel=\"latest-version\"");
    assert_eq!(
        stale.header("link").replace("%3A", ":"),
        link.replace("%3A", ":")
    );
    assert_eq!(town.json(&path).await["properties"]["floors"], 3);
    // What is gone fails the condition too, and has no state to link.
    town.request(
        Method::DELETE,
        &path,
        &[("if-match", &second)],
        Body::empty(),
    )
    .await;
    let gone = patch(&town, &path, &[("if-match", &second)], &change(5)).await;
    assert_eq!((gone.status.as_u16(), gone.header("etag")), (412, ""));
}

#[tokio::test]
async fn a_strict_collection_takes_no_change_without_a_condition() {
    let town = Town::with_edits().await;
    rule(
        &town,
        "parcels",
        Editing {
            is_strict: true,
            ..Editing::default()
        },
    )
    .await;
    let path = format!("{PARCELS}/{}", number(0, 1));
    let body = json!({ "properties": { "floors": 3 } });
    let refused = patch(&town, &path, &[], &body).await;
    assert_eq!(
        (refused.status.as_u16(), refused.key().as_str()),
        (428, "server.if-match-required")
    );
    let gone = town
        .request(Method::DELETE, &path, &[], Body::empty())
        .await;
    assert_eq!(gone.status, 428);
    let by_ids = json!({ "transaction": [{ "action": "delete", "collection": "parcels", "filter": { "ids": [number(0, 1)] } }] });
    assert_eq!(transact(&town, &by_ids).await.status, 428);
    let tag = town.get(&path).await.ok().header("etag").to_owned();
    let mut with_tag = by_ids.clone();
    with_tag["transaction"][0]["if-match"] = "\"0\"".into();
    assert_eq!(transact(&town, &with_tag).await.status, 412);
    patch(&town, &path, &[("if-match", &tag)], &body).await.ok();
    let tag = town.get(&path).await.ok().header("etag").to_owned();
    with_tag["transaction"][0]["if-match"] = tag.into();
    transact(&town, &with_tag).await.ok();
    assert_eq!(town.get(&path).await.status, 404);
    // Something new overwrites nothing.
    let new = json!({ "type": "Feature", "properties": { "number": "n" }, "geometry": null });
    assert_eq!(post(&town, PARCELS, &[], &new).await.status, 201);
}

#[tokio::test]
async fn a_repeated_request_is_answered_as_it_was_and_done_once() {
    let town = Town::with_edits().await;
    let before = count(&town, WELLS).await;
    let key = [("idempotency-key", "\"8e03978e-40d5\"")];
    let first = post(&town, WELLS, &key, &well(30.0, 7)).await;
    assert_eq!(
        (first.status.as_u16(), first.header("idempotent-replayed")),
        (201, "")
    );
    let place = first.header("location").to_owned();
    let path = place.strip_prefix("http://town.test").unwrap().to_owned();
    // Somebody has changed it since: the answer is what it was.
    patch(&town, &path, &[], &json!({ "properties": { "depth": 8 } }))
        .await
        .ok();
    let again = post(&town, WELLS, &key, &well(30.0, 7)).await;
    assert_eq!(
        (again.status.as_u16(), again.header("idempotent-replayed")),
        (201, "true")
    );
    assert_eq!(again.header("location"), place);
    assert_eq!(again.json(), first.json());
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(count(&town, WELLS).await, before + 1);
    let other = post(&town, WELLS, &key, &well(31.0, 7)).await;
    assert_eq!(
        (other.status.as_u16(), other.key().as_str()),
        (422, "store.key-used")
    );
    // A condition is of the first time: whoever repeats has it from before.
    let tag = town.get(&path).await.ok().header("etag").to_owned();
    let headers = [("idempotency-key", "d-1"), ("if-match", tag.as_str())];
    for _ in 0..2 {
        let gone = town
            .request(Method::DELETE, &path, &headers, Body::empty())
            .await;
        assert_eq!(gone.status, 204, "{}", gone.text());
    }
    let bad = post(&town, WELLS, &[("idempotency-key", "a b")], &well(1.0, 1)).await;
    assert_eq!(bad.key(), "server.key-invalid");
}

#[tokio::test]
async fn a_client_that_wants_little_gets_little() {
    let town = Town::with_edits().await;
    let minimal = [("prefer", "return=minimal")];
    let made = post(&town, WELLS, &minimal, &well(30.0, 7)).await;
    assert_eq!((made.status.as_u16(), made.body.len()), (201, 0));
    let path = made
        .header("location")
        .strip_prefix("http://town.test")
        .unwrap()
        .to_owned();
    assert_eq!(
        made.header("etag"),
        town.get(&path).await.ok().header("etag")
    );
    let changed = patch(
        &town,
        &path,
        &minimal,
        &json!({ "properties": { "depth": 8 } }),
    )
    .await;
    assert_eq!((changed.status.as_u16(), changed.body.len()), (204, 0));
    assert_eq!(
        changed.header("etag"),
        town.get(&path).await.ok().header("etag")
    );
}

#[tokio::test]
async fn req_features_crs_bodies_come_in_each_crs_that_is_offered() {
    let town = Town::with_edits().await;
    let made = async |crs: &str, coordinates: Json| {
        let mut body = well(0.0, 1);
        body["geometry"]["coordinates"] = coordinates;
        post(&town, WELLS, &[("content-crs", crs)], &body).await
    };
    let place = |answer: &Answer| {
        assert_eq!(answer.status, 201, "{}", answer.text());
        let json = answer.json();
        let c = &json["geometry"]["coordinates"];
        (c[0].as_f64().unwrap(), c[1].as_f64().unwrap())
    };
    let epsg = |code: u32| format!("http://www.opengis.net/def/crs/EPSG/0/{code}");
    // Without brackets, as QGIS writes it, and in the order of the authority.
    let found = place(&made(&epsg(4326), json!([50.25, 24.5])).await);
    assert_eq!(found, (24.5, 50.25));
    let (x, y) = place(
        &made(
            &format!("<{}>", epsg(3857)),
            json!([2_727_327.52, 6_489_684.54]),
        )
        .await,
    );
    assert!(
        (x - 24.5).abs() < 1e-6 && (y - 50.25).abs() < 1e-2,
        "{x} {y}"
    );
    assert_eq!(made(&epsg(2180), json!([1, 1])).await.status, 400);
}

#[tokio::test]
async fn an_invalid_geometry_is_named_repaired_or_refused() {
    let town = Town::with_edits().await;
    let bow_tie = json!({
        "type": "Feature", "properties": { "number": "b" },
        "geometry": { "type": "Polygon", "coordinates": [[[24, 48], [25, 49], [25, 48], [24, 49], [24, 48]]] },
    });
    let made = post(&town, PARCELS, &[], &bow_tie).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(
        made.header("hromada-geometry"),
        "self-intersection; lon=24.500000000; lat=48.500000000"
    );
    let refuse = Editing {
        invalid: InvalidRule::Refuse,
        ..Editing::default()
    };
    rule(&town, "parcels", refuse).await;
    let refused = post(&town, PARCELS, &[], &bow_tie).await;
    assert_eq!(refused.status, 422);
    let named = ("/geometry".to_owned(), "store.geometry-invalid".to_owned());
    assert_eq!(errors(&refused), [named]);
}

#[tokio::test]
async fn an_id_is_given_by_the_pattern_of_the_collection() {
    let town = Town::with_edits().await;
    let ids = Editing {
        ids: IdPattern::parse("2610100000:09:001:{n:4}"),
        ..Editing::default()
    };
    rule(&town, "parcels", ids).await;
    let body = json!({ "type": "Feature", "properties": {}, "geometry": null });
    let made = post(&town, PARCELS, &[], &body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.json()["id"], "2610100000:09:001:0001");
    let made = post(&town, PARCELS, &[], &body).await;
    assert_eq!(made.json()["id"], "2610100000:09:001:0002");
}

#[tokio::test]
async fn a_feature_collection_is_added_as_one_or_not_at_all() {
    let town = Town::with_edits().await;
    let before = count(&town, WELLS).await;
    let three: Vec<Json> = (0..3).map(|i| well(30.0 + f64::from(i), 7)).collect();
    let mut body = json!({ "type": "FeatureCollection", "features": three });
    let added = post(&town, WELLS, &[], &body).await.ok().json();
    assert_eq!(added["summary"]["totalInserted"], 3);
    for place in added["insertResults"].as_array().unwrap() {
        town.follow(place.as_str().unwrap()).await.ok();
    }
    assert_eq!(count(&town, WELLS).await, before + 3);
    body["features"][1]["properties"]["depth"] = "deep".into();
    body["features"][2]["geometry"]["coordinates"] = json!([1]);
    let refused = post(&town, WELLS, &[], &body).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    let places: Vec<String> = errors(&refused).into_iter().map(|(p, _)| p).collect();
    assert_eq!(places, ["/features/1/properties/depth", "/features/2"]);
    assert_eq!(count(&town, WELLS).await, before + 3);
}

#[tokio::test]
async fn req_transactions_all_actions_over_several_collections_or_none() {
    let town = Town::with_edits().await;
    let parcels = count(&town, PARCELS).await;
    let wells = count(&town, WELLS).await;
    let new = json!({ "type": "Feature", "properties": { "number": "new" }, "geometry": null });
    let mut body = json!({
        "semantic": "atomic",
        "description": "рішення № 12",
        "transaction": [
            { "action": "insert", "collection": "wells", "items": [well(30.0, 1), well(31.0, 2)] },
            { "action": "insert", "collection": "parcels", "items": [new] },
            { "action": "update", "collection": "parcels", "filter": { "ids": [number(0, 0)] },
              "properties": { "modify": [{ "name": "floors", "value": 77 }], "delete": ["area"] } },
            { "action": "delete", "collection": "parcels", "filter": { "ids": [number(2, 2)] } },
            { "action": "replace", "collection": "parcels", "filter": { "ids": [number(1, 1)] },
              "properties": { "feature": { "type": "Feature", "properties": { "floors": 5 }, "geometry": null } } },
        ],
    });
    let done = transact(&town, &body).await.ok();
    assert!(done.headers.contains_key("hromada-change"));
    let report = done.json();
    let total = |name: &str| report["summary"][name].as_i64().unwrap_or_default();
    assert_eq!(
        [
            total("totalInserted"),
            total("totalUpdated"),
            total("totalDeleted"),
            total("totalReplaced")
        ],
        [3, 1, 1, 1]
    );
    let deleted = report["deleteResults"][0].as_str().unwrap();
    assert_eq!(
        deleted.replace("%3A", ":"),
        format!("http://town.test{PARCELS}/{}", number(2, 2))
    );
    assert_eq!(count(&town, WELLS).await, wells + 2);
    assert_eq!(count(&town, PARCELS).await, parcels);
    let changed = town.json(&format!("{PARCELS}/{}", number(0, 0))).await;
    assert_eq!(changed["properties"]["floors"], 77);
    let replaced = town.json(&format!("{PARCELS}/{}", number(1, 1))).await;
    assert!(replaced["geometry"].is_null());
    // The same again: the new parcel's number is taken, and so nothing happens at all.
    body["transaction"][3]["filter"]["ids"] = json!(["gone"]);
    let refused = transact(&town, &body).await;
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert_eq!(
        errors(&refused),
        [("/transaction/1/items/0".into(), "store.id-taken".into())]
    );
    assert_eq!(count(&town, WELLS).await, wells + 2);
    assert!(town.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_batch_does_what_can_be_done_and_names_the_rest() {
    let town = Town::with_edits().await;
    let wells = count(&town, WELLS).await;
    let body = json!({
        "semantic": "batch",
        "transaction": [
            { "action": "insert", "collection": "wells", "items": [well(30.0, 1)] },
            { "action": "delete", "collection": "parcels", "filter": { "ids": ["none"] } },
            { "action": "insert", "collection": "nowhere", "items": [well(30.0, 1)] },
            { "action": "insert", "collection": "wells", "items": [well(31.0, 1)] },
            { "action": "destroy", "collection": "wells" },
        ],
    });
    let report = transact(&town, &body).await.ok().json();
    assert_eq!(report["summary"], json!({ "totalInserted": 2 }));
    let mut places: Vec<(String, i64)> = report["exceptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            (
                e["pointer"].as_str().unwrap().to_owned(),
                e["status"].as_i64().unwrap(),
            )
        })
        .collect();
    places.sort();
    let expected = [
        ("/transaction/1", 404),
        ("/transaction/2/collection", 404),
        ("/transaction/4/action", 422),
    ];
    assert_eq!(places, expected.map(|(p, s)| (p.to_owned(), s)));
    assert_eq!(count(&town, WELLS).await, wells + 2);
}

#[tokio::test]
async fn actions_are_about_all_that_a_filter_holds_for() {
    let town = Town::with_edits().await;
    let all = count(&town, PARCELS).await;
    let chosen = count(&town, &format!("{PARCELS}?filter=floors%20%3E%202")).await;
    assert!(chosen > 1 && chosen < all, "{chosen} of {all}");
    let update = |filter: Json, lang: &str| {
        json!({ "transaction": [{
            "action": "update", "collection": "parcels", "filter": filter, "filter-lang": lang,
            "properties": { "modify": [{ "name": "floors", "value": 50 }] },
        }] })
    };
    let report = transact(&town, &update("floors > 2".into(), "cql2-text"))
        .await
        .ok()
        .json();
    assert_eq!(report["summary"]["totalUpdated"], chosen);
    let json = json!({ "op": "=", "args": [{ "property": "floors" }, 50] });
    let report = transact(&town, &update(json, "cql2-json"))
        .await
        .ok()
        .json();
    assert_eq!(report["summary"]["totalUpdated"], chosen);
    let wrong = transact(&town, &update("flors > 2".into(), "cql2-text")).await;
    assert_eq!(errors(&wrong)[0].0, "/transaction/0/filter");
}

#[tokio::test]
async fn transactions_are_for_those_who_may_write() {
    let town = Town::with_edits().await;
    let body = json!({ "transaction": [] }).to_string();
    let nobody = town
        .bare(Method::POST, "/transactions", &[TX], body.clone())
        .await;
    assert_eq!(nobody.status, 401);
    let mut report = transact(&town, &json!({ "transaction": [] }))
        .await
        .ok()
        .json();
    assert_eq!(report["summary"].take(), json!({}));
    for (bad, key) in [
        ("[]", "formats.json-syntax"),
        ("{}", "formats.transaction-missing"),
        (
            r#"{"transaction":[],"semantic":"maybe"}"#,
            "formats.transaction-semantic",
        ),
        (r#"{"transaction":[{"action":7}]}"#, "formats.not-a-text"),
    ] {
        let answer = town
            .request(Method::POST, "/transactions", &[TX], bad)
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.key().as_str()),
            (400, key),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn the_history_keeps_the_request_and_the_reason() {
    let town = Town::with_edits().await;
    let headers = [
        ("x-request-id", "job-7.1"),
        (
            "hromada-reason",
            "%D1%80%D1%96%D1%88%D0%B5%D0%BD%D0%BD%D1%8F",
        ),
    ];
    let made = post(&town, WELLS, &headers, &well(30.0, 7)).await;
    assert_eq!(made.status, 201);
    let (mut command, _) = crate::town::holder(&town.store);
    let sql = "SELECT request, reason FROM hromada_transactions ORDER BY first_seq DESC LIMIT 1";
    match town.store.place() {
        store::Place::Folder(_) => command.arg(sql),
        store::Place::Postgres(_) => command.args(["-c", sql]),
    };
    let output = command.output().unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    assert_eq!(found.trim(), "job-7.1|рішення");
}

#[tokio::test]
async fn what_a_body_says_is_done_or_refused_but_never_passed_over() {
    let town = Town::with_edits().await;
    let path = format!("{PARCELS}/{}", number(1, 1));
    let before = town.json(&path).await;
    let bare = town
        .request(Method::POST, WELLS, &[], well(30.0, 1).to_string())
        .await;
    assert_eq!(bare.status, 400, "no content type");
    let mut place = well(30.0, 1);
    place["place"] = place["geometry"].take();
    for (body, status, key) in [
        (
            json!({ "properties": { "owner": ["a"] } }),
            400,
            "formats.property-nested",
        ),
        (
            json!({ "properties": { "owner": {} } }),
            400,
            "formats.property-nested",
        ),
        (json!({ "type": "Fixture" }), 400, "formats.not-a-feature"),
        (
            json!({ "properties": { "number": null } }),
            422,
            "server.id-unset",
        ),
    ] {
        let answer = patch(&town, &path, &[], &body).await;
        let found = match answer.json().get("errors") {
            Some(_) => errors(&answer)[0].1.clone(),
            None => answer.key(),
        };
        assert_eq!(
            (answer.status.as_u16(), found.as_str()),
            (status, key),
            "{body}"
        );
    }
    let lost = post(&town, WELLS, &[], &place).await;
    assert_eq!(
        (lost.status.as_u16(), lost.key().as_str()),
        (400, "formats.place-unread")
    );
    assert_eq!(town.json(&path).await, before);
    let prefer = ("prefer", "return=representation");
    let made = post(&town, WELLS, &[prefer], &well(30.0, 1)).await;
    assert_eq!(made.headers["preference-applied"], "return=representation");
    let prefer = ("prefer", "return = minimal");
    let made = post(&town, WELLS, &[prefer], &well(30.0, 1)).await;
    assert_eq!((made.status.as_u16(), made.text().len()), (201, 0));
}

#[tokio::test]
async fn an_action_of_a_batch_is_done_whole_or_not() {
    let town = Town::with_edits().await;
    let path = format!("{PARCELS}/{}", number(1, 1));
    let floors = town.json(&path).await["properties"]["floors"].clone();
    let body = json!({ "semantic": "batch", "transaction": [{
        "action": "update", "collection": "parcels", "filter": { "ids": [number(1, 1), "none"] },
        "properties": { "modify": [{ "name": "floors", "value": 88 }] },
    }] });
    let report = transact(&town, &body).await.ok().json();
    assert_eq!(report["summary"], json!({}));
    assert_eq!(report["exceptions"][0]["pointer"], "/transaction/0");
    assert_eq!(town.json(&path).await["properties"]["floors"], floors);
    let wrong = json!({ "transaction": [{
        "action": "update", "collection": "parcels", "filter": { "ids": [number(1, 1)] },
        "properties": { "modify": [{ "name": "owner", "value": "x" }, { "name": "floors", "value": "many" }] },
    }] });
    let expected = (
        "/transaction/0/properties/modify/1/value".into(),
        "server.property-type".into(),
    );
    assert_eq!(errors(&transact(&town, &wrong).await), [expected]);
}

#[tokio::test]
async fn a_parcel_is_divided_and_joined_over_http() {
    let town = Town::with_edits().await;
    let operations = "/collections/parcels/operations";
    let operate = async |headers: &[(&str, &str)], body: &Json| {
        let json = [("content-type", "application/json")];
        let headers = [&json, headers].concat();
        send(&town, Method::POST, operations, &headers, body).await
    };
    rule(
        &town,
        "parcels",
        Editing {
            ids: IdPattern::parse("new-{n}"),
            ..Editing::default()
        },
    )
    .await;
    let all = count(&town, PARCELS).await;
    let of_it = town.json(&format!("{PARCELS}/{}", number(1, 1))).await;
    let ring = of_it["geometry"]["coordinates"][0]
        .as_array()
        .unwrap()
        .clone();
    let at = |i: usize, j: usize| ring[i][j].as_f64().unwrap();
    let middle = (at(0, 1) + at(2, 1)) / 2.0;
    let width = at(1, 0) - at(0, 0);
    let line = json!({ "type": "LineString", "coordinates": [
        [at(0, 0) - width / 50.0, middle], [at(1, 0) + width / 50.0, middle]] });
    let split = json!({ "operation": "split", "id": number(1, 1), "line": line, "description": "поділ",
        "pieces": [{ "properties": { "floors": 1 } }, { "properties": { "floors": 2 } }] });
    let key = [("idempotency-key", "split-1")];
    let done = operate(&key, &split).await.ok();
    let report = done.json();
    assert_eq!(report["summary"]["totalInserted"], 2);
    assert_eq!(report["summary"]["totalDeleted"], 1);
    assert_eq!(count(&town, PARCELS).await, all + 1);
    let again = operate(&key, &split).await.ok();
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(count(&town, PARCELS).await, all + 1);
    let by = format!("Bearer {}", town.editor);
    let lineage_of = async |id: &str| {
        let path = format!("{PARCELS}/{id}/lineage");
        let answer = town.get_with(&path, &[("authorization", &by)]).await;
        answer.ok().json()
    };
    let lineage = lineage_of("new-1").await;
    assert_eq!(lineage["steps"][0]["kind"], "split");
    assert_eq!(lineage["steps"][0]["from"]["id"], number(1, 1));
    let merge = json!({ "operation": "merge", "ids": ["new-1", "new-2"], "properties": { "number": "whole" } });
    operate(&[], &merge).await.ok();
    assert_eq!(count(&town, PARCELS).await, all);
    let whole = lineage_of("whole").await;
    assert_eq!(whole["steps"].as_array().unwrap().len(), 4);
    for (body, status, key) in [
        (
            json!({ "operation": "split", "id": "whole", "line": line, "keep": "yes" }),
            422,
            "server.operation-keep",
        ),
        (
            json!({ "operation": "split", "id": "whole", "line": line, "if-match": "x" }),
            422,
            "server.operation-tags",
        ),
        (
            json!({ "operation": "split", "id": "whole", "line": line,
                "pieces": [{ "properties": { "owner": ["a", "b"] } }, {}] }),
            422,
            "formats.property-nested",
        ),
        (
            json!({ "operation": "explode" }),
            422,
            "server.operation-unknown",
        ),
        (
            json!({ "operation": "split", "id": "whole" }),
            422,
            "server.operation-line",
        ),
        (
            json!({ "operation": "merge", "ids": ["whole"] }),
            422,
            "server.operation-ids",
        ),
        (
            json!({ "operation": "merge", "ids": ["whole", "none"] }),
            404,
            "store.no-feature",
        ),
        (
            json!({ "operation": "renumber", "ids": { "whole": 7 } }),
            422,
            "server.operation-renumber",
        ),
        (
            json!({ "operation": "move", "points": [] }),
            422,
            "server.operation-points",
        ),
    ] {
        let answer = operate(&[], &body).await;
        assert_eq!(
            (answer.status.as_u16(), errors(&answer)[0].1.as_str()),
            (status, key),
            "{body}"
        );
    }
    let renumber = json!({ "operation": "renumber", "ids": { "whole": number(1, 1) } });
    operate(&[], &renumber).await.ok();
    assert_eq!(
        town.get(&format!("{PARCELS}/{}", number(1, 1)))
            .await
            .status,
        200
    );
    let nobody = town
        .bare(
            Method::POST,
            operations,
            &[("content-type", "application/json")],
            renumber.to_string(),
        )
        .await;
    assert_eq!(nobody.status, 401);
    assert!(town.store.check(true).await.unwrap().is_clean());
}
