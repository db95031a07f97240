//! Exports: where they may be written, and what a whole file holds.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use formats::Format;
use store::{Error, ExportReport};

use crate::guards::sqlite;
use crate::support::{Fixture, collection, feature, job, key, square};

const FORMATS: [Format; 2] = [Format::GeoJson, Format::GeoPackage];

async fn export(fixture: &Fixture, file: &Path, format: Format) -> Result<ExportReport, Error> {
    store::export(&fixture.store, "parcels", file, format, &mut |_| {}).await
}

#[tokio::test]
async fn an_export_over_the_stores_own_files_is_refused() {
    let fixture = Fixture::with_parcels().await;
    let folder = fixture.folder.path();
    let link = folder.join("link.gpkg");
    symlink(store::FILE_NAME, &link).unwrap();
    let hard = folder.join("hard.gpkg");
    std::fs::hard_link(fixture.store.file(), &hard).unwrap();
    let own = [
        "hromada.gpkg",
        "hromada.gpkg-wal",
        "hromada.gpkg-journal",
        "hromada.lock",
    ];
    let own = own.map(|name| folder.join(name));
    for file in own.iter().chain([&link, &hard]) {
        for format in FORMATS {
            let refused = export(&fixture, file, format).await.unwrap_err();
            assert_eq!(key(&refused), "store.target-is-store", "{}", file.display());
        }
    }
    assert!(fixture.store.check(true).await.unwrap().is_clean());
    assert_eq!(
        sqlite(&fixture.store.file(), "SELECT count(*) FROM parcels").trim(),
        "3"
    );
}

#[tokio::test]
async fn only_regular_files_are_replaced_and_they_keep_their_rights() {
    let fixture = Fixture::with_parcels().await;
    let folder = fixture.folder.path();
    let fifo = folder.join("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    for format in FORMATS {
        for target in [folder, fifo.as_path()] {
            let refused = export(&fixture, target, format).await.unwrap_err();
            assert_eq!(
                key(&refused),
                "store.target-not-file",
                "{}",
                target.display()
            );
        }
        let (real, link) = (folder.join("real"), folder.join("link"));
        std::fs::write(&real, "").unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real", &link).unwrap();
        let report = export(&fixture, &link, format).await.unwrap();
        assert!(link.is_symlink());
        let found = std::fs::metadata(&real).unwrap();
        assert_eq!(
            (found.len(), found.permissions().mode() & 0o777),
            (report.bytes, 0o640)
        );
        std::fs::remove_file(&link).unwrap();
    }
}

#[tokio::test]
async fn a_failed_export_leaves_no_partial_file() {
    let fixture = Fixture::with_parcels().await;
    sqlite(
        &fixture.store.file(),
        "UPDATE parcels SET geom = x'00' WHERE fid = 2",
    );
    let out = tempfile::tempdir().unwrap();
    for format in FORMATS {
        assert!(
            export(&fixture, &out.path().join("out"), format)
                .await
                .is_err()
        );
        let left: Vec<_> = std::fs::read_dir(out.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn an_exported_geopackage_has_the_extent_of_its_rows_and_an_r_tree() {
    let fixture = Fixture::with_parcels().await;
    fixture
        .store
        .delete("parcels", "3", None, "test")
        .await
        .unwrap();
    let file = fixture.folder.path().join("out.gpkg");
    export(&fixture, &file, Format::GeoPackage).await.unwrap();
    let extent = sqlite(&file, "SELECT round(max_x, 6) FROM gpkg_contents");
    assert_eq!(extent.trim(), "24.702");
    let tree = "SELECT group_concat(id), round(max(maxx), 3) FROM rtree_parcels_geom";
    assert_eq!(sqlite(&file, tree).trim(), "1,2|24.702");
    let triggers = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'";
    assert_eq!(sqlite(&file, triggers).trim(), "7");
    // What other programs check.
    let known = "SELECT extension_name, scope FROM gpkg_extensions";
    assert_eq!(sqlite(&file, known).trim(), "gpkg_rtree_index|write-only");
    let other = Fixture::new().await;
    let report = other
        .store
        .import(&job(&file, "parcels"), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(report.stored, 2);
}

#[tokio::test]
async fn empty_geometries_that_flatgeobuf_makes_null_are_counted() {
    let fixture = Fixture::new().await;
    let empty = r#"{"type":"Polygon","coordinates":[]}"#;
    let source = collection(&[
        feature(empty, r#""name":"empty""#),
        feature(&square(24.0, 48.0, 0.1), r#""name":"square""#),
    ]);
    fixture.import(&source, |_| {}).await.unwrap();
    let file = fixture.folder.path().join("out.fgb");
    let report = export(&fixture, &file, Format::FlatGeobuf).await.unwrap();
    assert_eq!((report.features, report.emptied), (2, 1));
}

#[tokio::test]
async fn a_column_that_is_gone_is_no_text_of_its_name() {
    let fixture = Fixture::with_parcels().await;
    fixture.store.close().await;
    sqlite(
        &fixture.store.file(),
        "ALTER TABLE parcels DROP COLUMN area",
    );
    let store = open_for_reading(fixture.folder.path()).await;
    for format in FORMATS {
        let file = fixture.folder.path().join("out");
        let refused = store::export(&store, "parcels", &file, format, &mut |_| {}).await;
        assert_eq!(key(&refused.unwrap_err()), "store.check-column-missing");
    }
}

async fn open_for_reading(folder: &Path) -> store::Store {
    store::Store::open(folder, store::Access::Read)
        .await
        .unwrap()
}
