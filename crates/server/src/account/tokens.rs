//! Tokens for QGIS, GDAL and scripts.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::Message;
use model::access::Scope;
use store::{AuditEntry, KeyHash, KeyKind, NewToken};

use super::{Form, own, to};
use crate::app::App;
use crate::context::Context;
use crate::identity;
use crate::problem::{Problem, shown};

/// Tokens that one person has at most.
const MAX_TOKENS: usize = 100;

/// `POST /account/tokens`: the token is on the page of the answer, and nowhere else ever after.
pub(crate) async fn create(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    // Before they show who they are: a token is made by whom the account was then.
    let directory = app.store.directory();
    let person = directory.people.get(context.principal.actor());
    let generation = person.map(|person| person.generation);
    let (id, form) = Form::again(&app, &context, body).await?;
    let wrong = |key| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, Message::new(key));
    let scopes: Option<BTreeSet<Scope>> = form.all("scope").map(Scope::from_name).collect();
    let sight = app.sight(&context)?;
    let mut collections = BTreeSet::new();
    let named = form.text("collections");
    let names = named.split(|c: char| c == ',' || c.is_whitespace());
    for name in names.filter(|n| !n.is_empty()) {
        // What they do not see is not there for their tokens either.
        sight.require(name)?;
        collections.insert(name.to_owned());
    }
    if collections.is_empty() && !named.is_empty() {
        // Names of nothing are not all that there is.
        return Err(Problem::no_collection(named));
    }
    let keys = app.store.keys(Some(&id)).await?;
    let tokens = keys.iter().filter(|(_, k)| k.kind == KeyKind::Token);
    if tokens.count() >= MAX_TOKENS {
        return Err(wrong("server.token-count"));
    }
    let token = NewToken {
        person: id.clone(),
        label: form.text("label").to_owned(),
        scopes: scopes.ok_or_else(|| wrong("server.form-unreadable"))?,
        collections: (!collections.is_empty()).then_some(collections),
        // What is no number of days is none that is allowed.
        days: form.text("days").parse().unwrap_or(0),
        generation,
    };
    let (secret, _) = app.store.add_token(&id, token).await?;
    own::show(&app, &context, Some(&secret)).await
}

/// `POST /account/tokens/revoke`
pub(crate) async fn revoke(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    let (id, form) = Form::own(&app, &context, body).await?;
    let unknown = || {
        let detail = Message::new("server.no-token").with("token", shown(form.text("token")));
        Problem::not_found(detail)
    };
    let hash = KeyHash::parse(form.text("token")).ok_or_else(unknown)?;
    let keys = app.store.keys(Some(&id)).await?;
    let (_, key) = keys
        .iter()
        .find(|(h, key)| *h == hash && key.kind == KeyKind::Token)
        .ok_or_else(unknown)?;
    let entry = AuditEntry::new("token.revoke", &*id).with("label", &*key.label);
    app.store.drop_keys(&id, vec![hash], entry).await?;
    Ok(to(&context, "/account"))
}

/// A token makes no tokens: one that leaked would never end.
pub(crate) fn require_browser(context: &Context) -> Result<(), Problem> {
    match context.by {
        identity::By::Session(_) => Ok(()),
        _ => Err(Problem::new(
            StatusCode::FORBIDDEN,
            Message::new("server.browser-only"),
        )),
    }
}
