//! The words of a filter's text.

use super::{At, Grammar, expected};
use crate::{Invalid, Message};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'t> {
    /// A name or a keyword.
    Word(&'t str),
    /// A name in double quotes.
    Quoted(String),
    /// A text in single quotes.
    Text(String),
    /// As it stands.
    Number(&'t str),
    /// One of [`SYMBOLS`].
    Symbol(&'static str),
}

/// A token, the character that it begins with, counted from 1, and its text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed<'t> {
    pub(super) token: Token<'t>,
    pub(super) at: usize,
    pub(super) text: &'t str,
}

/// Two-character symbols first; those of rules before the others.
const SYMBOLS: [&str; 16] = [
    "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", "!=", "+", "-", "*", "/", "%", "^",
];
const RULE_SYMBOLS: usize = 9;

pub(super) fn tokens(text: &str, grammar: Grammar) -> Result<Vec<Placed<'_>>, Invalid> {
    let mut tokens = Vec::new();
    let (mut rest, mut at) = (text, 1);
    while let Some(c) = rest.chars().next() {
        let (token, length) = if c.is_whitespace() {
            (None, c.len_utf8())
        } else {
            let (token, length) = token(rest, at, grammar)?;
            (Some(token), length)
        };
        let (taken, behind) = rest.split_at(length);
        tokens.extend(token.map(|token| Placed {
            token,
            at,
            text: taken,
        }));
        at += taken.chars().count();
        rest = behind;
    }
    Ok(tokens)
}

/// The token that a text begins with, and its length in bytes.
fn token(text: &str, at: usize, grammar: Grammar) -> Result<(Token<'_>, usize), Invalid> {
    let symbols = match grammar {
        Grammar::Whole => &SYMBOLS[..],
        Grammar::Rule => &SYMBOLS[..RULE_SYMBOLS],
    };
    if let Some(symbol) = symbols.iter().find(|s| text.starts_with(**s)) {
        return Ok((Token::Symbol(symbol), symbol.len()));
    }
    if let Some(found) = number(text) {
        return Ok((Token::Number(found), found.len()));
    }
    let first = text.chars().next().unwrap_or_default();
    if first == '\'' || first == '"' {
        let backslash_escapes = first == '\'' && grammar == Grammar::Whole;
        let inside = match backslash_escapes {
            true => escaped(text),
            false => quoted(text, first),
        };
        let (inside, length) = inside.ok_or_else(|| {
            let quote = Message::new("model.filter-quote").with("quote", first);
            let end = At::Character(at + text.chars().count());
            expected(&end, quote, Message::new("model.filter-end"))
        })?;
        return Ok(match first {
            '"' => (Token::Quoted(inside), length),
            _ => (Token::Text(inside), length),
        });
    }
    if is_start(first) {
        let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
        return Ok((Token::Word(&text[..end]), end));
    }
    let message = Message::new("model.filter-character");
    let message = message.with_message("at", At::Character(at).message());
    Err(Invalid(message.with("found", first)))
}

/// A number (BNF `numericLiteral`). Its sign is part of it in rules only, where there is no arithmetic; else a sign is a
/// symbol before this is asked.
fn number(text: &str) -> Option<&str> {
    let digits = |at: usize| -> usize {
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        rest.iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let mut end = usize::from(text.starts_with(['-', '+']));
    let whole = digits(end);
    end += whole;
    let mut fraction = 0;
    if text[end..].starts_with('.') {
        fraction = digits(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['-', '+']));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    Some(&text[..end])
}

/// What stands between quotes, where two of them stand for one, and its length with them; `None` when it is not closed.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut inside = String::new();
    let mut at = 1;
    loop {
        let end = at + text[at..].find(quote)?;
        inside.push_str(&text[at..end]);
        at = end + 1;
        if !text[at..].starts_with(quote) {
            return Some((inside, at));
        }
        inside.push(quote);
        at += 1;
    }
}

/// The same of a text where a backslash escapes (/req/cql2-text/escaping).
fn escaped(text: &str) -> Option<(String, usize)> {
    let mut inside = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    loop {
        match chars.next()? {
            (at, '\'') => {
                if chars.next_if(|(_, c)| *c == '\'').is_none() {
                    return Some((inside, at + 1));
                }
                inside.push('\'');
            }
            (_, '\\') => {
                let known = chars.peek().and_then(|(_, c)| control(*c));
                match known {
                    Some(meant) => {
                        inside.push(meant);
                        chars.next();
                    }
                    None => inside.push('\\'),
                }
            }
            (_, c) => inside.push(c),
        }
    }
}

/// What a character behind a backslash stands for.
fn control(c: char) -> Option<char> {
    Some(match c {
        '\'' | '\\' => c,
        _ => ESCAPES.iter().find(|(letter, _)| *letter == c)?.1,
    })
}

/// The letters behind a backslash and the control characters that they stand for (/req/cql2-text/escaping C).
pub(super) const ESCAPES: [(char, char); 7] = [
    ('a', '\u{7}'),
    ('b', '\u{8}'),
    ('t', '\t'),
    ('n', '\n'),
    ('v', '\u{b}'),
    ('f', '\u{c}'),
    ('r', '\r'),
];

/// Whether a name without quotes may begin so (BNF `identifierStart`).
pub(super) fn is_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == ':'
}

/// Whether it may go on so (BNF `identifierPart`).
pub(super) fn is_part(c: char) -> bool {
    is_start(c)
        || c.is_numeric()
        || matches!(
            c,
            '.' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}' | '\u{2040}'
        )
}
