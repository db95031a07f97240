//! What is known about tiles: TileJSON 3.0, tilesets and the tile matrix set (OGC 20-057, OGC 17-083r4).

use std::ops::RangeInclusive;

use axum::extract::State;
use axum::response::Response;
use model::{Envelope, GeometryType, Lang, PropertyType};
use serde_json::{Map, Value as Json, json};
use store::LiveCollection;

use crate::answer;
use crate::app::App;
use crate::collections::{self, title, title_in};
use crate::context::Context;
use crate::crs::CRS84;
use crate::layers::{self, selected};
use crate::limits::MAX_TILE_COLLECTIONS;
use crate::link::{JSON, MVT, REL_STYLES, REL_TILING_SCHEME, link, query_text};
use crate::matrix_sets::{self, MatrixSet};
use crate::moment;
use crate::problem::Problem;
use crate::segments::Segments;
use crate::served_archives;

/// `GET /tiles/{collections}`: TileJSON 3.0.0; `GET /tiles/{tileMatrixSetId}`: the tileset of all collections
pub(crate) async fn tilejson(
    State(app): State<App>,
    context: Context,
    Segments(ids): Segments<String>,
) -> Result<Response, Problem> {
    // No collection has the id of a tile matrix set: theirs have no capital letters.
    if let Some(set) = matrix_sets::named(&ids) {
        return dataset_tileset(&app, &context, set);
    }
    if let Some(archive) = app.archive(&context, &ids) {
        context.params.only(&[])?;
        context.wanted.json(JSON)?;
        let json = served_archives::tilejson(&context, archive).await?;
        return Ok(answer::json(&context, JSON, &json));
    }
    context.params.only(&layers::PARAMETERS)?;
    context.wanted.json(JSON)?;
    let sight = app.sight(&context)?;
    let layers = selected(&sight, &ids, MAX_TILE_COLLECTIONS)?;
    layers::check(&context, &layers)?;
    if let Some(text) = context.params.get("as-of") {
        moment::instant(text)?;
    }
    Ok(answer::json(
        &context,
        JSON,
        &tilejson_json(&context, &layers),
    ))
}

fn tilejson_json(context: &Context, layers: &[LiveCollection]) -> Json {
    let zooms = zooms(layers);
    let ids: Vec<&str> = layers.iter().map(|l| l.collection.id.as_str()).collect();
    let titles: Vec<String> = layers
        .iter()
        .map(|l| title(context, &l.collection))
        .collect();
    // Tiles are asked for as their description was.
    let mut query = String::new();
    for name in layers::PARAMETERS {
        if let Some(text) = context.params.get(name) {
            query.push(if query.is_empty() { '?' } else { '&' });
            query.push_str(&format!("{name}={}", query_text(text)));
        }
    }
    let asked = context.params.get("properties");
    let mut out = json!({
        "tilejson": "3.0.0",
        "name": titles.join(", "),
        "scheme": "xyz",
        "tiles": [context.url(format_args!("/tiles/{}/{{z}}/{{x}}/{{y}}{query}", ids.join(",")))],
        "minzoom": zooms.start(),
        "maxzoom": zooms.end(),
        "attribution": attribution(layers),
        "vector_layers": layers.iter().map(|l| vector_layer(context.lang, l, asked)).collect::<Vec<_>>(),
    });
    if let Some(extent) = extent(layers) {
        let [x, y] = extent.center();
        out["bounds"] = json!(collections::extent(&extent));
        out["center"] = json!([x, y, *zooms.start()]);
    }
    out
}

/// Whom the collections are owed to, each named once where they follow each other.
pub(crate) fn attribution(layers: &[LiveCollection]) -> String {
    let mut attributions: Vec<&str> = layers
        .iter()
        .filter_map(|l| l.collection.attribution.as_deref())
        .collect();
    attributions.dedup();
    attributions.join("; ")
}

/// What TileJSON says of a layer (3.0.0 §3.3). `asked`: names of properties, where a request chooses them.
pub(crate) fn vector_layer(lang: Lang, live: &LiveCollection, asked: Option<&str>) -> Json {
    let collection = &live.collection;
    let shown = |name: &str| match (asked, &collection.tiles.properties) {
        (Some(names), _) => names.split(',').any(|n| n.trim() == name),
        (None, Some(names)) => names.iter().any(|n| n == name),
        (None, None) => true,
    };
    let fields: Map<String, Json> = collection
        .schema
        .properties
        .iter()
        .filter(|p| shown(&p.name))
        .map(|p| {
            let kind = match p.kind {
                PropertyType::Boolean => "Boolean",
                PropertyType::Integer | PropertyType::Real => "Number",
                PropertyType::Text | PropertyType::Date | PropertyType::DateTime => "String",
            };
            (p.name.clone(), kind.into())
        })
        .collect();
    json!({
        "id": collection.id.as_str(),
        "description": title_in(lang, collection),
        "minzoom": collection.tiles.min_zoom,
        "maxzoom": collection.tiles.max_zoom,
        "fields": fields,
    })
}

/// `GET /tiles`: the tilesets of all collections together
pub(crate) async fn of_dataset(
    State(app): State<App>,
    context: Context,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let layers = app.sight(&context)?.all();
    list(&context, &layers, "/tiles", None)
}

/// `GET /tiles/{tileMatrixSetId}?collections=a,b`
fn dataset_tileset(
    app: &App,
    context: &Context,
    set: &'static MatrixSet,
) -> Result<Response, Problem> {
    context.params.only(&["collections"])?;
    let sight = app.sight(context)?;
    let chosen = context.params.get("collections");
    let layers = match chosen {
        Some(ids) => selected(&sight, ids, MAX_TILE_COLLECTIONS)?,
        None => sight.all(),
    };
    one(context, set, &layers, "/tiles", chosen)
}

/// `GET /collections/{id}/tiles`
pub(crate) async fn of_collection(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let live = app.collection(&context, &id)?;
    let at = format!("/collections/{id}/tiles");
    list(&context, std::slice::from_ref(&live), &at, None)
}

/// `GET /collections/{id}/tiles/{tileMatrixSetId}`
pub(crate) async fn collection_tileset(
    State(app): State<App>,
    context: Context,
    Segments([id, set]): Segments<[String; 2]>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let live = app.collection(&context, &id)?;
    let set = matrix_sets::require(&set)?;
    let at = format!("/collections/{id}/tiles");
    one(&context, set, std::slice::from_ref(&live), &at, None)
}

/// All tilesets. The official suite reads limits and tile templates in the items themselves, so whole tilesets stand there.
fn list(
    context: &Context,
    layers: &[LiveCollection],
    at: &str,
    chosen: Option<&str>,
) -> Result<Response, Problem> {
    answer(context, || {
        let own = link(
            context.url(at),
            "self",
            JSON,
            context.text("server.tilesets"),
        );
        // One that has no tile of these is of no use to anybody.
        let sets = matrix_sets::all().iter();
        let sets =
            sets.filter(|set| matrix_sets::usual().id == set.id || !limits(set, layers).is_empty());
        let tilesets: Vec<Json> = sets
            .map(|set| tileset(context, set, layers, at, chosen))
            .collect();
        json!({ "links": [own], "tilesets": tilesets })
    })
}

fn one(
    context: &Context,
    set: &MatrixSet,
    layers: &[LiveCollection],
    at: &str,
    chosen: Option<&str>,
) -> Result<Response, Problem> {
    answer(context, || tileset(context, set, layers, at, chosen))
}

fn answer(context: &Context, make: impl FnOnce() -> Json) -> Result<Response, Problem> {
    context.wanted.json(JSON)?;
    Ok(answer::json(context, JSON, &make()))
}

/// Tileset metadata (OGC 17-083r4 §9). `tileMatrixSetId` is not in the standard; the official suite reads it.
fn tileset(
    context: &Context,
    set: &MatrixSet,
    layers: &[LiveCollection],
    at: &str,
    chosen: Option<&str>,
) -> Json {
    let query = chosen
        .map(|ids| format!("?collections={}", query_text(ids)))
        .unwrap_or_default();
    let here = format!("{at}/{}", set.id);
    let definition = context.url(format_args!("/tileMatrixSets/{}", set.id));
    let template = context.url(format_args!(
        "{here}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}{query}"
    ));
    let mut item = link(template, "item", MVT, context.text("server.op-tile"));
    item["templated"] = true.into();
    let name = match layers {
        [only] => title(context, &only.collection),
        _ => context.text("server.title"),
    };
    let mut out = json!({
        "title": name,
        "dataType": "vector",
        "crs": set.crs_uri,
        "tileMatrixSetURI": set.uri.clone().unwrap_or_else(|| definition.clone()),
        "tileMatrixSetId": set.id,
        "tileMatrixSetLimits": limits(set, layers).iter().map(Limits::json).collect::<Vec<_>>(),
        "layers": layers.iter().map(|l| layer_json(context, l)).collect::<Vec<_>>(),
        "links": [
            link(context.url(format_args!("{here}{query}")), "self", JSON, context.text("server.op-tileset")),
            item,
            link(definition, REL_TILING_SCHEME, JSON, context.text("server.op-matrix-set")),
            link(context.url("/styles"), REL_STYLES, JSON, context.text("server.styles")),
        ],
    });
    if let Some(extent) = extent(layers) {
        out["boundingBox"] =
            json!({ "lowerLeft": extent.min, "upperRight": extent.max, "crs": CRS84 });
    }
    out
}

fn layer_json(context: &Context, live: &LiveCollection) -> Json {
    let collection = &live.collection;
    let dimension = match collection.geometry_type {
        GeometryType::Point | GeometryType::MultiPoint => Some(0),
        GeometryType::LineString | GeometryType::MultiLineString => Some(1),
        GeometryType::Polygon | GeometryType::MultiPolygon => Some(2),
        GeometryType::Geometry | GeometryType::GeometryCollection => None,
    };
    let mut out = json!({
        "id": collection.id.as_str(),
        "title": title(context, collection),
        "dataType": "vector",
        "minTileMatrix": collection.tiles.min_zoom.to_string(),
        "maxTileMatrix": collection.tiles.max_zoom.to_string(),
    });
    if let Some(dimension) = dimension {
        out["geometryDimension"] = dimension.into();
    }
    out
}

/// Rows and columns of a matrix that have data.
pub(crate) struct Limits {
    pub(crate) matrix: u8,
    pub(crate) rows: RangeInclusive<u32>,
    pub(crate) cols: RangeInclusive<u32>,
}

impl Limits {
    fn json(&self) -> Json {
        json!({
            "tileMatrix": self.matrix.to_string(),
            "minTileRow": self.rows.start(),
            "maxTileRow": self.rows.end(),
            "minTileCol": self.cols.start(),
            "maxTileCol": self.cols.end(),
        })
    }
}

/// The limits of each matrix at which one of the collections shows; without features, of the whole world.
pub(crate) fn limits(set: &MatrixSet, layers: &[LiveCollection]) -> Vec<Limits> {
    let whole = Envelope {
        min: [-180.0, -90.0],
        max: [180.0, 90.0],
    };
    let extent = extent(layers).unwrap_or(whole);
    let zooms = zooms(layers);
    let shown = set
        .matrices()
        .filter(|m| zooms.contains(&set.usual_zoom(*m)));
    let at = |matrix| {
        let [first, last] = set.range(matrix, &extent)?;
        Some(Limits {
            matrix,
            rows: first.y()..=last.y(),
            cols: first.x()..=last.x(),
        })
    };
    shown.filter_map(at).collect()
}

pub(crate) fn zooms(layers: &[LiveCollection]) -> RangeInclusive<u8> {
    let low = layers.iter().map(|l| l.collection.tiles.min_zoom).min();
    let high = layers.iter().map(|l| l.collection.tiles.max_zoom).max();
    low.unwrap_or(0)..=high.unwrap_or(0).min(model::MAX_ZOOM)
}

pub(crate) fn extent(layers: &[LiveCollection]) -> Option<Envelope> {
    layers
        .iter()
        .filter_map(|l| l.index.extent())
        .reduce(Envelope::union)
}
