//! What small and crowded features look like at low zooms, kept in memory and never stale.
//!
//! [`Plan`] says from the data which features a zoom draws by themselves. The others are kept by cells
//! ([`tiles::generalise`]), each the sum of four cells a zoom deeper, and a tile is put together from its cells. Like a
//! cached tile, a cell is held against the newest changes when it is taken ([`store::Touched`]): an edit makes anew one cell of
//! each zoom, and nothing has to be told to anyone.

mod plan;
mod warm;

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use model::Envelope;
use model::world::{WorldGeometry, WorldKind};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use spatial::index::{Hit, Snapshot};
use store::LiveCollection;
use tiles::TileCoord;
use tiles::generalise::{self, CELLS_BITS, Clusters, Kind, Outline};

pub(crate) use plan::{DEEPEST, Plan};
pub(crate) use warm::warm;

use crate::limits::MAX_NARROWED;
use crate::matrix_sets::MatrixSet;
use crate::stamp::Stamp;

/// Bytes of cells and of what tiles show together: a town of 200,000 parcels takes some 20 MB.
const ROOM: u64 = 512 * 1024 * 1024;

/// A guess at the size of an entry.
const TYPICAL: u64 = 64 * 1024;

/// How much a collection may grow or shrink before it is looked at again: a quarter.
const GROWTH: usize = 4;

pub(crate) struct LowZooms {
    plans: Mutex<HashMap<(i64, u64), Arc<Planned>>>,
    /// Of what filters leave: anybody may ask by any, so they are apart and few.
    narrowed: Cache<(i64, u64), Arc<Planned>>,
    /// Another one after each change of the plans.
    version: AtomicU64,
    kept: Cache<Key, Kept, Weight>,
}

/// Whether a collection is seen as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Now,
    Then,
}

/// A plan and what it is called.
#[derive(Debug)]
pub(crate) struct Planned {
    plan: Plan,
    /// No two plans that draw differently have the same.
    pub(crate) number: u64,
}

/// How a layer of a tile is cut.
pub(crate) struct Layer {
    planned: Arc<Planned>,
    /// The zoom of the usual set that shows as much.
    zoom: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    what: What,
    appearance: (i64, u64),
    plan: u64,
    moment: i64,
    set: u8,
    coord: TileCoord,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Cell,
    Tile,
}

#[derive(Clone)]
enum Kept {
    Cell(Arc<Cell>),
    Tile(Arc<Together>),
}

/// The small features of one cell.
struct Cell {
    polygons: Outline,
    lines: Outline,
    points: Clusters,
    stamp: Stamp,
}

/// What features are together in one tile.
pub(crate) struct Together {
    /// As of [`generalise::blocks()`].
    pub(crate) blocks: Vec<Vec<Vec<[i32; 2]>>>,
    /// As of [`generalise::network()`].
    pub(crate) network: Vec<Vec<[i32; 2]>>,
    pub(crate) clusters: Vec<generalise::Cluster>,
    stamp: Stamp,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Kept> for Weight {
    fn weight(&self, _: &Key, kept: &Kept) -> u64 {
        let bytes = match kept {
            Kept::Cell(cell) => {
                cell.polygons.memory_bytes()
                    + cell.lines.memory_bytes()
                    + cell.points.memory_bytes()
            }
            Kept::Tile(tile) => {
                let rings = tile.blocks.iter().flatten().chain(&tile.network);
                let points: usize = rings.map(|ring| 40 + ring.len() * 8).sum();
                points + tile.clusters.len() * size_of::<generalise::Cluster>()
            }
        };
        bytes as u64 + 256
    }
}

/// The moment, set and collection that a tile is of.
#[derive(Clone, Copy)]
pub(crate) struct Of<'a> {
    pub(crate) live: &'a LiveCollection,
    pub(crate) moment: i64,
    pub(crate) set: &'static MatrixSet,
}

impl LowZooms {
    pub(crate) fn new() -> Self {
        let items = usize::try_from(ROOM / TYPICAL).unwrap_or(usize::MAX);
        Self {
            plans: Mutex::default(),
            narrowed: Cache::new(MAX_NARROWED * 4),
            version: AtomicU64::new(0),
            kept: Cache::with_weighter(items, ROOM, Weight),
        }
    }

    /// How a collection is drawn. O(features) the first time.
    pub(crate) fn plan(&self, live: &LiveCollection) -> Arc<Planned> {
        let key = live.appearance();
        if let Some(known) = self.known(live, When::Now) {
            return known;
        }
        let collection = &live.collection;
        let plan = Plan::of(&live.index, collection.geometry_type, &collection.tiles);
        self.keep(live, key, plan)
    }

    /// The plan of a collection that was looked at already; `None` also when it has grown out of it. What was is drawn as what is.
    pub(crate) fn known(&self, live: &LiveCollection, when: When) -> Option<Arc<Planned>> {
        let known = match &live.narrowed {
            Some(_) => self.narrowed.get(&live.appearance())?,
            None => {
                let plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(plans.get(&live.appearance())?)
            }
        };
        let (then, now) = (known.plan.len, live.index.len());
        let is_fit = when == When::Then || then.abs_diff(now) * GROWTH <= then;
        is_fit.then_some(known)
    }

    fn keep(&self, live: &LiveCollection, key: (i64, u64), plan: Plan) -> Arc<Planned> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let made = |old: Option<&Arc<Planned>>| {
            let number = match old {
                // Another number of features alone changes nothing.
                Some(old) if old.plan.draws_as(&plan) => old.number,
                _ => NEXT.fetch_add(1, Ordering::Relaxed),
            };
            let plan = plan.clone();
            Arc::new(Planned { plan, number })
        };
        if live.narrowed.is_some() {
            let planned = made(self.narrowed.get(&key).as_ref());
            self.narrowed.insert(key, Arc::clone(&planned));
            return planned;
        }
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let planned = made(plans.get(&key));
        // Collections and views that are gone: there are never many.
        if plans.len() >= MAX_PLANS {
            plans.clear();
        }
        plans.insert(key, Arc::clone(&planned));
        self.version.fetch_add(1, Ordering::AcqRel);
        planned
    }

    /// Another number after each change of the plans.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// After a tile of a zoom was too heavy: fewer features by themselves from now on, at the whole zoom. Whether that can be.
    pub(crate) fn coarser(&self, live: &LiveCollection, layer: &Layer) -> bool {
        let Some(plan) = layer.planned.plan.coarser(layer.zoom) else {
            return false;
        };
        let is_new = self
            .known(live, When::Then)
            .is_some_and(|known| known.number == layer.planned.number);
        if is_new {
            self.keep(live, live.appearance(), plan);
        }
        // Somebody else was quicker: the next try has their plan.
        true
    }

    /// What is drawn together in a tile; `None` where all is drawn by itself.
    pub(crate) fn together(
        &self,
        of: Of<'_>,
        layer: &Layer,
        tile: TileCoord,
    ) -> Option<Arc<Together>> {
        if !layer.is_low() {
            return None;
        }
        let key = self.key(What::Tile, of, layer, tile);
        if let Some(Kept::Tile(tile)) = self.kept.get(&key)
            && is_good(&tile.stamp, of, key.coord)
        {
            return Some(tile);
        }
        let cells = self.around(of, layer, tile);
        let clusters = match layer.clusters() {
            Some(_) => cells
                .iter()
                .flat_map(|cell| cell.points.iter().copied())
                .collect(),
            None => Vec::new(),
        };
        let together = Arc::new(Together {
            blocks: generalise::blocks(tile, cells.iter().map(|cell| &cell.polygons)),
            network: generalise::network(tile, cells.iter().map(|cell| &cell.lines)),
            clusters,
            stamp: Stamp::of(of.live),
        });
        self.kept.insert(key, Kept::Tile(Arc::clone(&together)));
        Some(together)
    }

    /// The cells of a tile and one more on each side.
    fn around(&self, of: Of<'_>, layer: &Layer, tile: TileCoord) -> Vec<Arc<Cell>> {
        let across = 1_i64 << CELLS_BITS;
        let first = |at: u32| i64::from(at) * across - 1;
        let places =
            (0..across + 2).flat_map(|row| (0..across + 2).map(move |column| [column, row]));
        let cells = places.filter_map(|[column, row]| {
            let x = u32::try_from(first(tile.x()) + column).ok()?;
            let y = u32::try_from(first(tile.y()) + row).ok()?;
            let cell = TileCoord::new(tile.z() + CELLS_BITS, x, y).ok()?;
            Some(self.cell(of, layer, cell))
        });
        cells.filter(|cell| !cell.is_empty()).collect()
    }

    fn cell(&self, of: Of<'_>, layer: &Layer, coord: TileCoord) -> Arc<Cell> {
        let key = self.key(What::Cell, of, layer, coord);
        if let Some(Kept::Cell(cell)) = self.kept.get(&key)
            && is_good(&cell.stamp, of, coord)
        {
            return cell;
        }
        let cell = Arc::new(self.made(of, layer, coord));
        self.kept.insert(key, Kept::Cell(Arc::clone(&cell)));
        cell
    }

    fn made(&self, of: Of<'_>, layer: &Layer, coord: TileCoord) -> Cell {
        let plan = &layer.planned.plan;
        let square = plan.square();
        let mut cell = Cell {
            polygons: Outline::new(coord, Kind::Polygons),
            lines: Outline::new(coord, Kind::Lines),
            points: Clusters::new(coord, square),
            stamp: Stamp::of(of.live),
        };
        let zoom = layer.zoom;
        let deeper = Layer {
            planned: Arc::clone(&layer.planned),
            zoom: zoom + 1,
        };
        let envelopes = of.set.envelopes(coord);
        if !envelopes
            .iter()
            .any(|e| of.live.index.extent().is_some_and(|all| all.intersects(e)))
        {
            return cell;
        }
        let is_deepest = !deeper.is_low();
        if !is_deepest {
            for quarter in coord.children().into_iter().flatten() {
                let quarter = self.cell(of, &deeper, quarter);
                if deeper.small() > 0 {
                    cell.polygons.add_quarter(&quarter.polygons);
                    cell.lines.add_quarter(&quarter.lines);
                }
                if deeper.clusters().is_some() {
                    cell.points.add_quarter(&quarter.points);
                }
            }
        }
        let new = u64::from(deeper.small())..u64::from(layer.small());
        if !new.is_empty() {
            for hit in found(of, &envelopes, new) {
                cell.add_shape(of, &hit);
            }
        }
        if layer.clusters().is_some() && deeper.clusters().is_none() {
            for hit in found(of, &envelopes, 0..u64::MAX) {
                cell.add_point(of, &hit, plan.points_only());
            }
        }
        cell.polygons.settle();
        cell.lines.settle();
        cell.points.settle();
        cell
    }

    fn key(&self, what: What, of: Of<'_>, layer: &Layer, coord: TileCoord) -> Key {
        Key {
            what,
            appearance: of.live.appearance(),
            plan: layer.planned.number,
            moment: of.moment,
            set: of.set.place(),
            coord,
        }
    }
}

/// Plans that are kept: of more collections and views than a town has.
const MAX_PLANS: usize = 4_096;

/// Features of a size in a box, each once, in an order of their own.
fn found<'a>(of: Of<'a>, envelopes: &[Envelope], sides: Range<u64>) -> Vec<Hit<'a>> {
    let all = envelopes
        .iter()
        .flat_map(|e| of.live.index.sized(e, sides.clone()));
    let mut hits: Vec<Hit<'a>> = all.collect();
    if envelopes.len() > 1 {
        hits.sort_unstable_by_key(Hit::fid);
        hits.dedup_by_key(|hit| hit.fid());
    }
    hits
}

/// Whether nothing has changed there since.
fn is_good(stamp: &Stamp, of: Of<'_>, coord: TileCoord) -> bool {
    let good = stamp.is_good(of.live, || of.set.envelopes(coord));
    if good {
        stamp.note(of.live);
    }
    good
}

impl Cell {
    fn is_empty(&self) -> bool {
        self.polygons.is_empty() && self.lines.is_empty() && self.points.is_empty()
    }

    fn add_shape(&mut self, of: Of<'_>, hit: &Hit<'_>) {
        let place = self.polygons.cell();
        let mut add = |corner: [u32; 2], geometry: WorldGeometry<'_>| {
            if TileCoord::containing(place.z(), corner) == Ok(place) {
                self.polygons.add(geometry);
                self.lines.add(geometry);
            }
        };
        if of.set.is_world() {
            if let Some(span) = hit.span() {
                hit.geometries()
                    .for_each(|geometry| add(span.corner, geometry));
            }
            return;
        }
        for geometry in hit.geometries().filter_map(|g| of.set.geometry(&g)) {
            let least = |k: usize| geometry.coords.iter().map(|p| p[k]).min();
            if let (Some(x), Some(y)) = (least(0), least(1)) {
                add([x, y], geometry.view());
            }
        }
    }

    fn add_point(&mut self, of: Of<'_>, hit: &Hit<'_>, any_kind: bool) {
        if !any_kind && !is_point(hit) {
            return;
        }
        let Some(first) = hit.geometries().find_map(|g| g.coords.first().copied()) else {
            return;
        };
        // A vertex, since what is found by a box of the cell lies in it by its vertices.
        let at = match of.set.is_world() {
            true => first,
            false => {
                let point = WorldGeometry {
                    kind: WorldKind::Points,
                    coords: &[first],
                    ends: &[],
                };
                let Some(moved) = of.set.geometry(&point) else {
                    return;
                };
                let Some(at) = moved.coords.first() else {
                    return;
                };
                *at
            }
        };
        let place = self.points.cell();
        if TileCoord::containing(place.z(), at) == Ok(place) {
            self.points.add(at, hit.fid());
        }
    }
}

impl Layer {
    pub(crate) fn new(planned: Arc<Planned>, zoom: u8) -> Self {
        Self { planned, zoom }
    }

    pub(crate) fn is_low(&self) -> bool {
        self.planned.plan.is_low(self.zoom)
    }

    /// Calls `each` with the features whose envelope intersects a box and which are drawn by themselves, but for single points
    /// of clusters, until it breaks off.
    pub(crate) fn by_themselves<'a>(
        &self,
        index: &'a Snapshot,
        envelope: &Envelope,
        each: impl FnMut(Hit<'a>) -> ControlFlow<()>,
    ) {
        // Broken off by `each`, as it may be.
        let _ = self.try_by_themselves(index, envelope, each);
    }

    fn try_by_themselves<'a>(
        &self,
        index: &'a Snapshot,
        envelope: &Envelope,
        each: impl FnMut(Hit<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let plan = &self.planned.plan;
        if !self.is_low() {
            return index.search(envelope).try_for_each(each);
        }
        let (small, clusters) = (u64::from(self.small()), self.clusters().is_some());
        // Points have no size, so they are not found by it.
        if !clusters && plan.has_points() {
            let is_apart = |hit: &Hit<'_>| {
                let side = hit.span().map(|span| u64::from(span.side));
                is_point(hit) || side.is_some_and(|side| side >= small)
            };
            return index.search(envelope).filter(is_apart).try_for_each(each);
        }
        if clusters && plan.points_only() {
            return ControlFlow::Continue(());
        }
        let hits = index.sized(envelope, small..u64::MAX);
        hits.filter(|hit| !clusters || !is_point(hit))
            .try_for_each(each)
    }

    fn small(&self) -> u32 {
        self.planned.plan.small(self.zoom)
    }

    fn clusters(&self) -> Option<u8> {
        self.planned.plan.clusters(self.zoom)
    }
}

/// Whether a feature is of points alone.
fn is_point(hit: &Hit<'_>) -> bool {
    hit.geometries().all(|g| g.kind == WorldKind::Points)
}
