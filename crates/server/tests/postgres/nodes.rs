//! Several servers on one database: each shows what any of them, or another program, has written.

use std::time::{Duration, Instant};

use axum::http::Method;
use server::Options;
use store::{Access, Place, Store};

use crate::connection::start_with;
use crate::live::Listener;
use crate::proxy::{Network, Proxy};
use crate::town::{self, Answer, Town};
use crate::webhooks::{Receiver, webhook};

const WELLS: &str = "/collections/wells/items";

fn options() -> Options {
    Options {
        base_url: Some("http://town.test".to_owned()),
        ..Options::default()
    }
}

/// Another server on a town's database.
async fn beside(town: &Town) -> Town {
    node(town, town.store.place().clone()).await
}

async fn node(town: &Town, place: Place) -> Town {
    let store = Store::open(place, Access::Write).await.unwrap();
    store.load().await.unwrap();
    store.follow();
    let router = server::router(store.clone(), &options());
    Town {
        store,
        router,
        folder: tempfile::tempdir().unwrap(),
        editor: town.editor.clone(),
    }
}

/// Another server whose way to the database the test holds.
async fn behind_proxy(town: &Town) -> (Town, Proxy) {
    let place = town.store.place().to_string();
    let (_, rest) = place.split_once('@').unwrap();
    let (address, rest) = rest.split_once('/').unwrap();
    let proxy = Proxy::to(address.to_owned()).await;
    // Without TLS, so that messages can be told apart on their way.
    let url = format!(
        "postgres://hromada@127.0.0.1:{}/{rest}&sslmode=disable",
        proxy.port
    );
    (node(town, Place::parse(&url).unwrap()).await, proxy)
}

fn well(x: f64) -> String {
    format!(
        r#"{{"type":"Feature","properties":{{"depth":1}},"geometry":{{"type":"Point","coordinates":[{x},48.9]}}}}"#
    )
}

async fn post(town: &Town, x: f64) -> Answer {
    let json = [("content-type", "application/geo+json")];
    town.request(Method::POST, WELLS, &json, well(x)).await
}

/// Waits until a server's index is as another's.
async fn equal(a: &Town, b: &Town, within: Duration) {
    let begun = Instant::now();
    let state = |town: &Town| {
        let live = town.store.live();
        let wells = live.get("wells").unwrap();
        let keys: Vec<i64> = wells.index.iter().map(|hit| hit.fid()).collect();
        (wells.seq, keys)
    };
    while state(a) != state(b) {
        assert!(begun.elapsed() < within, "{:?} {:?}", state(a), state(b));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_through_one_server_is_read_through_another_by_whoever_asks_for_it() {
    let town = Town::with(&options()).await;
    let other = beside(&town).await;
    for i in 0..30 {
        let made = post(&town, 24.0 + f64::from(i) * 0.001).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let change = made.header("hromada-change").to_owned();
        let path = made
            .header("location")
            .strip_prefix("http://town.test")
            .unwrap()
            .to_owned();
        let by = bearer(&town);
        let after = [
            ("hromada-after", change.as_str()),
            ("authorization", by.as_str()),
        ];
        let read = other.get_with(&path, &after).await.ok();
        assert_eq!(read.header("etag"), made.header("etag"));
        let box_ = format!(
            "{WELLS}?bbox={x},48.9,{x},48.9",
            x = 24.0 + f64::from(i) * 0.001
        );
        // It, and the well without a place, which is in every box.
        assert_eq!(
            other.get_with(&box_, &after).await.ok().json()["numberMatched"],
            2
        );
        let gone = town.request(Method::DELETE, &path, &[], "").await;
        let change = gone.header("hromada-change").to_owned();
        let by = bearer(&town);
        let after = [
            ("hromada-after", change.as_str()),
            ("authorization", by.as_str()),
        ];
        assert_eq!(other.get_with(&path, &after).await.status, 404);
    }
    for (after, status, key) in [
        ("nonsense", 400, "server.after-unreadable"),
        ("another.7", 409, "server.after-epoch"),
    ] {
        let by = bearer(&town);
        let headers = [("hromada-after", after), ("authorization", by.as_str())];
        let refused = other.get_with(WELLS, &headers).await;
        assert_eq!(
            (refused.status.as_u16(), refused.key().as_str()),
            (status, key)
        );
    }
    let far = format!("{}.{}", town.store.epoch().0, i64::MAX);
    let by = bearer(&town);
    let after = [("hromada-after", far.as_str())];
    let headers = [after[0], ("authorization", by.as_str())];
    let late = other.get_with(WELLS, &headers).await;
    assert_eq!(
        (late.status.as_u16(), late.key().as_str()),
        (503, "server.not-reached")
    );
    assert!(!late.header("retry-after").is_empty());
    // Who was never given a number can't count changes by trying some.
    other.get_with(WELLS, &after).await.ok();
}

fn bearer(town: &Town) -> String {
    format!("Bearer {}", town.editor)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_writes_is_told_by_the_others_and_to_a_webhook_by_one_of_them() {
    let town = Town::with(&options()).await;
    town.store.follow();
    let other = beside(&town).await;
    let mut listener = Listener::begun(&other, "?collections=wells").await;
    let receiver = Receiver::new(&[200]).await;
    let secret = server::webhook_secret();
    let hook = webhook(&receiver.url, "editor");
    town.store.add_webhook("test", hook, secret).await.unwrap();
    let mut servers = Vec::new();
    for node in [&town, &other] {
        let options = Options::default();
        servers.push(start_with(node.store.clone(), options).await);
    }
    let mut written = Vec::new();
    for i in 0..6 {
        let node = [&town, &other][i % 2];
        let made = post(node, 24.0 + i as f64 * 0.001).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let id = made
            .header("location")
            .rsplit_once('/')
            .unwrap()
            .1
            .to_owned();
        assert_eq!(listener.change().await.1, id);
        written.push(id);
        if i == 3 {
            // Whichever it was that told, the other goes on.
            receiver.wait(1).await;
            servers.remove(0).end().await;
        }
    }
    let told = || -> Vec<String> {
        let taken = receiver.taken();
        let ids = taken.iter().map(|event| event["feature"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    };
    let begun = Instant::now();
    while told().len() < written.len() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", told());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(told(), written);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_notifications_cost_a_second_and_no_change() {
    let town = Town::with(&options()).await;
    let (other, proxy) = behind_proxy(&town).await;
    proxy.set(Network::Deaf);
    for i in 0..5 {
        assert_eq!(post(&town, 24.0 + f64::from(i) * 0.001).await.status, 201);
        equal(&town, &other, Duration::from_secs(3)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_network_is_silent_the_index_answers_and_says_its_age() {
    let town = Town::with(&options()).await;
    let (other, proxy) = behind_proxy(&town).await;
    let tile = "/tiles/wells/3/4/2";
    let before = other.get(tile).await.ok();
    assert_eq!(before.header("age"), "");
    proxy.set(Network::Silent);
    let cut = Instant::now();
    assert_eq!(post(&town, 24.5).await.status, 201);
    let refused = post(&other, 24.6).await;
    // Until the silence is noticed it looks like a load.
    assert_eq!(refused.status, 503);
    assert!(["store.busy", "store.database-away"].contains(&refused.key().as_str()));
    assert!(!refused.header("retry-after").is_empty());
    while other.store.lag().unwrap().since_current < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Known to be away by now: nobody waits.
    let asked = Instant::now();
    let served = other.get(tile).await.ok();
    assert_eq!(served.body, before.body);
    let age: u64 = served.header("age").parse().unwrap();
    assert!((4..=cut.elapsed().as_secs() + 1).contains(&age), "{age}");
    assert_eq!(other.get("/search?q=%D0%BA%D0%BE%D0%BB").await.status, 200);
    assert_eq!(other.get("/collections/wells").await.status, 200);
    for refused in [other.get(WELLS).await, post(&other, 24.6).await] {
        assert_eq!(
            (refused.status.as_u16(), refused.key().as_str()),
            (503, "store.database-away")
        );
        assert!(!refused.header("retry-after").is_empty());
    }
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
    while other.store.lag().unwrap().since_current < Duration::from_secs(11) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ready = other.get("/health/ready").await;
    assert_eq!(
        (ready.status.as_u16(), ready.key().as_str()),
        (503, "server.behind")
    );
    proxy.set(Network::Works);
    equal(&town, &other, Duration::from_secs(5)).await;
    while other.store.lag().unwrap().since_current > Duration::from_secs(2) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(other.get(tile).await.ok().header("age"), "");
    other.get("/health/ready").await.ok();
    assert_eq!(post(&other, 24.7).await.status, 201);
    town.store.catch_up().await.unwrap();
    equal(&town, &other, Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_again_and_again_cost_no_change() {
    let town = Town::with(&options()).await;
    let (other, proxy) = behind_proxy(&town).await;
    for i in 0..20 {
        proxy.set(if i % 2 == 0 {
            Network::Cut
        } else {
            Network::Works
        });
        assert_eq!(post(&town, 24.0 + i as f64 * 0.001).await.status, 201);
        tokio::time::sleep(Duration::from_millis(37 * (i % 5))).await;
    }
    proxy.set(Network::Works);
    equal(&town, &other, Duration::from_secs(5)).await;
    assert!(other.store.check(false).await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hang_up_leave_no_transaction_open() {
    let town = Town::with(&options()).await;
    for i in 0..2_000_u64 {
        let read = town.get(WELLS);
        let write = post(&town, 24.0);
        let patience = Duration::from_micros(i * 7 % 3_000);
        if i % 4 == 0 {
            let _ = tokio::time::timeout(patience, write).await;
        } else {
            let _ = tokio::time::timeout(patience, read).await;
        }
    }
    town.get(WELLS).await.ok();
    let schema = town.store.place().to_string();
    let schema = schema.split_once("schema=").unwrap().1.to_owned();
    // What was begun ends by itself, and then nothing is left.
    let open = format!(
        "SELECT count(*) FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
         WHERE c.relnamespace = '{schema}'::regnamespace"
    );
    let begun = Instant::now();
    while town::psql(&open).trim() != "0" {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(town.store.check(false).await.unwrap().is_clean());
}

/// What a database that lost its last commits looks like: numbers are given a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_back_begins_a_new_epoch() {
    let town = Town::with(&options()).await;
    let other = beside(&town).await;
    assert_eq!(post(&town, 24.0).await.status, 201);
    equal(&town, &other, Duration::from_secs(5)).await;
    let before = other.store.epoch();
    let place = town.store.place().to_string();
    let schema = place.split_once("schema=").unwrap().1.to_owned();
    town::psql(&format!(
        "SET search_path = {schema}, public; SET session_replication_role = replica;
         DELETE FROM wells WHERE fid = (SELECT max(fid) FROM wells);
         DELETE FROM hromada_changes WHERE seq = (SELECT max(seq) FROM hromada_changes)"
    ));
    let begun = Instant::now();
    while other.store.epoch() == before {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    town.store.catch_up().await.unwrap();
    assert_eq!(town.store.epoch(), other.store.epoch());
    equal(&town, &other, Duration::from_secs(5)).await;
    assert!(other.store.check(false).await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_not_answered_is_not_called_refused() {
    let town = Town::with(&options()).await;
    let (other, proxy) = behind_proxy(&town).await;
    let place = town.store.place().to_string();
    let schema = place.split_once("schema=").unwrap().1.to_owned();
    let count = || town::psql(&format!("SELECT count(*) FROM {schema}.wells"));
    let before: usize = count().trim().parse().unwrap();
    let begun = Instant::now();
    loop {
        proxy.set(Network::LosesCommits);
        let answer = post(&other, 24.5).await;
        proxy.set(Network::Works);
        assert_eq!(answer.status, 503, "{}", answer.text());
        if answer.key() == "store.outcome-unknown" {
            break;
        }
        // The follower met the same network first, and nothing was begun.
        assert!(["store.busy", "store.database-away"].contains(&answer.key().as_str()));
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(count().trim(), (before + 1).to_string(), "it was committed");
    town.store.catch_up().await.unwrap();
    equal(&town, &other, Duration::from_secs(5)).await;
}
