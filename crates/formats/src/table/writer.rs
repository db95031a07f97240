//! Writing delimited text (RFC 4180): a header, one row a feature, geometry as WKT or coordinates in the last columns.

use model::{Feature, FeatureId, GeometryType, Message, Value};

use super::cell::needs_guard;
use super::write_wkt;
use crate::geojson::Coordinates;
use crate::stream::{Column, free_name};
use crate::wkb::walk::{Part, Points, Visitor, walk};
use crate::{Error, StreamOptions, TableGeometry};

pub(crate) struct CsvEncoder {
    columns: Vec<Column>,
    has_id: bool,
    geometry: Place,
    coordinates: Coordinates,
    /// Byte order mark and names.
    header: Vec<u8>,
}

/// How a row tells its geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    None,
    Wkt,
    /// Two cells, or three with z.
    Coordinates {
        z: bool,
    },
}

impl CsvEncoder {
    /// # Errors
    /// When coordinates are wanted of a layer that is not of points.
    pub(crate) fn new(options: &StreamOptions<'_>) -> Result<Self, Error> {
        let geometry = match options.table_geometry {
            _ if options.skip_geometry => Place::None,
            TableGeometry::Wkt => Place::Wkt,
            TableGeometry::Coordinates if options.geometry_type == GeometryType::Point => {
                Place::Coordinates { z: options.has_z }
            }
            TableGeometry::Coordinates => return Err(not_points()),
        };
        let columns = Column::select(options.schema, options.properties);
        Ok(Self {
            header: header(options, &columns, geometry),
            columns,
            has_id: options.id_column.is_some(),
            geometry,
            coordinates: Coordinates::new(false, options.decimals),
        })
    }

    pub(crate) fn begin(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header);
    }

    /// Appends a row.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        id: &FeatureId,
        feature: &Feature,
    ) -> Result<(), Error> {
        let start = out.len();
        if self.has_id {
            match id {
                FeatureId::Integer(i) => {
                    out.extend_from_slice(itoa::Buffer::new().format(*i).as_bytes());
                }
                FeatureId::Text(text) => put_text(out, text),
            }
            out.push(b',');
        }
        for column in &self.columns {
            put_value(out, column.of(&feature.properties));
            out.push(b',');
        }
        let geometry = feature.geometry.as_deref();
        match (self.geometry, geometry) {
            // Every cell has a comma after it; after the last one there is none.
            (Place::None, _) => {
                if out.len() > start {
                    out.pop();
                }
            }
            (Place::Wkt, None) => {}
            (Place::Wkt, Some(wkb)) => {
                out.push(b'"');
                write_wkt(wkb, out, self.coordinates)?;
                out.push(b'"');
            }
            (Place::Coordinates { z }, wkb) => self.put_coordinates(out, wkb, z)?,
        }
        if out.len() == start {
            // An empty line is no row.
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn put_coordinates(
        &self,
        out: &mut Vec<u8>,
        wkb: Option<&[u8]>,
        has_z: bool,
    ) -> Result<(), Error> {
        let position = wkb.map(point).transpose()?.flatten();
        let mut numbers = zmij::Buffer::new();
        let mut put = |out: &mut Vec<u8>, value: Option<f64>| {
            if let Some(value) = value {
                self.coordinates.put(out, &mut numbers, value);
            }
        };
        put(out, position.map(|p| p.x));
        out.push(b',');
        put(out, position.map(|p| p.y));
        if has_z {
            out.push(b',');
            put(out, position.and_then(|p| p.z));
        }
        Ok(())
    }
}

fn header(options: &StreamOptions<'_>, columns: &[Column], geometry: Place) -> Vec<u8> {
    let mut out = Vec::new();
    if options.byte_order_mark {
        out.extend_from_slice("\u{FEFF}".as_bytes());
    }
    let also: Vec<&str> = options.id_column.into_iter().collect();
    let names = match (geometry, options.crs.is_wgs84()) {
        (Place::None, _) => [].as_slice(),
        (Place::Wkt, _) => &["wkt"],
        (Place::Coordinates { z: false }, true) => &["lon", "lat"],
        (Place::Coordinates { z: true }, true) => &["lon", "lat", "z"],
        (Place::Coordinates { z: false }, false) => &["x", "y"],
        (Place::Coordinates { z: true }, false) => &["x", "y", "z"],
    };
    let names: Vec<String> = names.iter().map(|n| free_name(n, columns, &also)).collect();
    let all = also
        .iter()
        .copied()
        .chain(columns.iter().map(|c| &*c.name))
        .chain(names.iter().map(String::as_str));
    for (i, name) in all.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        put_text(&mut out, name);
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn not_points() -> Error {
    Message::new("formats.table-not-points").into()
}

#[derive(Debug, Clone, Copy)]
struct Position {
    x: f64,
    y: f64,
    z: Option<f64>,
}

/// The position of a point; `None` when it is empty.
fn point(wkb: &[u8]) -> Result<Option<Position>, Error> {
    struct First(Option<Position>);
    impl Visitor for First {
        fn points(&mut self, part: Part, _ring: usize, points: Points<'_>) {
            self.0 = points.all().next().map(|[x, y, z, _]| Position {
                x,
                y,
                z: part.dims.z.then_some(z),
            });
        }
    }
    let mut first = First(None);
    let outer = walk(wkb, &mut first)?;
    if outer.kind != GeometryType::Point {
        return Err(not_points());
    }
    Ok(first.0)
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => {}
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Integer(i) => out.extend_from_slice(itoa::Buffer::new().format(*i).as_bytes()),
        Value::Real(x) if !x.is_finite() => {}
        Value::Real(x) => {
            out.extend_from_slice(zmij::Buffer::new().format_finite(*x).as_bytes());
        }
        Value::Text(text) => put_text(out, text),
    }
}

/// A text cell. Quoted where RFC 4180 §2 asks, and when empty, so that it is not a null.
///
/// A text that looks like a formula gets an apostrophe before it (see [`needs_guard`]), which reading takes away.
/// Numbers are not texts and stay.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let formula = needs_guard(text);
    let special = |b: &u8| matches!(b, b',' | b'"' | b'\n' | b'\r');
    let quoted = text.is_empty()
        || text.starts_with(' ')
        || text.ends_with(' ')
        || text.as_bytes().iter().any(special);
    if quoted {
        out.push(b'"');
    }
    if formula {
        out.push(b'\'');
    }
    if quoted {
        for (i, part) in text.split('"').enumerate() {
            if i > 0 {
                out.extend_from_slice(b"\"\"");
            }
            out.extend_from_slice(part.as_bytes());
        }
        out.push(b'"');
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}
