//! Tiles cut on all cores and given back in order.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use model::Message;
use store::Error;
use tiles::TileCoord;
use tiles::pmtiles::tile_coord;

use super::contents::Contents;
use super::cutter::{Cutter, Made};
use super::named;
use super::places::Places;
use crate::low_zoom::{DEEPEST, Layer, Of, Planned};
use crate::matrix_sets;

/// Tiles that are taken before the one that is written next: enough for all cores to go on while one of them has a tile that
/// takes long.
const WINDOW: u64 = 1_024;

/// Bytes of tiles that wait for their turn; one more of each core comes on top.
const ROOM: usize = 32 << 20;

/// Tiles of a zoom whose low zooms are made beforehand. What has more is spread over a country, and its tiles need little of
/// each other.
const MAX_WARM: usize = 10_000;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes what low zooms draw together, the deepest first: what is before is made of it, and each core would make all of it
/// otherwise. Nothing for zooms that are finished.
pub(super) fn warm(contents: &Contents, drawn: &[Arc<Planned>], finished: Option<u64>) {
    let first = *contents.zooms.start();
    let reached = finished.and_then(|id| tile_coord(id).ok());
    let first = reached.map_or(first, |tile| tile.z().max(first));
    for zoom in (first..=DEEPEST).rev() {
        let layers = (0..drawn.len()).map(|at| (at, Layer::new(Arc::clone(&drawn[at]), zoom)));
        let layers: Vec<(usize, Layer)> = layers.filter(|(_, layer)| layer.is_low()).collect();
        if layers.is_empty() {
            continue;
        }
        let places = Places::of_zoom(contents, drawn, zoom).take_while(|tile| tile.z() == zoom);
        let places: Vec<TileCoord> = places.take(MAX_WARM + 1).collect();
        if places.len() > MAX_WARM {
            continue;
        }
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(tile) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                for (at, layer) in &layers {
                    let of = Of {
                        live: &contents.layers[*at],
                        moment: i64::MAX,
                        set: matrix_sets::usual(),
                    };
                    contents.low_zooms.together(of, layer, *tile);
                }
            }
        };
        std::thread::scope(|scope| {
            // What panics here does so again where it is cut, and is told there.
            let quietly = || drop(catch_unwind(AssertUnwindSafe(work)));
            (0..cores()).for_each(|_| drop(scope.spawn(quietly)));
        });
    }
}

/// Cuts tiles on all cores and calls `write` with each in the order of `places`, until it breaks off.
///
/// # Errors
/// What `write` gives, or [`Error::Refused`] for a tile that could not be cut.
pub(super) fn in_order(
    contents: &Contents,
    drawn: &[Arc<Planned>],
    places: Places<'_>,
    mut write: impl FnMut(TileCoord, Made) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let bench = Bench {
        places: Mutex::new((places, 0)),
        ready: Mutex::default(),
        has_next: Condvar::new(),
        has_room: Condvar::new(),
    };
    std::thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                let mut at = None;
                let work = AssertUnwindSafe(|| bench.work(contents, drawn, &mut at));
                if !matches!(catch_unwind(work), Ok(true)) {
                    locked(&bench.ready).broken = Some(at);
                    bench.has_next.notify_one();
                }
            });
        }
        let written = bench.write(&mut write);
        locked(&bench.ready).is_over = true;
        bench.has_room.notify_all();
        written
    })
}

struct Bench<'a> {
    /// And the number of the next one.
    places: Mutex<(Places<'a>, u64)>,
    ready: Mutex<Ready>,
    has_next: Condvar,
    has_room: Condvar,
}

#[derive(Default)]
struct Ready {
    /// Cut and not written yet, by number.
    tiles: BTreeMap<u64, (TileCoord, Made)>,
    /// Bytes of them.
    held: usize,
    taken: u64,
    written: u64,
    /// How many tiles there are, when that is known.
    all: Option<u64>,
    /// A tile could not be cut: which, if that is known.
    broken: Option<Option<TileCoord>>,
    /// Nobody wants any more.
    is_over: bool,
}

impl Bench<'_> {
    /// Cuts until there is nothing left; false when one can't be cut.
    fn work(
        &self,
        contents: &Contents,
        drawn: &[Arc<Planned>],
        at: &mut Option<TileCoord>,
    ) -> bool {
        let Some(mut cutter) = Cutter::new(contents, drawn) else {
            return false;
        };
        while self.wait_for_room() {
            let (number, tile) = {
                let mut places = locked(&self.places);
                let number = places.1;
                let tile = places.0.next();
                places.1 += u64::from(tile.is_some());
                (number, tile)
            };
            let Some(tile) = tile else {
                locked(&self.ready).all = Some(number);
                self.has_next.notify_one();
                return true;
            };
            *at = Some(tile);
            let Some(made) = cutter.cut(tile) else {
                return false;
            };
            let mut ready = locked(&self.ready);
            ready.held += made.bytes.len();
            ready.tiles.insert(number, (tile, made));
            if number == ready.written {
                self.has_next.notify_one();
            }
        }
        true
    }

    /// Waits until one more tile may be taken, which counts as taken then; false when nobody wants any.
    fn wait_for_room(&self) -> bool {
        let mut ready = locked(&self.ready);
        loop {
            let has_room = ready.taken < ready.written + WINDOW && ready.held < ROOM;
            // The next one is always wanted: all that waits does so for it.
            if ready.is_over || has_room || ready.taken == ready.written {
                ready.taken += 1;
                return !ready.is_over;
            }
            ready = self
                .has_room
                .wait(ready)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn write(
        &self,
        write: &mut impl FnMut(TileCoord, Made) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        while let Some((tile, made)) = self.next()? {
            if write(tile, made)?.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn next(&self) -> Result<Option<(TileCoord, Made)>, Error> {
        let mut ready = locked(&self.ready);
        loop {
            let number = ready.written;
            if let Some(next) = ready.tiles.remove(&number) {
                ready.written += 1;
                ready.held -= next.1.bytes.len();
                self.has_room.notify_one();
                return Ok(Some(next));
            }
            if let Some(broken) = ready.broken {
                let tile = broken.map_or_else(String::new, named);
                return Err(Error::Refused(
                    Message::new("server.archive-broken-tile").with("tile", tile),
                ));
            }
            if ready.all == Some(number) {
                return Ok(None);
            }
            ready = self
                .has_next
                .wait(ready)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
