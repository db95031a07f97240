//! The second factor: codes of an app on a phone (TOTP, RFC 6238), and ten for the day that it is lost.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::Message;
use qrcodegen::{QrCode, QrCodeEcc};
use store::{AuditEntry, Ended, KeyHash, KeyKind};
use totp_rs::{Algorithm, Builder, Secret, Totp};

use super::{Form, page};
use crate::app::App;
use crate::context::Context;
use crate::html::{RecoveryPage, SecondFactorPage};
use crate::problem::Problem;

/// Codes that are given when the factor is set up.
const RECOVERY: usize = 10;

/// The clock of a phone may be half a minute off.
const SKEW: u16 = 1;
const STEP: u64 = 30;

fn totp(secret: &[u8], name: &str) -> Option<Totp> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(SKEW)
        .with_step_duration(STEP)
        .with_secret(Secret::from(secret.to_vec()))
        .with_account_name(name.replace(':', "_"))
        .with_issuer(Some("hromada"))
        .build()
        .ok()
}

/// Whether a code is the person's, and takes it: each is good once.
pub(super) async fn is_right(app: &App, person: &str, code: &str) -> Result<bool, Problem> {
    let (id, code) = (person.to_owned(), code.replace([' ', '-'], ""));
    let now = seconds();
    let entry = AuditEntry::new("sign-in.code", person);
    let taken = app
        .store
        .amend(person, move |directory| {
            let known = directory.people.get_mut(&id).filter(|p| !p.is_disabled);
            let taken = known.is_some_and(|person| {
                let Some(secret) = person.second_factor.clone() else {
                    return false;
                };
                let step = totp(&secret, &person.id).and_then(|totp| totp.check(&code, now));
                if let Some(step) = step.filter(|step| person.last_step.is_none_or(|l| l < *step)) {
                    person.last_step = Some(step);
                    return true;
                }
                let hash = KeyHash::of(&code.to_lowercase());
                let place = person.recovery.iter().position(|h| h == hash.as_str());
                place.map(|place| person.recovery.remove(place)).is_some()
            });
            if taken {
                Ok((entry, ()))
            } else {
                Err(store::Error::Denied(Message::new("server.code-wrong")))
            }
        })
        .await;
    match taken {
        Ok(()) => Ok(true),
        Err(store::Error::Denied(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// `POST /account/second-factor`: a new secret is shown, which counts once a code of it was given.
pub(crate) async fn begin(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    let (id, _) = Form::again(&app, &context, body).await?;
    let mut secret = [0; 20];
    getrandom::fill(&mut secret).map_err(Problem::internal)?;
    let (step, hash) = KeyHash::fresh(KeyKind::Link);
    let key = super::step(&id, &begun_with(&base32(&secret)));
    let entry = AuditEntry::new("second-factor.begin", &*id);
    app.store.add_key(&id, hash, key, None, entry).await?;
    shown(&context, &id, &secret, &step, None)
}

/// What the step is called that shows a secret: it is for that secret and no other, which its own form would bring.
fn begun_with(secret: &str) -> String {
    format!("second-factor {}", KeyHash::of(secret).as_str())
}

fn shown(
    context: &Context,
    id: &str,
    secret: &[u8],
    step: &str,
    wrong: Option<&Message>,
) -> Result<Response, Problem> {
    let totp = totp(secret, id).ok_or_else(|| Problem::internal("a second factor has no form"))?;
    let url = totp
        .to_url()
        .map_err(|_| Problem::internal("a second factor has no address"))?;
    let picture = QrCode::encode_text(&url, QrCodeEcc::Medium).map_err(Problem::internal)?;
    let status = match wrong {
        Some(_) => StatusCode::FORBIDDEN,
        None => StatusCode::OK,
    };
    let text = base32(secret);
    page(
        &SecondFactorPage::new(context, &text, &svg(&picture), step, wrong),
        status,
    )
}

/// `POST /account/second-factor/confirm`: by whoever began, who has shown then who they are.
pub(crate) async fn confirm(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    let (id, form) = Form::own(&app, &context, body).await?;
    let secret = from_base32(form.text("secret"))
        .filter(|secret| secret.len() == 20)
        .ok_or_else(|| Problem::bad_request(Message::new("server.form-unreadable")))?;
    let hash = KeyHash::of(form.text("step"));
    let label = begun_with(&base32(&secret));
    let begun = super::good_step(&app, &hash, &label).await?;
    if begun.is_none_or(|key| key.person != id) {
        return Err(super::step_expired());
    }
    let code = form.text("code").replace(' ', "");
    let step = totp(&secret, &id).and_then(|totp| totp.check(&code, seconds()));
    let Some(step) = step else {
        let wrong = Message::new("server.code-wrong");
        return shown(&context, &id, &secret, form.text("step"), Some(&wrong));
    };
    let codes: Vec<String> = (0..RECOVERY).map(|_| recovery_code()).collect();
    let hashes = codes
        .iter()
        .map(|code| KeyHash::of(&code.replace('-', "")).as_str().to_owned())
        .collect();
    let (who, entry) = (id.clone(), AuditEntry::new("second-factor.set", &*id));
    let ended = Ended {
        person: id.clone(),
        kept: context.session().cloned(),
        tokens: false,
        spent: Some(hash),
    };
    // Sessions that began without it end.
    let set = app.store.amend_ending(&id, ended, move |directory| {
        let person = super::own::person(directory, &who)?;
        person.second_factor = Some(secret);
        person.last_step = Some(step);
        person.recovery = hashes;
        Ok(entry)
    });
    set.await?;
    page(&RecoveryPage::new(&context, &codes), StatusCode::OK)
}

/// `POST /account/second-factor/remove`
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    body: Body,
) -> Result<Response, Problem> {
    let (id, _) = Form::again(&app, &context, body).await?;
    let (who, entry) = (id.clone(), AuditEntry::new("second-factor.remove", &*id));
    let removed = app.store.amend(&id, move |directory| {
        let person = super::own::person(directory, &who)?;
        person.second_factor = None;
        person.recovery.clear();
        Ok((entry, ()))
    });
    removed.await?;
    Ok(super::to(&context, "/account"))
}

/// 128 random bits in eight groups (ASVS 5.0 §11.5.1).
fn recovery_code() -> String {
    let (secret, _) = KeyHash::fresh(KeyKind::Link);
    let groups: Vec<&str> = (0..32).step_by(4).map(|i| &secret[i..i + 4]).collect();
    groups.join("-")
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// RFC 4648 §6, without padding: 20 bytes are 32 letters.
fn base32(bytes: &[u8]) -> String {
    let bit = |i: usize| bytes.get(i / 8).map_or(0, |b| b >> (7 - i % 8) & 1);
    let letters = (0..bytes.len() * 8).step_by(5).map(|start| {
        let value = (start..start + 5).fold(0, |value, i| value << 1 | bit(i));
        char::from(ALPHABET[usize::from(value)])
    });
    letters.collect()
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bits: Vec<u8> = Vec::new();
    for letter in text.bytes() {
        let value = ALPHABET
            .iter()
            .position(|l| *l == letter.to_ascii_uppercase())?;
        bits.extend((0..5).rev().map(|i| (value >> i & 1) as u8));
    }
    let bytes = bits.chunks_exact(8);
    Some(
        bytes
            .map(|b| b.iter().fold(0, |byte, bit| byte << 1 | bit))
            .collect(),
    )
}

/// The picture as paths of SVG, dark on light whatever the theme of the page is.
fn svg(code: &QrCode) -> String {
    const BORDER: i32 = 4;
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        for x in 0..size {
            if code.get_module(x, y) {
                path.push_str(&format!("M{},{}h1v1h-1z", x + BORDER, y + BORDER));
            }
        }
    }
    let side = size + 2 * BORDER;
    format!(
        "<svg class=\"code\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-hidden=\"true\"><path fill=\"#fff\" d=\"M0,0h{side}v{side}h-{side}z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238 appendix B, cut to six digits.
        let totp = totp(b"12345678901234567890", "a").unwrap();
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(totp.check(code, time), Some(time / STEP), "{time}");
            assert_eq!(totp.check(code, time + 2 * STEP), None);
        }
    }

    #[test]
    fn a_secret_is_written_and_read_again() {
        // RFC 4648 §10
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
        assert_eq!(from_base32("mzxw6ytb").unwrap(), b"fooba");
        let secret: Vec<u8> = (0..20).map(|i| i * 13).collect();
        assert_eq!(from_base32(&base32(&secret)).unwrap(), secret);
        assert_eq!(from_base32("1"), None);
    }
}
