//! The commands, one file each.

mod access;
mod administrator;
mod audit;
mod backup;
mod check;
mod collections;
mod copy;
mod crs;
mod export;
mod history;
mod import;
mod publish;
mod restore;
mod role;
mod serve;
mod tiles;
mod token;
mod town;
mod unit;
mod user;
mod webhook;

use clap::ArgMatches;
use store::{Access, Error, Store};

use crate::output::Output;
use crate::{Outcome, cli};

pub(crate) async fn run(matches: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    match matches.subcommand() {
        Some(("serve", args)) => serve::run(args, output).await,
        Some(("import", args)) => import::run(args, output).await,
        Some(("export", args)) => export::run(args, output).await,
        Some(("tiles", args)) => tiles::run(args, output).await,
        Some(("collections", args)) => collections::run(args, output).await,
        Some(("crs", args)) => crs::run(args, output).await,
        Some(("publish", args)) => publish::run(args, output).await,
        Some(("check", args)) => check::run(args, output).await,
        Some(("history", args)) => history::run(args, output).await,
        Some(("copy", args)) => copy::run(args, output).await,
        Some(("backup", args)) => backup::run(args, output).await,
        Some(("restore", args)) => restore::run(args, output).await,
        Some(("user", args)) => user::run(args, output).await,
        Some(("role", args)) => role::run(args, output).await,
        Some(("unit", args)) => unit::run(args, output).await,
        Some(("token", args)) => token::run(args, output).await,
        Some(("access", args)) => access::run(args, output).await,
        Some(("audit", args)) => audit::run(args, output).await,
        Some(("webhook", args)) => webhook::run(args, output).await,
        Some(("sample-town", args)) => town::run(args, output).await,
        _ => unreachable!("the command line requires a known command"),
    }
}

/// The store, to read it beside a running server.
async fn reading(args: &ArgMatches) -> Result<Store, Error> {
    Store::open(cli::place(args)?, Access::Read).await
}

/// The store, to change people and rules beside a running server. Where there is none yet, or one of an older release, no
/// server runs on it: it is made, or brought up to date.
async fn administering(args: &ArgMatches) -> Result<Store, Error> {
    let place = cli::place(args)?;
    match Store::open(place.clone(), Access::Administer).await {
        Err(Error::Refused(message)) if NOT_YET.contains(&message.key()) => {
            Store::open(place, Access::Write).await
        }
        opened => opened,
    }
}

/// Why a store can't be administered that can be opened for writing.
const NOT_YET: [&str; 3] = ["store.missing", "store.folder-missing", "store.older"];

/// An argument that the command line requires or may have.
fn text<'a>(args: &'a ArgMatches, name: &str) -> Option<&'a str> {
    args.get_one::<String>(name).map(String::as_str)
}

fn texts(args: &ArgMatches, name: &str) -> Vec<String> {
    let all = args.get_many::<String>(name);
    all.into_iter().flatten().cloned().collect()
}
