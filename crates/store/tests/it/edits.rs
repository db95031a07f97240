//! Single writes: table, change log and index move together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use model::{ChangeSeq, CollectionId, Value, ValueRef};
use store::{Cause, Draft, Error, LiveCollection, Step, Store};

use crate::support::{Fixture, action, draft, key, make, parcels, rename, surveyed};

#[tokio::test]
async fn a_created_feature_is_in_table_log_and_index() {
    let fixture = Fixture::with_parcels().await;
    let before = fixture.store.live().get("parcels").unwrap().seq;
    let written = fixture
        .store
        .create("parcels", draft(24.8, "new"), "iryna")
        .await
        .unwrap();
    assert_eq!(written.feature.fid, 4);
    assert!(written.version > before);
    let live = fixture.store.live();
    let live = live.get("parcels").unwrap();
    assert_eq!((live.index.len(), live.seq), (4, written.version));
    let item = fixture.store.item(live, "4").await.unwrap().unwrap();
    assert_eq!(item.version, written.version);
    assert_eq!(item.feature.properties[0], Value::Text("new".into()));
    let log = fixture.sql("SELECT actor, operation, CASE WHEN before_geometry IS NULL THEN 'none' END FROM hromada_changes ORDER BY seq DESC LIMIT 1",
    );
    assert_eq!(log.trim(), "iryna|create|none");
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn the_state_before_is_kept_exactly() {
    let fixture = Fixture::with_parcels().await;
    let mut second = draft(24.8, "before");
    second.properties[1] = Value::Real(0.1 + 0.2);
    let created = fixture
        .store
        .create("parcels", second, "test")
        .await
        .unwrap();
    let blob = fixture.sql_of(
        "SELECT hex(geom) FROM parcels WHERE fid = 4",
        "SELECT encode(ST_AsEWKB(geom), 'hex') FROM parcels WHERE fid = 4",
    );
    fixture
        .store
        .replace(
            "parcels",
            "4",
            draft(24.9, "after"),
            Some(created.version),
            "test",
        )
        .await
        .unwrap();
    let logged = fixture.sql_of(
        "SELECT hex(before_geometry), before_properties FROM hromada_changes ORDER BY seq DESC LIMIT 1",
        "SELECT encode(ST_AsEWKB(before_geometry), 'hex'), before_properties FROM hromada_changes ORDER BY seq DESC LIMIT 1",
    );
    let (geometry, properties) = logged.trim().split_once('|').unwrap();
    assert_eq!(geometry, blob.trim());
    let properties: serde_json::Value = serde_json::from_str(properties).unwrap();
    assert_eq!(properties["name"], "before");
    assert_eq!(properties["area"].as_f64().unwrap(), 0.1 + 0.2);
}

#[tokio::test]
async fn a_deleted_feature_is_gone_and_its_key_is_not_used_again() {
    let fixture = Fixture::with_parcels().await;
    fixture
        .store
        .delete("parcels", "3", None, "test")
        .await
        .unwrap();
    let live = fixture.store.live();
    assert!(
        fixture
            .store
            .item(live.get("parcels").unwrap(), "3")
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        fixture
            .store
            .create("parcels", draft(24.8, "next"), "test")
            .await
            .unwrap()
            .feature
            .fid,
        4
    );
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_stale_version_is_refused_and_changes_nothing() {
    let fixture = Fixture::with_parcels().await;
    let error = fixture
        .store
        .replace(
            "parcels",
            "1",
            draft(25.0, "x"),
            Some(ChangeSeq(999)),
            "test",
        )
        .await
        .unwrap_err();
    assert!(matches!(error, Error::PreconditionFailed(_)));
    let live = fixture.store.live();
    let item = fixture
        .store
        .item(live.get("parcels").unwrap(), "1")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(item.feature.properties[0], Value::Text("parcel 0".into()));
}

#[tokio::test]
async fn missing_things_are_named() {
    let fixture = Fixture::with_parcels().await;
    assert_eq!(
        key(&fixture
            .store
            .delete("nothing", "1", None, "t")
            .await
            .unwrap_err()),
        "store.no-collection"
    );
    for id in ["99", "abc", "01", "+1", " 1", "1.0", "99999999999999999999"] {
        assert_eq!(
            key(&fixture
                .store
                .delete("parcels", id, None, "t")
                .await
                .unwrap_err()),
            "store.no-feature",
            "{id}"
        );
    }
}

#[tokio::test]
async fn a_geometry_of_another_type_is_refused() {
    let fixture = Fixture::with_parcels().await;
    let mut point = draft(24.8, "point");
    let mut wkb = Vec::new();
    formats::wkb::write(&geo_types::Point::new(24.8, 48.9).into(), &mut wkb);
    point.geometry = Some(wkb);
    assert_eq!(
        key(&fixture
            .store
            .create("parcels", point, "t")
            .await
            .unwrap_err()),
        "store.geometry-type"
    );
    let mut nan = draft(24.8, "nan");
    if let Some(wkb) = &mut nan.geometry {
        let end = wkb.len();
        wkb[end - 8..].copy_from_slice(&f64::NAN.to_le_bytes());
    }
    assert!(fixture.store.create("parcels", nan, "t").await.is_err());
    assert_eq!(fixture.store.live().get("parcels").unwrap().index.len(), 3);
}

#[tokio::test]
async fn two_hundred_writers_at_once_lose_nothing() {
    let fixture = Fixture::with_parcels().await;
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..200 {
        let store = fixture.store.clone();
        tasks.spawn(async move {
            store
                .create("parcels", draft(24.0 + f64::from(i) * 0.002, "w"), "t")
                .await
        });
    }
    let mut versions = std::collections::HashSet::new();
    while let Some(done) = tasks.join_next().await {
        assert!(
            versions.insert(done.unwrap().unwrap().version),
            "a version was given twice"
        );
    }
    assert_eq!(
        fixture.store.live().get("parcels").unwrap().index.len(),
        203
    );
    assert!(fixture.store.check(false).await.unwrap().is_clean());
    let fixture = fixture.reopened().await;
    assert_eq!(
        fixture.store.live().get("parcels").unwrap().index.len(),
        203
    );
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_all_or_nothing() {
    let fixture = Fixture::with_parcels().await;
    for i in 0..100_u64 {
        let write = fixture.store.create("parcels", draft(24.0, "cut"), "t");
        // Polled a few times, then dropped, as a handler is when its client hangs up.
        let mut write = Box::pin(write);
        for _ in 0..i % 4 {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            if write.as_mut().poll(&mut context).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(write);
    }
    // The next write waits for those that go on.
    fixture
        .store
        .create("parcels", draft(24.0, "last"), "t")
        .await
        .unwrap();
    assert!(fixture.store.check(false).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_write_gives_back_what_is_stored() {
    let fixture = Fixture::with_parcels().await;
    let live = || fixture.store.live().get("parcels").unwrap().clone();
    let made = fixture
        .store
        .create("parcels", draft(24.8, "new"), "t")
        .await
        .unwrap();
    let read = fixture.store.item(&live(), "4").await.unwrap().unwrap();
    assert_eq!((&made.feature, made.version), (&read.feature, read.version));
    let replaced = fixture
        .store
        .replace("parcels", "4", draft(24.9, "other"), None, "t")
        .await
        .unwrap();
    let read = fixture.store.item(&live(), "4").await.unwrap().unwrap();
    assert_eq!(
        (&replaced.feature, replaced.version),
        (&read.feature, read.version)
    );
    assert!(replaced.version > made.version);
}

#[tokio::test]
async fn an_edit_in_a_projected_collection_moves_what_it_moves_and_nothing_else() {
    let fixture = Fixture::new().await;
    fixture.import(&surveyed(), |_| {}).await.unwrap();
    fixture.store.load().await.unwrap();
    let blob = || {
        fixture.sql_of(
            "SELECT hex(geom) FROM parcels WHERE fid = 1",
            "SELECT encode(ST_AsEWKB(geom), 'hex') FROM parcels WHERE fid = 1",
        )
    };
    let live = fixture.store.live().get("parcels").unwrap().clone();
    let item = fixture.store.item(&live, "1").await.unwrap().unwrap();
    let served = item.feature.geometry.unwrap();
    assert!(formats::wkb::check(&served).unwrap().has_z);
    let named = |geometry: &[u8], name: &str| Draft {
        geometry: Some(geometry.to_vec()),
        crs: model::Crs::CRS84,
        properties: vec![Value::Text(name.into())],
    };
    let before = blob();
    for round in 0..3 {
        let draft = named(&served, &format!("round {round}"));
        let item = fixture
            .store
            .replace("parcels", "1", draft, None, "t")
            .await
            .unwrap();
        assert_eq!(item.feature.geometry.as_ref(), Some(&served));
    }
    assert_eq!(blob(), before);

    let stored = |hex: &str| -> Vec<(f64, f64)> {
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        let wkb = match formats::gpkg::strip(&bytes) {
            Ok((wkb, _)) => wkb,
            Err(_) => &bytes,
        };
        formats::wkb::xy(wkb).unwrap()
    };
    let mut moved = formats::wkb::xy(&served).unwrap();
    moved[2].0 += 1e-5;
    let draft = named(&formats::wkb::with_xy(&served, &moved).unwrap(), "moved");
    fixture
        .store
        .replace("parcels", "1", draft, None, "t")
        .await
        .unwrap();
    let (old, new) = (stored(before.trim()), stored(blob().trim()));
    for (i, (old, new)) in old.iter().zip(&new).enumerate() {
        assert_eq!(old == new, i != 2, "{i}: {old:?} {new:?}");
    }
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn heights_are_given_where_they_are_declared_and_only_there() {
    let fixture = Fixture::with_parcels().await;
    fixture
        .import(&surveyed(), |job| {
            job.collection = CollectionId::new("heights").unwrap();
        })
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let live = fixture.store.live().get("heights").unwrap().clone();
    let high = fixture.store.item(&live, "2").await.unwrap().unwrap();
    let mut with_heights = draft(24.8, "high");
    with_heights.geometry = high.feature.geometry;
    let mut flat = draft(24.8, "flat");
    flat.properties.truncate(1);
    for (collection, draft) in [("parcels", with_heights), ("heights", flat)] {
        let error = fixture
            .store
            .create(collection, draft, "t")
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Invalid(_)));
        assert_eq!(key(&error), "store.geometry-dimensions", "{collection}");
    }
}

#[tokio::test]
async fn an_id_that_can_not_be_in_a_url_is_refused() {
    let fixture = Fixture::new().await;
    fixture
        .import(&parcels(), |job| job.id_property = Some("name".to_owned()))
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let refused = fixture
        .store
        .create("parcels", draft(24.9, ""), "test")
        .await;
    assert_eq!(key(&refused.unwrap_err()), "store.id-missing");
}

/// A store with so many parcels.
async fn with_many(count: usize) -> Fixture {
    let fixture = Fixture::with_parcels().await;
    let all = (3..count).map(|i| action(Step::Create(draft(24.8, &format!("parcel {i}")))));
    let done = fixture
        .store
        .transact(all.collect(), Cause::default())
        .await;
    done.unwrap();
    fixture
}

fn parcels_of(store: &Store) -> LiveCollection {
    store.live().get("parcels").unwrap().clone()
}

#[tokio::test]
async fn what_edits_have_scattered_is_gathered_while_nobody_writes() {
    let fixture = with_many(200).await;
    let gathering = tokio::spawn({
        let store = fixture.store.clone();
        async move { store.gather_at_rest().await }
    });
    tokio::task::yield_now().await;
    for fid in [7, 8, 9] {
        make(&fixture, rename(&fid.to_string(), "edited")).await;
    }
    assert!(parcels_of(&fixture.store).index.strays() > 2);
    let news = fixture.store.news();
    tokio::time::timeout(Duration::from_secs(60), async {
        while parcels_of(&fixture.store).index.strays() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("nothing is gathered");
    assert!(!news.has_changed().unwrap(), "what is seen is the same");
    // The index follows what is written after it as before.
    make(&fixture, rename("10", "edited")).await;
    assert!(news.has_changed().unwrap());
    assert!(fixture.store.check(true).await.unwrap().is_clean());
    gathering.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_edit_is_lost_from_an_index_that_is_gathered_meanwhile() {
    let fixture = with_many(300).await;
    let gathered = Arc::new(AtomicU32::new(0));
    let gathering = tokio::spawn({
        let (store, gathered) = (fixture.store.clone(), Arc::clone(&gathered));
        async move {
            loop {
                let before = parcels_of(&store);
                store.gather("parcels").await.unwrap();
                let after = parcels_of(&store);
                // An edit that gathers by itself is none of ours.
                let is_gathered = before.index.strays() > 0 && after.index.strays() == 0;
                let is_ours = is_gathered && before.seq == after.seq;
                gathered.fetch_add(u32::from(is_ours), Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    for i in 0..200 {
        let (fid, name) = (1 + i * 7 % 290, format!("n{i}"));
        make(&fixture, rename(&fid.to_string(), &name)).await;
        let live = parcels_of(&fixture.store);
        let shown = live.index.get(fid).unwrap().value(0);
        assert_eq!(shown, ValueRef::Text(&name), "{fid}");
    }
    gathering.abort();
    assert!(gathering.await.unwrap_err().is_cancelled());
    assert!(fixture.store.check(true).await.unwrap().is_clean());
    assert!(gathered.load(Ordering::Relaxed) > 0);
}
