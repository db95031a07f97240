//! Coordinate reference systems of the municipality, and chosen datum operations.

use model::Crs;
use serde_json::json;
use store::{AuditFilter, Place};

use crate::support::{Fixture, job, key, open};

const ACTOR: &str = "console:tester";

/// A city grid whose origin is near Kalush, in zone 8 of UCS-2000.
fn grid(id: &str, code: u32, north: f64) -> String {
    json!({
        "id": id, "code": code, "title": { "uk": "Міська сітка", "en": "City grid" },
        "grid": { "crs": 6382, "origin": [north, 332_000.0], "rotation": 0.5 },
    })
    .to_string()
}

fn operation(id: &str, crs: u32, codes: &[u32]) -> String {
    json!({ "id": id, "operation": { "crs": crs, "codes": codes } }).to_string()
}

async fn import(fixture: &Fixture, id: &str, code: u32, row: &str) {
    let csv = fixture.file("points.csv", &format!("name,x,y\n{row}\n"));
    let mut from = job(&csv, id);
    from.crs = Some(Crs::epsg(code));
    from.read.crs = from.crs;
    let report = fixture.store.import(&from, &mut |_| {}).await.unwrap();
    assert_eq!(report.stored, 1, "{report:?}");
    fixture.store.load().await.unwrap();
}

/// Where the map has the only feature, in longitude and latitude.
fn shown(store: &store::Store, id: &str) -> (f64, f64) {
    let live = store.live();
    let [x, y] = live.get(id).unwrap().index.extent().unwrap().min;
    (x, y)
}

fn metres(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    let east = (a.0 - b.0) * 111_320.0 * a.1.to_radians().cos();
    (east, (a.1 - b.1) * 111_200.0)
}

#[tokio::test]
async fn data_are_stored_in_a_local_system_and_shown_where_they_are() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let added = store
        .add_system(ACTOR, &grid("city", 990_201, 5_422_000.0))
        .await;
    assert_eq!(added.unwrap().crs, Crs::epsg(990_201));
    import(&fixture, "wells", 990_201, "one,100,200").await;
    let mut right = [(100.0, 200.0)];
    spatial::crs::transform(Crs::epsg(990_201), Crs::CRS84, &mut right).unwrap();
    let (east, north) = metres(shown(store, "wells"), right[0]);
    assert!(east.hypot(north) < 0.02, "{east} {north}");
    assert!(
        (24.4..24.5).contains(&right[0].0) && (48.9..49.0).contains(&right[0].1),
        "{right:?}"
    );
    let listed = fixture.sql_of(
        "SELECT organization, organization_coordsys_id, substr(definition, 1, 14) FROM gpkg_spatial_ref_sys WHERE srs_id = 990201",
        "SELECT auth_name, auth_srid, substr(srtext, 1, 14) FROM spatial_ref_sys WHERE srid = 990201",
    );
    assert_eq!(listed.trim(), "HROMADA|990201|DERIVEDPROJCRS");

    // It is there for the next process, and another definition of it too.
    let fixture = fixture.reopened().await;
    let before = shown(&fixture.store, "wells");
    let again = grid("city", 990_201, 5_422_010.0);
    fixture.store.add_system(ACTOR, &again).await.unwrap();
    assert_eq!(
        shown(&fixture.store, "wells"),
        before,
        "not before it is opened again"
    );
    let fixture = fixture.reopened().await;
    let (east, north) = metres(shown(&fixture.store, "wells"), before);
    assert!(
        (north - 10.0).abs() < 0.05 && east.abs() < 0.2,
        "{east} {north}"
    );
    assert!(fixture.store.check(false).await.unwrap().is_clean());
    let stored = fixture.sql_of(
        "SELECT ST FROM (SELECT 1 AS ST)",
        "SELECT ST_SRID(geom) = 990201 AND ST_X(geom) = 100 FROM wells",
    );
    assert!(["1", "t"].contains(&stored.trim()), "{stored}");

    // And it goes with a copy.
    let folder = tempfile::tempdir().unwrap();
    let target = Place::Folder(folder.path().to_owned());
    let report = store::copy(&fixture.store, target, &mut |_| {})
        .await
        .unwrap();
    assert!(report.proof.is_same());
    let copy = open(folder.path()).await;
    assert_eq!(
        copy.systems().await.unwrap(),
        fixture.store.systems().await.unwrap()
    );
    assert_eq!(shown(&copy, "wells"), shown(&fixture.store, "wells"));
    copy.add_system(ACTOR, &operation("other", 7828, &[15865]))
        .await
        .unwrap();
    let compared = copy.compare(&fixture.store, &mut |_, _| {}).await.unwrap();
    let told: Vec<_> = compared.differences.iter().map(|d| d.text.key()).collect();
    assert!(told.contains(&"store.compare-crs"), "{told:?}");
}

#[tokio::test]
async fn what_is_used_or_taken_is_refused_and_the_log_tells_of_the_rest() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let refused = |result: Result<spatial::crs::System, store::Error>| key(&result.unwrap_err());
    store
        .add_system(ACTOR, &grid("city", 990_202, 5_422_000.0))
        .await
        .unwrap();
    import(&fixture, "wells", 990_202, "one,100,200").await;
    let taken = store.add_system(ACTOR, &grid("other", 990_202, 0.0)).await;
    assert_eq!(refused(taken), "store.crs-taken");
    let moved = store
        .add_system(ACTOR, &grid("city", 990_203, 5_422_000.0))
        .await;
    assert_eq!(refused(moved), "store.crs-in-use");
    assert_eq!(
        refused(store.add_system(ACTOR, "{").await),
        "spatial.local-not-json"
    );
    let removed = store.remove_system(ACTOR, "city").await.unwrap_err();
    assert!(key(&removed) == "store.crs-in-use" && removed.to_string().contains("wells"));
    let none = store.remove_system(ACTOR, "nothing").await.unwrap_err();
    assert_eq!(key(&none), "store.crs-not-kept");
    store
        .add_system(ACTOR, &operation("sk63", 7829, &[15865]))
        .await
        .unwrap();
    store.remove_system(ACTOR, "sk63").await.unwrap();
    let all = store.systems().await.unwrap();
    assert_eq!(
        all.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(),
        ["city"]
    );
    let filter = AuditFilter {
        actor: Some(ACTOR.into()),
        limit: 10,
        ..AuditFilter::default()
    };
    let records = store.audited(&filter).await.unwrap();
    let actions: Vec<_> = records.iter().rev().map(|r| r.action.as_str()).collect();
    assert_eq!(actions, ["crs.add", "crs.add", "crs.remove"]);
}

#[tokio::test]
async fn an_operation_that_is_chosen_moves_what_is_shown_when_the_store_is_opened_again() {
    let fixture = Fixture::new().await;
    // SK-63 in zone X6, which no other test stores anything in.
    import(&fixture, "wells", 7830, "one,6400000,5400000").await;
    let before = shown(&fixture.store, "wells");
    let chosen = operation("sk63", 7830, &[5586, 5840]);
    fixture.store.add_system(ACTOR, &chosen).await.unwrap();
    assert_eq!(shown(&fixture.store, "wells"), before);
    let fixture = fixture.reopened().await;
    let (east, north) = metres(shown(&fixture.store, "wells"), before);
    assert!(
        EXPECTED.0 - 0.05 < east && east < EXPECTED.0 + 0.05,
        "{east} {north}"
    );
    assert!(
        EXPECTED.1 - 0.05 < north && north < EXPECTED.1 + 0.05,
        "{east} {north}"
    );
    assert!(fixture.store.check(false).await.unwrap().is_clean());
}

/// Metres to the east and north, computed apart from PROJ by the formulas of EPSG's guidance note 7-2.
const EXPECTED: (f64, f64) = (4.1060, 0.9195);
