//! The functions that filters may call (OGC 21-065r2 §7.11).

use std::cmp::Ordering;

use super::compare::{Scalar, compare};
use super::eval::real;
use super::{Row, Term};
use crate::Message;
use crate::datetime::civil;

/// A function of filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    pub name: &'static str,
    pub arguments: &'static [Argument],
    /// Whether the last argument may be given more than once.
    pub repeats: bool,
    /// The types of what it gives; with several it gives the type of its arguments.
    pub results: &'static [ValueType],
    pub(super) id: Id,
    description: &'static str,
}

/// An argument of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    pub name: &'static str,
    pub types: &'static [ValueType],
    pub optional: bool,
}

/// A type of filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    Boolean,
    /// Whole or not.
    Number,
    Text,
    Date,
    DateTime,
    Geometry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    Upper,
    Lower,
    Trim,
    CharLength,
    Concat,
    Substr,
    Abs,
    Floor,
    Ceil,
    Round,
    Sqrt,
    Min,
    Max,
    Year,
    Month,
    Day,
    Area,
    Length,
    Coalesce,
}

impl Function {
    /// What it does, for people.
    pub fn description(&self) -> Message {
        Message::new(self.description)
    }

    /// The fewest arguments.
    pub fn least(&self) -> usize {
        self.arguments.iter().filter(|a| !a.optional).count()
    }

    /// The argument at a place; `None` behind the last.
    pub(super) fn argument(&self, index: usize) -> Option<&'static Argument> {
        let last = self.arguments.last().filter(|_| self.repeats);
        self.arguments.get(index).or(last)
    }
}

/// All that there are.
pub fn functions() -> &'static [Function] {
    &FUNCTIONS
}

pub(super) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|f| f.name.eq_ignore_ascii_case(name))
}

const fn argument(name: &'static str, types: &'static [ValueType]) -> Argument {
    Argument {
        name,
        types,
        optional: false,
    }
}

const TEXT: &[ValueType] = &[ValueType::Text];
const NUMBER: &[ValueType] = &[ValueType::Number];
const TIME: &[ValueType] = &[ValueType::Date, ValueType::DateTime];
const SCALAR: &[ValueType] = &[
    ValueType::Boolean,
    ValueType::Number,
    ValueType::Text,
    ValueType::Date,
    ValueType::DateTime,
];

const ONE_TEXT: &[Argument] = &[argument("text", TEXT)];
const ONE_NUMBER: &[Argument] = &[argument("number", NUMBER)];
const ONE_TIME: &[Argument] = &[argument("time", TIME)];
const GEOMETRY: &[Argument] = &[argument("geometry", &[ValueType::Geometry])];
const PART: &[Argument] = &[
    argument("text", TEXT),
    argument("start", NUMBER),
    Argument {
        name: "length",
        types: NUMBER,
        optional: true,
    },
];

const fn of(
    id: Id,
    name: &'static str,
    arguments: &'static [Argument],
    results: &'static [ValueType],
    description: &'static str,
) -> Function {
    Function {
        name,
        arguments,
        repeats: matches!(id, Id::Concat | Id::Min | Id::Max | Id::Coalesce),
        results,
        id,
        description,
    }
}

#[rustfmt::skip]
static FUNCTIONS: [Function; 19] = [
    of(Id::Upper, "upper", ONE_TEXT, TEXT, "model.function-upper"),
    of(Id::Lower, "lower", ONE_TEXT, TEXT, "model.function-lower"),
    of(Id::Trim, "trim", ONE_TEXT, TEXT, "model.function-trim"),
    of(Id::CharLength, "char_length", ONE_TEXT, NUMBER, "model.function-char-length"),
    of(Id::Concat, "concat", ONE_TEXT, TEXT, "model.function-concat"),
    of(Id::Substr, "substr", PART, TEXT, "model.function-substr"),
    of(Id::Abs, "abs", ONE_NUMBER, NUMBER, "model.function-abs"),
    of(Id::Floor, "floor", ONE_NUMBER, NUMBER, "model.function-floor"),
    of(Id::Ceil, "ceil", ONE_NUMBER, NUMBER, "model.function-ceil"),
    of(Id::Round, "round", ONE_NUMBER, NUMBER, "model.function-round"),
    of(Id::Sqrt, "sqrt", ONE_NUMBER, NUMBER, "model.function-sqrt"),
    of(Id::Min, "min", ONE_NUMBER, NUMBER, "model.function-min"),
    of(Id::Max, "max", ONE_NUMBER, NUMBER, "model.function-max"),
    of(Id::Year, "year", ONE_TIME, NUMBER, "model.function-year"),
    of(Id::Month, "month", ONE_TIME, NUMBER, "model.function-month"),
    of(Id::Day, "day", ONE_TIME, NUMBER, "model.function-day"),
    of(Id::Area, "area", GEOMETRY, NUMBER, "model.function-area"),
    of(Id::Length, "length", GEOMETRY, NUMBER, "model.function-length"),
    of(Id::Coalesce, "coalesce", &[argument("value", SCALAR)], SCALAR, "model.function-coalesce"),
];

/// What a function gives; `None` is unknown, as it is of an argument that is null.
pub(super) fn call<'a, 'v: 'a>(
    id: Id,
    arguments: &'a [Term],
    row: &impl Row<'v>,
) -> Option<Scalar<'a>> {
    let mut values = arguments.iter().map(|term| term.read(row));
    if id == Id::Coalesce {
        return values.flatten().next();
    }
    let first = values.next()??;
    match id {
        Id::Upper => text(first).map(|t| Scalar::Text(t.to_uppercase().into())),
        Id::Lower => text(first).map(|t| Scalar::Text(t.to_lowercase().into())),
        Id::Trim => text(first).map(|t| Scalar::Text(t.trim().to_owned().into())),
        Id::CharLength => {
            let count = text(first)?.chars().count();
            i64::try_from(count).ok().map(Scalar::Integer)
        }
        Id::Concat => {
            let mut whole = text(first)?.into_owned();
            for next in values {
                whole.push_str(&text(next?)?);
            }
            Some(Scalar::Text(whole.into()))
        }
        Id::Substr => {
            // From the 1-based start, as SQL counts: what lies before the first character takes from the length.
            let start = real(&values.next()??)?.floor();
            let end = match values.next() {
                Some(length) => start + real(&length?)?.floor().max(0.0),
                None => f64::INFINITY,
            };
            let text = text(first)?;
            let part = text.chars().enumerate().filter(|(i, _)| {
                let place = *i as f64 + 1.0;
                place >= start && place < end
            });
            Some(Scalar::Text(
                part.map(|(_, c)| c).collect::<String>().into(),
            ))
        }
        Id::Abs => match first {
            Scalar::Integer(i) => Some(match i.checked_abs() {
                Some(i) => Scalar::Integer(i),
                None => Scalar::Real((i as f64).abs()),
            }),
            _ => real(&first).map(|x| Scalar::Real(x.abs())),
        },
        Id::Floor => rounded(&first, f64::floor),
        Id::Ceil => rounded(&first, f64::ceil),
        Id::Round => rounded(&first, f64::round),
        Id::Sqrt => real(&first)
            .map(f64::sqrt)
            .filter(|x| x.is_finite())
            .map(Scalar::Real),
        Id::Min => chosen(first, values, Ordering::Less),
        Id::Max => chosen(first, values, Ordering::Greater),
        Id::Year => date(&first).map(|(y, _, _)| Scalar::Integer(y)),
        Id::Month => date(&first).map(|(_, m, _)| Scalar::Integer(m)),
        Id::Day => date(&first).map(|(_, _, d)| Scalar::Integer(d)),
        // Area and length are terms of their own.
        Id::Area | Id::Length | Id::Coalesce => None,
    }
}

fn text(scalar: Scalar<'_>) -> Option<std::borrow::Cow<'_, str>> {
    match scalar {
        Scalar::Text(text) => Some(text),
        _ => None,
    }
}

fn rounded<'a>(scalar: &Scalar<'_>, round: fn(f64) -> f64) -> Option<Scalar<'a>> {
    match scalar {
        Scalar::Integer(i) => Some(Scalar::Integer(*i)),
        Scalar::Real(x) => Some(Scalar::Real(round(*x))),
        _ => None,
    }
}

fn chosen<'a>(
    first: Scalar<'a>,
    values: impl Iterator<Item = Option<Scalar<'a>>>,
    wanted: Ordering,
) -> Option<Scalar<'a>> {
    let mut best = first;
    for value in values {
        let value = value?;
        if compare(&value, &best)? == wanted {
            best = value;
        }
    }
    Some(best)
}

/// Year, month and day, of a time in UTC.
fn date(scalar: &Scalar<'_>) -> Option<(i64, i64, i64)> {
    match scalar {
        Scalar::Date(days) | Scalar::Instant(days, _) => Some(civil(*days)),
        _ => None,
    }
}
