//! Collections (OGC 17-069r4 §7.13 and §7.14).

use axum::extract::State;
use axum::response::Response;
use model::{Collection, Envelope, Lang};
use serde_json::{Map, Value as Json, json};
use spatial::crs::Operation;
use store::LiveCollection;

use crate::app::App;
use crate::common::self_links;
use crate::context::Context;
use crate::crs::{self, CRS84};
use crate::features::output::FORMATS;
use crate::html;
use crate::link::{
    GEOJSON, HTML, JSON, REL_QUERYABLES, REL_SCHEMA, REL_SORTABLES, REL_TILESETS_VECTOR,
    SCHEMA_JSON, link,
};
use crate::negotiate::Format;
use crate::problem::Problem;
use crate::segments::Segments;
use crate::{answer, bulk};

/// `GET /collections`
pub(crate) async fn list(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let format = context.wanted.json_or_html(JSON)?;
    let sight = app.sight(&context)?;
    let seen = sight.all();
    if format == Format::Html {
        return answer::page(&context, &html::Collections::new(&context, &seen));
    }
    let collections: Vec<Json> = seen
        .iter()
        .map(|c| {
            let is_whole = sight.may_export(c.collection.id.as_str());
            collection_json(&context, c, is_whole, false)
        })
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
    let sight = app.sight(&context)?;
    let live = sight.require(&id)?;
    let document = collection_json(&context, &live, sight.may_export(&id), true);
    match format {
        Format::Html => {
            let page = html::CollectionPage::new(&context, &live, &document);
            answer::page(&context, &page)
        }
        Format::Json => Ok(answer::json(&context, JSON, &document)),
    }
}

/// The collection object; `is_whole` when it may be taken out whole, `is_document` when the object is the whole answer, whose
/// own URL is then the request's.
fn collection_json(
    context: &Context,
    live: &LiveCollection,
    is_whole: bool,
    is_document: bool,
) -> Json {
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
            json!({ "spatial": { "bbox": [self::extent(&extent)], "crs": CRS84 } }),
        );
    }
    set("itemType", "feature".into());
    let offered = crs::offered(live);
    let uris: Vec<Json> = offered.iter().map(|c| c.uri(context).into()).collect();
    set("crs", uris.into());
    set("storageCrs", crs::storage(live).uri(context).into());
    if let Some(operation) = spatial::crs::operation(collection.storage_crs) {
        set("datumOperation", operation_json(&operation));
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
    let mut links = links(context, collection, is_document);
    if is_whole {
        links.extend(bulk::offered(live).map(|format| {
            let id = &collection.id;
            let file = format_args!("/collections/{id}/files/{id}.{}", format.extension());
            let title = format!("{} ({})", context.text("server.whole-file"), format.name());
            link(context.url(file), "enclosure", format.media_type(), title)
        }));
    }
    set("links", links.into());
    Json::Object(out)
}

/// What leads from the datum of the storage CRS to WGS 84, and how well: an extension, as Part 2 names no operations.
fn operation_json(operation: &Operation) -> Json {
    let mut out = Map::new();
    out.insert("name".to_owned(), operation.name.as_str().into());
    let uri =
        |code: &u32| format!("http://www.opengis.net/def/coordinateOperation/EPSG/0/{code}").into();
    let ids: Vec<Json> = operation.codes.iter().map(uri).collect();
    if !ids.is_empty() {
        out.insert("ids".to_owned(), ids.into());
    }
    if let Some(accuracy) = operation.accuracy {
        out.insert("accuracy".to_owned(), accuracy.into());
    }
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
    let others = FORMATS.iter().skip(1).map(|format| {
        let href = format!("{here}/items?f={}", format.name());
        let title = format!("{} ({})", text("server.items"), format.name());
        link(href, "items", format.media_type(), title)
    });
    let others: Vec<Json> = others.collect();
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
            format!("{here}/queryables"),
            REL_QUERYABLES,
            SCHEMA_JSON,
            text("server.queryables"),
        ),
        link(
            format!("{here}/sortables"),
            REL_SORTABLES,
            SCHEMA_JSON,
            text("server.sortables"),
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
    links.extend(others);
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
    title_in(context.lang, collection)
}

/// The title in a language; the id where there is none.
pub(crate) fn title_in(lang: Lang, collection: &Collection) -> String {
    let title = collection.title.get(lang);
    if title.is_empty() {
        collection.id.to_string()
    } else {
        title.to_owned()
    }
}

/// The extent of a collection as it is published: a centimetre or two beyond what there is, so that a client that rounds it, or takes it
/// through another CRS, still gets what lies on its edge. Whole centimetres alone would not do: data are often kept in such.
pub(crate) fn extent(envelope: &Envelope) -> [f64; 4] {
    const STEPS: f64 = 1e7;
    let [west, south, east, north] = bbox(envelope).map(|n| n * STEPS);
    [
        ((west.floor() - 1.0) / STEPS).max(-180.0),
        ((south.floor() - 1.0) / STEPS).max(-90.0),
        ((east.ceil() + 1.0) / STEPS).min(180.0),
        ((north.ceil() + 1.0) / STEPS).min(90.0),
    ]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_is_published_a_centimetre_beyond_and_within_the_world() {
        let of = |min, max| extent(&Envelope { min, max });
        let town = of([24.12345678, 48.00000001], [24.98765432, 49.5]);
        assert_eq!(town, [24.1234566, 47.9999999, 24.9876545, 49.5000001]);
        let west = of([-24.12345678, -48.00000001], [-24.0, -47.98765432]);
        assert_eq!(west, [-24.1234569, -48.0000002, -23.9999999, -47.9876542]);
        let world = of([-180.0, -90.0], [180.0, 90.0]);
        assert_eq!(world, [-180.0, -90.0, 180.0, 90.0]);
    }
}
