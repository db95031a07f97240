//! The audit log: who signed in, wrote, read about people, and changed rights.
//!
//! Each record's hash covers the record and the hash before it, so whoever changes, inserts or takes one out has to
//! make all later hashes anew, and is found out by anybody who has noted one of them.

use hmac::{Hmac, KeyInit, Mac};
use model::{Feature, Message, Value};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::wire::hex;
use crate::session::{Dialect, Parameter, Row, Session, statement};
use crate::{Error, Store, meta};

/// The hash before the first record.
const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Records that are read at a time.
const AT_ONCE: i64 = 1_000;

/// What the log is told.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// What was done, such as `sign-in` or `feature.replace`.
    pub action: &'static str,
    /// What it was done to.
    pub subject: String,
    /// An object.
    pub detail: Json,
}

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    pub n: i64,
    /// RFC 3339 in UTC.
    pub at: String,
    pub actor: String,
    pub action: String,
    pub subject: String,
    /// JSON, byte for byte as it was hashed.
    pub detail: String,
    pub hash: String,
}

/// Which records to read. Conditions are joined by AND.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub actor: Option<String>,
    /// The action, or the part of it before a dot.
    pub action: Option<String>,
    pub subject: Option<String>,
    /// At or after, RFC 3339.
    pub from: Option<String>,
    /// Before.
    pub until: Option<String>,
    /// Only records with a smaller number: the next page of what is read from the newest on.
    pub before: Option<i64>,
    pub limit: u32,
}

/// The outcome of checking the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub records: u64,
    /// Number and hash of the last record: whoever notes them can show later that the log still has them.
    pub last: Option<(i64, String)>,
    pub findings: Vec<AuditFinding>,
}

/// Where the chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditFinding {
    /// A record that is not what its hash says.
    Changed { n: i64 },
    /// A number that is not the next one.
    Missing { n: i64 },
    /// A record that was noted has another hash now, or is not there.
    NotAsNoted { n: i64 },
}

impl AuditEntry {
    pub fn new(action: &'static str, subject: impl Into<String>) -> Self {
        Self {
            action,
            subject: subject.into(),
            detail: json!({}),
        }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.detail[name] = value.into();
        self
    }
}

impl Store {
    /// Adds to the audit log.
    ///
    /// # Errors
    /// When the database can't be written: whatever was to be logged must not happen then.
    pub async fn audit(&self, actor: &str, entry: AuditEntry) -> Result<(), Error> {
        let by = actor.to_owned();
        self.recording(actor, move |session| {
            Box::pin(async move {
                lock(session).await?;
                append(session, &by, &entry).await
            })
        })
        .await
    }

    /// Records of the log, the newest first.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn audited(&self, filter: &AuditFilter) -> Result<Vec<AuditRecord>, Error> {
        let mut conditions = vec!["TRUE"];
        let mut values: Vec<Parameter> = Vec::new();
        let texts = [
            (&filter.actor, "actor = ?"),
            (&filter.subject, "subject = ?"),
            (&filter.from, "at >= ?"),
            (&filter.until, "at < ?"),
        ];
        for (text, condition) in texts {
            if let Some(text) = text {
                conditions.push(condition);
                values.push(text.as_str().into());
            }
        }
        if let Some(action) = &filter.action {
            conditions.push("(action = ? OR substr(action, 1, length(?)) = ?)");
            let prefix = format!("{action}.");
            values.push(action.as_str().into());
            values.push(prefix.as_str().into());
            values.push(prefix.into());
        }
        if let Some(before) = filter.before {
            conditions.push("n < ?");
            values.push(before.into());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM hromada_audit WHERE {} ORDER BY n DESC LIMIT ?",
            conditions.join(" AND ")
        );
        let select = statement(sql)
            .bind_all(values)
            .bind(i64::from(filter.limit));
        self.reading_once(move |session| {
            Box::pin(async move {
                let rows = session.fetch_all(select).await?;
                rows.iter().map(AuditRecord::of).collect()
            })
        })
        .await
    }

    /// Goes through the whole chain. `noted` is the number and hash of a record that somebody wrote down.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn verify_audit(&self, noted: Option<(i64, String)>) -> Result<Verified, Error> {
        self.reading(move |session| Box::pin(async move { verify(session, noted).await }))
            .await
    }
}

const COLUMNS: &str = "n, at, actor, action, subject, detail, hash";

impl AuditRecord {
    fn of(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            n: row.integer(0)?,
            at: row.text(1)?,
            actor: row.text(2)?,
            action: row.text(3)?,
            subject: row.text(4)?,
            detail: row.text(5)?,
            hash: row.text(6)?,
        })
    }

    /// Its hash after that of the record before: SHA-256 over both hashes' text and the fields, each with its length, so
    /// that no two records give the same bytes.
    fn hashed(&self, before: &str) -> String {
        let mut hasher = Sha256::new();
        hasher.update(before.as_bytes());
        hasher.update(self.n.to_be_bytes());
        for field in [
            &self.at,
            &self.actor,
            &self.action,
            &self.subject,
            &self.detail,
        ] {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field.as_bytes());
        }
        hex(&hasher.finalize())
    }
}

async fn verify(
    session: &mut Session<'_>,
    noted: Option<(i64, String)>,
) -> Result<Verified, Error> {
    let mut verified = Verified {
        records: 0,
        last: None,
        findings: Vec::new(),
    };
    let (mut before, mut next) = (FIRST.to_owned(), 1);
    let mut is_as_noted = noted.is_none();
    loop {
        let records = after(session, next - 1, AT_ONCE).await?;
        if records.is_empty() {
            break;
        }
        for record in records {
            if record.n != next {
                verified.findings.push(AuditFinding::Missing { n: next });
            }
            if record.hashed(&before) != record.hash {
                verified
                    .findings
                    .push(AuditFinding::Changed { n: record.n });
            }
            is_as_noted |= noted
                .as_ref()
                .is_some_and(|(n, hash)| *n == record.n && *hash == record.hash);
            verified.records += 1;
            next = record.n + 1;
            before.clone_from(&record.hash);
            verified.last = Some((record.n, record.hash));
        }
    }
    if let Some((n, _)) = noted.filter(|_| !is_as_noted) {
        verified.findings.push(AuditFinding::NotAsNoted { n });
    }
    Ok(verified)
}

/// The first records after a number.
pub(crate) async fn after(
    session: &mut Session<'_>,
    n: i64,
    limit: i64,
) -> Result<Vec<AuditRecord>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM hromada_audit WHERE n > ? ORDER BY n LIMIT ?");
    let rows = session
        .fetch_all(statement(sql).bind(n).bind(limit))
        .await?;
    rows.iter().map(AuditRecord::of).collect()
}

/// Keeps others from adding, from here to the end of the transaction. SQLite has one writer anyway.
pub(crate) async fn lock(session: &mut Session<'_>) -> Result<(), Error> {
    if session.dialect() == Dialect::Postgres {
        session.execute(statement("SELECT hromada_lock()")).await?;
    }
    Ok(())
}

/// Adds a record in a transaction that holds [`lock`]; the last thing that it does.
///
/// # Errors
/// [`Error::Denied`] for an account that was switched off while the transaction waited for others: nothing is done by it
/// any more. That it switches itself off is its last.
pub(crate) async fn append(
    session: &mut Session<'_>,
    actor: &str,
    entry: &AuditEntry,
) -> Result<(), Error> {
    let is_own_end = entry.action == "person.disable" && entry.subject == actor;
    if !is_own_end {
        require_active(session, actor).await?;
    }
    let sql = "SELECT n, hash FROM hromada_audit ORDER BY n DESC LIMIT 1";
    let last = session.fetch_optional(statement(sql)).await?;
    let (n, before) = match last {
        Some(row) => (row.integer(0)?, row.text(1)?),
        None => (0, FIRST.to_owned()),
    };
    let mut record = AuditRecord {
        n: n + 1,
        at: now(),
        actor: actor.to_owned(),
        action: entry.action.to_owned(),
        subject: entry.subject.clone(),
        detail: entry.detail.to_string(),
        hash: String::new(),
    };
    // PostgreSQL takes no such character, and a log that refuses an entry is no log.
    for text in [&mut record.actor, &mut record.subject, &mut record.detail] {
        *text = text.replace('\0', "\u{fffd}");
    }
    record.hash = record.hashed(&before);
    keep(session, &record).await
}

async fn require_active(session: &mut Session<'_>, actor: &str) -> Result<(), Error> {
    let sql = "SELECT body FROM hromada_directory WHERE kind = 'person' AND id = ?";
    let Some(row) = session.fetch_optional(statement(sql).bind(actor)).await? else {
        // Not an account: the console, an import.
        return Ok(());
    };
    let json = serde_json::from_str(&row.text(0)?).unwrap_or_default();
    let person = super::wire::read_person(actor, &json);
    if person.is_some_and(|person| !person.is_disabled) {
        return Ok(());
    }
    Err(Error::Denied(Message::new("access.account-changed")))
}

/// Writes a record as it is.
pub(crate) async fn keep(session: &mut Session<'_>, record: &AuditRecord) -> Result<(), Error> {
    let sql = format!("INSERT INTO hromada_audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)");
    let insert = statement(sql)
        .bind(record.n)
        .bind(record.at.as_str())
        .bind(record.actor.as_str())
        .bind(record.action.as_str())
        .bind(record.subject.as_str())
        .bind(record.detail.as_str())
        .bind(record.hash.as_str());
    session.execute(insert).await?;
    Ok(())
}

/// Now, as the log writes times.
pub(crate) fn now() -> String {
    after_now(std::time::Duration::ZERO)
}

/// A time from now on.
pub(crate) fn after_now(delay: std::time::Duration) -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .saturating_add(delay);
    const DAY: u64 = 86_400;
    let days = (since.as_secs() / DAY) as i64;
    let micros = (since.as_secs() % DAY * 1_000_000 + u64::from(since.subsec_micros())) as i64;
    model::date_time_of(days, micros / 1_000 * 1_000).unwrap_or_default()
}

/// What makes the digests of a store its own.
pub(crate) const SECRET: &str = "audit_secret";

/// The key of the digests; made when there is none. To be asked for under the log's lock.
pub(crate) async fn secret(session: &mut Session<'_>) -> Result<String, Error> {
    if let Some(secret) = meta::get(session, SECRET).await? {
        return Ok(secret);
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    let secret = hex(&bytes);
    // Never over another one: all digests would be strangers.
    let sql = "INSERT INTO hromada_meta (key, value) VALUES (?, ?)";
    let insert = statement(sql).bind(SECRET).bind(secret.as_str());
    session.execute(insert).await?;
    Ok(secret)
}

/// HMAC-SHA-256 over the digests of many states, in their order; of none it is that of an empty text.
pub(crate) fn digest_of(secret: &str, states: &[String]) -> String {
    let mut hasher =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length is one");
    for state in states {
        hasher.update(&(state.len() as u64).to_be_bytes());
        hasher.update(state.as_bytes());
    }
    hex(&hasher.finalize().into_bytes())
}

/// HMAC-SHA-256 (RFC 2104) over a feature as it is stored, by which the log names a state. A plain hash would tell a short
/// value to whoever tries all that it may be.
pub(crate) fn digest(secret: &str, feature: &Feature) -> String {
    let mut hasher =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length is one");
    hasher.update(&feature.fid.to_be_bytes());
    let mut part = |kind: u8, bytes: &[u8]| {
        hasher.update(&[kind]);
        hasher.update(&(bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    match &feature.geometry {
        Some(wkb) => part(1, wkb),
        None => part(0, &[]),
    }
    for value in &feature.properties {
        match value {
            Value::Null => part(0, &[]),
            Value::Boolean(b) => part(2, &[u8::from(*b)]),
            Value::Integer(i) => part(3, &i.to_be_bytes()),
            Value::Real(x) => part(4, &x.to_bits().to_be_bytes()),
            Value::Text(text) => part(5, text.as_bytes()),
        }
    }
    hex(&hasher.finalize().into_bytes())
}

impl AuditFinding {
    pub fn message(&self) -> Message {
        let (key, n) = match self {
            Self::Changed { n } => ("store.audit-changed", n),
            Self::Missing { n } => ("store.audit-missing", n),
            Self::NotAsNoted { n } => ("store.audit-not-as-noted", n),
        };
        Message::new(key).with("n", n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_one_store_and_one_state() {
        let feature = |text: &str| Feature {
            fid: 7,
            geometry: None,
            properties: vec![Value::Text(text.into())],
        };
        let own = digest("a secret", &feature("+380441112233"));
        assert_eq!(own, digest("a secret", &feature("+380441112233")));
        assert_ne!(own, digest("a secret", &feature("+380441112234")));
        // Whoever tries all numbers needs the secret.
        assert_ne!(own, digest("another", &feature("+380441112233")));
        assert_ne!(own, digest("", &feature("+380441112233")));
    }
}
