//! Values of expressions whose arguments are all written out: map programs work them out when they read the style, and
//! refuse the style when that fails.

use std::borrow::Cow;

use serde_json::Value;

use super::super::colour::Colour;
use super::types::Type;

/// Bytes of a text that is put together here, and values of a list: a few nested `let` could double them without end.
const MAX_TEXT: usize = 200;
const MAX_ITEMS: usize = 16;

const ANCHORS: [&str; 9] = [
    "center",
    "left",
    "right",
    "top",
    "bottom",
    "top-left",
    "top-right",
    "bottom-left",
    "bottom-right",
];

#[derive(Debug, Clone)]
pub(super) enum Const<'v> {
    Null,
    Boolean(bool),
    Number(f64),
    Text(Cow<'v, str>),
    /// A list or an object as it is written.
    Data(&'v Value),
    /// A list that was put together.
    List(Vec<Const<'v>>),
    /// A value of which only the type matters.
    Opaque(Type),
    /// Constant, but not worked out here; nothing is refused because of it.
    Unknown,
}

/// The value cannot be worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fails;

type Folded<'v> = Result<Const<'v>, Fails>;

impl<'v> Const<'v> {
    pub(super) fn of(value: &'v Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Boolean(*b),
            Value::Number(n) => n.as_f64().map_or(Self::Unknown, Self::Number),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(_) | Value::Object(_) => Self::Data(value),
        }
    }

    fn text(text: String) -> Self {
        if text.len() > MAX_TEXT {
            return Self::Unknown;
        }
        Self::Text(Cow::Owned(text))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        let list = Self::List(items);
        if list.weight() <= MAX_ITEMS {
            list
        } else {
            Self::Unknown
        }
    }

    /// Values in all, with the lists in a list.
    fn weight(&self) -> usize {
        match self {
            Self::List(items) => items.iter().map(Self::weight).sum::<usize>() + 1,
            _ => 1,
        }
    }

    pub(super) fn kind(&self) -> Option<Type> {
        Some(match self {
            Self::Null => Type::Null,
            Self::Boolean(_) => Type::Boolean,
            Self::Number(_) => Type::Number,
            Self::Text(_) => Type::Text,
            Self::Data(value) => Type::of(value),
            Self::List(items) => {
                let kinds: Option<Vec<Type>> = items.iter().map(Self::kind).collect();
                Type::list(Type::common(kinds?.into_iter()), Some(items.len()))
            }
            Self::Opaque(kind) => kind.clone(),
            Self::Unknown => return None,
        })
    }

    /// The items of a list; `None` for anything else.
    fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::Data(Value::Array(items)) => Some(items.iter().map(Self::of).collect()),
            Self::List(items) => Some(items.clone()),
            _ => None,
        }
    }

    /// As JavaScript takes a value for a condition.
    fn truth(&self) -> Option<bool> {
        match self {
            Self::Null => Some(false),
            Self::Boolean(b) => Some(*b),
            Self::Number(n) => Some(*n != 0.0 && !n.is_nan()),
            Self::Text(text) => Some(!text.is_empty()),
            Self::Data(_) | Self::List(_) | Self::Opaque(_) => Some(true),
            Self::Unknown => None,
        }
    }

    /// As `concat` and `to-string` write a value.
    fn written(&self) -> Option<String> {
        match self {
            Self::Null => Some(String::new()),
            Self::Boolean(b) => Some(b.to_string()),
            Self::Number(n) => Some(n.to_string()),
            Self::Text(text) => Some(text.to_string()),
            Self::Data(_) | Self::List(_) | Self::Opaque(_) | Self::Unknown => None,
        }
    }

    /// As JavaScript turns a value into a number; NaN where it cannot, `None` where that is not known here.
    fn number(&self) -> Option<f64> {
        match self {
            Self::Null => Some(0.0),
            Self::Boolean(b) => Some(f64::from(u8::from(*b))),
            Self::Number(n) => Some(*n),
            Self::Text(text) => Some(number_of(text)),
            Self::Data(Value::Object(_)) | Self::Opaque(_) => Some(f64::NAN),
            Self::Data(_) | Self::List(_) => match self.items()?.as_slice() {
                [] => Some(0.0),
                [one] => match one {
                    // A list of one is written as that one: `["true"]` and `[true]` are no numbers.
                    Self::Boolean(_) => Some(f64::NAN),
                    one => one.number(),
                },
                _ => Some(f64::NAN),
            },
            Self::Unknown => None,
        }
    }
}

fn number_of(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text.to_ascii_lowercase().strip_prefix(prefix) {
            return u32::from_str_radix(digits, radix).map_or(f64::NAN, f64::from);
        }
    }
    match text.trim_start_matches(['+', '-']) {
        "Infinity" => f64::INFINITY,
        rest if rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            text.parse().unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    }
}

/// `["number", …]` and the like: the first value of the type.
pub(super) fn assert<'v>(kind: &Type, values: &[Const<'v>]) -> Folded<'v> {
    for value in values {
        match value.kind() {
            None => return Ok(Const::Unknown),
            Some(found) if kind.accepts(&found) => return Ok(value.clone()),
            Some(_) => {}
        }
    }
    Err(Fails)
}

/// `["to-color", …]` and the like, and what is done unasked for the type of a property.
pub(super) fn coerce<'v>(kind: &Type, values: &[Const<'v>]) -> Folded<'v> {
    let Some(first) = values.first() else {
        return Err(Fails);
    };
    match kind {
        Type::Boolean => return Ok(first.truth().map_or(Const::Unknown, Const::Boolean)),
        Type::Text => return Ok(first.written().map_or(Const::Unknown, Const::text)),
        Type::Formatted | Type::Image => return Ok(Const::Opaque(kind.clone())),
        Type::Projection => return projection(first),
        _ => {}
    }
    for value in values {
        if matches!(value, Const::Unknown) {
            return Ok(Const::Unknown);
        }
        match kind {
            Type::Number => match value.number() {
                None => return Ok(Const::Unknown),
                Some(number) if !number.is_nan() => return Ok(Const::Number(number)),
                Some(_) => {}
            },
            _ if value.kind().is_some_and(|k| k.alike(kind)) => return Ok(value.clone()),
            _ if fits(kind, value) => return Ok(Const::Opaque(kind.clone())),
            _ => {}
        }
    }
    Err(Fails)
}

fn fits(kind: &Type, value: &Const<'_>) -> bool {
    let items = value.items();
    let numbers = || {
        items
            .as_ref()
            .is_some_and(|i| i.iter().all(|v| matches!(v, Const::Number(_))))
    };
    let length = || items.as_ref().map_or(0, Vec::len);
    match kind {
        Type::Colour => match value {
            Const::Text(text) => Colour::parse(text).is_some(),
            _ => (3..=4).contains(&length()) && items.as_deref().is_some_and(is_rgba),
        },
        Type::Padding => {
            matches!(value, Const::Number(_)) || (1..=4).contains(&length()) && numbers()
        }
        Type::Numbers => matches!(value, Const::Number(_)) || numbers(),
        Type::Colours => match value {
            Const::Text(text) => Colour::parse(text).is_some(),
            _ => items.is_some_and(|i| {
                i.iter()
                    .all(|v| matches!(v, Const::Text(t) if Colour::parse(t).is_some()))
            }),
        },
        Type::Anchors => {
            items.is_some_and(|i| !i.is_empty() && i.len() % 2 == 0 && i.chunks(2).all(is_anchor))
        }
        _ => true,
    }
}

fn is_anchor(pair: &[Const<'_>]) -> bool {
    let [Const::Text(anchor), offset] = pair else {
        return false;
    };
    let offset = offset.items().unwrap_or_default();
    ANCHORS.contains(&anchor.as_ref())
        && matches!(offset.as_slice(), [Const::Number(_), Const::Number(_)])
}

fn is_rgba(values: &[Const<'_>]) -> bool {
    let within = |value: &Const<'_>, max: f64| match value {
        Const::Number(n) => (0.0..=max).contains(n),
        Const::Unknown => true,
        _ => false,
    };
    let (rgb, opacity) = values.split_at_checked(3).unwrap_or((values, &[]));
    rgb.iter().all(|v| within(v, 255.0)) && opacity.iter().all(|v| within(v, 1.0))
}

fn projection<'v>(value: &Const<'v>) -> Folded<'v> {
    let named = match value {
        Const::Text(_) | Const::Unknown => true,
        Const::Opaque(kind) => *kind == Type::Projection,
        Const::Data(Value::Object(members)) => {
            let text = |name: &str| members.get(name).is_some_and(Value::is_string);
            text("from") && text("to") && members.get("transition").is_some_and(Value::is_number)
        }
        _ => {
            let items = value.items().unwrap_or_default();
            matches!(
                items.as_slice(),
                [Const::Text(_), Const::Text(_), Const::Number(_)]
            )
        }
    };
    if named { Ok(value.clone()) } else { Err(Fails) }
}

/// The comparisons; `untyped` when only the values tell what is compared.
pub(super) fn compare<'v>(
    operator: &str,
    left: &Const<'v>,
    right: &Const<'v>,
    untyped: bool,
) -> Folded<'v> {
    let ordering = match (left, right) {
        (Const::Unknown, _) | (_, Const::Unknown) => return Ok(Const::Unknown),
        (Const::Number(a), Const::Number(b)) => a.partial_cmp(b),
        (Const::Text(a), Const::Text(b)) => Some(a.encode_utf16().cmp(b.encode_utf16())),
        (Const::Boolean(a), Const::Boolean(b)) => Some(a.cmp(b)),
        (Const::Null, Const::Null) => Some(std::cmp::Ordering::Equal),
        (a, b) => {
            let alike = a.kind().zip(b.kind()).is_some_and(|(a, b)| a.alike(&b));
            if !matches!(operator, "==" | "!=") {
                return if untyped {
                    Err(Fails)
                } else {
                    Ok(Const::Unknown)
                };
            }
            if alike {
                return Ok(Const::Unknown);
            }
            None
        }
    };
    let is_order = !matches!(operator, "==" | "!=");
    if is_order && untyped && !matches!(left, Const::Number(_) | Const::Text(_)) {
        return Err(Fails);
    }
    Ok(Const::Boolean(match operator {
        "==" => ordering.is_some_and(std::cmp::Ordering::is_eq),
        "!=" => ordering.is_none_or(std::cmp::Ordering::is_ne),
        "<" => ordering.is_some_and(std::cmp::Ordering::is_lt),
        ">" => ordering.is_some_and(std::cmp::Ordering::is_gt),
        "<=" => ordering.is_some_and(std::cmp::Ordering::is_le),
        _ => ordering.is_some_and(std::cmp::Ordering::is_ge),
    }))
}

pub(super) fn at<'v>(index: &Const<'v>, list: &Const<'v>) -> Folded<'v> {
    let (Const::Number(index), Some(items)) = (index, list.items()) else {
        return Ok(Const::Unknown);
    };
    if index.fract() != 0.0 || *index < 0.0 {
        return Err(Fails);
    }
    whole(*index)
        .and_then(|i| items.into_iter().nth(i))
        .ok_or(Fails)
}

/// A whole number of zero or more that fits.
fn whole(number: f64) -> Option<usize> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the bounds of the condition"
    )]
    (0.0..4e9).contains(&number).then_some(number as usize)
}

/// `in` and `index-of`: the needle must be a plain value, and there must be something to search in.
pub(super) fn search<'v>(operator: &str, needle: &Const<'v>, haystack: &Const<'v>) -> Folded<'v> {
    if operator == "in" && haystack.truth() == Some(false) {
        return Ok(Const::Boolean(false));
    }
    let plain = !matches!(needle, Const::Data(_) | Const::List(_) | Const::Opaque(_));
    let searchable = match haystack {
        Const::Text(_) | Const::List(_) | Const::Unknown => true,
        Const::Data(value) => value.is_array(),
        _ => false,
    };
    if plain && searchable {
        Ok(Const::Unknown)
    } else {
        Err(Fails)
    }
}

/// `length` and `slice` of a text or a list.
pub(super) fn measure<'v>(operator: &str, input: &Const<'v>) -> Folded<'v> {
    let length = match input {
        Const::Unknown => return Ok(Const::Unknown),
        Const::Text(text) => Some(text.chars().count()),
        _ => input.items().map(|i| i.len()),
    };
    let length = length.ok_or(Fails)?;
    match operator {
        "length" => Ok(u32::try_from(length).map_or(Const::Unknown, |n| Const::Number(n.into()))),
        _ => Ok(Const::Unknown),
    }
}

/// The operators with plain arguments.
pub(super) fn apply<'v>(operator: &str, values: &[Const<'v>]) -> Folded<'v> {
    if let Some(numbers) = all_numbers(values)
        && let Some(number) = calculate(operator, &numbers)
    {
        return Ok(Const::Number(number));
    }
    match (operator, values) {
        ("rgb" | "rgba", values) => {
            if is_rgba(values) {
                Ok(Const::Opaque(Type::Colour))
            } else {
                Err(Fails)
            }
        }
        ("!", [value]) => Ok(value.truth().map_or(Const::Unknown, |t| Const::Boolean(!t))),
        ("all" | "any", values) => {
            let stop = operator == "any";
            for value in values {
                match value.truth() {
                    None => return Ok(Const::Unknown),
                    Some(truth) if truth == stop => return Ok(Const::Boolean(stop)),
                    Some(_) => {}
                }
            }
            Ok(Const::Boolean(!stop))
        }
        ("concat", values) => {
            let texts: Option<Vec<String>> = values.iter().map(Const::written).collect();
            Ok(texts.map_or(Const::Unknown, |t| Const::text(t.concat())))
        }
        ("upcase", [Const::Text(text)]) => Ok(Const::text(text.to_uppercase())),
        ("downcase", [Const::Text(text)]) => Ok(Const::text(text.to_lowercase())),
        ("get", [Const::Text(name), Const::Data(Value::Object(members))]) => {
            Ok(members.get(name.as_ref()).map_or(Const::Null, Const::of))
        }
        ("has", [Const::Text(name), Const::Data(Value::Object(members))]) => {
            Ok(Const::Boolean(members.contains_key(name.as_ref())))
        }
        ("typeof", [value]) => Ok(value
            .kind()
            .map_or(Const::Unknown, |k| Const::text(k.to_string()))),
        _ => Ok(Const::Unknown),
    }
}

fn all_numbers(values: &[Const<'_>]) -> Option<Vec<f64>> {
    let number = |v: &Const<'_>| match v {
        Const::Number(n) => Some(*n),
        _ => None,
    };
    values.iter().map(number).collect()
}

pub(super) fn calculate(operator: &str, numbers: &[f64]) -> Option<f64> {
    Some(match (operator, numbers) {
        ("+", all) => all.iter().sum(),
        ("*", all) => all.iter().product(),
        ("min", all) => all.iter().copied().fold(f64::INFINITY, f64::min),
        ("max", all) => all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        ("-", [a]) => -a,
        ("-", [a, b]) => a - b,
        ("/", [a, b]) => a / b,
        ("%", [a, b]) => a % b,
        ("^", [a, b]) => a.powf(*b),
        ("sqrt", [a]) => a.sqrt(),
        ("ln", [a]) => a.ln(),
        ("log2", [a]) => a.log2(),
        ("log10", [a]) => a.log10(),
        ("sin", [a]) => a.sin(),
        ("cos", [a]) => a.cos(),
        ("tan", [a]) => a.tan(),
        ("asin", [a]) => a.asin(),
        ("acos", [a]) => a.acos(),
        ("atan", [a]) => a.atan(),
        ("abs", [a]) => a.abs(),
        ("floor", [a]) => a.floor(),
        ("ceil", [a]) => a.ceil(),
        ("round", [a]) => a.round(),
        ("pi", []) => std::f64::consts::PI,
        ("e", []) => std::f64::consts::E,
        ("ln2", []) => std::f64::consts::LN_2,
        _ => return None,
    })
}
