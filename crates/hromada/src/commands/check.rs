//! `hromada check`.

use clap::ArgMatches;
use model::Message;
use serde_json::json;
use store::{Access, Store};

use crate::output::Output;
use crate::{Outcome, cli};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let store = Store::open(cli::place(args)?, Access::Read).await?;
    let report = store.check(!args.get_flag("fast")).await?;
    let outcome = if report.is_clean() {
        Outcome::Done
    } else {
        Outcome::Failed
    };
    if output.json {
        let findings: Vec<_> = report
            .findings
            .iter()
            .map(|f| {
                let severity = if f.is_error { "error" } else { "flaw" };
                json!({"severity": severity, "collection": f.collection, "fid": f.fid, "key": f.text.key(), "text": output.text(&f.text)})
            })
            .collect();
        output.result(&json!({
            "clean": report.is_clean(), "collections": report.collections, "features": report.features,
            "changes": report.changes, "findings": findings,
        }));
        return Ok(outcome);
    }
    for finding in &report.findings {
        let place = match (&finding.collection, finding.fid) {
            (Some(collection), Some(fid)) => format!("{collection}/{fid}: "),
            (Some(collection), None) => format!("{collection}: "),
            (None, _) => String::new(),
        };
        let mark = if finding.is_error { "✗" } else { "·" };
        output.line(&format!("{mark} {place}{}", output.text(&finding.text)));
    }
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
