//! Requirements class "CQL2 JSON" (§8.3).

use model::cql2::{Expression, MAX_NODES};
use serde_json::{Value as Json, json};

use super::{parsed, schema};
use model::{Filter, Lang};

fn error(json: &Json) -> String {
    let filter = Expression::from_json(json).and_then(|e| Filter::bind(&e, &schema()));
    let error = filter.expect_err(&json.to_string()).0;
    assert!(error.text(Lang::Uk).contains("ільтр"));
    error.text(Lang::En)
}

#[test]
fn both_encodings_are_one_tree() {
    for (text, json) in [
        (
            "a = 1 AND b = 2.0 AND c",
            json!({"op": "and", "args": [{"op": "=", "args": [{"property": "a"}, 1]}, {"op": "=", "args": [{"property": "b"}, 2.0]}, {"property": "c"}]}),
        ),
        (
            "NOT a IS NULL",
            json!({"op": "not", "args": [{"op": "isNull", "args": [{"property": "a"}]}]}),
        ),
        (
            "T_FINISHEDBY(INTERVAL(a, '..'), INTERVAL('2020-01-01', '2020-01-02T00:00:00Z'))",
            json!({"op": "t_finishedBy", "args": [{"interval": [{"property": "a"}, ".."]}, {"interval": ["2020-01-01", "2020-01-02T00:00:00Z"]}]}),
        ),
        (
            "A_CONTAINEDBY(x, (TRUE, DATE('2020-01-01')))",
            json!({"op": "a_containedBy", "args": [{"property": "x"}, [true, {"date": "2020-01-01"}]]}),
        ),
        (
            "S_WITHIN(g, BBOX(1, 2, 3, 4.5))",
            json!({"op": "s_within", "args": [{"property": "g"}, {"bbox": [1, 2, 3, 4.5]}]}),
        ),
        (
            "x = TIMESTAMP('2020-01-01T00:00:00.000001Z')",
            json!({"op": "=", "args": [{"property": "x"}, {"timestamp": "2020-01-01T00:00:00.000001Z"}]}),
        ),
        (
            "x div 2 = y % 3 ^ 4",
            json!({"op": "=", "args": [{"op": "div", "args": [{"property": "x"}, 2]}, {"op": "%", "args": [{"property": "y"}, {"op": "^", "args": [3, 4]}]}]}),
        ),
        ("Foo()", json!({"op": "Foo", "args": []})),
    ] {
        let tree = parsed(text);
        assert_eq!(tree.to_json(), json, "{text}");
        assert_eq!(Expression::from_json(&json).unwrap(), tree, "{text}");
    }
}

#[test]
fn chains_are_joined_and_numbers_stay_exact() {
    let nested = json!({"op": "or", "args": [{"op": "or", "args": [true, false]}, {"op": "and", "args": [true, false]}]});
    let tree = Expression::from_json(&nested).unwrap();
    assert_eq!(tree, parsed("TRUE OR FALSE OR TRUE AND FALSE"));
    let exact = json!({"op": "=", "args": [{"property": "x"}, 9_007_199_254_740_993_i64]});
    let tree = Expression::from_json(&exact).unwrap();
    assert_eq!(tree.to_text(), "x = 9007199254740993");
    assert_eq!(tree.to_json(), exact);
}

#[test]
fn an_error_says_where_and_what() {
    for (json, expected) in [
        (
            json!(null),
            "Filter, at /: expected a value or the name of a property, found “null”.",
        ),
        (
            json!({}),
            "Filter, at /: expected an object with “op”, “property”, “date”, “timestamp”, “interval”, “bbox” or “type”, found “{…}”.",
        ),
        (json!(5), "Filter, at /: expected a condition, found “5”."),
        (
            json!({"op": "and", "args": [true]}),
            "Filter, at /args: expected 2 arguments, found “1”.",
        ),
        (
            json!({"op": "and", "args": [true, {"op": "=", "args": [1]}]}),
            "Filter, at /args/1/args: expected 2 arguments, found “1”.",
        ),
        (
            json!({"op": "=", "args": [{"property": "floors"}, "a"]}),
            "Filter, at /args/1: the property “floors” is of type whole number, which “'a'” is not.",
        ),
        (
            json!({"op": "not", "args": [{"op": "=", "args": [{"property": "x"}, 1]}]}),
            "Filter, at /args/0/args/0: there is no property “x” here.",
        ),
        (
            json!({"op": "=", "args": [{"property": 1}, 1]}),
            "Filter, at /args/0/property: expected the name of a property, found “1”.",
        ),
        (
            json!({"op": 5, "args": []}),
            "Filter, at /op: expected the name of an operation, found “5”.",
        ),
        (
            json!({"op": "="}),
            "Filter, at /args: expected an array “args” of arguments, found “{…}”.",
        ),
        (
            json!({"op": "=", "args": [{"date": "2020-02-30"}, 1]}),
            "Filter, at /args/0/date: expected a value of type date, found “\"2020-02-30\"”.",
        ),
        (
            json!({"op": "t_after", "args": [{"property": "date"}, {"interval": ["x", ".."]}]}),
            "Filter, at /args/1/interval/0: expected a date, a time, '..' or the name of a property, found “\"x\"”.",
        ),
        (
            json!({"op": "t_after", "args": [{"property": "date"}, {"interval": [".."]}]}),
            "Filter, at /args/1/interval: expected 2 arguments, found “1”.",
        ),
        (
            json!({"op": "like", "args": [{"property": "name"}, 5]}),
            "Filter, at /args/1: expected a value of type text, found “5”.",
        ),
        (
            json!({"op": "in", "args": [{"property": "name"}, "a"]}),
            "Filter, at /args/1: expected an array, found “\"a\"”.",
        ),
        (
            json!({"op": "in", "args": [{"property": "name"}, []]}),
            "Filter, at /args/1: expected an array, found “[…]”.",
        ),
        (
            json!({"op": "in", "args": [{"property": "name"}, ["a", 5]]}),
            "Filter, at /args/1/1: the property “name” is of type text, which “5” is not.",
        ),
        (
            json!({"op": "s_within", "args": [{"property": "geom"}, {"type": "Point", "coordinates": [1]}]}),
            "Filter, at /args/1/coordinates: expected a position of two to four numbers, found “[…]”.",
        ),
        (
            json!({"op": "s_within", "args": [{"property": "geom"}, {"type": "Circle", "coordinates": [1, 2]}]}),
            "Filter, at /args/1: expected a geometry, found “{…}”.",
        ),
        (
            json!({"op": "s_within", "args": [{"property": "geom"}, {"type": "LineString", "coordinates": [[1, 2], [1, "x"]]}]}),
            "Filter, at /args/1/coordinates/1: expected a position of two to four numbers, found “[…]”.",
        ),
        (
            json!({"op": "s_within", "args": [{"property": "geom"}, {"bbox": [1, 2, 3]}]}),
            "Filter, at /args/1/bbox: expected the four or six numbers of a box, found “[…]”.",
        ),
        (
            json!({"op": "avg", "args": [1]}),
            "Filter, at /: there is no function “avg”.",
        ),
    ] {
        assert_eq!(error(&json), expected, "{json}");
    }
}

#[test]
fn limits_hold() {
    let many: Vec<Json> = vec![json!(true); MAX_NODES];
    assert_eq!(
        error(&json!({"op": "and", "args": many})),
        "Filter, at /args/32767: the condition is too large, at most 32768 parts."
    );
    let line: Vec<Json> = vec![json!([1, 2]); 10_001];
    let line = json!({"type": "LineString", "coordinates": line});
    assert_eq!(
        error(&json!({"op": "s_within", "args": [{"property": "geom"}, line]})),
        "Filter, at /args/1/coordinates/10000: the geometries may have at most 10000 positions."
    );
    let body = || {
        for wrap in [
            |inside: Json| json!({"op": "not", "args": [inside]}),
            |inside: Json| json!([inside]),
            |inside: Json| json!({"type": "GeometryCollection", "geometries": [inside]}),
        ] {
            let mut deep = json!(true);
            for _ in 0..2_000 {
                deep = wrap(deep);
            }
            let error = error(&deep);
            assert!(error.ends_with("at most 128 levels may stand in one another."));
        }
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(body).unwrap().join().unwrap();
}
