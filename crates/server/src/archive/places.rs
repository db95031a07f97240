//! The tiles in which something may show, in the order of their ids.

use std::sync::Arc;

use tiles::TileCoord;
use tiles::pmtiles::tile_id;

use super::contents::Contents;
use crate::low_zoom::{Layer, Planned};

/// Goes down the quadtree of each zoom by itself, so that nothing has to be kept of it: a zoom has a third more tiles above
/// it than in it. Where a tile with its buffer is empty, so is all below.
pub(super) struct Places<'a> {
    contents: &'a Contents,
    drawn: &'a [Arc<Planned>],
    /// Of the zoom.
    shown: Vec<usize>,
    is_low: bool,
    /// `None` before the first.
    zoom: Option<u8>,
    /// Tiles of any zoom that are still to be looked into, the next one last.
    ahead: Vec<TileCoord>,
    /// The last id that is not wanted any more.
    after: Option<u64>,
}

impl<'a> Places<'a> {
    /// Tiles with ids greater than `after`.
    pub(super) fn new(
        contents: &'a Contents,
        drawn: &'a [Arc<Planned>],
        after: Option<u64>,
    ) -> Self {
        Self {
            contents,
            drawn,
            shown: Vec::new(),
            is_low: false,
            zoom: None,
            ahead: Vec::new(),
            after,
        }
    }

    /// Those of one zoom.
    pub(super) fn of_zoom(contents: &'a Contents, drawn: &'a [Arc<Planned>], zoom: u8) -> Self {
        let mut places = Self::new(contents, drawn, None);
        places.enter(zoom);
        places
    }

    fn enter(&mut self, zoom: u8) {
        self.zoom = Some(zoom);
        self.shown = self.contents.shown(zoom);
        let is_low = |at: &usize| Layer::new(Arc::clone(&self.drawn[*at]), zoom).is_low();
        self.is_low = self.shown.iter().any(is_low);
        let root = TileCoord::new(0, 0, 0).ok();
        self.ahead
            .extend(root.filter(|root| self.is_ahead(*root, zoom)));
    }

    fn is_ahead(&self, tile: TileCoord, zoom: u8) -> bool {
        self.after.is_none_or(|after| last_id(tile, zoom) > after)
            && self.contents.is_asked_for(tile)
            && self.may_show(tile, zoom)
    }

    fn may_show(&self, tile: TileCoord, zoom: u8) -> bool {
        // What is drawn together is moved by up to a square of points, beyond a tile's buffer; but not beyond that of the
        // tile above, which is twice as wide.
        if self.is_low && tile.z() == zoom && zoom > 0 {
            return true;
        }
        let mut envelopes = tile.query_envelopes();
        envelopes.any(|envelope| {
            let mut layers = self.shown.iter().map(|at| &self.contents.layers[*at]);
            layers.any(|live| live.index.search(&envelope).next().is_some())
        })
    }
}

impl Iterator for Places<'_> {
    type Item = TileCoord;

    fn next(&mut self) -> Option<TileCoord> {
        loop {
            let Some((tile, zoom)) = self.ahead.pop().zip(self.zoom) else {
                let next = self
                    .zoom
                    .map_or(*self.contents.zooms.start(), |zoom| zoom + 1);
                if next > *self.contents.zooms.end() {
                    return None;
                }
                self.enter(next);
                continue;
            };
            if tile.z() == zoom {
                return Some(tile);
            }
            let mut children = tile.children().unwrap_or([tile; 4]);
            children.sort_unstable_by_key(|child| std::cmp::Reverse(tile_id(*child)));
            let ahead = children
                .into_iter()
                .filter(|child| self.is_ahead(*child, zoom));
            let ahead: Vec<TileCoord> = ahead.collect();
            self.ahead.extend(ahead);
        }
    }
}

/// The greatest id that a tile of a zoom within this one has: they follow each other.
fn last_id(tile: TileCoord, zoom: u8) -> u64 {
    let first = |z: u8| TileCoord::new(z, 0, 0).map_or(0, tile_id);
    let below = 2 * u32::from(zoom.saturating_sub(tile.z()));
    let along = tile_id(tile) - first(tile.z());
    first(zoom) + (((along + 1) << below) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_id_within_a_tile_is_that_of_one_of_its_corners() {
        let tile = TileCoord::new(3, 5, 2).unwrap();
        let below = (0..8).flat_map(|dx| (0..8).map(move |dy| (5 * 8 + dx, 2 * 8 + dy)));
        let ids = below.map(|(x, y)| tile_id(TileCoord::new(6, x, y).unwrap()));
        assert_eq!(last_id(tile, 6), ids.max().unwrap());
        assert_eq!(last_id(tile, 3), tile_id(tile));
    }
}
