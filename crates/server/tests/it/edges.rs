//! Who a client is, how often it may ask, what pages of other origins may do.

use axum::body::Body;
use axum::http::Method;
use server::{Options, parse_network, parse_origin};

use crate::town::{Answer, Town};

const PATH: &str = "/collections/wells/items";
const BODY: &str = r#"{"type":"Feature","properties":{"depth":1},"geometry":{"type":"Point","coordinates":[3,3]}}"#;

/// Requests through the router have no connection and count as from 127.0.0.1, a trusted proxy here.
async fn behind_proxy(requests_per_second: u32, base_url: Option<&str>) -> Town {
    Town::with(&Options {
        trusted_proxies: vec![parse_network("127.0.0.1").unwrap()],
        requests_per_second,
        base_url: base_url.map(str::to_owned),
        ..Options::default()
    })
    .await
}

async fn get_for(town: &Town, client: &str) -> Answer {
    town.get_with("/health/live", &[("x-forwarded-for", client)])
        .await
}

/// The answer after which a client is refused; fails when it never is.
async fn drain(town: &Town, client: &str, most: usize) -> (usize, Answer) {
    for taken in 0..=most {
        let answer = get_for(town, client).await;
        if answer.status != 200 {
            return (taken, answer);
        }
    }
    panic!("{client} was never refused");
}

#[tokio::test]
async fn a_network_that_asks_too_often_is_told_when_to_come_back() {
    let town = behind_proxy(1, None).await;
    let (taken, refused) = drain(&town, "203.0.113.9", 1_000).await;
    assert!(taken >= 6, "{taken}");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!(refused.key(), "server.too-often");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("cache-control"), "no-store");
    let refused = town
        .get_with(
            "/",
            &[
                ("x-forwarded-for", "203.0.113.9"),
                ("accept-language", "uk"),
            ],
        )
        .await;
    assert_eq!(refused.json()["title"], "Забагато запитів");
    // Whatever it writes before its own address.
    let others_name = get_for(&town, "198.51.100.1, 203.0.113.9").await;
    assert_eq!(others_name.status, 429);
    assert_eq!(get_for(&town, "203.0.113.10").await.status, 200);
    // An IPv6 network is one client.
    drain(&town, "2001:db8::1", 1_000).await;
    assert_eq!(get_for(&town, "2001:db8::2:1").await.status, 429);
    assert_eq!(get_for(&town, "2001:db8:0:1::1").await.status, 200);
}

#[tokio::test]
async fn programs_of_this_machine_are_not_limited_nor_is_anybody_by_0() {
    let town = behind_proxy(1, None).await;
    for _ in 0..50 {
        town.get("/health/live").await.ok();
    }
    let town = behind_proxy(0, None).await;
    for _ in 0..50 {
        get_for(&town, "203.0.113.9").await.ok();
    }
}

#[tokio::test]
async fn nobody_but_a_trusted_proxy_says_who_asks() {
    let town = Town::with(&Options {
        trusted_proxies: vec![parse_network("192.0.2.0/24").unwrap()],
        requests_per_second: 1,
        ..Options::default()
    })
    .await;
    // From 127.0.0.1, which is no proxy: not another client, and not limited.
    for _ in 0..50 {
        get_for(&town, "203.0.113.9").await.ok();
    }
    let headers = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.test"),
    ];
    let answer = town.get_with("/", &headers).await.ok();
    assert_eq!(answer.header("strict-transport-security"), "");
    let text = answer.text();
    assert!(
        text.contains("http://town.test/") && !text.contains("evil.test"),
        "{text}"
    );
}

#[tokio::test]
async fn a_secure_connection_stays_so_and_links_keep_it() {
    for (base_url, scheme, hsts) in [
        (None, "https", "max-age=31536000"),
        (Some("https://town.test"), "https", "max-age=31536000"),
        // The operator says that there is plain HTTP too.
        (Some("http://town.test"), "http", ""),
    ] {
        let town = behind_proxy(0, base_url).await;
        for path in ["/", "/nothing", "/collections?limit=x", "/app/"] {
            let headers = [
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "evil.test"),
            ];
            let answer = town.get_with(path, &headers).await;
            assert_eq!(
                answer.header("strict-transport-security"),
                hsts,
                "{base_url:?} {path}"
            );
        }
        let headers = [("x-forwarded-proto", "https")];
        let document = town.get_with("/", &headers).await.ok().json();
        let href = document["links"][0]["href"].as_str().unwrap();
        assert!(
            href.starts_with(&format!("{scheme}://town.test/")),
            "{href}"
        );
        let plain = town
            .get_with("/", &[("x-forwarded-proto", "http")])
            .await
            .ok();
        assert_eq!(plain.header("strict-transport-security"), "");
    }
}

#[tokio::test]
async fn cookies_are_capped() {
    let town = Town::new().await;
    let half = "a".repeat(4 * 1024);
    let fits = town
        .get_with("/", &[("cookie", &half), ("cookie", &half)])
        .await;
    assert_eq!(fits.status, 200);
    let over = town
        .get_with(
            "/",
            &[("cookie", &half), ("cookie", &half), ("cookie", "b")],
        )
        .await;
    assert_eq!(over.status, 431);
    assert_eq!(over.key(), "server.cookies-too-large");
    assert_eq!(over.json()["title"], "Request Header Fields Too Large");
}

async fn with_origin() -> Town {
    Town::with(&Options {
        base_url: Some("http://town.test".to_owned()),
        cors_origins: vec![parse_origin("https://editor.test").unwrap()],
        ..Options::default()
    })
    .await
}

async fn preflight(town: &Town, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "authorization"),
    ];
    let answer = town
        .request(Method::OPTIONS, PATH, &headers, Body::empty())
        .await
        .ok();
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    answer
}

#[tokio::test]
async fn pages_of_named_origins_may_write_and_others_only_read() {
    let town = with_origin().await;
    let named = preflight(&town, "https://editor.test").await;
    assert_eq!(
        named.header("access-control-allow-origin"),
        "https://editor.test"
    );
    assert_eq!(
        named.header("access-control-allow-methods"),
        "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"
    );
    let headers = named.header("access-control-allow-headers");
    assert!(
        headers.contains("Authorization") && headers.contains("If-Match"),
        "{headers}"
    );
    let vary: Vec<_> = named.headers.get_all("vary").iter().collect();
    assert!(vary.iter().any(|v| *v == "Origin"), "{vary:?}");
    for other in [
        "http://editor.test",
        "https://editor.test:8443",
        "https://editor.test.evil.test",
        "https://evil.test",
        "null",
    ] {
        let answer = preflight(&town, other).await;
        assert_eq!(
            answer.header("access-control-allow-methods"),
            "GET, HEAD, OPTIONS",
            "{other}"
        );
        let headers = answer.header("access-control-allow-headers");
        assert!(!headers.contains("Authorization"), "{other}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
}

#[tokio::test]
async fn a_named_origin_writes_with_authorization_and_never_with_a_cookie() {
    let town = with_origin().await;
    let bearer = format!("Bearer {}", town.editor);
    let post = async |headers: Vec<(&str, &str)>| {
        let town = &town;
        let kind = [
            ("content-type", "application/geo+json"),
            ("sec-fetch-site", "cross-site"),
        ];
        let headers = [&kind, headers.as_slice()].concat();
        town.bare(Method::POST, PATH, &headers, BODY).await
    };
    let origin = ("origin", "https://editor.test");
    let authorization = ("authorization", bearer.as_str());
    let written = post(vec![origin, authorization]).await;
    assert_eq!(written.status, 201, "{}", written.text());
    assert_eq!(
        written.header("access-control-allow-origin"),
        "https://editor.test"
    );
    assert_eq!(written.header("access-control-allow-credentials"), "");
    for refused in [
        vec![origin],
        vec![origin, ("cookie", "session=x")],
        vec![origin, authorization, ("cookie", "session=x")],
        vec![("origin", "https://evil.test"), authorization],
        vec![authorization],
    ] {
        let answer = post(refused.clone()).await;
        // Whoever has shown nothing is nobody, wherever they come from.
        let is_nobody = !refused.iter().any(|(name, _)| *name == "authorization");
        let expected = if is_nobody { 401 } else { 403 };
        assert_eq!(answer.status, expected, "{refused:?}");
    }
    // A name that somebody else points here is no way around.
    let host = [("host", "evil.test"), origin, authorization];
    let mut request = axum::http::Request::builder()
        .method(Method::POST)
        .uri(PATH);
    for (name, value) in host {
        request = request.header(name, value);
    }
    let request = request.body(Body::from(BODY)).unwrap();
    let answer = tower::ServiceExt::oneshot(town.router.clone(), request)
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 403);
}

#[tokio::test]
async fn plain_reads_are_the_same_for_all_pages() {
    let town = with_origin().await;
    let origin = ("origin", "https://editor.test");
    let bearer = format!("Bearer {}", town.editor);
    let read = town.get_with(PATH, &[origin]).await.ok();
    assert_eq!(read.header("access-control-allow-origin"), "*");
    let own = town
        .get_with(PATH, &[origin, ("authorization", &bearer)])
        .await
        .ok();
    assert_eq!(
        own.header("access-control-allow-origin"),
        "https://editor.test"
    );
    assert_eq!(own.header("access-control-allow-credentials"), "");
}
