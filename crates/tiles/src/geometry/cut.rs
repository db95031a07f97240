//! Cutting a feature's world geometry for one tile: snap, drop what repeats, clip.
//!
//! Snapping comes first and is a shift with rounding (halves towards south and east), the same for x and y and
//! for every tile of a zoom, so a vertex that neighbours share is one pixel in each of them and on both
//! sides of a tile's edge.

use model::world::{WorldGeometry, WorldKind, WorldPoint};

use super::clip::{self, Begins, Far, LINE_SQUARE, SQUARE, Square};
use super::collapse::Fate;
use super::{Parts, Point, area2, collapse, unspike};
use crate::TileCoord;
use crate::coord::WORLD;

/// The pixels of a zoom, counted from a tile's north-western corner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    origin: Far,
    half: i64,
    shift: u32,
}

impl Grid {
    pub(crate) fn new(tile: TileCoord) -> Self {
        let (x, y) = tile.origin();
        Self::at([x, y], tile.shift())
    }

    /// Counted from the corner of the world.
    pub(crate) fn absolute(z: u8) -> Self {
        let tile = TileCoord::new(z, 0, 0).expect("callers stay within MAX_ZOOM");
        Self::new(tile)
    }

    fn at(origin: Far, shift: u32) -> Self {
        let half = (1 << shift) >> 1;
        Self {
            origin,
            half,
            shift,
        }
    }

    /// The same pixels for a copy of the world that lies `east` world units further east.
    fn moved(self, east: i64) -> Self {
        let [x, y] = self.origin;
        Self::at([x - east, y], self.shift)
    }

    pub(crate) fn snap(self, [x, y]: WorldPoint) -> Far {
        let [ox, oy] = self.origin;
        let snap = |v: u32, origin: i64| (i64::from(v) - origin + self.half) >> self.shift;
        [snap(x, ox), snap(y, oy)]
    }

    /// Where a part lies relative to a buffered square.
    fn place(self, part: &[WorldPoint], square: Square) -> Place {
        let (mut low, mut high) = ([u32::MAX; 2], [0; 2]);
        for p in part {
            for k in 0..2 {
                low[k] = low[k].min(p[k]);
                high[k] = high[k].max(p[k]);
            }
        }
        if part.is_empty() {
            return Place::Outside;
        }
        let (low, high) = (self.snap(low), self.snap(high));
        if square.misses(low, high) {
            Place::Outside
        } else if square.holds(low) && square.holds(high) {
            Place::Inside
        } else {
            Place::Across
        }
    }
}

/// Whether a geometry lies within the buffered square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    Yes,
    No,
}

enum Place {
    Inside,
    Across,
    Outside,
}

/// Cuts geometries for one tile, keeping its buffers between them.
#[derive(Debug)]
pub(crate) struct Cutter {
    tile: TileCoord,
    /// One for each copy of the world that the buffered square reaches.
    grids: Vec<Grid>,
    far: Vec<Far>,
    spare: Vec<Far>,
    /// Whether anything of the last geometry reached over the square.
    clipped: bool,
}

impl Cutter {
    pub(crate) fn new(tile: TileCoord) -> Self {
        let grid = Grid::new(tile);
        let columns = 1_u32 << tile.z();
        // The buffer of the outermost columns shows the other end of the world.
        let east = (tile.x() + 1 == columns).then(|| grid.moved(WORLD));
        let west = (tile.x() == 0).then(|| grid.moved(-WORLD));
        Self {
            tile,
            grids: [Some(grid), east, west].into_iter().flatten().collect(),
            far: Vec::new(),
            spare: Vec::new(),
            clipped: false,
        }
    }

    /// Adds what the tile shows of a geometry to `out`. Rings come open, in any direction, and may
    /// still cross. Tells whether it shows the geometry whole.
    pub(crate) fn cut(&mut self, geometry: WorldGeometry<'_>, out: &mut Parts) -> Whole {
        self.clipped = false;
        for i in 0..self.grids.len() {
            let grid = self.grids[i];
            match geometry.kind {
                WorldKind::Points => points(grid, geometry.coords, out),
                WorldKind::Lines => self.lines(grid, geometry, out),
                WorldKind::Polygons => self.polygons(grid, geometry, out),
            }
        }
        if self.clipped { Whole::No } else { Whole::Yes }
    }

    fn lines(&mut self, grid: Grid, geometry: WorldGeometry<'_>, out: &mut Parts) {
        for (_, line) in geometry.parts() {
            let place = grid.place(line, LINE_SQUARE);
            if matches!(place, Place::Outside) || !collapse::line_survives(line, self.tile.z()) {
                continue;
            }
            self.far.clear();
            self.far.extend(line.iter().map(|&p| grid.snap(p)));
            self.far.dedup();
            if matches!(place, Place::Inside) {
                if self.far.len() >= 2 {
                    out.push(self.far.iter().map(|&p| near(p)), false);
                }
                continue;
            }
            let mut start = out.coords.len();
            clip::line(&self.far, |p, begins| {
                if begins == Begins::Piece {
                    end_line(out, start);
                    start = out.coords.len();
                }
                out.coords.push(near(p));
            });
            end_line(out, start);
        }
    }

    fn polygons(&mut self, grid: Grid, geometry: WorldGeometry<'_>, out: &mut Parts) {
        let mut shell_stays = false;
        for (interior, ring) in geometry.parts() {
            if interior && !shell_stays {
                continue;
            }
            let stays = self.ring(grid, ring, interior, out);
            if !interior {
                shell_stays = stays;
            }
        }
    }

    /// Whether anything of the ring is left for holes to lie in.
    fn ring(&mut self, grid: Grid, ring: &[WorldPoint], interior: bool, out: &mut Parts) -> bool {
        let place = grid.place(ring, SQUARE);
        if matches!(place, Place::Outside) {
            return false;
        }
        let start = out.coords.len();
        let inside = matches!(place, Place::Inside);
        if inside {
            out.coords.extend(ring.iter().map(|&p| near(grid.snap(p))));
        } else {
            self.clipped = true;
            self.far.clear();
            self.far.extend(ring.iter().map(|&p| grid.snap(p)));
            unspike(&mut self.far, 0);
            clip::ring(&mut self.far, &mut self.spare);
            out.coords.extend(self.far.iter().map(|&p| near(p)));
        }
        unspike(&mut out.coords, start);
        if inside && !interior && area2(&out.coords[start..]) == 0 {
            match collapse::fate(ring, self.tile.z()) {
                Fate::Shows => {}
                Fate::Vanishes => {
                    out.coords.truncate(start);
                    return false;
                }
                Fate::Placeholder => {
                    out.coords.truncate(start);
                    out.push(collapse::placeholder(near(grid.snap(ring[0]))), false);
                    return false;
                }
            }
        }
        if out.coords.len() == start {
            return false;
        }
        out.close(start, interior);
        true
    }
}

fn points(grid: Grid, points: &[WorldPoint], out: &mut Parts) {
    let start = out.coords.len();
    for &p in points {
        let p = grid.snap(p);
        if SQUARE.holds(p) && !out.coords[start..].ends_with(&[near(p)]) {
            out.coords.push(near(p));
        }
    }
    if out.coords.len() > start {
        out.close(start, false);
    }
}

/// Ends a piece of a line; a single vertex is none.
fn end_line(out: &mut Parts, start: usize) {
    if out.coords.len() - start >= 2 {
        out.close(start, false);
    } else {
        out.coords.truncate(start);
    }
}

fn near(p: Far) -> Point {
    p.map(|v| i32::try_from(v).expect("clipped to the buffered square"))
}
