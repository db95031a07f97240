//! What an operator and other programs rely on: health, figures, request ids, security headers, CORS.

use axum::body::Body;
use axum::http::Method;
use store::{Access, Store};

use crate::town::{Town, place};

#[tokio::test]
async fn a_server_that_still_loads_lives_but_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(place(folder.path()), Access::Write)
        .await
        .unwrap();
    let router = server::router(store.clone(), &server::Options::default());
    let town = Town {
        store: store.clone(),
        router,
        folder,
        editor: String::new(),
    };
    assert_eq!(town.get("/health/live").await.status, 200);
    for path in [
        "/health/ready",
        "/",
        "/collections",
        "/collections/parcels/items",
        "/tiles/parcels/3/1/1",
        "/search?q=a",
    ] {
        let answer = town.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.key().as_str()),
            (503, "server.loading"),
            "{path}"
        );
        assert!(!answer.header("retry-after").is_empty(), "{path}");
    }
    store.load().await.unwrap();
    assert_eq!(
        town.get("/health/ready").await.ok().json()["status"],
        "ready"
    );
    assert_eq!(
        town.json("/collections").await["collections"],
        serde_json::json!([])
    );
}

#[tokio::test]
async fn figures_are_in_prometheus_form() {
    let town = Town::new().await;
    town.get("/collections/parcels/items?limit=1").await.ok();
    town.get("/nothing").await;
    town.get("/tiles/parcels/14/9316/5632").await.ok();
    town.request(
        Method::from_bytes(b"INVENTED").unwrap(),
        "/",
        &[],
        Body::empty(),
    )
    .await;
    let answer = town.get("/metrics").await.ok();
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    let text = answer.text();
    for line in [
        "hromada_requests_total{method=\"GET\",route=\"/collections/{collection}/items\",status=\"200\"} 1",
        "hromada_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "hromada_requests_total{method=\"other\",route=\"/\",status=\"405\"} 1",
        "hromada_features{collection=\"parcels\"} 30",
        "hromada_tile_cache_misses 1",
        "hromada_writes_stopped 0",
        "hromada_in_use{pool=\"requests\"} 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    for name in [
        "hromada_request_seconds_bucket",
        "hromada_index_bytes",
        "hromada_change_seq",
        "hromada_tile_cache_bytes",
        "process_resident_memory_bytes",
    ] {
        assert!(text.contains(name), "{name}");
    }
}

#[tokio::test]
async fn request_ids_come_back_and_bad_ones_are_replaced() {
    let town = Town::new().await;
    let id = async |given: &str| {
        town.get_with("/", &[("x-request-id", given)])
            .await
            .header("x-request-id")
            .to_owned()
    };
    assert_eq!(id("job-7.a_b").await, "job-7.a_b");
    for bad in ["a b", "x\"y", &"x".repeat(65)] {
        assert_eq!(id(bad).await.len(), 36, "{bad}");
    }
    let problem = town
        .get_with("/nothing", &[("x-request-id", "job-7")])
        .await;
    assert_eq!(problem.json()["instance"], "#job-7");
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let town = Town::new().await;
    for path in [
        "/",
        "/nothing",
        "/?f=html",
        "/tiles/parcels/14/9316/5632",
        "/tiles/parcels/14/0/0",
        "/app/",
        "/collections?limit=x",
        "/health/live",
    ] {
        let answer = town.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        assert!(
            answer
                .header("access-control-expose-headers")
                .contains("ETag"),
            "{path}"
        );
        assert!(
            answer
                .header("vary")
                .to_ascii_lowercase()
                .contains("accept-encoding"),
            "{path}"
        );
        assert_eq!(answer.header("x-request-id").len(), 36, "{path}");
        let is_page = answer.header("content-type").starts_with("text/html");
        let policy = answer.header("content-security-policy");
        if answer.header("content-type").is_empty() {
            assert!(answer.body.is_empty() && policy.is_empty(), "{path}");
            continue;
        }
        assert!(policy.starts_with("default-src 'none'; "), "{path}");
        assert!(policy.contains("base-uri 'none'"), "{path}");
        assert!(policy.contains("frame-ancestors "), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(policy.contains("script-src"), is_page, "{path}");
        let (opener, resource) = if is_page {
            ("same-origin", "same-origin")
        } else {
            ("", "cross-origin")
        };
        assert_eq!(
            answer.header("cross-origin-opener-policy"),
            opener,
            "{path}"
        );
        assert_eq!(
            answer.header("cross-origin-resource-policy"),
            resource,
            "{path}"
        );
        assert_eq!(
            answer
                .header("permissions-policy")
                .contains("geolocation=(self)"),
            is_page,
            "{path}"
        );
        // Only where the connection is encrypted.
        assert_eq!(answer.header("strict-transport-security"), "", "{path}");
    }
}

/// What a 304 says takes the place of what the browser has kept (RFC 9111 §3.2): a page that was read again would get the
/// policy of data, and do nothing.
#[tokio::test]
async fn an_answer_without_content_leaves_the_policy_that_the_browser_has() {
    let town = Town::new().await;
    for path in ["/app/", "/pages.css", "/collections?f=html", "/collections"] {
        let first = town.get(path).await.ok();
        let tag = first.header("etag").to_owned();
        assert!(!tag.is_empty(), "{path}");
        let again = town.get_with(path, &[("if-none-match", &tag)]).await;
        assert_eq!(again.status, 304, "{path}");
        for name in [
            "content-security-policy",
            "cross-origin-opener-policy",
            "cross-origin-resource-policy",
            "permissions-policy",
        ] {
            let now = again.header(name);
            assert!(now.is_empty() || now == first.header(name), "{path}: {now}");
        }
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_read_but_not_write() {
    let town = Town::with_edits().await;
    let headers = [
        ("origin", "https://elsewhere.test"),
        ("access-control-request-method", "DELETE"),
    ];
    let preflight = town
        .request(
            Method::OPTIONS,
            "/collections/wells/items/1",
            &headers,
            Body::empty(),
        )
        .await
        .ok();
    assert_eq!(
        preflight.header("access-control-allow-methods"),
        "GET, HEAD, OPTIONS"
    );
    assert_eq!(preflight.header("access-control-allow-credentials"), "");
    // What needs no preflight has a content type that is not taken.
    let simple = town
        .request(
            Method::POST,
            "/collections/wells/items",
            &[("content-type", "text/plain")],
            "{}",
        )
        .await;
    assert_eq!(simple.status, 415);
}

#[tokio::test]
async fn documents_come_compressed_when_asked() {
    let town = Town::new().await;
    for coding in ["gzip", "br", "zstd"] {
        for path in [
            "/api",
            "/collections",
            "/collections?f=html",
            "/collections/parcels/items",
            "/pages.css",
        ] {
            let answer = town
                .get_with(path, &[("accept-encoding", coding)])
                .await
                .ok();
            assert_eq!(answer.header("content-encoding"), coding, "{path}");
        }
    }
    let plain = town
        .get_with("/api", &[("accept-encoding", "identity")])
        .await
        .ok();
    assert_eq!(plain.header("content-encoding"), "");
}

#[tokio::test]
async fn pages_of_others_can_not_write_through_a_browser() {
    let town = Town::with_edits().await;
    let path = "/collections/wells/items/1";
    let cookie = town.session().await;
    let delete = |headers: Vec<(&'static str, &'static str)>| {
        let (router, cookie) = (town.router.clone(), cookie.clone());
        async move {
            let mut request = axum::http::Request::builder()
                .method(Method::DELETE)
                .header("cookie", cookie)
                .uri(path);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let request = request.body(Body::empty()).unwrap();
            let answer = tower::ServiceExt::oneshot(router, request).await.unwrap();
            answer.status().as_u16()
        }
    };
    for refused in [
        vec![("host", "evil.test")],
        vec![("host", "127.0.0.1.evil.test:8080")],
        vec![("host", "town.test"), ("origin", "http://evil.test")],
        vec![("host", "town.test"), ("origin", "null")],
        vec![
            ("host", "localhost:8080"),
            ("origin", "http://localhost:3000"),
        ],
        vec![("host", "127.0.0.1:8080"), ("sec-fetch-site", "cross-site")],
    ] {
        assert_eq!(delete(refused.clone()).await, 403, "{refused:?}");
    }
    assert_eq!(town.get(path).await.status, 200, "it is still there");
    // Reading is open to all.
    town.get_with(path, &[("origin", "http://evil.test")])
        .await
        .ok();
    for (taken, status) in [
        (
            vec![
                ("host", "town.test"),
                ("origin", "https://town.test"),
                ("sec-fetch-site", "same-origin"),
            ],
            204,
        ),
        (
            vec![("host", "[::1]:8080"), ("origin", "http://[::1]:8080")],
            404,
        ),
        (vec![("host", "localhost:8080")], 404),
    ] {
        assert_eq!(delete(taken.clone()).await, status, "{taken:?}");
    }
}
