//! CQL2 (OGC 21-065r2): the predicates of its abstract test suite (annex A) over the data that it was made for.

use std::collections::BTreeSet;
use std::path::Path;

use model::cql2::Expression;
use store::CollectionSettings;

use crate::crawl::escaped;
use crate::town::{Town, import};

const LAYERS: [&str; 3] = [
    "ne_110m_admin_0_countries",
    "ne_110m_populated_places_simple",
    "ne_110m_rivers_lake_centerlines",
];

fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cql2");
    std::fs::read_to_string(path.join(name)).unwrap()
}

async fn world() -> Town {
    let town = Town::new().await;
    for id in LAYERS {
        let features = data(&format!("{id}.geojson"));
        let settings = CollectionSettings::default();
        import(
            &town.store,
            town.folder.path(),
            id,
            &features,
            None,
            settings,
        )
        .await;
    }
    town.store.load().await.unwrap();
    town
}

async fn matched(
    town: &Town,
    collection: &str,
    filter: &str,
    language: &str,
) -> Result<u64, String> {
    let filter = escaped(filter);
    let path =
        format!("/collections/{collection}/items?limit=1&filter-lang={language}&filter={filter}");
    let answer = town.get(&path).await;
    if answer.status != 200 {
        return Err(format!("{} {}", answer.status, answer.text()));
    }
    Ok(answer.json()["numberMatched"].as_u64().unwrap())
}

#[tokio::test]
async fn conf_every_predicate_of_annex_a_holds_for_as_many_features_as_it_says() {
    let town = world().await;
    let mut classes = BTreeSet::new();
    let (mut count, mut wrong) = (0, Vec::new());
    for line in data("predicates.tsv")
        .lines()
        .filter(|l| !l.starts_with('#'))
    {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap();
        let (class, collection, predicate) = (next(), next(), next());
        let expected: u64 = next().parse().unwrap();
        classes.insert(class.to_owned());
        count += 1;
        let json = Expression::from_text(predicate)
            .unwrap()
            .to_json()
            .to_string();
        for (language, filter) in [("cql2-text", predicate), ("cql2-json", &json)] {
            let found = matched(&town, collection, filter, language).await;
            if found != Ok(expected) {
                wrong.push(format!("{class} {predicate}: {expected}, not {found:?}"));
            }
        }
    }
    assert_eq!((count, classes.len()), (351, 10));
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn req_filter_filter_lang_param_names_the_encodings() {
    let town = Town::new().await;
    let count = |filter: &'static str, language: &'static str| {
        let town = &town;
        async move { matched(town, "parcels", filter, language).await }
    };
    assert_eq!(count("floors = 2", "cql2-text").await, Ok(7));
    // What GDAL calls it.
    assert_eq!(count("floors = 2", "cql-text").await, Ok(7));
    let json = r#"{"op":"=","args":[{"property":"floors"},2]}"#;
    assert_eq!(count(json, "cql2-json").await, Ok(7));
    let refused = count("floors = 2", "sql").await.unwrap_err();
    assert!(refused.starts_with("400"), "{refused}");
    for (wrong, place) in [
        ("floors = ", "10"),
        ("nothing = 1", "1"),
        ("floors LIKE 'a'", "8"),
        ("S_INTERSECTS(geom)", "18"),
    ] {
        let refused = count(wrong, "cql2-text").await.unwrap_err();
        assert!(
            refused.starts_with("400") && refused.contains(&format!("character {place}:")),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn req_filter_filter_crs_param_says_what_geometries_are_in() {
    let town = Town::new().await;
    let box_in = |crs: &str, numbers: &str| {
        let filter = escaped(&format!("S_INTERSECTS(geom,BBOX({numbers}))"));
        let crs = escaped(&format!("http://www.opengis.net/def/crs/{crs}"));
        format!("/collections/parcels/items?filter={filter}&filter-crs={crs}")
    };
    let ids = async |path: &str| -> Vec<String> {
        let page = town.json(path).await;
        let features = page["features"].as_array().unwrap().iter();
        features.map(|f| f["id"].to_string()).collect()
    };
    let there = ids(&box_in("OGC/1.3/CRS84", "24.7105,48.9205,24.7115,48.9225")).await;
    assert_eq!(there.len(), 6);
    assert_eq!(
        ids(&box_in("EPSG/0/4326", "48.9205,24.7105,48.9225,24.7115")).await,
        there
    );
    assert!(
        ids(&box_in("EPSG/0/4326", "24.7105,48.9205,24.7115,48.9225"))
            .await
            .is_empty()
    );
    // Without the system its numbers are off the globe.
    let lost = town
        .get(&format!(
            "/collections/parcels/items?filter={}",
            escaped("S_INTERSECTS(geom,POINT(1000000 5000000))")
        ))
        .await;
    assert_eq!(
        (lost.status.as_u16(), lost.key().as_str()),
        (400, "model.filter-off-globe")
    );
}

#[tokio::test]
async fn req_queryables_are_a_schema_that_clients_of_both_kinds_read() {
    let town = Town::new().await;
    let answer = town.get("/collections/parcels/queryables").await.ok();
    assert_eq!(answer.header("content-type"), "application/schema+json");
    let queryables = answer.json();
    assert_eq!(
        queryables["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(
        queryables["$id"],
        "http://town.test/collections/parcels/queryables"
    );
    assert_eq!(queryables["type"], "object");
    assert_eq!(queryables["additionalProperties"], false);
    let geometry = &queryables["properties"]["geom"];
    assert_eq!(geometry["format"], "geometry-polygon");
    assert_eq!(geometry["$ref"], "https://geojson.org/schema/Polygon.json");
    let properties = queryables["properties"].as_object().unwrap();
    for (name, value) in properties.iter().skip(1) {
        assert!(value["type"].is_string(), "{name}");
    }
    assert_eq!(properties.len(), 8);
    let collection = town.json("/collections/parcels").await;
    let rel = "http://www.opengis.net/def/rel/ogc/1.0/queryables";
    let href = crate::town::link(&collection, rel, Some("application/schema+json"));
    assert_eq!(
        href,
        Some("http://town.test/collections/parcels/queryables")
    );
    let functions = town.json("/functions").await;
    let names: Vec<&str> = functions["functions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"area") && names.contains(&"upper"),
        "{names:?}"
    );
    for name in names {
        assert!(functions["functions"].to_string().contains(name));
    }
}

#[tokio::test]
async fn req_functions_give_what_their_names_say() {
    let town = Town::new().await;
    for (filter, expected) in [
        ("upper(owner) = 'ВЛАСНИК 7'", 1),
        ("char_length(number) = 22", 30),
        ("year(built) = 2005", 2),
        ("area(geom) > 8000 AND area(geom) < 8200", 30),
        ("area(geom) > 8200", 0),
        ("length(geom) > 360 AND length(geom) < 380", 30),
        ("abs(floors - 3) = 3", 8),
        ("round(area) = 101 OR round(area) = 102", 2),
        (
            "coalesce(checked, TIMESTAMP('2026-01-01T00:00:00Z')) = TIMESTAMP('2026-01-01T00:00:00Z')",
            10,
        ),
    ] {
        let found = matched(&town, "parcels", filter, "cql2-text").await;
        assert_eq!(found, Ok(expected), "{filter}");
    }
}
