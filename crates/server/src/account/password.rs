//! Passwords: argon2id (RFC 9106) with the parameters that OWASP names, 19 MiB and two passes.

use std::collections::HashSet;

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use model::Message;
use model::access::Person;

use crate::app::App;
use crate::problem::Problem;

/// Shortest password in characters. Length is what counts; which characters is not asked (ASVS 5.0 §6.2.1, §6.2.5).
pub(crate) const MIN_PASSWORD: usize = 12;

/// Longest password, so that hashing it stays cheap (ASVS 5.0 §6.2.9 asks for 64 at least).
pub(crate) const MAX_PASSWORD: usize = 256;

/// What many people take, of this length (ASVS 5.0 §6.2.4); a password that begins with one of them and only goes on with
/// digits and marks is no better.
const COMMON: [&str; 24] = [
    "password",
    "passw0rd",
    "qwertyuiop",
    "qwerty",
    "йцукен",
    "asdfghjkl",
    "zxcvbnm",
    "1q2w3e4r",
    "123456",
    "987654",
    "111111",
    "000000",
    "iloveyou",
    "letmein",
    "welcome",
    "administrator",
    "admin",
    "пароль",
    "україна",
    "ukraine",
    "changeme",
    "football",
    "monkey",
    "dragon",
];

/// The hash of a password that nobody has: an account that is not there takes as long to refuse as one that is.
pub(crate) struct Passwords {
    nobody: String,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            nobody: hashed("nobody has this password").unwrap_or_default(),
        }
    }

    /// Whether a password is a person's. Takes the same time for everybody.
    pub(crate) async fn is_right(
        app: &App,
        person: Option<&Person>,
        password: &str,
    ) -> Result<bool, Problem> {
        let own = person.and_then(|person| person.password.clone());
        let (known, password) = (own.is_some(), password.to_owned());
        let hash = own.unwrap_or_else(|| app.passwords.nobody.clone());
        let fits = app.work(move || fits(&hash, &password)).await?;
        Ok(known && fits)
    }

    /// # Errors
    /// 500 when hashing fails.
    pub(crate) async fn hash(app: &App, password: &str) -> Result<String, Problem> {
        let password = password.to_owned();
        app.work(move || hashed(&password))
            .await?
            .ok_or_else(|| Problem::internal("a password could not be hashed"))
    }
}

fn hashed(password: &str) -> Option<String> {
    let hash = Argon2::default().hash_password(password.as_bytes()).ok()?;
    Some(hash.to_string())
}

fn fits(hash: &str, password: &str) -> bool {
    let hash = PasswordHash::new(hash);
    hash.is_ok_and(|hash| {
        password.len() <= MAX_PASSWORD * 4
            && Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
    })
}

/// # Errors
/// What is wrong with a new password.
pub(crate) fn require_good(password: &str, person: &str) -> Result<(), Message> {
    let length = password.chars().count();
    if length < MIN_PASSWORD {
        return Err(Message::new("server.password-short").with("min", MIN_PASSWORD));
    }
    if length > MAX_PASSWORD {
        return Err(Message::new("server.password-long").with("max", MAX_PASSWORD));
    }
    let folded = password.to_lowercase();
    let is_rest = |rest: &str| rest.chars().all(|c| !c.is_alphabetic());
    let begins = |word: &str| folded.strip_prefix(word).is_some_and(is_rest);
    let repeats = folded.chars().collect::<HashSet<_>>().len() < 4;
    if repeats
        || is_walk(&folded)
        || is_doubled(&folded)
        || COMMON.iter().any(|word| begins(word))
        || begins("hromada")
        || begins(person)
    {
        return Err(Message::new("server.password-common"));
    }
    Ok(())
}

/// Ways that fingers go by themselves.
const WALKS: [&str; 9] = [
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "йцукенгшщзхї",
    "фівапролджє",
    "ячсмитьбю",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
];

/// Whether most of a password is such ways, there or back.
fn is_walk(folded: &str) -> bool {
    const LEAST: usize = 4;
    let chars: Vec<char> = folded.chars().collect();
    let steps = |a: usize, b: usize| {
        let part: String = chars[a..b].iter().collect();
        let back: String = part.chars().rev().collect();
        WALKS.iter().any(|w| w.contains(&part) || w.contains(&back))
    };
    let (mut at, mut covered) = (0, 0);
    while at + LEAST <= chars.len() {
        let longest = (at + LEAST..=chars.len()).rev().find(|end| steps(at, *end));
        match longest {
            Some(end) => {
                covered += end - at;
                at = end;
            }
            None => at += 1,
        }
    }
    covered * 4 >= chars.len() * 3
}

/// Whether a password is one word again and again.
fn is_doubled(folded: &str) -> bool {
    let chars: Vec<char> = folded.chars().collect();
    (1..=chars.len() / 2)
        .filter(|n| chars.len().is_multiple_of(*n))
        .any(|n| chars.chunks(n).all(|part| part == &chars[..n]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_hash_and_no_other() {
        let hash = hashed("довгий пароль 1").unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(fits(&hash, "довгий пароль 1"));
        assert!(!fits(&hash, "довгий пароль 2"));
        assert!(!fits("", "") && !fits("nonsense", "nonsense"));
        assert_ne!(hash, hashed("довгий пароль 1").unwrap());
    }

    #[test]
    fn short_and_common_passwords_are_refused() {
        let key = |password: &str| require_good(password, "o.koval").err().map(|m| m.key());
        assert_eq!(key("кінь батарея"), None);
        assert_eq!(key("correct horse"), None);
        assert_eq!(key("short"), Some("server.password-short"));
        assert_eq!(key(&"ab".repeat(200)), Some("server.password-long"));
        for common in [
            "Password1234",
            "111111111111",
            "qwertyuiop123",
            "hromada2026!",
            "o.koval12345",
            "Україна202026",
            "abababababab",
            "1q2w3e4r5t6y",
            "qwertyqwerty",
            "passwordpassword",
            "йцукенгшщзхї",
            "1qaz2wsx3edc",
            "poiuytrewq12",
            "hundhundhund",
        ] {
            assert_eq!(key(common), Some("server.password-common"), "{common}");
        }
    }
}
