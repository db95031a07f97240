//! `hromada copy`.

use clap::ArgMatches;
use indicatif::ProgressBar;
use model::Message;
use serde_json::{Value as Json, json};
use store::{Access, CopyPart, CopyProgress, CopyReport, Store};

use super::check;
use crate::output::Output;
use crate::{Outcome, cli};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let (from, to) = (
        cli::named_place(args, "from")?,
        cli::named_place(args, "to")?,
    );
    let source = Store::open(from, Access::Read).await?;
    let mut bars = Bars {
        output,
        shown: None,
    };
    let copied = store::copy(&source, to.clone(), &mut |progress| bars.show(progress)).await;
    bars.clear();
    source.close().await;
    let report = copied?;
    if output.json {
        output.result(&json_of(&report, output));
        return Ok(Outcome::Done);
    }
    for collection in &report.collections {
        let key = if collection.was_there {
            "cli.copied-before"
        } else {
            "cli.copied-collection"
        };
        output.say(
            &Message::new(key)
                .count(collection.features)
                .with("collection", &collection.id),
        );
    }
    output.say(
        &Message::new("cli.copied")
            .with("place", to)
            .with("collections", report.collections.len())
            .with("changes", report.changes),
    );
    Ok(Outcome::Done)
}

/// One progress bar after the other: for each collection, the change log and the proof.
struct Bars<'a> {
    output: &'a Output,
    shown: Option<(String, ProgressBar)>,
}

impl Bars<'_> {
    fn show(&mut self, progress: CopyProgress<'_>) {
        let label = match progress.part {
            CopyPart::Collection(id) => id.to_owned(),
            CopyPart::Log => self.output.text(&Message::new("cli.copy-log")),
            CopyPart::Proof => self.output.text(&Message::new("cli.copy-proof")),
        };
        if self.shown.as_ref().is_none_or(|(shown, _)| *shown != label) {
            self.clear();
            let bar = self.output.progress(Some(progress.total), &label);
            self.shown = Some((label, bar));
        }
        if let Some((_, bar)) = &self.shown {
            bar.set_position(progress.done);
        }
    }

    fn clear(&mut self) {
        if let Some((_, bar)) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

fn json_of(report: &CopyReport, output: &Output) -> Json {
    let collections: Vec<Json> = report
        .collections
        .iter()
        .map(|c| json!({"collection": c.id, "features": c.features, "wasThere": c.was_there}))
        .collect();
    json!({
        "collections": collections, "changes": report.changes, "changesCopied": report.changes_copied,
        "proof": check::comparison_json(&report.proof, output),
    })
}
