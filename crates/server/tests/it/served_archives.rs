//! Archives of tiles beside the town's own: from a file, from the web, by ranges.

use std::io::{Cursor, Read as _};
use std::path::Path;

use serde_json::json;
use server::{ArchiveOption, Options};
use tiles::TileCoord;
use tiles::pmtiles::{Archive, Compression, Writer, tile_coord};

use crate::connection::start_with;
use crate::town::Town;

const TILES: u64 = 6_000;

fn bytes_of(coord: TileCoord) -> Vec<u8> {
    format!("tile {coord:?} ").repeat(20).into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = flate2::read::GzEncoder::new(bytes, flate2::Compression::fast());
    encoder.read_to_end(&mut out).unwrap();
    out
}

/// Enough tiles for leaf directories, the first of each zoom.
fn archive(path: &Path, compression: Compression, name: &str) {
    let mut writer = Writer::new(Cursor::new(Vec::new()), compression);
    for id in 0..TILES {
        let coord = tile_coord(id).unwrap();
        let bytes = bytes_of(coord);
        let bytes = match compression {
            Compression::Gzip => gzip(&bytes),
            Compression::Zstd => zstd::bulk::compress(&bytes, 1).unwrap(),
            _ => bytes,
        };
        writer.add(coord, &bytes).unwrap();
    }
    let metadata = json!({ "name": name, "attribution": "somebody", "vector_layers": [] });
    let mut out = Vec::new();
    writer
        .finish(&mut out, metadata.to_string().as_bytes(), None)
        .unwrap();
    let new = path.with_extension("new");
    std::fs::write(&new, out).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn options(archives: &[(&str, &str)]) -> Options {
    let parse = |(name, place): &(&str, &str)| ArchiveOption::parse(&format!("{name}={place}"));
    Options {
        archives: archives.iter().map(|a| parse(a).unwrap()).collect(),
        ..Options::default()
    }
}

fn path(name: &str, id: u64) -> String {
    let coord = tile_coord(id).unwrap();
    format!("/tiles/{name}/{}/{}/{}", coord.z(), coord.x(), coord.y())
}

#[tokio::test]
async fn a_tile_comes_as_it_is_stored_or_in_a_form_that_the_client_takes() {
    let folder = tempfile::tempdir().unwrap();
    for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
        let file = folder.path().join("base.pmtiles");
        archive(&file, compression, "Base");
        let town = Town::with(&options(&[("base", file.to_str().unwrap())])).await;
        for id in [0, 1, 77, TILES - 1] {
            let whole = bytes_of(tile_coord(id).unwrap());
            for (accept, stored) in [("gzip", Compression::Gzip), ("zstd", Compression::Zstd)] {
                let answer = town
                    .get_with(&path("base", id), &[("accept-encoding", accept)])
                    .await
                    .ok();
                assert_eq!(
                    answer.header("content-type"),
                    "application/vnd.mapbox-vector-tile"
                );
                let coding = answer.header("content-encoding").to_owned();
                // What is not packed stays so: the archive's own choice.
                let is_plain = compression == Compression::None;
                assert_eq!(
                    coding,
                    if is_plain { "" } else { accept },
                    "{compression} {accept}"
                );
                let body = match &*coding {
                    "gzip" => Compression::Gzip
                        .unpack(&answer.body, "it", 1 << 20)
                        .unwrap(),
                    "zstd" => zstd::bulk::decompress(&answer.body, 1 << 20).unwrap(),
                    _ => answer.body.clone(),
                };
                assert_eq!(body, whole, "{compression} {accept} {id}");
                if stored == compression && stored == Compression::Gzip {
                    assert_eq!(answer.body, gzip(&whole), "as it is stored");
                }
            }
            let plain = town.get(&path("base", id)).await.ok();
            assert_eq!(
                (plain.header("content-encoding"), &plain.body),
                ("", &whole)
            );
            let tag = plain.header("etag").to_owned();
            let same = town
                .get_with(&path("base", id), &[("if-none-match", &tag)])
                .await;
            assert_eq!(same.status, 304);
        }
        assert_eq!(town.get(&path("base", TILES)).await.status, 204);
        let json = town.json("/tiles/base").await;
        assert_eq!(
            (&json["name"], &json["attribution"]),
            (&json!("Base"), &json!("somebody"))
        );
        assert_eq!(json["minzoom"], 0);
        assert!(
            json["tiles"][0]
                .as_str()
                .unwrap()
                .ends_with("/tiles/base/{z}/{x}/{y}")
        );
    }
}

#[tokio::test]
async fn another_file_in_its_place_is_served_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("base.pmtiles");
    let town = Town::with(&options(&[("base", file.to_str().unwrap())])).await;
    let missing = town.get(&path("base", 5)).await;
    assert_eq!(
        (missing.status.as_u16(), &*missing.key()),
        (503, "server.archive-unread")
    );
    let told = missing.text();
    let place = folder.path().to_str().unwrap();
    assert!(!told.contains(place), "where it is, is not told: {told}");
    archive(&file, Compression::Gzip, "One");
    // It was looked for a moment ago.
    let soon = town.get(&path("base", 5)).await;
    assert_eq!(
        (soon.status.as_u16(), &*soon.key()),
        (503, "server.archive-unread")
    );
    assert!(!soon.header("retry-after").is_empty());

    let town = Town::with(&options(&[("base", file.to_str().unwrap())])).await;
    let first = town.get(&path("base", TILES - 1)).await.ok();
    archive(&file, Compression::None, "Two");
    let second = town.get(&path("base", TILES - 1)).await.ok();
    assert_eq!(first.body, second.body);
    assert_ne!(first.header("etag"), second.header("etag"));
    assert_eq!(town.json("/tiles/base").await["name"], "Two");
}

#[tokio::test]
async fn a_broken_archive_is_told_and_takes_nothing_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("base.pmtiles");
    archive(&file, Compression::Gzip, "Base");
    let whole = std::fs::read(&file).unwrap();
    for (cut, bytes) in [
        ("nothing", Vec::new()),
        ("text", b"not an archive".to_vec()),
        ("head", whole[..100].to_vec()),
        ("root", whole[..140].to_vec()),
        ("leaves", whole[..whole.len() / 8].to_vec()),
        ("tiles", whole[..whole.len() - 10].to_vec()),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let town = Town::with(&options(&[("base", file.to_str().unwrap())])).await;
        let answer = town.get(&path("base", TILES - 1)).await;
        let told = (answer.status.as_u16(), answer.key());
        assert_eq!(told, (502, "server.archive-broken".to_owned()), "{cut}");
        assert_eq!(town.get("/tiles/wells/0/0/0").await.status, 200, "{cut}");
    }
}

#[tokio::test]
async fn a_collection_takes_precedence_and_others_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("base.pmtiles");
    archive(&file, Compression::Gzip, "Base");
    let town = Town::with(&options(&[("wells", file.to_str().unwrap())])).await;
    let tile = town.get("/tiles/wells/0/0/0").await.ok();
    assert!(tiles::decode::tile(&tile.body).is_ok());
    for path in [
        "/tiles/base/0/0/0",
        "/tiles/base",
        "/archives/base.pmtiles",
        "/archives/wells.pmtiles",
        "/archives/x",
    ] {
        assert_eq!(town.get(path).await.status, 404, "{path}");
    }
    for bad in [
        "base",
        "=x",
        "Base=x",
        "base=",
        "base=ftp://x/y",
        "base=https://u:p@x/y",
    ] {
        assert!(ArchiveOption::parse(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn what_was_exported_is_served_as_it_was() {
    let town = Town::new().await;
    let folder = tempfile::tempdir().unwrap();
    for format in ["pmtiles", "mbtiles"] {
        let file = folder.path().join(format!("town.{format}"));
        let (store, to) = (town.store.clone(), file.clone());
        let choice = server::ArchiveChoice {
            collections: vec!["wells".to_owned(), "roads".to_owned()],
            ..server::ArchiveChoice::default()
        };
        let export = move || {
            let each = &mut |_: &server::ArchiveProgress| std::ops::ControlFlow::Continue(());
            server::export_archive(&store, &choice, &to, each).unwrap();
        };
        tokio::task::spawn_blocking(export).await.unwrap();
        let there = Town::with(&options(&[("old", file.to_str().unwrap())])).await;
        for place in ["0/0/0", "3/4/2", "6/36/21", "6/0/0"] {
            let live = town.get(&format!("/tiles/wells,roads/{place}")).await;
            let old = there.get(&format!("/tiles/old/{place}")).await;
            assert_eq!(
                (live.status, &live.body),
                (old.status, &old.body),
                "{format} {place}"
            );
        }
        let [live, old] = [
            town.json("/tiles/wells,roads").await,
            there.json("/tiles/old").await,
        ];
        for name in ["attribution", "minzoom"] {
            assert_eq!(live[name], old[name], "{format} {name}");
        }
        for at in 0..2 {
            let [live, old] = [&live, &old].map(|json| &json["vector_layers"][at]);
            assert!(live["id"].is_string());
            assert_eq!([&live["id"], &live["fields"]], [&old["id"], &old["fields"]]);
        }
        let raw = there.get("/archives/old.pmtiles").await.status.as_u16();
        assert_eq!(raw, if format == "pmtiles" { 200 } else { 404 });
    }
}

/// Reads by ranges over HTTP, as a map client does.
struct Ranges<'a>(&'a Town);

impl Ranges<'_> {
    async fn whole(&self) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            let range = format!("bytes={}-{}", out.len(), out.len() + 99_999);
            let answer = self
                .0
                .get_with("/archives/base.pmtiles", &[("range", &range)])
                .await;
            match answer.status.as_u16() {
                206 => out.extend(answer.body),
                416 => return out,
                other => panic!("{other}"),
            }
        }
    }
}

#[tokio::test]
async fn clients_read_the_archive_itself_by_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("base.pmtiles");
    archive(&file, Compression::Gzip, "Base");
    let whole = std::fs::read(&file).unwrap();
    assert!(whole.len() > 200_000, "{}", whole.len());
    let town = Town::with(&options(&[("base", file.to_str().unwrap())])).await;
    let all = town.get("/archives/base.pmtiles").await.ok();
    assert_eq!(all.body, whole);
    assert_eq!(all.header("accept-ranges"), "bytes");
    assert_eq!(all.header("content-length"), whole.len().to_string());
    let read = Ranges(&town).whole().await;
    assert_eq!(read, whole);
    let archive = Archive::open(read.as_slice()).unwrap();
    assert_eq!(archive.header().max_zoom, 7);
    let part = town
        .get_with("/archives/base.pmtiles", &[("range", "bytes=0-6")])
        .await;
    assert_eq!((part.status.as_u16(), &*part.body), (206, &b"PMTiles"[..]));
    let tag = part.header("etag").to_owned();
    assert!(
        tag.starts_with('"'),
        "strong, so that pieces may be put together: {tag}"
    );
    let same = town
        .get_with("/archives/base.pmtiles", &[("if-none-match", &tag)])
        .await;
    assert_eq!(same.status, 304);
}

#[tokio::test]
async fn an_archive_is_read_where_it_lies_on_the_web() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("base.pmtiles");
    archive(&file, Compression::Gzip, "Far");
    let far = Town::new().await;
    let given = options(&[("base", file.to_str().unwrap())]);
    let server = start_with(far.store.clone(), given).await;
    let url = format!("http://{}/archives/base.pmtiles", server.address);
    let town = Town::with(&options(&[
        ("near", &url),
        ("none", &url.replace("base", "none")),
    ]))
    .await;
    for id in [0, 3, TILES - 1] {
        let answer = town.get(&path("near", id)).await.ok();
        assert_eq!(answer.body, bytes_of(tile_coord(id).unwrap()));
    }
    assert_eq!(town.get(&path("near", TILES)).await.status, 204);
    assert_eq!(town.get(&path("none", 0)).await.status, 503);
    assert_eq!(town.json("/tiles/near").await["name"], "Far");
    archive(&file, Compression::None, "Far and new");
    let answer = town.get(&path("near", TILES - 2)).await.ok();
    assert_eq!(answer.body, bytes_of(tile_coord(TILES - 2).unwrap()));
    assert_eq!(town.json("/tiles/near").await["name"], "Far and new");
    // What was read is at hand when the network is away, and what was not is told.
    server.end().await;
    town.get(&path("near", TILES - 2)).await.ok();
    let away = town.get(&path("near", 9)).await;
    assert_eq!(
        (away.status.as_u16(), &*away.key()),
        (503, "server.archive-unread")
    );
}

#[tokio::test]
async fn a_silent_host_takes_no_places_from_others() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a.pmtiles", silent.local_addr().unwrap());
    let town = Town::with(&options(&[("far", &url)])).await;
    let asked: Vec<_> = (0..200)
        .map(|id| {
            let router = town.router.clone();
            let request = axum::http::Request::get(path("far", id)).header("host", "town.test");
            let request = request.body(axum::body::Body::empty()).unwrap();
            tokio::spawn(tower::ServiceExt::oneshot(router, request))
        })
        .collect();
    // Those beyond its share are refused at once, and other tiles come.
    let mut refused = 0;
    for _ in 0..200 {
        tokio::task::yield_now().await;
        town.get("/tiles/wells/0/0/0").await.ok();
    }
    for one in &asked {
        refused += usize::from(one.is_finished());
    }
    assert_eq!(refused, 200 - 128);
    asked.iter().for_each(tokio::task::JoinHandle::abort);
}
