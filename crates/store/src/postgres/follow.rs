//! Following the change log: the index of this process is brought to what the database holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use model::{ChangeSeq, Epoch, Message};
use spatial::index::Edit;
use sqlx::postgres::PgListener;
use tokio::sync::{Mutex, watch};

use super::Database;
use crate::backend::Backend;
use crate::live::{self, Live, LiveCollection};
use crate::registry::Registered;
use crate::session::{Session, Transaction, statement};
use crate::{Error, Store, items, registry};

/// Without a notification the log is read this often: one can be lost.
const POLL: Duration = Duration::from_secs(1);

/// A database that does not say how far it is for this long is not there: the network may be cut without anybody telling.
const HEAD_PATIENCE: Duration = Duration::from_secs(3);

/// Published tables without triggers are compared this often: 200,000 rows take some 200 ms.
const TABLES_POLL: Duration = Duration::from_secs(10);

/// Collections that could not be read are tried again after this long.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Between attempts to reach a database that gives no answer.
const RETRY: Duration = Duration::from_millis(300);

/// More changes of a collection than this at a time are not followed one by one: its index is built anew.
const MANY: usize = 20_000;

/// How far this process has followed the change log.
pub(crate) struct Following {
    /// Held while the index is brought up.
    state: Mutex<State>,
    reached: watch::Sender<ChangeSeq>,
    contact: ArcSwap<Contact>,
    ended: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    seq: ChangeSeq,
    /// The counter of definitions.
    registry: i64,
    /// When collections that were left out were last tried again.
    tried: Option<Instant>,
}

/// How far an index is behind the database.
#[derive(Debug, Clone, Copy)]
pub struct Lag {
    /// Time since the index was last known to hold all that the database had: about a second when all is well.
    pub since_current: Duration,
    /// Changes that are known of and not yet in the index.
    pub changes: u64,
    /// The database gives no answer.
    pub is_away: bool,
}

/// What is known of the database.
#[derive(Debug, Clone)]
struct Contact {
    /// When the index was last known to hold all that the database had.
    current_at: Instant,
    /// Changes that were known and not yet followed at the last contact.
    behind: u64,
    /// Since when the database has given no answer.
    away_since: Option<Instant>,
}

impl Default for Following {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            reached: watch::Sender::new(ChangeSeq(0)),
            contact: ArcSwap::from_pointee(Contact {
                current_at: Instant::now(),
                behind: 0,
                away_since: None,
            }),
            ended: watch::Sender::new(false),
        }
    }
}

impl Following {
    pub(crate) fn lag(&self) -> Lag {
        let contact = self.contact.load();
        Lag {
            since_current: contact.current_at.elapsed(),
            changes: contact.behind,
            is_away: contact.away_since.is_some(),
        }
    }

    fn is_current(&self, at: Instant) {
        self.contact.store(Arc::new(Contact {
            current_at: at,
            behind: 0,
            away_since: None,
        }));
    }

    /// The database answers, and has so many changes more.
    fn answered(&self, behind: i64) {
        self.contact.store(Arc::new(Contact {
            away_since: None,
            behind: behind.max(0).unsigned_abs(),
            ..Contact::clone(&self.contact.load())
        }));
    }

    /// The database gives no answer.
    fn lost(&self) {
        let contact = self.contact.load();
        if contact.away_since.is_none() {
            self.contact.store(Arc::new(Contact {
                away_since: Some(Instant::now()),
                ..Contact::clone(&contact)
            }));
        }
    }

    /// # Errors
    /// [`Error::Busy`] at once while the database is known to give no answer.
    pub(crate) fn require_contact(&self) -> Result<(), Error> {
        if self.contact.load().away_since.is_some() {
            return Err(Error::Busy(Message::new("store.database-away")));
        }
        Ok(())
    }

    /// Follows the change log, and looks at published tables, until the store is closed.
    pub(crate) fn start(&self, store: &Store) {
        self.start_looking(store);
        let (inner, mut ended) = (Arc::downgrade(&store.inner), self.ended.subscribe());
        tokio::spawn(async move {
            while let Some(inner) = inner.upgrade() {
                let store = Store { inner };
                let Backend::Postgres(database) = &store.inner.backend else {
                    return;
                };
                let error = tokio::select! {
                    _ = ended.wait_for(|ended| *ended) => return,
                    error = database.following.listen(&store, database) => error,
                };
                if error.is_away() {
                    tracing::warn!(%error, "the database gives no answer; the index is served as it was");
                    database.following.lost();
                    // Whoever waits on a connection of before would wait for the network's own time limits.
                    database.renew();
                } else if matches!(error, Error::Busy(_)) {
                    tracing::warn!(%error, "the index waits for a table that somebody holds");
                } else {
                    tracing::error!(%error, "the change log can't be followed");
                }
                drop(store);
                tokio::time::sleep(RETRY).await;
            }
        });
    }

    /// Beside the following, which must not wait for a table that somebody holds.
    fn start_looking(&self, store: &Store) {
        let (inner, mut ended) = (Arc::downgrade(&store.inner), self.ended.subscribe());
        tokio::spawn(async move {
            while let Some(inner) = inner.upgrade() {
                let Backend::Postgres(database) = &inner.backend else {
                    return;
                };
                if let Err(error) = look_at_tables(database).await {
                    tracing::warn!(%error, "published tables can't be looked at");
                }
                drop(inner);
                tokio::select! {
                    _ = ended.wait_for(|ended| *ended) => return,
                    () = tokio::time::sleep(TABLES_POLL) => {}
                }
            }
        });
    }

    /// Follows until something fails: woken by notifications, and now and then without one, since one can be lost.
    async fn listen(&self, store: &Store, database: &Database) -> Error {
        let pool = database.follower.load_full();
        let listening = async {
            let mut listener = PgListener::connect_with(&pool).await.map_err(lost)?;
            listener.eager_reconnect(false);
            listener.ignore_pool_close_event(true);
            listener
                .listen(&super::sql::channel(&database.place))
                .await?;
            if database.can_write {
                // Another server may have taken the place of the one that was lost.
                let mut connection = pool.acquire().await.map_err(lost)?;
                super::open::settle(&database.place, &mut connection).await?;
            }
            Ok::<_, Error>(listener)
        };
        let mut listener = match tokio::time::timeout(HEAD_PATIENCE, listening).await {
            Ok(Ok(listener)) => listener,
            Ok(Err(error)) => return error,
            Err(_) => return away(),
        };
        loop {
            // First after listening has begun, so that nothing falls between.
            if let Err(error) = self.catch_up(store, database).await {
                return error;
            }
            match tokio::time::timeout(POLL, listener.try_recv()).await {
                Err(_) => {}
                Ok(Ok(Some(_))) => while listener.next_buffered().is_some() {},
                // Notifications were lost with the connection.
                Ok(Ok(None)) => return away(),
                Ok(Err(error)) => return error.into(),
            }
        }
    }

    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Builds the whole index.
    pub(crate) async fn load(&self, store: &Store) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        let mut transaction = store.inner.backend.read_primary().await?;
        let found = head(&mut transaction.session()).await?;
        transaction.commit().await?;
        // Changes that come while collections are loaded are followed once more; that changes nothing.
        let live = live::load(store).await?;
        store.load_directory().await?;
        store.inner.epoch.store(Arc::new(found.epoch));
        store.put_live(live);
        *state = State {
            seq: found.seq,
            registry: found.registry,
            tried: Some(Instant::now()),
        };
        self.reached.send_replace(found.seq);
        self.is_current(Instant::now());
        Ok(())
    }

    /// Brings the index to what the database holds now.
    pub(crate) async fn catch_up(&self, store: &Store, database: &Database) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        if !store.live().loaded {
            return Ok(());
        }
        loop {
            let begun = Instant::now();
            match self.step(store, database, &mut state).await? {
                Step::Current => {
                    self.is_current(begun);
                    return Ok(());
                }
                // All that there was when the step began is followed now.
                Step::Applied => self.is_current(begun),
                Step::Anew => {
                    drop(state);
                    self.load(store).await?;
                    state = self.state.lock().await;
                }
            }
        }
    }

    async fn step(
        &self,
        store: &Store,
        database: &Database,
        state: &mut State,
    ) -> Result<Step, Error> {
        let pool = database.follower.load_full();
        let asked = tokio::time::timeout(HEAD_PATIENCE, async {
            let begun = pool.begin_with(super::pool::FOLLOW).await.map_err(lost)?;
            let mut transaction = Transaction::Postgres(begun);
            let head = head(&mut transaction.session()).await?;
            Ok::<_, Error>((transaction, head))
        });
        let (mut transaction, head) = asked.await.unwrap_or_else(|_| Err(away()))?;
        self.answered(head.seq.0 - state.seq.0);
        let mut session = transaction.session();
        if head.epoch != **store.inner.epoch.load() {
            tracing::warn!("the store has begun a new epoch; the index is built anew");
            return Ok(Step::Anew);
        }
        if head.seq < state.seq {
            tracing::warn!(
                had = state.seq.0,
                found = head.seq.0,
                "the database has gone back; a new epoch begins"
            );
            transaction.rollback().await?;
            new_epoch(database, &head.epoch).await?;
            return Ok(Step::Anew);
        }
        let mut after = Live::clone(&store.live());
        // What somebody has changed or holds may be as it was, without anybody telling.
        let tries_again = !after.is_whole && state.tried.is_none_or(|at| at.elapsed() >= TRY_AGAIN);
        if tries_again {
            state.tried = Some(Instant::now());
        }
        if head.seq == state.seq && head.registry == state.registry && !tries_again {
            transaction.commit().await?;
            return Ok(Step::Current);
        }
        let brought = async {
            if head.registry != state.registry || tries_again {
                // They are loaded as they are now, with all changes up to here.
                definitions(&mut session, &mut after).await?;
            }
            if head.seq > state.seq {
                changes(&mut session, &mut after, state.seq).await?;
            }
            Ok(())
        };
        match brought.await {
            Ok(()) => transaction.commit().await?,
            Err(Error::Busy(_)) if after.held.len() > store.live().held.len() => {
                // The others are followed without it.
                tracing::warn!("somebody holds a table; its changes are followed later");
                transaction.rollback().await?;
                store.put_live(Live {
                    is_whole: false,
                    held: after.held,
                    ..Live::clone(&store.live())
                });
                return Ok(Step::Applied);
            }
            Err(error @ Error::Busy(_)) => return Err(error),
            Err(error) => {
                // Loading leaves out the table that somebody has changed, and the others are followed.
                tracing::error!(%error, "a change can't be followed; the index is built anew");
                transaction.rollback().await?;
                return Ok(Step::Anew);
            }
        }
        let is_promised = after.held.is_empty();
        if head.registry != state.registry {
            // The rules of what is new come first.
            store.load_directory().await?;
        }
        store.put_live(after);
        *state = State {
            seq: head.seq,
            registry: head.registry,
            tried: state.tried,
        };
        if is_promised {
            // Whoever waits for a change must not be shown a collection without it.
            self.reached.send_replace(head.seq);
        }
        Ok(Step::Applied)
    }

    /// Nobody brings the index further while this is held.
    pub(crate) async fn hold(&self) -> impl Sized + '_ {
        self.state.lock().await
    }

    /// A read transaction and the index that belongs to it.
    pub(crate) async fn moment(
        &self,
        store: &Store,
        database: &Database,
    ) -> Result<(Transaction<'static>, Arc<Live>), Error> {
        loop {
            self.catch_up(store, database).await?;
            // Nobody brings the index further while this is held.
            let state = self.state.lock().await;
            let mut transaction = Transaction::Postgres(database.read_primary().await?);
            let head = head(&mut transaction.session()).await?;
            let live = store.live();
            if !live.loaded {
                return Ok((transaction, Arc::default()));
            }
            if head.seq == state.seq && head.registry == state.registry {
                let mut live = live;
                if !live.held.is_empty() {
                    // The index of these is older than the transaction.
                    let current = Arc::make_mut(&mut live);
                    let held = &current.held;
                    current.collections.retain(|_, c| !held.contains(&c.n));
                }
                return Ok((transaction, live));
            }
        }
    }

    /// Waits until the index holds a change; false when that takes too long.
    pub(crate) async fn reached(&self, seq: ChangeSeq, patience: Duration) -> bool {
        let mut reached = self.reached.subscribe();
        let waited = reached.wait_for(|now| *now >= seq);
        matches!(tokio::time::timeout(patience, waited).await, Ok(Ok(_)))
    }
}

/// The connections are for following alone: where none is to be had, no load takes them.
fn lost(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::PoolTimedOut => away(),
        other => other.into(),
    }
}

fn away() -> Error {
    Error::Busy(Message::new("store.database-away"))
}

/// Looks at the published tables.
async fn look_at_tables(database: &Database) -> Result<(), Error> {
    if !database.can_write {
        return Ok(());
    }
    // Contact is for the following to tell: while there is none, nobody can look.
    database.following.require_contact()?;
    super::publish::look(database).await
}

enum Step {
    /// There is nothing more.
    Current,
    Applied,
    /// What is known is of another life of the store.
    Anew,
}

struct Head {
    epoch: Epoch,
    registry: i64,
    seq: ChangeSeq,
}

async fn head(session: &mut Session<'_>) -> Result<Head, Error> {
    let sql = "SELECT (SELECT value FROM hromada_meta WHERE key = 'epoch'),
       (SELECT value::bigint FROM hromada_meta WHERE key = 'registry'),
       (SELECT coalesce(max(seq), 0) FROM hromada_changes)";
    let row = session.fetch_one(statement(sql)).await?;
    Ok(Head {
        epoch: Epoch(row.text(0)?.into()),
        registry: row.maybe_integer(1)?.unwrap_or(0),
        seq: ChangeSeq(row.integer(2)?),
    })
}

async fn new_epoch(database: &Database, old: &Epoch) -> Result<(), Error> {
    let pool = database.follower.load_full();
    let mut connection = pool.acquire().await?;
    let sql = format!(
        "UPDATE hromada_meta SET value = {} WHERE key = 'epoch' AND value = ?",
        super::sql::NEW_EPOCH
    );
    let mut session = Session::Postgres(&mut connection);
    session.execute(statement(sql).bind(&*old.0)).await?;
    Ok(())
}

/// Loads what was added or defined anew, and forgets what is gone.
async fn definitions(session: &mut Session<'_>, live: &mut Live) -> Result<(), Error> {
    session.run(super::WITHOUT_LIMIT).await?;
    let all = registry::all(session).await?;
    live.is_whole = true;
    live.collections
        .retain(|id, _| all.iter().any(|r| r.collection.id.as_str() == &**id));
    live.held.retain(|n| all.iter().any(|r| r.n == *n));
    for registered in all {
        let known = live.get(registered.collection.id.as_str());
        let n = registered.n;
        if known.is_some_and(|known| is_same(known, &registered)) && !live.held.contains(&n) {
            continue;
        }
        let id: Box<str> = registered.collection.id.as_str().into();
        match loaded(session, registered).await {
            Ok(Some(loaded)) => {
                live.held.remove(&n);
                live.collections.insert(id, loaded);
            }
            Ok(None) => {
                live.held.remove(&n);
                live.collections.remove(&id);
                live.is_whole = false;
            }
            // Next time; what is known of it is served until then.
            Err(error) if !error.is_away() => live.is_whole = false,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The collection; `None` when its table can't be read, which must not keep the others from being followed.
async fn loaded(
    session: &mut Session<'_>,
    registered: Registered,
) -> Result<Option<LiveCollection>, Error> {
    let id = registered.collection.id.clone();
    let mut part = session.begin().await?;
    let loaded = live::load_collection(&mut part.session(), registered).await;
    match loaded {
        Ok(loaded) => {
            part.commit().await?;
            Ok(Some(loaded))
        }
        Err(error) if error.is_away() => Err(error),
        Err(error @ Error::Busy(_)) => {
            part.rollback().await?;
            Err(error)
        }
        Err(error) => {
            tracing::error!(collection = %id, %error, "a collection can't be read and is left out");
            part.rollback().await?;
            Ok(None)
        }
    }
}

fn is_same(known: &LiveCollection, registered: &Registered) -> bool {
    known.n == registered.n
        && *known.collection == registered.collection
        && *known.table == registered.table
}

/// Applies the changes after a number.
async fn changes(
    session: &mut Session<'_>,
    live: &mut Live,
    after: ChangeSeq,
) -> Result<(), Error> {
    let sql = "SELECT collection, fid, seq FROM hromada_changes WHERE seq > ? ORDER BY seq LIMIT ?";
    let limit = i64::try_from(MANY).unwrap_or(i64::MAX) + 1;
    let rows = session
        .fetch_all(statement(sql).bind(after.0).bind(limit))
        .await?;
    // Of a feature that changed several times the last change counts.
    let mut last: BTreeMap<(i64, i64), ChangeSeq> = BTreeMap::new();
    for row in &rows {
        let feature = (row.integer(0)?, row.integer(1)?);
        last.insert(feature, ChangeSeq(row.integer(2)?));
    }
    let mut touched: BTreeMap<i64, Vec<(i64, ChangeSeq)>> = BTreeMap::new();
    for ((n, fid), seq) in last {
        touched.entry(n).or_default().push((fid, seq));
    }
    for changes in touched.values_mut() {
        changes.sort_unstable_by_key(|(_, seq)| *seq);
    }
    let mut many = Vec::new();
    // Changes, not features: what is beyond the limit was not read.
    if rows.len() > MANY {
        let sql = "SELECT DISTINCT collection FROM hromada_changes WHERE seq > ?";
        for row in session.fetch_all(statement(sql).bind(after.0)).await? {
            many.push(row.integer(0)?);
        }
    }
    let all: Vec<LiveCollection> = live.collections.values().cloned().collect();
    for known in all {
        // One that has new changes is free again, or was.
        let is_held = live.held.contains(&known.n);
        let id: Box<str> = known.collection.id.as_str().into();
        if many.contains(&known.n) || is_held && touched.contains_key(&known.n) {
            let registered = Registered {
                n: known.n,
                collection: (*known.collection).clone(),
                table: (*known.table).clone(),
            };
            session.run(super::WITHOUT_LIMIT).await?;
            match loaded(session, registered).await {
                Ok(Some(loaded)) => {
                    live.held.remove(&known.n);
                    live.collections.insert(id, loaded);
                }
                Ok(None) => {
                    live.held.remove(&known.n);
                    live.is_whole = false;
                    live.collections.remove(&id);
                }
                Err(error) if !error.is_away() => {
                    live.is_whole = false;
                    live.held.insert(known.n);
                }
                Err(error) => return Err(error),
            }
        } else if let Some(changes) = touched.get(&known.n) {
            match followed(session, &known, changes).await {
                Ok(followed) => live.collections.insert(id, followed),
                Err(error) => {
                    if matches!(error, Error::Busy(_)) && !error.is_away() {
                        live.held.insert(known.n);
                    }
                    return Err(error);
                }
            };
        }
    }
    Ok(())
}

/// A collection after some changes.
async fn followed(
    session: &mut Session<'_>,
    known: &LiveCollection,
    changes: &[(i64, ChangeSeq)],
) -> Result<LiveCollection, Error> {
    let new: Vec<(i64, ChangeSeq)> = changes
        .iter()
        .copied()
        .filter(|(_, seq)| *seq > known.seq)
        .collect();
    let Some((_, last)) = new.last().copied() else {
        return Ok(known.clone());
    };
    let mut keys: Vec<i64> = new.iter().map(|(fid, _)| *fid).collect();
    keys.sort_unstable();
    let rows = items::by_keys(session, &known.collection, &known.table, &keys).await?;
    let mut edits = Vec::with_capacity(new.len());
    let mut touched = known.touched.clone();
    for (fid, seq) in new {
        let row = rows.binary_search_by_key(&fid, |feature| feature.fid);
        let edit = match row {
            Ok(at) => live::put_or_leave_out(known, &rows[at]),
            Err(_) => Edit::Remove { fid },
        };
        let before = known.index.get(fid).and_then(|hit| hit.envelope());
        let after = match &edit {
            Edit::Put { envelope, .. } => *envelope,
            Edit::Remove { .. } => None,
        };
        touched = touched.with(seq, fid, before, after);
        edits.push(edit);
    }
    let index = known.index.with(&edits).map_err(live::index_failed)?;
    Ok(LiveCollection {
        index,
        seq: last,
        touched,
        ..known.clone()
    })
}
