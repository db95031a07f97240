//! Signing in at a provider of OpenID Connect: a real one, a process beside the test (`tests/oidc/provider.mjs`).

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use model::access::{Assignment, Person, PersonKind, Role};
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, COOKIE, HOST, LOCATION, SET_COOKIE};
use serde_json::{Value as Json, json};
use server::{Options, Secret, SingleSignOn, parse_role};
use store::{Access, AuditEntry, AuditFilter, Key, KeyHash, KeyKind, Store};
use url::Url;

use crate::connection::{Running, start_with};
use crate::town::place;

const COOKIE_NAME: &str = "hromada-single";

/// The provider. It ends with the test.
struct Provider {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    about: Json,
}

impl Provider {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc/provider.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("./test installs node");
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let about = line(&mut output);
        Self {
            process,
            input,
            output,
            about,
        }
    }

    fn tell(&mut self, name: &str, value: impl Into<Json>) -> Json {
        let command = json!({ name: value.into() });
        writeln!(self.input, "{command}").unwrap();
        line(&mut self.output)
    }

    /// How often an address was asked for, by the last part of its path.
    fn asked(&mut self, name: &str) -> u64 {
        self.tell("asked", true)[name].as_u64().unwrap_or(0)
    }

    fn options(&self) -> SingleSignOn {
        let text = |name: &str| self.about[name].as_str().unwrap();
        let mut options = SingleSignOn::new(text("issuer"), text("client")).unwrap();
        options.name = "Каштан".to_owned();
        options.client_secret = Secret::new(text("secret"));
        options.roles = ["planners=planner", "heads=head", "admins=administrator"]
            .map(|text| parse_role(text).unwrap())
            .to_vec();
        options
    }

    fn issuer(&self) -> String {
        self.about["issuer"].as_str().unwrap().to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn line(output: &mut impl BufRead) -> Json {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|e| {
        panic!("the provider says {line:?}, {e}: are the packages of crates/server/web installed?")
    })
}

struct Place {
    provider: Provider,
    store: Store,
    base: String,
    _running: Running,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut SingleSignOn)) -> Self {
        Self::with_options(change, |_| {}).await
    }

    async fn with_options(
        change: impl FnOnce(&mut SingleSignOn),
        more: impl FnOnce(&mut Options),
    ) -> Self {
        let mut provider = Provider::start();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(place(folder.path()), Access::Write)
            .await
            .unwrap();
        store.load().await.unwrap();
        let mut single = provider.options();
        change(&mut single);
        let mut options = Options {
            single_sign_on: Some(single),
            ..Options::default()
        };
        more(&mut options);
        let running = start_with(store.clone(), options).await;
        let base = format!("http://{}", running.address);
        provider.tell("redirect", format!("{base}/account/single/callback"));
        provider.tell("account", oksana(&["planners"]));
        Self {
            provider,
            store,
            base,
            _running: running,
            _folder: folder,
        }
    }

    fn roles(&self, id: &str) -> Vec<&'static str> {
        let directory = self.store.directory();
        let assignments = directory.people[id].assignments.iter();
        assignments.map(|a| a.role.id).collect()
    }

    /// What the audit log has, the oldest first: actor, action, subject.
    async fn audit(&self) -> Vec<String> {
        let filter = AuditFilter {
            limit: 1_000,
            ..AuditFilter::default()
        };
        let records = self.store.audited(&filter).await.unwrap();
        let shown = records
            .iter()
            .rev()
            .map(|r| format!("{}: {} {}", r.actor, r.action, r.subject));
        shown.collect()
    }

    /// Somebody signs in with a new browser.
    async fn sign_in(&self, who: &str) -> (Browser, Page) {
        let mut browser = Browser::new();
        let page = browser.sign_in(&self.base, who).await;
        (browser, page)
    }
}

fn oksana(groups: &[&str]) -> Json {
    json!({
        "sub": "7f3a", "name": "Оксана Коваль", "preferred_username": "O.Koval",
        "email": "oksana@kalush.test", "groups": groups,
    })
}

/// What a browser does of redirects and cookies.
struct Browser {
    client: reqwest::Client,
    /// Name, path, value.
    cookies: Vec<(String, String, String)>,
}

struct Page {
    status: StatusCode,
    /// Where it sends the browser; empty when nowhere.
    to: String,
    cookies: Vec<String>,
    text: String,
    retry_after: bool,
}

impl Page {
    #[track_caller]
    fn is_refused(&self, status: StatusCode, with: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        assert!(self.text.contains(with), "{}", self.text);
        assert_eq!(self.to, "");
        let session = self
            .cookies
            .iter()
            .find(|c| c.starts_with("hromada-session="));
        assert_eq!(session, None);
        // One may still sign in by password, and nothing is told of the cause.
        assert!(self.text.contains("type=\"password\""), "{}", self.text);
        for secret in ["thirty-two", "token", "nonce", "evil", "code=", "script"] {
            assert!(!self.text.contains(secret), "{secret}: {}", self.text);
        }
    }

    #[track_caller]
    fn clears(&self) {
        let cleared = self
            .cookies
            .iter()
            .find(|c| c.starts_with("hromada-single=;"));
        let cleared = cleared.unwrap_or_else(|| panic!("{:?}", self.cookies));
        assert!(cleared.contains("Path=/;") && cleared.contains("Max-Age=0"));
    }
}

impl Browser {
    fn new() -> Self {
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            client,
            cookies: Vec::new(),
        }
    }

    async fn get(&mut self, url: &str) -> Page {
        self.send(Method::GET, url, &[], None).await
    }

    async fn post(&mut self, url: &str, form: &str) -> Page {
        self.send(Method::POST, url, &[], Some(form.to_owned()))
            .await
    }

    async fn send(
        &mut self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        form: Option<String>,
    ) -> Page {
        let url = Url::parse(url).unwrap();
        let fits = |path: &str| {
            let rest = url.path().strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || path.ends_with('/'))
        };
        let cookies = self.cookies.iter().filter(|(_, path, _)| fits(path));
        let cookies: Vec<String> = cookies.map(|(n, _, v)| format!("{n}={v}")).collect();
        let mut request = self
            .client
            .request(method, url.clone())
            .header(ACCEPT, "text/html")
            .header(ACCEPT_LANGUAGE, "en")
            .header(COOKIE, cookies.join("; "));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(form) = form {
            let kind = "application/x-www-form-urlencoded";
            request = request.header("content-type", kind).body(form);
        }
        let answer = request.send().await.unwrap();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
        let set: Vec<String> = answer
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .map(text)
            .collect();
        set.iter().for_each(|line| self.keep(line));
        let to = answer.headers().get(LOCATION).map(text).unwrap_or_default();
        Page {
            status: answer.status(),
            to: match to.is_empty() {
                true => to,
                false => url.join(&to).unwrap().into(),
            },
            cookies: set,
            retry_after: answer.headers().contains_key("retry-after"),
            text: answer.text().await.unwrap(),
        }
    }

    fn keep(&mut self, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let path = |p: &str| {
            p.to_ascii_lowercase()
                .starts_with("path=")
                .then(|| p[5..].to_owned())
        };
        let path = parts.find_map(path).unwrap_or_else(|| "/".to_owned());
        self.cookies.retain(|(n, p, _)| *n != name || *p != path);
        if !value.is_empty() {
            self.cookies.push((name.to_owned(), path, value.to_owned()));
        }
    }

    /// Goes to the provider and signs in there; gives the address that it sends back to.
    async fn at_provider(&mut self, base: &str, who: &str) -> String {
        self.at_provider_by(&format!("{base}/account/single"), base, who)
            .await
    }

    async fn at_provider_by(&mut self, way: &str, base: &str, who: &str) -> String {
        let begun = self.get(way).await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
        let mut there = format!("{}&login_hint={who}", begun.to);
        for _ in 0..10 {
            let page = self.get(&there).await;
            assert!(!page.to.is_empty(), "{there} {} {}", page.status, page.text);
            there = page.to;
            if there.starts_with(base) {
                return there;
            }
        }
        panic!("the provider sends the browser around: {there}")
    }

    async fn sign_in(&mut self, base: &str, who: &str) -> Page {
        let back = self.at_provider(base, who).await;
        self.get(&back).await
    }

    /// The account that the server takes the browser for.
    async fn me(&mut self, base: &str) -> Json {
        let page = self.get(&format!("{base}/account/me")).await;
        serde_json::from_str(&page.text).unwrap()
    }

    fn step(&mut self) -> &mut String {
        let mut cookies = self.cookies.iter_mut();
        &mut cookies.find(|(name, ..)| name == COOKIE_NAME).unwrap().2
    }
}

#[track_caller]
fn is_in(page: &Page, base: &str) {
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert_eq!(page.to, format!("{base}/account"));
    page.clears();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_and_gets_an_account_with_the_roles_of_their_groups() {
    for in_id_token in [true, false] {
        let mut place = Place::new().await;
        let base = place.base.clone();
        place.provider.tell("groupsInIdToken", in_id_token);
        let mut browser = Browser::new();
        let form = browser.get(&format!("{base}/account")).await;
        assert!(form.text.contains("Sign in by Каштан"), "{}", form.text);
        let begun = browser.get(&format!("{base}/account/single")).await;
        let there = Url::parse(&begun.to).unwrap();
        let param = |name: &str| {
            let mut pairs = there.query_pairs();
            pairs.find(|(n, _)| n == name).unwrap().1.into_owned()
        };
        assert_eq!(param("response_type"), "code");
        assert_eq!(param("code_challenge_method"), "S256");
        assert_eq!(param("scope"), "openid profile email");
        assert_eq!(
            param("redirect_uri"),
            format!("{base}/account/single/callback")
        );
        // What the browser keeps is not what the address shows.
        let kept = browser.step().clone();
        assert!(!begun.to.contains(kept.rsplit('.').next().unwrap()));
        let [cookie] = &begun.cookies[..] else {
            panic!("{:?}", begun.cookies);
        };
        for attribute in ["Path=/;", "HttpOnly", "SameSite=Lax", "Max-Age=600"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        let page = browser.sign_in(&base, "7f3a").await;
        is_in(&page, &base);
        assert_eq!(browser.me(&base).await["id"], "o.koval");
        let directory = place.store.directory();
        let person = &directory.people["o.koval"];
        assert_eq!(person.name, "Оксана Коваль");
        assert_eq!(person.email.as_deref(), Some("oksana@kalush.test"));
        assert_eq!(
            person.external,
            Some((place.provider.issuer(), "7f3a".to_owned()))
        );
        assert_eq!(place.roles("o.koval"), ["planner"]);
        assert_eq!(
            place.audit().await,
            [
                "single sign-on: person.create o.koval",
                "single sign-on: role.give o.koval",
                "o.koval: sign-in o.koval",
            ]
        );
        assert_eq!(place.provider.asked("me"), u64::from(!in_id_token));
        // Once more: the same account, and what the provider publishes is not asked for again.
        let (mut again, page) = place.sign_in("7f3a").await;
        is_in(&page, &base);
        assert_eq!(again.me(&base).await["id"], "o.koval");
        assert_eq!(place.store.directory().people.len(), 1);
        assert_eq!(place.provider.asked("openid-configuration"), 1);
        assert_eq!(place.provider.asked("jwks"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_cookie_is_for_tls_alone() {
    let provider = Provider::start();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(place(folder.path()), Access::Write)
        .await
        .unwrap();
    store.load().await.unwrap();
    let options = Options {
        base_url: Some("https://gis.kalush.test/map".to_owned()),
        single_sign_on: Some(provider.options()),
        ..Options::default()
    };
    let running = start_with(store, options).await;
    let mut browser = Browser::new();
    let begun = browser
        .get(&format!("http://{}/account/single", running.address))
        .await;
    let [cookie] = &begun.cookies[..] else {
        panic!("{:?}", begun.cookies);
    };
    assert!(cookie.starts_with("__Host-hromada-single="), "{cookie}");
    assert!(cookie.contains("; Path=/;") && cookie.ends_with("; Secure"));
    let redirect = "redirect_uri=https%3A%2F%2Fgis.kalush.test%2Fmap%2Faccount%2Fsingle%2Fcallback";
    assert!(begun.to.contains(redirect), "{}", begun.to);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_follow_the_groups_and_those_given_by_hand_stay() {
    let mut place = Place::new().await;
    place.sign_in("7f3a").await;
    place
        .store
        .amend("root", |directory| {
            let person = directory.people.get_mut("o.koval").unwrap();
            let auditor = Role::named("auditor").unwrap();
            person.assignments.push(Assignment::of(auditor));
            Ok((AuditEntry::new("role.give", "o.koval"), ()))
        })
        .await
        .unwrap();
    place
        .provider
        .tell("account", oksana(&["heads", "strangers"]));
    place.sign_in("7f3a").await;
    assert_eq!(place.roles("o.koval"), ["auditor", "head"]);
    place.provider.tell("account", oksana(&[]));
    let (mut browser, _) = place.sign_in("7f3a").await;
    assert_eq!(place.roles("o.koval"), ["auditor"]);
    assert_eq!(browser.me(&place.base).await["id"], "o.koval");
    // Nothing in the claim is nothing given, wherever it is looked for.
    place.provider.tell("groupsInIdToken", false);
    place
        .provider
        .tell("account", json!({ "sub": "7f3a", "groups": 7 }));
    place.sign_in("7f3a").await;
    assert_eq!(place.roles("o.koval"), ["auditor"]);
    let changes = place.audit().await;
    let changes: Vec<&str> = changes
        .iter()
        .map(String::as_str)
        .filter(|line| line.starts_with("single sign-on: role."))
        .collect();
    assert_eq!(
        changes,
        [
            "single sign-on: role.give o.koval",
            "single sign-on: role.take o.koval",
            "single sign-on: role.give o.koval",
            "single sign-on: role.take o.koval",
        ]
    );
    assert!(
        place
            .store
            .verify_audit(None)
            .await
            .unwrap()
            .findings
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_taken_at_once_and_a_removed_one_no_more() {
    let mut place = Place::new().await;
    let base = place.base.clone();
    is_in(&place.sign_in("7f3a").await.1, &base);
    assert_eq!(place.provider.asked("jwks"), 1);
    place.provider.tell("rotate", true);
    is_in(&place.sign_in("7f3a").await.1, &base);
    assert_eq!(place.provider.asked("jwks"), 2);
    // The removed key is one that nobody knows, and looking for it makes us ask no more.
    for mistake in ["removed-key", "unknown-key", "removed-key"] {
        place.provider.tell("mistake", mistake);
        let (_, page) = place.sign_in("7f3a").await;
        page.is_refused(StatusCode::FORBIDDEN, "failed");
    }
    assert_eq!(place.provider.asked("jwks"), 2);
    assert_eq!(place.provider.asked("openid-configuration"), 2);
    place.provider.tell("mistake", Json::Null);
    is_in(&place.sign_in("7f3a").await.1, &base);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_with_a_mistake_signs_nobody_in() {
    let mut place = Place::new().await;
    for mistake in [
        "expired",
        "audience",
        "audiences",
        "azp",
        "issuer",
        "nonce",
        "no-nonce",
        "none",
        "shared-secret",
        "public-key-as-secret",
        "other-key",
        "changed",
        // What userinfo says is of another subject than the token.
        "other-subject",
    ] {
        place.provider.tell("mistake", mistake);
        let (mut browser, page) = place.sign_in("7f3a").await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{mistake}");
        page.is_refused(StatusCode::FORBIDDEN, "The sign-in by “Каштан” failed");
        page.clears();
        assert_eq!(browser.me(&place.base).await["id"], Json::Null, "{mistake}");
    }
    assert!(place.store.directory().people.is_empty());
    let audit = place.audit().await;
    assert_eq!(audit.len(), 13);
    assert!(
        audit
            .iter()
            .all(|line| line == "anonymous: sign-in.refused unknown")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_browser_or_nobody_began_is_not_finished() {
    let place = Place::new().await;
    let base = &place.base;
    let expired = |page: &Page| {
        page.is_refused(StatusCode::FORBIDDEN, "was begun in another browser");
        page.clears();
    };
    let changed = |url: &str, name: &str, value: &str| {
        let mut url = Url::parse(url).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let pairs = pairs.into_iter().filter(|(n, _)| n != name);
        let pairs: Vec<_> = pairs.chain([(name.to_owned(), value.to_owned())]).collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        String::from(url)
    };
    let mut browser = Browser::new();
    let back = browser.at_provider(base, "7f3a").await;
    // Somebody sends their own address to another browser.
    expired(&Browser::new().get(&back).await);
    let mut victim = Browser::new();
    victim.at_provider(base, "7f3a").await;
    expired(&victim.get(&back).await);
    // It was good once.
    expired(&victim.get(&back).await);
    for state in ["", "x", "0123456789012345678901"] {
        let mut browser = Browser::new();
        let back = browser.at_provider(base, "7f3a").await;
        expired(&browser.get(&changed(&back, "state", state)).await);
    }
    // Nothing of that has spent the first code. It is good once, though the browser kept the cookie.
    let kept = browser.cookies.clone();
    is_in(&browser.get(&back).await, base);
    browser.cookies = kept;
    let again = browser.get(&back).await;
    again.is_refused(StatusCode::FORBIDDEN, "failed");
    let mut browser = Browser::new();
    let back = browser.at_provider(base, "7f3a").await;
    let step = browser.step().clone();
    let parts: Vec<&str> = step.split('.').collect();
    for (nonce, verifier, with) in [
        ("n".repeat(22), parts[2].to_owned(), "failed"),
        (parts[1].to_owned(), "v".repeat(43), "failed"),
        (String::new(), String::new(), "another browser"),
    ] {
        let mut browser = Browser::new();
        let back = browser.at_provider(base, "7f3a").await;
        let state = browser.step().split('.').next().unwrap().to_owned();
        *browser.step() = format!("{state}.{nonce}.{verifier}");
        browser
            .get(&back)
            .await
            .is_refused(StatusCode::FORBIDDEN, with);
    }
    // An answer of another provider (RFC 9207), and one without a code.
    let other = changed(&back, "iss", "https://evil.test");
    browser
        .get(&other)
        .await
        .is_refused(StatusCode::FORBIDDEN, "failed");
    let mut browser = Browser::new();
    let back = browser.at_provider(base, "7f3a").await;
    let bare = changed(&back, "code", "");
    browser
        .get(&bare)
        .await
        .is_refused(StatusCode::FORBIDDEN, "failed");
    assert_eq!(browser.me(base).await["id"], Json::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_the_provider_refuses_is_told_so() {
    let place = Place::new().await;
    let (_, page) = place.sign_in("nobody").await;
    page.is_refused(
        StatusCode::FORBIDDEN,
        "“Каштан” did not confirm the sign-in",
    );
    page.clears();
    // A code that the provider does not know, though everything else is right.
    let mut browser = Browser::new();
    browser.get(&format!("{}/account/single", place.base)).await;
    let state = browser.step().split('.').next().unwrap().to_owned();
    let made_up = format!(
        "{}/account/single/callback?code=made-up&state={state}",
        place.base
    );
    browser
        .get(&made_up)
        .await
        .is_refused(StatusCode::FORBIDDEN, "failed");
    assert!(place.store.directory().people.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_the_provider_does_not_know_signs_nobody_in() {
    let place = Place::with(|options| options.client_secret = Secret::new("wrong")).await;
    let (_, page) = place.sign_in("7f3a").await;
    page.is_refused(StatusCode::SERVICE_UNAVAILABLE, "does not answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_elsewhere_shows_there_again_who_they_are() {
    let place = Place::new().await;
    let base = place.base.clone();
    let (mut browser, _) = place.sign_in("7f3a").await;
    // An open browser is no way to a password that would outlive the account at the provider.
    let form = "password=&new=four+long+green+trees";
    let page = browser
        .post(&format!("{base}/account/password"), form)
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("no password here"), "{}", page.text);
    let token = async |browser: &mut Browser| {
        let form = "label=QGIS&days=1&scope=read";
        browser.post(&format!("{base}/account/tokens"), form).await
    };
    let page = token(&mut browser).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("Confirm first"), "{}", page.text);
    let account = browser.get(&format!("{base}/account")).await.text;
    assert!(account.contains("/account/single?again=yes"));
    let way = format!("{base}/account/single?again=yes");
    let back = browser.at_provider_by(&way, &base, "7f3a").await;
    let looked = browser.send(Method::HEAD, &back, &[], None).await;
    assert_eq!(looked.status, StatusCode::METHOD_NOT_ALLOWED);
    is_in(&browser.get(&back).await, &base);
    let page = token(&mut browser).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("hromada_"));
    assert!(!browser.me(&base).await["id"].is_null(), "the key is new");
    // It holds for ten minutes.
    let (secret, hash) = KeyHash::fresh(KeyKind::Session);
    let id = browser.me(&base).await["id"].as_str().unwrap().to_owned();
    let now = "2999-01-01T00:00:00.000Z";
    let old = Key {
        kind: KeyKind::Session,
        person: id.clone(),
        label: String::new(),
        scopes: Default::default(),
        collections: None,
        proved: Some("2026-01-01T00:00:00.000Z".to_owned()),
        created: now.to_owned(),
        expires: now.to_owned(),
        seen: now.to_owned(),
    };
    let entry = AuditEntry::new("sign-in", &*id);
    place
        .store
        .add_key("test", hash, old, None, entry)
        .await
        .unwrap();
    let mut later = Browser::new();
    later.keep(&format!("hromada-session={secret}; Path=/"));
    assert_eq!(later.me(&base).await["id"], *id);
    assert_eq!(token(&mut later).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_here_is_no_second_factor_of_the_provider() {
    let mut place = Place::with_options(
        |_| {},
        |options| {
            options.require_second_factor = true;
        },
    )
    .await;
    let base = place.base.clone();
    let people = format!("{base}/admin/people");
    place.provider.tell("account", oksana(&["admins"]));
    let (mut browser, _) = place.sign_in("7f3a").await;
    assert_eq!(browser.get(&people).await.status, StatusCode::OK);
    let id = browser.me(&base).await["id"].as_str().unwrap().to_owned();
    let day = Duration::from_secs(86_400);
    let (code, _) = place.store.add_link("root", &id, day).await.unwrap();
    let mut other = Browser::new();
    let form = format!("code={code}&new=four+long+green+trees");
    let page = other.post(&format!("{base}/account/link"), &form).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert_eq!(other.me(&base).await["id"], *id);
    assert_eq!(other.get(&people).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_provider_there_are_passwords_and_later_both() {
    let mut place = Place::new().await;
    let base = place.base.clone();
    place.provider.tell("down", true);
    let mut browser = Browser::new();
    let page = browser.get(&format!("{base}/account/single")).await;
    page.is_refused(StatusCode::SERVICE_UNAVAILABLE, "does not answer");
    assert!(page.retry_after && page.cookies.is_empty());
    password(&place.store).await;
    let page = browser
        .post(
            &format!("{base}/account/link"),
            "code=by-mail&new=four+long+green+trees",
        )
        .await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    let mut browser = Browser::new();
    let form = "name=petro&password=four+long+green+trees";
    let page = browser.post(&format!("{base}/account/sign-in"), form).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert_eq!(browser.me(&base).await["id"], "petro");
    place.provider.tell("down", false);
    // It is looked for again a second after it was not there.
    let until = Instant::now() + Duration::from_secs(20);
    let mut browser = Browser::new();
    while browser.get(&format!("{base}/account/single")).await.status != StatusCode::SEE_OTHER {
        assert!(Instant::now() < until, "the provider is not found again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Away while somebody is on the way back.
    let back = browser.at_provider(&base, "7f3a").await;
    place.provider.tell("down", true);
    let page = browser.get(&back).await;
    page.is_refused(StatusCode::SERVICE_UNAVAILABLE, "does not answer");
    page.clears();
    place.provider.tell("down", false);
    is_in(&place.sign_in("7f3a").await.1, &base);
}

/// Petro, and a link by which he sets a password.
async fn password(store: &Store) {
    let person = Person::new("petro", "Петро", PersonKind::Person).unwrap();
    store
        .amend("root", |directory| {
            directory.people.insert("petro".to_owned(), person);
            Ok((AuditEntry::new("person.create", "petro"), ()))
        })
        .await
        .unwrap();
    let key = Key {
        kind: KeyKind::Link,
        person: "petro".to_owned(),
        label: String::new(),
        scopes: Default::default(),
        collections: None,
        proved: None,
        created: "2026-01-01T00:00:00.000Z".to_owned(),
        expires: "2999-01-01T00:00:00.000Z".to_owned(),
        seen: "2026-01-01T00:00:00.000Z".to_owned(),
    };
    let entry = AuditEntry::new("link.create", "petro");
    let added = store.add_key("root", KeyHash::of("by-mail"), key, None, entry);
    added.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_an_account_of_somebody_else_by_a_name_or_an_address() {
    let mut place = Place::new().await;
    let base = place.base.clone();
    password(&place.store).await;
    let claims = json!({
        "sub": "evil", "name": "Петро", "preferred_username": "petro",
        "email": "petro@kalush.test", "email_verified": false, "groups": ["admins"],
    });
    place.provider.tell("account", claims);
    place.provider.tell(
        "account",
        json!({ "sub": "none", "preferred_username": "anonymous" }),
    );
    let (mut browser, page) = place.sign_in("evil").await;
    is_in(&page, &base);
    assert_eq!(browser.me(&base).await["id"], "petro-2");
    assert_eq!(place.roles("petro"), Vec::<&str>::new());
    assert_eq!(place.store.directory().people["petro-2"].email, None);
    let (mut browser, _) = place.sign_in("none").await;
    assert_eq!(browser.me(&base).await["id"], "anonymous-2");
    assert_eq!(Browser::new().me(&base).await["id"], Json::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_switched_off_stays_out() {
    let mut place = Place::new().await;
    let (mut browser, _) = place.sign_in("7f3a").await;
    place
        .store
        .amend("root", |directory| {
            directory.people.get_mut("o.koval").unwrap().is_disabled = true;
            Ok((AuditEntry::new("person.disable", "o.koval"), ()))
        })
        .await
        .unwrap();
    assert_eq!(browser.me(&place.base).await["id"], Json::Null);
    place.provider.tell("account", oksana(&["admins"]));
    let (mut browser, page) = place.sign_in("7f3a").await;
    page.is_refused(StatusCode::FORBIDDEN, "Your account is switched off");
    assert_eq!(browser.me(&place.base).await["id"], Json::Null);
    assert_eq!(place.roles("o.koval"), ["planner"]);
    let last = place.audit().await.pop().unwrap();
    assert_eq!(last, "anonymous: sign-in.refused o.koval");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_sent_to_the_provider_and_to_ones_own_account_only() {
    let place = Place::new().await;
    let base = &place.base;
    let issuer = place.provider.issuer();
    let mut browser = Browser::new();
    for query in [
        "next=https://evil.test",
        "redirect_uri=https://evil.test",
        "iss=https://evil.test",
    ] {
        let page = browser.get(&format!("{base}/account/single?{query}")).await;
        assert_eq!((page.status, &*page.to), (StatusCode::BAD_REQUEST, ""));
    }
    for path in [
        "//evil.test/account/single",
        "/account/single/https://evil.test",
    ] {
        let page = browser.get(&format!("{base}{path}")).await;
        assert_eq!((page.status, &*page.to), (StatusCode::NOT_FOUND, ""));
    }
    // A name that is not ours: the provider has a list of addresses that it sends browsers to.
    let url = format!("{base}/account/single");
    let headers = [
        (HOST.as_str(), "evil.test"),
        ("x-forwarded-host", "evil.test"),
    ];
    let begun = browser.send(Method::GET, &url, &headers, None).await;
    assert!(
        begun.to.starts_with(&format!("{issuer}/auth?")),
        "{}",
        begun.to
    );
    let page = browser.get(&begun.to).await;
    assert_eq!((page.status, &*page.to), (StatusCode::BAD_REQUEST, ""));
    // Nor does what comes along with the code.
    let mut browser = Browser::new();
    let back = browser.at_provider(base, "7f3a").await;
    let page = browser
        .get(&format!(
            "{back}&next=https://evil.test&redirect_uri=//evil.test&session_state=x"
        ))
        .await;
    is_in(&page, base);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_there_is_no_such_way() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(place(folder.path()), Access::Write)
        .await
        .unwrap();
    store.load().await.unwrap();
    let running = start_with(store, Options::default()).await;
    let base = format!("http://{}", running.address);
    let mut browser = Browser::new();
    for path in ["/account/single", "/account/single/callback?code=a&state=b"] {
        let page = browser.get(&format!("{base}{path}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
    }
    let form = browser.get(&format!("{base}/account")).await;
    assert!(!form.text.contains("/account/single"));
}
