//! Export: a collection into a file of its own.

use std::path::Path;

use formats::{Format, WriteOptions, Writer};
use futures_util::TryStreamExt;
use model::{Crs, FeatureId, Message, Value};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::registry::{self, KEY, quoted};
use crate::{Error, Store, row};

/// What an export wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportReport {
    pub features: u64,
    pub bytes: u64,
}

/// Writes a collection to a file in the storage CRS; GeoJSON in longitude/latitude (RFC 7946 §4).
/// The file appears whole or not at all.
///
/// # Errors
/// When the collection is unknown or the file can't be written.
pub async fn export(
    store: &Store,
    collection: &str,
    file: &Path,
    format: Format,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<ExportReport, Error> {
    let mut connection = store.inner.reader.acquire().await?;
    let id = model::CollectionId::new(collection)?;
    let registered = registry::find(&mut connection, &id).await?.ok_or_else(|| {
        Error::NotFound(Message::new("store.no-collection").with("id", collection))
    })?;
    let collection = registered.collection;
    if format == Format::GeoPackage {
        drop(connection);
        let features = geopackage(store, &registered.n, &collection, file).await?;
        progress(features);
        return Ok(ExportReport {
            features,
            bytes: std::fs::metadata(file)?.len(),
        });
    }
    let geographic = matches!(format, Format::GeoJson | Format::GeoJsonSeq);
    let crs = if geographic {
        Crs::CRS84
    } else {
        collection.storage_crs
    };
    let table = quoted(id.as_str());
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
        "SELECT {} FROM {table} ORDER BY {KEY}",
        row::columns(&collection)
    );
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *connection);
    let mut features = 0;
    while let Some(found) = rows.try_next().await? {
        let mut feature = row::feature(&found, &collection)?;
        if geographic {
            feature = row::in_wgs84(&collection, feature)?;
        }
        let feature_id = match id_position.map(|i| &feature.properties[i]) {
            Some(Value::Text(text)) => FeatureId::Text(text.clone()),
            _ => FeatureId::Integer(feature.fid),
        };
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
    })
}

/// Copies the table into a GeoPackage that holds nothing else: no change log, no other collection.
async fn geopackage(
    store: &Store,
    n: &i64,
    collection: &model::Collection,
    file: &Path,
) -> Result<u64, Error> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let partial = file.with_file_name(format!(".{name}.{}.partial", std::process::id()));
    let _ = std::fs::remove_file(&partial);
    let copied = copy(store, *n, collection, &partial).await;
    let features = match copied {
        Ok(features) => features,
        Err(error) => {
            let _ = std::fs::remove_file(&partial);
            return Err(error);
        }
    };
    std::fs::File::open(&partial)?.sync_all()?;
    std::fs::rename(&partial, file)?;
    let folder = file
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()?;
    Ok(features)
}

async fn copy(
    store: &Store,
    n: i64,
    collection: &model::Collection,
    partial: &Path,
) -> Result<u64, Error> {
    let options = SqliteConnectOptions::new()
        .filename(partial)
        .create_if_missing(true)
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(crate::sqlite::header_sql()))
        .execute(&mut connection)
        .await?;
    sqlx::query("ATTACH ? AS live")
        .bind(store.file().to_string_lossy().into_owned())
        .execute(&mut connection)
        .await?;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(crate::sqlite::GEOPACKAGE_SCHEMA)
        .execute(&mut *transaction)
        .await?;
    let table = quoted(collection.id.as_str());
    let columns = row::columns(collection);
    let id = collection.id.as_str();
    sqlx::query("INSERT OR IGNORE INTO main.gpkg_spatial_ref_sys SELECT * FROM live.gpkg_spatial_ref_sys WHERE srs_id = ?")
        .bind(i64::from(collection.storage_crs.code()))
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql(AssertSqlSafe(registry::table_sql(collection)))
        .execute(&mut *transaction)
        .await?;
    for sql in [
        "INSERT INTO main.gpkg_contents SELECT * FROM live.gpkg_contents WHERE table_name = ?",
        "INSERT INTO main.gpkg_geometry_columns SELECT * FROM live.gpkg_geometry_columns WHERE table_name = ?",
    ] {
        sqlx::query(sql).bind(id).execute(&mut *transaction).await?;
    }
    let sql = format!(
        "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM live.{table} ORDER BY {KEY}"
    );
    let features = sqlx::query(AssertSqlSafe(sql))
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    let known: i64 =
        sqlx::query_scalar("SELECT count(*) FROM live.hromada_collections WHERE n = ?")
            .bind(n)
            .fetch_one(&mut *transaction)
            .await?;
    if known == 0 {
        return Err(Error::NotFound(
            Message::new("store.no-collection").with("id", id),
        ));
    }
    transaction.commit().await?;
    sqlx::raw_sql("DETACH live")
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    Ok(features)
}
