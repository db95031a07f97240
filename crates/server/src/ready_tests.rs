//! Answers that are ready beside those of the usual way.

#![allow(clippy::unwrap_used)]

use axum::http::Request;
use model::access::{Access as Rules, Class};
use model::{CollectionId, Value};
use store::{Access, CollectionSettings, Draft, ImportJob, ImportMode, Store};

use super::*;
use crate::Options;
use crate::client::Peer;
use crate::edge::{self, Edge};
use crate::routes::Served;

const TILE: &str = "/tiles/points/10/540/483";
const EMPTY: &str = "/tiles/points/10/0/0";

/// A store with one point at 10 E 10 N that anybody sees, and its server.
struct Place {
    app: App,
    served: Served,
    edge: Edge,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Access::Write).await.unwrap();
        let file = folder.path().join("points.geojson");
        std::fs::write(&file, r#"{"type":"Feature","properties":{"n":0},"geometry":{"type":"Point","coordinates":[10,10]}}"#).unwrap();
        let job = ImportJob {
            file,
            layer: None,
            collection: CollectionId::new("points").unwrap(),
            mode: ImportMode::Create,
            crs: None,
            id_property: None,
            repair: false,
            strict: false,
            read: formats::ReadOptions::default(),
            settings: CollectionSettings {
                access: Some(Class::Public),
                ..CollectionSettings::default()
            },
            actor: "test".to_owned(),
        };
        store.import(&job, &mut |_| {}).await.unwrap();
        store.load().await.unwrap();
        let options = Options::default();
        let app = App::new(store, &options);
        Self {
            served: Served::new(app.clone()),
            edge: Edge::new(&options),
            app,
            _folder: folder,
        }
    }

    fn ready(&self, request: &Request<Body>) -> Option<Response> {
        edge::ready(&self.edge, &self.app, request)
    }

    async fn ask(&self, request: Request<Body>) -> Response {
        self.served.answer(request).await.unwrap()
    }

    /// Asks until the answer is ready: a tile is packed better first, beside the requests.
    async fn warmed(&self, path: &str, headers: &[(&str, &str)]) {
        for _ in 0..100_000 {
            if self.ready(&get(path, headers)).is_some() {
                return;
            }
            self.ask(get(path, headers)).await;
            tokio::task::yield_now().await;
        }
        panic!("{path} {headers:?} is never ready");
    }

    async fn add(&self, x: f64) {
        let mut wkb = Vec::new();
        formats::wkb::write(
            &geo_types::Geometry::Point(geo_types::Point::new(x, 10.0)),
            &mut wkb,
        );
        let draft = Draft {
            geometry: Some(wkb),
            crs: model::Crs::CRS84,
            properties: vec![Value::Integer(1)],
        };
        self.app
            .store
            .create("points", draft, "test")
            .await
            .unwrap();
    }
}

fn get(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get(path).header("host", "t");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn parts(response: Response) -> (StatusCode, Vec<(String, Vec<u8>)>, Bytes) {
    let (parts, body) = response.into_parts();
    let named = parts.headers.iter();
    let mut headers: Vec<(String, Vec<u8>)> = named
        .filter(|(name, _)| **name != REQUEST_ID)
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    headers.sort();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, headers, body)
}

#[tokio::test]
async fn what_is_ready_is_what_the_usual_way_answers() {
    let place = Place::new().await;
    for (path, status) in [(TILE, 200), (EMPTY, 204)] {
        for codings in ["identity", "gzip", "zstd", "br", ""] {
            let headers = [("accept-encoding", codings)];
            place.warmed(path, &headers).await;
            let ready = place.ready(&get(path, &headers)).unwrap();
            assert_eq!(ready.status(), status);
            assert!(ready.headers().contains_key(REQUEST_ID));
            let tag = ready.headers().get(ETAG).cloned();
            let same = place.served.usual(get(path, &headers)).await.unwrap();
            assert_eq!(parts(ready).await, parts(same).await, "{path} {codings}");
            let Some(tag) = tag else { continue };
            for tag in [tag.to_str().unwrap(), "*", "\"other\""] {
                let headers = [("accept-encoding", codings), ("if-none-match", tag)];
                let ready = place.ready(&get(path, &headers)).unwrap();
                let is_same = tag != "\"other\"";
                assert_eq!(ready.status() == StatusCode::NOT_MODIFIED, is_same, "{tag}");
                let same = place.served.usual(get(path, &headers)).await.unwrap();
                assert_eq!(parts(ready).await, parts(same).await, "{path} {tag}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_ready_after_a_change_of_data_rules_or_plans() {
    let place = Place::new().await;
    place.warmed(TILE, &[]).await;
    let before = parts(place.ask(get(TILE, &[])).await).await.2;
    place.add(10.01).await;
    assert!(place.ready(&get(TILE, &[])).is_none());
    let after = parts(place.ask(get(TILE, &[])).await).await.2;
    assert_ne!(before, after);

    place.warmed(TILE, &[]).await;
    let plans = place.app.low_zooms.version();
    let live = place.app.store.live();
    for x in 0..10 {
        place.add(10.02 + f64::from(x) / 1000.0).await;
    }
    drop(live);
    place.ask(get(TILE, &[])).await;
    assert_ne!(plans, place.app.low_zooms.version(), "it has grown");

    place.warmed(TILE, &[]).await;
    let id = CollectionId::new("points").unwrap();
    let rules = Rules::of(Class::Staff);
    let set = place.app.store.set_access("test", &id, rules);
    set.await.unwrap();
    assert!(place.ready(&get(TILE, &[])).is_none());
    assert_eq!(place.ask(get(TILE, &[])).await.status(), 404);
    assert!(
        place.ready(&get(TILE, &[])).is_none(),
        "a refusal is not kept"
    );
}

#[tokio::test]
async fn whoever_may_be_somebody_is_asked_for() {
    let place = Place::new().await;
    place.warmed(TILE, &[]).await;
    for (name, value) in [
        ("authorization", "Bearer x"),
        ("cookie", "hromada-session=x"),
        ("hromada-after", "1.1"),
        ("host", "another"),
    ] {
        let request = get(TILE, &[(name, value)]);
        assert!(place.ready(&request).is_none(), "{name}");
    }
    let two = [("accept-encoding", "identity"), ("accept-encoding", "gzip")];
    assert!(place.ready(&get(TILE, &two)).is_none());
    for method in ["HEAD", "OPTIONS", "POST"] {
        let mut request = get(TILE, &[]);
        *request.method_mut() = method.parse().unwrap();
        assert!(place.ready(&request).is_none(), "{method}");
    }
    // What was is asked for anew: who sees it is another question.
    let then = format!("{TILE}?as-of=2999-01-01T00:00:00Z");
    for _ in 0..8 {
        place.ask(get(&then, &[])).await;
    }
    assert!(place.ready(&get(&then, &[])).is_none());
}

#[tokio::test]
async fn what_is_ready_counts_for_the_rate_of_a_network_and_in_the_figures() {
    let place = Place::new().await;
    place.warmed(TILE, &[]).await;
    let from_afar = || {
        let mut request = get(TILE, &[]);
        let peer = Peer::new("203.0.113.9".parse().unwrap(), false);
        request.extensions_mut().insert(peer);
        request
    };
    let figures = || place.app.metrics.text(&place.app).unwrap();
    let counted = |text: &str| -> u64 {
        let route = "route=\"/tiles/{collections}/{z}/{x}/{y}\",status=\"200\"";
        let line = text.lines().find(|line| line.contains(route)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let before = counted(&figures());
    let mut answered = 0;
    while place.ready(&from_afar()).is_some() {
        answered += 1;
        assert!(answered < 100_000, "no rate holds");
    }
    assert!(answered > 0);
    assert_eq!(counted(&figures()), before + answered);
    let refused = place.ask(from_afar()).await;
    assert!([200, 429].contains(&refused.status().as_u16()));
}

#[tokio::test]
async fn filters_of_others_leave_what_is_ready() {
    let place = Place::new().await;
    place.warmed(TILE, &[]).await;
    for n in 0..20 {
        let narrowed = format!("{TILE}?filter=n%20%3C%20{n}");
        for _ in 0..8 {
            place.ask(get(&narrowed, &[])).await;
        }
        assert!(place.ready(&get(&narrowed, &[])).is_none());
    }
    assert!(place.ready(&get(TILE, &[])).is_some());
}
