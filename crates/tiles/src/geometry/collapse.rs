//! Which shapes are too small for a zoom.
//!
//! A shape that shows at a zoom must show at every deeper one, or it blinks while a reader zooms in. Snapping
//! alone does not give that: two vertices a pixel apart at one zoom may fall together at the next, where the
//! grid lies differently. A line is therefore dropped unless it survives the grids of all deeper zooms. A
//! polygon cannot be dropped where it has an area, since that would open a gap between its neighbours;
//! so one that collapses after it has shown at a shallower zoom becomes a triangle of one pixel.

use model::MAX_ZOOM;
use model::world::WorldPoint;

use super::clip::Far;
use super::cut::Grid;
use super::{MAX, MIN, Point, repair, unspike};

/// Rings wider than this many pixels are not followed: at 64 tiles across only a hair could blink,
/// and the arithmetic stays within 64 bits.
const FOLLOWED: i64 = 1 << 18;

/// What becomes of an exterior ring at a zoom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Shows,
    /// Collapsed here and not at some shallower zoom.
    Placeholder,
    Vanishes,
}

/// `ring` may repeat its first vertex.
pub(crate) fn fate(ring: &[WorldPoint], z: u8) -> Fate {
    if has_area(ring, z) {
        Fate::Shows
    } else if (0..z).rev().any(|z| has_area(ring, z)) {
        Fate::Placeholder
    } else {
        Fate::Vanishes
    }
}

/// A polygon of one pixel, inside the buffered square.
pub(crate) fn placeholder([x, y]: Point) -> [Point; 3] {
    let (x, y) = (x.clamp(MIN, MAX - 1), y.clamp(MIN, MAX - 1));
    [[x, y], [x + 1, y], [x, y + 1]]
}

/// Whether the snapped ring winds around anything.
fn has_area(ring: &[WorldPoint], z: u8) -> bool {
    let grid = Grid::absolute(z);
    let Some(area) = local_area(ring, grid) else {
        return true;
    };
    if area != 0 {
        return true;
    }
    // The lobes of a figure of eight may cancel each other.
    let origin = grid.snap(ring[0]);
    let mut points: Vec<Point> = ring.iter().map(|&p| local(grid.snap(p), origin)).collect();
    unspike(&mut points, 0);
    !points.is_empty() && repair::covers_anything(&points)
}

/// Relative to a vertex within [`FOLLOWED`].
fn local(p: Far, origin: Far) -> Point {
    [0, 1].map(|k| i32::try_from(p[k] - origin[k]).unwrap_or(i32::MAX))
}

/// Twice the area of the snapped ring; `None` for what is too wide to be followed, or empty.
fn local_area(ring: &[WorldPoint], grid: Grid) -> Option<i64> {
    let origin = grid.snap(*ring.first()?);
    let (mut area, mut last) = (0_i64, [0, 0]);
    for &p in ring {
        let [x, y] = grid.snap(p);
        let local = [x - origin[0], y - origin[1]];
        if local.iter().any(|v| v.abs() > FOLLOWED) {
            return None;
        }
        area = area.saturating_add(last[0] * local[1] - local[0] * last[1]);
        last = local;
    }
    Some(area)
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
