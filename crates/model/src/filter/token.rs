//! The words of a filter's text.

use crate::{Invalid, Message};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name or a keyword.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// A text in single quotes.
    Text(String),
    /// As it stands.
    Number(String),
    /// `=`, `<>`, `<`, `>`, `<=`, `>=`, `(`, `)`, `,`.
    Symbol(&'static str),
}

/// A token, the character that it begins with, counted from 1, and its text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) at: usize,
    pub(super) text: String,
}

/// Two-character symbols first.
const SYMBOLS: [&str; 9] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", ","];

/// Characters of what was found that an error shows.
const SHOWN: usize = 40;

pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, Invalid> {
    let mut tokens = Vec::new();
    let (mut rest, mut at) = (text, 1);
    while let Some(c) = rest.chars().next() {
        let (token, length) = if c.is_whitespace() {
            (None, c.len_utf8())
        } else {
            let (token, length) = token(rest, at)?;
            (Some(token), length)
        };
        let (taken, behind) = rest.split_at(length);
        tokens.extend(token.map(|token| Placed {
            token,
            at,
            text: taken.to_owned(),
        }));
        at += taken.chars().count();
        rest = behind;
    }
    Ok(tokens)
}

/// The token that a text begins with, and its length in bytes.
fn token(text: &str, at: usize) -> Result<(Token, usize), Invalid> {
    let symbol = SYMBOLS.into_iter().find(|s| text.starts_with(s));
    if let Some(symbol) = symbol {
        return Ok((Token::Symbol(symbol), symbol.len()));
    }
    if let Some(found) = number(text) {
        return Ok((Token::Number(found.to_owned()), found.len()));
    }
    let first = text.chars().next().unwrap_or_default();
    if first == '\'' || first == '"' {
        let (inside, length) = quoted(text, first).ok_or_else(|| {
            let quote = Message::new("model.filter-quote").with("quote", first);
            let end = at + text.chars().count();
            expected(end, quote, Message::new("model.filter-end"))
        })?;
        return Ok(match first {
            '"' => (Token::Quoted(inside), length),
            _ => (Token::Text(inside), length),
        });
    }
    if is_start(first) {
        let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
        return Ok((Token::Word(text[..end].to_owned()), end));
    }
    let message = Message::new("model.filter-character").with("at", at);
    Err(Invalid(message.with("found", first)))
}

/// A number with its sign (BNF `numericLiteral`). Since there is no arithmetic, a sign is always a number's.
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

/// Whether a name without quotes may begin so (BNF `identifierStart`).
fn is_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == ':'
}

/// Whether it may go on so (BNF `identifierPart`).
fn is_part(c: char) -> bool {
    is_start(c)
        || c.is_numeric()
        || matches!(
            c,
            '.' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}' | '\u{2040}'
        )
}

/// An error that says where, what was expected and what was found.
pub(super) fn expected(at: usize, expected: Message, found: Message) -> Invalid {
    let message = Message::new("model.filter-expected").with("at", at);
    Invalid(
        message
            .with_message("expected", expected)
            .with_message("found", found),
    )
}

/// The beginning of a text, for an error.
pub(super) fn shown(text: &str) -> Message {
    let text: String = text.chars().take(SHOWN).collect();
    Message::new("model.filter-found").with("text", text)
}
