//! Somebody at a browser: signs in, sends forms, keeps the cookie.

use axum::body::Body;
use axum::http::Method;
use model::access::{Assignment, Person, PersonKind, Role};
use store::AuditFilter;

use crate::town::{Answer, Town};

pub(crate) const PASSWORD: &str = "кінь батарея скріпка";
pub(crate) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

pub(crate) fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let byte = |b: u8| {
        if plain(b) {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    text.bytes().map(byte).collect()
}

/// Sends a form as a browser does.
pub(crate) async fn send(town: &Town, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    let headers = [
        FORM,
        ("origin", "http://town.test"),
        ("sec-fetch-site", "same-origin"),
        ("cookie", cookie),
    ];
    town.bare(Method::POST, path, &headers, Body::from(pairs.join("&")))
        .await
}

pub(crate) async fn page(town: &Town, path: &str, cookie: &str) -> Answer {
    town.bare(Method::GET, path, &[("cookie", cookie)], Body::empty())
        .await
}

/// The cookie that an answer sets, as a browser sends it back.
#[track_caller]
pub(crate) fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie");
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"),
        "{set}"
    );
    set.split(';').next().unwrap().to_owned()
}

/// A town in which somebody can sign in.
pub(crate) async fn town_with(id: &str, roles: &[&str]) -> Town {
    let town = Town::with_edits().await;
    add(&town, id, roles).await;
    town
}

pub(crate) async fn add(town: &Town, id: &str, roles: &[&str]) {
    let mut person = Person::new(id, id, PersonKind::Person).unwrap();
    let roles = roles.iter().map(|role| Role::named(role).unwrap());
    person.assignments = roles.map(Assignment::of).collect();
    town.store.add_person("test", person).await.unwrap();
    let (code, _) = town
        .store
        .add_link("test", id, std::time::Duration::from_secs(60))
        .await
        .unwrap();
    let fields = [("code", code.as_str()), ("new", PASSWORD)];
    let set = send(town, "/account/link", "", &fields).await;
    assert_eq!(set.status, 303, "{}", set.text());
    let again = send(town, "/account/link", "", &fields).await;
    assert_eq!(again.status, 403, "a link is good once");
}

/// The value of a hidden field.
#[track_caller]
pub(crate) fn hidden(page: &str, name: &str) -> String {
    let value = page
        .split(&format!("name=\"{name}\" value=\""))
        .nth(1)
        .unwrap();
    value.split('"').next().unwrap().to_owned()
}

pub(crate) async fn sign_in(town: &Town, id: &str, password: &str) -> Answer {
    let fields = [("name", id), ("password", password)];
    send(town, "/account/sign-in", "", &fields).await
}

pub(crate) async fn actions(town: &Town) -> Vec<String> {
    let filter = AuditFilter {
        limit: 100,
        ..AuditFilter::default()
    };
    let records = town.store.audited(&filter).await.unwrap();
    assert!(
        town.store
            .verify_audit(None)
            .await
            .unwrap()
            .findings
            .is_empty()
    );
    records.into_iter().map(|r| r.action).collect()
}

pub(crate) fn new_token(person: &str, scopes: &[&str]) -> store::NewToken {
    let scope = |name: &&str| model::access::Scope::from_name(name).unwrap();
    store::NewToken {
        person: person.to_owned(),
        label: "QGIS".to_owned(),
        scopes: scopes.iter().map(scope).collect(),
        collections: None,
        days: 1,
        generation: None,
    }
}
