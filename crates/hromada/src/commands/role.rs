//! `hromada role`.

use clap::ArgMatches;
use model::Message;
use model::access::{BUILT_IN, Role};
use serde_json::json;

use super::user::done;
use super::{administering, text};
use crate::output::Output;
use crate::{Outcome, Told, console, role_bounds};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    match args.subcommand() {
        Some(("list", _)) => list(output),
        Some(("give", args)) => give(args, output).await?,
        Some(("take", args)) => take(args, output).await?,
        _ => unreachable!("the command line requires a known command"),
    }
    Ok(Outcome::Done)
}

fn list(output: &Output) {
    let names = |role: &Role| -> Vec<&str> { role.permissions.iter().map(|p| p.name()).collect() };
    if output.json {
        let roles: Vec<_> = BUILT_IN
            .iter()
            .map(|role| json!({ "id": role.id, "permissions": names(role) }))
            .collect();
        output.result(&json!({ "roles": roles }));
        return;
    }
    for role in &BUILT_IN {
        output.line(&format!("{:15} {}", role.id, names(role).join(", ")));
    }
}

/// The account and the role that are named.
fn named(args: &ArgMatches) -> anyhow::Result<(&str, Role)> {
    let name = text(args, "role").unwrap_or_default();
    let role = Role::named(name)
        .ok_or_else(|| Told(Message::new("cli.role-unknown").with("role", name)))?;
    Ok((text(args, "id").unwrap_or_default(), role))
}

async fn give(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let (id, role) = named(args)?;
    let assignment = role_bounds::of(args)?.assignment(role);
    let store = administering(args).await?;
    store.give_role(&console::actor(), id, assignment).await?;
    store.close().await;
    done(
        output,
        Message::new("cli.role-given").with("role", role.id),
        id,
    );
    Ok(())
}

async fn take(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let (id, role) = named(args)?;
    let unit = text(args, "unit").map(str::to_owned);
    let store = administering(args).await?;
    store
        .take_role(&console::actor(), id, move |assignment| {
            assignment.role.id == role.id && (unit.is_none() || assignment.unit == unit)
        })
        .await?;
    store.close().await;
    done(
        output,
        Message::new("cli.role-taken").with("role", role.id),
        id,
    );
    Ok(())
}
