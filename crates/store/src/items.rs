//! Reading features: pages by key, single features, search.

use std::sync::Arc;

use model::{
    Bbox, ChangeSeq, Collection, Envelope, Feature, Interval, Message, PropertyType, Value,
};

use crate::filter::Filter;
use crate::live::LiveCollection;
use crate::session::{Parameter, Row, Session, statement};
use crate::table::Table;
use crate::{Error, Store, row};

/// Features in a page at most: 10,000 parcels are about 8 MB of GeoJSON, and QGIS asks for pages of this size.
pub const MAX_LIMIT: u32 = 10_000;

/// Geometries that are held against a box at a time: 1,000 parcels are some hundred kilobytes.
const DECIDED_AT_ONCE: usize = 1_000;

/// Bytes of geometry in memory for one page at most, but for a single larger feature: the page ends early, and the
/// next one goes on. 1,000 parcels have some hundred kilobytes; a reader who takes nothing of an answer holds a page.
const MAX_BYTES: usize = 1024 * 1024;

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
        let read = {
            let (live, query) = (live.clone(), query.clone());
            self.reading(move |session| {
                Box::pin(async move {
                    let found = match &query.bbox {
                        Some(bbox) => in_box(session, &live, &query, bbox).await?,
                        None => in_order(session, &live, &query).await?,
                    };
                    let features = match is_coarse(&live) {
                        true => coarse(session, &live, &found.chosen).await?,
                        false => whole(session, &live, &found.chosen).await?,
                    };
                    Ok((found, features))
                })
            })
            .await
        };
        let (found, features) = match read {
            Ok(read) => read,
            Err(error) => return Err(self.explained(error).await),
        };
        let (live, bbox) = (live.clone(), query.bbox);
        let features = off_the_reactor(bytes(&found.chosen), move || {
            let mut page = Vec::with_capacity(features.len());
            let is_shown = is_coarse(&live);
            let shown = |f| if is_shown { Some(f) } else { seen(&live, f) };
            for feature in features.into_iter().filter_map(shown) {
                if bbox.is_none_or(|bbox| is_near(&feature, &bbox)) {
                    page.push(feature);
                }
            }
            Ok(page)
        })
        .await?;
        Ok(Page {
            features,
            number_matched: found.matched,
            next: found.next,
        })
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
    match &live.lens {
        Some(lens) => lens.seen(feature),
        None => Some(row::shown(&live.collection, feature)),
    }
}

/// Whether places are seen rounded: then how large geometries are is nothing that a page may depend on.
fn is_coarse(live: &LiveCollection) -> bool {
    live.lens.as_ref().is_some_and(|lens| lens.is_coarse())
}

/// Features as they are stored.
async fn whole(
    session: &mut Session<'_>,
    live: &LiveCollection,
    chosen: &[Size],
) -> Result<Vec<Feature>, Error> {
    let keys: Vec<i64> = chosen.iter().map(|size| size.fid).collect();
    let (collection, table) = as_stored(live);
    by_keys(session, collection, table, &keys).await
}

/// Features as they are seen, of which only some are in memory as they are stored.
async fn coarse(
    session: &mut Session<'_>,
    live: &LiveCollection,
    chosen: &[Size],
) -> Result<Vec<Feature>, Error> {
    let mut features = Vec::with_capacity(chosen.len());
    let mut rest = chosen;
    while !rest.is_empty() {
        let (part, later) = rest.split_at(within_budget(rest));
        let stored = whole(session, live, part).await?;
        let live = live.clone();
        let work = move || Ok(stored.into_iter().filter_map(|f| seen(&live, f)).collect());
        let shown: Vec<Feature> = off_the_reactor(bytes(part), work).await?;
        features.extend(shown);
        rest = later;
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

/// The id property where it is a text; an integer id property is the key itself.
pub(crate) fn id_column(collection: &Collection) -> Option<&str> {
    let name = collection.id_property.as_deref()?;
    let kind = collection.schema.get(name)?.kind;
    (kind != PropertyType::Integer).then_some(name)
}

/// Keys of the features that truly intersect a box: those whose envelope lies inside it do, points do;
/// the others are decided by their stored geometry.
async fn in_bbox(
    session: &mut Session<'_>,
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
    for some in undecided.chunks(DECIDED_AT_ONCE) {
        let sizes = sizes(session, &live.table, some).await?;
        let mut rest = sizes.as_slice();
        while !rest.is_empty() {
            let (part, later) = rest.split_at(within_budget(rest));
            keys.extend(decided(session, live, bbox, part).await?);
            rest = later;
        }
    }
    Ok(keys)
}

/// Those of some features whose stored geometry meets a box.
async fn decided(
    session: &mut Session<'_>,
    live: &LiveCollection,
    bbox: &Bbox,
    some: &[Size],
) -> Result<Vec<i64>, Error> {
    let table = &live.table;
    let sql = format!(
        "SELECT {}, {} FROM {} WHERE {}",
        table.key_out,
        table.geometry_out(),
        table.name,
        table.has_key()
    );
    let keys = Parameter::Keys(some.iter().map(|size| size.fid).collect());
    let rows = session.fetch_all(statement(sql).bind(keys)).await?;
    let (collection, bbox) = (Arc::clone(&live.collection), *bbox);
    off_the_reactor(bytes(some), move || {
        let mut inside = Vec::new();
        for row in &rows {
            let Some(wkb) = row.wkb(1)? else {
                continue;
            };
            // What can't be shown is nowhere.
            let shown = row::to_wgs84(&collection, wkb);
            if shown.is_ok_and(|shown| spatial::intersects(&shown, &bbox)) {
                inside.push(row.integer(0)?);
            }
        }
        Ok(inside)
    })
    .await
}

/// Whether the box around a feature meets a query box still: the index that named the feature may be older than the row.
fn is_near(feature: &Feature, bbox: &Bbox) -> bool {
    let Some(wkb) = &feature.geometry else {
        return false;
    };
    // What can't be read is told by whoever writes it out.
    formats::wkb::check(wkb).map_or(true, |header| {
        let envelope = header.envelope;
        envelope.is_some_and(|own| bbox.envelopes().any(|part| part.intersects(&own)))
    })
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
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::Io(std::io::Error::other(e)))?
}

/// A feature and the bytes of its geometry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) fid: i64,
    bytes: usize,
}

fn bytes(sizes: &[Size]) -> usize {
    sizes.iter().map(|size| size.bytes).sum()
}

/// How many of the first features may be in memory together: one at least.
fn within_budget(sizes: &[Size]) -> usize {
    let mut sum = 0_usize;
    let over = sizes.iter().position(|size| {
        let is_first = sum == 0;
        sum = sum.saturating_add(size.bytes);
        sum > MAX_BYTES && !is_first
    });
    over.unwrap_or(sizes.len())
}

/// How many of the first features a page has.
fn fitting(live: &LiveCollection, sizes: &[Size]) -> usize {
    if is_coarse(live) {
        sizes.len()
    } else {
        within_budget(sizes)
    }
}

/// The features of a page, not yet read.
struct Found {
    chosen: Vec<Size>,
    matched: u64,
    next: Option<i64>,
}

async fn in_box(
    session: &mut Session<'_>,
    live: &LiveCollection,
    query: &ItemsQuery,
    bbox: &Bbox,
) -> Result<Found, Error> {
    let filter = Filter::new(live, query);
    let mut keys = in_bbox(session, live, bbox).await?;
    if !filter.is_empty() {
        keys = filter.among(session, &keys).await?;
    }
    page_of(session, live, query, keys).await
}

/// The page of those features that match, all of whose keys are known.
async fn page_of(
    session: &mut Session<'_>,
    live: &LiveCollection,
    query: &ItemsQuery,
    mut keys: Vec<i64>,
) -> Result<Found, Error> {
    keys.sort_unstable();
    let start = query
        .after
        .map_or(0, |after| keys.partition_point(|key| *key <= after));
    page_from(session, live, query, &keys[start..], keys.len() as u64).await
}

/// The page at the beginning of some keys in their order; there are one more than a page has, if there are.
async fn page_from(
    session: &mut Session<'_>,
    live: &LiveCollection,
    query: &ItemsQuery,
    keys: &[i64],
    matched: u64,
) -> Result<Found, Error> {
    let end = keys.len().min(limit(query));
    let mut chosen = sizes(session, &live.table, &keys[..end]).await?;
    let fitting = fitting(live, &chosen);
    let next = if fitting < chosen.len() {
        chosen.truncate(fitting);
        chosen.last().map(|size| size.fid)
    } else {
        // By the keys and not by the rows: one that was deleted meanwhile does not end the walk.
        (end < keys.len()).then(|| keys[end - 1])
    };
    Ok(Found {
        chosen,
        matched,
        next,
    })
}

/// A page where only some features are seen: the index knows which.
async fn among_seen(
    session: &mut Session<'_>,
    live: &LiveCollection,
    query: &ItemsQuery,
    filter: &Filter<'_>,
) -> Result<Found, Error> {
    if filter.is_empty() {
        let after = live.index.iter_after(query.after);
        let keys: Vec<i64> = after.map(|hit| hit.fid()).take(limit(query) + 1).collect();
        return page_from(session, live, query, &keys, live.index.len() as u64).await;
    }
    let mut keys = filter.keys(session).await?;
    keys.retain(|fid| live.index.get(*fid).is_some());
    page_of(session, live, query, keys).await
}

async fn in_order(
    session: &mut Session<'_>,
    live: &LiveCollection,
    query: &ItemsQuery,
) -> Result<Found, Error> {
    let filter = Filter::new(live, query);
    if live.lens.as_ref().is_some_and(|lens| !lens.shows_all()) {
        return among_seen(session, live, query, &filter).await;
    }
    let matched = if filter.is_empty() {
        live.index.len() as u64
    } else {
        filter.count(session).await?
    };
    let limit = limit(query);
    let mut chosen = filter.sizes(session, query.after, limit + 1).await?;
    let fitting = fitting(live, &chosen).min(limit);
    let is_last = fitting == chosen.len();
    chosen.truncate(fitting);
    let next = chosen.last().map(|size| size.fid).filter(|_| !is_last);
    Ok(Found {
        chosen,
        matched,
        next,
    })
}

fn limit(query: &ItemsQuery) -> usize {
    query.limit.clamp(1, MAX_LIMIT) as usize
}

/// The sizes of some features by rising key, without reading their geometries.
async fn sizes(session: &mut Session<'_>, table: &Table, keys: &[i64]) -> Result<Vec<Size>, Error> {
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
pub(crate) fn size(row: &Row) -> Result<Size, Error> {
    Ok(Size {
        fid: row.integer(0)?,
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
            let sizes: Vec<Size> = (0..)
                .zip(bytes)
                .map(|(fid, b)| Size { fid, bytes: *b })
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
