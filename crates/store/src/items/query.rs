//! What a request asks of a collection's features.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Instant;

use model::cql2::Literal;
use model::{
    Bbox, ChangeSeq, Crs, Feature, Filter, Interval, PropertyType, Value, ValueRef, date_of_days,
    microseconds_of_date_time,
};
use spatial::QueryBox;
use spatial::index::{Hit, Words, collated, natural};

use super::rows::{FeatureRow, Given, HitRow};
use crate::LiveCollection;

/// Features in a page at most: 10,000 parcels are about 8 MB of GeoJSON, and QGIS asks for pages of this size.
pub const MAX_LIMIT: u32 = 10_000;

/// Which features to read. Conditions are joined by AND.
#[derive(Debug, Clone, Default)]
pub struct ItemsQuery {
    pub bbox: Option<QueryBox>,
    /// Applied to the collection's time property; features without a time match
    /// (OGC 17-069r4 §7.15.4, /req/core/fc-time-response).
    pub datetime: Option<Interval>,
    /// Equality on properties, by schema position.
    pub equals: Vec<(usize, Value)>,
    /// Texts of which one has to stand in a searchable property, by its words in any of their forms.
    pub text: Vec<String>,
    /// A condition in CQL2, whose geometries are longitude/latitude. What is unknown does not match.
    pub filter: Option<Arc<Filter>>,
    /// The order, the most important first; behind it comes that of the integer key, which is the only one when this is empty.
    pub sort: Vec<Sort>,
    /// Where the page begins.
    pub begin: Begin,
    /// The walk that the page goes on with.
    pub walk: Option<Walk>,
    /// 1..=[`MAX_LIMIT`].
    pub limit: u32,
    /// When the choice of features is given up: a filter may ask for much of each of a million.
    pub until: Option<Instant>,
    /// In which CRS geometries are read, x first.
    pub crs: Crs,
}

/// An order by a property: nulls last, numbers within texts by their value, letters by the Ukrainian alphabet in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// In the schema.
    pub position: usize,
    pub descending: bool,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Begin {
    #[default]
    Start,
    /// Behind this integer key, in its order.
    After(i64),
    /// Behind so many features.
    Offset(u64),
}

/// The moment that all pages of one walk show, and what was counted then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// The number of the collection: another one may have taken its name since.
    pub collection: i64,
    /// The last change that is shown.
    pub seq: ChangeSeq,
    /// Features that match, on all pages.
    pub matched: u64,
}

/// A feature of the index, or one as it is seen after its row was read.
pub(super) enum Candidate<'a> {
    Hit(Hit<'a>),
    Row(&'a Feature),
}

/// The conditions of a query over a collection as it is seen.
pub(super) struct Conditions<'a> {
    live: &'a LiveCollection,
    query: &'a ItemsQuery,
    /// The property that `datetime` is about.
    time: Option<usize>,
    /// The geometries of the filter.
    given: Vec<Given<'a>>,
    /// The words of each text.
    words: Vec<Words>,
    /// Whether a property is asked for that the index does not show.
    needs_rows: bool,
}

impl<'a> Conditions<'a> {
    pub(super) fn new(live: &'a LiveCollection, query: &'a ItemsQuery) -> Self {
        let name = live.collection.time_property.as_deref();
        let time = name
            .filter(|_| query.datetime.is_some())
            .and_then(|name| live.collection.schema.position(name));
        let asked = query.equals.iter().map(|(position, _)| *position);
        let filter = query.filter.as_deref();
        let filtered = filter.map_or_else(Vec::new, Filter::properties);
        let mut asked = asked.chain(time).chain(filtered);
        Self {
            needs_rows: asked.any(|position| live.column_of(position).is_none()),
            given: filter.map_or_else(Vec::new, |filter| {
                filter.geometries().into_iter().map(Given::new).collect()
            }),
            words: query.text.iter().map(|text| Words::new(text)).collect(),
            live,
            query,
            time,
        }
    }

    /// Whether the time for the choice is over.
    pub(super) fn is_late(&self) -> bool {
        self.query.until.is_some_and(|until| Instant::now() > until)
    }

    /// Whether every feature matches.
    pub(super) fn are_none(&self) -> bool {
        self.query.bbox.is_none()
            && self.query.equals.is_empty()
            && self.time.is_none()
            && self.query.filter.is_none()
            && self.words.is_empty()
    }

    /// Wanted values by which features are found without looking at others: their index column, and the values.
    pub(super) fn column_by_value(&self) -> Option<(usize, Vec<Value>)> {
        let properties = &self.live.collection.schema.properties;
        // Reals and times have several forms of one value.
        let has_one_form = |position: usize| {
            use PropertyType as Kind;
            let kind = properties[position].kind;
            matches!(
                kind,
                Kind::Text | Kind::Integer | Kind::Boolean | Kind::Date
            )
        };
        let equals = self.query.equals.iter();
        let asked = equals
            .filter(|(position, _)| has_one_form(*position))
            .find_map(|(position, value)| {
                Some((self.live.column_of(*position)?, vec![value.clone()]))
            });
        asked.or_else(|| {
            let equals = self.query.filter.as_ref()?.necessary_equals();
            let mut usable = equals
                .into_iter()
                .filter(|(position, _)| has_one_form(*position))
                .filter_map(|(position, values)| {
                    let values: Option<Vec<Value>> = values.iter().map(value_of).collect();
                    Some((self.live.column_of(position)?, values?))
                });
            usable.next()
        })
    }

    /// The features that have such a value; `None` when none is wanted.
    pub(super) fn by_value(&self) -> Option<Vec<Hit<'a>>> {
        let index = &self.live.index;
        let Some((column, values)) = self.column_by_value() else {
            return self.by_words();
        };
        let mut hits: Vec<Hit<'a>> = values
            .iter()
            .flat_map(|value| index.equal(column, value.into()))
            .collect();
        // A value may stand in a list twice.
        hits.sort_unstable_by_key(Hit::fid);
        hits.dedup_by_key(|hit| hit.fid());
        Some(hits)
    }

    fn by_words(&self) -> Option<Vec<Hit<'a>>> {
        if self.words.is_empty() {
            return None;
        }
        let schema = &self.live.collection.schema;
        let columns = self.live.columns.iter().enumerate();
        let columns: Vec<usize> = columns
            .filter(|(_, position)| position.is_some_and(|p| schema.properties[p].searchable))
            .map(|(column, _)| column)
            .collect();
        let index = &self.live.index;
        let found = self.words.iter();
        let found = found.flat_map(|words| index.search_text(words.query(), &columns, index.len()));
        let mut hits: Vec<Hit<'a>> = found.map(|found| found.hit).collect();
        hits.sort_unstable_by_key(Hit::fid);
        hits.dedup_by_key(|hit| hit.fid());
        Some(hits)
    }

    /// Boxes outside of which nothing matches; `None`: there may be matches everywhere.
    pub(super) fn around(&self) -> Option<Vec<Bbox>> {
        if let Some(bbox) = self.query.bbox.as_ref().and_then(QueryBox::around) {
            return Some(vec![bbox]);
        }
        let filter = self.query.filter.as_ref()?;
        let boxes = filter.necessary_box()?.into_iter();
        Some(
            boxes
                .map(|e| Bbox {
                    west: e.min[0],
                    south: e.min[1],
                    east: e.max[0],
                    north: e.max[1],
                })
                .collect(),
        )
    }

    /// Whether a feature of the index matches; `None` where only its row can tell.
    pub(super) fn hold(&self, hit: &Hit<'_>) -> Option<bool> {
        let mut whole = Some(true);
        if self.needs_rows {
            whole = None;
        } else if !self.hold_for_values(&Candidate::Hit(*hit)) {
            return Some(false);
        }
        if let Some(filter) = self.query.filter.as_ref().filter(|_| !self.needs_rows) {
            let row = HitRow::new(self.live, *hit, &self.given);
            let holds = filter.holds(&row);
            // What was left open may decide otherwise.
            match (row.is_open(), holds) {
                (true, _) => whole = None,
                (false, Some(true)) => {}
                (false, _) => return Some(false),
            }
        }
        // What has no geometry is in every box (OGC 17-069r4 /req/core/fc-bbox-response).
        let bbox = self.query.bbox.as_ref().filter(|_| !hit.is_unplaced());
        match bbox.map(|b| b.meets(hit)) {
            Some(Some(false)) => Some(false),
            Some(None) => None,
            _ => whole,
        }
    }

    /// Whether a feature matches, as it is seen in longitude/latitude.
    pub(super) fn hold_for(&self, feature: &Feature) -> bool {
        let row = FeatureRow::new(feature);
        self.hold_for_values(&Candidate::Row(feature))
            && self
                .query
                .bbox
                .as_ref()
                .is_none_or(|bbox| row.geometry().is_none_or(|g| bbox.intersects(g)))
            && self
                .query
                .filter
                .as_ref()
                .is_none_or(|filter| filter.holds(&row) == Some(true))
    }

    fn hold_for_values(&self, candidate: &Candidate<'_>) -> bool {
        let properties = &self.live.collection.schema.properties;
        self.query.equals.iter().all(|(position, wanted)| {
            let value = candidate.value(self.live, *position);
            are_equal(properties[*position].kind, value, wanted.into())
        }) && self.is_then(candidate)
            && self.has_words(candidate)
    }

    fn has_words(&self, candidate: &Candidate<'_>) -> bool {
        let properties = self.live.collection.schema.properties.iter().enumerate();
        let searchable = properties.filter(|(i, p)| p.searchable && self.live.is_queryable(*i));
        self.words.is_empty()
            || searchable
                .map(|(position, _)| candidate.value(self.live, position))
                .any(|value| match value {
                    ValueRef::Text(text) => self.words.iter().any(|words| words.are_in(text)),
                    _ => false,
                })
    }

    fn is_then(&self, candidate: &Candidate<'_>) -> bool {
        let (Some(position), Some(interval)) = (self.time, &self.query.datetime) else {
            return true;
        };
        let ValueRef::Text(text) = candidate.value(self.live, position) else {
            return true;
        };
        // The fixed form of a bound goes to the millisecond, in UTC; a date is compared with the date of a bound.
        let fixed;
        let (text, length) = match self.live.collection.schema.properties[position].kind {
            PropertyType::Date => (text, 10),
            _ => {
                fixed = model::normalise_date_time(text);
                (fixed.as_deref().unwrap_or(text), 23)
            }
        };
        let cut = |text: &'a str| text.get(..length).unwrap_or(text);
        let of = |text: &str| text.get(..length).unwrap_or(text).to_owned();
        let (start, end) = (interval.start.as_deref(), interval.end.as_deref());
        let text = of(text);
        start.is_none_or(|start| *text >= *cut(start)) && end.is_none_or(|end| *text <= *cut(end))
    }

    /// What features are put in order by.
    pub(super) fn key(&self, candidate: &Candidate<'_>) -> Vec<SortKey> {
        let key = |sort: &Sort| match candidate.value(self.live, sort.position) {
            ValueRef::Null => SortKey::Null,
            ValueRef::Boolean(b) => SortKey::Integer(i64::from(b)),
            ValueRef::Integer(i) => SortKey::Integer(i),
            ValueRef::Real(x) => SortKey::Real(x),
            ValueRef::Text(t) => SortKey::Text(collated(t).into()),
        };
        self.query.sort.iter().map(key).collect()
    }

    /// The order of two features by their keys; the same order for equal ones.
    pub(super) fn order(&self, a: &[SortKey], b: &[SortKey]) -> Ordering {
        let pairs = self.query.sort.iter().zip(a.iter().zip(b));
        let orders = pairs.map(|(sort, (a, b))| {
            let is_null = [a, b].map(|key| matches!(key, SortKey::Null));
            let order = is_null[0].cmp(&is_null[1]);
            let by_value = || match sort.descending {
                true => b.compare(a),
                false => a.compare(b),
            };
            order.then_with(by_value)
        });
        orders
            .into_iter()
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

/// A value in the form that its order is told by.
#[derive(Debug, Clone)]
pub(super) enum SortKey {
    Null,
    Integer(i64),
    Real(f64),
    Text(Box<str>),
}

impl SortKey {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => natural(a, b),
            // What another program has stored in a column of another type.
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Integer(_) => 0,
            Self::Real(_) => 1,
            Self::Text(_) => 2,
            Self::Null => 3,
        }
    }
}

impl<'a> Candidate<'a> {
    /// The value at a position of the schema as it is seen.
    fn value(&self, live: &LiveCollection, position: usize) -> ValueRef<'a> {
        match self {
            Self::Hit(hit) => {
                let column = live.column_of(position);
                column.map_or(ValueRef::Null, |column| hit.value(column))
            }
            Self::Row(feature) => feature
                .properties
                .get(position)
                .map_or(ValueRef::Null, ValueRef::from),
        }
    }
}

fn number(value: ValueRef<'_>) -> f64 {
    match value {
        ValueRef::Integer(i) => i as f64,
        ValueRef::Real(x) => x,
        _ => f64::INFINITY,
    }
}

/// Whether two values of a property are the same, however they are written.
fn are_equal(kind: PropertyType, a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (kind, a, b) {
        (_, ValueRef::Null, _) | (_, _, ValueRef::Null) => false,
        (PropertyType::DateTime, ValueRef::Text(a), ValueRef::Text(b)) => {
            a == b
                || microseconds_of_date_time(a)
                    .is_some_and(|a| microseconds_of_date_time(b) == Some(a))
        }
        (PropertyType::Real, a, b) => number(a) == number(b),
        (_, a, b) => a == b,
    }
}

/// A literal as a property's value; `None` for one that has several forms as such.
fn value_of(literal: &Literal) -> Option<Value> {
    Some(match literal {
        Literal::Boolean(b) => Value::Boolean(*b),
        Literal::Integer(i) => Value::Integer(*i),
        Literal::Text(text) => Value::Text(text.clone()),
        Literal::Date(days) => Value::Text(date_of_days(*days)?.into()),
        Literal::Real(_) | Literal::Instant(..) => return None,
    })
}
