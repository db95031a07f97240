//! What changes is told as it happens, to whoever sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use model::CollectionId;
use model::access::{Access, Class, PropertyRule, RowRule, Shown};
use serde_json::{Value as Json, json};
use store::{AuditEntry, CollectionSettings, ImportMode};
use tower::ServiceExt;

use crate::town::{Town, collection_of, import_as, number, token};

const WELLS: &str = "/collections/wells/items";
const PARCELS: &str = "/collections/parcels/items";

/// Longer than anything takes: what has not come then does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to `/changes`.
pub(crate) struct Listener {
    body: Body,
    text: String,
    /// Of the last event that had one.
    id: String,
}

impl Listener {
    async fn new(town: &Town, query: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Request::get(format!("/changes{query}")).header("host", "town.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = town.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self {
            body: response.into_body(),
            text: String::new(),
            id: String::new(),
        }
    }

    /// One that hears what comes from now on.
    pub(crate) async fn begun(town: &Town, query: &str) -> Self {
        let mut listener = Self::new(town, query, &[]).await;
        let first = listener.block().await.unwrap().unwrap();
        assert_eq!(first, ("position".to_owned(), json!({})));
        assert!(!listener.id.is_empty());
        listener
    }

    /// The next block: an event with its data, or a sign of life; `None` at the end.
    async fn block(&mut self) -> Option<Option<(String, Json)>> {
        while !self.text.contains("\n\n") {
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let frame = frame.expect("nothing comes")?.unwrap();
            let bytes = frame.into_data().unwrap();
            self.text += std::str::from_utf8(&bytes).unwrap();
        }
        let (block, rest) = self.text.split_once("\n\n").unwrap();
        let (mut kind, mut data) = (None, None);
        for line in block.lines() {
            match line.split_once(": ").unwrap_or((line, "")) {
                ("event", text) => kind = Some(text.to_owned()),
                ("data", text) => data = Some(serde_json::from_str(text).unwrap()),
                ("id", text) => text.clone_into(&mut self.id),
                ("retry" | "" | ":", _) => {}
                other => panic!("{other:?}"),
            }
        }
        self.text = rest.to_owned();
        Some(kind.map(|kind| (kind, data.unwrap())))
    }

    /// The next event but for the first of all.
    async fn event(&mut self) -> (String, Json) {
        loop {
            let block = self.block().await.expect("the stream has ended");
            if let Some(event) = block.filter(|(kind, _)| kind != "position") {
                return event;
            }
        }
    }

    /// The next change, as action, feature and box.
    pub(crate) async fn change(&mut self) -> (String, String, Json) {
        let (kind, data) = self.event().await;
        assert_eq!(kind, "change", "{data}");
        let text = |name: &str| data[name].as_str().unwrap().to_owned();
        (text("action"), text("feature"), data["bbox"].clone())
    }
}

fn well(x: f64) -> String {
    json!({ "type": "Feature", "properties": { "depth": 1 }, "geometry": { "type": "Point", "coordinates": [x, 48.5] } })
        .to_string()
}

async fn post(town: &Town, x: f64) -> String {
    let json = [("content-type", "application/geo+json")];
    let made = town.request(Method::POST, WELLS, &json, well(x)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.header("location")
        .rsplit_once('/')
        .unwrap()
        .1
        .to_owned()
}

async fn patch(town: &Town, path: &str, body: &Json) {
    let json = [("content-type", "application/merge-patch+json")];
    let answer = town
        .request(Method::PATCH, path, &json, body.to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn delete(town: &Town, path: &str) {
    let answer = town.request(Method::DELETE, path, &[], "").await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

async fn rule(town: &Town, collection: &str, access: Access) {
    let id = CollectionId::new(collection).unwrap();
    town.store.set_access("test", &id, access).await.unwrap();
}

fn change(action: &str, feature: &str, bbox: [f64; 4]) -> (String, String, Json) {
    (action.to_owned(), feature.to_owned(), json!(bbox))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_told_with_its_place() {
    let town = Town::with_edits().await;
    let mut all = Listener::begun(&town, "").await;
    let mut wells = Listener::begun(&town, "?collections=wells").await;
    let parcel = number(1, 1);
    patch(
        &town,
        &format!("{PARCELS}/{parcel}"),
        &json!({ "properties": { "floors": 9 } }),
    )
    .await;
    let (action, feature, bbox) = all.change().await;
    assert_eq!((action.as_str(), feature), ("update", parcel));
    assert_eq!(bbox.as_array().unwrap().len(), 4);
    let id = post(&town, 24.25).await;
    let path = format!("{WELLS}/{id}");
    let created = change("create", &id, [24.25, 48.5, 24.25, 48.5]);
    assert_eq!(all.change().await, created);
    assert_eq!(wells.change().await, created);
    let to = json!({ "geometry": { "type": "Point", "coordinates": [25.0, 48.25] } });
    patch(&town, &path, &to).await;
    let moved = change("update", &id, [24.25, 48.25, 25.0, 48.5]);
    assert_eq!(wells.change().await, moved);
    delete(&town, &path).await;
    let gone = change("delete", &id, [25.0, 48.25, 25.0, 48.25]);
    assert_eq!(wells.change().await, gone);
    // What is the same after two changes was not changed for whoever hears of both at once; the map says the rest.
    patch(
        &town,
        &format!("{WELLS}/7"),
        &json!({ "properties": { "depth": 70 } }),
    )
    .await;
    let (action, feature, bbox) = wells.change().await;
    assert_eq!(
        (action.as_str(), feature.as_str(), bbox),
        ("update", "7", Json::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_outside_of_the_box_is_not_told_until_it_comes_in() {
    let town = Town::with_edits().await;
    let mut listener = Listener::begun(&town, "?bbox=20,48,21,49&collections=wells,roads").await;
    let outside = post(&town, 24.5).await;
    let path = format!("{WELLS}/{outside}");
    let inside = post(&town, 20.5).await;
    assert_eq!(listener.change().await.1, inside);
    let to = json!({ "geometry": { "type": "Point", "coordinates": [20.75, 48.5] } });
    patch(&town, &path, &to).await;
    assert_eq!(
        listener.change().await,
        change("update", &outside, [20.75, 48.5, 24.5, 48.5])
    );
    delete(&town, &path).await;
    assert_eq!(listener.change().await.0, "delete");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_goes_on_from_where_it_was_and_several_changes_are_one() {
    let town = Town::with_edits().await;
    let mut listener = Listener::begun(&town, "?collections=wells").await;
    let kept = post(&town, 24.0).await;
    listener.change().await;
    let id = listener.id.clone();
    drop(listener);
    let passing = post(&town, 24.1).await;
    let late = post(&town, 24.2).await;
    delete(&town, &format!("{WELLS}/{passing}")).await;
    for depth in [5, 6] {
        let patched = json!({ "properties": { "depth": depth } });
        patch(&town, &format!("{WELLS}/{kept}"), &patched).await;
    }
    delete(&town, &format!("{WELLS}/1")).await;
    let expected = [
        ("delete", "1"),
        ("update", kept.as_str()),
        ("create", late.as_str()),
    ];
    // The header of a browser that comes again is newer than what stands in its URL.
    let header = [("last-event-id", id.as_str())];
    for (query, headers) in [
        (format!("?collections=wells&since={id}"), &[][..]),
        ("?collections=wells".to_owned(), &header[..]),
        ("?collections=wells&since=AAAA".to_owned(), &header[..]),
    ] {
        let mut again = Listener::new(&town, &query, headers).await;
        for expected in expected {
            let (action, feature, _) = again.change().await;
            assert_eq!((action.as_str(), feature.as_str()), expected);
        }
        assert_ne!(again.id, id);
        // And from there on.
        let next = post(&town, 24.3).await;
        assert_eq!(again.change().await.1, next);
        delete(&town, &format!("{WELLS}/{next}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_does_not_see_they_do_not_hear_of() {
    let town = Town::with_edits().await;
    let hidden = PropertyRule {
        from: Class::Staff,
        is_personal: false,
        otherwise: Shown::Not,
    };
    rule(
        &town,
        "parcels",
        Access {
            properties: BTreeMap::from([("owner".to_owned(), hidden)]),
            rows: vec![RowRule {
                below: Class::Staff,
                filter: "floors < 50".to_owned(),
            }],
            ..Access::of(Class::Public)
        },
    )
    .await;
    rule(&town, "roads", Access::of(Class::Staff)).await;
    let by = format!("Bearer {}", town.editor);
    let mut anybody = Listener::begun(&town, "").await;
    let mut editor = Listener::new(&town, "", &[("authorization", &by)]).await;
    let parcel = number(1, 1);
    let path = format!("{PARCELS}/{parcel}");
    let set = |name: &str, value: Json| json!({ "properties": { name: value } });
    patch(&town, &path, &set("owner", json!("Інший"))).await;
    patch(
        &town,
        "/collections/roads/items/1",
        &set("name", json!("вул. Інша")),
    )
    .await;
    for (floors, action) in [(60, "delete"), (61, ""), (3, "create")] {
        patch(&town, &path, &set("floors", json!(floors))).await;
        if action.is_empty() {
            continue;
        }
        let (kind, data) = anybody.event().await;
        assert_eq!(kind, "change");
        assert_eq!(
            (&data["action"], &data["feature"]),
            (&json!(action), &json!(parcel))
        );
    }
    // Who may see it hears of all, though of quick ones at once.
    let mut heard = Vec::new();
    while heard
        .last()
        .is_none_or(|data: &Json| data["collection"] != "roads")
    {
        heard.push(editor.event().await.1);
    }
    assert_eq!(
        (&heard[0]["feature"], &heard[0]["action"]),
        (&json!(parcel), &json!("update"))
    );
    let quiet = post(&town, 24.5).await;
    let next = anybody.event().await.1;
    assert_eq!(
        (&next["collection"], &next["feature"]),
        (&json!("wells"), &json!(quiet))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_is_another_as_a_whole_is_named() {
    let town = Town::with_edits().await;
    let mut listener = Listener::begun(&town, "").await;
    let since = listener.id.clone();
    let features: Vec<String> = (0..10_001)
        .map(|n| well(20.0 + f64::from(n) * 0.000_1))
        .collect();
    let (store, folder) = (&town.store, town.folder.path());
    let settings = CollectionSettings::default;
    let many = collection_of(&features);
    import_as(
        ImportMode::Replace,
        store,
        folder,
        "wells",
        &many,
        None,
        settings(),
    )
    .await;
    town.store.catch_up().await.unwrap();
    let whole = |id: &str| ("collection".to_owned(), json!({ "collection": id }));
    assert_eq!(listener.event().await, whole("wells"));
    let again = format!("?since={since}");
    assert_eq!(
        Listener::new(&town, &again, &[]).await.event().await,
        whole("wells")
    );
    import_as(
        ImportMode::Create,
        store,
        folder,
        "pumps",
        &collection_of(&features[..2]),
        None,
        settings(),
    )
    .await;
    town.store.catch_up().await.unwrap();
    assert_eq!(listener.event().await, whole("pumps"));
    rule(&town, "pumps", Access::of(Class::Restricted)).await;
    assert_eq!(listener.event().await, whole("pumps"));
    // Of a collection that they do not see any longer they hear nothing.
    let pump = format!("{}/1", WELLS.replace("wells", "pumps"));
    let admin = token(&town.store, "chief", &["administrator", "gis-editor"]).await;
    let by = format!("Bearer {admin}");
    let by = [("authorization", by.as_str())];
    let deleted = town.bare(Method::DELETE, &pump, &by, "").await;
    assert!(
        deleted.status == 204 || deleted.status == 404,
        "{}",
        deleted.text()
    );
    let id = post(&town, 24.5).await;
    assert_eq!(listener.change().await.1, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_listen_any_longer_is_not_told_any_more() {
    let town = Town::with_edits().await;
    let other = token(&town.store, "reader", &["inspector"]).await;
    let by = format!("Bearer {other}");
    let mut listener = Listener::new(&town, "", &[("authorization", &by)]).await;
    listener.block().await;
    let entry = AuditEntry::new("person.disable", "reader");
    let disabled = town.store.amend("test", |directory| {
        directory.people.remove("reader");
        Ok((entry, ()))
    });
    disabled.await.unwrap();
    post(&town, 24.5).await;
    while let Some(block) = listener.block().await {
        assert_eq!(block, None, "told after the end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_told_is_said_and_what_is_no_question_is_refused() {
    let town = Town::with_edits().await;
    let elsewhere = Town::with_edits().await;
    let foreign = Listener::begun(&elsewhere, "").await.id;
    let mut listener = Listener::new(&town, &format!("?since={foreign}"), &[]).await;
    assert_eq!(listener.event().await, ("reset".to_owned(), json!({})));
    let id = post(&town, 24.5).await;
    assert_eq!(listener.change().await.1, id);
    for (query, status, key) in [
        ("since=nonsense", 400, "server.event-id-invalid"),
        ("collections=none", 404, "server.no-collection"),
        ("bbox=1,2,3", 400, ""),
        ("bbox=a,b,c,d", 400, "server.bbox-not-number"),
        ("filter=a", 400, "server.parameter-unknown"),
        ("f=json", 400, "server.format-unknown"),
    ] {
        let refused = town.get(&format!("/changes?{query}")).await;
        assert_eq!(refused.status, status, "{query}");
        assert!(key.is_empty() || refused.key() == key, "{}", refused.text());
    }
}

/// Other rules stand in no log: whoever was away when they changed is told to read anew.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_sees_something_else_when_they_come_again_reads_anew() {
    let town = Town::with_edits().await;
    let all = Listener::begun(&town, "").await.id;
    let wells = Listener::begun(&town, "?collections=wells").await.id;
    rule(&town, "roads", Access::of(Class::Staff)).await;
    let mut again = Listener::new(&town, &format!("?since={all}"), &[]).await;
    assert_eq!(again.event().await, ("reset".to_owned(), json!({})));
    // Of what they did not want to hear of nothing is said.
    let narrow = format!("?collections=wells&since={wells}");
    let mut narrow = Listener::new(&town, &narrow, &[]).await;
    let id = post(&town, 24.5).await;
    assert_eq!(narrow.change().await.1, id);
    assert_eq!(again.change().await.1, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_not_told_of_however_much_of_it_changes() {
    let town = Town::with_edits().await;
    let pole = |n: usize, load: usize| {
        json!({ "type": "Feature", "properties": { "code": format!("p-{n}"), "load": load }, "geometry": { "type": "Point", "coordinates": [20.0, 48.0] } })
            .to_string()
    };
    let all = |more: usize| {
        let features: Vec<String> = (0..10_100).map(|n| pole(n, n + more)).collect();
        collection_of(&features)
    };
    let (store, folder) = (&town.store, town.folder.path());
    let settings = CollectionSettings::default;
    let code = Some("code");
    import_as(
        ImportMode::Create,
        store,
        folder,
        "poles",
        &all(0),
        code,
        settings(),
    )
    .await;
    let hidden = PropertyRule {
        from: Class::Staff,
        is_personal: false,
        otherwise: Shown::Not,
    };
    let rules = Access {
        properties: BTreeMap::from([("load".to_owned(), hidden)]),
        ..Access::of(Class::Public)
    };
    rule(&town, "poles", rules).await;
    town.store.catch_up().await.unwrap();
    let mut anybody = Listener::begun(&town, "").await;
    let upsert = ImportMode::Upsert("code".to_owned());
    import_as(upsert, store, folder, "poles", &all(1), None, settings()).await;
    town.store.catch_up().await.unwrap();
    let id = post(&town, 24.5).await;
    assert_eq!(anybody.change().await.1, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_another_format_is_told_that_there_is_none() {
    let town = Town::with_edits().await;
    let refused = town
        .get_with("/changes", &[("accept", "application/json")])
        .await;
    assert_eq!(refused.status, 406);
    let accept = [("accept", "text/event-stream")];
    Listener::new(&town, "?f=sse", &accept).await;
}

/// That there is one more property that they do not see is not told either.
#[tokio::test(flavor = "multi_thread")]
async fn rules_that_change_nothing_for_whoever_listens_are_not_told() {
    let town = Town::with_edits().await;
    let rules = |hidden: &[(&str, Class)]| Access {
        properties: hidden
            .iter()
            .map(|(name, from)| {
                let rule = PropertyRule {
                    from: *from,
                    is_personal: false,
                    otherwise: Shown::Not,
                };
                ((*name).to_owned(), rule)
            })
            .collect(),
        ..Access::of(Class::Public)
    };
    rule(&town, "parcels", rules(&[("owner", Class::Staff)])).await;
    let mut listener = Listener::begun(&town, "").await;
    let since = listener.id.clone();
    // Hidden from them before and after.
    rule(&town, "parcels", rules(&[("owner", Class::Unit)])).await;
    let mut again = Listener::new(&town, &format!("?since={since}"), &[]).await;
    let id = post(&town, 24.5).await;
    assert_eq!(listener.change().await.1, id);
    assert_eq!(again.change().await.1, id);
    // One that they saw is another matter.
    let two = [("owner", Class::Unit), ("floors", Class::Staff)];
    rule(&town, "parcels", rules(&two)).await;
    assert_eq!(listener.event().await.0, "collection");
}

/// All wells anew, more of them than are written at a time.
async fn many_wells(town: &Town, east: f64) {
    let features: Vec<String> = (0..1_200)
        .map(|n| well(east + f64::from(n) * 0.000_1))
        .collect();
    let all = collection_of(&features);
    let (store, folder) = (&town.store, town.folder.path());
    let settings = CollectionSettings::default();
    import_as(
        ImportMode::Replace,
        store,
        folder,
        "wells",
        &all,
        None,
        settings,
    )
    .await;
    town.store.catch_up().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_is_broken_off_by_rules_that_matter_and_by_no_others() {
    let town = Town::with_edits().await;
    let mut listener = Listener::begun(&town, "?collections=wells").await;
    many_wells(&town, 20.0).await;
    assert_eq!(listener.event().await.0, "change");
    rule(&town, "roads", Access::of(Class::Staff)).await;
    let mut heard = 1;
    while heard < 1_200 {
        assert_eq!(listener.event().await.0, "change");
        heard += 1;
    }
    let mut listener = Listener::begun(&town, "?collections=wells").await;
    many_wells(&town, 21.0).await;
    assert_eq!(listener.event().await.0, "change");
    rule(&town, "wells", Access::of(Class::Staff)).await;
    let mut heard = 1;
    while listener.block().await.is_some() {
        heard += 1;
    }
    assert!(heard < 1_200, "{heard}");
}

/// Whoever counts the ids can't tell how much was written that they do not see.
#[tokio::test(flavor = "multi_thread")]
async fn ids_are_others_each_time() {
    let town = Town::with_edits().await;
    let first = Listener::begun(&town, "").await.id;
    let second = Listener::begun(&town, "").await.id;
    assert_ne!(first, second);
    assert_eq!(first.len(), second.len());
}
