//! What stands beside the change log: what changes of one transaction have in common, which parcels came of which, and from when
//! on states are kept. Copied and compared as they are.

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::postgres::WITHOUT_LIMIT;
use crate::retention;
use crate::session::{Dialect, Parameter, Row, Session, statement};

/// A table whose first columns are integers and whose others are texts, in the order of the first.
struct Facts {
    name: &'static str,
    integers: &'static [&'static str],
    texts: &'static [&'static str],
}

const ALL: [Facts; 2] = [
    Facts {
        name: "hromada_transactions",
        integers: &["first_seq", "last_seq"],
        texts: &["kind", "request", "reason", "once", "fingerprint"],
    },
    Facts {
        name: "hromada_lineage",
        integers: &["seq", "collection", "old_fid", "new_fid"],
        texts: &["kind", "old_id", "new_id"],
    },
];

/// Rows of a statement.
const AT_ONCE: usize = 500;

impl Facts {
    fn columns(&self) -> String {
        [self.integers, self.texts].concat().join(", ")
    }

    fn select(&self) -> String {
        let order = self.integers.join(", ");
        format!(
            "SELECT {} FROM {} ORDER BY {order}",
            self.columns(),
            self.name
        )
    }

    fn values(&self, row: &Row) -> Result<Vec<Parameter>, Error> {
        let mut values: Vec<Parameter> = Vec::new();
        for column in 0..self.integers.len() {
            values.push(row.integer(column)?.into());
        }
        for column in 0..self.texts.len() {
            values.push(row.maybe_text(self.integers.len() + column)?.into());
        }
        Ok(values)
    }

    async fn insert(
        &self,
        session: &mut Session<'_>,
        rows: Vec<Vec<Parameter>>,
    ) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let marks = vec!["?"; self.integers.len() + self.texts.len()].join(", ");
        let marks = vec![format!("({marks})"); rows.len()].join(", ");
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {marks}",
            self.name,
            self.columns()
        );
        session
            .execute(statement(sql).bind_all(rows.into_iter().flatten()))
            .await?;
        Ok(())
    }
}

/// Makes them in the target what they are in the source.
pub(crate) async fn copy(read: &mut Session<'_>, write: &mut Session<'_>) -> Result<(), Error> {
    for facts in &ALL {
        let mut transaction = write.begin().await?;
        let mut session = transaction.session();
        if session.dialect() == Dialect::Postgres {
            session.run(WITHOUT_LIMIT).await?;
        }
        session.run(format!("DELETE FROM {}", facts.name)).await?;
        let mut rows = read.stream(statement(facts.select()))?;
        let mut waiting = Vec::with_capacity(AT_ONCE);
        while let Some(row) = rows.try_next().await? {
            waiting.push(facts.values(&row)?);
            if waiting.len() == AT_ONCE {
                facts
                    .insert(&mut session, std::mem::take(&mut waiting))
                    .await?;
            }
        }
        facts.insert(&mut session, waiting).await?;
        transaction.commit().await?;
    }
    let marks = retention::marks(read).await?;
    let mut transaction = write.begin().await?;
    let mut session = transaction.session();
    if session.dialect() == Dialect::Postgres {
        session.run(WITHOUT_LIMIT).await?;
    }
    retention::copy_marks(&marks, &mut session).await?;
    transaction.commit().await?;
    Ok(())
}

/// A hash over all of them.
pub(crate) async fn sum(session: &mut Session<'_>) -> Result<Vec<u8>, Error> {
    let mut sum = Sha256::new();
    for facts in &ALL {
        let mut rows = session.stream(statement(facts.select()))?;
        while let Some(row) = rows.try_next().await? {
            let mut record = Vec::new();
            for column in 0..facts.integers.len() {
                record.push(serde_json::Value::from(row.integer(column)?));
            }
            for column in 0..facts.texts.len() {
                record.push(row.maybe_text(facts.integers.len() + column)?.into());
            }
            sum.update(serde_json::Value::from(record).to_string());
        }
        sum.update(facts.name);
    }
    for (n, kept) in retention::marks(session).await? {
        sum.update(serde_json::json!([n, kept.seq, kept.at]).to_string());
    }
    Ok(sum.finalize().to_vec())
}
