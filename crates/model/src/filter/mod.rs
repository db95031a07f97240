//! Which rows are meant: conditions on properties in the text encoding of CQL2 (OGC 21-065r2).

mod compare;
mod like;
mod parse;
mod token;

use std::cmp::Ordering;

pub use like::Pattern;
pub use parse::MAX_FILTER_LENGTH;

use crate::{PropertyType, ValueRef};
use compare::{Scalar, compare};

/// A condition on the properties of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// The same for each row.
    Always(bool),
    Compare {
        subject: Subject,
        comparison: Comparison,
        with: Operand,
    },
    /// Ends inclusive.
    Between {
        subject: Subject,
        low: Operand,
        high: Operand,
    },
    In {
        subject: Subject,
        list: Vec<Literal>,
    },
    Like {
        subject: Subject,
        pattern: Pattern,
    },
    IsNull(Subject),
    Not(Box<Filter>),
    /// At least two.
    And(Vec<Filter>),
    /// At least two.
    Or(Vec<Filter>),
}

/// A property that a condition reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// In the schema.
    pub position: usize,
    pub kind: PropertyType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    Greater,
    AtMost,
    AtLeast,
}

/// What a property is compared with: of its type, or a number too.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Property(Subject),
    Literal(Literal),
}

/// A value of the filter's text.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Boolean(bool),
    /// A number without fraction and exponent that fits.
    Integer(i64),
    /// Any other number, as the nearest double; finite.
    Real(f64),
    Text(Box<str>),
    /// Days since 1970-01-01.
    Date(i64),
    /// Days since 1970-01-01 and microseconds of the day, in UTC.
    Instant(i64, i64),
}

impl Filter {
    /// Whether a row fulfils the condition, by SQL's three-valued logic; `value` gives the row's value at a position of
    /// the schema. `None` is "unknown": something was compared with null, or with a value that is not of its property's
    /// type. Who decides by it who sees what takes it as no.
    ///
    /// Numbers compare exactly, texts by their code points, dates as days, times as instants to the microsecond.
    /// Nothing is allocated.
    pub fn holds<'v>(&self, value: &impl Fn(usize) -> ValueRef<'v>) -> Option<bool> {
        match self {
            Self::Always(holds) => Some(*holds),
            Self::Compare {
                subject,
                comparison,
                with,
            } => Some(comparison.holds(compare(subject.read(value)?, with.read(value)?)?)),
            Self::Between { subject, low, high } => {
                // As two comparisons, of which one may be unknown.
                let scalar = subject.read(value)?;
                let order = |with: &Operand| compare(scalar, with.read(value)?);
                both(
                    order(low).map(Ordering::is_ge),
                    order(high).map(Ordering::is_le),
                )
            }
            Self::In { subject, list } => {
                let scalar = subject.read(value)?;
                let equals = |literal: &Literal| compare(scalar, literal.scalar());
                Some(list.iter().any(|l| equals(l) == Some(Ordering::Equal)))
            }
            Self::Like { subject, pattern } => match subject.read(value)? {
                Scalar::Text(text) => Some(pattern.matches(text)),
                _ => None,
            },
            Self::IsNull(subject) => Some(value(subject.position) == ValueRef::Null),
            Self::Not(filter) => filter.holds(value).map(|holds| !holds),
            Self::And(filters) => all(filters, false, value),
            Self::Or(filters) => all(filters, true, value),
        }
    }

    /// Positions in the schema that the filter reads, ascending, each once.
    pub fn properties(&self) -> Vec<usize> {
        let mut positions = Vec::new();
        self.collect(&mut positions);
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    fn collect(&self, positions: &mut Vec<usize>) {
        let mut operand = |operand: &Operand| {
            if let Operand::Property(subject) = operand {
                positions.push(subject.position);
            }
        };
        match self {
            Self::Always(_) => {}
            Self::Compare { subject, with, .. } => {
                operand(with);
                positions.push(subject.position);
            }
            Self::Between { subject, low, high } => {
                operand(low);
                operand(high);
                positions.push(subject.position);
            }
            Self::In { subject, .. } | Self::Like { subject, .. } | Self::IsNull(subject) => {
                positions.push(subject.position);
            }
            Self::Not(filter) => filter.collect(positions),
            Self::And(filters) | Self::Or(filters) => {
                filters.iter().for_each(|filter| filter.collect(positions));
            }
        }
    }
}

/// Of conditions joined by OR (`decisive` is true) or AND (false): one that holds or not decides, else one that is
/// unknown leaves the whole unknown.
fn all<'v>(
    filters: &[Filter],
    decisive: bool,
    value: &impl Fn(usize) -> ValueRef<'v>,
) -> Option<bool> {
    let mut whole = Some(!decisive);
    for filter in filters {
        match filter.holds(value) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => whole = None,
        }
    }
    whole
}

fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
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

    /// The comparison of the second with the first.
    fn reversed(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::Greater => Self::Less,
            Self::AtMost => Self::AtLeast,
            Self::AtLeast => Self::AtMost,
        }
    }
}

impl Subject {
    fn read<'v>(&self, value: &impl Fn(usize) -> ValueRef<'v>) -> Option<Scalar<'v>> {
        Scalar::of(self.kind, value(self.position))
    }
}

impl Operand {
    fn read<'a, 'v: 'a>(&'a self, value: &impl Fn(usize) -> ValueRef<'v>) -> Option<Scalar<'a>> {
        match self {
            Self::Property(subject) => subject.read(value),
            Self::Literal(literal) => Some(literal.scalar()),
        }
    }
}
