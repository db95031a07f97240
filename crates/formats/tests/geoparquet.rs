//! GeoParquet 1.1: read back by the reader of the `parquet` crate.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use bytes::Bytes;
use common::{Sample, complete, encode, folder, put, sample_features, sample_of, sample_schema};
use formats::{Format, Stream, StreamOptions, Writer};
use model::{
    Crs, Feature, FeatureId, GeometryType, Property, PropertyType, Schema, Value, days_of_date,
    microseconds_of_date_time,
};
use parquet::basic::{LogicalType, TimeUnit};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use parquet::record::{Field, Row};
use serde_json::{Value as Json, json};

fn open(bytes: Vec<u8>) -> SerializedFileReader<Bytes> {
    SerializedFileReader::new(Bytes::from(bytes)).unwrap()
}

fn rows(reader: &SerializedFileReader<Bytes>) -> Vec<Row> {
    reader
        .get_row_iter(None)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn geo(reader: &SerializedFileReader<Bytes>) -> Option<Json> {
    let pairs = reader.metadata().file_metadata().key_value_metadata()?;
    let geo = pairs.iter().find(|pair| pair.key == "geo")?;
    Some(serde_json::from_str(geo.value.as_deref()?).unwrap())
}

fn field<'a>(row: &'a Row, name: &str) -> &'a Field {
    let mut columns = row.get_column_iter();
    columns.find(|(n, _)| *n == name).unwrap().1
}

/// A property as the reader has it.
fn expected(kind: PropertyType, value: &Value) -> Field {
    match (kind, value) {
        (_, Value::Null) => Field::Null,
        (_, Value::Boolean(b)) => Field::Bool(*b),
        (_, Value::Integer(i)) => Field::Long(*i),
        (_, Value::Real(x)) => Field::Double(*x),
        (PropertyType::Date, Value::Text(text)) => {
            Field::Date(days_of_date(text).unwrap().try_into().unwrap())
        }
        (PropertyType::DateTime, Value::Text(text)) => {
            let (days, micros) = microseconds_of_date_time(text).unwrap();
            Field::TimestampMicros(days * 86_400_000_000 + micros)
        }
        (_, Value::Text(text)) => Field::Str(text.to_string()),
    }
}

#[test]
fn every_value_and_geometry_comes_back() {
    let schema = sample_schema();
    let options = StreamOptions {
        id_column: Some("id"),
        ..StreamOptions::new(Format::GeoParquet, &schema)
    };
    let features = sample_features();
    let reader = open(encode(&options, &features));
    let rows = rows(&reader);
    assert_eq!(rows.len(), features.len());
    for (row, (id, feature)) in rows.iter().zip(&features) {
        assert_eq!(field(row, "id"), &Field::Str(id.to_string()));
        for (property, value) in schema.properties.iter().zip(&feature.properties) {
            let expect = expected(property.kind, value);
            assert_eq!(field(row, &property.name), &expect, "{}", property.name);
        }
        match &feature.geometry {
            None => {
                assert_eq!(field(row, "geometry"), &Field::Null);
                assert_eq!(field(row, "bbox"), &Field::Null);
            }
            Some(wkb) => {
                let Field::Bytes(bytes) = field(row, "geometry") else {
                    panic!("{row:?}");
                };
                assert_eq!(bytes.data(), wkb);
                let envelope = formats::wkb::check(wkb).unwrap().envelope.unwrap();
                let Field::Group(bbox) = field(row, "bbox") else {
                    panic!("{row:?}");
                };
                for (side, number) in [
                    ("xmin", envelope.min[0]),
                    ("ymin", envelope.min[1]),
                    ("xmax", envelope.max[0]),
                    ("ymax", envelope.max[1]),
                ] {
                    assert_eq!(field(bbox, side), &Field::Double(number));
                }
            }
        }
    }
    assert_eq!(
        geo(&reader).unwrap(),
        json!({
            "version": "1.1.0",
            "primary_column": "geometry",
            "columns": {"geometry": {
                "encoding": "WKB",
                "geometry_types": [
                    "Point", "Point Z", "LineString", "Polygon", "MultiPoint Z", "MultiLineString Z",
                    "MultiPolygon Z", "GeometryCollection Z",
                ],
                "covering": {"bbox": {
                    "xmin": ["bbox", "xmin"], "ymin": ["bbox", "ymin"],
                    "xmax": ["bbox", "xmax"], "ymax": ["bbox", "ymax"],
                }},
                "bbox": [0.0, 0.0, 24.7101, 48.9226],
            }},
        })
    );
}

#[test]
fn columns_have_their_logical_types() {
    let schema = sample_schema();
    let reader = open(encode(
        &StreamOptions::new(Format::GeoParquet, &schema),
        &[],
    ));
    let root = reader.metadata().file_metadata().schema();
    let logical = |name: &str| {
        let of = |f: &&std::sync::Arc<parquet::schema::types::Type>| f.name() == name;
        let field = root.get_fields().iter().find(of).unwrap();
        assert!(field.is_optional());
        field.get_basic_info().logical_type_ref().cloned()
    };
    assert_eq!(logical("назва"), Some(LogicalType::String));
    assert_eq!(logical("n"), Some(LogicalType::integer(64, true)));
    assert_eq!(logical("r"), None);
    assert_eq!(logical("b"), None);
    assert_eq!(logical("d"), Some(LogicalType::Date));
    assert_eq!(
        logical("t"),
        Some(LogicalType::timestamp(true, TimeUnit::MICROS))
    );
    assert_eq!(logical("geometry"), None);
    // An empty collection is a whole file with all columns and no extent.
    assert_eq!(rows(&reader).len(), 0);
    let column = &geo(&reader).unwrap()["columns"]["geometry"];
    assert_eq!(column["geometry_types"], json!([]));
    assert_eq!(column.get("bbox"), None);
}

#[test]
fn the_crs_is_projjson_or_unknown_or_left_out() {
    let schema = Schema::default();
    let crs = |crs: Crs, projjson: Option<&str>| {
        let options = StreamOptions {
            crs,
            projjson,
            ..StreamOptions::new(Format::GeoParquet, &schema)
        };
        let reader = open(encode(&options, &[]));
        geo(&reader).unwrap()["columns"]["geometry"]
            .get("crs")
            .cloned()
    };
    assert_eq!(crs(Crs::CRS84, None), None);
    assert_eq!(crs(Crs::epsg(6382), None), Some(Json::Null));
    let text = r#"{"type":"ProjectedCRS","name":"UCS-2000 / Ukraine TM zone 8","id":{"authority":"EPSG","code":6382}}"#;
    assert_eq!(
        crs(Crs::epsg(6382), Some(text)),
        Some(serde_json::from_str(text).unwrap())
    );
    for bad in ["", "EPSG:6382", "[]", "{"] {
        let options = StreamOptions {
            projjson: Some(bad),
            ..StreamOptions::new(Format::GeoParquet, &schema)
        };
        let error = Stream::new(&options).map(|_| ()).unwrap_err();
        complete(error.message());
        assert_eq!(error.message().key(), "formats.projjson");
    }
}

#[test]
fn only_the_selected_columns_are_written() {
    let schema = sample_schema();
    let options = StreamOptions {
        properties: Some(&[4, 1]),
        skip_geometry: true,
        ..StreamOptions::new(Format::GeoParquet, &schema)
    };
    let reader = open(encode(&options, &sample_features()));
    let rows = rows(&reader);
    let names: Vec<_> = rows[1].get_column_iter().map(|(n, _)| n.clone()).collect();
    assert_eq!(names, ["d", "n"]);
    assert_eq!(field(&rows[1], "n"), &Field::Long(i64::MIN));
    assert_eq!(geo(&reader), None, "without geometry it is plain Parquet");
}

#[test]
fn properties_keep_their_names() {
    let schema = Schema {
        properties: ["Geometry", "bbox", "bbox_2", "a.b"]
            .map(|name| Property::new(name, PropertyType::Text))
            .into(),
    };
    let (id, feature) = sample_of(1, r#"{"type":"Point","coordinates":[1,2]}"#);
    let feature = Feature {
        properties: ["q", "w", "e", "r"].map(|t| Value::Text(t.into())).into(),
        ..feature
    };
    let options = StreamOptions::new(Format::GeoParquet, &schema);
    let reader = open(encode(&options, &[(id, feature)]));
    let geo = geo(&reader).unwrap();
    assert_eq!(geo["primary_column"], "geometry_2");
    assert_eq!(
        geo["columns"]["geometry_2"]["covering"]["bbox"]["xmax"],
        json!(["bbox_3", "xmax"])
    );
    let row = rows(&reader).swap_remove(0);
    assert_eq!(field(&row, "a.b"), &Field::Str("r".to_owned()));
    assert!(matches!(field(&row, "bbox_3"), Field::Group(_)));
}

#[test]
fn measures_are_left_out_and_byte_order_is_little() {
    // POINT ZM (1 2 3 4), big-endian.
    let mut wkb = vec![0, 0, 0, 0x0B, 0xB9];
    for number in [1.0_f64, 2.0, 3.0, 4.0] {
        wkb.extend(number.to_be_bytes());
    }
    let mut expect = vec![1, 0xE9, 3, 0, 0];
    for number in [1.0_f64, 2.0, 3.0] {
        expect.extend(number.to_le_bytes());
    }
    let feature = Feature {
        fid: 1,
        geometry: Some(wkb),
        properties: vec![],
    };
    let schema = Schema::default();
    let options = StreamOptions::new(Format::GeoParquet, &schema);
    let reader = open(encode(&options, &[(FeatureId::Integer(1), feature)]));
    let row = rows(&reader).swap_remove(0);
    let Field::Bytes(bytes) = field(&row, "geometry") else {
        panic!("{row:?}");
    };
    assert_eq!(bytes.data(), expect);
    let geo = geo(&reader).unwrap();
    assert_eq!(
        geo["columns"]["geometry"]["geometry_types"],
        json!(["Point Z"])
    );
}

/// Parcel number `n` of a grid, with a text that is like no other.
fn parcel(n: u32) -> Sample {
    let (x, y) = (f64::from(n % 1000), f64::from(n / 1000));
    let (x, y) = (24.0 + x * 0.001, 48.0 + y * 0.001);
    let (e, s) = (x + 0.0009, y + 0.0009);
    let ring = format!("[[{x},{y}],[{e},{y}],[{e},{s}],[{x},{s}],[{x},{y}]]");
    let (_, mut feature) = sample_of(
        i64::from(n),
        &format!(r#"{{"type":"Polygon","coordinates":[{ring}]}}"#),
    );
    feature.properties[0] = Value::Text(format!("2610100000:01:{n:07}").into());
    feature.properties[1] = if n.is_multiple_of(3) {
        Value::Null
    } else {
        Value::Integer(i64::from(n))
    };
    (FeatureId::Text(format!("p{n}").into()), feature)
}

#[test]
fn rows_come_in_groups_and_memory_stays_flat() {
    const FEATURES: u32 = 120_000;
    /// One group of 8 MiB with what growing vectors keep free.
    const CAP: usize = 24 << 20;
    let schema = sample_schema();
    for format in Format::ALL.into_iter().filter(|f| f.is_streamed()) {
        let options = StreamOptions {
            id_column: Some("id"),
            geometry_type: GeometryType::Polygon,
            ..StreamOptions::new(format, &schema)
        };
        let mut stream = Stream::new(&options).unwrap();
        let mut all = Vec::new();
        let mut piece = Vec::new();
        stream.begin(&mut all, "").unwrap();
        for n in 0..FEATURES {
            let (id, feature) = parcel(n);
            piece.clear();
            stream.write(&mut piece, &id, &feature).unwrap();
            assert!(piece.len() < 8 << 20);
            assert!(stream.retained() < CAP, "{}", stream.retained());
            if format == Format::GeoParquet {
                all.extend_from_slice(&piece);
            } else {
                assert_eq!(stream.retained(), 0);
                assert!(!piece.is_empty());
            }
        }
        stream.end(&mut all, "").unwrap();
        if format != Format::GeoParquet {
            continue;
        }
        let reader = open(all);
        let metadata = reader.metadata();
        assert_eq!(metadata.file_metadata().num_rows(), i64::from(FEATURES));
        assert_eq!(metadata.num_row_groups(), 12);
        for (i, row) in reader.get_row_iter(None).unwrap().enumerate() {
            let (row, (id, feature)) = (row.unwrap(), parcel(u32::try_from(i).unwrap()));
            assert_eq!(field(&row, "id"), &Field::Str(id.to_string()));
            let n = expected(PropertyType::Integer, &feature.properties[1]);
            assert_eq!(field(&row, "n"), &n);
            let Field::Bytes(bytes) = field(&row, "geometry") else {
                panic!("{row:?}");
            };
            assert_eq!(Some(bytes.data()), feature.geometry.as_deref());
        }
        // The boxes tell which groups a query box can pass over.
        let group = metadata.row_group(11);
        let ymin = group.columns().iter().find(|c| {
            let path = c.column_path().parts();
            path == ["bbox", "ymin"]
        });
        let Some(Statistics::Double(numbers)) = ymin.unwrap().statistics() else {
            panic!("no statistics");
        };
        assert_eq!(numbers.min_opt(), Some(&(48.0 + 110.0 * 0.001)));
    }
}

#[test]
fn a_group_ends_by_its_bytes_as_well() {
    let schema = Schema {
        properties: vec![Property::new("text", PropertyType::Text)],
    };
    let options = StreamOptions::new(Format::GeoParquet, &schema);
    let mut stream = Stream::new(&options).unwrap();
    let mut out = Vec::new();
    stream.begin(&mut out, "").unwrap();
    let feature = Feature {
        fid: 1,
        geometry: None,
        properties: vec![Value::Text("ж".repeat(1 << 20).into())],
    };
    for n in 0..40 {
        stream
            .write(&mut out, &FeatureId::Integer(n), &feature)
            .unwrap();
        assert!(stream.retained() < 24 << 20, "{}", stream.retained());
    }
    stream.end(&mut out, "").unwrap();
    let reader = open(out);
    assert_eq!(reader.metadata().num_row_groups(), 10);
    assert_eq!(rows(&reader).len(), 40);
}

#[test]
fn a_file_is_written_and_refused_by_our_readers() {
    let schema = sample_schema();
    let dir = folder();
    let path = dir.path().join("a.parquet");
    let options = StreamOptions::new(Format::GeoParquet, &schema);
    let mut writer = Writer::create_as(&path, &options).unwrap();
    for (id, feature) in sample_features() {
        writer.write(&id, &feature).unwrap();
    }
    writer.finish().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes, encode(&options, &sample_features()));
    assert_eq!(rows(&open(bytes)).len(), sample_features().len());
    assert_eq!(formats::detect(&path).unwrap(), Format::GeoParquet);
    let error = common::read(&path).unwrap_err();
    assert_eq!(error.message().key(), "formats.not-readable");
    complete(error.message());
    let named = put(&dir, "b.geojson", std::fs::read(&path).unwrap());
    assert_eq!(formats::detect(&named).unwrap(), Format::GeoParquet);
}
