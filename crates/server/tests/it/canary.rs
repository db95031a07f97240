//! Nothing that somebody may not see is in any byte that they get, and what they may see is there to be found.

use std::collections::BTreeSet;

use geo_types::{Geometry, LineString};
use model::access::{Class, Twin};
use serde_json::json;
use store::{CollectionSettings, Draft};

use crate::crawl::Crawler;
use crate::guarded::{Guarded, rules, set_rules};
use crate::logged;
use crate::planted::{EVERYBODY, Kind, planted};
use crate::scan::Scanner;
use crate::town::{collection_of, import};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_finds_what_they_may_not_see_and_everybody_finds_what_they_may() {
    logged::collect();
    let planted = planted().await;
    let scanner = Scanner::new(&planted.plants);
    let mut wrong = Vec::new();
    let mut asked = 0;
    for who in EVERYBODY {
        let mut crawler = Crawler::new(&planted, &scanner, who);
        crawler.follow().await;
        crawler.documents().await;
        crawler.collections().await;
        crawler.items().await;
        crawler.tiles().await;
        crawler.search().await;
        asked += crawler.asked;
        for (i, canary) in planted.plants.all.iter().enumerate() {
            let is_for = canary.is_for(who) && canary.must;
            if is_for && !crawler.found.contains_key(&i) {
                wrong.push(format!("{who} does not find {}", canary.what));
            }
            if is_for && canary.kind == Kind::Searched && !crawler.searched.contains(&i) {
                wrong.push(format!(
                    "{who} does not find {} when it is mistyped",
                    canary.what
                ));
            }
        }
        wrong.append(&mut crawler.leaks);
    }
    let total = wrong.len();
    wrong.truncate(40);
    assert!(
        wrong.is_empty(),
        "{total} of {asked}:\n{}",
        wrong.join("\n")
    );
    let mut found = BTreeSet::new();
    let lines = logged::lines();
    scanner.text(&lines, &mut found);
    let told: Vec<&str> = found
        .iter()
        .map(|i| &planted.plants.all[*i])
        // Names of what there is are no data; an operator needs them to find what is wrong.
        .filter(|canary| !matches!(canary.kind, Kind::Collection | Kind::PropertyName))
        .map(|canary| canary.what.as_str())
        .collect();
    assert!(told.is_empty(), "the log tells {told:?}");
    assert!(lines.contains("request"), "nothing was logged");
}

#[tokio::test]
async fn how_large_something_is_that_is_seen_coarsely_ends_no_page() {
    let town = Guarded::empty().await;
    let line = json!({ "type": "LineString", "coordinates": [[24.0, 48.9], [24.001, 48.9]] });
    let first = json!({ "type": "Feature", "properties": { "kind": "a" }, "geometry": line });
    let geojson = collection_of(&[first.to_string()]);
    let settings = CollectionSettings::default();
    import(&town.store, town.path(), "pipes", &geojson, None, settings).await;
    let mut access = rules(Class::Restricted, None);
    access.twin = Some(Twin {
        class: Class::Public,
        properties: Vec::new(),
        grid: 1_000,
        filter: None,
    });
    set_rules(&town.store, "pipes", access).await;
    let town = town.open().await;
    // Together more than a page of what is stored may have.
    for _ in 0..3 {
        let vertices = (0..400_000).map(|i| (24.0 + f64::from(i) * 1e-8, 48.9));
        let mut wkb = Vec::new();
        let line: LineString = vertices.collect();
        formats::wkb::write(&Geometry::LineString(line), &mut wkb);
        let draft = Draft {
            geometry: Some(wkb),
            crs: model::Crs::CRS84,
            properties: vec![model::Value::Text("a".into())],
        };
        town.store.create("pipes", draft, "test").await.unwrap();
    }
    let items = town.get("nobody", "/collections/pipes/items").await.ok();
    assert!(
        !items.header("etag").is_empty(),
        "it is whole in its first part"
    );
    assert_eq!(items.json()["numberReturned"], 4);
    let bbox = "/collections/pipes/items?bbox=23,48,25,49&f=html";
    for page in ["/collections/pipes/items?f=html", bbox] {
        let page = town.get("nobody", page).await.ok().text();
        assert!(!page.contains("cursor="), "{page}");
        assert_eq!(
            page.matches("/collections/pipes/items/").count(),
            4,
            "{page}"
        );
    }
}
