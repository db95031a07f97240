//! Several actions as one: all or none, in one place of the history, shown at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::access::{IdPattern, InvalidRule};
use model::{Crs, Operation, Value};
use store::{Action, Cause, Draft, Error, Expected, Failure, Once, Patch, Receipt, Step};

use crate::support::{Fixture, action, draft, key};

fn create(x: f64, name: &str) -> Action {
    action(Step::Create(draft(x, name)))
}

fn rename(id: &str, name: &str) -> Action {
    action(Step::Update {
        id: id.to_owned(),
        patch: named(name),
        expected: Expected::Anything,
    })
}

fn named(name: &str) -> Patch {
    Patch {
        geometry: None,
        crs: Crs::CRS84,
        properties: vec![(0, Value::Text(name.into()))],
    }
}

fn delete(id: &str) -> Action {
    action(Step::Delete {
        id: id.to_owned(),
        expected: Expected::Anything,
    })
}

fn failures(failure: Failure) -> Vec<(usize, &'static str)> {
    match failure {
        Failure::Whole(error) => panic!("{error}"),
        Failure::Actions(all) => all.iter().map(|(i, e)| (*i, key(e))).collect(),
    }
}

async fn name_of(fixture: &Fixture, id: &str) -> Option<String> {
    let live = fixture.store.live();
    let item = fixture
        .store
        .item(live.get("parcels").unwrap(), id)
        .await
        .unwrap()?;
    match &item.feature.properties[0] {
        Value::Text(text) => Some(text.to_string()),
        _ => None,
    }
}

#[tokio::test]
async fn all_actions_are_one_transaction() {
    let fixture = Fixture::with_parcels().await;
    let before = fixture.store.live().get("parcels").unwrap().seq;
    let cause = Cause {
        kind: None,
        request: Some("request-7".to_owned()),
        reason: Some("рішення № 12".to_owned()),
        once: None,
    };
    let actions = vec![
        create(24.8, "new"),
        rename("1", "renamed"),
        delete("3"),
        // The same feature again: what the later action made is what there is.
        rename("1", "renamed again"),
    ];
    let receipt = fixture.store.transact(actions, cause).await.unwrap();
    assert_eq!(receipt.first.0, before.0 + 1);
    assert_eq!(receipt.last.0, before.0 + 4);
    let operations: Vec<Operation> = receipt.written.iter().map(|w| w.operation).collect();
    use Operation::{Create, Delete, Replace};
    assert_eq!(operations, [Create, Replace, Delete, Replace]);
    assert!(receipt.written[2].item.is_none());
    let live = fixture.store.live();
    let live = live.get("parcels").unwrap();
    assert_eq!((live.index.len(), live.seq), (3, receipt.last));
    assert_eq!(name_of(&fixture, "1").await.unwrap(), "renamed again");
    assert_eq!(name_of(&fixture, "3").await, None);
    // One time, one row of what they have in common.
    let times = fixture.sql(&format!(
        "SELECT count(DISTINCT at) FROM hromada_changes WHERE seq > {}",
        before.0
    ));
    assert_eq!(times.trim(), "1");
    let kept = fixture.sql(&format!(
        "SELECT first_seq, last_seq, request, reason FROM hromada_transactions WHERE first_seq > {}",
        before.0
    ));
    let expected = format!(
        "{}|{}|request-7|рішення № 12",
        receipt.first.0, receipt.last.0
    );
    assert_eq!(kept.trim(), expected);
    assert!(fixture.store.check(true).await.unwrap().is_clean());
    let fixture = fixture.reopened().await;
    assert_eq!(name_of(&fixture, "1").await.unwrap(), "renamed again");
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn one_action_that_can_not_be_done_leaves_all_undone_and_each_is_named() {
    let fixture = Fixture::with_parcels().await;
    let mut bad = draft(24.8, "bad");
    bad.properties[0] = Value::Text("a\0b".into());
    let actions = vec![
        rename("1", "renamed"),
        delete("99"),
        action(Step::Create(bad)),
        create(24.9, "new"),
    ];
    let before = fixture.sql("SELECT count(*) FROM hromada_changes");
    let failure = fixture.store.transact(actions, Cause::default()).await;
    assert_eq!(
        failures(failure.unwrap_err()),
        [(1, "store.no-feature"), (2, "store.text-nul")]
    );
    assert_eq!(name_of(&fixture, "1").await.unwrap(), "parcel 0");
    let after = fixture.sql("SELECT count(*) FROM hromada_changes");
    assert_eq!(before, after);
    assert_eq!(fixture.store.live().get("parcels").unwrap().index.len(), 3);
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_leaves_the_rest_bit_for_bit() {
    let fixture = Fixture::with_parcels().await;
    let row = || {
        fixture.sql_of(
            "SELECT hex(geom), area FROM parcels WHERE fid = 2",
            "SELECT encode(ST_AsEWKB(geom), 'hex'), area FROM parcels WHERE fid = 2",
        )
    };
    let before = row();
    let done = fixture
        .store
        .transact(vec![rename("2", "named")], Cause::default())
        .await
        .unwrap();
    let item = done.written[0].item.as_ref().unwrap();
    assert_eq!(item.feature.properties[0], Value::Text("named".into()));
    assert_eq!(item.feature.properties[1], Value::Real(101.5));
    assert_eq!(row(), before);
}

#[tokio::test]
async fn two_who_expect_the_same_state_do_not_both_write() {
    let fixture = Fixture::with_parcels().await;
    let guarded = |name: &str| {
        let is_first: Arc<dyn Fn(&store::Item) -> bool + Send + Sync> =
            Arc::new(|item| item.feature.properties[0] == Value::Text("parcel 0".into()));
        action(Step::Update {
            id: "1".to_owned(),
            patch: named(name),
            expected: Expected::Like(is_first),
        })
    };
    let both = [guarded("a"), guarded("b")].map(|action| {
        let store = fixture.store.clone();
        tokio::spawn(async move { store.transact(vec![action], Cause::default()).await })
    });
    let mut written = 0;
    for task in both {
        match task.await.unwrap() {
            Ok(_) => written += 1,
            Err(failure) => {
                let error = failure.into_error();
                assert!(matches!(error, Error::PreconditionFailed(_)), "{error}");
            }
        }
    }
    assert_eq!(written, 1);
}

#[tokio::test]
async fn a_request_that_is_repeated_is_done_once() {
    let fixture = Fixture::with_parcels().await;
    let cause = |key: &str, body: &str| Cause {
        once: Some(Once::new("iryna", key, [body.as_bytes()])),
        ..Cause::default()
    };
    let make = async |cause| {
        let actions = vec![create(24.8, "new")];
        fixture.store.transact(actions, cause).await
    };
    let first = make(cause("k", "body")).await.unwrap();
    assert!(!first.is_repeated);
    let again = make(cause("k", "body")).await.unwrap();
    assert!(again.is_repeated);
    assert_eq!((again.first, again.last), (first.first, first.last));
    assert_eq!(again.written[0].fid, first.written[0].fid);
    let other = make(cause("k", "another body")).await.unwrap_err();
    assert_eq!(key(&other.into_error()), "store.key-used");
    let somebody = Cause {
        once: Some(Once::new("oleh", "k", [&b"body"[..]])),
        ..Cause::default()
    };
    assert!(!make(somebody).await.unwrap().is_repeated);
    // A request that was refused has done nothing, and is done when it is right.
    let refused = vec![delete("99")];
    let refused = fixture.store.transact(refused, cause("l", "x")).await;
    assert_eq!(failures(refused.unwrap_err()), [(0, "store.no-feature")]);
    assert!(!make(cause("l", "x")).await.unwrap().is_repeated);
    let fixture = fixture.reopened().await;
    let actions = vec![create(24.8, "new")];
    let kept = fixture.store.transact(actions, cause("k", "body")).await;
    assert!(kept.unwrap().is_repeated, "a restart forgets no key");
}

#[tokio::test]
async fn the_same_key_at_the_same_time_is_one_write() {
    let fixture = Fixture::with_parcels().await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = fixture.store.clone();
            tokio::spawn(async move {
                let cause = Cause {
                    once: Some(Once::new("iryna", "k", [&b"body"[..]])),
                    ..Cause::default()
                };
                store.transact(vec![create(24.8, "new")], cause).await
            })
        })
        .collect();
    let mut receipts: Vec<Receipt> = Vec::new();
    for task in tasks {
        receipts.push(task.await.unwrap().unwrap());
    }
    let numbers: BTreeSet<i64> = receipts.iter().map(|r| r.last.0).collect();
    assert_eq!(numbers.len(), 1);
    assert_eq!(receipts.iter().filter(|r| !r.is_repeated).count(), 1);
    assert_eq!(fixture.store.live().get("parcels").unwrap().index.len(), 4);
}

#[tokio::test]
async fn many_writers_at_once_lose_nothing_and_one_that_fails_takes_no_other_with_it() {
    let fixture = Fixture::with_parcels().await;
    let tasks: Vec<_> = (0..60)
        .map(|i| {
            let store = fixture.store.clone();
            tokio::spawn(async move {
                // Every third is refused, each after it has written something.
                let mut actions = vec![create(25.0 + f64::from(i) * 0.01, &format!("n{i}"))];
                if i % 3 == 0 {
                    actions.push(delete("no such"));
                }
                (i, store.transact(actions, Cause::default()).await)
            })
        })
        .collect();
    let mut versions = BTreeSet::new();
    for task in tasks {
        let (i, done) = task.await.unwrap();
        match done {
            Ok(receipt) => {
                assert_ne!(i % 3, 0);
                assert!(versions.insert(receipt.last.0), "a number was given twice");
            }
            Err(failure) => {
                assert_eq!(i % 3, 0);
                assert_eq!(failures(failure), [(1, "store.no-feature")]);
            }
        }
    }
    assert_eq!(versions.len(), 40);
    let live = fixture.store.live();
    assert_eq!(live.get("parcels").unwrap().index.len(), 43);
    let names = fixture.sql("SELECT count(*) FROM parcels WHERE name LIKE 'n%'");
    assert_eq!(names.trim(), "40");
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

fn bow_tie() -> Draft {
    let ring = [
        (24.8, 48.9),
        (24.81, 48.91),
        (24.81, 48.9),
        (24.8, 48.91),
        (24.8, 48.9),
    ];
    let polygon = geo_types::Polygon::new(ring.to_vec().into(), Vec::new());
    let mut draft = draft(24.8, "bow tie");
    let wkb = draft.geometry.get_or_insert_default();
    wkb.clear();
    formats::wkb::write(&polygon.into(), wkb);
    draft
}

#[tokio::test]
async fn an_invalid_geometry_is_what_the_rule_says() {
    let fixture = Fixture::new().await;
    // Any geometry: a repaired one may have several parts.
    let mixed = crate::support::collection(&[
        crate::support::feature(
            &crate::support::square(24.7, 48.9, 0.001),
            r#""name":"a","area":1.5"#,
        ),
        crate::support::feature(
            r#"{"type":"Point","coordinates":[24.7,48.9]}"#,
            r#""name":"b","area":1.5"#,
        ),
    ]);
    fixture.import(&mixed, |_| {}).await.unwrap();
    fixture.store.load().await.unwrap();
    let by_rule = async |invalid| {
        let mut action = action(Step::Create(bow_tie()));
        action.rules.invalid = invalid;
        fixture.store.transact(vec![action], Cause::default()).await
    };
    let flagged = by_rule(InvalidRule::Flag).await.unwrap();
    let flaw = &flagged.written[0].flaws[0];
    assert_eq!(flaw.kind.name(), "self-intersection");
    assert!(!flaw.is_repaired);
    let [x, y] = flaw.location.unwrap();
    assert!(
        (x - 24.805).abs() < 1e-9 && (y - 48.905).abs() < 1e-9,
        "{x} {y}"
    );
    let kept = flagged.written[0].item.as_ref().unwrap();
    assert_eq!(kept.feature.geometry, bow_tie().geometry);
    let repaired = by_rule(InvalidRule::Repair).await.unwrap();
    assert!(repaired.written[0].flaws[0].is_repaired);
    let stored = repaired.written[0].item.as_ref().unwrap();
    let stored = formats::wkb::read(stored.feature.geometry.as_ref().unwrap()).unwrap();
    assert!(spatial::validity::check(&stored).is_empty());
    let refused = by_rule(InvalidRule::Refuse).await.unwrap_err();
    assert_eq!(failures(refused), [(0, "store.geometry-invalid")]);
}

#[tokio::test]
async fn what_lies_where_nobody_will_see_it_is_refused() {
    let fixture = Fixture::with_parcels().await;
    fixture
        .import(&crate::support::surveyed(), |job| {
            job.collection = model::CollectionId::new("surveyed").unwrap();
        })
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let mut far = draft(24.8, "far");
    far.geometry = far
        .geometry
        .map(|wkb| formats::wkb::with_xy(&wkb, &[(1e9, 1e9); 5]).unwrap());
    let failure = fixture
        .store
        .transact(vec![action(Step::Create(far))], Cause::default())
        .await;
    assert_eq!(
        failures(failure.unwrap_err()),
        [(0, "store.geometry-outside")]
    );
}

#[tokio::test]
async fn coordinates_in_the_storage_crs_are_kept_bit_for_bit() {
    let fixture = Fixture::new().await;
    fixture
        .import(&crate::support::surveyed(), |_| {})
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let live = fixture.store.live().get("parcels").unwrap().clone();
    let crs = live.collection.storage_crs;
    let stored = |fid: i64| {
        let hex = fixture.sql_of(
            &format!("SELECT hex(geom) FROM parcels WHERE fid = {fid}"),
            &format!(
                "SELECT encode(ST_AsBinary(geom, 'NDR'), 'hex') FROM parcels WHERE fid = {fid}"
            ),
        );
        let hex = hex.trim();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        let wkb = match formats::gpkg::strip(&bytes) {
            Ok((wkb, _)) => wkb.to_vec(),
            Err(_) => bytes,
        };
        formats::wkb::xy(&wkb).unwrap()
    };
    let before = stored(1);
    let query = store::ItemsQuery {
        crs,
        limit: 1,
        ..store::ItemsQuery::default()
    };
    let mut page = fixture.store.items(&live, &query).await.unwrap();
    let there = page.features.remove(0);
    let mut xy = formats::wkb::xy(there.geometry.as_ref().unwrap()).unwrap();
    // As QGIS writes it: six decimals of everything, one vertex moved.
    let six = |x: f64| (x * 1e6).round() / 1e6;
    for (x, y) in &mut xy {
        (*x, *y) = (six(*x), six(*y));
    }
    xy[2].0 += 0.25;
    let wkb = formats::wkb::with_xy(there.geometry.as_ref().unwrap(), &xy).unwrap();
    let step = Step::Update {
        id: "1".to_owned(),
        patch: Patch {
            geometry: Some(Some(wkb)),
            crs,
            properties: Vec::new(),
        },
        expected: Expected::Anything,
    };
    fixture
        .store
        .transact(vec![action(step)], Cause::default())
        .await
        .unwrap();
    for (i, (old, new)) in before.iter().zip(stored(1)).enumerate() {
        match i {
            2 => assert_eq!(new, xy[2]),
            _ => assert_eq!(*old, new, "{i}"),
        }
    }
}

#[tokio::test]
async fn ids_by_a_pattern_are_never_given_twice() {
    let fixture = Fixture::new().await;
    fixture
        .import(&crate::support::parcels(), |job| {
            job.id_property = Some("name".to_owned());
        })
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let made = async |pattern: &str| {
        let mut draft = draft(24.8, "");
        draft.properties[0] = Value::Null;
        let mut action = action(Step::Create(draft));
        action.rules.ids = IdPattern::parse(pattern);
        let done = fixture.store.transact(vec![action], Cause::default()).await;
        let done = done.map_err(Failure::into_error).unwrap();
        match &done.written[0].item.as_ref().unwrap().feature.properties[0] {
            Value::Text(text) => text.to_string(),
            other => panic!("{other:?}"),
        }
    };
    // Three are there: parcel 0, 1 and 2.
    assert_eq!(made("parcel {n}").await, "parcel 3");
    assert_eq!(made("parcel {n}").await, "parcel 4");
    fixture
        .store
        .delete("parcels", "parcel 4", None, "t")
        .await
        .unwrap();
    assert_eq!(made("parcel {n}").await, "parcel 5");
    // Somebody gives the next number by hand.
    fixture
        .store
        .create("parcels", draft(24.9, "parcel 6"), "t")
        .await
        .unwrap();
    assert_eq!(made("parcel {n}").await, "parcel 7");
    assert_eq!(
        made("2610100000:01:001:{n:4}").await,
        "2610100000:01:001:0001"
    );
    let year = made("K-{year}/{n}").await;
    assert!(year.starts_with("K-20") && year.ends_with("/1"), "{year}");
    assert_eq!(made("{uuid}").await.len(), 36);
}

#[tokio::test]
async fn an_integer_id_is_the_next_number_where_the_rules_say_so() {
    let fixture = Fixture::new().await;
    let features: Vec<String> = [7, 9]
        .iter()
        .map(|n| {
            let square = crate::support::square(24.7, 48.9, 0.001);
            crate::support::feature(&square, &format!(r#""nr":{n},"name":"a""#))
        })
        .collect();
    fixture
        .import(&crate::support::collection(&features), |job| {
            job.id_property = Some("nr".to_owned());
        })
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let made = async |pattern: &str, nr: Value| {
        let mut draft = draft(24.8, "");
        draft.properties = vec![nr, Value::Text("new".into())];
        let mut action = action(Step::Create(draft));
        action.rules.ids = IdPattern::parse(pattern);
        let done = fixture.store.transact(vec![action], Cause::default()).await;
        let done = done.map_err(Failure::into_error)?;
        let feature = &done.written[0].item.as_ref().unwrap().feature;
        assert_eq!(feature.properties[0], Value::Integer(feature.fid));
        Ok::<_, Error>(feature.fid)
    };
    for pattern in ["", "{n:4}", "{uuid}"] {
        let refused = made(pattern, Value::Null).await.unwrap_err();
        assert_eq!(key(&refused), "store.id-missing", "{pattern}");
    }
    let ten = made("{n}", Value::Null).await.unwrap();
    assert!(ten > 9, "{ten}");
    let next = made("{n}", Value::Null).await.unwrap();
    assert_eq!(next, ten + 1);
    fixture
        .store
        .delete("parcels", &next.to_string(), None, "t")
        .await
        .unwrap();
    assert_eq!(made("{n}", Value::Null).await.unwrap(), next + 1);
    // What somebody gives is what there is, and numbers go on after it.
    assert_eq!(made("{n}", Value::Integer(50)).await.unwrap(), 50);
    assert_eq!(made("{n}", Value::Null).await.unwrap(), 51);
    // One that leaves nothing to count is refused, while there is something to count.
    let greatest = 9_007_199_254_740_991;
    let refused = made("{n}", Value::Integer(greatest)).await.unwrap_err();
    assert_eq!(key(&refused), "store.id-too-large");
    assert_eq!(made("{n}", Value::Null).await.unwrap(), 52);
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}
