//! What a role is bound to, as the command line says it: a unit, an area, days.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use model::access::{Area, Assignment, Role};
use serde_json::Value as Json;

use crate::{Told, read_text, unreadable};

/// An area's file is read whole; that of an oblast in detail has some megabytes.
const MAX_FILE: u64 = 32 * 1024 * 1024;

pub(crate) struct Bounds {
    unit: Option<String>,
    area: Option<Area>,
    from: Option<String>,
    until: Option<String>,
}

/// # Errors
/// For a file that is no area.
pub(crate) fn of(args: &ArgMatches) -> anyhow::Result<Bounds> {
    let text = |name: &str| args.get_one::<String>(name).cloned();
    let area = args.get_one::<PathBuf>("area");
    Ok(Bounds {
        unit: text("unit"),
        area: area.map(|file| read(file)).transpose()?,
        from: text("from"),
        until: text("until"),
    })
}

impl Bounds {
    pub(crate) fn are_any(&self) -> bool {
        let texts = [&self.unit, &self.from, &self.until];
        self.area.is_some() || texts.into_iter().any(Option::is_some)
    }

    pub(crate) fn assignment(&self, role: Role) -> Assignment {
        Assignment {
            unit: self.unit.clone(),
            area: self.area.clone(),
            from: self.from.clone(),
            until: self.until.clone(),
            ..Assignment::of(role)
        }
    }
}

/// A polygon, or the one feature that other programs write around it.
fn read(file: &Path) -> anyhow::Result<Area> {
    let text = read_text(file, MAX_FILE)?;
    let json: Json = serde_json::from_str(&text).map_err(|e| unreadable(file, e))?;
    let geometry = match (json["type"].as_str(), json["features"].as_array()) {
        (Some("FeatureCollection"), Some(features)) if features.len() == 1 => {
            &features[0]["geometry"]
        }
        (Some("Feature"), _) => &json["geometry"],
        _ => &json,
    };
    let area = Area::parse(&geometry.to_string());
    Ok(area.map_err(|invalid| Told(invalid.0))?)
}
