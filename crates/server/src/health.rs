//! Whether the server lives and whether it should get requests; figures for a monitor.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use model::Message;
use model::access::Permission;
use serde_json::json;

use crate::app::App;
use crate::context::Context;
use crate::link::JSON;
use crate::nodes::TOO_OLD;
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

/// `GET /health/ready`: the store is loaded, takes writes, and is not behind the database that it shares; otherwise 503 with
/// the reason.
pub(crate) async fn ready(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    let seen = app.sight(&context)?.all();
    if let Some(reason) = app.store.stopped() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason));
    }
    let lag = app.store.lag();
    if let Some(lag) = lag.filter(|lag| lag.since_current > TOO_OLD) {
        let detail = Message::new("server.behind").with("seconds", lag.since_current.as_secs());
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_later());
    }
    let features: usize = seen.iter().map(|c| c.index.len()).sum();
    let text = Message::new("server.ready")
        .count(seen.len() as u64)
        .text(context.lang);
    let mut body = json!({ "status": "ready", "detail": text, "collections": seen.len(), "features": features });
    if let Some(lag) = lag {
        body["behind"] = json!({ "seconds": lag.since_current.as_secs_f64() });
        // A count of changes to collections that others may not see.
        if context.principal.may(Permission::Operate) {
            body["behind"]["changes"] = lag.changes.into();
        }
    }
    Ok((
        [(CONTENT_TYPE, JSON), (CACHE_CONTROL, NEVER)],
        body.to_string(),
    )
        .into_response())
}

/// `GET /metrics`
pub(crate) async fn metrics(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    app.require(&context, Permission::Operate)?;
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
