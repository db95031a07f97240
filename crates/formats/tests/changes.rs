//! Changes as clients send them: merge patches, several features, transactions.

#![allow(clippy::unwrap_used, reason = "a failing test stops where it fails")]

use formats::geojson::{
    ParsedFeatures, ParsedPatch, parse_features, parse_patch, parse_transaction,
};
use model::Value;

fn key<T>(result: Result<T, formats::Error>) -> &'static str {
    match result {
        Ok(_) => "read",
        Err(error) => error.message().key(),
    }
}

#[test]
fn a_patch_tells_what_is_left_out_from_what_is_null() {
    let patch = |text: &str| parse_patch(text.as_bytes()).unwrap();
    assert_eq!(patch("{}"), ParsedPatch::default());
    assert_eq!(patch(r#"{"geometry":null}"#).geometry, Some(None));
    let point = patch(r#"{"geometry":{"type":"Point","coordinates":[1,2]}}"#);
    assert_eq!(
        formats::wkb::xy(&point.geometry.flatten().unwrap()).unwrap(),
        [(1.0, 2.0)]
    );
    let values =
        patch(r#"{"type":"Feature","id":7,"links":[],"properties":{"a":1,"b":null,"a":2}}"#);
    let expected = [
        ("a".to_owned(), Value::Integer(2)),
        ("b".to_owned(), Value::Null),
    ];
    assert_eq!(values.properties, expected);
    assert_eq!(values.geometry, None);
}

#[test]
fn what_is_no_patch_is_named() {
    for (text, expected) in [
        ("", "formats.feature-not-object"),
        ("[]", "formats.feature-not-object"),
        ("{", "formats.json-truncated"),
        (r#"{"properties":null}"#, "formats.properties-not-object"),
        (r#"{"geometry":7}"#, "formats.geometry-not-object"),
        (r#"{"property":{}}"#, "formats.patch-member"),
        (
            r#"{"properties":{"a":1e999}}"#,
            "formats.json-number-too-large",
        ),
        ("{} {}", "formats.json-syntax"),
    ] {
        let found = key(parse_patch(text.as_bytes()));
        assert!(
            found == expected || text.len() < 2 && found.starts_with("formats.json"),
            "{text}: {found}"
        );
    }
    assert_eq!(key(parse_patch(b"\xff")), "formats.not-utf8");
}

#[test]
fn one_feature_or_several() {
    let one = r#"{"type":"Feature","geometry":null,"properties":{"a":1}}"#;
    let read = |text: &str| parse_features(text.as_bytes(), 3).unwrap();
    assert!(matches!(read(one), ParsedFeatures::One(_)));
    let several =
        format!(r#"{{"features":[{one},{{"type":"Feature"}},7],"type":"FeatureCollection"}}"#);
    let ParsedFeatures::Many(all) = read(&several) else {
        panic!("{several}");
    };
    let read: Vec<bool> = all.iter().map(Result::is_ok).collect();
    assert_eq!(read, [true, true, false]);
    // The place is that of the whole text.
    let place = all[2].as_ref().unwrap_err().text(model::Lang::En);
    let at = several.find(",7]").unwrap() + 1;
    assert!(place.contains(&at.to_string()), "{place}");
    let many = format!(r#"{{"type":"FeatureCollection","features":[{one},{one},{one},{one}]}}"#);
    assert_eq!(
        key(parse_features(many.as_bytes(), 3)),
        "formats.too-many-actions"
    );
    let none = r#"{"type":"FeatureCollection"}"#;
    assert_eq!(
        key(parse_features(none.as_bytes(), 3)),
        "formats.features-missing"
    );
}

const TRANSACTION: &str = r#"{
  "semantic": "batch", "description": "why",
  "transaction": [
    {"action": "insert", "collection": "a", "items": [{"type": "Feature", "geometry": null, "properties": {}}, 7]},
    {"action": "update", "collection": "b", "filter": {"ids": ["1"]}, "if-match": "\"t\"",
     "properties": {"add": [{"name": "x", "value": 1}], "modify": [{"name": "geometry", "value": null}], "delete": ["y"]}},
    {"action": "replace", "collection": "c", "filter": "a = 1", "filter-lang": "cql2-text", "filter-crs": "z",
     "if-match": ["\"t\"", "\"u\""], "properties": {"feature": {"type": "Feature", "geometry": null, "properties": {}}}},
    {"action": "update", "properties": {"modify": [7]}}
  ]}"#;

#[test]
fn a_transaction_is_read_action_by_action() {
    let read = parse_transaction(TRANSACTION.as_bytes(), 10).unwrap();
    assert!(!read.is_atomic);
    assert_eq!(read.description.as_deref(), Some("why"));
    let [insert, update, replace, wrong] = &read.actions[..] else {
        panic!("{read:?}");
    };
    assert_eq!(
        (insert.action.as_str(), insert.collection.as_str()),
        ("insert", "a")
    );
    assert!(insert.items[0].is_ok() && insert.items[1].is_err());
    let patch = update.patch.as_ref().unwrap().as_ref().unwrap();
    let expected = [
        ("x".to_owned(), Value::Integer(1)),
        ("y".to_owned(), Value::Null),
    ];
    assert_eq!(
        (&patch.properties[..], &patch.geometry),
        (&expected[..], &Some(None))
    );
    assert_eq!(update.filter.as_deref(), Some(r#"{"ids": ["1"]}"#));
    assert_eq!(update.if_match, ["\"t\""]);
    assert!(replace.feature.as_ref().unwrap().is_ok());
    assert_eq!(replace.filter_lang.as_deref(), Some("cql2-text"));
    assert_eq!(replace.if_match.len(), 2);
    assert!(wrong.patch.as_ref().unwrap().is_err());
    assert_eq!(
        key(parse_transaction(TRANSACTION.as_bytes(), 3)),
        "formats.too-many-actions"
    );
}

#[test]
fn a_text_that_breaks_off_is_refused_and_panics_nowhere() {
    for end in 0..TRANSACTION.len() - 1 {
        if let Some(text) = TRANSACTION.get(..end) {
            assert_ne!(key(parse_transaction(text.as_bytes(), 10)), "read", "{end}");
            assert_ne!(key(parse_features(text.as_bytes(), 10)), "read", "{end}");
        }
    }
    let deep = format!(r#"{{"transaction":[{}"#, "[".repeat(100_000));
    assert_ne!(key(parse_transaction(deep.as_bytes(), 10)), "read");
}
