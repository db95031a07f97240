//! A geometry as FlatGeobuf lays it out: flat arrays of numbers, with the ends of lines and rings beside.

use flatbuffers::{FlatBufferBuilder, WIPOffset};
use flatgeobuf::{Geometry, GeometryArgs, GeometryType as FgbType};
use model::{Envelope, GeometryType};

use crate::Error;
use crate::wkb::walk::{Dims, Outer, Part, Points, Visitor, walk};

pub(super) fn fgb_type(kind: GeometryType) -> FgbType {
    // Codes 0 to 7 are those of WKB.
    FgbType(kind.wkb_code() as u8)
}

#[derive(Debug, Default)]
pub(super) struct Flat {
    /// `None` stands for any before it is laid out.
    kind: Option<GeometryType>,
    xy: Vec<f64>,
    z: Vec<f64>,
    m: Vec<f64>,
    ends: Vec<u32>,
    parts: Vec<Flat>,
}

impl Flat {
    pub(super) fn kind(&self) -> GeometryType {
        self.kind.unwrap_or(GeometryType::Geometry)
    }

    pub(super) fn build<'b>(&self, b: &mut FlatBufferBuilder<'b>) -> WIPOffset<Geometry<'b>> {
        let parts: Vec<_> = self.parts.iter().map(|part| part.build(b)).collect();
        let parts = (!parts.is_empty()).then(|| b.create_vector(&parts));
        let mut numbers = |list: &[f64]| (!list.is_empty()).then(|| b.create_vector(list));
        let (xy, z, m) = (numbers(&self.xy), numbers(&self.z), numbers(&self.m));
        // A single end says nothing new.
        let ends = (self.ends.len() > 1).then(|| b.create_vector(&self.ends));
        Geometry::create(
            b,
            &GeometryArgs {
                ends,
                xy,
                z,
                m,
                t: None,
                tm: None,
                type_: fgb_type(self.kind()),
                parts,
            },
        )
    }
}

/// Lays geometries out, one after another, in memory that is used again.
pub(super) struct Flattener {
    open: Vec<Flat>,
    done: Option<Flat>,
    /// Empty ones whose arrays have their room still.
    spare: Vec<Flat>,
    envelope: Option<Envelope>,
    dims: Dims,
}

impl Flattener {
    /// `dims` are the layer's: the header promises z and m for all features.
    pub(super) fn new(dims: Dims) -> Self {
        Self {
            open: Vec::new(),
            done: None,
            spare: Vec::new(),
            envelope: None,
            dims,
        }
    }

    /// A single part in a layer of multi parts becomes a multi part of one. The envelope is `None` when there is no position.
    ///
    /// # Errors
    /// When the WKB is damaged.
    pub(super) fn flatten(
        &mut self,
        wkb: &[u8],
        layer: GeometryType,
    ) -> Result<(Outer, Option<Envelope>, &Flat), Error> {
        while let Some(flat) = self.open.pop().or_else(|| self.done.take()) {
            self.recycle(flat);
        }
        self.envelope = None;
        let outer = walk(wkb, self)?;
        let mut flat = match self.done.take() {
            Some(flat) => flat,
            None => self.fresh(layer),
        };
        match (layer, flat.kind()) {
            (GeometryType::MultiPolygon, GeometryType::Polygon) => {
                let mut whole = self.fresh(layer);
                whole.parts.push(flat);
                flat = whole;
            }
            (GeometryType::MultiLineString, GeometryType::LineString)
            | (GeometryType::MultiPoint, GeometryType::Point) => flat.kind = Some(layer),
            _ => {}
        }
        Ok((outer, self.envelope, self.done.insert(flat)))
    }

    fn fresh(&mut self, kind: GeometryType) -> Flat {
        let mut flat = self.spare.pop().unwrap_or_default();
        flat.kind = Some(kind);
        flat
    }

    fn recycle(&mut self, mut flat: Flat) {
        while let Some(part) = flat.parts.pop() {
            self.recycle(part);
        }
        flat.xy.clear();
        flat.z.clear();
        flat.m.clear();
        flat.ends.clear();
        // One geometry of many parts does not keep its memory for ever.
        if self.spare.len() < 64 && flat.xy.capacity() < 1 << 16 {
            self.spare.push(flat);
        }
    }
}

/// Lines and points of multi parts go into the arrays of the whole.
fn is_inside(part: Part) -> bool {
    matches!(
        part.parent,
        Some(GeometryType::MultiLineString | GeometryType::MultiPoint)
    )
}

impl Visitor for Flattener {
    fn begin(&mut self, part: Part) {
        if !is_inside(part) {
            let flat = self.fresh(part.kind);
            self.open.push(flat);
        }
    }

    fn points(&mut self, part: Part, _ring: usize, points: Points<'_>) {
        let Some(flat) = self.open.last_mut() else {
            return;
        };
        for [x, y, z, m] in points.all() {
            flat.xy.extend([x, y]);
            if self.dims.z {
                flat.z.push(z);
            }
            if self.dims.m {
                flat.m.push(m);
            }
            let envelope = self.envelope.get_or_insert(Envelope {
                min: [x, y],
                max: [x, y],
            });
            envelope.min = [envelope.min[0].min(x), envelope.min[1].min(y)];
            envelope.max = [envelope.max[0].max(x), envelope.max[1].max(y)];
        }
        let lines = part.kind == GeometryType::Polygon
            || part.parent == Some(GeometryType::MultiLineString);
        if lines {
            flat.ends
                .push(u32::try_from(flat.xy.len() / 2).unwrap_or(u32::MAX));
        }
    }

    fn end(&mut self, part: Part) {
        if is_inside(part) {
            return;
        }
        let Some(flat) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(whole) => whole.parts.push(flat),
            None => self.done = Some(flat),
        }
    }
}
