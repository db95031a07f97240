//! The cache with cuts that are held up at chosen moments.

#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use model::{CollectionId, Message, Value};
use store::{Access, CollectionSettings, Draft, ImportJob, ImportMode, Store};

use super::*;

/// A store with one point at 10 E 10 N.
struct Place {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Access::Write).await.unwrap();
        let file = folder.path().join("points.geojson");
        std::fs::write(&file, r#"{"type":"Feature","properties":{"n":0},"geometry":{"type":"Point","coordinates":[10,10]}}"#).unwrap();
        let job = ImportJob {
            file,
            layer: None,
            collection: CollectionId::new("points").unwrap(),
            mode: ImportMode::Create,
            crs: None,
            id_property: None,
            repair: false,
            strict: false,
            read: formats::ReadOptions::default(),
            settings: CollectionSettings::default(),
            actor: "test".to_owned(),
        };
        store.import(&job, &mut |_| {}).await.unwrap();
        store.load().await.unwrap();
        Self {
            store,
            _folder: folder,
        }
    }

    /// What a request for the tile at 10 E 10 N wants at this moment.
    fn wanted(&self) -> Arc<Wanted> {
        let coord = TileCoord::containing(10, model::world::project(10.0, 10.0)).unwrap();
        let layers = vec![self.store.live().get("points").unwrap().clone()];
        let key = Key {
            set: 0,
            collections: "points".into(),
            views: Box::new([[0, 1]]),
            properties: None,
            moment: i64::MAX,
            coord,
            encoding: Encoding::Identity,
        };
        Arc::new(Wanted {
            key,
            layers,
            envelopes: coord.query_envelopes().collect(),
            drawn: Vec::new(),
            low_zooms: Arc::new(LowZooms::new()),
        })
    }

    async fn add(&self, x: f64, n: i64) {
        let mut wkb = Vec::new();
        formats::wkb::write(
            &geo_types::Geometry::Point(geo_types::Point::new(x, 10.0)),
            &mut wkb,
        );
        let draft = Draft {
            geometry: Some(wkb),
            crs: model::Crs::CRS84,
            properties: vec![Value::Integer(n)],
        };
        self.store.create("points", draft, "test").await.unwrap();
    }
}

/// A "tile" that tells how many features its index has.
fn count(wanted: &Wanted, _: Option<usize>) -> Result<Cut, Uncut> {
    whole(vec![u8::try_from(wanted.layers[0].index.len()).unwrap()])
}

fn whole(bytes: Vec<u8>) -> Result<Cut, Uncut> {
    Ok(Cut {
        bytes,
        heaviest: 0,
        features: 1,
    })
}

fn cache(store: &Store) -> Arc<TileCache> {
    Arc::new(TileCache::new(1 << 20, &store.epoch(), 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tile_that_was_cut_from_an_old_index_and_comes_late_is_never_served_to_later_requests() {
    let place = Place::new().await;
    let (cache, workers) = (cache(&place.store), Arc::new(Semaphore::new(4)));
    let (begun, has_begun) = mpsc::channel::<()>();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let slow = move |wanted: &Wanted, most: Option<usize>| {
        begun.send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        count(wanted, most)
    };
    // The first request begins with one feature and is held up in the middle of its cut.
    let first = tokio::spawn({
        let (cache, workers, wanted) = (Arc::clone(&cache), Arc::clone(&workers), place.wanted());
        async move {
            cache
                .get(&wanted, &workers, None, slow)
                .await
                .map(|t| t.body.clone())
        }
    });
    tokio::task::block_in_place(|| has_begun.recv().unwrap());
    place.add(10.0, 1).await;
    // A request after the change must not wait for the old cut: it cuts its own.
    let second = cache
        .get(&place.wanted(), &workers, None, count)
        .await
        .map(|t| t.body.clone());
    assert_eq!(second, Ok(Bytes::from_static(&[2])));
    // Now the old cut ends, and its tile reaches the cache after the new one.
    go.send(()).unwrap();
    assert_eq!(
        first.await.unwrap(),
        Ok(Bytes::from_static(&[1])),
        "its own request was before the change"
    );
    let third = cache
        .get(&place.wanted(), &workers, None, count)
        .await
        .map(|t| t.body.clone());
    assert_eq!(third, Ok(Bytes::from_static(&[2])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tile_that_comes_late_into_an_empty_cache_is_found_out() {
    let place = Place::new().await;
    let (cache, workers) = (cache(&place.store), Arc::new(Semaphore::new(4)));
    let old = place.wanted();
    place.add(10.0, 1).await;
    // The request had its index before the change and is cut after it.
    assert_eq!(
        cache
            .get(&old, &workers, None, count)
            .await
            .map(|t| t.body[0]),
        Ok(1)
    );
    assert_eq!(
        cache
            .get(&place.wanted(), &workers, None, count)
            .await
            .map(|t| t.body[0]),
        Ok(2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_elsewhere_leaves_the_tile() {
    let place = Place::new().await;
    let (cache, workers) = (cache(&place.store), Arc::new(Semaphore::new(4)));
    cache
        .get(&place.wanted(), &workers, None, count)
        .await
        .map(|_| ())
        .unwrap();
    for n in 0..5 {
        place.add(60.0, n).await;
    }
    let never = |_: &Wanted, _: Option<usize>| -> Result<Cut, Uncut> { panic!("cut again") };
    assert_eq!(
        cache
            .get(&place.wanted(), &workers, None, never)
            .await
            .map(|t| t.body[0]),
        Ok(1)
    );
    assert_eq!(
        (
            cache.hits.load(Ordering::Relaxed),
            cache.misses.load(Ordering::Relaxed)
        ),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_one_tile_at_once_cut_it_once() {
    let place = Place::new().await;
    let (cache, workers) = (cache(&place.store), Arc::new(Semaphore::new(4)));
    let cuts = Arc::new(AtomicU64::new(0));
    let counting = {
        let cuts = Arc::clone(&cuts);
        move |wanted: &Wanted, most: Option<usize>| {
            cuts.fetch_add(1, Ordering::Relaxed);
            count(wanted, most)
        }
    };
    let wanted = place.wanted();
    let all = (0..32).map(|_| cache.get(&wanted, &workers, None, counting.clone()));
    let done = futures_util::future::join_all(all).await;
    assert!(
        done.iter()
            .all(|t| t.as_ref().is_ok_and(|t| t.body[0] == 1))
    );
    assert_eq!(cuts.load(Ordering::Relaxed), 1);
    assert!(cache.flights.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_cut_is_one_failure_and_no_more() {
    let place = Place::new().await;
    let (cache, workers) = (cache(&place.store), Arc::new(Semaphore::new(1)));
    let broken = |_: &Wanted, _: Option<usize>| -> Result<Cut, Uncut> {
        panic!("{}", Message::new("a defect"))
    };
    assert_eq!(
        cache
            .get(&place.wanted(), &workers, None, broken)
            .await
            .map(|_| ()),
        Err(Failed::Broken)
    );
    assert_eq!(workers.available_permits(), 1);
    assert_eq!(
        cache
            .get(&place.wanted(), &workers, None, count)
            .await
            .map(|t| t.body[0]),
        Ok(1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_holds() {
    let place = Place::new().await;
    let cache = Arc::new(TileCache::new(100_000, &place.store.epoch(), 4));
    let workers = Arc::new(Semaphore::new(4));
    let base = place.wanted();
    for x in 0..200 {
        let coord = TileCoord::new(10, x, 300).unwrap();
        let key = Key {
            coord,
            ..base.key.clone()
        };
        let wanted = Wanted {
            key,
            layers: base.layers.clone(),
            envelopes: coord.query_envelopes().collect(),
            drawn: Vec::new(),
            low_zooms: Arc::clone(&base.low_zooms),
        };
        cache
            .get(&Arc::new(wanted), &workers, None, |_, _| {
                whole(vec![7; 5_000])
            })
            .await
            .map(|_| ())
            .unwrap();
        assert!(cache.bytes() <= 100_000, "{}", cache.bytes());
    }
    assert!(cache.bytes() > 50_000, "{}", cache.bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_tiles_than_can_be_cut_soon_are_refused_and_those_at_hand_are_not() {
    let place = Place::new().await;
    let (cache, workers) = (cache(&place.store), Arc::new(Semaphore::new(1)));
    let base = place.wanted();
    let wanted = |x: u32| {
        let coord = TileCoord::new(10, x, 300).unwrap();
        Arc::new(Wanted {
            key: Key {
                coord,
                ..base.key.clone()
            },
            layers: base.layers.clone(),
            envelopes: coord.query_envelopes().collect(),
            drawn: Vec::new(),
            low_zooms: Arc::clone(&base.low_zooms),
        })
    };
    let at_hand = wanted(1_000);
    cache
        .get(&at_hand, &workers, None, count)
        .await
        .map(|_| ())
        .unwrap();
    // Nobody gets a turn meanwhile.
    let turn = Arc::clone(&workers).acquire_owned().await.unwrap();
    let ahead: Vec<_> = (0..u32::try_from(MAX_FLIGHTS).unwrap())
        .map(|x| {
            let (cache, workers, wanted) = (Arc::clone(&cache), Arc::clone(&workers), wanted(x));
            tokio::spawn(async move { cache.get(&wanted, &workers, None, count).await.map(|_| ()) })
        })
        .collect();
    while cache.flights.lock().unwrap().len() < MAX_FLIGHTS {
        tokio::task::yield_now().await;
    }
    let further = cache
        .get(&wanted(900), &workers, None, count)
        .await
        .map(|_| ());
    assert_eq!(further, Err(Failed::Busy));
    // One that is cut already is waited for, and one that is kept is there.
    let never = |_: &Wanted, _: Option<usize>| -> Result<Cut, Uncut> { panic!("cut again") };
    assert!(cache.get(&at_hand, &workers, None, never).await.is_ok());
    drop(turn);
    for tile in ahead {
        assert_eq!(tile.await.unwrap(), Ok(()));
    }
    assert!(cache.get(&wanted(900), &workers, None, count).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tile_that_is_taken_often_is_packed_better_under_the_same_tag() {
    let place = Place::new().await;
    let (cache, workers) = (cache(&place.store), Arc::new(Semaphore::new(4)));
    let base = place.wanted();
    let bytes: Vec<u8> = (0_u32..40_000)
        .flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 22).to_le_bytes())
        .collect();
    let wanted = Arc::new(Wanted {
        key: Key {
            encoding: Encoding::Gzip,
            ..base.key.clone()
        },
        layers: base.layers.clone(),
        envelopes: base.envelopes.clone(),
        drawn: Vec::new(),
        low_zooms: Arc::clone(&base.low_zooms),
    });
    let cut = {
        let bytes = bytes.clone();
        move |_: &Wanted, _: Option<usize>| whole(bytes.clone())
    };
    let first = cache.get(&wanted, &workers, None, cut.clone()).await;
    let Ok(first) = first else { panic!("no tile") };
    loop {
        let Ok(now) = cache.get(&wanted, &workers, None, cut.clone()).await else {
            panic!("no tile");
        };
        assert_eq!(now.tag, first.tag);
        assert_eq!(
            unpack(&now.body, Encoding::Gzip, bytes.len()).unwrap(),
            bytes
        );
        if now.body.len() < first.body.len() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(cache.misses.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_would_wait_too_long_is_refused_and_what_would_not_is_cut() {
    let place = Place::new().await;
    let (cache, workers) = (cache(&place.store), Arc::new(Semaphore::new(1)));
    let wanted = |n: u32| {
        let mut wanted = Arc::into_inner(place.wanted()).unwrap();
        wanted.key.coord = TileCoord::new(10, n, 0).unwrap();
        Arc::new(wanted)
    };
    let turn = workers.acquire().await.unwrap();
    // The last tiles took a second each.
    for _ in 0..100 {
        cache.note_pace(Duration::from_millis(1_100));
    }
    let mut waiting = Vec::new();
    for n in 0..3 {
        let wanted = wanted(n);
        let mut tile = Box::pin({
            let (cache, workers) = (Arc::clone(&cache), Arc::clone(&workers));
            async move { cache.get(&wanted, &workers, None, count).await.map(|_| ()) }
        });
        assert!(futures_util::poll!(&mut tile).is_pending());
        waiting.push(tile);
    }
    let last = cache.get(&wanted(3), &workers, None, count).await;
    assert_eq!(last.map(|_| ()), Err(Failed::Busy));
    // Whoever wants one that is waited for already waits with them.
    let same = wanted(2);
    let mut same = std::pin::pin!(cache.get(&same, &workers, None, count));
    assert!(futures_util::poll!(&mut same).is_pending());
    drop(turn);
    for tile in waiting {
        assert_eq!(tile.await, Ok(()));
    }
    assert!(same.await.is_ok());
    assert!(cache.get(&wanted(3), &workers, None, count).await.is_ok());
}

#[tokio::test]
async fn what_is_light_is_cut_without_a_worker_and_what_is_not_by_one() {
    let place = Place::new().await;
    let (cache, workers) = (cache(&place.store), Arc::new(Semaphore::new(1)));
    let cut = |wanted: &Wanted, most: Option<usize>| match most {
        Some(most) if most < 5 => Err(Uncut::Heavy),
        most => count(wanted, most),
    };
    let turn = workers.acquire().await.unwrap();
    let light = cache.get(&place.wanted(), &workers, Some(5), cut).await;
    assert_eq!(light.map(|tile| tile.body[0]), Ok(1));
    // It is kept as others are, and no more so than they.
    let never = |_: &Wanted, _: Option<usize>| -> Result<Cut, Uncut> { panic!("cut again") };
    assert!(
        cache
            .get(&place.wanted(), &workers, None, never)
            .await
            .is_ok()
    );
    place.add(10.0, 1).await;
    let wanted = place.wanted();
    let mut heavy = std::pin::pin!(cache.get(&wanted, &workers, Some(4), cut));
    assert!(
        futures_util::poll!(&mut heavy).is_pending(),
        "no worker is free"
    );
    drop(turn);
    assert_eq!(heavy.await.map(|tile| tile.body[0]), Ok(2));
    // A defect is one here too.
    place.add(10.0, 2).await;
    let broken = |_: &Wanted, _: Option<usize>| -> Result<Cut, Uncut> { panic!("a defect") };
    let failed = cache.get(&place.wanted(), &workers, Some(5), broken).await;
    assert_eq!(failed.map(|_| ()), Err(Failed::Broken));
}
