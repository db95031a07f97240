//! Databases that can't hold a store, or do not let it in: each is refused with what helps.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use store::{Access, Error, Place, Store};

use crate::support::{key, psql, server};

/// The test server's address with another user, database or port, and parameters.
fn address(user: &str, host: &str, database: &str, parameters: &str) -> Place {
    let server = server();
    let (_, rest) = server.split_once('@').unwrap();
    let (at, _) = rest.split_once('/').unwrap();
    let at = if host.is_empty() {
        at.to_owned()
    } else {
        at.replace("127.0.0.1", host)
    };
    Place::parse(&format!("postgres://{user}@{at}/{database}?{parameters}")).unwrap()
}

async fn refused(place: Place) -> Error {
    Store::open(place, Access::Write)
        .await
        .err()
        .expect("it can't be opened")
}

/// A database of its own, taken away at the end.
struct Scratch(String);

impl Scratch {
    fn new(name: &str, how: &str) -> Self {
        let name = format!("{name}_{}", std::process::id());
        psql("public", &format!("CREATE DATABASE {name} {how}"));
        Self(name)
    }

    fn sql(&self, sql: &str) {
        let url = server().replace("/test", &format!("/{}", self.0));
        let done = Command::new("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql, &url])
            .status()
            .unwrap();
        assert!(done.success());
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        psql("public", &format!("DROP DATABASE {} WITH (FORCE)", self.0));
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_or_lets_nobody_in_is_named() {
    let role = format!("locked_out_{}", std::process::id());
    psql(
        "public",
        &format!("CREATE ROLE {role} NOLOGIN PASSWORD 'x'"),
    );
    for (place, reason) in [
        (
            address("hromada", "", "nowhere", ""),
            "\"nowhere\" does not exist",
        ),
        (
            address("nobody_at_all", "", "test", ""),
            "\"nobody_at_all\" does not exist",
        ),
        (
            address(&format!("{role}:secret"), "", "test", ""),
            "not permitted to log in",
        ),
        (
            Place::parse("postgres://hromada@127.0.0.1:1/test").unwrap(),
            "refused",
        ),
        (
            Place::parse("postgres://hromada@no.such.host.invalid/test").unwrap(),
            "lookup",
        ),
    ] {
        let error = refused(place.clone()).await;
        let text = error.to_string();
        assert_eq!(key(&error), "store.database-unreachable", "{text}");
        assert!(text.contains(reason), "{text}");
        assert!(text.contains(&place.to_string()), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    psql("public", &format!("DROP ROLE {role}"));
}

#[tokio::test]
async fn an_address_that_never_answers_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let place = Place::parse(&format!("postgres://hromada@127.0.0.1:{port}/test")).unwrap();
    assert_eq!(key(&refused(place).await), "store.database-silent");
}

#[tokio::test]
async fn a_mistake_in_the_address_of_the_replica_names_the_replica() {
    let Place::Postgres(place) = address("hromada", "", "test", "schema=replica_refused") else {
        panic!("it is a database");
    };
    let place = place
        .reading_from("postgres://hromada:secret@127.0.0.1:1/elsewhere")
        .unwrap();
    let error = refused(Place::Postgres(place)).await;
    let text = error.to_string();
    assert_eq!(key(&error), "store.database-unreachable");
    assert!(
        text.contains("/elsewhere") && !text.contains("secret"),
        "{text}"
    );
    // Another database of the same server, with a store of that name too.
    let other = Scratch::new("no_replica", "");
    let elsewhere = address("hromada", "", &other.0, "schema=replica_refused");
    Store::open(elsewhere.clone(), Access::Write)
        .await
        .unwrap()
        .close()
        .await;
    let Place::Postgres(place) = address("hromada", "", "test", "schema=replica_refused") else {
        panic!("it is a database");
    };
    let place = place.reading_from(&elsewhere.to_string()).unwrap();
    assert_eq!(
        key(&refused(Place::Postgres(place)).await),
        "store.replica-of-another"
    );
    psql("public", "DROP SCHEMA replica_refused CASCADE");
}

#[tokio::test]
async fn postgis_is_made_where_the_role_may_and_asked_for_where_not() {
    let bare = Scratch::new("bare", "");
    let role = format!("owner_{}", std::process::id());
    psql("public", &format!("CREATE ROLE {role} LOGIN"));
    psql(
        "public",
        &format!("GRANT CREATE ON DATABASE {} TO {role}", bare.0),
    );
    let error = refused(address(&role, "", &bare.0, "")).await;
    assert_eq!(key(&error), "store.postgis-missing");
    assert!(
        error.to_string().contains("CREATE EXTENSION postgis"),
        "{error}"
    );
    // A superuser's store makes it by itself; then the role's store goes well.
    Store::open(
        address("hromada", "", &bare.0, "schema=first"),
        Access::Write,
    )
    .await
    .unwrap()
    .close()
    .await;
    let store = Store::open(address(&role, "", &bare.0, "schema=second"), Access::Write)
        .await
        .unwrap();
    store.close().await;
    bare.sql("UPDATE pg_extension SET extversion = '3.0.9' WHERE extname = 'postgis'");
    let error = refused(address("hromada", "", &bare.0, "schema=first")).await;
    assert_eq!(key(&error), "store.postgis-too-old");
    assert!(error.to_string().contains("3.0.9"), "{error}");
    drop(bare);
    psql("public", &format!("DROP ROLE {role}"));
}

#[tokio::test]
async fn a_right_that_the_role_lacks_is_named() {
    let role = format!("poor_{}", std::process::id());
    psql("public", &format!("CREATE ROLE {role} LOGIN"));
    let error = refused(address(&role, "", "test", "schema=not_allowed")).await;
    assert_eq!(key(&error), "store.right-missing");
    assert!(error.to_string().contains("permission denied"), "{error}");
    // A schema that it may use but not fill.
    psql(
        "public",
        &format!("CREATE SCHEMA of_others; GRANT USAGE ON SCHEMA of_others TO {role}"),
    );
    assert_eq!(
        key(&refused(address(&role, "", "test", "schema=of_others")).await),
        "store.right-missing"
    );
    psql("public", "DROP SCHEMA of_others");
    // A store of somebody else's.
    let place = address("hromada", "", "test", "schema=of_somebody");
    Store::open(place, Access::Write)
        .await
        .unwrap()
        .close()
        .await;
    psql(
        "public",
        &format!("GRANT USAGE ON SCHEMA of_somebody TO {role}"),
    );
    assert_eq!(
        key(&refused(address(&role, "", "test", "schema=of_somebody")).await),
        "store.right-missing"
    );
    psql(
        "public",
        &format!("DROP SCHEMA of_somebody CASCADE; DROP OWNED BY {role}; DROP ROLE {role}"),
    );
}

#[tokio::test]
async fn a_schema_that_is_no_store_or_a_newer_one_is_left_alone() {
    psql(
        "public",
        "CREATE SCHEMA no_store; CREATE TABLE no_store.hromada_meta (key text, value text)",
    );
    assert_eq!(
        key(&refused(address("hromada", "", "test", "schema=no_store")).await),
        "store.foreign-schema"
    );
    psql(
        "public",
        "INSERT INTO no_store.hromada_meta VALUES ('schema_version', '99')",
    );
    let error = refused(address("hromada", "", "test", "schema=no_store")).await;
    assert_eq!(key(&error), "store.newer");
    assert!(error.to_string().contains("99"), "{error}");
    psql("public", "DROP SCHEMA no_store CASCADE");
    let ascii = Scratch::new(
        "ascii",
        "ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
    );
    assert_eq!(
        key(&refused(address("hromada", "", &ascii.0, "")).await),
        "store.database-encoding"
    );
    // For reading nothing is made.
    let place = address("hromada", "", "test", "schema=never_made");
    let error = Store::open(place, Access::Read).await.err().unwrap();
    assert_eq!(key(&error), "store.no-store-in-database");
    assert_eq!(
        psql("public", "SELECT to_regnamespace('never_made') IS NULL").trim(),
        "t"
    );
}

/// The test server has a certificate for `localhost` that it has signed itself.
#[tokio::test]
async fn a_connection_is_encrypted_and_the_server_s_certificate_is_held_against_its_name() {
    let root = format!(
        "{}/server.crt",
        std::env::var("HROMADA_TEST_CERTIFICATE").unwrap()
    );
    let with = |host: &str, parameters: &str| {
        address("hromada", host, "test", &format!("schema=tls&{parameters}"))
    };
    let verified = with(
        "localhost",
        &format!("sslmode=verify-full&sslrootcert={root}"),
    );
    let store = Store::open(verified, Access::Write).await.unwrap();
    let encrypted =
        "SELECT count(*) > 0 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
       WHERE application_name = 'hromada' AND query LIKE '%tls%' OR query LIKE '%hromada_tls%'";
    store.load().await.unwrap();
    store.follow();
    super::strangers::until("the listening connection is encrypted", || {
        psql("public", encrypted).trim() == "t"
    })
    .await;
    store.close().await;
    Store::open(with("127.0.0.1", "sslmode=require"), Access::Write)
        .await
        .unwrap()
        .close()
        .await;
    // Another name than the certificate's, and a certificate that nobody vouches for.
    for place in [
        with(
            "127.0.0.1",
            &format!("sslmode=verify-full&sslrootcert={root}"),
        ),
        with("localhost", "sslmode=verify-full"),
    ] {
        let error = refused(place.clone()).await;
        assert_eq!(key(&error), "store.database-unreachable", "{place}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
    psql("public", "DROP SCHEMA tls CASCADE");
}

/// A pooler before the test server, stopped at the end.
struct Pooler {
    folder: tempfile::TempDir,
    port: u16,
    child: std::process::Child,
}

impl Pooler {
    fn new(mode: &str) -> Self {
        use std::os::unix::fs::{MetadataExt, chown};
        let folder = tempfile::tempdir().unwrap();
        let owner = std::fs::metadata(std::env::var_os("HROMADA_TEST_PGDATA").unwrap()).unwrap();
        chown(folder.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = server();
        let upstream = server
            .rsplit_once(':')
            .unwrap()
            .1
            .split_once('/')
            .unwrap()
            .0
            .to_owned();
        let file = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={upstream} user=hromada\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             auth_type = any\npool_mode = {mode}\ndefault_pool_size = 60\nunix_socket_dir =\nignore_startup_parameters = extra_float_digits\n"
        );
        std::fs::write(&file, text).unwrap();
        let child = crate::replica::as_owner(Path::new("/usr/sbin/pgbouncer"))
            .arg("-q")
            .arg(&file)
            .spawn()
            .expect("./test installs it");
        let begun = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            folder,
            port,
            child,
        }
    }

    fn place(&self, schema: &str) -> Place {
        let url = format!(
            "postgres://hromada@127.0.0.1:{}/test?schema={schema}&sslmode=disable",
            self.port
        );
        Place::parse(&url).unwrap()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.folder.path();
    }
}

#[tokio::test]
async fn a_pooler_by_sessions_is_as_good_as_the_database_and_one_by_transactions_is_refused() {
    let pooler = Pooler::new("session");
    let store = crate::support::open(pooler.place("pooled")).await;
    store.follow();
    let file = tempfile::NamedTempFile::with_suffix(".geojson").unwrap();
    std::fs::write(file.path(), crate::support::parcels()).unwrap();
    store
        .import(&crate::support::job(file.path(), "parcels"), &mut |_| {})
        .await
        .unwrap();
    psql("pooled", "DELETE FROM parcels WHERE fid = 1");
    super::strangers::until("the change is seen", || {
        store.live().get("parcels").unwrap().index.len() == 2
    })
    .await;
    assert!(store.check(true).await.unwrap().is_clean());
    store.close().await;
    let by_transaction = Pooler::new("transaction");
    let error = refused(by_transaction.place("pooled")).await;
    assert_eq!(key(&error), "store.pooler-by-transaction");
    psql("public", "DROP SCHEMA pooled CASCADE");
}
