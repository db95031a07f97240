//! Old states of the history go by themselves, once a day.

use std::time::Duration;

use model::Message;
use store::{Error, Store, Trim};

/// Whom the audit log names.
const ACTOR: &str = "server";

/// After the start a server has other things to do.
const FIRST: Duration = Duration::from_secs(15 * 60);

const EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// After a failure, and where another node was at it.
const AGAIN: Duration = Duration::from_secs(60 * 60);

/// Lets go, day by day, what the rules of collections do not keep.
pub(crate) async fn daily(store: &Store) {
    let mut pause = FIRST;
    loop {
        tokio::time::sleep(pause).await;
        pause = match trim(store.clone()).await {
            Ok(()) => EVERY,
            Err(error) => {
                let is_elsewhere = error.message().map(Message::key) == Some("store.trim-running");
                if !is_elsewhere {
                    tracing::warn!(%error, "old states could not be let go; it is tried again in an hour");
                }
                AGAIN
            }
        };
    }
}

/// In a task of its own: a server that ends does not leave a transaction in the middle.
async fn trim(store: Store) -> Result<(), Error> {
    let task = tokio::spawn(async move {
        store
            .trim(ACTOR, &Trim::by_rules(), &mut |_, _| {})
            .await
            .map(|_| ())
    });
    let ended = task.await;
    ended.map_err(|error| Error::Io(std::io::Error::other(error)))?
}
