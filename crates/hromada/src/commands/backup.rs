//! `hromada backup`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use model::Message;
use serde_json::json;
use store::{Access, Store};

use crate::output::Output;
use crate::{Outcome, cli};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let to = args.get_one::<PathBuf>("to").map(PathBuf::as_path);
    let store = Store::open(cli::place(args)?, Access::Read).await?;
    let report = store.backup(to.unwrap_or(Path::new(""))).await?;
    if output.json {
        output.result(&json!({"file": report.file.display().to_string(), "bytes": report.bytes}));
    } else {
        output.say(
            &Message::new("cli.backed-up")
                .with("file", report.file.display())
                .with("bytes", report.bytes),
        );
    }
    Ok(Outcome::Done)
}
