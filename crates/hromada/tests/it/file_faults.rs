//! Failing disks while a file is written: an export and an import's report appear whole, or what was there stays.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{BINARY, check, import, points, text};

/// Not `write`: the runtime wakes itself by one, and an error there ends no program but stops it for ever.
const CALLS: [&str; 6] = [
    "rename",
    "renameat",
    "renameat2",
    "fsync",
    "fdatasync",
    "pwrite64",
];

/// Whether the fault was met, the exit code and what was told.
fn run(folder: &Path, data: &Path, inject: &str, args: &[&str]) -> (bool, Option<i32>, String) {
    let log = folder.join("strace.log");
    let call = inject.split(':').next().unwrap_or_default();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&log);
    command.args(["-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={inject}"), "-e", "signal=none"]);
    command.arg(BINARY).arg("--data").arg(data).args(args);
    command.env("HROMADA_LANG", "en").env("RUST_LOG", "error");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let hit = std::fs::read_to_string(&log)
        .unwrap()
        .contains("(INJECTED)");
    (hit, output.status.code(), text(&output))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn an_export_with_a_failing_disk_is_whole_or_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let source = folder.path().join("source.geojsonl");
    points(&source, 1, 300);
    assert!(import(&data, &source, "points", &[]).status.success());
    let out = folder.path().join("out");
    let mut injected = 0;
    for ending in ["gpkg", "geojson", "geojsonl", "fgb", "csv"] {
        let target = out.join(format!("points.{ending}"));
        let path = target.to_string_lossy().into_owned();
        let args = ["export", "points", &path];
        std::fs::create_dir_all(&out).unwrap();
        let (_, code, told) = run(folder.path(), &data, "fsync:error=EIO:when=9999", &args);
        assert_eq!(code, Some(0), "{told}");
        let whole = std::fs::metadata(&target).unwrap().len();
        for call in CALLS {
            for error in ["EIO", "ENOSPC"] {
                for k in [1, 2, 3, 10, 40] {
                    std::fs::remove_dir_all(&out).unwrap();
                    std::fs::create_dir_all(&out).unwrap();
                    std::fs::write(&target, "before").unwrap();
                    let inject = format!("{call}:error={error}:when={k}");
                    let (hit, code, told) = run(folder.path(), &data, &inject, &args);
                    if !hit {
                        break;
                    }
                    injected += 1;
                    let case = format!("{ending} {inject}: {told}");
                    assert!(!told.contains("panicked"), "{case}");
                    let left = std::fs::read(&target).unwrap();
                    match code {
                        Some(0) => assert_eq!(left.len() as u64, whole, "{case}"),
                        Some(1) => {
                            // Only the sync of the folder comes after the new file is in place.
                            let placed = left.len() as u64 == whole && call == "fsync";
                            assert!(left == b"before" || placed, "{case}");
                        }
                        other => panic!("{case}: ended with {other:?}"),
                    }
                    assert_eq!(names(&out), [format!("points.{ending}")], "{case}");
                }
            }
        }
    }
    check(&data);
    assert!(injected > 30, "only {injected} faults were injected");
    println!("{injected} faults injected into exports");
}

#[test]
fn a_report_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source.geojsonl");
    points(&source, 1, 3);
    let report = folder.path().join("report.json");
    let source = source.to_string_lossy().into_owned();
    let mut injected = 0;
    for call in ["rename", "renameat", "renameat2"] {
        let data = folder.path().join(call);
        // The store is there before the disk begins to fail: its own files are made by the first import.
        let first = import(&data, source.as_ref(), "first", &[]);
        assert!(first.status.success());
        let _ = std::fs::remove_file(&report);
        let args = [
            "import",
            &source,
            "--collection",
            "points",
            "--report",
            &report.to_string_lossy(),
        ]
        .map(str::to_owned);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (hit, code, told) = run(folder.path(), &data, &format!("{call}:error=EIO"), &args);
        assert!(!told.contains("panicked"), "{told}");
        if hit {
            injected += 1;
            assert!(!report.exists() && told.contains("report.json"), "{told}");
            assert_ne!(code, Some(0), "{told}");
        }
        check(&data);
    }
    assert!(injected > 0, "no fault was met");
    println!("{injected} faults injected into reports");
}
