//! `hromada crs`.

use std::io::Read;
use std::path::PathBuf;

use clap::ArgMatches;
use model::{Crs, Message};
use serde_json::{Value as Json, json};
use spatial::crs::{Fit, MAX_DOCUMENT, Operation, System};

use super::user::done;
use super::{administering, reading, text};
use crate::output::Output;
use crate::{Outcome, console};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    match args.subcommand() {
        Some(("list", args)) => list(args, output).await?,
        Some(("operations", args)) => operations(args, output).await?,
        Some(("add", args)) => add(args, output).await?,
        Some(("remove", args)) => remove(args, output).await?,
        _ => unreachable!("the command line requires a known command"),
    }
    Ok(Outcome::Done)
}

async fn list(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let store = reading(args).await?;
    let systems = store.systems().await?;
    store.close().await;
    if output.json {
        let systems: Vec<Json> = systems.iter().map(system_json).collect();
        output.result(&json!({ "systems": systems }));
        return Ok(());
    }
    let width = systems.iter().map(|s| s.id.len()).max().unwrap_or(0);
    for system in &systems {
        let told = match (system.operation(), system.fit()) {
            (Some(operation), _) => operation_text(operation),
            (None, Some((base, _))) => format!("{}  ({base})", system.title.get(output.lang)),
            (None, None) => system.title.get(output.lang).to_owned(),
        };
        let crs = system.crs.to_string();
        output.line(&format!("{:width$}  {crs:<14}  {told}", system.id));
    }
    if systems.is_empty() {
        output.say(&Message::new("cli.crs-none"));
    }
    Ok(())
}

/// What can be chosen for a CRS; the one that is in effect is marked. Without a store, what is in effect where nothing is chosen.
async fn operations(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    // What is registered when it is opened counts.
    if let Ok(store) = reading(args).await {
        store.close().await;
    }
    let crs = Crs::parse(text(args, "code").unwrap_or_default()).map_err(store::Error::from)?;
    let looked = tokio::task::spawn_blocking(move || {
        let all = spatial::crs::operations(crs)?;
        Ok((all, spatial::crs::operation(crs)))
    });
    let looked: Result<(Vec<Operation>, Option<Operation>), spatial::Error> = looked.await?;
    let (mut all, current) = looked.map_err(|e| store::Error::Invalid(e.message()))?;
    // One that was chosen may be another than those that are offered.
    all.extend(current.clone().filter(|current| !all.contains(current)));
    let is_current = |operation: &Operation| current.as_ref() == Some(operation);
    if output.json {
        let told = all.iter().map(|operation| {
            let mut json = operation_json(operation);
            json["inEffect"] = is_current(operation).into();
            json
        });
        let told: Vec<Json> = told.collect();
        output.result(&json!({ "crs": crs.to_string(), "operations": told }));
        return Ok(());
    }
    for operation in &all {
        let mark = if is_current(operation) { '*' } else { ' ' };
        output.line(&format!("{mark} {}", operation_text(operation)));
    }
    if all.is_empty() {
        output.say(&Message::new("cli.crs-no-operation").with("crs", crs));
    }
    Ok(())
}

async fn add(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let file = args.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let mut document = String::new();
    let opened = std::fs::File::open(&file);
    // A byte more than there may be, so that the store says that it is too much.
    let read = opened.and_then(|file| {
        let mut limited = file.take(MAX_DOCUMENT as u64 + 1);
        limited.read_to_string(&mut document)
    });
    if let Err(error) = read {
        let message = Message::new("cli.crs-unreadable").with("file", file.display());
        return Err(store::Error::Refused(message.with("reason", error)).into());
    }
    let store = administering(args).await?;
    let system = store.add_system(&console::actor(), &document).await?;
    store.close().await;
    if output.json {
        output.result(&system_json(&system));
        return Ok(());
    }
    if let Some((base, fit)) = system.fit() {
        told_fit(base, fit, output);
    }
    let added = match system.operation() {
        Some(operation) => {
            Message::new("cli.crs-chosen").with("operation", operation_text(operation))
        }
        None => Message::new("cli.crs-added"),
    };
    output.say(&added.with("crs", system.crs).with("id", &system.id));
    Ok(())
}

/// How a local system lies in a known one, and what is left over at its points.
fn told_fit(base: Crs, fit: &Fit, output: &Output) {
    let (east, north) = fit.origin();
    let message = Message::new("cli.crs-fit")
        .with("form", fit.form.name())
        .with("crs", base)
        .with("north", format!("{north:.4}"))
        .with("east", format!("{east:.4}"));
    let message = message
        .with("rotation", format!("{:.8}", fit.rotation()))
        .with("scale", format!("{:.9}", fit.scale()));
    output.say(&message);
    for residual in &fit.residuals {
        let message = Message::new("cli.crs-residual")
            .with("point", &residual.name)
            .with("length", format!("{:.3}", residual.length()))
            .with("north", format!("{:+.3}", residual.north))
            .with("east", format!("{:+.3}", residual.east));
        output.say(&message);
    }
    if let Some(rms) = fit.rms() {
        output.say(&Message::new("cli.crs-rms").with("rms", format!("{rms:.3}")));
    }
}

async fn remove(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let id = text(args, "id").unwrap_or_default();
    let store = administering(args).await?;
    store.remove_system(&console::actor(), id).await?;
    store.close().await;
    done(output, Message::new("cli.crs-removed"), id);
    Ok(())
}

fn operation_text(operation: &Operation) -> String {
    let codes: Vec<String> = operation.codes.iter().map(u32::to_string).collect();
    let accuracy = operation
        .accuracy
        .map_or_else(|| "?".to_owned(), |a| a.to_string());
    let area = operation
        .area
        .iter()
        .map(|area| format!("  [{}]", area.name));
    let area: String = area.collect();
    format!(
        "{:<10}  ±{accuracy} m  {}{area}",
        codes.join(","),
        operation.name
    )
}

fn operation_json(operation: &Operation) -> Json {
    let area = operation.area.as_ref();
    json!({
        "name": operation.name, "codes": operation.codes, "accuracy": operation.accuracy,
        "area": area.map(|area| &area.name),
    })
}

fn system_json(system: &System) -> Json {
    let fit = system.fit().map(|(base, fit)| {
        let residuals = fit.residuals.iter().map(
            |r| json!({ "name": r.name, "east": r.east, "north": r.north, "length": r.length() }),
        );
        let (east, north) = fit.origin();
        json!({
            "crs": base.to_string(), "form": fit.form.name(), "east": east, "north": north,
            "rotation": fit.rotation(), "scale": fit.scale(), "rms": fit.rms(),
            "residuals": residuals.collect::<Vec<_>>(),
        })
    });
    json!({
        "id": system.id, "crs": system.crs.to_string(),
        "title": { "uk": system.title.uk, "en": system.title.en },
        "operation": system.operation().map(operation_json), "fit": fit,
    })
}
