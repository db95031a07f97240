//! Encoded tiles under a byte budget, never stale.
//!
//! A tile is kept with the sequence number of the index it was cut from. Whoever takes it holds an index of their
//! own, which remembers where its newest changes were ([`store::Touched`]): the tile is good when none of the
//! changes after its number touches it. So nothing has to be told to the cache when a feature changes, and a tile
//! that was cut from an old index and comes late is found out when it is taken.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use model::{Envelope, Epoch};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use store::LiveCollection;
use tiles::TileCoord;
use tokio::sync::{Semaphore, watch};

use crate::low_zoom::{Layer, LowZooms};
use crate::negotiate::Encoding;
use crate::pack::{Effort, pack, unpack};
use crate::stamp::Stamp;

/// What a kept tile costs beside its bytes: key, stamps and the cache's own entry, rounded up.
const OVERHEAD: u64 = 256;

/// A guess at the size of a kept tile, from which the cache sizes its table.
const TYPICAL: u64 = 8 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Collection ids with commas, in the order of the layers.
    pub(crate) collections: Arc<str>,
    /// The lens that each is seen through, since what a reader may not see is in no tile that they get; and the plan by which
    /// it is drawn.
    pub(crate) views: Box<[[u64; 2]]>,
    /// The properties that are asked for; `None`: those that each collection has chosen.
    pub(crate) properties: Option<Box<str>>,
    /// The change up to which the tile shows what was; the greatest number: what is.
    pub(crate) moment: i64,
    /// The place of the tile matrix set.
    pub(crate) set: u8,
    pub(crate) coord: TileCoord,
    pub(crate) encoding: Encoding,
}

/// An encoded and compressed tile; without bytes when nothing shows.
pub(crate) struct Tile {
    pub(crate) body: Bytes,
    /// Hash over epoch and uncompressed bytes; the content coding is put behind it where the answer leaves. Weak, since a tile
    /// may be packed anew.
    pub(crate) tag: String,
    /// The layer that has the most bytes, where the tile is heavier than a tile should be.
    pub(crate) heavy: Option<usize>,
    stamps: Box<[Stamp]>,
    /// Bytes before packing.
    size: usize,
    effort: Effort,
    /// Times that it was taken, as far as it matters.
    taken: AtomicU32,
    /// Whether more effort makes it no smaller.
    is_least: AtomicBool,
}

impl Tile {
    /// Whether it stays as it is as long as nothing changes.
    pub(crate) fn is_settled(&self) -> bool {
        self.effort == Effort::Thorough || self.is_least.load(Ordering::Relaxed)
    }
}

/// What was cut.
pub(crate) struct Cut {
    pub(crate) bytes: Vec<u8>,
    /// The place of the layer that has the most bytes, and how many features are in it.
    pub(crate) heaviest: usize,
    pub(crate) features: usize,
}

/// Why nothing was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uncut {
    /// It is more work than was asked for.
    Heavy,
    /// It can't be put together.
    Broken,
}

/// Bytes of a packed tile, and features of a layer, above which its zoom should draw fewer: those of tippecanoe.
const HEAVY: usize = 500_000;
const MANY: usize = 200_000;

/// Whether a zoom should draw fewer features by themselves than one of its tiles has.
pub(crate) fn is_heavy(packed: usize, features: usize) -> bool {
    packed > HEAVY || features > MANY
}

pub(crate) struct TileCache {
    kept: Option<Cache<Key, Arc<Tile>, Weight>>,
    flights: Mutex<HashMap<Key, Arc<Flight>>>,
    epoch: Epoch,
    /// How many are cut at the same time.
    workers: u64,
    /// Microseconds that a worker takes for a tile, of late.
    pace: AtomicU64,
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
}

/// A tile that is being cut; those who want it meanwhile wait for it.
struct Flight {
    stamps: Box<[Stamp]>,
    done: watch::Sender<Option<Made>>,
}

/// A tile, or why there is none.
type Made = Result<Arc<Tile>, Failed>;

/// Why there is no tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The cutting panicked or failed; it was logged.
    Broken,
    /// Too many others wait for theirs.
    Busy,
}

/// Tiles that are cut or wait for it at once: twenty maps that are opened at the same time. Further ones are not queued.
const MAX_FLIGHTS: usize = 512;

/// Nor are those that would wait longer, by how long the last ones took: they would come when nobody looks there any more.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// Times that a tile was taken after which it is packed better, beside the requests.
const HOT: u32 = 4;

/// What to cut a tile from.
pub(crate) struct Wanted {
    pub(crate) key: Key,
    /// The collections that show at this zoom, in the order of the layers.
    pub(crate) layers: Vec<LiveCollection>,
    /// Where a change shows in the tile, buffer included.
    pub(crate) envelopes: Vec<Envelope>,
    /// How each collection is drawn.
    pub(crate) drawn: Vec<Layer>,
    pub(crate) low_zooms: Arc<LowZooms>,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Arc<Tile>> for Weight {
    fn weight(&self, key: &Key, tile: &Arc<Tile>) -> u64 {
        let properties = key.properties.as_ref().map_or(0, |names| names.len());
        let of_key = key.collections.len() + properties + key.views.len() * 16;
        (tile.body.len() + of_key) as u64 + OVERHEAD
    }
}

impl TileCache {
    pub(crate) fn new(bytes: u64, epoch: &Epoch, workers: usize) -> Self {
        let items = usize::try_from(bytes / TYPICAL)
            .unwrap_or(usize::MAX)
            .max(16);
        Self {
            kept: (bytes > 0).then(|| Cache::with_weighter(items, bytes, Weight)),
            flights: Mutex::default(),
            epoch: epoch.clone(),
            workers: workers.max(1) as u64,
            pace: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// A tile was answered from memory.
    pub(crate) fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.kept.as_ref().map_or(0, Cache::weight)
    }

    /// The tile, from the cache, from someone who cuts it already, or cut now by `cut`, which gives the uncompressed
    /// bytes: here and now where that is no more than `light`, else on one of `workers`.
    ///
    /// # Errors
    /// [`Failed::Broken`] when `cut` panics or fails, the next request tries again; [`Failed::Busy`] when there is too much to
    /// cut already.
    pub(crate) async fn get<C>(
        self: &Arc<Self>,
        wanted: &Arc<Wanted>,
        workers: &Arc<Semaphore>,
        light: Option<usize>,
        cut: C,
    ) -> Result<Arc<Tile>, Failed>
    where
        C: Fn(&Wanted, Option<usize>) -> Result<Cut, Uncut> + Clone + Send + 'static,
    {
        loop {
            if let Some(tile) = self.kept(wanted) {
                self.count_hit();
                self.notice(&wanted.key, &tile, workers);
                return Ok(tile);
            }
            // Handing it to another thread and waiting for it would take as long as a light one takes.
            let here = light.and_then(|light| made(wanted, &self.epoch, Some(light), &cut));
            if let Some(made) = here {
                self.misses.fetch_add(1, Ordering::Relaxed);
                return self.keep(wanted, made);
            }
            let mut done = self.join_or_lead(wanted, workers, &cut)?;
            // An error: the one who cut it gave up, since nobody waited at that moment.
            if let Ok(result) = done.wait_for(Option::is_some).await
                && let Some(result) = &*result
            {
                return result.clone();
            }
        }
    }

    /// A kept tile that is good for the index at hand.
    fn kept(&self, wanted: &Wanted) -> Option<Arc<Tile>> {
        self.kept
            .as_ref()?
            .get(&wanted.key)
            .filter(|tile| is_good(&tile.stamps, wanted))
    }

    fn join_or_lead<C>(
        self: &Arc<Self>,
        wanted: &Arc<Wanted>,
        workers: &Arc<Semaphore>,
        cut: &C,
    ) -> Result<watch::Receiver<Option<Made>>, Failed>
    where
        C: Fn(&Wanted, Option<usize>) -> Result<Cut, Uncut> + Clone + Send + 'static,
    {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // One that began before a change that shows here is of no use: its tile will be of the past.
        if let Some(flight) = flights
            .get(&wanted.key)
            .filter(|flight| is_good(&flight.stamps, wanted))
        {
            self.count_hit();
            return Ok(flight.done.subscribe());
        }
        // As many as there are workers need not wait.
        let ahead = (flights.len() as u64 + 1).saturating_sub(self.workers);
        let wait = ahead.saturating_mul(self.pace.load(Ordering::Relaxed)) / self.workers;
        if flights.len() >= MAX_FLIGHTS || Duration::from_micros(wait) > MAX_WAIT {
            return Err(Failed::Busy);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let (done, receiver) = watch::channel(None);
        let flight = Arc::new(Flight {
            stamps: stamps(&wanted.layers),
            done,
        });
        flights.insert(wanted.key.clone(), Arc::clone(&flight));
        drop(flights);
        let (cache, wanted, workers, cut) = (
            Arc::clone(self),
            Arc::clone(wanted),
            Arc::clone(workers),
            cut.clone(),
        );
        tokio::spawn(async move {
            let result = cache.fly(&flight, &wanted, &workers, cut).await;
            let mut flights = cache.flights.lock().unwrap_or_else(PoisonError::into_inner);
            if flights
                .get(&wanted.key)
                .is_some_and(|current| Arc::ptr_eq(current, &flight))
            {
                flights.remove(&wanted.key);
            }
            drop(flights);
            if let Some(result) = result {
                flight.done.send_replace(Some(result));
            }
        });
        Ok(receiver)
    }

    /// Counts that a tile was taken, and has it packed better when it is taken often.
    fn notice(self: &Arc<Self>, key: &Key, tile: &Arc<Tile>, workers: &Arc<Semaphore>) {
        if tile.is_settled() || tile.taken.load(Ordering::Relaxed) >= HOT {
            return;
        }
        if tile.taken.fetch_add(1, Ordering::Relaxed) + 1 != HOT {
            return;
        }
        let (cache, key) = (Arc::clone(self), key.clone());
        let (tile, workers) = (Arc::clone(tile), Arc::clone(workers));
        tokio::spawn(async move {
            // The semaphore is never closed.
            let Ok(permit) = workers.acquire_owned().await else {
                return;
            };
            let old = Arc::clone(&tile);
            let packing = tokio::task::spawn_blocking(move || {
                let packed = repacked(&old, key.encoding);
                drop(permit);
                (key, packed)
            });
            let (Ok((key, packed)), Some(kept)) = (packing.await, &cache.kept) else {
                return;
            };
            let Some(packed) = packed else {
                tile.is_least.store(true, Ordering::Relaxed);
                return;
            };
            // What was cut anew meanwhile stays.
            if kept.peek(&key).is_some_and(|now| Arc::ptr_eq(&now, &tile)) {
                kept.insert(key, Arc::new(packed));
            }
        });
    }

    /// Cuts and keeps the tile; `None` when everyone who wanted it has hung up before it was their turn.
    async fn fly<C>(
        &self,
        flight: &Flight,
        wanted: &Arc<Wanted>,
        workers: &Arc<Semaphore>,
        cut: C,
    ) -> Option<Result<Arc<Tile>, Failed>>
    where
        C: Fn(&Wanted, Option<usize>) -> Result<Cut, Uncut> + Send + 'static,
    {
        // The semaphore is never closed.
        let permit = Arc::clone(workers).acquire_owned().await.ok()?;
        if flight.done.receiver_count() == 0 {
            return None;
        }
        let (work, epoch, began) = (Arc::clone(wanted), self.epoch.clone(), Instant::now());
        let cutting = tokio::task::spawn_blocking(move || {
            let made = made(&work, &epoch, None, &cut);
            drop(permit);
            made
        });
        let made = cutting.await.ok().flatten();
        self.note_pace(began.elapsed());
        Some(self.keep(wanted, made.unwrap_or(Err(Failed::Broken))))
    }

    /// The last eight or so tiles count.
    fn note_pace(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX / 8);
        let before = self.pace.load(Ordering::Relaxed);
        let now = before - before / 8 + took / 8;
        self.pace.store(now, Ordering::Relaxed);
    }

    /// Keeps what was made.
    fn keep(&self, wanted: &Wanted, made: Result<Tile, Failed>) -> Made {
        let tile = Arc::new(made?);
        if let Some(kept) = &self.kept {
            // One cut from a newer index stays.
            let is_newer = |old: &Arc<Tile>| {
                old.stamps
                    .iter()
                    .zip(&tile.stamps)
                    .any(|(old, new)| old.seq() > new.seq())
            };
            if !kept.peek(&wanted.key).is_some_and(|old| is_newer(&old)) {
                kept.insert(wanted.key.clone(), Arc::clone(&tile));
            }
        }
        Ok(tile)
    }
}

/// Cuts a tile; `None` for one that is more work than `most`.
fn made<C>(
    wanted: &Wanted,
    epoch: &Epoch,
    most: Option<usize>,
    cut: &C,
) -> Option<Result<Tile, Failed>>
where
    C: Fn(&Wanted, Option<usize>) -> Result<Cut, Uncut>,
{
    let made = catch_unwind(AssertUnwindSafe(|| make(wanted, epoch, most, cut)));
    match made {
        Ok(Ok(tile)) => Some(Ok(tile)),
        Ok(Err(Uncut::Heavy)) if most.is_some() => None,
        Ok(Err(_)) | Err(_) => {
            tracing::error!(collections = %wanted.key.collections, coord = ?wanted.key.coord, "a tile could not be cut");
            Some(Err(Failed::Broken))
        }
    }
}

fn make<C>(wanted: &Wanted, epoch: &Epoch, most: Option<usize>, cut: &C) -> Result<Tile, Uncut>
where
    C: Fn(&Wanted, Option<usize>) -> Result<Cut, Uncut>,
{
    let Cut {
        bytes,
        heaviest,
        features,
    } = cut(wanted, most)?;
    let size = bytes.len();
    let mut hasher = foldhash::quality::FixedState::default().build_hasher();
    hasher.write(epoch.0.as_bytes());
    hasher.write(&bytes);
    let (encoding, effort) = (wanted.key.encoding, Effort::Quick);
    let body = match encoding {
        _ if bytes.is_empty() => Bytes::new(),
        Encoding::Identity => bytes.into(),
        _ => pack(&bytes, encoding, effort).ok_or(Uncut::Broken)?.into(),
    };
    // Packed, tiles of parcels have two fifths of their size.
    let packed = match wanted.key.encoding {
        Encoding::Identity => size * 2 / 5,
        _ => body.len(),
    };
    Ok(Tile {
        heavy: is_heavy(packed, features).then_some(heaviest),
        body,
        tag: format!("{:016x}", hasher.finish()),
        stamps: stamps(&wanted.layers),
        size,
        effort,
        taken: AtomicU32::new(0),
        is_least: AtomicBool::new(size == 0 || encoding == Encoding::Identity),
    })
}

/// The same tile packed with more effort; `None` where that makes it no smaller.
fn repacked(tile: &Tile, encoding: Encoding) -> Option<Tile> {
    let bytes = unpack(&tile.body, encoding, tile.size)?;
    let effort = Effort::Thorough;
    let body: Bytes = pack(&bytes, encoding, effort)?.into();
    let is_smaller = body.len() < tile.body.len();
    is_smaller.then(|| Tile {
        body,
        tag: tile.tag.clone(),
        heavy: tile.heavy,
        stamps: tile.stamps.iter().map(Stamp::copied).collect(),
        size: tile.size,
        effort,
        taken: AtomicU32::new(0),
        is_least: AtomicBool::new(true),
    })
}

fn stamps(layers: &[LiveCollection]) -> Box<[Stamp]> {
    layers.iter().map(Stamp::of).collect()
}

/// Whether nothing that shows in the tile has changed since. What is found good stays so up to the index at hand,
/// which is noted, so that the next one has less to look at.
fn is_good(stamps: &[Stamp], wanted: &Wanted) -> bool {
    let mut pairs = stamps.iter().zip(&wanted.layers);
    let good = stamps.len() == wanted.layers.len()
        && pairs.all(|(stamp, live)| stamp.is_good(live, || &wanted.envelopes));
    if good {
        let pairs = stamps.iter().zip(&wanted.layers);
        pairs.for_each(|(stamp, live)| stamp.note(live));
    }
    good
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
