//! Content codings of what is kept ready-made: tiles, and the web app's files.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};

use crate::negotiate::Encoding;

/// How long packing may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Somebody waits for it. Of 164 kB of parcels, milliseconds of one core and what is left: zstd 0.6 and 53 %, gzip 0.9 and 49 %,
    /// brotli 2.6 and 48 %.
    Quick,
    /// It will be sent many times: zstd 2.0 and 47 %, gzip 2.9 and 47 %, brotli 7.3 and 44 %.
    Thorough,
}

/// Compressors of one thread: new ones for each tile would cost a small tile as much as
/// packing it.
struct Packers {
    zstd: [Option<zstd::bulk::Compressor<'static>>; 2],
    gzip: [Option<Packer>; 2],
    room: Vec<u8>,
}

thread_local! {
    static PACKERS: RefCell<Packers> = const {
        RefCell::new(Packers {
            zstd: [None, None],
            gzip: [None, None],
            room: Vec::new(),
        })
    };
}

/// Bytes of room that a thread keeps: of a usual tile and some more.
const KEPT_ROOM: usize = 1024 * 1024;

/// The bytes in a content coding: the same bytes for the same input.
pub(crate) fn pack(bytes: &[u8], encoding: Encoding, effort: Effort) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Identity => Some(bytes.to_vec()),
        Encoding::Zstd => PACKERS.with_borrow_mut(|packers| packers.zstd(bytes, effort)),
        Encoding::Gzip => PACKERS.with_borrow_mut(|packers| packers.gzip(bytes, effort)),
        Encoding::Brotli => {
            const WINDOW: u32 = 22;
            const BUFFER: usize = 4096;
            let mut out = Vec::with_capacity(bytes.len() / 2);
            let level = match effort {
                Effort::Quick => 2,
                Effort::Thorough => 5,
            };
            let mut encoder = brotli::CompressorWriter::new(&mut out, BUFFER, level, WINDOW);
            encoder.write_all(bytes).ok()?;
            drop(encoder);
            Some(out)
        }
    }
}

impl Packers {
    fn zstd(&mut self, bytes: &[u8], effort: Effort) -> Option<Vec<u8>> {
        let level = match effort {
            Effort::Quick => 1,
            Effort::Thorough => 6,
        };
        let bound = zstd::zstd_safe::compress_bound(bytes.len());
        let place = &mut self.zstd[effort as usize];
        let compressor = match place {
            Some(compressor) => compressor,
            None => place.insert(zstd::bulk::Compressor::new(level).ok()?),
        };
        let room = room(&mut self.room, bound);
        let len = compressor.compress_to_buffer(bytes, room).ok()?;
        let packed = self.room[..len].to_vec();
        give_back(&mut self.room);
        Some(packed)
    }

    fn gzip(&mut self, bytes: &[u8], effort: Effort) -> Option<Vec<u8>> {
        let level = match effort {
            Effort::Quick => 1,
            Effort::Thorough => 6,
        };
        let place = &mut self.gzip[effort as usize];
        let packer = match place {
            Some(packer) => packer,
            None => place.insert(Packer::of(level)?),
        };
        packer.gzip(bytes)
    }
}

/// Packs one piece after the other without making its tables anew: the same bytes for the same input.
pub(crate) struct Packer {
    compressor: libdeflater::Compressor,
    room: Vec<u8>,
}

impl Packer {
    /// For files of many tiles. Of 22 MB of parcels, milliseconds of one core for a megabyte, and what is left: level 1 4.6 and
    /// 49.8 %, 4 7.7 and 48.7 %, 5 8.9 and 48.2 %, 6 11.3 and 48.1 %, 9 35.3 and 48.0 %.
    pub(crate) fn for_files() -> Option<Self> {
        const LEVEL: i32 = 5;
        Self::of(LEVEL)
    }

    fn of(level: i32) -> Option<Self> {
        let level = libdeflater::CompressionLvl::new(level).ok()?;
        Some(Self {
            compressor: libdeflater::Compressor::new(level),
            room: Vec::new(),
        })
    }

    /// In one piece, without name and time.
    pub(crate) fn gzip(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let bound = self.compressor.gzip_compress_bound(bytes.len());
        let room = room(&mut self.room, bound);
        let len = self.compressor.gzip_compress(bytes, room).ok()?;
        let packed = self.room[..len].to_vec();
        give_back(&mut self.room);
        Some(packed)
    }
}

/// Of a large tile no room is kept.
fn give_back(room: &mut Vec<u8>) {
    room.truncate(KEPT_ROOM);
    room.shrink_to(KEPT_ROOM);
}

fn room(kept: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if kept.len() < len {
        kept.resize(len, 0);
    }
    &mut kept[..len]
}

/// What [`pack`] was given.
pub(crate) fn unpack(bytes: &[u8], encoding: Encoding, len: usize) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Identity => Some(bytes.to_vec()),
        Encoding::Zstd => zstd::bulk::decompress(bytes, len).ok(),
        Encoding::Gzip => {
            let mut out = vec![0; len];
            let mut decompressor = libdeflater::Decompressor::new();
            let found = decompressor.gzip_decompress(bytes, &mut out).ok()?;
            (found == len).then_some(out)
        }
        Encoding::Brotli => {
            let mut out = Vec::with_capacity(len);
            brotli::BrotliDecompress(&mut &bytes[..], &mut out).ok()?;
            (out.len() == len).then_some(out)
        }
    }
}

/// What somebody else has packed, if it is no more than so many bytes.
pub(crate) fn unpack_at_most(bytes: &[u8], encoding: Encoding, max: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let read = match encoding {
        Encoding::Identity => Ok(bytes.take(max as u64 + 1).read_to_end(&mut out)),
        Encoding::Gzip => {
            let how = tiles::pmtiles::Compression::Gzip;
            return how.unpack(bytes, "a tile", max).ok();
        }
        Encoding::Zstd => zstd::Decoder::new(bytes)
            .map(|decoder| decoder.take(max as u64 + 1).read_to_end(&mut out)),
        Encoding::Brotli => {
            const BUFFER: usize = 4096;
            let decoder = brotli::Decompressor::new(bytes, BUFFER);
            Ok(decoder.take(max as u64 + 1).read_to_end(&mut out))
        }
    };
    (read.ok()?.is_ok() && out.len() <= max).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_the_same_after_it_is_unpacked_and_smaller_with_more_effort() {
        let bytes: Vec<u8> = (0_u32..40_000)
            .flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 22).to_le_bytes())
            .collect();
        for encoding in Encoding::ALL {
            let packed = [Effort::Quick, Effort::Thorough].map(|effort| {
                let packed = pack(&bytes, encoding, effort).unwrap();
                assert_eq!(pack(&bytes, encoding, effort).unwrap(), packed);
                let back = unpack(&packed, encoding, bytes.len()).unwrap();
                assert_eq!(back, bytes, "{encoding:?}");
                packed.len()
            });
            assert!(packed[1] <= packed[0], "{encoding:?} {packed:?}");
            assert_eq!(encoding == Encoding::Identity, packed[1] == bytes.len());
        }
    }
}
