//! `hromada export`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use formats::Format;
use model::Message;
use serde_json::json;
use store::{Access, Store};

use crate::output::Output;
use crate::{Outcome, Told, cli};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let id = args
        .get_one::<String>("collection")
        .map(String::as_str)
        .unwrap_or_default();
    let file = args
        .get_one::<PathBuf>("file")
        .map(PathBuf::as_path)
        .unwrap_or(Path::new(""));
    let named = args.get_one::<String>("format").map(String::as_str);
    let extension = file
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let format = match named.unwrap_or(&extension) {
        "geojson" | "json" => Format::GeoJson,
        "geojsonseq" | "geojsonl" | "ndjson" | "jsonl" | "geojsons" => Format::GeoJsonSeq,
        "gpkg" => Format::GeoPackage,
        "fgb" => Format::FlatGeobuf,
        "csv" => Format::Csv,
        _ => {
            return Err(
                Told(Message::new("cli.export-unknown").with("file", file.display())).into(),
            );
        }
    };
    let store = Store::open(cli::place(args)?, Access::Read).await?;
    let bar = output.progress(None, id);
    let report = store::export(&store, id, file, format, &mut |features| {
        bar.set_position(features)
    })
    .await?;
    bar.finish_and_clear();
    if output.json {
        output.result(&json!({"collection": id, "file": file.display().to_string(), "features": report.features, "bytes": report.bytes, "emptied": report.emptied}));
    } else {
        output.say(
            &Message::new("cli.exported")
                .count(report.features)
                .with("file", file.display()),
        );
        if report.emptied > 0 {
            output.say(&Message::new("cli.exported-emptied").count(report.emptied));
        }
    }
    Ok(Outcome::Done)
}
