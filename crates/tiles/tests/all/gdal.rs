//! GDAL reads the tiles and finds every geometry valid. Needs `ogrinfo` and `ogr2ogr` (Debian: gdal-bin), which
//! `./test` installs.

use std::path::Path;
use std::process::Command;

use tiles::{LayerBuilder, TileCoord, TileValue};

use crate::support::{Random, coord, polygons, values, world};

fn run(command: &str, args: &[&str]) -> String {
    let output = Command::new(command)
        .args(args)
        .output()
        .expect("gdal-bin is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !errors.contains("ERROR"),
        "{command} {args:?}: {errors}{text}"
    );
    text
}

/// Garbage quadrangles and stars of all sizes, so that many need repair.
fn write(folder: &Path, tile: TileCoord, random: &mut Random) -> usize {
    let mut builder = LayerBuilder::new(tile, "parcels", &["number", "area", "floors", "private"]);
    for id in 1..=300_i32 {
        // A vertex of each lies in the tile: what is in the buffer only, GDAL passes over.
        let middle = [random.unit() * 2040. + 2048., random.unit() * 2040. + 2048.];
        let size = 2.0_f64.powf(random.unit() * 5.0 + 4.0);
        let vertices = 3 + random.below(6);
        let mut off = |size: f64| {
            world(
                tile,
                [
                    middle[0] + random.unit() * size,
                    middle[1] + random.unit() * size,
                ],
            )
        };
        let ring = (0..vertices)
            .map(|i| off(if i == 0 { 0.0 } else { size }))
            .collect();
        let hole = (0..4).map(|_| off(size / 3.0)).collect();
        let number = format!("2610100000:01:001:{id:04}");
        let row = [
            TileValue::Text(&number),
            TileValue::Real(f64::from(id) / 8.0),
            TileValue::Integer(i64::from(id) * 1000),
            TileValue::Boolean(id % 2 == 0),
        ];
        builder.add(
            id.unsigned_abs().into(),
            polygons(&[(false, ring), (true, hole)]).view(),
            values(&row),
        );
    }
    let shown = builder.len();
    assert_eq!(builder.dropped(), 0);
    let bytes = tiles::tile(&[builder.finish().unwrap()]).unwrap();
    let folder = folder.join(tile.z().to_string()).join(tile.x().to_string());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{}.pbf", tile.y())), bytes).unwrap();
    shown
}

#[test]
fn gdal_finds_each_geometry_valid() {
    let folder = tempfile::tempdir().unwrap();
    let metadata = r#"{"name":"t","format":"pbf","minzoom":"12","maxzoom":"16","json":"{\"vector_layers\":[{\"id\":\"parcels\",\"fields\":{\"number\":\"String\",\"area\":\"Number\",\"floors\":\"Number\",\"private\":\"Boolean\"}}]}"}"#;
    std::fs::write(folder.path().join("metadata.json"), metadata).unwrap();
    let mut random = Random(5);
    for z in [12, 14, 16] {
        let scale = 1 << (z - 12);
        let mut shown = 0;
        for (x, y) in [(0, 0), (1, 0), (0, 1)] {
            let tile = coord(z, 2329 * scale + x, 1412 * scale + y);
            shown += write(folder.path(), tile, &mut random);
        }
        let source = format!("MVT:{}/{z}", folder.path().display());
        // Unclipped, as the tile holds it.
        let summary = run("ogrinfo", &["-ro", "-al", "-so", "-oo", "CLIP=NO", &source]);
        assert!(summary.contains("Layer name: parcels"), "{summary}");
        assert!(
            summary.contains("number: String") && summary.contains("private: Integer(Boolean)"),
            "{summary}"
        );
        let out = folder.path().join(format!("{z}.geojson"));
        let sql = "SELECT COUNT(*) AS n, SUM(ST_IsValid(geometry)) AS valid, SUM(number IS NOT NULL) AS named FROM parcels";
        run(
            "ogr2ogr",
            &[
                "-f",
                "GeoJSON",
                "-oo",
                "CLIP=NO",
                "-dialect",
                "sqlite",
                "-sql",
                sql,
                &out.display().to_string(),
                &source,
            ],
        );
        let text = std::fs::read_to_string(out).unwrap();
        let wanted = format!(r#""n": {shown}, "valid": {shown}, "named": {shown}"#);
        assert!(text.contains(&wanted), "{wanted}: {text}");
        // What GDAL reads of one feature.
        let one = run(
            "ogrinfo",
            &[
                "-ro",
                "-q",
                "-oo",
                "CLIP=NO",
                "-where",
                "mvt_id = 7",
                &source,
                "parcels",
            ],
        );
        assert!(
            one.contains("2610100000:01:001:0007") && one.contains("floors (Real) = 7000"),
            "{one}"
        );
    }
}
