//! Facts of a store by name, in `hromada_meta`.

use crate::Error;
use crate::session::{Session, statement};

pub(crate) async fn get(session: &mut Session<'_>, key: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT value FROM hromada_meta WHERE key = ?";
    let row = session.fetch_optional(statement(sql).bind(key)).await?;
    row.map(|row| row.text(0)).transpose()
}

pub(crate) async fn set(session: &mut Session<'_>, key: &str, value: &str) -> Result<(), Error> {
    let sql = "INSERT INTO hromada_meta (key, value) VALUES (?, ?)
       ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    session
        .execute(statement(sql).bind(key).bind(value))
        .await?;
    Ok(())
}

/// What stands under names that begin so, in their order, without that beginning.
pub(crate) async fn all(
    session: &mut Session<'_>,
    prefix: &str,
) -> Result<Vec<(String, String)>, Error> {
    let length = prefix.len();
    let sql = format!("SELECT key, value FROM hromada_meta WHERE substr(key, 1, {length}) = ?");
    let rows = session.fetch_all(statement(sql).bind(prefix)).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let key = row.text(0)?;
        all.push((
            key.strip_prefix(prefix).unwrap_or(&key).to_owned(),
            row.text(1)?,
        ));
    }
    all.sort();
    Ok(all)
}
