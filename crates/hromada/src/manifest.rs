//! The manifest: several collections and what is to be said of them, in one JSON file.

use std::path::{Path, PathBuf};

use model::access::Class;
use model::{
    CollectionId, Enumerated, LowZooms, Message, Property, PropertyType, Text, Theme, TileSettings,
};
use serde_json::Value as Json;
use store::CollectionSettings;

use crate::Told;

/// One collection of a manifest.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) file: PathBuf,
    pub(crate) layer: Option<String>,
    pub(crate) collection: CollectionId,
    pub(crate) id: Option<String>,
    pub(crate) settings: CollectionSettings,
}

/// Reads a manifest; file names in it are relative to its folder.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Entry>> {
    let refused = |reason: String| {
        Told(
            Message::new("cli.manifest-unreadable")
                .with("file", path.display())
                .with("reason", reason),
        )
    };
    let bytes = std::fs::read(path).map_err(|e| refused(e.to_string()))?;
    let json: Json = serde_json::from_slice(&bytes).map_err(|e| refused(e.to_string()))?;
    if json["version"].as_u64() != Some(1) {
        return Err(refused("version".to_owned()).into());
    }
    let list = json["collections"]
        .as_array()
        .ok_or_else(|| refused("collections".to_owned()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    list.iter()
        .enumerate()
        .map(|(i, item)| {
            entry(folder, item).map_err(|field| refused(format!("collections[{i}].{field}")).into())
        })
        .collect()
}

/// The entry, or the member that is wrong.
fn entry(folder: &Path, item: &Json) -> Result<Entry, String> {
    let string = |name: &str| item[name].as_str().map(str::to_owned);
    let names = |name: &str| -> Vec<String> {
        item[name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect()
    };
    let theme = match item["theme"].as_str() {
        Some(name) => Some(Theme::from_name(name).ok_or("theme")?),
        None => None,
    };
    let access = match item["access"].as_str() {
        Some(name) => Some(Class::from_name(name).ok_or("access")?),
        None => None,
    };
    let low_zooms = match item["lowZooms"].as_str() {
        Some(name) => Some(LowZooms::from_name(name).ok_or("lowZooms")?),
        None => None,
    };
    let collection = string("collection").ok_or("collection")?;
    Ok(Entry {
        file: folder.join(string("file").ok_or("file")?),
        layer: string("layer"),
        collection: CollectionId::new(&collection).map_err(|_| "collection")?,
        id: string("id"),
        settings: CollectionSettings {
            title: text(&item["title"]),
            description: text(&item["description"]).unwrap_or_default(),
            theme,
            licence: string("license"),
            attribution: string("attribution"),
            label_property: string("label"),
            time_property: string("time"),
            searchable: item["searchable"].is_array().then(|| names("searchable")),
            properties: properties(item),
            tiles: low_zooms.map(|way| TileSettings {
                low_zooms: Some(way),
                ..TileSettings::default()
            }),
            access,
        },
    })
}

fn text(json: &Json) -> Option<Text> {
    let part = |lang: &str| json[lang].as_str().unwrap_or_default().to_owned();
    json.is_object().then(|| Text {
        uk: part("uk"),
        en: part("en"),
    })
}

/// Titles, units and known values by property; the types are the source's.
fn properties(item: &Json) -> Vec<Property> {
    let keys = |name: &str| {
        item[name]
            .as_object()
            .into_iter()
            .flat_map(|o| o.keys().cloned())
    };
    let mut all: Vec<String> = keys("titles")
        .chain(keys("units"))
        .chain(keys("enumerations"))
        .collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter()
        .map(|name| {
            let values = item["enumerations"][&name].as_array().into_iter().flatten();
            Property {
                title: text(&item["titles"][&name]),
                unit: item["units"][&name].as_str().map(str::to_owned),
                values: values
                    .filter_map(|v| {
                        Some(Enumerated {
                            value: v["value"].as_str()?.to_owned(),
                            title: text(&v["title"]).unwrap_or_default(),
                        })
                    })
                    .collect(),
                ..Property::new(name, PropertyType::Text)
            }
        })
        .collect()
}
