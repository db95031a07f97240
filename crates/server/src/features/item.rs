//! `GET /collections/{id}/items/{featureId}`

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::HeaderValue;
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
    let live = app.collection(&id)?;
    let item = find(&app, &live, &feature).await?;
    match format {
        Format::Html => {
            let tag = answer::tag(&app, &context, format, (item.version.0, live.definition));
            if let Some(unchanged) = answer::unchanged(&context, &tag) {
                return Ok(unchanged);
            }
            answer::page(
                &context,
                &html::ItemPage::new(&context, &live, &item)?,
                &tag,
            )
        }
        Format::Json => {
            let tag = Tag::version(&app.store.epoch(), item.version);
            if let Some(unchanged) = answer::unchanged(&context, &tag) {
                return Ok(unchanged);
            }
            answer_with(&app, &context, &live, &item, StatusCode::OK)
        }
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

/// A feature as the answer to a read or a write.
pub(super) fn answer_with(
    app: &App,
    context: &Context,
    live: &LiveCollection,
    item: &Item,
    status: StatusCode,
) -> Result<Response, Problem> {
    let mut out = Vec::with_capacity(1024);
    items::write_feature(&mut out, live, &item.feature)?;
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
    let tag = Tag::version(&app.store.epoch(), item.version);
    let mut response = answer::bytes(context, GEOJSON, out, &tag);
    *response.status_mut() = status;
    if let Ok(crs) = HeaderValue::try_from(format!("<{CRS84}>")) {
        response.headers_mut().insert("content-crs", crs);
    }
    Ok(response)
}
