//! The live index of one collection: an R-tree over envelopes, world geometry and attributes, all in memory.
//!
//! A [`Snapshot`] never changes. The writer makes the next one with [`Snapshot::with`]; readers keep what they
//! took and never wait. A snapshot is a short list of immutable segments: an edit makes a small segment, segments
//! of like size are merged (the logarithmic method of Bentley and Saxe), all are when those beside the greatest one have more than
//! a sixteenth of its features, and what is replaced or removed gets a tombstone. A [`View`] makes of a snapshot what a reader sees who may see only a part. Trees are only ever bulk-loaded, so a failure inside `rstar` can't leave a half-changed tree.

mod builder;
mod column;
mod field;
mod fold;
mod haystack;
mod hit;
mod merge;
mod nearest;
mod part;
mod segment;
mod snapshot;
mod span;
mod suggest;
mod text;
mod tombstones;
mod view;

pub use builder::Builder;
pub use fold::{collated, folded, natural};
pub use hit::{Coded, Hit, TextHit};
pub use model::ValueRef;
pub use nearest::distance;
pub use snapshot::{Edit, Snapshot};
pub use span::Span;
pub use suggest::{Guess, other_layouts};
pub use text::{Rank, Words};
pub use view::{Place, View};

pub use crate::Error;
