//! Check: store, change log and index agree; geometry validity; gaps and overlaps between parcels.

use futures_util::TryStreamExt;
use model::{Collection, GeometryType, Message, Theme};
use spatial::validity::{CoverageKind, CoverageOptions};
use sqlx::{AssertSqlSafe, Row};

use crate::live::{self, LiveCollection};
use crate::registry::{self, GEOMETRY, KEY, Registered, quoted};
use crate::{Error, Store, row};

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
    /// Checks the whole store; `geometry` adds validity, gaps and overlaps.
    ///
    /// # Errors
    /// When the database can't be read at all.
    pub async fn check(&self, geometry: bool) -> Result<CheckReport, Error> {
        let mut report = CheckReport::default();
        let mut connection = self.inner.reader.acquire().await?;
        let lines: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(20)")
            .fetch_all(&mut *connection)
            .await?;
        for line in lines.iter().filter(|line| *line != "ok") {
            report.error(
                None,
                None,
                Message::new("store.check-integrity").with("reason", line),
            );
        }
        let broken = sqlx::query("PRAGMA foreign_key_check")
            .fetch_all(&mut *connection)
            .await?;
        for row in &broken {
            let table: String = row.try_get(0)?;
            report.error(
                None,
                None,
                Message::new("store.check-reference").with("table", table),
            );
        }
        let changes: i64 = sqlx::query_scalar("SELECT count(*) FROM hromada_changes")
            .fetch_one(&mut *connection)
            .await?;
        report.changes = changes.unsigned_abs();
        let all = registry::all(&mut connection).await?;
        drop(connection);
        for registered in all {
            report.collections += 1;
            self.check_log(&registered, &mut report).await?;
            let loaded = self.live();
            let live = match loaded.get(registered.collection.id.as_str()) {
                Some(live) => live.clone(),
                None => {
                    live::load_collection(self.inner.reader.clone(), registered.clone()).await?
                }
            };
            self.check_rows(&live, geometry, &mut report).await?;
        }
        Ok(report)
    }

    /// Each feature's last change made or replaced it; each other feature's last change deleted it.
    async fn check_log(
        &self,
        registered: &Registered,
        report: &mut CheckReport,
    ) -> Result<(), Error> {
        let collection = &registered.collection;
        let sql = format!(
            "WITH last AS (SELECT fid, operation, max(seq) FROM hromada_changes WHERE collection = ?1 GROUP BY fid)
             SELECT t.{KEY}, 'store.check-not-logged' FROM {table} t LEFT JOIN last USING (fid)
               WHERE last.fid IS NULL OR last.operation = 'delete'
             UNION ALL
             SELECT last.fid, 'store.check-lost' FROM last LEFT JOIN {table} t USING (fid)
               WHERE t.{KEY} IS NULL AND last.operation <> 'delete'
             LIMIT {MAX_NAMED}",
            table = quoted(collection.id.as_str())
        );
        let mut connection = self.inner.reader.acquire().await?;
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(registered.n)
            .fetch_all(&mut *connection)
            .await?;
        for row in rows {
            let (fid, key): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
            let key = if key == "store.check-lost" {
                "store.check-lost"
            } else {
                "store.check-not-logged"
            };
            report.error(Some(collection), Some(fid), Message::new(key));
        }
        Ok(())
    }

    async fn check_rows(
        &self,
        live: &LiveCollection,
        check_geometry: bool,
        report: &mut CheckReport,
    ) -> Result<(), Error> {
        let collection = &live.collection;
        let sql = format!(
            "SELECT {KEY}, {GEOMETRY} FROM {} ORDER BY {KEY}",
            quoted(collection.id.as_str())
        );
        let mut connection = self.inner.reader.acquire().await?;
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *connection);
        let mut count = 0_u64;
        let mut named = 0;
        let covers = collection.theme == Theme::Cadastre
            && matches!(
                collection.geometry_type,
                GeometryType::Polygon | GeometryType::MultiPolygon
            );
        let mut coverage = Vec::new();
        while let Some(found) = rows.try_next().await? {
            count += 1;
            let fid: i64 = found.try_get(0)?;
            let wkb = match row::geometry(&found, 1) {
                Ok(wkb) => wkb,
                Err(error) => {
                    report.error(
                        Some(collection),
                        Some(fid),
                        Message::new("store.check-geometry").with("reason", error),
                    );
                    continue;
                }
            };
            let (envelope, geometries) = live::indexed(collection, wkb)?;
            let agrees = live.index.get(fid).is_some_and(|hit| {
                let same = hit
                    .geometries()
                    .zip(&geometries)
                    .all(|(a, b)| a.kind == b.kind && a.coords == b.coords && a.ends == b.ends);
                hit.envelope() == envelope && hit.geometries().count() == geometries.len() && same
            });
            if !agrees {
                report.error(
                    Some(collection),
                    Some(fid),
                    Message::new("store.check-index"),
                );
            }
            if !check_geometry {
                continue;
            }
            let Some(wkb) = wkb else { continue };
            let geometry =
                formats::wkb::read(wkb).map_err(|e| Error::Refused(e.message().clone()))?;
            let defects = spatial::validity::check(&geometry);
            if let Some(defect) = defects.first() {
                named += 1;
                if named <= MAX_NAMED {
                    let [x, y] = defect.location;
                    let text = Message::new("store.invalid-geometry")
                        .with_message("kind", defect.kind.message())
                        .with("x", x)
                        .with("y", y);
                    report.flaw(collection, Some(fid), text);
                }
            } else if covers {
                coverage.push((fid, row::to_wgs84(collection, wkb)?));
            }
        }
        drop(rows);
        if count != live.index.len() as u64 {
            let text = Message::new("store.check-count")
                .with("table", count)
                .with("index", live.index.len());
            report.error(Some(collection), None, text);
        }
        report.features += count;
        if covers && check_geometry {
            check_coverage(collection, coverage, report).await?;
        }
        Ok(())
    }
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
