//! Writing an archive.

use std::collections::hash_map::{self, HashMap};
use std::io::{self, BufWriter, Read, Seek, Write};

use model::Envelope;
use sha2::{Digest, Sha256};

use super::compression::gzip;
use super::directory::{Entry, encode};
use super::header::{HEADER_BYTES, Header, Section, TileType};
use super::{Compression, Error, MAX_FRONT_BYTES, MAX_TILE_BYTES, tile_id};
use crate::TileCoord;

/// Bytes that the packed root directory may have: header and root are below [`MAX_FRONT_BYTES`].
const MAX_ROOT_BYTES: usize = MAX_FRONT_BYTES - HEADER_BYTES - 1;

/// With more entries than this, packing all of them as a root is not tried: an entry takes two packed bytes or more,
/// but where all tiles are of one size.
const MAX_ROOT_ENTRIES: usize = MAX_ROOT_BYTES;

/// Entries of a leaf to begin with; more when the leaves are too many for the root. A leaf of this size takes some
/// ten kilobytes, and is what a client reads before it reads a tile.
const LEAF_ENTRIES: usize = 4096;

/// Degrees at which Web Mercator's square ends, to the digits that a header has.
const LAST_LATITUDE: f64 = 85.051_128_7;

/// Takes tiles in ascending order of [`tile_id`] and puts an archive together at the end. Tiles with the same bytes
/// are kept once. The same tiles give the same archive.
///
/// Tiles go to the spool, a file without content that nothing else uses. In memory there are 24 bytes for each entry
/// and about 60 for each different tile.
pub struct Writer<S: Read + Write + Seek> {
    spool: BufWriter<S>,
    compression: Compression,
    entries: Vec<Entry>,
    /// Where the bytes of a hash are: half a SHA-256, so that two tiles are never taken for one.
    known: HashMap<[u8; 16], u64>,
    length: u64,
    addressed: u64,
    extent: Option<Extent>,
}

/// Zooms, and the first and last column and row of the deepest.
struct Extent {
    min_zoom: u8,
    deepest: [TileCoord; 2],
}

impl<S: Read + Write + Seek> Writer<S> {
    /// `compression`: how the tiles are packed that will be added.
    pub fn new(spool: S, compression: Compression) -> Self {
        Self {
            spool: BufWriter::with_capacity(1 << 16, spool),
            compression,
            entries: Vec::new(),
            known: HashMap::new(),
            length: 0,
            addressed: 0,
            extent: None,
        }
    }

    /// Adds a tile, packed as [`Writer::new`] was told.
    ///
    /// # Errors
    /// [`Error::Order`] when its id is not greater than the one before, [`Error::EmptyTile`], [`Error::TooLarge`]
    /// past [`MAX_TILE_BYTES`], [`Error::Io`].
    pub fn add(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<(), Error> {
        let id = tile_id(tile);
        if let Some(last) = self.entries.last()
            && last.ids().end > id
        {
            let last = last.ids().end - 1;
            return Err(Error::Order { last, id });
        }
        if bytes.is_empty() {
            return Err(Error::EmptyTile);
        }
        let length = match u32::try_from(bytes.len()) {
            Ok(length) if bytes.len() <= MAX_TILE_BYTES => length,
            _ => {
                let (what, max) = ("a tile", MAX_TILE_BYTES);
                return Err(Error::TooLarge { what, max });
            }
        };
        let offset = self.store(bytes)?;
        self.addressed += 1;
        Extent::add(&mut self.extent, tile);
        if let Some(last) = self.entries.last_mut()
            && (last.offset, last.ids().end) == (offset, id)
            && let Some(run_length) = last.run_length.checked_add(1)
        {
            last.run_length = run_length;
            return Ok(());
        }
        self.entries.push(Entry {
            tile_id: id,
            offset,
            length,
            run_length: 1,
        });
        Ok(())
    }

    /// Where the bytes are in the spool, which they are added to if they are new.
    fn store(&mut self, bytes: &[u8]) -> Result<u64, Error> {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        let hash = std::array::from_fn(|k| hash[k]);
        match self.known.entry(hash) {
            hash_map::Entry::Occupied(known) => Ok(*known.get()),
            hash_map::Entry::Vacant(new) => {
                self.spool.write_all(bytes)?;
                let offset = *new.insert(self.length);
                self.length += bytes.len() as u64;
                Ok(offset)
            }
        }
    }

    /// Writes the archive and gives back its header. `metadata`: a JSON object; that of vector tiles has
    /// `vector_layers` ("Metadata"). `bounds`: what the tiles show; without it, that of the deepest tiles.
    ///
    /// # Errors
    /// [`Error::NoTiles`], [`Error::Io`].
    pub fn finish(
        self,
        mut out: impl Write,
        metadata: &[u8],
        bounds: Option<Envelope>,
    ) -> Result<Header, Error> {
        let extent = self.extent.ok_or(Error::NoTiles)?;
        let (root, leaves) = directories(&self.entries, LEAF_ENTRIES)?;
        let metadata = gzip(metadata)?;
        let mut end = HEADER_BYTES as u64;
        let mut section = |length: u64| {
            let offset = end;
            end += length;
            Section { offset, length }
        };
        let bounds = bounds.unwrap_or_else(|| extent.bounds());
        let max_zoom = extent.deepest[0].z();
        let header = Header {
            root: section(root.len() as u64),
            metadata: section(metadata.len() as u64),
            leaves: section(leaves.len() as u64),
            tiles: section(self.length),
            addressed_tiles: self.addressed,
            tile_entries: self.entries.len() as u64,
            tile_contents: self.known.len() as u64,
            clustered: true,
            internal_compression: Compression::Gzip,
            tile_compression: self.compression,
            tile_type: TileType::Mvt,
            min_zoom: extent.min_zoom,
            max_zoom,
            bounds,
            center_zoom: whole(bounds).clamp(extent.min_zoom, max_zoom),
            center: [0, 1].map(|k| f64::midpoint(bounds.min[k], bounds.max[k])),
        };
        for part in [&header.bytes()[..], &root, &metadata, &leaves] {
            out.write_all(part)?;
        }
        let mut spool = self.spool.into_inner().map_err(|e| e.into_error())?;
        spool.rewind()?;
        let copied = io::copy(&mut spool.take(self.length), &mut out)?;
        if copied != self.length {
            return Err(Error::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        out.flush()?;
        Ok(header)
    }
}

impl Extent {
    fn add(extent: &mut Option<Self>, tile: TileCoord) {
        let Some(extent) = extent else {
            *extent = Some(Self {
                min_zoom: tile.z(),
                deepest: [tile; 2],
            });
            return;
        };
        // Ids ascend, so zooms do.
        let [first, last] = extent.deepest;
        let around = |pick: fn(u32, u32) -> u32, corner: TileCoord| {
            TileCoord::new(
                tile.z(),
                pick(corner.x(), tile.x()),
                pick(corner.y(), tile.y()),
            )
        };
        extent.deepest = match (around(u32::min, first), around(u32::max, last)) {
            (Ok(first), Ok(last)) if tile.z() == extent.deepest[0].z() => [first, last],
            _ => [tile; 2],
        };
    }

    fn bounds(&self) -> Envelope {
        let [first, last] = self.deepest;
        let Envelope { min, max } = first.bounds().union(last.bounds());
        // The outermost rows of our tiles hold what lies nearer to the poles, but no map shows it there.
        let shown = |[lon, lat]: [f64; 2]| [lon, lat.clamp(-LAST_LATITUDE, LAST_LATITUDE)];
        Envelope {
            min: shown(min),
            max: shown(max),
        }
    }
}

/// The deepest zoom at which one tile is as wide and high as the bounds.
fn whole(bounds: Envelope) -> u8 {
    let degrees = (0..2).map(|k| bounds.max[k] - bounds.min[k]);
    let widest = degrees.fold(1e-7, f64::max);
    (360.0 / widest).log2().clamp(0.0, model::MAX_ZOOM.into()) as u8
}

/// The packed root directory and all leaves, which there are none of where the root has room for all entries. Leaves have
/// `size` entries, or more where the root has no room for all of them.
fn directories(entries: &[Entry], mut size: usize) -> Result<(Vec<u8>, Vec<u8>), Error> {
    if entries.len() <= MAX_ROOT_ENTRIES {
        let root = gzip(&encode(entries))?;
        if root.len() <= MAX_ROOT_BYTES {
            return Ok((root, Vec::new()));
        }
    }
    loop {
        let (root, leaves) = split(entries, size)?;
        if root.len() <= MAX_ROOT_BYTES {
            return Ok((root, leaves));
        }
        size += size.div_ceil(2);
    }
}

fn split(entries: &[Entry], size: usize) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let mut root = Vec::with_capacity(entries.len() / size + 1);
    let mut leaves = Vec::new();
    for entries in entries.chunks(size) {
        let leaf = gzip(&encode(entries))?;
        root.push(Entry {
            tile_id: entries[0].tile_id,
            offset: leaves.len() as u64,
            length: u32::try_from(leaf.len()).map_err(|_long| Error::TooLarge {
                what: "a directory",
                max: u32::MAX as usize,
            })?,
            run_length: 0,
        });
        leaves.extend(leaf);
    }
    Ok((gzip(&encode(&root))?, leaves))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pmtiles::Directory;

    #[test]
    fn leaves_grow_until_the_root_has_room_for_them() {
        // Ids far apart, by steps that do not pack.
        let mut tile_id = 0;
        let entries: Vec<Entry> = (0..20_000_u32)
            .map(|k| {
                tile_id += u64::from(1 + k.wrapping_mul(2_654_435_761) % 1_000_003);
                Entry {
                    tile_id,
                    offset: u64::from(k) * 1000,
                    length: 1 + k % 999,
                    run_length: 1,
                }
            })
            .collect();
        let (root, leaves) = directories(&entries, 1).unwrap();
        assert!(root.len() <= MAX_ROOT_BYTES);
        let root = Directory::parse(&root, Compression::Gzip).unwrap();
        assert!(root.entries().len() < entries.len());
        let mut read = Vec::new();
        for leaf in root.entries() {
            let bytes = &leaves[leaf.offset as usize..][..leaf.length as usize];
            let leaf = Directory::parse(bytes, Compression::Gzip).unwrap();
            read.extend(leaf.into_entries());
        }
        assert_eq!(read, entries);
    }
}
