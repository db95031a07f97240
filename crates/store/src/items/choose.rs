//! Which features a page has, told from the index.

use model::{Feature, Message};
use spatial::index::Hit;

use super::past::{self, Of, Past};
use super::query::{Begin, Candidate, Conditions, ItemsQuery, MAX_LIMIT, SortKey, Walk};
use super::{off_the_reactor, on_a_worker, seen};
use crate::live::LiveCollection;
use crate::session::{Parameter, Session, statement};
use crate::{Error, Store};

/// Candidates that are looked at here: more would hold up other requests, some tens of microseconds a thousand.
const FEW: usize = 2_000;

/// Geometries that are held against a box at a time: 1,000 parcels are some hundred kilobytes.
const DECIDED_AT_ONCE: usize = 1_000;

/// Candidates between two looks at the clock.
const LOOK_AT_THE_CLOCK: u32 = 256;

fn too_costly() -> Error {
    Error::Invalid(Message::new("store.filter-too-costly"))
}

/// A feature of a page, not yet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub fid: i64,
    /// Of the state that is shown, see [`Hit::stamp`]; `None` for one that only the change log has.
    pub stamp: Option<u64>,
    /// Bytes of the geometry, about.
    pub(super) bytes: usize,
}

/// The features of a page, not yet read.
#[derive(Debug)]
pub struct Chosen {
    pub keys: Vec<Key>,
    /// The moment that is shown; other pages of the walk show it too.
    pub walk: Walk,
    /// Where the next page begins, if there is one.
    pub next: Option<Begin>,
    /// Features before the first one, where they are not in the order of the integer key.
    start: Option<u64>,
}

impl Chosen {
    /// Where a page begins that goes on after the first so many of the keys, of which there is one at least.
    pub fn begin_at(&self, taken: usize) -> Begin {
        match (self.start, taken.checked_sub(1)) {
            (None, Some(last)) => Begin::After(self.keys[last].fid),
            (start, _) => Begin::Offset(start.unwrap_or(0) + taken as u64),
        }
    }
}

impl Store {
    /// Chooses the features of a page: from memory, but for those whose stored geometry has to tell whether they meet a box,
    /// for properties that the index does not show to the reader, and for what has changed since the walk began.
    ///
    /// # Errors
    /// [`Error::Gone`] when the moment of the walk can't be shown any more, [`Error::Busy`] when the index is behind it; when
    /// the database can't be read.
    pub async fn choose(&self, live: &LiveCollection, query: &ItemsQuery) -> Result<Chosen, Error> {
        let past = match &query.walk {
            Some(walk) if walk.collection != live.n => return Err(past::too_old()),
            Some(walk) if walk.seq > live.seq => {
                return Err(Error::Busy(Message::new("store.busy")));
            }
            Some(walk) if walk.seq < live.seq => self.past(live, walk).await?,
            _ => Past::new(),
        };
        let candidates = self.by_unseen(live, query).await?;
        let around = Conditions::new(live, query).around();
        let few = match (&candidates, &around) {
            (Some(keys), _) => keys.len() <= FEW,
            (None, _) if is_ready(live, query) => true,
            (None, Some(around)) => {
                let near = around.iter().flat_map(|bbox| live.index.search_bbox(bbox));
                let unplaced = live.index.unplaced().filter(|_| query.bbox.is_some());
                near.chain(unplaced).take(FEW + 1).count() <= FEW
            }
            (None, None) => is_plain(live, query) || live.index.len() <= FEW,
        };
        let scan = {
            let (live, query) = (live.clone(), query.clone());
            move || scan(&live, &query, past, candidates)
        };
        let scanned = if few {
            scan()
        } else {
            on_a_worker(move || Ok(scan())).await?
        };
        if scanned.is_late {
            return Err(too_costly());
        }
        let Scanned {
            mut matching,
            open,
            past,
            matched,
            ..
        } = scanned;
        if !open.is_empty() {
            let found = self.decided(live, query, open).await?;
            matching.extend(found);
        }
        Ok(finish(live, query, &past, matching, matched))
    }

    /// What has changed since a walk began, as it was then and as it is seen.
    async fn past(&self, live: &LiveCollection, walk: &Walk) -> Result<Past, Error> {
        let past = {
            let (live, seq) = (live.clone(), walk.seq);
            self.reading_newest(move |session| {
                Box::pin(async move { past::since(session, &live, seq, Of::All).await })
            })
            .await?
        };
        let live = live.clone();
        let bytes = past.values().flatten();
        let bytes = bytes
            .filter_map(|f| f.geometry.as_ref())
            .map(Vec::len)
            .sum();
        off_the_reactor(bytes, move || {
            let seen = |(fid, state): (i64, Option<Feature>)| {
                (fid, state.and_then(|feature| seen(&live, feature)))
            };
            Ok(past.into_iter().map(seen).collect())
        })
        .await
    }

    /// Keys of the features that have the wanted values of properties which the index does not show to whoever asks, and
    /// which they may ask for.
    async fn by_unseen(
        &self,
        live: &LiveCollection,
        query: &ItemsQuery,
    ) -> Result<Option<Vec<i64>>, Error> {
        let is_unseen = |position: usize| live.column_of(position).is_none();
        if !query
            .equals
            .iter()
            .any(|(position, _)| is_unseen(*position))
        {
            return Ok(None);
        }
        let (live, query) = (live.clone(), query.clone());
        let keys = self.reading_newest(move |session| {
            Box::pin(async move {
                let mut keys = with_values(session, &live, &query).await?;
                // What has changed since the index was as it is may have had the values before.
                let changed = past::since(session, &live, live.seq, Of::All).await?;
                keys.extend(changed.into_keys());
                keys.sort_unstable();
                keys.dedup();
                Ok(keys)
            })
        });
        keys.await.map(Some)
    }

    /// Those of some features that match by what is stored.
    async fn decided(
        &self,
        live: &LiveCollection,
        query: &ItemsQuery,
        open: Vec<Key>,
    ) -> Result<Vec<Found>, Error> {
        let walk = query.walk.unwrap_or_else(|| live.now());
        let plain = ItemsQuery {
            crs: model::Crs::CRS84,
            ..query.clone()
        };
        let mut found = Vec::new();
        for some in open.chunks(DECIDED_AT_ONCE) {
            for part in portions(some) {
                let read = self.read(live, &walk, plain.crs, part).await?;
                let (live, query) = (live.clone(), plain.clone());
                let bytes = part.iter().map(|key| key.bytes).sum();
                let part: Vec<Found> = off_the_reactor(bytes, move || {
                    let conditions = Conditions::new(&live, &query);
                    let mut found = Vec::new();
                    for feature in &read {
                        if conditions.is_late() {
                            return Err(too_costly());
                        }
                        if conditions.hold_for(feature) {
                            found.push(Found {
                                fid: feature.fid,
                                key: conditions.key(&Candidate::Row(feature)),
                            });
                        }
                    }
                    Ok(found)
                })
                .await?;
                found.extend(part);
            }
        }
        Ok(found)
    }
}

/// Keys of the features that have the wanted values now, by SQL.
async fn with_values(
    session: &mut Session<'_>,
    live: &LiveCollection,
    query: &ItemsQuery,
) -> Result<Vec<i64>, Error> {
    let table = &live.table;
    let conditions: Vec<String> = query
        .equals
        .iter()
        .map(|(position, _)| format!("{} = ?", table.reads[*position]))
        .collect();
    let properties = &live.collection.schema.properties;
    let values = query.equals.iter();
    let values = values.map(|(at, value)| Parameter::of(properties[*at].kind, value));
    let sql = format!(
        "SELECT {} FROM {} WHERE {}",
        table.key_out,
        table.name,
        conditions.join(" AND ")
    );
    let rows = session.fetch_all(statement(sql).bind_all(values)).await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// A feature that matches.
struct Found {
    fid: i64,
    /// Empty in the order of the integer key.
    key: Vec<SortKey>,
}

struct Scanned {
    matching: Vec<Found>,
    /// Those that only their rows decide.
    open: Vec<Key>,
    past: Past,
    /// All that match, where `matching` has only those of the page.
    matched: Option<u64>,
    /// Whether the rest was not looked at, since the time was over.
    is_late: bool,
}

/// Whether the page is a run of the index: nothing is asked for but the order of the integer key.
fn is_plain(live: &LiveCollection, query: &ItemsQuery) -> bool {
    query.sort.is_empty() && Conditions::new(live, query).are_none()
}

/// Whether the features to look at are found by a value at once.
fn is_ready(live: &LiveCollection, query: &ItemsQuery) -> bool {
    let column = Conditions::new(live, query).column_by_value();
    column.is_some_and(|(column, values)| {
        let mut values = values.iter();
        values.all(|value| live.index.finds(column, value.into()))
    })
}

fn scan(
    live: &LiveCollection,
    query: &ItemsQuery,
    past: Past,
    candidates: Option<Vec<i64>>,
) -> Scanned {
    let conditions = Conditions::new(live, query);
    if is_plain(live, query) {
        return run(live, query, past);
    }
    let mut matching = Vec::new();
    let mut open = Vec::new();
    let (mut looked_at, mut is_late) = (0_u32, false);
    // What was on earlier pages is counted already.
    let after = match (&query.walk, query.begin) {
        (Some(_), Begin::After(key)) if query.sort.is_empty() => Some(key),
        _ => None,
    };
    let mut look = |hit: Hit<'_>| {
        looked_at = looked_at.wrapping_add(1);
        if looked_at.is_multiple_of(LOOK_AT_THE_CLOCK) {
            is_late |= conditions.is_late();
        }
        let is_behind = after.is_some_and(|after| hit.fid() <= after);
        if is_late || is_behind || past.contains_key(&hit.fid()) {
            return;
        }
        match conditions.hold(&hit) {
            Some(true) => matching.push(Found {
                fid: hit.fid(),
                key: conditions.key(&Candidate::Hit(hit)),
            }),
            Some(false) => {}
            None => open.push(key_of(&hit)),
        }
    };
    let by_value = candidates
        .is_none()
        .then(|| conditions.by_value())
        .flatten();
    let around = conditions.around();
    match (candidates, by_value, &around) {
        (Some(keys), _, _) => keys
            .into_iter()
            .filter_map(|fid| live.index.get(fid))
            .for_each(&mut look),
        (None, Some(hits), _) => hits.into_iter().for_each(&mut look),
        (None, None, Some(around)) => {
            match around.as_slice() {
                [only] => live.index.search_bbox(only).for_each(&mut look),
                several => {
                    let near = several.iter().flat_map(|bbox| live.index.search_bbox(bbox));
                    let mut hits: Vec<Hit<'_>> = near.collect();
                    hits.sort_unstable_by_key(Hit::fid);
                    hits.dedup_by_key(|hit| hit.fid());
                    hits.into_iter().for_each(&mut look);
                }
            }
            if query.bbox.is_some() {
                live.index.unplaced().for_each(&mut look);
            }
        }
        (None, None, None) => live.index.iter().for_each(&mut look),
    }
    for feature in past.values().flatten() {
        if conditions.hold_for(feature) {
            matching.push(Found {
                fid: feature.fid,
                key: conditions.key(&Candidate::Row(feature)),
            });
        }
    }
    Scanned {
        matching,
        open,
        past,
        matched: None,
        is_late,
    }
}

/// A page of a run of the index. O(features of the page), but for what an offset leaves out.
fn run(live: &LiveCollection, query: &ItemsQuery, past: Past) -> Scanned {
    let after = match query.begin {
        Begin::After(key) => Some(key),
        Begin::Start | Begin::Offset(_) => None,
    };
    let wanted = limit(query) + 1 + offset(query);
    let found = |fid| Found {
        fid,
        key: Vec::new(),
    };
    let hits = live.index.iter_after(after).map(|hit| hit.fid());
    let hits = hits.filter(|fid| !past.contains_key(fid)).map(found);
    let mut matching: Vec<Found> = hits.take(wanted).collect();
    let were = past.values().flatten().map(|feature| feature.fid);
    let were = were.filter(|fid| after.is_none_or(|after| *fid > after));
    matching.extend(were.map(found));
    let unchanged = past.keys().filter(|fid| live.index.get(**fid).is_none());
    let gone_since = unchanged.count() as u64;
    let were = past.values().flatten().count() as u64;
    let now = live.index.len() as u64 + gone_since;
    Scanned {
        matching,
        open: Vec::new(),
        matched: Some(now + were - past.len() as u64),
        past,
        is_late: false,
    }
}

/// The page of those that match.
fn finish(
    live: &LiveCollection,
    query: &ItemsQuery,
    past: &Past,
    mut matching: Vec<Found>,
    matched: Option<u64>,
) -> Chosen {
    let conditions = Conditions::new(live, query);
    let known = query.walk.map(|walk| walk.matched);
    let matched = known.or(matched).unwrap_or(matching.len() as u64);
    if query.sort.is_empty() {
        if let Begin::After(key) = query.begin {
            matching.retain(|found| found.fid > key);
        }
        // Only those of the page are put in order, and one more, which says that there is another page.
        let wanted = offset(query).saturating_add(limit(query));
        if matching.len() > wanted.saturating_add(1) {
            matching.select_nth_unstable_by_key(wanted, |found| found.fid);
            matching.truncate(wanted + 1);
        }
        matching.sort_unstable_by_key(|found| found.fid);
    } else {
        matching.sort_unstable_by(|a, b| {
            let order = conditions.order(&a.key, &b.key);
            order.then(a.fid.cmp(&b.fid))
        });
    }
    let start = match query.begin {
        Begin::Start | Begin::After(_) => 0,
        Begin::Offset(_) => offset(query).min(matching.len()),
    };
    let end = (start + limit(query)).min(matching.len());
    let is_last = end == matching.len();
    let keys: Vec<Key> = matching[start..end]
        .iter()
        .map(
            |found| match (past.get(&found.fid), live.index.get(found.fid)) {
                (None, Some(hit)) => key_of(&hit),
                (state, _) => {
                    let state = state.and_then(|s| s.as_ref());
                    let wkb = state.and_then(|feature| feature.geometry.as_ref());
                    Key {
                        fid: found.fid,
                        stamp: None,
                        bytes: wkb.map_or(0, Vec::len),
                    }
                }
            },
        )
        .collect();
    let mut chosen = Chosen {
        next: None,
        start: (!query.sort.is_empty()).then_some(start as u64),
        keys,
        walk: query.walk.unwrap_or(Walk {
            matched,
            ..live.now()
        }),
    };
    chosen.next = (!is_last).then(|| chosen.begin_at(chosen.keys.len()));
    chosen
}

fn key_of(hit: &Hit<'_>) -> Key {
    /// Of a position, with Z.
    const POSITION: usize = 24;
    let positions: usize = hit.geometries().map(|g| g.coords.len()).sum();
    Key {
        fid: hit.fid(),
        stamp: Some(hit.stamp()),
        bytes: positions * POSITION,
    }
}

fn limit(query: &ItemsQuery) -> usize {
    query.limit.clamp(1, MAX_LIMIT) as usize
}

fn offset(query: &ItemsQuery) -> usize {
    match query.begin {
        Begin::Offset(n) => usize::try_from(n)
            .unwrap_or(usize::MAX / 2)
            .min(usize::MAX / 2),
        Begin::Start | Begin::After(_) => 0,
    }
}

/// Keys in portions of which each may be in memory whole: one at least.
pub fn portions(mut keys: &[Key]) -> impl Iterator<Item = &[Key]> {
    std::iter::from_fn(move || {
        let (part, later) = keys.split_at(super::within_budget(keys));
        keys = later;
        (!part.is_empty()).then_some(part)
    })
}

impl Key {
    /// The feature of the index that the id of a URL names; `None` where the index can't tell.
    pub fn of_id(live: &LiveCollection, id: &str) -> Option<Self> {
        let collection = &live.collection;
        let Some(name) = super::id_column(collection) else {
            let fid: i64 = id.parse().ok()?;
            let hit = (fid.to_string() == id).then(|| live.index.get(fid))?;
            return hit.as_ref().map(key_of);
        };
        let position = collection.schema.position(name)?;
        if collection.schema.properties[position].kind != model::PropertyType::Text {
            return None;
        }
        let value = model::ValueRef::Text(id);
        let column = live.column_of(position)?;
        if !live.index.finds(column, value) {
            return None;
        }
        let mut found = live.index.equal(column, value);
        let only = found.next()?;
        found.next().is_none().then(|| key_of(&only))
    }
}
