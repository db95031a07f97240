//! Features as rows that a filter is asked about.

use std::cell::{Cell, OnceCell};

use geo_types::Geometry;
use model::{
    Envelope, Feature, Filter, Measure, Place, Row as FilterRow, SpatialRelation, ValueRef,
};
use spatial::index::Hit;

use crate::LiveCollection;

/// A feature of the index: what only its row can tell is noted.
pub(super) struct HitRow<'a> {
    live: &'a LiveCollection,
    hit: Hit<'a>,
    given: &'a [Given<'a>],
    is_open: Cell<bool>,
}

/// A geometry of a filter, with what is known of it.
pub(super) struct Given<'a> {
    geometry: &'a Geometry<f64>,
    envelope: Option<Envelope>,
    /// Whether the geometry is the box around it.
    is_box: bool,
}

impl<'a> Given<'a> {
    pub(super) fn new(geometry: &'a Geometry<f64>) -> Self {
        let envelope = spatial::envelope(geometry);
        Self {
            geometry,
            envelope,
            is_box: envelope.is_some_and(|e| is_box(geometry, &e)),
        }
    }
}

/// A polygon with the four corners of its envelope and no others.
fn is_box(geometry: &Geometry<f64>, around: &Envelope) -> bool {
    let ring = match geometry {
        Geometry::Point(_) => return true,
        Geometry::Rect(_) => return true,
        Geometry::Polygon(polygon) if polygon.interiors().is_empty() => polygon.exterior(),
        _ => return false,
    };
    let at_edge = |v: f64, i: usize| v == around.min[i] || v == around.max[i];
    let are_corners = ring.0.iter().all(|c| at_edge(c.x, 0) && at_edge(c.y, 1));
    // One step along one side after another.
    let are_sides = ring
        .0
        .windows(2)
        .all(|w| (w[0].x == w[1].x) != (w[0].y == w[1].y));
    ring.0.len() == 5 && are_corners && are_sides
}

impl<'a> HitRow<'a> {
    pub(super) fn new(live: &'a LiveCollection, hit: Hit<'a>, given: &'a [Given<'a>]) -> Self {
        Self {
            live,
            hit,
            given,
            is_open: Cell::new(false),
        }
    }

    /// Whether something was asked that only the row can tell: then an answer that hangs on it is none.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.get()
    }

    fn open<T>(&self) -> Option<T> {
        self.is_open.set(true);
        None
    }
}

impl<'a> FilterRow<'a> for HitRow<'a> {
    fn value(&self, position: usize) -> ValueRef<'a> {
        let column = self.live.column_of(position);
        column.map_or(ValueRef::Null, |column| self.hit.value(column))
    }

    fn relate(&self, relation: SpatialRelation, left: Place<'_>, right: Place<'_>) -> Option<bool> {
        let (given, relation) = match (left, right) {
            (Place::Own, Place::Given(given)) => (given, relation),
            (Place::Given(given), Place::Own) => (given, reversed(relation)),
            (Place::Given(a), Place::Given(b)) => return Some(spatial::relate(relation, a, b)),
            // A geometry that has an extent is not empty, and lies to itself as it always does.
            (Place::Own, Place::Own) if self.hit.envelope().is_some() => {
                use SpatialRelation as Is;
                let all = [Is::Intersects, Is::Equals, Is::Within, Is::Contains];
                return Some(all.contains(&relation));
            }
            (Place::Own, Place::Own) => return self.open(),
        };
        // A geometry that the index has no place for may be empty, or one that it can't show.
        let Some(own) = self.hit.envelope() else {
            return self.open();
        };
        let known = self.given.iter().find(|k| std::ptr::eq(k.geometry, given));
        let Some(known) = known else {
            return self.open();
        };
        let Some(around) = known.envelope else {
            return Some(relation == SpatialRelation::Disjoint);
        };
        if let Some(told) = spatial::by_envelopes(relation, &own, &around) {
            return Some(told);
        }
        let meets = || {
            let bbox = model::Bbox {
                west: around.min[0],
                south: around.min[1],
                east: around.max[0],
                north: around.max[1],
            };
            spatial::meets(&self.hit, &bbox)
        };
        let told = match (relation, known.is_box) {
            (SpatialRelation::Intersects, true) => meets(),
            (SpatialRelation::Disjoint, true) => meets().map(|meets| !meets),
            _ => None,
        };
        told.or_else(|| self.open())
    }

    fn has_geometry(&self) -> bool {
        // An empty geometry is one.
        if self.hit.envelope().is_none() {
            self.is_open.set(true);
        }
        true
    }

    fn measure(&self, _: Measure) -> Option<f64> {
        self.open()
    }
}

fn reversed(relation: SpatialRelation) -> SpatialRelation {
    match relation {
        SpatialRelation::Within => SpatialRelation::Contains,
        SpatialRelation::Contains => SpatialRelation::Within,
        other => other,
    }
}

/// Whether a filter holds for a feature by what the index has of it: its geometry to a centimetre.
pub(crate) fn holds_by_index(live: &LiveCollection, filter: &Filter, hit: &Hit<'_>) -> bool {
    let given: Vec<Given<'_>> = filter.geometries().into_iter().map(Given::new).collect();
    let row = HitRow::new(live, *hit, &given);
    let holds = filter.holds(&row);
    if !row.is_open() {
        return holds == Some(true);
    }
    let row = ShapeRow {
        row,
        geometry: hit.geometry(),
    };
    filter.holds(&row) == Some(true)
}

/// A feature of the index whose geometry is taken for the stored one.
struct ShapeRow<'a> {
    row: HitRow<'a>,
    /// In longitude/latitude.
    geometry: Option<Geometry<f64>>,
}

impl<'a> FilterRow<'a> for ShapeRow<'a> {
    fn value(&self, position: usize) -> ValueRef<'a> {
        self.row.value(position)
    }

    fn relate(&self, relation: SpatialRelation, left: Place<'_>, right: Place<'_>) -> Option<bool> {
        relate(self.geometry.as_ref(), relation, left, right)
    }

    fn has_geometry(&self) -> bool {
        self.geometry.is_some()
    }

    fn measure(&self, measure: Measure) -> Option<f64> {
        Some(measured(self.geometry.as_ref()?, measure))
    }
}

fn relate(
    own: Option<&Geometry<f64>>,
    relation: SpatialRelation,
    left: Place<'_>,
    right: Place<'_>,
) -> Option<bool> {
    Some(match (left, right) {
        (Place::Given(a), Place::Given(b)) => spatial::relate(relation, a, b),
        (Place::Own, Place::Given(b)) => spatial::relate(relation, own?, b),
        (Place::Given(a), Place::Own) => spatial::relate(relation, a, own?),
        (Place::Own, Place::Own) => spatial::relate(relation, own?, own?),
    })
}

fn measured(geometry: &Geometry<f64>, measure: Measure) -> f64 {
    match measure {
        Measure::Area => spatial::area(geometry),
        Measure::Length => spatial::length(geometry),
    }
}

/// A feature as it is seen, in longitude/latitude.
pub(super) struct FeatureRow<'a> {
    feature: &'a Feature,
    geometry: OnceCell<Option<Geometry<f64>>>,
}

impl<'a> FeatureRow<'a> {
    pub(super) fn new(feature: &'a Feature) -> Self {
        Self {
            feature,
            geometry: OnceCell::new(),
        }
    }

    pub(super) fn geometry(&self) -> Option<&Geometry<f64>> {
        let read = || {
            let wkb = self.feature.geometry.as_deref()?;
            formats::wkb::read(wkb).ok()
        };
        self.geometry.get_or_init(read).as_ref()
    }
}

impl<'a> FilterRow<'a> for FeatureRow<'a> {
    fn value(&self, position: usize) -> ValueRef<'a> {
        let value = self.feature.properties.get(position);
        value.map_or(ValueRef::Null, ValueRef::from)
    }

    fn relate(&self, relation: SpatialRelation, left: Place<'_>, right: Place<'_>) -> Option<bool> {
        let is_asked = [left, right]
            .iter()
            .any(|place| matches!(place, Place::Own));
        let own = is_asked.then(|| self.geometry()).flatten();
        relate(own, relation, left, right)
    }

    fn has_geometry(&self) -> bool {
        self.feature.geometry.is_some()
    }

    fn measure(&self, measure: Measure) -> Option<f64> {
        Some(measured(self.geometry()?, measure))
    }
}
