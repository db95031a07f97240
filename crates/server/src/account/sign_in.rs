//! Signing in and out.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::Message;
use model::access::Person;
use store::{AuditEntry, Key, KeyHash, KeyKind};

use super::{
    FOR_SECOND_STEP, Form, Passwords, STEP, cookie, page, second, throttled, to, with_cookie,
};
use crate::app::App;
use crate::context::Context;
use crate::html::{SecondStepPage, SignInPage};
use crate::identity::{self, By, SESSION};
use crate::problem::Problem;

/// `POST /account/sign-in`
pub(crate) async fn sign_in(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    context.ask();
    let form = Form::read(&context, body).await?;
    let (name, password) = (form.text("name"), form.exact("password"));
    app.attempts.take(&context, name).map_err(throttled)?;
    let directory = app.store.directory();
    let person = directory.people.get(name).filter(|p| !p.is_disabled);
    if !Passwords::is_right(&app, person, password).await? {
        return refused(&app, &context, name, "sign-in.refused").await;
    }
    let Some(person) = person else {
        return refused(&app, &context, name, "sign-in.refused").await;
    };
    if person.second_factor.is_none() {
        return begin(&app, &context, &person.id, "password").await;
    }
    let (secret, hash) = KeyHash::fresh(KeyKind::Link);
    let key = Key {
        kind: KeyKind::Link,
        person: person.id.clone(),
        label: FOR_SECOND_STEP.to_owned(),
        scopes: Default::default(),
        collections: None,
        created: identity::now(),
        expires: identity::after(STEP),
        seen: identity::now(),
    };
    let entry = AuditEntry::new("sign-in.password", &*person.id);
    app.store.add_key(&person.id, hash, key, entry).await?;
    page(
        &SecondStepPage::new(&context, &secret, None),
        StatusCode::OK,
    )
}

/// `POST /account/second-step`: the code of the second factor, or one for the day the phone is lost.
pub(crate) async fn second_step(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    context.ask();
    let form = Form::read(&context, body).await?;
    let hash = KeyHash::of(form.text("step"));
    let key = app.store.key(&hash).await?;
    let is_good = |key: &Key| {
        key.kind == KeyKind::Link
            && key.label == FOR_SECOND_STEP
            && key.expires.as_str() > identity::now().as_str()
    };
    let Some(key) = key.filter(is_good) else {
        let detail = Message::new("server.step-expired");
        let page_of = SignInPage::new(&app, &context, "", Some(&detail));
        return page(&page_of, StatusCode::FORBIDDEN);
    };
    app.attempts
        .take(&context, &key.person)
        .map_err(throttled)?;
    if !second::is_right(&app, &key.person, form.text("code")).await? {
        let entry = AuditEntry::new("sign-in.code-refused", &*key.person);
        app.store.audit("anonymous", entry).await?;
        let detail = Message::new("server.code-wrong");
        let again = SecondStepPage::new(&context, form.text("step"), Some(&detail));
        return page(&again, StatusCode::FORBIDDEN);
    }
    let entry = AuditEntry::new("sign-in.step", &*key.person);
    if app.store.drop_keys(&key.person, vec![hash], entry).await? == 0 {
        // Somebody was faster with the same step.
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            Message::new("server.step-expired"),
        ));
    }
    begin(&app, &context, &key.person, "password and code").await
}

/// `POST /account/sign-out`
pub(crate) async fn sign_out(
    State(app): State<App>,
    context: Context,
) -> Result<Response, Problem> {
    context.ask();
    if let By::Session(hash) = &context.by {
        let entry = AuditEntry::new("sign-out", context.principal.actor());
        let actor = context.principal.actor();
        app.store
            .drop_keys(actor, vec![hash.clone()], entry)
            .await?;
    }
    Ok(with_cookie(to(&context, "/account"), cookie(&app, "")))
}

/// Begins a session: always a new one, so that nobody signs somebody in to a session of their own making.
pub(super) async fn begin(
    app: &App,
    context: &Context,
    person: &str,
    by: &str,
) -> Result<Response, Problem> {
    if let By::Session(hash) = &context.by {
        let entry = AuditEntry::new("sign-out", context.principal.actor());
        let actor = context.principal.actor();
        app.store
            .drop_keys(actor, vec![hash.clone()], entry)
            .await?;
    }
    let (secret, hash) = KeyHash::fresh(KeyKind::Session);
    let key = Key {
        kind: KeyKind::Session,
        person: person.to_owned(),
        label: browser(context),
        scopes: Default::default(),
        collections: None,
        created: identity::now(),
        expires: identity::after(SESSION),
        seen: identity::now(),
    };
    let entry = AuditEntry::new("sign-in", person).with("by", by);
    app.store.add_key(person, hash, key, entry).await?;
    app.attempts.forget(context, person);
    Ok(with_cookie(to(context, "/account"), cookie(app, &secret)))
}

/// The same answer whatever was wrong: nobody learns from it whether there is such an account.
async fn refused(
    app: &App,
    context: &Context,
    name: &str,
    action: &'static str,
) -> Result<Response, Problem> {
    // What was typed where the name belongs may be a password: only names that exist are kept.
    let known = app.store.directory().people.contains_key(name);
    let subject = if known { name } else { "unknown" };
    app.store
        .audit("anonymous", AuditEntry::new(action, subject))
        .await?;
    let detail = Message::new("server.sign-in-refused");
    let again = SignInPage::new(app, context, name, Some(&detail));
    page(&again, StatusCode::FORBIDDEN)
}

/// What the browser calls itself, so that its owner knows their sessions apart.
fn browser(context: &Context) -> String {
    const LENGTH: usize = 80;
    let agent = context.headers.get(hyper::header::USER_AGENT);
    let agent = agent.and_then(|v| v.to_str().ok()).unwrap_or_default();
    agent.chars().take(LENGTH).collect()
}

/// Whether somebody works for the town, and so needs a second factor where one is asked for.
pub(crate) fn is_staff(person: &Person) -> bool {
    !person.assignments.is_empty()
}
