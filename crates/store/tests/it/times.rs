//! Times of a source with any offset and precision are found by their moment.

use model::Interval;
use store::ItemsQuery;

use crate::support::{Fixture, collection, feature, square};

#[tokio::test]
async fn times_are_compared_as_moments_whatever_the_source_wrote() {
    let fixture = Fixture::new().await;
    let times = [
        "2020-01-01T00:00:00Z",
        "2020-01-01T12:00:00+02:00",
        "2022-01-01T12:00:00.1234+02:00",
    ];
    let features: Vec<String> = times
        .iter()
        .map(|time| feature(&square(24.7, 48.9, 0.001), &format!(r#""seen":"{time}""#)))
        .collect();
    fixture
        .import(&collection(&features), |job| {
            job.settings.time_property = Some("seen".to_owned());
        })
        .await
        .unwrap();
    fixture.store.load().await.unwrap();
    let live = fixture.store.live();
    let live = live.get("parcels").unwrap();
    for (datetime, found) in [
        ("2020-01-01T00:00:00Z", vec![1]),
        ("2020-01-01T10:00:00Z", vec![2]),
        ("../2020-01-01T00:00:00Z", vec![1]),
        ("2020-01-01T00:00:00Z/2020-01-01T10:00:00Z", vec![1, 2]),
        ("2022-01-01T10:00:00Z/2022-01-01T10:00:01Z", vec![3]),
        ("2022-01-01T11:00:00Z/2022-01-01T13:00:00Z", vec![]),
    ] {
        let query = ItemsQuery {
            datetime: Some(Interval::parse(datetime).unwrap()),
            limit: 10,
            ..ItemsQuery::default()
        };
        let page = fixture.store.items(live, &query).await.unwrap();
        let fids: Vec<i64> = page.features.iter().map(|f| f.fid).collect();
        assert_eq!(fids, found, "{datetime}");
        assert_eq!(page.number_matched, found.len() as u64, "{datetime}");
    }
}
