//! What collections find, as one list of answers.

use std::collections::{HashMap, HashSet};

use model::{Envelope, GeometryType, Theme};
use serde_json::{Map, Value as Json, json};
use spatial::index::{Rank, TextHit, folded, natural};
use store::LiveCollection;

use super::plain;
use crate::collections::bbox;
use crate::features::id_from;
use crate::limits::MAX_CANDIDATES;

/// Answers to a query, best first.
pub(super) struct Answers<'a> {
    found: Vec<Found<'a>>,
}

/// A feature that was found, or the features of a street.
struct Found<'a> {
    live: &'a LiveCollection,
    hit: TextHit<'a>,
    /// Around all features of the answer.
    envelope: Option<Envelope>,
    /// Whether the value that matched is the id or the label of the feature, and not something it refers to.
    is_own: bool,
    is_street: bool,
    label: String,
    /// The searched form of the value that matched, of the label and of the id.
    matched: String,
    names: [String; 2],
}

/// Looks into all collections.
pub(super) fn search<'a>(
    collections: &'a [LiveCollection],
    query: &str,
    limit: usize,
) -> Answers<'a> {
    let mut found = Vec::new();
    for live in collections {
        in_collection(live, query, limit, &mut found);
    }
    found.sort_by(|a, b| {
        (a.order().cmp(&b.order()))
            .then_with(|| natural(&a.names[0], &b.names[0]))
            .then_with(|| b.is_address().cmp(&a.is_address()))
    });
    let mut answers = Answers { found };
    answers.join_streets();
    answers.drop_references();
    answers
}

/// What a collection finds by its ids and labels, then by its other texts.
fn in_collection<'a>(
    live: &'a LiveCollection,
    query: &str,
    limit: usize,
    found: &mut Vec<Found<'a>>,
) {
    let searchable = columns(live);
    let own = own_columns(live);
    let (own, others): (Vec<usize>, Vec<usize>) = searchable
        .into_iter()
        .partition(|c| own.contains(&Some(*c)));
    // The segments of a street are one answer.
    let most = if is_street(live) {
        limit.max(MAX_CANDIDATES)
    } else {
        limit
    };
    let mut known = HashSet::new();
    for (columns, is_own) in [(own, true), (others, false)] {
        for hit in live.index.search_text(query, &columns, most) {
            if known.insert(hit.hit.fid()) {
                found.push(Found::new(live, hit, is_own));
            }
        }
    }
}

/// The index columns that the search box looks into.
pub(super) fn columns(live: &LiveCollection) -> Vec<usize> {
    let properties = &live.collection.schema.properties;
    let columns = live.columns.iter().enumerate();
    columns
        .filter(|(_, position)| position.is_some_and(|p| properties[p].searchable))
        .map(|(column, _)| column)
        .collect()
}

/// The index columns of the label and of the id.
fn own_columns(live: &LiveCollection) -> [Option<usize>; 2] {
    let collection = &live.collection;
    [&collection.label_property, &collection.id_property].map(|name| {
        let position = collection.schema.position(name.as_ref()?)?;
        live.column_of(position)
    })
}

/// Lines that are not pipes or cables: a name there is that of a street, and each segment has it. Street networks come
/// with their crossings too, as geometries of several kinds.
fn is_street(live: &LiveCollection) -> bool {
    let theme = live.collection.theme;
    match live.collection.geometry_type {
        GeometryType::LineString | GeometryType::MultiLineString => theme != Theme::Networks,
        GeometryType::Geometry | GeometryType::GeometryCollection => theme == Theme::Transport,
        _ => false,
    }
}

impl<'a> Found<'a> {
    fn new(live: &'a LiveCollection, hit: TextHit<'a>, is_own: bool) -> Self {
        let value = |column: usize| plain(&hit.hit.value(column).to_value());
        let names = own_columns(live).map(|column| column.map_or(String::new(), value));
        let matched = value(hit.column);
        Self {
            live,
            envelope: hit.hit.envelope(),
            is_own,
            is_street: is_own && is_street(live),
            label: if names[0].is_empty() {
                matched.clone()
            } else {
                names[0].clone()
            },
            matched: folded(&matched),
            names: names.map(|name| folded(&name)),
            hit,
        }
    }

    /// Values that are the query, then those with its words, then those with parts of words; in each, own names before
    /// references and streets before what stands in them.
    fn order(&self) -> (u8, bool, bool, Rank) {
        let group = match self.hit.rank {
            Rank::Equal => 0,
            Rank::Prefix | Rank::Word | Rank::Whole | Rank::Begun => 1,
            Rank::Inside => 2,
        };
        (group, !self.is_own, !self.is_street, self.hit.rank)
    }

    fn is_address(&self) -> bool {
        self.live.collection.theme == Theme::Addresses
    }

    fn json(&self) -> Json {
        let collection = &self.live.collection;
        let hit = &self.hit.hit;
        let id = own_columns(self.live)[1].map(|column| hit.value(column).to_value());
        let id = id_from(hit.fid(), &id.unwrap_or(model::Value::Null)).to_string();
        let property =
            self.live.columns[self.hit.column].and_then(|p| collection.schema.properties.get(p));
        let mut out = Map::new();
        let mut set = |name: &str, value: Json| out.insert(name.to_owned(), value);
        set("collection", collection.id.as_str().into());
        set("label", self.label.as_str().into());
        set("id", id.into());
        set("property", property.map_or("", |p| p.name.as_str()).into());
        set(
            "value",
            plain(&hit.value(self.hit.column).to_value()).into(),
        );
        if let Some(envelope) = &self.envelope {
            set("bbox", json!(bbox(envelope)));
        }
        Json::Object(out)
    }
}

impl Answers<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The first ones as JSON, and whether there are more.
    pub(super) fn json(&self, limit: usize) -> (Vec<Json>, bool) {
        let shown = self.found.iter().take(limit);
        (shown.map(Found::json).collect(), self.found.len() > limit)
    }

    /// Streets first, then by the distance of the first number behind the words of the query to a number.
    pub(super) fn nearest_to(&mut self, number: u64, query: &str) {
        let query = folded(query);
        self.found.sort_by_cached_key(|found| {
            let rest = found
                .matched
                .split(' ')
                .filter(|w| !query.split(' ').any(|q| q == *w));
            let own = rest.filter_map(leading_number).next();
            (
                !found.is_street,
                own.is_none(),
                own.map(|n| n.abs_diff(number)),
                own,
            )
        });
    }

    /// The segments of a street as one answer, in the place of the first.
    fn join_streets(&mut self) {
        let mut first: HashMap<(String, String), usize> = HashMap::new();
        let mut kept: Vec<Found<'_>> = Vec::new();
        for found in self.found.drain(..) {
            let key = (found.live.collection.id.to_string(), found.names[0].clone());
            match first
                .get(&key)
                .filter(|_| found.is_street && !found.names[0].is_empty())
            {
                Some(place) => {
                    let joined = &mut kept[*place].envelope;
                    *joined = [*joined, found.envelope]
                        .into_iter()
                        .flatten()
                        .reduce(Envelope::union);
                }
                None => {
                    first.insert(key, kept.len());
                    kept.push(found);
                }
            }
        }
        self.found = kept;
    }

    /// Without features that only refer to another answer: what has the number of a parcel as one of its values, or
    /// the address of a house that is there as an address.
    fn drop_references(&mut self) {
        let mut names: HashSet<String> = HashSet::new();
        let mut addresses: HashMap<String, String> = HashMap::new();
        self.found.retain(|found| {
            let collection = found.live.collection.id.to_string();
            let of_other = addresses
                .get(&found.matched)
                .is_some_and(|c| *c != collection);
            if of_other || !found.is_own && names.contains(&found.matched) {
                return false;
            }
            names.extend(found.names.iter().filter(|n| !n.is_empty()).cloned());
            if found.is_address() {
                addresses.insert(found.names[0].clone(), collection);
            }
            true
        });
    }
}

/// The number that a word begins with: 5 of `5а`.
pub(super) fn leading_number(word: &str) -> Option<u64> {
    let end = word.bytes().position(|b| !b.is_ascii_digit());
    word[..end.unwrap_or(word.len())].parse().ok()
}
