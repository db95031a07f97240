//! Giving an expression the types of a collection.

use geo_types::{Coord, Geometry};

use super::compare::{Scalar, compare};
use super::fold::Fold;
use super::functions::{Id, ValueType, function};
use super::globe::off_globe;
use super::time::{Span, takes_instants};
use super::{
    Condition, Filter, GEOMETRY_PROPERTY, Measure, Nullable, Pattern, Shape, Subject, Term,
    kind_name, value_of,
};
use crate::cql2::{
    Expression, Grammar, Kind, Literal, date_of, expected, geometry_of_box, instant_of, shown,
};
use crate::{Invalid, Message, PropertyType, Schema, ValueRef};

pub(super) fn whole(expression: &Expression, schema: &Schema) -> Result<Filter, Invalid> {
    bind(expression, schema, Grammar::Whole)
}

pub(super) fn rule(expression: &Expression, schema: &Schema) -> Result<Filter, Invalid> {
    bind(expression, schema, Grammar::Rule)
}

fn bind(expression: &Expression, schema: &Schema, grammar: Grammar) -> Result<Filter, Invalid> {
    let binder = Binder { schema, grammar };
    let condition = binder.condition(expression)?;
    Ok(Filter { condition })
}

struct Binder<'s> {
    schema: &'s Schema,
    grammar: Grammar,
}

/// A value with its type and what it was bound of.
struct Typed<'e> {
    term: Term,
    kind: ValueType,
    source: &'e Expression,
}

impl Binder<'_> {
    fn condition(&self, expression: &Expression) -> Result<Condition, Invalid> {
        Ok(match &expression.kind {
            Kind::And(list) => Condition::And(self.conditions(list)?),
            Kind::Or(list) => Condition::Or(self.conditions(list)?),
            Kind::Not(inner) => Condition::Not(Box::new(self.condition(inner)?)),
            Kind::Literal(Literal::Boolean(holds)) => Condition::Known(Some(*holds)),
            Kind::Compare(comparison, sides) => {
                let [a, b] = self.comparable(sides.as_ref())?;
                Condition::Compare(*comparison, a, b)
            }
            Kind::Between(three) => self.between(three)?,
            Kind::In(value, list) => self.list(value, list)?,
            Kind::Like(sides) => self.like(sides, expression)?,
            Kind::IsNull(operand) => Condition::IsNull(self.nullable(operand)?),
            Kind::Spatial(relation, sides) => {
                let (a, b) = (self.shape(&sides[0])?, self.shape(&sides[1])?);
                Condition::Spatial(*relation, a, b)
            }
            Kind::Temporal(relation, sides) => {
                let span = |side: &Expression| {
                    let span = self.span(side)?;
                    match span {
                        Span::Instant(_) if !takes_instants(*relation) => {
                            Err(unexpected(Message::new("model.filter-interval"), side))
                        }
                        _ => Ok(span),
                    }
                };
                Condition::Temporal(*relation, span(&sides[0])?, span(&sides[1])?)
            }
            Kind::ArrayRelation(relation, sides) => {
                let (a, b) = (self.array(&sides[0])?, self.array(&sides[1])?);
                Condition::Array(*relation, a, b)
            }
            Kind::Property(_) | Kind::Function(..) => {
                let typed = self.term(expression)?;
                match (typed.kind, typed.term) {
                    (ValueType::Boolean, Term::Condition(condition)) => *condition,
                    (ValueType::Boolean, term) => Condition::Is(term),
                    _ => {
                        let what = Message::new("model.filter-condition");
                        return Err(unexpected(what, expression));
                    }
                }
            }
            _ => {
                let what = Message::new("model.filter-condition");
                return Err(unexpected(what, expression));
            }
        })
    }

    fn comparable(&self, sides: &[Expression; 2]) -> Result<[Term; 2], Invalid> {
        let (mut a, mut b) = (self.term(&sides[0])?, self.term(&sides[1])?);
        self.fit(&mut a, &mut b)?;
        Ok([a.term, b.term])
    }

    fn between(&self, three: &[Expression; 3]) -> Result<Condition, Invalid> {
        let [value, low, high] = three;
        let mut value = self.term(value)?;
        let (mut low, mut high) = (self.term(low)?, self.term(high)?);
        self.fit(&mut value, &mut low)?;
        self.fit(&mut value, &mut high)?;
        let terms = [value.term, low.term, high.term];
        Ok(Condition::Between(Box::new(terms)))
    }

    fn list(&self, value: &Expression, list: &[Expression]) -> Result<Condition, Invalid> {
        let mut value = self.term(value)?;
        let mut terms = Vec::with_capacity(list.len());
        for one in list {
            let mut term = self.term(one)?;
            self.fit(&mut value, &mut term)?;
            if let (Term::Property(subject), Term::Property(_)) = (&value.term, &term.term)
                && self.grammar == Grammar::Rule
            {
                return Err(unexpected(value_of(subject.kind), one));
            }
            terms.push(term.term);
        }
        Ok(among(value.term, value.kind, terms))
    }

    fn like(&self, sides: &[Expression; 2], whole: &Expression) -> Result<Condition, Invalid> {
        let text = self.term(&sides[0])?;
        if text.kind != ValueType::Text {
            return Err(match &text.term {
                Term::Property(subject) => self.unfit(*subject, whole, shown("LIKE")),
                _ => unexpected(value_of(PropertyType::Text), &sides[0]),
            });
        }
        let pattern = pattern_of(&sides[1])?;
        Ok(Condition::Like(text.term, Pattern::new(&pattern)))
    }

    fn conditions(&self, list: &[Expression]) -> Result<Vec<Condition>, Invalid> {
        list.iter().map(|one| self.condition(one)).collect()
    }

    fn nullable(&self, operand: &Expression) -> Result<Nullable, Invalid> {
        Ok(match &operand.kind {
            Kind::Property(name) if self.names_geometry(name) => Nullable::Geometry,
            Kind::Geometry(_) | Kind::Box(_) => {
                Nullable::Term(Term::Literal(Literal::Boolean(true)))
            }
            Kind::Interval(_) => Nullable::Span(self.span(operand)?),
            _ => match self.term(operand)?.term {
                Term::Property(subject) => Nullable::Property(subject.position),
                term => Nullable::Term(term),
            },
        })
    }

    /// A scalar value.
    fn term<'e>(&self, expression: &'e Expression) -> Result<Typed<'e>, Invalid> {
        let (term, kind) = match &expression.kind {
            Kind::Literal(literal) => (Term::Literal(literal.clone()), type_of(literal)),
            Kind::Property(name) => {
                let subject = self.property(name, expression)?;
                let kind = match subject.kind {
                    PropertyType::Boolean => ValueType::Boolean,
                    PropertyType::Integer | PropertyType::Real => ValueType::Number,
                    PropertyType::Text => ValueType::Text,
                    PropertyType::Date => ValueType::Date,
                    PropertyType::DateTime => ValueType::DateTime,
                };
                (Term::Property(subject), kind)
            }
            Kind::Arithmetic(operator, sides) => {
                let number = |side| self.term_of(side, &[ValueType::Number]);
                let sides = [number(&sides[0])?, number(&sides[1])?];
                let term = Term::Arithmetic(*operator, Box::new(sides));
                (constant(term), ValueType::Number)
            }
            Kind::CaseI(inner) => (self.folded(Fold::Case, inner)?, ValueType::Text),
            Kind::AccentI(inner) => (self.folded(Fold::Accent, inner)?, ValueType::Text),
            Kind::Function(name, arguments) => self.call(name, arguments, expression)?,
            Kind::And(_)
            | Kind::Or(_)
            | Kind::Not(_)
            | Kind::Compare(..)
            | Kind::Like(_)
            | Kind::Between(_)
            | Kind::In(..)
            | Kind::IsNull(_)
            | Kind::Spatial(..)
            | Kind::Temporal(..)
            | Kind::ArrayRelation(..) => {
                let condition = self.condition(expression)?;
                (Term::Condition(Box::new(condition)), ValueType::Boolean)
            }
            Kind::Interval(_) | Kind::Geometry(_) | Kind::Box(_) | Kind::Array(_) => {
                return Err(unexpected(Message::new("model.filter-value"), expression));
            }
        };
        Ok(Typed {
            term,
            kind,
            source: expression,
        })
    }

    /// A scalar value of one of some types.
    fn term_of(&self, expression: &Expression, types: &[ValueType]) -> Result<Term, Invalid> {
        let typed = self.term(expression)?;
        if types.contains(&typed.kind) {
            return Ok(typed.term);
        }
        Err(unexpected(value_of_type(types[0]), expression))
    }

    fn folded(&self, fold: Fold, inner: &Expression) -> Result<Term, Invalid> {
        let text = self.term_of(inner, &[ValueType::Text])?;
        Ok(constant(Term::Fold(fold, Box::new(text))))
    }

    fn call(
        &self,
        name: &str,
        arguments: &[Expression],
        expression: &Expression,
    ) -> Result<(Term, ValueType), Invalid> {
        let at = expression.at.message();
        let Some(function) = function(name) else {
            let message = Message::new("model.filter-function-unknown").with_message("at", at);
            return Err(Invalid(message.with("name", shortened(name))));
        };
        let too_many = function
            .argument(arguments.len().saturating_sub(1))
            .is_none();
        if arguments.len() < function.least() || too_many {
            let (least, most) = (function.least(), function.arguments.len());
            let key = match (function.repeats, least == most) {
                (true, _) => "model.filter-call-more",
                (false, true) => "model.filter-call",
                (false, false) => "model.filter-call-between",
            };
            let message = Message::new(key).with_message("at", at);
            let message = message.with("name", function.name).with("most", most);
            return Err(Invalid(message.count(least as u64)));
        }
        if let Id::Area | Id::Length = function.id {
            let is_geometry = match &arguments[0].kind {
                Kind::Property(name) => self.names_geometry(name),
                _ => false,
            };
            if !is_geometry {
                let what = Message::new("model.filter-own-geometry");
                let what = what.with("name", GEOMETRY_PROPERTY);
                return Err(unexpected(what, &arguments[0]));
            }
            let measure = match function.id {
                Id::Area => Measure::Area,
                _ => Measure::Length,
            };
            return Ok((Term::Measure(measure), ValueType::Number));
        }
        let mut terms = Vec::with_capacity(arguments.len());
        // Of a function that gives the type of its arguments all are of the type of the first.
        let mut same: Option<ValueType> = None;
        for (i, one) in arguments.iter().enumerate() {
            let types = function.argument(i).map_or(&[][..], |a| a.types);
            let typed = self.term(one)?;
            let fits = types.contains(&typed.kind)
                && (function.results.len() == 1 || same.is_none_or(|kind| kind == typed.kind));
            if !fits {
                let what = same.filter(|_| function.results.len() > 1);
                let what = what.or(types.first().copied()).unwrap_or(typed.kind);
                return Err(unexpected(value_of_type(what), one));
            }
            same = same.or(Some(typed.kind));
            terms.push(typed.term);
        }
        let kind = match function.results {
            [only] => *only,
            _ => same.unwrap_or(ValueType::Text),
        };
        Ok((constant(Term::Call(function.id, terms)), kind))
    }

    fn shape(&self, expression: &Expression) -> Result<Shape, Invalid> {
        match &expression.kind {
            // No other property can stand here, so the name always is the geometry's.
            Kind::Property(name) if name == GEOMETRY_PROPERTY => Ok(Shape::Own),
            Kind::Geometry(geometry) => given(geometry.clone(), expression),
            Kind::Box(ends) => given(geometry_of_box(*ends, &expression.at)?, expression),
            Kind::Property(name) => {
                self.property(name, expression)?;
                Err(self.no_geometry(expression))
            }
            Kind::Function(name, arguments) => {
                self.call(name, arguments, expression)?;
                Err(self.no_geometry(expression))
            }
            _ => Err(self.no_geometry(expression)),
        }
    }

    fn no_geometry(&self, expression: &Expression) -> Invalid {
        let what = Message::new("model.filter-shape").with("name", GEOMETRY_PROPERTY);
        unexpected(what, expression)
    }

    fn span(&self, expression: &Expression) -> Result<Span, Invalid> {
        let time = |one: &Expression| {
            let typed = self.term(one)?;
            match typed.kind {
                ValueType::Date | ValueType::DateTime => Ok(typed.term),
                _ => Err(unexpected(Message::new("model.filter-time"), one)),
            }
        };
        match &expression.kind {
            Kind::Interval(ends) => {
                let end = |end: &Option<Expression>| end.as_ref().map(time).transpose();
                Ok(Span::Interval(Box::new([end(&ends[0])?, end(&ends[1])?])))
            }
            _ => time(expression).map(Span::Instant),
        }
    }

    fn array(&self, expression: &Expression) -> Result<Vec<Term>, Invalid> {
        let Kind::Array(list) = &expression.kind else {
            if let Kind::Property(_) | Kind::Function(..) = &expression.kind {
                self.term(expression)?;
            }
            return Err(unexpected(Message::new("model.filter-array"), expression));
        };
        list.iter()
            .map(|one| self.term(one).map(|typed| typed.term))
            .collect()
    }

    fn names_geometry(&self, name: &str) -> bool {
        self.grammar == Grammar::Whole
            && name == GEOMETRY_PROPERTY
            && self.schema.position(name).is_none()
    }

    fn property(&self, name: &str, expression: &Expression) -> Result<Subject, Invalid> {
        let Some(position) = self.schema.position(name) else {
            let key = match self.names_geometry(name) {
                true => "model.filter-geometry-here",
                false => "model.filter-property-unknown",
            };
            let message = Message::new(key).with_message("at", expression.at.message());
            return Err(Invalid(message.with("name", shortened(name))));
        };
        Ok(Subject {
            position,
            kind: self.schema.properties[position].kind,
        })
    }

    /// Makes two values comparable.
    ///
    /// # Errors
    /// When they are not.
    fn fit(&self, a: &mut Typed<'_>, b: &mut Typed<'_>) -> Result<(), Invalid> {
        let is_time = |kind| matches!(kind, ValueType::Date | ValueType::DateTime);
        let is_whole = self.grammar == Grammar::Whole;
        if a.kind == b.kind || (is_whole && is_time(a.kind) && is_time(b.kind)) {
            return Ok(());
        }
        if is_whole && (is_time(a.kind) && read_as_time(b) || is_time(b.kind) && read_as_time(a)) {
            return Ok(());
        }
        Err(match (&a.term, &b.term) {
            (Term::Property(subject), _) => {
                let found = shown(&b.source.to_text());
                self.unfit(*subject, b.source, found)
            }
            (_, Term::Property(subject)) => {
                let found = shown(&a.source.to_text());
                self.unfit(*subject, a.source, found)
            }
            _ => unexpected(value_of_type(a.kind), b.source),
        })
    }

    fn unfit(&self, subject: Subject, at: &Expression, found: Message) -> Invalid {
        let name = &self.schema.properties[subject.position].name;
        let message = Message::new("model.filter-type")
            .with_message("at", at.at.message())
            .with("name", name);
        Invalid(
            message
                .with_message("type", kind_name(subject.kind))
                .with_message("found", found),
        )
    }
}

/// A list: of literals of the value's type as they are looked up fastest.
fn among(value: Term, kind: ValueType, list: Vec<Term>) -> Condition {
    let literals: Option<Vec<Literal>> = list
        .iter()
        .map(|term| match term {
            Term::Literal(literal) if type_of(literal) == kind => Some(literal.clone()),
            _ => None,
        })
        .collect();
    let Some(mut literals) = literals else {
        return Condition::In(value, list);
    };
    let order = |a: &Literal, b: &Literal| {
        compare(&a.scalar(), &b.scalar()).unwrap_or(std::cmp::Ordering::Equal)
    };
    literals.sort_by(order);
    literals.dedup_by(|a, b| order(a, b).is_eq());
    Condition::Among(value, literals)
}

fn type_of(literal: &Literal) -> ValueType {
    match literal {
        Literal::Boolean(_) => ValueType::Boolean,
        Literal::Integer(_) | Literal::Real(_) => ValueType::Number,
        Literal::Text(_) => ValueType::Text,
        Literal::Date(_) => ValueType::Date,
        Literal::Instant(..) => ValueType::DateTime,
    }
}

/// Makes a date or a time of a text literal that is one.
fn read_as_time(typed: &mut Typed<'_>) -> bool {
    let Term::Literal(Literal::Text(text)) = &typed.term else {
        return false;
    };
    let Some(literal) = date_of(text).or_else(|| instant_of(text)) else {
        return false;
    };
    typed.kind = type_of(&literal);
    typed.term = Term::Literal(literal);
    true
}

/// The text of a pattern, folded as it says.
fn pattern_of(expression: &Expression) -> Result<String, Invalid> {
    let (fold, inner) = match &expression.kind {
        Kind::Literal(Literal::Text(text)) => return Ok(text.as_ref().to_owned()),
        Kind::CaseI(inner) => (Fold::Case, inner),
        Kind::AccentI(inner) => (Fold::Accent, inner),
        _ => return Err(unexpected(value_of(PropertyType::Text), expression)),
    };
    let text = pattern_of(inner)?;
    Ok(fold.of(text.into()).into_owned())
}

/// A value that reads no row, once for all.
fn constant(term: Term) -> Term {
    let is_constant = |term: &Term| matches!(term, Term::Literal(_) | Term::Unknown);
    let all_are = match &term {
        Term::Arithmetic(_, sides) => sides.iter().all(is_constant),
        Term::Fold(_, inner) => is_constant(inner),
        Term::Call(_, list) => list.iter().all(is_constant),
        _ => false,
    };
    if !all_are {
        return term;
    }
    let nothing = |_: usize| ValueRef::Null;
    match term.read(&nothing).as_ref().map(Scalar::to_literal) {
        Some(literal) => Term::Literal(literal),
        None => Term::Unknown,
    }
}

fn value_of_type(kind: ValueType) -> Message {
    match kind {
        ValueType::Boolean => value_of(PropertyType::Boolean),
        ValueType::Number => value_of(PropertyType::Real),
        ValueType::Text => value_of(PropertyType::Text),
        ValueType::Date => value_of(PropertyType::Date),
        ValueType::DateTime => value_of(PropertyType::DateTime),
        ValueType::Geometry => Message::new("model.filter-geometry"),
    }
}

#[inline(never)]
/// A literal geometry, which has to lie on the globe.
fn given(geometry: Geometry<f64>, expression: &Expression) -> Result<Shape, Invalid> {
    if let Some(Coord { x, y }) = off_globe(&geometry) {
        let message = Message::new("model.filter-off-globe")
            .with_message("at", expression.at.message())
            .with("x", x)
            .with("y", y);
        return Err(Invalid(message));
    }
    Ok(Shape::Given(geometry))
}

fn unexpected(what: Message, found: &Expression) -> Invalid {
    expected(&found.at, what, shown(&found.to_text()))
}

/// Of a name as much as an error shows.
fn shortened(name: &str) -> String {
    name.chars().take(80).collect()
}
