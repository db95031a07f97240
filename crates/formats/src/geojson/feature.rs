//! One GeoJSON Feature (RFC 7946 §3.2).

use std::borrow::Cow;

use model::{Message, SourceId, Value};

use super::geometry::{from_type_name, read_geometry};
use super::json::{Fault, Json, Parsed, Raw, compact};
use crate::Error;
use crate::infer::Kind;
use crate::limits::{MAX_FEATURE_BYTES, MAX_PROPERTIES, shown};

/// A feature as a client sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedFeature {
    pub id: Option<SourceId>,
    /// Little-endian ISO WKB; `None` for null.
    pub geometry: Option<Vec<u8>>,
    /// In the order of the text; a name that comes twice has its last value. Integers past 64 bits are reals when a
    /// double holds them exactly, else the text of their digits.
    pub properties: Vec<(String, Value)>,
}

/// Reads the body of a request that creates or replaces one feature: a single Feature.
///
/// # Errors
/// When the text is not UTF-8 or not JSON, is no Feature, has a geometry that RFC 7946 does not allow (unclosed ring,
/// missing coordinate, number past the doubles), or passes a cap of [`crate::limits`]. The message has the byte.
pub fn parse_feature(bytes: &[u8]) -> Result<ParsedFeature, Error> {
    if bytes.len() > MAX_FEATURE_BYTES {
        let reason = Message::new("formats.feature-too-large").with("max", MAX_FEATURE_BYTES >> 20);
        return Err(reason.into());
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        Error::from(Message::new("formats.not-utf8").with("position", e.valid_up_to()))
    })?;
    read_feature(text).map_err(|fault| fault.reason.with("position", fault.at).into())
}

pub(super) fn read_feature(text: &str) -> Parsed<ParsedFeature> {
    let mut wkb = Vec::new();
    let members = read_members(text, &mut wkb)?;
    if !members.is_feature {
        return Err(Fault::new(0, "formats.not-a-feature"));
    }
    // Left out, the geometry would be lost: it may stand there alone.
    if let Some(at) = members.place {
        return Err(Fault::new(at, "formats.place-unread"));
    }
    let mut properties: Vec<(String, Value)> = Vec::new();
    each_property(members.properties, |at, name, raw| {
        let value = given_value(at, &name, raw)?;
        if properties.len() >= MAX_PROPERTIES {
            let reason = Message::new("formats.too-many-properties").with("max", MAX_PROPERTIES);
            return Err(Fault::from_message(at, reason));
        }
        match properties.iter_mut().find(|(known, _)| *known == *name) {
            Some((_, known)) => *known = value,
            None => properties.push((name.into_owned(), value)),
        }
        Ok(())
    })?;
    Ok(ParsedFeature {
        id: members.id,
        geometry: members.has_geometry.then_some(wkb),
        properties,
    })
}

/// A value of a property that a client gives; no schema has lists or objects.
pub(super) fn given_value(at: usize, name: &str, raw: Raw<'_>) -> Parsed<Value> {
    if matches!(raw, Raw::Nested(_)) {
        let reason = Message::new("formats.property-nested").with("name", shown(name));
        return Err(Fault::from_message(at, reason));
    }
    free_value(raw).ok_or_else(|| Fault {
        field: Some(name.to_owned()),
        ..Fault::new(at, "formats.json-number-too-large")
    })
}

/// A value without a column that says its type; `None` for a number past the doubles.
pub(super) fn free_value(raw: Raw<'_>) -> Option<Value> {
    Some(match raw {
        Raw::Null => Value::Null,
        Raw::Boolean(b) => Value::Boolean(b),
        Raw::String(text) => Value::Text(text.into_owned().into()),
        Raw::Nested(text) => Value::Text(compact(text).into()),
        Raw::Number(literal) => match Kind::of_number(literal)? {
            Kind::Integer | Kind::LongInteger => Value::Integer(literal.parse().ok()?),
            Kind::Real => Value::Real(literal.parse().ok()?),
            _ => {
                let real: f64 = literal.parse().ok()?;
                if real.is_finite() && format!("{real:.0}") == literal {
                    Value::Real(real)
                } else {
                    Value::Text(literal.into())
                }
            }
        },
    })
}

/// The members of a Feature, or a bare geometry taken as a feature without properties.
pub(super) struct Members<'a> {
    pub(super) is_feature: bool,
    pub(super) id: Option<SourceId>,
    pub(super) has_geometry: bool,
    /// Offset and text of the `properties` object.
    pub(super) properties: Option<(usize, &'a str)>,
    /// Offset of a `place`, the geometry of JSON-FG that comes before `geometry`.
    pub(super) place: Option<usize>,
}

/// Reads one feature or geometry object, alone in its text; the geometry's WKB goes to `wkb`.
pub(super) fn read_members<'a>(text: &'a str, wkb: &mut Vec<u8>) -> Parsed<Members<'a>> {
    let mut json = Json::new(text);
    json.peek();
    let start = json.mark();
    let mut members = Members {
        is_feature: false,
        id: None,
        has_geometry: false,
        properties: None,
        place: None,
    };
    let (mut kind, mut place) = (None, None);
    if json.peek() != Some(b'{') {
        return Err(not_an_object(&mut json));
    }
    json.object(|json, name| {
        match &*name {
            "type" => {
                json.peek();
                let at = json.position();
                match json.value()? {
                    Raw::String(name) => kind = Some((at, name)),
                    _ => return Err(Fault::new(at, "formats.feature-type-missing")),
                }
            }
            "id" => members.id = read_id(json)?,
            "geometry" => match json.peek() {
                Some(b'n') => {
                    json.value()?;
                    members.has_geometry = false;
                }
                Some(b'{') => {
                    read_geometry(json, wkb)?;
                    members.has_geometry = true;
                }
                _ => return Err(Fault::new(json.position(), "formats.geometry-not-object")),
            },
            "properties" => match json.peek() {
                Some(b'n') => {
                    json.value()?;
                    members.properties = None;
                }
                Some(b'{') => members.properties = Some((json.position(), json.skip()?)),
                _ => return Err(Fault::new(json.position(), "formats.properties-not-object")),
            },
            "place" => {
                json.peek();
                let at = json.position();
                if json.value()? != Raw::Null {
                    place = Some(at);
                }
            }
            _ => {
                json.skip()?;
            }
        }
        Ok(())
    })?;
    json.finish()?;
    members.place = place;
    match kind {
        Some((_, name)) if name == "Feature" => members.is_feature = true,
        Some((_, name)) if from_type_name(&name).is_some() => {
            json.back_to(start);
            read_geometry(&mut json, wkb)?;
            members = Members {
                is_feature: false,
                id: None,
                has_geometry: true,
                properties: None,
                place: None,
            };
        }
        Some((at, name)) => {
            let reason = Message::new("formats.feature-type-unknown").with("type", shown(&name));
            return Err(Fault::from_message(at, reason));
        }
        None => return Err(Fault::new(0, "formats.feature-type-missing")),
    }
    Ok(members)
}

fn not_an_object(json: &mut Json<'_>) -> Fault {
    let at = json.position();
    match json.skip() {
        Ok(_) => Fault::new(at, "formats.feature-not-object"),
        Err(fault) => fault,
    }
}

fn read_id(json: &mut Json<'_>) -> Parsed<Option<SourceId>> {
    json.peek();
    let at = json.position();
    Ok(match json.value()? {
        Raw::Null => None,
        Raw::String(text) => Some(SourceId::Text(text.into_owned().into())),
        Raw::Number(literal) => Some(
            literal
                .parse()
                .map_or_else(|_| SourceId::Text(literal.into()), SourceId::Integer),
        ),
        _ => return Err(Fault::new(at, "formats.id-not-scalar")),
    })
}

/// Calls `each` with offset, name and value of every property.
pub(super) fn each_property<'a>(
    properties: Option<(usize, &'a str)>,
    mut each: impl FnMut(usize, Cow<'a, str>, Raw<'a>) -> Parsed<()>,
) -> Parsed<()> {
    let Some((offset, text)) = properties else {
        return Ok(());
    };
    Json::new(text).object(|json, name| {
        json.peek();
        let at = offset + json.position();
        let value = json.value()?;
        each(at, name, value)
    })
}
