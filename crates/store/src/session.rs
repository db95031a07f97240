//! A conversation with either database: statements in the dialect of the one, their parameters, their rows.
//!
//! Statements are written once. Where the databases differ in words, [`Dialect`] has the word of each, and what differs in
//! kind is a `match` on [`Session`]. A parameter is written `?` in both: for PostgreSQL it becomes `$1`, `$2`, ….

use std::borrow::Cow;

use futures_util::stream::{BoxStream, StreamExt};
use model::{PropertyType, Value};
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Connection, Row as _};

use crate::{Error, postgres, row, sqlite};

/// The SQL that a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// A connection that is lent for some statements.
pub(crate) enum Session<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// Statements that see one state of the database and take effect together or not at all. Dropped, it is rolled back.
pub(crate) enum Transaction<'c> {
    Sqlite(sqlx::Transaction<'c, Sqlite>),
    Postgres(sqlx::Transaction<'c, Postgres>),
}

impl Transaction<'_> {
    pub(crate) fn session(&mut self) -> Session<'_> {
        match self {
            Self::Sqlite(transaction) => Session::Sqlite(transaction),
            Self::Postgres(transaction) => Session::Postgres(transaction),
        }
    }

    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => transaction.rollback().await,
            Self::Postgres(transaction) => transaction.rollback().await,
        }
    }
}

/// A statement with its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    sql: String,
    parameters: Vec<Parameter>,
}

/// A value given to a statement. Null has a type too, which PostgreSQL asks for.
#[derive(Debug, Clone)]
pub(crate) enum Parameter {
    Boolean(Option<bool>),
    Integer(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    /// The text of RFC 3339.
    Date(Option<String>),
    /// The text of RFC 3339 in UTC.
    DateTime(Option<String>),
    /// What [`Dialect::stored`] made of a geometry.
    Geometry(Option<Vec<u8>>),
    /// For [`Dialect::is_one_of`].
    Keys(Vec<i64>),
}

impl Parameter {
    /// A property's value, in the type of its column.
    pub(crate) fn of(kind: PropertyType, value: &Value) -> Self {
        let text = || match value {
            Value::Text(text) => Some(text.to_string()),
            _ => None,
        };
        match (kind, value) {
            // What does not fit is refused long before; here it stays what it is, and the database decides.
            (_, Value::Boolean(b)) => Self::Boolean(Some(*b)),
            (_, Value::Integer(i)) => Self::Integer(Some(*i)),
            // SQLite keeps a whole number as an integer, which has no -0.
            (_, Value::Real(x)) => Self::Real(Some(x + 0.0)),
            (PropertyType::Date, _) => Self::Date(text()),
            (PropertyType::DateTime, _) => Self::DateTime(text()),
            (_, Value::Text(_)) | (PropertyType::Text, Value::Null) => Self::Text(text()),
            (PropertyType::Boolean, Value::Null) => Self::Boolean(None),
            (PropertyType::Integer, Value::Null) => Self::Integer(None),
            (PropertyType::Real, Value::Null) => Self::Real(None),
        }
    }
}

impl From<i64> for Parameter {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<Option<i64>> for Parameter {
    fn from(value: Option<i64>) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for Parameter {
    fn from(value: bool) -> Self {
        Self::Boolean(Some(value))
    }
}

impl From<Option<String>> for Parameter {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl From<Option<f64>> for Parameter {
    fn from(value: Option<f64>) -> Self {
        Self::Real(value)
    }
}

impl From<&str> for Parameter {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<String> for Parameter {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

/// A statement without parameters yet. Names in it went through [`quoted`], values never stand in it.
pub(crate) fn statement(sql: impl Into<String>) -> Statement {
    Statement {
        sql: sql.into(),
        parameters: Vec::new(),
    }
}

impl Statement {
    #[must_use]
    pub(crate) fn bind(mut self, parameter: impl Into<Parameter>) -> Self {
        self.parameters.push(parameter.into());
        self
    }

    #[must_use]
    pub(crate) fn bind_all(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    fn for_sqlite(self) -> Result<sqlx::query::Query<'static, Sqlite, SqliteArguments>, Error> {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(self.parameters.len(), 0);
        for parameter in self.parameters {
            sqlite::bind(&mut arguments, parameter).map_err(encode_failed)?;
        }
        Ok(sqlx::query_with(AssertSqlSafe(self.sql), arguments))
    }

    fn for_postgres(self) -> Result<sqlx::query::Query<'static, Postgres, PgArguments>, Error> {
        let mut arguments = PgArguments::default();
        arguments.reserve(self.parameters.len(), 0);
        for parameter in self.parameters {
            postgres::bind(&mut arguments, parameter).map_err(encode_failed)?;
        }
        let sql = AssertSqlSafe(numbered(&self.sql));
        Ok(sqlx::query_with(sql, arguments))
    }
}

fn encode_failed(error: sqlx::error::BoxDynError) -> Error {
    Error::Database(sqlx::Error::Encode(error))
}

/// `?` outside of names and texts as `$1`, `$2`, …
fn numbered(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 16);
    let mut within = None;
    let mut n = 0;
    for c in sql.chars() {
        match (within, c) {
            (None, '\'' | '"') => within = Some(c),
            (Some(quote), _) if quote == c => within = None,
            (None, '?') => {
                n += 1;
                out.push('$');
                out.push_str(&n.to_string());
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

/// A row of an answer.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(crate) fn integer(&self, column: usize) -> Result<i64, Error> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn maybe_integer(&self, column: usize) -> Result<Option<i64>, Error> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn maybe_real(&self, column: usize) -> Result<Option<f64>, Error> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn boolean(&self, column: usize) -> Result<bool, Error> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn text(&self, column: usize) -> Result<String, Error> {
        Ok(self.maybe_text(column)?.unwrap_or_default())
    }

    pub(crate) fn maybe_text(&self, column: usize) -> Result<Option<String>, Error> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// The ISO WKB of a column that [`crate::table::Table::geometry_out`] or the like has chosen.
    pub(crate) fn wkb(&self, column: usize) -> Result<Option<&[u8]>, Error> {
        match self {
            Self::Sqlite(row) => sqlite::wkb(row, column),
            Self::Postgres(row) => postgres::wkb(row, column),
        }
    }

    /// The number of the CRS that stands in a GeoPackage blob; `None` in PostGIS, where `ST_SRID` has to be asked for.
    pub(crate) fn blob_srs(&self, column: usize) -> Result<Option<i64>, Error> {
        match self {
            Self::Sqlite(row) => sqlite::blob_srs(row, column),
            Self::Postgres(_) => Ok(None),
        }
    }

    /// The value of a column in the type of its property; what another program stored in another type is text.
    pub(crate) fn value(&self, column: usize, kind: PropertyType) -> Result<Value, Error> {
        match self {
            Self::Sqlite(row) => sqlite::value(row, column, kind),
            Self::Postgres(row) => postgres::value(row, column, kind),
        }
    }

    /// Whether the column holds what a geometry can be.
    pub(crate) fn is_bytes_or_null(&self, column: usize) -> Result<bool, Error> {
        match self {
            Self::Sqlite(row) => {
                Ok(sqlx::ValueRef::is_null(&row.try_get_raw(column)?)
                    || sqlite::is_blob(row, column)?)
            }
            Self::Postgres(_) => Ok(true),
        }
    }

    /// Whether the column holds bytes where a value should be.
    pub(crate) fn is_blob(&self, column: usize) -> Result<bool, Error> {
        match self {
            Self::Sqlite(row) => sqlite::is_blob(row, column),
            // Its columns hold what they declare.
            Self::Postgres(_) => Ok(false),
        }
    }
}

impl Session<'_> {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Rows that a statement touched.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, Error> {
        Ok(match self {
            Self::Sqlite(connection) => statement
                .for_sqlite()?
                .execute(&mut **connection)
                .await?
                .rows_affected(),
            Self::Postgres(connection) => statement
                .for_postgres()?
                .execute(&mut **connection)
                .await?
                .rows_affected(),
        })
    }

    pub(crate) async fn fetch_all(&mut self, statement: Statement) -> Result<Vec<Row>, Error> {
        Ok(match self {
            Self::Sqlite(connection) => {
                let rows = statement.for_sqlite()?.fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(connection) => {
                let query = statement.for_postgres()?;
                let rows = query.fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    pub(crate) async fn fetch_optional(
        &mut self,
        statement: Statement,
    ) -> Result<Option<Row>, Error> {
        Ok(match self {
            Self::Sqlite(connection) => {
                let query = statement.for_sqlite()?;
                let row = query.fetch_optional(&mut **connection).await?;
                row.map(Row::Sqlite)
            }
            Self::Postgres(connection) => {
                let query = statement.for_postgres()?;
                let row = query.fetch_optional(&mut **connection).await?;
                row.map(Row::Postgres)
            }
        })
    }

    pub(crate) async fn fetch_one(&mut self, statement: Statement) -> Result<Row, Error> {
        self.fetch_optional(statement)
            .await?
            .ok_or(Error::Database(sqlx::Error::RowNotFound))
    }

    /// Rows as they come, however many.
    pub(crate) fn stream(
        &mut self,
        statement: Statement,
    ) -> Result<BoxStream<'_, Result<Row, Error>>, Error> {
        Ok(match self {
            Self::Sqlite(connection) => statement
                .for_sqlite()?
                .fetch(&mut **connection)
                .map(|row| Ok(Row::Sqlite(row?)))
                .boxed(),
            Self::Postgres(connection) => {
                let rows = statement.for_postgres()?.fetch(&mut **connection);
                postgres::while_they_come(rows).boxed()
            }
        })
    }

    /// Statements without parameters, one after the other.
    pub(crate) async fn run(&mut self, sql: impl Into<String>) -> Result<(), Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        match self {
            Self::Sqlite(connection) => {
                sql.execute(&mut **connection).await?;
            }
            Self::Postgres(connection) => {
                sql.execute(&mut **connection).await?;
            }
        }
        Ok(())
    }

    /// A transaction, or a part of the one that is open.
    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        Ok(match self {
            Self::Sqlite(connection) => Transaction::Sqlite(connection.begin().await?),
            Self::Postgres(connection) => Transaction::Postgres(connection.begin().await?),
        })
    }
}

impl Dialect {
    /// The column of a property. PostgreSQL cuts names after 63 bytes, so a longer one ends in a hash of itself there;
    /// names of its own columns get it too.
    pub(crate) fn column(self, property: &str) -> String {
        match self {
            Self::Sqlite => quoted(property),
            Self::Postgres => quoted(&postgres::column_name(property)),
        }
    }

    /// A condition that a column holds one of [`Parameter::Keys`].
    pub(crate) fn is_one_of(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("{column} IN (SELECT value FROM json_each(?))"),
            Self::Postgres => format!("{column} = ANY(?)"),
        }
    }

    /// The place of a [`Parameter::Geometry`].
    pub(crate) fn geometry(self) -> &'static str {
        match self {
            Self::Sqlite => "?",
            Self::Postgres => "ST_GeomFromEWKB(?)",
        }
    }

    /// The bytes that a geometry column takes: a GeoPackage blob, or EWKB with its SRID.
    pub(crate) fn stored(self, wkb: &[u8], header: &formats::wkb::Header, srid: u32) -> Vec<u8> {
        match self {
            Self::Sqlite => row::blob(wkb, header, srid),
            Self::Postgres => postgres::ewkb(wkb, srid),
        }
    }
}

/// An SQL identifier, the same in both dialects.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Keys as the text that SQLite's `json_each` takes.
pub(crate) fn json_array(keys: &[i64]) -> Cow<'static, str> {
    let texts: Vec<String> = keys.iter().map(i64::to_string).collect();
    format!("[{}]", texts.join(",")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_and_names_and_texts_are_left() {
        for (given, expected) in [
            ("SELECT ? + ?", "SELECT $1 + $2"),
            (
                r#"SELECT "a?b", 'it''s ?', ?"#,
                r#"SELECT "a?b", 'it''s ?', $1"#,
            ),
            (r#"SELECT "a""?", ?"#, r#"SELECT "a""?", $1"#),
        ] {
            assert_eq!(numbered(given), expected);
        }
    }
}
