//! People, rules, tokens, coordinate reference systems and the audit log of a copy. Sessions and links stay behind: they are of the server that gave them.

use crate::people::audit;
use crate::session::{Parameter, Session, statement};
use crate::{Error, edit, meta, systems};

/// Records that are copied in one transaction.
const AT_ONCE: i64 = 10_000;

/// A table and its columns, all of which are texts but the number of an audit record.
const DIRECTORY: (&str, &[&str]) = ("hromada_directory", &["kind", "id", "body"]);
const KEYS: (&str, &[&str]) = (
    "hromada_keys",
    &[
        "hash", "kind", "person", "body", "created", "expires", "seen",
    ],
);

/// Makes them in the target what they are in the source.
pub(super) async fn people(read: &mut Session<'_>, write: &mut Session<'_>) -> Result<(), Error> {
    let mut transaction = write.begin().await?;
    let mut session = transaction.session();
    session
        .run("DELETE FROM hromada_directory; DELETE FROM hromada_keys")
        .await?;
    texts(read, &mut session, DIRECTORY, "TRUE").await?;
    texts(read, &mut session, KEYS, "kind = 'token'").await?;
    // The digests of the log go on to be those of the same states.
    if let Some(secret) = meta::get(read, audit::SECRET).await? {
        meta::set(&mut session, audit::SECRET, &secret).await?;
    }
    session
        .run("DELETE FROM hromada_meta WHERE substr(key, 1, 4) = 'crs.'")
        .await?;
    for (id, document) in systems::documents(read).await? {
        systems::put(&mut session, &id, &document).await?;
    }
    counters(read, &mut session).await?;
    crate::people::grow(&mut session).await?;
    transaction.commit().await?;
    audit_log(read, write).await
}

/// The numbers that were given as parts of ids: none is given again by the copy.
async fn counters(read: &mut Session<'_>, write: &mut Session<'_>) -> Result<(), Error> {
    let ours = "substr(key, 1, 3) = ?";
    let delete = format!("DELETE FROM hromada_meta WHERE {ours}");
    write
        .execute(statement(delete).bind(edit::COUNTERS))
        .await?;
    let select = format!("SELECT key, value FROM hromada_meta WHERE {ours}");
    for row in read
        .fetch_all(statement(select).bind(edit::COUNTERS))
        .await?
    {
        meta::set(write, &row.text(0)?, &row.text(1)?).await?;
    }
    Ok(())
}

async fn texts(
    read: &mut Session<'_>,
    write: &mut Session<'_>,
    (table, columns): (&str, &[&str]),
    condition: &str,
) -> Result<(), Error> {
    let names = columns.join(", ");
    let marks = vec!["?"; columns.len()].join(", ");
    let select = format!("SELECT {names} FROM {table} WHERE {condition}");
    for row in read.fetch_all(statement(select)).await? {
        let values: Result<Vec<Parameter>, Error> = (0..columns.len())
            .map(|column| Ok(row.text(column)?.into()))
            .collect();
        let insert = format!("INSERT INTO {table} ({names}) VALUES ({marks})");
        write.execute(statement(insert).bind_all(values?)).await?;
    }
    Ok(())
}

/// The records that the target has not yet.
async fn audit_log(read: &mut Session<'_>, write: &mut Session<'_>) -> Result<(), Error> {
    loop {
        let sql = "SELECT coalesce(max(n), 0) FROM hromada_audit";
        let last = write.fetch_one(statement(sql)).await?.integer(0)?;
        let records = audit::after(read, last, AT_ONCE).await?;
        if records.is_empty() {
            return Ok(());
        }
        let mut transaction = write.begin().await?;
        for record in &records {
            audit::keep(&mut transaction.session(), record).await?;
        }
        transaction.commit().await?;
    }
}
