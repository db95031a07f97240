//! Values as SQLite holds them.

use model::{PropertyType, Value};
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Row, TypeInfo, ValueRef};

use crate::session::{Parameter, json_array};
use crate::{Error, row};

pub(crate) fn bind(
    arguments: &mut SqliteArguments,
    parameter: Parameter,
) -> Result<(), BoxDynError> {
    match parameter {
        Parameter::Boolean(value) => arguments.add(value),
        Parameter::Integer(value) => arguments.add(value),
        Parameter::Real(value) => arguments.add(value),
        Parameter::Text(value) | Parameter::Date(value) | Parameter::DateTime(value) => {
            arguments.add(value)
        }
        Parameter::Geometry(value) => arguments.add(value),
        Parameter::Keys(keys) => arguments.add(json_array(&keys).into_owned()),
    }
}

/// The WKB of a geometry column.
pub(crate) fn wkb(row: &SqliteRow, column: usize) -> Result<Option<&[u8]>, Error> {
    let blob: Option<&[u8]> = row.try_get_unchecked(column)?;
    let Some(blob) = blob else { return Ok(None) };
    let (wkb, _) = formats::gpkg::strip(blob).map_err(row::damaged)?;
    Ok(Some(wkb))
}

/// The number of the CRS in the head of a geometry's blob.
pub(crate) fn blob_srs(row: &SqliteRow, column: usize) -> Result<Option<i64>, Error> {
    let blob: Option<&[u8]> = row.try_get_unchecked(column)?;
    let Some(blob) = blob else { return Ok(None) };
    let (_, srs) = formats::gpkg::strip(blob).map_err(row::damaged)?;
    Ok(Some(srs.into()))
}

/// The value of a column in the type of its property; what another program stored in another type is text.
pub(crate) fn value(row: &SqliteRow, column: usize, kind: PropertyType) -> Result<Value, Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let value = match raw.type_info().name() {
        "INTEGER" | "BOOLEAN" => {
            let number: i64 = row.try_get_unchecked(column)?;
            match kind {
                PropertyType::Boolean => Value::Boolean(number != 0),
                _ => kind.widen(Value::Integer(number)),
            }
        }
        "REAL" => Value::Real(row.try_get_unchecked(column)?),
        "BLOB" => Value::Null,
        _ => Value::Text(row.try_get_unchecked::<&str, _>(column)?.into()),
    };
    Ok(value)
}

/// Whether the column holds a BLOB, which no property is.
pub(crate) fn is_blob(row: &SqliteRow, column: usize) -> Result<bool, Error> {
    let raw = row.try_get_raw(column)?;
    Ok(!raw.is_null() && raw.type_info().name() == "BLOB")
}
