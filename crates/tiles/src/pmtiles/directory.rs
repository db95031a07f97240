//! Lists of entries and their bytes ("Directory Serialization").

use std::ops::Range;

use super::{Compression, Error, MAX_DIRECTORY_BYTES};
use crate::decode::proto::varint;
use crate::proto;

/// A tile, several equal ones whose ids follow each other, or a leaf directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Of the first tile.
    pub tile_id: u64,
    /// From the start of the tiles; for a leaf, of the leaf directories.
    pub offset: u64,
    /// Never 0.
    pub length: u32,
    /// How many tiles these bytes are; 0 for a leaf directory.
    pub run_length: u32,
}

impl Entry {
    pub fn is_leaf(&self) -> bool {
        self.run_length == 0
    }

    /// The ids of its tiles; none for a leaf.
    pub fn ids(&self) -> Range<u64> {
        self.tile_id..self.tile_id.saturating_add(self.run_length.into())
    }
}

/// Entries in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    entries: Vec<Entry>,
}

impl Directory {
    /// Reads the bytes of a root or leaf directory as they are in the file.
    ///
    /// # Errors
    /// [`Error::Compression`], [`Error::TooLarge`] past [`MAX_DIRECTORY_BYTES`] unpacked, [`Error::Malformed`] for
    /// everything that the specification does not allow: no entries, empty ones, ones out of order or that overlap,
    /// bytes that are missing or left.
    pub fn parse(bytes: &[u8], compression: Compression) -> Result<Self, Error> {
        let bytes = compression.unpack(bytes, "a directory", MAX_DIRECTORY_BYTES)?;
        let mut bytes = bytes.as_slice();
        let count = number(&mut bytes)?;
        if count == 0 {
            return Err(Error::Malformed("a directory without entries"));
        }
        // Each entry has four numbers of a byte at least.
        if count > bytes.len() as u64 / 4 {
            return Err(Error::Malformed("a directory with more entries than bytes"));
        }
        let mut entries = Vec::with_capacity(count as usize);
        let mut tile_id = 0_u64;
        for at in 0..count {
            let step = number(&mut bytes)?;
            tile_id = match tile_id.checked_add(step) {
                Some(id) if at == 0 || step > 0 => id,
                _ => return Err(Error::Malformed("entries out of order")),
            };
            entries.push(Entry {
                tile_id,
                offset: 0,
                length: 0,
                run_length: 0,
            });
        }
        for entry in &mut entries {
            entry.run_length = short(&mut bytes)?;
        }
        for entry in &mut entries {
            entry.length = short(&mut bytes)?;
            if entry.length == 0 {
                return Err(Error::Malformed("an entry of no bytes"));
            }
        }
        let mut end = None;
        for entry in &mut entries {
            // One more than the offset, or 0 where the bytes before end.
            entry.offset = match number(&mut bytes)?.checked_sub(1) {
                Some(offset) => offset,
                None => end.ok_or(Error::Malformed("a first entry without an offset"))?,
            };
            let after = entry.offset.checked_add(entry.length.into());
            end = Some(after.ok_or(Error::Malformed("an entry that ends past 2^64"))?);
        }
        if !bytes.is_empty() {
            return Err(Error::Malformed("bytes after a directory's entries"));
        }
        let apart = |pair: &[Entry]| pair[1].tile_id - pair[0].tile_id >= pair[0].run_length.into();
        if !entries.windows(2).all(apart) {
            return Err(Error::Malformed("entries that overlap"));
        }
        Ok(Self { entries })
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry that holds a tile, or the leaf directory to look for it in.
    pub fn find(&self, tile_id: u64) -> Option<Entry> {
        let after = self.entries.partition_point(|e| e.tile_id <= tile_id);
        let entry = self.entries[..after].last()?;
        (entry.is_leaf() || entry.ids().contains(&tile_id)).then_some(*entry)
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }
}

/// A directory's bytes before they are packed. The entries are in order and have bytes.
pub(super) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + entries.len() * 6);
    proto::varint(&mut out, entries.len() as u64);
    let mut last = 0;
    for entry in entries {
        proto::varint(&mut out, entry.tile_id - last);
        last = entry.tile_id;
    }
    for entry in entries {
        proto::varint(&mut out, entry.run_length.into());
    }
    for entry in entries {
        proto::varint(&mut out, entry.length.into());
    }
    let mut end = None;
    for entry in entries {
        let follows = end == Some(entry.offset);
        proto::varint(&mut out, if follows { 0 } else { entry.offset + 1 });
        end = Some(entry.offset + u64::from(entry.length));
    }
    out
}

fn number(bytes: &mut &[u8]) -> Result<u64, Error> {
    varint(bytes).map_err(|_cut| Error::Malformed("a directory's number is cut or too long"))
}

fn short(bytes: &mut &[u8]) -> Result<u32, Error> {
    let number = number(bytes)?;
    u32::try_from(number).map_err(|_long| Error::Malformed("a length of more than 32 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(tile_id: u64, offset: u64, length: u32, run_length: u32) -> Entry {
        Entry {
            tile_id,
            offset,
            length,
            run_length,
        }
    }

    fn parse(numbers: &[u64]) -> Result<Directory, Error> {
        let mut bytes = Vec::new();
        for n in numbers {
            proto::varint(&mut bytes, *n);
        }
        Directory::parse(&bytes, Compression::None)
    }

    fn refusal(numbers: &[u64]) -> &'static str {
        match parse(numbers) {
            Err(Error::Malformed(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn columns_are_ids_runs_lengths_offsets() {
        let entries = [
            entry(5, 0, 10, 2),
            entry(7, 10, 30, 1),
            entry(90, 0, 10, 1),
            entry(100, 7, 9, 0),
        ];
        let bytes = encode(&entries);
        assert_eq!(
            bytes,
            [4, 5, 2, 83, 10, 2, 1, 1, 0, 10, 30, 10, 9, 1, 0, 1, 8]
        );
        let read = Directory::parse(&bytes, Compression::None).unwrap();
        assert_eq!(read.entries(), entries);
    }

    #[test]
    fn a_tile_is_found_in_its_run_and_a_leaf_takes_all_up_to_the_next() {
        let directory = parse(&[3, 5, 5, 20, 2, 0, 1, 8, 8, 8, 1, 1, 9]).unwrap();
        let found = |id| directory.find(id).map(|e| e.tile_id);
        assert_eq!([4, 7, 9].map(found), [None; 3]);
        assert_eq!([5, 6].map(found), [Some(5); 2]);
        assert_eq!([10, 29].map(found), [Some(10); 2]);
        assert_eq!([30, 31].map(found), [Some(30), None]);
    }

    #[test]
    fn what_the_specification_does_not_allow_is_named() {
        assert_eq!(refusal(&[0]), "a directory without entries");
        let many = "a directory with more entries than bytes";
        assert_eq!(refusal(&[u64::MAX, 1, 1, 1, 1]), many);
        assert_eq!(refusal(&[2, 1, 1, 1, 1, 1, 1, 1]), many);
        let order = "entries out of order";
        assert_eq!(refusal(&[2, 1, 0, 1, 1, 1, 1, 1, 1]), order);
        assert_eq!(refusal(&[2, u64::MAX, 1, 1, 1, 1, 1, 1, 1]), order);
        assert_eq!(refusal(&[1, 1, 1, 0, 1]), "an entry of no bytes");
        let first = "a first entry without an offset";
        assert_eq!(refusal(&[1, 1, 1, 1, 0]), first);
        let end = "an entry that ends past 2^64";
        assert_eq!(refusal(&[1, 1, 1, 2, u64::MAX]), end);
        let left = "bytes after a directory's entries";
        assert_eq!(refusal(&[1, 1, 1, 1, 1, 1]), left);
        assert_eq!(
            refusal(&[2, 1, 1, 2, 1, 1, 1, 1, 1]),
            "entries that overlap"
        );
        let long = "a length of more than 32 bits";
        assert_eq!(refusal(&[1, 1, 1 << 32, 1, 1]), long);
        let cut = [
            1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1,
        ];
        assert!(matches!(
            Directory::parse(&cut, Compression::None),
            Err(Error::Malformed("a directory's number is cut or too long"))
        ));
    }
}
