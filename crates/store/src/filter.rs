//! The conditions of a query that SQL decides, and what they choose.

use model::PropertyType;

use crate::Error;
use crate::items::{ItemsQuery, Size, size};
use crate::live::LiveCollection;
use crate::session::{Dialect, Parameter, Session, Statement, statement};
use crate::table::Table;

/// Keys in a parameter: those of a whole town would make a text of megabytes.
const KEYS_AT_ONCE: usize = 10_000;

/// The conditions of a query that SQL decides.
pub(crate) struct Filter<'a> {
    table: &'a Table,
    conditions: Vec<String>,
    values: Vec<Parameter>,
}

impl<'a> Filter<'a> {
    pub(crate) fn new(live: &'a LiveCollection, query: &ItemsQuery) -> Self {
        let table = &*live.table;
        let schema = &live.collection.schema;
        let mut filter = Self {
            table,
            conditions: Vec::new(),
            values: Vec::new(),
        };
        for (position, value) in &query.equals {
            let kind = schema.properties[*position].kind;
            let column = &table.reads[*position];
            filter.conditions.push(format!("{column} = ?"));
            filter.values.push(Parameter::of(kind, value));
        }
        let time = live.collection.time_property.as_deref();
        let time = time.and_then(|name| schema.position(name));
        if let (Some(interval), Some(position)) = (&query.datetime, time) {
            let column = &table.reads[position];
            let kind = schema.properties[position].kind;
            let compared = to_the_millisecond(table.dialect, kind, column);
            for (operator, side) in [(">=", &interval.start), ("<=", &interval.end)] {
                if let Some(text) = side {
                    let condition = format!("({column} IS NULL OR {compared} {operator} ?)");
                    filter.conditions.push(condition);
                    filter.values.push(bound(table.dialect, kind, text));
                }
            }
        }
        filter
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    fn select(&self, what: &str, more: &[String]) -> Statement {
        let all: Vec<&str> = self
            .conditions
            .iter()
            .chain(more)
            .map(String::as_str)
            .collect();
        let condition = if all.is_empty() {
            "TRUE".to_owned()
        } else {
            all.join(" AND ")
        };
        let name = &self.table.name;
        statement(format!("SELECT {what} FROM {name} WHERE {condition}"))
            .bind_all(self.values.iter().cloned())
    }

    pub(crate) async fn count(&self, session: &mut Session<'_>) -> Result<u64, Error> {
        let row = session.fetch_one(self.select("count(*)", &[])).await?;
        Ok(row.integer(0)?.unsigned_abs())
    }

    /// Keys of all features that meet the conditions.
    pub(crate) async fn keys(&self, session: &mut Session<'_>) -> Result<Vec<i64>, Error> {
        let select = self.select(&self.table.key_out, &[]);
        let rows = session.fetch_all(select).await?;
        rows.iter().map(|row| row.integer(0)).collect()
    }

    /// Those of some keys whose features meet the conditions.
    pub(crate) async fn among(
        &self,
        session: &mut Session<'_>,
        keys: &[i64],
    ) -> Result<Vec<i64>, Error> {
        let select = self.select(&self.table.key_out, &[self.table.has_key()]);
        let mut matching = Vec::new();
        for some in keys.chunks(KEYS_AT_ONCE) {
            let some = Parameter::Keys(some.to_vec());
            for row in session.fetch_all(select.clone().bind(some)).await? {
                matching.push(row.integer(0)?);
            }
        }
        Ok(matching)
    }

    /// The first features after a key.
    pub(crate) async fn sizes(
        &self,
        session: &mut Session<'_>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Size>, Error> {
        let key = &self.table.key;
        let order = format!(" ORDER BY {key} LIMIT ?");
        let more: Vec<String> = after.map(|_| format!("{key} > ?")).into_iter().collect();
        let what = format!("{}, {}", self.table.key_out, self.table.size());
        let select = self
            .select(&what, &more)
            .then(&order)
            .bind_all(after.map(Parameter::from))
            .bind(limit as i64);
        session.fetch_all(select).await?.iter().map(size).collect()
    }
}

/// A time column as the bounds of an interval, which are whole milliseconds, are held against it.
fn to_the_millisecond(dialect: Dialect, kind: PropertyType, column: &str) -> String {
    match (dialect, kind) {
        (_, PropertyType::Date) => column.to_owned(),
        (Dialect::Sqlite, _) => format!("substr({column}, 1, 23)"),
        (Dialect::Postgres, PropertyType::DateTime) => {
            format!("date_trunc('milliseconds', {column})")
        }
        (Dialect::Postgres, _) => format!("substr({column}::text, 1, 23)"),
    }
}

/// The end of an interval, in the form of [`to_the_millisecond`].
fn bound(dialect: Dialect, kind: PropertyType, text: &str) -> Parameter {
    match (dialect, kind) {
        (_, PropertyType::Date) => Parameter::Date(Some(text[..10].to_owned())),
        (Dialect::Postgres, PropertyType::DateTime) => Parameter::DateTime(Some(text.to_owned())),
        _ => Parameter::Text(Some(text[..23].to_owned())),
    }
}
