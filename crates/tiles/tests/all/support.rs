//! What the tests share.

use model::world::{INTERIOR, WorldBuf, WorldKind, WorldPoint};
use tiles::decode::{Layer, Tile};
use tiles::{LayerBuilder, TileCoord, TileValue, check, decode};

/// A deterministic random number generator (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// From -1 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

pub(crate) fn coord(z: u8, x: u32, y: u32) -> TileCoord {
    TileCoord::new(z, x, y).unwrap()
}

/// World units of a pixel position in a tile.
pub(crate) fn world(tile: TileCoord, [x, y]: [f64; 2]) -> WorldPoint {
    let pixel = f64::from(1_u32 << (20 - tile.z()));
    let at = |tile: u32, v: f64| (((f64::from(tile) * 4096.0) + v) * pixel).round() as u32;
    [at(tile.x(), x), at(tile.y(), y)]
}

pub(crate) fn points(coords: &[WorldPoint]) -> WorldBuf {
    WorldBuf {
        kind: WorldKind::Points,
        coords: coords.to_vec(),
        ends: Vec::new(),
    }
}

pub(crate) fn lines(parts: &[Vec<WorldPoint>]) -> WorldBuf {
    let mut buf = WorldBuf {
        kind: WorldKind::Lines,
        ..points(&[])
    };
    for part in parts {
        buf.coords.extend(part);
        buf.ends.push(u32::try_from(buf.coords.len()).unwrap());
    }
    buf
}

/// Rings are closed here; the flag marks holes.
pub(crate) fn polygons(rings: &[(bool, Vec<WorldPoint>)]) -> WorldBuf {
    let mut buf = WorldBuf {
        kind: WorldKind::Polygons,
        ..points(&[])
    };
    for (interior, ring) in rings {
        buf.coords.extend(ring);
        buf.coords.extend(ring.first());
        let mark = if *interior { INTERIOR } else { 0 };
        buf.ends
            .push(u32::try_from(buf.coords.len()).unwrap() | mark);
    }
    buf
}

/// The features with ids from 1 in a layer `test` without properties, decoded and checked.
pub(crate) fn cut(tile: TileCoord, features: &[WorldBuf]) -> Option<Layer> {
    let mut builder = LayerBuilder::new(tile, "test", &[]);
    for (id, feature) in (1..).zip(features) {
        builder.add(id, feature.view(), []);
    }
    decoded(builder).map(|mut tile| tile.layers.remove(0))
}

pub(crate) fn decoded(builder: LayerBuilder) -> Option<Tile> {
    let tile = tiles::tile(&[builder.finish()?]).unwrap();
    let tile = decode::tile(&tile).unwrap();
    assert_eq!(check::tile(&tile), Ok(()), "{tile}");
    Some(tile)
}

/// The layer as text; empty when there is none.
pub(crate) fn text(tile: TileCoord, features: &[WorldBuf]) -> String {
    cut(tile, features).map_or_else(String::new, |layer| layer.to_string())
}

/// Values for `LayerBuilder::add`, in the order of the keys.
pub(crate) fn values<'a>(
    values: &'a [TileValue<'a>],
) -> impl Iterator<Item = (usize, TileValue<'a>)> {
    values.iter().copied().enumerate()
}
