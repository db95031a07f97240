//! Where the reader of the text encoding is, and what stands there.

use super::token::{Placed, Token, tokens};
use super::{
    At, Comparison, Grammar, MAX_DEPTH, MAX_OPERATORS, Operator, by_name, expected, shown,
};
use crate::{Invalid, Message};

/// Parentheses in one another of a rule: no condition of a rule needs more.
const MAX_RULE_DEPTH: usize = 32;

pub(super) struct Reader<'t> {
    tokens: Vec<Placed<'t>>,
    pub(super) next: usize,
    /// The character behind the text.
    end: usize,
    pub(super) depth: usize,
    pub(super) operators: usize,
    pub(super) positions: usize,
    /// The tokens that the last parentheses around a single expression stand between, and how many pairs they are.
    pub(super) lone: Option<(usize, usize, usize)>,
    pub(super) grammar: Grammar,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, grammar: Grammar) -> Result<Self, Invalid> {
        Ok(Self {
            tokens: tokens(text, grammar)?,
            next: 0,
            end: text.chars().count() + 1,
            depth: 0,
            operators: 0,
            positions: 0,
            lone: None,
            grammar,
        })
    }

    pub(super) fn comparison(&self) -> Option<Comparison> {
        match self.peek()? {
            Token::Symbol("!=") => Some(Comparison::NotEqual),
            Token::Symbol(symbol) => by_name(&Comparison::ALL, symbol),
            _ => None,
        }
    }

    pub(super) fn operator(&self) -> Option<Operator> {
        match self.peek()? {
            Token::Symbol(symbol) => by_name(&Operator::ALL, symbol),
            Token::Word(word) => by_name(&Operator::ALL, word),
            _ => None,
        }
    }

    pub(super) fn count_operator(&mut self) -> Result<(), Invalid> {
        self.operators += 1;
        if self.operators <= MAX_OPERATORS {
            return Ok(());
        }
        let message = Message::new("model.filter-too-many-operators");
        let message = message.with_message("at", self.at().message());
        Err(Invalid(message.with("max", MAX_OPERATORS)))
    }

    pub(super) fn descend(&mut self) -> Result<(), Invalid> {
        let max = match self.grammar {
            Grammar::Whole => MAX_DEPTH,
            Grammar::Rule => MAX_RULE_DEPTH,
        };
        if self.depth < max {
            self.depth += 1;
            return Ok(());
        }
        let message = Message::new("model.filter-too-deep").with_message("at", self.at().message());
        Err(Invalid(message.with("max", max)))
    }

    pub(super) fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.next).map(|placed| &placed.token)
    }

    /// The word that is `ahead` tokens ahead.
    pub(super) fn word(&self, ahead: usize) -> Option<&'t str> {
        match self.tokens.get(self.next + ahead)?.token {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn at(&self) -> At {
        let placed = self.tokens.get(self.next);
        At::Character(placed.map_or(self.end, |placed| placed.at))
    }

    pub(super) fn wrong(&self, what: Message) -> Invalid {
        let found = self.tokens.get(self.next);
        let found = found.map_or_else(
            || Message::new("model.filter-end"),
            |placed| shown(placed.text),
        );
        expected(&self.at(), what, found)
    }

    pub(super) fn is_word(&self, keyword: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn take_word(&mut self, keyword: &str) -> bool {
        let is_it = self.is_word(keyword);
        self.next += usize::from(is_it);
        is_it
    }

    /// Alone these words are names as any other.
    pub(super) fn is_call(&self, keyword: &str) -> bool {
        self.is_word(keyword) && self.is_symbol_at(1, "(")
    }

    pub(super) fn is_symbol_at(&self, ahead: usize, symbol: &'static str) -> bool {
        let token = self.tokens.get(self.next + ahead);
        token.is_some_and(|placed| placed.token == Token::Symbol(symbol))
    }

    pub(super) fn is_symbol(&self, symbol: &'static str) -> bool {
        self.is_symbol_at(0, symbol)
    }

    pub(super) fn take_symbol(&mut self, symbol: &'static str) -> bool {
        let is_it = self.is_symbol(symbol);
        self.next += usize::from(is_it);
        is_it
    }

    pub(super) fn need_symbol(
        &mut self,
        symbol: &'static str,
        what: &'static str,
    ) -> Result<(), Invalid> {
        match self.take_symbol(symbol) {
            true => Ok(()),
            false => Err(self.wrong(Message::new(what))),
        }
    }
}
