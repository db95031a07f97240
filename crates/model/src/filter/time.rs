//! Times and intervals as they are compared (OGC 21-065r2 §7.8, OWL-Time).

use super::compare::Scalar;
use super::{Row, Term};
use crate::cql2::TemporalRelation;

/// An operand of a temporal relation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Span {
    /// A date or a time.
    Instant(Term),
    /// From and to, ends inclusive; `None` is open.
    Interval(Box<[Option<Term>; 2]>),
}

/// A date or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Day(i64),
    Instant(i64, i64),
}

/// From and to; `None` is open.
pub(super) type Ends = [Option<Moment>; 2];

/// The last microsecond of a day.
const DAY_END: i64 = 86_399_999_999;

impl Span {
    pub(super) fn terms(&self) -> impl Iterator<Item = &Term> {
        let (instant, ends) = match self {
            Self::Instant(term) => (Some(term), None),
            Self::Interval(ends) => (None, Some(ends.iter().flatten())),
        };
        instant.into_iter().chain(ends.into_iter().flatten())
    }

    /// `None` when an end is null (/req/temporal-functions/temporal-predicates C).
    pub(super) fn read<'v>(&self, row: &impl Row<'v>) -> Option<Ends> {
        let read = |term: &Term| Moment::of(&term.read(row)?);
        Some(match self {
            Self::Instant(term) => [Some(read(term)?); 2],
            Self::Interval(ends) => {
                let end = |end: &Option<Term>| match end {
                    None => Some(None),
                    Some(term) => read(term).map(Some),
                };
                [end(&ends[0])?, end(&ends[1])?]
            }
        })
    }
}

impl Moment {
    fn of(scalar: &Scalar<'_>) -> Option<Self> {
        match scalar {
            Scalar::Date(days) => Some(Self::Day(*days)),
            Scalar::Instant(days, micros) => Some(Self::Instant(*days, *micros)),
            _ => None,
        }
    }
}

/// Whether two spans are so related.
///
/// Among dates alone a day is a point, so 1 to 2 May meets 2 to 3 May. Where one of the ends is a time, a date is its whole
/// day: it begins with the day's first microsecond and ends with the last.
pub(super) fn related(relation: TemporalRelation, a: Ends, b: Ends) -> bool {
    use TemporalRelation as Is;
    let mut moments = a.iter().chain(&b).flatten();
    let days_only = moments.all(|m| matches!(m, Moment::Day(_)));
    let from = |end: Option<Moment>| match end {
        None => (i64::MIN, 0),
        Some(Moment::Day(days)) => (days, 0),
        Some(Moment::Instant(days, micros)) => (days, micros),
    };
    let to = |end: Option<Moment>| match end {
        None => (i64::MAX, 0),
        Some(Moment::Day(days)) => (days, if days_only { 0 } else { DAY_END }),
        Some(Moment::Instant(days, micros)) => (days, micros),
    };
    let (a_from, a_to) = (from(a[0]), to(a[1]));
    let (b_from, b_to) = (from(b[0]), to(b[1]));
    match relation {
        Is::After => a_from > b_to,
        Is::Before => a_to < b_from,
        Is::Disjoint => a_from > b_to || a_to < b_from,
        Is::Intersects => !(a_from > b_to || a_to < b_from),
        Is::Equals => a_from == b_from && a_to == b_to,
        Is::Contains => a_from < b_from && a_to > b_to,
        Is::During => a_from > b_from && a_to < b_to,
        Is::FinishedBy => a_from < b_from && a_to == b_to,
        Is::Finishes => a_from > b_from && a_to == b_to,
        Is::Meets => a_to == b_from,
        Is::MetBy => a_from == b_to,
        Is::OverlappedBy => a_from > b_from && a_from < b_to && a_to > b_to,
        Is::Overlaps => a_from < b_from && a_to > b_from && a_to < b_to,
        // The standard's table has the links of these two exchanged; its abstract tests have not.
        Is::StartedBy => a_from == b_from && a_to > b_to,
        Is::Starts => a_from == b_from && a_to < b_to,
    }
}

/// Whether instants may be related so; else it is intervals only (table "between intervals").
pub(super) fn takes_instants(relation: TemporalRelation) -> bool {
    use TemporalRelation as Is;
    matches!(
        relation,
        Is::After | Is::Before | Is::Disjoint | Is::Equals | Is::Intersects
    )
}
