//! Well-known binary: ISO WKB (ISO/IEC 13249-3) and PostGIS' EWKB.

mod build;
mod geo;
pub(crate) mod walk;

use model::{Envelope, GeometryType};

use crate::Error;
use walk::{Dims, Part, Points, Visitor, walk};

pub(crate) use build::Builder;
pub use geo::{read, write};
pub(crate) use walk::outer_type;

/// What one pass over a WKB value tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    pub geometry_type: GeometryType,
    pub has_z: bool,
    pub has_m: bool,
    /// Whether there is no position at all.
    pub empty: bool,
    /// Of x and y as they are in the bytes; `None` when empty.
    pub envelope: Option<Envelope>,
    /// Positions of all parts.
    pub vertices: usize,
    /// Rings with fewer than four positions or whose ends differ: bytes that read well and are no polygon.
    pub open_rings: usize,
    /// The reference system's number, from EWKB alone.
    pub srid: Option<u32>,
    /// Whether the bytes are EWKB, not ISO WKB.
    pub extended: bool,
}

/// Checks a WKB value in one pass, without allocation: O(bytes).
///
/// # Errors
/// When the bytes end early or go on after the geometry, the type is unknown or a curve, a count promises more than
/// the bytes left, a position is not finite, parts do not fit their parent, or a cap of [`crate::limits`] is passed.
/// A point of NaN is empty, not an error.
pub fn check(bytes: &[u8]) -> Result<Header, Error> {
    let mut seen = Seen::default();
    let outer = walk(bytes, &mut seen)?;
    Ok(Header {
        geometry_type: outer.kind,
        has_z: outer.dims.z,
        has_m: outer.dims.m,
        empty: seen.vertices == 0,
        envelope: seen.envelope,
        vertices: seen.vertices,
        open_rings: seen.open_rings,
        srid: outer.srid,
        extended: outer.extended,
    })
}

/// Appends the value as little-endian ISO WKB, Z and M kept; bytes that already are stay the same.
///
/// # Errors
/// As [`check`].
pub fn to_iso(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    let mut writer = IsoWriter {
        out: Builder::new(out),
        xy: |xy| xy,
    };
    if let Err(error) = walk(bytes, &mut writer) {
        out.truncate(start);
        return Err(error);
    }
    Ok(())
}

/// x and y of every position, in the order of the bytes.
///
/// # Errors
/// As [`check`].
pub fn xy(bytes: &[u8]) -> Result<Vec<(f64, f64)>, Error> {
    let mut all = AllXy(Vec::new());
    walk(bytes, &mut all)?;
    Ok(all.0)
}

/// The value as little-endian ISO WKB with other x and y, given in the order of [`xy`]; all else is kept: parts, Z and M.
/// Positions beyond those given stay as they are.
///
/// # Errors
/// As [`check`].
pub fn with_xy(bytes: &[u8], xy: &[(f64, f64)]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut given = xy.iter();
    let mut writer = IsoWriter {
        out: Builder::new(&mut out),
        xy: |old| given.next().map_or(old, |(x, y)| [*x, *y]),
    };
    walk(bytes, &mut writer)?;
    Ok(out)
}

struct AllXy(Vec<(f64, f64)>);

impl Visitor for AllXy {
    fn points(&mut self, _part: Part, _ring: usize, points: Points<'_>) {
        self.0.extend(points.xy().map(|[x, y]| (x, y)));
    }
}

#[derive(Default)]
struct Seen {
    envelope: Option<Envelope>,
    vertices: usize,
    open_rings: usize,
}

impl Visitor for Seen {
    fn points(&mut self, part: Part, _ring: usize, points: Points<'_>) {
        self.vertices += points.len();
        if part.kind == GeometryType::Polygon && !points.is_ring() {
            self.open_rings += 1;
        }
        let mut xy = points.xy();
        let Some(first) = xy.next() else { return };
        let (mut min, mut max) = self.envelope.map_or((first, first), |e| (e.min, e.max));
        for [x, y] in xy.chain([first]) {
            min = [min[0].min(x), min[1].min(y)];
            max = [max[0].max(x), max[1].max(y)];
        }
        self.envelope = Some(Envelope { min, max });
    }
}

struct IsoWriter<'a, F> {
    out: Builder<'a>,
    /// What is written for x and y.
    xy: F,
}

impl<F: FnMut([f64; 2]) -> [f64; 2]> Visitor for IsoWriter<'_, F> {
    fn begin(&mut self, part: Part) {
        self.out.header(part.kind, part.dims);
        if part.kind != GeometryType::Point {
            self.out.count(part.count);
        }
    }

    fn points(&mut self, part: Part, _ring: usize, points: Points<'_>) {
        if part.kind == GeometryType::Polygon {
            self.out.count(points.len());
        }
        if part.kind == GeometryType::Point && points.len() == 0 {
            self.out.empty_point(part.dims);
        }
        for [x, y, z, m] in points.all() {
            let [x, y] = (self.xy)([x, y]);
            self.out.position([x, y, z, m], part.dims);
        }
    }
}

impl From<&Header> for Dims {
    fn from(header: &Header) -> Self {
        Self {
            z: header.has_z,
            m: header.has_m,
        }
    }
}

#[cfg(test)]
mod tests;
