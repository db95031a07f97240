//! `hromada webhook`.

use clap::ArgMatches;
use model::{Bbox, Message};
use serde_json::{Value as Json, json};
use store::{KeptWebhook, Webhook};

use super::{administering, reading, text, texts};
use crate::output::Output;
use crate::{Outcome, Told, console};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    match args.subcommand() {
        Some(("add", args)) => add(args, output).await?,
        Some(("list", args)) => list(args, output).await?,
        Some(("remove", args)) => {
            let id = text(args, "id").unwrap_or_default();
            let store = administering(args).await?;
            store.remove_webhook(&console::actor(), id).await?;
            store.close().await;
            super::user::done(output, Message::new("cli.webhook-removed"), id);
        }
        Some(("retry", args)) => {
            let id = text(args, "id").unwrap_or_default();
            let store = administering(args).await?;
            store.retry_webhook(&console::actor(), id).await?;
            store.close().await;
            super::user::done(output, Message::new("cli.webhook-retried"), id);
        }
        _ => unreachable!("the command line requires a known command"),
    }
    Ok(Outcome::Done)
}

async fn add(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let is_internal = args.get_flag("internal");
    let url = text(args, "url").unwrap_or_default();
    let collections = texts(args, "collection");
    let webhook = Webhook {
        id: text(args, "id").unwrap_or_default().to_owned(),
        url: server::parse_webhook_url(url, is_internal).map_err(Told)?,
        person: text(args, "as").unwrap_or_default().to_owned(),
        collections: (!collections.is_empty()).then_some(collections),
        bbox: text(args, "bbox").map(bbox).transpose()?,
        is_internal,
    };
    let secret = server::webhook_secret();
    let store = administering(args).await?;
    let known = store.summaries().await?;
    for id in webhook.collections.iter().flatten() {
        if !known.iter().any(|s| s.collection.id.as_str() == id) {
            return Err(Told(Message::new("store.no-collection").with("id", id)).into());
        }
    }
    let json = shown(&webhook);
    let id = webhook.id.clone();
    store
        .add_webhook(&console::actor(), webhook, secret.clone())
        .await?;
    store.close().await;
    if output.json {
        let mut json = json;
        json["secret"] = secret.into();
        output.result(&json);
        return Ok(());
    }
    output.say(&Message::new("cli.webhook-added").with("id", id));
    output.line(&secret);
    Ok(())
}

fn bbox(text: &str) -> Result<[f64; 4], Told> {
    let refused = || Told(Message::new("cli.webhook-bbox-bad").with("value", text));
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|n| n.trim().parse()).collect();
    let numbers: [f64; 4] = numbers
        .ok()
        .and_then(|all| all.try_into().ok())
        .ok_or_else(refused)?;
    Bbox::new(&numbers).map_err(|_| refused())?;
    Ok(numbers)
}

async fn list(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let store = reading(args).await?;
    let all = store.webhooks().await?;
    if output.json {
        let all: Vec<_> = all.iter().map(told).collect();
        output.result(&json!({ "webhooks": all }));
        return Ok(());
    }
    for kept in &all {
        let (webhook, told) = (&kept.webhook, &kept.told);
        let state = match (told.is_off, &told.error) {
            (true, error) => {
                Message::new("cli.webhook-off").with("error", error.as_deref().unwrap_or_default())
            }
            (false, Some(error)) if told.failures > 0 => Message::new("cli.webhook-failing")
                .with("failures", told.failures)
                .with("since", told.since.as_deref().unwrap_or_default())
                .with("error", error),
            _ => match &told.last {
                Some(last) => Message::new("cli.webhook-last").with("last", last),
                None => Message::new("cli.webhook-quiet"),
            },
        };
        let collections = webhook.collections.iter().flatten().cloned();
        let collections: Vec<String> = collections.collect();
        output.line(&format!(
            "{}  {}  {}  {}  {}",
            webhook.id,
            webhook.url,
            webhook.person,
            collections.join(","),
            output.text(&state)
        ));
    }
    if all.is_empty() {
        output.say(&Message::new("cli.webhook-none"));
    }
    Ok(())
}

fn shown(webhook: &Webhook) -> Json {
    json!({
        "id": webhook.id, "url": webhook.url, "as": webhook.person, "collections": webhook.collections,
        "bbox": webhook.bbox, "internal": webhook.is_internal,
    })
}

fn told(kept: &KeptWebhook) -> Json {
    let told = &kept.told;
    let mut json = shown(&kept.webhook);
    json["last"] = told.last.clone().into();
    json["failures"] = told.failures.into();
    json["since"] = told.since.clone().into();
    json["due"] = told.due.clone().into();
    json["error"] = told.error.clone().into();
    json["off"] = told.is_off.into();
    json
}
