//! No bytes make a reader panic, hang, or give a feature that breaks its own schema.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Write;
use std::path::PathBuf;
use std::sync::LazyLock;

use common::{folder, put, read, shapefile};
use formats::{Format, Stream, StreamOptions, WriteOptions, Writer};
use model::{Crs, Feature, FeatureId, GeometryType, Property, PropertyType, Schema, Value};
use proptest::prelude::*;
use tempfile::TempDir;

const COLLECTION: &str = r#"{"type":"FeatureCollection","name":"x","crs":{"type":"name","properties":{"name":"EPSG:4326"}},"features":[
{"type":"Feature","id":1,"geometry":{"type":"MultiPolygon","coordinates":[[[[0,0,1.5],[1,0,2],[1,1e0,3],[0,0,1.5]]]]},"properties":{"a":"\u0457\"}","b":-1.5,"c":[{}],"d":true,"e":"2024-02-29"}},
{"type":"Feature","geometry":null,"properties":null}]}"#;

const TABLE: &str = "id;lon;lat;\"a \"\"b\"\"\"\n1;24,5;48,9;\"x\ny\"\n2;;;ї\n";
const WKT_TABLE: &str = "id,wkt\n1,\"SRID=4326;MULTIPOLYGON Z (((0 0 1,1 0 1,1 1 1,0 0 1)),EMPTY)\"\n2,0101000000000000000000F03F0000000000000040\n";

fn fgb() -> Vec<u8> {
    let dir = folder();
    let schema = Schema {
        properties: [
            ("t", PropertyType::Text),
            ("r", PropertyType::Real),
            ("i", PropertyType::Integer),
            ("b", PropertyType::Boolean),
            ("d", PropertyType::Date),
            ("z", PropertyType::DateTime),
        ]
        .map(|(n, k)| Property::new(n, k))
        .into(),
    };
    let path = dir.path().join("a.fgb");
    let options = WriteOptions {
        format: Format::FlatGeobuf,
        schema: &schema,
        layer_name: "a",
        geometry_type: GeometryType::Geometry,
        has_z: true,
        has_m: false,
        crs: Crs::epsg(6382),
        record_separators: false,
        byte_order_mark: false,
        id_column: Some("id"),
    };
    let mut writer = Writer::create(&path, &options).unwrap();
    for geometry in [
        r#"{"type":"Polygon","coordinates":[[[0,0,1],[9,0,1],[9,9,1],[0,0,1]],[[1,1,1],[2,1,1],[2,2,1],[1,1,1]]]}"#,
        r#"{"type":"GeometryCollection","geometries":[{"type":"MultiPoint","coordinates":[[1,2,3]]},{"type":"MultiLineString","coordinates":[[[0,0,0],[1,1,1]],[[2,2,2],[3,3,3]]]}]}"#,
    ] {
        let body = format!(r#"{{"type":"Feature","properties":{{}},"geometry":{geometry}}}"#);
        let feature = Feature {
            fid: 1,
            geometry: formats::geojson::parse_feature(body.as_bytes())
                .unwrap()
                .geometry,
            properties: vec![
                Value::Text("Київ".into()),
                Value::Real(1.5),
                Value::Integer(-7),
                Value::Boolean(true),
                Value::Text("2024-02-29".into()),
                Value::Text("2024-02-29T10:00:00Z".into()),
            ],
        };
        writer.write(&FeatureId::Integer(1), &feature).unwrap();
    }
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

fn gz() -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(TABLE.as_bytes()).unwrap();
    gz.finish().unwrap()
}

fn archive() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in shapefile() {
        writer
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The files of every format; for a Shapefile the part that is damaged, beside whole others.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    static SAMPLES: LazyLock<Vec<(&str, Vec<u8>)>> = LazyLock::new(make_samples);
    SAMPLES.clone()
}

fn make_samples() -> Vec<(&'static str, Vec<u8>)> {
    let [shp, shx, dbf] = shapefile();
    let sequence = COLLECTION
        .lines()
        .skip(1)
        .map(|l| l.trim_end_matches([',', ']', '}']));
    let sequence = sequence.map(|l| format!("{l}}}\n")).collect::<String>();
    vec![
        ("a.geojson", COLLECTION.into()),
        ("a.geojsonl", sequence.into()),
        ("b.csv", TABLE.into()),
        ("c.csv", WKT_TABLE.into()),
        ("d.csv.gz", gz()),
        ("a.fgb", fgb()),
        ("a.zip", archive()),
        shp,
        shx,
        dbf,
    ]
}

/// A folder where a damaged file of that name can be read.
fn around(name: &str) -> (TempDir, PathBuf) {
    let dir = folder();
    if ["a.shp", "a.shx", "a.dbf"].contains(&name) {
        for (part, bytes) in shapefile() {
            put(&dir, part, bytes);
        }
        let path = dir.path().join("a.shp");
        return (dir, path);
    }
    let path = dir.path().join(name);
    (dir, path)
}

#[test]
fn the_whole_files_are_sound() {
    for (name, bytes) in samples() {
        let (dir, path) = around(name);
        put(&dir, name, bytes);
        let layer = read(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!layer.features.is_empty(), "{name}");
    }
}

#[test]
fn files_cut_off_at_every_byte() {
    for (name, bytes) in samples() {
        let (dir, path) = around(name);
        let whole = {
            put(&dir, name, &bytes);
            read(&path).unwrap().features.len()
        };
        for length in 0..bytes.len() {
            put(&dir, name, &bytes[..length]);
            match read(&path) {
                Err(error) => common::complete(error.message()),
                // Text formats without an end mark can be cut between records; nothing is made up.
                Ok(layer) => {
                    let open_ended =
                        name.contains("csv") || name.ends_with("geojsonl") || name == "a.dbf";
                    assert!(
                        open_ended,
                        "{name} cut at {length} of {}: {layer:?}",
                        bytes.len()
                    );
                    assert!(layer.features.len() <= whole);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(7),
        ..ProptestConfig::default()
    })]

    #[test]
    fn bytes_changed_at_random(
        which in 0..10_usize,
        changes in proptest::collection::vec((0.0..1.0_f64, any::<u8>()), 1..4),
    ) {
        let (name, mut bytes) = samples().swap_remove(which);
        for (at, byte) in changes {
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = byte;
        }
        let (dir, path) = around(name);
        put(&dir, name, bytes);
        if let Err(error) = read(&path) {
            common::complete(error.message());
        }
    }

    #[test]
    fn json_shuffled_at_random(text in r#"[{}\[\]":,a1.eE+\-\\ tn]{0,60}"#) {
        let dir = folder();
        for name in ["a.geojson", "a.geojsonl"] {
            let path = put(&dir, name, format!("{{{text}"));
            if let Err(error) = read(&path) {
                common::complete(error.message());
            }
        }
        let _ = formats::geojson::parse_feature(text.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(11),
        ..ProptestConfig::default()
    })]

    /// Whatever bytes a geometry has, a stream writes it or names the feature, and goes on with the next one.
    #[test]
    fn damaged_geometry_does_not_stop_a_stream(
        which in 0..9_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        format in prop::sample::select(Format::ALL.to_vec()),
        skip_geometry: bool,
        y_first: bool,
        decimals in prop::option::of(any::<u8>()),
    ) {
        prop_assume!(format.is_streamed());
        let schema = common::sample_schema();
        let samples = common::sample_features();
        let (id, mut feature) = samples[which].clone();
        if let Some(wkb) = &mut feature.geometry {
            for (at, byte) in &changes {
                let at = at.index(wkb.len());
                wkb[at] = *byte;
            }
            if changes.is_empty() {
                let length = cut.index(wkb.len());
                wkb.truncate(length);
            }
        }
        let options = StreamOptions {
            has_z: true,
            skip_geometry,
            y_first,
            decimals,
            ..StreamOptions::new(format, &schema)
        };
        let mut stream = Stream::new(&options).unwrap();
        let mut out = Vec::new();
        stream.begin(&mut out, "").unwrap();
        if let Err(error) = stream.write(&mut out, &id, &feature) {
            common::complete(error.message());
            prop_assert_eq!(error.message().key(), "formats.write-feature");
        }
        let (id, feature) = &samples[0];
        stream.write(&mut out, id, feature).unwrap();
        stream.end(&mut out, "").unwrap();
        if matches!(format, Format::GeoJson | Format::JsonFg) {
            serde_json::from_slice::<serde_json::Value>(&out).unwrap();
        }
    }
}

#[test]
fn a_stream_may_go_to_another_thread() {
    fn goes<T: Send + 'static>() {}
    goes::<Stream>();
}
