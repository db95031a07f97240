//! What bad requests get: a status, a reason that a person can act on, and never a 500.

use axum::body::Body;
use axum::http::Method;

use crate::town::Town;

#[tokio::test]
async fn bad_requests_get_a_status_and_a_reason() {
    let town = Town::new().await;
    let items = "/collections/parcels/items";
    let table: Vec<(String, u16, &str)> = [
        ("?limit=0", 400, "server.limit-invalid"),
        ("?limit=-1", 400, "server.limit-invalid"),
        ("?limit=unlimited", 400, "server.limit-invalid"),
        ("?limit=1.5", 400, "server.limit-invalid"),
        ("?limit=", 400, "server.limit-invalid"),
        (
            "?unknownQueryParameter12345=1",
            400,
            "server.parameter-unknown",
        ),
        (
            "?coords=http://www.opengis.net/def/crs/EPSG/0/3857",
            400,
            "server.parameter-unknown",
        ),
        ("?bbox=1,2,3", 400, "server.bbox-count"),
        ("?bbox=1,2,3,4,5,6,7", 400, "server.bbox-count"),
        ("?bbox=", 400, "server.bbox-not-number"),
        ("?bbox=a,b,c,d", 400, "server.bbox-not-number"),
        ("?bbox=NaN,0,1,1", 400, "server.bbox-not-finite"),
        ("?bbox=0,0,inf,1", 400, "server.bbox-not-finite"),
        ("?bbox=0,10,1,5", 400, "server.bbox-reversed"),
        ("?bbox=0,0,1,91", 400, "server.bbox-out-of-range"),
        ("?bbox=-181,0,1,1", 400, "server.bbox-out-of-range"),
        ("?bbox=0,0,1,1&bbox=0,0,2,2", 400, "server.parameter-twice"),
        ("?datetime=yesterday", 400, "server.datetime-unreadable"),
        ("?datetime=2026-02-30", 400, "server.datetime-unreadable"),
        (
            "?datetime=2026-01-01/P2D",
            400,
            "server.datetime-unreadable",
        ),
        (
            "?datetime=2026-02-01/2026-01-01",
            400,
            "server.datetime-reversed",
        ),
        ("?cursor=abc", 400, "server.cursor-invalid"),
        ("?cursor=other-epoch.5", 400, "server.cursor-invalid"),
        (
            "?cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            410,
            "server.cursor-epoch",
        ),
        ("?crs=EPSG", 400, "server.crs-unknown"),
        ("?bbox-crs=http://www.opengis.net/def/crs/0/unsupported", 400, "server.crs-unknown"),
        ("?sortby=nothing", 400, "server.sort-unknown"),
        ("?offset=-1", 400, "server.offset-invalid"),
        ("?floors=many", 400, "server.filter-type"),
        ("?floors=99999999999999999999", 400, "server.filter-type"),
        ("?area=NaN", 400, "server.filter-type"),
        ("?used=maybe", 400, "server.filter-type"),
        ("?built=01.06.2003", 400, "server.filter-type"),
        ("?f=xml", 400, "server.format-unknown"),
        ("?lang=de", 400, "server.lang-unknown"),
        ("?owner=%FF", 400, "server.parameter-encoding"),
        ("?owner=%0", 400, "server.parameter-encoding"),
        ("?owner=%00", 400, "server.parameter-encoding"),
        ("/no-such-number", 404, "server.no-feature"),
        ("/%2e%2e%2fx", 404, "server.no-feature"),
        ("/%FF", 400, "server.url-unreadable"),
        ("/1/2", 404, "server.no-such-path"),
    ]
    .map(|(rest, status, key)| (format!("{items}{rest}"), status, key))
    .into();
    let elsewhere: Vec<(String, u16, &str)> = [
        ("/collections/dUmmYColLection", 404, "server.no-collection"),
        (
            "/collections/dUmmYColLection/items",
            404,
            "server.no-collection",
        ),
        ("/collections/parcels%00/items", 404, "server.no-collection"),
        ("/collections/wells/items/007", 404, "server.no-feature"),
        (
            "/collections/wells/items/9223372036854775808",
            404,
            "server.no-feature",
        ),
        ("/collections/wells/items/1e0", 404, "server.no-feature"),
        ("/collections?limit=1", 400, "server.parameter-unknown"),
        ("/conformance?f=yaml", 400, "server.format-unknown"),
        ("/nothing", 404, "server.no-such-path"),
        ("//", 404, "server.no-such-path"),
        ("/tiles/parcels/99/0/0", 404, "server.tile-outside"),
        ("/tiles/parcels/21/0/0", 404, "server.tile-outside"),
        ("/tiles/parcels/300/0/0", 404, "server.tile-outside"),
        ("/tiles/parcels/3/8/0", 404, "server.tile-outside"),
        ("/tiles/parcels/3/0/2147483647", 404, "server.tile-outside"),
        ("/tiles/parcels/3/4294967296/0", 404, "server.tile-outside"),
        (
            "/tiles/parcels/3/99999999999999999999999/0",
            404,
            "server.tile-outside",
        ),
        ("/tiles/parcels/3/-1/0", 400, "server.tile-not-number"),
        ("/tiles/parcels/a/b/c", 400, "server.tile-not-number"),
        ("/tiles/parcels/3/1.0/0", 400, "server.tile-not-number"),
        ("/tiles/nothing/3/1/1", 404, "server.no-collection"),
        ("/tiles/parcels,/3/1/1", 404, "server.no-collection"),
        ("/tiles/nothing", 404, "server.no-collection"),
        (
            "/tiles/WebMercatorQuad/0/2147483647/2147483647",
            404,
            "server.tile-outside",
        ),
        (
            "/collections/parcels/tiles/WebMercatorQuad/0/0/0",
            404,
            "server.tile-no-data",
        ),
        (
            "/collections/parcels/tiles/WebMercatorQuad/16/0/0",
            404,
            "server.tile-no-data",
        ),
        (
            "/collections/parcels/tiles/NoSuchQuad",
            404,
            "server.matrix-set-unknown",
        ),
        ("/search", 400, "server.search-text"),
        ("/search?q=+", 400, "server.search-text"),
        ("/search?q=a&limit=0", 400, "server.limit-invalid"),
        ("/search?q=a&collections=x", 404, "server.no-collection"),
        ("/app/no-such-file.js", 404, "server.no-file"),
        ("/app/..%2f..%2fetc%2fpasswd", 404, "server.no-file"),
        (
            "/fonts/Noto%20Sans%20Regular/0-100.pbf",
            404,
            "server.no-file",
        ),
        (
            "/fonts/Noto%20Sans%20Regular/4294967040-4294967295.pbf",
            200,
            "",
        ),
        ("/sprites/..%2ffonts", 404, "server.no-file"),
        ("/styles/none.json", 404, "store.no-style"),
    ]
    .map(|(path, status, key)| (path.to_owned(), status, key))
    .into();
    for (path, status, key) in table.into_iter().chain(elsewhere) {
        let answer = town.get(&path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text());
        if status == 200 {
            continue;
        }
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{path}"
        );
        let problem = answer.json();
        assert_eq!(problem["key"], key, "{path}: {problem}");
        assert_eq!(problem["status"], status, "{path}");
        assert_eq!(problem["type"], "about:blank", "{path}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            !detail.is_empty() && !detail.contains('{') && !detail.starts_with("server."),
            "{path}: {detail}"
        );
        assert!(
            problem["instance"]
                .as_str()
                .unwrap()
                .starts_with("urn:uuid:"),
            "{path}: {problem}"
        );
    }
}

#[tokio::test]
async fn caps_on_url_and_parameters() {
    let town = Town::new().await;
    let long = town
        .get(&format!("/collections?x={}", "a".repeat(9000)))
        .await;
    assert_eq!(
        (long.status.as_u16(), long.key().as_str()),
        (414, "server.url-too-long")
    );
    let many = town
        .get(&format!("/collections?{}", "f=json&".repeat(65)))
        .await;
    assert_eq!(
        (many.status.as_u16(), many.key().as_str()),
        (400, "server.too-many-parameters")
    );
    let text = town.get(&format!("/search?q={}", "a".repeat(201))).await;
    assert_eq!(text.key(), "server.search-text");
    let ids: Vec<String> = (0..17).map(|i| format!("c{i}")).collect();
    let tiles = town.get(&format!("/tiles/{}/0/0/0", ids.join(","))).await;
    assert_eq!(
        tiles.status.as_u16(),
        404,
        "unknown ones are told before their number"
    );
    let same = town
        .get(&format!("/tiles/{}/14/0/0", vec!["parcels"; 40].join(",")))
        .await;
    assert_eq!(
        same.status.as_u16(),
        204,
        "one collection, however often it is named"
    );
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let town = Town::new().await;
    for (method, path, allow) in [
        (Method::POST, "/", "GET,HEAD"),
        (Method::PUT, "/collections/parcels/items", "GET,HEAD,POST"),
        (
            Method::POST,
            "/collections/wells/items/1",
            "GET,HEAD,PUT,PATCH,DELETE",
        ),
        (Method::DELETE, "/tiles/parcels/3/1/1", "GET,HEAD"),
        (Method::PATCH, "/collections/wells/items", "GET,HEAD,POST"),
        (Method::TRACE, "/", "GET,HEAD"),
    ] {
        let answer = town.request(method.clone(), path, &[], Body::empty()).await;
        assert_eq!(answer.status.as_u16(), 405, "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
        assert_eq!(answer.key(), "server.method-not-allowed");
    }
}

#[tokio::test]
async fn formats_that_are_not_there_are_refused_by_name() {
    let town = Town::new().await;
    for path in [
        "/",
        "/collections",
        "/collections/parcels/items",
        "/api",
        "/collections/parcels/schema",
        "/tiles/parcels",
    ] {
        let answer = town.get_with(path, &[("accept", "application/xml")]).await;
        assert_eq!(answer.status.as_u16(), 406, "{path}");
        assert!(
            answer.json()["detail"].as_str().unwrap().contains("json"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn hosts_that_are_none_are_refused() {
    let town = Town::new().await;
    for host in ["evil\"onload=", "a/b", "user@host", ""] {
        let answer = town.get_without_host("/", &[("host", host)]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.key().as_str()),
            (400, "server.host-invalid"),
            "{host}"
        );
    }
}

#[tokio::test]
async fn the_detail_comes_in_the_language_of_the_client() {
    let town = Town::new().await;
    let path = "/collections/parcels/items?limit=0";
    let english = town.get(path).await.json();
    let ukrainian = town
        .get_with(path, &[("accept-language", "uk-UA,uk;q=0.9,en;q=0.5")])
        .await
        .json();
    assert_eq!(english["title"], "Bad Request");
    assert_eq!(ukrainian["title"], "Помилковий запит");
    assert_ne!(english["detail"], ukrainian["detail"]);
    let forced = town
        .get_with(&format!("{path}&lang=en"), &[("accept-language", "uk")])
        .await
        .json();
    assert_eq!(forced["detail"], english["detail"]);
}
