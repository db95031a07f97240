//! Archives of tiles that the operator serves beside the town's own: base maps, aerial images, what was exported elsewhere.
//! They are read where they lie, by pieces (`PMTiles` version 3), and whoever reaches the server sees them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use hyper::StatusCode;
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, HeaderValue,
};
use model::{CollectionId, Message};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::{Map, Value as Json, json};
use store::{FileVersion, RangedFile};
use tiles::TileCoord;
use tiles::pmtiles::{
    Compression, Directory, HEADER_BYTES, Header, MAX_DEPTH, MAX_FRONT_BYTES, MAX_METADATA_BYTES,
    Section, TileType, tile_id,
};
use tokio::sync::Mutex;

use crate::app::App;
use crate::bulk;
use crate::conditional::{REVALIDATE, Tag};
use crate::context::Context;
use crate::link::MVT;
use crate::negotiate::Encoding;
use crate::pack::{self, Effort};
use crate::problem::Problem;
use crate::segments::Segments;

/// Bytes of directories and of tiles from elsewhere that are kept of all archives.
const ROOM: u64 = 64 << 20;

/// An archive that could not be read is tried again after this time only, so that requests do not wait for one another.
const PAUSE: Duration = Duration::from_secs(5);

/// Bytes of one piece of a whole archive on its way to a client.
const PIECE: u64 = 1 << 20;

/// Times that another file may come into its place while something of it is read.
const TRIES: usize = 3;

const ARCHIVE: &str = "application/vnd.pmtiles";

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
    state: Mutex<Known>,
    kept: Arc<Cache<Key, Arc<Part>, Weight>>,
}

/// What is known of an archive.
enum Known {
    Unread,
    Failed(Instant),
    Open(Arc<Opened>),
}

/// An archive of one version.
struct Opened {
    /// Unique in the process.
    number: u64,
    version: FileVersion,
    length: u64,
    header: Header,
    root: Directory,
    metadata: Map<String, Json>,
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

impl<E: Into<Problem>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
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
                state: Mutex::new(Known::Unread),
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
            match archive.opened().await {
                Ok(opened) => {
                    let zooms = (opened.header.min_zoom, opened.header.max_zoom);
                    tracing::info!(archive = archive.name, file = %archive.file, ?zooms, "an archive is served");
                }
                Err(problem) => {
                    tracing::warn!(archive = archive.name, file = %archive.file, reason = %problem.detail, "an archive can't be read; it is tried again when it is asked for");
                }
            }
        }
    }
}

impl Archive {
    async fn opened(&self) -> Result<Arc<Opened>, Problem> {
        let mut state = self.state.lock().await;
        match &*state {
            Known::Open(opened) => return Ok(Arc::clone(opened)),
            Known::Failed(at) if at.elapsed() < PAUSE => {
                let detail = Message::new("server.archive-unread").with("archive", &self.name);
                return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_later());
            }
            Known::Failed(_) | Known::Unread => {}
        }
        match self.open().await {
            Ok(opened) => {
                let opened = Arc::new(opened);
                *state = Known::Open(Arc::clone(&opened));
                Ok(opened)
            }
            Err(stop) => {
                *state = Known::Failed(Instant::now());
                Err(match stop {
                    Stop::Failed(problem) => problem,
                    Stop::Changed => self.broken("another file came into its place"),
                })
            }
        }
    }

    async fn open(&self) -> Result<Opened, Stop> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let front = self.file.read(0, MAX_FRONT_BYTES as u64, None).await?;
        let front = front.ok_or(Stop::Changed)?;
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
        let metadata = match header.metadata.length {
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
        Ok(Opened {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            root: root.map_err(|error| self.broken(error))?,
            version: front.version,
            length: front.length,
            header,
            metadata,
        })
    }

    async fn section(&self, section: Section, version: &FileVersion) -> Result<Bytes, Stop> {
        let Section { offset, length } = section;
        let read = self.file.read(offset, length, Some(version)).await?;
        let piece = read.ok_or(Stop::Changed)?;
        if piece.bytes.len() as u64 != length {
            return Err(self.broken("it ends too early").into());
        }
        Ok(piece.bytes)
    }

    /// Forgets a version after which another file has come.
    async fn forget(&self, opened: &Opened) {
        let mut state = self.state.lock().await;
        if matches!(&*state, Known::Open(now) if now.number == opened.number) {
            *state = Known::Unread;
        }
    }

    /// The tile as it is stored, and the version that it is of; `None` when the archive does not hold it.
    async fn tile(&self, coord: TileCoord) -> Result<(Arc<Opened>, Option<Bytes>), Problem> {
        for _ in 0..TRIES {
            let opened = self.opened().await?;
            match self.find(&opened, tile_id(coord)).await {
                Ok(tile) => return Ok((opened, tile)),
                Err(Stop::Failed(problem)) => return Err(problem),
                Err(Stop::Changed) => self.forget(&opened).await,
            }
        }
        Err(self.broken("it is replaced again and again"))
    }

    async fn find(&self, opened: &Opened, id: u64) -> Result<Option<Bytes>, Stop> {
        let mut found = opened.root.find(id);
        for _ in 0..MAX_DEPTH {
            let Some(entry) = found else {
                return Ok(None);
            };
            if !entry.is_leaf() {
                let section = opened.header.tile(&entry);
                let section = section.map_err(|error| self.broken(error))?;
                return self.stored(opened, section).await.map(Some);
            }
            let section = opened.header.leaf(&entry);
            let section = section.map_err(|error| self.broken(error))?;
            let key = (opened.number, section.offset);
            let known = self.kept.get(&key);
            let leaf = match known {
                Some(leaf) => leaf,
                None => {
                    let bytes = self.section(section, &opened.version).await?;
                    let leaf = Directory::parse(&bytes, opened.header.internal_compression);
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

/// A tile of an archive.
pub(crate) async fn tile(
    context: &Context,
    archive: &Archive,
    coord: TileCoord,
) -> Result<Response, Problem> {
    let (opened, tile) = archive.tile(coord).await?;
    let Some(tile) = tile else {
        return Ok((StatusCode::NO_CONTENT, [(CACHE_CONTROL, REVALIDATE)]).into_response());
    };
    let id = format!("{}/{}", opened.version, tile_id(coord));
    let tag = Tag::weak(format!("{:016x}", foldhash_of(&id)));
    if let Some(unchanged) = tag.not_modified(&context.headers) {
        return Ok(unchanged);
    }
    let stored = match opened.header.tile_compression {
        Compression::Gzip => Encoding::Gzip,
        Compression::Brotli => Encoding::Brotli,
        Compression::Zstd => Encoding::Zstd,
        // What says nothing says so for images.
        Compression::None | Compression::Unknown => Encoding::Identity,
    };
    let (body, encoding) = match Encoding::takes(&context.headers, stored) {
        true => (tile, stored),
        false => {
            let bytes = pack::unpack_at_most(&tile, stored, tiles::pmtiles::MAX_TILE_BYTES);
            let bytes = bytes.ok_or_else(|| archive.broken("a tile can't be unpacked"))?;
            let encoding = Encoding::accepted(&context.headers);
            let packed = pack::pack(&bytes, encoding, Effort::Quick);
            let packed = packed.ok_or_else(|| Problem::internal("a tile could not be packed"))?;
            (packed.into(), encoding)
        }
    };
    let content_type = match opened.header.tile_type {
        TileType::Mvt => MVT,
        TileType::Other(2) => "image/png",
        TileType::Other(3) => "image/jpeg",
        TileType::Other(4) => "image/webp",
        TileType::Other(5) => "image/avif",
        TileType::Other(_) => "application/octet-stream",
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (ETAG, tag.header()),
        (CACHE_CONTROL, REVALIDATE),
    ];
    let mut response = (headers, body).into_response();
    if encoding != Encoding::Identity {
        let name = HeaderValue::from_static(encoding.name());
        response.headers_mut().insert(CONTENT_ENCODING, name);
    }
    Ok(response)
}

fn foldhash_of(text: &str) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = foldhash::quality::FixedState::default().build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// `TileJSON` 3.0.0 of an archive.
pub(crate) async fn tilejson(context: &Context, archive: &Archive) -> Result<Json, Problem> {
    let opened = archive.opened().await?;
    let header = &opened.header;
    let mut out = json!({
        "tilejson": "3.0.0",
        "name": archive.name,
        "scheme": "xyz",
        "tiles": [context.url(format_args!("/tiles/{}/{{z}}/{{x}}/{{y}}", archive.name))],
        "minzoom": header.min_zoom,
        "maxzoom": header.max_zoom,
        "bounds": [header.bounds.min[0], header.bounds.min[1], header.bounds.max[0], header.bounds.max[1]],
        "center": [header.center[0], header.center[1], header.center_zoom],
    });
    for name in ["name", "description", "attribution", "vector_layers"] {
        if let Some(value) = opened.metadata.get(name) {
            out[name] = value.clone();
        }
    }
    Ok(out)
}

/// `GET /archives/{name}.pmtiles`: the archive itself, for clients that read it by ranges.
pub(crate) async fn get(
    State(app): State<App>,
    context: Context,
    Segments(file): Segments<String>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let name = file.strip_suffix(".pmtiles").unwrap_or_default();
    let archive = app.archive(&context, name).cloned();
    let archive = archive.ok_or_else(|| {
        Problem::not_found(Message::new("server.no-such-archive").with("name", name))
    })?;
    for _ in 0..TRIES {
        let opened = archive.opened().await?;
        match part(&context, &archive, &opened).await {
            Ok(response) => return Ok(response),
            Err(Stop::Failed(problem)) => return Err(problem),
            Err(Stop::Changed) => archive.forget(&opened).await,
        }
    }
    Err(archive.broken("it is replaced again and again"))
}

async fn part(
    context: &Context,
    archive: &Arc<Archive>,
    opened: &Arc<Opened>,
) -> Result<Response, Stop> {
    let (version, length) = (&opened.version, opened.length);
    let opaque = format!("{:016x}", foldhash_of(&version.to_string()));
    let tag = Tag::strong(opaque.clone());
    // Whether it is still the same file is known only when something of it is read.
    let range = bulk::asked_range(&context.headers, length, &opaque)?;
    let (start, end) = range.unwrap_or((0, length));
    let mut response = whole(Arc::clone(archive), Arc::clone(opened), start, end).await?;
    if let Some(unchanged) = tag.not_modified(&context.headers) {
        return Ok(unchanged);
    }
    let out = response.headers_mut();
    out.insert(CONTENT_TYPE, HeaderValue::from_static(ARCHIVE));
    out.insert(CONTENT_LENGTH, HeaderValue::from(end - start));
    out.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(CACHE_CONTROL, REVALIDATE);
    out.insert(ETAG, tag.header());
    if range.is_some() {
        let text = format!("bytes {start}-{}/{length}", end - 1);
        let value = HeaderValue::try_from(text).map_err(Problem::internal)?;
        out.insert(CONTENT_RANGE, value);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Bytes of an archive, the first piece read before the head leaves, so that another version is noticed.
async fn whole(
    archive: Arc<Archive>,
    opened: Arc<Opened>,
    start: u64,
    end: u64,
) -> Result<Response, Stop> {
    let section = Section {
        offset: start,
        length: (end - start).min(PIECE),
    };
    let first = archive.section(section, &opened.version).await?;
    let at = start + section.length;
    if at == end {
        return Ok(first.into_response());
    }
    let rest = stream::try_unfold(
        (archive, opened, at),
        move |(archive, opened, at)| async move {
            if at == end {
                return Ok(None);
            }
            let length = (end - at).min(PIECE);
            let section = Section { offset: at, length };
            // Broken off, so that nobody takes two halves for one.
            let bytes = archive.section(section, &opened.version).await;
            let bytes = bytes.map_err(|_| io::Error::other("an archive has changed"))?;
            Ok::<_, io::Error>(Some((bytes, (archive, opened, at + length))))
        },
    );
    let first = stream::once(std::future::ready(Ok(first)));
    Ok(Body::from_stream(first.chain(rest)).into_response())
}
