//! Reading: exact boxes, pages by key, filters, times, search.

use model::{Bbox, Interval, Value};
use store::{Draft, ItemsQuery, Page};

use crate::support::{Fixture, collection, draft, feature, key};

async fn items(fixture: &Fixture, query: ItemsQuery) -> Page {
    let live = fixture.store.live();
    fixture
        .store
        .items(live.get("parcels").unwrap(), &query)
        .await
        .unwrap()
}

fn keys(page: &Page) -> Vec<i64> {
    page.features.iter().map(|f| f.fid).collect()
}

#[tokio::test]
async fn pages_follow_each_other_by_key() {
    let fixture = Fixture::with_parcels().await;
    let first = items(
        &fixture,
        ItemsQuery {
            limit: 2,
            ..ItemsQuery::default()
        },
    )
    .await;
    assert_eq!(
        (keys(&first), first.number_matched, first.next),
        (vec![1, 2], 3, Some(2))
    );
    let second = items(
        &fixture,
        ItemsQuery {
            limit: 2,
            after: first.next,
            ..ItemsQuery::default()
        },
    )
    .await;
    assert_eq!(
        (keys(&second), second.number_matched, second.next),
        (vec![3], 3, None)
    );
}

#[tokio::test]
async fn a_box_takes_what_it_truly_meets() {
    let fixture = Fixture::new().await;
    // An L-shape whose envelope meets the box, while the shape does not; and a point on the box's corner.
    let l = r#"{"type":"Polygon","coordinates":[[[0,0],[10,0],[10,1],[1,1],[1,10],[0,10],[0,0]]]}"#;
    let corner = r#"{"type":"Point","coordinates":[5,5]}"#;
    let dateline = r#"{"type":"Point","coordinates":[179.5,5]}"#;
    let features = [l, corner, dateline].map(|g| feature(g, ""));
    fixture
        .import(&collection(&features), |_| {})
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let at = |numbers: [f64; 4]| ItemsQuery {
        bbox: Some(Bbox::new(&numbers).unwrap()),
        limit: 10,
        ..ItemsQuery::default()
    };
    assert_eq!(keys(&items(&fixture, at([5.0, 5.0, 9.0, 9.0])).await), [2]);
    assert_eq!(keys(&items(&fixture, at([0.5, 0.5, 0.6, 0.6])).await), [1]);
    assert_eq!(keys(&items(&fixture, at([1.0, 1.0, 1.0, 1.0])).await), [1]);
    assert_eq!(
        keys(&items(&fixture, at([177.0, 0.0, -177.0, 10.0])).await),
        [3]
    );
}

#[tokio::test]
async fn filters_join_with_boxes_and_count_exactly() {
    let fixture = Fixture::with_parcels().await;
    let named = |name: &str| vec![(0, Value::Text(name.into()))];
    let page = items(
        &fixture,
        ItemsQuery {
            equals: named("parcel 1"),
            limit: 10,
            ..ItemsQuery::default()
        },
    )
    .await;
    assert_eq!((keys(&page), page.number_matched), (vec![2], 1));
    let bbox = Bbox::new(&[24.7, 48.9, 24.7005, 48.9005]).unwrap();
    let page = items(
        &fixture,
        ItemsQuery {
            bbox: Some(bbox),
            equals: named("parcel 1"),
            limit: 10,
            ..ItemsQuery::default()
        },
    )
    .await;
    assert_eq!(page.number_matched, 0);
}

#[tokio::test]
async fn datetime_takes_what_meets_the_interval_and_what_has_no_time() {
    let fixture = Fixture::new().await;
    let point = r#"{"type":"Point","coordinates":[24,48]}"#;
    let days = [
        r#""day":"2024-01-31""#,
        r#""day":"2024-02-01""#,
        r#""day":null"#,
    ]
    .map(|p| feature(point, p));
    fixture
        .import(&collection(&days), |job| {
            job.settings.time_property = Some("day".to_owned())
        })
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let at = |text: &str| ItemsQuery {
        datetime: Some(Interval::parse(text).unwrap()),
        limit: 10,
        ..ItemsQuery::default()
    };
    assert_eq!(keys(&items(&fixture, at("2024-01-31")).await), [1, 3]);
    assert_eq!(
        keys(&items(&fixture, at("2024-02-01T00:00:00Z/..")).await),
        [2, 3]
    );
    assert_eq!(keys(&items(&fixture, at("../..")).await), [1, 2, 3]);
}

#[tokio::test]
async fn search_forgives_case_and_separators() {
    let fixture = Fixture::new().await;
    let point = r#"{"type":"Point","coordinates":[24,48]}"#;
    let named = [
        r#""cadnum":"2610100000:01:001:0001","street":"вул. Шевченка""#,
        r#""cadnum":"2610100000:01:001:0002","street":"вул. Мазепи""#,
    ];
    let features = named.map(|p| feature(point, p));
    fixture
        .import(&collection(&features), |job| {
            job.settings.searchable = Some(vec!["cadnum".to_owned(), "street".to_owned()])
        })
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let live = fixture.store.live();
    let found = |text: &str| -> Vec<i64> {
        fixture
            .store
            .search(live.get("parcels").unwrap(), text, 10)
            .iter()
            .map(|h| h.fid)
            .collect()
    };
    assert_eq!(found("26101000000100100 02"), [2]);
    assert_eq!(found("ШЕВЧЕНКА"), [1]);
    assert_eq!(found("нічого такого"), Vec::<i64>::new());
}

#[tokio::test]
async fn a_box_does_not_give_what_has_moved_out_of_it_since_the_index_was_taken() {
    let fixture = Fixture::with_parcels().await;
    let old = fixture.store.live();
    fixture
        .store
        .replace("parcels", "1", draft(25.5, "moved"), None, "t")
        .await
        .unwrap();
    let query = ItemsQuery {
        bbox: Some(Bbox::new(&[24.6, 48.8, 24.8, 49.0]).unwrap()),
        limit: 10,
        ..ItemsQuery::default()
    };
    let page = fixture
        .store
        .items(old.get("parcels").unwrap(), &query)
        .await
        .unwrap();
    assert_eq!(keys(&page), [2, 3]);
}

#[tokio::test]
async fn a_page_of_huge_features_ends_early_and_the_next_one_goes_on() {
    let fixture = Fixture::with_parcels().await;
    for _ in 0..3 {
        let mut huge = draft(24.7, "huge");
        // 9.6 MB each, in a box that meets them.
        let ring: Vec<(f64, f64)> = (0..600_000)
            .map(|i| {
                let angle = std::f64::consts::TAU * f64::from(i) / 600_000.0;
                (24.7 + 0.1 * angle.cos(), 48.9 + 0.1 * angle.sin())
            })
            .collect();
        let polygon = geo_types::Polygon::new(ring.into(), Vec::new());
        let mut wkb = Vec::new();
        formats::wkb::write(&polygon.into(), &mut wkb);
        huge.geometry = Some(wkb);
        fixture.store.create("parcels", huge, "t").await.unwrap();
    }
    for bbox in [None, Some(Bbox::new(&[24.0, 48.0, 25.0, 49.0]).unwrap())] {
        let (mut after, mut pages) = (None, Vec::new());
        loop {
            let page = items(
                &fixture,
                ItemsQuery {
                    bbox,
                    after,
                    limit: 1000,
                    ..ItemsQuery::default()
                },
            )
            .await;
            assert_eq!(page.number_matched, 6);
            pages.push(keys(&page));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(pages, [vec![1, 2, 3], vec![4], vec![5], vec![6]]);
    }
}

/// Another program may write a coordinate that is no number.
#[tokio::test]
async fn a_geometry_that_can_not_be_shown_is_null_and_takes_nothing_with_it() {
    let fixture = Fixture::with_parcels().await;
    let (x, y) = (24.7, 48.9);
    let ring = vec![(x, y), (f64::INFINITY, y), (x, y + 0.1), (x, y)];
    let mut wkb = Vec::new();
    formats::wkb::write(
        &geo_types::Polygon::new(ring.into(), Vec::new()).into(),
        &mut wkb,
    );
    let hex: String = wkb.iter().map(|byte| format!("{byte:02X}")).collect();
    fixture.sql_of(
        &format!("UPDATE parcels SET geom = X'47500001E6100000{hex}' WHERE fid = 2"),
        &format!("UPDATE parcels SET geom = ST_GeomFromWKB('\\x{hex}', 4326) WHERE fid = 2"),
    );
    let fixture = fixture.reopened().await;
    let live = fixture.store.live().get("parcels").unwrap().clone();
    let query = ItemsQuery {
        limit: 10,
        ..ItemsQuery::default()
    };
    let page = fixture.store.items(&live, &query).await.unwrap();
    let shown: Vec<bool> = page.features.iter().map(|f| f.geometry.is_some()).collect();
    assert_eq!(shown, [true, false, true]);
    let item = fixture.store.item(&live, "2").await.unwrap().unwrap();
    assert_eq!(item.feature.geometry, None);
    // Nobody who changes a value of it means to take the geometry away.
    let mut properties = item.feature.properties.clone();
    properties[0] = Value::Text("renamed".into());
    let given = Draft {
        geometry: None,
        properties,
    };
    fixture
        .store
        .replace("parcels", "2", given, Some(item.version), "t")
        .await
        .unwrap();
    let kept = fixture.sql_of(
        "SELECT hex(substr(geom, 9)) FROM parcels WHERE fid = 2",
        "SELECT upper(encode(ST_AsBinary(geom, 'NDR'), 'hex')) FROM parcels WHERE fid = 2",
    );
    assert_eq!(kept.trim(), hex);
    let file = fixture.folder.path().join("out.geojson");
    let refused = store::export(
        &fixture.store,
        "parcels",
        &file,
        formats::Format::GeoJson,
        &mut |_| {},
    )
    .await;
    assert_eq!(key(&refused.unwrap_err()), "store.export-geometry");
    let report = fixture.store.check(false).await.unwrap();
    let named = report
        .findings
        .iter()
        .any(|f| f.fid == Some(2) && f.text.key() == "store.check-geometry");
    assert!(named, "{:?}", report.findings);
}
