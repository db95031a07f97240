//! Other programs are told of changes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use base64ct::{Base64, Encoding};
use model::CollectionId;
use model::access::{Access, Class};
use ring::hmac;
use serde_json::{Value as Json, json};
use store::{AuditEntry, KeptWebhook, Store, Webhook};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::connection::{Running, start_with};
use crate::town::{Town, token};

const WELLS: &str = "/collections/wells/items";

/// Longer than anything takes: what has not come then does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that is told.
pub(crate) struct Receiver {
    pub(crate) url: String,
    inner: Arc<Inbox>,
}

struct Inbox {
    /// What it answers, the last one again and again.
    answers: Mutex<Vec<StatusCode>>,
    requests: Mutex<Vec<(HeaderMap, String, StatusCode)>>,
    count: watch::Sender<usize>,
}

impl Receiver {
    pub(crate) async fn new(answers: &[u16]) -> Self {
        let answers = answers
            .iter()
            .map(|code| StatusCode::from_u16(*code).unwrap());
        let inner = Arc::new(Inbox {
            answers: Mutex::new(answers.collect()),
            requests: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state(Arc::clone(&inner));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// Waits for so many requests.
    pub(crate) async fn wait(&self, count: usize) {
        let mut counted = self.inner.count.subscribe();
        let waited = counted.wait_for(|n| *n >= count);
        let waited = tokio::time::timeout(PATIENCE, waited).await;
        assert!(
            waited.is_ok(),
            "{count} requests do not come: {:?}",
            self.taken()
        );
    }

    /// Events that it has taken, in their order.
    pub(crate) fn taken(&self) -> Vec<Json> {
        let requests = self.inner.requests.lock().unwrap();
        let taken = requests.iter().filter(|(_, _, status)| status.is_success());
        taken
            .flat_map(|(_, body, _)| {
                let body: Json = serde_json::from_str(body).unwrap();
                body["data"]["events"].as_array().unwrap().clone()
            })
            .collect()
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let status = {
        let mut answers = inbox.answers.lock().unwrap();
        if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0]
        }
    };
    let body = String::from_utf8(body.to_vec()).unwrap();
    inbox.requests.lock().unwrap().push((headers, body, status));
    inbox.count.send_modify(|n| *n += 1);
    status
}

pub(crate) fn webhook(url: &str, person: &str) -> Webhook {
    Webhook {
        id: "hook".to_owned(),
        url: url.to_owned(),
        person: person.to_owned(),
        collections: None,
        bbox: None,
        is_internal: true,
    }
}

async fn serve(town: &Town) -> Running {
    start_with(town.store.clone(), server::Options::default()).await
}

async fn add(town: &Town, x: f64) -> String {
    let body = json!({ "type": "Feature", "properties": { "depth": 1 }, "geometry": { "type": "Point", "coordinates": [x, 48.5] } });
    let json = [("content-type", "application/geo+json")];
    let made = town
        .request(Method::POST, WELLS, &json, body.to_string())
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.header("location")
        .rsplit_once('/')
        .unwrap()
        .1
        .to_owned()
}

async fn kept(store: &Store) -> KeptWebhook {
    store.webhooks().await.unwrap().remove(0)
}

/// Waits until it is known how an address fares.
async fn until(store: &Store, fares: impl Fn(&KeptWebhook) -> bool) -> KeptWebhook {
    let begun = std::time::Instant::now();
    loop {
        let kept = kept(store).await;
        if fares(&kept) {
            return kept;
        }
        assert!(begun.elapsed() < PATIENCE, "{kept:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_told_in_order_signed_and_again_until_it_takes_it() {
    let town = Town::with_edits().await;
    token(&town.store, "reader", &["inspector"]).await;
    let receiver = Receiver::new(&[500, 200]).await;
    let secret = server::webhook_secret();
    // What was before is not told.
    add(&town, 24.0).await;
    let hook = webhook(&receiver.url, "reader");
    town.store
        .add_webhook("test", hook, secret.clone())
        .await
        .unwrap();
    let running = serve(&town).await;
    let first = add(&town, 24.1).await;
    receiver.wait(1).await;
    let failing = until(&town.store, |k| k.told.failures == 1).await;
    assert!(failing.told.error.unwrap().contains("500"));
    // Meanwhile more happens.
    let second = add(&town, 24.2).await;
    receiver.wait(2).await;
    let told = until(&town.store, |k| k.told.last.is_some()).await.told;
    assert_eq!((told.failures, told.due, told.error), (0, None, None));
    let third = add(&town, 24.3).await;
    receiver.wait(3).await;
    let ids: Vec<String> = receiver
        .taken()
        .iter()
        .map(|event| {
            assert_eq!(
                (&event["type"], &event["action"]),
                (&json!("change"), &json!("create"))
            );
            event["feature"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids, [first, second, third.clone()]);
    let key = Base64::decode_vec(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let mut messages = Vec::new();
    for (headers, body, _) in receiver.inner.requests.lock().unwrap().iter() {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let signed = format!(
            "{}.{}.{body}",
            header("webhook-id"),
            header("webhook-timestamp")
        );
        let signature = header("webhook-signature");
        let tag = Base64::decode_vec(signature.strip_prefix("v1,").unwrap()).unwrap();
        hmac::verify(&key, signed.as_bytes(), &tag).unwrap();
        assert!(hmac::verify(&key, format!("{signed} ").as_bytes(), &tag).is_err());
        messages.push(header("webhook-id"));
    }
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), 3, "each message has its id");
    // What happens while the server is not there is told when it is again.
    until(&town.store, |k| k.told.seq == town.store.live().reached()).await;
    running.end().await;
    let delete = town
        .request(Method::DELETE, &format!("{WELLS}/{third}"), &[], "")
        .await;
    assert_eq!(delete.status, 204);
    let running = serve(&town).await;
    receiver.wait(4).await;
    let last = receiver.taken().pop().unwrap();
    assert_eq!(
        (&last["action"], &last["feature"]),
        (&json!("delete"), &json!(third))
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_told_what_its_account_sees_and_of_where_it_asked() {
    let town = Town::with_edits().await;
    token(&town.store, "reader", &["inspector"]).await;
    let receiver = Receiver::new(&[200]).await;
    let hook = Webhook {
        collections: Some(vec!["wells".to_owned()]),
        bbox: Some([24.0, 48.0, 25.0, 49.0]),
        ..webhook(&receiver.url, "reader")
    };
    let secret = server::webhook_secret();
    town.store.add_webhook("test", hook, secret).await.unwrap();
    let running = serve(&town).await;
    add(&town, 30.0).await;
    let inside = add(&town, 24.5).await;
    receiver.wait(1).await;
    let features: Vec<Json> = receiver
        .taken()
        .iter()
        .map(|e| e["feature"].clone())
        .collect();
    assert_eq!(features, [json!(inside)]);
    // Whoever has left sees nothing.
    let entry = AuditEntry::new("person.disable", "reader");
    let disabled = town.store.amend("test", |directory| {
        directory.people.get_mut("reader").unwrap().is_disabled = true;
        Ok((entry, ()))
    });
    disabled.await.unwrap();
    add(&town, 24.6).await;
    let failing = until(&town.store, |k| k.told.failures > 0).await;
    assert!(failing.told.error.unwrap().contains("reader"));
    assert_eq!(receiver.taken().len(), 1);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_that_it_is_gone_is_told_no_more_until_somebody_says_so() {
    let town = Town::with_edits().await;
    token(&town.store, "reader", &["inspector"]).await;
    let receiver = Receiver::new(&[410, 200]).await;
    let secret = server::webhook_secret();
    let hook = webhook(&receiver.url, "reader");
    town.store
        .add_webhook("test", hook.clone(), secret.clone())
        .await
        .unwrap();
    let taken = town
        .store
        .add_webhook("test", hook, secret)
        .await
        .unwrap_err();
    assert_eq!(taken.message().unwrap().key(), "store.webhook-taken");
    let running = serve(&town).await;
    let first = add(&town, 24.5).await;
    until(&town.store, |k| k.told.is_off).await;
    town.store.retry_webhook("test", "hook").await.unwrap();
    receiver.wait(2).await;
    assert_eq!(receiver.taken()[0]["feature"], first);
    town.store.remove_webhook("test", "hook").await.unwrap();
    assert!(town.store.webhooks().await.unwrap().is_empty());
    let gone = town.store.retry_webhook("test", "hook").await.unwrap_err();
    assert_eq!(gone.message().unwrap().key(), "store.no-webhook");
    running.end().await;
}

/// Other rules stand in no log: they are told again until it is known that they were.
#[tokio::test(flavor = "multi_thread")]
async fn that_a_collection_is_seen_no_more_is_told_until_it_is_taken() {
    let town = Town::with_edits().await;
    token(&town.store, "reader", &["inspector"]).await;
    let receiver = Receiver::new(&[500, 200]).await;
    let secret = server::webhook_secret();
    let hook = webhook(&receiver.url, "reader");
    town.store.add_webhook("test", hook, secret).await.unwrap();
    let running = serve(&town).await;
    until(&town.store, |k| k.told.seen.is_some()).await;
    let id = CollectionId::new("roads").unwrap();
    let rules = Access::of(Class::Restricted);
    town.store.set_access("test", &id, rules).await.unwrap();
    receiver.wait(2).await;
    let events = receiver.taken();
    assert_eq!(events[0]["type"], "reset", "{events:?}");
    running.end().await;
}

/// Also where the name in the address leads there: `localhost` is looked up as any other.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_into_the_own_network_unless_it_is_meant() {
    let town = Town::with_edits().await;
    token(&town.store, "reader", &["inspector"]).await;
    let receiver = Receiver::new(&[200]).await;
    let port = receiver.url.split([':', '/']).nth(4).unwrap().to_owned();
    let running = serve(&town).await;
    for url in [
        format!("https://localhost:{port}/hook"),
        format!("https://127.0.0.1:{port}/hook"),
        format!("http://localhost:{port}/hook"),
    ] {
        let hook = Webhook {
            is_internal: false,
            ..webhook(&url, "reader")
        };
        let secret = server::webhook_secret();
        town.store.add_webhook("test", hook, secret).await.unwrap();
        add(&town, 24.5).await;
        let failing = until(&town.store, |k| k.told.failures > 0).await;
        assert!(failing.told.error.is_some());
        town.store.remove_webhook("test", "hook").await.unwrap();
    }
    assert_eq!(*receiver.inner.count.borrow(), 0);
    running.end().await;
}
