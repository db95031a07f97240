//! Reading vector tiles, strictly: MVT 2.1 §4 with every count, index and number held against the bytes
//! that are there. Nothing in a tile makes it panic or allocate more than the tile's own size times a small factor.

mod geometry;
pub(crate) mod proto;
mod text;

use proto::{Field, Fields};

/// A decoded tile.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tile {
    pub layers: Vec<Layer>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub version: u32,
    pub name: String,
    pub extent: u32,
    pub keys: Vec<String>,
    pub values: Vec<Value>,
    pub features: Vec<Feature>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    pub id: Option<u64>,
    /// Index of the key and index of the value.
    pub tags: Vec<(u32, u32)>,
    pub geometry: Geometry,
}

/// Vertices in tile pixels, y down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Geometry {
    Points(Vec<[i32; 2]>),
    Lines(Vec<Vec<[i32; 2]>>),
    /// Without the repeated first vertex. Exteriors have a positive area ([`crate::check::group`]).
    Rings(Vec<Vec<[i32; 2]>>),
}

/// A value with the wire type that it had (§4.1).
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Float(f32),
    Double(f64),
    Int(i64),
    Uint(u64),
    Sint(i64),
    Bool(bool),
}

/// Why a tile cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the bytes end inside a field")]
    Truncated,
    #[error("a varint is longer than 64 bits")]
    Varint,
    #[error("a field has another wire type than the schema gives it")]
    WireType,
    #[error("a text is not UTF-8")]
    Utf8,
    #[error("a layer is of version {0}, not 2 (§4.1)")]
    Version(u32),
    #[error("a required field of a layer is missing (§4.1)")]
    MissingField,
    #[error("a value has no type or several (§4.1)")]
    Value,
    #[error("an odd number of tags, or one out of range (§4.2)")]
    Tags,
    #[error("an unknown geometry type (§4.3.4)")]
    GeometryType,
    #[error("a command that may not stand here, or with a wrong count (§4.3.1, §4.3.4)")]
    Command,
    #[error("fewer numbers than the command's count asks for (§4.3.2)")]
    Parameters,
    #[error("a coordinate leaves 32 bits (§4.3.2)")]
    Coordinate,
}

/// Decodes a tile (uncompressed).
///
/// # Errors
/// A [`DecodeError`] for anything that MVT 2.1 does not allow.
pub fn tile(bytes: &[u8]) -> Result<Tile, DecodeError> {
    let mut layers = Vec::new();
    for field in Fields(bytes) {
        if let (3, field) = field? {
            layers.push(layer(field.bytes()?)?);
        }
    }
    Ok(Tile { layers })
}

fn layer(bytes: &[u8]) -> Result<Layer, DecodeError> {
    let (mut version, mut name, mut extent) = (None, None, 4096);
    let (mut keys, mut values, mut features) = (Vec::new(), Vec::new(), Vec::new());
    for field in Fields(bytes) {
        match field? {
            (15, f) => version = Some(f.u32()?),
            (1, f) => name = Some(f.text()?),
            (2, f) => features.push(feature(f.bytes()?)?),
            (3, f) => keys.push(f.text()?),
            (4, f) => values.push(value(f.bytes()?)?),
            (5, f) => extent = f.u32()?,
            _ => {}
        }
    }
    let version = version.ok_or(DecodeError::MissingField)?;
    if version != 2 {
        return Err(DecodeError::Version(version));
    }
    let in_range =
        |&(key, value): &(u32, u32)| (key as usize) < keys.len() && (value as usize) < values.len();
    if !features
        .iter()
        .all(|f: &Feature| f.tags.iter().all(in_range))
    {
        return Err(DecodeError::Tags);
    }
    Ok(Layer {
        version,
        name: name.ok_or(DecodeError::MissingField)?,
        extent,
        keys,
        values,
        features,
    })
}

fn feature(bytes: &[u8]) -> Result<Feature, DecodeError> {
    let (mut id, mut kind) = (None, 0);
    let (mut tags, mut commands) = (Vec::new(), Vec::new());
    for field in Fields(bytes) {
        match field? {
            (1, f) => id = Some(f.varint()?),
            (2, f) => f.packed(&mut tags)?,
            (3, f) => kind = f.u32()?,
            (4, f) => f.packed(&mut commands)?,
            _ => {}
        }
    }
    if tags.len() % 2 != 0 {
        return Err(DecodeError::Tags);
    }
    Ok(Feature {
        id,
        tags: tags.chunks_exact(2).map(|t| (t[0], t[1])).collect(),
        geometry: geometry::decode(kind, &commands)?,
    })
}

fn value(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut value = None;
    for field in Fields(bytes) {
        let next = match field? {
            (1, f) => Value::Text(f.text()?),
            (2, Field::Fixed32(bits)) => Value::Float(f32::from_bits(bits)),
            (3, Field::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
            (2 | 3, _) => return Err(DecodeError::WireType),
            (4, f) => Value::Int(f.varint()?.cast_signed()),
            (5, f) => Value::Uint(f.varint()?),
            (6, f) => Value::Sint(proto::unzigzag(f.varint()?)),
            (7, f) => Value::Bool(f.varint()? != 0),
            _ => continue,
        };
        if value.replace(next).is_some() {
            return Err(DecodeError::Value);
        }
    }
    value.ok_or(DecodeError::Value)
}

impl Layer {
    /// A feature's property by name.
    pub fn property<'a>(&'a self, feature: &Feature, key: &str) -> Option<&'a Value> {
        let (_, value) = feature
            .tags
            .iter()
            .find(|(k, _)| self.keys.get(*k as usize).is_some_and(|k| k == key))?;
        self.values.get(*value as usize)
    }
}

/// The name at the front of an encoded layer, without reading its features.
pub(crate) fn layer_name(layer: &[u8]) -> Option<&str> {
    for field in Fields(layer) {
        if let (1, Field::Bytes(name)) = field.ok()? {
            return str::from_utf8(name).ok();
        }
    }
    None
}
