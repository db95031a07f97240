//! All routes, and what decides over each.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::TryFutureExt;
use futures_util::future::Either;
use hyper::StatusCode;
use hyper::header::CONTENT_LENGTH;
use model::access::Permission;
use store::Store;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use crate::app::App;
use crate::edge::{self, Edge};
use crate::features::{edit, item, items, parcels, queryables, transactions, versions};
use crate::limits::MIN_PACKED;
use crate::problem::Problem;
use crate::{
    Options, account, admin, assets, bulk, changes, collections, common, context, crs, health,
    matrix_sets, openapi, schema, search, served_archives, styles, tilesets, vector,
};

/// What decides over who gets an answer from a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Nothing: the answer has nothing of the town in it.
    Open,
    /// The policy, collection by collection: what is not seen is not in the answer.
    Seen,
    /// A permission.
    Permission(Permission),
    /// Whoever it is has to be somebody, and gets what is theirs.
    Own,
}

/// Every route with its guard. A route that is not here has no answers, nor has one whose handler does not ask the policy
/// though the table says that it does: a forgotten check is a failure and not a leak.
pub(crate) const GUARDS: &[(&str, Guard)] = &[
    ("/", Guard::Seen),
    ("/conformance", Guard::Open),
    ("/api", Guard::Seen),
    ("/collections", Guard::Seen),
    ("/collections/{collection}", Guard::Seen),
    ("/collections/{collection}/schema", Guard::Seen),
    ("/collections/{collection}/schema/feature", Guard::Seen),
    ("/collections/{collection}/queryables", Guard::Seen),
    ("/collections/{collection}/sortables", Guard::Seen),
    ("/functions", Guard::Open),
    ("/crs/{code}", Guard::Seen),
    ("/collections/{collection}/files/{file}", Guard::Seen),
    ("/collections/{collection}/items", Guard::Seen),
    ("/collections/{collection}/items/{feature}", Guard::Seen),
    (
        "/collections/{collection}/items/{feature}/versions",
        Guard::Seen,
    ),
    (
        "/collections/{collection}/items/{feature}/versions/{version}",
        Guard::Seen,
    ),
    (
        "/collections/{collection}/items/{feature}/versions/{version}/restore",
        Guard::Seen,
    ),
    (
        "/collections/{collection}/items/{feature}/lineage",
        Guard::Seen,
    ),
    ("/collections/{collection}/operations", Guard::Seen),
    ("/transactions", Guard::Seen),
    ("/collections/{collection}/tiles", Guard::Seen),
    ("/collections/{collection}/tiles/{set}", Guard::Seen),
    (
        "/collections/{collection}/tiles/{set}/{matrix}/{row}/{col}",
        Guard::Seen,
    ),
    ("/tiles", Guard::Seen),
    ("/tiles/{collections}", Guard::Seen),
    ("/tiles/{collections}/{z}/{x}/{y}", Guard::Seen),
    ("/archives/{file}", Guard::Seen),
    ("/tileMatrixSets", Guard::Open),
    ("/tileMatrixSets/{set}", Guard::Open),
    ("/styles", Guard::Seen),
    ("/styles/{style}", Guard::Seen),
    ("/styles/{style}/metadata", Guard::Seen),
    ("/styles/{style}/legend", Guard::Seen),
    ("/search", Guard::Seen),
    ("/changes", Guard::Seen),
    ("/account", Guard::Own),
    ("/account/me", Guard::Own),
    ("/account/sign-in", Guard::Own),
    ("/account/second-step", Guard::Own),
    ("/account/sign-out", Guard::Own),
    ("/account/link", Guard::Own),
    ("/account/single", Guard::Own),
    ("/account/single/callback", Guard::Own),
    ("/account/password", Guard::Own),
    ("/account/second-factor", Guard::Own),
    ("/account/second-factor/confirm", Guard::Own),
    ("/account/second-factor/remove", Guard::Own),
    ("/account/sessions/end", Guard::Own),
    ("/account/tokens", Guard::Own),
    ("/account/tokens/revoke", Guard::Own),
    ("/admin", Guard::Own),
    ("/admin/people", Guard::Permission(Permission::ManagePeople)),
    (
        "/admin/people/{person}",
        Guard::Permission(Permission::ManagePeople),
    ),
    ("/admin/roles", Guard::Own),
    ("/admin/units", Guard::Permission(Permission::ManagePeople)),
    ("/admin/access", Guard::Permission(Permission::Publish)),
    (
        "/admin/access/{collection}",
        Guard::Permission(Permission::Publish),
    ),
    ("/admin/audit", Guard::Permission(Permission::ReadAudit)),
    ("/health/live", Guard::Open),
    ("/health/ready", Guard::Seen),
    ("/metrics", Guard::Permission(Permission::Operate)),
    ("/app", Guard::Open),
    ("/app/", Guard::Open),
    ("/app/{*path}", Guard::Open),
    ("/fonts/{stack}/{file}", Guard::Open),
    ("/sprites/{file}", Guard::Open),
    ("/pages.css", Guard::Open),
];

/// Every route with its guard, for the tests that ask each of them as everybody.
#[doc(hidden)]
pub fn guards() -> &'static [(&'static str, Guard)] {
    GUARDS
}

/// The guard of a route by its path.
pub(crate) fn guard(path: &str) -> Option<Guard> {
    GUARDS
        .iter()
        .find(|(known, _)| *known == path)
        .map(|(_, guard)| *guard)
}

/// The whole server as a service; [`crate::serve()`] puts it on a port.
pub fn router(store: Store, options: &Options) -> Router {
    let served = Served::new(App::new(store, options));
    let service = tower::service_fn(move |request: Request| served.answer(request));
    Router::new().fallback_service(service)
}

/// All routes, and before them the answers that are ready.
#[derive(Clone)]
pub(crate) struct Served {
    app: App,
    edge: Edge,
    routes: Router,
}

impl Served {
    pub(crate) fn new(app: App) -> Self {
        let edge = Edge::new(&app.options);
        let routes = dressed(routes(), app.clone(), edge.clone());
        Self { app, edge, routes }
    }

    pub(crate) fn answer<B>(
        &self,
        request: axum::http::Request<B>,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<B>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        match edge::ready(&self.edge, &self.app, &request) {
            Some(response) => Either::Left(std::future::ready(Ok(response))),
            None => Either::Right(self.usual(request.map(Body::new))),
        }
    }

    /// By the routes, whether there is an answer ready or not.
    pub(crate) fn usual(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
        let answer = self.routes.clone().oneshot(request);
        answer.map_ok(|mut response| {
            // The router has counted the body that is not there, but this would be the length of the one that is
            // (RFC 9110 §8.6).
            if response.status() == StatusCode::NOT_MODIFIED {
                response.headers_mut().remove(CONTENT_LENGTH);
            }
            response
        })
    }
}

fn routes() -> Router<App> {
    let documents = Router::new()
        .route("/", get(common::landing))
        .route("/conformance", get(common::conformance))
        .route("/api", get(openapi::get))
        .route("/collections", get(collections::list))
        .route("/collections/{collection}", get(collections::one))
        .route("/collections/{collection}/schema", get(schema::logical))
        .route(
            "/collections/{collection}/schema/feature",
            get(schema::feature),
        )
        .route(
            "/collections/{collection}/queryables",
            get(queryables::queryables),
        )
        .route(
            "/collections/{collection}/sortables",
            get(queryables::sortables),
        )
        .route("/functions", get(queryables::list))
        .route("/crs/{code}", get(crs::one))
        .route(
            "/collections/{collection}/items",
            get(items::get).post(edit::create),
        )
        .route(
            "/collections/{collection}/items/{feature}",
            get(item::get)
                .put(edit::replace)
                .patch(edit::update)
                .delete(edit::delete),
        )
        .route(
            "/collections/{collection}/items/{feature}/versions",
            get(versions::list),
        )
        .route(
            "/collections/{collection}/items/{feature}/versions/{version}",
            get(versions::one),
        )
        .route(
            "/collections/{collection}/items/{feature}/versions/{version}/restore",
            post(versions::restore),
        )
        .route(
            "/collections/{collection}/items/{feature}/lineage",
            get(parcels::lineage),
        )
        .route(
            "/collections/{collection}/operations",
            post(parcels::operate),
        )
        .route("/transactions", post(transactions::post))
        .route(
            "/collections/{collection}/tiles",
            get(tilesets::of_collection),
        )
        .route(
            "/collections/{collection}/tiles/{set}",
            get(tilesets::collection_tileset),
        )
        .route("/tiles", get(tilesets::of_dataset))
        .route("/tiles/{collections}", get(tilesets::tilejson))
        .route("/tileMatrixSets", get(matrix_sets::list))
        .route("/tileMatrixSets/{set}", get(matrix_sets::one))
        .route("/styles", get(styles::list).post(styles::create))
        .route(
            "/styles/{style}",
            get(styles::one).put(styles::replace).delete(styles::delete),
        )
        .route("/styles/{style}/metadata", get(styles::metadata))
        .route("/styles/{style}/legend", get(styles::legend))
        .route("/search", get(search::get))
        .route("/account", get(account::overview))
        .route("/account/me", get(account::me))
        .route("/account/sign-in", post(account::sign_in))
        .route("/account/second-step", post(account::second_step))
        .route("/account/sign-out", post(account::sign_out))
        .route(
            "/account/link",
            get(account::show_link).post(account::enter_link),
        )
        .route("/account/single", get(account::begin_single))
        .route(
            "/account/single/callback",
            get(account::end_single).head(account::look_single),
        )
        .route("/account/password", post(account::change_password))
        .route("/account/second-factor", post(account::begin_second))
        .route(
            "/account/second-factor/confirm",
            post(account::confirm_second),
        )
        .route(
            "/account/second-factor/remove",
            post(account::remove_second),
        )
        .route("/account/sessions/end", post(account::end_sessions))
        .route("/account/tokens", post(account::create_token))
        .route("/account/tokens/revoke", post(account::revoke_token))
        .route("/admin", get(admin::overview))
        .route("/admin/people", get(admin::people).post(admin::add_person))
        .route(
            "/admin/people/{person}",
            get(admin::person).post(admin::act),
        )
        .route("/admin/roles", get(admin::roles))
        .route("/admin/units", get(admin::units).post(admin::change_units))
        .route("/admin/access", get(admin::access))
        .route(
            "/admin/access/{collection}",
            get(admin::access_of).post(admin::change_access),
        )
        .route("/admin/audit", get(admin::audit))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(nothing_here)
        .layer(
            CompressionLayer::new()
                .quality(CompressionLevel::Fastest)
                .compress_when(worth_packing()),
        );
    // These come compressed, each form made once, or are not to wait until there is enough to compress.
    let packed = Router::new()
        .route(
            "/collections/{collection}/tiles/{set}/{matrix}/{row}/{col}",
            get(vector::of_collection),
        )
        .route("/tiles/{collections}/{z}/{x}/{y}", get(vector::short))
        .route("/collections/{collection}/files/{file}", get(bulk::get))
        .route("/archives/{file}", get(served_archives::get))
        .route("/changes", get(changes::get))
        .route("/app", get(assets::to_app))
        .route("/app/", get(assets::app_index))
        .route("/app/{*path}", get(assets::app))
        .route("/fonts/{stack}/{file}", get(assets::font))
        .route("/sprites/{file}", get(assets::sprite))
        .route("/pages.css", get(assets::pages_css));
    documents.merge(packed)
}

/// What surrounds all routes.
fn dressed(routes: Router<App>, app: App, edge: Edge) -> Router {
    let routes = routes
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::middleware::from_fn(context::name_route))
        .with_state(app.clone());
    // Around the router and not within, because the router itself writes `Allow` as the last thing.
    let all = ServiceBuilder::new()
        .layer(axum::middleware::from_fn_with_state(edge, edge::layer))
        .layer(axum::middleware::from_fn_with_state(app, context::layer))
        .service(routes);
    Router::new().fallback_service(all)
}

/// What one packet holds is sent as it is: packed it would be one packet too, for the work of a third of the request.
fn worth_packing() -> impl Predicate {
    SizeAbove::new(MIN_PACKED).and(NotForContentType::IMAGES)
}

async fn nothing_here() -> Problem {
    Problem::not_found(model::Message::new("server.no-such-path"))
}

/// A panic is a defect of ours: logged, answered, and nothing else is harmed.
fn panicked(cause: Box<dyn std::any::Any + Send>) -> Response {
    let text = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied());
    axum::response::IntoResponse::into_response(Problem::internal(
        text.unwrap_or("a panic without a text"),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::http::{Request, Response};
    use store::Access;

    use super::*;
    use crate::client::{Peer, network_of};
    use crate::limits::{MAX_NETWORK_REQUESTS, MAX_REQUESTS};

    async fn empty() -> (App, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Access::Write).await.unwrap();
        store.load().await.unwrap();
        (App::new(store, &Options::default()), folder)
    }

    fn around(routes: Router<App>, app: &App) -> Router {
        dressed(routes, app.clone(), Edge::new(&app.options))
    }

    async fn get_from(router: &Router, path: &str) -> Response<Body> {
        let request = Request::get(path)
            .header("host", "t")
            .body(Body::empty())
            .unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    async fn broken() -> &'static str {
        panic!("a defect with a secret")
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_does_not_tell_its_cause() {
        let (app, _folder) = empty().await;
        let router = around(Router::new().route("/broken", get(broken)), &app);
        let answer = get_from(&router, "/broken").await;
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let body = axum::body::to_bytes(answer.into_body(), 10_000)
            .await
            .unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            text.contains("server.internal") && !text.contains("secret"),
            "{text}"
        );
        assert_eq!(app.requests.available_permits(), MAX_REQUESTS);
    }

    async fn silent() -> &'static str {
        "a secret"
    }

    async fn asking(
        axum::extract::State(app): axum::extract::State<App>,
        context: context::Context,
    ) -> Result<&'static str, Problem> {
        app.sight(&context)?;
        Ok("what is seen")
    }

    #[tokio::test]
    async fn what_nobody_has_decided_upon_is_not_answered() {
        let (app, _folder) = empty().await;
        let routes = Router::new()
            .route("/not-in-the-table", get(silent))
            .route("/not-in-the-table/asking", get(asking))
            .route("/collections", get(silent))
            .route("/metrics", get(silent))
            .route("/tiles", get(asking))
            .route("/conformance", get(silent));
        let router = around(routes, &app);
        for (path, status) in [
            // A route that the table does not have, whether or not its handler asks.
            ("/not-in-the-table", 500),
            ("/not-in-the-table/asking", 500),
            // Routes of the table whose handlers do not ask.
            ("/collections", 500),
            ("/metrics", 500),
            ("/tiles", 200),
            ("/conformance", 200),
        ] {
            let answer = get_from(&router, path).await;
            assert_eq!(answer.status(), status, "{path}");
            let body = axum::body::to_bytes(answer.into_body(), 10_000).await;
            let text = String::from_utf8(body.unwrap().to_vec()).unwrap();
            let is_told = text.contains("a secret");
            assert_eq!(is_told, path == "/conformance", "{path}: {text}");
        }
    }

    #[tokio::test]
    async fn an_answer_keeps_its_place_until_it_has_left() {
        let (app, _folder) = empty().await;
        let routes = Router::new().route("/", get(common::landing));
        let router = around(routes, &app);
        let answer = get_from(&router, "/").await;
        assert_eq!(app.requests.available_permits(), MAX_REQUESTS - 1);
        axum::body::to_bytes(answer.into_body(), 100_000)
            .await
            .unwrap();
        assert_eq!(app.requests.available_permits(), MAX_REQUESTS);
    }

    #[tokio::test]
    async fn above_the_limit_requests_are_sent_away_but_the_monitor_is_not() {
        let (app, _folder) = empty().await;
        let routes = Router::new()
            .route("/", get(common::landing))
            .route("/health/live", get(health::live));
        let router = around(routes, &app);
        let all = app
            .requests
            .acquire_many(u32::try_from(MAX_REQUESTS).unwrap())
            .await
            .unwrap();
        let answer = get_from(&router, "/").await;
        assert_eq!(answer.status(), 503);
        assert!(answer.headers().contains_key("retry-after"));
        assert_eq!(get_from(&router, "/health/live").await.status(), 200);
        drop(all);
        assert_eq!(get_from(&router, "/").await.status(), 200);
    }

    #[tokio::test]
    async fn one_network_takes_not_all_places() {
        let (app, _folder) = empty().await;
        let router = around(Router::new().route("/", get(common::landing)), &app);
        let from = async |address: &str| {
            let request = Request::get("/")
                .header("host", "t")
                .extension(Peer::new(address.parse().unwrap(), false))
                .body(Body::empty())
                .unwrap();
            router.clone().oneshot(request).await.unwrap().status()
        };
        let one = network_of("203.0.113.9".parse().unwrap());
        let taken: Vec<_> = (0..MAX_NETWORK_REQUESTS)
            .map(|_| app.requests_of.enter(one).unwrap())
            .collect();
        assert_eq!(from("203.0.113.9").await, 503);
        assert_eq!(from("198.51.100.1").await, 200);
        assert_eq!(from("127.0.0.1").await, 200);
        drop(taken);
        assert_eq!(from("203.0.113.9").await, 200);
    }
}
