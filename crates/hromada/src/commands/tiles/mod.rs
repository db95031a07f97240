//! `hromada tiles`.

mod export;
mod findings;
mod verify;

use clap::ArgMatches;

use crate::Outcome;
use crate::output::Output;

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    match args.subcommand() {
        Some(("export", args)) => export::run(args, output).await,
        Some(("verify", args)) => verify::run(args, output).await,
        _ => unreachable!("the command line requires a known command"),
    }
}
