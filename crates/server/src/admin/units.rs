//! Units: departments, enterprises of the town, contractors.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::access::{Permission, Unit};

use super::told;
use crate::account::{Form, page, require_browser, to};
use crate::app::App;
use crate::context::Context;
use crate::html::UnitsPage;
use crate::problem::Problem;

/// `GET /admin/units`
pub(crate) async fn list(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&[])?;
    app.require(&context, Permission::ManagePeople)?;
    page(&UnitsPage::new(&app, &context, None), StatusCode::OK)
}

/// `POST /admin/units`: adds a unit, or takes one out.
pub(crate) async fn change(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    app.require(&context, Permission::ManagePeople)?;
    require_browser(&context)?;
    let form = Form::read(&app, &context, body).await?;
    let (store, actor) = (&app.store, context.principal.actor());
    let changed = match form.text("do") {
        "remove" => store.remove_unit(actor, form.text("id")).await,
        _ => {
            let unit = Unit {
                id: form.text("id").to_owned(),
                title: form.text("title").to_owned(),
                parent: Some(form.text("parent").to_owned()).filter(|p| !p.is_empty()),
            };
            store.add_unit(actor, unit).await
        }
    };
    match changed {
        Ok(()) => Ok(to(&context, "/admin/units")),
        Err(error) => page(
            &UnitsPage::new(&app, &context, Some(&told(error)?)),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    }
}
