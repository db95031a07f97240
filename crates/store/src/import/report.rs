//! What an import did, for people and programs.

use std::collections::BTreeMap;

use formats::Rejection;
use model::{Collection, Message};
use spatial::validity::DefectKind;

use super::ImportJob;

/// Rejections and invalid geometries named one by one; the counts go on beyond.
pub(crate) const MAX_NAMED: usize = 10_000;

/// What an import did.
#[derive(Debug, Clone)]
pub struct ImportReport {
    pub file: String,
    pub layer: Option<String>,
    /// The collection as it is now.
    pub collection: Collection,
    pub read: u64,
    pub stored: u64,
    /// Of the stored: those that took the place of an older feature (upsert).
    pub replaced: u64,
    /// Records that are in the store as they are, and were not written (upsert).
    pub unchanged: u64,
    /// Features of before that stand in no record; they stay (upsert).
    pub gone: u64,
    pub rejected: u64,
    /// The first [`MAX_NAMED`] rejections.
    pub rejections: Vec<Rejection>,
    /// Features with an invalid geometry.
    pub invalid: u64,
    /// Their invalid parts, each by its first defect; the first [`MAX_NAMED`].
    pub invalid_geometries: Vec<InvalidGeometry>,
    pub repaired: u64,
    /// Records that share their id with an earlier one; they are among the rejected.
    pub duplicate_ids: u64,
    /// Records whose coordinates lie outside the CRS; they are among the rejected.
    pub out_of_range: u64,
    /// Records at exactly 0, 0, stored as given.
    pub at_zero: u64,
    pub without_geometry: u64,
    /// Geometries that came as EWKB and are stored as ISO WKB, the numbers as given.
    pub from_ewkb: u64,
    /// Repaired geometries that lost their Z or M.
    pub lost_z: u64,
    /// Widened types, renamed properties and the like.
    pub notes: Vec<Message>,
    /// Invalid parts by kind.
    pub invalid_kinds: BTreeMap<&'static str, u64>,
}

/// A geometry that breaks the rules of OGC Simple Features (OGC 06-103r4 §6.1.11).
#[derive(Debug, Clone)]
pub struct InvalidGeometry {
    pub record: u64,
    /// Position of the part in a multi-part geometry, from 0.
    pub part: usize,
    pub kind: DefectKind,
    /// In the storage CRS, x first.
    pub location: [f64; 2],
}

impl ImportReport {
    pub(crate) fn new(job: &ImportJob, collection: &Collection, notes: &[Message]) -> Self {
        Self {
            file: job.file.display().to_string(),
            layer: job.layer.clone(),
            collection: collection.clone(),
            read: 0,
            stored: 0,
            replaced: 0,
            unchanged: 0,
            gone: 0,
            rejected: 0,
            rejections: Vec::new(),
            invalid: 0,
            invalid_geometries: Vec::new(),
            repaired: 0,
            duplicate_ids: 0,
            out_of_range: 0,
            at_zero: 0,
            without_geometry: 0,
            from_ewkb: 0,
            lost_z: 0,
            notes: notes.to_vec(),
            invalid_kinds: BTreeMap::new(),
        }
    }

    /// Adds the notes that only the end of the reading can tell.
    pub(crate) fn conclude(&mut self) {
        for (key, count) in [
            ("store.note-ewkb", self.from_ewkb),
            ("store.note-lost-z", self.lost_z),
        ] {
            if count > 0 {
                self.notes.push(Message::new(key).count(count));
            }
        }
    }

    pub(crate) fn reject(&mut self, rejection: Rejection) {
        self.rejected += 1;
        if self.rejections.len() < MAX_NAMED {
            self.rejections.push(rejection);
        }
    }

    pub(crate) fn name_invalid(&mut self, invalid: InvalidGeometry) {
        *self.invalid_kinds.entry(invalid.kind.name()).or_default() += 1;
        if self.invalid_geometries.len() < MAX_NAMED {
            self.invalid_geometries.push(invalid);
        }
    }
}
