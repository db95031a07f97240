//! `/changes`: what changes, as whoever asks sees it, told as it happens (server-sent events, HTML §9.2).
//!
//! Nothing is queued for anybody: a stream keeps what it has told last, as an immutable index, and compares it with the index
//! of now. A slow reader hears less often and of more at a time, and a lost connection goes on from the number that it had.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use model::access::Principal;
use model::{Bbox, ChangeSeq, Envelope, Epoch, Message, Operation};
use serde_json::{Value as Json, json};
use store::{Change, Changed, Look};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::app::App;
use crate::context::Context;
use crate::features::query::numbers;
use crate::held::{Room, StaysOpen};
use crate::layers::selected;
use crate::limits::{HEARTBEAT, MAX_SEARCH_COLLECTIONS, STREAM_PAUSE};
use crate::policy::Sight;
use crate::problem::{Problem, shown};
use crate::seal::Unopened;

pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// How long a browser waits before it comes again, in milliseconds.
const RETRY: u32 = 2_000;

/// Events that are written at a time: the text of all of them would be some megabytes for each reader.
const PIECE: usize = 500;

const LAST_EVENT_ID: &str = "last-event-id";

/// Asks nginx not to collect the answer.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `GET /changes?collections=a,b&bbox=w,s,e,n&since=ID`
pub(crate) async fn get(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&["collections", "bbox", "since"])?;
    context.wanted.pick(&[((), "sse", EVENT_STREAM)])?;
    // Before the first look, so that nothing falls between.
    let news = app.store.news();
    let sight = app.sight(&context)?;
    let about = About::asked(&context, &sight)?;
    // A browser that comes again repeats its URL, and has heard more since.
    let header = context.headers.get(LAST_EVENT_ID);
    let since = header.and_then(|id| id.to_str().ok());
    let since = since.or_else(|| context.params.get("since"));
    let since = match since.filter(|id| !id.is_empty()) {
        Some(id) => Some(position(&app, id).await?),
        None => None,
    };
    let Some(room) = Room::of_stream(&app, &context.client) else {
        let detail = Message::new("server.overloaded");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_later());
    };
    let watch = Watch::new(&sight, about, since).await?;
    let stream = Stream {
        ending: app.ending.subscribe(),
        app,
        context,
        watch,
        news,
        told: None,
        looked: Instant::now(),
        asked: None,
        waiting: VecDeque::new(),
        id: String::new(),
        _room: room,
    };
    let told = futures_util::stream::unfold(stream, |mut stream| async move {
        let bytes = stream.next().await?;
        Some((Ok::<Bytes, std::convert::Infallible>(bytes), stream))
    });
    let mut response = Body::from_stream(told).into_response();
    response.extensions_mut().insert(StaysOpen);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

/// Where somebody goes on: the last change that they were told of, and the [fingerprint](Sight::fingerprint) of what they saw
/// then, which is not known of everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) seq: ChangeSeq,
    pub(crate) seen: Option<u64>,
}

/// `Unopened` for one of another life of the store.
pub(crate) type Since = Result<Position, Unopened>;

/// The position that an id names. It is sealed: numbers of changes tell of writes to what a reader does not see.
async fn position(app: &App, id: &str) -> Result<Since, Problem> {
    let about = about_epoch(&app.store.epoch());
    let opened = app.unsealed::<16>(id, &about).await?;
    match opened {
        Err(Unopened::Unreadable) => {
            let detail = Message::new("server.event-id-invalid").with("value", shown(id));
            Err(Problem::bad_request(detail))
        }
        other => Ok(other.map(|bytes| {
            let half = |at: usize| {
                let mut eight = [0; 8];
                eight.copy_from_slice(&bytes[at..at + 8]);
                eight
            };
            Position {
                seq: ChangeSeq(i64::from_be_bytes(half(0))),
                seen: Some(u64::from_be_bytes(half(8))),
            }
        })),
    }
}

async fn id_of(app: &App, epoch: &Epoch, seq: ChangeSeq, seen: u64) -> Result<String, Problem> {
    let bytes = [seq.0.to_be_bytes(), seen.to_be_bytes()].concat();
    app.sealed(&bytes, &about_epoch(epoch)).await
}

fn about_epoch(epoch: &Epoch) -> String {
    format!("changes/{}", epoch.0)
}

/// What somebody wants to hear about.
pub(crate) struct About {
    /// All that they see when `None`.
    collections: Option<BTreeSet<String>>,
    /// Longitude/latitude.
    bbox: Option<Bbox>,
}

impl About {
    pub(crate) fn new(collections: Option<Vec<String>>, bbox: Option<Bbox>) -> Self {
        let collections = collections.map(BTreeSet::from_iter);
        Self { collections, bbox }
    }

    fn asked(context: &Context, sight: &Sight) -> Result<Self, Problem> {
        let collections = match context.params.get("collections") {
            Some(ids) => {
                let all = selected(sight, ids, MAX_SEARCH_COLLECTIONS)?;
                Some(all.iter().map(|l| l.collection.id.to_string()).collect())
            }
            None => None,
        };
        let bbox = match context.params.get("bbox") {
            Some(text) => Some(Bbox::new(&numbers(text)?)?),
            None => None,
        };
        Ok(Self { collections, bbox })
    }

    fn wants(&self, id: &str) -> bool {
        let named = self.collections.as_ref();
        named.is_none_or(|ids| ids.contains(id))
    }

    fn has(&self, change: &Change) -> bool {
        self.bbox.as_ref().is_none_or(|bbox| change.is_in(bbox))
    }
}

/// What has happened since somebody was told last.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    Feature(String, Change),
    /// A collection is another as a whole.
    Collection(String),
    /// Nothing can be told about what has happened.
    Reset,
}

impl Event {
    /// Its kind and what it tells.
    pub(crate) fn told(&self) -> (&'static str, Json) {
        match self {
            Self::Feature(collection, change) => {
                let action = match change.operation {
                    Operation::Create => "create",
                    Operation::Delete => "delete",
                    _ => "update",
                };
                let bbox = change
                    .envelope
                    .map(|Envelope { min, max }| [min[0], min[1], max[0], max[1]]);
                let data = json!({ "collection": collection, "feature": change.id, "action": action, "bbox": bbox });
                ("change", data)
            }
            Self::Collection(collection) => ("collection", json!({ "collection": collection })),
            Self::Reset => ("reset", json!({})),
        }
    }
}

/// What somebody was told last, and what they want to hear about.
pub(crate) struct Watch {
    about: About,
    /// The last look at each collection that is seen; `None` where what was before is not known.
    looks: BTreeMap<String, Option<Look>>,
    /// By whose eyes.
    eyes: (i64, Arc<Principal>),
    seen: u64,
    epoch: Arc<Epoch>,
    must_reset: bool,
}

impl Watch {
    /// From a position on, or from now on.
    ///
    /// # Errors
    /// When the database has to be asked for what was then and can't be read.
    pub(crate) async fn new(
        sight: &Sight,
        about: About,
        since: Option<Since>,
    ) -> Result<Self, Problem> {
        let seen = sight.fingerprint(|id| about.wants(id));
        // What is no change of a feature, other rules or a collection that is gone, stands in no log: who saw something else
        // has to read anew.
        let must_reset = match &since {
            None => false,
            Some(Err(_)) => true,
            Some(Ok(position)) => position.seen.is_some_and(|before| before != seen),
        };
        let mut watch = Self {
            about,
            looks: BTreeMap::new(),
            eyes: sight.eyes(),
            seen,
            epoch: sight.epoch(),
            must_reset,
        };
        let seq = match since {
            Some(Ok(position)) if !must_reset => position.seq,
            _ => {
                watch.begin(sight);
                return Ok(watch);
            }
        };
        let wanted = sight.ids().filter(|id| watch.about.wants(id));
        for id in wanted.map(str::to_owned).collect::<Vec<_>>() {
            if sight.get(&id).is_some() {
                let look = sight.look_back(&id, seq).await?;
                watch.looks.insert(id, look);
            }
        }
        Ok(watch)
    }

    /// Looks at all for the first time.
    fn begin(&mut self, sight: &Sight) {
        let wanted = sight.ids().filter(|id| self.about.wants(id));
        self.looks = wanted
            .filter_map(|id| Some((id.to_owned(), Some(sight.look(id)?))))
            .collect();
        self.eyes = sight.eyes();
        self.seen = sight.fingerprint(|id| self.about.wants(id));
        self.epoch = sight.epoch();
    }

    /// Whether the same is seen by the same, whatever else the directory says now.
    fn goes_on(&mut self, sight: &Sight) -> bool {
        let eyes = sight.eyes();
        let is_same =
            eyes.1 == self.eyes.1 && sight.fingerprint(|id| self.about.wants(id)) == self.seen;
        if is_same {
            self.eyes = eyes;
        }
        is_same
    }

    /// The fingerprint of what was seen last.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// What has happened since the last time.
    ///
    /// # Errors
    /// When the database has to be asked and can't be read; then nothing is forgotten.
    pub(crate) async fn step(&mut self, app: &App, sight: &Sight) -> Result<Vec<Event>, Problem> {
        if self.must_reset || sight.epoch() != self.epoch {
            self.must_reset = false;
            self.begin(sight);
            return Ok(vec![Event::Reset]);
        }
        let eyes = sight.eyes();
        let is_same_eyes = eyes == self.eyes;
        let mut ids: BTreeSet<String> = self.looks.keys().cloned().collect();
        ids.extend(
            sight
                .ids()
                .filter(|id| self.about.wants(id))
                .map(str::to_owned),
        );
        let mut events = Vec::new();
        let mut looks = Vec::new();
        for id in ids {
            let before = self.looks.get(&id);
            if let Some(Some(before)) = before
                && is_same_eyes
                && sight.is_same(&id, before)
            {
                if !sight.is_newest(&id, before) {
                    looks.push((id.clone(), sight.look(&id)));
                }
                continue;
            }
            let now = sight.look(&id);
            let changed = match (before, &now) {
                (None, None) => continue,
                (Some(Some(before)), Some(now)) => app.store.changed(before, now).await?,
                _ => Changed::Whole,
            };
            match changed {
                Changed::Whole => events.push(Event::Collection(id.clone())),
                Changed::Features(changes) => {
                    let told = changes.into_iter().filter(|change| self.about.has(change));
                    events.extend(told.map(|change| Event::Feature(id.clone(), change)));
                }
            }
            looks.push((id, now));
        }
        let is_other = |event: &Event| matches!(event, Event::Collection(_));
        if !is_same_eyes || events.iter().any(is_other) {
            self.seen = sight.fingerprint(|id| self.about.wants(id));
        }
        self.eyes = eyes;
        for (id, now) in looks {
            match now {
                Some(now) => self.looks.insert(id, Some(now)),
                None => self.looks.remove(&id),
            };
        }
        Ok(events)
    }
}

/// One connection.
struct Stream {
    app: App,
    context: Context,
    watch: Watch,
    news: watch::Receiver<()>,
    ending: watch::Receiver<bool>,
    /// When something was sent last; `None` before the first time.
    told: Option<Instant>,
    /// When it was looked last.
    looked: Instant,
    /// When it was asked last who listens, and the rules of then.
    asked: Option<(Instant, i64)>,
    /// What is to be sent before it is looked again, and the id of its end.
    waiting: VecDeque<Event>,
    id: String,
    _room: Room,
}

impl Stream {
    /// What is sent next; `None` at the end: the server stops, or whoever listens is not any longer who they were, and has to
    /// come again.
    async fn next(&mut self) -> Option<Bytes> {
        if self.waiting.is_empty() {
            self.look().await?;
        } else if self.app.store.directory_version() != self.watch.eyes.0 {
            let sight = self.sight().await?;
            if !self.watch.goes_on(&sight) {
                // What is left was seen under other rules.
                return None;
            }
        }
        let is_first = self.told.is_none();
        self.told = Some(Instant::now());
        let piece: Vec<Event> = self
            .waiting
            .drain(..self.waiting.len().min(PIECE))
            .collect();
        let id = self.waiting.is_empty().then_some(self.id.as_str());
        Some(written(&piece, id, is_first).into())
    }

    /// Looks until there is something to tell, or it is time for a sign of life.
    async fn look(&mut self) -> Option<()> {
        loop {
            let is_due = match self.told {
                None => true,
                Some(told) => self.wait(told).await?,
            };
            let sight = self.sight().await?;
            self.looked = Instant::now();
            let (epoch, seq) = (sight.epoch(), sight.reached());
            let stepped = self.watch.step(&self.app, &sight).await;
            let events = stepped.map_err(log).ok()?;
            if events.is_empty() && !is_due {
                continue;
            }
            let id = id_of(&self.app, &epoch, seq, self.watch.seen()).await;
            self.id = id.map_err(log).ok()?;
            self.waiting = events.into();
            return Some(());
        }
    }

    /// Waits for news; true when it is time for a sign of life. `None` when the server ends.
    async fn wait(&mut self, told: Instant) -> Option<bool> {
        let due = told + HEARTBEAT;
        tokio::select! {
            _ = self.ending.wait_for(|ending| *ending) => return None,
            changed = self.news.changed() => changed.ok()?,
            () = tokio::time::sleep_until(due) => return Some(true),
        }
        tokio::time::sleep_until(self.looked + STREAM_PAUSE).await;
        self.news.mark_unchanged();
        Some(Instant::now() >= due)
    }

    /// All collections as they are seen now by whoever listens, if they are still who they were.
    async fn sight(&mut self) -> Option<Sight> {
        /// A session or token that has ended is heard of after this long at most.
        const ASK_AGAIN: Duration = Duration::from_secs(1);
        let sight = self.app.sight(&self.context).map_err(log).ok()?;
        let rules = sight.eyes().0;
        let is_known = |(at, known): &(Instant, i64)| at.elapsed() < ASK_AGAIN && *known == rules;
        if !self.asked.as_ref().is_some_and(is_known) {
            let same = self.app.require_same(&self.context).await;
            same.map_err(log).ok()?;
            self.asked = Some((Instant::now(), rules));
        }
        Some(sight)
    }
}

fn log(problem: Problem) {
    tracing::debug!(status = problem.status.as_u16(), "a stream of changes ends");
}

/// Events as they are sent. The last one of all has the id, so that a connection which breaks among them begins with all of them
/// again.
fn written(events: &[Event], id: Option<&str>, is_first: bool) -> String {
    let mut out = String::new();
    if is_first {
        out += &format!("retry: {RETRY}\n");
    }
    for event in events {
        let (kind, data) = event.told();
        out += &format!("event: {kind}\ndata: {data}\n\n");
    }
    if events.is_empty() {
        // Where a script that comes again itself goes on; later a browser takes the id without telling the script.
        out += match is_first {
            true => "event: position\ndata: {}\n\n",
            false => ": \n\n",
        };
    }
    if let Some(id) = id {
        out.truncate(out.len() - 1);
        out += &format!("id: {id}\n\n");
    }
    out
}
