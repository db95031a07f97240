//! The second factor, and showing once more who one is.

use crate::browser::{PASSWORD, cookie, hidden, new_token, page, send, sign_in, town_with};
use crate::town::Town;

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

/// The app on the phone of somebody.
struct Phone {
    totp: totp_rs::Totp,
}

impl Phone {
    fn of(secret: &str) -> Self {
        let totp = totp_rs::Builder::new()
            .with_algorithm(totp_rs::Algorithm::SHA1)
            .with_digits(6)
            .with_step_duration(30)
            .with_secret(totp_rs::Secret::from(from_base32(secret)))
            .with_account_name("olha")
            .build();
        Self {
            totp: totp.unwrap(),
        }
    }

    fn code(&self, steps_later: u64) -> String {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = since.unwrap().as_secs();
        self.totp.generate(now + 30 * steps_later).to_string()
    }
}

/// Sets the second factor of somebody up, who is signed in: the phone, the code that it began with, and the codes for the
/// day that it is lost. The cookie is another one from then on.
async fn set_up(town: &Town, own: &mut String) -> (Phone, String, Vec<String>) {
    let fields = [("password", PASSWORD)];
    let begun = send(town, "/account/second-factor", own, &fields)
        .await
        .ok();
    *own = cookie(&begun);
    let begun = begun.text();
    assert!(begun.contains("<svg"));
    let (secret, step) = (hidden(&begun, "secret"), hidden(&begun, "step"));
    let phone = Phone::of(&secret);
    let first = phone.code(0);
    let confirm = async |step: &str, code: &str| {
        let fields = [("secret", secret.as_str()), ("step", step), ("code", code)];
        send(town, "/account/second-factor/confirm", own, &fields).await
    };
    let wrong = confirm(&step, "000000").await;
    assert_eq!(wrong.status, 403);
    assert_eq!(hidden(&wrong.text(), "step"), step, "one tries again");
    assert_eq!(
        confirm("made-up", &first).await.key(),
        "server.step-expired"
    );
    let kept = confirm(&step, &first).await.ok().text();
    assert_eq!(
        confirm(&step, &phone.code(1)).await.key(),
        "server.step-expired",
        "it is set up once"
    );
    let recovery: Vec<String> = kept
        .split("<code>")
        .skip(1)
        .map(|c| c.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(recovery.len(), 10);
    // Four bits a digit, 128 in all.
    assert!(recovery.iter().all(|c| c.replace('-', "").len() == 32));
    (phone, first, recovery)
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_is_good_once() {
    let town = town_with("olha", &["operator"]).await;
    let mut own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let (phone, first, recovery) = set_up(&town, &mut own).await;
    let step = async || {
        let asked = sign_in(&town, "olha", PASSWORD).await.ok();
        assert!(
            asked.header("set-cookie").is_empty(),
            "the password alone is not enough"
        );
        hidden(&asked.text(), "step")
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
    let entered = enter(&one, &phone.code(1)).await;
    assert_eq!(entered.status, 303, "{}", entered.text());
    let inside = cookie(&entered);
    assert_eq!(
        page(&town, "/account/me", &inside).await.json()["id"],
        "olha"
    );
    assert_eq!(
        enter(&one, &recovery[0]).await.status,
        403,
        "a step is taken once"
    );
    let disguised = store::NewToken {
        label: "second-step".to_owned(),
        ..new_token("olha", &["read"])
    };
    let (token, _) = town.store.add_token("test", disguised).await.unwrap();
    assert_eq!(
        enter(&token, &recovery[1]).await.status,
        403,
        "a token is no password, whatever its name"
    );
    let two = step().await;
    assert_eq!(enter(&two, &recovery[0]).await.status, 303);
    let three = step().await;
    assert_eq!(
        enter(&three, &recovery[0]).await.status,
        403,
        "a recovery code is good once"
    );
}

#[tokio::test]
async fn who_changes_how_they_sign_in_shows_again_who_they_are() {
    let town = town_with("olha", &["operator"]).await;
    let mut own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let (_, _, recovery) = set_up(&town, &mut own).await;
    let another = "скріпка батарея кінь";
    let token = [("label", "QGIS"), ("days", "1"), ("scope", "read")];
    for (place, (path, fields)) in [
        ("/account/tokens", &token[..]),
        ("/account/sessions/end", &[][..]),
        ("/account/second-factor", &[][..]),
        ("/account/password", &[("new", another)][..]),
    ]
    .into_iter()
    .enumerate()
    {
        let with = async |own: &str, proof: &[(&str, &str)]| {
            send(&town, path, own, &[fields, proof].concat()).await
        };
        let wrong = with(&own, &[("password", "not the password")]).await;
        assert_eq!(wrong.key(), "server.password-wrong", "{path}");
        let alone = with(&own, &[("password", PASSWORD)]).await;
        assert_eq!(alone.key(), "server.code-wrong", "{path}");
        assert!(alone.header("set-cookie").is_empty());
        let both = [("password", PASSWORD), ("current", &*recovery[place])];
        let done = with(&own, &both).await;
        assert!(done.status == 200 || done.status == 303, "{path}");
        let next = cookie(&done);
        assert_ne!(next, own, "{path}: the session has another key");
        assert!(page(&town, "/account/me", &own).await.json()["id"].is_null());
        own = next;
        assert_eq!(page(&town, "/account/me", &own).await.json()["id"], "olha");
    }
    let remove = [("password", another), ("current", &*recovery[4])];
    let removed = send(&town, "/account/second-factor/remove", &own, &remove).await;
    assert_eq!(removed.status, 303, "{}", removed.text());
    assert_eq!(sign_in(&town, "olha", another).await.status, 303);
}

#[tokio::test]
async fn what_has_begun_ends_with_the_sessions() {
    let town = town_with("olha", &["operator"]).await;
    let mut own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let without = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let (_, _, recovery) = set_up(&town, &mut own).await;
    let is_in =
        async |cookie: &str| !page(&town, "/account/me", cookie).await.json()["id"].is_null();
    assert_eq!(
        [is_in(&own).await, is_in(&without).await],
        [true, false],
        "a session that began without the factor ends"
    );
    let step = async || hidden(&sign_in(&town, "olha", PASSWORD).await.ok().text(), "step");
    let enter = async |step: &str, code: &str| {
        let fields = [("step", step), ("code", code)];
        send(&town, "/account/second-step", "", &fields).await
    };
    // A link by which they set a password outlives that somebody begins to sign in.
    let day = std::time::Duration::from_secs(86_400);
    let (code, _) = town.store.add_link("test", "olha", day).await.unwrap();
    step().await;
    let link = format!("/account/link?code={code}");
    assert_eq!(page(&town, &link, "").await.status, 200);
    let begun = step().await;
    let ended = store::Ended {
        person: "olha".to_owned(),
        kept: None,
        tokens: false,
        spent: None,
    };
    let entry = store::AuditEntry::new("session.end", "olha");
    town.store
        .amend_ending("test", ended, |_| Ok(entry))
        .await
        .unwrap();
    assert_eq!(enter(&begun, &recovery[0]).await.status, 403);
    assert!(!is_in(&own).await);
    // The link stands for the password; the code is asked for, though strangers have used up the attempts at the password.
    let (code, _) = town.store.add_link("test", "olha", day).await.unwrap();
    for _ in 0..20 {
        sign_in(&town, "olha", "not the password").await;
    }
    let fields = [("code", code.as_str()), ("new", "another long one")];
    let set = send(&town, "/account/link", "", &fields).await.ok();
    assert!(set.header("set-cookie").is_empty());
    let entered = enter(&hidden(&set.text(), "step"), &recovery[1]).await;
    assert_eq!(entered.status, 303, "{}", entered.text());
}

#[tokio::test]
async fn guesses_at_passwords_do_not_use_up_the_attempts_at_codes() {
    let town = town_with("olha", &["operator"]).await;
    let mut own = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let (_, _, recovery) = set_up(&town, &mut own).await;
    let step = hidden(&sign_in(&town, "olha", PASSWORD).await.ok().text(), "step");
    // Under names that the table of codes may have been filled by.
    for name in ["olha code", "olha"] {
        for _ in 0..9 {
            sign_in(&town, name, "not the password").await;
        }
    }
    assert_eq!(sign_in(&town, "olha", PASSWORD).await.status, 429);
    let fields = [("step", step.as_str()), ("code", &recovery[0])];
    let entered = send(&town, "/account/second-step", "", &fields).await;
    assert_eq!(entered.status, 303, "{}", entered.text());
}
