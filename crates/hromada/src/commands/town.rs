//! `hromada sample-town`.

use std::path::PathBuf;

use clap::ArgMatches;
use model::Message;
use serde_json::json;

use crate::output::Output;
use crate::{Outcome, sample_town};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let options = sample_town::Options {
        parcels: args.get_one::<u64>("parcels").copied().unwrap_or(20_000),
        seed: args.get_one::<u64>("seed").copied().unwrap_or(1),
        out: args.get_one::<PathBuf>("out").cloned().unwrap_or_default(),
    };
    let bar = output.progress(Some(options.parcels), "parcels");
    let shown = bar.clone();
    let out = options.out.clone();
    let written = tokio::task::spawn_blocking(move || {
        sample_town::write(&options, &mut |done| shown.set_position(done))
    })
    .await;
    bar.finish_and_clear();
    let summary = written??;
    if output.json {
        let counts: serde_json::Map<String, serde_json::Value> = summary
            .collections
            .iter()
            .map(|(id, n)| (id.clone(), json!(n)))
            .collect();
        output.result(&json!({"out": out.display().to_string(), "collections": counts}));
        return Ok(Outcome::Done);
    }
    for (id, n) in summary.collections.iter().filter(|_| !output.quiet) {
        output.line(&format!("{id:16} {n:>9}"));
    }
    output.say(&Message::new("cli.town-done").with("manifest", out.join("town.json").display()));
    Ok(Outcome::Done)
}
