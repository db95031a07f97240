//! The API definition: one OpenAPI 3.0 document that the official suites, QGIS and GDAL all understand.
//!
//! They look for different things: the suites for `limit` with its bounds on `/collections/{id}/items`, QGIS for
//! `components.parameters.limit`, GDAL for a `$ref` to it on a concrete path. So each collection has its own paths,
//! and shared parameters are components.

mod components;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value as Json, json};
use store::LiveCollection;

use crate::app::App;
use crate::changes::EVENT_STREAM;
use crate::collections::title;
use crate::context::Context;
use crate::features::output::{FORMATS, FORMATS_OF_ONE};
use crate::features::query::{OF_ONE, RESERVED};
use crate::limits::{DEFAULT_HITS, MAX_HITS, MAX_SEARCH};
use crate::link::{
    GEOJSON, HTML, JSON, MERGE_PATCH, MVT, OPENAPI, SCHEMA_JSON, STYLE, SVG, TRANSACTION,
};
use crate::matrix_sets::{self, MatrixSet};
use crate::negotiate::Format;
use crate::problem::Problem;
use crate::schema::{constant, json_type};
use crate::{answer, bulk, html};

/// The last document that was made, with the hash of what it was made from: clients ask for it on each start.
#[derive(Default)]
pub(crate) struct Definition {
    last: Mutex<Option<(u64, Bytes)>>,
}

/// `GET /api`
pub(crate) async fn get(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let format = context.wanted.json_or_html(OPENAPI)?;
    let seen = described(&app, &context)?;
    if format == Format::Html {
        let document = document(&context, &seen);
        let first = seen.first().map(|(live, _)| live);
        return answer::page(&context, &html::Api::new(&context, &document, first));
    }
    let state: Vec<(&str, u64, Vec<bool>, &May)> = seen
        .iter()
        .map(|(live, may)| {
            // A property that is seen in part may be defined as one that is seen whole, and is no filter.
            let positions = 0..live.collection.schema.properties.len();
            let filters = positions.map(|p| live.is_queryable(p)).collect();
            let id = live.collection.id.as_str();
            (id, live.definition, filters, may)
        })
        .collect();
    let mut hasher = DefaultHasher::new();
    let has_systems = !spatial::crs::locals().is_empty();
    (&state, &context.base, context.lang.tag(), has_systems).hash(&mut hasher);
    let key = hasher.finish();
    let last = |app: &App| {
        app.definition
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    };
    let body = match last(&app) {
        Some((known, body)) if known == key => body,
        _ => {
            let body = Bytes::from(document(&context, &seen).to_string());
            *app.definition
                .last
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some((key, body.clone()));
            body
        }
    };
    Ok(answer::bytes(&context, OPENAPI, body))
}

/// What whoever asks may do with a collection.
#[derive(Hash)]
struct May {
    /// Methods for its features.
    of_all: Vec<&'static str>,
    /// Methods for one feature.
    of_one: Vec<&'static str>,
    sees_history: bool,
}

/// The collections that whoever asks sees, with what they may do there.
fn described(app: &App, context: &Context) -> Result<Vec<(LiveCollection, May)>, Problem> {
    let sight = app.sight(context)?;
    let with_rights = |live: LiveCollection| {
        let id = live.collection.id.as_str();
        let [of_all, of_one] = app.methods(context, id)?;
        let may = May {
            of_all,
            of_one,
            sees_history: sight.shows_history(id),
        };
        Some((live, may))
    };
    Ok(sight.all().into_iter().filter_map(with_rights).collect())
}

fn document(context: &Context, seen: &[(LiveCollection, May)]) -> Json {
    let mut paths = Map::new();
    fixed_paths(context, &mut paths);
    style_changes(context, &mut paths);
    let writes = |may: &May| {
        let mut methods = may.of_all.iter().chain(&may.of_one);
        methods.any(|m| !["GET", "HEAD"].contains(m))
    };
    if seen.iter().any(|(_, may)| writes(may)) {
        let body = json!({ "required": true, "content": { (TRANSACTION): { "schema": { "type": "object" } } } });
        let post = write_operation(
            context,
            "transact",
            "features",
            context.text("server.op-transact"),
            "200",
            shared(&["contentCrs", "idempotencyKey", "reason"]),
            Some(&body),
        );
        paths.insert("/transactions".to_owned(), json!({ "post": post }));
    }
    for (live, may) in seen {
        collection_paths(context, live, may, &mut paths);
    }
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": context.text("server.title"),
            "description": context.text("server.description"),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": context.base }],
        "tags": [
            { "name": "features", "description": context.text("server.tag-features") },
            { "name": "tiles", "description": context.text("server.tag-tiles") },
            { "name": "styles", "description": context.text("server.tag-styles") },
            { "name": "common", "description": context.text("server.tag-common") },
        ],
        "paths": paths,
        "components": components::json(context),
    })
}

fn fixed_paths(context: &Context, paths: &mut Map<String, Json>) {
    let mut add =
        |path: &str, id: &str, tag: &str, key: &'static str, media: &[&str], parameters: Json| {
            let get = operation(context, id, tag, context.text(key), media, parameters);
            paths.insert(path.to_owned(), json!({ "get": get }));
        };
    let common = || shared(&["f", "lang"]);
    add(
        "/",
        "getLandingPage",
        "common",
        "server.op-landing",
        &[JSON, HTML],
        common(),
    );
    add(
        "/conformance",
        "getConformance",
        "common",
        "server.conformance",
        &[JSON, HTML],
        common(),
    );
    add(
        "/api",
        "getApi",
        "common",
        "server.api-definition",
        &[OPENAPI, HTML],
        common(),
    );
    add(
        "/collections",
        "getCollections",
        "common",
        "server.collections",
        &[JSON, HTML],
        common(),
    );
    let mut search = vec![
        json!({ "name": "q", "in": "query", "required": true, "schema": { "type": "string", "minLength": 1, "maxLength": MAX_SEARCH } }),
        json!({ "name": "limit", "in": "query", "required": false, "style": "form", "explode": false,
            "schema": { "type": "integer", "minimum": 1, "maximum": MAX_HITS, "default": DEFAULT_HITS } }),
    ];
    search.extend(reference(&["collections", "lang"]));
    add(
        "/search",
        "search",
        "features",
        "server.op-search",
        &[JSON],
        search.into(),
    );
    let mut changes = vec![
        json!({ "name": "since", "in": "query", "required": false, "schema": { "type": "string" } }),
        json!({ "name": "Last-Event-ID", "in": "header", "required": false, "schema": { "type": "string" } }),
    ];
    changes.extend(reference(&["collections", "bbox", "lang"]));
    add(
        "/changes",
        "getChanges",
        "features",
        "server.op-changes",
        &[EVENT_STREAM],
        changes.into(),
    );
    add(
        "/functions",
        "getFunctions",
        "features",
        "server.op-functions",
        &[JSON],
        common(),
    );
    // Where there are none, nothing answers.
    if !spatial::crs::locals().is_empty() {
        add(
            "/crs/{code}",
            "getCrs",
            "common",
            "server.op-crs",
            &[JSON],
            shared(&["code", "f", "lang"]),
        );
    }
    add(
        "/tileMatrixSets",
        "getTileMatrixSetsList",
        "tiles",
        "server.matrix-sets",
        &[JSON],
        common(),
    );
    add(
        "/tiles",
        "dataset.vector.getTileSetsList",
        "tiles",
        "server.tilesets",
        &[JSON],
        common(),
    );
    for set in matrix_sets::all() {
        let id = &set.id;
        let named = named(set);
        add(
            &format!("/tileMatrixSets/{id}"),
            &format!("{named}getTileMatrixSet"),
            "tiles",
            "server.op-matrix-set",
            &[JSON],
            common(),
        );
        add(
            &format!("/tiles/{id}"),
            &format!("dataset.vector.{named}getTileSet"),
            "tiles",
            "server.op-tileset",
            &[JSON],
            shared(&["collections", "f", "lang"]),
        );
        add(
            &format!("/tiles/{id}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}"),
            &format!("dataset.vector.{named}getTile"),
            "tiles",
            "server.op-tile",
            &[MVT],
            shared(&[
                "tileMatrix",
                "tileRow",
                "tileCol",
                "collections",
                "as-of",
                "properties",
                "filter",
                "filter-lang",
                "filter-crs",
            ]),
        );
    }
    for (path, id, key, media) in [
        (
            "/styles",
            "getStyles",
            "server.op-styles",
            &[JSON, HTML][..],
        ),
        (
            "/styles/{styleId}",
            "getStyle",
            "server.style-sheet",
            &[STYLE],
        ),
        (
            "/styles/{styleId}/metadata",
            "getStyleMetadata",
            "server.style-metadata",
            &[JSON],
        ),
        (
            "/styles/{styleId}/legend",
            "getStyleLegend",
            "server.style-legend",
            &[SVG],
        ),
    ] {
        let parameters = match path {
            "/styles" => common(),
            _ => shared(&["styleId", "lang"]),
        };
        add(path, id, "styles", key, media, parameters);
    }
    let short = shared(&[
        "collectionList",
        "z",
        "x",
        "y",
        "as-of",
        "properties",
        "filter",
        "filter-lang",
        "filter-crs",
    ]);
    add(
        "/tiles/{collectionList}/{z}/{x}/{y}",
        "short.vector.getTileXYZ",
        "tiles",
        "server.op-tile-short",
        &[MVT],
        short,
    );
    add(
        "/tiles/{collectionList}",
        "short.vector.getTileJSON",
        "tiles",
        "server.tilejson",
        &[JSON],
        shared(&[
            "collectionList",
            "as-of",
            "properties",
            "filter",
            "filter-lang",
            "filter-crs",
            "lang",
        ]),
    );
}

/// What may be done with styles.
fn style_changes(context: &Context, paths: &mut Map<String, Json>) {
    let body =
        json!({ "required": true, "content": { (STYLE): { "schema": { "type": "object" } } } });
    let change = |id: &str, key, status: &str, parameters: &[&str], body: Option<&Json>| {
        let summary = context.text(key);
        write_operation(
            context,
            id,
            "styles",
            summary,
            status,
            shared(parameters),
            body,
        )
    };
    paths["/styles"]["post"] = change(
        "createStyle",
        "server.op-create-style",
        "201",
        &["dry-run"],
        Some(&body),
    );
    let one = &mut paths["/styles/{styleId}"];
    one["put"] = change(
        "replaceStyle",
        "server.op-put-style",
        "204",
        &["styleId", "dry-run"],
        Some(&body),
    );
    one["delete"] = change(
        "deleteStyle",
        "server.op-delete-style",
        "204",
        &["styleId"],
        None,
    );
}

fn collection_paths(
    context: &Context,
    live: &LiveCollection,
    may: &May,
    paths: &mut Map<String, Json>,
) {
    let May {
        of_all,
        of_one,
        sees_history,
    } = may;
    let collection = &live.collection;
    let id = collection.id.as_str();
    let name = title(context, collection);
    let titled = |key: &'static str| format!("{name}: {}", context.text(key));
    let at = format!("/collections/{id}");
    let common = || shared(&["f", "lang"]);
    let get = |suffix: &str, tag: &str, key, media: &[&str], parameters| {
        operation(
            context,
            &format!("{id}.{suffix}"),
            tag,
            titled(key),
            media,
            parameters,
        )
    };
    paths.insert(at.clone(), json!({ "get": get("describeCollection", "features", "server.op-collection", &[JSON, HTML], common()) }));
    paths.insert(
        format!("{at}/schema"),
        json!({ "get": get("getSchema", "features", "server.schema", &[SCHEMA_JSON], common()) }),
    );

    for (suffix, id, key) in [
        ("queryables", "getQueryables", "server.queryables"),
        ("sortables", "getSortables", "server.sortables"),
    ] {
        let get = get(id, "features", key, &[SCHEMA_JSON], common());
        paths.insert(format!("{at}/{suffix}"), json!({ "get": get }));
    }
    let media: Vec<&str> = bulk::offered(live)
        .map(|format| format.media_type())
        .collect();
    let file = get(
        "getFile",
        "features",
        "server.op-file",
        &media,
        shared(&["file"]),
    );
    paths.insert(format!("{at}/files/{{file}}"), json!({ "get": file }));
    let mut parameters = reference(&[
        "limit",
        "bbox",
        "bbox-crs",
        "datetime",
        "as-of",
        "filter",
        "filter-lang",
        "filter-crs",
        "q",
        "sortby",
        "cursor",
        "offset",
        "fItems",
        "lang",
    ]);
    parameters.extend(reference(&OF_ONE));
    parameters.extend(filters(context, live));
    let media: Vec<&str> = FORMATS.iter().map(|format| format.media_type()).collect();
    let media = [media.as_slice(), &[HTML]].concat();
    let mut items = json!({ "get": get("getFeatures", "features", "server.op-items", &media, parameters.into()) });
    let media_of_one = FORMATS_OF_ONE.map(|format| format.media_type());
    let media_of_one = [&media_of_one[..], &[HTML]].concat();
    let mut parameters = reference(&["featureId", "datetimeOfOne", "as-of"]);
    parameters.extend(reference(&OF_ONE));
    parameters.extend(reference(&["fItem", "lang"]));
    let one = get(
        "getFeature",
        "features",
        "server.op-item",
        &media_of_one,
        parameters.into(),
    );
    let mut item = json!({ "get": one });
    let body = json!({ "required": true, "content": { (GEOJSON): { "schema": { "$ref": "#/components/schemas/feature" } } } });
    let changes = json!({ "required": true, "content": { (MERGE_PATCH): { "schema": { "type": "object" } } } });
    let write = |method: &str, key, status: &str, parameters: Json, body: Option<&Json>| {
        let id = format!("{id}.{method}");
        write_operation(
            context,
            &id,
            "features",
            titled(key),
            status,
            parameters,
            body,
        )
    };
    let of_all_writes = ["idempotencyKey", "reason"];
    let parameters = |more: &[&str]| {
        let own = ["featureId", "ifMatch"];
        shared(&[&own[..], more, &of_all_writes].concat())
    };
    if of_all.contains(&"POST") {
        items["post"] = write(
            "createFeature",
            "server.op-create",
            "201",
            shared(&["contentCrs", "idempotencyKey", "reason"]),
            Some(&body),
        );
    }
    if of_one.contains(&"PUT") {
        item["put"] = write(
            "replaceFeature",
            "server.op-replace",
            "200",
            parameters(&["contentCrs"]),
            Some(&body),
        );
        item["patch"] = write(
            "updateFeature",
            "server.op-update",
            "200",
            parameters(&["contentCrs"]),
            Some(&changes),
        );
    }
    if of_one.contains(&"DELETE") {
        item["delete"] = write(
            "deleteFeature",
            "server.op-delete",
            "204",
            parameters(&[]),
            None,
        );
    }
    let of_versions = format!("{at}/items/{{featureId}}/versions");
    let list = get(
        "getVersions",
        "features",
        "server.op-versions",
        &[JSON],
        shared(&["featureId", "lang"]),
    );
    let one_version = get(
        "getVersion",
        "features",
        "server.op-version",
        &[GEOJSON],
        shared(&["featureId", "versionNumber", "against", "lang"]),
    );
    let lineage = get(
        "getLineage",
        "features",
        "server.op-lineage",
        &[JSON],
        shared(&["featureId", "as-of", "lang"]),
    );
    let at_version = format!("{of_versions}/{{versionNumber}}");
    // Whoever may not ask is not told that they might.
    if *sees_history {
        paths.insert(of_versions.clone(), json!({ "get": list }));
        paths.insert(at_version.clone(), json!({ "get": one_version }));
        let at_lineage = format!("{at}/items/{{featureId}}/lineage");
        paths.insert(at_lineage, json!({ "get": lineage }));
    }
    if of_one.contains(&"PUT") {
        let body =
            json!({ "required": true, "content": { (JSON): { "schema": { "type": "object" } } } });
        let operate = write(
            "operate",
            "server.op-operate",
            "200",
            shared(&["contentCrs", "idempotencyKey", "reason"]),
            Some(&body),
        );
        paths.insert(format!("{at}/operations"), json!({ "post": operate }));
    }
    if of_one.contains(&"PUT") && *sees_history {
        let parameters = shared(&[
            "featureId",
            "versionNumber",
            "ifMatch",
            "idempotencyKey",
            "reason",
        ]);
        let restore = write(
            "restoreVersion",
            "server.op-restore",
            "200",
            parameters,
            None,
        );
        paths.insert(format!("{at_version}/restore"), json!({ "post": restore }));
    }

    paths.insert(format!("{at}/items"), items);
    paths.insert(format!("{at}/items/{{featureId}}"), item);

    paths.insert(format!("{at}/tiles"), json!({ "get": get("collection.vector.getTileSetsList", "tiles", "server.tilesets", &[JSON], common()) }));
    for set in matrix_sets::all() {
        let named = named(set);
        let tileset = get(
            &format!("collection.vector.{named}getTileSet"),
            "tiles",
            "server.op-tileset",
            &[JSON],
            common(),
        );
        let at = format!("{at}/tiles/{}", set.id);
        paths.insert(at.clone(), json!({ "get": tileset }));
        let tile = get(
            &format!("collection.vector.{named}getTile"),
            "tiles",
            "server.op-tile",
            &[MVT],
            shared(&[
                "tileMatrix",
                "tileRow",
                "tileCol",
                "as-of",
                "properties",
                "filter",
                "filter-lang",
                "filter-crs",
            ]),
        );
        let at = format!("{at}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}");
        paths.insert(at, json!({ "get": tile }));
    }
}

/// What stands in operation ids of a set that is not the usual one.
fn named(set: &MatrixSet) -> String {
    match set.id == matrix_sets::usual().id {
        true => String::new(),
        false => format!("{}.", set.id),
    }
}

/// Equality filters, one parameter a property; style and explode are written out, since QGIS asks for them.
fn filters(context: &Context, live: &LiveCollection) -> Vec<Json> {
    let properties = live.collection.schema.properties.iter().enumerate();
    let free = properties
        .filter(|(i, p)| live.is_queryable(*i) && !RESERVED.contains(&p.name.as_str()))
        .map(|(_, property)| property);
    free.map(|property| {
        let (kind, format) = json_type(property.kind);
        let title = property
            .title
            .as_ref()
            .map_or(property.name.as_str(), |t| t.get(context.lang));
        let mut schema = json!({ "type": kind });
        if let Some(format) = format {
            schema["format"] = format.into();
        }
        if !property.values.is_empty() {
            // As the queryable has it, without `const` and titles, which OpenAPI 3.0 has not.
            let known = property.values.iter();
            let known: Vec<Json> = known.map(|v| constant(property.kind, &v.value)).collect();
            schema["anyOf"] = json!([{ "type": kind, "enum": known }, { "type": kind }]);
        }
        json!({
            "name": property.name,
            "in": "query",
            "description": title,
            "required": false,
            "style": "form",
            "explode": false,
            "schema": schema,
        })
    })
    .collect()
}

/// An operation that writes.
fn write_operation(
    context: &Context,
    id: &str,
    tag: &str,
    summary: String,
    status: &str,
    parameters: Json,
    body: Option<&Json>,
) -> Json {
    let mut out = json!({
        "operationId": id,
        "tags": [tag],
        "summary": summary,
        "parameters": parameters,
        "responses": {
            (status): { "description": context.text("server.answer-done") },
            "default": { "$ref": "#/components/responses/problem" },
        },
        "security": [{ "bearer": [] }, { "basic": [] }],
    });
    if let Some(body) = body {
        out["requestBody"] = body.clone();
    }
    out
}

fn operation(
    context: &Context,
    id: &str,
    tag: &str,
    summary: String,
    media: &[&str],
    parameters: Json,
) -> Json {
    let content: Map<String, Json> = media
        .iter()
        .map(|m| {
            let schema = match *m {
                HTML => json!({ "type": "string" }),
                MVT => json!({ "type": "string", "format": "binary" }),
                _ => json!({ "type": "object" }),
            };
            ((*m).to_owned(), json!({ "schema": schema }))
        })
        .collect();
    let mut out = json!({
        "operationId": id,
        "tags": [tag],
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": { "description": context.text("server.answer-ok"), "content": content },
            "default": { "$ref": "#/components/responses/problem" },
        },
    });
    if media == [MVT] {
        out["responses"]["204"] = json!({ "description": context.text("server.answer-no-tile") });
    }
    out
}

fn reference(names: &[&str]) -> Vec<Json> {
    names
        .iter()
        .map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }))
        .collect()
}

fn shared(names: &[&str]) -> Json {
    reference(names).into()
}
