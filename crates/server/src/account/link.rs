//! Links by which somebody sets the first password, or a new one when they have forgotten theirs.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::Message;
use store::{Ended, Key, KeyHash, KeyKind};

use super::{FOR_PASSWORD, Form, own, page, password, sign_in, throttled};
use crate::app::App;
use crate::context::Context;
use crate::html::LinkPage;
use crate::identity;
use crate::problem::Problem;

/// `GET /account/link?code=…`: the form for the password.
pub(crate) async fn show(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&["code"])?;
    context.ask();
    let code = context.params.get("code").unwrap_or_default().to_owned();
    let key = good(&app, &context, &code).await?;
    page(
        &LinkPage::new(&context, &key.person, &code, None),
        StatusCode::OK,
    )
}

/// `POST /account/link`: sets the password and signs in.
pub(crate) async fn enter(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    context.ask();
    let form = Form::read(&app, &context, body).await?;
    let code = form.text("code").to_owned();
    let key = good(&app, &context, &code).await?;
    let directory = app.store.directory();
    let was = directory.people.get(&key.person).ok_or_else(spent)?;
    let new = form.exact("new");
    if let Err(wrong) = password::require_good(new, &password::own_words(&app, &key.person)) {
        let again = LinkPage::new(&context, &key.person, &code, Some(&wrong));
        return page(&again, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let ended = Ended {
        person: key.person.clone(),
        kept: None,
        tokens: true,
        spent: Some(KeyHash::of(&code)),
    };
    own::set_password(&app, was, new, "password.set", Some(ended)).await?;
    let directory = app.store.directory();
    let person = directory.people.get(&key.person).ok_or_else(spent)?;
    if person.second_factor.is_some() {
        // The link stands for the password only.
        return sign_in::ask_code(&app, &context, person).await;
    }
    sign_in::begin(&app, &context, person, "link", None).await
}

/// # Errors
/// 403 with the same words for a link that never was, was used, or is too old.
async fn good(app: &App, context: &Context, code: &str) -> Result<Key, Problem> {
    app.attempts.take_any(context).map_err(throttled)?;
    let key = app.store.key(&KeyHash::of(code)).await?;
    let is_good = |key: &Key| {
        let directory = app.store.directory();
        let person = directory.people.get(&key.person);
        key.kind == KeyKind::Link
            && key.label == FOR_PASSWORD
            && key.expires.as_str() > identity::now().as_str()
            && person.is_some_and(|person| !person.is_disabled)
    };
    let key = key.filter(is_good).ok_or_else(spent)?;
    app.attempts.give_back_any(context);
    Ok(key)
}

fn spent() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, Message::new("server.link-spent"))
}
