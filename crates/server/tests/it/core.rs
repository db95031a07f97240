//! OGC API Features Part 1, requirements class Core (OGC 17-069r4 §7), as the official suite asks for it.

use serde_json::Value as Json;

use crate::town::{CORNER, GRID, SIDE, Town, WELLS, link, number};

const GEOJSON: &str = "application/geo+json";

#[tokio::test]
async fn req_core_root_success_landing_page_has_the_links_that_clients_start_from() {
    let town = Town::new().await;
    let landing = town.json("/").await;
    for rel in [
        "self",
        "alternate",
        "service-desc",
        "service-doc",
        "conformance",
        "data",
    ] {
        let href = link(&landing, rel, None).unwrap_or_else(|| panic!("no {rel}"));
        town.follow(href).await.ok();
    }
    assert!(
        link(
            &landing,
            "service-desc",
            Some("application/vnd.oai.openapi+json;version=3.0")
        )
        .is_some()
    );
    for l in landing["links"].as_array().unwrap() {
        assert!(
            l["rel"].is_string() && l["type"].is_string() && l["title"].is_string(),
            "{l}"
        );
    }
}

#[tokio::test]
async fn req_core_conformance_success_names_the_classes() {
    let town = Town::new().await;
    let classes = town.json("/conformance").await["conformsTo"].clone();
    let classes: Vec<&str> = classes
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c.as_str().unwrap())
        .collect();
    for class in ["core", "oas30", "html", "geojson"] {
        let uri = format!("http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{class}");
        assert!(classes.contains(&&*uri), "{uri}");
    }
    assert!(classes.contains(&"http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/schemas"));
    assert!(classes.contains(&"http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/schemas"));
    // What QGIS asks for before it sends a filter, in its older and its newer words.
    for class in [
        "ogcapi-features-2/1.0/conf/crs",
        "ogcapi-features-3/1.0/conf/filter",
        "ogcapi-features-3/1.0/conf/features-filter",
        "cql2/1.0/conf/cql2-text",
        "cql2/1.0/conf/basic-cql2",
        "cql2/1.0/conf/advanced-comparison-operators",
        "cql2/1.0/conf/case-insensitive-comparison",
        "cql2/1.0/conf/basic-spatial-functions",
        "cql2/1.0/conf/basic-spatial-operators",
    ] {
        let uri = format!("http://www.opengis.net/spec/{class}");
        assert!(classes.contains(&&*uri), "{uri}");
    }
}

#[tokio::test]
async fn req_core_fc_md_items_collections_are_listed_as_they_are_described_alone() {
    let town = Town::new().await;
    let list = town.json("/collections").await;
    assert!(link(&list, "self", Some("application/json")).is_some());
    assert!(link(&list, "alternate", Some("text/html")).is_some());
    let collections = list["collections"].as_array().unwrap();
    assert_eq!(
        collections
            .iter()
            .map(|c| c["id"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["parcels", "roads", "wells"]
    );
    for listed in collections {
        let id = listed["id"].as_str().unwrap();
        let alone = town
            .follow(link(listed, "self", None).unwrap())
            .await
            .ok()
            .json();
        for member in [
            "id",
            "title",
            "description",
            "extent",
            "itemType",
            "crs",
            "itemCount",
            "changeSeq",
        ] {
            assert_eq!(listed[member], alone[member], "{id} {member}");
        }
        assert!(link(&alone, "items", Some(GEOJSON)).is_some(), "{id}");
        assert!(link(&alone, "items", Some("text/html")).is_some(), "{id}");
        assert!(
            link(&alone, "self", Some("application/json")).is_some(),
            "{id}"
        );
        assert!(
            link(&alone, "alternate", Some("text/html")).is_some(),
            "{id}"
        );
        assert_eq!(
            alone["extent"]["spatial"]["bbox"][0]
                .as_array()
                .unwrap()
                .len(),
            4,
            "{id}"
        );
        assert_eq!(
            alone["crs"][0],
            "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
        );
    }
}

#[tokio::test]
async fn collection_has_what_the_map_reads() {
    let town = Town::new().await;
    let parcels = town.json("/collections/parcels?lang=uk").await;
    assert_eq!(parcels["title"], "Земельні ділянки");
    assert_eq!(parcels["itemCount"], GRID.0 * GRID.1);
    assert_eq!(parcels["geometryType"], "polygon");
    assert_eq!(parcels["theme"], "cadastre");
    assert_eq!(parcels["labelProperty"], "number");
    assert_eq!(
        parcels["tiles"],
        serde_json::json!({ "minzoom": 5, "maxzoom": 16 })
    );
    let [w, s, e, n] =
        [0, 1, 2, 3].map(|i| parcels["extent"]["spatial"]["bbox"][0][i].as_f64().unwrap());
    // A centimetre or two beyond: rounded on the way to and fro it still holds what lies on its edge.
    let is_beyond = |by: f64| (0.99e-7..2.01e-7).contains(&by);
    assert!(is_beyond(CORNER[0] - w) && is_beyond(CORNER[1] - s));
    assert!(
        is_beyond(e - CORNER[0] - f64::from(GRID.1) * SIDE)
            && is_beyond(n - CORNER[1] - f64::from(GRID.0) * SIDE)
    );
}

#[tokio::test]
async fn req_core_fc_response_items_are_a_feature_collection_with_counts_links_and_time() {
    let town = Town::new().await;
    let answer = town
        .get_with("/collections/parcels/items?limit=7", &[("accept", GEOJSON)])
        .await
        .ok();
    assert_eq!(answer.header("content-type"), GEOJSON);
    assert_eq!(
        answer.header("content-crs"),
        "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>"
    );
    let items = answer.json();
    assert_eq!(items["type"], "FeatureCollection");
    assert_eq!(items["numberMatched"], GRID.0 * GRID.1);
    assert_eq!(items["numberReturned"], 7);
    assert_eq!(items["features"].as_array().unwrap().len(), 7);
    let time = items["timeStamp"].as_str().unwrap();
    assert!(model::is_date_time(time), "{time}");
    for (rel, media_type) in [
        ("self", GEOJSON),
        ("alternate", "text/html"),
        ("next", GEOJSON),
    ] {
        assert!(
            link(&items, rel, Some(media_type)).is_some(),
            "{rel} {media_type}"
        );
    }
    for feature in items["features"].as_array().unwrap() {
        assert_eq!(feature["type"], "Feature");
        assert!(feature["id"].is_string());
    }
}

#[tokio::test]
async fn req_core_fc_limit_response_never_more_than_asked_and_the_maximum_caps() {
    let town = Town::new().await;
    for (limit, expect) in [
        ("1", 1),
        ("100", 30),
        ("10000", 30),
        ("1000000000", 30),
        ("99999999999999999999999", 30),
    ] {
        let items = town
            .json(&format!("/collections/parcels/items?limit={limit}"))
            .await;
        assert_eq!(items["numberReturned"], expect, "{limit}");
        assert_eq!(items["numberMatched"], 30, "{limit}");
    }
    // A client that appends its own to a link: the last counts.
    assert_eq!(
        town.json("/collections/parcels/items?limit=20&limit=2")
            .await["numberReturned"],
        2
    );
}

#[tokio::test]
async fn req_core_fc_bbox_response_equals_brute_force() {
    let town = Town::new().await;
    let all = town.json("/collections/parcels/items?limit=100").await;
    let envelope = |feature: &Json| -> [f64; 4] {
        let ring = feature["geometry"]["coordinates"][0].as_array().unwrap();
        let at = |i: usize| ring.iter().map(move |p| p[i].as_f64().unwrap());
        [
            at(0).fold(f64::MAX, f64::min),
            at(1).fold(f64::MAX, f64::min),
            at(0).fold(f64::MIN, f64::max),
            at(1).fold(f64::MIN, f64::max),
        ]
    };
    // A small linear congruential generator gives the same boxes each time.
    let mut state = 7_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // 53 bits fit a double.
        ((state >> 11) as f64) / (1_u64 << 53) as f64
    };
    for _ in 0..100 {
        let (a, b) = (
            CORNER[0] - 0.002 + random() * 0.01,
            CORNER[1] - 0.002 + random() * 0.01,
        );
        let (c, d) = (a + random() * 0.003, b + random() * 0.003);
        // Parcels are squares along the axes, so their envelopes decide exactly.
        let expect: Vec<&Json> = all["features"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| {
                let [w, s, e, n] = envelope(f);
                w <= c && a <= e && s <= d && b <= n
            })
            .map(|f| &f["id"])
            .collect();
        let items = town
            .json(&format!(
                "/collections/parcels/items?limit=100&bbox={a},{b},{c},{d}"
            ))
            .await;
        let found: Vec<&Json> = items["features"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| &f["id"])
            .collect();
        assert_eq!(found, expect, "{a},{b},{c},{d}");
        assert_eq!(items["numberMatched"], expect.len());
    }
}

#[tokio::test]
async fn req_core_fc_bbox_response_is_of_geometries_and_not_of_their_envelopes() {
    let town = Town::new().await;
    let [x, y] = CORNER;
    // Inside the envelope of the diagonal road, away from the line.
    let corner = format!("{},{},{},{}", x + 0.004, y + 0.0001, x + 0.0049, y + 0.001);
    assert_eq!(
        town.json(&format!("/collections/roads/items?bbox={corner}"))
            .await["numberMatched"],
        0
    );
    let on_line = format!(
        "{},{},{},{}",
        x + 0.0024,
        y + 0.0029,
        x + 0.0026,
        y + 0.0031
    );
    assert_eq!(
        town.json(&format!("/collections/roads/items?bbox={on_line}"))
            .await["numberMatched"],
        1
    );
}

#[tokio::test]
async fn req_core_fc_bbox_response_boxes_of_the_official_suite() {
    let town = Town::new().await;
    // The well without a place is in each.
    let count = async |bbox: &str| {
        let page = town
            .json(&format!("/collections/wells/items?bbox={bbox}"))
            .await;
        let features = page["features"].as_array().unwrap();
        let unplaced = features.iter().filter(|f| f["geometry"].is_null()).count() as u64;
        assert_eq!(
            unplaced,
            WELLS.iter().filter(|at| at.is_none()).count() as u64
        );
        page["numberMatched"].as_u64().unwrap() - unplaced
    };
    assert_eq!(count("-1.5,50,1.5,53").await, 0);
    assert_eq!(count("-80,-5,-70,5").await, 0);
    assert_eq!(count("177,65,-177,70").await, 2, "over the antimeridian");
    assert_eq!(count("-180,85,180,90").await, 1);
    assert_eq!(count("-180,-90,180,-85").await, 1);
    assert_eq!(
        count("-180,-90,180,90").await,
        WELLS.iter().flatten().count() as u64,
        "all others"
    );
    assert_eq!(
        count("-180,-90,-500,180,90,9000").await,
        WELLS.iter().flatten().count() as u64,
        "with heights"
    );
    assert_eq!(
        count("24.7105,48.9205,24.7105,48.9205").await,
        1,
        "a point on the corner"
    );
}

#[tokio::test]
async fn req_core_fc_time_response_instants_intervals_and_features_without_time() {
    let town = Town::new().await;
    let count = async |datetime: &str| {
        town.json(&format!("/collections/parcels/items?datetime={datetime}"))
            .await["numberMatched"]
            .as_i64()
            .unwrap()
    };
    // Ten of thirty have no time: they match each filter. The others are on 10:00 of day n % 28 + 1.
    let timed = |from: i32, to: i32| {
        i64::from(
            (0..30)
                .filter(|n| n % 3 != 0 && (from..=to).contains(&(n % 28 + 1)))
                .count() as i32,
        )
    };
    assert_eq!(count("2026-01-05T10:00:00Z").await, 10 + timed(5, 5));
    assert_eq!(count("2026-01-05").await, 10 + timed(5, 5));
    assert_eq!(
        count("2026-01-05T09:00:00Z/2026-01-08").await,
        10 + timed(5, 8)
    );
    assert_eq!(count("../2026-01-03").await, 10 + timed(1, 3));
    assert_eq!(count("2026-01-20/..").await, 10 + timed(20, 31));
    assert_eq!(count("/2026-01-03").await, 10 + timed(1, 3));
    assert_eq!(
        count("0000-01-01T00:00:00Z/9999-12-31T00:00:00Z").await,
        30,
        "open ends as QGIS sends them"
    );
    assert_eq!(count("1999-01-01").await, 10);
    let wells = town
        .json("/collections/wells/items?datetime=1999-01-01")
        .await;
    assert_eq!(
        wells["numberMatched"],
        WELLS.len(),
        "a collection without times matches"
    );
}

#[tokio::test]
async fn req_core_query_param_filters_compare_by_the_type_of_the_property() {
    let town = Town::new().await;
    let count = async |filter: &str| {
        town.json(&format!("/collections/parcels/items?{filter}"))
            .await["numberMatched"]
            .as_i64()
            .unwrap()
    };
    assert_eq!(count("floors=0").await, 8);
    assert_eq!(count("area=103.5").await, 1);
    assert_eq!(count("used=true").await, 15);
    assert_eq!(count("built=2003-06-01").await, 2);
    assert_eq!(
        count("checked=2026-01-02T12:00:00%2B02:00").await,
        2,
        "the same instant by another offset"
    );
    assert_eq!(
        count("owner=%D0%92%D0%BB%D0%B0%D1%81%D0%BD%D0%B8%D0%BA+7").await,
        1
    );
    assert_eq!(count("floors=1&used=false").await, 8);
    assert_eq!(count("floors=1&used=true").await, 0);
    let [x, y] = CORNER;
    let bbox = format!("{x},{y},{},{}", x + 1.5 * SIDE, y + 0.5 * SIDE);
    assert_eq!(count(&format!("bbox={bbox}&floors=1")).await, 1);
}

#[tokio::test]
async fn req_core_f_response_a_feature_by_its_id() {
    let town = Town::new().await;
    let path = format!("/collections/parcels/items/{}", number(1, 2));
    let answer = town.get_with(&path, &[("accept", GEOJSON)]).await.ok();
    assert_eq!(answer.header("content-type"), GEOJSON);
    let feature = answer.json();
    assert_eq!(feature["id"], number(1, 2));
    assert_eq!(feature["properties"]["floors"], 3);
    assert_eq!(feature["properties"]["area"], 107.5);
    for (rel, media_type) in [
        ("self", GEOJSON),
        ("alternate", "text/html"),
        ("collection", "application/json"),
    ] {
        town.follow(link(&feature, rel, Some(media_type)).unwrap())
            .await
            .ok();
    }
    let wells = town.json("/collections/wells/items").await;
    for listed in wells["features"].as_array().unwrap() {
        let alone = town
            .json(&format!("/collections/wells/items/{}", listed["id"]))
            .await;
        assert_eq!(alone["geometry"], listed["geometry"]);
    }
    assert!(
        wells["features"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["geometry"].is_null())
    );
}

#[tokio::test]
async fn links_are_absolute_and_follow_the_host_or_the_public_url() {
    let town = Town::new().await;
    let href = |document: &Json| link(document, "data", None).unwrap().to_owned();
    assert_eq!(href(&town.json("/").await), "http://town.test/collections");
    let forwarded = town
        .get_with(
            "/",
            &[
                ("x-forwarded-host", "evil.test"),
                ("x-forwarded-proto", "https"),
            ],
        )
        .await
        .ok();
    assert_eq!(href(&forwarded.json()), "http://town.test/collections");
    let options = server::Options {
        base_url: Some("https://gis.example.ua/town/".to_owned()),
        ..server::Options::default()
    };
    let router = server::router(town.store.clone(), &options);
    let behind = Town { router, ..town };
    assert_eq!(
        href(&behind.json("/").await),
        "https://gis.example.ua/town/collections"
    );
    let page = behind.get("/?f=html").await.ok().text();
    assert!(page.contains("href=\"/town/collections\""), "{page}");
}
