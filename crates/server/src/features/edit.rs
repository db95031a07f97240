//! Create, replace, update and delete of features (OGC 20-002, draft of OGC API Features Part 4).
//!
//! `If-Match` is honoured when a client sends it, and demanded where the collection is strict: QGIS sends none, and each state
//! that was overwritten stays in the history.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use formats::geojson::{ParsedFeatures, parse_features, parse_patch};
use hyper::StatusCode;
use hyper::header::{ETAG, HeaderName, HeaderValue, LINK, LOCATION};
use model::access::Permission;
use model::{Message, Operation};
use store::{Action, Cause, Failure, Flaw, Item, LiveCollection, Receipt, Step, Written};

use super::body::{self, Whole};
use super::request::{self, Received};
use super::{feature_id, item, transactions};
use crate::app::App;
use crate::conditional::{has_if_match, prefers};
use crate::context::Context;
use crate::limits::MAX_ACTIONS;
use crate::link::{GEOJSON, JSON, MERGE_PATCH, segment};
use crate::nodes;
use crate::policy::Writable;
use crate::problem::{self, Problem, shown};
use crate::segments::Segments;

/// What is taken as a new feature, as `Accept-Post` says it.
pub(crate) const POSTED: &str = "application/geo+json, application/json";

/// In an answer to a write: it was done before, by a request with the same key.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Which preference was followed (RFC 7240 §3).
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// In an answer to a write: what is wrong with the geometry that was given.
const GEOMETRY: HeaderName = HeaderName::from_static("hromada-geometry");

/// `POST /collections/{id}/items`: one feature, or a `FeatureCollection` as one transaction.
pub(crate) async fn create(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
    body: Body,
) -> Result<Response, Problem> {
    let wanted = ("POST", Permission::Create);
    let Received {
        whole,
        writable,
        sent,
        cause,
    } = request::received(&app, &context, &id, wanted, body, &[GEOJSON, JSON]).await?;
    let parsed = body::parsed(&whole.bytes, |bytes| parse_features(bytes, MAX_ACTIONS)).await?;
    let parsed = match parsed {
        ParsedFeatures::One(parsed) => parsed,
        ParsedFeatures::Many(all) => {
            let actions = transactions::creations(&writable, all, sent, "/features")?;
            return transactions::done(&app, &context, whole, actions, cause).await;
        }
    };
    let source_id = parsed.id.clone();
    let collection = &writable.live.collection;
    let mut draft = body::draft(collection, parsed, sent).map_err(Problem::of_flaws)?;
    body::fill_id(collection, &mut draft, source_id.as_ref());
    write(&app, &context, &writable, Step::Create(draft), whole, cause).await
}

/// `PUT /collections/{id}/items/{featureId}`
pub(crate) async fn replace(
    State(app): State<App>,
    context: Context,
    Segments([id, feature]): Segments<[String; 2]>,
    body: Body,
) -> Result<Response, Problem> {
    let wanted = ("PUT", Permission::Change);
    let Received {
        whole,
        writable,
        sent,
        cause,
    } = request::received(&app, &context, &id, wanted, body, &[GEOJSON, JSON]).await?;
    let parsed = body::parsed(&whole.bytes, formats::geojson::parse_feature).await?;
    let draft = body::draft(&writable.live.collection, parsed, sent).map_err(Problem::of_flaws)?;
    let step = Step::Replace {
        id: feature,
        draft,
        expected: request::expected(&context, &writable)?,
    };
    write(&app, &context, &writable, step, whole, cause).await
}

/// `PATCH /collections/{id}/items/{featureId}`
pub(crate) async fn update(
    State(app): State<App>,
    context: Context,
    Segments([id, feature]): Segments<[String; 2]>,
    body: Body,
) -> Result<Response, Problem> {
    let wanted = ("PATCH", Permission::Change);
    let Received {
        whole,
        writable,
        sent,
        cause,
    } = request::received(&app, &context, &id, wanted, body, &[MERGE_PATCH]).await?;
    let parsed = body::parsed(&whole.bytes, parse_patch).await?;
    let patch = body::patch(&writable.live.collection, parsed, sent).map_err(Problem::of_flaws)?;
    let step = Step::Update {
        id: feature,
        patch,
        expected: request::expected(&context, &writable)?,
    };
    write(&app, &context, &writable, step, whole, cause).await
}

/// `DELETE /collections/{id}/items/{featureId}`
pub(crate) async fn delete(
    State(app): State<App>,
    context: Context,
    Segments([id, feature]): Segments<[String; 2]>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let writable = app.writable(&context, &id, Permission::Delete)?;
    let cause = request::cause(&context, "DELETE", &[])?;
    let step = Step::Delete {
        id: feature,
        expected: request::expected(&context, &writable)?,
    };
    write(
        &app,
        &context,
        &writable,
        step,
        Whole::nothing(&app)?,
        cause,
    )
    .await
}

/// Writes one feature, and answers with it.
pub(super) async fn write(
    app: &App,
    context: &Context,
    writable: &Writable,
    step: Step,
    body: Whole,
    cause: Cause,
) -> Result<Response, Problem> {
    let live = &writable.live;
    let id = match &step {
        Step::Create(_) => None,
        Step::Replace { id, .. }
        | Step::Update { id, .. }
        | Step::Delete { id, .. }
        | Step::Reshape { id, .. }
        | Step::Restore { id, .. } => Some(id.clone()),
    };
    let action = writable.action(step);
    let receipt = match holding(app, body, vec![action], cause).await? {
        Ok(receipt) => receipt,
        Err(failure) => {
            let problem = refused(failure.into_error());
            return Err(match id {
                Some(id) => conditional(app, context, live, &id, problem).await,
                None => problem,
            });
        }
    };
    answer(app, context, live, receipt).await
}

/// Writes in a task of its own that holds the body's place until the end: when the client hangs up, its draft still
/// waits in memory for the writer.
pub(super) async fn holding(
    app: &App,
    body: Whole,
    actions: Vec<Action>,
    cause: Cause,
) -> Result<Result<Receipt, Failure>, Problem> {
    let Whole { bytes, place } = body;
    drop(bytes);
    let store = app.store.clone();
    let task = tokio::spawn(async move {
        let written = store.transact(actions, cause).await;
        drop(place);
        written
    });
    task.await.map_err(Problem::internal)
}

/// What the store refuses; a geometry is named as the place of what is wrong with it.
pub(super) fn refused(error: store::Error) -> Problem {
    match error.message() {
        Some(message) if message.key().starts_with("store.geometry-") => {
            Problem::of_flaws(vec![problem::Flaw::new("/geometry", message.clone())])
        }
        _ => error.into(),
    }
}

/// A feature that is not there fails the condition of a client that has one; one that is there as another is named with its tag.
async fn conditional(
    app: &App,
    context: &Context,
    live: &LiveCollection,
    id: &str,
    problem: Problem,
) -> Problem {
    let is_gone = problem.status == StatusCode::NOT_FOUND && has_if_match(&context.headers);
    if !is_gone && problem.status != StatusCode::PRECONDITION_FAILED {
        return problem;
    }
    let detail = Message::new("server.version-changed").with("id", shown(id));
    let mut problem = Problem::new(StatusCode::PRECONDITION_FAILED, detail);
    let current = item::find(app, live, id).await;
    if let Ok(tag) = current.and_then(|found| item::tag_of(live, &found)) {
        let here = format!("/collections/{}/items/{}", live.collection.id, segment(id));
        let link = format!("<{}>; rel=\"latest-version\"", context.url(here));
        if let Ok(link) = HeaderValue::try_from(link) {
            problem = problem.with(LINK, link).with(ETAG, tag.header());
        }
    }
    problem
}

/// The answer to a write of one feature: as it is now, or was when the same request was first made.
async fn answer(
    app: &App,
    context: &Context,
    live: &LiveCollection,
    receipt: Receipt,
) -> Result<Response, Problem> {
    let (last, is_repeated) = (receipt.last, receipt.is_repeated);
    let mut written = receipt.written.into_iter();
    let of_it = written.find(|w| w.collection == live.collection.id.as_str());
    let mut response = match of_it {
        Some(written) if written.operation != Operation::Delete => {
            one(app, context, live, written).await?
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    };
    let headers = response.headers_mut();
    if is_repeated {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    nodes::name_change(&mut response, &app.store.epoch(), last);
    Ok(response)
}

async fn one(
    app: &App,
    context: &Context,
    live: &LiveCollection,
    written: Written,
) -> Result<Response, Problem> {
    let is_new = written.operation == Operation::Create;
    let version = written.version;
    let item = match written.item {
        Some(item) => Some(item),
        // What the first answer showed.
        None => {
            let then = app.store.item_at(live, written.fid, version).await?;
            then.map(|feature| Item { feature, version })
        }
    };
    let Some(item) = item else {
        return Ok(match is_new {
            true => StatusCode::CREATED.into_response(),
            false => StatusCode::NO_CONTENT.into_response(),
        });
    };
    let feature = feature_id(&live.collection, &item.feature).to_string();
    let (status, short) = match is_new {
        true => (StatusCode::CREATED, StatusCode::CREATED),
        false => (StatusCode::OK, StatusCode::NO_CONTENT),
    };
    let preferred = ["return=minimal", "return=representation"];
    let preferred = preferred
        .into_iter()
        .find(|one| prefers(&context.headers, one));
    let mut response = if preferred == Some("return=minimal") {
        let tag = item::tag_of(live, &item)?.header();
        (short, [(ETAG, tag)]).into_response()
    } else {
        item::answer_with(app, context, live, item, status)?
    };
    let headers = response.headers_mut();
    if let Some(applied) = preferred {
        headers.insert(APPLIED, HeaderValue::from_static(applied));
    }
    if is_new {
        let here = format!(
            "/collections/{}/items/{}",
            live.collection.id,
            segment(&feature)
        );
        // The feature is stored: an address that can't stand in a header is no reason to say that it is not.
        if let Ok(location) = HeaderValue::try_from(context.url(here)) {
            headers.insert(LOCATION, location);
        }
    }
    if let Some(flaws) = told(&written.flaws) {
        headers.insert(GEOMETRY, flaws);
    }
    Ok(response)
}

/// What is wrong with a geometry as a list of structured fields (RFC 9651): `self-intersection; lon=24.71; lat=48.91`.
fn told(flaws: &[Flaw]) -> Option<HeaderValue> {
    /// More are of no use to anybody in a header.
    const MOST: usize = 8;
    let all: Vec<String> = flaws
        .iter()
        .take(MOST)
        .map(|flaw| {
            let mut text = flaw.kind.name().to_owned();
            if let Some([lon, lat]) = flaw.location {
                text += &format!("; lon={lon:.9}; lat={lat:.9}");
            }
            if flaw.is_repaired {
                text += "; repaired";
            }
            text
        })
        .collect();
    (!all.is_empty()).then(|| HeaderValue::try_from(all.join(", ")).ok())?
}
