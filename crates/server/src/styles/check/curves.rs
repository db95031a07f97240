//! `step` and `interpolate`: outputs by a number, which is often the zoom.

use serde_json::Value;

use super::expression::{Annotate, Curve, Here, Parsed, count, folded, parse as part};
use super::findings::{Findings, shown};
use super::fold::Const;
use super::forms::{constants, outputs};
use super::types::Type;

pub(super) fn step<'v>(
    out: &mut Findings,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let [_, input, first, stops @ ..] = items else {
        count(out, items, here, "4, 6, 8…");
        return None;
    };
    if stops.is_empty() || stops.len() % 2 != 0 {
        count(out, items, here, "4, 6, 8…");
        return None;
    }
    let zoom = is_zoom(input);
    let input = part(
        out,
        input,
        here.argument(1, Some(&Type::Number)),
        Annotate::Yes,
    )?;
    let mut kind = outputs(here);
    let first = part(out, first, here.argument(2, kind.as_ref()), Annotate::Yes)?;
    kind.get_or_insert_with(|| first.kind.clone());
    let mut results = vec![first];
    let labels = read_stops(out, stops, 3, &mut kind, &mut results, here)?;
    let value = constants(std::slice::from_ref(&input)).zip(constants(&results));
    let value = value.map(|(input, results)| {
        let chosen = match input.as_slice() {
            [Const::Number(n)] => labels.iter().filter(|l| *l <= n).count(),
            _ => return Ok(Const::Unknown),
        };
        Ok(results.into_iter().nth(chosen).unwrap_or(Const::Unknown))
    });
    let mut parsed = Parsed::over(kind?, results.iter().chain([&input]));
    parsed.defined = results.iter().all(|r| r.defined);
    parsed.curve = curve(zoom, Curve::Step, parsed.curve);
    folded(out, parsed, value, "step", here)
}

pub(super) fn interpolate<'v>(
    out: &mut Findings,
    name: &str,
    items: &'v [Value],
    here: Here<'_, 'v>,
) -> Option<Parsed<'v>> {
    let given = items.get(1).unwrap_or(&Value::Null);
    if !is_interpolation(given) {
        out.add(
            &here.at.index(1),
            "style.interpolation",
            vec![("value", written(given))],
        );
        return None;
    }
    let [_, _, input, stops @ ..] = items else {
        count(out, items, here, "4, 6, 8…");
        return None;
    };
    if stops.is_empty() || stops.len() % 2 != 0 {
        count(out, items, here, "4, 6, 8…");
        return None;
    }
    let zoom = is_zoom(input);
    let input = part(
        out,
        input,
        here.argument(2, Some(&Type::Number)),
        Annotate::Yes,
    )?;
    let colours = name != "interpolate" && here.expected != Some(&Type::Colours);
    let mut kind = if colours {
        Some(Type::Colour)
    } else {
        outputs(here)
    };
    let mut results = Vec::new();
    read_stops(out, stops, 3, &mut kind, &mut results, here)?;
    let kind = kind?;
    if !kind.can_interpolate() {
        out.add(
            &here.at,
            "style.not-interpolatable",
            vec![("found", kind.to_string())],
        );
        return None;
    }
    let constant = input.is_literal() && results.iter().all(Parsed::is_literal);
    let mut parsed = Parsed::over(kind, results.iter().chain([&input]));
    parsed.defined = results.iter().all(|r| r.defined);
    parsed.curve = curve(zoom, Curve::Interpolate, parsed.curve);
    parsed.value = constant.then_some(Const::Unknown);
    Some(parsed)
}

/// Pairs of an ascending number and an output.
fn read_stops<'v>(
    out: &mut Findings,
    stops: &'v [Value],
    first: usize,
    kind: &mut Option<Type>,
    results: &mut Vec<Parsed<'v>>,
    here: Here<'_, 'v>,
) -> Option<Vec<f64>> {
    let mut labels: Vec<f64> = Vec::new();
    for (pair, stop) in stops.chunks(2).enumerate() {
        let [label, result] = stop else { continue };
        let index = first + pair * 2;
        let Some(number) = label.as_f64() else {
            out.value(&here.at.index(index), "style.stop-number", label);
            return None;
        };
        if labels.last().is_some_and(|last| *last >= number) {
            out.value(&here.at.index(index), "style.stop-order", label);
            return None;
        }
        labels.push(number);
        let parsed = part(
            out,
            result,
            here.argument(index + 1, kind.as_ref()),
            Annotate::Yes,
        )?;
        kind.get_or_insert_with(|| parsed.kind.clone());
        results.push(parsed);
    }
    Some(labels)
}

fn is_zoom(input: &Value) -> bool {
    let operator = input.as_array().and_then(|i| i.first());
    operator.and_then(Value::as_str) == Some("zoom")
}

/// Own curve over those of the outputs.
fn curve(zoom: bool, own: Curve, below: Curve) -> Curve {
    match (zoom, below) {
        (true, Curve::None) => own,
        (true, _) => Curve::Several,
        (false, below) => below,
    }
}

fn is_interpolation(value: &Value) -> bool {
    let Some([name, parameters @ ..]) = value.as_array().map(Vec::as_slice) else {
        return false;
    };
    match name.as_str() {
        Some("linear") => true,
        Some("exponential") => parameters.first().is_some_and(Value::is_number),
        Some("cubic-bezier") => {
            let within = |p: &Value| p.as_f64().is_some_and(|n| (0.0..=1.0).contains(&n));
            parameters.len() == 4 && parameters.iter().all(within)
        }
        _ => false,
    }
}

fn written(value: &Value) -> String {
    shown(value)
}
