//! A collection as somebody sees it.
//!
//! What a reader may not see is not there for them: not in the schema, the index, a page, a count or an extent. So a
//! handler that was given a collection through a lens can't show too much, whatever it does with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::access::{Reach, View};
use model::world::{self, WorldBuf};
use model::{
    Collection, Crs, Envelope, Feature, Filter, GeometryType, PropertyType, Schema, Value,
};
use spatial::index::{self, Hit, ValueRef};
use spatial::{WorldArea, grid_center};

use crate::live::LiveCollection;
use crate::table::Table;
use crate::{Error, row};

/// What stands in the place of the characters that a reader does not see.
const MASK: &str = "***";

/// How a collection is seen by all who have the same [`View`] of it.
pub struct Lens {
    /// Unique in the process.
    id: u64,
    /// The collection and table as they are.
    source: Arc<Collection>,
    source_table: Arc<Table>,
    source_columns: Arc<[Option<usize>]>,
    /// The same as they are seen.
    collection: Arc<Collection>,
    table: Arc<Table>,
    columns: Arc<[Option<usize>]>,
    definition: u64,
    /// Of each property that is seen: its position in the source, and how many characters of it are seen.
    kept: Vec<(usize, Option<u8>)>,
    sieve: Arc<Sieve>,
    grid: Option<u32>,
    index: index::View,
    personal: BTreeSet<String>,
    appearance: u64,
}

/// Which features are seen.
struct Sieve {
    filters: Vec<Filter>,
    areas: Option<Vec<WorldArea>>,
}

impl Sieve {
    fn holds<'v>(
        &self,
        value: &impl Fn(usize) -> ValueRef<'v>,
        meets: impl Fn(&WorldArea) -> bool,
    ) -> bool {
        // What is unknown is not seen.
        self.filters.iter().all(|f| f.holds(value) == Some(true))
            && self
                .areas
                .as_ref()
                .is_none_or(|areas| areas.iter().any(meets))
    }
}

impl Lens {
    /// # Errors
    /// When a filter can't be read, or asks for a property that the index does not carry: then nobody is to see the
    /// collection in this form.
    pub fn new(live: &LiveCollection, view: &View) -> Result<Arc<Self>, Error> {
        let source = &live.collection;
        let filters: Result<Vec<Filter>, _> = view
            .filters
            .iter()
            .map(|text| Filter::parse(text, &source.schema))
            .collect();
        let filters = filters?;
        let areas = match &view.reach {
            Reach::Everywhere => None,
            Reach::Within(areas) => {
                Some(areas.iter().map(|a| WorldArea::new(a.polygons())).collect())
            }
        };
        let sieve = Arc::new(Sieve { filters, areas });
        let mut kept = Vec::new();
        for (position, property) in source.schema.properties.iter().enumerate() {
            let keep = view.masked.get(&property.name).copied();
            // Only a text can be seen in part.
            let is_seen = keep.is_none() || property.kind == PropertyType::Text;
            if is_seen && !view.hidden.contains(&property.name) {
                kept.push((position, keep));
            }
        }
        let collection = Arc::new(seen_collection(source, &kept, view));
        let columns: Arc<[Option<usize>]> = live
            .columns
            .iter()
            .map(|column| {
                let position = (*column)?;
                // What is about people is in no tile, and nobody is searched for.
                let name = &source.schema.properties[position].name;
                if view.personal.contains(name) {
                    return None;
                }
                kept.iter()
                    .position(|(source, keep)| *source == position && keep.is_none())
            })
            .collect();
        let is_seen: Vec<bool> = columns.iter().map(Option::is_some).collect();
        let index = index_view(live, &is_seen, &sieve, view.grid);
        let definition = crate::live::definition(&collection);
        // Not the names of what is hidden: whoever looks must not hear that there is one more.
        let keeps: Vec<Option<u8>> = kept.iter().map(|(_, keep)| *keep).collect();
        let rules = (&view.filters, &view.reach, view.grid);
        let appearance = crate::live::hashed(&format!("{definition}/{keeps:?}/{rules:?}"));
        Ok(Arc::new(Self {
            id: Self::next_id(),
            source: Arc::clone(source),
            source_table: Arc::clone(&live.table),
            source_columns: Arc::clone(&live.columns),
            definition,
            table: Arc::new(seen_table(&live.table, &kept)),
            collection,
            columns,
            kept,
            sieve,
            grid: view.grid,
            index,
            personal: view.personal.clone(),
            appearance,
        }))
    }

    /// A number that nothing has which is seen through.
    pub(crate) fn next_id() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether the lens was made for a collection as it is now.
    pub fn fits(&self, live: &LiveCollection) -> bool {
        Arc::ptr_eq(&self.source, &live.collection)
            && Arc::ptr_eq(&self.source_table, &live.table)
            && Arc::ptr_eq(&self.source_columns, &live.columns)
    }

    /// The number of the lens: what was made through another one shows something else.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The collection through the lens, which must fit it.
    pub fn of(self: &Arc<Self>, live: &LiveCollection) -> LiveCollection {
        LiveCollection {
            collection: Arc::clone(&self.collection),
            index: self.index.of(&live.index),
            columns: Arc::clone(&self.columns),
            definition: self.definition,
            table: Arc::clone(&self.table),
            lens: Some(Arc::clone(self)),
            ..live.clone()
        }
    }

    /// The collection and table as they are seen.
    pub(crate) fn seen_as(&self) -> (&Collection, &Table) {
        (&self.collection, &self.table)
    }

    pub(crate) fn source(&self) -> (&Arc<Collection>, &Arc<Table>) {
        (&self.source, &self.source_table)
    }

    /// Whether places are seen rounded.
    pub(crate) fn is_coarse(&self) -> bool {
        self.grid.is_some()
    }

    /// Whether all features are seen.
    pub(crate) fn shows_all(&self) -> bool {
        self.sieve.filters.is_empty() && self.sieve.areas.is_none()
    }

    /// Properties that are seen and are about people.
    pub fn personal(&self) -> &BTreeSet<String> {
        &self.personal
    }

    /// Whether a property, by its position in what is seen, is seen whole. By another one nothing can be found.
    pub fn is_whole(&self, position: usize) -> bool {
        self.kept
            .get(position)
            .is_some_and(|(_, keep)| keep.is_none())
    }

    /// Whether a stored feature is seen.
    pub(crate) fn sees(&self, feature: &Feature) -> bool {
        let value = |position: usize| ValueRef::from(&feature.properties[position]);
        let world = geometries(&self.source, feature);
        self.sieve
            .holds(&value, |area| area.meets(world.iter().map(WorldBuf::view)))
    }

    /// A stored feature as it is seen, in a CRS; `None` when it is not.
    pub(crate) fn seen(&self, feature: Feature, crs: Crs) -> Option<Feature> {
        if !self.sees(&feature) {
            return None;
        }
        // Places are rounded in longitude/latitude, so that they are the same in whatever CRS they are seen.
        let direct = self.grid.map_or(crs, |_| Crs::CRS84);
        let mut shown = row::shown(&self.source, feature, direct);
        if let Some(grid) = self.grid {
            let rounded = shown.geometry.as_deref().and_then(|wkb| coarse(wkb, grid));
            shown.geometry = match crs.is_wgs84() {
                true => rounded,
                false => rounded.and_then(|wkb| row::in_crs(Crs::CRS84, crs, &wkb).ok()),
            };
        }
        shown.properties = self.chosen(shown.properties);
        Some(shown)
    }

    /// Of a property that is seen, by its position: that in the source, and how many characters of it are seen.
    pub(crate) fn kept(&self, position: usize) -> Option<(usize, Option<u8>)> {
        self.kept.get(position).copied()
    }

    /// A hash of what can be seen through it, and how: the same after a restart, and in each server of one release.
    pub fn appearance(&self) -> u64 {
        self.appearance
    }

    fn chosen(&self, mut properties: Vec<Value>) -> Vec<Value> {
        let chosen = self.kept.iter().map(|(position, keep)| {
            let value = std::mem::replace(&mut properties[*position], Value::Null);
            match (keep, value) {
                (Some(keep), Value::Text(text)) => Value::Text(masked(&text, *keep).into()),
                (_, value) => value,
            }
        });
        chosen.collect()
    }

    /// What a writer gives for the properties that they see, as values for all of them: what they do not see whole stays
    /// as it was before.
    pub(crate) fn whole(&self, seen: Vec<Value>, before: Option<&[Value]>) -> Vec<Value> {
        let count = self.source.schema.properties.len();
        let mut whole = before.map_or_else(|| vec![Value::Null; count], <[Value]>::to_vec);
        for ((position, keep), value) in self.kept.iter().zip(seen) {
            if keep.is_none() {
                whole[*position] = value;
            }
        }
        whole
    }
}

/// A stored feature's geometry as the index has it; nothing for one that can't be shown.
pub(crate) fn geometries(collection: &Collection, feature: &Feature) -> Vec<WorldBuf> {
    let wkb = feature.geometry.as_deref();
    wkb.and_then(|wkb| row::to_wgs84(collection, wkb).ok())
        .map_or_else(Vec::new, |geometry| world::from_geometry(&geometry))
}

pub(crate) fn masked(text: &str, keep: u8) -> String {
    let mut shown: String = text.chars().take(usize::from(keep)).collect();
    shown.push_str(MASK);
    shown
}

/// The point that a geometry is rounded to.
fn coarse(wkb: &[u8], grid: u32) -> Option<Vec<u8>> {
    let envelope = formats::wkb::check(wkb).ok()?.envelope?;
    let [x, y] = grid_center(envelope.center(), grid);
    let mut out = Vec::new();
    formats::wkb::write(&geo_types::Point::from((x, y)).into(), &mut out);
    Some(out)
}

fn index_view(
    live: &LiveCollection,
    is_seen: &[bool],
    sieve: &Arc<Sieve>,
    grid: Option<u32>,
) -> index::View {
    let sieve = Arc::clone(sieve);
    let columns = Arc::clone(&live.columns);
    let sees = move |hit: &Hit<'_>| {
        let value = |position: usize| {
            let column = columns.iter().position(|c| *c == Some(position));
            column.map_or(ValueRef::Null, |column| hit.value(column))
        };
        sieve.holds(&value, |area| area.meets(hit.geometries()))
    };
    let place = grid.map(|grid| {
        let place = move |hit: &Hit<'_>| {
            let Some(envelope) = hit.envelope() else {
                return (None, Vec::new());
            };
            let center = grid_center(envelope.center(), grid);
            let point = geo_types::Geometry::Point(geo_types::Point::from((center[0], center[1])));
            let envelope = Envelope {
                min: center,
                max: center,
            };
            (Some(envelope), world::from_geometry(&point))
        };
        Box::new(place) as Box<dyn Fn(&Hit<'_>) -> (Option<Envelope>, Vec<WorldBuf>) + Send + Sync>
    });
    index::View::new(is_seen, sees, place)
}

fn seen_collection(source: &Collection, kept: &[(usize, Option<u8>)], view: &View) -> Collection {
    let properties = &source.schema.properties;
    let is_whole = |name: &String| {
        let position = source.schema.position(name);
        kept.iter()
            .any(|(p, keep)| Some(*p) == position && keep.is_none())
    };
    let named = |name: &Option<String>| name.clone().filter(is_whole);
    let mut seen = Collection {
        schema: Schema {
            properties: kept
                .iter()
                .map(|(position, keep)| {
                    let mut property = properties[*position].clone();
                    if keep.is_some() {
                        property.values.clear();
                    }
                    property.searchable &=
                        keep.is_none() && !view.personal.contains(&property.name);
                    property
                })
                .collect(),
        },
        id_property: named(&source.id_property),
        label_property: named(&source.label_property),
        time_property: named(&source.time_property),
        ..source.clone()
    };
    if let Some(names) = &mut seen.tiles.properties {
        names.retain(is_whole);
    }
    if !view.personal.is_empty() || kept.iter().any(|(_, keep)| keep.is_some()) {
        let names = seen.tiles.properties.take().unwrap_or_else(|| {
            let all = seen.schema.properties.iter();
            all.map(|p| p.name.clone()).filter(is_whole).collect()
        });
        let is_open = |name: &String| !view.personal.contains(name);
        seen.tiles.properties = Some(names.into_iter().filter(is_open).collect());
    }
    if view.grid.is_some() {
        seen.geometry_type = GeometryType::Point;
        (seen.has_z, seen.has_m) = (false, false);
    }
    seen
}

fn seen_table(source: &Table, kept: &[(usize, Option<u8>)]) -> Table {
    let chosen = |all: &[String]| kept.iter().map(|(p, _)| all[*p].clone()).collect();
    Table {
        columns: chosen(&source.columns),
        reads: chosen(&source.reads),
        places: kept
            .iter()
            .map(|(p, _)| source.places[*p].clone())
            .collect(),
        ..source.clone()
    }
}
