//! Create, replace and delete of one feature, in the plainest form of OGC API Features Part 4 (OGC 20-002, draft).
//!
//! `If-Match` is honoured when a client sends it and not demanded, since QGIS sends none; each state that was
//! overwritten stays in the change log.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use model::{ChangeSeq, Collection, Message, Value};
use store::{Draft, LiveCollection};

use super::{body, id_of, item};
use crate::app::App;
use crate::conditional::{Tag, has_if_match};
use crate::context::Context;
use crate::link::segment;
use crate::problem::{Problem, shown};
use crate::segments::Segments;

/// Who a change is written to the log as, until there is sign-in.
const ACTOR: &str = "anonymous";

/// `POST /collections/{id}/items`
pub(crate) async fn create(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
    body: Body,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let live = app.collection(&id)?;
    let parsed = body::parse(&body::read(&app, &context.headers, body).await?)?;
    let source_id = parsed.id.clone();
    let mut draft = body::draft(&live.collection, parsed)?;
    body::fill_id(&live.collection, &mut draft, source_id.as_ref());
    let written_id = |fid| id_of(&live.collection, fid, &draft.properties).to_string();
    let written = app.store.create(&id, draft.clone(), ACTOR).await?;
    let feature = written_id(written.fid);
    let location = context.url(format_args!(
        "/collections/{id}/items/{}",
        segment(&feature)
    ));
    let mut response = stored(&app, &context, &id, &feature, StatusCode::CREATED).await?;
    response.headers_mut().insert(
        LOCATION,
        HeaderValue::try_from(location).map_err(Problem::internal)?,
    );
    Ok(response)
}

/// `PUT /collections/{id}/items/{featureId}`
pub(crate) async fn replace(
    State(app): State<App>,
    context: Context,
    Segments([id, feature]): Segments<[String; 2]>,
    body: Body,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let live = app.collection(&id)?;
    let bytes = body::read(&app, &context.headers, body).await?;
    let current = current(&app, &context, &live, &feature).await?;
    let mut draft = body::draft(&live.collection, body::parse(&bytes)?)?;
    keep_id(&live.collection, &mut draft, &current.properties)?;
    app.store
        .replace(&id, &feature, draft, current.expected, ACTOR)
        .await?;
    stored(&app, &context, &id, &feature, StatusCode::OK).await
}

/// `DELETE /collections/{id}/items/{featureId}`
pub(crate) async fn delete(
    State(app): State<App>,
    context: Context,
    Segments([id, feature]): Segments<[String; 2]>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let live = app.collection(&id)?;
    let current = current(&app, &context, &live, &feature).await?;
    app.store
        .delete(&id, &feature, current.expected, ACTOR)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The feature that a write is about.
struct Current {
    properties: Vec<Value>,
    /// The version that must still be there when the write happens.
    expected: Option<ChangeSeq>,
}

/// # Errors
/// 404 for a feature that is not there, 412 instead when the client says what it expects (RFC 9110 §13.1.1),
/// and 412 when the feature has another version.
async fn current(
    app: &App,
    context: &Context,
    live: &LiveCollection,
    id: &str,
) -> Result<Current, Problem> {
    let is_conditional = has_if_match(&context.headers);
    let failed = || {
        let detail = Message::new("server.version-changed").with("id", shown(id));
        Problem::new(StatusCode::PRECONDITION_FAILED, detail)
    };
    let found = item::find(app, live, id).await;
    let item = found.map_err(|problem| {
        let is_missing = problem.status == StatusCode::NOT_FOUND;
        if is_conditional && is_missing {
            failed()
        } else {
            problem
        }
    })?;
    if !Tag::version(app.store.epoch(), item.version).allows_write(&context.headers) {
        return Err(failed());
    }
    Ok(Current {
        expected: is_conditional.then_some(item.version),
        properties: item.feature.properties,
    })
}

/// The id property stays as it is: left out it is filled in, another value is refused, since the feature's URL
/// would change under its readers.
fn keep_id(collection: &Collection, draft: &mut Draft, before: &[Value]) -> Result<(), Problem> {
    let position = collection
        .id_property
        .as_ref()
        .and_then(|name| collection.schema.position(name).map(|p| (p, name)));
    let Some((position, name)) = position else {
        return Ok(());
    };
    if draft.properties[position] == Value::Null {
        draft.properties[position] = before[position].clone();
    }
    if draft.properties[position] != before[position] {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            Message::new("server.id-changed").with("name", name),
        ));
    }
    Ok(())
}

/// The feature as it is stored now.
async fn stored(
    app: &App,
    context: &Context,
    collection: &str,
    feature: &str,
    status: StatusCode,
) -> Result<Response, Problem> {
    let live = app.collection(collection)?;
    let item = item::find(app, &live, feature).await?;
    item::answer_with(app, context, &live, &item, status)
}
