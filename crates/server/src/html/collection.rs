//! The list of collections, and one of them.

use askama::Template;
use serde_json::Value as Json;
use store::LiveCollection;

use super::values::unit_text;
use super::{Frame, Map};
use crate::collections::{bbox, title};
use crate::context::Context;

#[derive(Template)]
#[template(path = "collections.html")]
pub(crate) struct Collections {
    frame: Frame,
    themes: Vec<ThemeRows>,
}

/// The collections of one theme.
pub(crate) struct ThemeRows {
    title: String,
    rows: Vec<Row>,
}

pub(crate) struct Row {
    href: String,
    title: String,
    description: String,
    items: u64,
}

impl Collections {
    pub(crate) fn new(context: &Context, seen: &[LiveCollection]) -> Self {
        let frame = Frame::new(context, context.text("server.collections"), &[]);
        let of = |theme: model::Theme| {
            let rows: Vec<Row> = seen
                .iter()
                .filter(|c| c.collection.theme == theme)
                .map(|c| Row {
                    href: frame.href(&format!("/collections/{}", c.collection.id)),
                    title: title(context, &c.collection),
                    description: c.collection.description.get(context.lang).to_owned(),
                    items: c.index.len() as u64,
                })
                .collect();
            ThemeRows {
                title: context.text(theme_key(theme)),
                rows,
            }
        };
        let themes = model::Theme::ALL
            .into_iter()
            .map(of)
            .filter(|t| !t.rows.is_empty())
            .collect();
        Self { frame, themes }
    }
}

fn theme_key(theme: model::Theme) -> &'static str {
    use model::Theme;
    match theme {
        Theme::Cadastre => "server.theme-cadastre",
        Theme::Zoning => "server.theme-zoning",
        Theme::Networks => "server.theme-networks",
        Theme::Addresses => "server.theme-addresses",
        Theme::Transport => "server.theme-transport",
        Theme::Boundaries => "server.theme-boundaries",
        Theme::Other => "server.theme-other",
    }
}

#[derive(Template)]
#[template(path = "collection.html")]
pub(crate) struct CollectionPage {
    frame: Frame,
    id: String,
    description: String,
    items: u64,
    items_href: String,
    theme: String,
    geometry: String,
    extent: Option<String>,
    storage_crs: String,
    /// What features are offered in.
    crs: Vec<String>,
    licence: Option<String>,
    /// Whether the licence is a link.
    licence_is_url: bool,
    attribution: Option<String>,
    properties: Vec<PropertyRow>,
    tilejson: String,
    map: Option<Map>,
}

pub(crate) struct PropertyRow {
    name: String,
    title: String,
    kind: String,
    unit: String,
    values: Vec<String>,
}

impl CollectionPage {
    /// `document` is the collection in JSON.
    pub(crate) fn new(context: &Context, live: &LiveCollection, document: &Json) -> Self {
        let texts = |name: &str| {
            let list = document[name].as_array().into_iter().flatten();
            list.filter_map(|one| one.as_str().map(str::to_owned))
                .collect()
        };
        let collection = &*live.collection;
        let id = collection.id.to_string();
        let steps = [(
            context.text("server.collections"),
            "/collections".to_owned(),
        )];
        let mut frame = Frame::new(context, title(context, collection), &steps);
        frame.show_links(document["links"].as_array().map_or(&[], Vec::as_slice));
        let extent = live.index.extent();
        frame.has_map = extent.is_some();
        let numbers = extent.map(|e| bbox(&e).map(|n| format!("{n:.6}")).join(", "));
        Self {
            description: collection.description.get(context.lang).to_owned(),
            items: live.index.len() as u64,
            items_href: frame.href(&format!("/collections/{id}/items")),
            theme: context.text(theme_key(collection.theme)),
            geometry: context.text(geometry_key(collection.geometry_type)),
            extent: numbers,
            storage_crs: collection.storage_crs.to_string(),
            crs: texts("crs"),
            licence: collection.licence.clone(),
            licence_is_url: collection.licence.as_deref().is_some_and(is_url),
            attribution: collection.attribution.clone(),
            properties: collection
                .schema
                .properties
                .iter()
                .map(|p| property_row(context, p))
                .collect(),
            tilejson: format!("{}/tiles/{id}", context.root),
            map: map(context, live, extent, None),
            frame,
            id,
        }
    }
}

/// The map of a page; `None` when there is no place to show.
pub(super) fn map(
    context: &Context,
    live: &LiveCollection,
    extent: Option<model::Envelope>,
    geojson: Option<&str>,
) -> Option<Map> {
    let extent = extent?;
    let id = &live.collection.id;
    Some(Map {
        collection: id.to_string(),
        geojson: geojson.map(|path| format!("{}{path}", context.root)),
        bbox: bbox(&extent).map(|n| n.to_string()).join(","),
        tiles: format!("{}/tiles/{id}", context.root),
    })
}

fn property_row(context: &Context, property: &model::Property) -> PropertyRow {
    let kind = match property.kind {
        model::PropertyType::Boolean => "server.type-boolean",
        model::PropertyType::Integer => "server.type-integer",
        model::PropertyType::Real => "server.type-real",
        model::PropertyType::Text => "server.type-text",
        model::PropertyType::Date => "server.type-date",
        model::PropertyType::DateTime => "server.type-datetime",
    };
    let value = |v: &model::Enumerated| {
        let title = v.title.get(context.lang);
        if title.is_empty() || title == v.value {
            v.value.clone()
        } else {
            format!("{} – {title}", v.value)
        }
    };
    PropertyRow {
        name: property.name.clone(),
        title: property
            .title
            .as_ref()
            .map_or(String::new(), |t| t.get(context.lang).to_owned()),
        kind: context.text(kind),
        unit: unit_text(property.unit.as_deref(), context.lang),
        values: property.values.iter().map(value).collect(),
    }
}

pub(super) fn geometry_key(kind: model::GeometryType) -> &'static str {
    use model::GeometryType;
    match kind {
        GeometryType::Geometry | GeometryType::GeometryCollection => "server.geometry-mixed",
        GeometryType::Point => "server.geometry-point",
        GeometryType::LineString => "server.geometry-line",
        GeometryType::Polygon => "server.geometry-polygon",
        GeometryType::MultiPoint => "server.geometry-multipoint",
        GeometryType::MultiLineString => "server.geometry-multiline",
        GeometryType::MultiPolygon => "server.geometry-multipolygon",
    }
}

pub(super) fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}
