//! What goes into an archive.

use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::Arc;

use model::access::Principal;
use model::world;
use model::{Bbox, Envelope, Lang, MAX_ZOOM, Message};
use serde_json::{Value as Json, json};
use store::{Error, LiveCollection, Place, Store};
use tiles::TileCoord;

use super::metadata::Description;
use super::{ArchiveChoice, DEEPEST_UNASKED};
use crate::Options;
use crate::app::App;
use crate::low_zoom::{Layer, LowZooms, Planned, When};
use crate::tilesets;

pub(super) struct Contents {
    /// As they are seen, in the order of the layers.
    pub(super) layers: Vec<LiveCollection>,
    /// At which one of them shows.
    pub(super) zooms: RangeInclusive<u8>,
    pub(super) low_zooms: Arc<LowZooms>,
    bbox: Option<Bbox>,
    /// The box in world units: west, north, east, south, ends inclusive; two when it crosses the antimeridian.
    boxes: Vec<[u32; 4]>,
    lang: Lang,
    /// All that the bytes of the archive come from.
    job: Json,
}

impl Contents {
    pub(super) fn new(store: &Store, choice: &ArchiveChoice) -> Result<Self, Error> {
        let refused = |message: Message| Err(Error::Refused(message));
        let live = store.live();
        if !live.loaded || !live.is_complete() {
            // Without a word an archive would lack what a town believes to be in it.
            return refused(Message::new("server.archive-incomplete"));
        }
        let app = App::unprepared(store.clone(), &without_caches());
        let layers = layers(&app, choice)?;
        if layers.is_empty() {
            return refused(Message::new("server.archive-nothing-public"));
        }
        let own = tilesets::zooms(&layers);
        let asked = match &choice.zooms {
            Some(asked) => asked.clone(),
            None => 0..=DEEPEST_UNASKED.max(*own.start()),
        };
        let first = *asked.start().max(own.start());
        let zooms = first..=*asked.end().min(own.end()).min(&MAX_ZOOM);
        if zooms.is_empty() {
            let message = Message::new("server.archive-zooms")
                .with("first", own.start())
                .with("last", own.end());
            return refused(message);
        }
        let epoch = store.epoch();
        // A table or view of a database may change without a number, where nobody looks at it meanwhile.
        let is_shared = matches!(store.place(), Place::Postgres(_));
        let state = |live: &LiveCollection| {
            let content = is_shared.then(|| content(live));
            json!([
                live.collection.id.as_str(),
                live.appearance(),
                live.seq.0,
                content
            ])
        };
        let states: Vec<Json> = layers.iter().map(state).collect();
        let edges = |b: &Bbox| [b.west, b.south, b.east, b.north];
        let job = json!({
            "program": program(), "epoch": epoch.0, "layers": states, "zooms": [zooms.start(), zooms.end()],
            "bbox": choice.bbox.as_ref().map(edges), "whole": choice.whole, "lang": choice.lang.tag(),
        });
        Ok(Self {
            low_zooms: Arc::clone(&app.low_zooms),
            layers,
            zooms,
            boxes: choice
                .bbox
                .iter()
                .flat_map(Bbox::envelopes)
                .map(square)
                .collect(),
            bbox: choice.bbox,
            lang: choice.lang,
            job,
        })
    }

    /// What another export has to be of for its tiles to be of use here.
    pub(super) fn job(&self) -> &Json {
        &self.job
    }

    /// How each layer is drawn.
    pub(super) fn drawn(&self) -> Vec<Arc<Planned>> {
        let planned = |live: &LiveCollection| self.low_zooms.plan(live);
        std::thread::scope(|scope| {
            let all: Vec<_> = self
                .layers
                .iter()
                .map(|live| scope.spawn(|| planned(live)))
                .collect();
            let all = all.into_iter().zip(&self.layers);
            // What panicked does so here again.
            all.map(|(one, live)| one.join().unwrap_or_else(|_| planned(live)))
                .collect()
        })
    }

    /// Draws a layer coarser at a zoom from now on; false when that can't be.
    pub(super) fn coarser(&self, layer: usize, zoom: u8) -> bool {
        let Some(live) = self.layers.get(layer) else {
            return false;
        };
        let known = self.low_zooms.known(live, When::Then);
        let planned = known.unwrap_or_else(|| self.low_zooms.plan(live));
        self.low_zooms.coarser(live, &Layer::new(planned, zoom))
    }

    /// The places of the layers that show at a zoom.
    pub(super) fn shown(&self, zoom: u8) -> Vec<usize> {
        let shows = |at: &usize| {
            let tiles = &self.layers[*at].collection.tiles;
            (tiles.min_zoom..=tiles.max_zoom).contains(&zoom)
        };
        (0..self.layers.len()).filter(shows).collect()
    }

    /// Whether a tile meets the box that was asked for.
    pub(super) fn is_asked_for(&self, tile: TileCoord) -> bool {
        if self.bbox.is_none() {
            return true;
        }
        let shift = 32 - u32::from(tile.z());
        let at = |v: u32| u64::from(v) >> shift;
        let (x, y) = (u64::from(tile.x()), u64::from(tile.y()));
        self.boxes.iter().any(|[west, north, east, south]| {
            (at(*west)..=at(*east)).contains(&x) && (at(*north)..=at(*south)).contains(&y)
        })
    }

    pub(super) fn description(&self) -> Description {
        let extent = tilesets::extent(&self.layers);
        let bounds = match (extent, &self.bbox) {
            (Some(extent), Some(bbox)) => {
                let parts = bbox.envelopes().filter_map(|part| common(extent, part));
                parts.reduce(Envelope::union).or(Some(extent))
            }
            (extent, _) => extent,
        };
        Description::new(&self.layers, &self.zooms, bounds, self.lang)
    }
}

/// # Errors
/// When one that is asked for is not there, or is not seen.
fn layers(app: &App, choice: &ArchiveChoice) -> Result<Vec<LiveCollection>, Error> {
    let live = app.store.live();
    let sight = app.sight_of(Principal::anonymous());
    let seen = |id: &str| match choice.whole {
        true => live.get(id).cloned(),
        false => sight.get(id),
    };
    if choice.collections.is_empty() {
        return Ok(live.collections.keys().filter_map(|id| seen(id)).collect());
    }
    let mut layers: Vec<LiveCollection> = Vec::new();
    for id in &choice.collections {
        if layers
            .iter()
            .any(|layer| layer.collection.id.as_str() == id)
        {
            continue;
        }
        let key = match live.get(id) {
            Some(_) => "server.archive-not-public",
            None => "server.archive-no-collection",
        };
        let known: Vec<&str> = live.collections.keys().map(|id| &**id).collect();
        let unseen = || {
            let message = Message::new(key).with("collection", id);
            Error::Refused(message.with("known", known.join(", ")))
        };
        layers.push(seen(id).ok_or_else(unseen)?);
    }
    Ok(layers)
}

fn without_caches() -> Options {
    Options {
        tile_cache_bytes: 0,
        feature_cache_bytes: 0,
        ..Options::default()
    }
}

/// Which program cuts: another one may draw otherwise.
fn program() -> Json {
    let found = std::env::current_exe().and_then(std::fs::metadata).ok();
    let made = found.as_ref().and_then(|found| found.modified().ok());
    let made = made.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let size = found.map(|found| found.len());
    json!([
        env!("CARGO_PKG_VERSION"),
        size,
        made.map(|at| at.as_micros().to_string())
    ])
}

fn square(part: Envelope) -> [u32; 4] {
    let [west, north] = world::project(part.min[0], part.max[1]);
    let [east, south] = world::project(part.max[0], part.min[1]);
    [west, north, east, south]
}

fn common(a: Envelope, b: Envelope) -> Option<Envelope> {
    a.intersects(&b).then(|| Envelope {
        min: [0, 1].map(|k| a.min[k].max(b.min[k])),
        max: [0, 1].map(|k| a.max[k].min(b.max[k])),
    })
}

/// A hash of all that the index has of a collection. O(vertices).
fn content(live: &LiveCollection) -> u64 {
    let mut hasher = foldhash::quality::FixedState::default().build_hasher();
    for hit in live.index.iter() {
        hasher.write_i64(hit.fid());
        for geometry in hit.geometries() {
            geometry.coords.hash(&mut hasher);
            geometry.ends.hash(&mut hasher);
        }
        for column in 0..live.columns.len() {
            format!("{:?}", hit.value(column)).hash(&mut hasher);
        }
    }
    hasher.finish()
}
