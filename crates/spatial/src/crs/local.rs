//! Systems that a municipality loads: a document for each, in JSON.
//!
//! A document has an `id` and one of `operation` (which datum operation a CRS is to use), `definition` (a CRS in PROJ's, WKT's
//! or PROJJSON's words), `grid` (a city grid by its origin, turn and scale) and `controlPoints` (a system that is known by
//! points). All but the first make a CRS with a `code` of its own.

use std::ops::RangeInclusive;

use model::{Crs, Message, Text};
use serde_json::{Map, Value as Json, json};

use super::describe::{self, Definition};
use super::fit::{ControlPoint, Fit, Form};
use super::operation::{self, Chosen, Operation};
use super::transformer::guarded;
use crate::Error;

/// A system as its document tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct System {
    pub id: String,
    pub title: Text,
    /// The local system's code, or the CRS whose operation is chosen.
    pub crs: Crs,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Chosen(Chosen),
    Definition {
        text: String,
    },
    /// In place of a projected CRS; `text` is what PROJ makes it from.
    Fitted {
        base: Crs,
        fit: Fit,
        text: String,
    },
}

/// Bytes of a document at most: a thousand control points with room to spare.
pub const MAX_DOCUMENT: usize = 256 * 1024;

/// Control points at most: a city has some hundred.
const MAX_POINTS: usize = 1_000;

/// Metres that a residual may have when the document says nothing: old city networks are good to a decimetre or two.
const LIMIT: f64 = 0.3;

/// Metres that a document may allow.
const LIMITS: RangeInclusive<f64> = 0.0..=100.0;

/// Characters of a name at most.
const MAX_NAME: usize = 200;

/// EPSG's method and its parameters, known to local: first axis = A0 + A1 · first + A2 · second, second axis with B.
const AFFINE: (&str, u32) = ("Affine parametric transformation", 9624);
const PARAMETERS: [(&str, u32, &str); 6] = [
    ("A0", 8623, "metre"),
    ("A1", 8624, "unity"),
    ("A2", 8625, "unity"),
    ("B0", 8639, "metre"),
    ("B1", 8640, "unity"),
    ("B2", 8641, "unity"),
];

impl System {
    /// Reads a document.
    ///
    /// # Errors
    /// [`Error::Invalid`] with what is wrong in it; as [`super::describe()`] for a CRS that it names.
    pub fn read(document: &str) -> Result<Self, Error> {
        if document.len() > MAX_DOCUMENT {
            let message = Message::new("spatial.local-too-large").with("limit", MAX_DOCUMENT);
            return Err(Error::Invalid(message));
        }
        let json: Json = serde_json::from_str(document).map_err(|e| {
            Error::Invalid(Message::new("spatial.local-not-json").with("reason", e))
        })?;
        let object = json.as_object().ok_or_else(|| wrong("{}"))?;
        let id = object
            .get("id")
            .and_then(Json::as_str)
            .filter(|id| is_id(id));
        let id = id.ok_or_else(|| wrong("id"))?.to_owned();
        let title = title(&json["title"])?;
        let kinds = ["operation", "definition", "grid", "controlPoints"];
        let mut given = kinds.into_iter().filter(|kind| object.contains_key(*kind));
        let (Some(kind), None) = (given.next(), given.next()) else {
            let message = Message::new("spatial.local-one-of").with("members", kinds.join(", "));
            return Err(Error::Invalid(message));
        };
        if kind == "operation" {
            only(object, &["id", "title", "operation"])?;
            let (crs, chosen) = chosen(&json["operation"])?;
            let kind = Kind::Chosen(chosen);
            return Ok(Self {
                id,
                title,
                crs,
                kind,
            });
        }
        let code = json["code"]
            .as_u64()
            .and_then(|code| u32::try_from(code).ok());
        let crs = code
            .map(Crs::epsg)
            .filter(|crs| crs.is_local())
            .ok_or_else(|| {
                let message = Message::new("spatial.local-code").with("first", Crs::LOCAL.start());
                Error::Invalid(message.with("last", Crs::LOCAL.end()))
            })?;
        let name = [&title.en, &title.uk, &id]
            .into_iter()
            .find(|name| !name.is_empty());
        let name = name.map_or("", String::as_str);
        let kind = match kind {
            "definition" => {
                only(object, &["id", "title", "code", "definition"])?;
                Kind::Definition {
                    text: defined(crs, &json["definition"])?,
                }
            }
            "grid" => {
                only(object, &["id", "title", "code", "axes", "grid"])?;
                grid(name, y_first(&json["axes"])?, &json["grid"])?
            }
            _ => {
                let known = ["id", "title", "code", "axes", "crs", "fit", "limit"];
                only(object, &[&known[..], &["controlPoints"]].concat())?;
                fitted(name, y_first(&json["axes"])?, &json)?
            }
        };
        Ok(Self {
            id,
            title,
            crs,
            kind,
        })
    }

    /// How it lies in the CRS that it is fitted to, with that.
    pub fn fit(&self) -> Option<(Crs, &Fit)> {
        match &self.kind {
            Kind::Fitted { base, fit, .. } => Some((*base, fit)),
            _ => None,
        }
    }

    /// The operation that it chooses.
    pub fn operation(&self) -> Option<&Operation> {
        match &self.kind {
            Kind::Chosen(chosen) => Some(&chosen.operation),
            _ => None,
        }
    }

    /// The definition of a CRS of its own, as [`super::CrsInfo::wkt`].
    ///
    /// # Errors
    /// When PROJ fails.
    pub fn wkt(&self) -> Result<Option<String>, Error> {
        let (Kind::Definition { text } | Kind::Fitted { text, .. }) = &self.kind else {
            return Ok(None);
        };
        guarded(|| describe::wkt(&Definition::of(self.crs, text)?).map(Some))
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        let names = [&self.title.en, &self.title.uk, &self.id];
        names
            .into_iter()
            .find(|name| !name.is_empty())
            .map_or("", |n| n)
    }
}

fn wrong(member: &str) -> Error {
    Error::Invalid(Message::new("spatial.local-member").with("member", member))
}

/// A member that is not known is a mistake: what was meant by it would not happen.
fn only(object: &Map<String, Json>, known: &[&str]) -> Result<(), Error> {
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let shown: String = name.chars().take(MAX_NAME).collect();
            let message = Message::new("spatial.local-unknown-member").with("member", shown);
            Err(Error::Invalid(message.with("known", known.join(", "))))
        }
    }
}

/// As an id of a collection: what stands in commands and paths.
fn is_id(id: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=64).contains(&id.len()) && id.chars().all(is_fine)
}

fn title(json: &Json) -> Result<Text, Error> {
    let of = |lang: &str| match &json[lang] {
        Json::Null => Ok(String::new()),
        text => name(text).ok_or_else(|| wrong("title")),
    };
    if !json.is_null() && !json.is_object() {
        return Err(wrong("title"));
    }
    Ok(Text {
        uk: of("uk")?,
        en: of("en")?,
    })
}

fn name(json: &Json) -> Option<String> {
    let text = json.as_str()?.trim();
    let is_fine = !text.chars().any(char::is_control);
    (is_fine && (1..=MAX_NAME).contains(&text.chars().count())).then(|| text.to_owned())
}

/// Whether local coordinates are northing first, as geodesists have them.
fn y_first(json: &Json) -> Result<bool, Error> {
    match json.as_str() {
        None if json.is_null() => Ok(true),
        Some("north-east") => Ok(true),
        Some("east-north") => Ok(false),
        _ => Err(wrong("axes")),
    }
}

/// A CRS of PROJ's database.
fn crs(json: &Json, member: &str) -> Result<Crs, Error> {
    let code = json.as_u64().and_then(|code| u32::try_from(code).ok());
    let crs = code.filter(|code| *code > 0).map(Crs::epsg);
    crs.filter(|crs| !crs.is_local())
        .ok_or_else(|| wrong(member))
}

fn chosen(json: &Json) -> Result<(Crs, Chosen), Error> {
    let object = json.as_object().ok_or_else(|| wrong("operation"))?;
    only(object, &["crs", "codes"])?;
    let crs = crs(&json["crs"], "operation.crs")?;
    let codes = json["codes"].as_array().into_iter().flatten();
    let codes = codes.map(|code| u32::try_from(code.as_u64()?).ok());
    let codes: Option<Vec<u32>> = codes.collect();
    let codes = codes.filter(|codes| !codes.is_empty());
    let codes = codes.ok_or_else(|| wrong("operation.codes"))?;
    Ok((crs, operation::choose(crs, &codes)?))
}

/// A whole CRS, in a form that PROJ reads.
fn defined(crs: Crs, json: &Json) -> Result<String, Error> {
    let text = match json {
        Json::String(text) => text.clone(),
        Json::Object(_) => json.to_string(),
        _ => return Err(wrong("definition")),
    };
    guarded(|| {
        let definition = Definition::of(crs, &text).map_err(|_unreadable| wrong("definition"))?;
        super::transformer::require_to_wgs84(crs, &definition)?;
        Ok(text.clone())
    })
}

fn grid(name: &str, y_first: bool, json: &Json) -> Result<Kind, Error> {
    let object = json.as_object().ok_or_else(|| wrong("grid"))?;
    only(object, &["crs", "origin", "rotation", "scale"])?;
    let base = crs(&json["crs"], "grid.crs")?;
    let known = known(base)?;
    let number = |member: &str, otherwise: f64| match &json[member] {
        Json::Null => Some(otherwise),
        value => value.as_f64().filter(|value| value.is_finite()),
    };
    let origin = position(&json["origin"], known.y_first).ok_or_else(|| wrong("grid.origin"))?;
    let rotation = number("rotation", 0.0).filter(|degrees| degrees.abs() <= 360.0);
    let rotation = rotation.ok_or_else(|| wrong("grid.rotation"))?;
    let scale = number("scale", 1.0).ok_or_else(|| wrong("grid.scale"))?;
    let fit = Fit::by_parameters(origin, rotation, scale)?;
    Ok(placed(name, base, &known, y_first, fit))
}

fn fitted(local: &str, y_first: bool, json: &Json) -> Result<Kind, Error> {
    let base = crs(&json["crs"], "crs")?;
    let known = known(base)?;
    let form = match json["fit"].as_str() {
        None if json["fit"].is_null() => Form::Similarity,
        Some("similarity") => Form::Similarity,
        Some("affine") => Form::Affine,
        _ => return Err(wrong("fit")),
    };
    let limit = match &json["limit"] {
        Json::Null => Some(LIMIT),
        limit => limit.as_f64().filter(|limit| LIMITS.contains(limit)),
    };
    let limit = limit.ok_or_else(|| wrong("limit"))?;
    let points = json["controlPoints"]
        .as_array()
        .filter(|points| points.len() <= MAX_POINTS);
    let points = points.ok_or_else(|| wrong("controlPoints"))?;
    let point = |(i, json): (usize, &Json)| {
        let wrong = || wrong(&format!("controlPoints[{i}]"));
        only(
            json.as_object().ok_or_else(wrong)?,
            &["name", "local", "known"],
        )?;
        Ok(ControlPoint {
            name: name(&json["name"]).ok_or_else(wrong)?,
            local: position(&json["local"], y_first).ok_or_else(wrong)?,
            known: position(&json["known"], known.y_first).ok_or_else(wrong)?,
        })
    };
    let points: Result<Vec<_>, Error> = points.iter().enumerate().map(point).collect();
    let fit = Fit::to_points(&points?, form, limit)?;
    Ok(placed(local, base, &known, y_first, fit))
}

/// The definition of a CRS that others can lie in: one with metres.
fn known(crs: Crs) -> Result<Definition, Error> {
    guarded(|| {
        let definition = Definition::new(crs)?;
        if definition.json["type"] != "ProjectedCRS" || definition.unit != "metre" {
            return Err(Error::Invalid(
                Message::new("spatial.local-base").with("crs", crs),
            ));
        }
        super::transformer::require_to_wgs84(crs, &definition)?;
        Ok(definition)
    })
}

/// Easting and northing.
fn position(json: &Json, y_first: bool) -> Option<(f64, f64)> {
    // The size of the Earth is far more than any; with it no sum below leaves the doubles.
    const MAX: f64 = 1e8;
    let number = |json: &Json| json.as_f64().filter(|x| x.abs() <= MAX);
    match json.as_array()?.as_slice() {
        [a, b] if y_first => Some((number(b)?, number(a)?)),
        [a, b] => Some((number(a)?, number(b)?)),
        _ => None,
    }
}

/// A CRS that is derived from a known one by a fit (ISO 19162:2019 §15.5).
fn placed(name: &str, base: Crs, known: &Definition, y_first: bool, fit: Fit) -> Kind {
    let ([east, north], offset) = fit.inverse();
    // Columns in the order of the known axes, rows in that of the local ones.
    let row = |[e, n]: [f64; 2], offset: f64| match known.y_first {
        true => [offset, n, e],
        false => [offset, e, n],
    };
    let (east, north) = (row(east, offset.0), row(north, offset.1));
    let rows = if y_first {
        [north, east]
    } else {
        [east, north]
    };
    let parameters = rows.concat().into_iter().zip(PARAMETERS);
    let parameters = parameters.map(|(value, (name, code, unit))| {
        json!({ "name": name, "value": value, "unit": unit, "id": { "authority": "EPSG", "code": code } })
    });
    let axis = |name: &str, abbreviation: &str, direction: &str| json!({ "name": name, "abbreviation": abbreviation, "direction": direction, "unit": "metre" });
    let mut axes = [axis("Northing", "X", "north"), axis("Easting", "Y", "east")];
    if !y_first {
        axes = [axis("Easting", "X", "east"), axis("Northing", "Y", "north")];
    }
    let text = json!({
        "type": "DerivedProjectedCRS",
        "name": name,
        "base_crs": known.json,
        "conversion": {
            "name": format!("{base} to {name}"),
            "method": { "name": AFFINE.0, "id": { "authority": "EPSG", "code": AFFINE.1 } },
            "parameters": parameters.collect::<Vec<_>>(),
        },
        "coordinate_system": { "subtype": "Cartesian", "axis": axes },
    });
    Kind::Fitted {
        base,
        fit,
        text: text.to_string(),
    }
}
