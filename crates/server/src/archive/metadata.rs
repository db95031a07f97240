//! What describes a tile set: the same in both kinds of archive, and without a time, so that the same data give the same bytes.

use std::ops::RangeInclusive;

use model::{Envelope, Lang};
use serde_json::{Value as Json, json};
use store::LiveCollection;

use crate::collections::{self, title_in};
use crate::tilesets::{attribution, vector_layer};

/// The program, whatever its version: another one that draws the same writes the same.
const GENERATOR: &str = "hromada";

/// Degrees at which Web Mercator's square ends. `MBTiles` 1.3 wants bounds within it ("Metadata").
const LAST_LATITUDE: f64 = 85.051_128_7;

pub(super) struct Description {
    name: String,
    attribution: String,
    vector_layers: Vec<Json>,
    zooms: RangeInclusive<u8>,
    /// West, south, east, north in degrees.
    bounds: Option<[f64; 4]>,
}

impl Description {
    /// As TileJSON says it of the same layers (`tilesets.rs`), at the zooms that the archive has.
    pub(super) fn new(
        layers: &[LiveCollection],
        zooms: &RangeInclusive<u8>,
        bounds: Option<Envelope>,
        lang: Lang,
    ) -> Self {
        let titles: Vec<String> = layers
            .iter()
            .map(|l| title_in(lang, &l.collection))
            .collect();
        let vector_layers = layers.iter().map(|live| {
            let mut layer = vector_layer(lang, live, None);
            let tiles = &live.collection.tiles;
            layer["minzoom"] = tiles.min_zoom.max(*zooms.start()).into();
            layer["maxzoom"] = tiles.max_zoom.min(*zooms.end()).into();
            layer
        });
        let within = |[west, south, east, north]: [f64; 4]| {
            let latitude = |v: f64| v.clamp(-LAST_LATITUDE, LAST_LATITUDE);
            [west, latitude(south), east, latitude(north)]
        };
        Self {
            name: titles.join(", "),
            attribution: attribution(layers),
            vector_layers: vector_layers.collect(),
            zooms: zooms.clone(),
            bounds: bounds.map(|bounds| within(collections::extent(&bounds))),
        }
    }

    pub(super) fn bounds(&self) -> Option<Envelope> {
        let [west, south, east, north] = self.bounds?;
        Some(Envelope {
            min: [west, south],
            max: [east, north],
        })
    }

    /// Longitude, latitude and zoom to begin with.
    fn center(&self) -> Option<Json> {
        let [x, y] = self.bounds()?.center();
        Some(json!([x, y, self.zooms.start()]))
    }

    /// The metadata of `PMTiles`. Zooms and bounds stand in the header, and readers take texts alone here but for the layers.
    pub(super) fn json(&self) -> Vec<u8> {
        let out = json!({
            "name": self.name, "type": "overlay", "attribution": self.attribution, "generator": GENERATOR,
            "vector_layers": self.vector_layers,
        });
        out.to_string().into_bytes()
    }

    /// The rows of `metadata` in `MBTiles`.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let commas = |numbers: &Json| numbers.to_string().trim_matches(['[', ']']).to_owned();
        let mut rows = vec![
            ("name", self.name.clone()),
            ("format", "pbf".to_owned()),
            ("type", "overlay".to_owned()),
            ("attribution", self.attribution.clone()),
            ("generator", GENERATOR.to_owned()),
            ("minzoom", self.zooms.start().to_string()),
            ("maxzoom", self.zooms.end().to_string()),
        ];
        if let (Some(bounds), Some(center)) = (self.bounds, self.center()) {
            rows.push(("bounds", commas(&json!(bounds))));
            rows.push(("center", commas(&center)));
        }
        rows.push((
            "json",
            json!({ "vector_layers": self.vector_layers }).to_string(),
        ));
        rows
    }
}
