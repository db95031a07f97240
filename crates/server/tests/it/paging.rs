//! Paging by key: each feature once, whatever happens meanwhile.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Method;
use http_body_util::BodyExt;
use model::access::Class;
use store::CollectionSettings;
use tower::ServiceExt;

use crate::guarded::{rules, set_rules};
use crate::town::{Town, collection_of, import, link};

/// All ids of a walk over `next` links, and the number of pages.
async fn walk(town: &Town, first: &str) -> (Vec<String>, usize) {
    let mut ids = Vec::new();
    let mut page = town.json(first).await;
    for pages in 1..1000 {
        let features = page["features"].as_array().unwrap();
        assert_eq!(page["numberReturned"], features.len());
        ids.extend(features.iter().map(|f| f["id"].to_string()));
        let Some(next) = link(&page, "next", Some("application/geo+json")) else {
            return (ids, pages);
        };
        page = town.follow(next).await.ok().json();
    }
    panic!("the walk does not end");
}

#[tokio::test]
async fn req_core_fc_links_a_walk_yields_each_feature_once() {
    let town = Town::new().await;
    let (whole, pages) = walk(&town, "/collections/parcels/items?limit=100").await;
    assert_eq!((whole.len(), pages), (30, 1));
    for limit in [1, 4, 7, 29, 30] {
        let (ids, _) = walk(&town, &format!("/collections/parcels/items?limit={limit}")).await;
        assert_eq!(ids, whole, "{limit}");
    }
    let (filtered, pages) = walk(
        &town,
        "/collections/parcels/items?limit=3&used=true&bbox=24,48,25,49",
    )
    .await;
    assert_eq!((filtered.len(), pages), (15, 5));
}

#[tokio::test]
async fn the_limit_may_change_on_the_way() {
    let town = Town::new().await;
    let first = town.json("/collections/parcels/items?limit=10").await;
    let next = link(&first, "next", None).unwrap();
    let rest = town
        .follow(&next.replace("limit=10", "limit=10000"))
        .await
        .ok()
        .json();
    assert_eq!(rest["numberReturned"], 20);
    let rest = town
        .follow(&format!("{next}&limit=10000"))
        .await
        .ok()
        .json();
    assert_eq!(
        rest["numberReturned"], 20,
        "appended, as the official suite does"
    );
}

#[tokio::test]
async fn edits_between_pages_do_not_show_in_a_walk() {
    let town = Town::with_edits().await;
    let all = town.json("/collections/wells/items?limit=100").await;
    let before: Vec<String> = all["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["id"].to_string())
        .collect();
    let first = town.json("/collections/wells/items?limit=3").await;
    let ids = |page: &serde_json::Value| -> Vec<String> {
        page["features"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["id"].to_string())
            .collect()
    };
    let mut seen = ids(&first);
    // One of the first page goes, one of the rest goes, a new one comes.
    for id in [&before[1], &before[5]] {
        let gone = town
            .request(
                Method::DELETE,
                &format!("/collections/wells/items/{id}"),
                &[],
                Body::empty(),
            )
            .await;
        assert_eq!(gone.status, 204);
    }
    let body = r#"{"type":"Feature","properties":{"depth":99},"geometry":{"type":"Point","coordinates":[1,1]}}"#;
    let made = town
        .request(
            Method::POST,
            "/collections/wells/items",
            &[("content-type", "application/geo+json")],
            body,
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let (rest, _) = walk(
        &town,
        link(&first, "next", None)
            .unwrap()
            .strip_prefix("http://town.test")
            .unwrap(),
    )
    .await;
    seen.extend(rest);
    // The pages show the moment of the first one.
    assert_eq!(seen, before);
    let now = ids(&town.json("/collections/wells/items").await);
    assert!(!now.contains(&before[1]) && !now.contains(&before[5]));
    assert!(now.contains(&made.json()["id"].to_string()));
}

const COUNT: usize = 2_345;

async fn with_poles() -> Town {
    let town = Town::new().await;
    let point = |i: usize| {
        let [x, y] = [20.0 + i as f64 / 1000.0, 40.0];
        format!(
            "{{\"type\":\"Feature\",\"properties\":{{\"n\":{i}}},\"geometry\":{{\"type\":\"Point\",\"coordinates\":[{x},{y}]}}}}"
        )
    };
    let features: Vec<String> = (0..COUNT).map(point).collect();
    import(
        &town.store,
        town.folder.path(),
        "poles",
        &collection_of(&features),
        None,
        CollectionSettings::default(),
    )
    .await;
    town
}

#[tokio::test]
async fn an_answer_under_way_ends_when_it_would_be_another_one() {
    for (collection, ends) in [("wells", false), ("poles", true)] {
        let town = with_poles().await;
        let request = axum::http::Request::get("/collections/poles/items?limit=10000")
            .header("host", "town.test")
            .body(Body::empty())
            .unwrap();
        let answer = town.router.clone().oneshot(request).await.unwrap();
        let mut body = answer.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(first.starts_with(b"{\"type\":\"FeatureCollection\""));
        set_rules(&town.store, collection, rules(Class::Restricted, None)).await;
        let rest = body.collect().await.map(|rest| rest.to_bytes());
        assert_eq!(rest.is_err(), ends, "{collection}");
        if let Ok(rest) = rest {
            let whole = [first, rest].concat();
            let whole: serde_json::Value = serde_json::from_slice(&whole).unwrap();
            assert_eq!(whole["features"].as_array().unwrap().len(), COUNT);
        }
    }
}

#[tokio::test]
async fn a_page_of_thousands_is_whole_and_in_order() {
    let town = with_poles().await;
    for path in [
        "/collections/poles/items?limit=10000",
        "/collections/poles/items?limit=10000&bbox=-180,-90,180,90",
    ] {
        let page = town.json(path).await;
        assert_eq!(
            (&page["numberMatched"], &page["numberReturned"]),
            (&COUNT.into(), &COUNT.into()),
            "{path}"
        );
        let numbers: Vec<u64> = page["features"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["properties"]["n"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, (0..COUNT as u64).collect::<Vec<_>>(), "{path}");
        assert!(link(&page, "next", None).is_none());
    }
    let (ids, pages) = walk(&town, "/collections/poles/items?limit=1500").await;
    assert_eq!((ids.len(), pages), (COUNT, 2));
    let counted = ids
        .iter()
        .fold(BTreeMap::new(), |mut seen: BTreeMap<&String, usize>, id| {
            *seen.entry(id).or_default() += 1;
            seen
        });
    assert!(counted.values().all(|n| *n == 1));
}

#[tokio::test]
async fn a_cursor_goes_on_with_what_it_was_given_out_for_and_with_nothing_else() {
    let town = Town::new().await;
    let path = "/collections/parcels/items?limit=4&sortby=-area&floors=2";
    let first = town.json(path).await;
    let next = link(&first, "next", None).unwrap().to_owned();
    let cursor = next.split("cursor=").nth(1).unwrap();
    for (query, status) in [
        ("sortby=-area&floors=2", 200),
        ("floors=2&sortby=-area&limit=1&f=csv&skipGeometry=true", 200),
        ("sortby=area&floors=2", 410),
        ("sortby=-area", 410),
        ("sortby=-area&floors=1", 410),
        ("sortby=-area&floors=2&bbox=24,48,25,49", 410),
        ("sortby=-area&floors=2&q=7", 410),
        ("sortby=-area&floors=2&filter=area%3E1", 410),
        ("sortby=-area&floors=2&offset=1", 400),
    ] {
        let path = format!("/collections/parcels/items?{query}&cursor={cursor}");
        assert_eq!(town.get(&path).await.status.as_u16(), status, "{query}");
    }
    // A page that goes on has no tag: what lies behind it may be another moment.
    assert_eq!(town.get(path).await.header("etag"), "");
    let whole = "/collections/parcels/items?limit=100";
    assert_ne!(town.get(whole).await.header("etag"), "");
}
