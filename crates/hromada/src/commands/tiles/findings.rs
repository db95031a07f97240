//! What a look through an archive found, for people and for programs.

use model::Message;
use serde_json::{Map, Value as Json, json};
use tiles::verify::{Example, Problem, Report};

use super::verify::Looked;
use crate::output::Output;

/// Examples of a problem that are shown; programs get all.
const SHOWN: usize = 5;

/// One kind of problem.
struct Finding {
    key: &'static str,
    count: u64,
    /// Whether the archive is not sound with it; others are remarks.
    is_error: bool,
    is_of: fn(&Problem) -> bool,
}

/// What is wrong in tiles, errors first.
fn findings(report: &Report) -> Vec<Finding> {
    let error = |key, count, is_of| Finding {
        key,
        count,
        is_error: true,
        is_of,
    };
    let remark = |key, count, is_of| Finding {
        is_error: false,
        ..error(key, count, is_of)
    };
    let seams = &report.seams;
    // A producer may have put a vertex more on one side of an edge: nobody sees it.
    let bent = seams.different - seams.apart;
    vec![
        error("cli.verify-unreadable", report.unreadable, |p| {
            matches!(p, Problem::Unreadable(_))
        }),
        error(
            "cli.verify-duplicate-layers",
            report.duplicate_layers,
            |p| matches!(p, Problem::DuplicateLayer),
        ),
        error("cli.verify-extents", report.extents, |p| {
            matches!(p, Problem::Extent(_))
        }),
        error("cli.verify-invalid", report.invalid_features(), |p| {
            matches!(p, Problem::Invalid(_))
        }),
        error("cli.verify-winding", report.winding, |p| {
            matches!(p, Problem::Winding(_))
        }),
        error("cli.verify-outside", report.outside, |p| {
            matches!(p, Problem::Outside(_))
        }),
        error("cli.verify-repeated-ids", report.repeated_ids, |p| {
            matches!(p, Problem::RepeatedId)
        }),
        error("cli.verify-differing-ids", report.differing_ids, |p| {
            matches!(p, Problem::DifferingId)
        }),
        error("cli.verify-apart", seams.apart, |p| {
            matches!(p, Problem::Apart { .. })
        }),
        error("cli.verify-lacking", seams.lacking, |p| {
            matches!(p, Problem::Lacking { .. })
        }),
        remark("cli.verify-bent", bent, |p| {
            matches!(p, Problem::Different { .. })
        }),
        remark("cli.verify-beside-missing", seams.beside_missing, |p| {
            matches!(p, Problem::BesideMissing { .. })
        }),
        remark("cli.verify-missing-ids", report.missing_ids, |p| {
            matches!(p, Problem::MissingId)
        }),
        remark(
            "cli.verify-ids-not-compared",
            report.ids_not_compared,
            |_| false,
        ),
        remark("cli.verify-not-measured", report.not_measured, |_| false),
    ]
}

pub(super) fn is_clean(looked: &Looked) -> bool {
    let is_wrong = |finding: &Finding| finding.is_error && finding.count > 0;
    looked.broken.is_none()
        && looked.misplaced == 0
        && looked.repeated == 0
        && looked.zooms.is_some()
        && !findings(&looked.report).iter().any(is_wrong)
}

pub(super) fn show(looked: &Looked, output: &Output) {
    let report = &looked.report;
    let [first, last] = looked.zooms.unwrap_or_default();
    output.say(
        &Message::new("cli.verify-tiles")
            .count(report.tiles)
            .with("format", looked.format)
            .with("first", first)
            .with("last", last)
            .with("bytes", report.bytes),
    );
    if !output.quiet {
        table(report, output);
    }
    let seams = &report.seams;
    output.say(
        &Message::new("cli.verify-seams")
            .with("compared", seams.compared)
            .with("different", seams.different)
            .with("lacking", seams.lacking)
            .with("unknown", seams.not_comparable),
    );
    let line = |is_error: bool, message: &Message| {
        let mark = if is_error { "✗" } else { "·" };
        output.line(&format!("{mark} {}", output.text(message)));
    };
    if let Some(reason) = &looked.broken {
        line(true, reason);
    } else if looked.zooms.is_none() {
        line(true, &Message::new("cli.verify-empty"));
    }
    for (key, count) in [
        ("cli.verify-misplaced", looked.misplaced),
        ("cli.verify-repeated", looked.repeated),
    ] {
        if count > 0 {
            line(true, &Message::new(key).count(count));
        }
    }
    let found = findings(report)
        .into_iter()
        .filter(|finding| finding.count > 0);
    for finding in found.filter(|finding| finding.is_error || !output.quiet) {
        line(
            finding.is_error,
            &Message::new(finding.key).count(finding.count),
        );
        // Remarks are as the producer wanted it, mostly.
        if !finding.is_error {
            continue;
        }
        let examples = report
            .examples
            .iter()
            .filter(|e| (finding.is_of)(&e.problem));
        for example in examples.take(SHOWN) {
            output.line(&format!("    {}", place(example)));
        }
    }
    output.say(&Message::new(match is_clean(looked) {
        true => "cli.verify-clean",
        false => "cli.verify-failed",
    }));
}

/// A line a layer.
fn table(report: &Report, output: &Output) {
    let head = |key: &'static str| output.text(&Message::new(key));
    let heads = [
        head("cli.verify-layer"),
        head("cli.verify-in-tiles"),
        head("cli.verify-features"),
        head("cli.verify-polygons"),
        head("cli.verify-overlap"),
    ];
    let share = |overlap: f64, area: f64| match area > 0.0 {
        true => format!("{:.6} %", overlap / area * 100.0),
        false => "-".to_owned(),
    };
    let rows = report.layers.iter().map(|(name, layer)| {
        [
            name.clone(),
            layer.tiles.to_string(),
            layer.features.to_string(),
            layer.polygons.to_string(),
            share(layer.overlap, layer.area),
        ]
    });
    let rows: Vec<[String; 5]> = std::iter::once(heads).chain(rows).collect();
    let width = |at: usize| {
        rows.iter()
            .map(|row| row[at].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    for row in &rows {
        let (layer, numbers) = (&row[0], &row[1..]);
        let numbers = numbers.iter().zip(&widths[1..]);
        let numbers: String = numbers
            .map(|(text, width)| format!("  {text:>width$}"))
            .collect();
        output.line(&format!("{layer:width$}{numbers}", width = widths[0]));
    }
}

/// Where a problem is: tile, layer, id, and what there is to say of it.
fn place(example: &Example) -> String {
    let tile = example.tile;
    let mut out = format!("{}/{}/{}", tile.z(), tile.x(), tile.y());
    if !example.layer.is_empty() {
        out.push_str(&format!(" {}", example.layer));
    }
    if let Some(id) = example.id {
        out.push_str(&format!(" {id}"));
    }
    out.push_str(&format!(": {}", example.problem));
    out
}

pub(super) fn json(looked: &Looked, output: &Output) -> Json {
    let report = &looked.report;
    let layers: Map<String, Json> = report
        .layers
        .iter()
        .map(|(name, layer)| {
            let counts = json!({
                "tiles": layer.tiles, "features": layer.features, "polygons": layer.polygons,
                "area": layer.area, "overlap": layer.overlap,
            });
            (name.clone(), counts)
        })
        .collect();
    let examples: Vec<Json> = report
        .examples
        .iter()
        .map(|example| {
            let tile = example.tile;
            json!({
                "tile": [u32::from(tile.z()), tile.x(), tile.y()], "layer": example.layer, "id": example.id,
                "problem": example.problem.to_string(),
            })
        })
        .collect();
    let seams = &report.seams;
    json!({
        "clean": is_clean(looked), "format": looked.format, "tiles": report.tiles, "bytes": report.bytes, "zooms": looked.zooms,
        "features": report.features(), "polygons": report.polygons(), "layers": layers, "overlapShare": report.overlap_share(),
        "broken": looked.broken.as_ref().map(|reason| output.text(reason)), "misplacedTiles": looked.misplaced, "repeatedTiles": looked.repeated,
        "unreadable": report.unreadable, "duplicateLayers": report.duplicate_layers, "extents": report.extents,
        "invalid": report.invalid_features(), "invalidKinds": report.invalid, "winding": report.winding, "outside": report.outside,
        "missingIds": report.missing_ids, "repeatedIds": report.repeated_ids, "differingIds": report.differing_ids,
        "idsNotCompared": report.ids_not_compared, "notMeasured": report.not_measured,
        "seams": {
            "compared": seams.compared, "different": seams.different, "apart": seams.apart, "lacking": seams.lacking,
            "besideMissing": seams.beside_missing, "notComparable": seams.not_comparable,
        },
        "examples": examples,
    })
}
