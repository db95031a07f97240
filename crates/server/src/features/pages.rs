//! Items as a page.

use axum::response::Response;
use model::Crs;
use store::{ItemsQuery, LiveCollection};

use crate::answer;
use crate::app::App;
use crate::context::Context;
use crate::html::ItemsPage;
use crate::limits::{CHUNK, DEFAULT_ROWS};
use crate::problem::Problem;

/// A page has at most [`CHUNK`] rows: browsers are slow with longer tables, and paging goes on from there.
pub(super) async fn items(
    app: &App,
    context: &Context,
    live: &LiveCollection,
    mut query: ItemsQuery,
) -> Result<Response, Problem> {
    let rows = if context.params.get("limit").is_some() {
        CHUNK
    } else {
        DEFAULT_ROWS
    };
    query.limit = query.limit.min(rows);
    // A page shows places in longitude/latitude, whatever system programs are to get.
    query.crs = Crs::CRS84;
    let page = app.store.items(live, &query).await?;
    let Some(begin) = page.next else {
        return answer::page(context, &ItemsPage::new(context, live, &page, None));
    };
    let cursor = app.cursor(context, live, &page.walk, begin).await?;
    let next = context.query_with(&[("cursor", Some(&cursor)), ("offset", None)]);
    answer::page_untagged(context, &ItemsPage::new(context, live, &page, Some(next)))
}
