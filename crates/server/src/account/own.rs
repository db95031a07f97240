//! One's own account: what it may do, its password, its sessions.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use model::Message;
use model::access::{Directory, Person};
use serde_json::json;
use store::{AuditEntry, KeyHash, KeyKind};

use super::{Form, Passwords, cookie, page, password, require_browser, second, to, with_cookie};
use crate::app::App;
use crate::context::Context;
use crate::html::{AccountPage, SignInPage};
use crate::identity::By;
use crate::link::JSON;
use crate::problem::Problem;

/// The person of an account while the directory is changed.
pub(super) fn person<'a>(
    directory: &'a mut Directory,
    id: &str,
) -> Result<&'a mut Person, store::Error> {
    let found = directory.people.get_mut(id).filter(|p| !p.is_disabled);
    found.ok_or_else(|| store::Error::NotFound(Message::new("server.no-account")))
}

/// `GET /account`: the form to sign in, or one's own account.
pub(crate) async fn overview(
    State(app): State<App>,
    context: Context,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    context.ask();
    show(&app, &context, None).await
}

/// The page of the account, with a token that was just made.
pub(super) async fn show(
    app: &App,
    context: &Context,
    token: Option<&str>,
) -> Result<Response, Problem> {
    let directory = app.store.directory();
    let Some(person) = directory.people.get(context.principal.actor()) else {
        return page(&SignInPage::new(app, context, "", None), StatusCode::OK);
    };
    let keys = app.store.keys(Some(&person.id)).await?;
    let own = match &context.by {
        By::Session(hash) => Some(hash),
        By::Token(_) | By::Nothing => None,
    };
    let live = app.sight(context)?.all();
    page(
        &AccountPage::new(app, context, person, &keys, own, &live, token),
        StatusCode::OK,
    )
}

/// `GET /account/me`: who asks, for the map.
pub(crate) async fn me(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    use axum::response::IntoResponse;
    context.params.only(&[])?;
    context.ask();
    let principal = &context.principal;
    let directory = app.store.directory();
    let person = directory.people.get(principal.actor());
    let body = match person {
        Some(person) => json!({
            "id": person.id,
            "name": person.name,
            "manages": app.manages(&context),
        }),
        None => json!({ "id": null }),
    };
    let headers = [(CONTENT_TYPE, JSON), (CACHE_CONTROL, "no-store")];
    Ok((headers, body.to_string()).into_response())
}

/// `POST /account/password`: all other sessions end.
pub(crate) async fn change_password(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    let id = app.require_person(&context)?;
    require_browser(&context)?;
    let form = Form::read(&context, body).await?;
    second::require_password(&app, &context, &id, form.exact("password")).await?;
    let new = form.exact("new");
    password::require_good(new, &id)
        .map_err(|detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail))?;
    set_password(&app, &id, new, "password.change").await?;
    let ending = match form.text("tokens") {
        "" => Ending::Sessions,
        _ => Ending::Everything,
    };
    end_all(&app, &context, &id, own_session(&context), ending).await?;
    Ok(to(&context, "/account"))
}

pub(super) async fn set_password(
    app: &App,
    id: &str,
    new: &str,
    action: &'static str,
) -> Result<(), Problem> {
    let hash = Passwords::hash(app, new).await?;
    let (who, entry) = (id.to_owned(), AuditEntry::new(action, id));
    let set = app.store.amend(id, move |directory| {
        person(directory, &who)?.password = Some(hash);
        Ok((entry, ()))
    });
    Ok(set.await?)
}

fn own_session(context: &Context) -> Option<&KeyHash> {
    match &context.by {
        By::Session(hash) => Some(hash),
        By::Token(_) | By::Nothing => None,
    }
}

/// What ends when a password is another one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Sessions,
    /// Tokens too: somebody else may have made some.
    Everything,
}

/// Ends the sessions of a person and takes back their links, but for one session.
pub(super) async fn end_all(
    app: &App,
    context: &Context,
    id: &str,
    kept: Option<&KeyHash>,
    ending: Ending,
) -> Result<(), Problem> {
    let keys = app.store.keys(Some(id)).await?;
    let ended: Vec<KeyHash> = keys
        .into_iter()
        .filter(|(hash, key)| {
            let ends = ending == Ending::Everything || key.kind != KeyKind::Token;
            ends && Some(hash) != kept
        })
        .map(|(hash, _)| hash)
        .collect();
    let entry = AuditEntry::new("session.end", id).with("count", ended.len());
    app.store
        .drop_keys(context.principal.actor(), ended, entry)
        .await?;
    Ok(())
}

/// `POST /account/sessions/end`: one of the sessions, or all but this one.
pub(crate) async fn end_sessions(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    let id = app.require_person(&context)?;
    require_browser(&context)?;
    let form = Form::read(&context, body).await?;
    let Some(hash) = KeyHash::parse(form.text("session")) else {
        let own = own_session(&context);
        end_all(&app, &context, &id, own, Ending::Sessions).await?;
        return Ok(to(&context, "/account"));
    };
    let keys = app.store.keys(Some(&id)).await?;
    let is_own = keys
        .iter()
        .any(|(h, key)| *h == hash && key.kind == KeyKind::Session);
    if is_own {
        let entry = AuditEntry::new("session.end", &*id).with("count", 1);
        app.store.drop_keys(&id, vec![hash.clone()], entry).await?;
    }
    let response = to(&context, "/account");
    Ok(if own_session(&context) == Some(&hash) {
        with_cookie(response, cookie(&app, ""))
    } else {
        response
    })
}
