//! Signing in and out, tokens, the second factor, and the pages of administration.

use axum::body::Body;
use axum::http::Method;
use model::access::{Assignment, Person, PersonKind, Role};
use store::AuditFilter;

use crate::town::{Answer, Town};

const PASSWORD: &str = "кінь батарея скріпка";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const PARCELS: &str = "/collections/parcels/items?limit=1";

fn encoded(text: &str) -> String {
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
async fn send(town: &Town, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
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

async fn page(town: &Town, path: &str, cookie: &str) -> Answer {
    town.bare(Method::GET, path, &[("cookie", cookie)], Body::empty())
        .await
}

/// The cookie that an answer sets, as a browser sends it back.
#[track_caller]
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie");
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"),
        "{set}"
    );
    set.split(';').next().unwrap().to_owned()
}

/// A town in which somebody can sign in.
async fn town_with(id: &str, roles: &[&str]) -> Town {
    let town = Town::with_edits().await;
    add(&town, id, roles).await;
    town
}

async fn add(town: &Town, id: &str, roles: &[&str]) {
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
fn hidden(page: &str, name: &str) -> String {
    let value = page
        .split(&format!("name=\"{name}\" value=\""))
        .nth(1)
        .unwrap();
    value.split('"').next().unwrap().to_owned()
}

async fn sign_in(town: &Town, id: &str, password: &str) -> Answer {
    let fields = [("name", id), ("password", password)];
    send(town, "/account/sign-in", "", &fields).await
}

async fn actions(town: &Town) -> Vec<String> {
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

#[tokio::test]
async fn a_session_begins_with_the_password_and_ends_with_signing_out() {
    let town = town_with("olha", &["operator"]).await;
    let own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let account = page(&town, "/account", &own).await.ok();
    assert!(account.text().contains("olha") && account.text().contains("operator"));
    assert_eq!(account.header("cache-control"), "no-store");
    let me = page(&town, "/account/me", &own).await.ok().json();
    assert_eq!(
        (me["id"].as_str(), me["manages"].as_bool()),
        (Some("olha"), Some(false))
    );
    let out = send(&town, "/account/sign-out", &own, &[]).await;
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    let me = page(&town, "/account/me", &own).await.ok().json();
    assert!(me["id"].is_null(), "a session that has ended is nobody's");
    let actions = actions(&town).await;
    assert_eq!(&actions[..2], ["sign-out", "sign-in"]);
}

#[tokio::test]
async fn nobody_learns_whether_there_is_an_account() {
    let town = town_with("olha", &[]).await;
    let wrong = sign_in(&town, "olha", "not the password").await;
    let unknown = sign_in(&town, "ivan", "not the password").await;
    assert_eq!((wrong.status.as_u16(), unknown.status.as_u16()), (403, 403));
    assert_eq!(wrong.text(), unknown.text().replace("ivan", "olha"));
    assert!(wrong.header("set-cookie").is_empty());
    // What was typed in the place of the name may be a password.
    let filter = AuditFilter {
        limit: 2,
        ..AuditFilter::default()
    };
    let records = town.store.audited(&filter).await.unwrap();
    let subjects: Vec<&str> = records.iter().map(|r| r.subject.as_str()).collect();
    assert_eq!(subjects, ["unknown", "olha"]);
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let town = town_with("olha", &[]).await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(
            sign_in(&town, "olha", "not the password")
                .await
                .status
                .as_u16(),
        );
    }
    assert_eq!(statuses[0], 403);
    assert_eq!(*statuses.last().unwrap(), 429, "{statuses:?}");
    let right = sign_in(&town, "olha", PASSWORD).await;
    assert_eq!(right.status, 429, "not even the right one helps then");
    assert!(!right.header("retry-after").is_empty());
}

#[tokio::test]
async fn a_session_of_somebody_elses_making_is_not_taken_over() {
    let town = town_with("olha", &[]).await;
    let planted =
        "hromada-session=1111111111111111111111111111111111111111111111111111111111111111";
    let fields = [("name", "olha"), ("password", PASSWORD)];
    let own = cookie(&send(&town, "/account/sign-in", planted, &fields).await);
    assert_ne!(own, planted);
    assert!(page(&town, "/account/me", planted).await.json()["id"].is_null());
    // Signing in again ends the session that was there.
    let next = cookie(&send(&town, "/account/sign-in", &own, &fields).await);
    assert!(page(&town, "/account/me", &own).await.json()["id"].is_null());
    assert_eq!(page(&town, "/account/me", &next).await.json()["id"], "olha");
}

#[tokio::test]
async fn pages_elsewhere_can_not_use_a_session() {
    let town = town_with("olha", &["gis-editor"]).await;
    let own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    for (name, value) in [
        ("origin", "http://evil.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        for (method, path) in [
            (Method::POST, "/account/tokens"),
            (Method::POST, "/account/sign-out"),
            (Method::POST, "/account/sign-in"),
            (Method::DELETE, "/collections/wells/items/1"),
        ] {
            let headers = [FORM, (name, value), ("cookie", own.as_str())];
            let answer = town
                .bare(method, path, &headers, "label=x&days=1&scope=read")
                .await;
            assert_eq!(answer.status, 403, "{path} {name} {value}");
            assert_eq!(answer.key(), "server.write-origin");
        }
    }
    let json = [
        ("content-type", "application/json"),
        ("cookie", own.as_str()),
    ];
    let answer = town
        .bare(Method::POST, "/account/tokens", &json, "{}")
        .await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn another_password_ends_the_other_sessions() {
    let town = town_with("olha", &[]).await;
    let one = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let two = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let change = async |old: &str, new: &str| {
        let fields = [("password", old), ("new", new)];
        send(&town, "/account/password", &one, &fields)
            .await
            .status
            .as_u16()
    };
    assert_eq!(change("not the password", "another long one").await, 403);
    assert_eq!(change(PASSWORD, "short").await, 422);
    assert_eq!(change(PASSWORD, "another long one").await, 303);
    assert_eq!(page(&town, "/account/me", &one).await.json()["id"], "olha");
    assert!(page(&town, "/account/me", &two).await.json()["id"].is_null());
    assert_eq!(sign_in(&town, "olha", PASSWORD).await.status, 403);
    assert_eq!(sign_in(&town, "olha", "another long one").await.status, 303);
}

#[tokio::test]
async fn an_account_that_is_switched_off_is_out_at_once() {
    let town = town_with("olha", &[]).await;
    let own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let (token, _) = town
        .store
        .add_token("test", new_token("olha", &["read"]))
        .await
        .unwrap();
    let bearer = format!("Bearer {token}");
    let with = [("authorization", bearer.as_str())];
    assert_eq!(town.get_with(PARCELS, &with).await.status, 200);
    town.store.disable_person("test", "olha").await.unwrap();
    assert!(page(&town, "/account/me", &own).await.json()["id"].is_null());
    assert_eq!(town.get_with(PARCELS, &with).await.status, 401);
    assert_eq!(sign_in(&town, "olha", PASSWORD).await.status, 403);
}

fn new_token(person: &str, scopes: &[&str]) -> store::NewToken {
    let scope = |name: &&str| model::access::Scope::from_name(name).unwrap();
    store::NewToken {
        person: person.to_owned(),
        label: "QGIS".to_owned(),
        scopes: scopes.iter().map(scope).collect(),
        collections: None,
        days: 1,
    }
}

#[tokio::test]
async fn a_token_is_shown_once_and_good_until_it_is_revoked() {
    let town = town_with("olha", &["gis-editor"]).await;
    let own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let fields = [
        ("password", PASSWORD),
        ("label", "QGIS"),
        ("days", "30"),
        ("scope", "read"),
        ("scope", "write"),
    ];
    let made = send(&town, "/account/tokens", &own, &fields)
        .await
        .ok()
        .text();
    let token = made.split("class=\"secret\">").nth(1).unwrap();
    let token = token.split('<').next().unwrap().to_owned();
    assert!(
        token.starts_with("hromada_") && token.len() == 72,
        "{token}"
    );
    let account = page(&town, "/account", &own).await.ok().text();
    assert!(account.contains("QGIS") && !account.contains(&token));
    let basic = |name: &str| {
        use base64ct::{Base64, Encoding};
        let pair = format!("{name}:{token}");
        format!("Basic {}", Base64::encode_string(pair.as_bytes()))
    };
    let ask = async |authorization: &str| {
        let headers = [("authorization", authorization)];
        town.get_with(PARCELS, &headers).await.status.as_u16()
    };
    let bearer = format!("Bearer {token}");
    assert_eq!(ask(&bearer).await, 200);
    assert_eq!(ask(&basic("olha")).await, 200);
    for refused in [
        basic("ivan"),
        "Bearer x".to_owned(),
        bearer.to_uppercase(),
        "Basic !".to_owned(),
    ] {
        assert_eq!(ask(&refused).await, 401, "{refused}");
    }
    // A token is for data, and not for making more of its kind.
    let headers = [FORM, ("authorization", bearer.as_str())];
    let more = town.bare(
        Method::POST,
        "/account/tokens",
        &headers,
        "label=x&days=1&scope=read",
    );
    assert_eq!(more.await.key(), "server.browser-only");
    let hash = store::KeyHash::of(&token);
    let revoked = send(
        &town,
        "/account/tokens/revoke",
        &own,
        &[("token", hash.as_str())],
    )
    .await;
    assert_eq!(revoked.status, 303);
    assert_eq!(ask(&bearer).await, 401);
    let actions = actions(&town).await;
    assert_eq!(&actions[..2], ["token.revoke", "token.create"]);
}

#[tokio::test]
async fn a_token_may_what_its_scopes_say() {
    let town = town_with("olha", &["gis-editor", "administrator"]).await;
    let of = async |scopes: &[&str]| {
        let made = town
            .store
            .add_token("test", new_token("olha", scopes))
            .await;
        format!("Bearer {}", made.unwrap().0)
    };
    let delete = async |bearer: &str| {
        let headers = [("authorization", bearer)];
        let path = "/collections/wells/items/999";
        town.bare(Method::DELETE, path, &headers, Body::empty())
            .await
            .status
            .as_u16()
    };
    let metrics = async |bearer: &str| {
        let headers = [("authorization", bearer)];
        let answer = town.bare(Method::GET, "/metrics", &headers, Body::empty());
        answer.await.status.as_u16()
    };
    let (read, write, manage) = (
        of(&["read"]).await,
        of(&["write"]).await,
        of(&["manage"]).await,
    );
    assert_eq!(
        [
            delete(&read).await,
            delete(&write).await,
            delete(&manage).await
        ],
        [403, 404, 403]
    );
    assert_eq!(
        [
            metrics(&read).await,
            metrics(&write).await,
            metrics(&manage).await
        ],
        [403, 403, 200]
    );
}

/// RFC 4648 §6
fn from_base32(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let values = text
        .bytes()
        .map(|b| ALPHABET.iter().position(|l| *l == b).unwrap());
    let bits: Vec<usize> = values
        .flat_map(|v| (0..5).rev().map(move |i| v >> i & 1))
        .collect();
    let byte = |bits: &[usize]| bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8);
    bits.chunks_exact(8).map(byte).collect()
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_is_good_once() {
    let town = town_with("olha", &["operator"]).await;
    let own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let begun = send(
        &town,
        "/account/second-factor",
        &own,
        &[("password", PASSWORD)],
    )
    .await;
    let begun = begun.ok().text();
    assert!(begun.contains("<svg"));
    let secret = begun.split("name=\"secret\" value=\"").nth(1).unwrap();
    let secret = secret.split('"').next().unwrap().to_owned();
    let totp = totp_rs::Builder::new()
        .with_algorithm(totp_rs::Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30)
        .with_secret(totp_rs::Secret::from(from_base32(&secret)))
        .with_account_name("olha")
        .build()
        .unwrap();
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_secs()
    };
    let code = |steps_later: u64| totp.generate(now() + 30 * steps_later).to_string();
    let confirm = async |code: &str, password: &str| {
        let fields = [
            ("secret", secret.as_str()),
            ("code", code),
            ("password", password),
        ];
        send(&town, "/account/second-factor/confirm", &own, &fields).await
    };
    assert_eq!(confirm("000000", PASSWORD).await.status, 403);
    assert_eq!(confirm(&code(0), "not the password").await.status, 403);
    let first = code(0);
    let kept = confirm(&first, PASSWORD).await.ok().text();
    let recovery: Vec<&str> = kept
        .split("<code>")
        .skip(1)
        .map(|c| c.split('<').next().unwrap())
        .collect();
    assert_eq!(recovery.len(), 10);
    let step = async || {
        let asked = sign_in(&town, "olha", PASSWORD).await.ok();
        assert!(
            asked.header("set-cookie").is_empty(),
            "the password alone is not enough"
        );
        let step = asked
            .text()
            .split("name=\"step\" value=\"")
            .nth(1)
            .unwrap()
            .to_owned();
        step.split('"').next().unwrap().to_owned()
    };
    let enter = async |step: &str, code: &str| {
        send(
            &town,
            "/account/second-step",
            "",
            &[("step", step), ("code", code)],
        )
        .await
    };
    let one = step().await;
    assert_eq!(
        enter(&one, &first).await.status,
        403,
        "it was used to set the factor up"
    );
    let entered = enter(&one, &code(1)).await;
    assert_eq!(entered.status, 303, "{}", entered.text());
    let inside = cookie(&entered);
    assert_eq!(
        page(&town, "/account/me", &inside).await.json()["id"],
        "olha"
    );
    assert_eq!(
        enter(&one, recovery[0]).await.status,
        403,
        "a step is taken once"
    );
    let two = step().await;
    assert_eq!(enter(&two, recovery[0]).await.status, 303);
    let three = step().await;
    assert_eq!(
        enter(&three, recovery[0]).await.status,
        403,
        "a recovery code is good once"
    );
}

#[tokio::test]
async fn links_that_are_used_old_or_made_up_are_refused_in_the_same_words() {
    let town = town_with("olha", &[]).await;
    let second = std::time::Duration::ZERO;
    let (old, _) = town.store.add_link("test", "olha", second).await.unwrap();
    let mut words = Vec::new();
    for code in [old.as_str(), "made-up", ""] {
        let shown = page(&town, &format!("/account/link?code={code}"), "").await;
        let used = send(
            &town,
            "/account/link",
            "",
            &[("code", code), ("new", PASSWORD)],
        )
        .await;
        for answer in [shown, used] {
            assert_eq!(answer.status, 403);
            words.push(answer.json()["detail"].to_string());
        }
    }
    words.dedup();
    assert_eq!(words.len(), 1, "{words:?}");
}

#[tokio::test]
async fn an_administrator_makes_accounts_and_gives_roles() {
    let town = town_with("chief", &["administrator"]).await;
    let own = cookie(&sign_in(&town, "chief", PASSWORD).await);
    let fields = [("id", "ivan"), ("name", "Іван"), ("kind", "person")];
    let made = send(&town, "/admin/people", &own, &fields).await;
    assert_eq!(
        made.header("location"),
        "/admin/people/ivan",
        "{}",
        made.text()
    );
    let again = send(&town, "/admin/people", &own, &fields).await;
    assert_eq!(
        again.status, 422,
        "an account is never given to somebody else"
    );
    let act = async |fields: &[(&str, &str)]| send(&town, "/admin/people/ivan", &own, fields).await;
    let given = act(&[("do", "give"), ("role", "planner"), ("until", "2999-01-01")]).await;
    assert_eq!(given.status, 303, "{}", given.text());
    assert_eq!(
        act(&[("do", "give"), ("role", "emperor")]).await.status,
        422
    );
    let link = act(&[("do", "link")]).await.ok().text();
    let code = link.split("/account/link?code=").nth(1).unwrap();
    let code = code.split('<').next().unwrap();
    let fields = [("code", code), ("new", PASSWORD)];
    let inside = cookie(&send(&town, "/account/link", "", &fields).await);
    assert_eq!(
        page(&town, "/account/me", &inside).await.json()["id"],
        "ivan"
    );
    for path in [
        "/admin",
        "/admin/people",
        "/admin/units",
        "/admin/access",
        "/admin/audit",
    ] {
        assert_eq!(page(&town, path, &inside).await.status, 403, "{path}");
        assert_eq!(page(&town, path, "").await.status, 401, "{path}");
    }
    assert_eq!(
        act(&[
            ("do", "take"),
            ("place", "0"),
            ("what", "planner, …2999-01-01")
        ])
        .await
        .status,
        303
    );
    assert!(town.store.directory().people["ivan"].assignments.is_empty());
    assert_eq!(act(&[("do", "disable")]).await.status, 303);
    assert!(page(&town, "/account/me", &inside).await.json()["id"].is_null());
    for path in [
        "/admin",
        "/admin/people",
        "/admin/people/ivan",
        "/admin/units",
        "/admin/roles",
        "/admin/access",
    ] {
        page(&town, path, &own).await.ok();
    }
    assert_eq!(
        page(&town, "/admin/audit", &own).await.status,
        403,
        "who keeps the accounts does not read the log"
    );
}

#[tokio::test]
async fn rules_of_the_form_hold_at_once_and_are_audited() {
    let town = town_with("chief", &["administrator"]).await;
    add(&town, "olena", &["auditor"]).await;
    let own = cookie(&sign_in(&town, "chief", PASSWORD).await);
    let form = page(&town, "/admin/access/parcels", &own).await.ok().text();
    assert!(form.contains("from:owner"));
    let fields = [
        ("class", "public"),
        ("from:owner", "staff"),
        ("personal:owner", "yes"),
        ("below", "staff"),
        ("filter", "floors > 0"),
    ];
    let before = town.json("/collections/parcels/items?limit=1000").await;
    let save = async |fields: &[(&str, &str)]| {
        let form = page(&town, "/admin/access/parcels", &own).await.ok().text();
        let state = hidden(&form, "state");
        let all = [&[("state", state.as_str())], fields].concat();
        send(&town, "/admin/access/parcels", &own, &all).await
    };
    let stale = send(&town, "/admin/access/parcels", &own, &fields).await;
    assert_eq!(
        stale.status, 409,
        "a form of an earlier state would drop rules"
    );
    let saved = save(&fields).await;
    assert_eq!(saved.status, 303, "{}", saved.text());
    let after = town.json("/collections/parcels/items?limit=1000").await;
    assert!(before["features"][0]["properties"]["owner"].is_string());
    assert!(after["features"][0]["properties"].get("owner").is_none());
    assert!(after["numberMatched"].as_i64() < before["numberMatched"].as_i64());
    assert_eq!(
        town.get("/collections/parcels/items?owner=x").await.status,
        400
    );
    let bad = [
        ("class", "public"),
        ("below", "staff"),
        ("filter", "nonsense = 1"),
    ];
    let refused = save(&bad).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("nonsense"));
    let auditor = cookie(&sign_in(&town, "olena", PASSWORD).await);
    let log = page(&town, "/admin/audit?action=access&verify=1", &auditor)
        .await
        .ok()
        .text();
    assert!(
        log.contains("access.change") && log.contains("floors &#62; 0")
            || log.contains("floors &gt; 0"),
        "{log}"
    );
    // A closed collection is as one that is not there.
    let closed = save(&[("class", "restricted")]).await;
    assert_eq!(closed.status, 303);
    let gone = town.get("/collections/parcels").await;
    let never = town.get("/collections/never").await;
    assert_eq!(
        (
            gone.status.as_u16(),
            gone.text().replace("parcels", "never").len()
        ),
        (404, never.text().len())
    );
}
