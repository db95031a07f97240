//! Low zooms: what many small shapes look like together.
//!
//! A shape of which a reader would see a few pixels is not drawn by itself. Polygons are drawn as the blocks that they
//! form, lines as the network, and points as clusters with a count. All of it is kept by *cells*, sixteen to a tile,
//! each of which is the sum of four cells of the next zoom; so a tile of a low zoom is put together from what a few
//! cells hold, however many features there are, and an edit changes one cell of each zoom.
//!
//! Vertices lie on [`STEPS`] steps across a tile, half a screen pixel where a tile takes 512. They are counted from
//! the western and northern edge of the world downwards and drawn in the middle of their step, at every such zoom: so
//! the steps of a zoom follow from those of the next, and blocks fit shapes that are drawn by themselves.

mod blocks;
mod clusters;
mod edge;
mod frame;
mod network;
mod outline;

pub use blocks::blocks;
pub use clusters::{Cluster, Clusters};
pub use network::network;
pub use outline::{Kind, Outline};

/// Steps across a tile of a low zoom.
pub const STEPS: u32 = 1024;

/// Cells across a tile, as a power of two.
pub const CELLS_BITS: u8 = 2;

/// Steps across a cell.
const CELL_STEPS: i16 = (STEPS >> CELLS_BITS) as i16;

/// A step of a cell is 2^(SHIFT - its zoom) world units.
const SHIFT: u32 = 32 - (CELL_STEPS as u32).trailing_zeros();

/// Tile pixels in a step.
pub(crate) const STEP: i32 = (crate::TILE_EXTENT / STEPS) as i32;

/// Steps of a tile's buffer.
const BUFFER_STEPS: i16 = (crate::BUFFER as i32 / STEP) as i16;

/// Steps across a shape that may be taken for a small one.
pub const MAX_SMALL: u32 = 48;

/// Steps that a shape may reach over its cell, those of other tile matrix sets included, where shapes are longer.
pub const MAX_OVERHANG: i16 = 128;
