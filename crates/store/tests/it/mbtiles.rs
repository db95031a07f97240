//! `MBTiles`: what is written is read again and by other programs, and strangers' files are refused or told, never a panic.

use std::path::Path;

use store::{Error, MbtilesReader, MbtilesTile, MbtilesWriter};

use crate::support::{key, sqlite};

/// 200 tiles of zoom 8, of which every third is the same.
async fn written(file: &Path) {
    let mut writer = MbtilesWriter::create(file).await.unwrap();
    for n in 0..200_u32 {
        writer.add([8, n, n / 2], bytes(n)).await.unwrap();
    }
    assert_eq!(writer.different(), 134);
    let metadata = [("name", "Town".to_owned()), ("format", "pbf".to_owned())];
    writer.finish(&metadata).await.unwrap();
}

fn bytes(n: u32) -> Vec<u8> {
    match n % 3 {
        0 => b"sea".to_vec(),
        _ => format!("tile {n}").into_bytes(),
    }
}

async fn read(file: &Path) -> Result<Vec<MbtilesTile>, Error> {
    let mut reader = MbtilesReader::open(file).await?;
    let mut tiles = Vec::new();
    reader.tiles(&mut |tile| tiles.push(tile)).await?;
    reader.close().await?;
    Ok(tiles)
}

#[tokio::test]
async fn tiles_are_read_as_they_were_written_column_by_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("town.mbtiles");
    written(&file).await;
    let expected = (0..200).map(|n| MbtilesTile {
        zoom: 8,
        column: i64::from(n),
        row: Some(n / 2),
        data: Some(bytes(n)),
    });
    assert_eq!(read(&file).await.unwrap(), expected.collect::<Vec<_>>());
    let mut reader = MbtilesReader::open(&file).await.unwrap();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let metadata = reader.metadata().await.unwrap();
    assert_eq!(metadata, [pair("format", "pbf"), pair("name", "Town")]);
}

#[tokio::test]
async fn other_programs_find_rows_from_the_south_equal_tiles_once_and_what_the_file_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("town.mbtiles");
    written(&file).await;
    let row = "SELECT tile_row FROM tiles WHERE zoom_level = 8 AND tile_column = 10";
    assert_eq!(sqlite(&file, row).trim(), "250");
    assert_eq!(
        sqlite(&file, "SELECT count(*) FROM images").trim(),
        "134",
        "equal tiles are kept once"
    );
    assert_eq!(sqlite(&file, "PRAGMA application_id").trim(), "1297105496");
    assert_eq!(sqlite(&file, "PRAGMA integrity_check").trim(), "ok");
    // By MD5, as readers check it: of "sea".
    let sea = "SELECT count(*) FROM map WHERE tile_id = '804f743824c0451b2f60d81b63b6a900'";
    let known = sqlite(&file, sea);
    assert_eq!(known.trim(), "67", "{known}");
}

#[tokio::test]
async fn the_same_tiles_give_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    written(&a).await;
    written(&b).await;
    assert!(std::fs::read(a).unwrap() == std::fs::read(b).unwrap());
}

#[tokio::test]
async fn what_is_no_tile_set_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.mbtiles");
    let refused = async || key(&read(&file).await.unwrap_err()).to_owned();
    assert_eq!(refused().await, "store.not-mbtiles", "no file");
    std::fs::write(&file, "SQLite format 3\0 and then nothing of it").unwrap();
    assert_eq!(refused().await, "store.not-mbtiles");
    std::fs::remove_file(&file).unwrap();
    sqlite(&file, "CREATE TABLE places (name TEXT)");
    assert_eq!(refused().await, "store.not-mbtiles");
}

#[tokio::test]
async fn whatever_stands_in_rows_comes_out_as_it_is_or_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.mbtiles");
    sqlite(
        &file,
        "CREATE TABLE metadata (name, value);
         INSERT INTO metadata VALUES ('minzoom', 3), (NULL, 'x'), ('format', NULL);
         CREATE TABLE tiles (zoom_level, tile_column, tile_row, tile_data);
         INSERT INTO tiles VALUES (NULL, 1, 1, x'00'), (3, 99, 1, x'01'), (3, 1, 99, x'02'), (200, 0, 0, x'03'),
             ('four', 'x', 'y', 'text'), (2, 1, 1, NULL), (5, -1, -1, 7)",
    );
    let tiles = read(&file).await.unwrap();
    assert_eq!(tiles.len(), 7);
    let sound = tiles.iter().filter(|tile| tile.row.is_some()).count();
    assert!(sound < 7, "{tiles:?}");
    let mut reader = MbtilesReader::open(&file).await.unwrap();
    let found = reader.metadata().await.unwrap();
    assert_eq!(found, [("minzoom".to_owned(), "3".to_owned())]);
}

#[tokio::test]
async fn a_file_that_is_cut_anywhere_is_refused_or_read_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, file) = (folder.path().join("whole"), folder.path().join("cut"));
    written(&whole).await;
    let bytes = std::fs::read(&whole).unwrap();
    for length in (0..bytes.len()).step_by(1_111) {
        std::fs::write(&file, &bytes[..length]).unwrap();
        // SQLite reads what is whole.
        let _ = read(&file).await;
        let mut broken = bytes.clone();
        broken[length..]
            .iter_mut()
            .take(300)
            .for_each(|b| *b ^= 0x5a);
        std::fs::write(&file, &broken).unwrap();
        let _ = read(&file).await;
    }
}
