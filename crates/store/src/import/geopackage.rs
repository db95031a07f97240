//! GeoPackage as a source. The file is not trusted: it is opened for reading only, its schema runs no code.

use std::path::Path;

use formats::{Record, Rejection};
use futures_util::TryStreamExt;
use model::{
    Crs, GeometryType, Message, Property, PropertyType, Schema, SourceFeature, SourceId, Value,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Row, TypeInfo, ValueRef};
use tokio::sync::mpsc;

use super::SourceHead;
use super::prepare::{Batch, Preparer};
use crate::Error;
use crate::session::quoted;

/// A layer that a file offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLayer {
    pub name: String,
    pub features: Option<u64>,
}

/// A layer opened for reading.
pub(crate) struct Layer {
    connection: Option<SqliteConnection>,
    sql: String,
    schema: Schema,
    has_key: bool,
    /// Of its geometries, by the file's own table.
    srs_id: i64,
    file: String,
}

pub(crate) async fn layers(file: &Path) -> Result<Vec<SourceLayer>, Error> {
    let mut connection = connect(file).await?;
    list(&mut connection, file).await
}

pub(crate) async fn open(file: &Path, layer: Option<&str>) -> Result<(SourceHead, Layer), Error> {
    let mut connection = connect(file).await?;
    let layers = list(&mut connection, file).await?;
    let names = || {
        layers
            .iter()
            .map(|l| l.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let chosen = match layer {
        Some(name) => layers.iter().find(|l| l.name == name),
        None if layers.len() == 1 => layers.first(),
        None => None,
    };
    let Some(chosen) = chosen else {
        let key = match (layer, layers.is_empty()) {
            (_, true) => "store.gpkg-no-layers",
            (Some(_), _) => "store.gpkg-no-such-layer",
            (None, _) => "store.gpkg-choose-layer",
        };
        let message = Message::new(key)
            .with("file", file.display())
            .with("layer", layer.unwrap_or_default());
        return Err(Error::Refused(message.with("layers", names())));
    };
    let described = sqlx::query(
        "SELECT g.column_name, g.geometry_type_name, g.z, g.m, s.organization, s.organization_coordsys_id, g.srs_id
         FROM gpkg_geometry_columns g LEFT JOIN gpkg_spatial_ref_sys s USING (srs_id) WHERE g.table_name = ?",
    )
    .bind(&chosen.name)
    .fetch_one(&mut connection)
    .await
    .map_err(|e| unreadable(file, &e))?;
    let geometry_column: String = described.try_get(0).map_err(|e| unreadable(file, &e))?;
    let geometry_type: String = described.try_get(1).map_err(|e| unreadable(file, &e))?;
    let (z, m): (i64, i64) = (
        described.try_get_unchecked(2).unwrap_or(0),
        described.try_get_unchecked(3).unwrap_or(0),
    );
    let organization: Option<String> = described.try_get(4).ok();
    let code: Option<i64> = described.try_get_unchecked(5).ok();
    let srs_id: i64 = described.try_get_unchecked(6).unwrap_or(0);
    let columns = sqlx::query("SELECT name, type, pk FROM pragma_table_info(?)")
        .bind(&chosen.name)
        .fetch_all(&mut connection)
        .await
        .map_err(|e| unreadable(file, &e))?;
    let mut key = None;
    let mut notes = Vec::new();
    let mut schema = Schema::default();
    for column in &columns {
        let name: String = column.try_get(0).map_err(|e| unreadable(file, &e))?;
        let declared: String = column.try_get(1).unwrap_or_default();
        let pk: i64 = column.try_get_unchecked(2).unwrap_or(0);
        if name == geometry_column {
            continue;
        }
        if pk == 1 && declared.eq_ignore_ascii_case("integer") && key.is_none() {
            key = Some(name);
            continue;
        }
        match property_type(&declared) {
            Some(kind) => schema.properties.push(Property::new(name, kind)),
            None => notes.push(
                Message::new("store.column-left-out")
                    .with("column", name)
                    .with("type", declared),
            ),
        }
    }
    let mut select = vec![
        key.as_deref().map_or_else(|| "NULL".to_owned(), quoted),
        quoted(&geometry_column),
    ];
    select.extend(schema.properties.iter().map(|p| quoted(&p.name)));
    let order = key
        .as_deref()
        .map(|k| format!(" ORDER BY {}", quoted(k)))
        .unwrap_or_default();
    let sql = format!(
        "SELECT {} FROM {}{order}",
        select.join(", "),
        quoted(&chosen.name)
    );
    let is_epsg = organization.is_some_and(|o| o.eq_ignore_ascii_case("epsg"));
    let crs = code
        .filter(|_| is_epsg)
        .and_then(|c| u32::try_from(c).ok())
        .filter(|c| *c > 0)
        .map(Crs::epsg);
    let head = SourceHead {
        schema: schema.clone(),
        geometry_type: GeometryType::from_name(&geometry_type).unwrap_or(GeometryType::Geometry),
        // 0: none, 1: all, 2: some may (OGC 12-128r19 table 4).
        has_z: z != 0,
        has_m: m != 0,
        crs,
        features: chosen.features,
        bytes: std::fs::metadata(file)?.len(),
        notes,
    };
    let layer = Layer {
        connection: Some(connection),
        sql,
        schema,
        has_key: key.is_some(),
        srs_id,
        file: file.display().to_string(),
    };
    Ok((head, layer))
}

impl Layer {
    /// A layer with nothing left to read.
    pub(crate) fn spent() -> Self {
        Self {
            connection: None,
            sql: String::new(),
            schema: Schema::default(),
            has_key: false,
            srs_id: 0,
            file: String::new(),
        }
    }

    pub(crate) async fn read(
        mut self,
        mut preparer: Preparer,
        sender: &mpsc::Sender<Result<Batch, Error>>,
    ) -> Result<(), Error> {
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        let mut record = 0;
        let sql = AssertSqlSafe(std::mem::take(&mut self.sql));
        let mut rows = sqlx::query(sql).fetch(&mut connection);
        while let Some(row) = rows
            .try_next()
            .await
            .map_err(|e| unreadable(Path::new(&self.file), &e))?
        {
            record += 1;
            if let Some(batch) = preparer.add(self.record(record, &row)?, 0)
                && sender.send(Ok(batch)).await.is_err()
            {
                return Ok(());
            }
        }
        // A receiver that is gone has met an error of its own.
        let _ = sender.send(Ok(preparer.rest(0))).await;
        Ok(())
    }

    /// Whether a geometry's own number does not contradict the layer's; 0 and -1 stand for "not defined".
    fn agrees(&self, srs_id: i32) -> bool {
        i64::from(srs_id) == self.srs_id || matches!(srs_id, 0 | -1)
    }

    fn record(&self, record: u64, row: &SqliteRow) -> Result<Record, Error> {
        let id = if self.has_key {
            row.try_get_unchecked::<Option<i64>, _>(0)?
                .map(SourceId::Integer)
        } else {
            None
        };
        let reject = |field: Option<&str>, reason| {
            Ok(Record::Rejected(Rejection {
                record,
                field: field.map(str::to_owned),
                reason,
            }))
        };
        let raw = row.try_get_raw(1)?;
        let geometry = if raw.is_null() {
            None
        } else if raw.type_info().name() == "BLOB" {
            match formats::gpkg::strip(row.try_get_unchecked(1)?) {
                Ok((_, found)) if !self.agrees(found) => {
                    let reason = Message::new("store.srs-differs").with("found", found);
                    return reject(None, reason.with("declared", self.srs_id));
                }
                Ok((wkb, _)) => Some(wkb.to_vec()),
                Err(error) => return reject(None, error.message().clone()),
            }
        } else {
            return reject(None, Message::new("store.geometry-not-blob"));
        };
        let mut properties = Vec::with_capacity(self.schema.properties.len());
        for (i, property) in self.schema.properties.iter().enumerate() {
            match typed(row, i + 2, property.kind)? {
                Ok(value) => properties.push(value),
                Err(reason) => return reject(Some(&property.name), reason),
            }
        }
        Ok(Record::Feature(SourceFeature {
            record,
            id,
            geometry,
            properties,
        }))
    }
}

/// A value in the declared type, or why it can't be it: the file holds another that would lose something.
fn typed(
    row: &SqliteRow,
    column: usize,
    kind: PropertyType,
) -> Result<Result<Value, Message>, Error> {
    let other_type = || Message::new("store.value-type").with("type", kind.name());
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Ok(Value::Null));
    }
    if raw.type_info().name() == "TEXT" {
        // SQLite stores any bytes as text.
        let bytes: &[u8] = row.try_get_unchecked(column)?;
        if std::str::from_utf8(bytes).is_err() {
            return Ok(Err(Message::new("store.text-not-utf8")));
        }
    }
    let value = match (raw.type_info().name(), kind) {
        ("INTEGER" | "BOOLEAN", PropertyType::Boolean) => {
            Value::Boolean(row.try_get_unchecked::<i64, _>(column)? != 0)
        }
        ("INTEGER" | "BOOLEAN", PropertyType::Text) => {
            Value::Text(row.try_get_unchecked::<i64, _>(column)?.to_string().into())
        }
        ("INTEGER" | "BOOLEAN", _) => kind.widen(Value::Integer(row.try_get_unchecked(column)?)),
        ("REAL", PropertyType::Integer) => {
            let x: f64 = row.try_get_unchecked(column)?;
            let exact = x.fract() == 0.0 && x.abs() <= 9_007_199_254_740_992.0;
            // Checked above: a whole number below 2^53.
            if exact {
                Value::Integer(x as i64)
            } else {
                return Ok(Err(other_type()));
            }
        }
        ("REAL", PropertyType::Text) => {
            Value::Text(row.try_get_unchecked::<f64, _>(column)?.to_string().into())
        }
        ("REAL", _) => Value::Real(row.try_get_unchecked(column)?),
        ("BLOB", _) => return Ok(Err(other_type())),
        (_, PropertyType::DateTime) => {
            let text: &str = row.try_get_unchecked(column)?;
            Value::Text(
                model::normalise_date_time(text)
                    .unwrap_or_else(|| text.to_owned())
                    .into(),
            )
        }
        _ => Value::Text(row.try_get_unchecked::<&str, _>(column)?.into()),
    };
    Ok(if kind.accepts(&value) {
        Ok(value)
    } else {
        Err(other_type())
    })
}

/// Column types of OGC 12-128r19 table 1, and those that other programs write.
fn property_type(declared: &str) -> Option<PropertyType> {
    let upper = declared.to_ascii_uppercase();
    let base = upper.split('(').next().unwrap_or_default().trim();
    match base {
        "BOOLEAN" | "BOOL" => Some(PropertyType::Boolean),
        "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "INTEGER" | "BIGINT" | "INT2" | "INT8" => {
            Some(PropertyType::Integer)
        }
        "FLOAT" | "DOUBLE" | "REAL" | "DOUBLE PRECISION" | "NUMERIC" | "DECIMAL" => {
            Some(PropertyType::Real)
        }
        "DATE" => Some(PropertyType::Date),
        "DATETIME" | "TIMESTAMP" => Some(PropertyType::DateTime),
        "BLOB" => None,
        _ => Some(PropertyType::Text),
    }
}

async fn connect(file: &Path) -> Result<SqliteConnection, Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .disable_statement_logging();
    let open = async |options: SqliteConnectOptions| -> Result<SqliteConnection, sqlx::Error> {
        let mut connection = options.connect().await?;
        sqlx::query("PRAGMA query_only = ON")
            .execute(&mut connection)
            .await?;
        sqlx::query("SELECT count(*) FROM sqlite_schema")
            .fetch_one(&mut connection)
            .await?;
        Ok(connection)
    };
    match open(options.clone()).await {
        Ok(connection) => Ok(connection),
        // A file in WAL mode on read-only ground can still be read when nobody else writes it.
        Err(first) => {
            let wal = file.with_file_name(format!(
                "{}-wal",
                file.file_name().unwrap_or_default().to_string_lossy()
            ));
            if wal.exists() {
                return Err(unreadable(file, &first));
            }
            open(options.immutable(true))
                .await
                .map_err(|_| unreadable(file, &first))
        }
    }
}

async fn list(connection: &mut SqliteConnection, file: &Path) -> Result<Vec<SourceLayer>, Error> {
    let known = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = 'gpkg_contents'")
        .fetch_optional(&mut *connection)
        .await;
    if known.map_err(|e| unreadable(file, &e))?.is_none() {
        return Err(Error::Refused(
            Message::new("store.gpkg-not").with("file", file.display()),
        ));
    }
    let rows = sqlx::query(
        "SELECT c.table_name FROM gpkg_contents c JOIN gpkg_geometry_columns g USING (table_name)
         WHERE c.data_type = 'features' ORDER BY c.table_name",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(|e| unreadable(file, &e))?;
    let mut layers = Vec::with_capacity(rows.len());
    for row in rows {
        let name: String = row.try_get(0).map_err(|e| unreadable(file, &e))?;
        let sql = format!("SELECT count(*) FROM {}", quoted(&name));
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut *connection)
            .await
            .map_err(|e| unreadable(file, &e))?;
        layers.push(SourceLayer {
            name,
            features: Some(count.unsigned_abs()),
        });
    }
    Ok(layers)
}

fn unreadable(file: &Path, error: &sqlx::Error) -> Error {
    Error::Refused(
        Message::new("store.gpkg-unreadable")
            .with("file", file.display())
            .with("reason", error),
    )
}
