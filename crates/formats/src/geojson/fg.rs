//! What JSON-FG has beyond GeoJSON (OGC 21-045r1).

use model::{GeometryType, Value, is_date, normalise_date_time};

use super::encode::write_string;
use crate::StreamOptions;
use crate::stream::TimeProperties;

const CORE: &str = "http://www.opengis.net/spec/json-fg-1/1.0/conf/core";
const TYPES_SCHEMAS: &str = "http://www.opengis.net/spec/json-fg-1/1.0/conf/types-schemas";

/// The further members of a document and of its features.
pub(super) struct FgMembers {
    /// Members of the root object, collection or feature, each with a comma after it.
    document: Vec<u8>,
    /// Members that only a collection has.
    collection: Vec<u8>,
    /// Whether geometry is `place`, since `geometry` is for longitude/latitude alone.
    place: bool,
    time: Option<TimeProperties>,
}

impl FgMembers {
    pub(super) fn new(options: &StreamOptions<'_>) -> Self {
        let fg = &options.json_fg;
        let place = !options.crs.is_wgs84() || options.y_first;
        let mut document = br#""conformsTo":[""#.to_vec();
        document.extend_from_slice(CORE.as_bytes());
        if fg.feature_type.is_some() {
            document.extend_from_slice(b"\",\"");
            document.extend_from_slice(TYPES_SCHEMAS.as_bytes());
        }
        document.extend_from_slice(b"\"],");
        let mut put = |name: &[u8], text: &str| {
            document.extend_from_slice(name);
            write_string(&mut document, text);
            document.push(b',');
        };
        if let Some(feature_type) = fg.feature_type {
            put(br#""featureType":"#, feature_type);
        }
        if let Some(schema) = fg.feature_schema {
            put(br#""featureSchema":"#, schema);
        }
        if place {
            // Latitude first, so it is not CRS84, which has no place in `place` (/req/core/place).
            let uri = if options.crs.is_wgs84() {
                "http://www.opengis.net/def/crs/EPSG/0/4326".to_owned()
            } else {
                options
                    .crs_uri
                    .map_or_else(|| options.crs.uri(), str::to_owned)
            };
            put(br#""coordRefSys":"#, &uri);
        }
        let dimension = dimension(options.geometry_type).filter(|_| fg.feature_type.is_some());
        let collection = dimension.map_or(Vec::new(), |dimension| {
            format!(r#""geometryDimension":{dimension},"#).into_bytes()
        });
        Self {
            document,
            collection,
            place,
            time: fg.time,
        }
    }

    /// Members of the root object, whether that is a collection or a feature.
    pub(super) fn of_document(&self) -> &[u8] {
        &self.document
    }

    /// Members of a collection.
    pub(super) fn of_collection(&self) -> &[u8] {
        &self.collection
    }

    pub(super) fn has_place(&self) -> bool {
        self.place
    }

    /// Appends the value of `time` (clause 8, /req/core/instant, interval, utc): null, a date, a timestamp in UTC, or an
    /// interval. A text that is no time gives null: the property itself still tells it.
    pub(super) fn time(&self, out: &mut Vec<u8>, values: &[Value]) {
        let text = |at: usize| match values.get(at) {
            Some(Value::Text(text)) => Some(&**text),
            _ => None,
        };
        let instant = |at: usize| text(at).and_then(Instant::read);
        let written = self.time.and_then(|time| match time.end {
            None => instant(time.start).map(|instant| {
                out.extend_from_slice(match instant {
                    Instant::Date(_) => br#"{"date":"#.as_slice(),
                    Instant::Timestamp(_) => br#"{"timestamp":"#,
                });
                write_string(out, instant.text());
                out.push(b'}');
            }),
            Some(end) => interval(out, instant(time.start), instant(end)),
        });
        if written.is_none() {
            out.extend_from_slice(b"null");
        }
    }
}

/// Dimension of the geometries (`geometryDimension`), where it is one for all.
fn dimension(kind: GeometryType) -> Option<u8> {
    match kind {
        GeometryType::Point | GeometryType::MultiPoint => Some(0),
        GeometryType::LineString | GeometryType::MultiLineString => Some(1),
        GeometryType::Polygon | GeometryType::MultiPolygon => Some(2),
        GeometryType::Geometry | GeometryType::GeometryCollection => None,
    }
}

enum Instant<'a> {
    Date(&'a str),
    /// In UTC.
    Timestamp(String),
}

impl<'a> Instant<'a> {
    fn read(text: &'a str) -> Option<Self> {
        if is_date(text) {
            return Some(Self::Date(text));
        }
        normalise_date_time(text).map(Self::Timestamp)
    }

    fn text(&self) -> &str {
        match self {
            Self::Date(text) => text,
            Self::Timestamp(text) => text,
        }
    }

    /// A date as an instant of its day, for an interval whose other end is a timestamp: both must be of one kind.
    fn into_timestamp(self, time: &str) -> String {
        match self {
            Self::Date(date) => format!("{date}T{time}Z"),
            Self::Timestamp(text) => text,
        }
    }
}

/// Appends an interval; `None` when both ends are open.
fn interval(out: &mut Vec<u8>, start: Option<Instant<'_>>, end: Option<Instant<'_>>) -> Option<()> {
    let (start, end) = match (start, end) {
        (None, None) => return None,
        (Some(start), Some(end)) => match (start, end) {
            (Instant::Date(start), Instant::Date(end)) => (start.to_owned(), end.to_owned()),
            (start, end) => (
                start.into_timestamp("00:00:00.000"),
                end.into_timestamp("23:59:59.999"),
            ),
        },
        (Some(start), None) => (start.text().to_owned(), "..".to_owned()),
        (None, Some(end)) => ("..".to_owned(), end.text().to_owned()),
    };
    out.extend_from_slice(br#"{"interval":["#);
    write_string(out, &start);
    out.push(b',');
    write_string(out, &end);
    out.extend_from_slice(b"]}");
    Some(())
}
