//! Whole collections as files (`rel=enclosure`): made in the background, kept as long as nothing changes, served in ranges.
//!
//! A file shows one moment, through the lens of whoever asks; what is about people is in none. It is for those who may take
//! a collection out whole, and for everybody where it is public.

use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::Hasher;
use std::io::{BufWriter, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use formats::Format;
use futures_util::stream;
use hyper::StatusCode;
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderValue, IF_RANGE, RANGE,
};
use model::{ChangeSeq, Message};
use store::{ItemsQuery, LiveCollection, MAX_LIMIT};
use tempfile::TempDir;
use tokio::sync::{OnceCell, Semaphore};

use crate::app::App;
use crate::conditional::{REVALIDATE, Tag};
use crate::context::Context;
use crate::features::output;
use crate::features::query::Asked;
use crate::problem::{Problem, shown};
use crate::segments::Segments;

/// In the order of their use: what GIS programs open at once comes first.
pub(crate) const FORMATS: [Format; 6] = [
    Format::GeoPackage,
    Format::FlatGeobuf,
    Format::GeoParquet,
    Format::NdJson,
    Format::Csv,
    Format::GeoJson,
];

/// Bytes of all files: above it the oldest go.
const MAX_BYTES: u64 = 16 * 1024 * 1024 * 1024;

/// For a file that is being made; whoever asks later finds it. Two million parcels take some twenty seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that are read from a file at a time.
const PIECE: usize = 256 * 1024;

/// What a file shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    collection: Box<str>,
    /// 0 is no lens.
    lens: u64,
    format: Format,
}

/// The state of a collection that a file was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    life: i64,
    seq: ChangeSeq,
    definition: u64,
}

/// A file that has no name any more: it is gone with the last who reads it, and leaves nothing behind in a crash.
struct Made {
    file: File,
    length: u64,
    tag: String,
}

type Cell = Arc<OnceCell<Arc<Made>>>;

/// The files of all collections.
pub(crate) struct Bulk {
    kept: Mutex<Vec<(Key, Moment, Cell)>>,
    folder: OnceCell<TempDir>,
    /// One is made at a time.
    turn: Semaphore,
}

impl Default for Bulk {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            folder: OnceCell::new(),
            turn: Semaphore::new(1),
        }
    }
}

impl Bulk {
    /// The place of a file, which may have to be made yet; what was made of an older state goes.
    fn cell(&self, key: &Key, moment: Moment) -> Cell {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., cell)) = kept.iter().find(|(k, m, _)| k == key && *m == moment) {
            return Arc::clone(cell);
        }
        kept.retain(|(k, ..)| k != key);
        let cell = Cell::default();
        kept.push((key.clone(), moment, Arc::clone(&cell)));
        cell
    }

    /// Lets the oldest files go until the rest is within the budget.
    fn cut(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let length = |cell: &Cell| cell.get().map_or(0, |made| made.length);
        let mut all: u64 = kept.iter().map(|(.., cell)| length(cell)).sum();
        while all > MAX_BYTES && kept.len() > 1 {
            let (.., oldest) = kept.remove(0);
            all -= length(&oldest);
        }
    }

    /// Beside the data, where there is room for them; a folder that a crash has left goes with the next start.
    async fn folder(&self, app: &App) -> Result<&Path, std::io::Error> {
        const PREFIX: &str = ".hromada-files-";
        let beside = app
            .store
            .file()
            .and_then(|file| Some(file.parent()?.to_owned()));
        let folder = self.folder.get_or_try_init(|| async {
            let within = beside.clone().unwrap_or_else(std::env::temp_dir);
            if let Some(beside) = &beside {
                for entry in std::fs::read_dir(beside)?.flatten() {
                    if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                        let _ = std::fs::remove_dir_all(entry.path());
                    }
                }
            }
            tempfile::Builder::new().prefix(PREFIX).tempdir_in(within)
        });
        Ok(folder.await?.path())
    }
}

/// The formats that a collection can be had in whole. A GeoPackage is written by the store, which knows no lens.
pub(crate) fn offered(live: &LiveCollection) -> impl Iterator<Item = Format> + use<'_> {
    FORMATS
        .into_iter()
        .filter(|format| *format != Format::GeoPackage || live.lens.is_none())
}

/// `GET /collections/{id}/files/{id}.{extension}`
pub(crate) async fn get(
    State(app): State<App>,
    context: Context,
    Segments([id, name]): Segments<[String; 2]>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let live = app.exportable(&context, &id)?;
    let extension = name
        .strip_prefix(id.as_str())
        .and_then(|rest| rest.strip_prefix('.'));
    let format = extension.and_then(|e| offered(&live).find(|format| format.extension() == e));
    let Some(format) = format else {
        let all: Vec<String> = offered(&live)
            .map(|f| format!("{id}.{}", f.extension()))
            .collect();
        let detail = Message::new("server.file-unknown")
            .with("name", shown(&name))
            .with("known", all.join(", "));
        return Err(Problem::not_found(detail));
    };
    let made = made(&app, &context, live, format).await?;
    serve(&context.headers, &made, format)
}

/// The file, once it is there.
async fn made(
    app: &App,
    context: &Context,
    live: LiveCollection,
    format: Format,
) -> Result<Arc<Made>, Problem> {
    let now = live.now();
    let key = Key {
        collection: live.collection.id.as_str().into(),
        lens: live.lens.as_ref().map_or(0, |lens| lens.id()),
        format,
    };
    let moment = Moment {
        life: now.collection,
        seq: now.seq,
        definition: live.definition,
    };
    let cell = app.bulk.cell(&key, moment);
    if let Some(made) = cell.get() {
        return Ok(Arc::clone(made));
    }
    // In a task of its own: a client that hangs up leaves the file for the next one.
    let making = {
        let (app, context) = (app.clone(), context.clone());
        tokio::spawn(async move {
            let make = || async {
                let _turn = app.bulk.turn.acquire().await.map_err(Problem::internal)?;
                make(&app, &context, &live, format).await.map(Arc::new)
            };
            let made = cell.get_or_try_init(make).await.map(Arc::clone);
            app.bulk.cut();
            made
        })
    };
    match tokio::time::timeout(PATIENCE, making).await {
        Ok(made) => made.map_err(Problem::internal)?,
        Err(_) => {
            let detail = Message::new("server.file-in-the-making");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_later())
        }
    }
}

async fn make(
    app: &App,
    context: &Context,
    live: &LiveCollection,
    format: Format,
) -> Result<Made, Problem> {
    let folder = app.bulk.folder(app).await.map_err(Problem::internal)?;
    // One is made at a time.
    let path = folder.join(format!("{}.{}", live.collection.id, format.extension()));
    if format == Format::GeoPackage {
        let id = live.collection.id.as_str();
        store::export(&app.store, id, &path, format, &mut |_| {}).await?;
    } else {
        write(app, context, live, format, &path).await?;
    }
    let made = app.work(move || taken(&path)).await?;
    made.map_err(Problem::internal)
}

/// Writes a walk over all features.
async fn write(
    app: &App,
    context: &Context,
    live: &LiveCollection,
    format: Format,
    path: &Path,
) -> Result<(), Problem> {
    let personal = live.lens.as_ref().map(|lens| lens.personal());
    let personal = personal.filter(|names| !names.is_empty());
    let properties = live.collection.schema.properties.iter().enumerate();
    let select = personal.map(|names| {
        let open = properties.filter(|(_, p)| !names.contains(&p.name));
        open.map(|(position, _)| position).collect()
    });
    let mut asked = Asked {
        query: ItemsQuery {
            limit: MAX_LIMIT,
            ..ItemsQuery::default()
        },
        select,
        ..Asked::default()
    };
    let mut stream = output::stream(context, live, format, &asked)?;
    let mut out = Vec::new();
    stream.begin(&mut out, "").map_err(Problem::internal)?;
    let mut file = BufWriter::new(File::create(path).map_err(Problem::internal)?);
    loop {
        let chosen = app.store.choose(live, &asked.query).await?;
        for part in store::portions(&chosen.keys) {
            let crs = asked.query.crs;
            let read = app.store.read(live, &chosen.walk, crs, part).await?;
            let collection = Arc::clone(&live.collection);
            let work = move || -> Result<_, Problem> {
                for feature in &read {
                    let id = crate::features::feature_id(&collection, feature);
                    stream
                        .write(&mut out, &id, feature)
                        .map_err(Problem::internal)?;
                }
                file.write_all(&out).map_err(Problem::internal)?;
                out.clear();
                Ok((stream, out, file))
            };
            (stream, out, file) = app.work(work).await??;
        }
        let Some(next) = chosen.next else { break };
        (asked.query.begin, asked.query.walk) = (next, Some(chosen.walk));
    }
    stream.end(&mut out, "").map_err(Problem::internal)?;
    file.write_all(&out).map_err(Problem::internal)?;
    file.flush().map_err(Problem::internal)
}

/// A file that is finished, opened and without its name, with its length and hash.
fn taken(path: &Path) -> Result<Made, std::io::Error> {
    let mut file = File::open(path)?;
    std::fs::remove_file(path)?;
    let mut hasher = DefaultHasher::new();
    let mut piece = vec![0; PIECE];
    let mut length = 0;
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(Made {
                file,
                length,
                tag: format!("{:016x}", hasher.finish()),
            });
        }
        hasher.write(&piece[..read]);
        length += read as u64;
    }
}

/// axum sends no body where the method is HEAD.
fn serve(headers: &HeaderMap, made: &Arc<Made>, format: Format) -> Result<Response, Problem> {
    let tag = Tag::strong(made.tag.clone());
    if let Some(unchanged) = tag.not_modified(headers) {
        return Ok(unchanged);
    }
    let range = asked_range(headers, made.length, &made.tag)?;
    let (start, end) = range.unwrap_or((0, made.length));
    let mut response = read(Arc::clone(made), start, end).into_response();
    let out = response.headers_mut();
    out.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(output::content_type(format)),
    );
    out.insert(CONTENT_LENGTH, HeaderValue::from(end - start));
    out.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(CACHE_CONTROL, REVALIDATE);
    out.insert(ETAG, tag.header());
    if range.is_some() {
        let text = format!("bytes {start}-{}/{}", end - 1, made.length);
        if let Ok(value) = HeaderValue::try_from(text) {
            out.insert(CONTENT_RANGE, value);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The part of a file that is asked for, its end exclusive; `None` is the whole.
///
/// # Errors
/// 416 for one that the file does not have.
pub(crate) fn asked_range(
    headers: &HeaderMap,
    length: u64,
    tag: &str,
) -> Result<Option<(u64, u64)>, Problem> {
    range(headers, length, tag).or_else(|()| {
        let detail = Message::new("server.range-invalid").with("length", length);
        let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, detail);
        let whole = HeaderValue::try_from(format!("bytes */{length}"));
        let whole = whole.map_err(Problem::internal)?;
        Err(problem.with(CONTENT_RANGE, whole))
    })
}

/// The part that is asked for, its end exclusive; `None` is the whole. Of several parts and of what is no range of bytes
/// nothing is taken notice, as RFC 9110 §14.2 allows.
fn range(headers: &HeaderMap, length: u64, tag: &str) -> Result<Option<(u64, u64)>, ()> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|v: &HeaderValue| v.to_str().ok())
    };
    if text(IF_RANGE).is_some_and(|given| given.trim_matches('"') != tag) {
        return Ok(None);
    }
    let asked = text(RANGE).and_then(|range| range.strip_prefix("bytes="));
    let Some((from, to)) = asked.and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let number = |text: &str| text.trim().parse::<u64>();
    let (start, end) = match (number(from), number(to)) {
        (Ok(start), Ok(last)) if start <= last => (start, last.saturating_add(1)),
        (Ok(start), Err(_)) if to.trim().is_empty() => (start, length),
        (Err(_), Ok(count)) if from.trim().is_empty() => (length.saturating_sub(count), length),
        _ => return Ok(None),
    };
    if start >= length || start == end {
        return Err(());
    }
    Ok(Some((start, end.min(length))))
}

/// A part of a file as fast as the client takes it.
fn read(made: Arc<Made>, start: u64, end: u64) -> Body {
    let pieces = stream::try_unfold((made, start), move |(made, at)| async move {
        if at == end {
            return Ok(None);
        }
        let read = move || {
            let wanted = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            let mut piece = vec![0; wanted];
            made.file
                .read_exact_at(&mut piece, at)
                .map(|()| (piece, made))
        };
        let read = tokio::task::spawn_blocking(read).await;
        let (piece, made) = read.map_err(std::io::Error::other)??;
        let at = at + piece.len() as u64;
        Ok::<_, std::io::Error>(Some((Bytes::from(piece), (made, at))))
    });
    Body::from_stream(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file_and_others_are_none() {
        let asked = |value: &str| {
            let headers = HeaderMap::from_iter([(RANGE, value.parse().unwrap())]);
            range(&headers, 100, "t")
        };
        assert_eq!(asked("bytes=0-9"), Ok(Some((0, 10))));
        assert_eq!(asked("bytes=90-"), Ok(Some((90, 100))));
        assert_eq!(asked("bytes=-5"), Ok(Some((95, 100))));
        assert_eq!(asked("bytes=50-1000"), Ok(Some((50, 100))));
        assert_eq!(asked("bytes=100-"), Err(()));
        assert_eq!(asked("bytes=-0"), Err(()));
        for none in ["bytes=9-0", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b"] {
            assert_eq!(asked(none), Ok(None), "{none}");
        }
        let mut headers = HeaderMap::from_iter([(RANGE, "bytes=0-9".parse().unwrap())]);
        headers.insert(IF_RANGE, "\"other\"".parse().unwrap());
        assert_eq!(range(&headers, 100, "t"), Ok(None));
        headers.insert(IF_RANGE, "\"t\"".parse().unwrap());
        assert_eq!(range(&headers, 100, "t"), Ok(Some((0, 10))));
    }
}
