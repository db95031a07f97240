//! Collections (OGC 17-069r4 §7.13 and §7.14).

use axum::extract::State;
use axum::response::Response;
use model::{Collection, Envelope};
use serde_json::{Map, Value as Json, json};
use store::LiveCollection;

use crate::answer;
use crate::app::App;
use crate::common::self_links;
use crate::context::Context;
use crate::html;
use crate::link::{GEOJSON, HTML, JSON, REL_SCHEMA, REL_TILESETS_VECTOR, SCHEMA_JSON, link};
use crate::negotiate::Format;
use crate::problem::Problem;
use crate::segments::Segments;

pub(crate) const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";

/// `GET /collections`
pub(crate) async fn list(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let format = context.wanted.json_or_html(JSON)?;
    let seen = app.sight(&context)?.all();
    if format == Format::Html {
        return answer::page(&context, &html::Collections::new(&context, &seen));
    }
    let collections: Vec<Json> = seen
        .iter()
        .map(|c| collection_json(&context, c, false))
        .collect();
    let body = json!({ "links": self_links(&context, JSON, format), "collections": collections });
    Ok(answer::json(&context, JSON, &body))
}

/// `GET /collections/{id}`
pub(crate) async fn one(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let format = context.wanted.json_or_html(JSON)?;
    let live = app.collection(&context, &id)?;
    match format {
        Format::Html => answer::page(&context, &html::CollectionPage::new(&context, &live)),
        Format::Json => Ok(answer::json(
            &context,
            JSON,
            &collection_json(&context, &live, true),
        )),
    }
}

/// The collection object; `is_document` when it is the whole answer, whose own URL is then the request's.
fn collection_json(context: &Context, live: &LiveCollection, is_document: bool) -> Json {
    let collection = &*live.collection;
    let mut out = Map::new();
    let mut set = |name: &str, value: Json| out.insert(name.to_owned(), value);
    set("id", collection.id.as_str().into());
    set("title", title(context, collection).into());
    let description = collection.description.get(context.lang);
    if !description.is_empty() {
        set("description", description.into());
    }
    if let Some(attribution) = &collection.attribution {
        set("attribution", attribution.as_str().into());
    }
    if let Some(extent) = live.index.extent() {
        set(
            "extent",
            json!({ "spatial": { "bbox": [bbox(&extent)], "crs": CRS84 } }),
        );
    }
    set("itemType", "feature".into());
    set("crs", json!([CRS84]));
    if collection.storage_crs.is_wgs84() {
        // Another storage CRS is not named until `crs` can ask for it (OGC 18-058r1 §6.2: it stands in the list).
        set("storageCrs", CRS84.into());
    }
    set("itemCount", live.index.len().into());
    set(
        "geometryType",
        collection.geometry_type.name().to_ascii_lowercase().into(),
    );
    set("theme", collection.theme.name().into());
    if let Some(label) = &collection.label_property {
        set("labelProperty", label.as_str().into());
    }
    if let Some(licence) = &collection.licence {
        set("license", licence.as_str().into());
    }
    set(
        "tiles",
        json!({ "minzoom": collection.tiles.min_zoom, "maxzoom": collection.tiles.max_zoom }),
    );
    set("links", links(context, collection, is_document).into());
    Json::Object(out)
}

fn links(context: &Context, collection: &Collection, is_document: bool) -> Vec<Json> {
    let text = |key| context.text(key);
    let here = context.url(format_args!("/collections/{}", collection.id));
    let mut links = if is_document {
        self_links(context, JSON, Format::Json)
    } else {
        vec![
            link(&here, "self", JSON, text("server.this-document")),
            link(
                format!("{here}?f=html"),
                "alternate",
                HTML,
                text("server.this-document-html"),
            ),
        ]
    };
    links.extend([
        link(
            format!("{here}/items"),
            "items",
            GEOJSON,
            text("server.items"),
        ),
        link(
            format!("{here}/items?f=html"),
            "items",
            HTML,
            text("server.items-html"),
        ),
        link(
            format!("{here}/schema"),
            REL_SCHEMA,
            SCHEMA_JSON,
            text("server.schema"),
        ),
        link(
            format!("{here}/schema/feature"),
            "describedby",
            SCHEMA_JSON,
            text("server.schema-feature"),
        ),
        link(
            format!("{here}/tiles"),
            REL_TILESETS_VECTOR,
            JSON,
            text("server.tilesets"),
        ),
        link(
            context.url(format_args!("/tiles/{}", collection.id)),
            "related",
            JSON,
            text("server.tilejson"),
        ),
    ]);
    if let Some(licence) = collection
        .licence
        .as_deref()
        .filter(|l| l.starts_with("http://") || l.starts_with("https://"))
    {
        links.push(link(licence, "license", HTML, text("server.licence")));
    }
    links
}

pub(crate) fn title(context: &Context, collection: &Collection) -> String {
    let title = collection.title.get(context.lang);
    if title.is_empty() {
        collection.id.to_string()
    } else {
        title.to_owned()
    }
}

/// West, south, east, north.
pub(crate) fn bbox(envelope: &Envelope) -> [f64; 4] {
    [
        envelope.min[0],
        envelope.min[1],
        envelope.max[0],
        envelope.max[1],
    ]
}
