//! Pages of signing in and of one's own account.

use askama::Template;
use model::Message;
use model::access::{Assignment, Person, PersonKind, Scope};
use store::{Key, KeyHash, KeyKind, LiveCollection};

use super::Frame;
use crate::account::is_staff;
use crate::app::App;
use crate::context::Context;

fn frame(context: &Context, title: &'static str) -> Frame {
    let mut frame = Frame::new(context, context.text(title), &[]);
    // There is no JSON of it.
    frame.json = None;
    frame
}

fn said(context: &Context, message: Option<&Message>) -> String {
    message.map_or_else(String::new, |message| message.text(context.lang))
}

#[derive(Template)]
#[template(path = "sign-in.html")]
pub(crate) struct SignInPage {
    frame: Frame,
    name: String,
    wrong: String,
    /// The name of the provider of single sign-on, where there is one.
    provider: Option<String>,
}

impl SignInPage {
    pub(crate) fn new(app: &App, context: &Context, name: &str, wrong: Option<&Message>) -> Self {
        Self {
            frame: frame(context, "server.sign-in"),
            name: name.to_owned(),
            wrong: said(context, wrong),
            provider: app.provider_name(),
        }
    }
}

#[derive(Template)]
#[template(path = "second-step.html")]
pub(crate) struct SecondStepPage {
    frame: Frame,
    step: String,
    wrong: String,
}

impl SecondStepPage {
    pub(crate) fn new(context: &Context, step: &str, wrong: Option<&Message>) -> Self {
        Self {
            frame: frame(context, "server.second-step"),
            step: step.to_owned(),
            wrong: said(context, wrong),
        }
    }
}

#[derive(Template)]
#[template(path = "link.html")]
pub(crate) struct LinkPage {
    frame: Frame,
    person: String,
    code: String,
    wrong: String,
}

impl LinkPage {
    pub(crate) fn new(
        context: &Context,
        person: &str,
        code: &str,
        wrong: Option<&Message>,
    ) -> Self {
        Self {
            frame: frame(context, "server.set-password"),
            person: person.to_owned(),
            code: code.to_owned(),
            wrong: said(context, wrong),
        }
    }
}

#[derive(Template)]
#[template(path = "second-factor.html")]
pub(crate) struct SecondFactorPage {
    frame: Frame,
    secret: String,
    /// Made of numbers only.
    picture: String,
    step: String,
    wrong: String,
}

impl SecondFactorPage {
    pub(crate) fn new(
        context: &Context,
        secret: &str,
        picture: &str,
        step: &str,
        wrong: Option<&Message>,
    ) -> Self {
        Self {
            frame: frame(context, "server.second-factor"),
            secret: secret.to_owned(),
            picture: picture.to_owned(),
            step: step.to_owned(),
            wrong: said(context, wrong),
        }
    }
}

#[derive(Template)]
#[template(path = "recovery.html")]
pub(crate) struct RecoveryPage {
    frame: Frame,
    codes: Vec<String>,
}

impl RecoveryPage {
    pub(crate) fn new(context: &Context, codes: &[String]) -> Self {
        Self {
            frame: frame(context, "server.recovery"),
            codes: codes.to_vec(),
        }
    }
}

#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage {
    frame: Frame,
    id: String,
    name: String,
    roles: Vec<String>,
    has_password: bool,
    has_second: bool,
    /// Whether they sign in elsewhere only.
    is_elsewhere: bool,
    /// Whether a second factor is what they lack.
    needs_second: bool,
    sessions: Vec<Row>,
    has_others: bool,
    tokens: Vec<Row>,
    scopes: Vec<(&'static str, String)>,
    collections: Vec<String>,
    /// A token that was just made.
    token: Option<String>,
    manages: bool,
}

/// A session or a token.
pub(crate) struct Row {
    pub(super) hash: String,
    pub(super) label: String,
    pub(super) scopes: String,
    created: String,
    pub(super) seen: String,
    expires: String,
    is_own: bool,
}

impl AccountPage {
    pub(crate) fn new(
        app: &App,
        context: &Context,
        person: &Person,
        keys: &[(KeyHash, Key)],
        own: Option<&KeyHash>,
        live: &[LiveCollection],
        token: Option<&str>,
    ) -> Self {
        let rows = |kind: KeyKind| {
            let of_kind = keys.iter().filter(|(_, key)| key.kind == kind);
            of_kind.map(|(hash, key)| row(hash, key, own)).collect()
        };
        let sessions: Vec<Row> = rows(KeyKind::Session);
        Self {
            frame: frame(context, "server.account"),
            id: person.id.clone(),
            name: person.name.clone(),
            roles: person
                .assignments
                .iter()
                .map(|assignment| assigned(context, assignment))
                .collect(),
            has_password: person.kind == PersonKind::Person && person.password.is_some(),
            has_second: person.second_factor.is_some(),
            is_elsewhere: person.password.is_none() && person.external.is_some(),
            needs_second: is_staff(person) && person.second_factor.is_none(),
            has_others: sessions.iter().any(|row| !row.is_own),
            sessions,
            tokens: rows(KeyKind::Token),
            scopes: Scope::ALL
                .map(|scope| (scope.name(), scope_title(context, scope)))
                .into(),
            collections: live.iter().map(|l| l.collection.id.to_string()).collect(),
            token: token.map(str::to_owned),
            manages: app.manages(context),
        }
    }
}

pub(super) fn row(hash: &KeyHash, key: &Key, own: Option<&KeyHash>) -> Row {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    let minute = |time: &str| time.get(..16).unwrap_or(time).replace('T', " ");
    let for_some = key.collections.iter().flatten().cloned();
    let scopes: Vec<String> = scopes
        .into_iter()
        .map(str::to_owned)
        .chain(for_some)
        .collect();
    Row {
        hash: hash.as_str().to_owned(),
        label: key.label.clone(),
        scopes: scopes.join(", "),
        created: minute(&key.created),
        seen: minute(&key.seen),
        expires: minute(&key.expires),
        is_own: own == Some(hash),
    }
}

fn scope_title(context: &Context, scope: Scope) -> String {
    context.text(match scope {
        Scope::Read => "server.scope-read",
        Scope::Write => "server.scope-write",
        Scope::Personal => "server.scope-personal",
        Scope::Manage => "server.scope-manage",
    })
}

/// A role with what bounds it.
pub(crate) fn assigned(context: &Context, assignment: &Assignment) -> String {
    let mut parts = vec![assignment.role.title().text(context.lang)];
    parts.extend(assignment.unit.clone());
    if assignment.area.is_some() {
        parts.push(context.text("server.in-an-area"));
    }
    let dates = [&assignment.from, &assignment.until].map(|d| d.clone().unwrap_or_default());
    if dates.iter().any(|date| !date.is_empty()) {
        parts.push(dates.join("…"));
    }
    parts.join(", ")
}
