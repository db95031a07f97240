//! GDAL as the witness: its files are read the same, and ours are read by it the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};

use common::{Layer, folder, gdal, read, sample};
use formats::{Format, WriteOptions, Writer, wkb};
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
