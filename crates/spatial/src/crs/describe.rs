//! What a CRS is.

use model::{Crs, Message};
use proj::Proj;
use proj::wkt::WktVersion;
use serde_json::Value as Json;

use super::known;
use super::operation::operation;
use super::transformer::{self, guarded};
use crate::Error;

/// A CRS as a GeoPackage registers it (OGC 12-128r19 §1.1.2.1) and as people know it.
#[derive(Debug, Clone, PartialEq)]
pub struct CrsInfo {
    pub name: String,
    /// WKT of OGC 01-009, as GeoPackage asks; WKT 2 (ISO 19162:2019) where the CRS has no form in the older one.
    pub wkt: String,
    /// Name of the unit of the first axis, in PROJ's words: `degree`, `metre`, `US survey foot`.
    pub unit: String,
    /// Whether coordinates are longitude and latitude.
    pub is_geographic: bool,
    /// Whether the CRS has northing or latitude before easting or longitude, as coordinates stand in an answer in it.
    pub y_first: bool,
    pub area_of_use: Option<Area>,
    /// Expected accuracy in metres of the transformation to WGS 84 in the middle of the area of use, where known.
    pub accuracy: Option<f64>,
}

/// Where a CRS is meant to be used, longitude/latitude in degrees; west is greater than east over the antimeridian.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    pub name: String,
    pub west: f64,
    pub south: f64,
    pub east: f64,
    pub north: f64,
}

impl Area {
    pub(super) fn middle(&self) -> (f64, f64) {
        let width = (self.east - self.west).rem_euclid(360.0);
        let north = f64::midpoint(self.south, self.north);
        (self.west + width / 2.0, north)
    }
}

/// # Errors
/// When the code is unknown or stands for no horizontal CRS ([`Error::UnknownCrs`]).
pub fn describe(crs: Crs) -> Result<CrsInfo, Error> {
    guarded(|| {
        let definition = Definition::new(crs)?;
        let area_of_use = area_of(crs, &definition);
        let accuracy = area_of_use.as_ref().and_then(|area| accuracy(crs, area));
        Ok(CrsInfo {
            wkt: wkt(&definition)?,
            name: definition.name,
            unit: definition.unit,
            is_geographic: definition.is_geographic,
            y_first: definition.y_first,
            area_of_use,
            accuracy,
        })
    })
}

/// What an answer in a CRS has to know of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    pub name: String,
    /// As [`CrsInfo::y_first`].
    pub y_first: bool,
    pub area_of_use: Option<Area>,
}

/// As [`describe`], without what takes long.
///
/// # Errors
/// As [`describe`].
pub fn outline(crs: Crs) -> Result<Outline, Error> {
    guarded(|| {
        let definition = Definition::new(crs)?;
        Ok(Outline {
            area_of_use: area_of(crs, &definition),
            name: definition.name,
            y_first: definition.y_first,
        })
    })
}

/// A horizontal CRS in PROJ's form with what its definition says of its axes.
pub(super) struct Definition {
    pub(super) proj: Proj,
    pub(super) json: Json,
    pub(super) name: String,
    pub(super) is_geographic: bool,
    /// Whether the definition has northing or latitude before easting or longitude.
    pub(super) y_first: bool,
    pub(super) unit: String,
    /// Whether WKT of OGC 01-009 can hold it: that knows neither a third axis nor derivation.
    has_wkt1: bool,
}

impl Definition {
    pub(super) fn new(crs: Crs) -> Result<Self, Error> {
        let text = known::definition(crs).ok_or_else(|| unknown(crs))?;
        let mut definition = Self::of(crs, &text)?;
        if let Some(system) = known::local(crs) {
            system.name().clone_into(&mut definition.name);
        }
        Ok(definition)
    }

    /// A CRS by what PROJ makes it from.
    pub(super) fn of(crs: Crs, text: &str) -> Result<Self, Error> {
        let proj = Proj::new(text).map_err(|e| {
            let database_answers = crs.is_wgs84() || Proj::new(&Crs::CRS84.to_string()).is_ok();
            if database_answers && !crs.is_wgs84() {
                return unknown(crs);
            }
            Error::Failed(Message::new("spatial.proj-data").with("reason", e))
        })?;
        let json = proj
            .to_projjson(Some(false), None, None)
            .map_err(|_no_form| unknown(crs))?;
        let json: Json = serde_json::from_str(&json).map_err(|_not_json| unknown(crs))?;
        let horizontal = horizontal(&json).ok_or_else(|| unknown(crs))?;
        let axes = horizontal["coordinate_system"]["axis"]
            .as_array()
            .ok_or_else(|| unknown(crs))?;
        let [first, second, ..] = axes.as_slice() else {
            return Err(unknown(crs));
        };
        let unit = &first["unit"];
        let unit = unit
            .as_str()
            .or_else(|| unit["name"].as_str())
            .unwrap_or_default()
            .to_owned();
        Ok(Self {
            name: json["name"].as_str().unwrap_or_default().to_owned(),
            is_geographic: horizontal["type"] == "GeographicCRS",
            has_wkt1: axes.len() == 2
                && !horizontal["type"]
                    .as_str()
                    .is_some_and(|kind| kind.starts_with("Derived")),
            y_first: is_y_first(first, second),
            unit,
            proj,
            json,
        })
    }
}

/// The definition of a CRS as PROJJSON.
///
/// # Errors
/// As [`describe`].
pub fn projjson(crs: Crs) -> Result<String, Error> {
    guarded(|| {
        let definition = Definition::new(crs)?;
        Ok(definition.json.to_string())
    })
}

fn unknown(crs: Crs) -> Error {
    let key = match crs.is_local() {
        true => "spatial.crs-local-unknown",
        false => "spatial.crs-unknown",
    };
    Error::UnknownCrs(Message::new(key).with("crs", crs))
}

/// The part of a definition (PROJJSON) that has two horizontal axes.
fn horizontal(json: &Json) -> Option<&Json> {
    match json["type"].as_str()? {
        "GeographicCRS" | "ProjectedCRS" | "DerivedGeographicCRS" | "DerivedProjectedCRS" => {
            Some(json)
        }
        "BoundCRS" => horizontal(&json["source_crs"]),
        "CompoundCRS" => horizontal(&json["components"][0]),
        _ => None,
    }
}

/// North before east, or the axes of a polar CRS, which both point the same way, by their names.
fn is_y_first(first: &Json, second: &Json) -> bool {
    match (first["direction"].as_str(), second["direction"].as_str()) {
        (Some("north" | "south"), Some("east" | "west")) => true,
        (Some("north" | "south"), Some("north" | "south")) => first["name"] == "Northing",
        _ => false,
    }
}

/// The area of use of a CRS, or of the one that it lies in.
pub(super) fn area_of(crs: Crs, definition: &Definition) -> Option<Area> {
    area(&definition.proj).or_else(|| {
        let base = Definition::new(known::base(crs)?).ok()?;
        area(&base.proj)
    })
}

fn area(proj: &Proj) -> Option<Area> {
    let (area, name) = proj.area_of_use().ok()?;
    let area = area?;
    let name = name.unwrap_or_default();
    Some(Area {
        name,
        west: area.west,
        south: area.south,
        east: area.east,
        north: area.north,
    })
}

pub(super) fn wkt(definition: &Definition) -> Result<String, Error> {
    let wkt = |version| {
        guarded(|| {
            definition
                .proj
                .as_wkt(Some(version), None)
                .map_err(|_not_utf8| failed())
        })
    };
    if !definition.has_wkt1 {
        // Asked for a form that there is not, the binding panics.
        return wkt(WktVersion::Wkt2_2019);
    }
    wkt(WktVersion::Wkt1_Gdal).or_else(|_no_form| wkt(WktVersion::Wkt2_2019))
}

fn failed() -> Error {
    Error::Failed(Message::new("spatial.proj-failed"))
}

fn accuracy(crs: Crs, area: &Area) -> Option<f64> {
    if crs.is_wgs84() {
        return Some(0.0);
    }
    if known::chosen(crs).is_some() {
        return operation(crs)?.accuracy;
    }
    let middle = area.middle();
    let accuracy = transformer::with(Crs::CRS84, crs, |t| {
        t.apply(&mut [middle])?;
        Ok(t.accuracy())
    });
    accuracy.ok().flatten()
}
