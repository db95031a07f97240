//! The live index of every collection: loaded at start, kept by writes, taken whole by readers.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use futures_util::TryStreamExt;
use model::world::{self, WorldBuf, WorldKind};
use model::{ChangeSeq, Collection, Envelope, Epoch, Feature, Value};
use spatial::index::{Builder, Edit, Snapshot};
use tokio::sync::Semaphore;

use crate::items::Walk;
use crate::lens::Lens;
use crate::narrowed::Narrowed;
use crate::postgres::WITHOUT_LIMIT;
use crate::registry::Registered;
use crate::session::{Dialect, Session, statement};
use crate::table::Table;
use crate::touched::Touched;
use crate::{Error, Store, registry, row, systems};

/// All collections at one moment, by id.
#[derive(Clone, Default)]
pub struct Live {
    /// False until [`crate::Store::load`] has run.
    pub loaded: bool,
    /// The life of the store that the indexes are of.
    pub epoch: Arc<Epoch>,
    /// False while a collection is left out because its table can't be read.
    pub(crate) is_whole: bool,
    /// Numbers of collections whose changes wait, because somebody holds the table.
    pub(crate) held: BTreeSet<i64>,
    pub collections: BTreeMap<Box<str>, LiveCollection>,
}

/// A collection and its index at one moment.
#[derive(Clone)]
pub struct LiveCollection {
    pub collection: Arc<Collection>,
    pub index: Snapshot,
    /// The last change of this collection that the index holds.
    pub seq: ChangeSeq,
    /// Schema positions of the index's value columns, in their order; `None` for one that is not seen.
    pub columns: Arc<[Option<usize>]>,
    /// Where the newest changes were.
    pub touched: Touched,
    /// Hash over `collection`: the same after a restart, another when its definition is.
    pub definition: u64,
    /// Through what it is seen; `None`: as it is.
    pub lens: Option<Arc<Lens>>,
    /// What a filter leaves of it; `None`: all.
    pub narrowed: Option<Arc<Narrowed>>,
    pub(crate) n: i64,
    pub(crate) table: Arc<Table>,
}

impl Live {
    pub fn get(&self, id: &str) -> Option<&LiveCollection> {
        self.collections.get(id)
    }

    /// Whether no collection is left out because its table can't be read, which others may have changed.
    pub fn is_complete(&self) -> bool {
        self.is_whole
    }
}

impl LiveCollection {
    /// Whether the collection takes writes; a published table may not.
    pub fn is_editable(&self) -> bool {
        self.table.is_editable
    }

    /// Whether features can be found by a property: one that is seen in part would give away the rest.
    pub fn is_queryable(&self, position: usize) -> bool {
        self.lens
            .as_ref()
            .is_none_or(|lens| lens.is_whole(position))
    }

    /// Which collection it is, and how it is seen: another one of the same id is told apart. The same after a restart, and in
    /// each server of one release.
    pub fn appearance(&self) -> (i64, u64) {
        let lens = self.lens.as_ref();
        let seen = lens.map_or(self.definition, |lens| lens.appearance());
        let narrowed = self.narrowed.as_ref();
        (self.n, narrowed.map_or(seen, |it| it.appearance()))
    }

    /// The number of what it is seen through, 0: as it is. Through another one something else is seen.
    pub fn seen_through(&self) -> u64 {
        let lens = self.lens.as_ref().map_or(0, |lens| lens.id());
        self.narrowed.as_ref().map_or(lens, |it| it.id())
    }

    /// The moment that the index shows; nothing is counted.
    pub fn now(&self) -> Walk {
        Walk {
            collection: self.n,
            seq: self.seq,
            matched: 0,
        }
    }

    /// The index column of a schema position.
    pub fn column_of(&self, position: usize) -> Option<usize> {
        self.columns.iter().position(|c| *c == Some(position))
    }
}

/// Collections that are loaded at the same time: fewer than there are connections, which nobody gets after some seconds.
const AT_ONCE: usize = 6;

/// Every collection that can be read.
pub(crate) async fn load(store: &Store) -> Result<Live, Error> {
    let mut transaction = store.inner.backend.read_primary().await?;
    let registered = registry::all(&mut transaction.session()).await?;
    transaction.commit().await?;
    let mut tasks = tokio::task::JoinSet::new();
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    for registered in registered {
        let (store, turns) = (store.clone(), Arc::clone(&turns));
        tasks.spawn(async move {
            let _turn = turns.acquire().await;
            let mut transaction = store.inner.backend.read_primary().await?;
            let mut session = transaction.session();
            if session.dialect() == Dialect::Postgres {
                session.run(WITHOUT_LIMIT).await?;
            }
            let id = registered.collection.id.clone();
            match load_collection(&mut session, registered).await {
                Ok(loaded) => {
                    transaction.commit().await?;
                    Ok(Some(loaded))
                }
                // Others may have changed the table, taken the right to read it, or hold it; the rest is served.
                Err(error) if session.dialect() == Dialect::Postgres && !error.is_away() => {
                    tracing::error!(collection = %id, %error, "a collection can't be read and is left out");
                    Ok(None)
                }
                Err(error) => Err::<_, Error>(error),
            }
        });
    }
    let mut live = Live {
        loaded: true,
        is_whole: true,
        ..Live::default()
    };
    while let Some(done) = tasks.join_next().await {
        let Some(collection) = done.map_err(|e| Error::Io(std::io::Error::other(e)))?? else {
            live.is_whole = false;
            continue;
        };
        live.collections
            .insert(collection.collection.id.as_str().into(), collection);
    }
    Ok(live)
}

/// Loads one collection within a read transaction, so that the index and its sequence number belong together.
///
/// A geometry that can't be shown is left out of the index: another program may have written it, and one row must not take
/// a whole town off the map. `check` names it.
pub(crate) async fn load_collection(
    session: &mut Session<'_>,
    registered: Registered,
) -> Result<LiveCollection, Error> {
    let Registered {
        n,
        collection,
        table,
    } = registered;
    systems::know(session, collection.storage_crs).await?;
    let last = statement("SELECT max(seq) FROM hromada_changes WHERE collection = ?").bind(n);
    let seq = session.fetch_one(last).await?.maybe_integer(0)?;
    // All of them: filters, orders and rules are answered from the index.
    let columns: Vec<usize> = (0..collection.schema.properties.len()).collect();
    let mut select = format!("SELECT {}, {}", table.key_out, table.geometry_out());
    for column in &columns {
        select.push_str(", ");
        select.push_str(&table.reads[*column]);
    }
    let sql = format!("{select} FROM {} ORDER BY {}", table.name, table.key);
    let searchable: Vec<bool> = columns
        .iter()
        .map(|c| collection.schema.properties[*c].searchable)
        .collect();
    let mut builder = Builder::new(columns.len(), &searchable);
    let mut values = Vec::with_capacity(columns.len());
    let mut rows = session.stream(statement(sql))?;
    while let Some(row) = rows.try_next().await? {
        let fid = row.integer(0)?;
        values.clear();
        for (i, column) in columns.iter().enumerate() {
            values.push(row.value(i + 2, collection.schema.properties[*column].kind)?);
        }
        let wkb = row.wkb(1);
        let (envelope, geometries) = wkb
            .and_then(|wkb| indexed(&collection, wkb))
            .unwrap_or_else(|error| left_out(&collection, fid, &error));
        builder
            .push(fid, envelope, &geometries, &values)
            .map_err(index_failed)?;
    }
    drop(rows);
    let index = tokio::task::spawn_blocking(move || builder.finish())
        .await
        .map_err(|e| Error::Io(std::io::Error::other(e)))?;
    let seq = ChangeSeq(seq.unwrap_or(0));
    Ok(LiveCollection {
        touched: Touched::since(seq),
        definition: definition(&collection),
        collection: Arc::new(collection),
        index,
        seq,
        columns: columns.into_iter().map(Some).collect(),
        lens: None,
        narrowed: None,
        n,
        table: Arc::new(table),
    })
}

/// What the index holds of a feature whose geometry can't be shown.
pub(crate) fn left_out(
    collection: &Collection,
    fid: i64,
    error: &Error,
) -> (Option<Envelope>, Vec<WorldBuf>) {
    tracing::warn!(collection = %collection.id, fid, %error, "a geometry can't be shown and is left out of the index");
    (None, Vec::new())
}

/// `Debug` names every field, so nothing of a definition is left out.
pub(crate) fn definition(collection: &Collection) -> u64 {
    hashed(&format!("{collection:?}"))
}

/// A hash that is the same after a restart.
pub(crate) fn hashed(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// What the index holds of a stored geometry: the longitude/latitude envelope and the world geometry.
pub(crate) fn indexed(
    collection: &Collection,
    wkb: Option<&[u8]>,
) -> Result<(Option<Envelope>, Vec<WorldBuf>), Error> {
    let Some(wkb) = wkb else {
        return Ok((None, Vec::new()));
    };
    let geometry = row::to_wgs84(collection, wkb)?;
    let envelope = envelope(&geometry);
    let mut shapes = world::from_geometry(&geometry);
    if envelope.is_none() {
        // An empty geometry is another thing than none: it lies nowhere.
        shapes.push(WorldBuf::empty(WorldKind::Points));
    }
    Ok((envelope, shapes))
}

/// The envelope of a geometry; `None` when it is empty.
pub(crate) fn envelope(geometry: &geo_types::Geometry<f64>) -> Option<Envelope> {
    spatial::envelope(geometry)
}

/// The edit of the index that follows a committed write.
pub(crate) fn put(
    live: &LiveCollection,
    fid: i64,
    wkb: Option<&[u8]>,
    properties: &[Value],
) -> Result<Edit, Error> {
    let (envelope, geometries) = indexed(&live.collection, wkb)?;
    let values = live
        .columns
        .iter()
        .map(|c| c.map_or(Value::Null, |position| properties[position].clone()))
        .collect();
    Ok(Edit::Put {
        fid,
        envelope,
        geometries,
        values,
    })
}

/// As [`put`]; a geometry that can't be shown is left out.
pub(crate) fn put_or_leave_out(live: &LiveCollection, feature: &Feature) -> Edit {
    let wkb = feature.geometry.as_deref();
    put(live, feature.fid, wkb, &feature.properties).unwrap_or_else(|error| {
        left_out(&live.collection, feature.fid, &error);
        put(live, feature.fid, None, &feature.properties)
            .expect("there is no geometry that can't be shown")
    })
}

pub(crate) fn index_failed(error: spatial::Error) -> Error {
    Error::Io(std::io::Error::other(error.to_string()))
}
