//! A GeoJSON geometry object straight to WKB (RFC 7946 §3.1).

use model::{GeometryType, Message};

use super::encode::type_name;
use super::json::{Fault, Json, Parsed};
use crate::limits::{MAX_DEPTH, MAX_RING_POINTS, shown};
use crate::wkb::Builder;
use crate::wkb::walk::Dims;

/// Reads the geometry object at the parser's position and puts its WKB into `out`, which is cleared first.
///
/// Positions have x, y and maybe z; further numbers are passed over (RFC 7946 §3.1.1). One geometry has either z in all
/// positions or in none.
pub(super) fn read_geometry(json: &mut Json<'_>, out: &mut Vec<u8>) -> Parsed<()> {
    for z in [false, true] {
        let start = json.mark();
        out.clear();
        let mut reader = GeometryReader {
            out: Builder::new(out),
            dims: Dims { z, m: false },
            positions: 0,
            wants_z: false,
        };
        let result = reader.geometry(json, 0);
        // The first position shows whether there is z, but the header before it tells: then once more, with z.
        if !reader.wants_z {
            return result;
        }
        json.back_to(start);
    }
    Ok(())
}

struct GeometryReader<'a> {
    out: Builder<'a>,
    dims: Dims,
    positions: usize,
    /// The first position has z and the geometry was begun without.
    wants_z: bool,
}

impl GeometryReader<'_> {
    fn geometry(&mut self, json: &mut Json<'_>, depth: usize) -> Parsed<()> {
        if depth >= MAX_DEPTH {
            let reason = Message::new("formats.json-too-deep").with("max", MAX_DEPTH);
            return Err(Fault::from_message(json.position(), reason));
        }
        let start = json.position();
        let mut kind = None;
        let mut content = None;
        json.object(|json, name| {
            match &*name {
                "type" => kind = Some(geometry_type(json)?),
                "coordinates" | "geometries" => {
                    let collection = name == "geometries";
                    match kind {
                        // Usual order: the type is known, so the content is read where it stands.
                        Some(kind) if (kind == GeometryType::GeometryCollection) == collection => {
                            self.content(json, kind, depth)?;
                            content = Some(None);
                        }
                        _ => {
                            json.peek();
                            let at = json.position();
                            content = Some(Some((collection, at, json.skip()?)));
                        }
                    }
                }
                _ => {
                    json.skip()?;
                }
            }
            Ok(())
        })?;
        let Some(kind) = kind else {
            return Err(Fault::new(start, "formats.geometry-type-missing"));
        };
        match content {
            Some(None) => Ok(()),
            Some(Some((collection, at, text)))
                if (kind == GeometryType::GeometryCollection) == collection =>
            {
                self.content(&mut Json::new(text), kind, depth)
                    .map_err(|fault| Fault {
                        at: at + fault.at,
                        ..fault
                    })
            }
            _ => {
                let reason =
                    Message::new("formats.coordinates-missing").with("type", type_name(kind));
                Err(Fault::from_message(start, reason))
            }
        }
    }

    fn content(&mut self, json: &mut Json<'_>, kind: GeometryType, depth: usize) -> Parsed<()> {
        self.out.header(kind, self.dims);
        match kind {
            GeometryType::Point => self.point(json),
            GeometryType::LineString => self.path(json),
            GeometryType::Polygon => self.rings(json),
            GeometryType::MultiPoint => self.parts(json, |reader, json| {
                reader.out.header(GeometryType::Point, reader.dims);
                json.peek();
                let at = json.position();
                let before = reader.positions;
                reader.point(json)?;
                // Only a whole geometry is empty; a part of one is a position.
                if reader.positions == before {
                    return Err(Fault::new(at, "formats.position-too-short"));
                }
                Ok(())
            }),
            GeometryType::MultiLineString => self.parts(json, |reader, json| {
                reader.out.header(GeometryType::LineString, reader.dims);
                reader.path(json)
            }),
            GeometryType::MultiPolygon => self.parts(json, |reader, json| {
                reader.out.header(GeometryType::Polygon, reader.dims);
                reader.rings(json)
            }),
            GeometryType::GeometryCollection | GeometryType::Geometry => {
                self.parts(json, |reader, json| reader.geometry(json, depth + 1))
            }
        }
    }

    fn parts(
        &mut self,
        json: &mut Json<'_>,
        mut each: impl FnMut(&mut Self, &mut Json<'_>) -> Parsed<()>,
    ) -> Parsed<()> {
        let open = self.out.open_count();
        let mut count = 0;
        array(json, |json| {
            count += 1;
            each(self, json)
        })?;
        self.out.close_count(open, count);
        Ok(())
    }

    fn point(&mut self, json: &mut Json<'_>) -> Parsed<()> {
        let mut numbers = Position::default();
        numbers.read(json)?;
        if numbers.count == 0 {
            self.out.empty_point(self.dims);
            return Ok(());
        }
        self.put(numbers, json.position())
    }

    /// RFC 7946 §3.1.4: two or more positions; none at all where the geometry is empty.
    fn path(&mut self, json: &mut Json<'_>) -> Parsed<()> {
        json.peek();
        let at = json.position();
        match self.line(json)? {
            (1, _) => Err(Fault::new(at, "formats.line-too-short")),
            _ => Ok(()),
        }
    }

    fn rings(&mut self, json: &mut Json<'_>) -> Parsed<()> {
        self.parts(json, |reader, json| {
            json.peek();
            let at = json.position();
            let (count, closed) = reader.line(json)?;
            // RFC 7946 §3.1.6: a linear ring has four or more positions, and the first and last are the same.
            if count < 4 {
                let reason = Message::new("formats.ring-too-short").with("count", count);
                return Err(Fault::from_message(at, reason));
            }
            if !closed {
                return Err(Fault::new(at, "formats.json-ring-open"));
            }
            Ok(())
        })
    }

    /// The number of positions, and whether the ends are the same.
    fn line(&mut self, json: &mut Json<'_>) -> Parsed<(usize, bool)> {
        let open = self.out.open_count();
        let (mut count, mut first, mut last) = (0, [0.0; 4], [0.0; 4]);
        array(json, |json| {
            let mut position = Position::default();
            position.read(json)?;
            count += 1;
            if count > MAX_RING_POINTS {
                let reason = Message::new("formats.json-ring-too-long")
                    .with("count", count)
                    .with("max", MAX_RING_POINTS);
                return Err(Fault::from_message(json.position(), reason));
            }
            last = position.numbers;
            if count == 1 {
                first = last;
            }
            self.put(position, json.position())
        })?;
        self.out.close_count(open, count);
        Ok((count, first[..2] == last[..2]))
    }

    fn put(&mut self, position: Position, at: usize) -> Parsed<()> {
        if position.count < 2 {
            return Err(Fault::new(at, "formats.position-too-short"));
        }
        let has_z = position.count > 2;
        if has_z != self.dims.z {
            self.wants_z = has_z && self.positions == 0;
            return Err(Fault::new(at, "formats.json-mixed-dimensions"));
        }
        self.positions += 1;
        self.out.position(position.numbers, self.dims);
        Ok(())
    }
}

#[derive(Default)]
struct Position {
    numbers: [f64; 4],
    count: usize,
}

impl Position {
    fn read(&mut self, json: &mut Json<'_>) -> Parsed<()> {
        array(json, |json| {
            if !matches!(json.peek(), Some(b'-' | b'0'..=b'9')) {
                // `null`, `"1"` and `NaN` are met in the wild.
                return Err(Fault::new(json.position(), "formats.position-not-number"));
            }
            let number = json.float()?;
            // A fourth number may be a measure, but RFC 7946 gives it no meaning.
            if self.count < 3 {
                self.numbers[self.count] = number;
            }
            self.count += 1;
            Ok(())
        })
    }
}

fn array<'a>(json: &mut Json<'a>, each: impl FnMut(&mut Json<'a>) -> Parsed<()>) -> Parsed<()> {
    match json.peek() {
        Some(b'[') => json.array(each),
        Some(_) => Err(Fault::new(json.position(), "formats.coordinates-not-array")),
        None => Err(json.syntax()),
    }
}

fn geometry_type(json: &mut Json<'_>) -> Parsed<GeometryType> {
    let at = json.position();
    if json.peek() != Some(b'"') {
        return Err(Fault::new(at, "formats.geometry-type-missing"));
    }
    let name = json.string()?;
    from_type_name(&name).ok_or_else(|| {
        let reason = Message::new("formats.json-geometry-type").with("type", shown(&name));
        Fault::from_message(at, reason)
    })
}

/// The names of RFC 7946 §1.4 are case-sensitive.
pub(super) fn from_type_name(name: &str) -> Option<GeometryType> {
    GeometryType::ALL
        .into_iter()
        .find(|kind| *kind != GeometryType::Geometry && type_name(*kind) == name)
}
