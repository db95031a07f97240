//! A layer's bytes (MVT 2.1 §4.1 to §4.3).

use model::world::WorldKind;

use super::{LayerBuilder, Row};
use crate::TILE_EXTENT;
use crate::geometry::repair::Polygons;
use crate::geometry::{Part, Point, area2};
use crate::proto;

const MOVE_TO: u32 = 1;
const LINE_TO: u32 = 2;
const CLOSE_PATH: u32 = 7;

impl LayerBuilder {
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let (vertices, rows) = (self.parts.coords.len(), self.rows.len());
        let values = self.values.bytes();
        let mut layer = Vec::with_capacity(vertices * 3 + rows * 24 + values.len() + 256);
        layer.push(proto::LAYER_VERSION);
        proto::varint(&mut layer, 2);
        proto::bytes(&mut layer, proto::LAYER_NAME, self.name.as_bytes());
        let head = layer.len();
        let mut scratch = Scratch::default();
        let mut repaired = self.repaired.iter().peekable();
        for (number, row) in self.rows.iter().enumerate() {
            scratch.geometry.clear();
            let polygons = repaired.next_if(|(r, _)| *r == number).map(|(_, p)| p);
            self.geometry(row, polygons, &mut scratch.geometry);
            if !scratch.geometry.is_empty() {
                self.feature(row, &mut scratch, &mut layer);
            }
        }
        if layer.len() == head {
            return None;
        }
        for key in &self.keys {
            proto::bytes(&mut layer, proto::LAYER_KEY, key.as_bytes());
        }
        layer.extend_from_slice(values);
        layer.push(proto::LAYER_EXTENT);
        proto::varint(&mut layer, u64::from(TILE_EXTENT));
        Some(layer)
    }

    fn feature(&self, row: &Row, scratch: &mut Scratch, out: &mut Vec<u8>) {
        let Scratch { tags, geometry } = scratch;
        tags.clear();
        for &tag in &self.tags[row.tags.clone()] {
            proto::varint32(tags, tag);
        }
        let sized = |len: usize| 1 + proto::varint_len(len as u64) + len;
        let id = row.id.map_or(0, |id| 1 + proto::varint_len(id));
        let tagged = if tags.is_empty() {
            0
        } else {
            sized(tags.len())
        };
        out.push(proto::LAYER_FEATURE);
        proto::varint(out, (id + tagged + 2 + sized(geometry.len())) as u64);
        if let Some(id) = row.id {
            out.push(proto::FEATURE_ID);
            proto::varint(out, id);
        }
        if !tags.is_empty() {
            proto::bytes(out, proto::FEATURE_TAGS, tags);
        }
        let kind = match row.kind {
            WorldKind::Points => 1,
            WorldKind::Lines => 2,
            WorldKind::Polygons => 3,
        };
        out.extend([proto::FEATURE_TYPE, kind]);
        proto::bytes(out, proto::FEATURE_GEOMETRY, geometry);
    }

    fn geometry(&self, row: &Row, repaired: Option<&Polygons>, out: &mut Vec<u8>) {
        let mut pen = Pen {
            cursor: [0, 0],
            out,
        };
        if let Some(polygons) = repaired {
            for ring in polygons.iter().flatten() {
                pen.ring(ring.iter().copied());
            }
            return;
        }
        let parts = &self.parts.parts[row.parts.clone()];
        let coords = |part: &Part| part.of(&self.parts.coords).iter().copied();
        match row.kind {
            WorldKind::Points => {
                let count = parts.iter().map(|p| coords(p).len()).sum();
                if count > 0 {
                    pen.command(MOVE_TO, count);
                    parts.iter().flat_map(coords).for_each(|p| pen.to(p));
                }
            }
            WorldKind::Lines => parts.iter().for_each(|part| pen.line(coords(part))),
            WorldKind::Polygons => {
                for part in parts {
                    let ring = part.of(&self.parts.coords);
                    if (area2(ring) < 0) == part.interior {
                        pen.ring(ring.iter().copied());
                    } else {
                        pen.ring(ring.iter().rev().copied());
                    }
                }
            }
        }
    }
}

/// Buffers that each feature uses again.
#[derive(Default)]
struct Scratch {
    tags: Vec<u8>,
    geometry: Vec<u8>,
}

/// Writes command integers and the steps between vertices (§4.3.1, §4.3.2).
struct Pen<'a> {
    cursor: Point,
    out: &'a mut Vec<u8>,
}

impl Pen<'_> {
    fn line(&mut self, mut points: impl ExactSizeIterator<Item = Point>) {
        let Some(first) = points.next() else { return };
        self.command(MOVE_TO, 1);
        self.to(first);
        self.command(LINE_TO, points.len());
        points.for_each(|p| self.to(p));
    }

    fn ring(&mut self, points: impl ExactSizeIterator<Item = Point>) {
        self.line(points);
        // The cursor stays at the last vertex (§4.3.3.3).
        self.command(CLOSE_PATH, 1);
    }

    fn command(&mut self, id: u32, count: usize) {
        // MAX_VERTICES keeps counts below 2^29.
        proto::varint32(self.out, crate::geometry::index(count) << 3 | id);
    }

    fn to(&mut self, p: Point) {
        let [x, y] = [0, 1].map(|k| proto::zigzag(p[k] - self.cursor[k]));
        // Both at once where each is a byte or two, as most are.
        match (x < 0x80, y < 0x80) {
            (true, true) => self.out.extend_from_slice(&[x as u8, y as u8]),
            (true, false) if y < 0x4000 => {
                self.out
                    .extend_from_slice(&[x as u8, y as u8 | 0x80, (y >> 7) as u8]);
            }
            (false, true) if x < 0x4000 => {
                self.out
                    .extend_from_slice(&[x as u8 | 0x80, (x >> 7) as u8, y as u8]);
            }
            _ => {
                proto::varint32(self.out, x);
                proto::varint32(self.out, y);
            }
        }
        self.cursor = p;
    }
}
