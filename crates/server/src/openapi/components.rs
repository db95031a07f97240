//! Parameters, answers and schemas that operations share.

use formats::Format;
use model::MAX_ZOOM;
use serde_json::{Map, Value as Json, json};
use store::MAX_LIMIT;

use crate::context::Context;
use crate::features::filter::LANGUAGES;
use crate::features::output::{FORMATS, FORMATS_OF_ONE};
use crate::limits::{DEFAULT_LIMIT, MAX_KEY, MAX_REASON};
use crate::problem;

pub(super) fn json(context: &Context) -> Json {
    let text = |key| context.text(key);
    let path = |name: &str, schema: Json| json!({ "name": name, "in": "path", "required": true, "schema": schema });
    let number = |max: u64| json!({ "type": "integer", "minimum": 0, "maximum": max });
    let query = |name: &str, key, schema: Json| {
        json!({
            "name": name, "in": "query", "description": text(key), "required": false,
            "style": "form", "explode": false, "schema": schema,
        })
    };
    let cells = (1_u64 << MAX_ZOOM) - 1;
    let names = |formats: &[Format]| {
        let names = formats.iter().map(|format| format.name());
        names.chain(["html"]).collect::<Vec<_>>()
    };
    let of_queries = json!({
        "limit": query("limit", "server.param-limit",
            json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT })),
        "bbox": query("bbox", "server.param-bbox",
            json!({ "type": "array", "minItems": 4, "maxItems": 6, "items": { "type": "number" } })),
        "datetime": query("datetime", "server.param-datetime", json!({ "type": "string" })),
        "as-of": query("as-of", "server.param-as-of", json!({ "type": "string" })),
        "datetimeOfOne": query("datetime", "server.param-as-of", json!({ "type": "string" })),
        "against": query("against", "server.param-against", json!({ "type": "integer", "minimum": 1 })),
        "cursor": query("cursor", "server.param-cursor", json!({ "type": "string" })),
        "offset": query("offset", "server.param-offset", json!({ "type": "integer", "minimum": 0 })),
        "crs": query("crs", "server.param-crs", json!({ "type": "string", "format": "uri" })),
        "bbox-crs": query("bbox-crs", "server.param-bbox-crs", json!({ "type": "string", "format": "uri" })),
        "sortby": query("sortby", "server.param-sortby",
            json!({ "type": "array", "minItems": 1, "items": { "type": "string", "pattern": r"^[+-]?[^+\-\s].*$" } })),
        "filter": query("filter", "server.param-filter", json!({ "type": "string" })),
        "filter-lang": query("filter-lang", "server.param-filter-lang",
            json!({ "type": "string", "enum": LANGUAGES, "default": LANGUAGES[0] })),
        "filter-crs": query("filter-crs", "server.param-filter-crs", json!({ "type": "string", "format": "uri" })),
        "q": query("q", "server.param-q",
            json!({ "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } })),
        "properties": query("properties", "server.param-properties",
            json!({ "type": "array", "items": { "type": "string" } })),
        "exclude-properties": query("exclude-properties", "server.param-exclude-properties",
            json!({ "type": "array", "items": { "type": "string" } })),
        "skipGeometry": query("skipGeometry", "server.param-skip-geometry",
            json!({ "type": "boolean", "default": false })),
        "precision": query("precision", "server.param-precision",
            json!({ "type": "integer", "minimum": 0, "maximum": 15 })),
        "zoom-level": query("zoom-level", "server.param-zoom-level",
            json!({ "type": "number", "minimum": 0, "maximum": 24 })),
        "dry-run": query("dry-run", "server.param-dry-run",
            json!({ "type": "boolean", "default": false })),
        "fItems": query("f", "server.param-f", json!({ "type": "string", "enum": names(&FORMATS) })),
        "fItem": query("f", "server.param-f", json!({ "type": "string", "enum": names(&FORMATS_OF_ONE) })),
        "f": query("f", "server.param-f", json!({ "type": "string", "enum": ["json", "html"] })),
        "lang": query("lang", "server.param-lang", json!({ "type": "string", "enum": ["uk", "en"] })),
        "collections": query("collections", "server.param-collections",
            json!({ "type": "array", "items": { "type": "string" } })),
    });
    let others = json!({
        "file": path("file", json!({ "type": "string" })),
        "versionNumber": path("versionNumber", json!({ "type": "integer", "minimum": 1 })),
        "featureId": path("featureId", json!({ "type": "string" })),
        "code": path("code", json!({ "type": "integer" })),
        "styleId": path("styleId", json!({ "type": "string" })),
        "collectionList": path("collectionList", json!({ "type": "string" })),
        "tileMatrix": path("tileMatrix", number(MAX_ZOOM.into())),
        "tileRow": path("tileRow", number(cells)),
        "tileCol": path("tileCol", number(cells)),
        "z": path("z", number(MAX_ZOOM.into())),
        "x": path("x", number(cells)),
        "y": path("y", number(cells)),
        "idempotencyKey": {
            "name": "Idempotency-Key", "in": "header", "description": text("server.param-idempotency-key"),
            "required": false, "schema": { "type": "string", "maxLength": MAX_KEY },
        },
        "reason": {
            "name": "Hromada-Reason", "in": "header", "description": text("server.param-reason"),
            "required": false, "schema": { "type": "string", "maxLength": MAX_REASON },
        },
        "contentCrs": {
            "name": "Content-Crs", "in": "header", "description": text("server.param-content-crs"),
            "required": false, "schema": { "type": "string" },
        },
        "ifMatch": {
            "name": "If-Match", "in": "header", "description": text("server.param-if-match"),
            "required": false, "schema": { "type": "string" },
        },
    });
    let parameters: Map<String, Json> = [of_queries, others]
        .into_iter()
        .flat_map(|some| some.as_object().cloned().unwrap_or_default())
        .collect();
    json!({
        "parameters": parameters,
        "securitySchemes": {
            "bearer": { "type": "http", "scheme": "bearer", "description": text("server.security-bearer") },
            "basic": { "type": "http", "scheme": "basic", "description": text("server.security-basic") },
        },
        "responses": {
            "problem": {
                "description": text("server.answer-problem"),
                "content": { (problem::MEDIA_TYPE): { "schema": { "$ref": "#/components/schemas/problem" } } },
            },
        },
        "schemas": {
            "problem": {
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": { "type": "string" },
                    "title": { "type": "string" },
                    "status": { "type": "integer" },
                    "detail": { "type": "string" },
                    "instance": { "type": "string" },
                    "key": { "type": "string" },
                },
            },
            "feature": {
                "type": "object",
                "required": ["type", "geometry", "properties"],
                "properties": {
                    "type": { "type": "string", "enum": ["Feature"] },
                    "geometry": { "type": "object", "nullable": true },
                    "properties": { "type": "object", "nullable": true },
                },
            },
        },
    })
}
