//! Filters of a request: CQL2 (OGC 21-065r2) by the parameters of OGC API Features Part 3 (OGC 19-079r2).

use std::sync::Arc;

use model::cql2::Expression;
use model::{Filter, Invalid, Message};
use store::LiveCollection;

use crate::context::Context;
use crate::crs::{self, Reference};
use crate::problem::{Problem, shown};

/// The encodings (/req/filter/filter-lang-param). GDAL knows the text only by the name of the draft, and its text is one.
pub(crate) const LANGUAGES: [&str; 3] = ["cql2-text", "cql2-json", "cql-text"];

/// The filter of a request, its geometries in longitude/latitude; `None` when it has none.
///
/// # Errors
/// 400 that says where in the filter what is wrong, or which parameter is.
pub(crate) fn asked(
    context: &Context,
    live: &LiveCollection,
) -> Result<Option<Arc<Filter>>, Problem> {
    let params = &context.params;
    let language = params.get("filter-lang").unwrap_or(LANGUAGES[0]);
    let (text, crs) = (params.get("filter"), params.get("filter-crs"));
    read(live, text, language, crs)
}

/// A filter in one of [`LANGUAGES`], its geometries in a CRS of the collection, CRS84 where none is named.
///
/// # Errors
/// As [`asked`].
pub(super) fn read(
    live: &LiveCollection,
    text: Option<&str>,
    language: &str,
    crs: Option<&str>,
) -> Result<Option<Arc<Filter>>, Problem> {
    if !LANGUAGES.contains(&language) {
        let detail = Message::new("server.filter-lang")
            .with("value", shown(language))
            .with("known", LANGUAGES.join(", "));
        return Err(Problem::bad_request(detail));
    }
    let reference = crs::named(live, "filter-crs", crs)?;
    let Some(text) = text else {
        return Ok(None);
    };
    let mut expression = if language == "cql2-json" {
        let json = serde_json::from_str(text).map_err(|error| {
            let detail = Message::new("server.filter-json").with("reason", error);
            Problem::bad_request(detail)
        })?;
        Expression::from_json(&json)?
    } else {
        Expression::from_text(text)?
    };
    if reference != Reference::CRS84 {
        expression.map_geometries(&mut |geometry| {
            let there = match reference.y_first {
                true => spatial::crs::swapped(geometry),
                false => geometry.clone(),
            };
            let changed = spatial::crs::to_wgs84_bent(reference.crs, &there);
            *geometry = changed.map_err(|error| Invalid(error.message()))?;
            Ok(())
        })?;
    }
    let filter = Filter::bind(&expression, &live.collection.schema)?;
    let mut asked = filter.properties().into_iter();
    if let Some(hidden) = asked.find(|position| !live.is_queryable(*position)) {
        // What is seen in part is no queryable: an answer would tell the rest.
        let name = &live.collection.schema.properties[hidden].name;
        let detail = Message::new("server.filter-property").with("name", name);
        return Err(Problem::bad_request(detail));
    }
    Ok(Some(Arc::new(filter)))
}
