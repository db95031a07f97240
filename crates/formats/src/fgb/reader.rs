//! The stream of features.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flatbuffers::VerifierOptions;
use flatgeobuf::{ColumnType, Feature, size_prefixed_root_as_feature_with_opts};
use model::{GeometryType, Message, Property, PropertyType, Schema, SourceFeature, Value};

use super::geometry;
use super::header::{Layer, header_size, read_header};
use super::properties::{Cell, Plan, TimeForms, each, plan, value};
use crate::Error;
use crate::error::file_name;
use crate::infer::clean_names;
use crate::limits::{MAX_DEPTH, MAX_FEATURE_BYTES, shown};
use crate::reader::{Info, Record, Rejection, checked};

/// Tables of one feature: a multi polygon has one for each part, of 40 bytes at least.
const MAX_TABLES: usize = MAX_FEATURE_BYTES / 40;

/// Reads a FlatGeobuf file from its first feature on.
pub(crate) struct FgbReader {
    frames: Frames,
    layer: Layer,
    plans: Vec<Plan>,
    /// Place of each column in the schema.
    places: Vec<usize>,
    width: usize,
    record: u64,
    wkb: Vec<u8>,
}

impl FgbReader {
    /// Reads the header and, when there are time columns, the features once for the form of the times.
    pub(crate) fn open(
        path: &Path,
        inferred: Arc<AtomicU64>,
        read: Arc<AtomicU64>,
    ) -> Result<(Self, Info), Error> {
        let (mut frames, mut layer) = Frames::open(path, inferred)?;
        let names: Vec<Box<str>> = layer.columns.iter().map(|(n, _)| n.clone()).collect();
        let (clean, mut notes) = clean_names(&names);
        notes.append(&mut layer.notes);
        let mut forms = vec![TimeForms::default(); layer.columns.len()];
        if layer
            .columns
            .iter()
            .any(|(_, k)| *k == ColumnType::DateTime)
        {
            while let Some(bytes) = frames.next(layer.count)? {
                look_at_times(bytes, &layer, &mut forms);
            }
        }
        let mut plans = Vec::new();
        let mut places = Vec::new();
        let mut properties = Vec::new();
        for ((name, (_, kind)), forms) in clean.into_iter().zip(&layer.columns).zip(forms) {
            let plan = plan(*kind).unwrap_or_else(|| forms.plan());
            let named = |key| Message::new(key).with("name", shown(&name));
            match plan {
                Plan::LeaveOut => notes.push(named("formats.note-column-left-out")),
                Plan::Keep(PropertyType::Text) if *kind == ColumnType::DateTime => {
                    notes.push(named("formats.note-time-as-text"));
                }
                _ => {}
            }
            places.push(properties.len());
            plans.push(plan);
            match plan {
                Plan::Keep(kind) => properties.push(Property::new(name, kind)),
                Plan::Midnight => properties.push(Property::new(name, PropertyType::Date)),
                Plan::LeaveOut => {}
            }
        }
        let info = Info {
            layer_name: layer.name.clone(),
            geometry_type: layer.kind.unwrap_or(GeometryType::Geometry),
            has_z: layer.dims.z,
            has_m: layer.dims.m,
            crs: layer.crs,
            feature_count: (layer.count > 0).then_some(layer.count),
            notes,
            schema: Schema { properties },
        };
        let (frames, _) = Frames::open(path, read)?;
        let reader = Self {
            frames,
            width: info.schema.properties.len(),
            layer,
            plans,
            places,
            record: 0,
            wkb: Vec::new(),
        };
        Ok((reader, info))
    }

    pub(crate) fn next(&mut self) -> Result<Option<Record>, Error> {
        let Some(bytes) = self.frames.next(self.layer.count)? else {
            return Ok(None);
        };
        self.record += 1;
        let record = self.record;
        let mut field = None;
        let result = decode(
            bytes,
            &self.layer,
            &self.plans,
            &self.places,
            self.width,
            &mut self.wkb,
            &mut field,
        );
        Ok(Some(match result {
            Ok((geometry, properties)) => Record::Feature(SourceFeature {
                record,
                id: None,
                geometry,
                properties,
            }),
            Err(reason) => Record::Rejected(Rejection {
                record,
                field,
                reason,
            }),
        }))
    }
}

type Parts = (Option<Vec<u8>>, Vec<Value>);

fn decode(
    bytes: &[u8],
    layer: &Layer,
    plans: &[Plan],
    places: &[usize],
    width: usize,
    wkb: &mut Vec<u8>,
    field: &mut Option<String>,
) -> Result<Parts, Message> {
    let feature = verified(bytes)?;
    if feature.columns().is_some_and(|c| !c.is_empty()) {
        return Err(Message::new("formats.fgb-own-columns"));
    }
    let geometry = match feature.geometry() {
        None => None,
        Some(geometry) => {
            wkb.clear();
            geometry::read(&geometry, layer.kind, layer.dims, wkb)?;
            checked(wkb)?;
            Some(wkb.clone())
        }
    };
    let mut values = vec![Value::Null; width];
    if let Some(properties) = feature.properties() {
        each(properties.bytes(), &layer.columns, |column, cell| {
            let value = value(plans[column], &cell)?;
            if plans[column] != Plan::LeaveOut {
                values[places[column]] = value;
            }
            Ok(())
        })
        .map_err(|damaged| {
            *field = damaged.column.map(|c| layer.columns[c].0.to_string());
            damaged.reason
        })?;
    }
    Ok((geometry, values))
}

fn verified(bytes: &[u8]) -> Result<Feature<'_>, Message> {
    let options = VerifierOptions {
        max_depth: MAX_DEPTH,
        max_tables: MAX_TABLES,
        max_apparent_size: 2 * MAX_FEATURE_BYTES,
        ..VerifierOptions::default()
    };
    size_prefixed_root_as_feature_with_opts(&options, bytes)
        .map_err(|_unverified| Message::new("formats.fgb-feature"))
}

fn look_at_times(bytes: &[u8], layer: &Layer, forms: &mut [TimeForms]) {
    let properties = verified(bytes).ok().and_then(|f| f.properties());
    let Some(properties) = properties else { return };
    // A damaged record is told of, and counted, when it is read for good.
    let _damaged = each(properties.bytes(), &layer.columns, |column, cell| {
        if let (ColumnType::DateTime, Cell::Text(text)) = (layer.columns[column].1, cell) {
            forms[column].add(text);
        }
        Ok(())
    });
}

/// The size-prefixed buffers after the index.
struct Frames {
    file: BufReader<File>,
    path: PathBuf,
    /// Bytes of the file that are not yet read.
    left: u64,
    given: u64,
    buf: Vec<u8>,
    count: Arc<AtomicU64>,
}

impl Frames {
    fn open(path: &Path, count: Arc<AtomicU64>) -> Result<(Self, Layer), Error> {
        let io = |e| Error::read(path, e);
        let file = File::open(path).map_err(io)?;
        let total = file.metadata().map_err(io)?.len();
        let mut file = BufReader::with_capacity(256 << 10, file);
        let mut start = [0; 12];
        file.read_exact(&mut start).map_err(io)?;
        let size = header_size(start, total - 12, path)?;
        let mut table = vec![0; 4 + size];
        table[..4].copy_from_slice(&start[8..]);
        file.read_exact(&mut table[4..]).map_err(io)?;
        let layer = read_header(&table, total, path)?;
        file.seek(SeekFrom::Start(layer.features_at)).map_err(io)?;
        count.fetch_add(layer.features_at, Ordering::Relaxed);
        let left = total
            .checked_sub(layer.features_at)
            .ok_or_else(|| Message::new("formats.truncated").with("file", file_name(path)))?;
        let frames = Self {
            file,
            path: path.to_owned(),
            left,
            given: 0,
            buf: Vec::new(),
            count,
        };
        Ok((frames, layer))
    }

    /// The next feature with its size prefix; `expected` is 0 when the header does not tell how many there are.
    fn next(&mut self, expected: u64) -> Result<Option<&[u8]>, Error> {
        if expected > 0 && self.given == expected || expected == 0 && self.left == 0 {
            return Ok(None);
        }
        let record = self.given + 1;
        let io = |e| Error::read(&self.path, e);
        if self.left < 4 {
            return Err(truncated(&self.path, record));
        }
        let mut prefix = [0; 4];
        self.file.read_exact(&mut prefix).map_err(io)?;
        self.left -= 4;
        let size = u32::from_le_bytes(prefix) as usize;
        if size as u64 > self.left {
            return Err(truncated(&self.path, record));
        }
        // Below eight bytes there is no table, and the verifier must not be asked.
        if !(8..=MAX_FEATURE_BYTES).contains(&size) {
            return Err(Message::new("formats.fgb-size")
                .with("file", file_name(&self.path))
                .with("record", record)
                .with("size", size)
                .into());
        }
        self.buf.resize(4 + size, 0);
        self.buf[..4].copy_from_slice(&prefix);
        self.file.read_exact(&mut self.buf[4..]).map_err(io)?;
        self.left -= size as u64;
        self.given = record;
        self.count.fetch_add(4 + size as u64, Ordering::Relaxed);
        Ok(Some(&self.buf))
    }
}

fn truncated(path: &Path, record: u64) -> Error {
    Message::new("formats.fgb-truncated")
        .with("file", file_name(path))
        .with("record", record)
        .into()
}
