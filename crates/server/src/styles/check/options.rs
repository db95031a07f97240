//! Operators with an object among their arguments, and the few others that read something that is no expression.

use serde_json::{Map, Value};

use super::expression::{Annotate, Here, Parsed, count, mismatch, only, parse as part};
use super::findings::{Findings, shown};
use super::fold::Const;
use super::types::Type;

pub(super) fn parse<'v>(
    out: &mut Findings,
    name: &str,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    match name {
        "collator" => collator(out, items, here),
        "number-format" => number_format(out, items, here),
        "format" => format(out, items, here),
        "image" => image(out, items, here),
        "global-state" => global_state(out, items, here),
        _ => geometry(out, name, items, here),
    }
}

/// An option that counts as given; map programs pass over those that JavaScript takes for false.
fn given<'v>(options: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    options.get(name).filter(|v| match v {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Number(n) => n.as_f64() != Some(0.0),
        _ => true,
    })
}

fn option<'v>(
    out: &mut Findings,
    value: &'v Value,
    kind: &Type,
    name: &str,
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let inner = Here {
        at: here.at.key(name),
        expected: Some(kind),
        scope: here.scope,
    };
    part(out, value, inner, Annotate::Yes)
}

fn collator<'v>(out: &mut Findings, items: &'v [Value], here: Here<'_, 'v>) -> Option<Parsed<'v>> {
    let options = only(out, items, here)?;
    let inner = here.argument(1, None);
    let Some(options) = options.as_object() else {
        out.value(&inner.at, "style.not-object", options);
        return None;
    };
    let mut children = Vec::new();
    for name in ["case-sensitive", "diacritic-sensitive"] {
        if let Some(value) = options.get(name) {
            children.push(option(out, value, &Type::Boolean, name, inner)?);
        }
    }
    if let Some(value) = given(options, "locale") {
        children.push(option(out, value, &Type::Text, "locale", inner)?);
    }
    Some(Parsed::over(Type::Collator, &children))
}

fn number_format<'v>(
    out: &mut Findings,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let [_, number, options] = items else {
        count(out, items, here, "2");
        return None;
    };
    let number = part(
        out,
        number,
        here.argument(1, Some(&Type::Number)),
        Annotate::Yes,
    )?;
    let inner = here.argument(2, None);
    let Some(options) = options.as_object() else {
        out.value(&inner.at, "style.not-object", options);
        return None;
    };
    let mut children = vec![number];
    for name in ["locale", "currency", "unit"] {
        if let Some(value) = given(options, name) {
            children.push(option(out, value, &Type::Text, name, inner)?);
        }
    }
    if given(options, "currency").is_some() && given(options, "unit").is_some() {
        out.add(&inner.at, "style.currency-or-unit", Vec::new());
        return None;
    }
    for name in ["min-fraction-digits", "max-fraction-digits"] {
        if let Some(value) = given(options, name) {
            children.push(option(out, value, &Type::Number, name, inner)?);
        }
    }
    let constant = children.iter().all(Parsed::is_literal);
    let mut parsed = Parsed::over(Type::Text, &children);
    parsed.value = constant.then_some(Const::Unknown);
    Some(parsed)
}

fn format<'v>(out: &mut Findings, items: &'v [Value], here: Here<'_, 'v>) -> Option<Parsed<'v>> {
    let sections = items.get(1..).unwrap_or_default();
    if sections.is_empty() {
        count(out, items, here, "1+");
        return None;
    }
    let mut children = Vec::new();
    // Options follow the text that they are of.
    let mut text_before = false;
    for (index, item) in sections.iter().enumerate() {
        let inner = here.argument(index + 1, Some(&Type::Any));
        if let (true, Value::Object(options)) = (text_before, item) {
            text_before = false;
            section(out, options, &mut children, inner)?;
            continue;
        }
        let content = part(out, item, inner, Annotate::Yes)?;
        if !matches!(
            content.kind,
            Type::Text | Type::Any | Type::Null | Type::Image
        ) {
            mismatch(out, &inner.at, &Type::Text, &content.kind);
            return None;
        }
        text_before = true;
        children.push(content);
    }
    let constant = children.iter().all(Parsed::is_literal);
    let mut parsed = Parsed::over(Type::Formatted, &children);
    parsed.value = constant.then_some(Const::Opaque(Type::Formatted));
    Some(parsed)
}

fn section<'v>(
    out: &mut Findings,
    options: &'v Map<String, Value>,
    children: &mut Vec<Parsed<'v>>,
    here: Here<'_, 'v>,
) -> Option<()> {
    let kinds = [
        ("font-scale", Type::Number),
        ("text-font", Type::list(Type::Text, None)),
        ("text-color", Type::Colour),
        ("vertical-align", Type::Text),
    ];
    for (name, kind) in kinds {
        let Some(value) = given(options, name) else {
            continue;
        };
        if name == "vertical-align"
            && let Value::String(text) = value
            && !["bottom", "center", "top"].contains(&text.as_str())
        {
            let values = vec![
                ("value", shown(value)),
                ("known", "bottom, center, top".to_owned()),
            ];
            out.add(&here.at.key(name), "style.not-one-of", values);
            return None;
        }
        children.push(option(out, value, &kind, name, here)?);
    }
    Some(())
}

fn image<'v>(out: &mut Findings, items: &'v [Value], here: Here<'_, 'v>) -> Option<Parsed<'v>> {
    let name = only(out, items, here)?;
    let name = part(
        out,
        name,
        here.argument(1, Some(&Type::Text)),
        Annotate::Yes,
    )?;
    let mut parsed = Parsed::over(Type::Image, [&name]);
    parsed.value = name.value.map(|name| match name {
        Const::Text(name) if name.is_empty() => Const::Null,
        Const::Unknown => Const::Unknown,
        _ => Const::Opaque(Type::Image),
    });
    Some(parsed)
}

fn global_state<'v>(
    out: &mut Findings,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let name = only(out, items, here)?;
    if !name.is_string() {
        out.value(&here.at.index(1), "style.not-text", name);
        return None;
    }
    Some(Parsed::over(Type::Any, []))
}

/// `within` and `distance`: the argument is GeoJSON.
fn geometry<'v>(
    out: &mut Findings,
    name: &str,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let geojson = only(out, items, here)?;
    let within = name == "within";
    if !(if within {
        has_polygon(geojson)
    } else {
        has_geometry(geojson)
    }) {
        out.add(
            &here.at.index(1),
            "style.geometry",
            vec![("operator", name.to_owned())],
        );
        return None;
    }
    let mut parsed = Parsed::over(if within { Type::Boolean } else { Type::Number }, []);
    parsed.depends.feature = true;
    parsed.defined = true;
    Some(parsed)
}

fn has_polygon(geojson: &Value) -> bool {
    let polygon = |g: &Value| matches!(kind(g), Some("Polygon" | "MultiPolygon"));
    // A feature without a part counts in a collection only: that is where the parts are put together.
    let filled = |g: &Value| {
        let parts = g.get("coordinates").and_then(Value::as_array);
        polygon(g) && (kind(g) == Some("Polygon") || parts.is_some_and(|p| !p.is_empty()))
    };
    match kind(geojson) {
        Some("FeatureCollection") => features(geojson).is_some_and(|f| f.iter().any(|g| filled(g))),
        Some("Feature") => geojson.get("geometry").is_some_and(polygon),
        _ => polygon(geojson),
    }
}

fn has_geometry(geojson: &Value) -> bool {
    let readable = |g: &Value| match kind(g) {
        Some("MultiPolygon" | "MultiLineString" | "MultiPoint") => {
            g.get("coordinates").is_some_and(Value::is_array)
        }
        _ => g.is_object(),
    };
    match kind(geojson) {
        Some("FeatureCollection") => {
            features(geojson).is_some_and(|f| f.iter().all(|g| readable(g)))
        }
        Some("Feature") => geojson.get("geometry").is_some_and(readable),
        _ => {
            geojson.get("type").is_some()
                && geojson.get("coordinates").is_some()
                && readable(geojson)
        }
    }
}

fn kind(geojson: &Value) -> Option<&str> {
    geojson.get("type")?.as_str()
}

/// The geometries of a collection in which each feature has one.
fn features(collection: &Value) -> Option<Vec<&Value>> {
    let features = collection.get("features")?.as_array()?;
    features.iter().map(|f| f.get("geometry")).collect()
}
