//! Writing the part of protobuf's wire format that tiles use (MVT 2.1 §4, `vector_tile.proto`).

/// Field number and wire type in one byte; all of a tile's field numbers are below 16.
const fn tag(field: u8, wire: u8) -> u8 {
    field << 3 | wire
}

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;

pub(crate) const TILE_LAYER: u8 = tag(3, BYTES);
pub(crate) const LAYER_VERSION: u8 = tag(15, VARINT);
pub(crate) const LAYER_NAME: u8 = tag(1, BYTES);
pub(crate) const LAYER_FEATURE: u8 = tag(2, BYTES);
pub(crate) const LAYER_KEY: u8 = tag(3, BYTES);
pub(crate) const LAYER_VALUE: u8 = tag(4, BYTES);
pub(crate) const LAYER_EXTENT: u8 = tag(5, VARINT);
pub(crate) const FEATURE_ID: u8 = tag(1, VARINT);
pub(crate) const FEATURE_TAGS: u8 = tag(2, BYTES);
pub(crate) const FEATURE_TYPE: u8 = tag(3, VARINT);
pub(crate) const FEATURE_GEOMETRY: u8 = tag(4, BYTES);
const VALUE_TEXT: u8 = tag(1, BYTES);
const VALUE_DOUBLE: u8 = tag(3, FIXED64);
const VALUE_INT: u8 = tag(4, VARINT);
const VALUE_BOOL: u8 = tag(7, VARINT);

pub(crate) fn varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

/// 32-bit numbers come by the hundred thousand; most are one or two bytes long.
pub(crate) fn varint32(out: &mut Vec<u8>, v: u32) {
    if v < 0x80 {
        out.push(v as u8);
    } else if v < 0x4000 {
        out.extend([v as u8 | 0x80, (v >> 7) as u8]);
    } else {
        varint(out, u64::from(v));
    }
}

pub(crate) fn varint_len(v: u64) -> usize {
    (64 - (v | 1).leading_zeros() as usize).div_ceil(7)
}

pub(crate) fn bytes(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// Small signed numbers as small unsigned ones.
pub(crate) fn zigzag(v: i32) -> u32 {
    ((v << 1) ^ (v >> 31)).cast_unsigned()
}

pub(crate) fn value_text(out: &mut Vec<u8>, v: &str) {
    let len = v.len() as u64;
    out.push(LAYER_VALUE);
    varint(out, 1 + varint_len(len) as u64 + len);
    bytes(out, VALUE_TEXT, v.as_bytes());
}

pub(crate) fn value_double(out: &mut Vec<u8>, v: f64) {
    out.extend([LAYER_VALUE, 9, VALUE_DOUBLE]);
    out.extend(v.to_le_bytes());
}

pub(crate) fn value_int(out: &mut Vec<u8>, v: i64) {
    // int64 on the wire is the two's complement as an unsigned varint.
    let v = v.cast_unsigned();
    out.push(LAYER_VALUE);
    varint(out, 1 + varint_len(v) as u64);
    out.push(VALUE_INT);
    varint(out, v);
}

pub(crate) fn value_bool(out: &mut Vec<u8>, v: bool) {
    out.extend([LAYER_VALUE, 2, VALUE_BOOL, u8::from(v)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_varints_are_their_bytes() {
        for shift in 0..64 {
            for v in [1_u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                varint(&mut out, v);
                assert_eq!(varint_len(v), out.len(), "{v}");
                if let Ok(small) = u32::try_from(v) {
                    let mut short = Vec::new();
                    varint32(&mut short, small);
                    assert_eq!(short, out);
                }
            }
        }
    }

    #[test]
    fn zigzag_is_the_specification_s_table() {
        // MVT 2.1 §4.3.2 by way of protobuf.
        let pairs = [
            (0, 0),
            (-1, 1),
            (1, 2),
            (-2, 3),
            (2, 4),
            (i32::MAX, u32::MAX - 1),
            (i32::MIN, u32::MAX),
        ];
        for (v, expected) in pairs {
            assert_eq!(zigzag(v), expected);
        }
    }
}
