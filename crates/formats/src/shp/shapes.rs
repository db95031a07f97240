//! Shape records to WKB.

use model::{GeometryType, Message};

use super::rings::{Ring, group};
use crate::wkb::Builder;
use crate::wkb::walk::Dims;

/// What all shapes of a file are (Technical Description, p. 4), parts being several or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShapeType {
    code: i32,
    pub(super) kind: GeometryType,
    z: bool,
    /// Always (M types), or where the record has room for it (Z types).
    m: bool,
}

impl ShapeType {
    /// # Errors
    /// When the code is unknown or a multipatch, which has no counterpart among plain geometries.
    pub(super) fn new(code: i32) -> Result<Self, Message> {
        let kind = match code {
            // A file of nulls alone.
            0 => GeometryType::Geometry,
            1 | 11 | 21 => GeometryType::Point,
            3 | 13 | 23 => GeometryType::MultiLineString,
            5 | 15 | 25 => GeometryType::MultiPolygon,
            8 | 18 | 28 => GeometryType::MultiPoint,
            31 => return Err(Message::new("formats.curve").with("type", "MULTIPATCH")),
            _ => return Err(Message::new("formats.geometry-type-unknown").with("type", code)),
        };
        Ok(Self {
            code,
            kind,
            z: (11..20).contains(&code),
            m: code > 10,
        })
    }

    pub(super) fn has_z(self) -> bool {
        self.z
    }

    /// M values are certain only in the M types; in Z types the file's header shows whether they are used.
    pub(super) fn needs_m(self) -> bool {
        self.m && !self.z
    }
}

/// A measure below this says that there is none (Technical Description, p. 2).
pub(super) const NO_DATA: f64 = -1e38;

/// Little-endian numbers of one record.
struct Fields<'a> {
    bytes: &'a [u8],
}

fn damaged() -> Message {
    Message::new("formats.shp-record")
}

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Message> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or_else(damaged)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn integer(&mut self) -> Result<i32, Message> {
        let four = self.take(4)?.first_chunk().ok_or_else(damaged)?;
        Ok(i32::from_le_bytes(*four))
    }

    /// A count of things of `size` bytes, held against the bytes left.
    fn count(&mut self, size: usize) -> Result<usize, Message> {
        let count = usize::try_from(self.integer()?).map_err(|_negative| damaged())?;
        if count > self.bytes.len() / size {
            return Err(damaged());
        }
        Ok(count)
    }

    fn numbers(&mut self, count: usize) -> Result<Vec<f64>, Message> {
        let bytes = self.take(8 * count)?;
        let number = |c: &[u8]| c.first_chunk().map_or(0.0, |c| f64::from_le_bytes(*c));
        Ok(bytes.chunks_exact(8).map(number).collect())
    }

    fn points(&mut self, count: usize) -> Result<Vec<[f64; 2]>, Message> {
        let numbers = self.numbers(2 * count)?;
        Ok(numbers.chunks_exact(2).map(|p| [p[0], p[1]]).collect())
    }
}

/// The values of a record beside x and y.
struct Extra {
    z: Vec<f64>,
    m: Vec<f64>,
    dims: Dims,
}

impl Extra {
    /// Z, then M where there is room; each multi shape has a range of two numbers before its values.
    fn read(
        fields: &mut Fields<'_>,
        shape: ShapeType,
        dims: Dims,
        count: usize,
    ) -> Result<Self, Message> {
        let range = if shape.kind == GeometryType::Point {
            0
        } else {
            2
        };
        let mut values = |wanted: bool| -> Result<Vec<f64>, Message> {
            if !wanted {
                return Ok(Vec::new());
            }
            fields.numbers(range)?;
            fields.numbers(count)
        };
        let z = values(shape.z)?;
        // In a Z type the M part is optional.
        let m = if shape.z {
            values(shape.m).unwrap_or_default()
        } else {
            values(shape.m)?
        };
        Ok(Self { z, m, dims })
    }

    fn put(&self, b: &mut Builder<'_>, points: &[[f64; 2]], start: usize) {
        for (i, [x, y]) in points.iter().enumerate() {
            let z = self.z.get(start + i).copied().unwrap_or(0.0);
            let m = self.m.get(start + i).copied().unwrap_or(2.0 * NO_DATA);
            b.position([*x, *y, z, m], self.dims);
        }
    }
}

/// Appends the geometry of one record's content; false for a null shape.
///
/// Lines and polygons are multi parts always, since one file has both and does not tell.
pub(super) fn read(
    content: &[u8],
    shape: ShapeType,
    dims: Dims,
    out: &mut Vec<u8>,
) -> Result<bool, Message> {
    let mut fields = Fields { bytes: content };
    match fields.integer()? {
        0 => return Ok(false),
        code if code == shape.code => {}
        _ => return Err(Message::new("formats.shp-mixed")),
    }
    let b = &mut Builder::new(out);
    match shape.kind {
        GeometryType::Point => {
            let points = fields.points(1)?;
            let extra = Extra::read(&mut fields, shape, dims, 1)?;
            b.header(GeometryType::Point, dims);
            extra.put(b, &points, 0);
        }
        GeometryType::MultiPoint => {
            fields.take(32)?;
            let count = fields.count(16)?;
            let points = fields.points(count)?;
            let extra = Extra::read(&mut fields, shape, dims, count)?;
            b.header(GeometryType::MultiPoint, dims);
            b.count(count);
            for i in 0..count {
                b.header(GeometryType::Point, dims);
                extra.put(b, &points[i..=i], i);
            }
        }
        _ => {
            fields.take(32)?;
            let part_count = fields.count(4)?;
            let point_count = fields.count(16)?;
            let mut starts = Vec::with_capacity(part_count + 1);
            for _ in 0..part_count {
                starts.push(usize::try_from(fields.integer()?).map_err(|_negative| damaged())?);
            }
            starts.push(point_count);
            let first_is_zero = part_count == 0 || starts[0] == 0;
            if !first_is_zero || !starts.is_sorted() || (part_count == 0 && point_count > 0) {
                return Err(damaged());
            }
            let points = fields.points(point_count)?;
            let extra = Extra::read(&mut fields, shape, dims, point_count)?;
            b.header(shape.kind, dims);
            if shape.kind == GeometryType::MultiLineString {
                lines(b, &starts, &points, &extra);
            } else {
                polygons(b, &starts, &points, &extra)?;
            }
        }
    }
    Ok(true)
}

fn lines(b: &mut Builder<'_>, starts: &[usize], points: &[[f64; 2]], extra: &Extra) {
    b.count(starts.len() - 1);
    for part in starts.windows(2) {
        b.header(GeometryType::LineString, extra.dims);
        b.count(part[1] - part[0]);
        extra.put(b, &points[part[0]..part[1]], part[0]);
    }
}

fn polygons(
    b: &mut Builder<'_>,
    starts: &[usize],
    points: &[[f64; 2]],
    extra: &Extra,
) -> Result<(), Message> {
    let rings: Vec<_> = starts
        .windows(2)
        .map(|part| Ring::new(&points[part[0]..part[1]]))
        .collect();
    let grouped = group(&rings)?;
    b.count(grouped.len());
    for polygon in grouped {
        b.header(GeometryType::Polygon, extra.dims);
        b.count(polygon.len());
        for ring in polygon {
            b.count(rings[ring].points.len());
            extra.put(b, rings[ring].points, starts[ring]);
        }
    }
    Ok(())
}
