//! What a transaction does.

use std::fmt;
use std::sync::Arc;

use model::access::Editing;
use model::{ChangeSeq, Crs, Value};

use super::By;
use crate::Item;

/// A feature as a client wants it to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// WKB, x first; `None` for null.
    pub geometry: Option<Vec<u8>>,
    /// The CRS of the geometry; in that of the collection's storage it is kept bit for bit.
    pub crs: Crs,
    /// One value for each property of the schema, in its order.
    pub properties: Vec<Value>,
}

/// What of a feature is to be another.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// WKB, x first, `Some(None)` for null; `None` leaves the geometry as it is.
    pub geometry: Option<Option<Vec<u8>>>,
    /// The CRS of the geometry.
    pub crs: Crs,
    /// Positions in the schema as whoever writes sees it, with their new values.
    pub properties: Vec<(usize, Value)>,
}

/// One action of a transaction, on one feature.
#[derive(Clone)]
pub struct Action {
    pub collection: String,
    pub by: By,
    pub step: Step,
    /// The rules of the collection.
    pub rules: Editing,
}

/// What is done to a feature; an id is that of its URL.
#[derive(Clone)]
pub enum Step {
    Create(Draft),
    Replace {
        id: String,
        draft: Draft,
        expected: Expected,
    },
    Update {
        id: String,
        patch: Patch,
        expected: Expected,
    },
    Delete {
        id: String,
        expected: Expected,
    },
    /// What a cadastral operation makes of a parcel: a geometry in the storage CRS that stays bit for bit, values, another id.
    Reshape {
        id: String,
        /// `None` leaves it as it is.
        geometry: Option<Vec<u8>>,
        properties: Vec<(usize, Value)>,
        renamed: Option<String>,
        expected: Expected,
    },
    /// Makes a feature what it was right after a change, whether it is there now or not.
    Restore {
        id: String,
        fid: i64,
        seq: ChangeSeq,
        expected: Expected,
    },
}

impl Step {
    /// The id of a feature that has to be there.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::Create(_) => None,
            Self::Replace { id, .. }
            | Self::Update { id, .. }
            | Self::Delete { id, .. }
            | Self::Reshape { id, .. }
            | Self::Restore { id, .. } => Some(id),
        }
    }
}

/// The state that a feature must still have when it is written.
#[derive(Clone, Default)]
pub enum Expected {
    #[default]
    Anything,
    Version(ChangeSeq),
    /// Decides over the feature as whoever writes sees it, in longitude/latitude.
    Like(Arc<dyn Fn(&Item) -> bool + Send + Sync>),
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anything => f.write_str("Anything"),
            Self::Version(version) => write!(f, "Version({})", version.0),
            Self::Like(_) => f.write_str("Like(…)"),
        }
    }
}

impl From<Option<ChangeSeq>> for Expected {
    fn from(version: Option<ChangeSeq>) -> Self {
        version.map_or(Self::Anything, Self::Version)
    }
}
