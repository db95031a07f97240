//! Tiles of what a filter leaves, and with the properties that are asked for.

use std::collections::BTreeSet;

use axum::http::Method;
use model::world::project;
use serde_json::{Value as Json, json};
use tiles::decode::{self, Layer, Value};
use tiles::{TileCoord, check};

use crate::town::{CORNER, GRID, SIDE, Town};

/// A tile with all parcels in it, each by itself.
fn whole() -> String {
    let tile = TileCoord::containing(9, project(CORNER[0] + SIDE, CORNER[1] + SIDE)).unwrap();
    let (x, y) = (tile.x(), tile.y());
    format!("/tiles/parcels/{}/{x}/{y}", tile.z())
}

async fn layer(town: &Town, query: &str) -> Option<Layer> {
    let answer = town.get(&format!("{}{query}", whole())).await;
    if answer.status == 204 {
        return None;
    }
    let tile = decode::tile(&answer.ok().body).unwrap();
    check::tile(&tile).unwrap();
    tile.layers.into_iter().next()
}

/// Text ids of a tile and those of all features by the same filter.
async fn both(town: &Town, query: &str) -> [BTreeSet<String>; 2] {
    let layer = layer(town, query).await;
    let features = layer.iter().flat_map(|layer| &layer.features);
    let ids = features.map(
        |feature| match layer.as_ref().unwrap().property(feature, "_id") {
            Some(Value::Text(id)) => id.clone(),
            other => panic!("{other:?}"),
        },
    );
    let ids = ids.collect();
    let page = format!("/collections/parcels/items{query}&limit=1000&f=json");
    let page = town.json(&page).await;
    let features = page["features"].as_array().unwrap().iter();
    let items = features.map(|f| f["id"].as_str().unwrap().to_owned());
    [ids, items.collect()]
}

#[tokio::test]
async fn a_tile_has_the_features_that_items_have_by_the_same_filter() {
    let town = Town::new().await;
    let [x, y] = CORNER;
    let (right, top) = (x + SIDE * 2.5, y + SIDE * 1.5);
    // Through no corner of a parcel.
    let (left, low, far) = (x - SIDE * 0.2, y - SIDE * 0.5, SIDE * 5.7);
    let (most, high) = (left + far, low + far);
    let large = format!("POLYGON(({left}%20{low},{most}%20{low},{most}%20{high},{left}%20{low}))");
    let wedge = format!("POLYGON(({x}%20{y},{right}%20{y},{right}%20{top},{x}%20{y}))");
    for (filter, is_part) in [
        ("floors=2".to_owned(), true),
        ("floors%20IN%20(1,3)%20AND%20used=false".to_owned(), true),
        ("area%20%3E%20110".to_owned(), true),
        ("number%20LIKE%20'%25'".to_owned(), false),
        ("checked%20IS%20NULL".to_owned(), true),
        (format!("S_INTERSECTS(geom,{wedge})"), true),
        (
            format!("NOT%20S_INTERSECTS(geom,{wedge})%20OR%20floors=0"),
            true,
        ),
        (format!("S_WITHIN(geom,{large})"), true),
        (
            format!("S_INTERSECTS(geom,BBOX({x},{y},{right},{top}))"),
            true,
        ),
    ] {
        let [tile, items] = both(&town, &format!("?filter={filter}")).await;
        assert_eq!(tile, items, "{filter}");
        let all = usize::try_from(GRID.0 * GRID.1).unwrap();
        assert_eq!(!items.is_empty() && items.len() < all, is_part, "{filter}");
    }
    let json = json!({"op": "=", "args": [{"property": "floors"}, 2]}).to_string();
    let json = json
        .replace('"', "%22")
        .replace(['{'], "%7B")
        .replace('}', "%7D");
    let [tile, items] = both(&town, &format!("?filter-lang=cql2-json&filter={json}")).await;
    assert_eq!(tile, items);
    assert!(layer(&town, "?filter=floors=77").await.is_none());
}

#[tokio::test]
async fn a_filter_that_does_not_fit_is_refused_with_its_place() {
    let town = Town::new().await;
    for (ids, query, key) in [
        ("parcels", "?filter=floors%20%3D", None),
        ("parcels", "?filter=nothing=1", None),
        ("parcels,wells", "?filter=floors=1", None),
        (
            "parcels",
            "?filter-lang=sql&filter=floors=1",
            Some("server.filter-lang"),
        ),
        ("parcels", "?filter=floors=1&filter-crs=EPSG:1", None),
        (
            "parcels",
            "?properties=floors,nothing",
            Some("server.select-unknown"),
        ),
        (
            "parcels",
            "?propertys=floors",
            Some("server.parameter-unknown"),
        ),
    ] {
        for path in [
            format!("/tiles/{ids}/0/0/0{query}"),
            format!("/tiles/{ids}{query}"),
        ] {
            let answer = town.get(&path).await;
            assert_eq!(answer.status, 400, "{path}: {}", answer.text());
            if let Some(key) = key {
                assert_eq!(answer.key(), key, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn a_tile_has_the_properties_that_are_asked_for() {
    let town = Town::new().await;
    for (query, names) in [
        ("?properties=floors", vec!["_id", "floors"]),
        ("?properties=used,%20area", vec!["_id", "area", "used"]),
        // Not among those that the collection has chosen for its tiles.
        ("?properties=owner", vec!["_id", "owner"]),
        ("?properties=", vec!["_id"]),
        ("?properties=floors&filter=used=true", vec!["_id", "floors"]),
    ] {
        let layer = layer(&town, query).await.unwrap();
        let feature = &layer.features[0];
        for name in ["_id", "number", "owner", "area", "floors", "used"] {
            let has = layer.property(feature, name).is_some();
            assert_eq!(has, names.contains(&name), "{query} {name}");
        }
    }
}

#[tokio::test]
async fn an_edit_shows_in_a_narrowed_tile_at_once() {
    let town = Town::with_edits().await;
    let query = "?filter=floors=77";
    assert!(layer(&town, query).await.is_none());
    let page = town.json("/collections/parcels/items?limit=2&f=json").await;
    let path = |n: usize| {
        let id = page["features"][n]["id"].as_str().unwrap();
        format!("/collections/parcels/items/{}", id.replace(':', "%3A"))
    };
    for (n, floors, count) in [(0, 77, 1), (1, 77, 2), (0, 3, 1), (1, 3, 0)] {
        let body = json!({"type": "Feature", "properties": {"floors": floors}}).to_string();
        let patch = [("content-type", "application/merge-patch+json")];
        let done = town.request(Method::PATCH, &path(n), &patch, body).await;
        assert!(done.status.is_success(), "{}", done.text());
        let now = layer(&town, query).await;
        assert_eq!(now.map_or(0, |layer| layer.features.len()), count);
    }
}

#[tokio::test]
async fn the_description_of_narrowed_tiles_names_them() {
    let town = Town::new().await;
    let query = "?filter=floors%20%3E%201&properties=floors";
    let json = town.json(&format!("/tiles/parcels{query}")).await;
    let template = json["tiles"][0].as_str().unwrap();
    let tile = whole();
    let place: Vec<&str> = tile.split('/').skip(3).collect();
    let url = template
        .replace("{z}", place[0])
        .replace("{x}", place[1])
        .replace("{y}", place[2]);
    let got = town.follow(&url).await.ok();
    let same = town.get(&format!("{tile}{query}")).await.ok();
    assert_eq!(got.body, same.body);
    let fields = json["vector_layers"][0]["fields"].as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["floors"]);
    assert_ne!(fields["floors"], Json::Null);
}
