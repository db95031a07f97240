//! A whole tile set in one file: `PMTiles` version 3 (protomaps/PMTiles, spec/v3/spec.md).
//!
//! [`Writer`] takes tiles in the order of their ids and lays the archive out as the specification asks for in
//! "Organization": header, root directory, metadata, leaf directories, tiles. [`Archive`] reads one from anything
//! that gives a range of bytes ([`ReadAt`]). Who reads by other means (ranges over HTTP, without blocking) takes the
//! steps one by one: [`Header::parse`], [`Directory::parse`], [`Directory::find`], and [`Header::leaf`] or
//! [`Header::tile`] for where to go on; an archive nests [`MAX_DEPTH`] directories at most.
//!
//! What is read may be anything: sizes are held against caps before memory is taken for them, and no bytes make a
//! reader panic or turn in circles.

mod archive;
mod compression;
mod directory;
mod header;
mod id;
mod writer;

use std::io;

pub use archive::{Archive, Entries, ReadAt};
pub use compression::Compression;
pub use directory::{Directory, Entry};
pub use header::{HEADER_BYTES, Header, Section, TileType};
pub use id::{tile_coord, tile_id};
pub use writer::Writer;

/// Header and root directory together stay below this, so that a client's first request holds both ("Directory
/// Hierarchy"). Archives of others whose root is larger are read all the same.
pub const MAX_FRONT_BYTES: usize = 16_384;

/// Bytes of one directory, unpacked. Writers make leaves of some ten thousand entries, a few bytes each.
pub const MAX_DIRECTORY_BYTES: usize = 8 << 20;

/// Bytes of the metadata, unpacked. It describes layers and fields: tippecanoe's are a few hundred kilobytes at most.
pub const MAX_METADATA_BYTES: usize = 16 << 20;

/// Bytes of one tile as it is stored. No client shows a tile of this size.
pub const MAX_TILE_BYTES: usize = 128 << 20;

/// Directories on the way to a tile, the root included. Writers use two.
pub const MAX_DEPTH: usize = 4;

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("not a PMTiles archive: it does not begin with PMTiles")]
    NotAnArchive,
    #[error("a PMTiles archive of version {0}, not 3")]
    Version(u8),
    #[error("{what} compressed by {by}; only gzip and none can be unpacked")]
    Compression { what: &'static str, by: Compression },
    /// Named by what is wrong and in which part.
    #[error("a broken archive: {0}")]
    Malformed(&'static str),
    #[error("{what} of more than {max} bytes")]
    TooLarge { what: &'static str, max: usize },
    #[error("the archive ends before byte {end}, up to which {what} reaches")]
    Truncated { what: &'static str, end: u64 },
    #[error("tile id {0} is of a zoom deeper than {max}", max = model::MAX_ZOOM)]
    TooDeep(u64),
    #[error("tile {id} comes after tile {last}; tiles are written in ascending order of their ids")]
    Order { last: u64, id: u64 },
    #[error("a tile without bytes, which an archive cannot hold")]
    EmptyTile,
    #[error("an archive without tiles")]
    NoTiles,
    #[error(transparent)]
    Io(#[from] io::Error),
}
