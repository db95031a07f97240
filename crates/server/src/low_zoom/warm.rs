//! Making low zooms before anybody asks for them.

use std::sync::Arc;
use std::time::Duration;

use model::access::Principal;
use store::LiveCollection;
use tiles::TileCoord;

use super::{Layer, Of, Planned};
use crate::app::App;
use crate::matrix_sets;

/// Looks at each collection as everybody sees it and puts together what its low zooms show, one after the other; to be done
/// once, when the server starts. Requests go first where there is one core more; what they need they make themselves.
pub(crate) async fn warm(app: App) {
    while !app.store.live().loaded {
        tokio::time::sleep(PAUSE).await;
    }
    for live in app.sight_of(Principal::anonymous()).all() {
        let low_zooms = Arc::clone(&app.low_zooms);
        let collection = live.collection.id.clone();
        let tiles = low_zooms_of(&app, &live).await;
        let count = tiles.len();
        for (planned, zoom, tile) in tiles {
            let (low_zooms, live) = (Arc::clone(&low_zooms), live.clone());
            let together = move || {
                let of = Of {
                    live: &live,
                    moment: i64::MAX,
                    set: matrix_sets::usual(),
                };
                low_zooms.together(of, &Layer::new(planned, zoom), tile);
            };
            if app.work(together).await.is_err() {
                tracing::warn!(%collection, "its low zooms are made when they are asked for");
                break;
            }
        }
        tracing::debug!(%collection, tiles = count, "low zooms are made");
    }
}

/// The tiles of a collection that show something together, the deepest first: what is before is made of them.
async fn low_zooms_of(app: &App, live: &LiveCollection) -> Vec<(Arc<Planned>, u8, TileCoord)> {
    let (low_zooms, owned) = (Arc::clone(&app.low_zooms), live.clone());
    let Ok(planned) = app.work(move || low_zooms.plan(&owned)).await else {
        return Vec::new();
    };
    let Some(extent) = live.index.extent() else {
        return Vec::new();
    };
    let set = matrix_sets::usual();
    let mut all = Vec::new();
    for zoom in (0..=super::plan::DEEPEST).rev() {
        let is_low = Layer::new(Arc::clone(&planned), zoom).is_low();
        let Some([first, last]) = set.range(zoom, &extent).filter(|_| is_low) else {
            continue;
        };
        // A layer with features all over a country is made where somebody looks.
        let count = u64::from(last.x() - first.x() + 1) * u64::from(last.y() - first.y() + 1);
        if count > MAX_TILES {
            continue;
        }
        let places =
            (first.y()..=last.y()).flat_map(|y| (first.x()..=last.x()).map(move |x| (x, y)));
        let tiles = places.filter_map(|(x, y)| TileCoord::new(zoom, x, y).ok());
        all.extend(tiles.map(|tile| (Arc::clone(&planned), zoom, tile)));
    }
    all
}

/// Between two looks whether the index is there.
const PAUSE: Duration = Duration::from_millis(200);

/// Of one zoom of one collection.
const MAX_TILES: u64 = 10_000;
