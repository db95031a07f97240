//! Validators: 304 for what has not changed, another tag for what has.

use axum::body::Body;
use axum::http::Method;

use store::{CollectionSettings, ImportMode};

use crate::town::{Town, collection_of, import, import_as, number};

#[tokio::test]
async fn documents_are_revalidated_by_tag() {
    let town = Town::new().await;
    let item = format!("/collections/parcels/items/{}", number(0, 0));
    let paths = [
        "/",
        "/conformance",
        "/api",
        "/collections",
        "/collections/parcels",
        "/collections/parcels/schema",
        "/collections/parcels/schema/feature",
        "/collections/parcels/items?limit=100",
        &item,
        "/tiles/parcels",
        "/tiles",
        "/collections/parcels/tiles",
        "/tileMatrixSets",
        "/tileMatrixSets/WebMercatorQuad",
        "/search?q=2610100000",
        "/?f=html",
        "/collections?f=html",
        "/collections/parcels?f=html",
        "/collections/parcels/items?f=html",
        "/pages.css",
    ];
    for path in paths {
        let first = town.get(path).await.ok();
        let tag = first.header("etag");
        assert!(!tag.is_empty(), "{path}");
        assert_eq!(first.header("cache-control"), "no-cache", "{path}");
        let again = town.get_with(path, &[("if-none-match", tag)]).await;
        assert_eq!(
            (again.status.as_u16(), again.body.len()),
            (304, 0),
            "{path}"
        );
        assert_eq!(again.header("etag"), tag, "{path}");
        let other = town.get_with(path, &[("if-none-match", "\"other\"")]).await;
        assert_eq!(other.status, 200, "{path}");
    }
}

#[tokio::test]
async fn formats_languages_and_hosts_have_tags_of_their_own() {
    let town = Town::new().await;
    let mut tags = Vec::new();
    for headers in [
        vec![("host", "a.test")],
        vec![("host", "b.test")],
        vec![("host", "a.test"), ("accept", "text/html")],
        vec![("host", "a.test"), ("accept-language", "uk")],
    ] {
        let answer = town.get_without_host("/collections", &headers).await.ok();
        assert!(
            answer.header("vary").contains("Accept")
                && answer.header("vary").contains("Accept-Language")
        );
        tags.push(answer.header("etag").to_owned());
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4);
}

#[tokio::test]
async fn an_edit_changes_the_tags_of_what_shows_it_and_no_other() {
    let town = Town::with_edits().await;
    let tag = async |path: &str| town.get(path).await.ok().header("etag").to_owned();
    let changed = ["/collections/wells/items", "/collections/wells/items/2"];
    // Of what is told about a collection nothing is another now: neither its count nor its extent.
    let same = [
        "/collections",
        "/collections/wells",
        "/tiles/wells",
        "/collections/parcels",
        "/collections/parcels/items",
        "/collections/wells/items/1",
        "/tiles/parcels",
        "/search?q=1",
        "/api",
        "/collections/wells/schema",
    ];
    let mut before = Vec::new();
    for path in changed.iter().chain(&same) {
        before.push(tag(path).await);
    }
    let body = r#"{"type":"Feature","properties":{"depth":5},"geometry":{"type":"Point","coordinates":[5,77]}}"#;
    let headers = [("content-type", "application/geo+json")];
    town.request(Method::PUT, "/collections/wells/items/2", &headers, body)
        .await
        .ok();
    for (i, path) in changed.iter().chain(&same).enumerate() {
        assert_eq!(tag(path).await == before[i], i >= changed.len(), "{path}");
    }
}

#[tokio::test]
async fn a_tag_is_of_what_is_answered_and_a_cursor_of_one_store() {
    let (one, two) = (Town::new().await, Town::new().await);
    let item = format!("/collections/parcels/items/{}", number(0, 0));
    for path in ["/collections", item.as_str()] {
        let tag = one.get(path).await.header("etag").to_owned();
        let answer = two.get_with(path, &[("if-none-match", &tag)]).await;
        assert_eq!(answer.status, 304, "{path}");
    }
    for path in ["/tiles/parcels/14/9316/5632"] {
        let tag = one.get(path).await.header("etag").to_owned();
        let answer = two.get_with(path, &[("if-none-match", &tag)]).await;
        assert_ne!(answer.status, 304, "{path}");
    }
    let next = one.json("/collections/parcels/items?limit=1").await["links"].to_string();
    let cursor = next
        .split("cursor=")
        .nth(1)
        .unwrap()
        .split(['"', '&'])
        .next()
        .unwrap()
        .to_owned();
    let answer = two
        .get(&format!("/collections/parcels/items?cursor={cursor}"))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.key().as_str()),
        (410, "server.cursor-epoch")
    );
}

#[tokio::test]
async fn a_strong_tag_differs_between_codings_and_still_locks() {
    let town = Town::with_edits().await;
    // Long enough to be worth compressing.
    let words = "слово ".repeat(100);
    let body = format!(
        r#"{{"type":"Feature","properties":{{"number":"long","owner":"{words}"}},"geometry":null}}"#
    );
    let headers = [("content-type", "application/geo+json")];
    let made = town
        .request(
            Method::POST,
            "/collections/parcels/items",
            &headers,
            body.clone(),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let path = "/collections/parcels/items/long";
    let packed = town
        .get_with(path, &[("accept-encoding", "gzip")])
        .await
        .ok();
    assert_eq!(packed.header("content-encoding"), "gzip");
    let tag = packed.header("etag");
    assert!(tag.ends_with("-gzip\""), "{tag}");
    assert_ne!(tag, town.get(path).await.header("etag"));
    let again = town
        .get_with(path, &[("accept-encoding", "gzip"), ("if-none-match", tag)])
        .await;
    assert_eq!((again.status.as_u16(), again.header("etag")), (304, tag));
    let put = town
        .request(Method::PUT, path, &[headers[0], ("if-match", tag)], body)
        .await;
    assert_eq!(put.status, 200, "{}", put.text());
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let town = Town::new().await;
    for path in [
        "/",
        "/collections/parcels/items?limit=2",
        "/tiles/parcels/14/9316/5632",
        "/tiles/parcels",
        "/app/",
        "/health/live",
    ] {
        let get = town.get(path).await;
        let head = town.request(Method::HEAD, path, &[], Body::empty()).await;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        for name in [
            "content-type",
            "etag",
            "content-length",
            "cache-control",
            "vary",
        ] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
    let missing = town
        .request(Method::HEAD, "/nothing", &[], Body::empty())
        .await;
    assert_eq!((missing.status.as_u16(), missing.body.len()), (404, 0));
}

#[tokio::test]
async fn another_definition_without_another_feature_is_another_answer() {
    let town = Town::new().await;
    let paths = ["/api", "/collections", "/collections/empty", "/tiles/empty"];
    let settings = |title: &str| CollectionSettings {
        title: Some(model::Text {
            uk: title.to_owned(),
            en: title.to_owned(),
        }),
        ..CollectionSettings::default()
    };
    let (store, folder) = (&town.store, town.folder.path());
    let empty = collection_of(&[]);
    import(store, folder, "empty", &empty, None, settings("Before")).await;
    let mut before = Vec::new();
    for path in paths {
        before.push(town.get(path).await.ok().header("etag").to_owned());
    }
    let replace = ImportMode::Replace;
    import_as(
        replace,
        store,
        folder,
        "empty",
        &empty,
        None,
        settings("After"),
    )
    .await;
    for (path, tag) in paths.iter().zip(&before) {
        let after = town.get_with(path, &[("if-none-match", tag)]).await;
        assert_eq!(after.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_tag_of_the_api_definition_outlives_a_restart() {
    let town = Town::new().await;
    let tag = town.get("/api").await.ok().header("etag").to_owned();
    // Loading again makes every definition anew, as a restart does.
    town.store.load().await.unwrap();
    let again = town.get_with("/api", &[("if-none-match", &tag)]).await;
    assert_eq!(again.status, 304);
}
