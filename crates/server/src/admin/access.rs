//! Who sees which collection, and in what form.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::Message;
use model::access::{
    Access, Class, Editing, IdPattern, InvalidRule, Permission, PropertyRule, RowRule, Shown, Twin,
};
use store::LiveCollection;

use super::told;
use crate::account::{Form, page, require_browser, to};
use crate::answer::digest;
use crate::app::App;
use crate::context::Context;
use crate::html::{AccessListPage, AccessPage};
use crate::link::segment;
use crate::problem::Problem;
use crate::segments::Segments;

/// Row rules that a form has room for beyond those that there are.
pub(crate) const SPARE_ROWS: usize = 2;

/// `GET /admin/access`
pub(crate) async fn list(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    context.params.only(&[])?;
    app.require(&context, Permission::Publish)?;
    let all = app.sight(&context)?.publishable();
    page(&AccessListPage::new(&app, &context, &all), StatusCode::OK)
}

/// `GET /admin/access/{collection}`
pub(crate) async fn one(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let live = publishable(&app, &context, &id)?;
    let access = app.store.directory().access(&id);
    page(
        &AccessPage::new(&app, &context, &live, &access, None),
        StatusCode::OK,
    )
}

/// `POST /admin/access/{collection}`
pub(crate) async fn change(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
    body: Body,
) -> Result<Response, Problem> {
    let live = publishable(&app, &context, &id)?;
    require_browser(&context)?;
    let form = Form::read(&app, &context, body).await?;
    let access = app.store.directory().access(&id);
    if form.text("state") != state(&live, &access) {
        let detail = Message::new("server.form-stale");
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    let unreadable = || Problem::bad_request(Message::new("server.form-unreadable"));
    if !form.text("ids").is_empty() && IdPattern::parse(form.text("ids")).is_none() {
        let wrong = Message::new("server.editing-ids-wrong");
        return page(
            &AccessPage::new(&app, &context, &live, &access, Some(&wrong)),
            StatusCode::UNPROCESSABLE_ENTITY,
        );
    }
    let access = rules(&form, &live, &access).ok_or_else(unreadable)?;
    let changed = app
        .store
        .set_access(
            context.principal.actor(),
            &live.collection.id,
            access.clone(),
        )
        .await;
    match changed {
        Ok(()) => Ok(to(&context, &format!("/admin/access/{}", segment(&id)))),
        Err(error) => page(
            &AccessPage::new(&app, &context, &live, &access, Some(&told(error)?)),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    }
}

/// What a form was made from: rules that somebody else has changed meanwhile, or a property that is new, must not be lost.
pub(crate) fn state(live: &LiveCollection, access: &Access) -> String {
    let names = live.collection.schema.properties.iter();
    let names: Vec<&str> = names.map(|p| p.name.as_str()).collect();
    let shown = format!("{} {}", names.join("\n"), store::access_json(access));
    digest(shown.as_bytes())
}

/// A collection whose rules whoever asks may change: all of its properties are named, no feature is.
fn publishable(app: &App, context: &Context, id: &str) -> Result<LiveCollection, Problem> {
    app.require(context, Permission::Publish)?;
    let all = app.sight(context)?.publishable();
    let found = all.into_iter().find(|l| l.collection.id.as_str() == id);
    found.ok_or_else(|| Problem::no_collection(id))
}

/// The rules that a form says; `None` for a form that is not ours.
fn rules(form: &Form, live: &LiveCollection, before: &Access) -> Option<Access> {
    let mut properties = BTreeMap::new();
    for property in &live.collection.schema.properties {
        let field = |part: &str| format!("{part}:{}", property.name);
        let from = match form.text(&field("from")) {
            "" => None,
            name => Some(Class::from_name(name)?),
        };
        let is_personal = !form.text(&field("personal")).is_empty();
        let otherwise = match form.text(&field("keep")) {
            "" => Shown::Not,
            keep => Shown::Masked {
                keep: keep.parse().ok()?,
            },
        };
        if from.is_some() || is_personal {
            let from = from.unwrap_or(Class::Public);
            let rule = PropertyRule {
                from,
                is_personal,
                otherwise,
            };
            properties.insert(property.name.clone(), rule);
        }
    }
    let mut rows = Vec::new();
    for (below, filter) in form.all("below").zip(form.all("filter")) {
        if !filter.is_empty() {
            rows.push(RowRule {
                below: Class::from_name(below)?,
                filter: filter.to_owned(),
            });
        }
    }
    let twin = match form.text("twin") {
        "" => None,
        class => Some(Twin {
            class: Class::from_name(class)?,
            properties: form.all("twin-property").map(str::to_owned).collect(),
            grid: form.text("grid").parse().ok()?,
            filter: Some(form.text("twin-filter").to_owned()).filter(|f| !f.is_empty()),
        }),
    };
    let editing = Editing {
        is_strict: !form.text("strict").is_empty(),
        invalid: InvalidRule::from_name(form.text("invalid"))?,
        ids: match form.text("ids") {
            "" => None,
            pattern => Some(IdPattern::parse(pattern)?),
        },
        // The form has no place for it.
        area: before.editing.area.clone(),
    };
    Some(Access {
        history: Class::from_name(form.text("history"))?,
        // What is let go does not come back: whoever runs the server says so, not a form.
        retention: before.retention,
        editing,
        class: Class::from_name(form.text("class"))?,
        unit: Some(form.text("unit").to_owned()).filter(|unit| !unit.is_empty()),
        properties,
        rows,
        twin,
    })
}
