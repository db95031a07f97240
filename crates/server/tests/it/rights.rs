//! Who may write where, and that what a writer does not see stays as it is.

use std::collections::BTreeMap;

use axum::http::Method;
use model::access::{
    Assignment, Class, PropertyRule, Reach, Role, RowRule, Scope, Shown, Twin, View,
};
use model::{Feature, Value};
use serde_json::{Value as Json, json};
use store::{By, CollectionSettings, Lens};

use crate::guarded::{Guarded, Part, add_unit, deputy, person, rules, set_rules, west};
use crate::town::{Answer, account, collection_of, import, token_for};

const GEOJSON: (&str, &str) = ("content-type", "application/geo+json");
const WEST: [f64; 2] = [24.2, 48.9];
const EAST: [f64; 2] = [24.8, 48.9];

fn point(at: [f64; 2]) -> Json {
    json!({ "type": "Point", "coordinates": at })
}

fn body(properties: Json, at: [f64; 2]) -> String {
    json!({ "type": "Feature", "properties": properties, "geometry": point(at) }).to_string()
}

fn rule(from: Class, otherwise: Shown) -> PropertyRule {
    PropertyRule {
        from,
        is_personal: false,
        otherwise,
    }
}

async fn give_token(town: &mut Guarded, who: &str) {
    let token = token_for(&town.store, who, "test", &Scope::ALL, None).await;
    town.tokens.insert(who.to_owned(), token);
}

/// Lamps of nobody's, valves of the water unit, signs of the road unit, and a restricted collection with a twin.
async fn town() -> Guarded {
    let mut town = Guarded::empty().await;
    let lamp = |kind: &str, state: &str, at| {
        let all = json!({ "code": format!("{kind}-{state}"), "kind": kind, "state": state, "note": "a note", "phone": "+380441112233" });
        body(all, at)
    };
    let lamps = [
        lamp("west", "open", WEST),
        lamp("east", "open", EAST),
        lamp("west", "secret", WEST),
        lamp("east", "secret", EAST),
    ];
    let text_id = Some("code");
    let plain = CollectionSettings::default;
    let (store, folder) = (town.store.clone(), town.folder.path().to_owned());
    import(
        &store,
        &folder,
        "lamps",
        &collection_of(&lamps),
        text_id,
        plain(),
    )
    .await;
    let mut access = rules(Class::Public, None);
    access.properties = BTreeMap::from([
        ("note".to_owned(), rule(Class::Restricted, Shown::Not)),
        (
            "phone".to_owned(),
            rule(Class::Restricted, Shown::Masked { keep: 4 }),
        ),
    ]);
    access.rows = vec![RowRule {
        below: Class::Restricted,
        filter: "state <> 'secret'".to_owned(),
    }];
    set_rules(&store, "lamps", access).await;
    // The code of one is the key of the other.
    let poles = ["2", "1"].map(|code| body(json!({ "code": code, "kind": "pole" }), WEST));
    for (id, otherwise) in [("poles", Shown::Not), ("masts", Shown::Masked { keep: 0 })] {
        import(
            &store,
            &folder,
            id,
            &collection_of(&poles),
            text_id,
            plain(),
        )
        .await;
        let mut access = rules(Class::Public, None);
        access
            .properties
            .insert("code".to_owned(), rule(Class::Restricted, otherwise));
        set_rules(&store, id, access).await;
    }
    for (id, class, unit) in [
        ("valves", Class::Unit, "water"),
        ("signs", Class::Unit, "roads"),
        ("benches", Class::Public, "roads"),
        ("pumps", Class::Staff, "pumps"),
    ] {
        let features = [WEST, EAST].map(|at| body(json!({ "kind": "a" }), at));
        import(
            &store,
            &folder,
            id,
            &collection_of(&features),
            None,
            plain(),
        )
        .await;
        set_rules(&store, id, rules(class, Some(unit))).await;
    }
    let pipe = body(json!({ "kind": "main" }), WEST);
    import(
        &store,
        &folder,
        "pipes",
        &collection_of(&[pipe]),
        None,
        plain(),
    )
    .await;
    let mut access = rules(Class::Restricted, None);
    access.twin = Some(Twin {
        class: Class::Public,
        properties: vec!["kind".to_owned()],
        grid: 1_000,
        filter: None,
    });
    set_rules(&store, "pipes", access).await;
    for (id, parent) in [("water", None), ("pumps", Some("water")), ("roads", None)] {
        add_unit(&store, id, id, parent).await;
    }
    for (who, role, part) in [
        ("editor", Some("gis-editor"), Part::All),
        ("owner", Some("utility-owner"), Part::All),
        ("west", Some("utility-owner"), Part::West),
        ("water", Some("utility-owner"), Part::Water),
        ("planner", Some("planner"), Part::All),
        ("operator", Some("operator"), Part::All),
        ("citizen", None, Part::All),
    ] {
        account(&store, person(who, role, part)).await;
        give_token(&mut town, who).await;
    }
    // Sees all of the town and writes in the west.
    let mut both = person("both", Some("operator"), Part::All);
    both.assignments.push(Assignment {
        area: Some(west()),
        ..Assignment::of(Role::named("utility-owner").unwrap())
    });
    account(&store, both).await;
    give_token(&mut town, "both").await;
    town.open().await
}

async fn write(
    town: &Guarded,
    who: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Answer {
    let path = format!("/collections/{path}");
    town.ask(who, method, &path, &[&[GEOJSON], headers].concat(), body)
        .await
}

/// A feature as it is stored.
async fn stored(town: &Guarded, collection: &str, id: &str) -> Option<Feature> {
    let live = town.store.live();
    let item = town.store.item(live.get(collection).unwrap(), id).await;
    item.unwrap().map(|item| item.feature)
}

/// The text of a property as it is stored.
async fn value(town: &Guarded, collection: &str, id: &str, property: &str) -> String {
    let live = town.store.live();
    let schema = live.get(collection).unwrap().collection.schema.clone();
    let feature = stored(town, collection, id).await.unwrap();
    match &feature.properties[schema.position(property).unwrap()] {
        Value::Text(text) => text.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_write_is_for_who_sees_the_collection_has_the_permission_and_has_it_there() {
    let town = town().await;
    // The status of creating in the west and in the east, of changing feature 2, which is in the east.
    for (who, collection, [in_west, in_east, change]) in [
        ("editor", "benches", [201, 201, 200]),
        ("owner", "benches", [201, 201, 200]),
        ("west", "benches", [201, 403, 403]),
        ("water", "benches", [403, 403, 403]),
        ("planner", "benches", [403, 403, 403]),
        ("operator", "benches", [403, 403, 403]),
        ("citizen", "benches", [403, 403, 403]),
        ("nobody", "benches", [401, 401, 401]),
        ("editor", "valves", [201, 201, 200]),
        ("west", "valves", [201, 403, 404]),
        ("water", "valves", [201, 201, 200]),
        ("operator", "valves", [404, 404, 404]),
        ("citizen", "valves", [404, 404, 404]),
        ("nobody", "valves", [404, 404, 404]),
        ("water", "signs", [404, 404, 404]),
        // A unit below one's own.
        ("water", "pumps", [201, 201, 200]),
        ("operator", "pumps", [403, 403, 403]),
        ("both", "pumps", [201, 403, 403]),
        // Through a twin nothing is written.
        ("owner", "pipes", [403, 403, 403]),
        ("citizen", "pipes", [403, 403, 403]),
        ("nobody", "pipes", [401, 401, 401]),
        ("editor", "pipes", [201, 201, 200]),
        ("editor", "nothing", [404, 404, 404]),
    ] {
        let items = format!("{collection}/items");
        let feature = |at| body(json!({ "kind": "new" }), at);
        let mut made = Vec::new();
        for (at, status) in [(WEST, in_west), (EAST, in_east)] {
            let answer = write(&town, who, Method::POST, &items, &[], feature(at)).await;
            assert_eq!(
                answer.status,
                status,
                "{who} {collection}: {}",
                answer.text()
            );
            made.push(answer);
        }
        let second = format!("{items}/2");
        let answer = write(&town, who, Method::PUT, &second, &[], feature(EAST)).await;
        assert_eq!(
            answer.status,
            change,
            "{who} {collection}: {}",
            answer.text()
        );
        for answer in made.iter().filter(|answer| answer.status == 201) {
            let place = answer
                .header("location")
                .split("/collections/")
                .nth(1)
                .unwrap();
            let gone = write(&town, who, Method::DELETE, place, &[], String::new()).await;
            assert_eq!(gone.status, 204, "{who} {collection}: {}", gone.text());
        }
        if change != 200 {
            let answer = write(&town, who, Method::DELETE, &second, &[], String::new()).await;
            assert_eq!(
                answer.status,
                change,
                "{who} {collection}: {}",
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn what_a_writer_does_not_see_stays_as_it_is() {
    let town = town().await;
    let path = "lamps/items/west-open";
    let seen = town
        .get("owner", &format!("/collections/{path}"))
        .await
        .ok();
    let mut feature = seen.json();
    assert_eq!(feature["properties"]["phone"], "+380***");
    assert!(feature["properties"].get("note").is_none());
    feature["properties"]["kind"] = "changed".into();
    let tag = seen.header("etag").to_owned();
    let headers = [("if-match", tag.as_str())];
    let done = write(
        &town,
        "owner",
        Method::PUT,
        path,
        &headers,
        feature.to_string(),
    )
    .await
    .ok();
    assert_eq!(done.json()["properties"]["kind"], "changed");
    assert!(!done.text().contains("a note") && !done.text().contains("112233"));
    assert_eq!(value(&town, "lamps", "west-open", "kind").await, "changed");
    assert_eq!(value(&town, "lamps", "west-open", "note").await, "a note");
    // The mask did not become the value, nor does anything else that is given for it.
    assert_eq!(
        value(&town, "lamps", "west-open", "phone").await,
        "+380441112233"
    );
    for phone in [json!("+1"), Json::Null, json!("+380***")] {
        feature["properties"]["phone"] = phone;
        write(&town, "owner", Method::PUT, path, &[], feature.to_string())
            .await
            .ok();
        assert_eq!(
            value(&town, "lamps", "west-open", "phone").await,
            "+380441112233"
        );
    }
    // A property that is not seen is told apart from one that is not there by nothing.
    let refusal = async |name: &str| {
        let mut given = feature.clone();
        given["properties"][name] = "x".into();
        let answer = write(&town, "owner", Method::PUT, path, &[], given.to_string()).await;
        (answer.status.as_u16(), answer.text().replace(name, "·"))
    };
    let hidden = refusal("note").await;
    assert_eq!(hidden.0, 422);
    assert_eq!(hidden, refusal("nota").await);
    assert_eq!(value(&town, "lamps", "west-open", "note").await, "a note");
    // Who sees them changes them.
    let mut whole = town
        .get("editor", &format!("/collections/{path}"))
        .await
        .ok()
        .json();
    assert_eq!(whole["properties"]["phone"], "+380441112233");
    whole["properties"]["note"] = "another".into();
    write(&town, "editor", Method::PUT, path, &[], whole.to_string())
        .await
        .ok();
    assert_eq!(value(&town, "lamps", "west-open", "note").await, "another");
    // What is created by somebody who does not see a property has none.
    let new = json!({ "code": "new", "kind": "new", "state": "open", "phone": "+1" });
    let made = write(
        &town,
        "owner",
        Method::POST,
        "lamps/items",
        &[],
        body(new, WEST),
    )
    .await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(value(&town, "lamps", "new", "phone").await, "Null");
}

#[tokio::test]
async fn if_match_takes_the_tag_of_ones_own_view_and_is_blind_to_what_is_not_in_it() {
    let town = town().await;
    let path = "lamps/items/west-open";
    let whole = format!("/collections/{path}");
    let tag = async |who: &str| {
        let answer = town.get(who, &whole).await.ok();
        (answer.header("etag").to_owned(), answer.json())
    };
    let (own, feature) = tag("owner").await;
    let (of_editor, mut all) = tag("editor").await;
    assert_ne!(own, of_editor);
    let with = async |tag: &str, feature: &Json| {
        let headers = [("if-match", tag)];
        write(
            &town,
            "owner",
            Method::PUT,
            path,
            &headers,
            feature.to_string(),
        )
        .await
    };
    assert_eq!(with(&of_editor, &feature).await.status, 412);
    all["properties"]["note"] = "changed between".into();
    write(
        &town,
        "editor",
        Method::PUT,
        path,
        &[("if-match", &of_editor)],
        all.to_string(),
    )
    .await
    .ok();
    assert_eq!(
        tag("owner").await.0,
        own,
        "a hidden change gives no new tag"
    );
    with(&own, &feature).await.ok();
    assert_eq!(
        value(&town, "lamps", "west-open", "note").await,
        "changed between"
    );
    all["properties"]["kind"] = "changed too".into();
    write(&town, "editor", Method::PUT, path, &[], all.to_string())
        .await
        .ok();
    let late = with(&own, &feature).await;
    assert_eq!(late.status, 412);
    assert!(!late.text().contains("changed too"), "{}", late.text());
}

#[tokio::test]
async fn a_feature_does_not_leave_the_sight_of_who_writes_it() {
    let town = town().await;
    let state = |state: &str| json!({ "code": "west-open", "kind": "west", "state": state });
    let path = "lamps/items/west-open";
    let hidden = body(state("secret"), WEST);
    let refused = write(&town, "owner", Method::PUT, path, &[], hidden.clone()).await;
    assert_eq!(
        (refused.status.as_u16(), refused.key().as_str()),
        (403, "store.write-unseen")
    );
    assert_eq!(value(&town, "lamps", "west-open", "state").await, "open");
    let count = town.store.live().get("lamps").unwrap().index.len();
    let new = body(json!({ "code": "n", "kind": "n", "state": "secret" }), WEST);
    let refused = write(&town, "owner", Method::POST, "lamps/items", &[], new).await;
    assert_eq!(refused.status, 403);
    // An id that is taken by what they do not see is refused as one that is free is: nobody counts hidden ones by trying.
    let taken = body(
        json!({ "code": "west-secret", "kind": "n", "state": "secret" }),
        WEST,
    );
    let again = write(&town, "owner", Method::POST, "lamps/items", &[], taken).await;
    assert_eq!((again.status, again.key()), (refused.status, refused.key()));
    // Nor does one without a value, of which nobody knows whether it is seen.
    let unknown = body(json!({ "code": "n", "kind": "n" }), WEST);
    let refused = write(&town, "owner", Method::POST, "lamps/items", &[], unknown).await;
    assert_eq!(refused.status, 403);
    let moved = write(
        &town,
        "west",
        Method::PUT,
        path,
        &[],
        body(state("open"), EAST),
    )
    .await;
    assert_eq!(
        (moved.status.as_u16(), moved.key().as_str()),
        (403, "store.write-outside")
    );
    let nowhere = json!({ "type": "Feature", "properties": state("open"), "geometry": null });
    let moved = write(&town, "west", Method::PUT, path, &[], nowhere.to_string()).await;
    assert_eq!(moved.status, 403);
    assert_eq!(town.store.live().get("lamps").unwrap().index.len(), count);
    assert_eq!(
        town.store.live().get("lamps").unwrap().seq,
        stored_seq(&town).await
    );
    // Who sees all of them may.
    write(&town, "editor", Method::PUT, path, &[], hidden)
        .await
        .ok();
    assert_eq!(
        town.get("owner", &format!("/collections/{path}"))
            .await
            .status,
        404
    );
}

/// The newest change of the lamps in the database: a refused write leaves none.
async fn stored_seq(town: &Guarded) -> model::ChangeSeq {
    town.store.load().await.unwrap();
    town.store.live().get("lamps").unwrap().seq
}

#[tokio::test]
async fn what_is_not_seen_is_not_there_for_writes_either() {
    let town = town().await;
    let text = body(json!({ "code": "x", "kind": "k", "state": "open" }), WEST);
    let ask = async |who: &str, method: Method, id: &str, headers: &[(&str, &str)]| {
        let path = format!("lamps/items/{id}");
        let answer = write(&town, who, method, &path, headers, text.clone()).await;
        (answer.status.as_u16(), answer.text().replace(id, "·"))
    };
    for (who, there, status) in [("owner", "east-secret", 404), ("west", "west-secret", 404)] {
        for method in [Method::PUT, Method::DELETE, Method::GET] {
            let hidden = ask(who, method.clone(), there, &[]).await;
            assert_eq!(hidden.0, status, "{who} {method} {there}: {}", hidden.1);
            assert_eq!(hidden, ask(who, method.clone(), "east-never", &[]).await);
            if method != Method::GET {
                let any = [("if-match", "*")];
                let hidden = ask(who, method.clone(), there, &any).await;
                assert_eq!(hidden.0, 412);
                assert_eq!(hidden, ask(who, method, "east-never", &any).await);
            }
        }
        assert!(stored(&town, "lamps", there).await.is_some());
    }
    for id in ["west-open", "west-secret", "east-never"] {
        for method in [Method::PUT, Method::DELETE] {
            assert_eq!(ask("nobody", method.clone(), id, &[]).await.0, 401);
            assert_eq!(ask("citizen", method, id, &[]).await.0, 403);
        }
    }
}

#[tokio::test]
async fn a_write_goes_to_the_feature_that_was_read_under_the_same_address() {
    let town = town().await;
    for collection in ["poles", "masts"] {
        // Who does not see the codes names features by their keys, which here are the codes of others.
        let path = format!("{collection}/items/1");
        let read = town
            .get("owner", &format!("/collections/{path}"))
            .await
            .ok();
        assert_eq!(read.json()["id"], 1);
        let tag = read.header("etag").to_owned();
        let changed = body(json!({ "kind": "changed" }), WEST);
        let done = write(
            &town,
            "owner",
            Method::PUT,
            &path,
            &[("if-match", &tag)],
            changed,
        )
        .await;
        assert_eq!(done.status, 200, "{}", done.text());
        assert_eq!(done.json()["id"], 1);
        assert_eq!(value(&town, collection, "2", "kind").await, "changed");
        assert_eq!(value(&town, collection, "1", "kind").await, "pole");
        let gone = write(&town, "owner", Method::DELETE, &path, &[], String::new()).await;
        assert_eq!(gone.status, 204, "{}", gone.text());
        assert!(stored(&town, collection, "2").await.is_none());
        assert!(stored(&town, collection, "1").await.is_some());
        // They can't give a code, and are not told that one is needed.
        let new = body(json!({ "kind": "new" }), WEST);
        let items = format!("{collection}/items");
        let refused = write(&town, "owner", Method::POST, &items, &[], new).await;
        assert_eq!(refused.status, 403, "{}", refused.text());
        assert!(!refused.text().contains("code"), "{}", refused.text());
        // Who sees them names features by them.
        let path = format!("{collection}/items/1");
        let read = town
            .get("editor", &format!("/collections/{path}"))
            .await
            .ok();
        assert_eq!(read.json()["properties"]["code"], "1");
    }
}

#[tokio::test]
async fn the_store_itself_writes_to_nothing_that_its_writer_does_not_see() {
    let town = town().await;
    let live = town.store.live();
    let lamps = live.get("lamps").unwrap();
    let view = View {
        hidden: ["note".to_owned()].into(),
        masked: BTreeMap::new(),
        filters: ["state <> 'secret'".to_owned()].into(),
        reach: Reach::Everywhere,
        grid: None,
        personal: [].into(),
    };
    let by = By {
        actor: "somebody".to_owned(),
        lens: Some(Lens::new(lamps, &view).unwrap()),
        within: None,
    };
    for (id, is_seen) in [("west-secret", false), ("west-open", true)] {
        let gone = town.store.delete("lamps", id, None, by.clone()).await;
        let is_there = !matches!(gone, Err(store::Error::NotFound(_)));
        assert_eq!((gone.is_ok(), is_there), (is_seen, is_seen), "{id}");
        assert_eq!(stored(&town, "lamps", id).await.is_some(), !is_seen, "{id}");
    }
}

#[tokio::test]
async fn a_token_does_no_more_than_it_is_for_and_an_account_no_more_than_it_is() {
    let mut town = town().await;
    let store = town.store.clone();
    for (name, scopes, collections) in [
        ("reading", &[Scope::Read][..], None),
        ("writing", &[Scope::Read, Scope::Write], None),
        ("writing only", &[Scope::Write], None),
        ("for signs", &Scope::ALL, Some(&["signs"][..])),
    ] {
        let token = token_for(&store, "editor", name, scopes, collections).await;
        town.tokens.insert(name.to_owned(), token);
    }
    account(
        &store,
        deputy(person("boss", Some("gis-editor"), Part::All), "helper"),
    )
    .await;
    let mut late = deputy(
        person("late", Some("gis-editor"), Part::All),
        "helper-of-late",
    );
    late.deputies[0].until = Some("2020-01-01".to_owned());
    account(&store, late).await;
    let mut retired = person("retired", Some("gis-editor"), Part::All);
    retired.assignments[0].until = Some("2020-01-01".to_owned());
    account(&store, retired).await;
    let mut gone = person("gone", Some("gis-editor"), Part::All);
    gone.is_disabled = true;
    account(&store, gone).await;
    for who in ["helper", "helper-of-late"] {
        account(&store, person(who, None, Part::All)).await;
    }
    for who in ["helper", "helper-of-late", "retired", "gone"] {
        give_token(&mut town, who).await;
    }
    town.tokens
        .insert("made up".to_owned(), "hromada_0".to_owned());
    for (who, benches, signs) in [
        ("editor", 201, 201),
        ("reading", 403, 403),
        ("writing", 201, 201),
        // What it may not read it can't write to.
        ("writing only", 201, 404),
        ("for signs", 403, 201),
        ("helper", 201, 201),
        ("helper-of-late", 403, 404),
        ("retired", 403, 404),
        ("gone", 401, 401),
        ("made up", 401, 401),
    ] {
        for (collection, status) in [("benches", benches), ("signs", signs)] {
            let new = body(json!({ "kind": "new" }), WEST);
            let path = format!("{collection}/items");
            let answer = write(&town, who, Method::POST, &path, &[], new).await;
            assert_eq!(
                answer.status,
                status,
                "{who} {collection}: {}",
                answer.text()
            );
        }
    }
}
