//! Features to bytes, piece by piece, for HTTP bodies and files alike.

mod columns;
mod options;

use model::{Feature, FeatureId, Message};

use crate::fgb::FgbStream;
use crate::geojson::JsonEncoder;
use crate::geoparquet::ParquetEncoder;
use crate::table::CsvEncoder;
use crate::{Error, Format};

pub(crate) use columns::{Column, free_name};
pub use options::{JsonFg, StreamOptions, TableGeometry, TimeProperties};

/// An encoder of features: [`Stream::begin`], [`Stream::write`] for each feature, [`Stream::end`]. What each of them
/// appends is the next piece of the answer.
///
/// Memory is flat whatever the number of features: GeoParquet holds one group of rows, of parcels some 10 MB
/// ([`Stream::retained`]), and its footer's entry of every group before, 1 kB each for ten columns; the other formats
/// hold nothing. O(bytes) of the features.
pub struct Stream {
    encoder: Encoder,
    count: u64,
    /// How many were promised to readers.
    promised: Option<u64>,
}

enum Encoder {
    Json(JsonEncoder),
    FlatGeobuf(Box<FgbStream>),
    Csv(CsvEncoder),
    GeoParquet(Box<ParquetEncoder>),
}

impl Stream {
    /// # Errors
    /// When the format is not streamed ([`Format::is_streamed`]), coordinates are wanted as columns for a layer that is
    /// not of points, or the PROJJSON is no JSON object.
    pub fn new(options: &StreamOptions<'_>) -> Result<Self, Error> {
        let encoder = match options.format {
            Format::GeoJson | Format::GeoJsonSeq | Format::NdJson | Format::JsonFg => {
                Encoder::Json(JsonEncoder::new(options))
            }
            Format::FlatGeobuf => Encoder::FlatGeobuf(Box::new(FgbStream::new(options))),
            Format::Csv => Encoder::Csv(CsvEncoder::new(options)?),
            Format::GeoParquet => Encoder::GeoParquet(Box::new(ParquetEncoder::new(options)?)),
            Format::Shapefile | Format::GeoPackage => {
                return Err(Message::new("formats.not-streamed")
                    .with("format", options.format.name())
                    .into());
            }
        };
        Ok(Self {
            encoder,
            count: 0,
            promised: options
                .count
                .filter(|_| options.format == Format::FlatGeobuf),
        })
    }

    /// Appends what stands before the features. `members` are further JSON members of the collection, separated by
    /// commas, without braces (`"numberMatched":5,"timeStamp":"…"`); only GeoJSON and JSON-FG have a place for them.
    ///
    /// # Errors
    /// When the header cannot be encoded.
    pub fn begin(&mut self, out: &mut Vec<u8>, members: &str) -> Result<(), Error> {
        match &mut self.encoder {
            Encoder::Json(encoder) => encoder.begin(out, members),
            Encoder::FlatGeobuf(encoder) => encoder.begin(out),
            Encoder::Csv(encoder) => encoder.begin(out),
            Encoder::GeoParquet(encoder) => encoder.begin(out)?,
        }
        Ok(())
    }

    /// Appends one feature, or nothing while a group of them is gathered. Its values are in the schema's order, its
    /// geometry in the stream's CRS.
    ///
    /// # Errors
    /// When the geometry is damaged or not what was promised, or a value does not fit the type of its column; the message
    /// names the feature. Nothing is appended then, and other features may follow.
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        id: &FeatureId,
        feature: &Feature,
    ) -> Result<(), Error> {
        self.write_with_fallback(out, id, feature, None)
    }

    /// As [`Stream::write`]; `fallback` is the geometry in longitude/latitude for readers of GeoJSON, which JSON-FG has
    /// beside that in another CRS (OGC 21-045r1 §7.4). Other formats pass it over.
    ///
    /// # Errors
    /// As [`Stream::write`].
    pub fn write_with_fallback(
        &mut self,
        out: &mut Vec<u8>,
        id: &FeatureId,
        feature: &Feature,
        fallback: Option<&[u8]>,
    ) -> Result<(), Error> {
        let start = out.len();
        let written = match &mut self.encoder {
            Encoder::Json(encoder) => encoder.write(out, id, feature, fallback),
            Encoder::FlatGeobuf(encoder) => encoder.write(out, id, feature),
            Encoder::Csv(encoder) => encoder.write(out, id, feature),
            Encoder::GeoParquet(encoder) => encoder.write(out, id, feature),
        };
        match written {
            Ok(()) => {
                self.count += 1;
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error.of_feature(id))
            }
        }
    }

    /// Appends what stands after the features; `members` as for [`Stream::begin`].
    ///
    /// # Errors
    /// When fewer or more features came than [`StreamOptions::count`] promised.
    pub fn end(&mut self, out: &mut Vec<u8>, members: &str) -> Result<(), Error> {
        if let Some(promised) = self.promised.filter(|p| *p != self.count) {
            return Err(Message::new("formats.write-count")
                .with("promised", promised)
                .with("count", self.count)
                .into());
        }
        match &mut self.encoder {
            Encoder::Json(encoder) => encoder.end(out, members),
            Encoder::FlatGeobuf(_) | Encoder::Csv(_) => {}
            Encoder::GeoParquet(encoder) => encoder.end(out)?,
        }
        Ok(())
    }

    /// Appends a document of one feature: in GeoJSON and JSON-FG a Feature with these further `members` (such as
    /// `"links":[…]`), in other formats a collection of one.
    ///
    /// # Errors
    /// As [`Stream::write`].
    pub fn single(
        &mut self,
        out: &mut Vec<u8>,
        id: &FeatureId,
        feature: &Feature,
        fallback: Option<&[u8]>,
        members: &str,
    ) -> Result<(), Error> {
        if let Encoder::Json(encoder) = &mut self.encoder {
            let start = out.len();
            return encoder
                .single(out, id, feature, fallback, members)
                .map_err(|error| {
                    out.truncate(start);
                    error.of_feature(id)
                });
        }
        self.begin(out, "")?;
        self.write_with_fallback(out, id, feature, fallback)?;
        self.end(out, "")
    }

    /// Features written so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes of features that wait for their group to be complete; 0 for all formats but GeoParquet.
    pub fn retained(&self) -> usize {
        match &self.encoder {
            Encoder::GeoParquet(encoder) => encoder.retained(),
            _ => 0,
        }
    }
}
