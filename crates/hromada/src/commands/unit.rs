//! `hromada unit`.

use clap::ArgMatches;
use model::Message;
use model::access::Unit;
use serde_json::json;

use super::user::done;
use super::{administering, reading, text};
use crate::output::Output;
use crate::{Outcome, console};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    match args.subcommand() {
        Some(("add", args)) => add(args, output).await?,
        Some(("list", args)) => list(args, output).await?,
        Some(("remove", args)) => remove(args, output).await?,
        _ => unreachable!("the command line requires a known command"),
    }
    Ok(Outcome::Done)
}

async fn add(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let given = |name| text(args, name).unwrap_or_default().to_owned();
    let unit = Unit {
        id: given("id"),
        title: given("title"),
        parent: text(args, "parent").map(str::to_owned),
    };
    let store = administering(args).await?;
    store.add_unit(&console::actor(), unit).await?;
    store.close().await;
    done(output, Message::new("cli.unit-added"), &given("id"));
    Ok(())
}

async fn list(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let store = reading(args).await?;
    let directory = store.directory();
    if output.json {
        let units: Vec<_> = directory
            .units
            .values()
            .map(|u| json!({ "id": u.id, "title": u.title, "parent": u.parent }))
            .collect();
        output.result(&json!({ "units": units }));
        return Ok(());
    }
    let width = directory.units.keys().map(String::len).max().unwrap_or(0);
    for unit in directory.units.values() {
        let parent = unit.parent.iter().map(|p| format!("  ({p})"));
        let parent: String = parent.collect();
        output.line(&format!("{:width$}  {}{parent}", unit.id, unit.title));
    }
    if directory.units.is_empty() {
        output.say(&Message::new("cli.unit-none"));
    }
    Ok(())
}

async fn remove(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let id = text(args, "id").unwrap_or_default();
    let store = administering(args).await?;
    store.remove_unit(&console::actor(), id).await?;
    store.close().await;
    done(output, Message::new("cli.unit-removed"), id);
    Ok(())
}
