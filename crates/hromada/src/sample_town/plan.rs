//! The plan of the town: rings of blocks around a market square, cut by radial streets, with a river that bends around the old town.
//!
//! Band `k` is a ring of blocks; ring street `k` runs along its inner side. A band has `sectors` radial streets and as many blocks:
//! block `i` lies between the radial streets `i` and `i + 1`. Where blocks grow too long the next band has twice as many.

use super::block::{Block, Fill, Site};
use super::number::Random;

/// Main radial streets, and sectors of the town for zones and street names.
pub(super) const MAIN: usize = 6;
/// Longest block in metres before the radial streets double.
const LONGEST_BLOCK: f64 = 250.0;
/// Mean land of a parcel with its share of streets, in square metres: only to guess the size of the town.
const LAND: f64 = 1_000.0;
/// Width of the river in metres.
const RIVER: f64 = 52.0;
/// Smallest town that has a river, in parcels.
const RIVER_FROM: u64 = 1_500;

/// Most parcels: beyond it zone, quarter and parcel numbers of one settlement run out (99 x 999 x 9999, far from full in practice).
pub(super) const MAX_PARCELS: u64 = 25_000_000;

pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) bands: Vec<Band>,
    /// Bearing of each radial street in turns, by level of doubling.
    bearings: Vec<Vec<f64>>,
    /// First band that the river flows in.
    pub(super) river: Option<usize>,
    /// Parcels of the square: 1, or all of a hamlet too small for a street.
    pub(super) centre: u64,
    /// Expected radius in metres.
    radius: f64,
}

pub(super) struct Band {
    /// Middle of the ring street along the inner side, and its width, in metres.
    pub(super) ring: f64,
    pub(super) ring_width: f64,
    /// From the inner to the outer edge of the blocks.
    pub(super) inner: f64,
    pub(super) outer: f64,
    pub(super) sectors: usize,
    pub(super) level: usize,
    fill: BandFill,
}

enum BandFill {
    /// So many more than natural over the whole band.
    Natural(u64),
    Exactly(u64),
}

/// What lies between two blocks, or where a ring street meets the river.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Street,
    Bridge,
    Water,
}

impl Plan {
    /// A plan with exactly `parcels` parcels, in 1..=`MAX_PARCELS`. Time linear in parcels, memory in their square root.
    pub(super) fn new(parcels: u64, seed: u64) -> Self {
        let radius = (parcels as f64 * LAND / std::f64::consts::PI).sqrt();
        let mut random = Random::of(seed, [2, 0, 0]);
        let main = (0..MAIN)
            .map(|n| (n as f64 + random.range(-0.15, 0.15)) / MAIN as f64)
            .collect();
        let mut plan = Self {
            seed,
            bands: Vec::new(),
            bearings: vec![main],
            river: None,
            centre: 1,
            radius,
        };
        let mut total = 1;
        while total < parcels {
            plan.add_band(parcels);
            let (k, left) = (plan.bands.len() - 1, parcels - total);
            let ways = plan.ways(k);
            let blocks = plan.bands[k].sectors as u64;
            let natural = (0..plan.bands[k].sectors)
                .map(|i| plan.block(k, i).count())
                .sum::<u64>();
            if ways + natural <= left {
                total += ways + natural;
                continue;
            }
            if ways + blocks <= left {
                plan.bands[k].fill = BandFill::Exactly(left - ways);
            } else {
                plan.bands.pop();
                match plan.bands.last_mut() {
                    Some(last) => last.fill = BandFill::Natural(left),
                    None => plan.centre += left,
                }
            }
            break;
        }
        plan
    }

    fn add_band(&mut self, parcels: u64) {
        let k = self.bands.len();
        let mut random = Random::of(self.seed, [3, k as u64, 0]);
        let (edge, mut level) = self.bands.last().map_or((62.0, 0), |b| (b.outer, b.level));
        let ring_width = if k.is_multiple_of(5) { 20.0 } else { 12.0 };
        let inner = edge + ring_width;
        if self.river.is_none() && parcels >= RIVER_FROM && inner > self.radius * 0.3 {
            self.river = Some(k);
        }
        let depth = if self.river == Some(k) {
            RIVER
        } else {
            random.range(72.0, 108.0)
        };
        if std::f64::consts::TAU * inner / (MAIN << level) as f64 > LONGEST_BLOCK {
            level += 1;
            if self.bearings.len() == level {
                let next = self.doubled(&self.bearings[level - 1], level);
                self.bearings.push(next);
            }
        }
        self.bands.push(Band {
            ring: edge + ring_width / 2.0,
            ring_width,
            inner,
            outer: inner + depth,
            sectors: MAIN << level,
            level,
            fill: BandFill::Natural(0),
        });
    }

    fn doubled(&self, bearings: &[f64], level: usize) -> Vec<f64> {
        let mut out = Vec::with_capacity(bearings.len() * 2);
        for (i, here) in bearings.iter().enumerate() {
            let next = bearings.get(i + 1).copied().unwrap_or(bearings[0] + 1.0);
            let share = Random::of(self.seed, [4, level as u64, i as u64]).range(0.45, 0.55);
            out.extend([*here, here + (next - here) * share]);
        }
        out
    }

    /// Parcels of band `k` that are no block's: its radial streets, and the ring street along its inner side.
    fn ways(&self, k: usize) -> u64 {
        let along = if k == 0 {
            MAIN
        } else {
            self.bands[k - 1].sectors + self.crossings(k)
        };
        (self.bands[k].sectors + along) as u64
    }

    /// Places where ring street `r` meets the river: each is a parcel of its own.
    pub(super) fn crossings(&self, r: usize) -> usize {
        if self.river.is_some_and(|from| r > from) {
            2
        } else {
            0
        }
    }

    /// Radial streets of band `k` for each one of band `k - 1`.
    pub(super) fn factor(&self, k: usize) -> usize {
        if k == 0 {
            1
        } else {
            self.bands[k].sectors / self.bands[k - 1].sectors
        }
    }

    /// Whether radial `i` of band `k` is where the river comes in or leaves: main radials 1 and 3.
    pub(super) fn is_river(&self, k: usize, i: usize) -> bool {
        let first = self.bands[k].sectors / MAIN;
        self.river.is_some_and(|from| k >= from) && (i == first || i == 3 * first)
    }

    pub(super) fn radial(&self, k: usize, i: usize) -> Way {
        let first = self.bands[k].sectors / MAIN;
        if self.is_river(k, i) {
            return Way::Water;
        }
        if self.river != Some(k) || i < first || i > 3 * first {
            return Way::Street;
        }
        // Across the river's bend go the main streets and the first ones between them.
        if (i * 2).is_multiple_of(first) {
            Way::Bridge
        } else {
            Way::Water
        }
    }

    /// Where ring street `r` meets radial `i` of band `r`.
    pub(super) fn crossing(&self, r: usize, i: usize) -> Way {
        match self.river {
            Some(from) if r > from && self.is_river(r, i) => {
                if r > from + 1 && r.is_multiple_of(5) {
                    Way::Bridge
                } else {
                    Way::Water
                }
            }
            _ => Way::Street,
        }
    }

    /// Width of radial `i` in band `k`, metres.
    pub(super) fn width(&self, k: usize, i: usize) -> f64 {
        if self.is_river(k, i) {
            RIVER
        } else if i.is_multiple_of(self.bands[k].sectors / MAIN) {
            22.0
        } else {
            12.0
        }
    }

    /// Bearing of radial `i` of band `k` in turns; `i` may be `sectors`, which is 0 again.
    pub(super) fn bearing(&self, k: usize, i: usize) -> f64 {
        let bearings = &self.bearings[self.bands[k].level];
        bearings[i % bearings.len()]
    }

    /// Turns from radial `i` to the next one.
    pub(super) fn span(&self, k: usize, i: usize) -> f64 {
        let last = i + 1 == self.bands[k].sectors;
        self.bearing(k, i + 1) + if last { 1.0 } else { 0.0 } - self.bearing(k, i)
    }

    pub(super) fn block(&self, k: usize, i: usize) -> Block {
        let band = &self.bands[k];
        let middle = (band.inner + band.outer) / 2.0;
        let streets = (self.width(k, i) + self.width(k, (i + 1) % band.sectors)) / 2.0;
        let first = band.sectors / MAIN;
        // Four bands deep and an eighth of a sector wide (in the outer town) the land has one character.
        let patch = (i * MAIN * 8 / band.sectors) as u64;
        let site = Site {
            arc: (std::f64::consts::TAU * middle * self.span(k, i) - streets).max(10.0),
            depth: band.outer - band.inner,
            outness: middle / self.radius,
            water: self.river == Some(k) && (first..3 * first).contains(&i),
            district: Random::of(self.seed, [5, k as u64 / 4, patch]).unit(),
        };
        let share = |all: u64| {
            all / band.sectors as u64 + u64::from((i as u64) < all % band.sectors as u64)
        };
        let fill = match band.fill {
            BandFill::Natural(extra) => Fill::Natural(share(extra)),
            BandFill::Exactly(count) => Fill::Exactly(share(count)),
        };
        Block::new(
            &site,
            fill,
            &mut Random::of(self.seed, [6, k as u64, i as u64]),
        )
    }

    /// Parcels of the plan, counted block by block.
    #[cfg(test)]
    fn count(&self) -> u64 {
        let bands = 0..self.bands.len();
        let blocks = |k: usize| {
            (0..self.bands[k].sectors)
                .map(|i| self.block(k, i).count())
                .sum::<u64>()
        };
        self.centre + bands.map(|k| self.ways(k) + blocks(k)).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_exactly_the_parcels_asked_for() {
        for n in (1..200).chain([
            999, 1_000, 1_499, 1_500, 1_501, 2_000, 5_000, 12_345, 100_000,
        ]) {
            for seed in [1, 2] {
                assert_eq!(Plan::new(n, seed).count(), n, "{n} parcels, seed {seed}");
            }
        }
    }

    #[test]
    fn a_town_has_a_river_with_bridges_on_rays_and_rings() {
        let plan = Plan::new(20_000, 3);
        let k = plan.river.expect("a town of this size has a river");
        let ways: Vec<Way> = (0..plan.bands[k].sectors)
            .map(|i| plan.radial(k, i))
            .collect();
        assert!(
            ways.contains(&Way::Bridge)
                && ways.contains(&Way::Water)
                && ways.contains(&Way::Street)
        );
        let met = (k + 2..plan.bands.len()).map(|r| plan.crossing(r, plan.bands[r].sectors / MAIN));
        assert!(met.clone().any(|w| w == Way::Bridge) && met.clone().any(|w| w == Way::Water));
    }
}
