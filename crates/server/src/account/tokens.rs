//! Tokens for QGIS, GDAL and scripts.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::Message;
use model::access::Scope;
use store::{AuditEntry, Key, KeyHash, KeyKind};

use super::{Form, own, second, to};
use crate::app::App;
use crate::context::Context;
use crate::identity;
use crate::problem::{Problem, shown};

/// Days that a token is good for at most: one that nobody remembers must end by itself.
pub(crate) const MAX_DAYS: u64 = 730;
/// Tokens that one person has at most.
const MAX_TOKENS: usize = 100;
const MAX_LABEL: usize = 80;

/// `POST /account/tokens`: the token is on the page of the answer, and nowhere else ever after.
pub(crate) async fn create(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    let id = app.require_person(&context)?;
    require_browser(&context)?;
    let form = Form::read(&context, body).await?;
    second::require_password(&app, &context, &id, form.exact("password")).await?;
    let wrong = |key| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, Message::new(key));
    let days: u64 = form
        .text("days")
        .parse()
        .ok()
        .filter(|days| (1..=MAX_DAYS).contains(days))
        .ok_or_else(|| wrong("server.token-days"))?;
    let scopes: Option<BTreeSet<Scope>> = form.all("scope").map(Scope::from_name).collect();
    let scopes = scopes
        .filter(|scopes| !scopes.is_empty())
        .ok_or_else(|| wrong("server.token-scopes"))?;
    let sight = app.sight(&context)?;
    let mut collections = BTreeSet::new();
    for name in form
        .text("collections")
        .split([',', ' '])
        .filter(|n| !n.is_empty())
    {
        sight.require(name)?;
        collections.insert(name.to_owned());
    }
    let keys = app.store.keys(Some(&id)).await?;
    if keys
        .iter()
        .filter(|(_, k)| k.kind == KeyKind::Token)
        .count()
        >= MAX_TOKENS
    {
        return Err(wrong("server.token-count"));
    }
    let label: String = form.text("label").chars().take(MAX_LABEL).collect();
    let (secret, hash) = KeyHash::fresh(KeyKind::Token);
    let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    let entry = AuditEntry::new("token.create", &*id)
        .with("label", &*label)
        .with("scopes", names)
        .with("days", days);
    let key = Key {
        kind: KeyKind::Token,
        person: id.clone(),
        label,
        scopes,
        collections: (!collections.is_empty()).then_some(collections),
        created: identity::now(),
        expires: identity::after(Duration::from_secs(days * 86_400)),
        seen: identity::now(),
    };
    app.store.add_key(&id, hash, key, entry).await?;
    own::show(&app, &context, Some(&secret)).await
}

/// `POST /account/tokens/revoke`
pub(crate) async fn revoke(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    let id = app.require_person(&context)?;
    require_browser(&context)?;
    let form = Form::read(&context, body).await?;
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
