//! Backups of a store in PostgreSQL by its own tools, `pg_dump` and `pg_restore`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use model::Message;
use url::Url;

use super::{Database, PostgresPlace, open};
use crate::Error;
use crate::session::quoted;

/// Where Debian and its kin put the tools of each major version.
const INSTALLED: &str = "/usr/lib/postgresql";

/// A lock that another holds for longer ends the dump instead of waiting for ever.
const LOCK_PATIENCE: &str = "--lock-wait-timeout=60s";

/// Lines of a tool's complaint that are shown: the first names the cause.
const LINES_SHOWN: usize = 4;

/// Dumps the store's schema as it is at one moment, in the custom format.
pub(crate) async fn write(database: &Database, to: &Path) -> Result<(), Error> {
    let number: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int4")
        .fetch_one(&mut *database.pool.load().acquire().await?)
        .await?;
    let place = &database.place;
    let mut command = Command::new(tool("pg_dump", number / 10_000)?);
    let url = connection(place, &mut command)?;
    command
        .args(["--format=custom", LOCK_PATIENCE, "--no-password"])
        .arg(format!("--schema={}", place.schema))
        .arg("--file")
        .arg(to)
        .arg(format!("--dbname={url}"));
    run(command, "pg_dump").await?;
    Ok(())
}

/// Makes the schema anew from a dump: all of it or nothing.
pub(crate) async fn restore(from: &Path, place: &PostgresPlace) -> Result<(), Error> {
    std::fs::File::open(from).map_err(|error| {
        Error::Refused(
            Message::new("store.restore-unreadable")
                .with("file", from.display())
                .with("reason", error),
        )
    })?;
    let mut connected = open::connect(place).await?;
    open::require_versions(place, &mut connected).await?;
    open::search_path(place, &mut connected).await?;
    let is_there: bool = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
        .bind(quoted(&place.schema))
        .fetch_one(&mut connected)
        .await?;
    if is_there {
        return Err(open::refused(place, "store.restore-schema-there").into());
    }
    let number: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int4")
        .fetch_one(&mut connected)
        .await?;
    open::close(connected).await;
    let tool = tool("pg_restore", number / 10_000)?;
    let schema = dumped_schema(&tool, from).await?;
    if schema != place.schema {
        return Err(Error::Refused(
            Message::new("store.restore-schema-differs")
                .with("file", from.display())
                .with("found", schema)
                .with("schema", &place.schema),
        ));
    }
    let mut command = Command::new(tool);
    let url = connection(place, &mut command)?;
    command
        .args(["--exit-on-error", "--single-transaction", "--no-password"])
        // Roles of the old server may not be here.
        .args(["--no-owner", "--no-privileges"])
        .arg(format!("--dbname={url}"))
        .arg(from);
    run(command, "pg_restore").await?;
    Ok(())
}

/// The schema that a dump holds, by its table of contents: `5; 2615 16386 SCHEMA - hromada owner`.
async fn dumped_schema(tool: &Path, from: &Path) -> Result<String, Error> {
    let mut command = Command::new(tool);
    command.arg("--list").arg(from);
    let listed = run(command, "pg_restore").await?;
    let text = String::from_utf8_lossy(&listed.stdout);
    let is_store = text.contains(" hromada_meta ");
    let schema = text.lines().find_map(|line| {
        let (_, rest) = line.split_once(" SCHEMA - ")?;
        rest.split_whitespace().next()
    });
    match schema {
        Some(schema) if is_store => Ok(schema.to_owned()),
        _ => Err(Error::Refused(
            Message::new("store.restore-foreign").with("file", from.display()),
        )),
    }
}

/// The address for libpq without its password, which the list of processes would show: it goes with the environment.
fn connection(place: &PostgresPlace, command: &mut Command) -> Result<String, Error> {
    let unreadable = |reason: &dyn std::fmt::Display| {
        Error::Refused(
            Message::new("store.database-url")
                .with("database", &place.shown)
                .with("reason", reason),
        )
    };
    let mut url = Url::parse(&place.url).map_err(|e| unreadable(&e))?;
    let mut password = url.password().map(unescaped);
    let mut kept = Vec::new();
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "password" => password = Some(value.into_owned()),
            // Of our driver alone.
            "statement-cache-capacity" => {}
            // It knows names that begin with `ssl-` too.
            key => kept.push((key.replace("ssl-", "ssl"), value.into_owned())),
        }
    }
    url.set_query(None);
    // Only an address without a host has no place for a password, and then there is none.
    let _ = url.set_password(None);
    let mut url = url.to_string();
    for (i, (key, value)) in kept.iter().enumerate() {
        url.push(if i == 0 { '?' } else { '&' });
        url.push_str(key);
        url.push('=');
        escape(value, &mut url);
    }
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    command.env_remove("HROMADA_DATABASE");
    Ok(url)
}

/// `%41` as `A` (RFC 3986 §2.1).
fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|d| std::str::from_utf8(d).ok());
        let escaped = digits.and_then(|d| u8::from_str_radix(d, 16).ok());
        match (byte, escaped) {
            (b'%', Some(escaped)) => {
                out.push(escaped);
                rest = &tail[2..];
            }
            _ => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Everything but letters, digits and `-._~/` as `%41`: libpq takes a `+` for itself.
fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// The tool of the server's own major version, or of the next one after it. An older one can't read the server; what a newer
/// one writes may be more than the server understands.
fn tool(name: &str, server: i32) -> Result<PathBuf, Error> {
    let mut found = Vec::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::fs::read_dir(INSTALLED).into_iter().flatten();
    let installed = installed.flatten().map(|entry| entry.path().join("bin"));
    for folder in std::env::split_paths(&path).chain(installed) {
        let file = folder.join(name);
        if !file.is_file() {
            continue;
        }
        if let Some(version) = version(&file) {
            found.push((version, file));
        }
    }
    let newest = found.iter().map(|(version, _)| *version).max();
    let fit = found.into_iter().filter(|(version, _)| *version >= server);
    if let Some((_, file)) = fit.min_by_key(|(version, _)| *version) {
        return Ok(file);
    }
    let message = match newest {
        Some(newest) => Message::new("store.tool-too-old").with("found", newest),
        None => Message::new("store.tool-missing"),
    };
    Err(Error::Refused(
        message.with("tool", name).with("version", server),
    ))
}

/// The major version in `pg_dump (PostgreSQL) 17.10 (Debian 17.10-1)`.
fn version(tool: &Path) -> Option<i32> {
    let asked = Command::new(tool)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    major(&String::from_utf8_lossy(&asked.ok()?.stdout))
}

fn major(text: &str) -> Option<i32> {
    let (_, rest) = text.split_once("(PostgreSQL) ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

async fn run(mut command: Command, tool: &'static str) -> Result<Output, Error> {
    let task = tokio::task::spawn_blocking(move || {
        command
            .env("LC_MESSAGES", "C")
            .stdin(Stdio::null())
            .output()
    });
    let output = task
        .await
        .map_err(|e| Error::Io(std::io::Error::other(e)))??;
    if output.status.success() {
        return Ok(output);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = complaint.lines().take(LINES_SHOWN).collect();
    Err(Error::Refused(
        Message::new("store.tool-failed")
            .with("tool", tool)
            .with("reason", lines.join("; ")),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_with_the_environment_and_the_rest_with_the_address() {
        for (given, url, password) in [
            ("postgres://town@db/gis", "postgres://town@db/gis", None),
            (
                "postgres://town:p%40s@db:5433/gis?schema=kalush&sslmode=require",
                "postgres://town@db:5433/gis?sslmode=require",
                Some("p@s"),
            ),
            (
                "postgres://town@db/gis?password=a%26b&host=/run/pg",
                "postgres://town@db/gis?host=/run/pg",
                Some("a&b"),
            ),
        ] {
            let mut command = Command::new("pg_dump");
            let place = PostgresPlace::parse(given).unwrap();
            assert_eq!(connection(&place, &mut command).unwrap(), url);
            let set = command.get_envs().find(|(key, _)| *key == "PGPASSWORD");
            let set = set.and_then(|(_, value)| value?.to_str());
            assert_eq!(set, password, "{given}");
        }
    }

    #[test]
    fn the_version_of_a_tool_is_read() {
        let text = "pg_dump (PostgreSQL) 17.10 (Debian 17.10-0+deb13u1)\n";
        assert_eq!(major(text), Some(17));
        assert_eq!(major("pg_dump (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("something else"), None);
    }
}
