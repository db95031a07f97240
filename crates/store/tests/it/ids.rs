//! Ids in imports: which record gets which, which are turned away, and what the log says of them.

use std::path::Path;

use model::CollectionId;
use store::{ImportJob, ImportMode, ImportReport};

use crate::support::{Fixture, collection, feature, job, key, sqlite, square};

/// Squares with these properties.
fn squares(properties: &[&str]) -> String {
    let square = square(24.0, 48.0, 0.001);
    collection(
        &properties
            .iter()
            .map(|p| feature(&square, p))
            .collect::<Vec<_>>(),
    )
}

fn upsert(by: &str) -> impl FnOnce(&mut ImportJob) {
    let mode = ImportMode::Upsert(by.to_owned());
    move |job| job.mode = mode
}

fn named(report: &ImportReport) -> Vec<(u64, &'static str)> {
    let told = report.stored + report.unchanged + report.rejected;
    assert_eq!(told, report.read);
    let rejections = report.rejections.iter();
    rejections.map(|r| (r.record, r.reason.key())).collect()
}

async fn assert_clean(fixture: &Fixture) {
    let report = fixture.store.check(true).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
}

fn rows(fixture: &Fixture, sql: &str) -> Vec<String> {
    let rows = fixture.sql(sql);
    rows.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_collection_of_any_allowed_name_is_logged() {
    let fixture = Fixture::new().await;
    for id in ["c", "t", "x", "changes", "fid", "operation"] {
        let into = |mode: ImportMode| {
            let id = CollectionId::new(id).unwrap();
            move |job: &mut ImportJob| {
                job.collection = id;
                job.mode = mode;
            }
        };
        let first = squares(&[r#""name":"a""#]);
        fixture
            .import(&first, into(ImportMode::Create))
            .await
            .unwrap();
        let more = squares(&[r#""name":"b""#]);
        fixture
            .import(&more, into(ImportMode::Append))
            .await
            .unwrap();
        let mode = ImportMode::Upsert("name".to_owned());
        let both = squares(&[r#""name":"b""#, r#""name":"c""#]);
        fixture.import(&both, into(mode)).await.unwrap();
        assert_clean(&fixture).await;
    }
}

#[tokio::test]
async fn names_that_hide_a_part_of_a_query_are_refused() {
    let fixture = Fixture::new().await;
    for id in [
        "last",
        "json_each",
        "json_tree",
        "pragma_table_info",
        "excluded",
        "hromada_x",
    ] {
        let source = squares(&[]);
        let refused = fixture.import(&source, |job| {
            job.collection = CollectionId::new(id).unwrap();
        });
        assert_eq!(
            key(&refused.await.unwrap_err()),
            "store.collection-id-reserved",
            "{id}"
        );
    }
}

#[tokio::test]
async fn an_integer_id_is_the_key_after_an_upsert_too() {
    let fixture = Fixture::new().await;
    let first = squares(&[r#""nr":7,"name":"a""#, r#""nr":9,"name":"b""#]);
    let with_id = |job: &mut ImportJob| job.id_property = Some("nr".to_owned());
    fixture.import(&first, with_id).await.unwrap();
    let more = squares(&[r#""nr":9,"name":"b2""#, r#""nr":100,"name":"c""#]);
    let report = fixture.import(&more, upsert("nr")).await.unwrap();
    assert_eq!((report.stored, report.replaced), (2, 1));
    let all = "SELECT fid, nr, name FROM parcels ORDER BY fid";
    assert_eq!(rows(&fixture, all), ["7|7|a", "9|9|b2", "100|100|c"]);
    // By another property: the first would change an id, the second takes one that is there, the third is new.
    let by_name = squares(&[
        r#""nr":8,"name":"a""#,
        r#""nr":7,"name":"d""#,
        r#""nr":50,"name":"e""#,
        r#""nr":100,"name":"c""#,
    ]);
    let report = fixture.import(&by_name, upsert("name")).await.unwrap();
    let rejected = [(1, "store.id-changed"), (2, "store.duplicate-value")];
    assert_eq!(named(&report), rejected);
    assert_eq!(
        (report.stored, report.replaced, report.unchanged),
        (1, 0, 1)
    );
    assert_eq!(
        rows(&fixture, all),
        ["7|7|a", "9|9|b2", "50|50|e", "100|100|c"]
    );
    assert_clean(&fixture).await;
}

#[tokio::test]
async fn an_upsert_that_meets_another_unique_column_names_the_record() {
    let fixture = Fixture::new().await;
    let first = squares(&[r#""id":"a","code":"1""#, r#""id":"b","code":"2""#]);
    let with_id = |job: &mut ImportJob| job.id_property = Some("id".to_owned());
    fixture.import(&first, with_id).await.unwrap();
    fixture.import(&squares(&[]), upsert("code")).await.unwrap();
    let more = squares(&[
        r#""id":"a","code":"2""#,
        r#""id":"b","code":"3""#,
        r#""id":"c","code":"4""#,
    ]);
    let report = fixture.import(&more, upsert("id")).await.unwrap();
    assert_eq!(named(&report), [(1, "store.duplicate-value")]);
    let all = "SELECT id, code FROM parcels ORDER BY fid";
    assert_eq!(rows(&fixture, all), ["a|1", "b|3", "c|4"]);
    assert_clean(&fixture).await;
}

#[tokio::test]
async fn a_feature_that_comes_back_after_its_deletion_is_logged() {
    let fixture = Fixture::new().await;
    let first = squares(&[r#""nr":7"#, r#""nr":9"#]);
    let with_id = |job: &mut ImportJob| job.id_property = Some("nr".to_owned());
    fixture.import(&first, with_id).await.unwrap();
    for mode in [ImportMode::Append, ImportMode::Upsert("nr".to_owned())] {
        fixture.store.load().await.unwrap();
        fixture
            .store
            .delete("parcels", "7", None, "test")
            .await
            .unwrap();
        let again = squares(&[r#""nr":7"#]);
        fixture.import(&again, |job| job.mode = mode).await.unwrap();
        assert_clean(&fixture).await;
    }
    let log = rows(
        &fixture,
        "SELECT operation FROM hromada_changes WHERE fid = 7",
    );
    assert_eq!(log, ["create", "delete", "create", "delete", "create"]);
}

#[tokio::test]
async fn records_without_ids_leave_the_ids_of_others_free() {
    let with_id = |id: Option<i64>, name: &str| {
        let id = id.map(|id| format!(r#""id":{id},"#)).unwrap_or_default();
        let square = square(24.0, 48.0, 0.001);
        format!(r#"{{"type":"Feature",{id}"properties":{{"name":"{name}"}},"geometry":{square}}}"#)
    };
    // More than one statement, so that ids come after rows that have taken keys.
    let mut features: Vec<String> = (0..600).map(|i| with_id(None, &format!("n{i}"))).collect();
    features.extend((1..=300).map(|id| with_id(Some(id), &format!("i{id}"))));
    features.push(with_id(Some(5), "again"));
    features.push(with_id(None, "last"));
    features.push(with_id(Some(-3), "negative"));
    let fixture = Fixture::new().await;
    for mode in [ImportMode::Create, ImportMode::Replace] {
        let report = fixture
            .import(&collection(&features), |job| job.mode = mode)
            .await
            .unwrap();
        assert_eq!(named(&report), [(901, "store.duplicate-id")]);
        assert_eq!(report.stored, 902);
        let kept = "SELECT count(*) FROM parcels WHERE name = 'i' || fid AND fid BETWEEN 1 AND 300";
        assert_eq!(rows(&fixture, kept), ["300"]);
        let of_those = "FROM parcels WHERE name LIKE 'n_%' AND name <> 'negative' OR name = 'last'";
        let others = fixture.sql_of(
            &format!("SELECT min(fid) > 300, count(*), max(fid) = (SELECT seq FROM sqlite_sequence WHERE name = 'parcels') {of_those}"),
            &format!("SELECT (min(fid) > 300)::int, count(*), (max(fid) = (SELECT last_value FROM parcels_fid_seq))::int {of_those}"),
        );
        assert_eq!(others.trim(), "1|601|1");
        let in_order = "SELECT name FROM parcels ORDER BY fid DESC LIMIT 2";
        assert_eq!(rows(&fixture, in_order), ["last", "n599"]);
        assert_clean(&fixture).await;
    }
    let more = squares(&[r#""name":"more""#]);
    let report = fixture
        .import(&more, |job| job.mode = ImportMode::Append)
        .await
        .unwrap();
    assert_eq!(report.stored, 1);
    assert_clean(&fixture).await;
}

#[tokio::test]
async fn records_without_the_text_id_are_rejected_in_every_mode() {
    let fixture = Fixture::new().await;
    let source = squares(&[r#""id":"a""#, r#""id":null"#, r#""id":"""#, r#""id":"""#]);
    let missing = [2, 3, 4].map(|record| (record, "store.id-missing"));
    for mode in [ImportMode::Create, ImportMode::Replace] {
        let report = fixture.import(&source, |job| {
            job.mode = mode;
            job.id_property = Some("id".to_owned());
        });
        assert_eq!(named(&report.await.unwrap()), missing);
    }
    let report = fixture
        .import(&source, |job| job.mode = ImportMode::Append)
        .await
        .unwrap();
    assert_eq!((report.stored, report.rejected), (0, 4));
    let report = fixture.import(&source, upsert("id")).await.unwrap();
    assert_eq!(named(&report), missing);
}

#[tokio::test]
async fn ids_that_leave_no_room_are_rejected_with_the_reason() {
    let fixture = Fixture::new().await;
    let source = squares(&[
        r#""nr":9223372036854775807"#,
        r#""nr":9007199254740991"#,
        r#""nr":-5"#,
    ]);
    let report = fixture.import(&source, |job| job.id_property = Some("nr".to_owned()));
    assert_eq!(named(&report.await.unwrap()), [(1, "store.id-too-large")]);
    assert_eq!(
        rows(&fixture, "SELECT fid FROM parcels ORDER BY fid"),
        ["-5", "9007199254740991"]
    );
}

#[tokio::test]
async fn index_names_of_two_collections_do_not_meet() {
    let fixture = Fixture::new().await;
    for (id, property) in [("street", "lights_id"), ("street_lights", "id")] {
        let one = format!(r#""{property}":"a""#);
        let source = squares(&[&one, &one]);
        let report = fixture.import(&source, |job| {
            job.collection = CollectionId::new(id).unwrap();
            job.id_property = Some(property.to_owned());
        });
        assert_eq!(
            named(&report.await.unwrap()),
            [(2, "store.duplicate-id")],
            "{id}"
        );
    }
}

/// A GeoPackage with the layer `parcels`, changed by a statement.
async fn changed_geopackage(folder: &Path, sql: &str) -> std::path::PathBuf {
    let fixture = Fixture::with_parcels().await;
    let file = folder.join("source.gpkg");
    let format = formats::Format::GeoPackage;
    store::export(&fixture.store, "parcels", &file, format, &mut |_| {})
        .await
        .unwrap();
    // The sqlite3 program lacks the functions that the triggers call.
    let drop =
        "SELECT 'DROP TRIGGER \"' || name || '\";' FROM sqlite_schema WHERE type = 'trigger'";
    let drop = sqlite(&file, drop);
    sqlite(&file, &format!("{drop} {sql}"));
    file
}

#[tokio::test]
async fn a_text_that_is_not_utf8_costs_its_record_only() {
    let fixture = Fixture::new().await;
    let sql = "UPDATE parcels SET name = CAST(x'ff41' AS TEXT) WHERE fid = 2";
    let file = changed_geopackage(fixture.folder.path(), sql).await;
    let report = fixture
        .store
        .import(&job(&file, "parcels"), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(named(&report), [(2, "store.text-not-utf8")]);
}

#[tokio::test]
async fn ewkb_becomes_iso_wkb_and_a_foreign_srs_id_is_rejected() {
    let fixture = Fixture::new().await;
    // Points with height: PostGIS' flags for Z and SRID; then ISO WKB under another SRS id.
    let xy = "0000000000003840".to_owned() + "0000000000004840";
    let z = "0000000000000840";
    let ewkb = format!("4750000100000000{}01010000A0E6100000{xy}{z}", "");
    let ewkb = ewkb.replacen("4750000100000000", "47500001E6100000", 1);
    let foreign = format!("47500001110F0000010 1000000{xy}").replace(' ', "");
    let sql = format!(
        "UPDATE parcels SET geom = x'{ewkb}' WHERE fid = 1; UPDATE parcels SET geom = x'{foreign}' WHERE fid = 2;
         UPDATE gpkg_geometry_columns SET geometry_type_name = 'GEOMETRY', z = 2"
    );
    let file = changed_geopackage(fixture.folder.path(), &sql).await;
    let report = fixture
        .store
        .import(&job(&file, "parcels"), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(named(&report), [(2, "store.srs-differs")]);
    assert_eq!(report.from_ewkb, 1);
    let stored = fixture.sql_of(
        "SELECT hex(substr(geom, 9)) FROM parcels WHERE fid = 1",
        "SELECT upper(encode(ST_AsBinary(geom, 'NDR'), 'hex')) FROM parcels WHERE fid = 1",
    );
    assert_eq!(stored.trim(), format!("01E9030000{xy}{z}"));
}
