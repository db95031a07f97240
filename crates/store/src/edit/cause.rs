//! Why a transaction is made: by which request, for what reason, and whether it was made before.

use model::ChangeSeq;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::session::{Dialect, Row, Session, statement};

/// What the history keeps of a transaction beside its changes.
#[derive(Debug, Clone, Default)]
pub struct Cause {
    /// What was done, where it is more than single edits.
    pub kind: Option<&'static str>,
    /// The id of the request.
    pub request: Option<String>,
    /// In the words of whoever wrote.
    pub reason: Option<String>,
    pub once: Option<Once>,
}

/// The key under which a client may repeat a request whose outcome it does not know. Hashes are kept, as long as the
/// transaction itself is.
#[derive(Debug, Clone)]
pub struct Once {
    key: String,
    fingerprint: String,
}

impl Once {
    /// The key of one part of a request whose parts are transactions of their own.
    #[must_use]
    pub fn part(&self, n: usize) -> Self {
        Self {
            key: hashed([self.key.as_bytes(), &n.to_be_bytes()], 16),
            fingerprint: self.fingerprint.clone(),
        }
    }

    /// `request` is all that makes a request the same one: its method, its address, its body.
    pub fn new<'a>(actor: &str, key: &str, request: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self {
            key: hashed([actor.as_bytes(), key.as_bytes()], 16),
            fingerprint: hashed(request, 8),
        }
    }
}

/// The first bytes of a SHA-256 over parts, each with its length, in hexadecimal digits.
fn hashed<'a>(parts: impl IntoIterator<Item = &'a [u8]>, bytes: usize) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let hash = hasher.finalize();
    hash.iter()
        .take(bytes)
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// What is known of a key.
pub(super) enum Known {
    Nothing,
    /// The numbers of the first and last change that the same request made.
    Same(ChangeSeq, ChangeSeq),
    /// Another request came with the key.
    Other,
}

impl Once {
    /// Looks the key up; where several write at once, others with the same key wait from here on for the end of this
    /// transaction.
    pub(super) async fn find(&self, session: &mut Session<'_>) -> Result<Known, Error> {
        if session.dialect() == Dialect::Postgres {
            let lock = "SELECT pg_advisory_xact_lock(hashtextextended(?, 1752330093))";
            session
                .execute(statement(lock).bind(self.key.as_str()))
                .await?;
        }
        let sql =
            "SELECT first_seq, last_seq, fingerprint FROM hromada_transactions WHERE once = ?";
        let found = statement(sql).bind(self.key.as_str());
        let Some(row) = session.fetch_optional(found).await? else {
            return Ok(Known::Nothing);
        };
        if row.text(2)? != self.fingerprint {
            return Ok(Known::Other);
        }
        Ok(Known::Same(
            ChangeSeq(row.integer(0)?),
            ChangeSeq(row.integer(1)?),
        ))
    }
}

impl Cause {
    /// Keeps what the changes from `first` to `last` have in common; nothing is kept where there is nothing to tell.
    pub(crate) async fn keep(
        &self,
        session: &mut Session<'_>,
        first: ChangeSeq,
        last: ChangeSeq,
    ) -> Result<(), Error> {
        let is_empty = self.kind.is_none()
            && self.request.is_none()
            && self.reason.is_none()
            && self.once.is_none();
        // One change needs no row to be known as a transaction.
        if is_empty && first == last {
            return Ok(());
        }
        let sql = "INSERT INTO hromada_transactions
           (first_seq, last_seq, kind, request, reason, once, fingerprint) VALUES (?, ?, ?, ?, ?, ?, ?)";
        let once = self.once.as_ref();
        let keep = statement(sql)
            .bind(first.0)
            .bind(last.0)
            .bind(self.kind.map(str::to_owned))
            .bind(self.request.clone())
            .bind(self.reason.clone())
            .bind(once.map(|once| once.key.clone()))
            .bind(once.map(|once| once.fingerprint.clone()));
        session.execute(keep).await?;
        Ok(())
    }
}

/// The time of a transaction of the file: never before that of an earlier one, whatever the clock does. In PostgreSQL it is
/// given when the transaction ends.
pub(crate) async fn moment(session: &mut Session<'_>) -> Result<String, Error> {
    let sql = "SELECT max(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
       coalesce((SELECT at FROM hromada_changes ORDER BY seq DESC LIMIT 1), ''))";
    let row: Row = session.fetch_one(statement(sql)).await?;
    row.text(0)
}
