//! What all handlers share.

use std::sync::Arc;

use model::access::Permission;
use store::Store;
use tokio::sync::{OnceCell, Semaphore, watch};

use crate::Options;
use crate::account::{Passwords, Provider};
use crate::attempts::Attempts;
use crate::bulk::Bulk;
use crate::cache::TileCache;
use crate::context::Context;
use crate::edge;
use crate::fragments::Fragments;
use crate::identity::{COOKIE_PLAIN, COOKIE_SECURE, Known};
use crate::layers::Narrowings;
use crate::limits::{
    BODY_ROOM, MAX_NETWORK_REQUESTS, MAX_NETWORK_STREAMS, MAX_NETWORKS, MAX_REQUESTS, MAX_STREAMS,
};
use crate::low_zoom::LowZooms;
use crate::metrics::Metrics;
use crate::openapi::Definition;
use crate::places::Places;
use crate::policy::{Decisions, Lenses};
use crate::problem::Problem;
use crate::rate::Buckets;
use crate::ready::Ready;
use crate::seal::Seal;
use crate::served_archives::Archives;

/// The state of the server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) options: Options,
    pub(crate) tiles: Arc<TileCache>,
    /// Answers with tiles, as they leave.
    pub(crate) ready: Ready,
    /// Tiles of others.
    pub(crate) archives: Archives,
    /// What small and crowded features look like in tiles.
    pub(crate) low_zooms: Arc<LowZooms>,
    /// What filters of tiles leave of collections.
    pub(crate) narrowings: Narrowings,
    pub(crate) metrics: Metrics,
    pub(crate) definition: Definition,
    pub(crate) lenses: Lenses,
    pub(crate) decisions: Decisions,
    pub(crate) known: Known,
    pub(crate) attempts: Attempts,
    /// Requests of each person from elsewhere, whatever networks they come from; `None` without a limit.
    pub(crate) requests_by: Option<Buckets<String>>,
    pub(crate) passwords: Passwords,
    /// Of single sign-on.
    pub(crate) provider: Option<Provider>,
    /// Requests in progress, until their answers have left.
    pub(crate) requests: Arc<Semaphore>,
    /// And those of each network.
    pub(crate) requests_of: Arc<Places>,
    /// Streams of changes, which are not counted among the requests.
    pub(crate) streams: Arc<Semaphore>,
    /// And those of each network.
    pub(crate) streams_of: Arc<Places>,
    /// Whether the server ends: then streams do.
    pub(crate) ending: watch::Sender<bool>,
    /// Request bodies in memory, in kibibytes.
    pub(crate) bodies: Arc<Semaphore>,
    /// CPU work off the reactor: as many at once as there are cores.
    pub(crate) workers: Arc<Semaphore>,
    pub(crate) cores: usize,
    /// Had when it is first needed.
    pub(crate) seal: OnceCell<Seal>,
    /// Encoded features.
    pub(crate) fragments: Fragments,
    /// Whole collections as files.
    pub(crate) bulk: Bulk,
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl App {
    pub(crate) fn new(store: Store, options: &Options) -> Self {
        // Some hundred milliseconds that no request shall wait for. The process may not end meanwhile, as it does not before
        // what the runtime has begun: PROJ would go on in what the C++ library is taking down.
        tokio::task::spawn_blocking(crate::crs::prepare);
        Self::unprepared(store, options)
    }

    /// The same for who answers no requests.
    pub(crate) fn unprepared(store: Store, options: &Options) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let inner = Inner {
            // Whole answers are a part of what tiles may take.
            tiles: Arc::new(TileCache::new(
                options.tile_cache_bytes / 4 * 3,
                &store.epoch(),
                cores,
            )),
            ready: Ready::new(options.tile_cache_bytes / 4),
            archives: Archives::new(&options.archives),
            low_zooms: Arc::new(LowZooms::new()),
            store,
            options: options.clone(),
            narrowings: Narrowings::new(),
            metrics: Metrics::new(),
            definition: Definition::default(),
            lenses: Lenses::default(),
            decisions: Decisions::default(),
            known: Known::default(),
            attempts: Attempts::new(),
            requests_by: edge::rate(options.requests_per_second)
                .map(|rate| Buckets::new(rate, MAX_NETWORKS)),
            passwords: Passwords::new(),
            provider: options.single_sign_on.clone().map(Provider::new),
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            requests_of: Places::new(MAX_NETWORK_REQUESTS),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            streams_of: Places::new(MAX_NETWORK_STREAMS),
            ending: watch::Sender::new(false),
            bodies: Arc::new(Semaphore::new(BODY_ROOM)),
            workers: Arc::new(Semaphore::new(cores)),
            cores,
            seal: OnceCell::new(),
            fragments: Fragments::new(options.feature_cache_bytes),
            bulk: Bulk::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whether browsers reach the server by TLS.
    pub(crate) fn is_secure(&self) -> bool {
        let url = self.options.base_url.as_deref();
        self.options.tls.is_some() || url.is_some_and(|url| url.starts_with("https://"))
    }

    /// The name of the provider of single sign-on.
    pub(crate) fn provider_name(&self) -> Option<String> {
        let options = self.options.single_sign_on.as_ref()?;
        Some(options.name.clone())
    }

    /// Whether somebody has business with the pages of administration.
    pub(crate) fn manages(&self, context: &Context) -> bool {
        let principal = &context.principal;
        let of_the_whole = [Permission::ManagePeople, Permission::ReadAudit];
        principal.may_somewhere(Permission::Publish)
            || of_the_whole.into_iter().any(|p| principal.may(p))
    }

    /// The name of the session's cookie.
    pub(crate) fn cookie(&self) -> &'static str {
        if self.is_secure() {
            COOKIE_SECURE
        } else {
            COOKIE_PLAIN
        }
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
