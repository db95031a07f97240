//! One tile after the other, as the server cuts and packs it.

use std::sync::Arc;

use tiles::TileCoord;

use super::contents::Contents;
use crate::cache::{Key, Wanted, is_heavy};
use crate::low_zoom::{Layer, Planned};
use crate::matrix_sets;
use crate::negotiate::Encoding;
use crate::pack::Packer;
use crate::vector;

/// What one thread needs to cut.
pub(super) struct Cutter<'a> {
    contents: &'a Contents,
    drawn: &'a [Arc<Planned>],
    packer: Packer,
    zoom: Option<Zoom>,
}

/// What the tiles of a zoom have in common.
struct Zoom {
    zoom: u8,
    /// The places of the layers.
    shown: Vec<usize>,
    wanted: Wanted,
}

pub(super) struct Made {
    /// Packed; none where nothing shows.
    pub(super) bytes: Vec<u8>,
    /// The place of the layer with the most bytes, where the tile is heavier than one should be.
    pub(super) heavy: Option<usize>,
}

impl<'a> Cutter<'a> {
    pub(super) fn new(contents: &'a Contents, drawn: &'a [Arc<Planned>]) -> Option<Self> {
        Some(Self {
            contents,
            drawn,
            packer: Packer::for_files()?,
            zoom: None,
        })
    }

    /// `None` when the tile can't be put together.
    pub(super) fn cut(&mut self, tile: TileCoord) -> Option<Made> {
        let zoom = match &mut self.zoom {
            Some(zoom) if zoom.zoom == tile.z() => zoom,
            zoom => zoom.insert(Zoom::new(self.contents, self.drawn, tile)),
        };
        zoom.wanted.key.coord = tile;
        zoom.wanted.envelopes = matrix_sets::usual().envelopes(tile);
        let cut = vector::cut(&zoom.wanted, None).ok()?;
        if cut.bytes.is_empty() {
            let (bytes, heavy) = (Vec::new(), None);
            return Some(Made { bytes, heavy });
        }
        let bytes = self.packer.gzip(&cut.bytes)?;
        let is_heavy = is_heavy(bytes.len(), cut.features);
        Some(Made {
            heavy: is_heavy.then(|| zoom.shown[cut.heaviest]),
            bytes,
        })
    }
}

impl Zoom {
    fn new(contents: &Contents, drawn: &[Arc<Planned>], tile: TileCoord) -> Self {
        let zoom = tile.z();
        let shown = contents.shown(zoom);
        let layers = shown.iter().map(|at| contents.layers[*at].clone());
        let drawn = shown
            .iter()
            .map(|at| Layer::new(Arc::clone(&drawn[*at]), zoom));
        let wanted = Wanted {
            // Nothing is kept by it.
            key: Key {
                collections: Arc::from(""),
                views: Box::default(),
                properties: None,
                moment: i64::MAX,
                set: matrix_sets::usual().place(),
                coord: tile,
                encoding: Encoding::Gzip,
            },
            layers: layers.collect(),
            envelopes: Vec::new(),
            drawn: drawn.collect(),
            low_zooms: Arc::clone(&contents.low_zooms),
        };
        Self {
            zoom,
            shown,
            wanted,
        }
    }
}
