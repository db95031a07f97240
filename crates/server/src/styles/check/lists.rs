//! Lists and texts: literals, and what is taken from them.

use serde_json::Value;

use super::expression::{Annotate, Here, Parsed, count, folded, mismatch, only, parse as part};
use super::findings::Findings;
use super::fold::{self, Const};
use super::forms::constants;
use super::types::Type;

pub(super) fn literal<'v>(
    out: &mut Findings,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let value = only(out, items, here)?;
    let mut kind = Type::of(value);
    if let (Type::List(_, Some(0)), Some(expected @ Type::List(_, None | Some(0)))) =
        (&kind, here.expected)
    {
        kind = expected.clone();
    }
    Some(Parsed::literal(kind, Const::of(value)))
}

pub(super) fn semiliteral<'v>(
    out: &mut Findings,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let value = only(out, items, here)?;
    let Value::Array(members) = value else {
        return Some(Parsed::literal(Type::of(value), Const::of(value)));
    };
    let inner = here.argument(1, None);
    let mut children = Vec::new();
    for (index, member) in members.iter().enumerate() {
        children.push(part(
            out,
            member,
            inner.argument(index, Some(&Type::Any)),
            Annotate::Yes,
        )?);
    }
    let of = Type::common(children.iter().map(|c| c.kind.clone()));
    let mut parsed = Parsed::over(Type::list(of, Some(children.len())), &children);
    parsed.defined = children.iter().all(|c| c.defined);
    parsed.value = constants(&children).map(Const::list);
    Some(parsed)
}

pub(super) fn at<'v>(
    out: &mut Findings,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let [_, index, list] = items else {
        count(out, items, here, "2");
        return None;
    };
    let expected = Type::list(here.expected.cloned().unwrap_or(Type::Any), None);
    let index = part(
        out,
        index,
        here.argument(1, Some(&Type::Number)),
        Annotate::Yes,
    );
    let list = part(out, list, here.argument(2, Some(&expected)), Annotate::Yes);
    let (index, list) = index.zip(list)?;
    let kind = match &list.kind {
        Type::List(of, _) => (**of).clone(),
        _ => Type::Any,
    };
    let children = [index, list];
    let value = match constants(&children).as_deref() {
        Some([index, list]) => Some(fold::at(index, list)),
        _ => None,
    };
    folded(out, Parsed::over(kind, &children), value, "at", here)
}

pub(super) fn search<'v>(
    out: &mut Findings,
    name: &str,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let most = if name == "in" { 3 } else { 4 };
    let (Some(needle), Some(haystack)) = (items.get(1), items.get(2)) else {
        count(out, items, here, if most == 3 { "2" } else { "2–3" });
        return None;
    };
    if items.len() > most {
        count(out, items, here, if most == 3 { "2" } else { "2–3" });
        return None;
    }
    let inner = here.argument(1, Some(&Type::Any));
    let needle = part(out, needle, inner, Annotate::Yes);
    let haystack = part(
        out,
        haystack,
        here.argument(2, Some(&Type::Any)),
        Annotate::Yes,
    );
    let (needle, haystack) = needle.zip(haystack)?;
    if !matches!(
        needle.kind,
        Type::Boolean | Type::Text | Type::Number | Type::Null | Type::Any
    ) {
        let values = vec![
            ("operator", name.to_owned()),
            ("found", needle.kind.to_string()),
        ];
        out.add(&inner.at, "style.expression-compare", values);
        return None;
    }
    let mut children = vec![needle, haystack];
    if let Some(from) = items.get(3) {
        children.push(part(
            out,
            from,
            here.argument(3, Some(&Type::Number)),
            Annotate::Yes,
        )?);
    }
    let value = match constants(&children).as_deref() {
        Some([needle, haystack, ..]) => Some(fold::search(name, needle, haystack)),
        _ => None,
    };
    let kind = if name == "in" {
        Type::Boolean
    } else {
        Type::Number
    };
    let mut parsed = Parsed::over(kind, &children);
    parsed.defined = name == "in";
    folded(out, parsed, value, name, here)
}

pub(super) fn slice<'v>(
    out: &mut Findings,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let (Some(input), Some(begin), true) = (items.get(1), items.get(2), items.len() <= 4) else {
        count(out, items, here, "2–3");
        return None;
    };
    let input = part(
        out,
        input,
        here.argument(1, Some(&Type::Any)),
        Annotate::Yes,
    );
    let begin = part(
        out,
        begin,
        here.argument(2, Some(&Type::Number)),
        Annotate::Yes,
    );
    let (input, begin) = input.zip(begin)?;
    sized(out, &input.kind, here)?;
    let kind = input.kind.clone();
    let mut children = vec![input, begin];
    if let Some(end) = items.get(3) {
        children.push(part(
            out,
            end,
            here.argument(3, Some(&Type::Number)),
            Annotate::Yes,
        )?);
    }
    let value = constants(&children).and_then(|c| Some(fold::measure("slice", c.first()?)));
    folded(out, Parsed::over(kind, &children), value, "slice", here)
}

pub(super) fn length<'v>(
    out: &mut Findings,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let input = only(out, items, here)?;
    let children = [part(out, input, here.argument(1, None), Annotate::Yes)?];
    let [input] = &children;
    sized(out, &input.kind, here)?;
    let value = constants(&children).and_then(|c| Some(fold::measure("length", c.first()?)));
    folded(
        out,
        Parsed::over(Type::Number, &children),
        value,
        "length",
        here,
    )
}

/// A text or a list.
fn sized(out: &mut Findings, kind: &Type, here: Here<'_, '_>) -> Option<()> {
    if matches!(kind, Type::Text | Type::Any | Type::List(..)) {
        return Some(());
    }
    let expected = Type::list(Type::Any, None);
    mismatch(out, &here.at.index(1), &expected, kind);
    None
}
