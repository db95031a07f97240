//! The live index of one collection: an R-tree over envelopes, world geometry and attributes, all in memory.
//!
//! A [`Snapshot`] never changes. The writer makes the next one with [`Snapshot::with`]; readers keep what they
//! took and never wait. A snapshot is a short list of immutable segments: an edit makes a small segment, segments
//! of like size are merged (the logarithmic method of Bentley and Saxe), and what is replaced or removed gets a
//! tombstone. Trees are only ever bulk-loaded, so a failure inside `rstar` can't leave a half-changed tree.

mod builder;
mod column;
mod fold;
mod hit;
mod merge;
mod nearest;
mod segment;
mod snapshot;
mod suggest;
mod text;
mod tombstones;

pub use builder::Builder;
pub use column::ValueRef;
pub use fold::{folded, natural};
pub use hit::{Hit, TextHit};
pub use nearest::distance;
pub use snapshot::{Edit, Snapshot};
pub use suggest::{Guess, other_layouts};
pub use text::Rank;

pub use crate::Error;
