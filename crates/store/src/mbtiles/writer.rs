//! Writing `MBTiles`.

use std::collections::HashSet;
use std::path::Path;

use md5::{Digest, Md5};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::flipped;
use crate::Error;

/// "MPBX", which the specification asks for ("Database").
const APPLICATION_ID: u32 = 0x4d50_4258;

/// Tiles in a statement: each goes to another thread and back, which takes longer than one row.
const TOGETHER: usize = 64;

/// Bytes of tiles that wait to be written.
const MAX_WAITING: usize = 4 << 20;

/// Names and types are those that other programs tell deduplicated tile sets by (`martin`, `tile-join`).
const SCHEMA: &str = "
    CREATE TABLE metadata (name TEXT NOT NULL PRIMARY KEY, value TEXT);
    CREATE TABLE images (tile_id TEXT NOT NULL PRIMARY KEY, tile_data BLOB);
    CREATE TABLE map (zoom_level INTEGER NOT NULL, tile_column INTEGER NOT NULL, tile_row INTEGER NOT NULL, tile_id TEXT,
        PRIMARY KEY (zoom_level, tile_column, tile_row));
    CREATE VIEW tiles AS
        SELECT map.zoom_level AS zoom_level, map.tile_column AS tile_column, map.tile_row AS tile_row,
            images.tile_data AS tile_data
        FROM map JOIN images ON images.tile_id = map.tile_id;
";

/// Takes tiles one after the other. Tiles with the same bytes are kept once; the same tiles in the same order give the same
/// file.
///
/// Nothing of the file is safe before [`MbtilesWriter::finish`]: it is to be put in its place after that.
pub struct MbtilesWriter {
    connection: SqliteConnection,
    /// Of the tiles that the file has. MD5 is what readers expect in `tile_id`, and nobody gains by two tiles of one hash.
    known: HashSet<[u8; 16]>,
    images: Vec<(String, Vec<u8>)>,
    map: Vec<([u32; 3], String)>,
    waiting: usize,
}

impl MbtilesWriter {
    /// Makes the file, which is not there yet.
    ///
    /// # Errors
    /// When it can't be made.
    pub async fn create(file: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            // What is cut short is thrown away.
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        let begin = format!("PRAGMA application_id = {APPLICATION_ID}; BEGIN; {SCHEMA}");
        sqlx::raw_sql(AssertSqlSafe(begin))
            .execute(&mut connection)
            .await?;
        Ok(Self {
            connection,
            known: HashSet::new(),
            images: Vec::new(),
            map: Vec::new(),
            waiting: 0,
        })
    }

    /// Adds a tile by zoom, column and row from the north, each once.
    ///
    /// # Errors
    /// When there is no such tile, or the disk refuses.
    pub async fn add(&mut self, [zoom, x, y]: [u32; 3], data: Vec<u8>) -> Result<(), Error> {
        let row = u8::try_from(zoom).ok().and_then(|zoom| flipped(zoom, y));
        let row = row.ok_or_else(|| std::io::Error::other("a tile that the zoom does not have"))?;
        let hash: [u8; 16] = Md5::digest(&data).into();
        let id = hex(&hash);
        if self.known.insert(hash) {
            self.waiting += data.len();
            self.images.push((id.clone(), data));
        }
        self.map.push(([zoom, x, row], id));
        if self.map.len() >= TOGETHER || self.waiting >= MAX_WAITING {
            self.flush().await?;
        }
        Ok(())
    }

    /// How many different tiles there are so far.
    pub fn different(&self) -> u64 {
        self.known.len() as u64
    }

    /// Adds what describes the tile set, by name, and ends the file.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn finish(mut self, metadata: &[(&str, String)]) -> Result<(), Error> {
        self.flush().await?;
        for (name, value) in metadata {
            sqlx::query("INSERT INTO metadata (name, value) VALUES (?, ?)")
                .bind(*name)
                .bind(value)
                .execute(&mut self.connection)
                .await?;
        }
        sqlx::raw_sql("COMMIT")
            .execute(&mut self.connection)
            .await?;
        self.connection.close().await?;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.waiting = 0;
        let images = std::mem::take(&mut self.images);
        if !images.is_empty() {
            let sql = rows("INSERT INTO images (tile_id, tile_data)", 2, images.len());
            let mut insert = sqlx::query(AssertSqlSafe(sql)).persistent(images.len() == TOGETHER);
            for (id, data) in images {
                insert = insert.bind(id).bind(data);
            }
            insert.execute(&mut self.connection).await?;
        }
        let map = std::mem::take(&mut self.map);
        if !map.is_empty() {
            let insert = "INSERT INTO map (zoom_level, tile_column, tile_row, tile_id)";
            let sql = rows(insert, 4, map.len());
            let mut insert = sqlx::query(AssertSqlSafe(sql)).persistent(map.len() == TOGETHER);
            for ([zoom, x, row], id) in map {
                insert = insert.bind(zoom).bind(x).bind(row).bind(id);
            }
            insert.execute(&mut self.connection).await?;
        }
        Ok(())
    }
}

/// A statement for so many rows of so many values.
fn rows(insert: &str, values: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; values].join(", "));
    format!("{insert} VALUES {}", vec![row; rows].join(", "))
}

fn hex(hash: &[u8; 16]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
