//! `GET /collections/{id}/items/{featureId}`

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{ETAG, HeaderValue};
use model::Message;
use serde_json::Value as Json;
use store::{Item, LiveCollection};

use super::{feature_id, items};
use crate::answer;
use crate::app::App;
use crate::collections::CRS84;
use crate::conditional::Tag;
use crate::context::Context;
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
    context.params.only(&[])?;
    let format = context.wanted.json_or_html(GEOJSON)?;
    let live = app.collection(&context, &id)?;
    let item = find(&app, &live, &feature).await?;
    app.note_personal(&context, &live, Some(&feature)).await?;
    match format {
        Format::Html => answer::page(&context, &html::ItemPage::new(&context, &live, &item)?),
        Format::Json => answer_with(&context, &live, &item, StatusCode::OK),
    }
}

/// # Errors
/// 404 when the collection has no such feature.
pub(super) async fn find(app: &App, live: &LiveCollection, id: &str) -> Result<Item, Problem> {
    let found = app.store.item(live, id).await?;
    found.ok_or_else(|| {
        let detail = Message::new("server.no-feature")
            .with("id", shown(id))
            .with("collection", &live.collection.id);
        Problem::not_found(detail)
    })
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
    items::write_feature(&mut out, live, &item.feature)?;
    Ok(tag(&out))
}

/// A feature as the answer to a read or a write.
pub(super) fn answer_with(
    context: &Context,
    live: &LiveCollection,
    item: &Item,
    status: StatusCode,
) -> Result<Response, Problem> {
    let mut out = Vec::with_capacity(1024);
    items::write_feature(&mut out, live, &item.feature)?;
    let tag = tag(&out);
    // The links go into the object before its closing brace.
    out.pop();
    let collection = context.url(format_args!("/collections/{}", live.collection.id));
    let here = format!(
        "{collection}/items/{}",
        segment(&feature_id(&live.collection, &item.feature).to_string())
    );
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
    let mut response = match status {
        // A condition of a write was about the state before.
        StatusCode::OK if context.is_read => answer::tagged(context, GEOJSON, out, &tag),
        _ => {
            let mut response = answer::untagged(context, GEOJSON, out);
            response.headers_mut().insert(ETAG, tag.header());
            response
        }
    };
    if response.status() == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    *response.status_mut() = status;
    if let Ok(crs) = HeaderValue::try_from(format!("<{CRS84}>")) {
        response.headers_mut().insert("content-crs", crs);
    }
    Ok(response)
}
