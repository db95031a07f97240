//! A database that others write to as well.

use std::time::Duration;

use model::access::Editing;
use store::{Access, Action, Cause, Once, Place, Step, Store};

use crate::support::{Fixture, draft, key, open, psql, server};

/// Another process on the same store.
async fn beside(fixture: &Fixture) -> Store {
    let store = open(fixture.store.place().clone()).await;
    store.follow();
    store
}

#[tokio::test]
async fn what_psql_writes_is_logged_under_its_role_and_followed() {
    let fixture = Fixture::with_parcels().await;
    for (sql, operations) in [
        (
            "INSERT INTO parcels (geom, name) SELECT geom, 'psql' FROM parcels WHERE fid <= 2",
            "create|4 create|5",
        ),
        ("UPDATE parcels SET name = 'x' WHERE fid = 1", "replace|1"),
        (
            "UPDATE parcels SET fid = 40 WHERE fid = 4",
            "delete|4 create|40",
        ),
        ("DELETE FROM parcels WHERE fid = 40", "delete|40"),
        (
            "INSERT INTO parcels (fid, name) VALUES (70, 'given')",
            "create|70",
        ),
        ("INSERT INTO parcels (name) VALUES ('next')", "create|71"),
        (
            "TRUNCATE parcels",
            "delete|1 delete|2 delete|3 delete|5 delete|70 delete|71",
        ),
    ] {
        let before = fixture.sql("SELECT max(seq) FROM hromada_changes");
        fixture.sql(sql);
        let logged = fixture.sql(&format!(
            "SELECT string_agg(operation || '|' || fid, ' ' ORDER BY seq) FROM hromada_changes WHERE seq > {before}"
        ));
        assert_eq!(logged.trim(), operations, "{sql}");
        fixture.store.catch_up().await.unwrap();
        let report = fixture.store.check(false).await.unwrap();
        assert!(report.is_clean(), "{sql}: {:?}", report.findings);
    }
    let actors = fixture.sql("SELECT string_agg(DISTINCT actor, ' ') FROM hromada_changes");
    assert_eq!(actors.trim(), "hromada test");
}

#[tokio::test]
async fn another_process_follows_each_change_once() {
    let fixture = Fixture::with_parcels().await;
    let other = beside(&fixture).await;
    let mut last = model::ChangeSeq(0);
    for i in 0..20 {
        let made = fixture
            .store
            .create("parcels", draft(24.8, &i.to_string()), "t")
            .await
            .unwrap();
        last = made.version;
        assert!(other.reached(last, Duration::from_secs(5)).await);
        let live = other.live();
        let live = live.get("parcels").unwrap();
        assert_eq!((live.index.len(), live.seq), (4 + i, last));
    }
    fixture.sql("DELETE FROM parcels WHERE fid > 10");
    let seq = fixture
        .sql("SELECT max(seq) FROM hromada_changes")
        .trim()
        .parse()
        .unwrap();
    assert!(model::ChangeSeq(seq) > last);
    assert!(
        other
            .reached(model::ChangeSeq(seq), Duration::from_secs(5))
            .await
    );
    assert_eq!(other.live().get("parcels").unwrap().index.len(), 10);
    // A new collection, and one that is replaced.
    fixture
        .import(&crate::support::parcels(), |job| {
            job.collection = model::CollectionId::new("more").unwrap()
        })
        .await
        .unwrap();
    fixture
        .import(&crate::support::parcels(), |job| {
            job.mode = store::ImportMode::Replace
        })
        .await
        .unwrap();
    let seq = fixture.store.live().get("parcels").unwrap().seq;
    assert!(other.reached(seq, Duration::from_secs(5)).await);
    let live = other.live();
    assert_eq!(live.get("more").unwrap().index.len(), 3);
    assert_eq!(live.get("parcels").unwrap().index.len(), 3);
    assert!(other.check(true).await.unwrap().is_clean());
    other.close().await;
}

/// Who repeats a request to another server, its answer lost, reads there what it has done.
#[tokio::test]
async fn a_repeated_answer_is_followed_by_what_it_tells_of() {
    let fixture = Fixture::with_parcels().await;
    // It follows nobody of itself.
    let other = open(fixture.store.place().clone()).await;
    let make = async |store: &Store| {
        let action = Action {
            collection: "parcels".to_owned(),
            by: "iryna".into(),
            step: Step::Create(draft(24.8, "new")),
            rules: Editing::default(),
        };
        let cause = Cause {
            once: Some(Once::new("iryna", "k", [&b"body"[..]])),
            ..Cause::default()
        };
        store.transact(vec![action], cause).await.unwrap()
    };
    let first = make(&fixture.store).await;
    assert_eq!(other.live().get("parcels").unwrap().index.len(), 3);
    let again = make(&other).await;
    assert!(again.is_repeated);
    let live = other.live();
    let live = live.get("parcels").unwrap();
    assert_eq!((live.index.len(), live.seq), (4, first.last));
    other.close().await;
}

/// A transaction that draws its number early and commits late must not be missed by whoever has seen a later one.
#[tokio::test]
async fn numbers_come_in_the_order_of_commits() {
    let fixture = Fixture::with_parcels().await;
    let other = beside(&fixture).await;
    let schema = fixture.store.place().to_string();
    let schema = schema.split_once("schema=").unwrap().1.to_owned();
    let slow = std::thread::spawn({
        let schema = schema.clone();
        move || {
            psql(
                &schema,
                "BEGIN; INSERT INTO parcels (name) VALUES ('slow'); SELECT pg_sleep(1); COMMIT",
            )
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let quick = fixture
        .store
        .create("parcels", draft(24.8, "quick"), "t")
        .await
        .unwrap();
    assert!(other.reached(quick.version, Duration::from_secs(5)).await);
    assert_eq!(other.live().get("parcels").unwrap().index.len(), 4);
    slow.join().unwrap();
    let names = fixture
        .sql("SELECT string_agg(fid::text, ' ' ORDER BY seq) FROM hromada_changes WHERE fid > 3");
    assert_eq!(
        names.trim(),
        "5 4",
        "the later commit has the greater number"
    );
    fixture.store.catch_up().await.unwrap();
    let last = fixture.store.live().get("parcels").unwrap().seq;
    assert!(other.reached(last, Duration::from_secs(5)).await);
    assert_eq!(other.live().get("parcels").unwrap().index.len(), 5);
    // One that is rolled back leaves nothing but a gap.
    psql(
        &schema,
        "BEGIN; INSERT INTO parcels (name) VALUES ('gone'); SELECT hromada_number(); ROLLBACK",
    );
    assert!(fixture.store.check(false).await.unwrap().is_clean());
    // Whatever the isolation, and when the trigger is told to fire at once.
    for begin in [
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "BEGIN; SET CONSTRAINTS ALL IMMEDIATE",
    ] {
        psql(
            &schema,
            &format!(
                "{begin}; UPDATE parcels SET name = 'a'; UPDATE parcels SET name = 'b' WHERE fid = 1; COMMIT"
            ),
        );
        fixture.store.catch_up().await.unwrap();
        assert!(
            fixture.store.check(false).await.unwrap().is_clean(),
            "{begin}"
        );
    }
    other.close().await;
}

/// A row that got its number leaves dead entries behind: without a place to begin at, each commit passed over all that no
/// VACUUM had taken yet.
#[tokio::test]
async fn a_commit_passes_over_nothing_that_was_numbered_before() {
    let fixture = Fixture::with_parcels().await;
    fixture.sql("ALTER TABLE hromada_changes SET (autovacuum_enabled = off)");
    fixture.sql("INSERT INTO parcels (name) SELECT 'many' FROM generate_series(1, 20000)");
    // The first call of a session reads what functions are.
    let plan = fixture.sql(
        "BEGIN; UPDATE parcels SET name = 'a' WHERE fid = 1; DO 'BEGIN PERFORM hromada_number(); END';
         UPDATE parcels SET name = 'b' WHERE fid = 1; EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT hromada_number()",
    );
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let blocks = |kind: &str| plan[0]["Plan"][kind].as_u64().unwrap();
    let touched = blocks("Shared Hit Blocks") + blocks("Shared Read Blocks");
    assert!(touched < 100, "{touched} blocks");
}

#[tokio::test]
async fn of_two_editors_with_one_version_one_is_told() {
    let fixture = Fixture::with_parcels().await;
    let other = beside(&fixture).await;
    let live = fixture.store.live().get("parcels").unwrap().clone();
    for round in 0..20 {
        let version = fixture
            .store
            .item(&live, "1")
            .await
            .unwrap()
            .unwrap()
            .version;
        let name = round.to_string();
        let (a, b) = tokio::join!(
            fixture
                .store
                .replace("parcels", "1", draft(24.7, &name), Some(version), "a"),
            other.replace("parcels", "1", draft(24.7, &name), Some(version), "b"),
        );
        let refused = [&a, &b]
            .into_iter()
            .filter_map(|r| r.as_ref().err())
            .map(key)
            .collect::<Vec<_>>();
        assert_eq!(refused, ["store.version-changed"], "round {round}");
    }
    other.close().await;
}

#[tokio::test]
async fn two_servers_that_start_at_once_make_one_store() {
    let url = format!("{}?schema=at_once_{}", server(), std::process::id());
    let open = || Store::open(Place::parse(&url).unwrap(), Access::Write);
    let (a, b, c) = tokio::join!(open(), open(), open());
    let epochs = [a, b, c].map(|store| store.unwrap().epoch());
    assert_eq!(epochs[0], epochs[1]);
    assert_eq!(epochs[1], epochs[2]);
}

#[tokio::test]
async fn more_changes_than_are_followed_one_by_one_are_followed_all() {
    let fixture = Fixture::with_parcels().await;
    // Features that occur twice make fewer features than changes.
    fixture.sql(
        "BEGIN; UPDATE parcels SET name = 'a'; UPDATE parcels SET name = 'b';
         INSERT INTO parcels (name) SELECT 'many' FROM generate_series(1, 25000); COMMIT",
    );
    fixture.store.catch_up().await.unwrap();
    let live = fixture.store.live();
    let live = live.get("parcels").unwrap();
    let last = fixture.sql("SELECT max(seq) FROM hromada_changes");
    assert_eq!(live.index.len(), 25_003);
    assert_eq!(live.seq.0.to_string(), last.trim());
    // The same feature more often than that.
    fixture.sql(
        "DO $$ BEGIN FOR i IN 1..21000 LOOP UPDATE parcels SET name = i::text WHERE fid = 1; END LOOP; END $$",
    );
    fixture
        .store
        .create("parcels", draft(24.8, "new"), "t")
        .await
        .unwrap();
    assert_eq!(
        fixture.store.live().get("parcels").unwrap().index.len(),
        25_004
    );
    assert!(fixture.store.check(false).await.unwrap().is_clean());
}
