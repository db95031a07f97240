//! The values of one column while their group is gathered.

use bytes::Bytes;
use model::{PropertyType, Value, days_of_date, microseconds_of_date_time};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;

use crate::Error;
use crate::stream::Column;

const MICROSECONDS_OF_DAY: i64 = 86_400_000_000;

/// Values without the nulls, and for each row whether it has one.
#[derive(Debug)]
pub(super) struct Buffer {
    values: Values,
    /// Definition levels: 1 where there is a value, 0 for null. `None`: every row has one.
    levels: Option<Vec<i16>>,
}

#[derive(Debug)]
enum Values {
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Double(Vec<f64>),
    /// All bytes in one piece, and where each value ends.
    Bytes {
        data: Vec<u8>,
        ends: Vec<usize>,
    },
}

impl Values {
    fn bytes() -> Self {
        Self::Bytes {
            data: Vec::new(),
            ends: Vec::new(),
        }
    }
}

impl Buffer {
    pub(super) fn optional(kind: PropertyType) -> Self {
        let values = match kind {
            PropertyType::Boolean => Values::Boolean(Vec::new()),
            PropertyType::Integer | PropertyType::DateTime => Values::Int64(Vec::new()),
            PropertyType::Real => Values::Double(Vec::new()),
            PropertyType::Text => Values::bytes(),
            PropertyType::Date => Values::Int32(Vec::new()),
        };
        Self {
            values,
            levels: Some(Vec::new()),
        }
    }

    pub(super) fn required_text() -> Self {
        Self {
            values: Values::bytes(),
            levels: None,
        }
    }

    pub(super) fn optional_bytes() -> Self {
        Self {
            levels: Some(Vec::new()),
            ..Self::required_text()
        }
    }

    /// Adds a value that fits its column and gives its bytes.
    ///
    /// # Errors
    /// When a text is no date or time, in a column of those.
    pub(super) fn push(&mut self, column: &Column, value: &Value) -> Result<usize, Error> {
        let bytes = match (&mut self.values, column.kind, value) {
            (_, _, Value::Null) => return Ok(self.push_null()),
            (Values::Boolean(list), _, Value::Boolean(b)) => {
                list.push(*b);
                1
            }
            (Values::Int64(list), PropertyType::Integer, Value::Integer(i)) => {
                list.push(*i);
                8
            }
            (Values::Double(list), _, Value::Real(x)) => {
                list.push(*x);
                8
            }
            (Values::Bytes { .. }, _, Value::Text(text)) => {
                return Ok(self.push_text(text.as_bytes()));
            }
            (Values::Int32(list), _, Value::Text(text)) => {
                let days = days_of_date(text).and_then(|days| i32::try_from(days).ok());
                list.push(days.ok_or_else(|| column.unfit())?);
                4
            }
            (Values::Int64(list), PropertyType::DateTime, Value::Text(text)) => {
                let (days, micros) =
                    microseconds_of_date_time(text).ok_or_else(|| column.unfit())?;
                // Years have four digits, so this stays far below 2^63.
                list.push(days * MICROSECONDS_OF_DAY + micros);
                8
            }
            _ => return Err(column.unfit()),
        };
        self.present();
        Ok(bytes)
    }

    pub(super) fn push_null(&mut self) -> usize {
        if let Some(levels) = &mut self.levels {
            levels.push(0);
        }
        2
    }

    pub(super) fn push_text(&mut self, text: &[u8]) -> usize {
        self.push_with(|data| data.extend_from_slice(text))
    }

    /// Adds a number to a column of reals.
    pub(super) fn push_number(&mut self, number: f64) -> usize {
        if let Values::Double(list) = &mut self.values {
            list.push(number);
        }
        self.present();
        8
    }

    /// Adds what `write` appends to the bytes.
    pub(super) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let Values::Bytes { data, ends } = &mut self.values else {
            return 0;
        };
        let start = data.len();
        write(data);
        ends.push(data.len());
        let bytes = data.len() - start;
        self.present();
        bytes + 16
    }

    fn present(&mut self) {
        if let Some(levels) = &mut self.levels {
            levels.push(1);
        }
    }

    /// Takes a row out that is beyond so many.
    pub(super) fn truncate(&mut self, rows: usize) {
        let values = match &mut self.levels {
            Some(levels) => {
                levels.truncate(rows);
                levels.iter().filter(|level| **level > 0).count()
            }
            None => rows,
        };
        match &mut self.values {
            Values::Boolean(list) => list.truncate(values),
            Values::Int32(list) => list.truncate(values),
            Values::Int64(list) => list.truncate(values),
            Values::Double(list) => list.truncate(values),
            Values::Bytes { data, ends } => {
                ends.truncate(values);
                data.truncate(ends.last().copied().unwrap_or(0));
            }
        }
    }

    /// Hands all rows to a column's writer.
    pub(super) fn write(&mut self, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = self.levels.as_deref();
        match (&mut self.values, writer) {
            (Values::Boolean(list), ColumnWriter::BoolColumnWriter(writer)) => {
                writer.write_batch(list, levels, None)?;
            }
            (Values::Int32(list), ColumnWriter::Int32ColumnWriter(writer)) => {
                writer.write_batch(list, levels, None)?;
            }
            (Values::Int64(list), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(list, levels, None)?;
            }
            (Values::Double(list), ColumnWriter::DoubleColumnWriter(writer)) => {
                writer.write_batch(list, levels, None)?;
            }
            (Values::Bytes { data, ends }, ColumnWriter::ByteArrayColumnWriter(writer)) => {
                // The writer wants shared slices; all of them are of one allocation.
                let data = Bytes::from(std::mem::take(data));
                let mut start = 0;
                let slice = |end: &usize| {
                    let slice = data.slice(start..*end);
                    start = *end;
                    ByteArray::from(slice)
                };
                let slices: Vec<ByteArray> = ends.iter().map(slice).collect();
                writer.write_batch(&slices, levels, None)?;
            }
            _ => return Err(ParquetError::General("column of another type".to_owned())),
        }
        Ok(())
    }

    /// Begins the next group.
    pub(super) fn clear(&mut self) {
        self.truncate(0);
    }

    /// Bytes of memory.
    pub(super) fn capacity(&self) -> usize {
        let levels = self.levels.as_ref().map_or(0, |l| 2 * l.capacity());
        levels
            + match &self.values {
                Values::Boolean(list) => list.capacity(),
                Values::Int32(list) => 4 * list.capacity(),
                Values::Int64(list) => 8 * list.capacity(),
                Values::Double(list) => 8 * list.capacity(),
                Values::Bytes { data, ends } => {
                    data.capacity() + size_of::<usize>() * ends.capacity()
                }
            }
    }
}
