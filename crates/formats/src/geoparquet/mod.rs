//! GeoParquet 1.1: columns in groups of rows, geometry as ISO WKB with the box of each feature beside.
//!
//! The columns of a group are gathered here and handed to the `parquet` crate all at once, so memory is that of one
//! group. Without Arrow: its arrays would be one more copy, and a hundred crates.

mod column;
mod geometry;
mod layout;

use model::{Feature, FeatureId, Message};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;

use column::Buffer;
use geometry::GeometryColumn;
use layout::Layout;

use crate::stream::Column;
use crate::{Error, StreamOptions};

/// Rows of a group: enough to be skipped as a whole by its statistics and to compress well, few enough that some
/// megabytes hold them.
const GROUP_ROWS: usize = 10_000;

/// Bytes of a group before it is encoded, whatever its rows; one feature may be larger, see
/// [`crate::limits::MAX_FEATURE_BYTES`].
const GROUP_BYTES: usize = 8 << 20;

pub(crate) struct ParquetEncoder {
    writer: SerializedFileWriter<Vec<u8>>,
    layout: Layout,
    id: Option<Buffer>,
    columns: Vec<(Column, Buffer)>,
    geometry: Option<GeometryColumn>,
    /// Of the group that is being gathered.
    rows: usize,
    bytes: usize,
}

impl ParquetEncoder {
    /// # Errors
    /// When the PROJJSON is no JSON object.
    pub(crate) fn new(options: &StreamOptions<'_>) -> Result<Self, Error> {
        let columns = Column::select(options.schema, options.properties);
        let layout = Layout::new(options, &columns)?;
        let writer =
            SerializedFileWriter::new(Vec::new(), layout.schema(&columns)?, layout.properties())?;
        Ok(Self {
            writer,
            id: options.id_column.map(|_| Buffer::required_text()),
            columns: columns
                .into_iter()
                .map(|column| {
                    let buffer = Buffer::optional(column.kind);
                    (column, buffer)
                })
                .collect(),
            geometry: (!options.skip_geometry).then(GeometryColumn::default),
            layout,
            rows: 0,
            bytes: 0,
        })
    }

    pub(crate) fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.drain(out)
    }

    /// Takes a row in; appends the group when it is complete.
    pub(crate) fn write(
        &mut self,
        out: &mut Vec<u8>,
        id: &FeatureId,
        feature: &Feature,
    ) -> Result<(), Error> {
        match self.push(id, feature) {
            Ok(bytes) => self.bytes += bytes,
            Err(error) => {
                self.take_back();
                return Err(error);
            }
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.write_group()?;
            self.drain(out)?;
        }
        Ok(())
    }

    pub(crate) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.rows > 0 {
            self.write_group()?;
        }
        if let Some(geometry) = &self.geometry {
            let geo = self.layout.metadata(geometry.seen());
            self.writer
                .append_key_value_metadata(KeyValue::new("geo".to_owned(), geo));
        }
        self.writer.finish()?;
        out.append(self.writer.inner_mut());
        Ok(())
    }

    /// Bytes that are held, room for more included.
    pub(crate) fn retained(&self) -> usize {
        let columns = self.columns.iter().map(|(_, buffer)| buffer.capacity());
        let id = self.id.as_ref().map_or(0, Buffer::capacity);
        let geometry = self.geometry.as_ref().map_or(0, GeometryColumn::capacity);
        columns.sum::<usize>() + id + geometry + self.writer.inner().capacity()
    }

    /// Adds a row to all columns and gives its bytes.
    fn push(&mut self, id: &FeatureId, feature: &Feature) -> Result<usize, Error> {
        let mut bytes = 0;
        if let Some(buffer) = &mut self.id {
            bytes += match id {
                FeatureId::Integer(i) => {
                    buffer.push_text(itoa::Buffer::new().format(*i).as_bytes())
                }
                FeatureId::Text(text) => buffer.push_text(text.as_bytes()),
            };
        }
        for (column, buffer) in &mut self.columns {
            bytes += buffer.push(column, &*column.fit(&feature.properties)?)?;
        }
        if let Some(column) = &mut self.geometry {
            bytes += column.push(feature.geometry.as_deref())?;
        }
        Ok(bytes)
    }

    /// Takes the last row out of the columns that have it already.
    fn take_back(&mut self) {
        let columns = self.columns.iter_mut().map(|(_, buffer)| buffer);
        for buffer in self.id.iter_mut().chain(columns) {
            buffer.truncate(self.rows);
        }
    }

    /// Encodes the rows gathered into one row group, in the order of the layout's columns.
    fn write_group(&mut self) -> Result<(), Error> {
        let mut group = self.writer.next_row_group()?;
        let columns = self.columns.iter_mut().map(|(_, buffer)| buffer);
        let geometry = self.geometry.iter_mut().flat_map(GeometryColumn::buffers);
        for buffer in self.id.iter_mut().chain(columns).chain(geometry) {
            let mut column = group
                .next_column()?
                .expect("the schema has a column for each buffer");
            buffer.write(column.untyped())?;
            column.close()?;
            buffer.clear();
        }
        group.close()?;
        self.rows = 0;
        self.bytes = 0;
        Ok(())
    }

    /// Hands over what the writer has put down so far.
    fn drain(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.writer
            .flush()
            .map_err(|e| Error::from(ParquetError::from(e)))?;
        out.append(self.writer.inner_mut());
        Ok(())
    }
}

/// The writer writes to memory, so what it complains of is no disk.
impl From<ParquetError> for Error {
    fn from(error: ParquetError) -> Self {
        Message::new("formats.parquet-failed")
            .with("reason", error)
            .into()
    }
}
