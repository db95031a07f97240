//! GeoJSON, its sequences and JSON-FG, one feature after another.

use model::{Feature, FeatureId, Value};

use super::coordinates::Coordinates;
use super::encode::{write_geometry_as, write_id, write_string, write_value};
use super::fg::FgMembers;
use crate::stream::Column;
use crate::{Error, Format, StreamOptions};

/// RFC 8142 §2.1.
const RECORD_SEPARATOR: u8 = 0x1E;

pub(crate) struct JsonEncoder {
    frame: Frame,
    columns: Vec<Member>,
    coordinates: Coordinates,
    skip_geometry: bool,
    begun: bool,
    fg: Option<FgMembers>,
}

/// What stands around the features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Collection,
    Lines { separators: bool },
}

/// A property with its name as it stands in the text: `,"name":`, the first without the comma.
struct Member {
    column: Column,
    text: Box<[u8]>,
}

impl JsonEncoder {
    pub(crate) fn new(options: &StreamOptions<'_>) -> Self {
        let columns = Column::select(options.schema, options.properties);
        let member = |(i, column): (usize, Column)| {
            let mut text = Vec::new();
            if i > 0 {
                text.push(b',');
            }
            write_string(&mut text, &column.name);
            text.push(b':');
            Member {
                column,
                text: text.into(),
            }
        };
        Self {
            frame: match options.format {
                Format::GeoJsonSeq => Frame::Lines { separators: true },
                Format::NdJson => Frame::Lines { separators: false },
                _ => Frame::Collection,
            },
            columns: columns.into_iter().enumerate().map(member).collect(),
            coordinates: Coordinates::new(options.y_first, options.decimals),
            skip_geometry: options.skip_geometry,
            begun: false,
            fg: (options.format == Format::JsonFg).then(|| FgMembers::new(options)),
        }
    }

    pub(crate) fn begin(&mut self, out: &mut Vec<u8>, members: &str) {
        if self.frame != Frame::Collection {
            return;
        }
        out.extend_from_slice(br#"{"type":"FeatureCollection","#);
        if let Some(fg) = &self.fg {
            out.extend_from_slice(fg.of_document());
            out.extend_from_slice(fg.of_collection());
        }
        if !members.is_empty() {
            out.extend_from_slice(members.as_bytes());
            out.push(b',');
        }
        out.extend_from_slice(br#""features":["#);
    }

    pub(crate) fn write(
        &mut self,
        out: &mut Vec<u8>,
        id: &FeatureId,
        feature: &Feature,
        fallback: Option<&[u8]>,
    ) -> Result<(), Error> {
        match self.frame {
            Frame::Collection => out.extend_from_slice(if self.begun { b",\n" } else { b"\n" }),
            Frame::Lines { separators: true } => out.push(RECORD_SEPARATOR),
            Frame::Lines { separators: false } => {}
        }
        out.extend_from_slice(br#"{"type":"Feature","#);
        self.feature(out, id, feature, fallback)?;
        out.push(b'}');
        if self.frame != Frame::Collection {
            out.push(b'\n');
        }
        self.begun = true;
        Ok(())
    }

    pub(crate) fn end(&mut self, out: &mut Vec<u8>, members: &str) {
        if self.frame != Frame::Collection {
            return;
        }
        out.extend_from_slice(b"\n]");
        if !members.is_empty() {
            out.push(b',');
            out.extend_from_slice(members.as_bytes());
        }
        out.extend_from_slice(b"}\n");
    }

    /// A Feature as a document of its own.
    pub(crate) fn single(
        &mut self,
        out: &mut Vec<u8>,
        id: &FeatureId,
        feature: &Feature,
        fallback: Option<&[u8]>,
        members: &str,
    ) -> Result<(), Error> {
        out.extend_from_slice(br#"{"type":"Feature","#);
        if let Some(fg) = &self.fg {
            out.extend_from_slice(fg.of_document());
        }
        self.feature(out, id, feature, fallback)?;
        if !members.is_empty() {
            out.push(b',');
            out.extend_from_slice(members.as_bytes());
        }
        out.push(b'}');
        Ok(())
    }

    /// The members of a feature that are its own.
    fn feature(
        &self,
        out: &mut Vec<u8>,
        id: &FeatureId,
        feature: &Feature,
        fallback: Option<&[u8]>,
    ) -> Result<(), Error> {
        out.extend_from_slice(br#""id":"#);
        write_id(out, id);
        let given = feature.geometry.as_deref().filter(|_| !self.skip_geometry);
        match &self.fg {
            None => self.geometry(out, br#","geometry":"#, given, self.coordinates)?,
            Some(fg) => {
                out.extend_from_slice(br#","time":"#);
                fg.time(out, &feature.properties);
                // One of the two, or a fallback beside the place (OGC 21-045r1 §7.4).
                let fallback = fallback.filter(|_| !self.skip_geometry);
                let (place, geometry, coordinates) = if fg.has_place() {
                    (given, fallback, Coordinates::default())
                } else {
                    (None, given, self.coordinates)
                };
                self.geometry(out, br#","place":"#, place, self.coordinates)?;
                self.geometry(out, br#","geometry":"#, geometry, coordinates)?;
            }
        }
        self.properties(out, &feature.properties);
        Ok(())
    }

    fn geometry(
        &self,
        out: &mut Vec<u8>,
        name: &[u8],
        wkb: Option<&[u8]>,
        coordinates: Coordinates,
    ) -> Result<(), Error> {
        out.extend_from_slice(name);
        match wkb {
            Some(wkb) => write_geometry_as(out, wkb, coordinates),
            None => {
                out.extend_from_slice(b"null");
                Ok(())
            }
        }
    }

    fn properties(&self, out: &mut Vec<u8>, values: &[Value]) {
        out.extend_from_slice(br#","properties":{"#);
        for member in &self.columns {
            out.extend_from_slice(&member.text);
            write_value(out, member.column.of(values));
        }
        out.push(b'}');
    }
}
