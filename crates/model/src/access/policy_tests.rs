#![allow(clippy::unwrap_used)]

use super::super::{Assignment, Directory, Person, PersonKind, Role, Scope, Unit};
use super::*;

const DAY: &str = "2026-03-01";
const WEST: &str = r#"{"type":"Polygon","coordinates":[[[24,49],[25,49],[25,50],[24,49]]]}"#;
const PROPERTIES: [&str; 3] = ["kind", "owner", "phone"];

fn town() -> Directory {
    let mut town = Directory::default();
    for (id, parent) in [("water", None), ("pumps", Some("water")), ("roads", None)] {
        let unit = Unit {
            id: id.into(),
            title: id.into(),
            parent: parent.map(Into::into),
        };
        town.units.insert(id.into(), unit);
    }
    town
}

fn assigned(role: &str) -> Assignment {
    Assignment::of(Role::named(role).unwrap())
}

fn somebody(town: &mut Directory, id: &str, assignments: Vec<Assignment>) -> Principal {
    let mut person = Person::new(id, id, PersonKind::Person).unwrap();
    person.assignments = assignments;
    town.people.insert(id.into(), person);
    town.principal(id, DAY).unwrap()
}

fn decision(principal: &Principal, access: &Access) -> Decision {
    decide(principal, "pipes", access, PROPERTIES)
}

fn sees(principal: &Principal, access: &Access) -> bool {
    decision(principal, access).view.is_some()
}

#[test]
fn a_class_is_seen_by_those_who_have_it() {
    let mut town = town();
    let citizen = somebody(&mut town, "citizen", vec![]);
    let operator = somebody(&mut town, "operator", vec![assigned("operator")]);
    let executor = somebody(
        &mut town,
        "executor",
        vec![Assignment {
            unit: Some("water".into()),
            ..assigned("executor")
        }],
    );
    let planner = somebody(&mut town, "planner", vec![assigned("planner")]);
    let administrator = somebody(&mut town, "admin", vec![assigned("administrator")]);
    let everybody = Principal::anonymous();
    for (class, unit, expect) in [
        (Class::Public, None, [true, true, true, true, true, true]),
        (
            Class::Registered,
            None,
            [false, true, true, true, true, true],
        ),
        (Class::Staff, None, [false, false, true, true, true, false]),
        (
            Class::Unit,
            Some("water"),
            [false, false, false, true, true, false],
        ),
        (
            Class::Unit,
            Some("pumps"),
            [false, false, false, true, true, false],
        ),
        (
            Class::Unit,
            Some("roads"),
            [false, false, false, false, true, false],
        ),
        (
            Class::Restricted,
            Some("water"),
            [false, false, false, false, true, false],
        ),
    ] {
        let access = Access {
            unit: unit.map(Into::into),
            ..Access::of(class)
        };
        let all = [
            &everybody,
            &citizen,
            &operator,
            &executor,
            &planner,
            &administrator,
        ];
        let found = all.map(|principal| sees(principal, &access));
        assert_eq!(found, expect, "{class:?} {unit:?}");
    }
}

#[test]
fn personal_data_needs_a_permission_beyond_the_class() {
    let mut town = town();
    let rule = PropertyRule {
        from: Class::Staff,
        is_personal: true,
        otherwise: Shown::Masked { keep: 2 },
    };
    let hidden = PropertyRule {
        from: Class::Staff,
        is_personal: false,
        otherwise: Shown::Not,
    };
    let mut access = Access::of(Class::Public);
    access.properties.insert("phone".into(), rule);
    access.properties.insert("owner".into(), hidden);
    let form = |principal: &Principal| {
        let view = decision(principal, &access).view.unwrap();
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(",");
        let masked: Vec<&str> = view.masked.keys().map(String::as_str).collect();
        (names(&view.hidden), masked.join(","), names(&view.personal))
    };
    let of = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(form(&Principal::anonymous()), of("owner", "phone", ""));
    let operator = somebody(&mut town, "operator", vec![assigned("operator")]);
    assert_eq!(form(&operator), of("", "phone", ""));
    let registrar = somebody(&mut town, "registrar", vec![assigned("registrar")]);
    assert_eq!(form(&registrar), of("", "", "phone"));
    let token = registrar.narrowed(&BTreeSet::from([Scope::Read]), None);
    assert_eq!(form(&token), of("", "phone", ""));
}

#[test]
fn an_area_bounds_what_its_assignment_gives_and_nothing_else() {
    let mut town = town();
    let west = Assignment {
        area: Some(Area::parse(WEST).unwrap()),
        ..assigned("gis-editor")
    };
    let editor = somebody(&mut town, "editor", vec![west.clone()]);
    let within = Reach::Within(vec![Area::parse(WEST).unwrap()]);
    let staff = decision(&editor, &Access::of(Class::Staff));
    assert_eq!(staff.view.unwrap().reach, within);
    assert_eq!(staff.change, Some(within.clone()));
    // What everybody sees is seen everywhere, and still written within.
    let open = decision(&editor, &Access::of(Class::Public));
    assert!(open.view.unwrap().is_whole());
    assert_eq!(open.create, Some(within));
    let both = somebody(&mut town, "both", vec![west, assigned("gis-editor")]);
    let both = decision(&both, &Access::of(Class::Staff));
    assert_eq!(both.delete, Some(Reach::Everywhere));
    // Rules are for all of a collection, so whoever has a part of it decides on none.
    let publisher = Assignment {
        area: Some(Area::parse(WEST).unwrap()),
        ..assigned("data-publisher")
    };
    let publisher = somebody(&mut town, "publisher", vec![publisher]);
    assert!(!decision(&publisher, &Access::of(Class::Staff)).publish);
    let whole = somebody(&mut town, "whole", vec![assigned("data-publisher")]);
    assert!(decision(&whole, &Access::of(Class::Staff)).publish);
}

#[test]
fn a_twin_is_coarse_and_takes_no_writes() {
    let mut town = town();
    let access = Access {
        twin: Some(Twin {
            class: Class::Public,
            properties: vec!["kind".into()],
            grid: 250,
            filter: Some("kind = 'main'".into()),
        }),
        ..Access::of(Class::Restricted)
    };
    let view = decision(&Principal::anonymous(), &access).view.unwrap();
    assert_eq!(view.grid, Some(250));
    assert_eq!(Vec::from_iter(&view.hidden), ["owner", "phone"]);
    assert_eq!(Vec::from_iter(&view.filters), ["kind = 'main'"]);
    let utility = somebody(&mut town, "utility", vec![assigned("utility-owner")]);
    let decided = decision(&utility, &access);
    assert_eq!(decided.view, Some(view), "without the class it is the twin");
    assert_eq!(decided.change, None, "nothing is written through a twin");
    let planner = somebody(&mut town, "planner", vec![assigned("planner")]);
    assert!(decision(&planner, &access).view.unwrap().is_whole());
}

#[test]
fn rows_are_filtered_for_those_below_a_class() {
    let mut town = town();
    let access = Access {
        rows: vec![RowRule {
            below: Class::Staff,
            filter: "kind <> 'secret'".into(),
        }],
        ..Access::of(Class::Public)
    };
    let view = |principal: &Principal| decision(principal, &access).view.unwrap();
    assert_eq!(view(&Principal::anonymous()).filters.len(), 1);
    let operator = somebody(&mut town, "operator", vec![assigned("operator")]);
    assert!(view(&operator).is_whole());
}

#[test]
fn a_deputy_has_what_the_other_has_for_the_time() {
    let mut town = town();
    let access = Access {
        unit: Some("roads".into()),
        ..Access::of(Class::Unit)
    };
    somebody(&mut town, "boss", vec![assigned("gis-editor")]);
    let deputy = somebody(&mut town, "deputy", vec![]);
    assert!(!sees(&deputy, &access));
    let boss = town.people.get_mut("boss").unwrap();
    boss.deputies.push(super::super::Deputy {
        person: "deputy".into(),
        from: Some("2026-02-01".into()),
        until: Some("2026-03-01".into()),
    });
    assert!(sees(&town.principal("deputy", DAY).unwrap(), &access));
    assert!(!sees(
        &town.principal("deputy", "2026-03-02").unwrap(),
        &access
    ));
    town.people.get_mut("boss").unwrap().is_disabled = true;
    assert!(!sees(&town.principal("deputy", DAY).unwrap(), &access));
    assert_eq!(town.principal("boss", DAY), None);
}

#[test]
fn a_token_for_some_collections_sees_the_others_as_everybody_does() {
    let mut town = town();
    let planner = somebody(&mut town, "planner", vec![assigned("planner")]);
    let scopes = BTreeSet::from([Scope::Read]);
    let for_roads = planner.narrowed(&scopes, Some(BTreeSet::from(["roads".into()])));
    assert!(!sees(&for_roads, &Access::of(Class::Registered)));
    assert!(sees(&for_roads, &Access::of(Class::Public)));
    assert!(
        decide(
            &for_roads,
            "roads",
            &Access::of(Class::Restricted),
            PROPERTIES
        )
        .view
        .is_some()
    );
}

#[test]
fn what_nobody_has_said_anything_about_is_not_public() {
    let unknown = town().access("pipes");
    assert!(!sees(&Principal::anonymous(), &unknown));
}
