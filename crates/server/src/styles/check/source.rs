//! Sources.

use serde_json::{Map, Value, json};

use super::expression::{Annotate, Here, parse};
use super::findings::Findings;
use super::place::Place;
use super::property::{self, Context};
use super::{filter, reference, required, stem};

const TYPES: [&str; 6] = [
    "vector",
    "raster",
    "raster-dem",
    "geojson",
    "video",
    "image",
];
/// How an elevation is put together from the colours of a pixel.
const FACTORS: [&str; 4] = ["redFactor", "greenFactor", "blueFactor", "baseShift"];

pub(super) fn all(out: &mut Findings, value: &Value, at: Place<'_>) {
    let Some(sources) = value.as_object() else {
        out.value(&at, "style.not-object", value);
        return;
    };
    for (name, value) in sources {
        if out.is_full() {
            return;
        }
        source(out, value, at.key(name));
    }
}

fn source(out: &mut Findings, value: &Value, at: Place<'_>) {
    let Some(members) = value.as_object() else {
        out.value(&at, "style.not-object", value);
        return;
    };
    let Some(kind) = members.get("type") else {
        out.add(&at, "style.missing", vec![("name", "type".to_owned())]);
        return;
    };
    let Some(name) = kind.as_str().filter(|k| TYPES.contains(k)) else {
        if kind.as_str() == Some("canvas") {
            out.add(&at.key("type"), "style.source-canvas", Vec::new());
        } else {
            property::not_one_of(out, kind, TYPES.into_iter(), at.key("type"));
        }
        return;
    };
    let part = format!("source_{}", name.replace('-', "_"));
    let known = reference::part(&part);
    for (member, value) in members {
        self::member(out, name, known, members, (member, value), at);
    }
    if name != "raster-dem" {
        required(out, members, known, at, &[]);
    }
    if name == "geojson" {
        clusters(out, members, at);
    }
}

fn member(
    out: &mut Findings,
    source: &str,
    known: Option<&'static Map<String, Value>>,
    members: &Map<String, Value>,
    (name, value): (&str, &Value),
    at: Place<'_>,
) {
    let at = at.key(name);
    let elevation = source == "raster-dem";
    if elevation
        && FACTORS.contains(&name)
        && members.get("encoding").and_then(Value::as_str) != Some("custom")
    {
        out.add(&at, "style.source-factor", vec![("name", name.to_owned())]);
        return;
    }
    let stem = if elevation { name } else { stem(name) };
    let Some(spec) = known.and_then(|k| k.get(stem)) else {
        // Vector and raster sources may have members of their own, by the reference.
        if elevation || known.is_none_or(|k| !k.contains_key("*")) {
            out.add(
                &at,
                "style.unknown-property",
                vec![("name", name.to_owned())],
            );
        }
        return;
    };
    match stem {
        "promoteId" => promote(out, value, at),
        "filter" => filter::check(out, value, at),
        _ => property::value(out, value, spec, Context::Plain, at),
    }
}

/// The property that is the id, or one by each layer of the source.
fn promote(out: &mut Findings, value: &Value, at: Place<'_>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                super::text(out, item, at.index(index));
            }
        }
        Value::Object(layers) => {
            for (layer, name) in layers {
                super::text(out, name, at.key(layer));
            }
        }
        _ => {}
    }
}

/// `"clusterProperties": {"sum": ["+", ["get", "n"]]}`: how clusters add up their points.
fn clusters(out: &mut Findings, members: &Map<String, Value>, at: Place<'_>) {
    let on = !matches!(
        members.get("cluster"),
        None | Some(Value::Null | Value::Bool(false))
    );
    let Some(Value::Object(properties)) = members.get("clusterProperties").filter(|_| on) else {
        return;
    };
    let at = at.key("clusterProperties");
    for (name, value) in properties {
        let at = at.key(name);
        let Some([reduce, map, ..]) = value.as_array().map(Vec::as_slice) else {
            out.value(&at, "style.not-list", value);
            continue;
        };
        cluster(out, map, at.index(1));
        match reduce.as_str() {
            None => cluster(out, reduce, at.index(0)),
            Some(operator) => {
                // Findings are told of the operator: the rest of this expression is not in the document.
                let mut inner = Findings::default();
                cluster(
                    &mut inner,
                    &json!([operator, ["accumulated"], ["get", name]]),
                    at,
                );
                for finding in inner.list {
                    out.add(&at.index(0), finding.key, finding.values);
                }
            }
        }
    }
}

fn cluster(out: &mut Findings, value: &Value, at: Place<'_>) {
    let Some(parsed) = parse(out, value, Here::root(at, None), Annotate::Yes) else {
        return;
    };
    if parsed.depends.zoom || parsed.depends.state {
        out.add(&at, "style.cluster-expression", Vec::new());
    }
}
