//! Import: a source into a collection, in one transaction, with a report.

mod geopackage;
mod load;
mod prepare;
mod report;

use std::path::PathBuf;

use formats::ReadOptions;
use model::access::{Access, Class};
use model::{
    ChangeSeq, Collection, CollectionId, Crs, GeometryType, Message, Property, Schema, Text, Theme,
    TileSettings,
};
use tokio::sync::mpsc;

use crate::backend::Backend;
use crate::edit::Cause;
use crate::people::{self, AuditEntry, audit};
use crate::registry::{self, MAX_PROPERTIES, Registered};
use crate::session::{Session, Transaction, statement};
use crate::{Error, Live, Store, log, sqlite};

pub use geopackage::SourceLayer;
use load::Loader;
pub(crate) use prepare::MAX_ID;
use prepare::{Batch, Preparer};
pub use report::{ImportReport, InvalidGeometry};

/// What to import and how.
#[derive(Debug, Clone)]
pub struct ImportJob {
    pub file: PathBuf,
    /// The layer of a GeoPackage; `None` when it has only one.
    pub layer: Option<String>,
    pub collection: CollectionId,
    pub mode: ImportMode,
    /// The CRS of the coordinates when the file does not say; when it does, the two must agree.
    pub crs: Option<Crs>,
    pub id_property: Option<String>,
    /// Make invalid polygons valid instead of storing them as given.
    pub repair: bool,
    /// Reject invalid polygons instead of storing them as given.
    pub strict: bool,
    pub read: ReadOptions,
    pub settings: CollectionSettings,
    pub actor: String,
}

/// What happens when the collection exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportMode {
    /// It must not.
    Create,
    /// Its features are deleted first.
    Replace,
    /// The new features are added.
    Append,
    /// Features with the same value of this property are replaced, others added.
    Upsert(String),
}

/// What the source does not know about a collection.
#[derive(Debug, Clone, Default)]
pub struct CollectionSettings {
    pub title: Option<Text>,
    pub description: Text,
    pub theme: Option<Theme>,
    pub licence: Option<String>,
    pub attribution: Option<String>,
    pub label_property: Option<String>,
    pub time_property: Option<String>,
    /// Searchable properties; `None`: texts of the label and id property.
    pub searchable: Option<Vec<String>>,
    /// Titles, units and known values, by source property name; types are the source's.
    pub properties: Vec<Property>,
    pub tiles: Option<TileSettings>,
    /// Who may see a collection that is made; `None`: those who work for the town. One that is there keeps its rules.
    pub access: Option<Class>,
}

impl CollectionSettings {
    /// The rules of a collection that is made.
    pub(crate) fn new_access(&self) -> Access {
        self.access.map(Access::of).unwrap_or_default()
    }
}

impl ImportMode {
    fn name(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Append => "append",
            Self::Upsert(_) => "upsert",
        }
    }
}

/// How far an import has come.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    pub records: u64,
    /// Records in all, where the source says.
    pub total_records: Option<u64>,
    pub bytes: u64,
    pub total_bytes: u64,
}

/// Batches between the reading and the writing side: enough to keep both busy, small enough to keep memory flat.
const BATCHES_IN_FLIGHT: usize = 3;

/// The layers that a file offers, without reading its features.
///
/// # Errors
/// When the file can't be read.
pub async fn source_layers(file: &std::path::Path) -> Result<Vec<SourceLayer>, Error> {
    match formats::detect(file).map_err(|e| Error::Refused(e.message().clone()))? {
        formats::Format::GeoPackage => geopackage::layers(file).await,
        _ => Ok(vec![SourceLayer {
            name: layer_name(file),
            features: None,
        }]),
    }
}

fn layer_name(file: &std::path::Path) -> String {
    file.file_stem()
        .map_or_else(|| "layer".to_owned(), |s| s.to_string_lossy().into_owned())
}

/// What a source says about itself, before its features are read.
struct SourceHead {
    schema: Schema,
    geometry_type: GeometryType,
    has_z: bool,
    has_m: bool,
    crs: Option<Crs>,
    features: Option<u64>,
    bytes: u64,
    notes: Vec<Message>,
}

impl Store {
    /// Reads a source into a collection. Either all of it is stored, but for the records that the report
    /// rejects, or nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] or [`Error::Invalid`] with file, record, field and remedy; the store is then as before.
    pub async fn import(
        &self,
        job: &ImportJob,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<ImportReport, Error> {
        self.inner.backend.require_write()?;
        if registry::is_reserved(&job.collection) {
            return Err(Error::Refused(
                Message::new("store.collection-id-reserved").with("id", &job.collection),
            ));
        }
        let mut source = open_source(job).await?;
        match &self.inner.backend {
            Backend::Sqlite(database) => {
                let Some(writer) = &database.writer else {
                    return Err(Error::Refused(Message::new("store.read-only")));
                };
                let mut writer = writer.lock().await;
                if let Some(reason) = self.stopped() {
                    return Err(Error::Stopped(reason));
                }
                let connection = writer.connection().await?;
                let begun = sqlx::Connection::begin_with(connection, "BEGIN IMMEDIATE").await?;
                let mut transaction = Transaction::Sqlite(begun);
                let mut session = transaction.session();
                let loaded = self.load_source(&mut session, job, &mut source, progress);
                let report = loaded.await?;
                self.commit(transaction).await?;
                // From here on everything is stored, whatever follows. The rules of what is new come before it is shown.
                self.note_rules().await;
                if let Err(error) = self.follow_import(&mut writer, &job.collection).await {
                    tracing::error!(%error, collection = %job.collection, "the import is stored, but what follows failed");
                }
                Ok(report)
            }
            Backend::Postgres(database) => {
                let mut writing = database.write(&job.actor).await?;
                let mut session = writing.session();
                let loaded = self.load_source(&mut session, job, &mut source, progress);
                let report = loaded.await?;
                writing.commit(self).await?;
                self.note_rules().await;
                Ok(report)
            }
        }
    }

    /// Everything of an import that happens within its transaction.
    async fn load_source(
        &self,
        session: &mut Session<'_>,
        job: &ImportJob,
        source: &mut Source,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<ImportReport, Error> {
        let existing = registry::find(session, &job.collection).await?;
        let is_new = existing.is_none();
        let schema_before = existing.as_ref().map(|e| e.collection.schema.clone());
        let target = target(job, &source.head, existing)?;
        let before = log::extent(session).await?.0;
        let mut loader = Loader::begin(session, job, target).await?;
        let dialect = session.dialect();
        let preparer = Preparer::new(job, loader.collection(), &source.head, dialect)?;
        let mut report = ImportReport::new(job, loader.collection(), &source.head.notes);
        let total = Progress {
            total_records: source.head.features,
            total_bytes: source.head.bytes,
            ..Progress::default()
        };
        let mut batches = source.start(preparer);
        while let Some(batch) = batches.next().await? {
            let read = Progress {
                records: batch.last_record,
                bytes: batch.bytes_read,
                ..total
            };
            loader.write(session, batch, &mut report).await?;
            progress(read);
        }
        let finished = loader.finish(session, &self.inner.backend, &mut report);
        report.collection = finished.await?;
        note_transaction(session, job, before).await?;
        report.conclude();
        audit::lock(session).await?;
        let mut entry = AuditEntry::new("collection.import", job.collection.to_string())
            .with("mode", job.mode.name())
            .with("stored", report.stored)
            .with("replaced", report.replaced)
            .with("unchanged", report.unchanged)
            .with("rejected", report.rejected);
        if is_new {
            let access = job.settings.new_access();
            entry = entry.with("access", access.class.name());
            people::set_access(session, job.collection.as_str(), Some(&access)).await?;
        }
        if let Some(before) = schema_before {
            let after = &report.collection.schema;
            people::guard_new(session, job.collection.as_str(), &before, after).await?;
        }
        audit::append(session, &job.actor, &entry).await?;
        Ok(report)
    }

    /// After a committed import: what was loaded is in the file itself at once, so the log does not stay as large as the
    /// import, and the live index shows it. The caller holds the writer, so no edit falls between.
    async fn follow_import(
        &self,
        writer: &mut sqlite::Writer,
        collection: &CollectionId,
    ) -> Result<(), Error> {
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(writer.connection().await?)
            .await;
        if let Err(error) = checkpoint {
            tracing::warn!(%error, "the log was not written back into the file; it is at the next checkpoint");
        }
        let live = self.live();
        if !live.loaded && live.collections.is_empty() {
            return Ok(());
        }
        let mut transaction = self.inner.backend.read().await?;
        let mut session = transaction.session();
        let Some(registered) = registry::find(&mut session, collection).await? else {
            return Ok(());
        };
        let loaded = crate::live::load_collection(&mut session, registered).await?;
        transaction.commit().await?;
        let mut live = Live::clone(&live);
        live.collections.insert(collection.as_str().into(), loaded);
        self.put_live(live);
        Ok(())
    }
}

/// The collection that the import writes to, and whether it is there already.
struct Target {
    collection: Collection,
    existing: Option<Registered>,
}

fn target(
    job: &ImportJob,
    head: &SourceHead,
    existing: Option<Registered>,
) -> Result<Target, Error> {
    let crs = source_crs(job, head)?;
    match (&job.mode, existing) {
        (ImportMode::Create, Some(_)) => Err(Error::Conflict(
            Message::new("store.collection-exists").with("id", &job.collection),
        )),
        (_, Some(existing)) if !existing.table.is_own => Err(Error::Denied(
            Message::new("store.import-published").with("id", &job.collection),
        )),
        (ImportMode::Append | ImportMode::Upsert(_), Some(existing)) => {
            // Added features must fit the collection as it is; a property that it lacks would be lost.
            let schema = &existing.collection.schema;
            if let Some(extra) = head
                .schema
                .properties
                .iter()
                .find(|p| schema.get(&p.name).is_none())
            {
                return Err(Error::Invalid(
                    Message::new("store.property-unknown")
                        .with("property", &extra.name)
                        .with("collection", &job.collection),
                ));
            }
            if existing.collection.storage_crs != crs {
                return Err(Error::Invalid(
                    Message::new("store.crs-differs")
                        .with("found", crs)
                        .with("declared", existing.collection.storage_crs),
                ));
            }
            Ok(Target {
                collection: existing.collection.clone(),
                existing: Some(existing),
            })
        }
        (_, existing) => {
            let collection = new_collection(job, head, crs)?;
            Ok(Target {
                collection,
                existing,
            })
        }
    }
}

fn source_crs(job: &ImportJob, head: &SourceHead) -> Result<Crs, Error> {
    let file = job.file.display();
    match (head.crs, job.crs) {
        (Some(found), Some(given)) if found != given => Err(Error::Invalid(
            Message::new("store.crs-contradicts")
                .with("file", file)
                .with("found", found)
                .with("given", given),
        )),
        (Some(crs), _) | (None, Some(crs)) => Ok(crs),
        (None, None) => Err(Error::Invalid(
            Message::new("store.crs-missing").with("file", file),
        )),
    }
}

fn new_collection(
    job: &ImportJob,
    head: &SourceHead,
    storage_crs: Crs,
) -> Result<Collection, Error> {
    let settings = &job.settings;
    let count = head.schema.properties.len();
    if count > MAX_PROPERTIES {
        return Err(Error::Invalid(
            Message::new("store.too-many-properties")
                .with("count", count)
                .with("limit", MAX_PROPERTIES),
        ));
    }
    let names: Vec<String> = head
        .schema
        .properties
        .iter()
        .map(|p| p.name.clone())
        .collect();
    let (safe, _) = crate::safe_property_names(&names);
    let stored_name = |name: &Option<String>| -> Result<Option<String>, Error> {
        let Some(name) = name else { return Ok(None) };
        let position = names.iter().position(|n| n == name);
        let position = position.ok_or_else(|| {
            Error::Invalid(
                Message::new("store.no-property")
                    .with("property", name)
                    .with("known", names.join(", ")),
            )
        })?;
        Ok(Some(safe[position].clone()))
    };
    let id_property = stored_name(&job.id_property)?;
    let label_property = stored_name(&settings.label_property)?;
    let named = [&id_property, &label_property];
    let properties = head
        .schema
        .properties
        .iter()
        .zip(&safe)
        .map(|(property, stored)| {
            let described = settings.properties.iter().find(|p| p.name == property.name);
            let searchable = match &settings.searchable {
                Some(names) => names.contains(&property.name),
                None => named.iter().any(|n| n.as_ref() == Some(stored)),
            };
            Property {
                name: stored.clone(),
                kind: property.kind,
                title: described
                    .and_then(|d| d.title.clone())
                    .or_else(|| property.title.clone()),
                unit: described
                    .and_then(|d| d.unit.clone())
                    .or_else(|| property.unit.clone()),
                values: described.map_or_else(|| property.values.clone(), |d| d.values.clone()),
                searchable,
            }
        })
        .collect();
    let title = settings.title.clone().unwrap_or_else(|| {
        let id = job.collection.as_str().replace(['-', '_'], " ");
        Text {
            uk: id.clone(),
            en: id,
        }
    });
    Ok(Collection {
        id: job.collection.clone(),
        title,
        description: settings.description.clone(),
        geometry_type: head.geometry_type,
        has_z: head.has_z,
        has_m: head.has_m,
        storage_crs,
        schema: Schema { properties },
        id_property,
        label_property,
        time_property: stored_name(&settings.time_property)?,
        theme: settings.theme.unwrap_or(Theme::Other),
        licence: settings.licence.clone(),
        attribution: settings.attribution.clone(),
        tiles: settings.tiles.clone().unwrap_or_default(),
    })
}

/// Says in the history what the changes of an import are.
async fn note_transaction(
    session: &mut Session<'_>,
    job: &ImportJob,
    before: i64,
) -> Result<(), Error> {
    // Where others write at the same time, those of one transaction have one time.
    let sql = "SELECT min(c.seq), max(c.seq) FROM
       (SELECT l.collection, l.at FROM hromada_changes AS l JOIN hromada_collections AS r ON r.n = l.collection
         WHERE r.id = ? AND l.seq > ? ORDER BY l.seq DESC LIMIT 1) AS newest
       JOIN hromada_changes AS c ON c.collection = newest.collection AND c.at = newest.at WHERE c.seq > ?";
    let ends = statement(sql)
        .bind(job.collection.as_str())
        .bind(before)
        .bind(before);
    let row = session.fetch_one(ends).await?;
    let (Some(first), Some(last)) = (row.maybe_integer(0)?, row.maybe_integer(1)?) else {
        return Ok(());
    };
    let file = job.file.file_name().unwrap_or_default();
    let cause = Cause {
        kind: Some("import"),
        reason: Some(file.to_string_lossy().into_owned()),
        ..Cause::default()
    };
    cause.keep(session, ChangeSeq(first), ChangeSeq(last)).await
}

/// An opened source, not yet read.
struct Source {
    head: SourceHead,
    kind: SourceKind,
}

enum SourceKind {
    File(Box<formats::Reader>),
    GeoPackage(geopackage::Layer),
}

async fn open_source(job: &ImportJob) -> Result<Source, Error> {
    let format = match job.read.format {
        Some(format) => format,
        None => formats::detect(&job.file).map_err(|e| Error::Refused(e.message().clone()))?,
    };
    if format == formats::Format::GeoPackage {
        let (head, layer) = geopackage::open(&job.file, job.layer.as_deref()).await?;
        return Ok(Source {
            head,
            kind: SourceKind::GeoPackage(layer),
        });
    }
    let (file, options) = (
        job.file.clone(),
        ReadOptions {
            crs: job.crs,
            ..job.read.clone()
        },
    );
    // The inference pass reads the whole file.
    let opened = tokio::task::spawn_blocking(move || formats::open(&file, &options)).await;
    let reader = opened
        .map_err(|e| Error::Io(std::io::Error::other(e)))?
        .map_err(|e| Error::Refused(e.message().clone()))?;
    if let Some(given) = job.crs.filter(|_| reader.says_longitude_latitude()) {
        refuse_projected(job, given)?;
    }
    let head = SourceHead {
        schema: reader.schema().clone(),
        geometry_type: reader.geometry_type(),
        has_z: reader.has_z(),
        has_m: reader.has_m(),
        crs: reader.crs(),
        features: reader.feature_count(),
        bytes: reader.total_bytes(),
        notes: reader.notes().to_vec(),
    };
    Ok(Source {
        head,
        kind: SourceKind::File(Box::new(reader)),
    })
}

/// Columns that are called longitude and latitude hold no eastings and northings.
fn refuse_projected(job: &ImportJob, given: Crs) -> Result<(), Error> {
    let described = spatial::crs::describe(given).map_err(|e| Error::Invalid(e.message()))?;
    if described.is_geographic {
        return Ok(());
    }
    Err(Error::Invalid(
        Message::new("store.crs-contradicts")
            .with("file", job.file.display())
            .with("found", Crs::CRS84)
            .with("given", given),
    ))
}

impl Source {
    /// Reads and prepares on other threads; ends early when the receiver is dropped.
    fn start(&mut self, preparer: Preparer) -> Batches {
        let (sender, receiver) = mpsc::channel(BATCHES_IN_FLIGHT);
        let kind = std::mem::replace(
            &mut self.kind,
            SourceKind::GeoPackage(geopackage::Layer::spent()),
        );
        let reading = match kind {
            SourceKind::File(reader) => {
                tokio::task::spawn_blocking(move || read_file(*reader, preparer, &sender))
            }
            SourceKind::GeoPackage(layer) => tokio::spawn(async move {
                if let Err(error) = layer.read(preparer, &sender).await {
                    // A receiver that is gone has met an error of its own.
                    let _ = sender.send(Err(error)).await;
                }
            }),
        };
        Batches {
            receiver,
            reading: Some(reading),
        }
    }
}

/// The batches of a source that is being read.
struct Batches {
    receiver: mpsc::Receiver<Result<Batch, Error>>,
    reading: Option<tokio::task::JoinHandle<()>>,
}

impl Batches {
    /// The next batch; `None` only when the reading side has come to its own end: the channel of one that panicked ends
    /// as well, and half a file must not pass for a whole one.
    async fn next(&mut self) -> Result<Option<Batch>, Error> {
        if let Some(batch) = self.receiver.recv().await {
            return batch.map(Some);
        }
        if let Some(reading) = self.reading.take() {
            reading.await.map_err(|error| {
                tracing::error!(%error, "reading the source failed");
                Error::Refused(Message::new("store.reading-failed"))
            })?;
        }
        Ok(None)
    }
}

fn read_file(
    mut reader: formats::Reader,
    mut preparer: Preparer,
    sender: &mpsc::Sender<Result<Batch, Error>>,
) {
    while let Some(record) = reader.next() {
        let full = match record {
            Ok(record) => preparer.add(record, reader.bytes_read()),
            Err(error) => {
                let _ = sender.blocking_send(Err(Error::Refused(error.message().clone())));
                return;
            }
        };
        if let Some(batch) = full
            && sender.blocking_send(Ok(batch)).is_err()
        {
            return;
        }
    }
    let _ = sender.blocking_send(Ok(preparer.rest(reader.bytes_read())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_panics_is_no_end_of_the_source() {
        let (sender, receiver) = mpsc::channel(1);
        let reading = tokio::spawn(async move {
            sender.send(Ok(Batch::default())).await.ok();
            panic!("a defect in a reader");
        });
        let mut batches = Batches {
            receiver,
            reading: Some(reading),
        };
        assert!(batches.next().await.unwrap().is_some());
        let error = batches.next().await.map(|_| ()).unwrap_err();
        assert_eq!(error.message().unwrap().key(), "store.reading-failed");
    }
}
