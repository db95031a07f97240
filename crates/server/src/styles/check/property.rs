//! One value against its entry in the reference.

use serde_json::{Map, Value};

use super::super::colour::Colour;
use super::expression::{Annotate, Curve, Here, Parsed, parse};
use super::findings::{Findings, shown};
use super::place::Place;
use super::reference::{self, is_expression};
use super::types::Type;
use super::{filter, function, required, stem};

/// Where a value stands: the rules for expressions differ.
#[derive(Debug, Clone, Copy)]
pub(super) enum Context<'a> {
    Plain,
    /// Of the layout or the paint of a layer.
    Property {
        name: &'a str,
        layout: bool,
    },
}

pub(super) fn value(
    out: &mut Findings,
    value: &Value,
    spec: &'static Value,
    context: Context<'_>,
    at: Place<'_>,
) {
    if out.is_full() {
        return;
    }
    if spec.get("expression").is_some() {
        if let Some(members) = value.as_object() {
            function::check(out, members, spec, at);
            return;
        }
        if is_expression(value) {
            expression(out, value, spec, context, at);
            return;
        }
    }
    match kind(spec) {
        "*" => {}
        "array" => list(out, value, spec, at),
        "boolean" => {
            if !value.is_boolean() {
                out.value(&at, "style.not-boolean", value);
            }
        }
        "number" => number(out, value, Some(spec), at),
        "string" => super::text(out, value, at),
        "color" => colour(out, value, at),
        "enum" => one_of(out, value, spec, at),
        "filter" => filter::check(out, value, at),
        "formatted" | "resolvedImage" => match value {
            Value::String(_) => {}
            Value::Array(_) => expression(out, value, spec, context, at),
            _ => out.value(&at, "style.not-text", value),
        },
        "padding" => match value {
            Value::Array(items) if !(1..=4).contains(&items.len()) => {
                out.add(
                    &at,
                    "style.padding-length",
                    vec![("found", items.len().to_string())],
                );
            }
            _ => numbers(out, value, at),
        },
        "numberArray" => numbers(out, value, at),
        "colorArray" => match value {
            Value::Array(items) if items.is_empty() => out.add(&at, "style.list-empty", Vec::new()),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    colour(out, item, at.index(index));
                }
            }
            _ => colour(out, value, at),
        },
        "variableAnchorOffsetCollection" => anchors(out, value, at),
        "projectionDefinition" => projection(out, value, at),
        // The type is the name of another part of the reference.
        name => members(out, value, reference::part(name), at),
    }
}

fn kind(spec: &'static Value) -> &'static str {
    spec.get("type").and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn is_data_driven(spec: &Value) -> bool {
    let kind = spec.get("property-type").and_then(Value::as_str);
    matches!(kind, Some("data-driven" | "cross-faded-data-driven"))
}

pub(super) fn takes_zoom(spec: &Value) -> bool {
    let parameters = spec
        .get("expression")
        .and_then(|e| e.get("parameters"))
        .and_then(Value::as_array);
    parameters.is_some_and(|p| p.iter().any(|p| p.as_str() == Some("zoom")))
}

pub(super) fn can_interpolate(spec: &Value) -> bool {
    let interpolated = spec.get("expression").and_then(|e| e.get("interpolated"));
    interpolated == Some(&Value::Bool(true))
}

/// An object whose members are in the reference.
pub(super) fn members(
    out: &mut Findings,
    value: &Value,
    known: Option<&'static Map<String, Value>>,
    at: Place<'_>,
) {
    let Some(members) = value.as_object() else {
        out.value(&at, "style.not-object", value);
        return;
    };
    // These are eased over time like the properties of layers.
    let eased = |name: &str| {
        let spec = known?.get(name.strip_suffix("-transition")?)?;
        (spec.get("transition") == Some(&Value::Bool(true))).then_some(())
    };
    let exact = known.is_some_and(|k| !k.contains_key("duration"));
    for (name, value) in members {
        let at = at.key(name);
        if eased(name).is_some() {
            self::members(out, value, reference::part("transition"), at);
            continue;
        }
        let name = if exact { name.as_str() } else { stem(name) };
        match known.and_then(|k| k.get(name)) {
            Some(spec) => self::value(out, value, spec, Context::Plain, at),
            None => out.add(
                &at,
                "style.unknown-property",
                vec![("name", name.to_owned())],
            ),
        }
    }
    if !exact {
        required(out, members, known, at, &[]);
    }
}

pub(super) fn number(out: &mut Findings, value: &Value, spec: Option<&Value>, at: Place<'_>) {
    let Some(number) = value.as_f64() else {
        out.value(&at, "style.not-number", value);
        return;
    };
    let bound = |name: &str| spec.and_then(|s| s.get(name)).and_then(Value::as_f64);
    if let Some(min) = bound("minimum").filter(|min| number < *min) {
        out.add(
            &at,
            "style.below",
            vec![("value", shown(value)), ("min", min.to_string())],
        );
    } else if let Some(max) = bound("maximum").filter(|max| number > *max) {
        out.add(
            &at,
            "style.above",
            vec![("value", shown(value)), ("max", max.to_string())],
        );
    }
}

fn numbers(out: &mut Findings, value: &Value, at: Place<'_>) {
    match value {
        Value::Array(items) if items.is_empty() => out.add(&at, "style.list-empty", Vec::new()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                number(out, item, None, at.index(index));
            }
        }
        _ => number(out, value, None, at),
    }
}

fn colour(out: &mut Findings, value: &Value, at: Place<'_>) {
    if value.as_str().and_then(Colour::parse).is_none() {
        out.value(&at, "style.not-colour", value);
    }
}

fn one_of(out: &mut Findings, value: &Value, spec: &'static Value, at: Place<'_>) {
    match spec.get("values") {
        Some(Value::Object(known)) if !value.as_str().is_some_and(|v| known.contains_key(v)) => {
            not_one_of(out, value, known.keys().map(String::as_str), at);
        }
        Some(Value::Array(known)) => {
            let same = |k: &Value| k == value || k.is_number() && k.as_f64() == value.as_f64();
            if !known.iter().any(same) {
                let known: Vec<String> = known.iter().map(Value::to_string).collect();
                not_one_of(out, value, known.iter().map(String::as_str), at);
            }
        }
        _ => {}
    }
}

pub(super) fn not_one_of<'k>(
    out: &mut Findings,
    value: &Value,
    known: impl Iterator<Item = &'k str>,
    at: Place<'_>,
) {
    let known: Vec<&str> = known.collect();
    out.add(
        &at,
        "style.not-one-of",
        vec![("value", shown(value)), ("known", known.join(", "))],
    );
}

fn list(out: &mut Findings, value: &Value, spec: &'static Value, at: Place<'_>) {
    let Some(items) = value.as_array() else {
        out.value(&at, "style.not-list", value);
        return;
    };
    let length = spec.get("length").and_then(Value::as_u64);
    if let Some(length) = length.filter(|l| usize::try_from(*l) != Ok(items.len())) {
        let values = vec![
            ("length", length.to_string()),
            ("found", items.len().to_string()),
        ];
        out.add(&at, "style.list-length", values);
        return;
    }
    for (index, item) in items.iter().enumerate() {
        let at = at.index(index);
        match spec.get("value") {
            Some(Value::String(of)) => match of.as_str() {
                "number" => number(out, item, None, at),
                "string" => super::text(out, item, at),
                "enum" => one_of(out, item, spec, at),
                _ => {}
            },
            Some(of @ Value::Object(_)) => self::value(out, item, of, Context::Plain, at),
            _ => {}
        }
    }
}

/// Anchors of a text, each followed by its offset.
fn anchors(out: &mut Findings, value: &Value, at: Place<'_>) {
    let pairs = value
        .as_array()
        .filter(|i| !i.is_empty() && i.len() % 2 == 0);
    let (Some(items), Some(anchors)) = (pairs, reference::property("layout_symbol", "text-anchor"))
    else {
        out.value(&at, "style.anchors", value);
        return;
    };
    for (index, item) in items.iter().enumerate() {
        let at = at.index(index);
        if index % 2 == 0 {
            one_of(out, item, anchors, at);
        } else if item.as_array().is_some_and(|i| i.len() == 2) {
            numbers(out, item, at);
        } else {
            out.value(&at, "style.offset", item);
        }
    }
}

/// The name of a projection, or two names and how far the first has become the second.
fn projection(out: &mut Findings, value: &Value, at: Place<'_>) {
    let named = match value {
        Value::String(_) => true,
        Value::Array(items) => match items.as_slice() {
            [from, to, share] => from.is_string() && to.is_string() && share.is_number(),
            _ => false,
        },
        _ => false,
    };
    if !named {
        out.value(&at, "style.projection", value);
    }
}

fn expected(spec: &'static Value) -> Option<Type> {
    match kind(spec) {
        "array" => {
            let of = spec
                .get("value")
                .and_then(Value::as_str)
                .and_then(Type::named);
            let length = spec.get("length").and_then(Value::as_u64);
            Some(Type::list(
                of.unwrap_or(Type::Any),
                length.and_then(|l| usize::try_from(l).ok()),
            ))
        }
        name => Type::named(name),
    }
}

fn expression(
    out: &mut Findings,
    value: &Value,
    spec: &'static Value,
    context: Context<'_>,
    at: Place<'_>,
) {
    let expected = expected(spec);
    let here = Here::root(at, expected.as_ref());
    let Some(parsed) = parse(out, value, here, Annotate::Yes) else {
        return;
    };
    let Context::Property { name, layout } = context else {
        return;
    };
    if let Some(key) = misplaced(&parsed, spec) {
        out.add(&at, key, vec![("name", name.to_owned())]);
    } else if name == "text-font" && !parsed.defined {
        out.add(&at, "style.font-literal", Vec::new());
    } else if layout && parsed.depends.state {
        out.add(
            &at,
            "style.state-expression",
            vec![("name", name.to_owned())],
        );
    }
}

/// What the expression depends on though its property may not.
fn misplaced(parsed: &Parsed<'_>, spec: &Value) -> Option<&'static str> {
    if parsed.depends.feature && !is_data_driven(spec) {
        return Some("style.data-expression");
    }
    if parsed.depends.zoom && !takes_zoom(spec) {
        return Some("style.zoom-expression");
    }
    match parsed.curve {
        Curve::None if parsed.depends.zoom => Some("style.zoom-place"),
        Curve::Nested => Some("style.zoom-place"),
        Curve::Several => Some("style.zoom-several"),
        Curve::Interpolate if !can_interpolate(spec) => Some("style.not-interpolated"),
        _ => None,
    }
}
