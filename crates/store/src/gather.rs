//! While nobody writes, what edits have scattered over an index is brought together again: writes do only as much of it as
//! keeps reads bearable.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::live::{Live, LiveCollection};
use crate::{Error, Store, live};

/// So long has nobody written to a collection.
const REST: Duration = Duration::from_secs(2);

/// Gathering takes one part in so many of the time at most, where a write comes before its end each time.
const SHARE: u32 = 10;

impl Store {
    /// Gathers the index of each collection to which nobody has written for some seconds, where it is scattered. Runs until it
    /// is dropped.
    pub async fn gather_at_rest(&self) {
        let mut seen = BTreeMap::new();
        let mut pause = REST;
        loop {
            tokio::time::sleep(pause).await;
            let live = self.live();
            let indexes = live.collections.iter();
            let now: BTreeMap<Box<str>, u64> = indexes
                .map(|(id, known)| (id.clone(), known.index.number()))
                .collect();
            // Old indexes are not held while others are gathered.
            drop(live);
            let mut took = Duration::ZERO;
            for (id, number) in &now {
                if seen.get(id) == Some(number) {
                    took += self.gather(id).await.unwrap_or_else(|error| {
                        tracing::error!(collection = %id, %error, "the index can't be gathered; it is served as it is");
                        Duration::ZERO
                    });
                }
            }
            seen = now;
            pause = REST.max(took * SHARE);
        }
    }

    /// Gathers the index of a collection where it is scattered, unless somebody writes to the collection meanwhile. What is
    /// seen stays the same, and there are no news. How long it took.
    ///
    /// # Errors
    /// When the index can't be gathered; it is served as it was.
    pub async fn gather(&self, collection: &str) -> Result<Duration, Error> {
        let scattered = self.live().get(collection).map(|known| known.index.clone());
        let Some(before) = scattered.filter(|index| index.is_scattered()) else {
            return Ok(Duration::ZERO);
        };
        let number = before.number();
        let task = tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            before.gathered().map(|index| (index, begun.elapsed()))
        });
        let gathered = task
            .await
            .map_err(|e| Error::Io(std::io::Error::other(e)))?;
        let (index, took) = gathered.map_err(live::index_failed)?;
        let put = || {
            let live = self.live();
            if let Some(known) = live.get(collection).cloned()
                && known.index.number() == number
            {
                let mut after = Live::clone(&live);
                after
                    .collections
                    .insert(collection.into(), LiveCollection { index, ..known });
                self.inner.live.store(after.into());
            }
        };
        // Whoever shows a change takes all collections, changes one and puts them back while this is held.
        match &self.inner.backend {
            Backend::Sqlite(database) => {
                let _writer = match &database.writer {
                    Some(writer) => Some(writer.lock().await),
                    None => None,
                };
                put();
            }
            Backend::Postgres(database) => {
                let _following = database.following.hold().await;
                put();
            }
        }
        Ok(took)
    }
}
