//! `hromada restore`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use model::Message;
use store::{Access, Store};

use super::check;
use crate::output::Output;
use crate::{Outcome, cli};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let place = cli::place(args)?;
    let from = args.get_one::<PathBuf>("from").map(PathBuf::as_path);
    store::restore(from.unwrap_or(Path::new("")), &place).await?;
    output.say(&Message::new("cli.restored").with("place", &place));
    // The first opening for writing begins the new epoch.
    let store = Store::open(place, Access::Write).await?;
    let checked = check::whole(&store, false, output).await;
    store.close().await;
    checked
}
