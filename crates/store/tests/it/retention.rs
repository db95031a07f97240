//! Retention: old states go, and nothing that is told later is another state.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::access::{Access, Class, Editing, IdPattern, Retention};
use model::{Bbox, ChangeSeq, CollectionId, Filter, Value};
use store::{
    Action, Cadastral, Cause, Error, Expected, ItemsQuery, Once, Step, Store, Trim, Trimmed,
    Version,
};

use crate::support::{
    Dice, Fixture, action, delete, draft, key, make, open, parcels, place, rename,
};

fn parcels_id() -> CollectionId {
    CollectionId::new("parcels").unwrap()
}

/// Gives the collection a rule, or takes it.
async fn rule(store: &Store, days: Option<u64>) {
    let access = Access {
        retention: days.map(|days| Retention::of_days(days).unwrap()),
        ..Access::of(Class::Public)
    };
    let id = parcels_id();
    store.set_access("test", &id, access).await.unwrap();
}

/// Makes all changes up to one ten years old and more.
fn age(fixture: &Fixture, seq: ChangeSeq) {
    fixture.sql(&format!(
        "UPDATE hromada_changes SET at = '2010-05-01T10:00:00.000Z' WHERE seq <= {}",
        seq.0
    ));
}

async fn trim(store: &Store) -> Result<Vec<Trimmed>, Error> {
    store.trim("test", &Trim::by_rules(), &mut |_, _| {}).await
}

async fn trimmed(fixture: &Fixture) -> Trimmed {
    let all = trim(&fixture.store).await.unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().unwrap()
}

fn put(id: &str, x: f64, name: &str) -> Step {
    Step::Replace {
        id: id.to_owned(),
        draft: draft(x, name),
        expected: Expected::Anything,
    }
}

async fn versions(fixture: &Fixture, id: &str) -> store::Versions {
    let live = fixture.store.live().get("parcels").unwrap().clone();
    let found = fixture.store.versions(&live, id).await.unwrap();
    found.unwrap_or_default()
}

fn name(version: &Version) -> Option<String> {
    match version.feature.as_ref()?.properties.first()? {
        Value::Text(text) => Some(text.to_string()),
        _ => None,
    }
}

async fn assert_clean(fixture: &Fixture) {
    let report = fixture.store.check(true).await.unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

/// What a collection was after a change: all of it, a box, a filter.
async fn told(fixture: &Fixture, seq: ChangeSeq) -> Result<Vec<String>, Error> {
    let now = fixture.store.live().get("parcels").unwrap().clone();
    let then = fixture.store.at(&now, seq).await?;
    let whole = ItemsQuery {
        limit: 10_000,
        ..ItemsQuery::default()
    };
    let bbox = Bbox {
        west: 24.3,
        south: 48.0,
        east: 24.6,
        north: 49.0,
    };
    let boxed = ItemsQuery {
        bbox: Some(bbox.into()),
        ..whole.clone()
    };
    let filter = Filter::parse("name LIKE 'n%'", &then.collection.schema).unwrap();
    let filtered = ItemsQuery {
        filter: Some(Arc::new(filter)),
        ..whole.clone()
    };
    let mut all = Vec::new();
    for query in [whole, boxed, filtered] {
        let page = fixture.store.items(&then, &query).await?;
        all.push(format!("{:?} {:?}", page.number_matched, page.features));
    }
    Ok(all)
}

/// Edits features at random; gives the change of each edit.
async fn edits(fixture: &Fixture, dice: &mut Dice, count: usize) -> Vec<ChangeSeq> {
    let mut seqs = Vec::new();
    for i in 0..count {
        let live = fixture.store.live();
        let index = &live.get("parcels").unwrap().index;
        let ids: Vec<i64> = index.iter().map(|hit| hit.fid()).collect();
        let id = ids[dice.below(ids.len())].to_string();
        let x = 24.0 + dice.below(900) as f64 / 1000.0;
        let step = match dice.below(5) {
            0 if ids.len() > 3 => delete(&id),
            1 | 2 => rename(&id, &format!("n{i}")),
            3 => put(&id, x, &format!("m{i}")),
            _ => Step::Create(draft(x, &format!("n{i}"))),
        };
        seqs.push(make(fixture, step).await);
    }
    seqs
}

#[tokio::test]
async fn what_was_before_is_gone_and_all_since_is_as_it_was() {
    let fixture = Fixture::with_parcels().await;
    let mut dice = Dice(11);
    let old = edits(&fixture, &mut dice, 150).await;
    let cut = *old.last().unwrap();
    let new = edits(&fixture, &mut dice, 100).await;
    age(&fixture, cut);
    let mut before = BTreeMap::new();
    for seq in [cut].iter().chain(&new) {
        before.insert(*seq, told(&fixture, *seq).await.unwrap());
    }
    let counters = fixture.sql("SELECT count(*), max(seq) FROM hromada_changes");
    let last_fid: i64 = fixture
        .sql("SELECT max(fid) FROM hromada_changes")
        .trim()
        .parse()
        .unwrap();
    let mut all_versions = Vec::new();
    for fid in 1..=last_fid {
        all_versions.push(versions(&fixture, &fid.to_string()).await);
    }
    // Held in memory from before.
    told(&fixture, old[0]).await.unwrap();

    rule(&fixture.store, Some(365)).await;
    let dry = fixture.store.trimmable(&Trim::by_rules()).await.unwrap();
    let done = trimmed(&fixture).await;
    let announced = dry.into_iter().next();
    assert_eq!(announced.as_ref(), Some(&done));
    let states = "SELECT count(*) FROM hromada_changes WHERE seq <= {} AND operation <> 'create'";
    let states = fixture.sql(&states.replace("{}", &cut.0.to_string()));
    assert_eq!(states.trim(), done.states.to_string());
    assert!(done.bytes > 100 * done.states, "{done:?}");
    let left = fixture.sql(&format!(
        "SELECT count(*) FROM hromada_changes WHERE seq <= {} AND (before_geometry IS NOT NULL OR before_properties IS NOT NULL)",
        cut.0
    ));
    assert_eq!(left.trim(), "0");
    let again = fixture.sql("SELECT count(*), max(seq) FROM hromada_changes");
    assert_eq!(again, counters, "no change is gone");

    let fixture = fixture.reopened().await;
    for (seq, before) in &before {
        assert_eq!(&told(&fixture, *seq).await.unwrap(), before, "{seq:?}");
    }
    for seq in old.iter().rev().skip(1) {
        let error = told(&fixture, *seq).await.unwrap_err();
        assert_eq!(key(&error), "store.history-not-kept", "{seq:?}");
        assert!(matches!(error, Error::Gone(_)));
    }
    let mut forgotten = 0;
    for (fid, before) in (1..).zip(&all_versions) {
        let after = versions(&fixture, &fid.to_string()).await;
        assert!(after.are_numbered);
        assert_eq!(after.kept_since, done.since);
        assert_eq!(after.all.len(), before.all.len(), "numbers stay: {fid}");
        for (i, (a, b)) in after.all.iter().zip(&before.all).enumerate() {
            assert_eq!(
                (a.seq, a.operation, &a.cause),
                (b.seq, b.operation, &b.cause)
            );
            let next = before.all.get(i + 1);
            let is_old = next.is_some_and(|next| next.seq <= cut);
            assert_eq!(a.is_forgotten, is_old && b.feature.is_some());
            match a.is_forgotten {
                true => assert!(a.feature.is_none()),
                false => assert_eq!(a.feature, b.feature),
            }
            forgotten += u64::from(a.is_forgotten);
        }
    }
    assert_eq!(forgotten, done.states);
    assert_clean(&fixture).await;
    let nothing = trimmed(&fixture).await;
    assert_eq!((nothing.states, nothing.bytes), (0, 0));
    // Ids go on where they were.
    let made = fixture
        .store
        .create("parcels", draft(24.8, "next"), "t")
        .await;
    assert!(made.unwrap().feature.fid > last_fid);
}

#[tokio::test]
async fn a_moment_that_was_held_in_memory_is_gone_too() {
    let fixture = Fixture::with_parcels().await;
    let first = make(&fixture, rename("1", "a")).await;
    let second = make(&fixture, rename("1", "b")).await;
    age(&fixture, second);
    let now = fixture.store.live().get("parcels").unwrap().clone();
    assert!(fixture.store.at(&now, first).await.is_ok());
    rule(&fixture.store, Some(365)).await;
    trimmed(&fixture).await;
    let told = fixture.store.at(&now, first).await.map(|_| ());
    assert_eq!(key(&told.unwrap_err()), "store.history-not-kept");
    // By its time, whatever has changed since.
    let old = "2020-01-01T00:00:00.000Z";
    let seq = fixture.store.seq_at(old).await.unwrap();
    assert_eq!(seq, second);
    assert!(fixture.store.at(&now, seq).await.is_ok());
    let told = fixture.store.then(&now, old, seq).await.map(|_| ());
    assert_eq!(key(&told.unwrap_err()), "store.history-not-kept");
    let recent = versions(&fixture, "1").await.kept_since.unwrap();
    assert!(fixture.store.then(&now, &recent, seq).await.is_ok());
}

#[tokio::test]
async fn a_state_that_was_let_go_is_not_made_again() {
    let fixture = Fixture::with_parcels().await;
    make(&fixture, rename("1", "a")).await;
    let cut = make(&fixture, rename("1", "b")).await;
    make(&fixture, rename("1", "c")).await;
    age(&fixture, cut);
    rule(&fixture.store, Some(365)).await;
    trimmed(&fixture).await;
    let all = versions(&fixture, "1").await.all;
    let names: Vec<Option<String>> = all.iter().map(name).collect();
    assert_eq!(names, [None, None, Some("b".into()), Some("c".into())]);
    let restore = |version: &Version| Step::Restore {
        id: "1".to_owned(),
        fid: 1,
        seq: version.seq,
        expected: Expected::Anything,
    };
    for gone in &all[..2] {
        let tried = vec![action(restore(gone))];
        let tried = fixture.store.transact(tried, Cause::default()).await;
        let error = tried.unwrap_err().into_error();
        assert!(matches!(error, Error::Gone(_)), "{error}");
    }
    make(&fixture, restore(&all[2])).await;
    let all = versions(&fixture, "1").await.all;
    assert_eq!(name(&all[4]).unwrap(), "b");
    assert_clean(&fixture).await;
}

#[tokio::test]
async fn nothing_goes_that_no_rule_lets_go() {
    let fixture = Fixture::with_parcels().await;
    let cut = make(&fixture, rename("1", "a")).await;
    age(&fixture, cut);
    let wanted = |before: &str| Trim {
        collections: vec![parcels_id()],
        before: (!before.is_empty()).then(|| before.to_owned()),
        ..Trim::by_rules()
    };
    let tried = async |trim: Trim| {
        let done = fixture.store.trim("test", &trim, &mut |_, _| {}).await;
        done.map(|all| all.iter().map(|t| t.states).sum::<u64>())
    };
    assert_eq!(tried(Trim::by_rules()).await.unwrap(), 0);
    for before in ["", "2015-01-01"] {
        let refused = tried(wanted(before)).await.unwrap_err();
        assert_eq!(key(&refused), "store.trim-no-rule", "{before}");
    }
    // What it would be may be asked.
    let dry = fixture
        .store
        .trimmable(&wanted("2015-01-01"))
        .await
        .unwrap();
    assert_eq!((dry.len(), dry[0].states), (1, 1));
    rule(&fixture.store, Some(365)).await;
    let tomorrow = wanted("2999-01-01");
    assert_eq!(
        key(&tried(tomorrow).await.unwrap_err()),
        "store.trim-too-late"
    );
    assert_eq!(
        key(&tried(wanted("soon")).await.unwrap_err()),
        "store.trim-day"
    );
    let other = Trim {
        collections: vec![CollectionId::new("none").unwrap()],
        ..Trim::by_rules()
    };
    assert_eq!(key(&tried(other).await.unwrap_err()), "store.no-collection");
    assert_eq!(
        tried(wanted("2010-05-01")).await.unwrap(),
        0,
        "begins after"
    );
    assert_eq!(tried(wanted("2010-05-02")).await.unwrap(), 1);
    let since = versions(&fixture, "1").await.kept_since;
    assert_eq!(since.as_deref(), Some("2010-05-02T00:00:00.000Z"));
    // An earlier day takes nothing back.
    tried(wanted("2009-01-01")).await.unwrap();
    let since = versions(&fixture, "1").await.kept_since;
    assert_eq!(since.as_deref(), Some("2010-05-02T00:00:00.000Z"));
    let audited = store::AuditFilter {
        action: Some("history".to_owned()),
        limit: 10,
        ..store::AuditFilter::default()
    };
    let audited = fixture.store.audited(&audited).await.unwrap();
    assert_eq!(audited.len(), 1);
    assert_eq!(
        (audited[0].subject.as_str(), audited[0].actor.as_str()),
        ("parcels", "test")
    );
    assert!(
        audited[0].detail.contains("\"states\":1"),
        "{}",
        audited[0].detail
    );
}

#[tokio::test]
async fn lineage_ids_and_keys_of_requests_outlive_the_states() {
    let fixture = crate::parcels::town().await;
    let once = |key: &str| Cause {
        once: Some(Once::new("iryna", key, [b"body".as_slice()])),
        ..Cause::default()
    };
    let split = Cadastral::Split {
        id: "2-2".to_owned(),
        line: crate::parcels::across(2, 2),
        pieces: Vec::new(),
        keeps: false,
    };
    crate::parcels::operate(&fixture, split).await.unwrap();
    let renumber = Cadastral::Renumber {
        ids: vec![("new-2".to_owned(), "last".to_owned())],
    };
    crate::parcels::operate(&fixture, renumber).await.unwrap();
    let gone = Action {
        ..action(delete("new-1"))
    };
    let done = fixture
        .store
        .transact(vec![gone.clone()], once("k"))
        .await
        .unwrap();
    let mut before = Vec::new();
    for id in ["2-2", "new-1", "new-2", "last"] {
        before.push(crate::parcels::lineage(&fixture, id).await);
    }
    age(&fixture, done.last);
    let access = Access {
        retention: Retention::of_days(365),
        ..Access::of(Class::Public)
    };
    fixture
        .store
        .set_access("test", &parcels_id(), access)
        .await
        .unwrap();
    assert!(trimmed(&fixture).await.states > 3);

    for (id, before) in ["2-2", "new-1", "new-2", "last"].iter().zip(&before) {
        assert_eq!(&crate::parcels::lineage(&fixture, id).await, before, "{id}");
        assert!(!before.is_empty());
    }
    let all = versions(&fixture, "new-1").await.all;
    assert_eq!(all.len(), 2, "that it was there is known, and its end");
    assert!(all[0].is_forgotten && !all[1].is_forgotten);
    // The same request is still done once.
    let repeated = fixture.store.transact(vec![gone], once("k")).await.unwrap();
    assert!(repeated.is_repeated);
    assert_eq!(repeated.last, done.last);
    // Numbers that were given once are not given again, not even where the counter has to begin anew.
    fixture.sql("DELETE FROM hromada_meta WHERE key LIKE 'id.%'");
    let mut new = draft(24.9, "x");
    new.properties = vec![Value::Null, Value::Text("o".into()), Value::Real(1.0)];
    let new = Action {
        rules: Editing {
            ids: IdPattern::parse("new-{n}"),
            ..Editing::default()
        },
        ..action(Step::Create(new))
    };
    let made = fixture
        .store
        .transact(vec![new], Cause::default())
        .await
        .unwrap();
    let made = made.written[0].item.as_ref().unwrap();
    assert_eq!(made.feature.properties[0], Value::Text("new-3".into()));
    let report = fixture.store.check(false).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
}

#[tokio::test]
async fn what_is_marked_counts_as_gone_before_it_is_emptied() {
    let fixture = Fixture::with_parcels().await;
    let first = make(&fixture, rename("1", "a")).await;
    let cut = make(&fixture, rename("1", "b")).await;
    make(&fixture, rename("1", "c")).await;
    // As a process leaves it that was killed after its first transaction.
    fixture.sql(&format!(
        "INSERT INTO hromada_meta (key, value) SELECT 'history.' || n, '{} 2020-01-01T00:00:00.000Z' FROM hromada_collections",
        cut.0
    ));
    let names = async || -> Vec<Option<String>> {
        versions(&fixture, "1").await.all.iter().map(name).collect()
    };
    let expected = [None, None, Some("b".to_owned()), Some("c".to_owned())];
    assert_eq!(names().await, expected);
    let error = told(&fixture, first).await.unwrap_err();
    assert_eq!(key(&error), "store.history-not-kept");
    assert!(told(&fixture, cut).await.is_ok());
    assert_clean(&fixture).await;
    // A copy has no more than that, and is proven to be the same.
    let folder = tempfile::tempdir().unwrap();
    let to = place(folder.path());
    let copied = store::copy(&fixture.store, to.clone(), &mut |_| {})
        .await
        .unwrap();
    assert!(copied.proof.is_same());
    // The next one ends it, also where the rule is gone.
    assert_eq!(trimmed(&fixture).await.states, 2);
    assert_eq!(names().await, expected);
    let copy = open(to).await;
    let compared = fixture.store.compare(&copy, &mut |_, _| {}).await.unwrap();
    assert!(compared.log.is_same() && compared.collections["parcels"].is_same());
    let copied = Fixture {
        folder,
        store: copy,
    };
    let left = "SELECT count(*) FROM hromada_changes WHERE before_properties IS NOT NULL";
    assert_eq!(copied.sql(left).trim(), "1");
    assert_eq!(name(&versions(&copied, "1").await.all[2]).unwrap(), "b");
    let error = told(&copied, first).await.unwrap_err();
    assert_eq!(key(&error), "store.history-not-kept");
}

#[tokio::test]
async fn a_mark_that_can_not_be_read_hides_nothing() {
    let fixture = Fixture::with_parcels().await;
    make(&fixture, rename("1", "a")).await;
    let now = fixture.store.live().get("parcels").unwrap().clone();
    fixture.sql("INSERT INTO hromada_meta (key, value) SELECT 'history.' || n, 'x' FROM hromada_collections");
    let told = fixture.store.at(&now, ChangeSeq(1)).await.map(|_| ());
    assert_eq!(key(&told.unwrap_err()), "store.counter-damaged");
}

#[tokio::test]
async fn a_copy_that_goes_on_after_a_trim_is_the_same_in_the_end() {
    let fixture = Fixture::with_parcels().await;
    make(&fixture, rename("1", "a")).await;
    let cut = make(&fixture, rename("1", "b")).await;
    age(&fixture, cut);
    rule(&fixture.store, Some(365)).await;
    let folder = tempfile::tempdir().unwrap();
    let to = place(folder.path());
    store::copy(&fixture.store, to.clone(), &mut |_| {})
        .await
        .unwrap();
    let half = Fixture {
        folder,
        store: open(to.clone()).await,
    };
    half.store.close().await;
    // As if it had not come to its end.
    let epoch = fixture.store.epoch().0.to_string();
    half.sql(&format!(
        "INSERT INTO hromada_meta (key, value) VALUES ('copy_from', '{epoch}')"
    ));
    let Fixture { folder, store } = half;
    drop(store);
    assert_eq!(trimmed(&fixture).await.states, 2);
    let copied = store::copy(&fixture.store, to.clone(), &mut |_| {}).await;
    assert!(copied.unwrap().proof.is_same());
    let store = open(to).await;
    let copy = Fixture { folder, store };
    let left = "SELECT count(*) FROM hromada_changes WHERE before_properties IS NOT NULL";
    assert_eq!(copy.sql(left).trim(), "0");
}

#[tokio::test]
async fn a_state_that_one_store_has_let_go_is_a_difference() {
    let fixture = Fixture::with_parcels().await;
    let cut = make(&fixture, rename("1", "a")).await;
    make(&fixture, rename("1", "b")).await;
    let folder = tempfile::tempdir().unwrap();
    let to = place(folder.path());
    store::copy(&fixture.store, to.clone(), &mut |_| {})
        .await
        .unwrap();
    let copy = Fixture {
        folder,
        store: open(to).await,
    };
    copy.sql(&format!(
        "INSERT INTO hromada_meta (key, value) SELECT 'history.' || n, '{} 2020-01-01T00:00:00.000Z' FROM hromada_collections",
        cut.0
    ));
    let compared = fixture
        .store
        .compare(&copy.store, &mut |_, _| {})
        .await
        .unwrap();
    assert!(!compared.log.is_same() && !compared.is_same());
    // One that has lost it without a word too.
    copy.sql("DELETE FROM hromada_meta WHERE key LIKE 'history.%'");
    let compared = fixture
        .store
        .compare(&copy.store, &mut |_, _| {})
        .await
        .unwrap();
    assert!(compared.is_same());
    copy.sql(&format!(
        "UPDATE hromada_changes SET before_geometry = NULL, before_properties = NULL WHERE seq = {}",
        cut.0
    ));
    let compared = fixture
        .store
        .compare(&copy.store, &mut |_, _| {})
        .await
        .unwrap();
    assert!(!compared.is_same());
}

/// A store of the same place as another process has it, where there can be one.
async fn beside(fixture: &Fixture) -> Store {
    match crate::ON_POSTGRES {
        true => open(fixture.store.place().clone()).await,
        false => fixture.store.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_at_a_time_trims_while_all_go_on_writing() {
    const MANY: usize = 3_000;
    let fixture = Fixture::with_parcels().await;
    let all = (0..MANY)
        .map(|i| action(rename("1", &format!("n{i}"))))
        .collect();
    let done = fixture.store.transact(all, Cause::default()).await.unwrap();
    let before = make(&fixture, rename("2", "kept")).await;
    age(&fixture, done.last);
    rule(&fixture.store, Some(365)).await;
    let other = beside(&fixture).await;
    let expected = told(&fixture, done.last).await.unwrap();
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let trimming = tokio::spawn({
        let store = fixture.store.clone();
        async move {
            let mut progress = |_: &str, states: u64| {
                let _ = begun.send(states);
            };
            store.trim("test", &Trim::by_rules(), &mut progress).await
        }
    });
    assert_eq!(has_begun.recv().await, Some(500), "some at a time");
    let refused = trim(&other).await.unwrap_err();
    assert_eq!(key(&refused), "store.trim-running");
    let mut written = 0;
    while has_begun.recv().await.is_some() {
        make(&fixture, rename("3", &format!("w{written}"))).await;
        assert_eq!(told(&fixture, done.last).await.unwrap(), expected);
        written += 1;
    }
    assert!(written >= 3, "{written}");
    let trimmed = trimming.await.unwrap().unwrap();
    assert_eq!(trimmed[0].states, MANY as u64);
    assert_eq!(trim(&other).await.unwrap()[0].states, 0);
    assert_eq!(told(&fixture, done.last).await.unwrap(), expected);
    assert!(told(&fixture, before).await.is_ok());
    // What the other process had not let go itself it does not tell either.
    let live = other.live().get("parcels").unwrap().clone();
    let gone = other.at(&live, ChangeSeq(done.first.0)).await.map(|_| ());
    assert_eq!(key(&gone.unwrap_err()), "store.history-not-kept");
    let room = fixture.sql_of(
        "SELECT sum(unused) * 100 / sum(pgsize) < 60 FROM dbstat WHERE name = 'hromada_changes'",
        "SELECT 1",
    );
    assert_eq!(room.trim(), "1", "pages of the log are not left empty");
    if crate::ON_POSTGRES {
        other.close().await;
    }
    assert_clean(&fixture).await;
}

/// Changes of two collections, more than one part of a trim, that both rules let go.
async fn two_collections() -> (Fixture, CollectionId) {
    let fixture = Fixture::with_parcels().await;
    let second = CollectionId::new("sensors").unwrap();
    let source = parcels();
    let imported = fixture.import(&source, |job| job.collection = second.clone());
    imported.await.unwrap();
    fixture.store.load().await.unwrap();
    let of = |collection: &str, step| Action {
        collection: collection.to_owned(),
        ..action(step)
    };
    let mut all = Vec::new();
    for i in 0..1_200 {
        all.push(of("parcels", rename("1", &format!("n{i}"))));
        all.push(of("sensors", rename("1", &format!("n{i}"))));
    }
    let done = fixture.store.transact(all, Cause::default()).await.unwrap();
    age(&fixture, done.last);
    rule(&fixture.store, Some(365)).await;
    let access = Access {
        retention: Retention::of_days(365),
        ..Access::of(Class::Public)
    };
    let ruled = fixture.store.set_access("test", &second, access);
    ruled.await.unwrap();
    (fixture, second)
}

/// Runs something else in the middle of what is going on.
fn meanwhile<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_taken_back_while_others_are_carried_out_lets_nothing_go() {
    let (fixture, second) = two_collections().await;
    let store = &fixture.store;
    let mut is_first = true;
    let mut progress = |id: &str, _: u64| {
        if std::mem::take(&mut is_first) {
            assert_eq!(id, "parcels");
            let forever = Access::of(Class::Public);
            meanwhile(store.set_access("test", &second, forever)).unwrap();
        }
    };
    let all = store.trim("test", &Trim::by_rules(), &mut progress).await;
    let names: Vec<String> = all.unwrap().into_iter().map(|t| t.collection).collect();
    assert_eq!(names, ["parcels"]);
    let there =
        fixture.sql("SELECT count(*) FROM hromada_changes WHERE before_properties IS NOT NULL");
    assert_eq!(there.trim(), "1200");
    assert_clean(&fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_overtaken_by_another_process_goes_no_further_and_takes_nothing_back() {
    let (fixture, _) = two_collections().await;
    let n = "(SELECT n FROM hromada_collections WHERE id = 'parcels')";
    let mut mark = String::new();
    let mut progress = |_: &str, _: u64| {
        // Another process that has gone on from where this one is.
        if mark.is_empty() {
            fixture.sql(&format!(
                "UPDATE hromada_meta SET value = '999999 2099-01-01T00:00:00.000000Z' WHERE key = 'history.' || {n};
                 UPDATE hromada_meta SET value = '1' WHERE key = 'history_emptied.' || {n}"
            ));
            mark = "2099".to_owned();
        }
    };
    let by_rules = Trim::by_rules();
    let trimming = fixture.store.trim("test", &by_rules, &mut progress);
    assert_eq!(key(&trimming.await.unwrap_err()), "store.trim-running");
    trim(&fixture.store).await.unwrap();
    let sql = format!("SELECT value FROM hromada_meta WHERE key = 'history.' || {n}");
    assert!(fixture.sql(&sql).contains("2099"));
}

#[tokio::test]
async fn other_collections_keep_their_states() {
    let fixture = Fixture::with_parcels().await;
    let beside = |job: &mut store::ImportJob| job.collection = CollectionId::new("beside").unwrap();
    fixture.import(&parcels(), beside).await.unwrap();
    fixture.store.load().await.unwrap();
    let other = |step| Action {
        collection: "beside".to_owned(),
        ..action(step)
    };
    make(&fixture, rename("1", "a")).await;
    let done = vec![other(rename("1", "a")), other(rename("1", "b"))];
    let done = fixture
        .store
        .transact(done, Cause::default())
        .await
        .unwrap();
    age(&fixture, done.last);
    rule(&fixture.store, Some(365)).await;
    assert_eq!(trimmed(&fixture).await.states, 1);
    let live = fixture.store.live().get("beside").unwrap().clone();
    let all = fixture.store.versions(&live, "1").await.unwrap().unwrap();
    let names: Vec<_> = all.all.iter().map(name).collect();
    assert_eq!(names, ["parcel 0", "a", "b"].map(|n| Some(n.to_owned())));
    assert_eq!(all.kept_since, None);
    let then = fixture.store.at(&live, done.first).await.unwrap();
    assert_eq!(then.index.len(), 3);
}
