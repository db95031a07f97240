//! Statements and names of PostgreSQL that several parts need.

use model::{ChangeSeq, Collection, PropertyType, Schema};

use super::PostgresPlace;
use crate::registry::Registered;
use crate::session::{Session, quoted, statement};
use crate::table::Table;
use crate::{Error, items};

const TRIGGER: &str = include_str!("trigger.sql");
/// The statements of its function.
const TRIGGER_LOG: &str = include_str!("trigger_log.sql");

/// Longest name of PostgreSQL, in bytes (`NAMEDATALEN - 1`).
const MAX_NAME: usize = 63;

/// For a transaction that reads or writes whole tables.
pub(crate) const WITHOUT_LIMIT: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

pub(super) const NEW_EPOCH: &str = "substr(replace(gen_random_uuid()::text, '-', ''), 1, 16)";

/// The channel on which changes of this store are told.
pub(super) fn channel(place: &PostgresPlace) -> String {
    column_name(&format!("hromada_{}", place.schema))
}

/// A text in SQL. Only names that the store made itself get there.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The name of a property's column: cut to what PostgreSQL takes, told apart by a hash; not that of a system column.
pub(crate) fn column_name(property: &str) -> String {
    const SYSTEM: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];
    if property.len() <= MAX_NAME && !SYSTEM.contains(&property) {
        return property.to_owned();
    }
    // FNV-1a: the same on every machine and in every version.
    let hash = property
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let tail = format!("_{hash:016x}");
    let mut end = property.len().min(MAX_NAME - tail.len());
    while !property.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", &property[..end])
}

/// Says for whom a transaction writes; the change log keeps it.
pub(super) async fn act_for(session: &mut Session<'_>, actor: &str) -> Result<(), Error> {
    let sql = "SELECT set_config('hromada.actor', ?, true)";
    session.execute(statement(sql).bind(actor)).await?;
    Ok(())
}

/// Numbers the changes of a transaction: its last step, since others wait for it from here on.
pub(crate) async fn number(session: &mut Session<'_>) -> Result<ChangeSeq, Error> {
    let row = session
        .fetch_one(statement("SELECT hromada_number()"))
        .await?;
    Ok(ChangeSeq(row.maybe_integer(0)?.unwrap_or(0)))
}

/// As [`number`]: the numbers of the first and the last change.
pub(crate) async fn numbered(session: &mut Session<'_>) -> Result<(ChangeSeq, ChangeSeq), Error> {
    let sql = "SELECT coalesce(n, 0), coalesce(nullif(current_setting('hromada.first', true), '')::bigint, 0)
       FROM hromada_number() AS n";
    let row = session.fetch_one(statement(sql)).await?;
    Ok((ChangeSeq(row.integer(1)?), ChangeSeq(row.integer(0)?)))
}

/// The declared type of a geometry column. Where some geometries have Z or M and others not, only a column without
/// dimensions takes both.
pub(crate) fn geometry_type(collection: &Collection, is_mixed: bool) -> String {
    if is_mixed {
        return "geometry".to_owned();
    }
    let dims = match (collection.has_z, collection.has_m) {
        (false, false) => "",
        (true, false) => "Z",
        (false, true) => "M",
        (true, true) => "ZM",
    };
    format!(
        "geometry({}{dims}, {})",
        collection.geometry_type.name(),
        collection.storage_crs.code()
    )
}

/// The state of a row as JSON, with the names that properties have in the schema.
pub(super) fn properties_json(table: &Table, schema: &Schema) -> String {
    if schema.properties.is_empty() {
        return "'{}'::json".to_owned();
    }
    // Not `json_build_object`: a function of PostgreSQL takes 100 arguments.
    let pairs: Vec<String> = schema
        .properties
        .iter()
        .zip(table.columns.iter().zip(&table.reads))
        .map(|(property, (column, read))| {
            let value = match property.kind {
                PropertyType::DateTime => format!(
                    "to_json(to_char(({read}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))"
                ),
                _ => format!("to_json({column})"),
            };
            format!("({}, {value})", literal(&property.name))
        })
        .collect();
    format!(
        "(SELECT json_object_agg(k, v) FROM (VALUES {}) AS hromada_pairs (k, v))",
        pairs.join(", ")
    )
}

/// The triggers that log what is written to a collection's table.
pub(super) fn trigger_sql(
    path: &str,
    in_schema: &str,
    n: i64,
    table: &Table,
    collection: &Collection,
    counts_keys: bool,
) -> String {
    let schema = &collection.schema;
    let counter = if counts_keys {
        format!(
            "PERFORM setval(s, (SELECT max({key}) FROM hromada_new)) FROM pg_get_serial_sequence({table}, {column}) AS s
       WHERE (SELECT max({key}) FROM hromada_new) > pg_sequence_last_value(s::regclass);",
            key = table.key,
            table = literal(&table.name),
            column = literal(&table.key),
        )
    } else {
        String::new()
    };
    // Several stores may publish one table, or one store twice.
    let name = |operation: &str| {
        let name = format!("hromada_{in_schema}_{n}_{operation}");
        quoted(&column_name(&name))
    };
    let number = n.to_string();
    let id = items::id_text(collection, table);
    // Both sides are hashed; a join would ask for an index that transition tables have not.
    let changed_id = match items::id_column(collection).is_some() {
        true => format!(
            "CASE WHEN ({key}, {id}) IN (SELECT {key}, {id} FROM hromada_new) THEN NULL ELSE {id} END",
            key = table.key
        ),
        false => "NULL".to_owned(),
    };
    let log = |geometry: &str, properties: &str, id: &str, changed_id: &str| {
        fill(
            TRIGGER_LOG,
            &[
                ("id", id),
                ("changed_id", changed_id),
                ("n", &number),
                ("counter", &counter),
                ("properties", properties),
                ("geometry", geometry),
                ("key", &table.key),
                ("table", &table.name),
            ],
        )
    };
    fill(
        TRIGGER,
        &[
            ("path", path),
            ("n", &number),
            (
                "log",
                &log(
                    &table.geometry_read,
                    &properties_json(table, schema),
                    &id,
                    &changed_id,
                ),
            ),
            ("log_of_keys", &log("NULL", "NULL", "NULL", "NULL")),
            ("table", &table.name),
            ("table_text", &literal(&table.name)),
            ("trigger_insert", &name("insert")),
            ("trigger_update", &name("update")),
            ("trigger_delete", &name("delete")),
            ("trigger_truncate", &name("truncate")),
        ],
    )
}

/// A template with its `{names}` filled in, in one pass: what is filled in may hold such a name itself.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        let (before, after) = rest.split_at(start);
        out.push_str(before);
        let value = values.iter().find_map(|(name, value)| {
            let end = after[1..].strip_prefix(name)?.strip_prefix('}')?;
            Some((value, end))
        });
        match value {
            Some((value, end)) => {
                out.push_str(value);
                rest = end;
            }
            None => {
                out.push('{');
                rest = &after[1..];
            }
        }
    }
    out + rest
}

/// Triggers that a table has for the change log: one for each of INSERT, UPDATE, DELETE and TRUNCATE.
pub(crate) const TRIGGERS: i64 = 4;

/// How many of them are on a table.
pub(crate) struct Triggers {
    pub(crate) there: i64,
    /// Not switched off.
    pub(crate) on: i64,
}

pub(crate) async fn triggers(
    session: &mut Session<'_>,
    registered: &Registered,
) -> Result<Triggers, Error> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE tgenabled IN ('O', 'A')) FROM pg_trigger
       WHERE tgrelid = to_regclass(?) AND tgfoid = to_regproc(?)::oid";
    let function = format!("hromada_log_{}", registered.n);
    let asked = statement(sql).bind(registered.table.name.as_str());
    let row = session.fetch_one(asked.bind(function)).await?;
    Ok(Triggers {
        there: row.integer(0)?,
        on: row.integer(1)?,
    })
}
