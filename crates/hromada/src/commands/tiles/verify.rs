//! `hromada tiles verify`: whether a whole archive is sound, whoever wrote it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use indicatif::ProgressBar;
use model::Message;
use store::{MbtilesReader, MbtilesTile};
use tiles::TileCoord;
use tiles::pmtiles::{self, Archive, Compression, TileType, tile_coord};
use tiles::verify::{MAX_BYTES, Report, Sweep};
use tokio::runtime::Handle;

use super::findings;
use crate::output::Output;
use crate::{Outcome, Told, unreadable};

/// What was found in an archive.
pub(super) struct Looked {
    pub(super) format: &'static str,
    pub(super) report: Report,
    /// The first and last zoom of the tiles; `None` without any.
    pub(super) zooms: Option<[u8; 2]>,
    /// Why not all of it could be read.
    pub(super) broken: Option<Message>,
    /// Tiles that their zoom does not have.
    pub(super) misplaced: u64,
    /// Tiles that are there more than once.
    pub(super) repeated: u64,
}

pub(super) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let file = args.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let bar = output.progress(None, "");
    let shown = bar.clone();
    let looking = tokio::task::spawn_blocking(move || look(&file, &shown)).await;
    bar.finish_and_clear();
    let looked = looking??;
    let is_clean = findings::is_clean(&looked);
    if output.json {
        output.result(&findings::json(&looked, output));
    } else {
        findings::show(&looked, output);
    }
    Ok(match is_clean {
        true => Outcome::Done,
        false => Outcome::Failed,
    })
}

/// By what stands at the beginning, whatever the file's name.
fn look(file: &Path, bar: &ProgressBar) -> anyhow::Result<Looked> {
    let mut start = Vec::new();
    let opened = File::open(file).and_then(|found| {
        (&found).take(16).read_to_end(&mut start)?;
        Ok(found)
    });
    let opened = opened.map_err(|e| unreadable(file, e))?;
    if start.starts_with(b"PMTiles") {
        return in_pmtiles(file, opened, bar);
    }
    if start.starts_with(b"SQLite format 3\0") {
        return in_mbtiles(file, bar);
    }
    Err(Told(Message::new("cli.verify-unknown").with("file", file.display())).into())
}

/// Takes the tiles in whatever order they come.
struct Looking<'a> {
    sweep: Sweep,
    zooms: Option<[u8; 2]>,
    bar: &'a ProgressBar,
}

impl Looking<'_> {
    fn add(&mut self, tile: TileCoord, unpacked: &Result<Vec<u8>, String>) {
        let z = tile.z();
        let [first, last] = self.zooms.unwrap_or([z, z]);
        self.zooms = Some([first.min(z), last.max(z)]);
        match unpacked {
            Ok(bytes) => self.sweep.add(tile, bytes),
            Err(why) => self.sweep.add_unreadable(tile, why),
        }
        self.bar.inc(1);
    }
}

fn in_pmtiles(file: &Path, opened: File, bar: &ProgressBar) -> anyhow::Result<Looked> {
    let archive = Archive::open(opened).map_err(|e| unreadable(file, e))?;
    let header = *archive.header();
    if header.tile_type != TileType::Mvt {
        return Err(
            Told(Message::new("cli.verify-no-vectors").with("file", file.display())).into(),
        );
    }
    let mut looking = Looking {
        sweep: Sweep::new(),
        zooms: None,
        bar,
    };
    let mut broken = archive.metadata().err();
    'entries: for entry in archive.entries() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                broken = Some(error);
                break;
            }
        };
        let packed = archive.read(&entry).map_err(|e| e.to_string());
        let unpacked = packed.and_then(|packed| unpacked(header.tile_compression, &packed));
        for id in entry.ids() {
            match tile_coord(id) {
                Ok(tile) => looking.add(tile, &unpacked),
                Err(error) => {
                    broken = Some(error);
                    break 'entries;
                }
            }
        }
    }
    Ok(Looked {
        format: "PMTiles 3",
        zooms: looking.zooms,
        report: looking.sweep.finish(),
        broken: broken.map(|error: pmtiles::Error| reason(&error)),
        misplaced: 0,
        repeated: 0,
    })
}

fn in_mbtiles(file: &Path, bar: &ProgressBar) -> anyhow::Result<Looked> {
    let handle = Handle::current();
    let mut reader = handle.block_on(MbtilesReader::open(file))?;
    let metadata = handle.block_on(reader.metadata());
    let format = |rows: &Vec<(String, String)>| rows.iter().find(|row| row.0 == "format").cloned();
    let format = metadata.as_ref().ok().and_then(format);
    if format.is_some_and(|(_, format)| format != "pbf") {
        return Err(
            Told(Message::new("cli.verify-no-vectors").with("file", file.display())).into(),
        );
    }
    let mut looking = Looking {
        sweep: Sweep::new(),
        zooms: None,
        bar,
    };
    let (mut misplaced, mut repeated, mut last) = (0, 0, None);
    let mut each = |found: MbtilesTile| {
        let Some(tile) = coord(&found) else {
            misplaced += 1;
            return;
        };
        if last.replace(tile) == Some(tile) {
            repeated += 1;
            return;
        }
        let data = found
            .data
            .ok_or_else(|| "without bytes, or with too many".to_owned());
        let unpacked = data.and_then(|data| match data.starts_with(&GZIP) {
            true => unpacked(Compression::Gzip, &data),
            false => Ok(data),
        });
        looking.add(tile, &unpacked);
    };
    let read = handle.block_on(reader.tiles(&mut each));
    // What was broken stays so.
    let _ = handle.block_on(reader.close());
    let broken = metadata.err().or(read.err());
    Ok(Looked {
        format: "MBTiles 1.3",
        zooms: looking.zooms,
        report: looking.sweep.finish(),
        broken: broken.map(|error| error.message().cloned().unwrap_or_else(|| reason(&error))),
        misplaced,
        repeated,
    })
}

fn reason(error: &dyn std::fmt::Display) -> Message {
    Message::new("cli.verify-broken").with("reason", error)
}

/// What gzip begins with (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

fn coord(found: &MbtilesTile) -> Option<TileCoord> {
    let (zoom, column) = (
        u8::try_from(found.zoom).ok()?,
        u32::try_from(found.column).ok()?,
    );
    TileCoord::new(zoom, column, found.row?).ok()
}

fn unpacked(compression: Compression, packed: &[u8]) -> Result<Vec<u8>, String> {
    let unpacked = compression.unpack(packed, "a tile", MAX_BYTES);
    unpacked.map_err(|error| error.to_string())
}
