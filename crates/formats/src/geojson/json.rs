//! A pull parser for JSON text (RFC 8259) that keeps numbers as written and tells where a fault is.
//!
//! Features are turned into WKB and values while they are read: a tree of a large polygon would take some
//! twenty times its bytes, and a general parser would round integers past 64 bits before they could be kept as text.

use std::borrow::Cow;

use model::Message;

use crate::limits::MAX_DEPTH;

/// A place in the text that cannot be taken, and why.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    /// Byte offset in the text.
    pub(crate) at: usize,
    /// The member at fault, when it is one property.
    pub(crate) field: Option<String>,
    pub(crate) reason: Message,
}

impl Fault {
    pub(crate) fn new(at: usize, key: &'static str) -> Self {
        Self::from_message(at, Message::new(key))
    }

    pub(crate) fn from_message(at: usize, reason: Message) -> Self {
        Self {
            at,
            field: None,
            reason,
        }
    }
}

pub(crate) type Parsed<T> = Result<T, Fault>;

/// A value that is not looked into.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Raw<'a> {
    Null,
    Boolean(bool),
    /// A literal of the JSON grammar.
    Number(&'a str),
    String(Cow<'a, str>),
    /// The text of an array or object.
    Nested(&'a str),
}

/// A remembered position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(usize, usize);

/// A position in a JSON text.
pub(crate) struct Json<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    depth: usize,
}

impl<'a> Json<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            pos: 0,
            depth: 0,
        }
    }

    pub(crate) fn position(&self) -> usize {
        self.pos
    }

    /// A place to come back to.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.pos, self.depth)
    }

    pub(crate) fn back_to(&mut self, Mark(pos, depth): Mark) {
        (self.pos, self.depth) = (pos, depth);
    }

    /// The next byte that is not white space.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.pos) {
            self.pos += 1;
        }
        self.bytes.get(self.pos).copied()
    }

    /// Expects the end of the text.
    pub(crate) fn finish(&mut self) -> Parsed<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.syntax()),
        }
    }

    /// Calls `each` with every member's name, positioned at its value, which `each` must consume.
    pub(crate) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, Cow<'a, str>) -> Parsed<()>,
    ) -> Parsed<()> {
        self.open(b'{')?;
        if self.peek() == Some(b'}') {
            return self.close();
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.syntax());
            }
            let name = self.string()?;
            self.expect(b':')?;
            each(self, name)?;
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b'}') => return self.close(),
                _ => return Err(self.syntax()),
            }
        }
    }

    /// Calls `each` positioned at every element, which `each` must consume.
    pub(crate) fn array(&mut self, mut each: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        self.open(b'[')?;
        if self.peek() == Some(b']') {
            return self.close();
        }
        loop {
            each(self)?;
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b']') => return self.close(),
                _ => return Err(self.syntax()),
            }
        }
    }

    /// Any value; arrays and objects are checked and given as text.
    pub(crate) fn value(&mut self) -> Parsed<Raw<'a>> {
        match self.peek() {
            Some(b'"') => self.string().map(Raw::String),
            Some(b'{' | b'[') => self.skip().map(Raw::Nested),
            Some(b'-' | b'0'..=b'9') => self.number().map(Raw::Number),
            Some(b't') => self.word("true").map(|()| Raw::Boolean(true)),
            Some(b'f') => self.word("false").map(|()| Raw::Boolean(false)),
            Some(b'n') => self.word("null").map(|()| Raw::Null),
            _ => Err(self.syntax()),
        }
    }

    /// Passes over any value, checked, and gives its text.
    pub(crate) fn skip(&mut self) -> Parsed<&'a str> {
        let first = self.peek();
        let start = self.pos;
        match first {
            Some(b'{') => self.object(|json, _| json.skip().map(|_| ()))?,
            Some(b'[') => self.array(|json| json.skip().map(|_| ()))?,
            Some(b'"') => self.pass_string()?,
            _ => {
                self.value()?;
            }
        }
        Ok(&self.text[start..self.pos])
    }

    /// A string without its quotes, unescaped.
    pub(crate) fn string(&mut self) -> Parsed<Cow<'a, str>> {
        self.peek();
        let start = self.pos;
        self.pass_string()?;
        let inner = &self.text[start + 1..self.pos - 1];
        if !inner.contains('\\') {
            return Ok(Cow::Borrowed(inner));
        }
        let whole = &self.text[start..self.pos];
        serde_json::from_str::<String>(whole)
            .map(Cow::Owned)
            .map_err(|_bad_escape| Fault::new(start, "formats.json-syntax"))
    }

    fn pass_string(&mut self) -> Parsed<()> {
        let start = self.pos;
        let mut escaped = false;
        self.pos += 1;
        loop {
            match self.bytes.get(self.pos) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.pos += 2;
                }
                Some(0..0x20) | None => return Err(self.syntax()),
                Some(_) => self.pos += 1,
            }
        }
        self.pos += 1;
        if escaped {
            let whole = &self.text[start..self.pos];
            serde_json::from_str::<String>(whole)
                .map_err(|_bad_escape| Fault::new(start, "formats.json-syntax"))?;
        }
        Ok(())
    }

    /// A number as written.
    pub(crate) fn number(&mut self) -> Parsed<&'a str> {
        self.peek();
        let start = self.pos;
        if self.bytes.get(self.pos) == Some(&b'-') {
            self.pos += 1;
        }
        match self.digits() {
            0 => return Err(self.syntax()),
            1 => {}
            // A leading zero stands alone.
            n if self.bytes[self.pos - n] == b'0' => return Err(self.syntax()),
            _ => {}
        }
        if self.bytes.get(self.pos) == Some(&b'.') {
            self.pos += 1;
            if self.digits() == 0 {
                return Err(self.syntax());
            }
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.pos) {
            self.pos += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.pos) {
                self.pos += 1;
            }
            if self.digits() == 0 {
                return Err(self.syntax());
            }
        }
        Ok(&self.text[start..self.pos])
    }

    /// A finite number. Exact: the nearest double to the text.
    pub(crate) fn float(&mut self) -> Parsed<f64> {
        self.peek();
        let start = self.pos;
        if let Some(value) = self.short_decimal() {
            return Ok(value);
        }
        self.pos = start;
        let text = self.number()?;
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(Fault::new(start, "formats.json-number-too-large")),
        }
    }

    /// Plain decimals of at most 15 digits, which coordinates are: digits and power of ten are both exact doubles, so
    /// one division rounds once, as the nearest double needs.
    fn short_decimal(&mut self) -> Option<f64> {
        let negative = self.bytes.get(self.pos) == Some(&b'-');
        let first = self.pos + usize::from(negative);
        let mut at = first;
        let mut digits: u64 = 0;
        let mut point = None;
        while let Some(&b) = self.bytes.get(at) {
            match b {
                b'0'..=b'9' if at - first < 16 => digits = digits * 10 + u64::from(b - b'0'),
                b'.' if point.is_none() && at > first => point = Some(at),
                b'0'..=b'9' | b'.' | b'e' | b'E' => return None,
                _ => break,
            }
            at += 1;
        }
        let count = at - first - usize::from(point.is_some());
        let decimals = point.map_or(0, |p| at - p - 1);
        let leading_zero =
            self.bytes.get(first) == Some(&b'0') && point.is_none_or(|p| p != first + 1);
        if count == 0
            || count > 15
            || point == Some(at.wrapping_sub(1))
            || (leading_zero && count > 1)
        {
            return None;
        }
        self.pos = at;
        let value = digits as f64 / POWERS_OF_TEN[decimals];
        Some(if negative { -value } else { value })
    }

    fn digits(&mut self) -> usize {
        let start = self.pos;
        while let Some(b'0'..=b'9') = self.bytes.get(self.pos) {
            self.pos += 1;
        }
        self.pos - start
    }

    fn word(&mut self, word: &str) -> Parsed<()> {
        if !self.bytes[self.pos..].starts_with(word.as_bytes()) {
            return Err(self.syntax());
        }
        self.pos += word.len();
        Ok(())
    }

    fn expect(&mut self, byte: u8) -> Parsed<()> {
        if self.peek() != Some(byte) {
            return Err(self.syntax());
        }
        self.pos += 1;
        Ok(())
    }

    fn open(&mut self, byte: u8) -> Parsed<()> {
        if self.peek() == Some(byte) && self.depth >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        self.expect(byte)?;
        self.depth += 1;
        Ok(())
    }

    fn close(&mut self) -> Parsed<()> {
        self.pos += 1;
        self.depth -= 1;
        Ok(())
    }

    fn too_deep(&self) -> Fault {
        let reason = Message::new("formats.json-too-deep").with("max", MAX_DEPTH);
        Fault::from_message(self.pos, reason)
    }

    /// What stands here cannot stand here.
    pub(crate) fn syntax(&self) -> Fault {
        let key = if self.pos >= self.bytes.len() {
            "formats.json-ends-early"
        } else {
            "formats.json-syntax"
        };
        Fault::new(self.pos.min(self.bytes.len()), key)
    }
}

/// Exact as doubles up to 10^22.
const POWERS_OF_TEN: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// JSON text without white space between its parts.
pub(crate) fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if !in_string && matches!(c, ' ' | '\n' | '\r' | '\t') {
            continue;
        }
        out.push(c);
        in_string = match c {
            '"' => escaped || !in_string,
            _ => in_string,
        };
        escaped = in_string && c == '\\' && !escaped;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn accepts(text: &str) -> bool {
        let mut json = Json::new(text);
        json.skip().is_ok() && json.finish().is_ok()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// serde_json is the witness for what is JSON.
        #[test]
        fn what_is_json_is_what_serde_json_says(text in r#"[{}\[\]":,ab\\ntu0123.eE+\-  l]{0,24}"#) {
            let theirs = serde_json::from_str::<&RawValue>(&text).is_ok();
            prop_assert_eq!(accepts(&text), theirs, "{}", text);
        }

        #[test]
        fn numbers_are_the_nearest_doubles(text in r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,2})?") {
            let ours = Json::new(&text).float().unwrap();
            prop_assert_eq!(ours.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
        }
    }

    #[test]
    fn values_come_with_their_text() {
        let mut json = Json::new(r#" {"a\n":[1, {"b":"]"}],"n":-1.50e3} "#);
        let mut seen = Vec::new();
        json.object(|json, name| {
            seen.push((name.into_owned(), json.value()?));
            Ok(())
        })
        .unwrap();
        let expect = [
            ("a\n".to_owned(), Raw::Nested(r#"[1, {"b":"]"}]"#)),
            ("n".to_owned(), Raw::Number("-1.50e3")),
        ];
        assert_eq!(seen, expect);
        assert_eq!(compact(r#"[1, {"b c": "\" ]"}]"#), r#"[1,{"b c":"\" ]"}]"#);
    }

    #[test]
    fn depth_has_an_end_and_never_the_stack() {
        let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(accepts(&deep(MAX_DEPTH)));
        assert!(!accepts(&deep(MAX_DEPTH + 1)));
        assert!(!accepts(&"{\"a\":".repeat(1_000_000)));
    }
}
