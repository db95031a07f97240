//! `GET /collections/{id}/items`

use std::io;
use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use formats::{Format, Stream};
use futures_util::stream;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use model::access::View;
use model::{Crs, Feature, Message};
use serde_json::Value as Json;
use store::{Begin, Chosen, ItemKey, LiveCollection};

use super::output::{self, Output};
use super::query::Asked;
use super::{feature_id, query, time};
use crate::answer;
use crate::app::App;
use crate::conditional::Tag;
use crate::context::Context;
use crate::crs::Reference;
use crate::limits::{CHUNK, MAX_PAGE_BYTES};
use crate::link::{JSON, REL_QUERYABLES, REL_SORTABLES, SCHEMA_JSON, link};
use crate::problem::Problem;
use crate::segments::Segments;

pub(crate) async fn get(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    let output = Output::wanted(&context)?;
    // Before anything waits: what changes from here on is noticed before the first part.
    let rules = (app.store.directory_version(), app.view(&context, &id)?);
    let live = then(&app, &context, &id).await?;
    let asked = query::parse(&app, &context, &live).await?;
    app.note_personal(&context, &live, None).await?;
    let format = match output {
        Output::Html => return super::pages::items(&app, &context, &live, asked.query).await,
        Output::Features(format) => format,
    };
    // Formats that are always x first are in no order of an authority.
    let mut crs = asked.crs;
    crs.y_first &= format.follows_axis_order();
    let mut walk = Walk::new(app, context.clone(), live, asked, format, rules).await?;
    // The first part is read before the head is sent, so that a failure is still an answer of its own.
    let first = walk.next().await?.unwrap_or_default();
    let matched = walk.chosen.walk.matched;
    let links = walk.header_links().await?;
    let live = walk.live.clone();
    let content_type = output::content_type(format);
    // A page that goes on has no tag: another moment may lie behind the same features, and whoever kept the page would go on
    // in the old one.
    let mut response = if walk.done && !walk.goes_on() {
        // The time at its head is another one each time, and nothing that anybody asked for.
        let counts = format!("{matched},{}", walk.returned);
        let tag = [&first[walk.head..walk.tail], counts.as_bytes()].concat();
        answer::tagged(
            &context,
            content_type,
            first,
            &Tag::weak(answer::digest(&tag)),
        )
    } else if walk.done {
        answer::untagged(&context, content_type, first)
    } else {
        answer::untagged(&context, content_type, streamed(first, walk))
    };
    if response.status() == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    output::head(&mut response, &links);
    if output::has_headers(format) {
        let headers = response.headers_mut();
        headers.insert("ogc-numbermatched", HeaderValue::from(matched));
    }
    output::name_file(&mut response, &live, format);
    name_crs(&context, &mut response, crs);
    Ok(response)
}

/// The collection as it is, or as it was at the moment that the request names: by `as-of`, or by an instant as `datetime` where
/// no property of the features has a time and whoever asks sees the history.
async fn then(app: &App, context: &Context, id: &str) -> Result<LiveCollection, Problem> {
    let sight = app.sight(context)?;
    let params = &context.params;
    let when = match params.get("as-of") {
        Some(text) => Some(text),
        None => params.get("datetime").filter(|text| {
            let is_instant = crate::moment::instant(text).is_ok();
            let live = sight.get(id);
            is_instant
                && live.is_some_and(|live| live.collection.time_property.is_none())
                && sight.shows_history(id)
        }),
    };
    let moment = app.moment(when).await?;
    sight.require_then(context, id, moment.as_ref()).await
}

/// Says in which CRS an answer is (OGC 18-058r1 /req/crs/ogc-crs-header).
pub(super) fn name_crs(context: &Context, response: &mut Response, crs: Reference) {
    if let Ok(value) = HeaderValue::try_from(format!("<{}>", crs.uri(context))) {
        response.headers_mut().insert("content-crs", value);
    }
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

/// A page of features being written, some thousand at a time. All of it shows one moment.
struct Walk {
    app: App,
    context: Context,
    live: LiveCollection,
    asked: Asked,
    format: Format,
    /// What encodes features that are not taken encoded from where they are kept.
    stream: Option<Stream>,
    chosen: Chosen,
    /// How many of the chosen are written or left out.
    taken: usize,
    returned: u64,
    written: usize,
    /// Bytes of the first part up to the end of the time.
    head: usize,
    /// Bytes of the last part up to the links.
    tail: usize,
    begun: bool,
    done: bool,
    /// The rules that the first part was made by: the number of the directory, and what they gave.
    rules: (i64, Option<View>),
}

impl Walk {
    async fn new(
        app: App,
        context: Context,
        live: LiveCollection,
        asked: Asked,
        format: Format,
        rules: (i64, Option<View>),
    ) -> Result<Self, Problem> {
        let chosen = app.store.choose(&live, &asked.query).await?;
        let is_kept = format == Format::GeoJson && asked.is_plain();
        let stream = match is_kept {
            true => None,
            false => Some(output::stream(&context, &live, format, &asked)?),
        };
        Ok(Self {
            rules,
            format,
            stream,
            app,
            context,
            live,
            asked,
            chosen,
            taken: 0,
            returned: 0,
            written: 0,
            head: 0,
            tail: 0,
            begun: false,
            done: false,
        })
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
        let mut out = Vec::new();
        if !self.begun {
            self.begun = true;
            self.begin(&mut out)?;
        }
        let end = self.chosen.keys.len().min(self.taken + CHUNK as usize);
        let keys = self.chosen.keys[self.taken..end].to_vec();
        let (mut out, count) = match self.stream.take() {
            None => self.encoded(keys, out).await?,
            Some(stream) => self.written_by(stream, keys, out).await?,
        };
        self.taken = end;
        self.returned += count;
        self.written += out.len();
        // Where the link to the next page is in a header, it has been sent.
        // What is in the head already can't be taken back.
        let is_full = self.written > MAX_PAGE_BYTES && !output::has_headers(self.format);
        if end == self.chosen.keys.len() || is_full {
            self.done = true;
            self.end(&mut out).await?;
        }
        Ok(Some(out.into()))
    }

    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Problem> {
        let now = time::format(SystemTime::now());
        let matched = self.chosen.walk.matched;
        let Some(stream) = &mut self.stream else {
            out.extend_from_slice(br#"{"type":"FeatureCollection","timeStamp":""#);
            out.extend_from_slice(now.as_bytes());
            self.head = out.len();
            out.extend_from_slice(
                format!(r#"","numberMatched":{matched},"features":["#).as_bytes(),
            );
            return Ok(());
        };
        let members = format!(r#""timeStamp":"{now}","numberMatched":{matched}"#);
        stream.begin(out, &members).map_err(Problem::internal)?;
        // Only these have the time there; what others begin with is the names of columns, which are a part of the answer.
        if output::has_links(self.format) {
            self.head = out.len();
        }
        Ok(())
    }

    async fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Problem> {
        let returned = format!(r#""numberReturned":{}"#, self.returned);
        let Some(mut stream) = self.stream.take() else {
            out.extend_from_slice(format!("],{returned},").as_bytes());
            self.tail = out.len();
            let links = Json::from(self.links().await?);
            out.extend_from_slice(format!(r#""links":{links}}}"#).as_bytes());
            return Ok(());
        };
        self.tail = out.len();
        let members = match output::has_links(self.format) {
            true => format!(r#"{returned},"links":{}"#, Json::from(self.links().await?)),
            false => String::new(),
        };
        stream.end(out, &members).map_err(Problem::internal)?;
        // What a format has only at its end is of its features too.
        if !output::has_links(self.format) {
            self.tail = out.len();
        }
        Ok(())
    }

    /// Appends features by an encoder and says how many.
    async fn written_by(
        &mut self,
        mut stream: Stream,
        keys: Vec<ItemKey>,
        mut out: Vec<u8>,
    ) -> Result<(Vec<u8>, u64), Problem> {
        let mut count = 0;
        for part in store::portions(&keys) {
            let walk = &self.chosen.walk;
            let (crs, zoom) = (self.asked.crs.crs, self.asked.zoom);
            let in_answer = zoom.map_or(crs, |_| Crs::CRS84);
            let read = self.app.store.read(&self.live, walk, in_answer, part);
            let read = read.await?;
            count += read.len() as u64;
            let (live, store) = (self.live.clone(), self.app.store.clone());
            let work = move || {
                for mut feature in read {
                    if let Some(zoom) = zoom {
                        feature = query::simplified(&store, feature, zoom, crs);
                    }
                    let id = feature_id(&live.collection, &feature);
                    stream.write(&mut out, &id, &feature)?;
                }
                Ok::<_, formats::Error>((stream, out))
            };
            let done = self.app.work(work).await?;
            (stream, out) = done.map_err(Problem::internal)?;
        }
        self.stream = Some(stream);
        Ok((out, count))
    }

    /// Appends features and says how many. Those that are kept encoded are taken from there; the others are read.
    async fn encoded(
        &self,
        keys: Vec<ItemKey>,
        mut out: Vec<u8>,
    ) -> Result<(Vec<u8>, u64), Problem> {
        let crs = self.asked.crs;
        let kept: Vec<Option<Bytes>> = keys
            .iter()
            .map(|key| self.app.fragments.get(&self.live, key, crs))
            .collect();
        let missing: Vec<ItemKey> = keys
            .iter()
            .zip(&kept)
            .filter(|(_, kept)| kept.is_none())
            .map(|(key, _)| *key)
            .collect();
        let bytes: usize = kept.iter().flatten().map(|kept| kept.len() + 1).sum();
        out.reserve(bytes);
        let mut is_comma = self.returned > 0;
        let mut count = 0;
        if missing.is_empty() {
            for fragment in kept.iter().flatten() {
                append(&mut out, &mut is_comma, fragment);
                count += 1;
            }
            return Ok((out, count));
        }
        // A part of those that are missing at a time, with the kept ones between them.
        let mut rest = keys.iter().zip(kept).peekable();
        for part in store::portions(&missing) {
            let read = self
                .app
                .store
                .read(&self.live, &self.chosen.walk, crs.crs, part);
            let read = read.await?;
            let last = part.last().map(|key| key.fid);
            let mut some = Vec::new();
            for (key, kept) in rest.by_ref() {
                let is_last = kept.is_none() && Some(key.fid) == last;
                some.push((*key, kept));
                if is_last {
                    break;
                }
            }
            let written = self.write(some, read, out, is_comma).await?;
            count += written.1;
            is_comma |= written.1 > 0;
            out = written.0;
        }
        for (_, kept) in rest {
            if let Some(fragment) = kept {
                append(&mut out, &mut is_comma, &fragment);
                count += 1;
            }
        }
        Ok((out, count))
    }

    /// Few features are encoded here; many on a worker, since they would hold up other requests.
    async fn write(
        &self,
        some: Vec<(ItemKey, Option<Bytes>)>,
        read: Vec<Feature>,
        out: Vec<u8>,
        is_comma: bool,
    ) -> Result<(Vec<u8>, u64), Problem> {
        const FEW: usize = 50;
        let many = read.len() > FEW;
        let (app, live, crs) = (self.app.clone(), self.live.clone(), self.asked.crs);
        let work = move || write_features(&app, &live, crs, some, read, out, is_comma);
        if many {
            return self.app.work(work).await?;
        }
        work()
    }

    /// Links of the head: those that a format has no place for, and what can be asked for here (OGC 19-079r2
    /// /req/queryables/queryables-link; Part 8, draft).
    async fn header_links(&self) -> Result<Vec<(String, &'static str, &'static str)>, Problem> {
        let mut links = Vec::new();
        if output::has_headers(self.format) {
            let media_type = self.format.media_type();
            let here = self.context.url_with(&[("f", Some(self.format.name()))]);
            links.push((here, "self", media_type));
            if let Some(href) = self.next_page().await? {
                links.push((href, "next", media_type));
            }
        }
        let id = &self.live.collection.id;
        for (name, rel) in [("queryables", REL_QUERYABLES), ("sortables", REL_SORTABLES)] {
            let href = self.context.url(format_args!("/collections/{id}/{name}"));
            links.push((href, rel, SCHEMA_JSON));
        }
        Ok(links)
    }

    /// Whether there is a next page.
    fn goes_on(&self) -> bool {
        self.begin_of_next().is_some()
    }

    fn begin_of_next(&self) -> Option<Begin> {
        let ended_early = self.done && self.taken < self.chosen.keys.len();
        match ended_early {
            true => Some(self.chosen.begin_at(self.taken)),
            false => self.chosen.next,
        }
    }

    async fn next_page(&self) -> Result<Option<String>, Problem> {
        let begin = self.begin_of_next();
        let Some(begin) = begin else { return Ok(None) };
        let cursor = self
            .app
            .cursor(&self.context, &self.live, &self.chosen.walk, begin)
            .await?;
        Ok(Some(
            self.context
                .url_with(&[("cursor", Some(&cursor)), ("offset", None)]),
        ))
    }

    async fn links(&self) -> Result<Vec<Json>, Problem> {
        let context = &self.context;
        let mut links = output::self_links(context, self.format);
        if let Some(href) = self.next_page().await? {
            let media_type = self.format.media_type();
            links.push(link(
                href,
                "next",
                media_type,
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
        Ok(links)
    }
}

fn append(out: &mut Vec<u8>, is_comma: &mut bool, fragment: &[u8]) {
    if *is_comma {
        out.push(b',');
    }
    *is_comma = true;
    out.extend_from_slice(fragment);
}

/// Appends features in the order of their keys, kept ones as they are, the others encoded and kept.
fn write_features(
    app: &App,
    live: &LiveCollection,
    crs: Reference,
    some: Vec<(ItemKey, Option<Bytes>)>,
    read: Vec<Feature>,
    mut out: Vec<u8>,
    mut is_comma: bool,
) -> Result<(Vec<u8>, u64), Problem> {
    let mut count = 0;
    let mut read = read.into_iter().peekable();
    for (key, kept) in some {
        if let Some(fragment) = kept {
            append(&mut out, &mut is_comma, &fragment);
            count += 1;
            continue;
        }
        // What the table has lost without a trace is passed over.
        let Some(feature) = read.next_if(|feature| feature.fid == key.fid) else {
            continue;
        };
        if is_comma {
            out.push(b',');
        }
        is_comma = true;
        let start = out.len();
        write_feature(&mut out, live, &feature, crs)?;
        app.fragments.keep(live, &key, crs, &out[start..]);
        count += 1;
    }
    Ok((out, count))
}

/// Appends a feature as GeoJSON.
pub(super) fn write_feature(
    out: &mut Vec<u8>,
    live: &LiveCollection,
    feature: &Feature,
    crs: Reference,
) -> Result<(), Problem> {
    let collection = &live.collection;
    let id = feature_id(collection, feature);
    let swapped;
    let mut geometry = feature.geometry.as_deref();
    if let Some(wkb) = geometry.filter(|_| crs.y_first) {
        swapped = y_first(wkb).map_err(Problem::internal)?;
        geometry = Some(&swapped);
    }
    formats::geojson::write_feature(out, &id, geometry, &collection.schema, &feature.properties)
        .map_err(Problem::internal)
}

fn y_first(wkb: &[u8]) -> Result<Vec<u8>, formats::Error> {
    let xy = formats::wkb::xy(wkb)?.into_iter();
    let yx: Vec<(f64, f64)> = xy.map(|(x, y)| (y, x)).collect();
    formats::wkb::with_xy(wkb, &yx)
}
