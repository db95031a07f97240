//! Files that are written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{folder, read, read_with};
use formats::{Format, ReadOptions, WriteOptions, Writer};
use model::{Crs, Feature, FeatureId, GeometryType, Property, PropertyType, Schema, Value};

fn schema() -> Schema {
    Schema {
        properties: [
            ("назва", PropertyType::Text),
            ("n", PropertyType::Integer),
            ("r", PropertyType::Real),
            ("b", PropertyType::Boolean),
            ("d", PropertyType::Date),
            ("t", PropertyType::DateTime),
        ]
        .map(|(name, kind)| Property::new(name, kind))
        .into(),
    }
}

fn options(schema: &Schema, format: Format) -> WriteOptions<'_> {
    WriteOptions {
        format,
        schema,
        layer_name: "шар \"1\"",
        geometry_type: GeometryType::Geometry,
        has_z: true,
        has_m: false,
        crs: Crs::CRS84,
        record_separators: false,
        byte_order_mark: false,
        id_column: None,
    }
}

fn wkb(geometry: &str) -> Option<Vec<u8>> {
    let body = format!(r#"{{"type":"Feature","properties":{{}},"geometry":{geometry}}}"#);
    formats::geojson::parse_feature(body.as_bytes())
        .unwrap()
        .geometry
}

fn features() -> Vec<Feature> {
    let full = vec![
        Value::Text("а,\"б\"\nв".into()),
        Value::Integer(i64::MIN),
        Value::Real(0.1),
        Value::Boolean(true),
        Value::Text("2024-02-29".into()),
        Value::Text("2024-02-29T10:00:00Z".into()),
    ];
    let geometries = [
        "null",
        r#"{"type":"Point","coordinates":[1,2,3]}"#,
        r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2,3]},{"type":"MultiPolygon","coordinates":[[[[0,0,1],[1,0,1],[1,1,1],[0,0,1]]]]}]}"#,
        r#"{"type":"MultiLineString","coordinates":[[[0,0,1],[1,0,1]],[[1,1,1],[0,0,1]]]}"#,
    ];
    let feature = |(i, geometry): (usize, &str)| Feature {
        fid: i as i64,
        geometry: wkb(geometry),
        properties: if i == 0 {
            vec![Value::Null; 6]
        } else {
            full.clone()
        },
    };
    geometries.into_iter().enumerate().map(feature).collect()
}

#[test]
fn every_value_and_geometry_comes_back() {
    let (dir, schema) = (folder(), schema());
    for (name, format) in [
        ("a.geojson", Format::GeoJson),
        ("a.geojsonl", Format::GeoJsonSeq),
        ("a.fgb", Format::FlatGeobuf),
        ("a.csv", Format::Csv),
    ] {
        let path = dir.path().join(name);
        let mut writer = Writer::create(&path, &options(&schema, format)).unwrap();
        for feature in features() {
            writer
                .write(&FeatureId::Integer(feature.fid), &feature)
                .unwrap();
        }
        assert!(
            !path.exists(),
            "nothing stands under the name before the end"
        );
        writer.finish().unwrap();
        let layer = read(&path).unwrap();
        assert_eq!(layer.schema, schema, "{name}");
        assert_eq!(layer.rejections.len(), 0, "{name}");
        assert_eq!(layer.features.len(), features().len(), "{name}");
        for (ours, theirs) in features().iter().zip(&layer.features) {
            assert_eq!(ours.geometry, theirs.geometry, "{name}");
            assert_eq!(ours.properties, theirs.properties, "{name}");
        }
        if format == Format::GeoJson || format == Format::FlatGeobuf {
            assert_eq!(layer.name, "шар \"1\"");
        }
    }
}

#[test]
fn single_parts_become_multi_parts_in_a_layer_of_those() {
    let (dir, schema) = (folder(), Schema::default());
    let path = dir.path().join("a.fgb");
    let options = WriteOptions {
        geometry_type: GeometryType::MultiPolygon,
        has_z: false,
        crs: Crs::epsg(6382),
        id_column: Some("id"),
        ..options(&schema, Format::FlatGeobuf)
    };
    let mut writer = Writer::create(&path, &options).unwrap();
    for geometry in [
        r#"{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,0]],[[2,1],[3,1],[3,2],[2,1]]]}"#,
        r#"{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]]]}"#,
    ] {
        let feature = Feature {
            fid: 1,
            geometry: wkb(geometry),
            properties: vec![],
        };
        writer
            .write(&FeatureId::Text("26:01".into()), &feature)
            .unwrap();
    }
    writer.finish().unwrap();
    let layer = read(&path).unwrap();
    assert_eq!(layer.geometry_type, GeometryType::MultiPolygon);
    assert_eq!(layer.crs, Some(Crs::epsg(6382)));
    assert_eq!(layer.column("id")[0], Value::Text("26:01".into()));
    let with_hole = r#"{"type":"MultiPolygon","coordinates":[[[[0,0],[9,0],[9,9],[0,0]],[[2,1],[3,1],[3,2],[2,1]]]]}"#;
    assert!(layer.geometries().iter().any(|g| g == with_hole));
}

#[test]
fn a_table_is_safe_to_open_in_a_spreadsheet() {
    let dir = folder();
    let schema = Schema {
        properties: vec![
            Property::new("wkt", PropertyType::Text),
            Property::new("n", PropertyType::Integer),
        ],
    };
    let path = dir.path().join("a.csv");
    let options = WriteOptions {
        byte_order_mark: true,
        id_column: Some("id"),
        ..options(&schema, Format::Csv)
    };
    let mut writer = Writer::create(&path, &options).unwrap();
    for text in ["=HYPERLINK(\"x\")", "+380501234567", "-1", "@a", "ok", ""] {
        let feature = Feature {
            fid: -5,
            geometry: None,
            properties: vec![Value::Text(text.into()), Value::Integer(-7)],
        };
        writer.write(&FeatureId::Integer(-5), &feature).unwrap();
    }
    writer.finish().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let expect = "\u{FEFF}id,wkt,n,wkt_2\r\n-5,\"'=HYPERLINK(\"\"x\"\")\",-7,\r\n-5,'+380501234567,-7,\r\n-5,'-1,-7,\r\n-5,'@a,-7,\r\n-5,ok,-7,\r\n-5,\"\",-7,\r\n";
    assert_eq!(text, expect);
    let options = ReadOptions {
        wkt: Some("wkt_2".to_owned()),
        ..ReadOptions::default()
    };
    let layer = read_with(&path, &options).unwrap();
    assert!(layer.rejections.is_empty() && layer.features.iter().all(|f| f.geometry.is_none()));
    assert_eq!(layer.column("wkt")[2], Value::Text("-1".into()));
}

#[test]
fn what_cannot_be_written_says_so_and_leaves_nothing() {
    let (dir, schema) = (folder(), schema());
    let key = |options: &WriteOptions<'_>, name: &str| {
        let error = Writer::create(&dir.path().join(name), options)
            .map(|_| ())
            .unwrap_err();
        common::complete(error.message());
        error.message().key()
    };
    assert_eq!(
        key(&options(&schema, Format::Shapefile), "a.shp"),
        "formats.not-writable"
    );
    let utm = WriteOptions {
        crs: Crs::epsg(6382),
        ..options(&schema, Format::GeoJson)
    };
    assert_eq!(key(&utm, "a.geojson"), "formats.geojson-crs");
    assert_eq!(
        key(&options(&schema, Format::Csv), "none/a.csv"),
        "formats.write-failed"
    );
    let refuses = |writer: &mut Writer, feature: &Feature, reason: &str| {
        let error = writer.write(&FeatureId::Integer(1), feature).unwrap_err();
        common::complete(error.message());
        let expect = format!("The feature “1” cannot be written. {reason}");
        assert!(error.to_string().starts_with(&expect), "{error}");
    };
    for format in [
        Format::GeoJson,
        Format::FlatGeobuf,
        Format::Csv,
        Format::GeoParquet,
    ] {
        let path = dir.path().join("old");
        std::fs::write(&path, "old").unwrap();
        let flat = WriteOptions {
            has_z: false,
            ..options(&schema, format)
        };
        let mut writer = Writer::create(&path, &flat).unwrap();
        let mut feature = features().swap_remove(1);
        if format == Format::FlatGeobuf {
            refuses(&mut writer, &feature, "The geometry has a height");
        }
        feature.geometry.as_mut().unwrap().pop();
        refuses(&mut writer, &feature, "The geometry (WKB) ends early");
        drop(writer);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    }
    std::fs::remove_file(dir.path().join("old")).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
