//! What features can be filtered and ordered by (OGC 19-079r2 §6.2, OGC API Features Part 8), and the functions of filters.

use axum::extract::State;
use axum::response::Response;
use model::{Function, GEOMETRY_PROPERTY, ValueType, functions};
use serde_json::{Map, Value as Json, json};
use store::LiveCollection;

use crate::answer;
use crate::app::App;
use crate::collections::title;
use crate::context::Context;
use crate::link::{JSON, SCHEMA_JSON};
use crate::problem::Problem;
use crate::schema::{DIALECT, geojson_geometry, geometry_format, property_json};
use crate::segments::Segments;

/// `GET /collections/{id}/queryables`
pub(crate) async fn queryables(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    answer(&app, &context, &id, "queryables", |live| {
        let mut properties = Map::new();
        // `format` is what the standard asks for (/req/queryables/queryables), and says that there is no `$ref`; QGIS knows a
        // geometry by its `$ref` alone.
        let mut geometry = json!({
            "title": context.text("server.geometry"),
            "x-ogc-role": "primary-geometry",
            "format": geometry_format(live.collection.geometry_type),
        });
        let shape = geojson_geometry(live.collection.geometry_type);
        geometry["$ref"] = shape["$ref"].clone();
        properties.insert(GEOMETRY_PROPERTY.to_owned(), geometry);
        properties.extend(described(&context, live, |_| true));
        properties
    })
}

/// `GET /collections/{id}/sortables`
pub(crate) async fn sortables(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    answer(&app, &context, &id, "sortables", |live| {
        described(&context, live, |position| {
            live.column_of(position).is_some()
        })
    })
}

fn described(
    context: &Context,
    live: &LiveCollection,
    is_meant: impl Fn(usize) -> bool,
) -> Map<String, Json> {
    let properties = live.collection.schema.properties.iter().enumerate();
    properties
        .filter(|(position, _)| live.is_queryable(*position) && is_meant(*position))
        .map(|(_, p)| (p.name.clone(), Json::Object(property_json(context, p))))
        .collect()
}

fn answer(
    app: &App,
    context: &Context,
    id: &str,
    what: &str,
    properties: impl FnOnce(&LiveCollection) -> Map<String, Json>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    context.wanted.json(SCHEMA_JSON)?;
    let live = app.collection(context, id)?;
    let document = json!({
        "$schema": DIALECT,
        "$id": context.url(format_args!("/collections/{id}/{what}")),
        "type": "object",
        "title": title(context, &live.collection),
        "properties": properties(&live),
        "additionalProperties": false,
    });
    Ok(answer::json(context, SCHEMA_JSON, &document))
}

/// `GET /functions`
pub(crate) async fn list(context: Context) -> Result<Response, Problem> {
    context.params.only(&[])?;
    context.wanted.json(JSON)?;
    let all: Vec<Json> = functions().iter().map(|f| function(&context, f)).collect();
    Ok(answer::json(&context, JSON, &json!({ "functions": all })))
}

fn function(context: &Context, function: &Function) -> Json {
    let names = |types: &[ValueType]| {
        let mut names: Vec<&str> = types.iter().map(|kind| type_name(*kind)).collect();
        names.dedup();
        names
    };
    let arguments: Vec<Json> = function
        .arguments
        .iter()
        .map(|argument| {
            json!({
                "title": argument.name,
                "type": names(argument.types),
                "required": !argument.optional,
            })
        })
        .collect();
    json!({
        "name": function.name,
        "description": function.description().text(context.lang),
        "arguments": arguments,
        "repeatsLast": function.repeats,
        "returns": names(function.results),
    })
}

fn type_name(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Boolean => "boolean",
        ValueType::Number => "number",
        ValueType::Text => "string",
        // The standard has one name for both (OGC 19-079r2 /req/functions/functions-response).
        ValueType::Date | ValueType::DateTime => "datetime",
        ValueType::Geometry => "geometry",
    }
}
