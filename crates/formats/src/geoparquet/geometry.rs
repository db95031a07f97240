//! The geometry column and the four columns of its boxes.

use model::{Envelope, GeometryType, PropertyType};

use super::column::Buffer;
use crate::Error;
use crate::wkb::Builder;
use crate::wkb::walk::{Dims, Part, Points, Visitor, walk};

/// Geometries as WKB, and for each its box: xmin, ymin, xmax, ymax.
pub(super) struct GeometryColumn {
    wkb: Buffer,
    boxes: [Buffer; 4],
    seen: Seen,
    /// The geometry that is being read.
    scratch: Vec<u8>,
}

/// What the file's metadata tells of all geometries.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) extent: Option<Envelope>,
    /// Whether a type was there, by WKB code, without z and with.
    types: [[bool; 2]; 8],
}

impl Default for GeometryColumn {
    fn default() -> Self {
        Self {
            wkb: Buffer::optional_bytes(),
            boxes: std::array::from_fn(|_| Buffer::optional(PropertyType::Real)),
            seen: Seen::default(),
            scratch: Vec::new(),
        }
    }
}

impl GeometryColumn {
    /// Adds a row and gives its bytes. M is left out, since GeoParquet 1.1 has no place for it.
    ///
    /// # Errors
    /// When the WKB is damaged; nothing is added then.
    pub(super) fn push(&mut self, wkb: Option<&[u8]>) -> Result<usize, Error> {
        let Some(wkb) = wkb else {
            self.boxes.iter_mut().for_each(|b| {
                b.push_null();
            });
            return Ok(self.wkb.push_null() + 8);
        };
        self.scratch.clear();
        let mut writer = WithoutM {
            out: Builder::new(&mut self.scratch),
            envelope: None,
        };
        let outer = walk(wkb, &mut writer)?;
        let envelope = writer.envelope;
        self.seen.add(outer.kind, outer.dims.z, envelope);
        match envelope {
            Some(Envelope { min, max }) => {
                let sides = [min[0], min[1], max[0], max[1]];
                for (buffer, side) in self.boxes.iter_mut().zip(sides) {
                    buffer.push_number(side);
                }
            }
            None => self.boxes.iter_mut().for_each(|b| {
                b.push_null();
            }),
        }
        let bytes = self.wkb.push_text(&self.scratch);
        if self.scratch.capacity() > 1 << 20 {
            // One large geometry does not keep its memory for ever.
            self.scratch = Vec::new();
        }
        Ok(bytes + 40)
    }

    pub(super) fn buffers(&mut self) -> impl Iterator<Item = &mut Buffer> {
        std::iter::once(&mut self.wkb).chain(&mut self.boxes)
    }

    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    pub(super) fn capacity(&self) -> usize {
        let boxes = self.boxes.iter().map(Buffer::capacity).sum::<usize>();
        self.wkb.capacity() + boxes + self.scratch.capacity()
    }
}

impl Seen {
    fn add(&mut self, kind: GeometryType, z: bool, envelope: Option<Envelope>) {
        self.types[kind.wkb_code() as usize & 7][usize::from(z)] = true;
        let Some(new) = envelope else { return };
        let all = self.extent.get_or_insert(new);
        for i in 0..2 {
            all.min[i] = all.min[i].min(new.min[i]);
            all.max[i] = all.max[i].max(new.max[i]);
        }
    }

    /// The types that were there, with z or not.
    pub(super) fn types(&self) -> impl Iterator<Item = (GeometryType, bool)> {
        let of = |(code, z): (usize, usize)| {
            let kind = GeometryType::from_wkb_code(u32::try_from(code).ok()?)?;
            self.types[code][z].then_some((kind, z == 1))
        };
        (0..16).map(|n| (n / 2, n % 2)).filter_map(of)
    }
}

/// Little-endian ISO WKB without M, and the box of x and y.
struct WithoutM<'a> {
    out: Builder<'a>,
    envelope: Option<Envelope>,
}

impl Visitor for WithoutM<'_> {
    fn begin(&mut self, part: Part) {
        self.out.header(part.kind, without_m(part.dims));
        if part.kind != GeometryType::Point {
            self.out.count(part.count);
        }
    }

    fn points(&mut self, part: Part, _ring: usize, points: Points<'_>) {
        let dims = without_m(part.dims);
        if part.kind == GeometryType::Polygon {
            self.out.count(points.len());
        }
        if part.kind == GeometryType::Point && points.len() == 0 {
            self.out.empty_point(dims);
        }
        for position @ [x, y, ..] in points.all() {
            self.out.position(position, dims);
            let all = self.envelope.get_or_insert(Envelope {
                min: [x, y],
                max: [x, y],
            });
            all.min = [all.min[0].min(x), all.min[1].min(y)];
            all.max = [all.max[0].max(x), all.max[1].max(y)];
        }
    }
}

fn without_m(dims: Dims) -> Dims {
    Dims { m: false, ..dims }
}
