//! Schemas: OGC API Features Part 5 (OGC 23-058), and the shape that GDAL reads.

use crate::town::{Town, link};

#[tokio::test]
async fn req_schemas_schema_op_is_linked_from_the_collection_and_names_types_titles_units() {
    let town = Town::new().await;
    let collection = town.json("/collections/parcels?lang=uk").await;
    let href = link(
        &collection,
        "http://www.opengis.net/def/rel/ogc/1.0/schema",
        Some("application/schema+json"),
    )
    .unwrap();
    let answer = town.follow(href).await.ok();
    assert_eq!(answer.header("content-type"), "application/schema+json");
    let schema = town.json("/collections/parcels/schema?lang=uk").await;
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(schema["$id"], "http://town.test/collections/parcels/schema");
    assert_eq!(schema["type"], "object");
    let properties = &schema["properties"];
    assert_eq!(properties["area"]["title"], "Площа");
    assert_eq!(properties["area"]["x-ogc-unit"], "m2");
    for (name, kind, format) in [
        ("number", "string", None),
        ("area", "number", None),
        ("floors", "integer", None),
        ("built", "string", Some("date")),
        ("checked", "string", Some("date-time")),
        ("used", "boolean", None),
    ] {
        assert_eq!(properties[name]["type"], kind, "{name}");
        assert_eq!(properties[name]["format"].as_str(), format, "{name}");
    }
    let orders: Vec<i64> = properties
        .as_object()
        .unwrap()
        .values()
        .map(|p| p["x-ogc-propertySeq"].as_i64().unwrap())
        .collect();
    assert!(orders.is_sorted(), "{orders:?}");
}

#[tokio::test]
async fn req_core_roles_features_id_and_geometry_have_their_roles() {
    let town = Town::new().await;
    let parcels = town.json("/collections/parcels/schema").await;
    assert_eq!(parcels["properties"]["number"]["x-ogc-role"], "id");
    assert_eq!(
        parcels["properties"]["geom"]["x-ogc-role"],
        "primary-geometry"
    );
    assert_eq!(parcels["properties"]["geom"]["format"], "geometry-polygon");
    let wells = town.json("/collections/wells/schema").await;
    assert_eq!(wells["properties"]["geom"]["format"], "geometry-point");
}

#[tokio::test]
async fn describedby_is_a_geojson_feature() {
    let town = Town::new().await;
    let collection = town.json("/collections/parcels").await;
    let href = link(&collection, "describedby", Some("application/schema+json")).unwrap();
    let schema = town.follow(href).await.ok().json();
    assert_eq!(
        schema["properties"]["properties"]["properties"]["floors"]["type"],
        "integer"
    );
    assert!(
        schema["properties"]["geometry"]["$ref"]
            .as_str()
            .unwrap()
            .ends_with("/Polygon.json")
    );
    assert_eq!(schema["properties"]["id"]["type"], "string");
}
