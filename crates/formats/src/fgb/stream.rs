//! FlatGeobuf without an index, feature after feature as they come.

use model::{Feature, FeatureId, GeometryType, Message};

use super::MAGIC;
use super::feature::{Contents, FeatureEncoder};
use crate::{Error, StreamOptions};

/// Keeps nothing: the specification lets a file be without index, extent and number of features.
pub(crate) struct FgbStream {
    encoder: FeatureEncoder,
    /// The type that the header promises for every feature; `Geometry`: each tells its own.
    promised: GeometryType,
    count: u64,
}

impl FgbStream {
    pub(crate) fn new(options: &StreamOptions<'_>) -> Self {
        let promised = if options.skip_geometry {
            GeometryType::Geometry
        } else {
            options.geometry_type
        };
        Self {
            encoder: FeatureEncoder::new(options),
            promised,
            count: options.count.unwrap_or(0),
        }
    }

    pub(crate) fn begin(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.encoder.header(&Contents {
            kind: self.promised,
            extent: None,
            count: self.count,
            node_size: 0,
        }));
    }

    pub(crate) fn write(
        &mut self,
        out: &mut Vec<u8>,
        id: &FeatureId,
        feature: &Feature,
    ) -> Result<(), Error> {
        let promised = self.promised;
        let encoded = self.encoder.encode(id, feature)?;
        if let Some((kind, _)) = encoded.geometry
            && promised != GeometryType::Geometry
            && kind != promised
        {
            // Readers take the header's word for it and would misread the arrays.
            return Err(Message::new("formats.write-geometry-type")
                .with("type", kind.name())
                .with("layer", promised.name())
                .into());
        }
        out.extend_from_slice(encoded.bytes);
        Ok(())
    }
}
