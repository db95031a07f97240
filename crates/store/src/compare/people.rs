//! Comparison of people, rules, coordinate reference systems and audit logs. Keys are left out: sessions come and go.

use sha2::{Digest, Sha256};

use model::Message;

use super::{CompareReport, Compared, Summed};
use crate::people::audit as log;
use crate::session::{Session, statement};
use crate::{Error, facts, systems};

/// Records that are read at a time.
const AT_ONCE: i64 = 10_000;

pub(super) async fn directory(
    here: &mut Session<'_>,
    there: &mut Session<'_>,
    report: &mut CompareReport,
) -> Result<Compared, Error> {
    let compared = Compared {
        here: Some(sum_of_directory(here).await?),
        there: Some(sum_of_directory(there).await?),
    };
    if !compared.is_same() {
        report.differ(None, None, Message::new("store.compare-directory"));
    }
    if facts::sum(here).await? != facts::sum(there).await? {
        report.differ(None, None, Message::new("store.compare-transactions"));
    }
    if systems::documents(here).await? != systems::documents(there).await? {
        report.differ(None, None, Message::new("store.compare-crs"));
    }
    Ok(compared)
}

pub(super) async fn audit(
    here: &mut Session<'_>,
    there: &mut Session<'_>,
    report: &mut CompareReport,
) -> Result<Compared, Error> {
    let compared = Compared {
        here: Some(sum_of_audit(here).await?),
        there: Some(sum_of_audit(there).await?),
    };
    if !compared.is_same() {
        report.differ(None, None, Message::new("store.compare-audit"));
    }
    Ok(compared)
}

async fn sum_of_directory(session: &mut Session<'_>) -> Result<Summed, Error> {
    let sql = "SELECT kind, id, body FROM hromada_directory ORDER BY kind, id";
    let rows = session.fetch_all(statement(sql)).await?;
    let mut sum = Sha256::new();
    for row in &rows {
        let record = serde_json::json!([row.text(0)?, row.text(1)?, row.text(2)?]);
        sum.update(record.to_string());
    }
    Ok(summed(rows.len() as u64, sum))
}

async fn sum_of_audit(session: &mut Session<'_>) -> Result<Summed, Error> {
    let (mut sum, mut rows, mut last) = (Sha256::new(), 0, i64::MIN);
    loop {
        let records = log::after(session, last, AT_ONCE).await?;
        let Some(newest) = records.last() else {
            return Ok(summed(rows, sum));
        };
        last = newest.n;
        rows += records.len() as u64;
        for r in &records {
            let record =
                serde_json::json!([r.n, r.at, r.actor, r.action, r.subject, r.detail, r.hash]);
            sum.update(record.to_string());
        }
    }
}

fn summed(rows: u64, sum: Sha256) -> Summed {
    let hash = sum.finalize();
    Summed {
        rows,
        sha256: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
