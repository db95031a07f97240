//! The properties that an answer holds: all of a schema, or a selection.

use std::borrow::Cow;

use model::{Message, PropertyType, Schema, Value};

use crate::Error;
use crate::limits::shown;

const TWO_TO_53: u64 = 1 << 53;

/// One property that is written.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Position of its value in a feature.
    at: usize,
    pub(crate) name: Box<str>,
    pub(crate) kind: PropertyType,
}

impl Column {
    /// The properties at these positions, in this order; `None`: all. A position that the schema lacks is passed over.
    pub(crate) fn select(schema: &Schema, positions: Option<&[usize]>) -> Vec<Self> {
        let of = |at: usize| {
            let property = schema.properties.get(at)?;
            Some(Self {
                at,
                name: property.name.as_str().into(),
                kind: property.kind,
            })
        };
        match positions {
            Some(positions) => positions.iter().copied().filter_map(of).collect(),
            None => (0..schema.properties.len()).filter_map(of).collect(),
        }
    }

    /// The value of a feature; one that is missing is null.
    pub(crate) fn of<'a>(&self, values: &'a [Value]) -> &'a Value {
        values.get(self.at).unwrap_or(&Value::Null)
    }

    /// The value of a feature as one of the column's type. `SQLite` lets other programs store any value anywhere, so what
    /// loses nothing is converted: a number in a column of texts, a whole real in one of integers, an integer in one of
    /// reals. A date or time stays a text, whatever it says.
    ///
    /// # Errors
    /// When the value is of another type and cannot be converted.
    pub(crate) fn fit<'a>(&self, values: &'a [Value]) -> Result<Cow<'a, Value>, Error> {
        use PropertyType as T;
        let value = self.of(values);
        let text = |text: &str| Cow::Owned(Value::Text(text.into()));
        Ok(match (self.kind, value) {
            (_, Value::Null)
            | (T::Boolean, Value::Boolean(_))
            | (T::Integer, Value::Integer(_))
            | (T::Real, Value::Real(_))
            | (T::Text | T::Date | T::DateTime, Value::Text(_)) => Cow::Borrowed(value),
            (T::Text, Value::Boolean(b)) => text(if *b { "true" } else { "false" }),
            (T::Text, Value::Integer(i)) => text(itoa::Buffer::new().format(*i)),
            (T::Text, Value::Real(x)) if x.is_finite() => {
                text(zmij::Buffer::new().format_finite(*x))
            }
            // Up to 2^53 every integer has a double of its own.
            (T::Integer, Value::Real(x)) if x.fract() == 0.0 && x.abs() <= TWO_TO_53 as f64 => {
                Cow::Owned(Value::Integer(*x as i64))
            }
            (T::Real, Value::Integer(i)) if i.unsigned_abs() <= TWO_TO_53 => {
                Cow::Owned(Value::Real(*i as f64))
            }
            _ => return Err(self.unfit()),
        })
    }

    /// A value that its column has no form for.
    pub(crate) fn unfit(&self) -> Error {
        Message::new("formats.write-value")
            .with("name", shown(&self.name))
            .with("type", self.kind.name())
            .into()
    }
}

/// `name`, or the first of `name_2`, `name_3`, … that no column has, whatever its case: spreadsheets and query engines
/// take names that differ in case alone for one.
pub(crate) fn free_name(name: &str, columns: &[Column], also: &[&str]) -> String {
    let taken = |wanted: &str| {
        let lower = wanted.to_lowercase();
        let names = columns.iter().map(|c| &*c.name).chain(also.iter().copied());
        names.into_iter().any(|n| n.to_lowercase() == lower)
    };
    let mut free = name.to_owned();
    let mut number = 2;
    while taken(&free) {
        free = format!("{name}_{number}");
        number += 1;
    }
    free
}
