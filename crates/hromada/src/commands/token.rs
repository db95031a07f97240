//! `hromada token`.

use clap::ArgMatches;
use model::Message;
use model::access::Scope;
use serde_json::json;
use store::{KeyHash, KeyKind, NewToken, TOKEN_DAYS};

use super::user::{shown, token_json};
use super::{administering, reading, text, texts};
use crate::output::Output;
use crate::{Outcome, console};

/// Characters of a hash in a list: enough to tell any two apart and to revoke one.
const SHOWN_HASH: usize = 12;

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    match args.subcommand() {
        Some(("new", args)) => new(args, output).await?,
        Some(("list", args)) => list(args, output).await?,
        Some(("revoke", args)) => revoke(args, output).await?,
        _ => unreachable!("the command line requires a known command"),
    }
    Ok(Outcome::Done)
}

async fn new(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let scopes = texts(args, "scope");
    let collections = texts(args, "collection");
    let token = NewToken {
        person: text(args, "id").unwrap_or_default().to_owned(),
        label: text(args, "label").unwrap_or_default().to_owned(),
        scopes: scopes.iter().filter_map(|s| Scope::from_name(s)).collect(),
        collections: (!collections.is_empty()).then(|| collections.into_iter().collect()),
        days: args.get_one::<u32>("days").copied().unwrap_or(TOKEN_DAYS),
        generation: None,
    };
    let store = administering(args).await?;
    let (secret, key) = store.add_token(&console::actor(), token).await?;
    store.close().await;
    if output.json {
        let mut json = token_json(&KeyHash::of(&secret), &key);
        json["token"] = secret.into();
        output.result(&json);
        return Ok(());
    }
    let message = Message::new("cli.token-made").with("id", &key.person);
    output.say(&message.with("expires", shown(&key.expires)));
    output.line(&secret);
    Ok(())
}

async fn list(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let store = reading(args).await?;
    let mut tokens = store.keys(text(args, "id")).await?;
    tokens.retain(|(_, key)| key.kind == KeyKind::Token);
    if output.json {
        let tokens: Vec<_> = tokens.iter().map(|(h, k)| token_json(h, k)).collect();
        output.result(&json!({ "tokens": tokens }));
        return Ok(());
    }
    for (hash, key) in &tokens {
        let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
        let collections = key.collections.iter().flatten().cloned();
        let collections: Vec<String> = collections.collect();
        let times = Message::new("cli.token-times")
            .with("expires", shown(&key.expires))
            .with("seen", shown(&key.seen));
        output.line(&format!(
            "{}  {}  {}  {}  {}  {}",
            &hash.as_str()[..SHOWN_HASH],
            key.person,
            scopes.join("+"),
            collections.join(","),
            key.label,
            output.text(&times)
        ));
    }
    if tokens.is_empty() {
        output.say(&Message::new("cli.token-none"));
    }
    Ok(())
}

async fn revoke(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let prefix = text(args, "hash").unwrap_or_default();
    let store = administering(args).await?;
    let key = store.revoke_token(&console::actor(), prefix).await?;
    store.close().await;
    let message = Message::new("cli.token-revoked").with("label", &key.label);
    super::user::done(output, message, &key.person);
    Ok(())
}
