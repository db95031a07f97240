//! Finding canaries in whatever bytes an answer has.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use model::world::project;
use tiles::TileCoord;
use tiles::decode::{self, Geometry, Value};

use crate::planted::{Kind, LETTERS, MARK, MARK_LATIN, Plants};
use crate::town::Answer;

/// The canaries of a town, by what they are found by.
pub(crate) struct Scanner {
    words: BTreeMap<String, usize>,
    numbers: BTreeMap<String, usize>,
    /// Longitudes and latitudes.
    degrees: Vec<(f64, usize)>,
    places: Vec<([f64; 2], usize)>,
}

impl Scanner {
    pub(crate) fn new(plants: &Plants) -> Self {
        let mut scanner = Self {
            words: BTreeMap::new(),
            numbers: BTreeMap::new(),
            degrees: Vec::new(),
            places: Vec::new(),
        };
        for (i, canary) in plants.all.iter().enumerate() {
            match canary.kind {
                Kind::Place => {
                    scanner.places.push((canary.place, i));
                    scanner
                        .degrees
                        .extend(canary.place.map(|degrees| (degrees, i)));
                }
                Kind::Number => {
                    scanner.numbers.insert(canary.text.clone(), i);
                }
                _ => {
                    let before = scanner.words.insert(canary.text.clone(), i);
                    assert_eq!(before, None, "two canaries are {}", canary.text);
                }
            }
        }
        scanner
    }

    /// The canaries in an answer: in its head and, whatever its coding, in its body.
    pub(crate) fn answer(&self, answer: &Answer) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for (name, value) in &answer.headers {
            self.text(name.as_str(), &mut found);
            self.text(&String::from_utf8_lossy(value.as_bytes()), &mut found);
        }
        let body = decoded(answer);
        self.text(&String::from_utf8_lossy(&body), &mut found);
        found
    }

    /// The canaries in a tile.
    pub(crate) fn tile(&self, answer: &Answer, at: TileCoord) -> BTreeSet<usize> {
        let mut found = self.answer(answer);
        let tile = decode::tile(&decoded(answer)).unwrap();
        for layer in &tile.layers {
            self.text(&layer.name, &mut found);
            for key in &layer.keys {
                self.text(key, &mut found);
            }
            for value in &layer.values {
                let text = match value {
                    Value::Text(text) => text.clone(),
                    Value::Float(x) => x.to_string(),
                    Value::Double(x) => x.to_string(),
                    Value::Int(i) | Value::Sint(i) => i.to_string(),
                    Value::Uint(i) => i.to_string(),
                    Value::Bool(b) => b.to_string(),
                };
                self.text(&text, &mut found);
            }
            for feature in &layer.features {
                let vertices: Vec<[i32; 2]> = match &feature.geometry {
                    Geometry::Points(points) => points.clone(),
                    Geometry::Lines(parts) | Geometry::Rings(parts) => parts.concat(),
                };
                for vertex in vertices {
                    self.vertex(vertex, layer.extent, at, &mut found);
                }
            }
        }
        found
    }

    /// Below this zoom a vertex is a place of metres and more, where other features are too.
    pub(crate) const EXACT: u8 = 14;

    fn vertex(&self, [x, y]: [i32; 2], extent: u32, at: TileCoord, found: &mut BTreeSet<usize>) {
        if at.z() < Self::EXACT {
            return;
        }
        // In world units, of which there are 2^32 around the world.
        let side = 2_f64.powi(32 - i32::from(at.z()));
        let of = |tile: u32, pixel: i32| {
            f64::from(tile) * side + f64::from(pixel) * side / f64::from(extent)
        };
        let (east, south) = (of(at.x(), x), of(at.y(), y));
        let near = 1.5 * side / f64::from(extent);
        for ([lon, lat], i) in &self.places {
            let [px, py] = project(*lon, *lat);
            let (dx, dy) = (f64::from(px) - east, f64::from(py) - south);
            if dx.abs() <= near && dy.abs() <= near {
                found.insert(*i);
            }
        }
    }

    /// The canaries in a text, as it is and with its escapes undone.
    pub(crate) fn text(&self, text: &str, found: &mut BTreeSet<usize>) {
        self.plain(text, found);
        let undone = without_escapes(text);
        if undone != text {
            self.plain(&undone, found);
            let twice = without_escapes(&undone);
            if twice != undone {
                self.plain(&twice, found);
            }
        }
        // `739 100 001`, as people write it.
        if text.contains('\u{a0}') || text.contains(',') {
            let joined: String = text
                .chars()
                .filter(|c| !matches!(c, '\u{a0}' | ','))
                .collect();
            self.digits(&joined, found);
        }
    }

    fn plain(&self, text: &str, found: &mut BTreeSet<usize>) {
        let lower = text.to_lowercase();
        for mark in [MARK, MARK_LATIN] {
            for (at, _) in lower.match_indices(mark) {
                let word: String = lower[at..].chars().take(LETTERS).collect();
                found.extend(self.words.get(&word));
            }
        }
        self.digits(&lower, found);
    }

    fn digits(&self, text: &str, found: &mut BTreeSet<usize>) {
        let is_part = |c: char| c.is_ascii_digit() || c == '.';
        for token in text.split(|c| !is_part(c)).filter(|t| t.len() >= 8) {
            found.extend(self.numbers.get(token));
            let Ok(number) = token.parse::<f64>() else {
                continue;
            };
            // Pages write six digits.
            let near = |(degrees, _): &&(f64, usize)| (degrees - number).abs() < 1.1e-6;
            let close = self.degrees.iter().filter(near);
            // `48.8` is no place: other things are at round numbers too.
            let is_exact = |d: f64| (d * 1e4 - (d * 1e4).round()).abs() > 1e-6;
            found.extend(close.filter(|(d, _)| is_exact(*d)).map(|(_, i)| i));
        }
    }
}

/// The body without its coding.
pub(crate) fn decoded(answer: &Answer) -> Vec<u8> {
    let mut out = Vec::new();
    let body = answer.body.as_slice();
    match answer.header("content-encoding") {
        "" => out.extend_from_slice(body),
        "gzip" => {
            flate2::read::GzDecoder::new(body)
                .read_to_end(&mut out)
                .unwrap();
        }
        "br" => {
            brotli::Decompressor::new(body, 4096)
                .read_to_end(&mut out)
                .unwrap();
        }
        "zstd" => out = zstd::stream::decode_all(body).unwrap(),
        other => panic!("{other}"),
    }
    out
}

/// A text with the escapes of URLs, JSON and HTML undone.
pub(crate) fn without_escapes(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let rest = &text.as_bytes()[i..];
        let hex = |range: std::ops::Range<usize>| {
            let digits = std::str::from_utf8(rest.get(range)?).ok()?;
            u32::from_str_radix(digits, 16).ok()
        };
        let entity = || {
            let end = rest.iter().take(10).position(|b| *b == b';')?;
            let name = std::str::from_utf8(&rest[1..end]).ok()?;
            let c = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((c, end + 1))
        };
        let mut push = |c: char| {
            let mut buffer = [0; 4];
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        };
        match rest[0] {
            b'%' if hex(1..3).is_some() => {
                out.push(hex(1..3).unwrap_or(0) as u8);
                i += 3;
            }
            b'\\' if rest.get(1) == Some(&b'u') && hex(2..6).is_some() => {
                push(hex(2..6).and_then(char::from_u32).unwrap_or('\u{fffd}'));
                i += 6;
            }
            b'&' if entity().is_some() => {
                let (c, length) = entity().unwrap_or(('&', 1));
                push(c);
                i += length;
            }
            byte => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn a_canary_is_found_however_it_is_written() {
    let word = crate::planted::word(7, false);
    let percent: String = word.bytes().map(|b| format!("%{b:02X}")).collect();
    let json: String = word
        .chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect();
    let html: String = word
        .chars()
        .map(|c| format!("&#{};", u32::from(c)))
        .collect();
    for text in [
        word.to_uppercase(),
        percent.clone(),
        json,
        html,
        percent.replace('%', "&#37;"),
    ] {
        let undone = without_escapes(&without_escapes(&text));
        assert_eq!(undone.to_lowercase(), word, "{text}");
    }
}
