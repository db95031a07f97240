//! While nobody writes, what edits have scattered over an index is brought together again: writes do only as much of it as
//! keeps reads bearable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::live::{Live, LiveCollection};
use crate::{Error, Store, live};

/// So long has nobody written.
const REST: Duration = Duration::from_secs(2);

/// Gathering takes one part in so many of the time at most, where a write comes before its end each time.
const SHARE: u32 = 10;

impl Store {
    /// Gathers the indexes of all collections whenever nobody has written for two seconds. Runs until it is dropped.
    pub async fn gather_at_rest(&self) {
        let mut news = self.news();
        let mut rest = REST;
        // The store holds the sender.
        while news.changed().await.is_ok() {
            while let Ok(Ok(())) = tokio::time::timeout(rest, news.changed()).await {}
            let begun = Instant::now();
            if let Err(error) = self.gather().await {
                tracing::error!(%error, "the index can't be gathered; it is served as it is");
            }
            rest = REST.max(begun.elapsed() * SHARE);
        }
    }

    /// Gathers one collection after the other, up to the next write. What is seen stays the same.
    ///
    /// # Errors
    /// When an index can't be gathered; it is served as it was.
    pub async fn gather(&self) -> Result<(), Error> {
        let ids: Vec<Box<str>> = self.live().collections.keys().cloned().collect();
        for id in ids {
            let before = self.live();
            let Some(known) = before.get(&id) else {
                continue;
            };
            let index = known.index.clone();
            let gathered = tokio::task::spawn_blocking(move || index.gathered()).await;
            let gathered = gathered.map_err(|e| Error::Io(std::io::Error::other(e)))?;
            let Some(index) = gathered.map_err(live::index_failed)? else {
                continue;
            };
            let mut after = Live::clone(&before);
            let known = known.clone();
            after
                .collections
                .insert(id, LiveCollection { index, ..known });
            if !self.put_gathered(&before, after).await {
                break;
            }
        }
        Ok(())
    }

    /// Puts what was gathered in its place, without news: what is seen is the same. False when somebody has written meanwhile.
    async fn put_gathered(&self, before: &Arc<Live>, after: Live) -> bool {
        let put = || {
            let is_same = Arc::ptr_eq(before, &self.live());
            if is_same {
                self.inner.live.store(Arc::new(after));
            }
            is_same
        };
        // Whoever shows a change takes the index, adds to it and puts it back while this is held.
        match &self.inner.backend {
            Backend::Sqlite(database) => match &database.writer {
                Some(writer) => {
                    let _writer = writer.lock().await;
                    put()
                }
                None => put(),
            },
            Backend::Postgres(database) => {
                let _following = database.following.hold().await;
                put()
            }
        }
    }
}
