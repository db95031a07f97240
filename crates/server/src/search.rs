//! The search box: features by any searchable text.

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::{Message, Value};
use serde_json::{Map, Value as Json, json};
use store::{LiveCollection, SearchHit};

use crate::answer;
use crate::app::App;
use crate::collections::bbox;
use crate::context::Context;
use crate::features::id_from;
use crate::limits::{DEFAULT_HITS, MAX_HITS, MAX_SEARCH};
use crate::link::JSON;
use crate::negotiate::Format;
use crate::problem::{Problem, shown};

/// `GET /search?q=TEXT&limit=20&collections=a,b`
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
    let live = app.live()?;
    let searched: Vec<LiveCollection> = match context.params.get("collections") {
        Some(ids) => {
            let find = |id: &str| {
                live.get(id)
                    .cloned()
                    .ok_or_else(|| Problem::no_collection(id))
            };
            ids.split(',')
                .map(str::trim)
                .map(find)
                .collect::<Result<_, _>>()?
        }
        None => live.collections.values().cloned().collect(),
    };
    let states: Vec<i64> = searched.iter().map(|c| c.seq.0).collect();
    let tag = answer::tag(&app, &context, Format::Json, states);
    if let Some(unchanged) = answer::unchanged(&context, &tag) {
        return Ok(unchanged);
    }
    let (store, query) = (app.store.clone(), text.clone());
    let found = app.work(move || {
        // One more than wanted tells whether there are more.
        let per_collection = searched.into_iter().map(|live| {
            let hits = store.search(&live, &query, limit + 1);
            (live, hits)
        });
        merge(per_collection.collect(), &query, limit)
    });
    let (hits, more) = found.await?;
    Ok(answer::json(
        &context,
        JSON,
        &json!({ "query": text, "hits": hits, "more": more }),
        &tag,
    ))
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

/// The best of all collections: values that are the text, then those that begin with it, then the others, each
/// in the order in which its collection gave them.
fn merge(
    found: Vec<(LiveCollection, Vec<SearchHit>)>,
    query: &str,
    limit: usize,
) -> (Vec<Json>, bool) {
    let query = query.to_lowercase();
    let mut ranked: Vec<(u8, usize, &LiveCollection, &SearchHit)> = Vec::new();
    for (live, hits) in &found {
        for (place, hit) in hits.iter().enumerate() {
            let value = plain(&hit.value).to_lowercase();
            let rank = if value == query {
                0
            } else if value.starts_with(&query) {
                1
            } else {
                2
            };
            ranked.push((rank, place, live, hit));
        }
    }
    // Stable, so that collections keep their order within a place.
    ranked.sort_by_key(|(rank, place, ..)| (*rank, *place));
    let more = ranked.len() > limit;
    (
        ranked
            .into_iter()
            .take(limit)
            .map(|(.., live, hit)| hit_json(live, hit))
            .collect(),
        more,
    )
}

fn hit_json(live: &LiveCollection, hit: &SearchHit) -> Json {
    let collection = &live.collection;
    let id = id_from(hit.fid, hit.id.as_ref().unwrap_or(&Value::Null)).to_string();
    let label = hit.label.as_ref().map(plain).filter(|l| !l.is_empty());
    let mut out = Map::new();
    let mut set = |name: &str, value: Json| out.insert(name.to_owned(), value);
    set("collection", collection.id.as_str().into());
    set("label", label.unwrap_or_else(|| plain(&hit.value)).into());
    set("id", id.into());
    set(
        "property",
        collection.schema.properties[hit.property]
            .name
            .as_str()
            .into(),
    );
    set("value", plain(&hit.value).into());
    if let Some(envelope) = &hit.envelope {
        set("bbox", json!(bbox(envelope)));
    }
    Json::Object(out)
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
