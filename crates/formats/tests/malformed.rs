//! What each malformed file gets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Write;

use common::{complete, folder, put, read, read_with, shapefile};
use formats::{Format, ReadOptions};
use model::{Crs, Feature, FeatureId, GeometryType, Property, PropertyType, Schema, Value};

fn fgb() -> Vec<u8> {
    let dir = folder();
    let schema = Schema {
        properties: vec![
            Property::new("name", PropertyType::Text),
            Property::new("n", PropertyType::Real),
        ],
    };
    let path = dir.path().join("a.fgb");
    let options = formats::WriteOptions {
        format: Format::FlatGeobuf,
        schema: &schema,
        layer_name: "a",
        geometry_type: GeometryType::Point,
        has_z: false,
        has_m: false,
        crs: Crs::CRS84,
        record_separators: false,
        byte_order_mark: false,
        id_column: None,
    };
    let mut writer = formats::Writer::create(&path, &options).unwrap();
    for i in 0..2 {
        let feature = Feature {
            fid: i,
            geometry: Some([&[1, 1, 0, 0, 0][..], &[0; 16]].concat()),
            properties: vec![Value::Text("Київ".into()), Value::Real(1.5)],
        };
        writer.write(&FeatureId::Integer(i), &feature).unwrap();
    }
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

fn changed(bytes: &[u8], at: usize, with: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at..at + with.len()].copy_from_slice(with);
    changed
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

#[test]
fn each_file_gets_its_message() {
    let fgb = fgb();
    let header = 12 + u32::from_le_bytes(fgb[8..12].try_into().unwrap()) as usize;
    // Three nodes of 40 bytes: two features and the root.
    let first = header + 120;
    let collection = r#"{"type":"FeatureCollection","features":["#;
    let gz = gzip(b"lon,lat\n1,2\n");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty.geojson", vec![], "formats.empty-file"),
        ("empty.csv", b"\n\n".to_vec(), "formats.empty-file"),
        ("a.dxf", b"0\nSECTION".to_vec(), "formats.unknown"),
        (
            "a.gpkg",
            b"SQLite format 3\0".to_vec(),
            "formats.geopackage",
        ),
        ("a.dbf", vec![3; 64], "formats.side-file"),
        ("a.geojson", b"[1,2]".to_vec(), "formats.not-geojson"),
        ("a.geojson", b"{}".to_vec(), "formats.not-geojson"),
        (
            "a.geojson",
            br#"{"type":"FeatureCollection"}"#.to_vec(),
            "formats.features-missing",
        ),
        (
            "a.geojson",
            br#"{"type":"Topology","objects":{}}"#.to_vec(),
            "formats.topojson",
        ),
        (
            "a.json",
            br#"{"geometryType":"esriGeometryPoint","features":[]}"#.to_vec(),
            "formats.esri-json",
        ),
        ("a.geojson", collection.into(), "formats.json-truncated"),
        (
            "a.geojson",
            format!("{collection}{{\"type\":\"Feat").into(),
            "formats.json-truncated",
        ),
        (
            "a.geojson",
            format!("{collection}]").into(),
            "formats.json-truncated",
        ),
        (
            "a.geojson",
            format!("{collection}{{\"a\":[1}}]}}").into(),
            "formats.json-brackets",
        ),
        (
            "a.geojson",
            format!("{collection}{{}} {{}}]}}").into(),
            "formats.json-broken",
        ),
        (
            "a.geojson",
            format!("{collection},]}}").into(),
            "formats.json-broken",
        ),
        (
            "a.geojson",
            format!("{collection}]]").into(),
            "formats.json-broken",
        ),
        (
            "a.geojson",
            format!("{collection}]}} x").into(),
            "formats.json-trailing",
        ),
        (
            "a.geojson",
            format!("{collection}],\"features\":[]}}").into(),
            "formats.features-twice",
        ),
        ("a.geojson", b"\xFF\xFE{\0}\0".to_vec(), "formats.utf16"),
        (
            "a.geojson",
            format!("{collection}{{\"a\":\"")
                .into_bytes()
                .into_iter()
                .chain(*b"\xCA\xE8\"}]}")
                .collect(),
            "formats.not-utf8-file",
        ),
        (
            "a.geojsonl",
            b"{\"type\":\"Feature\",\"geometry\":null,\"properties\":{}}\n{\"type\":\"Fea".to_vec(),
            "formats.json-truncated",
        ),
        (
            "a.csv",
            b"a,b\n1,\"2\n3,4\n".to_vec(),
            "formats.csv-quote-open",
        ),
        ("a.csv", b"\xFE\xFF\0a\0,\0b".to_vec(), "formats.utf16"),
        (
            "a.csv",
            b"name,b\n\xCA\xE8\xBF\xE2,2\n".to_vec(),
            "formats.csv-not-utf8",
        ),
        ("a.csv", vec![b','; 3000], "formats.too-many-properties"),
        ("a.csv.gz", gz[..gz.len() - 9].to_vec(), "formats.truncated"),
        (
            "a.csv.gz",
            changed(&gz, 12, b"\xFF\xFF"),
            "formats.unpack-failed",
        ),
        ("a.fgb", changed(&fgb, 3, &[2]), "formats.fgb-version"),
        ("a.fgb", changed(&fgb, 8, &[0xFF; 4]), "formats.fgb-header"),
        ("a.fgb", changed(&fgb, 12, &[0xFF; 4]), "formats.fgb-header"),
        ("a.fgb", fgb[..header - 1].to_vec(), "formats.truncated"),
        ("a.fgb", fgb[..header + 10].to_vec(), "formats.truncated"),
        (
            "a.fgb",
            fgb[..fgb.len() - 1].to_vec(),
            "formats.fgb-truncated",
        ),
        (
            "a.fgb",
            changed(&fgb, first, &[0xFF, 0xFF, 0xFF, 0x7F]),
            "formats.fgb-truncated",
        ),
        (
            "a.fgb",
            changed(&fgb, first, &[1, 0, 0, 0]),
            "formats.fgb-size",
        ),
        ("a.shp", vec![0, 0, 0x27, 0x0A], "formats.truncated"),
        (
            "a.zip",
            b"PK\x03\x04 no archive".to_vec(),
            "formats.zip-damaged",
        ),
        (
            "a.zip",
            b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
            "formats.shp-none",
        ),
    ];
    assert!(cases.len() >= 25);
    for (name, bytes, expected) in cases {
        let dir = folder();
        let error = match read(&put(&dir, name, &bytes)) {
            Err(error) => error,
            Ok(layer) => panic!("{name} ({expected}): {layer:?}"),
        };
        assert_eq!(error.message().key(), expected, "{name}: {error}");
        complete(error.message());
    }
}

#[test]
fn each_shapefile_gets_its_message() {
    let [shp, shx, dbf] = shapefile().map(|(_, bytes)| bytes);
    type Parts = (Vec<u8>, Vec<u8>, Vec<u8>);
    let cases: Vec<(Parts, &str)> = vec![
        (
            (changed(&shp, 0, &[1]), shx.clone(), dbf.clone()),
            "formats.shp-header",
        ),
        (
            (shp[..300].to_vec(), shx.clone(), dbf.clone()),
            "formats.truncated",
        ),
        (
            (changed(&shp, 24, &[0, 0, 0, 150]), shx.clone(), dbf.clone()),
            "formats.shp-truncated",
        ),
        (
            (changed(&shp, 32, &[31]), shx.clone(), dbf.clone()),
            "formats.curve",
        ),
        (
            (changed(&shp, 32, &[99]), shx.clone(), dbf.clone()),
            "formats.geometry-type-unknown",
        ),
        (
            (changed(&shp, 104, &[0x7F; 4]), shx.clone(), dbf.clone()),
            "formats.shp-truncated",
        ),
        (
            (shp.clone(), changed(&shx, 100, &[0, 0, 0, 1]), dbf.clone()),
            "formats.shp-order",
        ),
        (
            (shp.clone(), shx[..104].to_vec(), dbf.clone()),
            "formats.truncated",
        ),
        (
            (shp.clone(), shx[..108].to_vec(), dbf.clone()),
            "formats.shp-counts",
        ),
        (
            (shp.clone(), shx.clone(), dbf[..40].to_vec()),
            "formats.truncated",
        ),
        (
            (shp.clone(), shx.clone(), changed(&dbf, 4, &[0xFF; 4])),
            "formats.truncated",
        ),
        (
            (shp.clone(), shx.clone(), changed(&dbf, 10, &[5, 0])),
            "formats.dbf-header",
        ),
        (
            (shp.clone(), shx.clone(), changed(&dbf, 8, &[1, 0])),
            "formats.dbf-header",
        ),
    ];
    for (i, ((shp, shx, dbf), expected)) in cases.into_iter().enumerate() {
        let dir = folder();
        put(&dir, "a.shx", shx);
        put(&dir, "a.dbf", dbf);
        // A damaged first byte would be another format.
        let options = ReadOptions {
            format: Some(Format::Shapefile),
            ..ReadOptions::default()
        };
        let error = match read_with(&put(&dir, "a.shp", shp), &options) {
            Err(error) => error,
            Ok(layer) => panic!("{i} {expected}: {layer:?}"),
        };
        assert_eq!(error.message().key(), expected, "{i}: {error}");
        complete(error.message());
    }
}

#[test]
fn a_bad_record_of_a_binary_format_is_one_rejection() {
    let fgb = fgb();
    let dir = folder();
    let text = fgb
        .windows(8)
        .rposition(|w| w == "Київ".as_bytes())
        .unwrap();
    let layer = read(&put(&dir, "a.fgb", changed(&fgb, text, &[0xFF]))).unwrap();
    assert_eq!(layer.features.len(), 1);
    let rejection = &layer.rejections[0];
    assert_eq!(
        (rejection.record, rejection.field.as_deref()),
        (2, Some("name"))
    );
    assert_eq!(rejection.reason.key(), "formats.value-not-utf8");
    let number = fgb
        .windows(8)
        .rposition(|w| w == 1.5_f64.to_le_bytes())
        .unwrap();
    let nan = changed(&fgb, number, &f64::NAN.to_le_bytes());
    let layer = read(&put(&dir, "a.fgb", nan)).unwrap();
    assert_eq!(
        layer.rejections[0].reason.key(),
        "formats.number-not-finite"
    );
    let [shp, shx, dbf] = shapefile().map(|(_, bytes)| bytes);
    put(&dir, "a.shx", shx);
    let date = dbf.len() - 1 - 41 - 9;
    for (shp, dbf, expected, field) in [
        (
            changed(&shp, 108, &[1]),
            dbf.clone(),
            "formats.shp-mixed",
            None,
        ),
        (
            changed(&shp, 144, &[0xFF; 4]),
            dbf.clone(),
            "formats.shp-record",
            None,
        ),
        (
            changed(&shp, 160, &f64::NAN.to_le_bytes()),
            dbf.clone(),
            "formats.coordinate-not-finite",
            None,
        ),
        (
            shp.clone(),
            changed(&dbf, date, b"20231399"),
            "formats.value-unreadable",
            Some("SINCE"),
        ),
    ] {
        put(&dir, "a.dbf", dbf);
        let layer = read(&put(&dir, "a.shp", shp)).unwrap();
        let rejection = &layer.rejections[0];
        assert_eq!((rejection.record, rejection.reason.key()), (1, expected));
        assert_eq!(rejection.field.as_deref(), field);
        assert_eq!(layer.features.len(), 1);
    }
}

#[test]
fn options_that_do_not_fit_say_so() {
    let dir = folder();
    let path = put(&dir, "a.csv", "id,east,north\n1,2,3\n");
    let base = ReadOptions::default();
    let name = |n: &str| Some(n.to_owned());
    for (options, expected) in [
        (
            ReadOptions {
                x: name("east"),
                ..base.clone()
            },
            "formats.csv-half-pair",
        ),
        (
            ReadOptions {
                lon: name("east"),
                lat: name("lat"),
                ..base.clone()
            },
            "formats.csv-column-missing",
        ),
        (
            ReadOptions {
                wkt: name("geom"),
                ..base.clone()
            },
            "formats.csv-column-missing",
        ),
        (
            ReadOptions {
                delimiter: Some('"'),
                ..base.clone()
            },
            "formats.csv-delimiter",
        ),
        (
            ReadOptions {
                delimiter: Some('ї'),
                ..base.clone()
            },
            "formats.csv-delimiter",
        ),
        (
            ReadOptions {
                encoding: name("klingon"),
                ..base.clone()
            },
            "formats.encoding-unknown",
        ),
        (
            ReadOptions {
                encoding: name("utf-16"),
                ..base.clone()
            },
            "formats.encoding-unknown",
        ),
    ] {
        let error = read_with(&path, &options).unwrap_err();
        assert_eq!(error.message().key(), expected);
        complete(error.message());
    }
    let missing = read(&dir.path().join("none.geojson")).unwrap_err();
    assert_eq!(missing.message().key(), "formats.read-failed");
    complete(missing.message());
}

#[test]
fn a_bomb_is_stopped_by_what_it_unpacks_to() {
    let dir = folder();
    // 300 MB of spaces pack to a thousandth.
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(b"a,b\n").unwrap();
    let row = [b"1,".as_slice(), &[b' '; 65_000], b"\n"].concat();
    for _ in 0..4_600 {
        gz.write_all(&row).unwrap();
    }
    let bomb = gz.finish().unwrap();
    let error = read(&put(&dir, "a.csv.gz", &bomb))
        .map(|_| "read")
        .unwrap_err();
    assert_eq!(
        error.message().key(),
        "formats.bomb",
        "{} bytes",
        bomb.len()
    );
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(b"a,b\n1,\"").unwrap();
    gz.write_all(&vec![b' '; 40 << 20]).unwrap();
    let path = put(&dir, "b.csv.gz", gz.finish().unwrap());
    let error = read(&path).map(|_| "read").unwrap_err();
    assert_eq!(error.message().key(), "formats.csv-row-too-large");
}
