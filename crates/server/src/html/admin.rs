//! Pages of administration.

use askama::Template;
use model::Message;
use model::access::{
    Access, BUILT_IN, Class, Directory, InvalidRule, Permission, Person, PersonKind, Role, Shown,
};
use store::{AuditFilter, AuditRecord, Key, KeyHash, KeyKind, LiveCollection, Verified};

use super::Frame;
use super::account::{Row, assigned, row};
use crate::admin::{SPARE_ROWS, Said, state};
use crate::app::App;
use crate::collections::title;
use crate::context::Context;
use crate::link::{query_text, segment};

fn frame(context: &Context, title: String, deep: bool) -> Frame {
    let admin = (context.text("server.admin"), "/admin".to_owned());
    let steps = if deep { vec![admin] } else { Vec::new() };
    let mut frame = Frame::new(context, title, &steps);
    frame.json = None;
    frame
}

fn said(context: &Context, message: Option<&Message>) -> String {
    message.map_or_else(String::new, |message| message.text(context.lang))
}

/// A choice of a list, with its name for people.
pub(crate) struct Choice {
    value: String,
    title: String,
    is_chosen: bool,
}

fn choice(value: &str, title: String, chosen: &str) -> Choice {
    Choice {
        value: value.to_owned(),
        title,
        is_chosen: value == chosen,
    }
}

fn classes(context: &Context, chosen: &str) -> Vec<Choice> {
    Class::ALL
        .into_iter()
        .map(|class| choice(class.name(), class_title(context, class), chosen))
        .collect()
}

fn class_title(context: &Context, class: Class) -> String {
    context.text(match class {
        Class::Public => "server.class-public",
        Class::Registered => "server.class-registered",
        Class::Staff => "server.class-staff",
        Class::Unit => "server.class-unit",
        Class::Restricted => "server.class-restricted",
    })
}

fn units(directory: &Directory, chosen: &str) -> Vec<Choice> {
    let units = directory.units.values();
    units
        .map(|unit| choice(&unit.id, unit.title.clone(), chosen))
        .collect()
}

#[derive(Template)]
#[template(path = "admin.html")]
pub(crate) struct AdminPage {
    frame: Frame,
    people: bool,
    publish: bool,
    audit: bool,
}

impl AdminPage {
    pub(crate) fn new(context: &Context) -> Self {
        let may = |permission| context.principal.may(permission);
        Self {
            frame: frame(context, context.text("server.admin"), false),
            people: may(Permission::ManagePeople),
            publish: context.principal.may_somewhere(Permission::Publish),
            audit: may(Permission::ReadAudit),
        }
    }
}

#[derive(Template)]
#[template(path = "admin-people.html")]
pub(crate) struct PeoplePage {
    frame: Frame,
    wrong: String,
    people: Vec<PersonRow>,
}

pub(crate) struct PersonRow {
    href: String,
    id: String,
    name: String,
    roles: String,
    is_machine: bool,
    is_disabled: bool,
    has_second: bool,
}

impl PeoplePage {
    pub(crate) fn new(app: &App, context: &Context, wrong: Option<&Message>) -> Self {
        let frame = frame(context, context.text("server.people"), true);
        let directory = app.store.directory();
        let row = |person: &Person| PersonRow {
            href: frame.href(&format!("/admin/people/{}", segment(&person.id))),
            id: person.id.clone(),
            name: person.name.clone(),
            roles: roles(context, person),
            is_machine: person.kind == PersonKind::Machine,
            is_disabled: person.is_disabled,
            has_second: person.second_factor.is_some(),
        };
        let people = directory.people.values().map(row).collect();
        Self {
            people,
            wrong: said(context, wrong),
            frame,
        }
    }
}

fn roles(context: &Context, person: &Person) -> String {
    let roles = person.assignments.iter();
    let titles: Vec<String> = roles.map(|a| a.role.title().text(context.lang)).collect();
    titles.join(", ")
}

#[derive(Template)]
#[template(path = "admin-person.html")]
pub(crate) struct PersonPage {
    frame: Frame,
    here: String,
    wrong: String,
    link: Option<String>,
    id: String,
    name: String,
    email: String,
    is_machine: bool,
    is_disabled: bool,
    has_second: bool,
    external: String,
    assignments: Vec<(usize, String, bool)>,
    deputies: Vec<(String, String)>,
    roles: Vec<Choice>,
    units: Vec<Choice>,
    people: Vec<String>,
    tokens: Vec<Row>,
    sessions: usize,
}

impl PersonPage {
    pub(crate) fn new(
        context: &Context,
        directory: &Directory,
        person: &Person,
        keys: &[(KeyHash, Key)],
        said_before: Said,
    ) -> Self {
        let mut frame = frame(context, person.name.clone(), true);
        frame.crumbs.push(super::Crumb {
            title: context.text("server.people"),
            href: frame.href("/admin/people"),
        });
        let (wrong, link) = match said_before {
            Said::Nothing => (String::new(), None),
            Said::Wrong(message) => (message.text(context.lang), None),
            Said::Link(link) => (String::new(), Some(link)),
        };
        let of_kind = |kind: KeyKind| keys.iter().filter(move |(_, key)| key.kind == kind);
        let dates = |d: &model::access::Deputy| {
            let ends = [&d.from, &d.until].map(|d| d.clone().unwrap_or_default());
            ends.join("…")
        };
        let assignments = person.assignments.iter().enumerate();
        Self {
            here: frame.href(&format!("/admin/people/{}", segment(&person.id))),
            wrong,
            link,
            id: person.id.clone(),
            name: person.name.clone(),
            email: person.email.clone().unwrap_or_default(),
            is_machine: person.kind == PersonKind::Machine,
            is_disabled: person.is_disabled,
            has_second: person.second_factor.is_some(),
            external: person
                .external
                .as_ref()
                .map_or_else(String::new, |(issuer, _)| issuer.clone()),
            assignments: assignments
                .map(|(place, a)| (place, assigned(context, a), a.is_external))
                .collect(),
            deputies: person
                .deputies
                .iter()
                .map(|d| (d.person.clone(), dates(d)))
                .collect(),
            roles: BUILT_IN
                .iter()
                .map(|role| choice(role.id, role.title().text(context.lang), ""))
                .collect(),
            units: units(directory, ""),
            people: directory.people.keys().cloned().collect(),
            tokens: of_kind(KeyKind::Token)
                .map(|(hash, key)| row(hash, key, None))
                .collect(),
            sessions: of_kind(KeyKind::Session).count(),
            frame,
        }
    }
}

#[derive(Template)]
#[template(path = "admin-roles.html")]
pub(crate) struct RolesPage {
    frame: Frame,
    roles: Vec<Role>,
    permissions: Vec<Permission>,
}

impl RolesPage {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            frame: frame(context, context.text("server.roles"), true),
            roles: BUILT_IN.into(),
            permissions: Permission::ALL.into(),
        }
    }

    fn gives(&self, role: &Role, permission: &Permission) -> bool {
        role.has(*permission)
    }
}

#[derive(Template)]
#[template(path = "admin-units.html")]
pub(crate) struct UnitsPage {
    frame: Frame,
    wrong: String,
    known: Vec<(String, String, String)>,
    units: Vec<Choice>,
}

impl UnitsPage {
    pub(crate) fn new(app: &App, context: &Context, wrong: Option<&Message>) -> Self {
        let directory = app.store.directory();
        let known = directory.units.values().map(|unit| {
            let parent = unit.parent.clone().unwrap_or_default();
            (unit.id.clone(), unit.title.clone(), parent)
        });
        Self {
            frame: frame(context, context.text("server.units"), true),
            wrong: said(context, wrong),
            known: known.collect(),
            units: units(&directory, ""),
        }
    }
}

#[derive(Template)]
#[template(path = "admin-access-list.html")]
pub(crate) struct AccessListPage {
    frame: Frame,
    collections: Vec<AccessRow>,
}

pub(crate) struct AccessRow {
    href: String,
    id: String,
    title: String,
    class: String,
    unit: String,
    rules: usize,
    has_twin: bool,
}

impl AccessListPage {
    pub(crate) fn new(app: &App, context: &Context, all: &[LiveCollection]) -> Self {
        let frame = frame(context, context.text("server.access"), true);
        let directory = app.store.directory();
        let row = |live: &LiveCollection| {
            let id = live.collection.id.to_string();
            let access = directory.access(&id);
            AccessRow {
                href: frame.href(&format!("/admin/access/{}", segment(&id))),
                title: title(context, &live.collection),
                class: class_title(context, access.class),
                unit: access.unit.unwrap_or_default(),
                rules: access.properties.len() + access.rows.len(),
                has_twin: access.twin.is_some(),
                id,
            }
        };
        Self {
            collections: all.iter().map(row).collect(),
            frame,
        }
    }
}

#[derive(Template)]
#[template(path = "admin-access.html")]
pub(crate) struct AccessPage {
    frame: Frame,
    /// Of the rules and the properties that the form shows.
    state: String,
    here: String,
    wrong: String,
    classes: Vec<Choice>,
    units: Vec<Choice>,
    properties: Vec<PropertyRow>,
    rows: Vec<(Vec<Choice>, String)>,
    twin: Vec<Choice>,
    grid: u32,
    twin_filter: String,
    history: Vec<Choice>,
    is_strict: bool,
    invalid: Vec<Choice>,
    takes_ids: bool,
    ids: String,
    ids_help: String,
}

pub(crate) struct PropertyRow {
    name: String,
    title: String,
    classes: Vec<Choice>,
    is_personal: bool,
    keep: String,
    is_text: bool,
    in_twin: bool,
}

impl AccessPage {
    pub(crate) fn new(
        app: &App,
        context: &Context,
        live: &LiveCollection,
        access: &Access,
        wrong: Option<&Message>,
    ) -> Self {
        /// As wide as a town block, where nothing is said yet.
        const GRID: u32 = 250;
        let collection = &live.collection;
        let mut frame = frame(context, title(context, collection), true);
        frame.crumbs.push(super::Crumb {
            title: context.text("server.access"),
            href: frame.href("/admin/access"),
        });
        let property = |property: &model::Property| {
            let rule = access.properties.get(&property.name);
            let named = property.title.as_ref().map(|t| t.get(context.lang));
            let keep = match rule.map(|rule| rule.otherwise) {
                Some(Shown::Masked { keep }) => keep.to_string(),
                Some(Shown::Not) | None => String::new(),
            };
            PropertyRow {
                title: named.unwrap_or_default().to_owned(),
                classes: classes(context, rule.map_or("", |rule| rule.from.name())),
                is_personal: rule.is_some_and(|rule| rule.is_personal),
                keep,
                is_text: property.kind == model::PropertyType::Text,
                in_twin: access
                    .twin
                    .as_ref()
                    .is_some_and(|twin| twin.properties.contains(&property.name)),
                name: property.name.clone(),
            }
        };
        let rows = access.rows.iter();
        let rows = rows.map(|rule| (classes(context, rule.below.name()), rule.filter.clone()));
        let spare = (0..SPARE_ROWS).map(|_| (classes(context, "staff"), String::new()));
        let twin = access.twin.as_ref();
        Self {
            state: state(live, &app.store.directory().access(collection.id.as_str())),
            here: frame.href(&format!("/admin/access/{}", collection.id)),
            wrong: said(context, wrong),
            classes: classes(context, access.class.name()),
            units: units(
                &app.store.directory(),
                access.unit.as_deref().unwrap_or_default(),
            ),
            properties: collection.schema.properties.iter().map(property).collect(),
            rows: rows.chain(spare).collect(),
            twin: classes(context, twin.map_or("", |twin| twin.class.name())),
            grid: twin.map_or(GRID, |twin| twin.grid),
            twin_filter: twin
                .and_then(|twin| twin.filter.clone())
                .unwrap_or_default(),
            history: classes(context, access.history.name()),
            is_strict: access.editing.is_strict,
            invalid: invalid_rules(context, access.editing.invalid),
            takes_ids: collection.id_property.as_deref().is_some_and(|name| {
                let property = collection.schema.get(name);
                let kind = property.map(|p| p.kind);
                matches!(
                    kind,
                    Some(model::PropertyType::Text | model::PropertyType::Integer)
                )
            }),
            ids: access
                .editing
                .ids
                .as_ref()
                .map(|pattern| pattern.as_str().to_owned())
                .unwrap_or_default(),
            ids_help: Message::new("server.editing-ids-help")
                .with("sample", "2610100000:01:001:{n:4}")
                .with("uuid", "{uuid}")
                .text(context.lang),
            frame,
        }
    }
}

fn invalid_rules(context: &Context, chosen: InvalidRule) -> Vec<Choice> {
    let all = InvalidRule::ALL.into_iter();
    let title = |rule| {
        context.text(match rule {
            InvalidRule::Flag => "server.invalid-flag",
            InvalidRule::Repair => "server.invalid-repair",
            InvalidRule::Refuse => "server.invalid-refuse",
        })
    };
    all.map(|rule| choice(rule.name(), title(rule), chosen.name()))
        .collect()
}

#[derive(Template)]
#[template(path = "admin-audit.html")]
pub(crate) struct AuditPage<'a> {
    frame: Frame,
    here: String,
    records: &'a [AuditRecord],
    fields: Vec<(&'static str, String, String)>,
    next: Option<String>,
    /// The outcome of going through the chain.
    verified: Option<String>,
    findings: Vec<String>,
}

impl<'a> AuditPage<'a> {
    pub(crate) fn new(
        context: &Context,
        filter: &AuditFilter,
        records: &'a [AuditRecord],
        verified: Option<&Verified>,
    ) -> Self {
        let frame = frame(context, context.text("server.audit"), true);
        let here = frame.href("/admin/audit");
        let of = |value: &Option<String>| value.clone().unwrap_or_default();
        let is_full = records.len() == usize::try_from(filter.limit).unwrap_or(usize::MAX);
        let next = records.last().filter(|_| is_full).map(|last| {
            let n = last.n.to_string();
            let query = context.query_with(&[("before", Some(&n)), ("verify", None)]);
            format!("{}{}{query}", context.root, context.path)
        });
        let outcome = verified.map(|verified| {
            let (n, hash) = verified.last.clone().unwrap_or((0, String::new()));
            let key = if verified.findings.is_empty() {
                "server.audit-sound"
            } else {
                "server.audit-unsound"
            };
            Message::new(key)
                .with("records", verified.records)
                .with("n", n)
                .with("hash", hash)
                .text(context.lang)
        });
        let findings = verified.into_iter().flat_map(|v| &v.findings);
        Self {
            findings: findings.map(|f| f.message().text(context.lang)).collect(),
            fields: vec![
                (
                    "actor",
                    context.text("server.audit-actor"),
                    of(&filter.actor),
                ),
                (
                    "action",
                    context.text("server.audit-action"),
                    of(&filter.action),
                ),
                (
                    "subject",
                    context.text("server.audit-subject"),
                    of(&filter.subject),
                ),
                ("from", context.text("server.from"), of(&filter.from)),
                ("until", context.text("server.until"), of(&filter.until)),
            ],
            here,
            records,
            next,
            verified: outcome,
            frame,
        }
    }

    /// The page with only what one actor or subject has.
    fn only(&self, name: &str, value: &str) -> String {
        let joint = if self.here.contains('?') { '&' } else { '?' };
        format!("{}{joint}{name}={}", self.here, query_text(value))
    }
}
