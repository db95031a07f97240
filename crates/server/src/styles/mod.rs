//! Styles (OGC API Styles, OGC 20-009, draft): the map's own look for QGIS, MapLibre and others, and styles that the town puts beside or in place of it.

mod built;
mod check;
mod colour;
mod legend;
mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use model::access::{Directory, Permission, TownStyle};
use model::{GeometryType, Lang, Message};
use serde_json::{Map, Value as Json, json};

use crate::app::App;
use crate::common::self_links;
use crate::conditional::prefers;
use crate::conditional::{Tag, has_if_match, takes_any};
use crate::context::Context;
use crate::features::body;
use crate::features::query::flag;
use crate::html;
use crate::link::{GEOJSON, JSON, STYLE, SVG, link, segment};
use crate::negotiate::Format;
use crate::policy::Sight;
use crate::problem::{Problem, shown};
use crate::schema::json_type;
use crate::segments::Segments;
use crate::{answer, collections};

/// Findings that an answer about a faulty style names.
const MAX_NAMED: usize = 20;

/// A style that there is.
struct Known {
    id: String,
    title: String,
    /// That of the town; `None`: the map's own look.
    stored: Option<TownStyle>,
}

impl Known {
    fn new(context: &Context, directory: &Directory, id: &str) -> Option<Self> {
        let stored = directory.styles.get(id).cloned();
        let title = match &stored {
            Some(style) => style.title.clone(),
            None => context.text(built::title(id)?),
        };
        let id = id.to_owned();
        Some(Self { id, title, stored })
    }
}

/// All styles: those of the town, and ours that it has not put others in the place of. The first one is where a client begins.
fn all(app: &App, context: &Context) -> Vec<Known> {
    let directory = app.store.directory();
    let ours = built::ids();
    let others = directory.styles.keys().map(String::as_str);
    let others = others.filter(|id| !ours.contains(id));
    let ids = ours.iter().copied().chain(others);
    ids.filter_map(|id| Known::new(context, &directory, id))
        .collect()
}

/// # Errors
/// 404.
fn known(app: &App, context: &Context, id: &str) -> Result<Known, Problem> {
    let missing = || Problem::not_found(Message::new("store.no-style").with("id", shown(id)));
    Known::new(context, &app.store.directory(), id).ok_or_else(missing)
}

/// A style as a reader gets it.
///
/// # Errors
/// 500 when a stored one is damaged.
fn document(context: &Context, sight: &Sight, style: &Known) -> Result<Json, Problem> {
    let mut document = match &style.stored {
        Some(stored) => {
            let mut document = serde_json::from_str(&stored.document).map_err(Problem::internal)?;
            seen::narrow(&mut document, sight);
            document
        }
        // Made of what is seen.
        None => built::style(context, &style.id, &sight.all())
            .ok_or_else(|| Problem::internal("a style of ours can't be made"))?,
    };
    seen::absolute(context, &mut document);
    Ok(document)
}

fn here(context: &Context, id: &str) -> String {
    context.url(format_args!("/styles/{}", segment(id)))
}

/// `GET /styles`
pub(crate) async fn list(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let format = context.wanted.json_or_html(JSON)?;
    // Which styles there are is told to everybody; what of one is seen is decided when it is asked for.
    app.sight(&context)?;
    let all = all(&app, &context);
    if format == Format::Html {
        let rows = all
            .into_iter()
            .map(|style| (style.id, style.title))
            .collect();
        return answer::page(&context, &html::Styles::new(&context, rows));
    }
    let entry = |style: &Known| json!({ "id": style.id, "title": style.title, "links": links(&context, &style.id) });
    let mut body = json!({
        "styles": all.iter().map(entry).collect::<Vec<_>>(),
        "links": self_links(&context, JSON, format),
    });
    if let Some(first) = all.first() {
        body["default"] = first.id.as_str().into();
    }
    Ok(answer::json(&context, JSON, &body))
}

fn links(context: &Context, id: &str) -> Vec<Json> {
    let here = here(context, id);
    vec![
        link(
            here.clone(),
            "stylesheet",
            STYLE,
            context.text("server.style-sheet"),
        ),
        link(
            format!("{here}/metadata"),
            "describedby",
            JSON,
            context.text("server.style-metadata"),
        ),
        link(
            format!("{here}/legend"),
            "preview",
            SVG,
            context.text("server.style-legend"),
        ),
    ]
}

/// `GET /styles/{style}`
pub(crate) async fn one(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    context
        .wanted
        .pick(&[((), "mapbox", STYLE), ((), "json", JSON)])?;
    let sight = app.sight(&context)?;
    let style = known(&app, &context, &id)?;
    let text = document(&context, &sight, &style)?.to_string();
    let tag = Tag::strong(answer::digest(text.as_bytes()));
    Ok(answer::tagged(&context, STYLE, text, &tag))
}

/// `GET /styles/{style}/metadata`
pub(crate) async fn metadata(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    context.wanted.json(JSON)?;
    let sight = app.sight(&context)?;
    let style = known(&app, &context, &id)?;
    let document = document(&context, &sight, &style)?;
    let stylesheet = link(
        here(&context, &id),
        "stylesheet",
        STYLE,
        context.text("server.style-sheet"),
    );
    let mut out = json!({
        "id": style.id,
        "title": style.title,
        "scope": "style",
        "stylesheets": [{
            "title": "MapLibre Style",
            "version": "8",
            "specification": "https://maplibre.org/maplibre-style-spec/",
            "native": true,
            "link": stylesheet,
        }],
        "layers": layers(&context, &sight, &document),
        "links": [
            link(context.url(&*context.path), "self", JSON, context.text("server.this-document")),
            link(format!("{}/legend", here(&context, &id)), "preview", SVG, context.text("server.style-legend")),
        ],
    });
    if let Some(stored) = &style.stored {
        out["created"] = stored.created.as_str().into();
        out["updated"] = stored.updated.as_str().into();
    }
    // What the author of a style says of it stands in the style, under the names of the standard's metadata.
    for name in [
        "description",
        "keywords",
        "pointOfContact",
        "license",
        "version",
    ] {
        if let Some(value) = document["metadata"].get(name) {
            out[name] = value.clone();
        }
    }
    Ok(answer::json(&context, JSON, &out))
}

/// The collections that a style draws, with the properties that it needs of each.
fn layers(context: &Context, sight: &Sight, document: &Json) -> Vec<Json> {
    let mut needed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for layer in document["layers"].as_array().into_iter().flatten() {
        if let Some(id) = layer["source-layer"].as_str() {
            seen::properties(layer, needed.entry(id).or_default(), seen::MAX_DEPTH);
        }
    }
    let described = |(id, names): (&str, BTreeSet<String>)| {
        let live = sight.get(id)?;
        let schema = &live.collection.schema;
        let attributes: Map<String, Json> = names
            .into_iter()
            .filter_map(|name| {
                let property = schema.properties.iter().find(|p| p.name == name)?;
                let (kind, _) = json_type(property.kind);
                Some((name, json!({ "type": kind })))
            })
            .collect();
        let kind = match live.collection.geometry_type {
            GeometryType::Point | GeometryType::MultiPoint => "point",
            GeometryType::LineString | GeometryType::MultiLineString => "line",
            GeometryType::Polygon | GeometryType::MultiPolygon => "polygon",
            GeometryType::Geometry | GeometryType::GeometryCollection => "geometry",
        };
        let sample = link(
            context.url(format_args!("/collections/{id}/items?f=json&limit=100")),
            "start",
            GEOJSON,
            collections::title(context, &live.collection),
        );
        Some(json!({ "id": id, "type": kind, "attributes": attributes, "sampleData": sample }))
    };
    needed.into_iter().filter_map(described).collect()
}

/// `GET /styles/{style}/legend`
pub(crate) async fn legend(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    context.wanted.pick(&[((), "svg", SVG)])?;
    let sight = app.sight(&context)?;
    let style = known(&app, &context, &id)?;
    let document = document(&context, &sight, &style)?;
    let text = legend_of(&context, &sight, &document, &style.title);
    Ok(answer::bytes(&context, SVG, text))
}

/// `POST /styles`: the id is made of the style's name.
pub(crate) async fn create(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    let asked = Asked::new(&context)?;
    let document = asked.document(&app, &context, body).await?;
    let id = slug(document["name"].as_str().unwrap_or_default());
    if id.is_empty() {
        return Err(Problem::bad_request(Message::new("server.style-nameless")));
    }
    if known(&app, &context, &id).is_ok() {
        let detail = Message::new("server.style-exists").with("id", id);
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    asked.keep(&app, &context, &id, document, None).await
}

/// `PUT /styles/{style}`
pub(crate) async fn replace(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
    body: Body,
) -> Result<Response, Problem> {
    let asked = Asked::new(&context)?;
    model::access::check_style_id(&id)?;
    let document = asked.document(&app, &context, body).await?;
    let seen = condition(&app, &context, &id)?;
    asked.keep(&app, &context, &id, document, seen).await
}

/// `DELETE /styles/{style}`: the town's; one of ours is back then, where there is one of this id.
pub(crate) async fn delete(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    require(&app, &context)?;
    let style = known(&app, &context, &id)?;
    if style.stored.is_none() {
        let detail = Message::new("server.style-built-in").with("id", id);
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    let seen = condition(&app, &context, &id)?;
    app.store
        .delete_style(context.principal.actor(), &id, seen)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Styles are what everybody's map looks like: whoever decides what is published may change them.
fn require(app: &App, context: &Context) -> Result<(), Problem> {
    app.sight(context)?;
    app.require_whole(context, Permission::Publish)
}

/// What of a style the client has seen, where it says so.
///
/// # Errors
/// 412 when it has seen something else.
fn condition(app: &App, context: &Context, id: &str) -> Result<Option<Arc<str>>, Problem> {
    let changed = || {
        let detail = Message::new("store.style-changed").with("id", shown(id));
        Problem::new(StatusCode::PRECONDITION_FAILED, detail)
    };
    let found = known(app, context, id).ok();
    let Some(style) = found else {
        // `If-Match` fails for what is not there (RFC 9110 §13.1.1).
        return if has_if_match(&context.headers) {
            Err(changed())
        } else {
            Ok(None)
        };
    };
    let sight = app.sight(context)?;
    let text = document(context, &sight, &style)?.to_string();
    if !Tag::strong(answer::digest(text.as_bytes())).allows_write(&context.headers) {
        return Err(changed());
    }
    let names_version = has_if_match(&context.headers) && !takes_any(&context.headers);
    Ok(style
        .stored
        .filter(|_| names_version)
        .map(|stored| stored.document))
}

/// How a style is to be taken.
struct Asked {
    /// Nothing is kept: it is only looked at.
    is_trial: bool,
    /// What MapLibre would not understand is kept all the same.
    is_lenient: bool,
}

impl Asked {
    /// # Errors
    /// 400 for other parameters.
    fn new(context: &Context) -> Result<Self, Problem> {
        // The draft calls it `dry-run` in one place and `validate` in another.
        context.params.only(&["dry-run", "validate"])?;
        Ok(Self {
            is_trial: flag(&context.params, "dry-run")? || flag(&context.params, "validate")?,
            is_lenient: prefers(&context.headers, "handling=lenient"),
        })
    }

    /// The style in a body.
    ///
    /// # Errors
    /// 401 and 403; 400 for what is no style, with every finding.
    async fn document(&self, app: &App, context: &Context, body: Body) -> Result<Json, Problem> {
        require(app, context)?;
        let whole = body::read_of(app, context, body, &[STYLE, JSON]).await?;
        // Again: rights may have gone while the body came.
        require(app, context)?;
        let document: Json = serde_json::from_slice(&whole.bytes).map_err(|error| {
            Problem::bad_request(
                Message::new("server.style-not-json")
                    .with("line", error.line())
                    .with("column", error.column()),
            )
        })?;
        let is_style = document["version"] == 8
            && document["sources"].is_object()
            && document["layers"].is_array();
        if !is_style || !self.is_lenient {
            let mut findings = check::check(&document);
            findings.retain(|finding| !finding.is_advice());
            if !findings.is_empty() {
                return Err(refused(context.lang, &findings));
            }
        }
        Ok(document)
    }

    async fn keep(
        &self,
        app: &App,
        context: &Context,
        id: &str,
        mut document: Json,
        seen: Option<Arc<str>>,
    ) -> Result<Response, Problem> {
        if self.is_trial {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        seen::rooted(context, &mut document);
        let title = document["name"].as_str().unwrap_or(id).to_owned();
        let text = Arc::from(document.to_string());
        let actor = context.principal.actor();
        let is_new = app.store.put_style(actor, id, title, text, seen).await?;
        let status = if is_new {
            StatusCode::CREATED
        } else {
            StatusCode::NO_CONTENT
        };
        let mut response = status.into_response();
        if is_new && let Ok(location) = HeaderValue::try_from(here(context, id)) {
            response.headers_mut().insert(LOCATION, location);
        }
        Ok(response)
    }
}

fn refused(lang: Lang, findings: &[check::Finding]) -> Problem {
    let named: Vec<String> = findings
        .iter()
        .take(MAX_NAMED)
        .map(|finding| {
            let message = Message::new(finding.key);
            let message = finding
                .values
                .iter()
                .fold(message, |message, (name, value)| message.with(name, value));
            let place = if finding.pointer.is_empty() {
                "/"
            } else {
                &finding.pointer
            };
            format!("{place}: {}", message.text(lang))
        })
        .collect();
    Problem::bad_request(
        Message::new("server.style-faulty")
            .with("count", findings.len())
            .with("findings", named.join("; ")),
    )
}

/// A name as an id: Latin letters and digits, what is between them as one hyphen.
fn slug(name: &str) -> String {
    let mut out = String::new();
    for c in name.to_ascii_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(model::access::MAX_STYLE_ID);
    out.trim_end_matches('-').to_owned()
}

fn legend_of(context: &Context, sight: &Sight, document: &Json, title: &str) -> String {
    let words = legend::Words {
        title,
        collection: &|id| Some(collections::title(context, &sight.get(id)?.collection)),
        meaning: &|id, property, value| built::meaning(id, property, value, context.lang.tag()),
        others: context.text("server.legend-others"),
    };
    legend::svg(document, &words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_ids() {
        assert_eq!(slug("Topographic  night — 2"), "topographic-night-2");
        assert_eq!(slug("Нічний"), "");
        assert_eq!(slug(&"a".repeat(100)).len(), 63);
    }
}
