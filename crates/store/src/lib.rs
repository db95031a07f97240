//! The one write path: a GeoPackage store, its change log, and the live index that follows both.
//!
//! The embedded store is a GeoPackage file (OGC 12-128r19) in the data folder, in WAL mode with full
//! synchronisation: an acknowledged write is on disk. One connection writes; others only read. Every write adds
//! to the change log in its own transaction, and is applied to the live index after its commit.

mod check;
mod edit;
mod error;
mod export;
mod files;
mod filter;
mod guard;
mod import;
mod items;
mod live;
mod registry;
mod row;
mod sqlite;
mod touched;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use model::{Epoch, Message};

pub use check::{CheckReport, Finding};
pub use edit::Draft;
pub use error::Error;
pub use export::{ExportReport, export};
pub use files::{FileFinding, FileHash, FileStream, Files, FilesLocation, ScrubReport, StoredFile};
pub use import::{
    CollectionSettings, ImportJob, ImportMode, ImportReport, InvalidGeometry, Progress,
    SourceLayer, source_layers,
};
pub use items::{Item, ItemsQuery, MAX_LIMIT, Page, SearchHit};
pub use live::{Live, LiveCollection};
pub use registry::{definition_json, safe_property_names};
pub use sqlite::{FILE_NAME, MINIMUM_SQLITE, SCHEMA_VERSION};
pub use touched::Touched;

/// How a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The one writer: creates the store when it is absent and holds its lock.
    Write,
    /// Beside a running writer; needs an existing store.
    Read,
}

/// A collection with its count and extent.
#[derive(Debug, Clone)]
pub struct Summary {
    pub collection: model::Collection,
    pub features: u64,
    /// In the storage CRS, x first; may be wider than the features are after deletions.
    pub extent: Option<model::Envelope>,
}

/// An open store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    epoch: Epoch,
    reader: sqlx::SqlitePool,
    /// `None` when opened for reading.
    writer: Option<tokio::sync::Mutex<sqlite::Writer>>,
    /// All collections with their index, swapped whole: a reader keeps what it took.
    live: ArcSwap<Live>,
    stopped: ArcSwap<Option<Message>>,
    /// Of the database file when it was opened.
    identity: Option<(u64, u64)>,
    /// Held for the life of the store; the lock goes with the file.
    _lock: Option<std::fs::File>,
}

impl Store {
    /// Opens the store in a data folder. The live index is empty until [`Store::load`].
    ///
    /// # Errors
    /// [`Error::Refused`] with the remedy for a folder on a network file system, a store in use by another
    /// writer, a foreign or newer file, or a SQLite older than [`MINIMUM_SQLITE`].
    pub async fn open(folder: &Path, access: Access) -> Result<Self, Error> {
        let lock = match access {
            Access::Write => {
                std::fs::create_dir_all(folder)
                    .map_err(|e| guard::folder_refused("store.folder-not-writable", folder, &e))?;
                Some(guard::lock(folder)?)
            }
            Access::Read => None,
        };
        guard::refuse_network_file_system(folder)?;
        let opened = sqlite::open(folder, access).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                epoch: opened.epoch,
                reader: opened.reader,
                writer: opened.writer.map(tokio::sync::Mutex::new),
                live: ArcSwap::from_pointee(Live::default()),
                stopped: ArcSwap::from_pointee(None),
                identity: guard::identity(&folder.join(FILE_NAME)).ok(),
                _lock: lock,
            }),
        })
    }

    /// Builds the live index of every collection from the database.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn load(&self) -> Result<(), Error> {
        let live = live::load(&self.inner.reader).await?;
        self.inner.live.store(Arc::new(live));
        Ok(())
    }

    /// Every collection with its count and extent, without the index.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn summaries(&self) -> Result<Vec<Summary>, Error> {
        let mut connection = self.inner.reader.acquire().await?;
        let mut summaries = Vec::new();
        for registered in registry::all(&mut connection).await? {
            let (features, extent) =
                registry::counted(&mut connection, &registered.collection).await?;
            summaries.push(Summary {
                collection: registered.collection,
                features,
                extent,
            });
        }
        Ok(summaries)
    }

    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// The database file, which other programs may open for reading.
    pub fn file(&self) -> PathBuf {
        self.inner.folder.join(FILE_NAME)
    }

    pub fn epoch(&self) -> &Epoch {
        &self.inner.epoch
    }

    /// All collections and their indexes at this moment.
    pub fn live(&self) -> Arc<Live> {
        self.inner.live.load_full()
    }

    /// Why writes have stopped, if they have: a commit failed with an unknown outcome.
    pub fn stopped(&self) -> Option<Message> {
        self.inner.stopped.load().as_ref().clone()
    }

    /// Closes the connections; the log is written back into the file.
    pub async fn close(&self) {
        self.inner.reader.close().await;
        if let Some(writer) = &self.inner.writer {
            writer.lock().await.close().await;
        }
    }
}
