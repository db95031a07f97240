//! The first 127 bytes ("Header Design").

use model::Envelope;

use super::directory::Entry;
use super::{Compression, Error, MAX_DIRECTORY_BYTES, MAX_METADATA_BYTES, MAX_TILE_BYTES};

/// Bytes of a header.
pub const HEADER_BYTES: usize = 127;

const MAGIC: &[u8; 7] = b"PMTiles";
const VERSION: u8 = 3;

/// Degrees are stored as integers of this part.
const DEGREE: f64 = 1e7;

/// Bytes of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// From the start of the file.
    pub offset: u64,
    pub length: u64,
}

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TileType {
    /// Mapbox Vector Tiles.
    Mvt,
    /// Images and whatever comes later, by the number in the header.
    Other(u8),
}

/// Where the parts of an archive are, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Header {
    pub root: Section,
    pub metadata: Section,
    pub leaves: Section,
    pub tiles: Section,
    /// Tiles that can be asked for; 0 when the writer did not know.
    pub addressed_tiles: u64,
    /// Entries of all directories that stand for tiles; 0 when the writer did not know.
    pub tile_entries: u64,
    /// Different tiles as far as the writer saw; 0 when it did not know.
    pub tile_contents: u64,
    /// Whether tiles lie in the order of their ids.
    pub clustered: bool,
    /// Of directories and metadata.
    pub internal_compression: Compression,
    pub tile_compression: Compression,
    pub tile_type: TileType,
    pub min_zoom: u8,
    pub max_zoom: u8,
    /// Longitude and latitude in degrees, to seven digits.
    pub bounds: Envelope,
    pub center_zoom: u8,
    /// As `bounds`.
    pub center: [f64; 2],
}

impl Header {
    /// Reads a header from the front of an archive.
    ///
    /// # Errors
    /// [`Error::NotAnArchive`], [`Error::Version`], [`Error::Truncated`] with fewer than [`HEADER_BYTES`] bytes,
    /// [`Error::TooLarge`] for directories or metadata past their caps, [`Error::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if magic != &MAGIC[..magic.len()] {
            return Err(Error::NotAnArchive);
        }
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(Error::Truncated {
            what: "the header",
            end: HEADER_BYTES as u64,
        })?;
        if bytes[7] != VERSION {
            return Err(Error::Version(bytes[7]));
        }
        let header = Self {
            root: section(bytes, 8)?,
            metadata: section(bytes, 24)?,
            leaves: section(bytes, 40)?,
            tiles: section(bytes, 56)?,
            addressed_tiles: u64_at(bytes, 72),
            tile_entries: u64_at(bytes, 80),
            tile_contents: u64_at(bytes, 88),
            clustered: bytes[96] == 1,
            internal_compression: Compression::from_byte(bytes[97])?,
            tile_compression: Compression::from_byte(bytes[98])?,
            tile_type: match bytes[99] {
                1 => TileType::Mvt,
                other => TileType::Other(other),
            },
            min_zoom: bytes[100],
            max_zoom: bytes[101],
            bounds: Envelope {
                min: degrees_at(bytes, 102),
                max: degrees_at(bytes, 110),
            },
            center_zoom: bytes[118],
            center: degrees_at(bytes, 119),
        };
        if header.min_zoom > header.max_zoom {
            return Err(Error::Malformed(
                "the least zoom is deeper than the deepest",
            ));
        }
        capped(header.root, "a directory", MAX_DIRECTORY_BYTES)?;
        capped(header.metadata, "metadata", MAX_METADATA_BYTES)?;
        Ok(header)
    }

    /// Where the leaf directory of an entry lies.
    ///
    /// # Errors
    /// [`Error::Malformed`] beyond the leaf directories, [`Error::TooLarge`] past [`MAX_DIRECTORY_BYTES`].
    pub fn leaf(&self, entry: &Entry) -> Result<Section, Error> {
        let beyond = Error::Malformed("a leaf directory beyond those of the header");
        let leaf = within(self.leaves, entry).ok_or(beyond)?;
        capped(leaf, "a directory", MAX_DIRECTORY_BYTES)
    }

    /// Where the tile of an entry lies.
    ///
    /// # Errors
    /// [`Error::Malformed`] beyond the tiles, [`Error::TooLarge`] past [`MAX_TILE_BYTES`].
    pub fn tile(&self, entry: &Entry) -> Result<Section, Error> {
        let beyond = Error::Malformed("a tile beyond those of the header");
        let tile = within(self.tiles, entry).ok_or(beyond)?;
        capped(tile, "a tile", MAX_TILE_BYTES)
    }

    pub(super) fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, MAGIC);
        put(7, &[VERSION]);
        let sections = [self.root, self.metadata, self.leaves, self.tiles];
        for (at, section) in (8..).step_by(16).zip(sections) {
            put(at, &section.offset.to_le_bytes());
            put(at + 8, &section.length.to_le_bytes());
        }
        put(72, &self.addressed_tiles.to_le_bytes());
        put(80, &self.tile_entries.to_le_bytes());
        put(88, &self.tile_contents.to_le_bytes());
        let tile_type = match self.tile_type {
            TileType::Mvt => 1,
            TileType::Other(other) => other,
        };
        put(
            96,
            &[
                u8::from(self.clustered),
                self.internal_compression.byte(),
                self.tile_compression.byte(),
                tile_type,
                self.min_zoom,
                self.max_zoom,
            ],
        );
        let places = [
            (102, self.bounds.min),
            (110, self.bounds.max),
            (119, self.center),
        ];
        for (at, [lon, lat]) in places {
            put(at, &ten_millionths(lon).to_le_bytes());
            put(at + 4, &ten_millionths(lat).to_le_bytes());
        }
        put(118, &[self.center_zoom]);
        bytes
    }
}

/// An entry's bytes, when they lie in this section.
fn within(section: Section, entry: &Entry) -> Option<Section> {
    let length = u64::from(entry.length);
    let end = entry.offset.checked_add(length)?;
    let offset = section.offset.checked_add(entry.offset)?;
    (end <= section.length).then_some(Section { offset, length })
}

fn capped(section: Section, what: &'static str, max: usize) -> Result<Section, Error> {
    match usize::try_from(section.length) {
        Ok(length) if length <= max => Ok(section),
        _ => Err(Error::TooLarge { what, max }),
    }
}

fn section(bytes: &[u8; HEADER_BYTES], at: usize) -> Result<Section, Error> {
    let (offset, length) = (u64_at(bytes, at), u64_at(bytes, at + 8));
    offset
        .checked_add(length)
        .ok_or(Error::Malformed("a section of the header ends past 2^64"))?;
    Ok(Section { offset, length })
}

fn u64_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|k| bytes[at + k]))
}

fn degrees_at(bytes: &[u8; HEADER_BYTES], at: usize) -> [f64; 2] {
    [at, at + 4].map(|at| {
        let number = i32::from_le_bytes(std::array::from_fn(|k| bytes[at + k]));
        f64::from(number) / DEGREE
    })
}

/// 180 degrees are 1.8e9, which 32 bits hold.
fn ten_millionths(degrees: f64) -> i32 {
    (degrees * DEGREE).round() as i32
}
