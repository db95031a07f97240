//! The file that is written.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use model::Message;
use store::{Error, MbtilesWriter};
use tiles::TileCoord;
use tiles::pmtiles::{Compression, Writer};
use tokio::runtime::Handle;

use super::ArchiveFormat;
use super::metadata::Description;

/// Files beside the target, which no other export uses while [`super::part::Part`] is open.
pub(super) struct Beside {
    /// Finished tiles.
    pub(super) part: PathBuf,
    /// The archive until it is whole.
    pub(super) whole: PathBuf,
    /// Tiles of a `PMTiles` archive until its directories are known.
    spool: PathBuf,
}

impl Beside {
    pub(super) fn of(target: &Path) -> Self {
        let with = |tail: &str| {
            let mut name = target.as_os_str().to_owned();
            name.push(tail);
            PathBuf::from(name)
        };
        Self {
            part: with(".part"),
            whole: with(".part-whole"),
            spool: with(".part-tiles"),
        }
    }
}

/// What takes the tiles, in ascending order of their ids.
pub(super) struct Out {
    kind: Kind,
    whole: Whole,
    target: PathBuf,
}

enum Kind {
    Pmtiles(Box<Writer<File>>),
    Mbtiles(Box<MbtilesWriter>, Handle),
}

/// An archive in the making; gone when it is not finished.
struct Whole(Option<PathBuf>);

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // It is made anew the next time.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Out {
    pub(super) fn create(
        format: ArchiveFormat,
        beside: &Beside,
        target: &Path,
    ) -> Result<Self, Error> {
        let failed = |error: io::Error| failed(target, error);
        for left in [&beside.whole, &beside.spool] {
            remove(left).map_err(failed)?;
        }
        let kind = match format {
            ArchiveFormat::Pmtiles => {
                let spool = File::options()
                    .read(true)
                    .write(true)
                    .create_new(true)
                    .open(&beside.spool)
                    .map_err(failed)?;
                // It has no name from now on, so nothing of it stays, however this ends.
                remove(&beside.spool).map_err(failed)?;
                Kind::Pmtiles(Box::new(Writer::new(spool, Compression::Gzip)))
            }
            ArchiveFormat::Mbtiles => {
                let handle = Handle::current();
                let writer = handle.block_on(MbtilesWriter::create(&beside.whole))?;
                Kind::Mbtiles(Box::new(writer), handle)
            }
        };
        Ok(Self {
            kind,
            whole: Whole(Some(beside.whole.clone())),
            target: target.to_owned(),
        })
    }

    pub(super) fn add(&mut self, tile: TileCoord, bytes: Vec<u8>) -> Result<(), Error> {
        match &mut self.kind {
            Kind::Pmtiles(writer) => {
                let added = writer.add(tile, &bytes);
                added.map_err(|e| failed(&self.target, e))
            }
            Kind::Mbtiles(writer, handle) => {
                let place = [tile.z().into(), tile.x(), tile.y()];
                handle.block_on(writer.add(place, bytes))
            }
        }
    }

    /// Ends the archive, which is not on disk for certain yet; how many different tiles it has.
    pub(super) fn finish(self, description: &Description) -> Result<u64, Error> {
        let Self {
            kind,
            mut whole,
            target,
        } = self;
        let failed_by = |error: io::Error| failed(&target, error);
        let different = match kind {
            Kind::Pmtiles(writer) => {
                let Some(path) = &whole.0 else { return Ok(0) };
                let file = BufWriter::new(File::create(path).map_err(failed_by)?);
                let header = writer.finish(file, &description.json(), description.bounds());
                header.map_err(|e| failed(&target, e))?.tile_contents
            }
            Kind::Mbtiles(writer, handle) => {
                let different = writer.different();
                handle.block_on(writer.finish(&description.rows()))?;
                different
            }
        };
        whole.0 = None;
        Ok(different)
    }
}

/// What was not there is gone as well.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn failed(target: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Refused(
        Message::new("server.archive-failed")
            .with("file", target.display())
            .with("reason", reason),
    )
}
