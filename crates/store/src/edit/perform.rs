//! A transaction's actions, one after the other, and what follows from all of them.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{ChangeSeq, Envelope, Feature, Message, Operation};
use spatial::index::Edit;

use super::cause::{Known, moment};
use super::change::{Change, Done, touch};
use super::{Action, Cause, Flaw, cadastre, known};
use crate::live::{self, Live, LiveCollection};
use crate::people::{AuditEntry, audit};
use crate::session::{Dialect, Session, statement};
use crate::{Error, Item, items, postgres};

/// Actions that are named in a refusal at most; what comes after them is not looked at.
const MAX_FAILURES: usize = 100;

/// What was written.
#[derive(Debug)]
pub struct Receipt {
    /// The numbers of the first and the last change.
    pub first: ChangeSeq,
    pub last: ChangeSeq,
    /// In the order of the actions; of a repeated request in that of its changes.
    pub written: Vec<Written>,
    /// Whether it was written before, by a request with the same key.
    pub is_repeated: bool,
}

/// One feature that was written.
#[derive(Debug)]
pub struct Written {
    pub collection: String,
    pub operation: Operation,
    pub fid: i64,
    /// The change that made it what it is now.
    pub version: ChangeSeq,
    /// As whoever wrote sees it after the transaction; `None` for one that is gone, and where the request is repeated.
    pub item: Option<Item>,
    /// What was wrong with its geometry.
    pub flaws: Vec<Flaw>,
}

/// Why nothing was written.
#[derive(Debug)]
pub enum Failure {
    Whole(Error),
    /// Actions that can't be done, by their positions.
    Actions(Vec<(usize, Error)>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Whole(error)
    }
}

impl Failure {
    /// The first error, where it does not matter which action has it.
    pub fn into_error(self) -> Error {
        match self {
            Self::Whole(error) => error,
            Self::Actions(mut failures) if !failures.is_empty() => failures.swap_remove(0).1,
            Self::Actions(_) => Error::Busy(Message::new("store.busy")),
        }
    }
}

pub(super) struct Performed {
    pub(super) receipt: Receipt,
    pub(super) edits: Vec<Edits>,
}

/// What the index of a collection has to follow: the last edit of each feature with its number, by rising number.
pub(super) struct Edits {
    pub(super) collection: String,
    pub(super) last: Vec<Edit>,
    pub(super) seqs: Vec<ChangeSeq>,
}

impl Edits {
    /// Puts later edits behind earlier ones.
    pub(super) fn join(all: &mut Vec<Self>, later: Vec<Self>) {
        for edits in later {
            match all.iter_mut().find(|e| e.collection == edits.collection) {
                Some(earlier) => {
                    for (edit, seq) in edits.last.into_iter().zip(edits.seqs) {
                        earlier.add(edit, seq);
                    }
                }
                None => all.push(edits),
            }
        }
    }

    fn add(&mut self, edit: Edit, seq: ChangeSeq) {
        let fid = fid(&edit);
        if let Some(before) = self.last.iter().position(|e| self::fid(e) == fid) {
            self.last.remove(before);
            self.seqs.remove(before);
        }
        self.last.push(edit);
        self.seqs.push(seq);
    }
}

fn fid(edit: &Edit) -> i64 {
    match edit {
        Edit::Put { fid, .. } | Edit::Remove { fid } => *fid,
    }
}

/// What a transaction is to do.
pub(crate) enum Work {
    Actions(Vec<Action>),
    Cadastral(Box<cadastre::Operation>),
}

impl Work {
    pub(super) fn actor(&self) -> &str {
        match self {
            Self::Actions(actions) => actions.first().map_or("", |a| &a.by.actor),
            Self::Cadastral(operation) => &operation.by.actor,
        }
    }

    /// How much it is, in actions.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Actions(actions) => actions.len(),
            Self::Cadastral(_) => 1,
        }
    }
}

/// Does all actions within a transaction of the database, up to what is left before its commit.
pub(super) async fn perform(
    session: &mut Session<'_>,
    live: &Live,
    work: &Work,
    cause: &Cause,
) -> Result<Performed, Failure> {
    if let Some(once) = &cause.once {
        match once.find(session).await? {
            Known::Nothing => {}
            Known::Same(first, last) => return repeated(session, live, first, last).await,
            Known::Other => {
                let message = Message::new("store.key-used");
                return Err(Failure::Whole(Error::Invalid(message)));
            }
        }
    }
    let planned;
    let (actions, lineage): (&[Action], &[(usize, usize)]) = match work {
        Work::Actions(actions) => (actions, &[]),
        Work::Cadastral(operation) => {
            planned = planned_of(session, live, operation).await?;
            (&planned.actions, &planned.lineage)
        }
    };
    let at = match session.dialect() {
        Dialect::Sqlite => Some(moment(session).await?),
        Dialect::Postgres => None,
    };
    let mut all = Vec::with_capacity(actions.len());
    let mut failures = Failures::default();
    for (position, action) in actions.iter().enumerate() {
        match one(session, live, action, at.as_deref()).await {
            Ok(done) => all.push(done),
            Err(error) => {
                // After an id that PostgreSQL found taken it takes nothing more; the other store answers the same.
                let is_last = matches!(error, Error::Conflict(_));
                failures.add(position, error)?;
                if is_last || failures.are_enough() || !goes_on(session).await {
                    break;
                }
            }
        }
    }
    failures.require_none()?;
    touch_all(session, &all).await?;
    let numbers = Numbers::of(session, &all, &actions[0].by.actor).await?;
    let features = read_back(session, &all).await?;
    let mut done = finish(actions, &all, &numbers, features)?;
    cause.keep(session, numbers.first, numbers.last).await?;
    if let (Some(kind), false) = (cause.kind, lineage.is_empty()) {
        keep_lineage(session, kind, numbers.last, &all, &done.after, lineage).await?;
    }
    audited(session, actions, &all, &mut done).await?;
    Ok(Performed {
        receipt: Receipt {
            first: numbers.first,
            last: numbers.last,
            written: done.written,
            is_repeated: false,
        },
        edits: done.edits,
    })
}

async fn planned_of(
    session: &mut Session<'_>,
    live: &Live,
    operation: &cadastre::Operation,
) -> Result<cadastre::Plan, Failure> {
    let known = known(live, &operation.collection)?;
    operation.by.require_fit(known)?;
    let plan = cadastre::plan(session, known, operation).await;
    plan.map_err(|error| {
        let mut failures = Failures::default();
        match failures.add(0, error) {
            Ok(()) => Failure::Actions(failures.0),
            Err(whole) => whole,
        }
    })
}

/// Keeps which parcels came of which.
async fn keep_lineage(
    session: &mut Session<'_>,
    kind: &str,
    seq: ChangeSeq,
    all: &[Acted<'_>],
    after: &HashMap<(i64, i64), Feature>,
    lineage: &[(usize, usize)],
) -> Result<(), Error> {
    for (old, new) in lineage {
        let (Some(old), Some(new)) = (all.get(*old), all.get(*new)) else {
            continue;
        };
        let collection = &old.live.collection;
        let id = |feature: Option<&Feature>, fid: i64| {
            feature.map_or(fid.to_string(), |f| items::id_of(collection, f))
        };
        let new_state = after.get(&(new.live.n, new.done.fid));
        let sql =
            "INSERT INTO hromada_lineage (seq, kind, collection, old_fid, new_fid, old_id, new_id)
           VALUES (?, ?, ?, ?, ?, ?, ?)";
        let keep = statement(sql)
            .bind(seq.0)
            .bind(kind)
            .bind(old.live.n)
            .bind(old.done.fid)
            .bind(new.done.fid)
            .bind(id(old.done.before.as_ref(), old.done.fid))
            .bind(id(new_state, new.done.fid));
        session.execute(keep).await?;
    }
    Ok(())
}

#[derive(Default)]
struct Failures(Vec<(usize, Error)>);

impl Failures {
    /// # Errors
    /// One that is not about the action comes back.
    fn add(&mut self, position: usize, error: Error) -> Result<(), Failure> {
        if !error.is_refusal() {
            return Err(Failure::Whole(error));
        }
        self.0.push((position, error));
        Ok(())
    }

    fn are_enough(&self) -> bool {
        self.0.len() >= MAX_FAILURES
    }

    fn require_none(self) -> Result<(), Failure> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(Failure::Actions(self.0)),
        }
    }
}

/// Whether further statements can be tried: PostgreSQL takes none after one that a rule of the table has failed.
async fn goes_on(session: &mut Session<'_>) -> bool {
    session.dialect() == Dialect::Sqlite || session.run("SELECT 1").await.is_ok()
}

/// An action that was done, with the collection that it was done to.
struct Acted<'a> {
    live: &'a LiveCollection,
    done: Done,
}

async fn one<'a>(
    session: &mut Session<'_>,
    live: &'a Live,
    action: &Action,
    at: Option<&str>,
) -> Result<Acted<'a>, Error> {
    let live = known(live, &action.collection)?;
    if !live.table.is_editable {
        let message = Message::new("store.collection-read-only");
        return Err(Error::Denied(message.with("id", &action.collection)));
    }
    action.by.require_fit(live)?;
    let change = Change {
        live,
        by: &action.by,
        rules: &action.rules,
        at,
    };
    let done = change.make(session, &action.step).await?;
    Ok(Acted { live, done })
}

/// Tells other programs that tables have changed, once for each.
async fn touch_all(session: &mut Session<'_>, all: &[Acted<'_>]) -> Result<(), Error> {
    if session.dialect() == Dialect::Postgres {
        // Other programs ask PostGIS.
        return Ok(());
    }
    let mut reach: BTreeMap<&str, Option<Envelope>> = BTreeMap::new();
    for Acted { live, done } in all {
        let around = reach.entry(live.collection.id.as_str()).or_default();
        *around = match (*around, done.envelope) {
            (Some(a), Some(b)) => Some(a.union(b)),
            (a, b) => a.or(b),
        };
    }
    for (collection, envelope) in reach {
        touch(session, collection, envelope).await?;
    }
    Ok(())
}

/// The numbers of a transaction's changes.
struct Numbers {
    first: ChangeSeq,
    last: ChangeSeq,
    /// The last one of each feature, by the number of its collection and its key.
    of: HashMap<(i64, i64), ChangeSeq>,
}

impl Numbers {
    /// The log gave them, or the transaction's changes get theirs now, as its last step but for the audit.
    async fn of(session: &mut Session<'_>, all: &[Acted<'_>], actor: &str) -> Result<Self, Error> {
        let logged = all.iter().map(|a| ((a.live.n, a.done.fid), a.done.logged));
        if session.dialect() == Dialect::Sqlite {
            let of: HashMap<_, _> = logged.filter_map(|(f, seq)| Some((f, seq?))).collect();
            let seqs = || all.iter().filter_map(|a| a.done.logged);
            return Ok(Self {
                first: seqs().min().unwrap_or_default(),
                last: seqs().max().unwrap_or_default(),
                of,
            });
        }
        for Acted { live, done } in all {
            log_unwatched(session, live, done.fid, actor).await?;
        }
        let (first, last) = postgres::numbered(session).await?;
        let mut of = HashMap::new();
        let sql = "SELECT collection, fid, max(seq) FROM hromada_changes WHERE seq BETWEEN ? AND ?
           GROUP BY collection, fid";
        let rows = session.fetch_all(statement(sql).bind(first.0).bind(last.0));
        for row in rows.await? {
            let feature = (row.integer(0)?, row.integer(1)?);
            of.insert(feature, ChangeSeq(row.integer(2)?));
        }
        let lost = all
            .iter()
            .find(|a| !of.contains_key(&(a.live.n, a.done.fid)));
        if let Some(lost) = lost {
            // Nobody has logged it: the table has lost its triggers.
            let message = Message::new("store.check-triggers").with("table", &lost.live.table.name);
            return Err(Error::Refused(message));
        }
        Ok(Self { first, last, of })
    }
}

/// Logs a row of a table that no trigger watches.
async fn log_unwatched(
    session: &mut Session<'_>,
    live: &LiveCollection,
    fid: i64,
    actor: &str,
) -> Result<(), Error> {
    let (n, table) = (live.n, &live.table);
    let logged = postgres::publish::notice(session, n, table, fid, Some(actor)).await?;
    if logged == 0 && table.mark.is_some() {
        // By what rows are compared, the row is as it was.
        let sql = "INSERT INTO hromada_changes (at, actor, collection, fid, operation)
           VALUES (clock_timestamp(), ?, ?, ?, 'replace')";
        session
            .execute(statement(sql).bind(actor).bind(n).bind(fid))
            .await?;
    }
    Ok(())
}

/// The rows as they are now, by the number of their collection and their key.
async fn read_back(
    session: &mut Session<'_>,
    all: &[Acted<'_>],
) -> Result<HashMap<(i64, i64), Feature>, Error> {
    let mut keys: BTreeMap<i64, (&LiveCollection, Vec<i64>)> = BTreeMap::new();
    for Acted { live, done } in all {
        let of = keys.entry(live.n).or_insert_with(|| (live, Vec::new()));
        of.1.push(done.fid);
    }
    let mut features = HashMap::new();
    for (n, (live, mut keys)) in keys {
        keys.sort_unstable();
        keys.dedup();
        let rows = items::by_keys(session, &live.collection, &live.table, &keys).await?;
        features.extend(rows.into_iter().map(|feature| ((n, feature.fid), feature)));
    }
    Ok(features)
}

struct Finished {
    written: Vec<Written>,
    edits: Vec<Edits>,
    /// The states after, for the audit log.
    after: HashMap<(i64, i64), Feature>,
}

/// What the index takes, and what the client is told.
fn finish(
    actions: &[Action],
    all: &[Acted<'_>],
    numbers: &Numbers,
    after: HashMap<(i64, i64), Feature>,
) -> Result<Finished, Failure> {
    let mut failures = Failures::default();
    let mut written = Vec::with_capacity(all.len());
    let mut last: BTreeMap<(i64, i64), (&LiveCollection, ChangeSeq)> = BTreeMap::new();
    // A feature that a later action deletes is gone on purpose.
    let gone: HashSet<(i64, i64)> = all
        .iter()
        .filter(|a| a.done.operation == Operation::Delete)
        .map(|a| (a.live.n, a.done.fid))
        .collect();
    for (position, (action, Acted { live, done })) in actions.iter().zip(all).enumerate() {
        let key = (live.n, done.fid);
        let version = numbers.of.get(&key).copied().unwrap_or_default();
        last.insert(key, (live, version));
        let item = match after.get(&key) {
            Some(feature) => {
                if let Err(error) = action.by.require_reach(live, feature) {
                    failures.add(position, error)?;
                }
                let feature = action.by.shown(live, feature.clone());
                Some(Item { feature, version })
            }
            None if gone.contains(&key) => None,
            // A trigger may have given the row another key, or taken it away.
            None => {
                failures.add(position, not_taken(live))?;
                None
            }
        };
        written.push(Written {
            collection: live.collection.id.to_string(),
            operation: done.operation,
            fid: done.fid,
            version,
            item,
            flaws: done.flaws.clone(),
        });
    }
    failures.require_none()?;
    let mut by_number: Vec<_> = last.into_iter().collect();
    by_number.sort_unstable_by_key(|(_, (_, seq))| *seq);
    let mut edits: Vec<Edits> = Vec::new();
    for ((n, fid), (live, seq)) in by_number {
        let edit = match after.get(&(n, fid)) {
            Some(feature) => live::put_or_leave_out(live, feature),
            None => Edit::Remove { fid },
        };
        let collection = live.collection.id.to_string();
        let one = Edits {
            collection,
            last: vec![edit],
            seqs: vec![seq],
        };
        match edits.iter_mut().find(|e| e.collection == one.collection) {
            Some(edits) => {
                edits.last.extend(one.last);
                edits.seqs.push(seq);
            }
            None => edits.push(one),
        }
    }
    Ok(Finished {
        written,
        edits,
        after,
    })
}

/// The database says that all is well and has written nothing.
pub(super) fn not_taken(live: &LiveCollection) -> Error {
    Error::Denied(Message::new("store.write-ignored").with("collection", &live.collection.id))
}

/// Says in the audit log what was written; the last thing before the commit, since others wait for it from here on.
async fn audited(
    session: &mut Session<'_>,
    actions: &[Action],
    all: &[Acted<'_>],
    done: &mut Finished,
) -> Result<(), Error> {
    audit::lock(session).await?;
    let secret = audit::secret(session).await?;
    let digest = |feature: &Feature| audit::digest(&secret, feature);
    let state_after = |a: &Acted<'_>| done.after.get(&(a.live.n, a.done.fid)).map(digest);
    let entry = match (all, &done.written[..]) {
        ([acted], [written]) => {
            let action = match written.operation {
                Operation::Create => "feature.create",
                Operation::Replace => "feature.replace",
                Operation::Delete => "feature.delete",
            };
            AuditEntry::new(action, written.collection.clone())
                .with("fid", written.fid)
                .with("change", written.version.0)
                .with("before", acted.done.before.as_ref().map(digest))
                .with("after", state_after(acted))
        }
        _ => {
            let mut collections: Vec<&str> =
                all.iter().map(|a| a.live.collection.id.as_str()).collect();
            collections.sort_unstable();
            collections.dedup();
            let states: Vec<String> = all
                .iter()
                .flat_map(|a| [a.done.before.as_ref().map(digest), state_after(a)])
                .map(Option::unwrap_or_default)
                .collect();
            let changes: Vec<i64> = done.written.iter().map(|w| w.version.0).collect();
            AuditEntry::new("feature.transaction", collections.join(" "))
                .with("actions", all.len())
                .with("first", changes.iter().min().copied())
                .with("last", changes.iter().max().copied())
                .with("states", audit::digest_of(&secret, &states))
        }
    };
    audit::append(session, &actions[0].by.actor, &entry).await
}

/// The receipt of a request that was done before.
async fn repeated(
    session: &mut Session<'_>,
    live: &Live,
    first: ChangeSeq,
    last: ChangeSeq,
) -> Result<Performed, Failure> {
    let sql = "SELECT collection, fid, operation, seq FROM hromada_changes WHERE seq BETWEEN ? AND ? ORDER BY seq";
    let rows = session.fetch_all(statement(sql).bind(first.0).bind(last.0));
    let mut written = Vec::new();
    for row in rows.await? {
        let n = row.integer(0)?;
        let known = live.collections.values().find(|known| known.n == n);
        // A collection that is gone since has nothing to tell.
        let Some(known) = known else { continue };
        let name = row.text(2)?;
        let operation = Operation::ALL.into_iter().find(|o| o.name() == name);
        written.push(Written {
            collection: known.collection.id.to_string(),
            operation: operation.unwrap_or(Operation::Replace),
            fid: row.integer(1)?,
            version: ChangeSeq(row.integer(3)?),
            item: None,
            flaws: Vec::new(),
        });
    }
    Ok(Performed {
        receipt: Receipt {
            first,
            last,
            written,
            is_repeated: true,
        },
        edits: Vec::new(),
    })
}
