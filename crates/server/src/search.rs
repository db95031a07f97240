//! The search box: features by any searchable text.

mod merge;
mod retry;

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::{Message, Value};
use serde_json::json;
use store::LiveCollection;

use crate::answer;
use crate::app::App;
use crate::context::Context;
use crate::layers::selected;
use crate::limits::{DEFAULT_HITS, MAX_HITS, MAX_SEARCH, MAX_SEARCH_COLLECTIONS};
use crate::link::JSON;
use crate::problem::{Problem, shown};

/// `GET /search?q=TEXT&limit=20&collections=a,b`
///
/// `understood` is there when the text itself found nothing: `as` is what was looked for instead, `by` the way to it.
pub(crate) async fn get(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&["q", "limit", "collections"])?;
    context.wanted.json(JSON)?;
    let text = context
        .params
        .get("q")
        .unwrap_or_default()
        .trim()
        .to_owned();
    if text.is_empty() || text.chars().count() > MAX_SEARCH {
        return Err(Problem::bad_request(
            Message::new("server.search-text").with("max", MAX_SEARCH),
        ));
    }
    let limit = limit(context.params.get("limit"))?;
    let sight = app.sight(&context)?;
    let searched: Vec<LiveCollection> = match context.params.get("collections") {
        Some(ids) => selected(&sight, ids, MAX_SEARCH_COLLECTIONS)?,
        None => sight.all(),
    };
    let query = text.clone();
    let (answers, understood) = app
        .work(move || {
            let (answers, understood) = retry::search(&searched, &query, limit);
            (answers.json(limit), understood)
        })
        .await?;
    let mut body = json!({ "query": text, "hits": answers.0, "more": answers.1 });
    if let Some(understood) = understood {
        body["understood"] = json!({ "as": understood.text, "by": understood.by });
    }
    Ok(answer::json(&context, JSON, &body))
}

fn limit(text: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = text else {
        return Ok(DEFAULT_HITS);
    };
    let number: Option<usize> = text.parse().ok().filter(|n| *n > 0);
    number.map(|n| n.min(MAX_HITS)).ok_or_else(|| {
        let detail = Message::new("server.limit-invalid")
            .with("value", shown(text))
            .with("max", MAX_HITS);
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })
}

/// A value as people read it; nothing for null.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Boolean(b) => b.to_string(),
        Value::Integer(i) => i.to_string(),
        Value::Real(x) => x.to_string(),
        Value::Text(t) => t.to_string(),
    }
}
