//! A table that ogr2ogr made is published, and what QGIS does to it in PostGIS is in our tiles.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::clients::{qgis, run};
use crate::support::{Server, command, hromada, json, text};

/// Edits as a user of QGIS makes them: a point moved and renamed, one added, one deleted, in one commit of the edit buffer.
const EDITS: &str = "
from qgis.core import QgsDataSourceUri, QgsFeature, QgsGeometry, QgsPointXY
layer = QgsVectorLayer(SOURCE, 'trees', 'postgres')
assert layer.isValid(), layer.error().message()
assert layer.startEditing()
by_name = {f['name']: f for f in layer.getFeatures()}
moved = by_name['oak']
assert layer.changeGeometry(moved.id(), QgsGeometry.fromPointXY(QgsPointXY(24.7101, 48.9201)))
assert layer.changeAttributeValue(moved.id(), layer.fields().indexOf('name'), 'oak that was moved')
added = QgsFeature(layer.fields())
added['name'] = 'lime'
added.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(24.7102, 48.9202)))
assert layer.addFeature(added)
assert layer.deleteFeature(by_name['ash'].id())
assert layer.commitChanges(), layer.commitErrors()
print('DONE', layer.featureCount())
";

/// The names in the tile of that place, as GDAL decodes it.
fn names(server: &Server, folder: &Path) -> Vec<String> {
    let (z, x, y) = (16, 37266, 22528);
    let tile = server.get(&format!("/tiles/trees/{z}/{x}/{y}"));
    if tile.status == 204 {
        return Vec::new();
    }
    assert_eq!(tile.status, 200);
    let file = folder.join("tile.mvt");
    std::fs::write(&file, &tile.body).unwrap();
    let source = format!("MVT:{}", file.display());
    let (x, y, z) = (format!("X={x}"), format!("Y={y}"), format!("Z={z}"));
    let options = ["-oo", &x, "-oo", &y, "-oo", &z, "-oo", "METADATA_FILE="];
    let mut arguments = vec!["-f", "CSV", "/vsistdout/", &source, "-select", "name"];
    arguments.extend(options);
    let mut names: Vec<String> = run("ogr2ogr", &arguments)
        .lines()
        .skip(1)
        .map(|line| line.trim_matches('"').to_owned())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn what_qgis_edits_in_a_table_of_ogr2ogr_appears_in_our_tiles() {
    let url = std::env::var("HROMADA_TEST_POSTGRES")
        .expect("these tests need a PostgreSQL server: .ci/services cargo test …");
    let schema = format!("qgis_{}", std::process::id());
    let folder = tempfile::tempdir().unwrap();
    let tree = |name: &str, x: f64| {
        format!(
            r#"{{"type":"Feature","properties":{{"name":"{name}"}},"geometry":{{"type":"Point","coordinates":[{x},48.92]}}}}"#
        )
    };
    // The oak is elsewhere at first.
    let trees = [tree("oak", 24.0), tree("ash", 24.71), tree("elm", 24.7105)].join(",");
    let file = folder.path().join("trees.geojson");
    std::fs::write(
        &file,
        format!(r#"{{"type":"FeatureCollection","features":[{trees}]}}"#),
    )
    .unwrap();
    let (host, rest) = url.split_once('@').unwrap().1.split_once(':').unwrap();
    let (port, database) = rest.split_once('/').unwrap();
    let connection = format!("host={host} port={port} dbname={database} user=hromada");
    let load = |more: &[&str]| {
        let (to, name) = (format!("PG:{connection}"), format!("trees_{schema}"));
        let from = file.to_string_lossy();
        run(
            "ogr2ogr",
            &[&["-f", "PostgreSQL", &to, &from, "-nln", &name], more].concat(),
        );
    };
    load(&[]);
    let store = format!("{url}?schema={schema}");
    let table = format!("public.trees_{schema}");
    let published = hromada(
        folder.path(),
        &[
            "publish",
            "--database",
            &store,
            "--table",
            &table,
            "--collection",
            "trees",
            "--editable",
            "--access",
            "public",
        ],
    );
    assert!(published.status.success(), "{}", text(&published));

    let server = Server::from(command(
        folder.path(),
        &["serve", "--listen", "127.0.0.1:0", "--database", &store],
    ));
    assert_eq!(names(&server, folder.path()), ["ash", "elm"]);
    let source =
        format!("{connection} key='ogc_fid' table=\"public\".\"trees_{schema}\" (wkb_geometry)");
    let done = qgis(&EDITS.replace("SOURCE", &format!("{source:?}")));
    assert!(done.contains("DONE 3"), "{done}");
    let committed = Instant::now();
    while names(&server, folder.path()) != ["elm", "lime", "oak that was moved"] {
        assert!(
            committed.elapsed() < Duration::from_secs(2),
            "{:?}",
            names(&server, folder.path())
        );
    }
    // The day after, the GIS department loads its table anew.
    load(&["-overwrite"]);
    let loaded = Instant::now();
    while names(&server, folder.path()) != ["ash", "elm"] {
        assert!(loaded.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(100));
    }
    let report = json(folder.path(), &["check", "--database", &store]);
    assert_eq!(
        report["findings"].as_array().map(Vec::len),
        Some(0),
        "{report}"
    );
    drop(server);
    let _ = Command::new("psql")
        .args([
            "-X",
            "-q",
            "-c",
            &format!("DROP TABLE {table}; DROP SCHEMA {schema} CASCADE"),
            &url,
        ])
        .status();
}
