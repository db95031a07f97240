//! `GET /collections/{id}/items/{featureId}`

use axum::extract::State;
use axum::response::Response;
use formats::Format;
use hyper::StatusCode;
use hyper::header::ETAG;
use model::Message;
use serde_json::Value as Json;
use store::{Item, ItemKey, LiveCollection};

use super::output::{self, Output};
use super::query::{self, Asked, OF_ONE};
use super::{feature_id, items, versions};
use crate::answer;
use crate::app::App;
use crate::conditional::Tag;
use crate::context::Context;
use crate::crs::Reference;
use crate::html;
use crate::link::{HTML, JSON, link, segment};
use crate::problem::{Problem, shown};
use crate::segments::Segments;

/// Parameters that ask for the feature as it was; the second is that of the proposal for versioned features.
const WHEN: [&str; 2] = ["as-of", "datetime"];

/// `GET /collections/{id}/items/{featureId}`
pub(crate) async fn get(
    State(app): State<App>,
    context: Context,
    Segments([id, feature]): Segments<[String; 2]>,
) -> Result<Response, Problem> {
    context
        .params
        .only_where(&OF_ONE, |name| WHEN.contains(&name))?;
    let output = Output::wanted_of_one(&context)?;
    let live = app.collection(&context, &id)?;
    if let Some(when) = WHEN.iter().find_map(|name| context.params.get(name)) {
        return versions::memento(&app, &context, &live, &feature, when, output).await;
    }
    let asked = query::of_answer(&context.params, &live)?;
    let crs = asked.crs;
    let Output::Features(format) = output else {
        let item = find(&app, &live, &feature).await?;
        app.note_personal(&context, &live, Some(&feature)).await?;
        return page(&context, &live, &item);
    };
    let encoded = match format == Format::GeoJson && asked.is_plain() {
        true => fragment(&app, &live, &feature, crs).await?,
        false => written(&app, &context, &live, &feature, format, &asked).await?,
    };
    app.note_personal(&context, &live, Some(&feature)).await?;
    let address = |f: Option<&str>| context.url_with(&[("f", f)]);
    let mut response = answer(&context, &live, encoded, address, format, StatusCode::OK);
    items::name_crs(&context, &mut response, crs);
    Ok(response)
}

/// The page of a feature.
pub(super) fn page(
    context: &Context,
    live: &LiveCollection,
    item: &Item,
) -> Result<Response, Problem> {
    let address = |f: Option<&str>| context.url_with(&[("f", f)]);
    let links = links(context, live, address, Format::GeoJson);
    let page = html::ItemPage::new(context, live, item, &links)?;
    answer::page(context, &page)
}

/// A feature in another format, or as the parameters change it.
async fn written(
    app: &App,
    context: &Context,
    live: &LiveCollection,
    id: &str,
    format: Format,
    asked: &Asked,
) -> Result<Vec<u8>, Problem> {
    let item = find(app, live, id).await?;
    encoded(app, context, live, item, format, asked)
}

/// As [`written`], of a feature that was read.
pub(super) fn encoded(
    app: &App,
    context: &Context,
    live: &LiveCollection,
    item: Item,
    format: Format,
    asked: &Asked,
) -> Result<Vec<u8>, Problem> {
    let feature = match asked.zoom {
        Some(zoom) => query::simplified(&app.store, item.feature, zoom, asked.crs.crs),
        None => app.store.in_crs(item.feature, asked.crs.crs),
    };
    let mut out = Vec::with_capacity(1024);
    let id = feature_id(&live.collection, &feature);
    output::stream(context, live, format, asked)?
        .single(&mut out, &id, &feature, None, "")
        .map_err(Problem::internal)?;
    Ok(out)
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

pub(super) fn missing(live: &LiveCollection, id: &str) -> Problem {
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
    app: &App,
    context: &Context,
    live: &LiveCollection,
    item: Item,
    status: StatusCode,
) -> Result<Response, Problem> {
    // It is written: who accepts nothing of what there is gets it as GeoJSON all the same.
    let format = match Output::wanted_of_one(context) {
        Ok(Output::Features(format)) => format,
        _ => Format::GeoJson,
    };
    let mut out = Vec::with_capacity(1024);
    items::write_feature(&mut out, live, &item.feature, Reference::CRS84)?;
    let own = tag(&out);
    let id = feature_id(&live.collection, &item.feature).to_string();
    let here = format!("/collections/{}/items/{}", live.collection.id, segment(&id));
    let here = context.url(here);
    let address = |f: Option<&str>| match f {
        None => here.clone(),
        Some(f) => format!("{here}?f={f}"),
    };
    if format != Format::GeoJson {
        let asked = query::of_answer(&context.params, live)?;
        out = encoded(app, context, live, item, format, &asked)?;
    }
    let mut response = answer(context, live, out, address, format, status);
    // Of the data, whatever the format: what a condition names.
    response.headers_mut().insert(ETAG, own.header());
    items::name_crs(context, &mut response, Reference::CRS84);
    Ok(response)
}

/// The answer with a feature that is written already, as it was at some moment.
pub(super) fn of_bytes(
    context: &Context,
    live: &LiveCollection,
    out: Vec<u8>,
    address: impl Fn(Option<&str>) -> String,
    format: Format,
) -> Response {
    answer(context, live, out, address, format, StatusCode::OK)
}

/// The answer with a feature that is written already; `address` is where it is, with a value of `f` or without.
fn answer(
    context: &Context,
    live: &LiveCollection,
    mut out: Vec<u8>,
    address: impl Fn(Option<&str>) -> String,
    format: Format,
    status: StatusCode,
) -> Response {
    let tag = tag(&out);
    // The links go into the object before its closing brace.
    out.pop();
    let links = Json::from(links(context, live, address, format));
    out.extend_from_slice(format!(r#","links":{links}}}"#).as_bytes());
    // A condition of a write was about the state before.
    let media_type = format.media_type();
    if status == StatusCode::OK && context.is_read {
        return answer::tagged(context, media_type, out, &tag);
    }
    let mut response = answer::untagged(context, media_type, out);
    response.headers_mut().insert(ETAG, tag.header());
    *response.status_mut() = status;
    response
}

/// The links of a feature; `address` is where it is, with a value of `f` or without.
fn links(
    context: &Context,
    live: &LiveCollection,
    address: impl Fn(Option<&str>) -> String,
    format: Format,
) -> Vec<Json> {
    let collection = context.url(format_args!("/collections/{}", live.collection.id));
    // Titles would differ by language, and the strong tag says that the bytes are the same.
    let (own, other) = match format {
        Format::JsonFg => (address(Some(format.name())), Format::GeoJson),
        _ => (address(None), Format::JsonFg),
    };
    let as_link = |href, rel, format: Format| {
        let title = match format {
            Format::JsonFg => "JSON-FG",
            _ => "GeoJSON",
        };
        link(href, rel, format.media_type(), title)
    };
    vec![
        as_link(own, "self", format),
        as_link(address(Some(other.name())), "alternate", other),
        link(address(Some("html")), "alternate", HTML, "HTML"),
        link(collection, "collection", JSON, live.collection.id.as_str()),
    ]
}
