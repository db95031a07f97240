//! Several changes as one (OGC 26-018, draft of OGC API Features Part 11), and several features added by one request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use formats::geojson::{ParsedAction, ParsedFeature, ParsedPatch, parse_transaction};
use hyper::StatusCode;
use hyper::header::HeaderValue;
use model::access::Permission;
use model::{FeatureId, Filter, Message, Operation};
use serde_json::{Value as Json, json};
use store::{
    Action, CadastralOperation, Cause, Expected, Failure, Item, ItemsQuery, LiveCollection,
    MAX_LIMIT, Receipt, Step, Written,
};

use super::body::{self, Whole};
use super::{edit, feature_id, filter, item, request};
use crate::answer;
use crate::app::App;
use crate::context::Context;
use crate::crs::Reference;
use crate::limits::{CHOICE_TIMEOUT, MAX_ACTIONS};
use crate::link::{JSON, TRANSACTION, segment};
use crate::nodes;
use crate::policy::Writable;
use crate::problem::{Flaw, Problem, shown, status_of};

/// An action with its place in the body.
pub(super) struct Placed {
    action: Action,
    /// A JSON Pointer.
    place: String,
    kind: Kind,
}

/// What a body calls an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Insert,
    Replace,
    Update,
    Delete,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Insert, Self::Replace, Self::Update, Self::Delete];

    fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Replace => "replace",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn permission(self) -> Permission {
        match self {
            Self::Insert => Permission::Create,
            Self::Replace | Self::Update => Permission::Change,
            Self::Delete => Permission::Delete,
        }
    }

    /// The members of the answer: the count, and the list.
    fn members(self) -> (&'static str, &'static str) {
        match self {
            Self::Insert => ("totalInserted", "insertResults"),
            Self::Replace => ("totalReplaced", "replaceResults"),
            Self::Update => ("totalUpdated", "updateResults"),
            Self::Delete => ("totalDeleted", "deleteResults"),
        }
    }
}

/// `POST /transactions`
pub(crate) async fn post(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    // Nobody fills the memory who may write nothing.
    app.require_writer(&context)?;
    let whole = body::read_of(&app, &context, body, &[TRANSACTION, JSON]).await?;
    let parsed = body::parsed(&whole.bytes, |bytes| parse_transaction(bytes, MAX_ACTIONS)).await?;
    let cause = request::cause(&context, "POST", &whole.bytes)?;
    let cause = request::because(cause, parsed.description.as_deref())?;
    let (mut actions, mut flaws, mut count) = (Vec::new(), Vec::new(), 0);
    for (i, one) in parsed.actions.into_iter().enumerate() {
        let place = format!("/transaction/{i}");
        match read(&app, &context, one, &place).await {
            Ok(placed) => {
                count += placed.len();
                actions.push(placed);
            }
            Err(wrong) => flaws.extend(wrong.into_iter().map(|flaw| flaw.within(&place))),
        }
        if count > MAX_ACTIONS {
            let detail = Message::new("server.too-many-actions").with("max", MAX_ACTIONS);
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
    }
    if parsed.is_atomic {
        if !flaws.is_empty() {
            return Err(Problem::of_flaws(flaws));
        }
        let actions = actions.into_iter().flatten().collect();
        return done(&app, &context, whole, actions, cause).await;
    }
    each(&app, &context, whole, actions, flaws, cause).await
}

/// The creations of a body's features, which stand in a list at `place`.
///
/// # Errors
/// 422 that names all that is wrong with each.
pub(super) fn creations(
    writable: &Writable,
    features: Vec<Result<ParsedFeature, Message>>,
    sent: Reference,
    place: &str,
) -> Result<Vec<Placed>, Problem> {
    let (mut placed, mut flaws) = (Vec::with_capacity(features.len()), Vec::new());
    for (i, parsed) in features.into_iter().enumerate() {
        let place = format!("{place}/{i}");
        match creation(writable, parsed, sent) {
            Ok(action) => placed.push(Placed {
                action,
                place,
                kind: Kind::Insert,
            }),
            Err(wrong) => flaws.extend(wrong.into_iter().map(|flaw| flaw.within(&place))),
        }
    }
    match flaws.is_empty() {
        true => Ok(placed),
        false => Err(Problem::of_flaws(flaws)),
    }
}

fn creation(
    writable: &Writable,
    parsed: Result<ParsedFeature, Message>,
    sent: Reference,
) -> Result<Action, Vec<Flaw>> {
    let parsed = readable(parsed)?;
    let source_id = parsed.id.clone();
    let mut draft = body::draft(&writable.live.collection, parsed, sent)?;
    body::fill_id(&writable.live.collection, &mut draft, source_id.as_ref());
    Ok(writable.action(Step::Create(draft)))
}

fn readable<T>(parsed: Result<T, Message>) -> Result<T, Vec<Flaw>> {
    parsed.map_err(|detail| {
        let status = StatusCode::BAD_REQUEST;
        vec![Flaw {
            status,
            ..Flaw::new("", detail)
        }]
    })
}

/// What one action of a transaction amounts to; the places of what is wrong are within it.
async fn read(
    app: &App,
    context: &Context,
    parsed: ParsedAction,
    place: &str,
) -> Result<Vec<Placed>, Vec<Flaw>> {
    let kind = Kind::ALL.into_iter().find(|k| k.name() == parsed.action);
    let kind = kind.ok_or_else(|| {
        let detail = Message::new("server.action-unknown").with("action", shown(&parsed.action));
        vec![Flaw::new("/action", detail)]
    })?;
    let at = |pointer: &str, problem: Problem| {
        vec![Flaw {
            status: problem.status,
            ..Flaw::new(pointer, problem.detail)
        }]
    };
    let writable = app
        .writable(context, &parsed.collection, kind.permission())
        .map_err(|problem| at("/collection", problem))?;
    let sent = body::crs(&context.headers, &writable.live)
        .map_err(|problem| at("/collection", problem))?;
    if kind == Kind::Insert {
        let created = creations(&writable, parsed.items, sent, "/items");
        let placed = created.map_err(|problem| problem.flaws)?;
        let within = placed.into_iter().map(|one| Placed {
            place: format!("{place}{}", one.place),
            ..one
        });
        return Ok(within.collect());
    }
    let within = |wrong: Vec<Flaw>, place: &str| -> Vec<Flaw> {
        wrong.into_iter().map(|flaw| flaw.within(place)).collect()
    };
    let missing = |pointer: &str| {
        let detail = Message::new("server.action-incomplete").with("member", pointer.to_owned());
        vec![Flaw::new(pointer, detail)]
    };
    let collection = &writable.live.collection;
    let (mut draft, mut patch) = (None, None);
    match kind {
        Kind::Replace => {
            let place = "/properties/feature";
            let feature = parsed.feature.ok_or_else(|| missing(place))?;
            let feature = readable(feature).map_err(|wrong| within(wrong, place))?;
            let read = body::draft(collection, feature, sent);
            draft = Some(read.map_err(|wrong| within(wrong, place))?);
        }
        Kind::Update => {
            let place = "/properties";
            let given = parsed.patch.ok_or_else(|| missing(place))?;
            let given = readable(given).map_err(|wrong| within(wrong, place))?;
            let places = places_of(&given);
            let read = body::patch(collection, given, sent);
            patch = Some(read.map_err(|wrong| moved(wrong, &places))?);
        }
        Kind::Insert | Kind::Delete => {}
    }
    let text = parsed.filter.as_deref().ok_or_else(|| missing("/filter"))?;
    let targets = Targets {
        filter: text,
        lang: parsed.filter_lang.as_deref(),
        crs: parsed.filter_crs.as_deref(),
        tags: &parsed.if_match,
    };
    let targets = targets
        .of(app, &writable)
        .await
        .map_err(|problem| at("/filter", problem))?;
    let placed = targets.into_iter().map(|(id, expected)| {
        let step = match (&draft, &patch) {
            (Some(draft), _) => Step::Replace {
                id,
                draft: draft.clone(),
                expected,
            },
            (_, Some(patch)) => Step::Update {
                id,
                patch: patch.clone(),
                expected,
            },
            _ => Step::Delete { id, expected },
        };
        Placed {
            action: writable.action(step),
            place: place.to_owned(),
            kind,
        }
    });
    Ok(placed.collect())
}

/// The places of values by those that a patch of a feature would have.
fn places_of(patch: &ParsedPatch) -> HashMap<String, String> {
    let names = patch.properties.iter().zip(&patch.places);
    names
        .map(|((name, _), place)| (body::pointer_of(name), place.clone()))
        .collect()
}

fn moved(flaws: Vec<Flaw>, places: &HashMap<String, String>) -> Vec<Flaw> {
    let of = |flaw: Flaw| match places.get(&flaw.pointer) {
        Some(place) => Flaw {
            pointer: place.clone(),
            ..flaw
        },
        // The geometry stands among the values.
        None => Flaw {
            pointer: "/properties".to_owned(),
            ..flaw
        },
    };
    flaws.into_iter().map(of).collect()
}

/// Which features an action is about.
struct Targets<'a> {
    /// `{"ids": [..]}`, or CQL2 as JSON, or as text in quotes.
    filter: &'a str,
    lang: Option<&'a str>,
    crs: Option<&'a str>,
    /// Tags for the ids, in their order.
    tags: &'a [String],
}

impl Targets<'_> {
    /// Ids, each with the state that the feature must have.
    async fn of(&self, app: &App, writable: &Writable) -> Result<Vec<(String, Expected)>, Problem> {
        let live = &writable.live;
        let unreadable = |error: serde_json::Error| {
            Problem::bad_request(Message::new("server.filter-json").with("reason", error))
        };
        let json: Json = serde_json::from_str(self.filter).map_err(unreadable)?;
        if let Some(ids) = json.get("ids") {
            let ids: Option<Vec<String>> = ids
                .as_array()
                .and_then(|ids| ids.iter().map(as_id).collect());
            let wrong = || Problem::bad_request(Message::new("server.action-ids"));
            let ids = ids.ok_or_else(wrong)?;
            if !self.tags.is_empty() && self.tags.len() != ids.len() {
                return Err(Problem::bad_request(Message::new("server.action-tags")));
            }
            if self.tags.is_empty() && writable.rules.is_strict {
                return Err(request::condition_required(live));
            }
            let expected = |i: usize| match self.tags.get(i) {
                Some(tag) => request::expected_tag(live, tag),
                None => Expected::Anything,
            };
            let all = ids.into_iter().enumerate();
            return Ok(all.map(|(i, id)| (id, expected(i))).collect());
        }
        let (text, lang) = match json.as_str() {
            Some(text) => (text.to_owned(), self.lang.unwrap_or(filter::LANGUAGES[0])),
            None => (self.filter.to_owned(), "cql2-json"),
        };
        let condition = filter::read(live, Some(&text), lang, self.crs)?;
        let found = matching(app, live, condition).await?;
        // Between the choice and the change each must stay as it was chosen.
        let chosen = found.into_iter().map(|found| {
            let id = feature_id(&live.collection, &found.feature).to_string();
            let tag = item::tag_of(live, &found)?.header();
            let tag = tag.to_str().unwrap_or_default().to_owned();
            Ok((id, request::expected_tag(live, &tag)))
        });
        chosen.collect()
    }
}

/// All features that a filter holds for.
///
/// # Errors
/// 413 when they are too many.
async fn matching(
    app: &App,
    live: &LiveCollection,
    condition: Option<Arc<Filter>>,
) -> Result<Vec<Item>, Problem> {
    let mut query = ItemsQuery {
        filter: condition,
        limit: MAX_LIMIT,
        until: Some(Instant::now() + CHOICE_TIMEOUT),
        ..ItemsQuery::default()
    };
    let mut all = Vec::new();
    loop {
        let page = app.store.items(live, &query).await?;
        if page.number_matched > MAX_ACTIONS as u64 {
            let detail = Message::new("server.too-many-actions").with("max", MAX_ACTIONS);
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        let version = live.seq;
        let items = page.features.into_iter();
        all.extend(items.map(|feature| Item { feature, version }));
        let Some(next) = page.next else {
            return Ok(all);
        };
        query.begin = next;
        query.walk = Some(page.walk);
    }
}

pub(super) fn as_id(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(n) if n.is_i64() => Some(n.to_string()),
        _ => None,
    }
}

fn parts(actions: Vec<Placed>) -> (Vec<Action>, Vec<(String, Kind)>) {
    let parts = actions.into_iter();
    parts.map(|one| (one.action, (one.place, one.kind))).unzip()
}

/// Does all actions as one transaction, and answers what was done.
pub(super) async fn done(
    app: &App,
    context: &Context,
    body: Whole,
    actions: Vec<Placed>,
    cause: Cause,
) -> Result<Response, Problem> {
    let (actions, places) = parts(actions);
    if actions.is_empty() {
        return Ok(report(context, "atomic", &[], &[]));
    }
    match edit::holding(app, body, actions, cause).await? {
        Ok(receipt) => answered(app, context, "atomic", receipt, &places).await,
        Err(failure) => Err(refused(failure, &places)),
    }
}

/// Does a cadastral operation, and answers what was done.
pub(super) async fn operated(
    app: &App,
    context: &Context,
    body: Whole,
    operation: CadastralOperation,
    cause: Cause,
) -> Result<Response, Problem> {
    let Whole { bytes, place } = body;
    drop(bytes);
    let (store, name) = (app.store.clone(), operation.what.name());
    let task = tokio::spawn(async move {
        let written = store.operate(operation, cause).await;
        drop(place);
        written
    });
    match task.await.map_err(Problem::internal)? {
        Ok(receipt) => answered(app, context, name, receipt, &[]).await,
        Err(failure) => Err(refused(failure, &[])),
    }
}

async fn answered(
    app: &App,
    context: &Context,
    semantic: &str,
    receipt: Receipt,
    places: &[(String, Kind)],
) -> Result<Response, Problem> {
    let (seq, is_repeated) = (receipt.last, receipt.is_repeated);
    let all = named(app, context, receipt, places).await?;
    let mut response = report(context, semantic, &all, &[]);
    if is_repeated {
        let replayed = HeaderValue::from_static("true");
        response.headers_mut().insert(edit::REPLAYED, replayed);
    }
    nodes::name_change(&mut response, &app.store.epoch(), seq);
    Ok(response)
}

fn refused(failure: Failure, places: &[(String, Kind)]) -> Problem {
    let failures = match failure {
        Failure::Whole(error) => return error.into(),
        Failure::Actions(failures) => failures,
    };
    let flaws = failures.into_iter().filter_map(|(i, error)| {
        let detail = error.message()?.clone();
        let place = places.get(i).map_or("", |(place, _)| place.as_str());
        let kind = places.get(i).map(|(_, kind)| *kind);
        let inner = match (detail.key().starts_with("store.geometry-"), kind) {
            (true, Some(Kind::Insert)) => "/geometry",
            (true, Some(Kind::Replace)) => "/properties/feature/geometry",
            _ => "",
        };
        Some(Flaw {
            status: status_of(&error),
            ..Flaw::new(format!("{place}{inner}"), detail)
        })
    });
    Problem::of_flaws(flaws.collect())
}

/// Does each action by itself.
async fn each(
    app: &App,
    context: &Context,
    body: Whole,
    actions: Vec<Vec<Placed>>,
    mut flaws: Vec<Flaw>,
    cause: Cause,
) -> Result<Response, Problem> {
    let mut all = Vec::new();
    let mut last = None;
    for (i, action) in actions.into_iter().enumerate() {
        let (steps, places) = parts(action);
        if steps.is_empty() {
            continue;
        }
        let cause = Cause {
            once: cause.once.as_ref().map(|once| once.part(i)),
            ..cause.clone()
        };
        match app.store.transact(steps, cause).await {
            Ok(receipt) => {
                last = last.max(Some(receipt.last));
                all.extend(named(app, context, receipt, &places).await?);
            }
            Err(failure) => {
                let problem = refused(failure, &places);
                match problem.flaws.is_empty() {
                    true => return Err(problem),
                    false => flaws.extend(problem.flaws),
                }
            }
        }
    }
    drop(body);
    let mut response = report(context, "batch", &all, &flaws);
    if let Some(seq) = last {
        nodes::name_change(&mut response, &app.store.epoch(), seq);
    }
    Ok(response)
}

/// What was done, and the address of the feature that it was done to.
async fn named(
    app: &App,
    context: &Context,
    receipt: Receipt,
    places: &[(String, Kind)],
) -> Result<Vec<(Kind, String)>, Problem> {
    let is_repeated = receipt.is_repeated;
    let mut all = Vec::with_capacity(receipt.written.len());
    for (i, written) in receipt.written.into_iter().enumerate() {
        let kind = match places.get(i) {
            Some((_, kind)) if !is_repeated => *kind,
            _ => kind_of(written.operation),
        };
        let id = id(app, context, &written).await?;
        let here = format!("/collections/{}/items/{}", written.collection, segment(&id));
        all.push((kind, context.url(here)));
    }
    Ok(all)
}

fn kind_of(operation: Operation) -> Kind {
    match operation {
        Operation::Create => Kind::Insert,
        Operation::Replace => Kind::Update,
        Operation::Delete => Kind::Delete,
    }
}

/// The id of a feature that was written; of one that is gone it is that of its last state.
async fn id(app: &App, context: &Context, written: &Written) -> Result<String, Problem> {
    let live = app.collection(context, &written.collection)?;
    let id = match &written.item {
        Some(item) => feature_id(&live.collection, &item.feature),
        None => {
            let seq = match written.operation {
                Operation::Delete => model::ChangeSeq(written.version.0 - 1),
                _ => written.version,
            };
            match app.store.item_at(&live, written.fid, seq).await? {
                Some(then) => feature_id(&live.collection, &then),
                None => FeatureId::Integer(written.fid),
            }
        }
    };
    Ok(id.to_string())
}

fn report(context: &Context, semantic: &str, all: &[(Kind, String)], flaws: &[Flaw]) -> Response {
    let mut body = json!({ "semantic": semantic, "summary": {} });
    for kind in Kind::ALL {
        let (total, results) = kind.members();
        let addresses: Vec<&str> = all
            .iter()
            .filter(|(k, _)| *k == kind)
            .map(|(_, address)| address.as_str())
            .collect();
        if !addresses.is_empty() {
            body["summary"][total] = addresses.len().into();
            body[results] = addresses.into();
        }
    }
    if !flaws.is_empty() {
        let exceptions = flaws.iter().map(|flaw| {
            json!({
                "code": flaw.detail.key(),
                "status": flaw.status.as_u16(),
                "description": flaw.detail.text(context.lang),
                "pointer": flaw.pointer,
            })
        });
        body["exceptions"] = exceptions.collect();
    }
    answer::untagged(context, JSON, body.to_string())
}
