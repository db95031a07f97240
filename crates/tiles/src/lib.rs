//! Vector tiles: which part of the world a tile shows, how geometry is cut for it, and Mapbox Vector Tile 2.1
//! bytes.

pub mod check;
mod coord;
pub mod decode;
mod geometry;
mod layer;
pub mod matrix_set;
mod proto;
mod tile;
mod value;

pub use coord::TileCoord;
pub use layer::LayerBuilder;
pub use tile::tile;
pub use value::{TileValue, ValueIndex};

/// Pixels across a tile (`extent`, MVT 2.1 §4.1).
pub const TILE_EXTENT: u32 = 4096;

/// Pixels beyond each edge that a tile holds as well, so that outlines, wide lines and circles near the edge are
/// drawn whole: 64 of 4096 are 8 screen pixels where a tile takes 512, twice the half-width of the
/// widest outline of our styles; 16 more pixels would make z16 parcel tiles about 1 % larger.
pub const BUFFER: u32 = 64;

/// Why a tile cannot be addressed or put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("zoom {0} is deeper than {max}", max = model::MAX_ZOOM)]
    Zoom(u8),
    #[error("zoom {z} has no tile {x}/{y}")]
    OutOfRange { z: u8, x: u32, y: u32 },
    #[error("two layers are named {0}")]
    DuplicateLayer(String),
    #[error("bytes that are not an encoded layer")]
    NotALayer,
}
