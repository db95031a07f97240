//! Signing in at a provider of OpenID Connect (OpenID Connect Core 1.0 §3.1), by code and with PKCE (RFC 7636).

mod person;
mod provider;

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue, LOCATION, RETRY_AFTER};
use model::Message;
use store::{AuditEntry, KeyHash};

pub(crate) use provider::Provider;

use self::person::Entered;
use self::provider::{Failure, Step};
use super::{page, secure, sign_in, throttled, with_cookie};
use crate::app::App;
use crate::context::Context;
use crate::html::SignInPage;
use crate::limits;
use crate::problem::{Problem, shown};

/// Who does what follows from the provider's word, in the audit log. No account has a space in its name.
const ACTOR: &str = "single sign-on";

/// For somebody who looks for their second factor at the provider.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// `GET /account/single`: sends the browser to the provider. With `again=yes` the person is to show there once more who they
/// are, though the provider knows them still.
pub(crate) async fn begin(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&["again"])?;
    context.ask();
    let provider = require(&app)?;
    let again = context.params.get("again").is_some();
    let (there, step) = match provider.begin(&redirect(&context), again).await {
        Ok(begun) => begun,
        Err(failure) => return failed(&app, &context, &failure),
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(
        LOCATION,
        HeaderValue::try_from(there).map_err(Problem::internal)?,
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let kept = format!("{}.{}.{}", step.state, step.nonce, step.verifier);
    Ok(with_cookie(
        response,
        cookie(&app, &context, &kept, PATIENCE),
    ))
}

/// `GET /account/single/callback`: where the provider sends the browser back to. Other parameters than ours are not
/// looked at (RFC 6749 §4.1.2).
pub(crate) async fn end(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.ask();
    let provider = require(&app)?;
    app.attempts.take_call(&context).map_err(throttled)?;
    let response = match entered(&app, &context, provider).await? {
        Ok((id, proved)) => {
            let directory = app.store.directory();
            let person = directory.people.get(&id);
            let person = person.ok_or_else(|| Problem::internal("an account has gone"))?;
            sign_in::begin(&app, &context, person, ACTOR, Some(proved)).await?
        }
        Err(failure) => failed(&app, &context, &failure)?,
    };
    // Good once, whatever came of it.
    Ok(with_cookie(
        response,
        cookie(&app, &context, "", Duration::ZERO),
    ))
}

/// `HEAD /account/single/callback`: nobody is signed in by a look.
pub(crate) async fn look(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.ask();
    require(&app)?;
    let detail = Message::new("server.method-not-allowed");
    Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail))
}

/// The account of whoever comes back from the provider, and when they showed there who they are.
async fn entered(
    app: &App,
    context: &Context,
    provider: &Provider,
) -> Result<Result<(String, String), Failure>, Problem> {
    let param = |name: &str| context.params.get(name);
    let kept = crate::identity::cookie(&context.headers, cookie_name(app));
    let step = kept.as_deref().and_then(Step::read);
    let Some(step) = step.filter(|step| is_same(&step.state, param("state").unwrap_or_default()))
    else {
        return Ok(Err(Failure::Refused("server.single-expired")));
    };
    // RFC 9207 §2.4
    if param("iss").is_some_and(|issuer| issuer != provider.issuer()) {
        return refused(app, "unknown", "server.single-refused").await;
    }
    if let Some(error) = param("error") {
        tracing::warn!(
            error = shown(error),
            "the provider of single sign-on signs nobody in"
        );
        return Ok(Err(match error {
            "access_denied" => Failure::Refused("server.single-denied"),
            "temporarily_unavailable" | "server_error" => Failure::Away,
            _ => Failure::Refused("server.single-refused"),
        }));
    }
    let Some(code) = param("code") else {
        return Ok(Err(Failure::Refused("server.single-refused")));
    };
    let claims = match provider.claims(code, step, &redirect(context)).await {
        Ok(claims) => claims,
        Err(Failure::Refused(key)) => return refused(app, "unknown", key).await,
        Err(Failure::Away) => return Ok(Err(Failure::Away)),
    };
    let proved = claims.proved.clone().unwrap_or_default();
    match person::enter(app, claims, provider.roles()).await? {
        Entered::As(person) => Ok(Ok((person, proved))),
        Entered::Not(person) => refused(app, &person, "server.single-disabled").await,
    }
}

async fn refused(
    app: &App,
    subject: &str,
    key: &'static str,
) -> Result<Result<(String, String), Failure>, Problem> {
    let entry = AuditEntry::new("sign-in.refused", subject).with("by", ACTOR);
    app.store.audit("anonymous", entry).await?;
    Ok(Err(Failure::Refused(key)))
}

fn require(app: &App) -> Result<&Provider, Problem> {
    let nothing = || Problem::not_found(Message::new("server.no-such-path"));
    app.provider.as_ref().ok_or_else(nothing)
}

/// Where the provider sends browsers back to; it has a list of such addresses and refuses others.
fn redirect(context: &Context) -> String {
    context.url("/account/single/callback")
}

/// Compared by their hashes, so that the time tells nothing of how much of it is right.
fn is_same(ours: &str, given: &str) -> bool {
    KeyHash::of(ours) == KeyHash::of(given)
}

/// The page to sign in, which still takes passwords, with what went wrong.
fn failed(app: &App, context: &Context, failure: &Failure) -> Result<Response, Problem> {
    let name = app.provider_name().unwrap_or_default();
    let (status, key) = match failure {
        Failure::Refused(key) => (StatusCode::FORBIDDEN, *key),
        Failure::Away => (StatusCode::SERVICE_UNAVAILABLE, "server.single-away"),
    };
    let detail = Message::new(key).with("provider", name);
    // Not the address that the browser came by: it has the code.
    let context = context.at("/account");
    let form = SignInPage::new(app, &context, "", Some(&detail));
    let mut response = page(&form, status)?;
    if *failure == Failure::Away {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(limits::RETRY_AFTER));
    }
    Ok(response)
}

fn cookie_name(app: &App) -> &'static str {
    if app.is_secure() {
        "__Host-hromada-single"
    } else {
        "hromada-single"
    }
}

/// Lax, because the browser comes back from a page elsewhere. The prefix keeps servers beside this one from setting it
/// (RFC 6265bis §4.1.3.2).
fn cookie(app: &App, context: &Context, value: &str, age: Duration) -> HeaderValue {
    let secure = secure(app, context);
    let text = format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}",
        cookie_name(app),
        age.as_secs()
    );
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
