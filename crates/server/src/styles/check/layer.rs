//! Layers.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::findings::{Findings, shorten};
use super::place::Place;
use super::property::{self, Context};
use super::{filter, reference, required, stem};

pub(super) fn all(out: &mut Findings, value: &Value, style: &Value, at: Place<'_>) {
    let Some(layers) = value.as_array() else {
        out.value(&at, "style.not-list", value);
        return;
    };
    // The last of several with one id is meant by a `ref`.
    let by_id: HashMap<&str, &Value> = layers
        .iter()
        .filter_map(|l| Some((l.get("id")?.as_str()?, l)))
        .collect();
    let mut seen = std::collections::HashSet::new();
    for (index, layer) in layers.iter().enumerate() {
        if out.is_full() {
            return;
        }
        let at = at.index(index);
        let Some(members) = layer.as_object() else {
            out.value(&at, "style.not-object", layer);
            continue;
        };
        let id = members
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !id.is_empty() && !seen.insert(id) {
            out.add(&at.key("id"), "style.id-twice", vec![("id", shorten(id))]);
        }
        let layer = Layer { members, style };
        let kind = if members.contains_key("ref") {
            layer.reference(out, &by_id, at)
        } else {
            layer.source(out, at);
            layer.text("type")
        };
        layer.members(out, kind, at);
    }
}

struct Layer<'a> {
    members: &'a Map<String, Value>,
    style: &'a Value,
}

impl<'a> Layer<'a> {
    fn text(&self, name: &str) -> &'a str {
        self.members
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// A layer that is drawn like another one, from before version 8; returns the type.
    fn reference(
        &self,
        out: &mut Findings,
        by_id: &HashMap<&str, &'a Value>,
        at: Place<'_>,
    ) -> &'a str {
        for name in ["type", "source", "source-layer", "filter", "layout"] {
            if self.members.contains_key(name) {
                out.add(
                    &at.key(name),
                    "style.ref-member",
                    vec![("name", name.to_owned())],
                );
            }
        }
        let name = self.text("ref");
        let Some(parent) = by_id.get(name) else {
            out.add(
                &at.key("ref"),
                "style.ref-unknown",
                vec![("id", shorten(name))],
            );
            return "";
        };
        if parent.get("ref").is_some() {
            out.add(
                &at.key("ref"),
                "style.ref-chain",
                vec![("id", shorten(name))],
            );
        }
        parent
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn source(&self, out: &mut Findings, at: Place<'_>) {
        let kind = self.text("type");
        if !self.members.contains_key("type") {
            out.add(&at, "style.missing", vec![("name", "type".to_owned())]);
        }
        if kind == "background" {
            return;
        }
        let name = self.text("source");
        if name.is_empty() {
            // A source that is no text is told by its type.
            if self.members.get("source").is_none_or(Value::is_string) {
                out.add(&at, "style.missing", vec![("name", "source".to_owned())]);
            }
            return;
        }
        let Some(source) = self.style.get("sources").and_then(|s| s.get(name)) else {
            out.add(
                &at.key("source"),
                "style.source-unknown",
                vec![("source", shorten(name))],
            );
            return;
        };
        let from = source
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let relief = matches!(kind, "hillshade" | "color-relief");
        let wanted = match (from, kind) {
            ("vector", "raster") => Some("raster"),
            (from, _) if relief && from != "raster-dem" => Some("raster-dem"),
            ("raster", kind) if kind != "raster" => Some("vector, geojson"),
            ("raster-dem", _) if !relief => Some("vector, geojson, raster"),
            _ => None,
        };
        if let Some(wanted) = wanted {
            let values = vec![
                ("type", kind.to_owned()),
                ("source", shorten(name)),
                ("found", from.to_owned()),
                ("wanted", wanted.to_owned()),
            ];
            out.add(&at.key("source"), "style.source-type", values);
            return;
        }
        if from == "vector" && self.text("source-layer").is_empty() {
            // One that is no text is told by its type.
            if self
                .members
                .get("source-layer")
                .is_none_or(Value::is_string)
            {
                out.add(
                    &at,
                    "style.source-layer-missing",
                    vec![("source", shorten(name))],
                );
            }
            return;
        }
        let metrics = source
            .get("lineMetrics")
            .is_some_and(|m| !matches!(m, Value::Null | Value::Bool(false)));
        let gradient = self
            .members
            .get("paint")
            .and_then(|p| p.get("line-gradient"));
        if kind == "line"
            && gradient.is_some_and(|g| !g.is_null())
            && !(from == "geojson" && metrics)
        {
            out.add(
                &at,
                "style.gradient-metrics",
                vec![("source", shorten(name))],
            );
        }
    }

    fn members(&self, out: &mut Findings, kind: &str, at: Place<'_>) {
        let known = reference::part("layer");
        if kind == "raster"
            && let Some(paint) = self.members.get("paint")
        {
            let given = |name: &str| paint.get(name).is_some_and(|v| !v.is_null());
            if given("resampling") && given("raster-resampling") {
                out.add(&at.key("paint"), "style.resampling-twice", Vec::new());
            }
        }
        for (name, value) in self.members {
            let at = at.key(name);
            match stem(name) {
                "filter" => filter::check(out, value, at),
                part @ ("layout" | "paint") => properties(out, value, part, kind, at),
                "type" if name != "type" => {}
                stem => match known.and_then(|k| k.get(stem)) {
                    Some(spec) => property::value(out, value, spec, Context::Plain, at),
                    None if name == "ref" => {}
                    None => out.add(&at, "style.unknown-member", vec![("name", name.clone())]),
                },
            }
        }
        required(out, self.members, known, at, &["type"]);
    }
}

/// The members of `layout` and `paint`; those of an unknown type of layer are not judged.
fn properties(out: &mut Findings, value: &Value, part: &str, kind: &str, at: Place<'_>) {
    let Some(members) = value.as_object() else {
        out.value(&at, "style.not-object", value);
        return;
    };
    let Some(known) = reference::part(&format!("{part}_{kind}")) else {
        return;
    };
    for (name, value) in members {
        if out.is_full() {
            return;
        }
        let at = at.key(name);
        let eased = name.strip_suffix("-transition").and_then(|n| known.get(n));
        if part == "paint" && eased.is_some_and(|s| s.get("transition") == Some(&Value::Bool(true)))
        {
            property::members(out, value, reference::part("transition"), at);
            continue;
        }
        let Some(spec) = known.get(name) else {
            out.add(&at, "style.unknown-property", vec![("name", name.clone())]);
            continue;
        };
        if let Some(text) = value.as_str()
            && property::is_data_driven(spec)
            && spec.get("tokens") != Some(&Value::Bool(true))
            && is_token(text)
        {
            out.add(&at, "style.tokens", vec![("name", name.clone())]);
            continue;
        }
        if name == "text-font" && value.get("type").and_then(Value::as_str) == Some("identity") {
            out.add(&at, "style.identity-font", Vec::new());
        }
        let context = Context::Property {
            name,
            layout: part == "layout",
        };
        property::value(out, value, spec, context, at);
    }
}

/// `{name}` and nothing else.
fn is_token(text: &str) -> bool {
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    inner.is_some_and(|t| !t.is_empty() && !t.contains('}'))
}
