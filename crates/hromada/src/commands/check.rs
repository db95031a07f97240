//! `hromada check`.

use clap::ArgMatches;
use model::Message;
use serde_json::{Value as Json, json};
use store::{Access, CompareReport, Compared, Finding, Store};

use crate::output::Output;
use crate::{Outcome, cli};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let store = Store::open(cli::place(args)?, Access::Read).await?;
    if args.get_one::<String>("compare").is_none() {
        return whole(&store, !args.get_flag("fast"), output).await;
    }
    let other = Store::open(cli::named_place(args, "compare")?, Access::Read).await?;
    compare(&store, &other, output).await
}

/// Checks a store and says what was found.
pub(super) async fn whole(
    store: &Store,
    geometry: bool,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let report = store.check(geometry).await?;
    let outcome = if report.is_clean() {
        Outcome::Done
    } else {
        Outcome::Failed
    };
    if output.json {
        output.result(&json!({
            "clean": report.is_clean(), "collections": report.collections, "features": report.features,
            "changes": report.changes, "findings": findings_json(&report.findings, output),
        }));
        return Ok(outcome);
    }
    show(&report.findings, output);
    let flaws = report.findings.iter().filter(|f| !f.is_error).count();
    let key = if report.is_clean() {
        "cli.check-clean"
    } else {
        "cli.check-failed"
    };
    output.say(
        &Message::new(key)
            .with("collections", report.collections)
            .with("features", report.features)
            .with("changes", report.changes)
            .with("flaws", flaws),
    );
    Ok(outcome)
}

async fn compare(store: &Store, other: &Store, output: &Output) -> anyhow::Result<Outcome> {
    let bar = output.progress(None, "");
    let compared = store
        .compare(other, &mut |collection, rows| {
            match collection {
                Some(collection) => bar.set_prefix(collection.to_owned()),
                None => bar.set_prefix(output.text(&Message::new("cli.copy-log"))),
            }
            bar.set_position(rows);
        })
        .await;
    bar.finish_and_clear();
    let report = compared?;
    let outcome = if report.is_same() {
        Outcome::Done
    } else {
        Outcome::Failed
    };
    if output.json {
        output.result(&comparison_json(&report, output));
        return Ok(outcome);
    }
    show(&report.differences, output);
    let more = report.count - report.differences.len() as u64;
    if more > 0 {
        output.line(&output.text(&Message::new("cli.compare-more").count(more)));
    }
    let rows = |compared: &Compared| compared.here.as_ref().map_or(0, |side| side.rows);
    let message = if report.is_same() {
        Message::new("cli.compare-same")
            .with("collections", report.collections.len())
            .with(
                "features",
                report.collections.values().map(rows).sum::<u64>(),
            )
            .with("changes", rows(&report.log))
    } else {
        Message::new("cli.compare-differs").count(report.count)
    };
    output.say(
        &message
            .with("here", store.place())
            .with("there", other.place()),
    );
    Ok(outcome)
}

/// What a comparison found, for programs.
pub(super) fn comparison_json(report: &CompareReport, output: &Output) -> Json {
    let part = |compared: &Compared| {
        let side = |side: &Option<store::Summed>| {
            side.as_ref()
                .map(|s| json!({"rows": s.rows, "sha256": s.sha256}))
        };
        json!({"same": compared.is_same(), "here": side(&compared.here), "there": side(&compared.there)})
    };
    let collections: serde_json::Map<String, Json> = report
        .collections
        .iter()
        .map(|(id, compared)| (id.clone(), part(compared)))
        .collect();
    json!({
        "same": report.is_same(), "count": report.count, "collections": collections, "log": part(&report.log),
        "differences": findings_json(&report.differences, output),
    })
}

fn findings_json(findings: &[Finding], output: &Output) -> Vec<Json> {
    findings
        .iter()
        .map(|f| {
            let severity = if f.is_error { "error" } else { "flaw" };
            json!({"severity": severity, "collection": f.collection, "fid": f.fid, "key": f.text.key(), "text": output.text(&f.text)})
        })
        .collect()
}

fn show(findings: &[Finding], output: &Output) {
    for finding in findings {
        let place = match (&finding.collection, finding.fid) {
            (Some(collection), Some(fid)) => format!("{collection}/{fid}: "),
            (Some(collection), None) => format!("{collection}: "),
            (None, _) => String::new(),
        };
        let mark = if finding.is_error { "✗" } else { "·" };
        output.line(&format!("{mark} {place}{}", output.text(&finding.text)));
    }
}
