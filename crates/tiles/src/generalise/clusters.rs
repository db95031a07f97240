//! Points that lie close to each other, as one with a count.

use model::world::WorldPoint;

use super::{CELL_STEPS, SHIFT};
use crate::TileCoord;

/// The points of one cell, together where they lie in one square.
///
/// As with [`super::Outline`], a cell is the sum of its four quarters a zoom deeper, whatever the order.
#[derive(Debug, Clone)]
pub struct Clusters {
    cell: TileCoord,
    /// Steps across a square, as a power of two.
    square: u8,
    /// By row and column of the square, ascending, each once after [`Clusters::settle`].
    squares: Vec<([u8; 2], Cluster)>,
}

/// Points of one square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cluster {
    pub count: u64,
    /// Sum of the positions, in world units.
    sum: [u64; 2],
    /// The least key among the features; of a count of one, the feature's.
    pub fid: i64,
}

impl Cluster {
    /// The middle of the points, in world units.
    pub fn middle(&self) -> WorldPoint {
        let middle = |sum: u64| u32::try_from(sum / self.count.max(1)).unwrap_or(u32::MAX);
        self.sum.map(middle)
    }
}

impl Clusters {
    /// `cell`: as for [`super::Outline::new`]; squares are 2^`square` steps across, a cell at most.
    pub fn new(cell: TileCoord, square: u8) -> Self {
        Self {
            cell,
            square: square.min(CELL_STEPS.trailing_zeros() as u8),
            squares: Vec::new(),
        }
    }

    pub fn cell(&self) -> TileCoord {
        self.cell
    }

    pub fn is_empty(&self) -> bool {
        self.squares.is_empty()
    }

    /// Bytes that they take in memory.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.squares.capacity() * size_of::<([u8; 2], Cluster)>()
    }

    /// Adds a point of the cell; one that lies beside it counts at its edge.
    pub fn add(&mut self, at: WorldPoint, fid: i64) {
        let shift = SHIFT - u32::from(self.cell.z());
        let square = |v: u32, cell: u32| {
            let step = i64::from(v >> shift) - i64::from(cell) * i64::from(CELL_STEPS);
            (step.clamp(0, i64::from(CELL_STEPS) - 1) >> self.square) as u8
        };
        let place = [square(at[1], self.cell.y()), square(at[0], self.cell.x())];
        let one = Cluster {
            count: 1,
            sum: at.map(u64::from),
            fid,
        };
        self.squares.push((place, one));
    }

    /// Adds one of the four cells of the next zoom that make up this one.
    pub fn add_quarter(&mut self, quarter: &Self) {
        let across = CELL_STEPS as u16 >> self.square;
        let offset = [quarter.cell.y(), quarter.cell.x()].map(|at| (at & 1) as u16 * across);
        let halved =
            |place: [u8; 2]| [0, 1].map(|k| ((u16::from(place[k]) + offset[k]) >> 1) as u8);
        let squares = quarter.squares.iter();
        self.squares
            .extend(squares.map(|(place, cluster)| (halved(*place), *cluster)));
    }

    /// Puts together what is in one square; to be called after all was added.
    pub fn settle(&mut self) {
        self.squares
            .sort_unstable_by_key(|(place, cluster)| (*place, cluster.fid));
        self.squares.dedup_by(|(place, next), (kept, all)| {
            let same = place == kept;
            if same {
                all.count += next.count;
                all.sum = [0, 1].map(|k| all.sum[k] + next.sum[k]);
            }
            same
        });
        self.squares.shrink_to_fit();
    }

    /// From north to south, and in a row from west to east.
    pub fn iter(&self) -> impl Iterator<Item = &Cluster> {
        self.squares.iter().map(|(_, cluster)| cluster)
    }
}
