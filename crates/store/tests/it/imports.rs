//! Imports: whole or not at all, and told exactly.

use formats::Format;
use store::{Error, ImportMode};

use crate::support::{Fixture, collection, feature, job, key, parcels, square};

#[tokio::test]
async fn an_existing_collection_is_only_replaced_when_asked() {
    let fixture = Fixture::with_parcels().await;
    assert!(matches!(
        fixture.import(&parcels(), |_| {}).await,
        Err(Error::Conflict(_))
    ));
    let report = fixture
        .import(&parcels(), |job| job.mode = ImportMode::Replace)
        .await
        .unwrap();
    assert_eq!(report.stored, 3);
    let live = fixture.store.live();
    let fids: Vec<i64> = live
        .get("parcels")
        .unwrap()
        .index
        .iter()
        .map(|h| h.fid())
        .collect();
    assert_eq!(fids, [4, 5, 6], "keys are never used again");
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn append_adds_and_upsert_replaces_by_value() {
    let fixture = Fixture::with_parcels().await;
    let more = collection(&[feature(
        &square(24.8, 48.9, 0.001),
        r#""name":"more","area":1"#,
    )]);
    fixture
        .import(&more, |job| job.mode = ImportMode::Append)
        .await
        .unwrap();
    let changed = collection(&[
        feature(&square(24.9, 48.9, 0.001), r#""name":"parcel 1","area":7"#),
        feature(&square(24.95, 48.9, 0.001), r#""name":"fresh","area":8"#),
        feature(&square(24.96, 48.9, 0.001), r#""name":"fresh","area":9"#),
        feature(&square(24.97, 48.9, 0.001), r#""name":null,"area":9"#),
    ]);
    let report = fixture
        .import(&changed, |job| {
            job.mode = ImportMode::Upsert("name".to_owned())
        })
        .await
        .unwrap();
    assert_eq!(
        (
            report.stored,
            report.replaced,
            report.rejected,
            report.duplicate_ids
        ),
        (2, 1, 2, 1)
    );
    let area = fixture.sql("SELECT fid, area FROM parcels WHERE name = 'parcel 1'");
    assert_eq!(area.trim().trim_end_matches(".0"), "2|7");
    let log = fixture.sql("SELECT operation FROM hromada_changes ORDER BY seq");
    assert_eq!(
        log.split_whitespace().collect::<Vec<_>>(),
        ["create", "create", "create", "create", "replace", "create"]
    );
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn the_same_file_again_writes_nothing() {
    let fixture = Fixture::with_parcels().await;
    let by_name = |job: &mut store::ImportJob| job.mode = ImportMode::Upsert("name".to_owned());
    let log = || fixture.sql("SELECT count(*), max(seq) FROM hromada_changes");
    let before = log();
    let again = fixture.import(&parcels(), by_name).await;
    let again = again.unwrap();
    let counts = |report: &store::ImportReport| {
        [
            report.stored,
            report.replaced,
            report.unchanged,
            report.gone,
        ]
    };
    assert_eq!(counts(&again), [0, 0, 3, 0]);
    assert_eq!(log(), before);
    // One is another now, one is new, one is not in the file.
    let some = collection(&[
        feature(
            &square(24.7, 48.9, 0.001),
            r#""name":"parcel 0","area":100.5"#,
        ),
        feature(
            &square(24.701, 48.9, 0.001),
            r#""name":"parcel 1","area":7"#,
        ),
        feature(&square(24.9, 48.9, 0.001), r#""name":"fresh","area":8"#),
    ]);
    let report = fixture.import(&some, by_name).await.unwrap();
    assert_eq!(counts(&report), [2, 1, 1, 1]);
    fixture.store.load().await.unwrap();
    assert_eq!(fixture.store.live().get("parcels").unwrap().index.len(), 4);
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_source_that_breaks_off_leaves_the_store_as_it_was() {
    let fixture = Fixture::with_parcels().await;
    let whole = collection(
        &(0..2000)
            .map(|i| feature(&square(f64::from(i) * 0.01, 10.0, 0.005), r#""name":"x""#))
            .collect::<Vec<_>>(),
    );
    let cut = &whole[..whole.len() - 40];
    for mode in [ImportMode::Replace, ImportMode::Append] {
        assert!(fixture.import(cut, |job| job.mode = mode).await.is_err());
    }
    assert!(
        fixture
            .import(cut, |job| job.collection =
                model::CollectionId::new("other").unwrap())
            .await
            .is_err()
    );
    assert_eq!(fixture.sql("SELECT count(*) FROM parcels").trim(), "3");
    assert_eq!(
        fixture
            .sql("SELECT count(*) FROM hromada_collections")
            .trim(),
        "1"
    );
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn records_that_do_not_fit_are_rejected_by_number_and_reason() {
    let fixture = Fixture::new().await;
    let source = collection(&[
        feature(&square(24.0, 48.0, 0.1), r#""id":"a""#),
        feature(&square(24.0, 48.0, 0.1), r#""id":"a""#),
        feature(&square(200.0, 48.0, 0.1), r#""id":"b""#),
        feature(
            r#"{"type":"Polygon","coordinates":[[["x"]]]}"#,
            r#""id":"c""#,
        ),
        feature("null", r#""id":"d""#),
    ]);
    let report = fixture
        .import(&source, |job| job.id_property = Some("id".to_owned()))
        .await
        .unwrap();
    let numbers: Vec<u64> = report.rejections.iter().map(|r| r.record).collect();
    assert_eq!((report.read, report.stored, report.rejected), (5, 2, 3));
    assert!([2, 3, 4].iter().all(|n| numbers.contains(n)), "{numbers:?}");
    assert_eq!(
        (
            report.duplicate_ids,
            report.out_of_range,
            report.without_geometry
        ),
        (1, 1, 1)
    );
    fixture.store.load().await.unwrap();
    let live = fixture.store.live();
    assert!(
        fixture
            .store
            .item(live.get("parcels").unwrap(), "a")
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn invalid_polygons_are_kept_repaired_or_rejected_as_asked() {
    let bow_tie = r#"{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}"#;
    let source = collection(&[feature(bow_tie, r#""name":"bow tie""#)]);
    for (repair, strict, expect) in [
        (false, false, (1, 0, 1)),
        (true, false, (1, 1, 1)),
        (false, true, (0, 0, 0)),
    ] {
        let fixture = Fixture::new().await;
        let report = fixture
            .import(&source, |job| {
                job.repair = repair;
                job.strict = strict;
            })
            .await
            .unwrap();
        assert_eq!(
            (report.stored, report.repaired, report.invalid),
            expect,
            "repair {repair} strict {strict}"
        );
        assert_eq!(report.rejected, u64::from(strict));
    }
}

#[tokio::test]
async fn a_missing_crs_is_refused_with_the_remedy() {
    let fixture = Fixture::new().await;
    let csv = fixture.file("plain.csv", "name,x,y\na,300000,5000000\n");
    let mut from = job(&csv, "plain");
    let error = fixture.store.import(&from, &mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("--crs"), "{error}");
    from.crs = Some(model::Crs::epsg(6382));
    from.read.crs = from.crs;
    let refused = fixture.store.import(&from, &mut |_| {}).await;
    assert!(refused.is_ok(), "{refused:?}");
    let row = fixture.sql_of(
        "SELECT srs_id FROM gpkg_geometry_columns WHERE table_name = 'plain'",
        "SELECT srid FROM geometry_columns WHERE f_table_name = 'plain' AND f_table_schema = current_schema()",
    );
    assert_eq!(row.trim(), "6382");
}

#[tokio::test]
async fn stored_coordinates_of_another_crs_are_served_as_longitude_and_latitude() {
    let fixture = Fixture::new().await;
    let csv = fixture.file("town.csv", "name,x,y\ntown hall,332000,5422000\n");
    let mut from = job(&csv, "parcels");
    from.crs = Some(model::Crs::epsg(6382));
    from.read.crs = from.crs;
    fixture.store.import(&from, &mut |_| {}).await.unwrap();
    fixture.store.load().await.unwrap();
    let live = fixture.store.live();
    let envelope = live
        .get("parcels")
        .unwrap()
        .index
        .get(1)
        .unwrap()
        .envelope()
        .unwrap();
    let [lon, lat] = envelope.min;
    assert!(
        (23.0..26.0).contains(&lon) && (48.0..50.0).contains(&lat),
        "{lon} {lat}"
    );
}

#[tokio::test]
async fn what_is_exported_comes_back_equal() {
    let fixture = Fixture::with_parcels().await;
    for (name, format) in [
        ("out.geojson", Format::GeoJson),
        ("out.geojsonl", Format::GeoJsonSeq),
        ("out.fgb", Format::FlatGeobuf),
        ("out.gpkg", Format::GeoPackage),
    ] {
        let file = fixture.folder.path().join(name);
        let report = store::export(&fixture.store, "parcels", &file, format, &mut |_| {})
            .await
            .unwrap();
        assert_eq!(report.features, 3, "{name}");
        let other = Fixture::new().await;
        other
            .store
            .import(&job(&file, "parcels"), &mut |_| {})
            .await
            .unwrap();
        assert_eq!(dump(&other, "area"), dump(&fixture, "area"), "{name}");
    }
}

#[tokio::test]
async fn reserved_names_are_refused() {
    let fixture = Fixture::new().await;
    for id in ["gpkg_contents", "hromada_changes", "sqlite_x", "rtree_x"] {
        let refused = fixture
            .import(&parcels(), |job| {
                job.collection = model::CollectionId::new(id).unwrap_or(job.collection.clone())
            })
            .await;
        assert_eq!(
            key(&refused.unwrap_err()),
            "store.collection-id-reserved",
            "{id}"
        );
    }
}

#[tokio::test]
async fn columns_called_longitude_and_latitude_are_in_no_projected_crs() {
    let fixture = Fixture::new().await;
    let csv = fixture.file("wells.csv", "name,lon,lat\na,24.7,48.9\n");
    let mut from = job(&csv, "wells");
    from.crs = Some(model::Crs::epsg(6382));
    from.read.crs = from.crs;
    let refused = fixture.store.import(&from, &mut |_| {}).await;
    assert_eq!(key(&refused.unwrap_err()), "store.crs-contradicts");
    // Longitude and latitude of another datum are still that.
    from.crs = Some(model::Crs::epsg(4258));
    from.read.crs = from.crs;
    assert_eq!(
        fixture
            .store
            .import(&from, &mut |_| {})
            .await
            .unwrap()
            .stored,
        1
    );
}

#[tokio::test]
async fn csv_gives_back_texts_and_features_without_geometry() {
    let fixture = Fixture::new().await;
    let texts = ["=1+1", "'=1", "''-2", "-3", "'plain", "+380", "\\ttab"];
    let features: Vec<String> = texts
        .iter()
        .map(|text| feature("null", &format!(r#""name":"{text}","n":1"#)))
        .chain([feature(
            &square(24.0, 48.0, 0.1),
            r#""name":"square","n":2"#,
        )])
        .collect();
    fixture
        .import(&collection(&features), |_| {})
        .await
        .unwrap();
    let file = fixture.folder.path().join("out.csv");
    store::export(&fixture.store, "parcels", &file, Format::Csv, &mut |_| {})
        .await
        .unwrap();
    let other = Fixture::new().await;
    let mut from = job(&file, "parcels");
    from.crs = Some(model::Crs::CRS84);
    from.read.crs = from.crs;
    let report = other.store.import(&from, &mut |_| {}).await.unwrap();
    assert_eq!((report.stored, report.without_geometry), (8, 7));
    assert_eq!(dump(&other, "n"), dump(&fixture, "n"));
}

#[tokio::test]
async fn repair_says_that_it_takes_heights_away() {
    let fixture = Fixture::new().await;
    let bow_tie = r#"{"type":"Polygon","coordinates":[[[0,0,5],[1,1,5],[1,0,5],[0,1,5],[0,0,5]]]}"#;
    let source = collection(&[feature(bow_tie, r#""name":"bow tie""#)]);
    let report = fixture
        .import(&source, |job| job.repair = true)
        .await
        .unwrap();
    assert_eq!((report.repaired, report.lost_z), (1, 1));
    assert!(report.notes.iter().any(|n| n.key() == "store.note-lost-z"));
}

/// Geometries, names and another column as the database has them.
fn dump(fixture: &Fixture, column: &str) -> String {
    let sql =
        |geometry: &str| format!("SELECT name, {column}, {geometry} FROM parcels ORDER BY name");
    fixture.sql_of(
        &sql("hex(substr(geom, 41))"),
        &sql("encode(ST_AsBinary(geom), 'hex')"),
    )
}
