//! Coordinate reference systems of the municipality, and datum operations that it chose: a document each, in `hromada_meta`.
//!
//! They are registered for the whole process when the store is opened. A change takes effect when it is opened again: the
//! index is made by what was known then. Only a code that nobody knew yet is known at once.

use model::{Crs, Message};
use serde_json::Value as Json;
use spatial::crs::System;

use crate::people::audit::{self, AuditEntry};
use crate::session::{Dialect, Session, statement};
use crate::{Error, Store, meta, postgres, registry};

/// Before the id in the key of a document.
pub(crate) const PREFIX: &str = "crs.";

/// Systems of a store at most: each takes a look into PROJ's database when the store is opened.
const MAX_SYSTEMS: usize = 100;

/// Ids and documents, by id.
pub(crate) async fn documents(session: &mut Session<'_>) -> Result<Vec<(String, String)>, Error> {
    meta::all(session, PREFIX).await
}

/// Makes a document that system's which has its id.
pub(crate) async fn put(session: &mut Session<'_>, id: &str, document: &str) -> Result<(), Error> {
    meta::set(session, &format!("{PREFIX}{id}"), document).await
}

/// Makes a local code known that another process has added since the store was opened.
pub(crate) async fn know(session: &mut Session<'_>, crs: Crs) -> Result<(), Error> {
    if !crs.is_local() || spatial::crs::local(crs).is_some() {
        return Ok(());
    }
    let all = documents(session).await?;
    let found = all
        .into_iter()
        .find(|(_, document)| crs_of(document) == Some(crs));
    if let Some((id, document)) = found {
        register(id, document).await;
    }
    Ok(())
}

/// A document that can't be read any more must not keep the store closed: what is stored in it can't be shown, and the rest can.
async fn register(id: String, document: String) {
    match read(document).await {
        Ok(system) => spatial::crs::register(system),
        Err(error) => tracing::error!(%id, %error, "a coordinate reference system can't be read"),
    }
}

async fn read(document: String) -> Result<System, Error> {
    let read = tokio::task::spawn_blocking(move || System::read(&document)).await;
    let read = read.map_err(|e| Error::Io(std::io::Error::other(e)))?;
    read.map_err(|e| Error::Invalid(e.message()))
}

/// The CRS of a document, without a look at the rest.
fn crs_of(document: &str) -> Option<Crs> {
    let json: Json = serde_json::from_str(document).ok()?;
    let code = json["code"]
        .as_u64()
        .or_else(|| json["operation"]["crs"].as_u64());
    Some(Crs::epsg(u32::try_from(code?).ok()?))
}

impl Store {
    /// Registers all systems of the store.
    pub(crate) async fn register_systems(&self) -> Result<(), Error> {
        let all = self
            .reading_primary(|session| Box::pin(documents(session)))
            .await?;
        for (id, document) in all {
            register(id, document).await;
        }
        Ok(())
    }

    /// The systems that are kept, by id; one that can't be read is left out.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn systems(&self) -> Result<Vec<System>, Error> {
        let all = self
            .reading_primary(|session| Box::pin(documents(session)))
            .await?;
        let mut systems = Vec::with_capacity(all.len());
        for (id, document) in all {
            match read(document).await {
                Ok(system) => systems.push(system),
                Err(error) => {
                    tracing::error!(%id, %error, "a coordinate reference system can't be read")
                }
            }
        }
        Ok(systems)
    }

    /// Keeps the system of a document, in the place of one that has its id.
    ///
    /// A new code can be used at once. Another definition of a known one, or another operation, takes effect when the store is
    /// opened again, in each process that has it open.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a document that [`System::read`] refuses; [`Error::Conflict`] for a CRS that another one is about;
    /// [`Error::Refused`] when the code would change while a collection is stored in it, and beyond [`MAX_SYSTEMS`].
    pub async fn add_system(&self, actor: &str, document: &str) -> Result<System, Error> {
        let system = read(document.to_owned()).await?;
        let wkt = system.wkt().map_err(|e| Error::Invalid(e.message()))?;
        let (by, document) = (actor.to_owned(), document.to_owned());
        let (id, crs) = (system.id.clone(), system.crs);
        self.recording(actor, move |session| {
            Box::pin(async move {
                audit::lock(session).await?;
                let all = documents(session).await?;
                let other = all
                    .iter()
                    .find(|(other, d)| *other != id && crs_of(d) == Some(crs));
                if let Some((other, _)) = other {
                    let message = Message::new("store.crs-taken").with("crs", crs);
                    return Err(Error::Conflict(message.with("id", other)));
                }
                let before = all.iter().find(|(known, _)| *known == id);
                if before.is_none() && all.len() >= MAX_SYSTEMS {
                    let message = Message::new("store.crs-too-many").with("limit", MAX_SYSTEMS);
                    return Err(Error::Refused(message));
                }
                let old = before.and_then(|(_, document)| crs_of(document));
                if let Some(old) = old.filter(|old| *old != crs) {
                    refuse_used(session, &id, old).await?;
                }
                put(session, &id, &document).await?;
                if let Some(wkt) = wkt {
                    describe(session, crs, &wkt).await?;
                }
                let entry = AuditEntry::new("crs.add", id).with("crs", crs.to_string());
                audit::append(session, &by, &entry.with("replaced", old.is_some())).await
            })
        })
        .await?;
        if system.crs.is_local() && spatial::crs::local(system.crs).is_none() {
            spatial::crs::register(system.clone());
        }
        Ok(system)
    }

    /// Forgets a system.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] while a collection is stored in it, and tells which.
    pub async fn remove_system(&self, actor: &str, id: &str) -> Result<(), Error> {
        let (by, id) = (actor.to_owned(), id.to_owned());
        self.recording(actor, move |session| {
            Box::pin(async move {
                audit::lock(session).await?;
                let all = documents(session).await?;
                let Some((_, document)) = all.iter().find(|(known, _)| *known == id) else {
                    let message = Message::new("store.crs-not-kept").with("id", &id);
                    return Err(Error::NotFound(message));
                };
                let crs = crs_of(document);
                if let Some(crs) = crs {
                    refuse_used(session, &id, crs).await?;
                }
                let sql = "DELETE FROM hromada_meta WHERE key = ?";
                let key = format!("{PREFIX}{id}");
                session.execute(statement(sql).bind(key)).await?;
                let entry = AuditEntry::new("crs.remove", id);
                let entry = entry.with("crs", crs.map(|crs| crs.to_string()));
                audit::append(session, &by, &entry).await
            })
        })
        .await
    }
}

/// # Errors
/// [`Error::Refused`] with the collections that are stored in a local CRS. That of others is EPSG's and stays.
async fn refuse_used(session: &mut Session<'_>, id: &str, crs: Crs) -> Result<(), Error> {
    if !crs.is_local() {
        return Ok(());
    }
    let all = registry::all(session).await?;
    let used = all.iter().filter(|r| r.collection.storage_crs == crs);
    let used: Vec<&str> = used.map(|r| r.collection.id.as_str()).collect();
    if used.is_empty() {
        return Ok(());
    }
    let message = Message::new("store.crs-in-use").with("id", id);
    Err(Error::Refused(message.with("collections", used.join(", "))))
}

/// What other programs read of a CRS where it is listed for them already.
async fn describe(session: &mut Session<'_>, crs: Crs, wkt: &str) -> Result<(), Error> {
    let srid = i64::from(crs.code());
    match session.dialect() {
        Dialect::Sqlite => {
            let sql = "UPDATE gpkg_spatial_ref_sys SET definition = ? WHERE srs_id = ? AND organization = 'HROMADA'";
            session.execute(statement(sql).bind(wkt).bind(srid)).await?;
        }
        Dialect::Postgres => postgres::tables::describe_crs(session, srid, wkt).await?,
    }
    Ok(())
}
