//! OGC API Tiles: lists, tilesets and the tile matrix set (OGC 20-057, OGC 17-083r4), and TileJSON 3.0.

use serde_json::{Value as Json, json};

use crate::town::{Town, link};

const REL: &str = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector";

#[tokio::test]
async fn req_tiles_dataset_tilesets_is_linked_from_the_landing_page() {
    let town = Town::new().await;
    let href = link(&town.json("/").await, REL, None).unwrap().to_owned();
    assert!(
        href.starts_with("http://") && href.contains("/tiles"),
        "{href}"
    );
    check_list(&town, &href).await;
}

#[tokio::test]
async fn req_tiles_geodata_tilesets_is_linked_from_each_collection() {
    let town = Town::new().await;
    for id in ["parcels", "wells", "roads"] {
        let href = link(&town.json(&format!("/collections/{id}")).await, REL, None)
            .unwrap()
            .to_owned();
        assert!(href.ends_with("/tiles"), "{href}");
        check_list(&town, &href).await;
    }
}

/// What the official suite reads in a list, and the tiles at the ends of the limits.
async fn check_list(town: &Town, href: &str) {
    let list = town.follow(href).await.ok().json();
    let item = &list["tilesets"][0];
    assert_eq!(item["tileMatrixSetId"], "WebMercatorQuad");
    assert_eq!(
        item["tileMatrixSetURI"],
        "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
    );
    assert_eq!(item["dataType"], "vector");
    let template = link(item, "item", Some("application/vnd.mapbox-vector-tile")).unwrap();
    let tile = async |matrix: &str, row: i64, col: i64| {
        let url = template
            .replace("{tileMatrix}", matrix)
            .replace("{tileRow}", &row.to_string())
            .replace("{tileCol}", &col.to_string());
        town.follow(&url).await.status.as_u16()
    };
    for limits in item["tileMatrixSetLimits"].as_array().unwrap() {
        let matrix = limits["tileMatrix"].as_str().unwrap();
        let number = |name: &str| limits[name].as_i64().unwrap();
        let (max_row, min_col, max_col) = (
            number("maxTileRow"),
            number("minTileCol"),
            number("maxTileCol"),
        );
        assert!(
            number("minTileRow") <= max_row && min_col <= max_col,
            "{limits}"
        );
        assert!(
            [200, 204].contains(&tile(matrix, max_row, min_col).await),
            "{href} {limits}"
        );
        assert_eq!(
            tile(matrix, max_row + 1, min_col).await,
            404,
            "{href} {limits}"
        );
        assert_eq!(
            tile(matrix, max_row, max_col + 1).await,
            404,
            "{href} {limits}"
        );
        assert_eq!(tile(matrix, 2_147_483_647, 2_147_483_647).await, 404);
    }
    let own = link(item, "self", Some("application/json")).unwrap();
    let alone = town.follow(own).await.ok().json();
    assert_eq!(&alone, item, "the item is the tileset");
    let scheme = link(
        item,
        "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme",
        None,
    )
    .unwrap();
    assert_eq!(
        town.follow(scheme).await.ok().json()["id"],
        "WebMercatorQuad"
    );
}

#[tokio::test]
async fn req_tiles_collections_selection_takes_some_of_the_dataset() {
    let town = Town::new().await;
    let two = town
        .json("/tiles/WebMercatorQuad?collections=parcels,roads")
        .await;
    let ids: Vec<&Json> = two["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| &l["id"])
        .collect();
    assert_eq!(ids, ["parcels", "roads"]);
    assert!(
        link(&two, "item", None)
            .unwrap()
            .ends_with("?collections=parcels,roads")
    );
    assert_eq!(
        town.get("/tiles/WebMercatorQuad?collections=none")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn req_tms_json_tilematrixset_has_every_matrix() {
    let town = Town::new().await;
    let list = town.json("/tileMatrixSets").await;
    let href = link(&list["tileMatrixSets"][0], "self", None).unwrap();
    let set = town.follow(href).await.ok().json();
    assert_eq!(set["orderedAxes"], json!(["X", "Y"]));
    let matrices = set["tileMatrices"].as_array().unwrap();
    assert_eq!(matrices.len(), 25);
    for (zoom, matrix) in matrices.iter().enumerate() {
        assert_eq!(matrix["id"], zoom.to_string());
        assert_eq!(matrix["matrixWidth"], 1_u64 << zoom);
        assert_eq!(matrix["cornerOfOrigin"], "topLeft");
    }
    assert_eq!(matrices[0]["scaleDenominator"], 559_082_264.028_717_9);
}

#[tokio::test]
async fn tilejson_names_layers_fields_bounds_and_tiles() {
    let town = Town::new().await;
    let doc = town.json("/tiles/parcels,roads?lang=en").await;
    assert_eq!(doc["tilejson"], "3.0.0");
    assert_eq!(
        doc["tiles"],
        json!(["http://town.test/tiles/parcels,roads/{z}/{x}/{y}"])
    );
    assert_eq!((&doc["minzoom"], &doc["maxzoom"]), (&0.into(), &18.into()));
    let layers = doc["vector_layers"].as_array().unwrap();
    assert_eq!(layers[0]["id"], "parcels");
    assert_eq!(
        layers[0]["fields"],
        json!({ "number": "String", "floors": "Number" })
    );
    assert_eq!(
        (&layers[0]["minzoom"], &layers[0]["maxzoom"]),
        (&5.into(), &16.into())
    );
    assert_eq!(doc["attribution"], "© Громада <script>");
    let [w, s, e, n] = [0, 1, 2, 3].map(|i| doc["bounds"][i].as_f64().unwrap());
    assert!(w < e && s < n);
    let [x, y] = [0, 1].map(|i| doc["center"][i].as_f64().unwrap());
    assert!(w <= x && x <= e && s <= y && y <= n);
    let doubled = town.json("/tiles/roads,parcels,roads").await;
    assert_eq!(doubled["vector_layers"].as_array().unwrap().len(), 2);
}
