//! Telling other programs of changes: each address gets what happens in its order, signed, until it says that it has it
//! (Standard Webhooks, <https://www.standardwebhooks.com>).
//!
//! Nothing waits in a queue: what is told is the difference between what an address was told last and now, so one that is away
//! for a week costs nothing and then gets what is different by then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use model::access::Principal;
use model::{Bbox, Message};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};
use ring::hmac;
use serde_json::json;
use store::{KeptWebhook, Told, Webhook};
use tokio::task::JoinHandle;

use crate::app::App;
use crate::changes::{About, Event, Position, Watch};
use crate::identity::{after, now, seconds, today};
use crate::limits::STREAM_PAUSE;
use crate::link::JSON;
use crate::seal::Unopened;

/// Events in one request: some hundred kilobytes.
const MAX_EVENTS: usize = 1_000;

/// For an answer, with the connection to it; receivers do their work after it.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two looks for addresses that were added or removed.
const EVERY: Duration = Duration::from_secs(2);

/// Without news an address is looked after this often: its rights may have changed.
const QUIET: Duration = Duration::from_secs(10);

/// How long a server is the one that tells an address, where several share a database: longer than an answer takes.
const HELD: Duration = Duration::from_secs(30);

/// It says so again after this long.
const HOLD_AGAIN: Duration = Duration::from_secs(5);

/// Before the second attempt; before each later one twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// An address that takes nothing for so long is given up until somebody says otherwise.
const GIVEN_UP: Duration = Duration::from_secs(5 * 86_400);

/// Characters of a reason that is kept.
const MAX_ERROR: usize = 200;

const SECRET_PREFIX: &str = "whsec_";

/// A new secret, in the form of Standard Webhooks.
pub fn webhook_secret() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    format!("{SECRET_PREFIX}{}", Base64::encode_string(&bytes))
}

/// Reads the address of a webhook.
///
/// # Errors
/// For what is no URL, has a user in it, or is not `https` where it has to be.
pub fn parse_webhook_url(text: &str, is_internal: bool) -> Result<String, Message> {
    let refused = |key| Err(Message::new(key).with("url", text));
    let Ok(url) = Url::parse(text) else {
        return refused("server.webhook-url");
    };
    if !url.username().is_empty() || url.password().is_some() || url.host().is_none() {
        return refused("server.webhook-url");
    }
    match url.scheme() {
        "https" => {}
        "http" if is_internal => {}
        "http" => return refused("server.webhook-plain"),
        _ => return refused("server.webhook-url"),
    }
    if !is_internal && literal(&url).is_some_and(is_private) {
        return refused("server.webhook-private");
    }
    Ok(url.into())
}

/// The address that stands in a URL in the place of a name.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// Whether an address is in nobody's or in an own network: what is there is not to be reached by whoever may name a URL
/// (ASVS 5.0 §1.3.6).
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                // Shared by the customers of a provider (RFC 6598), protocol assignments (RFC 6890), benchmarks (RFC 2544).
                || a == 100 && (64..128).contains(&b)
                || a == 192 && b == 0 && c == 0
                || a == 198 && (18..20).contains(&b)
        }
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            let embedded = match segments {
                // IPv4 within IPv6: NAT64 (RFC 6052), 6to4 (RFC 3056).
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
                    let [a, b] = high.to_be_bytes();
                    let [c, d] = low.to_be_bytes();
                    Some(IpAddr::from([a, b, c, d]))
                }
                _ => None,
            };
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || segments[0] & 0xfe00 == 0xfc00
                // Of the link, and of the site as it once was (RFC 3879).
                || segments[0] & 0xff80 == 0xfe80
                // NAT64 of a network's own (RFC 8215).
                || segments[..3] == [0x64, 0xff9b, 1]
                || segments[0] == 0x2001 && segments[1] == 0xdb8
                || embedded.is_some_and(is_private)
        }
    }
}

/// Finds the addresses of a name and leaves out those that are not to be reached: the connection goes to what was looked at.
struct Outward;

impl Resolve for Outward {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let outward: Vec<SocketAddr> = found.filter(|at| !is_private(at.ip())).collect();
            if outward.is_empty() {
                let reason = "the name has no address outside of private networks";
                return Err(reason.into());
            }
            Ok(Box::new(outward.into_iter()) as Addrs)
        })
    }
}

fn client(is_internal: bool) -> reqwest::Result<Client> {
    // The one provider of TLS that rustls is built with; it may be there already.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .no_proxy();
    if is_internal {
        return builder.build();
    }
    builder
        .https_only(true)
        .dns_resolver(Arc::new(Outward))
        .build()
}

/// Tells all addresses, until the server ends.
pub(crate) async fn run(app: App) {
    let holder = holder(&app);
    let mut ending = app.ending.subscribe();
    let mut telling: BTreeMap<String, (KeptWebhook, Telling)> = BTreeMap::new();
    loop {
        match app.store.webhooks().await {
            Ok(kept) if app.store.live().loaded => {
                let ids: BTreeSet<&str> = kept.iter().map(|k| k.webhook.id.as_str()).collect();
                telling.retain(|id, (_, task)| ids.contains(id.as_str()) && !task.0.is_finished());
                for kept in kept {
                    let id = kept.webhook.id.clone();
                    // One that was removed and added anew, or whose address is another, begins anew.
                    let is_same = |(known, _): &(KeptWebhook, Telling)| {
                        known.webhook == kept.webhook && known.secret == kept.secret
                    };
                    let is_due = kept.told.due.as_deref().is_none_or(|due| *due <= *now());
                    if telling.get(&id).is_some_and(is_same) || kept.told.is_off || !is_due {
                        continue;
                    }
                    let task = tell(app.clone(), kept.clone(), holder.clone());
                    telling.insert(id, (kept, Telling(tokio::spawn(task))));
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "webhooks can't be read"),
        }
        tokio::select! {
            _ = ending.wait_for(|ending| *ending) => break,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    drop(telling);
    // Another server need not wait.
    if let Err(error) = app.store.release_webhooks(&holder).await {
        tracing::warn!(%error, "webhooks are not let go of; others tell them in half a minute");
    }
}

/// A task that ends with what it is for.
struct Telling(JoinHandle<()>);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The name of this process among those that share a database. A file has one, whose name after a restart is the same.
fn holder(app: &App) -> String {
    match app.store.file() {
        Some(_) => "file".to_owned(),
        None => random(),
    }
}

fn random() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    Base64UrlUnpadded::encode_string(&bytes)
}

/// Why telling ends for now.
enum End {
    /// Another server tells this address, or nobody is to.
    Held,
    Store(String),
    /// It was not taken.
    Refused(String),
    /// It is not to be told any more.
    Gone(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("another server tells it"),
            Self::Store(reason) | Self::Refused(reason) | Self::Gone(reason) => f.write_str(reason),
        }
    }
}

/// Tells one address until something fails; when it is tried again stands in the store.
async fn tell(app: App, kept: KeptWebhook, holder: String) {
    let id = kept.webhook.id.clone();
    let mut told = kept.told.clone();
    let Err(end) = tell_on(&app, &kept, &holder, &mut told).await;
    let (error, is_gone) = match end {
        // The task ends some time later, and then it is tried again.
        End::Held => return tokio::time::sleep(HELD / 4).await,
        End::Store(error) => {
            tracing::warn!(webhook = id, %error, "changes can't be told now");
            return tokio::time::sleep(HELD).await;
        }
        End::Refused(error) => (error, false),
        End::Gone(error) => (error, true),
    };
    let first = told.since.get_or_insert_with(now).clone();
    told.failures = told.failures.saturating_add(1);
    told.is_off = is_gone || first <= crate::identity::before(GIVEN_UP);
    told.due = Some(after(pause(told.failures)));
    tracing::warn!(webhook = id, %error, failures = told.failures, is_off = told.is_off, "changes were not taken");
    told.error = Some(error.chars().take(MAX_ERROR).collect());
    if let Err(error) = app.store.note_told(&id, &holder, told).await {
        tracing::warn!(webhook = id, %error, "it could not be noted that changes were not taken");
        tokio::time::sleep(HELD).await;
    }
}

/// Longer after each failure, and not the same for all, so that those of one receiver do not come together.
fn pause(failures: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(20));
    let pause = doubled.min(LONGEST_PAUSE);
    let mut byte = [0];
    getrandom::fill(&mut byte).expect("the system has random numbers");
    pause + pause.mul_f64(f64::from(byte[0]) / 1024.0)
}

async fn tell_on(
    app: &App,
    kept: &KeptWebhook,
    holder: &str,
    told: &mut Told,
) -> Result<std::convert::Infallible, End> {
    let webhook = &kept.webhook;
    let client = client(webhook.is_internal).map_err(|e| End::Refused(causes(&e)))?;
    let mut news = app.store.news();
    hold(app, &webhook.id, holder).await?;
    let mut held = tokio::time::Instant::now();
    let bbox = webhook.bbox.and_then(|numbers| Bbox::new(&numbers).ok());
    let about = About::new(webhook.collections.clone(), bbox);
    let sight = app.sight_of(principal(app, webhook)?);
    let since = match told.epoch == *sight.epoch() {
        true => Ok(Position {
            seq: told.seq,
            seen: told.seen,
        }),
        false => Err(Unopened::Other),
    };
    let watch = Watch::new(&sight, about, Some(since)).await;
    let mut watch = watch.map_err(|_| End::Store("what was told last can't be read".to_owned()))?;
    loop {
        let sight = app.sight_of(principal(app, webhook)?);
        let (epoch, seq) = ((*sight.epoch()).clone(), sight.reached());
        let events = watch.step(app, &sight).await;
        let events = events.map_err(|_| End::Store("what changed can't be read".to_owned()))?;
        for part in events.chunks(MAX_EVENTS) {
            if held.elapsed() > HOLD_AGAIN {
                hold(app, &webhook.id, holder).await?;
                held = tokio::time::Instant::now();
            }
            // What is tried again may tell of more, so it is another message.
            send(&client, kept, &format!("msg_{}", random()), part).await?;
        }
        // What is quiet is not written down each time: it would be told again from an earlier change on, as nothing.
        let is_far = seq.0 - told.seq.0 > 1_000;
        let seen = Some(watch.seen());
        let is_other = epoch != told.epoch || seen != told.seen || told.failures > 0;
        if !events.is_empty() || is_other || is_far {
            *told = Told {
                epoch,
                seq,
                seen,
                last: match events.is_empty() {
                    true => told.last.take(),
                    false => Some(now()),
                },
                failures: 0,
                since: None,
                due: None,
                error: None,
                is_off: false,
            };
            let noted = app.store.note_told(&webhook.id, holder, told.clone()).await;
            if !noted.map_err(|e| End::Store(e.to_string()))? {
                return Err(End::Held);
            }
        }
        let _ = tokio::time::timeout(QUIET, news.changed()).await;
        if held.elapsed() > HOLD_AGAIN {
            hold(app, &webhook.id, holder).await?;
            held = tokio::time::Instant::now();
        }
        tokio::time::sleep(STREAM_PAUSE).await;
    }
}

async fn hold(app: &App, id: &str, holder: &str) -> Result<(), End> {
    let held = app.store.hold_webhook(id, holder, HELD).await;
    match held.map_err(|e| End::Store(e.to_string()))? {
        true => Ok(()),
        false => Err(End::Held),
    }
}

/// Through whose eyes an address sees. Whoever has left sees nothing, and their address waits.
fn principal(app: &App, webhook: &Webhook) -> Result<Principal, End> {
    let directory = app.store.directory();
    let principal = directory.principal(&webhook.person, &today());
    principal.ok_or_else(|| End::Refused(format!("the account {} is switched off", webhook.person)))
}

async fn send(
    client: &Client,
    kept: &KeptWebhook,
    message: &str,
    events: &[Event],
) -> Result<(), End> {
    let all: Vec<_> = events
        .iter()
        .map(|event| {
            let (kind, mut data) = event.told();
            data["type"] = kind.into();
            data
        })
        .collect();
    let body =
        json!({ "type": "changes", "timestamp": now(), "data": { "events": all } }).to_string();
    let time = seconds();
    let signature = signature(&kept.secret, message, time, &body)
        .ok_or_else(|| End::Refused("the secret can't be read".to_owned()))?;
    let url = Url::parse(&kept.webhook.url).map_err(|e| End::Refused(e.to_string()))?;
    if !kept.webhook.is_internal && literal(&url).is_some_and(is_private) {
        return Err(End::Refused(
            "the address is in a private network".to_owned(),
        ));
    }
    let request = client
        .post(url)
        .header(CONTENT_TYPE, JSON)
        .header("webhook-id", message)
        .header("webhook-timestamp", time)
        .header("webhook-signature", signature)
        .body(body);
    // The rest of the answer is nobody's business.
    let answer = request.send().await.map_err(|e| End::Refused(causes(&e)))?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(End::Gone(
            "it answers 410: it is not there any more".to_owned(),
        )),
        status => Err(End::Refused(format!("it answers {status}"))),
    }
}

/// `v1,` and the HMAC-SHA256 over id, time and body.
fn signature(secret: &str, id: &str, time: i64, body: &str) -> Option<String> {
    let bytes = Base64::decode_vec(secret.strip_prefix(SECRET_PREFIX)?).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    let tag = hmac::sign(&key, format!("{id}.{time}.{body}").as_bytes());
    Some(format!("v1,{}", Base64::encode_string(tag.as_ref())))
}

/// An error of the client with those behind it, without the URL, which may have a secret in it.
fn causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "no answer came in time".to_owned()
    } else {
        "it can't be reached".to_owned()
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The example of the specification's libraries.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(
            signed.unwrap(),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn what_is_in_an_own_network_is_not_reached() {
        for private in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "ff02::1",
            "2001:db8::1",
            "fec0::1",
            "64:ff9b:1::a00:1",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
            let host = if private.contains(':') {
                format!("[{private}]")
            } else {
                private.to_owned()
            };
            let url = format!("https://{host}/x");
            let refused = parse_webhook_url(&url, false).unwrap_err();
            assert_eq!(refused.key(), "server.webhook-private", "{url}");
            parse_webhook_url(&url, true).unwrap();
        }
        for public in [
            "93.184.215.14",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2a00:1450::1",
            "64:ff9b::808:808",
        ] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
        // Numbers in other forms are addresses too.
        for url in ["https://2130706433/", "https://0x7f.1/", "https://127.1/"] {
            assert_eq!(
                parse_webhook_url(url, false).unwrap_err().key(),
                "server.webhook-private"
            );
        }
    }

    #[test]
    fn an_address_is_read_strictly() {
        let key = |text: &str| parse_webhook_url(text, false).unwrap_err().key();
        assert_eq!(key("http://example.org/"), "server.webhook-plain");
        assert_eq!(key("ftp://example.org/"), "server.webhook-url");
        assert_eq!(
            key("https://user:secret@example.org/"),
            "server.webhook-url"
        );
        assert_eq!(key("example.org"), "server.webhook-url");
        parse_webhook_url("https://example.org/hook?token=1", false).unwrap();
    }

    #[test]
    fn pauses_grow_to_an_hour() {
        assert!(pause(1) >= FIRST_PAUSE && pause(1) < FIRST_PAUSE * 2);
        assert!(pause(5) >= FIRST_PAUSE * 16);
        for failures in [12, 30, u32::MAX] {
            assert!(pause(failures) >= LONGEST_PAUSE && pause(failures) < LONGEST_PAUSE * 2);
        }
    }
}
