//! Vector tiles: the short path and the OGC ones (OGC 20-057).

use std::io::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue};
use model::Message;
use spatial::index::{Hit, ValueRef};
use store::LiveCollection;
use tiles::{LayerBuilder, TileCoord, TileValue};

use crate::app::App;
use crate::cache::{Failed, Key, Wanted};
use crate::conditional::{REVALIDATE, Tag};
use crate::context::Context;
use crate::limits::MAX_TILE_COLLECTIONS;
use crate::link::MVT;
use crate::matrix_sets::{self, MatrixSet};
use crate::negotiate::Encoding;
use crate::policy::Sight;
use crate::problem::{Problem, shown};
use crate::schema::has_text_id;
use crate::segments::Segments;
use crate::tilesets::{Limits, limits};

/// The property of a tile that holds the id of the API where it is not the integer in `id`.
const ID_PROPERTY: &str = "_id";

/// Integers above are not exact in JavaScript.
const MAX_SAFE_INTEGER: u64 = 1 << 53;

/// The parameter that asks for tiles as they were.
const AS_OF: [&str; 1] = ["as-of"];

/// `GET /tiles/{collections}/{z}/{x}/{y}`, with or without `.mvt` or `.pbf`; `GET /tiles/{tileMatrixSetId}/…`, see
/// [`of_dataset`]
pub(crate) async fn short(
    State(app): State<App>,
    context: Context,
    Segments([ids, z, x, y]): Segments<[String; 4]>,
) -> Result<Response, Problem> {
    if let Some(set) = matrix_sets::named(&ids) {
        return of_dataset(&app, &context, set, [&z, &x, &y]).await;
    }
    context.params.only(&AS_OF)?;
    let y = y
        .strip_suffix(".mvt")
        .or_else(|| y.strip_suffix(".pbf"))
        .unwrap_or(&y);
    let set = matrix_sets::usual();
    let coord = coord(set, [&z, y, &x])?;
    let layers = selected(&app.sight(&context)?, &ids, MAX_TILE_COLLECTIONS)?;
    let layers = Layers::then(&app, &context, layers).await?;
    answer(&app, &context, set, coord, layers).await
}

/// `GET /collections/{id}/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}`
pub(crate) async fn of_collection(
    State(app): State<App>,
    context: Context,
    Segments([id, set, matrix, row, col]): Segments<[String; 5]>,
) -> Result<Response, Problem> {
    context.params.only(&AS_OF)?;
    let live = app.collection(&context, &id)?;
    let set = matrix_sets::require(&set)?;
    let coord = coord(set, [&matrix, &row, &col])?;
    let layers = Layers::then(&app, &context, vec![live]).await?;
    within(set, &limits(set, &layers.all), coord)?;
    answer(&app, &context, set, coord, layers).await
}

/// `GET /tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}?collections=a,b`; all collections by default
async fn of_dataset(
    app: &App,
    context: &Context,
    set: &'static MatrixSet,
    place: [&str; 3],
) -> Result<Response, Problem> {
    context.params.only(&["collections", AS_OF[0]])?;
    let sight = app.sight(context)?;
    let layers = match context.params.get("collections") {
        Some(ids) => selected(&sight, ids, MAX_TILE_COLLECTIONS)?,
        None => sight.all(),
    };
    let coord = coord(set, place)?;
    let layers = Layers::then(app, context, layers).await?;
    within(set, &limits(set, &layers.all), coord)?;
    answer(app, context, set, coord, layers).await
}

/// The collections of a tile, as they are or as they were.
struct Layers {
    all: Vec<LiveCollection>,
    /// As [`Key::moment`].
    moment: i64,
}

impl Layers {
    /// As the request asks for them.
    ///
    /// # Errors
    /// As [`Sight::require_then`].
    async fn then(
        app: &App,
        context: &Context,
        mut all: Vec<LiveCollection>,
    ) -> Result<Self, Problem> {
        let Some(moment) = app.moment(context.params.get(AS_OF[0])).await? else {
            let moment = i64::MAX;
            return Ok(Self { all, moment });
        };
        let sight = app.sight(context)?;
        for layer in &mut all {
            let id = layer.collection.id.clone();
            let then = sight.require_then(context, id.as_str(), Some(&moment));
            *layer = then.await?;
        }
        let moment = moment.seq.0;
        Ok(Self { all, moment })
    }
}

/// The collections of a comma-separated list, each once, in its order.
///
/// # Errors
/// 404 for an unknown one, 400 for more than `max`.
pub(crate) fn selected(
    sight: &Sight,
    ids: &str,
    max: usize,
) -> Result<Vec<LiveCollection>, Problem> {
    let mut layers: Vec<LiveCollection> = Vec::new();
    for id in ids.split(',').map(str::trim) {
        if layers.iter().any(|l| l.collection.id.as_str() == id) {
            continue;
        }
        if layers.len() == max {
            let detail = Message::new("server.too-many-collections").with("max", max);
            return Err(Problem::bad_request(detail));
        }
        layers.push(sight.require(id)?);
    }
    Ok(layers)
}

/// A tile by matrix, row and column.
fn coord(set: &MatrixSet, [matrix, row, col]: [&str; 3]) -> Result<TileCoord, Problem> {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number {
            return Err(Problem::bad_request(
                Message::new("server.tile-not-number").with("value", shown(text)),
            ));
        }
        // Too large for 64 bits is too large for any matrix.
        Ok(text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let (matrix, col, row) = (number(matrix)?, number(col)?, number(row)?);
    set.tile(matrix, row, col)
}

/// # Errors
/// 404 outside of the limits that the tileset publishes (OGC 20-057 /req/core/tc-error).
fn within(set: &MatrixSet, limits: &[Limits], coord: TileCoord) -> Result<(), Problem> {
    let matrix = set.matrix_of(coord);
    let found = limits.iter().find(|l| l.matrix == matrix);
    if found.is_some_and(|l| l.rows.contains(&coord.y()) && l.cols.contains(&coord.x())) {
        return Ok(());
    }
    Err(Problem::not_found(Message::new("server.tile-no-data")))
}

async fn answer(
    app: &App,
    context: &Context,
    set: &'static MatrixSet,
    coord: TileCoord,
    Layers { all, moment }: Layers,
) -> Result<Response, Problem> {
    let zoom = set.usual_zoom(set.matrix_of(coord));
    let shows = |l: &LiveCollection| {
        (l.collection.tiles.min_zoom..=l.collection.tiles.max_zoom).contains(&zoom)
    };
    let layers: Vec<LiveCollection> = all.into_iter().filter(shows).collect();
    if layers.is_empty() {
        return Ok(empty());
    }
    let ids: Vec<&str> = layers.iter().map(|l| l.collection.id.as_str()).collect();
    let encoding = Encoding::accepted(&context.headers);
    let key = Key {
        collections: ids.join(",").into(),
        lenses: layers.iter().map(lens_of).collect(),
        moment,
        set: set.place(),
        coord,
        encoding,
    };
    let wanted = Wanted {
        key,
        envelopes: set.envelopes(coord),
        layers,
    };
    let got = app.tiles.get(Arc::new(wanted), &app.workers, cut).await;
    let tile = got.map_err(|Failed| Problem::internal("a tile could not be cut"))?;
    if tile.body.is_empty() {
        return Ok(empty());
    }
    let tag = Tag::strong(tile.tag.clone());
    if let Some(unchanged) = tag.not_modified(&context.headers) {
        return Ok(unchanged);
    }
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(MVT)),
        (ETAG, tag.header()),
        (CACHE_CONTROL, REVALIDATE),
    ];
    let mut response = (headers, tile.body.clone()).into_response();
    if encoding != Encoding::Identity {
        response
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    Ok(response)
}

/// The number of the lens that a layer is seen through; 0: as it is.
fn lens_of(live: &LiveCollection) -> u64 {
    live.lens.as_ref().map_or(0, |lens| lens.id())
}

/// Nothing shows: no body, not a compressed nothing.
fn empty() -> Response {
    (StatusCode::NO_CONTENT, [(CACHE_CONTROL, REVALIDATE)]).into_response()
}

/// The uncompressed tile; empty when nothing shows, `None` when it can't be put together.
fn cut(wanted: &Wanted) -> Option<Vec<u8>> {
    let layers: Vec<Vec<u8>> = wanted
        .layers
        .iter()
        .filter_map(|live| layer(live, wanted))
        .collect();
    tiles::tile(&layers).ok()
}

fn layer(live: &LiveCollection, wanted: &Wanted) -> Option<Vec<u8>> {
    let collection = &live.collection;
    let schema = &collection.schema;
    let shown: Vec<usize> = match &collection.tiles.properties {
        Some(names) => names
            .iter()
            .filter_map(|name| schema.position(name))
            .collect(),
        None => (0..schema.properties.len()).collect(),
    };
    // A property of the same name would take the place of the id by which clients find the feature again.
    let columns: Vec<usize> = shown
        .iter()
        .filter(|position| schema.properties[**position].name != ID_PROPERTY)
        .filter_map(|position| live.column_of(*position))
        .collect();
    let names = columns
        .iter()
        .filter_map(|c| live.columns[*c])
        .map(|position| schema.properties[position].name.as_str());
    let keys: Vec<&str> = std::iter::once(ID_PROPERTY).chain(names).collect();
    let id_column = collection
        .id_property
        .as_ref()
        .filter(|_| has_text_id(collection));
    let id_column = id_column
        .and_then(|name| schema.position(name))
        .and_then(|p| live.column_of(p));

    let mut hits: Vec<Hit<'_>> = wanted
        .envelopes
        .iter()
        .flat_map(|e| live.index.search(e))
        .collect();
    hits.sort_unstable_by_key(Hit::fid);
    hits.dedup_by_key(|hit| hit.fid());
    let set = matrix_sets::all().get(usize::from(wanted.key.set))?;
    let mut builder = LayerBuilder::new(wanted.key.coord, collection.id.as_str(), &keys);
    for hit in hits {
        let fid = hit.fid();
        let exact = u64::try_from(fid).is_ok_and(|id| id <= MAX_SAFE_INTEGER);
        let number = fid.to_string();
        let id = match id_column.map(|column| hit.value(column)) {
            Some(ValueRef::Null) | None if exact => TileValue::Null,
            Some(ValueRef::Null) | None => TileValue::Text(&number),
            Some(value) => tile_value(value),
        };
        for geometry in hit.geometries() {
            let moved;
            let geometry = if set.is_world() {
                geometry
            } else {
                let Some(there) = set.geometry(&geometry) else {
                    continue;
                };
                moved = there;
                moved.view()
            };
            let values = columns.iter().map(|column| tile_value(hit.value(*column)));
            let values = std::iter::once(id).chain(values).enumerate();
            // Ids below zero keep their bits; `_id` has the number.
            builder.add(fid.cast_unsigned(), geometry, values);
        }
    }
    builder.finish()
}

fn tile_value(value: ValueRef<'_>) -> TileValue<'_> {
    match value {
        ValueRef::Null => TileValue::Null,
        ValueRef::Boolean(b) => TileValue::Boolean(b),
        ValueRef::Integer(i) => TileValue::Integer(i),
        ValueRef::Real(x) => TileValue::Real(x),
        ValueRef::Text(t) => TileValue::Text(t),
    }
}

/// Levels where a tile of 100 kB takes a few milliseconds, once.
const ZSTD_LEVEL: i32 = 6;
const BROTLI_LEVEL: u32 = 5;
const GZIP_LEVEL: u32 = 6;

/// The bytes in a content coding: the same bytes for the same input.
pub(crate) fn compress(bytes: Vec<u8>, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Identity => Some(bytes),
        Encoding::Zstd => zstd::bulk::compress(&bytes, ZSTD_LEVEL).ok(),
        Encoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(
                Vec::with_capacity(bytes.len() / 2),
                flate2::Compression::new(GZIP_LEVEL),
            );
            encoder.write_all(&bytes).ok()?;
            encoder.finish().ok()
        }
        Encoding::Brotli => {
            const WINDOW: u32 = 22;
            const BUFFER: usize = 4096;
            let mut out = Vec::with_capacity(bytes.len() / 2);
            let mut encoder = brotli::CompressorWriter::new(&mut out, BUFFER, BROTLI_LEVEL, WINDOW);
            encoder.write_all(&bytes).ok()?;
            drop(encoder);
            Some(out)
        }
    }
}
