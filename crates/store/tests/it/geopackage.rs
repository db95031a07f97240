//! What only the embedded store does: its file is a GeoPackage that other programs open, and that they can break.

use std::os::unix::fs::symlink;
use std::path::Path;

use store::ImportMode;

use crate::exports::{FORMATS, export};
use crate::support::{Fixture, draft, job, key, parcels, sqlite};

#[tokio::test]
async fn other_programs_are_told_of_an_edit() {
    let fixture = Fixture::with_parcels().await;
    let reset = "UPDATE gpkg_contents SET last_change = '2000-01-01T00:00:00.000Z',
                 min_x = 24.75, min_y = 48.95, max_x = 24.76, max_y = 48.96 WHERE table_name = 'parcels'";
    let told = "SELECT last_change > '2001', min_x, min_y, max_x, max_y FROM gpkg_contents WHERE table_name = 'parcels'";
    fixture.sql(reset);
    fixture
        .store
        .create("parcels", draft(24.5, "west"), "t")
        .await
        .unwrap();
    assert_eq!(fixture.sql(told).trim(), "1|24.5|48.9|24.76|48.96");
    fixture.sql(reset);
    let mut nowhere = draft(24.8, "nowhere");
    nowhere.geometry = None;
    fixture
        .store
        .replace("parcels", "1", nowhere, None, "t")
        .await
        .unwrap();
    assert_eq!(fixture.sql(told).trim(), "1|24.75|48.95|24.76|48.96");
    fixture.sql(reset);
    fixture
        .store
        .delete("parcels", "1", None, "t")
        .await
        .unwrap();
    assert_eq!(fixture.sql(told).trim(), "1|24.75|48.95|24.76|48.96");
}

#[tokio::test]
async fn geometry_is_kept_bit_for_bit() {
    let fixture = Fixture::with_parcels().await;
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../data-samples/cambridge-ma/parcels_fy2014.gpkg"
    );
    let mut from = job(sample.as_ref(), "cambridge");
    from.layer = Some("parcels".to_owned());
    let report = fixture.store.import(&from, &mut |_| {}).await.unwrap();
    assert_eq!(
        (report.read, report.stored, report.rejected),
        (13_116, 13_116, 0)
    );
    assert_eq!(
        (report.invalid, report.invalid_geometries.len()),
        (37, 38),
        "{:?}",
        report.invalid_kinds
    );
    // The WKB follows an envelope of 4 doubles: 8 bytes of header and 32 of envelope.
    let wkb = "SELECT count(*), sum(length(g)) FROM (SELECT substr(geom, 41) AS g FROM parcels)";
    let theirs = sqlite(sample.as_ref(), wkb);
    assert_eq!(fixture.sql(&wkb.replace("parcels", "cambridge")), theirs);
    let differing = format!(
        "ATTACH '{sample}' AS s; SELECT count(*) FROM cambridge c JOIN s.parcels p USING (fid) WHERE substr(c.geom, 41) IS NOT substr(p.geom, 41)"
    );
    assert_eq!(fixture.sql(&differing).trim(), "0");
}

#[tokio::test]
async fn an_export_over_the_stores_own_files_is_refused() {
    let fixture = Fixture::with_parcels().await;
    let folder = fixture.folder.path();
    let link = folder.join("link.gpkg");
    symlink(store::FILE_NAME, &link).unwrap();
    let hard = folder.join("hard.gpkg");
    std::fs::hard_link(fixture.store.file().unwrap(), &hard).unwrap();
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
    assert_eq!(fixture.sql("SELECT count(*) FROM parcels").trim(), "3");
}

#[tokio::test]
async fn a_failed_export_leaves_no_partial_file() {
    let fixture = Fixture::with_parcels().await;
    fixture.sql("UPDATE parcels SET geom = x'00' WHERE fid = 2");
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
async fn a_column_that_is_gone_is_no_text_of_its_name() {
    let fixture = Fixture::with_parcels().await;
    fixture.store.close().await;
    fixture.sql("ALTER TABLE parcels DROP COLUMN area");
    let store = open_for_reading(fixture.folder.path()).await;
    for format in FORMATS {
        let file = fixture.folder.path().join("out");
        let refused = store::export(&store, "parcels", &file, format, &mut |_| {}).await;
        assert_eq!(key(&refused.unwrap_err()), "store.check-column-missing");
    }
}

#[tokio::test]
async fn what_fails_after_the_commit_does_not_unsay_it() {
    let fixture = Fixture::with_parcels().await;
    let broken = "UPDATE parcels SET geom = x'00' WHERE fid = 2";
    fixture.sql(broken);
    let report = fixture
        .import(&parcels(), |job| job.mode = ImportMode::Append)
        .await
        .unwrap();
    assert_eq!(report.stored, 3);
}

async fn open_for_reading(folder: &Path) -> store::Store {
    store::Store::open(folder, store::Access::Read)
        .await
        .unwrap()
}
