//! The network between a server and its database, in the hands of a test.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Network {
    Works,
    /// Nothing comes through, and nobody is told.
    Silent,
    /// Notifications are lost, and nothing else.
    Deaf,
    /// A connection is closed when the server says over it that a transaction is committed.
    LosesCommits,
    /// Connections are closed, and new ones too.
    Cut,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: watch::Sender<Network>,
    upstream: Arc<Mutex<String>>,
}

impl Proxy {
    /// To a database at an address `host:port`.
    pub(crate) async fn to(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = watch::Sender::new(Network::Works);
        let watched = state.subscribe();
        let upstream = Arc::new(Mutex::new(upstream));
        let leads_to = Arc::clone(&upstream);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = leads_to.lock().unwrap().clone();
                tokio::spawn(carry(client, upstream, watched.clone()));
            }
        });
        Self {
            port,
            state,
            upstream,
        }
    }

    /// New connections go elsewhere, as when a name moves to another server.
    pub(crate) fn lead_to(&self, upstream: String) {
        *self.upstream.lock().unwrap() = upstream;
    }

    pub(crate) fn set(&self, network: Network) {
        self.state.send_replace(network);
    }
}

async fn carry(client: TcpStream, upstream: String, mut state: watch::Receiver<Network>) {
    if state.wait_for(|s| *s != Network::Silent).await.is_err() || *state.borrow() == Network::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(&upstream).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = state.clone();
    tokio::select! {
        _ = cut.wait_for(|s| *s == Network::Cut) => {}
        _ = bytes(from_client, to_server, state.clone()) => {}
        _ = messages(from_server, to_client, state) => {}
    }
}

async fn bytes(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<Network>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        // The sender is gone with the test.
        let _ = state.wait_for(|s| *s != Network::Silent).await;
        to.write_all(&buffer[..read]).await?;
    }
}

/// The server's messages, each with its kind and length
/// (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
async fn messages(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<Network>,
) -> std::io::Result<()> {
    loop {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        from.read_exact(&mut body).await?;
        let _ = state.wait_for(|s| *s != Network::Silent).await;
        let is_notification = kind == b'A';
        if is_notification && *state.borrow() == Network::Deaf {
            continue;
        }
        // CommandComplete
        let is_commit = kind == b'C' && body.starts_with(b"COMMIT");
        if is_commit && *state.borrow() == Network::LosesCommits {
            return Ok(());
        }
        let mut message = vec![kind];
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(&body);
        to.write_all(&message).await?;
    }
}
