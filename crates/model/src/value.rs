//! Property values and their types.

/// One property value.
///
/// Dates and times are kept as the text of RFC 3339 (`2026-11-23`, `2026-11-23T10:00:00Z`), the form
/// in which GeoPackage stores and GeoJSON carries them.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Finite; readers turn NaN and infinities away.
    Real(f64),
    Text(Box<str>),
}

/// A borrowed property value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(&'a str),
}

impl ValueRef<'_> {
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(b) => Value::Boolean(b),
            Self::Integer(i) => Value::Integer(i),
            Self::Real(x) => Value::Real(x),
            Self::Text(t) => Value::Text(t.into()),
        }
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(b) => Self::Boolean(*b),
            Value::Integer(i) => Self::Integer(*i),
            Value::Real(x) => Self::Real(*x),
            Value::Text(t) => Self::Text(t),
        }
    }
}

/// The type of a property, fixed for a whole collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PropertyType {
    Boolean,
    /// 64-bit signed.
    Integer,
    Real,
    Text,
    /// RFC 3339 full-date.
    Date,
    /// RFC 3339 date-time.
    DateTime,
}

impl PropertyType {
    pub const ALL: [PropertyType; 6] = [
        Self::Boolean,
        Self::Integer,
        Self::Real,
        Self::Text,
        Self::Date,
        Self::DateTime,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
            Self::Date => "date",
            Self::DateTime => "datetime",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    /// Whether a value may stand in a property of this type; null may stand anywhere.
    pub fn accepts(self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Null)
            | (Self::Boolean, Value::Boolean(_))
            | (Self::Integer, Value::Integer(_))
            | (Self::Text, Value::Text(_)) => true,
            (Self::Real, Value::Real(x)) => x.is_finite(),
            (Self::Date, Value::Text(t)) => crate::is_date(t),
            (Self::DateTime, Value::Text(t)) => crate::is_date_time(t),
            _ => false,
        }
    }

    /// The value in this type when that loses nothing (an integer as a real), else as it is.
    pub fn widen(self, value: Value) -> Value {
        match (self, value) {
            // Integers up to 2^53 have an exact double.
            (Self::Real, Value::Integer(i)) if i.unsigned_abs() <= 1 << 53 => Value::Real(i as f64),
            (_, value) => value,
        }
    }
}
