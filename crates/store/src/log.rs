//! The change log as it is read whole: its rows as those of a table that both stores have.

use std::collections::BTreeMap;

use model::{Message, PropertyType, Value};

use crate::Error;
use crate::retention::Mark;
use crate::session::{Dialect, Row, Session, Statement, statement};
use crate::table::Table;

/// Columns beside number and geometry, in the order of [`Entry::values`].
const COLUMNS: [(&str, PropertyType); 7] = [
    ("at", PropertyType::DateTime),
    ("actor", PropertyType::Text),
    ("collection", PropertyType::Integer),
    ("fid", PropertyType::Integer),
    ("operation", PropertyType::Text),
    ("before_properties", PropertyType::Text),
    ("before_id", PropertyType::Text),
];

/// A row of the change log.
pub(crate) struct Entry {
    pub(crate) seq: i64,
    /// ISO WKB of the state before.
    pub(crate) geometry: Option<Vec<u8>>,
    /// The number of the geometry's CRS: that of the collection may have been another then.
    pub(crate) crs: i64,
    /// `at`, `actor`, `collection`, `fid`, `operation`, `before_properties`, `before_id`.
    pub(crate) values: Vec<Value>,
}

pub(crate) fn table(dialect: Dialect) -> Table {
    let columns: Vec<String> = COLUMNS.iter().map(|c| c.0.to_owned()).collect();
    Table {
        dialect,
        name: "hromada_changes".to_owned(),
        key: "seq".to_owned(),
        key_out: "seq".to_owned(),
        geometry: "before_geometry".to_owned(),
        geometry_read: "before_geometry".to_owned(),
        geometry_place: dialect.geometry().to_owned(),
        srid: 0,
        reads: columns.clone(),
        places: vec![Some("?".to_owned()); columns.len()],
        columns,
        mark: None,
        is_own: true,
        is_editable: false,
    }
}

pub(crate) fn kinds() -> Vec<PropertyType> {
    COLUMNS.iter().map(|c| c.1).collect()
}

/// What reads the number of the CRS of the geometry before; a GeoPackage blob has it inside, see [`Row::blob_srs`].
pub(crate) fn crs(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "NULL",
        Dialect::Postgres => "ST_SRID(before_geometry)::bigint",
    }
}

/// The rows after a number, in their order, for [`Entry::of`].
pub(crate) fn after(dialect: Dialect, seq: i64) -> Statement {
    let table = table(dialect);
    let crs = crs(dialect);
    let sql = format!(
        "SELECT {}, {crs} FROM {} WHERE seq > ? ORDER BY seq",
        table.select(),
        table.name
    );
    statement(sql).bind(seq)
}

/// The greatest number and how many rows there are.
pub(crate) async fn extent(session: &mut Session<'_>) -> Result<(i64, i64), Error> {
    let sql = "SELECT coalesce(max(seq), 0), count(*) FROM hromada_changes";
    let row = session.fetch_one(statement(sql)).await?;
    Ok((row.integer(0)?, row.integer(1)?))
}

impl Entry {
    pub(crate) fn of(row: &Row) -> Result<Self, Error> {
        let seq = row.integer(0)?;
        let damaged = |error: Error| {
            Error::Refused(
                Message::new("store.log-damaged")
                    .with("seq", seq)
                    .with("reason", error),
            )
        };
        let geometry = row.wkb(1).map_err(damaged)?.map(<[u8]>::to_vec);
        let crs = match row.blob_srs(1).map_err(damaged)? {
            Some(crs) => Some(crs),
            None if geometry.is_some() => row.maybe_integer(COLUMNS.len() + 2)?,
            None => None,
        };
        let values = COLUMNS
            .iter()
            .zip(2..)
            .map(|((_, kind), i)| row.value(i, *kind))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            seq,
            geometry,
            crs: crs.unwrap_or(0),
            values,
        })
    }

    /// Leaves out a state that counts as gone, whether the row is empty already or not.
    pub(crate) fn forget(&mut self, marks: &BTreeMap<i64, Mark>) {
        let kept = marks.get(&self.collection());
        if kept.is_some_and(|kept| self.seq <= kept.seq) {
            (self.geometry, self.crs) = (None, 0);
            self.values[5] = Value::Null;
        }
    }

    /// The number of the collection that was changed.
    pub(crate) fn collection(&self) -> i64 {
        match self.values[2] {
            Value::Integer(n) => n,
            _ => 0,
        }
    }
}
