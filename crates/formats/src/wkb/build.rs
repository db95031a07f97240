//! Writing little-endian ISO WKB piece by piece.

use model::GeometryType;

use super::walk::Dims;

/// Appends WKB to a buffer.
pub(crate) struct Builder<'a> {
    out: &'a mut Vec<u8>,
}

/// A count whose value is known only after its parts were written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenCount(usize);

impl<'a> Builder<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Byte order and type.
    pub(crate) fn header(&mut self, kind: GeometryType, dims: Dims) {
        let code = kind.wkb_code() + 1000 * u32::from(dims.z) + 2000 * u32::from(dims.m);
        self.out.push(1);
        self.out.extend_from_slice(&code.to_le_bytes());
    }

    /// Counts stay below 2^32: one feature has at most `MAX_FEATURE_BYTES`.
    pub(crate) fn count(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.out.extend_from_slice(&count.to_le_bytes());
    }

    pub(crate) fn open_count(&mut self) -> OpenCount {
        self.count(0);
        OpenCount(self.out.len() - 4)
    }

    pub(crate) fn close_count(&mut self, at: OpenCount, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.out[at.0..at.0 + 4].copy_from_slice(&count.to_le_bytes());
    }

    pub(crate) fn number(&mut self, value: f64) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// x, y, then z and m where the geometry has them.
    pub(crate) fn position(&mut self, [x, y, z, m]: [f64; 4], dims: Dims) {
        self.number(x);
        self.number(y);
        if dims.z {
            self.number(z);
        }
        if dims.m {
            self.number(m);
        }
    }

    pub(crate) fn empty_point(&mut self, dims: Dims) {
        self.position([f64::NAN; 4], dims);
    }
}
