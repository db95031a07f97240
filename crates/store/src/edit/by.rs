//! Who writes, and how far they may.

use std::sync::Arc;

use model::world::WorldBuf;
use model::{Crs, Feature, Message};
use spatial::WorldArea;

use crate::lens::{Lens, geometries};
use crate::live::LiveCollection;
use crate::session::Parameter;
use crate::{Error, items, row};

/// Whoever writes a feature.
#[derive(Clone)]
pub struct By {
    /// Their name in the logs.
    pub actor: String,
    /// How they see the collection; `None`: as it is.
    pub lens: Option<Arc<Lens>>,
    /// Where they may write; `None`: everywhere.
    pub within: Option<Arc<Vec<WorldArea>>>,
}

/// Somebody who sees everything and may write everywhere.
impl From<&str> for By {
    fn from(actor: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            lens: None,
            within: None,
        }
    }
}

impl By {
    /// # Errors
    /// [`Error::Busy`] when the collection has become another one since the lens was made.
    pub(super) fn require_fit(&self, live: &LiveCollection) -> Result<(), Error> {
        match &self.lens {
            Some(lens) if !lens.fits(live) => Err(Error::Busy(Message::new("store.busy"))),
            _ => Ok(()),
        }
    }

    /// The column that the id of a URL names a feature by for whoever writes, and its value there: they read the feature
    /// under that id.
    pub(super) fn identified<'a>(
        &'a self,
        live: &'a LiveCollection,
        id: &str,
    ) -> Option<(&'a str, Parameter)> {
        let (collection, table) = match &self.lens {
            Some(lens) => lens.seen_as(),
            None => (&*live.collection, &*live.table),
        };
        items::identified(collection, table, id)
    }

    /// Whether they see a property, and see it whole.
    pub(super) fn gives(&self, live: &LiveCollection, position: usize) -> bool {
        let name = &live.collection.schema.properties[position].name;
        self.lens.as_ref().is_none_or(|lens| {
            let seen = lens.seen_as().0.schema.position(name);
            seen.is_some_and(|position| lens.is_whole(position))
        })
    }

    /// Whether a stored feature exists for whoever writes.
    pub(super) fn sees(&self, feature: &Feature) -> bool {
        self.lens.as_ref().is_none_or(|lens| lens.sees(feature))
    }

    /// # Errors
    /// [`Error::Denied`] for a state that lies outside of where they may write, or that they would not see themselves.
    pub(super) fn require_reach(
        &self,
        live: &LiveCollection,
        feature: &Feature,
    ) -> Result<(), Error> {
        let is_within = self.within.as_ref().is_none_or(|areas| {
            let world = geometries(&live.collection, feature);
            areas
                .iter()
                .any(|area| area.covers(world.iter().map(WorldBuf::view)))
        });
        if is_within && self.sees(feature) {
            return Ok(());
        }
        let key = if is_within {
            "store.write-unseen"
        } else {
            "store.write-outside"
        };
        Err(Error::Denied(
            Message::new(key).with("collection", &live.collection.id),
        ))
    }

    /// A stored feature as they are told of it.
    pub(super) fn shown(&self, live: &LiveCollection, feature: Feature) -> Feature {
        let fid = feature.fid;
        match &self.lens {
            // Whether they see it was decided before.
            Some(lens) => lens.seen(feature, Crs::CRS84).unwrap_or(Feature {
                fid,
                geometry: None,
                properties: Vec::new(),
            }),
            None => row::shown(&live.collection, feature, Crs::CRS84),
        }
    }
}
