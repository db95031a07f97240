//! The search box.

use crate::town::{Town, number};

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
