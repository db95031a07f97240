//! The legend of a style as a picture: how each collection is drawn, and what its colours tell apart.
//!
//! Expressions are read as far as a legend needs them: at one zoom, for one value of one property. What can't be told without a feature is left out.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};

/// Classes of a collection; more are an index and no legend.
const MAX_CLASSES: usize = 30;

/// Values of a class that its title names.
const MAX_VALUES: usize = 4;

/// Nesting of expressions.
const MAX_DEPTH: usize = 32;

/// Characters of a title.
const MAX_TITLE: usize = 48;

/// The zoom of a street: at which most things are drawn.
const ZOOM: f64 = 16.0;

const WIDTH: usize = 380;
const ROW: usize = 26;
const EDGE: usize = 12;

/// What the legend needs to be told.
pub(super) struct Words<'a> {
    pub(super) title: &'a str,
    /// The title of a collection.
    pub(super) collection: &'a dyn Fn(&str) -> Option<String>,
    /// What the value of a property of a collection means.
    pub(super) meaning: &'a dyn Fn(&str, &str, &str) -> Option<String>,
    /// Values that no class names.
    pub(super) others: String,
}

/// A class: one property and the values that belong together.
#[derive(Debug, Clone, PartialEq)]
struct Class {
    property: String,
    values: Vec<String>,
}

struct Row {
    title: String,
    /// Shapes of SVG, for a place of 34 by 18 pixels.
    swatch: String,
    is_within: bool,
}

/// The legend as SVG. Nothing in it depends on a style sheet, so that it looks the same wherever it is shown.
pub(super) fn svg(style: &Json, words: &Words<'_>) -> String {
    let layers: Vec<&Json> = style["layers"].as_array().into_iter().flatten().collect();
    let ground = layers.iter().find(|layer| layer["type"] == "background");
    let ground = ground.and_then(|layer| {
        at(
            &layer["paint"]["background-color"],
            &Place::new(layer),
            None,
            0,
        )
    });
    let ground = ground.as_ref().and_then(Json::as_str).unwrap_or("#ffffff");
    let ink = if is_dark(ground) {
        "#eeeeee"
    } else {
        "#1d1d1f"
    };
    let mut collections: Vec<&str> = Vec::new();
    for layer in &layers {
        let named = layer["source-layer"].as_str();
        if let Some(id) = named.filter(|id| !collections.contains(id)) {
            collections.push(id);
        }
    }
    let mut rows = Vec::new();
    for id in collections {
        let own: Vec<&Json> = layers
            .iter()
            .filter(|layer| layer["source-layer"] == id)
            .copied()
            .collect();
        rows.extend(rows_of(id, &own, words));
    }
    let height = EDGE * 2 + ROW * (rows.len() + 1);
    let mut out = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="Inter, 'Noto Sans', sans-serif" font-size="13"><title>{}</title><rect width="{WIDTH}" height="{height}" rx="8" fill="{}"/>"#,
        escaped(words.title),
        escaped(ground),
    );
    let mut y = EDGE;
    text(&mut out, EDGE, y, ink, true, words.title);
    for row in rows {
        y += ROW;
        let x = if row.is_within { EDGE * 2 } else { EDGE };
        if !row.swatch.is_empty() {
            let _ = write!(
                out,
                r#"<g transform="translate({x} {})">{}</g>"#,
                y + 4,
                row.swatch
            );
        }
        let x = if row.swatch.is_empty() { x } else { x + 44 };
        text(&mut out, x, y, ink, false, &row.title);
    }
    out.push_str("</svg>");
    out
}

fn text(out: &mut String, x: usize, y: usize, ink: &str, is_bold: bool, words: &str) {
    let weight = if is_bold { r#" font-weight="600""# } else { "" };
    let mut shown: String = words.chars().take(MAX_TITLE).collect();
    if shown.len() < words.len() {
        shown.push('…');
    }
    let _ = write!(
        out,
        r#"<text x="{x}" y="{}" fill="{ink}"{weight}>{}</text>"#,
        y + 18,
        escaped(&shown)
    );
}

fn rows_of(id: &str, layers: &[&Json], words: &Words<'_>) -> Vec<Row> {
    let title = (words.collection)(id).unwrap_or_else(|| id.to_owned());
    let mut classes = Vec::new();
    for layer in layers {
        let colour = layer["paint"].get(format!("{}-color", kind(layer)));
        classes_of(
            colour.unwrap_or(&Json::Null),
            &Place::new(layer),
            &mut classes,
            0,
        );
    }
    let plain = swatch(layers, None);
    if classes.is_empty() {
        let row = Row {
            title,
            swatch: plain,
            is_within: false,
        };
        return Some(row)
            .filter(|row| !row.swatch.is_empty())
            .into_iter()
            .collect();
    }
    let mut rows = vec![Row {
        title,
        swatch: String::new(),
        is_within: false,
    }];
    let is_cut = classes.len() > MAX_CLASSES;
    for class in classes.into_iter().take(MAX_CLASSES) {
        let meanings = class.values.iter().take(MAX_VALUES).map(|value| {
            let meaning = (words.meaning)(id, &class.property, value);
            meaning.unwrap_or_else(|| value.clone())
        });
        let mut titles: Vec<String> = meanings.collect();
        titles.dedup();
        let swatch = swatch(layers, Some(&class));
        rows.push(Row {
            title: titles.join(", "),
            swatch,
            is_within: true,
        });
    }
    let others = if is_cut {
        "…".to_owned()
    } else {
        words.others.clone()
    };
    rows.push(Row {
        title: others,
        swatch: plain,
        is_within: true,
    });
    rows
}

fn kind(layer: &Json) -> &str {
    layer["type"].as_str().unwrap_or_default()
}

/// Where a layer is looked at.
struct Place {
    zoom: f64,
}

impl Place {
    fn new(layer: &Json) -> Self {
        let low = layer["minzoom"].as_f64().unwrap_or(0.0);
        let high = layer["maxzoom"].as_f64().unwrap_or(24.0).max(low);
        Self {
            zoom: ZOOM.max(low + 0.5).min(high),
        }
    }
}

/// The layers of a collection upon each other, as they draw a feature of a class.
fn swatch(layers: &[&Json], class: Option<&Class>) -> String {
    let mut out = String::new();
    for layer in layers {
        let place = Place::new(layer);
        let paint = &layer["paint"];
        let kind = kind(layer);
        let value = |name: &str| at(paint.get(format!("{kind}-{name}"))?, &place, class, 0);
        let number = |name: &str, otherwise: f64| {
            value(name)
                .as_ref()
                .and_then(Json::as_f64)
                .unwrap_or(otherwise)
        };
        let opacity = number("opacity", 1.0).clamp(0.0, 1.0);
        if opacity == 0.0 || layer["layout"]["visibility"] == "none" {
            continue;
        }
        let colour = value("color");
        let colour = escaped(colour.as_ref().and_then(Json::as_str).unwrap_or("#000000"));
        let _ = match kind {
            "fill" if paint.get("fill-pattern").is_none() => {
                let edge = value("outline-color");
                let edge = edge
                    .as_ref()
                    .and_then(Json::as_str)
                    .map_or_else(String::new, |edge| {
                        format!(r#" stroke="{}""#, escaped(edge))
                    });
                write!(
                    out,
                    r#"<rect x="1" y="1" width="32" height="16" fill="{colour}" fill-opacity="{opacity}"{edge}/>"#
                )
            }
            "line" => {
                let width = number("width", 1.0).clamp(0.5, 9.0);
                let dashes = value("dasharray")
                    .as_ref()
                    .and_then(Json::as_array)
                    .map(|all| {
                        let all = all.iter().filter_map(Json::as_f64);
                        let all: Vec<String> = all.map(|dash| (dash * width).to_string()).collect();
                        format!(r#" stroke-dasharray="{}""#, all.join(" "))
                    });
                let dashes = dashes.unwrap_or_default();
                // Around what is filled, else from end to end.
                let is_edge = layers.iter().any(|layer| self::kind(layer) == "fill");
                let path = if is_edge {
                    "M1 1H33V17H1Z"
                } else {
                    "M1 13L12 5L22 13L33 5"
                };
                write!(
                    out,
                    r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:.2}" stroke-opacity="{opacity}"{dashes}/>"#
                )
            }
            "circle" => {
                let radius = number("radius", 5.0).clamp(2.0, 8.0);
                let edge = value("stroke-color");
                let edge = escaped(edge.as_ref().and_then(Json::as_str).unwrap_or("none"));
                let width = number("stroke-width", 0.0).clamp(0.0, 3.0);
                write!(
                    out,
                    r#"<circle cx="17" cy="9" r="{radius:.2}" fill="{colour}" fill-opacity="{opacity}" stroke="{edge}" stroke-width="{width:.2}"/>"#
                )
            }
            _ => Ok(()),
        };
    }
    out
}

/// The classes that an expression tells apart.
fn classes_of(json: &Json, place: &Place, classes: &mut Vec<Class>, depth: usize) {
    let Some((operator, rest)) = call(json).filter(|_| depth < MAX_DEPTH) else {
        if let Some(map) = json.as_object() {
            of_function(map, classes);
        }
        return;
    };
    match operator {
        "match" => {
            let Some(property) = rest.first().and_then(property) else {
                return;
            };
            for pair in rest[1..].chunks_exact(2) {
                let values: Vec<String> = match &pair[0] {
                    Json::Array(all) => all.iter().map(plain).collect(),
                    one => vec![plain(one)],
                };
                let class = Class {
                    property: property.to_owned(),
                    values,
                };
                if !class.values.is_empty() && !classes.contains(&class) {
                    classes.push(class);
                }
            }
        }
        "case" => {
            for pair in rest.chunks_exact(2) {
                if let Some(("==", [of, value])) = call(&pair[0])
                    && let Some(property) = property(of)
                {
                    let class = Class {
                        property: property.to_owned(),
                        values: vec![plain(value)],
                    };
                    if !classes.contains(&class) {
                        classes.push(class);
                    }
                }
                classes_of(&pair[1], place, classes, depth + 1);
            }
        }
        "interpolate" | "interpolate-hcl" | "interpolate-lab" | "step" => {
            if let Some(stop) = stop(operator, rest, place) {
                classes_of(stop.0, place, classes, depth + 1);
            }
        }
        "coalesce" | "to-color" => {
            if let Some(first) = rest.first() {
                classes_of(first, place, classes, depth + 1);
            }
        }
        _ => {}
    }
}

/// Those of a function as they were before there were expressions.
fn of_function(map: &Map<String, Json>, classes: &mut Vec<Class>) {
    if map.get("type").and_then(Json::as_str) != Some("categorical") {
        return;
    }
    let Some(property) = map.get("property").and_then(Json::as_str) else {
        return;
    };
    let stops = map.get("stops").and_then(Json::as_array);
    for stop in stops.into_iter().flatten() {
        let class = Class {
            property: property.to_owned(),
            values: vec![plain(&stop[0])],
        };
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
}

/// What an expression is at a zoom, for a feature of a class; `None` where that takes more of a feature.
fn at(json: &Json, place: &Place, class: Option<&Class>, depth: usize) -> Option<Json> {
    if depth > MAX_DEPTH {
        return None;
    }
    let eval = |json: &Json| at(json, place, class, depth + 1);
    if let Some(map) = json.as_object() {
        return function(map, place, class);
    }
    let Some((operator, rest)) = call(json) else {
        return Some(json.clone());
    };
    match operator {
        "literal" => rest.first().cloned(),
        "zoom" => Some(place.zoom.into()),
        "match" => {
            let own =
                class.filter(|class| rest.first().and_then(property) == Some(&class.property));
            let pairs = rest.get(1..)?.chunks_exact(2);
            let is_it = |label: &Json| match (own, label) {
                (None, _) => false,
                (Some(class), Json::Array(all)) => {
                    all.iter().any(|one| class.values.contains(&plain(one)))
                }
                (Some(class), one) => class.values.contains(&plain(one)),
            };
            let mut pairs = pairs;
            let found = pairs.find(|pair| is_it(&pair[0])).map(|pair| &pair[1]);
            eval(found.or_else(|| rest.last())?)
        }
        "case" => {
            let mut pairs = rest.chunks_exact(2);
            let found = pairs
                .find(|pair| holds(&pair[0], class))
                .map(|pair| &pair[1]);
            eval(found.or_else(|| rest.last())?)
        }
        "interpolate" | "interpolate-hcl" | "interpolate-lab" | "step" => {
            let (low, high, share) = stop(operator, rest, place)?;
            let low = eval(low)?;
            let Some(high) = high.and_then(&eval) else {
                return Some(low);
            };
            match (low.as_f64(), high.as_f64()) {
                (Some(a), Some(b)) => Some((a + (b - a) * share).into()),
                _ => Some(low),
            }
        }
        "coalesce" | "to-color" | "to-number" => rest.iter().find_map(eval),
        "+" | "-" | "*" | "/" => {
            let numbers: Option<Vec<f64>> = rest.iter().map(|one| eval(one)?.as_f64()).collect();
            let numbers = numbers?;
            let (first, others) = numbers.split_first()?;
            let result = others.iter().fold(*first, |a, b| match operator {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                _ => a / b,
            });
            result.is_finite().then(|| result.into())
        }
        // A list that is a value, as of dashes.
        _ if json.as_array()?.first()?.is_number() => Some(json.clone()),
        _ => None,
    }
}

fn function(map: &Map<String, Json>, place: &Place, class: Option<&Class>) -> Option<Json> {
    let stops = map.get("stops")?.as_array()?;
    let Some(property) = map.get("property").and_then(Json::as_str) else {
        let below = stops
            .iter()
            .rev()
            .find(|stop| stop[0].as_f64().is_some_and(|z| z <= place.zoom));
        return Some(below.or_else(|| stops.first())?[1].clone());
    };
    let class = class.filter(|class| class.property == property);
    let stop = class.and_then(|class| {
        stops
            .iter()
            .find(|stop| class.values.contains(&plain(&stop[0])))
    });
    stop.map(|stop| stop[1].clone())
        .or_else(|| map.get("default").cloned())
}

/// Whether a condition holds for a feature of a class, as far as that can be told.
fn holds(json: &Json, class: Option<&Class>) -> bool {
    let Some(class) = class else {
        return false;
    };
    match call(json) {
        Some(("has", [Json::String(name)])) => *name == class.property,
        Some(("==", [of, value])) => {
            property(of) == Some(&class.property) && class.values.contains(&plain(value))
        }
        _ => false,
    }
}

/// The outputs around a zoom, and the share of the second one.
fn stop<'a>(
    operator: &str,
    rest: &'a [Json],
    place: &Place,
) -> Option<(&'a Json, Option<&'a Json>, f64)> {
    // `["step", input, first, stop, output…]`, `["interpolate", kind, input, stop, output…]`.
    let (input, stops, first) = match operator {
        "step" => (rest.first()?, rest.get(2..)?, rest.get(1)),
        _ => (rest.get(1)?, rest.get(2..)?, None),
    };
    if !matches!(call(input), Some(("zoom", []))) {
        return None;
    }
    let mut below = first.map(|output| (0.0, output));
    for pair in stops.chunks_exact(2) {
        let zoom = pair[0].as_f64()?;
        if zoom > place.zoom {
            let Some((from, low)) = below else {
                return Some((&pair[1], None, 0.0));
            };
            let high = (operator != "step").then_some(&pair[1]);
            return Some((low, high, (place.zoom - from) / (zoom - from)));
        }
        below = Some((zoom, &pair[1]));
    }
    below.map(|(_, low)| (low, None, 0.0))
}

/// An expression: its operator and what it is of.
fn call(json: &Json) -> Option<(&str, &[Json])> {
    let (operator, rest) = json.as_array()?.split_first()?;
    Some((operator.as_str()?, rest))
}

/// The property that an expression is the value of, whatever type it is made.
fn property(json: &Json) -> Option<&str> {
    match call(json)? {
        ("get", [Json::String(name)]) => Some(name),
        ("to-string" | "to-number" | "string" | "number" | "coalesce", [first, ..]) => {
            property(first)
        }
        _ => None,
    }
}

fn plain(json: &Json) -> String {
    json.as_str()
        .map_or_else(|| json.to_string(), str::to_owned)
}

/// Whether white is better read on a colour; of colours written as six digits, in which ours and most are.
fn is_dark(colour: &str) -> bool {
    let digits = colour.strip_prefix('#').filter(|digits| digits.len() == 6);
    let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    number.is_some_and(|rgb| {
        let [_, red, green, blue] = rgb.to_be_bytes().map(u32::from);
        // Luma (ITU-R BT.601).
        299 * red + 587 * green + 114 * blue < 128_000
    })
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // What XML 1.0 can't hold.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn drawn(layers: Json) -> String {
        let words = Words {
            title: "The <town>",
            collection: &|id| Some(format!("Title of {id}")),
            meaning: &|_, property, value| {
                (property == "kind" && value == "1").then(|| "First".to_owned())
            },
            others: "others".to_owned(),
        };
        svg(&json!({ "version": 8, "layers": layers }), &words)
    }

    #[test]
    fn each_class_has_a_row_with_its_colour() {
        let out = drawn(json!([
            { "id": "a", "type": "fill", "source-layer": "zones", "paint": { "fill-color":
                ["case", ["has", "kind"], ["match", ["to-string", ["get", "kind"]], ["1", "2"], "#110000", "3", "#220000", "#330000"], "#330000"] } },
            { "id": "b", "type": "line", "source-layer": "zones", "paint": { "line-color": "#0000ff", "line-width": ["interpolate", ["linear"], ["zoom"], 15, 1, 17, 3] } },
        ]));
        for expected in [
            "Title of zones",
            "First, 2",
            ">3<",
            "others",
            "#110000",
            "#220000",
            "#330000",
            r#"stroke-width="2.00""#,
        ] {
            assert!(out.contains(expected), "{expected}: {out}");
        }
        assert_eq!(out.matches("<rect").count(), 1 + 3, "{out}");
    }

    #[test]
    fn older_functions_and_dashes_are_read() {
        let out = drawn(json!([
            { "id": "a", "type": "circle", "source-layer": "lamps", "paint": { "circle-color":
                { "type": "categorical", "property": "kind", "stops": [["1", "#110000"]], "default": "#220000" }, "circle-radius": { "stops": [[10, 2], [15, 6]] } } },
            { "id": "b", "type": "line", "source-layer": "pipes", "paint": { "line-dasharray": [2, 1], "line-width": 2 } },
        ]));
        for expected in [
            "First",
            "#110000",
            "#220000",
            r#"r="6.00""#,
            r#"stroke-dasharray="4 2""#,
        ] {
            assert!(out.contains(expected), "{expected}: {out}");
        }
    }

    #[test]
    fn no_text_of_a_style_leaves_its_place() {
        let colour = r#""/><script>alert(1)</script>"#;
        let out = drawn(
            json!([{ "id": "a", "type": "fill", "source-layer": "<x>&", "paint": { "fill-color": colour, "fill-outline-color": colour } }]),
        );
        assert!(
            !out.contains("<script") && out.contains("The &lt;town&gt;"),
            "{out}"
        );
        // Nor does a style of any shape bring it down.
        let mut deep = json!("x");
        for _ in 0..60 {
            deep = json!(["case", ["has", "a"], deep, ["match", deep]]);
            if deep.to_string().len() > 100_000 {
                break;
            }
        }
        for paint in [
            json!(null),
            json!([]),
            json!({ "fill-color": deep }),
            json!({ "fill-color": ["match"] }),
            json!({ "fill-color": ["step"] }),
        ] {
            drawn(
                json!([{ "type": "fill", "source-layer": "a", "paint": paint }, 1, {}, { "type": "background" }]),
            );
        }
    }
}
