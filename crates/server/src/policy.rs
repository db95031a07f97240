//! The one place that says who may see and do what. Handlers get collections from here and from nowhere else, and they
//! get them as the principal sees them: what may not be seen is not in them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hyper::StatusCode;
use model::access::{Decision, Directory, Editing, Permission, Principal, Reach, View, decide};
use model::{ChangeSeq, Epoch, Message};
use spatial::WorldArea;
use store::{Action, AuditEntry, By, Lens, Live, LiveCollection, Look, Step};

use crate::app::App;
use crate::context::Context;
use crate::identity;
use crate::moment::Moment;
use crate::problem::Problem;
use crate::served_archives::Archive;

/// Lenses that are kept: a hundred collections, each seen in some forms.
const MAX_LENSES: usize = 1_024;

/// A collection, and how it is seen.
type Key = (Box<str>, View);

/// The lenses that are in use.
#[derive(Default)]
pub(crate) struct Lenses {
    kept: Mutex<HashMap<Key, Arc<Lens>>>,
}

impl Lenses {
    /// A collection in the form of a view; `None` when the view can't be made, which is logged: then nobody sees it.
    fn through(&self, live: &LiveCollection, view: &View) -> Option<LiveCollection> {
        if view.is_whole() {
            return Some(live.clone());
        }
        let key = (Box::from(live.collection.id.as_str()), view.clone());
        let known = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(&key).filter(|lens| lens.fits(live)).cloned()
        };
        if let Some(lens) = known {
            return Some(lens.of(live));
        }
        let lens = match Lens::new(live, view) {
            Ok(lens) => lens,
            Err(error) => {
                tracing::error!(collection = %live.collection.id, %error, "the rules of a collection can't be followed, so it is not shown");
                return None;
            }
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_LENSES {
            kept.clear();
        }
        let lens = match kept.entry(key) {
            // Another request was faster: tiles are kept by the lens.
            Entry::Occupied(mut there) if there.get().fits(live) => Arc::clone(there.get_mut()),
            Entry::Occupied(mut there) => {
                there.insert(Arc::clone(&lens));
                lens
            }
            Entry::Vacant(place) => Arc::clone(place.insert(lens)),
        };
        drop(kept);
        Some(lens.of(live))
    }
}

/// Principals whose decisions are kept.
const MAX_PRINCIPALS: usize = 1_024;

/// Decisions of one directory, by principal and collection: a map asks the same for each of its tiles.
#[derive(Default)]
pub(crate) struct Decisions {
    kept: RwLock<Kept>,
}

#[derive(Default)]
struct Kept {
    version: i64,
    by: HashMap<Arc<Principal>, HashMap<Box<str>, Decided>>,
}

/// A decision over a collection of a definition: another one may have other properties.
#[derive(Clone)]
struct Decided {
    definition: u64,
    decision: Arc<Decision>,
}

impl Decisions {
    fn get(
        &self,
        version: i64,
        principal: &Principal,
        live: &LiveCollection,
    ) -> Option<Arc<Decision>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        if kept.version != version {
            return None;
        }
        let decided = kept.by.get(principal)?.get(live.collection.id.as_str())?;
        (decided.definition == live.definition).then(|| Arc::clone(&decided.decision))
    }

    fn keep(
        &self,
        version: i64,
        principal: &Arc<Principal>,
        live: &LiveCollection,
        decision: &Arc<Decision>,
    ) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.version != version || kept.by.len() >= MAX_PRINCIPALS {
            kept.version = version;
            kept.by.clear();
        }
        let decided = Decided {
            definition: live.definition,
            decision: Arc::clone(decision),
        };
        kept.by
            .entry(Arc::clone(principal))
            .or_default()
            .insert(live.collection.id.as_str().into(), decided);
    }
}

/// A collection that somebody may write to.
pub(crate) struct Writable {
    /// As they see it.
    pub(crate) live: LiveCollection,
    pub(crate) by: By,
    pub(crate) rules: Editing,
}

impl Writable {
    /// An action on the collection.
    pub(crate) fn action(&self, step: Step) -> Action {
        Action {
            collection: self.live.collection.id.to_string(),
            by: self.by.clone(),
            step,
            rules: self.rules.clone(),
        }
    }
}

/// All collections at this moment, as a principal sees them.
pub(crate) struct Sight {
    app: App,
    live: Arc<Live>,
    version: i64,
    directory: Arc<Directory>,
    principal: Arc<Principal>,
}

impl Sight {
    /// A collection; `None` when there is none of this id for the principal.
    pub(crate) fn get(&self, id: &str) -> Option<LiveCollection> {
        let live = self.live.get(id)?;
        let decision = self.decision(live);
        self.app.lenses.through(live, decision.view.as_ref()?)
    }

    /// A collection as it is and as the principal sees it.
    pub(crate) fn look(&self, id: &str) -> Option<Look> {
        Some(Look::new(self.live.get(id)?.clone(), self.get(id)?))
    }

    /// The same as it was after a change that is not long ago; `None` when what has changed since can't be told.
    ///
    /// # Errors
    /// When the database has to be asked and can't be read.
    pub(crate) async fn look_back(
        &self,
        id: &str,
        seq: ChangeSeq,
    ) -> Result<Option<Look>, Problem> {
        let (Some(source), Some(seen)) = (self.live.get(id), self.get(id)) else {
            return Ok(None);
        };
        let Some(then) = self.app.store.recent(source, seq).await? else {
            return Ok(None);
        };
        let seen = match &seen.lens {
            Some(lens) => lens.of(&then),
            None => then.clone(),
        };
        Ok(Some(Look::new(then, seen)))
    }

    /// Whether a look would show what this one does, if the rules and whoever looks are the same.
    pub(crate) fn is_same(&self, id: &str, look: &Look) -> bool {
        self.live.get(id).is_some_and(|live| look.is_of(live))
    }

    /// Whether a look is at the index that there is now.
    pub(crate) fn is_newest(&self, id: &str, look: &Look) -> bool {
        self.live.get(id).is_some_and(|live| look.is_at(live))
    }

    /// The state of the rules, and who looks.
    pub(crate) fn eyes(&self) -> (i64, Arc<Principal>) {
        (self.version, Arc::clone(&self.principal))
    }

    /// The life of the store that is seen.
    pub(crate) fn epoch(&self) -> Arc<Epoch> {
        Arc::clone(&self.live.epoch)
    }

    /// A hash of which of some collections are seen, and how: the same on all servers of one release.
    pub(crate) fn fingerprint(&self, wants: impl Fn(&str) -> bool) -> u64 {
        let mut hasher = DefaultHasher::new();
        for id in self.ids().filter(|id| wants(id)) {
            if let Some(seen) = self.get(id) {
                (id, seen.appearance()).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// The ids of all collections, whether they are seen or not.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.live.collections.keys().map(|id| &**id)
    }

    /// The last change that all collections hold.
    pub(crate) fn reached(&self) -> ChangeSeq {
        self.live.reached()
    }

    /// A collection as it was at the moment that a request names, or as it is.
    ///
    /// # Errors
    /// 404 as [`Sight::require`], 401 or 403 for whoever does not see the history, 410 when what was then is not known.
    pub(crate) async fn require_then(
        &self,
        context: &Context,
        id: &str,
        moment: Option<&Moment>,
    ) -> Result<LiveCollection, Problem> {
        let now = self.require(id)?;
        let Some(moment) = moment else {
            return Ok(now);
        };
        let source = self
            .live
            .get(id)
            .ok_or_else(|| Problem::no_collection(id))?;
        self.require_history(context, id)?;
        let decision = self.decision(source);
        let then = self.app.store.then(source, &moment.at, moment.seq).await?;
        let view = decision.view.as_ref();
        view.and_then(|view| self.app.lenses.through(&then, view))
            .ok_or_else(|| Problem::no_collection(id))
    }

    /// # Errors
    /// 401 or 403 for whoever does not see what the features of a collection were.
    pub(crate) fn require_history(&self, context: &Context, id: &str) -> Result<(), Problem> {
        if self.shows_history(id) {
            return Ok(());
        }
        let detail = Message::new("server.history-forbidden").with("collection", id);
        Err(refused(context, detail))
    }

    /// Whether whoever asks sees what the features of a collection were.
    pub(crate) fn shows_history(&self, id: &str) -> bool {
        let live = self.live.get(id);
        live.is_some_and(|live| self.decision(live).history)
    }

    /// # Errors
    /// 404: the same for a collection that is not there and one that may not be seen.
    pub(crate) fn require(&self, id: &str) -> Result<LiveCollection, Problem> {
        self.get(id).ok_or_else(|| Problem::no_collection(id))
    }

    /// All that are seen, by id.
    pub(crate) fn all(&self) -> Vec<LiveCollection> {
        let ids = self.live.collections.keys();
        ids.filter_map(|id| self.get(id)).collect()
    }

    /// Collections whose rules the principal may change, whether they see their features or not. For what is said about
    /// the collection, never for a feature.
    pub(crate) fn publishable(&self) -> Vec<LiveCollection> {
        let all = self.live.collections.values();
        all.filter(|live| self.decision(live).publish)
            .cloned()
            .collect()
    }

    /// Whether the principal may take a collection out whole.
    pub(crate) fn may_export(&self, id: &str) -> bool {
        let live = self.live.get(id);
        live.is_some_and(|live| self.decision(live).export)
    }

    /// Whether a collection has a property of this name that the principal does not see.
    pub(crate) fn hides(&self, id: &str, property: &str) -> bool {
        let has = |live: &LiveCollection| live.collection.schema.position(property).is_some();
        self.live.get(id).is_some_and(has) && !self.get(id).is_some_and(|live| has(&live))
    }

    pub(crate) fn decision(&self, live: &LiveCollection) -> Arc<Decision> {
        let decisions = &self.app.decisions;
        if let Some(known) = decisions.get(self.version, &self.principal, live) {
            return known;
        }
        let collection = &live.collection;
        let access = self.directory.access(collection.id.as_str());
        let names = collection.schema.properties.iter().map(|p| p.name.as_str());
        let decision = decide(&self.principal, collection.id.as_str(), &access, names);
        let decision = Arc::new(decision);
        decisions.keep(self.version, &self.principal, live, &decision);
        decision
    }
}

impl App {
    /// All collections, as whoever asks sees them.
    ///
    /// # Errors
    /// 503 while the index is still being loaded.
    pub(crate) fn sight(&self, context: &Context) -> Result<Sight, Problem> {
        context.ask();
        let live = self.store.live();
        if !live.loaded {
            return Err(Problem::loading());
        }
        let (version, directory) = self.store.directory_at();
        Ok(Sight {
            app: self.clone(),
            live,
            version,
            directory,
            principal: Arc::clone(&context.principal),
        })
    }

    /// All collections, as somebody sees them who does not ask by a request.
    pub(crate) fn sight_of(&self, principal: Principal) -> Sight {
        // First: the rules of what is new come before it.
        let live = self.store.live();
        let (version, directory) = self.store.directory_at();
        Sight {
            app: self.clone(),
            live,
            version,
            directory,
            principal: Arc::new(principal),
        }
    }

    /// An archive of tiles: the operator serves it to everybody. A collection of its name takes precedence.
    pub(crate) fn archive(&self, context: &Context, name: &str) -> Option<&Arc<Archive>> {
        context.ask();
        let archive = self.archives.get(name)?;
        self.store.live().get(name).is_none().then_some(archive)
    }

    /// A collection, as whoever asks sees it.
    ///
    /// # Errors
    /// 404, and 503 while the index is still being loaded.
    pub(crate) fn collection(
        &self,
        context: &Context,
        id: &str,
    ) -> Result<LiveCollection, Problem> {
        self.sight(context)?.require(id)
    }

    /// A collection that whoever asks may take out whole.
    ///
    /// # Errors
    /// 404 for one that they do not see, 401 for somebody who is not signed in, 403 for others.
    pub(crate) fn exportable(
        &self,
        context: &Context,
        id: &str,
    ) -> Result<LiveCollection, Problem> {
        let sight = self.sight(context)?;
        let seen = sight.require(id)?;
        if !sight.may_export(id) {
            return Err(refused(
                context,
                Message::new("server.export-forbidden").with("collection", id),
            ));
        }
        Ok(seen)
    }

    /// A collection that whoever asks may write to, and how far.
    ///
    /// # Errors
    /// 404 for one that they do not see, 401 for somebody who is not signed in, 403 for others.
    pub(crate) fn writable(
        &self,
        context: &Context,
        id: &str,
        permission: Permission,
    ) -> Result<Writable, Problem> {
        let sight = self.sight(context)?;
        let seen = sight.require(id)?;
        let source = sight
            .live
            .get(id)
            .ok_or_else(|| Problem::no_collection(id))?;
        let decision = sight.decision(source);
        let reach = match permission {
            Permission::Create => &decision.create,
            Permission::Change => &decision.change,
            Permission::Delete => &decision.delete,
            _ => &None,
        };
        let Some(reach) = reach else {
            return Err(refused(
                context,
                Message::new("server.write-forbidden").with("collection", id),
            ));
        };
        let within = match reach {
            Reach::Everywhere => None,
            Reach::Within(areas) => {
                let areas = areas.iter().map(|area| WorldArea::new(area.polygons()));
                Some(Arc::new(areas.collect()))
            }
        };
        let by = By {
            actor: context.principal.actor().to_owned(),
            lens: seen.lens.clone(),
            within,
        };
        let rules = sight.directory.access(id).editing;
        Ok(Writable {
            live: seen,
            by,
            rules,
        })
    }

    /// That whoever asks may write something.
    ///
    /// # Errors
    /// 401 for somebody who is not signed in, 403 for others.
    pub(crate) fn require_writer(&self, context: &Context) -> Result<(), Problem> {
        let sight = self.sight(context)?;
        let may_write = sight.live.collections.values().any(|live| {
            let decision = sight.decision(live);
            decision.create.is_some() || decision.change.is_some() || decision.delete.is_some()
        });
        if may_write {
            return Ok(());
        }
        Err(refused(context, Message::new("server.write-nothing")))
    }

    /// That whoever asks is still who they were at the head of the request, with the rights of then: its body may take a
    /// minute to come, and an answer as long to leave.
    ///
    /// # Errors
    /// 401 or 403 when the session or token has ended, the account was switched off, or has lost a right.
    pub(crate) async fn require_unchanged(&self, context: &Context) -> Result<(), Problem> {
        let now = identity::of(self, &context.headers).await?;
        if now.by == context.by && now.principal.gives_all_of(&context.principal) {
            return Ok(());
        }
        Err(refused(context, Message::new("server.rights-changed")))
    }

    /// That whoever listens is who they were, with the same rights: they come again when not. Listening is nothing that they
    /// do, so it does not keep a session from being idle.
    ///
    /// # Errors
    /// As [`App::require_unchanged`], and 403 also for other rights than those of then.
    pub(crate) async fn require_same(&self, context: &Context) -> Result<(), Problem> {
        let now = identity::still(self, &context.headers).await?;
        if now.by == context.by && now.principal == context.principal {
            return Ok(());
        }
        Err(refused(context, Message::new("server.rights-changed")))
    }

    /// How whoever asks sees a collection now; `None` when they do not.
    pub(crate) fn view(&self, context: &Context, id: &str) -> Result<Option<View>, Problem> {
        let sight = self.sight(context)?;
        let live = sight.live.get(id);
        Ok(live.and_then(|live| sight.decision(live).view.clone()))
    }

    /// Logs that somebody reads about people, before they are answered.
    ///
    /// # Errors
    /// 503 when it can't be logged: then it is not read.
    pub(crate) async fn note_personal(
        &self,
        context: &Context,
        live: &LiveCollection,
        feature: Option<&str>,
    ) -> Result<(), Problem> {
        let names = live.lens.as_ref().map(|lens| lens.personal());
        let Some(names) = names.filter(|names| !names.is_empty()) else {
            return Ok(());
        };
        context.note_personal();
        let properties: Vec<&str> = names.iter().map(String::as_str).collect();
        // Names of parameters without their values, which may be about a person themselves.
        let asked: Vec<&str> = context.params.pairs().map(|(name, _)| name).collect();
        let entry = AuditEntry::new("personal.read", live.collection.id.to_string())
            .with("properties", properties)
            .with("feature", feature)
            .with("parameters", asked);
        self.store.audit(context.principal.actor(), entry).await?;
        Ok(())
    }

    /// The methods that whoever asks may use on the features of a collection, and on one feature.
    pub(crate) fn methods(&self, context: &Context, id: &str) -> Option<[Vec<&'static str>; 2]> {
        let sight = self.sight(context).ok()?;
        sight.get(id)?;
        let decision = sight.decision(sight.live.get(id)?);
        let (mut all, mut one) = (vec!["GET", "HEAD"], vec!["GET", "HEAD"]);
        if decision.create.is_some() {
            all.push("POST");
        }
        if decision.change.is_some() {
            one.push("PUT");
            one.push("PATCH");
        }
        if decision.delete.is_some() {
            one.push("DELETE");
        }
        Some([all, one])
    }

    /// That whoever asks has a permission which is for no collection.
    ///
    /// # Errors
    /// 401 for somebody who is not signed in, 403 for others.
    pub(crate) fn require(&self, context: &Context, permission: Permission) -> Result<(), Problem> {
        require_that(context, permission, may(context, permission))
    }

    /// That whoever asks has a permission everywhere: not for some collections, one unit or one area alone.
    ///
    /// # Errors
    /// As [`App::require`].
    pub(crate) fn require_whole(
        &self,
        context: &Context,
        permission: Permission,
    ) -> Result<(), Problem> {
        require_that(context, permission, context.principal.may(permission))
    }

    /// That whoever asks is somebody.
    ///
    /// # Errors
    /// 401.
    pub(crate) fn require_person(&self, context: &Context) -> Result<String, Problem> {
        context.ask();
        if context.principal.is_anonymous() {
            return Err(Problem::sign_in(Message::new("server.sign-in-needed")));
        }
        Ok(context.principal.actor().to_owned())
    }
}

fn require_that(context: &Context, permission: Permission, may: bool) -> Result<(), Problem> {
    context.ask();
    let missing = Message::new("server.permission-missing").with("permission", permission.name());
    if may {
        Ok(())
    } else {
        Err(refused(context, missing))
    }
}

/// Whether somebody has a permission for the whole, or for one collection or another where it is about collections.
pub(crate) fn may(context: &Context, permission: Permission) -> bool {
    match permission {
        Permission::Publish => context.principal.may_somewhere(permission),
        _ => context.principal.may(permission),
    }
}

/// 401 for somebody who may be somebody else after signing in, 403 for others.
fn refused(context: &Context, detail: Message) -> Problem {
    if context.principal.is_anonymous() {
        Problem::sign_in(Message::new("server.sign-in-needed"))
    } else {
        Problem::new(StatusCode::FORBIDDEN, detail)
    }
}
