//! `hromada serve`.

use std::net::SocketAddr;
use std::time::Instant;

use clap::ArgMatches;
use model::Message;
use store::{Access, Place, Store};
use tokio::net::TcpListener;

use crate::output::Output;
use crate::{Outcome, Told, cli};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    start_logging();
    let started = Instant::now();
    let listen: SocketAddr = *args
        .get_one("listen")
        .ok_or_else(|| anyhow::anyhow!("listen has a default"))?;
    let mut place = cli::place(args)?;
    if let (Place::Postgres(database), Some(url)) =
        (&mut place, args.get_one::<String>("read-database"))
    {
        *database = database.clone().reading_from(url)?;
    }
    let store = Store::open(place, Access::Write).await?;
    // The port is taken before the index is loaded, so that a second server is told at once.
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Told(
            Message::new("cli.listen-failed")
                .with("address", listen)
                .with("reason", error),
        )
    })?;
    let address = listener.local_addr()?;
    let options = server::Options {
        listen: address,
        allow_edits: args.get_flag("allow-edits"),
        base_url: args.get_one::<String>("base-url").cloned(),
        tile_cache_bytes: args.get_one::<u64>("tile-cache").copied().unwrap_or(64) * 1024 * 1024,
    };
    let open_edits = options.allow_edits && !address.ip().is_loopback();
    // Served from the first moment: whoever watches the server sees that it lives and is not ready, instead of a
    // connection that hangs.
    let loading = store.clone();
    let mut loading = tokio::spawn(async move {
        loading.load().await?;
        loading.follow();
        Ok::<_, store::Error>(())
    });
    let mut serving = std::pin::pin!(server::serve(store.clone(), options, listener, shutdown()));
    let served = tokio::select! {
        loaded = &mut loading => {
            loaded??;
            tell_ready(output, &store, address, started);
            if open_edits {
                output.say(&Message::new("cli.open-edits"));
            }
            serving.await
        }
        served = &mut serving => {
            // Stopped before it was ready; nothing is written by loading.
            loading.abort();
            let _ = loading.await;
            served
        }
    };
    served?;
    store.close().await;
    output.say(&Message::new("cli.stopped"));
    Ok(Outcome::Done)
}

fn tell_ready(output: &Output, store: &Store, address: SocketAddr, started: Instant) {
    let live = store.live();
    let features: usize = live.collections.values().map(|c| c.index.len()).sum();
    let shown = if address.ip().is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], address.port()))
    } else {
        address
    };
    let elapsed_ms = started.elapsed().as_millis();
    tracing::info!(%address, collections = live.collections.len(), features, elapsed_ms, "ready");
    output.say(
        &Message::new("cli.ready")
            .with("url", format!("http://{shown}/app/"))
            .with("collections", live.collections.len())
            .with("features", features)
            .with("ms", elapsed_ms),
    );
    if live.collections.is_empty() {
        output.say(&Message::new("cli.ready-empty"));
    }
}

/// Ends on Ctrl+C and on the service manager's SIGTERM.
async fn shutdown() {
    let interrupt = tokio::signal::ctrl_c();
    let Ok(mut terminate) =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
    else {
        // Without the handler the default action ends the process, which the store survives.
        let _ = interrupt.await;
        return;
    };
    tokio::select! {
        _ = interrupt => {}
        _ = terminate.recv() => {}
    }
}

/// One JSON object a line on standard error; `RUST_LOG` chooses what, `info` by default.
fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start in one process keeps the first subscriber.
    let _ = subscriber.try_init();
}
