//! Reading `MBTiles`, whoever wrote them.

use std::path::Path;

use futures_util::TryStreamExt;
use model::Message;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use super::flipped;
use crate::Error;

/// Bytes of a tile as it is stored, and of a value of the metadata. No client shows a tile of this size.
pub const MAX_MBTILES_TILE: usize = 128 << 20;

/// A tile as it stands in the file, which may hold anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MbtilesTile {
    pub zoom: i64,
    pub column: i64,
    /// From the north; `None` for one that the zoom does not have.
    pub row: Option<u32>,
    /// As it is stored, usually gzip; `None` without any, or with more than [`MAX_MBTILES_TILE`] bytes.
    pub data: Option<Vec<u8>>,
}

/// A file that is open for reading.
pub struct MbtilesReader {
    connection: SqliteConnection,
    file: String,
}

impl MbtilesReader {
    /// # Errors
    /// [`Error::Refused`] for a file that is no tile set.
    pub async fn open(file: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .read_only(true)
            // What stands in the schema of a stranger's file calls nothing of ours.
            .pragma("trusted_schema", "OFF")
            .disable_statement_logging();
        let name = file.display().to_string();
        let connection = options.connect().await.map_err(|e| refused(&name, e))?;
        let mut reader = Self {
            connection,
            file: name,
        };
        let sql = "SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles LIMIT 0";
        let columns = sqlx::query(sql).fetch_optional(&mut reader.connection);
        columns.await.map_err(|e| refused(&reader.file, e))?;
        Ok(reader)
    }

    /// What describes the tile set, by name, in the order of the names.
    ///
    /// # Errors
    /// [`Error::Refused`] when it can't be read.
    pub async fn metadata(&mut self) -> Result<Vec<(String, String)>, Error> {
        let sql = format!(
            "SELECT CAST(name AS TEXT), CAST(value AS TEXT) FROM metadata
             WHERE name IS NOT NULL AND value IS NOT NULL AND length(value) <= {MAX_MBTILES_TILE} ORDER BY 1, 2"
        );
        let found: Vec<SqliteRow> = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut self.connection)
            .await
            .map_err(|e| refused(&self.file, e))?;
        let pair = |row: &SqliteRow| Ok((row.try_get(0)?, row.try_get(1)?));
        let pairs: Result<_, sqlx::Error> = found.iter().map(pair).collect();
        pairs.map_err(|e| refused(&self.file, e))
    }

    /// Calls `each` with all tiles: zoom after zoom, column by column, so that the index which the specification asks for
    /// gives the order.
    ///
    /// # Errors
    /// [`Error::Refused`] when the file can't be read any further.
    pub async fn tiles(&mut self, each: &mut (dyn FnMut(MbtilesTile) + Send)) -> Result<(), Error> {
        let sql = format!(
            "SELECT CAST(zoom_level AS INTEGER), CAST(tile_column AS INTEGER), CAST(tile_row AS INTEGER),
                CASE WHEN length(tile_data) <= {MAX_MBTILES_TILE} THEN CAST(tile_data AS BLOB) END
             FROM tiles ORDER BY zoom_level, tile_column, tile_row"
        );
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut self.connection);
        while let Some(row) = rows.try_next().await.map_err(|e| refused(&self.file, e))? {
            each(tile(&row).map_err(|e| refused(&self.file, e))?);
        }
        Ok(())
    }

    /// A tile as it is stored; `None` for one that is not there, or has more than [`MAX_MBTILES_TILE`] bytes.
    ///
    /// # Errors
    /// [`Error::Refused`] when the file can't be read.
    pub async fn tile(
        &mut self,
        zoom: u8,
        column: u32,
        row: u32,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Some(row) = flipped(zoom, row) else {
            return Ok(None);
        };
        let sql = format!(
            "SELECT CASE WHEN length(tile_data) <= {MAX_MBTILES_TILE} THEN CAST(tile_data AS BLOB) END
             FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?"
        );
        let found = sqlx::query(AssertSqlSafe(sql))
            .bind(i64::from(zoom))
            .bind(i64::from(column))
            .bind(i64::from(row))
            .fetch_optional(&mut self.connection)
            .await
            .map_err(|e| refused(&self.file, e))?;
        let data = found.map(|row| row.try_get::<Option<Vec<u8>>, _>(0));
        let data = data.transpose().map_err(|e| refused(&self.file, e))?;
        Ok(data.flatten())
    }

    /// # Errors
    /// When the database says so.
    pub async fn close(self) -> Result<(), Error> {
        self.connection.close().await?;
        Ok(())
    }
}

fn tile(row: &SqliteRow) -> Result<MbtilesTile, sqlx::Error> {
    let number =
        |at: usize| Ok::<i64, sqlx::Error>(row.try_get::<Option<i64>, _>(at)?.unwrap_or(-1));
    let (zoom, column, from_south) = (number(0)?, number(1)?, number(2)?);
    let north = u8::try_from(zoom).ok().zip(u32::try_from(from_south).ok());
    Ok(MbtilesTile {
        zoom,
        column,
        row: north.and_then(|(zoom, row)| flipped(zoom, row)),
        data: row.try_get(3)?,
    })
}

fn refused(file: &str, error: sqlx::Error) -> Error {
    Error::Refused(
        Message::new("store.not-mbtiles")
            .with("file", file)
            .with("reason", error),
    )
}
