//! Answering a filter for a row.

use std::cmp::Ordering;

use super::compare::{Scalar, compare};
use super::{Condition, Nullable, Place, Row, Shape, Term, functions, time};
use crate::ValueRef;
use crate::cql2::{ArrayRelation, Comparison, Literal, Operator};

/// Values of a list that are looked through faster than searched.
const FEW: usize = 8;

impl Condition {
    pub(super) fn holds<'v>(&self, row: &impl Row<'v>) -> Option<bool> {
        match self {
            Self::Known(holds) => *holds,
            Self::Is(term) => match term.read(row)? {
                Scalar::Boolean(holds) => Some(holds),
                _ => None,
            },
            Self::Compare(comparison, a, b) => {
                Some(comparison.holds(compare(&a.read(row)?, &b.read(row)?)?))
            }
            Self::Between(three) => {
                let [value, low, high] = three.as_ref();
                // As two comparisons, of which one may be unknown.
                let scalar = value.read(row)?;
                let order = |with: &Term| compare(&scalar, &with.read(row)?);
                both(
                    order(low).map(Ordering::is_ge),
                    order(high).map(Ordering::is_le),
                )
            }
            Self::In(term, list) => {
                let scalar = term.read(row)?;
                any(list, |with| {
                    Some(compare(&scalar, &with.read(row)?)?.is_eq())
                })
            }
            Self::Among(term, list) => {
                let scalar = term.read(row)?;
                // Of one type all are comparable but not-a-number, which is in no list.
                let order = |literal: &Literal| compare(&literal.scalar(), &scalar);
                if list.len() <= FEW {
                    return Some(list.iter().any(|one| order(one) == Some(Ordering::Equal)));
                }
                let found = list.binary_search_by(|one| order(one).unwrap_or(Ordering::Less));
                Some(found.is_ok())
            }
            Self::Like(term, pattern) => match term.read(row)? {
                Scalar::Text(text) => Some(pattern.matches(&text)),
                _ => None,
            },
            Self::IsNull(nullable) => Some(match nullable {
                Nullable::Property(position) => row.value(*position) == ValueRef::Null,
                Nullable::Term(term) => term.read(row).is_none(),
                Nullable::Span(span) => span.read(row).is_none(),
                Nullable::Geometry => !row.has_geometry(),
            }),
            Self::Not(condition) => condition.holds(row).map(|holds| !holds),
            Self::And(list) => all(list, |one| one.holds(row)),
            Self::Or(list) => any(list, |one| one.holds(row)),
            Self::Spatial(relation, a, b) => row.relate(*relation, a.place(), b.place()),
            Self::Temporal(relation, a, b) => {
                Some(time::related(*relation, a.read(row)?, b.read(row)?))
            }
            Self::Array(relation, a, b) => arrays(*relation, a, b, row),
        }
    }
}

impl Term {
    /// `None` is null or unknown.
    pub(super) fn read<'a, 'v: 'a>(&'a self, row: &impl Row<'v>) -> Option<Scalar<'a>> {
        match self {
            Self::Property(subject) => Scalar::of(subject.kind, row.value(subject.position)),
            Self::Literal(literal) => Some(literal.scalar()),
            Self::Unknown => None,
            Self::Arithmetic(operator, sides) => {
                calculate(*operator, &sides[0].read(row)?, &sides[1].read(row)?)
            }
            Self::Fold(fold, term) => match term.read(row)? {
                Scalar::Text(text) => Some(Scalar::Text(fold.of(text))),
                _ => None,
            },
            Self::Call(id, arguments) => functions::call(*id, arguments, row),
            Self::Measure(measure) => row.measure(*measure).map(Scalar::Real),
            Self::Condition(condition) => condition.holds(row).map(Scalar::Boolean),
        }
    }
}

impl Shape {
    fn place(&self) -> Place<'_> {
        match self {
            Self::Own => Place::Own,
            Self::Given(geometry) => Place::Given(geometry),
        }
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::Greater => order.is_gt(),
            Self::AtMost => order.is_le(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

/// One that does not hold decides, else one that is unknown leaves the whole unknown (§6.2, truth table).
fn all<T>(list: &[T], holds: impl Fn(&T) -> Option<bool>) -> Option<bool> {
    any(list, |one| holds(one).map(|holds| !holds)).map(|any| !any)
}

/// The same with one that holds.
fn any<T>(list: &[T], holds: impl Fn(&T) -> Option<bool>) -> Option<bool> {
    let mut whole = Some(false);
    for one in list {
        match holds(one) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => whole = None,
        }
    }
    whole
}

fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    all(&[a, b], |one| *one)
}

/// Arrays are sets (§7.9, /req/array-functions/array-predicates); values of different types are different.
fn arrays<'v>(relation: ArrayRelation, a: &[Term], b: &[Term], row: &impl Row<'v>) -> Option<bool> {
    let (a, b) = (read_all(a, row), read_all(b, row));
    let is_in = |one: &Option<Scalar<'_>>, list: &[Option<Scalar<'_>>]| {
        any(list, |other| {
            let order = compare(one.as_ref()?, other.as_ref()?);
            Some(order == Some(Ordering::Equal))
        })
    };
    let within = |a: &[Option<Scalar<'_>>], b: &[Option<Scalar<'_>>]| all(a, |one| is_in(one, b));
    match relation {
        ArrayRelation::Equals => both(within(&a, &b), within(&b, &a)),
        ArrayRelation::Contains => within(&b, &a),
        ArrayRelation::ContainedBy => within(&a, &b),
        ArrayRelation::Overlaps => any(&a, |one| is_in(one, &b)),
    }
}

fn read_all<'a, 'v: 'a>(list: &'a [Term], row: &impl Row<'v>) -> Vec<Option<Scalar<'a>>> {
    list.iter().map(|term| term.read(row)).collect()
}

/// §7.12; `None` for what has no finite value.
fn calculate<'a>(operator: Operator, a: &Scalar<'_>, b: &Scalar<'_>) -> Option<Scalar<'a>> {
    if let (Scalar::Integer(a), Scalar::Integer(b)) = (a, b)
        && let Some(exact) = whole(operator, *a, *b)
    {
        return Some(Scalar::Integer(exact));
    }
    let (a, b) = (real(a)?, real(b)?);
    if b == 0.0
        && matches!(
            operator,
            Operator::Divide | Operator::Div | Operator::Modulo
        )
    {
        return None;
    }
    let result = match operator {
        Operator::Plus => a + b,
        Operator::Minus => a - b,
        Operator::Times => a * b,
        Operator::Divide => a / b,
        Operator::Div => (a / b).trunc(),
        Operator::Modulo => a % b,
        Operator::Power => a.powf(b),
    };
    result.is_finite().then_some(Scalar::Real(result))
}

/// `None` when the result is not a whole number or does not fit.
fn whole(operator: Operator, a: i64, b: i64) -> Option<i64> {
    match operator {
        Operator::Plus => a.checked_add(b),
        Operator::Minus => a.checked_sub(b),
        Operator::Times => a.checked_mul(b),
        Operator::Divide if a.checked_rem(b)? == 0 => a.checked_div(b),
        Operator::Divide => None,
        Operator::Div => a.checked_div(b),
        Operator::Modulo => a.checked_rem(b),
        Operator::Power => a.checked_pow(u32::try_from(b).ok()?),
    }
}

pub(super) fn real(scalar: &Scalar<'_>) -> Option<f64> {
    match scalar {
        Scalar::Integer(i) => Some(*i as f64),
        Scalar::Real(x) => Some(*x),
        _ => None,
    }
}
