//! Reading an archive.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::vec;

use super::header::{HEADER_BYTES, Header, Section};
use super::{Compression, Directory, Entry, Error, MAX_DEPTH, MAX_METADATA_BYTES, tile_id};
use crate::TileCoord;

/// Where an archive's bytes come from.
pub trait ReadAt {
    /// `length` bytes from `offset` on. Lengths are capped before they are asked for.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when there are fewer, or whatever reading brings.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>>;
}

impl ReadAt for File {
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.get(offset..)?.get(..length));
        match bytes {
            Some(bytes) => Ok(bytes.to_vec()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl<R: ReadAt + ?Sized> ReadAt for &R {
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        (**self).read_at(offset, length)
    }
}

/// An archive that is open: its header and root directory are in memory, leaves are read when they are needed and
/// not kept.
#[derive(Debug)]
pub struct Archive<R> {
    source: R,
    header: Header,
    root: Directory,
}

impl<R: ReadAt> Archive<R> {
    /// # Errors
    /// As [`Header::parse`] and [`Directory::parse`], and [`Error::Truncated`] or [`Error::Io`].
    pub fn open(source: R) -> Result<Self, Error> {
        let front = Section {
            offset: 0,
            length: HEADER_BYTES as u64,
        };
        let header = Header::parse(&read(&source, front, "the header")?)?;
        let root = read(&source, header.root, "the root directory")?;
        let root = Directory::parse(&root, header.internal_compression)?;
        Ok(Self {
            source,
            header,
            root,
        })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The metadata as it was written, JSON if the writer kept to the specification; no bytes without any.
    ///
    /// # Errors
    /// [`Error::Compression`], [`Error::TooLarge`] past [`MAX_METADATA_BYTES`], [`Error::Malformed`] when it can't be
    /// unpacked, [`Error::Truncated`], [`Error::Io`].
    pub fn metadata(&self) -> Result<Vec<u8>, Error> {
        let bytes = read(&self.source, self.header.metadata, "the metadata")?;
        let compression = match bytes.is_empty() {
            true => Compression::None,
            false => self.header.internal_compression,
        };
        compression.unpack(&bytes, "metadata", MAX_METADATA_BYTES)
    }

    /// A tile's bytes, packed as [`Header::tile_compression`] says; `None` for one that the archive does not hold.
    /// Reads one leaf directory at most where two levels are all there are, as usual.
    ///
    /// # Errors
    /// As [`Directory::parse`], [`Header::leaf`] and [`Header::tile`], and [`Error::Truncated`] or [`Error::Io`].
    pub fn tile(&self, tile: TileCoord) -> Result<Option<Vec<u8>>, Error> {
        let id = tile_id(tile);
        let mut found = self.root.find(id);
        for _ in 1..MAX_DEPTH {
            match found {
                Some(entry) if entry.is_leaf() => found = self.leaf(&entry)?.find(id),
                Some(entry) => return self.read(&entry).map(Some),
                None => return Ok(None),
            }
        }
        match found {
            Some(entry) => self.read(&entry).map(Some),
            None => Ok(None),
        }
    }

    /// All entries that stand for tiles, in ascending order of their ids. Each id comes once, whatever the bytes are,
    /// and ends with the first error.
    pub fn entries(&self) -> Entries<'_, R> {
        Entries {
            archive: self,
            levels: vec![self.root.clone().into_entries().into_iter()],
            next: 0,
        }
    }

    /// The bytes of an entry's tile, as [`Archive::tile`] gives them.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a leaf or bytes beyond the tiles, [`Error::TooLarge`], [`Error::Truncated`],
    /// [`Error::Io`].
    pub fn read(&self, entry: &Entry) -> Result<Vec<u8>, Error> {
        if entry.is_leaf() {
            return Err(DEEP);
        }
        read(&self.source, self.header.tile(entry)?, "a tile")
    }

    fn leaf(&self, entry: &Entry) -> Result<Directory, Error> {
        let bytes = read(&self.source, self.header.leaf(entry)?, "a leaf directory")?;
        Directory::parse(&bytes, self.header.internal_compression)
    }
}

const DEEP: Error = Error::Malformed("directories nested more than four deep");

/// What [`Archive::entries`] gives.
pub struct Entries<'a, R> {
    archive: &'a Archive<R>,
    /// Entries to come of each directory on the way to the present one; none after an error.
    levels: Vec<vec::IntoIter<Entry>>,
    /// The least id that may come.
    next: u64,
}

impl<R: ReadAt> Iterator for Entries<'_, R> {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        if matches!(step, Some(Err(_))) {
            self.levels.clear();
        }
        step
    }
}

impl<R: ReadAt> Entries<'_, R> {
    fn step(&mut self) -> Result<Option<Entry>, Error> {
        while let Some(level) = self.levels.last_mut() {
            let Some(entry) = level.next() else {
                self.levels.pop();
                continue;
            };
            // Also what keeps a leaf from being gone through again and again.
            if entry.tile_id < self.next {
                return Err(Error::Malformed("entries out of order between directories"));
            }
            self.next = entry.ids().end;
            if !entry.is_leaf() {
                return Ok(Some(entry));
            }
            if self.levels.len() == MAX_DEPTH {
                return Err(DEEP);
            }
            let leaf = self.archive.leaf(&entry)?;
            self.levels.push(leaf.into_entries().into_iter());
        }
        Ok(None)
    }
}

fn read(source: &impl ReadAt, section: Section, what: &'static str) -> Result<Vec<u8>, Error> {
    let Section { offset, length } = section;
    let truncated = Error::Truncated {
        what,
        end: offset.saturating_add(length),
    };
    // Sections are capped far below what an address space holds.
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    match source.read_at(offset, length) {
        Ok(bytes) if bytes.len() == length => Ok(bytes),
        Ok(_fewer) => Err(truncated),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(truncated),
        Err(e) => Err(Error::Io(e)),
    }
}
