//! Signing in and out, and what an account's owner does with it.
//!
//! Plain forms that work without JavaScript. A browser's session is a cookie; which pages may send a form with it is
//! decided in `origin`. Each outcome is audited, without the passwords and codes.

mod again;
mod form;
mod link;
mod own;
mod password;
mod second;
mod sign_in;
mod single;
mod tokens;

use std::collections::BTreeSet;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue, LOCATION, SET_COOKIE};
use model::Message;
use store::{Key, KeyHash, KeyKind};

pub(crate) use form::Form;
pub(crate) use link::{enter as enter_link, show as show_link};
pub(crate) use own::{change_password, end_sessions, me, overview};
pub(crate) use password::Passwords;
pub(crate) use second::{
    begin as begin_second, confirm as confirm_second, remove as remove_second,
};
pub(crate) use sign_in::{is_staff, second_step, sign_in, sign_out};
pub(crate) use single::{Provider, begin as begin_single, end as end_single, look as look_single};
pub(crate) use tokens::{create as create_token, require_browser, revoke as revoke_token};

use crate::app::App;
use crate::context::Context;
use crate::identity::{self, SESSION};
use crate::problem::Problem;

/// Of keys that are good for one step of something.
const STEP: Duration = Duration::from_secs(5 * 60);

/// What a link's key is called by what it is for.
const FOR_PASSWORD: &str = "";
const FOR_SECOND_STEP: &str = "second-step";

/// The key of a step of something, which goes on with it (see [`good_step`]).
fn step(person: &str, label: &str) -> Key {
    Key {
        kind: KeyKind::Link,
        person: person.to_owned(),
        label: label.to_owned(),
        scopes: BTreeSet::new(),
        collections: None,
        proved: None,
        created: identity::now(),
        expires: identity::after(STEP),
        seen: identity::now(),
    }
}

/// The key of a hash, if it is good for that step and no other.
async fn good_step(app: &App, hash: &KeyHash, label: &str) -> Result<Option<Key>, Problem> {
    let is_good = |key: &Key| {
        key.kind == KeyKind::Link
            && key.label == label
            && key.expires.as_str() > identity::now().as_str()
    };
    Ok(app.store.key(hash).await?.filter(is_good))
}

fn step_expired() -> Problem {
    let detail = Message::new("server.step-expired");
    Problem::new(StatusCode::FORBIDDEN, detail)
}

/// Sends the browser to a page of this server after a form (RFC 9110 §15.4.4).
pub(crate) fn to(context: &Context, path: &str) -> Response {
    let lang = context
        .lang_in_url
        .then(|| format!("?lang={}", context.lang.tag()));
    let there = format!("{}{path}{}", context.root, lang.unwrap_or_default());
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(there) = HeaderValue::try_from(there) {
        response.headers_mut().insert(LOCATION, there);
    }
    response
}

/// The cookie of a session (RFC 6265bis §4.1.2); an empty one ends it in the browser.
fn cookie(app: &App, context: &Context, secret: &str) -> HeaderValue {
    let secure = secure(app, context);
    let age = if secret.is_empty() {
        0
    } else {
        SESSION.as_secs()
    };
    let text = format!(
        "{}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}",
        app.cookie()
    );
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// What a cookie says that came by TLS, and must not go without.
fn secure(app: &App, context: &Context) -> &'static str {
    if app.is_secure() || context.client.is_secure {
        "; Secure"
    } else {
        ""
    }
}

fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

/// A page about somebody's account, which nobody keeps.
pub(crate) fn page(
    template: &impl askama::Template,
    status: StatusCode,
) -> Result<Response, Problem> {
    let text = template.render().map_err(Problem::internal)?;
    let headers = [
        (hyper::header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((status, headers, text).into_response())
}

/// Too many attempts.
fn throttled(wait: Duration) -> Problem {
    let seconds = wait.as_secs().max(1);
    let detail = Message::new("server.attempts-throttled").with("seconds", seconds);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)
        .with(hyper::header::RETRY_AFTER, HeaderValue::from(seconds))
}
