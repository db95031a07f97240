//! A real city: the parcels of Cambridge, Massachusetts, whose invalid ones GEOS 3.14 has named.

use std::process::Command;

use geo_types::{Coord, Geometry, LineString, MultiPolygon, Polygon};
use serde_json::Value as Json;
use spatial::validity::{check, repair};

/// Keys of the features that GEOS 3.14.1 finds invalid. (`SpatiaLite` counts one more: 1896, an empty geometry.)
const INVALID: [i64; 37] = [
    108, 205, 944, 947, 975, 1021, 1025, 1265, 1312, 1989, 2018, 2037, 2163, 2303, 2585, 2980,
    3135, 3698, 4408, 5305, 5855, 6382, 6786, 7991, 8042, 8458, 9124, 9595, 9905, 10180, 10600,
    10671, 10780, 10953, 10975, 11950, 12164,
];

/// Read by GDAL, with all digits.
fn parcels() -> Vec<(i64, Geometry<f64>)> {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../data-samples/cambridge-ma/parcels_fy2014.gpkg"
    );
    let out = Command::new("ogr2ogr")
        .args([
            "-f",
            "GeoJSONSeq",
            "/vsistdout/",
            file,
            "parcels",
            "-select",
            "ml",
        ])
        .args([
            "-lco",
            "COORDINATE_PRECISION=17",
            "-lco",
            "RFC7946=NO",
            "-preserve_fid",
        ])
        .output()
        .expect("ogr2ogr (Debian package gdal-bin) is installed");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let text = String::from_utf8(out.stdout).expect("GeoJSON is UTF-8");
    let ring = |ring: &Json| {
        let coord = |c: &Json| Coord {
            x: c[0].as_f64().expect("a number"),
            y: c[1].as_f64().expect("a number"),
        };
        LineString(
            ring.as_array()
                .expect("an array")
                .iter()
                .map(coord)
                .collect(),
        )
    };
    let polygon = |rings: &Json| {
        let mut rings = rings.as_array().expect("an array").iter().map(ring);
        Polygon::new(rings.next().expect("a shell"), rings.collect())
    };
    text.lines()
        .map(|line| {
            let json: Json = serde_json::from_str(line).expect("a feature a line");
            let parts = json["geometry"]["coordinates"]
                .as_array()
                .expect("an array")
                .iter()
                .map(polygon);
            (
                json["id"].as_i64().expect("a key"),
                Geometry::MultiPolygon(MultiPolygon(parts.collect())),
            )
        })
        .collect()
}

#[test]
fn the_invalid_parcels_are_those_that_geos_names_and_all_can_be_repaired() {
    use geo::Area;
    let parcels = parcels();
    assert_eq!(parcels.len(), 13_116);
    let invalid: Vec<&(i64, Geometry<f64>)> = parcels
        .iter()
        .filter(|(_, g)| !check(g).is_empty())
        .collect();
    assert_eq!(
        invalid.iter().map(|(fid, _)| *fid).collect::<Vec<_>>(),
        INVALID
    );
    for (fid, geometry) in invalid {
        let repaired = repair(geometry).unwrap();
        assert!(check(&repaired).is_empty(), "{fid}");
        // The lobes of a crossed ring count in full, so the area may grow a little, and never shrinks.
        let (before, after) = (geometry.unsigned_area(), repaired.unsigned_area());
        assert!(
            after > before * (1.0 - 1e-4) && after < before * 1.25,
            "{fid}: {before} {after}"
        );
    }
}
