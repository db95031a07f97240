//! Writing a FlatGeobuf file with its packed Hilbert R-tree.
//!
//! The index stands before the features, in Hilbert order, so features first go to an unnamed temporary file beside
//! the target. In memory a feature takes 56 bytes until the end.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use flatgeobuf::packed_r_tree::{NodeItem, PackedRTree, calc_extent, hilbert_sort};
use model::{Envelope, Feature, FeatureId, GeometryType};

use super::MAGIC;
use super::feature::{Contents, FeatureEncoder};
use crate::{Error, StreamOptions};

/// Features waiting for their place in the file.
pub(crate) struct FgbWriter {
    waiting: BufWriter<File>,
    /// Envelope of each feature; `offset` is its number until the end.
    nodes: Vec<NodeItem>,
    /// Start and size in the temporary file.
    places: Vec<(u64, u32)>,
    end: u64,
    /// The type that all geometries have so far.
    kind: Option<GeometryType>,
    mixed: bool,
    /// A feature without geometry cannot stand in the index, so then there is none.
    any_null: bool,
    encoder: FeatureEncoder,
}

impl FgbWriter {
    pub(crate) fn create(folder: &Path, options: &StreamOptions<'_>) -> io::Result<Self> {
        Ok(Self {
            waiting: BufWriter::with_capacity(256 << 10, tempfile::tempfile_in(folder)?),
            nodes: Vec::new(),
            places: Vec::new(),
            end: 0,
            kind: None,
            mixed: false,
            any_null: false,
            encoder: FeatureEncoder::new(options),
        })
    }

    pub(crate) fn write(
        &mut self,
        id: &FeatureId,
        feature: &Feature,
        path: &Path,
    ) -> Result<(), Error> {
        let encoded = self.encoder.encode(id, feature)?;
        self.waiting
            .write_all(encoded.bytes)
            .map_err(|e| Error::write(path, e))?;
        let size = u32::try_from(encoded.bytes.len()).expect("the encoder checks the size");
        let mut node = NodeItem::create(self.nodes.len() as u64);
        match encoded.geometry {
            Some((kind, envelope)) => {
                node.min_x = envelope.min[0];
                node.min_y = envelope.min[1];
                node.max_x = envelope.max[0];
                node.max_y = envelope.max[1];
                self.mixed |= self.kind.is_some_and(|k| k != kind);
                self.kind = Some(kind);
            }
            None => self.any_null = true,
        }
        self.places.push((self.end, size));
        self.end += u64::from(size);
        self.nodes.push(node);
        Ok(())
    }

    /// Writes header, index and features to `out`.
    pub(crate) fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        let extent = calc_extent(&self.nodes);
        let indexed = !self.nodes.is_empty() && !self.any_null;
        let contents = Contents {
            kind: match self.kind {
                Some(kind) if !self.mixed => kind,
                Some(_) => GeometryType::Geometry,
                None => self.encoder.kind,
            },
            extent: extent.min_x.is_finite().then_some(Envelope {
                min: [extent.min_x, extent.min_y],
                max: [extent.max_x, extent.max_y],
            }),
            count: self.nodes.len() as u64,
            node_size: if indexed {
                PackedRTree::DEFAULT_NODE_SIZE
            } else {
                0
            },
        };
        out.write_all(&MAGIC)?;
        out.write_all(&self.encoder.header(&contents))?;
        if indexed {
            hilbert_sort(&mut self.nodes, &extent);
            let mut at = 0;
            let placed: Vec<NodeItem> = self
                .nodes
                .iter()
                .map(|node| {
                    let mut placed = node.clone();
                    placed.offset = at;
                    at += u64::from(self.places[node.offset as usize].1);
                    placed
                })
                .collect();
            PackedRTree::build(&placed, &extent, PackedRTree::DEFAULT_NODE_SIZE)
                .map_err(io::Error::other)?
                .stream_write(out)?;
        }
        let waiting = self
            .waiting
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let mut buf = Vec::new();
        for node in &self.nodes {
            let (start, size) = self.places[node.offset as usize];
            buf.resize(size as usize, 0);
            waiting.read_exact_at(&mut buf, start)?;
            out.write_all(&buf)?;
        }
        Ok(())
    }
}
