//! Values as PostgreSQL's binary protocol carries them.

use model::{PropertyType, Value};
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo, Postgres};
use sqlx::{Arguments, Row, Type, TypeInfo, ValueRef};

use crate::Error;
use crate::session::Parameter;

/// Days from 1970-01-01 to 2000-01-01, from which PostgreSQL counts.
const EPOCH_DAYS: i64 = 10_957;
const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// EWKB's mark of an SRID in the geometry type.
const SRID_FLAG: u32 = 0x2000_0000;

pub(crate) fn bind(arguments: &mut PgArguments, parameter: Parameter) -> Result<(), BoxDynError> {
    match parameter {
        Parameter::Boolean(value) => arguments.add(value),
        Parameter::Integer(value) => arguments.add(value),
        Parameter::Real(value) => arguments.add(value),
        Parameter::Text(value) => arguments.add(value),
        Parameter::Geometry(value) => arguments.add(value),
        Parameter::Keys(value) => arguments.add(value),
        Parameter::Date(value) => arguments.add(value.as_deref().map(date).transpose()?),
        Parameter::DateTime(value) => arguments.add(value.as_deref().map(time).transpose()?),
    }
}

/// `date`: days since 2000-01-01.
struct Date(i32);
/// `timestamp with time zone`: microseconds since 2000-01-01T00:00:00Z.
struct Time(i64);

pub(super) fn days(text: &str) -> Option<i32> {
    i32::try_from(model::days_of_date(text)? - EPOCH_DAYS).ok()
}

pub(super) fn microseconds(text: &str) -> Option<i64> {
    let (days, rest) = model::microseconds_of_date_time(text)?;
    Some((days - EPOCH_DAYS) * MICROSECONDS_A_DAY + rest)
}

fn date(text: &str) -> Result<Date, BoxDynError> {
    Ok(Date(days(text).ok_or("not a date")?))
}

fn time(text: &str) -> Result<Time, BoxDynError> {
    Ok(Time(microseconds(text).ok_or("not a date-time")?))
}

impl Type<Postgres> for Date {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1082))
    }
}

impl Encode<'_, Postgres> for Date {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend(&self.0.to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Type<Postgres> for Time {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl Encode<'_, Postgres> for Time {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend(&self.0.to_be_bytes());
        Ok(IsNull::No)
    }
}

/// A `bytea` with ISO WKB.
pub(crate) fn wkb(row: &PgRow, column: usize) -> Result<Option<&[u8]>, Error> {
    Ok(row.try_get(column)?)
}

/// A value in the type of its property.
pub(crate) fn value(row: &PgRow, column: usize, kind: PropertyType) -> Result<Value, Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let type_info = raw.type_info().into_owned();
    let bytes = raw.as_bytes().map_err(decode_failed)?;
    let number = |width: usize| -> Result<i64, Error> {
        let sign = if bytes.first().is_some_and(|b| b & 0x80 != 0) {
            0xff
        } else {
            0
        };
        let mut eight = [sign; 8];
        let tail = bytes
            .get(..width)
            .ok_or_else(|| decode_failed("short value".into()))?;
        eight[8 - width..].copy_from_slice(tail);
        Ok(i64::from_be_bytes(eight))
    };
    Ok(match type_info.name() {
        "BOOL" => match kind {
            PropertyType::Boolean => Value::Boolean(bytes.first() == Some(&1)),
            _ => Value::Integer(i64::from(bytes.first() == Some(&1))),
        },
        "INT2" => kind.widen(Value::Integer(number(2)?)),
        "INT4" => kind.widen(Value::Integer(number(4)?)),
        "INT8" => kind.widen(Value::Integer(number(8)?)),
        "FLOAT4" => finite(f64::from(f32::from_bits(number(4)? as u32))),
        "FLOAT8" => finite(f64::from_bits(number(8)? as u64)),
        "DATE" => date_text(number(4)?),
        "TIMESTAMP" | "TIMESTAMPTZ" => time_text(number(8)?),
        _ => Value::Text(String::from_utf8_lossy(bytes).into()),
    })
}

/// JSON has no other numbers, and neither have properties.
fn finite(x: f64) -> Value {
    if x.is_finite() {
        Value::Real(x)
    } else {
        Value::Null
    }
}

/// Years that RFC 3339 can write; others, and the infinities, are null.
fn date_text(days: i64) -> Value {
    model::date_of_days(days + EPOCH_DAYS).map_or(Value::Null, |text| Value::Text(text.into()))
}

fn time_text(microseconds: i64) -> Value {
    let (days, rest) = (
        microseconds.div_euclid(MICROSECONDS_A_DAY),
        microseconds.rem_euclid(MICROSECONDS_A_DAY),
    );
    model::date_time_of(days + EPOCH_DAYS, rest)
        .map_or(Value::Null, |text| Value::Text(text.into()))
}

fn decode_failed(error: BoxDynError) -> Error {
    Error::Database(sqlx::Error::Decode(error))
}

/// ISO WKB with its SRID, as PostGIS takes it: of EWKB only the mark and the number are needed, since it reads ISO's types too.
pub(crate) fn ewkb(wkb: &[u8], srid: u32) -> Vec<u8> {
    let Some((head, rest)) = wkb.split_at_checked(5) else {
        // Nothing that was checked is so short; PostGIS refuses it.
        return wkb.to_vec();
    };
    let little = head[0] == 1;
    let mut kind = [head[1], head[2], head[3], head[4]];
    let mut srid = srid.to_le_bytes();
    if !little {
        kind.reverse();
        srid.reverse();
    }
    let mut kind = (u32::from_le_bytes(kind) | SRID_FLAG).to_le_bytes();
    if !little {
        kind.reverse();
    }
    let mut out = Vec::with_capacity(wkb.len() + 4);
    out.push(head[0]);
    out.extend_from_slice(&kind);
    out.extend_from_slice(&srid);
    out.extend_from_slice(rest);
    out
}
