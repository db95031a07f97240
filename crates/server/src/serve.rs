//! The server on a port. HTTP/1.1, as the official suites and proxies expect; TLS is the proxy's.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use store::Store;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{
    DRAIN_TIMEOUT, HEAD_TIMEOUT, MAX_CONNECTIONS, MAX_HEAD, MAX_HEADERS, WRITE_TIMEOUT,
};
use crate::stream::Patient;
use crate::{Options, link, router};

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
    let router = router(store, &options);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            _ = &mut shutdown => break,
            (stream, place) = accept(&listener, &places) => connect(stream, place, router.clone(), &graceful),
        }
    }
    // New connections are refused while the old ones end.
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            "some answers were cut off, since they took longer than the time that is left for them"
        );
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
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

fn connect(
    stream: TcpStream,
    place: Option<OwnedSemaphorePermit>,
    router: Router,
    graceful: &GracefulShutdown,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let io = TokioIo::new(Patient::new(stream, WRITE_TIMEOUT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Runs while a kept connection waits for its next request too.
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(io, TowerToHyperService::new(router));
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = watched.await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    });
}
