//! Reading: exact boxes, pages by key, filters, times, search.

use model::{Bbox, CollectionId, Crs, Envelope, Interval, Value};
use spatial::QueryBox;
use store::{Begin, Draft, ItemsQuery, Page, Sort};

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
        (vec![1, 2], 3, Some(Begin::After(2)))
    );
    let second = items(
        &fixture,
        ItemsQuery {
            limit: 2,
            begin: first.next.unwrap(),
            walk: Some(first.walk),
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
    // What has no place is in every box (OGC 17-069r4 /req/core/fc-bbox-response), after a change too.
    // An empty geometry lies nowhere.
    let empty = r#"{"type":"MultiPoint","coordinates":[]}"#;
    let features = [l, corner, dateline, "null", empty].map(|g| feature(g, ""));
    fixture
        .import(&collection(&features), |_| {})
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let at = |numbers: [f64; 4]| ItemsQuery {
        bbox: Some(Bbox::new(&numbers).unwrap().into()),
        limit: 10,
        ..ItemsQuery::default()
    };
    for (numbers, found) in [
        ([5.0, 5.0, 9.0, 9.0], vec![2, 4]),
        ([0.5, 0.5, 0.6, 0.6], vec![1, 4]),
        ([1.0, 1.0, 1.0, 1.0], vec![1, 4]),
        ([177.0, 0.0, -177.0, 10.0], vec![3, 4]),
        ([50.0, 50.0, 51.0, 51.0], vec![4]),
    ] {
        let page = items(&fixture, at(numbers)).await;
        assert_eq!(
            (keys(&page), page.number_matched),
            (found.clone(), found.len() as u64)
        );
    }
    let mercator = Envelope {
        min: [450_000.0, 450_000.0],
        max: [1_000_000.0, 1_000_000.0],
    };
    let query = ItemsQuery {
        bbox: Some(QueryBox::new(Crs::epsg(3857), mercator).unwrap()),
        limit: 10,
        ..ItemsQuery::default()
    };
    assert_eq!(keys(&items(&fixture, query).await), [2, 4]);
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
            bbox: Some(bbox.into()),
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
async fn a_page_shows_the_moment_of_its_index() {
    let fixture = Fixture::with_parcels().await;
    let old = fixture.store.live();
    fixture
        .store
        .replace("parcels", "1", draft(25.5, "moved"), None, "t")
        .await
        .unwrap();
    let query = ItemsQuery {
        bbox: Some(Bbox::new(&[24.6, 48.8, 24.8, 49.0]).unwrap().into()),
        limit: 10,
        ..ItemsQuery::default()
    };
    let shows_then = async || {
        let live = old.get("parcels").unwrap();
        let page = fixture.store.items(live, &query).await.unwrap();
        assert_eq!(keys(&page), [1, 2, 3]);
        let first = formats::wkb::read(page.features[0].geometry.as_ref().unwrap()).unwrap();
        let envelope = spatial::envelope(&first).unwrap();
        assert!(envelope.max[0] < 25.0, "{envelope:?}");
    };
    shows_then().await;
    // Also when a lot has been written elsewhere since.
    let point = r#"{"type":"Point","coordinates":[24,48]}"#;
    let many: Vec<String> = (0..1_200)
        .map(|n| feature(point, &format!(r#""n":{n}"#)))
        .collect();
    let many = collection(&many);
    let elsewhere = fixture.import(&many, |job| {
        job.collection = CollectionId::new("others").unwrap();
    });
    elsewhere.await.unwrap();
    shows_then().await;
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
        let (mut begin, mut pages) = (Begin::Start, Vec::new());
        loop {
            let page = items(
                &fixture,
                ItemsQuery {
                    bbox: bbox.map(Into::into),
                    begin,
                    limit: 1000,
                    ..ItemsQuery::default()
                },
            )
            .await;
            assert_eq!(page.number_matched, 6);
            pages.push(keys(&page));
            match page.next {
                Some(next) => begin = next,
                None => break,
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
        crs: Crs::CRS84,
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

/// Every page of a walk shows the moment of the first one, whatever is written between them.
#[tokio::test]
async fn the_pages_of_a_walk_are_one_snapshot() {
    let fixture = Fixture::with_parcels().await;
    for i in 3..40 {
        let draft = draft(24.7, &format!("parcel {i:02}"));
        fixture.store.create("parcels", draft, "t").await.unwrap();
    }
    let everything = |sort: Vec<Sort>| ItemsQuery {
        limit: 1_000,
        sort,
        ..ItemsQuery::default()
    };
    let by_name = vec![Sort {
        position: 0,
        descending: true,
    }];
    let box_around = Bbox::new(&[24.0, 48.0, 25.0, 49.5]).unwrap();
    for (sort, bbox) in [
        (vec![], None),
        (vec![], Some(box_around)),
        (by_name.clone(), None),
        (by_name, Some(box_around)),
    ] {
        let whole = ItemsQuery {
            bbox: bbox.map(Into::into),
            ..everything(sort)
        };
        let before = items(&fixture, whole.clone()).await;
        let state = |page: &Page| -> Vec<_> {
            let features = page.features.iter();
            features
                .map(|f| (f.fid, f.geometry.clone(), f.properties.clone()))
                .collect()
        };
        let mut query = ItemsQuery { limit: 3, ..whole };
        let mut seen = Vec::new();
        let mut round = 0_i64;
        loop {
            let page = items(&fixture, query.clone()).await;
            assert_eq!(page.number_matched, before.number_matched);
            seen.extend(state(&page));
            let Some(next) = page.next else { break };
            (query.begin, query.walk) = (next, Some(page.walk));
            // One that is still to come is changed and moved out of the box, one is taken away, one is new.
            let store = &fixture.store;
            let later = before
                .features
                .iter()
                .rev()
                .nth(round as usize % 5)
                .unwrap();
            let moved = draft(40.0 + round as f64 * 0.01, "a moved one");
            let id = later.fid.to_string();
            let _ = store.replace("parcels", &id, moved, None, "t").await;
            let gone = before.features[(20 + round) as usize % before.features.len()].fid;
            let _ = store.delete("parcels", &gone.to_string(), None, "t").await;
            let new = draft(24.7, "zzz");
            store.create("parcels", new, "t").await.unwrap();
            round += 1;
        }
        assert!(round > 5);
        assert_eq!(seen, state(&before), "{bbox:?}");
    }
    // The moment of another collection of the same name is gone.
    let page = items(&fixture, everything(vec![])).await;
    let mut walk = page.walk;
    walk.collection += 1;
    let query = ItemsQuery {
        walk: Some(walk),
        ..everything(vec![])
    };
    let live = fixture.store.live();
    let refused = fixture
        .store
        .items(live.get("parcels").unwrap(), &query)
        .await;
    assert_eq!(key(&refused.unwrap_err()), "store.walk-too-old");
}

#[tokio::test]
async fn an_order_is_by_the_alphabet_with_numbers_by_their_value_and_nulls_last() {
    let fixture = Fixture::new().await;
    let point = r#"{"type":"Point","coordinates":[24,48]}"#;
    let names = [
        r#""name":"Їжакевича 2","n":1"#,
        r#""name":"ґанок","n":null"#,
        r#""name":"Гонти 10","n":3"#,
        r#""name":"Гонти 9","n":-2"#,
        r#""name":null,"n":7"#,
        r#""name":"яр","n":1"#,
        r#""name":"Івана Мазепи","n":0"#,
        r#""name":"Йосипа","n":0"#,
    ];
    let features = names.map(|p| feature(point, p));
    fixture
        .import(&collection(&features), |_| {})
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let sorted = |sort: Vec<(usize, bool)>| {
        let sort = sort.into_iter();
        let sort = sort.map(|(position, descending)| Sort {
            position,
            descending,
        });
        let query = ItemsQuery {
            sort: sort.collect(),
            limit: 100,
            ..ItemsQuery::default()
        };
        items(&fixture, query)
    };
    let live = fixture.store.live();
    let schema = &live.get("parcels").unwrap().collection.schema;
    let (name, n) = (
        schema.position("name").unwrap(),
        schema.position("n").unwrap(),
    );
    assert_eq!(
        keys(&sorted(vec![(name, false)]).await),
        [4, 3, 2, 7, 1, 8, 6, 5]
    );
    assert_eq!(
        keys(&sorted(vec![(name, true)]).await),
        [6, 8, 1, 7, 2, 3, 4, 5]
    );
    assert_eq!(
        keys(&sorted(vec![(n, true), (name, false)]).await),
        [5, 3, 1, 6, 7, 8, 4, 2]
    );
}

#[tokio::test]
async fn a_choice_that_takes_too_long_is_given_up_and_says_so() {
    let fixture = Fixture::new().await;
    let point = r#"{"type":"Point","coordinates":[24,48]}"#;
    let many: Vec<String> = (0..600)
        .map(|n| feature(point, &format!(r#""n":{n}"#)))
        .collect();
    fixture.import(&collection(&many), |_| {}).await.unwrap();
    fixture.store.load().await.unwrap();
    let live = fixture.store.live().get("parcels").unwrap().clone();
    let asked = |text: &str, until: std::time::Instant| {
        let expression = model::cql2::Expression::from_text(text).unwrap();
        let filter = model::Filter::bind(&expression, &live.collection.schema).unwrap();
        ItemsQuery {
            filter: Some(filter.into()),
            until: Some(until),
            limit: 10,
            ..ItemsQuery::default()
        }
    };
    let now = std::time::Instant::now();
    // One that the index decides, and one that the stored geometries have to.
    for text in ["n > 5", "area(geom) >= 0 AND n > 5"] {
        let late = fixture.store.items(&live, &asked(text, now)).await;
        assert_eq!(key(&late.unwrap_err()), "store.filter-too-costly", "{text}");
        let in_time = asked(text, now + std::time::Duration::from_secs(60));
        let page = fixture.store.items(&live, &in_time).await.unwrap();
        assert_eq!(page.number_matched, 594, "{text}");
    }
}
