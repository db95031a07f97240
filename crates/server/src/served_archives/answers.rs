//! What is answered from an archive: a tile, `TileJSON`, or the file itself.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use hyper::StatusCode;
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, HeaderValue,
};
use model::Message;
use serde_json::{Value as Json, json};
use tiles::TileCoord;
use tiles::pmtiles::{Section, tile_id};

use super::{Archive, Opened, Source, Stop, TRIES};
use crate::app::App;
use crate::bulk;
use crate::conditional::{REVALIDATE, Tag};
use crate::context::Context;
use crate::negotiate::Encoding;
use crate::pack::{self, Effort};
use crate::problem::Problem;
use crate::segments::Segments;

/// Bytes of a tile, as it is stored and unpacked: no client shows a larger one.
const MAX_TILE: usize = 16 << 20;

/// A tile of more bytes is packed anew on a worker.
const LIGHT: usize = 16 << 10;

/// Bytes of one piece of a whole archive on its way to a client.
const PIECE: u64 = 1 << 20;

const ARCHIVE: &str = "application/vnd.pmtiles";

/// A tile of an archive.
pub(crate) async fn tile(
    app: &App,
    context: &Context,
    archive: &Archive,
    coord: TileCoord,
) -> Result<Response, Problem> {
    let (opened, tile) = archive.patiently(archive.tile(coord)).await?;
    let Some((tile, stored)) = tile else {
        return Ok((StatusCode::NO_CONTENT, [(CACHE_CONTROL, REVALIDATE)]).into_response());
    };
    let id = format!("{}/{}", opened.version, tile_id(coord));
    let tag = Tag::weak(format!("{:016x}", foldhash_of(&id)));
    if let Some(unchanged) = tag.not_modified(&context.headers) {
        return Ok(unchanged);
    }
    let (body, encoding) = match Encoding::takes(&context.headers, stored) {
        true => (tile, stored),
        false => {
            let encoding = Encoding::accepted(&context.headers);
            let is_light = tile.len() <= LIGHT;
            let packing = move || {
                let bytes = pack::unpack_at_most(&tile, stored, MAX_TILE)?;
                pack::pack(&bytes, encoding, Effort::Quick)
            };
            let packed = match is_light {
                true => packing(),
                false => app.work(packing).await?,
            };
            let packed = packed.ok_or_else(|| archive.broken("a tile can't be unpacked"))?;
            (packed.into(), encoding)
        }
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(opened.content_type)),
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
    let opened = archive.patiently(archive.opened()).await?;
    let mut out = json!({
        "tilejson": "3.0.0",
        "name": archive.name,
        "scheme": "xyz",
        "tiles": [context.url(format_args!("/tiles/{}/{{z}}/{{x}}/{{y}}", archive.name))],
    });
    for (name, value) in &opened.about {
        out[name] = value.clone();
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
    let missing = || Problem::not_found(Message::new("server.no-such-archive").with("name", name));
    let archive = archive.ok_or_else(missing)?;
    for _ in 0..TRIES {
        let opened = archive.patiently(archive.opened()).await?;
        if matches!(opened.source, Source::Mbtiles(_)) {
            // Nobody reads that by ranges.
            return Err(missing());
        }
        match part(&context, &archive, &opened).await {
            Ok(response) => return Ok(response),
            Err(Stop::Failed(problem)) => return Err(problem),
            Err(Stop::Changed) => archive.forget(&opened).await,
        }
    }
    Err(archive.failed("it is replaced again and again"))
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
    let reading = async {
        match archive.section(section, &opened.version).await {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(Stop::Failed(problem)) => Err(problem),
            Err(Stop::Changed) => Ok(Err(Stop::Changed)),
        }
    };
    let first = archive.patiently(reading).await??;
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
