//! Whole collections as files: complete, in ranges, of one moment, and without what is about people.

use axum::body::Body;
use axum::http::Method;
use model::access::{Class, PropertyRule, Scope, Shown};
use serde_json::Value as Json;
use store::CollectionSettings;

use crate::guarded::{Guarded, Part, person, rules, set_rules};
use crate::town::{Town, account, collection_of, import, link, token_for};

const CSV: &str = "/collections/wells/files/wells.csv";

#[tokio::test]
async fn every_format_is_linked_and_has_all_features() {
    let town = Town::new().await;
    let collection = town.json("/collections/parcels").await;
    let links = collection["links"].as_array().unwrap().iter();
    let files: Vec<&Json> = links.filter(|l| l["rel"] == "enclosure").collect();
    assert_eq!(files.len(), 6);
    let all = town.json("/collections/parcels/items?limit=1").await;
    for file in files {
        let answer = town.follow(file["href"].as_str().unwrap()).await.ok();
        let media_type = answer.header("content-type").split(';').next().unwrap();
        assert_eq!(file["type"], media_type);
        assert_eq!(answer.header("accept-ranges"), "bytes");
        let length = answer.body.len().to_string();
        assert_eq!(answer.header("content-length"), length);
        let text = String::from_utf8_lossy(&answer.body);
        let first_bytes = match media_type {
            "application/geopackage+sqlite3" => "SQLite format 3",
            "application/flatgeobuf" => "fgb",
            "application/vnd.apache.parquet" => "PAR1",
            "application/geo+json" => "{",
            _ => "",
        };
        assert!(text.starts_with(first_bytes), "{media_type}");
        if media_type.contains("json") || media_type == "text/csv" {
            // A number names its feature, and in some formats is its id too.
            let numbers = text.matches("2610100000:01:").count() as u64;
            let count = all["numberMatched"].as_u64().unwrap();
            assert!(
                [count, 2 * count].contains(&numbers),
                "{media_type}: {numbers}"
            );
        }
    }
    assert!(link(&collection, "enclosure", Some("application/flatgeobuf")).is_some());
    for none in ["parcels.shp", "wells.csv", "parcels", "parcels.csv.gz"] {
        let path = format!("/collections/parcels/files/{none}");
        let answer = town.get(&path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.key().as_str()),
            (404, "server.file-unknown"),
            "{none}"
        );
    }
}

#[tokio::test]
async fn parts_put_together_are_the_file() {
    let town = Town::new().await;
    let whole = town.get(CSV).await.ok();
    let tag = whole.header("etag").to_owned();
    let mut body = Vec::new();
    while body.len() < whole.body.len() {
        let range = format!("bytes={}-{}", body.len(), body.len() + 6);
        let part = town
            .get_with(CSV, &[("range", &range), ("if-range", &tag)])
            .await;
        assert_eq!(part.status, 206, "{range}");
        let told = format!(
            "bytes {}-{}/{}",
            body.len(),
            body.len() + part.body.len() - 1,
            whole.body.len()
        );
        assert_eq!(part.header("content-range"), told);
        body.extend(part.body);
    }
    assert_eq!(body, whole.body);
    let beyond = town.get_with(CSV, &[("range", "bytes=1000000-")]).await;
    assert_eq!(beyond.status, 416);
    let length = format!("bytes */{}", whole.body.len());
    assert_eq!(beyond.header("content-range"), length);
    let other = [("range", "bytes=0-1"), ("if-range", "\"other\"")];
    assert_eq!(town.get_with(CSV, &other).await.body, whole.body);
    let same = town.get_with(CSV, &[("if-none-match", &tag)]).await;
    assert_eq!(same.status, 304);
    let head = town.request(Method::HEAD, CSV, &[], Body::empty()).await;
    assert_eq!(
        head.header("content-length"),
        whole.header("content-length")
    );
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn a_change_makes_another_file_and_many_who_ask_at_once_get_one() {
    let town = Town::with_edits().await;
    let before = town.get(CSV).await.ok();
    let body = r#"{"type":"Feature","properties":{"depth":77},"geometry":{"type":"Point","coordinates":[5,7]}}"#;
    let headers = [("content-type", "application/geo+json")];
    let made = town
        .request(Method::POST, "/collections/wells/items", &headers, body)
        .await;
    assert_eq!(made.status, 201);
    let (a, b, c) = tokio::join!(town.get(CSV), town.get(CSV), town.get(CSV));
    for after in [&a, &b, &c] {
        assert_eq!(after.header("etag"), a.header("etag"));
        assert_ne!(after.header("etag"), before.header("etag"));
        assert!(after.text().contains("77") && !before.text().contains("77"));
    }
}

/// Whoever reads personal data on their screen has none of them in a file, and what they do not see is not there either.
#[tokio::test]
async fn what_is_about_people_is_in_no_file() {
    let mut town = Guarded::empty().await;
    let feature = |n: usize| {
        format!(
            r#"{{"type":"Feature","properties":{{"n":{n},"phone":"+38044{n:04}"}},"geometry":{{"type":"Point","coordinates":[24.2,48.9]}}}}"#
        )
    };
    let features: Vec<String> = (1..=9).map(feature).collect();
    let geojson = collection_of(&features);
    let settings = CollectionSettings::default();
    import(&town.store, town.path(), "calls", &geojson, None, settings).await;
    let mut calls = rules(Class::Public, None);
    let personal = PropertyRule {
        from: Class::Staff,
        is_personal: true,
        otherwise: Shown::Not,
    };
    calls.properties.insert("phone".to_owned(), personal);
    set_rules(&town.store, "calls", calls).await;
    account(
        &town.store,
        person("dispatcher", Some("dispatcher"), Part::All),
    )
    .await;
    let token = token_for(&town.store, "dispatcher", "test", &Scope::ALL, None).await;
    town.tokens.insert("dispatcher".to_owned(), token);
    let town = town.open().await;
    let get = async |who: &str, path: &str| town.ask(who, Method::GET, path, &[], "").await;
    let shown = get("dispatcher", "/collections/calls/items").await.ok();
    assert!(shown.text().contains("+380440007"), "they read it");
    for who in ["dispatcher", "anonymous"] {
        for extension in ["csv", "geojson", "geojsonl", "fgb", "parquet"] {
            let path = format!("/collections/calls/files/calls.{extension}");
            let file = get(who, &path).await.ok();
            let text = file.text();
            assert!(
                !text.contains("+38044") && !text.contains("phone"),
                "{who} {path}"
            );
        }
        // A GeoPackage holds all that is stored, so it is for nobody who sees less.
        let whole = get(who, "/collections/calls/files/calls.gpkg").await;
        assert_eq!(whole.status, 404, "{who}");
    }
}
