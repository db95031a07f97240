//! Accounts: who there is, what they are assigned to, how they sign in.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::Message;
use model::access::{Area, Assignment, Deputy, Permission, Person, PersonKind, Role};
use store::{AuditEntry, Ended};

use super::told;
use crate::account::{Form, page, require_browser, to};
use crate::app::App;
use crate::context::Context;
use crate::html::{PeoplePage, PersonPage, assigned};
use crate::link::segment;
use crate::problem::{Problem, shown};
use crate::segments::Segments;

/// Somebody has a week to open the link that they were given.
const LINK: Duration = Duration::from_secs(7 * 86_400);

/// `GET /admin/people`
pub(crate) async fn list(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&[])?;
    app.require(&context, Permission::ManagePeople)?;
    page(&PeoplePage::new(&app, &context, None), StatusCode::OK)
}

/// `POST /admin/people`
pub(crate) async fn add(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    app.require(&context, Permission::ManagePeople)?;
    require_browser(&context)?;
    let form = Form::read(&app, &context, body).await?;
    let made = match made(&form) {
        Ok(person) => add_made(&app, &context, person).await,
        Err(wrong) => Err(wrong),
    };
    match made {
        Ok(id) => Ok(to(&context, &format!("/admin/people/{}", segment(&id)))),
        Err(error) => page(
            &PeoplePage::new(&app, &context, Some(&told(error)?)),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    }
}

fn made(form: &Form) -> Result<Person, store::Error> {
    let kind = match form.text("kind") {
        "machine" => PersonKind::Machine,
        _ => PersonKind::Person,
    };
    let mut person = Person::new(form.text("id"), form.text("name"), kind)?;
    person.email = Some(form.text("email").to_owned()).filter(|e| !e.is_empty());
    Ok(person)
}

async fn add_made(app: &App, context: &Context, person: Person) -> Result<String, store::Error> {
    let id = person.id.clone();
    app.store
        .add_person(context.principal.actor(), person)
        .await?;
    Ok(id)
}

/// `GET /admin/people/{person}`
pub(crate) async fn one(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    app.require(&context, Permission::ManagePeople)?;
    show(&app, &context, &id, Said::Nothing).await
}

/// What the page says beside the account.
pub(crate) enum Said {
    Nothing,
    Wrong(Message),
    /// The address of a link that was just made.
    Link(String),
}

async fn show(app: &App, context: &Context, id: &str, said: Said) -> Result<Response, Problem> {
    let directory = app.store.directory();
    let person = directory.people.get(id).ok_or_else(|| unknown(id))?;
    let keys = app.store.keys(Some(id)).await?;
    let status = match said {
        Said::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Said::Nothing | Said::Link(_) => StatusCode::OK,
    };
    page(
        &PersonPage::new(context, &directory, person, &keys, said),
        status,
    )
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(Message::new("access.no-account").with("id", shown(id)))
}

/// `POST /admin/people/{person}`: one of the buttons of the page, named by `do`.
pub(crate) async fn act(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
    body: Body,
) -> Result<Response, Problem> {
    app.require(&context, Permission::ManagePeople)?;
    require_browser(&context)?;
    let form = Form::read(&app, &context, body).await?;
    match done(&app, &context, &id, &form).await {
        Ok(Said::Nothing) => Ok(to(&context, &format!("/admin/people/{}", segment(&id)))),
        Ok(said) => show(&app, &context, &id, said).await,
        Err(error) => show(&app, &context, &id, Said::Wrong(told(error)?)).await,
    }
}

async fn done(app: &App, context: &Context, id: &str, form: &Form) -> Result<Said, store::Error> {
    let (store, actor) = (&app.store, context.principal.actor());
    match form.text("do") {
        "describe" => {
            let email = Some(form.text("email").to_owned()).filter(|e| !e.is_empty());
            let name = form.text("name").to_owned();
            store.describe_person(actor, id, name, email).await?;
        }
        "disable" => store.disable_person(actor, id).await?,
        "enable" => store.enable_person(actor, id).await?,
        "link" => {
            let (code, _) = store.add_link(actor, id, LINK).await?;
            let url = context.url(format_args!("/account/link?code={code}"));
            return Ok(Said::Link(url));
        }
        "give" => store.give_role(actor, id, assignment(form)?).await?,
        "take" => {
            let place: usize = form.text("place").parse().unwrap_or(usize::MAX);
            let directory = store.directory();
            let person = directory.people.get(id);
            let given = person.and_then(|p| p.assignments.get(place)).cloned();
            // The list may be another one since the page was made.
            let given = given.filter(|a| assigned(context, a) == form.text("what"));
            let given = given.ok_or_else(stale)?;
            store.take_role(actor, id, move |a| *a == given).await?;
        }
        "deputy" => {
            let deputy = Deputy {
                person: form.text("deputy").to_owned(),
                from: date(form, "from"),
                until: date(form, "until"),
            };
            store.set_deputy(actor, id, deputy).await?;
        }
        "no-deputy" => {
            store.remove_deputy(actor, id, form.text("deputy")).await?;
        }
        "no-second" => {
            let (who, entry) = (id.to_owned(), AuditEntry::new("second-factor.reset", id));
            let reset = store.amend_ending(actor, sessions(id), move |directory| {
                let person = directory.people.get_mut(&who).ok_or_else(stale)?;
                person.second_factor = None;
                person.recovery.clear();
                Ok(entry)
            });
            reset.await?;
        }
        "end" => {
            let entry = AuditEntry::new("session.end", id);
            let end = store.amend_ending(actor, sessions(id), |_| Ok(entry));
            end.await?;
        }
        "revoke" => {
            store.revoke_token(actor, form.text("token")).await?;
        }
        _ => return Err(stale()),
    }
    Ok(Said::Nothing)
}

/// The sessions of somebody, and what has begun to become one.
fn sessions(id: &str) -> Ended {
    Ended {
        person: id.to_owned(),
        kept: None,
        tokens: false,
        spent: None,
    }
}

/// The page is of an earlier state.
fn stale() -> store::Error {
    store::Error::NotFound(Message::new("server.form-unreadable"))
}

fn date(form: &Form, name: &str) -> Option<String> {
    Some(form.text(name).to_owned()).filter(|date| !date.is_empty())
}

fn assignment(form: &Form) -> Result<Assignment, store::Error> {
    let role = Role::named(form.text("role")).ok_or_else(stale)?;
    let area = match form.text("area") {
        "" => None,
        text => Some(Area::parse(text)?),
    };
    Ok(Assignment {
        unit: Some(form.text("unit").to_owned()).filter(|unit| !unit.is_empty()),
        area,
        from: date(form, "from"),
        until: date(form, "until"),
        ..Assignment::of(role)
    })
}
