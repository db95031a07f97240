//! A town of parcels, made from a seed.

use geo::{Area, BoundingRect, Distance, Euclidean, Intersects, Rect};
use geo_types::{Coord, Geometry, LineString, MultiPolygon, Point, Polygon};
use spatial::parcels::Parcel;
use std::collections::{BTreeMap, HashMap};

use super::common::rings;

pub(crate) const SIDE: usize = 20;

/// Deterministic numbers: a linear congruence's upper bits.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From -1 to 1.
    pub(crate) fn around(&mut self) -> f64 {
        self.next() * 2.0 - 1.0
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.next() * n as f64) as usize).min(n - 1)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Borders {
    /// Neighbours share all vertices.
    Equal,
    /// One edge in four has a vertex near its middle, and a hair beside it, that the neighbour's has not.
    Ragged,
}

pub(crate) struct Town {
    pub(crate) parcels: BTreeMap<i64, Geometry<f64>>,
    pub(crate) next: i64,
    /// Width of a lot.
    pub(crate) unit: f64,
    pub(crate) random: Random,
    pub(crate) tolerance: f64,
    pub(crate) outline: LineString<f64>,
    pub(crate) borders: Borders,
}

impl Town {
    /// Lots with corners that are no round numbers; each seventh has an island in it, and each eleventh owns another
    /// one far away.
    pub(crate) fn new(origin: Coord<f64>, unit: f64, seed: u64, borders: Borders) -> Self {
        let mut random = Random(seed);
        let mut corners = vec![];
        for i in 0..=SIDE {
            for j in 0..=SIDE {
                corners.push(Coord {
                    x: origin.x + unit * (j as f64 + 0.25 * random.around()),
                    y: origin.y + unit * (i as f64 + 0.25 * random.around()),
                });
            }
        }
        let mut parcels = BTreeMap::new();
        let mut next = 0;
        let mut waiting: Option<Polygon<f64>> = None;
        for i in 0..SIDE {
            for j in 0..SIDE {
                let at = |i: usize, j: usize| corners[i * (SIDE + 1) + j];
                let ring = [at(i, j), at(i, j + 1), at(i + 1, j + 1), at(i + 1, j)];
                let outer = [i == 0, j + 1 == SIDE, i + 1 == SIDE, j == 0];
                let mut shell = vec![];
                for (k, is_outer) in outer.into_iter().enumerate() {
                    let (a, b) = (ring[k], ring[(k + 1) % 4]);
                    shell.push(a);
                    let may = borders == Borders::Ragged && !is_outer && k < 2;
                    let extra = may && random.below(4) == 0;
                    if extra {
                        let (x, y) = (random.around(), random.around());
                        shell.push((a + b) / 2.0 + Coord { x, y } * (1e-6 * unit));
                    }
                }
                let mut lot = Polygon::new(LineString(shell), vec![]);
                if next % 7 == 3 {
                    let middle = ring.iter().fold(Coord { x: 0.0, y: 0.0 }, |a, b| a + *b) / 4.0;
                    let inner = ring.iter().map(|p| middle + (*p - middle) * 0.3).collect();
                    let island = Polygon::new(LineString(inner), vec![]);
                    let mut hole = island.exterior().clone();
                    hole.0.reverse();
                    lot.interiors_push(hole);
                    parcels.insert(next + 10_000, Geometry::Polygon(island));
                }
                let geometry = match waiting.take() {
                    Some(first) if next % 11 == 8 => {
                        Geometry::MultiPolygon(MultiPolygon(vec![first, lot]))
                    }
                    other => {
                        waiting = other;
                        if next % 11 == 0 && waiting.is_none() && next + 11 < (SIDE * SIDE) as i64 {
                            waiting = Some(lot);
                            next += 1;
                            continue;
                        }
                        Geometry::Polygon(lot)
                    }
                };
                parcels.insert(next, geometry);
                next += 1;
            }
        }
        assert!(waiting.is_none());
        let at = |i: usize, j: usize| corners[i * (SIDE + 1) + j];
        let mut outline: Vec<_> = (0..SIDE).map(|j| at(0, j)).collect();
        outline.extend((0..SIDE).map(|i| at(i, SIDE)));
        outline.extend((0..SIDE).map(|j| at(SIDE, SIDE - j)));
        outline.extend((0..=SIDE).map(|i| at(SIDE - i, 0)));
        Self {
            tolerance: 1e-5 * unit,
            outline: LineString(outline),
            borders,
            parcels,
            next: 20_000,
            unit,
            random,
        }
    }

    pub(crate) fn pick(&mut self) -> Parcel {
        let n = self.random.below(self.parcels.len());
        let (key, geometry) = self.parcels.iter().nth(n).expect("below the count");
        Parcel {
            key: *key,
            geometry: geometry.clone(),
        }
    }

    /// All parcels whose boxes meet a box, but for those of some keys.
    pub(crate) fn near(&self, rect: Rect<f64>, but: &[i64]) -> Vec<Parcel> {
        let near = self.parcels.iter().filter(|(key, geometry)| {
            !but.contains(key)
                && geometry
                    .bounding_rect()
                    .expect("it has points")
                    .intersects(&rect)
        });
        near.map(|(key, geometry)| Parcel {
            key: *key,
            geometry: geometry.clone(),
        })
        .collect()
    }

    pub(crate) fn beside(&self, parcel: &Parcel) -> Vec<Parcel> {
        self.near(
            parcel.geometry.bounding_rect().expect("it has points"),
            &[parcel.key],
        )
    }

    pub(crate) fn put(&mut self, parcels: Vec<Parcel>) {
        for p in parcels {
            assert!(self.parcels.insert(p.key, p.geometry).is_some());
        }
    }

    pub(crate) fn add(&mut self, geometry: Geometry<f64>) {
        self.parcels.insert(self.next, geometry);
        self.next += 1;
    }

    /// Whether a vertex is on the town's border, from which new ones deviate by rounding.
    pub(crate) fn is_outer(&self, p: Coord<f64>) -> bool {
        Euclidean.distance(&Point(p), &self.outline) < 1e-5 * self.unit
    }

    pub(crate) fn all(&self) -> Vec<Parcel> {
        let all = self.parcels.iter().map(|(key, geometry)| Parcel {
            key: *key,
            geometry: geometry.clone(),
        });
        all.collect()
    }

    pub(crate) fn area(&self) -> f64 {
        self.parcels.values().map(Area::unsigned_area).sum()
    }

    /// Edges of the town's border, each end with what goes on from it.
    pub(crate) fn outer(&self) -> Vec<[[u64; 2]; 2]> {
        let key = |c: Coord<f64>| [c.x.to_bits(), c.y.to_bits()];
        let mut count: HashMap<[[u64; 2]; 2], i32> = HashMap::new();
        for l in self
            .parcels
            .values()
            .flat_map(rings)
            .flat_map(|r| r.lines().collect::<Vec<_>>())
        {
            *count.entry([key(l.start), key(l.end)]).or_default() += 1;
            *count.entry([key(l.end), key(l.start)]).or_default() -= 1;
        }
        assert!(
            count.values().all(|n| n.abs() <= 1),
            "two parcels lie on one side of an edge"
        );
        count
            .into_iter()
            .filter(|(_, n)| *n == 1)
            .map(|(e, _)| e)
            .collect()
    }
}
