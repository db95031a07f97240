//! FlatGeobuf, version 3 of its specification: magic, header, packed R-tree (passed over), size-prefixed features.
//!
//! The framing is ours, with every size checked against the bytes left; the tables inside are read through the
//! generated accessors after the `flatbuffers` verifier has passed the buffer.

mod feature;
mod flat;
mod geometry;
mod header;
mod properties;
mod reader;
mod stream;
mod writer;

pub(crate) use reader::FgbReader;
pub(crate) use stream::FgbStream;
pub(crate) use writer::FgbWriter;

/// `fgb`, major version 3, `fgb`, patch version; readers ignore the patch version.
pub(crate) const MAGIC: [u8; 8] = [b'f', b'g', b'b', 3, b'f', b'g', b'b', 1];
