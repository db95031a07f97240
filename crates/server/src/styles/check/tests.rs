use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

fn sound() -> Value {
    json!({
        "version": 8,
        "glyphs": "https://map.example/{fontstack}/{range}.pbf",
        "sources": {
            "v": {"type": "vector", "tiles": ["https://map.example/{z}/{x}/{y}"]},
            "r": {"type": "raster", "url": "r"},
            "d": {"type": "raster-dem", "url": "d"},
            "g": {"type": "geojson", "data": {}},
        },
        "layers": [
            {"id": "a", "type": "circle", "source": "g", "paint": {"circle-radius": 3}},
            {"id": "b", "type": "symbol", "source": "v", "source-layer": "l", "layout": {}, "paint": {}},
            {"id": "c", "type": "line", "source": "v", "source-layer": "l", "layout": {}, "paint": {}},
            {"id": "d", "type": "raster", "source": "r", "paint": {}},
        ],
    })
}

/// Puts a value at a pointer, making the last member when there is none.
fn with(pointer: &str, value: Value) -> Value {
    let mut style = sound();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = style.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        _ => parent[name] = value,
    }
    style
}

#[track_caller]
fn check(pointer: &str, value: Value, expected: &str) -> Finding {
    let found = super::check(&with(pointer, value.clone()));
    let all: Vec<&str> = found.iter().map(|f| f.key).collect();
    found
        .into_iter()
        .find(|f| f.key == expected)
        .unwrap_or_else(|| panic!("{pointer} {value}: {all:?} without {expected}"))
}

#[track_caller]
fn accepts(pointer: &str, value: Value) {
    assert_eq!(super::check(&with(pointer, value)), []);
}

const RADIUS: &str = "/layers/0/paint/circle-radius";
const COLOUR: &str = "/layers/0/paint/circle-color";
const FILTER: &str = "/layers/0/filter";
const TEXT: &str = "/layers/1/layout/text-field";

/// One change of a sound style for each key of the catalogue.
fn cases() -> Vec<(&'static str, Value, &'static str)> {
    let curve = json!(["step", ["zoom"], 1, 5, 2]);
    let nested = (0..MAX_DEPTH).fold(json!(1), |inner, _| json!(["+", inner]));
    // Each level reads the one below it twice.
    let doubled = (0..MAX_DEPTH - 8).fold(json!(1), |inner, _| json!(["let", "a", 1, "b", inner]));
    vec![
        ("/metadata", nested, "style.too-deep"),
        (RADIUS, doubled, "style.too-large"),
        ("/layers/0/source", json!(""), "style.missing"),
        (
            "/layers/0/paint/circle-colour",
            json!("red"),
            "style.unknown-property",
        ),
        ("/laiers", json!([]), "style.unknown-member"),
        ("/constants", json!({"a": 1}), "style.constants"),
        ("/zoom", json!("12"), "style.not-number"),
        ("/name", json!(12), "style.not-text"),
        (
            "/layers/2/layout/line-cap",
            json!(["nope"]),
            "style.not-one-of",
        ),
        (
            "/layers/1/layout/icon-optional",
            json!("yes"),
            "style.not-boolean",
        ),
        ("/layers", json!({}), "style.not-list"),
        ("/sources", json!([]), "style.not-object"),
        (COLOUR, json!("reddish"), "style.not-colour"),
        ("/version", json!(7), "style.not-one-of"),
        (RADIUS, json!(-1), "style.below"),
        ("/layers/0/maxzoom", json!(25), "style.above"),
        ("/center", json!([1]), "style.list-length"),
        (FILTER, json!([]), "style.list-empty"),
        (
            "/layers/1/layout/icon-padding",
            json!([1, 2, 3, 4, 5]),
            "style.padding-length",
        ),
        (
            "/layers/1/layout/text-variable-anchor-offset",
            json!(["top"]),
            "style.anchors",
        ),
        (
            "/layers/1/layout/text-variable-anchor-offset",
            json!(["top", 1]),
            "style.offset",
        ),
        (
            "/projection",
            json!({"type": ["a", "b"]}),
            "style.projection",
        ),
        (
            "/glyphs",
            json!("https://map.example/{fontstack}.pbf"),
            "style.glyphs-token",
        ),
        (
            "/sprite",
            json!([{"id": "a", "url": "b"}, {"id": "a", "url": "c"}]),
            "style.sprite-twice",
        ),
        (
            "/font-faces",
            json!({"a": [{"url": "u", "unicode-range": ["U+5-4"]}]}),
            "style.unicode-range",
        ),
        ("/sources/v/type", json!("canvas"), "style.source-canvas"),
        ("/sources/d/redFactor", json!(2), "style.source-factor"),
        ("/layers/0/source", json!("none"), "style.source-unknown"),
        ("/layers/0/source", json!("r"), "style.source-type"),
        (
            "/layers/2/source-layer",
            json!(""),
            "style.source-layer-missing",
        ),
        (
            "/layers/2/paint/line-gradient",
            json!("red"),
            "style.gradient-metrics",
        ),
        (
            "/layers/3/paint",
            json!({"resampling": "linear", "raster-resampling": "linear"}),
            "style.resampling-twice",
        ),
        ("/layers/1/id", json!("a"), "style.id-twice"),
        (
            "/layers/1",
            json!({"id": "x", "ref": "none"}),
            "style.ref-unknown",
        ),
        (
            "/layers/1",
            json!({"id": "x", "ref": "x"}),
            "style.ref-chain",
        ),
        (
            "/layers/1",
            json!({"id": "x", "ref": "a", "type": "line"}),
            "style.ref-member",
        ),
        (
            "/layers/2/paint/line-pattern",
            json!("{name}"),
            "style.tokens",
        ),
        (
            "/layers/1/layout/text-font",
            json!({"type": "identity", "property": "p"}),
            "style.identity-font",
        ),
        (
            "/layers/1/layout/text-font",
            json!(["array", "string", ["get", "f"]]),
            "style.font-literal",
        ),
        (RADIUS, json!(["+", []]), "style.expression-empty"),
        (RADIUS, json!(["+", [5]]), "style.expression-name"),
        (RADIUS, json!(["+", ["plus"]]), "style.expression-unknown"),
        (RADIUS, json!(["+", {}]), "style.expression-object"),
        (RADIUS, json!(["get"]), "style.expression-arguments"),
        (RADIUS, json!(["+", "a"]), "style.expression-type"),
        (
            COLOUR,
            json!(["case", ["has", "a"], "red", "reddish"]),
            "style.expression-value",
        ),
        (
            FILTER,
            json!(["==", ["get", "a"], ["literal", []]]),
            "style.expression-compare",
        ),
        (RADIUS, json!(["to-number", "a"]), "style.expression-fails"),
        (
            RADIUS,
            json!(["length", ["array", "number", -1, ["get", "a"]]]),
            "style.expression-length",
        ),
        (
            TEXT,
            json!(["number-format", 5, {"currency": "UAH", "unit": "meter"}]),
            "style.currency-or-unit",
        ),
        (
            FILTER,
            json!(["within", {"type": "Point", "coordinates": [0, 0]}]),
            "style.geometry",
        ),
        (
            RADIUS,
            json!(["match", ["get", "a"], [], 1, 2]),
            "style.match-empty",
        ),
        (
            RADIUS,
            json!(["match", ["get", "a"], 1.5, 1, 2]),
            "style.match-label",
        ),
        (
            RADIUS,
            json!(["match", ["get", "a"], 1, 1, 1, 2, 3]),
            "style.match-twice",
        ),
        (RADIUS, json!(["let", "a-b", 1, 2]), "style.variable-name"),
        (RADIUS, json!(["var", "a"]), "style.variable-unknown"),
        (
            RADIUS,
            json!(["interpolate", ["cubic"], ["zoom"], 1, 2]),
            "style.interpolation",
        ),
        (
            "/layers/2/layout/line-cap",
            json!(["interpolate", ["linear"], ["zoom"], 1, "butt"]),
            "style.not-interpolatable",
        ),
        (
            "/layers/2/paint/line-dasharray",
            json!({"type": "exponential", "stops": [[1, [1]]]}),
            "style.not-interpolated",
        ),
        (
            RADIUS,
            json!(["step", ["zoom"], 1, "a", 2]),
            "style.stop-number",
        ),
        (
            RADIUS,
            json!(["step", ["zoom"], 1, 3, 2, 3, 4]),
            "style.stop-order",
        ),
        (
            RADIUS,
            json!({"type": "categorical", "property": "a", "stops": [[1.5, 1]]}),
            "style.stop-integer",
        ),
        (
            RADIUS,
            json!({"type": "categorical", "property": "a", "stops": [[1, 1], [1, 2]]}),
            "style.stop-twice",
        ),
        (
            RADIUS,
            json!({"stops": [[1, ["get", "a"]]]}),
            "style.stop-expression",
        ),
        (
            RADIUS,
            json!({"type": "identity", "property": "a", "stops": [[1, 1]]}),
            "style.identity-stops",
        ),
        (
            "/layers/2/paint/line-translate",
            json!({"property": "a", "stops": [[1, [1, 1]]]}),
            "style.data-function",
        ),
        (
            "/layers/1/layout/visibility",
            json!({"stops": [[1, "none"]]}),
            "style.zoom-function",
        ),
        (
            "/layers/2/paint/line-translate",
            json!(["array", "number", 2, ["get", "a"]]),
            "style.data-expression",
        ),
        (
            "/layers/1/layout/visibility",
            json!(["step", ["zoom"], "none", 5, "visible"]),
            "style.zoom-expression",
        ),
        (RADIUS, json!(["*", 2, curve]), "style.zoom-place"),
        (
            RADIUS,
            json!(["coalesce", curve, curve]),
            "style.zoom-several",
        ),
        (
            "/layers/2/layout/line-cap",
            json!(["string", ["feature-state", "a"]]),
            "style.state-expression",
        ),
        (
            FILTER,
            json!(["==", ["feature-state", "a"], 1]),
            "style.state-filter",
        ),
        (
            "/sources/g",
            json!({"type": "geojson", "data": {}, "cluster": true, "clusterProperties": {"a": ["+", ["zoom"]]}}),
            "style.cluster-expression",
        ),
        (
            FILTER,
            json!(["<", "$type", "Point"]),
            "style.filter-type-order",
        ),
        (FILTER, json!(["in", "a", null]), "style.filter-value"),
        (
            FILTER,
            json!(["all", ["==", ["get", "a"], 1], ["!in", "b", 1]]),
            "style.filter-mixed",
        ),
    ]
}

#[test]
fn each_fault_is_told_by_its_own_text() {
    let texts: Value =
        serde_json::from_str(include_str!("../../../../model/messages/style.json")).unwrap();
    let mut told = BTreeSet::new();
    for (pointer, value, key) in cases() {
        let finding = check(pointer, value, key);
        for language in ["uk", "en"] {
            let text = texts[key][language].as_str().unwrap();
            for (name, _) in &finding.values {
                let both = ["uk", "en"].map(|l| texts[key][l].as_str().unwrap());
                let shown = both.map(|t| t.contains(&format!("{{{name}}}")));
                assert_eq!(shown[0], shown[1], "{key} {name}");
            }
            for part in text.split('{').skip(1) {
                let name = part.split('}').next().unwrap();
                let known = finding.values.iter().any(|(n, _)| *n == name);
                // Braces of examples stay as they are written.
                let example = !name.bytes().all(|b| b.is_ascii_lowercase()) || name == "field";
                assert!(known || example, "{key}: {{{name}}} has no value");
            }
        }
        told.insert(key);
    }
    let all: BTreeSet<&str> = texts
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(told, all);
}

#[test]
fn a_sound_style_has_no_findings() {
    assert_eq!(super::check(&sound()), []);
    accepts(
        RADIUS,
        json!([
            "interpolate",
            ["exponential", 1.4],
            ["zoom"],
            5,
            1,
            18,
            ["*", ["get", "n"], 2]
        ]),
    );
    accepts(
        RADIUS,
        json!(["let", "a", ["get", "n"], ["+", ["var", "a"], 1]]),
    );
    accepts(
        COLOUR,
        json!([
            "match",
            ["get", "a"],
            ["x", "y"],
            "red",
            "z",
            "hsl(1deg 2% 3%)",
            "#1234"
        ]),
    );
    accepts(
        COLOUR,
        json!({"property": "k", "type": "categorical", "stops": [["a", "red"]], "default": "grey"}),
    );
    accepts(
        FILTER,
        json!([
            "any",
            ["has", "a"],
            ["!in", "b", 1, "c"],
            ["==", "$type", "Polygon"]
        ]),
    );
    accepts(TEXT, json!("{name}"));
    accepts(
        TEXT,
        json!(["format", ["upcase", ["get", "name"]], {"font-scale": 0.8}, "\n", {}]),
    );
}

#[test]
fn findings_point_to_the_place() {
    let found = check(
        COLOUR,
        json!(["case", ["has", "a"], "red", "reddish"]),
        "style.expression-value",
    );
    assert_eq!(found.pointer, "/layers/0/paint/circle-color/3");
    let values = [
        ("expected", "color".to_owned()),
        ("value", "reddish".to_owned()),
    ];
    assert_eq!(found.values, values);
    let found = check("/sources/a~1b", json!({}), "style.missing");
    assert_eq!(found.pointer, "/sources/a~01b");
    assert_eq!(
        check("/layers/2", json!(null), "style.not-object").pointer,
        "/layers/2"
    );
}

#[test]
fn advice_refuses_nothing() {
    assert!(check("/laiers", json!([]), "style.unknown-member").is_advice());
    assert!(check("/layers/0/maxzom", json!(3), "style.unknown-member").is_advice());
    assert!(!check("/layers/0/paint/x", json!(3), "style.unknown-property").is_advice());
    let mut style = sound();
    for n in 0..200 {
        style[format!("x-{n}")] = json!(1);
    }
    style["zoom"] = json!("a");
    let found = super::check(&style);
    assert_eq!(found.len(), findings::MAX_FINDINGS);
    assert!(!found.iter().all(Finding::is_advice));
}

#[test]
fn findings_are_bounded() {
    let layers: Vec<Value> = (0..1000).map(|_| json!({"id": "x"})).collect();
    assert_eq!(
        super::check(&with("/layers", json!(layers))).len(),
        findings::MAX_FINDINGS
    );
}

#[test]
fn depth_is_bounded_at_its_limit() {
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!(["+", inner]));
    // The root, layers, the layer and its paint are four.
    accepts(RADIUS, nested(MAX_DEPTH - 4));
    check(RADIUS, nested(MAX_DEPTH - 3), "style.too-deep");
}

/// A small generator of its own, so that the same documents are made each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn value(&mut self, depth: usize) -> Value {
        let names = [
            "get",
            "case",
            "match",
            "let",
            "var",
            "step",
            "interpolate",
            "format",
            "at",
            "literal",
            "in",
            "within",
            "type",
            "stops",
            "property",
            "zoom",
            "a",
            "",
            "é{}/~",
            "semiliteral",
            "collator",
            "number-format",
            "coalesce",
            "to-color",
            "distance",
            "array",
        ];
        match self.below(if depth == 0 { 5 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(([0.0, -1.0, 1.5, 1e300, -0.0, 9e15])[self.below(6)]),
            3 | 4 => json!(names[self.below(names.len())]),
            5 => (0..self.below(4))
                .map(|_| {
                    (
                        names[self.below(names.len())].to_owned(),
                        self.value(depth - 1),
                    )
                })
                .collect(),
            6 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => std::iter::once(json!(names[self.below(names.len())]))
                .chain((0..self.below(6)).map(|_| self.value(depth - 1)))
                .collect(),
        }
    }
}

#[test]
fn no_json_makes_it_panic() {
    let mut random = Random(7);
    let places = [
        "/version",
        "/sources",
        "/sources/g",
        "/layers",
        "/layers/0",
        "/layers/0/paint",
        "/layers/1/layout",
        "/light",
        "/sky",
        "/sprite",
        "/font-faces",
        "/projection",
        "/layers/0/metadata",
        RADIUS,
        COLOUR,
        FILTER,
        TEXT,
    ];
    for _ in 0..3000 {
        let value = random.value(5);
        let _ = super::check(&value);
        let place = places[random.below(places.len())];
        let _ = super::check(&with(place, value));
    }
}
