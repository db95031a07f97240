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
    steps: bool,
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
            steps: false,
        }
    }

    /// The middles of the steps of [`crate::generalise`].
    fn of_steps(tile: TileCoord) -> Self {
        Self {
            half: 0,
            steps: true,
            ..Self::new(tile)
        }
    }

    /// The same pixels for a copy of the world that lies `east` world units further east.
    fn moved(self, east: i64) -> Self {
        let [x, y] = self.origin;
        Self {
            origin: [x - east, y],
            ..self
        }
    }

    pub(crate) fn snap(self, [x, y]: WorldPoint) -> Far {
        let [ox, oy] = self.origin;
        let snap = |v: u32, origin: i64| {
            let pixel = (i64::from(v) - origin + self.half) >> self.shift;
            if self.steps { middle(pixel) } else { pixel }
        };
        [snap(x, ox), snap(y, oy)]
    }

    /// As [`Self::snap`] of vertices near the tile.
    fn snap_near(self, ring: &[WorldPoint], out: &mut Vec<Point>) {
        // Differences of neighbours are right whatever the world's edge does to the numbers.
        let [ox, oy] = self.origin.map(|v| v as u32);
        let snap = |v: u32, origin: u32| {
            let pixel = v
                .wrapping_sub(origin)
                .cast_signed()
                .wrapping_add(self.half as i32)
                >> self.shift;
            if self.steps {
                middle(i64::from(pixel)) as i32
            } else {
                pixel
            }
        };
        out.extend(ring.iter().map(|p| [snap(p[0], ox), snap(p[1], oy)]));
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

/// Of the step in which a pixel is.
fn middle(pixel: i64) -> i64 {
    const STEP: i64 = crate::generalise::STEP as i64;
    pixel.div_euclid(STEP) * STEP + STEP / 2
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
        Self::with(tile, Grid::new(tile))
    }

    /// For a low zoom, see [`crate::generalise`].
    pub(crate) fn of_steps(tile: TileCoord) -> Self {
        Self::with(tile, Grid::of_steps(tile))
    }

    fn with(tile: TileCoord, grid: Grid) -> Self {
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

    /// Where a vertex comes to lie; `None` beyond the buffered square.
    pub(crate) fn pixel(&self, at: WorldPoint) -> Option<Point> {
        let far = self.grids[0].snap(at);
        SQUARE.holds(far).then(|| near(far))
    }

    pub(crate) fn zoom(&self) -> u8 {
        self.tile.z()
    }

    /// As [`Self::cut`] of polygons that lie within the buffered square.
    pub(crate) fn cut_within(&mut self, geometry: WorldGeometry<'_>, out: &mut Parts) -> Whole {
        let grid = self.grids[0];
        let mut shell_stays = false;
        for (interior, ring) in geometry.parts() {
            if interior && !shell_stays {
                continue;
            }
            let start = out.coords.len();
            grid.snap_near(ring, &mut out.coords);
            let stays = self.close(grid, ring, start, interior, out);
            if !interior {
                shell_stays = stays;
            }
        }
        Whole::Yes
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
        if inside {
            return self.close(grid, ring, start, interior, out);
        }
        unspike(&mut out.coords, start);
        if out.coords.len() == start {
            return false;
        }
        out.close(start, interior);
        true
    }

    /// Makes a ring of snapped vertices, of which the tile has all.
    fn close(
        &self,
        grid: Grid,
        ring: &[WorldPoint],
        start: usize,
        interior: bool,
        out: &mut Parts,
    ) -> bool {
        unspike(&mut out.coords, start);
        if !interior && area2(&out.coords[start..]) == 0 {
            if grid.steps {
                out.coords.truncate(start);
                return false;
            }
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

/// Clips a ring that is at hand in tile pixels; `None` when nothing of it is in the buffered square.
pub(crate) fn clipped(ring: &[Point], out: &mut Parts, interior: bool) -> Option<Whole> {
    let far = |p: &Point| p.map(i64::from);
    if ring.iter().all(|p| SQUARE.holds(far(p))) {
        out.push(ring.iter().copied(), interior);
        return Some(Whole::Yes);
    }
    let mut points: Vec<Far> = ring.iter().map(far).collect();
    clip::ring(&mut points, &mut Vec::new());
    let start = out.coords.len();
    out.coords.extend(points.into_iter().map(near));
    unspike(&mut out.coords, start);
    (out.coords.len() > start).then(|| {
        out.close(start, interior);
        Whole::No
    })
}

/// As [`clipped`], of a line.
pub(crate) fn clipped_line(line: &[Point], out: &mut Parts) {
    let points: Vec<Far> = line.iter().map(|p| p.map(i64::from)).collect();
    let mut start = out.coords.len();
    clip::line(&points, |p, begins| {
        if begins == Begins::Piece {
            end_line(out, start);
            start = out.coords.len();
        }
        out.coords.push(near(p));
    });
    end_line(out, start);
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
