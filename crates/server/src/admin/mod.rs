//! Pages of administration: people, units, roles, who sees which collection, the audit log.
//!
//! Each asks for its permission first. What is changed goes through the same functions of the store as the command line.

mod access;
mod audit;
mod people;
mod units;

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::Message;
use model::access::Permission;

pub(crate) use access::{
    SPARE_ROWS, change as change_access, list as access, one as access_of, state,
};
pub(crate) use audit::show as audit;
pub(crate) use people::{Said, act, add as add_person, list as people, one as person};
pub(crate) use units::{change as change_units, list as units};

use crate::account::page;
use crate::app::App;
use crate::context::Context;
use crate::html::{AdminPage, RolesPage};
use crate::problem::Problem;

/// `GET /admin`
pub(crate) async fn overview(
    State(app): State<App>,
    context: Context,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    require_any(&app, &context)?;
    page(&AdminPage::new(&context), StatusCode::OK)
}

/// `GET /admin/roles`
pub(crate) async fn roles(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&[])?;
    require_any(&app, &context)?;
    page(&RolesPage::new(&context), StatusCode::OK)
}

/// # Errors
/// 401 or 403 for whoever has no business with any of the pages.
fn require_any(app: &App, context: &Context) -> Result<(), Problem> {
    context.ask();
    if app.manages(context) {
        return Ok(());
    }
    app.require(context, Permission::ManagePeople)
}

/// What was wrong with a form, by the store's words: shown on the page itself, the fields as they were.
fn told(error: store::Error) -> Result<Message, Problem> {
    use store::Error;
    match error {
        Error::Invalid(message)
        | Error::Refused(message)
        | Error::Conflict(message)
        | Error::Denied(message)
        | Error::NotFound(message) => Ok(message),
        other => Err(other.into()),
    }
}
