//! Which shapes are too small for a zoom.
//!
//! A shape that shows at a zoom must show at every deeper one, or it blinks while a reader zooms in. Snapping
//! alone does not give that: two vertices a pixel apart at one zoom may fall together at the next, where the
//! grid lies differently. So a small shape is kept only when it survives the grids of all deeper zooms.

use model::MAX_ZOOM;
use model::world::WorldPoint;

use super::cut::Grid;
use super::repair;
use super::{Point, unspike};

/// Rings wider than this many pixels are not followed: at 256 tiles across only a hair could blink,
/// and the arithmetic stays within 64 bits.
const FOLLOWED: i64 = 1 << 20;

/// Whether a ring keeps an area on this grid and on every deeper one. `ring` may repeat its first vertex.
pub(crate) fn ring_survives(ring: &[WorldPoint], z: u8) -> bool {
    let Some(sums) = Sums::of(ring, z) else {
        return true;
    };
    // A vertex moves at most 3/4 pixel between this grid and a deeper one, which changes twice the
    // area by at most 3/2 of the way around and 9/8 per vertex.
    if sums.area2.unsigned_abs() > 2 * sums.around + 2 * ring.len() as u64 {
        return true;
    }
    (z..=MAX_ZOOM).all(|z| has_area(ring, z))
}

fn has_area(ring: &[WorldPoint], z: u8) -> bool {
    let Some(sums) = Sums::of(ring, z) else {
        return true;
    };
    if sums.area2 != 0 {
        return true;
    }
    // The lobes of a figure of eight may cancel each other.
    let grid = Grid::absolute(z);
    let origin = grid.snap(ring[0]);
    let mut points: Vec<Point> = Vec::with_capacity(ring.len());
    for &p in ring {
        let [x, y] = grid.snap(p);
        match (i32::try_from(x - origin[0]), i32::try_from(y - origin[1])) {
            (Ok(x), Ok(y)) => points.push([x, y]),
            _ => return true,
        }
    }
    unspike(&mut points, 0);
    points.len() >= 3 && repair::covers_anything(&points)
}

/// Whether a line keeps two distinct vertices on this grid and on every deeper one.
pub(crate) fn line_survives(line: &[WorldPoint], z: u8) -> bool {
    let Some(&start) = line.first() else {
        return false;
    };
    let reach = |z: u8| {
        let grid = Grid::absolute(z);
        let [x, y] = grid.snap(start);
        line.iter().map(move |&p| {
            let [px, py] = grid.snap(p);
            (px - x).abs().max((py - y).abs())
        })
    };
    // Two pixels here are more than one in truth, which no deeper grid rounds away.
    reach(z).any(|d| d >= 2) || (z..=MAX_ZOOM).all(|z| reach(z).any(|d| d > 0))
}

struct Sums {
    area2: i64,
    /// Length of the way around, steps in x and steps in y added.
    around: u64,
}

impl Sums {
    /// `None` for what is too wide to be followed.
    fn of(ring: &[WorldPoint], z: u8) -> Option<Self> {
        let grid = Grid::absolute(z);
        let origin = grid.snap(*ring.first()?);
        let mut last = [0, 0];
        let mut sums = Self { area2: 0, around: 0 };
        let mut add = |p: [i64; 2]| {
            sums.area2 = sums.area2.saturating_add(last[0] * p[1] - p[0] * last[1]);
            sums.around += last[0].abs_diff(p[0]) + last[1].abs_diff(p[1]);
            last = p;
        };
        for &p in ring {
            let [x, y] = grid.snap(p);
            let local = [x - origin[0], y - origin[1]];
            if local.iter().any(|v| v.abs() > FOLLOWED) {
                return None;
            }
            add(local);
        }
        add([0, 0]);
        Some(sums)
    }
}
