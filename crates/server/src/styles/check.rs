//! Checks a style document against the MapLibre Style Specification, version 8.
//!
//! What there is in a style comes from the specification's own reference ([`mod@reference`]); how it is read follows the
//! specification's validator, so that both agree on which styles are valid. Beyond it, [`Finding::is_advice`] marks what
//! people should know though map programs accept it.
//!
//! The check never fails on a document, however it is made: its depth, the parts of expressions that are read and the
//! findings that are kept are bounded.

mod curves;
mod expression;
mod filter;
mod findings;
mod fold;
mod forms;
mod function;
mod layer;
mod lists;
mod options;
mod place;
mod property;
mod reference;
mod source;
mod types;

pub(super) use findings::Finding;
use serde_json::{Map, Value};

use findings::Findings;
use place::Place;
use property::Context;

/// Levels of lists and objects in each other. The specification sets none; styles in the wild stay below 30, and the
/// check needs a bound for its own stack.
const MAX_DEPTH: usize = 64;

/// What is wrong with a style; empty when nothing is. Takes time proportional to the size of the style.
#[must_use]
pub(super) fn check(style: &Value) -> Vec<Finding> {
    let mut out = Findings::default();
    if is_deeper(style, MAX_DEPTH) {
        out.add(
            &Place::ROOT,
            "style.too-deep",
            vec![("max", MAX_DEPTH.to_string())],
        );
        return out.list;
    }
    root(&mut out, style);
    out.list
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else {
        return value.is_array() || value.is_object();
    };
    match value {
        Value::Array(items) => items.iter().any(|i| is_deeper(i, below)),
        Value::Object(members) => members.values().any(|m| is_deeper(m, below)),
        _ => false,
    }
}

fn root(out: &mut Findings, style: &Value) {
    let at = Place::ROOT;
    let Some(members) = style.as_object() else {
        out.value(&at, "style.not-object", style);
        return;
    };
    let known = reference::part("$root");
    for (name, value) in members {
        if out.is_full() {
            return;
        }
        let at = at.key(name);
        let Some(spec) = known.and_then(|k| k.get(stem(name))) else {
            let given = !matches!(value, Value::Null | Value::Bool(false));
            if name == "constants" && given {
                out.add(&at, "style.constants", Vec::new());
            } else {
                out.add(&at, "style.unknown-member", vec![("name", name.clone())]);
            }
            continue;
        };
        match stem(name) {
            "glyphs" => glyphs(out, value, at),
            "sprite" => sprite(out, value, at),
            "sources" => source::all(out, value, at),
            "layers" => layer::all(out, value, style, at),
            "font-faces" => font_faces(out, value, at),
            "state" => {
                if !value.is_object() {
                    out.value(&at, "style.not-object", value);
                }
            }
            _ => property::value(out, value, spec, Context::Plain, at),
        }
    }
    required(out, members, known, at, &[]);
}

/// The specification's validator reads `name.anything` as another `name`.
fn stem(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Members that must be there, apart from those that are checked elsewhere.
fn required(
    out: &mut Findings,
    members: &Map<String, Value>,
    known: Option<&'static Map<String, Value>>,
    at: Place<'_>,
    elsewhere: &[&str],
) {
    for (name, spec) in known.into_iter().flatten() {
        let must =
            spec.get("required") == Some(&Value::Bool(true)) && spec.get("default").is_none();
        if must && !members.contains_key(name) && !elsewhere.contains(&name.as_str()) {
            out.add(&at, "style.missing", vec![("name", name.clone())]);
        }
    }
}

fn glyphs(out: &mut Findings, value: &Value, at: Place<'_>) {
    let Some(url) = value.as_str() else {
        out.value(&at, "style.not-text", value);
        return;
    };
    for token in ["{fontstack}", "{range}"] {
        if !url.contains(token) {
            out.add(&at, "style.glyphs-token", vec![("token", token.to_owned())]);
        }
    }
}

/// An address, or a list of addresses with ids.
fn sprite(out: &mut Findings, value: &Value, at: Place<'_>) {
    let Some(sprites) = value.as_array() else {
        text(out, value, at);
        return;
    };
    for member in ["id", "url"] {
        let mut seen = std::collections::HashSet::new();
        for (index, sprite) in sprites.iter().enumerate() {
            let name = sprite
                .get(member)
                .and_then(Value::as_str)
                .filter(|n| !n.is_empty());
            if let Some(name) = name
                && !seen.insert(name)
            {
                let at = at.index(index);
                out.add(
                    &at.key(member),
                    "style.sprite-twice",
                    vec![("value", findings::shorten(name))],
                );
            }
        }
    }
    for (index, sprite) in sprites.iter().enumerate() {
        pair(out, sprite, at.index(index));
    }
}

fn pair(out: &mut Findings, sprite: &Value, at: Place<'_>) {
    let Some(members) = sprite.as_object() else {
        out.value(&at, "style.not-object", sprite);
        return;
    };
    for (name, value) in members {
        match stem(name) {
            "id" | "url" => text(out, value, at.key(name)),
            _ => out.add(
                &at.key(name),
                "style.unknown-property",
                vec![("name", name.clone())],
            ),
        }
    }
    for name in ["id", "url"] {
        if !members.contains_key(name) {
            out.add(&at, "style.missing", vec![("name", name.to_owned())]);
        }
    }
}

fn text(out: &mut Findings, value: &Value, at: Place<'_>) {
    if !value.is_string() {
        out.value(&at, "style.not-text", value);
    }
}

/// By the name of a font: its address, or a list of addresses with the characters that each has.
fn font_faces(out: &mut Findings, value: &Value, at: Place<'_>) {
    let Some(fonts) = value.as_object() else {
        out.value(&at, "style.not-object", value);
        return;
    };
    for (name, font) in fonts {
        let at = at.key(name);
        let Some(faces) = font.as_array() else {
            text(out, font, at);
            continue;
        };
        for (index, face) in faces.iter().enumerate() {
            font_face(out, face, at.index(index));
        }
    }
}

fn font_face(out: &mut Findings, face: &Value, at: Place<'_>) {
    let Some(members) = face.as_object() else {
        out.value(&at, "style.not-object", face);
        return;
    };
    for (name, value) in members {
        let at = at.key(name);
        match (stem(name), value) {
            ("url", value) => text(out, value, at),
            ("unicode-range", Value::Array(ranges)) => {
                for (index, range) in ranges.iter().enumerate() {
                    let at = at.index(index);
                    match range.as_str() {
                        None => out.value(&at, "style.not-text", range),
                        // Members with a suffix are not read, but they are of the same type.
                        Some(text) if name == "unicode-range" && !is_unicode_range(text) => {
                            out.value(&at, "style.unicode-range", range);
                        }
                        Some(_) => {}
                    }
                }
            }
            ("unicode-range", _) => out.value(&at, "style.not-list", value),
            _ => out.add(&at, "style.unknown-property", vec![("name", name.clone())]),
        }
    }
    if !members.contains_key("url") {
        out.add(&at, "style.missing", vec![("name", "url".to_owned())]);
    }
}

/// `U+26`, `U+0-7F` or `U+4??`, by the CSS descriptor of the same name.
fn is_unicode_range(text: &str) -> bool {
    const LAST: u32 = 0x0010_FFFF;
    let Some(digits) = text
        .get(2..)
        .filter(|_| text.get(..2).is_some_and(|p| p.eq_ignore_ascii_case("u+")))
    else {
        return false;
    };
    let read = |digits: &str| {
        let hex = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    if digits.ends_with('?') {
        let fixed = digits.trim_end_matches('?');
        return digits.len() <= 6 && fixed.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let (first, last) = digits.split_once('-').unwrap_or((digits, digits));
    read(first)
        .zip(read(last))
        .is_some_and(|(first, last)| first <= last && last <= LAST)
}

#[cfg(test)]
mod tests;
