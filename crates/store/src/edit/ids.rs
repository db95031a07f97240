//! Ids that the store gives, by the pattern of a collection.

use model::access::{Editing, IdPart, IdPattern};
use model::{Message, PropertyType, Value};

use crate::Error;
use crate::live::LiveCollection;
use crate::meta;
use crate::people::audit;
use crate::registry::{self, Registered};
use crate::session::{Dialect, Parameter, Session, statement};

/// In `hromada_meta`: the last number of a pattern, so that one whose feature is deleted is never given again.
pub(crate) const COUNTERS: &str = "id.";

/// The greatest number that is counted on from: one typing error must not end all numbering.
const GREATEST: i64 = 1_000_000_000_000;

/// Gives a new feature an id, where the collection has a pattern for ids and the feature has none.
pub(super) async fn fill(
    session: &mut Session<'_>,
    live: &LiveCollection,
    rules: &Editing,
    properties: &mut [Value],
) -> Result<(), Error> {
    let collection = &live.collection;
    let name = collection.id_property.as_deref();
    let Some(position) = name.and_then(|name| collection.schema.position(name)) else {
        return Ok(());
    };
    let is_missing = match &properties[position] {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        _ => false,
    };
    let Some(pattern) = &rules.ids else {
        return Ok(());
    };
    let is_counted = pattern.is_number() && live.table.is_own;
    // One that somebody gives is counted on from.
    if let Value::Integer(given) = properties[position]
        && is_counted
        && given > GREATEST
    {
        let message = Message::new("store.id-too-large").with("id", given);
        return Err(Error::Invalid(message.with("limit", GREATEST)));
    }
    if !is_missing {
        return Ok(());
    }
    match collection.schema.properties[position].kind {
        PropertyType::Text => {
            let id = made(session, live, pattern, position).await?;
            properties[position] = Value::Text(id.into());
        }
        // It is the key of the row.
        PropertyType::Integer if is_counted => {
            properties[position] = Value::Integer(next_key(session, live).await?);
        }
        _ => {}
    }
    Ok(())
}

/// The next key of a table, greater than all that it ever had.
async fn next_key(session: &mut Session<'_>, live: &LiveCollection) -> Result<i64, Error> {
    match session.dialect() {
        // Nobody else writes meanwhile.
        Dialect::Sqlite => {
            let registered = Registered {
                n: live.n,
                collection: (*live.collection).clone(),
                table: (*live.table).clone(),
            };
            Ok(registry::counter(session, &registered).await? + 1)
        }
        Dialect::Postgres => {
            let sql = "SELECT nextval(pg_get_serial_sequence(?, ?))";
            let key = registry::unquoted(&live.table.key);
            let next = statement(sql).bind(live.table.name.as_str()).bind(key);
            session.fetch_one(next).await?.integer(0)
        }
    }
}

async fn made(
    session: &mut Session<'_>,
    live: &LiveCollection,
    pattern: &IdPattern,
    position: usize,
) -> Result<String, Error> {
    let now = audit::now();
    let year = now.get(..4).unwrap_or_default();
    let (mut before, mut after, mut digits) = (String::new(), String::new(), None);
    for part in pattern.parts() {
        let text = match digits {
            None => &mut before,
            Some(_) => &mut after,
        };
        match part {
            IdPart::Text(plain) => text.push_str(plain),
            IdPart::Year => text.push_str(year),
            IdPart::Uuid => text.push_str(&uuid()?),
            IdPart::Number(wanted) => digits = Some(wanted),
        }
    }
    let Some(digits) = digits else {
        return Ok(before);
    };
    let key = format!("{COUNTERS}{}.{before}|{after}", live.n);
    let column = &live.table.columns[position];
    let text = |n: i64| format!("{before}{n:0digits$}{after}");
    let mut least = match meta::get(session, &key).await? {
        Some(_) => 0,
        None => greatest(session, live, column, &before, &after).await?,
    };
    // Somebody may have given a greater number by hand: then the next one is looked for once.
    for _ in 0..2 {
        let id = text(next(session, &key, least).await?);
        if !is_taken(session, live, column, &id).await? {
            return Ok(id);
        }
        least = greatest(session, live, column, &before, &after).await?;
    }
    Err(Error::Conflict(
        Message::new("store.id-taken").with("collection", &live.collection.id),
    ))
}

/// A UUID of version 4 (RFC 9562 §5.4).
fn uuid() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    Ok(format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    ))
}

/// The next number, greater than all before and than `least`; others wait for the end of this transaction.
async fn next(session: &mut Session<'_>, key: &str, least: i64) -> Result<i64, Error> {
    let sql = "INSERT INTO hromada_meta (key, value) VALUES (?, ?)
       ON CONFLICT (key) DO UPDATE SET value = CAST(
         CASE WHEN CAST(hromada_meta.value AS bigint) < ? THEN ? ELSE CAST(hromada_meta.value AS bigint) END + 1 AS text)
       RETURNING value";
    let given = statement(sql)
        .bind(key)
        .bind((least + 1).to_string())
        .bind(least)
        .bind(least);
    let text = session.fetch_one(given).await?.text(0)?;
    text.parse().map_err(|_| {
        let message = Message::new("store.counter-damaged").with("key", key);
        Error::Refused(message)
    })
}

/// The greatest number among the ids that there are, and that there were.
async fn greatest(
    session: &mut Session<'_>,
    live: &LiveCollection,
    column: &str,
    before: &str,
    after: &str,
) -> Result<i64, Error> {
    let begins = |column: &str| format!("substr({column}, 1, CAST(? AS integer)) = ?");
    let sql = format!(
        "SELECT {column} FROM {} WHERE {}
         UNION ALL SELECT before_id FROM hromada_changes WHERE collection = ? AND before_id IS NOT NULL AND {}",
        live.table.name,
        begins(column),
        begins("before_id"),
    );
    let length = i64::try_from(before.chars().count()).unwrap_or(0);
    let all = statement(sql)
        .bind(length)
        .bind(before)
        .bind(live.n)
        .bind(length)
        .bind(before);
    let all = session.fetch_all(all);
    let mut greatest = 0;
    for row in all.await? {
        let id = row.text(0)?;
        let number = id
            .strip_prefix(before)
            .and_then(|id| id.strip_suffix(after))
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse::<i64>().ok());
        // A number of eighteen digits is a name and no count.
        greatest = greatest.max(number.filter(|n| *n <= GREATEST).unwrap_or(0));
    }
    Ok(greatest)
}

async fn is_taken(
    session: &mut Session<'_>,
    live: &LiveCollection,
    column: &str,
    id: &str,
) -> Result<bool, Error> {
    let sql = format!(
        "SELECT 1 FROM {} WHERE {column} = ?
         UNION ALL SELECT 1 FROM hromada_changes WHERE collection = ? AND before_id = ? LIMIT 1",
        live.table.name,
    );
    let found = statement(sql)
        .bind(Parameter::from(id))
        .bind(live.n)
        .bind(Parameter::from(id));
    Ok(session.fetch_optional(found).await?.is_some())
}
