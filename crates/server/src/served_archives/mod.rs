//! Archives of tiles that the operator serves beside the town's own: base maps, aerial images, what was exported elsewhere.
//! They are read where they lie, `PMTiles` (version 3) by pieces and `MBTiles` (1.3) by queries, and whoever reaches the server
//! sees them.

mod answers;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use hyper::StatusCode;
use model::{CollectionId, Message};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::{Map, Value as Json, json};
use store::{FileVersion, MbtilesReader, Piece, RangedFile};
use tiles::TileCoord;
use tiles::pmtiles::{
    Compression, Directory, HEADER_BYTES, Header, MAX_DEPTH, MAX_FRONT_BYTES, MAX_METADATA_BYTES,
    Section, TileType, tile_id,
};
use tokio::sync::{Mutex, Semaphore};

pub(crate) use answers::{get, tile, tilejson};

use crate::limits::MAX_REQUESTS;
use crate::link::MVT;
use crate::negotiate::Encoding;
use crate::problem::Problem;

/// Bytes of directories and of tiles from elsewhere that are kept of all archives.
const ROOM: u64 = 64 << 20;

/// An archive that could not be read is tried again after this time only, so that requests do not wait for one another.
const PAUSE: Duration = Duration::from_secs(5);

/// For one answer from an archive, whatever has to be read for it.
const PATIENCE: Duration = Duration::from_secs(8);

/// Requests that read from one archive at once: a quarter of all there may be, so that a silent host takes nothing from others.
const MAX_READERS: usize = MAX_REQUESTS / 4;

/// Times that another file may come into its place while something of it is read.
const TRIES: usize = 3;

/// An archive as the operator names it.
#[derive(Debug, Clone)]
pub struct ArchiveOption {
    name: CollectionId,
    file: RangedFile,
}

impl ArchiveOption {
    /// `NAME=LOCATION`.
    ///
    /// # Errors
    /// When the name is none that a collection could have, or the location is none.
    pub fn parse(text: &str) -> Result<Self, Message> {
        let invalid = || Message::new("server.archive-option").with("text", text);
        let (name, location) = text.split_once('=').ok_or_else(invalid)?;
        let name = CollectionId::new(name).map_err(|_| invalid())?;
        let file: RangedFile = location.parse().map_err(|error| match error {
            store::Error::Invalid(message) | store::Error::Refused(message) => message,
            _ => invalid(),
        })?;
        Ok(Self { name, file })
    }
}

/// All archives, by name.
pub(crate) struct Archives {
    all: BTreeMap<String, Arc<Archive>>,
}

pub(crate) struct Archive {
    name: String,
    file: RangedFile,
    opened: Mutex<Option<Arc<Opened>>>,
    /// When reading failed last.
    failed: std::sync::Mutex<Option<Instant>>,
    readers: Semaphore,
    kept: Arc<Cache<Key, Arc<Part>, Weight>>,
}

/// An archive of one version.
struct Opened {
    /// Unique in the process.
    number: u64,
    version: FileVersion,
    length: u64,
    /// What its `TileJSON` says.
    about: Map<String, Json>,
    content_type: &'static str,
    source: Source,
}

enum Source {
    Pmtiles { header: Header, root: Directory },
    Mbtiles(Mutex<MbtilesReader>),
}

/// A version of an archive, and where in it.
type Key = (u64, u64);

enum Part {
    Leaf(Directory),
    Tile(Bytes),
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Arc<Part>> for Weight {
    fn weight(&self, _: &Key, part: &Arc<Part>) -> u64 {
        const OVERHEAD: usize = 128;
        let bytes = match &**part {
            Part::Leaf(leaf) => size_of_val(leaf.entries()),
            Part::Tile(bytes) => bytes.len(),
        };
        (bytes + OVERHEAD) as u64
    }
}

/// Why a step has no answer.
enum Stop {
    /// Another file is in the place of the one that was opened.
    Changed,
    Failed(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl Archives {
    pub(crate) fn new(options: &[ArchiveOption]) -> Self {
        const TYPICAL: u64 = 16 << 10;
        let items = usize::try_from(ROOM / TYPICAL).unwrap_or(usize::MAX);
        let kept = Arc::new(Cache::with_weighter(items, ROOM, Weight));
        let all = options.iter().map(|option| {
            let name = option.name.to_string();
            let archive = Archive {
                name: name.clone(),
                file: option.file.clone(),
                opened: Mutex::default(),
                failed: std::sync::Mutex::default(),
                readers: Semaphore::new(MAX_READERS),
                kept: Arc::clone(&kept),
            };
            (name, Arc::new(archive))
        });
        Self { all: all.collect() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Archive>> {
        self.all.get(name)
    }

    /// Reads the heads of all, so that what is wrong with one is told when the server starts.
    pub(crate) async fn try_all(&self) {
        for archive in self.all.values() {
            // What is wrong is logged where it is found.
            if archive.patiently(archive.opened()).await.is_ok() {
                tracing::info!(archive = archive.name, file = %archive.file, "an archive is served");
            }
        }
    }
}

impl Archive {
    /// Takes a place among those who read from it, for so long at most.
    async fn patiently<T>(
        &self,
        reading: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let Ok(_place) = self.readers.try_acquire() else {
            return Err(self.unread());
        };
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(read) => read,
            Err(_) => Err(self.failed("it does not answer in time")),
        }
    }

    async fn opened(&self) -> Result<Arc<Opened>, Problem> {
        let mut known = self.opened.lock().await;
        if let Some(opened) = &*known {
            return Ok(Arc::clone(opened));
        }
        self.may_be_read()?;
        match self.open().await {
            Ok(opened) => Ok(Arc::clone(known.insert(Arc::new(opened)))),
            Err(Stop::Failed(problem)) => Err(problem),
            Err(Stop::Changed) => Err(self.failed("another file comes into its place")),
        }
    }

    /// # Errors
    /// 503 a short while after reading failed.
    fn may_be_read(&self) -> Result<(), Problem> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match *failed {
            Some(at) if at.elapsed() < PAUSE => Err(self.unread()),
            _ => Ok(()),
        }
    }

    /// Notes and logs that reading failed. Where the archive is, and why it can't be read, is nobody's business but the
    /// operator's.
    fn failed(&self, why: impl std::fmt::Display) -> Problem {
        tracing::warn!(archive = self.name, file = %self.file, %why, "an archive can't be read; it is tried again in some seconds");
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = Some(Instant::now());
        self.unread()
    }

    fn unread(&self) -> Problem {
        let detail = Message::new("server.archive-unread").with("archive", &self.name);
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_later()
    }

    async fn read(
        &self,
        offset: u64,
        length: u64,
        version: Option<&FileVersion>,
    ) -> Result<Piece, Stop> {
        self.may_be_read()?;
        let read = self.file.read(offset, length, version).await;
        read.map_err(|error| self.failed(error))?
            .ok_or(Stop::Changed)
    }

    async fn open(&self) -> Result<Opened, Stop> {
        let front = self.read(0, MAX_FRONT_BYTES as u64, None).await?;
        let path = self.file.path();
        match path.filter(|path| path.extension().is_some_and(|e| e == "mbtiles")) {
            Some(path) => self.open_mbtiles(path, front).await,
            None => self.open_pmtiles(front).await,
        }
    }

    async fn open_mbtiles(&self, path: &Path, front: Piece) -> Result<Opened, Stop> {
        let mut reader = MbtilesReader::open(path)
            .await
            .map_err(|e| self.broken(e))?;
        let metadata = reader.metadata().await.map_err(|e| self.broken(e))?;
        let mut about = Map::new();
        let mut content_type = MVT;
        for (name, value) in metadata {
            let numbers = || {
                let numbers = value.split(',').map(|n| n.trim().parse::<f64>());
                numbers.collect::<Result<Vec<f64>, _>>().ok()
            };
            match &*name {
                "name" | "description" | "attribution" => {
                    about.insert(name, value.into());
                }
                "minzoom" | "maxzoom" => {
                    about.extend(value.parse::<u8>().ok().map(|zoom| (name, zoom.into())));
                }
                "bounds" | "center" => about.extend(numbers().map(|n| (name, n.into()))),
                "format" => content_type = content_type_of(&value),
                "json" => {
                    let json: Map<String, Json> = serde_json::from_str(&value).unwrap_or_default();
                    let layers = json.get("vector_layers").cloned();
                    about.extend(layers.map(|layers| ("vector_layers".to_owned(), layers)));
                }
                _ => {}
            }
        }
        Ok(Opened {
            number: next_number(),
            version: front.version,
            length: front.length,
            about,
            content_type,
            source: Source::Mbtiles(Mutex::new(reader)),
        })
    }

    async fn open_pmtiles(&self, front: Piece) -> Result<Opened, Stop> {
        let head = front.bytes.get(..HEADER_BYTES).unwrap_or(&front.bytes);
        let header = Header::parse(head).map_err(|error| self.broken(error))?;
        let section = async |section: Section| {
            let inside = usize::try_from(section.offset).ok().and_then(|from| {
                let to = from.checked_add(usize::try_from(section.length).ok()?)?;
                (to <= front.bytes.len()).then(|| front.bytes.slice(from..to))
            });
            match inside {
                Some(bytes) => Ok(bytes),
                None => self.section(section, &front.version).await,
            }
        };
        let root = section(header.root).await?;
        let root = Directory::parse(&root, header.internal_compression);
        let root = root.map_err(|error| self.broken(error))?;
        let metadata: Map<String, Json> = match header.metadata.length {
            0 => Map::new(),
            _ => {
                let packed = section(header.metadata).await?;
                let how = header.internal_compression;
                let bytes = how.unpack(&packed, "metadata", MAX_METADATA_BYTES);
                let bytes = bytes.map_err(|error| self.broken(error))?;
                // What is no JSON tells nothing; the tiles are good all the same.
                serde_json::from_slice(&bytes).unwrap_or_default()
            }
        };
        let [min, max] = [header.bounds.min, header.bounds.max];
        let told = ["name", "description", "attribution", "vector_layers"];
        let told = told.map(|name| Some((name.to_owned(), metadata.get(name)?.clone())));
        let mut about: Map<String, Json> = told.into_iter().flatten().collect();
        about.insert("minzoom".to_owned(), header.min_zoom.into());
        about.insert("maxzoom".to_owned(), header.max_zoom.into());
        about.insert("bounds".to_owned(), json!([min[0], min[1], max[0], max[1]]));
        let [x, y] = header.center;
        about.insert("center".to_owned(), json!([x, y, header.center_zoom]));
        Ok(Opened {
            number: next_number(),
            version: front.version,
            length: front.length,
            about,
            content_type: match header.tile_type {
                TileType::Mvt => MVT,
                TileType::Other(2) => "image/png",
                TileType::Other(3) => "image/jpeg",
                TileType::Other(4) => "image/webp",
                TileType::Other(5) => "image/avif",
                TileType::Other(_) => "application/octet-stream",
            },
            source: Source::Pmtiles { header, root },
        })
    }

    async fn section(&self, section: Section, version: &FileVersion) -> Result<Bytes, Stop> {
        let Section { offset, length } = section;
        let piece = self.read(offset, length, Some(version)).await?;
        if piece.bytes.len() as u64 != length {
            return Err(self.broken("it ends too early").into());
        }
        Ok(piece.bytes)
    }

    /// Forgets a version after which another file has come.
    async fn forget(&self, opened: &Opened) {
        let mut known = self.opened.lock().await;
        known.take_if(|now| now.number == opened.number);
    }

    /// The tile as it is stored, and the version that it is of; `None` when the archive does not hold it.
    async fn tile(
        &self,
        coord: TileCoord,
    ) -> Result<(Arc<Opened>, Option<(Bytes, Encoding)>), Problem> {
        for _ in 0..TRIES {
            let opened = self.opened().await?;
            match self.find(&opened, coord).await {
                Ok(tile) => return Ok((opened, tile)),
                Err(Stop::Failed(problem)) => return Err(problem),
                Err(Stop::Changed) => self.forget(&opened).await,
            }
        }
        Err(self.failed("it is replaced again and again"))
    }

    /// A tile and how it is packed.
    async fn find(
        &self,
        opened: &Opened,
        coord: TileCoord,
    ) -> Result<Option<(Bytes, Encoding)>, Stop> {
        let (header, root) = match &opened.source {
            Source::Pmtiles { header, root } => (header, root),
            Source::Mbtiles(reader) => {
                // Whether it is still the same file.
                self.read(0, 1, Some(&opened.version)).await?;
                let mut reader = reader.lock().await;
                let tile = reader.tile(coord.z(), coord.x(), coord.y()).await;
                let tile = tile.map_err(|error| self.broken(error))?;
                return Ok(tile.filter(|tile| !tile.is_empty()).map(|tile| {
                    let encoding = encoding_of(&tile);
                    (tile.into(), encoding)
                }));
            }
        };
        let encoding = match header.tile_compression {
            Compression::Gzip => Encoding::Gzip,
            Compression::Brotli => Encoding::Brotli,
            Compression::Zstd => Encoding::Zstd,
            // What says nothing says so for images.
            Compression::None | Compression::Unknown => Encoding::Identity,
        };
        let id = tile_id(coord);
        let mut found = root.find(id);
        for _ in 0..MAX_DEPTH {
            let Some(entry) = found else {
                return Ok(None);
            };
            if !entry.is_leaf() {
                let section = header.tile(&entry);
                let section = section.map_err(|error| self.broken(error))?;
                let bytes = self.stored(opened, section).await?;
                return Ok(Some((bytes, encoding)));
            }
            let section = header.leaf(&entry);
            let section = section.map_err(|error| self.broken(error))?;
            let key = (opened.number, section.offset);
            let known = self.kept.get(&key);
            let leaf = match known {
                Some(leaf) => leaf,
                None => {
                    let bytes = self.section(section, &opened.version).await?;
                    let leaf = Directory::parse(&bytes, header.internal_compression);
                    let leaf = Arc::new(Part::Leaf(leaf.map_err(|error| self.broken(error))?));
                    self.kept.insert(key, Arc::clone(&leaf));
                    leaf
                }
            };
            let Part::Leaf(leaf) = &*leaf else {
                return Err(self.broken("a directory among tiles").into());
            };
            found = leaf.find(id);
        }
        Err(self.broken("directories nested too deep").into())
    }

    /// A tile's bytes; those that come from elsewhere are kept.
    async fn stored(&self, opened: &Opened, section: Section) -> Result<Bytes, Stop> {
        let key = (opened.number, section.offset);
        let is_local = self.file.path().is_some();
        if !is_local
            && let Some(part) = self.kept.get(&key)
            && let Part::Tile(bytes) = &*part
        {
            return Ok(bytes.clone());
        }
        let bytes = self.section(section, &opened.version).await?;
        if !is_local {
            let part = Arc::new(Part::Tile(bytes.clone()));
            self.kept.insert(key, part);
        }
        Ok(bytes)
    }

    fn broken(&self, why: impl std::fmt::Display) -> Problem {
        tracing::warn!(archive = self.name, file = %self.file, %why, "an archive is broken");
        let detail = Message::new("server.archive-broken").with("archive", &self.name);
        Problem::new(StatusCode::BAD_GATEWAY, detail)
    }
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// By the `format` of `MBTiles`.
fn content_type_of(format: &str) -> &'static str {
    match format {
        "pbf" => MVT,
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        _ => "application/octet-stream",
    }
}

/// `MBTiles` do not say how tiles are packed, but those of vectors are gzip.
fn encoding_of(tile: &[u8]) -> Encoding {
    match tile.starts_with(&[0x1f, 0x8b]) {
        true => Encoding::Gzip,
        false => Encoding::Identity,
    }
}
