//! `hromada import`.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use formats::ReadOptions;
use model::access::Class;
use model::{CollectionId, Crs, LowZooms, Message, Text, Theme, TileSettings};
use serde_json::{Value as Json, json};
use store::{Access, CollectionSettings, Error, ImportJob, ImportMode, ImportReport, Store};

use super::access::tell_closed;
use crate::output::Output;
use crate::{Outcome, Told, cli, console, manifest};

/// Rejections and invalid geometries shown on the terminal; all of them are in the JSON report.
const SHOWN: usize = 20;

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let jobs = jobs(args).await?;
    let store = Store::open(cli::place(args)?, Access::Write).await?;
    let report_file = match args.get_one::<PathBuf>("report") {
        Some(file) => Some(report_target(&store, file, args, &jobs)?),
        None => None,
    };
    let mut reports = Vec::with_capacity(jobs.len());
    let mut failure = None;
    for job in &jobs {
        match import(&store, job, output).await {
            Ok(report) => reports.push(report),
            Err(error) => {
                failure = Some((job, error));
                break;
            }
        }
    }
    store.close().await;
    finish(&store, &reports, failure, report_file.as_deref(), output)
}

async fn import(store: &Store, job: &ImportJob, output: &Output) -> Result<ImportReport, Error> {
    // Whatever has rules was there before.
    let known = store.directory();
    let is_new = !known.access.contains_key(job.collection.as_str());
    let bar = output.progress(None, job.collection.as_str());
    let imported = store
        .import(job, &mut |progress| {
            if bar.length().is_none()
                && let Some(total) = progress.total_records
            {
                bar.set_length(total);
            }
            bar.set_position(progress.records);
        })
        .await;
    bar.finish_and_clear();
    let report = imported?;
    if !output.json {
        show(&report, output);
        if is_new {
            tell_closed(store, &job.collection, output);
        }
    }
    Ok(report)
}

/// Tells what was stored, to the report file too, and then what failed: entries before a failed one are in the store.
fn finish(
    store: &Store,
    reports: &[ImportReport],
    failure: Option<(&ImportJob, Error)>,
    report_file: Option<&Path>,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let directory = store.directory();
    let all: Vec<Json> = reports
        .iter()
        .map(|report| {
            let mut json = json(report, output);
            let access = directory.access(report.collection.id.as_str());
            json["access"] = access.class.name().into();
            json
        })
        .collect();
    let mut result = json!({"imports": all});
    if let Some((job, error)) = &failure {
        result["failed"] = json!({
            "file": job.file.display().to_string(),
            "layer": job.layer,
            "collection": job.collection.as_str(),
            "error": output.store_error_text(error),
        });
    }
    let written = match report_file {
        Some(file) => write_report(store, file, &result),
        None => Ok(()),
    };
    if let Some((job, error)) = failure {
        if let Err(error) = written {
            tracing::warn!(%error, "the report of the failed import is not written");
        }
        if !output.json && reports.is_empty() {
            return Err(error.into());
        }
        let told = failed_at(job, &error, reports.len(), output);
        if !output.json {
            return Err(Told(told).into());
        }
        result["error"] = json!(output.text(&told));
        output.result(&result);
        output.complain(&output.text(&told));
        return Ok(Outcome::Failed);
    }
    written?;
    if output.json {
        output.result(&result);
    }
    let rejected = reports.iter().any(|r| r.rejected > 0);
    Ok(if rejected {
        Outcome::DoneWithRejected
    } else {
        Outcome::Done
    })
}

/// What failed, and how many collections before it are stored.
fn failed_at(job: &ImportJob, error: &Error, stored: usize, output: &Output) -> Message {
    let reason = output.store_error_text(error);
    let key = match stored {
        0 => "cli.import-failed",
        _ => "cli.import-failed-at",
    };
    Message::new(key)
        .with("collection", &job.collection)
        .with("file", job.file.display())
        .with("reason", reason)
        .count(stored as u64)
}

fn write_report(store: &Store, file: &Path, report: &Json) -> anyhow::Result<()> {
    let text = format!("{report:#}\n");
    store.write_output(file, text.as_bytes()).map_err(|error| {
        let message = Message::new("cli.report-not-written").with("file", file.display());
        Told(message.with("reason", error)).into()
    })
}

/// Files that lie beside a Shapefile and are read with it.
const SHAPEFILE_PARTS: [&str; 6] = ["shp", "dbf", "shx", "prj", "cpg", "qix"];

/// Where the report goes: not over the store, nor over what is imported.
fn report_target(
    store: &Store,
    file: &Path,
    args: &ArgMatches,
    jobs: &[ImportJob],
) -> anyhow::Result<PathBuf> {
    let target = store.output_target(file)?;
    let manifest = args.get_one::<PathBuf>("manifest").cloned();
    let inputs = jobs.iter().flat_map(|job| {
        let parts = SHAPEFILE_PARTS.map(|part| job.file.with_extension(part));
        let is_shapefile = job
            .file
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("shp"));
        let parts = is_shapefile.then_some(parts).into_iter().flatten();
        parts.chain([job.file.clone()])
    });
    if manifest
        .into_iter()
        .chain(inputs)
        .any(|input| same_file(&input, &target))
    {
        return Err(Told(Message::new("cli.report-is-input").with("file", file.display())).into());
    }
    Ok(target)
}

fn same_file(a: &Path, b: &Path) -> bool {
    let identity = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.dev(), found.ino()))
    };
    identity(a).is_some_and(|a| Some(a) == identity(b))
}

async fn jobs(args: &ArgMatches) -> anyhow::Result<Vec<ImportJob>> {
    let text = |name: &str| args.get_one::<String>(name).cloned();
    let mode = match (
        args.get_flag("replace"),
        args.get_flag("append"),
        text("upsert-by"),
    ) {
        (true, ..) => ImportMode::Replace,
        (_, true, _) => ImportMode::Append,
        (.., Some(property)) => ImportMode::Upsert(property),
        _ => ImportMode::Create,
    };
    let crs = text("crs")
        .map(|crs| Crs::parse(&crs))
        .transpose()
        .map_err(|e| Told(e.0))?;
    let read = ReadOptions {
        crs,
        lon: text("lon"),
        lat: text("lat"),
        x: text("x"),
        y: text("y"),
        wkt: text("wkt"),
        delimiter: args.get_one::<char>("delimiter").copied(),
        encoding: text("encoding"),
        ..ReadOptions::default()
    };
    let actor = console::actor();
    let job = |file: PathBuf, layer, collection, id_property, settings| ImportJob {
        file,
        layer,
        collection,
        mode: mode.clone(),
        crs,
        id_property,
        repair: args.get_flag("repair"),
        strict: args.get_flag("strict"),
        read: read.clone(),
        settings,
        actor: actor.clone(),
    };
    if let Some(path) = args.get_one::<PathBuf>("manifest") {
        let entries = manifest::read(path)?;
        return Ok(entries
            .into_iter()
            .map(|e| job(e.file, e.layer, e.collection, e.id, e.settings))
            .collect());
    }
    let settings = CollectionSettings {
        label_property: text("label").or_else(|| text("id")),
        ..settings(args)
    };
    let files: Vec<PathBuf> = args
        .get_many::<PathBuf>("files")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let all = args.get_flag("all");
    let mut jobs = Vec::new();
    for file in &files {
        let layers: Vec<Option<String>> = if all {
            store::source_layers(file)
                .await?
                .into_iter()
                .map(|layer| Some(layer.name))
                .collect()
        } else {
            vec![text("layer")]
        };
        let several = files.len() > 1 || layers.len() > 1;
        for layer in layers {
            let collection = match text("collection") {
                Some(id) if !several => CollectionId::new(&id).map_err(|e| Told(e.0))?,
                Some(_) => return Err(Told(Message::new("cli.import-one-id")).into()),
                None => id_of(file, layer.as_deref())?,
            };
            jobs.push(job(
                file.clone(),
                layer,
                collection,
                text("id"),
                settings.clone(),
            ));
        }
    }
    Ok(jobs)
}

/// A collection id from the layer's or the file's name.
fn id_of(file: &Path, layer: Option<&str>) -> anyhow::Result<CollectionId> {
    let stem = file
        .file_stem()
        .map(|s| s.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name = layer.unwrap_or(&stem).to_lowercase();
    let safe: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let id = CollectionId::new(safe.trim_matches(['-', '_']));
    id.map_err(|_| Told(Message::new("cli.import-needs-id").with("name", name)).into())
}

fn show(report: &ImportReport, output: &Output) {
    let collection = &report.collection;
    output.say(
        &Message::new("cli.imported")
            .count(report.stored)
            .with("collection", &collection.id)
            .with("read", report.read)
            .with("file", &report.file),
    );
    let counted = [
        ("cli.imported-replaced", report.replaced),
        ("cli.imported-unchanged", report.unchanged),
        ("cli.imported-gone", report.gone),
        ("cli.imported-rejected", report.rejected),
        ("cli.imported-duplicates", report.duplicate_ids),
        ("cli.imported-out-of-range", report.out_of_range),
        ("cli.imported-at-zero", report.at_zero),
        ("cli.imported-without-geometry", report.without_geometry),
        ("cli.imported-invalid", report.invalid),
        ("cli.imported-repaired", report.repaired),
    ];
    for (key, count) in counted {
        if count > 0 {
            output.say(&Message::new(key).count(count));
        }
    }
    for note in &report.notes {
        output.say(note);
    }
    for rejection in report.rejections.iter().take(SHOWN) {
        let field = rejection
            .field
            .as_deref()
            .map(|f| format!(" {f}"))
            .unwrap_or_default();
        output.say(
            &Message::new("cli.imported-rejection")
                .with("record", rejection.record)
                .with("field", field)
                .with("reason", output.text(&rejection.reason)),
        );
    }
    for invalid in report.invalid_geometries.iter().take(SHOWN) {
        let [x, y] = invalid.location;
        let reason = Message::new("store.invalid-geometry")
            .with_message("kind", invalid.kind.message())
            .with("x", x)
            .with("y", y);
        output.say(
            &Message::new("cli.imported-rejection")
                .with("record", invalid.record)
                .with("field", "")
                .with("reason", output.text(&reason)),
        );
    }
    let hidden = report.rejections.len().saturating_sub(SHOWN)
        + report.invalid_geometries.len().saturating_sub(SHOWN);
    if hidden > 0 {
        output.say(&Message::new("cli.imported-more").count(hidden as u64));
    }
}

fn json(report: &ImportReport, output: &Output) -> Json {
    let rejections: Vec<Json> = report
        .rejections
        .iter()
        .map(|r| json!({"record": r.record, "field": r.field, "key": r.reason.key(), "reason": output.text(&r.reason)}))
        .collect();
    let invalid: Vec<Json> = report
        .invalid_geometries
        .iter()
        .map(|i| json!({"record": i.record, "part": i.part, "kind": i.kind.name(), "location": i.location}))
        .collect();
    let notes: Vec<String> = report.notes.iter().map(|n| output.text(n)).collect();
    let kinds: BTreeMap<_, _> = report.invalid_kinds.iter().collect();
    json!({
        "file": report.file, "layer": report.layer, "collection": report.collection.id.as_str(),
        "geometryType": report.collection.geometry_type.name(), "crs": report.collection.storage_crs.to_string(),
        "read": report.read, "stored": report.stored, "replaced": report.replaced, "unchanged": report.unchanged, "gone": report.gone, "rejected": report.rejected,
        "duplicateIds": report.duplicate_ids, "outOfRange": report.out_of_range, "atZero": report.at_zero,
        "withoutGeometry": report.without_geometry, "invalid": report.invalid, "invalidKinds": kinds,
        "repaired": report.repaired, "lostZ": report.lost_z, "fromEwkb": report.from_ewkb, "rejections": rejections, "invalidGeometries": invalid, "notes": notes,
    })
}

/// What the command line says about a collection.
pub(crate) fn settings(args: &ArgMatches) -> CollectionSettings {
    let text = |name: &str| args.get_one::<String>(name).cloned();
    CollectionSettings {
        title: text("title").map(|title| Text {
            uk: title.clone(),
            en: title,
        }),
        theme: text("theme").as_deref().and_then(Theme::from_name),
        licence: text("licence"),
        attribution: text("attribution"),
        label_property: text("label"),
        time_property: text("time"),
        searchable: text("search")
            .map(|names| names.split(',').map(|n| n.trim().to_owned()).collect()),
        access: text("access").as_deref().and_then(Class::from_name),
        tiles: text("low-zooms").map(|way| TileSettings {
            low_zooms: LowZooms::from_name(&way),
            ..TileSettings::default()
        }),
        ..CollectionSettings::default()
    }
}
