//! Cadastral operations: parcels divided, joined and renumbered, borders moved and corrected. Each is planned within its
//! transaction from the parcels as they are then, and becomes actions like any other; what came of what is kept as lineage.

use geo_types::{Geometry, LineString, MultiPolygon, Polygon};
use model::access::{AreaRule, Editing};
use model::{Bbox, Crs, Envelope, Feature, GeometryType, Message, PropertyType, Schema, Value};
use spatial::parcels::{self, MergeOptions, Parcel, PartsOfMerged};

use super::{Action, By, Draft, Expected, Step};
use crate::live::{self, LiveCollection};
use crate::session::{Dialect, Session};
use crate::{Error, items, row};

/// Parcels around the place of an operation at most: a block of a town has a hundred.
const MAX_PARCELS: usize = 5_000;

/// Points nearer than this are one: a millimetre, in metres and in degrees.
const TOLERANCE: f64 = 0.001;
const TOLERANCE_DEGREES: f64 = 1e-8;

/// What two parcels enclose and is no wider is a gap and no yard: half a metre.
const MAX_GAP: f64 = 0.5;
const MAX_GAP_DEGREES: f64 = 5e-6;

/// What is added around the place, in degrees: a border that runs along it lies in no other box.
const MARGIN: f64 = 1e-7;

/// A cadastral operation on the parcels of a collection.
#[derive(Clone)]
pub struct Operation {
    pub collection: String,
    pub by: By,
    pub rules: Editing,
    pub what: What,
    /// States that parcels must have, by their ids.
    pub expected: Vec<(String, Expected)>,
    /// Of the coordinates that are given, x first.
    pub crs: Crs,
}

/// What is done; ids are those of URLs. New parcels have the values of the old one but for those that are given.
#[derive(Debug, Clone)]
pub enum What {
    /// Divides a parcel by a line; the pieces are ordered from the largest to the smallest.
    Split {
        id: String,
        line: Vec<[f64; 2]>,
        pieces: Vec<Vec<(usize, Value)>>,
        /// Whether the largest piece stays the parcel that was divided.
        keeps: bool,
    },
    Merge {
        ids: Vec<String>,
        properties: Vec<(usize, Value)>,
        /// Whether the result stays the first of them.
        keeps: bool,
    },
    /// Old and new ids.
    Renumber { ids: Vec<(String, String)> },
    /// Moves border points in all parcels that have them.
    Move { moves: Vec<([f64; 2], [f64; 2])> },
    /// Puts another line in the place of a stretch of border, with the same ends.
    Correct {
        from: Vec<[f64; 2]>,
        to: Vec<[f64; 2]>,
    },
}

impl What {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Split { .. } => "split",
            Self::Merge { .. } => "merge",
            Self::Renumber { .. } => "renumber",
            Self::Move { .. } | Self::Correct { .. } => "correct",
        }
    }
}

/// What an operation amounts to.
pub(super) struct Plan {
    pub(super) actions: Vec<Action>,
    /// Pairs of actions, by their positions, of which the second one's feature came of the first one's.
    pub(super) lineage: Vec<(usize, usize)>,
}

/// Plans an operation from the parcels as they are in the transaction, which nobody else writes until its end.
pub(super) async fn plan(
    session: &mut Session<'_>,
    live: &LiveCollection,
    operation: &Operation,
) -> Result<Plan, Error> {
    let collection = &live.collection;
    if collection.has_z || collection.has_m {
        let message = Message::new("store.parcels-flat").with("collection", &collection.id);
        return Err(Error::Invalid(message));
    }
    if live.table.mark.is_some() {
        let message = Message::new("store.parcels-unwatched");
        return Err(Error::Invalid(message.with("collection", &collection.id)));
    }
    let planner = Planner {
        live,
        operation,
        is_degrees: spatial::crs::describe(collection.storage_crs)
            .map_err(|e| Error::Invalid(e.message()))?
            .is_geographic,
    };
    let plan = planner.plan(session).await?;
    let is_changed = |id: &String| plan.actions.iter().any(|a| a.step.id() == Some(id));
    match operation.expected.iter().find(|(id, _)| !is_changed(id)) {
        None => Ok(plan),
        // A condition that nobody looks at would seem to have held.
        Some((id, _)) => {
            let message = Message::new("store.condition-unmet").with("id", id);
            Err(Error::Invalid(message))
        }
    }
}
fn line_of(points: &[[f64; 2]]) -> LineString<f64> {
    points.iter().map(|p| (p[0], p[1])).collect()
}

/// Parcels around a place, as they are stored.
struct Around {
    features: Vec<Feature>,
    /// Those that are valid: with others nothing can be compared.
    parcels: Vec<Parcel>,
}

impl Around {
    fn feature(&self, fid: i64) -> Option<&Feature> {
        self.features.iter().find(|feature| feature.fid == fid)
    }

    /// The parcels of some keys in their order, valid or not, and all others.
    fn apart(&self, keys: &[i64]) -> (Vec<Parcel>, Vec<Parcel>) {
        let own = keys.iter().filter_map(|key| read(self.feature(*key)?));
        let others = self.parcels.iter().filter(|p| !keys.contains(&p.key));
        (own.collect(), others.cloned().collect())
    }
}

struct Planner<'a> {
    live: &'a LiveCollection,
    operation: &'a Operation,
    is_degrees: bool,
}

impl Planner<'_> {
    async fn plan(&self, session: &mut Session<'_>) -> Result<Plan, Error> {
        match &self.operation.what {
            What::Split {
                id,
                line,
                pieces,
                keeps,
            } => self.split(session, id, line, pieces, *keeps).await,
            What::Merge {
                ids,
                properties,
                keeps,
            } => self.merge(session, ids, properties, *keeps).await,
            What::Renumber { ids } => Ok(self.renumber(ids)),
            What::Move { moves } => {
                let (from, to): (Vec<[f64; 2]>, Vec<[f64; 2]>) = moves.iter().copied().unzip();
                let around = self.around(session, &from, &to).await?;
                let from = self.snapped(&from, &around)?;
                let to = self.stored(&to)?;
                let moves: Vec<_> = from.into_iter().zip(to).collect();
                let changed = parcels::move_points(&moves, &around.parcels, self.tolerance());
                self.reshaped(changed, &around)
            }
            What::Correct { from, to } => {
                let around = self.around(session, from, to).await?;
                let from = self.snapped(from, &around)?;
                let mut to = self.stored(to)?;
                // Its ends are those of the stretch.
                if let (Some(first), Some(last)) = (from.first(), from.last())
                    && to.len() > 1
                {
                    let end = to.len() - 1;
                    let near = |a: [f64; 2], b: [f64; 2]| self.is_near(a, b);
                    if near(to[0], *first) && near(to[end], *last) {
                        (to[0], to[end]) = (*first, *last);
                    }
                }
                let changed = parcels::correct(
                    &line_of(&from),
                    &line_of(&to),
                    &around.parcels,
                    self.tolerance(),
                );
                self.reshaped(changed, &around)
            }
        }
    }

    fn tolerance(&self) -> f64 {
        if self.is_degrees {
            TOLERANCE_DEGREES
        } else {
            TOLERANCE
        }
    }

    fn is_near(&self, a: [f64; 2], b: [f64; 2]) -> bool {
        (a[0] - b[0]).hypot(a[1] - b[1]) <= self.tolerance()
    }

    fn action(&self, step: Step) -> Action {
        Action {
            collection: self.operation.collection.clone(),
            by: self.operation.by.clone(),
            step,
            rules: self.operation.rules.clone(),
        }
    }

    fn expected(&self, id: &str) -> Expected {
        let all = &self.operation.expected;
        let known = all.iter().find(|(known, _)| known == id);
        known.map_or(Expected::Anything, |(_, expected)| expected.clone())
    }

    /// Given points in the storage CRS.
    fn stored(&self, points: &[[f64; 2]]) -> Result<Vec<[f64; 2]>, Error> {
        self.moved(points, self.operation.crs, self.live.collection.storage_crs)
    }

    fn moved(&self, points: &[[f64; 2]], from: Crs, to: Crs) -> Result<Vec<[f64; 2]>, Error> {
        let mut xy: Vec<(f64, f64)> = points.iter().map(|p| (p[0], p[1])).collect();
        if from != to {
            spatial::crs::transform(from, to, &mut xy).map_err(|e| Error::Invalid(e.message()))?;
        }
        Ok(xy.into_iter().map(|(x, y)| [x, y]).collect())
    }

    /// Given points that mean vertices: each is the vertex that is nearest, where one is near.
    fn snapped(&self, points: &[[f64; 2]], around: &Around) -> Result<Vec<[f64; 2]>, Error> {
        let mut vertices: Vec<[f64; 2]> = Vec::new();
        for parcel in &around.parcels {
            let rings = all_rings(&parcel.geometry).into_iter();
            vertices.extend(rings.flat_map(|ring| ring.0.iter().map(|c| [c.x, c.y])));
        }
        let distance = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
        let stored = self.stored(points)?;
        let snap = |p: [f64; 2]| {
            let nearest = vertices
                .iter()
                .min_by(|a, b| distance(**a, p).total_cmp(&distance(**b, p)));
            nearest
                .copied()
                .filter(|v| self.is_near(*v, p))
                .unwrap_or(p)
        };
        Ok(stored.into_iter().map(snap).collect())
    }

    /// The parcels at some places where vertices are to be others, and all that lie where edges to these are and will be. No
    /// other edge changes: a street that runs through the whole town does not bring the town along.
    async fn around(
        &self,
        session: &mut Session<'_>,
        at: &[[f64; 2]],
        further: &[[f64; 2]],
    ) -> Result<Around, Error> {
        let named = self.moved(at, self.operation.crs, Crs::CRS84)?;
        let place = Envelope::of(named).ok_or_else(|| self.nothing())?;
        let there = self.within(session, place).await?;
        let at = self.stored(at)?;
        let mut reach = self.stored(further)?;
        reach.extend_from_slice(&at);
        for parcel in &there.parcels {
            for ring in all_rings(&parcel.geometry) {
                for edge in ring.lines() {
                    let edge = [edge.start, edge.end].map(|c| [c.x, c.y]);
                    // Also one that a named point lies on: it gets it as a vertex.
                    if at.iter().any(|p| to_edge(*p, edge) <= self.tolerance()) {
                        reach.extend_from_slice(&edge);
                    }
                }
            }
        }
        let reach = self.moved(&reach, self.live.collection.storage_crs, Crs::CRS84)?;
        let reach = Envelope::of(reach).map_or(place, |reach| place.union(reach));
        self.within(session, reach).await
    }

    fn nothing(&self) -> Error {
        Error::Invalid(Message::new("store.parcels-nothing"))
    }

    /// All parcels in a box of longitude and latitude.
    async fn within(&self, session: &mut Session<'_>, place: Envelope) -> Result<Around, Error> {
        let (collection, table) = (&self.live.collection, &self.live.table);
        let mut keys: Vec<i64> = self
            .live
            .index
            .search_bbox(&with_margin(place))
            .map(|hit| hit.fid())
            .take(MAX_PARCELS + 1)
            .collect();
        if keys.len() > MAX_PARCELS {
            let message = Message::new("store.parcels-too-many").with("max", MAX_PARCELS);
            return Err(Error::Invalid(message));
        }
        keys.sort_unstable();
        keys.dedup();
        let features = items::by_keys(session, collection, table, &keys).await?;
        let parcels = features.iter().filter_map(read).filter(is_sound).collect();
        Ok(Around { features, parcels })
    }

    /// A parcel by its id, which whoever operates sees.
    async fn named(&self, session: &mut Session<'_>, id: &str) -> Result<Feature, Error> {
        let by = &self.operation.by;
        let found = match by.identified(self.live, id) {
            Some(named) => items::named_so(session, self.live, named).await?,
            None => None,
        };
        let found = found.filter(|item| by.sees(&item.feature));
        found.map(|item| item.feature).ok_or_else(|| {
            let message = Message::new("store.no-feature").with("id", id);
            Error::NotFound(message.with("collection", &self.live.collection.id))
        })
    }

    fn envelope(&self, feature: &Feature) -> Result<Envelope, Error> {
        let wkb = feature.geometry.as_deref().ok_or_else(|| self.nothing())?;
        let geometry = row::to_wgs84(&self.live.collection, wkb)?;
        live::envelope(&geometry).ok_or_else(|| self.nothing())
    }

    async fn split(
        &self,
        session: &mut Session<'_>,
        id: &str,
        line: &[[f64; 2]],
        given: &[Vec<(usize, Value)>],
        keeps: bool,
    ) -> Result<Plan, Error> {
        let parent = self.named(session, id).await?;
        let around = self.within(session, self.envelope(&parent)?).await?;
        let (own, others) = around.apart(&[parent.fid]);
        let own = own.first().ok_or_else(|| self.nothing())?;
        let line = line_of(&self.snapped(line, &around)?);
        let split = parcels::split(own, &line, &others, self.tolerance());
        let split = split.map_err(|error| self.told(&error, &around))?;
        let mut pieces: Vec<Vec<Polygon<f64>>> =
            split.pieces.into_iter().map(|p| vec![p]).collect();
        let size = |piece: &Vec<Polygon<f64>>| piece.iter().map(parcels::plane_area).sum::<f64>();
        pieces.sort_by(|a, b| size(b).total_cmp(&size(a)));
        // Parts that the line does not meet go with the largest.
        if let Some(first) = pieces.first_mut() {
            first.extend(split.rest);
        }
        if !given.is_empty() && given.len() != pieces.len() {
            let message = Message::new("store.split-count").with("given", given.len());
            return Err(Error::Invalid(message.with("pieces", pieces.len())));
        }
        let mut plan = Plan {
            actions: Vec::new(),
            lineage: Vec::new(),
        };
        let expected = self.expected(id);
        let nothing = Vec::new();
        let of = |i: usize| given.get(i).unwrap_or(&nothing);
        let mut geometries = Vec::with_capacity(pieces.len());
        for piece in pieces {
            geometries.push(self.geometry(piece)?);
        }
        let mut rest = geometries.into_iter().enumerate();
        match rest.next() {
            Some((_, geometry)) if keeps => plan.actions.push(self.action(Step::Reshape {
                id: id.to_owned(),
                geometry: Some(geometry.clone()),
                properties: self.sized(of(0).clone(), &geometry)?,
                renamed: None,
                expected,
            })),
            Some((_, geometry)) => {
                let id = id.to_owned();
                plan.actions
                    .push(self.action(Step::Delete { id, expected }));
                plan.actions
                    .push(self.action(self.made(&parent, geometry, of(0))?));
                plan.lineage.push((0, 1));
            }
            None => return Err(self.nothing()),
        }
        for (i, geometry) in rest {
            plan.lineage.push((0, plan.actions.len()));
            let made = self.made(&parent, geometry, of(i))?;
            plan.actions.push(self.action(made));
        }
        self.reshape_all(&mut plan, split.neighbours, &around)?;
        Ok(plan)
    }

    async fn merge(
        &self,
        session: &mut Session<'_>,
        ids: &[String],
        properties: &[(usize, Value)],
        keeps: bool,
    ) -> Result<Plan, Error> {
        let mut parents = Vec::with_capacity(ids.len());
        for id in ids {
            parents.push(self.named(session, id).await?);
        }
        let mut place: Option<Envelope> = None;
        for parent in &parents {
            let own = self.envelope(parent)?;
            place = Some(place.map_or(own, |p| p.union(own)));
        }
        let place = place.ok_or_else(|| self.nothing())?;
        let around = self.within(session, place).await?;
        let keys: Vec<i64> = parents.iter().map(|p| p.fid).collect();
        let (own, others) = around.apart(&keys);
        let options = MergeOptions {
            tolerance: self.tolerance(),
            max_gap_width: if self.is_degrees {
                MAX_GAP_DEGREES
            } else {
                MAX_GAP
            },
            parts: PartsOfMerged::One,
        };
        let merged = parcels::merge(&own, &others, &options);
        let merged = merged.map_err(|error| self.told(&error, &around))?;
        let parts = match merged.geometry {
            Geometry::Polygon(p) => vec![p],
            Geometry::MultiPolygon(m) => m.0,
            _ => return Err(self.nothing()),
        };
        let geometry = self.geometry(parts)?;
        let mut plan = Plan {
            actions: Vec::new(),
            lineage: Vec::new(),
        };
        let first = &parents[0];
        for id in ids.iter().skip(usize::from(keeps)) {
            let step = Step::Delete {
                id: id.clone(),
                expected: self.expected(id),
            };
            plan.actions.push(self.action(step));
        }
        let result = plan.actions.len();
        plan.lineage.extend((0..result).map(|i| (i, result)));
        let step = match keeps {
            true => Step::Reshape {
                id: ids[0].clone(),
                geometry: Some(geometry.clone()),
                properties: self.sized(properties.to_vec(), &geometry)?,
                renamed: None,
                expected: self.expected(&ids[0]),
            },
            false => self.made(first, geometry, properties)?,
        };
        plan.actions.push(self.action(step));
        self.reshape_all(&mut plan, merged.neighbours, &around)?;
        Ok(plan)
    }

    fn renumber(&self, ids: &[(String, String)]) -> Plan {
        let actions = ids.iter().map(|(old, new)| {
            self.action(Step::Reshape {
                id: old.clone(),
                geometry: None,
                properties: Vec::new(),
                renamed: Some(new.clone()),
                expected: self.expected(old),
            })
        });
        Plan {
            actions: actions.collect(),
            lineage: (0..ids.len()).map(|i| (i, i)).collect(),
        }
    }

    fn reshaped(
        &self,
        changed: Result<Vec<Parcel>, parcels::Error>,
        around: &Around,
    ) -> Result<Plan, Error> {
        let changed = changed.map_err(|error| self.told(&error, around))?;
        let mut plan = Plan {
            actions: Vec::new(),
            lineage: Vec::new(),
        };
        self.reshape_all(&mut plan, changed, around)?;
        if plan.actions.is_empty() {
            return Err(self.nothing());
        }
        Ok(plan)
    }

    /// Adds the parcels that got another shape.
    fn reshape_all(
        &self,
        plan: &mut Plan,
        changed: Vec<Parcel>,
        around: &Around,
    ) -> Result<(), Error> {
        for parcel in changed {
            let feature = around.feature(parcel.key).ok_or_else(|| self.nothing())?;
            let id = self.id(feature);
            let mut wkb = Vec::new();
            formats::wkb::write(&parcel.geometry, &mut wkb);
            self.require_area(feature, &wkb)?;
            let step = Step::Reshape {
                expected: self.expected(&id),
                id,
                geometry: Some(wkb),
                properties: Vec::new(),
                renamed: None,
            };
            plan.actions.push(self.action(step));
        }
        Ok(())
    }

    /// The id of a parcel, as whoever operates names it.
    fn id(&self, feature: &Feature) -> String {
        let collection = match &self.operation.by.lens {
            Some(lens) => lens.seen_as().0,
            None => &self.live.collection,
        };
        match items::id_column(collection) {
            Some(_) => items::id_of(&self.live.collection, feature),
            None => feature.fid.to_string(),
        }
    }

    /// A geometry of parts, in the type of the collection.
    fn geometry(&self, mut parts: Vec<Polygon<f64>>) -> Result<Vec<u8>, Error> {
        let geometry = match (self.live.collection.geometry_type, parts.len()) {
            (GeometryType::MultiPolygon, _) => Geometry::MultiPolygon(MultiPolygon(parts)),
            (_, 1) => Geometry::Polygon(parts.swap_remove(0)),
            (GeometryType::Polygon, _) => {
                return Err(Error::Invalid(Message::new("store.parcels-parts")));
            }
            _ => Geometry::MultiPolygon(MultiPolygon(parts)),
        };
        let mut wkb = Vec::new();
        formats::wkb::write(&geometry, &mut wkb);
        Ok(wkb)
    }

    /// A new parcel with the values of an old one but for its id and those that are given.
    fn made(
        &self,
        parent: &Feature,
        geometry: Vec<u8>,
        given: &[(usize, Value)],
    ) -> Result<Step, Error> {
        let collection = &self.live.collection;
        let mut seen = self
            .operation
            .by
            .shown(self.live, parent.clone())
            .properties;
        let schema = match &self.operation.by.lens {
            Some(lens) => &lens.seen_as().0.schema,
            None => &collection.schema,
        };
        let id = collection.id_property.as_deref();
        if let Some(position) = id.and_then(|name| schema.position(name)) {
            seen[position] = Value::Null;
        }
        for (position, value) in self.sized(given.to_vec(), &geometry)? {
            if let Some(place) = seen.get_mut(position) {
                *place = value;
            }
        }
        Ok(Step::Create(Draft {
            geometry: Some(geometry),
            crs: collection.storage_crs,
            properties: seen,
        }))
    }

    /// Given values, held against the area of the geometry where the rules name its property; the area itself where none
    /// is given.
    fn sized(
        &self,
        mut given: Vec<(usize, Value)>,
        geometry: &[u8],
    ) -> Result<Vec<(usize, Value)>, Error> {
        let schema = match &self.operation.by.lens {
            Some(lens) => &lens.seen_as().0.schema,
            None => &self.live.collection.schema,
        };
        let Some(area) = self.area(schema, geometry)? else {
            return Ok(given);
        };
        let found = given.iter().find(|(p, _)| *p == area.position);
        match found.and_then(|(_, value)| number(value)) {
            Some(legal) if area.is_near(legal) => {}
            Some(legal) => return Err(area.differs(legal)),
            None => {
                given.retain(|(p, _)| *p != area.position);
                given.push((area.position, area.value()));
            }
        }
        Ok(given)
    }

    /// What the rules say of a geometry's area; `None` where they say nothing.
    fn area(&self, schema: &Schema, geometry: &[u8]) -> Result<Option<Area<'_>>, Error> {
        let Some(rule) = &self.operation.rules.area else {
            return Ok(None);
        };
        let Some(position) = schema.position(&rule.property) else {
            return Ok(None);
        };
        let property = &schema.properties[position];
        let is_whole = property.kind == PropertyType::Integer;
        if !is_whole && property.kind != PropertyType::Real {
            return Ok(None);
        }
        let shown = row::to_wgs84(&self.live.collection, geometry)?;
        let unit = match property.unit.as_deref() {
            Some("har" | "ha") => 10_000.0,
            _ => 1.0,
        };
        Ok(Some(Area {
            rule,
            position,
            size: spatial::area(&shown) / unit,
            // A square metre of a hectare, a hundredth of a square metre.
            parts: if unit > 1.0 { 10_000.0 } else { 100.0 },
            is_whole,
        }))
    }

    /// Whether the legal area of a parcel still agrees with its geometry, as it did before.
    fn require_area(&self, feature: &Feature, geometry: &[u8]) -> Result<(), Error> {
        let schema = &self.live.collection.schema;
        let Some(after) = self.area(schema, geometry)? else {
            return Ok(());
        };
        let legal = feature.properties.get(after.position).and_then(number);
        let (Some(legal), Some(before)) = (legal, feature.geometry.as_deref()) else {
            return Ok(());
        };
        let agreed = self.area(schema, before)?.is_some_and(|a| a.is_near(legal));
        match agreed && !after.is_near(legal) {
            true => Err(after.differs(legal)),
            false => Ok(()),
        }
    }

    /// A refusal in words, its place in longitude and latitude, its parcels by their ids.
    fn told(&self, error: &parcels::Error, around: &Around) -> Error {
        use parcels::Error as Refusal;
        let (key, place, keys): (_, [f64; 2], &[i64]) = match error {
            Refusal::NotPolygon { key } => ("store.parcels-no-polygon", [f64::NAN; 2], &[*key]),
            Refusal::InvalidParcel { key, place, .. } => ("store.parcels-invalid", *place, &[*key]),
            Refusal::InvalidResult { key, place, .. } => {
                ("store.parcels-invalid-result", *place, &[*key])
            }
            Refusal::InvalidInput { place } => ("store.parcels-input", *place, &[]),
            Refusal::LineDoesNotCut { place } => ("store.parcels-no-cut", *place, &[]),
            Refusal::LineEndsInside { place } => ("store.parcels-ends-inside", *place, &[]),
            Refusal::LineCrossesItself { place } => ("store.parcels-crosses", *place, &[]),
            Refusal::LineRunsAlongBorder { place } => ("store.parcels-along", *place, &[]),
            Refusal::PieceTooSmall { place, .. } => ("store.parcels-small", *place, &[]),
            Refusal::NotContiguous { place, keys } => ("store.parcels-apart", *place, keys),
            Refusal::GapBetween { place, keys, .. } => ("store.parcels-gap", *place, keys),
            Refusal::OverlapBetween { place, keys } => ("store.parcels-overlap", *place, keys),
            Refusal::NoSuchVertex { place } => ("store.parcels-no-vertex", *place, &[]),
            Refusal::NoSuchRun { place } => ("store.parcels-no-run", *place, &[]),
            Refusal::EndsDiffer { place } => ("store.parcels-ends", *place, &[]),
            Refusal::JunctionInside { place, key } => ("store.parcels-junction", *place, &[*key]),
            Refusal::Topology(defect) => {
                let key = match defect.kind {
                    spatial::validity::CoverageKind::Gap => "store.parcels-gap",
                    spatial::validity::CoverageKind::Overlap => "store.parcels-overlap",
                };
                (key, defect.place, &defect.keys)
            }
            Refusal::TooFine { place } => ("store.parcels-fine", *place, &[]),
        };
        let storage = self.live.collection.storage_crs;
        let there = self.moved(&[place], storage, Crs::CRS84);
        let [x, y] = there.ok().and_then(|p| p.first().copied()).unwrap_or(place);
        let ids: Vec<String> = keys
            .iter()
            .map(|key| match around.feature(*key) {
                Some(feature) if self.operation.by.sees(feature) => self.id(feature),
                // Of one that they don't see they learn no number.
                _ => "…".to_owned(),
            })
            .collect();
        let message = Message::new(key).with("parcels", ids.join(", "));
        Error::Invalid(
            message
                .with("x", format!("{x:.9}"))
                .with("y", format!("{y:.9}")),
        )
    }
}

/// The area of a geometry, in the unit of the property with the legal one.
struct Area<'a> {
    rule: &'a AreaRule,
    position: usize,
    size: f64,
    /// To so many parts of the unit it is given.
    parts: f64,
    is_whole: bool,
}

impl Area<'_> {
    fn is_near(&self, legal: f64) -> bool {
        (legal - self.size).abs() <= self.rule.tolerance * self.size
    }

    fn differs(&self, legal: f64) -> Error {
        let message = Message::new("store.area-differs").with("legal", legal);
        let message = message.with("area", format!("{:.4}", self.size));
        Error::Invalid(message.with("property", &self.rule.property))
    }

    fn value(&self) -> Value {
        match self.is_whole {
            true => Value::Integer(self.size.round() as i64),
            false => Value::Real((self.size * self.parts).round() / self.parts),
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Real(x) => Some(*x),
        Value::Integer(i) => Some(*i as f64),
        _ => None,
    }
}

fn all_rings(geometry: &Geometry<f64>) -> Vec<&LineString<f64>> {
    let polygons: &[Polygon<f64>] = match geometry {
        Geometry::Polygon(polygon) => std::slice::from_ref(polygon),
        Geometry::MultiPolygon(all) => &all.0,
        _ => &[],
    };
    let rings = polygons
        .iter()
        .flat_map(|p| std::iter::once(p.exterior()).chain(p.interiors()));
    rings.collect()
}

/// How far a point is from an edge.
fn to_edge([x, y]: [f64; 2], [[ax, ay], [bx, by]]: [[f64; 2]; 2]) -> f64 {
    let (dx, dy) = (bx - ax, by - ay);
    let length = dx * dx + dy * dy;
    let along = match length > 0.0 {
        true => (((x - ax) * dx + (y - ay) * dy) / length).clamp(0.0, 1.0),
        false => 0.0,
    };
    (x - ax - along * dx).hypot(y - ay - along * dy)
}

/// A feature as a parcel; `None` without a geometry that can be read.
fn read(feature: &Feature) -> Option<Parcel> {
    let geometry = formats::wkb::read(feature.geometry.as_deref()?).ok()?;
    let key = feature.fid;
    Some(Parcel { key, geometry })
}

fn is_sound(parcel: &Parcel) -> bool {
    let geometry = &parcel.geometry;
    let is_area = matches!(geometry, Geometry::Polygon(_) | Geometry::MultiPolygon(_));
    is_area && spatial::validity::check(geometry).is_empty()
}

fn with_margin(envelope: Envelope) -> Bbox {
    Bbox {
        west: envelope.min[0] - MARGIN,
        south: envelope.min[1] - MARGIN,
        east: envelope.max[0] + MARGIN,
        north: envelope.max[1] + MARGIN,
    }
}

/// Keeps others from writing parcels until the end of the transaction: an operation looks at more than it changes.
pub(super) async fn hold(session: &mut Session<'_>, live: &LiveCollection) -> Result<(), Error> {
    if session.dialect() == Dialect::Postgres {
        let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", live.table.name);
        session.run(lock).await?;
    }
    Ok(())
}
