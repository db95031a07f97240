//! The manifest of a town, in the form of `data-samples/samples.json`.

use super::output::Layer;

pub(super) fn file(layer: Layer) -> String {
    format!("{}.geojsonl", layer.id())
}

/// Entries of the collections that have features, in order: an empty file has no types to import.
pub(super) fn text(features: &[(Layer, u64)]) -> String {
    let entries: Vec<&str> = features
        .iter()
        .map(|(layer, _)| entry(*layer).trim_end())
        .collect();
    format!(
        "{{\n\"version\": 1,\n\"collections\": [\n{}\n]\n}}\n",
        entries.join(",\n")
    )
}

fn entry(layer: Layer) -> &'static str {
    match layer {
        Layer::Parcels => include_str!("manifest/parcels.json"),
        Layer::Buildings => include_str!("manifest/buildings.json"),
        Layer::Addresses => include_str!("manifest/addresses.json"),
        Layer::Streets => include_str!("manifest/streets.json"),
        Layer::Zoning => include_str!("manifest/zoning.json"),
        Layer::Quarters => include_str!("manifest/quarters.json"),
        Layer::Zones => include_str!("manifest/zones.json"),
        Layer::CityBoundary => include_str!("manifest/city-boundary.json"),
        Layer::River => include_str!("manifest/river.json"),
        Layer::Water => include_str!("manifest/water.json"),
        Layer::WaterNodes => include_str!("manifest/water-nodes.json"),
        Layer::Sewer => include_str!("manifest/sewer.json"),
        Layer::SewerNodes => include_str!("manifest/sewer-nodes.json"),
        Layer::Gas => include_str!("manifest/gas.json"),
        Layer::GasNodes => include_str!("manifest/gas-nodes.json"),
        Layer::Power => include_str!("manifest/power.json"),
        Layer::PowerNodes => include_str!("manifest/power-nodes.json"),
    }
}
