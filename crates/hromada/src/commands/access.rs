//! `hromada access`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use model::access::{Access, Class};
use model::{CollectionId, Message};
use serde_json::{Map, Value as Json, json};
use store::{Store, access_from_text, access_json};

use super::{administering, reading, text};
use crate::output::Output;
use crate::{Outcome, Told, console, read_text};

/// Rules are some lines; a filter is bounded by itself.
const MAX_FILE: u64 = 1024 * 1024;

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    match args.subcommand() {
        Some(("show", args)) => show(args, output).await?,
        Some(("set", args)) => set(args, output).await?,
        _ => unreachable!("the command line requires a known command"),
    }
    Ok(Outcome::Done)
}

fn collection(args: &ArgMatches) -> anyhow::Result<Option<CollectionId>> {
    let named = text(args, "collection").map(CollectionId::new).transpose();
    Ok(named.map_err(|invalid| Told(invalid.0))?)
}

async fn show(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let store = reading(args).await?;
    let directory = store.directory();
    let wanted = collection(args)?;
    let mut ids = ids(&store).await?;
    if let Some(wanted) = &wanted {
        ids.retain(|id| id == wanted);
        if ids.is_empty() {
            let message = Message::new("store.no-collection").with("id", wanted);
            return Err(Told(message).into());
        }
    }
    let rules = ids.iter().map(|id| (id, directory.access(id.as_str())));
    if output.json {
        let rules: Map<String, Json> = rules
            .map(|(id, access)| (id.to_string(), access_json(&access)))
            .collect();
        output.result(&json!({ "access": rules }));
        return Ok(());
    }
    let width = ids.iter().map(|id| id.as_str().len()).max().unwrap_or(0);
    for (id, access) in rules {
        // One collection: its rules as `access set --file` takes them.
        if wanted.is_some() {
            output.result(&access_json(&access));
        } else {
            let id = id.as_str();
            output.line(&format!("{id:width$}  {}", summary(&access, output)));
        }
    }
    Ok(())
}

async fn ids(store: &Store) -> Result<Vec<CollectionId>, store::Error> {
    let summaries = store.summaries().await?;
    Ok(summaries.into_iter().map(|s| s.collection.id).collect())
}

/// The rules in a line.
fn summary(access: &Access, output: &Output) -> String {
    let mut parts = vec![access.class.name().to_owned()];
    parts.extend(access.unit.clone());
    let counted = [
        ("cli.access-properties", access.properties.len()),
        ("cli.access-rows", access.rows.len()),
    ];
    for (key, count) in counted.into_iter().filter(|(_, count)| *count > 0) {
        parts.push(output.text(&Message::new(key).count(count as u64)));
    }
    if let Some(twin) = &access.twin {
        let message = Message::new("cli.access-twin").with("class", twin.class.name());
        parts.push(output.text(&message));
    }
    parts.join(", ")
}

async fn set(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let rules = args.get_one::<PathBuf>("file");
    let rules = rules.map(|file| read(file)).transpose()?;
    let class = text(args, "class").and_then(Class::from_name);
    let unit = text(args, "unit").map(str::to_owned);
    let id = collection(args)?
        .ok_or_else(|| anyhow::anyhow!("the command line requires a collection"))?;
    let store = administering(args).await?;
    let actor = console::actor();
    match (rules, class) {
        (Some(rules), _) => store.set_access(&actor, &id, rules).await?,
        (None, Some(class)) => store.set_class(&actor, &id, class, unit).await?,
        (None, None) => unreachable!("the command line requires a class or a file"),
    }
    let access = store.directory().access(id.as_str());
    store.close().await;
    if output.json {
        output.result(&json!({ "collection": id.as_str(), "access": access_json(&access) }));
    } else {
        let message = Message::new("cli.access-changed").with("collection", &id);
        output.say(&message.with("access", summary(&access, output)));
    }
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Access> {
    Ok(access_from_text(&read_text(file, MAX_FILE)?)?)
}

/// Says who sees a collection that was made, where that is not everybody, and how to open it.
pub(super) fn tell_closed(store: &Store, collection: &CollectionId, output: &Output) {
    let access = store.directory().access(collection.as_str());
    let key = match access.class {
        Class::Public => return,
        Class::Registered => "cli.closed-registered",
        Class::Staff => "cli.closed-staff",
        Class::Unit => "cli.closed-unit",
        Class::Restricted => "cli.closed-restricted",
    };
    output.say(&Message::new(key).with("collection", collection));
}
