//! The types of properties, learnt from every value of a file.

use std::borrow::Cow;
use std::collections::HashMap;

use model::{Message, Property, PropertyType, Schema, Value, is_date, is_date_time};

use crate::Error;
use crate::limits::{MAX_PROPERTIES, shown};

/// What one value could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    /// At most 2^53, so a double holds it too.
    Integer,
    /// Within 64 bits, past 2^53.
    LongInteger,
    /// Past 64 bits: only text keeps its digits.
    HugeInteger,
    Real,
    Date,
    DateTime,
    Text,
    /// A JSON array or object.
    Nested,
}

impl Kind {
    /// Of a number as written; `None` when it is past the doubles.
    pub(crate) fn of_number(literal: &str) -> Option<Self> {
        let digits = literal.strip_prefix('-').unwrap_or(literal);
        // A negative zero is no integer: its sign would be lost.
        if literal != "-0" && digits.bytes().all(|b| b.is_ascii_digit()) {
            return Some(match literal.parse::<i64>() {
                Ok(i) if i.unsigned_abs() <= 1 << 53 => Self::Integer,
                Ok(_) => Self::LongInteger,
                Err(_) => Self::HugeInteger,
            });
        }
        let value = literal.parse::<f64>().ok()?;
        value.is_finite().then_some(Self::Real)
    }

    pub(crate) fn of_text(text: &str) -> Self {
        // Both begin with a digit; most texts do not.
        if !text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            Self::Text
        } else if is_date(text) {
            Self::Date
        } else if is_date_time(text) {
            Self::DateTime
        } else {
            Self::Text
        }
    }

    fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

/// All kinds that one column was seen with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen(u16);

impl Seen {
    pub(crate) fn add(&mut self, kind: Kind) {
        if kind != Kind::Null {
            self.0 |= kind.bit();
        }
    }

    fn only(self, kinds: &[Kind]) -> bool {
        let allowed = kinds.iter().fold(0, |bits, k| bits | k.bit());
        self.0 & !allowed == 0
    }

    fn has(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// The narrowest type that loses nothing. A column without any value is text.
    pub(crate) fn property_type(self) -> PropertyType {
        use Kind::*;
        match self {
            Seen(0) => PropertyType::Text,
            s if s.only(&[Boolean]) => PropertyType::Boolean,
            s if s.only(&[Integer, LongInteger]) => PropertyType::Integer,
            s if s.only(&[Integer, Real]) => PropertyType::Real,
            s if s.only(&[Date]) => PropertyType::Date,
            s if s.only(&[DateTime]) => PropertyType::DateTime,
            _ => PropertyType::Text,
        }
    }

    /// What a person should know about the choice.
    pub(crate) fn note(self, name: &str) -> Option<Message> {
        use Kind::*;
        let message = |key| Some(Message::new(key).with("name", shown(name)));
        if self.only(&[Text, Date, DateTime]) || self.property_type() != PropertyType::Text {
            None
        } else if self.only(&[Nested]) {
            message("formats.note-nested")
        } else if self.only(&[Integer, LongInteger, HugeInteger]) {
            message("formats.note-huge-integer")
        } else if self.only(&[Integer, LongInteger, HugeInteger, Real]) {
            message("formats.note-inexact")
        } else {
            debug_assert!(!self.has(Null));
            message("formats.note-mixed")
        }
    }
}

/// Columns in the order of their first appearance, with the kinds of their values.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    names: Names,
    seen: Vec<Seen>,
}

impl Columns {
    /// Takes note of a value in the column of that name; `hint` is where the column probably is.
    ///
    /// # Errors
    /// When there are more columns than a table takes.
    pub(crate) fn observe(&mut self, name: &str, hint: usize, kind: Kind) -> Result<usize, Error> {
        let at = match self.names.find(name, hint) {
            Some(at) => at,
            None if self.seen.len() >= MAX_PROPERTIES => {
                return Err(too_many());
            }
            None => {
                self.names.push(name.into());
                self.seen.push(Seen::default());
                self.seen.len() - 1
            }
        };
        self.seen[at].add(kind);
        Ok(at)
    }

    pub(crate) fn add(&mut self, at: usize, kind: Kind) {
        if let Some(seen) = self.seen.get_mut(at) {
            seen.add(kind);
        }
    }

    /// The schema, the names as the file spells them, and notes on the choices.
    pub(crate) fn finish(self) -> (Schema, Names, Vec<Message>) {
        let (clean, mut notes) = clean_names(&self.names.list);
        let properties = clean
            .into_iter()
            .zip(&self.seen)
            .map(|(name, seen)| Property::new(name, seen.property_type()))
            .collect();
        let choices = self.names.list.iter().zip(&self.seen);
        notes.extend(choices.filter_map(|(name, seen)| seen.note(name)));
        (Schema { properties }, self.names, notes)
    }
}

pub(crate) fn too_many() -> Error {
    Message::new("formats.too-many-properties")
        .with("max", MAX_PROPERTIES)
        .into()
}

/// Column names as the file spells them, found by name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    list: Vec<Box<str>>,
    by_name: HashMap<Box<str>, usize>,
}

impl Names {
    fn push(&mut self, name: Box<str>) {
        self.by_name.insert(name.clone(), self.list.len());
        self.list.push(name);
    }

    /// Records of one file mostly have their members in the same order, so the hint mostly hits.
    pub(crate) fn find(&self, name: &str, hint: usize) -> Option<usize> {
        match self.list.get(hint) {
            Some(expected) if **expected == *name => Some(hint),
            _ => self.by_name.get(name).copied(),
        }
    }
}

/// Names that a table can have: none empty, none longer than the cap, no control characters, and different from each
/// other by more than case (SQL names ignore it). Each change gives a note.
pub(crate) fn clean_names(names: &[Box<str>]) -> (Vec<String>, Vec<Message>) {
    let mut taken: HashMap<String, ()> = HashMap::with_capacity(names.len());
    let mut notes = Vec::new();
    let mut clean = Vec::with_capacity(names.len());
    for (i, name) in names.iter().enumerate() {
        let kept: String = name
            .chars()
            .filter(|c| !c.is_control())
            .take(crate::limits::MAX_NAME_CHARS)
            .collect();
        let base = match kept.trim() {
            "" => format!("field_{}", i + 1),
            trimmed => trimmed.to_owned(),
        };
        let mut chosen = base.clone();
        let mut number = 2;
        while taken.insert(chosen.to_lowercase(), ()).is_some() {
            chosen = format!("{base}_{number}");
            number += 1;
        }
        if chosen != **name {
            let note = Message::new("formats.note-renamed")
                .with("name", shown(name))
                .with("new", shown(&chosen));
            notes.push(note);
        }
        clean.push(chosen);
    }
    (clean, notes)
}

/// A scalar of a text format as a value of the column's type; `None` when it does not fit (the file changed between
/// the two passes).
pub(crate) fn text_value(kind: PropertyType, text: Cow<'_, str>) -> Option<Value> {
    let fits = match kind {
        PropertyType::Text => true,
        PropertyType::Date => is_date(&text),
        PropertyType::DateTime => is_date_time(&text),
        _ => false,
    };
    fits.then(|| Value::Text(text.into_owned().into_boxed_str()))
}

/// A number as written as a value of the column's type.
pub(crate) fn number_value(kind: PropertyType, literal: &str) -> Option<Value> {
    match kind {
        PropertyType::Integer => literal.parse().ok().map(Value::Integer),
        PropertyType::Real => {
            let value: f64 = literal.parse().ok()?;
            value.is_finite().then_some(Value::Real(value))
        }
        PropertyType::Text => Some(Value::Text(literal.into())),
        _ => None,
    }
}
