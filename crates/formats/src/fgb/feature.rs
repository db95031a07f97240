//! One layer's header and features as FlatGeobuf's tables.

use flatbuffers::FlatBufferBuilder;
use flatgeobuf::{
    Column as FgbColumn, ColumnArgs, ColumnType, Crs, CrsArgs, Feature as FgbFeature, FeatureArgs,
    Header, HeaderArgs,
};
use model::{Envelope, Feature, FeatureId, GeometryType, Message, PropertyType, Value};

use super::flat::{Flattener, fgb_type};
use crate::stream::Column;
use crate::wkb::walk::Dims;
use crate::{Error, StreamOptions};

/// Encodes the features of a layer, in memory that is used again.
pub(super) struct FeatureEncoder {
    name: String,
    id_column: Option<String>,
    columns: Vec<Column>,
    /// The type that single parts are made to fit.
    pub(super) kind: GeometryType,
    dims: Dims,
    epsg: u32,
    skip_geometry: bool,
    flattener: Flattener,
    builder: FlatBufferBuilder<'static>,
    properties: Vec<u8>,
}

/// One feature's table with its size before it.
pub(super) struct Encoded<'a> {
    pub(super) bytes: &'a [u8],
    /// `None` when there is no geometry or no position in it.
    pub(super) geometry: Option<(GeometryType, Envelope)>,
}

/// What a header tells beyond the layer.
pub(super) struct Contents {
    pub(super) kind: GeometryType,
    pub(super) extent: Option<Envelope>,
    /// 0 stands for unknown.
    pub(super) count: u64,
    /// 0: there is no index.
    pub(super) node_size: u16,
}

impl FeatureEncoder {
    pub(super) fn new(options: &StreamOptions<'_>) -> Self {
        let dims = Dims {
            z: options.has_z,
            m: options.has_m,
        };
        Self {
            name: options.layer_name.to_owned(),
            id_column: options.id_column.map(str::to_owned),
            columns: Column::select(options.schema, options.properties),
            kind: options.geometry_type,
            dims,
            epsg: options.crs.code(),
            skip_geometry: options.skip_geometry,
            flattener: Flattener::new(dims),
            builder: FlatBufferBuilder::new(),
            properties: Vec::new(),
        }
    }

    /// # Errors
    /// When the geometry is damaged or has Z or M that the layer was not told of, a value does not fit its column, or the
    /// size passes 32 bits.
    pub(super) fn encode(
        &mut self,
        id: &FeatureId,
        feature: &Feature,
    ) -> Result<Encoded<'_>, Error> {
        self.put_properties(id, feature)?;
        let b = &mut self.builder;
        b.reset();
        let (mut table, mut geometry) = (None, None);
        let wkb = feature.geometry.as_deref();
        if let Some(wkb) = wkb.filter(|_| !self.skip_geometry) {
            let (outer, envelope, flat) = self.flattener.flatten(wkb, self.kind)?;
            if (outer.dims.z && !self.dims.z) || (outer.dims.m && !self.dims.m) {
                return Err(Message::new("formats.write-dimensions").into());
            }
            // An empty geometry has no form of its own.
            if let Some(envelope) = envelope {
                table = Some(flat.build(b));
                geometry = Some((flat.kind(), envelope));
            }
        }
        let properties = b.create_vector(&self.properties);
        let table = FgbFeature::create(
            b,
            &FeatureArgs {
                geometry: table,
                properties: Some(properties),
                columns: None,
            },
        );
        b.finish_size_prefixed(table, None);
        let bytes = b.finished_data();
        if u32::try_from(bytes.len()).is_err() {
            return Err(Message::new("formats.write-too-large").into());
        }
        Ok(Encoded { bytes, geometry })
    }

    fn put_properties(&mut self, id: &FeatureId, feature: &Feature) -> Result<(), Error> {
        let out = &mut self.properties;
        out.clear();
        let mut number = 0;
        if self.id_column.is_some() {
            match id {
                FeatureId::Integer(i) => put_text(out, 0, itoa::Buffer::new().format(*i)),
                FeatureId::Text(text) => put_text(out, 0, text),
            }
            number = 1;
        }
        for column in &self.columns {
            put_value(out, number, &*column.fit(&feature.properties)?);
            number += 1;
        }
        Ok(())
    }

    /// The header's table with its size before it.
    pub(super) fn header(&self, contents: &Contents) -> Vec<u8> {
        let mut b = FlatBufferBuilder::new();
        let name = b.create_string(&self.name);
        let id = self.id_column.as_deref();
        let properties = self.columns.iter().map(|c| (&*c.name, column_type(c.kind)));
        let columns: Vec<_> = id
            .map(|name| (name, ColumnType::String))
            .into_iter()
            .chain(properties)
            .map(|(name, type_)| {
                let name = b.create_string(name);
                let args = ColumnArgs {
                    name: Some(name),
                    type_,
                    ..ColumnArgs::default()
                };
                FgbColumn::create(&mut b, &args)
            })
            .collect();
        let columns = b.create_vector(&columns);
        let org = b.create_string(model::Crs::epsg(self.epsg).authority());
        let crs = Crs::create(
            &mut b,
            &CrsArgs {
                org: Some(org),
                code: i32::try_from(self.epsg).unwrap_or(0),
                ..CrsArgs::default()
            },
        );
        let envelope = contents
            .extent
            .map(|e| b.create_vector(&[e.min[0], e.min[1], e.max[0], e.max[1]]));
        let header = Header::create(
            &mut b,
            &HeaderArgs {
                name: Some(name),
                envelope,
                geometry_type: fgb_type(contents.kind),
                has_z: self.dims.z,
                has_m: self.dims.m,
                columns: Some(columns),
                features_count: contents.count,
                index_node_size: contents.node_size,
                crs: Some(crs),
                ..HeaderArgs::default()
            },
        );
        b.finish_size_prefixed(header, None);
        b.finished_data().to_vec()
    }
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

/// Appends a value, which is of its column's type: in the bytes of another, all that follows would be misread.
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
