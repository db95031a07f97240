//! Reading a filter from CQL2 text.

use super::token::{Placed, Token, expected, shown, tokens};
use super::{Comparison, Filter, Literal, Operand, Pattern, Subject};
use crate::{
    Invalid, Message, PropertyType, Schema, days_of_date, is_date_time, microseconds_of_date_time,
};

/// Bytes of a filter's text: a list of some five hundred values, far more than a person writes.
pub const MAX_FILTER_LENGTH: usize = 8_192;

/// Parentheses in one another: reading and evaluating a filter calls itself for each, and no condition needs more.
const MAX_DEPTH: usize = 32;

impl Filter {
    /// Reads CQL2 text: "Basic CQL2" and "Advanced Comparison Operators" (OGC 21-065r2, /req/basic-cql2,
    /// /req/advanced-comparison-operators) without functions and arithmetic, and comparisons of two properties
    /// (/req/property-property).
    ///
    /// Comparisons have a property on at least one side. Keywords are read in any case, names as they are; a name that
    /// is a keyword stands in double quotes. In a text, `''` is a quote and a backslash is itself, but for LIKE.
    /// BETWEEN and comparisons work on all types; a value must be of the type of its property, so a date is `DATE('…')`,
    /// a time `TIMESTAMP('…')`.
    ///
    /// # Errors
    /// Says at which character what was expected and found instead, which property there is not, or which value does
    /// not fit the type of its property; that the text is longer than [`MAX_FILTER_LENGTH`] or too deep.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, Invalid> {
        if text.len() > MAX_FILTER_LENGTH {
            let message = Message::new("model.filter-too-long");
            return Err(Invalid(message.with("max", MAX_FILTER_LENGTH)));
        }
        let mut parser = Parser {
            tokens: tokens(text)?,
            next: 0,
            end: text.chars().count() + 1,
            depth: 0,
            schema,
        };
        let filter = parser.expression()?;
        match parser.peek() {
            None => Ok(filter),
            Some(_) => Err(parser.wrong(Message::new("model.filter-then"))),
        }
    }
}

struct Parser<'a> {
    tokens: Vec<Placed>,
    next: usize,
    /// The character behind the text.
    end: usize,
    depth: usize,
    schema: &'a Schema,
}

/// A side of a comparison with the place where it stands.
struct Side {
    operand: Operand,
    at: usize,
    text: String,
}

impl Parser<'_> {
    /// BNF `booleanExpression`.
    fn expression(&mut self) -> Result<Filter, Invalid> {
        let mut terms = vec![self.term()?];
        while self.take_word("OR") {
            terms.push(self.term()?);
        }
        Ok(one_or(terms, Filter::Or))
    }

    /// BNF `booleanTerm`.
    fn term(&mut self) -> Result<Filter, Invalid> {
        let mut factors = vec![self.factor()?];
        while self.take_word("AND") {
            factors.push(self.factor()?);
        }
        Ok(one_or(factors, Filter::And))
    }

    /// BNF `booleanFactor`.
    fn factor(&mut self) -> Result<Filter, Invalid> {
        if self.take_word("NOT") {
            return Ok(Filter::Not(Box::new(self.primary()?)));
        }
        self.primary()
    }

    /// BNF `booleanPrimary`.
    fn primary(&mut self) -> Result<Filter, Invalid> {
        let at = self.at();
        if self.take_symbol("(") {
            if self.depth == MAX_DEPTH {
                let message = Message::new("model.filter-too-deep").with("at", at);
                return Err(Invalid(message.with("max", MAX_DEPTH)));
            }
            self.depth += 1;
            let inside = self.expression()?;
            self.depth -= 1;
            self.need_symbol(")", "model.filter-closing")?;
            return Ok(inside);
        }
        let left = self.side("model.filter-condition")?;
        match left.operand {
            Operand::Property(subject) => self.condition(subject),
            Operand::Literal(Literal::Boolean(holds)) if self.comparison().is_none() => {
                Ok(Filter::Always(holds))
            }
            Operand::Literal(literal) => self.reversed(literal, left.at, &left.text),
        }
    }

    /// `5 < property`.
    fn reversed(&mut self, literal: Literal, at: usize, text: &str) -> Result<Filter, Invalid> {
        let Some(comparison) = self.comparison() else {
            return Err(self.wrong(Message::new("model.filter-operator-symbol")));
        };
        self.next += 1;
        let subject = self.property()?;
        self.fits(subject, &Operand::Literal(literal.clone()), at, text)?;
        Ok(Filter::Compare {
            subject,
            comparison: comparison.reversed(),
            with: Operand::Literal(literal),
        })
    }

    /// What is said of a property (BNF `comparisonPredicate`).
    fn condition(&mut self, subject: Subject) -> Result<Filter, Invalid> {
        if let Some(comparison) = self.comparison() {
            self.next += 1;
            let with = self.operand(subject)?;
            return Ok(Filter::Compare {
                subject,
                comparison,
                with,
            });
        }
        if self.take_word("IS") {
            let not = self.take_word("NOT");
            if !self.take_word("NULL") {
                return Err(self.wrong(Message::new("model.filter-null")));
            }
            return Ok(negated(not, Filter::IsNull(subject)));
        }
        let not = self.take_word("NOT");
        let filter = if self.take_word("IN") {
            self.list(subject)?
        } else if self.take_word("BETWEEN") {
            let low = self.operand(subject)?;
            if !self.take_word("AND") {
                return Err(self.wrong(Message::new("model.filter-and")));
            }
            let high = self.operand(subject)?;
            Filter::Between { subject, low, high }
        } else if self.is_word("LIKE") {
            self.like(subject)?
        } else {
            return Err(self.wrong(Message::new(match not {
                true => "model.filter-word-after-not",
                false => "model.filter-operator",
            })));
        };
        Ok(negated(not, filter))
    }

    fn list(&mut self, subject: Subject) -> Result<Filter, Invalid> {
        self.need_symbol("(", "model.filter-opening")?;
        let mut list = Vec::new();
        loop {
            let side = self.side("model.filter-value")?;
            self.fits(subject, &side.operand, side.at, &side.text)?;
            match side.operand {
                Operand::Literal(literal) => list.push(literal),
                Operand::Property(_) => {
                    let value = value_of(subject.kind);
                    return Err(expected(side.at, value, shown(&side.text)));
                }
            }
            if !self.take_symbol(",") {
                self.need_symbol(")", "model.filter-comma")?;
                return Ok(Filter::In { subject, list });
            }
        }
    }

    fn like(&mut self, subject: Subject) -> Result<Filter, Invalid> {
        if subject.kind != PropertyType::Text {
            return Err(self.unfit(subject, self.at(), "LIKE"));
        }
        self.next += 1;
        let pattern = match self.peek() {
            Some(Token::Text(text)) => Pattern::new(text),
            _ => return Err(self.wrong(value_of(PropertyType::Text))),
        };
        self.next += 1;
        Ok(Filter::Like { subject, pattern })
    }

    /// What a property is compared with.
    fn operand(&mut self, subject: Subject) -> Result<Operand, Invalid> {
        let side = self.side("model.filter-value")?;
        self.fits(subject, &side.operand, side.at, &side.text)?;
        Ok(side.operand)
    }

    /// A literal or a property; `what` says what is expected.
    fn side(&mut self, what: &'static str) -> Result<Side, Invalid> {
        let first = self.next;
        let at = self.at();
        let operand = match self.peek() {
            Some(Token::Number(number)) => {
                let number = number_of(number);
                let Some(number) = number else {
                    return Err(self.wrong(Message::new("model.filter-number")));
                };
                self.next += 1;
                Operand::Literal(number)
            }
            Some(Token::Text(text)) => {
                let literal = Literal::Text(text.as_str().into());
                self.next += 1;
                Operand::Literal(literal)
            }
            Some(Token::Word(_)) if self.is_word("TRUE") => {
                self.next += 1;
                Operand::Literal(Literal::Boolean(true))
            }
            Some(Token::Word(_)) if self.is_word("FALSE") => {
                self.next += 1;
                Operand::Literal(Literal::Boolean(false))
            }
            Some(Token::Word(_)) if self.is_call("DATE") => {
                let date = |text: &str| days_of_date(text).map(Literal::Date);
                Operand::Literal(self.called(PropertyType::Date, date)?)
            }
            Some(Token::Word(_)) if self.is_call("TIMESTAMP") => {
                let instant = |text: &str| {
                    let (days, micros) = microseconds_of_date_time(text)?;
                    is_date_time(text).then_some(Literal::Instant(days, micros))
                };
                Operand::Literal(self.called(PropertyType::DateTime, instant)?)
            }
            Some(Token::Word(word)) if is_keyword(word) => {
                return Err(self.wrong(Message::new(what)));
            }
            Some(Token::Word(_) | Token::Quoted(_)) => Operand::Property(self.property()?),
            _ => return Err(self.wrong(Message::new(what))),
        };
        let texts: Vec<&str> = self.tokens[first..self.next]
            .iter()
            .map(|t| t.text.as_str())
            .collect();
        Ok(Side {
            operand,
            at,
            text: texts.concat(),
        })
    }

    /// `DATE('…')` and the like (BNF `instantInstance`).
    fn called(
        &mut self,
        kind: PropertyType,
        read: impl Fn(&str) -> Option<Literal>,
    ) -> Result<Literal, Invalid> {
        self.next += 2;
        let literal = match self.peek() {
            Some(Token::Text(text)) => read(text),
            _ => None,
        };
        let literal = literal.ok_or_else(|| self.wrong(value_of(kind)))?;
        self.next += 1;
        self.need_symbol(")", "model.filter-closing")?;
        Ok(literal)
    }

    fn property(&mut self) -> Result<Subject, Invalid> {
        let name = match self.peek() {
            Some(Token::Word(name)) if !is_keyword(name) => name,
            Some(Token::Quoted(name)) => name,
            _ => return Err(self.wrong(Message::new("model.filter-property"))),
        };
        let Some(position) = self.schema.position(name) else {
            let shown: String = name.chars().take(80).collect();
            let message = Message::new("model.filter-property-unknown").with("at", self.at());
            return Err(Invalid(message.with("name", shown)));
        };
        self.next += 1;
        Ok(Subject {
            position,
            kind: self.schema.properties[position].kind,
        })
    }

    /// # Errors
    /// When a property can't be compared with an operand.
    fn fits(&self, subject: Subject, with: &Operand, at: usize, text: &str) -> Result<(), Invalid> {
        use PropertyType as Kind;
        let is_number = |kind| matches!(kind, Kind::Integer | Kind::Real);
        let fits = match (subject.kind, with) {
            (a, Operand::Property(b)) => a == b.kind || (is_number(a) && is_number(b.kind)),
            (kind, Operand::Literal(literal)) => match literal {
                Literal::Boolean(_) => kind == Kind::Boolean,
                Literal::Integer(_) | Literal::Real(_) => is_number(kind),
                Literal::Text(_) => kind == Kind::Text,
                Literal::Date(_) => kind == Kind::Date,
                Literal::Instant(..) => kind == Kind::DateTime,
            },
        };
        match fits {
            true => Ok(()),
            false => Err(self.unfit(subject, at, text)),
        }
    }

    fn unfit(&self, subject: Subject, at: usize, text: &str) -> Invalid {
        let name = &self.schema.properties[subject.position].name;
        let message = Message::new("model.filter-type")
            .with("at", at)
            .with("name", name);
        Invalid(
            message
                .with_message("type", kind_name(subject.kind))
                .with_message("found", shown(text)),
        )
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|placed| &placed.token)
    }

    fn at(&self) -> usize {
        self.tokens
            .get(self.next)
            .map_or(self.end, |placed| placed.at)
    }

    fn wrong(&self, what: Message) -> Invalid {
        let found = self.tokens.get(self.next);
        let found = found.map_or_else(
            || Message::new("model.filter-end"),
            |placed| shown(&placed.text),
        );
        expected(self.at(), what, found)
    }

    fn comparison(&self) -> Option<Comparison> {
        Some(match self.peek()? {
            Token::Symbol("=") => Comparison::Equal,
            Token::Symbol("<>") => Comparison::NotEqual,
            Token::Symbol("<") => Comparison::Less,
            Token::Symbol(">") => Comparison::Greater,
            Token::Symbol("<=") => Comparison::AtMost,
            Token::Symbol(">=") => Comparison::AtLeast,
            _ => return None,
        })
    }

    fn is_word(&self, keyword: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword))
    }

    fn take_word(&mut self, keyword: &str) -> bool {
        let is_it = self.is_word(keyword);
        self.next += usize::from(is_it);
        is_it
    }

    /// Alone these words are names as any other.
    fn is_call(&self, keyword: &str) -> bool {
        let behind = self.tokens.get(self.next + 1).map(|placed| &placed.token);
        self.is_word(keyword) && behind == Some(&Token::Symbol("("))
    }

    fn take_symbol(&mut self, symbol: &'static str) -> bool {
        let is_it = self.peek() == Some(&Token::Symbol(symbol));
        self.next += usize::from(is_it);
        is_it
    }

    fn need_symbol(&mut self, symbol: &'static str, what: &'static str) -> Result<(), Invalid> {
        match self.take_symbol(symbol) {
            true => Ok(()),
            false => Err(self.wrong(Message::new(what))),
        }
    }
}

const KEYWORDS: [&str; 10] = [
    "AND", "OR", "NOT", "IS", "NULL", "IN", "BETWEEN", "LIKE", "TRUE", "FALSE",
];

fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|k| word.eq_ignore_ascii_case(k))
}

fn one_or(mut filters: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match filters.pop() {
        Some(only) if filters.is_empty() => only,
        last => {
            filters.extend(last);
            many(filters)
        }
    }
}

fn negated(not: bool, filter: Filter) -> Filter {
    match not {
        true => Filter::Not(Box::new(filter)),
        false => filter,
    }
}

/// `None` for a number that no double holds.
fn number_of(text: &str) -> Option<Literal> {
    if let Ok(i) = text.parse() {
        return Some(Literal::Integer(i));
    }
    let real: f64 = text.parse().ok()?;
    real.is_finite().then_some(Literal::Real(real))
}

fn value_of(kind: PropertyType) -> Message {
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
