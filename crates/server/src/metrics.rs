//! Figures in Prometheus' text format.

use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus::{
    Encoder as _, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::app::App;
use crate::limits::{BODY_ROOM, MAX_REQUESTS};

/// Seconds; from an answer out of memory to one that a person gives up on.
const BUCKETS: [f64; 12] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    gauges: Gauges,
}

/// Counts requests of one route, method and status.
pub(crate) struct Measure {
    requests: IntCounter,
    seconds: Histogram,
}

impl Measure {
    pub(crate) fn note(&self, elapsed: Duration) {
        self.requests.inc();
        self.seconds.observe(elapsed.as_secs_f64());
    }
}

/// Set when they are asked for.
struct Gauges {
    tile_bytes: IntGauge,
    feature_bytes: IntGauge,
    tile_hits: IntGauge,
    tile_misses: IntGauge,
    features: IntGaugeVec,
    index_bytes: IntGaugeVec,
    change_seq: IntGaugeVec,
    in_use: IntGaugeVec,
    stopped: IntGauge,
    behind_seconds: Gauge,
    behind_changes: IntGauge,
    resident: IntGauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str| {
            register(&registry, IntGauge::with_opts(Opts::new(name, help)))
        };
        let by = |name: &str, help: &str, label: &str| {
            register(&registry, IntGaugeVec::new(Opts::new(name, help), &[label]))
        };
        let gauges = Gauges {
            tile_bytes: gauge(
                "hromada_tile_cache_bytes",
                "Bytes of encoded tiles that are kept.",
            ),
            feature_bytes: gauge(
                "hromada_feature_cache_bytes",
                "Bytes of encoded features that are kept.",
            ),
            tile_hits: gauge(
                "hromada_tile_cache_hits",
                "Tiles that were answered from memory.",
            ),
            tile_misses: gauge("hromada_tile_cache_misses", "Tiles that were cut."),
            features: by(
                "hromada_features",
                "Features of a collection.",
                "collection",
            ),
            index_bytes: by(
                "hromada_index_bytes",
                "Memory of a collection's index.",
                "collection",
            ),
            change_seq: by(
                "hromada_change_seq",
                "The last change of a collection.",
                "collection",
            ),
            in_use: by(
                "hromada_in_use",
                "Places of a bounded pool that are taken.",
                "pool",
            ),
            stopped: gauge(
                "hromada_writes_stopped",
                "1 when writes have stopped after a failed commit.",
            ),
            behind_seconds: register(
                &registry,
                Gauge::with_opts(Opts::new(
                    "hromada_behind_seconds",
                    "Time since the index was last known to hold all that a shared database has; 0 without one.",
                )),
            ),
            behind_changes: gauge(
                "hromada_behind_changes",
                "Changes of a shared database that are known of and not yet in the index.",
            ),
            resident: gauge(
                "process_resident_memory_bytes",
                "Resident memory of the process.",
            ),
        };
        let requests = Opts::new(
            "hromada_requests_total",
            "Requests by route, method and status.",
        );
        let requests = register(
            &registry,
            IntCounterVec::new(requests, &["route", "method", "status"]),
        );
        let seconds =
            HistogramOpts::new("hromada_request_seconds", "Time to the head of the answer.")
                .buckets(BUCKETS.to_vec());
        let seconds = register(&registry, HistogramVec::new(seconds, &["route"]));
        Self {
            registry,
            requests,
            seconds,
            gauges,
        }
    }

    pub(crate) fn request(&self, route: &str, method: &str, status: u16, elapsed: Duration) {
        // Any client can invent a method; those we do not know count as one.
        const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"];
        let method = METHODS.iter().find(|m| **m == method).unwrap_or(&"other");
        self.measure(route, method, status).note(elapsed);
    }

    /// What counts requests like one another.
    pub(crate) fn measure(&self, route: &str, method: &str, status: u16) -> Measure {
        let labels = [route, method, &status.to_string()];
        Measure {
            requests: self.requests.with_label_values(&labels),
            seconds: self.seconds.with_label_values(&[route]),
        }
    }

    /// # Errors
    /// When the figures can't be written as text.
    pub(crate) fn text(&self, app: &App) -> Result<String, prometheus::Error> {
        self.gauges.set(app);
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }
}

impl Gauges {
    fn set(&self, app: &App) {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.tile_bytes.set(number(app.tiles.bytes()));
        self.feature_bytes.set(number(app.fragments.bytes()));
        self.tile_hits
            .set(number(app.tiles.hits.load(Ordering::Relaxed)));
        self.tile_misses
            .set(number(app.tiles.misses.load(Ordering::Relaxed)));
        for (id, live) in &app.store.live().collections {
            self.features
                .with_label_values(&[&**id])
                .set(count(live.index.len()));
            self.index_bytes
                .with_label_values(&[&**id])
                .set(count(live.index.memory_bytes()));
            self.change_seq.with_label_values(&[&**id]).set(live.seq.0);
        }
        let taken = |all: usize, free: usize| count(all.saturating_sub(free));
        self.in_use
            .with_label_values(&["requests"])
            .set(taken(MAX_REQUESTS, app.requests.available_permits()));
        self.in_use
            .with_label_values(&["body_kibibytes"])
            .set(taken(BODY_ROOM, app.bodies.available_permits()));
        self.in_use
            .with_label_values(&["workers"])
            .set(taken(app.cores, app.workers.available_permits()));
        self.stopped.set(i64::from(app.store.stopped().is_some()));
        if let Some(lag) = app.store.lag() {
            self.behind_seconds.set(lag.since_current.as_secs_f64());
            self.behind_changes.set(number(lag.changes));
        }
        self.resident.set(resident_bytes().map_or(0, number));
    }
}

fn register<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    made: prometheus::Result<C>,
) -> C {
    let metric = made.expect("names and labels are constants of a valid form");
    registry
        .register(Box::new(metric.clone()))
        .expect("each name is registered once");
    metric
}

/// Resident memory by the kernel (proc(5), `statm`, second field, in pages).
fn resident_bytes() -> Option<u64> {
    // Of every Linux that we build for.
    const PAGE: u64 = 4096;
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()?
        .checked_mul(PAGE)
}
