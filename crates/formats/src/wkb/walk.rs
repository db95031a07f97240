//! One pass over WKB that checks everything and hands the parts to a visitor.

use model::{GeometryType, Message};

use crate::Error;
use crate::limits::{MAX_DEPTH, MAX_RING_POINTS};

/// What a visitor is told while a geometry is walked, parts in file order.
///
/// A point and a line give one `points`, a polygon one for each ring; multi parts and collections give their parts
/// between their own `begin` and `end`.
pub(crate) trait Visitor {
    fn begin(&mut self, _part: Part) {}
    /// Positions of a point (one, or none when it is empty), a line, or ring number `ring`.
    fn points(&mut self, part: Part, ring: usize, points: Points<'_>);
    fn end(&mut self, _part: Part) {}
}

/// The geometry that is being walked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) kind: GeometryType,
    /// The multi part or collection around it.
    pub(crate) parent: Option<GeometryType>,
    /// Position in the parent.
    pub(crate) index: usize,
    /// Positions of a line, rings of a polygon, parts of others; 1 for a point.
    pub(crate) count: usize,
    pub(crate) dims: Dims,
}

/// Which values a position has beside x and y.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Dims {
    pub(crate) z: bool,
    pub(crate) m: bool,
}

impl Dims {
    pub(crate) fn values(self) -> usize {
        2 + usize::from(self.z) + usize::from(self.m)
    }
}

/// Positions as they lie in the WKB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Points<'a> {
    bytes: &'a [u8],
    little: bool,
    dims: Dims,
}

impl<'a> Points<'a> {
    pub(crate) fn len(self) -> usize {
        self.bytes.len() / (8 * self.dims.values())
    }

    /// x and y.
    pub(crate) fn xy(self) -> impl ExactSizeIterator<Item = [f64; 2]> + use<'a> {
        let little = self.little;
        self.bytes
            .chunks_exact(8 * self.dims.values())
            .map(move |p| [number(p, 0, little), number(p, 1, little)])
    }

    /// All values; those that the geometry lacks are 0. Order: x, y, then z, then m.
    pub(crate) fn all(self) -> impl ExactSizeIterator<Item = [f64; 4]> + use<'a> {
        let Self { little, dims, .. } = self;
        self.bytes
            .chunks_exact(8 * dims.values())
            .map(move |p| match (dims.z, dims.m) {
                (false, false) => [number(p, 0, little), number(p, 1, little), 0.0, 0.0],
                (false, true) => [
                    number(p, 0, little),
                    number(p, 1, little),
                    0.0,
                    number(p, 2, little),
                ],
                (true, m) => [
                    number(p, 0, little),
                    number(p, 1, little),
                    number(p, 2, little),
                    if m { number(p, 3, little) } else { 0.0 },
                ],
            })
    }

    /// Whether the ends are the same position and there are enough positions for a ring (OGC 06-103r4 §6.1.11.1).
    pub(crate) fn is_ring(self) -> bool {
        let mut xy = self.xy();
        let (len, first) = (xy.len(), xy.next());
        len >= 4 && first == xy.last()
    }

    fn finite(self) -> bool {
        self.bytes
            .chunks_exact(8)
            .all(|b| number(b, 0, self.little).is_finite())
    }
}

fn number(bytes: &[u8], index: usize, little: bool) -> f64 {
    let eight = bytes[8 * index..]
        .first_chunk::<8>()
        .expect("positions are cut to whole numbers");
    if little {
        f64::from_le_bytes(*eight)
    } else {
        f64::from_be_bytes(*eight)
    }
}

/// What the outermost geometry says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outer {
    pub(crate) kind: GeometryType,
    pub(crate) dims: Dims,
    pub(crate) srid: Option<u32>,
    /// Whether the bytes are EWKB (type flags in the high bits), not ISO WKB.
    pub(crate) extended: bool,
}

/// Walks a whole WKB value.
///
/// # Errors
/// When the bytes end early or go on after the geometry, the type is unknown or a curve, a count promises more than
/// the bytes left, a position is not finite, parts do not fit their parent, or a cap is passed.
pub(crate) fn walk(bytes: &[u8], visitor: &mut impl Visitor) -> Result<Outer, Error> {
    let mut cursor = Cursor { bytes, pos: 0 };
    let outer = cursor.geometry(visitor, None, 0, 0)?;
    if cursor.pos < bytes.len() {
        return Err(Message::new("formats.wkb-trailing")
            .with("position", cursor.pos)
            .into());
    }
    Ok(outer)
}

/// The type of the outermost geometry, and whether it has Z and M.
///
/// # Errors
/// When the first five bytes are no WKB.
pub(crate) fn outer_type(bytes: &[u8]) -> Result<(GeometryType, bool, bool), Error> {
    let mut cursor = Cursor { bytes, pos: 0 };
    let little = cursor.take(1)? == [1];
    let code = cursor.integer(little)?;
    let (kind, dims, _) = geometry_type(code, 0)?;
    Ok((kind, dims.z, dims.m))
}

struct Cursor<'a> {
    bytes: &'a [u8],
    pos: usize,
}

/// Fewest bytes of a part inside a multi part or collection: byte order, type, and a count of zero.
const MIN_PART_BYTES: usize = 9;

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let left = self.bytes.len() - self.pos;
        if length > left {
            return Err(Message::new("formats.wkb-truncated")
                .with("position", self.bytes.len())
                .into());
        }
        let taken = &self.bytes[self.pos..self.pos + length];
        self.pos += length;
        Ok(taken)
    }

    fn integer(&mut self, little: bool) -> Result<u32, Error> {
        let four = self.take(4)?.first_chunk::<4>().copied();
        let four = four.expect("four bytes were taken");
        Ok(if little {
            u32::from_le_bytes(four)
        } else {
            u32::from_be_bytes(four)
        })
    }

    /// A count, checked against the bytes left before anything is done with it.
    fn count(&mut self, little: bool, min_bytes: usize) -> Result<usize, Error> {
        let count = self.integer(little)? as usize;
        let left = self.bytes.len() - self.pos;
        if count > left / min_bytes {
            return Err(Message::new("formats.wkb-count")
                .with("count", count)
                .with("position", self.pos - 4)
                .into());
        }
        Ok(count)
    }

    fn points(
        &mut self,
        visitor: &mut impl Visitor,
        part: Part,
        ring: usize,
        count: usize,
        little: bool,
    ) -> Result<(), Error> {
        let start = self.pos;
        let points = Points {
            bytes: self.take(count * 8 * part.dims.values())?,
            little,
            dims: part.dims,
        };
        // An empty point has no form of its own in WKB; NaN stands for it (OGC 12-128r19, note on Annex G).
        let empty = part.kind == GeometryType::Point
            && points
                .xy()
                .next()
                .is_some_and(|[x, y]| x.is_nan() && y.is_nan());
        if empty {
            let none = Points {
                bytes: &[],
                ..points
            };
            visitor.points(part, ring, none);
            return Ok(());
        }
        if count > MAX_RING_POINTS {
            return Err(Message::new("formats.ring-too-long")
                .with("count", count)
                .with("max", MAX_RING_POINTS)
                .into());
        }
        if !points.finite() {
            return Err(Message::new("formats.coordinate-not-finite")
                .with("position", start)
                .into());
        }
        visitor.points(part, ring, points);
        Ok(())
    }

    fn geometry(
        &mut self,
        visitor: &mut impl Visitor,
        parent: Option<(GeometryType, Dims)>,
        index: usize,
        depth: usize,
    ) -> Result<Outer, Error> {
        if depth >= MAX_DEPTH {
            return Err(Message::new("formats.too-deep")
                .with("max", MAX_DEPTH)
                .into());
        }
        let start = self.pos;
        let little = match self.take(1)? {
            [0] => false,
            [1] => true,
            _ => {
                return Err(Message::new("formats.wkb-byte-order")
                    .with("position", start)
                    .into());
            }
        };
        let code = self.integer(little)?;
        let (kind, dims, extended) = geometry_type(code, start)?;
        let srid = if extended && code & EWKB_SRID != 0 {
            Some(self.integer(little)?)
        } else {
            None
        };
        if let Some((outer, outer_dims)) = parent
            && (!fits(outer, kind) || dims != outer_dims)
        {
            return Err(Message::new("formats.wkb-part")
                .with("part", kind.name())
                .with("whole", outer.name())
                .with("position", start)
                .into());
        }
        let position = 8 * dims.values();
        let count = match kind {
            GeometryType::Point => 1,
            GeometryType::LineString => self.count(little, position)?,
            GeometryType::Polygon => self.count(little, 4)?,
            _ => self.count(little, MIN_PART_BYTES)?,
        };
        let part = Part {
            kind,
            parent: parent.map(|(outer, _)| outer),
            index,
            count,
            dims,
        };
        visitor.begin(part);
        match kind {
            GeometryType::Point | GeometryType::LineString => {
                self.points(visitor, part, 0, count, little)?;
            }
            GeometryType::Polygon => {
                for ring in 0..count {
                    let points = self.count(little, position)?;
                    self.points(visitor, part, ring, points, little)?;
                }
            }
            _ => {
                for index in 0..count {
                    self.geometry(visitor, Some((kind, dims)), index, depth + 1)?;
                }
            }
        }
        visitor.end(part);
        Ok(Outer {
            kind,
            dims,
            srid,
            extended,
        })
    }
}

const EWKB_Z: u32 = 0x8000_0000;
const EWKB_M: u32 = 0x4000_0000;
const EWKB_SRID: u32 = 0x2000_0000;

/// Type, dimensions, and whether the code has EWKB flags (ISO/IEC 13249-3 §5.1.68; EWKB as PostGIS documents it).
fn geometry_type(code: u32, position: usize) -> Result<(GeometryType, Dims, bool), Error> {
    let flags = code & (EWKB_Z | EWKB_M | EWKB_SRID);
    let plain = code & !flags;
    let (thousands, base) = (plain / 1000, plain % 1000);
    let iso = Dims {
        z: thousands == 1 || thousands == 3,
        m: thousands == 2 || thousands == 3,
    };
    let dims = Dims {
        z: iso.z || code & EWKB_Z != 0,
        m: iso.m || code & EWKB_M != 0,
    };
    let kind = GeometryType::from_wkb_code(base)
        .filter(|k| *k != GeometryType::Geometry && thousands <= 3);
    if let Some(kind) = kind {
        return Ok((kind, dims, flags != 0));
    }
    let curve = match base {
        _ if thousands > 3 => None,
        8 => Some("CIRCULARSTRING"),
        9 => Some("COMPOUNDCURVE"),
        10 => Some("CURVEPOLYGON"),
        11 => Some("MULTICURVE"),
        12 => Some("MULTISURFACE"),
        13 => Some("CURVE"),
        14 => Some("SURFACE"),
        15 => Some("POLYHEDRALSURFACE"),
        16 => Some("TIN"),
        17 => Some("TRIANGLE"),
        _ => None,
    };
    Err(match curve {
        Some(name) => Message::new("formats.curve").with("type", name),
        None => Message::new("formats.wkb-type")
            .with("type", code)
            .with("position", position),
    }
    .into())
}

fn fits(outer: GeometryType, part: GeometryType) -> bool {
    match outer {
        GeometryType::MultiPoint => part == GeometryType::Point,
        GeometryType::MultiLineString => part == GeometryType::LineString,
        GeometryType::MultiPolygon => part == GeometryType::Polygon,
        _ => true,
    }
}
