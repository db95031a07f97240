//! Which rows are meant: conditions of CQL2 (OGC 21-065r2) with the types of one collection.
//!
//! What the standard leaves open is decided so:
//! - texts compare by their code points, as they are stored. Canonical equivalence (/rec/core/string-normalization, a
//!   recommendation) is what CASEI and ACCENTI bring: so a plain comparison allocates nothing, and answers as a look-up of
//!   the same value by key or in SQL does;
//! - a date is its whole day: a time equals a date when it is within the day, in UTC, and is less before it begins;
//! - a text literal beside a date or a time is read as one, since GDAL sends no DATE('…'); other types are not cast
//!   (/per/basic-cql2/type-casts);
//! - `/` of whole numbers is exact (5 / 2 is 2.5), `div` and `%` cut towards zero as SQL does; whole numbers that overflow
//!   become doubles; a division by zero and what has no real value are unknown.

mod bind;
mod compare;
mod eval;
mod fold;
mod functions;
mod globe;
mod like;
mod necessary;
mod time;

use geo_types::Geometry;

pub use functions::{Argument, Function, ValueType, functions};
pub use like::Pattern;

use crate::cql2::{ArrayRelation, Comparison, Expression, Literal, Operator, TemporalRelation};
use crate::{Invalid, Message, PropertyType, Schema, ValueRef};
use fold::Fold;
use time::Span;

pub use crate::cql2::SpatialRelation;

/// Bytes of a rule's text: a list of some five hundred values, far more than a person writes.
pub const MAX_FILTER_LENGTH: usize = 8_192;

/// The name of a collection's geometry in filters and queryables.
pub const GEOMETRY_PROPERTY: &str = "geom";

/// A condition on rows of one schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    condition: Condition,
}

/// A row that a filter is asked about; values live as long as `'v`.
///
/// Functions from a position to a value are rows without geometry.
pub trait Row<'v> {
    /// The value at a position of the schema.
    fn value(&self, position: usize) -> ValueRef<'v>;

    /// Whether two geometries, of which at least one is most often the row's own, are so related, in the plane of
    /// longitude and latitude. `None` when the row's is asked for and is null. [`Filter::geometries`] tells the given
    /// ones beforehand; the references here are the same.
    fn relate(&self, relation: SpatialRelation, left: Place<'_>, right: Place<'_>) -> Option<bool>;

    fn has_geometry(&self) -> bool;

    /// A measure of the row's geometry; `None` when it is null.
    fn measure(&self, measure: Measure) -> Option<f64>;
}

/// A side of a spatial relation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place<'a> {
    /// The row's geometry.
    Own,
    /// A geometry of the filter.
    Given(&'a Geometry<f64>),
}

/// What is measured of a geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// In square metres; of points and lines 0.
    Area,
    /// In metres; of areas that of their boundary.
    Length,
}

impl<'v, F: Fn(usize) -> ValueRef<'v>> Row<'v> for F {
    fn value(&self, position: usize) -> ValueRef<'v> {
        self(position)
    }

    fn relate(&self, _: SpatialRelation, _: Place<'_>, _: Place<'_>) -> Option<bool> {
        None
    }

    fn has_geometry(&self) -> bool {
        false
    }

    fn measure(&self, _: Measure) -> Option<f64> {
        None
    }
}

/// What holds, does not, or is unknown.
#[derive(Debug, Clone, PartialEq)]
enum Condition {
    /// The same for each row.
    Known(Option<bool>),
    /// A value that is a boolean.
    Is(Term),
    Compare(Comparison, Term, Term),
    /// A value, the least and the greatest.
    Between(Box<[Term; 3]>),
    In(Term, Vec<Term>),
    /// A list of literals of the value's type, ascending.
    Among(Term, Vec<Literal>),
    Like(Term, Pattern),
    IsNull(Nullable),
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Spatial(SpatialRelation, Shape, Shape),
    Temporal(TemporalRelation, Span, Span),
    Array(ArrayRelation, Vec<Term>, Vec<Term>),
}

/// What may be null.
#[derive(Debug, Clone, PartialEq)]
enum Nullable {
    /// A property whose value is not of its type is not null.
    Property(usize),
    Term(Term),
    Span(Span),
    Geometry,
}

/// A geometry of a relation.
#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Own,
    Given(Geometry<f64>),
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
enum Term {
    Property(Subject),
    Literal(Literal),
    Unknown,
    Arithmetic(Operator, Box<[Term; 2]>),
    Fold(Fold, Box<Term>),
    Call(functions::Id, Vec<Term>),
    Measure(Measure),
    Condition(Box<Condition>),
}

/// A property that a condition reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subject {
    /// In the schema.
    position: usize,
    kind: PropertyType,
}

/// A part of a condition, for those who look at all.
enum Part<'a> {
    Condition(&'a Condition),
    Term(&'a Term),
    Shape(&'a Shape),
}

impl Filter {
    /// Reads a rule of access: "Basic CQL2" and "Advanced Comparison Operators" (OGC 21-065r2, /req/basic-cql2,
    /// /req/advanced-comparison-operators) without functions and arithmetic, and comparisons of two properties
    /// (/req/property-property). Who decides by it who sees what takes "unknown" as no.
    ///
    /// Comparisons have a property on at least one side. Keywords are read in any case, names as they are; a name that
    /// is a keyword stands in double quotes. In a text, `''` is a quote and a backslash is itself, but for LIKE.
    /// BETWEEN and comparisons work on all types; a value must be of the type of its property, so a date is `DATE('…')`,
    /// a time `TIMESTAMP('…')`. This is stricter than [`Expression::from_text`]: what a rule means must not depend on
    /// tolerance.
    ///
    /// # Errors
    /// Says at which character what was expected and found instead, which property there is not, or which value does
    /// not fit the type of its property; that the text is longer than [`MAX_FILTER_LENGTH`] or too deep.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, Invalid> {
        let expression = Expression::rule_from_text(text)?;
        bind::rule(&expression, schema)
    }

    /// Gives an expression the types of a collection. Geometry literals must be longitude and latitude by now, see
    /// [`Expression::map_geometries`].
    ///
    /// # Errors
    /// Says where an unknown property or function, or a value of a wrong type stands.
    pub fn bind(expression: &Expression, schema: &Schema) -> Result<Self, Invalid> {
        bind::whole(expression, schema)
    }

    /// Whether a row fulfils the condition, by three-valued logic (§6.2). `None` is "unknown": something was compared
    /// with null, or with a value that is not of its property's type.
    ///
    /// Numbers compare exactly, texts by their code points, dates as days, times as instants to the microsecond.
    /// Comparisons allocate nothing; functions that make a text do.
    pub fn holds<'v>(&self, row: &impl Row<'v>) -> Option<bool> {
        self.condition.holds(row)
    }

    /// Positions in the schema that the filter reads, ascending, each once.
    pub fn properties(&self) -> Vec<usize> {
        let mut positions = Vec::new();
        self.condition.visit(&mut |part| match part {
            Part::Term(Term::Property(subject)) => positions.push(subject.position),
            Part::Condition(Condition::IsNull(Nullable::Property(position))) => {
                positions.push(*position);
            }
            _ => {}
        });
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    /// Whether the filter asks for the row's geometry.
    pub fn uses_geometry(&self) -> bool {
        let mut uses = false;
        self.condition.visit(&mut |part| {
            uses |= matches!(
                part,
                Part::Shape(Shape::Own)
                    | Part::Term(Term::Measure(_))
                    | Part::Condition(Condition::IsNull(Nullable::Geometry))
            );
        });
        uses
    }

    /// The geometries that the filter gives, those that [`Row::relate`] is asked with.
    pub fn geometries(&self) -> Vec<&Geometry<f64>> {
        let mut geometries = Vec::new();
        self.condition.visit(&mut |part| {
            if let Part::Shape(Shape::Given(geometry)) = part {
                geometries.push(geometry);
            }
        });
        geometries
    }
}

impl Condition {
    fn visit<'a>(&'a self, each: &mut impl FnMut(Part<'a>)) {
        each(Part::Condition(self));
        match self {
            Self::Known(_) => {}
            Self::Is(term) | Self::Like(term, _) | Self::Among(term, _) => term.visit(each),
            Self::Compare(_, a, b) => {
                a.visit(each);
                b.visit(each);
            }
            Self::Between(three) => three.iter().for_each(|term| term.visit(each)),
            Self::In(term, list) => {
                term.visit(each);
                list.iter().for_each(|term| term.visit(each));
            }
            Self::IsNull(nullable) => match nullable {
                Nullable::Property(_) | Nullable::Geometry => {}
                Nullable::Term(term) => term.visit(each),
                Nullable::Span(span) => span.terms().for_each(|term| term.visit(each)),
            },
            Self::Not(condition) => condition.visit(each),
            Self::And(list) | Self::Or(list) => list.iter().for_each(|one| one.visit(each)),
            Self::Spatial(_, a, b) => {
                each(Part::Shape(a));
                each(Part::Shape(b));
            }
            Self::Temporal(_, a, b) => {
                let terms = a.terms().chain(b.terms());
                terms.for_each(|term| term.visit(each));
            }
            Self::Array(_, a, b) => a.iter().chain(b).for_each(|term| term.visit(each)),
        }
    }
}

impl Term {
    fn visit<'a>(&'a self, each: &mut impl FnMut(Part<'a>)) {
        each(Part::Term(self));
        match self {
            Self::Property(_) | Self::Literal(_) | Self::Unknown | Self::Measure(_) => {}
            Self::Arithmetic(_, sides) => sides.iter().for_each(|term| term.visit(each)),
            Self::Fold(_, term) => term.visit(each),
            Self::Call(_, list) => list.iter().for_each(|term| term.visit(each)),
            Self::Condition(condition) => condition.visit(each),
        }
    }
}

pub(crate) fn value_of(kind: PropertyType) -> Message {
    Message::new("model.filter-value-of").with_message("type", kind_name(kind))
}

fn kind_name(kind: PropertyType) -> Message {
    Message::new(match kind {
        PropertyType::Boolean => "server.type-boolean",
        PropertyType::Integer => "server.type-integer",
        PropertyType::Real => "server.type-real",
        PropertyType::Text => "server.type-text",
        PropertyType::Date => "server.type-date",
        PropertyType::DateTime => "server.type-datetime",
    })
}
