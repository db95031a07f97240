//! Data for the benches: a gap-free town, the same at every run.

use model::Envelope;
use model::Value;
use model::world::{WorldBuf, WorldKind, WorldPoint, unproject};
use tiles::TileCoord;

/// Names of a parcel's properties.
pub const KEYS: [&str; 5] = ["number", "area", "purpose", "owner", "address"];

pub struct Parcel {
    pub geometry: WorldBuf,
    pub envelope: Envelope,
    /// In the order of [`KEYS`].
    pub values: [Value; 5],
}

/// A deterministic random number generator (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From -1 to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// A grid of `side` times `side` parcels over a tile and its buffer, with jittered corners and two vertices
/// on average on each common edge, 12 a parcel. One edge in fifty has a notch of a hundredth of the edge's
/// length, which rounding closes or crosses where a parcel is a few dozen pixels wide.
pub fn parcels(tile: TileCoord, side: usize) -> Vec<Parcel> {
    let mut random = Random(side as u64);
    let cell = (4096.0 + 130.0) / side as f64;
    let mut corner = |i: usize, j: usize| {
        let at = |k: usize, off: f64| (k as f64 + off * 0.2) * cell - 65.0;
        [at(i, random.unit()), at(j, random.unit())]
    };
    let grid = |f: &mut dyn FnMut(usize, usize) -> [f64; 2]| -> Vec<Vec<[f64; 2]>> {
        (0..=side)
            .map(|j| (0..=side).map(|i| f(i, j)).collect())
            .collect()
    };
    let corners = grid(&mut corner);
    let mut edge = |a: [f64; 2], b: [f64; 2]| -> Vec<WorldPoint> {
        let count = random.next() % 5;
        let mut line = vec![world(tile, a)];
        for k in 1..=count {
            let t = k as f64 / (count + 1) as f64;
            let mid = [0, 1].map(|k| a[k] + (b[k] - a[k]) * t + random.unit() * cell * 0.03);
            line.push(world(tile, mid));
        }
        if random.next().is_multiple_of(50) {
            let aside = [(a[1] - b[1]) * 0.2, (b[0] - a[0]) * 0.2];
            let mut notch = |t: f64, deep: f64| {
                let p = [0, 1].map(|k| a[k] + (b[k] - a[k]) * t + aside[k] * deep);
                line.push(world(tile, p));
            };
            for (t, deep) in [(0.9, 0.0), (0.9, 1.0), (0.91, 1.0), (0.91, 0.0)] {
                notch(t, deep);
            }
        }
        line.push(world(tile, b));
        line
    };
    let mut edges = |di: usize, dj: usize| -> Vec<Vec<Vec<WorldPoint>>> {
        let row = |j: usize, edge: &mut dyn FnMut([f64; 2], [f64; 2]) -> Vec<WorldPoint>| {
            (0..=side - di)
                .map(|i| edge(corners[j][i], corners[j + dj][i + di]))
                .collect()
        };
        (0..=side - dj).map(|j| row(j, &mut edge)).collect()
    };
    let (across, down) = (edges(1, 0), edges(0, 1));
    let mut parcels = Vec::with_capacity(side * side);
    for j in 0..side {
        for i in 0..side {
            let mut coords: Vec<WorldPoint> = Vec::new();
            let mut walk = |line: &mut dyn Iterator<Item = &WorldPoint>| {
                let line: Vec<_> = line.copied().collect();
                coords.extend(&line[..line.len() - 1]);
            };
            walk(&mut across[j][i].iter());
            walk(&mut down[j][i + 1].iter());
            walk(&mut across[j + 1][i].iter().rev());
            walk(&mut down[j][i].iter().rev());
            coords.push(coords[0]);
            parcels.push(parcel(coords, parcels.len()));
        }
    }
    parcels
}

fn parcel(coords: Vec<WorldPoint>, number: usize) -> Parcel {
    let envelope = Envelope::of(coords.iter().map(|&p| unproject(p))).unwrap_or(Envelope {
        min: [0.0; 2],
        max: [0.0; 2],
    });
    let end = u32::try_from(coords.len()).unwrap_or(0);
    let text = |text: String| Value::Text(text.into());
    Parcel {
        geometry: WorldBuf {
            kind: WorldKind::Polygons,
            coords,
            ends: vec![end],
        },
        envelope,
        values: [
            text(format!(
                "2610100000:{:02}:{:03}:{:04}",
                number / 100_000,
                number / 1000 % 1000,
                number % 1000
            )),
            Value::Real((number * 7919 % 100_000) as f64 / 10.0),
            text(format!(
                "{:02}.{:02}",
                number * 31 % 19 + 1,
                number * 17 % 13 + 1
            )),
            text(["private", "municipal", "state", "collective"][number % 4].to_owned()),
            text(format!("вул. Незалежності, {number}")),
        ],
    }
}

fn world(tile: TileCoord, [x, y]: [f64; 2]) -> WorldPoint {
    let pixel = f64::from(1_u32 << (20 - tile.z()));
    [(tile.x(), x), (tile.y(), y)]
        .map(|(t, v)| ((f64::from(t) * 4096.0 + v) * pixel).round() as u32)
}
