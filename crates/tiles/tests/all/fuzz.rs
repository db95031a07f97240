//! Garbage in: the result is valid, always.

use model::world::WorldPoint;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tiles::{LayerBuilder, TileCoord};

use crate::support::{decoded, lines, points, polygons};

/// Places around the tile, from a few lattice points (everything touches everything) to the whole world.
fn place(tile: TileCoord) -> impl Strategy<Value = WorldPoint> {
    let pixel = 1_i64 << (20 - tile.z());
    let origin = [i64::from(tile.x()), i64::from(tile.y())].map(|t| t * 4096 * pixel);
    let near = move |x: i64, y: i64| {
        let at = |o: i64, v: i64| u32::try_from((o + v).clamp(0, i64::from(u32::MAX))).unwrap();
        [at(origin[0], x), at(origin[1], y)]
    };
    prop_oneof![
        (0..6_i64, 0..6_i64).prop_map(move |(x, y)| near(x * pixel, y * pixel)),
        (0..20 * pixel, 0..20 * pixel).prop_map(move |(x, y)| near(x, y)),
        (-2..3_i64, -2..3_i64).prop_map(move |(x, y)| near(x * 2048 * pixel, y * 2048 * pixel)),
        (-9000 * pixel..9000 * pixel, -9000 * pixel..9000 * pixel)
            .prop_map(move |(x, y)| near(x, y)),
        any::<[u32; 2]>(),
    ]
}

fn tile() -> impl Strategy<Value = TileCoord> {
    (0..=20_u8, any::<u32>(), any::<u32>()).prop_map(|(z, x, y)| {
        let mask = (1_u32 << z) - 1;
        // The edges of the world now and then.
        let pick = |v: u32| match v % 4 {
            0 => 0,
            1 => mask,
            _ => v & mask,
        };
        TileCoord::new(z, pick(x), pick(y)).unwrap()
    })
}

fn ring(tile: TileCoord) -> impl Strategy<Value = Vec<WorldPoint>> {
    // Of one kind of place, or mixed.
    prop_oneof![3 => vec(place(tile), 0..9), 1 => vec(place(tile), 0..60)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn polygons_come_out_valid(
        (tile, features) in tile().prop_flat_map(|t| {
            (Just(t), vec(vec((any::<bool>(), ring(t)), 1..4), 1..4))
        })
    ) {
        let mut builder = LayerBuilder::new(tile, "test", &[]);
        for rings in &features {
            builder.add(1, polygons(rings).view(), []);
        }
        prop_assert_eq!(builder.dropped(), 0);
        decoded(builder);
    }

    #[test]
    fn lines_and_points_come_out_valid(
        (tile, parts) in tile().prop_flat_map(|t| (Just(t), vec(vec(place(t), 0..9), 1..4)))
    ) {
        let mut builder = LayerBuilder::new(tile, "test", &[]);
        builder.add(1, lines(&parts).view(), []);
        builder.add(2, points(&parts.concat()).view(), []);
        decoded(builder);
    }

    /// A shape that shows in some tile shows at all deeper zooms.
    #[test]
    fn nothing_blinks_while_zooming_in(start in any::<[u32; 2]>(), size in 0..12_u32, shape in vec((0..1024_u64, 0..1024_u64), 3..7)) {
        let at = |(x, y): (u64, u64)| {
            let add = |o: u32, v: u64| o.saturating_add(u32::try_from((v << size) >> 9).unwrap());
            [add(start[0], x), add(start[1], y)]
        };
        let shape: Vec<_> = shape.into_iter().map(at).collect();
        let polygon = polygons(&[(false, shape.clone())]);
        let line = lines(&[shape]);
        for feature in [polygon, line] {
            let shows = |z: u8| {
                // A shape of at most 2^13 units lies in few tiles.
                let corner = |f: fn(u32, u32) -> u32| {
                    let fold = |k: usize| feature.coords.iter().map(|p| p[k]).reduce(f).unwrap();
                    TileCoord::containing(z, [fold(0), fold(1)]).unwrap()
                };
                let (low, high) = (corner(u32::min), corner(u32::max));
                (low.x()..=high.x()).any(|x| (low.y()..=high.y()).any(|y| {
                    let mut builder = LayerBuilder::new(TileCoord::new(z, x, y).unwrap(), "t", &[]);
                    builder.add(1, feature.view(), []);
                    builder.finish().is_some()
                }))
            };
            let first = (0..=20).find(|&z| shows(z)).unwrap_or(21);
            for z in first..=20 {
                prop_assert!(shows(z), "shows at {} and not at {}", first, z);
            }
        }
    }
}

/// Ten thousand vertices that cross each other everywhere are left out and counted; a large ring with a few
/// crossings is repaired.
#[test]
fn huge_rings_are_repaired_or_left_out() {
    let tile = TileCoord::new(14, 9316, 5651).unwrap();
    let mut random = crate::support::Random(3);
    let mut builder = LayerBuilder::new(tile, "test", &[]);
    let scribble = (0..30_000)
        .map(|_| crate::support::world(tile, [random.unit() * 4000., random.unit() * 4000.]))
        .collect();
    builder.add(1, polygons(&[(false, scribble)]).view(), []);
    assert_eq!(builder.dropped(), 1);
    let star = (0..50_000)
        .map(|i| {
            let angle = f64::from(i) / 50_000. * std::f64::consts::TAU;
            let r = 1500. + 200. * (angle * 40.).sin() + 3. * random.unit();
            crate::support::world(tile, [2048. + r * angle.cos(), 2048. + r * angle.sin()])
        })
        .collect();
    builder.add(2, polygons(&[(false, star)]).view(), []);
    assert_eq!(builder.dropped(), 1);
    let layer = decoded(builder).unwrap().layers.remove(0);
    assert_eq!(layer.features.len(), 1);
}

/// Many scribbles, each just small enough to be sorted out, end at the layer's budget and not after minutes.
#[test]
fn a_tile_full_of_scribbles_ends() {
    let tile = TileCoord::new(14, 9316, 5651).unwrap();
    let mut random = crate::support::Random(4);
    let mut builder = LayerBuilder::new(tile, "test", &[]);
    for id in 0..200 {
        let scribble = (0..700)
            .map(|_| crate::support::world(tile, [random.unit() * 4000., random.unit() * 4000.]))
            .collect();
        builder.add(id, polygons(&[(false, scribble)]).view(), []);
    }
    let dropped = builder.dropped();
    assert!(dropped > 100, "{dropped}");
    decoded(builder);
}
