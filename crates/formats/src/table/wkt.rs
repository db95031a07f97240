//! Well-known text (OGC 06-103r4 §7) with the prefixes and dimension forms of EWKT, and WKB in hexadecimal digits.

use model::{GeometryType, Message};

use crate::Error;
use crate::geojson::Coordinates;
use crate::limits::{MAX_DEPTH, MAX_RING_POINTS, shown};
use crate::wkb::walk::{Dims, Part, Points, Visitor, walk};
use crate::wkb::{self, Builder};

/// Puts the geometry of a cell into `out`, which is cleared first, and gives the SRID where the text has one.
pub(super) fn read(text: &str, out: &mut Vec<u8>) -> Result<Option<u32>, Message> {
    out.clear();
    let text = text.trim();
    if text.len() >= 10 && text.starts_with(['0']) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return read_hex(text, out);
    }
    let (srid, body) = match text.split_once(';') {
        Some((prefix, body)) => (Some(srid(prefix)?), body),
        None => (None, text),
    };
    let mut parser = Parser {
        text: body,
        bytes: body.as_bytes(),
        pos: 0,
        dims: first_position(body),
        out: Builder::new(out),
    };
    parser.geometry(0)?;
    parser.space();
    if parser.pos < parser.bytes.len() {
        return Err(parser.unreadable());
    }
    Ok(srid)
}

fn srid(prefix: &str) -> Result<u32, Message> {
    let number = prefix
        .get(..5)
        .filter(|p| p.eq_ignore_ascii_case("SRID="))
        .and_then(|_| prefix[5..].trim().parse().ok());
    number.ok_or_else(|| Message::new("formats.wkt-unreadable").with("text", shown(prefix)))
}

fn read_hex(text: &str, out: &mut Vec<u8>) -> Result<Option<u32>, Message> {
    let digit = |b: u8| (b as char).to_digit(16).map_or(0, |d| d as u8);
    let bytes: Vec<u8> = text
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| (digit(pair[0]) << 4) | digit(pair[1]))
        .collect();
    let header = wkb::check(&bytes).map_err(|e| e.message().clone())?;
    wkb::to_iso(&bytes, out).map_err(|e| e.message().clone())?;
    Ok(header.srid)
}

/// The dimensions that the first position's numbers show; a tag in the text may say more.
fn first_position(text: &str) -> Dims {
    let starts = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
    let Some(start) = text.find(starts) else {
        return Dims::default();
    };
    let position = text[start..].split([',', ')']).next().unwrap_or_default();
    match position.split_ascii_whitespace().count() {
        3 => Dims { z: true, m: false },
        4 => Dims { z: true, m: true },
        _ => Dims::default(),
    }
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    dims: Dims,
    out: Builder<'a>,
}

impl Parser<'_> {
    fn space(&mut self) {
        while self
            .bytes
            .get(self.pos)
            .is_some_and(u8::is_ascii_whitespace)
        {
            self.pos += 1;
        }
    }

    fn unreadable(&self) -> Message {
        let rest = self.text.get(self.pos..).unwrap_or_default();
        Message::new("formats.wkt-unreadable").with("text", shown(rest))
    }

    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let there = self.bytes.get(self.pos) == Some(&byte);
        self.pos += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Result<(), Message> {
        if self.take(byte) {
            return Ok(());
        }
        Err(self.unreadable())
    }

    fn word(&mut self) -> &str {
        self.space();
        let start = self.pos;
        while self
            .bytes
            .get(self.pos)
            .is_some_and(u8::is_ascii_alphabetic)
        {
            self.pos += 1;
        }
        &self.text[start..self.pos]
    }

    fn number(&mut self) -> Result<f64, Message> {
        self.space();
        let start = self.pos;
        let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        while self.bytes.get(self.pos).is_some_and(part) {
            self.pos += 1;
        }
        match self.text[start..self.pos].parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            Ok(_) => Err(Message::new("formats.number-not-finite")),
            Err(_) => {
                self.pos = start;
                Err(self.unreadable())
            }
        }
    }

    /// Whether `EMPTY` stands here.
    fn empty(&mut self) -> bool {
        let start = self.pos;
        let empty = self.word().eq_ignore_ascii_case("EMPTY");
        if !empty {
            self.pos = start;
        }
        empty
    }

    fn geometry(&mut self, depth: usize) -> Result<(), Message> {
        if depth >= MAX_DEPTH {
            return Err(Message::new("formats.too-deep").with("max", MAX_DEPTH));
        }
        let kind = self.tag(depth)?;
        self.out.header(kind, self.dims);
        match kind {
            GeometryType::Point => self.point(),
            GeometryType::LineString => self.line(),
            GeometryType::Polygon => self.list(Self::line),
            GeometryType::MultiPoint => self.list(|p| {
                p.out.header(GeometryType::Point, p.dims);
                p.space();
                let bare = !matches!(p.bytes.get(p.pos), Some(b'(' | b'E' | b'e'));
                if bare { p.position() } else { p.point() }
            }),
            GeometryType::MultiLineString => self.list(|p| {
                p.out.header(GeometryType::LineString, p.dims);
                p.line()
            }),
            GeometryType::MultiPolygon => self.list(|p| {
                p.out.header(GeometryType::Polygon, p.dims);
                p.list(Self::line)
            }),
            GeometryType::GeometryCollection | GeometryType::Geometry => {
                self.list(|p| p.geometry(depth + 1))
            }
        }
    }

    /// `POINT`, `POINT Z`, `POINTZM`, …
    fn tag(&mut self, depth: usize) -> Result<GeometryType, Message> {
        let start = self.pos;
        let word = self.word().to_ascii_uppercase();
        let (name, mut suffix) = match GeometryType::from_name(&word) {
            Some(_) => (word.as_str(), String::new()),
            None => {
                let name = word.trim_end_matches(['Z', 'M']);
                (name, word[name.len()..].to_owned())
            }
        };
        let Some(kind) = GeometryType::from_name(name).filter(|k| *k != GeometryType::Geometry)
        else {
            self.pos = start;
            let curve = matches!(
                name,
                "CIRCULARSTRING"
                    | "COMPOUNDCURVE"
                    | "CURVEPOLYGON"
                    | "MULTICURVE"
                    | "MULTISURFACE"
                    | "POLYHEDRALSURFACE"
                    | "TIN"
                    | "TRIANGLE"
                    | "CURVE"
                    | "SURFACE"
            );
            return Err(if curve {
                Message::new("formats.curve").with("type", name)
            } else {
                self.unreadable()
            });
        };
        if suffix.is_empty() {
            let before = self.pos;
            suffix = self.word().to_ascii_uppercase();
            if suffix == "EMPTY" {
                self.pos = before;
                suffix.clear();
            }
        }
        let dims = match suffix.as_str() {
            "" => return Ok(kind),
            "Z" => Dims { z: true, m: false },
            "M" => Dims { z: false, m: true },
            "ZM" => Dims { z: true, m: true },
            _ => {
                self.pos = start;
                return Err(self.unreadable());
            }
        };
        if depth > 0 && dims != self.dims {
            return Err(Message::new("formats.mixed-dimensions"));
        }
        self.dims = dims;
        Ok(kind)
    }

    fn point(&mut self) -> Result<(), Message> {
        if self.empty() {
            self.out.empty_point(self.dims);
            return Ok(());
        }
        self.expect(b'(')?;
        self.position()?;
        self.expect(b')')
    }

    fn position(&mut self) -> Result<(), Message> {
        let mut values = [0.0; 4];
        let (x, y) = (self.number()?, self.number()?);
        (values[0], values[1]) = (x, y);
        if self.dims.z {
            values[2] = self.number()?;
        }
        if self.dims.m {
            values[3] = self.number()?;
        }
        self.out.position(values, self.dims);
        Ok(())
    }

    fn line(&mut self) -> Result<(), Message> {
        self.list(Self::position)
    }

    /// `( each , each … )` or `EMPTY`, after its count.
    fn list(&mut self, each: impl Fn(&mut Self) -> Result<(), Message>) -> Result<(), Message> {
        let open = self.out.open_count();
        if self.empty() {
            return Ok(());
        }
        self.expect(b'(')?;
        let mut count = 0;
        loop {
            each(self)?;
            count += 1;
            if count > MAX_RING_POINTS {
                return Err(Message::new("formats.ring-too-long")
                    .with("count", count)
                    .with("max", MAX_RING_POINTS));
            }
            if !self.take(b',') {
                break;
            }
        }
        self.out.close_count(open, count);
        self.expect(b')')
    }
}

/// Appends WKT with the shortest numbers that read back the same. Nothing is appended when it fails.
///
/// # Errors
/// When the WKB is damaged.
pub(super) fn write(wkb: &[u8], out: &mut Vec<u8>, coordinates: Coordinates) -> Result<(), Error> {
    let start = out.len();
    let mut writer = WktWriter {
        out,
        coordinates,
        numbers: zmij::Buffer::new(),
    };
    if let Err(error) = walk(wkb, &mut writer) {
        out.truncate(start);
        return Err(error);
    }
    Ok(())
}

struct WktWriter<'a> {
    out: &'a mut Vec<u8>,
    coordinates: Coordinates,
    numbers: zmij::Buffer,
}

impl WktWriter<'_> {
    fn positions(&mut self, points: Points<'_>, dims: Dims) {
        for (i, [x, y, z, m]) in points.all().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            let extra = [dims.z.then_some(z), dims.m.then_some(m)];
            for (j, value) in [x, y]
                .into_iter()
                .chain(extra.into_iter().flatten())
                .enumerate()
            {
                if j > 0 {
                    self.out.push(b' ');
                }
                self.coordinates.put(self.out, &mut self.numbers, value);
            }
        }
    }
}

impl Visitor for WktWriter<'_> {
    fn begin(&mut self, part: Part) {
        if part.index > 0 {
            self.out.push(b',');
        }
        if matches!(part.parent, None | Some(GeometryType::GeometryCollection)) {
            self.out.extend_from_slice(part.kind.name().as_bytes());
            self.out
                .extend_from_slice(match (part.dims.z, part.dims.m) {
                    (false, false) => b" ".as_slice(),
                    (true, false) => b" Z ",
                    (false, true) => b" M ",
                    (true, true) => b" ZM ",
                });
        }
        match part.kind {
            GeometryType::Point | GeometryType::LineString => {}
            _ if part.count == 0 => self.out.extend_from_slice(b"EMPTY"),
            _ => self.out.push(b'('),
        }
    }

    fn points(&mut self, part: Part, ring: usize, points: Points<'_>) {
        if ring > 0 {
            self.out.push(b',');
        }
        if points.len() == 0 {
            self.out.extend_from_slice(b"EMPTY");
            return;
        }
        self.out.push(b'(');
        self.positions(points, part.dims);
        self.out.push(b')');
    }

    fn end(&mut self, part: Part) {
        let simple = matches!(part.kind, GeometryType::Point | GeometryType::LineString);
        if !simple && part.count > 0 {
            self.out.push(b')');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(text: &str) -> Result<String, &'static str> {
        let mut wkb = Vec::new();
        read(text, &mut wkb).map_err(|m| m.key())?;
        let mut out = Vec::new();
        write(&wkb, &mut out, Coordinates::default()).map_err(|e| e.message().key())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn every_type_reads_back_as_written() {
        for text in [
            "POINT (24.71 48.92)",
            "POINT EMPTY",
            "POINT Z (1 2 3)",
            "POINT M (1 2 3)",
            "POINT ZM (1 2 3 4)",
            "LINESTRING (0 0,1 1)",
            "LINESTRING EMPTY",
            "POLYGON ((0 0,1 0,1 1,0 0),(0.1 0.1,0.2 0.1,0.2 0.2,0.1 0.1))",
            "POLYGON EMPTY",
            "MULTIPOINT ((0 0),(1 1))",
            "MULTILINESTRING ((0 0,1 1),(2 2,3 3))",
            "MULTIPOLYGON (((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))",
            "MULTIPOLYGON EMPTY",
            "GEOMETRYCOLLECTION (POINT (1 2),LINESTRING (0 0,1 1))",
            "GEOMETRYCOLLECTION Z (POINT Z (1 2 3))",
            "GEOMETRYCOLLECTION EMPTY",
        ] {
            assert_eq!(round(text), Ok(text.to_owned()));
        }
    }

    #[test]
    fn spellings_of_other_programs() {
        for (text, expect) in [
            ("point(1 2)", "POINT (1 2)"),
            ("POINTZ(1 2 3)", "POINT Z (1 2 3)"),
            ("POINT(1 2 3)", "POINT Z (1 2 3)"),
            ("MULTIPOINT(1 2, 3 4)", "MULTIPOINT ((1 2),(3 4))"),
            (
                " POLYGON ( ( 0 0 , 1 0 , 1 1 , 0 0 ) ) ",
                "POLYGON ((0 0,1 0,1 1,0 0))",
            ),
            ("POINT(-1.5e3 +2)", "POINT (-1500 2)"),
            (
                "0101000020E6100000000000000000F03F0000000000000040",
                "POINT (1 2)",
            ),
        ] {
            assert_eq!(round(text), Ok(expect.to_owned()), "{text}");
        }
        let mut wkb = Vec::new();
        assert_eq!(read("SRID=6382;POINT(1 2)", &mut wkb), Ok(Some(6382)));
    }

    #[test]
    fn texts_that_are_no_geometry() {
        for (text, key) in [
            ("", "formats.wkt-unreadable"),
            ("POINT", "formats.wkt-unreadable"),
            ("POINT (1)", "formats.wkt-unreadable"),
            ("POINT (1 2", "formats.wkt-unreadable"),
            ("POINT (1 2) x", "formats.wkt-unreadable"),
            ("POINT (1 NaN)", "formats.number-not-finite"),
            ("POINT (1e999 2)", "formats.number-not-finite"),
            ("LINESTRING (0 0, 1)", "formats.wkt-unreadable"),
            ("CIRCULARSTRING (0 0,1 1,2 2)", "formats.curve"),
            ("SRID=x;POINT(1 2)", "formats.wkt-unreadable"),
            (
                "GEOMETRYCOLLECTION Z (POINT M (1 2 3))",
                "formats.mixed-dimensions",
            ),
            ("0101000000000000000000F03F", "formats.wkb-truncated"),
        ] {
            assert_eq!(round(text), Err(key), "{text}");
        }
        let deep = "GEOMETRYCOLLECTION(".repeat(100_000);
        assert_eq!(round(&deep), Err("formats.too-deep"));
    }
}
