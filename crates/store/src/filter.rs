//! The conditions of a query that SQL decides, and what they choose.

use model::{Collection, PropertyType, Value};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

use crate::items::{ItemsQuery, SIZE, Size, json_array, size};
use crate::registry::{KEY, quoted};
use crate::{Error, row};

/// Keys in a parameter: those of a whole town would make a text of megabytes.
const KEYS_AT_ONCE: usize = 10_000;

/// The conditions of a query that SQL decides.
pub(crate) struct Filter {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Filter {
    pub(crate) fn new(collection: &Collection, query: &ItemsQuery) -> Self {
        let mut filter = Self {
            conditions: Vec::new(),
            values: Vec::new(),
        };
        for (position, value) in &query.equals {
            filter.conditions.push(format!(
                "{} = ?",
                quoted(&collection.schema.properties[*position].name)
            ));
            filter.values.push(value.clone());
        }
        if let (Some(interval), Some(name)) = (&query.datetime, &collection.time_property) {
            let column = quoted(name);
            let day_only = collection
                .schema
                .get(name)
                .is_some_and(|p| p.kind == PropertyType::Date);
            // A date column compares by its ten characters.
            let bound = |text: &String| {
                Value::Text(if day_only {
                    text[..10].into()
                } else {
                    text.as_str().into()
                })
            };
            for (operator, side) in [(">=", &interval.start), ("<=", &interval.end)] {
                if let Some(text) = side {
                    filter
                        .conditions
                        .push(format!("({column} IS NULL OR {column} {operator} ?)"));
                    filter.values.push(bound(text));
                }
            }
        }
        filter
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    fn sql(&self, select: &str, collection: &Collection, more: &[String]) -> String {
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
        format!(
            "SELECT {select} FROM {} WHERE {condition}",
            quoted(collection.id.as_str())
        )
    }

    pub(crate) async fn count(
        &self,
        connection: &mut SqliteConnection,
        collection: &Collection,
    ) -> Result<u64, Error> {
        let sql = self.sql("count(*)", collection, &[]);
        let query = self
            .values
            .iter()
            .fold(sqlx::query(AssertSqlSafe(sql)), |q, v| row::bound(q, v));
        let count: i64 = query.fetch_one(connection).await?.try_get(0)?;
        Ok(count.unsigned_abs())
    }

    /// Those of some keys whose features meet the conditions.
    pub(crate) async fn among(
        &self,
        connection: &mut SqliteConnection,
        collection: &Collection,
        keys: &[i64],
    ) -> Result<Vec<i64>, Error> {
        let given = format!("{KEY} IN (SELECT value FROM json_each(?))");
        let sql = self.sql(KEY, collection, &[given]);
        let mut matching = Vec::new();
        for some in keys.chunks(KEYS_AT_ONCE) {
            let query = self
                .values
                .iter()
                .fold(sqlx::query(AssertSqlSafe(sql.clone())), row::bound);
            let rows = query
                .bind(json_array(some))
                .fetch_all(&mut *connection)
                .await?;
            for row in rows {
                matching.push(row.try_get(0)?);
            }
        }
        Ok(matching)
    }

    /// The first features after a key.
    pub(crate) async fn sizes(
        &self,
        connection: &mut SqliteConnection,
        collection: &Collection,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Size>, Error> {
        let more: Vec<String> = after
            .map(|key| format!("{KEY} > {key}"))
            .into_iter()
            .collect();
        let sql = self.sql(SIZE, collection, &more);
        let sql = format!("{sql} ORDER BY {KEY} LIMIT {limit}");
        let query = self
            .values
            .iter()
            .fold(sqlx::query(AssertSqlSafe(sql)), row::bound);
        let rows = query.fetch_all(connection).await?;
        rows.iter().map(size).collect()
    }
}
