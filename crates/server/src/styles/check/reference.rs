//! The reference of the style specification, as its own repository publishes it.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::types::Type;

/// `src/reference/v8.json` of the npm package `@maplibre/maplibre-gl-style-spec` 26.6.0, unchanged. Its
/// `package.json` says ISC and its licence file is BSD-3-Clause: that file lies beside it and goes into the notices. The tests show that it is JSON, so the empty reference never comes to use.
static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../v8.json")).unwrap_or(Value::Null));

/// Operators with plain arguments, by name.
pub(super) static OPERATORS: LazyLock<HashMap<&'static str, Operator>> = LazyLock::new(operators);

/// Whose arguments have a grammar of their own, see [`super::forms`].
pub(super) const FORMS: [&str; 36] = [
    "==",
    "!=",
    ">",
    "<",
    ">=",
    "<=",
    "array",
    "at",
    "boolean",
    "case",
    "coalesce",
    "collator",
    "distance",
    "format",
    "global-state",
    "image",
    "in",
    "index-of",
    "interpolate",
    "interpolate-hcl",
    "interpolate-lab",
    "length",
    "let",
    "literal",
    "match",
    "number",
    "number-format",
    "object",
    "semiliteral",
    "slice",
    "step",
    "string",
    "to-boolean",
    "to-color",
    "to-number",
    "to-string",
];
const MORE_FORMS: [&str; 2] = ["var", "within"];

/// What legacy filters are turned into by map programs; not in the reference, but understood in a style.
const INNER: [(&str, &[&str]); 20] = [
    ("filter-==", &["string", "any"]),
    ("filter-id-==", &["any"]),
    ("filter-type-==", &["string"]),
    ("filter-<", &["string", "any"]),
    ("filter-id-<", &["any"]),
    ("filter->", &["string", "any"]),
    ("filter-id->", &["any"]),
    ("filter-<=", &["string", "any"]),
    ("filter-id-<=", &["any"]),
    ("filter->=", &["string", "any"]),
    ("filter-id->=", &["any"]),
    ("filter-has", &["any"]),
    ("filter-has-id", &[]),
    ("filter-type-in", &["array<string>"]),
    ("filter-id-in", &["array"]),
    ("filter-in-small", &["string", "array"]),
    ("filter-in-large", &["string", "array"]),
    ("error", &["string"]),
    ("typeof", &["any"]),
    ("join", &["array<string>", "string"]),
];

/// Arguments and result of an operator.
#[derive(Debug)]
pub(super) struct Operator {
    /// Each with another number of arguments.
    pub(super) overloads: Vec<Vec<Type>>,
    /// Type of each of any number of arguments.
    pub(super) variadic: Option<Type>,
    pub(super) output: Type,
}

/// A part of the reference, such as `paint_fill`.
pub(super) fn part(name: &str) -> Option<&'static Map<String, Value>> {
    REFERENCE.get(name)?.as_object()
}

pub(super) fn property(part_name: &str, name: &str) -> Option<&'static Value> {
    part(part_name)?.get(name)
}

pub(super) fn is_operator(name: &str) -> bool {
    FORMS.contains(&name) || MORE_FORMS.contains(&name) || OPERATORS.contains_key(name)
}

/// Whether the value is to be read as an expression, as map programs tell it.
pub(super) fn is_expression(value: &Value) -> bool {
    let operator = value
        .as_array()
        .and_then(|items| items.first())
        .and_then(Value::as_str);
    operator.is_some_and(is_operator)
}

fn operators() -> HashMap<&'static str, Operator> {
    let listed = property("expression_name", "values").and_then(Value::as_object);
    let mut out: HashMap<&'static str, Operator> = listed
        .into_iter()
        .flatten()
        .filter(|(name, _)| !FORMS.contains(&name.as_str()) && !MORE_FORMS.contains(&name.as_str()))
        .filter_map(|(name, entry)| Some((name.as_str(), operator(entry.get("syntax")?)?)))
        .collect();
    for (name, arguments) in INNER {
        let output = match name {
            "error" => Type::Error,
            "typeof" | "join" => Type::Text,
            _ => Type::Boolean,
        };
        let arguments = arguments.iter().filter_map(|a| Type::named(a)).collect();
        out.insert(
            name,
            Operator {
                overloads: vec![arguments],
                variadic: None,
                output,
            },
        );
    }
    if let Some(to_rgba) = out.get_mut("to-rgba") {
        to_rgba.output = Type::list(Type::Number, Some(4));
    }
    out
}

fn operator(syntax: &'static Value) -> Option<Operator> {
    let parameters = syntax.get("parameters").and_then(Value::as_array);
    let typed = |name: &str| {
        let found = parameters?
            .iter()
            .find(|p| p.get("name").and_then(Value::as_str) == Some(name))?;
        Type::named(found.get("type")?.as_str()?)
    };
    let mut out = Operator {
        overloads: Vec::new(),
        variadic: None,
        output: Type::Any,
    };
    for overload in syntax.get("overloads")?.as_array()? {
        out.output = Type::named(overload.get("output-type")?.as_str()?)?;
        let names: Vec<&str> = overload
            .get("parameters")?
            .as_array()?
            .iter()
            .filter_map(Value::as_str)
            .collect();
        if names.contains(&"...") {
            // `input_1, …, input_n` are described once, as `input_i`.
            let stem = names.first()?.trim_end_matches('1');
            out.variadic = Some(typed(&format!("{stem}i"))?);
            continue;
        }
        let mut types = Vec::new();
        for name in names {
            let optional = name.strip_suffix('?');
            if optional.is_some() {
                out.overloads.push(types.clone());
            }
            types.push(typed(optional.unwrap_or(name))?);
        }
        out.overloads.push(types);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_of_the_reference_is_known() {
        let listed = property("expression_name", "values")
            .and_then(Value::as_object)
            .unwrap();
        assert!(listed.len() > 80, "{}", listed.len());
        for name in listed.keys() {
            assert!(is_operator(name), "{name}");
        }
    }

    #[test]
    fn arguments_are_those_of_the_reference() {
        assert_eq!(OPERATORS["sin"].overloads, [[Type::Number]]);
        assert_eq!(
            OPERATORS["get"].overloads,
            [vec![Type::Text], vec![Type::Text, Type::Object]]
        );
        assert_eq!(OPERATORS["-"].overloads.len(), 2);
        assert_eq!(OPERATORS["concat"].variadic, Some(Type::Any));
        assert_eq!(OPERATORS["+"].variadic, Some(Type::Number));
        assert_eq!(OPERATORS["rgba"].output, Type::Colour);
        assert_eq!(OPERATORS["pi"].overloads, [Vec::<Type>::new()]);
        assert_eq!(OPERATORS["split"].output, Type::list(Type::Text, None));
    }
}
