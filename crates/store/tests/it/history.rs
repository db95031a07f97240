//! What was: versions of features, collections as they were, a feature made what it was.

use std::collections::BTreeMap;

use model::{ChangeSeq, Operation, Value};
use store::{Cause, Draft, Expected, ImportMode, ItemsQuery, Step, Version};

use crate::support::{
    Dice, Fixture, action, collection, delete, draft, feature, key, make, parcels, rename, square,
};

async fn versions(fixture: &Fixture, id: &str) -> Vec<Version> {
    let live = fixture.store.live();
    let live = live.get("parcels").unwrap();
    let found = fixture.store.versions(live, id).await.unwrap();
    found.unwrap_or_default().all
}

fn name(version: &Version) -> Option<String> {
    let feature = version.feature.as_ref()?;
    match &feature.properties[0] {
        Value::Text(text) => Some(text.to_string()),
        _ => None,
    }
}

#[tokio::test]
async fn each_state_of_a_feature_is_a_version() {
    let fixture = Fixture::with_parcels().await;
    let first = make(&fixture, rename("2", "b")).await;
    make(&fixture, rename("2", "c")).await;
    let last = make(&fixture, delete("2")).await;
    let all = versions(&fixture, "2").await;
    let names: Vec<Option<String>> = all.iter().map(name).collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(names, [text("parcel 1"), text("b"), text("c"), None]);
    use Operation::{Create, Delete, Replace};
    let operations: Vec<Operation> = all.iter().map(|v| v.operation).collect();
    assert_eq!(operations, [Create, Replace, Replace, Delete]);
    assert_eq!((all[1].seq, all[3].seq), (first, last));
    assert_eq!(all[1].actor, "iryna");
    assert_eq!(all[1].cause.reason.as_deref(), Some("because"));
    assert_eq!(all[0].cause.kind.as_deref(), Some("import"));
    assert_eq!(all[0].cause.reason.as_deref(), Some("source.geojson"));
    assert!(all.is_sorted_by_key(|v| v.at.clone()));
    assert!(versions(&fixture, "77").await.is_empty());
    // One that never changed has one.
    assert_eq!(versions(&fixture, "1").await.len(), 1);
}

#[tokio::test]
async fn a_feature_is_found_by_the_id_that_it_had() {
    let fixture = Fixture::new().await;
    let named = |job: &mut store::ImportJob| job.id_property = Some("name".to_owned());
    fixture.import(&parcels(), named).await.unwrap();
    fixture.store.load().await.unwrap();
    make(&fixture, delete("parcel 1")).await;
    let all = versions(&fixture, "parcel 1").await;
    assert_eq!(all.len(), 2);
    assert!(all[0].feature.is_some() && all[1].feature.is_none());
    // An import in the place of all gives each another key; its history goes on.
    fixture
        .import(&parcels(), |job| {
            named(job);
            job.mode = ImportMode::Replace;
        })
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let all = versions(&fixture, "parcel 0").await;
    let there: Vec<bool> = all.iter().map(|v| v.feature.is_some()).collect();
    assert_eq!(there, [true, false, true]);
}

#[tokio::test]
async fn a_feature_becomes_what_it_was_as_a_new_version() {
    let fixture = Fixture::with_parcels().await;
    let row = || {
        fixture.sql_of(
            "SELECT hex(geom), name, area FROM parcels WHERE fid = 2",
            "SELECT encode(ST_AsEWKB(geom), 'hex'), name, area FROM parcels WHERE fid = 2",
        )
    };
    let before = row();
    let restore = |seq, expected| Step::Restore {
        id: "2".to_owned(),
        fid: 2,
        seq,
        expected,
    };
    let moved = Step::Replace {
        id: "2".to_owned(),
        draft: draft(25.0, "moved"),
        expected: Expected::Anything,
    };
    make(&fixture, moved).await;
    let first = versions(&fixture, "2").await[0].seq;
    make(&fixture, restore(first, Expected::Anything)).await;
    assert_eq!(row(), before);
    assert_eq!(versions(&fixture, "2").await.len(), 3);
    make(&fixture, delete("2")).await;
    make(&fixture, restore(first, Expected::Anything)).await;
    assert_eq!(row(), before, "under its own key");
    let stale = restore(first, Expected::Version(ChangeSeq(1)));
    let stale = vec![action(stale)];
    let stale = fixture.store.transact(stale, Cause::default()).await;
    assert_eq!(
        key(&stale.unwrap_err().into_error()),
        "store.version-changed"
    );
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

type State = BTreeMap<i64, (String, Option<Vec<u8>>)>;

#[tokio::test]
async fn every_moment_is_what_a_replay_of_the_log_says() {
    let fixture = Fixture::with_parcels().await;
    let mut dice = Dice(7);
    let mut state = State::new();
    let query = ItemsQuery {
        limit: 10_000,
        ..ItemsQuery::default()
    };
    let live = fixture.store.live().get("parcels").unwrap().clone();
    for feature in fixture.store.items(&live, &query).await.unwrap().features {
        let Value::Text(name) = &feature.properties[0] else {
            panic!("{feature:?}");
        };
        state.insert(feature.fid, (name.to_string(), feature.geometry.clone()));
    }
    let mut moments: Vec<(ChangeSeq, State)> = vec![(live.seq, state.clone())];
    for i in 0..300 {
        let ids: Vec<i64> = state.keys().copied().collect();
        let chosen = ids.get(dice.below(ids.len().max(1))).copied();
        let place = draft(24.0 + dice.below(900) as f64 / 1000.0, &format!("n{i}"));
        let (seq, fid, after) = match (dice.below(4), chosen) {
            (0, Some(fid)) if ids.len() > 2 => {
                (make(&fixture, delete(&fid.to_string())).await, fid, None)
            }
            (1, Some(fid)) => {
                let name = format!("r{i}");
                let seq = make(&fixture, rename(&fid.to_string(), &name)).await;
                (seq, fid, Some((name, state[&fid].1.clone())))
            }
            (2, Some(fid)) => {
                let step = Step::Replace {
                    id: fid.to_string(),
                    draft: place.clone(),
                    expected: Expected::Anything,
                };
                let seq = make(&fixture, step).await;
                (seq, fid, Some((format!("n{i}"), place.geometry)))
            }
            _ => {
                let Draft { geometry, .. } = place.clone();
                let made = fixture.store.create("parcels", place, "t").await.unwrap();
                (
                    made.version,
                    made.feature.fid,
                    Some((format!("n{i}"), geometry)),
                )
            }
        };
        match after {
            Some(after) => state.insert(fid, after),
            None => state.remove(&fid),
        };
        moments.push((seq, state.clone()));
    }
    let now = fixture.store.live().get("parcels").unwrap().clone();
    for _ in 0..60 {
        let (seq, expected) = &moments[dice.below(moments.len())];
        let then = fixture.store.at(&now, *seq).await.unwrap();
        assert_eq!(then.index.len(), expected.len());
        let page = fixture.store.items(&then, &query).await.unwrap();
        let found: State = page
            .features
            .into_iter()
            .map(|f| match &f.properties[0] {
                Value::Text(name) => (f.fid, (name.to_string(), f.geometry.clone())),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(&found, expected, "{seq:?}");
        // The same in a box, from the index of then.
        let west = 24.0 + dice.below(900) as f64 / 1000.0;
        let bbox = model::Bbox {
            west,
            south: 48.0,
            east: west + 0.1,
            north: 49.0,
        };
        let within = |wkb: &Option<Vec<u8>>| {
            let xy = formats::wkb::xy(wkb.as_ref().unwrap()).unwrap();
            let (min, max) = xy.iter().fold((f64::MAX, f64::MIN), |(a, b), (x, _)| {
                (a.min(*x), b.max(*x))
            });
            max >= bbox.west && min <= bbox.east
        };
        let expected: Vec<i64> = expected
            .iter()
            .filter(|(_, (_, wkb))| within(wkb))
            .map(|(fid, _)| *fid)
            .collect();
        let boxed = ItemsQuery {
            bbox: Some(bbox.into()),
            ..query.clone()
        };
        let page = fixture.store.items(&then, &boxed).await.unwrap();
        let found: Vec<i64> = page.features.iter().map(|f| f.fid).collect();
        assert_eq!(found, expected, "{seq:?} {west}");
    }
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_time_names_the_last_change_up_to_it() {
    let fixture = Fixture::with_parcels().await;
    let seq_at = async |at: &str| fixture.store.seq_at(at).await.unwrap();
    assert_eq!(seq_at("1990-01-01T00:00:00.000Z").await, ChangeSeq(0));
    make(&fixture, rename("1", "a")).await;
    let all = versions(&fixture, "1").await;
    // An import and a rename may be in one millisecond; the later one counts.
    let last = all.last().unwrap();
    assert_eq!(seq_at(&last.at).await, last.seq);
    let far = seq_at("2999-01-01T00:00:00.000Z").await;
    assert_eq!(far, fixture.store.live().get("parcels").unwrap().seq);
}

#[tokio::test]
async fn a_schema_that_had_no_such_property_tells_no_other_moment() {
    let fixture = Fixture::with_parcels().await;
    let before = fixture.store.live().get("parcels").unwrap().seq;
    let wider = collection(&[feature(
        &square(24.7, 48.9, 0.001),
        r#""name":"a","area":1.5,"floors":2"#,
    )]);
    fixture
        .import(&wider, |job| job.mode = ImportMode::Replace)
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let now = fixture.store.live().get("parcels").unwrap().clone();
    let error = fixture
        .store
        .at(&now, before)
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(key(&error), "store.walk-too-old");
}
