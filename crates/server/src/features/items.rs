//! `GET /collections/{id}/items`

use std::io;
use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use model::access::View;
use model::{Feature, Message};
use serde_json::Value as Json;
use store::{ItemsQuery, LiveCollection, Page};

use super::{feature_id, query, time};
use crate::answer;
use crate::app::App;
use crate::collections::CRS84;
use crate::common::self_links;
use crate::conditional::Tag;
use crate::context::Context;
use crate::limits::{CHUNK, MAX_PAGE_BYTES};
use crate::link::{GEOJSON, JSON, link};
use crate::negotiate::Format;
use crate::problem::Problem;
use crate::segments::Segments;

pub(crate) async fn get(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    let format = context.wanted.json_or_html(GEOJSON)?;
    // Before anything waits: what changes from here on is noticed before the first part.
    let rules = (app.store.directory_version(), app.view(&context, &id)?);
    let live = app.collection(&context, &id)?;
    let query = query::parse(&context.params, &live, &app.store.epoch())?;
    app.note_personal(&context, &live, None).await?;
    if format == Format::Html {
        return super::pages::items(&app, &context, &live, query).await;
    }
    let mut walk = Walk::new(app, context.clone(), live, query, rules);
    // The first part is read before the head is sent, so that a failure is still an answer of its own.
    let first = walk.next().await?.unwrap_or_default();
    let mut response = if walk.done {
        // The time at its head is another one each time, and nothing that anybody asked for.
        let tag = Tag::weak(answer::digest(&first[walk.head..]));
        answer::tagged(&context, GEOJSON, first, &tag)
    } else {
        answer::untagged(&context, GEOJSON, streamed(first, walk))
    };
    if let Ok(crs) = HeaderValue::try_from(format!("<{CRS84}>")) {
        response.headers_mut().insert("content-crs", crs);
    }
    Ok(response)
}

/// The rest is made as fast as the client takes it. A failure half-way breaks the connection off, so that
/// nobody takes the half for the whole.
fn streamed(first: Bytes, walk: Walk) -> Body {
    let rest = stream::try_unfold((Some(first), walk), |(first, mut walk)| async {
        if let Some(first) = first {
            return Ok(Some((first, (None, walk))));
        }
        let part = walk
            .next()
            .await
            .map_err(|problem| io::Error::other(problem.detail.to_string()))?;
        Ok::<_, io::Error>(part.map(|part| (part, (None, walk))))
    });
    Body::from_stream(rest)
}

/// A page of features being written, some thousand at a time. The index is that of the first part, so the
/// count belongs to one moment; features come by rising key, each once.
struct Walk {
    app: App,
    context: Context,
    live: LiveCollection,
    query: ItemsQuery,
    /// Features still wanted.
    left: u32,
    returned: u64,
    written: usize,
    /// Bytes of the first part up to the end of the time.
    head: usize,
    begun: bool,
    done: bool,
    /// The rules that the first part was made by: the number of the directory, and what they gave.
    rules: (i64, Option<View>),
}

impl Walk {
    fn new(
        app: App,
        context: Context,
        live: LiveCollection,
        query: ItemsQuery,
        rules: (i64, Option<View>),
    ) -> Self {
        Self {
            rules,
            left: query.limit,
            app,
            context,
            live,
            query,
            returned: 0,
            written: 0,
            head: 0,
            begun: false,
            done: false,
        }
    }

    /// # Errors
    /// 403 when whoever asks would get another answer by now: what was written since is not for them.
    async fn require_same_rules(&mut self) -> Result<(), Problem> {
        let version = self.app.store.directory_version();
        if version == self.rules.0 {
            return Ok(());
        }
        self.app.require_unchanged(&self.context).await?;
        let id = self.live.collection.id.as_str();
        if self.app.view(&self.context, id)? != self.rules.1 {
            let detail = Message::new("server.rights-changed");
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        self.rules.0 = version;
        Ok(())
    }

    /// The next bytes of the answer; `None` after its end.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if self.done {
            return Ok(None);
        }
        self.require_same_rules().await?;
        self.query.limit = self.left.min(CHUNK);
        let page = self.app.store.items(&self.live, &self.query).await?;
        let next = page.next;
        let count = page.features.len();
        let (mut out, is_first) = (Vec::new(), !self.begun);
        if is_first {
            self.begun = true;
            out.extend_from_slice(br#"{"type":"FeatureCollection","timeStamp":""#);
            out.extend_from_slice(time::format(SystemTime::now()).as_bytes());
            self.head = out.len();
            out.extend_from_slice(
                format!(r#"","numberMatched":{},"features":["#, page.number_matched).as_bytes(),
            );
        }
        let mut out = self.encode(page, out, !is_first).await?;
        self.returned += count as u64;
        self.left -= u32::try_from(count).unwrap_or(self.left).min(self.left);
        self.written += out.len();
        self.query.after = next;
        if next.is_none() || self.left == 0 || count == 0 || self.written > MAX_PAGE_BYTES {
            self.done = true;
            let links = Json::from(self.links(next));
            out.extend_from_slice(
                format!(r#"],"numberReturned":{},"links":{links}}}"#, self.returned).as_bytes(),
            );
        }
        Ok(Some(out.into()))
    }

    /// Few features are encoded here; many on a worker, since they would hold up other requests.
    async fn encode(&self, page: Page, mut out: Vec<u8>, comma: bool) -> Result<Vec<u8>, Problem> {
        const FEW: usize = 50;
        if page.features.len() <= FEW {
            write_features(&mut out, &self.live, &page.features, comma)?;
            return Ok(out);
        }
        let live = self.live.clone();
        let work = move || write_features(&mut out, &live, &page.features, comma).map(|()| out);
        self.app.work(work).await?
    }

    fn links(&self, next: Option<i64>) -> Vec<Json> {
        let context = &self.context;
        let mut links = self_links(context, GEOJSON, Format::Json);
        if let Some(key) = next {
            let cursor = query::cursor_text(&self.app.store.epoch(), key);
            let href = context.url_with(&[("cursor", Some(&cursor))]);
            links.push(link(
                href,
                "next",
                GEOJSON,
                context.text("server.next-page"),
            ));
        }
        let here = context.url(format_args!("/collections/{}", self.live.collection.id));
        links.push(link(
            here,
            "collection",
            JSON,
            context.text("server.collection"),
        ));
        links
    }
}

fn write_features(
    out: &mut Vec<u8>,
    live: &LiveCollection,
    features: &[Feature],
    mut comma: bool,
) -> Result<(), Problem> {
    for feature in features {
        if comma {
            out.push(b',');
        }
        comma = true;
        write_feature(out, live, feature)?;
    }
    Ok(())
}

/// Appends a feature as GeoJSON.
pub(super) fn write_feature(
    out: &mut Vec<u8>,
    live: &LiveCollection,
    feature: &Feature,
) -> Result<(), Problem> {
    let collection = &live.collection;
    let id = feature_id(collection, feature);
    let geometry = feature.geometry.as_deref();
    formats::geojson::write_feature(out, &id, geometry, &collection.schema, &feature.properties)
        .map_err(Problem::internal)
}
