//! The collections of a tile as a request asks for them: as they are or as they were, what a filter leaves of them, and which
//! of their properties.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Filter, Message};
use quick_cache::sync::Cache;
use store::{LiveCollection, Narrowed};
use tokio::sync::Mutex;

use crate::app::App;
use crate::context::Context;
use crate::features::filter;
use crate::limits::{CHOICE_TIMEOUT, MAX_NARROWED};
use crate::params::Params;
use crate::policy::Sight;
use crate::problem::{Problem, shown};

/// Parameters of tiles and of what describes them.
pub(crate) const PARAMETERS: [&str; 5] =
    ["as-of", "filter", "filter-lang", "filter-crs", "properties"];

/// The collections of a tile.
pub(crate) struct Layers {
    pub(crate) all: Vec<LiveCollection>,
    /// The change up to which the tile shows what was; the greatest number: what is.
    pub(crate) moment: i64,
    /// Names of the properties that are asked for, in alphabetical order with commas; `None`: those that each collection has
    /// chosen.
    pub(crate) properties: Option<Box<str>>,
}

impl Layers {
    /// As they were where the request asks for that. [`Layers::narrowed`] does the rest.
    ///
    /// # Errors
    /// As [`Sight::require_then`]; 400 for a property that none of them has.
    pub(crate) async fn then(
        app: &App,
        context: &Context,
        mut all: Vec<LiveCollection>,
    ) -> Result<Self, Problem> {
        let Some(moment) = app.moment(context.params.get("as-of")).await? else {
            let properties = properties(&context.params, &all)?;
            return Ok(Self {
                all,
                moment: i64::MAX,
                properties,
            });
        };
        let sight = app.sight(context)?;
        for layer in &mut all {
            let id = layer.collection.id.clone();
            let then = sight.require_then(context, id.as_str(), Some(&moment));
            *layer = then.await?;
        }
        let properties = properties(&context.params, &all)?;
        Ok(Self {
            all,
            moment: moment.seq.0,
            properties,
        })
    }

    /// What the filter of the request leaves of them: it has to fit each.
    ///
    /// # Errors
    /// 400 for a filter that can't be read, does not fit, or takes too long the first time.
    pub(crate) async fn narrowed(mut self, app: &App, context: &Context) -> Result<Self, Problem> {
        for layer in &mut self.all {
            let Some(filter) = filter::asked(context, layer)? else {
                continue;
            };
            *layer = app
                .narrowings
                .of(app, layer, filter, &context.params)
                .await?;
        }
        Ok(self)
    }
}

/// Checks what can be checked without looking at any feature.
///
/// # Errors
/// As [`Layers::then`] and [`Layers::narrowed`].
pub(crate) fn check(context: &Context, layers: &[LiveCollection]) -> Result<(), Problem> {
    properties(&context.params, layers)?;
    for layer in layers {
        if let Some(filter) = filter::asked(context, layer)? {
            told_by_index(layer, &filter)?;
        }
    }
    Ok(())
}

fn properties(params: &Params, layers: &[LiveCollection]) -> Result<Option<Box<str>>, Problem> {
    let Some(text) = params.get("properties") else {
        return Ok(None);
    };
    let names = text.split(',').map(str::trim);
    let mut names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let is_known = |name: &&str| layers.iter().any(|layer| has(layer, name));
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        let detail = Message::new("server.select-unknown").with("name", shown(unknown));
        return Err(Problem::bad_request(detail));
    }
    Ok(Some(names.join(",").into()))
}

/// Whether tiles may have a property: what is about people is in none.
fn has(layer: &LiveCollection, name: &str) -> bool {
    let position = layer.collection.schema.position(name);
    position.is_some_and(|position| layer.column_of(position).is_some())
}

/// # Errors
/// 400 for a property about people, which the index does not show.
fn told_by_index(layer: &LiveCollection, filter: &Filter) -> Result<(), Problem> {
    let mut asked = filter.properties().into_iter();
    let Some(hidden) = asked.find(|position| layer.column_of(*position).is_none()) else {
        return Ok(());
    };
    let name = &layer.collection.schema.properties[hidden].name;
    let detail = Message::new("server.filter-property").with("name", name);
    Err(Problem::bad_request(detail))
}

/// Filters of tiles that are in use: a map asks by the same one for each of its tiles.
pub(crate) struct Narrowings {
    kept: Cache<Key, Arc<Narrowed>>,
    /// Those that took too long, and when.
    costly: Cache<Key, Instant>,
    /// Whoever has to look at features holds one of these, by the filter: others wait and find what was found.
    turns: [Mutex<()>; 16],
}

/// What is narrowed, as somebody sees it, and by what.
type Key = (Box<str>, u64, Box<str>);

/// So long a filter that took too long is not tried again.
const TOO_COSTLY_FOR: Duration = Duration::from_secs(60);

impl Narrowings {
    pub(crate) fn new() -> Self {
        Self {
            kept: Cache::new(MAX_NARROWED),
            costly: Cache::new(MAX_NARROWED * 4),
            turns: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// O(features that were not looked at before), on a worker.
    async fn of(
        &self,
        app: &App,
        live: &LiveCollection,
        filter: Arc<Filter>,
        params: &Params,
    ) -> Result<LiveCollection, Problem> {
        told_by_index(live, &filter)?;
        let names = ["filter", "filter-lang", "filter-crs"];
        let text = names.map(|name| params.get(name).unwrap_or_default());
        let text: Box<str> = text.join("\n").into();
        let id = live.collection.id.as_str();
        let key = (Box::from(id), live.seen_through(), text);
        if let Some(known) = self.at_hand(&key, live) {
            return Ok(known);
        }
        let turn = foldhash::fast::FixedState::default().hash_one(&key);
        let _turn = self.turns[(turn % 16) as usize].lock().await;
        if let Some(known) = self.at_hand(&key, live) {
            return Ok(known);
        }
        let is_costly = |at: Instant| at.elapsed() < TOO_COSTLY_FOR;
        if self.costly.get(&key).is_some_and(is_costly) {
            return Err(too_costly());
        }
        let known = self.kept.get(&key).filter(|known| known.fits(live));
        let narrowed = known.unwrap_or_else(|| Narrowed::new(live, filter, &key.2));
        let (looking, source) = (Arc::clone(&narrowed), live.clone());
        let looked = app
            .work(move || looking.of(&source, CHOICE_TIMEOUT))
            .await?;
        let Some(found) = looked else {
            self.kept.remove(&key);
            self.costly.insert(key, Instant::now());
            return Err(too_costly());
        };
        self.kept.insert(key, narrowed);
        Ok(found)
    }

    /// What was found before, if nothing has changed since.
    fn at_hand(&self, key: &Key, live: &LiveCollection) -> Option<LiveCollection> {
        let known = self.kept.get(key)?;
        known.fits(live).then(|| known.at_hand(live)).flatten()
    }
}

fn too_costly() -> Problem {
    Problem::bad_request(Message::new("store.filter-too-costly"))
}

/// The collections of a comma-separated list, each once, in its order.
///
/// # Errors
/// 404 for an unknown one, 400 for more than `max`.
pub(crate) fn selected(
    sight: &Sight,
    ids: &str,
    max: usize,
) -> Result<Vec<LiveCollection>, Problem> {
    let mut layers: Vec<LiveCollection> = Vec::new();
    for id in ids.split(',').map(str::trim) {
        if layers.iter().any(|l| l.collection.id.as_str() == id) {
            continue;
        }
        if layers.len() == max {
            let detail = Message::new("server.too-many-collections").with("max", max);
            return Err(Problem::bad_request(detail));
        }
        layers.push(sight.require(id)?);
    }
    Ok(layers)
}
