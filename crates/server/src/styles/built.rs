//! The map's own look as a style for other programs, made of the web app's pieces for the collections that a reader sees.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use model::GeometryType;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use store::LiveCollection;

use crate::assets;
use crate::collections;
use crate::context::Context;
use crate::limits::MAX_TILE_COLLECTIONS;

/// Features above which a collection is of the second and third class of density; as `dense` of the web app's `treatment.ts`.
const DENSITIES: [usize; 2] = [200, 2_000];

/// The longest text of a collection's id or property is put in these places.
const ID: &str = "__collection__";
const LABEL: &str = "__label__";
const LANG: &str = "__lang__";
const COLOUR: &str = "__colour__";

/// The pieces, as `web/src/style/template.ts` makes them.
#[derive(Deserialize)]
pub(super) struct Template {
    themes: BTreeMap<String, Look>,
    media: Vec<Medium>,
    classes: BTreeMap<String, Vec<Classes>>,
}

#[derive(Deserialize)]
struct Look {
    land: String,
    hues: Vec<String>,
    layers: BTreeMap<String, Vec<Placed>>,
}

#[derive(Deserialize)]
struct Placed {
    layer: Map<String, Json>,
    order: f64,
}

#[derive(Deserialize)]
struct Medium {
    id: String,
    #[serde(rename = "match")]
    words: Vec<String>,
}

/// What the values of a property mean.
#[derive(Deserialize)]
struct Classes {
    property: String,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    title: BTreeMap<String, String>,
    values: Vec<Json>,
}

/// `None` where the web app was not built.
fn template() -> Option<&'static Template> {
    static TEMPLATE: OnceLock<Option<Template>> = OnceLock::new();
    let made = TEMPLATE.get_or_init(|| {
        let bytes = assets::app_file("style-template.json")?;
        serde_json::from_slice(bytes)
            .inspect_err(|error| tracing::error!(%error, "the web app's style template is not what the server knows"))
            .ok()
    });
    made.as_ref()
}

/// The ids of the styles that there are without anybody having put one; the first is the one to begin with.
pub(super) fn ids() -> Vec<&'static str> {
    let Some(template) = template() else {
        return Vec::new();
    };
    let mut ids: Vec<&str> = template.themes.keys().map(String::as_str).collect();
    ids.sort_by_key(|id| *id != "light");
    ids
}

/// The key of the text that names one of them.
pub(super) fn title(id: &str) -> Option<&'static str> {
    template()?.themes.contains_key(id).then_some(match id {
        "dark" => "server.style-dark",
        _ => "server.style-light",
    })
}

/// The style of a theme; addresses of the server begin with `/`.
pub(super) fn style(context: &Context, id: &str, seen: &[LiveCollection]) -> Option<Json> {
    let template = template()?;
    let look = template.themes.get(id)?;
    let mut sources = Map::new();
    let mut placed = Vec::new();
    for (number, part) in seen.chunks(MAX_TILE_COLLECTIONS).enumerate() {
        let source = match number {
            0 => "hromada".to_owned(),
            number => format!("hromada-{}", number + 1),
        };
        for live in part {
            placed.extend(template.layers(context, look, live, &source));
        }
        sources.insert(source, source_json(part));
    }
    placed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let background = json!({ "id": "background", "type": "background", "paint": { "background-color": look.land } });
    let layers: Vec<Json> = std::iter::once(background)
        .chain(placed.into_iter().map(|(_, layer)| layer))
        .collect();
    Some(json!({
        "version": 8,
        "name": context.text(title(id)?),
        "glyphs": "/fonts/{fontstack}/{range}.pbf",
        "sprite": "/sprites/hromada",
        "sources": sources,
        "layers": layers,
    }))
}

fn source_json(part: &[LiveCollection]) -> Json {
    let ids: Vec<&str> = part.iter().map(|l| l.collection.id.as_str()).collect();
    let low = part.iter().map(|l| l.collection.tiles.min_zoom).min();
    let high = part.iter().map(|l| l.collection.tiles.max_zoom).max();
    let mut attributions: Vec<&str> = part
        .iter()
        .filter_map(|l| l.collection.attribution.as_deref())
        .collect();
    attributions.sort_unstable();
    attributions.dedup();
    json!({
        "type": "vector",
        "tiles": [format!("/tiles/{}/{{z}}/{{x}}/{{y}}", ids.join(","))],
        "minzoom": low,
        "maxzoom": high,
        "attribution": attributions.join("; "),
    })
}

impl Template {
    /// The layers of a collection with their places among others.
    fn layers(
        &self,
        context: &Context,
        look: &Look,
        live: &LiveCollection,
        source: &str,
    ) -> Vec<(f64, Json)> {
        let collection = &live.collection;
        let id = collection.id.as_str();
        let kind = kind(collection.geometry_type);
        let density = DENSITIES.iter().filter(|n| live.index.len() > **n).count();
        let theme = collection.theme.name();
        let medium = self
            .media
            .iter()
            .filter(|_| theme == "networks")
            .find(|m| m.words.iter().any(|word| id.contains(word.as_str())));
        let general = medium.map_or(theme, |m| m.id.as_str());
        let pieces = look
            .layers
            .get(&format!("{id} {kind}"))
            .or_else(|| look.layers.get(&format!("{general} {kind} {density}")));
        let named = collection.label_property.as_deref().filter(|name| {
            let carried = collection.tiles.properties.as_ref();
            carried.is_none_or(|names| names.iter().any(|n| n == name))
        });
        let marks = Marks {
            id,
            label: named,
            lang: context.lang.tag(),
            colour: look.hues.get(hue(id)).map_or("#777777", String::as_str),
        };
        let piece = |piece: &Placed| {
            let mut layer = marks.filled_map(&piece.layer)?;
            layer.insert("source".to_owned(), source.into());
            let least = f64::from(collection.tiles.min_zoom);
            let from = layer.get("minzoom").and_then(Json::as_f64).unwrap_or(0.0);
            layer.insert("minzoom".to_owned(), from.max(least).into());
            layer.insert(
                "metadata".to_owned(),
                json!({ "collection": id, "title": collections::title(context, collection) }),
            );
            Some((piece.order, Json::Object(layer)))
        };
        pieces.into_iter().flatten().filter_map(piece).collect()
    }
}

/// What the value of a property of a collection means, where the map's own look tells values apart.
pub(super) fn meaning(id: &str, property: &str, value: &str, lang: &str) -> Option<String> {
    let classes = template()?.classes.get(id)?;
    let of_property = classes.iter().filter(|c| c.property == property);
    let mut groups = of_property.flat_map(|c| &c.groups);
    let is_it = |known: &Json| match known {
        Json::String(known) => known == value,
        Json::Number(known) => known.to_string().as_str() == value,
        _ => false,
    };
    let group = groups.find(|group| group.values.iter().any(is_it))?;
    group.title.get(lang).cloned()
}

fn kind(geometry: GeometryType) -> &'static str {
    match geometry {
        GeometryType::Point | GeometryType::MultiPoint => "point",
        GeometryType::LineString | GeometryType::MultiLineString => "line",
        GeometryType::Polygon | GeometryType::MultiPolygon => "area",
        GeometryType::Geometry | GeometryType::GeometryCollection => "mixed",
    }
}

/// The number of a collection's hue: FNV-1a with 32 bits, as the web app has it.
fn hue(id: &str) -> usize {
    let hash = id.encode_utf16().fold(0x811c_9dc5_u32, |hash, unit| {
        (hash ^ u32::from(unit)).wrapping_mul(0x0100_0193)
    });
    (hash % 24) as usize
}

/// What stands in the places of the marks.
struct Marks<'a> {
    id: &'a str,
    label: Option<&'a str>,
    lang: &'a str,
    colour: &'a str,
}

impl Marks<'_> {
    /// `None` for a piece that writes names, where the collection has none.
    fn filled_map(&self, map: &Map<String, Json>) -> Option<Map<String, Json>> {
        let pair = |(name, value): (&String, &Json)| Some((name.clone(), self.filled(value)?));
        map.iter().map(pair).collect()
    }

    fn filled(&self, json: &Json) -> Option<Json> {
        Some(match json {
            Json::String(text) => Json::String(self.text(text)?),
            Json::Array(all) => all
                .iter()
                .map(|json| self.filled(json))
                .collect::<Option<_>>()?,
            Json::Object(map) => Json::Object(self.filled_map(map)?),
            plain => plain.clone(),
        })
    }

    fn text(&self, text: &str) -> Option<String> {
        if !text.contains("__") {
            return Some(text.to_owned());
        }
        let label = match self.label {
            Some(label) => label,
            None if text.contains(LABEL) => return None,
            None => "",
        };
        let text = text.replace(LABEL, label).replace(LANG, self.lang);
        Some(text.replace(ID, self.id).replace(COLOUR, self.colour))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_are_numbered_as_in_the_web_app() {
        // The empty text has the offset basis; `a` is a published vector of FNV-1a: e40c292c.
        assert_eq!(hue(""), 0x811c_9dc5 % 24);
        assert_eq!(hue("a"), 0xe40c_292c % 24);
    }

    #[test]
    fn a_piece_with_a_name_is_left_out_where_there_is_none() {
        let marks = |label| Marks {
            id: "roads",
            label,
            lang: "uk",
            colour: "#123456",
        };
        let piece = json!({ "id": "__collection__ label", "text": ["get", "__label_____lang__"], "colour": "__colour__" });
        let filled = marks(Some("name")).filled(&piece).unwrap();
        let expected =
            json!({ "id": "roads label", "text": ["get", "name_uk"], "colour": "#123456" });
        assert_eq!(filled, expected);
        assert_eq!(marks(None).filled(&piece), None);
    }
}
