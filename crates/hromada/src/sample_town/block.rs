//! A block: the land between two radial streets and two ring streets, cut into one or two rows of parcels.

use super::number::Random;

/// Places of cuts along a block: 0 at the street of lower bearing, `SCALE` at the next one.
pub(super) const SCALE: u16 = 512;
/// Longest straight piece of a block's edge in metres: longer ones would cut the corner of a bent street.
const STRAIGHT: f64 = 45.0;
/// Most parcels in a row, so that cuts stay apart after rounding.
const MAX_ROW: u64 = 120;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Houses,
    Flats,
    Shops,
    Works,
    School,
    Park,
    Garden,
    Field,
    Water,
}

/// Where a block lies, as far as its use depends on it.
pub(super) struct Site {
    /// Metres along the middle of the block, and across it.
    pub(super) arc: f64,
    pub(super) depth: f64,
    /// 0 at the square, 1 at the expected edge of the town.
    pub(super) outness: f64,
    pub(super) water: bool,
    /// Random number that neighbouring blocks share.
    pub(super) district: f64,
}

pub(super) struct Block {
    pub(super) kind: Kind,
    /// Cuts of the inner row (or the only one), from 0 to `SCALE`.
    pub(super) inner: Vec<u16>,
    /// Cuts of the outer row; empty when the block has one row.
    pub(super) outer: Vec<u16>,
    /// Straight pieces that its edges need.
    pieces: u16,
}

/// How many parcels a block gets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fill {
    /// As its use asks for, and so many more.
    Natural(u64),
    Exactly(u64),
}

impl Block {
    pub(super) fn new(site: &Site, fill: Fill, random: &mut Random) -> Self {
        let kind = kind(site, random);
        let (mut inner, mut outer) = rows(kind, site, random);
        match fill {
            Fill::Natural(extra) if outer == 0 => inner += extra,
            Fill::Natural(extra) => outer += extra,
            Fill::Exactly(count) if outer == 0 || count < 6 => (inner, outer) = (count, 0),
            Fill::Exactly(count) => (inner, outer) = (count - count / 2, count / 2),
        }
        Self {
            kind,
            inner: cuts(inner, random),
            outer: if outer == 0 {
                Vec::new()
            } else {
                cuts(outer, random)
            },
            pieces: (site.arc / STRAIGHT).ceil().clamp(1.0, 64.0) as u16,
        }
    }

    pub(super) fn count(&self) -> u64 {
        (self.inner.len() - 1 + self.outer.len().saturating_sub(1)) as u64
    }

    pub(super) fn two_rows(&self) -> bool {
        !self.outer.is_empty()
    }

    /// Vertices of the edge towards the square, ends included.
    pub(super) fn inner_edge(&self) -> Vec<u16> {
        self.with_shape(self.inner.clone())
    }

    /// Vertices of the edge away from the square.
    pub(super) fn outer_edge(&self) -> Vec<u16> {
        self.with_shape(
            if self.two_rows() {
                &self.outer
            } else {
                &self.inner
            }
            .clone(),
        )
    }

    /// Vertices of the line between the rows: the cuts of both.
    pub(super) fn mid_line(&self) -> Vec<u16> {
        if !self.two_rows() {
            return Vec::new();
        }
        let mut both = [self.inner.as_slice(), self.outer.as_slice()].concat();
        both.sort_unstable();
        both.dedup();
        self.with_shape(both)
    }

    /// Adds vertices where cuts are too far apart for the edge to follow a bent street.
    fn with_shape(&self, mut cuts: Vec<u16>) -> Vec<u16> {
        let step = SCALE / self.pieces;
        let near = (step / 4).max(1);
        for place in (1..self.pieces).map(|n| n * step) {
            if !cuts.iter().any(|c| c.abs_diff(place) <= near) {
                cuts.push(place);
            }
        }
        cuts.sort_unstable();
        cuts
    }
}

/// Increasing, at uneven steps, from 0 to `SCALE`.
fn cuts(parcels: u64, random: &mut Random) -> Vec<u16> {
    let n = parcels.clamp(1, MAX_ROW);
    let mut cuts: Vec<u16> = (0..n)
        .map(|j| {
            let shift = if j == 0 {
                0.0
            } else {
                random.range(-0.22, 0.22)
            };
            ((j as f64 + shift) / n as f64 * f64::from(SCALE)).round() as u16
        })
        .collect();
    cuts.push(SCALE);
    cuts
}

fn kind(site: &Site, random: &mut Random) -> Kind {
    if site.water {
        return Kind::Water;
    }
    let chance = random.unit();
    let (d, out) = (site.district, site.outness);
    if chance < 0.035 {
        return Kind::Park;
    }
    if chance < 0.06 {
        return Kind::School;
    }
    if out < 0.12 {
        return if chance < 0.6 {
            Kind::Shops
        } else {
            Kind::Flats
        };
    }
    if out < 0.35 {
        return match d {
            d if d < 0.45 => Kind::Flats,
            d if d < 0.55 => Kind::Shops,
            _ => Kind::Houses,
        };
    }
    if out < 0.85 {
        return match d {
            d if d < 0.10 => Kind::Flats,
            d if d < 0.18 => Kind::Works,
            d if d < 0.24 => Kind::Garden,
            _ if chance > 0.96 => Kind::Shops,
            _ => Kind::Houses,
        };
    }
    match d {
        d if d < 0.25 => Kind::Works,
        d if d < 0.50 => Kind::Field,
        d if d < 0.70 => Kind::Garden,
        _ => Kind::Houses,
    }
}

/// Parcels in the inner and the outer row.
fn rows(kind: Kind, site: &Site, random: &mut Random) -> (u64, u64) {
    let along = |front: f64| (site.arc / front).round().clamp(1.0, 60.0) as u64;
    let one_row = site.depth < 60.0;
    let mut both = |from: f64, to: f64| {
        let inner = along(random.range(from, to));
        (
            inner,
            if one_row {
                0
            } else {
                along(random.range(from, to))
            },
        )
    };
    match kind {
        Kind::Houses => both(15.0, 21.0),
        Kind::Flats => both(38.0, 60.0),
        Kind::Shops => both(24.0, 36.0),
        Kind::Garden => both(11.0, 15.0),
        Kind::Works => (along(70.0), 0),
        Kind::Field => (along(24.0), 0),
        Kind::Water => (along(120.0), 0),
        Kind::School | Kind::Park => (1, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_and_edges_increase_and_span_the_block() {
        let mut random = Random::of(7, [0, 0, 0]);
        for n in 1..400u64 {
            let site = Site {
                arc: random.range(15.0, 300.0),
                depth: 90.0,
                outness: random.unit(),
                water: false,
                district: random.unit(),
            };
            let block = Block::new(
                &site,
                if n % 2 == 0 {
                    Fill::Exactly(n % 100 + 1)
                } else {
                    Fill::Natural(n % 4)
                },
                &mut random,
            );
            for line in [
                block.inner.clone(),
                block.inner_edge(),
                block.outer_edge(),
                block.mid_line(),
            ] {
                if line.is_empty() {
                    continue;
                }
                assert_eq!((line[0], line[line.len() - 1]), (0, SCALE));
                assert!(line.windows(2).all(|w| w[0] < w[1]), "{line:?}");
            }
            if n % 2 == 0 {
                assert_eq!(block.count(), n % 100 + 1);
            }
        }
    }
}
