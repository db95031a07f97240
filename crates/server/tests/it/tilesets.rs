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

/// The same features on every grid, where each CRS has them.
#[tokio::test]
async fn req_tileset_every_tile_matrix_set_has_the_features_where_its_crs_has_them() {
    let town = Town::new().await;
    let sets = town.json("/tileMatrixSets").await;
    let ids: Vec<&str> = sets["tileMatrixSets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| set["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids,
        ["WebMercatorQuad", "WorldCRS84Quad", "UCS2000Zone8Quad"]
    );
    let list = town.json("/collections/parcels/tiles").await;
    let tilesets = list["tilesets"].as_array().unwrap();
    assert_eq!(tilesets.len(), 3);
    for (id, tileset) in ids.iter().zip(tilesets) {
        assert_eq!(tileset["tileMatrixSetId"], *id);
        let definition = town.json(&format!("/tileMatrixSets/{id}")).await;
        assert_eq!(definition["id"], *id);
        let limits = tileset["tileMatrixSetLimits"].as_array().unwrap();
        let deepest = limits.last().unwrap();
        let number = |name: &str| deepest[name].as_u64().unwrap();
        let matrix = deepest["tileMatrix"].as_str().unwrap();
        let matrices = definition["tileMatrices"].as_array().unwrap();
        let found = matrices.iter().find(|m| m["id"] == matrix).unwrap();
        let cell = found["cellSize"].as_f64().unwrap();
        let corner = [0, 1].map(|i| found["pointOfOrigin"][i].as_f64().unwrap());
        // The corner of the first parcel, in the CRS of the set, x first.
        let crs = tileset["crs"].as_str().unwrap();
        let path = format!(
            "/collections/parcels/items/{}?crs={}",
            crate::town::number(0, 0),
            crate::crawl::escaped(crs)
        );
        let feature = town.json(&path).await;
        let at = &feature["geometry"]["coordinates"][0][0];
        let is_north_first = *id == "UCS2000Zone8Quad";
        let order = |pair: [f64; 2]| {
            if is_north_first {
                [pair[1], pair[0]]
            } else {
                pair
            }
        };
        let [x, y] = order([at[0].as_f64().unwrap(), at[1].as_f64().unwrap()]);
        let [west, north] = order(corner);
        let size = cell * 256.0;
        let (column, row) = ((x - west) / size, (north - y) / size);
        let mut seen = std::collections::BTreeSet::new();
        for row in number("minTileRow")..=number("maxTileRow") {
            for column in number("minTileCol")..=number("maxTileCol") {
                let path = format!("/collections/parcels/tiles/{id}/{matrix}/{row}/{column}");
                let answer = town.get(&path).await;
                assert!([200, 204].contains(&answer.status.as_u16()), "{path}");
                if answer.status == 200 {
                    let layers = tiles::decode::tile(&answer.body).unwrap().layers;
                    seen.extend(layers[0].features.iter().filter_map(|f| f.id));
                }
            }
        }
        assert_eq!(seen.len(), 30, "{id}");
        let path = format!(
            "/collections/parcels/tiles/{id}/{matrix}/{}/{}",
            row.floor() as u64,
            column.floor() as u64
        );
        let tile = town.get(&path).await.ok();
        let layers = tiles::decode::tile(&tile.body).unwrap().layers;
        let pixel = [column, row].map(|v| (v.fract() * 4096.0).round() as i32);
        let is_near = |p: &[i32; 2]| (0..2).all(|i| (p[i] - pixel[i]).abs() <= 1);
        let first = layers[0].features.iter().find(|f| f.id == Some(1)).unwrap();
        let tiles::decode::Geometry::Rings(rings) = &first.geometry else {
            panic!("{first:?}");
        };
        assert!(
            rings.concat().iter().any(is_near),
            "{id}: {pixel:?} {rings:?}"
        );
        let outside = format!("/collections/parcels/tiles/{id}/{matrix}/0/0");
        assert_eq!(town.get(&outside).await.status, 404);
        let dataset = format!(
            "/tiles/{id}/{matrix}/{}/{}",
            row.floor() as u64,
            column.floor() as u64
        );
        assert_eq!(town.get(&dataset).await.status, 200);
        assert_eq!(
            town.json(&format!("/tiles/{id}")).await["tileMatrixSetId"],
            *id
        );
    }
    assert_eq!(town.get("/tileMatrixSets/None").await.status, 404);
}
