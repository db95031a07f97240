//! `hromada serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use clap::ArgMatches;
use model::Message;
use store::{Access, Place, Store};

use super::administrator;
use crate::output::Output;
use crate::{Outcome, Told, cli};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    start_logging();
    let started = Instant::now();
    let listen: SocketAddr = *args
        .get_one("listen")
        .ok_or_else(|| anyhow::anyhow!("listen has a default"))?;
    // What is wrong with the arguments is said before anything is opened.
    let mut options = options(args, listen)?;
    let mut place = cli::place(args)?;
    if let (Place::Postgres(database), Some(url)) =
        (&mut place, args.get_one::<String>("read-database"))
    {
        *database = database.clone().reading_from(url)?;
    }
    let store = Store::open(place, Access::Write).await?;
    // The port is taken before the index is loaded, so that a second server is told at once.
    let listener = server::listen(listen).map_err(|error| {
        Told(
            Message::new("cli.listen-failed")
                .with("address", listen)
                .with("reason", error),
        )
    })?;
    let address = listener.local_addr()?;
    options.listen = address;
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    // Served from the first moment: whoever watches the server sees that it lives and is not ready, instead of a
    // connection that hangs.
    let loading = store.clone();
    let mut loading = tokio::spawn(async move {
        loading.load().await?;
        loading.follow();
        Ok::<_, store::Error>(())
    });
    let base_url = options.base_url.clone();
    let mut serving = std::pin::pin!(server::serve(store.clone(), options, listener, shutdown()));
    let served = tokio::select! {
        loaded = &mut loading => {
            loaded??;
            tell_ready(output, &store, (scheme, address), started);
            let url = base_url.unwrap_or_else(|| format!("{scheme}://{}", shown(address)));
            let invited = async {
                if let Err(error) = administrator::invite(&store, &url, output).await {
                    tracing::warn!(%error, "the first administrator could not be invited");
                }
            };
            // Requests are answered meanwhile.
            tokio::join!(serving, invited).0
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

fn options(args: &ArgMatches, listen: SocketAddr) -> Result<server::Options, Told> {
    let texts = |name: &str| args.get_many::<String>(name).unwrap_or_default();
    let file = |name: &str| args.get_one::<PathBuf>(name);
    let tls = match (file("tls-certificate"), file("tls-key")) {
        (Some(certificate), Some(key)) => Some(server::Tls::load(certificate, key).map_err(Told)?),
        _ => None,
    };
    let trusted_proxies: Result<_, _> = texts("trusted-proxy")
        .map(|text| server::parse_network(text))
        .collect();
    let cors_origins: Result<_, _> = texts("cors-origin")
        .map(|text| server::parse_origin(text))
        .collect();
    let archives: Result<_, _> = texts("archive")
        .map(|text| server::ArchiveOption::parse(text))
        .collect();
    let defaults = server::Options::default();
    let rate = args.get_one::<u32>("requests-per-second").copied();
    Ok(server::Options {
        listen,
        base_url: args.get_one::<String>("base-url").cloned(),
        plain_sign_in: args.get_flag("plain-sign-in"),
        require_second_factor: args.get_flag("require-second-factor"),
        tile_cache_bytes: args.get_one::<u64>("tile-cache").copied().unwrap_or(64) * 1024 * 1024,
        feature_cache_bytes: args.get_one::<u64>("feature-cache").copied().unwrap_or(128) << 20,
        trusted_proxies: trusted_proxies.map_err(Told)?,
        requests_per_second: rate.unwrap_or(defaults.requests_per_second),
        cors_origins: cors_origins.map_err(Told)?,
        tls,
        single_sign_on: single_sign_on(args)?,
        archives: archives.map_err(Told)?,
    })
}

/// The provider that people sign in by, when one is named.
fn single_sign_on(args: &ArgMatches) -> Result<Option<server::SingleSignOn>, Told> {
    let text = |name: &str| args.get_one::<String>(name);
    let (Some(issuer), Some(client)) = (text("oidc-issuer"), text("oidc-client")) else {
        return Ok(None);
    };
    let mut options = server::SingleSignOn::new(issuer, client).map_err(Told)?;
    options.client_secret = secret(args.get_one::<PathBuf>("oidc-secret-file"))?;
    if let Some(name) = text("oidc-name") {
        options.name.clone_from(name);
    }
    if let Some(scopes) = args.get_many::<String>("oidc-scope") {
        options.scopes = scopes.cloned().collect();
    }
    if let Some(claim) = text("oidc-groups") {
        options.groups_claim.clone_from(claim);
    }
    let roles = args.get_many::<String>("oidc-role").unwrap_or_default();
    let roles: Result<_, _> = roles.map(|text| server::parse_role(text)).collect();
    options.roles = roles.map_err(Told)?;
    Ok(Some(options))
}

/// The secret of a file, or of the environment.
fn secret(file: Option<&PathBuf>) -> Result<Option<server::Secret>, Told> {
    let Some(file) = file else {
        let text = std::env::var("HROMADA_OIDC_SECRET").unwrap_or_default();
        return Ok(server::Secret::new(&text));
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        Told(
            Message::new("cli.oidc-secret-unreadable")
                .with("file", file.display())
                .with("reason", error),
        )
    })?;
    let empty = || Told(Message::new("cli.oidc-secret-empty").with("file", file.display()));
    server::Secret::new(&text).ok_or_else(empty).map(Some)
}

fn tell_ready(
    output: &Output,
    store: &Store,
    (scheme, address): (&str, SocketAddr),
    started: Instant,
) {
    let live = store.live();
    let features: usize = live.collections.values().map(|c| c.index.len()).sum();
    let shown = shown(address);
    let elapsed_ms = started.elapsed().as_millis();
    tracing::info!(%address, collections = live.collections.len(), features, elapsed_ms, "ready");
    output.say(
        &Message::new("cli.ready")
            .with("url", format!("{scheme}://{shown}/app/"))
            .with("collections", live.collections.len())
            .with("features", features)
            .with("ms", elapsed_ms),
    );
    if live.collections.is_empty() {
        output.say(&Message::new("cli.ready-empty"));
    }
}

/// Where a browser on this machine finds the server.
fn shown(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], address.port()))
    } else {
        address
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
    // The geometry library warns of each shape that is not as it should be: a filter of a client asks about all of them.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,geo=error"));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start in one process keeps the first subscriber.
    let _ = subscriber.try_init();
}
