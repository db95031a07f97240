//! Whether the server lives and whether it should get requests; figures for a monitor.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use model::Message;
use serde_json::json;

use crate::app::App;
use crate::context::Context;
use crate::link::JSON;
use crate::problem::Problem;

const NEVER: &str = "no-store";

/// `GET /health/live`: the process answers.
pub(crate) async fn live() -> Response {
    (
        [(CONTENT_TYPE, JSON), (CACHE_CONTROL, NEVER)],
        r#"{"status":"live"}"#,
    )
        .into_response()
}

/// `GET /health/ready`: the store is loaded and takes writes; otherwise 503 with the reason.
pub(crate) async fn ready(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    let live = app.live()?;
    if let Some(reason) = app.store.stopped() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason));
    }
    let features: usize = live.collections.values().map(|c| c.index.len()).sum();
    let text = Message::new("server.ready")
        .count(live.collections.len() as u64)
        .text(context.lang);
    let body = json!({ "status": "ready", "detail": text, "collections": live.collections.len(), "features": features });
    Ok((
        [(CONTENT_TYPE, JSON), (CACHE_CONTROL, NEVER)],
        body.to_string(),
    )
        .into_response())
}

/// `GET /metrics`
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let text = app.metrics.text(&app).map_err(Problem::internal)?;
    Ok((
        [
            (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
            (CACHE_CONTROL, NEVER),
        ],
        text,
    )
        .into_response())
}
