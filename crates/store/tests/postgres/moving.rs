//! Copies between a folder and a database while others write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::{Place, Store};

use crate::support::{Fixture, draft, open, place};

/// Writes one feature after the other until it is told to stop.
fn writer(store: &Store) -> (Arc<AtomicBool>, tokio::task::JoinHandle<usize>) {
    let (stop, store) = (Arc::new(AtomicBool::new(false)), store.clone());
    let stopped = Arc::clone(&stop);
    let task = tokio::spawn(async move {
        let mut written = 0;
        while !stopped.load(Ordering::Relaxed) {
            store
                .create("parcels", draft(24.8, "meanwhile"), "writer")
                .await
                .unwrap();
            written += 1;
        }
        written
    });
    (stop, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_of_one_moment_whoever_writes_meanwhile() {
    let fixture = Fixture::with_parcels().await;
    // More changes than are copied in one transaction, with gaps between their numbers.
    fixture.sql(
        "BEGIN; INSERT INTO parcels (name) VALUES ('gone'); SELECT hromada_number(); ROLLBACK;
         INSERT INTO parcels (name, geom) SELECT 'many', (SELECT geom FROM parcels WHERE fid = 1) FROM generate_series(1, 60000);
         UPDATE parcels SET name = 'again' WHERE fid < 100; DELETE FROM parcels WHERE fid BETWEEN 100 AND 200",
    );
    fixture.store.catch_up().await.unwrap();
    let before = fixture.store.live().get("parcels").unwrap().index.len();
    let (stop, task) = writer(&fixture.store);
    let folder = tempfile::tempdir().unwrap();
    let report = store::copy(
        &fixture.store,
        Place::Folder(folder.path().to_owned()),
        &mut |_| {},
    )
    .await
    .unwrap();
    stop.store(true, Ordering::Relaxed);
    let written = task.await.unwrap();
    assert!(report.proof.is_same() && written > 0);
    let copy = open(folder.path()).await;
    let copied = copy.live().get("parcels").unwrap().index.len();
    assert!(
        (before..=before + written).contains(&copied),
        "{before} {copied} {written}"
    );
    let check = copy.check(false).await.unwrap();
    assert!(check.is_clean(), "{:?}", check.findings);

    // And back, into a database, while the folder is written to.
    let (stop, task) = writer(&copy);
    let back = tempfile::tempdir().unwrap();
    let target = place(back.path());
    let report = store::copy(&copy, target.clone(), &mut |_| {})
        .await
        .unwrap();
    stop.store(true, Ordering::Relaxed);
    task.await.unwrap();
    assert!(report.proof.is_same());
    let returned = open(target).await;
    assert!(returned.check(false).await.unwrap().is_clean());
    let last = returned
        .live()
        .get("parcels")
        .unwrap()
        .index
        .iter()
        .map(|hit| hit.fid())
        .max();
    let made = returned
        .create("parcels", draft(24.8, "next"), "t")
        .await
        .unwrap();
    assert!(Some(made.feature.fid) > last, "keys go on");
}
