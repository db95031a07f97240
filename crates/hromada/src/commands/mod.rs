//! The commands, one file each.

mod backup;
mod check;
mod collections;
mod copy;
mod export;
mod import;
mod publish;
mod restore;
mod serve;
mod town;

use clap::ArgMatches;

use crate::Outcome;
use crate::output::Output;

pub(crate) async fn run(matches: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    match matches.subcommand() {
        Some(("serve", args)) => serve::run(args, output).await,
        Some(("import", args)) => import::run(args, output).await,
        Some(("export", args)) => export::run(args, output).await,
        Some(("collections", args)) => collections::run(args, output).await,
        Some(("publish", args)) => publish::run(args, output).await,
        Some(("check", args)) => check::run(args, output).await,
        Some(("copy", args)) => copy::run(args, output).await,
        Some(("backup", args)) => backup::run(args, output).await,
        Some(("restore", args)) => restore::run(args, output).await,
        Some(("sample-town", args)) => town::run(args, output).await,
        _ => unreachable!("the command line requires a known command"),
    }
}
