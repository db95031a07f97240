//! Comparison of two stores by what they hold, whatever database each is in.
//!
//! Both sides are streamed in the order of their keys, so memory stays flat however large they are.

mod canonical;
mod people;

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use model::{Message, PropertyType};
use sha2::{Digest, Sha256};

use crate::backend::Backend;
use crate::log::{self, Entry};
use crate::postgres::WITHOUT_LIMIT;
use crate::registry::{self, Registered, definition_json};
use crate::retention::{self, Mark};
use crate::session::{Dialect, Row, Session, Transaction, statement};
use crate::{Error, Finding, Store};
use canonical::Record;

/// Differences that are named one by one at most.
const MAX_NAMED: usize = 100;

/// After so many rows the caller is told how far it is.
const TELL_EVERY: u64 = 1000;

/// What a comparison found.
#[derive(Debug, Default)]
pub struct CompareReport {
    /// The collections of both stores, by id.
    pub collections: BTreeMap<String, Compared>,
    pub log: Compared,
    /// People, units and rules.
    pub directory: Compared,
    pub audit: Compared,
    /// The first differences.
    pub differences: Vec<Finding>,
    /// All of them.
    pub count: u64,
}

/// A part of two stores.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Compared {
    /// `None` where the store lacks it.
    pub here: Option<Summed>,
    pub there: Option<Summed>,
}

/// A part of one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summed {
    pub rows: u64,
    /// SHA-256 over everything that is compared, in hexadecimal digits: the same in both databases.
    pub sha256: String,
}

impl Compared {
    pub fn is_same(&self) -> bool {
        self.here == self.there
    }
}

impl CompareReport {
    pub fn is_same(&self) -> bool {
        let parts = [&self.log, &self.directory, &self.audit];
        self.count == 0
            && parts
                .into_iter()
                .chain(self.collections.values())
                .all(Compared::is_same)
    }

    fn differ(&mut self, collection: Option<&str>, fid: Option<i64>, text: Message) {
        self.count += 1;
        if self.differences.len() < MAX_NAMED {
            self.differences.push(Finding {
                is_error: true,
                collection: collection.map(str::to_owned),
                fid,
                text,
            });
        }
    }
}

/// The greatest keys that collections had, by their numbers, where they are known better than the store can tell now: a sequence
/// of PostgreSQL has only its present state, whatever the transaction sees of the tables.
pub(crate) type Counters = HashMap<i64, i64>;

impl Store {
    /// Compares this store with another, each as it is at one moment. `progress` gets the collection (none: the change log) and
    /// the rows that were compared.
    ///
    /// # Errors
    /// When either can't be read.
    pub async fn compare(
        &self,
        other: &Self,
        progress: &mut (dyn FnMut(Option<&str>, u64) + Send),
    ) -> Result<CompareReport, Error> {
        let (mut here, mut there) = (self.whole().await?, other.whole().await?);
        let report = compared(
            &mut here.session(),
            &mut there.session(),
            &Counters::new(),
            progress,
        )
        .await?;
        here.commit().await?;
        there.commit().await?;
        Ok(report)
    }

    /// A transaction that sees the whole store at this moment, for as long as it takes to read it.
    pub(crate) async fn whole(&self) -> Result<Transaction<'static>, Error> {
        let mut transaction = self.inner.backend.read().await?;
        let mut session = transaction.session();
        if let Backend::Postgres(_) = &self.inner.backend {
            session.run(WITHOUT_LIMIT).await?;
            // In the order of an index rows come from the first on; sorting would keep us waiting for the whole table.
            session.run("SET LOCAL enable_sort = off").await?;
        }
        // Both databases take their view of the data with the first statement that reads.
        let first = statement("SELECT count(*) FROM hromada_meta");
        session.fetch_one(first).await?;
        Ok(transaction)
    }
}

/// Compares what two transactions see.
pub(crate) async fn compared(
    here: &mut Session<'_>,
    there: &mut Session<'_>,
    counters: &Counters,
    progress: &mut (dyn FnMut(Option<&str>, u64) + Send),
) -> Result<CompareReport, Error> {
    let mut report = CompareReport::default();
    let mut pairs: BTreeMap<String, [Option<Registered>; 2]> = BTreeMap::new();
    for (side, all) in [registry::all(here).await?, registry::all(there).await?]
        .into_iter()
        .enumerate()
    {
        for registered in all {
            let pair = pairs.entry(registered.collection.id.to_string());
            pair.or_default()[side] = Some(registered);
        }
    }
    let mut known = Known::default();
    for (id, pair) in pairs {
        pair.iter().flatten().for_each(|r| known.add(r));
        let compared = match &pair {
            [Some(a), Some(b)] => {
                let (here, there) = ((&mut *here, a), (&mut *there, b));
                collection(here, there, counters, &mut report, progress).await?
            }
            [a, b] => {
                let key = match a {
                    Some(_) => "store.compare-collection-here",
                    None => "store.compare-collection-there",
                };
                report.differ(Some(&id), None, Message::new(key));
                let mut compared = Compared::default();
                if let Some(a) = a {
                    compared.here = Some(summed(here, a, counters).await?);
                }
                if let Some(b) = b {
                    compared.there = Some(summed(there, b, counters).await?);
                }
                compared
            }
        };
        report.collections.insert(id, compared);
    }
    report.log = changes(here, there, &known, &mut report, progress).await?;
    report.directory = people::directory(here, there, &mut report).await?;
    report.audit = people::audit(here, there, &mut report).await?;
    Ok(report)
}

/// Everything of a collection beside its rows.
#[derive(PartialEq)]
struct Head {
    n: i64,
    definition: String,
    unique: Vec<String>,
    counter: i64,
}

impl Head {
    async fn of(
        session: &mut Session<'_>,
        registered: &Registered,
        counters: &Counters,
    ) -> Result<Self, Error> {
        let missing = registry::missing_columns(session, &registered.table).await?;
        if let Some(column) = missing.first() {
            // SQLite would take the quoted name of a column that is not there for a text.
            let message = Message::new("store.compare-column-missing")
                .with("collection", &registered.collection.id)
                .with("column", column);
            return Err(Error::Refused(message));
        }
        let mut unique = registry::unique_properties(session, registered).await?;
        unique.sort();
        let counter = match counters.get(&registered.n) {
            Some(counter) => *counter,
            None => registry::counter(session, registered).await?,
        };
        Ok(Self {
            n: registered.n,
            definition: definition_json(&registered.collection).to_string(),
            unique,
            counter,
        })
    }

    fn hash(&self) -> Sha256 {
        let head = serde_json::json!([self.n, self.definition, self.unique, self.counter]);
        Sha256::new_with_prefix(head.to_string())
    }

    fn compare(&self, other: &Self, id: &str, report: &mut CompareReport) {
        let told = |key, here: &dyn std::fmt::Display, there: &dyn std::fmt::Display| {
            Message::new(key).with("here", here).with("there", there)
        };
        if self.n != other.n {
            report.differ(
                Some(id),
                None,
                told("store.compare-number", &self.n, &other.n),
            );
        }
        if self.definition != other.definition {
            report.differ(Some(id), None, Message::new("store.compare-definition"));
        }
        if self.unique != other.unique {
            let (here, there) = (self.unique.join(", "), other.unique.join(", "));
            report.differ(Some(id), None, told("store.compare-unique", &here, &there));
        }
        if self.counter != other.counter {
            report.differ(
                Some(id),
                None,
                told("store.compare-counter", &self.counter, &other.counter),
            );
        }
    }
}

/// One side of a comparison: rows as they come, and the hash over those that have come.
struct Side<'a> {
    rows: BoxStream<'a, Result<Row, Error>>,
    hash: Sha256,
    count: u64,
    record: Record,
    ended: bool,
}

impl<'a> Side<'a> {
    fn new(rows: BoxStream<'a, Result<Row, Error>>, hash: Sha256) -> Self {
        Self {
            rows,
            hash,
            count: 0,
            record: Record::default(),
            ended: false,
        }
    }

    async fn advance(&mut self, encode: &impl Encode) -> Result<(), Error> {
        let Some(row) = self.rows.try_next().await? else {
            self.ended = true;
            return Ok(());
        };
        encode.record(&row, &mut self.record)?;
        self.hash.update(&self.record.bytes);
        self.count += 1;
        Ok(())
    }

    fn key(&self) -> Option<i64> {
        (!self.ended).then_some(self.record.key)
    }

    fn summed(self) -> Summed {
        let digest = self.hash.finalize();
        Summed {
            rows: self.count,
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// What makes the canonical form of a row.
trait Encode {
    fn record(&self, row: &Row, record: &mut Record) -> Result<(), Error>;
}

/// Two rows, or one without its like.
enum Found<'a> {
    Here(&'a Record),
    There(&'a Record),
    Differ(&'a Record, &'a Record),
}

/// Goes through both sides in the order of their keys.
async fn merge<A: Encode, B: Encode>(
    mut a: Side<'_>,
    mut b: Side<'_>,
    encode: (&A, &B),
    mut found: impl FnMut(Found<'_>),
    mut tell: impl FnMut(u64),
) -> Result<Compared, Error> {
    a.advance(encode.0).await?;
    b.advance(encode.1).await?;
    loop {
        let (x, y) = match (a.key(), b.key()) {
            (None, None) => break,
            (Some(x), Some(y)) if x == y => {
                if a.record.bytes != b.record.bytes {
                    found(Found::Differ(&a.record, &b.record));
                }
                (true, true)
            }
            (Some(x), y) if y.is_none_or(|y| x < y) => {
                found(Found::Here(&a.record));
                (true, false)
            }
            _ => {
                found(Found::There(&b.record));
                (false, true)
            }
        };
        if x {
            a.advance(encode.0).await?;
        }
        if y {
            b.advance(encode.1).await?;
        }
        let done = a.count.max(b.count);
        if done.is_multiple_of(TELL_EVERY) {
            tell(done);
        }
    }
    tell(a.count.max(b.count));
    Ok(Compared {
        here: Some(a.summed()),
        there: Some(b.summed()),
    })
}

struct Rows<'a>(&'a Registered);

impl Encode for Rows<'_> {
    fn record(&self, row: &Row, record: &mut Record) -> Result<(), Error> {
        record.begin(row.integer(0)?);
        match row.wkb(1) {
            Ok(wkb) => record.geometry(wkb),
            Err(_) => record.damaged(),
        }
        for (i, property) in self.0.collection.schema.properties.iter().enumerate() {
            if row.is_blob(i + 2)? {
                record.blob();
            } else {
                record.value(property.kind, &row.value(i + 2, property.kind)?);
            }
        }
        Ok(())
    }
}

/// All rows of a collection in the order of their keys.
pub(crate) fn all_rows(registered: &Registered) -> crate::session::Statement {
    let table = &registered.table;
    statement(format!(
        "SELECT {} FROM {} ORDER BY {}",
        table.select(),
        table.name,
        table.key
    ))
}

async fn collection(
    (here, a): (&mut Session<'_>, &Registered),
    (there, b): (&mut Session<'_>, &Registered),
    counters: &Counters,
    report: &mut CompareReport,
    progress: &mut (dyn FnMut(Option<&str>, u64) + Send),
) -> Result<Compared, Error> {
    let id = a.collection.id.as_str();
    let head = Head::of(here, a, counters).await?;
    let other = Head::of(there, b, &Counters::new()).await?;
    head.compare(&other, id, report);
    let same_schema = a.collection.schema == b.collection.schema;
    let sides = (
        Side::new(here.stream(all_rows(a))?, head.hash()),
        Side::new(there.stream(all_rows(b))?, other.hash()),
    );
    let properties = &a.collection.schema.properties;
    let found = |found: Found<'_>| {
        let (fid, text) = match found {
            Found::Here(record) => (record.key, Message::new("store.compare-row-here")),
            Found::There(record) => (record.key, Message::new("store.compare-row-there")),
            Found::Differ(x, y) => {
                let text = match x.first_difference(y) {
                    0 => Message::new("store.compare-geometry"),
                    i if same_schema => Message::new("store.compare-value")
                        .with("property", properties.get(i - 1).map_or("", |p| &p.name)),
                    _ => Message::new("store.compare-values"),
                };
                (x.key, text)
            }
        };
        report.differ(Some(id), Some(fid), text);
    };
    let encode = (&Rows(a), &Rows(b));
    merge(sides.0, sides.1, encode, found, |done| {
        progress(Some(id), done);
    })
    .await
}

/// A collection that the other store lacks.
async fn summed(
    session: &mut Session<'_>,
    registered: &Registered,
    counters: &Counters,
) -> Result<Summed, Error> {
    let head = Head::of(session, registered, counters).await?;
    let mut side = Side::new(session.stream(all_rows(registered))?, head.hash());
    while !side.ended {
        side.advance(&Rows(registered)).await?;
    }
    Ok(side.summed())
}

/// What the collections are called and what their properties are, by number.
#[derive(Default)]
struct Known {
    ids: HashMap<i64, String>,
    kinds: HashMap<i64, HashMap<String, PropertyType>>,
}

impl Known {
    fn add(&mut self, registered: &Registered) {
        let properties = &registered.collection.schema.properties;
        let kinds = properties.iter().map(|p| (p.name.clone(), p.kind));
        self.kinds.entry(registered.n).or_default().extend(kinds);
        let id = registered.collection.id.to_string();
        self.ids.entry(registered.n).or_insert(id);
    }
}

struct Log<'a> {
    known: &'a Known,
    marks: BTreeMap<i64, Mark>,
}

/// The fields of a change, as they are called in the log.
const FIELDS: [&str; 8] = [
    "at",
    "actor",
    "collection",
    "fid",
    "operation",
    "before_geometry",
    "before_properties",
    "before_id",
];

impl Encode for Log<'_> {
    fn record(&self, row: &Row, record: &mut Record) -> Result<(), Error> {
        let mut entry = Entry::of(row)?;
        entry.forget(&self.marks);
        record.begin(entry.seq);
        let [at, actor, collection, fid, operation, properties, id] = entry.values.as_slice()
        else {
            // A change of which nothing is compared would be the same as any other.
            return Err(Error::Io(std::io::Error::other("columns of the log")));
        };
        record.millisecond(at);
        record.value(PropertyType::Text, actor);
        record.value(PropertyType::Integer, collection);
        record.value(PropertyType::Integer, fid);
        record.value(PropertyType::Text, operation);
        record.geometry_in(entry.geometry.as_deref(), entry.crs);
        record.properties(self.known.kinds.get(&entry.collection()), properties);
        record.value(PropertyType::Text, id);
        Ok(())
    }
}

async fn changes(
    here: &mut Session<'_>,
    there: &mut Session<'_>,
    known: &Known,
    report: &mut CompareReport,
    progress: &mut (dyn FnMut(Option<&str>, u64) + Send),
) -> Result<Compared, Error> {
    let rows = |dialect: Dialect| log::after(dialect, i64::MIN);
    let encode = (
        &Log {
            known,
            marks: retention::marks(here).await?,
        },
        &Log {
            known,
            marks: retention::marks(there).await?,
        },
    );
    let sides = (
        Side::new(here.stream(rows(here.dialect()))?, Sha256::new()),
        Side::new(there.stream(rows(there.dialect()))?, Sha256::new()),
    );
    let found = |found: Found<'_>| {
        let (record, text) = match found {
            Found::Here(record) => (record, Message::new("store.compare-change-here")),
            Found::There(record) => (record, Message::new("store.compare-change-there")),
            Found::Differ(x, y) => {
                let field = FIELDS.get(x.first_difference(y)).copied();
                let text = Message::new("store.compare-change");
                (x, text.with("field", field.unwrap_or_default()))
            }
        };
        let id = record.integer(2).and_then(|n| known.ids.get(&n));
        let fid = record.integer(3);
        report.differ(id.map(String::as_str), fid, text.with("seq", record.key));
    };
    merge(sides.0, sides.1, encode, found, |done| progress(None, done)).await
}
