//! The packed properties of a feature: column index, then a value of the column's type.

use flatgeobuf::ColumnType;
use model::{Message, PropertyType, Value, is_date, is_date_time};

/// What becomes of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    Keep(PropertyType),
    /// A date written as a date-time at midnight without offset, as GDAL writes dates.
    Midnight,
    /// Binary columns have no place in a collection.
    LeaveOut,
}

/// A damaged properties buffer: the column, where known, and the reason.
pub(super) struct Damaged {
    pub(super) column: Option<usize>,
    pub(super) reason: Message,
}

/// One value as it lies in the buffer.
pub(super) enum Cell<'a> {
    Boolean(bool),
    Integer(i64),
    /// Past the signed 64 bits.
    TooLarge,
    Real(f64),
    Text(&'a str),
    Binary,
}

/// Calls `each` with column and value of every property that is there.
pub(super) fn each<'a>(
    mut bytes: &'a [u8],
    columns: &[(Box<str>, ColumnType)],
    mut each: impl FnMut(usize, Cell<'a>) -> Result<(), Message>,
) -> Result<(), Damaged> {
    while !bytes.is_empty() {
        let at = |column| {
            move |reason| Damaged {
                column: Some(column),
                reason,
            }
        };
        let whole = Damaged {
            column: None,
            reason: damaged(),
        };
        let Some((index, rest)) = bytes.split_first_chunk::<2>() else {
            return Err(whole);
        };
        let column = usize::from(u16::from_le_bytes(*index));
        let Some((_, kind)) = columns.get(column) else {
            return Err(whole);
        };
        let (cell, rest) = cell(*kind, rest).map_err(at(column))?;
        each(column, cell).map_err(at(column))?;
        bytes = rest;
    }
    Ok(())
}

fn damaged() -> Message {
    Message::new("formats.fgb-properties")
}

fn cell(kind: ColumnType, bytes: &[u8]) -> Result<(Cell<'_>, &[u8]), Message> {
    macro_rules! fixed {
        ($type:ty, $cell:expr) => {{
            let (taken, rest) = bytes
                .split_first_chunk::<{ size_of::<$type>() }>()
                .ok_or_else(damaged)?;
            ($cell(<$type>::from_le_bytes(*taken)), rest)
        }};
    }
    let unsigned = |n: u64| i64::try_from(n).map_or(Cell::TooLarge, Cell::Integer);
    Ok(match kind {
        ColumnType::Byte => fixed!(i8, |n| Cell::Integer(i64::from(n))),
        ColumnType::UByte => fixed!(u8, |n| Cell::Integer(i64::from(n))),
        ColumnType::Bool => fixed!(u8, |n| Cell::Boolean(n != 0)),
        ColumnType::Short => fixed!(i16, |n| Cell::Integer(i64::from(n))),
        ColumnType::UShort => fixed!(u16, |n| Cell::Integer(i64::from(n))),
        ColumnType::Int => fixed!(i32, |n| Cell::Integer(i64::from(n))),
        ColumnType::UInt => fixed!(u32, |n| Cell::Integer(i64::from(n))),
        ColumnType::Long => fixed!(i64, Cell::Integer),
        ColumnType::ULong => fixed!(u64, unsigned),
        ColumnType::Float => fixed!(f32, |n| Cell::Real(f64::from(n))),
        ColumnType::Double => fixed!(f64, Cell::Real),
        _ => {
            let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
            let length = u32::from_le_bytes(*length) as usize;
            let (taken, rest) = rest.split_at_checked(length).ok_or_else(damaged)?;
            if kind == ColumnType::Binary {
                return Ok((Cell::Binary, rest));
            }
            let text = std::str::from_utf8(taken)
                .map_err(|_not_utf8| Message::new("formats.value-not-utf8"))?;
            (Cell::Text(text), rest)
        }
    })
}

/// The value that the plan makes of a cell.
pub(super) fn value(plan: Plan, cell: &Cell<'_>) -> Result<Value, Message> {
    Ok(match (plan, cell) {
        (Plan::LeaveOut, _) | (_, Cell::Binary) => Value::Null,
        (_, Cell::Boolean(b)) => Value::Boolean(*b),
        (_, Cell::Integer(i)) => Value::Integer(*i),
        (_, Cell::TooLarge) => return Err(Message::new("formats.number-too-large")),
        (_, Cell::Real(x)) if x.is_finite() => Value::Real(*x),
        (_, Cell::Real(_)) => return Err(Message::new("formats.number-not-finite")),
        // Some writers give an empty text for a missing time.
        (
            Plan::Keep(PropertyType::Date | PropertyType::DateTime) | Plan::Midnight,
            Cell::Text(""),
        ) => Value::Null,
        (Plan::Midnight, Cell::Text(text)) => Value::Text(text.get(..10).unwrap_or(text).into()),
        (_, Cell::Text(text)) => Value::Text((*text).into()),
    })
}

/// The plan of a column before its values are seen; `None` for times, whose form only the values show.
pub(super) fn plan(kind: ColumnType) -> Option<Plan> {
    Some(match kind {
        ColumnType::Bool => Plan::Keep(PropertyType::Boolean),
        ColumnType::Float | ColumnType::Double => Plan::Keep(PropertyType::Real),
        ColumnType::String | ColumnType::Json => Plan::Keep(PropertyType::Text),
        ColumnType::Binary => Plan::LeaveOut,
        ColumnType::DateTime => return None,
        _ => Plan::Keep(PropertyType::Integer),
    })
}

/// The forms that the values of a time column have.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TimeForms {
    date: bool,
    midnight: bool,
    instant: bool,
    other: bool,
}

impl TimeForms {
    pub(super) fn add(&mut self, text: &str) {
        if text.is_empty() {
        } else if is_date(text) {
            self.date = true;
        } else if text.strip_suffix("T00:00:00").is_some_and(is_date) {
            self.midnight = true;
        } else if is_date_time(text) {
            self.instant = true;
        } else {
            self.other = true;
        }
    }

    /// Times without an offset are no instants (RFC 3339 §5.6), so they stay text.
    pub(super) fn plan(self) -> Plan {
        match self {
            Self { other: true, .. } => Plan::Keep(PropertyType::Text),
            Self {
                instant: true,
                date: false,
                midnight: false,
                ..
            } => Plan::Keep(PropertyType::DateTime),
            Self { instant: true, .. } => Plan::Keep(PropertyType::Text),
            Self {
                date: false,
                midnight: false,
                ..
            } => Plan::Keep(PropertyType::DateTime),
            _ => Plan::Midnight,
        }
    }
}
