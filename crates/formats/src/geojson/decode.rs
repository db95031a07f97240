//! From the text of one feature to a record with values of the schema's types.

use std::borrow::Cow;
use std::path::Path;

use encoding_rs::Encoding;
use model::{GeometryType, Message, PropertyType, Schema, SourceFeature, Value};

use super::feature::{each_property, read_members};
use super::json::{Fault, Parsed, Raw, compact};
use crate::Error;
use crate::error::file_name;
use crate::infer::{Columns, Kind, Names, number_value, text_value};
use crate::reader::{Record, Rejection, Shape};

/// The text of a record.
///
/// # Errors
/// When it is not UTF-8 and no other encoding was named (RFC 8259 §8.1): the wrong guess would spoil every name.
pub(super) fn text<'a>(
    bytes: &'a [u8],
    at: u64,
    encoding: Option<&'static Encoding>,
    path: &Path,
) -> Result<Cow<'a, str>, Error> {
    if let Some(encoding) = encoding {
        return Ok(encoding.decode_without_bom_handling(bytes).0);
    }
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|e| {
        Message::new("formats.not-utf8-file")
            .with("file", file_name(path))
            .with("position", at + e.valid_up_to() as u64)
            .into()
    })
}

/// What the first pass learns.
#[derive(Default)]
pub(super) struct Inference {
    columns: Columns,
    pub(super) shape: Shape,
    pub(super) records: u64,
    wkb: Vec<u8>,
    kinds: Vec<(usize, usize, Kind)>,
}

impl Inference {
    /// Looks at one record. A fault is a rejection of the second pass; such a record teaches nothing.
    pub(super) fn observe(&mut self, text: &str) -> Result<Parsed<()>, Error> {
        self.records += 1;
        let members = match read_members(text, &mut self.wkb) {
            Ok(members) => members,
            Err(fault) => return Ok(Err(fault)),
        };
        self.kinds.clear();
        let mut hint = 0;
        let mut fatal = None;
        let properties = each_property(members.properties, |at, name, raw| {
            let kind = kind(&raw).ok_or_else(|| too_large(at, &name))?;
            match self.columns.observe(&name, hint, Kind::Null) {
                Ok(column) => {
                    self.kinds.push((column, at, kind));
                    hint = column + 1;
                    Ok(())
                }
                Err(error) => {
                    fatal = Some(error);
                    Err(Fault::new(at, "formats.too-many-properties"))
                }
            }
        });
        if let Some(error) = fatal {
            return Err(error);
        }
        if let Err(fault) = properties {
            return Ok(Err(fault));
        }
        for &(column, _, kind) in &self.kinds {
            self.columns.add(column, kind);
        }
        if members.has_geometry {
            self.shape.add(&self.wkb);
        }
        Ok(Ok(()))
    }

    pub(super) fn finish(self) -> (Decoder, Schema, Vec<Message>) {
        let (schema, names, notes) = self.columns.finish();
        let kinds = schema.properties.iter().map(|p| p.kind).collect();
        let decoder = Decoder {
            names,
            kinds,
            wkb: Vec::new(),
        };
        (decoder, schema, notes)
    }
}

fn kind(raw: &Raw<'_>) -> Option<Kind> {
    Some(match raw {
        Raw::Null => Kind::Null,
        Raw::Boolean(_) => Kind::Boolean,
        Raw::Number(literal) => Kind::of_number(literal)?,
        Raw::String(text) => Kind::of_text(text),
        Raw::Nested(_) => Kind::Nested,
    })
}

fn too_large(at: usize, name: &str) -> Fault {
    Fault {
        field: Some(name.to_owned()),
        ..Fault::new(at, "formats.json-number-too-large")
    }
}

/// Turns records into features of a known schema.
pub(super) struct Decoder {
    names: Names,
    kinds: Vec<PropertyType>,
    wkb: Vec<u8>,
}

impl Decoder {
    /// `at` is the record's offset in the file, for messages.
    pub(super) fn decode(&mut self, text: &str, record: u64, at: u64) -> Record {
        match self.feature(text, record) {
            Ok(feature) => Record::Feature(feature),
            Err(fault) => Record::Rejected(Rejection {
                record,
                field: fault.field,
                reason: fault.reason.with("position", at + fault.at as u64),
            }),
        }
    }

    fn feature(&mut self, text: &str, record: u64) -> Parsed<SourceFeature> {
        let members = read_members(text, &mut self.wkb)?;
        let mut values = vec![Value::Null; self.kinds.len()];
        let mut hint = 0;
        each_property(members.properties, |at, name, raw| {
            let changed = || Fault {
                field: Some(name.clone().into_owned()),
                ..Fault::new(at, "formats.file-changed")
            };
            let column = self.names.find(&name, hint).ok_or_else(changed)?;
            hint = column + 1;
            if let Raw::Number(literal) = &raw
                && Kind::of_number(literal).is_none()
            {
                return Err(too_large(at, &name));
            }
            values[column] = value(self.kinds[column], raw).ok_or_else(changed)?;
            Ok(())
        })?;
        Ok(SourceFeature {
            record,
            id: members.id,
            geometry: members.has_geometry.then(|| self.wkb.clone()),
            properties: values,
        })
    }
}

fn value(kind: PropertyType, raw: Raw<'_>) -> Option<Value> {
    match (kind, raw) {
        (_, Raw::Null) => Some(Value::Null),
        (PropertyType::Boolean, Raw::Boolean(b)) => Some(Value::Boolean(b)),
        (PropertyType::Text, Raw::Boolean(b)) => Some(Value::Text(b.to_string().into())),
        (PropertyType::Text, Raw::Nested(text)) => Some(Value::Text(compact(text).into())),
        (_, Raw::Number(literal)) => number_value(kind, literal),
        (_, Raw::String(text)) => text_value(kind, text),
        _ => None,
    }
}

/// The geometry type of a layer whose features have shown none.
pub(super) fn layer_type(shape: &Shape) -> GeometryType {
    shape.kind.unwrap_or(GeometryType::Geometry)
}
