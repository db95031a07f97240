//! Passwords: argon2id (RFC 9106) with the parameters that OWASP names, 19 MiB and two passes.

use std::collections::HashSet;
use std::sync::LazyLock;

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use model::Message;
use model::access::Person;

use crate::app::App;
use crate::problem::Problem;

/// Shortest password in characters. Length is what counts; which characters is not asked (ASVS 5.0 §6.2.1, §6.2.5).
pub(crate) const MIN_PASSWORD: usize = 12;

/// Longest password, so that hashing it stays cheap (ASVS 5.0 §6.2.9 asks for 64 at least).
pub(crate) const MAX_PASSWORD: usize = 256;

/// Those of at least twelve characters among the million most frequent of known leaks, sorted (ASVS 5.0 §6.2.4, §6.2.12):
/// `data/README.md` says whose list it is.
static LEAKED: LazyLock<Vec<&str>> = LazyLock::new(|| {
    include_str!("../../data/common-passwords.txt")
        .lines()
        .collect()
});

/// Words that many begin with; a password that only goes on with digits and marks is no better.
const COMMON: [&str; 13] = [
    "password",
    "passw0rd",
    "iloveyou",
    "letmein",
    "welcome",
    "administrator",
    "admin",
    "пароль",
    "україна",
    "ukraine",
    "changeme",
    "hromada",
    "громада",
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

/// Whether a hash is of other parameters than new ones.
pub(super) fn is_old(app: &App, hash: &str) -> bool {
    parameters(hash) != parameters(&app.passwords.nobody)
}

/// What stands before salt and hash (PHC string format): algorithm, version, cost.
fn parameters(hash: &str) -> Option<&str> {
    let (before, _) = hash.rsplit_once('$')?;
    Some(before.rsplit_once('$')?.0)
}

/// Words that a password of somebody must not be made of: their own names and those of the server (ASVS 5.0 §6.2.11).
pub(super) fn own_words(app: &App, person: &str) -> Vec<String> {
    let directory = app.store.directory();
    let name = directory.people.get(person).map(|p| p.name.clone());
    let url = app.options.base_url.clone().unwrap_or_default();
    let texts = [person.to_owned(), name.unwrap_or_default(), url];
    let words = texts
        .iter()
        .flat_map(|text| text.split([' ', '.', '/', ':', '@', '-', '_']));
    let words = words
        .map(str::to_lowercase)
        .filter(|w| w.chars().count() > 3);
    words.chain([person.to_lowercase()]).collect()
}

/// # Errors
/// What is wrong with a new password of somebody who has these words for their own.
pub(super) fn require_good(password: &str, own: &[String]) -> Result<(), Message> {
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
        || is_leaked(&folded)
        || COMMON.iter().any(|word| begins(word))
        || own.iter().any(|word| begins(word))
    {
        return Err(Message::new("server.password-common"));
    }
    Ok(())
}

/// Whether a password is of the list, in itself or by the keys that it is typed with: many of the list are Cyrillic words
/// on Latin keys.
fn is_leaked(folded: &str) -> bool {
    let typed: String = folded.chars().map(key).collect();
    let known = |text: &str| LEAKED.binary_search(&text).is_ok();
    known(folded) || known(&typed)
}

/// The letters of the Ukrainian and the Latin keyboard that share a key.
const KEYS: [(&str, &str); 3] = [
    ("йцукенгшщзхї", "qwertyuiop[]"),
    ("фівапролджє", "asdfghjkl;'"),
    ("ячсмитьбю", "zxcvbnm,."),
];

/// What the key of a letter writes on the Latin keyboard; Russian letters lie where the Ukrainian ones do not.
fn key(letter: char) -> char {
    match letter {
        'ы' => 's',
        'э' => '\'',
        'ъ' => ']',
        'ё' => '`',
        _ => {
            let mut rows = KEYS.iter();
            let found = rows.find_map(|(own, latin)| {
                let place = own.chars().position(|c| c == letter)?;
                latin.chars().nth(place)
            });
            found.unwrap_or(letter)
        }
    }
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
    fn the_list_is_sorted_and_long_enough() {
        assert!(LEAKED.is_sorted() && LEAKED.len() > 3_000);
        assert!(LEAKED.iter().all(|p| p.chars().count() >= MIN_PASSWORD));
    }

    #[test]
    fn a_hash_of_other_parameters_is_told() {
        let own = hashed("довгий пароль 1").unwrap();
        assert_eq!(parameters(&own), Some("$argon2id$v=19$m=19456,t=2,p=1"));
        assert_eq!(
            parameters("$argon2id$v=19$m=4096,t=3,p=1$c2FsdA$aGFzaA"),
            Some("$argon2id$v=19$m=4096,t=3,p=1")
        );
        assert_eq!(parameters(""), None);
    }

    #[test]
    fn short_and_common_passwords_are_refused() {
        let own = ["o.koval", "оксана", "kalush"].map(str::to_owned);
        let key = |password: &str| require_good(password, &own).err().map(|m| m.key());
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
            "Kalush-202026",
            "Оксана1990!!!!",
            // Of the list, and in letters that share its keys.
            "chickenwing101",
            "Justinbieber",
            "владимирский",
            "простопароль",
        ] {
            assert_eq!(key(common), Some("server.password-common"), "{common}");
        }
    }
}
