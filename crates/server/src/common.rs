//! OGC API Common: landing page and conformance (OGC 17-069r4 §7.2 to §7.4).

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value as Json, json};

use crate::answer;
use crate::app::App;
use crate::context::Context;
use crate::html;
use crate::link::{HTML, JSON, OPENAPI, REL_STYLES, REL_TILESETS_VECTOR, REL_TILING_SCHEMES, link};
use crate::negotiate::Format;
use crate::problem::Problem;

/// Classes that hold whatever the options are.
const CLASSES: [&str; 63] = [
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/landing-page",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/json",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/html",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/html",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables-query-parameters",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
    "http://www.opengis.net/spec/cql2/1.0/conf/advanced-comparison-operators",
    "http://www.opengis.net/spec/cql2/1.0/conf/case-insensitive-comparison",
    "http://www.opengis.net/spec/cql2/1.0/conf/accent-insensitive-comparison",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions-plus",
    // The name of the draft, by which QGIS before 3.44 asks.
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-operators",
    "http://www.opengis.net/spec/cql2/1.0/conf/spatial-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/temporal-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/array-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/property-property",
    "http://www.opengis.net/spec/cql2/1.0/conf/functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/arithmetic",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/sortables",
    "http://www.opengis.net/spec/ogcapi-features-6/1.0/conf/properties",
    "http://www.opengis.net/spec/ogcapi-features-6/1.0/conf/properties-features",
    "http://www.opengis.net/spec/ogcapi-features-7/1.0/conf/zoom-level",
    "http://www.opengis.net/spec/ogcapi-features-7/1.0/conf/zoom-level-features",
    "http://www.opengis.net/spec/ogcapi-features-8/1.0/conf/sortables",
    "http://www.opengis.net/spec/ogcapi-features-8/1.0/conf/sorting",
    "http://www.opengis.net/spec/ogcapi-features-8/1.0/conf/features-sorting",
    "http://www.opengis.net/spec/ogcapi-features-9/1.0/conf/text-search",
    "http://www.opengis.net/spec/ogcapi-features-9/1.0/conf/features-text-search",
    "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/schemas",
    "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/advanced-property-roles",
    "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/returnables-and-receivables",
    "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/sortables",
    // The names before publication, by which QGIS looks.
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/schemas",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/core-roles-features",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/returnables-and-receivables",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tileset",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tilesets-list",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/dataset-tilesets",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/geodata-tilesets",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/collections-selection",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/mvt",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-styles-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-styles-1/1.0/conf/mapbox-styles",
    "http://www.opengis.net/spec/ogcapi-styles-1/1.0/conf/manage-styles",
    "http://www.opengis.net/spec/ogcapi-styles-1/1.0/conf/style-validation",
    "http://www.opengis.net/spec/tms/2.0/conf/tilematrixset",
    "http://www.opengis.net/spec/tms/2.0/conf/json-tilematrixset",
];

/// Classes of what those may do who have the right.
const EDIT_CLASSES: [&str; 15] = [
    "http://www.opengis.net/spec/ogcapi-common-5/1.0/conf/create-replace-delete",
    "http://www.opengis.net/spec/ogcapi-common-5/1.0/conf/update",
    "http://www.opengis.net/spec/ogcapi-common-5/1.0/conf/optimistic-locking-etags",
    "http://www.opengis.net/spec/ogcapi-common-5/1.0/conf/return-resource-representation-in-response",
    // The names before these classes were moved.
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/create-replace-delete",
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/update",
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/features",
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/optimistic-locking-etags",
    "http://www.opengis.net/spec/ogcapi-features-11/1.0/conf/transactions",
    "http://www.opengis.net/spec/ogcapi-features-11/1.0/conf/atomic-semantics",
    "http://www.opengis.net/spec/ogcapi-features-11/1.0/conf/batch-semantics",
    "http://www.opengis.net/spec/ogcapi-features-11/1.0/conf/atomic-transactions",
    "http://www.opengis.net/spec/ogcapi-features-11/1.0/conf/batch-transactions",
    "http://www.opengis.net/spec/ogcapi-features-11/1.0/conf/json-transactions",
    "http://www.opengis.net/spec/ogcapi-features-11/1.0/conf/features",
];

pub(crate) fn classes() -> Vec<&'static str> {
    CLASSES.iter().chain(&EDIT_CLASSES).copied().collect()
}

/// `GET /`
pub(crate) async fn landing(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let format = context.wanted.json_or_html(JSON)?;
    let seen = app.sight(&context)?.all();
    match format {
        Format::Html => {
            let page = html::Landing::new(&context, &seen, &landing_links(&context));
            answer::page(&context, &page)
        }
        Format::Json => {
            let document = json!({
                "title": context.text("server.title"),
                "description": context.text("server.description"),
                "links": landing_links(&context),
            });
            Ok(answer::json(&context, JSON, &document))
        }
    }
}

fn landing_links(context: &Context) -> Vec<Json> {
    let text = |key| context.text(key);
    vec![
        link(
            context.url_with(&[("f", Some("json"))]),
            "self",
            JSON,
            text("server.this-document"),
        ),
        link(
            context.url_with(&[("f", Some("html"))]),
            "alternate",
            HTML,
            text("server.this-document-html"),
        ),
        link(
            context.url("/api?f=json"),
            "service-desc",
            OPENAPI,
            text("server.api-definition"),
        ),
        link(
            context.url("/api?f=html"),
            "service-doc",
            HTML,
            text("server.api-page"),
        ),
        link(
            context.url("/conformance"),
            "conformance",
            JSON,
            text("server.conformance"),
        ),
        link(
            context.url("/collections"),
            "data",
            JSON,
            text("server.collections"),
        ),
        link(
            context.url("/tiles"),
            REL_TILESETS_VECTOR,
            JSON,
            text("server.tilesets"),
        ),
        link(
            context.url("/tileMatrixSets"),
            REL_TILING_SCHEMES,
            JSON,
            text("server.matrix-sets"),
        ),
        link(
            context.url("/styles"),
            REL_STYLES,
            JSON,
            text("server.styles"),
        ),
        link(context.url("/app/"), "related", HTML, text("server.map")),
    ]
}

/// `GET /conformance`
pub(crate) async fn conformance(context: Context) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let format = context.wanted.json_or_html(JSON)?;
    let classes = classes();
    match format {
        Format::Html => answer::page(&context, &html::Conformance::new(&context, &classes)),
        Format::Json => {
            let links = self_links(&context, JSON, format);
            Ok(answer::json(
                &context,
                JSON,
                &json!({ "conformsTo": classes, "links": links }),
            ))
        }
    }
}

/// `self` and `alternate` of a resource in JSON and HTML (OGC 17-069r4 /req/core/fc-links).
pub(crate) fn self_links(context: &Context, json_type: &str, format: Format) -> Vec<Json> {
    let one = |f: Format, rel: &str| {
        let (media_type, title) = match f {
            Format::Json => (json_type, context.text("server.this-document")),
            Format::Html => (HTML, context.text("server.this-document-html")),
        };
        link(
            context.url_with(&[("f", Some(f.name()))]),
            rel,
            media_type,
            title,
        )
    };
    vec![one(format, "self"), one(format.other(), "alternate")]
}
