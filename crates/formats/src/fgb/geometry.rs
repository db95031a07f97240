//! FlatGeobuf geometry tables to WKB.

use flatbuffers::Vector;
use flatgeobuf::Geometry;
use model::{GeometryType, Message};

use super::header::geometry_type;
use crate::limits::MAX_DEPTH;
use crate::wkb::Builder;
use crate::wkb::walk::Dims;

/// Appends a geometry of the layer's type, or of its own where the layer has none.
pub(super) fn read(
    geometry: &Geometry<'_>,
    layer_kind: Option<GeometryType>,
    dims: Dims,
    out: &mut Vec<u8>,
) -> Result<(), Message> {
    let kind = match layer_kind {
        Some(kind) => kind,
        None => geometry_type(geometry.type_().0)?,
    };
    put(&mut Builder::new(out), geometry, kind, dims, 0)
}

fn put(
    b: &mut Builder<'_>,
    geometry: &Geometry<'_>,
    kind: GeometryType,
    dims: Dims,
    depth: usize,
) -> Result<(), Message> {
    use GeometryType as T;
    if depth >= MAX_DEPTH {
        return Err(Message::new("formats.too-deep").with("max", MAX_DEPTH));
    }
    b.header(kind, dims);
    match kind {
        T::Point => {
            let coords = Coords::of(geometry, dims)?;
            match coords.count {
                0 => b.empty_point(dims),
                1 => coords.put(b, 0, 1),
                _ => return Err(damaged()),
            }
        }
        T::LineString => {
            let coords = Coords::of(geometry, dims)?;
            b.count(coords.count);
            coords.put(b, 0, coords.count);
        }
        T::MultiPoint => {
            let coords = Coords::of(geometry, dims)?;
            b.count(coords.count);
            for i in 0..coords.count {
                b.header(T::Point, dims);
                coords.put(b, i, i + 1);
            }
        }
        T::Polygon => lines(b, geometry, dims, None)?,
        T::MultiLineString => lines(b, geometry, dims, Some(T::LineString))?,
        T::MultiPolygon => match geometry.parts() {
            Some(parts) => {
                b.count(parts.len());
                for part in parts {
                    put(b, &part, T::Polygon, dims, depth + 1)?;
                }
            }
            // Some writers leave a single part out.
            None if geometry.xy().is_some_and(|xy| !xy.is_empty()) => {
                b.count(1);
                put(b, geometry, T::Polygon, dims, depth + 1)?;
            }
            None => b.count(0),
        },
        T::GeometryCollection | T::Geometry => {
            let parts = geometry.parts();
            b.count(parts.map_or(0, |p| p.len()));
            for part in parts.into_iter().flatten() {
                put(b, &part, geometry_type(part.type_().0)?, dims, depth + 1)?;
            }
        }
    }
    Ok(())
}

/// Rings or lines, by their end indexes; without those there is one.
fn lines(
    b: &mut Builder<'_>,
    geometry: &Geometry<'_>,
    dims: Dims,
    header: Option<GeometryType>,
) -> Result<(), Message> {
    let coords = Coords::of(geometry, dims)?;
    let ends = geometry.ends().filter(|ends| !ends.is_empty());
    let Some(ends) = ends else {
        b.count(usize::from(coords.count > 0));
        if coords.count > 0 {
            if let Some(kind) = header {
                b.header(kind, dims);
            }
            b.count(coords.count);
            coords.put(b, 0, coords.count);
        }
        return Ok(());
    };
    b.count(ends.len());
    let mut start = 0;
    for end in ends {
        let end = end as usize;
        if end < start || end > coords.count {
            return Err(damaged());
        }
        if let Some(kind) = header {
            b.header(kind, dims);
        }
        b.count(end - start);
        coords.put(b, start, end);
        start = end;
    }
    if start != coords.count {
        return Err(damaged());
    }
    Ok(())
}

fn damaged() -> Message {
    Message::new("formats.fgb-geometry")
}

/// The flat coordinate arrays of one geometry, of fitting lengths.
struct Coords<'a> {
    xy: Option<Vector<'a, f64>>,
    z: Option<Vector<'a, f64>>,
    m: Option<Vector<'a, f64>>,
    count: usize,
    dims: Dims,
}

impl<'a> Coords<'a> {
    fn of(geometry: &Geometry<'a>, dims: Dims) -> Result<Self, Message> {
        let xy = geometry.xy();
        let length = xy.map_or(0, |xy| xy.len());
        let count = length / 2;
        let fits = |wanted: bool, values: Option<Vector<'a, f64>>| {
            let values = values.filter(|_| wanted);
            match values {
                _ if !wanted || count == 0 => Ok(None),
                Some(values) if values.len() == count => Ok(Some(values)),
                _ => Err(damaged()),
            }
        };
        if !length.is_multiple_of(2) {
            return Err(damaged());
        }
        Ok(Self {
            xy,
            z: fits(dims.z, geometry.z())?,
            m: fits(dims.m, geometry.m())?,
            count,
            dims,
        })
    }

    /// Positions `start..end`, which are within the arrays.
    fn put(&self, b: &mut Builder<'_>, start: usize, end: usize) {
        let Some(xy) = self.xy else { return };
        for i in start..end {
            let z = self.z.map_or(0.0, |z| z.get(i));
            let m = self.m.map_or(0.0, |m| m.get(i));
            b.position([xy.get(2 * i), xy.get(2 * i + 1), z, m], self.dims);
        }
    }
}
