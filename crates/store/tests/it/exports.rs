//! Exports: where they may be written, and what a whole file holds.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use formats::Format;
use store::{Error, ExportReport};

use crate::support::{Fixture, collection, feature, job, key, sqlite, square};

pub(crate) const FORMATS: [Format; 2] = [Format::GeoJson, Format::GeoPackage];

pub(crate) async fn export(
    fixture: &Fixture,
    file: &Path,
    format: Format,
) -> Result<ExportReport, Error> {
    store::export(&fixture.store, "parcels", file, format, &mut |_| {}).await
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
