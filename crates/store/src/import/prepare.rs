//! From a record of the source to a row: checks, repair, blob. Runs beside the reading side.

use formats::{Record, Rejection};
use geo_types::Geometry;
use model::{Collection, Envelope, Message, PropertyType, SourceFeature, SourceId, Value};

use spatial::validity::Defect;

use super::report::InvalidGeometry;
use super::{ImportJob, SourceHead};
use crate::Error;
use crate::session::Dialect;

/// Rows in a batch: one insert statement's worth of small rows.
pub(crate) const BATCH_ROWS: usize = 512;

/// A batch ends earlier when its geometries reach this, in bytes, so that huge features keep memory flat.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Greatest integer id: beyond 2^53 - 1 programs that read JSON numbers as doubles take two ids for one
/// (RFC 8259 §6), and a key near 2^63 would leave no room for new ones.
pub(crate) const MAX_ID: u64 = (1 << 53) - 1;

/// A checked record, ready to be stored.
pub(crate) struct Prepared {
    pub(crate) record: u64,
    /// The key that the source gives.
    pub(crate) fid: Option<i64>,
    /// What [`Dialect::stored`] made of the geometry.
    pub(crate) blob: Option<Vec<u8>>,
    /// In the order of the collection's schema.
    pub(crate) values: Vec<Value>,
}

/// Rows and what is to be said of the records that made them.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) rows: Vec<Prepared>,
    pub(crate) read: u64,
    pub(crate) last_record: u64,
    pub(crate) bytes_read: u64,
    pub(crate) rejections: Vec<Rejection>,
    pub(crate) invalid: Vec<InvalidGeometry>,
    pub(crate) invalid_features: u64,
    pub(crate) repaired: u64,
    pub(crate) out_of_range: u64,
    pub(crate) at_zero: u64,
    pub(crate) without_geometry: u64,
    /// Geometries that came as EWKB and are stored as ISO WKB.
    pub(crate) from_ewkb: u64,
    /// Repaired geometries that had Z or M, which repair can't keep.
    pub(crate) lost_z: u64,
    /// Around the rows' geometries, in the storage CRS.
    pub(crate) envelope: Option<Envelope>,
    /// Which geometry types came, with their Z and M.
    pub(crate) types: Vec<(model::GeometryType, bool, bool)>,
    bytes: usize,
}

pub(crate) struct Preparer {
    collection: Collection,
    dialect: Dialect,
    /// For each property of the collection, its place in the source.
    from_source: Vec<Option<usize>>,
    /// Position of the integer id property whose value is the key.
    key: Option<usize>,
    /// Position of an id property of another type.
    id: Option<usize>,
    keep_source_ids: bool,
    repair: bool,
    strict: bool,
    batch: Batch,
}

impl Preparer {
    pub(crate) fn new(
        job: &ImportJob,
        collection: &Collection,
        head: &SourceHead,
        dialect: Dialect,
    ) -> Result<Self, Error> {
        let creates = matches!(
            job.mode,
            super::ImportMode::Create | super::ImportMode::Replace
        );
        let names: Vec<String> = head
            .schema
            .properties
            .iter()
            .map(|p| p.name.clone())
            .collect();
        let (safe, _) = crate::safe_property_names(&names);
        let schema = &collection.schema;
        let from_source = schema
            .properties
            .iter()
            .map(|p| {
                safe.iter()
                    .position(|s| *s == p.name)
                    .or_else(|| head.schema.position(&p.name))
            })
            .collect();
        let id = collection
            .id_property
            .as_ref()
            .and_then(|name| schema.position(name));
        let key = id.filter(|i| schema.properties[*i].kind == PropertyType::Integer);
        Ok(Self {
            collection: collection.clone(),
            dialect,
            from_source,
            key,
            id: id.filter(|_| key.is_none()),
            keep_source_ids: creates && id.is_none(),
            repair: job.repair,
            strict: job.strict,
            batch: Batch::default(),
        })
    }

    /// Adds a record; gives the batch when it is full.
    pub(crate) fn add(&mut self, record: Record, bytes_read: u64) -> Option<Batch> {
        self.batch.read += 1;
        match record {
            Record::Rejected(rejection) => {
                self.batch.last_record = rejection.record;
                self.batch.rejections.push(rejection);
            }
            Record::Feature(feature) => {
                self.batch.last_record = feature.record;
                let number = feature.record;
                match self.prepare(feature) {
                    Ok(prepared) => self.batch.rows.push(prepared),
                    Err((field, reason)) => self.batch.rejections.push(Rejection {
                        record: number,
                        field,
                        reason,
                    }),
                }
            }
        }
        let full = self.batch.read as usize >= BATCH_ROWS || self.batch.bytes >= BATCH_BYTES;
        full.then(|| self.rest(bytes_read))
    }

    pub(crate) fn rest(&mut self, bytes_read: u64) -> Batch {
        let mut batch = std::mem::take(&mut self.batch);
        batch.bytes_read = bytes_read;
        batch
    }

    fn prepare(&mut self, feature: SourceFeature) -> Result<Prepared, (Option<String>, Message)> {
        let mut source = feature.properties;
        let mut values = Vec::with_capacity(self.from_source.len());
        for (property, from) in self
            .collection
            .schema
            .properties
            .iter()
            .zip(&self.from_source)
        {
            let value = from
                .and_then(|i| source.get_mut(i))
                .map_or(Value::Null, |v| std::mem::replace(v, Value::Null));
            let value = property.kind.widen(value);
            if !property.kind.accepts(&value) {
                let reason = Message::new("store.value-type").with("type", property.kind.name());
                return Err((Some(property.name.clone()), reason));
            }
            if matches!(&value, Value::Text(text) if text.contains('\0')) {
                return Err((Some(property.name.clone()), Message::new("store.text-nul")));
            }
            values.push(comparable(property.kind, value));
        }
        let fid = self.key(&values, feature.id.as_ref())?;
        let blob = match feature.geometry {
            Some(wkb) => Some(
                self.geometry(feature.record, wkb)
                    .map_err(|reason| (None, reason))?,
            ),
            None => {
                self.batch.without_geometry += 1;
                None
            }
        };
        Ok(Prepared {
            record: feature.record,
            fid,
            blob,
            values,
        })
    }

    /// The key that the record's id gives; a record without the id that its collection asks for is turned away, since
    /// nobody could name it.
    fn key(
        &self,
        values: &[Value],
        source: Option<&SourceId>,
    ) -> Result<Option<i64>, (Option<String>, Message)> {
        let name = |at: usize| self.collection.schema.properties[at].name.clone();
        let missing = |at: usize| {
            let reason = Message::new("store.id-missing").with("property", name(at));
            (Some(name(at)), reason)
        };
        if let Some(at) = self.id {
            let is_empty = matches!(&values[at], Value::Text(text) if text.is_empty());
            if is_empty || values[at] == Value::Null {
                return Err(missing(at));
            }
        }
        let key = match (self.key, source) {
            (Some(at), _) => match values[at] {
                Value::Integer(key) => key,
                _ => return Err(missing(at)),
            },
            (None, Some(SourceId::Integer(key))) if self.keep_source_ids => *key,
            _ => return Ok(None),
        };
        if key.unsigned_abs() > MAX_ID {
            let reason = Message::new("store.id-too-large")
                .with("id", key)
                .with("limit", MAX_ID);
            return Err((self.key.map(name), reason));
        }
        Ok(Some(key))
    }

    fn geometry(&mut self, record: u64, mut wkb: Vec<u8>) -> Result<Vec<u8>, Message> {
        let mut header = formats::wkb::check(&wkb).map_err(|e| e.message().clone())?;
        if let Some(srid) = header.srid
            && srid != 0
            && srid != self.collection.storage_crs.code()
        {
            return Err(Message::new("store.srs-differs")
                .with("found", srid)
                .with("declared", self.collection.storage_crs.code()));
        }
        if header.extended {
            // GeoPackage holds ISO WKB (OGC 12-128r19 §2.1.3); only the form changes, not a number.
            let mut iso = Vec::with_capacity(wkb.len());
            formats::wkb::to_iso(&wkb, &mut iso).map_err(|e| e.message().clone())?;
            wkb = iso;
            self.batch.from_ewkb += 1;
        }
        if header.empty {
            self.batch.without_geometry += 1;
        }
        if let Some(envelope) = header.envelope {
            if self.collection.storage_crs.is_wgs84() && !in_degrees(&envelope) {
                self.batch.out_of_range += 1;
                let [x, y] = if envelope.max[0].abs() > 180.0 || envelope.max[1].abs() > 90.0 {
                    envelope.max
                } else {
                    envelope.min
                };
                return Err(Message::new("store.out-of-range").with("x", x).with("y", y));
            }
            if envelope.min == [0.0, 0.0] && envelope.max == [0.0, 0.0] {
                self.batch.at_zero += 1;
            }
        }
        let polygonal = !matches!(
            header.geometry_type,
            model::GeometryType::Point | model::GeometryType::MultiPoint
        );
        if polygonal || !self.collection.storage_crs.is_wgs84() {
            let geometry = formats::wkb::read(&wkb).map_err(|e| e.message().clone())?;
            if !self.collection.storage_crs.is_wgs84() {
                // What can't be shown in longitude/latitude can't be indexed: it is in another CRS or zone.
                let shown = spatial::crs::to_wgs84(self.collection.storage_crs, &geometry)
                    .map_err(|e| e.message())?;
                let inside = spatial::envelope(&shown).is_none_or(|e| in_degrees(&e));
                if !inside {
                    self.batch.out_of_range += 1;
                    let [x, y] = header.envelope.map_or([0.0, 0.0], |e| e.min);
                    return Err(Message::new("store.out-of-range").with("x", x).with("y", y));
                }
            }
            if polygonal && let Some(repaired) = self.valid(record, &geometry)? {
                self.batch.lost_z += u64::from(header.has_z || header.has_m);
                wkb.clear();
                formats::wkb::write(&repaired, &mut wkb);
                header = formats::wkb::check(&wkb).map_err(|e| e.message().clone())?;
            }
        }
        let kind = (header.geometry_type, header.has_z, header.has_m);
        if !self.batch.types.contains(&kind) {
            self.batch.types.push(kind);
        }
        if let Some(envelope) = header.envelope {
            self.batch.envelope = Some(self.batch.envelope.map_or(envelope, |e| e.union(envelope)));
        }
        self.batch.bytes += wkb.len();
        let code = self.collection.storage_crs.code();
        Ok(self.dialect.stored(&wkb, &header, code))
    }

    /// Flags an invalid geometry; gives the repaired one when that is asked for and possible.
    fn valid(
        &mut self,
        record: u64,
        geometry: &Geometry<f64>,
    ) -> Result<Option<Geometry<f64>>, Message> {
        let defects = spatial::validity::check(geometry);
        let Some(first) = defects.first() else {
            return Ok(None);
        };
        let kind = first.kind;
        let [x, y] = first.location;
        if self.strict {
            return Err(Message::new("store.invalid-geometry")
                .with_message("kind", kind.message())
                .with("x", x)
                .with("y", y));
        }
        self.batch.invalid_features += 1;
        for (part, defect) in defects_by_part(geometry, first) {
            let (kind, location) = (defect.kind, defect.location);
            self.batch.invalid.push(InvalidGeometry {
                record,
                part,
                kind,
                location,
            });
        }
        if !self.repair {
            return Ok(None);
        }
        let repaired = spatial::validity::repair(geometry);
        self.batch.repaired += u64::from(repaired.is_some());
        Ok(repaired)
    }
}

/// The first defect of each invalid polygon of a multi-part geometry; where each is valid by itself, the defect between them.
fn defects_by_part(geometry: &Geometry<f64>, whole: &Defect) -> Vec<(usize, Defect)> {
    let Geometry::MultiPolygon(polygons) = geometry else {
        return vec![(whole.part, *whole)];
    };
    let mut parts = Vec::new();
    for (part, polygon) in polygons.iter().enumerate() {
        let defects = spatial::validity::check(&Geometry::Polygon(polygon.clone()));
        parts.extend(defects.into_iter().next().map(|defect| (part, defect)));
    }
    if parts.is_empty() {
        parts.push((whole.part, *whole));
    }
    parts
}

/// Times in the fixed form of UTC, whatever the file's offset, since they are compared as texts.
fn comparable(kind: PropertyType, value: Value) -> Value {
    match value {
        Value::Text(text) if kind == PropertyType::DateTime => {
            Value::Text(model::normalise_date_time(&text).map_or(text, Into::into))
        }
        other => other,
    }
}

fn in_degrees(envelope: &Envelope) -> bool {
    [envelope.min, envelope.max]
        .iter()
        .all(|[x, y]| x.abs() <= 180.0 && y.abs() <= 90.0)
}
