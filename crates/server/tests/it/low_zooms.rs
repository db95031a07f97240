//! Low zooms: small parcels as blocks, near points as clusters, none of it stale or of what a reader may not see.

use axum::http::Method;
use model::world::project;
use model::{LowZooms, TileSettings};
use serde_json::json;
use store::CollectionSettings;
use tiles::decode::{self, Geometry, Layer, Value};
use tiles::{TileCoord, check};

use crate::history::moment;
use crate::town::{CORNER, Town, collection_of, import, square};

/// Degrees across a plot: five screen pixels at zoom 14, one at 12.
const PLOT: f64 = 0.0002;

/// Plots side by side.
const SIDE: i32 = 30;

fn at(z: u8, lon: f64, lat: f64) -> TileCoord {
    TileCoord::containing(z, project(lon, lat)).unwrap()
}

/// A place after which there is room for all plots in one tile of each zoom up to 14.
fn base() -> [f64; 2] {
    let tile = at(10, CORNER[0], CORNER[1]).bounds();
    [0, 1].map(|k| tile.min[k] + (tile.max[k] - tile.min[k]) * 0.27)
}

fn plot(row: i32, column: i32) -> [f64; 2] {
    let [x, y] = base();
    [x + f64::from(column) * PLOT, y + f64::from(row) * PLOT]
}

/// With 900 plots that leave no gap, and `low_zooms` for them.
async fn town(low_zooms: Option<LowZooms>) -> Town {
    let town = Town::with_edits().await;
    let features: Vec<String> = (0..SIDE * SIDE)
        .map(|n| {
            let geometry = square(plot(n / SIDE, n % SIDE), PLOT);
            format!("{{\"type\":\"Feature\",\"properties\":{{\"n\":{n}}},\"geometry\":{geometry}}}")
        })
        .collect();
    let settings = CollectionSettings {
        tiles: Some(TileSettings {
            low_zooms,
            ..TileSettings::default()
        }),
        ..CollectionSettings::default()
    };
    let (store, folder) = (&town.store, town.folder.path());
    import(
        store,
        folder,
        "plots",
        &collection_of(&features),
        None,
        settings,
    )
    .await;
    town
}

async fn read(town: &Town, ids: &str, tile: TileCoord, more: &str) -> (Option<Layer>, String) {
    let url = format!("/tiles/{ids}/{}/{}/{}{more}", tile.z(), tile.x(), tile.y());
    // What was is not for everybody.
    let by = format!("Bearer {}", town.editor);
    let answer = town.get_with(&url, &[("authorization", &by)]).await;
    let tag = answer.header("etag").to_owned();
    if answer.status == 204 {
        return (None, tag);
    }
    let decoded = decode::tile(&answer.ok().body).unwrap();
    check::tile(&decoded).unwrap();
    (decoded.layers.into_iter().next(), tag)
}

async fn gone(town: &Town, path: &str) {
    let answer = town.request(Method::DELETE, path, &[], String::new()).await;
    assert_eq!(answer.status, 204, "{path}");
}

/// Square pixels that the polygons of a layer cover.
fn area(layer: &Layer) -> f64 {
    let rings = layer.features.iter().flat_map(|f| match &f.geometry {
        Geometry::Rings(rings) => rings.clone(),
        _ => Vec::new(),
    });
    let twice: i64 = rings
        .map(|ring| {
            let next = ring.iter().skip(1).chain(ring.first());
            ring.iter()
                .zip(next)
                .map(|(a, b)| i64::from(a[0]) * i64::from(b[1]) - i64::from(b[0]) * i64::from(a[1]))
                .sum::<i64>()
        })
        .sum();
    twice as f64 / 2.0
}

#[tokio::test]
async fn small_parcels_are_one_block_at_a_low_zoom_and_themselves_at_a_deeper_one() {
    let town = town(None).await;
    let middle = plot(SIDE / 2, SIDE / 2);
    let deep = at(14, middle[0], middle[1]);
    let (layer, _) = read(&town, "plots", deep, "").await;
    let layer = layer.unwrap();
    assert!(layer.features.len() > 500, "{}", layer.features.len());
    assert!(layer.features.iter().all(|f| f.id.is_some()));
    for z in [8, 10, 12] {
        let tile = at(z, middle[0], middle[1]);
        let (layer, _) = read(&town, "plots", tile, "").await;
        let layer = layer.unwrap();
        assert_eq!(layer.features.len(), 1, "zoom {z}");
        assert_eq!(layer.features[0].id, None);
        assert!(
            layer.features[0].tags.is_empty(),
            "it stands for no single one"
        );
    }
    // As large as the plots are, half a step more or less around it.
    let (layer, _) = read(&town, "plots", at(12, middle[0], middle[1]), "").await;
    let pixels = |degrees: f64| degrees / 360.0 * f64::from(1 << 12) * 4096.0;
    let wide = pixels(PLOT * f64::from(SIDE));
    let high = wide / CORNER[1].to_radians().cos();
    let drawn = area(&layer.unwrap());
    let (least, most) = ((wide - 4.0) * (high - 5.0), (wide + 4.0) * (high + 5.0));
    assert!((least..most).contains(&drawn), "{drawn}: {least} to {most}");
}

#[tokio::test]
async fn a_change_shows_in_the_blocks_of_every_zoom_and_nowhere_else() {
    let town = town(None).await;
    let middle = plot(SIDE / 2, SIDE / 2);
    let near = [9, 10, 12].map(|z| at(z, middle[0], middle[1]));
    let far = at(12, middle[0] + 1.0, middle[1]);
    let mut before = Vec::new();
    for tile in near {
        let (layer, tag) = read(&town, "plots", tile, "").await;
        before.push((area(&layer.unwrap()), tag));
    }
    let elsewhere = read(&town, "plots", far, "").await.1;
    let headers = [("content-type", "application/geo+json")];
    // Nine rows of plots go.
    for n in 0..SIDE * 9 {
        let path = format!("/collections/plots/items/{}", n + 1);
        gone(&town, &path).await;
    }
    for (tile, (was, tag)) in near.into_iter().zip(before) {
        let (layer, now) = read(&town, "plots", tile, "").await;
        let share = area(&layer.unwrap()) / was;
        assert!((0.6..0.8).contains(&share), "{tile:?}: {share}");
        assert_ne!(now, tag);
    }
    assert_eq!(read(&town, "plots", far, "").await.1, elsewhere);
    // A new plot far from the others is in the picture at once.
    let geometry = square([middle[0] + 0.02, middle[1]], PLOT * 2.0);
    let body =
        format!("{{\"type\":\"Feature\",\"properties\":{{\"n\":1}},\"geometry\":{geometry}}}");
    let made = town
        .request(Method::POST, "/collections/plots/items", &headers, body)
        .await;
    assert_eq!(made.status, 201);
    let tile = at(11, middle[0] + 0.02, middle[1]);
    let (layer, _) = read(&town, "plots", tile, "").await;
    assert_eq!(layer.unwrap().features.len(), 2);
}

#[tokio::test]
async fn a_low_zoom_as_of_a_moment_shows_what_was() {
    let town = town(None).await;
    let middle = plot(SIDE / 2, SIDE / 2);
    let tile = at(10, middle[0], middle[1]);
    let before = read(&town, "plots", tile, "").await.0.unwrap();
    let then = moment().await;
    for n in 0..SIDE * 15 {
        let path = format!("/collections/plots/items/{}", n + 1);
        gone(&town, &path).await;
    }
    let now = read(&town, "plots", tile, "").await.0.unwrap();
    assert!(area(&now) < area(&before) * 0.7);
    let was = read(&town, "plots", tile, &format!("?as-of={then}"))
        .await
        .0
        .unwrap();
    assert_eq!(was.to_string(), before.to_string());
}

#[tokio::test]
async fn near_points_are_clusters_whose_counts_add_up_and_single_ones_keep_their_id() {
    let town = Town::with_edits().await;
    let [x0, y0] = base();
    let point = |x: f64, y: f64| {
        json!({ "type": "Feature", "properties": { "kind": "lamp" }, "geometry": { "type": "Point", "coordinates": [x, y] } }).to_string()
    };
    let mut features: Vec<String> = (0..2_000)
        .map(|n| {
            let [x, y] = [n % 50, n / 50].map(f64::from);
            point(x0 + x * 1e-5, y0 + y * 1e-5)
        })
        .collect();
    features.push(point(x0 + 0.03, y0));
    let (store, folder) = (&town.store, town.folder.path());
    let settings = CollectionSettings::default();
    import(
        store,
        folder,
        "lamps",
        &collection_of(&features),
        None,
        settings,
    )
    .await;
    let tile = at(10, x0, y0);
    let counted = |layer: &Layer| -> i64 {
        let count = |f| match layer.property(f, "_count") {
            Some(Value::Int(count)) => *count,
            None => 1,
            other => panic!("{other:?}"),
        };
        layer.features.iter().map(count).sum()
    };
    let (layer, _) = read(&town, "lamps", tile, "").await;
    let layer = layer.unwrap();
    assert!(layer.features.len() < 10, "{}", layer.features.len());
    assert_eq!(counted(&layer), 2_001);
    let single: Vec<_> = layer.features.iter().filter(|f| f.id.is_some()).collect();
    assert_eq!(single.len(), 1);
    assert_eq!(single[0].id, Some(2_001));
    assert_eq!(
        layer.property(single[0], "kind"),
        Some(&Value::Text("lamp".to_owned()))
    );
    // One that goes is counted no more.
    gone(&town, "/collections/lamps/items/7").await;
    assert_eq!(
        counted(&read(&town, "lamps", tile, "").await.0.unwrap()),
        2_000
    );
    // Deep enough all are there by themselves.
    let (layer, _) = read(&town, "lamps", at(17, x0, y0), "").await;
    assert!(layer.unwrap().features.iter().all(|f| f.id.is_some()));
}

#[tokio::test]
async fn a_collection_that_is_to_be_kept_is_drawn_one_by_one_at_every_zoom() {
    let town = town(Some(LowZooms::Keep)).await;
    let middle = plot(SIDE / 2, SIDE / 2);
    let (layer, _) = read(&town, "plots", at(11, middle[0], middle[1]), "").await;
    let layer = layer.unwrap();
    assert_eq!(layer.features.len(), usize::try_from(SIDE * SIDE).unwrap());
    assert!(layer.features.iter().all(|f| f.id.is_some()));
}

#[tokio::test]
async fn polygons_are_clusters_where_that_is_asked_for() {
    let town = town(Some(LowZooms::Cluster)).await;
    let middle = plot(SIDE / 2, SIDE / 2);
    let (layer, _) = read(&town, "plots", at(9, middle[0], middle[1]), "").await;
    let layer = layer.unwrap();
    let counts = layer
        .features
        .iter()
        .map(|f| match (&f.geometry, layer.property(f, "_count")) {
            (Geometry::Points(_), Some(Value::Int(count))) => *count,
            other => panic!("{other:?}"),
        });
    assert_eq!(counts.sum::<i64>(), i64::from(SIDE * SIDE));
}

#[tokio::test]
async fn clusters_count_long_shapes_too_wherever_their_box_ends() {
    let town = Town::with_edits().await;
    let [x0, y0] = base();
    // Strips a hundred times as long as wide: the middle of the square around one lies far from it.
    let features: Vec<String> = (0..400)
        .map(|n| {
            let (x, y) = (
                x0 + f64::from(n % 20) * 0.02,
                y0 + f64::from(n / 20) * 0.002,
            );
            let (e, n) = (x + 0.01, y + 0.0001);
            json!({ "type": "Feature", "properties": {}, "geometry": { "type": "Polygon",
                "coordinates": [[[x, y], [e, y], [e, n], [x, n], [x, y]]] } })
            .to_string()
        })
        .collect();
    let settings = CollectionSettings {
        tiles: Some(TileSettings {
            low_zooms: Some(LowZooms::Heat),
            ..TileSettings::default()
        }),
        ..CollectionSettings::default()
    };
    let (store, folder) = (&town.store, town.folder.path());
    let file = collection_of(&features);
    import(store, folder, "strips", &file, None, settings).await;
    let (layer, _) = read(&town, "strips", at(5, x0, y0), "").await;
    let layer = layer.unwrap();
    let count = |f| match layer.property(f, "_count") {
        Some(Value::Int(count)) => *count,
        _ => 1,
    };
    let (found, all) = (layer.features.iter().map(count).sum::<i64>(), 400);
    assert_eq!(found, all);
}

#[tokio::test]
async fn a_collection_that_is_less_than_a_pixel_is_a_pixel() {
    let town = town(None).await;
    let middle = plot(SIDE / 2, SIDE / 2);
    for z in [0, 3] {
        let (layer, _) = read(&town, "plots", at(z, middle[0], middle[1]), "").await;
        let layer = layer.unwrap();
        assert_eq!(layer.features.len(), 1, "zoom {z}");
        assert_eq!(layer.features[0].id, None);
    }
    let beside = at(3, middle[0] + 90.0, middle[1]);
    assert!(read(&town, "plots", beside, "").await.0.is_none());
}

#[tokio::test]
async fn low_zooms_of_other_grids_show_blocks_too() {
    let town = town(None).await;
    let middle = plot(SIDE / 2, SIDE / 2);
    // Zoom 11 of WorldCRS84Quad has tiles of 180 / 2^11 degrees.
    let size = 180.0 / f64::from(1 << 11);
    let [col, row] = [(middle[0] + 180.0) / size, (90.0 - middle[1]) / size].map(|v| v as u32);
    let url = format!("/collections/plots/tiles/WorldCRS84Quad/11/{row}/{col}");
    let decoded = decode::tile(&town.get(&url).await.ok().body).unwrap();
    check::tile(&decoded).unwrap();
    assert_eq!(decoded.layers[0].features.len(), 1);
    let pixels = PLOT * f64::from(SIDE) / size * 4096.0;
    let drawn = area(&decoded.layers[0]).sqrt();
    assert!((drawn - pixels).abs() < 5.0, "{drawn} {pixels}");
}

#[tokio::test]
async fn a_low_zoom_shows_what_a_filter_leaves_and_follows_its_edits() {
    let town = town(None).await;
    let [x, y] = base();
    let tile = at(11, x, y);
    let (all, tag) = read(&town, "plots", tile, "").await;
    let (same, same_tag) = read(&town, "plots", tile, "?filter=n%20%3E=0").await;
    assert_eq!((all.as_ref(), &tag), (same.as_ref(), &same_tag));
    let half = format!("?filter=n%20%3C%20{}", SIDE * SIDE / 2);
    let (some, some_tag) = read(&town, "plots", tile, &half).await;
    let (whole, part) = (area(&all.unwrap()), area(&some.unwrap()));
    let share = part / whole;
    assert!((0.4..0.6).contains(&share), "{share}");
    assert!(
        read(&town, "plots", tile, "?filter=n%20%3C%200")
            .await
            .0
            .is_none()
    );
    // One that the filter leaves goes.
    gone(&town, "/collections/plots/items/1").await;
    let (_, now) = read(&town, "plots", tile, &half).await;
    assert_ne!(now, some_tag);
    // One that it does not leave.
    gone(&town, &format!("/collections/plots/items/{}", SIDE * SIDE)).await;
    assert_eq!(read(&town, "plots", tile, &half).await.1, now);
}
