//! Datum operations that are chosen, and systems of a municipality's own.

// Clippy counts helpers outside `#[test]` functions as product code.
#![allow(clippy::unwrap_used)]

use model::{Crs, Lang};
use serde_json::{Value as Json, json};
use spatial::crs::{
    ControlPoint, Error, Fit, Form, System, describe, operation, operations, projjson, register,
    transform,
};

/// A turn of 1.5 degrees clockwise, a metre that is a little long, and an origin in zone 8 of UCS-2000.
const ORIGIN: (f64, f64) = (346_210.5, 5_434_873.25);
const ROTATION: f64 = 1.5;
const SCALE: f64 = 1.000_05;

const PLACES: [(f64, f64); 5] = [
    (120.25, 80.5),
    (4_310.0, 955.125),
    (2_050.75, 5_120.0),
    (-1_800.0, 3_333.3),
    (3_900.5, 4_777.75),
];

fn known((e, n): (f64, f64)) -> (f64, f64) {
    let (sin, cos) = ROTATION.to_radians().sin_cos();
    (
        ORIGIN.0 + SCALE * (cos * e + sin * n),
        ORIGIN.1 + SCALE * (cos * n - sin * e),
    )
}

fn points() -> Vec<ControlPoint> {
    let point = |(i, local): (usize, &(f64, f64))| ControlPoint {
        name: format!("ПП-{i}"),
        local: *local,
        known: known(*local),
    };
    PLACES.iter().enumerate().map(point).collect()
}

fn document(code: u32) -> Json {
    let points: Vec<Json> = points()
        .iter()
        .map(|p| {
            // Northing first, on both sides.
            json!({ "name": p.name, "local": [p.local.1, p.local.0], "known": [p.known.1, p.known.0] })
        })
        .collect();
    json!({
        "id": "kalush", "code": code, "title": { "uk": "Калуш", "en": "Kalush" }, "crs": 6382,
        "controlPoints": points,
    })
}

fn refused(document: &Json) -> &'static str {
    let error = System::read(&document.to_string()).unwrap_err();
    assert!(
        matches!(error, Error::Invalid(_) | Error::UnknownCrs(_)),
        "{error:?}"
    );
    let message = error.message();
    assert!(message.text(Lang::Uk) != message.text(Lang::En));
    message.key()
}

#[test]
fn a_fit_finds_the_similarity_that_made_its_points() {
    for form in [Form::Similarity, Form::Affine] {
        let fit = Fit::to_points(&points(), form, 0.001).unwrap();
        assert!((fit.scale() - SCALE).abs() < 1e-10, "{}", fit.scale());
        assert!(
            (fit.rotation() - ROTATION).abs() < 1e-9,
            "{}",
            fit.rotation()
        );
        assert!(fit.rms().unwrap() < 1e-6);
        for place in [(0.0, 0.0), (-10_000.0, 20_000.0)] {
            let (found, right) = (fit.apply(place), known(place));
            let off = (found.0 - right.0).hypot(found.1 - right.1);
            assert!(off < 1e-6, "{form:?} {place:?}: {off}");
        }
        assert!((fit.origin().0 - ORIGIN.0).hypot(fit.origin().1 - ORIGIN.1) < 1e-6);
    }
}

#[test]
fn a_point_that_is_off_is_named_and_refused() {
    let mut all = points();
    all[3].known.0 += 2.0;
    let error = Fit::to_points(&all, Form::Similarity, 0.3).unwrap_err();
    let text = error.message().text(Lang::En);
    assert!(text.contains("\"ПП-3\"") && text.contains("0.3"), "{text}");
    // Within a wider limit it is taken, with what is left over.
    let fit = Fit::to_points(&all, Form::Similarity, 2.0).unwrap();
    let longest = fit
        .residuals
        .iter()
        .max_by(|a, b| a.length().total_cmp(&b.length()));
    assert_eq!(longest.unwrap().name, "ПП-3");
    assert!(fit.rms().unwrap() > 0.3);
}

#[test]
fn points_that_tell_too_little_are_refused() {
    let key = |points: &[ControlPoint], form| {
        Fit::to_points(points, form, 1.0)
            .unwrap_err()
            .message()
            .key()
    };
    let all = points();
    assert_eq!(key(&all[..2], Form::Similarity), "spatial.local-few-points");
    assert_eq!(key(&all[..3], Form::Affine), "spatial.local-few-points");
    let mut same = points();
    same[4].local = same[0].local;
    assert_eq!(key(&same, Form::Similarity), "spatial.local-same-points");
    let line: Vec<_> = (0..6)
        .map(|i| {
            let local = (f64::from(i) * 100.0, f64::from(i) * 250.0);
            let name = i.to_string();
            ControlPoint {
                name,
                local,
                known: known(local),
            }
        })
        .collect();
    for form in [Form::Similarity, Form::Affine] {
        assert_eq!(key(&line, form), "spatial.local-one-line");
    }
    let swapped: Vec<_> = all
        .iter()
        .map(|p| ControlPoint {
            local: (p.local.1, p.local.0),
            ..p.clone()
        })
        .collect();
    assert_eq!(key(&swapped, Form::Affine), "spatial.local-mirrored");
    assert_eq!(key(&swapped, Form::Similarity), "spatial.local-residual");
    let feet: Vec<_> = all
        .iter()
        .map(|p| ControlPoint {
            local: (p.local.0 / 0.3048, p.local.1 / 0.3048),
            ..p.clone()
        })
        .collect();
    assert_eq!(key(&feet, Form::Similarity), "spatial.local-scale");
}

#[test]
fn a_local_system_is_a_crs_as_others() {
    let crs = Crs::epsg(990_101);
    assert!(matches!(describe(crs), Err(Error::UnknownCrs(_))));
    register(System::read(&document(crs.code()).to_string()).unwrap());
    let info = describe(crs).unwrap();
    assert_eq!(
        (info.name.as_str(), info.unit.as_str()),
        ("Kalush", "metre")
    );
    assert!(info.y_first && !info.is_geographic && info.wkt.starts_with("DERIVEDPROJCRS"));
    assert_eq!(
        (info.accuracy, info.area_of_use.unwrap().west),
        (Some(1.0), 22.5)
    );
    assert!(projjson(crs).unwrap().contains("\"DerivedProjectedCRS\""));
    let name = operation(crs).unwrap().name;
    assert_eq!(name, "UCS-2000 to WGS 84 (2)");
    // To the CRS that it lies in, by the points.
    let mut there = PLACES;
    transform(crs, Crs::epsg(6382), &mut there).unwrap();
    for (found, place) in there.iter().zip(PLACES) {
        let right = known(place);
        assert!(
            (found.0 - right.0).hypot(found.1 - right.1) < 1e-6,
            "{found:?} {right:?}"
        );
    }
    // And there and back through longitude and latitude, and through Web Mercator.
    for other in [4326, 3857] {
        let mut back = PLACES;
        transform(crs, Crs::epsg(other), &mut back).unwrap();
        transform(Crs::epsg(other), crs, &mut back).unwrap();
        for (found, place) in back.iter().zip(PLACES) {
            let off = (found.0 - place.0).hypot(found.1 - place.1);
            assert!(off < 0.001, "{other} {place:?}: {off}");
        }
    }
}

#[test]
fn a_grid_by_its_parameters_is_the_same_as_by_its_points() {
    let by_points = Crs::epsg(990_102);
    register(System::read(&document(by_points.code()).to_string()).unwrap());
    let by_parameters = Crs::epsg(990_103);
    let grid = json!({
        "id": "grid", "code": by_parameters.code(), "axes": "east-north",
        "grid": { "crs": 6382, "origin": [ORIGIN.1, ORIGIN.0], "rotation": ROTATION, "scale": SCALE },
    });
    register(System::read(&grid.to_string()).unwrap());
    assert!(!describe(by_parameters).unwrap().y_first);
    let mut moved = PLACES;
    transform(by_points, by_parameters, &mut moved).unwrap();
    for (a, b) in moved.iter().zip(PLACES) {
        assert!((a.0 - b.0).hypot(a.1 - b.1) < 1e-5, "{a:?} {b:?}");
    }
}

#[test]
fn a_system_can_be_defined_in_projs_words() {
    let crs = Crs::epsg(990_104);
    // Zone 8 of UCS-2000 with another false easting.
    let text = "+proj=tmerc +lat_0=0 +lon_0=24 +k=1 +x_0=0 +y_0=-5400000 +ellps=krass +towgs84=24,-121,-76 +units=m +type=crs";
    let document = json!({ "id": "own", "code": crs.code(), "definition": text });
    register(System::read(&document.to_string()).unwrap());
    let mut points = [(46_210.5, 34_873.25)];
    transform(crs, Crs::epsg(6382), &mut points).unwrap();
    assert!(
        (points[0].0 - 346_210.5).abs() < 0.001 && (points[0].1 - 5_434_873.25).abs() < 0.001,
        "{points:?}"
    );
    // Nothing says how it lies on the Earth.
    let guess = json!({ "id": "own", "code": 990_105, "definition": text.replace("+towgs84=24,-121,-76", "") });
    let error = System::read(&guess.to_string()).unwrap_err();
    assert!(matches!(error, Error::NoTransformation(_)), "{error:?}");
}

#[test]
fn documents_that_say_something_else_are_refused() {
    let with = |change: &dyn Fn(&mut Json)| {
        let mut document = document(990_106);
        change(&mut document);
        refused(&document)
    };
    assert_eq!(with(&|d| d["id"] = json!("Калуш")), "spatial.local-member");
    assert_eq!(with(&|d| d["code"] = json!(6382)), "spatial.local-code");
    assert_eq!(
        with(&|d| d["axis"] = json!("north-east")),
        "spatial.local-unknown-member"
    );
    assert_eq!(
        with(&|d| d["axes"] = json!("south-west")),
        "spatial.local-member"
    );
    assert_eq!(with(&|d| d["grid"] = json!({})), "spatial.local-one-of");
    assert_eq!(with(&|d| d["crs"] = json!(4326)), "spatial.local-base");
    assert_eq!(with(&|d| d["crs"] = json!(990_101)), "spatial.local-member");
    assert_eq!(with(&|d| d["crs"] = json!(999_999)), "spatial.crs-unknown");
    assert_eq!(with(&|d| d["limit"] = json!(1e6)), "spatial.local-member");
    assert_eq!(
        with(&|d| d["controlPoints"][2]["local"] = json!([1])),
        "spatial.local-member"
    );
    let operation = |crs: u32, codes: Json| {
        refused(&json!({ "id": "sk63", "operation": { "crs": crs, "codes": codes } }))
    };
    assert_eq!(
        operation(7825, json!([99_999])),
        "spatial.operation-unknown"
    );
    // The first begins with another datum; the second ends on the way.
    assert_eq!(operation(7825, json!([5840])), "spatial.operation-chain");
    assert_eq!(operation(7825, json!([5586])), "spatial.operation-chain");
    assert_eq!(operation(7825, json!([])), "spatial.local-member");
    // A shift that a turn follows has no seven parameters.
    assert_eq!(
        operation(7825, json!([5586, 5590])),
        "spatial.operation-parameters"
    );
}

/// Each is in PROJ's database, and one of them is what PROJ takes by itself.
#[test]
fn operations_are_listed_best_first_and_the_first_is_projs_own() {
    for (code, expected) in [
        (
            6382,
            "5840 1 UCS-2000 to WGS 84 (2) | 5590 5 UCS-2000 to WGS 84 (1)",
        ),
        (
            7825,
            "5044 3 Pulkovo 1942 to WGS 84 (20) | 1267 4 Pulkovo 1942 to WGS 84 (17) | 15865 4.5 Pulkovo 1942 to WGS 84 (16) \
             | 5586+5840 4.5 Pulkovo 1942 to UCS-2000 (1) + UCS-2000 to WGS 84 (2) | 1254 ? Pulkovo 1942 to WGS 84 (1)",
        ),
        (25835, " 1 ETRS89 to WGS 84 (1)"),
        (32635, ""),
        (4326, ""),
    ] {
        let all = operations(Crs::epsg(code)).unwrap();
        let told = all.iter().map(|o| {
            let codes: Vec<_> = o.codes.iter().map(u32::to_string).collect();
            let accuracy = o.accuracy.map_or_else(|| "?".to_owned(), |a| a.to_string());
            format!("{} {accuracy} {}", codes.join("+"), o.name)
        });
        assert_eq!(told.collect::<Vec<_>>().join(" | "), expected, "{code}");
        assert_eq!(operation(Crs::epsg(code)), all.first().cloned(), "{code}");
    }
    for codes in [5561, 6381, 9839, 7831, 4284] {
        assert!(operations(Crs::epsg(codes)).unwrap().len() > 1, "{codes}");
    }
    assert!(operations(Crs::epsg(999_999)).is_err());
}

#[test]
fn the_operation_that_is_chosen_moves_points_by_what_tells_it_from_the_default() {
    let (crs, place) = (Crs::epsg(7826), (2_388_804.0, 5_400_000.0));
    let to = |to: u32| {
        let mut points = [place];
        transform(crs, Crs::epsg(to), &mut points).unwrap();
        points[0]
    };
    let choose = |codes: &[u32]| {
        let document = json!({ "id": "sk63", "operation": { "crs": crs.code(), "codes": codes } });
        register(System::read(&document.to_string()).unwrap());
        assert_eq!(operation(crs).unwrap().codes, codes);
        let mut back = [to(4326)];
        transform(Crs::CRS84, crs, &mut back).unwrap();
        assert!(
            (back[0].0 - place.0).hypot(back[0].1 - place.1) < 0.001,
            "{back:?}"
        );
    };
    // Twice the same numbers: SK-63 is taken for UCS-2000, which is shifted by its three parameters.
    choose(&[5586, 5840]);
    assert_eq!(describe(crs).unwrap().accuracy, Some(4.5));
    let by_chain = to(4326);
    choose(&[5044]);
    let by_default = to(4326);
    let (east, north) = (
        (by_default.0 - by_chain.0) * 111_320.0 * by_chain.1.to_radians().cos(),
        (by_default.1 - by_chain.1) * 111_200.0,
    );
    // By the formulas of EPSG's guidance note 7-2, computed apart from PROJ.
    assert!(
        (east + 5.1028).abs() < 0.001 && (north + 4.7942).abs() < 0.001,
        "{east} {north}"
    );
    // What is shown in a third CRS is where the map shows it.
    let (mut map, mercator) = ([by_default], to(3857));
    transform(Crs::CRS84, Crs::epsg(3857), &mut map).unwrap();
    assert!((map[0].0 - mercator.0).hypot(map[0].1 - mercator.1) < 1e-3);
    let (mut map, zone) = ([by_default], to(6382));
    transform(Crs::CRS84, Crs::epsg(6382), &mut map).unwrap();
    assert!((map[0].0 - zone.0).hypot(map[0].1 - zone.1) < 1e-3);
    // A description stays that of EPSG.
    assert!(
        describe(crs)
            .unwrap()
            .wkt
            .starts_with("PROJCS[\"Pulkovo 1942 / CS63 zone X2\"")
    );
}

#[test]
fn a_local_system_follows_the_operation_of_the_crs_that_it_lies_in() {
    let (base, crs) = (Crs::epsg(7827), Crs::epsg(990_107));
    let grid = json!({
        "id": "sk63-city", "code": crs.code(),
        "grid": { "crs": base.code(), "origin": [5_400_000.0, 3_388_804.0] },
    });
    register(System::read(&grid.to_string()).unwrap());
    let choice = json!({ "id": "sk63", "operation": { "crs": base.code(), "codes": [15865] } });
    register(System::read(&choice.to_string()).unwrap());
    let (mut here, mut there) = ([(10.0, 20.0)], [(3_388_814.0, 5_400_020.0)]);
    transform(crs, Crs::CRS84, &mut here).unwrap();
    transform(base, Crs::CRS84, &mut there).unwrap();
    assert!(
        (here[0].0 - there[0].0).hypot(here[0].1 - there[0].1) < 1e-11,
        "{here:?} {there:?}"
    );
    assert_eq!(operation(crs).unwrap().codes, [15865]);
    assert_eq!(describe(crs).unwrap().accuracy, Some(4.5));
}

#[test]
fn the_documents_of_the_handbook_are_taken() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src");
    for lang in ["uk", "en"] {
        let page = std::fs::read_to_string(docs.join(lang).join("import.md")).unwrap();
        let blocks: Vec<&str> = page.split("```json\n").skip(1).collect();
        assert!(blocks.len() >= 2, "{lang}");
        for block in blocks {
            let document = block.split("```").next().unwrap();
            let read = System::read(document);
            assert!(read.is_ok(), "{document}\n{read:?}");
            if let Some((_, fit)) = read.unwrap().fit() {
                assert!(
                    (0.01..0.05).contains(&fit.rms().unwrap()),
                    "{:?}",
                    fit.residuals
                );
            }
        }
    }
}
