//! The contract that scripts rely on: arguments, JSON, exit codes, languages.

use crate::support::{hromada, import, json, points, sample, text};

#[test]
fn exit_codes_tell_done_failed_usage_and_rejected() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("some.geojsonl");
    points(&file, 1, 3);
    let code = |args: &[&str]| hromada(data.path(), args).status.code();
    let path = file.to_string_lossy().into_owned();
    assert_eq!(code(&["import", &path, "--collection", "points"]), Some(0));
    assert_eq!(
        code(&["import", &path, "--collection", "points"]),
        Some(1),
        "the collection exists"
    );
    assert_eq!(code(&["import", &path, "--nonsense"]), Some(2));
    assert_eq!(code(&["import"]), Some(2));
    assert_eq!(code(&["import", &path, "--replace", "--append"]), Some(2));
    assert_eq!(code(&["collections"]), Some(0));
    let bad = data.path().join("bad.geojsonl");
    std::fs::write(&bad, "{\"type\":\"Feature\",\"properties\":{\"n\":1},\"geometry\":{\"type\":\"Point\",\"coordinates\":[500,0]}}\n{\"type\":\"Feature\",\"properties\":{\"n\":2},\"geometry\":null}\n").unwrap();
    assert_eq!(
        import(data.path(), &bad, "bad", &[]).status.code(),
        Some(3),
        "a record was rejected"
    );
}

#[test]
fn the_import_report_names_the_invalid_rings_of_the_sample() {
    let data = tempfile::tempdir().unwrap();
    let file = sample("cambridge-ma/parcels_fy2014.gpkg");
    let report = json(
        data.path(),
        &[
            "import",
            &file.to_string_lossy(),
            "--collection",
            "parcels",
            "--layer",
            "parcels",
        ],
    );
    let report = &report["imports"][0];
    assert_eq!(
        (
            report["read"].as_u64(),
            report["stored"].as_u64(),
            report["invalid"].as_u64()
        ),
        (Some(13_116), Some(13_116), Some(37))
    );
    let named = report["invalidGeometries"].as_array().unwrap();
    assert_eq!(named.len(), 38);
    for one in named {
        assert!(
            one["record"].is_u64()
                && one["kind"].is_string()
                && one["location"][0].as_f64().unwrap() < -71.0,
            "{one}"
        );
    }
    let collections = json(data.path(), &["collections"]);
    assert_eq!(collections["collections"][0]["features"], 13_116);
}

#[test]
fn messages_come_in_both_languages() {
    let data = tempfile::tempdir().unwrap();
    let uk = hromada(
        data.path(),
        &["--lang", "uk", "export", "nothing", "x.geojson"],
    );
    assert!(text(&uk).contains("немає сховища"), "{}", text(&uk));
    let en = hromada(
        data.path(),
        &["--lang", "en", "export", "nothing", "x.geojson"],
    );
    assert!(text(&en).contains("no store"), "{}", text(&en));
}

#[test]
fn all_layers_of_a_geopackage_come_in_at_once() {
    let data = tempfile::tempdir().unwrap();
    let file = sample("ukraine/ivano_frankivsk_admin.gpkg");
    let refused = hromada(data.path(), &["import", &file.to_string_lossy()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused).contains("hromadas, settlements"),
        "{}",
        text(&refused)
    );
    let report = json(data.path(), &["import", &file.to_string_lossy(), "--all"]);
    let stored: Vec<_> = report["imports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["stored"].as_u64().unwrap())
        .collect();
    assert_eq!(stored, [61, 403]);
}

#[test]
fn a_report_over_the_store_or_an_input_is_refused_before_anything_is_stored() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("some.geojsonl");
    points(&file, 1, 3);
    let before = std::fs::read(&file).unwrap();
    let path = file.to_string_lossy().into_owned();
    let own = data
        .path()
        .join("hromada.gpkg")
        .to_string_lossy()
        .into_owned();
    for report in [path.as_str(), own.as_str()] {
        let refused = hromada(data.path(), &["import", &path, "--report", report]);
        assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    }
    assert!(std::fs::read(&file).unwrap() == before);
    let collections = json(data.path(), &["collections"]);
    assert_eq!(collections["collections"].as_array().map(Vec::len), Some(0));
}

#[test]
fn flags_that_a_manifest_would_ignore_are_a_usage_error() {
    let data = tempfile::tempdir().unwrap();
    for flag in [
        "collection",
        "layer",
        "id",
        "title",
        "label",
        "time",
        "search",
        "licence",
        "attribution",
        "access",
    ] {
        let flag = format!("--{flag}");
        let output = hromada(
            data.path(),
            &["import", "--manifest", "town.json", &flag, "public"],
        );
        assert_eq!(output.status.code(), Some(2), "{flag}: {}", text(&output));
    }
    let all = hromada(data.path(), &["import", "--manifest", "town.json", "--all"]);
    assert_eq!(all.status.code(), Some(2));
}

#[test]
fn a_manifest_that_fails_half_way_tells_what_is_stored() {
    let data = tempfile::tempdir().unwrap();
    points(&data.path().join("some.geojsonl"), 1, 3);
    let manifest = data.path().join("manifest.json");
    let entries = r#"{"version":1,"collections":[
        {"file":"some.geojsonl","collection":"first"},{"file":"missing.geojsonl","collection":"second"}]}"#;
    std::fs::write(&manifest, entries).unwrap();
    let (manifest, report) = (manifest.to_string_lossy(), data.path().join("report.json"));
    let args = [
        "import",
        "--manifest",
        &manifest,
        "--replace",
        "--json",
        "--report",
    ];
    let output = hromada(
        data.path(),
        &[&args[..], &[&report.to_string_lossy()]].concat(),
    );
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let written: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    for json in [&told, &written] {
        assert_eq!(json["imports"][0]["collection"], "first", "{json:#}");
        assert_eq!(json["imports"][0]["stored"], 3);
        assert_eq!(json["failed"]["collection"], "second");
    }
    let shown = text(&hromada(data.path(), &args[..4]));
    assert!(shown.contains("\"second\""), "{shown}");
    assert!(
        shown.contains("The 1 collection before it is stored"),
        "{shown}"
    );
}

#[test]
fn a_three_dimensional_crs_is_imported_without_a_panic() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("wells.csv");
    std::fs::write(&file, "n,wkt\n1,POINT Z (24.7 48.9 300)\n").unwrap();
    let output = import(data.path(), &file, "wells", &["--crs", "EPSG:4979"]);
    assert!(!text(&output).contains("panicked"), "{}", text(&output));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn a_town_that_finds_the_disk_full_names_the_file_and_leaves_none() {
    let data = tempfile::tempdir().unwrap();
    let out = data.path().join("town");
    std::fs::create_dir(&out).unwrap();
    std::os::unix::fs::symlink("/dev/full", out.join("parcels.geojsonl")).unwrap();
    let path = out.to_string_lossy();
    let full = hromada(
        data.path(),
        &["sample-town", "--parcels", "100", "--out", &path],
    );
    assert_eq!(full.status.code(), Some(1));
    assert!(text(&full).contains("parcels.geojsonl"), "{}", text(&full));
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
    let quiet = hromada(
        data.path(),
        &["-q", "sample-town", "--parcels", "100", "--out", &path],
    );
    assert_eq!((quiet.status.code(), text(&quiet).as_str()), (Some(0), ""));
}

#[test]
fn what_is_wrong_with_the_edges_of_the_server_is_said_before_anything_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let missing = folder.path().join("missing.pem");
    let missing = missing.to_str().unwrap();
    for (args, said) in [
        (
            vec!["--tls-certificate", missing, "--tls-key", missing],
            missing,
        ),
        (vec!["--tls-certificate", missing], "--tls-key"),
        (vec!["--tls-key", missing], "--tls-certificate"),
        (vec!["--trusted-proxy", "proxy.test"], "proxy.test"),
        (
            vec![
                "--trusted-proxy",
                "10.0.0.0/8",
                "--trusted-proxy",
                "10.0.0/8",
            ],
            "10.0.0/8",
        ),
        (vec!["--cors-origin", "https://a.test/map"], "a.test/map"),
        (vec!["--requests-per-second", "-1"], "-1"),
    ] {
        let args = [&["serve", "--listen", "127.0.0.1:0"], args.as_slice()].concat();
        let output = hromada(&data, &args);
        assert!(!output.status.success(), "{args:?}");
        assert!(text(&output).contains(said), "{args:?}: {}", text(&output));
        assert!(!data.exists(), "{args:?}");
    }
}
