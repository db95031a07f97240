//! Landing page, conformance and the API definition.

use askama::Template;
use serde_json::Value as Json;
use store::LiveCollection;

use super::Frame;
use crate::collections::title;
use crate::context::Context;
use crate::link::segment;

#[derive(Template)]
#[template(path = "landing.html")]
pub(crate) struct Landing {
    frame: Frame,
    description: String,
    collections: u64,
    features: u64,
}

impl Landing {
    pub(crate) fn new(context: &Context, seen: &[LiveCollection], links: &[Json]) -> Self {
        let mut frame = Frame::new(context, context.text("server.title"), &[]);
        frame.crumbs.clear();
        frame.show_links(links);
        let features: usize = seen.iter().map(|c| c.index.len()).sum();
        Self {
            frame,
            description: context.text("server.description"),
            collections: seen.len() as u64,
            features: features as u64,
        }
    }
}

#[derive(Template)]
#[template(path = "conformance.html")]
pub(crate) struct Conformance<'a> {
    frame: Frame,
    standards: Vec<Standard<'a>>,
}

/// The conformance classes of one standard.
pub(crate) struct Standard<'a> {
    name: &'static str,
    classes: Vec<Class<'a>>,
}

pub(crate) struct Class<'a> {
    name: String,
    uri: &'a str,
}

/// Standards by the part of a class's URI that names them. Titles of standards are not translated.
const STANDARDS: [(&str, &str); 18] = [
    ("ogcapi-common-1", "OGC API – Common – Part 1: Core"),
    (
        "ogcapi-common-2",
        "OGC API – Common – Part 2: Geospatial Data",
    ),
    ("ogcapi-common-3", "OGC API – Common – Part 3: Schemas"),
    (
        "ogcapi-common-5",
        "OGC API – Common – Part 5: Create, Replace, Update and Delete",
    ),
    ("ogcapi-features-1", "OGC API – Features – Part 1: Core"),
    (
        "ogcapi-features-2",
        "OGC API – Features – Part 2: Coordinate Reference Systems by Reference",
    ),
    (
        "ogcapi-features-3",
        "OGC API – Features – Part 3: Filtering",
    ),
    ("cql2", "Common Query Language (CQL2)"),
    (
        "ogcapi-features-4",
        "OGC API – Features – Part 4: Create, Replace, Update and Delete",
    ),
    ("ogcapi-features-5", "OGC API – Features – Part 5: Schemas"),
    (
        "ogcapi-features-6",
        "OGC API – Features – Part 6: Property Selection",
    ),
    (
        "ogcapi-features-7",
        "OGC API – Features – Part 7: Geometry Simplification",
    ),
    ("ogcapi-features-8", "OGC API – Features – Part 8: Sorting"),
    (
        "ogcapi-features-9",
        "OGC API – Features – Part 9: Text Search",
    ),
    (
        "ogcapi-features-11",
        "OGC API – Features – Part 11: Transactions",
    ),
    ("ogcapi-tiles-1", "OGC API – Tiles – Part 1: Core"),
    ("ogcapi-styles-1", "OGC API – Styles – Part 1: Core"),
    ("tms", "OGC Two Dimensional Tile Matrix Set"),
];

impl<'a> Conformance<'a> {
    pub(crate) fn new(context: &Context, classes: &'a [&'static str]) -> Self {
        let of = |(part, name): (&str, &'static str)| {
            let inside = format!("/spec/{part}/");
            let classes = classes.iter().filter(|uri| uri.contains(&inside));
            Standard {
                name,
                classes: classes.map(|uri| class(uri)).collect(),
            }
        };
        let standards = STANDARDS.into_iter().map(of);
        Self {
            frame: Frame::new(context, context.text("server.conformance"), &[]),
            standards: standards.filter(|s| !s.classes.is_empty()).collect(),
        }
    }
}

/// The name of a class as its standard writes it.
fn class(uri: &str) -> Class<'_> {
    let slug = uri.rsplit('/').next().unwrap_or_default();
    let name = match slug {
        "json" => "JSON".to_owned(),
        "html" => "HTML".to_owned(),
        "oas30" => "OpenAPI 3.0".to_owned(),
        "geojson" => "GeoJSON".to_owned(),
        "mvt" => "Mapbox Vector Tiles".to_owned(),
        "tilematrixset" => "TileMatrixSet".to_owned(),
        "json-tilematrixset" => "JSON TileMatrixSet".to_owned(),
        "optimistic-locking-etags" => "Optimistic locking with ETags".to_owned(),
        "create-replace-delete" => "Create, replace, delete".to_owned(),
        other => {
            let words = other.replace('-', " ");
            words[..1].to_uppercase() + &words[1..]
        }
    };
    Class { name, uri }
}

#[derive(Template)]
#[template(path = "api.html")]
pub(crate) struct Api {
    frame: Frame,
    operations: Vec<Operation>,
}

/// A path and method of the API definition.
pub(crate) struct Operation {
    method: String,
    /// The path, cut behind its slashes: lines break there.
    pieces: Vec<String>,
    /// Where it can be tried: paths without parameters, read by GET.
    href: Option<String>,
    summary: String,
    parameters: String,
}

impl Api {
    /// Paths that each collection has are one row, with `{collectionId}` in the place of its id.
    pub(crate) fn new(context: &Context, document: &Json, first: Option<&LiveCollection>) -> Self {
        let frame = Frame::new(context, context.text("server.api-page"), &[]);
        let mut operations = Vec::new();
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            let Some(shown) = shown_path(path, first) else {
                continue;
            };
            for (method, operation) in methods.as_object().into_iter().flatten() {
                let is_plain = method == "get" && !shown.contains('{') && path != "/search";
                let summary = operation["summary"].as_str().unwrap_or_default();
                let name = first.map(|c| format!("{}: ", title(context, &c.collection)));
                let general = name
                    .filter(|_| shown != *path)
                    .and_then(|n| summary.strip_prefix(&n));
                operations.push(Operation {
                    method: method.to_uppercase(),
                    href: is_plain.then(|| {
                        frame.href(&path.split('/').map(segment).collect::<Vec<_>>().join("/"))
                    }),
                    summary: general.unwrap_or(summary).to_owned(),
                    parameters: parameters(operation, shown != *path).join(", "),
                    pieces: shown.split_inclusive('/').map(str::to_owned).collect(),
                });
            }
        }
        Self { frame, operations }
    }
}

/// The path as the table shows it; `None` for those of all collections but the first.
fn shown_path(path: &str, first: Option<&LiveCollection>) -> Option<String> {
    let Some(rest) = path.strip_prefix("/collections/") else {
        return Some(path.to_owned());
    };
    let (id, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_first = first.is_some_and(|c| c.collection.id.as_str() == id);
    is_first.then(|| format!("/collections/{{collectionId}}{rest}"))
}

/// Names of parameters; of a row for all collections only those that all have.
fn parameters(operation: &Json, is_shared: bool) -> Vec<String> {
    let name = |p: &Json| {
        let reference = p["$ref"].as_str().and_then(|r| r.rsplit('/').next());
        let own = p["name"].as_str().filter(|_| !is_shared);
        reference.or(own).map(str::to_owned)
    };
    let given = operation["parameters"].as_array();
    given.into_iter().flatten().filter_map(name).collect()
}

#[derive(Template)]
#[template(path = "styles.html")]
pub(crate) struct Styles {
    frame: Frame,
    rows: Vec<StyleRow>,
}

struct StyleRow {
    title: String,
    href: String,
}

impl Styles {
    /// Of ids and titles.
    pub(crate) fn new(context: &Context, styles: Vec<(String, String)>) -> Self {
        let row = |(id, title): (String, String)| StyleRow {
            title,
            href: format!("{}/styles/{}", context.root, segment(&id)),
        };
        Self {
            frame: Frame::new(context, context.text("server.styles"), &[]),
            rows: styles.into_iter().map(row).collect(),
        }
    }
}
