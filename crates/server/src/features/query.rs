//! What a request for items asks for (OGC 17-069r4 §7.15.2 to §7.15.6).

use std::collections::HashSet;
use std::time::Instant;

use model::{
    Bbox, Crs, Feature, GEOMETRY_PROPERTY, Interval, Message, Property, PropertyType, Value,
};
use spatial::QueryBox;
use store::{Begin, ItemsQuery, LiveCollection, MAX_LIMIT, Sort, Store};

use super::filter;
use crate::app::App;
use crate::context::Context;
use crate::crs::{self, Reference};
use crate::limits::{CHOICE_TIMEOUT, DEFAULT_LIMIT, MAX_SEARCH, MAX_SORT, MAX_TERMS};
use crate::params::Params;
use crate::problem::{Problem, shown};

/// Parameters with a meaning of their own; a property of such a name can't be filtered by.
pub(crate) const RESERVED: [&str; 20] = [
    "f",
    "lang",
    "as-of",
    "limit",
    "bbox",
    "datetime",
    "cursor",
    "offset",
    "crs",
    "bbox-crs",
    "sortby",
    "filter",
    "filter-lang",
    "filter-crs",
    "q",
    "properties",
    "exclude-properties",
    "skipGeometry",
    "precision",
    "zoom-level",
];

/// Those that say in what way features are answered: what a request for a single feature takes.
pub(crate) const OF_ONE: [&str; 6] = [
    "crs",
    "properties",
    "exclude-properties",
    "skipGeometry",
    "precision",
    "zoom-level",
];

/// The largest scale that Part 7 has in its table.
const MAX_ZOOM: f64 = 24.0;

/// Decimals that a double can tell of a degree or a metre.
const MAX_DECIMALS: u8 = 15;

/// What a request for items asks for.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) query: ItemsQuery,
    /// Of the answer.
    pub(crate) crs: Reference,
    /// Positions in the schema of the properties that the answer has; `None`: all of them.
    pub(crate) select: Option<Vec<usize>>,
    pub(crate) skip_geometry: bool,
    /// Decimals of coordinates.
    pub(crate) decimals: Option<u8>,
    /// The zoom of a map that geometries are simplified for.
    pub(crate) zoom: Option<f64>,
}

impl Asked {
    /// Whether features are written as they are kept encoded.
    pub(crate) fn is_plain(&self) -> bool {
        self.select.is_none()
            && !self.skip_geometry
            && self.decimals.is_none()
            && self.zoom.is_none()
    }
}

/// Reads the parameters of an items request.
///
/// # Errors
/// 400 with the parameter, what it holds and what it takes; 410 for a cursor of another life of the store.
pub(crate) async fn parse(
    app: &App,
    context: &Context,
    live: &LiveCollection,
) -> Result<Asked, Problem> {
    let params = &context.params;
    let schema = &live.collection.schema;
    let position = |name: &str| schema.position(name).filter(|p| live.is_queryable(*p));
    params.only_where(&RESERVED[2..], |name| position(name).is_some())?;
    let asked = of_answer(params, live)?;
    let mut query = ItemsQuery {
        limit: DEFAULT_LIMIT,
        crs: asked.crs.crs,
        until: Some(Instant::now() + CHOICE_TIMEOUT),
        ..ItemsQuery::default()
    };
    if let Some(text) = params.get("limit") {
        query.limit = limit(text)?;
    }
    let box_crs = crs::named(live, "bbox-crs", params.get("bbox-crs"))?;
    if let Some(text) = params.get("bbox") {
        query.bbox = Some(query_box(text, box_crs)?);
    }
    if let Some(text) = params.get("datetime") {
        query.datetime = Some(Interval::parse(text)?);
    }
    if let Some(text) = params.get("sortby") {
        query.sort = sort(text, live)?;
    }
    match (params.get("cursor"), params.get("offset")) {
        (Some(_), Some(_)) => {
            let detail = Message::new("server.cursor-and-offset");
            return Err(Problem::bad_request(detail));
        }
        (Some(text), None) => {
            let (walk, begin) = app.opened(context, live, text).await?;
            (query.walk, query.begin) = (Some(walk), begin);
        }
        (None, Some(text)) => query.begin = Begin::Offset(offset(text)?),
        (None, None) => {}
    }
    for (name, text) in params.pairs().filter(|(name, _)| !RESERVED.contains(name)) {
        if let Some(position) = position(name) {
            query
                .equals
                .push((position, filter_value(&schema.properties[position], text)?));
        }
    }
    query.filter = filter::asked(context, live)?;
    if let Some(text) = params.get("q") {
        query.text = words(text)?;
    }
    Ok(Asked { query, ..asked })
}

/// Reads in what way features are answered, [`OF_ONE`].
///
/// # Errors
/// 400 with the parameter, what it holds and what it takes.
pub(super) fn of_answer(params: &Params, live: &LiveCollection) -> Result<Asked, Problem> {
    Ok(Asked {
        crs: crs::named(live, "crs", params.get("crs"))?,
        select: selected(params, live)?,
        skip_geometry: flag(params, "skipGeometry")? || leaves_geometry_out(params, live),
        decimals: params.get("precision").map(decimals).transpose()?,
        zoom: zoom(params)?,
        query: ItemsQuery::default(),
    })
}

/// The properties of the answer (OGC API Features Part 6, draft): those that are named, or all but those.
fn selected(params: &Params, live: &LiveCollection) -> Result<Option<Vec<usize>>, Problem> {
    let schema = &live.collection.schema;
    let named = |text: &str| -> Result<Vec<usize>, Problem> {
        let names = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let names =
            names.filter(|name| *name != GEOMETRY_PROPERTY || schema.position(name).is_some());
        let position = |name: &str| {
            schema.position(name).ok_or_else(|| {
                let detail = Message::new("server.select-unknown").with("name", shown(name));
                Problem::bad_request(detail)
            })
        };
        let mut positions: Vec<usize> = names.map(position).collect::<Result<_, _>>()?;
        let mut seen = HashSet::new();
        positions.retain(|position| seen.insert(*position));
        Ok(positions)
    };
    match (params.get("properties"), params.get("exclude-properties")) {
        (Some(_), Some(_)) => {
            let detail = Message::new("server.select-both");
            Err(Problem::bad_request(detail))
        }
        (Some(text), None) => Ok(Some(named(text)?)),
        (None, Some(text)) => {
            let left_out = named(text)?;
            let all = 0..schema.properties.len();
            Ok(Some(all.filter(|p| !left_out.contains(p)).collect()))
        }
        (None, None) => Ok(None),
    }
}

/// Whether the geometry is among those that are not wanted.
fn leaves_geometry_out(params: &Params, live: &LiveCollection) -> bool {
    let left_out = params.get("exclude-properties").unwrap_or_default();
    live.collection.schema.position(GEOMETRY_PROPERTY).is_none()
        && left_out
            .split(',')
            .any(|name| name.trim() == GEOMETRY_PROPERTY)
}

pub(crate) fn flag(params: &Params, name: &'static str) -> Result<bool, Problem> {
    match params.get(name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => {
            let detail = Message::new("server.flag-invalid")
                .with("name", name)
                .with("value", shown(other));
            Err(Problem::bad_request(detail))
        }
    }
}

/// The zoom of a map in WebMercatorQuad (OGC API Features Part 7, draft).
fn zoom(params: &Params) -> Result<Option<f64>, Problem> {
    let Some(text) = params.get("zoom-level") else {
        return Ok(None);
    };
    let zoom = text
        .parse()
        .ok()
        .filter(|zoom| (0.0..=MAX_ZOOM).contains(zoom));
    zoom.map(Some).ok_or_else(|| {
        Problem::bad_request(Message::new("server.zoom-level-invalid").with("value", shown(text)))
    })
}

/// The feature for a map of a zoom, in a CRS. It comes in longitude and latitude.
pub(super) fn simplified(store: &Store, feature: Feature, zoom: f64, crs: Crs) -> Feature {
    let simple = |wkb: Vec<u8>| {
        let Ok(geometry) = formats::wkb::read(&wkb) else {
            return wkb;
        };
        let mut out = Vec::with_capacity(wkb.len());
        formats::wkb::write(&spatial::simplified(&geometry, zoom), &mut out);
        out
    };
    let geometry = feature.geometry.map(simple);
    store.in_crs(
        Feature {
            geometry,
            ..feature
        },
        crs,
    )
}

fn decimals(text: &str) -> Result<u8, Problem> {
    let number = text.parse().ok().filter(|n| *n <= MAX_DECIMALS);
    number.ok_or_else(|| {
        let detail = Message::new("server.precision-invalid")
            .with("value", shown(text))
            .with("max", MAX_DECIMALS);
        Problem::bad_request(detail)
    })
}

/// Terms separated by commas, of which one has to be found (OGC API Features Part 9, draft).
fn words(text: &str) -> Result<Vec<String>, Problem> {
    let terms = text
        .split(',')
        .map(str::trim)
        .filter(|term| !term.is_empty());
    let terms: Vec<String> = terms.map(str::to_owned).collect();
    if terms.is_empty() || terms.len() > MAX_TERMS || text.chars().count() > MAX_SEARCH {
        let detail = Message::new("server.q-invalid")
            .with("terms", MAX_TERMS)
            .with("max", MAX_SEARCH);
        return Err(Problem::bad_request(detail));
    }
    Ok(terms)
}

/// `name`, `+name` or `-name`, separated by commas (OGC API Features Part 8, draft); `+` comes as a space from clients that do
/// not escape it.
fn sort(text: &str, live: &LiveCollection) -> Result<Vec<Sort>, Problem> {
    let mut keys = Vec::new();
    for part in text.split(',') {
        // One sign, which as `+` comes as a space from clients that do not escape it.
        let name = part
            .strip_prefix(['+', '-', ' '])
            .unwrap_or(part)
            .trim_end();
        let position = live.collection.schema.position(name);
        let position = position.filter(|p| live.is_queryable(*p) && live.column_of(*p).is_some());
        let Some(position) = position else {
            let detail = Message::new("server.sort-unknown").with("value", shown(part));
            return Err(Problem::bad_request(detail));
        };
        keys.push(Sort {
            position,
            descending: part.starts_with('-'),
        });
    }
    if keys.len() > MAX_SORT {
        let detail = Message::new("server.sort-too-long").with("max", MAX_SORT);
        return Err(Problem::bad_request(detail));
    }
    Ok(keys)
}

fn offset(text: &str) -> Result<u64, Problem> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number {
        let detail = Message::new("server.offset-invalid").with("value", shown(text));
        return Err(Problem::bad_request(detail));
    }
    // Behind all features there is none.
    Ok(text.parse().unwrap_or(u64::MAX).min(i64::MAX as u64))
}

/// A box in a CRS, whose numbers stand in the order of its axes (OGC 18-058r1 /req/crs/fc-bbox-crs-action).
pub(crate) fn query_box(text: &str, reference: Reference) -> Result<QueryBox, Problem> {
    let mut numbers = numbers(text)?;
    if reference.y_first {
        match numbers.as_mut_slice() {
            [a, b, c, d] | [a, b, _, c, d, _] => {
                std::mem::swap(a, b);
                std::mem::swap(c, d);
            }
            // Told as a wrong count.
            _ => {}
        }
    }
    if reference.crs.is_wgs84() {
        return Ok(Bbox::new(&numbers)?.into());
    }
    let own = Bbox::corners(&numbers)?;
    QueryBox::new(reference.crs, own).map_err(|error| Problem::bad_request(error.message()))
}

/// A limit above the maximum is the maximum (OGC 17-069r4 /req/core/fc-limit-response-1).
fn limit(text: &str) -> Result<u32, Problem> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = if is_number {
        text.parse::<u64>().unwrap_or(u64::MAX)
    } else {
        0
    };
    if number == 0 {
        let detail = Message::new("server.limit-invalid")
            .with("value", shown(text))
            .with("max", MAX_LIMIT);
        return Err(Problem::bad_request(detail));
    }
    Ok(u32::try_from(number).unwrap_or(MAX_LIMIT).min(MAX_LIMIT))
}

pub(crate) fn numbers(text: &str) -> Result<Vec<f64>, Problem> {
    // One more than the most that a box has, so that the count is told as wrong.
    let parts = text.split(',').take(7);
    parts
        .map(|part| {
            part.trim().parse().map_err(|_| {
                let detail = Message::new("server.bbox-not-number").with("value", shown(part));
                Problem::bad_request(detail)
            })
        })
        .collect()
}

/// The value that a property must equal, by the property's type.
fn filter_value(property: &Property, text: &str) -> Result<Value, Problem> {
    let value = match property.kind {
        PropertyType::Boolean => text.parse().ok().map(Value::Boolean),
        PropertyType::Integer => text.parse().ok().map(Value::Integer),
        PropertyType::Real => text
            .parse()
            .ok()
            .filter(|x: &f64| x.is_finite())
            .map(Value::Real),
        PropertyType::Text => Some(Value::Text(text.into())),
        PropertyType::Date => model::is_date(text).then(|| Value::Text(text.into())),
        // Stored in the fixed form where the source has milliseconds at most, else as text.
        PropertyType::DateTime => {
            let fixed = model::normalise_date_time(text)
                .or_else(|| model::is_date_time(text).then(|| text.to_owned()));
            fixed.map(|t| Value::Text(t.into()))
        }
    };
    value.ok_or_else(|| {
        let detail = Message::new("server.filter-type")
            .with("name", &property.name)
            .with("type", property.kind.name())
            .with("value", shown(text));
        Problem::bad_request(detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_cut_to_the_maximum_and_nonsense_is_refused() {
        assert_eq!(limit("1").unwrap(), 1);
        assert_eq!(limit("10001").unwrap(), MAX_LIMIT);
        assert_eq!(limit("1000000000").unwrap(), MAX_LIMIT);
        assert_eq!(limit("99999999999999999999999999").unwrap(), MAX_LIMIT);
        for bad in ["0", "-1", "", "unlimited", "1.5", "+5", "1e3", " 1"] {
            assert!(limit(bad).is_err(), "{bad}");
        }
    }
}
