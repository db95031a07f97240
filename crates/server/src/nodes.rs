//! What is said between a client and several servers on one database: which change a write was, how old an answer is.

use std::time::Duration;

use axum::response::Response;
use hyper::HeaderMap;
use hyper::StatusCode;
use hyper::header::{AGE, HeaderName, HeaderValue};
use model::access::Permission;
use model::{ChangeSeq, Epoch, Message};

use crate::app::App;
use crate::context::Context;
use crate::problem::{Problem, shown};

/// In the answer to a write: the change that it was, `{epoch}.{number}`.
pub(crate) const CHANGE: HeaderName = HeaderName::from_static("hromada-change");

/// In a request: the change that the answer must hold, as [`CHANGE`] gave it, whichever server is asked.
pub(crate) const AFTER: HeaderName = HeaderName::from_static("hromada-after");

/// How long a request waits for the change that it names: a server follows in some ten milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// An index that was last known to be current longer ago says so with each answer. All is well at about a second.
const OLD: Duration = Duration::from_secs(4);

/// A server that is behind for longer should get no requests while others are not.
pub(crate) const TOO_OLD: Duration = Duration::from_secs(10);

/// Names the change in the answer to a write.
pub(crate) fn name_change(response: &mut Response, epoch: &Epoch, seq: ChangeSeq) {
    if let Ok(value) = HeaderValue::try_from(format!("{}.{}", epoch.0, seq.0)) {
        response.headers_mut().insert(CHANGE, value);
    }
}

/// Waits until this server holds the change that a request names. Of others than those who write the header is not read:
/// nobody gave them a number, and by trying some they would count the changes of collections that they do not see.
///
/// # Errors
/// 400 for a name that is none, 409 for one of another life of the store, 503 when the change does not come in time.
pub(crate) async fn wait_for_change(app: &App, context: &Context) -> Result<(), Problem> {
    const WRITES: [Permission; 3] = [Permission::Create, Permission::Change, Permission::Delete];
    let Some(value) = context.headers.get(AFTER) else {
        return Ok(());
    };
    if !WRITES.iter().any(|write| context.principal.may(*write)) {
        return Ok(());
    }
    let text = value.to_str().unwrap_or_default();
    let named = text.rsplit_once('.');
    let seq = named.and_then(|(_, seq)| seq.parse().ok());
    let (Some((epoch, _)), Some(seq)) = (named, seq) else {
        let detail = Message::new("server.after-unreadable").with("value", shown(text));
        return Err(Problem::bad_request(detail));
    };
    if epoch != &*app.store.epoch().0 {
        let detail = Message::new("server.after-epoch");
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    if app.store.reached(ChangeSeq(seq), PATIENCE).await {
        return Ok(());
    }
    let detail = Message::new("server.not-reached");
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_later())
}

/// Says how old an answer is when the database has not been heard of for a while: the answer was current then
/// (RFC 9111 §5.1).
pub(crate) fn tell_age(app: &App, headers: &mut HeaderMap) {
    let Some(lag) = app.store.lag() else {
        return;
    };
    if lag.since_current >= OLD && app.store.live().loaded {
        headers.insert(AGE, HeaderValue::from(lag.since_current.as_secs()));
    }
}
