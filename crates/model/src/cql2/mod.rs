//! CQL2, the Common Query Language of OGC (21-065r2), as a tree without types.
//!
//! Read from text or JSON and printed as either; [`crate::Filter::bind`] gives it a meaning for one collection.
//!
//! What is read beyond the standard's text encoding, for the clients that send it:
//! - keywords in any case, `!=` for `<>`, `ILIKE` for LIKE with CASEI on both sides (GDAL), a plus sign before a number;
//! - without quotes any name that is not one of `AND OR NOT IS NULL IN BETWEEN LIKE TRUE FALSE`: QGIS sends a column
//!   `date` or `end` so. The words that open a literal or a function are names unless a parenthesis follows;
//! - a backslash that is none of the escapes of /req/cql2-text/escaping stands for itself, so the standard's own
//!   `LIKE '\%'` and QGIS's `LIKE '\\%'` give the same pattern;
//! - offsets other than Z, of times; a third and fourth number of a position, which predicates do not look at and which
//!   are left out; `EMPTY` geometries (an empty point is an empty multipoint);
//! - `a ^ b ^ c`, read from the right; a sign binds closer than `^`, as in the grammar.
//!
//! Measured beside the crate `cql2` 0.6.0 on the standard's 229 examples: both read all, here all convert from text to JSON and
//! back to an equal tree and there 226, in 1.3 µs a text and 12.8. That crate brings 150 others (41 of them new here), rounds whole
//! numbers above 2^53, does not read `\'`, and overflows the stack on a thousand parentheses.
//!
//! A lone `(x)` is an array only as an argument of `A_EQUALS` and the like or inside an array; elsewhere it is `x`.

mod boxes;
mod cursor;
mod json;
mod names;
mod print;
mod text;
mod to_json;
mod token;
mod wkt;

use std::sync::Arc;

use geo_types::Geometry;

pub(crate) use boxes::geometry_of_box;
pub use names::{ArrayRelation, Comparison, Operator, SpatialRelation, TemporalRelation};

use crate::{Invalid, Message};
use names::by_name;

/// Bytes of a text: what fits the address of a request, and a polygon of some two thousand positions.
pub const MAX_LENGTH: usize = 65_536;

/// Parentheses and calls in one another; QGIS and GDAL write one pair for each OR of a chain. Reading, evaluating and dropping
/// call themselves for each: the worst that was found takes 0.9 MiB, of stacks of 2 MiB.
pub const MAX_DEPTH: usize = 128;

/// Arithmetic operators of a text: each makes the tree one level deeper.
pub const MAX_OPERATORS: usize = 128;

/// Operations and arrays of JSON in one another, for the same reason. (`serde_json` reads 128 levels, which are 64 operations.)
pub const MAX_JSON_DEPTH: usize = 128;

/// Values, names and operators of a JSON document; a text within [`MAX_LENGTH`] can't hold many more.
pub const MAX_NODES: usize = 32_768;

/// Positions of all geometries of an expression together: each is looked at for each candidate feature.
pub const MAX_POSITIONS: usize = 10_000;

/// A part of a filter with the place it was read from. Two are equal when they say the same, wherever they stand.
#[derive(Debug, Clone)]
pub struct Expression {
    pub kind: Kind,
    pub(crate) at: At,
}

/// What an expression says (OGC 21-065r2, Annex B).
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Literal(Literal),
    /// Of a property.
    Property(String),
    /// From and to; `None` is open (`..`).
    Interval(Box<[Option<Expression>; 2]>),
    Geometry(Geometry<f64>),
    /// BBOX: west, south, east, north; with west greater than east it crosses the antimeridian.
    Box([f64; 4]),
    Array(Vec<Expression>),
    /// At least two, none of them an And.
    And(Vec<Expression>),
    /// At least two, none of them an Or.
    Or(Vec<Expression>),
    Not(Box<Expression>),
    Compare(Comparison, Box<[Expression; 2]>),
    /// A text and a pattern, which is a text literal or CASEI or ACCENTI of a pattern.
    Like(Box<[Expression; 2]>),
    /// A value, the least and the greatest, ends inclusive.
    Between(Box<[Expression; 3]>),
    In(Box<Expression>, Vec<Expression>),
    IsNull(Box<Expression>),
    CaseI(Box<Expression>),
    AccentI(Box<Expression>),
    Arithmetic(Operator, Box<[Expression; 2]>),
    Spatial(SpatialRelation, Box<[Expression; 2]>),
    Temporal(TemporalRelation, Box<[Expression; 2]>),
    ArrayRelation(ArrayRelation, Box<[Expression; 2]>),
    Function(String, Vec<Expression>),
}

/// A scalar value of a filter (§6.3).
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Boolean(bool),
    /// A number without fraction and exponent that fits.
    Integer(i64),
    /// Any other number, as the nearest double; finite.
    Real(f64),
    Text(Box<str>),
    /// Days since 1970-01-01, in the years 0 to 9999.
    Date(i64),
    /// Days since 1970-01-01 and microseconds of the day, in UTC, in the years 0 to 9999.
    Instant(i64, i64),
}

/// Which of the language is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grammar {
    /// All.
    Whole,
    /// Comparisons of properties joined by AND, OR and NOT, where a backslash in a text is itself but for LIKE. Rules of
    /// access are stored so, and must go on meaning what they meant.
    Rule,
}

/// Where an expression was read.
#[derive(Debug, Clone, Default)]
pub(crate) enum At {
    #[default]
    Nowhere,
    /// Of the text, counted from 1.
    Character(usize),
    /// Of the JSON document, from its end to its root.
    Json(Option<Arc<Step>>),
}

/// A step of a JSON pointer.
#[derive(Debug)]
pub(crate) struct Step {
    parent: Option<Arc<Step>>,
    member: Member,
}

#[derive(Debug, Clone, Copy)]
enum Member {
    Name(&'static str),
    Index(usize),
}

impl Expression {
    /// Reads the text encoding (§8.2, Annex B).
    ///
    /// # Errors
    /// Says at which character what was expected and what was found; that the text is longer than [`MAX_LENGTH`], nested
    /// deeper than [`MAX_DEPTH`], or has more than [`MAX_OPERATORS`] or [`MAX_POSITIONS`].
    pub fn from_text(text: &str) -> Result<Self, Invalid> {
        text::read(text, Grammar::Whole)
    }

    /// Reads the JSON encoding (§8.3).
    ///
    /// # Errors
    /// Says at which JSON pointer what was expected and what was found; that the document is deeper than
    /// [`MAX_JSON_DEPTH`], or has more than [`MAX_NODES`] or [`MAX_POSITIONS`].
    pub fn from_json(json: &serde_json::Value) -> Result<Self, Invalid> {
        json::read(json)
    }

    pub(crate) fn rule_from_text(text: &str) -> Result<Self, Invalid> {
        text::read(text, Grammar::Rule)
    }

    /// In the text encoding; reading it gives an equal tree.
    pub fn to_text(&self) -> String {
        print::text(self)
    }

    /// In the JSON encoding; reading it gives an equal tree.
    pub fn to_json(&self) -> serde_json::Value {
        to_json::json(self)
    }

    /// Changes each geometry literal, as a transformation to another coordinate reference system does.
    ///
    /// Boxes come as the polygons that they stand for, with their numbers in the order given: one whose first end is
    /// greater than its second is cut at 180, whichever axis it is. A caller that bends straight lines adds positions
    /// to their edges itself.
    ///
    /// # Errors
    /// The first that `change` gives; a box that runs backwards on both axes.
    pub fn map_geometries(
        &mut self,
        change: &mut impl FnMut(&mut Geometry<f64>) -> Result<(), Invalid>,
    ) -> Result<(), Invalid> {
        if let Kind::Box(ends) = self.kind {
            self.kind = Kind::Geometry(boxes::polygons_of(ends, &self.at)?);
        }
        if let Kind::Geometry(geometry) = &mut self.kind {
            return change(geometry);
        }
        for child in self.children_mut() {
            child.map_geometries(change)?;
        }
        Ok(())
    }

    fn children_mut(&mut self) -> Vec<&mut Self> {
        match &mut self.kind {
            Kind::Literal(_) | Kind::Property(_) | Kind::Geometry(_) | Kind::Box(_) => Vec::new(),
            Kind::Interval(ends) => ends.iter_mut().flatten().collect(),
            Kind::Array(list) | Kind::And(list) | Kind::Or(list) | Kind::Function(_, list) => {
                list.iter_mut().collect()
            }
            Kind::Not(one) | Kind::IsNull(one) | Kind::CaseI(one) | Kind::AccentI(one) => {
                vec![one.as_mut()]
            }
            Kind::Compare(_, two)
            | Kind::Like(two)
            | Kind::Arithmetic(_, two)
            | Kind::Spatial(_, two)
            | Kind::Temporal(_, two)
            | Kind::ArrayRelation(_, two) => two.iter_mut().collect(),
            Kind::Between(three) => three.iter_mut().collect(),
            Kind::In(one, list) => std::iter::once(one.as_mut()).chain(list).collect(),
        }
    }

    pub(crate) fn placed(kind: Kind, at: At) -> Self {
        Self { kind, at }
    }

    /// AND or OR of expressions, with those that are of the same kind joined to it.
    pub(crate) fn joined(list: Vec<Self>, decisive: Decisive, at: At) -> Self {
        let mut flat = Vec::with_capacity(list.len());
        for one in list {
            match (one.kind, decisive) {
                (Kind::And(inner), Decisive::False) | (Kind::Or(inner), Decisive::True) => {
                    flat.extend(inner);
                }
                (kind, _) => flat.push(Self { kind, at: one.at }),
            }
        }
        match (flat.len(), decisive) {
            (1, _) => flat.remove(0),
            (_, Decisive::False) => Self::placed(Kind::And(flat), at),
            (_, Decisive::True) => Self::placed(Kind::Or(flat), at),
        }
    }
}

/// The truth that decides a chain: false for AND, true for OR.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Decisive {
    False,
    True,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl From<Kind> for Expression {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            at: At::Nowhere,
        }
    }
}

impl At {
    pub(crate) fn message(&self) -> Message {
        match self {
            Self::Nowhere => Message::new("model.filter-at-nowhere"),
            Self::Character(n) => Message::new("model.filter-at-character").with("n", n),
            Self::Json(step) => {
                let mut members = Vec::new();
                let mut step = step.as_ref();
                while let Some(here) = step {
                    members.push(match here.member {
                        Member::Name(name) => name.to_owned(),
                        Member::Index(index) => index.to_string(),
                    });
                    step = here.parent.as_ref();
                }
                let pointer: Vec<String> = members.into_iter().rev().collect();
                let message = Message::new("model.filter-at-pointer");
                message.with("pointer", format!("/{}", pointer.join("/")))
            }
        }
    }

    fn member(&self, member: Member) -> Self {
        let parent = match self {
            Self::Json(step) => step.clone(),
            _ => None,
        };
        Self::Json(Some(Arc::new(Step { parent, member })))
    }
}

/// An error that says where, what was expected and what was found.
pub(crate) fn expected(at: &At, expected: Message, found: Message) -> Invalid {
    let message = Message::new("model.filter-expected").with_message("at", at.message());
    Invalid(
        message
            .with_message("expected", expected)
            .with_message("found", found),
    )
}

/// Characters of what was found that an error shows.
const SHOWN: usize = 40;

/// The beginning of a text, for an error.
pub(crate) fn shown(text: &str) -> Message {
    let text: String = text.chars().take(SHOWN).collect();
    Message::new("model.filter-found").with("text", text)
}

/// A number of a text: whole ones exactly; `None` for one that no double holds.
pub(crate) fn number_of(text: &str) -> Option<Literal> {
    if let Ok(i) = text.parse() {
        return Some(Literal::Integer(i));
    }
    let real: f64 = text.parse().ok()?;
    real.is_finite().then_some(Literal::Real(real))
}

/// A date of a text.
pub(crate) fn date_of(text: &str) -> Option<Literal> {
    crate::days_of_date(text).map(Literal::Date)
}

/// A time of a text.
pub(crate) fn instant_of(text: &str) -> Option<Literal> {
    let (days, micros) = crate::microseconds_of_date_time(text)?;
    crate::is_date_time(text).then_some(Literal::Instant(days, micros))
}

impl Literal {
    /// The text of a date or a time (RFC 3339); of other values nothing.
    pub(crate) fn time_text(&self) -> Option<String> {
        match self {
            Self::Date(days) => crate::date_of_days(*days),
            Self::Instant(days, micros) => {
                let text = crate::date_time_of(*days, *micros)?;
                Some(text.replace(".000Z", "Z"))
            }
            _ => None,
        }
    }
}
