//! Items in other formats, and parts of them (OGC API Features Parts 1, 6, 8 and 9).

use std::io::Write as _;

use axum::body::Body;
use axum::http::Method;
use formats::{Format, ReadOptions};
use serde_json::Value as Json;
use store::CollectionSettings;

use crate::crawl::escaped;
use crate::town::{Answer, Town, number};

async fn get(town: &Town, query: &str) -> Answer {
    town.get(&format!("/collections/parcels/items?{query}"))
        .await
        .ok()
}

/// Ids of what our own reader makes of an answer.
fn read(answer: &Answer, format: Format) -> Vec<String> {
    let mut file = tempfile::Builder::new()
        .suffix(&format!(".{}", format.extension()))
        .tempfile()
        .unwrap();
    file.write_all(&answer.body).unwrap();
    let reader = formats::open(file.path(), &ReadOptions::default()).unwrap();
    let mut numbers = Vec::new();
    for feature in reader {
        let feature = feature.unwrap();
        let text = format!("{feature:?}");
        let found = text.split("2610100000:01:").nth(1).unwrap();
        numbers.push(found[..8].to_owned());
    }
    numbers
}

#[tokio::test]
async fn every_format_has_the_same_features_and_names_its_type_count_and_next_page() {
    let town = Town::new().await;
    for (f, media_type, format) in [
        ("fgb", "application/flatgeobuf", Format::FlatGeobuf),
        (
            "csv",
            "text/csv; charset=utf-8; header=present",
            Format::Csv,
        ),
        ("ndjson", "application/x-ndjson", Format::GeoJsonSeq),
        ("geojsonseq", "application/geo+json-seq", Format::GeoJsonSeq),
        ("json", "application/geo+json", Format::GeoJson),
        ("jsonfg", "application/fg+json", Format::GeoJson),
    ] {
        let answer = get(&town, &format!("f={f}&limit=10000")).await;
        assert_eq!(answer.header("content-type"), media_type);
        assert_eq!(
            answer.header("content-crs"),
            "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>"
        );
        let expected: Vec<String> = (0..30)
            .map(|n| format!("{:03}:{:04}", n / 5, n % 5))
            .collect();
        assert_eq!(read(&answer, format), expected, "{f}");
        let accepted = town
            .get_with(
                "/collections/parcels/items?limit=10000",
                &[("accept", media_type.split(';').next().unwrap())],
            )
            .await
            .ok();
        assert_eq!(accepted.header("content-type"), media_type);
        if f == "json" || f == "jsonfg" {
            assert_eq!(answer.json()["numberMatched"], 30);
        }
        if f == "json" {
            continue;
        }
        // Page after page by the header.
        let mut answer = get(&town, &format!("f={f}&limit=7")).await;
        let mut found = Vec::new();
        loop {
            assert_eq!(answer.header("ogc-numbermatched"), "30");
            found.extend(read(&answer, format));
            // In one line: QGIS reads the first.
            assert_eq!(answer.headers.get_all("link").iter().count(), 1);
            let links: Vec<&str> = answer.header("link").split(", ").collect();
            let next = links.iter().find(|l| l.contains("rel=\"next\""));
            let Some(next) = next else { break };
            assert!(
                next.contains(media_type.split(';').next().unwrap()),
                "{next}"
            );
            let href = next.trim_start_matches('<').split('>').next().unwrap();
            answer = town.follow(href).await.ok();
        }
        assert_eq!(found, expected, "{f}");
    }
    let parquet = get(&town, "f=parquet&limit=10000").await;
    assert_eq!(
        parquet.header("content-type"),
        "application/vnd.apache.parquet"
    );
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    let unknown = town.get("/collections/parcels/items?f=shp").await;
    assert_eq!(unknown.status, 400);
    let head = town
        .request(
            Method::HEAD,
            "/collections/parcels/items?f=fgb&limit=1",
            &[],
            Body::empty(),
        )
        .await
        .ok();
    assert_eq!(head.header("ogc-numbermatched"), "30");
}

#[tokio::test]
async fn json_fg_has_the_members_that_geojson_has_no_place_for() {
    let town = Town::new().await;
    let crs = escaped("http://www.opengis.net/def/crs/EPSG/0/6382");
    let page = get(&town, &format!("f=jsonfg&limit=2&crs={crs}"))
        .await
        .json();
    assert!(page["conformsTo"].to_string().contains("json-fg-1"));
    assert_eq!(page["featureType"], "parcels");
    assert_eq!(
        page["coordRefSys"],
        "http://www.opengis.net/def/crs/EPSG/0/6382"
    );
    let feature = &page["features"][1];
    assert!(feature["geometry"].is_null());
    assert!(feature["place"]["coordinates"][0][0][0].as_f64().unwrap() > 5e6);
    assert!(feature["time"].is_object());
    assert!(crate::town::link(&page, "next", Some("application/fg+json")).is_some());
}

#[tokio::test]
async fn req_property_selection_leaves_out_what_is_not_asked_for() {
    let town = Town::new().await;
    let keys = |page: &Json| -> Vec<String> {
        let properties = page["features"][0]["properties"].as_object().unwrap();
        properties.keys().cloned().collect()
    };
    let page = get(&town, "limit=1&properties=floors,owner").await.json();
    assert_eq!(keys(&page), ["floors", "owner"]);
    assert_eq!(page["features"][0]["id"], number(0, 0).as_str());
    let page = get(&town, "limit=1&exclude-properties=floors,owner")
        .await
        .json();
    assert_eq!(keys(&page), ["number", "area", "built", "checked", "used"]);
    let page = get(&town, "limit=1&properties=&skipGeometry=true")
        .await
        .json();
    assert!(keys(&page).is_empty() && page["features"][0]["geometry"].is_null());
    let text = get(&town, "limit=1&properties=floors,owner,floors").await;
    assert_eq!(text.text().matches("\"floors\"").count(), 1);
    let page = get(&town, "limit=1&exclude-properties=geom,floors")
        .await
        .json();
    assert!(page["features"][0]["geometry"].is_null());
    let page = get(&town, "limit=1&precision=2").await.json();
    let ring = page["features"][0]["geometry"]["coordinates"][0].to_string();
    assert_eq!(
        ring,
        "[[24.71,48.92],[24.71,48.92],[24.71,48.92],[24.71,48.92],[24.71,48.92]]"
    );
    for (query, key) in [
        ("properties=nothing", "server.select-unknown"),
        (
            "properties=area&exclude-properties=used",
            "server.select-both",
        ),
        ("skipGeometry=perhaps", "server.flag-invalid"),
        ("skipGeometry=", "server.flag-invalid"),
        ("precision=99", "server.precision-invalid"),
        ("q=", "server.q-invalid"),
    ] {
        let answer = town
            .get(&format!("/collections/parcels/items?{query}"))
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.key().as_str()),
            (400, key),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_single_feature_is_answered_in_the_ways_that_pages_are() {
    let town = Town::new().await;
    let path = format!("/collections/parcels/items/{}", number(0, 0));
    let one = async |query: &str| town.json(&format!("{path}?{query}")).await;
    let whole = one("").await;
    let selected = one("properties=floors,owner").await;
    let properties = selected["properties"].as_object().unwrap();
    assert_eq!(properties.keys().collect::<Vec<_>>(), ["floors", "owner"]);
    assert_eq!(selected["id"], whole["id"]);
    assert_eq!(selected["geometry"], whole["geometry"]);
    let without = one("exclude-properties=floors,owner&skipGeometry=true").await;
    assert!(without["properties"].get("owner").is_none());
    assert_eq!(without["properties"]["area"], whole["properties"]["area"]);
    assert!(without["geometry"].is_null());
    let coarse = one("precision=1").await;
    assert_eq!(
        coarse["geometry"]["coordinates"][0][0].to_string(),
        "[24.7,48.9]"
    );
    let crs = escaped("http://www.opengis.net/def/crs/EPSG/0/6382");
    let fg = town
        .get(&format!("{path}?f=jsonfg&crs={crs}&properties=floors"))
        .await
        .ok();
    assert_eq!(fg.header("content-type"), "application/fg+json");
    let fg = fg.json();
    assert!(fg["geometry"].is_null());
    assert!(fg["place"]["coordinates"][0][0][0].as_f64().unwrap() > 5e6);
    // The links lead to this answer, and to the same in other formats.
    let own = crate::town::link(&fg, "self", Some("application/fg+json")).unwrap();
    let again = town.follow(own).await.ok().json();
    assert_eq!(again["place"], fg["place"]);
    let other = crate::town::link(&fg, "alternate", Some("application/geo+json")).unwrap();
    let other = town.follow(other).await.ok().json();
    assert_eq!(other["properties"], fg["properties"]);
    assert_eq!(other["geometry"]["coordinates"], fg["place"]["coordinates"]);
    for (query, key) in [
        ("properties=nothing", "server.select-unknown"),
        ("skipGeometry=perhaps", "server.flag-invalid"),
        ("limit=1", "server.parameter-unknown"),
        ("f=csv", "server.format-unknown"),
    ] {
        let answer = town.get(&format!("{path}?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.key().as_str()),
            (400, key),
            "{query}"
        );
    }
}

#[tokio::test]
async fn req_sorting_puts_pages_in_order_and_goes_on_with_it() {
    let town = Town::new().await;
    let mut page = get(
        &town,
        "limit=4&sortby=-floors,owner&properties=floors,owner",
    )
    .await
    .json();
    let mut found = Vec::new();
    loop {
        for feature in page["features"].as_array().unwrap() {
            let properties = &feature["properties"];
            let owner = properties["owner"].as_str().unwrap();
            let n: i64 = owner.rsplit(' ').next().unwrap().parse().unwrap();
            found.push((-properties["floors"].as_i64().unwrap(), n));
        }
        let Some(next) = crate::town::link(&page, "next", None) else {
            break;
        };
        page = town.follow(next).await.ok().json();
    }
    assert_eq!(found.len(), 30);
    assert!(found.is_sorted(), "{found:?}");
    let sortables = town.json("/collections/parcels/sortables").await;
    assert!(sortables["properties"]["owner"].is_object());
}

#[tokio::test]
async fn req_text_search_finds_words_in_their_forms() {
    let town = Town::new().await;
    let count = async |q: &str| {
        let page = get(&town, &format!("limit=1&q={}", escaped(q))).await;
        page.json()["numberMatched"].as_u64().unwrap()
    };
    assert_eq!(count("власник 7").await, 1 + 2);
    assert_eq!(count("Власником").await, 30);
    assert_eq!(count("власника 12,власник 13").await, 2);
    assert_eq!(count("орендар").await, 0);
    // The words of a term in their order.
    assert_eq!(count("7 власник").await, 0);
    // A type of street in front has one form in all cases.
    let street = r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"name":"вулиця Шевченка, 12"},"geometry":null}]}"#;
    let settings = CollectionSettings {
        searchable: Some(vec!["name".to_owned()]),
        ..CollectionSettings::default()
    };
    crate::town::import(
        &town.store,
        town.folder.path(),
        "streets",
        street,
        None,
        settings,
    )
    .await;
    town.store.load().await.unwrap();
    for q in [
        "вулиця Шевченка",
        "вулицею Шевченка",
        "вул. Шевченка 12",
        "Шевченка",
    ] {
        let path = format!("/collections/streets/items?q={}", escaped(q));
        assert_eq!(town.json(&path).await["numberMatched"], 1, "{q}");
    }
    assert_eq!(count(&number(2, 3)).await, 1);
    // Together with everything else.
    let page = get(
        &town,
        &format!("q={}&floors=2&sortby=-area", escaped("власник")),
    )
    .await;
    assert_eq!(page.json()["numberMatched"], 7);
}

#[tokio::test]
async fn clients_that_count_pages_by_an_offset_get_them() {
    let town = Town::new().await;
    let whole = get(&town, "limit=30").await.json();
    let mut found = Vec::new();
    for offset in (0..40).step_by(7) {
        let page = get(&town, &format!("limit=7&offset={offset}")).await.json();
        assert_eq!(page["numberMatched"], 30);
        found.extend(page["features"].as_array().unwrap().clone());
    }
    assert_eq!(&found, whole["features"].as_array().unwrap());
}

/// OGC API Features Part 7 (draft), /req/zoom-level-features/request. How much goes is tested where it goes.
#[tokio::test]
async fn req_zoom_level_features_request() {
    let town = Town::new().await;
    let whole = get(&town, "limit=5").await.json();
    let of = |json: &Json| -> Vec<(String, String, usize)> {
        let features = json["features"].as_array().unwrap();
        let told = |f: &Json| {
            let ring = f["geometry"]["coordinates"][0].as_array().unwrap();
            assert_eq!(ring.first(), ring.last());
            (
                f["id"].to_string(),
                f["geometry"]["type"].to_string(),
                ring.len(),
            )
        };
        features.iter().map(told).collect()
    };
    // Squares: near by nothing of them can go, from afar they are as little as a polygon can be.
    for (zoom, left) in [("0", 4), ("5.5", 4), ("24", 5)] {
        for crs in ["", "&crs=http://www.opengis.net/def/crs/EPSG/0/3857"] {
            let some = get(&town, &format!("limit=5&zoom-level={zoom}{crs}")).await;
            let mut expected = of(&whole);
            expected.iter_mut().for_each(|told| told.2 = left);
            assert_eq!(of(&some.json()), expected, "{zoom} {crs}");
        }
    }
    let id = whole["features"][0]["id"].as_str().unwrap();
    let path = format!("/collections/parcels/items/{id}");
    let crs = "http://www.opengis.net/def/crs/EPSG/0/3857";
    let one = town.json(&format!("{path}?zoom-level=24&crs={crs}")).await;
    let plain = town.json(&format!("{path}?crs={crs}")).await;
    let at = |json: &Json| json["geometry"]["coordinates"][0][0][0].as_f64().unwrap();
    assert!((at(&one) - at(&plain)).abs() < 0.001, "{one} {plain}");
    for bad in ["", "x", "-1", "24.5", "NaN"] {
        for path in ["/collections/parcels/items", path.as_str()] {
            let answer = town.get(&format!("{path}?zoom-level={bad}")).await;
            assert_eq!(answer.status, 400, "{bad}");
            assert_eq!(answer.key(), "server.zoom-level-invalid", "{bad}");
        }
    }
}
