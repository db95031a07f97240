//! Operators with a grammar of their own: comparisons, types, decisions and variables.

use std::collections::HashMap;

use serde_json::Value;

use super::curves;
use super::expression::{Annotate, Here, Parsed, Scope, count, folded, mismatch, parse as part};
use super::findings::Findings;
use super::fold::{self, Const};
use super::lists;
use super::options;
use super::types::Type;

/// The greatest number up to which each whole number is exact in JavaScript.
const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

pub(super) fn parse<'v>(
    out: &mut Findings,
    name: &str,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    match name {
        "==" | "!=" | "<" | ">" | "<=" | ">=" => comparison(out, name, items, here),
        "array" | "boolean" | "number" | "object" | "string" => assertion(out, name, items, here),
        "to-boolean" | "to-color" | "to-number" | "to-string" => coercion(out, name, items, here),
        "case" => case(out, items, here),
        "match" => matches(out, items, here),
        "coalesce" => coalesce(out, items, here),
        "let" => bind(out, items, here),
        "var" => variable(out, items, here),
        "literal" => lists::literal(out, items, here),
        "semiliteral" => lists::semiliteral(out, items, here),
        "at" => lists::at(out, items, here),
        "in" | "index-of" => lists::search(out, name, items, here),
        "slice" => lists::slice(out, items, here),
        "length" => lists::length(out, items, here),
        "step" => curves::step(out, items, here),
        "interpolate" | "interpolate-hcl" | "interpolate-lab" => {
            curves::interpolate(out, name, items, here)
        }
        _ => options::parse(out, name, items, here),
    }
}

/// The type that all outputs take: the expected one, unless anything may come.
pub(super) fn outputs(here: Here<'_, '_>) -> Option<Type> {
    here.expected.filter(|e| **e != Type::Any).cloned()
}

/// The values of children of which each is a literal.
pub(super) fn constants<'v>(children: &[Parsed<'v>]) -> Option<Vec<Const<'v>>> {
    let value = |c: &Parsed<'v>| c.is_literal().then(|| c.value.clone()).flatten();
    children.iter().map(value).collect()
}

fn comparison<'v>(
    out: &mut Findings,
    name: &str,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let (Some(left), Some(right), collator) = (items.get(1), items.get(2), items.get(3)) else {
        count(out, items, here, "2–3");
        return None;
    };
    if items.len() > 4 {
        count(out, items, here, "2–3");
        return None;
    }
    let order = !matches!(name, "==" | "!=");
    let mut sides = Vec::with_capacity(3);
    for (index, side) in [(1, left), (2, right)] {
        let inner = here.argument(index, Some(&Type::Any));
        let parsed = part(out, side, inner, Annotate::Yes)?;
        let fits = match parsed.kind {
            Type::Text | Type::Number | Type::Any => true,
            Type::Boolean | Type::Null => !order,
            _ => false,
        };
        if !fits {
            let values = vec![
                ("operator", name.to_owned()),
                ("found", parsed.kind.to_string()),
            ];
            out.add(&inner.at, "style.expression-compare", values);
            return None;
        }
        sides.push(parsed);
    }
    let [left, right] = sides.as_slice() else {
        return None;
    };
    let untyped = |kind: &Type| *kind == Type::Any;
    if !left.kind.alike(&right.kind) && !untyped(&left.kind) && !untyped(&right.kind) {
        mismatch(out, &here.at.index(2), &left.kind, &right.kind);
        return None;
    }
    let open = untyped(&left.kind) || untyped(&right.kind);
    // With one open side map programs assert its type when they draw, and not before.
    let later = collator.is_some() || order && untyped(&left.kind) != untyped(&right.kind);
    let value = match (&left.value, &right.value) {
        (Some(a), Some(b)) if !later => Some(fold::compare(name, a, b, open)),
        _ => None,
    };
    if let Some(collator) = collator {
        let text = |kind: &Type| untyped(kind) || *kind == Type::Text;
        if !text(&left.kind) && !text(&right.kind) {
            mismatch(out, &here.at.index(1), &Type::Text, &left.kind);
            return None;
        }
        let inner = here.argument(3, Some(&Type::Collator));
        let collator = part(out, collator, inner, Annotate::Yes)?;
        sides.push(collator);
    }
    let mut parsed = Parsed::over(Type::Boolean, &sides);
    parsed.defined = true;
    folded(out, parsed, value, name, here)
}

fn assertion<'v>(
    out: &mut Findings,
    name: &str,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    if items.len() < 2 {
        count(out, items, here, "1+");
        return None;
    }
    let mut first = 1;
    let kind = if name == "array" {
        let mut of = Type::Any;
        let mut length = None;
        if let [_, named, _, ..] = items {
            first = 2;
            of = match named.as_str() {
                Some("string") => Type::Text,
                Some("number") => Type::Number,
                Some("boolean") => Type::Boolean,
                _ => {
                    let known = "string, number, boolean".to_owned();
                    let values = vec![("value", super::findings::shown(named)), ("known", known)];
                    out.add(&here.at.index(1), "style.not-one-of", values);
                    return None;
                }
            };
        }
        if let [_, _, given, _, ..] = items {
            first = 3;
            let whole = given.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0);
            if !given.is_null() && whole.is_none() {
                out.value(&here.at.index(2), "style.expression-length", given);
                return None;
            }
            // A length that no list has is still a length.
            length = whole.map(|_| {
                given
                    .as_u64()
                    .and_then(|n| usize::try_from(n).ok())
                    .unwrap_or(usize::MAX)
            });
        }
        Type::list(of, length)
    } else {
        Type::named(name)?
    };
    let children = rest(out, items, first, here)?;
    let values: Option<Vec<Const<'v>>> = children.iter().map(|c| c.value.clone()).collect();
    let value = values.map(|v| fold::assert(&kind, &v));
    let mut parsed = Parsed::over(kind, &children);
    parsed.defined = children.iter().all(|c| c.defined);
    folded(out, parsed, value, name, here)
}

fn rest<'v>(
    out: &mut Findings,
    items: &'v [Value],
    first: usize,
    here: Here<'_, 'v>,
) -> Option<Vec<Parsed<'v>>> {
    let mut children = Vec::new();
    for (index, item) in items.iter().enumerate().skip(first) {
        children.push(part(
            out,
            item,
            here.argument(index, Some(&Type::Any)),
            Annotate::Yes,
        )?);
    }
    Some(children)
}

fn coercion<'v>(
    out: &mut Findings,
    name: &str,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let (kind, single) = match name {
        "to-boolean" => (Type::Boolean, true),
        "to-string" => (Type::Text, true),
        "to-color" => (Type::Colour, false),
        _ => (Type::Number, false),
    };
    if items.len() < 2 || single && items.len() > 2 {
        count(out, items, here, if single { "1" } else { "1+" });
        return None;
    }
    let children = rest(out, items, 1, here)?;
    let values: Option<Vec<Const<'v>>> = children.iter().map(|c| c.value.clone()).collect();
    let value = values.map(|v| fold::coerce(&kind, &v));
    let mut parsed = Parsed::over(kind, &children);
    parsed.defined = children.iter().all(|c| c.defined);
    folded(out, parsed, value, name, here)
}

fn case<'v>(out: &mut Findings, items: &'v [Value], here: Here<'_, 'v>) -> Option<Parsed<'v>> {
    if items.len() < 4 || !items.len().is_multiple_of(2) {
        count(out, items, here, "3, 5, 7…");
        return None;
    }
    let mut kind = outputs(here);
    let mut tests = Vec::new();
    let mut results = Vec::new();
    let last = items.len() - 1;
    for (index, item) in items.iter().enumerate().skip(1) {
        if index % 2 == 1 && index != last {
            tests.push(part(
                out,
                item,
                here.argument(index, Some(&Type::Boolean)),
                Annotate::Yes,
            )?);
            continue;
        }
        let result = part(
            out,
            item,
            here.argument(index, kind.as_ref()),
            Annotate::Yes,
        )?;
        kind.get_or_insert_with(|| result.kind.clone());
        results.push(result);
    }
    let value = constants(&tests)
        .zip(constants(&results))
        .map(|(tests, results)| {
            let unknown = tests.iter().any(|t| matches!(t, Const::Unknown));
            let chosen = tests.iter().position(|t| matches!(t, Const::Boolean(true)));
            let chosen = results.into_iter().nth(chosen.unwrap_or(tests.len()));
            Ok(chosen.filter(|_| !unknown).unwrap_or(Const::Unknown))
        });
    let mut parsed = Parsed::over(kind?, tests.iter().chain(&results));
    parsed.defined = results.iter().all(|r| r.defined);
    folded(out, parsed, value, "case", here)
}

fn matches<'v>(out: &mut Findings, items: &'v [Value], here: Here<'_, 'v>) -> Option<Parsed<'v>> {
    let [_, input, arms @ .., otherwise] = items else {
        count(out, items, here, "4, 6, 8…");
        return None;
    };
    if arms.is_empty() || arms.len() % 2 != 0 {
        count(out, items, here, "4, 6, 8…");
        return None;
    }
    let mut kind = outputs(here);
    let mut labels = Labels::default();
    let mut results = Vec::new();
    for (pair, arm) in arms.chunks(2).enumerate() {
        let [label, result] = arm else { continue };
        let index = 2 + pair * 2;
        labels.add(out, label, results.len(), here.argument(index, None))?;
        let result = part(
            out,
            result,
            here.argument(index + 1, kind.as_ref()),
            Annotate::Yes,
        )?;
        kind.get_or_insert_with(|| result.kind.clone());
        results.push(result);
    }
    let asked = here.argument(1, Some(&Type::Any));
    let input = part(out, input, asked, Annotate::Yes)?;
    let inner = here.argument(items.len() - 1, kind.as_ref());
    results.push(part(out, otherwise, inner, Annotate::Yes)?);
    let of = labels.kind.clone()?;
    if input.kind != Type::Any && !of.accepts(&input.kind) {
        mismatch(out, &asked.at, &of, &input.kind);
        return None;
    }
    let value = input
        .value
        .as_ref()
        .filter(|_| input.is_literal())
        .zip(constants(&results));
    let value = value.map(|(input, results)| {
        let label = match input {
            Const::Text(text) if of == Type::Text => Some(text.to_string()),
            Const::Number(n) if of == Type::Number => Some(n.to_string()),
            Const::Unknown => return Ok(Const::Unknown),
            _ => None,
        };
        let chosen = label
            .and_then(|l| labels.seen.get(&l).copied())
            .unwrap_or(results.len() - 1);
        Ok(results.into_iter().nth(chosen).unwrap_or(Const::Unknown))
    });
    let mut parsed = Parsed::over(kind?, results.iter().chain([&input]));
    parsed.defined = results.iter().all(|r| r.defined);
    folded(out, parsed, value, "match", here)
}

/// Labels of a `match`, all texts or all whole numbers.
#[derive(Default)]
struct Labels {
    kind: Option<Type>,
    seen: HashMap<String, usize>,
}

impl Labels {
    fn add(
        &mut self,
        out: &mut Findings,
        label: &Value,
        arm: usize,
        here: Here<'_, '_>,
    ) -> Option<()> {
        let labels = match label {
            Value::Array(labels) => labels.as_slice(),
            one => std::slice::from_ref(one),
        };
        if labels.is_empty() {
            out.add(&here.at, "style.match-empty", Vec::new());
            return None;
        }
        for label in labels {
            let written = match label {
                Value::String(text) => text.clone(),
                Value::Number(n) => {
                    let n = n
                        .as_f64()
                        .filter(|n| n.fract() == 0.0 && n.abs() <= MAX_SAFE);
                    n.map(|n| n.to_string()).unwrap_or_default()
                }
                _ => String::new(),
            };
            if written.is_empty() && !label.is_string() {
                out.value(&here.at, "style.match-label", label);
                return None;
            }
            let kind = Type::of(label);
            let expected = self.kind.get_or_insert_with(|| kind.clone());
            if *expected != kind {
                mismatch(out, &here.at, expected, &kind);
                return None;
            }
            if self.seen.insert(written, arm).is_some() {
                out.value(&here.at, "style.match-twice", label);
                return None;
            }
        }
        Some(())
    }
}

fn coalesce<'v>(out: &mut Findings, items: &'v [Value], here: Here<'_, 'v>) -> Option<Parsed<'v>> {
    if items.len() < 2 {
        count(out, items, here, "1+");
        return None;
    }
    let mut kind = outputs(here);
    let mut children: Vec<Parsed<'v>> = Vec::new();
    for (index, item) in items.iter().enumerate().skip(1) {
        let child = part(
            out,
            item,
            here.argument(index, kind.as_ref()),
            Annotate::Omit,
        )?;
        kind.get_or_insert_with(|| child.kind.clone());
        children.push(child);
    }
    // The whole is turned into the expected type then, so that a null is passed over first.
    let open = here
        .expected
        .is_some_and(|e| children.iter().any(|c| !e.accepts(&c.kind)));
    let kind = if open { Type::Any } else { kind? };
    let value = constants(&children).map(|values| {
        let found = values.into_iter().find(|v| !matches!(v, Const::Null));
        Ok(found.unwrap_or(Const::Null))
    });
    let mut parsed = Parsed::over(kind, &children);
    // The first curve is the curve of the whole, as long as it is the only one.
    let curves = || {
        children
            .iter()
            .map(|c| c.curve)
            .skip_while(|c| *c == super::expression::Curve::None)
    };
    parsed.curve = curves().next().unwrap_or(parsed.curve);
    parsed.curve = curves()
        .skip(1)
        .fold(parsed.curve, super::expression::Curve::beside);
    parsed.defined = children.iter().all(|c| c.defined);
    folded(out, parsed, value, "coalesce", here)
}

fn bind<'v>(out: &mut Findings, items: &'v [Value], here: Here<'_, 'v>) -> Option<Parsed<'v>> {
    let [_, pairs @ .., result] = items else {
        return None;
    };
    if items.len() < 4 {
        count(out, items, here, "3, 5, 7…");
        return None;
    }
    let mut bindings: Vec<Parsed<'v>> = Vec::new();
    let mut names: HashMap<&'v str, usize> = HashMap::new();
    for (pair, named) in pairs.iter().enumerate().step_by(2) {
        let index = pair + 1;
        let named_well = |n: &&str| n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let Some(name) = named.as_str().filter(named_well) else {
            out.value(&here.at.index(index), "style.variable-name", named);
            return None;
        };
        // With an even number of arguments the last name takes the result, as map programs do it.
        let value = part(
            out,
            items.get(index + 1)?,
            here.argument(index + 1, None),
            Annotate::Yes,
        )?;
        names.insert(name, bindings.len());
        bindings.push(value);
    }
    let scope = Scope {
        up: here.scope,
        names: &names,
        bindings: &bindings,
    };
    let inner = Here {
        at: here.at.index(items.len() - 1),
        expected: here.expected,
        scope: Some(&scope),
    };
    let result = part(out, result, inner, Annotate::Yes)?;
    let mut parsed = Parsed::over(result.kind.clone(), &bindings);
    let bound = parsed.curve;
    parsed.depends.feature |= result.depends.feature;
    parsed.depends.state |= result.depends.state;
    parsed.depends.zoom |= result.depends.zoom;
    parsed.curve = match bound {
        super::expression::Curve::None => result.curve,
        _ => super::expression::Curve::Nested,
    };
    parsed.defined = result.defined;
    let constant = bindings.iter().all(Parsed::is_literal) && result.is_literal();
    parsed.value = result.value.filter(|_| constant);
    Some(parsed)
}

fn variable<'v>(out: &mut Findings, items: &'v [Value], here: Here<'_, 'v>) -> Option<Parsed<'v>> {
    let [_, Value::String(name)] = items else {
        count(out, items, here, "1");
        return None;
    };
    let Some(bound) = here.variable(name) else {
        out.add(
            &here.at.index(1),
            "style.variable-unknown",
            vec![("name", super::findings::shorten(name))],
        );
        return None;
    };
    // A long list is looked at again at each place where it stands.
    if let Some(Const::Data(Value::Array(items))) = &bound.value
        && !out.charge(items.len())
    {
        return None;
    }
    // What it depends on is told by the `let` itself.
    let mut parsed = Parsed::over(bound.kind.clone(), []);
    parsed.value.clone_from(&bound.value);
    Some(parsed)
}
