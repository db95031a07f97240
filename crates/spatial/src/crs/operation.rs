//! Datum operations: what leads from the datum of a CRS to WGS 84.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use model::{Crs, Message};
use proj::{Proj, ProjBuilder};
use serde_json::{Value as Json, json};

use super::describe::{Area, Definition, area_of};
use super::known;
use super::transformer::guarded;
use crate::Error;

/// An operation between the datum of a CRS and WGS 84.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// As EPSG's dataset has it, such as `UCS-2000 to WGS 84 (2)`; several that follow each other are joined by ` + `.
    pub name: String,
    /// EPSG's codes of the operations in their order; empty where PROJ tells none.
    pub codes: Vec<u32>,
    /// In metres, where it is known.
    pub accuracy: Option<f64>,
    /// What it was made for; it may be used elsewhere.
    pub area: Option<Area>,
}

/// An operation that can be chosen, with its form in a bound CRS (PROJJSON).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chosen {
    pub(super) operation: Operation,
    pub(super) transformation: Json,
}

/// Operations to WGS 84 among which a choice is offered, by the geographic CRS that they begin with, best first. PROJ can't be
/// asked for all of them through the safe binding; the codes are those of EPSG's dataset whose area has Ukraine in it, and
/// what they are is read from PROJ's copy of the dataset.
const OFFERED: [(u32, &[&[u32]]); 2] = [
    (5561, &[&[5840], &[5590]]),
    // Pulkovo 1942. 1254 is what programs took by default for a long time.
    (4284, &[&[5044], &[1267], &[15865], &[5586, 5840], &[1254]]),
];

/// EPSG writes this where nobody knows.
const UNKNOWN_ACCURACY: f64 = 999.0;

/// Methods of EPSG that have three or seven parameters and heed no height.
const HELMERT: [u64; 3] = [9603, 9606, 9607];

/// Geocentric translations: the one that can follow another in one set of parameters, by addition.
const TRANSLATIONS: u64 = 9603;

/// EPSG's codes of the three translations.
const SHIFTS: [u64; 3] = [8605, 8606, 8607];

/// Operations in a row at most.
const MAX_CHAIN: usize = 4;

/// The operations between a CRS and WGS 84 that can be chosen, best first; the one that PROJ takes where no more are known;
/// none where the datum is that of WGS 84.
///
/// # Errors
/// When the code is unknown ([`Error::UnknownCrs`]).
pub fn operations(crs: Crs) -> Result<Vec<Operation>, Error> {
    let geodetic = guarded(|| Ok(geodetic_code(&Definition::new(crs)?.json)))?;
    let offered = OFFERED.iter().find(|(code, _)| Some(*code) == geodetic);
    let Some((_, chains)) = offered else {
        return Ok(operation(crs).into_iter().collect());
    };
    let all = chains.iter().map(|codes| choose(crs, codes));
    all.map(|chosen| Ok(chosen?.operation)).collect()
}

/// What PROJ takes by default, by the generation of what is known beside its database.
type Found = HashMap<(u64, Crs), Option<Operation>>;

/// The operation that is in effect between a CRS and WGS 84: the one that was chosen, or the one that PROJ takes in the middle
/// of the area of use. `None` where there is no change of datum, or nothing is known.
pub fn operation(crs: Crs) -> Option<Operation> {
    static FOUND: LazyLock<Mutex<Found>> = LazyLock::new(Mutex::default);
    if let Some(chosen) = known::chosen(crs) {
        return Some(chosen.operation.clone());
    }
    let key = (known::generation(), crs);
    let found = || FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = found().get(&key) {
        return known.clone();
    }
    let operation = guarded(|| by_default(crs)).ok().flatten();
    let mut found = found();
    // What was found before something was chosen is of no use any more.
    found.retain(|(generation, _), _| *generation == key.0);
    found.insert(key, operation.clone());
    operation
}

fn by_default(crs: Crs) -> Result<Option<Operation>, Error> {
    let definition = Definition::new(crs)?;
    let bound = &definition.json["transformation"];
    if let Some(name) = bound["name"].as_str() {
        return Ok(Some(Operation {
            name: name.to_owned(),
            codes: Vec::new(),
            accuracy: None,
            area: None,
        }));
    }
    let Some(code) = geodetic_code(&definition.json).filter(|code| *code != 4326) else {
        return Ok(None);
    };
    let failed = |_no_form| Error::Failed(Message::new("spatial.proj-failed"));
    let source = Proj::new(&Crs::epsg(code).to_string()).map_err(failed)?;
    let target = Proj::new(&Crs::CRS84.to_string()).map_err(failed)?;
    let options = vec!["ALLOW_BALLPARK=NO", "ONLY_BEST=NO"];
    let builder = ProjBuilder::new();
    let proj = builder.proj_create_crs_to_crs_from_pj(&source, &target, None, Some(options));
    let proj = proj.map_err(failed)?;
    let area = area_of(crs, &definition);
    if let Some(area) = &area {
        // Which of several serves is known once one has served. All of EPSG's geographic CRSs have latitude first.
        let (longitude, latitude) = area.middle();
        let _ = proj.convert((latitude, longitude));
    }
    let info = proj.proj_info();
    let Some(name) = info.description.filter(|name| !name.contains("Ballpark")) else {
        return Ok(None);
    };
    let chains = OFFERED.iter().filter(|(offered, _)| *offered == code);
    let mut chains = chains.flat_map(|(_, chains)| chains.iter());
    let known = chains.find_map(|codes| {
        let chosen = choose(crs, codes).ok()?;
        (chosen.operation.name == name).then_some(chosen.operation)
    });
    Ok(Some(known.unwrap_or(Operation {
        name,
        codes: Vec::new(),
        accuracy: known_accuracy(info.accuracy),
        area: None,
    })))
}

/// The operations of these codes, in their order, from the datum of the CRS to WGS 84.
///
/// # Errors
/// [`Error::Invalid`] for a code that is none, operations that do not follow each other from that datum to WGS 84, and ones
/// that have no form of three or seven parameters together.
pub(super) fn choose(crs: Crs, codes: &[u32]) -> Result<Chosen, Error> {
    guarded(|| {
        let shown = || codes.iter().map(u32::to_string).collect::<Vec<_>>();
        let refused = |key| {
            let message = Message::new(key).with("codes", shown().join(", "));
            Error::Invalid(message.with("crs", crs))
        };
        if codes.is_empty() || codes.len() > MAX_CHAIN {
            return Err(refused("spatial.operation-chain"));
        }
        let all: Result<Vec<Json>, Error> = codes.iter().map(|code| read(*code)).collect();
        let all = all?;
        let mut at = geodetic_code(&Definition::new(crs)?.json);
        for operation in &all {
            if at.is_none() || code_of(&operation["source_crs"]) != at {
                return Err(refused("spatial.operation-chain"));
            }
            at = code_of(&operation["target_crs"]);
        }
        if at != Some(4326) {
            return Err(refused("spatial.operation-chain"));
        }
        let transformation = joined(&all).ok_or_else(|| refused("spatial.operation-parameters"))?;
        let names: Vec<&str> = all.iter().filter_map(|o| o["name"].as_str()).collect();
        let accuracies = all.iter().map(|o| known_accuracy(number(&o["accuracy"])?));
        Ok(Chosen {
            operation: Operation {
                name: names.join(" + "),
                codes: codes.to_vec(),
                accuracy: accuracies.sum(),
                area: all.first().and_then(area),
            },
            transformation,
        })
    })
}

/// An operation of PROJ's database as PROJJSON.
fn read(code: u32) -> Result<Json, Error> {
    let unknown = || Error::Invalid(Message::new("spatial.operation-unknown").with("code", code));
    let urn = format!("urn:ogc:def:coordinateOperation:EPSG::{code}");
    let proj = Proj::new(&urn).map_err(|_| unknown())?;
    let text = proj.to_projjson(Some(false), None, None);
    let json: Json = text
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .ok_or_else(unknown)?;
    if json["type"] != "Transformation" {
        return Err(unknown());
    }
    Ok(json)
}

/// Operations that follow each other as one: the first may turn and scale, the others only shift, which adds up.
fn joined(all: &[Json]) -> Option<Json> {
    let (first, others) = all.split_first()?;
    if !HELMERT.contains(&code(&first["method"])?) {
        return None;
    }
    let mut parameters = first["parameters"].as_array()?.clone();
    let mut name = first["name"].as_str()?.to_owned();
    for other in others {
        if code(&other["method"])? != TRANSLATIONS {
            return None;
        }
        name = format!("{name} + {}", other["name"].as_str()?);
        for shift in SHIFTS {
            let is_it = |parameter: &&Json| code(parameter) == Some(shift);
            let added = other["parameters"].as_array()?.iter().find(is_it)?;
            let mut sums = parameters.iter_mut();
            let sum = sums.find(|parameter| code(parameter) == Some(shift))?;
            if sum["unit"] != "metre" || added["unit"] != "metre" {
                return None;
            }
            sum["value"] = (sum["value"].as_f64()? + added["value"].as_f64()?).into();
        }
    }
    Some(json!({ "name": name, "method": first["method"], "parameters": parameters }))
}

/// EPSG's code of the geographic CRS below a CRS.
fn geodetic_code(json: &Json) -> Option<u32> {
    match json["type"].as_str() {
        Some("BoundCRS") => geodetic_code(&json["source_crs"]),
        Some("CompoundCRS") => geodetic_code(&json["components"][0]),
        _ if json["base_crs"].is_object() => geodetic_code(&json["base_crs"]),
        _ => code_of(json),
    }
}

fn code_of(json: &Json) -> Option<u32> {
    code(json).and_then(|code| u32::try_from(code).ok())
}

fn code(json: &Json) -> Option<u64> {
    let id = &json["id"];
    id["code"].as_u64().filter(|_| id["authority"] == "EPSG")
}

/// PROJJSON has accuracies as texts.
fn number(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| json.as_str()?.parse().ok())
}

fn known_accuracy(accuracy: f64) -> Option<f64> {
    (0.0..UNKNOWN_ACCURACY)
        .contains(&accuracy)
        .then_some(accuracy)
}

fn area(json: &Json) -> Option<Area> {
    let bound = |name| json["bbox"][name].as_f64();
    Some(Area {
        name: json["area"].as_str().unwrap_or_default().to_owned(),
        west: bound("west_longitude")?,
        south: bound("south_latitude")?,
        east: bound("east_longitude")?,
        north: bound("north_latitude")?,
    })
}
