//! Reading features: pages by key, single features, search.

use std::collections::HashSet;
use std::sync::Arc;

use model::{Bbox, ChangeSeq, Collection, Envelope, Feature, Interval, PropertyType, Value};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

use crate::live::LiveCollection;
use crate::registry::{KEY, quoted};
use crate::{Error, Store, row};

/// Features in a page at most: 10,000 parcels are about 8 MB of GeoJSON, and QGIS asks for pages of this size.
pub const MAX_LIMIT: u32 = 10_000;

/// Geometries that are held against a box at a time: 1,000 parcels are some hundred kilobytes.
const DECIDED_AT_ONCE: usize = 1_000;

/// Which features to read. Conditions are joined by AND; the order is that of the integer key.
#[derive(Debug, Clone, Default)]
pub struct ItemsQuery {
    pub bbox: Option<Bbox>,
    /// Applied to the collection's time property; features without a time match
    /// (OGC 17-069r4 §7.15.4, /req/core/fc-time-response).
    pub datetime: Option<Interval>,
    /// Equality on properties, by schema position.
    pub equals: Vec<(usize, Value)>,
    /// Only features whose key is greater.
    pub after: Option<i64>,
    /// 1..=[`MAX_LIMIT`].
    pub limit: u32,
}

/// A page of features in longitude/latitude.
#[derive(Debug)]
pub struct Page {
    pub features: Vec<Feature>,
    /// Exact count of all features that match, on all pages.
    pub number_matched: u64,
    /// The key after which the next page starts.
    pub next: Option<i64>,
}

/// One feature with the change that made it so.
#[derive(Debug)]
pub struct Item {
    /// In longitude/latitude.
    pub feature: Feature,
    pub version: ChangeSeq,
}

/// A feature that the search box found.
#[derive(Debug, Clone)]
pub struct SearchHit {
    pub fid: i64,
    /// Schema position of the property that matched.
    pub property: usize,
    pub value: Value,
    pub label: Option<Value>,
    /// The id property's value, where the collection has one.
    pub id: Option<Value>,
    pub envelope: Option<Envelope>,
}

impl Store {
    /// # Errors
    /// When the database can't be read.
    pub async fn items(&self, live: &LiveCollection, query: &ItemsQuery) -> Result<Page, Error> {
        let mut connection = self.inner.reader.acquire().await?;
        let limit = query.limit.clamp(1, MAX_LIMIT) as usize;
        let filter = Filter::new(&live.collection, query);
        let (features, number_matched, next) = if let Some(bbox) = &query.bbox {
            let mut keys = in_bbox(&mut connection, live, bbox).await?;
            if !filter.is_empty() {
                let matching = filter.keys(&mut connection, &live.collection).await?;
                keys.retain(|key| matching.contains(key));
            }
            keys.sort_unstable();
            let start = query
                .after
                .map_or(0, |after| keys.partition_point(|key| *key <= after));
            let end = keys.len().min(start + limit);
            // By the keys and not by the rows: one that was deleted meanwhile does not end the walk.
            let next = (end < keys.len()).then(|| keys[end - 1]);
            let features = by_keys(&mut connection, &live.collection, &keys[start..end]).await?;
            (features, keys.len() as u64, next)
        } else {
            let matched = if filter.is_empty() {
                live.index.len() as u64
            } else {
                filter.count(&mut connection, &live.collection).await?
            };
            let mut features = filter
                .page(&mut connection, &live.collection, query.after, limit + 1)
                .await?;
            let next = (features.len() > limit).then(|| features[limit - 1].fid);
            features.truncate(limit);
            (features, matched, next)
        };
        drop(connection);
        let collection = Arc::clone(&live.collection);
        let features = off_the_reactor(features.len(), move || {
            features
                .into_iter()
                .map(|f| row::in_wgs84(&collection, f))
                .collect::<Result<_, _>>()
        })
        .await?;
        Ok(Page {
            features,
            number_matched,
            next,
        })
    }

    /// A feature by the id of its URL.
    ///
    /// # Errors
    /// When the database can't be read. An id that can't be one of this collection is `None`.
    pub async fn item(&self, live: &LiveCollection, id: &str) -> Result<Option<Item>, Error> {
        let mut connection = self.inner.reader.acquire().await?;
        let found = stored(&mut connection, live, id).await?;
        found
            .map(|item| {
                Ok(Item {
                    feature: row::in_wgs84(&live.collection, item.feature)?,
                    ..item
                })
            })
            .transpose()
    }

    /// Features whose searchable text contains the words, best first; at most `limit`.
    pub fn search(&self, live: &LiveCollection, text: &str, limit: usize) -> Vec<SearchHit> {
        let schema = &live.collection.schema;
        let searchable = live
            .columns
            .iter()
            .enumerate()
            .filter(|(_, c)| schema.properties[**c].searchable);
        let columns: Vec<usize> = searchable.map(|(i, _)| i).collect();
        let column_of = |name: &Option<String>| {
            name.as_ref()
                .and_then(|n| schema.position(n))
                .and_then(|p| live.column_of(p))
        };
        let (label, id) = (
            column_of(&live.collection.label_property),
            column_of(&live.collection.id_property),
        );
        let hits = live.index.search_text(text, &columns, limit);
        hits.into_iter()
            .map(|found| SearchHit {
                fid: found.hit.fid(),
                property: live.columns[found.column],
                value: found.hit.value(found.column).to_value(),
                label: label.map(|column| found.hit.value(column).to_value()),
                id: id.map(|column| found.hit.value(column).to_value()),
                envelope: found.hit.envelope(),
            })
            .collect()
    }
}

/// A feature in the storage CRS by the id of its URL.
pub(crate) async fn stored(
    connection: &mut SqliteConnection,
    live: &LiveCollection,
    id: &str,
) -> Result<Option<Item>, Error> {
    let collection = &live.collection;
    let columns = row::columns(collection);
    let table = quoted(collection.id.as_str());
    let key_column = match id_column(collection) {
        Some(property) => quoted(property),
        None => KEY.to_owned(),
    };
    let sql = format!(
        "SELECT {columns}, (SELECT max(seq) FROM hromada_changes WHERE collection = ? AND fid = {table}.{KEY})
         FROM {table} WHERE {key_column} = ?"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(live.n);
    let query = match (id_column(collection), id.parse::<i64>()) {
        (Some(_), _) => query.bind(id.to_owned()),
        // Only the plain spelling of a number is an id: `007` and `+7` are not.
        (None, Ok(key)) if key.to_string() == id => query.bind(key),
        (None, _) => return Ok(None),
    };
    let Some(found) = query.fetch_optional(connection).await? else {
        return Ok(None);
    };
    let version: Option<i64> = found.try_get(collection.schema.properties.len() + 2)?;
    Ok(Some(Item {
        feature: row::feature(&found, collection)?,
        version: ChangeSeq(version.unwrap_or(0)),
    }))
}

/// The id property where it is a text; an integer id property is the key itself.
pub(crate) fn id_column(collection: &Collection) -> Option<&str> {
    let name = collection.id_property.as_deref()?;
    let kind = collection.schema.get(name)?.kind;
    (kind != PropertyType::Integer).then_some(name)
}

/// Keys of the features that truly intersect a box: those whose envelope lies inside it do, points do;
/// the others are decided by their stored geometry.
async fn in_bbox(
    connection: &mut SqliteConnection,
    live: &LiveCollection,
    bbox: &Bbox,
) -> Result<Vec<i64>, Error> {
    let parts: Vec<Envelope> = bbox.envelopes().collect();
    let mut keys = Vec::new();
    let mut undecided = Vec::new();
    for hit in live.index.search_bbox(bbox) {
        let Some(envelope) = hit.envelope() else {
            continue;
        };
        if envelope.min == envelope.max || parts.iter().any(|part| part.contains(&envelope)) {
            keys.push(hit.fid());
        } else {
            undecided.push(hit.fid());
        }
    }
    if undecided.is_empty() {
        return Ok(keys);
    }
    let sql = format!(
        "SELECT {KEY}, geom FROM {} WHERE {KEY} IN (SELECT value FROM json_each(?))",
        quoted(live.collection.id.as_str())
    );
    // Some at a time, so that the geometries of a whole town are never in memory at once.
    for some in undecided.chunks(DECIDED_AT_ONCE) {
        let rows = sqlx::query(AssertSqlSafe(sql.clone()))
            .bind(json_array(some))
            .fetch_all(&mut *connection)
            .await?;
        let (collection, bbox) = (Arc::clone(&live.collection), *bbox);
        let decided = off_the_reactor(rows.len(), move || {
            let mut inside: Vec<i64> = Vec::new();
            for row in &rows {
                let Some(wkb) = row::geometry(row, 1)? else {
                    continue;
                };
                if spatial::intersects(&row::to_wgs84(&collection, wkb)?, &bbox) {
                    inside.push(row.try_get(0)?);
                }
            }
            Ok(inside)
        });
        keys.extend(decided.await?);
    }
    Ok(keys)
}

/// Runs work on geometries: that of some features here, that of many on a blocking thread, since other requests
/// would wait for it.
async fn off_the_reactor<T: Send + 'static>(
    features: usize,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    const FEW: usize = 20;
    if features <= FEW {
        return work();
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::Io(std::io::Error::other(e)))?
}

async fn by_keys(
    connection: &mut SqliteConnection,
    collection: &Collection,
    keys: &[i64],
) -> Result<Vec<Feature>, Error> {
    let sql = format!(
        "SELECT {} FROM {} WHERE {KEY} IN (SELECT value FROM json_each(?)) ORDER BY {KEY}",
        row::columns(collection),
        quoted(collection.id.as_str())
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(json_array(keys))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|r| row::feature(r, collection)).collect()
}

fn json_array(keys: &[i64]) -> String {
    let texts: Vec<String> = keys.iter().map(i64::to_string).collect();
    format!("[{}]", texts.join(","))
}

/// The conditions of a query that SQL decides.
struct Filter {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Filter {
    fn new(collection: &Collection, query: &ItemsQuery) -> Self {
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

    fn is_empty(&self) -> bool {
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

    async fn count(
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

    async fn keys(
        &self,
        connection: &mut SqliteConnection,
        collection: &Collection,
    ) -> Result<HashSet<i64>, Error> {
        let sql = self.sql(KEY, collection, &[]);
        let query = self
            .values
            .iter()
            .fold(sqlx::query(AssertSqlSafe(sql)), |q, v| row::bound(q, v));
        let rows = query.fetch_all(connection).await?;
        rows.iter().map(|r| Ok(r.try_get(0)?)).collect()
    }

    async fn page(
        &self,
        connection: &mut SqliteConnection,
        collection: &Collection,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Feature>, Error> {
        let more: Vec<String> = after
            .map(|key| format!("{KEY} > {key}"))
            .into_iter()
            .collect();
        let sql = self.sql(&row::columns(collection), collection, &more);
        let sql = format!("{sql} ORDER BY {KEY} LIMIT {limit}");
        let query = self
            .values
            .iter()
            .fold(sqlx::query(AssertSqlSafe(sql)), |q, v| row::bound(q, v));
        let rows = query.fetch_all(connection).await?;
        rows.iter().map(|r| row::feature(r, collection)).collect()
    }
}
