//! Changes as clients send them: a merge patch of a feature (RFC 7396), several features, a transaction.

use model::{Message, Value};

use super::feature::{given_value, read_feature};
use super::geometry::read_geometry;
use super::json::{Fault, Json, Parsed, Raw};
use super::{ParsedFeature, each_property};
use crate::Error;
use crate::limits::{MAX_PROPERTIES, shown};

/// What of a feature is to be another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParsedPatch {
    /// Little-endian ISO WKB, `Some(None)` for null; `None` leaves the geometry as it is.
    pub geometry: Option<Option<Vec<u8>>>,
    /// As in [`ParsedFeature`]; null unsets a property.
    pub properties: Vec<(String, Value)>,
    /// Where in an action of a transaction each of them stands, as JSON Pointers.
    pub places: Vec<String>,
}

/// A body that adds features.
#[derive(Debug, Clone, PartialEq)]
pub enum ParsedFeatures {
    One(ParsedFeature),
    /// A `FeatureCollection`; each feature, or why it can't be read.
    Many(Vec<Result<ParsedFeature, Message>>),
}

/// A transaction in the JSON of OGC API Features Part 11 (OGC 26-018, draft).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParsedTransaction {
    /// All actions or none; else each by itself.
    pub is_atomic: bool,
    pub description: Option<String>,
    pub actions: Vec<ParsedAction>,
}

/// An action of a transaction, as far as its members are readable.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParsedAction {
    pub action: String,
    pub collection: String,
    /// Of `insert`.
    pub items: Vec<Result<ParsedFeature, Message>>,
    /// Of `replace`.
    pub feature: Option<Result<ParsedFeature, Message>>,
    /// Of `update`.
    pub patch: Option<Result<ParsedPatch, Message>>,
    /// The text of `filter`: an object, or a string with its quotes.
    pub filter: Option<String>,
    pub filter_lang: Option<String>,
    pub filter_crs: Option<String>,
    /// Entity tags that the features must have, in the order of the filter's ids; one stands for the only id.
    pub if_match: Vec<String>,
}

/// Reads a merge patch of a feature.
///
/// # Errors
/// As [`super::parse_feature`].
pub fn parse_patch(bytes: &[u8]) -> Result<ParsedPatch, Error> {
    let text = as_text(bytes)?;
    patch(text).map_err(told)
}

/// Reads the body of a request that adds one feature, or several.
///
/// # Errors
/// As [`super::parse_feature`]; what is wrong with one of several features stands with it.
pub fn parse_features(bytes: &[u8], most: usize) -> Result<ParsedFeatures, Error> {
    let text = as_text(bytes)?;
    let mut json = Json::new(text);
    let (mut is_collection, mut features) = (false, None);
    // What is no object is told by the reader of a feature.
    if json.peek() == Some(b'{') {
        json.object(|json, name| {
            match &*name {
                "type" => is_collection = json.value()? == Raw::String("FeatureCollection".into()),
                "features" if json.peek() == Some(b'[') => {
                    features = Some((json.position(), json.skip()?));
                }
                _ => {
                    json.skip()?;
                }
            }
            Ok(())
        })
        .and_then(|()| json.finish())
        .map_err(told)?;
    }
    if !is_collection {
        return super::parse_feature(bytes).map(ParsedFeatures::One);
    }
    let Some((at, list)) = features else {
        return Err(Message::new("formats.features-missing")
            .with("file", "FeatureCollection")
            .into());
    };
    let mut all = Vec::new();
    each(list, most, |offset, text| {
        all.push(feature(text, at + offset));
    })
    .map_err(|fault| told(moved(fault, at)))?;
    Ok(ParsedFeatures::Many(all))
}

/// Reads a transaction of so many actions, and so many features in each, at most.
///
/// # Errors
/// For what is no transaction; what is wrong within an action stands with it.
pub fn parse_transaction(bytes: &[u8], most: usize) -> Result<ParsedTransaction, Error> {
    let text = as_text(bytes)?;
    let mut parsed = ParsedTransaction {
        is_atomic: true,
        ..ParsedTransaction::default()
    };
    let mut has_actions = false;
    let mut json = Json::new(text);
    let mut left = most;
    let read = json.object(|json, name| {
        match &*name {
            "semantic" => {
                json.peek();
                let at = json.position();
                parsed.is_atomic = match json.value()? {
                    Raw::String(text) if text == "atomic" => true,
                    Raw::String(text) if text == "batch" => false,
                    _ => return Err(Fault::new(at, "formats.transaction-semantic")),
                };
            }
            "description" => parsed.description = optional_text(json)?,
            "transaction" => {
                has_actions = true;
                json.array(|json| {
                    if left == 0 {
                        return Err(too_many(json.position(), most));
                    }
                    let action = action(json, left)?;
                    left = left.saturating_sub(action.items.len().max(1));
                    parsed.actions.push(action);
                    Ok(())
                })?;
            }
            _ => {
                json.skip()?;
            }
        }
        Ok(())
    });
    read.and_then(|()| json.finish()).map_err(told)?;
    if !has_actions {
        return Err(Message::new("formats.transaction-missing").into());
    }
    Ok(parsed)
}

fn action(json: &mut Json<'_>, most: usize) -> Parsed<ParsedAction> {
    let mut parsed = ParsedAction::default();
    json.object(|json, name| {
        match &*name {
            "action" => parsed.action = optional_text(json)?.unwrap_or_default(),
            "collection" => parsed.collection = optional_text(json)?.unwrap_or_default(),
            "filter-lang" => parsed.filter_lang = optional_text(json)?,
            "filter-crs" => parsed.filter_crs = optional_text(json)?,
            "filter" => parsed.filter = Some(json.skip()?.to_owned()),
            "if-match" => parsed.if_match = texts(json)?,
            "items" => {
                json.peek();
                let at = json.position();
                let list = json.skip()?;
                each(list, most, |offset, text| {
                    parsed.items.push(feature(text, at + offset));
                })
                .map_err(|fault| moved(fault, at))?;
            }
            "properties" => {
                json.object(|json, name| {
                    json.peek();
                    let at = json.position();
                    match &*name {
                        "feature" => parsed.feature = Some(feature(json.skip()?, at)),
                        "add" | "modify" | "delete" => {
                            let text = json.skip()?;
                            let so_far = parsed.patch.take().unwrap_or(Ok(ParsedPatch::default()));
                            parsed.patch = Some(so_far.and_then(|mut patch| {
                                pairs(text, &name, &mut patch)
                                    .map_err(|fault| explained(&moved(fault, at)))?;
                                Ok(patch)
                            }));
                        }
                        _ => {
                            json.skip()?;
                        }
                    }
                    Ok(())
                })?;
            }
            _ => {
                json.skip()?;
            }
        }
        Ok(())
    })?;
    Ok(parsed)
}

/// `[{"name":"a","value":1}]`, or for `delete` `["a"]`.
fn pairs(text: &str, member: &str, patch: &mut ParsedPatch) -> Parsed<()> {
    let mut json = Json::new(text);
    let mut count = 0;
    json.array(|json| {
        let place = format!("/properties/{member}/{count}");
        count += 1;
        json.peek();
        let at = json.position();
        if member == "delete" {
            let Raw::String(name) = json.value()? else {
                return Err(Fault::new(at, "formats.transaction-pair"));
            };
            return set(patch, at, &name, Json::new("null"), place);
        }
        let (mut name, mut value) = (None, None);
        json.object(|json, member| {
            json.peek();
            let at = json.position();
            match &*member {
                "name" => match json.value()? {
                    Raw::String(text) => name = Some(text),
                    _ => return Err(Fault::new(at, "formats.transaction-pair")),
                },
                "value" => value = Some((at, json.skip()?)),
                _ => {
                    json.skip()?;
                }
            }
            Ok(())
        })?;
        let (Some(name), Some((at, value))) = (name, value) else {
            return Err(Fault::new(at, "formats.transaction-pair"));
        };
        set(patch, at, &name, Json::new(value), place + "/value").map_err(|fault| moved(fault, at))
    })?;
    json.finish()
}

fn set(
    patch: &mut ParsedPatch,
    at: usize,
    name: &str,
    mut value: Json<'_>,
    place: String,
) -> Parsed<()> {
    if name == "geometry" {
        patch.geometry = Some(geometry(&mut value)?);
        return Ok(());
    }
    let value = given_value(at, name, value.value()?)?;
    put(&mut patch.properties, at, name, value)?;
    let position = patch.properties.iter().position(|(known, _)| known == name);
    if let Some(position) = position {
        patch.places.resize(patch.properties.len(), String::new());
        patch.places[position] = place;
    }
    Ok(())
}

fn put(properties: &mut Vec<(String, Value)>, at: usize, name: &str, value: Value) -> Parsed<()> {
    match properties.iter().position(|(known, _)| *known == name) {
        Some(known) => properties[known].1 = value,
        None if properties.len() >= MAX_PROPERTIES => {
            let reason = Message::new("formats.too-many-properties").with("max", MAX_PROPERTIES);
            return Err(Fault::from_message(at, reason));
        }
        None => properties.push((name.to_owned(), value)),
    }
    Ok(())
}

fn patch(text: &str) -> Parsed<ParsedPatch> {
    let mut patch = ParsedPatch::default();
    let mut json = Json::new(text);
    json.peek();
    if json.peek() != Some(b'{') {
        return Err(Fault::new(json.position(), "formats.feature-not-object"));
    }
    json.object(|json, name| {
        match &*name {
            "geometry" => patch.geometry = Some(geometry(json)?),
            "properties" => match json.peek() {
                Some(b'{') => {
                    let at = json.position();
                    let text = json.skip()?;
                    each_property(Some((at, text)), |at, name, raw| {
                        let value = given_value(at, &name, raw)?;
                        put(&mut patch.properties, at, &name, value)
                    })?;
                }
                _ => return Err(Fault::new(json.position(), "formats.properties-not-object")),
            },
            // What a client repeats of the feature as it was served.
            "type" => {
                json.peek();
                let at = json.position();
                if json.value()? != Raw::String("Feature".into()) {
                    return Err(Fault::new(at, "formats.not-a-feature"));
                }
            }
            "id" | "links" | "bbox" => {
                json.skip()?;
            }
            other => {
                let reason = Message::new("formats.patch-member").with("name", shown(other));
                return Err(Fault::from_message(json.position(), reason));
            }
        }
        Ok(())
    })?;
    json.finish()?;
    Ok(patch)
}

fn geometry(json: &mut Json<'_>) -> Parsed<Option<Vec<u8>>> {
    match json.peek() {
        Some(b'n') => {
            json.value()?;
            Ok(None)
        }
        Some(b'{') => {
            let mut wkb = Vec::new();
            read_geometry(json, &mut wkb)?;
            Ok(Some(wkb))
        }
        _ => Err(Fault::new(json.position(), "formats.geometry-not-object")),
    }
}

/// Calls `give` with offset and text of each element of a list.
fn each(list: &str, most: usize, mut give: impl FnMut(usize, &str)) -> Parsed<()> {
    let mut json = Json::new(list);
    let mut count = 0;
    json.array(|json| {
        json.peek();
        let at = json.position();
        let text = json.skip()?;
        count += 1;
        if count > most {
            return Err(too_many(at, most));
        }
        give(at, text);
        Ok(())
    })?;
    json.finish()
}

fn too_many(at: usize, most: usize) -> Fault {
    Fault::from_message(
        at,
        Message::new("formats.too-many-actions").with("max", most),
    )
}

fn feature(text: &str, at: usize) -> Result<ParsedFeature, Message> {
    read_feature(text).map_err(|fault| explained(&moved(fault, at)))
}

fn optional_text(json: &mut Json<'_>) -> Parsed<Option<String>> {
    json.peek();
    let at = json.position();
    match json.value()? {
        Raw::Null => Ok(None),
        Raw::String(text) => Ok(Some(text.into_owned())),
        _ => Err(Fault::new(at, "formats.not-a-text")),
    }
}

fn texts(json: &mut Json<'_>) -> Parsed<Vec<String>> {
    let mut all = Vec::new();
    if json.peek() == Some(b'[') {
        json.array(|json| {
            all.extend(optional_text(json)?);
            Ok(())
        })?;
    } else {
        all.extend(optional_text(json)?);
    }
    Ok(all)
}

fn as_text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|e| {
        Message::new("formats.not-utf8")
            .with("position", e.valid_up_to())
            .into()
    })
}

fn moved(fault: Fault, by: usize) -> Fault {
    Fault {
        at: fault.at + by,
        ..fault
    }
}

fn explained(fault: &Fault) -> Message {
    fault.reason.clone().with("position", fault.at)
}

fn told(fault: Fault) -> Error {
    explained(&fault).into()
}
