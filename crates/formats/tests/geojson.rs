//! GeoJSON documents, sequences and single features.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{folder, put, read};
use formats::geojson::{parse_feature, write_feature, write_string};
use model::{FeatureId, Property, PropertyType, Schema, SourceId, Value};

fn point(properties: &str) -> String {
    format!(
        r#"{{"type":"Feature","geometry":{{"type":"Point","coordinates":[1,2]}},"properties":{properties}}}"#
    )
}

fn collection(features: &[String]) -> String {
    format!(
        r#"{{"type":"FeatureCollection","features":[{}]}}"#,
        features.join(",")
    )
}

fn texts(values: &[&str]) -> Vec<Value> {
    values.iter().map(|v| Value::Text((*v).into())).collect()
}

#[test]
fn types_are_those_of_the_whole_file() {
    let dir = folder();
    let rows = [
        r#"{"i":1,"r":1,"t":"x","b":true,"d":"2024-02-29","z":"2024-02-29T10:00:00Z","n":null,"m":1,"huge":1,"long":9007199254740993,"nest":[1, {"a": 2}],"mixdate":"2024-01-01"}"#,
        r#"{"i":-5,"r":2.50,"t":null,"b":false,"d":"2024-03-01","z":"2024-02-29T10:00:00.5+02:00","n":null,"m":"1a","huge":99999999999999999999,"long":2.5,"nest":null,"mixdate":"later"}"#,
    ];
    let path = put(&dir, "a.geojson", collection(&rows.map(point)));
    let layer = read(&path).unwrap();
    assert_eq!(
        layer.types(),
        [
            ("i", "integer"),
            ("r", "real"),
            ("t", "text"),
            ("b", "boolean"),
            ("d", "date"),
            ("z", "datetime"),
            ("n", "text"),
            ("m", "text"),
            ("huge", "text"),
            ("long", "text"),
            ("nest", "text"),
            ("mixdate", "text"),
        ]
    );
    assert_eq!(layer.column("r"), [Value::Real(1.0), Value::Real(2.5)]);
    // Widened numbers keep their digits as written.
    assert_eq!(layer.column("m"), texts(&["1", "1a"]));
    assert_eq!(layer.column("huge"), texts(&["1", "99999999999999999999"]));
    assert_eq!(layer.column("long"), texts(&["9007199254740993", "2.5"]));
    assert_eq!(
        layer.column("nest")[0],
        Value::Text(r#"[1,{"a":2}]"#.into())
    );
    assert_eq!(
        layer.notes,
        [
            "formats.note-mixed",
            "formats.note-huge-integer",
            "formats.note-inexact",
            "formats.note-nested"
        ]
    );
}

#[test]
fn members_in_any_order_and_crs_after_the_features() {
    let dir = folder();
    let text = format!(
        "\u{FEFF} {{\"name\":\"Ділянки\", \"foreign\": {{\"features\":[1,2,\"]}}\"]}}, \"features\" : [ {} , {} ],\n\"crs\":{{\"type\":\"name\",\"properties\":{{\"name\":\"urn:ogc:def:crs:EPSG::6382\"}}}},\"type\":\"FeatureCollection\"}}\n",
        r#"{"properties":{"a":"}]\"{"},"geometry":{"coordinates":[[[0,0,5],[1,0,5],[1,1,5],[0,0,5]]],"type":"Polygon"},"type":"Feature","id":7}"#,
        r#"{"type":"Feature","id":"x","geometry":null,"properties":null}"#
    );
    let layer = read(&put(&dir, "a.geojson", text)).unwrap();
    assert_eq!(layer.name, "Ділянки");
    assert_eq!(layer.crs, Some(model::Crs::epsg(6382)));
    assert_eq!(layer.features[0].id, Some(SourceId::Integer(7)));
    assert_eq!(layer.features[1].id, Some(SourceId::Text("x".into())));
    assert_eq!(
        layer.column("a"),
        [Value::Text("}]\"{".into()), Value::Null]
    );
    assert_eq!(
        layer.geometries(),
        [
            r#"{"type":"Polygon","coordinates":[[[0,0,5],[1,0,5],[1,1,5],[0,0,5]]]}"#,
            "null"
        ]
    );
}

#[test]
fn the_crs_is_wgs_84_unless_the_file_says_otherwise() {
    let dir = folder();
    for (member, expected, note) in [
        ("", Some(4326), None),
        (r#","crs":null"#, None, None),
        (
            r#","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:OGC:1.3:CRS84"}}"#,
            Some(4326),
            None,
        ),
        (
            r#","crs":{"type":"name","properties":{"name":"EPSG:28992"}}"#,
            Some(28992),
            None,
        ),
        (
            r#","crs":{"type":"name","properties":{"name":"local"}}"#,
            None,
            Some("formats.note-crs-unreadable"),
        ),
        (
            r#","crs":{"type":"link","properties":{"href":"x"}}"#,
            None,
            Some("formats.note-crs-unreadable"),
        ),
    ] {
        let text = format!(r#"{{"type":"FeatureCollection","features":[]{member}}}"#);
        let layer = read(&put(&dir, "a.geojson", text)).unwrap();
        assert_eq!(layer.crs.map(model::Crs::code), expected, "{member}");
        assert_eq!(layer.notes.first().copied(), note, "{member}");
    }
}

#[test]
fn one_feature_or_one_geometry_is_a_layer_of_one() {
    let dir = folder();
    for text in [
        point(r#"{"a":1}"#),
        r#"{"type":"Point","coordinates":[1,2]}"#.to_owned(),
        r#"{"coordinates":[1,2],"type":"Point"}"#.to_owned(),
    ] {
        let layer = read(&put(&dir, "a.json", &text)).unwrap();
        assert_eq!(
            layer.geometries(),
            [r#"{"type":"Point","coordinates":[1,2]}"#],
            "{text}"
        );
    }
    let collection = r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2,3]},{"type":"LineString","coordinates":[[0,0,1],[1,1,1]]}]}"#;
    let layer = read(&put(&dir, "b.json", collection)).unwrap();
    assert_eq!(layer.geometries(), [collection]);
    assert_eq!(layer.geometry_type, model::GeometryType::GeometryCollection);
}

#[test]
fn sequences_by_line_and_by_record_separator() {
    let dir = folder();
    let (a, b) = (point(r#"{"a":1}"#), point(r#"{"a":2.5}"#));
    let pretty = b.replace(',', ",\n  ");
    for (name, text) in [
        ("lines.geojsonl", format!("{a}\n\n{b}")),
        ("lines.geojson", format!("{a}\r\n{b}\r\n")),
        ("rfc8142.json", format!("\u{1E}{a}\n\u{1E}{pretty}\n")),
    ] {
        let layer = read(&put(&dir, name, text)).unwrap();
        assert_eq!(
            layer.column("a"),
            [Value::Real(1.0), Value::Real(2.5)],
            "{name}"
        );
        assert!(layer.rejections.is_empty());
    }
}

#[test]
fn a_bad_feature_is_one_rejection_with_its_place() {
    let dir = folder();
    let bad = |geometry: &str| {
        format!(r#"{{"type":"Feature","geometry":{geometry},"properties":{{"a":1}}}}"#)
    };
    let cases = [
        (
            bad(r#"{"type":"Point","coordinates":[1]}"#),
            "formats.position-too-short",
        ),
        (
            bad(r#"{"type":"Point","coordinates":[1,null]}"#),
            "formats.position-not-number",
        ),
        (
            bad(r#"{"type":"Point","coordinates":[1,NaN]}"#),
            "formats.position-not-number",
        ),
        (
            bad(r#"{"type":"Point","coordinates":[1,1e999]}"#),
            "formats.json-number-too-large",
        ),
        (bad(r#"{"type":"Point"}"#), "formats.coordinates-missing"),
        (
            bad(r#"{"type":"Point","coordinates":"1,2"}"#),
            "formats.coordinates-not-array",
        ),
        (
            bad(r#"{"type":"Circle","coordinates":[1,2]}"#),
            "formats.json-geometry-type",
        ),
        (
            bad(r#"{"coordinates":[1,2]}"#),
            "formats.geometry-type-missing",
        ),
        (
            bad(r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}"#),
            "formats.json-ring-open",
        ),
        (
            bad(r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[0,0]]]}"#),
            "formats.ring-too-short",
        ),
        (
            bad(r#"{"type":"LineString","coordinates":[[0,0]]}"#),
            "formats.line-too-short",
        ),
        (
            bad(r#"{"type":"MultiLineString","coordinates":[[[0,0],[1,1]],[[0,0]]]}"#),
            "formats.line-too-short",
        ),
        (
            bad(r#"{"type":"MultiPoint","coordinates":[[0,0],[]]}"#),
            "formats.position-too-short",
        ),
        (
            bad(r#"{"type":"LineString","coordinates":[[0,0,1],[1,1]]}"#),
            "formats.json-mixed-dimensions",
        ),
        (bad("[1,2]"), "formats.geometry-not-object"),
        (
            bad(&format!(
                "{}1{}",
                r#"{"type":"Polygon","coordinates":"#.to_owned() + &"[".repeat(80),
                "]".repeat(80) + "}"
            )),
            "formats.position-not-number",
        ),
        (point(r#"{"a":1e999}"#), "formats.json-number-too-large"),
        (point(r#"{"a":01}"#), "formats.json-syntax"),
        (
            point(&format!(r#"{{"a":{}{}}}"#, "[".repeat(80), "]".repeat(80))),
            "formats.json-too-deep",
        ),
        (point("[]"), "formats.properties-not-object"),
        (
            r#"{"type":"FeatureCollection","features":[]}"#.to_owned(),
            "formats.feature-type-unknown",
        ),
        (
            r#"{"geometry":null}"#.to_owned(),
            "formats.feature-type-missing",
        ),
        (
            r#"{"type":"Feature","id":[1],"geometry":null,"properties":{}}"#.to_owned(),
            "formats.id-not-scalar",
        ),
        ("17".to_owned(), "formats.feature-not-object"),
        (
            r#"{"type":"Feature" "geometry":null}"#.to_owned(),
            "formats.json-syntax",
        ),
    ];
    for (feature, expected) in cases {
        let good = point(r#"{"a":1}"#);
        let text = collection(&[good.clone(), feature.clone(), good]);
        let layer = read(&put(&dir, "a.geojson", &text)).unwrap();
        assert_eq!(layer.features.len(), 2, "{feature}");
        let rejection = &layer.rejections[0];
        assert_eq!(
            (rejection.record, rejection.reason.key()),
            (2, expected),
            "{feature}"
        );
        assert_eq!(layer.types(), [("a", "integer")], "{feature}");
        // The same in a sequence.
        let text = format!("{feature}\n{}\n", point(r#"{"a":1}"#));
        let layer = read(&put(&dir, "a.geojsonl", &text)).unwrap();
        assert_eq!(layer.rejections[0].reason.key(), expected, "{feature}");
    }
    let text = collection(&[point(r#"{"a":1}"#), point(r#"{"a":1e999}"#)]);
    let layer = read(&put(&dir, "a.geojson", &text)).unwrap();
    assert_eq!(layer.rejections[0].field.as_deref(), Some("a"));
    let at = text.find("1e999").unwrap();
    assert!(
        layer.rejections[0]
            .reason
            .to_string()
            .contains(&at.to_string())
    );
}

#[test]
fn names_are_made_fit_for_a_table() {
    let dir = folder();
    let text = collection(&[point(r#"{"Name":1,"name":2,"":3,"fid":4,"a\u0000b":5}"#)]);
    let layer = read(&put(&dir, "a.geojson", text)).unwrap();
    let names: Vec<_> = layer.types().iter().map(|(n, _)| *n).collect();
    assert_eq!(names, ["Name", "name_2", "field_3", "fid", "ab"]);
    assert_eq!(layer.notes, ["formats.note-renamed"; 3]);
    assert_eq!(layer.column("name_2"), [Value::Integer(2)]);
}

#[test]
fn numbers_are_read_to_the_nearest_double() {
    let dir = folder();
    let numbers = [
        "24.7101234",
        "-0.1",
        "0.30000000000000004",
        "123456789012345",
        "9007199254740993.0",
        "1e-7",
        "2.5E+3",
        "179.99999999999997",
        "0.1234567890123456789",
    ];
    let features: Vec<_> = numbers
        .iter()
        .map(|n| format!(r#"{{"type":"Point","coordinates":[{n},0]}}"#))
        .collect();
    let layer = read(&put(&dir, "a.geojson", collection(&features))).unwrap();
    for (feature, text) in layer.features.iter().zip(numbers) {
        let bytes = &feature.geometry.as_ref().unwrap()[5..13];
        let x = f64::from_le_bytes(bytes.try_into().unwrap());
        assert_eq!(
            x.to_bits(),
            text.parse::<f64>().unwrap().to_bits(),
            "{text}"
        );
    }
}

#[test]
fn another_encoding_is_read_when_it_is_named() {
    let dir = folder();
    let mut bytes = point(r#"{"a":"X"}"#).into_bytes();
    let at = bytes.iter().position(|b| *b == b'X').unwrap();
    bytes.splice(at..=at, *b"\xCA\xE8\xBF\xE2");
    let path = put(&dir, "a.geojson", bytes);
    assert_eq!(
        read(&path).unwrap_err().message().key(),
        "formats.not-utf8-file"
    );
    let options = formats::ReadOptions {
        encoding: Some("windows-1251".to_owned()),
        ..formats::ReadOptions::default()
    };
    assert_eq!(
        common::read_with(&path, &options).unwrap().column("a"),
        texts(&["Київ"])
    );
}

#[test]
fn a_body_becomes_a_geometry_and_values() {
    let text = r#"{"type":"Feature","id":"x","geometry":{"type":"Point","coordinates":[24.7,48.9]},
        "properties":{"a":1,"b":2.5,"c":"ї","d":null,"f":1e2,"a":3,"g":18446744073709551616,"h":99999999999999999999}}"#;
    let feature = parse_feature(text.as_bytes()).unwrap();
    assert_eq!(feature.id, Some(SourceId::Text("x".into())));
    assert_eq!(feature.geometry.unwrap().len(), 21);
    let expect = [
        ("a", Value::Integer(3)),
        ("b", Value::Real(2.5)),
        ("c", Value::Text("ї".into())),
        ("d", Value::Null),
        ("f", Value::Real(100.0)),
        // 2^64 is a double, the other is not.
        ("g", Value::Real(18_446_744_073_709_551_616.0)),
        ("h", Value::Text("99999999999999999999".into())),
    ];
    assert_eq!(feature.properties, expect.map(|(n, v)| (n.to_owned(), v)));
    for (body, key) in [
        (b"".as_slice(), "formats.json-ends-early"),
        (b"{", "formats.json-ends-early"),
        (b"[]", "formats.feature-not-object"),
        (
            br#"{"type":"Feature","geometry":null,"properties":{"e":[1, 2]}}"#,
            "formats.property-nested",
        ),
        (
            br#"{"type":"Feature","geometry":null,"place":{"type":"Point","coordinates":[1,2]},"properties":{}}"#,
            "formats.place-unread",
        ),
        (b"\xFF", "formats.not-utf8"),
        (
            br#"{"type":"Point","coordinates":[1,2]}"#,
            "formats.not-a-feature",
        ),
        (
            br#"{"type":"FeatureCollection","features":[]}"#,
            "formats.feature-type-unknown",
        ),
        (
            br#"{"type":"Feature","geometry":null,"properties":{}} x"#,
            "formats.json-syntax",
        ),
        (
            br#"{"type":"Feature","geometry":null,"properties":{"a":-1e400}}"#,
            "formats.json-number-too-large",
        ),
    ] {
        let error = parse_feature(body).unwrap_err();
        common::complete(error.message());
        assert_eq!(
            error.message().key(),
            key,
            "{}",
            String::from_utf8_lossy(body)
        );
    }
}

#[test]
fn features_are_written_as_json_that_reads_back() {
    let schema = Schema {
        properties: vec![
            Property::new("назва \"x\"", PropertyType::Text),
            Property::new("n", PropertyType::Real),
            Property::new("missing", PropertyType::Boolean),
        ],
    };
    let geometry = parse_feature(
        br#"{"type":"Feature","geometry":{"type":"MultiPolygon","coordinates":[[[[0.1,0],[1,0],[1,1],[0.1,0]]],[[[5,5,5],[6,5],[6,6],[5,5]]]]},"properties":{}}"#,
    );
    assert_eq!(
        geometry.unwrap_err().message().key(),
        "formats.json-mixed-dimensions"
    );
    let body = br#"{"type":"Feature","geometry":{"type":"GeometryCollection","geometries":[{"type":"MultiPoint","coordinates":[[1,2,3],[4,5,6]]},{"type":"GeometryCollection","geometries":[]},{"type":"Polygon","coordinates":[]}]},"properties":{}}"#;
    let wkb = parse_feature(body).unwrap().geometry.unwrap();
    let values = [Value::Text("a\n\u{1}\\\"ї".into()), Value::Real(1e300)];
    let mut out = Vec::new();
    write_feature(
        &mut out,
        &FeatureId::Integer(5),
        Some(&wkb),
        &schema,
        &values,
    )
    .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["id"], 5);
    assert_eq!(json["geometry"]["geometries"][0]["coordinates"][1][2], 6);
    assert_eq!(json["properties"]["назва \"x\""], "a\n\u{1}\\\"ї");
    // QGIS 3.40 and 4.0 take these for other than they are.
    let text = String::from_utf8(out.clone()).unwrap();
    assert!(!text.contains(r#"\""#) && !text.contains(r"\\"), "{text}");
    assert_eq!(json["properties"]["n"], 1e300);
    assert!(json["properties"]["missing"].is_null());
    // Nothing is left behind by a failure.
    let length = out.len();
    assert!(
        write_feature(
            &mut out,
            &FeatureId::Integer(5),
            Some(&wkb[..9]),
            &schema,
            &values
        )
        .is_err()
    );
    assert_eq!(out.len(), length);
    let all: String = (0..0x250_u32).filter_map(char::from_u32).collect();
    let mut out = Vec::new();
    write_string(&mut out, &all);
    assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), all);
}
