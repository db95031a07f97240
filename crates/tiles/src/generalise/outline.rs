//! The edges that are left of small shapes when those that two of them share are taken away.

use model::world::{WorldGeometry, WorldKind, WorldPoint};

use super::edge::{Edge, Step, straightened, sum, unite};
use super::{CELL_STEPS, MAX_OVERHANG, SHIFT};
use crate::TileCoord;

/// What small polygons of one cell cover together, as the edges around it; or the lines of a cell, each stretch once.
///
/// The vertices lie on the steps of a low zoom. Walking around every ring and counting each edge up one way and down the
/// other, the edges between neighbours come to nothing, and what is left goes around them together. That sum does not
/// depend on the order of the shapes, and moving vertices to coarser steps keeps it: so a cell is the sum of its four
/// quarters a zoom deeper, and a shape belongs to one cell alone, however far it reaches over.
#[derive(Debug, Clone)]
pub struct Outline {
    cell: TileCoord,
    kind: Kind,
    /// Each once, ascending.
    edges: Vec<Edge>,
    /// Of polygons the same with one edge for each straight stretch. Of lines nothing: where a straight one is met by one of
    /// another cell is seen when they are together.
    straight: Vec<Edge>,
}

/// Of which shapes an [`Outline`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Polygons,
    Lines,
}

impl Outline {
    /// `cell`: a sixteenth of a tile, named as a tile two zooms deeper.
    pub fn new(cell: TileCoord, kind: Kind) -> Self {
        Self {
            cell,
            kind,
            edges: Vec::new(),
            straight: Vec::new(),
        }
    }

    pub fn cell(&self) -> TileCoord {
        self.cell
    }

    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// Bytes that it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        let edges = self.edges.capacity() + self.straight.capacity();
        size_of::<Self>() + edges * size_of::<Edge>()
    }

    /// Adds the parts of a geometry of its kind. They must not reach over the cell by more than [`MAX_OVERHANG`] steps;
    /// what does is held back there.
    pub fn add(&mut self, geometry: WorldGeometry<'_>) {
        let wanted = match self.kind {
            Kind::Polygons => WorldKind::Polygons,
            Kind::Lines => WorldKind::Lines,
        };
        if geometry.kind != wanted {
            return;
        }
        let cell = self.cell;
        for (interior, part) in geometry.parts() {
            let is_backward = self.kind == Kind::Polygons && (area2(part) < 0) != interior;
            let count = if is_backward { -1 } else { 1 };
            let mut points = part.iter().map(|&p| step(cell, p));
            let Some(first) = points.next() else { continue };
            let mut last = first;
            for p in points {
                self.edges.extend(Edge::new(last, p, count));
                last = p;
            }
            if self.kind == Kind::Polygons {
                self.edges.extend(Edge::new(last, first, count));
            }
        }
    }

    /// Adds one of the four cells of the next zoom that make up this one.
    pub fn add_quarter(&mut self, quarter: &Self) {
        let offset = |at: u32| (at & 1) as i16 * CELL_STEPS;
        let [dx, dy] = [offset(quarter.cell.x()), offset(quarter.cell.y())];
        // Downwards for both signs: the same as from the world at once.
        let halved = |[x, y]: Step| [(x + dx) >> 1, (y + dy) >> 1];
        self.edges.extend(quarter.edges.iter().filter_map(|edge| {
            let [a, b] = edge.ends().map(halved);
            Edge::new(a, b, edge.count())
        }));
    }

    /// Takes away what comes to nothing; to be called after all was added.
    pub fn settle(&mut self) {
        match self.kind {
            Kind::Polygons => sum(&mut self.edges),
            Kind::Lines => unite(&mut self.edges),
        }
        self.edges.shrink_to_fit();
        if self.kind == Kind::Polygons {
            self.straight = straightened(&self.edges);
            self.straight.shrink_to_fit();
        }
    }

    /// The edges in no order, in steps from a tile's corner; of polygons one for each straight stretch.
    pub(super) fn drawn(&self, tile: TileCoord) -> impl Iterator<Item = ([Step; 2], i32)> {
        let offset = |cell: u32, tile: u32| {
            let cells = i64::from(cell) - (i64::from(tile) << super::CELLS_BITS);
            (cells * i64::from(CELL_STEPS)) as i16
        };
        let dx = offset(self.cell.x(), tile.x());
        let dy = offset(self.cell.y(), tile.y());
        let edges = match self.kind {
            Kind::Polygons => &self.straight,
            Kind::Lines => &self.edges,
        };
        edges.iter().map(move |edge| {
            let ends = edge.ends().map(|[x, y]| [x + dx, y + dy]);
            (ends, edge.count())
        })
    }
}

fn step(cell: TileCoord, p: WorldPoint) -> Step {
    let shift = SHIFT - u32::from(cell.z());
    let at = |v: u32, cell: u32| {
        let step = i64::from(v >> shift) - i64::from(cell) * i64::from(CELL_STEPS);
        let reach = i64::from(MAX_OVERHANG);
        step.clamp(-reach, i64::from(CELL_STEPS) + reach) as i16
    };
    [at(p[0], cell.x()), at(p[1], cell.y())]
}

/// Twice the signed area; positive for a ring that runs clockwise on the screen.
fn area2(ring: &[WorldPoint]) -> i128 {
    let Some(&[x0, y0]) = ring.first() else {
        return 0;
    };
    let local = |[x, y]: WorldPoint| {
        [
            i128::from(x) - i128::from(x0),
            i128::from(y) - i128::from(y0),
        ]
    };
    ring.windows(2)
        .map(|w| {
            let ([ax, ay], [bx, by]) = (local(w[0]), local(w[1]));
            ax * by - bx * ay
        })
        .sum()
}
