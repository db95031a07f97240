//! The check: it finds what is wrong, names it, goes on, and finds nothing where nothing is wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::{Access, CheckReport, Store};

use crate::support::{Fixture, draft};

/// Errors of a store after a statement of another program: collection, feature and text.
async fn errors_after(sql: &str) -> Vec<(Option<String>, Option<i64>, &'static str)> {
    let fixture = Fixture::new().await;
    let with_id = |job: &mut store::ImportJob| job.id_property = Some("name".to_owned());
    fixture
        .import(&crate::support::parcels(), with_id)
        .await
        .unwrap();
    fixture.store.close().await;
    fixture.sql(sql);
    let store = Store::open(fixture.folder.path(), Access::Read)
        .await
        .unwrap();
    let report = store.check(true).await.unwrap();
    errors(report)
}

fn errors(report: CheckReport) -> Vec<(Option<String>, Option<i64>, &'static str)> {
    let errors = report.findings.into_iter().filter(|f| f.is_error);
    errors
        .map(|f| (f.collection, f.fid, f.text.key()))
        .collect()
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_found_and_named() {
    for (sql, fid, key) in [
        (
            "UPDATE parcels SET geom = x'00' WHERE fid = 2",
            Some(2),
            "store.check-geometry",
        ),
        (
            "UPDATE parcels SET geom = 'text' WHERE fid = 2",
            Some(2),
            "store.geometry-not-blob",
        ),
        (
            "UPDATE parcels SET name = CAST(x'ff' AS TEXT) WHERE fid = 2",
            Some(2),
            "store.check-value",
        ),
        (
            "UPDATE parcels SET area = 'much' WHERE fid = 2",
            Some(2),
            "store.check-value",
        ),
        (
            "UPDATE parcels SET area = x'01' WHERE fid = 2",
            Some(2),
            "store.check-value",
        ),
        (
            "ALTER TABLE parcels DROP COLUMN area",
            None,
            "store.check-column-missing",
        ),
        (
            "ALTER TABLE parcels DROP COLUMN area; ALTER TABLE parcels ADD COLUMN area TEXT",
            None,
            "store.check-column-type",
        ),
        (
            "PRAGMA foreign_keys = OFF; DELETE FROM gpkg_geometry_columns",
            None,
            "store.check-unregistered",
        ),
        (
            "DELETE FROM hromada_changes WHERE seq = 2; INSERT INTO hromada_changes SELECT 4, at, actor, collection, 2, operation, NULL, NULL, NULL FROM hromada_changes LIMIT 1",
            None,
            "store.check-log-gap",
        ),
        (
            "DELETE FROM sqlite_sequence WHERE name = 'parcels'",
            None,
            "store.check-counter",
        ),
        (
            "DROP INDEX \"hromada_parcels.name\"",
            None,
            "store.check-not-unique",
        ),
        ("DROP TABLE parcels", None, "store.check-column-missing"),
    ] {
        let found = errors_after(sql).await;
        let named = found.iter().any(|f| f.1 == fid && f.2 == key);
        assert!(named, "{sql}: {found:?}");
    }
    assert!(errors_after("SELECT 1").await.is_empty());
}

#[tokio::test]
async fn an_extent_narrower_than_the_features_is_a_flaw() {
    let fixture = Fixture::with_parcels().await;
    fixture.sql("UPDATE gpkg_contents SET max_x = 24.7");
    let report = fixture.store.check(true).await.unwrap();
    let flaws: Vec<_> = report.findings.iter().map(|f| f.text.key()).collect();
    assert_eq!(flaws, ["store.check-extent"]);
    assert!(report.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_written_to_meanwhile_is_sound() {
    let fixture = Arc::new(Fixture::with_parcels().await);
    let done = Arc::new(AtomicBool::new(false));
    let (writing, end) = (Arc::clone(&fixture), Arc::clone(&done));
    let writer = tokio::spawn(async move {
        while !end.load(Ordering::Relaxed) {
            let written = writing.store.create("parcels", draft(24.8, "new"), "test");
            let fid = written.await.unwrap().feature.fid.to_string();
            writing
                .store
                .delete("parcels", &fid, None, "test")
                .await
                .unwrap();
        }
    });
    let beside = Store::open(fixture.folder.path(), Access::Read)
        .await
        .unwrap();
    for _ in 0..20 {
        for store in [&beside, &fixture.store] {
            assert_eq!(errors(store.check(true).await.unwrap()), []);
        }
    }
    done.store(true, Ordering::Relaxed);
    writer.await.unwrap();
}
