//! Delimited text.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Write;

use common::{folder, put, read, read_with};
use formats::ReadOptions;
use model::{Crs, GeometryType, Value};

fn texts(values: &[&str]) -> Vec<Value> {
    values.iter().map(|v| Value::Text((*v).into())).collect()
}

#[test]
fn longitude_and_latitude_by_their_usual_names() {
    let dir = folder();
    for header in ["lon,lat", "Longitude,Latitude", "lng,LAT", "довгота,широта"] {
        let layer = read(&put(
            &dir,
            "a.csv",
            format!("id,{header},name\n007,24.7,48.9,Київ\n"),
        ))
        .unwrap();
        assert_eq!(
            layer.geometries(),
            [r#"{"type":"Point","coordinates":[24.7,48.9]}"#]
        );
        assert_eq!(layer.crs, Some(Crs::CRS84), "{header}");
        assert_eq!(layer.types(), [("id", "text"), ("name", "text")]);
        assert_eq!(layer.column("id"), texts(&["007"]));
    }
}

#[test]
fn x_and_y_need_the_caller_to_name_their_crs() {
    let dir = folder();
    let path = put(
        &dir,
        "a.csv",
        "x;y;площа\n305123,5;5423000,25;1,5\n305124;5423001;2\n",
    );
    let layer = read(&path).unwrap();
    assert_eq!(layer.crs, None);
    assert_eq!(layer.column("площа"), [Value::Real(1.5), Value::Real(2.0)]);
    assert_eq!(
        layer.geometries()[0],
        r#"{"type":"Point","coordinates":[305123.5,5423000.25]}"#
    );
    let options = ReadOptions {
        crs: Some(Crs::epsg(6381)),
        x: Some("Y".to_owned()),
        y: Some("x".to_owned()),
        ..ReadOptions::default()
    };
    let layer = read_with(&path, &options).unwrap();
    assert_eq!(layer.crs, Some(Crs::epsg(6381)));
    assert_eq!(
        layer.geometries()[1],
        r#"{"type":"Point","coordinates":[5423001,305124]}"#
    );
}

#[test]
fn geometry_as_text() {
    let dir = folder();
    let text = "id\tgeom\n1\tSRID=6382;POLYGON((0 0,1 0,1 1,0 0))\n2\tsrid=6382;MULTIPOLYGON EMPTY\n3\tSRID=6382;POLYGON((0 0,1 0,1 1))\n4\t\n5\twhat\n";
    let layer = read(&put(&dir, "a.tsv", text)).unwrap();
    assert_eq!(layer.crs, Some(Crs::epsg(6382)));
    assert_eq!(layer.geometry_type, GeometryType::MultiPolygon);
    assert_eq!(layer.features.len(), 3);
    assert_eq!(layer.features[2].geometry, None, "an empty cell");
    let rejected: Vec<_> = layer
        .rejections
        .iter()
        .map(|r| (r.record, r.reason.key()))
        .collect();
    assert_eq!(
        rejected,
        [(3, "formats.ring-open"), (5, "formats.wkt-unreadable")]
    );
    let text = "wkt\n\"SRID=1;POINT(1 2)\"\nPOINT(1 2)\n";
    let layer = read(&put(&dir, "b.csv", text)).unwrap();
    assert_eq!(
        (layer.crs, layer.notes),
        (None, vec!["formats.note-srids-differ"])
    );
}

#[test]
fn a_table_without_geometry_is_a_layer_of_nulls() {
    let dir = folder();
    let layer = read(&put(
        &dir,
        "a.csv",
        "code,title\n1,\"a \"\"b\"\",\nc\"\n2,\n",
    ))
    .unwrap();
    assert_eq!(layer.geometry_type, GeometryType::Geometry);
    assert!(layer.features.iter().all(|f| f.geometry.is_none()));
    assert_eq!(
        layer.column("title"),
        [Value::Text("a \"b\",\nc".into()), Value::Null]
    );
    assert_eq!(layer.column("code"), [Value::Integer(1), Value::Integer(2)]);
}

#[test]
fn rows_that_do_not_fit_are_rejected_with_their_line() {
    let dir = folder();
    let text = "lon,lat,a\n1,2,\"x\ny\"\n1,2\n1,2,3,4\n,,z\nNaN,2,z\n1,abc,z\n1,2,ok\n";
    let layer = read(&put(&dir, "a.csv", text)).unwrap();
    assert_eq!(layer.features.len(), 2);
    let rejected: Vec<_> = layer
        .rejections
        .iter()
        .map(|r| {
            (
                r.record,
                r.reason.key(),
                r.field.as_deref(),
                r.reason.to_string(),
            )
        })
        .collect();
    assert_eq!(rejected[0].0, 2);
    assert_eq!(rejected[0].1, "formats.csv-field-count");
    assert!(rejected[0].3.contains("Line 4"), "{}", rejected[0].3);
    assert_eq!(rejected[1].1, "formats.csv-field-count");
    assert_eq!(rejected[2].1, "formats.no-coordinates");
    assert_eq!(
        (rejected[3].1, rejected[3].2),
        ("formats.coordinate-unreadable", Some("lon"))
    );
    assert_eq!(
        (rejected[4].1, rejected[4].2),
        ("formats.coordinate-unreadable", Some("lat"))
    );
}

#[test]
fn headers_are_made_fit_and_mixed_columns_stay_text() {
    let dir = folder();
    let layer = read(&put(&dir, "a.csv", "a,,A,b\n1,2,3,12\n1,2,3,12а\n")).unwrap();
    let names: Vec<_> = layer.types().iter().map(|(n, _)| *n).collect();
    assert_eq!(names, ["a", "field_2", "A_2", "b"]);
    assert_eq!(layer.column("b"), texts(&["12", "12а"]));
    assert_eq!(
        layer.notes,
        [
            "formats.note-renamed",
            "formats.note-renamed",
            "formats.note-mixed"
        ]
    );
}

#[test]
fn packed_and_spreadsheet_files() {
    let dir = folder();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all("\u{FEFF}sep=|\r\nlon|lat\r\n1|2\r\n".as_bytes())
        .unwrap();
    let layer = read(&put(&dir, "town.csv.gz", gz.finish().unwrap())).unwrap();
    assert_eq!((layer.features.len(), layer.name.as_str()), (1, "town"));
    let path = put(
        &dir,
        "cp1251.csv",
        b"name;lon;lat\n\xCA\xE8\xBF\xE2;30,5;50,4\n",
    );
    assert_eq!(
        read(&path).unwrap_err().message().key(),
        "formats.csv-not-utf8"
    );
    let options = ReadOptions {
        encoding: Some("windows-1251".to_owned()),
        ..ReadOptions::default()
    };
    assert_eq!(
        read_with(&path, &options).unwrap().column("name"),
        texts(&["Київ"])
    );
}

#[test]
fn the_apostrophe_before_what_looks_like_a_formula_is_taken_away() {
    let dir = folder();
    let text = "name,n,wkt\n'=1+1,1,\n''-1,2,\n'tis,3,\n''quoted,4,\n'+380,5,POINT(1 2)\n";
    let layer = read(&put(&dir, "a.csv", text)).unwrap();
    assert_eq!(
        layer.column("name"),
        texts(&["=1+1", "'-1", "'tis", "''quoted", "+380"])
    );
    assert_eq!(layer.types()[1], ("n", "integer"));
}
