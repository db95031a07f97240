//! Rows into a new table by COPY in its binary form
//! (<https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format").

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use model::{PropertyType, Value};
use sqlx::postgres::PgConnection;

use super::value::{days, microseconds};
use crate::Error;
use crate::session::Session;
use crate::table::Table;

/// Rows are sent when they have come to so many bytes: memory stays flat, and a statement costs some milliseconds, so that
/// 256 KiB took twice as long for the bench town.
const ENOUGH: usize = 4 * 1024 * 1024;

/// Signature, flags, length of the extension.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: &[u8] = &[0xff, 0xff];

/// Rows on their way into a table that nobody else can see.
pub(crate) struct Copy {
    statement: String,
    kinds: Vec<PropertyType>,
    buffer: Vec<u8>,
    seen: Seen,
}

impl Copy {
    pub(crate) fn into(table: &Table, kinds: Vec<PropertyType>) -> Self {
        let mut columns = format!("{}, {}", table.key, table.geometry);
        for column in &table.columns {
            columns.push_str(", ");
            columns.push_str(column);
        }
        Self {
            statement: format!(
                "COPY {} ({columns}) FROM STDIN WITH (FORMAT binary)",
                table.name
            ),
            kinds,
            buffer: HEAD.to_vec(),
            seen: Seen::default(),
        }
    }

    /// Whether no earlier row had this id.
    pub(crate) fn is_new(&mut self, id: &str) -> bool {
        self.seen.add(id)
    }

    /// Adds a row; what it waits for is sent when it is enough.
    pub(crate) async fn add(
        &mut self,
        session: &mut Session<'_>,
        fid: i64,
        ewkb: Option<&[u8]>,
        values: &[Value],
    ) -> Result<(), Error> {
        let count = i16::try_from(values.len() + 2).unwrap_or(i16::MAX);
        self.buffer.extend_from_slice(&count.to_be_bytes());
        self.field(Some(&fid.to_be_bytes()));
        self.field(ewkb);
        for (value, at) in values.iter().zip(0..) {
            self.value(self.kinds[at], value);
        }
        if self.buffer.len() < ENOUGH {
            return Ok(());
        }
        self.flush(session).await
    }

    fn field(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            // A field has less than 2 GiB: a record of a source is far smaller.
            Some(bytes) => {
                let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
                self.buffer.extend_from_slice(&length.to_be_bytes());
                self.buffer.extend_from_slice(bytes);
            }
            None => self.buffer.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }

    fn value(&mut self, kind: PropertyType, value: &Value) {
        match (kind, value) {
            (_, Value::Boolean(b)) => self.field(Some(&[u8::from(*b)])),
            (_, Value::Integer(i)) => self.field(Some(&i.to_be_bytes())),
            (_, Value::Real(x)) => self.field(Some(&(x + 0.0).to_be_bytes())),
            (PropertyType::Date, Value::Text(t)) => {
                let days = days(t).map(i32::to_be_bytes);
                self.field(days.as_ref().map(<[u8; 4]>::as_slice));
            }
            (PropertyType::DateTime, Value::Text(t)) => {
                let time = microseconds(t).map(i64::to_be_bytes);
                self.field(time.as_ref().map(<[u8; 8]>::as_slice));
            }
            (_, Value::Text(t)) => self.field(Some(t.as_bytes())),
            (_, Value::Null) => self.field(None),
        }
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// When the database refuses a row.
    pub(crate) async fn flush(&mut self, session: &mut Session<'_>) -> Result<(), Error> {
        let Session::Postgres(connection) = session else {
            return Ok(());
        };
        if self.buffer.len() == HEAD.len() {
            return Ok(());
        }
        self.buffer.extend_from_slice(END);
        let sent = self.send(connection).await;
        self.buffer.truncate(HEAD.len());
        sent
    }

    async fn send(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let mut copy = connection.copy_in_raw(&self.statement).await?;
        copy.send(self.buffer.as_slice()).await?;
        copy.finish().await?;
        Ok(())
    }
}

/// The ids of an import, as 128 bits of each: 24 bytes instead of a text, and no two of a billion meet in them.
#[derive(Default)]
struct Seen {
    ids: HashSet<(u64, u64)>,
    keys: [RandomState; 2],
}

impl Seen {
    fn add(&mut self, id: &str) -> bool {
        let [a, b] = &self.keys;
        self.ids.insert((a.hash_one(id), b.hash_one(id)))
    }
}
