//! Functions from before expressions: `{"stops": [[zoom, value], …]}`.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::findings::Findings;
use super::place::Place;
use super::property::{self, Context};
use super::reference::{self, is_expression};
use super::stem;

pub(super) fn check(
    out: &mut Findings,
    members: &Map<String, Value>,
    spec: &'static Value,
    at: Place<'_>,
) {
    let kind = members
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let by_property = members.contains_key("property");
    let of_zoom = kind != "categorical" && !by_property;
    let mut stops = Stops {
        spec,
        kind,
        of_both: is_of_both(members.get("stops")),
        domain: None,
        zoom: None,
        last: None,
        seen: HashSet::new(),
    };
    let known = reference::part("function");
    for (name, value) in members {
        let at = at.key(name);
        match (stem(name), known.and_then(|k| k.get(stem(name)))) {
            ("stops", _) => stops.check(out, value, at),
            ("default", _) => property::value(out, value, spec, Context::Plain, at),
            (_, Some(entry)) => property::value(out, value, entry, Context::Plain, at),
            (_, None) => out.add(&at, "style.unknown-property", vec![("name", name.clone())]),
        }
    }
    let missing = |out: &mut Findings, name: &str| {
        out.add(&at, "style.missing", vec![("name", name.to_owned())]);
    };
    if kind == "identity" && of_zoom {
        missing(out, "property");
    }
    if kind != "identity" && !members.contains_key("stops") {
        missing(out, "stops");
    }
    if kind == "exponential" && !property::can_interpolate(spec) {
        out.add(
            &at,
            "style.not-interpolated",
            vec![("name", "exponential".to_owned())],
        );
    }
    if !of_zoom && !property::is_data_driven(spec) {
        out.add(&at, "style.data-function", Vec::new());
    } else if of_zoom && !property::takes_zoom(spec) {
        out.add(&at, "style.zoom-function", Vec::new());
    }
    if (kind == "categorical" || stops.of_both) && !by_property {
        missing(out, "property");
    }
}

/// Of the zoom and of a property: the key of a stop is an object.
fn is_of_both(stops: Option<&Value>) -> bool {
    let first = stops.and_then(Value::as_array).and_then(|s| s.first());
    let key = first.and_then(Value::as_array).and_then(|s| s.first());
    key.is_some_and(Value::is_object)
}

struct Stops<'a> {
    spec: &'static Value,
    kind: &'a str,
    of_both: bool,
    /// The type of all keys, by the first of them.
    domain: Option<&'static str>,
    zoom: Option<&'a Value>,
    last: Option<f64>,
    seen: HashSet<String>,
}

impl<'a> Stops<'a> {
    fn check(&mut self, out: &mut Findings, value: &'a Value, at: Place<'_>) {
        if self.kind == "identity" {
            out.add(&at, "style.identity-stops", Vec::new());
            return;
        }
        let Some(stops) = value.as_array() else {
            out.value(&at, "style.not-list", value);
            return;
        };
        if stops.is_empty() {
            out.add(&at, "style.list-empty", Vec::new());
        }
        for (index, stop) in stops.iter().enumerate() {
            if out.is_full() {
                return;
            }
            self.stop(out, stop, at.index(index));
        }
    }

    fn stop(&mut self, out: &mut Findings, stop: &'a Value, at: Place<'_>) {
        let Some(pair) = stop.as_array() else {
            out.value(&at, "style.not-list", stop);
            return;
        };
        let [key, value] = pair.as_slice() else {
            let values = vec![
                ("length", "2".to_owned()),
                ("found", pair.len().to_string()),
            ];
            out.add(&at, "style.list-length", values);
            return;
        };
        if !self.of_both {
            self.key(out, key, at.index(0));
        } else if !self.both(out, key, at.index(0)) {
            return;
        }
        let at = at.index(1);
        if is_expression(value) {
            out.value(&at, "style.stop-expression", value);
            return;
        }
        property::value(out, value, self.spec, Context::Plain, at);
    }

    /// `{"zoom": …, "value": …}`
    fn both(&mut self, out: &mut Findings, key: &'a Value, at: Place<'_>) -> bool {
        let Some(members) = key.as_object() else {
            out.value(&at, "style.not-object", key);
            return false;
        };
        for name in ["zoom", "value"] {
            if !members.contains_key(name) {
                out.add(&at, "style.missing", vec![("name", name.to_owned())]);
                return false;
            }
        }
        let zoom = members.get("zoom");
        let number = |v: Option<&Value>| v.and_then(Value::as_f64);
        // A zoom of zero counts as none, as in the specification's own check.
        let before = number(self.zoom).filter(|z| *z != 0.0);
        if before
            .zip(number(zoom))
            .is_some_and(|(before, now)| before > now)
        {
            out.value(
                &at.key("zoom"),
                "style.stop-order",
                zoom.unwrap_or(&Value::Null),
            );
            return false;
        }
        if zoom != self.zoom {
            self.zoom = zoom;
            self.last = None;
            self.seen.clear();
        }
        for (name, value) in members {
            let at = at.key(name);
            match stem(name) {
                "zoom" => property::number(out, value, None, at),
                "value" => self.key(out, value, at),
                _ => out.add(&at, "style.unknown-property", vec![("name", name.clone())]),
            }
        }
        true
    }

    fn key(&mut self, out: &mut Findings, key: &Value, at: Place<'_>) {
        let kind = match key {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let domain = *self.domain.get_or_insert(kind);
        if kind != domain {
            let values = vec![("expected", domain.to_owned()), ("found", kind.to_owned())];
            out.add(&at, "style.expression-type", values);
            return;
        }
        let categorical = self.kind == "categorical";
        if !matches!(kind, "number" | "string" | "boolean") || !categorical && kind != "number" {
            out.value(&at, "style.stop-number", key);
            return;
        }
        let number = key.as_f64();
        if categorical && number.is_some_and(|n| n.fract() != 0.0) {
            out.value(&at, "style.stop-integer", key);
            return;
        }
        if !categorical && self.last.zip(number).is_some_and(|(last, now)| now < last) {
            out.value(&at, "style.stop-order", key);
            return;
        }
        self.last = number;
        let written = number.map_or_else(|| key.to_string(), |n| n.to_string());
        if !self.seen.insert(written) && categorical {
            out.value(&at, "style.stop-twice", key);
        }
    }
}
