//! Features as they were: what the change log tells of the states before.
//!
//! A row that no change after a moment is about was the same then. So the features of a moment are the rows of now without
//! those that changed since, and with the state that stands in the first change since of each.

use std::collections::BTreeMap;

use model::{ChangeSeq, Collection, Crs, Feature, Message, Operation, PropertyType, Value};
use serde_json::Value as Json;

use crate::Error;
use crate::live::LiveCollection;
use crate::session::{Dialect, Parameter, Row, Session, statement};
use crate::table::Table;

/// Features that may have changed during a walk: their states before are in memory for each page of it.
const MAX_CHANGED: usize = 20_000;

/// Bytes of those states.
const MAX_CHANGED_BYTES: usize = 64 * 1024 * 1024;

/// The states that features had at a moment, as they are stored, of those that have changed since; `None` for one that was
/// not there.
pub(crate) type Past = BTreeMap<i64, Option<Feature>>;

/// So many changes of all collections are looked through faster than the changes of each feature of a page are searched.
const FEW: i64 = 1_000;

/// Of what changes are read.
pub(crate) enum Of<'a> {
    All,
    Features {
        keys: &'a [i64],
        /// A change that is about the last one of the log.
        last: ChangeSeq,
    },
}

/// What has changed after a moment; of some features only, or of all.
///
/// # Errors
/// [`Error::Gone`] when too much has changed, or a state before is not known.
pub(crate) async fn since(
    session: &mut Session<'_>,
    live: &LiveCollection,
    seq: ChangeSeq,
    of: Of<'_>,
) -> Result<Past, Error> {
    let collection = source(live);
    let is_along = match &of {
        Of::All => true,
        Of::Features { last, .. } => last.0 - seq.0 <= FEW,
    };
    let mut sql = match is_along {
        true => select_along(session.dialect()),
        false => select(session.dialect()),
    };
    sql += " AND seq > ?";
    if let Of::Features { .. } = of {
        sql += " AND ";
        sql += &session.dialect().is_one_of("fid");
    }
    sql += " ORDER BY seq LIMIT ?";
    let mut statement = statement(sql).bind(live.n).bind(seq.0);
    if let Of::Features { keys, .. } = of {
        statement = statement.bind(Parameter::Keys(keys.to_vec()));
    }
    let statement = statement.bind(MAX_CHANGED as i64 + 1);
    let rows = session.fetch_all(statement).await?;
    if rows.len() > MAX_CHANGED {
        return Err(too_old());
    }
    let mut past = Past::new();
    let mut bytes = 0;
    for row in &rows {
        let fid = row.integer(0)?;
        // The first change since tells the state at the moment.
        if past.contains_key(&fid) {
            continue;
        }
        let state = state(row, fid, collection)?;
        let geometry = state.as_ref().and_then(|f| f.geometry.as_ref());
        bytes += geometry.map_or(0, Vec::len);
        if bytes > MAX_CHANGED_BYTES {
            return Err(too_old());
        }
        past.insert(fid, state);
    }
    Ok(past)
}

/// The collection as it is stored, whoever looks at it.
pub(crate) fn source(live: &LiveCollection) -> &Collection {
    match &live.lens {
        Some(lens) => lens.source().0,
        None => &live.collection,
    }
}

/// The table that it is stored in.
pub(crate) fn source_table(live: &LiveCollection) -> &Table {
    match &live.lens {
        Some(lens) => lens.source().1,
        None => &live.table,
    }
}

/// What [`state`] reads of a collection's changes; conditions are added with AND. Parameter: its number.
pub(crate) fn select(dialect: Dialect) -> String {
    format!("{} WHERE collection = ?", columns(dialect))
}

/// As [`select`], along the log from the number on that has to follow as a condition: where that is near its end, fewer rows
/// are looked at than the collection has. PostgreSQL knows how its numbers are spread.
pub(crate) fn select_along(dialect: Dialect) -> String {
    match dialect {
        Dialect::Sqlite => format!("{} NOT INDEXED WHERE collection = ?", columns(dialect)),
        Dialect::Postgres => select(dialect),
    }
}

fn columns(dialect: Dialect) -> String {
    let table = crate::log::table(dialect);
    format!(
        "SELECT fid, {}, operation, before_properties, {} FROM {}",
        table.geometry_out(),
        crate::log::crs(dialect),
        table.name
    )
}

/// As [`select`], with number, time and actor of the change, and kind, request and reason of its transaction.
pub(crate) fn select_with_cause(dialect: Dialect) -> String {
    let table = crate::log::table(dialect);
    let of_transaction = |column: &str| {
        format!(
            "(SELECT CASE WHEN t.last_seq >= hromada_changes.seq THEN t.{column} END FROM hromada_transactions AS t
               WHERE t.first_seq <= hromada_changes.seq ORDER BY t.first_seq DESC LIMIT 1)"
        )
    };
    format!(
        "SELECT fid, {}, operation, before_properties, {}, seq, at, actor, {}, {}, {} FROM {} WHERE collection = ?",
        table.geometry_out(),
        crate::log::crs(dialect),
        of_transaction("kind"),
        of_transaction("request"),
        of_transaction("reason"),
        table.name
    )
}

pub(crate) fn too_old() -> Error {
    Error::Gone(Message::new("store.walk-too-old"))
}

/// The state before a change.
pub(crate) fn state(
    row: &Row,
    fid: i64,
    collection: &Collection,
) -> Result<Option<Feature>, Error> {
    if row.text(2)? == Operation::Create.name() {
        return Ok(None);
    }
    // What went by unseen in a published table was logged without what was before it.
    let Value::Text(properties) = row.value(3, PropertyType::Text)? else {
        return Err(too_old());
    };
    let json: Json = serde_json::from_str(&properties).map_err(|_| too_old())?;
    let wkb = row.wkb(1)?.map(<[u8]>::to_vec);
    if wkb.is_some() {
        let crs = match row.blob_srs(1)? {
            Some(crs) => Some(crs),
            None => row.maybe_integer(4)?,
        };
        let crs = crs.and_then(|code| u32::try_from(code).ok()).map(Crs::epsg);
        if crs.is_some_and(|crs| crs != collection.storage_crs) {
            return Err(too_old());
        }
    }
    let properties = collection.schema.properties.iter();
    let properties = properties.map(|p| value(p.kind, json.get(&p.name)));
    let properties: Option<Vec<Value>> = properties.collect();
    Ok(Some(Feature {
        fid,
        geometry: wkb,
        properties: properties.ok_or_else(too_old)?,
    }))
}

/// A value of the log, as a row would give it; `None` where that can't be told.
fn value(kind: PropertyType, json: Option<&Json>) -> Option<Value> {
    Some(match (kind, json?) {
        (_, Json::Null) => Value::Null,
        (PropertyType::Boolean, Json::Number(n)) => Value::Boolean(n.as_i64() != Some(0)),
        (_, Json::Bool(b)) => Value::Boolean(*b),
        (PropertyType::Text, Json::Number(n)) => Value::Text(n.to_string().into()),
        (PropertyType::Real, Json::Number(n)) => Value::Real(n.as_f64()?),
        (_, Json::Number(n)) => Value::Integer(n.as_i64()?),
        (PropertyType::DateTime, Json::String(text)) => {
            let fixed = model::normalise_date_time(text);
            Value::Text(fixed.unwrap_or_else(|| text.clone()).into())
        }
        (_, Json::String(text)) => Value::Text(text.as_str().into()),
        (_, Json::Array(_) | Json::Object(_)) => return None,
    })
}
