//! Export: a collection into a file of its own.

mod geopackage;
mod target;

use std::path::Path;

use formats::{Format, WriteOptions, Writer};
use futures_util::TryStreamExt;
use model::{Crs, FeatureId, Message, Value};

pub(crate) use target::Partial;

use crate::session::statement;
use crate::{Error, Store, registry, row};

/// What an export wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportReport {
    pub features: u64,
    pub bytes: u64,
    /// Empty geometries that became null: FlatGeobuf has no form for them.
    pub emptied: u64,
}

/// Writes a collection to a file in the storage CRS; GeoJSON in longitude/latitude (RFC 7946 §4).
/// The file appears whole or not at all.
///
/// # Errors
/// When the collection is unknown, its table lacks a column, or the file can't be written; [`Error::Refused`] when it is
/// one of the store's own files or no regular file.
pub async fn export(
    store: &Store,
    collection: &str,
    file: &Path,
    format: Format,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<ExportReport, Error> {
    let file = store.output_target(file)?;
    let file = file.as_path();
    let mut transaction = store.inner.backend.read().await?;
    let mut session = transaction.session();
    let id = model::CollectionId::new(collection)?;
    let registered = registry::find(&mut session, &id).await?.ok_or_else(|| {
        Error::NotFound(Message::new("store.no-collection").with("id", collection))
    })?;
    if let Some(column) = registry::missing_columns(&mut session, &registered.table)
        .await?
        .first()
    {
        // SQLite would take the quoted name of a column that is not there for a text.
        let message = Message::new("store.check-column-missing").with("column", column);
        return Err(Error::Refused(message));
    }
    if format == Format::GeoPackage {
        let features = geopackage::write(store, &mut session, &registered, file).await?;
        progress(features);
        return Ok(ExportReport {
            features,
            bytes: std::fs::metadata(file)?.len(),
            emptied: 0,
        });
    }
    let collection = registered.collection;
    let table = registered.table;
    let geographic = matches!(format, Format::GeoJson | Format::GeoJsonSeq);
    let crs = if geographic {
        Crs::CRS84
    } else {
        collection.storage_crs
    };
    let refused = |e: formats::Error| Error::Refused(e.message().clone());
    let options = WriteOptions {
        format,
        schema: &collection.schema,
        layer_name: id.as_str(),
        geometry_type: collection.geometry_type,
        has_z: collection.has_z,
        has_m: collection.has_m,
        crs,
        record_separators: false,
        byte_order_mark: false,
        id_column: None,
    };
    let mut writer = Writer::create(file, &options).map_err(refused)?;
    let id_position = collection
        .id_property
        .as_ref()
        .and_then(|name| collection.schema.position(name));
    let sql = format!(
        "SELECT {} FROM {} ORDER BY {}",
        table.select(),
        table.name,
        table.key
    );
    let mut rows = session.stream(statement(sql))?;
    let mut features = 0;
    let mut emptied = 0;
    while let Some(found) = rows.try_next().await? {
        let mut feature = row::feature(&found, &collection)?;
        let fid = feature.fid;
        let unreadable = |reason: &dyn std::fmt::Display| {
            let message = Message::new("store.export-geometry").with("id", fid);
            let message = message.with("collection", collection.id.as_str());
            Error::Refused(message.with("reason", reason))
        };
        if let Some(wkb) = &feature.geometry {
            formats::wkb::check(wkb).map_err(|e| unreadable(&e))?;
        }
        if geographic {
            feature = row::in_wgs84(&collection, feature).map_err(|e| unreadable(&e))?;
        }
        let feature_id = match id_position.map(|i| &feature.properties[i]) {
            Some(Value::Text(text)) => FeatureId::Text(text.clone()),
            _ => FeatureId::Integer(feature.fid),
        };
        if format == Format::FlatGeobuf && is_empty(&feature) {
            emptied += 1;
        }
        writer.write(&feature_id, &feature).map_err(refused)?;
        features += 1;
        if features % 1000 == 0 {
            progress(features);
        }
    }
    writer.finish().map_err(refused)?;
    progress(features);
    Ok(ExportReport {
        features,
        bytes: std::fs::metadata(file)?.len(),
        emptied,
    })
}

fn is_empty(feature: &model::Feature) -> bool {
    let header = feature.geometry.as_deref().map(formats::wkb::check);
    header.is_some_and(|h| h.is_ok_and(|h| h.empty))
}
