//! One's own account: what it may do, its password, its sessions.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use model::Message;
use model::access::{Directory, Person};
use serde_json::json;
use store::{AuditEntry, Ended, KeyHash, KeyKind};

use super::{Form, Passwords, page, password, to};
use crate::app::App;
use crate::context::Context;
use crate::html::{AccountPage, SignInPage};
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
    let own = context.session();
    // A program reads with its token who it is, and no list of keys.
    let keys = match own {
        Some(_) => app.store.keys(Some(&person.id)).await?,
        None => Vec::new(),
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
    if has_none_here(&app, &context) {
        let detail = Message::new("server.password-elsewhere");
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    // As it was before the old password is held against it.
    let directory = app.store.directory();
    let (id, form) = Form::again(&app, &context, body).await?;
    let was = directory.people.get(&id).ok_or_else(Problem::changed)?;
    let new = form.exact("new");
    password::require_good(new, &password::own_words(&app, &id))
        .map_err(|detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail))?;
    let ended = Ended {
        person: id.clone(),
        kept: context.session().cloned(),
        tokens: !form.text("tokens").is_empty(),
        spent: None,
    };
    set_password(&app, was, new, "password.change", Some(ended)).await?;
    Ok(to(&context, "/account"))
}

/// Whether whoever asks signs in elsewhere only.
pub(super) fn has_none_here(app: &App, context: &Context) -> bool {
    let directory = app.store.directory();
    let person = directory.people.get(context.principal.actor());
    person.is_some_and(|p| p.password.is_none() && p.external.is_some())
}

/// Sets a password of an account that is still as it was, and ends what began with the older one: of two who set one at
/// once, the second does not undo what the first was told.
pub(super) async fn set_password(
    app: &App,
    was: &Person,
    new: &str,
    action: &'static str,
    ended: Option<Ended>,
) -> Result<(), Problem> {
    let hash = Passwords::hash(app, new).await?;
    let entry = AuditEntry::new(action, &*was.id);
    let (id, generation, old) = (was.id.clone(), was.generation, was.password.clone());
    let set = move |directory: &mut Directory| {
        let person = person(directory, &id)?;
        if person.generation != generation || person.password != old {
            return Err(store::Error::Denied(Message::new("access.account-changed")));
        }
        person.password = Some(hash);
        Ok(entry)
    };
    match ended {
        Some(ended) => app.store.amend_ending(&was.id, ended, set).await?,
        None => {
            let set = app
                .store
                .amend(&was.id, |directory| Ok((set(directory)?, ())));
            set.await?;
        }
    }
    Ok(())
}

/// `POST /account/sessions/end`: one of the sessions, or all but this one (ASVS 5.0 §7.5.2).
pub(crate) async fn end_sessions(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    let (id, form) = Form::again(&app, &context, body).await?;
    let Some(hash) = KeyHash::parse(form.text("session")) else {
        let ended = Ended {
            person: id.clone(),
            kept: context.session().cloned(),
            tokens: false,
            spent: None,
        };
        let entry = AuditEntry::new("session.end", &*id);
        let end = app.store.amend_ending(&id, ended, |_| Ok(entry));
        end.await?;
        return Ok(to(&context, "/account"));
    };
    let keys = app.store.keys(Some(&id)).await?;
    let is_own = keys
        .iter()
        .any(|(h, key)| *h == hash && key.kind == KeyKind::Session);
    if is_own {
        let entry = AuditEntry::new("session.end", &*id).with("count", 1);
        app.store.drop_keys(&id, vec![hash], entry).await?;
    }
    Ok(to(&context, "/account"))
}
