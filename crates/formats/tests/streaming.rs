//! Features encoded piece by piece: what comes out is read back the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Sample, encode, sample_features, sample_schema};
use common::{complete, folder, put, read, read_with};
use formats::{Format, ReadOptions, Stream, StreamOptions, TableGeometry};
use model::{Crs, Feature, FeatureId, GeometryType, Property, PropertyType, Schema, Value};

const TEXT_FORMATS: [Format; 4] = [
    Format::GeoJson,
    Format::GeoJsonSeq,
    Format::NdJson,
    Format::Csv,
];

fn one(format: Format, change: impl Fn(&mut StreamOptions<'_>), features: &[Sample]) -> String {
    let schema = sample_schema();
    let mut options = StreamOptions::new(format, &schema);
    options.has_z = true;
    change(&mut options);
    String::from_utf8(encode(&options, features)).unwrap()
}

fn point(x: f64, y: f64) -> Sample {
    common::sample_of(1, &format!(r#"{{"type":"Point","coordinates":[{x},{y}]}}"#))
}

#[test]
fn every_value_and_geometry_comes_back() {
    let schema = sample_schema();
    let dir = folder();
    for format in TEXT_FORMATS.into_iter().chain([Format::FlatGeobuf]) {
        for count in [None, Some(sample_features().len() as u64)] {
            let options = StreamOptions {
                has_z: true,
                count,
                layer_name: "шар",
                ..StreamOptions::new(format, &schema)
            };
            let bytes = encode(&options, &sample_features());
            let path = put(&dir, &format!("a.{}", format.extension()), bytes);
            let layer = read(&path).unwrap();
            assert_eq!(layer.schema, schema, "{format:?}");
            assert_eq!(layer.rejections, [], "{format:?}");
            assert_eq!(layer.features.len(), sample_features().len());
            for ((_, ours), theirs) in sample_features().iter().zip(&layer.features) {
                // In FlatGeobuf the header promises z for all.
                if format != Format::FlatGeobuf || ours.geometry.is_none() {
                    assert_eq!(ours.geometry, theirs.geometry, "{format:?}");
                }
                let mut expect = ours.properties.clone();
                if format == Format::Csv && expect[0] == Value::Text("".into()) {
                    // It is written as `""`; our reader takes an empty cell for null, quoted or not.
                    expect[0] = Value::Null;
                }
                assert_eq!(expect, theirs.properties, "{format:?}");
            }
        }
    }
}

#[test]
fn ids_are_numbers_or_texts() {
    let features: Vec<Sample> = [
        FeatureId::Integer(-7),
        FeatureId::Text("26:01 \"а\"".into()),
    ]
    .into_iter()
    .map(|id| (id, point(1.0, 2.0).1))
    .collect();
    let json = one(
        Format::NdJson,
        |options| options.properties = Some(&[]),
        &features,
    );
    assert_eq!(
        json,
        "{\"type\":\"Feature\",\"id\":-7,\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]},\"properties\":{}}\n\
         {\"type\":\"Feature\",\"id\":\"26:01 \\u0022а\\u0022\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]},\"properties\":{}}\n"
    );
    let csv = one(
        Format::Csv,
        |options| {
            options.properties = Some(&[]);
            options.id_column = Some("id");
        },
        &features,
    );
    assert_eq!(
        csv,
        "id,wkt\r\n-7,\"POINT (1 2)\"\r\n\"26:01 \"\"а\"\"\",\"POINT (1 2)\"\r\n"
    );
}

#[test]
fn a_collection_has_the_members_that_the_caller_gives() {
    let schema = Schema::default();
    let mut stream = Stream::new(&StreamOptions::new(Format::GeoJson, &schema)).unwrap();
    let mut out = Vec::new();
    stream.begin(&mut out, r#""numberMatched":2"#).unwrap();
    let (id, feature) = point(1.0, 2.0);
    stream.write(&mut out, &id, &feature).unwrap();
    stream.write(&mut out, &id, &feature).unwrap();
    stream
        .end(&mut out, r#""numberReturned":2,"links":[]"#)
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["numberMatched"], 2);
    assert_eq!(json["numberReturned"], 2);
    assert_eq!(json["features"].as_array().unwrap().len(), 2);
    assert_eq!(stream.count(), 2);

    let mut out = Vec::new();
    stream
        .single(&mut out, &id, &feature, None, r#""links":[]"#)
        .unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"type":"Feature","id":1,"geometry":{"type":"Point","coordinates":[1,2]},"properties":{},"links":[]}"#
    );
}

#[test]
fn an_empty_collection_is_a_whole_document() {
    let schema = sample_schema();
    let dir = folder();
    for (format, expect) in [
        (
            Format::GeoJson,
            Some("{\"type\":\"FeatureCollection\",\"features\":[\n]}\n"),
        ),
        (Format::GeoJsonSeq, Some("")),
        (Format::NdJson, Some("")),
        (Format::Csv, Some("назва,n,r,b,d,t,wkt\r\n")),
        (Format::FlatGeobuf, None),
    ] {
        let bytes = encode(&StreamOptions::new(format, &schema), &[]);
        match expect {
            Some(text) => assert_eq!(std::str::from_utf8(&bytes).unwrap(), text),
            None => {
                let layer = read(&put(&dir, "a.fgb", bytes)).unwrap();
                assert_eq!(layer.features.len(), 0);
                assert_eq!(layer.schema.properties.len(), schema.properties.len());
            }
        }
    }
}

#[test]
fn records_of_a_sequence_begin_with_a_separator() {
    let sequence = one(
        Format::GeoJsonSeq,
        |_| {},
        &[point(1.0, 2.0), point(3.0, 4.0)],
    );
    let records: Vec<&str> = sequence.split('\u{1E}').collect();
    assert_eq!(records.len(), 3);
    assert_eq!(records[0], "");
    for record in &records[1..] {
        assert!(record.ends_with("}\n"));
        serde_json::from_str::<serde_json::Value>(record).unwrap();
    }
}

#[test]
fn only_the_selected_properties_are_written_in_their_order() {
    let features = sample_features();
    let select = |format| {
        one(
            format,
            |options| {
                // A position that is not there is passed over.
                options.properties = Some(&[4, 1, 99]);
                options.skip_geometry = true;
            },
            &features[1..2],
        )
    };
    assert_eq!(
        select(Format::Csv),
        "d,n\r\n2024-02-29,-9223372036854775808\r\n"
    );
    assert_eq!(
        select(Format::NdJson),
        "{\"type\":\"Feature\",\"id\":1,\"geometry\":null,\"properties\":{\"d\":\"2024-02-29\",\"n\":-9223372036854775808}}\n"
    );
    let schema = sample_schema();
    let options = StreamOptions {
        properties: Some(&[4, 1]),
        skip_geometry: true,
        geometry_type: GeometryType::Point,
        id_column: Some("id"),
        ..StreamOptions::new(Format::FlatGeobuf, &schema)
    };
    let layer = read(&put(&folder(), "a.fgb", encode(&options, &features))).unwrap();
    let names: Vec<_> = layer.types().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["id", "d", "n"]);
    assert!(layer.features.iter().all(|f| f.geometry.is_none()));
    assert_eq!(layer.column("n")[1], Value::Integer(i64::MIN));
    assert_eq!(layer.column("id")[1], Value::Text("1".into()));
}

#[test]
fn a_single_empty_column_still_has_its_rows() {
    let csv = one(
        Format::Csv,
        |options| {
            options.properties = Some(&[1]);
            options.skip_geometry = true;
        },
        &sample_features()[..2],
    );
    assert_eq!(csv, "n\r\n\"\"\r\n-9223372036854775808\r\n");
}

#[test]
fn coordinates_follow_the_axis_order_of_the_crs() {
    let features = [common::sample_of(
        1,
        r#"{"type":"LineString","coordinates":[[24.7,48.9,5],[24.8,48.8,6]]}"#,
    )];
    let turned = |format| {
        one(
            format,
            |options| {
                options.y_first = true;
                options.properties = Some(&[]);
            },
            &features,
        )
    };
    for format in [Format::GeoJson, Format::GeoJsonSeq, Format::NdJson] {
        let text = turned(format);
        assert!(
            text.contains(r#""coordinates":[[48.9,24.7,5],[48.8,24.8,6]]"#),
            "{text}"
        );
    }
    // Well-known text is x first whatever the CRS.
    assert!(turned(Format::Csv).contains("LINESTRING Z (24.7 48.9 5,24.8 48.8 6)"));
}

#[test]
fn rounded_rings_stay_closed() {
    let ring = r#"{"type":"Polygon","coordinates":[[[24.12345678,48.98765432],[24.2,48.98765432],[24.2,49.11111115],[24.12345678,48.98765432]]]}"#;
    for (decimals, expect) in [
        (
            3,
            "[[[24.123,48.988],[24.2,48.988],[24.2,49.111],[24.123,48.988]]]",
        ),
        (0, "[[[24,49],[24,49],[24,49],[24,49]]]"),
        (
            7,
            "[[[24.1234568,48.9876543],[24.2,48.9876543],[24.2,49.1111112],[24.1234568,48.9876543]]]",
        ),
    ] {
        let text = one(
            Format::NdJson,
            |options| options.decimals = Some(decimals),
            &[common::sample_of(1, ring)],
        );
        assert!(text.contains(expect), "{text}");
    }
    let exact = one(Format::NdJson, |_| {}, &[common::sample_of(1, ring)]);
    assert!(exact.contains("[24.12345678,48.98765432]"));
}

#[test]
fn points_have_columns_for_their_coordinates() {
    let features = [
        point(24.7, 48.9),
        common::sample_of(2, r#"{"type":"Point","coordinates":[1.5,2,3]}"#),
        (
            FeatureId::Integer(3),
            Feature {
                geometry: None,
                ..point(0.0, 0.0).1
            },
        ),
    ];
    let table = |has_z, crs| {
        one(
            Format::Csv,
            |options| {
                options.table_geometry = TableGeometry::Coordinates;
                options.geometry_type = GeometryType::Point;
                options.properties = Some(&[1]);
                options.has_z = has_z;
                options.crs = crs;
            },
            &features,
        )
    };
    let plain = table(false, Crs::CRS84);
    assert_eq!(plain, "n,lon,lat\r\n1,24.7,48.9\r\n1,1.5,2\r\n1,,\r\n");
    assert_eq!(
        table(true, Crs::epsg(6382)),
        "n,x,y,z\r\n1,24.7,48.9,\r\n1,1.5,2,3\r\n1,,,\r\n"
    );
    let layer = read(&put(&folder(), "a.csv", plain)).unwrap();
    assert_eq!(
        layer.geometries()[0],
        r#"{"type":"Point","coordinates":[24.7,48.9]}"#
    );
}

#[test]
fn columns_of_the_encoder_get_names_that_are_free() {
    let schema = Schema {
        properties: ["WKT", "wkt_2", "lon"]
            .map(|name| Property::new(name, PropertyType::Text))
            .into(),
    };
    let feature = Feature {
        properties: vec![Value::Null; 3],
        ..point(1.0, 2.0).1
    };
    let row = [(FeatureId::Integer(1), feature)];
    let options = StreamOptions::new(Format::Csv, &schema);
    let text = String::from_utf8(encode(&options, &row)).unwrap();
    assert!(text.starts_with("WKT,wkt_2,lon,wkt_3\r\n"), "{text}");
    let options = StreamOptions {
        geometry_type: GeometryType::Point,
        table_geometry: TableGeometry::Coordinates,
        ..options
    };
    let text = String::from_utf8(encode(&options, &row)).unwrap();
    assert!(text.starts_with("WKT,wkt_2,lon,lon_2,lat\r\n"), "{text}");
    let back = ReadOptions {
        lon: Some("lon_2".to_owned()),
        lat: Some("lat".to_owned()),
        ..ReadOptions::default()
    };
    let layer = read_with(&put(&folder(), "a.csv", text), &back).unwrap();
    assert_eq!(
        layer.geometries(),
        [r#"{"type":"Point","coordinates":[1,2]}"#]
    );
}

#[test]
fn flatgeobuf_keeps_what_its_header_promises() {
    let schema = Schema::default();
    let polygon =
        r#"{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,0]],[[2,1],[3,1],[3,2],[2,1]]]}"#;
    let options = StreamOptions {
        geometry_type: GeometryType::MultiPolygon,
        crs: Crs::epsg(6382),
        layer_name: "parcels",
        ..StreamOptions::new(Format::FlatGeobuf, &schema)
    };
    let bytes = encode(&options, &[common::sample_of(1, polygon)]);
    let layer = read(&put(&folder(), "a.fgb", bytes)).unwrap();
    assert_eq!(layer.geometry_type, GeometryType::MultiPolygon);
    assert_eq!(layer.crs, Some(Crs::epsg(6382)));
    assert_eq!(layer.name, "parcels");
    assert!(layer.geometries()[0].starts_with(r#"{"type":"MultiPolygon","coordinates":[[[[0,0]"#));

    let refused = |options: &StreamOptions<'_>, sample: &Sample, reason: &str| {
        let mut stream = Stream::new(options).unwrap();
        let mut out = Vec::new();
        stream.begin(&mut out, "").unwrap();
        let before = out.clone();
        let error = stream.write(&mut out, &sample.0, &sample.1).unwrap_err();
        complete(error.message());
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(out, before);
    };
    refused(
        &options,
        &point(1.0, 2.0),
        "is a POINT, and the layer has MULTIPOLYGON",
    );
    let high = common::sample_of(1, r#"{"type":"Point","coordinates":[1,2,3]}"#);
    let any = StreamOptions::new(Format::FlatGeobuf, &schema);
    refused(&any, &high, "has a height (Z)");

    let promised = StreamOptions {
        count: Some(2),
        ..any
    };
    let mut stream = Stream::new(&promised).unwrap();
    let mut out = Vec::new();
    stream.begin(&mut out, "").unwrap();
    let (id, feature) = point(1.0, 2.0);
    stream.write(&mut out, &id, &feature).unwrap();
    let error = stream.end(&mut out, "").unwrap_err();
    assert_eq!(error.message().key(), "formats.write-count");
    complete(error.message());
}

#[test]
fn a_value_of_another_type_is_an_error_that_names_feature_and_property() {
    let schema = sample_schema();
    for format in [Format::FlatGeobuf, Format::GeoParquet] {
        for (at, value) in [
            (1, Value::Text("x".into())),
            (2, Value::Boolean(true)),
            (2, Value::Integer(i64::MAX)),
            (3, Value::Integer(1)),
            (1, Value::Real(0.5)),
            (1, Value::Real(1e300)),
            (5, Value::Real(1.0)),
        ] {
            let (id, mut feature) = sample_features().swap_remove(1);
            feature.properties[at] = value;
            let options = StreamOptions {
                has_z: true,
                ..StreamOptions::new(format, &schema)
            };
            let mut stream = Stream::new(&options).unwrap();
            let mut out = Vec::new();
            let error = stream.write(&mut out, &id, &feature).unwrap_err();
            complete(error.message());
            let name = &schema.properties[at].name;
            assert!(error.to_string().contains(&format!("“{name}”")), "{error}");
            assert!(error.to_string().contains("feature “1”"), "{error}");
        }
    }
}

#[test]
fn a_value_of_another_type_is_converted_where_nothing_is_lost() {
    let schema = sample_schema();
    let rows = [
        [Value::Integer(-7), Value::Real(7.0), Value::Integer(3)],
        [Value::Real(1.5), Value::Integer(8), Value::Real(0.5)],
        [Value::Boolean(true), Value::Null, Value::Null],
    ];
    let features: Vec<Sample> = rows
        .into_iter()
        .map(|values| {
            let (id, mut feature) = point(1.0, 2.0);
            feature.properties[..3].clone_from_slice(&values);
            (id, feature)
        })
        .collect();
    let options = StreamOptions::new(Format::FlatGeobuf, &schema);
    let layer = read(&put(&folder(), "a.fgb", encode(&options, &features))).unwrap();
    let text = |text: &str| Value::Text(text.into());
    assert_eq!(
        layer.column("назва"),
        [text("-7"), text("1.5"), text("true")]
    );
    assert_eq!(
        layer.column("n"),
        [Value::Integer(7), Value::Integer(8), Value::Null]
    );
    assert_eq!(
        layer.column("r"),
        [Value::Real(3.0), Value::Real(0.5), Value::Null]
    );
    let options = StreamOptions {
        format: Format::GeoParquet,
        ..options
    };
    encode(&options, &features);
}

#[test]
fn damaged_geometry_is_an_error_that_names_the_feature_and_leaves_nothing() {
    let schema = sample_schema();
    let whole = sample_features();
    for format in Format::ALL.into_iter().filter(|f| f.is_streamed()) {
        let options = StreamOptions {
            has_z: true,
            ..StreamOptions::new(format, &schema)
        };
        let expect = encode(&options, &whole);
        let mut stream = Stream::new(&options).unwrap();
        let mut out = Vec::new();
        stream.begin(&mut out, "").unwrap();
        for (id, feature) in &whole {
            let wkb = feature.geometry.clone().unwrap_or_default();
            for length in 0..wkb.len() {
                let cut = Feature {
                    geometry: Some(wkb[..length].to_vec()),
                    ..feature.clone()
                };
                let error = stream.write(&mut out, id, &cut).unwrap_err();
                complete(error.message());
                assert!(error.to_string().contains(&format!("“{id}”")), "{error}");
            }
            // A number of rows or bytes that must not be there would show in the end.
            stream.write(&mut out, id, feature).unwrap();
        }
        stream.end(&mut out, "").unwrap();
        assert_eq!(out, expect, "{format:?}");
    }
}

#[test]
fn what_is_not_streamed_says_so() {
    let schema = sample_schema();
    let key = |options: &StreamOptions<'_>| {
        let error = Stream::new(options).map(|_| ()).unwrap_err();
        complete(error.message());
        error.message().key()
    };
    for format in [Format::Shapefile, Format::GeoPackage] {
        assert_eq!(
            key(&StreamOptions::new(format, &schema)),
            "formats.not-streamed"
        );
    }
    let table = StreamOptions {
        table_geometry: TableGeometry::Coordinates,
        ..StreamOptions::new(Format::Csv, &schema)
    };
    assert_eq!(key(&table), "formats.table-not-points");
    let mut stream = Stream::new(&StreamOptions {
        geometry_type: GeometryType::Point,
        ..table
    })
    .unwrap();
    let line = common::sample_of(1, r#"{"type":"LineString","coordinates":[[0,0],[1,1]]}"#);
    let error = stream.write(&mut Vec::new(), &line.0, &line.1).unwrap_err();
    assert!(error.to_string().contains("Only points"), "{error}");
}
