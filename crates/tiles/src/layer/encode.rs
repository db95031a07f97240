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
        let mut features = Vec::with_capacity(self.parts.coords.len() * 3 + self.rows.len() * 16);
        let mut scratch = Scratch::default();
        let mut repaired = self.repaired.iter().peekable();
        for (number, row) in self.rows.iter().enumerate() {
            scratch.geometry.clear();
            let polygons = repaired.next_if(|(r, _)| *r == number).map(|(_, p)| p);
            self.geometry(row, polygons, &mut scratch.geometry);
            if !scratch.geometry.is_empty() {
                self.feature(row, &mut scratch, &mut features);
            }
        }
        if features.is_empty() {
            return None;
        }
        let mut layer = Vec::with_capacity(features.len() + self.values.bytes().len() + 256);
        layer.push(proto::LAYER_VERSION);
        proto::varint(&mut layer, 2);
        proto::bytes(&mut layer, proto::LAYER_NAME, self.name.as_bytes());
        layer.append(&mut features);
        for key in &self.keys {
            proto::bytes(&mut layer, proto::LAYER_KEY, key.as_bytes());
        }
        layer.extend_from_slice(self.values.bytes());
        layer.push(proto::LAYER_EXTENT);
        proto::varint(&mut layer, u64::from(TILE_EXTENT));
        Some(layer)
    }

    fn feature(&self, row: &Row, scratch: &mut Scratch, out: &mut Vec<u8>) {
        let Scratch {
            feature,
            tags,
            geometry,
        } = scratch;
        feature.clear();
        feature.push(proto::FEATURE_ID);
        proto::varint(feature, row.id);
        if !row.tags.is_empty() {
            tags.clear();
            for &tag in &self.tags[row.tags.clone()] {
                proto::varint32(tags, tag);
            }
            proto::bytes(feature, proto::FEATURE_TAGS, tags);
        }
        let kind = match row.kind {
            WorldKind::Points => 1,
            WorldKind::Lines => 2,
            WorldKind::Polygons => 3,
        };
        feature.extend([proto::FEATURE_TYPE, kind]);
        proto::bytes(feature, proto::FEATURE_GEOMETRY, geometry);
        proto::bytes(out, proto::LAYER_FEATURE, feature);
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
    feature: Vec<u8>,
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
        proto::varint32(self.out, proto::zigzag(p[0] - self.cursor[0]));
        proto::varint32(self.out, proto::zigzag(p[1] - self.cursor[1]));
        self.cursor = p;
    }
}
