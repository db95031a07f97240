//! What of a style a reader gets: addresses of this server as they are reached now, and nothing of a collection or property that they do not see.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use crate::context::Context;
use crate::policy::Sight;

/// Nesting of a style, as the check of a style allows it.
pub(super) const MAX_DEPTH: usize = 64;

/// Changes each address of a style: of glyphs, sprites and sources.
fn each_address(style: &mut Json, change: &impl Fn(&mut String)) {
    let mut text = |json: &mut Json| {
        if let Json::String(text) = json {
            change(text);
        }
    };
    if let Some(glyphs) = style.get_mut("glyphs") {
        text(glyphs);
    }
    match style.get_mut("sprite") {
        Some(Json::Array(all)) => all
            .iter_mut()
            .filter_map(|one| one.get_mut("url"))
            .for_each(&mut text),
        Some(one) => text(one),
        None => {}
    }
    let sources = style.get_mut("sources").and_then(Json::as_object_mut);
    for source in sources.into_iter().flat_map(Map::values_mut) {
        for name in ["url", "data"] {
            if let Some(one) = source.get_mut(name) {
                text(one);
            }
        }
        let tiles = source.get_mut("tiles").and_then(Json::as_array_mut);
        tiles.into_iter().flatten().for_each(&mut text);
    }
}

/// A style with addresses of this server as it is reached now taken down to their path, so that it moves with the server.
pub(super) fn rooted(context: &Context, style: &mut Json) {
    let root = context.url("");
    each_address(style, &|text| {
        if let Some(path) = text
            .strip_prefix(&root)
            .filter(|path| path.starts_with('/'))
        {
            *text = path.to_owned();
        }
    });
}

/// The opposite of [`rooted`].
pub(super) fn absolute(context: &Context, style: &mut Json) {
    each_address(style, &|text| {
        if text.starts_with('/') && !text.starts_with("//") {
            *text = context.url(&*text);
        }
    });
}

/// Takes out what tells of collections and properties that are not seen.
pub(super) fn narrow(style: &mut Json, sight: &Sight) {
    let mut gone = BTreeSet::new();
    let mut ours = BTreeSet::new();
    if let Some(sources) = style.get_mut("sources").and_then(Json::as_object_mut) {
        for (name, source) in &mut *sources {
            match narrowed(source, sight) {
                Some(true) => {
                    ours.insert(name.clone());
                }
                Some(false) => {
                    gone.insert(name.clone());
                }
                None => {}
            }
        }
        sources.retain(|name, _| !gone.contains(name));
    }
    let Some(layers) = style.get_mut("layers").and_then(Json::as_array_mut) else {
        return;
    };
    layers.retain(|layer| {
        let source = layer["source"].as_str().unwrap_or_default();
        if gone.contains(source) {
            return false;
        }
        let Some(collection) = layer["source-layer"].as_str() else {
            return true;
        };
        if !ours.contains(source) {
            return true;
        }
        let mut names = BTreeSet::new();
        properties(layer, &mut names, MAX_DEPTH);
        sight.get(collection).is_some() && !names.iter().any(|name| sight.hides(collection, name))
    });
}

/// Leaves the seen collections in the addresses of a source. `None`: it is none of ours; false: nothing of it is seen.
fn narrowed(source: &mut Json, sight: &Sight) -> Option<bool> {
    let mut is_ours = false;
    let mut has_any = false;
    let mut change = |text: &mut String| {
        if let Some(rest) = text.strip_prefix("/tiles/") {
            is_ours = true;
            let (ids, rest) = rest
                .split_once('/')
                .map_or((rest, None), |(a, b)| (a, Some(b)));
            let seen: Vec<&str> = ids
                .split(',')
                .filter(|id| sight.get(id).is_some())
                .collect();
            has_any |= !seen.is_empty();
            let rest = rest.map(|rest| format!("/{rest}")).unwrap_or_default();
            *text = format!("/tiles/{}{rest}", seen.join(","));
        } else if let Some(rest) = text.strip_prefix("/collections/") {
            is_ours = true;
            let id = rest.split(['/', '?']).next().unwrap_or_default();
            has_any |= sight.get(id).is_some();
        }
    };
    for name in ["url", "data"] {
        if let Some(Json::String(text)) = source.get_mut(name) {
            change(text);
        }
    }
    let tiles = source.get_mut("tiles").and_then(Json::as_array_mut);
    for tile in tiles.into_iter().flatten() {
        if let Json::String(text) = tile {
            change(text);
        }
    }
    is_ours.then_some(has_any)
}

/// The names of properties in the expressions, filters and texts of a layer. More than these do no harm.
pub(super) fn properties(json: &Json, names: &mut BTreeSet<String>, depth: usize) {
    if depth == 0 {
        return;
    }
    match json {
        Json::Array(all) => {
            // `["get", name]`, and `["==", name, value]` of older filters.
            if let [Json::String(_), Json::String(name), ..] = all.as_slice() {
                names.insert(name.clone());
            }
            all.iter()
                .for_each(|json| properties(json, names, depth - 1));
        }
        Json::Object(map) => {
            // Functions before there were expressions.
            if let Some(Json::String(name)) = map.get("property") {
                names.insert(name.clone());
            }
            map.values()
                .for_each(|json| properties(json, names, depth - 1));
        }
        Json::String(text) => {
            // `{name}` in a text.
            let tokens = text
                .split('{')
                .skip(1)
                .filter_map(|rest| rest.split_once('}'));
            names.extend(tokens.map(|(name, _)| name.to_owned()));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_are_found_however_a_style_names_them() {
        let layer = json!({
            "filter": ["all", ["==", "old", 1], ["has", "had"]],
            "layout": { "text-field": "№ {token}", "icon-image": ["coalesce", ["get", "got"], "x"] },
            "paint": { "fill-color": { "property": "function", "stops": [] } },
        });
        let mut names = BTreeSet::new();
        properties(&layer, &mut names, MAX_DEPTH);
        for name in ["old", "had", "token", "got", "function"] {
            assert!(names.contains(name), "{name}: {names:?}");
        }
    }
}
