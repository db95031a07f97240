//! The GeoPackage geometry blob: a header before ISO WKB (OGC 12-128r19 §2.1.3, clause 2.1.3.1.1).

use model::{Envelope, Message};

use crate::Error;

/// Bytes before the envelope: magic, version, flags, SRS id.
const FIXED: usize = 8;

/// A blob with a little-endian header and, when there is one, the x/y envelope.
pub fn blob(wkb: &[u8], srs_id: i32, envelope: Option<Envelope>, empty: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(FIXED + 32 + wkb.len());
    let flags = 1 | (u8::from(envelope.is_some()) << 1) | (u8::from(empty) << 4);
    out.extend_from_slice(&[b'G', b'P', 0, flags]);
    out.extend_from_slice(&srs_id.to_le_bytes());
    if let Some(e) = envelope {
        for number in [e.min[0], e.max[0], e.min[1], e.max[1]] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    out.extend_from_slice(wkb);
    out
}

/// The WKB inside a blob, unread, and the SRS id.
///
/// # Errors
/// When the header is damaged, of a version above 0, or of an extended geometry type.
pub fn strip(blob: &[u8]) -> Result<(&[u8], i32), Error> {
    let damaged = || Error::from(Message::new("formats.gpkg-header"));
    let [b'G', b'P', version, flags, srs @ ..] = blob else {
        return Err(damaged());
    };
    if *version != 0 {
        return Err(Message::new("formats.gpkg-version")
            .with("version", version)
            .into());
    }
    if flags & 0b10_0000 != 0 {
        return Err(Message::new("formats.gpkg-extended").into());
    }
    let srs = *srs.first_chunk::<4>().ok_or_else(damaged)?;
    let srs_id = if flags & 1 == 1 {
        i32::from_le_bytes(srs)
    } else {
        i32::from_be_bytes(srs)
    };
    let envelope = match (flags >> 1) & 0b111 {
        0 => 0,
        1 => 32,
        2 | 3 => 48,
        4 => 64,
        _ => return Err(damaged()),
    };
    let wkb = blob.get(FIXED + envelope..).ok_or_else(damaged)?;
    Ok((wkb, srs_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_gives_back_its_wkb_and_srs() {
        let envelope = Envelope {
            min: [1.0, 2.0],
            max: [3.0, 4.0],
        };
        for (envelope, length) in [(None, 8), (Some(envelope), 40)] {
            let blob = blob(b"wkb", 6382, envelope, false);
            assert_eq!(blob.len(), length + 3);
            assert_eq!(strip(&blob).unwrap(), (b"wkb".as_slice(), 6382));
        }
        // The order of the standard is min x, max x, min y, max y.
        let bytes = blob(b"", 0, Some(envelope), false);
        let numbers: Vec<f64> = bytes[8..]
            .chunks_exact(8)
            .map(|c| f64::from_le_bytes(c.try_into().unwrap()))
            .collect();
        assert_eq!(numbers, [1.0, 3.0, 2.0, 4.0]);
    }

    #[test]
    fn damaged_headers_are_turned_away() {
        let good = blob(
            b"",
            4326,
            Some(Envelope {
                min: [0.0; 2],
                max: [0.0; 2],
            }),
            true,
        );
        for length in 0..good.len() {
            assert!(strip(&good[..length]).is_err(), "{length}");
        }
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            strip(&bytes).map(|_| ()).map_err(|e| e.message().key())
        };
        assert_eq!(with(0, b'X'), Err("formats.gpkg-header"));
        assert_eq!(with(2, 1), Err("formats.gpkg-version"));
        assert_eq!(with(3, 0b10_0011), Err("formats.gpkg-extended"));
        assert_eq!(with(3, 0b1011), Err("formats.gpkg-header"));
    }

    #[test]
    fn big_endian_headers_are_read() {
        let bytes = [b'G', b'P', 0, 0, 0, 0, 0x10, 0xE6, 7];
        assert_eq!(strip(&bytes).unwrap(), ([7u8].as_slice(), 4326));
    }
}
