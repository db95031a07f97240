//! The rows of a collection: each can be read, has values of its columns' types, and is in the index as it is.

use futures_util::TryStreamExt;
use geo_types::Geometry;
use model::{Collection, Envelope, GeometryType, Message, Property, Theme};
use spatial::index::{Builder, Snapshot};

use super::{CheckReport, MAX_NAMED, check_coverage};
use crate::live::{self, LiveCollection};
use crate::registry::{self, Registered};
use crate::session::{Row, Session, statement};
use crate::table::Table;
use crate::{Error, row};

pub(super) async fn check(
    session: &mut Session<'_>,
    registered: &Registered,
    live: Option<&LiveCollection>,
    geometry: bool,
    report: &mut CheckReport,
) -> Result<(), Error> {
    let Registered {
        collection, table, ..
    } = registered;
    let missing = registry::missing_columns(session, table).await?;
    if missing.contains(&registry::unquoted(&table.geometry)) {
        return Ok(());
    }
    let index = match live {
        Some(live) => live.index.clone(),
        None => built(session, collection, table).await?,
    };
    // SQLite would read a column that is not there as a text of its name.
    let all = collection.schema.properties.iter().zip(&table.columns);
    let all = all.zip(&table.reads);
    let there = all.filter(|((_, column), _)| !missing.contains(&registry::unquoted(column)));
    let (properties, columns): (Vec<&Property>, Vec<&String>) =
        there.map(|((property, _), read)| (property, read)).unzip();
    let mut sql = format!("SELECT {}, {}", table.key_out, table.geometry_out());
    for column in columns {
        sql.push_str(", ");
        sql.push_str(column);
    }
    let sql = format!("{sql} FROM {} ORDER BY {}", table.name, table.key);
    let mut rows = Rows {
        collection,
        index,
        properties,
        check_geometry: geometry,
        covers: collection.theme == Theme::Cadastre
            && matches!(
                collection.geometry_type,
                GeometryType::Polygon | GeometryType::MultiPolygon
            ),
        key: registry::unquoted(&table.key),
        last: None,
        count: 0,
        invalid: 0,
        extent: None,
        coverage: Vec::new(),
    };
    let mut found = session.stream(statement(sql))?;
    while let Some(row) = found.try_next().await? {
        rows.check(&row, report)?;
    }
    drop(found);
    rows.finish(session, registered, report).await
}

/// The index of the rows that can be read, as a start of the server would make it.
async fn built(
    session: &mut Session<'_>,
    collection: &Collection,
    table: &Table,
) -> Result<Snapshot, Error> {
    let sql = format!(
        "SELECT {}, {} FROM {} ORDER BY {key}",
        table.key_out,
        table.geometry_out(),
        table.name,
        key = table.key,
    );
    let mut rows = session.stream(statement(sql))?;
    let mut builder = Builder::new(0, &[]);
    while let Some(found) = rows.try_next().await? {
        let indexed = found.wkb(1).and_then(|wkb| live::indexed(collection, wkb));
        // The other pass names the row.
        let (Ok((envelope, geometries)), Some(fid)) = (indexed, found.maybe_integer(0)?) else {
            continue;
        };
        if let Err(error) = builder.push(fid, envelope, &geometries, &[]) {
            tracing::debug!(fid, %error, "a row is left out of the index");
        }
    }
    drop(rows);
    tokio::task::spawn_blocking(move || builder.finish())
        .await
        .map_err(|e| Error::Io(std::io::Error::other(e)))
}

struct Rows<'a> {
    collection: &'a Collection,
    index: Snapshot,
    /// Those whose columns are there, in the order of the query.
    properties: Vec<&'a Property>,
    check_geometry: bool,
    covers: bool,
    key: String,
    /// The key of the row before.
    last: Option<i64>,
    count: u64,
    invalid: usize,
    /// Around the rows, in the storage CRS.
    extent: Option<Envelope>,
    coverage: Vec<(i64, Geometry<f64>)>,
}

impl Rows<'_> {
    fn check(&mut self, found: &Row, report: &mut CheckReport) -> Result<(), Error> {
        let fid = found.maybe_integer(0)?;
        let Some(fid) = fid.filter(|fid| self.last.is_none_or(|last| last < *fid)) else {
            // Only a view of others can give such rows.
            let text = Message::new("store.check-key").with("column", &self.key);
            report.error(Some(self.collection), fid, text);
            return Ok(());
        };
        self.last = Some(fid);
        self.count += 1;
        self.values(fid, found, report)?;
        if !found.is_bytes_or_null(1)? {
            let text = Message::new("store.geometry-not-blob");
            report.error(Some(self.collection), Some(fid), text);
            return Ok(());
        }
        let read = found
            .wkb(1)
            .and_then(|wkb| Ok((wkb, live::indexed(self.collection, wkb)?)));
        let (wkb, (envelope, geometries)) = match read {
            Ok(read) => read,
            Err(error) => {
                let text = Message::new("store.check-geometry").with("reason", error);
                report.error(Some(self.collection), Some(fid), text);
                return Ok(());
            }
        };
        let agrees = self.index.get(fid).is_some_and(|hit| {
            let same = hit
                .geometries()
                .zip(&geometries)
                .all(|(a, b)| a.kind == b.kind && a.coords == b.coords && a.ends == b.ends);
            hit.envelope() == envelope && hit.geometries().count() == geometries.len() && same
        });
        if !agrees {
            let text = Message::new("store.check-index");
            report.error(Some(self.collection), Some(fid), text);
        }
        if let Some(wkb) = wkb {
            self.geometry(fid, wkb, report);
        }
        Ok(())
    }

    /// Each value has the type of its column.
    fn values(&self, fid: i64, found: &Row, report: &mut CheckReport) -> Result<(), Error> {
        for (i, property) in self.properties.iter().enumerate() {
            let is_blob = found.is_blob(i + 2)?;
            let value = found.value(i + 2, property.kind);
            let fits = !is_blob && value.is_ok_and(|value| property.kind.accepts(&value));
            if !fits {
                let text = Message::new("store.check-value")
                    .with("property", &property.name)
                    .with("type", property.kind.name());
                report.error(Some(self.collection), Some(fid), text);
            }
        }
        Ok(())
    }

    fn geometry(&mut self, fid: i64, wkb: &[u8], report: &mut CheckReport) {
        let read = formats::wkb::check(wkb).and_then(|h| Ok((h, formats::wkb::read(wkb)?)));
        let (header, geometry) = match read {
            Ok(read) => read,
            Err(error) => {
                let text = Message::new("store.check-geometry").with("reason", error);
                report.error(Some(self.collection), Some(fid), text);
                return;
            }
        };
        if let Some(envelope) = header.envelope {
            self.extent = Some(self.extent.map_or(envelope, |e| e.union(envelope)));
        }
        if !self.check_geometry {
            return;
        }
        if let Some(defect) = spatial::validity::check(&geometry).first() {
            self.invalid += 1;
            if self.invalid <= MAX_NAMED {
                let [x, y] = defect.location;
                let text = Message::new("store.invalid-geometry")
                    .with_message("kind", defect.kind.message())
                    .with("x", x)
                    .with("y", y);
                report.flaw(self.collection, Some(fid), text);
            }
        } else if self.covers
            // It was shown in longitude/latitude for the index already.
            && let Ok(shown) = row::to_wgs84(self.collection, wkb)
        {
            self.coverage.push((fid, shown));
        }
    }

    async fn finish(
        self,
        session: &mut Session<'_>,
        registered: &Registered,
        report: &mut CheckReport,
    ) -> Result<(), Error> {
        let collection = self.collection;
        if self.count != self.index.len() as u64 {
            let text = Message::new("store.check-count")
                .with("table", self.count)
                .with("index", self.index.len());
            report.error(Some(collection), None, text);
        }
        report.features += self.count;
        if let Some(extent) = self.extent
            && !registry::extent(session, registered)
                .await?
                .is_some_and(|known| known.union(extent) == known)
        {
            // Other programs zoom to it; nothing that is served comes from it.
            report.flaw(collection, None, Message::new("store.check-extent"));
        }
        if self.covers && self.check_geometry {
            check_coverage(collection, self.coverage, report).await?;
        }
        Ok(())
    }
}
