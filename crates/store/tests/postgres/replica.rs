//! A streaming replica: pages are read from it, and it takes the place of its primary.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use store::{Access, ItemsQuery, Place, Store};

use crate::proxy::{Network, Proxy};
use crate::strangers::until;
use crate::support::{Fixture, draft, psql, schema_of, server};

/// A replica of the test server, stopped at the end.
struct Replica {
    folder: tempfile::TempDir,
    port: u16,
}

/// The owner of the test server's data folder: a server refuses to run as root.
pub(crate) fn as_owner(program: &Path) -> Command {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(std::env::var_os("HROMADA_TEST_PGDATA").unwrap()).unwrap();
    let mut command = Command::new("setpriv");
    if std::fs::metadata("/proc/self").unwrap().uid() == owner.uid() {
        command = Command::new(program);
    } else {
        let ids = [
            format!("--reuid={}", owner.uid()),
            format!("--regid={}", owner.gid()),
        ];
        command
            .args(ids)
            .args(["--clear-groups", "--"])
            .arg(program);
    }
    command.current_dir("/").env("LC_ALL", "C.UTF-8");
    command
}

fn tool(name: &str) -> std::path::PathBuf {
    Path::new(&std::env::var_os("HROMADA_TEST_PGBIN").unwrap()).join(name)
}

impl Replica {
    fn new() -> Self {
        use std::os::unix::fs::{MetadataExt, chown};
        let folder = tempfile::tempdir().unwrap();
        let owner = std::fs::metadata(std::env::var_os("HROMADA_TEST_PGDATA").unwrap()).unwrap();
        chown(folder.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
        // Free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let replica = Self { folder, port };
        let copied = as_owner(&tool("pg_basebackup"))
            .args([
                "--checkpoint=fast",
                "--write-recovery-conf",
                "--wal-method=stream",
                "--pgdata",
            ])
            .arg(replica.data())
            .arg(format!("--dbname={}", server()))
            .status()
            .unwrap();
        assert!(copied.success());
        replica.control(&[
            "-w",
            "-t",
            "60",
            "-o",
            &format!("-p {port} -k {}", replica.folder.path().display()),
            "start",
        ]);
        replica
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn control(&self, arguments: &[&str]) {
        let log = self.folder.path().join("log");
        let done = as_owner(&tool("pg_ctl"))
            .arg("-D")
            .arg(self.data())
            .arg("-s")
            .arg("-l")
            .arg(log)
            .args(arguments)
            .status()
            .unwrap();
        assert!(done.success(), "pg_ctl {arguments:?}");
    }

    /// The address of the store of a fixture there.
    fn url(&self, fixture: &Fixture) -> String {
        format!(
            "postgres://hromada@127.0.0.1:{}/test?schema={}",
            self.port,
            schema_of(&fixture.store)
        )
    }

    fn sql(&self, sql: &str) -> String {
        let url = format!("postgres://hromada@127.0.0.1:{}/test", self.port);
        let asked = Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-c", sql, &url])
            .output()
            .unwrap();
        assert!(
            asked.status.success(),
            "{}",
            String::from_utf8_lossy(&asked.stderr)
        );
        String::from_utf8(asked.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.control(&["-m", "immediate", "stop"]);
    }
}

fn all() -> ItemsQuery {
    ItemsQuery {
        limit: 100,
        ..ItemsQuery::default()
    }
}

/// One test, since a replica of the whole test server is not made in a moment.
#[tokio::test(flavor = "multi_thread")]
async fn pages_are_read_from_a_replica_and_it_takes_the_place_of_its_primary() {
    let fixture = Fixture::with_parcels().await;
    let replica = Replica::new();
    let Place::Postgres(place) = fixture.store.place().clone() else {
        panic!("it is a database");
    };
    let reading = Place::Postgres(place.reading_from(&replica.url(&fixture)).unwrap());
    let store = Store::open(reading, Access::Write).await.unwrap();
    store.load().await.unwrap();
    store.follow();

    // A replica that stands still is waited for, and one that goes on has the change.
    replica.sql("SELECT pg_wal_replay_pause()");
    let made = store
        .create("parcels", draft(24.8, "new"), "t")
        .await
        .unwrap();
    let live = store.live().get("parcels").unwrap().clone();
    assert_eq!(live.index.len(), 4, "the index follows the primary");
    assert_eq!(
        store.items(&live, &all()).await.unwrap().features.len(),
        4,
        "what the replica has not yet comes from the primary"
    );
    assert!(
        !store
            .reached(made.version, Duration::from_millis(300))
            .await
    );
    replica.sql("SELECT pg_wal_replay_resume()");
    assert!(store.reached(made.version, Duration::from_secs(20)).await);
    assert_eq!(store.items(&live, &all()).await.unwrap().features.len(), 4);

    store.close().await;

    // A server that reaches its database by a name.
    let place = fixture.store.place().to_string();
    let (_, rest) = place.split_once('@').unwrap();
    let (address, rest) = rest.split_once('/').unwrap();
    let proxy = Proxy::to(address.to_owned()).await;
    let by_name = format!(
        "postgres://hromada@127.0.0.1:{}/{rest}&sslmode=disable",
        proxy.port
    );
    let node = Store::open(Place::parse(&by_name).unwrap(), Access::Write)
        .await
        .unwrap();
    node.load().await.unwrap();
    node.follow();
    let epoch = node.epoch();

    // The replica gets nothing more; what the primary confirms now is lost with it.
    replica.sql("ALTER SYSTEM SET primary_conninfo = ''");
    replica.sql("SELECT pg_reload_conf()");
    until("the replica is cut off", || {
        replica.sql("SELECT count(*) FROM pg_stat_wal_receiver") == "0"
    })
    .await;
    let lost = node
        .create("parcels", draft(24.9, "lost"), "t")
        .await
        .unwrap();
    assert_eq!(node.live().get("parcels").unwrap().index.len(), 5);

    proxy.set(Network::Cut);
    until("the cut is noticed", || node.lag().unwrap().is_away).await;
    replica.control(&["-w", "promote"]);
    // Another program is there first, and is given the number of the change that was lost.
    let schema = schema_of(&fixture.store);
    let last = format!("SELECT max(seq) FROM {schema}.hromada_changes");
    while replica.sql(&last).parse::<i64>().unwrap() < lost.version.0 {
        replica.sql(&format!(
            "INSERT INTO {schema}.parcels (name) VALUES ('again')"
        ));
    }
    proxy.lead_to(format!("127.0.0.1:{}", replica.port));
    proxy.set(Network::Works);
    until("the running server has begun a new epoch", || {
        node.epoch() != epoch
    })
    .await;
    let url = replica.url(&fixture);
    let there = Store::open(Place::parse(&url).unwrap(), Access::Write)
        .await
        .unwrap();
    there.load().await.unwrap();
    assert_eq!(node.epoch(), there.epoch());
    node.catch_up().await.unwrap();
    let keys = |store: &Store| -> Vec<i64> {
        store
            .live()
            .get("parcels")
            .unwrap()
            .index
            .iter()
            .map(|hit| hit.fid())
            .collect()
    };
    assert_eq!(keys(&node), keys(&there));
    assert!(node.check(true).await.unwrap().is_clean());
    node.create("parcels", draft(25.2, "on"), "t")
        .await
        .unwrap();
    node.close().await;
    there.close().await;
    // The old primary stays as it was.
    assert_eq!(
        psql(&schema_of(&fixture.store), "SELECT count(*) FROM parcels").trim(),
        "5"
    );
}
