//! Accounts, units, rules and keys: what is refused, what is kept, and what the audit log says of it.

use std::time::Duration;

use model::CollectionId;
use model::access::{Access, Assignment, Class, Deputy, Person, PersonKind, Role, Scope, Unit};
use store::{AuditEntry, AuditFilter, Ended, Error, Key, KeyHash, KeyKind, NewToken, Store};

use crate::support::{Fixture, draft};

const ACTOR: &str = "console:tester";

fn person(id: &str) -> Person {
    Person::new(id, "Somebody", PersonKind::Person).unwrap()
}

fn unit(id: &str, parent: Option<&str>) -> Unit {
    Unit {
        id: id.into(),
        title: "Unit".into(),
        parent: parent.map(Into::into),
    }
}

fn role(id: &str) -> Assignment {
    Assignment::of(Role::named(id).unwrap())
}

fn token(person: &str) -> NewToken {
    NewToken {
        person: person.into(),
        label: "QGIS".into(),
        scopes: [Scope::Read].into(),
        collections: None,
        days: 30,
        generation: None,
    }
}

fn key<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
    result.unwrap_err().message().unwrap().key()
}

/// The actions of the log, the oldest first; its chain must hold.
async fn actions(store: &Store) -> Vec<String> {
    let verified = store.verify_audit(None).await.unwrap();
    assert_eq!(verified.findings, []);
    let filter = AuditFilter {
        actor: Some(ACTOR.into()),
        limit: 100,
        ..AuditFilter::default()
    };
    let records = store.audited(&filter).await.unwrap();
    records.into_iter().rev().map(|r| r.action).collect()
}

#[tokio::test]
async fn accounts_have_roles_and_deputies_and_are_switched_off_with_all_their_keys() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    store.add_person(ACTOR, person("boss")).await.unwrap();
    store.add_person(ACTOR, person("clerk")).await.unwrap();
    let again = store.add_person(ACTOR, person("boss")).await;
    assert_eq!(key(again), "access.account-exists");
    let nobody = store.give_role(ACTOR, "nobody", role("planner")).await;
    assert_eq!(key(nobody), "access.no-account");
    store
        .give_role(ACTOR, "boss", role("planner"))
        .await
        .unwrap();
    let twice = store.give_role(ACTOR, "boss", role("planner")).await;
    assert_eq!(key(twice), "access.role-given");
    let elsewhere = Assignment {
        unit: Some("water".into()),
        ..role("planner")
    };
    let refused = store.give_role(ACTOR, "boss", elsewhere).await;
    assert_eq!(key(refused), "access.no-unit");
    let deputy = Deputy {
        person: "clerk".into(),
        from: None,
        until: Some("2026-02-01".into()),
    };
    store.set_deputy(ACTOR, "boss", deputy).await.unwrap();
    let none = store.remove_deputy(ACTOR, "boss", "boss").await;
    assert_eq!(key(none), "access.no-deputy");
    store.remove_deputy(ACTOR, "boss", "clerk").await.unwrap();
    let (secret, _) = store.add_token(ACTOR, token("boss")).await.unwrap();
    store.disable_person(ACTOR, "boss").await.unwrap();
    assert_eq!(store.key(&KeyHash::of(&secret)).await.unwrap(), None);
    let off = store.add_token(ACTOR, token("boss")).await;
    assert_eq!(key(off), "access.account-disabled");
    store.enable_person(ACTOR, "boss").await.unwrap();
    let taken = store.take_role(ACTOR, "boss", |a| a.role.id == "planner");
    assert_eq!(taken.await.unwrap(), 1);
    let gone = store.take_role(ACTOR, "boss", |_| true).await;
    assert_eq!(key(gone), "access.role-not-given");
    assert_eq!(
        actions(store).await,
        [
            "person.create",
            "person.create",
            "role.give",
            "deputy.give",
            "deputy.take",
            "token.create",
            "person.disable",
            "person.enable",
            "role.take"
        ]
    );
}

#[tokio::test]
async fn what_began_before_the_sessions_ended_does_not_become_one() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    store.add_person(ACTOR, person("clerk")).await.unwrap();
    let generation = || store.directory().people["clerk"].generation;
    let begin = async |generation: u64| {
        let (_, hash) = KeyHash::fresh(KeyKind::Session);
        let key = Key {
            kind: KeyKind::Session,
            person: "clerk".into(),
            label: "browser".into(),
            scopes: Default::default(),
            collections: None,
            proved: None,
            created: "2026-01-01T00:00:00.000Z".into(),
            expires: "2999-01-01T00:00:00.000Z".into(),
            seen: "2026-01-01T00:00:00.000Z".into(),
        };
        let entry = AuditEntry::new("sign-in", "clerk");
        store
            .add_key(ACTOR, hash, key, Some(generation), entry)
            .await
    };
    let shown = generation();
    begin(shown).await.unwrap();
    store.disable_person(ACTOR, "clerk").await.unwrap();
    assert_eq!(key(begin(shown).await), "access.account-changed");
    assert_eq!(key(begin(generation()).await), "access.account-changed");
    store.enable_person(ACTOR, "clerk").await.unwrap();
    assert_eq!(key(begin(shown).await), "access.account-changed");
    let shown = generation();
    let old = NewToken {
        generation: Some(shown),
        ..token("clerk")
    };
    let ended = Ended {
        person: "clerk".into(),
        kept: None,
        tokens: false,
        spent: None,
    };
    let entry = AuditEntry::new("password.change", "clerk");
    store.add_token(ACTOR, old.clone()).await.unwrap();
    begin(shown).await.unwrap();
    store
        .amend_ending(ACTOR, ended, |_| Ok(entry))
        .await
        .unwrap();
    let kinds = async || {
        let keys = store.keys(Some("clerk")).await.unwrap();
        keys.iter().map(|(_, key)| key.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds().await, [KeyKind::Token]);
    assert_eq!(key(begin(shown).await), "access.account-changed");
    assert_eq!(
        key(store.add_token(ACTOR, old).await),
        "access.account-changed"
    );
    begin(generation()).await.unwrap();
}

#[tokio::test]
async fn who_was_switched_off_while_others_wrote_does_nothing_more() {
    let fixture = Fixture::with_parcels().await;
    let store = &fixture.store;
    // One has the name of a collection.
    for id in ["boss", "clerk", "parcels"] {
        store.add_person(ACTOR, person(id)).await.unwrap();
    }
    for id in ["boss", "parcels"] {
        store.disable_person(id, id).await.unwrap();
        let written = store.create("parcels", draft(24.7, "x"), id).await;
        assert_eq!(key(written), "access.account-changed");
    }
    let given = store
        .give_role("boss", "clerk", role("administrator"))
        .await;
    assert_eq!(key(given), "access.account-changed");
    assert!(store.directory().people["clerk"].assignments.is_empty());
    store
        .create("parcels", draft(24.7, "x"), "clerk")
        .await
        .unwrap();
}

#[tokio::test]
async fn somebody_is_left_who_may_manage_accounts() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    // Nobody did before, so nothing is lost.
    store.add_person(ACTOR, person("clerk")).await.unwrap();
    store.disable_person(ACTOR, "clerk").await.unwrap();
    store.enable_person(ACTOR, "clerk").await.unwrap();
    let mut boss = person("boss");
    boss.assignments.push(role("administrator"));
    store.add_person(ACTOR, boss).await.unwrap();
    let past = Assignment {
        until: Some("2020-01-01".into()),
        ..role("administrator")
    };
    store.give_role(ACTOR, "clerk", past).await.unwrap();
    let later = Assignment {
        from: Some("2999-01-01".into()),
        ..role("administrator")
    };
    store.give_role(ACTOR, "clerk", later).await.unwrap();
    let mut robot = Person::new("robot", "Robot", PersonKind::Machine).unwrap();
    robot.assignments.push(role("administrator"));
    store.add_person(ACTOR, robot).await.unwrap();
    let off = store.disable_person(ACTOR, "boss").await;
    assert_eq!(key(off), "access.last-administrator");
    let taken = store.take_role(ACTOR, "boss", |_| true).await;
    assert_eq!(key(taken), "access.last-administrator");
    store
        .give_role(ACTOR, "clerk", role("administrator"))
        .await
        .unwrap();
    store.disable_person(ACTOR, "boss").await.unwrap();
    let off = store.disable_person(ACTOR, "clerk").await;
    assert_eq!(key(off), "access.last-administrator");
}

#[tokio::test]
async fn a_role_of_single_sign_on_is_not_taken_here() {
    let fixture = Fixture::new().await;
    let mut clerk = person("clerk");
    clerk.assignments.push(Assignment {
        is_external: true,
        ..role("planner")
    });
    fixture.store.add_person(ACTOR, clerk).await.unwrap();
    let refused = fixture.store.take_role(ACTOR, "clerk", |_| true).await;
    assert_eq!(key(refused), "access.role-external");
}

#[tokio::test]
async fn a_unit_that_something_names_stays() {
    let fixture = Fixture::with_parcels().await;
    let store = &fixture.store;
    store.add_unit(ACTOR, unit("works", None)).await.unwrap();
    let again = store.add_unit(ACTOR, unit("works", None)).await;
    assert_eq!(key(again), "access.unit-exists");
    let child = unit("water", Some("works"));
    store.add_unit(ACTOR, child).await.unwrap();
    let circle = store.change_unit(ACTOR, unit("works", Some("water"))).await;
    assert_eq!(key(circle), "access.unit-in-itself");
    let refused = store.remove_unit(ACTOR, "works").await;
    assert_eq!(key(refused), "access.unit-has-parts");
    let mut clerk = person("clerk");
    clerk.assignments.push(Assignment {
        unit: Some("water".into()),
        ..role("planner")
    });
    store.add_person(ACTOR, clerk).await.unwrap();
    let refused = store.remove_unit(ACTOR, "water").await;
    assert_eq!(key(refused), "access.unit-has-people");
    store.take_role(ACTOR, "clerk", |_| true).await.unwrap();
    let parcels = CollectionId::new("parcels").unwrap();
    let owned = store.set_class(ACTOR, &parcels, Class::Unit, Some("water".into()));
    owned.await.unwrap();
    let refused = store.remove_unit(ACTOR, "water").await;
    assert_eq!(key(refused), "access.unit-has-collections");
    let open = Access::of(Class::Public);
    store.set_access(ACTOR, &parcels, open).await.unwrap();
    store.remove_unit(ACTOR, "water").await.unwrap();
    store.remove_unit(ACTOR, "works").await.unwrap();
    assert_eq!(
        key(store.remove_unit(ACTOR, "works").await),
        "access.no-unit"
    );
    assert_eq!(actions(store).await.last().unwrap(), "unit.remove");
}

#[tokio::test]
async fn rules_are_kept_when_they_fit_the_collection() {
    let fixture = Fixture::with_parcels().await;
    let store = &fixture.store;
    let parcels = CollectionId::new("parcels").unwrap();
    let missing = CollectionId::new("missing").unwrap();
    let open = Access::of(Class::Public);
    let nowhere = store.set_access(ACTOR, &missing, open).await;
    assert_eq!(key(nowhere), "store.no-collection");
    let rules = |filter: &str| {
        let text =
            format!(r#"{{"class":"staff","rows":[{{"below":"unit","filter":"{filter}"}}]}}"#);
        store::access_from_text(&text).unwrap()
    };
    let refused = store.set_access(ACTOR, &parcels, rules("owner = 1")).await;
    assert_eq!(key(refused), "model.filter-property-unknown");
    let good = rules("area > 1");
    store
        .set_access(ACTOR, &parcels, good.clone())
        .await
        .unwrap();
    assert_eq!(store.directory().access("parcels"), good);
    // Another class leaves the other rules.
    let opened = store.set_class(ACTOR, &parcels, Class::Public, None);
    opened.await.unwrap();
    let kept = Access {
        class: Class::Public,
        ..good
    };
    assert_eq!(store.directory().access("parcels"), kept);
    let changes = AuditFilter {
        action: Some("access".into()),
        limit: 1,
        ..AuditFilter::default()
    };
    let log = store.audited(&changes).await.unwrap();
    assert!(
        log[0].detail.contains(r#""before":{"class":"staff""#),
        "{log:?}"
    );
    assert!(
        log[0].detail.contains(r#""after":{"class":"public""#),
        "{log:?}"
    );
    let fixture = fixture.reopened().await;
    assert_eq!(fixture.store.directory().access("parcels"), kept);
}

#[tokio::test]
async fn tokens_are_bounded_and_revoked_by_the_beginning_of_their_hash() {
    let fixture = Fixture::with_parcels().await;
    let store = &fixture.store;
    store.add_person(ACTOR, person("clerk")).await.unwrap();
    for (change, expect) in [
        (
            NewToken {
                days: 731,
                ..token("clerk")
            },
            "access.token-days",
        ),
        (
            NewToken {
                days: 0,
                ..token("clerk")
            },
            "access.token-days",
        ),
        (
            NewToken {
                scopes: [].into(),
                ..token("clerk")
            },
            "access.token-scopes",
        ),
        (
            NewToken {
                label: "a\nb".into(),
                ..token("clerk")
            },
            "access.title-invalid",
        ),
        (
            NewToken {
                collections: Some(["missing".into()].into()),
                ..token("clerk")
            },
            "store.no-collection",
        ),
        (token("nobody"), "access.no-account"),
    ] {
        assert_eq!(key(store.add_token(ACTOR, change).await), expect);
    }
    let (secret, made) = store.add_token(ACTOR, token("clerk")).await.unwrap();
    let hash = KeyHash::of(&secret);
    assert_eq!(store.key(&hash).await.unwrap(), Some(made));
    assert_eq!(
        key(store.revoke_token(ACTOR, &hash.as_str()[..7]).await),
        "access.token-prefix-short"
    );
    assert_eq!(
        key(store.revoke_token(ACTOR, "0123456789abcdef").await),
        "access.no-token"
    );
    store
        .revoke_token(ACTOR, &hash.as_str()[..8])
        .await
        .unwrap();
    assert_eq!(store.key(&hash).await.unwrap(), None);
    let all = AuditFilter {
        limit: 100,
        ..AuditFilter::default()
    };
    for record in store.audited(&all).await.unwrap() {
        assert!(!record.detail.contains(&secret), "{record:?}");
    }
    assert_eq!(
        actions(store).await,
        ["person.create", "token.create", "token.revoke"]
    );
}

#[tokio::test]
async fn of_two_links_the_newer_is_good_and_a_machine_has_none() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    store.add_person(ACTOR, person("clerk")).await.unwrap();
    let robot = Person::new("robot", "Robot", PersonKind::Machine).unwrap();
    store.add_person(ACTOR, robot).await.unwrap();
    let day = Duration::from_secs(86_400);
    let refused = store.add_link(ACTOR, "robot", day).await;
    assert_eq!(key(refused), "access.link-for-machine");
    let (older, _) = store.add_link(ACTOR, "clerk", day).await.unwrap();
    let (newer, made) = store.add_link(ACTOR, "clerk", day).await.unwrap();
    assert_eq!(store.key(&KeyHash::of(&older)).await.unwrap(), None);
    let kept = store.key(&KeyHash::of(&newer)).await.unwrap().unwrap();
    assert_eq!((kept.kind, &kept), (KeyKind::Link, &made));
    assert!(kept.expires > kept.created);
}

#[tokio::test]
async fn of_two_who_have_seen_the_same_style_one_changes_it() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let put = async |text: &str, seen: Option<&str>| {
        let (title, document) = ("Evening".to_owned(), text.into());
        let seen = seen.map(Into::into);
        store
            .put_style(ACTOR, "evening", title, document, seen)
            .await
    };
    assert!(put("{}", None).await.unwrap());
    let (one, other) = tokio::join!(put("[1]", Some("{}")), put("[2]", Some("{}")));
    let won: Vec<bool> = [&one, &other].map(|r| r.is_ok()).to_vec();
    assert_ne!(won[0], won[1], "{won:?}");
    let lost = if won[0] { other } else { one };
    assert!(
        matches!(&lost, Err(Error::PreconditionFailed(_))),
        "{lost:?}"
    );
    assert_eq!(key(lost), "store.style-changed");
    let kept = if won[0] { "[1]" } else { "[2]" };
    let document = |store: &Store| store.directory().styles["evening"].document.to_string();
    assert_eq!(document(store), kept);
    let stale = store
        .delete_style(ACTOR, "evening", Some("{}".into()))
        .await;
    assert_eq!(key(stale), "store.style-changed");
    assert_eq!(document(store), kept);
    // What there is no more has been changed as well.
    store.delete_style(ACTOR, "evening", None).await.unwrap();
    assert_eq!(key(put("{}", Some(kept)).await), "store.style-changed");
    let gone = store.delete_style(ACTOR, "evening", None).await;
    assert_eq!(key(gone), "store.no-style");
    let long = "x".repeat((512 << 10) + 1);
    assert_eq!(key(put(&long, None).await), "store.style-too-long");
    assert_eq!(
        actions(store).await,
        ["style.put", "style.put", "style.delete"]
    );
}
