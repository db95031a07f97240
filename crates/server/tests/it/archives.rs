//! Whole tile sets as files: tile by tile what the server answers, and nothing that not everybody sees.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use model::world::project;
use model::{Bbox, CollectionId, TileSettings};
use server::{ArchiveChoice, ArchiveReport, export_archive};
use store::{CollectionSettings, Error, MbtilesReader, Store};
use tiles::TileCoord;
use tiles::decode::{self, Value};
use tiles::pmtiles::{Archive, tile_coord, tile_id};
use tiles::verify::Sweep;

use crate::town::{CORNER, SIDE, Town, collection_of, import, square};

const FORMATS: [&str; 2] = ["pmtiles", "mbtiles"];

/// Of a packed tile, by its id.
type Tiles = BTreeMap<u64, Vec<u8>>;

fn of(collections: &[&str], zooms: std::ops::RangeInclusive<u8>) -> ArchiveChoice {
    ArchiveChoice {
        collections: collections.iter().map(|id| (*id).to_owned()).collect(),
        zooms: Some(zooms),
        ..ArchiveChoice::default()
    }
}

async fn export(
    store: &Store,
    choice: &ArchiveChoice,
    file: &Path,
) -> Result<ArchiveReport, Error> {
    stopped_after(usize::MAX, store, choice, file).await.0
}

/// Breaks off after so many tiles; how many there were.
async fn stopped_after(
    most: usize,
    store: &Store,
    choice: &ArchiveChoice,
    file: &Path,
) -> (Result<ArchiveReport, Error>, usize) {
    let (store, choice, file) = (store.clone(), choice.clone(), file.to_owned());
    let work = move || {
        let mut seen = 0;
        let report = export_archive(&store, &choice, &file, &mut |_| {
            seen += 1;
            match seen < most {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        (report, seen)
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn key(refused: Result<ArchiveReport, Error>) -> &'static str {
    refused.unwrap_err().message().unwrap().key()
}

async fn tiles_of(file: &Path) -> Tiles {
    if file.extension().unwrap() == "pmtiles" {
        let archive = Archive::open(File::open(file).unwrap()).unwrap();
        let entries = archive.entries().map(Result::unwrap);
        return entries
            .flat_map(|entry| {
                let bytes = archive.read(&entry).unwrap();
                entry.ids().map(move |id| (id, bytes.clone()))
            })
            .collect();
    }
    let mut tiles = Tiles::new();
    let mut reader = MbtilesReader::open(file).await.unwrap();
    let mut each = |tile: store::MbtilesTile| {
        let zoom = tile.zoom.try_into().unwrap();
        let at = TileCoord::new(zoom, tile.column.try_into().unwrap(), tile.row.unwrap()).unwrap();
        tiles.insert(tile_id(at), tile.data.unwrap());
    };
    reader.tiles(&mut each).await.unwrap();
    tiles
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    std::io::copy(&mut GzDecoder::new(bytes), &mut out).unwrap();
    out
}

/// What the server answers to anybody; nothing where nothing shows.
async fn served(town: &Town, ids: &str, tile: TileCoord) -> Vec<u8> {
    let url = format!("/tiles/{ids}/{}/{}/{}", tile.z(), tile.x(), tile.y());
    let answer = town.get(&url).await;
    assert!(answer.status == 200 || answer.status == 204, "{url}");
    answer.body
}

fn at(z: u8, lon: f64, lat: f64) -> TileCoord {
    TileCoord::containing(z, project(lon, lat)).unwrap()
}

/// Tiles around a place, and all of the first zooms.
fn around(zooms: std::ops::RangeInclusive<u8>, [lon, lat]: [f64; 2], far: u32) -> Vec<TileCoord> {
    let mut all = Vec::new();
    for z in zooms {
        let middle = at(z, lon, lat);
        let side = 1_u32 << z;
        let (columns, rows) = match z < 5 {
            true => (0..side, 0..side),
            false => {
                let near = |v: u32| v.saturating_sub(far)..(v + far + 1).min(side);
                (near(middle.x()), near(middle.y()))
            }
        };
        all.extend(
            columns.flat_map(|x| rows.clone().map(move |y| TileCoord::new(z, x, y).unwrap())),
        );
    }
    all
}

/// Letters that do not pack.
fn noise(seed: u64, long: usize) -> String {
    const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    let mut state = seed;
    let letter = |_| {
        // Knuth's generator, of which the first bits are good.
        state = state.wrapping_mul(6_364_136_223_846_793_005);
        state = state.wrapping_add(1_442_695_040_888_963_407);
        char::from(LETTERS[(state >> 58) as usize])
    };
    (0..long).map(letter).collect()
}

/// A place after which there is room for all plots in one tile of each zoom up to 14.
fn place() -> [f64; 2] {
    let tile = at(10, CORNER[0], CORNER[1]).bounds();
    [0, 1].map(|k| tile.min[k] + (tile.max[k] - tile.min[k]) * 0.27)
}

/// Plots that touch, each with a text so long, and lamps that crowd.
async fn with_small_ones(long: usize) -> Town {
    let town = Town::with_edits().await;
    let [x0, y0] = place();
    let plots: Vec<String> = (0..900_u64)
        .map(|n| {
            let [x, y] = [n % 30, n / 30].map(|k| k as f64 * 0.0002);
            let (geometry, text) = (square([x0 + x, y0 + y], 0.0002), noise(n, long));
            format!("{{\"type\":\"Feature\",\"properties\":{{\"n\":{n},\"text\":\"{text}\"}},\"geometry\":{geometry}}}")
        })
        .collect();
    let lamps: Vec<String> = (0..1_000)
        .map(|n| {
            let [x, y] = [x0 + f64::from(n % 50) * 2e-5, y0 + f64::from(n / 50) * 2e-5];
            format!("{{\"type\":\"Feature\",\"properties\":{{}},\"geometry\":{{\"type\":\"Point\",\"coordinates\":[{x},{y}]}}}}")
        })
        .collect();
    for (id, features) in [("plots", plots), ("lamps", lamps)] {
        let (store, folder) = (&town.store, town.folder.path());
        let settings = CollectionSettings::default();
        import(store, folder, id, &collection_of(&features), None, settings).await;
    }
    town
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tile_is_what_the_server_answers_and_no_other_tile_shows_anything() {
    let town = with_small_ones(1).await;
    let ids = ["plots", "lamps", "wells", "roads", "parcels"];
    let mut by_format = Vec::new();
    for format in FORMATS {
        let file = town.folder.path().join(format!("town.{format}"));
        let report = export(&town.store, &of(&ids, 0..=16), &file).await.unwrap();
        let tiles = tiles_of(&file).await;
        assert_eq!(report.tiles, tiles.len() as u64);
        assert_eq!(report.coarser, []);
        by_format.push(tiles);
    }
    let tiles = &by_format[0];
    assert!(*tiles == by_format[1], "both formats have the same tiles");
    let ids = ids.join(",");
    for (id, packed) in tiles {
        let tile = tile_coord(*id).unwrap();
        assert!(
            unpacked(packed) == served(&town, &ids, tile).await,
            "{tile:?}"
        );
    }
    let near = [CORNER, place()];
    for tile in near.into_iter().flat_map(|place| around(0..=16, place, 3)) {
        let is_there = tiles.contains_key(&tile_id(tile));
        assert_eq!(
            is_there,
            !served(&town, &ids, tile).await.is_empty(),
            "{tile:?}"
        );
    }
    // Beyond what is near: at the edges of the world.
    for place in [[179.9, 66.0], [-179.9, 66.0], [0.0, 85.0], [-180.0, 0.0]] {
        for tile in around(5..=8, place, 1) {
            let is_there = tiles.contains_key(&tile_id(tile));
            assert_eq!(
                is_there,
                !served(&town, &ids, tile).await.is_empty(),
                "{tile:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_on_from_wherever_it_was_cut_and_gives_the_same_bytes() {
    let town = Town::new().await;
    let folder = town.folder.path();
    let choice = of(&["parcels", "roads"], 12..=15);
    for format in FORMATS {
        let file = folder.join(format!("town.{format}"));
        let part = folder.join(format!("town.{format}.part"));
        let (report, seen) = stopped_after(usize::MAX, &town.store, &choice, &file).await;
        let report = report.unwrap();
        assert!(!part.exists());
        let whole = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let (stopped, _) = stopped_after(seen, &town.store, &choice, &file).await;
        assert_eq!(key(stopped), "server.archive-stopped");
        assert!(!file.exists());
        let finished = std::fs::read(&part).unwrap();
        let ends = records(&finished);
        assert_eq!(ends.len() as u64 - 1, report.tiles);
        for (tiles, end) in ends.iter().enumerate() {
            for more in [0, 1, 19, 25] {
                let cut = (end + more).min(finished.len());
                std::fs::write(&part, &finished[..cut]).unwrap();
                let report = export(&town.store, &choice, &file).await.unwrap();
                let is_whole = ends.iter().filter(|end| **end <= cut).count() - 1;
                assert_eq!(report.resumed, is_whole as u64, "{tiles} {more}");
                assert!(!report.is_anew);
                assert!(std::fs::read(&file).unwrap() == whole, "{tiles} {more}");
            }
        }
        // In the head, and where a power cut left something else.
        for cut in [0, 3, 30, 45, ends[0] - 1] {
            std::fs::write(&part, &finished[..cut]).unwrap();
            assert_eq!(
                export(&town.store, &choice, &file).await.unwrap().resumed,
                0
            );
            assert!(std::fs::read(&file).unwrap() == whole);
        }
        let mut broken = finished.clone();
        broken[ends[2] + 22] ^= 1;
        std::fs::write(&part, &broken).unwrap();
        assert_eq!(
            export(&town.store, &choice, &file).await.unwrap().resumed,
            2
        );
        assert!(std::fs::read(&file).unwrap() == whole);
        let left = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name());
        let left: Vec<_> = left
            .filter(|n| n.to_string_lossy().contains(".part"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Where the head and each record of a `.part` file end.
fn records(bytes: &[u8]) -> Vec<usize> {
    let line = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
    let length = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut ends = vec![line + 4 + length(line) + 8];
    while ends[ends.len() - 1] < bytes.len() {
        let at = ends[ends.len() - 1];
        ends.push(at + 20 + length(at + 8));
    }
    ends
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_finished_of_other_data_or_another_choice_is_of_no_use() {
    let town = Town::with_edits().await;
    let file = town.folder.path().join("town.pmtiles");
    let choice = of(&["parcels"], 12..=14);
    let stop = async || {
        let stopped = stopped_after(3, &town.store, &choice, &file).await.0;
        assert_eq!(key(stopped), "server.archive-stopped");
    };
    stop().await;
    let other = of(&["parcels"], 12..=15);
    let report = export(&town.store, &other, &file).await.unwrap();
    assert!(report.is_anew && report.resumed == 0);
    let before = std::fs::read(&file).unwrap();
    stop().await;
    assert!(
        std::fs::read(&file).unwrap() == before,
        "the old one is there until the new one is whole"
    );
    let path = "/collections/parcels/items/2610100000:01:000:0000";
    let gone = town
        .request(axum::http::Method::DELETE, path, &[], "")
        .await;
    assert_eq!(gone.status, 204, "{}", gone.text());
    let report = export(&town.store, &choice, &file).await.unwrap();
    assert!(report.is_anew && report.resumed == 0);
}

async fn rule(town: &Town, collection: &str, rules: &str) {
    let id = CollectionId::new(collection).unwrap();
    let access = store::access_from_text(rules).unwrap();
    town.store.set_access("test", &id, access).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_anybody_sees_gets_into_an_archive() {
    let town = Town::new().await;
    rule(&town, "wells", r#"{"class":"staff"}"#).await;
    let hidden = r#"{"class":"public","properties":{"floors":{"from":"staff"}}}"#;
    rule(&town, "parcels", hidden).await;
    let folder = town.folder.path();
    for format in FORMATS {
        let file = folder.join(format!("town.{format}"));
        let all = ArchiveChoice::default();
        let report = export(&town.store, &all, &file).await.unwrap();
        assert_eq!(report.collections, ["parcels", "roads"]);
        assert_eq!(report.zooms, 0..=16);
        let (layers, keys) = words(&file).await;
        assert_eq!(layers, ["parcels", "roads"]);
        assert!(!keys.iter().any(|key| key == "floors"), "{keys:?}");
        assert!(keys.iter().any(|key| key == "number"), "{keys:?}");
        let told = String::from_utf8_lossy(&metadata(&file).await).into_owned();
        assert!(
            told.contains("number") && !told.contains("floors") && !told.contains("wells"),
            "{told}"
        );
        let refused = export(&town.store, &of(&["parcels", "wells"], 0..=9), &file).await;
        assert_eq!(key(refused), "server.archive-not-public");
        let refused = export(&town.store, &of(&["nothing"], 0..=9), &file).await;
        assert_eq!(key(refused), "server.archive-no-collection");
        // For the town's own use everything is there.
        let whole = ArchiveChoice {
            whole: true,
            ..ArchiveChoice::default()
        };
        let report = export(&town.store, &whole, &file).await.unwrap();
        assert_eq!(report.collections, ["parcels", "roads", "wells"]);
        let (layers, keys) = words(&file).await;
        assert_eq!(layers, ["parcels", "roads", "wells"]);
        assert!(keys.iter().any(|key| key == "floors"), "{keys:?}");
    }
}

/// Names of layers and of properties in all tiles.
async fn words(file: &Path) -> (Vec<String>, Vec<String>) {
    let (mut layers, mut keys) = (Vec::new(), Vec::new());
    for packed in tiles_of(file).await.values() {
        for layer in decode::tile(&unpacked(packed)).unwrap().layers {
            keys.extend(layer.keys.iter().map(|key| key.to_string()));
            layers.push(layer.name.to_string());
        }
    }
    for words in [&mut layers, &mut keys] {
        words.sort_unstable();
        words.dedup();
    }
    (layers, keys)
}

/// As JSON, from both formats.
async fn metadata(file: &Path) -> Vec<u8> {
    if file.extension().unwrap() == "pmtiles" {
        let archive = Archive::open(File::open(file).unwrap()).unwrap();
        return archive.metadata().unwrap();
    }
    let mut reader = MbtilesReader::open(file).await.unwrap();
    let rows = reader.metadata().await.unwrap();
    let map: HashMap<String, String> = rows.into_iter().collect();
    serde_json::to_vec(&map).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_say_the_same_of_the_tiles() {
    let town = Town::new().await;
    let choice = of(&["parcels", "roads"], 3..=14);
    let files: Vec<PathBuf> = FORMATS
        .iter()
        .map(|format| town.folder.path().join(format!("town.{format}")))
        .collect();
    for file in &files {
        export(&town.store, &choice, file).await.unwrap();
    }
    let json: serde_json::Value = serde_json::from_slice(&metadata(&files[0]).await).unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&metadata(&files[1]).await).unwrap();
    let tilejson = town.json("/tiles/parcels,roads").await;
    assert_eq!(json["name"], tilejson["name"]);
    assert_eq!(json["attribution"], tilejson["attribution"]);
    for (at, layer) in json["vector_layers"].as_array().unwrap().iter().enumerate() {
        let served = &tilejson["vector_layers"][at];
        for name in ["id", "description", "fields"] {
            assert_eq!(layer[name], served[name]);
        }
    }
    assert_eq!(json["vector_layers"][0]["minzoom"], 5, "parcels begin at 5");
    assert_eq!(json["vector_layers"][1]["minzoom"], 3);
    assert_eq!(json["vector_layers"][0]["maxzoom"], 14);
    for name in ["name", "attribution", "generator", "type"] {
        assert_eq!(json[name], rows[name], "{name}");
    }
    let edges = |v: &serde_json::Value| v.to_string().trim_matches(['[', ']']).to_owned();
    assert_eq!(rows["bounds"], edges(&tilejson["bounds"]));
    assert_eq!([&rows["minzoom"], &rows["maxzoom"]], ["3", "14"]);
    assert_eq!(rows["format"], "pbf");
    let layers: serde_json::Value = serde_json::from_str(rows["json"].as_str().unwrap()).unwrap();
    assert_eq!(layers["vector_layers"], json["vector_layers"]);
    let archive = Archive::open(File::open(&files[0]).unwrap()).unwrap();
    let header = archive.header();
    assert_eq!((header.min_zoom, header.max_zoom), (3, 14));
    let bounds = [header.bounds.min, header.bounds.max].concat();
    assert_eq!(serde_json::json!(bounds), tilejson["bounds"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_and_zooms_choose_tiles_that_stay_whole() {
    let town = Town::new().await;
    let file = town.folder.path().join("town.pmtiles");
    let all = of(&["parcels"], 15..=16);
    export(&town.store, &all, &file).await.unwrap();
    let every = tiles_of(&file).await;
    // The first parcel.
    let [x, y] = CORNER;
    let choice = ArchiveChoice {
        bbox: Some(Bbox::new(&[x, y, x + SIDE / 2.0, y + SIDE / 2.0]).unwrap()),
        ..all.clone()
    };
    export(&town.store, &choice, &file).await.unwrap();
    let some = tiles_of(&file).await;
    assert!(!some.is_empty() && some.len() < every.len());
    for (id, bytes) in &every {
        let tile = tile_coord(*id).unwrap();
        let (first, last) = (
            at(tile.z(), x, y + SIDE / 2.0),
            at(tile.z(), x + SIDE / 2.0, y),
        );
        let meets = (first.x()..=last.x()).contains(&tile.x())
            && (first.y()..=last.y()).contains(&tile.y());
        assert_eq!(some.get(id), meets.then_some(bytes), "{tile:?}");
    }
    let far = ArchiveChoice {
        bbox: Some(Bbox::new(&[x + 5.0, y, x + 6.0, y + 1.0]).unwrap()),
        ..all.clone()
    };
    assert_eq!(
        key(export(&town.store, &far, &file).await),
        "server.archive-empty"
    );
    // Parcels show from 5 to 16.
    assert_eq!(
        key(export(&town.store, &of(&["parcels"], 0..=4), &file).await),
        "server.archive-zooms"
    );
    let report = export(&town.store, &of(&["parcels"], 0..=22), &file)
        .await
        .unwrap();
    assert_eq!(report.zooms, 5..=16);
    let named = town.folder.path().join("town.zip");
    assert_eq!(
        key(export(&town.store, &all, &named).await),
        "server.archive-format"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_tiles_are_kept_once() {
    let town = Town::new().await;
    let lake = format!(
        "{{\"type\":\"Feature\",\"properties\":{{}},\"geometry\":{}}}",
        square([24.0, 48.0], 1.0)
    );
    let (store, folder) = (&town.store, town.folder.path());
    import(
        store,
        folder,
        "lakes",
        &collection_of(&[lake]),
        None,
        CollectionSettings::default(),
    )
    .await;
    for format in FORMATS {
        let file = folder.join(format!("lakes.{format}"));
        let report = export(store, &of(&["lakes"], 12..=12), &file)
            .await
            .unwrap();
        assert!(
            report.tiles > 100 && report.different < report.tiles / 2,
            "{report:?}"
        );
        let mut packed: Vec<Vec<u8>> = tiles_of(&file).await.into_values().collect();
        packed.sort_unstable();
        packed.dedup();
        assert_eq!(packed.len() as u64, report.different);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zoom_with_a_tile_that_is_too_heavy_is_coarser_in_all_of_its_tiles() {
    // 900 plots in one tile of zoom 14 are some 800 kB.
    let town = with_small_ones(1_200).await;
    let file = town.folder.path().join("plots.pmtiles");
    let choice = of(&["plots"], 10..=15);
    let report = export(&town.store, &choice, &file).await.unwrap();
    assert!(
        report.coarser.contains(&("plots".to_owned(), 14)),
        "{report:?}"
    );
    let tiles = tiles_of(&file).await;
    assert!(tiles.values().all(|packed| packed.len() < 500_000));
    let mut sweep = Sweep::new();
    for (id, packed) in &tiles {
        sweep.add(tile_coord(*id).unwrap(), &unpacked(packed));
    }
    let found = sweep.finish();
    assert_eq!(
        (found.seams.apart, found.seams.lacking),
        (0, 0),
        "{found:?}"
    );
    assert_eq!(found.invalid_features(), 0);
    // The server comes to the same once it has seen the heavy ones, packed as they are here.
    for id in tiles.keys() {
        let tile = tile_coord(*id).unwrap();
        let url = format!("/tiles/plots/{}/{}/{}", tile.z(), tile.x(), tile.y());
        town.get_with(&url, &[("accept-encoding", "gzip")])
            .await
            .ok();
    }
    for (id, packed) in &tiles {
        let tile = tile_coord(*id).unwrap();
        assert!(
            unpacked(packed) == served(&town, "plots", tile).await,
            "{tile:?}"
        );
    }
    // And so does one that was broken off after that.
    let whole = std::fs::read(&file).unwrap();
    let seen = stopped_after(usize::MAX, &town.store, &choice, &file)
        .await
        .1;
    let (stopped, _) = stopped_after(seen, &town.store, &choice, &file).await;
    assert_eq!(key(stopped), "server.archive-stopped");
    let again = export(&town.store, &choice, &file).await.unwrap();
    assert!(again.resumed > 0);
    assert_eq!(again.coarser, report.coarser);
    assert!(std::fs::read(&file).unwrap() == whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_exports_do_not_share_a_file_and_nothing_of_others_is_written_over() {
    let town = Town::new().await;
    let file = town.folder.path().join("town.pmtiles");
    let part = town.folder.path().join("town.pmtiles.part");
    let choice = of(&["parcels"], 12..=13);
    let held = File::create(&part).unwrap();
    held.lock().unwrap();
    assert_eq!(
        key(export(&town.store, &choice, &file).await),
        "server.archive-busy"
    );
    drop(held);
    std::fs::write(&part, "a download that a browser has begun").unwrap();
    assert_eq!(
        key(export(&town.store, &choice, &file).await),
        "server.archive-part-foreign"
    );
    assert_eq!(
        std::fs::read_to_string(&part).unwrap(),
        "a download that a browser has begun"
    );
    assert!(!file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn zooms_of_each_collection_hold_in_an_archive_of_several() {
    let town = Town::new().await;
    let point = r#"{"type":"Feature","properties":{"a":1},"geometry":{"type":"Point","coordinates":[24.7102,48.9203]}}"#;
    let settings = CollectionSettings {
        tiles: Some(TileSettings {
            min_zoom: 9,
            max_zoom: 10,
            ..TileSettings::default()
        }),
        ..CollectionSettings::default()
    };
    let (store, folder) = (&town.store, town.folder.path());
    import(
        store,
        folder,
        "trees",
        &collection_of(&[point.to_owned()]),
        None,
        settings,
    )
    .await;
    let file = folder.join("town.pmtiles");
    let report = export(store, &of(&["trees", "roads"], 7..=12), &file)
        .await
        .unwrap();
    assert_eq!(report.zooms, 7..=12);
    for (id, packed) in tiles_of(&file).await {
        let z = tile_coord(id).unwrap().z();
        let decoded = decode::tile(&unpacked(&packed)).unwrap();
        for layer in &decoded.layers {
            assert!(layer.name != "trees" || (9..=10).contains(&z), "zoom {z}");
            let ids = layer.features.iter().filter_map(|f| layer.property(f, "a"));
            assert!(ids.into_iter().all(|value| *value == Value::Int(1)));
        }
    }
}
