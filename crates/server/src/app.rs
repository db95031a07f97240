//! What all handlers share.

use std::sync::Arc;

use store::{Live, LiveCollection, Store};
use tokio::sync::Semaphore;

use crate::Options;
use crate::cache::TileCache;
use crate::limits::{BODY_ROOM, MAX_REQUESTS};
use crate::metrics::Metrics;
use crate::openapi::Definition;
use crate::problem::Problem;

/// The state of the server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) options: Options,
    pub(crate) tiles: Arc<TileCache>,
    pub(crate) metrics: Metrics,
    pub(crate) definition: Definition,
    /// Requests in progress, until their answers have left.
    pub(crate) requests: Arc<Semaphore>,
    /// Request bodies in memory, in kibibytes.
    pub(crate) bodies: Arc<Semaphore>,
    /// CPU work off the reactor: as many at once as there are cores.
    pub(crate) workers: Arc<Semaphore>,
    pub(crate) cores: usize,
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl App {
    pub(crate) fn new(store: Store, options: &Options) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let inner = Inner {
            tiles: Arc::new(TileCache::new(options.tile_cache_bytes, &store.epoch())),
            store,
            options: options.clone(),
            metrics: Metrics::new(),
            definition: Definition::default(),
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            bodies: Arc::new(Semaphore::new(BODY_ROOM)),
            workers: Arc::new(Semaphore::new(cores)),
            cores,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// All collections at this moment.
    ///
    /// # Errors
    /// 503 while the index is still being loaded.
    pub(crate) fn live(&self) -> Result<Arc<Live>, Problem> {
        let live = self.store.live();
        if live.loaded {
            Ok(live)
        } else {
            Err(Problem::loading())
        }
    }

    /// A collection at this moment.
    ///
    /// # Errors
    /// 404, and 503 while the index is still being loaded.
    pub(crate) fn collection(&self, id: &str) -> Result<LiveCollection, Problem> {
        let live = self.live()?;
        live.get(id)
            .cloned()
            .ok_or_else(|| Problem::no_collection(id))
    }

    /// Runs CPU work on a blocking thread, at most one a core.
    ///
    /// # Errors
    /// 500 when the work panics; nothing else is harmed.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = Arc::clone(&self.workers)
            .acquire_owned()
            .await
            .map_err(Problem::internal)?;
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        task.await.map_err(Problem::internal)
    }
}
