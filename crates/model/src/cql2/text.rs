//! Reading the text encoding (OGC 21-065r2, Annex B).

use super::cursor::Reader;
use super::names::is_operation;
use super::token::Token;
use super::{
    ArrayRelation, At, Decisive, Expression, Grammar, Kind, Literal, MAX_LENGTH, Operator,
    SpatialRelation, TemporalRelation, by_name, date_of, instant_of, number_of,
};
use crate::filter::{MAX_FILTER_LENGTH, value_of};
use crate::{Invalid, Message, PropertyType};

pub(super) fn read(text: &str, grammar: Grammar) -> Result<Expression, Invalid> {
    let max = match grammar {
        Grammar::Whole => MAX_LENGTH,
        Grammar::Rule => MAX_FILTER_LENGTH,
    };
    if text.len() > max {
        let message = Message::new("model.filter-too-long");
        return Err(Invalid(message.with("max", max)));
    }
    let mut reader = Reader::new(text, grammar)?;
    let expression = reader.condition(CONDITION)?;
    match reader.peek() {
        None => Ok(expression),
        Some(_) => Err(reader.wrong(Message::new(match expression.kind {
            Kind::Literal(Literal::Boolean(_)) => "model.filter-then",
            Kind::Property(_) | Kind::Literal(_) => "model.filter-operator",
            _ => "model.filter-then",
        }))),
    }
}

/// What may stand where a condition or a value may.
const CONDITION: &str = "model.filter-condition";
const VALUE: &str = "model.filter-value";

impl Reader<'_> {
    /// BNF `booleanExpression`; `what` says what is expected.
    fn condition(&mut self, what: &'static str) -> Result<Expression, Invalid> {
        let at = self.at();
        let mut terms = vec![self.term(what)?];
        while self.take_word("OR") {
            terms.push(self.term(CONDITION)?);
        }
        Ok(Expression::joined(terms, Decisive::True, at))
    }

    /// BNF `booleanTerm`.
    fn term(&mut self, what: &'static str) -> Result<Expression, Invalid> {
        let at = self.at();
        let mut factors = vec![self.factor(what)?];
        while self.take_word("AND") {
            factors.push(self.factor(CONDITION)?);
        }
        Ok(Expression::joined(factors, Decisive::False, at))
    }

    /// BNF `booleanFactor`.
    fn factor(&mut self, what: &'static str) -> Result<Expression, Invalid> {
        let at = self.at();
        if self.take_word("NOT") {
            let operand = self.primary(CONDITION)?;
            return Ok(Expression::placed(Kind::Not(Box::new(operand)), at));
        }
        self.primary(what)
    }

    /// BNF `booleanPrimary`, and whatever else may stand in its place.
    fn primary(&mut self, what: &'static str) -> Result<Expression, Invalid> {
        let is_rule = self.grammar == Grammar::Rule;
        if is_rule && self.is_symbol("(") {
            return self.group();
        }
        let left = self.value(what)?;
        let at = self.at();
        if let Some(comparison) = self.comparison() {
            self.next += 1;
            // In a rule something is said of a property.
            let right = match left.kind {
                Kind::Literal(_) if is_rule => self.property()?,
                _ => self.value(VALUE)?,
            };
            let sides = Box::new([left, right]);
            return Ok(Expression::placed(Kind::Compare(comparison, sides), at));
        }
        if is_rule && let Kind::Literal(literal) = &left.kind {
            return match literal {
                Literal::Boolean(_) => Ok(left),
                _ => Err(self.wrong(Message::new("model.filter-operator-symbol"))),
            };
        }
        if self.take_word("IS") {
            let not = self.take_word("NOT");
            if !self.take_word("NULL") {
                return Err(self.wrong(Message::new("model.filter-null")));
            }
            return Ok(negated(not, Kind::IsNull(Box::new(left)), at));
        }
        let not = self.take_word("NOT");
        let at = self.at();
        let kind = if self.take_word("IN") {
            self.need_symbol("(", "model.filter-opening")?;
            Kind::In(Box::new(left), self.list()?)
        } else if self.take_word("BETWEEN") {
            let low = self.value(VALUE)?;
            if !self.take_word("AND") {
                return Err(self.wrong(Message::new("model.filter-and")));
            }
            let high = self.value(VALUE)?;
            Kind::Between(Box::new([left, low, high]))
        } else if self.take_word("LIKE") {
            Kind::Like(Box::new([left, self.pattern()?]))
        } else if !is_rule && self.take_word("ILIKE") {
            let sides = [left, self.pattern()?].map(|side| {
                let at = side.at.clone();
                Expression::placed(Kind::CaseI(Box::new(side)), at)
            });
            Kind::Like(Box::new(sides))
        } else if not {
            return Err(self.wrong(Message::new("model.filter-word-after-not")));
        } else if is_rule {
            return Err(self.wrong(Message::new("model.filter-operator")));
        } else {
            return Ok(left);
        };
        Ok(negated(not, kind, at))
    }

    /// BNF `inList`, with what closes it.
    fn list(&mut self) -> Result<Vec<Expression>, Invalid> {
        let mut list = Vec::new();
        loop {
            list.push(self.value(VALUE)?);
            if !self.take_symbol(",") {
                self.need_symbol(")", "model.filter-comma")?;
                return Ok(list);
            }
        }
    }

    /// BNF `patternExpression`.
    fn pattern(&mut self) -> Result<Expression, Invalid> {
        let at = self.at();
        if let Some(Token::Text(text)) = self.peek() {
            let literal = Literal::Text(text.as_str().into());
            self.next += 1;
            return Ok(Expression::placed(Kind::Literal(literal), at));
        }
        let fold = match () {
            () if self.is_call("CASEI") => Kind::CaseI,
            () if self.is_call("ACCENTI") => Kind::AccentI,
            () => return Err(self.wrong(value_of(PropertyType::Text))),
        };
        self.descend()?;
        self.next += 2;
        let inside = self.pattern()?;
        self.depth -= 1;
        self.need_symbol(")", "model.filter-closing")?;
        Ok(Expression::placed(fold(Box::new(inside)), at))
    }

    /// BNF `scalarExpression` without the boolean ones.
    fn value(&mut self, what: &'static str) -> Result<Expression, Invalid> {
        match self.grammar {
            Grammar::Whole => self.arithmetic(0, what),
            Grammar::Rule => self.atom(what),
        }
    }

    /// BNF `arithmeticExpression`: operators that bind as close as `least` or closer.
    fn arithmetic(&mut self, least: u8, what: &'static str) -> Result<Expression, Invalid> {
        let mut left = self.signed(what)?;
        while let Some(operator) = self.operator()
            && operator.precedence() >= least
        {
            let at = self.at();
            self.count_operator()?;
            self.next += 1;
            // Only a power has its right side first.
            let right = match operator {
                Operator::Power => self.arithmetic(operator.precedence(), VALUE)?,
                _ => self.arithmetic(operator.precedence() + 1, VALUE)?,
            };
            let sides = Box::new([left, right]);
            left = Expression::placed(Kind::Arithmetic(operator, sides), at);
        }
        Ok(left)
    }

    /// BNF `arithmeticFactor`.
    fn signed(&mut self, what: &'static str) -> Result<Expression, Invalid> {
        let at = self.at();
        let minus = self.take_symbol("-");
        if !minus && !self.take_symbol("+") {
            return self.atom(what);
        }
        if let Some(Token::Number(number)) = self.peek() {
            let text = match minus {
                true => format!("-{number}"),
                false => (*number).to_owned(),
            };
            return self.number(&text, at);
        }
        self.count_operator()?;
        let operand = self.atom(VALUE)?;
        if !minus {
            return Ok(operand);
        }
        let one = Expression::placed(Kind::Literal(Literal::Integer(-1)), at.clone());
        let sides = Box::new([one, operand]);
        Ok(Expression::placed(
            Kind::Arithmetic(Operator::Times, sides),
            at,
        ))
    }

    fn number(&mut self, text: &str, at: At) -> Result<Expression, Invalid> {
        let Some(number) = number_of(text) else {
            return Err(self.wrong(Message::new("model.filter-number")));
        };
        self.next += 1;
        Ok(Expression::placed(Kind::Literal(number), at))
    }

    /// What no operator divides.
    fn atom(&mut self, what: &'static str) -> Result<Expression, Invalid> {
        let at = self.at();
        let literal = match self.peek() {
            Some(Token::Number(number)) => {
                let number = *number;
                return self.number(number, at);
            }
            Some(Token::Text(text)) => Literal::Text(text.as_str().into()),
            Some(Token::Word(_)) if self.is_word("TRUE") => Literal::Boolean(true),
            Some(Token::Word(_)) if self.is_word("FALSE") => Literal::Boolean(false),
            Some(Token::Word(word)) if !is_keyword(word) => return self.named(),
            Some(Token::Quoted(_)) => return self.named(),
            Some(Token::Symbol("(")) if self.grammar == Grammar::Whole => return self.group(),
            _ => return Err(self.wrong(Message::new(what))),
        };
        self.next += 1;
        Ok(Expression::placed(Kind::Literal(literal), at))
    }

    /// `(…)`: an expression, or several as an array.
    fn group(&mut self) -> Result<Expression, Invalid> {
        let (at, first) = (self.at(), self.next);
        self.descend()?;
        self.next += 1;
        if self.grammar == Grammar::Whole && self.take_symbol(")") {
            self.depth -= 1;
            self.lone = None;
            return Ok(Expression::placed(Kind::Array(Vec::new()), at));
        }
        let (second, mut inside) = (self.next, self.condition(CONDITION)?);
        if self.grammar == Grammar::Whole && self.is_symbol(",") {
            inside = self.lone_as_array(second, inside);
            let mut list = vec![inside];
            while self.take_symbol(",") {
                list.push(self.element()?);
            }
            inside = Expression::placed(Kind::Array(list), at);
            self.need_symbol(")", "model.filter-comma")?;
            self.lone = None;
        } else {
            let within = self.lone_pairs(second);
            self.need_symbol(")", "model.filter-closing")?;
            self.lone = Some((first, self.next, within + 1));
        }
        self.depth -= 1;
        Ok(inside)
    }

    /// BNF `arrayElement`.
    fn element(&mut self) -> Result<Expression, Invalid> {
        let first = self.next;
        let element = self.condition(VALUE)?;
        Ok(self.lone_as_array(first, element))
    }

    /// Pairs of parentheses around all that was read since a token.
    fn lone_pairs(&self, first: usize) -> usize {
        match self.lone {
            Some((from, to, pairs)) if (from, to) == (first, self.next) => pairs,
            _ => 0,
        }
    }

    /// An element that is nothing but `(x)` is an array of one.
    fn lone_as_array(&self, first: usize, element: Expression) -> Expression {
        (0..self.lone_pairs(first)).fold(element, |element, _| {
            let at = element.at.clone();
            Expression::placed(Kind::Array(vec![element]), at)
        })
    }

    /// What begins with a name: a property, a literal or a function.
    fn named(&mut self) -> Result<Expression, Invalid> {
        let is_call = self.is_symbol_at(1, "(");
        let word = match self.peek() {
            Some(Token::Word(word)) => *word,
            Some(Token::Quoted(_)) if is_call && self.grammar == Grammar::Whole => {
                return self.function();
            }
            _ => return self.property(),
        };
        let at = self.at();
        if !is_call {
            return match self.grammar {
                Grammar::Whole if self.is_geometry() => {
                    let geometry = self.geometry()?;
                    Ok(Expression::placed(Kind::Geometry(geometry), at))
                }
                _ => self.property(),
            };
        }
        let called = |name: &str| word.eq_ignore_ascii_case(name);
        if called("DATE") {
            let kind = Kind::Literal(self.called(PropertyType::Date, date_of)?);
            return Ok(Expression::placed(kind, at));
        }
        if called("TIMESTAMP") {
            let kind = Kind::Literal(self.called(PropertyType::DateTime, instant_of)?);
            return Ok(Expression::placed(kind, at));
        }
        if self.grammar == Grammar::Rule {
            return self.property();
        }
        if self.is_geometry() {
            let geometry = self.geometry()?;
            return Ok(Expression::placed(Kind::Geometry(geometry), at));
        }
        self.descend()?;
        let kind = if let Some(relation) = by_name(&SpatialRelation::ALL, word) {
            Kind::Spatial(relation, self.two(Self::argument)?)
        } else if let Some(relation) = by_name(&TemporalRelation::ALL, word) {
            Kind::Temporal(relation, self.two(Self::argument)?)
        } else if let Some(relation) = by_name(&ArrayRelation::ALL, word) {
            Kind::ArrayRelation(relation, self.two(Self::array)?)
        } else if called("INTERVAL") {
            Kind::Interval(self.two(Self::end_of_interval)?)
        } else if called("BBOX") {
            Kind::Box(self.bbox()?)
        } else if called("CASEI") || called("ACCENTI") {
            let fold = match called("CASEI") {
                true => Kind::CaseI,
                false => Kind::AccentI,
            };
            self.next += 2;
            let inside = self.argument()?;
            self.need_symbol(")", "model.filter-closing")?;
            fold(Box::new(inside))
        } else {
            self.depth -= 1;
            return self.function();
        };
        self.depth -= 1;
        Ok(Expression::placed(kind, at))
    }

    fn property(&mut self) -> Result<Expression, Invalid> {
        let at = self.at();
        let name = match self.peek() {
            Some(Token::Word(name)) if !is_keyword(name) => (*name).to_owned(),
            Some(Token::Quoted(name)) => name.clone(),
            _ => return Err(self.wrong(Message::new("model.filter-property"))),
        };
        self.next += 1;
        Ok(Expression::placed(Kind::Property(name), at))
    }

    /// BNF `function`.
    fn function(&mut self) -> Result<Expression, Invalid> {
        let at = self.at();
        let name = match self.peek() {
            Some(Token::Word(name)) if !is_operation(name) => (*name).to_owned(),
            Some(Token::Quoted(name)) if !is_operation(name) => name.clone(),
            _ => return Err(self.wrong(Message::new("model.filter-function"))),
        };
        self.descend()?;
        self.next += 2;
        let mut arguments = Vec::new();
        if !self.take_symbol(")") {
            loop {
                arguments.push(self.argument()?);
                if !self.take_symbol(",") {
                    self.need_symbol(")", "model.filter-comma")?;
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(Expression::placed(Kind::Function(name, arguments), at))
    }

    fn argument(&mut self) -> Result<Expression, Invalid> {
        self.condition(VALUE)
    }

    /// BNF `arrayExpression`.
    fn array(&mut self) -> Result<Expression, Invalid> {
        self.element()
    }

    /// Two arguments behind a name, each read by `read`.
    fn two<T>(
        &mut self,
        read: fn(&mut Self) -> Result<T, Invalid>,
    ) -> Result<Box<[T; 2]>, Invalid> {
        self.next += 2;
        let first = read(self)?;
        self.need_symbol(",", "model.filter-comma-only")?;
        let second = read(self)?;
        self.need_symbol(")", "model.filter-closing")?;
        Ok(Box::new([first, second]))
    }

    /// BNF `instantParameter`.
    fn end_of_interval(&mut self) -> Result<Option<Expression>, Invalid> {
        let at = self.at();
        if let Some(Token::Text(text)) = self.peek() {
            if text == ".." {
                self.next += 1;
                return Ok(None);
            }
            let Some(literal) = date_of(text).or_else(|| instant_of(text)) else {
                return Err(self.wrong(Message::new("model.filter-interval-end")));
            };
            self.next += 1;
            return Ok(Some(Expression::placed(Kind::Literal(literal), at)));
        }
        match self.peek() {
            Some(Token::Word(word)) if !is_keyword(word) => self.named().map(Some),
            Some(Token::Quoted(_)) => self.named().map(Some),
            _ => Err(self.wrong(Message::new("model.filter-interval-end"))),
        }
    }

    /// BNF `bboxText`: four numbers, or six with the heights, which are left out.
    fn bbox(&mut self) -> Result<[f64; 4], Invalid> {
        self.next += 2;
        let mut numbers = vec![self.coordinate()?];
        while self.take_symbol(",") {
            numbers.push(self.coordinate()?);
        }
        let ends = match numbers[..] {
            [w, s, e, n] | [w, s, _, e, n, _] => [w, s, e, n],
            _ => return Err(self.wrong(Message::new("model.filter-box-numbers"))),
        };
        self.need_symbol(")", "model.filter-closing")?;
        Ok(ends)
    }

    /// A number of a position.
    pub(super) fn coordinate(&mut self) -> Result<f64, Invalid> {
        let sign = match () {
            () if self.take_symbol("-") => -1.0,
            () => {
                self.take_symbol("+");
                1.0
            }
        };
        let number = match self.peek() {
            Some(Token::Number(number)) => number.parse().ok().filter(|x: &f64| x.is_finite()),
            _ => None,
        };
        let Some(number) = number else {
            return Err(self.wrong(Message::new("model.filter-coordinate")));
        };
        self.next += 1;
        Ok(sign * number)
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
}

const KEYWORDS: [&str; 10] = [
    "AND", "OR", "NOT", "IS", "NULL", "IN", "BETWEEN", "LIKE", "TRUE", "FALSE",
];

pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|k| word.eq_ignore_ascii_case(k))
}

fn negated(not: bool, kind: Kind, at: At) -> Expression {
    let expression = Expression::placed(kind, at.clone());
    match not {
        true => Expression::placed(Kind::Not(Box::new(expression)), at),
        false => expression,
    }
}
