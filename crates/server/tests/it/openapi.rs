//! Requirements class OpenAPI 3.0 (OGC 17-069r4 §9), in the shape that the official suite, QGIS and GDAL read.

use serde_json::Value as Json;

use crate::town::Town;

const OPENAPI: &str = "application/vnd.oai.openapi+json;version=3.0";

async fn document(town: &Town) -> Json {
    let answer = town.get_with("/api", &[("accept", OPENAPI)]).await.ok();
    assert_eq!(answer.header("content-type"), OPENAPI);
    answer.json()
}

#[tokio::test]
async fn req_oas30_oas_definition_2_every_reference_is_local_and_resolves() {
    let town = Town::with_edits().await;
    let document = document(&town).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.0."));
    assert_eq!(document["servers"][0]["url"], "http://town.test");
    let mut count = 0;
    check_references(&document, &document, &mut count);
    assert!(count > 50, "{count}");
}

fn check_references(root: &Json, value: &Json, count: &mut usize) {
    match value {
        Json::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Json::as_str) {
                let pointer = reference
                    .strip_prefix('#')
                    .unwrap_or_else(|| panic!("not local: {reference}"));
                assert!(root.pointer(pointer).is_some(), "{reference}");
                *count += 1;
            }
            members
                .values()
                .for_each(|v| check_references(root, v, count));
        }
        Json::Array(values) => values.iter().for_each(|v| check_references(root, v, count)),
        _ => {}
    }
}

#[tokio::test]
async fn req_oas30_completeness_operations_are_whole_and_named_once() {
    let town = Town::with_edits().await;
    let document = document(&town).await;
    let mut ids = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            assert!(
                operation["responses"]
                    .as_object()
                    .is_some_and(|r| !r.is_empty()),
                "{method} {path}"
            );
            let resolved = operation["parameters"].as_array().unwrap().iter().map(|p| {
                match p["$ref"].as_str() {
                    Some(reference) => document.pointer(&reference[1..]).unwrap(),
                    None => p,
                }
            });
            let declared: Vec<&str> = resolved
                .filter(|p| p["in"] == "path")
                .map(|p| p["name"].as_str().unwrap())
                .collect();
            let templated: Vec<&str> = path
                .split('{')
                .skip(1)
                .map(|p| p.split('}').next().unwrap())
                .collect();
            assert_eq!(declared, templated, "{method} {path}");
        }
    }
    let total = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), total, "an operationId comes twice");
    assert!(ids.iter().any(|id| id.contains(".getTile")));
}

#[tokio::test]
async fn req_core_fc_limit_definition_each_collection_refers_to_the_one_limit() {
    let town = Town::new().await;
    let document = document(&town).await;
    for collection in ["parcels", "wells", "roads"] {
        let parameters =
            document["paths"][format!("/collections/{collection}/items")]["get"]["parameters"]
                .as_array()
                .unwrap();
        for name in ["limit", "bbox", "datetime"] {
            let reference = format!("#/components/parameters/{name}");
            assert!(
                parameters.iter().any(|p| p["$ref"] == *reference),
                "{collection} {name}"
            );
        }
        assert!(document["paths"][format!("/collections/{collection}")]["get"].is_object());
    }
    let limit = &document["components"]["parameters"]["limit"];
    let expect =
        serde_json::json!({ "type": "integer", "minimum": 1, "maximum": 10000, "default": 1000 });
    assert_eq!(limit["schema"], expect);
    for name in ["limit", "bbox", "datetime"] {
        let parameter = &document["components"]["parameters"][name];
        assert_eq!(
            (&parameter["in"], &parameter["style"]),
            (&"query".into(), &"form".into())
        );
        assert_eq!(
            (&parameter["explode"], &parameter["required"]),
            (&false.into(), &false.into()),
            "{name}"
        );
    }
    let bbox = &document["components"]["parameters"]["bbox"]["schema"];
    assert_eq!(
        *bbox,
        serde_json::json!({ "type": "array", "minItems": 4, "maxItems": 6, "items": { "type": "number" } })
    );
    assert_eq!(
        document["components"]["parameters"]["datetime"]["schema"]["type"],
        "string"
    );
}

#[tokio::test]
async fn properties_are_declared_as_filters_with_style_and_explode() {
    let town = Town::new().await;
    let document = document(&town).await;
    let parameters = document["paths"]["/collections/parcels/items"]["get"]["parameters"]
        .as_array()
        .unwrap();
    let floors = parameters.iter().find(|p| p["name"] == "floors").unwrap();
    assert_eq!(floors["schema"]["type"], "integer");
    assert_eq!(
        (&floors["style"], &floors["explode"]),
        (&"form".into(), &false.into())
    );
    // Every declared parameter works.
    for p in parameters.iter().filter(|p| p["name"].is_string()) {
        let value = match p["schema"]["type"].as_str().unwrap() {
            "integer" | "number" => "1",
            "boolean" => "true",
            _ if p["schema"]["format"] == "date" => "2020-01-01",
            _ if p["schema"]["format"] == "date-time" => "2020-01-01T00:00:00Z",
            _ => "x",
        };
        town.get(&format!(
            "/collections/parcels/items?{}={value}",
            p["name"].as_str().unwrap()
        ))
        .await
        .ok();
    }
}

#[tokio::test]
async fn every_plain_path_of_the_definition_answers() {
    let town = Town::new().await;
    let document = document(&town).await;
    for path in document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .filter(|p| !p.contains('{') && *p != "/search")
    {
        town.get(path).await.ok();
    }
}

#[tokio::test]
async fn writing_is_in_the_definition_only_when_it_is_allowed() {
    let town = Town::new().await;
    let read_only = document(&town).await;
    assert!(read_only["paths"]["/collections/wells/items"]["post"].is_null());
    let by = format!("Bearer {}", town.editor);
    let editable = town.get_with("/api", &[("authorization", &by)]).await;
    let editable = editable.ok().json();
    assert!(editable["paths"]["/collections/wells/items"]["post"]["requestBody"].is_object());
    assert!(editable["paths"]["/collections/wells/items/{featureId}"]["put"].is_object());
    assert!(
        editable["paths"]["/collections/wells/items/{featureId}"]["delete"]["responses"]["204"]
            .is_object()
    );
}
