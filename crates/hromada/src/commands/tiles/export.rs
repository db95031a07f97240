//! `hromada tiles export`.

use std::ops::{ControlFlow, RangeInclusive};
use std::path::PathBuf;

use clap::ArgMatches;
use model::{Bbox, MAX_ZOOM, Message};
use serde_json::json;
use server::{ArchiveChoice, ArchiveFormat, ArchiveReport};

use crate::commands::{reading, text, texts};
use crate::output::Output;
use crate::{Outcome, Told};

pub(super) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let file = args.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    if ArchiveFormat::of(&file).is_none() {
        // Before the index is loaded.
        return Err(
            Told(Message::new("server.archive-format").with("file", file.display())).into(),
        );
    }
    let bar = output.progress(Some(0), "");
    let choice = ArchiveChoice {
        collections: texts(args, "collections"),
        bbox: bbox(args)?,
        zooms: text(args, "zooms").map(zooms).transpose()?,
        whole: args.get_flag("whole"),
        lang: output.lang,
        is_watched: !bar.is_hidden(),
    };
    let store = reading(args).await?;
    store.load().await?;
    let is_whole = choice.whole;
    let (shown, target, from) = (bar.clone(), file.clone(), store.clone());
    let exporting = tokio::task::spawn_blocking(move || {
        server::export_archive(&from, &choice, &target, &mut |progress| {
            if let Some(total) = progress.total {
                shown.set_length(total);
            }
            shown.set_prefix(format!("z{}", progress.zoom));
            shown.set_position(progress.tiles);
            ControlFlow::Continue(())
        })
    });
    let exported = exporting.await;
    bar.finish_and_clear();
    let report = exported??;
    store.close().await;
    if output.json {
        let coarser: Vec<_> = report
            .coarser
            .iter()
            .map(|(collection, zoom)| json!({"collection": collection, "zoom": zoom}))
            .collect();
        output.result(&json!({
            "file": file.display().to_string(), "collections": report.collections, "zooms": [report.zooms.start(), report.zooms.end()],
            "tiles": report.tiles, "different": report.different, "bytes": report.bytes, "whole": is_whole,
            "resumed": report.resumed, "anew": report.is_anew, "coarser": coarser,
        }));
        return Ok(Outcome::Done);
    }
    let lines = told(&report, is_whole, &file);
    lines.iter().for_each(|line| output.say(line));
    Ok(Outcome::Done)
}

fn told(report: &ArchiveReport, is_whole: bool, file: &std::path::Path) -> Vec<Message> {
    let mut lines = Vec::new();
    if report.is_anew {
        lines.push(Message::new("cli.tiles-anew"));
    }
    if report.resumed > 0 {
        lines.push(Message::new("cli.tiles-resumed").count(report.resumed));
    }
    for (collection, zoom) in &report.coarser {
        let line = Message::new("cli.tiles-coarser").with("collection", collection);
        lines.push(line.with("zoom", zoom));
    }
    lines.push(
        Message::new("cli.tiles-exported")
            .count(report.tiles)
            .with("different", report.different)
            .with("first", report.zooms.start())
            .with("last", report.zooms.end())
            .with("bytes", report.bytes)
            .with("collections", report.collections.join(", "))
            .with("file", file.display()),
    );
    lines.push(Message::new(match is_whole {
        true => "cli.tiles-is-whole",
        false => "cli.tiles-is-public",
    }));
    lines
}

fn bbox(args: &ArgMatches) -> Result<Option<Bbox>, Told> {
    let numbers: Vec<f64> = args
        .get_many("bbox")
        .into_iter()
        .flatten()
        .copied()
        .collect();
    if numbers.is_empty() {
        return Ok(None);
    }
    Bbox::new(&numbers)
        .map(Some)
        .map_err(|invalid| Told(invalid.0))
}

/// `0-14`, or `14` alone.
fn zooms(text: &str) -> Result<RangeInclusive<u8>, Told> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let zoom = |text: &str| {
        text.trim()
            .parse::<u8>()
            .ok()
            .filter(|zoom| *zoom <= MAX_ZOOM)
    };
    match (zoom(first), zoom(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err(Told(
            Message::new("cli.tiles-zooms-unreadable")
                .with("zooms", text)
                .with("max", MAX_ZOOM),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooms_are_one_or_a_first_and_a_last() {
        assert_eq!(zooms("0-14").ok(), Some(0..=14));
        assert_eq!(zooms("9").ok(), Some(9..=9));
        for bad in ["", "a", "3-", "-3", "5-4", "0-99", "1-2-3"] {
            assert!(zooms(bad).is_err(), "{bad}");
        }
    }
}
