//! Writing a FlatGeobuf file with its packed Hilbert R-tree.
//!
//! The index stands before the features, in Hilbert order, so features first go to an unnamed temporary file beside
//! the target. In memory a feature takes 56 bytes until the end.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use flatbuffers::{FlatBufferBuilder, WIPOffset};
use flatgeobuf::packed_r_tree::{NodeItem, PackedRTree, calc_extent, hilbert_sort};
use flatgeobuf::{
    Column, ColumnArgs, ColumnType, Crs, CrsArgs, Feature as FgbFeature, FeatureArgs, Geometry,
    GeometryArgs, GeometryType as FgbType, Header, HeaderArgs,
};
use model::{Feature, FeatureId, GeometryType, Message, PropertyType, Value};

use super::MAGIC;
use crate::wkb::walk::{Dims, Part, Points, Visitor, walk};
use crate::writer::WriteOptions;
use crate::{Error, wkb};

/// Features waiting for their place in the file.
pub(crate) struct FgbWriter {
    waiting: BufWriter<File>,
    /// Envelope of each feature; `offset` is its number until the end.
    nodes: Vec<NodeItem>,
    /// Start and size in the temporary file.
    places: Vec<(u64, u32)>,
    end: u64,
    /// The type that all geometries have so far.
    kind: Option<GeometryType>,
    mixed: bool,
    /// A feature without geometry cannot stand in the index, so then there is none.
    any_null: bool,
    layer: Layer,
    builder: FlatBufferBuilder<'static>,
    properties: Vec<u8>,
}

struct Layer {
    name: String,
    columns: Vec<(String, ColumnType)>,
    id_column: bool,
    kind: GeometryType,
    dims: Dims,
    epsg: u32,
}

impl FgbWriter {
    pub(crate) fn create(folder: &Path, options: &WriteOptions<'_>) -> io::Result<Self> {
        let id = options
            .id_column
            .map(|name| (name.to_owned(), ColumnType::String));
        let properties = options
            .schema
            .properties
            .iter()
            .map(|p| (p.name.clone(), column_type(p.kind)));
        Ok(Self {
            waiting: BufWriter::with_capacity(256 << 10, tempfile::tempfile_in(folder)?),
            nodes: Vec::new(),
            places: Vec::new(),
            end: 0,
            kind: None,
            mixed: false,
            any_null: false,
            layer: Layer {
                name: options.layer_name.to_owned(),
                id_column: id.is_some(),
                columns: id.into_iter().chain(properties).collect(),
                kind: options.geometry_type,
                dims: Dims {
                    z: options.has_z,
                    m: options.has_m,
                },
                epsg: options.crs.code(),
            },
            builder: FlatBufferBuilder::new(),
            properties: Vec::new(),
        })
    }

    pub(crate) fn write(
        &mut self,
        id: &FeatureId,
        feature: &Feature,
        path: &Path,
    ) -> Result<(), Error> {
        let b = &mut self.builder;
        b.reset();
        let mut node = NodeItem::create(self.nodes.len() as u64);
        let mut geometry = None;
        if let Some(bytes) = &feature.geometry {
            let header = wkb::check(bytes)?;
            if (header.has_z && !self.layer.dims.z) || (header.has_m && !self.layer.dims.m) {
                return Err(Message::new("formats.write-dimensions").into());
            }
            if let Some(envelope) = header.envelope {
                node.min_x = envelope.min[0];
                node.min_y = envelope.min[1];
                node.max_x = envelope.max[0];
                node.max_y = envelope.max[1];
                let flat = flatten(bytes, self.layer.kind, self.layer.dims)?;
                self.mixed |= self.kind.is_some_and(|k| k != flat.kind);
                self.kind = Some(flat.kind);
                geometry = Some(flat.build(b));
            }
        }
        self.any_null |= geometry.is_none();
        self.properties.clear();
        let offset = usize::from(self.layer.id_column);
        if self.layer.id_column {
            put_text(&mut self.properties, 0, &id.to_string());
        }
        for (i, value) in feature.properties.iter().enumerate() {
            if i + offset < self.layer.columns.len() {
                put_value(&mut self.properties, i + offset, value);
            }
        }
        let properties = b.create_vector(&self.properties);
        let table = FgbFeature::create(
            b,
            &FeatureArgs {
                geometry,
                properties: Some(properties),
                columns: None,
            },
        );
        b.finish_size_prefixed(table, None);
        let bytes = b.finished_data();
        let size = u32::try_from(bytes.len())
            .map_err(|_too_large| Error::from(Message::new("formats.write-too-large")))?;
        self.waiting
            .write_all(bytes)
            .map_err(|e| Error::write(path, e))?;
        self.places.push((self.end, size));
        self.end += u64::from(size);
        self.nodes.push(node);
        Ok(())
    }

    /// Writes header, index and features to `out`.
    pub(crate) fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        let extent = calc_extent(&self.nodes);
        let indexed = !self.nodes.is_empty() && !self.any_null;
        out.write_all(&MAGIC)?;
        out.write_all(&self.header(&extent, indexed))?;
        if indexed {
            hilbert_sort(&mut self.nodes, &extent);
            let mut at = 0;
            let placed: Vec<NodeItem> = self
                .nodes
                .iter()
                .map(|node| {
                    let mut placed = node.clone();
                    placed.offset = at;
                    at += u64::from(self.places[node.offset as usize].1);
                    placed
                })
                .collect();
            PackedRTree::build(&placed, &extent, PackedRTree::DEFAULT_NODE_SIZE)
                .map_err(io::Error::other)?
                .stream_write(out)?;
        }
        let waiting = self
            .waiting
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let mut buf = Vec::new();
        for node in &self.nodes {
            let (start, size) = self.places[node.offset as usize];
            buf.resize(size as usize, 0);
            waiting.read_exact_at(&mut buf, start)?;
            out.write_all(&buf)?;
        }
        Ok(())
    }

    fn header(&self, extent: &NodeItem, indexed: bool) -> Vec<u8> {
        let mut b = FlatBufferBuilder::new();
        let name = b.create_string(&self.layer.name);
        let columns: Vec<_> = self
            .layer
            .columns
            .iter()
            .map(|(name, kind)| {
                let name = b.create_string(name);
                let args = ColumnArgs {
                    name: Some(name),
                    type_: *kind,
                    ..ColumnArgs::default()
                };
                Column::create(&mut b, &args)
            })
            .collect();
        let columns = b.create_vector(&columns);
        let org = b.create_string("EPSG");
        let crs = Crs::create(
            &mut b,
            &CrsArgs {
                org: Some(org),
                code: i32::try_from(self.layer.epsg).unwrap_or(0),
                ..CrsArgs::default()
            },
        );
        let envelope = extent
            .min_x
            .is_finite()
            .then(|| b.create_vector(&[extent.min_x, extent.min_y, extent.max_x, extent.max_y]));
        let kind = match self.kind {
            Some(kind) if !self.mixed => kind,
            Some(_) => GeometryType::Geometry,
            None => self.layer.kind,
        };
        let header = Header::create(
            &mut b,
            &HeaderArgs {
                name: Some(name),
                envelope,
                geometry_type: fgb_type(kind),
                has_z: self.layer.dims.z,
                has_m: self.layer.dims.m,
                columns: Some(columns),
                features_count: self.nodes.len() as u64,
                index_node_size: if indexed {
                    PackedRTree::DEFAULT_NODE_SIZE
                } else {
                    0
                },
                crs: Some(crs),
                ..HeaderArgs::default()
            },
        );
        b.finish_size_prefixed(header, None);
        b.finished_data().to_vec()
    }
}

fn fgb_type(kind: GeometryType) -> FgbType {
    // Codes 0 to 7 are those of WKB.
    FgbType(kind.wkb_code() as u8)
}

/// There is no date type: dates are date-times without a time, as GDAL reads them.
fn column_type(kind: PropertyType) -> ColumnType {
    match kind {
        PropertyType::Boolean => ColumnType::Bool,
        PropertyType::Integer => ColumnType::Long,
        PropertyType::Real => ColumnType::Double,
        PropertyType::Text => ColumnType::String,
        PropertyType::Date | PropertyType::DateTime => ColumnType::DateTime,
    }
}

/// Column numbers have 16 bits; a schema has at most `MAX_PROPERTIES`.
fn put_column(out: &mut Vec<u8>, column: usize) {
    let column = u16::try_from(column).unwrap_or(u16::MAX);
    out.extend_from_slice(&column.to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, column: usize, text: &str) {
    put_column(out, column);
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, column: usize, value: &Value) {
    match value {
        Value::Null => {}
        Value::Text(text) => put_text(out, column, text),
        Value::Boolean(b) => {
            put_column(out, column);
            out.push(u8::from(*b));
        }
        Value::Integer(i) => {
            put_column(out, column);
            out.extend_from_slice(&i.to_le_bytes());
        }
        Value::Real(x) => {
            put_column(out, column);
            out.extend_from_slice(&x.to_le_bytes());
        }
    }
}

/// A geometry as FlatGeobuf lays it out.
#[derive(Debug)]
struct Flat {
    kind: GeometryType,
    xy: Vec<f64>,
    z: Vec<f64>,
    m: Vec<f64>,
    ends: Vec<u32>,
    parts: Vec<Flat>,
}

impl Flat {
    fn new(kind: GeometryType) -> Self {
        Self {
            kind,
            xy: Vec::new(),
            z: Vec::new(),
            m: Vec::new(),
            ends: Vec::new(),
            parts: Vec::new(),
        }
    }

    fn build<'b>(&self, b: &mut FlatBufferBuilder<'b>) -> WIPOffset<Geometry<'b>> {
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
                type_: fgb_type(self.kind),
                parts,
            },
        )
    }
}

/// Lays a geometry out; a single part in a layer of multi parts becomes a multi part of one.
fn flatten(bytes: &[u8], layer: GeometryType, dims: Dims) -> Result<Flat, Error> {
    let mut flattener = Flattener {
        open: Vec::new(),
        done: None,
        dims,
    };
    walk(bytes, &mut flattener)?;
    let flat = flattener.done.unwrap_or_else(|| Flat::new(layer));
    Ok(match (layer, flat.kind) {
        (GeometryType::MultiPolygon, GeometryType::Polygon) => Flat {
            parts: vec![flat],
            ..Flat::new(layer)
        },
        (GeometryType::MultiLineString, GeometryType::LineString)
        | (GeometryType::MultiPoint, GeometryType::Point) => Flat {
            kind: layer,
            ..flat
        },
        _ => flat,
    })
}

struct Flattener {
    open: Vec<Flat>,
    done: Option<Flat>,
    dims: Dims,
}

impl Visitor for Flattener {
    fn begin(&mut self, part: Part) {
        // Lines and points of multi parts go into the arrays of the whole.
        let inside = matches!(
            part.parent,
            Some(GeometryType::MultiLineString | GeometryType::MultiPoint)
        );
        if !inside {
            self.open.push(Flat::new(part.kind));
        }
    }

    fn points(&mut self, part: Part, _ring: usize, points: Points<'_>) {
        let Some(flat) = self.open.last_mut() else {
            return;
        };
        for [x, y, z, m] in points.all() {
            flat.xy.extend([x, y]);
            // The header promises z and m for all features.
            if self.dims.z {
                flat.z.push(z);
            }
            if self.dims.m {
                flat.m.push(m);
            }
        }
        let lines = part.kind == GeometryType::Polygon
            || part.parent == Some(GeometryType::MultiLineString);
        if lines {
            flat.ends
                .push(u32::try_from(flat.xy.len() / 2).unwrap_or(u32::MAX));
        }
    }

    fn end(&mut self, part: Part) {
        let inside = matches!(
            part.parent,
            Some(GeometryType::MultiLineString | GeometryType::MultiPoint)
        );
        if inside {
            return;
        }
        let Some(flat) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(whole) => whole.parts.push(flat),
            None => self.done = Some(flat),
        }
    }
}
