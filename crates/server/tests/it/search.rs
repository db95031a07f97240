//! The search box.

use std::fmt::Write as _;

use model::Theme;
use serde_json::{Value as Json, json};
use store::CollectionSettings;

use crate::town::{Town, collection_of, corner, import, number, square};

/// A collection with texts alone: each row has the values of the properties in their order.
async fn table(
    town: &Town,
    id: &str,
    theme: Theme,
    names: &[&str],
    rows: &[&[&str]],
    geometry: &str,
) {
    let feature = |row: &&[&str]| {
        let mut properties = serde_json::Map::new();
        for (name, value) in names.iter().zip(*row) {
            properties.insert((*name).to_owned(), (*value).into());
        }
        json!({ "type": "Feature", "properties": properties, "geometry": serde_json::from_str::<Json>(geometry).unwrap() })
            .to_string()
    };
    let features: Vec<String> = rows.iter().map(feature).collect();
    let settings = CollectionSettings {
        theme: Some(theme),
        label_property: Some(names[0].to_owned()),
        searchable: Some(names.iter().map(|n| (*n).to_owned()).collect()),
        ..CollectionSettings::default()
    };
    let (store, folder) = (&town.store, town.folder.path());
    import(store, folder, id, &collection_of(&features), None, settings).await;
}

/// A town of two streets: `addresses` are read before `lots` and `ways`.
async fn streets() -> Town {
    let town = Town::new().await;
    let point = r#"{"type":"Point","coordinates":[24.71,48.92]}"#;
    let houses: Vec<(String, String)> = (1..=12)
        .map(|n| {
            (
                format!("вул. Бандери, {n}"),
                format!("2610100000:01:900:{n:04}"),
            )
        })
        .collect();
    let rows: Vec<[&str; 2]> = houses.iter().rev().map(|(a, c)| [a.as_str(), c]).collect();
    let rows: Vec<&[&str]> = rows.iter().map(<[&str; 2]>::as_slice).collect();
    table(
        &town,
        "addresses",
        Theme::Addresses,
        &["address", "cadnum"],
        &rows,
        point,
    )
    .await;
    let lots: Vec<[&str; 2]> = houses.iter().map(|(a, c)| [c.as_str(), a]).collect();
    let lots: Vec<&[&str]> = lots.iter().map(<[&str; 2]>::as_slice).collect();
    table(
        &town,
        "lots",
        Theme::Cadastre,
        &["cadnum", "address"],
        &lots,
        &square(corner(0, 0), 0.001),
    )
    .await;
    let line = r#"{"type":"LineString","coordinates":[[24.71,48.92],[24.72,48.93]]}"#;
    let ways: [&[&str]; 4] = [
        &["вул. Бандери"],
        &["вул. Бандери"],
        &["пл. Ринок"],
        &["вул. Бандери"],
    ];
    table(&town, "ways", Theme::Transport, &["name"], &ways, line).await;
    town
}

async fn search(town: &Town, query: &str) -> Json {
    let mut path = "/search?q=".to_owned();
    for byte in query.bytes() {
        write!(path, "%{byte:02X}").unwrap();
    }
    town.json(&path).await
}

/// Collection and label of each answer.
fn answers(found: &Json) -> Vec<(String, String)> {
    let text = |hit: &Json, name: &str| hit[name].as_str().unwrap().to_owned();
    let hits = found["hits"].as_array().unwrap();
    hits.iter()
        .map(|hit| (text(hit, "collection"), text(hit, "label")))
        .collect()
}

#[tokio::test]
async fn the_number_of_a_parcel_opens_the_parcel_and_not_what_refers_to_it() {
    let town = streets().await;
    for query in ["2610100000:01:900:0004", "2610100000019000004"] {
        let found = search(&town, query).await;
        let expected = [("lots".to_owned(), "2610100000:01:900:0004".to_owned())];
        assert_eq!(answers(&found), expected, "{query}");
    }
    let found = answers(&search(&town, "вул. Бандери, 4").await);
    assert_eq!(
        found,
        [("addresses".to_owned(), "вул. Бандери, 4".to_owned())]
    );
}

#[tokio::test]
async fn a_street_is_one_answer_before_its_houses_which_are_counted() {
    let town = streets().await;
    let found = search(&town, "бандери").await;
    let all = answers(&found);
    assert_eq!(all[0], ("ways".to_owned(), "вул. Бандери".to_owned()));
    assert_eq!(
        found["hits"][0]["bbox"],
        json!([24.71, 48.92, 24.72, 48.93])
    );
    let labels: Vec<&str> = all[1..].iter().map(|(_, label)| label.as_str()).collect();
    let expected: Vec<String> = (1..=12).map(|n| format!("вул. Бандери, {n}")).collect();
    assert_eq!(labels, expected);
}

#[tokio::test]
async fn a_query_that_finds_nothing_is_understood_in_another_way_and_says_so() {
    let town = streets().await;
    let five = ("addresses".to_owned(), "вул. Бандери, 5".to_owned());
    for (query, text, by) in [
        (",fylthb 5", "бандери 5", "layout"),
        ("bandery 5", "бандери 5", "transliteration"),
        ("Бондери 5", "бандери 5", "spelling"),
        ("вулиця бандеры 5", "вул бандери 5", "spelling"),
    ] {
        let found = search(&town, query).await;
        assert_eq!(
            found["understood"],
            json!({ "as": text, "by": by }),
            "{query}"
        );
        assert_eq!(answers(&found)[0], five, "{query}");
        assert_eq!(found["query"], query);
    }
    assert_eq!(answers(&search(&town, "Рінок").await)[0].1, "пл. Ринок");
    let found = search(&town, "вул. Бандери 500").await;
    assert_eq!(
        found["understood"],
        json!({ "as": "вул бандери", "by": "without-number" })
    );
    let labels: Vec<String> = answers(&found)
        .into_iter()
        .map(|(_, label)| label)
        .collect();
    let expected = ["вул. Бандери", "вул. Бандери, 12", "вул. Бандери, 11"];
    assert_eq!(labels[..3], expected);
    for query in ["вулиця Бандери 5", "5 Бандери вул", "площа Ринок"]
    {
        let found = search(&town, query).await;
        assert!(
            found["understood"].is_null() && !answers(&found).is_empty(),
            "{query}"
        );
    }
    assert!(answers(&search(&town, "немає такого 500").await).is_empty());
}

#[tokio::test]
async fn numbers_are_found_by_their_digits_and_names_by_their_words() {
    let town = Town::new().await;
    let hits = town.json("/search?q=2610100000010020003").await;
    assert_eq!(hits["hits"][0]["id"], number(2, 3));
    assert_eq!(hits["hits"][0]["collection"], "parcels");
    assert_eq!(hits["hits"][0]["label"], number(2, 3));
    assert_eq!(hits["hits"][0]["property"], "number");
    assert_eq!(hits["hits"][0]["bbox"].as_array().unwrap().len(), 4);
    assert_eq!(hits["more"], false);
    // "власник 1"
    let owners = town
        .json("/search?q=%D0%B2%D0%BB%D0%B0%D1%81%D0%BD%D0%B8%D0%BA%201&limit=5")
        .await;
    assert_eq!(owners["hits"].as_array().unwrap().len(), 5);
    assert_eq!(
        owners["hits"][0]["value"], "Власник 1",
        "the equal value first"
    );
    assert_eq!(owners["more"], true);
    assert_eq!(owners["query"], "власник 1");
}

#[tokio::test]
async fn collections_and_limits_narrow_the_search() {
    let town = Town::new().await;
    let none = town.json("/search?q=2610100000&collections=wells").await;
    assert_eq!(none["hits"], serde_json::json!([]));
    let two = town
        .json("/search?q=2610100000&collections=wells,parcels&limit=2")
        .await;
    assert_eq!(
        (two["hits"].as_array().unwrap().len(), &two["more"]),
        (2, &true.into())
    );
    let all = town.json("/search?q=2610100000&limit=1000000").await;
    assert_eq!(
        (all["hits"].as_array().unwrap().len(), &all["more"]),
        (30, &false.into())
    );
}

#[tokio::test]
async fn a_collection_that_is_named_often_is_searched_once() {
    let town = Town::new().await;
    let often = vec!["parcels"; 200].join(",");
    let found = town
        .json(&format!(
            "/search?q=2610100000:01:002:0003&collections={often}"
        ))
        .await;
    assert_eq!(found["hits"].as_array().unwrap().len(), 1);
}
