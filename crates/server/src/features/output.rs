//! The formats of items and what an answer in each of them consists of.

use axum::http::HeaderValue;
use axum::response::Response;
use formats::{Format, JsonFg, Stream, StreamOptions, TableGeometry, TimeProperties};
use model::{GeometryType, Message};
use serde_json::Value as Json;
use store::LiveCollection;

use super::query::Asked;
use crate::context::Context;
use crate::link::{HTML, link};
use crate::problem::Problem;
use crate::schema::has_text_id;

/// In what an answer with features comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Html,
    Features(Format),
}

/// The formats of features, the one for who does not care first.
pub(crate) const FORMATS: [Format; 7] = [
    Format::GeoJson,
    Format::JsonFg,
    Format::FlatGeobuf,
    Format::Csv,
    Format::GeoParquet,
    Format::NdJson,
    Format::GeoJsonSeq,
];

/// The formats of a single feature.
pub(crate) const FORMATS_OF_ONE: [Format; 2] = [Format::GeoJson, Format::JsonFg];

impl Output {
    /// By `f`, else by `Accept`.
    ///
    /// # Errors
    /// 400 for an unknown `f`, 406 when `Accept` leaves nothing.
    pub(crate) fn wanted(context: &Context) -> Result<Self, Problem> {
        Self::among(context, &FORMATS)
    }

    /// As [`Output::wanted`], of a single feature.
    ///
    /// # Errors
    /// As [`Output::wanted`].
    pub(crate) fn wanted_of_one(context: &Context) -> Result<Self, Problem> {
        Self::among(context, &FORMATS_OF_ONE)
    }

    fn among(context: &Context, formats: &[Format]) -> Result<Self, Problem> {
        let mut offered: Vec<(Self, &str, &str)> = formats
            .iter()
            .map(|format| (Self::Features(*format), format.name(), format.media_type()))
            .collect();
        // Plain JSON is GeoJSON.
        offered.insert(
            1,
            (Self::Features(Format::GeoJson), "json", "application/json"),
        );
        offered.push((Self::Html, "html", HTML));
        context.wanted.pick(&offered)
    }
}

/// The media type of a format as it stands in `Content-Type`.
pub(crate) fn content_type(format: Format) -> &'static str {
    match format {
        Format::Csv => "text/csv; charset=utf-8; header=present",
        other => other.media_type(),
    }
}

/// Whether answers of a format have room for links and counts in them; else they stand in headers.
pub(super) fn has_links(format: Format) -> bool {
    matches!(format, Format::GeoJson | Format::JsonFg)
}

/// Whether links and counts stand in headers. QGIS reads them there for all but GeoJSON.
pub(super) fn has_headers(format: Format) -> bool {
    format != Format::GeoJson
}

/// The encoder of an answer.
///
/// # Errors
/// 500 when the format can't hold the collection.
pub(crate) fn stream(
    context: &Context,
    live: &LiveCollection,
    format: Format,
    asked: &Asked,
) -> Result<Stream, Problem> {
    let collection = &live.collection;
    let schema = &collection.schema;
    let feature_schema = context.url(format_args!("/collections/{}/schema", collection.id));
    let time = collection.time_property.as_ref();
    let time = time.and_then(|name| schema.position(name));
    let is_points = collection.geometry_type == GeometryType::Point;
    let has_id = has_text_id(collection) || collection.id_property.is_some();
    let names = schema.properties.iter().map(|p| &p.name);
    let has_named_id = names
        .into_iter()
        .any(|name| name.eq_ignore_ascii_case("id"));
    let is_told = format == Format::GeoParquet && !asked.crs.crs.is_wgs84();
    let projjson = is_told
        .then(|| spatial::crs::projjson(asked.crs.crs).ok())
        .flatten();
    let crs_uri = asked.crs.crs.is_local().then(|| asked.crs.uri(context));
    let options = StreamOptions {
        properties: asked.select.as_deref(),
        skip_geometry: asked.skip_geometry,
        layer_name: collection.id.as_str(),
        geometry_type: collection.geometry_type,
        // Which vertex has which height is not followed while vertices go.
        has_z: collection.has_z && asked.zoom.is_none(),
        has_m: collection.has_m && asked.zoom.is_none(),
        crs: asked.crs.crs,
        y_first: asked.crs.y_first,
        decimals: asked.decimals,
        // Tables tell names apart by their letters alone.
        id_column: match (has_id, has_named_id) {
            // QGIS takes the first column for the id where there is none of this name.
            (true, false) if format == Format::FlatGeobuf => Some("id"),
            (true, _) => None,
            (false, true) => Some("feature_id"),
            (false, false) => Some("id"),
        },
        byte_order_mark: format == Format::Csv,
        table_geometry: match is_points {
            true => TableGeometry::Coordinates,
            false => TableGeometry::Wkt,
        },
        json_fg: JsonFg {
            feature_type: Some(collection.id.as_str()),
            feature_schema: Some(&feature_schema),
            time: time.map(|start| TimeProperties { start, end: None }),
        },
        crs_uri: crs_uri.as_deref(),
        projjson: projjson.as_deref(),
        ..StreamOptions::new(format, schema)
    };
    Stream::new(&options).map_err(Problem::internal)
}

/// `self` and `alternate` of features in all formats (OGC 17-069r4 /req/core/fc-links).
pub(crate) fn self_links(context: &Context, format: Format) -> Vec<Json> {
    let all = FORMATS
        .iter()
        .map(|format| (format.name(), format.media_type()));
    let all = all.chain([("html", HTML)]);
    let link_of = |(name, media_type): (&str, &str)| {
        let is_self = name == format.name();
        let title = match (is_self, name) {
            (true, _) => context.text("server.this-document"),
            (false, "html") => context.text("server.this-document-html"),
            (false, name) => {
                let message = Message::new("server.as-format").with("format", name);
                message.text(context.lang)
            }
        };
        let rel = if is_self { "self" } else { "alternate" };
        link(
            context.url_with(&[("f", Some(name))]),
            rel,
            media_type,
            title,
        )
    };
    let (own, others): (Vec<_>, Vec<_>) = all.partition(|(name, _)| *name == format.name());
    own.into_iter().chain(others).map(link_of).collect()
}

/// Says links in a header.
pub(super) fn head(response: &mut Response, links: &[(String, &str, &str)]) {
    let headers = response.headers_mut();
    // One line for all: QGIS reads the first.
    let all: Vec<String> = links
        .iter()
        .map(|(href, rel, media_type)| format!("<{href}>; rel=\"{rel}\"; type=\"{media_type}\""))
        .collect();
    if let Ok(value) = HeaderValue::try_from(all.join(", ")) {
        headers.insert(hyper::header::LINK, value);
    }
}

/// What a browser saves an answer as.
pub(super) fn name_file(response: &mut Response, live: &LiveCollection, format: Format) {
    if matches!(format, Format::GeoJson | Format::JsonFg) {
        return;
    }
    let name = format!(
        "attachment; filename=\"{}.{}\"",
        live.collection.id,
        format.extension()
    );
    if let Ok(value) = HeaderValue::try_from(name) {
        let headers = response.headers_mut();
        headers.insert(hyper::header::CONTENT_DISPOSITION, value);
    }
}
