//! The box of a query, in whatever CRS it was given.

use geo_types::{Coord, Geometry};
use model::{Bbox, Crs, Envelope};

use crate::index::Hit;
use crate::{Error, crs, envelope, intersects, near};

/// Points along each side of a box that are transformed: between two of them a side bends by a few parts in a thousand of the
/// box at most, wherever a CRS may be used.
const SIDE: usize = 16;

/// How much of its size an image of a box is grown, and shrunk, to be surely around it, and surely inside.
const SLACK: f64 = 0.01;

/// A box that features are held against; its edges belong to it.
#[derive(Debug, Clone)]
pub enum QueryBox {
    /// In longitude/latitude.
    Geographic(Bbox),
    /// In another CRS, whose coordinates have straight edges where those of longitude/latitude are bent.
    In(Box<Window>),
}

/// A box in a CRS.
#[derive(Debug, Clone)]
pub struct Window {
    crs: Crs,
    own: Envelope,
    /// Around the box in longitude/latitude; `None` where the CRS has no image of it, as of a box that is far too large.
    outer: Option<Bbox>,
    /// Inside of the box in longitude/latitude.
    inner: Option<Envelope>,
}

impl From<Bbox> for QueryBox {
    fn from(bbox: Bbox) -> Self {
        Self::Geographic(bbox)
    }
}

impl QueryBox {
    /// A box in a CRS, x first.
    ///
    /// # Errors
    /// When the CRS is unknown or leads nowhere.
    pub fn new(crs: Crs, own: Envelope) -> Result<Self, Error> {
        let image = |mut side: Vec<(f64, f64)>| match crs::transform(crs, Crs::CRS84, &mut side) {
            Ok(()) => Ok(Some(side)),
            // No image of this place; others there may be.
            Err(Error::Invalid(_)) => Ok(None),
            Err(error) => Err(error),
        };
        let [west, south, east, north] = sides(&own);
        let (west, south) = (image(west)?, image(south)?);
        let (east, north) = (image(east)?, image(north)?);
        let (mut outer, mut inner) = (None, None);
        if let (Some(west), Some(south), Some(east), Some(north)) = (west, south, east, north) {
            let all = [&west, &south, &east, &north].into_iter().flatten();
            let around = Envelope::of(all.map(|(x, y)| [*x, *y]));
            outer = around.map(|e| {
                let e = grown(&e, SLACK);
                Bbox {
                    west: e.min[0].max(-180.0),
                    south: e.min[1].max(-90.0),
                    east: e.max[0].min(180.0),
                    north: e.max[1].min(90.0),
                }
            });
            let most = |side: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| {
                side.iter().map(of).fold(f64::NEG_INFINITY, f64::max)
            };
            let least = |side: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| {
                side.iter().map(of).fold(f64::INFINITY, f64::min)
            };
            let inside = Envelope {
                min: [most(&west, |p| p.0), most(&south, |p| p.1)],
                max: [least(&east, |p| p.0), least(&north, |p| p.1)],
            };
            inner = (inside.min[0] < inside.max[0] && inside.min[1] < inside.max[1])
                .then(|| grown(&inside, -SLACK));
        }
        Ok(Self::In(Box::new(Window {
            crs,
            own,
            outer,
            inner,
        })))
    }

    /// The box around it in longitude/latitude; `None`: everywhere.
    pub fn around(&self) -> Option<Bbox> {
        match self {
            Self::Geographic(bbox) => Some(*bbox),
            Self::In(window) => window.outer,
        }
    }

    /// Whether a feature of the index and the box have a point in common; `None` where only the stored geometry can tell.
    pub fn meets(&self, hit: &Hit<'_>) -> Option<bool> {
        match self {
            Self::Geographic(bbox) => near::meets(hit, bbox),
            Self::In(window) => window.meets(hit),
        }
    }

    /// Whether a longitude/latitude geometry and the box have a point in common.
    pub fn intersects(&self, geometry: &Geometry<f64>) -> bool {
        match self {
            Self::Geographic(bbox) => intersects(geometry, bbox),
            Self::In(window) => window.intersects(geometry),
        }
    }
}

impl Window {
    fn meets(&self, hit: &Hit<'_>) -> Option<bool> {
        let Some(own) = hit.envelope() else {
            return Some(false);
        };
        let is_off = |outer: Bbox| !outer.envelopes().any(|part| part.intersects(&own));
        if self.outer.is_some_and(is_off) {
            return Some(false);
        }
        if self.inner.is_some_and(|inner| inner.contains(&own)) {
            return Some(true);
        }
        // Where the box around the feature is in the CRS: of a small one the image is nearly a parallelogram.
        let mut corners = [
            (own.min[0], own.min[1]),
            (own.max[0], own.min[1]),
            (own.max[0], own.max[1]),
            (own.min[0], own.max[1]),
        ];
        crs::transform(Crs::CRS84, self.crs, &mut corners).ok()?;
        let around = Envelope::of(corners.map(|(x, y)| [x, y]))?;
        let is_small = (0..2).all(|i| own.max[i] - own.min[i] < 1.0);
        if is_small && !self.own.intersects(&grown(&around, SLACK)) {
            return Some(false);
        }
        if is_small && self.own.contains(&grown(&around, SLACK)) {
            return Some(true);
        }
        None
    }

    fn intersects(&self, geometry: &Geometry<f64>) -> bool {
        let Ok(there) = crs::from_wgs84(self.crs, geometry) else {
            return false;
        };
        let Some(own) = envelope(&there) else {
            return false;
        };
        if !own.intersects(&self.own) {
            return false;
        }
        if self.own.contains(&own) {
            return true;
        }
        let [min, max] = [self.own.min, self.own.max].map(|[x, y]| Coord { x, y });
        crate::relation::meets_rect(&there, min, max)
    }
}

/// West, south, east and north of a box as points.
fn sides(own: &Envelope) -> [Vec<(f64, f64)>; 4] {
    let [[x0, y0], [x1, y1]] = [own.min, own.max];
    let along = |a: (f64, f64), b: (f64, f64)| {
        let at = |i: usize| {
            let t = i as f64 / SIDE as f64;
            (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t)
        };
        (0..=SIDE).map(at).collect()
    };
    [
        along((x0, y0), (x0, y1)),
        along((x0, y0), (x1, y0)),
        along((x1, y0), (x1, y1)),
        along((x0, y1), (x1, y1)),
    ]
}

fn grown(e: &Envelope, by: f64) -> Envelope {
    // A point has room around it too.
    let by = [0, 1].map(|i| (e.max[i] - e.min[i]) * by + 1e-9 * by.signum());
    Envelope {
        min: [e.min[0] - by[0], e.min[1] - by[1]],
        max: [e.max[0] + by[0], e.max[1] + by[1]],
    }
}
