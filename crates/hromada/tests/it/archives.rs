//! `hromada tiles`: archives that survive a kill, and a check that survives any file.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{Random, command, hromada, import, json, points, text};

/// A store with points in two public collections and one that is not.
fn store() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("points.geojsonl");
    points(&file, 1, 3_000);
    for (id, access) in [
        ("lamps", "public"),
        ("trees", "public"),
        ("secrets", "staff"),
    ] {
        let done = import(data.path(), &file, id, &["--access", access]);
        assert!(done.status.success(), "{}", text(&done));
    }
    data
}

fn name(data: &Path, name: &str) -> String {
    data.join(name).to_string_lossy().into_owned()
}

#[test]
fn an_archive_of_what_anybody_sees_is_written_and_found_sound() {
    let data = store();
    for format in ["pmtiles", "mbtiles"] {
        let file = name(data.path(), &format!("town.{format}"));
        let told = json(data.path(), &["tiles", "export", &file, "--zooms", "0-12"]);
        assert_eq!(told["collections"], serde_json::json!(["lamps", "trees"]));
        assert_eq!(told["zooms"], serde_json::json!([0, 12]));
        let found = json(data.path(), &["tiles", "verify", &file]);
        assert_eq!(found["clean"], true, "{found:#}");
        assert_eq!(found["tiles"], told["tiles"]);
        assert_eq!(found["zooms"], told["zooms"]);
        let layers = found["layers"].as_object().unwrap();
        assert_eq!(layers.keys().collect::<Vec<_>>(), ["lamps", "trees"]);
        let shown = hromada(data.path(), &["tiles", "verify", &file]);
        assert_eq!(shown.status.code(), Some(0));
        assert!(
            text(&shown).contains("The tiles are sound."),
            "{}",
            text(&shown)
        );
        let args = ["tiles", "export", &file, "--collections", "secrets,lamps"];
        let refused = hromada(data.path(), &args);
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused).contains("--whole"), "{}", text(&refused));
        let whole = hromada(
            data.path(),
            &[&args[..], &["--whole", "--zooms", "9"]].concat(),
        );
        assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
        assert!(
            text(&whole).contains("Do not publish it"),
            "{}",
            text(&whole)
        );
        let found = json(data.path(), &["tiles", "verify", &file]);
        assert_eq!(found["zooms"], serde_json::json!([9, 9]));
        assert!(found["layers"]["secrets"].is_object());
    }
}

#[test]
fn what_is_wrong_with_the_arguments_is_said_with_what_helps() {
    let data = store();
    let file = name(data.path(), "town.pmtiles");
    for (args, said) in [
        (vec!["--zooms", "5-4"], "0-14"),
        (vec!["--zooms", "40"], "0-14"),
        (vec!["--bbox", "-71,42"], "bbox"),
        (vec!["--bbox", "10,10,9.9,5"], "bbox"),
        (vec!["--collections", "nothing"], "lamps, secrets, trees"),
        (
            vec!["--bbox=-71.2,42.3,-71,42.4", "--zooms", "6-9"],
            "no tile",
        ),
    ] {
        let refused = hromada(
            data.path(),
            &[&["tiles", "export", &file], &args[..]].concat(),
        );
        assert_eq!(refused.status.code(), Some(1), "{args:?}");
        assert!(
            text(&refused).contains(said),
            "{args:?}: {}",
            text(&refused)
        );
        assert!(!Path::new(&file).exists());
    }
    let zip = name(data.path(), "town.zip");
    let refused = hromada(data.path(), &["tiles", "export", &zip]);
    assert!(text(&refused).contains(".mbtiles"), "{}", text(&refused));
    let own = name(data.path(), "hromada.gpkg");
    let link = data.path().join("x.mbtiles");
    std::os::unix::fs::symlink(&own, &link).unwrap();
    let refused = hromada(data.path(), &["tiles", "export", &link.to_string_lossy()]);
    assert!(
        text(&refused).contains("belongs to the store"),
        "{}",
        text(&refused)
    );
    json(data.path(), &["check", "--fast"]);
}

#[test]
fn an_export_that_is_killed_at_any_moment_leaves_the_old_file_or_the_new_one_and_goes_on() {
    let data = store();
    let seed = 20_260_801;
    let mut random = Random(seed);
    for format in ["pmtiles", "mbtiles"] {
        let file = name(data.path(), &format!("town.{format}"));
        let args = ["tiles", "export", &file, "--zooms", "0-17", "-q"];
        let whole = |args: &[&str]| {
            let done = hromada(data.path(), args);
            assert_eq!(done.status.code(), Some(0), "{}", text(&done));
            std::fs::read(&file).unwrap()
        };
        let new = whole(&args);
        let old = whole(&["tiles", "export", &file, "--zooms", "3", "-q"]);
        for round in 0..12 {
            std::fs::write(&file, &old).unwrap();
            let mut child = command(data.path(), &args)
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(20 + random.below(400)));
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().unwrap();
            let found = std::fs::read(&file).unwrap();
            assert!(found == old || found == new, "{format} {seed} {round}");
        }
        assert!(whole(&args) == new);
        let left = std::fs::read_dir(data.path()).unwrap();
        let left: Vec<_> = left
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.contains(".part"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn whatever_a_file_holds_the_check_tells_and_never_panics() {
    let data = store();
    let seed = 7;
    let mut random = Random(seed);
    let verify = |file: &str| {
        let output = hromada(data.path(), &["tiles", "verify", file]);
        assert!(!text(&output).contains("panicked"), "{}", text(&output));
        output
    };
    for format in ["pmtiles", "mbtiles"] {
        let file = name(data.path(), &format!("town.{format}"));
        json(data.path(), &["tiles", "export", &file, "--zooms", "8-12"]);
        let whole = std::fs::read(&file).unwrap();
        let broken = name(data.path(), &format!("broken.{format}"));
        let half = &whole[..whole.len() / 2];
        std::fs::write(&broken, half).unwrap();
        let output = verify(&broken);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        for _ in 0..40 {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(20) {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] = random.below(256) as u8;
            }
            let cut = random.below(3) as usize * 700;
            bytes.truncate(bytes.len().saturating_sub(cut));
            std::fs::write(&broken, bytes).unwrap();
            let code = verify(&broken).status.code();
            assert!(matches!(code, Some(0 | 1)), "{seed} {code:?}");
        }
    }
    let other = name(data.path(), "points.geojsonl");
    let output = verify(&other);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("neither PMTiles nor MBTiles"),
        "{}",
        text(&output)
    );
    assert_eq!(verify(&name(data.path(), "missing")).status.code(), Some(1));
}

#[test]
fn an_archive_of_a_store_in_postgresql_is_the_same() {
    let url = std::env::var("HROMADA_TEST_POSTGRES")
        .expect("these tests need a PostgreSQL server: .ci/services cargo test …");
    let data = store();
    let place = format!("{url}?schema=archives_{}", std::process::id());
    let from = data.path().to_string_lossy().into_owned();
    let copied = hromada(data.path(), &["copy", "--from", &from, "--to", &place]);
    assert!(copied.status.success(), "{}", text(&copied));
    for format in ["pmtiles", "mbtiles"] {
        let files = ["folder", "postgres"].map(|of| name(data.path(), &format!("{of}.{format}")));
        let export = ["tiles", "export", "--zooms", "0-14"];
        json(data.path(), &[&export[..], &[&files[0]]].concat());
        json(
            data.path(),
            &[&export[..], &[&files[1], "--database", &place]].concat(),
        );
        let [a, b] = files.map(|file| std::fs::read(file).unwrap());
        assert!(a == b, "{format}");
    }
}
