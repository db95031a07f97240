//! Stores with rules, people with roles, and requests by each of them.

use std::collections::BTreeMap;
use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use model::access::{
    Access as Rules, Area, Assignment, Class, Deputy, Person, PersonKind, Role, Unit,
};
use server::Options;
use store::{Access, AuditEntry, Store};
use tower::ServiceExt;

use crate::town::{Answer, place};

/// Longitude below which the west lies; everything else of the tests' towns is east of it.
pub(crate) const BORDER: f64 = 24.5;

/// The western part of a town.
pub(crate) fn west() -> Area {
    let ring = format!("[[24,48],[{BORDER},48],[{BORDER},50],[24,50],[24,48]]");
    Area::parse(&format!(r#"{{"type":"Polygon","coordinates":[{ring}]}}"#)).unwrap()
}

/// A store with rules and the tokens of those who ask.
pub(crate) struct Guarded {
    pub(crate) store: Store,
    pub(crate) router: Router,
    pub(crate) folder: tempfile::TempDir,
    /// By the name that the test has for somebody; without one they are anonymous.
    pub(crate) tokens: BTreeMap<String, String>,
}

impl Guarded {
    /// An empty store; [`Guarded::open`] comes after it is filled.
    pub(crate) async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(place(folder.path()), Access::Write)
            .await
            .unwrap();
        Self {
            router: Router::new(),
            store,
            folder,
            tokens: BTreeMap::new(),
        }
    }

    /// Reads the index and serves it.
    pub(crate) async fn open(mut self) -> Self {
        self.store.load().await.unwrap();
        self.router = server::router(self.store.clone(), &options());
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn ask(
        &self,
        who: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "town.test")
            .header("x-request-id", "asked");
        if let Some(token) = self.tokens.get(who) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(body.into())
            .unwrap_or_else(|e| panic!("{e}: {path}"));
        let response = self.router.clone().oneshot(request).await.unwrap();
        Answer::of(response).await
    }

    pub(crate) async fn get(&self, who: &str, path: &str) -> Answer {
        self.ask(who, Method::GET, path, &[], Body::empty()).await
    }
}

pub(crate) fn options() -> Options {
    Options {
        base_url: Some("http://town.test".to_owned()),
        ..Options::default()
    }
}

/// Sets the rules of a collection.
pub(crate) async fn set_rules(store: &Store, collection: &str, rules: Rules) {
    let id = collection.to_owned();
    let entry = AuditEntry::new("access.set", collection);
    store
        .amend("test", move |directory| {
            directory.access.insert(id, rules);
            Ok((entry, ()))
        })
        .await
        .unwrap();
}

pub(crate) async fn add_unit(store: &Store, id: &str, title: &str, parent: Option<&str>) {
    let unit = Unit {
        id: id.to_owned(),
        title: title.to_owned(),
        parent: parent.map(str::to_owned),
    };
    let entry = AuditEntry::new("unit.create", id);
    store
        .amend("test", move |directory| {
            directory.units.insert(unit.id.clone(), unit);
            Ok((entry, ()))
        })
        .await
        .unwrap();
}

/// Where somebody has a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    /// For the unit `water`.
    Water,
    /// For the unit `roads`.
    Roads,
    /// In the west.
    West,
}

/// An account with a role.
pub(crate) fn person(id: &str, role: Option<&str>, part: Part) -> Person {
    let mut person = Person::new(id, id, PersonKind::Person).unwrap();
    if let Some(role) = role {
        let mut assignment = Assignment::of(Role::named(role).unwrap());
        match part {
            Part::All => {}
            Part::Water => assignment.unit = Some("water".to_owned()),
            Part::Roads => assignment.unit = Some("roads".to_owned()),
            Part::West => assignment.area = Some(west()),
        }
        person.assignments.push(assignment);
    }
    person
}

/// Lets one account act for another.
pub(crate) fn deputy(mut person: Person, by: &str) -> Person {
    person.deputies.push(Deputy {
        person: by.to_owned(),
        from: None,
        until: None,
    });
    person
}

/// Rules of a class, for a unit.
pub(crate) fn rules(class: Class, unit: Option<&str>) -> Rules {
    Rules {
        unit: unit.map(str::to_owned),
        ..Rules::of(class)
    }
}
