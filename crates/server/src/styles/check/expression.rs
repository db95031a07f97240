//! Expressions: their grammar and types. No tree is built; what a part tells about itself goes up in [`Parsed`].

use std::collections::HashMap;

use serde_json::Value;

use super::findings::{Findings, shown};
use super::fold::{self, Const, Fails};
use super::forms;
use super::place::Place;
use super::reference::{OPERATORS, is_operator};
use super::types::Type;

/// What an expression that was read tells about itself.
#[derive(Debug, Clone)]
pub(super) struct Parsed<'v> {
    pub(super) kind: Type,
    /// Of a constant expression.
    pub(super) value: Option<Const<'v>>,
    pub(super) depends: Depends,
    /// Each possible result is written out as a literal.
    pub(super) defined: bool,
    pub(super) curve: Curve,
}

/// What the value depends on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Depends {
    pub(super) feature: bool,
    pub(super) state: bool,
    pub(super) zoom: bool,
}

/// The `step` or `interpolate` over zoom in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    None,
    Step,
    Interpolate,
    /// It stands below something else.
    Nested,
    /// There is more than one.
    Several,
}

impl<'v> Parsed<'v> {
    pub(super) fn literal(kind: Type, value: Const<'v>) -> Self {
        Self {
            kind,
            value: Some(value),
            depends: Depends::default(),
            defined: true,
            curve: Curve::None,
        }
    }

    /// Of an operator over these children, not constant.
    pub(super) fn over<'p>(kind: Type, children: impl IntoIterator<Item = &'p Self>) -> Self
    where
        'v: 'p,
    {
        let mut out = Self {
            kind,
            value: None,
            depends: Depends::default(),
            defined: false,
            curve: Curve::None,
        };
        for child in children {
            out.depends.feature |= child.depends.feature;
            out.depends.state |= child.depends.state;
            out.depends.zoom |= child.depends.zoom;
            out.curve = out.curve.beside(child.curve);
        }
        out
    }

    /// Map programs put it down as a literal. Images stay as they are: which there are is known later.
    pub(super) fn is_literal(&self) -> bool {
        self.value.is_some() && self.kind != Type::Image
    }
}

impl Curve {
    /// With a child that has a curve of its own.
    pub(super) fn beside(self, child: Self) -> Self {
        match (self, child) {
            (own, Self::None) => own,
            (_, Self::Several) => Self::Several,
            (Self::None | Self::Nested, _) => Self::Nested,
            _ => Self::Several,
        }
    }
}

/// What is done with a value of unknown type where a certain one is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Annotate {
    Yes,
    /// `coalesce` does it for all of its arguments at once.
    Omit,
}

/// Variables of a `let`, and those around it.
pub(super) struct Scope<'a, 'v> {
    pub(super) up: Option<&'a Scope<'a, 'v>>,
    /// The last binding of each name.
    pub(super) names: &'a HashMap<&'v str, usize>,
    pub(super) bindings: &'a [Parsed<'v>],
}

impl<'v> Scope<'_, 'v> {
    fn get(&self, name: &str) -> Option<&Parsed<'v>> {
        let own = self.names.get(name).and_then(|i| self.bindings.get(*i));
        own.or_else(|| self.up?.get(name))
    }
}

/// The surroundings of a part.
#[derive(Clone, Copy)]
pub(super) struct Here<'a, 'v> {
    pub(super) at: Place<'a>,
    pub(super) expected: Option<&'a Type>,
    pub(super) scope: Option<&'a Scope<'a, 'v>>,
}

impl<'a, 'v> Here<'a, 'v> {
    pub(super) fn root(at: Place<'a>, expected: Option<&'a Type>) -> Self {
        Self {
            at,
            expected,
            scope: None,
        }
    }

    pub(super) fn argument(&'a self, index: usize, expected: Option<&'a Type>) -> Self {
        Self {
            at: self.at.index(index),
            expected,
            scope: self.scope,
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<&Parsed<'v>> {
        self.scope?.get(name)
    }
}

/// Reads an expression, or a literal in the place of one; `None` after a finding.
pub(super) fn parse<'v>(
    out: &mut Findings,
    value: &'v Value,
    here: Here<'_, 'v>,
    annotate: Annotate,
) -> Option<Parsed<'v>> {
    if !out.step() {
        return None;
    }
    let items = match value {
        Value::Array(items) => items,
        Value::Object(_) => {
            out.value(&here.at, "style.expression-object", value);
            return None;
        }
        _ => {
            let literal = Parsed::literal(Type::of(value), Const::of(value));
            return settle(out, literal, here, annotate);
        }
    };
    let Some(operator) = items.first() else {
        out.add(&here.at, "style.expression-empty", Vec::new());
        return None;
    };
    let Some(name) = operator.as_str() else {
        out.value(&here.at.index(0), "style.expression-name", operator);
        return None;
    };
    if !is_operator(name) {
        out.value(&here.at.index(0), "style.expression-unknown", operator);
        return None;
    }
    let parsed = if OPERATORS.contains_key(name) {
        plain(out, name, items, here)?
    } else {
        forms::parse(out, name, items, here)?
    };
    settle(out, parsed, here, annotate)
}

/// Fits a part to the type that is expected.
fn settle<'v>(
    out: &mut Findings,
    mut parsed: Parsed<'v>,
    here: Here<'_, 'v>,
    annotate: Annotate,
) -> Option<Parsed<'v>> {
    if let Some(expected) = here.expected {
        if let Some(coerce) = annotation(expected, &parsed.kind) {
            if annotate == Annotate::Yes {
                parsed = annotated(out, parsed, expected, coerce, here)?;
            }
        } else if !expected.accepts(&parsed.kind) {
            mismatch(out, &here.at, expected, &parsed.kind);
            return None;
        }
    }
    if parsed.is_literal() {
        let value = parsed.value.take()?;
        parsed = Parsed::literal(parsed.kind, value);
    }
    Some(parsed)
}

/// Whether a value of one type is turned into another where that one is expected: by a coercion (`true`) or by an
/// assertion that the data must keep (`false`).
fn annotation(expected: &Type, actual: &Type) -> Option<bool> {
    let any = *actual == Type::Any;
    let text = any || *actual == Type::Text;
    let list = any || matches!(actual, Type::List(..));
    match expected {
        Type::Text | Type::Number | Type::Boolean | Type::Object | Type::List(..) => {
            any.then_some(false)
        }
        Type::Projection | Type::Colours => (text || list).then_some(true),
        Type::Colour | Type::Formatted | Type::Image => text.then_some(true),
        Type::Padding | Type::Numbers => (list || *actual == Type::Number).then_some(true),
        Type::Anchors => list.then_some(true),
        _ => None,
    }
}

fn annotated<'v>(
    out: &mut Findings,
    parsed: Parsed<'v>,
    expected: &Type,
    coerce: bool,
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let mut wrapped = Parsed::over(expected.clone(), [&parsed]);
    wrapped.defined = parsed.defined;
    if let Some(value) = parsed.value {
        let values = [value];
        let folded = if coerce {
            fold::coerce(expected, &values)
        } else {
            fold::assert(expected, &values)
        };
        let Ok(value) = folded else {
            let [value] = values;
            let shown = match value {
                Const::Text(text) => super::findings::shorten(&text),
                Const::Data(value) => shown(value),
                other => other.kind().map(|k| k.to_string()).unwrap_or_default(),
            };
            out.add(
                &here.at,
                "style.expression-value",
                vec![("expected", expected.to_string()), ("value", shown)],
            );
            return None;
        };
        wrapped.value = Some(value);
    }
    Some(wrapped)
}

pub(super) fn mismatch(out: &mut Findings, at: &Place<'_>, expected: &Type, found: &Type) {
    out.add(
        at,
        "style.expression-type",
        vec![
            ("expected", expected.to_string()),
            ("found", found.to_string()),
        ],
    );
}

/// Puts the outcome of folding into a part.
pub(super) fn folded<'v>(
    out: &mut Findings,
    mut parsed: Parsed<'v>,
    value: Option<Result<Const<'v>, Fails>>,
    operator: &str,
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    match value {
        None => {}
        Some(Ok(value)) => parsed.value = Some(value),
        Some(Err(Fails)) => {
            out.add(
                &here.at,
                "style.expression-fails",
                vec![("operator", operator.to_owned())],
            );
            return None;
        }
    }
    Some(parsed)
}

/// A wrong number of arguments; `expected` is such as `2`, `1–3` or `3+`.
pub(super) fn count(out: &mut Findings, items: &[Value], here: Here<'_, '_>, expected: &str) {
    let operator = items.first().and_then(Value::as_str).unwrap_or_default();
    out.add(
        &here.at,
        "style.expression-arguments",
        vec![
            ("operator", operator.to_owned()),
            ("expected", expected.to_owned()),
            ("found", items.len().saturating_sub(1).to_string()),
        ],
    );
}

/// The argument of an operator that has one.
pub(super) fn only<'v>(
    out: &mut Findings,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<&'v Value> {
    let [_, argument] = items else {
        count(out, items, here, "1");
        return None;
    };
    Some(argument)
}

/// An operator with plain arguments, by the reference.
fn plain<'v>(
    out: &mut Findings,
    name: &str,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let operator = OPERATORS.get(name)?;
    let arguments = items.get(1..).unwrap_or_default();
    let overload = operator
        .overloads
        .iter()
        .find(|o| o.len() == arguments.len());
    if overload.is_none() && operator.variadic.is_none() {
        let counts: Vec<String> = operator
            .overloads
            .iter()
            .map(|o| o.len().to_string())
            .collect();
        count(out, items, here, &counts.join(", "));
        return None;
    }
    let mut children = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.iter().enumerate() {
        let expected = overload
            .and_then(|o| o.get(index))
            .or(operator.variadic.as_ref());
        children.push(parse(
            out,
            argument,
            here.argument(index + 1, expected),
            Annotate::Yes,
        )?);
    }
    let mut parsed = Parsed::over(operator.output.clone(), &children);
    let own_feature = matches!(name, "get" | "has") && children.len() == 1;
    let whole_feature = matches!(
        name,
        "properties" | "geometry-type" | "id" | "feature-state"
    );
    parsed.depends.feature |= own_feature || whole_feature || name.starts_with("filter-");
    parsed.depends.state |= name == "feature-state";
    parsed.depends.zoom |= name == "zoom";
    let varies = matches!(
        name,
        "error"
            | "zoom"
            | "heatmap-density"
            | "elevation"
            | "line-progress"
            | "accumulated"
            | "is-supported-script"
            | "resolved-locale"
    );
    let constant = !varies && !parsed.depends.feature && children.iter().all(Parsed::is_literal);
    let value = constant.then(|| {
        let values: Vec<Const<'v>> = children.into_iter().filter_map(|c| c.value).collect();
        fold::apply(name, &values)
    });
    folded(out, parsed, value, name, here)
}
