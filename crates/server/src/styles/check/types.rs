//! Types of expressions, by the type system of the style specification.

use std::fmt;

use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Null,
    Number,
    Text,
    Boolean,
    Colour,
    Projection,
    Object,
    /// What only the data tell.
    Any,
    /// Items and, where it is fixed, their number.
    List(Box<Type>, Option<usize>),
    /// Of an expression that never gives a value.
    Error,
    Collator,
    Formatted,
    Padding,
    Numbers,
    Colours,
    Image,
    Anchors,
}

impl Type {
    pub(super) fn list(items: Self, length: Option<usize>) -> Self {
        Self::List(Box::new(items), length)
    }

    /// By its name in the reference, such as `array<string>`; `enum` is a text there.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "number" => Self::Number,
            "string" | "enum" => Self::Text,
            "boolean" => Self::Boolean,
            "color" => Self::Colour,
            "projectionDefinition" => Self::Projection,
            "object" => Self::Object,
            "any" => Self::Any,
            "array" => Self::list(Self::Any, None),
            "array<string>" => Self::list(Self::Text, None),
            "array<number>" => Self::list(Self::Number, None),
            "collator" => Self::Collator,
            "formatted" => Self::Formatted,
            "padding" => Self::Padding,
            "numberArray" => Self::Numbers,
            "colorArray" => Self::Colours,
            "resolvedImage" | "image" => Self::Image,
            "variableAnchorOffsetCollection" => Self::Anchors,
            _ => return None,
        })
    }

    /// Of a literal. Lists are told apart by their items; lists in lists count as different from each other.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Object(_) => Self::Object,
            Value::Array(items) => {
                Self::list(Self::common(items.iter().map(Self::of)), Some(items.len()))
            }
        }
    }

    /// The one type of all items, else [`Type::Any`].
    pub(super) fn common(mut items: impl Iterator<Item = Self>) -> Self {
        let Some(first) = items.next() else {
            return Self::Any;
        };
        let mut alone = true;
        for item in items {
            alone = false;
            if item != first {
                return Self::Any;
            }
        }
        if alone || !matches!(first, Self::List(..)) {
            first
        } else {
            Self::Any
        }
    }

    /// Of the same kind, whatever the items of lists.
    pub(super) fn alike(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether a value of the other type can stand where this one is expected.
    pub(super) fn accepts(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Error) => true,
            (Self::List(items, length), Self::List(given, count)) => {
                let empty = *count == Some(0) && **given == Self::Any;
                (empty || items.accepts(given)) && (length.is_none() || length == count)
            }
            (Self::Any, Self::List(given, _)) => Self::Any.accepts(given),
            (Self::Any, other) => *other != Self::Collator,
            (expected, other) => expected.alike(other),
        }
    }

    pub(super) fn can_interpolate(&self) -> bool {
        match self {
            Self::Number | Self::Colour | Self::Projection | Self::Padding => true,
            Self::Numbers | Self::Colours | Self::Anchors => true,
            Self::List(items, length) => **items == Self::Number && length.is_some(),
            _ => false,
        }
    }
}

/// Names as people know them from the specification.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Null => "null",
            Self::Number => "number",
            Self::Text => "string",
            Self::Boolean => "boolean",
            Self::Colour => "color",
            Self::Projection => "projection",
            Self::Object => "object",
            Self::Any => "value",
            Self::Error => "error",
            Self::Collator => "collator",
            Self::Formatted => "formatted",
            Self::Padding => "padding",
            Self::Numbers => "numberArray",
            Self::Colours => "colorArray",
            Self::Image => "image",
            Self::Anchors => "variableAnchorOffsetCollection",
            Self::List(items, Some(length)) => return write!(f, "array<{items}, {length}>"),
            Self::List(items, None) if **items == Self::Any => "array",
            Self::List(items, None) => return write!(f, "array<{items}>"),
        };
        f.write_str(name)
    }
}
