//! Malformed files at the command line: each refused with words, none stored in part, no panic.

use std::io::Write;
use std::path::Path;

use crate::support::{check, import, points, sample, text};

struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    /// A part of what is said.
    says: &'static str,
}

fn case(name: &'static str, bytes: impl Into<Vec<u8>>, says: &'static str) -> Case {
    Case {
        name,
        bytes: bytes.into(),
        says,
    }
}

fn feature(geometry: &str) -> String {
    format!(
        r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":{{"a":1}},"geometry":{geometry}}}]}}"#
    )
}

fn zip_bomb() -> Vec<u8> {
    // 1 GiB of zeros, written by the system's own packer.
    let folder = tempfile::tempdir().unwrap();
    let script = "import zipfile,sys\nz=zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED)\nwith z.open('a.shp','w',force_zip64=True) as f:\n  b=bytes(1<<20)\n  [f.write(b) for _ in range(1024)]\nz.close()\n";
    let path = folder.path().join("bomb.zip");
    let status = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read(path).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut child = std::process::Command::new("gzip")
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output.stdout
}

fn cases() -> Vec<Case> {
    let gpkg = std::fs::read(sample("ukraine/ivano_frankivsk_admin.gpkg")).unwrap();
    let square = r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}"#;
    let good = feature(square);
    vec![
        case("empty.geojson", "", ""),
        case("spaces.geojson", "   \n\n", ""),
        case("text.geojson", "hello", ""),
        case("array.geojson", "[1,2,3]", ""),
        case("number.geojson", "42", ""),
        case("cut.geojson", &good[..good.len() - 20], ""),
        case("cut-string.geojson", &good[..60], ""),
        case(
            "topology.geojson",
            r#"{"type":"Topology","objects":{}}"#,
            "",
        ),
        case(
            "features-not-array.geojson",
            r#"{"type":"FeatureCollection","features":7}"#,
            "",
        ),
        case("trailing.geojson", format!("{good} garbage"), ""),
        case(
            "latin1.geojson",
            feature(square)
                .replace("\"a\":1", "\"a\":\"\u{e9}\"")
                .chars()
                .map(|c| c as u8)
                .collect::<Vec<u8>>(),
            "",
        ),
        case(
            "utf16.geojson",
            good.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>(),
            "",
        ),
        case("deep.geojson", "[".repeat(100_000), ""),
        case(
            "deep-property.geojson",
            good.replace(
                "\"a\":1",
                &format!("\"a\":{}{}", "[".repeat(50_000), "]".repeat(50_000)),
            ),
            "",
        ),
        case(
            "nan.geojson",
            feature(r#"{"type":"Point","coordinates":[NaN,1]}"#),
            "",
        ),
        case(
            "huge-number.geojson",
            feature(r#"{"type":"Point","coordinates":[1e999,1]}"#),
            "",
        ),
        case(
            "one-coordinate.geojson",
            feature(r#"{"type":"Point","coordinates":[1]}"#),
            "",
        ),
        case(
            "text-coordinate.geojson",
            feature(r#"{"type":"Point","coordinates":["1","2"]}"#),
            "",
        ),
        case(
            "unclosed.geojson",
            feature(r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}"#),
            "",
        ),
        case(
            "two-vertices.geojson",
            feature(r#"{"type":"Polygon","coordinates":[[[0,0],[0,0]]]}"#),
            "",
        ),
        case(
            "curve.geojson",
            feature(r#"{"type":"CircularString","coordinates":[[0,0],[1,1],[2,0]]}"#),
            "",
        ),
        case(
            "out-of-range.geojson",
            feature(r#"{"type":"Point","coordinates":[48.9,240.7]}"#),
            "",
        ),
        case("not-a-database.gpkg", "SQLite format 3\0 but no more", ""),
        case("cut.gpkg", &gpkg[..100_000], ""),
        case("header-only.gpkg", &gpkg[..100], ""),
        case("zeros.gpkg", vec![0; 8192], ""),
        case(
            "damaged.gpkg",
            {
                let mut b = gpkg.clone();
                for byte in &mut b[4096..200_000] {
                    *byte = 0xa5;
                }
                b
            },
            "",
        ),
        case(
            "magic-only.fgb",
            [0x66, 0x67, 0x62, 0x03, 0x66, 0x67, 0x62, 0x00].to_vec(),
            "",
        ),
        case(
            "huge-header.fgb",
            [
                &[0x66, 0x67, 0x62, 0x03, 0x66, 0x67, 0x62, 0x00][..],
                &[0xff; 64],
            ]
            .concat(),
            "",
        ),
        case("wrong-magic.fgb", vec![1; 200], ""),
        case("no-header.csv", "", ""),
        case("only-header.csv", "lon,lat,name\n", ""),
        case("ragged.csv", "lon,lat,name\n1,2\n1,2,3,4\n", ""),
        case("no-numbers.csv", "lon,lat,name\nabc,def,x\n", ""),
        case(
            "cp1251.csv",
            b"lon,lat,name\n24.7,48.9,\xcb\xfc\xe2\xb3\xe2\n".to_vec(),
            "windows-1251",
        ),
        case("bad-wkt.csv", "wkt,name\nPOLYGON((0 0,x\n", ""),
        case(
            "cut.csv.gz",
            {
                let z = gzip("lon,lat\n1,2\n".repeat(5000).as_bytes());
                z[..z.len() / 2].to_vec()
            },
            "",
        ),
        case("bomb.csv.gz", gzip(&vec![b'1'; 300 << 20]), ""),
        case(
            "empty.zip",
            b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
            "",
        ),
        case("not-a.zip", "PK\x03\x04 nothing more", ""),
        case("bomb.zip", zip_bomb(), ""),
        case("alone.shp", vec![0, 0, 0x27, 0x0a], ""),
        case(
            "cut-header.shp",
            [&[0, 0, 0x27, 0x0a][..], &[0; 60]].concat(),
            "",
        ),
        case("picture.png", b"\x89PNG\r\n\x1a\n0000".to_vec(), ""),
    ]
}

#[test]
fn each_malformed_file_is_refused_or_its_records_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = folder.path().join("first.geojsonl");
    points(&first, 1, 2);
    assert!(import(&data, &first, "before", &[]).status.success());
    let cases = cases();
    assert!(cases.len() >= 40);
    for case in &cases {
        let path = folder.path().join(case.name);
        std::fs::write(&path, &case.bytes).unwrap();
        check_case(&data, &path, case);
    }
    let report = check(&data);
    println!(
        "{} malformed files; the store holds {} collections",
        cases.len(),
        report["collections"]
    );
}

fn check_case(data: &Path, path: &Path, case: &Case) {
    let output = import(data, path, "case", &["--crs", "EPSG:4326"]);
    let said = text(&output);
    let code = output.status.code();
    println!(
        "{:28} exit {:?}: {}",
        case.name,
        code,
        said.lines().next().unwrap_or_default()
    );
    assert!(!said.contains("panicked"), "{}: {said}", case.name);
    assert!(said.contains(case.says), "{}: {said}", case.name);
    match code {
        Some(1) => {
            assert!(said.contains("Error: "), "{}: {said}", case.name);
            assert!(
                said.contains(case.name),
                "{}: the file is not named: {said}",
                case.name
            );
        }
        // Done with rejected records, or an empty source, or a flaw that is stored as given and named.
        Some(0 | 3) => {
            assert!(
                !crate::support::hromada(data, &["import", "x"])
                    .status
                    .success()
            );
            let again = import(data, path, "case", &["--crs", "EPSG:4326", "--replace"]);
            assert_eq!(again.status.code(), code, "{}", case.name);
            std::fs::remove_dir_all(data).unwrap();
            let first = path.with_file_name("first.geojsonl");
            assert!(import(data, &first, "before", &[]).status.success());
        }
        other => panic!("{}: ended with {other:?}: {said}", case.name),
    }
}
