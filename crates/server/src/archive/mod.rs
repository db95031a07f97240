//! Whole tile sets as one file: what the server would answer at `/tiles/{collections}/{z}/{x}/{y}`, tile by tile.
//!
//! [`contents`] says what goes in, [`places`] goes through the tiles where features are, [`workers`] has them cut on all
//! cores and gives them back in order, [`mod@file`] puts them in an archive, and [`part`] keeps what is finished, so that an
//! export that was killed goes on. A low zoom with a tile that is too heavy is drawn coarser as a whole, so then all begins
//! again: neighbours have to agree.

mod contents;
mod cutter;
mod file;
mod metadata;
mod part;
mod places;
mod workers;

use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{Bbox, Lang, Message};
use store::{Error, Store};
use tiles::TileCoord;
use tiles::pmtiles::{tile_coord, tile_id};

use contents::Contents;
use file::{Beside, Out};
use part::{Found, Part};
use places::Places;

/// What an archive is to hold.
#[derive(Debug, Clone, Default)]
pub struct ArchiveChoice {
    /// In the order of the layers; none: all that are seen.
    pub collections: Vec<String>,
    /// Tiles that meet the box; none: wherever features are.
    pub bbox: Option<Bbox>,
    /// None: those of the collections, up to [`DEEPEST_UNASKED`].
    pub zooms: Option<RangeInclusive<u8>>,
    /// Everything as it is, and not what anybody may see.
    pub whole: bool,
    /// The language of titles.
    pub lang: Lang,
    /// Whether somebody watches, so that it is worth counting how many tiles there will be.
    pub is_watched: bool,
}

/// The deepest zoom of an archive when nothing is said: maps draw deeper ones from it, half a centimetre to a unit.
const DEEPEST_UNASKED: u8 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// Version 3.
    Pmtiles,
    /// Version 1.3.
    Mbtiles,
}

impl ArchiveFormat {
    /// By the extension of a file, in any case.
    pub fn of(file: &Path) -> Option<Self> {
        let extension = file.extension()?.to_str()?;
        let is = |name: &str| extension.eq_ignore_ascii_case(name);
        match () {
            () if is("pmtiles") => Some(Self::Pmtiles),
            () if is("mbtiles") => Some(Self::Mbtiles),
            () => None,
        }
    }
}

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveProgress {
    pub zoom: u8,
    /// Tiles that were looked at; those without features are not in the archive.
    pub tiles: u64,
    /// How many there will be, about, where they were counted already.
    pub total: Option<u64>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveReport {
    pub collections: Vec<String>,
    pub zooms: RangeInclusive<u8>,
    pub tiles: u64,
    /// Tiles with different bytes, of which each is kept once.
    pub different: u64,
    /// Of the file.
    pub bytes: u64,
    /// Tiles that an earlier export had finished.
    pub resumed: u64,
    /// Whether an earlier export was of something else, so that nothing of it was of use.
    pub is_anew: bool,
    /// Collections and zooms that are drawn coarser because a tile was too heavy, in the order in which that was found.
    pub coarser: Vec<(String, u8)>,
}

/// How an attempt ended.
enum Ended {
    /// With how many different tiles.
    Whole(u64),
    /// The zoom of a tile of which a layer is too heavy is to be drawn coarser.
    TooHeavy(Coarser),
}

/// The place of a layer, and a zoom at which it is drawn coarser.
type Coarser = (usize, u8);

/// Writes an archive; to be called where it may block, within a runtime, after the index was loaded. Memory is bounded: by
/// the low zooms that are kept, and by a window of tiles.
///
/// What is finished stands in `FILE.part`, which goes when the archive is whole and in its place. The same data and choice
/// give the same bytes, on however many cores and however often it was interrupted. `progress` may break it off.
///
/// # Errors
/// [`Error::Refused`] for a file of another kind or of the store itself, one that another export writes, collections that
/// are not there or that not everybody sees, when nothing shows, or when the disk refuses.
pub fn export_archive(
    store: &Store,
    choice: &ArchiveChoice,
    file: &Path,
    progress: &mut dyn FnMut(&ArchiveProgress) -> ControlFlow<()>,
) -> Result<ArchiveReport, Error> {
    let unknown =
        || Error::Refused(Message::new("server.archive-format").with("file", file.display()));
    let format = ArchiveFormat::of(file).ok_or_else(unknown)?;
    let target = store.output_target(file)?;
    let contents = Contents::new(store, choice)?;
    let beside = Beside::of(&target);
    let failed = |error: std::io::Error| file::failed(&target, error);
    let (mut part, found) = Part::open(&beside.part, contents.job())?;
    let mut coarser = match &found {
        Found::Same(coarser) => coarser.clone(),
        Found::Nothing | Found::Other => Vec::new(),
    };
    let is_known = coarser
        .iter()
        .all(|(layer, zoom)| contents.coarser(*layer, *zoom));
    if !is_known || !matches!(found, Found::Same(_)) {
        coarser.clear();
        part.begin(contents.job(), &coarser).map_err(failed)?;
    }
    let mut counts = Counts::default();
    let different = loop {
        let mut attempt = Attempt {
            contents: &contents,
            part: &mut part,
            counts: &mut counts,
            is_watched: choice.is_watched,
        };
        match attempt.run(format, &beside, &target, progress)? {
            Ended::Whole(different) => break different,
            Ended::TooHeavy(one) => {
                coarser.push(one);
                counts = Counts::default();
                part.begin(contents.job(), &coarser).map_err(failed)?;
            }
        }
    };
    store.put_output(&beside.whole, &target)?;
    part.remove().map_err(failed)?;
    let id = |layer: usize| contents.layers[layer].collection.id.to_string();
    Ok(ArchiveReport {
        collections: (0..contents.layers.len()).map(id).collect(),
        zooms: contents.zooms.clone(),
        tiles: counts.tiles,
        different,
        bytes: std::fs::metadata(&target).map_err(failed)?.len(),
        resumed: counts.resumed,
        is_anew: matches!(found, Found::Other) || !is_known,
        coarser: coarser
            .iter()
            .map(|(layer, zoom)| (id(*layer), *zoom))
            .collect(),
    })
}

#[derive(Default)]
struct Counts {
    /// In the archive.
    tiles: u64,
    resumed: u64,
}

struct Attempt<'a> {
    contents: &'a Contents,
    part: &'a mut Part,
    counts: &'a mut Counts,
    is_watched: bool,
}

impl Attempt<'_> {
    /// From what is finished to the whole archive, which is not in its place yet.
    fn run(
        &mut self,
        format: ArchiveFormat,
        beside: &Beside,
        target: &Path,
        progress: &mut dyn FnMut(&ArchiveProgress) -> ControlFlow<()>,
    ) -> Result<Ended, Error> {
        let contents = self.contents;
        let drawn = contents.drawn();
        let mut out = Out::create(format, beside, target)?;
        let mut last = None;
        let counts = &mut *self.counts;
        self.part.replay(|id, bytes| {
            let tile = tile_coord(id).map_err(|e| file::failed(target, e))?;
            (last, counts.tiles) = (Some(id), counts.tiles + 1);
            out.add(tile, bytes)
        })?;
        counts.resumed = counts.tiles;
        let total = AtomicU64::new(0);
        let mut seen = counts.tiles;
        let mut too_heavy = None;
        std::thread::scope(|scope| {
            if self.is_watched {
                scope.spawn(|| {
                    let count = Places::new(contents, &drawn, None).count();
                    total.store(count as u64, Ordering::Relaxed);
                });
            }
            workers::warm(contents, &drawn, last);
            let places = Places::new(contents, &drawn, last);
            workers::in_order(contents, &drawn, places, |tile, made| {
                if let Some(layer) = made.heavy
                    && contents.coarser(layer, tile.z())
                {
                    too_heavy = Some((layer, tile.z()));
                    return Ok(ControlFlow::Break(()));
                }
                seen += 1;
                if !made.bytes.is_empty() {
                    counts.tiles += 1;
                    self.part
                        .add(tile_id(tile), &made.bytes)
                        .map_err(|e| file::failed(target, e))?;
                    out.add(tile, made.bytes)?;
                }
                let total = Some(total.load(Ordering::Relaxed)).filter(|total| *total >= seen);
                let progressed = progress(&ArchiveProgress {
                    zoom: tile.z(),
                    tiles: seen,
                    total,
                });
                match progressed {
                    ControlFlow::Continue(()) => Ok(ControlFlow::Continue(())),
                    ControlFlow::Break(()) => Err(stopped(target)),
                }
            })
        })?;
        if let Some(coarser) = too_heavy {
            return Ok(Ended::TooHeavy(coarser));
        }
        self.part.flush().map_err(|e| file::failed(target, e))?;
        if self.counts.tiles == 0 {
            self.part.remove().map_err(|e| file::failed(target, e))?;
            return Err(Error::Refused(
                Message::new("server.archive-empty").with("file", target.display()),
            ));
        }
        Ok(Ended::Whole(out.finish(&contents.description())?))
    }
}

fn stopped(target: &Path) -> Error {
    Error::Refused(Message::new("server.archive-stopped").with("file", target.display()))
}

/// The tile as messages name it.
fn named(tile: TileCoord) -> String {
    format!("{}/{}/{}", tile.z(), tile.x(), tile.y())
}
