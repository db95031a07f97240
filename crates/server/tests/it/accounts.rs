//! Signing in and out, sessions, links, tokens.

use std::future::Future;

use axum::body::Body;
use axum::http::Method;
use futures_util::StreamExt;
use model::access::{Assignment, Person, PersonKind, Role};
use server::{Options, parse_network};
use store::AuditFilter;

use crate::browser::{
    FORM, PASSWORD, actions, add, cookie, encoded, new_token, page, send, sign_in, town_with,
};
use crate::town::{Answer, Town};

pub(crate) const PARCELS: &str = "/collections/parcels/items?limit=1";

#[tokio::test]
async fn a_session_begins_with_the_password_and_ends_with_signing_out() {
    let town = town_with("olha", &["operator"]).await;
    let own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let account = page(&town, "/account", &own).await.ok();
    assert!(account.text().contains("olha") && account.text().contains("Operator"));
    assert_eq!(account.header("cache-control"), "no-store");
    // Every page says at its top who is signed in, also one that is open to all.
    let open = page(&town, "/conformance?f=html", &own).await.ok();
    assert!(open.text().contains("olha") && open.text().contains("/account/sign-out"));
    assert_eq!(open.header("cache-control"), "private, no-cache");
    assert!(open.header("vary").contains("Cookie"));
    let me = page(&town, "/account/me", &own).await.ok().json();
    assert_eq!(
        (me["id"].as_str(), me["manages"].as_bool()),
        (Some("olha"), Some(false))
    );
    let out = send(&town, "/account/sign-out", &own, &[]).await;
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(out.header("clear-site-data"), "\"cache\"");
    let nobody = page(&town, "/conformance?f=html", "").await.ok().text();
    assert!(!nobody.contains("/account/sign-out"));
    let me = page(&town, "/account/me", &own).await.ok().json();
    assert!(me["id"].is_null(), "a session that has ended is nobody's");
    let actions = actions(&town).await;
    assert_eq!(&actions[..2], ["sign-out", "sign-in"]);
}

/// A town behind a proxy of this machine, or without one that it trusts, and `olha` in it.
async fn town_behind(proxy: &str, plain_sign_in: bool) -> Town {
    let town = Town::with(&Options {
        base_url: Some("http://town.test".to_owned()),
        trusted_proxies: vec![parse_network(proxy).unwrap()],
        plain_sign_in,
        ..Options::default()
    })
    .await;
    add(&town, "olha", &["operator"]).await;
    town
}

async fn sign_in_by(town: &Town, proxied: &[(&str, &str)]) -> Answer {
    let headers = [&[FORM, ("sec-fetch-site", "same-origin")], proxied].concat();
    let body = format!("name=olha&password={}", encoded(PASSWORD));
    town.bare(Method::POST, "/account/sign-in", &headers, Body::from(body))
        .await
}

#[tokio::test]
async fn a_session_that_began_by_tls_does_not_go_without() {
    let https = [("x-forwarded-proto", "https")];
    for (proxy, is_secure) in [("127.0.0.1", true), ("192.0.2.1", false)] {
        let town = town_behind(proxy, false).await;
        let answer = sign_in_by(&town, &https).await;
        let set = answer.header("set-cookie");
        assert!(set.starts_with("hromada-session="), "{}", answer.text());
        assert_eq!(set.contains("; Secure"), is_secure, "{proxy}: {set}");
    }
}

/// What the store keeps of a password, by parameters of argon2.
fn hashed(params: argon2::Params) -> String {
    let argon2 = argon2::Argon2::from(params);
    let hash = argon2::PasswordHasher::hash_password(&argon2, PASSWORD.as_bytes());
    hash.unwrap().to_string()
}

#[tokio::test]
async fn a_session_of_a_secure_server_is_bound_to_its_host() {
    let town = Town::with(&Options {
        base_url: Some("https://town.test".to_owned()),
        ..Options::default()
    })
    .await;
    let mut olha = Person::new("olha", "Olha", PersonKind::Person).unwrap();
    olha.password = Some(hashed(argon2::Params::default()));
    town.store.add_person("test", olha).await.unwrap();
    let answer = sign_in_by(&town, &[]).await;
    let set = answer.header("set-cookie");
    assert!(set.starts_with("__Host-hromada-session="), "{set}");
    assert!(
        set.contains("; Path=/;") && set.ends_with("; Secure"),
        "{set}"
    );
    assert!(!set.contains("Domain"), "{set}");
    // A page that came without TLS is none of this server.
    let plain = sign_in_by(&town, &[("origin", "http://town.test")]).await;
    assert_eq!(plain.key(), "server.write-origin");
    let secure = sign_in_by(&town, &[("origin", "https://town.test")]).await;
    assert_eq!(secure.status, 303);
}

#[tokio::test]
async fn passwords_and_tokens_from_elsewhere_are_taken_by_tls_only() {
    let http = [("x-forwarded-for", "203.0.113.9")];
    let https = [http[0], ("x-forwarded-proto", "https")];
    let town = town_behind("127.0.0.1", false).await;
    let own = cookie(&sign_in_by(&town, &https).await);
    let refused = sign_in_by(&town, &http).await;
    assert_eq!(refused.key(), "server.plain-sign-in");
    assert!(refused.header("set-cookie").is_empty());
    let (token, _) = town
        .store
        .add_token("test", new_token("olha", &["read"]))
        .await
        .unwrap();
    let bearer = format!("Bearer {token}");
    for by in [("authorization", bearer.as_str()), ("cookie", own.as_str())] {
        let refused = town.get_with(PARCELS, &[http[0], by]).await;
        assert_eq!(refused.key(), "server.plain-sign-in", "{by:?}");
        let headers = [https[0], https[1], by];
        town.get_with(PARCELS, &headers).await.ok();
    }
    town.get_with(PARCELS, &http).await.ok();
    let open = town_behind("127.0.0.1", true).await;
    assert_eq!(sign_in_by(&open, &http).await.status, 303);
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
async fn colleagues_behind_one_address_do_not_keep_each_other_out() {
    let town = town_with("olha", &[]).await;
    for i in 0..40 {
        let right = sign_in(&town, "olha", PASSWORD).await;
        assert_eq!(right.status, 303, "{i}");
    }
}

#[tokio::test]
async fn guesses_of_strangers_do_not_reach_into_a_session() {
    let town = town_with("olha", &[]).await;
    let own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let mut last = 0;
    for _ in 0..30 {
        last = sign_in(&town, "olha", "not the password")
            .await
            .status
            .as_u16();
    }
    assert_eq!(last, 429);
    let fields = [("password", PASSWORD), ("new", "another long one")];
    let changed = send(&town, "/account/password", &own, &fields).await;
    assert_eq!(changed.status, 303);
    // Whoever sits at the open browser guesses eight times at most.
    let own = cookie(&changed);
    let mut statuses = Vec::new();
    for _ in 0..9 {
        let fields = [
            ("password", "not the password"),
            ("new", "another long one"),
        ];
        let answer = send(&town, "/account/password", &own, &fields).await;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!((statuses[0], statuses[7], statuses[8]), (403, 403, 429));
}

#[tokio::test]
async fn without_a_second_factor_that_is_required_staff_are_citizens() {
    let town = Town::with(&Options {
        base_url: Some("http://town.test".to_owned()),
        require_second_factor: true,
        ..Options::default()
    })
    .await;
    add(&town, "chief", &["administrator", "planner"]).await;
    let own = cookie(&sign_in(&town, "chief", PASSWORD).await);
    assert_eq!(page(&town, "/admin/people", &own).await.status, 403);
    // A token that is made with the password alone is no way around it.
    let scopes = ["read", "write", "personal", "manage"];
    let made = town.store.add_token("chief", new_token("chief", &scopes));
    let (token, _) = made.await.unwrap();
    let bearer = format!("Bearer {token}");
    let with = [("authorization", bearer.as_str())];
    assert_eq!(town.get_with("/admin/people", &with).await.status, 403);
    // A program has none.
    let mut robot = Person::new("robot", "robot", PersonKind::Machine).unwrap();
    robot.assignments = vec![Assignment::of(Role::named("administrator").unwrap())];
    town.store.add_person("test", robot).await.unwrap();
    let (token, _) = town
        .store
        .add_token("test", new_token("robot", &["manage"]))
        .await
        .unwrap();
    let bearer = format!("Bearer {token}");
    let with = [("authorization", bearer.as_str())];
    assert_eq!(town.get_with("/admin/people", &with).await.status, 200);
}

/// A body whose second half comes after something else was done.
fn halted(text: &str, done: impl Future<Output = ()> + Send + 'static) -> Body {
    let (first, second) = text.split_at(text.len() / 2);
    let (first, second) = (first.to_owned(), second.to_owned());
    let parts = futures_util::stream::iter([Ok::<_, std::io::Error>(first)]);
    Body::from_stream(parts.chain(futures_util::stream::once(async move {
        done.await;
        Ok(second)
    })))
}

#[tokio::test]
async fn rights_that_go_while_a_body_comes_are_gone() {
    let town = town_with("olha", &["administrator", "gis-editor"]).await;
    let own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let scopes = ["read", "write"];
    let made = town.store.add_token("test", new_token("olha", &scopes));
    let bearer = format!("Bearer {}", made.await.unwrap().0);
    add(&town, "chief", &["administrator"]).await;
    let form = [
        FORM,
        ("sec-fetch-site", "same-origin"),
        ("cookie", own.as_str()),
    ];
    let store = town.store.clone();
    let taken = async move {
        let gone = store.take_role("test", "olha", |a| a.role.id == "administrator");
        gone.await.unwrap();
    };
    let body = halted("id=evil&name=Evil&kind=person", taken);
    let answer = town.bare(Method::POST, "/admin/people", &form, body).await;
    assert_eq!(
        (answer.status.as_u16(), answer.key().as_str()),
        (403, "server.rights-changed")
    );
    assert!(!town.store.directory().people.contains_key("evil"));
    let well =
        r#"{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[24,49]}}"#;
    let write = async |body: Body| {
        let headers = [
            ("content-type", "application/geo+json"),
            ("authorization", bearer.as_str()),
        ];
        town.bare(Method::POST, "/collections/wells/items", &headers, body)
            .await
    };
    let before = town.store.live().get("wells").unwrap().index.len();
    // Another name, and more rights, are no reason to refuse.
    let store = town.store.clone();
    let more = async move {
        let name = store.describe_person("test", "olha", "Olha Koval".to_owned(), None);
        name.await.unwrap();
        let role = Assignment::of(Role::named("planner").unwrap());
        store.give_role("test", "olha", role).await.unwrap();
    };
    assert_eq!(write(halted(well, more)).await.status, 201);
    let store = town.store.clone();
    let off = async move { store.disable_person("test", "olha").await.unwrap() };
    assert_eq!(write(halted(well, off)).await.key(), "server.token-refused");
    let after = town.store.live().get("wells").unwrap().index.len();
    assert_eq!(after, before + 1);
}

#[tokio::test]
async fn of_two_who_set_a_password_at_once_one_is_told_so() {
    for _ in 0..5 {
        let town = town_with("olha", &[]).await;
        let own = cookie(&sign_in(&town, "olha", PASSWORD).await);
        let thief = cookie(&sign_in(&town, "olha", PASSWORD).await);
        let change = async |cookie: &str, new: &str| {
            let fields = [("password", PASSWORD), ("new", new)];
            send(&town, "/account/password", cookie, &fields)
                .await
                .status
                .as_u16()
        };
        let words = ["owner has another one", "thief has another one"];
        let (a, b) = tokio::join!(change(&own, words[0]), change(&thief, words[1]));
        let won = [a, b].map(|status| status == 303);
        assert!(won[0] != won[1], "{a} {b}");
        for (word, won) in words.iter().zip(won) {
            assert_eq!(sign_in(&town, "olha", word).await.status == 303, won);
        }
    }
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
        ("origin", "chrome-extension://town.test"),
        ("origin", "http://town.test:8080"),
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
    let change = async |own: &str, old: &str, new: &str| {
        let fields = [("password", old), ("new", new)];
        send(&town, "/account/password", own, &fields).await
    };
    let another = "another long one";
    let wrong = change(&one, "not the password", another).await;
    assert_eq!(wrong.status, 403);
    let short = change(&one, PASSWORD, "short").await;
    assert_eq!(short.status, 422);
    // They have shown who they are all the same: the key of the session is another one.
    let done = change(&cookie(&short), PASSWORD, another).await;
    assert_eq!(done.status, 303);
    let own = cookie(&done);
    assert!(page(&town, "/account/me", &one).await.json()["id"].is_null());
    assert_eq!(page(&town, "/account/me", &own).await.json()["id"], "olha");
    assert!(page(&town, "/account/me", &two).await.json()["id"].is_null());
    assert_eq!(sign_in(&town, "olha", PASSWORD).await.status, 403);
    assert_eq!(sign_in(&town, "olha", "another long one").await.status, 303);
}

#[tokio::test]
async fn one_ends_one_s_other_sessions() {
    let town = town_with("olha", &[]).await;
    let mut own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let others = [
        cookie(&sign_in(&town, "olha", PASSWORD).await),
        cookie(&sign_in(&town, "olha", PASSWORD).await),
    ];
    let is_in =
        async |cookie: &str| !page(&town, "/account/me", cookie).await.json()["id"].is_null();
    let (_, secret) = others[0].split_once('=').unwrap();
    let hash = store::KeyHash::of(secret);
    let fields = [("password", PASSWORD), ("session", hash.as_str())];
    let ended = send(&town, "/account/sessions/end", &own, &fields).await;
    assert_eq!(ended.status, 303);
    own = cookie(&ended);
    assert_eq!(
        [is_in(&others[0]).await, is_in(&others[1]).await],
        [false, true]
    );
    let ended = send(&town, "/account/sessions/end", &own, &fields[..1]).await;
    own = cookie(&ended);
    assert_eq!([is_in(&others[1]).await, is_in(&own).await], [false, true]);
}

#[tokio::test]
async fn a_hash_of_older_parameters_is_made_anew_at_signing_in() {
    let town = town_with("olha", &[]).await;
    let old = hashed(argon2::Params::new(8 * 1024, 3, 1, None).unwrap());
    assert!(old.contains("m=8192,t=3"), "{old}");
    let entry = store::AuditEntry::new("test", "olha");
    let set = town.store.amend("test", move |directory| {
        directory.people.get_mut("olha").unwrap().password = Some(old);
        Ok((entry, ()))
    });
    set.await.unwrap();
    for _ in 0..2 {
        assert_eq!(sign_in(&town, "olha", PASSWORD).await.status, 303);
        let hash = town.store.directory().people["olha"].password.clone();
        assert!(hash.unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }
    let log = actions(&town).await;
    let anew = log.iter().filter(|action| *action == "password.rehash");
    assert_eq!(anew.count(), 1);
}

#[tokio::test]
async fn the_log_tells_who_was_refused_and_from_where() {
    crate::logged::collect();
    let town = town_with("stranger", &[]).await;
    let own = cookie(&sign_in(&town, "stranger", PASSWORD).await);
    assert_eq!(page(&town, "/admin/people", &own).await.status, 403);
    let lines = crate::logged::lines();
    let line = lines
        .lines()
        .find(|l| l.contains("route=/admin/people ") && l.contains("stranger"));
    let line = line.unwrap_or_else(|| panic!("{lines}"));
    assert!(
        line.contains("status=403") && line.contains("client=\"127.0.0.1/32\""),
        "{line}"
    );
    assert!(!lines.contains(PASSWORD));
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
    let made = send(&town, "/account/tokens", &own, &fields).await.ok();
    let own = cookie(&made);
    let made = made.text();
    let token = made.split("class=\"secret\">").nth(1).unwrap();
    let token = token.split('<').next().unwrap().to_owned();
    assert!(
        token.starts_with("hromada_") && token.len() == 72,
        "{token}"
    );
    let account = page(&town, "/account", &own).await.ok().text();
    let hash = store::KeyHash::of(&token);
    assert!(account.contains(hash.as_str()) && !account.contains(&token));
    let bearer = format!("Bearer {token}");
    let with = [("authorization", bearer.as_str())];
    let seen = town.get_with("/account?f=html", &with).await.ok();
    let seen = seen.text();
    assert!(
        seen.contains("olha") && !seen.contains(hash.as_str()),
        "a program sees no list of keys"
    );
    let nothing = [
        fields[0],
        fields[1],
        fields[2],
        fields[3],
        ("collections", " , "),
    ];
    let refused = send(&town, "/account/tokens", &own, &nothing).await;
    assert_eq!(refused.status, 404, "names of nothing are not all");
    let own = cookie(&refused);
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
    let last = ["token.revoke", "session.renew", "token.create"];
    assert_eq!(&actions[..3], last);
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
