//! Who a request comes from: a token in `Authorization`, or the session of a browser.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE};
use model::Message;
use model::access::{Directory, PersonKind, Principal};
use store::{Key, KeyHash, KeyKind};

use crate::app::App;
use crate::problem::Problem;

/// The session's cookie; the prefix makes browsers hold to `Secure`, the host and the path (RFC 6265bis §4.1.3.2).
pub(crate) const COOKIE_SECURE: &str = "__Host-hromada-session";
/// Where the server is reached without TLS.
pub(crate) const COOKIE_PLAIN: &str = "hromada-session";

/// A browser that sends nothing for this long has to sign in again (ASVS 5.0 §7.3.1).
pub(crate) const IDLE: Duration = Duration::from_secs(4 * 3600);

/// A working day; then one signs in again, whatever one does (ASVS 5.0 §7.3.2).
pub(crate) const SESSION: Duration = Duration::from_secs(12 * 3600);

/// Keys whose owner is known without asking the store; each was asked for within the last minute.
const MAX_KNOWN: usize = 10_000;
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// How somebody showed who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    Nothing,
    Token(KeyHash),
    Session(KeyHash),
}

/// Who a request comes from.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) principal: Arc<Principal>,
    pub(crate) by: By,
}

impl Identity {
    pub(crate) fn anonymous() -> Self {
        static NOBODY: LazyLock<Arc<Principal>> =
            LazyLock::new(|| Arc::new(Principal::anonymous()));
        Self {
            principal: Arc::clone(&NOBODY),
            by: By::Nothing,
        }
    }
}

/// Keys that were looked up lately.
#[derive(Default)]
pub(crate) struct Known {
    keys: Mutex<HashMap<KeyHash, Entry>>,
}

#[derive(Clone)]
struct Entry {
    key: Key,
    principal: Arc<Principal>,
    /// The directory and the day that the principal is of.
    version: i64,
    day: String,
    at: Instant,
}

/// # Errors
/// 401 for a token that is none, whatever is wrong with it: unknown, expired, revoked, of an account that is switched
/// off. A session like that is no error: whoever has it is anybody again.
pub(crate) async fn of(app: &App, headers: &HeaderMap) -> Result<Identity, Problem> {
    found(app, headers, Visit::Noted).await
}

/// Who somebody still is that asked some time ago.
///
/// # Errors
/// As [`of`].
pub(crate) async fn still(app: &App, headers: &HeaderMap) -> Result<Identity, Problem> {
    found(app, headers, Visit::Unnoted).await
}

/// Whether showing a key is a sign of life of its owner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    Noted,
    Unnoted,
}

async fn found(app: &App, headers: &HeaderMap, visit: Visit) -> Result<Identity, Problem> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let shown = value.to_str().ok().and_then(token);
        let Some((owner, token)) = shown else {
            return Err(refused());
        };
        let hash = KeyHash::of(&token);
        let found = known(app, &hash, KeyKind::Token, visit).await?;
        let Some(entry) = found.filter(|e| owner.is_none_or(|owner| owner == e.key.person)) else {
            return Err(refused());
        };
        return Ok(Identity {
            principal: entry.principal,
            by: By::Token(hash),
        });
    }
    let Some(secret) = cookie(headers, app.cookie()) else {
        return Ok(Identity::anonymous());
    };
    let hash = KeyHash::of(&secret);
    Ok(match known(app, &hash, KeyKind::Session, visit).await? {
        Some(entry) => Identity {
            principal: entry.principal,
            by: By::Session(hash),
        },
        None => Identity::anonymous(),
    })
}

fn refused() -> Problem {
    Problem::sign_in(Message::new("server.token-refused"))
}

/// The owner of a key, if it is good.
async fn known(
    app: &App,
    hash: &KeyHash,
    kind: KeyKind,
    visit: Visit,
) -> Result<Option<Entry>, Problem> {
    let (now, day) = (now(), today());
    let version = app.store.directory_version();
    let kept = {
        let keys = app
            .known
            .keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_fresh =
            |e: &&Entry| e.version == version && e.day == day && e.at.elapsed() < KNOWN_FOR;
        keys.get(hash).filter(is_fresh).cloned()
    };
    if let Some(entry) = kept {
        return Ok(is_good(&entry.key, kind, &now).then_some(entry));
    }
    let Some(key) = app.store.key(hash).await? else {
        return Ok(None);
    };
    if !is_good(&key, kind, &now) {
        return Ok(None);
    }
    let directory = app.store.directory();
    let Some(mut principal) = directory.principal(&key.person, &day) else {
        return Ok(None);
    };
    if kind == KeyKind::Token {
        principal = principal.narrowed(&key.scopes, key.collections.clone());
    }
    if app.options.require_second_factor && lacks_second(&directory, &key) {
        principal.grants.clear();
    }
    if visit == Visit::Unnoted {
        // Not kept either: what is kept counts as seen just now.
        return Ok(Some(Entry {
            principal: Arc::new(principal),
            key,
            version,
            day,
            at: Instant::now(),
        }));
    }
    // To the minute, so that reading does not write.
    if key.seen.get(..16) < now.get(..16) {
        // Beside the answer: it must not wait for whoever writes, nor for a disk that is full.
        let (store, hash, now) = (app.store.clone(), hash.clone(), now.clone());
        tokio::spawn(async move {
            if let Err(error) = store.key_seen(&hash, &now).await {
                tracing::warn!(%error, "it could not be noted that somebody was here");
            }
        });
    }
    let entry = Entry {
        key: Key { seen: now, ..key },
        principal: Arc::new(principal),
        version,
        day,
        at: Instant::now(),
    };
    let mut keys = app
        .known
        .keys
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if keys.len() >= MAX_KNOWN {
        keys.clear();
    }
    keys.insert(hash.clone(), entry.clone());
    Ok(Some(entry))
}

/// Whether the owner of a key is a person without a second factor. Whoever signed in elsewhere for it has theirs there; a
/// password that they have here too does not stand for it.
fn lacks_second(directory: &Directory, key: &Key) -> bool {
    let person = directory.people.get(&key.person);
    person.is_some_and(|p| p.kind == PersonKind::Person && p.second_factor.is_none())
        && key.proved.is_none()
}

fn is_good(key: &Key, kind: KeyKind, now: &str) -> bool {
    let is_idle = kind == KeyKind::Session && key.seen.as_str() < before(IDLE + KNOWN_FOR).as_str();
    key.kind == kind && key.expires.as_str() > now && !is_idle
}

/// The token of an `Authorization` header, and whose it is said to be: `Bearer` (RFC 6750 §2.1), or the password of
/// `Basic` (RFC 7617), which is what QGIS and GDAL have fields for. Passwords of people are not taken: they would pass
/// by the second factor.
fn token(value: &str) -> Option<(Option<String>, String)> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((None, rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(base64(rest)?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((Some(name.to_owned()), password.to_owned()))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    use base64ct::{Base64, Encoding};
    Base64::decode_vec(text).ok()
}

/// The value of a cookie.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    // Others' cookies beside ours may hold any bytes.
    let lines = headers.get_all(COOKIE).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|b| *b == b';'))
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, value)| value.to_owned())
}

/// Now, in the form of the store's keys.
pub(crate) fn now() -> String {
    time(SystemTime::now())
}

pub(crate) fn after(time_left: Duration) -> String {
    time(SystemTime::now() + time_left)
}

pub(crate) fn before(ago: Duration) -> String {
    time(SystemTime::now() - ago)
}

/// The day that assignments are asked for; it changes at midnight UTC, two or three hours after that of Kyiv.
pub(crate) fn today() -> String {
    now()[..10].to_owned()
}

/// A time in seconds since 1970, in the form of the store's keys.
pub(crate) fn at(seconds: i64) -> String {
    time(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

pub(crate) fn seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

fn time(at: SystemTime) -> String {
    const DAY: u64 = 86_400;
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let days = i64::try_from(since.as_secs() / DAY).unwrap_or(i64::MAX);
    let micros = since.as_secs() % DAY * 1_000_000 + u64::from(since.subsec_millis()) * 1_000;
    model::date_time_of(days, i64::try_from(micros).unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn tokens_come_as_bearer_or_as_the_password_of_basic() {
        let some =
            |owner: Option<&str>, token: &str| Some((owner.map(str::to_owned), token.to_owned()));
        assert_eq!(token("Bearer abc"), some(None, "abc"));
        assert_eq!(token("bearer  abc"), some(None, "abc"));
        // qgis:a:b
        assert_eq!(token("Basic cWdpczphOmI="), some(Some("qgis"), "a:b"));
        for bad in [
            "",
            "Bearer",
            "Digest x",
            "Basic !",
            "Basic cWdpcw==",
            "Basic /w==",
        ] {
            assert_eq!(token(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let headers = HeaderMap::from_iter([(
            COOKIE,
            HeaderValue::from_bytes("тема=ні; xhromada-session=no; hromada-session=yes".as_bytes())
                .unwrap(),
        )]);
        assert_eq!(cookie(&headers, COOKIE_PLAIN).as_deref(), Some("yes"));
        assert_eq!(cookie(&headers, COOKIE_SECURE), None);
    }

    #[test]
    fn times_compare_as_texts() {
        assert!(now() < after(Duration::from_secs(1)));
        assert_eq!(today().len(), 10);
    }
}
