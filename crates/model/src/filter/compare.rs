//! Values as they are compared.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::cql2::Literal;
use crate::{PropertyType, ValueRef, days_of_date, microseconds_of_date_time};

/// A value that is not null, read as its property's type says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'a> {
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(Cow<'a, str>),
    /// As in [`Literal::Date`].
    Date(i64),
    /// As in [`Literal::Instant`].
    Instant(i64, i64),
}

impl<'a> Scalar<'a> {
    /// `None` for null and for what is not of the type.
    pub(super) fn of(kind: PropertyType, value: ValueRef<'a>) -> Option<Self> {
        use PropertyType as Kind;
        Some(match (kind, value) {
            (Kind::Boolean, ValueRef::Boolean(b)) => Self::Boolean(b),
            (Kind::Integer | Kind::Real, ValueRef::Integer(i)) => Self::Integer(i),
            (Kind::Integer | Kind::Real, ValueRef::Real(x)) => Self::Real(x),
            (Kind::Text, ValueRef::Text(t)) => Self::Text(Cow::Borrowed(t)),
            (Kind::Date, ValueRef::Text(t)) => Self::Date(days_of_date(t)?),
            (Kind::DateTime, ValueRef::Text(t)) => {
                let (days, micros) = microseconds_of_date_time(t)?;
                Self::Instant(days, micros)
            }
            _ => return None,
        })
    }

    pub(super) fn to_literal(&self) -> Literal {
        match self {
            Self::Boolean(b) => Literal::Boolean(*b),
            Self::Integer(i) => Literal::Integer(*i),
            Self::Real(x) => Literal::Real(*x),
            Self::Text(t) => Literal::Text(t.as_ref().into()),
            Self::Date(days) => Literal::Date(*days),
            Self::Instant(days, micros) => Literal::Instant(*days, *micros),
        }
    }
}

impl Literal {
    pub(super) fn scalar(&self) -> Scalar<'_> {
        match self {
            Self::Boolean(b) => Scalar::Boolean(*b),
            Self::Integer(i) => Scalar::Integer(*i),
            Self::Real(x) => Scalar::Real(*x),
            Self::Text(t) => Scalar::Text(Cow::Borrowed(t)),
            Self::Date(days) => Scalar::Date(*days),
            Self::Instant(days, micros) => Scalar::Instant(*days, *micros),
        }
    }
}

/// `None` for what can't be compared.
pub(super) fn compare(a: &Scalar<'_>, b: &Scalar<'_>) -> Option<Ordering> {
    Some(match (a, b) {
        (Scalar::Boolean(a), Scalar::Boolean(b)) => a.cmp(b),
        (Scalar::Integer(a), Scalar::Integer(b)) | (Scalar::Date(a), Scalar::Date(b)) => a.cmp(b),
        (Scalar::Real(a), Scalar::Real(b)) => return a.partial_cmp(b),
        (Scalar::Integer(a), Scalar::Real(b)) => return integer_with_real(*a, *b),
        (Scalar::Real(a), Scalar::Integer(b)) => return Some(integer_with_real(*b, *a)?.reverse()),
        // UTF-8 is ordered as its code points are.
        (Scalar::Text(a), Scalar::Text(b)) => a.as_ref().cmp(b.as_ref()),
        (Scalar::Instant(a, a_micros), Scalar::Instant(b, b_micros)) => {
            (a, a_micros).cmp(&(b, b_micros))
        }
        // A date is its whole day.
        (Scalar::Instant(a, _), Scalar::Date(b)) | (Scalar::Date(a), Scalar::Instant(b, _)) => {
            a.cmp(b)
        }
        _ => return None,
    })
}

/// Exactly: an integer above 2^53 is not rounded to a double.
fn integer_with_real(i: i64, x: f64) -> Option<Ordering> {
    /// 2^63, the first double that is greater than all integers.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    if x.is_nan() {
        return None;
    }
    if x >= ABOVE {
        return Some(Ordering::Less);
    }
    if x < -ABOVE {
        return Some(Ordering::Greater);
    }
    // Within these bounds a whole double is an integer.
    let whole = x.trunc() as i64;
    Some(i.cmp(&whole).then_with(|| match x.fract() {
        rest if rest > 0.0 => Ordering::Less,
        rest if rest < 0.0 => Ordering::Greater,
        _ => Ordering::Equal,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_reals_compare_exactly() {
        let big = 1_i64 << 53;
        for (i, x, order) in [
            (big + 1, big as f64, Ordering::Greater),
            (big, big as f64, Ordering::Equal),
            (i64::MAX, i64::MAX as f64, Ordering::Less),
            (i64::MIN, i64::MIN as f64, Ordering::Equal),
            (i64::MIN, -1e19, Ordering::Greater),
            (2, 2.5, Ordering::Less),
            (-2, -2.5, Ordering::Greater),
            (0, -0.0, Ordering::Equal),
            (0, f64::NEG_INFINITY, Ordering::Greater),
            (0, f64::MIN_POSITIVE, Ordering::Less),
        ] {
            assert_eq!(integer_with_real(i, x), Some(order), "{i} {x}");
        }
        assert_eq!(integer_with_real(0, f64::NAN), None);
    }
}
