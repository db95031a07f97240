//! The one write path: a store, its change log, and the live index that follows both.
//!
//! The embedded store is a GeoPackage file (OGC 12-128r19) in the data folder, in WAL mode with full
//! synchronisation: an acknowledged write is on disk. One connection writes; others only read. Every write adds
//! to the change log in its own transaction, and is applied to the live index after its commit.
//!
//! The server store is a schema in a PostgreSQL database with PostGIS, which any number of processes may share. Triggers
//! write the change log, whoever writes the tables, and each process follows it.

mod backend;
mod backup;
mod check;
mod compare;
mod edit;
mod error;
mod export;
mod facts;
mod feed;
mod files;
mod fill;
mod gather;
mod guard;
mod history;
mod import;
mod items;
mod lens;
mod live;
mod log;
mod mbtiles;
mod meta;
mod moving;
mod narrowed;
mod people;
mod postgres;
mod registry;
mod retention;
mod row;
mod secret;
mod session;
mod sqlite;
mod systems;
mod table;
mod touched;
mod webhooks;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use model::{ChangeSeq, Epoch, Message};
use tokio::sync::watch;

use backend::Backend;

pub use backup::{BackupReport, restore};
pub use check::{CheckReport, Finding};
pub use compare::{CompareReport, Compared, Summed};
pub use edit::{
    Action, By, Cadastral, CadastralOperation, Cause, Draft, Expected, Failure, Flaw, Once, Patch,
    Receipt, Step, Written,
};
pub use error::Error;
pub use export::{ExportReport, export};
pub use feed::{Change, Changed, Look};
pub use files::{
    FileFinding, FileHash, FileStream, FileVersion, Files, FilesLocation, Piece, RangedFile,
    ScrubReport, StoredFile,
};
pub use history::{Descent, MAX_VERSIONS, Recorded, Version, Versions};
pub use import::{
    CollectionSettings, ImportJob, ImportMode, ImportReport, InvalidGeometry, Progress,
    SourceLayer, source_layers,
};
pub use items::{
    Begin, Chosen, Item, ItemsQuery, Key as ItemKey, MAX_LIMIT, Page, SearchHit, Sort, Walk,
    portions,
};
pub use lens::Lens;
pub use live::{Live, LiveCollection};
pub use mbtiles::{MAX_MBTILES_TILE, MbtilesReader, MbtilesTile, MbtilesWriter};
pub use moving::{CopiedCollection, CopyPart, CopyProgress, CopyReport, copy};
pub use narrowed::Narrowed;
pub use people::{
    AuditEntry, AuditFilter, AuditFinding, AuditRecord, Ended, Key, KeyHash, KeyKind,
    MAX_TOKEN_DAYS, NewToken, TOKEN_DAYS, Verified, access_from_json, access_from_text,
    access_json,
};
pub use postgres::{Followed, Lag, PostgresPlace, PublishJob, Published};
pub use registry::{definition_json, safe_property_names};
pub use retention::{Trim, Trimmed};
pub use sqlite::{FILE_NAME, MINIMUM_SQLITE, SCHEMA_VERSION};
pub use touched::Touched;
pub use webhooks::{KeptWebhook, Told, Webhook};

/// How a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The one writer: creates the store when it is absent and holds its lock.
    Write,
    /// Beside a running writer; needs an existing store.
    Read,
    /// Beside a running writer, to write people and rules but no features; needs an existing store of this version.
    Administer,
}

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder with a GeoPackage file.
    Folder(PathBuf),
    /// A schema in a PostgreSQL database.
    Postgres(PostgresPlace),
}

impl Place {
    /// Reads a folder, or the address of a database.
    ///
    /// # Errors
    /// [`Error::Refused`] for an address that can't be read.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if postgres::is_postgres(text) {
            return Ok(Self::Postgres(PostgresPlace::parse(text)?));
        }
        Ok(Self::Folder(text.into()))
    }
}

impl From<&Path> for Place {
    fn from(folder: &Path) -> Self {
        Self::Folder(folder.to_owned())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Postgres(place) => place.fmt(f),
        }
    }
}

/// A collection with its count and extent.
#[derive(Debug, Clone)]
pub struct Summary {
    pub collection: model::Collection,
    /// The number of features and their extent in the storage CRS, x first, which may be wider than they are after deletions;
    /// or why the table can't be read.
    pub counted: Result<(u64, Option<model::Envelope>), Message>,
}

/// An open store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    place: Place,
    backend: Backend,
    epoch: ArcSwap<Epoch>,
    /// All collections with their index, swapped whole: a reader keeps what it took.
    live: ArcSwap<Live>,
    /// Sent to whenever what is seen of the store may be another.
    news: watch::Sender<()>,
    stopped: ArcSwap<Option<Message>>,
    /// Collections as they were.
    moments: history::Moments,
    /// Held while states of the history are let go.
    trimming: tokio::sync::Mutex<()>,
    /// People, units and the rules of collections.
    directory: ArcSwap<people::Read>,
}

impl Store {
    /// Opens a store. The live index is empty until [`Store::load`].
    ///
    /// # Errors
    /// [`Error::Refused`] with the remedy for a folder on a network file system, a file in use by another writer, a foreign
    /// or newer store, a copy that did not come to its end, a SQLite older than [`MINIMUM_SQLITE`], a database that can't be
    /// reached, lacks PostGIS or a right.
    pub async fn open(place: impl Into<Place>, access: Access) -> Result<Self, Error> {
        let store = Self::open_unfinished(place, access).await?;
        moving::refuse_unfinished(&store).await?;
        Ok(store)
    }

    /// Opens a store that may be a copy in the making.
    async fn open_unfinished(place: impl Into<Place>, access: Access) -> Result<Self, Error> {
        let place = place.into();
        let (backend, epoch) = Backend::open(&place, access).await?;
        let store = Self {
            inner: Arc::new(Inner {
                place,
                backend,
                epoch: ArcSwap::from_pointee(epoch),
                live: ArcSwap::from_pointee(Live::default()),
                news: watch::Sender::new(()),
                stopped: ArcSwap::from_pointee(None),
                moments: history::Moments::default(),
                trimming: tokio::sync::Mutex::default(),
                directory: ArcSwap::from_pointee(people::Read::default()),
            }),
        };
        store.load_directory().await?;
        store.register_systems().await?;
        Ok(store)
    }

    /// Builds the live index of every collection from the database.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn load(&self) -> Result<(), Error> {
        match &self.inner.backend {
            Backend::Sqlite(_) => {
                let live = live::load(self).await?;
                self.put_live(live);
                Ok(())
            }
            Backend::Postgres(database) => database.following.load(self).await,
        }
    }

    /// Follows what others write to a shared database, from now to [`Store::close`]. Nobody else writes to a file.
    pub fn follow(&self) {
        if let Backend::Postgres(database) = &self.inner.backend {
            database.following.start(self);
        }
    }

    /// Brings the index to what the database holds now; that of a file always is.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn catch_up(&self) -> Result<(), Error> {
        match &self.inner.backend {
            Backend::Sqlite(_) => Ok(()),
            Backend::Postgres(database) => database.following.catch_up(self, database).await,
        }
    }

    /// Waits until the index holds a change; false when it does not within `patience`.
    pub async fn reached(&self, seq: ChangeSeq, patience: Duration) -> bool {
        match &self.inner.backend {
            Backend::Sqlite(_) => true,
            Backend::Postgres(database) => {
                let reached = database.reached(seq, patience);
                tokio::time::timeout(patience, reached)
                    .await
                    .unwrap_or(false)
            }
        }
    }

    /// How far the index is behind a shared database, as far as is known; `None` for a file.
    pub fn lag(&self) -> Option<Lag> {
        match &self.inner.backend {
            Backend::Sqlite(_) => None,
            Backend::Postgres(database) => Some(database.following.lag()),
        }
    }

    /// Every collection with its count and extent, without the index.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn summaries(&self) -> Result<Vec<Summary>, Error> {
        let mut transaction = self.inner.backend.read().await?;
        let mut session = transaction.session();
        let mut summaries = Vec::new();
        for registered in registry::all(&mut session).await? {
            // A table that somebody has taken away must not hide the others.
            let mut part = session.begin().await?;
            let counted = match registry::counted(&mut part.session(), &registered).await {
                Ok(counted) => {
                    part.commit().await?;
                    Ok(counted)
                }
                Err(Error::Refused(reason) | Error::Denied(reason)) => {
                    part.rollback().await?;
                    Err(reason)
                }
                Err(error) => return Err(error),
            };
            summaries.push(Summary {
                collection: registered.collection,
                counted,
            });
        }
        transaction.commit().await?;
        Ok(summaries)
    }

    pub fn place(&self) -> &Place {
        &self.inner.place
    }

    /// The database file, which other programs may open for reading; `None` where the store is in a database server.
    pub fn file(&self) -> Option<PathBuf> {
        match &self.inner.backend {
            Backend::Sqlite(database) => Some(database.file()),
            Backend::Postgres(_) => None,
        }
    }

    pub fn epoch(&self) -> Arc<Epoch> {
        self.inner.epoch.load_full()
    }

    /// All collections and their indexes at this moment.
    pub fn live(&self) -> Arc<Live> {
        self.inner.live.load_full()
    }

    /// Whether these collections are what [`Store::live`] gives. A weak one holds no index, and its place is not used again.
    pub fn is_live(&self, live: &Weak<Live>) -> bool {
        std::ptr::eq(live.as_ptr(), Arc::as_ptr(&self.inner.live.load()))
    }

    /// Shows all collections as they are now.
    fn put_live(&self, live: Live) {
        let epoch = self.epoch();
        self.inner.live.store(Arc::new(Live { epoch, ..live }));
        self.inner.news.send_replace(());
    }

    /// Tells when what is seen of the store may be another: an index or a rule has changed.
    pub fn news(&self) -> watch::Receiver<()> {
        self.inner.news.subscribe()
    }

    /// Why writes have stopped, if they have: a commit failed with an unknown outcome.
    pub fn stopped(&self) -> Option<Message> {
        self.inner.stopped.load().as_ref().clone()
    }

    /// Closes the connections; the log is written back into the file.
    pub async fn close(&self) {
        match &self.inner.backend {
            Backend::Sqlite(database) => database.close().await,
            Backend::Postgres(database) => database.close().await,
        }
    }
}
