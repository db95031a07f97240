//! The server on a port with TLS.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use server::{Options, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
};

use crate::connection::{Running, exchange, start_with};
use crate::town::Town;

const CONFIG: &str = "[req]\ndistinguished_name=name\nx509_extensions=is\nprompt=no\n\
    [name]\nCN=localhost\n[is]\nsubjectAltName=DNS:localhost\nbasicConstraints=critical,CA:FALSE\n";

/// Writes `NAME.pem` and `NAME.key`, of a server called localhost.
fn certificate(folder: &Path, name: &str) {
    let config = folder.join("openssl.conf");
    std::fs::write(&config, CONFIG).unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:P-256", "-nodes", "-config"])
        .arg(&config)
        .arg("-keyout")
        .arg(folder.join(format!("{name}.key")))
        .arg("-out")
        .arg(folder.join(format!("{name}.pem")))
        .output()
        .expect("./test installs openssl");
    assert!(made.status.success(), "{made:?}");
}

async fn start(town: &Town, folder: &Path) -> Running {
    certificate(folder, "town");
    let tls = Tls::load(&folder.join("town.pem"), &folder.join("town.key")).unwrap();
    let options = Options {
        tls: Some(tls),
        ..Options::default()
    };
    start_with(town.store.clone(), options).await
}

/// A client that knows the certificate of a file and no other.
fn client(file: &Path, versions: &[&'static SupportedProtocolVersion]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(file).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn connect(
    running: &Running,
    client: &TlsConnector,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(running.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    client.connect(name, stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_over_both_versions_of_tls() {
    let (town, folder) = (Town::new().await, tempfile::tempdir().unwrap());
    let running = start(&town, folder.path()).await;
    for (version, name) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let client = client(&folder.path().join("town.pem"), &[version]);
        let mut stream = connect(&running, &client).await.unwrap();
        let (_, connection) = stream.get_ref();
        assert_eq!(connection.protocol_version(), Some(name));
        assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
        stream
            .write_all(b"GET /collections HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        // Ends with a notice of TLS, or this is an error.
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.contains("Strict-Transport-Security: max-age=31536000\r\n"),
            "{answer}"
        );
        assert!(
            answer.contains("\"https://localhost/collections"),
            "{answer}"
        );
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_speaks_no_tls_or_trusts_another_certificate_gets_nothing() {
    let (town, folder) = (Town::new().await, tempfile::tempdir().unwrap());
    let running = start(&town, folder.path()).await;
    let plain = exchange(
        running.address,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(!plain.contains("HTTP/1.1"), "{plain}");
    certificate(folder.path(), "other");
    let stranger = client(&folder.path().join("other.pem"), &[&TLS13]);
    assert!(connect(&running, &stranger).await.is_err());
    // Nothing is left of them, nor of a handshake that goes no further.
    let silent = TcpStream::connect(running.address).await.unwrap();
    let known = client(&folder.path().join("town.pem"), &[&TLS13]);
    connect(&running, &known).await.unwrap();
    drop(silent);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_come_ends_the_connection() {
    let (town, folder) = (Town::new().await, tempfile::tempdir().unwrap());
    let running = start(&town, folder.path()).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut answer = Vec::new();
    let read = silent.read_to_end(&mut answer);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), read).await;
    assert!(ended.is_ok(), "the connection is still open");
    running.end().await;
}
