//! All routes.

use axum::Router;
use axum::routing::get;
use store::Store;
use tower::ServiceBuilder;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::features::{edit, item, items};
use crate::problem::Problem;
use crate::{
    Options, assets, collections, common, context, health, openapi, schema, search, tilesets,
    vector,
};

/// The whole server as a service; [`crate::serve()`] puts it on a port.
pub fn router(store: Store, options: &Options) -> Router {
    let app = App::new(store, options);
    let mut items_methods = get(items::get);
    let mut item_methods = get(item::get);
    if options.allow_edits {
        items_methods = items_methods.post(edit::create);
        item_methods = item_methods.put(edit::replace).delete(edit::delete);
    }
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
        .route("/collections/{collection}/items", items_methods)
        .route("/collections/{collection}/items/{feature}", item_methods)
        .route(
            "/collections/{collection}/tiles",
            get(tilesets::of_collection),
        )
        .route(
            "/collections/{collection}/tiles/WebMercatorQuad",
            get(tilesets::collection_tileset),
        )
        .route("/tiles", get(tilesets::of_dataset))
        .route("/tiles/WebMercatorQuad", get(tilesets::dataset_tileset))
        .route("/tiles/{collections}", get(tilesets::tilejson))
        .route("/tileMatrixSets", get(tilesets::matrix_sets))
        .route("/tileMatrixSets/WebMercatorQuad", get(tilesets::matrix_set))
        .route("/search", get(search::get))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(nothing_here)
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest));
    // These come compressed, each form made once.
    let packed = Router::new()
        .route(
            "/collections/{collection}/tiles/WebMercatorQuad/{matrix}/{row}/{col}",
            get(vector::of_collection),
        )
        .route(
            "/tiles/WebMercatorQuad/{matrix}/{row}/{col}",
            get(vector::of_dataset),
        )
        .route("/tiles/{collections}/{z}/{x}/{y}", get(vector::short))
        .route("/app", get(assets::to_app))
        .route("/app/", get(assets::app_index))
        .route("/app/{*path}", get(assets::app))
        .route("/fonts/{stack}/{file}", get(assets::font))
        .route("/sprites/{file}", get(assets::sprite))
        .route("/styles/{file}", get(assets::style))
        .route("/pages.css", get(assets::pages_css));
    dressed(documents.merge(packed), app)
}

/// What surrounds all routes.
fn dressed(routes: Router<App>, app: App) -> Router {
    let routes = routes
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::middleware::from_fn(context::name_route))
        .with_state(app.clone());
    // Around the router and not within, because the router itself writes `Allow` as the last thing.
    let all = ServiceBuilder::new()
        .layer(axum::middleware::from_fn_with_state(app, context::layer))
        .service(routes);
    Router::new().fallback_service(all)
}

async fn nothing_here() -> Problem {
    Problem::not_found(model::Message::new("server.no-such-path"))
}

/// A panic is a defect of ours: logged, answered, and nothing else is harmed.
fn panicked(cause: Box<dyn std::any::Any + Send>) -> axum::response::Response {
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

    use axum::body::Body;
    use axum::http::{Request, Response};
    use store::Access;
    use tower::ServiceExt;

    use super::*;
    use crate::limits::MAX_REQUESTS;

    async fn empty() -> (App, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Access::Write).await.unwrap();
        store.load().await.unwrap();
        (App::new(store, &Options::default()), folder)
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
        let router = dressed(Router::new().route("/broken", get(broken)), app.clone());
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

    #[tokio::test]
    async fn an_answer_keeps_its_place_until_it_has_left() {
        let (app, _folder) = empty().await;
        let routes = Router::new().route("/", get(common::landing));
        let router = dressed(routes, app.clone());
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
        let router = dressed(
            Router::new()
                .route("/", get(common::landing))
                .route("/health/live", get(health::live)),
            app.clone(),
        );
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
}
