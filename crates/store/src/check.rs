//! Check: store, change log and index agree; geometry validity; gaps and overlaps between parcels.

mod rows;
mod structure;

use std::sync::Arc;

use model::{Collection, Message};
use spatial::validity::{CoverageKind, CoverageOptions};

use crate::backend::Backend;
use crate::postgres::WITHOUT_LIMIT;
use crate::registry;
use crate::session::{Dialect, Session, Transaction, statement};
use crate::{Error, Live, Store};

/// Findings of one kind named one by one at most.
const MAX_NAMED: usize = 100;

/// What a check found.
#[derive(Debug, Default)]
pub struct CheckReport {
    pub collections: u64,
    pub features: u64,
    pub changes: u64,
    pub findings: Vec<Finding>,
}

/// One finding.
#[derive(Debug)]
pub struct Finding {
    /// The store contradicts itself; otherwise the data has a flaw that its source gave it.
    pub is_error: bool,
    pub collection: Option<String>,
    pub fid: Option<i64>,
    pub text: Message,
}

impl CheckReport {
    /// Whether the store agrees with itself.
    pub fn is_clean(&self) -> bool {
        !self.findings.iter().any(|f| f.is_error)
    }

    fn error(&mut self, collection: Option<&Collection>, fid: Option<i64>, text: Message) {
        let collection = collection.map(|c| c.id.to_string());
        self.findings.push(Finding {
            is_error: true,
            collection,
            fid,
            text,
        });
    }

    fn flaw(&mut self, collection: &Collection, fid: Option<i64>, text: Message) {
        self.findings.push(Finding {
            is_error: false,
            collection: Some(collection.id.to_string()),
            fid,
            text,
        });
    }
}

impl Store {
    /// Checks the whole store as it is at one moment, whoever writes meanwhile; `geometry` adds validity, gaps and overlaps.
    ///
    /// # Errors
    /// When the database can't be read at all.
    pub async fn check(&self, geometry: bool) -> Result<CheckReport, Error> {
        let mut report = CheckReport::default();
        let (mut transaction, live) = self.moment().await?;
        let mut session = transaction.session();
        if session.dialect() == Dialect::Sqlite {
            file(&mut session, &mut report).await?;
        }
        structure::log(&mut session, &mut report).await?;
        for registered in registry::all(&mut session).await? {
            report.collections += 1;
            let live = live.get(registered.collection.id.as_str());
            if !structure::check(&mut session, &registered, &mut report).await? {
                continue;
            }
            rows::check(&mut session, &registered, live, geometry, &mut report).await?;
        }
        transaction.commit().await?;
        Ok(report)
    }

    /// A read transaction and the index that belongs to it: no write falls between the two.
    async fn moment(&self) -> Result<(Transaction<'static>, Arc<Live>), Error> {
        match &self.inner.backend {
            Backend::Sqlite(database) => {
                let writer = match &database.writer {
                    Some(writer) => Some(writer.lock().await),
                    None => None,
                };
                let mut transaction = self.inner.backend.read().await?;
                // A transaction sees the file as it is at its first read.
                let first = statement("SELECT count(*) FROM hromada_meta");
                transaction.session().fetch_one(first).await?;
                let live = match &writer {
                    Some(_) => self.live(),
                    // Without the writer here an index could only be older than the file.
                    None => Arc::default(),
                };
                drop(writer);
                Ok((transaction, live))
            }
            Backend::Postgres(database) => {
                let moment = database.following.moment(self, database).await?;
                let (mut transaction, live) = moment;
                transaction.session().run(WITHOUT_LIMIT).await?;
                Ok((transaction, live))
            }
        }
    }
}

async fn file(session: &mut Session<'_>, report: &mut CheckReport) -> Result<(), Error> {
    let lines = session
        .fetch_all(statement("PRAGMA integrity_check(20)"))
        .await?;
    for line in lines {
        let line = line.text(0)?;
        if line != "ok" {
            let text = Message::new("store.check-integrity").with("reason", line);
            report.error(None, None, text);
        }
    }
    let broken = statement("PRAGMA foreign_key_check");
    for row in session.fetch_all(broken).await? {
        let text = Message::new("store.check-reference").with("table", row.text(0)?);
        report.error(None, None, text);
    }
    Ok(())
}

async fn check_coverage(
    collection: &Collection,
    parcels: Vec<(i64, geo_types::Geometry<f64>)>,
    report: &mut CheckReport,
) -> Result<(), Error> {
    let options = CoverageOptions {
        max_defects: MAX_NAMED,
        ..CoverageOptions::default()
    };
    let task = tokio::task::spawn_blocking(move || spatial::validity::coverage(parcels, &options));
    let found = task
        .await
        .map_err(|e| Error::Io(std::io::Error::other(e)))?;
    for defect in found.defects {
        let [x, y] = defect.location;
        let key = match defect.kind {
            CoverageKind::Overlap => "store.check-overlap",
            CoverageKind::Gap => "store.check-gap",
        };
        let text = Message::new(key)
            .with("x", format!("{x:.7}"))
            .with("y", format!("{y:.7}"))
            .with("area", format!("{:.2}", defect.area));
        report.flaw(collection, defect.fids.first().copied(), text);
    }
    if found.left_out > 0 {
        let text = Message::new("store.check-more-coverage").count(found.left_out as u64);
        report.flaw(collection, None, text);
    }
    Ok(())
}
