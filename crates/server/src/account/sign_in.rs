//! Signing in and out.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use model::Message;
use model::access::Person;
use store::{AuditEntry, Key, KeyHash, KeyKind};

use super::{
    FOR_SECOND_STEP, Form, Passwords, cookie, own, page, password, second, throttled, to,
    with_cookie,
};
use crate::app::App;
use crate::attempts::Guess;
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
    let form = Form::read(&app, &context, body).await?;
    let (name, typed) = (form.text("name"), form.exact("password"));
    let guess = Guess::Password(name);
    app.attempts.take(&context, guess).map_err(throttled)?;
    let directory = app.store.directory();
    let person = directory.people.get(name).filter(|p| !p.is_disabled);
    if !Passwords::is_right(&app, person, typed).await? {
        return refused(&app, &context, name, "sign-in.refused").await;
    }
    let Some(person) = person else {
        return refused(&app, &context, name, "sign-in.refused").await;
    };
    // Whoever was right did not guess.
    app.attempts.give_back(&context, guess);
    let hash = person.password.as_deref().unwrap_or_default();
    if password::is_old(&app, hash) {
        // The time to hash it as new ones are is now, while it is known (ASVS 5.0 §11.2.2).
        own::set_password(&app, person, typed, "password.rehash", None).await?;
    }
    if person.second_factor.is_none() {
        return begin(&app, &context, person, "password", None).await;
    }
    ask_code(&app, &context, person).await
}

/// The page for the code of the second factor, to whoever has shown all else.
pub(super) async fn ask_code(
    app: &App,
    context: &Context,
    person: &Person,
) -> Result<Response, Problem> {
    let (secret, hash) = KeyHash::fresh(KeyKind::Link);
    let key = super::step(&person.id, FOR_SECOND_STEP);
    let entry = AuditEntry::new("sign-in.password", &*person.id);
    app.store
        .add_key(&person.id, hash, key, Some(person.generation), entry)
        .await?;
    page(&SecondStepPage::new(context, &secret, None), StatusCode::OK)
}

/// `POST /account/second-step`: the code of the second factor, or one for the day the phone is lost.
pub(crate) async fn second_step(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    context.ask();
    let form = Form::read(&app, &context, body).await?;
    let hash = KeyHash::of(form.text("step"));
    let Some(key) = super::good_step(&app, &hash, FOR_SECOND_STEP).await? else {
        let detail = Message::new("server.step-expired");
        let page_of = SignInPage::new(&app, &context, "", Some(&detail));
        return page(&page_of, StatusCode::FORBIDDEN);
    };
    // Apart from the attempts at the password: strangers who use those up do not get here.
    app.attempts
        .take(&context, Guess::Code(&key.person))
        .map_err(throttled)?;
    // As they are now; the step is of the moment when they gave the password.
    let person = app.store.directory().people.get(&key.person).cloned();
    let person = person.ok_or_else(super::step_expired)?;
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
        return Err(super::step_expired());
    }
    app.attempts.give_back(&context, Guess::Code(&key.person));
    begin(&app, &context, &person, "password and code", None).await
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
    let mut response = with_cookie(to(&context, "/account"), cookie(&app, &context, ""));
    // What the browser has kept for whoever sits there next (ASVS 5.0 §14.3.1).
    response
        .headers_mut()
        .insert(CLEAR_SITE_DATA, HeaderValue::from_static("\"cache\""));
    Ok(response)
}

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Begins a session: always a new one, so that nobody signs somebody in to a session of their own making.
pub(super) async fn begin(
    app: &App,
    context: &Context,
    person: &Person,
    by: &str,
    proved: Option<String>,
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
        person: person.id.clone(),
        label: browser(context),
        scopes: Default::default(),
        collections: None,
        proved,
        created: identity::now(),
        expires: identity::after(SESSION),
        seen: identity::now(),
    };
    let entry = AuditEntry::new("sign-in", &*person.id).with("by", by);
    app.store
        .add_key(&person.id, hash, key, Some(person.generation), entry)
        .await?;
    Ok(with_cookie(
        to(context, "/account"),
        cookie(app, context, &secret),
    ))
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

/// Which browser it is, so that its owner knows their sessions apart: what it calls itself, in two words where these are
/// known.
fn browser(context: &Context) -> String {
    let agent = context.headers.get(hyper::header::USER_AGENT);
    named(agent.and_then(|v| v.to_str().ok()).unwrap_or_default())
}

fn named(agent: &str) -> String {
    const LENGTH: usize = 80;
    // Each calls itself by the names of those before it too.
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let known = |names: &[(&str, &'static str)]| {
        let found = names.iter().find(|(mark, _)| agent.contains(mark));
        found.map(|(_, name)| *name)
    };
    match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser}, {system}"),
        _ => agent.chars().take(LENGTH).collect(),
    }
}

/// Whether somebody works for the town, and so needs a second factor where one is asked for.
pub(crate) fn is_staff(person: &Person) -> bool {
    !person.assignments.is_empty()
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn browsers_are_known_by_what_they_call_themselves() {
        let mozilla = "Mozilla/5.0";
        for (agent, name) in [
            (
                "(X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox, Linux",
            ),
            (
                "(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge, Windows",
            ),
            (
                "(Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36",
                "Chrome, Android",
            ),
            (
                "(iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari, iPhone",
            ),
        ] {
            assert_eq!(named(&format!("{mozilla} {agent}")), name);
        }
        assert_eq!(named("curl/8.0"), "curl/8.0");
        assert_eq!(named(&"x".repeat(200)).len(), 80);
    }
}
