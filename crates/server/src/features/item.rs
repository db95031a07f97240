//! `GET /collections/{id}/items/{featureId}`

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::ETAG;
use model::Message;
use serde_json::Value as Json;
use store::{Item, ItemKey, LiveCollection};

use super::{feature_id, items, query};
use crate::answer;
use crate::app::App;
use crate::conditional::Tag;
use crate::context::Context;
use crate::crs::{self, Reference};
use crate::html;
use crate::link::{GEOJSON, HTML, JSON, link, segment};
use crate::negotiate::Format;
use crate::problem::{Problem, shown};
use crate::segments::Segments;

pub(crate) async fn get(
    State(app): State<App>,
    context: Context,
    Segments([id, feature]): Segments<[String; 2]>,
) -> Result<Response, Problem> {
    context.params.only(&["crs", "zoom-level"])?;
    let format = context.wanted.json_or_html(GEOJSON)?;
    let live = app.collection(&context, &id)?;
    let crs = crs::named(&live, "crs", context.params.get("crs"))?;
    if format == Format::Html {
        let item = find(&app, &live, &feature).await?;
        app.note_personal(&context, &live, Some(&feature)).await?;
        return answer::page(&context, &html::ItemPage::new(&context, &live, &item)?);
    }
    let fragment = match query::zoom(&context.params)? {
        None => fragment(&app, &live, &feature, crs).await?,
        Some(zoom) => {
            let item = find(&app, &live, &feature).await?;
            let simple = query::simplified(&app.store, item.feature, zoom, crs.crs);
            let mut out = Vec::with_capacity(1024);
            items::write_feature(&mut out, &live, &simple, crs)?;
            out
        }
    };
    app.note_personal(&context, &live, Some(&feature)).await?;
    let here = format!("/collections/{id}/items/{}", segment(&feature));
    let mut response = answer(&context, &live, fragment, &here, StatusCode::OK);
    items::name_crs(&context, &mut response, crs);
    Ok(response)
}

/// A feature as GeoJSON, from those that are kept encoded or read now.
async fn fragment(
    app: &App,
    live: &LiveCollection,
    id: &str,
    crs: Reference,
) -> Result<Vec<u8>, Problem> {
    let key = ItemKey::of_id(live, id);
    if let Some(kept) = key.and_then(|key| app.fragments.get(live, &key, crs)) {
        return Ok(kept.to_vec());
    }
    let mut out = Vec::with_capacity(1024);
    let Some(key) = key else {
        let item = find(app, live, id).await?;
        let feature = app.store.in_crs(item.feature, crs.crs);
        items::write_feature(&mut out, live, &feature, crs)?;
        return Ok(out);
    };
    let read = app.store.read(live, &live.now(), crs.crs, &[key]).await?;
    let feature = read.first().ok_or_else(|| missing(live, id))?;
    items::write_feature(&mut out, live, feature, crs)?;
    app.fragments.keep(live, &key, crs, &out);
    Ok(out)
}

fn missing(live: &LiveCollection, id: &str) -> Problem {
    let detail = Message::new("server.no-feature")
        .with("id", shown(id))
        .with("collection", &live.collection.id);
    Problem::not_found(detail)
}

/// # Errors
/// 404 when the collection has no such feature.
pub(super) async fn find(app: &App, live: &LiveCollection, id: &str) -> Result<Item, Problem> {
    let found = app.store.item(live, id).await?;
    found.ok_or_else(|| missing(live, id))
}

/// The tag of a feature: of its data as whoever asks sees them, and of nothing else.
fn tag(feature: &[u8]) -> Tag {
    Tag::strong(answer::digest(feature))
}

/// As [`tag`], of a feature that was read.
///
/// # Errors
/// 500 when the feature can't be written as GeoJSON.
pub(super) fn tag_of(live: &LiveCollection, item: &Item) -> Result<Tag, Problem> {
    let mut out = Vec::with_capacity(1024);
    items::write_feature(&mut out, live, &item.feature, Reference::CRS84)?;
    Ok(tag(&out))
}

/// A feature as the answer to a write.
pub(super) fn answer_with(
    context: &Context,
    live: &LiveCollection,
    item: &Item,
    status: StatusCode,
) -> Result<Response, Problem> {
    let mut out = Vec::with_capacity(1024);
    items::write_feature(&mut out, live, &item.feature, Reference::CRS84)?;
    let id = feature_id(&live.collection, &item.feature).to_string();
    let here = format!("/collections/{}/items/{}", live.collection.id, segment(&id));
    let mut response = answer(context, live, out, &here, status);
    items::name_crs(context, &mut response, Reference::CRS84);
    Ok(response)
}

/// The answer with a feature that is GeoJSON already, whose path is `here`.
fn answer(
    context: &Context,
    live: &LiveCollection,
    mut out: Vec<u8>,
    here: &str,
    status: StatusCode,
) -> Response {
    let tag = tag(&out);
    // The links go into the object before its closing brace.
    out.pop();
    let collection = context.url(format_args!("/collections/{}", live.collection.id));
    let here = context.url(format_args!("{here}"));
    // Titles would differ by language, and the strong tag says that the bytes are the same.
    let links = Json::from(vec![
        link(&*here, "self", GEOJSON, "GeoJSON"),
        link(format!("{here}?f=html"), "alternate", HTML, "HTML"),
        link(
            collection,
            "collection",
            JSON,
            &*live.collection.id.to_string(),
        ),
    ]);
    out.extend_from_slice(format!(r#","links":{links}}}"#).as_bytes());
    // A condition of a write was about the state before.
    if status == StatusCode::OK && context.is_read {
        return answer::tagged(context, GEOJSON, out, &tag);
    }
    let mut response = answer::untagged(context, GEOJSON, out);
    response.headers_mut().insert(ETAG, tag.header());
    *response.status_mut() = status;
    response
}
