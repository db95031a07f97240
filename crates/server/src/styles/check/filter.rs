//! Filters, as expressions and in the form from before them.

use serde_json::Value;

use super::expression::{Annotate, Here, parse};
use super::findings::{Findings, shown};
use super::place::Place;
use super::{property, reference};

/// Which of the two forms a filter is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Expression,
    Legacy,
    /// Both forms read it alike.
    Either,
}

pub(super) fn check(out: &mut Findings, value: &Value, at: Place<'_>) {
    if form(value) == Form::Legacy {
        legacy(out, value, at);
        return;
    }
    mixed(out, value, at);
    let Some(parsed) = parse(out, value, Here::root(at, None), Annotate::Yes) else {
        return;
    };
    if parsed.depends.state {
        out.add(&at, "style.state-filter", Vec::new());
    }
}

fn form(filter: &Value) -> Form {
    if filter.is_boolean() {
        return Form::Either;
    }
    let Some([operator, arguments @ ..]) = filter.as_array().map(Vec::as_slice) else {
        return Form::Legacy;
    };
    let either = |expression: bool| {
        if expression {
            Form::Expression
        } else {
            Form::Legacy
        }
    };
    match operator.as_str().unwrap_or_default() {
        "has" => match arguments {
            [] => Form::Legacy,
            [name, ..] if matches!(name.as_str(), Some("$id" | "$type")) => Form::Legacy,
            [_] => Form::Either,
            _ => Form::Expression,
        },
        "in" => match arguments {
            [needle, haystack, ..] => either(!needle.is_string() || haystack.is_array()),
            _ => Form::Legacy,
        },
        "!in" | "!has" | "none" => Form::Legacy,
        "==" | "!=" | ">" | ">=" | "<" | "<=" => match arguments {
            [left, right] => either(left.is_array() || right.is_array()),
            _ => Form::Expression,
        },
        "any" | "all" => {
            let mut found = Form::Either;
            for argument in arguments {
                match form(argument) {
                    Form::Expression => return Form::Expression,
                    Form::Legacy => found = Form::Legacy,
                    Form::Either => {}
                }
            }
            found
        }
        _ => Form::Expression,
    }
}

/// Tells of the first part in the old form: it means something else in an expression.
fn mixed(out: &mut Findings, filter: &Value, at: Place<'_>) -> bool {
    let Some([operator, arguments @ ..]) = filter.as_array().map(Vec::as_slice) else {
        return false;
    };
    let tested = |index: usize| match operator.as_str() {
        Some("all" | "any" | "none") => true,
        Some("!") => index == 0,
        Some("case") => index.is_multiple_of(2) && index + 1 < arguments.len(),
        _ => false,
    };
    for (index, argument) in arguments.iter().enumerate() {
        if !argument.is_array() || !tested(index) {
            continue;
        }
        let at = at.index(index + 1);
        if form(argument) == Form::Legacy {
            out.value(&at, "style.filter-mixed", argument);
            return true;
        }
        if mixed(out, argument, at) {
            return true;
        }
    }
    false
}

fn legacy(out: &mut Findings, filter: &Value, at: Place<'_>) {
    let Some(items) = filter.as_array() else {
        out.value(&at, "style.not-list", filter);
        return;
    };
    let [operator, arguments @ ..] = items.as_slice() else {
        out.add(&at, "style.list-empty", Vec::new());
        return;
    };
    let known = reference::property("filter_operator", "values").and_then(Value::as_object);
    let name = operator.as_str().unwrap_or_default();
    if !known.is_some_and(|k| k.contains_key(name)) {
        let names = known.into_iter().flatten().map(|(n, _)| n.as_str());
        property::not_one_of(out, operator, names, at.index(0));
        return;
    }
    let count = |out: &mut Findings, expected: usize| {
        if arguments.len() != expected {
            let values = vec![
                ("operator", name.to_owned()),
                ("expected", expected.to_string()),
                ("found", arguments.len().to_string()),
            ];
            out.add(&at, "style.expression-arguments", values);
        }
    };
    match name {
        "any" | "all" | "none" => {
            for (index, argument) in arguments.iter().enumerate() {
                legacy(out, argument, at.index(index + 1));
            }
        }
        "has" | "!has" => {
            count(out, 1);
            if let [name] = arguments {
                super::text(out, name, at.index(1));
            }
        }
        _ => {
            let by_type = arguments.first().and_then(Value::as_str) == Some("$type");
            if by_type && name.starts_with(['<', '>']) {
                out.add(
                    &at,
                    "style.filter-type-order",
                    vec![("operator", name.to_owned())],
                );
            }
            if !name.ends_with("in") {
                count(out, 2);
            }
            compared(out, arguments, by_type, at);
        }
    }
}

/// A property and the values that it is compared with.
fn compared(out: &mut Findings, arguments: &[Value], by_type: bool, at: Place<'_>) {
    let types = reference::property("geometry_type", "values").and_then(Value::as_object);
    for (index, argument) in arguments.iter().enumerate() {
        let at = at.index(index + 1);
        if index == 0 {
            super::text(out, argument, at);
        } else if by_type {
            if !argument
                .as_str()
                .is_some_and(|t| types.is_some_and(|k| k.contains_key(t)))
            {
                let names = types.into_iter().flatten().map(|(n, _)| n.as_str());
                property::not_one_of(out, argument, names, at);
            }
        } else if matches!(argument, Value::Null | Value::Array(_) | Value::Object(_)) {
            out.add(&at, "style.filter-value", vec![("value", shown(argument))]);
        }
    }
}
