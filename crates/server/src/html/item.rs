//! A page of features, and one of them.

use askama::Template;
use formats::Format;
use model::{Feature, Property, PropertyType, Value};
use serde_json::Value as Json;
use store::{Item, LiveCollection, Page};

use super::collection::{geometry_key, is_url, map};
use super::values::text_and_unit;
use super::{Frame, Map};
use crate::collections::{bbox, title};
use crate::context::Context;
use crate::features::feature_id;
use crate::features::output::self_links;
use crate::link::segment;
use crate::problem::Problem;
use crate::search::plain;

/// Columns of the table at most: what a screen shows; the rest is on the page of the feature.
const MAX_COLUMNS: usize = 8;

#[derive(Template)]
#[template(path = "items.html")]
pub(crate) struct ItemsPage {
    frame: Frame,
    matched: u64,
    returned: u64,
    /// The head of the column that leads to the features: where the label is the id, it stands there once.
    id_title: String,
    columns: Vec<Column>,
    rows: Vec<ItemRow>,
    first: Option<String>,
    next: Option<String>,
    map: Option<Map>,
}

pub(crate) struct Column {
    title: String,
    is_number: bool,
}

pub(crate) struct ItemRow {
    id: String,
    href: String,
    cells: Vec<Cell>,
}

/// Letters from which a cell of the table may be cut: its whole text is then in its title too.
const LONG_TEXT: usize = 40;

/// A value as people read it.
pub(crate) struct Cell {
    text: String,
    unit: String,
    is_url: bool,
    is_number: bool,
}

impl ItemsPage {
    /// `next`: the query of the next page.
    pub(crate) fn new(
        context: &Context,
        live: &LiveCollection,
        page: &Page,
        next: Option<String>,
    ) -> Self {
        let collection = &*live.collection;
        let at = format!("/collections/{}", collection.id);
        let steps = [
            (
                context.text("server.collections"),
                "/collections".to_owned(),
            ),
            (title(context, collection), at.clone()),
        ];
        let name = title(context, collection);
        let heading = format!("{name}: {}", context.text("server.items-title"));
        let mut frame = Frame::new(context, heading, &steps);
        frame.show_links(&self_links(context, Format::GeoJson));
        let mut columns = columns(live);
        let is_label =
            collection.id_property.is_some() && collection.id_property == collection.label_property;
        let label = is_label.then(|| columns.remove(0));
        let id_title = label.map_or("id".to_owned(), |p| {
            property_title(context, &collection.schema.properties[p])
        });
        let rows = page
            .features
            .iter()
            .map(|f| row(&frame, live, &columns, f))
            .collect();
        let here = format!("{}{}", context.root, context.path);
        // As many as the table has: left to itself, JSON gives longer pages.
        let shown = page.features.len().max(1).to_string();
        let geojson = format!(
            "{}{}",
            context.path,
            context.query_with(&[
                ("f", Some("json")),
                ("limit", Some(&shown)),
                // The map draws longitude/latitude, and what it draws is geometry.
                ("crs", None),
                ("skipGeometry", None),
            ])
        );
        let keys = page
            .features
            .iter()
            .filter_map(|f| live.index.get(f.fid)?.envelope());
        let extent = keys.reduce(model::Envelope::union);
        let map = map(context, live, extent, Some(&geojson));
        frame.has_map = map.is_some();
        Self {
            matched: page.number_matched,
            returned: page.features.len() as u64,
            columns: columns
                .iter()
                .map(|c| column(context, &collection.schema.properties[*c]))
                .collect(),
            id_title,
            rows,
            first: context
                .params
                .get("cursor")
                .is_some()
                .then(|| format!("{here}{}", context.query_with(&[("cursor", None)]))),
            next: next.map(|query| format!("{here}{query}")),
            map,
            frame,
        }
    }
}

fn column(context: &Context, property: &Property) -> Column {
    let is_quantity = matches!(property.kind, PropertyType::Integer | PropertyType::Real);
    Column {
        title: property_title(context, property),
        is_number: is_quantity && property.values.is_empty(),
    }
}

/// The label first, then the others in their order.
fn columns(live: &LiveCollection) -> Vec<usize> {
    let schema = &live.collection.schema;
    let label = live
        .collection
        .label_property
        .as_ref()
        .and_then(|name| schema.position(name));
    let others = (0..schema.properties.len()).filter(|p| Some(*p) != label);
    label.into_iter().chain(others).take(MAX_COLUMNS).collect()
}

fn row(frame: &Frame, live: &LiveCollection, columns: &[usize], feature: &Feature) -> ItemRow {
    let collection = &live.collection;
    let id = feature_id(collection, feature).to_string();
    let cells = columns
        .iter()
        .map(|c| {
            cell(
                frame,
                &collection.schema.properties[*c],
                &feature.properties[*c],
            )
        })
        .collect();
    ItemRow {
        href: frame.href(&format!(
            "/collections/{}/items/{}",
            collection.id,
            segment(&id)
        )),
        id,
        cells,
    }
}

fn cell(frame: &Frame, property: &Property, value: &Value) -> Cell {
    let text = plain(value);
    let known = property
        .values
        .iter()
        .find(|v| v.value == text)
        .map(|v| v.title.get(frame.context.lang));
    let (shown, unit) = match value {
        Value::Boolean(true) => (frame.t("server.yes"), String::new()),
        Value::Boolean(false) => (frame.t("server.no"), String::new()),
        _ => match known.filter(|t| !t.is_empty()) {
            Some(title) if title == text => (text, String::new()),
            Some(title) => (format!("{title} ({text})"), String::new()),
            None => text_and_unit(value, property, frame.context.lang),
        },
    };
    Cell {
        is_url: is_url(&shown),
        is_number: matches!(value, Value::Integer(_) | Value::Real(_)) && known.is_none(),
        text: shown,
        unit,
    }
}

impl Cell {
    fn is_long(&self) -> bool {
        self.text.chars().count() > LONG_TEXT
    }
}

fn property_title(context: &Context, property: &Property) -> String {
    let title = property
        .title
        .as_ref()
        .map(|t| t.get(context.lang))
        .filter(|t| !t.is_empty());
    title.unwrap_or(&property.name).to_owned()
}

#[derive(Template)]
#[template(path = "item.html")]
pub(crate) struct ItemPage {
    frame: Frame,
    rows: Vec<(String, Cell)>,
    geometry: String,
    extent: Option<String>,
    attribution: Option<String>,
    map: Option<Map>,
    on_map: String,
}

impl ItemPage {
    /// # Errors
    /// 500 when the stored geometry can't be read.
    pub(crate) fn new(
        context: &Context,
        live: &LiveCollection,
        item: &Item,
        links: &[Json],
    ) -> Result<Self, Problem> {
        let collection = &*live.collection;
        let feature = &item.feature;
        let id = feature_id(collection, feature).to_string();
        let label = collection
            .label_property
            .as_ref()
            .and_then(|name| collection.schema.position(name));
        let label = label
            .map(|p| plain(&feature.properties[p]))
            .filter(|l| !l.is_empty());
        let at = format!("/collections/{}", collection.id);
        let steps = [
            (
                context.text("server.collections"),
                "/collections".to_owned(),
            ),
            (title(context, collection), at.clone()),
            (context.text("server.items"), format!("{at}/items")),
        ];
        let mut frame = Frame::new(context, label.unwrap_or_else(|| id.clone()), &steps);
        frame.show_links(links);
        let header = feature
            .geometry
            .as_deref()
            .map(formats::wkb::check)
            .transpose()
            .map_err(Problem::internal)?;
        let envelope = header.as_ref().and_then(|h| h.envelope);
        let kind = header.map_or("server.geometry-none", |h| geometry_key(h.geometry_type));
        let geojson = format!("{at}/items/{}?f=json", segment(&id));
        let map = map(context, live, envelope, Some(&geojson));
        frame.has_map = map.is_some();
        let properties = collection.schema.properties.iter().zip(&feature.properties);
        Ok(Self {
            rows: properties
                .map(|(p, v)| (property_title(context, p), cell(&frame, p, v)))
                .collect(),
            geometry: context.text(kind),
            extent: envelope.map(|e| bbox(&e).map(|n| format!("{n:.6}")).join(", ")),
            attribution: collection.attribution.clone(),
            map,
            on_map: format!(
                "{}/app/#{}sel={}/{}&lang={}",
                context.root,
                envelope.map_or(String::new(), |e| place(&e)),
                segment(collection.id.as_str()),
                segment(&id),
                context.lang.tag()
            ),
            frame,
        })
    }
}

/// The part of the map's address that brings a box into view: zoom, latitude, longitude.
fn place(envelope: &model::Envelope) -> String {
    /// Pixels that the box takes of the screen; the map's world is 512 pixels wide at zoom 0.
    const WANTED: f64 = 320.0;
    const WORLD: f64 = 512.0;
    let [x, y] = [0, 1].map(|i| f64::midpoint(envelope.min[i], envelope.max[i]));
    let [width, height] = [0, 1].map(|i| envelope.max[i] - envelope.min[i]);
    let span = width.max(height / y.to_radians().cos().max(0.01));
    let zoom = (WANTED * 360.0 / (WORLD * span)).log2().clamp(1.0, 18.0);
    format!("map={zoom:.2}/{y:.6}/{x:.6}&")
}
