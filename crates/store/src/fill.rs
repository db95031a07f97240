//! Rows into a table, many at a time: by long statements, or by COPY where PostgreSQL has it.

use model::{PropertyType, Value};

use crate::Error;
use crate::postgres::copy::Copy;
use crate::session::{Dialect, Parameter, Session, Statement, statement};
use crate::table::Table;

/// Parameters of a statement at most (`SQLITE_MAX_VARIABLE_NUMBER`; PostgreSQL takes twice as many).
const MAX_PARAMETERS: usize = 32_766;

/// Rows of an insert statement at most: beyond this a longer statement gains nothing.
const MAX_ROWS: usize = 128;

/// A row as its table will hold it.
pub(crate) struct NewRow {
    /// `None` lets the database give one.
    pub(crate) key: Option<i64>,
    /// What [`Dialect::stored`] made of the geometry.
    pub(crate) geometry: Option<Vec<u8>>,
    /// In the order of the table's columns.
    pub(crate) values: Vec<Value>,
}

/// Rows that one statement takes, by the number of columns beside key and geometry.
pub(crate) fn rows_per_statement(columns: usize) -> usize {
    (MAX_PARAMETERS / (columns + 2)).clamp(1, MAX_ROWS)
}

/// A statement that adds rows.
pub(crate) fn insertion(
    table: &Table,
    kinds: &[PropertyType],
    rows: impl ExactSizeIterator<Item = NewRow>,
    tail: &str,
) -> Statement {
    let names: String = table.columns.iter().map(|c| format!(", {c}")).collect();
    let marks = ", ?".repeat(table.columns.len());
    let mut values = Vec::with_capacity(rows.len());
    let mut parameters = Vec::with_capacity(rows.len() * (table.columns.len() + 2));
    for row in rows {
        // A null would be taken for the key itself in PostgreSQL.
        let key = match (table.dialect, row.key) {
            (Dialect::Postgres, None) => "DEFAULT",
            _ => {
                parameters.push(row.key.into());
                "?"
            }
        };
        values.push(format!("({key}, {}{marks})", table.dialect.geometry()));
        parameters.push(Parameter::Geometry(row.geometry));
        let typed = kinds.iter().zip(&row.values);
        parameters.extend(typed.map(|(kind, value)| Parameter::of(*kind, value)));
    }
    let sql = format!(
        "INSERT INTO {} ({}, {}{names}) VALUES {}{tail}",
        table.name,
        table.key,
        table.geometry,
        values.join(", ")
    );
    statement(sql).bind_all(parameters)
}

/// Rows with keys on their way into a table that nobody else writes to.
pub(crate) enum Fill {
    Sqlite {
        table: Table,
        kinds: Vec<PropertyType>,
        waiting: Vec<NewRow>,
    },
    Postgres(Copy),
}

impl Fill {
    pub(crate) fn into(table: &Table, kinds: Vec<PropertyType>) -> Self {
        match table.dialect {
            Dialect::Sqlite => Self::Sqlite {
                table: table.clone(),
                kinds,
                waiting: Vec::new(),
            },
            Dialect::Postgres => Self::Postgres(Copy::into(table, kinds)),
        }
    }

    /// Adds a row; what waits is sent when it is enough.
    pub(crate) async fn add(
        &mut self,
        session: &mut Session<'_>,
        key: i64,
        geometry: Option<Vec<u8>>,
        values: Vec<Value>,
    ) -> Result<(), Error> {
        match self {
            Self::Postgres(copy) => copy.add(session, key, geometry.as_deref(), &values).await,
            Self::Sqlite { waiting, kinds, .. } => {
                waiting.push(NewRow {
                    key: Some(key),
                    geometry,
                    values,
                });
                if waiting.len() < rows_per_statement(kinds.len()) {
                    return Ok(());
                }
                self.flush(session).await
            }
        }
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// When the database refuses a row.
    pub(crate) async fn flush(&mut self, session: &mut Session<'_>) -> Result<(), Error> {
        match self {
            Self::Postgres(copy) => copy.flush(session).await,
            Self::Sqlite { waiting, .. } if waiting.is_empty() => Ok(()),
            Self::Sqlite {
                table,
                kinds,
                waiting,
            } => {
                let rows = std::mem::take(waiting).into_iter();
                session.execute(insertion(table, kinds, rows, "")).await?;
                Ok(())
            }
        }
    }
}
