//! How much area polygons have, and how much in common.
//!
//! Vertices are integers, so between one row of vertices and the next each edge is a straight line from top to bottom.
//! Along such a band the edges are walked from west to east; each enters or leaves its feature (even-odd, so that
//! invalid rings do no harm), and the area between two edges is known from where they are half-way down. Where edges
//! cross within a band, it is cut there.
//!
//! Where an edge is at a row is a fraction of integers below 2^53, rounded once: edges on one line are at the same
//! place, and a coverage with common borders overlaps by nothing at all. Otherwise the error is below 10^-5 square
//! pixels a tile, but where more than [`MAX_TANGLE`] edges cross each other in one band, which is then cut in
//! [`TANGLE_CUTS`] as if nothing crossed within those.

use super::report::square_pixel;

type Point = [i32; 2];

/// Edges times bands. A tile of 16,000 parcels takes about a million; this is some seconds.
const MAX_WORK: usize = 100_000_000;

const MAX_TANGLE: usize = 64;
const TANGLE_CUTS: u32 = 32;

/// In pixels of which a tile has 4096 a side, buffers left out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Cover {
    /// Of all features.
    pub(super) area: f64,
    /// Of what two features have in common, summed over all pairs.
    pub(super) overlap: f64,
}

/// Measures polygon features (rings, open) of a layer; `None` when that would take too long. Vertices are within
/// [-extent, 2 * extent].
pub(super) fn cover(features: &[&[Vec<Point>]], extent: u32) -> Option<Cover> {
    let extent = i32::try_from(extent).ok()?;
    let edges = edges(features, extent);
    let mut rows: Vec<i32> = edges
        .iter()
        .flat_map(|e| [e.top[1], e.bottom[1]])
        .map(|y| y.clamp(0, extent))
        .collect();
    rows.sort_unstable();
    rows.dedup();
    let mut walk = Walk {
        extent: extent.into(),
        inside: vec![false; features.len()],
        depth: 0,
        sum: Cover::default(),
    };
    let mut work = 0;
    let mut active: Vec<&Edge> = Vec::new();
    let mut lines: Vec<Line> = Vec::new();
    let mut next = edges.iter().peekable();
    for band in rows.windows(2) {
        active.retain(|e| e.bottom[1] > band[0]);
        while let Some(edge) = next.next_if(|e| e.top[1] <= band[0]) {
            active.push(edge);
        }
        work += active.len();
        if work > MAX_WORK {
            return None;
        }
        lines.clear();
        lines.extend(active.iter().map(|e| e.line(band[0], band[1])));
        walk.band(&mut lines, f64::from(band[1] - band[0]));
    }
    let pixel = square_pixel(extent);
    Some(Cover {
        area: walk.sum.area * pixel,
        overlap: walk.sum.overlap * pixel,
    })
}

/// Not horizontal.
struct Edge {
    top: Point,
    bottom: Point,
    feature: usize,
}

/// An edge, or a piece of one, in a band.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// x at the band's top and bottom.
    top: f64,
    bottom: f64,
    feature: usize,
}

/// Those that pass the tile's rows, by their top.
fn edges(features: &[&[Vec<Point>]], extent: i32) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (feature, rings) in features.iter().enumerate() {
        for ring in *rings {
            let next = ring.iter().skip(1).chain(ring.first());
            for (&a, &b) in ring.iter().zip(next) {
                let (top, bottom) = if a[1] < b[1] { (a, b) } else { (b, a) };
                if top[1] < bottom[1] && bottom[1] > 0 && top[1] < extent {
                    edges.push(Edge {
                        top,
                        bottom,
                        feature,
                    });
                }
            }
        }
    }
    edges.sort_by_key(|e| e.top[1]);
    edges
}

impl Edge {
    fn line(&self, top: i32, bottom: i32) -> Line {
        Line {
            top: self.x(top),
            bottom: self.x(bottom),
            feature: self.feature,
        }
    }

    fn x(&self, y: i32) -> f64 {
        let [dx, dy] = [0, 1].map(|k| i64::from(self.bottom[k]) - i64::from(self.top[k]));
        let down = i64::from(y) - i64::from(self.top[1]);
        (i64::from(self.top[0]) * dy + down * dx) as f64 / dy as f64
    }
}

impl Line {
    fn middle(&self) -> f64 {
        f64::midpoint(self.top, self.bottom)
    }

    /// The part between two heights, from 0 (top) to 1 (bottom).
    fn between(&self, from: f64, to: f64) -> Self {
        let x = |t: f64| self.top * (1.0 - t) + self.bottom * t;
        Self {
            top: x(from),
            bottom: x(to),
            ..*self
        }
    }

    /// Where the lines cross on the way down.
    fn crossing(&self, other: &Self) -> Option<f64> {
        let (above, below) = (self.top - other.top, self.bottom - other.bottom);
        (above * below < 0.0).then(|| above / (above - below))
    }

    /// The mean x, of what lies beyond the tile that of its edge.
    fn mean(&self, extent: f64) -> f64 {
        let (low, high) = (self.top.min(self.bottom), self.top.max(self.bottom));
        if low >= 0.0 && high <= extent {
            return self.middle();
        }
        if high - low < 1e-9 {
            return low.clamp(0.0, extent);
        }
        // The line clamped: a piece on the western edge, one between, one on the eastern edge.
        let (from, to) = (low.clamp(0.0, extent), high.clamp(0.0, extent));
        let beyond = (high - to.max(low)).max(0.0) * extent;
        ((to - from) * f64::midpoint(from, to) + beyond) / (high - low)
    }
}

struct Walk {
    extent: f64,
    inside: Vec<bool>,
    /// How many features are around.
    depth: i64,
    sum: Cover,
}

impl Walk {
    fn band(&mut self, lines: &mut [Line], height: f64) {
        let order = |a: &Line, b: &Line| a.middle().total_cmp(&b.middle());
        lines.sort_by(order);
        let follows = |pair: &[Line]| follows(&pair[0], &pair[1]);
        if lines.windows(2).all(follows) {
            return self.walk(lines, height);
        }
        let mut from = 0;
        for to in groups(lines) {
            let group = &lines[from..to];
            from = to;
            let cuts = cuts(group);
            for (at, cut) in cuts.windows(2).enumerate() {
                if at > 0 {
                    // Back to the western side.
                    group.iter().for_each(|line| self.pass(line));
                }
                let mut pieces: Vec<Line> =
                    group.iter().map(|l| l.between(cut[0], cut[1])).collect();
                pieces.sort_by(order);
                self.walk(&pieces, height * (cut[1] - cut[0]));
            }
        }
    }

    /// The area between edges, times how often it counts, is the sum over the edges of x times how much less often
    /// it counts east of it.
    fn walk(&mut self, lines: &[Line], height: f64) {
        for line in lines {
            let before = self.depth;
            self.pass(line);
            let after = self.depth;
            let area = line.mean(self.extent) * height;
            self.sum.area += area * (before - after) as f64;
            let pairs = |depth: i64| depth * (depth - 1) / 2;
            if pairs(before) != pairs(after) {
                self.sum.overlap += area * (pairs(before) - pairs(after)) as f64;
            }
        }
    }

    fn pass(&mut self, line: &Line) {
        let inside = &mut self.inside[line.feature];
        *inside = !*inside;
        self.depth += if *inside { 1 } else { -1 };
    }
}

fn follows(west: &Line, east: &Line) -> bool {
    west.top <= east.top && west.bottom <= east.bottom
}

/// Where groups of lines end of which none crosses one of another.
fn groups(lines: &[Line]) -> Vec<usize> {
    // The westernmost of all that are still to come.
    let mut rest = vec![[f64::INFINITY; 2]; lines.len() + 1];
    for (at, line) in lines.iter().enumerate().rev() {
        rest[at] = [
            rest[at + 1][0].min(line.top),
            rest[at + 1][1].min(line.bottom),
        ];
    }
    let mut far = [f64::NEG_INFINITY; 2];
    let mut ends = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        far = [far[0].max(line.top), far[1].max(line.bottom)];
        if far[0] <= rest[at + 1][0] && far[1] <= rest[at + 1][1] {
            ends.push(at + 1);
        }
    }
    ends
}

/// Heights between which no two lines cross, from 0 to 1.
fn cuts(group: &[Line]) -> Vec<f64> {
    if group.len() > MAX_TANGLE {
        let cut = |k| f64::from(k) / f64::from(TANGLE_CUTS);
        return (0..=TANGLE_CUTS).map(cut).collect();
    }
    let mut cuts = vec![0.0, 1.0];
    for (at, line) in group.iter().enumerate() {
        cuts.extend(group[..at].iter().filter_map(|other| line.crossing(other)));
    }
    cuts.sort_by(f64::total_cmp);
    cuts.dedup();
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(features: &[&[&[Point]]]) -> Cover {
        let owned: Vec<Vec<Vec<Point>>> = features
            .iter()
            .map(|rings| rings.iter().map(|r| r.to_vec()).collect())
            .collect();
        let views: Vec<&[Vec<Point>]> = owned.iter().map(Vec::as_slice).collect();
        cover(&views, 4096).unwrap()
    }

    fn near(cover: Cover, area: f64, overlap: f64) {
        let close = (cover.area - area).abs() < 1e-6 && (cover.overlap - overlap).abs() < 1e-6;
        assert!(close, "{cover:?}, not {area} and {overlap}");
    }

    const SQUARE: &[Point] = &[[0, 0], [100, 0], [100, 100], [0, 100]];

    #[test]
    fn squares_overlap_by_their_common_square() {
        let moved: &[Point] = &[[90, 80], [190, 80], [190, 180], [90, 180]];
        near(measured(&[&[SQUARE]]), 1e4, 0.0);
        near(measured(&[&[SQUARE], &[moved]]), 2e4, 200.0);
        near(measured(&[&[SQUARE], &[SQUARE], &[SQUARE]]), 3e4, 3e4);
    }

    #[test]
    fn edges_that_cross_within_a_band_are_cut_there() {
        let triangle: &[Point] = &[[0, 0], [100, 0], [0, 100]];
        let mirrored: &[Point] = &[[0, 0], [100, 0], [100, 100]];
        near(measured(&[&[triangle], &[mirrored]]), 1e4, 2500.0);
        // The lines cross at a seventh of the height.
        let east: &[Point] = &[[10, 0], [70, 0], [70, 70], [0, 70]];
        let west: &[Point] = &[[-90, 0], [0, 0], [60, 70], [-90, 70]];
        let common = 0.5 * 60.0 * 60.0;
        near(
            measured(&[&[east], &[west]]),
            65.0 * 70.0 + 0.5 * 60.0 * 70.0,
            common,
        );
        let star = [&[triangle][..], &[mirrored], &[SQUARE]];
        near(measured(&star), 2e4, 2500.0 + 5000.0 + 5000.0);
    }

    #[test]
    fn a_hole_holds_another_feature_without_overlap() {
        let hole: &[Point] = &[[20, 20], [20, 60], [60, 60], [60, 20]];
        let filled: Vec<Point> = hole.iter().rev().copied().collect();
        let wider: &[Point] = &[[20, 20], [61, 20], [61, 60], [20, 60]];
        near(measured(&[&[SQUARE, hole], &[&filled]]), 1e4, 0.0);
        near(measured(&[&[SQUARE, hole], &[wider]]), 1e4 + 40.0, 40.0);
    }

    #[test]
    fn common_borders_overlap_by_nothing_at_all() {
        // A border through (0, 0), (21, 9), (49, 21), of which the neighbour has the ends only.
        let west: &[Point] = &[[0, 0], [21, 9], [49, 21], [-30, 40]];
        let east: &[Point] = &[[0, 0], [70, 0], [49, 21]];
        assert_eq!(measured(&[&[west], &[east]]).overlap, 0.0);
        assert_eq!(measured(&[&[east], &[west]]).overlap, 0.0);
    }

    #[test]
    fn buffers_are_left_out() {
        let around: &[Point] = &[[-64, -64], [4160, -64], [4160, 4160], [-64, 4160]];
        near(
            measured(&[&[around], &[around]]),
            2.0 * 4096.0 * 4096.0,
            4096.0 * 4096.0,
        );
        // A triangle over the western edge and one over the eastern: what lies inside is half and an eighth.
        let west: &[Point] = &[[-50, 0], [50, 0], [50, 100]];
        near(measured(&[&[west]]), 3750.0, 0.0);
        let east: &[Point] = &[[4046, 0], [4146, 0], [4146, 100]];
        near(measured(&[&[east]]), 1250.0, 0.0);
        let wide: &[Point] = &[[-4096, 0], [8192, 0], [8192, 6]];
        near(measured(&[&[wide]]), 4096.0 * 3.0, 0.0);
    }

    #[test]
    fn directions_do_not_matter() {
        let backwards: Vec<Point> = SQUARE.iter().rev().copied().collect();
        near(measured(&[&[&backwards], &[SQUARE]]), 2e4, 1e4);
    }

    #[test]
    fn other_extents_are_measured_in_our_pixels() {
        let square = vec![SQUARE.to_vec()];
        let cover = cover(&[&square, &square], 512).unwrap();
        near(cover, 2.0 * 64e4, 64e4);
    }

    /// Against counting: triangles in a grid of 64 parts a pixel.
    #[test]
    fn random_triangles_measure_as_counted() {
        let mut seed = 5_u64;
        let mut random = |n: i32| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            i32::try_from((seed >> 33) % u64::from(n.unsigned_abs())).unwrap()
        };
        for _ in 0..40 {
            let count = 2 + random(5);
            let triangles: Vec<Vec<Vec<Point>>> = (0..count)
                .map(|_| vec![(0..3).map(|_| [random(24), random(24)]).collect()])
                .collect();
            let views: Vec<&[Vec<Point>]> = triangles.iter().map(Vec::as_slice).collect();
            let cover = cover(&views, 4096).unwrap();
            let fine = 16;
            let (mut area, mut pairs) = (0, 0);
            for y in 0..24 * fine {
                for x in 0..24 * fine {
                    let inside = |t: &&Vec<Vec<Point>>| {
                        let c = |k: usize| {
                            let (a, b) = (t[0][k], t[0][(k + 1) % 3]);
                            let [px, py] = [2 * x + 1, 2 * y + 1];
                            let [dx, dy] = [b[0] - a[0], b[1] - a[1]];
                            (dx * (py - 2 * fine * a[1]) - dy * (px - 2 * fine * a[0])).signum()
                        };
                        c(0) == c(1) && c(1) == c(2) && c(0) != 0
                    };
                    let depth = triangles.iter().filter(inside).count();
                    area += depth;
                    pairs += depth * depth.saturating_sub(1) / 2;
                }
            }
            let parts = f64::from(fine * fine);
            let (area, pairs) = (area as f64 / parts, pairs as f64 / parts);
            assert!(
                (cover.area - area).abs() < 0.02 * area + 2.0,
                "{triangles:?}"
            );
            assert!(
                (cover.overlap - pairs).abs() < 0.02 * pairs + 2.0,
                "{triangles:?}"
            );
        }
    }
}
