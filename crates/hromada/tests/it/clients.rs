//! Other programs: GDAL and QGIS on the live file and over HTTP.

use std::path::Path;
use std::process::Command;

use crate::support::{Server, json, sample, text};

pub(crate) fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}; ./test installs it"));
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        text(&output)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn with_samples() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    json(
        data.path(),
        &[
            "import",
            "--manifest",
            &sample("samples.json").to_string_lossy(),
        ],
    );
    data
}

fn count_and_extent(info: &str) -> (u64, [f64; 4]) {
    let count = info
        .lines()
        .find_map(|l| l.strip_prefix("Feature Count: "))
        .unwrap()
        .parse()
        .unwrap();
    let extent = info
        .lines()
        .find_map(|l| l.strip_prefix("Extent: "))
        .unwrap();
    let numbers: Vec<f64> = extent
        .split(['(', ')', ',', ' ', '-'])
        .filter_map(|p| p.parse().ok())
        .collect();
    (count, [numbers[0], numbers[1], numbers[2], numbers[3]])
}

#[test]
fn gdal_reads_every_collection_with_the_sources_count_and_extent() {
    let data = with_samples();
    let server = Server::start(data.path(), &[]);
    let url = format!("OAPIF:http://{}", server.address);
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(sample("samples.json")).unwrap()).unwrap();
    for entry in manifest["collections"].as_array().unwrap() {
        let id = entry["collection"].as_str().unwrap();
        let file = sample(entry["file"].as_str().unwrap())
            .to_string_lossy()
            .into_owned();
        let ours = run("ogrinfo", &["-ro", "-so", &url, id]);
        let mut args = vec!["-ro", "-so", file.as_str()];
        match entry["layer"].as_str() {
            Some(layer) => args.push(layer),
            None => args.push("-al"),
        }
        let theirs = run("ogrinfo", &args);
        let (count, extent) = count_and_extent(&ours);
        let (source_count, source_extent) = count_and_extent(&theirs);
        assert_eq!(count, source_count, "{id}");
        for (a, b) in extent.iter().zip(source_extent) {
            assert!((a - b).abs() < 2e-6, "{id}: {extent:?} {source_extent:?}");
        }
    }
}

#[test]
fn geometry_comes_back_over_http_vertex_by_vertex() {
    let data = tempfile::tempdir().unwrap();
    let source = sample("cambridge-ma/parcels_fy2014.gpkg")
        .to_string_lossy()
        .into_owned();
    json(
        data.path(),
        &[
            "import",
            &source,
            "--layer",
            "parcels",
            "--collection",
            "parcels",
            "--access",
            "public",
        ],
    );
    let server = Server::start(data.path(), &[]);
    let copy = data.path().join("copy.gpkg").to_string_lossy().into_owned();
    let url = format!("OAPIF:http://{}", server.address);
    run(
        "ogr2ogr",
        &[
            "-f",
            "GPKG",
            &copy,
            &url,
            "parcels",
            "-nlt",
            "MULTIPOLYGON",
            "-lco",
            "FID=fid",
            "-lco",
            "GEOMETRY_NAME=geom",
        ],
    );
    // WKB after the 40 bytes of header and envelope.
    let sql = format!(
        "ATTACH '{source}' AS s; SELECT (SELECT count(*) FROM parcels), count(*) FROM parcels c JOIN s.parcels p ON c.fid = p.fid WHERE substr(c.geom, 41) = substr(p.geom, 41);"
    );
    let counts = run("sqlite3", &[&copy, &sql]);
    assert_eq!(counts.trim(), "13116|13116");
}

#[test]
fn tiles_are_read_by_gdal_and_valid() {
    let data = tempfile::tempdir().unwrap();
    let source = sample("cambridge-ma/parcels_fy2014.gpkg")
        .to_string_lossy()
        .into_owned();
    json(
        data.path(),
        &[
            "import",
            &source,
            "--layer",
            "parcels",
            "--collection",
            "parcels",
            "--access",
            "public",
        ],
    );
    let server = Server::start(data.path(), &[]);
    for (z, x, y) in [(12, 1238, 1514), (14, 4955, 6059), (16, 19_822, 24_237)] {
        let tile = server.get(&format!("/tiles/parcels/{z}/{x}/{y}"));
        assert_eq!(tile.status, 200, "{z}/{x}/{y}");
        let folder = data.path().join(format!("{z}/{x}"));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{y}.mvt"));
        std::fs::write(&file, &tile.body).unwrap();
        let path = file.to_string_lossy().into_owned();
        let info = run(
            "ogrinfo",
            &[
                "-ro",
                "-so",
                "-al",
                &format!("MVT:{path}"),
                "-oo",
                &format!("X={x}"),
                "-oo",
                &format!("Y={y}"),
                "-oo",
                &format!("Z={z}"),
                "-oo",
                "METADATA_FILE=",
            ],
        );
        assert!(info.contains("Layer name: parcels"), "{info}");
        let sql = "SELECT count(*) AS all_of_them, sum(ST_IsValid(geometry)) AS valid FROM parcels";
        let out = run(
            "ogr2ogr",
            &[
                "-f",
                "CSV",
                "/vsistdout/",
                &format!("MVT:{path}"),
                "-dialect",
                "sqlite",
                "-sql",
                sql,
                "-oo",
                "METADATA_FILE=",
            ],
        );
        let line = out.lines().nth(1).unwrap();
        let (all, valid) = line.split_once(',').unwrap();
        assert!(
            all == valid && all != "0",
            "{z}/{x}/{y}: {all} features, {valid} valid"
        );
    }
}

#[test]
fn the_live_file_opens_in_gdal_and_qgis() {
    let data = with_samples();
    let server = Server::start(data.path(), &[]);
    let file = data.path().join("hromada.gpkg");
    let info = run(
        "ogrinfo",
        &["-ro", "-so", &file.to_string_lossy(), "parcels"],
    );
    assert_eq!(count_and_extent(&info).0, 13_116);
    let listed = run("ogrinfo", &["-ro", &file.to_string_lossy()]);
    assert!(
        !listed.contains("hromada_changes"),
        "inner tables are listed: {listed}"
    );
    assert_eq!(qgis_count(&file, "parcels"), "13116");
    assert_eq!(server.get("/health/ready").status, 200);
}

fn qgis_count(file: &Path, layer: &str) -> String {
    let shown = qgis(&format!(
        "layer = QgsVectorLayer('{}|layername={layer}', 'x', 'ogr')\nprint('COUNT', layer.featureCount() if layer.isValid() else 'invalid')",
        file.display()
    ));
    let count = shown.lines().find_map(|l| l.strip_prefix("COUNT "));
    count
        .unwrap_or_else(|| panic!("QGIS did not answer: {shown}"))
        .to_owned()
}

/// Runs Python in QGIS without a window, and gives what it prints. As somebody who never had it before: what it has fetched it
/// takes from its own cache again, within the same second without asking.
pub(crate) fn qgis(body: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let script = format!(
        "from qgis.core import QgsApplication, QgsVectorLayer\napp = QgsApplication([], False)\napp.initQgis()\n{body}\napp.exitQgis()\n"
    );
    // The distribution's Python has the module where another one comes first on the path.
    for python in ["python3", "/usr/bin/python3"] {
        let output = Command::new(python)
            .env("QT_QPA_PLATFORM", "offscreen")
            .env("HOME", home.path())
            .args(["-c", &script])
            .output()
            .unwrap();
        let shown = text(&output);
        if !shown.contains("No module named") {
            return shown;
        }
    }
    panic!("./test installs QGIS for the distribution's Python");
}

/// What a program of GDAL says about a collection, with settings of its own in the environment.
fn asked_by_gdal(address: &str, settings: &[(&str, &str)]) -> String {
    let mut command = Command::new("ogrinfo");
    command
        .args(["-ro", "-so", &format!("OAPIF:http://{address}"), "points"])
        .envs(settings.iter().copied());
    text(&command.output().unwrap())
}

#[test]
fn gdal_and_qgis_read_a_restricted_collection_by_a_token_and_nobody_else_does() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("points.geojson");
    crate::support::points(&file, 0, 3);
    let restricted = ["--access", "restricted"];
    crate::support::import(data.path(), &file, "points", &restricted);
    let made = crate::support::hromada(
        data.path(),
        &[
            "user",
            "add",
            "planner",
            "--name",
            "Planner",
            "--machine",
            "--role",
            "planner",
        ],
    );
    assert!(made.status.success(), "{}", text(&made));
    let token = crate::support::token(data.path(), &["planner", "--scope", "read"]);
    let server = Server::start(data.path(), &[]);
    let count = "Feature Count: 3";
    let pair = format!("planner:{token}");
    let basic = [
        ("GDAL_HTTP_AUTH", "BASIC"),
        ("GDAL_HTTP_USERPWD", pair.as_str()),
    ];
    let shown = asked_by_gdal(&server.address, &basic);
    assert!(shown.contains(count), "{shown}");
    let header = format!("Authorization: Bearer {token}");
    let shown = asked_by_gdal(&server.address, &[("GDAL_HTTP_HEADERS", &header)]);
    assert!(shown.contains(count), "{shown}");
    for settings in [
        vec![],
        vec![("GDAL_HTTP_HEADERS", "Authorization: Bearer hromada_made_up")],
        vec![
            ("GDAL_HTTP_AUTH", "BASIC"),
            ("GDAL_HTTP_USERPWD", "planner:password"),
        ],
    ] {
        let shown = asked_by_gdal(&server.address, &settings);
        assert!(!shown.contains("Feature Count"), "{settings:?}: {shown}");
    }
    let by_qgis = |credentials: &str| {
        qgis(&format!(
            "layer = QgsVectorLayer(\"url='http://{}/' typename='points' {credentials}\", 'points', 'OAPIF')\n\
             print('COUNT', layer.featureCount() if layer.isValid() else 'none', len(list(layer.getFeatures())))",
            server.address
        ))
    };
    let shown = by_qgis(&format!("username='planner' password='{token}'"));
    assert!(shown.contains("COUNT 3 3"), "{shown}");
    let shown = by_qgis("");
    assert!(shown.contains("COUNT none 0"), "{shown}");
    assert_eq!(server.get("/collections/points").status, 404);
    assert_eq!(server.get("/collections/never").status, 404);
}
