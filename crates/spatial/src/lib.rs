//! The live index of a collection, coordinate reference systems, geometry validity, and operations on parcels.
//!
//! In memory and synchronous: no files (but for PROJ's own), no async. The one owner of `rstar`, `proj` and `geo`.

mod area;
pub mod crs;
mod error;
pub mod index;
mod near;
pub mod parcels;
mod query_box;
mod relate;
mod relation;
mod simplify;
pub mod validity;

pub use area::{WorldArea, grid_center};
pub use error::Error;
pub use near::meets;
pub use query_box::{QueryBox, Window};
pub use relate::{area, by_envelopes, length, relate};
pub use relation::{envelope, intersects};
pub use simplify::simplified;
