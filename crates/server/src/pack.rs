//! Content codings of what is kept ready-made: tiles, and the web app's files.

use std::io::Write as _;

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

/// The bytes in a content coding: the same bytes for the same input.
pub(crate) fn pack(bytes: &[u8], encoding: Encoding, effort: Effort) -> Option<Vec<u8>> {
    let by = |quick, thorough| match effort {
        Effort::Quick => quick,
        Effort::Thorough => thorough,
    };
    match encoding {
        Encoding::Identity => Some(bytes.to_vec()),
        Encoding::Zstd => zstd::bulk::compress(bytes, by(1, 6)).ok(),
        Encoding::Gzip => gzip(bytes, by(1, 6)),
        Encoding::Brotli => {
            const WINDOW: u32 = 22;
            const BUFFER: usize = 4096;
            let mut out = Vec::with_capacity(bytes.len() / 2);
            let level = u32::try_from(by(2, 5)).unwrap_or_default();
            let mut encoder = brotli::CompressorWriter::new(&mut out, BUFFER, level, WINDOW);
            encoder.write_all(bytes).ok()?;
            drop(encoder);
            Some(out)
        }
    }
}

/// In one piece, without name and time.
fn gzip(bytes: &[u8], level: i32) -> Option<Vec<u8>> {
    let level = libdeflater::CompressionLvl::new(level).ok()?;
    let mut compressor = libdeflater::Compressor::new(level);
    let mut out = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let len = compressor.gzip_compress(bytes, &mut out).ok()?;
    out.truncate(len);
    out.shrink_to_fit();
    Some(out)
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
