//! Vector tiles: the short path and the OGC ones (OGC 20-057).

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue};
use model::Message;
use spatial::index::Hit;
use store::LiveCollection;
use tiles::{LayerBuilder, Reach, TileCoord, TileValue};

use crate::app::App;
use crate::cache::{Cut, Failed, Key, Uncut, Wanted};
use crate::conditional::{REVALIDATE, Tag};
use crate::context::Context;
use crate::layer_values::Column;
use crate::layers::{Layers, PARAMETERS, selected};
use crate::limits::MAX_TILE_COLLECTIONS;
use crate::link::MVT;
use crate::low_zoom::{Layer, Of, Planned, When};
use crate::matrix_sets::{self, MatrixSet};
use crate::negotiate::Encoding;
use crate::problem::{Problem, shown};
use crate::ready::Steady;
use crate::schema::has_text_id;
use crate::segments::Segments;
use crate::served_archives;
use crate::tilesets::{Limits, limits};

/// The property of a tile that holds the id of the API where it is not the integer in `id`.
const ID_PROPERTY: &str = "_id";

/// How many features a point stands for.
const COUNT_PROPERTY: &str = "_count";

const OWN_PROPERTIES: [&str; 2] = [ID_PROPERTY, COUNT_PROPERTY];

/// Times that a tile is cut anew because it was too heavy: each time a zoom draws fewer features by themselves.
const MAX_COARSER: usize = 8;

/// Vertices of a tile that is cut at once, without a worker: some tenths of a millisecond. Of a feature by itself: [`OF_ONE`].
const LIGHT: usize = 8_192;

/// The work for a feature, as so many vertices.
const OF_ONE: usize = 16;

/// And for each of its values.
const OF_VALUE: usize = 2;

/// Integers above are not exact in JavaScript.
const MAX_SAFE_INTEGER: u64 = 1 << 53;

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
    let y = y
        .strip_suffix(".mvt")
        .or_else(|| y.strip_suffix(".pbf"))
        .unwrap_or(&y);
    let set = matrix_sets::usual();
    let coord = coord(set, [&z, y, &x])?;
    if let Some(archive) = app.archive(&context, &ids) {
        context.params.only(&[])?;
        return served_archives::tile(&app, &context, archive, coord).await;
    }
    context.params.only(&PARAMETERS)?;
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
    context.params.only(&PARAMETERS)?;
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
    let is_own = |name: &str| name == "collections";
    context.params.only_where(&PARAMETERS, is_own)?;
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
    layers: Layers,
) -> Result<Response, Problem> {
    let Layers {
        all,
        moment,
        properties,
    } = layers.narrowed(app, context).await?;
    let zoom = set.usual_zoom(set.matrix_of(coord));
    let shows = |l: &LiveCollection| {
        (l.collection.tiles.min_zoom..=l.collection.tiles.max_zoom).contains(&zoom)
    };
    let layers: Vec<LiveCollection> = all.into_iter().filter(shows).collect();
    if layers.is_empty() {
        return Ok(steady(empty(), moment, None));
    }
    let ids: Vec<&str> = layers.iter().map(|l| l.collection.id.as_str()).collect();
    let encoding = Encoding::accepted(&context.headers);
    let collections: Arc<str> = ids.join(",").into();
    // Anybody may ask by any filter: what it leaves is not kept beside what everybody asks for.
    let is_narrowed = layers.iter().any(|layer| layer.narrowed.is_some());
    let mut tries = 0..MAX_COARSER;
    let when = if moment == i64::MAX {
        When::Now
    } else {
        When::Then
    };
    let tile = loop {
        let planned = planned(app, &layers, when).await?;
        let key = Key {
            collections: Arc::clone(&collections),
            views: layers.iter().zip(&planned).map(view_of).collect(),
            properties: properties.clone(),
            moment,
            set: set.place(),
            coord,
            encoding,
        };
        let drawn = planned.into_iter();
        let wanted = Arc::new(Wanted {
            key,
            envelopes: set.envelopes(coord),
            layers: layers.clone(),
            drawn: drawn.map(|planned| Layer::new(planned, zoom)).collect(),
            low_zooms: Arc::clone(&app.low_zooms),
        });
        let got = app.tiles.get(&wanted, &app.workers, Some(LIGHT), cut).await;
        let tile = got.map_err(|failed| match failed {
            Failed::Broken => Problem::internal("a tile could not be cut"),
            Failed::Busy => Problem::busy(),
        })?;
        // What was says nothing of how what is should be drawn.
        let is_light = when == When::Then || tries.next().is_none();
        let Some(heavy) = tile.heavy.filter(|_| !is_light) else {
            break tile;
        };
        if !app.low_zooms.coarser(&layers[heavy], &wanted.drawn[heavy]) {
            break tile;
        }
    };
    if tile.body.is_empty() {
        return Ok(match is_narrowed {
            true => empty(),
            false => steady(empty(), moment, None),
        });
    }
    let tag = Tag::weak(tile.tag.clone());
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
    if tile.is_settled() && !is_narrowed {
        response = steady(response, moment, Some((tag, tile.body.clone())));
    }
    Ok(response)
}

/// An answer that is made the same again until something changes, if it is not of what was.
fn steady(mut response: Response, moment: i64, tile: Option<(Tag, Bytes)>) -> Response {
    if moment == i64::MAX {
        response.extensions_mut().insert(Steady { tile });
    }
    response
}

/// How each collection is drawn at low zooms.
async fn planned(
    app: &App,
    layers: &[LiveCollection],
    when: When,
) -> Result<Vec<Arc<Planned>>, Problem> {
    let mut all = Vec::with_capacity(layers.len());
    for live in layers {
        all.push(match app.low_zooms.known(live, when) {
            Some(known) => known,
            None => {
                let (low_zooms, live) = (Arc::clone(&app.low_zooms), live.clone());
                app.work(move || low_zooms.plan(&live)).await?
            }
        });
    }
    Ok(all)
}

/// The number of what a layer is seen through, 0: as it is; and that of its plan.
fn view_of((live, planned): (&LiveCollection, &Arc<Planned>)) -> [u64; 2] {
    [live.seen_through(), planned.number]
}

/// Nothing shows: no body, not a compressed nothing.
fn empty() -> Response {
    (StatusCode::NO_CONTENT, [(CACHE_CONTROL, REVALIDATE)]).into_response()
}

/// The uncompressed tile; empty when nothing shows.
///
/// # Errors
/// [`Uncut::Heavy`] for one that is more than `most` to cut, as soon as that is known; [`Uncut::Broken`] for one that can't be
/// put together.
pub(crate) fn cut(wanted: &Wanted, most: Option<usize>) -> Result<Cut, Uncut> {
    let mut left = most;
    let layers = wanted.layers.iter().zip(&wanted.drawn);
    let layers: Vec<Option<(Vec<u8>, usize)>> = layers
        .map(|(live, drawn)| layer(live, drawn, wanted, &mut left))
        .collect::<Result<_, _>>()?;
    let sizes = layers.iter().enumerate().map(|(at, layer)| {
        let (bytes, features) = layer
            .as_ref()
            .map_or((0, 0), |(bytes, n)| (bytes.len(), *n));
        (bytes, features, at)
    });
    let (_, features, heaviest) = sizes.max().unwrap_or_default();
    let layers: Vec<Vec<u8>> = layers
        .into_iter()
        .flatten()
        .map(|(bytes, _)| bytes)
        .collect();
    Ok(Cut {
        bytes: tiles::tile(&layers).map_err(|_| Uncut::Broken)?,
        heaviest,
        features,
    })
}

/// Shows that there is something, where all of it together is too small to be seen.
fn mark(live: &LiveCollection, wanted: &Wanted, set: &MatrixSet, builder: &mut LayerBuilder) {
    let tile = wanted.key.coord;
    let hits = wanted.envelopes.iter().flat_map(|e| live.index.search(e));
    let places = hits.filter_map(|hit| {
        let geometry = hit.geometries().find(|g| !g.coords.is_empty())?;
        let at = match set.is_world() {
            true => *geometry.coords.first()?,
            false => *set.geometry(&geometry)?.coords.first()?,
        };
        let is_here = TileCoord::containing(tile.z(), at) == Ok(tile);
        is_here.then(|| (hit.fid(), at, geometry.kind))
    });
    if let Some((_, at, kind)) = places.min_by_key(|(fid, _, _)| *fid) {
        builder.add_mark(at, kind);
    }
}

/// A layer's bytes and how many features it has; `None` when nothing shows.
///
/// `left`: how much work may still be done, if there is a bound.
fn layer(
    live: &LiveCollection,
    drawn: &Layer,
    wanted: &Wanted,
    left: &mut Option<usize>,
) -> Result<Option<(Vec<u8>, usize)>, Uncut> {
    let collection = &live.collection;
    let schema = &collection.schema;
    let shown: Vec<usize> = match (&wanted.key.properties, &collection.tiles.properties) {
        (Some(names), _) => {
            let named = names.split(',').filter_map(|name| schema.position(name));
            named.collect()
        }
        (None, Some(names)) => {
            let named = names.iter().filter_map(|name| schema.position(name));
            named.collect()
        }
        (None, None) => (0..schema.properties.len()).collect(),
    };
    // A property of the same name would take the place of what clients know a feature or a cluster by.
    let columns: Vec<usize> = shown
        .iter()
        .filter(|position| !OWN_PROPERTIES.contains(&schema.properties[**position].name.as_str()))
        .filter_map(|position| live.column_of(*position))
        .collect();
    let names = columns
        .iter()
        .filter_map(|c| live.columns[*c])
        .map(|position| schema.properties[position].name.as_str());
    let mut keys: Vec<&str> = std::iter::once(ID_PROPERTY).chain(names).collect();
    let id_column = collection
        .id_property
        .as_ref()
        .filter(|_| has_text_id(collection));
    let id_column = id_column
        .and_then(|name| schema.position(name))
        .and_then(|p| live.column_of(p));

    let set = matrix_sets::all().get(usize::from(wanted.key.set));
    let set = set.ok_or(Uncut::Broken)?;
    let of = Of {
        live,
        moment: wanted.key.moment,
        set,
    };
    // How much work cells are is not known before.
    if drawn.is_low() && left.is_some() {
        return Err(Uncut::Heavy);
    }
    let together = wanted.low_zooms.together(of, drawn, wanted.key.coord);
    let mut hits: Vec<(i64, Hit<'_>)> = Vec::new();
    // More than may be cut here need not be found.
    let most = left.map_or(usize::MAX, |left| left / OF_ONE);
    for envelope in &wanted.envelopes {
        drawn.by_themselves(&live.index, envelope, |hit| {
            hits.push((hit.fid(), hit));
            match hits.len() > most {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
    }
    let clusters = together.iter().flat_map(|together| &together.clusters);
    let alone = clusters.clone().filter(|cluster| cluster.count == 1);
    hits.extend(alone.filter_map(|cluster| Some((cluster.fid, live.index.get(cluster.fid)?))));
    hits.sort_unstable_by_key(|(fid, _)| *fid);
    hits.dedup_by_key(|(fid, _)| *fid);
    let vertices = hits.iter().map(|(_, hit)| hit.vertices()).sum();
    if let Some(left) = left {
        let work = hits.len() * (OF_ONE + OF_VALUE * columns.len()) + vertices;
        *left = left.checked_sub(work).ok_or(Uncut::Heavy)?;
    }
    let count_key = keys.len();
    let mut builder = match &together {
        None => LayerBuilder::new(wanted.key.coord, collection.id.as_str(), &keys),
        Some(together) => {
            if !together.clusters.is_empty() {
                keys.push(COUNT_PROPERTY);
            }
            LayerBuilder::generalised(wanted.key.coord, collection.id.as_str(), &keys)
        }
    };
    builder.reserve(hits.len(), vertices, hits.len() * keys.len());
    // Under what is drawn by itself.
    if let Some(together) = &together {
        builder.add_blocks(&together.blocks);
        builder.add_network(&together.network);
    }
    // The id is a property too, as a rule: then its value is found once.
    let id_at = id_column.and_then(|id| columns.iter().position(|column| *column == id));
    let mut columns: Vec<Column> = columns.into_iter().map(Column::new).collect();
    let mut id_column = id_column.filter(|_| id_at.is_none()).map(Column::new);
    let mut values = Vec::with_capacity(columns.len() + 1);
    // Of what lies within it nothing need be cut off.
    let inner = set.is_world().then(|| wanted.key.coord.bounds());
    for (fid, hit) in hits {
        let is_within = inner.is_some_and(|tile| hit.envelope().is_some_and(|e| tile.contains(&e)));
        let reach = if is_within {
            Reach::Within
        } else {
            Reach::Unknown
        };
        values.clear();
        for geometry in hit.geometries() {
            // Ids below zero keep their bits; `_id` has the number.
            let id = fid.cast_unsigned();
            let shows = match set.is_world() {
                true => builder.cut(id, geometry, reach),
                false => set
                    .geometry(&geometry)
                    .is_some_and(|moved| builder.cut(id, moved.view(), reach)),
            };
            if !shows {
                continue;
            }
            if values.is_empty() {
                let id_column = match id_at {
                    Some(at) => columns.get_mut(at),
                    None => id_column.as_mut(),
                };
                let own = id_column.and_then(|column| column.put(&hit, &mut builder));
                let exact = u64::try_from(fid).is_ok_and(|id| id <= MAX_SAFE_INTEGER);
                let own = match own {
                    None if !exact => builder.intern(TileValue::Text(&fid.to_string())),
                    own => own,
                };
                values.extend(own.map(|own| (0, own)));
                for (key, column) in columns.iter_mut().enumerate() {
                    let value = match own.filter(|_| id_at == Some(key)) {
                        Some(own) => Some(own),
                        None => column.put(&hit, &mut builder),
                    };
                    values.extend(value.map(|value| (key + 1, value)));
                }
            }
            builder.tag_last(values.iter().copied());
        }
    }
    for cluster in clusters.filter(|cluster| cluster.count > 1) {
        let count = TileValue::Integer(cluster.count.cast_signed());
        builder.add_cluster(cluster.middle(), [(count_key, count)]);
    }
    if together.is_some() && builder.is_empty() {
        mark(live, wanted, set, &mut builder);
    }
    let features = builder.len();
    Ok(builder.finish().map(|bytes| (bytes, features)))
}
