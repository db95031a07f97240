//! Reading features: pages by key, single features, search.

mod choose;
pub(crate) mod past;
mod query;
mod rows;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use model::{ChangeSeq, Collection, Crs, Envelope, Feature, Message, PropertyType, Value};

use tokio::sync::Semaphore;

use crate::backend::Reading;
use crate::live::LiveCollection;
use crate::session::{Dialect, Parameter, Row, Session, statement};
use crate::table::Table;
use crate::{Error, Store, row};
use past::Of;

pub(crate) use rows::holds_by_index;

pub use choose::{Chosen, Key, portions};
pub use query::{Begin, ItemsQuery, MAX_LIMIT, Sort, Walk};

/// Bytes of geometry in memory for one page at most, but for a single larger feature: the page ends early, and the
/// next one goes on. 1,000 parcels have some hundred kilobytes; a reader who takes nothing of an answer holds a page.
const MAX_BYTES: usize = 1024 * 1024;

/// A page of features.
#[derive(Debug)]
pub struct Page {
    /// In the CRS that was asked for.
    pub features: Vec<Feature>,
    /// Exact count of all features that match, on all pages.
    pub number_matched: u64,
    /// Where the next page begins.
    pub next: Option<Begin>,
    /// The moment that is shown.
    pub walk: Walk,
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
    /// A page, whole in memory: it ends early where its geometries are large.
    ///
    /// # Errors
    /// As [`Store::choose`].
    pub async fn items(&self, live: &LiveCollection, query: &ItemsQuery) -> Result<Page, Error> {
        let chosen = self.choose(live, query).await?;
        let keys = portions(&chosen.keys).next().unwrap_or_default();
        let is_whole = keys.len() == chosen.keys.len();
        Ok(Page {
            features: self.read(live, &chosen.walk, query.crs, keys).await?,
            number_matched: chosen.walk.matched,
            next: match is_whole {
                true => chosen.next,
                false => Some(chosen.begin_at(keys.len())),
            },
            walk: chosen.walk,
        })
    }

    /// Reads chosen features as they were at the moment of a walk, in the order of the keys; fewer where a table has lost some
    /// without a trace. Geometries are in `crs`, x first.
    ///
    /// # Errors
    /// [`Error::Gone`] when the states of then are not known; when the database can't be read.
    pub async fn read(
        &self,
        live: &LiveCollection,
        walk: &Walk,
        crs: Crs,
        keys: &[Key],
    ) -> Result<Vec<Feature>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut fids: Vec<i64> = keys.iter().map(|key| key.fid).collect();
        fids.sort_unstable();
        let read = {
            let last = self.live().reached();
            let work = || reading_rows(live.clone(), (walk.seq, last), fids.clone(), crs);
            match self.reading(work()).await {
                Ok(None) => self.reading_newest(work()).await,
                read => read,
            }
        };
        let stored = match read {
            Ok(Some(read)) => read,
            Ok(None) => return Err(Error::Busy(Message::new("store.busy"))),
            Err(error) => return Err(self.explained(error).await),
        };
        let (live, bytes) = (live.clone(), keys.iter().map(|key| key.bytes).sum());
        let places: HashMap<i64, usize> = match keys.is_sorted_by_key(|key| key.fid) {
            true => HashMap::new(),
            false => keys.iter().enumerate().map(|(i, k)| (k.fid, i)).collect(),
        };
        off_the_reactor(bytes, move || {
            let mut features: Vec<Feature> = match is_coarse(&live) {
                true => stored,
                false => {
                    let shown = |feature| seen_in(&live, feature, crs);
                    stored.into_iter().filter_map(shown).collect()
                }
            };
            if !places.is_empty() {
                features.sort_unstable_by_key(|feature| places.get(&feature.fid));
            }
            Ok(features)
        })
        .await
    }

    /// A feature by the id of its URL.
    ///
    /// # Errors
    /// When the database can't be read. An id that can't be one of this collection is `None`.
    pub async fn item(&self, live: &LiveCollection, id: &str) -> Result<Option<Item>, Error> {
        let found = {
            let (live, id) = (live.clone(), id.to_owned());
            self.reading_once(move |session| {
                Box::pin(async move {
                    // Of a row that is not seen nothing is read: the time would tell that it is there, and how large.
                    match is_seen(session, &live, &id).await? {
                        true => stored(session, &live, &id).await,
                        false => Ok(None),
                    }
                })
            })
            .await
        };
        let item = match found {
            Ok(Some(item)) => item,
            Ok(None) => return Ok(None),
            Err(error) => return Err(self.explained(error).await),
        };
        let live = live.clone();
        let bytes = item.feature.geometry.as_ref().map_or(0, Vec::len);
        let version = item.version;
        off_the_reactor(bytes, move || {
            Ok(seen(&live, item.feature).map(|feature| Item { feature, version }))
        })
        .await
    }

    /// A feature as it was right after a change, in longitude/latitude; `None` when it was not there, or is not seen.
    ///
    /// # Errors
    /// [`Error::Gone`] when that is not known any more; when the database can't be read.
    pub async fn item_at(
        &self,
        live: &LiveCollection,
        fid: i64,
        seq: ChangeSeq,
    ) -> Result<Option<Feature>, Error> {
        let walk = Walk { seq, ..live.now() };
        let key = Key {
            fid,
            stamp: None,
            bytes: 0,
        };
        let mut found = self.read(live, &walk, Crs::CRS84, &[key]).await?;
        Ok(found.pop())
    }

    /// A feature in longitude/latitude in another CRS, x first; without geometry where that has no image of it.
    pub fn in_crs(&self, mut feature: Feature, crs: Crs) -> Feature {
        if !crs.is_wgs84() {
            feature.geometry = feature
                .geometry
                .and_then(|wkb| row::in_crs(Crs::CRS84, crs, &wkb).ok());
        }
        feature
    }

    /// A table that is not what the index says may just have been replaced: then the next read goes well.
    async fn explained(&self, error: Error) -> Error {
        let is_changed = matches!(&error, Error::Refused(m) if m.key() == "store.table-changed");
        let before = self.live();
        if is_changed && self.catch_up().await.is_ok() && !Arc::ptr_eq(&before, &self.live()) {
            return Error::Busy(Message::new("store.busy"));
        }
        error
    }

    /// Features whose searchable text contains the words, best first; at most `limit`.
    pub fn search(&self, live: &LiveCollection, text: &str, limit: usize) -> Vec<SearchHit> {
        let schema = &live.collection.schema;
        let searchable = live
            .columns
            .iter()
            .enumerate()
            .filter(|(_, c)| c.is_some_and(|c| schema.properties[c].searchable));
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
            .filter_map(|found| {
                let property = live.columns[found.column]?;
                Some((found, property))
            })
            .map(|(found, property)| SearchHit {
                fid: found.hit.fid(),
                property,
                value: found.hit.value(found.column).to_value(),
                label: label.map(|column| found.hit.value(column).to_value()),
                id: id.map(|column| found.hit.value(column).to_value()),
                envelope: found.hit.envelope(),
            })
            .collect()
    }
}

/// The collection and table that the rows of a collection are read by, whoever looks at it.
fn as_stored(live: &LiveCollection) -> (&Collection, &Table) {
    match &live.lens {
        Some(lens) => {
            let (collection, table) = lens.source();
            (collection, table)
        }
        None => (&live.collection, &live.table),
    }
}

/// A stored feature as it is served; `None` for one that is not seen. Asked of each row that was read, since the index that
/// chose it may be older.
fn seen(live: &LiveCollection, feature: Feature) -> Option<Feature> {
    seen_in(live, feature, Crs::CRS84)
}

/// As [`seen`], in another CRS.
pub(crate) fn seen_in(live: &LiveCollection, feature: Feature, crs: Crs) -> Option<Feature> {
    match &live.lens {
        Some(lens) => lens.seen(feature, crs),
        None => Some(row::shown(&live.collection, feature, crs)),
    }
}

/// Whether places are seen rounded: then how large geometries are is nothing that a page may depend on.
fn is_coarse(live: &LiveCollection) -> bool {
    live.lens.as_ref().is_some_and(|lens| lens.is_coarse())
}

fn reading_rows(
    live: LiveCollection,
    moment: (ChangeSeq, ChangeSeq),
    keys: Vec<i64>,
    crs: Crs,
) -> impl Reading<Option<Vec<Feature>>> {
    move |session| Box::pin(async move { rows(session, &live, moment, &keys, crs).await })
}

/// What [`Store::read`] makes features of; `None` where the database is a replica that has not come so far yet. A moment is
/// its last change, and about the last one that there is.
async fn rows(
    session: &mut Session<'_>,
    live: &LiveCollection,
    moment: (ChangeSeq, ChangeSeq),
    keys: &[i64],
    crs: Crs,
) -> Result<Option<Vec<Feature>>, Error> {
    if session.dialect() == Dialect::Postgres {
        let last = statement("SELECT max(seq) FROM hromada_changes");
        let last = session.fetch_one(last).await?.maybe_integer(0)?;
        if last.unwrap_or(0) < moment.0.0 {
            return Ok(None);
        }
    }
    let rows = match is_coarse(live) {
        true => coarse(session, live, moment, keys, crs).await,
        false => as_then(session, live, moment, keys).await,
    };
    rows.map(Some)
}

/// Features as they were stored at a moment, by rising key.
async fn as_then(
    session: &mut Session<'_>,
    live: &LiveCollection,
    (seq, last): (ChangeSeq, ChangeSeq),
    keys: &[i64],
) -> Result<Vec<Feature>, Error> {
    let (collection, table) = as_stored(live);
    let now = by_keys(session, collection, table, keys).await?;
    let past = past::since(session, live, seq, Of::Features { keys, last }).await?;
    if past.is_empty() {
        return Ok(now);
    }
    let unchanged = now.into_iter().filter(|f| !past.contains_key(&f.fid));
    let mut features: Vec<Feature> = unchanged.collect();
    features.extend(past.into_values().flatten());
    features.sort_unstable_by_key(|feature| feature.fid);
    Ok(features)
}

/// As [`as_then`], as they are seen, of which only some are in memory as they are stored: how large the geometry is that is
/// seen rounded, the index does not tell.
async fn coarse(
    session: &mut Session<'_>,
    live: &LiveCollection,
    moment: (ChangeSeq, ChangeSeq),
    keys: &[i64],
    crs: Crs,
) -> Result<Vec<Feature>, Error> {
    let mut features = Vec::with_capacity(keys.len());
    let sizes = sizes(session, &live.table, keys).await?;
    for part in portions(&sizes) {
        let keys: Vec<i64> = part.iter().map(|key| key.fid).collect();
        let stored = as_then(session, live, moment, &keys).await?;
        let live = live.clone();
        let shown = move || {
            let shown = |feature| seen_in(&live, feature, crs);
            Ok(stored.into_iter().filter_map(shown).collect())
        };
        let bytes = part.iter().map(|key| key.bytes).sum();
        let shown: Vec<Feature> = off_the_reactor(bytes, shown).await?;
        features.extend(shown);
    }
    Ok(features)
}

/// Whether an id may name a row that whoever asks sees: for those who see all, any does.
async fn is_seen(
    session: &mut Session<'_>,
    live: &LiveCollection,
    id: &str,
) -> Result<bool, Error> {
    if live.lens.as_ref().is_none_or(|lens| lens.shows_all()) {
        return Ok(true);
    }
    let Some((column, value)) = identified(&live.collection, &live.table, id) else {
        return Ok(false);
    };
    let (_, table) = as_stored(live);
    let sql = format!(
        "SELECT {} FROM {} WHERE {column} = ?",
        table.key, table.name
    );
    let row = session.fetch_optional(statement(sql).bind(value)).await?;
    let key = row.map(|row| row.integer(0)).transpose()?;
    Ok(key.is_some_and(|key| live.index.get(key).is_some()))
}

/// A feature in the storage CRS by the id of its URL.
pub(crate) async fn stored(
    session: &mut Session<'_>,
    live: &LiveCollection,
    id: &str,
) -> Result<Option<Item>, Error> {
    let Some(named) = identified(&live.collection, &live.table, id) else {
        return Ok(None);
    };
    named_so(session, live, named).await
}

/// As [`stored`], by a column and the value there.
pub(crate) async fn named_so(
    session: &mut Session<'_>,
    live: &LiveCollection,
    (column, id): (&str, Parameter),
) -> Result<Option<Item>, Error> {
    let (collection, table) = as_stored(live);
    let sql = format!(
        "SELECT {}, (SELECT max(seq) FROM hromada_changes WHERE collection = ? AND fid = hromada_t.{})
         FROM {} AS hromada_t WHERE {column} = ?",
        table.select(),
        table.key,
        table.name,
    );
    let statement = statement(sql).bind(live.n).bind(id);
    let Some(found) = session.fetch_optional(statement).await? else {
        return Ok(None);
    };
    let version = found.maybe_integer(collection.schema.properties.len() + 2)?;
    Ok(Some(Item {
        feature: row::feature(&found, collection)?,
        version: ChangeSeq(version.unwrap_or(0)),
    }))
}

/// The column that the id of a URL names a feature by, and its value there; `None` for a text that is no id. `collection`
/// and `table` are those that whoever gives the id sees: without the id property a feature is named by its key.
pub(crate) fn identified<'a>(
    collection: &Collection,
    table: &'a Table,
    id: &str,
) -> Option<(&'a str, Parameter)> {
    if let Some(name) = id_column(collection) {
        let position = collection.schema.position(name)?;
        let kind = collection.schema.properties[position].kind;
        let value = value_of_id(kind, id)?;
        return Some((&table.columns[position], Parameter::of(kind, &value)));
    }
    // Only the plain spelling of a number is an id: `007` and `+7` are not.
    let key: i64 = id.parse().ok()?;
    (key.to_string() == id).then(|| (table.key.as_str(), key.into()))
}

fn value_of_id(kind: PropertyType, id: &str) -> Option<Value> {
    let value = match kind {
        PropertyType::Boolean => Value::Boolean(match id {
            "1" => true,
            "0" => false,
            _ => return None,
        }),
        PropertyType::Integer => Value::Integer(id.parse().ok()?),
        PropertyType::Real => Value::Real(id.parse().ok()?),
        PropertyType::Text | PropertyType::Date | PropertyType::DateTime => Value::Text(id.into()),
    };
    kind.accepts(&value).then_some(value)
}

/// The id of a feature as text.
pub(crate) fn id_of(collection: &Collection, feature: &Feature) -> String {
    let position = id_column(collection).and_then(|name| collection.schema.position(name));
    match position.and_then(|p| feature.properties.get(p)) {
        Some(Value::Text(text)) => text.to_string(),
        Some(Value::Real(x)) => x.to_string(),
        Some(Value::Boolean(b)) => i64::from(*b).to_string(),
        _ => feature.fid.to_string(),
    }
}

/// What reads the id of a row as text; `NULL` where it is the key.
pub(crate) fn id_text(collection: &Collection, table: &Table) -> String {
    let position = id_column(collection).and_then(|name| collection.schema.position(name));
    match position {
        Some(position) => format!("CAST({} AS text)", table.columns[position]),
        None => "NULL".to_owned(),
    }
}

/// The id property where it is a text; an integer id property is the key itself.
pub(crate) fn id_column(collection: &Collection) -> Option<&str> {
    let name = collection.id_property.as_deref()?;
    let kind = collection.schema.get(name)?.kind;
    (kind != PropertyType::Integer).then_some(name)
}

/// Runs work on geometries: that on few bytes here, that on many on a blocking thread, since other requests would
/// wait for it.
async fn off_the_reactor<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    /// 2,000 positions, which are transformed in a millisecond.
    const FEW: usize = 32 * 1024;
    if bytes <= FEW {
        return work();
    }
    on_a_worker(work).await
}

/// Runs work on a blocking thread, as many at once as there are cores: others wait for their turn.
pub(crate) async fn on_a_worker<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    static TURNS: LazyLock<Semaphore> = LazyLock::new(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Semaphore::new(cores)
    });
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| Error::Io(std::io::Error::other(e));
    let turn = TURNS.acquire().await.map_err(|e| failed(e.into()))?;
    let worked = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    worked.await.map_err(|e| failed(e.into()))?
}

/// How many of the first features may be in memory together: one at least.
fn within_budget(sizes: &[Key]) -> usize {
    let mut sum = 0_usize;
    let over = sizes.iter().position(|size| {
        let is_first = sum == 0;
        sum = sum.saturating_add(size.bytes);
        sum > MAX_BYTES && !is_first
    });
    over.unwrap_or(sizes.len())
}

/// The sizes of some features by rising key, without reading their geometries.
async fn sizes(session: &mut Session<'_>, table: &Table, keys: &[i64]) -> Result<Vec<Key>, Error> {
    let sql = format!(
        "SELECT {}, {} FROM {} WHERE {} ORDER BY {key}",
        table.key_out,
        table.size(),
        table.name,
        table.has_key(),
        key = table.key,
    );
    let keys = Parameter::Keys(keys.to_vec());
    let rows = session.fetch_all(statement(sql).bind(keys)).await?;
    rows.iter().map(size).collect()
}

/// Reads key and [`Table::size`].
fn size(row: &Row) -> Result<Key, Error> {
    Ok(Key {
        fid: row.integer(0)?,
        stamp: None,
        bytes: usize::try_from(row.integer(1)?).unwrap_or(0),
    })
}

/// Features by their keys, which rise.
pub(crate) async fn by_keys(
    session: &mut Session<'_>,
    collection: &Collection,
    table: &Table,
    keys: &[i64],
) -> Result<Vec<Feature>, Error> {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
        return Ok(Vec::new());
    };
    let (key, select) = (&table.key, table.select());
    let select = format!("SELECT {select} FROM {} WHERE", table.name);
    // Without gaps, as after an import, one walk along the table is faster than a search for each key.
    let statement = if last.abs_diff(*first) == keys.len() as u64 - 1 {
        let sql = format!("{select} {key} BETWEEN ? AND ? ORDER BY {key}");
        statement(sql).bind(*first).bind(*last)
    } else {
        let sql = format!("{select} {} ORDER BY {key}", table.has_key());
        statement(sql).bind(Parameter::Keys(keys.to_vec()))
    };
    let rows = session.fetch_all(statement).await?;
    rows.iter().map(|r| row::feature(r, collection)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_one_feature_at_least_and_else_stays_within_its_bytes() {
        let check = |bytes: &[usize], expected: usize| {
            let sizes: Vec<Key> = (0..)
                .zip(bytes)
                .map(|(fid, b)| Key {
                    fid,
                    stamp: None,
                    bytes: *b,
                })
                .collect();
            assert_eq!(within_budget(&sizes), expected, "{bytes:?}");
        };
        check(&[], 0);
        check(&[1, 2, 3], 3);
        check(&[MAX_BYTES + 1, 1], 1);
        check(&[MAX_BYTES, 0, 1], 2);
        check(&[1, MAX_BYTES], 1);
        check(&[0, MAX_BYTES + 1], 2);
        check(&[usize::MAX, usize::MAX], 1);
    }
}
