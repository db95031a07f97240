//! GDAL as the witness: its files are read the same, and ours are read by it the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};

use common::{Layer, folder, gdal, read, sample};
use formats::{Format, StreamOptions, TableGeometry, WriteOptions, Writer, wkb};
use geo_types::{Coord, Geometry, LineString, Polygon};
use model::{Crs, Feature, FeatureId, Value};

const SAMPLES: [&str; 4] = [
    "cambridge-ma/BOUNDARY_CDDNeighborhoods.geojson",
    "cambridge-ma/CDD_ZoningOverlayDistricts.geojson",
    "cambridge-ma/TRANS_Centerlines.geojson",
    "cambridge-ma/INFRA_Hydrants.geojson",
];

/// The lines and rings of each geometry in order; a ring is told by its points whichever way it winds.
fn lines(layer: &Layer) -> Vec<Vec<Vec<Coord<f64>>>> {
    let of = |feature: &model::SourceFeature| {
        let mut lines = Vec::new();
        if let Some(bytes) = &feature.geometry {
            collect(&wkb::read(bytes).unwrap(), &mut lines);
        }
        lines
    };
    layer.features.iter().map(of).collect()
}

fn collect(geometry: &Geometry<f64>, lines: &mut Vec<Vec<Coord<f64>>>) {
    let ring = |ring: &LineString<f64>| {
        let mut points = ring.0.clone();
        let reversed: Vec<_> = points.iter().rev().copied().collect();
        let key = |p: &[Coord<f64>]| {
            p.iter()
                .map(|c| (c.x.to_bits(), c.y.to_bits()))
                .collect::<Vec<_>>()
        };
        if key(&reversed) < key(&points) {
            points = reversed;
        }
        points
    };
    let polygon = |p: &Polygon<f64>| {
        let rings = std::iter::once(p.exterior()).chain(p.interiors());
        rings.map(ring).collect::<Vec<_>>()
    };
    match geometry {
        Geometry::Point(p) => lines.push(vec![p.0]),
        Geometry::LineString(l) => lines.push(l.0.clone()),
        Geometry::MultiLineString(m) => lines.extend(m.0.iter().map(|l| l.0.clone())),
        Geometry::Polygon(p) => lines.extend(polygon(p)),
        Geometry::MultiPolygon(m) => lines.extend(m.0.iter().flat_map(polygon)),
        Geometry::MultiPoint(m) => lines.extend(m.0.iter().map(|p| vec![p.0])),
        other => panic!("{other:?}"),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn flatgeobuf_of_gdal_is_read_vertex_by_vertex() {
    for name in SAMPLES {
        let dir = folder();
        let source = sample(name);
        let ours = read(&source).unwrap();
        for (i, arguments) in [
            ["-lco", "SPATIAL_INDEX=NO", "-nlt", "PROMOTE_TO_MULTI"].as_slice(),
            &["-lco", "SPATIAL_INDEX=NO"],
        ]
        .iter()
        .enumerate()
        {
            let path = dir.path().join(format!("{i}.fgb"));
            gdal(
                "ogr2ogr",
                &[
                    &["-f", "FlatGeobuf", text(&path), text(&source)],
                    *arguments,
                ]
                .concat(),
            );
            let theirs = read(&path).unwrap();
            assert_eq!(theirs.rejections, []);
            assert_eq!(lines(&theirs), lines(&ours), "{name}");
            assert_eq!(theirs.crs, Some(Crs::CRS84));
            for property in &ours.schema.properties {
                let (a, b) = (ours.column(&property.name), theirs.column(&property.name));
                // GDAL does not keep integers and truth values apart from text in the same way; numbers it does.
                if theirs.schema.get(&property.name).map(|p| p.kind) == Some(property.kind) {
                    assert_eq!(a, b, "{name} {}", property.name);
                }
            }
        }
        let indexed = dir.path().join("indexed.fgb");
        gdal(
            "ogr2ogr",
            &["-f", "FlatGeobuf", text(&indexed), text(&source)],
        );
        assert_eq!(read(&indexed).unwrap().features.len(), ours.features.len());
    }
}

#[test]
fn shapefiles_of_gdal_are_read_vertex_by_vertex() {
    for name in SAMPLES {
        let dir = folder();
        let source = sample(name);
        let ours = read(&source).unwrap();
        let path = dir.path().join("s.shp");
        gdal(
            "ogr2ogr",
            &[
                "-f",
                "ESRI Shapefile",
                text(&path),
                text(&source),
                "-lco",
                "ENCODING=UTF-8",
            ],
        );
        let shapes = read(&path).unwrap();
        assert_eq!(shapes.rejections, []);
        assert_eq!(shapes.crs, Some(Crs::CRS84));
        assert_eq!(lines(&shapes), lines(&ours), "{name}");
        // GDAL's own reading of the same table.
        let json = dir.path().join("s.geojson");
        gdal("ogr2ogr", &["-f", "GeoJSON", text(&json), text(&path)]);
        let theirs = read(&json).unwrap();
        for property in &shapes.schema.properties {
            let (a, b) = (shapes.column(&property.name), theirs.column(&property.name));
            for (a, b) in a.iter().zip(&b) {
                let same = match (a, b) {
                    (Value::Real(a), Value::Integer(b)) => *a == *b as f64,
                    (Value::Integer(a), Value::Text(b)) => a.to_string() == **b,
                    _ => a == b,
                };
                assert!(same, "{name} {}: {a:?} {b:?}", property.name);
            }
        }
        // The same layer as an archive.
        let zip = dir.path().join("s.shz");
        gdal(
            "ogr2ogr",
            &[
                "-f",
                "ESRI Shapefile",
                text(&zip),
                text(&source),
                "-lco",
                "ENCODING=UTF-8",
            ],
        );
        assert_eq!(lines(&read(&zip).unwrap()), lines(&shapes));
    }
}

#[test]
fn shapefiles_with_heights_and_cyrillic_code_pages() {
    let dir = folder();
    let csv = common::put(
        &dir,
        "z.csv",
        "wkt,name\n\"LINESTRING Z (0 0 1,1 1 2)\",Ґанок\n\"MULTILINESTRING Z ((5 5 1,6 6 2),(7 7 3,8 8 4))\",Їжак\n",
    );
    let ours = read(&csv).unwrap();
    for code_page in ["CP1251", "UTF-8"] {
        let path = dir.path().join(format!("{code_page}.shp"));
        let encoding = format!("ENCODING={code_page}");
        gdal(
            "ogr2ogr",
            &[
                "-f",
                "ESRI Shapefile",
                text(&path),
                text(&csv),
                "-a_srs",
                "EPSG:6382",
                "-nlt",
                "MULTILINESTRINGZ",
                "-oo",
                "GEOM_POSSIBLE_NAMES=wkt",
                "-oo",
                "KEEP_GEOM_COLUMNS=NO",
                "-lco",
                &encoding,
            ],
        );
        let layer = read(&path).unwrap();
        assert_eq!(layer.column("name"), ours.column("name"), "{code_page}");
        assert_eq!(layer.crs, Some(Crs::epsg(6382)));
        assert_eq!(
            layer.geometries()[0],
            r#"{"type":"MultiLineString","coordinates":[[[0,0,1],[1,1,2]]]}"#
        );
        assert_eq!(layer.geometries()[1], ours.geometries()[1]);
    }
}

fn write(layer: &Layer, path: &Path, format: Format, separators: bool) {
    let options = WriteOptions {
        format,
        schema: &layer.schema,
        layer_name: "town",
        geometry_type: layer.geometry_type,
        has_z: false,
        has_m: false,
        crs: Crs::CRS84,
        record_separators: separators,
        byte_order_mark: false,
        id_column: None,
    };
    let mut writer = Writer::create(path, &options).unwrap();
    for feature in &layer.features {
        let fid = i64::try_from(feature.record).unwrap();
        let feature = Feature {
            fid,
            geometry: feature.geometry.clone(),
            properties: feature.properties.clone(),
        };
        writer.write(&FeatureId::Integer(fid), &feature).unwrap();
    }
    writer.finish().unwrap();
}

/// Feature count and extent as `ogrinfo` tells them.
fn summary(path: &Path, more: &[&str]) -> (usize, String) {
    let out = gdal(
        "ogrinfo",
        &[&["-ro", "-al", "-so", text(path)], more].concat(),
    );
    let line = |prefix: &str| {
        let found = out.lines().find_map(|l| l.strip_prefix(prefix));
        found.unwrap_or_default().trim().to_owned()
    };
    (line("Feature Count:").parse().unwrap_or(0), line("Extent:"))
}

#[test]
fn what_is_written_is_read_by_gdal_and_by_ourselves() {
    for name in SAMPLES {
        let dir = folder();
        let source = sample(name);
        let ours = read(&source).unwrap();
        let expected = summary(&source, &[]);
        for (file, format, separators) in [
            ("a.geojson", Format::GeoJson, false),
            ("a.geojsonl", Format::GeoJsonSeq, false),
            ("b.geojsons", Format::GeoJsonSeq, true),
            ("a.fgb", Format::FlatGeobuf, false),
            ("a.csv", Format::Csv, false),
        ] {
            let path = dir.path().join(file);
            write(&ours, &path, format, separators);
            let more = match format {
                Format::Csv => ["-oo", "GEOM_POSSIBLE_NAMES=wkt"].as_slice(),
                _ => &[],
            };
            assert_eq!(summary(&path, more), expected, "{name} {file}");
            let again = read(&path).unwrap();
            assert_eq!(again.rejections, []);
            let sorted = |layer: &Layer| {
                let mut all: Vec<_> = lines(layer)
                    .into_iter()
                    .zip(&layer.features)
                    .map(|(lines, f)| format!("{lines:?} {:?}", f.properties))
                    .collect();
                // The index puts FlatGeobuf into an order of its own.
                all.sort();
                all
            };
            if format != Format::Csv {
                assert_eq!(sorted(&again), sorted(&ours), "{name} {file}");
            } else {
                assert_eq!(lines(&again), lines(&ours), "{name} {file}");
            }
        }
        let leftovers: Vec<PathBuf> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.to_string_lossy().contains(".part"))
            .collect();
        assert_eq!(leftovers, Vec::<PathBuf>::new());
    }
}

#[test]
fn the_index_of_flatgeobuf_finds_what_a_scan_finds() {
    let dir = folder();
    let ours = read(&sample("cambridge-ma/INFRA_Hydrants.geojson")).unwrap();
    let path = dir.path().join("a.fgb");
    write(&ours, &path, Format::FlatGeobuf, false);
    for (west, south, east, north) in [
        (-71.12, 42.37, -71.11, 42.38),
        (-71.2, 42.3, -71.0, 42.5),
        (0.0, 0.0, 1.0, 1.0),
        (-71.115, 42.36, -71.1, 42.366),
    ] {
        let numbers = [west, south, east, north].map(|n: f64| n.to_string());
        let [w, s, e, n] = numbers.each_ref().map(String::as_str);
        let (found, _) = summary(&path, &["-spat", w, s, e, n]);
        let inside = |line: &Vec<Vec<Coord<f64>>>| {
            let Coord { x, y } = line[0][0];
            (west..=east).contains(&x) && (south..=north).contains(&y)
        };
        let expected = lines(&ours).iter().filter(|l| inside(l)).count();
        assert_eq!(found, expected, "{numbers:?}");
    }
}

/// All features of a layer as GDAL reads them, in GeoJSON of full precision.
fn through_gdal(path: &Path, options: &[&str]) -> Layer {
    let json = path.with_extension("by-gdal.geojson");
    let exact = ["-f", "GeoJSON", "-lco", "COORDINATE_PRECISION=17"];
    let files = [text(&json), text(path)];
    gdal("ogr2ogr", &[&exact, options, &files].concat());
    read(&json).unwrap()
}

#[test]
fn streams_are_read_by_gdal_feature_by_feature() {
    let schema = common::sample_schema();
    for (format, options) in [
        (Format::GeoJson, [].as_slice()),
        (Format::GeoJsonSeq, &[]),
        (Format::NdJson, &[]),
        (Format::JsonFg, &[]),
        (Format::FlatGeobuf, &[]),
        (Format::Csv, &["-oo", "AUTODETECT_TYPE=YES"]),
    ] {
        let dir = folder();
        // Without collections, which GDAL's CSV and GeoJSON treat in ways of their own.
        let mut features = common::sample_features();
        features.pop();
        for (_, feature) in &mut features {
            // GDAL has no second with offset to the microsecond, and no control characters in FlatGeobuf's text.
            feature.properties[0] = Value::Text("а, \"б\"\nв".into());
            feature.properties[5] = Value::Text("2024-02-29T10:00:00Z".into());
        }
        for count in [None, Some(features.len() as u64)] {
            let bytes = common::encode(
                &StreamOptions {
                    has_z: true,
                    layer_name: "town",
                    count,
                    ..StreamOptions::new(format, &schema)
                },
                &features,
            );
            let extension = match format {
                Format::JsonFg => "json",
                format => format.extension(),
            };
            let path = common::put(&dir, &format!("a.{extension}"), bytes);
            let (found, extent) = summary(&path, &[]);
            assert_eq!(found, features.len(), "{format:?}");
            if format != Format::Csv {
                assert_eq!(extent, "(0.000000, 0.000000) - (24.710100, 48.922600)");
            }
            let theirs = through_gdal(&path, options);
            let (ours, theirs_lines) = (read(&path).map(|layer| lines(&layer)), lines(&theirs));
            assert_eq!(ours.unwrap(), theirs_lines, "{format:?}");
            for (i, (_, ours)) in features.iter().enumerate() {
                assert_eq!(theirs.column("назва")[i], ours.properties[0], "{format:?}");
                assert_eq!(theirs.column("n")[i], ours.properties[1], "{format:?}");
                assert_eq!(theirs.column("r")[i], ours.properties[2], "{format:?}");
            }
        }
    }
}

#[test]
fn a_projected_stream_of_flatgeobuf_has_its_crs_and_columns_in_gdal() {
    let schema = common::sample_schema();
    let options = StreamOptions {
        geometry_type: model::GeometryType::Polygon,
        crs: Crs::epsg(6382),
        layer_name: "ділянки",
        id_column: Some("id"),
        ..StreamOptions::new(Format::FlatGeobuf, &schema)
    };
    let ring = r#"{"type":"Polygon","coordinates":[[[5432100.5,5678900.25],[5432200,5678900],[5432200,5679000],[5432100.5,5678900.25]]]}"#;
    let samples: Vec<_> = (1..=1000).map(|fid| common::sample_of(fid, ring)).collect();
    let dir = folder();
    let path = common::put(&dir, "a.fgb", common::encode(&options, &samples));
    let out = gdal("ogrinfo", &["-ro", "-al", "-so", text(&path)]);
    for expected in [
        "Layer name: ділянки",
        "Geometry: Polygon",
        "Feature Count: 1000",
        "Extent: (5432100.500000, 5678900.000000) - (5432200.000000, 5679000.000000)",
        "ID[\"EPSG\",6382]",
        "id: String",
        "назва: String",
        "n: Integer64",
        "r: Real",
        "b: Integer(Boolean)",
        "d: DateTime",
        "t: DateTime",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
    // A filter by place, which without an index reads all.
    let (found, _) = summary(
        &path,
        &["-spat", "5432150", "5678950", "5432160", "5678960"],
    );
    assert_eq!(found, 1000);
}

#[test]
fn a_table_of_points_is_read_by_gdal() {
    let schema = common::sample_schema();
    let options = StreamOptions {
        geometry_type: model::GeometryType::Point,
        table_geometry: TableGeometry::Coordinates,
        ..StreamOptions::new(Format::Csv, &schema)
    };
    let point = common::sample_of(1, r#"{"type":"Point","coordinates":[24.7101,48.9226]}"#);
    let dir = folder();
    let path = common::put(&dir, "a.csv", common::encode(&options, &[point]));
    let places = ["-oo", "X_POSSIBLE_NAMES=lon", "-oo", "Y_POSSIBLE_NAMES=lat"];
    let (found, extent) = summary(&path, &places);
    assert_eq!(found, 1);
    assert_eq!(extent, "(24.710100, 48.922600) - (24.710100, 48.922600)");
}
