//! Features straight to GeoJSON bytes, without a tree between.

use model::{FeatureId, GeometryType, Schema, Value};

use super::coordinates::Coordinates;
use crate::Error;
use crate::wkb::walk::{Part, Points, Visitor, walk};

/// Appends one GeoJSON Feature (RFC 7946 §3.2): `type`, `id`, `geometry`, `properties`.
///
/// `geometry` is WKB in longitude/latitude, `None` gives null; `values` are in the schema's order, missing ones null.
/// Coordinates have the shortest text that reads back to the same number; Z is kept, M has no place in GeoJSON.
/// Nothing is appended when it fails. O(bytes).
///
/// # Errors
/// When the WKB is damaged (see [`crate::wkb::check`]).
pub fn write_feature(
    out: &mut Vec<u8>,
    id: &FeatureId,
    geometry: Option<&[u8]>,
    schema: &Schema,
    values: &[Value],
) -> Result<(), Error> {
    let start = out.len();
    out.extend_from_slice(br#"{"type":"Feature","id":"#);
    write_id(out, id);
    out.extend_from_slice(br#","geometry":"#);
    match geometry {
        None => out.extend_from_slice(b"null"),
        Some(wkb) => write_geometry(out, wkb).inspect_err(|_| out.truncate(start))?,
    }
    out.extend_from_slice(br#","properties":"#);
    write_properties(out, schema, values);
    out.push(b'}');
    Ok(())
}

/// Appends a GeoJSON geometry (RFC 7946 §3.1). Nothing is appended when it fails.
///
/// # Errors
/// When the WKB is damaged (see [`crate::wkb::check`]).
pub fn write_geometry(out: &mut Vec<u8>, wkb: &[u8]) -> Result<(), Error> {
    write_geometry_as(out, wkb, Coordinates::default())
}

/// As [`write_geometry`], with coordinates in another order or rounded.
pub(super) fn write_geometry_as(
    out: &mut Vec<u8>,
    wkb: &[u8],
    coordinates: Coordinates,
) -> Result<(), Error> {
    let start = out.len();
    let mut encoder = Encoder {
        out,
        coordinates,
        numbers: zmij::Buffer::new(),
    };
    match walk(wkb, &mut encoder) {
        Ok(_) => Ok(()),
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// Appends the `properties` object: every property of the schema, null where there is no value.
pub fn write_properties(out: &mut Vec<u8>, schema: &Schema, values: &[Value]) {
    out.push(b'{');
    for (i, property) in schema.properties.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_string(out, &property.name);
        out.push(b':');
        write_value(out, values.get(i).unwrap_or(&Value::Null));
    }
    out.push(b'}');
}

/// Appends a value; a real that is not finite (no reader lets one in) gives null, since JSON has no text for it.
pub fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Integer(i) => out.extend_from_slice(itoa::Buffer::new().format(*i).as_bytes()),
        Value::Real(x) if x.is_finite() => {
            out.extend_from_slice(zmij::Buffer::new().format_finite(*x).as_bytes());
        }
        Value::Real(_) => out.extend_from_slice(b"null"),
        Value::Text(text) => write_string(out, text),
    }
}

/// Appends an id: a JSON number or string (RFC 7946 §3.2).
pub fn write_id(out: &mut Vec<u8>, id: &FeatureId) {
    match id {
        FeatureId::Integer(i) => out.extend_from_slice(itoa::Buffer::new().format(*i).as_bytes()),
        FeatureId::Text(text) => write_string(out, text),
    }
}

/// Appends a JSON string with its quotes (RFC 8259 §7).
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    // Without an early exit the compiler looks at many bytes at once, and most texts need no escape.
    let escapes = bytes.iter().fold(false, |any, &b| any | must_escape(b));
    let mut done = 0;
    for (i, &byte) in bytes
        .iter()
        .enumerate()
        .take(if escapes { bytes.len() } else { 0 })
    {
        if !must_escape(byte) {
            continue;
        }
        out.extend_from_slice(&bytes[done..i]);
        done = i + 1;
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            // Quotes and backslashes too: QGIS goes through a text before it reads it as JSON. 3.40 makes a backslash of `\"`,
            // and 4.0 too finds no end of a text that ends with `\\`.
            other => {
                let hex = |n: u8| b"0123456789abcdef"[usize::from(n)];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[hex(other >> 4), hex(other & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[done..]);
    out.push(b'"');
}

fn must_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    coordinates: Coordinates,
    numbers: zmij::Buffer,
}

impl Encoder<'_> {
    fn number(&mut self, value: f64) {
        self.coordinates.put(self.out, &mut self.numbers, value);
    }

    fn position(&mut self, [x, y, z, _]: [f64; 4], has_z: bool) {
        let (x, y) = match self.coordinates.y_first {
            true => (y, x),
            false => (x, y),
        };
        self.out.push(b'[');
        self.number(x);
        self.out.push(b',');
        self.number(y);
        if has_z {
            self.out.push(b',');
            self.number(z);
        }
        self.out.push(b']');
    }
}

/// Whether the geometry has an object of its own in GeoJSON, and not only an array in its parent's.
fn is_object(part: Part) -> bool {
    matches!(part.parent, None | Some(GeometryType::GeometryCollection))
}

impl Visitor for Encoder<'_> {
    fn begin(&mut self, part: Part) {
        if part.index > 0 {
            self.out.push(b',');
        }
        if is_object(part) {
            self.out.extend_from_slice(br#"{"type":""#);
            self.out.extend_from_slice(type_name(part.kind).as_bytes());
            self.out.extend_from_slice(match part.kind {
                GeometryType::GeometryCollection => br#"","geometries":"#.as_slice(),
                _ => br#"","coordinates":"#,
            });
        }
        if part.kind != GeometryType::Point {
            self.out.push(b'[');
        }
    }

    fn points(&mut self, part: Part, ring: usize, points: Points<'_>) {
        if part.kind == GeometryType::Point {
            match points.all().next() {
                Some(position) => self.position(position, part.dims.z),
                None => self.out.extend_from_slice(b"[]"),
            }
            return;
        }
        if part.kind == GeometryType::Polygon {
            if ring > 0 {
                self.out.push(b',');
            }
            self.out.push(b'[');
        }
        for (i, position) in points.all().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.position(position, part.dims.z);
        }
        if part.kind == GeometryType::Polygon {
            self.out.push(b']');
        }
    }

    fn end(&mut self, part: Part) {
        if part.kind != GeometryType::Point {
            self.out.push(b']');
        }
        if is_object(part) {
            self.out.push(b'}');
        }
    }
}

/// The name that GeoJSON uses (RFC 7946 §1.4).
pub(crate) fn type_name(kind: GeometryType) -> &'static str {
    match kind {
        GeometryType::Geometry => "Geometry",
        GeometryType::Point => "Point",
        GeometryType::LineString => "LineString",
        GeometryType::Polygon => "Polygon",
        GeometryType::MultiPoint => "MultiPoint",
        GeometryType::MultiLineString => "MultiLineString",
        GeometryType::MultiPolygon => "MultiPolygon",
        GeometryType::GeometryCollection => "GeometryCollection",
    }
}
