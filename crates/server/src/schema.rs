//! Schemas of collections: OGC API Features Part 5 (OGC 23-058), and the shape that GDAL reads.

use axum::extract::State;
use axum::response::Response;
use model::{Collection, GEOMETRY_PROPERTY, GeometryType, Property, PropertyType};
use serde_json::{Map, Value as Json, json};

use crate::answer;
use crate::app::App;
use crate::collections::title;
use crate::context::Context;
use crate::link::SCHEMA_JSON;
use crate::problem::Problem;
use crate::segments::Segments;

pub(crate) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Units of money, which is written with two decimals or none; all others are UCUM's.
pub(crate) const MONEY: [&str; 2] = ["UAH", "USD"];

/// `GET /collections/{id}/schema`
pub(crate) async fn logical(
    app: State<App>,
    context: Context,
    id: Segments<String>,
) -> Result<Response, Problem> {
    answer(app, context, id, logical_json)
}

/// `GET /collections/{id}/schema/feature`
pub(crate) async fn feature(
    app: State<App>,
    context: Context,
    id: Segments<String>,
) -> Result<Response, Problem> {
    answer(app, context, id, feature_json)
}

fn answer(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
    make: fn(&Context, &Collection) -> Json,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    context.wanted.json(SCHEMA_JSON)?;
    let live = app.collection(&context, &id)?;
    Ok(answer::json(
        &context,
        SCHEMA_JSON,
        &make(&context, &live.collection),
    ))
}

/// A flat list of properties, geometry included, each with its role (OGC 23-058 §8).
fn logical_json(context: &Context, collection: &Collection) -> Json {
    let mut properties = Map::new();
    let geometry = geometry_name(collection);
    properties.insert(
        geometry,
        json!({
            "title": context.text("server.geometry"),
            "x-ogc-role": "primary-geometry",
            "x-ogc-propertySeq": 1,
            "format": geometry_format(collection.geometry_type),
        }),
    );
    for (i, property) in collection.schema.properties.iter().enumerate() {
        let mut schema = property_json(context, property);
        schema.insert("x-ogc-propertySeq".to_owned(), (i + 2).into());
        if collection.id_property.as_deref() == Some(&property.name) {
            schema.insert("x-ogc-role".to_owned(), "id".into());
        } else if collection.time_property.as_deref() == Some(&property.name) {
            schema.insert("x-ogc-role".to_owned(), "primary-instant".into());
        }
        properties.insert(property.name.clone(), Json::Object(schema));
    }
    json!({
        "$schema": DIALECT,
        "$id": context.url(format_args!("/collections/{}/schema", collection.id)),
        "type": "object",
        "title": title(context, collection),
        "description": collection.description.get(context.lang),
        "properties": properties,
        "additionalProperties": false,
    })
}

/// A GeoJSON feature of the collection, as JSON Schema.
fn feature_json(context: &Context, collection: &Collection) -> Json {
    let properties: Map<String, Json> = collection
        .schema
        .properties
        .iter()
        .map(|p| (p.name.clone(), Json::Object(property_json(context, p))))
        .collect();
    json!({
        "$schema": DIALECT,
        "$id": context.url(format_args!("/collections/{}/schema/feature", collection.id)),
        "title": title(context, collection),
        "type": "object",
        "required": ["type", "geometry", "properties"],
        "properties": {
            "type": { "type": "string", "enum": ["Feature"] },
            "id": { "type": if has_text_id(collection) { "string" } else { "integer" } },
            "geometry": geojson_geometry(collection.geometry_type),
            "properties": { "type": "object", "properties": properties },
        },
    })
}

/// `title`, `type`, `format`, unit (in UCUM, where nothing else is said) and known values of a property.
pub(crate) fn property_json(context: &Context, property: &Property) -> Map<String, Json> {
    let mut out = Map::new();
    let mut set = |name: &str, value: Json| out.insert(name.to_owned(), value);
    let title = property
        .title
        .as_ref()
        .map(|t| t.get(context.lang))
        .filter(|t| !t.is_empty());
    set("title", title.unwrap_or(&property.name).into());
    let (kind, format) = json_type(property.kind);
    set("type", kind.into());
    if let Some(format) = format {
        set("format", format.into());
    }
    if let Some(unit) = &property.unit {
        set("x-ogc-unit", unit.as_str().into());
        if MONEY.contains(&unit.as_str()) {
            set("x-ogc-unitLang", "ISO 4217".into());
        }
    }
    if !property.values.is_empty() {
        let known = property.values.iter().map(|v| {
            let value = constant(property.kind, &v.value);
            let title = v.title.get(context.lang);
            json!({ "const": value, "title": if title.is_empty() { &v.value } else { title } })
        });
        // Open: other values occur, and the last says so.
        set(
            "anyOf",
            known
                .chain([json!({ "type": kind })])
                .collect::<Vec<_>>()
                .into(),
        );
    }
    out
}

/// Type and format by JSON Schema.
pub(crate) fn json_type(kind: PropertyType) -> (&'static str, Option<&'static str>) {
    match kind {
        PropertyType::Boolean => ("boolean", None),
        PropertyType::Integer => ("integer", None),
        PropertyType::Real => ("number", None),
        PropertyType::Text => ("string", None),
        PropertyType::Date => ("string", Some("date")),
        PropertyType::DateTime => ("string", Some("date-time")),
    }
}

/// A known value by its property's type.
pub(crate) fn constant(kind: PropertyType, value: &str) -> Json {
    let typed = match kind {
        PropertyType::Integer => value.parse::<i64>().ok().map(Json::from),
        PropertyType::Real => value.parse::<f64>().ok().map(Json::from),
        PropertyType::Boolean => value.parse::<bool>().ok().map(Json::from),
        _ => None,
    };
    typed.unwrap_or_else(|| value.into())
}

/// The name under which the geometry stands beside the properties.
fn geometry_name(collection: &Collection) -> String {
    let mut name = GEOMETRY_PROPERTY.to_owned();
    while collection.schema.position(&name).is_some() {
        name.push('_');
    }
    name
}

pub(crate) fn has_text_id(collection: &Collection) -> bool {
    let kind = collection
        .id_property
        .as_ref()
        .and_then(|name| collection.schema.get(name))
        .map(|p| p.kind);
    kind.is_some_and(|kind| kind != PropertyType::Integer)
}

/// The format names of OGC 23-058 table 1.
pub(crate) fn geometry_format(kind: GeometryType) -> String {
    match kind {
        GeometryType::Geometry => "geometry-any".to_owned(),
        kind => format!("geometry-{}", kind.name().to_ascii_lowercase()),
    }
}

pub(crate) fn geojson_geometry(kind: GeometryType) -> Json {
    let name = match kind {
        GeometryType::Geometry => "Geometry",
        GeometryType::Point => "Point",
        GeometryType::LineString => "LineString",
        GeometryType::Polygon => "Polygon",
        GeometryType::MultiPoint => "MultiPoint",
        GeometryType::MultiLineString => "MultiLineString",
        GeometryType::MultiPolygon => "MultiPolygon",
        GeometryType::GeometryCollection => "GeometryCollection",
    };
    json!({ "$ref": format!("https://geojson.org/schema/{name}.json") })
}
