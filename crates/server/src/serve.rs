//! The server on a port. HTTP/1.1, as the official suites and proxies expect; over TLS when it has a certificate.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use store::Store;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::app::App;
use crate::client::{Peer, contains, network_of};
use crate::limits::{
    BACKLOG, DRAIN_TIMEOUT, HEAD_TIMEOUT, HURRIED_HEAD_TIMEOUT, MAX_CONNECTIONS, MAX_HEAD,
    MAX_HEADERS, MAX_NETWORK_CONNECTIONS, SCARCE_CONNECTIONS, WRITE_TIMEOUT,
};
use crate::places::{Place, Places};
use crate::routes::Served;
use crate::stream::Patient;
use crate::{Options, Tls, link, low_zoom, retention, webhooks};

/// Takes a port.
///
/// # Errors
/// When somebody else has it, or it is not ours to take.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A server that is started again need not wait for the connections of the one before to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `shutdown` ends, then lets answers in progress finish for ten seconds at most.
///
/// # Errors
/// When the public URL is none; nothing else ends the server.
pub async fn serve(
    store: Store,
    options: Options,
    listener: TcpListener,
    shutdown: impl Future,
) -> io::Result<()> {
    if let Some(url) = &options.base_url {
        link::base_url(url)
            .map_err(|message| io::Error::new(io::ErrorKind::InvalidInput, message.to_string()))?;
    }
    let app = App::new(store.clone(), &options);
    let port = Port {
        served: Served::new(app.clone()),
        tls: options.tls.as_ref().map(Tls::acceptor),
        networks: Places::new(MAX_NETWORK_CONNECTIONS),
        places: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        graceful: GracefulShutdown::new(),
        options,
    };
    let mut telling = std::pin::pin!(webhooks::run(app.clone()));
    // These go on by themselves; nobody waits for them.
    tokio::spawn(low_zoom::warm(app.clone()));
    let served = app.clone();
    tokio::spawn(async move { served.archives.try_all().await });
    {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut keeping = std::pin::pin!(keep_current(port.options.tls.as_ref()));
        let mut looking = std::pin::pin!(look_again(&store));
        let mut trimming = std::pin::pin!(retention::daily(&store));
        let mut gathering = std::pin::pin!(store.gather_at_rest());
        loop {
            tokio::select! {
                _ = &mut shutdown => break,
                () = &mut keeping => {}
                () = &mut looking => {}
                () = &mut telling => {}
                () = &mut trimming => {}
                () = &mut gathering => {}
                (stream, address, place) = accept(&listener, &port.places) => port.connect(stream, address, place),
            }
        }
        // What has no turn any more would keep what others wait for.
    }
    // New connections are refused while the old ones end.
    drop(listener);
    app.ending.send_replace(true);
    if tokio::time::timeout(DRAIN_TIMEOUT, &mut telling)
        .await
        .is_err()
    {
        tracing::warn!("webhooks are not let go of in time");
    }
    if tokio::time::timeout(DRAIN_TIMEOUT, port.graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            "some answers were cut off, since they took longer than the time that is left for them"
        );
    }
    Ok(())
}

/// Takes over what another process has changed about people and rules: the command line, or another server.
async fn look_again(store: &Store) {
    /// So long is somebody known whose right was taken away elsewhere.
    const EVERY: Duration = Duration::from_secs(1);
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = store.refresh_directory().await {
            tracing::warn!(%error, "people and rules could not be read again");
        }
    }
}

async fn keep_current(tls: Option<&Tls>) {
    match tls {
        Some(tls) => tls.keep_current().await,
        None => std::future::pending().await,
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, IpAddr, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer.ip().to_canonical(), place),
            Err(error) => {
                // Out of files, or the client is gone already: neither is a reason to stop. A pause keeps the
                // first from taking a whole core.
                const PAUSE: Duration = Duration::from_millis(50);
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What all connections have in common.
struct Port {
    served: Served,
    options: Options,
    tls: Option<TlsAcceptor>,
    networks: Arc<Places>,
    places: Arc<Semaphore>,
    graceful: GracefulShutdown,
}

impl Port {
    /// Serves a connection in a task of its own, or closes it when its network has too many.
    fn connect(&self, stream: TcpStream, address: IpAddr, place: Option<OwnedSemaphorePermit>) {
        let Some(network_place) = self.network_place(address) else {
            tracing::debug!(%address, "a connection was closed, since its network has too many");
            return;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let http = Http {
            served: self.served.clone(),
            peer: Peer::new(address, self.tls.is_some()),
            head_timeout: if self.places.available_permits() < SCARCE_CONNECTIONS {
                HURRIED_HEAD_TIMEOUT
            } else {
                HEAD_TIMEOUT
            },
            watcher: self.graceful.watcher(),
        };
        let stream = Patient::new(stream, WRITE_TIMEOUT);
        let tls = self.tls.clone();
        tokio::spawn(async move {
            match tls {
                None => http.serve(stream).await,
                Some(tls) => {
                    match tokio::time::timeout(http.head_timeout, tls.accept(stream)).await {
                        Ok(Ok(stream)) => http.serve(stream).await,
                        Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                        Err(_) => tracing::debug!("a handshake took too long"),
                    }
                }
            }
            drop((place, network_place));
        });
    }

    /// `Some(None)` for those who may take any number: programs of this machine, and proxies, which speak for many.
    fn network_place(&self, address: IpAddr) -> Option<Option<Place>> {
        if address.is_loopback() || contains(&self.options.trusted_proxies, address) {
            return Some(None);
        }
        self.networks.enter(network_of(address)).map(Some)
    }
}

/// What serves one connection.
struct Http {
    served: Served,
    peer: Peer,
    head_timeout: Duration,
    watcher: Watcher,
}

impl Http {
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let peer = self.peer;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            self.served.answer(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Runs while a kept connection waits for its next request too.
            .header_read_timeout(self.head_timeout)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            // Names mean the same however they are written (RFC 9110 §5.1), but QGIS 3.40 finds a `Location` only.
            .title_case_headers(true)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}
