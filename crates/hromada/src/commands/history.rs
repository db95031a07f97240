//! `hromada history`.

use clap::ArgMatches;
use model::{CollectionId, Message};
use serde_json::{Value as Json, json};
use store::{Trim, Trimmed};

use super::{administering, reading, text, texts};
use crate::output::Output;
use crate::{Outcome, Told, console};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    match args.subcommand() {
        Some(("trim", args)) => trim(args, output).await?,
        _ => unreachable!("the command line requires a known command"),
    }
    Ok(Outcome::Done)
}

async fn trim(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let named = texts(args, "collections");
    let named: Result<Vec<_>, _> = named.iter().map(|id| CollectionId::new(id)).collect();
    let trim = Trim {
        collections: named.map_err(|invalid| Told(invalid.0))?,
        before: text(args, "before").map(str::to_owned),
        ..Trim::by_rules()
    };
    let is_dry = args.get_flag("dry-run");
    let trimmed = match is_dry {
        true => reading(args).await?.trimmable(&trim).await?,
        false => {
            let store = administering(args).await?;
            let bar = output.progress(None, "");
            let trimmed = store
                .trim(&console::actor(), &trim, &mut |collection, states| {
                    bar.set_prefix(collection.to_owned());
                    bar.set_position(states);
                })
                .await;
            bar.finish_and_clear();
            store.close().await;
            trimmed?
        }
    };
    if output.json {
        output.result(&json!({ "dryRun": is_dry, "collections": json_of(&trimmed) }));
        return Ok(());
    }
    if trimmed.is_empty() {
        output.say(&Message::new("cli.history-none"));
    }
    for one in &trimmed {
        let key = match is_dry {
            true => "cli.history-would-trim",
            false => "cli.history-trimmed",
        };
        let day = one.since.as_deref().and_then(|since| since.get(..10));
        output.say(
            &Message::new(key)
                .count(one.states)
                .with("collection", &one.collection)
                .with("day", day.unwrap_or("-"))
                .with("bytes", one.bytes),
        );
    }
    Ok(())
}

fn json_of(trimmed: &[Trimmed]) -> Vec<Json> {
    let one = |t: &Trimmed| json!({ "collection": t.collection, "since": t.since, "states": t.states, "bytes": t.bytes });
    trimmed.iter().map(one).collect()
}
