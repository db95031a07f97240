//! Coordinate reference systems by reference (OGC 18-058r1, requirements class `crs`).

use serde_json::Value as Json;
use store::CollectionSettings;

use crate::crawl::escaped;
use crate::town::{Town, collection_of, import, number};

/// A place in longitude and latitude, and in systems by their code.
type Known = ([f64; 2], &'static [(u32, [f64; 2])]);

/// Longitude and latitude of places, with northing and easting in some systems (PROJ 9.5.1).
const PLACES: [Known; 4] = [
    (
        [24.712_713_9, 48.914_407_8],
        &[
            (9839, [5_420_230.56, 297_386.96]),
            (6382, [5_420_475.98, 352_360.26]),
            (7825, [5_411_732.07, 1_389_013.69]),
        ],
    ),
    (
        [24.3731, 49.0119],
        &[
            (9839, [5_431_140.42, 272_547.94]),
            (7825, [5_422_232.49, 1_363_996.84]),
        ],
    ),
    ([23.9956, 48.9703], &[(9839, [5_426_719.94, 244_886.25])]),
    (
        [24.0316, 49.8397],
        &[
            (9851, [5_523_140.36, 302_393.42]),
            (7825, [5_514_067.42, 1_338_366.26]),
        ],
    ),
];

fn epsg(code: u32) -> String {
    format!("http://www.opengis.net/def/crs/EPSG/0/{code}")
}

async fn places() -> Town {
    let town = Town::new().await;
    let features: Vec<String> = PLACES
        .iter()
        .map(|([x, y], _)| {
            format!(r#"{{"type":"Feature","properties":{{}},"geometry":{{"type":"Point","coordinates":[{x},{y}]}}}}"#)
        })
        .collect();
    let features = collection_of(&features);
    let settings = CollectionSettings::default();
    import(
        &town.store,
        town.folder.path(),
        "places",
        &features,
        None,
        settings,
    )
    .await;
    town.store.load().await.unwrap();
    town
}

fn position(feature: &Json) -> [f64; 2] {
    let at = &feature["geometry"]["coordinates"];
    [0, 1].map(|i| at[i].as_f64().unwrap())
}

#[tokio::test]
async fn req_crs_crs_action_golden_points_come_out_to_a_centimetre_northing_first() {
    let town = places().await;
    for (i, (_, expected)) in PLACES.iter().enumerate() {
        for (code, [north, east]) in *expected {
            let crs = escaped(&epsg(*code));
            let page = town
                .get(&format!("/collections/places/items?crs={crs}"))
                .await
                .ok();
            assert_eq!(page.header("content-crs"), format!("<{}>", epsg(*code)));
            let found = position(&page.json()["features"][i]);
            assert!(
                (found[0] - north).abs() < 0.01 && (found[1] - east).abs() < 0.01,
                "{code}: {found:?}"
            );
            let one = format!("/collections/places/items/{}?crs={crs}", i + 1);
            let one = town.get(&one).await.ok();
            assert_eq!(one.header("content-crs"), format!("<{}>", epsg(*code)));
            assert_eq!(position(&one.json()), found);
        }
    }
}

#[tokio::test]
async fn req_crs_md_crs_list_every_system_leads_there_and_back_within_a_millimetre() {
    let town = places().await;
    let collection = town.json("/collections/places").await;
    let systems = collection["crs"].as_array().unwrap();
    assert_eq!(systems[0], "http://www.opengis.net/def/crs/OGC/1.3/CRS84");
    for code in [4326, 3857, 5561, 6382, 7825, 9839, 9851] {
        let known = systems.iter().any(|crs| *crs == epsg(code).as_str());
        assert!(known, "{code}: {systems:?}");
    }
    assert!(systems.contains(&collection["storageCrs"]));
    let original = town.json("/collections/places/items").await;
    for crs in systems {
        let uri = crs.as_str().unwrap();
        let page = town
            .json(&format!("/collections/places/items?crs={}", escaped(uri)))
            .await;
        for (there, first) in page["features"]
            .as_array()
            .unwrap()
            .iter()
            .zip(original["features"].as_array().unwrap())
        {
            // Back by the box around the point: a millimetre of it, in the numbers of the system.
            let [a, b] = position(there);
            let is_degrees = a.abs() <= 180.0 && b.abs() <= 180.0;
            let reach = if is_degrees { 1e-8 } else { 1e-3 };
            let boxed = format!("{},{},{},{}", a - reach, b - reach, a + reach, b + reach);
            let found = town
                .json(&format!(
                    "/collections/places/items?bbox={boxed}&bbox-crs={}",
                    escaped(uri)
                ))
                .await;
            assert_eq!(found["numberMatched"], 1, "{uri} {boxed}");
            assert_eq!(found["features"][0]["id"], first["id"], "{uri}");
        }
    }
}

#[tokio::test]
async fn req_crs_fc_bbox_crs_action_takes_what_a_box_in_the_system_meets() {
    let town = Town::new().await;
    let ids = async |query: &str| -> Vec<String> {
        let page = town
            .json(&format!("/collections/parcels/items?{query}"))
            .await;
        let features = page["features"].as_array().unwrap().iter();
        features.map(|f| f["id"].to_string()).collect()
    };
    // Brute force: parcels whose corners, in the system, make a polygon that meets the box.
    let crs = escaped(&epsg(6382));
    let all = town
        .json(&format!("/collections/parcels/items?crs={crs}"))
        .await;
    let corners = |feature: &Json| -> Vec<[f64; 2]> {
        let ring = feature["geometry"]["coordinates"][0].as_array().unwrap();
        ring.iter()
            .map(|p| [p[0].as_f64().unwrap(), p[1].as_f64().unwrap()])
            .collect()
    };
    let first = corners(&all["features"][0]);
    let (n0, e0) = (first[0][0], first[0][1]);
    for (dn, de, high, wide) in [
        (10.0, 10.0, 50.0, 30.0),
        (100.0, 60.0, 130.0, 90.0),
        (-500.0, -500.0, 2_000.0, 2_000.0),
        (300.0, 200.0, 0.0, 0.0),
        (-900.0, 0.0, 10.0, 10.0),
    ] {
        let (south, west) = (n0 + dn, e0 + de);
        let (north, east) = (south + high, west + wide);
        let meets = |feature: &Json| {
            let mut ring: Vec<(f64, f64)> = corners(feature).iter().map(|p| (p[1], p[0])).collect();
            ring.dedup();
            let polygon = geo_types::Polygon::new(ring.into(), Vec::new());
            let bbox = model::Bbox {
                west,
                south,
                east,
                north,
            };
            spatial::intersects(&polygon.into(), &bbox)
        };
        let expected: Vec<String> = all["features"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| meets(f))
            .map(|f| f["id"].to_string())
            .collect();
        let found = ids(&format!(
            "bbox={south},{west},{north},{east}&bbox-crs={crs}"
        ))
        .await;
        assert_eq!(found, expected, "{dn} {de} {high} {wide}");
    }
    let there = ids("bbox=24.7105,48.9205,24.7115,48.9225").await;
    let swapped = format!(
        "bbox=48.9205,24.7105,48.9225,24.7115&bbox-crs={}",
        escaped(&epsg(4326))
    );
    assert_eq!(ids(&swapped).await, there);
}

#[tokio::test]
async fn req_crs_fc_crs_valid_value_other_systems_are_refused() {
    let town = Town::new().await;
    for parameter in ["crs", "bbox-crs", "filter-crs"] {
        for value in [
            "http://www.opengis.net/def/crs/0/unsupported",
            "http://www.opengis.net/def/crs/EPSG/0/2056",
            "EPSG:99999999",
            "4326",
            "",
        ] {
            let path = format!("/collections/parcels/items?{parameter}={}", escaped(value));
            let answer = town.get(&path).await;
            assert_eq!(
                (answer.status.as_u16(), answer.key().as_str()),
                (400, "server.crs-unknown"),
                "{path}"
            );
        }
    }
    for value in ["urn:ogc:def:crs:EPSG::6382", "[EPSG:6382]"] {
        let path = format!("/collections/parcels/items?limit=1&crs={}", escaped(value));
        let header = town.get(&path).await.ok().header("content-crs").to_owned();
        assert_eq!(header, format!("<{}>", epsg(6382)));
    }
}

#[tokio::test]
async fn req_crs_crs84_axis_order_is_that_of_the_authority() {
    let town = Town::new().await;
    let path = format!("/collections/parcels/items/{}", number(0, 0));
    let plain = town.json(&path).await["geometry"]["coordinates"][0][0].clone();
    let crs = escaped(&epsg(4326));
    let swapped =
        town.json(&format!("{path}?crs={crs}")).await["geometry"]["coordinates"][0][0].clone();
    assert_eq!((&plain[0], &plain[1]), (&swapped[1], &swapped[0]));
}

/// What programs get in another system, people see in longitude/latitude, on the map of the page too.
#[tokio::test]
async fn pages_stay_in_longitude_and_latitude() {
    let town = Town::new().await;
    let crs = escaped(&epsg(6382));
    let path = format!("/collections/parcels/items?f=html&limit=3&crs={crs}");
    let page = town.get(&path).await.ok().text();
    let query = page.split("data-geojson-url=\"").nth(1).unwrap();
    let query = query.split('"').next().unwrap();
    assert!(query.contains("f=json"), "{query}");
    assert!(!query.contains("crs"), "{query}");
}

/// In New Zealand, where no other test has anything: what is registered is known to the whole program.
#[tokio::test]
async fn a_local_system_is_offered_by_an_address_of_this_server() {
    let town = Town::new().await;
    let grid = r#"{"id":"wellington","code":990301,"title":{"en":"Wellington grid"},
        "grid":{"crs":2193,"origin":[5427000,1748000],"rotation":2}}"#;
    town.store.add_system("test", grid).await.unwrap();
    let point =
        r#"{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[735,916]}}"#;
    let stored = format!(
        r#"{{"type":"FeatureCollection","crs":{{"type":"name","properties":{{"name":"HROMADA:990301"}}}},"features":[{point}]}}"#
    );
    let settings = CollectionSettings::default();
    import(
        &town.store,
        town.folder.path(),
        "pier",
        &stored,
        None,
        settings,
    )
    .await;
    town.store.load().await.unwrap();
    let collection = town.json("/collections/pier").await;
    let uri = "http://town.test/crs/990301";
    assert_eq!(collection["storageCrs"], uri);
    assert!(collection["crs"].as_array().unwrap().contains(&uri.into()));
    let operation = &collection["datumOperation"];
    assert_eq!(operation["name"], "NZGD2000 to WGS 84 (1)", "{operation}");
    assert_eq!(operation["accuracy"], 1.0);
    // Northing first, exactly as stored, by each of its names.
    for name in [uri, "HROMADA:990301", "[HROMADA:990301]"] {
        let name = escaped(name);
        let page = format!("/collections/pier/items?crs={name}");
        let page = town.get(&page).await.ok();
        assert_eq!(page.header("content-crs"), format!("<{uri}>"));
        assert_eq!(position(&page.json()["features"][0]), [916.0, 735.0]);
        let boxed = format!("/collections/pier/items?bbox=915,734,917,736&bbox-crs={name}");
        assert_eq!(town.json(&boxed).await["numberMatched"], 1);
    }
    let place = format!("/collections/pier/items?f=jsonfg&crs={}", escaped(uri));
    assert_eq!(town.json(&place).await["coordRefSys"], uri);
    let map = town.json("/collections/pier/items").await;
    let [lon, lat] = position(&map["features"][0]);
    assert!(
        (lon - 174.78).abs() < 0.05 && (lat + 41.29).abs() < 0.05,
        "{lon} {lat}"
    );
    let definition = town.json("/crs/990301").await;
    assert_eq!(definition["type"], "DerivedProjectedCRS");
    assert_eq!(definition["name"], "Wellington grid");
    assert_eq!(town.get("/crs/2193").await.status, 404);
    assert_eq!(town.get("/crs/990302").await.status, 404);
    // And where it is not meant to be used it is not offered.
    let elsewhere = town.json("/collections/parcels").await;
    assert!(!elsewhere["crs"].as_array().unwrap().contains(&uri.into()));
    assert_eq!(elsewhere.get("datumOperation"), None);
}
