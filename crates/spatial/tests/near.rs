//! What the index says of a feature and a box is what the stored geometry says, where it says anything.

#![allow(clippy::unwrap_used)]

use geo_types::{Coord, Geometry, LineString, MultiPolygon, Point, Polygon};
use model::{Bbox, world};
use spatial::index::{Builder, Snapshot};

/// `splitmix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
}

fn star(random: &mut Random, center: Coord, radius: f64) -> Vec<Coord> {
    let n = 3 + random.next() % 9;
    let mut ring: Vec<Coord> = (0..n)
        .map(|i| {
            let angle = (i as f64 + random.unit()) / n as f64 * std::f64::consts::TAU;
            let r = radius * random.between(0.3, 1.0);
            Coord {
                x: center.x + r * angle.cos(),
                y: center.y + r * angle.sin(),
            }
        })
        .collect();
    ring.push(ring[0]);
    ring
}

/// Of five kinds, the last with holes.
fn geometry(random: &mut Random, kinds: u64, center: Coord, size: f64) -> Geometry<f64> {
    match random.next() % kinds {
        0 => Point(center).into(),
        1 => LineString(star(random, center, size)).into(),
        4 => {
            let hole = star(random, center, size * 0.25);
            Polygon::new(
                LineString(star(random, center, size)),
                vec![LineString(hole)],
            )
            .into()
        }
        3 => {
            let other = Coord {
                x: center.x + size,
                y: center.y,
            };
            let rings = [center, other].map(|c| star(random, c, size));
            let polygons = rings.map(|r| Polygon::new(LineString(r), vec![]));
            MultiPolygon(polygons.to_vec()).into()
        }
        _ => Polygon::new(LineString(star(random, center, size)), vec![]).into(),
    }
}

fn indexed(geometry: &Geometry<f64>) -> Snapshot {
    let mut builder = Builder::new(0, &[]);
    let envelope = spatial::envelope(geometry);
    let world = world::from_geometry(geometry);
    builder.push(1, envelope, &world, &[]).unwrap();
    builder.finish()
}

/// Features of a size in degrees, at latitudes up to a bound: how many of the answers were left open.
fn compare(seed: u64, kinds: u64, size: f64, latitude: f64, rounds: u32) -> u32 {
    let mut random = Random(seed);
    let mut open = 0;
    for _ in 0..rounds {
        let center = Coord {
            x: random.between(-179.0, 179.0),
            y: random.between(-latitude, latitude),
        };
        let shape = geometry(&mut random, kinds, center, size);
        let snapshot = indexed(&shape);
        let hit = snapshot.iter().next().unwrap();
        for _ in 0..8 {
            let west = center.x + random.between(-2.0, 1.0) * size;
            let south = (center.y + random.between(-2.0, 1.0) * size).clamp(-90.0, 90.0);
            let [wide, high] = [0, 0].map(|_| size * random.unit().powi(3) * 3.0);
            let bbox = Bbox {
                west,
                south,
                east: west + wide,
                north: (south + high).min(90.0),
            };
            let exact = spatial::intersects(&shape, &bbox);
            match spatial::meets(&hit, &bbox) {
                Some(said) => assert_eq!(said, exact, "{shape:?} {bbox:?}"),
                None => open += 1,
            }
        }
    }
    open
}

#[test]
fn what_the_index_decides_is_so() {
    // Parcels: the bound is some centimetres, so hardly anything is left open but boxes of that size.
    let open = compare(1, 4, 0.001, 70.0, 20_000);
    assert!(open < 3_200, "{open} of 160,000");
    compare(5, 5, 0.001, 70.0, 20_000);
    // Towns and countries, whose edges the map bends.
    compare(2, 5, 0.1, 80.0, 5_000);
    compare(3, 5, 10.0, 60.0, 5_000);
    // Over the edge of the map.
    compare(4, 5, 5.0, 84.0, 2_000);
}

#[test]
fn edges_that_touch_are_left_to_the_stored_geometry() {
    let square = |x: f64, y: f64| -> Geometry<f64> {
        let ring = [(x, y), (x + 1.0, y), (x + 0.5, y + 1.0), (x, y)];
        Polygon::new(ring.to_vec().into(), vec![]).into()
    };
    let snapshot = indexed(&square(24.0, 48.0));
    let hit = snapshot.iter().next().unwrap();
    for (numbers, expected) in [
        ([24.9, 48.8, 25.0, 49.0], Some(false)),
        ([24.4, 48.4, 24.6, 48.6], Some(true)),
        ([24.5, 49.0, 25.0, 50.0], None),
        ([24.75, 48.5, 25.5, 49.5], None),
        ([24.5, 48.5, 24.5, 48.5], Some(true)),
        ([23.0, 47.0, 26.0, 50.0], Some(true)),
    ] {
        let bbox = Bbox::new(&numbers).unwrap();
        assert_eq!(spatial::meets(&hit, &bbox), expected, "{numbers:?}");
    }
}
