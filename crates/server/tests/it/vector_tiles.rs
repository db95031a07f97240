//! Vector tiles: what is in them, in which coding, and that none is ever stale.

use std::io::Read as _;

use axum::body::Body;
use axum::http::Method;
use model::world::project;
use serde_json::json;
use tiles::decode::{self, Layer, Value};
use tiles::{TileCoord, check};

use store::CollectionSettings;

use crate::town::{Answer, CORNER, GRID, SIDE, Town, collection_of, import, number};

const MVT: &str = "application/vnd.mapbox-vector-tile";

fn tile_at(z: u8, lon: f64, lat: f64) -> TileCoord {
    TileCoord::containing(z, project(lon, lat)).unwrap()
}

fn path(ids: &str, at: TileCoord) -> String {
    format!("/tiles/{ids}/{}/{}/{}", at.z(), at.x(), at.y())
}

fn layer(answer: &Answer, name: &str) -> Layer {
    let tile = decode::tile(&answer.body).unwrap();
    check::tile(&tile).unwrap();
    tile.layers.into_iter().find(|l| l.name == name).unwrap()
}

#[tokio::test]
async fn req_tiles_mvt_a_tile_decodes_to_valid_layers_named_by_collection() {
    let town = Town::new().await;
    let at = tile_at(9, CORNER[0] + 0.0025, CORNER[1] + 0.003);
    let answer = town.get(&path("parcels,roads", at)).await.ok();
    assert_eq!(answer.header("content-type"), MVT);
    let parcels = layer(&answer, "parcels");
    assert_eq!((parcels.version, parcels.extent), (2, 4096));
    assert_eq!(
        parcels.features.len(),
        usize::try_from(GRID.0 * GRID.1).unwrap()
    );
    assert_eq!(layer(&answer, "roads").features.len(), 1);
    let first = &parcels.features[0];
    assert_eq!(
        parcels.property(first, "number"),
        Some(&Value::Text(number(0, 0)))
    );
    assert_eq!(
        parcels.property(first, "_id"),
        Some(&Value::Text(number(0, 0))),
        "the id of the API is a text"
    );
    assert_eq!(parcels.property(first, "floors"), Some(&Value::Int(0)));
    assert_eq!(
        parcels.property(first, "owner"),
        None,
        "not among the properties of tiles"
    );
    let wells = town
        .get(&path("wells", tile_at(14, 24.7105, 48.9205)))
        .await
        .ok();
    let wells = layer(&wells, "wells");
    assert_eq!(wells.features[0].id, Some(1));
    assert_eq!(
        wells.property(&wells.features[0], "_id"),
        None,
        "the id of the API is the integer"
    );
}

#[tokio::test]
async fn the_ogc_paths_give_the_same_tile_row_before_column() {
    let town = Town::new().await;
    let at = tile_at(15, CORNER[0] + SIDE, CORNER[1] + SIDE);
    let short = town.get(&path("parcels", at)).await.ok();
    for suffix in [".mvt", ".pbf"] {
        assert_eq!(
            town.get(&format!("{}{suffix}", path("parcels", at)))
                .await
                .ok()
                .body,
            short.body
        );
    }
    let ogc = town
        .get(&format!(
            "/collections/parcels/tiles/WebMercatorQuad/{}/{}/{}",
            at.z(),
            at.y(),
            at.x()
        ))
        .await
        .ok();
    assert_eq!(ogc.body, short.body);
    assert_eq!(ogc.header("etag"), short.header("etag"));
    let dataset = town
        .get(&format!(
            "/tiles/WebMercatorQuad/{}/{}/{}?collections=parcels",
            at.z(),
            at.y(),
            at.x()
        ))
        .await
        .ok();
    assert_eq!(dataset.body, short.body);
    let all = town
        .get(&format!(
            "/tiles/WebMercatorQuad/{}/{}/{}",
            at.z(),
            at.y(),
            at.x()
        ))
        .await
        .ok();
    assert!(decode::tile(&all.body).unwrap().layers.len() > 1);
}

#[tokio::test]
async fn an_empty_tile_has_no_body_and_no_coding() {
    let town = Town::new().await;
    for tile in [
        "/tiles/parcels/14/0/0",
        "/tiles/parcels/0/0/0",
        "/tiles/parcels/17/0/0",
    ] {
        let answer = town
            .get_with(tile, &[("accept-encoding", "gzip, br, zstd")])
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.len()),
            (204, 0),
            "{tile}"
        );
        assert_eq!(answer.header("content-encoding"), "", "{tile}");
    }
}

#[tokio::test]
async fn features_at_the_edges_of_the_world_are_in_the_tiles_there() {
    let town = Town::new().await;
    let ids = async |tile: &str| -> Vec<u64> {
        let answer = town.get(tile).await;
        if answer.status == 204 {
            return Vec::new();
        }
        layer(&answer, "wells")
            .features
            .iter()
            .map(|f| f.id.unwrap())
            .collect()
    };
    // Seven wells have a geometry; those past 85.05° lie on the edge of the square.
    let all = ids("/tiles/wells/0/0/0").await;
    for id in [1, 2, 3, 4, 5, 6, 8] {
        assert!(all.contains(&id), "{id}: {all:?}");
    }
    assert!(!all.contains(&7));
    let east = tile_at(4, 179.9, 66.0);
    let west = tile_at(4, -179.9, 66.0);
    assert_eq!((east.x(), west.x()), (15, 0));
    let [east, west] = [
        ids(&path("wells", east)).await,
        ids(&path("wells", west)).await,
    ];
    assert!(
        east.contains(&3) && east.contains(&4),
        "the buffer goes over the antimeridian: {east:?}"
    );
    assert!(west.contains(&4) && west.contains(&3), "{west:?}");
}

#[tokio::test]
async fn tiles_come_in_every_coding_with_one_content_and_one_tag() {
    let town = Town::new().await;
    let url = path("parcels", tile_at(14, CORNER[0] + SIDE, CORNER[1] + SIDE));
    let plain = town.get(&url).await.ok();
    assert_eq!(plain.header("content-encoding"), "");
    let mut tags = vec![plain.header("etag").to_owned()];
    for (accept, coding) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip;q=0.5, br;q=0.9", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
    ] {
        let answer = town
            .get_with(&url, &[("accept-encoding", accept)])
            .await
            .ok();
        assert_eq!(answer.header("content-encoding"), coding, "{accept}");
        assert!(
            answer
                .header("vary")
                .to_ascii_lowercase()
                .contains("accept-encoding")
        );
        let mut unpacked = Vec::new();
        match coding {
            "gzip" => {
                _ = flate2::read::GzDecoder::new(&*answer.body)
                    .read_to_end(&mut unpacked)
                    .unwrap()
            }
            "br" => {
                _ = brotli::Decompressor::new(&*answer.body, 4096)
                    .read_to_end(&mut unpacked)
                    .unwrap()
            }
            _ => unpacked = zstd::decode_all(&*answer.body).unwrap(),
        }
        assert_eq!(unpacked, plain.body, "{accept}");
        let tag = answer.header("etag").to_owned();
        assert!(tag.starts_with("W/"), "it may be packed anew: {tag}");
        let again = town
            .get_with(
                &url,
                &[("accept-encoding", accept), ("if-none-match", &tag)],
            )
            .await;
        assert_eq!(
            (
                again.status.as_u16(),
                again.body.len(),
                again.header("etag")
            ),
            (304, 0, tag.as_str())
        );
        assert_eq!(again.header("cache-control"), "no-cache");
        assert!(
            again
                .header("vary")
                .to_ascii_lowercase()
                .contains("accept-encoding")
        );
        tags.push(tag);
    }
    tags.dedup();
    assert_eq!(tags.len(), 1, "one content: {tags:?}");
}

async fn move_well(town: &Town, id: i64, lon: f64, lat: f64) {
    let body = json!({ "type": "Feature", "properties": { "depth": 1 }, "geometry": { "type": "Point", "coordinates": [lon, lat] } });
    let headers = [("content-type", "application/geo+json")];
    town.request(
        Method::PUT,
        &format!("/collections/wells/items/{id}"),
        &headers,
        body.to_string(),
    )
    .await
    .ok();
}

#[tokio::test]
async fn a_change_shows_at_once_and_touches_only_the_tiles_of_its_old_and_new_place() {
    let town = Town::with_edits().await;
    let (from, to, far) = ([24.7105, 48.9205], [24.8, 48.9], [24.72, 48.93]);
    let tiles = [from, to, far].map(|[x, y]| path("wells", tile_at(16, x, y)));
    let read = async |i: usize| {
        let answer = town.get(&tiles[i]).await;
        (answer.status.as_u16(), answer.header("etag").to_owned())
    };
    let before = [read(0).await, read(1).await, read(2).await];
    assert_eq!(before.each_ref().map(|b| b.0), [200, 204, 200]);
    move_well(&town, 1, to[0], to[1]).await;
    let after = [read(0).await, read(1).await, read(2).await];
    assert_eq!(after.each_ref().map(|b| b.0), [204, 200, 200]);
    assert_eq!(after[2], before[2], "a tile elsewhere stays as it is");
    // The same place again: the content is the same, and so is the tag.
    move_well(&town, 1, from[0], from[1]).await;
    move_well(&town, 1, to[0], to[1]).await;
    assert_eq!(read(1).await, after[1]);
    let metrics = town.get("/metrics").await.ok().text();
    let misses: u64 = metrics
        .lines()
        .find_map(|l| l.strip_prefix("hromada_tile_cache_misses "))
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        misses <= 3 + 2 + 1,
        "only touched tiles were cut again: {misses}"
    );
}

#[tokio::test]
async fn a_change_beside_a_tile_shows_in_its_buffer() {
    let town = Town::with_edits().await;
    let at = tile_at(16, 24.7105, 48.9205);
    let bounds = at.bounds();
    let width = bounds.max[0] - bounds.min[0];
    // Within 64 of 4096 pixels east of the tile, and well beyond.
    move_well(&town, 1, bounds.max[0] + width * 0.01, 48.9205).await;
    assert_eq!(
        layer(&town.get(&path("wells", at)).await.ok(), "wells")
            .features
            .len(),
        1
    );
    move_well(&town, 1, bounds.max[0] + width * 0.05, 48.9205).await;
    assert_eq!(town.get(&path("wells", at)).await.status, 204);
}

#[tokio::test]
async fn more_changes_than_are_remembered_leave_nothing_stale() {
    let town = Town::with_edits().await;
    let (here, there) = ([24.7105, 48.9205], [24.72, 48.93]);
    let first = path("wells", tile_at(16, here[0], here[1]));
    town.get(&first).await.ok();
    move_well(&town, 1, 10.0, 10.0).await;
    for i in 0..600 {
        move_well(&town, 2, there[0] + f64::from(i) * 1e-6, there[1]).await;
    }
    assert_eq!(town.get(&first).await.status, 204);
}

#[tokio::test]
async fn readers_during_edits_see_each_edit_that_was_acknowledged() {
    let town = Town::with_edits().await;
    let at = tile_at(15, 24.7105, 48.9205);
    let url = path("wells", at);
    for round in 0..40 {
        let lon = 24.7105 + f64::from(round) * 1e-5;
        let noise = futures_util::future::join_all((0..8).map(|_| town.get(&url)));
        let ((), answers) =
            futures_util::future::join(move_well(&town, 1, lon, 48.9205), noise).await;
        answers.iter().for_each(|a| assert_eq!(a.status, 200));
        let shown = layer(&town.get(&url).await.ok(), "wells");
        let x = shown
            .features
            .iter()
            .find(|f| f.id == Some(1))
            .map(|f| match &f.geometry {
                decode::Geometry::Points(points) => points[0][0],
                other => panic!("{other:?}"),
            });
        let world = i64::from(project(lon, 48.9205)[0]) - (i64::from(at.x()) << 17);
        let expect = (world + 16) >> 5;
        assert!(
            (i64::from(x.unwrap()) - expect).abs() <= 1,
            "round {round}: {x:?} {expect}"
        );
    }
}

#[tokio::test]
async fn without_a_cache_tiles_are_cut_each_time_and_are_the_same() {
    let town = Town::new().await;
    let options = server::Options {
        tile_cache_bytes: 0,
        ..server::Options::default()
    };
    let plain = Town {
        router: server::router(town.store.clone(), &options),
        ..town
    };
    let url = path("parcels", tile_at(14, CORNER[0], CORNER[1]));
    let first = plain.get(&url).await.ok();
    let second = plain
        .request(Method::GET, &url, &[], Body::empty())
        .await
        .ok();
    assert_eq!(
        (first.body.clone(), first.header("etag")),
        (second.body.clone(), second.header("etag"))
    );
}

#[tokio::test]
async fn a_property_named_as_the_id_does_not_take_its_place() {
    let town = Town::new().await;
    let feature = json!({
        "type": "Feature", "properties": { "_id": "stolen", "kind": "x" },
        "geometry": { "type": "Point", "coordinates": CORNER },
    });
    let file = collection_of(&[feature.to_string()]);
    let settings = CollectionSettings::default();
    import(
        &town.store,
        town.folder.path(),
        "odd",
        &file,
        None,
        settings,
    )
    .await;
    let at = tile_at(12, CORNER[0], CORNER[1]);
    let odd = layer(&town.get(&path("odd", at)).await.ok(), "odd");
    assert_eq!(odd.property(&odd.features[0], "_id"), None);
    assert_eq!(
        odd.property(&odd.features[0], "kind"),
        Some(&Value::Text("x".to_owned()))
    );
}
