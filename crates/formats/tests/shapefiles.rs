//! Shapefiles: as parts, in a folder, in a ZIP archive.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{Cursor, Write};

use common::{folder, put, read, shapefile};
use model::{Crs, GeometryType, Value};
use zip::write::SimpleFileOptions;

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn shapes_and_rows_by_their_types() {
    let dir = folder();
    for (name, bytes) in shapefile() {
        put(&dir, name, bytes);
    }
    put(
        &dir,
        "a.prj",
        r#"PROJCS["Ukraine_2000_TM_Zone_8",GEOGCS["x"]]"#,
    );
    for path in [dir.path().join("a.shp"), dir.path().to_owned()] {
        let layer = read(&path).unwrap();
        assert_eq!(layer.name, "a");
        assert_eq!(layer.geometry_type, GeometryType::MultiPolygon);
        assert_eq!(layer.crs, Some(Crs::epsg(6382)));
        assert_eq!(
            layer.types(),
            [
                ("NAME", "text"),
                ("ID", "integer"),
                ("AREA", "real"),
                ("SINCE", "date"),
                ("OK", "boolean")
            ]
        );
        assert_eq!(
            layer.features[0].properties,
            [
                Value::Text("Ділянка".into()),
                Value::Integer(7),
                Value::Real(91.0),
                Value::Text("2024-02-29".into()),
                Value::Boolean(true)
            ]
        );
        let nulls = [
            Value::Text("Поле".into()),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
        ];
        assert_eq!(layer.features[1].properties, nulls);
        assert_eq!(
            layer.geometries(),
            [
                r#"{"type":"MultiPolygon","coordinates":[[[[0,0],[0,10],[10,10],[10,0],[0,0]],[[2,2],[5,2],[5,5],[2,5],[2,2]]]]}"#,
                r#"{"type":"MultiPolygon","coordinates":[[[[20,0],[20,5],[25,5],[25,0],[20,0]]],[[[30,0],[30,5],[35,5],[35,0],[30,0]]]]}"#,
            ]
        );
    }
}

#[test]
fn an_archive_is_read_without_unpacking_it() {
    let dir = folder();
    let [shp, shx, dbf] = shapefile();
    let files: Vec<(&str, &[u8])> = vec![
        ("__MACOSX/._x.shp", b"shadow"),
        ("../../layers/Межі.SHP", &shp.1),
        ("../../layers/Межі.shx", &shx.1),
        ("../../layers/Межі.dbf", &dbf.1),
        (
            "../../layers/Межі.prj",
            br#"GEOGCS["WGS 84",AUTHORITY["EPSG","4326"]]"#,
        ),
    ];
    let layer = read(&put(&dir, "a.zip", zipped(&files))).unwrap();
    assert_eq!((layer.features.len(), layer.name.as_str()), (2, "Межі"));
    assert_eq!(layer.crs, Some(Crs::CRS84));
    let several: Vec<(&str, &[u8])> = vec![("a.shp", &shp.1), ("b.shp", &shp.1)];
    let error = read(&put(&dir, "b.zip", zipped(&several))).unwrap_err();
    assert_eq!(error.message().key(), "formats.shp-several");
    assert!(error.to_string().contains("a.shp, b.shp"), "{error}");
}

#[test]
fn missing_parts_are_named() {
    let dir = folder();
    let [shp, shx, dbf] = shapefile();
    let path = put(&dir, shp.0, &shp.1);
    let error = read(&path).unwrap_err();
    assert_eq!(error.message().key(), "formats.shp-part-missing");
    assert!(error.to_string().contains("a.dbf"), "{error}");
    put(&dir, dbf.0, &dbf.1);
    let layer = read(&path).unwrap();
    assert_eq!(
        (layer.features.len(), layer.notes),
        (2, vec!["formats.note-shx-missing"])
    );
    put(&dir, shx.0, &shx.1);
    assert_eq!(read(&path).unwrap().notes, Vec::<&str>::new());
    // The table's encoding: a .cpg stands above the header's mark.
    put(&dir, "a.cpg", "IBM866");
    let Value::Text(name) = &read(&path).unwrap().column("NAME")[0] else {
        panic!()
    };
    assert_ne!(&**name, "Ділянка");
    put(&dir, "b.shp", &shp.1);
    assert_eq!(
        read(dir.path()).unwrap_err().message().key(),
        "formats.shp-several"
    );
}

#[test]
fn deleted_rows_are_none_of_the_layer() {
    let dir = folder();
    for (name, mut bytes) in shapefile() {
        if name == "a.dbf" {
            let first = bytes.len() - 1 - 2 * 41;
            assert_eq!(bytes[first], b' ');
            bytes[first] = b'*';
        }
        put(&dir, name, bytes);
    }
    let layer = read(dir.path()).unwrap();
    assert_eq!((layer.features.len(), layer.features[0].record), (1, 2));
    assert!(layer.rejections.is_empty());
}
