//! Create, replace and delete of one feature, in the plainest form of OGC API Features Part 4 (OGC 20-002, draft).
//!
//! `If-Match` is honoured when a client sends it and not demanded, since QGIS sends none; each state that was
//! overwritten stays in the change log.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use model::access::Permission;
use model::{ChangeSeq, Collection, Message, Value};
use store::{Draft, Item, LiveCollection};

use super::body::{self, Whole};
use super::{feature_id, item};
use crate::app::App;
use crate::conditional::{has_if_match, takes_any};
use crate::context::Context;
use crate::link::segment;
use crate::nodes;
use crate::problem::{Problem, shown};
use crate::segments::Segments;

/// `POST /collections/{id}/items`
pub(crate) async fn create(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
    body: Body,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    app.writable(&context, &id, Permission::Create)?;
    let body = body::read(&app, &context, body).await?;
    // Again: a body may take a minute to come, and rights may have gone meanwhile.
    let (live, by) = app.writable(&context, &id, Permission::Create)?;
    let parsed = body::parse(&body.bytes)?;
    let source_id = parsed.id.clone();
    let mut draft = body::draft(&live.collection, parsed)?;
    body::fill_id(&live.collection, &mut draft, source_id.as_ref());
    let (store, collection) = (app.store.clone(), id.clone());
    let write = async move { store.create(&collection, draft, by).await };
    let item = holding(body, write).await?;
    let feature = feature_id(&live.collection, &item.feature).to_string();
    let location = context.url(format_args!(
        "/collections/{id}/items/{}",
        segment(&feature)
    ));
    let mut response = item::answer_with(&context, &live, &item, StatusCode::CREATED)?;
    nodes::name_change(&mut response, &app.store.epoch(), item.version);
    // The feature is stored: an address that can't stand in a header is no reason to say that it is not.
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
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
    app.writable(&context, &id, Permission::Change)?;
    let body = body::read(&app, &context, body).await?;
    let (live, by) = app.writable(&context, &id, Permission::Change)?;
    let current = current(&app, &context, &live, &feature).await?;
    let mut draft = body::draft(&live.collection, body::parse(&body.bytes)?)?;
    keep_id(&live.collection, &mut draft, &current.properties)?;
    let (store, key, expected) = (app.store.clone(), feature.clone(), current.expected);
    let write = async move { store.replace(&id, &key, draft, expected, by).await };
    let item = holding(body, write)
        .await
        .map_err(|problem| conditional(&context, &feature, problem))?;
    let mut response = item::answer_with(&context, &live, &item, StatusCode::OK)?;
    nodes::name_change(&mut response, &app.store.epoch(), item.version);
    Ok(response)
}

/// `DELETE /collections/{id}/items/{featureId}`
pub(crate) async fn delete(
    State(app): State<App>,
    context: Context,
    Segments([id, feature]): Segments<[String; 2]>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let (live, by) = app.writable(&context, &id, Permission::Delete)?;
    let current = current(&app, &context, &live, &feature).await?;
    let change = app
        .store
        .delete(&id, &feature, current.expected, by)
        .await
        .map_err(|error| conditional(&context, &feature, error.into()))?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    nodes::name_change(&mut response, &app.store.epoch(), change);
    Ok(response)
}

/// Writes in a task of its own that holds the body's place until the end: when the client hangs up, its draft still
/// waits in memory for the writer.
async fn holding(
    body: Whole,
    write: impl Future<Output = Result<Item, store::Error>> + Send + 'static,
) -> Result<Item, Problem> {
    let Whole { bytes, place } = body;
    drop(bytes);
    let task = tokio::spawn(async move {
        let written = write.await;
        drop(place);
        written
    });
    Ok(task.await.map_err(Problem::internal)??)
}

/// The feature that a write is about.
struct Current {
    properties: Vec<Value>,
    /// The version that must still be there when the write happens; `If-Match: *` takes any.
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
    let item = item::find(app, live, id)
        .await
        .map_err(|problem| conditional(context, id, problem))?;
    if !item::tag_of(live, &item)?.allows_write(&context.headers) {
        return Err(changed(id));
    }
    let names_version = has_if_match(&context.headers) && !takes_any(&context.headers);
    Ok(Current {
        expected: names_version.then_some(item.version),
        properties: item.feature.properties,
    })
}

/// A feature that is not there fails the condition of a client that has one.
fn conditional(context: &Context, id: &str, problem: Problem) -> Problem {
    if problem.status == StatusCode::NOT_FOUND && has_if_match(&context.headers) {
        changed(id)
    } else {
        problem
    }
}

fn changed(id: &str) -> Problem {
    let detail = Message::new("server.version-changed").with("id", shown(id));
    Problem::new(StatusCode::PRECONDITION_FAILED, detail)
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
