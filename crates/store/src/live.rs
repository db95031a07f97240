//! The live index of every collection: loaded at start, kept by writes, taken whole by readers.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use futures_util::TryStreamExt;
use model::world::{self, WorldBuf};
use model::{ChangeSeq, Collection, Envelope, Value};
use spatial::index::{Builder, Edit, Snapshot};
use sqlx::{AssertSqlSafe, Row, SqlitePool};

use crate::registry::{self, Registered, quoted};
use crate::touched::Touched;
use crate::{Error, row};

/// All collections at one moment, by id.
#[derive(Clone, Default)]
pub struct Live {
    /// False until [`crate::Store::load`] has run.
    pub loaded: bool,
    pub collections: BTreeMap<Box<str>, LiveCollection>,
}

/// A collection and its index at one moment.
#[derive(Clone)]
pub struct LiveCollection {
    pub collection: Arc<Collection>,
    pub index: Snapshot,
    /// The last change of this collection that the index holds.
    pub seq: ChangeSeq,
    /// Schema positions of the index's value columns, in their order.
    pub columns: Arc<[usize]>,
    /// Where the newest changes were.
    pub touched: Touched,
    /// Hash over `collection`: the same after a restart, another when its definition is.
    pub definition: u64,
    pub(crate) n: i64,
}

impl Live {
    pub fn get(&self, id: &str) -> Option<&LiveCollection> {
        self.collections.get(id)
    }
}

impl LiveCollection {
    /// The index column of a schema position.
    pub fn column_of(&self, position: usize) -> Option<usize> {
        self.columns.iter().position(|c| *c == position)
    }
}

pub(crate) async fn load(pool: &SqlitePool) -> Result<Live, Error> {
    let mut connection = pool.acquire().await?;
    let registered = registry::all(&mut connection).await?;
    drop(connection);
    let mut tasks = tokio::task::JoinSet::new();
    for registered in registered {
        tasks.spawn(load_collection(pool.clone(), registered));
    }
    let mut live = Live {
        loaded: true,
        ..Live::default()
    };
    while let Some(done) = tasks.join_next().await {
        let collection = done.map_err(|e| Error::Io(std::io::Error::other(e)))??;
        live.collections
            .insert(collection.collection.id.as_str().into(), collection);
    }
    Ok(live)
}

/// Loads one collection in one read transaction, so that the index and its sequence number belong together.
pub(crate) async fn load_collection(
    pool: SqlitePool,
    registered: Registered,
) -> Result<LiveCollection, Error> {
    let Registered { n, collection } = registered;
    let mut transaction = pool.begin().await?;
    let seq: Option<i64> =
        sqlx::query_scalar("SELECT max(seq) FROM hromada_changes WHERE collection = ?")
            .bind(n)
            .fetch_one(&mut *transaction)
            .await?;
    let columns = index_columns(&collection);
    let mut select = format!("SELECT {}, {}", registry::KEY, registry::GEOMETRY);
    for column in &columns {
        select.push_str(", ");
        select.push_str(&quoted(&collection.schema.properties[*column].name));
    }
    let sql = format!(
        "{select} FROM {} ORDER BY {}",
        quoted(collection.id.as_str()),
        registry::KEY
    );
    let searchable: Vec<bool> = columns
        .iter()
        .map(|c| collection.schema.properties[*c].searchable)
        .collect();
    let mut builder = Builder::new(columns.len(), &searchable);
    let mut values = Vec::with_capacity(columns.len());
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *transaction);
    while let Some(row) = rows.try_next().await? {
        let fid: i64 = row.try_get(0)?;
        values.clear();
        for (i, column) in columns.iter().enumerate() {
            values.push(row::value(
                &row,
                i + 2,
                collection.schema.properties[*column].kind,
            )?);
        }
        let (envelope, geometries) = indexed(&collection, row::geometry(&row, 1)?)?;
        builder
            .push(fid, envelope, &geometries, &values)
            .map_err(index_failed)?;
    }
    drop(rows);
    transaction.commit().await?;
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
        columns: columns.into(),
        n,
    })
}

/// `Debug` names every field, so nothing of a definition is left out.
fn definition(collection: &Collection) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(format!("{collection:?}").as_bytes());
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
    Ok((envelope(&geometry), world::from_geometry(&geometry)))
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
        .map(|c| properties[*c].clone())
        .collect();
    Ok(Edit::Put {
        fid,
        envelope,
        geometries,
        values,
    })
}

pub(crate) fn index_failed(error: spatial::Error) -> Error {
    Error::Io(std::io::Error::other(error.to_string()))
}

/// The properties that the index carries: those of tiles, of the search box, the id and the label.
fn index_columns(collection: &Collection) -> Vec<usize> {
    let Some(names) = &collection.tiles.properties else {
        return (0..collection.schema.properties.len()).collect();
    };
    let named = [&collection.id_property, &collection.label_property];
    let wanted =
        |name: &String| names.contains(name) || named.iter().any(|n| n.as_ref() == Some(name));
    let properties = collection.schema.properties.iter().enumerate();
    properties
        .filter(|(_, p)| p.searchable || wanted(&p.name))
        .map(|(i, _)| i)
        .collect()
}
