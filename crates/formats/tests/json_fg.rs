//! JSON-FG (OGC 21-045r1), requirement by requirement.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Sample, encode, folder, put, read, sample_features, sample_of, sample_schema};
use formats::{Format, JsonFg, Stream, StreamOptions, TimeProperties};
use model::{Crs, FeatureId, GeometryType, Schema, Value};
use serde_json::{Value as Json, json};

fn document(change: impl Fn(&mut StreamOptions<'_>), features: &[Sample]) -> Json {
    let schema = sample_schema();
    let mut options = StreamOptions::new(Format::JsonFg, &schema);
    change(&mut options);
    serde_json::from_slice(&encode(&options, features)).unwrap()
}

fn point() -> Sample {
    sample_of(1, r#"{"type":"Point","coordinates":[24.7,48.9]}"#)
}

#[test]
fn core_metadata() {
    let plain = document(|_| {}, &[point()]);
    assert_eq!(
        plain["conformsTo"],
        json!(["http://www.opengis.net/spec/json-fg-1/1.0/conf/core"])
    );
    for absent in [
        "featureType",
        "featureSchema",
        "coordRefSys",
        "geometryDimension",
    ] {
        assert_eq!(plain.get(absent), None);
    }
    // /req/types-schemas/metadata and feature-type.
    let typed = document(
        |options| {
            options.geometry_type = GeometryType::MultiPolygon;
            options.json_fg = JsonFg {
                feature_type: Some("ділянки"),
                feature_schema: Some("https://example.org/collections/parcels/schema"),
                time: None,
            };
        },
        &[],
    );
    assert_eq!(
        typed,
        json!({
            "type": "FeatureCollection",
            "conformsTo": [
                "http://www.opengis.net/spec/json-fg-1/1.0/conf/core",
                "http://www.opengis.net/spec/json-fg-1/1.0/conf/types-schemas",
            ],
            "featureType": "ділянки",
            "featureSchema": "https://example.org/collections/parcels/schema",
            "geometryDimension": 2,
            "features": [],
        })
    );
}

#[test]
fn core_place() {
    let (place, geometry) = (
        json!({"type": "Point", "coordinates": [48.9, 24.7]}),
        json!({"type": "Point", "coordinates": [24.7, 48.9]}),
    );
    // In longitude/latitude there is no place.
    let plain = document(|_| {}, &[point()]);
    assert_eq!(plain["features"][0]["place"], Json::Null);
    assert_eq!(plain["features"][0]["geometry"], geometry);
    // Latitude first is EPSG:4326.
    let turned = document(|options| options.y_first = true, &[point()]);
    assert_eq!(
        turned["coordRefSys"],
        "http://www.opengis.net/def/crs/EPSG/0/4326"
    );
    assert_eq!(turned["features"][0]["place"], place);
    assert_eq!(turned["features"][0]["geometry"], Json::Null);
    let projected = document(
        |options| options.crs = Crs::epsg(6382),
        &[sample_of(
            1,
            r#"{"type":"Point","coordinates":[5432100.5,5678900.25]}"#,
        )],
    );
    assert_eq!(
        projected["coordRefSys"],
        "http://www.opengis.net/def/crs/EPSG/0/6382"
    );
    assert_eq!(
        projected["features"][0]["place"]["coordinates"],
        json!([5432100.5, 5678900.25])
    );
    let without = document(
        |options| {
            options.crs = Crs::epsg(6382);
            options.skip_geometry = true;
        },
        &[point()],
    );
    assert_eq!(without["features"][0]["place"], Json::Null);
}

#[test]
fn core_fallback() {
    let schema = sample_schema();
    let options = StreamOptions {
        crs: Crs::epsg(6382),
        y_first: true,
        decimals: Some(1),
        properties: Some(&[]),
        ..StreamOptions::new(Format::JsonFg, &schema)
    };
    let mut stream = Stream::new(&options).unwrap();
    let (id, feature) = sample_of(
        7,
        r#"{"type":"Point","coordinates":[5432100.55,5678900.25]}"#,
    );
    let wgs84 = point().1.geometry;
    let mut out = Vec::new();
    stream
        .single(
            &mut out,
            &id,
            &feature,
            wgs84.as_deref(),
            r#""links":[{"href":"x"}]"#,
        )
        .unwrap();
    let json: Json = serde_json::from_slice(&out).unwrap();
    // Decimals are those of metres, so the fallback in degrees keeps all of its own.
    assert_eq!(
        json,
        json!({
            "type": "Feature",
            "conformsTo": ["http://www.opengis.net/spec/json-fg-1/1.0/conf/core"],
            "coordRefSys": "http://www.opengis.net/def/crs/EPSG/0/6382",
            "id": 7,
            "time": null,
            "place": {"type": "Point", "coordinates": [5678900.3, 5432100.6]},
            "geometry": {"type": "Point", "coordinates": [24.7, 48.9]},
            "properties": {},
            "links": [{"href": "x"}],
        })
    );
}

#[test]
fn core_instant_interval_and_utc() {
    let schema = sample_schema();
    let time = |start: usize, end: Option<usize>, values: &[(usize, &str)]| {
        let (id, mut feature) = point();
        feature.properties = vec![Value::Null; 6];
        for (at, text) in values {
            feature.properties[*at] = Value::Text((*text).into());
        }
        let options = StreamOptions {
            // What time is made of need not be selected.
            properties: Some(&[1]),
            json_fg: JsonFg {
                time: Some(TimeProperties { start, end }),
                ..JsonFg::default()
            },
            ..StreamOptions::new(Format::JsonFg, &schema)
        };
        let bytes = encode(&options, &[(id, feature)]);
        let json: Json = serde_json::from_slice(&bytes).unwrap();
        json["features"][0]["time"].clone()
    };
    assert_eq!(
        time(4, None, &[(4, "2024-02-29")]),
        json!({"date": "2024-02-29"})
    );
    assert_eq!(
        time(5, None, &[(5, "2024-02-29T12:00:00+02:00")]),
        json!({"timestamp": "2024-02-29T10:00:00.000Z"})
    );
    assert_eq!(time(5, None, &[]), Json::Null);
    assert_eq!(time(5, None, &[(5, "yesterday")]), Json::Null);
    assert_eq!(time(99, None, &[]), Json::Null);
    assert_eq!(
        time(0, Some(4), &[(0, "2024-02-01"), (4, "2024-02-29")]),
        json!({"interval": ["2024-02-01", "2024-02-29"]})
    );
    assert_eq!(
        time(4, Some(5), &[(4, "2024-02-29")]),
        json!({"interval": ["2024-02-29", ".."]})
    );
    assert_eq!(
        time(4, Some(5), &[(5, "2024-02-29T10:00:00Z")]),
        json!({"interval": ["..", "2024-02-29T10:00:00.000Z"]})
    );
    // Both ends are of one kind.
    assert_eq!(
        time(
            4,
            Some(5),
            &[(4, "2024-02-29"), (5, "2024-02-29T10:00:00Z")]
        ),
        json!({"interval": ["2024-02-29T00:00:00.000Z", "2024-02-29T10:00:00.000Z"]})
    );
    assert_eq!(time(4, Some(5), &[]), Json::Null);
}

#[test]
fn it_is_geojson_as_well() {
    let schema = sample_schema();
    let bytes = encode(
        &StreamOptions::new(Format::JsonFg, &schema),
        &sample_features(),
    );
    for name in ["a.jsonfg", "a.json"] {
        let layer = read(&put(&folder(), name, &bytes)).unwrap();
        assert_eq!(layer.schema, schema);
        for ((id, ours), theirs) in sample_features().iter().zip(&layer.features) {
            assert_eq!(
                theirs.id.as_ref().map(|id| match id {
                    model::SourceId::Integer(i) => FeatureId::Integer(*i),
                    model::SourceId::Text(t) => FeatureId::Text(t.clone()),
                }),
                Some(id.clone())
            );
            assert_eq!(ours.geometry, theirs.geometry);
            assert_eq!(ours.properties, theirs.properties);
        }
    }
    let empty = encode(&StreamOptions::new(Format::JsonFg, &Schema::default()), &[]);
    assert!(
        read(&put(&folder(), "a.json", empty))
            .unwrap()
            .features
            .is_empty()
    );
}
