//! Known points, computed beforehand with pyproj 3.7.2 (PROJ 9.5.1) and cs2cs; what can't be done is said.

use std::process::Command;

use geo_types::{Geometry, polygon};
use model::{Crs, Lang};
use spatial::crs::{Error, describe, from_wgs84, to_wgs84, transform};

/// EPSG code, longitude, latitude, x, y, tolerance in the unit of x and y.
const KNOWN: &[(u32, f64, f64, f64, f64, f64)] = &[
    // UCS-2000, longitude first though the definition has latitude first.
    (
        5561,
        24.71,
        48.92,
        24.711_636_706_755_616,
        48.920_229_886_295_495,
        1e-9,
    ),
    (
        5561,
        22.3,
        48.62,
        22.301_641_962_143_24,
        48.620_267_656_329_39,
        1e-9,
    ),
    // UCS-2000 / Ukraine TM zone 8, easting first though the definition has northing first.
    (
        6382,
        24.71,
        48.92,
        352_155.527_678_991_7,
        5_421_096.014_597_503_5,
        1e-4,
    ),
    // UCS-2000 / LCS-26 Ivano-Frankivsk.
    (
        9839,
        24.71,
        48.92,
        297_188.362_098_397_16,
        5_420_852.566_662_773_5,
        1e-4,
    ),
    // Pulkovo 1942 / CS63 zone X1.
    (
        7825,
        24.71,
        48.92,
        1_388_804.874_940_932,
        5_412_350.784_410_493,
        1e-4,
    ),
    (
        7825,
        22.3,
        48.62,
        1_211_653.958_573_524_6,
        5_378_978.981_944_751,
        1e-4,
    ),
    // NAD83 / Massachusetts Mainland in US survey feet.
    (
        2249,
        -71.1,
        42.37,
        764_258.591_549_464_9,
        2_960_110.862_573_032_7,
        1e-3,
    ),
    (
        3857,
        24.71,
        48.92,
        2_750_704.617_501_79,
        6_261_297.953_407_845,
        1e-4,
    ),
    // NTF (Paris), in grads.
    (4807, 2.5, 48.92, 0.182_246_6, 54.355_577, 1e-1),
    // UPS North: both axes point south.
    (
        32661,
        24.71,
        48.92,
        3_989_359.966_395_888,
        -2_323_191.078_259_954,
        1e-3,
    ),
];

#[test]
fn known_points_come_out_x_first_and_come_back() {
    for &(code, lon, lat, x, y, tolerance) in KNOWN {
        let crs = Crs::epsg(code);
        let mut points = [(lon, lat)];
        transform(Crs::CRS84, crs, &mut points).unwrap();
        let (found_x, found_y) = points[0];
        assert!(
            (found_x - x).abs() <= tolerance && (found_y - y).abs() <= tolerance,
            "{code}: {found_x} {found_y}"
        );
        transform(crs, Crs::CRS84, &mut points).unwrap();
        assert!(
            (points[0].0 - lon).abs() < 1e-7 && (points[0].1 - lat).abs() < 1e-7,
            "{code}: {points:?}"
        );
    }
}

#[test]
fn wgs84_to_itself_is_bit_for_bit() {
    let mut points = [(0.1 + 0.2, -0.0), (f64::NAN, 1e300)];
    transform(Crs::CRS84, Crs::epsg(4326), &mut points).unwrap();
    assert_eq!(points[0].0.to_bits(), (0.1_f64 + 0.2).to_bits());
    assert!(points[0].1.is_sign_negative() && points[1].0.is_nan());
}

#[test]
fn geometries_keep_their_shape() {
    let parcel = Geometry::Polygon(polygon![
        exterior: [(x: 24.71, y: 48.92), (x: 24.72, y: 48.92), (x: 24.72, y: 48.93)],
        interiors: [[(x: 24.717, y: 48.923), (x: 24.718, y: 48.923), (x: 24.718, y: 48.924)]],
    ]);
    let there = from_wgs84(Crs::epsg(6382), &parcel).unwrap();
    let back = to_wgs84(Crs::epsg(6382), &there).unwrap();
    let (Geometry::Polygon(parcel), Geometry::Polygon(back)) = (parcel, back) else {
        panic!("polygons")
    };
    assert_eq!(back.interiors().len(), 1);
    for (a, b) in parcel.exterior().coords().zip(back.exterior().coords()) {
        assert!((a.x - b.x).abs() < 1e-7 && (a.y - b.y).abs() < 1e-7);
    }
    assert_eq!(back.exterior().0.first(), back.exterior().0.last());
}

#[test]
fn unknown_and_unsuitable_systems_are_named() {
    // Not in the database; geocentric; vertical; a unit of measure.
    for code in [999_999, 4978, 5703, 9001, 1] {
        let mut points = [(24.0, 48.0)];
        let error = transform(Crs::epsg(code), Crs::CRS84, &mut points).unwrap_err();
        assert!(matches!(error, Error::UnknownCrs(_)), "{code}: {error:?}");
        assert!(
            error
                .message()
                .text(Lang::Uk)
                .contains(&format!("EPSG:{code}"))
        );
        assert!(matches!(
            describe(Crs::epsg(code)),
            Err(Error::UnknownCrs(_))
        ));
    }
}

#[test]
fn a_guess_between_datums_is_refused() {
    // Unknown datum based upon the Clarke 1866 ellipsoid; Xian 1980.
    for code in [4008, 4610] {
        let mut points = [(108.0, 34.0)];
        let error = transform(Crs::epsg(code), Crs::CRS84, &mut points).unwrap_err();
        assert!(
            matches!(error, Error::NoTransformation(_)),
            "{code}: {error:?}"
        );
        assert_eq!(points, [(108.0, 34.0)]);
    }
}

#[test]
fn coordinates_without_an_image_are_named_and_left() {
    let points = [(300_000.0, 5_400_000.0), (f64::INFINITY, 0.0)];
    let mut changed = points;
    let error = transform(Crs::epsg(6382), Crs::CRS84, &mut changed).unwrap_err();
    assert!(matches!(error, Error::Invalid(_)) && changed == points);
    let points = [(24.0, 48.0), (24.0, 123.0)];
    let mut changed = points;
    let error = transform(Crs::CRS84, Crs::epsg(6382), &mut changed).unwrap_err();
    assert!(error.to_string().contains("(24, 123)"), "{error}");
    assert_eq!(changed, points);
}

#[test]
fn a_description_has_what_a_geopackage_registers() {
    let info = describe(Crs::epsg(6382)).unwrap();
    assert_eq!(info.name, "UCS-2000 / Ukraine TM zone 8");
    assert!(
        info.wkt
            .starts_with("PROJCS[\"UCS-2000 / Ukraine TM zone 8\""),
        "{}",
        info.wkt
    );
    assert!(info.wkt.contains("AUTHORITY[\"EPSG\",\"6382\"]"));
    assert_eq!((info.unit.as_str(), info.is_geographic), ("metre", false));
    let area = info.area_of_use.unwrap();
    assert!(
        area.west == 22.5 && area.east == 25.5 && area.name.contains("Ukraine"),
        "{area:?}"
    );
    assert_eq!(info.accuracy, Some(1.0));
    let info = describe(Crs::CRS84).unwrap();
    assert!(info.wkt.starts_with("GEOGCS[\"WGS 84\"") && info.is_geographic);
    assert_eq!(describe(Crs::epsg(2249)).unwrap().unit, "US survey foot");
    assert_eq!(describe(Crs::epsg(7825)).unwrap().accuracy, Some(3.0));
}

#[test]
fn many_systems_in_turn_are_each_right() {
    // More than a thread keeps.
    for round in 0..2 {
        for zone in 1..=40_u32 {
            let mut points = [(f64::from(zone) * 6.0 - 183.0, 10.0)];
            transform(Crs::CRS84, Crs::epsg(32_600 + zone), &mut points).unwrap();
            assert!(
                (points[0].0 - 500_000.0).abs() < 1e-3,
                "{round} {zone} {points:?}"
            );
        }
    }
}

#[test]
fn threads_do_not_disturb_each_other() {
    let threads: Vec<_> = (0..4)
        .map(|i| {
            std::thread::spawn(move || {
                for _ in 0..50 {
                    let mut points = [(24.71, 48.92)];
                    let (code, x) = if i % 2 == 0 {
                        (6382, 352_155.527_68)
                    } else {
                        (7825, 1_388_804.874_94)
                    };
                    transform(Crs::CRS84, Crs::epsg(code), &mut points).unwrap();
                    assert!((points[0].0 - x).abs() < 1e-3);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
}

/// Runs one test of this file again in an environment without any PROJ data.
#[test]
fn the_database_inside_the_program_answers_where_no_other_is() {
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_description_has_what_a_geopackage_registers"])
        .env("PROJ_DATA", "/dev/null")
        .env("PROJ_SKIP_READ_USER_WRITABLE_DIRECTORY", "YES")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&again.stdout);
    assert!(
        again.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[test]
fn a_foreign_database_is_named_as_the_cause() {
    let folder = std::env::temp_dir().join(format!("hromada-foreign-proj-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("proj.db"), b"not a database").unwrap();
    let again = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "reports_the_state_of_the_database",
            "--nocapture",
        ])
        .env("PROJ_DATA", &folder)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let text = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(text.contains("PROJ_DATA"), "{text}");
}

/// Works by itself, and shows the error to the test above.
#[test]
fn reports_the_state_of_the_database() {
    if let Err(error) = describe(Crs::epsg(6382)) {
        println!("{error}");
    }
}

#[test]
fn a_program_that_isolates_itself_uses_its_own_database() {
    let folder = std::env::temp_dir().join(format!("hromada-isolate-proj-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("proj.db"), b"not a database").unwrap();
    let run = |isolate: &str| {
        let out = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "isolates_itself_when_told", "--nocapture"])
            .env("PROJ_DATA", &folder)
            .env("ISOLATE", isolate)
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let (without, with) = (run("no"), run("yes"));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(!without.contains("Ukraine TM zone 8"), "{without}");
    assert!(
        with.contains("Ukraine TM zone 8") && with.contains("1 passed"),
        "{with}"
    );
}

/// Works by itself, and is run by the test above.
#[test]
fn isolates_itself_when_told() {
    if std::env::var("ISOLATE").is_ok_and(|v| v == "yes") {
        spatial::crs::isolate().unwrap();
    }
    if let Ok(info) = describe(Crs::epsg(6382)) {
        println!("{}", info.name);
    }
}
